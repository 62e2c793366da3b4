package views

import (
	"github.com/a-h/templ"

	"latchkey/db/model"
)

// ReadOut is the code that was just made for a caller, or the sentence that
// somebody else has one; and the form that makes one.
func ReadOut(p Page, r *model.AccountRecord, f AccountForm, oob bool) templ.Component {
	return drawn(p, func(ink *pen) {
		ink.raw(`<div id="read-out" aria-live="polite"`)
		if oob {
			ink.raw(` hx-swap-oob="outerMorph"`)
		}
		ink.raw(">")
		if s := r.Spoken; s != nil {
			ink.spoken(r, s)
		}
		if mayReadOut(p, r) {
			ink.readOutForm(r.Member.ID, f)
		}
		ink.raw("</div>")
	})
}

func mayReadOut(p Page, r *model.AccountRecord) bool {
	if p.Actor == nil || r.Account == nil {
		return false
	}
	link := r.Latest
	if link != nil && !link.EndedAt.IsZero() {
		link = nil
	}
	return p.Actor.MayReadOut(*r.Account, link, p.Now) == nil
}

func (ink *pen) spoken(r *model.AccountRecord, s *model.SpokenCode) {
	p := ink.page
	if s.Code.IsZero() {
		ink.raw("<p>A code was read out by ")
		ink.text(s.By)
		ink.raw(" <span>")
		ink.moment(s.At)
		ink.raw("</span>. It works until <span>")
		ink.clock(s.Until, p.until(s.Until))
		ink.raw("</span>.</p>")
		return
	}
	ink.raw(`<div id="spoken" class="tag spoken" tabindex="-1"><span class="eyelet"></span><p class="message">Read this code out</p><p class="code">`)
	ink.text(s.Code.Reveal())
	ink.raw("</p><p>It works until <strong>")
	ink.clock(s.Until, p.until(s.Until))
	ink.raw("</strong>, for five tries. It is not shown again; a new one replaces it.</p><p>Tell them: open <strong>")
	ink.text(p.Settings.BaseURL)
	ink.raw("/reset/code</strong>, type ")
	if login := r.Account.Login(len(r.SharedWith) > 0); login == r.Account.Email {
		ink.raw("the email ")
		ink.text(login)
	} else {
		ink.raw("the member number ")
		ink.text(login)
	}
	ink.raw(" and then the code.</p></div>")
}

func (ink *pen) readOutForm(memberID int64, f AccountForm) {
	ink.raw(`<details class="ask"`)
	if f.Reading {
		ink.raw(" open")
	}
	ink.raw(`><summary class="button quiet">Read out a code</summary><div><p>For a caller who can’t open the link: eight letters and digits that work for ten minutes. Their email address gets a notice.</p>`)
	ink.openAct(memberID, "/password-resets/code")
	ink.field(f.Form, Input{
		Name: "note", Label: "How did you recognise the caller?", Autocomplete: "off", Required: true, Max: model.LongestCodeNote,
		Hint: "Birth date and postcode stand at the top of this record, to ask for. The note is kept in the activity.",
	})
	ink.raw(`<button type="submit">Make a code</button></form></div></details>`)
}
