package handlers

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"latchkey/db/dbtest"
	"latchkey/db/model"
)

const (
	iPhone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 12_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1"
	windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0"
)

// abroad is a browser of that kind in that network, with Nina signed in.
func (s *site) abroad(t testing.TB, agent, address string, keep bool) *browser {
	t.Helper()
	b := s.browser(t)
	b.header.Set("User-Agent", agent)
	b.header.Set("X-Forwarded-For", address)
	fields := []string{"login", "nina@example.org", "password", dbtest.Password}
	if keep {
		fields = append(fields, "keep", "1")
	}
	b.post("/sign-in", fields...).is(http.StatusSeeOther)
	return b
}

func out(b *browser) bool { return b.get("/account").status != http.StatusOK }

func TestSomebodySeesWhereTheyAreSignedInAndEndsIt(t *testing.T) {
	s := newSite(t)
	id := dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	phone := s.abroad(t, iPhone, "203.0.113.77", true)
	s.clock.Add(time.Minute)
	desk := s.abroad(t, windows, "198.51.100.4", false)
	sofa := s.abroad(t, "curl/8", "198.51.100.5", false)

	page := desk.get("/account/sessions").is(http.StatusOK)
	var listed []string
	page.doc.Find(".browsers li").Each(func(_ int, li *goquery.Selection) {
		listed = append(listed, strings.Join(strings.Fields(li.Find("h2, .badge, .soft").Text()), " "))
	})
	all := strings.Join(listed, "\n")
	for _, part := range []string{
		"Safari on an iPhone", "on another network (203.0.113.x)", "Stays signed in until Wednesday 23 December",
		"Firefox on Windows", "This browser", "on this network", "Ends when the browser is closed", "A browser",
	} {
		if !strings.Contains(all, part) {
			t.Errorf("%q is not in\n%s", part, all)
		}
	}
	page.saysNothingOf("203.0.113.77").saysNothingOf("Mozilla")

	button := page.doc.Find(`button[aria-label^="Sign out Safari on an iPhone"]`)
	if button.Length() != 1 {
		t.Fatal("no button says which browser it signs out")
	}
	end := button.Closest("form").AttrOr("action", "")
	desk.follow(desk.post(end).leads("/account/sessions")).says("That browser is signed out.")
	desk.post(end).leads("/account/sessions") // a second press
	if !out(phone) || out(desk) || out(sofa) {
		t.Error("not the phone alone is signed out")
	}

	was := desk.client.Jar.Cookies(desk.request("GET", "/", "").URL)
	desk.follow(desk.post("/account/sessions/end").leads("/account/sessions")).says("You are signed out everywhere but here.")
	if !out(sofa) || out(desk) {
		t.Error("not all others are signed out")
	}
	thief := s.browser(t)
	for _, c := range was {
		thief.get("/account", "Cookie", c.Name+"="+c.Value).leads("/sign-in?next=%2Faccount")
	}
	left := desk.get("/account/sessions").is(http.StatusOK)
	if left.doc.Find(".browsers li").Length() != 1 || left.doc.Find(`form[action="/account/sessions/end"]`).Length() != 0 {
		t.Error("the others are still listed")
	}
	// The account's own line of each, with the browser it was.
	s.owner(t).get(record(id) + "/activity").says("Safari on an iPhone").says("Signed out everywhere")
}

func TestNobodyEndsAnotherMembersSession(t *testing.T) {
	s := newSite(t)
	dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	nina := s.abroad(t, iPhone, "203.0.113.77", false)
	others := map[string]*browser{"an owner": s.owner(t)}
	others["a member"], _ = s.signedIn(t, "Paul Berg", model.RoleMember)
	for who, b := range others {
		for id := range int64(10) {
			b.post("/account/sessions/" + strconv.FormatInt(id, 10) + "/end")
			if out(nina) {
				t.Fatalf("%s ended her session with number %d", who, id)
			}
			if out(b) { // their own, which is Sign out
				if who == "an owner" {
					b.signIn(dbtest.OwnerEmail, dbtest.OwnerPassword)
				} else {
					b.signIn("paul.berg@riverside.example", dbtest.Password)
				}
			}
		}
		b.post("/account/sessions/end").is(http.StatusSeeOther)
		if out(nina) {
			t.Errorf("%s ended her session", who)
		}
	}
}

func TestASessionEndsToTheSecond(t *testing.T) {
	for name, keep := range map[string]bool{"kept": true, "the browser's": false} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
			one, two := s.abroad(t, iPhone, "203.0.113.77", keep), s.abroad(t, iPhone, "203.0.113.77", keep)
			s.clock.Add(model.SessionIdle - time.Second)
			if out(one) {
				t.Fatal("out a second before 12 idle hours")
			}
			s.clock.Add(time.Second)
			if !out(two) {
				t.Error("in after 12 idle hours")
			}

			began := s.clock.Now()
			b := s.abroad(t, iPhone, "203.0.113.77", keep)
			for s.clock.Now().Before(began.Add(model.SessionLifetime - model.SessionIdle)) {
				s.clock.Add(model.SessionIdle - time.Second)
				b.get("/account").is(http.StatusOK)
			}
			// A new id on the way does not make it longer.
			b.post("/account/sessions/end").is(http.StatusSeeOther)
			s.clock.Set(began.Add(model.SessionLifetime - time.Second))
			if out(b) {
				t.Fatal("out a second before 30 days")
			}
			s.clock.Add(time.Second)
			if !out(b) {
				t.Error("in after 30 days")
			}
		})
	}
}

func TestOnlyAKeptSessionOutlivesItsBrowser(t *testing.T) {
	s := newSite(t)
	dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	for _, keep := range []bool{true, false} {
		fields := []string{"login", "nina@example.org", "password", dbtest.Password}
		if keep {
			fields = append(fields, "keep", "1")
		}
		b := s.browser(t)
		c := b.post("/sign-in", fields...).cookie("latchkey")
		if c == nil || (c.MaxAge > 0 || !c.Expires.IsZero()) != keep {
			t.Errorf("keep %v: %+v", keep, c)
		}
		c = b.post("/account/sessions/end").cookie("latchkey")
		if c == nil || (c.MaxAge > 0 || !c.Expires.IsZero()) != keep {
			t.Errorf("keep %v, with a new id: %+v", keep, c)
		}
	}
}

func TestEachChangeOfPowerTakesANewSession(t *testing.T) {
	const next = "nine purple teapots at dawn"
	for name, change := range map[string]func(s *site, b *browser, a model.Actor){
		"password, in the same browser": func(_ *site, b *browser, _ model.Actor) {
			b.post("/account/password", "current_password", dbtest.Password, "password", next, "password_confirm", next).leads("/account")
		},
		"password, through a link": func(s *site, _ *browser, a model.Actor) {
			must0(t, s.db.SendPasswordReset(t.Context(), dbtest.Owner(t, s.db), a.MemberID))
			dbtest.SetPassword(t, s.db, a.MemberID, next)
		},
		"role, raised": func(s *site, _ *browser, a model.Actor) {
			must0(t, s.db.SetRole(t.Context(), dbtest.Owner(t, s.db), a.MemberID, model.RoleOwner))
		},
		"role, lowered": func(s *site, _ *browser, a model.Actor) {
			must0(t, s.db.SetRole(t.Context(), dbtest.Owner(t, s.db), a.MemberID, model.RoleViewer))
		},
		"email": func(s *site, _ *browser, a model.Actor) {
			must0(t, s.db.ChangeEmail(t.Context(), dbtest.Owner(t, s.db), a.MemberID, "other@example.org", false))
		},
		"disabled and enabled": func(s *site, _ *browser, a model.Actor) {
			must0(t, s.db.Disable(t.Context(), dbtest.Owner(t, s.db), a.MemberID))
			must0(t, s.db.Enable(t.Context(), dbtest.Owner(t, s.db), a.MemberID))
		},
		"ended by the office": func(s *site, _ *browser, a model.Actor) {
			s.owner(t).post(record(a.MemberID) + "/sessions/end").is(http.StatusSeeOther)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			b, actor := s.signedIn(t, "Eva Lind", model.RoleStaff)
			elsewhere := s.browser(t)
			elsewhere.signIn("eva.lind@riverside.example", dbtest.Password)
			was := b.client.Jar.Cookies(b.request("GET", "/", "").URL)
			change(s, b, actor)
			if !out(elsewhere) {
				t.Error("another browser is still signed in")
			}
			thief := s.browser(t)
			for _, c := range was {
				thief.get("/account", "Cookie", c.Name+"="+c.Value).leads("/sign-in?next=%2Faccount")
			}
			if out(b) == strings.HasSuffix(name, "same browser") {
				t.Errorf("signed out here: %v", out(b))
			}
		})
	}
}
