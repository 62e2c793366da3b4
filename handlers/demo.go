package handlers

import (
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
	captured, err := p.DB.CapturedLetters(r.Context(), demoShown)
	if err != nil {
		return err
	}
	for _, c := range captured {
		if strconv.FormatInt(c.ID, 10) != r.PathValue("id") {
			continue
		}
		l, err := composed(c)
		if err != nil {
			return err
		}
		visitOf(r).secret = true
		return p.render(w, r, http.StatusOK, views.DemoLetterPage(p.page(r), l))
	}
	return errNoPage
}

func composed(c model.LetterContents) (views.DemoLetter, error) {
	l, err := views.ComposeLetter(c)
	return views.DemoLetter{ID: c.ID, At: c.CreatedAt, To: c.To, Subject: l.Subject, Text: l.Text, Links: c.Links}, err
}
