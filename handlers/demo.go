package handlers

import (
	"io"
	"net/http"
	"strconv"

	"latchkey/db/model"
	"latchkey/views"
)

// demoShown is as many captured letters as somebody trying things out looks at.
const demoShown = 100

func (p *portal) demoLetters(w http.ResponseWriter, r *http.Request) error {
	captured, err := p.DB.CapturedLetters(r.Context(), demoShown)
	if err != nil {
		return err
	}
	var letters []views.DemoLetter
	for _, c := range captured {
		l, err := composed(c)
		if err != nil {
			return err
		}
		letters = append(letters, l)
	}
	visitOf(r).secret = true
	return p.render(w, r, http.StatusOK, views.DemoLettersPage(p.page(r), letters))
}

func (p *portal) demoLetter(w http.ResponseWriter, r *http.Request) error {
	l, err := p.captured(r)
	if err != nil {
		return err
	}
	return p.render(w, r, http.StatusOK, views.DemoLetterPage(p.page(r), l))
}

// letterPolicy lets a letter carry its styles in itself, as mail programs need
// it, and nothing else.
const letterPolicy = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"

// demoLetterHTML is a letter as a mail program shows it.
func (p *portal) demoLetterHTML(w http.ResponseWriter, r *http.Request) error {
	l, err := p.captured(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", letterPolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, l.HTML) // whoever hung up needs no answer
	return nil
}

// captured is the letter that an address of the demo names.
func (p *portal) captured(r *http.Request) (views.DemoLetter, error) {
	captured, err := p.DB.CapturedLetters(r.Context(), demoShown)
	if err != nil {
		return views.DemoLetter{}, err
	}
	for _, c := range captured {
		if strconv.FormatInt(c.ID, 10) != r.PathValue("id") {
			continue
		}
		visitOf(r).secret = true
		return composed(c)
	}
	return views.DemoLetter{}, errNoPage
}

func composed(c model.LetterContents) (views.DemoLetter, error) {
	l, err := views.ComposeLetter(c)
	return views.DemoLetter{ID: c.ID, At: c.CreatedAt, To: c.To, Subject: l.Subject, Text: l.Text, HTML: l.HTML, Links: c.Links}, err
}
