package views

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"latchkey/db/model"
)

func letterURL(id int64) string { return "/admin/letters/" + strconv.FormatInt(id, 10) }

// LettersURL is where the letter log answers a query: without what was not
// asked.
func LettersURL(q model.LetterQuery) string {
	to, sep := "/admin/letters", "?"
	add := func(name, value string) {
		if value != "" && value != "0" {
			to, sep = to+sep+name+"="+url.QueryEscape(value), "&"
		}
	}
	add("q", strings.TrimSpace(q.Text))
	add("state", string(q.Filter))
	add("account", strconv.FormatInt(q.AccountID, 10))
	add("before", strconv.FormatInt(q.Before, 10))
	add("after", strconv.FormatInt(q.After, 10))
	return to
}

// older and newer are the same list at another page.
func older(q model.LetterQuery, than int64) model.LetterQuery {
	q.Before, q.After = than, 0
	return q
}

func newer(q model.LetterQuery, than int64) model.LetterQuery {
	q.Before, q.After = 0, than
	return q
}

func letterFilterName(f model.LetterFilter) string {
	switch f {
	case model.LettersWaiting:
		return "Waiting"
	case model.LettersAccepted:
		return "Accepted"
	case model.LettersFailed:
		return "Failed"
	case model.LettersWithdrawn:
		return "Withdrawn"
	case model.LettersCaptured:
		return "Not sent"
	}
	return "All"
}

// letterBadge is how far a letter is, at a glance.
func letterBadge(l *model.Letter) (class, words string) {
	switch l.State {
	case model.LetterAccepted:
		return "good", "Accepted"
	case model.LetterFailed:
		return "trouble", "Failed"
	case model.LetterBounced:
		return "trouble", "Came back"
	case model.LetterRetrying:
		return "", "Tried again"
	case model.LetterSending:
		return "", "Leaving"
	case model.LetterWithdrawn:
		if l.Stopped {
			return "none", "Stopped"
		}
		return "none", "Withdrawn"
	case model.LetterCaptured:
		return "none", "Not sent"
	}
	return "", "Waiting"
}

// letterTrouble explains what keeps a letter from arriving, "" if nothing does.
func letterTrouble(l *model.Letter) string {
	switch l.State {
	case model.LetterFailed, model.LetterRetrying, model.LetterBounced:
		return model.PlainReply(l.Code, l.Reply)
	}
	return ""
}

func letterName(k model.LetterKind) string {
	if name, ok := letterNames[k]; ok {
		return capital(name)
	}
	return capital(string(k))
}

// lettersCount is the caption of the log. A search has no total: it ends with
// the page.
func lettersCount(found model.LetterPage, q model.LetterQuery) string {
	n := len(found.Rows)
	switch total := found.Totals[q.Filter]; {
	case found.Older == 0 && found.Newer == 0:
		return count(n, "letter")
	case strings.TrimSpace(q.Text) == "" && q.AccountID == 0:
		return number(n) + " of " + number(total) + " letters"
	case found.Newer == 0:
		return "The newest " + count(n, "letter")
	}
	return count(n, "letter") + " of more"
}

// noLetter says kindly why the log is empty.
func noLetter(q model.LetterQuery) string {
	if text := strings.TrimSpace(q.Text); text != "" {
		return "No letter found for “" + text + "”."
	}
	switch q.Filter {
	case model.LettersWaiting:
		return "No letter waits."
	case model.LettersAccepted:
		return "No letter was accepted yet."
	case model.LettersFailed:
		return "No letter failed."
	case model.LettersWithdrawn:
		return "No letter was withdrawn."
	case model.LettersCaptured:
		return "Every letter had a mail server to go to."
	}
	return "No letter yet."
}

// letterAsker is who caused a letter.
func letterAsker(r *model.LetterRecord) string {
	switch r.Contents.AskedKind {
	case model.ByMember:
		if r.Contents.Kind == model.LetterNoAccount {
			return "by somebody who typed this address"
		}
		return "by the member"
	case model.ByShell:
		return "from the command line"
	case model.BySystem:
		return "automatically"
	}
	if r.AskedBy == "" {
		return "by somebody who has left the office"
	}
	return "by " + r.AskedBy
}

// attemptWords says how one attempt ended. l is the letter, last whether it was
// its last attempt.
func attemptWords(a model.LetterAttempt, l *model.Letter, last bool) string {
	switch {
	case a.Code >= 200 && a.Code < 300: // also of a letter that came back later
		return "Accepted by the mail server."
	case last && l.State == model.LetterSending:
		return "Under way."
	case a.EndedAt.IsZero():
		return "The portal stopped in the middle; the letter was sent again with the same mark, so that a mailbox can drop one of the two."
	}
	return model.PlainReply(a.Code, a.Reply)
}

// attemptDay is the attempts of one day of the association's calendar.
type attemptDay struct {
	name string
	all  []attemptLine
}

type attemptLine struct {
	model.LetterAttempt
	words string
}

func (p Page) attemptDays(r *model.LetterRecord) []attemptDay {
	var days []attemptDay
	for i, a := range r.Attempts {
		name := p.dayName(a.StartedAt)
		if n := len(days); n == 0 || days[n-1].name != name {
			days = append(days, attemptDay{name: name})
		}
		day := &days[len(days)-1]
		day.all = append(day.all, attemptLine{a, attemptWords(a, &r.Contents.Letter, i == len(r.Attempts)-1)})
	}
	return days
}

func (p Page) toTheSecond(t time.Time) string { return t.In(p.location()).Format("15:04:05") }

// letterLine says how far a letter is, with the server's own words beneath.
func letterLine(p Page, l *model.Letter, heldBack bool) templ.Component {
	return drawn(p, func(ink *pen) { ink.letterLine(l, heldBack, false) })
}

// blank stands where a link would open something.
const blank = "[left out]"

// opens is whatever looks like the secret part of a link, wherever it may have
// come from.
var opens = regexp.MustCompile(`(?i)[a-z2-7]{40}`)

// ComposeBlank writes a letter as it looked, with nothing in it that opens
// anything. Links in its HTML lead nowhere.
func ComposeBlank(c model.LetterContents) (Composed, error) {
	c.Links = slices.Clone(c.Links)
	for i := range c.Links {
		c.Links[i].URL = model.NewSecret(c.BaseURL + "/reset/" + blank)
		if c.Kind == model.LetterEmailConfirm {
			c.Links[i].URL = model.NewSecret(c.BaseURL + "/email/" + blank)
			continue
		}
		c.Links[i].NotMe = model.NewSecret(c.BaseURL + "/not-me/" + blank)
		c.Links[i].Code = model.NewSecret(blank)
	}
	if !c.NotMe.IsZero() {
		c.NotMe = model.NewSecret(c.BaseURL + "/not-me/" + blank)
	}
	said, err := ComposeLetter(c)
	if err != nil {
		return said, err
	}
	said.HTML = deadLinks.ReplaceAllString(said.HTML, "")
	for _, part := range []*string{&said.Subject, &said.Text, &said.HTML} {
		*part = opens.ReplaceAllString(*part, blank)
	}
	return said, nil
}

var deadLinks = regexp.MustCompile(` href="[^"]*"`)
