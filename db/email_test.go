package db_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// asEmail asks for another address, with the password that tests have.
func asEmail(t *testing.T, d *db.DB, me model.Actor, email string) {
	t.Helper()
	must(t, d.AskEmail(t.Context(), me, model.NewEmail{Email: email, Current: model.NewSecret(dbtest.Password)}))
}

func confirm(t *testing.T, d *db.DB, token model.Secret) (model.EmailConfirmed, error) {
	t.Helper()
	return d.ConfirmEmail(t.Context(), model.EmailConfirm{Token: token, Network: home})
}

func openedEmail(t *testing.T, d *db.DB, token model.Secret) model.OpenedEmail {
	t.Helper()
	o, err := d.OpenEmail(t.Context(), token.Reveal())
	must(t, err)
	return o
}

func entersWith(t *testing.T, d *db.DB, login, password string) bool {
	t.Helper()
	in, err := d.SignIn(t.Context(), model.SignIn{Login: login, Password: model.NewSecret(password), Network: fmt.Sprint(login, password)})
	if model.KindOf(err) == model.KindSignIn {
		return false
	}
	must(t, err)
	return len(in.Choice) > 0 || in.Session.ID != 0
}

func TestAMembersOwnChangeOfEmail(t *testing.T) {
	d, clock := dbtest.Open(t)
	me := dbtest.Person(t, d, "Nina Holm", model.RoleMember)
	const was, is = "nina.holm@riverside.example", "nina@example.org"
	must(t, d.SendPasswordReset(t.Context(), dbtest.Owner(t, d), me.MemberID))
	link := dbtest.Token(t, d, me.MemberID)
	here, other := dbtest.SignIn(t, d, was, dbtest.Password), dbtest.SignIn(t, d, was, dbtest.Password)
	dbtest.Deliver(t, d)

	asEmail(t, d, me, is)
	token := dbtest.EmailToken(t, d, me)
	letters := dbtest.Deliver(t, d)
	if got := dbtest.Kinds(letters); got != "email_confirm to "+is+", email_asked to "+was {
		t.Fatal(got)
	}
	if l := letters[0]; len(l.Links) != 1 || !strings.HasSuffix(l.Links[0].URL.Reveal(), "/email/"+token.Reveal()) || !l.Links[0].Expires.Equal(clock.Now().Add(24*time.Hour)) {
		t.Errorf("%+v", l.Links)
	}
	if got := dbtest.Account(t, d, me.MemberID).Email; got != was {
		t.Errorf("asking made it %s", got)
	}
	for range 3 { // scanners
		if o := openedEmail(t, d, token); o.State != model.ResetLive || o.Taken || o.Shared {
			t.Errorf("%+v", o)
		}
	}
	done, err := d.ConfirmEmail(t.Context(), model.EmailConfirm{Token: token, Session: here.Session.ID, Network: home})
	must(t, err)
	if done.SignIn == nil || done.SignIn.Session.ID == here.Session.ID || done.NewPassword || done.Login != is {
		t.Errorf("%+v", done)
	}
	if counts(t, d, here.Session) || counts(t, d, other.Session) || !counts(t, d, done.SignIn.Session) {
		t.Error("the wrong sessions count")
	}
	if entersWith(t, d, was, dbtest.Password) || !entersWith(t, d, is, dbtest.Password) {
		t.Error("the wrong address signs in")
	}
	if o, err := d.OpenReset(t.Context(), link.Reveal()); err != nil || o.State != model.ResetCancelled {
		t.Errorf("the reset link is %s, %v", o.State, err)
	}
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "email_changed to "+was {
		t.Error(got)
	}
	if _, err := confirm(t, d, token); model.KindOf(err) != model.KindLinkEnded {
		t.Errorf("used twice: %v", err)
	}
	if o := openedEmail(t, d, token); o.State != model.ResetUsed {
		t.Errorf("it is %s", o.State)
	}
	// The office must not take the record's address for the better one.
	if r, err := d.AccountRecord(t.Context(), dbtest.Owner(t, d), me.MemberID); err != nil || !r.ChoseEmailAt.Equal(clock.Now()) {
		t.Errorf("to the office it was chosen %v, %v", r.ChoseEmailAt, err)
	}

	// For 30 days the former address is told of a new password, to the second.
	for _, at := range []time.Duration{30*24*time.Hour - time.Second, 30 * 24 * time.Hour} {
		clock.Set(dbtest.Start.Add(at))
		in := dbtest.SignIn(t, d, is, map[bool]string{true: dbtest.Password, false: "nine purple teapots at dawn"}[at < 30*24*time.Hour])
		next := map[bool]string{true: "nine purple teapots at dawn", false: dbtest.Password}[at < 30*24*time.Hour]
		now := me
		now.Stamp = in.Account.SessionStamp
		_, err := d.ChangePassword(t.Context(), now, model.PasswordChange{SessionID: in.Session.ID, Password: model.NewSecret(next), Confirm: model.NewSecret(next),
			Current: model.NewSecret(map[bool]string{true: dbtest.Password, false: "nine purple teapots at dawn"}[at < 30*24*time.Hour])})
		must(t, err)
		want := "password_changed to " + is
		if at < 30*24*time.Hour {
			want += ", password_changed to " + was
		}
		if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != want {
			t.Errorf("after %v: %s", at, got)
		}
	}
}

func TestALinkToANewAddressLivesADayToTheSecond(t *testing.T) {
	d, clock := dbtest.Open(t)
	me := dbtest.Person(t, d, "Nina Holm", model.RoleMember)
	asEmail(t, d, me, "nina@example.org")
	token := dbtest.EmailToken(t, d, me)
	clock.Add(24*time.Hour - time.Second)
	if o := openedEmail(t, d, token); o.State != model.ResetLive {
		t.Errorf("a second before: %s", o.State)
	}
	clock.Add(time.Second)
	if o := openedEmail(t, d, token); o.State != model.ResetExpired {
		t.Errorf("then: %s", o.State)
	}
	_, err := confirm(t, d, token)
	wantKind(t, err, model.KindLinkEnded)
	if c, err := d.PendingEmail(t.Context(), me); err != nil || c != nil {
		t.Errorf("still waiting: %+v, %v", c, err)
	}
	must(t, d.Tidy(t.Context()))
	if o := openedEmail(t, d, token); o.State != model.ResetExpired {
		t.Errorf("once tidied: %s", o.State)
	}
	clock.Set(dbtest.Start.Add(91*24*time.Hour - time.Second))
	must(t, d.Tidy(t.Context()))
	if o := openedEmail(t, d, token); o.State != model.ResetExpired {
		t.Errorf("90 days later: %s", o.State)
	}
	clock.Add(time.Second)
	if o := openedEmail(t, d, token); o.State != model.ResetUnknown {
		t.Errorf("and a second: %s", o.State)
	}
	must(t, d.Tidy(t.Context()))
	if o := openedEmail(t, d, token); o.State != model.ResetUnknown {
		t.Errorf("and tidied: %s", o.State)
	}
}

// Whatever happens to the account meanwhile ends the change.
func TestWhatEndsAChangeOfEmail(t *testing.T) {
	const next = "nine purple teapots at dawn"
	for name, meanwhile := range map[string]func(t *testing.T, d *db.DB, owner, me model.Actor){
		"cancelled": func(t *testing.T, d *db.DB, _, me model.Actor) { must(t, d.CancelEmail(t.Context(), me)) },
		"changed by staff": func(t *testing.T, d *db.DB, owner, me model.Actor) {
			must(t, d.ChangeEmail(t.Context(), owner, me.MemberID, "elsewhere@example.org", false))
		},
		"disabled": func(t *testing.T, d *db.DB, owner, me model.Actor) {
			must(t, d.Disable(t.Context(), owner, me.MemberID))
		},
		"disabled and enabled": func(t *testing.T, d *db.DB, owner, me model.Actor) {
			must(t, d.Disable(t.Context(), owner, me.MemberID))
			must(t, d.Enable(t.Context(), owner, me.MemberID))
		},
		"deleted": func(t *testing.T, d *db.DB, owner, me model.Actor) {
			must(t, d.DeleteAccount(t.Context(), owner, me.MemberID))
		},
		"raised": func(t *testing.T, d *db.DB, owner, me model.Actor) {
			must(t, d.SetRole(t.Context(), owner, me.MemberID, model.RoleStaff))
		},
		"raised and lowered": func(t *testing.T, d *db.DB, owner, me model.Actor) {
			must(t, d.SetRole(t.Context(), owner, me.MemberID, model.RoleStaff))
			must(t, d.SetRole(t.Context(), owner, me.MemberID, model.RoleMember))
		},
		"new password through a link": func(t *testing.T, d *db.DB, owner, me model.Actor) {
			must(t, d.SendPasswordReset(t.Context(), owner, me.MemberID))
			dbtest.SetPassword(t, d, me.MemberID, next)
		},
		"new password": func(t *testing.T, d *db.DB, _, me model.Actor) {
			in := dbtest.SignIn(t, d, "nina.holm@riverside.example", dbtest.Password)
			_, err := d.ChangePassword(t.Context(), me, model.PasswordChange{SessionID: in.Session.ID,
				Current: model.NewSecret(dbtest.Password), Password: model.NewSecret(next), Confirm: model.NewSecret(next)})
			must(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			d, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
			owner := dbtest.Owner(t, d)
			me := dbtest.Person(t, d, "Nina Holm", model.RoleMember)
			dbtest.Deliver(t, d)
			asEmail(t, d, me, "nina@example.org")
			token := dbtest.EmailToken(t, d, me)
			meanwhile(t, d, owner, me)
			for _, l := range dbtest.Deliver(t, d) {
				if l.Kind == model.LetterEmailConfirm {
					t.Error("a letter with the ended link leaves")
				}
			}
			if o := openedEmail(t, d, token); o.State != model.ResetCancelled {
				t.Errorf("it is %s", o.State)
			}
			_, err := confirm(t, d, token)
			wantKind(t, err, model.KindLinkEnded)
			if name == "changed by staff" || name == "deleted" {
				return
			}
			if a := dbtest.Account(t, d, me.MemberID); a.Email != "nina.holm@riverside.example" {
				t.Errorf("the email is %s", a.Email)
			}
		})
	}
}

func TestANewerChangeReplacesTheOneBefore(t *testing.T) {
	d, clock := dbtest.Open(t)
	me := dbtest.Person(t, d, "Nina Holm", model.RoleMember)
	asEmail(t, d, me, "nina@example.org")
	first := dbtest.EmailToken(t, d, me)
	asEmail(t, d, me, "nina@example.org") // a double click: the link on its way stays
	if again := dbtest.EmailToken(t, d, me); again.Reveal() != first.Reveal() {
		t.Error("a second press made another link")
	}
	dbtest.Deliver(t, d)
	clock.Add(time.Minute)
	asEmail(t, d, me, "holm@example.org")
	if o := openedEmail(t, d, first); o.State != model.ResetReplaced || !o.NewerAt.Equal(clock.Now()) {
		t.Errorf("%+v", o)
	}
	must(t, d.CancelEmail(t.Context(), me))
	if o := openedEmail(t, d, first); o.State != model.ResetExpired {
		t.Errorf("with no newer one it is %s", o.State)
	}
	wantKind(t, d.CancelEmail(t.Context(), me), model.KindNotFound)
	wantKind(t, d.AskEmailAgain(t.Context(), me), model.KindNotFound)
}

// What the asker is told never depends on who has the address; the letter to it
// says what is true.
func TestWhatTheLetterToANewAddressSays(t *testing.T) {
	d, _ := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Paul Berg", "paul@example.org")
	for n := range 8 {
		dbtest.MemberWithAccount(t, d, "Person "+string(rune('A'+n)), "full@example.org")
	}
	waits := dbtest.MemberWithAccount(t, d, "Wanda Waits", "wanda@example.org")
	must(t, d.SetRole(t.Context(), dbtest.Owner(t, d), waits, model.RoleStaff))
	off := func() {
		s, err := d.Settings(t.Context())
		must(t, err)
		s.Households = false
		must(t, d.ChangeSettings(t.Context(), dbtest.Owner(t, d), s))
	}
	for n, tt := range []struct {
		to, kind, why string
		role          model.Role
		before        func()
	}{
		{"free@example.org", "email_confirm", "", model.RoleMember, nil},
		{"PAUL@example.org", "email_confirm", "", model.RoleMember, nil},
		{"full@example.org", "email_taken", "eight people", model.RoleMember, nil},
		{dbtest.OwnerEmail, "email_taken", "office", model.RoleMember, nil},
		{"wanda@example.org", "email_taken", "office", model.RoleMember, nil}, // who waits for a role counts
		{"paul@example.org", "email_taken", "office", model.RoleStaff, nil},
		{"free2@example.org", "email_confirm", "", model.RoleStaff, nil},
		{"paul@example.org", "email_taken", "of their own", model.RoleMember, off},
	} {
		me := dbtest.Person(t, d, fmt.Sprintf("Asker%d Holm", n), tt.role)
		if tt.before != nil {
			tt.before()
		}
		dbtest.Deliver(t, d)
		asEmail(t, d, me, tt.to)
		c, err := d.PendingEmail(t.Context(), me)
		if err != nil || c == nil || c.To != tt.to {
			t.Fatalf("%s: %+v, %v", tt.to, c, err)
		}
		l := dbtest.Deliver(t, d)[0]
		if string(l.Kind) != tt.kind || l.To != tt.to || !strings.Contains(l.What, tt.why) || (len(l.Links) == 1) != (tt.why == "") {
			t.Errorf("%s: %s to %s, %q", tt.to, l.Kind, l.To, l.What)
		}
		// The row has a link all the same; nobody was sent it, and it does not open.
		_, err = confirm(t, d, dbtest.EmailToken(t, d, me))
		if (err == nil) != (tt.why == "") {
			t.Errorf("%s: %v", tt.to, err)
		}
	}
}

// The household fills up, or a colleague takes the address, while the letter is
// on its way.
func TestAnAddressThatIsTakenMeanwhile(t *testing.T) {
	d, clock := dbtest.Open(t)
	me := dbtest.Person(t, d, "Nina Holm", model.RoleMember)
	asEmail(t, d, me, "home@example.org")
	token := dbtest.EmailToken(t, d, me)
	for n := range 8 {
		dbtest.MemberWithAccount(t, d, "Person "+string(rune('A'+n)), "home@example.org")
	}
	if o := openedEmail(t, d, token); o.State != model.ResetLive || !o.Taken {
		t.Errorf("%+v", o)
	}
	_, err := confirm(t, d, token)
	wantKind(t, err, model.KindLinkEnded)
	// Somebody leaves: there is room again.
	clock.Add(time.Minute)
	must(t, d.DeleteAccount(t.Context(), dbtest.Owner(t, d), dbtest.Actor(t, d, "Person A").MemberID))
	done, err := confirm(t, d, token)
	must(t, err)
	// They came with another salt than was prepared, so the password is void.
	if !done.NewPassword || dbtest.Account(t, d, me.MemberID).HasPassword {
		t.Errorf("%+v", done)
	}
	var reset bool
	for _, l := range dbtest.Deliver(t, d) {
		reset = reset || l.Kind == model.LetterReset && l.To == "home@example.org" && l.Name == "Nina Holm"
	}
	if !reset {
		t.Error("no link to a new password")
	}
	dbtest.SetPassword(t, d, me.MemberID, dbtest.Password)
	if !entersWith(t, d, "home@example.org", dbtest.Password) {
		t.Error("the new password does not work")
	}
}

func TestTwoConfirmAtOnceForTheLastPlace(t *testing.T) {
	d, _ := dbtest.Open(t)
	for n := range 7 {
		dbtest.MemberWithAccount(t, d, "Person "+string(rune('A'+n)), "home@example.org")
	}
	var tokens []model.Secret
	for _, name := range []string{"Nina Holm", "Paul Berg"} {
		me := dbtest.Person(t, d, name, model.RoleMember)
		asEmail(t, d, me, "home@example.org")
		tokens = append(tokens, dbtest.EmailToken(t, d, me), dbtest.EmailToken(t, d, me)) // each is pressed twice
	}
	var wg sync.WaitGroup
	errs := make(chan error, len(tokens))
	for _, token := range tokens {
		wg.Go(func() { _, err := confirm(t, d, token); errs <- err })
	}
	wg.Wait()
	done := 0
	for range tokens {
		if err := <-errs; err == nil {
			done++
		} else if model.KindOf(err) != model.KindLinkEnded {
			t.Error(err)
		}
	}
	if done != 1 {
		t.Errorf("%d came in", done)
	}
}

// While a role waits, whoever knows the old password must not lead its letter
// elsewhere.
func TestNobodyChangesTheirEmailWhileARoleWaits(t *testing.T) {
	d, _ := dbtest.Open(t)
	me := dbtest.Person(t, d, "Nina Holm", model.RoleMember)
	must(t, d.SetRole(t.Context(), dbtest.Owner(t, d), me.MemberID, model.RoleStaff))
	me.Stamp = dbtest.Account(t, d, me.MemberID).SessionStamp
	err := d.AskEmail(t.Context(), me, model.NewEmail{Email: "thief@example.org", Current: model.NewSecret(dbtest.Password)})
	wantKind(t, err, model.KindConflict)
}

// After the grace a stolen password alone must not set up the second step: it
// takes a link from the account's mailbox, which that password must not choose.
func TestNobodyChangesTheirEmailWhileASecondStepIsOverdue(t *testing.T) {
	d, clock := dbtest.Open(t)
	eve := dbtest.Person(t, d, "Eve Staff", model.RoleStaff)
	dbtest.SignIn(t, d, "eve.staff@riverside.example", dbtest.Password)
	ask := func(email string) error {
		return d.AskEmail(t.Context(), eve, model.NewEmail{Email: email, Current: model.NewSecret(dbtest.Password)})
	}
	clock.Add(model.FactorGrace - time.Second)
	must(t, ask("first@example.org")) // as they could set up a second step
	clock.Add(time.Second)
	wantKind(t, ask("second@example.org"), model.KindConflict)
	if got := dbtest.Account(t, d, eve.MemberID).Email; got != "eve.staff@riverside.example" {
		t.Errorf("it is %s", got)
	}
	must(t, d.SendOwnLetter(t.Context(), eve))
	dbtest.SetPassword(t, d, eve.MemberID, dbtest.Password)
	eve = mine(t, d, eve.MemberID)
	must(t, ask("second@example.org"))
}

// Whoever had a session and the password before the office cleared the second
// step has nothing that waits.
func TestClearingASecondStepEndsAChangeOfEmail(t *testing.T) {
	m := newMia(t)
	asEmail(t, m.d, m.Actor, "elsewhere@example.org")
	token := dbtest.EmailToken(t, m.d, m.Actor)
	must(t, m.d.ClearFactor(t.Context(), dbtest.Owner(t, m.d), m.MemberID))
	if o := openedEmail(t, m.d, token); o.State != model.ResetCancelled {
		t.Errorf("it is %s", o.State)
	}
}

func TestLettersToNewAddressesAreFew(t *testing.T) {
	d, clock := dbtest.Open(t)
	me := dbtest.Person(t, d, "Nina Holm", model.RoleMember)
	ask := func(me model.Actor, to string) error {
		return d.AskEmail(t.Context(), me, model.NewEmail{Email: to, Current: model.NewSecret(dbtest.Password)})
	}
	sent := func() (n int) {
		for _, l := range dbtest.Deliver(t, d) {
			if l.Kind == model.LetterEmailConfirm {
				n++
			}
		}
		return n
	}
	n, tries := 0, 0
	for range 30 * 60 { // half a minute apart, for fifteen hours
		clock.Add(30 * time.Second)
		tries++
		if err := ask(me, fmt.Sprintf("stranger%d@example.org", tries)); err != nil {
			wantKind(t, err, model.KindLimited)
			clock.Add(20 * time.Minute)
		}
		if n += sent(); clock.Now().After(dbtest.Start.Add(15 * time.Hour)) {
			break
		}
	}
	if n != model.EmailLettersPerDay {
		t.Errorf("%d letters", n)
	}
	// One hour later to the second.
	clock.Add(48 * time.Hour)
	for i := range model.EmailLettersPerHour {
		must(t, ask(me, fmt.Sprintf("s%d@example.org", i)))
		sent()
	}
	clock.Add(time.Hour - time.Second)
	wantKind(t, ask(me, "next@example.org"), model.KindLimited)
	wantKind(t, d.AskEmailAgain(t.Context(), me), model.KindLimited)
	clock.Add(time.Second)
	must(t, ask(me, "next@example.org"))
	if sent() != 1 {
		t.Error("no letter after the hour")
	}
	// Many who ask for one address are no way around it.
	n = 0
	for i := range 8 {
		other := dbtest.Person(t, d, fmt.Sprintf("Other%d Holm", i), model.RoleMember)
		_ = ask(other, "victim@example.org")
		n += sent()
	}
	if n != model.EmailLettersToOne {
		t.Errorf("%d letters to one address", n)
	}
	// The letters are no requests for a password: those stay as many as they are.
	must(t, d.AskReset(t.Context(), "nina.holm@riverside.example", home))
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "reset to nina.holm@riverside.example" {
		t.Error(got)
	}
}

// salts are all salts at each address.
func oneSaltEach(t *testing.T, folder string) {
	t.Helper()
	var mixed int
	must(t, raw(t, folder).QueryRow(`SELECT count(*) FROM (SELECT 1 FROM account WHERE email_key IS NOT NULL GROUP BY email_key HAVING count(DISTINCT salt) > 1)`).Scan(&mixed))
	if mixed != 0 {
		t.Errorf("%d addresses have several salts", mixed)
	}
}

func TestJoiningAndLeavingAHouseholdKeepsEveryPassword(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	paul := dbtest.SignedUp(t, d, "Paul Holm", "home@example.org")
	must(t, d.SendPasswordReset(t.Context(), dbtest.Owner(t, d), paul))
	dbtest.SetPassword(t, d, paul, "nine purple teapots at dawn")
	me := dbtest.Person(t, d, "Nina Holm", model.RoleMember)
	salt := func(id int64) (s []byte) {
		must(t, raw(t, folder).QueryRow(`SELECT salt FROM account WHERE member_id = ?`, id).Scan(&s))
		return s
	}
	before := salt(paul)
	move := func(to string) model.EmailConfirmed {
		t.Helper()
		clock.Add(2 * time.Hour)
		me.Stamp = dbtest.Account(t, d, me.MemberID).SessionStamp
		asEmail(t, d, me, to)
		done, err := confirm(t, d, dbtest.EmailToken(t, d, me))
		must(t, err)
		oneSaltEach(t, folder)
		return done
	}
	if done := move("home@example.org"); done.NewPassword || !bytes.Equal(salt(me.MemberID), before) {
		t.Errorf("joining: %+v", done)
	}
	for _, password := range []string{dbtest.Password, "nine purple teapots at dawn"} {
		if !entersWith(t, d, "home@example.org", password) {
			t.Errorf("%q does not work any more", password)
		}
	}
	if done := move("nina@example.org"); done.NewPassword || bytes.Equal(salt(me.MemberID), before) || !bytes.Equal(salt(paul), before) {
		t.Errorf("leaving: %+v", done)
	}
	if !entersWith(t, d, "nina@example.org", dbtest.Password) || entersWith(t, d, "home@example.org", dbtest.Password) || !entersWith(t, d, "home@example.org", "nine purple teapots at dawn") {
		t.Error("the wrong passwords work")
	}
}

// However an account comes to an address, it has the salt of those who are there.
func TestEveryWayToAnAddressLeadsToItsOneSalt(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	owner := dbtest.Owner(t, d)
	made, err := d.MakeOwner(t.Context(), model.ShellActor(), model.NewOwner{Email: "home@example.org", Name: "Olga Lind", Password: model.NewSecret("four lanterns on the old pier")})
	if err != nil || !made.New {
		t.Fatal(err)
	}
	// Lowered, whom the command line made shares like anybody.
	must(t, d.SetRole(t.Context(), model.ShellActor(), dbtest.Actor(t, d, "home@example.org").MemberID, model.RoleMember))
	dbtest.SignedUp(t, d, "Created ByStaff", "home@example.org")
	moved := dbtest.SignedUp(t, d, "Moved ByStaff", "moved@example.org")
	must(t, d.ChangeEmail(t.Context(), owner, moved, "Home@Example.org", true))
	dbtest.SetPassword(t, d, moved, dbtest.Password)
	me := dbtest.Person(t, d, "Moves Herself", model.RoleMember)
	asEmail(t, d, me, "HOME@example.org")
	if done, err := confirm(t, d, dbtest.EmailToken(t, d, me)); err != nil || done.NewPassword {
		t.Fatal(done, err)
	}
	roll := dbtest.Member(t, d, "On TheRoll", "home@example.org")
	must(t, d.AskReset(t.Context(), "home@example.org", home))
	dbtest.Deliver(t, d)
	dbtest.SetPassword(t, d, roll, dbtest.Password)
	again := dbtest.Member(t, d, "Comes Back", "")
	must(t, d.CreateUser(t.Context(), owner, again, "home@example.org", true))
	must(t, d.DeleteAccount(t.Context(), owner, again))
	must(t, d.CreateUser(t.Context(), owner, again, "home@example.org", true))
	oneSaltEach(t, folder)
	var n int
	must(t, raw(t, folder).QueryRow(`SELECT count(*) FROM account WHERE email_key = 'home@example.org'`).Scan(&n))
	if n != 6 {
		t.Errorf("%d accounts", n)
	}
	// Rescued from the command line, an address of several stays as it is.
	_, err = d.MakeOwner(t.Context(), model.ShellActor(), model.NewOwner{Email: "home@example.org", Password: model.NewSecret("four lanterns on the old pier")})
	wantKind(t, err, model.KindInvalid)
	clock.Add(time.Minute)
	if in := dbtest.SignIn(t, d, "home@example.org", dbtest.Password); len(in.Choice) != 4 {
		t.Errorf("the password is that of %d", len(in.Choice))
	}
	// And the database takes no other.
	for _, q := range []string{
		`UPDATE account SET salt = x'00112233445566778899aabbccddeeff' WHERE member_id = ?`,
		`UPDATE account SET email_key = 'ruth@riverside.example' WHERE member_id = ?`,
		`INSERT INTO account (member_id, email_key, role, salt, created_at) SELECT id, 'home@example.org', 'member', x'00', 1 FROM member WHERE id = ? + 1`,
	} {
		if _, err := raw(t, folder).Exec(q, moved); err == nil || !strings.Contains(err.Error(), "one salt") {
			t.Errorf("%s: %v", q, err)
		}
	}
}

// Each hash takes 19 MiB, so the memory that was asked for says how many there
// were.
func TestASignInIsOneHashHoweverManyShareTheAddress(t *testing.T) {
	d, _ := dbtest.Open(t)
	at := func(n int) string { return fmt.Sprintf("home%d@example.org", n) }
	for _, n := range []int{1, 2, 8} {
		for i := range n {
			dbtest.SignedUp(t, d, fmt.Sprintf("Person%d Of%d", i, n), at(n))
		}
	}
	for _, n := range []int{0, 1, 2, 8} {
		for _, password := range []string{dbtest.Password, "wrong kettle entirely"} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := d.SignIn(t.Context(), model.SignIn{Login: at(n), Password: model.NewSecret(password), Network: home})
			runtime.ReadMemStats(&after)
			if (err == nil) != (n > 0 && password == dbtest.Password) {
				t.Errorf("%d at the address: %v", n, err)
			}
			if hashes := (after.TotalAlloc - before.TotalAlloc) / (19 << 20); hashes != 1 {
				t.Errorf("%d at the address, %q: %d hashes", n, password, hashes)
			}
		}
	}
}

func TestAnEmailTokenCoversEverythingAndPassesForNothingElse(t *testing.T) {
	d, _ := dbtest.Open(t)
	me := dbtest.Person(t, d, "Nina Holm", model.RoleMember)
	asEmail(t, d, me, "nina@example.org")
	token := dbtest.EmailToken(t, d, me)
	if o, err := d.OpenReset(t.Context(), token.Reveal()); err != nil || o.State != model.ResetUnknown {
		t.Errorf("as a password link it is %s, %v", o.State, err)
	}
	if o, err := d.OpenNotMe(t.Context(), token.Reveal()); err != nil || o.State != model.NotMeUnknown {
		t.Errorf("as a not-me it is %s, %v", o.State, err)
	}
	must(t, d.SendPasswordReset(t.Context(), dbtest.Owner(t, d), me.MemberID))
	for name, other := range map[string]string{
		"a password link": dbtest.Token(t, d, me.MemberID).Reveal(), "a not-me": dbtest.NotMe(t, d, me.MemberID).Reveal(),
		"nothing": "", "upper case": strings.ToUpper(token.Reveal()), "a letter changed": otherLetter(token.Reveal()[0]) + token.Reveal()[1:],
		"the end changed": token.Reveal()[:39] + otherLetter(token.Reveal()[39]),
		"a line break":    token.Reveal()[:20] + "\n" + token.Reveal()[20:],
	} {
		if o, err := d.OpenEmail(t.Context(), other); err != nil || o.State != model.ResetUnknown {
			t.Errorf("%s is %s, %v", name, o.State, err)
		}
		_, err := confirm(t, d, model.NewSecret(other))
		wantKind(t, err, model.KindLinkEnded)
	}
}

// otherLetter is one of a token's letters, and not this one.
func otherLetter(c byte) string {
	if c == 'b' {
		return "c"
	}
	return "b"
}

func TestAMixedHouseholdOfAnOlderDatabaseIsHealed(t *testing.T) {
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	nina := dbtest.SignedUp(t, d, "Nina Holm", "home@example.org")
	paul := dbtest.SignedUp(t, d, "Paul Holm", "home@example.org")
	alone := dbtest.SignedUp(t, d, "Olga Lind", "olga@example.org")
	was := dbtest.Account(t, d, paul)
	must(t, d.Close())
	beside := raw(t, folder)
	steps, err := goose.NewProvider(goose.DialectSQLite3, beside, db.Migrations())
	must(t, err)
	_, err = steps.DownTo(t.Context(), 18)
	must(t, err)
	_, err = beside.Exec(`UPDATE account SET salt = x'00112233445566778899aabbccddeeff' WHERE member_id = ?`, paul)
	must(t, err)
	_, err = steps.Up(t.Context())
	must(t, err)

	d, _ = dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	oneSaltEach(t, folder)
	if now := dbtest.Account(t, d, paul); now.HasPassword || now.PasswordVersion != was.PasswordVersion+1 {
		t.Errorf("a password under a salt that is gone: %+v", now)
	}
	if in := dbtest.SignIn(t, d, "home@example.org", dbtest.Password); in.Account.MemberID != nina {
		t.Errorf("%+v", in)
	}
	if in := dbtest.SignIn(t, d, "olga@example.org", dbtest.Password); in.Account.MemberID != alone {
		t.Errorf("%+v", in)
	}
	must(t, d.SendPasswordReset(t.Context(), dbtest.Owner(t, d), paul))
	dbtest.SetPassword(t, d, paul, "another fine day at the lake")
	if in := dbtest.SignIn(t, d, "home@example.org", "another fine day at the lake"); in.Account.MemberID != paul {
		t.Errorf("%+v", in)
	}
}

// Whoever has the address, to ask for it is the same work: two hashes.
func TestToAskForAnAddressIsTheSameWorkWhoeverHasIt(t *testing.T) {
	d, _ := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Paul Berg", "paul@example.org")
	for n := range 8 {
		dbtest.MemberWithAccount(t, d, "Person "+string(rune('A'+n)), "full@example.org")
	}
	for n, to := range []string{"free@example.org", "paul@example.org", "full@example.org", dbtest.OwnerEmail} {
		me := dbtest.Person(t, d, fmt.Sprintf("Asker%d Holm", n), model.RoleMember)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		asEmail(t, d, me, to)
		runtime.ReadMemStats(&after)
		if hashes := (after.TotalAlloc - before.TotalAlloc) / (19 << 20); hashes != 2 {
			t.Errorf("%s: %d hashes", to, hashes)
		}
	}
}

func TestTwoChangesAskedForAtOnceLeaveOne(t *testing.T) {
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	me := dbtest.Person(t, d, "Nina Holm", model.RoleMember)
	var wg sync.WaitGroup
	for _, to := range []string{"one@example.org", "two@example.org"} {
		wg.Go(func() {
			if err := d.AskEmail(t.Context(), me, model.NewEmail{Email: to, Current: model.NewSecret(dbtest.Password)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var all, open, holds int
	must(t, raw(t, folder).QueryRow(`SELECT count(*), count(*) FILTER (WHERE ended_at IS NULL), count(password_hash) FROM email_change`).Scan(&all, &open, &holds))
	if all != 2 || open != 1 || holds != 1 {
		t.Errorf("%d changes, %d open, %d with a password", all, open, holds)
	}
	for _, l := range dbtest.Deliver(t, d) {
		if c, err := d.PendingEmail(t.Context(), me); err != nil || l.Kind == model.LetterEmailConfirm && l.To != c.To {
			t.Errorf("the letter to %s leaves: %v", l.To, err)
		}
	}
}

// While somebody confirms, the office changes the address: the office's counts,
// and nobody ends up with half of each.
func TestTheOfficeAndTheMemberChangeAnAddressAtOnce(t *testing.T) {
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	owner := dbtest.Owner(t, d)
	for n := range 4 {
		me := dbtest.Person(t, d, fmt.Sprintf("Member%d Holm", n), model.RoleMember)
		asEmail(t, d, me, fmt.Sprintf("own%d@example.org", n))
		token := dbtest.EmailToken(t, d, me)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := d.ConfirmEmail(t.Context(), model.EmailConfirm{Token: token}); err != nil && model.KindOf(err) != model.KindLinkEnded {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := d.ChangeEmail(t.Context(), owner, me.MemberID, fmt.Sprintf("office%d@example.org", n), false); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if a := dbtest.Account(t, d, me.MemberID); a.Email != fmt.Sprintf("office%d@example.org", n) || a.HasPassword {
			t.Errorf("%+v", a)
		}
		if o := openedEmail(t, d, token); o.State == model.ResetLive {
			t.Error("the member's link still lives")
		}
	}
	oneSaltEach(t, folder)
}

func TestALinkToANewAddressOutlivesANewKeyAndHoldsTheOldOne(t *testing.T) {
	d, clock := dbtest.Open(t)
	me, other := dbtest.Person(t, d, "Nina Holm", model.RoleMember), dbtest.Person(t, d, "Paul Berg", model.RoleMember)
	clock.Add(31 * 24 * time.Hour) // the links of their passwords hold no key any more
	asEmail(t, d, me, "nina@example.org")
	asEmail(t, d, other, "paul@example.org")
	token := dbtest.EmailToken(t, d, me)
	_, err := d.RotateKey(t.Context(), model.ShellActor())
	must(t, err)
	_, err = d.RetireKeys(t.Context(), model.ShellActor())
	wantKind(t, err, model.KindConflict)
	if !strings.Contains(err.Error(), "2 links to a new email address still need") {
		t.Error(err)
	}
	done, err := confirm(t, d, token)
	must(t, err)
	if done.NewPassword || !entersWith(t, d, "nina@example.org", dbtest.Password) {
		t.Error("the password did not come along")
	}
	clock.Add(24*time.Hour - time.Second)
	_, err = d.RetireKeys(t.Context(), model.ShellActor())
	wantKind(t, err, model.KindConflict)
	clock.Add(time.Second)
	_, err = d.RetireKeys(t.Context(), model.ShellActor())
	must(t, err)
}

// Stopped by the office, refused or late, the letter behaves as any other.
func TestALetterToANewAddressIsTriedAsLongAsItsLinkLives(t *testing.T) {
	d, clock := dbtest.Open(t)
	me := dbtest.Person(t, d, "Nina Holm", model.RoleMember)
	dbtest.Deliver(t, d)
	asEmail(t, d, me, "nina@example.org")
	token := dbtest.EmailToken(t, d, me)
	tries := 0
	for range 60 {
		l, err := d.ClaimLetter(t.Context())
		must(t, err)
		if l == nil {
			next, err := d.NextLetter(t.Context())
			must(t, err)
			if next.IsZero() {
				break
			}
			clock.Set(next)
			continue
		}
		how := model.Delivery{Accepted: true, Code: 250}
		if l.Kind == model.LetterEmailConfirm {
			if tries++; len(l.Links) != 1 || !strings.HasSuffix(l.Links[0].URL.Reveal(), token.Reveal()) {
				t.Fatalf("try %d has another link", tries)
			}
			how = model.Delivery{Code: 451, Reply: "later"}
		}
		must(t, d.SettleLetter(t.Context(), l.ID, how))
	}
	if tries < 20 || clock.Now().After(dbtest.Start.Add(24*time.Hour)) {
		t.Errorf("%d tries, the last at %v", tries, clock.Now())
	}
}
