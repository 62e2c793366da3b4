package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// disowned is a member with a link, and the end of the address that disowns it.
func (s *site) disowned(t testing.TB) (id int64, link, notMe string) {
	t.Helper()
	id, link = s.invited(t, "Nina Holm", "nina@example.org")
	return id, link, dbtest.NotMe(t, s.db, id).Reveal()
}

func TestTheRoadFromALetterToItWasNotMe(t *testing.T) {
	s := newSite(t)
	id, link, notMe := s.disowned(t)
	b := s.browser(t)

	moved := b.get("/not-me/" + notMe).leads("/not-me?r=" + handle(notMe))
	if c := moved.cookie("latchkey-not-me"); c == nil || c.MaxAge != 3600 || !c.HttpOnly || c.Path != "/" || c.SameSite != http.SameSiteLaxMode {
		t.Fatalf("the cookie: %v", c)
	}
	if moved.body != "" || moved.header.Get("Referrer-Policy") != "no-referrer" {
		t.Error("the address with the token renders, or is told on")
	}
	page := b.follow(moved).is(http.StatusOK).says("You did not ask for this link?").says("stops working")
	page.saysNothingOf("Nina").saysNothingOf("Holm").saysNothingOf("nina@example.org")
	if n := page.doc.Find("form").Length(); n != 1 {
		t.Errorf("%d forms", n)
	}
	if page.header.Get("Cache-Control") != "no-store" {
		t.Errorf("it is kept: %s", page.header.Get("Cache-Control"))
	}
	b.follow(b.get("/reset/" + link)).says("Nina Holm") // still

	done := b.submit(page, `form[action="/not-me"]`, "").is(http.StatusOK).says("Thank you for telling us").says("does not work any more")
	done.saysNothingOf("Holm")
	again := b.submit(page, `form[action="/not-me"]`, "").is(http.StatusOK)
	if again.body != done.body {
		t.Error("the second press says something else")
	}
	b.follow(b.get("/not-me/" + notMe)).is(http.StatusOK).says("Thank you for telling us")
	b.follow(b.get("/reset/" + link)).says("was cancelled")

	office := s.owner(t)
	office.get(record(id) + "/activity").says("They said it wasn’t them").saysNothingOf(notMe)
	office.get(record(id) + "/settings").says("They said it wasn’t them").saysNothingOf(notMe[:20])
	office.post(record(id) + "/password-resets").leads(record(id) + "/settings")
	b.follow(b.get("/reset/" + dbtest.Token(t, s.db, id).Reveal())).says("Nina Holm")
}

func TestItWasNotMeThrowsOutWhoeverUsedTheLink(t *testing.T) {
	s := newSite(t)
	id, link, notMe := s.disowned(t)
	thief := s.browser(t)
	form := thief.follow(thief.get("/reset/" + link))
	thief.submit(form, `form[action="/reset"]`, "", "password", newPassword, "password_confirm", newPassword).leads("/sign-in")
	thief.signIn("nina@example.org", newPassword)
	thief.get("/account").is(http.StatusOK)
	dbtest.Deliver(t, s.db)

	b := s.browser(t)
	page := b.follow(b.get("/not-me/" + notMe)).is(http.StatusOK).says("You did not choose this password?").says("everybody is signed out")
	thief.get("/account").is(http.StatusOK) // to look did nothing
	b.submit(page, `form[action="/not-me"]`, "").is(http.StatusOK).says("Thank you for telling us").says("A letter with a link")
	thief.get("/account").leads("/sign-in?next=%2Faccount")
	thief.post("/sign-in", "login", "nina@example.org", "password", newPassword).is(http.StatusUnprocessableEntity)
	letters := dbtest.Deliver(t, s.db)
	if got := dbtest.Kinds(letters); got != "secured to nina@example.org" {
		t.Fatalf("letters: %s", got)
	}
	fresh := strings.TrimPrefix(letters[0].Links[0].URL.Reveal(), "http://localhost:8080")
	form = b.follow(b.get(fresh)).says("Nina Holm")
	mine := "another harbour without lamps"
	b.submit(form, `form[action="/reset"]`, "", "password", mine, "password_confirm", mine).leads("/sign-in")
	b.signIn("nina@example.org", mine)
	b.follow(b.get("/not-me/" + notMe)).says("Thank you for telling us") // a second time does nothing
	b.post("/not-me", "token", notMe).is(http.StatusOK)
	b.get("/account").is(http.StatusOK)
	s.owner(t).get(record(id) + "/activity").says("Password switched off, signed out everywhere")
}

func TestScannersSayNothing(t *testing.T) {
	s := newSite(t)
	id, link, notMe := s.disowned(t)
	before := s.changes(t)
	scanner := s.browser(t)
	for range 3 {
		scanner.send(scanner.request("HEAD", "/not-me/"+notMe, "")).leads("/not-me?r=" + handle(notMe))
		scanner.follow(scanner.get("/not-me/" + notMe)).is(http.StatusOK)
		scanner.send(scanner.request("HEAD", "/not-me?r="+handle(notMe), "")).is(http.StatusOK)
	}
	s.Close()
	if after := s.changes(t); after != before {
		t.Errorf("%d lines before, %d after", before, after)
	}
	if r := dbtest.Link(t, s.db, id); !r.EndedAt.IsZero() || !r.OpenedAt.IsZero() {
		t.Errorf("the link of %s: opened %v, ended %v", link[:4], r.OpenedAt, r.EndedAt)
	}
}

func TestWhatIsNoNotMeIsOnePage(t *testing.T) {
	s := newSite(t)
	_, link, notMe := s.disowned(t)
	forged := notMe[:39] + string("ab"[btoi(notMe[39] == 'a')])
	var first string
	for name, bad := range map[string]string{
		"unknown": strings.Repeat("a", 40), "the link itself": link, "forged": forged, "short": notMe[:39], "long": notMe + "a",
		"capitals": strings.ToUpper(notMe), "padded": notMe + "%3D", "a word": "hello", "very long": strings.Repeat("a", 5000),
		"a byte of nothing": notMe[:39] + "%00", "a line break": notMe + "%0a", "a cookie of its own": notMe[:20] + "%3B%20x=y",
	} {
		b := s.browser(t)
		a := b.get("/not-me/" + bad).leads("/not-me?r=unknown")
		if a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s is kept in a cookie", name)
		}
		page := b.follow(a).is(http.StatusNotFound).says("ring the office")
		if first == "" {
			first = page.body
		}
		if page.body != first || page.doc.Find("form").Length() != 0 {
			t.Errorf("%s has a page of its own, or a form", name)
		}
	}
	b := s.browser(t)
	for _, bad := range []string{"", "x", forged, link} {
		b.post("/not-me", "token", bad).is(http.StatusNotFound)
	}
	b.follow(b.get("/reset/" + link)).says("Nina Holm")
	// And the other way about.
	b.get("/reset/" + notMe).leads("/reset?r=unknown")

	s.clock.Add(30*24*time.Hour - time.Second)
	b.get("/not-me/" + notMe).leads("/not-me?r=" + handle(notMe))
	s.clock.Add(time.Second)
	b.get("/not-me/" + notMe).leads("/not-me?r=unknown")
	b.get("/not-me?r=" + handle(notMe)).is(http.StatusNotFound)
	b.post("/not-me", "token", notMe).is(http.StatusNotFound)
}

func TestNotMeWithoutItsCookieAsksToBeOpenedAgain(t *testing.T) {
	s := newSite(t)
	_, _, notMe := s.disowned(t)
	b := s.browser(t)
	const sentence = "open the link in the letter again"
	for _, path := range []string{"/not-me", "/not-me?r=" + handle(notMe), "/not-me?r=0000000000000000"} {
		b.get(path).is(http.StatusOK).says(sentence)
	}
	b.get("/not-me/" + notMe)
	b.get("/not-me").is(http.StatusOK).says(sentence)
	b.get("/not-me?r=" + handle(notMe)).is(http.StatusOK).says("You did not ask")
}

// Whoever gets somebody to open their own letter's address cannot press for
// them, nor is a press spent on the signed-in one.
func TestNotMeDoesNotCareWhoIsSignedIn(t *testing.T) {
	s := newSite(t)
	_, _, notMe := s.disowned(t)
	b := s.owner(t)
	page := b.follow(b.get("/not-me/" + notMe)).is(http.StatusOK)
	other := b.request("POST", "/not-me", "token="+notMe, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	b.send(other).is(http.StatusForbidden)
	b.follow(b.get("/not-me/" + notMe)).says("You did not ask")
	b.submit(page, `form[action="/not-me"]`, "").is(http.StatusOK)
	b.get("/admin/members").is(http.StatusOK)
}

func TestTheOfficeNeverSeesTheWayToSayNotMe(t *testing.T) {
	s := newSite(t)
	id, _, notMe := s.disowned(t)
	office := s.owner(t)
	letter := s.newestLetter(t)
	for _, path := range []string{
		record(id), record(id) + "/settings", record(id) + "/activity", record(id) + "/password-resets/letter",
		"/admin/letters", letterPath(letter), letterPath(letter) + "/html", "/admin/templates/reset",
	} {
		office.get(path).saysNothingOf(notMe[13:])
	}
	office.get(letterPath(letter)).says("/not-me/[left out]")
	dbtest.SetPassword(t, s.db, id, dbtest.Password)
	notice := s.newestLetter(t)
	if l := dbtest.Deliver(t, s.db); len(l) != 1 || l[0].Kind != model.LetterPasswordChanged || l[0].ID != notice {
		t.Fatalf("letters: %s", dbtest.Kinds(l))
	}
	office.get(letterPath(notice)).says("/not-me/[left out]").saysNothingOf(notMe[13:])
	office.get(letterPath(notice) + "/html").saysNothingOf(notMe[13:])
}
