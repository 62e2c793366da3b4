package db_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// What somebody tried, or would: each test is one road that must stay closed.

func TestWhoeverLostTheirPlaceActsNoMore(t *testing.T) {
	for name, lose := range map[string]func(d *db.DB, owner, eve model.Actor) error{
		"disabled": func(d *db.DB, o, eve model.Actor) error { return d.Disable(t.Context(), o, eve.MemberID) },
		"lowered": func(d *db.DB, o, eve model.Actor) error {
			return d.SetRole(t.Context(), o, eve.MemberID, model.RoleViewer)
		},
		"signed out": func(d *db.DB, o, eve model.Actor) error { return d.EndSessions(t.Context(), o, eve.MemberID) },
		"deleted":    func(d *db.DB, o, eve model.Actor) error { return d.DeleteAccount(t.Context(), o, eve.MemberID) },
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := dbtest.Open(t)
			owner, eve := dbtest.Owner(t, d), dbtest.Person(t, d, "Eve Staff", model.RoleStaff)
			anna := dbtest.SignedUp(t, d, "Anna Koch", "anna@example.org")
			sendReset(t, d, eve, anna)
			record(t, d, eve, anna) // she has the link on screen
			token := dbtest.Token(t, d, anna)
			// Her request has begun: she is still staff in it.
			if err := lose(d, owner, eve); err != nil {
				t.Fatal(err)
			}
			wantKind(t, d.ChangeEmail(t.Context(), eve, anna, "eve@evil.example", false), model.KindForbidden)
			wantKind(t, d.SendPasswordReset(t.Context(), eve, anna), model.KindForbidden)
			if r, err := d.AccountRecord(t.Context(), eve, anna); err == nil && r.Status != nil && !r.Status.Link.IsZero() {
				t.Error("she is still shown the link")
			}
			if name != "signed out" && state(t, d, token) != model.ResetCancelled {
				t.Error("the link she had on screen still opens the account")
			}
		})
	}
}

func TestDeletingAnAccountIsNoWayAroundTheFormerAddress(t *testing.T) {
	d, _ := dbtest.Open(t)
	staff := dbtest.Person(t, d, "Eve Staff", model.RoleStaff)
	anna := dbtest.SignedUp(t, d, "Anna Koch", "anna@example.org")
	dbtest.Deliver(t, d)
	if err := d.DeleteAccount(t.Context(), staff, anna); err != nil {
		t.Fatal(err)
	}
	if err := d.CreateUser(t.Context(), staff, anna, "eve@evil.example", false); err != nil {
		t.Fatal(err)
	}
	dbtest.SetPassword(t, d, anna, dbtest.Password)
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); !strings.Contains(got, "password_changed to anna@example.org") {
		t.Errorf("Anna is told nothing: %s", got)
	}
}

func TestAFloodOfGuessesKeepsNobodyFromTheirLink(t *testing.T) {
	d, _ := dbtest.Open(t)
	id := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	token := dbtest.Token(t, d, id)
	var guesses sync.WaitGroup
	for i := range 150 {
		guesses.Go(func() {
			_, err := d.SignIn(t.Context(), model.SignIn{Login: fmt.Sprintf("x%d@example.org", i), Password: model.NewSecret("wrong")})
			if k := model.KindOf(err); k != model.KindSignIn && k != model.KindUnavailable {
				t.Error(err)
			}
		})
	}
	_, err := d.SetPassword(t.Context(), model.NewPassword{Token: token, Password: model.NewSecret(dbtest.Password), Confirm: model.NewSecret(dbtest.Password)})
	if err != nil {
		t.Errorf("the link's holder: %v", err)
	}
	guesses.Wait()
}

func TestInAHouseholdOnesOwnSignInFreesNoGuesses(t *testing.T) {
	d, _ := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Anna Koch", "koch@example.org")
	bert := dbtest.MemberWithAccount(t, d, "Bert Koch", "koch@example.org")
	dbtest.SetPassword(t, d, bert, "another fine day at the lake")
	guessed, known := 0, model.Secret{}
	for n := range 30 {
		password := fmt.Sprintf("guess %d", n)
		if n%4 == 3 {
			password = "another fine day at the lake"
		}
		in, err := d.SignIn(t.Context(), model.SignIn{Login: "koch@example.org", Password: model.NewSecret(password), Known: known, Network: "192.0.2.0/24"})
		if err == nil {
			known = in.Known
		} else if model.KindOf(err) == model.KindSignIn {
			guessed++
		}
	}
	if guessed > 10 {
		t.Errorf("%d guesses at the other's password were compared", guessed)
	}
}

func TestAnInvitationCanBeTakenBack(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	id, err := d.InviteStaff(t.Context(), owner, model.Invite{LastName: "Wrong", Email: "wrong@example.org", Role: model.RoleOwner})
	if err != nil {
		t.Fatal(err)
	}
	token := dbtest.Token(t, d, id)
	if err := d.SetRole(t.Context(), owner, id, model.RoleMember); err != nil {
		t.Fatal(err)
	}
	if a := dbtest.Account(t, d, id); a.PendingRole != "" || state(t, d, token) != model.ResetCancelled {
		t.Errorf("the role still waits: %+v", a)
	}
	if err := d.Disable(t.Context(), owner, id); err != nil {
		t.Error(err)
	}
}

func TestTheLetterNamesWhoReallyHadTheLink(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	eve := dbtest.Person(t, d, "Eve Staff", model.RoleStaff)
	anna := dbtest.SignedUp(t, d, "Anna Koch", "anna@example.org")
	rename := func(by model.Actor, id int64, first, last string) error {
		m, _, err := d.Member(t.Context(), owner, id)
		if err != nil {
			t.Fatal(err)
		}
		m.FirstName, m.LastName = first, last
		return d.ChangeMember(t.Context(), by, m)
	}
	wantKind(t, rename(eve, eve.MemberID, "Ruth", "Adler"), model.KindInvalid)
	wantKind(t, rename(eve, owner.MemberID, "Eve", "Staff"), model.KindInvalid)
	sendReset(t, d, eve, anna)
	record(t, d, eve, anna)
	dbtest.Deliver(t, d)
	if err := rename(owner, eve.MemberID, "Eve", "Married"); err != nil { // a wedding, say
		t.Fatal(err)
	}
	dbtest.SetPassword(t, d, anna, dbtest.Password)
	letters := dbtest.Deliver(t, d)
	if l := letters[len(letters)-1]; l.RequestedBy != "Eve Staff" || strings.Join(l.SeenBy, ",") != "Eve Staff" || l.AskedKind != model.ByPerson {
		t.Errorf("asked by %q (%s), seen by %q", l.RequestedBy, l.AskedKind, l.SeenBy)
	}
}

func TestAPersonTicketOpensOneSessionAndDiesWithTheOthers(t *testing.T) {
	d, _ := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Anna Koch", "koch@example.org")
	bert := dbtest.SignedUp(t, d, "Bert Koch", "koch@example.org")
	ask := func() model.SignedIn {
		in, err := d.SignIn(t.Context(), model.SignIn{Login: "koch@example.org", Password: model.NewSecret(dbtest.Password)})
		if err != nil || len(in.Choice) != 2 {
			t.Fatal(err)
		}
		return in
	}
	choose := func(in model.SignedIn) error {
		_, err := d.ChoosePerson(t.Context(), model.Choice{Ticket: in.Ticket, AccountID: in.Choice[1].AccountID})
		return err
	}
	in := ask()
	if err := choose(in); err != nil {
		t.Fatal(err)
	}
	wantKind(t, choose(in), model.KindSignIn)
	in = ask()
	if err := d.EndSessions(t.Context(), dbtest.Owner(t, d), bert); err != nil {
		t.Fatal(err)
	}
	wantKind(t, choose(in), model.KindSignIn)
}

func TestAHouseholdStillFitsWhileParametersRise(t *testing.T) {
	d, _ := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Anna Koch", "koch@example.org")
	bert := dbtest.MemberWithAccount(t, d, "Bert Koch", "koch@example.org")
	was := model.DefaultHashParams
	defer func() { model.DefaultHashParams = was }()
	model.DefaultHashParams.Time++
	dbtest.SetPassword(t, d, bert, "another fine day at the lake")
	for range 2 { // the first sign-in makes Anna's hash anew, the second uses it
		for _, password := range []string{dbtest.Password, "another fine day at the lake"} {
			if _, err := d.SignIn(t.Context(), model.SignIn{Login: "koch@example.org", Password: model.NewSecret(password)}); err != nil {
				t.Errorf("%q: %v", password, err)
			}
		}
	}
}

func TestAnOwnerRescuedFromTheShellIsTold(t *testing.T) {
	d, _ := dbtest.Open(t)
	if _, err := d.MakeOwner(t.Context(), model.ShellActor(), model.NewOwner{Email: dbtest.OwnerEmail, Password: model.NewSecret("four lanterns on the old pier")}); err != nil {
		t.Fatal(err)
	}
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "password_changed to "+dbtest.OwnerEmail {
		t.Errorf("letters: %q", got)
	}
}

func TestAnUnusableOwnerIsNotTheOtherOwner(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	if _, err := d.MakeOwner(t.Context(), model.ShellActor(), model.NewOwner{Email: "new@example.org"}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, d.SetRole(t.Context(), owner, owner.MemberID, model.RoleMember), model.KindConflict)
}

func TestAtMostAHundredAccountsADayAreMadeFromTheRoll(t *testing.T) {
	d, clock := dbtest.Open(t)
	var all []model.Member
	for i := range 120 {
		all = append(all, model.Member{FirstName: "Roll", LastName: fmt.Sprint(i), Email: fmt.Sprintf("home%d@example.org", i/3)})
	}
	ids, err := d.AddMembers(t.Context(), model.ShellActor(), all)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		ask(t, d, fmt.Sprintf("home%d@example.org", i))
		clock.Add(5 * time.Second)
	}
	if _, err := d.WorkIntake(t.Context()); err != nil {
		t.Fatal(err)
	}
	made := 0
	for _, id := range ids {
		if _, a, err := d.Member(t.Context(), model.ShellActor(), id); err != nil {
			t.Fatal(err)
		} else if a != nil {
			made++
		}
	}
	if made != 100 {
		t.Errorf("%d accounts were made, want 100", made)
	}
}

func TestLettersForSeveralMergeToo(t *testing.T) {
	d, clock := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Anna Koch", "koch@example.org")
	dbtest.SignedUp(t, d, "Bert Koch", "koch@example.org")
	dbtest.Deliver(t, d)
	for range 4 {
		clock.Add(10 * time.Second)
		ask(t, d, "koch@example.org")
		if _, err := d.WorkIntake(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "reset_several to koch@example.org" {
		t.Errorf("letters: %q, want one", got)
	}
}

func TestOneNetworkCannotFillTheIntake(t *testing.T) {
	d, clock := dbtest.Open(t)
	for i := range 100 {
		ask(t, d, fmt.Sprintf("x%d@example.org", i))
	}
	if n, err := d.WorkIntake(t.Context()); err != nil || n != 30 {
		t.Errorf("%d rows in a minute, want 30: %v", n, err)
	}
	clock.Add(time.Minute)
	ask(t, d, "y@example.org")
	if n, err := d.WorkIntake(t.Context()); err != nil || n != 1 {
		t.Errorf("a minute later: %d, %v", n, err)
	}
}
