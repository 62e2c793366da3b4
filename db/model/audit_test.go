package model_test

import (
	"testing"
	"time"

	"latchkey/db/model"
)

func TestADayIsOneOfTheAssociationsCalendar(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, from, to string
		long           time.Duration
		wrong          string
	}{
		{"a day", "2026-11-23", "2026-11-23", 24 * time.Hour, ""},
		{"the day that has 23 hours", "2026-03-29", "2026-03-29", 23 * time.Hour, ""},
		{"the day that has 25", "2026-10-25", "2026-10-25", 25 * time.Hour, ""},
		{"over the end of a year", "2026-12-31", "2027-01-01", 48 * time.Hour, ""},
		{"the last day before the first", "2026-11-23", "2026-11-22", 0, "to"},
		{"as an American writes", "11/23/2026", "2026-11-23", 0, "from"},
		{"no such day", "2026-02-29", "2026-03-01", 0, "from"},
		{"with a clock time", "2026-11-23", "2026-11-23T10:00", 0, "to"},
	} {
		from, until, f := model.AuditQuery{From: c.from, To: c.to}.Span(berlin)
		switch {
		case c.wrong != "":
			if len(f) != 1 || f[c.wrong] == "" {
				t.Errorf("%s: %v", c.name, f)
			}
		case len(f) != 0 || until.Sub(from) != c.long || from.In(berlin).Hour() != 0:
			t.Errorf("%s: from %v to %v, %v", c.name, from, until, f)
		}
	}
	if from, until, f := (model.AuditQuery{}).Span(berlin); !from.IsZero() || !until.IsZero() || len(f) != 0 {
		t.Error("nothing asked is bounded")
	}
}

func TestAnActIsSiftedByItsNoun(t *testing.T) {
	for act, noun := range map[model.Act]string{
		model.ActSignedIn: "session", model.ActSessionsEnded: "session", model.ActResetSent: "reset", model.ActSettingsChanged: "setting", model.ActSetUp: "portal",
	} {
		if act.Noun() != noun {
			t.Errorf("%s is about %q", act, act.Noun())
		}
		for _, asked := range []string{"", noun, string(act)} {
			if !(model.AuditQuery{Act: asked}).Wants(act) {
				t.Errorf("%q does not want %s", asked, act)
			}
		}
		if (model.AuditQuery{Act: noun + "."}).Wants(act) || (model.AuditQuery{Act: "letter"}).Wants(act) {
			t.Errorf("%s comes unasked", act)
		}
	}
}
