package model_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"latchkey/db/model"
)

func TestFoldTakesAwayCaseAndAccents(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{"Ruth", "ruth"},
		{"Łukasz", "lukasz"},
		{"ŁUKASZ", "lukasz"},
		{"lukasz", "lukasz"},
		{"Straße", "strasse"},
		{"STRASSE", "strasse"},
		{"STRAẞE", "strasse"},
		{"Đặng", "dang"},
		{"Ðorbjörg", "dorbjorg"},
		{"Þóra", "thora"},
		{"Sørensen", "sorensen"},
		{"Ǿ", "o"},
		{"Æsa", "aesa"},
		{"Ǽ", "ae"},
		{"Œuvre", "oeuvre"},
		{"Ħal", "hal"},
		{"Ŧ", "t"},
		{"Ŋ", "n"},
		{"Ə", "e"},
		{"Ɓɗƙ", "bdk"},
		{"José", "jose"},
		{"Jose\u0301", "jose"},
		{"Ångström", "angstrom"},
		{"Å", "a"},
		{"Dvořák", "dvorak"},
		{"Nguyễn Thị", "nguyen thi"},
		{"ﬁsh", "fish"},
		{"Ｗｉｄｅ", "wide"},
		{"№", "no"},
		{"İstanbul", "istanbul"},
		{"ISTANBUL", "istanbul"},
		{"ıstanbul", "istanbul"},
		{"Diyarbakır", "diyarbakir"},
		{"ΟΔΥΣΣΕΥΣ", "οδυσσευσ"},
		{"Οδυσσεύς", "οδυσσευσ"},
		{"οδυσσεύσ", "οδυσσευσ"},
		{"Ἀχιλλεύς", "αχιλλευσ"},
		{"Ёлка", "елка"},
		{"Й", "и"},
		{"ШЕВЧЕНКО", "шевченко"},
		{"Ѐ", "е"},
		{"한국", "한국"},
		{"王小明", "王小明"},
		{"ガ", "カ"},
		{"ｶﾞ", "カ"},
		{"עִבְרִית", "עברית"},
		{"مُحَمَّد", "محمد"},
		{"أحمد", "احمد"},
		{"🔑", "🔑"},
		{"O'Brien", "o'brien"},
		{"O´Brien", "o'brien"},
		{"Kaʻahumanu", "ka'ahumanu"},
		{"ᏣᎳᎩ", "ᏣᎳᎩ"},
		{"ꮳꮃꭹ", "ᏣᎳᎩ"},
	}
	for _, tt := range tests {
		if got := model.Fold(tt.text); got != tt.want {
			t.Errorf("%q: got %q (%+q), want %q", tt.text, got, got, tt.want)
		}
	}
}

func TestFoldingTwiceIsFoldingOnce(t *testing.T) {
	texts := []string{
		"مُحَمَّد الرَّشيد", "ﷺ", "עִבְרִית שָׁלוֹם", "हिन्दी क्षत्रिय", "ज़फ़र", "বাংলা", "தமிழ்", "ไทย", "ខ្មែរ", "မြန်မာ",
		"王小明", "龍", "臺灣", "ガギグ", "ﾊﾟ", "한국어", "각", "🔑👩‍👩‍👧‍👦🇩🇪✍🏽", "e\ufe0f", "ΐ", "ᾳ", "ᾼ", "ͅ", "ŉ", "ǰ", "ẞ", "ﬃ", "ſ", "K", "Ω",
		"Ꮿ", "ꭰ", "Ⓐ", "㎏", "½", "Ǆ", "ǅ", "İ", "i̇", "I\u0307\u0323", "\u0f73", "\u1d160", "\U0001d15e", "\u0344", "a\u0315\u0300\u05ae\u0062", "\xff\xfe", "a\xc3", "´", "ʼn",
	}
	for _, s := range texts {
		once := model.Fold(s)
		if twice := model.Fold(once); twice != once {
			t.Errorf("%q: once %q (%+q), twice %q (%+q)", s, once, once, twice, twice)
		}
		if !utf8.ValidString(once) {
			t.Errorf("%q gives %q, which cannot be read", s, once)
		}
	}
	// Every letter there is; of those scripts that have thousands, some.
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if r%64 != 0 && unicode.In(r, unicode.Unified_Ideograph, unicode.Hangul, unicode.Tangut, unicode.Egyptian_Hieroglyphs, unicode.Cuneiform) {
			continue
		}
		if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsNumber(r) {
			continue
		}
		once := model.Fold(string(r))
		if twice := model.Fold(once); twice != once {
			t.Errorf("%U: once %+q, twice %+q", r, once, twice)
		}
	}
}

// found says whether a member is in the list once this was typed: each word
// must begin one of theirs.
func found(m model.Member, typed string) bool {
	have := strings.Fields(m.SearchText())
	want := model.SearchWords(typed)
	for _, w := range want {
		if !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, w) }) {
			return false
		}
	}
	return len(want) > 0
}

func TestAMemberIsFoundByWhatPeopleType(t *testing.T) {
	lukasz := model.Member{FirstName: "Łukasz", LastName: "Wójcik", Email: "l.wojcik+club@poczta.example", Phone: "+48 22 123-45-67", MemberNo: "A-0042"}
	strasse := model.Member{Company: "Bäckerei Straße & Söhne GmbH", Phone: "(0171) 555 12/3"}
	dang := model.Member{FirstName: "Thị Hồng", LastName: "Đặng", Phone: "0171-555"}
	sigma := model.Member{FirstName: "Οδυσσέας", LastName: "ΠΑΠΑΔΟΠΟΥΛΟΣ"}
	ipek := model.Member{FirstName: "İpek", LastName: "Işık"}
	wang := model.Member{LastName: "王", FirstName: "小明"}
	rahul := model.Member{FirstName: "राहुल", LastName: "शर्मा"}
	muhammad := model.Member{FirstName: "مُحَمَّد"}
	office := model.Member{LastName: "Klein", Phone: "Büro 0171 555, Ext. ４２"}
	tests := []struct {
		name  string
		m     model.Member
		typed string
		want  bool
	}{
		{"no accents", lukasz, "lukasz", true},
		{"with accents", lukasz, "Łukasz", true},
		{"capitals", lukasz, "ŁUKASZ WÓJCIK", true},
		{"last name first", lukasz, "wojcik lukasz", true},
		{"beginnings", lukasz, "woj luk", true},
		{"one letter", lukasz, "ł", true},
		{"the middle of a word", lukasz, "ukasz", false},
		{"one word that does not fit", lukasz, "lukasz smith", false},
		{"an end too long", lukasz, "lukaszz", false},
		{"their address", lukasz, "l.wojcik+club@poczta.example", true},
		{"the beginning of their address", lukasz, "l.woj", true},
		{"the domain", lukasz, "poczta", true},
		{"the number", lukasz, "A-0042", true},
		{"the number in small letters", lukasz, "a-0042", true},
		{"the number without its dash", lukasz, "a0042", true},
		{"the digits of the number", lukasz, "0042", true},
		{"the number with a space", lukasz, "A 0042", true},
		{"phone as written", lukasz, "+48 22 123-45-67", true},
		{"phone without spaces", lukasz, "48221234567", true},
		{"phone with other spaces", lukasz, "+48 (22) 1234567", true},
		{"the beginning of the phone", lukasz, "+48 22 12", true},
		{"part of the phone", lukasz, "123", true},
		{"ss for ß", strasse, "strasse", true},
		{"ß", strasse, "Straße", true},
		{"capital ß", strasse, "STRAẞE", true},
		{"the company's other words", strasse, "sohne backerei gmbh", true},
		{"brackets and slash", strasse, "0171555123", true},
		{"brackets and slash as written", strasse, "(0171) 555 12/3", true},
		{"dang", dang, "dang", true},
		{"Đặng", dang, "Đặng", true},
		{"thi hong dang", dang, "thi hong dang", true},
		{"0171555 finds 0171-555", dang, "0171555", true},
		{"0171-555", dang, "0171-555", true},
		{"0171 555", dang, "0171 555", true},
		{"0171.555", dang, "0171.555", true},
		{"another phone", dang, "0171-556", false},
		{"final sigma for a capital", sigma, "Παπαδόπουλος", true},
		{"sigma inside", sigma, "οδυσσεασ", true},
		{"capitals for a final sigma", model.Member{LastName: "Παπαδόπουλος"}, "ΠΑΠΑΔΟΠΟΥΛΟΣ", true},
		{"while typing, before it is final", model.Member{LastName: "Παπαδόπουλος"}, "παπαδοπουλοσ", true},
		{"dotted i", ipek, "ipek", true},
		{"dotted I", ipek, "İPEK", true},
		{"I without its dot", ipek, "IPEK", true},
		{"dotless i", ipek, "isik", true},
		{"dotless i, typed", ipek, "ışık", true},
		{"Chinese", wang, "王", true},
		{"Chinese first name", wang, "小", true},
		{"Devanagari", rahul, "राहुल", true},
		{"Devanagari while typing", rahul, "शर्", true},
		{"Arabic without vowels", muhammad, "محمد", true},
		{"Arabic with vowels", muhammad, "مُحَمَّد", true},
		{"a word beside the phone", office, "büro", true},
		{"a word beside the phone, plain", office, "buro", true},
		{"digits of another width", office, "42", true},
		{"nothing", lukasz, "", false},
		{"signs alone", lukasz, "+-/ ().", false},
		{"an emoji", lukasz, "🔑", false},
		{"an operator", lukasz, "OR", false},
		{"quotes", lukasz, `"lukasz"`, true},
		{"a star", lukasz, "luk*", true},
	}
	for _, tt := range tests {
		if got := found(tt.m, tt.typed); got != tt.want {
			t.Errorf("%s: %q (%q) in %q: %v", tt.name, tt.typed, model.SearchWords(tt.typed), tt.m.SearchText(), got)
		}
	}
}

func TestOBrienIsFoundByEveryApostrophe(t *testing.T) {
	apostrophes := map[string]string{
		"straight": "'", "curly": "’", "opening": "‘", "reversed": "‛", "modifier letter": "ʼ", "turned letter": "ʻ", "grave": "`", "acute": "´",
		"prime": "′", "wide": "＇",
	}
	for stored, a := range apostrophes {
		m := model.Member{FirstName: "Nuala", LastName: "O" + a + "Brien"}
		for _, typed := range []string{"obrien", "OBrien", "o brien", "brien", "o", "obr", "nuala obrien"} {
			if !found(m, typed) {
				t.Errorf("%q does not find the %s one: %q", typed, stored, m.SearchText())
			}
		}
		for name, b := range apostrophes {
			for _, typed := range []string{"O" + b + "Brien", "o" + b + "br", "O" + b} {
				if !found(m, typed) {
					t.Errorf("the %s one, %q (%q), does not find the %s one: %q", name, typed, model.SearchWords(typed), stored, m.SearchText())
				}
			}
		}
		if found(m, "ob rien") {
			t.Errorf("the %s one is found by ob rien", stored)
		}
	}
}

func TestEachSearchWordStandsOnce(t *testing.T) {
	m := model.Member{FirstName: "Ruth", LastName: "Ruth-Adler", Company: "Adler", Email: "ruth.adler@adler.example", MemberNo: "21", Phone: "21"}
	have := strings.Fields(m.SearchText())
	sorted := slices.Sorted(slices.Values(have))
	if len(slices.Compact(sorted)) != len(have) {
		t.Errorf("got %q", have)
	}
	for _, w := range []string{"ruth", "adler", "example", "21"} {
		if !slices.Contains(have, w) {
			t.Errorf("%s is missing in %q", w, have)
		}
	}
	if got := (model.Member{Notes: "secret", City: "Bonn", BirthDate: "1958-03-21"}).SearchText(); got != "" {
		t.Errorf("what is not searched: %q", got)
	}
}

func TestSearchWords(t *testing.T) {
	tests := []struct {
		typed string
		want  []string
	}{
		{"", nil},
		{"  ", nil},
		{"-", nil},
		{"+", nil},
		{"Ruth  Adler", []string{"ruth", "adler"}},
		{"Adler, Ruth", []string{"adler", "ruth"}},
		{"Ruth-Adler", []string{"ruth", "adler"}},
		{"O'Brien", []string{"obrien"}},
		{"0171 555-12", []string{"017155512"}},
		{"+49 (0)171/555.12", []string{"49017155512"}},
		{"\u00a00171\u2009555 ", []string{"0171555"}},
		{"０１７１", []string{"0171"}},
		{"0171 555 ruth", []string{"0171", "555", "ruth"}},
		{"M-21", []string{"m", "21"}},
		{`" OR 1=1 --`, []string{"or", "1", "1"}},
		{"a:b^c*NEAR/2", []string{"a", "b", "c", "near", "2"}},
		{"50%_x", []string{"50", "x"}},
	}
	for _, tt := range tests {
		if got := model.SearchWords(tt.typed); !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.typed, got, tt.want)
		}
	}
}

func TestOnlyTheFirstTwentyWordsAreSearchedFor(t *testing.T) {
	for _, n := range []int{19, 20, 21, 5000} {
		if got := model.SearchWords(strings.Repeat("ruth ", n)); len(got) != min(n, 20) {
			t.Errorf("%d words: %d are searched for", n, len(got))
		}
	}
}

func TestDigits(t *testing.T) {
	for typed, want := range map[string]string{"": "", "abc": "", "+49 (0)171": "490171", "٣4": "4", "1\xff2": "12"} {
		if got := model.Digits(typed); got != want {
			t.Errorf("%q: got %q, want %q", typed, got, want)
		}
	}
}

func TestMembersAreSortedByLastName(t *testing.T) {
	tests := []struct {
		name string
		m    model.Member
		want string
	}{
		{"both names", model.Member{FirstName: "Ruth", LastName: "Adler", Company: "Zoo"}, "adler ruth"},
		{"last name", model.Member{LastName: "Adler"}, "adler"},
		{"first name", model.Member{FirstName: "Ruth", Company: "Zoo"}, "ruth"},
		{"accents", model.Member{FirstName: "Łukasz", LastName: "Ödegård"}, "odegard lukasz"},
		{"an apostrophe", model.Member{LastName: "O'Brien"}, "o brien"},
		{"a company", model.Member{Company: "Bäckerei Straße & Söhne"}, "backerei strasse sohne"},
		{"names that are no letters", model.Member{LastName: "***", Company: "Zoo"}, ""},
		{"an address", model.Member{Email: "ruth@example.org"}, "ruth example org"},
		{"a number", model.Member{MemberNo: "M-21"}, "m 21"},
		{"nothing", model.Member{}, "unnamed member"},
	}
	for _, tt := range tests {
		if got := tt.m.SortKey(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, seed := range []string{"", "Łukasz", "Straße", "O´Brien", "ʼn", "İ", "ᾳ", "e\u0301\u0323", "हिन्दी", "한", "ｶﾞ", "\xff", "a\xc3b", "0\xf0ĥ", "0171-555", "\u0f73\u0f71", "Ǆ", "+49 171", "ŉ'"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 500 {
			return
		}
		once := model.Fold(s)
		if twice := model.Fold(once); twice != once {
			t.Errorf("%q: once %+q, twice %+q", s, once, twice)
		}
		for _, w := range model.SearchWords(s) {
			if w == "" || strings.ContainsFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
				t.Errorf("%q has the word %+q", s, w)
			}
			if again := model.SearchWords(w); !slices.Equal(again, []string{w}) {
				t.Errorf("%q: the word %+q becomes %+q", s, w, again)
			}
		}
		m := model.Member{FirstName: s, LastName: s, Company: s, Email: s, Phone: s, MemberNo: s}
		for _, r := range m.SearchText() {
			if r != ' ' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
				t.Errorf("%q is searched under %+q", s, m.SearchText())
			}
		}
		if len(model.SearchWords(s)) > 0 && !found(m, s) {
			t.Errorf("%q (%q) does not find itself in %q", s, model.SearchWords(s), m.SearchText())
		}
		m.SortKey()
	})
}
