package model

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// passwordShortest is below every length an owner can choose; it holds
	// even if a damaged setting asks for less (ASVS 5.0, 6.2.1).
	passwordShortest = 8

	// LongestPassword is a number of characters far above what generators and
	// passphrases need, and small enough that every check on a password stays
	// cheap.
	LongestPassword = 256

	// A code point has at most 4 bytes, and composing shortens a text to no
	// less than a third, so a longer text cannot come down to LongestPassword
	// code points. It is refused before any work is done on it.
	passwordBytes = 4 * utf8.UTFMax * LongestPassword
)

// PasswordReason is the word for what a password lacks.
type PasswordReason string

// The reasons to refuse a password.
const (
	PasswordTooLong    PasswordReason = "too_long"     // more than 256 code points
	PasswordNotText    PasswordReason = "not_text"     // control characters or invalid UTF-8
	PasswordTooShort   PasswordReason = "too_short"    // fewer code points than the least
	PasswordCommon     PasswordReason = "common"       // among the most used, or one of them dressed up
	PasswordContextual PasswordReason = "context_word" // holds a word of the person or the association
	PasswordPattern    PasswordReason = "pattern"      // rows of keys, counting, repeats
	PasswordSame       PasswordReason = "same"         // the present one; only its hash can tell, so the caller says it
)

// PasswordProblem is the one thing that a new password lacks. It never holds
// the password or a part of it.
type PasswordProblem struct {
	Reason PasswordReason
	Length int // code points the password has, where Reason is PasswordTooShort
	Least  int // code points it needs then
}

// Sentence is what a person reads beside the field.
func (p *PasswordProblem) Sentence() string {
	switch p.Reason {
	case PasswordNotText:
		return "There is a tab, a line break or another invisible character in it. Please leave that out."
	case PasswordTooLong:
		return fmt.Sprintf("Please use at most %d characters.", LongestPassword)
	case PasswordTooShort:
		if p.Length == 0 {
			return fmt.Sprintf("Please choose a password of at least %d characters.", p.Least)
		}
		return fmt.Sprintf("Please use at least %d characters; this one has %d.", p.Least, p.Length)
	case PasswordCommon:
		return "This is one of the most used passwords, or very near to one, so it would be tried first. Please choose another."
	case PasswordContextual:
		return "Please leave out your own name, email, birth date and member number, and the association's name."
	case PasswordSame:
		return "This is the password you have now. Please choose a new one."
	default:
		return "Rows of keys, counting and repeats are guessed quickly. Four words that have nothing to do with each other make a good password."
	}
}

// NormalizePassword gives the form in which a password is measured, checked,
// hashed and compared: Unicode NFC, the normalisation of RFC 8265 §4.2.2.
//
// An "é" is one code point from a phone and two from a Mac's file name, and
// nobody can see which. NIST SP 800-63B-4 §3.1.1.2 therefore has passwords
// normalised, while OWASP ASVS 5.0, 6.2.8, has them verified exactly as
// received. NFC gives both: it unites only spellings of the same text, and
// leaves case, width, spaces and every visible difference as they were typed.
// Nothing is ever trimmed or cut off.
//
// [PasswordRules.Problem] and [HashPassword] normalise themselves, so no caller can
// forget it.
func NormalizePassword(s string) string { return norm.NFC.String(s) }

// PasswordRules is what a new password has to be, for the person it is for.
type PasswordRules struct {
	Least   int      // code points
	Context []string // words it must not hold, as [PasswordContext] gives them
}

// Problem is what a new password lacks: nil, or the first of the reasons in the
// order of their declaration. One at a time, because one is what a person can
// mend. There are no rules about capitals, digits or signs (NIST SP 800-63B-4
// §3.1.1.2; OWASP ASVS 5.0, 6.2.5).
//
// For the last three checks case and accents do not count:
//
//   - common: the password is on the list of common passwords. So is one that
//     gets there when digits and signs at its ends are taken off, or when it
//     is such a password repeated. What is taken off may be worth eight
//     characters, so that a long random number beside a short word stands.
//   - context word: one of four or more characters occurs in it; one of
//     digits also where signs stand between them (23.04.1971).
//   - pattern: it is one piece repeated, and the piece alone is too short; or
//     it, or its piece, is worth fewer than six characters.
//
// In a password's worth a stretch of three or more characters that are equal,
// count up or down, or lie in a row on a keyboard counts as one.
func (r PasswordRules) Problem(password string) *PasswordProblem {
	least := max(r.Least, passwordShortest)
	if len(password) > passwordBytes {
		return &PasswordProblem{Reason: PasswordTooLong}
	}
	password = NormalizePassword(password)
	switch n := utf8.RuneCountInString(password); {
	case n > LongestPassword:
		return &PasswordProblem{Reason: PasswordTooLong}
	case !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl):
		return &PasswordProblem{Reason: PasswordNotText}
	case n < least:
		return &PasswordProblem{Reason: PasswordTooShort, Length: n, Least: least}
	}
	switch folded := Fold(password); {
	case common(folded):
		return &PasswordProblem{Reason: PasswordCommon}
	case holdsContext(folded, r.Context):
		return &PasswordProblem{Reason: PasswordContextual}
	case pattern(folded, least):
		return &PasswordProblem{Reason: PasswordPattern}
	}
	return nil
}

// commonPasswords is the most used passwords of published leaks, sorted, each
// on a line: all 49,193 of four or more characters in
// packages/languages/common/src/passwords.json of zxcvbn-ts 4.1.3
// (github.com/zxcvbn-ts/zxcvbn), which carries on the list of Dropbox's
// zxcvbn. Copyright (c) 2012-2016 Dan Wheeler and Dropbox, Inc., (c) 2021
// @zxcvbn-ts; both under the MIT licence, whose words are those of our own
// LICENSE.
//
// It is embedded as it is: 380 KB of the binary that the kernel reads page by
// page when a password is looked up. Compressed it would be 140 KB, but cost
// the heap its full size for as long as the portal runs.
//
//go:embed common_passwords.txt
var commonPasswords string

// listed reports whether a folded password is on the list.
func listed(folded string) bool {
	line, _, _ := strings.Cut(commonPasswords[place(folded):], "\n")
	return line == folded
}

// place is where a folded text stands on the list: the start of the first line
// that is not before it.
func place(folded string) int {
	lo, hi := 0, len(commonPasswords) // both at the start of a line, or the end
	for lo < hi {
		start := lo
		if i := strings.LastIndexByte(commonPasswords[lo:lo+(hi-lo)/2], '\n'); i >= 0 {
			start += i + 1
		}
		line, _, _ := strings.Cut(commonPasswords[start:hi], "\n")
		if line < folded {
			lo = start + len(line) + 1
		} else {
			hi = start
		}
	}
	return min(lo, len(commonPasswords))
}

// dressing is how much may stand around a common password that is still no
// better than it: a date and the like.
const dressing = 8

// common reports whether a folded password is listed, or is a listed one that
// was repeated or dressed up with digits and signs at its ends.
func common(folded string) bool {
	notLetter := func(r rune) bool { return !unicode.IsLetter(r) }
	sign := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	for _, core := range []string{
		folded,
		strings.TrimRightFunc(folded, sign),
		strings.TrimFunc(folded, sign),
		strings.TrimRightFunc(folded, notLetter),
		strings.TrimFunc(folded, notLetter),
	} {
		before, after, _ := strings.Cut(folded, core)
		if worth(before)+worth(after) > dressing {
			continue
		}
		if listed(core) {
			return true
		}
		if piece := repeatedPiece(core); piece != core && common(piece) {
			return true
		}
	}
	return false
}

// leastWorth keeps out lkjhgfdsa;12 (3) and cvbnm5678tyui!? (5), and is far
// below what generated passwords and passphrases are worth.
const leastWorth = 6

// pattern reports whether a folded password is too simple to need a list.
func pattern(folded string, least int) bool {
	piece := repeatedPiece(folded)
	return piece != folded && utf8.RuneCountInString(piece) < least || worth(piece) < leastWorth
}

// repeatedPiece is the shortest text that s is a repetition of, also where it
// breaks off in the end (abcdabcdab, secret-secret). It is s when s is no
// repetition.
func repeatedPiece(s string) string {
	for n := 1; n <= (len(s)+1)/2 && n < len(s); n++ {
		if strings.HasPrefix(s, s[n:]) {
			return s[:n]
		}
	}
	return s
}

// rows is what people run a finger along: keyboards (English, German, French
// and Russian), their slanting columns, and the digits' signs. Counting and
// the alphabets need no row: their characters follow each other in Unicode.
var rows = func() []string {
	var rows []string
	for _, r := range []string{
		"12345678901234567890", "!@#$%^&*()_+", `!"§$%&/()=?`,
		"qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./",
		"qwertzuiopü+", "asdfghjklöä#", "yxcvbnm,.-",
		"azertyuiop", "qsdfghjklm", "wxcvbn",
		"йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю",
		"1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm", "1qay", "6zhn",
	} {
		forward := []rune(Fold(r))
		backward := slices.Clone(forward)
		slices.Reverse(backward)
		rows = append(rows, string(forward), string(backward))
	}
	return rows
}()

// worth counts characters, but three or more in a chain as one. It stops
// where nobody asks any further.
func worth(s string) int {
	n := 0
	for rs := []rune(s); len(rs) > 0 && n <= max(dressing, leastWorth); n++ {
		l := chain(rs)
		if l < 3 {
			l = 1
		}
		rs = rs[l:]
	}
	return n
}

// chain is how many of the first characters are equal, or count up, or count
// down, or lie side by side in a row, whichever is most.
func chain(rs []rune) int {
	longest := 1
	for step := rune(-1); step <= 1; step++ {
		n := 1
		for n < len(rs) && rs[n]-rs[n-1] == step {
			n++
		}
		longest = max(longest, n)
	}
	for _, row := range rows {
		for longest < len(rs) && strings.Contains(row, string(rs[:longest+1])) {
			longest++
		}
	}
	return longest
}

// contextShortest is the least length of a context word. Shorter ones (Li,
// Ann) stand inside many words that have nothing to do with the person.
const contextShortest = 4

// PasswordContext gives the words that a person's password must not hold,
// from what the portal knows about them: names, email addresses, birth date
// (YYYY-MM-DD), member number, and the association's name (OWASP ASVS 5.0,
// 6.1.2 and 6.2.11).
//
// Words are folded and have four or more characters. A name, number or local
// part is split at everything that is no letter or digit; where no piece of
// it is long enough, the pieces count together (Jo Lee: jolee). A letter with
// a dot or ring counts in both spellings (Müller: muller, mueller). Of an
// address's domain the last label and the names of public mail providers are
// left out: they say nothing about the person. A birth date counts in the
// usual orders of day, month and year, and by its year; its day and month
// alone are any four digits and do not count.
func PasswordContext(parts ...string) []string {
	var out []string
	add := func(word string) {
		if utf8.RuneCountInString(word) >= contextShortest && !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	for _, part := range parts {
		for _, w := range contextWords(part) {
			add(w)
		}
	}
	return out
}

func contextWords(part string) []string {
	part = strings.TrimSpace(part)
	if born, err := time.Parse(time.DateOnly, part); err == nil {
		var out []string
		for _, order := range []string{"2006", "20060102", "02012006", "01022006", "060102", "020106", "010206"} {
			out = append(out, born.Format(order))
		}
		return out
	}
	if at := strings.LastIndexByte(part, '@'); at >= 0 {
		return append(nameWords(part[:at]), domainWords(part[at+1:])...)
	}
	return nameWords(part)
}

// spelledOut is how accented letters are written where the keyboard has none.
var spelledOut = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "å", "aa", "ø", "oe")

func nameWords(part string) []string {
	lower := strings.ToLower(norm.NFC.String(part))
	var out []string
	for _, spelling := range []string{lower, spelledOut.Replace(lower)} {
		pieces := words(Fold(spelling))
		if !slices.ContainsFunc(pieces, func(p string) bool { return utf8.RuneCountInString(p) >= contextShortest }) {
			pieces = []string{strings.Join(pieces, "")}
		}
		out = append(out, pieces...)
	}
	return out
}

// mailProviders is where so many people have their mail that the name says
// nothing about one of them, and some are everyday words (orange, free).
var mailProviders = strings.Fields(`
	126 163 alice aol arcor att bellsouth bigpond bluewin bol btinternet centrum charter comcast
	earthlink email fastmail free freenet gmail gmx googlemail hanmail hey hispeed hotmail icloud
	inbox interia kolumbus laposte libero live mac mail mailbox me msn naver onet online optusnet
	orange outlook passport planet pm posteo proton protonmail qq rambler rediffmail rocketmail
	rogers sapo sbcglobal seznam sfr shaw sky skynet sunrise swissonline t-online talktalk telenet
	telia telus terra tiscali tuta tutanota uol verizon virgilio virginmedia wanadoo web wp xs4all
	xtra yahoo yandex ymail ziggo zoho`)

func domainWords(domain string) []string {
	labels := strings.Split(Fold(domain), ".")
	labels = labels[:len(labels)-1]
	var out []string
	for _, label := range labels {
		if !slices.Contains(mailProviders, label) {
			out = append(out, words(label)...)
		}
	}
	return out
}

func holdsContext(folded string, context []string) bool {
	digits := strings.Join(words(folded), "")
	for _, word := range context {
		word = Fold(word)
		if utf8.RuneCountInString(word) < contextShortest {
			continue
		}
		if strings.Contains(folded, word) || Digits(word) == word && strings.Contains(digits, word) {
			return true
		}
	}
	return false
}
