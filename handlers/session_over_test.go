package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// Whoever was signed out elsewhere is told what may have happened; whoever never
// was here is not.
func TestAnEndedSessionSaysWhatHappened(t *testing.T) {
	const said = "You are not signed in here any more."
	for name, end := range map[string]func(s *site, b *browser, who model.Actor) error{
		"twelve hours": func(s *site, _ *browser, _ model.Actor) error { s.clock.Add(model.SessionIdle); return nil },
		"by the office": func(s *site, _ *browser, who model.Actor) error {
			return s.db.EndSessions(t.Context(), dbtest.Owner(t, s.db), who.MemberID)
		},
		"disabled": func(s *site, _ *browser, who model.Actor) error {
			return s.db.Disable(t.Context(), dbtest.Owner(t, s.db), who.MemberID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			b, who := s.signedIn(t, "Nina Holm", model.RoleMember)
			if err := end(s, b, who); err != nil {
				t.Fatal(err)
			}
			b.follow(b.get("/account").leads("/sign-in?next=%2Faccount")).is(http.StatusOK).says(said)
			b.get("/sign-in").saysNothingOf(said) // once
		})
	}
	s := newSite(t)
	stranger := s.browser(t)
	stranger.follow(stranger.get("/account").leads("/sign-in?next=%2Faccount")).saysNothingOf(said)
	b, _ := s.signedIn(t, "Nina Holm", model.RoleMember)
	b.follow(b.post("/sign-out")).says("You are signed out.")
	b.follow(b.get("/account")).saysNothingOf(said)
}

// Who has a second factor and who must have one by when stands on the staff page.
func TestTheStaffPageSaysWhoHasASecondFactor(t *testing.T) {
	s := newSite(t)
	o := s.owner(t)
	eve, _ := s.signedIn(t, "Eve Staff", model.RoleStaff)
	withApp(eve, dbtest.Password)
	s.signedIn(t, "Vera Look", model.RoleViewer)
	dbtest.Person(t, s.db, "Otto Late", model.RoleStaff)
	row := func(a *reply, name string) string {
		t.Helper()
		for _, tr := range a.is(http.StatusOK).doc.Find(".staff-roll tbody tr").EachIter() {
			if got := tr.Find(".who a").Text(); got == name {
				return tr.Text()
			}
		}
		t.Fatalf("%s is not on the page", name)
		return ""
	}
	a := o.get("/admin/staff")
	for name, want := range map[string]string{"Eve Staff": "App for codes", "Vera Look": "There is time until", "Otto Late": "seven days from when they next sign in"} {
		if got := row(a, name); !strings.Contains(got, want) {
			t.Errorf("%s: %s", name, got)
		}
	}
	withApp(o, dbtest.OwnerPassword)
	for at, want := range map[time.Duration]string{model.FactorGrace - time.Second: "There is time until", model.FactorGrace: "The office is closed to them"} {
		c := dbtest.Actor(t, s.db, "vera.look@riverside.example")
		s.clock.Set(dbtest.Account(t, s.db, c.MemberID).Factor.AskedAt.Add(at))
		all, err := s.db.Colleagues(t.Context(), dbtest.Owner(t, s.db))
		if err != nil {
			t.Fatal(err)
		}
		for _, colleague := range all {
			if colleague.Name == "Vera Look" && (!s.clock.Now().Before(colleague.FactorDue)) != (want == "The office is closed to them") {
				t.Errorf("%s: due %s", at, colleague.FactorDue)
			}
		}
	}
}
