package handlers

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func TestOwnersChangeTheSettings(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	page := b.get("/admin/settings").is(http.StatusOK)
	form := `form[action="/admin/settings"]`
	a := b.submit(page, form, "", "association", "Harbour Choir", "colour", "#14506e", "reset_lifetime", "24", "resend_window", "16",
		"min_password_length", "14", "time_zone", "Europe/Oslo", "support_phone", "030 7")
	b.follow(a.leads("/admin/settings")).says("Saved.").says("Harbour Choir")
	got, err := s.db.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Association != "Harbour Choir" || got.Resets != model.StrictResets || got.MinPasswordLength != 14 || got.TimeZone != "Europe/Oslo" ||
		got.Colour != "#14506e" || !got.RollSignIn || !got.Households {
		t.Errorf("%+v", got)
	}
	off := b.post("/admin/settings", "association", "Harbour Choir", "base_url", got.BaseURL, "time_zone", "Europe/Oslo",
		"reset_lifetime", "24", "resend_window", "16", "min_password_length", "14")
	off.leads("/admin/settings")
	if got, _ := s.db.Settings(t.Context()); got.RollSignIn || got.Households || got.UnknownLetters {
		t.Error("a box without its tick is still on")
	}
}

func TestSettingsThatWillNotDoComeBack(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	for field, value := range map[string]string{
		"association": "", "time_zone": "Mars/Base", "reset_lifetime": "721", "resend_window": "x",
		"min_password_length": "7", "colour": "red", "support_email": "office",
	} {
		page := b.get("/admin/settings")
		a := b.submit(page, `form[action="/admin/settings"]`, "", field, value).is(http.StatusUnprocessableEntity)
		if a.one("#"+field).AttrOr("aria-invalid", "") != "true" {
			t.Errorf("%s = %q has no mark", field, value)
		}
		if got := a.one("#"+field).AttrOr("value", ""); field != "time_zone" && got != value {
			t.Errorf("%s = %q came back as %q", field, value, got)
		}
	}
	for _, number := range []string{"-1", "99999999999", "999999999999999999999999", "1e9", " 24 h"} {
		page := b.get("/admin/settings")
		b.submit(page, `form[action="/admin/settings"]`, "", "reset_lifetime", number).is(http.StatusUnprocessableEntity)
	}
}

func TestAllThatIsWrongIsSaidInOneRound(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	page := b.get("/admin/settings")
	a := b.submit(page, `form[action="/admin/settings"]`, "", "colour", "red", "association", "", "reset_lifetime", "x", "support_email", "office").is(http.StatusUnprocessableEntity)
	for _, field := range []string{"colour", "association", "reset_lifetime", "support_email"} {
		a.one("#" + field + "[aria-invalid]")
	}
	if n := a.doc.Find("[aria-invalid]").Length(); n != 4 {
		t.Errorf("%d fields are marked", n)
	}
	if got := a.text(`.mistakes a[href="#colour"]`); !strings.HasPrefix(got, "Colour: ") {
		t.Errorf("the summary says %q", got)
	}
}

func TestOnePressChoosesAPairOfNumbers(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	for name, want := range map[string]model.ResetPolicy{"strict": model.StrictResets, "usual": model.UsualResets} {
		page := b.get("/admin/settings")
		b.submit(page, `form[action="/admin/settings"]`, `button[value="`+name+`"]`, "association", "Choir "+name, "reset_lifetime", "x").leads("/admin/settings")
		if got, _ := s.db.Settings(t.Context()); got.Resets != want || got.Association != "Choir "+name {
			t.Errorf("%s: %+v, %q", name, got.Resets, got.Association)
		}
	}
}

func TestInvitingAColleague(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	page := b.get("/admin/staff").is(http.StatusOK).says("Ruth Adler")
	form := `form[action="/admin/staff"]`
	a := b.submit(page, form, "", "first_name", "Sara", "last_name", "Lund", "email", "sara@example.org", "role", "staff").leads("/admin/staff")
	b.follow(a).says("Sara Lund").says("invitation is on its way")
	if got := dbtest.Kinds(dbtest.Deliver(t, s.db)); got != "welcome to sara@example.org" {
		t.Errorf("letters: %s", got)
	}
	for _, c := range []struct{ field, value string }{{"email", "sara@example.org"}, {"email", "no"}, {"email", ""}, {"role", "member"}, {"role", "x"}} {
		a := b.submit(page, form, "", "first_name", "Sven", "last_name", "Falk", "email", "sven@example.org", c.field, c.value)
		a.is(http.StatusUnprocessableEntity)
		if got := a.value(`main [name="first_name"]`); got != "Sven" {
			t.Errorf("%s = %q: the name came back as %q", c.field, c.value, got)
		}
	}
}

func TestEveryZoneOfferedExists(t *testing.T) {
	all := zones("UTC")
	if len(all) < 400 || !slices.Contains(all, "Europe/Berlin") {
		t.Errorf("%d zones", len(all))
	}
	for _, zone := range all {
		if _, err := time.LoadLocation(zone); err != nil {
			t.Error(err)
		}
	}
	if got := zones("US/Pacific"); got[0] != "US/Pacific" {
		t.Error("a zone that is stored already is not offered")
	}
	if _, err := time.LoadLocation(machineZone()); err != nil {
		t.Error(err)
	}
}

func TestTheAssociationsColourAlwaysReadsWell(t *testing.T) {
	value := func(css, name string) colour {
		_, rest, ok := strings.Cut(css, "--"+name+":")
		c, parsed := parseColour(rest[:7])
		if !ok || !parsed {
			t.Fatalf("no %s in %s", name, css)
		}
		return c
	}
	for r := 0; r < 256; r += 51 {
		for g := 0; g < 256; g += 51 {
			for b := 0; b < 256; b += 51 {
				c := colour{float64(r) / 255, float64(g) / 255, float64(b) / 255}
				for _, s := range []scheme{light, dark} {
					css := s.properties(c)
					on := value(css, "on-accent")
					for _, under := range []string{"accent", "accent-light"} {
						if got := contrast(on, value(css, under)); got < 4.45 { // rounded to whole steps of the screen
							t.Errorf("%v: letters on %s have a contrast of %.2f: %s", c, under, got, css)
						}
					}
					for _, surface := range s.surfaces {
						if got := contrast(value(css, "accent-ink"), surface); got < 4.45 {
							t.Errorf("%v: letters on paper have a contrast of %.2f: %s", c, got, css)
						}
						if got := contrast(value(css, "accent-edge"), surface); got < 2.95 {
							t.Errorf("%v: edges have a contrast of %.2f: %s", c, got, css)
						}
					}
				}
			}
		}
	}
}

func TestTheBrandIsAStyleSheetThatMayBeKept(t *testing.T) {
	s := newSite(t)
	set := func(colour string) {
		now, err := s.db.Settings(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		now.Colour = colour
		must0(t, s.db.ChangeSettings(t.Context(), dbtest.Owner(t, s.db), now))
	}
	b := s.browser(t)
	set("#14506e")
	if a := b.get("/brand.css?v=abcdef"); a.header.Get("Cache-Control") != brandAgeOther {
		t.Errorf("under a former colour's address it is kept: %v", a.header)
	}
	a := b.get("/brand.css?v=14506e").is(http.StatusOK)
	if a.header.Get("Cache-Control") != brandAge || a.header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("%v", a.header)
	}
	if !strings.Contains(a.body, "--accent:#14506e") {
		t.Errorf("the colour is changed without need:\n%s", a.body)
	}
	b.get("/sign-in").one(`link[href="/brand.css?v=14506e"]`)
	for _, nonsense := range []string{"", "red", "#12345", "#12345g", "}body{display:none"} {
		if got := brandOf(nonsense); got != "" {
			t.Errorf("%q gives %s", nonsense, got)
		}
	}
}
