package model

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestSpelled is the most letters a word may have for its neighbours to be
// listed: those are some 1,600 then.
const longestSpelled = 30

// Spellings lists the words that one slip of the keyboard makes of a folded
// word: a letter too many or too few, a wrong one, or two neighbours
// exchanged; each once, and neither the word itself nor the empty one. The
// letters tried are a to z and, so that other scripts are not left alone, the
// other ones of the word itself. A word of more than 30 letters has none.
func Spellings(word string) []string {
	length := utf8.RuneCountInString(word)
	if length == 0 || length > longestSpelled {
		return nil
	}
	return oneSlip(word, withOwnLetters(word, "abcdefghijklmnopqrstuvwxyz"))
}

// withOwnLetters are the letters of a keyboard and those of a word that are
// not on it.
func withOwnLetters(word, keyboard string) []string {
	letters := strings.Split(keyboard, "")
	for _, r := range word {
		if l := string(r); unicode.IsLetter(r) && !slices.Contains(letters, l) {
			letters = append(letters, l)
		}
	}
	return letters
}

// oneSlip is Spellings with these letters, of a word of any length.
func oneSlip(word string, letters []string) []string {
	length := utf8.RuneCountInString(word)
	out := make([]string, 0, (2*length+1)*len(letters)+2*length)
	for i := 0; i < len(word); {
		_, n := utf8.DecodeRuneInString(word[i:])
		before, this, after := word[:i], word[i:i+n], word[i+n:]
		_, n = utf8.DecodeRuneInString(after)
		next, rest := after[:n], after[n:]
		// Of the ways to double a letter, or to leave one of two out, only the
		// one at their end is taken.
		if this != next {
			if length > 1 {
				out = append(out, before+after)
			}
			if next != "" {
				out = append(out, before+next+this+rest)
			}
		}
		for _, l := range letters {
			if l != this {
				out = append(out, before+l+after, before+l+this+after)
			}
		}
		i += len(this)
	}
	for _, l := range letters {
		out = append(out, word+l)
	}
	return out
}

// Slips is how many slips of the keyboard lie between two folded words (the
// distance of Damerau and Levenshtein, no letter moved twice), or most+1 if
// there are more than most.
func Slips(a, b string, most int) int {
	s, t := withoutCommonEnds([]rune(a), []rune(b))
	if len(s) > len(t) {
		s, t = t, s
	}
	if len(t)-len(s) > most {
		return most + 1
	}
	limit := min(most, len(t)) // there are never more
	over := limit + 1

	// Rows of the table of distances between beginnings of s and of t: the one
	// before last, the last, this one. Away from the diagonal by more than the
	// limit, a distance is more than the limit too.
	var room [3 * 32]int
	rows := room[:]
	width := len(t) + 1
	if 3*width > len(rows) {
		rows = make([]int, 3*width)
	}
	older, last, row := rows[:width], rows[width:2*width], rows[2*width:3*width]
	for j := range last {
		last[j] = min(j, over)
	}
	for i := 1; i <= len(s); i++ {
		from, to := max(1, i-limit), min(len(t), i+limit)
		row[from-1] = over
		if from == 1 {
			row[0] = min(i, over)
		}
		least := row[from-1]
		for j := from; j <= to; j++ {
			d := last[j-1]
			if s[i-1] != t[j-1] {
				d++
				d = min(d, row[j-1]+1, last[j]+1)
				if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
					d = min(d, older[j-2]+1)
				}
			}
			row[j] = min(d, over)
			least = min(least, row[j])
		}
		if to < len(t) {
			row[to+1] = over
		}
		if least > limit {
			return most + 1
		}
		older, last, row = last, row, older
	}
	if last[len(t)] > limit {
		return most + 1
	}
	return last[len(t)]
}

// withoutCommonEnds cuts off how two words begin and end alike: no slip is
// needed there.
func withoutCommonEnds(a, b []rune) ([]rune, []rune) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}
