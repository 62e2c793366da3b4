package model

import (
	"crypto/rand"
	_ "embed"
	"math/big"
	"strings"
)

// passphraseWords is words to make passphrases of, sorted, each on a line: all
// 2,848 of three to six letters of the Electronic Frontier Foundation's long
// list (eff.org/dice, July 2016), which was made to be easily read, spelled
// and remembered, without insults. They are short because they are typed
// twice, on a telephone. Copyright Electronic Frontier Foundation, under the
// Creative Commons Attribution 3.0 United States licence
// (creativecommons.org/licenses/by/3.0/us); the longer words were left out.
//
//go:embed passphrase_words.txt
var passphraseWords string

// passphraseLength is how many words a suggestion has at least: 5 × 11.5 bits
// are 57. To try half of those takes 200,000 years at 10,000 hashes a second,
// which is more than a graphics card makes of ours.
const passphraseLength = 5

// SuggestPassphrases gives up to n passphrases that the rules take, each of
// five random words or, where the least length asks for it, of more: 57 bits
// or above. A phrase that would be refused, because it holds
// one of the person's own words, is drawn again, which costs less than a hundredth of a bit
// unless very many words are the person's.
func SuggestPassphrases(n int, r PasswordRules) []Secret {
	words := strings.Fields(passphraseWords)
	var all []Secret
	for range n {
		if phrase := suggestPassphrase(words, r); phrase != "" {
			all = append(all, NewSecret(phrase))
		}
	}
	return all
}

// suggestPassphrase gives "" for rules that no phrase can keep, as a damaged
// setting may make them.
func suggestPassphrase(words []string, r PasswordRules) string {
	for range 20 {
		var phrase []string
		for length := 0; len(phrase) < passphraseLength || length < r.Least && length < LongestPassword; {
			word := words[draw(len(words))]
			if len(phrase) > 0 {
				length++
			}
			phrase, length = append(phrase, word), length+len(word)
		}
		if text := strings.Join(phrase, "-"); r.Problem(text) == nil {
			return text
		}
	}
	return ""
}

func draw(n int) int {
	i, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic(err) // crypto/rand's own reader never fails
	}
	return int(i.Int64())
}
