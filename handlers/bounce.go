package handlers

import (
	"io"
	"net/http"
	"strings"

	"latchkey/db/model"
	"latchkey/views"
)

// takeBounce takes a message that came to the bounce address, from a program
// that knows the secret of the mail page.
//
// It stands outside the protection against other sites on purpose: that is for
// browsers, which send their cookies along whoever made them send something.
// Here no cookie is looked at, and what counts no browser adds by itself.
//
// Whoever may post learns nothing from the answer, which is the same for a
// report that was taken and for one that was forged.
func (p *portal) takeBounce(w http.ResponseWriter, r *http.Request) error {
	noStore(w.Header())
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	fits, err := p.DB.MayPostBounces(r.Context(), strings.TrimSpace(secret))
	if err != nil {
		return p.bounceLater(w, r, err)
	}
	if !fits || !strings.EqualFold(scheme, "Bearer") {
		// Nothing of the body was read: a stranger cannot keep us busy with it.
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 6750 §3
		w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, model.BounceLimit))
	if err != nil {
		return &refusal{status: http.StatusBadRequest, sentence: errForm.sentence, cause: err}
	}
	letter, err := p.DB.TakeBounce(r.Context(), raw)
	if err != nil {
		return p.bounceLater(w, r, err)
	}
	p.Log.InfoContext(r.Context(), "bounce", "request", visitOf(r).id, "bytes", len(raw), "letter", letter)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// bounceLater asks for the same message again: it may be about a letter.
func (p *portal) bounceLater(w http.ResponseWriter, r *http.Request, err error) error {
	p.Log.ErrorContext(r.Context(), "a report cannot be taken", "request", visitOf(r).id, "error", err)
	w.Header().Set("Retry-After", "60")
	w.WriteHeader(http.StatusServiceUnavailable)
	return nil
}

// newBounceSecret shows a new secret on the mail page. It redirects
// nowhere: the secret would have to be kept for the next page.
func (p *portal) newBounceSecret(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	secret, err := p.DB.NewBounceSecret(r.Context(), v.by())
	if err != nil {
		return err
	}
	v.secret = true
	return p.renderMail(w, r, http.StatusOK, views.MailProps{Form: mailForm(v.settings), Bounces: views.Bounces{Secret: secret}})
}
