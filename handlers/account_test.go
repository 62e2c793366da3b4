package handlers

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func record(id int64) string { return "/admin/members/" + strconv.FormatInt(id, 10) }

func TestCreateUserShowsTheBannerWithTheLink(t *testing.T) {
	s := newSite(t)
	id := dbtest.Member(t, s.db, "Nina Holm", "nina@example.org")
	b := s.owner(t)
	tab := b.get(record(id) + "/settings").is(http.StatusOK)
	if n := tab.doc.Find("[data-reset-link]").Length(); n != 0 {
		t.Errorf("%d links before there is one", n)
	}
	tab.one(`#reset-status[role="status"]`) // stands there before anything is said in it
	b.submit(tab, `form[action$="/account"]`, "").leads(record(id) + "/settings")
	banner := b.get(record(id) + "/settings")
	if got := banner.text("#reset-status .message"); got != "Account successfully created and reset password email sent." {
		t.Errorf("the banner says %q", got)
	}
	link := banner.one("#reset-status [data-reset-link]").AttrOr("data-reset-link", "")
	if link != "http://localhost:8080/reset/"+dbtest.Token(t, s.db, id).Reveal() {
		t.Errorf("the link is %q", link)
	}
}

func TestSendWithoutScriptRedirectsToTheBanner(t *testing.T) {
	s := newSite(t)
	id := dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	b := s.owner(t)
	tab := b.get(record(id) + "/settings")
	sent := b.submit(tab, `form[action$="/password-resets"]`, "").leads(record(id) + "/settings")
	if got := b.follow(sent).text("#reset-status .message"); got != "Reset password email sent." {
		t.Errorf("the banner says %q", got)
	}
	reloaded := b.get(record(id)+"/settings").one("[data-reset-link]").AttrOr("data-reset-link", "")
	another := s.owner(t).get(record(id)+"/settings").one("[data-reset-link]").AttrOr("data-reset-link", "")
	if reloaded != another || reloaded == "" {
		t.Errorf("after a reload %q, in another browser %q", reloaded, another)
	}
}

func TestSendWithHtmxAnswersTheInsideOfTheBanner(t *testing.T) {
	s := newSite(t)
	id := dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	b := s.owner(t)
	a := b.part("POST", record(id)+"/password-resets").is(http.StatusOK)
	if strings.Contains(a.body, "<html") || strings.Contains(a.body, `id="reset-status"`) {
		t.Errorf("more than the part:\n%s", a.body)
	}
	if got := a.text(".message"); got != "Reset password email sent." {
		t.Errorf("the part says %q", got)
	}
	a.one("[data-reset-link]")
	if !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Hx-Request-Type") {
		t.Errorf("Vary is %q", a.header.Values("Vary"))
	}
	whole := b.get(record(id)+"/settings", "Hx-Request", "true", "Hx-Request-Type", "full")
	whole.one("html > head > title")
	whole.one("#reset-status [data-reset-link]")
}

func TestARefusedPressIsABannerForHtmxAndThePageWithout(t *testing.T) {
	s := newSite(t)
	id := dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	must0(t, s.db.Disable(t.Context(), dbtest.Owner(t, s.db), id))
	b := s.owner(t)
	part := b.part("POST", record(id)+"/password-resets").is(http.StatusConflict)
	if strings.Contains(part.body, "<html") {
		t.Error("htmx gets a page")
	}
	if got := part.text("#refused[hx-swap-oob]"); !strings.Contains(got, "disabled") {
		t.Errorf("beside the status message stands %q", got)
	}
	page := b.post(record(id) + "/password-resets").is(http.StatusConflict)
	page.one("#account-panel")
	if got := page.text(`main > .mistakes[role="alert"]`); !strings.Contains(got, "disabled") {
		t.Errorf("above the page stands %q", got)
	}
	if n := page.doc.Find("main > .said:not([hidden])").Length(); n != 0 {
		t.Error("a refusal looks like a success")
	}
}

func TestARefusalLeavesTheStatusMessageAlone(t *testing.T) {
	s := newSite(t)
	id, token := s.invited(t, "Nina Holm", "nina@example.org")
	b, _ := s.signedIn(t, "Vera Adams", model.RoleViewer)
	a := b.part("POST", record(id)+"/password-resets").is(http.StatusForbidden).saysNothingOf(token)
	if a.header.Get("Hx-Retarget") != "#refused" || a.header.Get("Hx-Reswap") != "innerHTML" {
		t.Errorf("the refusal goes to %q, %q", a.header.Get("Hx-Retarget"), a.header.Get("Hx-Reswap"))
	}
	if a := b.part("GET", "/admin/members/999"); a.header.Get("Hx-Retarget") != "" {
		t.Error("a search that failed is shown elsewhere")
	}
}

func TestThePollOfTheLetterNeverCarriesTheLink(t *testing.T) {
	s := newSite(t)
	id, token := s.invited(t, "Nina Holm", "nina@example.org")
	b := s.owner(t)
	b.get(record(id) + "/settings").one("#letter-state[hx-get]")
	a := b.part("GET", record(id)+"/password-resets/letter").is(http.StatusOK)
	a.one("#letter-state[hx-get]") // not settled: asks again
	a.saysNothingOf(token)
	dbtest.Deliver(t, s.db)
	a = b.part("GET", record(id)+"/password-resets/letter").is(http.StatusOK).says("accepted")
	a.saysNothingOf(token)
	if a.doc.Find("[hx-trigger]").Length() != 0 {
		t.Error("a settled letter is asked for again")
	}
	if err := s.db.CancelReset(t.Context(), dbtest.Owner(t, s.db), id); err != nil {
		t.Fatal(err)
	}
	b.part("GET", record(id)+"/password-resets/letter").is(http.StatusNotFound)
}

func TestTheBeaconOfCopyLinkIsALineOfTheActivity(t *testing.T) {
	s := newSite(t)
	id, _ := s.invited(t, "Nina Holm", "nina@example.org")
	b := s.owner(t)
	reset := strconv.FormatInt(s.link(t, id).ID, 10)
	b.post(record(id)+"/password-resets/copied", "reset", reset).is(http.StatusNoContent)
	b.get(record(id) + "/activity").is(http.StatusOK).says("Link copied")
	b.post(record(id)+"/password-resets/copied", "reset", "999").is(http.StatusNotFound)
	b.post(record(id)+"/password-resets/copied", "reset", "x").is(http.StatusBadRequest)
	b.post(record(id) + "/password-resets/copied").is(http.StatusBadRequest)
}

func TestViewersAndEqualsSeeTheMessageAndNoLink(t *testing.T) {
	s := newSite(t)
	id, token := s.invited(t, "Nina Holm", "nina@example.org")
	viewer, _ := s.signedIn(t, "Vera Adams", model.RoleViewer)
	viewer.get(record(id) + "/settings").is(http.StatusOK).says("reset password email sent").saysNothingOf(token)

	colleague := dbtest.Person(t, s.db, "Sven Falk", model.RoleStaff)
	staff, me := s.signedIn(t, "Sara Lund", model.RoleStaff)
	staff.post(record(colleague.MemberID) + "/password-resets").leads(record(colleague.MemberID) + "/settings")
	equal := dbtest.Token(t, s.db, colleague.MemberID).Reveal()
	staff.get(record(colleague.MemberID) + "/settings").is(http.StatusOK).saysNothingOf(equal)
	for _, act := range []string{"/account/disable", "/account/delete", "/sessions/end"} {
		staff.post(record(colleague.MemberID) + act).is(http.StatusForbidden).saysNothingOf(equal)
		staff.post(record(me.MemberID) + act).is(http.StatusForbidden)
	}
	staff.post(record(colleague.MemberID)+"/account/email", "email", "mine@example.org").is(http.StatusForbidden)
	staff.post(record(1) + "/password-resets").is(http.StatusForbidden) // the owner's
}

func TestAnEmailOfSomebodyElseNamesThemWithTheWayThere(t *testing.T) {
	s := newSite(t)
	holder := dbtest.MemberWithAccount(t, s.db, "Nina Holm", "holm@example.org")
	id := dbtest.Member(t, s.db, "Paul Holm", "")
	b := s.owner(t)
	for name, a := range map[string]*reply{
		"page": b.post(record(id)+"/account", "email", "Holm@example.org"),
		"part": b.part("POST", record(id)+"/account", "email", "Holm@example.org"),
	} {
		a.is(http.StatusUnprocessableEntity).says("Nina Holm")
		if a.value("#email") != "Holm@example.org" {
			t.Errorf("%s: what was typed is lost", name)
		}
		a.one(`#account a[href="` + record(holder) + `"]`)
		a.one(`#account button[name="share"]`)
	}
	page := b.post(record(id)+"/account", "email", "holm@example.org")
	b.submit(page, `form[action$="/account"]`, `button[name="share"]`).leads(record(id) + "/settings")
	if got := dbtest.Account(t, s.db, id).Email; got != "holm@example.org" {
		t.Errorf("the account's email is %q", got)
	}
}

func TestAnEmailThatWillNotDoKeepsWhatWasTyped(t *testing.T) {
	s := newSite(t)
	without := dbtest.Member(t, s.db, "Nina Holm", "")
	with := dbtest.SignedUp(t, s.db, "Paul Berg", "paul@example.org")
	b := s.owner(t)
	for _, email := range []string{"not an address", "a@b", "x@example.org\r\nBcc: y@example.org", strings.Repeat("x", 300) + "@example.org", "<script>@example.org", "\x00"} {
		for _, path := range []string{record(without) + "/account", record(with) + "/account/email"} {
			a := b.post(path, "email", email).is(http.StatusUnprocessableEntity)
			if a.doc.Find(`#email[aria-invalid="true"]`).Length() != 1 {
				t.Errorf("%.20q at %s has no mark", email, path)
			}
			if got := a.value("#email"); got != strings.NewReplacer("\r\n", "\n", "\x00", "\ufffd").Replace(email) && !strings.ContainsAny(email, "\r\x00") {
				t.Errorf("%.20q came back as %.20q", email, got)
			}
		}
	}
	b.post(record(without)+"/account", "email", "").is(http.StatusUnprocessableEntity).says("email address")
}

func TestTheActsOnAnAccount(t *testing.T) {
	s := newSite(t)
	id := dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	member := s.browser(t)
	member.signIn("nina@example.org", dbtest.Password)
	b := s.owner(t)
	settings := record(id) + "/settings"
	press := func(act string, fields ...string) *reply {
		t.Helper()
		return b.follow(b.submit(b.get(settings), `form[action$="`+act+`"]`, "", fields...).leads(settings)).is(http.StatusOK)
	}

	press("/sessions/end").says("signed out everywhere")
	member.get("/account").leads("/sign-in?next=%2Faccount")

	press("/account/disable").says("disabled")
	if !dbtest.Account(t, s.db, id).Disabled() {
		t.Fatal("not disabled")
	}
	b.post(record(id) + "/account/enable").leads(settings)
	if dbtest.Account(t, s.db, id).Disabled() {
		t.Fatal("not enabled")
	}
	b.get(settings).one("[data-reset-link]") // enabling needs a new password

	press("/password-resets/cancel").says("cancelled")
	if n := b.get(settings).doc.Find("[data-reset-link]").Length(); n != 0 {
		t.Error("a cancelled link is shown")
	}

	press("/account/email", "email", "holm@example.org").says("email is changed")
	if got := dbtest.Account(t, s.db, id).Email; got != "holm@example.org" {
		t.Fatalf("the email is %q", got)
	}

	press("/account/role", "role", "viewer").says("role waits")
	b.post(record(id)+"/account/role", "role", "emperor").is(http.StatusUnprocessableEntity).says("one of the roles")
	b.post(record(1)+"/account/role", "role", "member").is(http.StatusConflict).says("last owner")

	press("/account/delete").says("account is deleted")
	b.get(record(id)).is(http.StatusOK).says("Nina Holm")
	b.get(settings).one(`form[action$="/account"]`) // Create User
	b.post(record(id) + "/account/disable").is(http.StatusNotFound)
}

func TestChangingOnesOwnPassword(t *testing.T) {
	s := newSite(t)
	dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	b, elsewhere := s.browser(t), s.browser(t)
	b.signIn("nina@example.org", dbtest.Password)
	elsewhere.signIn("nina@example.org", dbtest.Password)
	page := b.get("/account/password").is(http.StatusOK)
	if got := page.value(`input[autocomplete="username"]`); got != "nina@example.org" {
		t.Errorf("the password manager is told %q", got)
	}
	page.one(`input[name="current_password"][autocomplete="current-password"]`)
	form := `form[action="/account/password"]`
	for _, c := range []struct{ current, password, confirm, field string }{
		{"wrong", newPassword, newPassword, "current_password"},
		{dbtest.Password, "short", "short", "password"},
		{dbtest.Password, dbtest.Password, dbtest.Password, "password"},
		{dbtest.Password, newPassword, "else", "password_confirm"},
		{"", "", "", "current_password"},
	} {
		a := b.submit(page, form, "", "current_password", c.current, "password", c.password, "password_confirm", c.confirm)
		a.is(http.StatusUnprocessableEntity).saysNothingOf(newPassword)
		if a.one("#"+c.field).AttrOr("aria-invalid", "") != "true" {
			t.Errorf("the mark is not at %s", c.field)
		}
	}
	before := b.client.Jar.Cookies(b.request("GET", "/", "").URL)
	done := b.submit(page, form, "", "current_password", dbtest.Password, "password", newPassword, "password_confirm", newPassword).leads("/account")
	if c := done.cookie("latchkey"); c == nil || c.Value == before[0].Value {
		t.Error("the session kept its cookie")
	}
	b.follow(done).is(http.StatusOK).says("Your password is changed.")
	elsewhere.get("/account").leads("/sign-in?next=%2Faccount")
	s.browser(t).signIn("nina@example.org", newPassword)
}

func TestPasswordManagersFindThePage(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	a := b.get("/.well-known/change-password").is(http.StatusFound)
	if a.header.Get("Location") != "/account/password" {
		t.Errorf("leads to %q", a.header.Get("Location"))
	}
	b.follow(a).is(http.StatusOK).says("Sign in").one(`input[name="next"][value="/account/password"]`)
}
