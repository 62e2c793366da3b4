package views

import (
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"latchkey/db/model"
)

// ResetStatus is the status message: the inside of #reset-status. It is
// nothing at all when no link stands in its window.
func ResetStatus(p Page, memberID int64, s *model.ResetStatus) templ.Component {
	if s == nil {
		return piece("")
	}
	return drawn(p, func(ink *pen) { ink.resetStatus(memberID, s) })
}

func (ink *pen) resetStatus(memberID int64, s *model.ResetStatus) {
	p := ink.page
	ink.raw(`<div class="`, strings.TrimSpace("tag "+tagClass(s)), `"><span class="eyelet"></span><p class="message">`)
	ink.text(s.Text())
	ink.raw("</p><p>", capital(p.Ago(s.Reset.AskedAt)), ", ")
	ink.text(askedWords(s.AskedBy))
	ink.raw("</p>")
	ink.letterState(memberID, s)
	if !s.Link.IsZero() {
		ink.handover(memberID, s)
	} else if s.LinkHidden != "" {
		ink.raw(`<p class="soft">`)
		ink.text(s.LinkHidden)
		ink.raw("</p>")
	}
	ink.raw("<p>Works for <strong>", p.left(s.Reset.ExpiresAt), "</strong> more, until <span>")
	ink.clock(s.Reset.ExpiresAt, p.until(s.Reset.ExpiresAt))
	ink.raw(`</span>. <span class="soft">Sending again before <span>`)
	ink.clock(s.Reset.ResendUntil, p.until(s.Reset.ResendUntil))
	ink.raw("</span> sends this same link.</span></p>")
	if s.MayCancel {
		ink.raw(`<details class="ask"><summary class="button quiet">Cancel link</summary><div>`,
			`<p>The link stops working at once. The account and its password stay as they are.</p>`)
		ink.openAct(memberID, "/password-resets/cancel")
		ink.raw(`<button type="submit" class="grave">Cancel this link</button></form></div></details>`)
	}
	ink.raw("</div>")
}

// handover is the link, with Copy Link.
func (ink *pen) handover(memberID int64, s *model.ResetStatus) {
	ink.raw(`<div class="handover"><label for="reset-link">Password reset link</label><div><input id="reset-link" readonly`)
	ink.attribute("value", s.Link.Reveal())
	ink.attribute("data-reset-link", s.Link.Reveal())
	ink.raw(`> <button type="button" class="with-script" data-copy="reset-link" data-copied="`)
	ink.memberURL(memberID, "/password-resets/copied")
	ink.raw(`" name="reset" value="`)
	ink.number(s.Reset.ID)
	ink.raw(`" aria-describedby="copy-note">`)
	ink.icon("copy")
	ink.raw(`Copy Link</button></div><span id="copy-note" class="note" aria-live="off"></span></div>`)
}

// LetterState is the line that says how far the letter is. It asks for itself
// until the letter is settled; the answer then asks no more. It never carries
// the link.
func LetterState(p Page, memberID int64, s *model.ResetStatus) templ.Component {
	return drawn(p, func(ink *pen) { ink.letterState(memberID, s) })
}

func (ink *pen) letterState(memberID int64, s *model.ResetStatus) {
	ink.raw(`<div id="letter-state" class="letter" data-tag="`, tagClass(s), `"`)
	if s.Letter != nil && !s.Letter.State.Settled() {
		// Morphing leaves an unchanged line alone, so that a screen reader is not
		// told every two seconds that the letter still waits.
		ink.raw(` hx-get="`)
		ink.memberURL(memberID, "/password-resets/letter")
		ink.raw(`" hx-swap="outerMorph" hx-trigger="every 2s"`)
	}
	ink.raw(">")
	if s.Letter != nil {
		ink.letterLine(s.Letter, s.HeldBack, true)
	}
	ink.raw("</div>")
}

// letterLine is the sentence, led to the letter's own page where it is not
// there already, and the server's words.
func (ink *pen) letterLine(l *model.Letter, heldBack, lead bool) {
	ink.raw("<p>")
	if lead {
		ink.raw(`<a href="/admin/letters/`)
		ink.number(l.ID)
		ink.raw(`">`)
	}
	ink.raw("Letter to ")
	ink.text(l.To)
	if lead {
		ink.raw("</a>")
	}
	ink.raw(": ")
	ink.letterWords(l, heldBack)
	ink.raw("</p>")
	if l.Reply != "" {
		ink.raw("<samp>")
		ink.text(serverWords(l.Code, l.Reply))
		ink.raw("</samp>")
	}
}

func (ink *pen) letterWords(l *model.Letter, heldBack bool) {
	switch {
	case heldBack && !l.State.Settled():
		ink.raw("<strong>held back.</strong> Its link would lead to this very computer; an owner can set the portal’s address under Settings.")
	case l.State == model.LetterAccepted:
		ink.raw("accepted by the mail server <span>")
		ink.moment(l.SettledAt)
		ink.raw("</span>.")
		if !l.DelayedAt.IsZero() {
			ink.raw(" It waits at a server on its way, which said so <span>")
			ink.moment(l.DelayedAt)
			ink.raw("</span> and keeps trying.")
		}
	case l.State == model.LetterBounced:
		ink.raw(`<strong class="bad">bounced: it came back <span>`)
		ink.moment(l.SettledAt)
		ink.raw("</span>.</strong> ", model.PlainReply(l.Code, l.Reply))
	case l.State == model.LetterFailed:
		ink.raw(`<strong class="bad">`, failedWord(*l), " <span>")
		ink.moment(l.SettledAt)
		ink.raw("</span>.</strong> ", model.PlainReply(l.Code, l.Reply))
	case l.State == model.LetterRetrying:
		ink.raw("not taken yet. ", model.PlainReply(l.Code, l.Reply), " It is tried again <span>")
		ink.coming(l.DueAt)
		ink.raw("</span>.")
	case l.State == model.LetterWithdrawn && l.Stopped:
		ink.raw("stopped by the office before it left.")
	case l.State == model.LetterWithdrawn:
		ink.raw("withdrawn, because its link ended first.")
	case l.State == model.LetterCaptured:
		ink.raw("written, but there is no mail server to send it.")
	case l.State == model.LetterSending:
		ink.raw("leaving now.")
	default:
		ink.raw("waiting to leave.")
	}
}

func failedWord(l model.Letter) string {
	if l.Code >= 500 {
		return "refused"
	}
	return "given up"
}

func serverWords(code int, reply string) string {
	if code == 0 || strings.HasPrefix(reply, strconv.Itoa(code)) {
		return reply
	}
	return strconv.Itoa(code) + " " + reply
}

// tagClass is green only once a mail server took the letter: until then nothing
// has worked yet.
func tagClass(s *model.ResetStatus) string {
	switch {
	case s.Letter == nil:
		return ""
	case s.Letter.State == model.LetterFailed, s.Letter.State == model.LetterBounced:
		return "refused"
	case s.Letter.State == model.LetterAccepted:
		return "sent"
	}
	return ""
}

func askedBy(s *model.ResetStatus) string {
	if s == nil {
		return ""
	}
	return s.AskedBy
}

func askedWords(who string) string {
	switch who {
	case "":
		return "asked for"
	case "automatically":
		return who
	}
	return "asked for by " + who
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func uncapital(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// LifeLine is the way of the newest link, drawn as a key that grows towards
// its lock: asked, accepted by the mail server, opened, password set.
func LifeLine(p Page, link *model.Reset, letter *model.Letter, by string, oob bool) templ.Component {
	return drawn(p, func(ink *pen) {
		ink.raw(`<section id="life-line"`)
		if link == nil {
			ink.raw(" hidden")
		}
		if oob {
			ink.raw(` hx-swap-oob="outerMorph"`)
		}
		ink.raw(">")
		if link != nil {
			ink.raw(`<h2>The life of the link</h2><div><ol class="life">`)
			for _, s := range stations(link, letter, by) {
				ink.station(s)
			}
			ink.raw(`</ol><p class="life-end">`)
			ink.lifeEnd(link)
			ink.raw(` <a href="/admin/letters?account=`)
			ink.number(link.AccountID)
			ink.raw(`">All letters about them</a></p></div>`)
		}
		ink.raw("</section>")
	})
}

func (ink *pen) lifeEnd(link *model.Reset) {
	past := func(words string, at time.Time) {
		ink.raw(words, " <span>")
		ink.moment(at)
		ink.raw("</span>.")
	}
	switch {
	case link.EndReason == model.EndUsed:
		ink.raw("It did its work.")
	case link.EndReason == model.EndReplaced:
		past("A newer link replaced it", link.EndedAt)
	case link.EndReason == model.EndCancelled:
		past("It was cancelled", link.EndedAt)
	case link.EndReason == model.EndNotMe:
		past("They said it wasn’t them, which ended it", link.EndedAt)
	case !ink.page.Now.Before(link.ExpiresAt):
		past("It expired", link.ExpiresAt)
	default:
		ink.raw("It ends <span>")
		ink.coming(link.ExpiresAt)
		ink.raw("</span>.")
	}
}

// station is one of the four on the life-line. What has not happened is said
// in words.
type station struct {
	name  string
	mark  string // its drawing
	class string
	at    time.Time
	not   string
	note  string
	tip   bool // the key's bit stands here
}

// The drawings of stations; any other is a plain dot.
var marks = map[string]string{
	"bow":    `<circle cx="20" cy="20" r="18"></circle><circle class="hole" cx="17" cy="20" r="7"></circle>`,
	"lock":   `<circle cx="20" cy="20" r="18"></circle><path class="hole" d="M20 9.500a6 6 0 0 0-3 11.200L15 30h10l-2-9.300A6 6 0 0 0 20 9.500Z"></path>`,
	"broken": `<circle cx="20" cy="20" r="12"></circle><path d="m15.500 15.500 9 9m0-9-9 9"></path>`,
	"":       `<circle cx="20" cy="20" r="10"></circle>`,
}

const bit = `<svg class="bit" viewBox="0 0 40 40" aria-hidden="true"><path d="M0 16h34a4 4 0 0 1 0 8h-2v8h-5v-4h-4v6h-7V24H0Z"></path></svg>`

func (ink *pen) station(s station) {
	ink.raw(`<li class="`, s.class, `"><svg class="station" viewBox="0 0 40 40" aria-hidden="true">`, marks[s.mark], `</svg>`)
	if s.tip {
		ink.raw(bit)
	}
	ink.raw("<strong>", s.name, "</strong> <span>")
	if s.at.IsZero() {
		ink.raw(s.not)
	} else {
		ink.moment(s.at)
	}
	ink.raw("</span>")
	if s.note != "" {
		ink.raw(` <span class="soft">`)
		ink.text(s.note)
		ink.raw("</span>")
	}
	ink.raw("</li>")
}

func stations(link *model.Reset, letter *model.Letter, by string) []station {
	asked := station{name: "Asked for", mark: "bow", at: link.MadeAt}
	if by != "" {
		asked.note = strings.TrimPrefix(askedWords(by), "asked for ")
	}
	opened := station{name: "Opened", at: link.OpenedAt, not: "not yet"}
	set := station{name: "Password set", mark: "lock", not: "not yet"}
	if link.EndReason == model.EndUsed {
		set.at = link.EndedAt
	} else if !opened.at.IsZero() {
		opened.note = "perhaps by a mail scanner"
	}
	all := []station{asked, letterStation(link, letter), opened, set}

	tip := 0
	for i := range all {
		if all[i].class == "" && !all[i].at.IsZero() {
			all[i].class = "reached"
			tip = i
		}
	}
	all[tip].tip = tip < len(all)-1
	for i := range all[:tip] {
		all[i].class += " through"
	}
	return all
}

func letterStation(link *model.Reset, l *model.Letter) station {
	s := station{name: "Accepted by the mail server", not: "not yet"}
	switch {
	case l == nil && link.Email == "":
		s.not = "no email address"
	case l == nil && !link.SpokenAt.IsZero():
		s.not = "no letter: a code was read out"
	case l == nil: // letters are tidied away sooner than links
		s.not = "not known any more"
	case l.State == model.LetterAccepted:
		s.at = l.SettledAt
		if !l.DelayedAt.IsZero() {
			s.note = "it waits on its way"
		}
	case l.State == model.LetterFailed:
		return station{name: "Refused by the mail server", mark: "broken", class: "broken", at: l.SettledAt}
	case l.State == model.LetterBounced:
		return station{name: "Came back", mark: "broken", class: "broken", at: l.SettledAt, note: "after the mail server took it"}
	case l.State == model.LetterCaptured:
		s.not = "no mail server is set up"
	case l.State == model.LetterWithdrawn && l.Stopped:
		s.not = "stopped by the office"
	case l.State == model.LetterWithdrawn:
		s.not = "withdrawn: the link ended first"
	case l.State == model.LetterRetrying:
		s.not, s.note = "not yet", "it will be tried again"
	}
	return s
}
