package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"latchkey/db/model"
	"latchkey/views"
)

// refusal is an outcome that only the edge knows: something about the request
// itself.
type refusal struct {
	status   int
	sentence string
	cause    error // for the log

	next, nextText string // where the page's button leads; "" leads to the first page
}

func (e *refusal) Error() string {
	if e.cause != nil {
		return e.cause.Error()
	}
	return e.sentence
}

func (e *refusal) Unwrap() error { return e.cause }

var (
	errNoPage   = &refusal{status: http.StatusNotFound, sentence: "There is no such page. Perhaps the address was cut short. The button below leads on."}
	errMethod   = &refusal{status: http.StatusMethodNotAllowed, sentence: "This address is reached by a button on another page, not by itself. Go back and use the button."}
	errTooLarge = &refusal{status: http.StatusRequestEntityTooLarge, sentence: "That was more than this page can take. Please go back and shorten it."}
	errForm     = &refusal{status: http.StatusBadRequest, sentence: "What was sent could not be read. Please go back, reload the page and try again."}
	errPanic    = &refusal{status: http.StatusInternalServerError, sentence: ourFault}
)

const ourFault = "Something went wrong on our side, and nothing was changed that you did not see. " +
	"Please try again in a moment. If it happens again, tell the office the number below."

// statuses is the only table from what went wrong to what the browser is told.
var statuses = map[model.Kind]int{
	model.KindInternal:    http.StatusInternalServerError,
	model.KindInvalid:     http.StatusUnprocessableEntity,
	model.KindNotFound:    http.StatusNotFound,
	model.KindForbidden:   http.StatusForbidden,
	model.KindConflict:    http.StatusConflict,
	model.KindLimited:     http.StatusTooManyRequests,
	model.KindUnavailable: http.StatusServiceUnavailable,
	// Not 401: that asks for a WWW-Authenticate challenge (RFC 9110 §15.5.2),
	// and browsers answer one with a window of their own.
	model.KindSignIn:    http.StatusUnprocessableEntity,
	model.KindLinkEnded: http.StatusGone,
}

// statusOf is the status of an error, and the sentence for the person.
func statusOf(err error) (status int, sentence string) {
	if e, ok := errors.AsType[*refusal](err); ok {
		return e.status, e.sentence
	}
	if e, ok := errors.AsType[*model.Error](err); ok {
		// A page that is not a form has no fields to stand beside.
		if len(e.Fields) == 1 {
			for _, sentence := range e.Fields {
				return statuses[e.Kind], sentence
			}
		}
		return statuses[e.Kind], e.Sentence
	}
	if _, ok := errors.AsType[*model.StaleError](err); ok {
		return statuses[model.KindConflict], "Somebody else saved a change meanwhile."
	}
	if taken, ok := errors.AsType[*model.EmailTakenError](err); ok && taken.Sentence != "" {
		return statuses[model.KindConflict], taken.Sentence
	} else if ok {
		return statuses[model.KindConflict], "This address is already another member's."
	}
	return statuses[model.KindInternal], ourFault
}

// fail is the only place where an error becomes a page, or a banner for htmx.
func (p *portal) fail(w http.ResponseWriter, r *http.Request, err error) {
	v := visitOf(r)
	status, sentence := statusOf(err)
	p.logFailure(r, v, status, err)
	if out, ok := w.(*answer); ok && out.status != 0 {
		return // too late: something of an answer has left
	}
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // nobody is there to read it
	}
	retryAfter(w.Header(), err)
	trouble := views.Trouble{Status: status, Sentence: sentence, RequestID: v.id}
	if r.Method == http.MethodPost && wantsPart(r) {
		// Beside the status message: its link still lives.
		w.Header().Set("Hx-Retarget", "#refused")
		w.Header().Set("Hx-Reswap", "innerHTML")
	}
	if e, ok := errors.AsType[*refusal](err); ok {
		trouble.Next, trouble.NextText = e.next, e.nextText
	}
	if failed := p.renderEither(w, r, status, views.ErrorPage(p.page(r), trouble), views.ErrorBanner(trouble)); failed != nil {
		p.Log.ErrorContext(r.Context(), "error page", "request", v.id, "error", failed)
		http.Error(w, sentence+"\n"+v.id, status)
	}
}

func (p *portal) logFailure(r *http.Request, v *visit, status int, err error) {
	level := slog.LevelDebug
	switch {
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
	case status >= http.StatusInternalServerError && model.KindOf(err) != model.KindUnavailable:
		level = slog.LevelError
	case status == http.StatusForbidden:
		level = slog.LevelWarn // somebody tries a door (OWASP ASVS 5.0, 16.3.3)
	}
	p.Log.LogAttrs(r.Context(), level, "refused",
		slog.String("request", v.id), slog.String("route", routeName(v.pattern)), slog.Int("status", status), slog.Any("error", err))
}

// retryAfter says in a header what the sentence says in words.
func retryAfter(h http.Header, err error) {
	if e, ok := errors.AsType[*model.Error](err); ok && e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
}

// inWords is a wait as somebody would say it, never shorter than it is.
func inWords(d time.Duration) string {
	seconds := int(math.Ceil(d.Seconds()))
	switch {
	case seconds <= 1:
		return "a second"
	case seconds < 60:
		return fmt.Sprintf("%d seconds", seconds)
	case seconds <= 60:
		return "a minute"
	}
	return fmt.Sprintf("%d minutes", (seconds+59)/60)
}

// fieldsOf is the sentences beside the fields of a form, and the one above
// it; ok is false if the error is not about what was typed.
func fieldsOf(err error) (fields model.Fields, sentence string, ok bool) {
	e, is := errors.AsType[*model.Error](err)
	if !is || e.Kind != model.KindInvalid {
		return nil, "", false
	}
	return e.Fields, e.Sentence, true
}

// withWait adds to a sentence how long to wait.
func withWait(err error, sentence string) string {
	e, ok := errors.AsType[*model.Error](err)
	if !ok || e.RetryAfter <= 0 {
		return sentence
	}
	return sentence + " The next try is possible in " + inWords(e.RetryAfter) + "."
}

// mendable is a form as it comes back where its reader can do something about
// it: mend a field, or wait, which the header says as well. Nothing that was
// typed is in it, as it may be a password. ok is false if the error is of
// another kind; the form has its sentence all the same.
func mendable(w http.ResponseWriter, err error) (f views.Form, status int, ok bool) {
	status, f.Sentence = statusOf(err)
	switch model.KindOf(err) {
	case model.KindInvalid:
		f.Errors, f.Sentence, ok = fieldsOf(err)
	case model.KindLimited, model.KindUnavailable:
		retryAfter(w.Header(), err)
		f.Sentence, ok = withWait(err, f.Sentence), true
	}
	return f, status, ok
}

// refusedForm is a form as it comes back: with what was typed, and what of it
// cannot be taken. ok is false if the error is not about what was typed.
func refusedForm(r *http.Request, err error) (f views.Form, ok bool) {
	f.Values = typed(r.PostForm)
	if taken, is := errors.AsType[*model.EmailTakenError](err); is {
		_, sentence := statusOf(taken)
		f.Errors, f.Holders = model.Fields{"email": sentence}, taken.Holders
		return f, true
	}
	f.Errors, f.Sentence, ok = fieldsOf(err)
	return f, ok
}
