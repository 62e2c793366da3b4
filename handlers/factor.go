package handlers

import (
	"net/http"

	"latchkey/db/model"
	"latchkey/views"
)

const factorPath = "/account/two-factor"

// renderSecondStep asks for the second factor. There is no session yet: what
// the form carries is all that the browser has.
func (p *portal) renderSecondStep(w http.ResponseWriter, r *http.Request, status int, step model.SecondStep, f views.Form, next string) error {
	visitOf(r).secret = true
	return p.render(w, r, status, views.SecondStepPage(p.page(r), views.SecondStepProps{Step: step, Form: f, Next: localPath(next)}))
}

func (p *portal) proveFactor(w http.ResponseWriter, r *http.Request) error {
	v, form := visitOf(r), r.PostForm
	ticket, next := model.NewSecret(form.Get("ticket")), localPath(form.Get("next"))
	in, err := p.DB.ProveFactor(r.Context(), model.SecondProof{
		Ticket: ticket, Code: form.Get("code"), Passkey: passkeyAnswer(r),
		Device: model.Device(r.UserAgent()), Known: model.NewSecret(readCookie(r, deviceCookie)), Network: v.network,
	})
	if err == nil {
		return p.arrive(w, r, in, next)
	}
	f, status, ok := mendable(w, err)
	if model.KindOf(err) == model.KindSignIn {
		return p.renderSignIn(w, r, status, f, next)
	}
	if !ok {
		return err
	}
	if len(f.Errors) > 0 {
		f.Sentence = "" // beside the field
	}
	step, err := p.DB.SecondStep(r.Context(), ticket)
	if err != nil {
		return err
	}
	return p.renderSecondStep(w, r, status, step, f, next)
}

func (p *portal) signInWithPasskey(w http.ResponseWriter, r *http.Request) error {
	v, form := visitOf(r), r.PostForm
	in, err := p.DB.SignInWithPasskey(r.Context(), model.PasskeySignIn{
		Answer: passkeyAnswer(r), Keep: form.Get("keep") != "", Device: model.Device(r.UserAgent()), Network: v.network,
	})
	if err != nil {
		return p.refuseSignIn(w, r, err)
	}
	return p.arrive(w, r, in, localPath(form.Get("next")))
}

func passkeyAnswer(r *http.Request) model.PasskeyAnswer {
	return model.PasskeyAnswer{
		Ticket: model.NewSecret(r.PostForm.Get("passkey_ticket")), Credential: model.NewSecret(r.PostForm.Get("credential")),
	}
}

func (p *portal) showFactors(w http.ResponseWriter, r *http.Request) error {
	told(w, r)
	return p.renderFactors(w, r, http.StatusOK, "")
}

func (p *portal) renderFactors(w http.ResponseWriter, r *http.Request, status int, sentence string) error {
	v, now := visitOf(r), p.DB.Now()
	has, err := p.DB.SecondFactors(r.Context(), v.by())
	if err != nil {
		return err
	}
	host, passkeys := model.PasskeyHost(v.settings.BaseURL)
	return p.render(w, r, status, views.FactorsPage(p.page(r), views.FactorsProps{
		Has: has, Off: *v.settings.Factors.Of(v.account.Role) == model.FactorOff, NeedsLetter: v.settings.NeedsLetter(v.account, now),
		Passkeys: passkeys, Host: host, Required: v.settings.Factors.Require(v.account.Role), Sentence: sentence,
	}))
}

// sendOwnLetter mails a link to whoever took too long to set up a second factor.
func (p *portal) sendOwnLetter(w http.ResponseWriter, r *http.Request) error {
	if err := p.DB.SendOwnLetter(r.Context(), visitOf(r).by()); err != nil {
		return p.refuseFactors(w, r, err)
	}
	tell(w, visitOf(r), noticeOwnLetter, "")
	return redirect(w, factorPath)
}

// askSelf is the page before an act on one's own second factor.
func (p *portal) askSelf(act string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		return p.renderSelf(w, r, http.StatusOK, views.SelfActs[act], views.Form{})
	}
}

func (p *portal) renderSelf(w http.ResponseWriter, r *http.Request, status int, act views.SelfAct, f views.Form) error {
	v := visitOf(r)
	login, err := p.DB.Login(r.Context(), v.account)
	if err != nil {
		return err
	}
	ask, err := p.DB.AskOwnPasskey(r.Context(), v.by(), v.session.ID)
	if err != nil {
		return err
	}
	return p.render(w, r, status, views.SelfPage(p.page(r), views.SelfProps{Act: act, Form: f, Username: login, Ask: ask}))
}

func selfProof(r *http.Request) model.SelfProof {
	return model.SelfProof{Password: model.NewSecret(r.PostForm.Get("current_password")), Passkey: passkeyAnswer(r), Session: visitOf(r).session.ID}
}

// refuseSelf shows the page before an act once more; what has nothing to do
// with who is there is said above what there is.
func (p *portal) refuseSelf(w http.ResponseWriter, r *http.Request, act views.SelfAct, err error) error {
	f, status, ok := mendable(w, err)
	if !ok {
		return p.refuseFactors(w, r, err)
	}
	return p.renderSelf(w, r, status, act, f)
}

func (p *portal) refuseFactors(w http.ResponseWriter, r *http.Request, err error) error {
	switch model.KindOf(err) {
	case model.KindConflict, model.KindForbidden, model.KindInvalid, model.KindNotFound:
		status, sentence := statusOf(err)
		p.logFailure(r, visitOf(r), status, err)
		return p.renderFactors(w, r, status, sentence)
	}
	return err
}

func (p *portal) beginApp(w http.ResponseWriter, r *http.Request) error {
	app, err := p.DB.BeginApp(r.Context(), visitOf(r).by(), selfProof(r))
	if err != nil {
		return p.refuseSelf(w, r, views.SelfActs["app"], err)
	}
	return p.render(w, r, http.StatusOK, views.NewAppPage(p.page(r), app, views.Form{}))
}

func (p *portal) confirmApp(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	ticket := model.NewSecret(r.PostForm.Get("ticket"))
	added, err := p.DB.ConfirmApp(r.Context(), v.by(), v.session.ID, ticket, r.PostForm.Get("code"))
	if fields, _, ok := fieldsOf(err); ok {
		app, err := p.DB.NewApp(r.Context(), v.by(), ticket)
		if err != nil {
			return p.refuseFactors(w, r, err)
		}
		return p.render(w, r, http.StatusUnprocessableEntity, views.NewAppPage(p.page(r), app, views.Form{Errors: fields}))
	}
	if err != nil {
		return p.refuseFactors(w, r, err)
	}
	return p.added(w, r, added)
}

// added shows new recovery codes, this once, or goes back to what there is.
func (p *portal) added(w http.ResponseWriter, r *http.Request, added model.FactorAdded) error {
	if added.SignIn != nil {
		if err := p.begin(w, r, *added.SignIn); err != nil {
			return err
		}
		// The notice of the grace is out of date.
		visitOf(r).account = added.SignIn.Account
	}
	if len(added.Codes) == 0 {
		tell(w, visitOf(r), noticeFactorAdded, "")
		return redirect(w, factorPath)
	}
	return p.render(w, r, http.StatusOK, views.CodesPage(p.page(r), added.Codes, true))
}

func (p *portal) makeCodes(w http.ResponseWriter, r *http.Request) error {
	codes, err := p.DB.RecoveryCodes(r.Context(), visitOf(r).by(), selfProof(r))
	if err != nil {
		return p.refuseSelf(w, r, views.SelfActs["codes"], err)
	}
	return p.render(w, r, http.StatusOK, views.CodesPage(p.page(r), codes, false))
}

func (p *portal) removeApp(w http.ResponseWriter, r *http.Request) error {
	in, err := p.DB.RemoveApp(r.Context(), visitOf(r).by(), selfProof(r))
	if err != nil {
		return p.refuseSelf(w, r, views.SelfActs["app/remove"], err)
	}
	return p.removed(w, r, in)
}

func (p *portal) beginPasskey(w http.ResponseWriter, r *http.Request) error {
	ask, err := p.DB.BeginPasskey(r.Context(), visitOf(r).by(), selfProof(r))
	if err != nil {
		return p.refuseSelf(w, r, views.SelfActs["passkey"], err)
	}
	return p.render(w, r, http.StatusOK, views.NewPasskeyPage(p.page(r), ask))
}

func (p *portal) addPasskey(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	added, err := p.DB.AddPasskey(r.Context(), v.by(), v.session.ID, passkeyAnswer(r), model.Device(r.UserAgent()))
	if err != nil {
		return p.refuseFactors(w, r, err)
	}
	return p.added(w, r, added)
}

// ownPasskey is the passkey that an address names, if it is one's own.
func (p *portal) ownPasskey(r *http.Request) (model.Passkey, error) {
	has, err := p.DB.SecondFactors(r.Context(), visitOf(r).by())
	if err != nil {
		return model.Passkey{}, err
	}
	id, err := pathID(r)
	if err != nil {
		return model.Passkey{}, err
	}
	return has.Passkey(id)
}

func (p *portal) showPasskeyName(w http.ResponseWriter, r *http.Request) error {
	k, err := p.ownPasskey(r)
	if err != nil {
		return err
	}
	return p.render(w, r, http.StatusOK, views.PasskeyNamePage(p.page(r), k, views.Form{Values: map[string]string{"name": k.Name}}))
}

func (p *portal) renamePasskey(w http.ResponseWriter, r *http.Request) error {
	k, err := p.ownPasskey(r)
	if err != nil {
		return err
	}
	err = p.DB.RenamePasskey(r.Context(), visitOf(r).by(), k.ID, r.PostForm.Get("name"))
	if f, ok := refusedForm(r, err); ok {
		return p.render(w, r, http.StatusUnprocessableEntity, views.PasskeyNamePage(p.page(r), k, f))
	}
	if err != nil {
		return p.refuseFactors(w, r, err)
	}
	tell(w, visitOf(r), noticePasskeyNamed, "")
	return redirect(w, factorPath)
}

func (p *portal) askRemovePasskey(w http.ResponseWriter, r *http.Request) error {
	k, err := p.ownPasskey(r)
	if err != nil {
		return err
	}
	return p.renderSelf(w, r, http.StatusOK, views.RemovePasskey(k), views.Form{})
}

func (p *portal) removePasskey(w http.ResponseWriter, r *http.Request) error {
	k, err := p.ownPasskey(r)
	if err != nil {
		return err
	}
	in, err := p.DB.RemovePasskey(r.Context(), visitOf(r).by(), selfProof(r), k.ID)
	if err != nil {
		return p.refuseSelf(w, r, views.RemovePasskey(k), err)
	}
	return p.removed(w, r, in)
}

func (p *portal) removed(w http.ResponseWriter, r *http.Request, in *model.SignedIn) error {
	if in != nil {
		if err := p.begin(w, r, *in); err != nil {
			return err
		}
	}
	tell(w, visitOf(r), noticeFactorRemoved, "")
	return redirect(w, factorPath)
}

func (p *portal) clearFactor(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, p.DB.ClearFactor, noticeFactorCleared)
}
