package model_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"latchkey/db/model"
)

func TestSlipsOfTheKeyboard(t *testing.T) {
	tests := []struct {
		name, a, b string
		most, want int
	}{
		{"the same", "meyer", "meyer", 2, 0},
		{"nothing at all", "", "", 2, 0},
		{"a wrong letter", "meyer", "meier", 2, 1},
		{"a letter too many", "meyer", "meyeer", 2, 1},
		{"a letter too few", "meyer", "meer", 2, 1},
		{"the first is missing", "meyer", "eyer", 2, 1},
		{"the last is missing", "meyer", "meye", 2, 1},
		{"two exchanged", "meyer", "meyre", 2, 1},
		{"the first two exchanged", "meyer", "emyer", 2, 1},
		{"two that are not neighbours", "meyer", "mreye", 2, 2},
		{"exchanged, with one between them", "ca", "abc", 3, 3},
		{"two slips", "meyer", "mair", 3, 3},
		{"from nothing", "", "ab", 2, 2},
		{"exactly as many as allowed", "kitten", "sitting", 3, 3},
		{"one more than allowed", "kitten", "sitting", 2, 3},
		{"far more than allowed", "kitten", "organist", 2, 3},
		{"lengths too far apart", "a", "abcdefgh", 2, 3},
		{"none allowed, the same", "meyer", "meyer", 0, 0},
		{"none allowed", "meyer", "meier", 0, 1},
		{"letters of more bytes", "шевченко", "шевчнеко", 2, 1},
		{"no limit", "kitten", "sitting", math.MaxInt, 3},
		{"no limit, nothing alike", "aaaa", "bbbbbb", math.MaxInt, 6},
		{"long words", strings.Repeat("ab", 100), strings.Repeat("ba", 100), 5, 2},
	}
	for _, tt := range tests {
		if got := model.Slips(tt.a, tt.b, tt.most); got != tt.want {
			t.Errorf("%s: %q and %q, at most %d: got %d, want %d", tt.name, tt.a, tt.b, tt.most, got, tt.want)
		}
	}
}

func TestSpellings(t *testing.T) {
	tests := []struct {
		name, word string
		with       []string
	}{
		{"Latin", "meyer", []string{"meier", "eyer", "meye", "mmeyer", "meyere", "meyre", "emyer", "mejyer", "xeyer"}},
		{"one letter", "m", []string{"n", "mn", "nm", "mm"}},
		{"Cyrillic", "шевченко", []string{"шевчнеко", "шевчеко", "шевченкоо", "кевченко"}},
		{"a number", "m21", []string{"m12", "m1", "21", "n21"}},
	}
	for _, tt := range tests {
		got := model.Spellings(tt.word)
		for _, w := range tt.with {
			if !slices.Contains(got, w) {
				t.Errorf("%s: %q is missing among those of %q", tt.name, w, tt.word)
			}
		}
	}
	for word, not := range map[string]string{"m": "", "m21": "m221", "шев": "шеюв", "meyer": "meyer"} {
		if slices.Contains(model.Spellings(word), not) {
			t.Errorf("%q is among those of %q", not, word)
		}
	}
}

func TestALongWordHasNoSpellings(t *testing.T) {
	for _, letter := range []string{"a", "ш"} {
		if got := model.Spellings(strings.Repeat(letter, 30)); len(got) == 0 {
			t.Errorf("30 times %s: none", letter)
		}
		if got := model.Spellings(strings.Repeat(letter, 31)); got != nil {
			t.Errorf("31 times %s: %d", letter, len(got))
		}
	}
	if got := model.Spellings(""); got != nil {
		t.Errorf("of nothing: %q", got)
	}
}

// slips is the whole table, as the definition has it.
func slips(a, b string) int {
	s, t := []rune(a), []rune(b)
	d := make([][]int, len(s)+1)
	for i := range d {
		d[i] = make([]int, len(t)+1)
		for j := range d[i] {
			switch {
			case i == 0 || j == 0:
				d[i][j] = i + j
				continue
			case s[i-1] == t[j-1]:
				d[i][j] = d[i-1][j-1]
			default:
				d[i][j] = d[i-1][j-1] + 1
			}
			d[i][j] = min(d[i][j], d[i-1][j]+1, d[i][j-1]+1)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(s)][len(t)]
}

// Few letters make many ways from one word to the other.
func TestSlipsOfAllShortWords(t *testing.T) {
	words := []string{""}
	for first := 0; len(words[first]) < 5; first++ {
		for _, r := range "abc" {
			words = append(words, words[first]+string(r))
		}
	}
	for _, a := range words {
		for _, b := range words {
			want := slips(a, b)
			for most := range 4 {
				if got := model.Slips(a, b, most); got != min(want, most+1) {
					t.Fatalf("%q and %q, at most %d: got %d, want %d", a, b, most, got, min(want, most+1))
				}
			}
		}
	}
}

func FuzzSlips(f *testing.F) {
	for _, seed := range [][2]string{{"meyer", "meier"}, {"ca", "abc"}, {"", "a"}, {"шевченко", "шевчнеко"}, {"kitten", "sitting"}, {"\xff", "a"}, {"aab", "baa"}, {"abab", "baba"}} {
		f.Add(seed[0], seed[1], 2)
	}
	f.Fuzz(func(t *testing.T, a, b string, most int) {
		if len(a) > 200 || len(b) > 200 {
			return
		}
		want := slips(a, b)
		for _, most := range []int{most, 0, 1, 2, want - 1, want, want + 1} {
			bounded := want
			if want > most {
				bounded = most + 1
			}
			if got := model.Slips(a, b, most); got != bounded {
				t.Errorf("%q and %q, at most %d: got %d, want %d", a, b, most, got, bounded)
			}
			if got := model.Slips(b, a, most); got != bounded {
				t.Errorf("%q and %q, at most %d: got %d, want %d", b, a, most, got, bounded)
			}
		}
		if !utf8.ValidString(a) {
			return
		}
		near := model.Spellings(a)
		for _, w := range near {
			if got := model.Slips(a, w, 3); got != 1 {
				t.Errorf("%q is among the spellings of %q, %d slips away", w, a, got)
			}
		}
		slices.Sort(near)
		if n := len(near); len(slices.Compact(near)) != n {
			t.Errorf("%q has a spelling twice", a)
		}
	})
}

func BenchmarkSlips(b *testing.B) {
	for _, bb := range []struct{ name, a, b string }{
		{"near", "schmidtbauer", "schmittbauer"},
		{"far", "schmidtbauer", "papadopoulos"},
		{"Cyrillic", "шевченко", "шевчнеко"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				model.Slips(bb.a, bb.b, 2)
			}
		})
	}
}

func BenchmarkSpellings(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		model.Spellings("schmidtbauer")
	}
}
