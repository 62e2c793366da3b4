package db_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func claim(t *testing.T, d *db.DB) *model.LetterContents {
	t.Helper()
	c, err := d.ClaimLetter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestALetterThatWasUnderWayWhenThePortalStoppedLeavesWithTheSameLink(t *testing.T) {
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	id := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	first := claim(t, d)
	if first == nil || claim(t, d) != nil {
		t.Fatal("want one letter, claimed once")
	}
	// The process is gone here; another opens the folder.
	d2, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	if claim(t, d2) != nil {
		t.Error("claimed before recovery")
	}
	if err := d2.RecoverLetters(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := claim(t, d2)
	if second == nil || second.MessageID != first.MessageID || second.Links[0].URL.Reveal() != first.Links[0].URL.Reveal() {
		t.Fatal("not the same letter with the same link")
	}
	if second.Attempts != 2 {
		t.Errorf("attempt %d, want the second", second.Attempts)
	}
	if got := "http://localhost:8080/reset/" + dbtest.Token(t, d2, id).Reveal(); got != second.Links[0].URL.Reveal() {
		t.Error("the letter's link is not the record's")
	}
}

func TestRetriesAndTheirEnd(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	id := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	pauses := []time.Duration{5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, time.Hour}
	for n, pause := range pauses {
		l := claim(t, d)
		if l == nil {
			t.Fatalf("attempt %d: nothing is due", n+1)
		}
		if err := d.SettleLetter(t.Context(), l.ID, model.Delivery{Code: 451, Reply: "4.7.1 Greylisted"}); err != nil {
			t.Fatal(err)
		}
		due, err := d.NextLetter(t.Context())
		if err != nil || !due.Equal(clock.Now().Add(pause)) {
			t.Fatalf("attempt %d: next at %s, want after %s: %v", n+1, due, pause, err)
		}
		clock.Add(pause - time.Second)
		if claim(t, d) != nil {
			t.Errorf("attempt %d: due a second early", n+1)
		}
		clock.Add(time.Second)
	}
	l := claim(t, d)
	if err := d.SettleLetter(t.Context(), l.ID, model.Delivery{Code: 550, Reply: "5.1.1 No such user"}); err != nil {
		t.Fatal(err)
	}
	s := record(t, d, owner, id).Status.Letter
	if s.State != model.LetterFailed || s.Code != 550 || s.Reply != "5.1.1 No such user" || s.Attempts != len(pauses)+1 {
		t.Errorf("%+v", s)
	}
	if err := d.SettleLetter(t.Context(), l.ID, model.Delivery{Accepted: true}); err == nil {
		t.Error("settled twice")
	}
}

func TestALetterThatIsPutBackIsAsItWas(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	id := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	for n, want := range []model.LetterState{model.LetterWaiting, model.LetterRetrying} {
		c := claim(t, d)
		if err := d.ReturnLetters(t.Context(), []int64{c.ID + 1000, c.ID}); err != nil {
			t.Fatal(err)
		}
		if l := record(t, d, owner, id).LastLetter; l.State != want || l.Attempts != n {
			t.Errorf("%+v; want it %s after %d attempts", l, want, n)
		}
		again := claim(t, d)
		if again == nil || again.ID != c.ID || again.Attempts != n+1 {
			t.Fatalf("then %+v is claimed", again)
		}
		if err := d.SettleLetter(t.Context(), c.ID, model.Delivery{Code: 451}); err != nil {
			t.Fatal(err)
		}
		if r, err := d.Letter(t.Context(), owner, c.ID); err != nil || len(r.Attempts) != n+1 {
			t.Errorf("%d attempts are kept, want %d: %v", len(r.Attempts), n+1, err)
		}
		if err := d.ReturnLetters(t.Context(), []int64{c.ID}); err != nil { // it is not under way
			t.Fatal(err)
		}
		clock.Add(model.RetryPause(n + 1))
	}
	if r := record(t, d, owner, id).LastLetter; r.Attempts != 2 {
		t.Errorf("%+v", r)
	}
}

func TestALetterIsWithdrawnWhenItsLinkEndsFirst(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	id := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	if err := d.CancelReset(t.Context(), owner, id); err != nil {
		t.Fatal(err)
	}
	if claim(t, d) != nil {
		t.Error("a letter with a cancelled link left")
	}
	// Ended while the letter was on the wire.
	sendReset(t, d, owner, id)
	l := claim(t, d)
	if err := d.CancelReset(t.Context(), owner, id); err != nil {
		t.Fatal(err)
	}
	if err := d.SettleLetter(t.Context(), l.ID, model.Delivery{Reply: "connection reset"}); err != nil {
		t.Fatal(err)
	}
	if last := record(t, d, owner, id).LastLetter; last.State != model.LetterWithdrawn {
		t.Errorf("the letter is %s", last.State)
	}
	clock.Add(24 * time.Hour)
	if claim(t, d) != nil {
		t.Error("it left after all")
	}
}

func TestNoLetterLeavesForALinkToThisVeryComputer(t *testing.T) {
	d, _ := dbtest.OpenIn(t, t.TempDir(), db.Fixed{Mail: &model.MailServer{Host: "mail.example.org", Port: 587}})
	id := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	if claim(t, d) != nil {
		t.Error("a letter left")
	}
	if s := record(t, d, dbtest.Owner(t, d), id).Status; !s.HeldBack || s.Letter.State != model.LetterWaiting {
		t.Errorf("%+v", s)
	}
}

func TestWithoutAMailServerLettersAreCapturedAndStaySo(t *testing.T) {
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{})
	id := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	captured, err := d.CapturedLetters(t.Context(), 10)
	if err != nil || len(captured) != 1 || len(captured[0].Links) != 1 {
		t.Fatalf("%d captured, %v", len(captured), err)
	}
	// The link does its work; the letter can be looked at all the same.
	dbtest.SetPassword(t, d, id, dbtest.Password)
	if captured, err = d.CapturedLetters(t.Context(), 10); err != nil || len(captured) != 2 || len(captured[1].Links) != 1 {
		t.Errorf("%d captured, %v", len(captured), err)
	}
	later, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	if err := later.RecoverLetters(t.Context()); err != nil {
		t.Fatal(err)
	}
	if claim(t, later) != nil {
		t.Error("an old captured letter left by itself")
	}
}

func TestTheHigherPriorityLeavesFirst(t *testing.T) {
	d, _ := dbtest.Open(t)
	ask(t, d, "stranger@example.org")
	if _, err := d.WorkIntake(t.Context()); err != nil {
		t.Fatal(err)
	}
	dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "welcome to mia@example.org, no_account to stranger@example.org" {
		t.Error(got)
	}
}

func TestTheFormerAddressIsToldForThirtyDays(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{30*24*time.Hour - time.Second, "password_changed to new@example.org, password_changed to old@example.org"},
		{30 * 24 * time.Hour, "password_changed to new@example.org"},
	} {
		d, clock := dbtest.Open(t)
		owner := dbtest.Owner(t, d)
		id := dbtest.SignedUp(t, d, "Mia Brandt", "old@example.org")
		dbtest.Deliver(t, d)
		if err := d.ChangeEmail(t.Context(), owner, id, "new@example.org", false); err != nil {
			t.Fatal(err)
		}
		letters := dbtest.Deliver(t, d)
		if got := dbtest.Kinds(letters); got != "reset to new@example.org, email_changed to old@example.org" {
			t.Errorf("letters: %q", got)
		}
		if got := letters[1].NewEmail; got != "n…@example.org" {
			t.Errorf("the notice says %q", got)
		}
		clock.Add(c.after)
		sendReset(t, d, owner, id)
		dbtest.SetPassword(t, d, id, dbtest.Password)
		letters = dbtest.Deliver(t, d)
		if got := dbtest.Kinds(letters); got != "reset to new@example.org, "+c.want && got != c.want {
			t.Errorf("after %s: %q", c.after, got)
		}
	}
}

func TestALetterThatCannotBePutTogetherDoesNotBlockTheOthers(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	owner := dbtest.Owner(t, d)
	id := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	raw, err := sql.Open("sqlite3", filepath.Join(folder, "latchkey.db"))
	must(t, err)
	defer raw.Close()
	_, err = raw.Exec(`UPDATE reset SET key_id = 'retired'`)
	must(t, err)
	clock.Add(time.Second)
	dbtest.MemberWithAccount(t, d, "Bert Koch", "bert@example.org")
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "welcome to bert@example.org" {
		t.Errorf("letters: %q", got)
	}
	r, err := d.RecordWithoutLink(t.Context(), owner, id)
	if err != nil || r.LastLetter.State != model.LetterFailed || !strings.Contains(r.LastLetter.Reply, "put together") {
		t.Errorf("%+v, %v", r.LastLetter, err)
	}
}
