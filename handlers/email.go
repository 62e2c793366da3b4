package handlers

import (
	"net/http"

	"latchkey/db/model"
	"latchkey/views"
)

const emailCookie = "latchkey-email"

func (p *portal) showEmail(w http.ResponseWriter, r *http.Request) error {
	told(w, r)
	return p.renderEmail(w, r, http.StatusOK, views.Form{})
}

func (p *portal) renderEmail(w http.ResponseWriter, r *http.Request, status int, f views.Form) error {
	v := visitOf(r)
	login, err := p.DB.Login(r.Context(), v.account)
	if err != nil {
		return err
	}
	waiting, err := p.DB.PendingEmail(r.Context(), v.by())
	if err != nil {
		return err
	}
	return p.render(w, r, status, views.EmailPage(p.page(r), views.EmailProps{Form: f, Username: login, Waiting: waiting}))
}

// askEmail sends a letter to the address that was typed. The answer does not
// depend on who has it.
func (p *portal) askEmail(w http.ResponseWriter, r *http.Request) error {
	form := r.PostForm
	err := p.DB.AskEmail(r.Context(), visitOf(r).by(), model.NewEmail{
		Email: form.Get("email"), Current: model.NewSecret(form.Get("current_password")),
	})
	if err != nil {
		return p.refuseEmail(w, r, err)
	}
	return redirect(w, "/account/email")
}

func (p *portal) refuseEmail(w http.ResponseWriter, r *http.Request, err error) error {
	f, status, ok := mendable(w, err)
	if !ok {
		if kind := model.KindOf(err); kind != model.KindConflict && kind != model.KindNotFound {
			return err
		}
		p.logFailure(r, visitOf(r), status, err)
	}
	f.Values = map[string]string{"email": r.PostForm.Get("email")}
	return p.renderEmail(w, r, status, f)
}

func (p *portal) askEmailAgain(w http.ResponseWriter, r *http.Request) error {
	if err := p.DB.AskEmailAgain(r.Context(), visitOf(r).by()); err != nil {
		return p.refuseEmail(w, r, err)
	}
	tell(w, visitOf(r), noticeEmailAgain, "")
	return redirect(w, "/account/email")
}

func (p *portal) cancelEmail(w http.ResponseWriter, r *http.Request) error {
	// A second press finds nothing waiting, which is what was wanted.
	if err := p.DB.CancelEmail(r.Context(), visitOf(r).by()); err != nil && model.KindOf(err) != model.KindNotFound {
		return err
	}
	tell(w, visitOf(r), noticeEmailKept, "")
	return redirect(w, "/account")
}

// openEmail takes the token out of the address, as openReset does. One is kept:
// the form has its own.
func (p *portal) openEmail(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Referrer-Policy", "no-referrer")
	token := r.PathValue("token")
	o, err := p.DB.OpenEmail(r.Context(), token)
	if err != nil {
		return err
	}
	if o.State == model.ResetUnknown {
		return redirect(w, "/email?r="+handleUnknown)
	}
	setCookie(w, visitOf(r), emailCookie, token, resetCookieLife)
	return redirect(w, "/email?r="+handle(token))
}

// showEmailLink says what a press would do. Mail scanners come here too, so to
// look does nothing.
func (p *portal) showEmailLink(w http.ResponseWriter, r *http.Request) error {
	asked, token := r.URL.Query().Get("r"), readCookie(r, emailCookie)
	if asked == handleUnknown {
		return p.renderEmailLink(w, r, http.StatusNotFound, "", model.OpenedEmail{State: model.ResetUnknown})
	}
	if token == "" || handle(token) != asked {
		return p.render(w, r, http.StatusOK, views.EmailReopenPage(p.page(r)))
	}
	o, err := p.DB.OpenEmail(r.Context(), token)
	if err != nil {
		return err
	}
	return p.renderEmailLink(w, r, http.StatusOK, token, o)
}

func (p *portal) renderEmailLink(w http.ResponseWriter, r *http.Request, status int, token string, o model.OpenedEmail) error {
	v := visitOf(r)
	v.secret = true
	props := views.EmailLinkProps{Opened: o, Token: model.NewSecret(token)}
	if v.actor != nil && v.actor.AccountID != o.Change.AccountID {
		props.SignedInAs = v.actor.Name
	}
	return p.render(w, r, status, views.EmailLinkPage(p.page(r), props))
}

// confirmEmail is the one press. Whoever is signed in here to that account stays
// so, with a new session; nobody else is signed in by it.
func (p *portal) confirmEmail(w http.ResponseWriter, r *http.Request) error {
	v, token := visitOf(r), r.PostForm.Get("token")
	done, err := p.DB.ConfirmEmail(r.Context(), model.EmailConfirm{Token: model.NewSecret(token), Session: v.session.ID, Network: v.network})
	if model.KindOf(err) == model.KindLinkEnded {
		o, err := p.DB.OpenEmail(r.Context(), token)
		if err != nil {
			return err
		}
		status := http.StatusConflict
		if o.State == model.ResetUnknown {
			status = http.StatusNotFound
		}
		return p.renderEmailLink(w, r, status, token, o)
	}
	if err != nil {
		return err
	}
	setCookie(w, v, emailCookie, "", 0)
	n := noticeEmailConfirmed
	if done.NewPassword {
		n = noticeEmailNewPassword
	}
	if done.SignIn != nil {
		if err := p.begin(w, r, *done.SignIn); err != nil {
			return err
		}
		if !done.NewPassword {
			n = noticeEmailStays
		}
		tell(w, v, n, "")
		return redirect(w, "/account")
	}
	tell(w, v, n, done.Login)
	return redirect(w, "/sign-in")
}
