package db_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func attention(t *testing.T, d *db.DB) model.Attention {
	t.Helper()
	a, err := d.Attention(t.Context(), dbtest.Owner(t, d))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// settleAll takes every due letter to a mail server that answers like this.
func settleAll(t *testing.T, d *db.DB, how model.Delivery) {
	t.Helper()
	for {
		l, err := d.ClaimLetter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if l == nil {
			return
		}
		if err := d.SettleLetter(t.Context(), l.ID, how); err != nil {
			t.Fatal(err)
		}
	}
}

func names[T any](s model.Section[T], of func(T) model.Person) string {
	var all []string
	for _, r := range s.Rows {
		all = append(all, of(r).Name)
	}
	return fmt.Sprintf("%d: %s", s.Total, strings.Join(all, ", "))
}

var (
	refusedForGood = model.Delivery{Code: 550, Reply: "5.1.1 user unknown"}
	taken          = model.Delivery{Accepted: true, Code: 250, Reply: "2.0.0 OK"}
	doorShut       = model.Delivery{Reply: "the mail server could not be reached: dial tcp 127.0.0.1:2525: connection refused"}
)

func TestNothingNeedsAttentionInAPortalWhereAllIsWell(t *testing.T) {
	d, _ := dbtest.Open(t)
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	if err := d.Disable(t.Context(), dbtest.Owner(t, d), mia); err != nil { // that was meant
		t.Fatal(err)
	}
	if a := attention(t, d); !a.Quiet() {
		t.Errorf("%+v", a)
	}
	if _, err := d.Attention(t.Context(), model.MemberActor("")); model.KindOf(err) != model.KindForbidden {
		t.Errorf("a member is shown it: %v", err)
	}
}

// The filter of the list, the badge of the record and Needs attention say the
// same of everybody.
func TestFailingLettersAreTheSameEverywhere(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	jo := dbtest.MemberWithAccount(t, d, "Jo Holm", "jo@example.org")
	dbtest.Deliver(t, d)
	same := func(when, want string) {
		t.Helper()
		page, err := d.Members(t.Context(), owner, model.MemberQuery{Filter: model.FilterFailing})
		if err != nil {
			t.Fatal(err)
		}
		var listed, marked []string
		for _, r := range page.Rows {
			listed = append(listed, r.Name())
		}
		for _, id := range []int64{mia, jo} {
			r := record(t, d, owner, id)
			_, a, err := d.Member(t.Context(), owner, id)
			if err != nil || a.Failing() != r.Account.Failing() || (r.Failing != nil) != a.Failing() {
				t.Errorf("%s: the tabs of %s differ: %v, %v, %v, %v", when, a.Name, a.Mail, r.Account.Mail, r.Failing, err)
			}
			if a.Failing() {
				marked = append(marked, a.Name)
			}
		}
		needs := names(attention(t, d).Failing, func(r model.FailingRow) model.Person { return r.Person })
		want = strings.TrimSpace(want)
		if got := strings.Join(listed, ", "); got != want {
			t.Errorf("%s: listed are %q, want %q", when, got, want)
		}
		if got := strings.Join(marked, ", "); got != want {
			t.Errorf("%s: marked are %q, want %q", when, got, want)
		}
		if _, got, _ := strings.Cut(needs, ": "); got != want {
			t.Errorf("%s: attention is called to %q, want %q", when, got, want)
		}
	}
	same("at first", "")
	clock.Add(time.Hour)
	sendReset(t, d, owner, mia)
	settleAll(t, d, taken)
	dbtest.SetPassword(t, d, mia, "another long password of hers")
	same("while the notice of the changed password waits", "")
	settleAll(t, d, refusedForGood) // of that notice, and of no other letter
	same("after the notice was refused", "Mia Brandt")
	clock.Add(time.Hour)
	tried(t, d, "nobody@elsewhere.example")
	sendReset(t, d, owner, mia)
	same("while a letter waits", "Mia Brandt")
	settleAll(t, d, taken)
	same("after one was taken", "")
	clock.Add(20 * time.Hour)
	sendReset(t, d, owner, mia)
	settleAll(t, d, refusedForGood)
	same("after the next was refused", "Mia Brandt")
	if err := d.ChangeEmail(t.Context(), owner, mia, "mia@new.example", false); err != nil {
		t.Fatal(err)
	}
	same("with another address", "")
	settleAll(t, d, taken)
	tried(t, d, "stranger@elsewhere.example")
	settleAll(t, d, refusedForGood)
	same("after a letter to nobody's address", "")
	if err := d.SendTest(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	settleAll(t, d, refusedForGood)
	same("after a test of the mail settings", "")
}

func TestUnfinishedInvitations(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	begin := clock.Now()
	dbtest.MemberWithAccount(t, d, "Nina Nie", "nina@example.org")
	dbtest.SignedUp(t, d, "Fin Ished", "fin@example.org")
	dis := dbtest.MemberWithAccount(t, d, "Dis Abled", "dis@example.org")
	can := dbtest.MemberWithAccount(t, d, "Can Celled", "can@example.org")
	for _, err := range []error{d.Disable(t.Context(), owner, dis), d.CancelReset(t.Context(), owner, can)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	dbtest.Deliver(t, d)
	dbtest.MemberWithAccount(t, d, "Ref Used", "ref@example.org")
	settleAll(t, d, refusedForGood)
	clock.Add(time.Minute)
	known := dbtest.SignedUp(t, d, "Rita Reset", "rita@example.org")
	dbtest.Deliver(t, d)
	sendReset(t, d, owner, known) // a password is set: no invitation
	dbtest.Deliver(t, d)
	are := func(when time.Duration, want string) {
		t.Helper()
		clock.Set(begin.Add(when))
		if got := names(attention(t, d).Unfinished, func(r model.UnfinishedRow) model.Person { return r.Person }); got != want {
			t.Errorf("after %v: %q, want %q", when, got, want)
		}
	}
	are(model.UnfinishedAfter-time.Second, "0: ")
	are(model.UnfinishedAfter, "1: Nina Nie")
	are(30*24*time.Hour, "1: Nina Nie")

	// A link that expires sooner.
	s, err := d.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Resets = model.StrictResets
	if err := d.ChangeSettings(t.Context(), owner, s); err != nil {
		t.Fatal(err)
	}
	begin = clock.Now()
	dbtest.MemberWithAccount(t, d, "Stri Ct", "strict@example.org")
	dbtest.Deliver(t, d)
	are(24*time.Hour-time.Second, "1: Nina Nie")
	are(24*time.Hour, "2: Stri Ct, Nina Nie")
	if err := d.SendPasswordReset(t.Context(), owner, 2); err != nil {
		t.Fatal(err)
	}
	dbtest.Deliver(t, d)
	are(24*time.Hour, "1: Stri Ct") // whoever was written to again has time again
}

func TestSlowedAccountsAndNotTheDisabled(t *testing.T) {
	d, clock := dbtest.Open(t)
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	for range 8 {
		_, err := d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret("wrong"), Network: "192.0.2.0/24"})
		if model.KindOf(err) != model.KindSignIn {
			t.Fatal(err)
		}
		clock.Add(8 * time.Second)
	}
	clock.Add(-time.Second)
	a := attention(t, d)
	if got := names(a.Slowed, func(r model.SlowedRow) model.Person { return r.Person }); got != "1: Mia Brandt" || !a.Slowed.Rows[0].Until.Equal(clock.Now().Add(time.Second)) {
		t.Errorf("%s, %+v", got, a.Slowed.Rows)
	}
	if err := d.Disable(t.Context(), dbtest.Owner(t, d), mia); err != nil {
		t.Fatal(err)
	}
	if a := attention(t, d); a.Slowed.Total != 0 {
		t.Errorf("%+v", a.Slowed)
	}
}

func TestTheMailServerIsDownUntilItTakesALetter(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	dbtest.MemberWithAccount(t, d, "Gina Grau", "gina@example.org")
	settleAll(t, d, model.Delivery{Code: 451, Reply: "4.7.1 Greylisted"})
	if a := attention(t, d); a.Mail != nil {
		t.Errorf("one letter that is put off: %+v", a.Mail)
	}
	clock.Add(time.Hour)
	since := clock.Now()
	for i := range 60 { // more attempts than are looked at
		dbtest.MemberWithAccount(t, d, "Mia Brandt", fmt.Sprintf("mia%d@example.org", i))
	}
	settleAll(t, d, taken)
	dbtest.MemberWithAccount(t, d, "Jo Holm", "jo@example.org")
	for range 60 {
		settleAll(t, d, doorShut)
		clock.Add(time.Minute)
	}
	a := attention(t, d)
	if a.Mail == nil || a.Mail.Waiting != 1 || !a.Mail.Since.Equal(since) || !strings.Contains(a.Mail.Reply, "could not be reached") {
		t.Errorf("%+v, want one letter since %v", a.Mail, since)
	}
	clock.Add(time.Hour)
	settleAll(t, d, model.Delivery{Code: 535, Reply: "5.7.8 authentication failed"})
	if a := attention(t, d); a.Mail != nil {
		t.Errorf("no letter is to be tried again: %+v", a.Mail)
	}
	sendReset(t, d, owner, 2)
	settleAll(t, d, model.Delivery{Reply: "the mail server did not accept our user name and password: 454"})
	if a := attention(t, d); a.Mail == nil {
		t.Error("a refused sign-in is no trouble")
	}
	clock.Add(time.Hour)
	settleAll(t, d, taken)
	if a := attention(t, d); a.Mail != nil {
		t.Errorf("it takes letters again: %+v", a.Mail)
	}
}

func TestLettersThatAreHeldBack(t *testing.T) {
	d, _ := dbtest.OpenIn(t, t.TempDir(), db.Fixed{Mail: &model.MailServer{Host: "mail.example.net", Port: 587}})
	if a := attention(t, d); a.Held == nil || a.Held.Waiting != 0 || !a.Held.Since.IsZero() {
		t.Errorf("%+v", a.Held)
	}
	dbtest.MemberWithAccount(t, d, "Jo Holm", "jo@example.org")
	if a := attention(t, d); a.Held == nil || a.Held.Waiting != 1 || !a.Held.Since.Equal(dbtest.Start) || a.Held.BaseURL != "http://localhost:8080" {
		t.Errorf("%+v", a.Held)
	}
}

// Whoever has been in since, or set a password, needs nobody.
func TestAWrongAddressNeedsAttentionUntilTheyGetIn(t *testing.T) {
	d, clock := dbtest.Open(t)
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.SignedUp(t, d, "Jo Holm", "jo.holm@example.org")
	dbtest.Deliver(t, d)
	clock.Add(time.Second)
	tried(t, d, "miaa@example.org")
	clock.Add(time.Second)
	tried(t, d, "jo.hom@example.org")
	are := func(want string) {
		t.Helper()
		if got := names(attention(t, d).Near, func(r model.NearRow) model.Person { return r.Person }); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	are("2: Jo Holm, Mia Brandt")
	if _, err := d.SignIn(t.Context(), model.SignIn{Login: "jo.holm@example.org", Password: model.NewSecret(dbtest.Password)}); err != nil {
		t.Fatal(err)
	}
	are("1: Mia Brandt")
	sendReset(t, d, dbtest.Owner(t, d), mia)
	are("1: Mia Brandt")
	dbtest.SetPassword(t, d, mia, "another long password of hers")
	are("0: ")
}
