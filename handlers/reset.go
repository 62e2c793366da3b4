package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"latchkey/db/model"
	"latchkey/views"
)

const (
	resetCookie     = "latchkey-reset"
	resetCookieLife = time.Hour
	resetsKept      = 4
	// handleUnknown leads to the page of links that were never any.
	handleUnknown = "unknown"
)

// openReset takes the token out of the address: it would stay in the history,
// go to others in the Referer, and stand in every proxy's log (OWASP ASVS 5.0,
// 14.2.1). It goes into a cookie of its own and not into the session, which
// is kept in the database as it is.
//
// Nothing is spent and nothing rotated: mail scanners, previews and double
// clicks come here before the person does.
func (p *portal) openReset(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Referrer-Policy", "no-referrer")
	token := r.PathValue("token")
	o, err := p.DB.OpenReset(r.Context(), token)
	if err != nil {
		return err
	}
	if o.State == model.ResetUnknown {
		return redirect(w, "/reset?r="+handleUnknown)
	}
	v := visitOf(r)
	kept := append([]string{token}, slices.DeleteFunc(resetTokens(r), func(t string) bool { return t == token })...)
	keepResets(w, v, kept)
	if r.Method == http.MethodGet && o.State == model.ResetLive && o.Reset.OpenedAt.IsZero() {
		v.after = append(v.after, func(ctx context.Context) error { return p.DB.NoteOpened(ctx, o.Reset.ID) })
	}
	return redirect(w, "/reset?r="+handle(token))
}

// handle tells the links in one browser apart and opens nothing: 64 bits of a
// hash do not lead back to the 200 of a token.
func handle(token string) string {
	sum := sha256.Sum256([]byte("latchkey/reset handle/" + token))
	return hex.EncodeToString(sum[:8])
}

// resetTokens are the links opened in this browser, the newest first.
func resetTokens(r *http.Request) []string {
	var tokens []string
	for _, t := range strings.Split(readCookie(r, resetCookie), ".") {
		if _, _, ok := model.ParseResetToken(t); ok {
			tokens = append(tokens, t)
		}
	}
	return tokens
}

func keepResets(w http.ResponseWriter, v *visit, tokens []string) {
	age := resetCookieLife
	if len(tokens) == 0 {
		age = 0
	}
	setCookie(w, v, resetCookie, strings.Join(tokens[:min(len(tokens), resetsKept)], "."), age)
}

// showReset is the page behind a link: the form, or what became of the link.
func (p *portal) showReset(w http.ResponseWriter, r *http.Request) error {
	asked := r.URL.Query().Get("r")
	if asked == handleUnknown {
		return p.renderReset(w, r, http.StatusNotFound, "", views.Form{})
	}
	tokens := resetTokens(r)
	i := slices.IndexFunc(tokens, func(t string) bool { return handle(t) == asked })
	if i < 0 {
		return p.render(w, r, http.StatusOK, views.ResetReopenPage(p.page(r)))
	}
	return p.renderReset(w, r, http.StatusOK, tokens[i], views.Form{})
}

// renderReset shows what a link is now.
func (p *portal) renderReset(w http.ResponseWriter, r *http.Request, status int, token string, f views.Form) error {
	v := visitOf(r)
	v.secret = true
	o, err := p.DB.OpenReset(r.Context(), token)
	if err != nil {
		return err
	}
	if o.State != model.ResetLive {
		return p.renderEnded(w, r, status, token, o)
	}
	rules, err := p.DB.PasswordRules(r.Context(), o.Account)
	if err != nil {
		return err
	}
	n := choosing(rules)
	n.Sends = "token"
	props := views.ResetProps{
		Form: f, Token: model.NewSecret(token), Name: o.Account.Name,
		Username: o.Account.Login(o.Shared), UsernameLabel: "email",
		Password: n, Expires: o.Reset.ExpiresAt,
	}
	if props.Username != o.Account.Email {
		props.UsernameLabel = "member number"
	}
	if v.actor != nil && v.actor.AccountID != o.Account.ID {
		props.SignedInAs = v.actor.Name
	}
	return p.render(w, r, status, views.ResetPage(p.page(r), props))
}

func (p *portal) renderEnded(w http.ResponseWriter, r *http.Request, status int, token string, o model.OpenedReset) error {
	ended := views.EndedProps{State: o.State, Token: model.NewSecret(token), When: o.Reset.EndedAt, Disabled: o.Disabled, NoEmail: noEmail(o)}
	switch o.State {
	case model.ResetReplaced:
		ended.When = o.NewerAt
	case model.ResetExpired:
		if ended.When.IsZero() || ended.When.After(o.Reset.ExpiresAt) {
			ended.When = o.Reset.ExpiresAt
		}
	}
	return p.render(w, r, status, views.ResetEndedPage(p.page(r), ended))
}

// noEmail reports whether no letter can reach whoever holds the link.
func noEmail(o model.OpenedReset) bool { return o.Account.ID != 0 && o.Account.Email == "" }

// setPassword finishes a reset. The hidden field alone says whose password it
// is: two links in two tabs of one browser each change their own account's.
func (p *portal) setPassword(w http.ResponseWriter, r *http.Request) error {
	v, form := visitOf(r), r.PostForm
	token := form.Get("token")
	set, err := p.DB.SetPassword(r.Context(), model.NewPassword{
		Token: model.NewSecret(token), Password: model.NewSecret(form.Get("password")), Confirm: model.NewSecret(form.Get("password_confirm")), Network: v.network,
	})
	if err != nil {
		return p.refusePassword(w, r, token, err)
	}
	keepResets(w, v, slices.DeleteFunc(resetTokens(r), func(t string) bool { return t == token }))
	p.knowDevice(w, v, set.Device)
	tell(w, v, noticePasswordSet, set.Login)
	return redirect(w, "/sign-in")
}

func (p *portal) refusePassword(w http.ResponseWriter, r *http.Request, token string, err error) error {
	f, status, ok := mendable(w, err)
	if !ok && model.KindOf(err) != model.KindLinkEnded {
		return err
	}
	return p.renderReset(w, r, status, token, f)
}

// renewReset is the one press on the page of an ended link.
func (p *portal) renewReset(w http.ResponseWriter, r *http.Request) error {
	token := r.PostForm.Get("token")
	o, err := p.DB.OpenReset(r.Context(), token)
	if err != nil {
		return err
	}
	err = p.DB.RenewReset(r.Context(), token, visitOf(r).network)
	if model.KindOf(err) == model.KindLinkEnded {
		return p.renderReset(w, r, http.StatusNotFound, token, views.Form{})
	}
	if err != nil {
		return err
	}
	return p.render(w, r, http.StatusOK, views.ResetRenewedPage(p.page(r), noEmail(o)))
}
