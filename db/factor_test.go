package db_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// mia is a member with an authenticator app.
type mia struct {
	d     *db.DB
	clock *dbtest.Clock
	model.Actor
	key   string
	codes []model.Secret
}

func newMia(t *testing.T) *mia {
	t.Helper()
	d, clock := dbtest.Open(t)
	m := &mia{d: d, clock: clock}
	m.key, m.codes, m.Actor = dbtest.App(t, d, clock, dbtest.Person(t, d, "Mia Brandt", model.RoleMember), dbtest.Password)
	clock.Add(time.Minute) // the code that set it up is used
	return m
}

const miasEmail = "mia.brandt@riverside.example"

// ask is the right password.
func (m *mia) ask(t *testing.T) model.Secret {
	t.Helper()
	in := dbtest.SignIn(t, m.d, miasEmail, dbtest.Password)
	if in.Second == nil || in.Session.ID != 0 || !in.Known.IsZero() {
		t.Fatalf("the password alone opened it: %+v", in)
	}
	return in.Second.Ticket
}

func (m *mia) prove(t *testing.T, ticket model.Secret, code string) (model.SignedIn, error) {
	t.Helper()
	return m.d.ProveFactor(t.Context(), model.SecondProof{Ticket: ticket, Code: code, Network: "192.0.2.0/24"})
}

func (m *mia) code(t *testing.T) string { t.Helper(); return dbtest.AppCode(t, m.key, m.clock.Now()) }

func TestTheAppsCodeOpensAfterThePassword(t *testing.T) {
	m := newMia(t)
	ticket := m.ask(t)
	_, err := m.prove(t, ticket, "000000")
	wantField(t, err, "code")
	in, err := m.prove(t, ticket, m.code(t))
	must(t, err)
	if in.Account.ID != m.AccountID || in.Session.ID == 0 || in.Known.IsZero() {
		t.Errorf("%+v", in)
	}
}

func TestACodeIsTakenOnce(t *testing.T) {
	m := newMia(t)
	first, second := m.ask(t), m.ask(t)
	code := m.code(t)
	_, err := m.prove(t, first, code)
	must(t, err)
	_, err = m.prove(t, second, code)
	wantField(t, err, "code")
	// Nor does the code of half a minute before it, seen at the same time.
	_, err = m.prove(t, second, dbtest.AppCode(t, m.key, m.clock.Now().Add(-30*time.Second)))
	wantField(t, err, "code")
	m.clock.Add(30 * time.Second)
	_, err = m.prove(t, second, m.code(t))
	must(t, err)
}

func TestTheCodeThatSetUpAnAppDoesNotSignIn(t *testing.T) {
	d, clock := dbtest.Open(t)
	key, _, _ := dbtest.App(t, d, clock, dbtest.Person(t, d, "Mia Brandt", model.RoleMember), dbtest.Password)
	in := dbtest.SignIn(t, d, miasEmail, dbtest.Password)
	_, err := d.ProveFactor(t.Context(), model.SecondProof{Ticket: in.Second.Ticket, Code: dbtest.AppCode(t, key, clock.Now())})
	wantField(t, err, "code")
}

func TestATicketOpensOneSessionInItsTime(t *testing.T) {
	m := newMia(t)
	ticket := m.ask(t)
	_, err := m.prove(t, ticket, m.code(t))
	must(t, err)
	m.clock.Add(30 * time.Second)
	_, err = m.prove(t, ticket, m.code(t))
	wantKind(t, err, model.KindSignIn)

	late := m.ask(t)
	m.clock.Add(10*time.Minute - time.Second)
	_, err = m.prove(t, late, "000000")
	wantField(t, err, "code")
	m.clock.Add(time.Second)
	_, err = m.prove(t, late, m.code(t))
	wantKind(t, err, model.KindSignIn)
}

func TestATicketEndsWithWhatEndsSessions(t *testing.T) {
	for name, end := range map[string]func(m *mia, owner model.Actor) error{
		"signed out everywhere": func(m *mia, o model.Actor) error { return m.d.EndSessions(t.Context(), o, m.MemberID) },
		"disabled":              func(m *mia, o model.Actor) error { return m.d.Disable(t.Context(), o, m.MemberID) },
		"deleted":               func(m *mia, o model.Actor) error { return m.d.DeleteAccount(t.Context(), o, m.MemberID) },
		"another email": func(m *mia, o model.Actor) error {
			return m.d.ChangeEmail(t.Context(), o, m.MemberID, "new@example.org", false)
		},
		"another password": func(m *mia, o model.Actor) error {
			sendReset(t, m.d, o, m.MemberID)
			dbtest.SetPassword(t, m.d, m.MemberID, "another fine day at the lake")
			return nil
		},
	} {
		m := newMia(t)
		ticket := m.ask(t)
		must(t, end(m, dbtest.Owner(t, m.d)))
		if _, err := m.prove(t, ticket, m.code(t)); model.KindOf(err) != model.KindSignIn {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARecoveryCodeWorksOnceAlsoForTwentyAtATime(t *testing.T) {
	m := newMia(t)
	var tickets []model.Secret
	for range 20 {
		tickets = append(tickets, m.ask(t))
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	in, refused := 0, 0
	for i, ticket := range tickets {
		wg.Go(func() {
			// Each from a network of its own, so that none is slowed.
			_, err := m.d.ProveFactor(t.Context(), model.SecondProof{Ticket: ticket, Code: strings.ToLower(m.codes[3].Reveal()), Network: string(rune('a' + i))})
			mu.Lock()
			defer mu.Unlock()
			switch model.KindOf(err) {
			case model.KindInvalid:
				refused++
			default:
				if err == nil {
					in++
				} else {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if in != 1 || refused != 19 {
		t.Errorf("%d came in with one code, %d did not", in, refused)
	}
	has, err := m.d.SecondFactors(t.Context(), m.Actor)
	must(t, err)
	if has.CodesLeft != 9 {
		t.Errorf("%d codes are left", has.CodesLeft)
	}
}

func TestAnAppsCodeWorksOnceAlsoForTwentyAtATime(t *testing.T) {
	m := newMia(t)
	var tickets []model.Secret
	for range 20 {
		tickets = append(tickets, m.ask(t))
	}
	code := m.code(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	in := 0
	for i, ticket := range tickets {
		wg.Go(func() {
			_, err := m.d.ProveFactor(t.Context(), model.SecondProof{Ticket: ticket, Code: code, Network: string(rune('a' + i))})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				in++
			}
		})
	}
	wg.Wait()
	if in != 1 {
		t.Errorf("%d came in with one code", in)
	}
}

func TestWrongCodesAreSlowedDownAndLockNobodyOut(t *testing.T) {
	m := newMia(t)
	// She signed in on her own telephone before.
	own, err := m.prove(t, m.ask(t), m.code(t))
	must(t, err)
	m.clock.Add(30 * time.Second)

	ticket := m.ask(t)
	for range 5 {
		_, err := m.prove(t, ticket, "000000")
		wantField(t, err, "code")
	}
	_, err = m.prove(t, ticket, m.code(t))
	wantKind(t, err, model.KindLimited)
	m.clock.Add(time.Second)
	_, err = m.prove(t, ticket, "000000")
	wantField(t, err, "code")
	_, err = m.prove(t, ticket, m.code(t))
	wantKind(t, err, model.KindLimited) // 2 s now

	// From ever new networks, too, after twenty.
	other := func(network string) error {
		_, err := m.d.ProveFactor(t.Context(), model.SecondProof{Ticket: ticket, Code: "000000", Network: network})
		return err
	}
	for i := range 14 {
		wantField(t, other(string(rune('a'+i))), "code")
	}
	wantKind(t, other("z"), model.KindLimited)

	in, err := m.d.ProveFactor(t.Context(), model.SecondProof{Ticket: m.ask(t), Code: m.code(t), Known: own.Known, Network: "192.0.2.0/24"})
	must(t, err)
	if in.Session.ID == 0 {
		t.Error("her own telephone was locked out")
	}
}

// What is typed badly is no guess.
func TestWhatIsNoCodeCountsForNothing(t *testing.T) {
	m := newMia(t)
	ticket := m.ask(t)
	for range 30 {
		_, err := m.prove(t, ticket, "what code?")
		wantField(t, err, "code")
	}
	_, err := m.prove(t, ticket, m.code(t))
	must(t, err)
}

func TestAWrongPasswordNeverTellsOfASecondFactor(t *testing.T) {
	m := newMia(t)
	dbtest.SignedUp(t, m.d, "Paul Berg", "paul@example.org")
	var first error
	for _, login := range []string{miasEmail, "paul@example.org", "nobody@example.org"} {
		in, err := m.d.SignIn(t.Context(), model.SignIn{Login: login, Password: model.NewSecret("wrong")})
		if first == nil {
			first = err
		}
		if in.Second != nil || err == nil || err.Error() != first.Error() {
			t.Errorf("%s: %+v, %v", login, in.Second, err)
		}
	}
}

func TestInAHouseholdThePersonComesFirstAndThenTheFactor(t *testing.T) {
	d, clock := dbtest.Open(t)
	anna := dbtest.SignedUp(t, d, "Anna Koch", "koch@example.org")
	a := dbtest.Account(t, d, anna)
	key, _, _ := dbtest.App(t, d, clock, model.Actor{Kind: model.ByPerson, AccountID: a.ID, MemberID: anna, Role: a.Role, Stamp: a.SessionStamp}, dbtest.Password)
	bert := dbtest.SignedUp(t, d, "Bert Koch", "koch@example.org")
	clock.Add(time.Minute)

	choose := func(member int64) model.SignedIn {
		in := dbtest.SignIn(t, d, "koch@example.org", dbtest.Password)
		if len(in.Choice) != 2 || in.Second != nil {
			t.Fatalf("%+v", in)
		}
		in, err := d.ChoosePerson(t.Context(), model.Choice{Ticket: in.Ticket, AccountID: dbtest.Account(t, d, member).ID})
		must(t, err)
		return in
	}
	if in := choose(bert); in.Session.ID == 0 || in.Second != nil {
		t.Errorf("Bert, who has none: %+v", in)
	}
	clock.Add(time.Second) // in the same second it would be the same ticket
	in := choose(anna)
	if in.Session.ID != 0 || in.Second == nil {
		t.Fatalf("Anna: %+v", in)
	}
	_, err := d.ProveFactor(t.Context(), model.SecondProof{Ticket: in.Second.Ticket, Code: dbtest.AppCode(t, key, clock.Now())})
	must(t, err)
}

func TestAResetNeverRemovesASecondFactor(t *testing.T) {
	m := newMia(t)
	sendReset(t, m.d, dbtest.Owner(t, m.d), m.MemberID)
	dbtest.SetPassword(t, m.d, m.MemberID, dbtest.Password)
	_, err := m.prove(t, m.ask(t), m.code(t))
	must(t, err)
}

func TestSettingOneUpAsksWhoIsThere(t *testing.T) {
	m := newMia(t)
	wrong := model.SelfProof{Password: model.NewSecret("wrong")}
	_, err := m.d.BeginApp(t.Context(), m.Actor, wrong)
	wantField(t, err, "current_password")
	_, err = m.d.RecoveryCodes(t.Context(), m.Actor, wrong)
	wantField(t, err, "current_password")
	_, err = m.d.RemoveApp(t.Context(), m.Actor, wrong)
	wantField(t, err, "current_password")
	_, err = m.d.BeginPasskey(t.Context(), m.Actor, wrong)
	wantField(t, err, "current_password")
	_, err = m.d.RemovePasskey(t.Context(), m.Actor, wrong, 1)
	wantField(t, err, "current_password")
	_, err = m.d.BeginApp(t.Context(), m.Actor, wrong)
	wantKind(t, err, model.KindLimited) // and guesses there are slowed as well
}

func TestSettingOneUpEndsSessionsThatBeganWithoutIt(t *testing.T) {
	d, clock := dbtest.Open(t)
	actor := dbtest.Person(t, d, "Mia Brandt", model.RoleMember)
	elsewhere, s := signedIn(t, d, miasEmail)
	if !counts(t, d, s) {
		t.Fatal("she is not signed in")
	}
	_, _, _ = dbtest.App(t, d, clock, actor, dbtest.Password)
	if counts(t, d, s) {
		t.Error("the other session goes on without a second factor", elsewhere != "")
	}
}

func TestATicketForAnAppIsOnesOwnAndWorksOnce(t *testing.T) {
	d, clock := dbtest.Open(t)
	eve, nina := dbtest.Person(t, d, "Eve Staff", model.RoleMember), dbtest.Person(t, d, "Nina Holm", model.RoleMember)
	app, err := d.BeginApp(t.Context(), eve, model.SelfProof{Password: model.NewSecret(dbtest.Password)})
	must(t, err)
	code := dbtest.AppCode(t, app.Secret.Reveal(), clock.Now())
	_, ninas := signedIn(t, d, "nina.holm@riverside.example")
	_, err = d.ConfirmApp(t.Context(), nina, ninas.ID, app.Ticket, code)
	wantKind(t, err, model.KindConflict) // or Eve's app would open Nina's account
	_, eves := signedIn(t, d, "eve.staff@riverside.example")
	_, err = d.ConfirmApp(t.Context(), eve, eves.ID, app.Ticket, "000000")
	wantField(t, err, "code")
	_, err = d.ConfirmApp(t.Context(), eve, eves.ID, app.Ticket, code)
	must(t, err)
	eve.Stamp = dbtest.Account(t, d, eve.MemberID).SessionStamp
	_, err = d.ConfirmApp(t.Context(), eve, eves.ID, app.Ticket, code)
	wantKind(t, err, model.KindConflict)
}

func TestEveryChangeOfASecondFactorIsToldByLetter(t *testing.T) {
	m := newMia(t)
	said := func() string {
		var all []string
		for _, l := range dbtest.Deliver(t, m.d) {
			if l.Kind == model.LetterFactorChanged {
				all = append(all, l.To+": "+l.What)
			}
		}
		return strings.Join(all, "; ")
	}
	if got := said(); !strings.Contains(got, miasEmail+": an app for codes was set up") {
		t.Errorf("set up: %q", got)
	}
	_, err := m.prove(t, m.ask(t), m.codes[0].Reveal())
	must(t, err)
	if got := said(); !strings.Contains(got, "one of your recovery codes. 9 are left.") {
		t.Errorf("a code used: %q", got)
	}
	self := model.SelfProof{Password: model.NewSecret(dbtest.Password)}
	codes, err := m.d.RecoveryCodes(t.Context(), m.Actor, self)
	must(t, err)
	if got := said(); !strings.Contains(got, "new recovery codes were made") {
		t.Errorf("new codes: %q", got)
	}
	_, err = m.prove(t, m.ask(t), m.codes[1].Reveal())
	wantField(t, err, "code") // the former ones are void
	before, err := m.prove(t, m.ask(t), codes[1].Reveal())
	must(t, err)
	said()
	self.Session = before.Session.ID
	after, err := m.d.RemoveApp(t.Context(), m.Actor, self)
	must(t, err)
	if counts(t, m.d, before.Session) || !counts(t, m.d, after.Session) {
		t.Error("the session goes on that began with a second factor")
	}
	if got := said(); !strings.Contains(got, "the app for codes was removed. Signing in takes the password alone now.") {
		t.Errorf("removed: %q", got)
	}
	if in := dbtest.SignIn(t, m.d, miasEmail, dbtest.Password); in.Session.ID == 0 {
		t.Error("it is still asked for")
	}
}

func TestWhoeverHasToHaveOneKeepsTheLastOne(t *testing.T) {
	d, clock := dbtest.Open(t)
	_, codes, eve := dbtest.App(t, d, clock, dbtest.Person(t, d, "Eve Staff", model.RoleStaff), dbtest.Password)
	step := dbtest.SignIn(t, d, "eve.staff@riverside.example", dbtest.Password).Second
	in, err := d.ProveFactor(t.Context(), model.SecondProof{Ticket: step.Ticket, Code: codes[0].Reveal()})
	must(t, err)
	self := model.SelfProof{Password: model.NewSecret(dbtest.Password), Session: in.Session.ID}
	_, err = d.RemoveApp(t.Context(), eve, self)
	wantKind(t, err, model.KindConflict)
	s, err := d.Settings(t.Context())
	must(t, err)
	s.Factors.Staff = model.FactorOptional
	must(t, d.ChangeSettings(t.Context(), dbtest.Owner(t, d), s))
	_, err = d.RemoveApp(t.Context(), eve, self)
	must(t, err)
}

func TestClearingALostFactor(t *testing.T) {
	m := newMia(t)
	owner := dbtest.Owner(t, m.d)
	staff, viewer := dbtest.Person(t, m.d, "Eve Staff", model.RoleStaff), dbtest.Person(t, m.d, "Vera Look", model.RoleViewer)
	peer := dbtest.Person(t, m.d, "Otto Staff", model.RoleStaff)
	_, _, _ = dbtest.App(t, m.d, m.clock, peer, dbtest.Password)
	sendReset(t, m.d, staff, m.MemberID)
	record(t, m.d, staff, m.MemberID) // she has a link on screen
	token := dbtest.Token(t, m.d, m.MemberID)

	wantKind(t, m.d.ClearFactor(t.Context(), viewer, m.MemberID), model.KindForbidden)
	wantKind(t, m.d.ClearFactor(t.Context(), m.Actor, m.MemberID), model.KindForbidden)
	wantKind(t, m.d.ClearFactor(t.Context(), staff, peer.MemberID), model.KindForbidden)
	wantKind(t, m.d.ClearFactor(t.Context(), staff, owner.MemberID), model.KindForbidden)
	must(t, m.d.ClearFactor(t.Context(), owner, peer.MemberID))
	dbtest.Deliver(t, m.d)

	must(t, m.d.ClearFactor(t.Context(), staff, m.MemberID))
	if got := dbtest.Kinds(dbtest.Deliver(t, m.d)); got != "factor_changed to "+miasEmail {
		t.Errorf("letters: %s", got)
	}
	if state(t, m.d, token) != model.ResetCancelled {
		t.Error("the link she had on screen still opens the account")
	}
	if in := dbtest.SignIn(t, m.d, miasEmail, dbtest.Password); in.Session.ID == 0 {
		t.Error("it is still asked for")
	}
	wantKind(t, m.d.ClearFactor(t.Context(), staff, m.MemberID), model.KindConflict)

	// For 72 hours links are only mailed.
	for at, hidden := range map[time.Duration]bool{72*time.Hour - time.Second: true, 72 * time.Hour: false} {
		t.Run(at.String(), func(t *testing.T) {
			cleared := dbtest.Account(t, m.d, m.MemberID).Factor.ClearedAt
			m.clock.Set(cleared.Add(at))
			must(t, m.d.CancelReset(t.Context(), staff, m.MemberID))
			sendReset(t, m.d, staff, m.MemberID)
			r := record(t, m.d, staff, m.MemberID)
			if got := r.Status.Link.IsZero(); got != hidden {
				t.Errorf("hidden %v: %q", got, r.Status.LinkHidden)
			}
			// A code opens the same door.
			for what, now := range map[string]func(){"of the link": func() {}, "of none yet": func() { must(t, m.d.CancelReset(t.Context(), staff, m.MemberID)) }} {
				now()
				if _, err := m.d.ReadOutCode(t.Context(), staff, m.MemberID, "by voice"); (model.KindOf(err) == model.KindForbidden) != hidden || !hidden && err != nil {
					t.Errorf("a code %s, hidden %v: %v", what, hidden, err)
				}
			}
			m.clock.Add(24 * time.Hour)
		})
	}
}

func TestTheGraceBeginsAtTheFirstSignIn(t *testing.T) {
	d, clock := dbtest.Open(t)
	eve := dbtest.Person(t, d, "Eve Staff", model.RoleStaff)
	clock.Add(30 * 24 * time.Hour) // on holiday
	in := dbtest.SignIn(t, d, "eve.staff@riverside.example", dbtest.Password)
	if !in.Account.Factor.AskedAt.Equal(clock.Now()) {
		t.Errorf("asked at %s", in.Account.Factor.AskedAt)
	}
	clock.Add(model.FactorGrace - time.Second)
	again := dbtest.SignIn(t, d, "eve.staff@riverside.example", dbtest.Password)
	if !again.Account.Factor.AskedAt.Equal(in.Account.Factor.AskedAt) {
		t.Error("each sign-in begins it anew")
	}
	self := model.SelfProof{Password: model.NewSecret(dbtest.Password)}
	begun, err := d.BeginApp(t.Context(), eve, self)
	must(t, err)
	wantKind(t, d.SendOwnLetter(t.Context(), eve), model.KindConflict)
	clock.Add(time.Second)
	_, err = d.BeginApp(t.Context(), eve, self)
	wantKind(t, err, model.KindForbidden)
	_, err = d.BeginPasskey(t.Context(), eve, self)
	wantKind(t, err, model.KindForbidden)

	// What was begun within it is not ended after it.
	_, err = d.ConfirmApp(t.Context(), eve, in.Session.ID, begun.Ticket, dbtest.AppCode(t, begun.Secret.Reveal(), clock.Now()))
	wantKind(t, err, model.KindForbidden)
	dbtest.Deliver(t, d)
	must(t, d.SendOwnLetter(t.Context(), eve))
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "reset to eve.staff@riverside.example" {
		t.Errorf("letters: %s", got)
	}
	dbtest.SetPassword(t, d, eve.MemberID, dbtest.Password)
	eve.Stamp = dbtest.Account(t, d, eve.MemberID).SessionStamp
	_, err = d.BeginApp(t.Context(), eve, self)
	must(t, err)
	clock.Add(model.MailedProof)
	_, err = d.BeginApp(t.Context(), eve, self)
	wantKind(t, err, model.KindForbidden)
}

func TestALinkThatTheOfficeSawIsNoProofOfReadingMail(t *testing.T) {
	for name, c := range map[string]struct {
		office func(d *db.DB, owner model.Actor, id int64)
		proof  bool
	}{
		"nobody saw it": {func(*db.DB, model.Actor, int64) {}, true},
		"on screen":     {func(d *db.DB, owner model.Actor, id int64) { record(t, d, owner, id) }, false},
		"read out": {func(d *db.DB, owner model.Actor, id int64) {
			_, err := d.ReadOutCode(t.Context(), owner, id, "by voice")
			must(t, err)
		}, false},
	} {
		d, clock := dbtest.Open(t)
		eve := dbtest.Person(t, d, "Eve Staff", model.RoleStaff)
		dbtest.SignIn(t, d, "eve.staff@riverside.example", dbtest.Password)
		clock.Add(model.FactorGrace)
		owner := dbtest.Owner(t, d)
		sendReset(t, d, owner, eve.MemberID)
		c.office(d, owner, eve.MemberID)
		dbtest.SetPassword(t, d, eve.MemberID, dbtest.Password)
		eve.Stamp = dbtest.Account(t, d, eve.MemberID).SessionStamp
		_, err := d.BeginApp(t.Context(), eve, model.SelfProof{Password: model.NewSecret(dbtest.Password)})
		if (err == nil) != c.proof || err != nil && model.KindOf(err) != model.KindForbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestANewRuleBeginsAGraceOfItsOwn(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	set := func(rule model.FactorRule) {
		s, err := d.Settings(t.Context())
		must(t, err)
		s.Factors.Member = rule
		must(t, d.ChangeSettings(t.Context(), owner, s))
	}
	due := func() time.Time {
		s, err := d.Settings(t.Context())
		must(t, err)
		return s.Factors.FactorDue(dbtest.SignIn(t, d, "mia@example.org", dbtest.Password).Account)
	}
	if !due().IsZero() {
		t.Error("members have to")
	}
	set(model.FactorRequired)
	first := due()
	clock.Add(100 * 24 * time.Hour)
	set(model.FactorRequired)
	if !due().Equal(first) {
		t.Error("the settings saved once more begin it anew")
	}
	set(model.FactorOptional)
	set(model.FactorRequired)
	if want := clock.Now().Add(model.FactorGrace); !due().Equal(want) {
		t.Errorf("due %s, not %s", due(), want)
	}
}

func TestTheShellClearsAndForgives(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	_, _, _ = dbtest.App(t, d, clock, owner, dbtest.OwnerPassword)
	made, err := d.MakeOwner(t.Context(), model.ShellActor(), model.NewOwner{Email: dbtest.OwnerEmail, Password: model.NewSecret(dbtest.OwnerPassword)})
	must(t, err)
	if made.Cleared || !made.Factor || dbtest.SignIn(t, d, dbtest.OwnerEmail, dbtest.OwnerPassword).Second == nil {
		t.Error("a new password removed the second factor")
	}
	made, err = d.MakeOwner(t.Context(), model.ShellActor(), model.NewOwner{Email: dbtest.OwnerEmail, Password: model.NewSecret(dbtest.OwnerPassword), ClearFactor: true})
	must(t, err)
	in := dbtest.SignIn(t, d, dbtest.OwnerEmail, dbtest.OwnerPassword)
	if !made.Cleared || made.Factor || in.Session.ID == 0 || !in.Account.Factor.AskedAt.Equal(clock.Now()) {
		t.Errorf("%+v, %+v", made, in)
	}
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); !strings.Contains(got, "factor_changed to "+dbtest.OwnerEmail) {
		t.Errorf("the owner is told nothing: %s", got)
	}
}

func TestAStolenDatabaseHasNoSecondFactorInIt(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	actor := dbtest.Person(t, d, "Mia Brandt", model.RoleMember)
	in := dbtest.SignIn(t, d, miasEmail, dbtest.Password)
	app, err := d.BeginApp(t.Context(), actor, model.SelfProof{Password: model.NewSecret(dbtest.Password)})
	must(t, err)
	added, err := d.ConfirmApp(t.Context(), actor, in.Session.ID, app.Ticket, dbtest.AppCode(t, app.Secret.Reveal(), clock.Now()))
	must(t, err)
	var stolen []byte
	for _, name := range []string{"latchkey.db", "latchkey.db-wal"} {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		stolen = append(stolen, b...)
	}
	if !bytes.Contains(stolen, []byte(miasEmail)) {
		t.Fatal("these are not the files")
	}
	if bytes.Contains(stolen, dbtest.AppKey(t, app.Secret.Reveal())) {
		t.Error("the app's secret is in them")
	}
	for _, c := range added.Codes {
		bare := strings.ReplaceAll(c.Reveal(), "-", "")
		if bytes.Contains(stolen, []byte(bare)) || bytes.Contains(stolen, []byte(c.Reveal())) {
			t.Error("a recovery code is in them")
		}
	}
}

func TestThePanelSaysThatTheSecondFactorIsMissing(t *testing.T) {
	m := newMia(t)
	owner := dbtest.Owner(t, m.d)
	if r := record(t, m.d, owner, m.MemberID); r.Why.Step == model.StepClear || r.Factors.CodesLeft != 10 {
		t.Errorf("%+v", r.Why)
	}
	m.ask(t)
	if r := record(t, m.d, owner, m.MemberID); r.Why.Step != model.StepClear {
		t.Errorf("after the right password alone: %+v", r.Why)
	}
	_, err := m.prove(t, m.ask(t), m.code(t))
	must(t, err)
	if r := record(t, m.d, owner, m.MemberID); r.Why.Step == model.StepClear {
		t.Error("after the code, too")
	}
}

func FuzzWhatComesForASecondFactor(f *testing.F) {
	for _, s := range []string{"", ".", "AAAA", "123456", "ABCD-EFGH-2345", "{}", `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`,
		`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA","signature":"AA","userHandle":"AA"}}`, "\xff\x00"} {
		f.Add(s, s, s)
	}
	d, clock := dbtest.Open(f)
	_, _, actor := dbtest.App(f, d, clock, dbtest.Person(f, d, "Mia Brandt", model.RoleMember), dbtest.Password)
	asked := dbtest.SignIn(f, d, miasEmail, dbtest.Password).Second.Ticket
	f.Fuzz(func(t *testing.T, ticket, code, credential string) {
		door, err := d.AskAnyPasskey(t.Context())
		must(t, err)
		answer := model.PasskeyAnswer{Ticket: model.NewSecret(ticket), Credential: model.NewSecret(credential)}
		for _, p := range []model.SecondProof{{Code: code}, {Code: code, Passkey: answer}} {
			for _, p.Ticket = range []model.Secret{asked, model.NewSecret(ticket)} {
				_, err := d.ProveFactor(t.Context(), p)
				if k := model.KindOf(err); err == nil || k == model.KindInternal {
					t.Errorf("the second factor: %v", err)
				}
			}
		}
		for _, answer.Ticket = range []model.Secret{door.Ticket, model.NewSecret(ticket)} {
			_, err := d.SignInWithPasskey(t.Context(), model.PasskeySignIn{Answer: answer})
			if k := model.KindOf(err); err == nil || k == model.KindInternal {
				t.Errorf("a whole sign-in: %v", err)
			}
		}
		_, err = d.ConfirmApp(t.Context(), actor, 1, model.NewSecret(ticket), code)
		if k := model.KindOf(err); err == nil || k == model.KindInternal {
			t.Errorf("an app: %v", err)
		}
		_, err = d.AddPasskey(t.Context(), actor, 1, answer, "Firefox")
		if k := model.KindOf(err); err == nil || k == model.KindInternal {
			t.Errorf("a new passkey: %v", err)
		}
	})
}
