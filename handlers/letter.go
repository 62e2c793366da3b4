package handlers

import (
	"io"
	"net/http"
	"strconv"

	"latchkey/db/model"
	"latchkey/views"
)

// listLetters answers the letter log, to htmx its changing part.
func (p *portal) listLetters(w http.ResponseWriter, r *http.Request) error {
	asked := r.URL.Query()
	q := model.LetterQuery{
		Text: searchText(asked.Get("q")), Filter: model.LetterFilter(asked.Get("state")),
		AccountID: count(asked.Get("account")), Before: count(asked.Get("before")), After: count(asked.Get("after")),
	}.Known()
	found, err := p.DB.Letters(r.Context(), visitOf(r).by(), q)
	if err != nil {
		return err
	}
	if wantsPart(r) {
		w.Header().Set("Hx-Replace-Url", views.LettersURL(q))
	}
	page := p.page(r)
	return p.renderEither(w, r, http.StatusOK, views.LettersPage(page, found, q), views.LettersPart(page, found, q))
}

// count reads a number of an address; what is none, or below 1, is 0.
func count(typed string) int64 {
	n, err := strconv.ParseInt(typed, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func letterPath(id int64) string { return "/admin/letters/" + strconv.FormatInt(id, 10) }

// letterOf is the letter that an address names.
func (p *portal) letterOf(r *http.Request) (model.LetterRecord, error) {
	id, err := pathID(r)
	if err != nil {
		return model.LetterRecord{}, err
	}
	return p.DB.Letter(r.Context(), visitOf(r).by(), id)
}

func (p *portal) showLetterRecord(w http.ResponseWriter, r *http.Request) error {
	told(w, r)
	return p.renderLetter(w, r, http.StatusOK, "")
}

func (p *portal) renderLetter(w http.ResponseWriter, r *http.Request, status int, refused string) error {
	l, err := p.letterOf(r)
	if err != nil {
		return err
	}
	page, props := p.page(r), views.LetterPageProps{Letter: l, Refused: refused}
	// A letter whose account is long gone has no words any more; what became of
	// it is known all the same.
	if said, err := views.ComposeBlank(l.Contents); err == nil {
		props.Said = &said
	}
	return p.renderEither(w, r, status, views.LetterPage(page, props), views.LetterFatePart(page, l))
}

// letterHTML is a letter as a mail program shows it, in a page of its own that
// can do nothing.
func (p *portal) letterHTML(w http.ResponseWriter, r *http.Request) error {
	l, err := p.letterOf(r)
	if err != nil {
		return err
	}
	said, err := views.ComposeBlank(l.Contents)
	if err != nil {
		return errNoPage
	}
	w.Header().Set("Content-Security-Policy", letterPolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, said.HTML) // whoever hung up needs no answer
	return nil
}

// repeatLetter sends a letter again and leads to the one that goes out.
func (p *portal) repeatLetter(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	again, err := p.DB.RepeatLetter(r.Context(), visitOf(r).by(), id)
	return p.letterActed(w, r, again, err, noticeLetterAgain)
}

func (p *portal) stopLetter(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	return p.letterActed(w, r, id, p.DB.StopLetter(r.Context(), visitOf(r).by(), id), noticeLetterStopped)
}

// letterActed goes to a letter's page after an act. What was refused is said on
// the page of the letter it was about.
func (p *portal) letterActed(w http.ResponseWriter, r *http.Request, id int64, err error, n notice) error {
	v := visitOf(r)
	switch model.KindOf(err) {
	case model.KindConflict, model.KindForbidden:
		status, sentence := statusOf(err)
		p.logFailure(r, v, status, err)
		return p.renderLetter(w, r, status, sentence)
	}
	if err != nil {
		return err
	}
	tell(w, v, n, "")
	return redirect(w, letterPath(id))
}
