package handlers

import (
	"net/http"
	"slices"

	"latchkey/db/model"
	"latchkey/views"
)

func (p *portal) showCode(w http.ResponseWriter, r *http.Request) error {
	return p.render(w, r, http.StatusOK, views.CodePage(p.page(r), views.Form{}))
}

// enterCode leads to where the link would lead, by the same cookie.
func (p *portal) enterCode(w http.ResponseWriter, r *http.Request) error {
	v, form := visitOf(r), r.PostForm
	opened, err := p.DB.EnterCode(r.Context(), model.CodeTry{Login: form.Get("login"), Code: model.NewSecret(form.Get("code")), Network: v.network})
	if err != nil {
		return p.refuseCode(w, r, err)
	}
	token := opened.Reveal()
	keepResets(w, v, append([]string{token}, slices.DeleteFunc(resetTokens(r), func(t string) bool { return t == token })...))
	return redirect(w, "/reset?r="+handle(token))
}

func (p *portal) refuseCode(w http.ResponseWriter, r *http.Request, err error) error {
	f, status, ok := mendable(w, err)
	if !ok && model.KindOf(err) != model.KindSignIn {
		return err
	}
	f.Values = map[string]string{"login": r.PostForm.Get("login")}
	return p.render(w, r, status, views.CodePage(p.page(r), f))
}

// readOutCode shows a new code in its answer, and there alone: a redirect would
// have to keep it for the next page.
func (p *portal) readOutCode(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	v, note := visitOf(r), r.PostForm.Get("note")
	record, err := p.DB.ReadOutCode(r.Context(), v.by(), id, note)
	if fields, sentence, invalid := fieldsOf(err); invalid {
		return p.renderMemberSettings(w, r, http.StatusUnprocessableEntity, id, views.AccountForm{
			Form:    views.Form{Values: map[string]string{"note": note}, Errors: fields, Sentence: sentence},
			Reading: true,
		})
	}
	if err != nil {
		return p.acted(w, r, id, err, "")
	}
	v.secret = true
	return p.renderRecord(w, r, http.StatusOK, record, views.AccountForm{})
}
