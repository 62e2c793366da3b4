package db_test

import (
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// throughLink sets Mia's password through a link, and gives what disowns it.
func (m *mia) throughLink(t *testing.T) (notMe model.Secret) {
	t.Helper()
	sendReset(t, m.d, dbtest.Owner(t, m.d), m.MemberID)
	notMe = dbtest.NotMe(t, m.d, m.MemberID)
	dbtest.SetPassword(t, m.d, m.MemberID, dbtest.Password)
	m.Stamp = dbtest.Account(t, m.d, m.MemberID).SessionStamp
	return notMe
}

func factorLetters(t *testing.T, d *db.DB) string {
	t.Helper()
	var all []string
	for _, l := range dbtest.Deliver(t, d) {
		if l.Kind == model.LetterFactorChanged {
			all = append(all, l.To+": "+l.What)
		}
	}
	return strings.Join(all, "\n")
}

// Whoever reads the mailbox can say that it was not them: the second factor is
// there against exactly them.
func TestItWasntMeStripsNobodyOfTheirSecondFactor(t *testing.T) {
	m := newMia(t)
	notMe := m.throughLink(t)
	factorLetters(t, m.d)
	sayNotMe(t, m.d, notMe)
	if got := factorLetters(t, m.d); got != "" {
		t.Errorf("nothing was set up since, and yet: %s", got)
	}
	dbtest.SetPassword(t, m.d, m.MemberID, dbtest.Password)
	if r := record(t, m.d, dbtest.Owner(t, m.d), m.MemberID); r.Why.Step == model.StepClear {
		t.Errorf("the office is told to clear it: %+v", r.Why)
	}
	_, err := m.prove(t, m.ask(t), m.code(t))
	must(t, err)
}

// A second factor that came with a stolen link keeps its holder out, so the
// office sees what to do; one that is theirs after all goes on working.
func TestASecondFactorSetUpAfterAStolenLinkIsDoubted(t *testing.T) {
	for name, theirs := range map[string]bool{"a thief's": false, "their own": true} {
		t.Run(name, func(t *testing.T) {
			d, clock := dbtest.Open(t)
			owner := dbtest.Owner(t, d)
			m := &mia{d: d, clock: clock, Actor: dbtest.Person(t, d, "Mia Brandt", model.RoleMember)}
			notMe := m.throughLink(t)
			m.key, m.codes, m.Actor = dbtest.App(t, d, clock, m.Actor, dbtest.Password)
			clock.Add(time.Minute)
			dbtest.Deliver(t, d)
			if r := record(t, d, owner, m.MemberID); r.Why.Step == model.StepClear {
				t.Fatalf("doubted before anybody said so: %+v", r.Why)
			}
			sayNotMe(t, d, notMe)
			if got := factorLetters(t, d); !strings.HasPrefix(got, miasEmail+": we were told") || !strings.Contains(got, "app for codes, recovery codes") || strings.Contains(got, "\n") {
				t.Errorf("told: %s", got)
			}
			if r := record(t, d, owner, m.MemberID); r.Why.Step != model.StepClear {
				t.Errorf("the office sees %+v", r.Why)
			}
			dbtest.SetPassword(t, d, m.MemberID, dbtest.Password)
			ticket := m.ask(t)
			if theirs {
				_, err := m.prove(t, ticket, m.code(t))
				must(t, err)
				if r := record(t, d, owner, m.MemberID); r.Why.Step == model.StepClear {
					t.Errorf("given, and yet %+v", r.Why)
				}
				return
			}
			if r := record(t, d, owner, m.MemberID); r.Why.Step != model.StepClear {
				t.Errorf("after the new password: %+v", r.Why)
			}
			must(t, d.ClearFactor(t.Context(), owner, m.MemberID))
			if r := record(t, d, owner, m.MemberID); r.Why.Step == model.StepClear {
				t.Errorf("cleared, and yet %+v", r.Why)
			}
		})
	}
}

// To delete the account and make another one is no way round clearing.
func TestDeletingAnAccountClearsItsSecondFactorLikeClearing(t *testing.T) {
	m := newMia(t)
	staff := dbtest.Person(t, m.d, "Eve Staff", model.RoleStaff)
	dbtest.Deliver(t, m.d)
	must(t, m.d.DeleteAccount(t.Context(), staff, m.MemberID))
	if got := factorLetters(t, m.d); !strings.Contains(got, miasEmail+": Eve Staff at the office deleted your account, and your second step with it.") {
		t.Errorf("the member is told: %q", got)
	}
	page, err := m.d.Activity(t.Context(), staff, m.MemberID, 0)
	must(t, err)
	if len(page.Lines) < 2 || page.Lines[0].Act != model.ActAccountDeleted || page.Lines[1].Act != model.ActFactorCleared {
		t.Errorf("the record says %+v", page.Lines[:2])
	}

	// Nor is another address, neither by the office ...
	wantField(t, m.d.CreateUser(t.Context(), staff, m.MemberID, "eve.staff@example.com", false), "email")
	wantField(t, m.d.CreateUser(t.Context(), staff, m.MemberID, "", false), "email")
	// ... nor by whoever changed the contact email and asks for a link to it.
	rec, _, err := m.d.Member(t.Context(), staff, m.MemberID)
	must(t, err)
	rec.Email = "evil@example.com"
	must(t, m.d.ChangeMember(t.Context(), staff, rec))
	must(t, m.d.AskReset(t.Context(), "evil@example.com", "192.0.2.0/24"))
	_, err = m.d.WorkIntake(t.Context())
	must(t, err)
	if _, a, err := m.d.Member(t.Context(), staff, m.MemberID); err != nil || a != nil {
		t.Fatalf("an account was made: %+v, %v", a, err)
	}

	must(t, m.d.CreateUser(t.Context(), staff, m.MemberID, strings.ToUpper(miasEmail), false))
	hidden := func() bool { return record(t, m.d, staff, m.MemberID).Status.Link.IsZero() }
	if !hidden() {
		t.Error("the office sees the link of the new account")
	}
	m.clock.Add(model.ClearedFor - time.Second)
	must(t, m.d.CancelReset(t.Context(), staff, m.MemberID))
	wantKind(t, m.d.ChangeEmail(t.Context(), staff, m.MemberID, "eve.staff@example.com", false), model.KindConflict)
	sendReset(t, m.d, staff, m.MemberID)
	if !hidden() {
		t.Error("a second before the three days are over it does")
	}
	m.clock.Add(time.Second)
	must(t, m.d.CancelReset(t.Context(), staff, m.MemberID))
	m.clock.Add(time.Minute)
	sendReset(t, m.d, staff, m.MemberID)
	if hidden() {
		t.Error("and never again")
	}
	must(t, m.d.ChangeEmail(t.Context(), staff, m.MemberID, "mia@example.org", false))
}

func TestAnAccountWithoutASecondFactorIsMadeAnewAtOnce(t *testing.T) {
	d, _ := dbtest.Open(t)
	staff := dbtest.Person(t, d, "Eve Staff", model.RoleStaff)
	id := dbtest.SignedUp(t, d, "Paul Berg", "paul@example.org")
	must(t, d.DeleteAccount(t.Context(), staff, id))
	must(t, d.CreateUser(t.Context(), staff, id, "paul@example.com", false))
	if record(t, d, staff, id).Status.Link.IsZero() {
		t.Error("nobody sees the link")
	}
}

// An address of the office's own choosing and a cleared factor are together the
// whole account, whichever comes first.
func TestNobodyChangesTheAddressAndClearsTheFactorInThreeDays(t *testing.T) {
	m := newMia(t)
	staff := dbtest.Person(t, m.d, "Eve Staff", model.RoleStaff)
	must(t, m.d.ChangeEmail(t.Context(), staff, m.MemberID, "eve.staff@example.com", false))
	m.clock.Add(model.ClearedFor - time.Second)
	wantKind(t, m.d.ClearFactor(t.Context(), staff, m.MemberID), model.KindConflict)
	m.clock.Add(time.Second)
	must(t, m.d.ClearFactor(t.Context(), staff, m.MemberID))
	m.clock.Add(model.ClearedFor - time.Second)
	wantKind(t, m.d.ChangeEmail(t.Context(), staff, m.MemberID, "eve@example.com", false), model.KindConflict)
	m.clock.Add(time.Second)
	must(t, m.d.ChangeEmail(t.Context(), staff, m.MemberID, "eve@example.com", false))
}

// To delete the account and make another one at the address that was just given
// to it would clear the second factor all the same.
func TestNobodyChangesTheAddressAndDeletesTheAccountInThreeDays(t *testing.T) {
	m := newMia(t)
	staff := dbtest.Person(t, m.d, "Eve Staff", model.RoleStaff)
	must(t, m.d.ChangeEmail(t.Context(), staff, m.MemberID, "eve.staff@example.com", false))
	m.clock.Add(model.ClearedFor - time.Second)
	wantKind(t, m.d.DeleteAccount(t.Context(), staff, m.MemberID), model.KindConflict)
	if a := dbtest.Account(t, m.d, m.MemberID); !a.HasFactor() {
		t.Error("the second factor is gone")
	}
	m.clock.Add(time.Second)
	must(t, m.d.DeleteAccount(t.Context(), staff, m.MemberID))
}

// Somebody at the office copies a link, sets the password themselves, and then
// clears the second factor.
func TestClearingVoidsAPasswordThatTheOfficeMayKnow(t *testing.T) {
	for name, c := range map[string]struct {
		see  func(t *testing.T, m *mia, staff model.Actor)
		then func(t *testing.T, m *mia)
		void bool
	}{
		"nobody saw the link": {see: func(*testing.T, *mia, model.Actor) {}},
		"on screen":           {see: func(t *testing.T, m *mia, staff model.Actor) { record(t, m.d, staff, m.MemberID) }, void: true},
		"read out": {see: func(t *testing.T, m *mia, staff model.Actor) {
			_, err := m.d.ReadOutCode(t.Context(), staff, m.MemberID, "by voice")
			must(t, err)
		}, void: true},
		"on screen, and changed by the member since": {
			see: func(t *testing.T, m *mia, staff model.Actor) { record(t, m.d, staff, m.MemberID) },
			then: func(t *testing.T, m *mia) {
				m.clock.Add(time.Minute)
				in, err := m.prove(t, m.ask(t), m.code(t))
				must(t, err)
				m.Stamp = in.Account.SessionStamp
				_, err = m.d.ChangePassword(t.Context(), m.Actor, model.PasswordChange{SessionID: in.Session.ID, Current: model.NewSecret(dbtest.Password),
					Password: model.NewSecret("nine purple teapots at dawn"), Confirm: model.NewSecret("nine purple teapots at dawn")})
				must(t, err)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMia(t)
			staff := dbtest.Person(t, m.d, "Eve Staff", model.RoleStaff)
			sendReset(t, m.d, staff, m.MemberID)
			c.see(t, m, staff)
			dbtest.SetPassword(t, m.d, m.MemberID, dbtest.Password)
			if c.then != nil {
				c.then(t, m)
			}
			dbtest.Deliver(t, m.d)
			must(t, m.d.ClearFactor(t.Context(), staff, m.MemberID))
			if got := !dbtest.Account(t, m.d, m.MemberID).HasPassword; got != c.void {
				t.Errorf("void: %v", got)
			}
			kinds := dbtest.Kinds(dbtest.Deliver(t, m.d))
			if got := strings.Contains(kinds, "reset to "+miasEmail); got != c.void {
				t.Errorf("letters: %s", kinds)
			}
			if r := record(t, m.d, staff, m.MemberID); c.void && (r.Status == nil || !r.Status.Link.IsZero()) {
				t.Errorf("the new link: %+v", r.Status)
			}
		})
	}
}

// The caller was recognised on the telephone. For the office that is too little:
// its door stays shut until a second factor was set up through a letter.
func TestAfterClearingTheOfficeTakesALetter(t *testing.T) {
	for name, asked := range map[string]bool{"asked before": true, "never asked": false} {
		t.Run(name, func(t *testing.T) {
			d, clock := dbtest.Open(t)
			owner := dbtest.Owner(t, d)
			eve := dbtest.Person(t, d, "Eve Staff", model.RoleStaff)
			if !asked {
				s, err := d.Settings(t.Context())
				must(t, err)
				s.Factors.Staff = model.FactorOptional
				must(t, d.ChangeSettings(t.Context(), owner, s))
			}
			_, _, eve = dbtest.App(t, d, clock, eve, dbtest.Password)
			clock.Add(model.MailedProof)
			s, err := d.Settings(t.Context())
			must(t, err)
			s.Factors.Staff = model.FactorRequired
			must(t, d.ChangeSettings(t.Context(), owner, s))
			must(t, d.ClearFactor(t.Context(), owner, eve.MemberID))
			in := dbtest.SignIn(t, d, "eve.staff@riverside.example", dbtest.Password)
			if !s.Factors.FactorOverdue(in.Account, clock.Now()) {
				t.Error("the office is open to the password alone")
			}
			eve.Stamp = in.Account.SessionStamp
			self := model.SelfProof{Password: model.NewSecret(dbtest.Password)}
			_, err = d.BeginApp(t.Context(), eve, self)
			wantKind(t, err, model.KindForbidden)
			must(t, d.SendOwnLetter(t.Context(), eve))
			dbtest.SetPassword(t, d, eve.MemberID, dbtest.Password)
			eve.Stamp = dbtest.Account(t, d, eve.MemberID).SessionStamp
			_, err = d.BeginApp(t.Context(), eve, self)
			must(t, err)
		})
	}
}

// The office had the live link on screen. The same one again would prove
// nothing, and whoever asked would be asked again and again.
func TestTheLetterForOneselfHasALinkThatNobodySaw(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	eve := dbtest.Person(t, d, "Eve Staff", model.RoleStaff)
	dbtest.SignIn(t, d, "eve.staff@riverside.example", dbtest.Password)
	clock.Add(model.FactorGrace)
	sendReset(t, d, owner, eve.MemberID)
	record(t, d, owner, eve.MemberID)
	clock.Add(time.Minute)
	must(t, d.SendOwnLetter(t.Context(), eve))
	if r := record(t, d, owner, eve.MemberID); r.Status == nil || !r.Status.Link.IsZero() || strings.Contains(r.Status.LinkHidden, "cleared") {
		t.Errorf("the office sees it: %+v", r.Status)
	}
	_, err := d.ReadOutCode(t.Context(), owner, eve.MemberID, "by voice")
	wantKind(t, err, model.KindForbidden)
	dbtest.SetPassword(t, d, eve.MemberID, dbtest.Password)
	eve.Stamp = dbtest.Account(t, d, eve.MemberID).SessionStamp
	_, err = d.BeginApp(t.Context(), eve, model.SelfProof{Password: model.NewSecret(dbtest.Password)})
	must(t, err)
}

func TestAnAccountRaisedLaterHasAGraceOfItsOwn(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	vera := dbtest.Person(t, d, "Vera Look", model.RoleViewer)
	dbtest.SignIn(t, d, "vera.look@riverside.example", dbtest.Password)
	clock.Add(model.FactorGrace)
	must(t, d.SetRole(t.Context(), owner, vera.MemberID, model.RoleStaff))
	dbtest.SetPassword(t, d, vera.MemberID, dbtest.Password)
	in := dbtest.SignIn(t, d, "vera.look@riverside.example", dbtest.Password)
	s, err := d.Settings(t.Context())
	must(t, err)
	for at, over := range map[time.Duration]bool{model.FactorGrace - time.Second: false, model.FactorGrace: true} {
		if got := s.Factors.FactorOverdue(in.Account, clock.Now().Add(at)); got != over {
			t.Errorf("%s after: overdue %v", at, got)
		}
	}
}
