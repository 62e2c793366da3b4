package handlers

import (
	"net/http"
	"strings"
	"testing"

	"latchkey/db"
	"latchkey/db/model"
)

const setupCode = "abcdefghijklmnopqrstuvwxyz"

// newborn is a portal before its first start is over.
func newborn(t testing.TB) *site {
	t.Helper()
	d, err := db.Open(t.Context(), t.TempDir(), db.Fixed{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return serveSite(t, d, nil, func(c *Config) { c.SetupCode = model.NewSecret(setupCode) })
}

func TestTheFirstStart(t *testing.T) {
	s := newborn(t)
	b := s.browser(t)
	b.get("/").leads("/setup")
	b.get("/setup").is(http.StatusForbidden).says("terminal")
	b.post("/setup", "association", "Mine").is(http.StatusForbidden)
	for _, wrong := range []string{"x", setupCode + "x", setupCode[:25], strings.ToUpper(setupCode), "%00"} {
		a := b.get("/setup?code=" + wrong).is(http.StatusForbidden)
		if a.header.Get("Set-Cookie") != "" {
			t.Errorf("%q is kept", wrong)
		}
		b.get("/setup", "Cookie", "latchkey-setup="+wrong).is(http.StatusForbidden)
	}

	in := b.get("/setup?code=" + setupCode).leads("/setup")
	if in.header.Get("Referrer-Policy") != "no-referrer" || !in.cookie("latchkey-setup").HttpOnly {
		t.Errorf("%v", in.header)
	}
	page := b.follow(in).is(http.StatusOK).saysNothingOf(setupCode)
	if got := page.value("#base_url"); got != "http://localhost:8080" {
		t.Errorf("the base URL is prefilled with %q", got)
	}

	form := `form[action="/setup"]`
	good := []string{"association", "Riverside Choir", "first_name", "Ruth", "last_name", "Adler", "email", "ruth@example.org",
		"password", newPassword, "password_confirm", newPassword, "time_zone", "Europe/Berlin"}
	for field, value := range map[string]string{"association": "", "email": "ruth", "last_name": strings.Repeat("x", 101), "password": "short", "time_zone": "x", "mail_host": "smtp://mail", "mail_port": "22"} {
		bad := append(append([]string{}, good...), "mail_host", "mail.example.org", "mail_user", "club", "mail_password", "hidden-word", field, value)
		a := b.submit(page, form, "", bad...).is(http.StatusUnprocessableEntity).saysNothingOf(newPassword).saysNothingOf("hidden-word")
		a.one("#" + field + "[aria-invalid]")
		if field != "association" && a.value("#association") != "Riverside Choir" {
			t.Errorf("%s: what was typed is lost", field)
		}
	}

	all := append(append([]string{}, good...), "mail_host", "smtp://mail", "association", "", "email", "ruth", "password", "short")
	if n := b.submit(page, form, "", all...).doc.Find("[aria-invalid]").Length(); n != 5 { // and the password's repetition
		t.Errorf("%d fields are marked in one round", n)
	}

	b.submit(page, form, "", append(append([]string{}, good...), "mail_host", "mail.example.org", "mail_user", "club")...).is(http.StatusUnprocessableEntity).one("#mail_password[aria-invalid]")

	a := b.submit(page, form, "", append(good, "support_phone", "030 7", "support_email", "office@example.org",
		"mail_host", "mail.example.org", "mail_port", "465", "mail_tls", "tls", "mail_user", "club", "mail_password", "hidden-word")...).leads("/sign-in")
	if got, err := s.db.Settings(t.Context()); err != nil || got.Mail.URL() != "smtps://club@mail.example.org:465" || got.Mail.Password.Reveal() != "hidden-word" {
		t.Errorf("letters are handed to %s, %v", got.Mail.URL(), err)
	}
	if got, err := s.db.Settings(t.Context()); err != nil || got.SupportPhone != "030 7" || got.SupportEmail != "office@example.org" {
		t.Errorf("%q, %q, %v", got.SupportPhone, got.SupportEmail, err)
	}
	signIn := b.follow(a).says("The portal is ready.")
	if got := signIn.value(`input[name="login"]`); got != "ruth@example.org" {
		t.Errorf("the sign-in page is prefilled with %q", got)
	}
	b.submit(signIn, `form[action="/sign-in"]`, "", "password", newPassword).leads("/")
	b.follow(b.get("/")).is(http.StatusOK).says("Riverside Choir")

	late := s.browser(t)
	for _, path := range []string{"/setup", "/setup?code=" + setupCode} {
		late.get(path).is(http.StatusNotFound)
		late.get(path, "Cookie", "latchkey-setup="+setupCode).is(http.StatusNotFound)
	}
	late.post("/setup").is(http.StatusNotFound)
}

func TestWithoutACodeNobodySetsUp(t *testing.T) {
	s := newborn(t)
	s.portal.SetupCode = model.Secret{}
	b := s.browser(t)
	b.get("/setup?code=").is(http.StatusForbidden)
	b.get("/setup", "Cookie", "latchkey-setup=").is(http.StatusForbidden)
}

func TestCapturedLettersAreForTheDemoAlone(t *testing.T) {
	s := newSite(t)
	s.browser(t).get("/demo/letters").is(http.StatusNotFound)
	s.owner(t).get("/demo/letters").is(http.StatusNotFound)
}

func TestTheDemoShowsItsLettersWithWorkingLinks(t *testing.T) {
	s := newborn(t)
	d := s.db
	now, err := d.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now.Association = "Demo Club"
	must0(t, d.SetUp(t.Context(), model.SetUp{FirstName: "Ruth", LastName: "Adler", Email: "ruth@example.org", Password: model.NewSecret(newPassword), Confirm: model.NewSecret(newPassword), Settings: now}))
	id, err := d.AddMember(t.Context(), model.ShellActor(), model.Member{FirstName: "Nina", LastName: "Holm", Email: "nina@example.org"})
	must0(t, err)
	must0(t, d.CreateUser(t.Context(), model.ShellActor(), id, "nina@example.org", false))
	demo := serveSite(t, d, nil, func(c *Config) { c.Demo = true })
	b := demo.browser(t)
	list := b.get("/demo/letters").is(http.StatusOK).says("nina@example.org")
	letter := b.get(list.one(`main a[href^="/demo/letters/"]`).AttrOr("href", "")).is(http.StatusOK).says("Nina")
	look := b.get(letter.one(`a[href$="/html"]`).AttrOr("href", "")).is(http.StatusOK).says("Nina")
	if look.header.Get("Content-Security-Policy") != letterPolicy {
		t.Errorf("%v", look.header)
	}
	link := letter.one(`a[href*="/reset/"]`).AttrOr("href", "")
	b.follow(b.get(strings.TrimPrefix(link, now.BaseURL))).is(http.StatusOK).says("Nina Holm")
	for _, no := range []string{"0", "x", "999"} {
		b.get("/demo/letters/" + no).is(http.StatusNotFound)
	}
}
