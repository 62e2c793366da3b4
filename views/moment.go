package views

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"
)

// locations keeps time zones that were read once: time.LoadLocation parses
// its file anew on each call, and a page of members asks dozens of times.
var locations sync.Map

func (p Page) location() *time.Location {
	if p.zone != nil {
		return p.zone
	}
	name := p.Settings.TimeZone
	if loc, ok := locations.Load(name); ok {
		return loc.(*time.Location)
	}
	loc := p.Settings.Location()
	locations.Store(name, loc)
	return loc
}

// days counts midnights of the association's clock between two moments, so
// that "tomorrow" is tomorrow there, also where a day has 23 or 25 hours.
func (p Page) days(from, to time.Time) int {
	midnight := func(t time.Time) time.Time {
		y, m, d := t.In(p.location()).Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	return int(midnight(to).Sub(midnight(from)).Hours() / 24)
}

// Ago is a past moment in words: "today at 10:42", "12 Oct at 19:03".
func (p Page) Ago(t time.Time) string {
	local := t.In(p.location())
	clock := " at " + local.Format("15:04")
	switch p.days(t, p.Now) {
	case 0:
		return "today" + clock
	case 1:
		return "yesterday" + clock
	case -1:
		return "tomorrow" + clock
	}
	if local.Year() == p.Now.In(p.location()).Year() {
		return local.Format("Mon 2 Jan") + clock
	}
	return local.Format("2 Jan 2006") + clock
}

func moment(p Page, t time.Time) templ.Component { return clock(p, t, p.Ago(t)) }

func coming(p Page, t time.Time) templ.Component { return clock(p, t, p.Ahead(t)) }

func clock(p Page, t time.Time, short string) templ.Component {
	return drawn(p, func(ink *pen) { ink.clock(t, short) })
}

// nearby reports whether short words are said in full already.
func nearby(short string) bool {
	return strings.HasPrefix(short, "today ") || strings.HasPrefix(short, "yesterday ") || strings.HasPrefix(short, "tomorrow ")
}

// Ahead is a coming moment in words and by the clock: "in 3 hours (today,
// 13:42)", "in 6 days (Sat 28 Nov, 10:42)".
func (p Page) Ahead(t time.Time) string {
	local := t.In(p.location())
	days := p.days(p.Now, t)
	day := local.Format("Mon 2 Jan")
	switch {
	case days == 0:
		day = "today"
	case days == 1:
		day = "tomorrow"
	case local.Year() != p.Now.In(p.location()).Year():
		day = local.Format("Mon 2 Jan 2006")
	}
	return "in " + p.left(t) + " (" + day + ", " + local.Format("15:04") + ")"
}

// left is the time until t in its largest unit. Hours and minutes that have
// begun are not counted; days are rounded, for a link of 7 days that was sent a
// minute ago works for 7 days in everybody's eyes, and the clock stands beside.
func (p Page) left(t time.Time) string {
	d := t.Sub(p.Now)
	switch {
	case d >= 48*time.Hour:
		return count(int((d+12*time.Hour)/(24*time.Hour)), "day")
	case d >= time.Hour:
		return count(int(d/time.Hour), "hour")
	case d >= time.Minute:
		return count(int(d/time.Minute), "minute")
	}
	return "less than a minute"
}

// inFull is for screen readers, which stumble over "Sat 28 Nov".
const inFull = "Monday 2 January 2006 at 15:04"

func (p Page) inFull(t time.Time) string { return t.In(p.location()).Format(inFull) }

func count(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return strconv.Itoa(n) + " " + unit + "s"
}

// number is a count with its thousands apart: 2,418.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// date is a day as stored, "1951-03-14", in words: "14 March 1951". What is
// no such day is shown as it stands.
func date(iso string) string {
	t, err := time.Parse(time.DateOnly, iso)
	if err != nil {
		return iso
	}
	return t.Format("2 January 2006")
}
