package db_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func TestSignInSlowsDownAfterFiveFailures(t *testing.T) {
	d, clock := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	for _, login := range []string{"mia@example.org", "nobody@example.org"} {
		t.Run(login, func(t *testing.T) {
			try := func(network, password, known string) error {
				_, err := d.SignIn(t.Context(), model.SignIn{Login: login, Password: model.NewSecret(password), Network: network, Known: model.NewSecret(known)})
				return err
			}
			for range 5 {
				wantKind(t, try("192.0.2.0/24", "wrong", ""), model.KindSignIn)
			}
			wantKind(t, try("192.0.2.0/24", dbtest.Password, ""), model.KindLimited)
			wantKind(t, try("198.51.100.0/24", "wrong", ""), model.KindSignIn) // another network is free
			clock.Add(time.Second)
			wantKind(t, try("192.0.2.0/24", "wrong", ""), model.KindSignIn) // 2⁰ s later
			clock.Add(time.Second)
			wantKind(t, try("192.0.2.0/24", "wrong", ""), model.KindLimited) // now 2¹ s
			clock.Add(24 * time.Hour)
			for range 5 {
				wantKind(t, try("192.0.2.0/24", "wrong", ""), model.KindSignIn) // forgotten
			}
		})
	}
}

func TestTheRecordSaysThatSignInIsSlowed(t *testing.T) {
	d, clock := dbtest.Open(t)
	id := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	owner := dbtest.Owner(t, d)
	for n := range 8 {
		if got := record(t, d, owner, id).SlowedFor; (got > 0) != (n >= 5) {
			t.Errorf("after %d failures slowed for %s", n, got)
		}
		clock.Add(5 * time.Second)
		_, err := d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret("wrong"), Network: "192.0.2.0/24"})
		wantKind(t, err, model.KindSignIn)
	}
}

func TestAThousandTriesAtOnceAreNotAllTheFirst(t *testing.T) {
	d, _ := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	var wg sync.WaitGroup
	var mu sync.Mutex
	hashed := 0
	for range 40 {
		wg.Go(func() {
			_, err := d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret("wrong"), Network: "192.0.2.0/24"})
			mu.Lock()
			defer mu.Unlock()
			if model.KindOf(err) == model.KindSignIn {
				hashed++
			} else if model.KindOf(err) != model.KindLimited {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if hashed != 5 {
		t.Errorf("%d tries were compared, want the five that are free", hashed)
	}
}

func TestAKnownDeviceIsNeverLockedOutByOthers(t *testing.T) {
	d, _ := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	in, err := d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret(dbtest.Password), Network: "192.0.2.0/24"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		_, err := d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret("wrong"), Network: string(rune('a' + i))})
		if i < 20 {
			wantKind(t, err, model.KindSignIn)
		} else {
			wantKind(t, err, model.KindLimited) // 20 over all networks
		}
	}
	_, err = d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret(dbtest.Password), Network: "192.0.2.0/24"})
	wantKind(t, err, model.KindLimited)
	if _, err = d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret(dbtest.Password), Network: "192.0.2.0/24", Known: in.Known}); err != nil {
		t.Errorf("the member's own device: %v", err)
	}
	// A mark from another account opens no other bucket.
	dbtest.SignedUp(t, d, "Eve Other", "eve@example.org")
	eve, err := d.SignIn(t.Context(), model.SignIn{Login: "eve@example.org", Password: model.NewSecret(dbtest.Password)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 25 {
		_, err = d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret("wrong"), Network: string(rune('A' + i)), Known: eve.Known})
	}
	wantKind(t, err, model.KindLimited)
}

func TestAHouseholdOnOneMailbox(t *testing.T) {
	d, clock := dbtest.Open(t)
	anna := dbtest.SignedUp(t, d, "Anna Koch", "koch@example.org")
	bert := dbtest.MemberWithAccount(t, d, "Bert Koch", "koch@example.org")
	dbtest.SetPassword(t, d, bert, "another fine day at the lake")
	sign := func(pw string) model.SignedIn {
		t.Helper()
		in, err := d.SignIn(t.Context(), model.SignIn{Login: "koch@example.org", Password: model.NewSecret(pw), Keep: true})
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	if in := sign(dbtest.Password); in.Account.MemberID != anna {
		t.Error("Anna's password signs somebody else in")
	}
	if in := sign("another fine day at the lake"); in.Account.MemberID != bert {
		t.Error("Bert's password signs somebody else in")
	}
	sendReset(t, d, dbtest.Owner(t, d), bert)
	dbtest.SetPassword(t, d, bert, dbtest.Password)
	in := sign(dbtest.Password)
	if len(in.Choice) != 2 || in.Ticket.IsZero() || in.Session.ID != 0 {
		t.Fatalf("the same password fits both, but the question is %+v", in.Choice)
	}
	choose := func(id int64) (model.SignedIn, error) {
		return d.ChoosePerson(t.Context(), model.Choice{Ticket: in.Ticket, AccountID: id})
	}
	if got, err := choose(in.Choice[1].AccountID); err != nil || got.Account.MemberID != bert || !got.Session.Kept {
		t.Errorf("chosen Bert: %+v, %v", got.Account, err)
	}
	_, err := choose(1) // the owner, whom the password did not fit
	wantKind(t, err, model.KindSignIn)
	clock.Add(5 * time.Minute)
	_, err = choose(in.Choice[1].AccountID)
	wantKind(t, err, model.KindSignIn)
}

func TestWhatEndsASession(t *testing.T) {
	d, clock := dbtest.Open(t)
	id := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	start := func() model.Session {
		t.Helper()
		in, err := d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret(dbtest.Password)})
		if err != nil {
			t.Fatal(err)
		}
		return in.Session
	}
	over := func(s model.Session) bool { return !counts(t, d, s) }
	s := start()
	clock.Add(model.SessionIdle - time.Second)
	if over(s) {
		t.Error("over one second before 12 idle hours")
	}
	if err := d.TouchSession(t.Context(), s.ID); err != nil {
		t.Fatal(err)
	}
	clock.Add(model.SessionIdle - time.Second)
	if over(s) {
		t.Error("over although it was used")
	}
	clock.Add(time.Second)
	if !over(s) {
		t.Error("not over after 12 idle hours")
	}
	s = start()
	for range 60 {
		clock.Add(12*time.Hour - time.Second)
		if err := d.TouchSession(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
	}
	clock.Add(time.Minute - time.Second)
	if over(s) {
		t.Error("over one second before 30 days")
	}
	clock.Add(time.Second)
	if !over(s) {
		t.Error("not over after 30 days of use")
	}
	s = start()
	if err := d.EndSessions(t.Context(), dbtest.Owner(t, d), id); err != nil {
		t.Fatal(err)
	}
	if !over(s) {
		t.Error("not over after being signed out everywhere")
	}
	s = start()
	if err := d.SignOut(t.Context(), model.Actor{Kind: model.ByPerson, AccountID: s.AccountID}, s.ID); err != nil || !over(s) {
		t.Errorf("not over after signing out: %v", err)
	}
}

func TestChangingThePassword(t *testing.T) {
	d, _ := dbtest.Open(t)
	id := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	a := dbtest.Account(t, d, id)
	actor := model.Actor{Kind: model.ByPerson, AccountID: a.ID, MemberID: id, Name: a.Name, Role: a.Role, Stamp: a.SessionStamp}
	in := func() model.SignedIn {
		in, err := d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret(dbtest.Password)})
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	here, there := in(), in()
	dbtest.Deliver(t, d)
	change := func(current, pw, confirm string) (model.SignedIn, error) {
		return d.ChangePassword(t.Context(), actor, model.PasswordChange{SessionID: here.Session.ID, Current: model.NewSecret(current), Password: model.NewSecret(pw), Confirm: model.NewSecret(confirm)})
	}
	fresh := "a lantern for the long way home"
	for _, c := range []struct{ current, pw, confirm, field string }{
		{"wrong", fresh, fresh, "current_password"},
		{dbtest.Password, "short", "short", "password"},
		{dbtest.Password, dbtest.Password, dbtest.Password, "password"},
		{dbtest.Password, "riverside rowing forever", "riverside rowing forever", "password"},
		{dbtest.Password, fresh, fresh + "x", "password_confirm"},
	} {
		_, err := change(c.current, c.pw, c.confirm)
		if e, ok := errors.AsType[*model.Error](err); !ok || e.Fields[c.field] == "" {
			t.Errorf("%q: %v, want a sentence beside %s", c.pw, err, c.field)
		}
	}
	got, err := change(dbtest.Password, fresh, fresh)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]model.SignedIn{"this browser's old session": here, "the other session": there} {
		if counts(t, d, s.Session) {
			t.Errorf("%s still counts", name)
		}
	}
	if !counts(t, d, got.Session) {
		t.Error("the new session does not count")
	}
	if kinds := dbtest.Kinds(dbtest.Deliver(t, d)); kinds != "password_changed to mia@example.org" {
		t.Errorf("letters: %q", kinds)
	}
}
