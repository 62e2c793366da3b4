package db_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// fails tries to sign in with a wrong password, and waits as long as it must
// between two tries.
func fails(t *testing.T, d *db.DB, clock *dbtest.Clock, login string, n int) {
	t.Helper()
	for range n {
		clock.Add(model.LongestDelay)
		_, err := d.SignIn(t.Context(), model.SignIn{Login: login, Password: model.NewSecret("not the one at all"), Network: "192.0.2.0/24"})
		wantKind(t, err, model.KindSignIn)
	}
}

func TestAtTheFifthFailureALetterGoesToTheAccount(t *testing.T) {
	d, clock := dbtest.Open(t)
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	fails(t, d, clock, "mia@example.org", 4)
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "" {
		t.Fatalf("after four: %s", got)
	}
	fails(t, d, clock, "mia@example.org", 1)
	sent := dbtest.Deliver(t, d)
	if got := dbtest.Kinds(sent); got != "trouble to mia@example.org" || len(sent[0].Links) != 1 || sent[0].Links[0].NotMe.IsZero() {
		t.Fatalf("after five: %s", got)
	}
	if s := record(t, d, dbtest.Owner(t, d), mia).Status; s == nil || s.AskedBy != "automatically" {
		t.Errorf("status message: %+v", s)
	}
	fails(t, d, clock, "mia@example.org", 6)
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "" {
		t.Errorf("after more: %s", got)
	}
	dbtest.SetPassword(t, d, mia, dbtest.Password) // with that link
	if !signsIn(t, d, "mia@example.org", dbtest.Password) {
		t.Fatal("the link's password does not fit")
	}
}

func TestTheTroubleLetterComesOnceADay(t *testing.T) {
	d, clock := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	succeed := func() {
		t.Helper()
		clock.Add(model.LongestDelay)
		if !signsIn(t, d, "mia@example.org", dbtest.Password) {
			t.Fatal("the right password does not fit")
		}
	}
	fails(t, d, clock, "mia@example.org", 5)
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "trouble to mia@example.org" {
		t.Fatal(got)
	}
	written := clock.Now()
	_, err := d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret(dbtest.Password), Network: "192.0.2.0/24"})
	if err == nil {
		t.Fatal("no pause after five failures")
	}
	clock.Add(model.LongestDelay)
	_, err = d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret(dbtest.Password), Network: "192.0.2.0/24"})
	must(t, err) // from the same network: its bucket is empty again
	fails(t, d, clock, "mia@example.org", 4)
	clock.Set(written.Add(24*time.Hour - time.Second - model.LongestDelay))
	fails(t, d, clock, "mia@example.org", 1)
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "" {
		t.Errorf("a second before the next day: %s", got)
	}
	succeed()
	_, err = d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret(dbtest.Password), Network: "192.0.2.0/24"})
	must(t, err)
	fails(t, d, clock, "mia@example.org", 5)
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "trouble to mia@example.org" {
		t.Errorf("the next day: %q", got)
	}
}

func TestFailuresFromSeveralNetworksAreOneTrouble(t *testing.T) {
	d, clock := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	for _, network := range []string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/64", ""} {
		clock.Add(time.Minute)
		_, err := d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret("not the one"), Network: network})
		wantKind(t, err, model.KindSignIn)
	}
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "trouble to mia@example.org" {
		t.Errorf("%q", got)
	}
}

func TestFailuresOnAKnownDeviceAreTroubleToo(t *testing.T) {
	d, clock := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	in, err := d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret(dbtest.Password)})
	must(t, err)
	for range 5 {
		clock.Add(time.Minute)
		_, err := d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret("not the one"), Known: in.Known})
		wantKind(t, err, model.KindSignIn)
	}
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "trouble to mia@example.org" {
		t.Errorf("%q", got)
	}
}

// Nobody learns from a failed sign-in whether a login exists: what the request
// writes, and where, is the same. The line of a known account is written later,
// and compared with no other.
func TestTroubleIsWrittenDownTheSameForEveryLogin(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	owner := dbtest.Owner(t, d)
	dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	no := dbtest.SignedUp(t, d, "Dora Disabled", "dora@example.org")
	must(t, d.Disable(t.Context(), owner, no))
	_, err := d.AddMember(t.Context(), owner, model.Member{FirstName: "Roll", LastName: "Only", Email: "roll@example.org", MemberNo: "R-1"})
	must(t, err)
	dbtest.Deliver(t, d)
	written := func(login string) (steps []map[string]int) {
		was := tables(t, folder)
		for range 7 {
			fails(t, d, clock, login, 1)
			is, step := tables(t, folder), map[string]int{}
			for name, n := range is {
				if n != was[name] && !strings.HasPrefix(name, "audit") && name != "sqlite_sequence" {
					step[name] = n - was[name]
				}
			}
			steps, was = append(steps, step), is
		}
		return steps
	}
	known := written("mia@example.org")
	if known[3]["intake"] != 1 || known[4]["intake"] != 2 || known[5]["intake"] != 1 || known[4]["letter"] != 0 {
		t.Fatalf("the fifth writes %v", known)
	}
	for _, login := range []string{"nobody@example.org", "dora@example.org", "roll@example.org", "R-1", "M-9999", "no address", strings.Repeat("x", 5000), "a\x00b"} {
		for i, step := range written(login) {
			if !maps.Equal(step, known[i]) {
				t.Errorf("%.20q, failure %d: %v, not %v", login, i+1, step, known[i])
			}
		}
	}
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "trouble to mia@example.org" {
		t.Errorf("letters: %s", got)
	}
	if n := tables(t, folder)["account"]; n != 3 {
		t.Errorf("%d accounts: a failure made one", n)
	}
}

func TestTroubleWithASharedAddressIsOneLetter(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	dbtest.SignedUp(t, d, "Anna Koch", "koch@example.org")
	bert := dbtest.SignedUp(t, d, "Bert Koch", "koch@example.org")
	nora, err := d.AddMember(t.Context(), owner, model.Member{FirstName: "Nora", LastName: "Koch", MemberNo: "M-0042"})
	must(t, err)
	must(t, d.CreateUser(t.Context(), owner, nora, "koch@example.org", true))
	dbtest.SetPassword(t, d, nora, dbtest.Password)
	must(t, d.Disable(t.Context(), owner, bert))
	dbtest.Deliver(t, d)

	fails(t, d, clock, "m-0042", 5) // names one person
	sent := dbtest.Deliver(t, d)
	if dbtest.Kinds(sent) != "trouble to koch@example.org" || len(sent[0].Links) != 1 || sent[0].Links[0].Name != "Nora Koch" {
		t.Fatalf("by number: %s, %+v", dbtest.Kinds(sent), sent)
	}
	must(t, d.Enable(t.Context(), owner, bert))
	clock.Add(17 * time.Hour)
	dbtest.Deliver(t, d)
	fails(t, d, clock, "koch@example.org", 5)
	sent = dbtest.Deliver(t, d)
	if dbtest.Kinds(sent) != "trouble to koch@example.org" || len(sent[0].Links) != 2 || sent[0].Links[0].Name != "Anna Koch" || sent[0].Links[1].Name != "Bert Koch" {
		t.Fatalf("by address, within a day of Nora's: %s, %+v", dbtest.Kinds(sent), sent)
	}
	if a, b := sent[0].Links[0], sent[0].Links[1]; a.NotMe.Reveal() == b.NotMe.Reveal() || a.URL.Reveal() == b.URL.Reveal() {
		t.Error("they have one link for both")
	}
	// Each disowns their own.
	sayNotMe(t, d, model.NewSecret(strings.TrimPrefix(sent[0].Links[0].NotMe.Reveal(), "http://localhost:8080/not-me/")))
	if got := state(t, d, dbtest.Token(t, d, bert)); got != model.ResetLive {
		t.Errorf("Bert's link is %s", got)
	}
}

func TestTroubleSendsTheLinkThatThereIs(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	sendReset(t, d, owner, mia)
	dbtest.Deliver(t, d)
	link := dbtest.Link(t, d, mia)
	fails(t, d, clock, "mia@example.org", 5)
	dbtest.Deliver(t, d)
	if again := dbtest.Link(t, d, mia); again.ID != link.ID || !again.ExpiresAt.Equal(link.ExpiresAt) || !again.ResendUntil.Equal(link.ResendUntil) {
		t.Error("inside the window it is another link, or lasts longer")
	}
	clock.Set(link.MadeAt.Add(16*time.Hour + 24*time.Hour))
	fails(t, d, clock, "mia@example.org", 5)
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "trouble to mia@example.org" || dbtest.Link(t, d, mia).ID == link.ID {
		t.Errorf("past the window: %q, and the same link", got)
	}
}

func TestTroubleCountsAmongWhatAnybodyCanHaveSent(t *testing.T) {
	d, clock := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	asked := func(n int) (sent int) {
		for range n {
			clock.Add(10 * time.Second)
			ask(t, d, "mia@example.org")
			sent += len(dbtest.Deliver(t, d))
		}
		return sent
	}
	fails(t, d, clock, "mia@example.org", 5)
	if sent := len(dbtest.Deliver(t, d)) + asked(6); sent != 5 {
		t.Errorf("%d letters in an hour", sent)
	}
	clock.Add(25 * time.Hour)
	if sent := asked(5); sent != 5 {
		t.Fatalf("%d letters", sent)
	}
	fails(t, d, clock, "mia@example.org", 5)
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "" {
		t.Errorf("a sixth in the hour: %s", got)
	}
}
