package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/db/dbtest"
	"latchkey/db/model"
	"latchkey/views"
)

// readOut presses Read out a code, and gives the answer and the code.
func (b *browser) readOut(memberID int64) (page *reply, code string) {
	b.t.Helper()
	page = b.get(record(memberID) + "/settings").is(http.StatusOK)
	page = b.submit(page, `form[action="`+record(memberID)+`/password-resets/code"]`, "", "note", "born 1 May 1970").is(http.StatusOK)
	return page, page.text("#read-out .code")
}

func TestFromTheCodeOnTheTelephoneToANewPassword(t *testing.T) {
	s := newSite(t)
	id := dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	staff, _ := s.signedIn(t, "Sam Staff", model.RoleStaff)
	page, code := staff.readOut(id)
	page.says("http://localhost:8080/reset/code").says("the email nina@example.org").says("today at 11:52")
	staff.get(record(id) + "/settings").saysNothingOf(code).says("A code was read out by Sam Staff")
	staff.get(record(id) + "/activity").says("Code read out").says("born 1 May 1970").saysNothingOf(code)

	b := s.browser(t)
	form := b.follow(b.get("/sign-in")).is(http.StatusOK)
	if form.one(`a[href="/reset/code"]`).Text() != "I have a code from the office" {
		t.Error("no way from the sign-in page")
	}
	form = b.get("/reset/code").is(http.StatusOK)
	field := form.one(`input[name="code"]`)
	for name, want := range map[string]string{"autocomplete": "one-time-code", "autocapitalize": "characters", "inputmode": "text"} {
		if got := field.AttrOr(name, ""); got != want {
			t.Errorf("the code's field has %s %q", name, got)
		}
	}
	moved := b.submit(form, `form[action="/reset/code"]`, "", "login", "nina@example.org", "code", strings.ToLower(strings.ReplaceAll(code, "-", " ")))
	token := dbtest.Token(t, s.db, id).Reveal()
	moved.leads("/reset?r=" + handle(token))
	if c := moved.cookie("latchkey-reset"); c == nil || c.Value != token || !c.HttpOnly {
		t.Fatalf("the link's cookie: %v", c)
	}
	set := b.follow(moved).is(http.StatusOK).says("Nina Holm")
	b.submit(set, `form[action="/reset"]`, "", "password", newPassword, "password_confirm", newPassword).leads("/sign-in")
	s.browser(t).signIn("nina@example.org", newPassword)
	b.post("/reset/code", "login", "nina@example.org", "code", code).is(http.StatusUnprocessableEntity)
}

// The ten minutes are for typing a code. The form behind it waits as long as
// behind the link, and so the notice about it must not promise less.
func TestTheNoticeOfACodePromisesNoMoreThanIsTrue(t *testing.T) {
	s := newSite(t)
	id := dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	dbtest.Deliver(t, s.db)
	_, code := s.owner(t).readOut(id)
	notice := dbtest.Deliver(t, s.db)
	if dbtest.Kinds(notice) != "code_read_out to nina@example.org" {
		t.Fatal(dbtest.Kinds(notice))
	}
	said, err := views.ComposeLetter(notice[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{said.Text, said.HTML} {
		if strings.Contains(part, "within ten minutes") || !strings.Contains(strings.Join(strings.Fields(part), " "), "had ten minutes to type it") {
			t.Errorf("the notice says\n%s", part)
		}
	}
	b := s.browser(t)
	s.clock.Add(model.SpokenCodeLife - time.Second)
	moved := b.submit(b.get("/reset/code"), `form[action="/reset/code"]`, "", "login", "nina@example.org", "code", code)
	form := b.follow(moved).is(http.StatusOK)
	s.clock.Add(24 * time.Hour)
	b.submit(form, `form[action="/reset"]`, "", "password", newPassword, "password_confirm", newPassword).leads("/sign-in")
}

func TestHtmxGetsTheCodeBesideTheStatusMessage(t *testing.T) {
	s := newSite(t)
	id := dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	b := s.owner(t)
	path := record(id) + "/password-resets/code"
	refused := b.part("POST", path, "note", " ").is(http.StatusUnprocessableEntity).says("how you recognised them")
	if refused.doc.Find("#read-out details[open] input[aria-invalid]").Length() != 1 || refused.doc.Find("#read-out .code").Length() != 0 {
		t.Error("the refused form is not open, or there is a code")
	}
	a := b.part("POST", path, "note", "by voice").is(http.StatusOK)
	if a.doc.Find(`#read-out[hx-swap-oob]`).Length() != 1 || a.doc.Find("[data-reset-link]").Length() != 1 || a.doc.Find("html > head > title").Length() != 0 {
		t.Errorf("no part: %s", a.body)
	}
	first := a.text("#read-out .code")
	second := b.part("POST", path, "note", "by voice").is(http.StatusOK).text("#read-out .code")
	if _, ok := model.ParseCode(second); !ok || first == second {
		t.Errorf("the second half of a double click shows %q after %q", second, first)
	}
	if a.header.Get("Content-Encoding") != "" || !strings.Contains(a.header.Get("Cache-Control"), "no-store") {
		t.Error("the code may be kept or guessed from its length")
	}
}

func TestWhoMayNotReadOutHasNoForm(t *testing.T) {
	s := newSite(t)
	id := dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	owner := s.owner(t)
	_, code := owner.readOut(id)
	viewer, _ := s.signedIn(t, "Vera Viewer", model.RoleViewer)
	page := viewer.get(record(id) + "/settings").is(http.StatusOK).says("A code was read out by Ruth Adler").saysNothingOf(code)
	if page.doc.Find("#read-out form").Length() != 0 {
		t.Error("a viewer has the form")
	}
	viewer.post(record(id)+"/password-resets/code", "note", "by voice").is(http.StatusForbidden)
	staff, actor := s.signedIn(t, "Sam Staff", model.RoleStaff)
	if staff.get(record(actor.MemberID)+"/settings").is(http.StatusOK).doc.Find("#read-out form").Length() != 0 {
		t.Error("staff have the form for themselves")
	}
	staff.post(record(actor.MemberID)+"/password-resets/code", "note", "by voice").is(http.StatusForbidden)
}

// Wrong, of nobody, too old, of a disabled account: the very same page.
func TestEveryCodeThatDoesNotHelpReadsTheSame(t *testing.T) {
	s := newSite(t)
	id := dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	owner := s.owner(t)
	_, old := owner.readOut(id)
	_, cancelled := owner.readOut(dbtest.SignedUp(t, s.db, "Olga Lind", "olga@example.org"))
	must0(t, s.db.CancelReset(t.Context(), dbtest.Owner(t, s.db), dbtest.Actor(t, s.db, "olga@example.org").MemberID))
	_, disabled := owner.readOut(dbtest.SignedUp(t, s.db, "Dora Brandt", "dora@example.org"))
	must0(t, s.db.Disable(t.Context(), dbtest.Owner(t, s.db), dbtest.Actor(t, s.db, "dora@example.org").MemberID))
	s.clock.Add(10 * time.Minute)
	b := s.browser(t)
	var first string
	for _, c := range []struct{ login, code string }{
		{"nina@example.org", "ZZZZ-ZZZZ"}, {"nina@example.org", old}, {"olga@example.org", cancelled}, {"dora@example.org", disabled},
		{"nobody@example.org", "ZZZZ-ZZZZ"}, {"nobody", old},
	} {
		a := b.post("/reset/code", "login", c.login, "code", c.code).is(http.StatusUnprocessableEntity)
		if got := a.value(`input[name="login"]`); got != c.login {
			t.Errorf("what was typed is lost: %q", got)
		}
		if strings.Contains(a.body, c.code) || a.cookie("latchkey-reset") != nil {
			t.Error("a wrong code comes back, or a cookie with it")
		}
		same := strings.ReplaceAll(a.body, `value="`+c.login+`"`, "")
		if first == "" {
			first = same
		}
		if same != first {
			t.Errorf("%s reads otherwise:\n%s\n%s", c.login, same, first)
		}
	}
	a := b.post("/reset/code", "login", "nobody@example.org", "code", "12345678").is(http.StatusUnprocessableEntity).says("eight letters and digits")
	if a.one(`input[name="code"]`).AttrOr("aria-describedby", "") != "code-wrong code-hint" {
		t.Error("what is wrong is not said beside the field")
	}
}

func TestManyWrongCodesSayHowLongToWait(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	for range 20 {
		b.post("/reset/code", "login", "nobody@example.org", "code", "ZZZZ-ZZZZ").is(http.StatusUnprocessableEntity)
	}
	a := b.post("/reset/code", "login", "nina@example.org", "code", "ZZZZ-ZZZZ").is(http.StatusTooManyRequests).says("The next try is possible in 30 seconds.")
	if a.header.Get("Retry-After") != "30" {
		t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
}

func TestATemplateWithACodeIsSeenBeforeItIsSaved(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	for _, name := range []string{"code", "both"} {
		a := b.get(resetTemplatePath + "?original=" + name).is(http.StatusOK)
		b.frame(a).says(model.SampleCode).says("http://localhost:8080/reset/code")
	}
}

// Whatever is typed, nothing opens but by the right code.
func FuzzCode(f *testing.F) {
	z := newFuzzed(f)
	f.Add("nina@example.org", "K7WX-M3QZ")
	f.Add("olga@example.org", "k7wx m3qz")
	f.Add("\x00", "\xff")
	f.Add("", "")
	f.Add(" @ ", "ZZZZ–ZZZZ")
	f.Fuzz(func(t *testing.T, login, code string) {
		z.clock.Add(30 * time.Second) // or all but the first would have to wait
		form := url.Values{"login": {login}, "code": {code}}
		r := httptest.NewRequest("POST", "/reset/code", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		z.portal.ServeHTTP(w, r)
		if w.Code != http.StatusUnprocessableEntity || w.Header().Get("Set-Cookie") != "" {
			t.Fatalf("%q with %q: %d", login, code, w.Code)
		}
	})
}
