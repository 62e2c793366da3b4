package views

import (
	"context"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"
)

// A pen writes a part of a page by hand: the parts of the record and of the
// office's frame, which are asked for all day. templ takes each expression
// through fmt, each computed class through a map and each spread attribute
// through a sorted one: the Settings tab took 75 µs by it and takes 17, the
// Details tab 100 µs and 10. What a page is made of stands in the templates; a
// pen writes one panel.
//
// What is not a constant of ours, a number or a time goes through text or
// attribute.
type pen struct {
	page Page
	html []byte
}

var pens = sync.Pool{New: func() any { return new(pen) }}

// penKept is more than any panel takes, save one with very long notes.
const penKept = 64 << 10

// drawn is what a pen writes, as a component.
func drawn(p Page, draw func(ink *pen)) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		ink := pens.Get().(*pen)
		ink.page, ink.html = p, ink.html[:0]
		if p.Settings != nil {
			ink.page.zone = p.location()
		}
		draw(ink)
		_, err := w.Write(ink.html)
		ink.page = Page{}
		if cap(ink.html) <= penKept {
			pens.Put(ink)
		}
		return err
	})
}

// raw writes what is HTML already.
func (ink *pen) raw(parts ...string) {
	for _, s := range parts {
		ink.html = append(ink.html, s...)
	}
}

// text writes what people wrote.
func (ink *pen) text(s string) { ink.html = append(ink.html, templ.EscapeString(s)...) }

// attribute writes one with a value; without one, it only stands there.
func (ink *pen) attribute(name, value string) {
	ink.raw(" ", name)
	if value != "" {
		ink.raw(`="`)
		ink.text(value)
		ink.raw(`"`)
	}
}

func (ink *pen) number(n int64) { ink.html = strconv.AppendInt(ink.html, n, 10) }

// memberURL writes the address of a record, and of what is below it.
func (ink *pen) memberURL(id int64, below string) {
	ink.raw("/admin/members/")
	ink.number(id)
	ink.raw(below)
}

func (ink *pen) icon(name string) { ink.raw(string(icons[name])) }

// moment writes a past time, coming a future one.
func (ink *pen) moment(t time.Time) { ink.clock(t, ink.page.Ago(t)) }

func (ink *pen) coming(t time.Time) { ink.clock(t, ink.page.Ahead(t)) }

// clock writes a time in short words, and in full for whoever hears the page, or
// points at a day that is named without its hour. More would be said twice, on
// pages that hold a link and so cross the wire uncompressed.
func (ink *pen) clock(t time.Time, short string) {
	t = t.In(ink.page.location())
	ink.raw(`<time datetime="`)
	ink.html = t.AppendFormat(ink.html, time.RFC3339)
	if !strings.Contains(short, ":") {
		ink.raw(`" title="`)
		ink.html = t.AppendFormat(ink.html, inFull)
	}
	if nearby(short) {
		ink.raw(`">`, short, `</time>`)
		return
	}
	ink.raw(`"><span aria-hidden="true">`, short, `</span><span class="unseen">`)
	ink.html = t.AppendFormat(ink.html, inFull)
	ink.raw(`</span></time>`)
}

// piece is HTML that is ready as it stands.
type piece string

// Render writes it.
func (p piece) Render(_ context.Context, w io.Writer) error {
	_, err := io.WriteString(w, string(p))
	return err
}
