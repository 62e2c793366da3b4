package handlers

import (
	"io"
	"net/http"
)

// health is for whatever watches over the portal: it is well while its
// database answers.
func (p *portal) health(w http.ResponseWriter, r *http.Request) error {
	noStore(w.Header())
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	text := "ok"
	if err := p.DB.Ping(r.Context()); err != nil {
		p.Log.ErrorContext(r.Context(), "health", "error", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		text = "the database does not answer"
	}
	_, _ = io.WriteString(w, text) // whoever hung up needs no answer
	return nil
}

// wellKnownPassword leads password managers to the page where a password is
// changed. Not a permanent redirect: they would not come back to ask (W3C, A
// Well-Known URL for Changing Passwords, §3).
func (p *portal) wellKnownPassword(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Location", "/account/password")
	w.WriteHeader(http.StatusFound)
	return nil
}
