package handlers

import (
	"net/http"

	"latchkey/db/model"
	"latchkey/views"
)

// suggestions is how many passphrases a page brings along: one press shows the
// next of them.
const suggestions = 4

func choosing(r model.PasswordRules) views.NewPassword {
	return views.NewPassword{Least: r.Least, Suggests: model.SuggestPassphrases(suggestions, r), Label: "New password", Focus: true}
}

// measurePassword says of a password what the form would say of it, and how
// strong it is. It is asked while somebody types, and keeps nothing: no log
// line names what was typed, and no row holds it.
//
// It answers whoever has the form on screen and nobody else: the holder of a
// live link, somebody signed in, or whoever sets the portal up. What it may
// say is no more than the form's page tells them (see db.PasswordRules),
// and one answer takes two milliseconds at the most.
func (p *portal) measurePassword(w http.ResponseWriter, r *http.Request) error {
	visitOf(r).secret = true
	rules, err := p.rulesFor(r)
	switch model.KindOf(err) {
	case model.KindForbidden, model.KindLinkEnded:
		// The form itself says why, on submitting. Beside the field it would
		// only frighten somebody who is typing.
		noStore(w.Header())
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if err != nil {
		return err
	}
	typed := r.PostForm.Get("password")
	if typed == "" {
		return p.render(w, r, http.StatusOK, views.PasswordMeter(false, 0, nil))
	}
	return p.render(w, r, http.StatusOK, views.PasswordMeter(true, model.MeasurePassword(typed, rules.Context), rules.Problem(typed)))
}

// rulesFor are the rules of the form that asks. As where it is submitted, the
// link in it and nothing else says whose password it is.
func (p *portal) rulesFor(r *http.Request) (model.PasswordRules, error) {
	v, form := visitOf(r), r.PostForm
	switch token := form.Get("token"); {
	case token != "":
		return p.DB.LinkPasswordRules(r.Context(), token)
	case v.actor != nil:
		return p.DB.PasswordRules(r.Context(), v.account)
	case p.maySetUp(r) == nil:
		s := v.settings
		s.Association = form.Get("association")
		return p.DB.OwnerPasswordRules(s, model.Member{
			FirstName: form.Get("first_name"), LastName: form.Get("last_name"), Email: form.Get("email"),
		}), nil
	}
	return model.PasswordRules{}, errNoForm
}

var errNoForm = model.Forbidden("Only a page on which a password is chosen may ask that.")
