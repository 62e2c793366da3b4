package model

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// The second column is what zxcvbn 4.4.2, the original, says of the same
// password. Ours may differ by one: its list no longer knows how often a word
// is used.
func TestStrengthIsNearToZxcvbns(t *testing.T) {
	for _, tt := range []struct {
		password     string
		theirs, ours PasswordStrength
	}{
		{"password", 0, 1},
		{"passw0rd", 0, 1},
		{"qwertyuiop", 0, 0},
		{"aaaaaaaaaaaa", 0, 0},
		{"123456789012", 1, 0},
		{"abcabcabcabc", 0, 0},
		{"drowssap", 0, 1},
		{"23.04.1971", 1, 1},
		{"19710423", 1, 1},
		{"sunshine1990", 1, 1},
		{"football99", 1, 1},
		{"hunter2hunter2", 1, 1},
		{"greenhouse", 1, 1},
		{"xkjxkjxkjxkj", 1, 1},
		{"P@ssw0rd2024!", 2, 2},
		{"greenhousetomato", 2, 2},
		{"correcthorse", 2, 2},
		{"summerinparis", 3, 3},
		{"greenhousetomatoes7", 3, 3},
		{"juice item", 3, 3},
		{"zitronenhuts", 3, 4},
		{"tulip lamp river stone", 4, 4},
		{"correcthorsebatterystaple", 4, 4},
		{"k7#Vq2!mZx9$Lw4e", 4, 4},
		{"hegny7-rusnaq-qYzbem", 4, 4},
		{"482913570268", 4, 4},
		{"ofenwarmzitrone", 4, 4},
	} {
		got := MeasurePassword(tt.password, nil)
		if got != tt.ours {
			t.Errorf("%q is %d (10^%.1f guesses), not %d", tt.password, got, decades(tt.password, nil), tt.ours)
		}
		if d := got - tt.theirs; d < -1 || d > 1 {
			t.Errorf("%q is %d, and %d for zxcvbn", tt.password, got, tt.theirs)
		}
	}
}

// Each unknown character is worth one decade, so digits that are in no row
// stand on both sides of each bound.
func TestTheBoundsOfStrength(t *testing.T) {
	const digits = "4829135702680"
	for n, want := range map[int]PasswordStrength{0: 0, 2: 0, 3: 1, 5: 1, 6: 2, 7: 2, 8: 3, 9: 3, 10: 4, 12: 4} {
		if got := MeasurePassword(digits[:n], nil); got != want {
			t.Errorf("%d characters are %d, not %d", n, got, want)
		}
	}
}

func TestOnesOwnWordsAreWorthLittle(t *testing.T) {
	for _, p := range []string{"harbourside 482", "edisruobrah 482", "h4rb0urs1de 482", "HARBOURSIDE 482"} {
		others, own := decades(p, nil), decades(p, []string{"harbourside"})
		if own > 6 || own > others-2 {
			t.Errorf("%q takes 10^%.1f guesses, and 10^%.1f of those who know the word", p, others, own)
		}
	}
}

func TestAHundredCharactersAreMeasured(t *testing.T) {
	const tail = "k7#Vq2!mZx9$Lw4e"
	for _, one := range []string{"a", "é", "e\u0301", "🦊"} {
		at := func(n int) float64 { return decades(strings.Repeat(one, n)+tail, nil) }
		if at(100) != decades(strings.Repeat(one, 100), nil) {
			t.Errorf("%q: the 101st character counts", one)
		}
		if at(99) <= at(100) {
			t.Errorf("%q: the 100th does not", one)
		}
	}
	if MeasurePassword("zitro\u0301nenh", nil) != MeasurePassword("zitr\u00f3nenh", nil) || decades("e\u0301", nil) != 1 {
		t.Error("an accent apart is a character of its own")
	}
}

// What is sent while somebody types must not become a way to keep the portal
// busy: ccojocar/zxcvbn-go takes 5 s for the second of these.
func TestMeasuringStaysCheap(t *testing.T) {
	hostile := []string{
		strings.Repeat("a", 49) + "b" + strings.Repeat("a", 50),
		strings.Repeat("4@8({[<369&#!1|0$5+7%2/", 5),
		strings.Repeat("1234567890", 10), strings.Repeat("1970", 25), strings.Repeat("marie", 20),
		strings.Repeat("p4$$w0rd", 13), strings.Repeat("ab", 24) + "c" + strings.Repeat("ab", 26),
		strings.Repeat("e\u0301\u0301\u0301", 1<<16), strings.Repeat("\xff", 1<<16),
	}
	for _, p := range hostile {
		began := time.Now()
		MeasurePassword(p, annasWords)
		if took := time.Since(began); took > time.Second { // usually 2 ms
			t.Errorf("%.20q… took %v", p, took)
		}
	}
}

func FuzzMeasurePassword(f *testing.F) {
	f.Add("tulip lamp river stone", "anna")
	f.Add("\xff\xfe\x00", "\xff")
	f.Add("İẞǅ🦊e\u0301 23.04.1971", "ﬁﬁ")
	f.Fuzz(func(t *testing.T, password, own string) {
		context := []string{own}
		s := MeasurePassword(password, context)
		if s < 0 || s > StrongestPassword {
			t.Fatalf("%q is %d", password, s)
		}
		if s > MeasurePassword(password, nil) {
			t.Fatalf("%q is stronger for those who know %q", password, own)
		}
		if d, most := decades(password, context), float64(min(utf8.RuneCountInString(NormalizePassword(password)), 100)); d > most {
			t.Fatalf("%q takes 10^%.1f guesses, more than its %v characters can", password, d, most)
		}
	})
}

func TestSuggestedPassphrasesAreTaken(t *testing.T) {
	for _, least := range []int{8, 12, 15, 64} {
		rules := PasswordRules{Least: least, Context: append([]string{"acid", "wagon", "stone"}, annasWords...)}
		seen := map[string]bool{}
		for _, s := range SuggestPassphrases(200, rules) {
			phrase := s.Reveal()
			if p := rules.Problem(phrase); p != nil {
				t.Fatalf("%q: %s", phrase, p.Sentence())
			}
			if n := strings.Count(phrase, "-") + 1; n < 5 {
				t.Errorf("%q has %d words", phrase, n)
			}
			if MeasurePassword(phrase, rules.Context) != StrongestPassword {
				t.Errorf("%q is not strong", phrase)
			}
			seen[phrase] = true
		}
		if len(seen) != 200 {
			t.Errorf("%d different passphrases of 200", len(seen))
		}
	}
	if got := SuggestPassphrases(4, PasswordRules{Least: 1000}); got != nil {
		t.Errorf("rules that nothing can keep give %d passphrases", len(got))
	}
}

func TestThePassphraseWords(t *testing.T) {
	words := strings.Fields(passphraseWords)
	if len(words) != 2848 {
		t.Errorf("%d words: the bits of a passphrase are counted for 2,848", len(words))
	}
	for i, w := range words {
		if i > 0 && w <= words[i-1] || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") != "" || len(w) < 3 || len(w) > 6 {
			t.Errorf("%q", w)
		}
	}
}

func TestAllWordsAreDrawn(t *testing.T) {
	drawn := map[int]bool{}
	for range 2000 {
		drawn[draw(50)] = true
	}
	if len(drawn) != 50 || drawn[50] {
		t.Errorf("%d of 50 are ever drawn", len(drawn))
	}
}

func TestWhenAPasswordIsOld(t *testing.T) {
	set := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	a := Account{HasPassword: true, PasswordSetAt: set}
	for _, after := range PasswordReminders {
		s := Settings{PasswordReminder: after}
		if after == 0 {
			if s.PasswordOld(a, set.AddDate(50, 0, 0)) {
				t.Error("somebody is reminded though nobody wants that")
			}
			continue
		}
		if s.PasswordOld(a, set.Add(after-time.Second)) || !s.PasswordOld(a, set.Add(after)) {
			t.Errorf("%v: not at that second", after)
		}
		if s.PasswordOld(Account{PasswordSetAt: set}, set.Add(2*after)) || s.PasswordOld(Account{HasPassword: true}, set) {
			t.Errorf("%v: reminded of no password", after)
		}
	}
}

func BenchmarkMeasurePassword(b *testing.B) {
	for name, p := range map[string]string{"usual": "tulip lamp river stone", "hostile": strings.Repeat("a", 49) + "b" + strings.Repeat("a", 50)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				MeasurePassword(p, annasWords)
			}
		})
	}
}

func BenchmarkSuggestPassphrases(b *testing.B) {
	for b.Loop() {
		SuggestPassphrases(4, PasswordRules{Least: 15, Context: annasWords})
	}
}
