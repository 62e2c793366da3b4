package model

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// PasswordStrength is how long a password withstands guessing, from 0 (none)
// to [StrongestPassword].
type PasswordStrength int

// StrongestPassword takes 10¹⁰ guesses or more: too many even for whoever has
// stolen the hashes and the keys.
const StrongestPassword PasswordStrength = 4

// strengthMeasured is how many characters are looked at. What follows them
// would change nothing, and the work grows with the square of the length.
const strengthMeasured = 100

// MeasurePassword estimates how many guesses a password takes, the way zxcvbn
// does (Daniel Wheeler, "zxcvbn: Low-Budget Password Strength Estimation",
// USENIX Security 2016): the password is cut into known pieces where that
// makes it cheapest, and each piece costs as many guesses as it takes to come
// to it. Context is as in [PasswordRules].
//
// The bounds between the five are zxcvbn's: 10³, 10⁶, 10⁸ and 10¹⁰ guesses.
//
// It is written out here because no port of zxcvbn can be used as it is: the
// one that is kept, ccojocar/zxcvbn-go v1.0.4, reads its lists at the start of
// every process, which takes 80 ms and 6.4 MB for good, whether or not anybody
// ever types a password, and works 5 s on 100 characters made to keep it
// busy. This one uses the list that the portal has anyway and is done with
// any input in some milliseconds.
func MeasurePassword(password string, context []string) PasswordStrength {
	switch d := decades(password, context); {
	case d < 3:
		return 0
	case d < 6:
		return 1
	case d < 8:
		return 2
	case d < 10:
		return 3
	}
	return StrongestPassword
}

// The price of each kind of piece, in decades: 3 is a thousand guesses.
const (
	// An unknown character. More than ten kinds occur, but a guesser does not
	// begin at the far end (zxcvbn's own number).
	characterPrice = 1.0

	// A listed word is among the first 3,000 tries. The list no longer says
	// how often each is used; this is what zxcvbn gives words of the middle.
	wordPrice = 3.5

	// A word that comes to mind at once: the person's own name.
	contextPrice = 1.0

	// A trick with a word doubles the tries: capitals, signs for letters,
	// backwards.
	trickPrice = 0.3

	yearPrice       = 2.1 // one of about 120
	datePrice       = 4.6 // a day of a hundred years
	dottedDatePrice = 5.2 // and one of four signs between its parts
)

// decades is the estimated number of guesses, as a power of ten.
func decades(password string, context []string) float64 {
	// No character is longer than this, however it is composed.
	rs := []rune(NormalizePassword(password[:min(len(password), passwordBytes)]))
	g := guess{typed: rs[:min(len(rs), strengthMeasured)]}
	g.known = make([][]knownPiece, len(g.typed)+1)
	plain := foldEach(g.typed)
	g.words(plain, context)
	g.chains(plain)
	g.dates(plain)
	g.repeats(plain)
	return g.price(0, len(g.typed))
}

// guess is a password with the pieces that a guesser knows.
type guess struct {
	typed []rune
	known [][]knownPiece // by where they end
}

type knownPiece struct {
	start int
	price float64
}

func (g *guess) add(start, end int, price float64) {
	g.known[end] = append(g.known[end], knownPiece{start, price})
}

// price is that of the cheapest cut of typed[from:to].
func (g *guess) price(from, to int) float64 {
	cheapest := make([]float64, to-from+1)
	for end := from + 1; end <= to; end++ {
		cheapest[end-from] = cheapest[end-from-1] + characterPrice
		for _, p := range g.known[end] {
			if p.start >= from {
				cheapest[end-from] = min(cheapest[end-from], cheapest[p.start-from]+p.price)
			}
		}
	}
	return cheapest[to-from]
}

// foldEach folds characters one by one, so that each keeps its place.
func foldEach(rs []rune) []rune {
	out := make([]rune, len(rs))
	for i, r := range rs {
		out[i] = unicode.ToLower(r)
		if folded := Fold(string(r)); utf8.RuneCountInString(folded) == 1 {
			out[i], _ = utf8.DecodeRuneInString(folded)
		}
	}
	return out
}

// disguises are the signs that people write for letters. A 1 may be two.
var disguises = []map[rune]rune{
	{'4': 'a', '@': 'a', '8': 'b', '3': 'e', '6': 'g', '9': 'g', '1': 'i', '!': 'i', '|': 'i', '0': 'o', '5': 's', '$': 's', '7': 't', '+': 't', '2': 'z'},
	{'4': 'a', '@': 'a', '8': 'b', '3': 'e', '6': 'g', '9': 'g', '1': 'l', '!': 'l', '|': 'l', '0': 'o', '5': 's', '$': 's', '7': 't', '+': 't', '2': 'z'},
}

// words finds words in what was typed and in the letters that its signs may
// stand for, in both directions.
func (g *guess) words(plain []rune, context []string) {
	var own []string
	for _, w := range context {
		own = append(own, Fold(w))
	}
	g.wordsIn(plain, plain, own)
	for _, disguise := range disguises {
		letters := slices.Clone(plain)
		for i, r := range letters {
			if letter, ok := disguise[r]; ok {
				letters[i] = letter
			}
		}
		if !slices.Equal(letters, plain) {
			g.wordsIn(letters, plain, own)
		}
	}
}

func (g *guess) wordsIn(text, plain []rune, own []string) {
	n := len(text)
	found := func(start, end int, price float64) {
		if !slices.Equal(text[start:end], plain[start:end]) {
			price += trickPrice
		}
		if slices.ContainsFunc(g.typed[start:end], unicode.IsUpper) {
			price += trickPrice
		}
		g.add(start, end, price)
	}
	eachWord(text, own, found)
	backwards := slices.Clone(text)
	slices.Reverse(backwards)
	eachWord(backwards, own, func(start, end int, price float64) { found(n-end, n-start, price+trickPrice) })
}

// eachWord finds the words of a text. Where the list has no word that begins
// with what was read, it reads no further: that keeps the longest text short.
func eachWord(text []rune, own []string, found func(start, end int, price float64)) {
	for start := range text {
		for _, w := range own {
			if w != "" && strings.HasPrefix(string(text[start:]), w) {
				found(start, start+utf8.RuneCountInString(w), contextPrice)
			}
		}
		for end := start + 1; end <= len(text); end++ {
			word := string(text[start:end])
			rest := commonPasswords[place(word):]
			if !strings.HasPrefix(rest, word) {
				break
			}
			if strings.HasPrefix(rest[len(word):], "\n") {
				found(start, end, wordPrice)
			}
		}
	}
}

// chains are rows of keys, counting, and the same character again and again.
func (g *guess) chains(plain []rune) {
	for start := range plain {
		longest := chain(plain[start:])
		for length := 3; length <= longest; length++ {
			g.add(start, start+length, math.Log10(float64(50*length)))
		}
	}
}

// dateOrders are the usual ones, without the signs between.
var dateOrders = []string{"02012006", "01022006", "20060102", "020106", "010206", "060102"}

func (g *guess) dates(plain []rune) {
	for start := range plain {
		for length := 4; length <= 10 && start+length <= len(plain); length++ {
			text := string(plain[start : start+length])
			digits, price := text, datePrice
			if length == 8 || length == 10 {
				if parts := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(".-/ ", r) }); len(parts) == 3 {
					digits, price = strings.Join(parts, ""), dottedDatePrice
				}
			}
			switch {
			case length == 4 && ("1900" <= digits && digits < "2050") && Digits(digits) == digits:
				g.add(start, start+length, yearPrice)
			case len(digits) == 6 || len(digits) == 8:
				if slices.ContainsFunc(dateOrders, func(order string) bool { _, err := time.Parse(order, digits); return err == nil }) {
					g.add(start, start+length, price)
				}
			}
		}
	}
}

// repeats are pieces that stand there again and again: they cost what one of
// them does, and how often it comes.
func (g *guess) repeats(plain []rune) {
	for start := range plain {
		rest := plain[start:]
		for length := 1; length <= len(rest)/2; length++ {
			times := 1
			for (times+1)*length <= len(rest) && slices.Equal(rest[:length], rest[times*length:(times+1)*length]) {
				times++
			}
			if times > 1 {
				price := g.price(start, start+length) + math.Log10(float64(times))
				for t := times; t > 1; t-- {
					g.add(start, start+t*length, price)
				}
				break // what is longer is this one again
			}
		}
	}
}
