package model_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"latchkey/db/model"
)

// marked writes parts as text, the hits in brackets.
func marked(parts []model.Part) string {
	var b strings.Builder
	for _, p := range parts {
		if p.Hit {
			b.WriteString("[" + p.Text + "]")
		} else {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}

func TestWhatWasTypedIsMarked(t *testing.T) {
	tests := []struct{ name, typed, text, want string }{
		{"the beginning of a word", "rut", "Ruth Adler", "[Rut]h Adler"},
		{"a whole word", "ruth", "Ruth Adler", "[Ruth] Adler"},
		{"another word", "adl", "Ruth Adler", "Ruth [Adl]er"},
		{"two words", "adl ruth", "Ruth Adler", "[Ruth] [Adl]er"},
		{"a word that is there twice", "ruth", "Ruth Ruth-Adler", "[Ruth] [Ruth]-Adler"},
		{"the longest of two", "ru ruth rut", "Ruth", "[Ruth]"},
		{"the middle of a word", "uth", "Ruth Adler", "Ruth Adler"},
		{"a word too long", "ruthie", "Ruth Adler", "Ruth Adler"},
		{"nothing typed", "", "Ruth", "Ruth"},
		{"signs typed", "*?", "Ruth *?", "Ruth *?"},
		{"brackets", "ruth", "(Ruth)", "([Ruth])"},
		{"an email", "ruth exam", "ruth.adler@example.org", "[ruth].adler@[exam]ple.org"},
		{"an email, typed", "ruth.adler@ex", "ruth.adler@example.org", "[ruth].[adler]@[ex]ample.org"},

		{"no accents typed", "lukasz", "Łukasz", "[Łukasz]"},
		{"accents typed", "Łukasz", "Lukasz Wójcik", "[Lukasz] Wójcik"},
		{"capitals", "WOJ", "Łukasz Wójcik", "Łukasz [Wój]cik"},
		{"half of an ß", "stras", "Straße", "[Straß]e"},
		{"a whole ß", "strass", "Straße", "[Straß]e"},
		{"past an ß", "strasse", "Straße 12", "[Straße] 12"},
		{"before an ß", "stra", "Straße", "[Stra]ße"},
		{"after an ß", "fus", "Weißer Fuß", "Weißer [Fuß]"},
		{"composed", "dang", "Đặng", "[Đặng]"},
		{"composed, begun", "da", "Đặng", "[Đặ]ng"},
		{"decomposed", "dang", "Đa\u0323\u0306ng", "[Đa\u0323\u0306ng]"},
		{"decomposed, begun", "da", "Đa\u0323\u0306ng", "[Đa\u0323\u0306]ng"},
		{"decomposed, before", "d", "Đa\u0323\u0306ng", "[Đ]a\u0323\u0306ng"},
		{"an accent on ASCII", "jos", "Jose\u0301", "[Jos]e\u0301"},
		{"an accent on ASCII, all", "jose", "Jose\u0301 R", "[Jose\u0301] R"},
		{"a ligature, half", "f", "ﬁsh", "[ﬁ]sh"},
		{"a ligature of two words", "2", "½ & ⅓", "[½] & ⅓"},
		{"one letter that is two", "tho", "Þóra", "[Þó]ra"},
		{"Greek capitals", "παπαδ", "ΠΑΠΑΔΟΠΟΥΛΟΣ", "[ΠΑΠΑΔ]ΟΠΟΥΛΟΣ"},
		{"final sigma", "οδυσσευσ", "Οδυσσεύς", "[Οδυσσεύς]"},
		{"Cyrillic", "елк", "Ёлка", "[Ёлк]а"},
		{"Hangul", "한", "한국", "[한]국"},
		{"Hangul in pieces", "한", "\u1112\u1161\u11ab국", "[\u1112\u1161\u11ab]국"},
		{"Chinese", "小", "王 小明", "王 [小]明"},
		{"half-width Katakana", "カ", "ｶﾞギ", "[ｶﾞ]ギ"},
		{"Devanagari", "र", "राहुल", "[रा]हुल"},
		{"Arabic with vowels", "محم", "مُحَمَّد", "[مُحَمَّ]د"},
		{"Turkish", "istan", "İstanbul ıstan", "[İstan]bul [ıstan]"},
		{"wide letters", "wi", "Ｗｉｄｅ", "[Ｗｉ]ｄｅ"},
		{"an emoji before", "ruth", "👩‍👩‍👧 Ruth", "👩‍👩‍👧 [Ruth]"},
		{"broken before", "ruth", "\xff\xfe\xfd Ruth\xff", "\xff\xfe\xfd [Ruth]\xff"},

		{"an apostrophe left out", "obrien", "O’Brien", "[O’Brien]"},
		{"an apostrophe left out, begun", "obr", "O’Brien", "[O’Br]ien"},
		{"an apostrophe left out, ASCII", "obr", "Nuala O'Brien", "Nuala [O'Br]ien"},
		{"an apostrophe as a space", "o brien", "O’Brien", "[O]’[Brien]"},
		{"after an apostrophe", "bri", "O`Brien", "O`[Bri]en"},
		{"another apostrophe", "O´Br", "O`Brien", "[O`Br]ien"},
		{"across the second apostrophe only", "briens", "O'Brien's", "O'Brien's"},
		{"not at the apostrophe", "ob rien", "O'Brien", "[O'B]rien"},
		{"the letter of ŉ", "n", "ŉ", "[ŉ]"},

		{"a phone without its dash", "0171555", "0171-555 12", "[0171-555] 12"},
		{"a phone with other spaces", "01 71 55", "0171-555 12", "[0171-55]5 12"},
		{"a part of a phone", "555", "0171-555 12", "0171-[555] 12"},
		{"a phone from abroad", "+49 171 5", "+49 (171) 555", "+[49 (171) 5]55"},
		{"a phone with a word", "0171 5", "mobile (daughter): 0171/555", "mobile (daughter): [0171/5]55"},
		{"a phone with a short word", "0171 5", "Büro:0171/555", "Büro:[0171/5]55"},
		{"a phone with an extension", "0171 555 4", "Büro 0171 555, Ext. 42", "Büro [0171 555, Ext. 4]2"},
		{"digits of another width", "0171 5", "０１７１－５５", "[０１７１－５]５"},
		{"a number without its dash", "m202417", "M-2024/17", "[M-2024/17]"},
		{"a number begun", "m20", "M-2024/17", "[M-20]24/17"},
		{"a number, its dash typed", "M-2024/1", "M-2024/17", "[M]-[2024]/[1]7"},
		{"a part of a number", "17", "M-2024/17", "M-2024/[17]"},
		{"a number with a space", "a0042", "A 0042", "[A 0042]"},
		{"more letters than digits", "abc1", "ABC-12", "[ABC-1]2"},
		{"a number in accents", "a12", "Ä-12", "[Ä-12]"},
		{"the digits of a member number", "202417", "M-2024/17", "M-2024/17"},
		{"a name is no number", "ruthadler", "Ruth Adler", "Ruth Adler"},
		{"nor is a double name", "annamaria", "Anna-Maria", "Anna-Maria"},
		{"nor a company with one", "studio54", "Studio 54 GmbH", "Studio 54 GmbH"},
		{"nor with two", "127", "12 Angry 7 Happy", "12 Angry 7 Happy"},
		{"nor an email", "ruth1958", "ruth.1958@example.org", "ruth.1958@example.org"},
		{"nor the digits in one", "195803", "1958.03@example.org", "1958.03@example.org"},
	}
	for _, tt := range tests {
		if got := marked(model.NewHighlighter(tt.typed).Parts(tt.text)); got != tt.want {
			t.Errorf("%s: %q in %q: got %q, want %q", tt.name, tt.typed, tt.text, got, tt.want)
		}
	}
}

func TestNothingMatchedIsOnePart(t *testing.T) {
	for _, text := range []string{"Ruth", "Łukasz", "\xff"} {
		if got := model.NewHighlighter("x").Parts(text); !slices.Equal(got, []model.Part{{Text: text}}) {
			t.Errorf("%q: got %v", text, got)
		}
	}
	if got := model.NewHighlighter("x").Parts(""); got != nil {
		t.Errorf("an empty text: got %v", got)
	}
	if got := (model.Highlighter{}).Parts("Ruth"); len(got) != 1 {
		t.Errorf("nothing searched: got %v", got)
	}
}

// However long a letter is when folded, and whatever it does to the one
// before: what follows is marked in the right place.
func TestMarksStandRightAfterEveryLetter(t *testing.T) {
	h := model.NewHighlighter("zed")
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		if r%64 != 0 && unicode.In(r, unicode.Unified_Ideograph, unicode.Hangul, unicode.Tangut, unicode.Egyptian_Hieroglyphs, unicode.Cuneiform) {
			continue
		}
		if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsNumber(r) && !unicode.IsSymbol(r) {
			continue
		}
		for _, before := range []string{string(r), "e" + string(r), "\u1112" + string(r) + "\u1161", string(r) + "\u0345\u0301"} {
			if got, want := marked(h.Parts(before+" zedek")), before+" [zed]ek"; got != want {
				t.Errorf("%U: got %+q, want %+q", r, got, want)
			}
		}
	}
}

func FuzzParts(f *testing.F) {
	for _, seed := range [][2]string{
		{"lukasz", "Łukasz"}, {"stras", "Straße"}, {"o brien", "O’Brien"}, {"obr", "O'Brien's"}, {"0171555", "Büro 0171-555 12"}, {"m202417", "M-2024/17"},
		{"dang", "Đa\u0323\u0306ng"}, {"x", ""}, {"a", "\xff\xfea\xcc"}, {"2", "½"}, {"한", "\u1112\u1161\u11ab"}, {"カ", "ｶﾞ"}, {"n", "ŉ`"}, {"م", "ﷺ"},
		{"ruth ru", "ruth.adler@example.org"}, {"र", "राहुल"}, {"e", "e\ufe0f\u20e3"}, {"a", "\u0301a"}, {"ae", "Ǽ"}, {"i", "İı"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, typed, text string) {
		if len(typed) > 200 || len(text) > 500 {
			return
		}
		wellFormed(t, text, model.NewHighlighter(typed).Parts(text))
		for _, w := range model.SearchWords(typed) {
			parts := model.NewHighlighter(w).Parts(text)
			wellFormed(t, text, parts)
			hit := slices.ContainsFunc(parts, func(p model.Part) bool { return p.Hit })
			if !hit && found(model.Member{LastName: text}, w) {
				t.Errorf("%+q is found by %+q, and nothing is marked: %+q", text, w, marked(parts))
			}
			if hit && !found(model.Member{LastName: text, MemberNo: text, Phone: text}, w) {
				t.Errorf("%+q is not found by %+q, and yet marked: %+q", text, w, marked(parts))
			}
			for _, p := range parts {
				folded := model.Fold(p.Text)
				if p.Hit && !strings.Contains(inWords(folded), w) && !strings.Contains(model.Digits(folded), w) {
					t.Errorf("%+q is marked in %+q for %+q", p.Text, text, w)
				}
			}
		}
	})
}

func wellFormed(t *testing.T, text string, parts []model.Part) {
	t.Helper()
	var all strings.Builder
	for i, p := range parts {
		all.WriteString(p.Text)
		if p.Text == "" {
			t.Errorf("%+q: an empty part: %+q", text, marked(parts))
		}
		if i == 0 {
			continue
		}
		if p.Hit == parts[i-1].Hit {
			t.Errorf("%+q: neighbours are alike: %+q", text, marked(parts))
		}
		if r, _ := utf8.DecodeRuneInString(p.Text); unicode.IsMark(r) {
			t.Errorf("%+q: a letter is parted from its accent: %+q", text, marked(parts))
		}
		if utf8.ValidString(text) && !utf8.ValidString(p.Text) {
			t.Errorf("%+q: a letter is cut: %+q", text, marked(parts))
		}
	}
	if all.String() != text {
		t.Errorf("%+q becomes %+q", text, all.String())
	}
}

func inWords(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}

func BenchmarkParts(b *testing.B) {
	for _, bb := range []struct{ name, typed, text string }{
		{"ASCII/nothing", "mey", "ruth.adler@example.org"},
		{"ASCII/name", "adl", "Ruth Adler"},
		{"ASCII/phone", "0171555", "0171-555 12"},
		{"ASCII/three words", "ruth adler example", "ruth.adler@example.org"},
		{"Latin/nothing", "mey", "Łukasz Wójcik"},
		{"Latin/name", "woj", "Łukasz Wójcik"},
		{"Cyrillic/name", "шев", "Александр Шевченко"},
		{"Vietnamese/name", "hong", "Nguyễn Thị Hồng Đặng"},
		{"long", "ruth", strings.Repeat("Straße ", 2000) + "Ruth"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			h := model.NewHighlighter(bb.typed)
			b.ReportAllocs()
			for b.Loop() {
				h.Parts(bb.text)
			}
		})
	}
}
