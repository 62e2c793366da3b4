package views

import (
	"context"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"latchkey/db/model"
)

// cells writes the pieces of a list of members, with what the search matched
// marked. One serves a whole page, each piece in the place of the former: an
// expression of templ goes through fmt and is kept until the page is drawn, and
// a page of 50 members has 600 of them (measured: 260 µs, by cells 70).
type cells struct {
	page      Page
	searching bool
	matches   model.Highlighter
	location  *time.Location
	html      []byte

	// midnights of the association's clock
	yesterday, today, tomorrow time.Time
}

func newCells(p Page, q model.MemberQuery) *cells {
	c := &cells{page: p, location: p.location()}
	if c.searching = sought(q) != ""; c.searching {
		c.matches = model.NewHighlighter(q.Text)
	}
	y, m, d := p.Now.In(c.location).Date()
	midnight := func(days int) time.Time { return time.Date(y, m, d+days, 0, 0, 0, 0, c.location) }
	c.yesterday, c.today, c.tomorrow = midnight(-1), midnight(0), midnight(1)
	return c
}

// Render writes the piece that was made last.
func (c *cells) Render(_ context.Context, w io.Writer) error {
	_, err := w.Write(c.html)
	return err
}

func (c *cells) write(html ...string) {
	for _, s := range html {
		c.html = append(c.html, s...)
	}
}

func (c *cells) mark(text string) {
	if !c.searching {
		c.write(templ.EscapeString(text))
		return
	}
	for _, part := range c.matches.Parts(text) {
		if part.Hit {
			c.write("<mark>", templ.EscapeString(part.Text), "</mark>")
		} else {
			c.write(templ.EscapeString(part.Text))
		}
	}
}

// matched reports whether there will be a mark in a text.
func (c *cells) matched(text string) bool {
	return slices.ContainsFunc(c.matches.Parts(text), func(p model.Part) bool { return p.Hit })
}

// text is what the search looks through.
func (c *cells) text(s string) templ.Component {
	c.html = c.html[:0]
	c.mark(s)
	return c
}

// plain is what it does not.
func (c *cells) plain(s string) templ.Component {
	c.html = append(c.html[:0], templ.EscapeString(s)...)
	return c
}

func (c *cells) url(id int64) {
	c.write("/admin/members/")
	c.html = strconv.AppendInt(c.html, id, 10)
}

// link leads to the record.
func (c *cells) link(id int64, name string) templ.Component {
	c.html = append(c.html[:0], `<a href="`...)
	c.url(id)
	c.write(`">`)
	c.mark(name)
	c.write("</a>")
	return c
}

// badge leads to where a sign-in is mended.
func (c *cells) badge(m *model.MemberRow) templ.Component {
	class, words := accountState(m)
	c.html = c.html[:0]
	c.write(`<a class="badge`, class, `" href="`)
	c.url(m.ID)
	c.write(`/settings">`, words, `</a>`)
	return c
}

// state is badge where it stands in a link.
func (c *cells) state(m *model.MemberRow) templ.Component {
	class, words := accountState(m)
	c.html = c.html[:0]
	c.write(`<span class="badge`, class, `">`, words, `</span>`)
	return c
}

func accountState(m *model.MemberRow) (class, words string) {
	switch {
	case !m.HasAccount:
		return " none", "No account"
	case m.Disabled:
		return " trouble", "Disabled"
	case m.Slowed:
		return " trouble", "Slowed"
	case m.AccountRole.InOffice():
		return " held", roleName(m.AccountRole)
	case m.LastSignInAt.IsZero():
		return "", "Never signed in"
	}
	return " has", "Account"
}

// day is a past moment as [clock] writes it, in the words of [Page.Ago] as far as
// a narrow column has room for them; nothing for no moment.
func (c *cells) day(t time.Time) templ.Component {
	c.html = c.html[:0]
	if t.IsZero() {
		return c
	}
	t = t.In(c.location)
	full := c.page.inFull(t)
	c.write(`<time datetime="`)
	c.format(t, time.RFC3339)
	c.write(`" title="`, full, `">`)
	switch {
	case !t.Before(c.tomorrow): // a clock was set back
		c.write(c.page.Ago(t))
	case !t.Before(c.today):
		c.write("today at ")
		c.format(t, "15:04")
	case !t.Before(c.yesterday):
		c.write("yesterday at ")
		c.format(t, "15:04")
	default:
		c.write(`<span aria-hidden="true">`)
		if t.Year() == c.today.Year() {
			c.format(t, "Mon 2 Jan")
		} else {
			c.format(t, "2 Jan 2006")
		}
		c.write(`</span><span class="unseen">`, full, `</span>`)
	}
	c.write("</time>")
	return c
}

func (c *cells) format(t time.Time, layout string) { c.html = t.AppendFormat(c.html, layout) }
