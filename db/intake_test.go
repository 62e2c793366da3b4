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

func ask(t *testing.T, d *db.DB, typed string) {
	t.Helper()
	if err := d.AskReset(t.Context(), typed, "192.0.2.0/24"); err != nil {
		t.Fatal(err)
	}
}

func TestForgotPassword(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	add := func(m model.Member) int64 {
		id, err := d.AddMember(t.Context(), owner, m)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	add(model.Member{FirstName: "Roll", LastName: "Only", Email: "roll@example.org", MemberNo: "R-1"})
	add(model.Member{FirstName: "Left", LastName: "Long-ago", Email: "left@example.org", Status: model.StatusFormer})
	add(model.Member{FirstName: "Pia", LastName: "Prospect", Email: "pia@example.org", Status: model.StatusProspect})
	anna := dbtest.SignedUp(t, d, "Anna Koch", "koch@example.org")
	dbtest.SignedUp(t, d, "Bert Koch", "koch@example.org")
	add(model.Member{FirstName: "Sneaky", LastName: "Record", Email: dbtest.OwnerEmail})
	numbered := add(model.Member{FirstName: "Nora", LastName: "Number", MemberNo: "M-0042"})
	if err := d.CreateUser(t.Context(), owner, numbered, "koch@example.org", true); err != nil {
		t.Fatal(err)
	}
	dbtest.SetPassword(t, d, numbered, dbtest.Password)
	dbtest.Deliver(t, d)

	for _, c := range []struct{ typed, want string }{
		{"mia@example.org", "reset to mia@example.org"},
		{" MIA@example.ORG ", "reset to mia@example.org"}, // to the stored address
		{"roll@example.org", "welcome to roll@example.org"},
		{"roll@example.org", "welcome to roll@example.org"},
		{"R-1", "welcome to roll@example.org"},
		{"pia@example.org", "welcome to pia@example.org"},
		{"left@example.org", "no_account to left@example.org"},
		{"nobody@example.org", "no_account to nobody@example.org"},
		{"nobody@example.org", ""}, // once a day
		{"koch@example.org", "reset_several to koch@example.org"},
		{"m-0042", "reset to koch@example.org"}, // a number names one person
		{"M-9999", ""},
		{"not an address @", ""},
		{"evil@example.org\r\nBcc: all@example.org", ""},
		{strings.Repeat("a", 400) + "@example.org", ""},
		{"", ""},
		{dbtest.OwnerEmail, "reset to " + dbtest.OwnerEmail}, // the record beside it is not joined
	} {
		clock.Add(time.Minute)
		ask(t, d, c.typed)
		if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != c.want {
			t.Errorf("%q: %q, want %q", c.typed, got, c.want)
		}
	}
	if s := record(t, d, owner, mia).Status; s == nil || s.AskedBy != "the member" || s.Text() != "Reset password email sent." {
		t.Errorf("status message of a member's own request: %+v", s)
	}

	t.Run("a letter for several names each with a link of their own", func(t *testing.T) {
		clock.Add(time.Hour)
		ask(t, d, "koch@example.org")
		letters := dbtest.Deliver(t, d)
		if len(letters) != 1 || len(letters[0].Links) != 3 {
			t.Fatalf("%d letters", len(letters))
		}
		names, urls := "", map[string]bool{}
		for _, l := range letters[0].Links {
			names += l.Name + "|"
			urls[l.URL.Reveal()] = true
		}
		if names != "Anna Koch|Bert Koch|Nora Number|" || len(urls) != 3 {
			t.Errorf("names %s, %d different links", names, len(urls))
		}
		token := strings.TrimPrefix(letters[0].Links[0].URL.Reveal(), "http://localhost:8080/reset/")
		pw := "the harbour master sings alone"
		if _, err := d.SetPassword(t.Context(), model.NewPassword{Token: model.NewSecret(token), Password: model.NewSecret(pw), Confirm: model.NewSecret(pw)}); err != nil {
			t.Fatal(err)
		}
		in, err := d.SignIn(t.Context(), model.SignIn{Login: "koch@example.org", Password: model.NewSecret(pw)})
		if err != nil || in.Account.MemberID != anna {
			t.Errorf("signed in as member %d: %v", in.Account.MemberID, err)
		}
	})
}

func TestLimitsOfForgotPassword(t *testing.T) {
	d, clock := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	count := func(typed string, n int, step time.Duration) (got int) {
		for range n {
			ask(t, d, typed)
			got += len(dbtest.Deliver(t, d))
			clock.Add(step)
		}
		return got
	}
	if got := count("mia@example.org", 8, 10*time.Second); got != 5 {
		t.Errorf("%d letters in an hour, want 5", got)
	}
	clock.Add(time.Hour)
	if got := count("mia@example.org", 4, 10*time.Second); got != 4 {
		t.Errorf("%d letters in the next hour, want 4", got)
	}
	clock.Add(time.Hour)
	if got := count("mia@example.org", 4, 10*time.Second); got != 1 {
		t.Errorf("%d letters, want the tenth of the day and no more", got)
	}
	owner := dbtest.Owner(t, d)
	clock.Add(time.Minute)
	sendReset(t, d, owner, 2)
	if got := len(dbtest.Deliver(t, d)); got != 1 {
		t.Errorf("staff presses never count, but %d letters left", got)
	}
	unknown := 0
	for i := range 15 {
		ask(t, d, fmt.Sprintf("stranger%d@example.org", i))
		unknown += len(dbtest.Deliver(t, d))
		clock.Add(time.Second)
	}
	if unknown != 10 {
		t.Errorf("%d letters to unknown addresses in an hour, want 10", unknown)
	}
}

func TestWhatWasTypedIsNotKept(t *testing.T) {
	d, _ := dbtest.Open(t)
	ask(t, d, "private.person@elsewhere.example")
	dbtest.Deliver(t, d)
	if n, err := d.WorkIntake(t.Context()); n != 0 || err != nil {
		t.Errorf("work left: %d, %v", n, err)
	}
}
