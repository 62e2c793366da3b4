package handlers

import (
	"net/http"

	"latchkey/db/model"
	"latchkey/views"
)

const notMeCookie = "latchkey-not-me"

// openNotMe takes the token out of the address, as openReset does. One is kept:
// nobody disowns several links at once, and the form has its own.
func (p *portal) openNotMe(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Referrer-Policy", "no-referrer")
	token := r.PathValue("token")
	o, err := p.DB.OpenNotMe(r.Context(), token)
	if err != nil {
		return err
	}
	if o.State == model.NotMeUnknown {
		return redirect(w, "/not-me?r="+handleUnknown)
	}
	setCookie(w, visitOf(r), notMeCookie, token, resetCookieLife)
	return redirect(w, "/not-me?r="+handle(token))
}

// showNotMe says what a press would do. Mail scanners come here too, so to look
// does nothing.
func (p *portal) showNotMe(w http.ResponseWriter, r *http.Request) error {
	asked, token := r.URL.Query().Get("r"), readCookie(r, notMeCookie)
	if asked == handleUnknown {
		return p.renderNotMe(w, r, "", model.OpenedNotMe{State: model.NotMeUnknown})
	}
	if token == "" || handle(token) != asked {
		return p.render(w, r, http.StatusOK, views.NotMeReopenPage(p.page(r)))
	}
	o, err := p.DB.OpenNotMe(r.Context(), token)
	if err != nil {
		return err
	}
	return p.renderNotMe(w, r, token, o)
}

// sayNotMe is the one press.
func (p *portal) sayNotMe(w http.ResponseWriter, r *http.Request) error {
	token := r.PostForm.Get("token")
	o, err := p.DB.NotMe(r.Context(), token, visitOf(r).network)
	if err != nil {
		return err
	}
	return p.renderNotMe(w, r, token, o)
}

func (p *portal) renderNotMe(w http.ResponseWriter, r *http.Request, token string, o model.OpenedNotMe) error {
	visitOf(r).secret = true
	status := http.StatusOK
	if o.State == model.NotMeUnknown {
		status = http.StatusNotFound
	}
	return p.render(w, r, status, views.NotMePage(p.page(r), o, model.NewSecret(token)))
}
