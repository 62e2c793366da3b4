package handlers

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/db/dbtest"
	"latchkey/db/model"
)

const newPassword = "a lantern for the harbour"

// invited is a member with an account and a live link.
func (s *site) invited(t testing.TB, name, email string) (id int64, token string) {
	t.Helper()
	id = dbtest.MemberWithAccount(t, s.db, name, email)
	return id, dbtest.Token(t, s.db, id).Reveal()
}

func TestTheWholeRoadFromTheLinkToTheAccount(t *testing.T) {
	s := newSite(t)
	id, token := s.invited(t, "Nina Holm", "nina@example.org")
	b := s.browser(t)

	moved := b.get("/reset/" + token).leads("/reset?r=" + handle(token))
	if c := moved.cookie("latchkey-reset"); c == nil || c.MaxAge != 3600 || !c.HttpOnly || c.Path != "/" || c.SameSite != http.SameSiteLaxMode {
		t.Fatalf("the link's cookie: %v", c)
	}
	if moved.body != "" {
		t.Errorf("the address with the link renders: %s", moved.body)
	}

	form := b.follow(moved).is(http.StatusOK).says("Nina Holm").says("Riverside Rowing Club")
	if got := form.value(`input[autocomplete="username"]`); got != "nina@example.org" {
		t.Errorf("the password manager is told %q", got)
	}
	if n := form.doc.Find(`input[autocomplete="new-password"]`).Length(); n != 2 {
		t.Errorf("%d fields for the new password", n)
	}

	done := b.submit(form, `form[action="/reset"]`, "", "password", newPassword, "password_confirm", newPassword).leads("/sign-in")
	signIn := b.follow(done).says("Your password is changed. Sign in with it, and bookmark this page")
	if got := signIn.value(`input[name="login"]`); got != "nina@example.org" {
		t.Errorf("the sign-in page is prefilled with %q", got)
	}
	if got := b.get("/sign-in"); strings.Contains(got.body, "Your password is changed") || strings.Contains(got.body, "nina@") {
		t.Error("the notice comes twice")
	}
	b.submit(signIn, `form[action="/sign-in"]`, "", "password", newPassword).leads("/")
	b.follow(b.get("/")).is(http.StatusOK).says("Nina Holm")
	if dbtest.Account(t, s.db, id).LastSignInAt.IsZero() {
		t.Error("no sign-in is noted")
	}
}

func TestScannersMayOpenALinkAsOftenAsTheyLike(t *testing.T) {
	s := newSite(t)
	id, token := s.invited(t, "Nina Holm", "nina@example.org")
	scanner := s.browser(t)
	for range 3 {
		scanner.send(scanner.request("HEAD", "/reset/"+token, "")).leads("/reset?r=" + handle(token))
	}
	if opened := s.link(t, id).OpenedAt; !opened.IsZero() {
		t.Error("HEAD counts as an opening")
	}
	for range 20 {
		s.browser(t).get("/reset/" + token)
		scanner.follow(scanner.get("/reset/" + token)).is(http.StatusOK)
	}

	person := s.browser(t)
	form := person.follow(person.get("/reset/" + token)).is(http.StatusOK)
	person.submit(form, `form[action="/reset"]`, "", "password", newPassword, "password_confirm", newPassword).leads("/sign-in")
	if opened := s.link(t, id).OpenedAt; opened.IsZero() {
		t.Error("no opening is noted")
	}
}

// link is a member's newest link.
func (s *site) link(t testing.TB, memberID int64) model.Reset {
	t.Helper()
	r, err := s.db.AccountRecord(t.Context(), model.ShellActor(), memberID)
	if err != nil {
		t.Fatal(err)
	}
	return *r.Latest
}

func TestTwoLinksInTwoTabsChangeEachTheirOwn(t *testing.T) {
	s := newSite(t)
	_, first := s.invited(t, "Nina Holm", "nina@example.org")
	_, second := s.invited(t, "Paul Berg", "paul@example.org")
	b := s.browser(t)
	one := b.follow(b.get("/reset/" + first)).says("Nina Holm")
	two := b.follow(b.get("/reset/" + second)).says("Paul Berg")
	b.submit(one, `form[action="/reset"]`, "", "password", newPassword, "password_confirm", newPassword).leads("/sign-in")
	b.get("/reset?r=" + handle(second)).is(http.StatusOK).says("Paul Berg") // reloaded
	other := "another harbour without lamps"
	b.submit(two, `form[action="/reset"]`, "", "password", other, "password_confirm", other).leads("/sign-in")
	s.browser(t).signIn("nina@example.org", newPassword)
	s.browser(t).signIn("paul@example.org", other)
}

func TestABrowserRemembersFourLinksAndForgetsTheOldest(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	var tokens []string
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		_, token := s.invited(t, "Member "+name, name+"@example.org")
		tokens = append(tokens, token)
		b.get("/reset/" + token)
	}
	b.get("/reset/" + tokens[3]) // once more: no second place
	for i, token := range tokens {
		page := b.get("/reset?r=" + handle(token)).is(http.StatusOK)
		if kept := page.doc.Find(`input[name="password"]`).Length() == 1; kept != (i > 0) {
			t.Errorf("link %d of 5 is kept: %v", i+1, kept)
		}
	}
}

func TestALinkOpensInABrowserWhereSomebodyElseIsSignedIn(t *testing.T) {
	s := newSite(t)
	_, token := s.invited(t, "Nina Holm", "nina@example.org")
	b := s.owner(t)
	form := b.follow(b.get("/reset/" + token)).is(http.StatusOK).says("signed in as Ruth Adler").says("Nina Holm")
	b.submit(form, `form[action="/reset"]`, "", "password", newPassword, "password_confirm", newPassword).leads("/sign-in")
	b.follow(b.get("/sign-in")).says("signed in as Ruth Adler").says("Your password is changed")
	b.get("/admin/members").is(http.StatusOK)
	s.browser(t).signIn("nina@example.org", newPassword)
	s.browser(t).signIn(dbtest.OwnerEmail, dbtest.OwnerPassword)
}

func TestAfterAResetEverySessionOfTheAccountIsOver(t *testing.T) {
	s := newSite(t)
	id := dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	b := s.browser(t)
	b.signIn("nina@example.org", dbtest.Password)
	if err := s.db.SendPasswordReset(t.Context(), dbtest.Owner(t, s.db), id); err != nil {
		t.Fatal(err)
	}
	form := b.follow(b.get("/reset/" + dbtest.Token(t, s.db, id).Reveal()))
	b.submit(form, `form[action="/reset"]`, "", "password", newPassword, "password_confirm", newPassword).leads("/sign-in")
	b.get("/account").leads("/sign-in?next=%2Faccount")
}

func TestWithoutItsCookieALinkAsksToBeOpenedAgain(t *testing.T) {
	s := newSite(t)
	_, token := s.invited(t, "Nina Holm", "nina@example.org")
	b := s.browser(t)
	const sentence = "open the link in the letter again"
	b.get("/reset").is(http.StatusOK).says(sentence)
	b.get("/reset?r=" + handle(token)).is(http.StatusOK).says(sentence) // another program's browser
	b.get("/reset/" + token)
	b.get("/reset").is(http.StatusOK).says(sentence)
	b.get("/reset?r=0000000000000000").is(http.StatusOK).says(sentence)
	b.get("/reset?r=" + handle(token)).is(http.StatusOK).says("Nina Holm")
}

func TestAnythingThatIsNoLinkIsOnePage(t *testing.T) {
	s := newSite(t)
	_, token := s.invited(t, "Nina Holm", "nina@example.org")
	flipped := "b" + token[1:]
	if token[0] == 'b' {
		flipped = "c" + token[1:]
	}
	forged := token[:39] + string("ab"[btoi(token[39] == 'a')])
	var first string
	for name, bad := range map[string]string{
		"unknown": strings.Repeat("a", 40), "flipped": flipped, "forged": forged, "short": token[:39], "long": token + "a",
		"capitals": strings.ToUpper(token), "padded": token + "%3D", "a word": "hello", "a very long one": strings.Repeat("a", 5000),
		"a byte of nothing": token[:39] + "%00", "a line break": token + "%0a",
	} {
		b := s.browser(t)
		a := b.get("/reset/" + bad).leads("/reset?r=unknown")
		if a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s is kept in a cookie", name)
		}
		page := b.follow(a).is(http.StatusNotFound)
		if first == "" {
			first = page.body
		}
		if page.body != first {
			t.Errorf("%s has a page of its own", name)
		}
		if n := page.doc.Find(`form[method="post"]`).Length(); n != 1 || page.one("form").AttrOr("action", "") != "/forgot-password" {
			t.Errorf("%s: %d forms", name, n)
		}
	}
	b := s.browser(t)
	for _, bad := range []string{"", "x", forged} {
		b.post("/reset", "token", bad, "password", newPassword, "password_confirm", newPassword).is(http.StatusGone)
		b.post("/reset/renew", "token", bad).is(http.StatusNotFound)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestEachEndOfALinkHasItsPageWithOneStep(t *testing.T) {
	owner := func(t *testing.T, s *site) model.Actor { return dbtest.Owner(t, s.db) }
	for _, c := range []struct {
		name  string
		end   func(t *testing.T, s *site, id int64)
		says  string
		forms int
	}{
		{"expired", func(_ *testing.T, s *site, _ int64) { s.clock.Add(7 * 24 * time.Hour) }, "This password reset link has expired.", 1},
		{"replaced", func(t *testing.T, s *site, id int64) {
			s.clock.Add(16 * time.Hour)
			must0(t, s.db.SendPasswordReset(t.Context(), owner(t, s), id))
		}, "newer", 1},
		{"used", func(t *testing.T, s *site, id int64) { dbtest.SetPassword(t, s.db, id, dbtest.Password) }, "already changed", 1},
		{"cancelled", func(t *testing.T, s *site, id int64) { must0(t, s.db.CancelReset(t.Context(), owner(t, s), id)) }, "was cancelled", 1},
		{"disabled", func(t *testing.T, s *site, id int64) { must0(t, s.db.Disable(t.Context(), owner(t, s), id)) }, "ring the office", 0},
		{"deleted", func(t *testing.T, s *site, id int64) { must0(t, s.db.DeleteAccount(t.Context(), owner(t, s), id)) }, "ring the office", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			id, token := s.invited(t, "Nina Holm", "nina@example.org")
			open := s.browser(t)
			form := open.follow(open.get("/reset/" + token))
			c.end(t, s, id)

			b := s.browser(t)
			page := b.follow(b.get("/reset/" + token)).is(http.StatusOK).says(c.says)
			page.saysNothingOf("Holm").saysNothingOf("nina@example.org")
			if n := page.doc.Find(`form[method="post"]`).Length(); n != c.forms {
				t.Errorf("%d forms, not %d", n, c.forms)
			}
			// The form was open when the link ended: the same page, and nothing set.
			late := open.submit(form, `form[action="/reset"]`, "", "password", newPassword, "password_confirm", newPassword)
			late.is(http.StatusGone).says(c.says)
			if b.post("/sign-in", "login", "nina@example.org", "password", newPassword).status == http.StatusSeeOther {
				t.Error("an ended link set a password")
			}
			if c.forms == 1 {
				b.submit(page, `form[method="post"]`, "").is(http.StatusOK).says("on its way")
				letters := dbtest.Kinds(dbtest.Deliver(t, s.db))
				if !strings.HasSuffix(letters, "to nina@example.org") {
					t.Errorf("letters: %s", letters)
				}
			}
		})
	}
}

func must0(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAPasswordThatWillNotDoIsSaidBesideItsField(t *testing.T) {
	s := newSite(t)
	_, token := s.invited(t, "Nina Holm", "nina@example.org")
	b := s.browser(t)
	form := b.follow(b.get("/reset/" + token))
	for _, c := range []struct{ password, confirm, field, says string }{
		{"", "", "password", "at least 12 characters"},
		{"short", "short", "password", "12 characters"},
		{"password1234", "password1234", "password", "most used"},
		{"nina is the best", "nina is the best", "password", "your own name"},
		{newPassword, newPassword + "!", "password_confirm", ""},
		{"tab\tin the middle of it", "tab\tin the middle of it", "password", "invisible"},
		{strings.Repeat("long ", 60), strings.Repeat("long ", 60), "password", "256"},
	} {
		a := b.submit(form, `form[action="/reset"]`, "", "password", c.password, "password_confirm", c.confirm)
		a.is(http.StatusUnprocessableEntity).says("Nina Holm").says(c.says)
		if a.one("#"+c.field).AttrOr("aria-invalid", "") != "true" {
			t.Errorf("%q: the mark is not at %s", c.password, c.field)
		}
		for _, value := range []string{c.password, newPassword} {
			if len(value) > 5 {
				a.saysNothingOf(value)
			}
		}
		if a.value(`input[name="token"]`) != token {
			t.Error("the form lost its link")
		}
	}
}

func TestAskingForALinkAnswersTheSameForEverybody(t *testing.T) {
	s := newSite(t)
	dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	b := s.browser(t)
	known := b.post("/forgot-password", "login", "nina@example.org").is(http.StatusOK)
	for _, typed := range []string{"nobody@example.org", "12345", "not an address", "NINA@EXAMPLE.ORG", strings.Repeat("x", 5000), "a\x00b", "\xff\xfe", "<script>"} {
		a := b.post("/forgot-password", "login", typed).is(http.StatusOK)
		if a.body != known.body {
			t.Errorf("%.20q has an answer of its own", typed)
		}
	}
	for range 30 {
		if b.post("/forgot-password", "login", "nina@example.org").is(http.StatusOK).body != known.body {
			t.Fatal("asking often has an answer of its own")
		}
	}
	b.post("/forgot-password", "login", "  ").is(http.StatusUnprocessableEntity).says("Please type")
}

func TestAHandleIsNoSecret(t *testing.T) {
	s := newSite(t)
	_, token := s.invited(t, "Nina Holm", "nina@example.org")
	if strings.Contains(handle(token), token[:8]) || len(handle(token)) != 16 {
		t.Error("the handle shows the link")
	}
	s.browser(t).get("/reset/" + url.PathEscape(handle(token))).leads("/reset?r=unknown")
}

func TestAnOpeningIsNotedOnce(t *testing.T) {
	s := newSite(t)
	id, token := s.invited(t, "Nina Holm", "nina@example.org")
	b := s.browser(t)
	b.get("/reset/" + token)
	b.get("/reset/" + token) // comes after the first one was noted: same connection
	first := s.link(t, id).OpenedAt
	s.clock.Add(time.Minute)
	b.get("/reset/" + token)
	b.get("/healthz")
	if again := s.link(t, id).OpenedAt; !again.Equal(first) || first.IsZero() {
		t.Errorf("opened at %v, then at %v", first, again)
	}
}

func TestTheOldTokenStopsAndTheNewOneWorks(t *testing.T) {
	s := newSite(t)
	id, old := s.invited(t, "Nina Holm", "nina@example.org")
	office := s.owner(t)
	record := "/admin/members/" + strconv.FormatInt(id, 10)
	shown := func() string { return office.get(record + "/settings").value("[data-reset-link]") }
	if got := shown(); got != "http://localhost:8080/reset/"+old {
		t.Fatalf("the tab shows %s", got)
	}
	s.clock.Add(16*time.Hour - time.Second)
	office = s.owner(t)
	office.post(record + "/password-resets").leads(record + "/settings")
	if got := shown(); !strings.HasSuffix(got, old) {
		t.Errorf("inside the window the link changed to %s", got)
	}
	s.clock.Add(time.Second)
	office.post(record + "/password-resets").leads(record + "/settings")
	if got := shown(); strings.HasSuffix(got, old) {
		t.Error("after the window the link stayed")
	}
	b := s.browser(t)
	b.follow(b.get("/reset/" + old)).says("newer")
	b.follow(b.get("/reset/" + dbtest.Token(t, s.db, id).Reveal())).says("Nina Holm")
}
