package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func TestEverybodyBelongsSomewhere(t *testing.T) {
	s := newSite(t)
	s.browser(t).get("/").leads("/sign-in")
	s.owner(t).get("/").leads("/admin")
	member, _ := s.signedIn(t, "Nina Holm", model.RoleMember)
	member.get("/").leads("/account")
	viewer, _ := s.signedIn(t, "Paul Berg", model.RoleViewer)
	viewer.get("/").leads("/admin")
	viewer.get("/admin").is(http.StatusOK)
}

func TestSignInWithEmailOrMemberNumber(t *testing.T) {
	s := newSite(t)
	id := dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	m, _, err := s.db.Member(t.Context(), model.ShellActor(), id)
	if err != nil {
		t.Fatal(err)
	}
	m.MemberNo = "M-0042"
	if err := s.db.ChangeMember(t.Context(), model.ShellActor(), m); err != nil {
		t.Fatal(err)
	}
	for _, login := range []string{"nina@example.org", " NINA@Example.ORG ", "M-0042", "m-0042"} {
		s.browser(t).signIn(login, dbtest.Password)
	}
}

func TestEveryFailureToSignInReadsTheSame(t *testing.T) {
	s := newSite(t)
	dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	dbtest.MemberWithAccount(t, s.db, "Paul Berg", "paul@example.org") // no password yet
	disabled := dbtest.SignedUp(t, s.db, "Olga Lind", "olga@example.org")
	must0(t, s.db.Disable(t.Context(), dbtest.Owner(t, s.db), disabled))
	b := s.browser(t)
	var first string
	for _, c := range [][2]string{
		{"nina@example.org", "wrong"}, {"nobody@example.org", "wrong"}, {"paul@example.org", "wrong"},
		{"olga@example.org", dbtest.Password}, {"12345", "x"}, {"\xff", "x"}, {"' OR 1=1 --", "x"},
	} {
		a := b.post("/sign-in", "login", c[0], "password", c[1]).is(http.StatusUnprocessableEntity)
		said := a.text("[role=alert]")
		if first == "" {
			first = said
		}
		if said != first || said == "" {
			t.Errorf("%q: %q, not %q", c[0], said, first)
		}
		if got := a.value(`input[name="login"]`); got != c[0] && c[0] != "\xff" {
			t.Errorf("the login came back as %q", got)
		}
		if got := a.value(`input[name="password"]`); got != "" {
			t.Errorf("the password came back as %q", got)
		}
	}
}

func TestARefusedSignInKeepsWhatWasTyped(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	a := b.post("/sign-in", "login", "nina@example.org", "password", "x", "keep", "1", "next", "/account/password")
	a.is(http.StatusUnprocessableEntity)
	if a.value(`input[name="next"]`) != "/account/password" {
		t.Error("next is lost")
	}
	if _, on := a.one(`input[name="keep"]`).Attr("checked"); !on {
		t.Error("\"keep me signed in\" is lost")
	}
	a = b.post("/sign-in", "login", " ", "password", "").is(http.StatusUnprocessableEntity)
	if a.doc.Find("[aria-invalid]").Length() != 2 {
		t.Errorf("%d marks on an empty form", a.doc.Find("[aria-invalid]").Length())
	}
}

func TestTooManyWrongTriesSayHowLongToWait(t *testing.T) {
	s := newSite(t)
	dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	b := s.browser(t)
	for range 7 {
		for b.post("/sign-in", "login", "nina@example.org", "password", "wrong").status != http.StatusUnprocessableEntity {
			s.clock.Add(time.Second)
		}
	}
	a := b.post("/sign-in", "login", "nina@example.org", "password", dbtest.Password).is(http.StatusTooManyRequests)
	wait, err := strconv.Atoi(a.header.Get("Retry-After"))
	if err != nil || wait < 1 || wait > 300 {
		t.Fatalf("Retry-After is %q", a.header.Get("Retry-After"))
	}
	a.says("in " + inWords(time.Duration(wait)*time.Second))
	if a.doc.Find(`form[action="/sign-in"]`).Length() != 1 || a.value(`input[name="login"]`) != "nina@example.org" {
		t.Error("it is not the sign-in page")
	}
	s.clock.Add(time.Duration(wait) * time.Second)
	b.signIn("nina@example.org", dbtest.Password)
}

func TestAWaitIsNeverSaidShorterThanItIs(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Millisecond: "a second", time.Second: "a second", 1100 * time.Millisecond: "2 seconds", 59 * time.Second: "59 seconds",
		time.Minute: "a minute", 61 * time.Second: "2 minutes", 5 * time.Minute: "5 minutes",
	} {
		if got := inWords(d); got != want {
			t.Errorf("%v is %q, not %q", d, got, want)
		}
	}
}

// couple is two members on one address with one password.
func (s *site) couple(t testing.TB) {
	t.Helper()
	dbtest.SignedUp(t, s.db, "Nina Holm", "holm@example.org")
	dbtest.SignedUp(t, s.db, "Paul Holm", "holm@example.org")
}

func TestACoupleIsAskedWhoItIs(t *testing.T) {
	s := newSite(t)
	s.couple(t)
	b := s.browser(t)
	page := b.get("/sign-in?next=/account/password")
	ask := b.submit(page, `form[action="/sign-in"]`, "", "login", "holm@example.org", "password", dbtest.Password)
	ask.is(http.StatusOK).says("Nina Holm").says("Paul Holm")
	b.get("/account").leads("/sign-in?next=%2Faccount")
	b.submit(ask, `form[action="/sign-in/person"]`, "button:contains('Paul')").leads("/account/password")
	b.get("/account").is(http.StatusOK).says("Paul Holm")
}

func TestTheQuestionWhoItIsEnds(t *testing.T) {
	s := newSite(t)
	s.couple(t)
	stranger := dbtest.SignedUp(t, s.db, "Olga Lind", "olga@example.org")
	b := s.browser(t)
	ask := b.post("/sign-in", "login", "holm@example.org", "password", dbtest.Password).is(http.StatusOK)
	ticket := ask.value(`input[name="ticket"]`)
	other := strconv.FormatInt(dbtest.Account(t, s.db, stranger).ID, 10)
	for _, c := range [][2]string{{ticket, other}, {ticket, "0"}, {ticket, "x"}, {ticket + "x", "1"}, {"", "1"}, {"\x00", "-1"}} {
		a := b.post("/sign-in/person", "ticket", c[0], "person", c[1]).is(http.StatusUnprocessableEntity)
		a.says("sign in once more").one(`form[action="/sign-in"]`)
	}
	s.clock.Add(6 * time.Minute)
	b.submit(ask, "form", "button:contains('Paul')").is(http.StatusUnprocessableEntity)
	b.get("/account").leads("/sign-in?next=%2Faccount")
}

func TestSigningOutEndsTheSessionAndClearsTheBrowser(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	cookie := b.client.Jar.Cookies(b.request("GET", "/", "").URL)
	a := b.post("/sign-out").leads("/sign-in")
	if got := a.header.Get("Clear-Site-Data"); got != `"storage"` {
		t.Errorf("Clear-Site-Data is %s", got)
	}
	b.follow(a).says("You are signed out.")
	thief := s.browser(t)
	for _, c := range cookie {
		thief.get("/account", "Cookie", c.Name+"="+c.Value).leads("/sign-in?next=%2Faccount")
	}
	b.post("/sign-out").leads("/sign-in") // once more, from another tab
}

func TestSigningInAgainEndsTheFormerSession(t *testing.T) {
	s := newSite(t)
	id := dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	b := s.browser(t)
	b.signIn("nina@example.org", dbtest.Password)
	b.get("/sign-in").is(http.StatusOK).says("signed in as Nina Holm")
	b.signIn(dbtest.OwnerEmail, dbtest.OwnerPassword)
	r, err := s.db.AccountRecord(t.Context(), model.ShellActor(), id)
	if err != nil || len(r.Sessions) != 0 {
		t.Errorf("%d sessions are left (%v)", len(r.Sessions), err)
	}
}

func TestABusyPortalShowsTheSignInPageAndSaysWhen(t *testing.T) {
	s := newSite(t)
	r := httptest.NewRequest("POST", "/sign-in", nil)
	r.PostForm = map[string][]string{"login": {"nina@example.org"}, "next": {"/account"}}
	r = r.WithContext(context.WithValue(r.Context(), visitKey{}, newVisit()))
	w := httptest.NewRecorder()
	must0(t, s.portal.refuseSignIn(w, r, model.Unavailable("Many people are signing in just now.", 1500*time.Millisecond)))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "2" {
		t.Errorf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	for _, said := range []string{"Many people are signing in just now. The next try is possible in 2 seconds.", `value="nina@example.org"`, `value="/account"`} {
		if !strings.Contains(w.Body.String(), said) {
			t.Errorf("it lacks %s", said)
		}
	}
}

func TestStrangersDoNotSlowAKnownDevice(t *testing.T) {
	s := newSite(t)
	dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	known := s.browser(t)
	known.signIn("nina@example.org", dbtest.Password)
	known.post("/sign-out")
	stranger := s.browser(t)
	for range 8 {
		stranger.post("/sign-in", "login", "nina@example.org", "password", "wrong")
	}
	stranger.post("/sign-in", "login", "nina@example.org", "password", dbtest.Password).is(http.StatusTooManyRequests)
	known.signIn("nina@example.org", dbtest.Password)
}

// A browser that was signed in when sessions had another form signs in once
// more; nothing goes wrong.
func TestASessionOfFormerTimesIsNobodys(t *testing.T) {
	s := newSite(t)
	until := time.Now().Add(time.Hour)
	former, err := scs.GobCodec{}.Encode(until, map[string]any{"session": int64(1)})
	must0(t, err)
	hash := sha256.Sum256([]byte("former"))
	must0(t, s.db.SessionStore().Commit(base64.RawURLEncoding.EncodeToString(hash[:]), former, until))
	b := s.browser(t)
	b.header.Set("Cookie", "latchkey=former")
	b.get("/admin/members").leads("/sign-in?next=%2Fadmin%2Fmembers")
	b.post("/sign-in", "login", dbtest.OwnerEmail, "password", dbtest.OwnerPassword).leads("/")
	b.header.Del("Cookie")
	b.get("/admin/members").is(http.StatusOK)
}
