package model_test

import (
	"slices"
	"strings"
	"testing"

	"latchkey/db/model"
)

func TestAnAddressNearlyAMembersIsFound(t *testing.T) {
	for _, tt := range []struct {
		typed, meant string
		near         bool
	}{
		{"ruth.adler@gmail.com", "ruth.adler@gmail.com", true}, // of a record, not of its account
		{"ruth.adler@gmial.com", "ruth.adler@gmail.com", true},
		{"ruth.adler@gamil.com", "ruth.adler@gmail.com", true},
		{"ruth.adler@gmai.com", "ruth.adler@gmail.com", true},
		{"ruth.adler@gmail.co", "ruth.adler@gmail.com", true},
		{"ruth.adler@gmail.con", "ruth.adler@gmail.com", true},
		{"ruth.adler@gmial.co", "ruth.adler@gmail.com", true},
		{"ruth.adler@gmail.com", "ruth.adler@gmial.co", true}, // the office's slip
		{"ruth.adler@googlemail.com", "ruth.adler@gmail.com", true},
		{"ruth.adler@gmail.com", "ruth.adler@googlemail.com", true},
		{"ruth.adler@googelmail.de", "ruth.adler@googlemail.com", true},
		{"ruth.adler@hotmial.com", "ruth.adler@hotmail.com", true},
		{"ruth.adler@hotmal.com", "ruth.adler@hotmail.com", true},
		{"ruth.adler@hotmail.com", "ruth.adler@outlook.com", true},
		{"ruth.adler@yaho.com", "ruth.adler@yahoo.com", true},
		{"ruth.adler@outlok.com", "ruth.adler@outlook.com", true},
		{"ruth.adler@outllok.co", "ruth.adler@outlook.com", true},
		{"ruth.adler@web.d", "ruth.adler@web.de", true},
		{"ruth.adler@gmx.ed", "ruth.adler@gmx.de", true},
		{"ruth.adler@gmx.net", "ruth.adler@gmx.de", true},
		{"ruth.adler@t-online.com", "ruth.adler@t-online.de", true},
		{"ruthadler@gmail.com", "ruth.adler@gmail.com", true},
		{"ruth_adler@gmail.com", "ruth.adler@gmail.com", true},
		{"ruht.adler@gmail.com", "ruth.adler@gmail.com", true},
		{"ruth.adlerr@gmail.com", "ruth.adler@gmail.com", true},
		{"ruth.adler1@gmail.com", "ruth.adler2@gmail.com", true},
		{"ruth.adler+club@gmail.com", "ruth.adler@gmail.com", true},
		{"ruth@riverside.exampel", "ruth@riverside.example", true},
		{"jürgen@groß.example", "jurgen@groß.example", true},

		{"ruth.adlre@gmial.com", "ruth.adler@gmail.com", false}, // one on either side
		{"r.adler@gmail.com", "ruth.adler@gmail.com", false},
		{"ruth.adler@gmx.de", "ruth.adler@web.de", false},
		{"ruth.adler@example.org", "ruth.adler@example.com", false},
		{"adler.ruth@gmail.com", "ruth.adler@gmail.com", false},
	} {
		if got := slices.Contains(model.NearEmails(tt.typed), tt.meant); got != tt.near {
			t.Errorf("%s is near %s: %v, want %v", tt.typed, tt.meant, got, tt.near)
		}
	}
}

func TestNearAddressesAreSoManyAndNoMore(t *testing.T) {
	domain := "@riverside-rowing.example"
	longest := strings.Repeat("a1", 50)[:50-len(domain)] + domain
	for _, typed := range []string{longest, "ruth@riverside.example", "a@b.c"} {
		all := model.NearEmails(typed)
		if len(all) > 4000 || len(all) < 200 {
			t.Errorf("%d addresses near %s", len(all), typed)
		}
		if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
			t.Errorf("those near %s are not each there once and in order", typed)
		}
	}
	// Longer ones are an attack on the look-up, or of a domain that is known.
	if all := model.NearEmails("a" + longest); len(all) != 1 {
		t.Errorf("%d addresses near one of 51 characters", len(all))
	}
	if all := model.NearEmails(strings.Repeat("a", 60) + "@gmial.co"); !slices.Contains(all, strings.Repeat("a", 60)+"@gmail.com") || len(all) > 40 {
		t.Errorf("%d addresses near a long one", len(all))
	}
	for _, typed := range []string{"", "@", "ruth", "ruth@", "@gmail.com", "M-21"} {
		if all := model.NearEmails(typed); len(all) != 0 {
			t.Errorf("%q is near %q", typed, all)
		}
	}
}

// What strangers type is spelled in every way, and each is looked up.
func FuzzNearEmails(f *testing.F) {
	for _, seed := range []string{"", "@", "ruth@gmial.co", "a+b@c", "+@x", "ü@groß.example", "a@b@c.d", "a@\xff", strings.Repeat("a", 49) + "@"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		key := model.EmailKey(typed)
		all := model.NearEmails(key)
		if len(all) > 5000 {
			t.Errorf("%d addresses near %q", len(all), key)
		}
		if len(all) > 0 && !slices.Contains(all, key) {
			t.Errorf("%q is not near itself", key)
		}
		if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
			t.Errorf("those near %q are not each there once and in order", key)
		}
	})
}
