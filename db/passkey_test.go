package db_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// keyed is a member with a passkey.
type keyed struct {
	d     *db.DB
	clock *dbtest.Clock
	model.Actor
	session int64
	key     *dbtest.Authenticator
	codes   []model.Secret
}

func newKeyed(t *testing.T) *keyed {
	t.Helper()
	d, clock := dbtest.Open(t)
	k := &keyed{d: d, clock: clock}
	k.enrol(t, "Kim Sand")
	return k
}

// enrol adds somebody with a passkey of their own, and makes k be them.
func (k *keyed) enrol(t *testing.T, name string) {
	t.Helper()
	k.Actor = dbtest.Person(t, k.d, name, model.RoleMember)
	k.key = dbtest.NewAuthenticator(t)
	in := dbtest.SignIn(t, k.d, k.email(t), dbtest.Password)
	k.session = in.Session.ID
	k.codes = k.add(t, k.key).Codes
}

func (k *keyed) email(t *testing.T) string {
	t.Helper()
	return dbtest.Account(t, k.d, k.MemberID).Email
}

func (k *keyed) add(t *testing.T, key *dbtest.Authenticator) model.FactorAdded {
	t.Helper()
	ask, err := k.d.BeginPasskey(t.Context(), k.Actor, model.SelfProof{Password: model.NewSecret(dbtest.Password), Session: k.session})
	must(t, err)
	added, err := k.d.AddPasskey(t.Context(), k.Actor, k.session, key.Make(t, ask), "Firefox on Linux")
	must(t, err)
	if added.SignIn != nil {
		k.session, k.Stamp = added.SignIn.Session.ID, added.SignIn.Account.SessionStamp
	}
	return added
}

// whole is a sign-in by passkey alone.
func (k *keyed) whole(t *testing.T, key *dbtest.Authenticator) (model.SignedIn, error) {
	t.Helper()
	ask, err := k.d.AskAnyPasskey(t.Context())
	must(t, err)
	key.Counter++
	return k.d.SignInWithPasskey(t.Context(), model.PasskeySignIn{Answer: key.Use(t, ask)})
}

// second is the password and then the passkey.
func (k *keyed) second(t *testing.T, key *dbtest.Authenticator) (model.SignedIn, error) {
	t.Helper()
	step := dbtest.SignIn(t, k.d, k.email(t), dbtest.Password).Second
	if step == nil {
		t.Fatal("the password alone opened it")
	}
	key.Counter++
	return k.d.ProveFactor(t.Context(), model.SecondProof{Ticket: step.Ticket, Passkey: key.Use(t, step.Passkey)})
}

// self is showing once more who is there.
func (k *keyed) self(t *testing.T, key *dbtest.Authenticator) model.SelfProof {
	t.Helper()
	ask, err := k.d.AskOwnPasskey(t.Context(), k.Actor, k.session)
	must(t, err)
	key.Counter++
	return model.SelfProof{Passkey: key.Use(t, ask), Session: k.session}
}

func TestAPasskeyOpensAloneAndAfterThePassword(t *testing.T) {
	k := newKeyed(t)
	if len(k.codes) != model.RecoveryCodes {
		t.Fatalf("%d recovery codes", len(k.codes))
	}
	in, err := k.whole(t, k.key)
	must(t, err)
	if in.Account.ID != k.AccountID || in.Session.ID == 0 {
		t.Errorf("%+v", in)
	}
	if in, err = k.second(t, k.key); err != nil || in.Session.ID == 0 {
		t.Errorf("%+v, %v", in, err)
	}
	if _, err := k.d.RecoveryCodes(t.Context(), k.Actor, k.self(t, k.key)); err != nil {
		t.Error(err)
	}
}

// WebAuthn Level 3, §7.2: each thing that is checked, on each of the three ways.
func TestAPasskeyIsRefusedFor(t *testing.T) {
	number := func(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
	for name, c := range map[string]struct {
		twist  func(k *keyed, a *dbtest.Authenticator)
		second bool // as a second factor it will do
	}{
		"another site's origin":       {twist: func(_ *keyed, a *dbtest.Authenticator) { a.Origin = "https://localhost.evil.example" }},
		"another port":                {twist: func(_ *keyed, a *dbtest.Authenticator) { a.Origin = "http://localhost:8081" }},
		"another scheme":              {twist: func(_ *keyed, a *dbtest.Authenticator) { a.Origin = "https://localhost:8080" }},
		"another RP ID":               {twist: func(_ *keyed, a *dbtest.Authenticator) { a.RPID = "evil.example" }},
		"nobody present":              {twist: func(_ *keyed, a *dbtest.Authenticator) { a.Flags = 4 }},
		"its holder not verified":     {twist: func(_ *keyed, a *dbtest.Authenticator) { a.Flags = 1 }, second: true},
		"a counter that stands still": {twist: func(_ *keyed, a *dbtest.Authenticator) { a.Counter-- }},
		"a counter that runs back":    {twist: func(_ *keyed, a *dbtest.Authenticator) { a.Counter -= 3 }},
		"another account's handle":    {twist: func(k *keyed, a *dbtest.Authenticator) { a.Handle = number(k.AccountID + 1) }},
		"an unknown passkey":          {twist: func(_ *keyed, a *dbtest.Authenticator) { a.ID = []byte("nobody's passkey") }},
		"a key of its own": {twist: func(k *keyed, a *dbtest.Authenticator) {
			other := dbtest.NewAuthenticator(t)
			other.ID, other.Handle, other.Counter = a.ID, a.Handle, a.Counter
			*a = *other
		}},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKeyed(t)
			for range 3 { // so that the counter has somewhere to go
				_, err := k.whole(t, k.key)
				must(t, err)
			}
			for way, try := range map[string]func(*dbtest.Authenticator) error{
				"whole":  func(a *dbtest.Authenticator) error { _, err := k.whole(t, a); return err },
				"second": func(a *dbtest.Authenticator) error { _, err := k.second(t, a); return err },
				"once more": func(a *dbtest.Authenticator) error {
					_, err := k.d.RecoveryCodes(t.Context(), k.Actor, k.self(t, a))
					return err
				},
			} {
				twisted := *k.key
				c.twist(k, &twisted)
				err := try(&twisted)
				if kind := model.KindOf(err); way == "second" && c.second {
					if err != nil {
						t.Errorf("%s: %v", way, err)
					}
					k.key.Counter = twisted.Counter
				} else if err == nil || kind != model.KindSignIn && kind != model.KindInvalid {
					t.Errorf("%s: %v", way, err)
				}
			}
			if _, err := k.whole(t, k.key); err != nil {
				t.Errorf("and after that not for its holder either: %v", err)
			}
		})
	}
}

func TestAnAnswerIsGoodOnceAndForItsTime(t *testing.T) {
	k := newKeyed(t)
	whole := func(wait time.Duration) (model.PasskeyAnswer, error) {
		ask, err := k.d.AskAnyPasskey(t.Context())
		must(t, err)
		k.clock.Add(wait)
		k.key.Counter++
		answer := k.key.Use(t, ask)
		_, err = k.d.SignInWithPasskey(t.Context(), model.PasskeySignIn{Answer: answer})
		return answer, err
	}
	answer, err := whole(10*time.Minute - time.Second)
	must(t, err)
	_, err = k.d.SignInWithPasskey(t.Context(), model.PasskeySignIn{Answer: answer})
	wantKind(t, err, model.KindSignIn)
	_, err = whole(10 * time.Minute)
	wantKind(t, err, model.KindSignIn)
}

// A device without a counter always says 0, so only the question's being used up
// stands against its answer coming twice.
func TestAnAnswerWithoutACounterIsGoodOnce(t *testing.T) {
	k := newKeyed(t)
	ask, err := k.d.AskAnyPasskey(t.Context())
	must(t, err)
	answer := k.key.Use(t, ask)
	_, err = k.d.SignInWithPasskey(t.Context(), model.PasskeySignIn{Answer: answer})
	must(t, err)
	_, err = k.d.SignInWithPasskey(t.Context(), model.PasskeySignIn{Answer: answer})
	wantKind(t, err, model.KindSignIn)

	own, err := k.d.AskOwnPasskey(t.Context(), k.Actor, k.session)
	must(t, err)
	self := model.SelfProof{Passkey: k.key.Use(t, own), Session: k.session}
	_, err = k.d.RecoveryCodes(t.Context(), k.Actor, self)
	must(t, err)
	_, err = k.d.RecoveryCodes(t.Context(), k.Actor, self)
	wantKind(t, err, model.KindInvalid)
}

// What was said to one question is no answer to another.
func TestAnAnswerCountsForItsOwnQuestionAlone(t *testing.T) {
	k := newKeyed(t)
	step := dbtest.SignIn(t, k.d, k.email(t), dbtest.Password).Second
	any1, err := k.d.AskAnyPasskey(t.Context())
	must(t, err)
	own, err := k.d.AskOwnPasskey(t.Context(), k.Actor, k.session)
	must(t, err)
	for name, ask := range map[string]*model.AskPasskey{"whole": any1, "second": step.Passkey, "once more": own} {
		answer := k.key.Use(t, ask)
		if _, err := k.d.SignInWithPasskey(t.Context(), model.PasskeySignIn{Answer: answer}); (err == nil) != (name == "whole") {
			t.Errorf("%s as a whole sign-in: %v", name, err)
		}
		if _, err := k.d.RecoveryCodes(t.Context(), k.Actor, model.SelfProof{Passkey: answer, Session: k.session}); (err == nil) != (name == "once more") {
			t.Errorf("%s once more: %v", name, err)
		}
		if _, err := k.d.ProveFactor(t.Context(), model.SecondProof{Ticket: step.Ticket, Passkey: answer}); (err == nil) != (name == "second") {
			t.Errorf("%s as a second factor: %v", name, err)
		}
	}
}

// Showing once more who is there is tied to the browser that was asked.
func TestWhoIsThereIsAskedOfOneSession(t *testing.T) {
	k := newKeyed(t)
	in, err := k.whole(t, k.key)
	must(t, err)
	self := k.self(t, k.key)
	self.Session = in.Session.ID
	_, err = k.d.RecoveryCodes(t.Context(), k.Actor, self)
	wantKind(t, err, model.KindInvalid)

	self = k.self(t, k.key)
	must(t, k.d.EndSessions(t.Context(), dbtest.Owner(t, k.d), k.MemberID))
	k.Stamp = dbtest.Account(t, k.d, k.MemberID).SessionStamp // of a session begun since
	_, err = k.d.RecoveryCodes(t.Context(), k.Actor, self)
	wantKind(t, err, model.KindInvalid)
}

func TestAfterAResetAPasskeyIsASecondFactorUntilItWasGiven(t *testing.T) {
	k := newKeyed(t)
	sendReset(t, k.d, dbtest.Owner(t, k.d), k.MemberID)
	dbtest.SetPassword(t, k.d, k.MemberID, dbtest.Password)
	in, err := k.whole(t, k.key)
	wantKind(t, err, model.KindSignIn)
	if in.Session.ID != 0 {
		t.Error("it opened")
	}
	_, err = k.second(t, k.key)
	must(t, err)
	_, err = k.whole(t, k.key)
	must(t, err)
}

func TestAPasskeyOfAnAccountThatIsShutOpensNothing(t *testing.T) {
	for name, shut := range map[string]func(k *keyed, owner model.Actor) error{
		"disabled":              func(k *keyed, o model.Actor) error { return k.d.Disable(t.Context(), o, k.MemberID) },
		"deleted":               func(k *keyed, o model.Actor) error { return k.d.DeleteAccount(t.Context(), o, k.MemberID) },
		"second factor cleared": func(k *keyed, o model.Actor) error { return k.d.ClearFactor(t.Context(), o, k.MemberID) },
		"disabled and enabled": func(k *keyed, o model.Actor) error {
			must(t, k.d.Disable(t.Context(), o, k.MemberID))
			return k.d.Enable(t.Context(), o, k.MemberID)
		},
		"another email": func(k *keyed, o model.Actor) error {
			return k.d.ChangeEmail(t.Context(), o, k.MemberID, "kim@example.org", false)
		},
	} {
		k := newKeyed(t)
		must(t, shut(k, dbtest.Owner(t, k.d)))
		if in, err := k.whole(t, k.key); model.KindOf(err) != model.KindSignIn || in.Session.ID != 0 {
			t.Errorf("%s: %+v, %v", name, in, err)
		}
	}
}

func TestNobodyTakesAnotherAccountsPasskey(t *testing.T) {
	k := newKeyed(t)
	kims := *k.key
	k.enrol(t, "Lou Field")
	ask, err := k.d.BeginPasskey(t.Context(), k.Actor, model.SelfProof{Password: model.NewSecret(dbtest.Password)})
	must(t, err)
	stolen := dbtest.NewAuthenticator(t)
	stolen.ID = kims.ID
	_, err = k.d.AddPasskey(t.Context(), k.Actor, k.session, stolen.Make(t, ask), "Firefox on Linux")
	wantKind(t, err, model.KindInvalid)
	// Nor is Kim's a second factor of Lou's, whoever it says to be.
	for _, handle := range [][]byte{kims.Handle, k.key.Handle, nil} {
		twisted := kims
		twisted.Handle = handle
		_, err = k.second(t, &twisted)
		wantKind(t, err, model.KindInvalid)
	}
}

// Which passkeys there are is told to nobody who has not typed the password.
func TestTheQuestionAtTheDoorNamesNobodysPasskeys(t *testing.T) {
	k := newKeyed(t)
	ask, err := k.d.AskAnyPasskey(t.Context())
	must(t, err)
	if strings.Contains(ask.Options, "allowCredentials") && !strings.Contains(ask.Options, `"allowCredentials":[]`) {
		t.Error(ask.Options)
	}
}

func TestAPasskeyIsCalledByWhatKeepsIt(t *testing.T) {
	k := newKeyed(t)
	second := dbtest.NewAuthenticator(t)
	second.AAGUID = [16]byte{0xba, 0xda, 0x55, 0x66, 0xa7, 0xaa, 0x40, 0x1f, 0xbd, 0x96, 0x45, 0x61, 0x9a, 0x55, 0x12, 0x0d}
	k.add(t, second)
	names := func() string {
		has, err := k.d.SecondFactors(t.Context(), k.Actor)
		must(t, err)
		var all []string
		for _, p := range has.Passkeys {
			all = append(all, p.Name)
		}
		return strings.Join(all, "; ")
	}
	if got := names(); got != "Firefox on Linux; 1Password (Firefox on Linux)" {
		t.Error(got)
	}
	has, err := k.d.SecondFactors(t.Context(), k.Actor)
	must(t, err)
	wantField(t, k.d.RenamePasskey(t.Context(), k.Actor, has.Passkeys[1].ID, " \u202e \x00"), "name")
	wantField(t, k.d.RenamePasskey(t.Context(), k.Actor, has.Passkeys[1].ID, strings.Repeat("é", model.PasskeyNameMax+1)), "name")
	must(t, k.d.RenamePasskey(t.Context(), k.Actor, has.Passkeys[1].ID, " the blue\r\n one\u200b "))
	if got := names(); got != "Firefox on Linux; the blue one" {
		t.Error(got)
	}
	stranger := dbtest.Person(t, k.d, "Lou Field", model.RoleMember)
	wantKind(t, k.d.RenamePasskey(t.Context(), stranger, has.Passkeys[1].ID, "mine"), model.KindNotFound)
}

// A passkey of a former address of the portal is kept and cannot be used: it
// must not count as the way in that is left.
func TestTheLastWayIsOneThatWorksHere(t *testing.T) {
	k := newKeyed(t)
	in, err := k.whole(t, k.key)
	must(t, err)
	k.session = in.Session.ID
	app, err := k.d.BeginApp(t.Context(), k.Actor, model.SelfProof{Password: model.NewSecret(dbtest.Password)})
	must(t, err)
	_, err = k.d.ConfirmApp(t.Context(), k.Actor, k.session, app.Ticket, dbtest.AppCode(t, app.Secret.Reveal(), k.clock.Now()))
	must(t, err)
	owner := dbtest.Owner(t, k.d)
	must(t, k.d.ChangeMail(t.Context(), owner, model.MailChange{BaseURL: "https://members.riverside.example",
		Current: model.NewSecret(dbtest.OwnerPassword), Mail: dbtest.Mail}))
	s, err := k.d.Settings(t.Context())
	must(t, err)
	s.Factors.Member = model.FactorRequired
	must(t, k.d.ChangeSettings(t.Context(), owner, s))
	self := model.SelfProof{Password: model.NewSecret(dbtest.Password), Session: k.session}
	_, err = k.d.RemoveApp(t.Context(), k.Actor, self)
	wantKind(t, err, model.KindConflict)
	has, err := k.d.SecondFactors(t.Context(), k.Actor)
	must(t, err)
	must1in(t)(k.d.RemovePasskey(t.Context(), k.Actor, self, has.Passkeys[0].ID)) // that one may go

	s, err = k.d.Settings(t.Context())
	must(t, err)
	s.Factors.Member = model.FactorOptional
	must(t, k.d.ChangeSettings(t.Context(), owner, s))
	if must1in(t)(k.d.RemoveApp(t.Context(), k.Actor, self)) == nil {
		t.Error("the last way is gone, and the session goes on")
	}
}

func must1in(t *testing.T) func(*model.SignedIn, error) *model.SignedIn {
	return func(in *model.SignedIn, err error) *model.SignedIn {
		t.Helper()
		must(t, err)
		return in
	}
}
