package model

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// letters that Unicode does not decompose, although people who cannot type
// them write the plain one.
var plainLetters = strings.NewReplacer(
	"ł", "l", "đ", "d", "ð", "d", "ø", "o", "þ", "th", "æ", "ae", "œ", "oe",
	"ħ", "h", "ŧ", "t", "ı", "i", "ŋ", "n", "ə", "e", "ɓ", "b", "ɗ", "d", "ƙ", "k",
)

// apostrophes are the signs that keyboards, phones and word processors write
// for the one inside a name.
const apostrophes = "'’‘‛ʼʻ`′"

// Fold brings a text to the form in which it is compared and searched: no
// case, no accents, one apostrophe, in every script ("Łukasz" and "lukasz",
// "Straße" and "strasse" are the same). SQLite's own folding knows ASCII only,
// so it is done here and kept in columns of its own.
func Fold(s string) string {
	// What follows a broken character would stay composed.
	s = strings.ToValidUTF8(s, "\ufffd")
	// NFKD would part the acute accent, a common apostrophe, into a space and
	// an accent.
	s = norm.NFKD.String(strings.ReplaceAll(s, "´", "'"))
	// Lower case first, because x/text exchanges the cases of Cherokee instead
	// of folding them. A Caser keeps state, so each call has its own.
	s = cases.Fold().String(strings.ToLower(s))
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r):
			return -1
		case strings.ContainsRune(apostrophes, r):
			return '\''
		}
		return r
	}, s)
	return plainLetters.Replace(norm.NFC.String(s))
}

// words splits a folded text at everything that is no letter or digit.
func words(folded string) []string {
	return strings.FieldsFunc(folded, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// withoutApostrophes leaves them out of a folded text, as many do who type it.
func withoutApostrophes(folded string) string { return strings.ReplaceAll(folded, "'", "") }

// Digits keeps the digits of a phone number or the like.
func Digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// SearchText is the words under which a member is found: of name, company,
// email, phone and member number, folded, each once, with the spellings
// people use ("O'Brien" as obrien and as o brien, "0171-555" as 0171555).
func (m Member) SearchText() string {
	var out []string
	seen := map[string]bool{}
	add := func(ws ...string) {
		for _, w := range ws {
			if w != "" && !seen[w] {
				seen[w] = true
				out = append(out, w)
			}
		}
	}
	for _, text := range []string{m.FirstName, m.LastName, m.Company, m.Email, m.MemberNo} {
		f := Fold(text)
		add(words(withoutApostrophes(f))...)
		add(words(f)...)
	}
	add(joined(words(Fold(m.MemberNo)))...)
	phone := Fold(m.Phone)
	add(joined(groups(phone))...)
	add(words(phone)...)
	return strings.Join(out, " ")
}

// joined are the pieces of a number in one, from each of them on: people leave
// out what stands between them, and what comes before.
func joined(pieces []string) []string {
	out := make([]string, len(pieces))
	rest := ""
	for i, p := range slices.Backward(pieces) {
		rest = p + rest
		out[i] = rest
	}
	return out
}

// groups are the groups of digits in a phone number.
func groups(phone string) []string {
	return strings.FieldsFunc(phone, func(r rune) bool { return r < '0' || r > '9' })
}

// mostSearchWords is more than anybody types, and few enough to look up.
const mostSearchWords = 20

// SearchWords is the words of what was typed into the search field, folded
// like SearchText; the first 20 of them. A text of digits and phone
// punctuation alone is one word: people type a phone number with whatever
// spaces it has on their display.
func SearchWords(typed string) []string {
	f := Fold(typed)
	if d := Digits(f); d != "" && strings.Trim(f, "0123456789 +-/().") == "" {
		return []string{d}
	}
	ws := words(withoutApostrophes(f))
	return ws[:min(len(ws), mostSearchWords)]
}
