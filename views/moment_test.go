package views

import (
	"testing"
	"time"
)

func TestPastMomentsInWords(t *testing.T) {
	p := pageFor(stranger, "/")
	at := func(y int, m time.Month, d, h, min int) time.Time { return time.Date(y, m, d, h, min, 0, 0, berlin) }
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{at(2026, 11, 22, 10, 42), "today at 10:42"},
		{at(2026, 11, 22, 0, 0), "today at 00:00"},
		{at(2026, 11, 21, 23, 59), "yesterday at 23:59"},
		{at(2026, 11, 20, 23, 59), "Fri 20 Nov at 23:59"},
		{at(2026, 1, 1, 8, 0), "Thu 1 Jan at 08:00"},
		{at(2025, 12, 31, 8, 0), "31 Dec 2025 at 08:00"},
	} {
		if got := p.Ago(c.at.UTC()); got != c.want {
			t.Errorf("%s: %q, want %q", c.at, got, c.want)
		}
	}
}

func TestComingMomentsInWords(t *testing.T) {
	p := pageFor(stranger, "/")
	for _, c := range []struct {
		in   time.Duration
		want string
	}{
		{30 * time.Second, "in less than a minute (today, 11:05)"},
		{time.Minute, "in 1 minute (today, 11:06)"},
		{59*time.Minute + 59*time.Second, "in 59 minutes (today, 12:04)"},
		{time.Hour, "in 1 hour (today, 12:05)"},
		{16 * time.Hour, "in 16 hours (tomorrow, 03:05)"},
		{48*time.Hour - time.Second, "in 47 hours (Tue 24 Nov, 11:04)"},
		{48 * time.Hour, "in 2 days (Tue 24 Nov, 11:05)"},
		{6*24*time.Hour - 23*time.Minute, "in 6 days (Sat 28 Nov, 10:42)"},
		{7*24*time.Hour - 23*time.Minute, "in 7 days (Sun 29 Nov, 10:42)"},
		{45 * 24 * time.Hour, "in 45 days (Wed 6 Jan 2027, 11:05)"},
	} {
		if got := p.Ahead(now.Add(c.in)); got != c.want {
			t.Errorf("%s: %q, want %q", c.in, got, c.want)
		}
	}
}

// On 25 October 2026 clocks in Berlin go back: the day has 25 hours.
func TestTomorrowIsTomorrowWhereADayHas25Hours(t *testing.T) {
	p := pageFor(stranger, "/")
	p.Now = time.Date(2026, 10, 24, 12, 0, 0, 0, berlin)
	if got, want := p.Ahead(p.Now.Add(24*time.Hour)), "in 24 hours (tomorrow, 11:00)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := p.Ago(p.Now.Add(-36*time.Hour)), "yesterday at 00:00"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestMomentsAreReadInFull(t *testing.T) {
	p := pageFor(stranger, "/")
	doc := draw(t, coming(p, now.Add(6*24*time.Hour)))
	says(t, doc, "time .unseen", "Saturday 28 November 2026 at 11:05")
	says(t, doc, "time [aria-hidden]", "in 6 days (Sat 28 Nov, 11:05)")
	if got, want := doc.Find("time").AttrOr("datetime", ""), "2026-11-28T11:05:00+01:00"; got != want {
		t.Errorf("datetime %q, want %q", got, want)
	}
}

func TestOnlyADayWithoutItsHourSaysMoreWhenPointedAt(t *testing.T) {
	p := pageFor(stranger, "/")
	at := p.Now.AddDate(0, -1, 0)
	for short, want := range map[string]bool{p.Ago(at): false, "Thu 22 Oct": true} {
		if _, got := draw(t, clock(p, at, short)).Find("time").Attr("title"); got != want {
			t.Errorf("%q has a title: %v", short, got)
		}
	}
}

func TestDatesAndNumbersInWords(t *testing.T) {
	for in, want := range map[string]string{"1951-03-14": "14 March 1951", "": "", "spring": "spring"} {
		if got := date(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 100000: "100,000", 1234567: "1,234,567"} {
		if got := number(in); got != want {
			t.Errorf("%d: %q, want %q", in, got, want)
		}
	}
}
