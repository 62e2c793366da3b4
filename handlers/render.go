package handlers

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"sync"

	"github.com/a-h/templ"

	"latchkey/views"
)

// wantsPart reports whether htmx asks for a part of a page. A request of the
// browser's history says "full": there the part alone would be the page.
func wantsPart(r *http.Request) bool { return r.Header.Get("Hx-Request-Type") == "partial" }

// page is what every page says about the request it answers.
func (p *portal) page(r *http.Request) views.Page {
	v := visitOf(r)
	page := views.Page{
		Settings: &v.settings, Now: p.DB.Now(), Actor: v.actor, Path: r.URL.Path, Asset: p.static.url, Notice: v.notice, Demo: p.Demo,
	}
	if v.actor != nil {
		page.FactorDue = v.settings.Factors.FactorDue(v.account)
		page.PasswordOld = v.settings.PasswordOld(v.account, page.Now)
	}
	return page
}

// render answers with a whole page.
func (p *portal) render(w http.ResponseWriter, r *http.Request, status int, page templ.Component) error {
	return p.renderEither(w, r, status, page, page)
}

// renderEither answers with the page, or with the part of it that htmx asked
// for. This is the one place where that is decided.
//
// The page is drawn before the first byte leaves: a page that cannot be drawn
// becomes an error page, not half a page.
func (p *portal) renderEither(w http.ResponseWriter, r *http.Request, status int, page, part templ.Component) error {
	if wantsPart(r) {
		page = part
	}
	b := sheets.Get().(*bytes.Buffer)
	defer func() {
		if b.Cap() <= sheetKept {
			b.Reset()
			sheets.Put(b)
		}
	}()
	// Drawing takes some ten microseconds and needs nothing of the request; its
	// context would be asked by every component whether it still stands.
	if err := page.Render(context.Background(), b); err != nil { //nolint:contextcheck // see above
		return err
	}
	v, h := visitOf(r), w.Header()
	maps.Copy(h, onPages)
	body := b.Bytes()
	if compressible(v, body) && takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = gzipped(body)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever hung up needs no answer
	return nil
}

// sheets are what pages are drawn on, used again and again. None is kept that
// one long list made larger than the others need.
var sheets = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const sheetKept = 64 << 10

var onPages = http.Header{
	"Cache-Control": {noStoreValue},
	"Content-Type":  {"text/html; charset=utf-8"},
	"Vary":          {"Hx-Request-Type, Accept-Encoding, Cookie"},
}

// worthIt is the size from which a page takes more than one packet.
const worthIt = 1400

// compressible keeps pages that hold a secret out of compression. Where a
// secret and something an attacker can put into the address stand in one
// compressed body, its length tells the secret bit by bit (BREACH,
// breachattack.com). So only what a stranger sees is compressed, and of that
// not the pages whose form carries a link or a ticket. The others have no
// weight to lose: the Settings tab is a few kilobytes.
func compressible(v *visit, body []byte) bool {
	return v.actor == nil && !v.secret && len(body) > worthIt
}

// redirect sends the browser on, as a GET (303). Its address is always a path
// of ours.
func redirect(w http.ResponseWriter, to string) error {
	h := w.Header()
	noStore(h)
	h.Set("Location", to)
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// parseForm reads what was posted.
func parseForm(r *http.Request) error {
	err := r.ParseForm()
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	return &refusal{status: errForm.status, sentence: errForm.sentence, cause: err}
}
