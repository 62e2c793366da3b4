package db_test

import (
	"fmt"
	"testing"
	"time"

	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// Signed in by the shared address, somebody sees whether their password is
// another's too. So choosing new ones is guessing, and slowed down like it.
func TestNobodyGuessesAtAHouseholdByChoosingPasswords(t *testing.T) {
	d, clock := dbtest.Open(t)
	nina := dbtest.SignedUp(t, d, "Nina Holm", "home@example.org")
	alone := dbtest.SignedUp(t, d, "Paul Berg", "paul@example.org")
	bert := dbtest.MemberWithAccount(t, d, "Bert Holm", "home@example.org")
	password := "guess number 0 of a patient man"
	dbtest.SetPassword(t, d, bert, password)
	change := func(id int64, was, is string) error {
		in := dbtest.SignIn(t, d, dbtest.Account(t, d, id).Email, was)
		_, err := d.ChangePassword(t.Context(), mine(t, d, id), model.PasswordChange{SessionID: in.Session.ID,
			Current: model.NewSecret(was), Password: model.NewSecret(is), Confirm: model.NewSecret(is)})
		return err
	}
	guessed := 0
	for n := range 12 {
		clock.Add(time.Second)
		next := fmt.Sprintf("guess number %d of a patient man", n+1)
		if err := change(bert, password, next); err != nil {
			wantKind(t, err, model.KindLimited)
			continue
		}
		password = next
		guessed++
	}
	if guessed > 8 {
		t.Errorf("%d guesses in twelve seconds", guessed)
	}
	// After the longest wait there is one more, and nobody else is kept waiting.
	clock.Add(model.LongestDelay)
	must(t, change(bert, password, "the last guess of a patient man"))
	must(t, change(nina, dbtest.Password, "nine purple teapots at dawn"))
	was := dbtest.Password
	for n := range 8 {
		next := fmt.Sprintf("one of many lanterns, number %d", n)
		must(t, change(alone, was, next))
		was = next
	}
}

func TestTheQuestionWhichPersonItIsIsGoodForFiveMinutesAndOneAnswer(t *testing.T) {
	d, clock := dbtest.Open(t)
	nina := dbtest.SignedUp(t, d, "Nina Holm", "home@example.org")
	paul := dbtest.SignedUp(t, d, "Paul Holm", "home@example.org")
	asked := func() model.SignedIn {
		t.Helper()
		clock.Add(time.Second)
		in := dbtest.SignIn(t, d, "home@example.org", dbtest.Password)
		if len(in.Choice) != 2 || in.Session.ID != 0 || !in.Known.IsZero() {
			t.Fatalf("%+v", in)
		}
		return in
	}
	answer := func(in model.SignedIn, id int64) error {
		_, err := d.ChoosePerson(t.Context(), model.Choice{Ticket: in.Ticket, AccountID: dbtest.Account(t, d, id).ID})
		return err
	}
	in := asked()
	clock.Add(5*time.Minute - time.Second)
	must(t, answer(in, nina))
	wantKind(t, answer(in, nina), model.KindSignIn) // replayed, as by the back button
	wantKind(t, answer(in, paul), model.KindSignIn)
	in = asked()
	clock.Add(5 * time.Minute)
	wantKind(t, answer(in, nina), model.KindSignIn)

	in = asked()
	must(t, d.Disable(t.Context(), dbtest.Owner(t, d), paul))
	wantKind(t, answer(in, paul), model.KindSignIn)
	clock.Add(time.Second)
	if in := dbtest.SignIn(t, d, "home@example.org", dbtest.Password); in.Session.ID == 0 || in.Account.MemberID != nina {
		t.Errorf("the only one left is asked: %+v", in)
	}
	must(t, d.Enable(t.Context(), dbtest.Owner(t, d), paul))
	dbtest.SetPassword(t, d, paul, dbtest.Password)
	in = asked()
	must(t, d.ChangeEmail(t.Context(), dbtest.Owner(t, d), paul, "paul@example.org", false)) // they leave
	wantKind(t, answer(in, paul), model.KindSignIn)
}

// What one of a household does to their own account leaves the others as they
// are.
func TestOneOfAHouseholdChangesNothingOfAnothers(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	nina := dbtest.SignedUp(t, d, "Nina Holm", "home@example.org")
	paul := dbtest.SignedUp(t, d, "Paul Holm", "home@example.org")
	must(t, d.SendPasswordReset(t.Context(), owner, nina))
	link := dbtest.Token(t, d, nina)
	before := dbtest.Account(t, d, nina)
	same := func(after string) {
		t.Helper()
		if now := dbtest.Account(t, d, nina); now != before {
			t.Errorf("after %s\n%+v\nis\n%+v", after, before, now)
		}
		if got := state(t, d, link); got != model.ResetLive {
			t.Errorf("after %s the link is %s", after, got)
		}
	}
	must(t, d.SendPasswordReset(t.Context(), owner, paul))
	dbtest.SetPassword(t, d, paul, "another fine day at the lake")
	same("a reset")
	must(t, d.EndSessions(t.Context(), owner, paul))
	same("signing out everywhere")
	must(t, d.AskEmail(t.Context(), mine(t, d, paul), model.NewEmail{Email: "paul@example.org", Current: model.NewSecret("another fine day at the lake")}))
	_, err := confirm(t, d, dbtest.EmailToken(t, d, mine(t, d, paul)))
	must(t, err)
	same("leaving by oneself")
	clock.Add(time.Hour)
	must(t, d.AskEmail(t.Context(), mine(t, d, paul), model.NewEmail{Email: "home@example.org", Current: model.NewSecret("another fine day at the lake")}))
	_, err = confirm(t, d, dbtest.EmailToken(t, d, mine(t, d, paul)))
	must(t, err)
	same("joining by oneself")
	must(t, d.ChangeEmail(t.Context(), owner, paul, "paul@example.org", false))
	same("leaving by the office")
	must(t, d.DeleteAccount(t.Context(), owner, paul))
	same("deleting")
}

// Whoever left is no part of what the others are sent.
func TestLettersForSeveralGoToWhoIsThere(t *testing.T) {
	d, clock := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Nina Holm", "home@example.org")
	dbtest.SignedUp(t, d, "Olga Holm", "home@example.org")
	paul := dbtest.SignedUp(t, d, "Paul Holm", "home@example.org")
	dbtest.Deliver(t, d)
	asEmail(t, d, mine(t, d, paul), "paul@example.org")
	_, err := confirm(t, d, dbtest.EmailToken(t, d, mine(t, d, paul)))
	must(t, err)
	dbtest.Deliver(t, d)
	clock.Add(time.Minute)
	for login, want := range map[string]int{"home@example.org": 2, "paul@example.org": 1} {
		must(t, d.AskReset(t.Context(), login, home))
		letters := dbtest.Deliver(t, d)
		if len(letters) != 1 || letters[0].To != login || len(letters[0].Links) != want {
			t.Errorf("%s: %s", login, dbtest.Kinds(letters))
		}
	}
}

// Whoever shares an address, and uses the same computer, finds a colleague's
// session open. To prove one's own password must not free more guesses at theirs.
func TestOnesOwnPasswordFreesNoGuessesAtAnothers(t *testing.T) {
	d, clock := dbtest.Open(t)
	nina := mine(t, d, dbtest.SignedUp(t, d, "Nina Holm", "home@example.org"))
	paul := dbtest.SignedUp(t, d, "Paul Holm", "home@example.org")
	tries := 0
	for n := range 12 {
		clock.Add(time.Second)
		err := d.AskEmail(t.Context(), nina, model.NewEmail{Email: "elsewhere@example.org", Current: model.NewSecret(fmt.Sprint("guess ", n))})
		if model.KindOf(err) == model.KindLimited {
			continue
		}
		wantKind(t, err, model.KindInvalid)
		tries++
		_, err = d.RecoveryCodes(t.Context(), mine(t, d, paul), model.SelfProof{Password: model.NewSecret(dbtest.Password)})
		wantKind(t, err, model.KindNotFound) // the password was right
	}
	if tries > 8 {
		t.Errorf("%d guesses in twelve seconds", tries)
	}
}

// Under İ and i an address is found alike, but letters to them go to two domains
// (IDNA has the first as i with a dot of its own): whoever has the one must not
// be sent the links of whoever has the other.
func TestALookAlikeIsSentNobodyElsesLink(t *testing.T) {
	const bobs, eves = "bob@friends.example", "bob@frİends.example"
	d, clock := dbtest.Open(t)
	eve := dbtest.SignedUp(t, d, "Eve First", "eve@example.org")
	bob := dbtest.SignedUp(t, d, "Bob Later", bobs)
	asEmail(t, d, mine(t, d, eve), eves)
	_, err := confirm(t, d, dbtest.EmailToken(t, d, mine(t, d, eve)))
	must(t, err)
	dbtest.Deliver(t, d)
	check := func(kind string) {
		t.Helper()
		letters := dbtest.Deliver(t, d)
		if got := dbtest.Kinds(letters); got != kind+" to "+eves+", "+kind+" to "+bobs {
			t.Error(got)
		}
		for _, l := range letters {
			if len(l.Links) != 1 || l.Links[0].Name != map[string]string{eves: "Eve First", bobs: "Bob Later"}[l.To] {
				t.Errorf("to %s: %+v", l.To, l.Links)
			}
		}
	}
	clock.Add(time.Minute)
	must(t, d.AskReset(t.Context(), bobs, home))
	check("reset")
	from := nets()
	for range 5 {
		wantKind(t, guessAt(t, d, bobs, from(), model.Secret{}), model.KindSignIn)
	}
	check("trouble")

	for _, id := range []int64{eve, bob} {
		must(t, d.Disable(t.Context(), dbtest.Owner(t, d), id))
	}
	clock.Add(time.Hour)
	dbtest.Deliver(t, d)
	must(t, d.AskReset(t.Context(), bobs, home))
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "ring_us to "+eves+", ring_us to "+bobs {
		t.Error(got)
	}
}

// Who moves an account to what looks like its address leaves it all the same.
func TestWhoeverHadALookAlikeIsToldOfANewPassword(t *testing.T) {
	d, _ := dbtest.Open(t)
	bob := dbtest.SignedUp(t, d, "Bob Holm", "bob@friends.example")
	must(t, d.ChangeEmail(t.Context(), dbtest.Person(t, d, "Eve Staff", model.RoleStaff), bob, "bob@frİends.example", false))
	dbtest.Deliver(t, d)
	dbtest.SetPassword(t, d, bob, dbtest.Password)
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "password_changed to bob@frİends.example, password_changed to bob@friends.example" {
		t.Error(got)
	}
}
