package db_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func sayNotMe(t *testing.T, d *db.DB, token model.Secret) model.OpenedNotMe {
	t.Helper()
	o, err := d.NotMe(t.Context(), token.Reveal(), "192.0.2.0/24")
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func signsIn(t *testing.T, d *db.DB, login, password string) bool {
	t.Helper()
	_, err := d.SignIn(t.Context(), model.SignIn{Login: login, Password: model.NewSecret(password)})
	if err != nil && model.KindOf(err) != model.KindSignIn {
		t.Fatal(err)
	}
	return err == nil
}

func actsOf(t *testing.T, d *db.DB, member int64) string {
	t.Helper()
	page, err := d.Activity(t.Context(), model.ShellActor(), member, 0)
	must(t, err)
	var all []string
	for _, l := range page.Lines {
		all = append(all, string(l.Act))
	}
	return strings.Join(all, " ")
}

func openOnes(t *testing.T, d *db.DB) []model.NotMe {
	t.Helper()
	a, err := d.Attention(t.Context(), dbtest.Owner(t, d))
	must(t, err)
	if a.NotMe.Total != len(a.NotMe.Rows) || a.Quiet() && a.NotMe.Total > 0 {
		t.Errorf("%d are said to be %d", len(a.NotMe.Rows), a.NotMe.Total)
	}
	return a.NotMe.Rows
}

// tables counts the rows of every table.
func tables(t *testing.T, folder string) map[string]int {
	t.Helper()
	raw, err := sql.Open("sqlite3", filepath.Join(folder, "latchkey.db"))
	must(t, err)
	defer raw.Close()
	rows, err := raw.Query(`SELECT name FROM sqlite_schema WHERE type = 'table'`)
	must(t, err)
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		must(t, rows.Scan(&name))
		names = append(names, name)
	}
	must(t, rows.Err())
	all := map[string]int{}
	for _, name := range names {
		var n int
		must(t, raw.QueryRow(`SELECT count(*) FROM "`+name+`"`).Scan(&n))
		all[name] = n
	}
	return all
}

func TestItWasNotMeEndsThatLinkAndNoOther(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	owner := dbtest.Owner(t, d)
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	sendReset(t, d, owner, mia)
	token, notMe := dbtest.Token(t, d, mia), dbtest.NotMe(t, d, mia)

	before := tables(t, folder)
	for range 3 {
		if o, err := d.OpenNotMe(t.Context(), notMe.Reveal()); err != nil || o != (model.OpenedNotMe{State: model.NotMeLive}) {
			t.Fatalf("%+v, %v", o, err)
		}
	}
	for name, n := range tables(t, folder) {
		if n != before[name] {
			t.Errorf("to look writes to %s", name)
		}
	}
	if got := state(t, d, token); got != model.ResetLive {
		t.Fatalf("to look made the link %s", got)
	}

	said := model.OpenedNotMe{State: model.NotMeLive, Said: true}
	if o := sayNotMe(t, d, notMe); o != said {
		t.Errorf("%+v", o)
	}
	if got := state(t, d, token); got != model.ResetCancelled {
		t.Errorf("the link is %s", got)
	}
	if r := dbtest.Link(t, d, mia); r.EndReason != model.EndNotMe || !r.EndedAt.Equal(clock.Now()) {
		t.Errorf("it ended %s at %v", r.EndReason, r.EndedAt)
	}
	if c := claim(t, d); c != nil {
		t.Errorf("the letter that waited with it leaves: %s", c.Kind)
	}
	if !signsIn(t, d, "mia@example.org", dbtest.Password) {
		t.Error("the password does not work any more")
	}
	if open := openOnes(t, d); len(open) != 1 || open[0].MemberID != mia || open[0].Name != "Mia Brandt" || open[0].Used || !open[0].At.Equal(clock.Now()) {
		t.Errorf("the office finds %+v", open)
	}
	if got := actsOf(t, d, mia); !strings.Contains(got, "reset.not_me") || strings.Contains(got, "account.secured") {
		t.Errorf("activity: %s", got)
	}
	if why := record(t, d, owner, mia).Why; why.Step != model.StepSend || !strings.Contains(why.Facts[len(why.Facts)-1].Text, "wasn’t them") {
		t.Errorf("why: %+v", why)
	}

	clock.Add(time.Minute)
	once := tables(t, folder)
	if o := sayNotMe(t, d, notMe); o != said {
		t.Errorf("the second time: %+v", o)
	}
	for name, n := range tables(t, folder) {
		if n != once[name] {
			t.Errorf("the second time writes to %s", name)
		}
	}

	// The next one comes at once, and is another.
	ask(t, d, "mia@example.org")
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "reset to mia@example.org" {
		t.Fatalf("the next link: %q", got)
	}
	sayNotMe(t, d, notMe)
	if got := state(t, d, dbtest.Token(t, d, mia)); got != model.ResetLive {
		t.Errorf("the next link is %s", got)
	}
}

func TestItWasNotMeAfterTheLinkWasUsedShutsTheAccount(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "old@example.org")
	must(t, d.ChangeEmail(t.Context(), owner, mia, "mia@example.org", false))
	clock.Add(time.Minute)
	notMe := dbtest.NotMe(t, d, mia)
	dbtest.SetPassword(t, d, mia, "the thief writes a password")
	dbtest.Deliver(t, d)
	in, err := d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret("the thief writes a password")})
	must(t, err)
	clock.Add(20 * time.Hour)
	sendReset(t, d, owner, mia)
	later := dbtest.Token(t, d, mia)
	usedAt := clock.Now().Add(-20 * time.Hour)

	if o, err := d.OpenNotMe(t.Context(), notMe.Reveal()); err != nil || o != (model.OpenedNotMe{State: model.NotMeUsed, UsedAt: usedAt}) {
		t.Fatalf("%+v, %v", o, err)
	}
	said := model.OpenedNotMe{State: model.NotMeUsed, UsedAt: usedAt, Said: true}
	if o := sayNotMe(t, d, notMe); o != said {
		t.Errorf("%+v", o)
	}
	a := dbtest.Account(t, d, mia)
	if a.HasPassword || !in.Session.Over(a, clock.Now()) || signsIn(t, d, "mia@example.org", "the thief writes a password") {
		t.Error("the thief stays")
	}
	if got := state(t, d, later); got == model.ResetLive {
		t.Error("an older link still opens the account")
	}
	letters := dbtest.Deliver(t, d)
	if got := dbtest.Kinds(letters); got != "secured to mia@example.org, secured_notice to old@example.org" {
		t.Fatalf("letters: %s", got)
	}
	if n := len(letters[1].Links); n != 0 || !letters[1].NotMe.IsZero() || !letters[1].ChangedAt.Equal(clock.Now()) {
		t.Errorf("the former address gets %d links", n)
	}
	fresh := dbtest.Token(t, d, mia)
	if len(letters[0].Links) != 1 || !strings.HasSuffix(letters[0].Links[0].URL.Reveal(), "/reset/"+fresh.Reveal()) ||
		!strings.HasSuffix(letters[0].Links[0].NotMe.Reveal(), "/not-me/"+dbtest.NotMe(t, d, mia).Reveal()) {
		t.Errorf("the letter's link: %+v", letters[0].Links)
	}
	if open := openOnes(t, d); len(open) != 1 || !open[0].Used {
		t.Errorf("the office finds %+v", open)
	}
	if got := actsOf(t, d, mia); !strings.Contains(got, "account.secured reset.not_me") {
		t.Errorf("activity: %s", got)
	}
	if why := record(t, d, owner, mia).Why; !strings.Contains(why.Facts[2].Text, "wasn’t them who chose the last password") {
		t.Errorf("why: %+v", why.Facts)
	}

	clock.Add(time.Minute)
	dbtest.SetPassword(t, d, mia, dbtest.Password)
	dbtest.Deliver(t, d)
	if o := sayNotMe(t, d, notMe); o != said {
		t.Errorf("the second time: %+v", o)
	}
	if !signsIn(t, d, "mia@example.org", dbtest.Password) || dbtest.Kinds(dbtest.Deliver(t, d)) != "" {
		t.Error("the second time shuts the account again")
	}
}

func TestItWasNotMeOfALinkThatIsOver(t *testing.T) {
	for _, c := range []struct {
		name  string
		end   func(t *testing.T, d *db.DB, clock *dbtest.Clock, owner model.Actor, id int64)
		state model.NotMeState
		noted bool
	}{
		{"expired", func(_ *testing.T, _ *db.DB, clock *dbtest.Clock, _ model.Actor, _ int64) {
			clock.Add(7 * 24 * time.Hour)
		}, model.NotMeOver, true},
		{"a second before", func(_ *testing.T, _ *db.DB, clock *dbtest.Clock, _ model.Actor, _ int64) {
			clock.Add(7*24*time.Hour - time.Second)
		}, model.NotMeLive, true},
		{"replaced", func(t *testing.T, d *db.DB, clock *dbtest.Clock, owner model.Actor, id int64) {
			clock.Add(16 * time.Hour)
			sendReset(t, d, owner, id)
		}, model.NotMeOver, true},
		{"cancelled", func(t *testing.T, d *db.DB, _ *dbtest.Clock, owner model.Actor, id int64) {
			must(t, d.CancelReset(t.Context(), owner, id))
		}, model.NotMeOver, true},
		{"disabled", func(t *testing.T, d *db.DB, _ *dbtest.Clock, owner model.Actor, id int64) {
			must(t, d.Disable(t.Context(), owner, id))
		}, model.NotMeOver, true},
		{"used, and disabled since", func(t *testing.T, d *db.DB, _ *dbtest.Clock, owner model.Actor, id int64) {
			dbtest.SetPassword(t, d, id, dbtest.Password)
			must(t, d.Disable(t.Context(), owner, id))
		}, model.NotMeDisabled, true},
		{"deleted", func(t *testing.T, d *db.DB, _ *dbtest.Clock, owner model.Actor, id int64) {
			must(t, d.DeleteAccount(t.Context(), owner, id))
		}, model.NotMeUnknown, false},
		{"30 days old, but a second", func(t *testing.T, d *db.DB, clock *dbtest.Clock, _ model.Actor, id int64) {
			dbtest.SetPassword(t, d, id, dbtest.Password)
			clock.Add(30*24*time.Hour - time.Second)
		}, model.NotMeUsed, true},
		{"30 days old", func(t *testing.T, d *db.DB, clock *dbtest.Clock, _ model.Actor, id int64) {
			dbtest.SetPassword(t, d, id, dbtest.Password)
			clock.Add(30 * 24 * time.Hour)
		}, model.NotMeUnknown, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, clock := dbtest.Open(t)
			owner := dbtest.Owner(t, d)
			mia := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
			notMe := dbtest.NotMe(t, d, mia)
			c.end(t, d, clock, owner, mia)
			dbtest.Deliver(t, d)
			if o, err := d.OpenNotMe(t.Context(), notMe.Reveal()); err != nil || o.State != c.state || o.Said {
				t.Errorf("%+v, %v", o, err)
			}
			for range 2 {
				if o := sayNotMe(t, d, notMe); o.State != c.state || o.Said != c.noted {
					t.Errorf("said: %+v", o)
				}
			}
			if got := len(openOnes(t, d)) == 1; got != c.noted {
				t.Errorf("the office is told: %v", got)
			}
			if got := dbtest.Kinds(dbtest.Deliver(t, d)); (got != "") != (c.state == model.NotMeUsed) {
				t.Errorf("letters: %s", got)
			}
			if c.name == "replaced" && state(t, d, dbtest.Token(t, d, mia)) != model.ResetLive {
				t.Error("the newer link is dead")
			}
		})
	}
}

func TestNothingElsePassesForNotMe(t *testing.T) {
	d, _ := dbtest.Open(t)
	mia := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	max := dbtest.MemberWithAccount(t, d, "Max Brandt", "max@example.org")
	token, notMe, other := dbtest.Token(t, d, mia), dbtest.NotMe(t, d, mia).Reveal(), dbtest.NotMe(t, d, max).Reveal()
	last := map[bool]string{true: "b", false: "a"}[notMe[39] == 'a']
	for _, bad := range []string{"", "x", token.Reveal(), strings.Repeat("a", 40), notMe[:39], notMe[:39] + last, strings.ToUpper(notMe), notMe + "a", notMe[:13] + other[13:], "\x00"} {
		if o := sayNotMe(t, d, model.NewSecret(bad)); o != (model.OpenedNotMe{State: model.NotMeUnknown}) {
			t.Errorf("%q: %+v", bad, o)
		}
	}
	if state(t, d, token) != model.ResetLive || len(openOnes(t, d)) != 0 {
		t.Error("something that is none did something")
	}
	if got := state(t, d, model.NewSecret(notMe)); got != model.ResetUnknown {
		t.Errorf("what says that it was not me opens a link that is %s", got)
	}
	pw := model.NewSecret(dbtest.Password)
	if _, err := d.SetPassword(t.Context(), model.NewPassword{Token: model.NewSecret(notMe), Password: pw, Confirm: pw}); model.KindOf(err) != model.KindLinkEnded {
		t.Errorf("it sets a password: %v", err)
	}
	if err := d.RenewReset(t.Context(), notMe, ""); model.KindOf(err) != model.KindLinkEnded {
		t.Errorf("it asks for another link: %v", err)
	}
}

// Whichever comes first, the password does not stand in the end.
func TestNotMeAndThePasswordRace(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	pw := model.NewSecret("a password of the thief's")
	for range 6 {
		clock.Add(17 * time.Hour)
		sendReset(t, d, owner, mia)
		token, notMe := dbtest.Token(t, d, mia), dbtest.NotMe(t, d, mia)
		var wg sync.WaitGroup
		var set error
		var said model.OpenedNotMe
		wg.Go(func() {
			_, set = d.SetPassword(t.Context(), model.NewPassword{Token: token, Password: pw, Confirm: pw})
		})
		wg.Go(func() {
			var err error
			if said, err = d.NotMe(t.Context(), notMe.Reveal(), ""); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if set != nil && model.KindOf(set) != model.KindLinkEnded {
			t.Fatal(set)
		}
		if (set == nil) != (said.State == model.NotMeUsed) || !said.Said {
			t.Errorf("the password: %v, not me: %+v", set, said)
		}
		if signsIn(t, d, "mia@example.org", pw.Reveal()) {
			t.Error("the thief's password stands")
		}
		clock.Add(25 * time.Hour) // wrong tries are forgotten
	}
}

func TestTheOfficePutsANotMeAway(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	anna := dbtest.Person(t, d, "Anna Berg", model.RoleStaff)
	viewer := dbtest.Person(t, d, "Nuala Kerr", model.RoleViewer)
	mia := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	sayNotMe(t, d, dbtest.NotMe(t, d, mia))
	clock.Add(time.Second)
	sayNotMe(t, d, dbtest.NotMe(t, d, anna.MemberID)) // her link was used
	anna = dbtest.Actor(t, d, dbtest.Account(t, d, anna.MemberID).Email)
	open := openOnes(t, d)
	if len(open) != 2 || open[0].MemberID != anna.MemberID || !open[0].Used || open[1].MemberID != mia {
		t.Fatalf("%+v", open)
	}
	hers, his := open[0].ResetID, open[1].ResetID
	wantKind(t, d.SettleNotMe(t.Context(), viewer, his), model.KindForbidden)
	wantKind(t, d.SettleNotMe(t.Context(), anna, hers), model.KindForbidden)
	wantKind(t, d.SettleNotMe(t.Context(), owner, 9999), model.KindNotFound)
	if _, err := d.Attention(t.Context(), model.MemberActor("")); model.KindOf(err) != model.KindForbidden {
		t.Errorf("members see them: %v", err)
	}
	for range 2 {
		must(t, d.SettleNotMe(t.Context(), anna, his))
	}
	if got := actsOf(t, d, mia); strings.Count(got, "reset.not_me_settled") != 1 {
		t.Errorf("activity: %s", got)
	}
	if open := openOnes(t, d); len(open) != 1 || open[0].ResetID != hers {
		t.Errorf("%+v", open)
	}
	must(t, d.SettleNotMe(t.Context(), owner, hers))
	if o := sayNotMe(t, d, dbtest.NotMe(t, d, mia)); !o.Said || len(openOnes(t, d)) != 0 {
		t.Error("said once more, it comes back")
	}
}

// The letter log, the outbox and the audit lines hold nothing that ends a link.
func TestNotMeIsNowhereOnDisk(t *testing.T) {
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	owner := dbtest.Owner(t, d)
	mia := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	notMe := dbtest.NotMe(t, d, mia).Reveal()
	c := claim(t, d)
	if c == nil || !strings.HasSuffix(c.Links[0].NotMe.Reveal(), "/not-me/"+notMe) {
		t.Fatal("the letter cannot be answered")
	}
	must(t, d.SettleLetter(t.Context(), c.ID, model.Delivery{Code: 451, Reply: model.CleanReply("4.7.1 http://localhost:8080/not-me/" + notMe)}))
	if got := letterOf(t, d, owner, c.ID); !got.Contents.Links[0].NotMe.IsZero() || !got.Contents.Links[0].URL.IsZero() {
		t.Error("the letter log holds it")
	}
	dbtest.SetPassword(t, d, mia, dbtest.Password)
	sent := dbtest.Deliver(t, d)
	if len(sent) != 1 || !strings.HasSuffix(sent[0].NotMe.Reveal(), "/not-me/"+notMe) || !sent[0].ByLink {
		t.Fatalf("the notice cannot be answered: %+v", sent)
	}
	if got := letterOf(t, d, owner, sent[0].ID).Contents.NotMe; strings.Contains(got.Reveal(), notMe[:13]) || got.IsZero() {
		t.Errorf("the letter log shows %s", got.Reveal())
	}
	sayNotMe(t, d, model.NewSecret(notMe))
	dbtest.Deliver(t, d)
	raw, err := sql.Open("sqlite3", filepath.Join(folder, "latchkey.db"))
	must(t, err)
	defer raw.Close()
	for _, q := range []string{
		`SELECT group_concat(facts || reply) FROM letter`, `SELECT group_concat(reply || conversation) FROM letter_attempt`,
		`SELECT group_concat(note) FROM audit_detail`, `SELECT group_concat(typed) FROM intake`,
	} {
		var all sql.NullString
		must(t, raw.QueryRow(q).Scan(&all))
		if strings.Contains(all.String, notMe[:20]) {
			t.Errorf("%s: %s", q, all.String)
		}
	}
}

func TestWhoMayAnswerThatAPasswordWasChanged(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "old@example.org")
	must(t, d.ChangeEmail(t.Context(), owner, mia, "mia@example.org", false))
	dbtest.Deliver(t, d)
	dbtest.SetPassword(t, d, mia, dbtest.Password)
	sent := dbtest.Deliver(t, d)
	if got := dbtest.Kinds(sent); got != "password_changed to mia@example.org, password_changed to old@example.org" {
		t.Fatal(got)
	}
	if sent[0].NotMe.IsZero() || !sent[1].NotMe.IsZero() {
		t.Error("a former address may answer, or the present one may not")
	}
	if sent[0].RequestedBy != "Ruth Adler" || !sent[0].ByLink || sent[0].AskedKind != model.ByPerson {
		t.Errorf("how it came about: %+v", sent[0])
	}

	in, err := d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret(dbtest.Password)})
	must(t, err)
	next := model.NewSecret("eleven quiet herons waiting")
	_, err = d.ChangePassword(t.Context(), dbtest.Actor(t, d, "mia@example.org"), model.PasswordChange{
		Current: model.NewSecret(dbtest.Password), Password: next, Confirm: next, SessionID: in.Session.ID})
	must(t, err)
	if sent = dbtest.Deliver(t, d); len(sent) != 2 || !sent[0].NotMe.IsZero() || sent[0].ByLink {
		t.Errorf("on the account page: %+v", sent)
	}

	// A link that lives for 30 days is used in its last second.
	clock.Add(31 * 24 * time.Hour)
	s, err := d.Settings(t.Context())
	must(t, err)
	s.Resets = model.ResetPolicy{Lifetime: 30 * 24 * time.Hour, ResendWindow: time.Hour}
	must(t, d.ChangeSettings(t.Context(), dbtest.Owner(t, d), s))
	sendReset(t, d, dbtest.Owner(t, d), mia)
	dbtest.Deliver(t, d)
	clock.Add(30*24*time.Hour - time.Second)
	dbtest.SetPassword(t, d, mia, dbtest.Password)
	c := claim(t, d)
	if c == nil || c.NotMe.IsZero() {
		t.Fatal("in the last second it cannot be answered")
	}
	clock.Add(time.Second)
	must(t, d.SettleLetter(t.Context(), c.ID, model.Delivery{Code: 550, Reply: "no"}))
	again, err := d.RepeatLetter(t.Context(), dbtest.Owner(t, d), c.ID)
	must(t, err)
	if c = claim(t, d); c == nil || c.ID != again || !c.NotMe.IsZero() || !c.ByLink {
		t.Errorf("after 30 days it can: %+v", c)
	}
}
