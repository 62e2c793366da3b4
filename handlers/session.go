package handlers

import (
	"net/http"
	"strconv"

	"latchkey/db/model"
	"latchkey/views"
)

// home is where somebody belongs: the office at what needs it today, members at their
// account, strangers at the door.
func (p *portal) home(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	switch {
	case v.settings.SetUpAt.IsZero() && !p.SetupCode.IsZero() && v.actor == nil:
		return redirect(w, "/setup")
	case v.actor == nil:
		return redirect(w, "/sign-in")
	case v.actor.Role.InOffice():
		return redirect(w, "/admin")
	}
	return redirect(w, "/account")
}

func (p *portal) showSignIn(w http.ResponseWriter, r *http.Request) error {
	login := told(w, r)
	return p.renderSignIn(w, r, http.StatusOK, views.Form{Values: map[string]string{"login": login}}, r.URL.Query().Get("next"))
}

func (p *portal) renderSignIn(w http.ResponseWriter, r *http.Request, status int, f views.Form, next string) error {
	s := views.SignInProps{Form: f, Next: localPath(next)}
	if v := visitOf(r); v.actor != nil {
		s.SignedInAs = v.actor.Name
	}
	var err error
	if s.Passkey, err = p.DB.AskAnyPasskey(r.Context()); err != nil {
		return err
	}
	return p.render(w, r, status, views.SignInPage(p.page(r), s))
}

func (p *portal) signIn(w http.ResponseWriter, r *http.Request) error {
	v, form := visitOf(r), r.PostForm
	next := localPath(form.Get("next"))
	in, err := p.DB.SignIn(r.Context(), model.SignIn{
		Login: form.Get("login"), Password: model.NewSecret(form.Get("password")), Keep: form.Get("keep") != "",
		Device: model.Device(r.UserAgent()), Known: model.NewSecret(readCookie(r, deviceCookie)), Network: v.network,
	})
	if err != nil {
		return p.refuseSignIn(w, r, err)
	}
	if len(in.Choice) > 0 {
		v.secret = true
		return p.render(w, r, http.StatusOK, views.ChoosePersonPage(p.page(r), views.ChoosePersonProps{
			People: in.Choice, Ticket: in.Ticket, Next: next,
		}))
	}
	return p.arrive(w, r, in, next)
}

// refuseSignIn shows the sign-in page again, whatever the reason: a page of
// its own for any of them would tell which it was.
func (p *portal) refuseSignIn(w http.ResponseWriter, r *http.Request, err error) error {
	f, status, ok := mendable(w, err)
	if !ok && model.KindOf(err) != model.KindSignIn {
		return err
	}
	f.Values = map[string]string{"login": r.PostForm.Get("login"), "keep": r.PostForm.Get("keep")}
	return p.renderSignIn(w, r, status, f, r.PostForm.Get("next"))
}

func (p *portal) choosePerson(w http.ResponseWriter, r *http.Request) error {
	v, form := visitOf(r), r.PostForm
	account, _ := strconv.ParseInt(form.Get("person"), 10, 64) // what is no id is nobody's
	in, err := p.DB.ChoosePerson(r.Context(), model.Choice{
		Ticket: model.NewSecret(form.Get("ticket")), AccountID: account,
		Device: model.Device(r.UserAgent()), Network: v.network,
	})
	if model.KindOf(err) == model.KindSignIn {
		// The password did fit, so the usual sentence would be wrong.
		f := views.Form{Sentence: "That took a while, so please sign in once more."}
		return p.renderSignIn(w, r, http.StatusUnprocessableEntity, f, form.Get("next"))
	}
	if err != nil {
		return err
	}
	return p.arrive(w, r, in, localPath(form.Get("next")))
}

// arrive puts a new session into the browser, in place of one that was there;
// or it asks for the second factor first.
func (p *portal) arrive(w http.ResponseWriter, r *http.Request, in model.SignedIn, next string) error {
	v := visitOf(r)
	if in.Second != nil {
		return p.renderSecondStep(w, r, http.StatusOK, *in.Second, views.Form{}, next)
	}
	if v.actor != nil {
		if err := p.DB.SignOut(r.Context(), *v.actor, v.session.ID); err != nil {
			return err
		}
	}
	if err := p.begin(w, r, in); err != nil {
		return err
	}
	if next == "" {
		next = "/"
	}
	return redirect(w, next)
}

func (p *portal) showSessions(w http.ResponseWriter, r *http.Request) error {
	told(w, r)
	v := visitOf(r)
	all, err := p.DB.Sessions(r.Context(), v.by())
	if err != nil {
		return err
	}
	return p.render(w, r, http.StatusOK, views.SessionsPage(p.page(r), all, v.session.ID, v.network))
}

// endSession signs somebody out in one of their browsers; in this one it is
// Sign out.
func (p *portal) endSession(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	v := visitOf(r)
	if id == v.session.ID {
		return p.signOut(w, r)
	}
	// A second press finds it ended, which is what was wanted.
	if err := p.DB.EndSession(r.Context(), v.by(), id); err != nil && model.KindOf(err) != model.KindNotFound {
		return err
	}
	tell(w, v, noticeSessionEnded, "")
	return redirect(w, "/account/sessions")
}

func (p *portal) endOtherSessions(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	in, err := p.DB.EndOtherSessions(r.Context(), v.by(), v.session.ID)
	if err != nil {
		return err
	}
	if err := p.begin(w, r, in); err != nil {
		return err
	}
	tell(w, v, noticeOthersEnded, "")
	return redirect(w, "/account/sessions")
}

func (p *portal) signOut(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	if v.actor != nil {
		if err := p.DB.SignOut(r.Context(), *v.actor, v.session.ID); err != nil {
			return err
		}
	}
	if err := p.forget(w, r); err != nil {
		return err
	}
	// OWASP ASVS 5.0, 14.3.1. Not "cookies": that clears those of the
	// association's whole domain, and with them the mark by which a known device
	// is not slowed. Not "cache": personal pages are in none (no-store), and
	// Chromium shows the next page only once it is empty: 0.4 s later with 1,500
	// files in it.
	w.Header().Set("Clear-Site-Data", `"storage"`)
	tell(w, v, noticeSignedOut, "")
	return redirect(w, "/sign-in")
}
