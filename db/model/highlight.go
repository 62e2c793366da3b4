package model

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Part is a piece of a text, and whether the search matched it.
type Part struct {
	Text string
	Hit  bool
}

// Highlighter marks in a text what a search matched.
type Highlighter struct{ words []string }

// NewHighlighter takes what was typed into the search field.
func NewHighlighter(typed string) Highlighter { return Highlighter{words: SearchWords(typed)} }

// Parts cuts a text of a member into what matched and what did not. Put
// together they are the text; an empty one has none. What matched is the
// beginning of a word, or of a number written with dashes and spaces, with
// everything in between, by the spellings of SearchText. A letter is never
// parted from its accents.
func (h Highlighter) Parts(text string) []Part {
	if text == "" {
		return nil
	}
	var room [8]span
	found := room[:0]
	if isASCII(text) {
		found = h.hits(text, found)
	} else {
		folded := Fold(text)
		found = unfold(text, folded, h.hits(folded, found))
	}
	if len(found) == 0 {
		return []Part{{Text: text}}
	}
	return cut(text, found)
}

// span is the bytes of a text from one offset to before another.
type span struct{ from, to int }

func (s span) overlaps(next span) bool { return next.from <= s.to }

// hits lists where search words begin words of a folded text, in order, the
// longest of those that begin together. An ASCII text, as most are, may come as
// it is: Fold would take longer than all the rest.
func (h Highlighter) hits(s string, found []span) []span {
	// inside a word; linked to one by apostrophes; whether a word, and whether
	// a digit, was there already
	var inside, linked, word, digit bool
	for i, r := range s {
		r = foldASCII(r)
		if r == '\'' {
			inside = false
			continue
		}
		if !inWord(r) {
			inside, linked = false, false
			continue
		}
		firstDigit := isDigit(r) && !digit
		if !inside {
			to, first := 0, s[i]
			if r < utf8.RuneSelf {
				first = byte(r)
			}
			for _, w := range h.words {
				if w[0] != first {
					continue
				}
				if linked {
					to = max(to, reach(s, i, w, nothing))
				} else {
					to = max(to, reach(s, i, w, isApostrophe))
				}
				if !word {
					if n := reach(s, i, w, betweenWords); n > to && isNumber(s) {
						to = n
					}
				}
				if firstDigit {
					if n := reach(s, i, w, betweenDigits); n > to && isPhone(s, i, n) {
						to = n
					}
				}
			}
			found = mark(found, span{i, to})
		}
		inside, linked, word, digit = true, true, true, digit || firstDigit
	}
	return found
}

// mark adds a span, unless it is empty, to those before it.
func mark(found []span, s span) []span {
	if s.to <= s.from {
		return found
	}
	if last := len(found) - 1; last >= 0 && found[last].overlaps(s) {
		found[last].to = max(found[last].to, s.to)
		return found
	}
	return append(found, s)
}

// reach is where the search word w ends that begins in s at from, or 0. What
// skip names does not count.
func reach(s string, from int, w string, skip func(rune) bool) int {
	for i, r := range s[from:] {
		r = foldASCII(r)
		if skip(r) {
			continue
		}
		want, n := utf8.DecodeRuneInString(w)
		if r != want {
			return 0
		}
		w = w[n:]
		if w == "" {
			return from + i + n
		}
	}
	return 0
}

// What may stand between the letters of a search word.
func nothing(rune) bool         { return false }
func isApostrophe(r rune) bool  { return r == '\'' }
func betweenWords(r rune) bool  { return !inWord(r) }
func betweenDigits(r rune) bool { return !isDigit(r) }

func inWord(r rune) bool {
	return 'a' <= r && r <= 'z' || isDigit(r) || r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

// isNumber guesses whether a text is a member number, which is also found
// with its words put together ("M-2024/17", "A 0042"). The company "Studio
// 54" is not, neither "Anna-Maria" nor anna-maria@example.org: typing
// annamaria would have marked what it does not find.
func isNumber(s string) bool {
	letters, digits, spaces := 0, 0, 0
	for _, r := range s {
		switch {
		case r == '@':
			return false
		case unicode.IsLetter(r):
			letters++
		case unicode.IsDigit(r):
			digits++
		case unicode.IsSpace(r):
			spaces++
		}
	}
	return digits > 0 && (spaces == 0 || letters <= digits)
}

// isPhone guesses whether the digits in a text between two offsets, the first
// of them the first digit of all, are of a phone number, which is also found
// with its digits put together. There may be words before them ("mobile: 0171
// 555"), but not the M of "M-2024", and between them ("ext."), but not those
// of "12 Angry 7 Happy".
func isPhone(s string, from, to int) bool {
	before := s[:from]
	if strings.Contains(s, "@") || strings.ContainsFunc(before, unicode.IsLetter) && !strings.Contains(" :.+(", before[from-1:]) {
		return false
	}
	letters, digits := 0, 0
	for _, r := range s[from:to] {
		switch {
		case unicode.IsLetter(r):
			letters++
		case isDigit(r):
			digits++
		}
	}
	return letters <= digits
}

// unfold turns spans of a folded text into those of the text it was before.
// They grow to whole letters: half of the ß that folds to ss cannot be marked.
func unfold(text, folded string, found []span) []span {
	whole := found[:0]
	at := 0 // in folded
	begun := -1
	for i := 0; i < len(text) && len(found) > 0; {
		n := letterLen(text[i:])
		at = min(at+foldedLen(text[i:i+n], folded[at:]), len(folded))
		for len(found) > 0 && found[0].from < at {
			if begun < 0 {
				begun = i
			}
			if found[0].to > at {
				break
			}
			whole = mark(whole, span{begun, i + n})
			found, begun = found[1:], -1
		}
		i += n
	}
	return whole
}

// foldedLen is how long a letter is that stands, folded, at the beginning of
// a text. Most letters of the scripts without capitals or accents are as long
// as before; folding them one by one would cost half a microsecond each.
func foldedLen(letter, folded string) int {
	r, n := utf8.DecodeRuneInString(letter)
	if n == len(letter) && n > 0 {
		if low := string(unicode.ToLower(r)); strings.HasPrefix(folded, low) {
			return len(low)
		}
	}
	return len(Fold(letter))
}

// letterLen is how many bytes at the beginning of a text fold together: a letter
// or sign with all the accents and syllable parts that follow it, or a run of
// broken bytes. Fold joins nothing across its end.
func letterLen(s string) int {
	r, n := utf8.DecodeRuneInString(s)
	if broken(r, n) {
		for n < len(s) && broken(utf8.DecodeRuneInString(s[n:])) {
			n++
		}
	}
	for n < len(s) && s[n] >= utf8.RuneSelf {
		r, size := utf8.DecodeRuneInString(s[n:])
		if broken(r, size) || !joinsBefore(s[n:]) {
			break
		}
		n += size
	}
	return n
}

func broken(r rune, size int) bool { return r == utf8.RuneError && size == 1 }

// joinsBefore says whether the first sign of a text is an accent or the like.
// Some become one only as Fold decomposes them (the half-width ﾞ of ｶﾞ).
func joinsBefore(s string) bool {
	p := norm.NFKD.PropertiesString(s)
	if d := p.Decomposition(); d != nil {
		return joinsBefore(string(d))
	}
	r, _ := utf8.DecodeRuneInString(s)
	return !p.BoundaryBefore() || unicode.IsMark(r)
}

// cut makes parts of a text and what is marked in it.
func cut(text string, marked []span) []Part {
	parts := make([]Part, 0, 2*len(marked)+1)
	done := 0
	for _, s := range marked {
		if done < s.from {
			parts = append(parts, Part{Text: text[done:s.from]})
		}
		parts = append(parts, Part{Text: text[s.from:s.to], Hit: true})
		done = s.to
	}
	if done < len(text) {
		parts = append(parts, Part{Text: text[done:]})
	}
	return parts
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// foldASCII does what Fold does to ASCII, and leaves the rest alone.
func foldASCII(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + 'a' - 'A'
	}
	if r == '`' {
		return '\''
	}
	return r
}
