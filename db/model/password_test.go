package model

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

var annasWords = PasswordContext("Anna-Lena", "Müller-Schmidt", "anna.mueller@example.org", "1971-04-23", "M-10422", "Schachfreunde Bad Übel e.V.")

func problem(password string, least int, context []string) *PasswordProblem {
	return PasswordRules{Least: least, Context: context}.Problem(password)
}

func reasonOf(p *PasswordProblem) PasswordReason {
	if p == nil {
		return ""
	}
	return p.Reason
}

func TestAPasswordIsRefusedForTheFirstOfTheReasons(t *testing.T) {
	tests := []struct {
		name, password string
		least          int
		want           PasswordReason
	}{
		{"a generated password", "k7#Vq2!mZx9$Lw4e", 12, ""},
		{"a generated password of letters and digits", "tGq83nVb0RzKw5Ye", 15, ""},
		{"a generated password as Apple makes them", "hegny7-rusnaq-qYzbem", 12, ""},
		{"a generated number", "482913570268", 12, ""},
		{"four words", "tulip lamp river stone", 12, ""},
		{"four words with dashes", "copper-violin-meadow-ticket", 15, ""},
		{"four words with a year and a sign", "Tulip7 lamp River stone 2019!", 12, ""},
		{"no capitals, digits or signs", "ofenwarmzitrone", 12, ""},
		{"another script", "чайникнакухнесвистит", 12, ""},
		{"emoji", "🦊🌧🚲🧀🎻🪁🫖🐢🌋🧭🥐🪵", 12, ""},
		{"a space at each end", "  lampen regen  ", 12, ""},
		{"256 characters", longWords(256), 12, ""},
		{"257 characters", longWords(257), 12, PasswordTooLong},
		{"more bytes than 256 characters can have", strings.Repeat("🦊", 2000), 12, PasswordTooLong},

		{"nothing", "", 12, PasswordTooShort},
		{"11 of 12", "zitronenhut", 12, PasswordTooShort},
		{"12 of 12", "zitronenhuts", 12, ""},
		{"14 of 15", "zitronenhutlau", 15, PasswordTooShort},
		{"15 of 15", "zitronenhutlaub", 15, ""},
		{"12 code points of 4 bytes are 12", "🦊🌧🚲🧀🎻🪁🫖🐢🌋🧭🥐", 12, PasswordTooShort},
		{"letter and accent apart count once", "zitro\u0301nenhut", 12, PasswordTooShort},
		{"7 where a damaged setting asks for none", "hutlaub", 0, PasswordTooShort},
		{"8 where a damaged setting asks for none", "hutlaube", 0, ""},

		{"a tab", "tulip\tlamp river stone", 12, PasswordNotText},
		{"a line break", "tulip lamp river stone\n", 12, PasswordNotText},
		{"NUL", "tulip lamp\x00 river stone", 12, PasswordNotText},
		{"a C1 control", "tulip lamp\u0085 river stone", 12, PasswordNotText},
		{"invalid UTF-8", "tulip lamp\xff river stone", 12, PasswordNotText},

		{"listed", "unbelievable", 12, PasswordCommon},
		{"listed, in capitals", "UnBelievable", 12, PasswordCommon},
		{"listed, with accents", "unbéliévàblé", 12, PasswordCommon},
		{"listed, full width", "ｕｎｂｅｌｉｅｖａｂｌｅ", 12, PasswordCommon},
		{"listed, digits", "123456789012", 12, PasswordCommon},
		{"listed, keys", "1qaz2wsx3edc", 12, PasswordCommon},
		{"listed, then a number", "Password1234!", 12, PasswordCommon},
		{"listed, then a year", "Sunshine2024!", 12, PasswordCommon},
		{"listed with signs for letters, then a year", "P@ssw0rd2024!", 12, PasswordCommon},
		{"listed, then counting that is long but worth little", "Dragon123456789!", 12, PasswordCommon},
		{"listed, between", "2024-dragon-!!", 12, PasswordCommon},
		{"listed with a digit at its end, then signs", "abc123!!!...", 12, PasswordCommon},
		{"listed, then eight characters' worth", "dragon" + "48291357", 12, PasswordCommon},
		{"listed, then nine characters' worth", "dragon" + "482913570", 12, ""},
		{"listed keys, then digits", "qwertyuiop12", 12, PasswordCommon},
		{"listed keys between digits", "12345qwerty12345", 12, PasswordCommon},
		{"listed, twice", "passwordpassword", 12, PasswordCommon},
		{"listed, twice and dressed", "DragonDragon77", 12, PasswordCommon},
		{"listed, twice with a sign between", "dragon-dragon", 12, PasswordCommon},
		{"listed, inside a longer text", "the dragon ate my shoes", 12, ""},

		{"own name", "tulip anna river stone", 12, PasswordContextual},
		{"own name in capitals", "tulipANNAriverstone", 12, PasswordContextual},
		{"own name without its accent", "tulip muller stone", 12, PasswordContextual},
		{"own name with its accent", "tulip Müller stone", 12, PasswordContextual},
		{"own name, accent apart", "tulip Mu\u0308ller stone", 12, PasswordContextual},
		{"own name spelled out", "tulip Mueller stone", 12, PasswordContextual},
		{"domain", "tulip example stone", 12, PasswordContextual},
		{"top-level domain", "tulip lamp organ stone", 12, ""},
		{"birth date", "tulip 23041971 lamp", 12, PasswordContextual},
		{"birth date with dots", "tulip 23.04.71 lamp", 12, PasswordContextual},
		{"birth year", "tulip lamp 1971 stone", 12, PasswordContextual},
		{"birth year apart", "tulip lamp 19-71 stone", 12, PasswordContextual},
		{"the next year", "tulip lamp 1972 stone", 12, ""},
		{"day and month alone", "tulip lamp 2304 stone", 12, ""},
		{"member number", "tulip lamp 10422 stone", 12, PasswordContextual},
		{"association", "tulip schachfreunde lamp", 12, PasswordContextual},
		{"association, without its accent", "tulip lamp ubel stone", 12, PasswordContextual},
		{"a piece of three letters", "tulip bad river stone", 12, ""},

		{"one character", "zzzzzzzzzzzzzzz", 12, PasswordPattern},
		{"one character, one other", "zzzzzzzzzzzzzzz7", 12, PasswordPattern},
		{"one piece", "xkjxkjxkjxkj", 12, PasswordPattern},
		{"one piece, broken off", "xkjvxkjvxkjvx", 12, PasswordPattern},
		{"one piece that is too short alone", "lampen-lampen-", 12, PasswordPattern},
		{"one piece that is long enough", "tulip-lamp-7-tulip-lamp-7-", 12, ""},
		{"the alphabet", "ijklmnopqrstuv", 12, PasswordPattern},
		{"the alphabet backwards", "ZYXWVUTSRQPO", 12, PasswordPattern},
		{"another alphabet", "αβγδεζηθικλμ", 12, PasswordPattern},
		{"counting around", "345678901234", 12, PasswordPattern},
		{"keys, then digits", "lkjhgfdsa;12", 12, PasswordPattern},
		{"keys backwards", "Poiuytrewq-34", 12, PasswordPattern},
		{"German keys", "qwertzuiopü+", 12, PasswordPattern},
		{"French keys", "wxcvbnqsdfghjklm", 12, PasswordPattern},
		{"Russian keys", "йцукенгшщзхъ", 12, PasswordPattern},
		{"columns of keys", "7ujm6yhn5tgb4rfv", 12, PasswordPattern},
		{"signs over the digits", "!@#$%^&*()_+", 12, PasswordPattern},
		{"three pieces of rows", "asdf4567jkl;", 12, PasswordPattern},
		{"worth five", "cvbnm5678tyui!?", 12, PasswordPattern},
		{"worth six", "cvbnm5678tyui!?g", 12, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := reasonOf(problem(tt.password, tt.least, annasWords)); got != tt.want {
				t.Errorf("Problem(%q, %d) = %q, want %q", tt.password, tt.least, got, tt.want)
			}
		})
	}
}

func TestTheShortestSimplePasswordsAreRefusedAtEightToo(t *testing.T) {
	for _, p := range []string{"12345678", "qwertyui", "password", "Passwort1", "aaaaaaaa", "abcabcab", "abc12345", "qwerty12", "12345!!!", "hallo123", "test1234"} {
		if problem(p, 8, nil) == nil {
			t.Errorf("%q was taken", p)
		}
	}
}

func TestOneProblemAtATimeInAFixedOrder(t *testing.T) {
	context := []string{"dragon"}
	for _, tt := range []struct {
		password string
		want     PasswordReason
	}{
		{strings.Repeat("dragon\t", 50), PasswordTooLong},
		{"dragon\t", PasswordNotText},
		{"dragon", PasswordTooShort},
		{"dragondragon", PasswordCommon},
		{"dragonskeys dragonskeys", PasswordContextual},
		{"lampenlampen", PasswordPattern},
	} {
		if got := reasonOf(problem(tt.password, 12, context)); got != tt.want {
			t.Errorf("Problem(%.20q…) = %q, want %q", tt.password, got, tt.want)
		}
	}
}

func TestPasswordProblemSentences(t *testing.T) {
	tests := []struct {
		problem *PasswordProblem
		want    string
	}{
		{problem("zitronen1", 12, nil), "Please use at least 12 characters; this one has 9."},
		{problem("", 15, nil), "Please choose a password of at least 15 characters."},
		{problem(longWords(300), 12, nil), "Please use at most 256 characters."},
		{&PasswordProblem{Reason: PasswordSame}, "This is the password you have now. Please choose a new one."},
	}
	for _, tt := range tests {
		if got := tt.problem.Sentence(); got != tt.want {
			t.Errorf("sentence %q, want %q", got, tt.want)
		}
	}
	seen := map[string]bool{}
	for _, r := range []PasswordReason{PasswordTooLong, PasswordNotText, PasswordTooShort, PasswordCommon, PasswordContextual, PasswordPattern, PasswordSame} {
		s := (&PasswordProblem{Reason: r}).Sentence()
		if seen[s] || !strings.HasSuffix(s, ".") {
			t.Errorf("%s: %q is no sentence of its own", r, s)
		}
		seen[s] = true
	}
}

func TestTheContextNeedNotBeFolded(t *testing.T) {
	for _, context := range [][]string{{"Müller"}, {"", "ab", "MÜLLER"}} {
		if got := reasonOf(problem("tulip muller stone", 12, context)); got != PasswordContextual {
			t.Errorf("context %q: %q", context, got)
		}
	}
	if p := problem("tulip and lamp or stone", 12, []string{"", "and", "or", "lam"}); p != nil {
		t.Errorf("words of fewer than four characters: %s", p.Sentence())
	}
}

func TestPasswordContext(t *testing.T) {
	tests := []struct {
		name  string
		parts []string
		want  []string
	}{
		{"nothing", nil, nil},
		{"empty parts", []string{"", " ", "@", "a@b"}, nil},
		{"a double name", []string{"Anna-Lena Müller-Schmidt"}, []string{"anna", "lena", "muller", "schmidt", "mueller"}},
		{"apostrophe", []string{"Siobhán O'Brien"}, []string{"siobhan", "brien"}},
		{"letters that do not decompose", []string{"Łukasz Strauß"}, []string{"lukasz", "strauss"}},
		{"short pieces count together", []string{"Jo Lee"}, []string{"jolee"}},
		{"too short even together", []string{"Li"}, nil},
		{"another script", []string{"Αθηνά Παπάς"}, []string{"αθηνα", "παπασ"}},
		{"email", []string{"anna.mueller@chess-club.example.org"}, []string{"anna", "mueller", "chess", "club", "example"}},
		{"email with a suffix", []string{"r.vogel+verein@vogelwarte.ch"}, []string{"vogel", "verein", "vogelwarte"}},
		{"mail providers", []string{"bo.li@gmail.com", "x@yahoo.co.uk", "y@T-Online.de"}, []string{"boli"}},
		{"a mail server of one's own", []string{"bo@mail.vogelwarte.ch"}, []string{"vogelwarte"}},
		{"birth date", []string{"1971-04-23"}, []string{"1971", "19710423", "23041971", "04231971", "710423", "230471", "042371"}},
		{"no date", []string{"1971-13-45"}, []string{"1971"}},
		{"member number", []string{"M-01234"}, []string{"01234"}},
		{"member number in short pieces", []string{"12-345-67"}, []string{"1234567"}},
		{"each word once", []string{"Anna", "ANNA", "anna@anna.org"}, []string{"anna"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := PasswordContext(tt.parts...); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNormalizePassword(t *testing.T) {
	if got := NormalizePassword("e\u0301 ﬁ Ａ \u00a0x "); got != "é ﬁ Ａ \u00a0x " {
		t.Errorf("got %q: only the accent joins its letter", got)
	}
}

// The check refuses what is longer than passwordBytes before it composes it.
// That must agree with the count afterwards, whatever is composed.
func TestComposingShortensToNoLessThanAThird(t *testing.T) {
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if s := norm.NFD.String(string(r)); 3*len(norm.NFC.String(s)) < len(s) || 3*len(norm.NFC.String(string(r))) < utf8.RuneLen(r) {
			t.Errorf("%U", r)
		}
	}
}

func TestCommonPasswordsAreSortedFoldedAndAllFound(t *testing.T) {
	text, ok := strings.CutSuffix(commonPasswords, "\n")
	list := strings.Split(text, "\n")
	if !ok || len(list) < 10_000 {
		t.Fatalf("%d entries, want 10,000 or more and a line break after the last", len(list))
	}
	before := ""
	for _, p := range list {
		if p <= before || len(p) < 4 || Fold(p) != p {
			t.Fatalf("%q after %q", p, before)
		}
		before = p
		if !listed(p) {
			t.Errorf("%q is not found", p)
		}
	}
	for _, p := range []string{"", "\n", "!", "zzzzzzzzzzzzz", "dragon\n", "dragoz", "dragonx", "password\npassword1", "ÿ"} {
		if listed(p) {
			t.Errorf("%q is found", p)
		}
	}
}

func TestACheckOfAnyPasswordStaysCheap(t *testing.T) {
	// U+FDFA folds to 18 characters, and all but the last piece repeat.
	slow := []string{
		strings.Repeat("\ufdfa", 255) + "x",
		strings.Repeat("a", 255) + "b",
		strings.Repeat("7", 255) + "b",
		strings.Repeat("a1", 127) + "b",
		"b" + strings.Repeat("ab", 127),
		strings.Repeat("-", 128) + strings.Repeat("7", 128),
	}
	for _, p := range slow {
		t0 := time.Now()
		_ = problem(p, 12, annasWords)
		if d := time.Since(t0); d > time.Second {
			t.Errorf("%.20q…: %v", p, d)
		}
	}
}

// longWords is n characters that are no pattern.
func longWords(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString([]string{"tulip", "lamp", "river", "stone", "hook"}[i*i%5] + string(rune('a'+i*i%23)))
	}
	return b.String()[:n]
}

func FuzzPasswordProblem(f *testing.F) {
	for _, s := range []string{"", "k7#Vq2!mZx9$Lw4e", "Password1234!", "zitro\u0301nenhut", "\xff\xfe", "\ufdfa\u0345", "aaaaaaaaaaaa", "1971", strings.Repeat("\u1100\u1161\u11a8", 256)} {
		f.Add(s, 12, "Anna-Lena Müller", "anna@example.org")
	}
	f.Fuzz(func(t *testing.T, password string, least int, name, email string) {
		context := PasswordContext(name, email)
		for _, w := range context {
			if utf8.RuneCountInString(w) < contextShortest {
				t.Errorf("context word %q", w)
			}
		}
		composed := NormalizePassword(password)
		if NormalizePassword(composed) != composed {
			t.Errorf("NFC of %q changes when done twice", password)
		}
		got, again := reasonOf(problem(password, least, context)), reasonOf(problem(composed, least, context))
		if got != again {
			t.Errorf("%q is %q, composed it is %q", password, got, again)
		}
		if n := utf8.RuneCountInString(composed); got == "" && (n < least || n < passwordShortest || n > LongestPassword) {
			t.Errorf("%q was taken", password)
		}
	})
}

func BenchmarkPasswordProblem(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_ = problem("tulip lamp river stone", 12, annasWords)
	}
}
