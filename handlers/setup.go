package handlers

import (
	"crypto/subtle"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"latchkey/db/model"
	"latchkey/views"
)

const (
	setupCookie = "latchkey-setup"
	setupLife   = 2 * time.Hour
)

// errNoSetupCode meets whoever finds the portal before its owner does.
var errNoSetupCode = &refusal{
	status:   http.StatusForbidden,
	sentence: "This portal is not set up yet. Whoever started it has the address for that: it stands in the terminal, and in the log, of the machine the portal runs on.",
	next:     "/setup", nextText: "Look again",
}

// showSetup takes the code out of the address at once, like a reset link.
func (p *portal) showSetup(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	if code := r.URL.Query().Get("code"); code != "" && p.opensSetup(code) && v.settings.SetUpAt.IsZero() {
		w.Header().Set("Referrer-Policy", "no-referrer")
		setCookie(w, v, setupCookie, code, setupLife)
		return redirect(w, "/setup")
	}
	if err := p.maySetUp(r); err != nil {
		return err
	}
	s := v.settings
	values := settingValues(s)
	maps.Copy(values, serverValues(s.Mail))
	if s.TimeZone == "UTC" {
		values["time_zone"] = machineZone()
	}
	return p.renderSetup(w, r, http.StatusOK, views.Form{Values: values})
}

func (p *portal) renderSetup(w http.ResponseWriter, r *http.Request, status int, f views.Form) error {
	v := visitOf(r)
	v.secret = true
	n := choosing(p.DB.OwnerPasswordRules(v.settings, model.Member{}))
	n.Label, n.Focus, n.Sends = "Password", false, "association first_name last_name email"
	n.Hint = fmt.Sprintf("At least %d characters, because you hold the key to everybody’s account. Four words you can remember are good.", n.Least)
	return p.render(w, r, status, views.SetupPage(p.page(r), f, zones(f.Values["time_zone"]), n))
}

func (p *portal) maySetUp(r *http.Request) error {
	if !visitOf(r).settings.SetUpAt.IsZero() {
		return errNoPage
	}
	if !p.opensSetup(readCookie(r, setupCookie)) {
		return errNoSetupCode
	}
	return nil
}

func (p *portal) opensSetup(code string) bool {
	return !p.SetupCode.IsZero() && subtle.ConstantTimeCompare([]byte(code), []byte(p.SetupCode.Reveal())) == 1
}

func (p *portal) setUp(w http.ResponseWriter, r *http.Request) error {
	if err := p.maySetUp(r); err != nil {
		return err
	}
	v, form := visitOf(r), r.PostForm
	s, unread := v.settings, model.Fields{}
	s.Association, s.TimeZone = form.Get("association"), form.Get("time_zone")
	if !s.Fixed["base_url"] {
		s.BaseURL = form.Get("base_url")
	}
	s.SupportPhone, s.SupportEmail = form.Get("support_phone"), form.Get("support_email")
	if !s.Fixed["mail_server"] {
		s.Mail = typedServer(form, unread)
	}
	err := p.DB.SetUp(r.Context(), model.SetUp{
		FirstName: form.Get("first_name"), LastName: form.Get("last_name"), Email: form.Get("email"),
		Password: model.NewSecret(form.Get("password")), Confirm: model.NewSecret(form.Get("password_confirm")), Settings: s, Unread: unread,
	})
	if f, ok := refusedForm(r, err); ok {
		return p.renderSetup(w, r, http.StatusUnprocessableEntity, f)
	}
	if err != nil {
		return err
	}
	setCookie(w, v, setupCookie, "", 0)
	if now, err := p.DB.Settings(r.Context()); err == nil {
		v.settings = now // https has other names for cookies than http
	}
	tell(w, v, noticeSetUp, strings.TrimSpace(form.Get("email")))
	return redirect(w, "/sign-in")
}
