package handlers

import (
	"net/http"
	"strings"

	"latchkey/views"
)

func (p *portal) showForgot(w http.ResponseWriter, r *http.Request) error {
	return p.render(w, r, http.StatusOK, views.ForgotPage(p.page(r), views.Form{}))
}

// askReset answers the same whatever was typed and however often: who has an
// account is nobody else's business (OWASP ASVS 5.0, 6.3.8).
func (p *portal) askReset(w http.ResponseWriter, r *http.Request) error {
	typed := strings.TrimSpace(r.PostForm.Get("login"))
	if typed == "" {
		f := views.Form{Errors: map[string]string{"login": "Please type your email address or member number."}}
		return p.render(w, r, http.StatusUnprocessableEntity, views.ForgotPage(p.page(r), f))
	}
	if err := p.DB.AskReset(r.Context(), typed, visitOf(r).network); err != nil {
		return err
	}
	return p.render(w, r, http.StatusOK, views.ForgotSentPage(p.page(r)))
}
