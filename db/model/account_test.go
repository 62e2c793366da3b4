package model_test

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"latchkey/db/model"
)

func TestParseEmailTakesWhatAMailServerTakes(t *testing.T) {
	label := strings.Repeat("d", 63)
	long := func(local, length int) string { // an address of that many bytes
		domain := strings.Repeat(label+".", 3)
		return strings.Repeat("l", local) + "@" + domain[:length-local-4] + "org"
	}
	tests := []struct{ name, typed, want string }{
		{"nothing", "", ""},
		{"spaces alone", " \t\n", ""},
		{"the usual", "ruth@example.org", "ruth@example.org"},
		{"its case stays", "Ruth.Adler@Example.ORG", "Ruth.Adler@Example.ORG"},
		{"spaces around it", "  ruth@example.org\r\n", "ruth@example.org"},
		{"a wide space around it", "\u00a0ruth@example.org\u3000", "ruth@example.org"},
		{"plus tag", "ruth+club@example.org", "ruth+club@example.org"},
		{"dots", "r.u.t.h@example.org", "r.u.t.h@example.org"},
		{"one letter", "r@example.org", "r@example.org"},
		{"signs", "!#$%&'*+/=?^_`{|}~-@example.org", "!#$%&'*+/=?^_`{|}~-@example.org"},
		{"an apostrophe", "o'brien@example.org", "o'brien@example.org"},
		{"a dash at the end", "ruth-@example.org", "ruth-@example.org"},
		{"many labels", "ruth@a.b.c.d.example.org", "ruth@a.b.c.d.example.org"},
		{"digits", "42@4.example", "42@4.example"},
		{"a dash in the domain", "ruth@my-club.example", "ruth@my-club.example"},
		{"punycode", "ruth@xn--bcher-kva.example", "ruth@xn--bcher-kva.example"},
		{"a Unicode domain", "ruth@bücher.example", "ruth@bücher.example"},
		{"a Chinese domain", "ruth@例え.テスト", "ruth@例え.テスト"},
		{"a Devanagari domain", "ruth@हिन्दी.भारत", "ruth@हिन्दी.भारत"},
		{"a Unicode local part", "łukasz@example.org", "łukasz@example.org"},
		{"a Chinese local part", "用户@example.org", "用户@example.org"},
		{"an accent apart", "jose\u0301@example.org", "jose\u0301@example.org"},
		{"64 bytes before the @", strings.Repeat("l", 64) + "@example.org", strings.Repeat("l", 64) + "@example.org"},
		{"64 bytes of 32 letters", strings.Repeat("ł", 32) + "@example.org", strings.Repeat("ł", 32) + "@example.org"},
		{"254 bytes", long(64, 254), long(64, 254)},
		{"a label of 63", "ruth@" + label + ".org", "ruth@" + label + ".org"},
	}
	for _, tt := range tests {
		got, sentence := model.ParseEmail(tt.typed)
		if sentence != "" || got != tt.want {
			t.Errorf("%s: %q gives %q, %q", tt.name, tt.typed, got, sentence)
		}
	}
	if n := len(long(64, 254)); n != 254 {
		t.Fatalf("the test's longest address has %d bytes", n)
	}
}

func TestParseEmailRefusesWhatAMailServerWouldTripOver(t *testing.T) {
	label := strings.Repeat("d", 63)
	tests := []struct{ name, typed string }{
		{"no @", "ruth"},
		{"an @ alone", "@"},
		{"nothing before the @", "@example.org"},
		{"nothing after the @", "ruth@"},
		{"two @", "ruth@home@example.org"},
		{"two @ together", "ruth@@example.org"},
		{"no dot in the domain", "ruth@localhost"},
		{"a dot at the end", "ruth@example.org."},
		{"a dot at the beginning", "ruth@.example.org"},
		{"two dots in the domain", "ruth@example..org"},
		{"a dot alone", "ruth@."},
		{"a dot before the @", "ruth.@example.org"},
		{"a dot first", ".ruth@example.org"},
		{"two dots before the @", "ruth..adler@example.org"},
		{"a dash first in the domain", "ruth@-example.org"},
		{"a dash last in a label", "ruth@example-.org"},
		{"an underscore in the domain", "ruth@my_club.org"},
		{"a sign in the domain", "ruth@exa!mple.org"},
		{"an emoji domain", "ruth@💌.example"},
		{"a label of 64", "ruth@" + label + "d.org"},
		{"a display name", "Ruth <ruth@example.org>"},
		{"angle brackets", "<ruth@example.org>"},
		{"a comment", "ruth(office)@example.org"},
		{"a comment after it", "ruth@example.org(office)"},
		{"a quoted local part", `"ruth"@example.org`},
		{"a quoted space", `"ruth adler"@example.org`},
		{"a quoted @", `"ruth@home"@example.org`},
		{"a backslash", `ruth\adler@example.org`},
		{"two addresses", "ruth@example.org,jo@example.org"},
		{"two addresses and a space", "ruth@example.org, jo@example.org"},
		{"a semicolon", "ruth@example.org;jo@example.org"},
		{"a group", "office:ruth@example.org;"},
		{"mailto", "mailto:ruth@example.org"},
		{"an address literal", "ruth@[192.0.2.1]"},
		{"an IPv6 literal", "ruth@[IPv6:2001:db8::1]"},
		{"a port", "ruth@example.org:25"},
		{"a path", "ruth@example.org/x"},
		{"a space", "ruth adler@example.org"},
		{"a space before the @", "ruth @example.org"},
		{"a space after the @", "ruth@ example.org"},
		{"a wide space", "ruth\u00a0adler@example.org"},
		{"a line separator", "ruth\u2028@example.org"},
		{"a tab", "ruth\t@example.org"},
		{"another header", "ruth@example.org\r\nBcc: all@example.org"},
		{"another header by newline", "ruth@example.org\nBcc:all@example.org"},
		{"another header by return", "ruth@example.org\rBcc:all@example.org"},
		{"another header before", "x\r\nBcc:ruth@example.org"},
		{"another command", "ruth@example.org>\r\nRCPT TO:<all@example.org"},
		{"a folded line", "ruth@example.org\r\n ruth"},
		{"NUL", "ruth\x00@example.org"},
		{"NUL after it", "ruth@example.org\x00"},
		{"escape", "ruth\x1b[2J@example.org"},
		{"delete", "ruth\x7f@example.org"},
		{"next line", "ruth\u0085x@example.org"},
		{"text from right to left", "ruth\u202eadler@example.org"},
		{"text from right to left in the domain", "ruth@\u202egro.elpmaxe"},
		{"an isolate", "\u2067ruth\u2069@example.org"},
		{"a mark of direction", "ruth\u200f@example.org"},
		{"no width", "ruth\u200b@example.org"},
		{"no width, joined", "ruth@exam\u200dple.org"},
		{"a byte order mark", "\ufeffruth@example.org"},
		{"a soft hyphen", "ru\u00adth@example.org"},
		{"broken UTF-8", "ruth\xff@example.org"},
		{"cut UTF-8", "ruth@example.\xc3"},
		{"a wide @", "ruth＠example.org"},
		{"a wide dot", "ruth@example。org"},
		{"65 bytes before the @", strings.Repeat("l", 65) + "@example.org"},
		{"66 bytes of 33 letters", strings.Repeat("ł", 33) + "@example.org"},
		{"255 bytes", strings.Repeat("l", 64) + "@" + strings.Repeat(label+".", 2) + strings.Repeat("d", 58) + ".org"},
		{"very long", strings.Repeat("l", 100_000) + "@example.org"},
		{"many dots", "ruth@" + strings.Repeat(".", 200)},
		{"many @", strings.Repeat("@", 200)},
		{"much nested", strings.Repeat("(", 250)},
	}
	for _, tt := range tests {
		got, sentence := model.ParseEmail(tt.typed)
		if sentence == "" {
			t.Errorf("%s: %q is taken as %q", tt.name, tt.typed, got)
		}
		// The form shows what was typed, not something tidier.
		if got != strings.TrimSpace(tt.typed) {
			t.Errorf("%s: %q became %q", tt.name, tt.typed, got)
		}
		if len(sentence) > 100 || strings.Contains(sentence, "ruth") {
			t.Errorf("%s: %q", tt.name, sentence)
		}
	}
}

func TestEmailsAreTheSameWhateverTheirCaseAndComposition(t *testing.T) {
	same := [][2]string{
		{"ruth@example.org", "RUTH@Example.ORG"},
		{"ruth@example.org", "  ruth@example.org\n"},
		{"jos\u00e9@example.org", "jose\u0301@example.org"},
		{"JOSÉ@example.org", "jose\u0301@EXAMPLE.org"},
		{"łukasz@example.org", "ŁUKASZ@example.org"},
		{"", " "},
	}
	for _, s := range same {
		if a, b := model.EmailKey(s[0]), model.EmailKey(s[1]); a != b {
			t.Errorf("%q and %q are %q and %q", s[0], s[1], a, b)
		}
	}
	// Look-alikes stay apart.
	other := [][2]string{
		{"mike@example.org", "mıke@example.org"},
		{"ruth@example.org", "rüth@example.org"},
		{"lukasz@example.org", "łukasz@example.org"},
		{"ruth@example.org", "ruth+club@example.org"},
		{"ruth@example.org", "r.uth@example.org"},
		{"ruth@example.org", "ruth@example.com"},
		{"paypal@example.org", "pаypal@example.org"}, // the second has a Cyrillic а
		{"strasse@example.org", "straße@example.org"},
	}
	for _, o := range other {
		if a, b := model.EmailKey(o[0]), model.EmailKey(o[1]); a == b {
			t.Errorf("%q and %q are the same", o[0], o[1])
		}
	}
}

func TestALoginWithAnAtIsAnAddress(t *testing.T) {
	tests := []struct{ typed, email, number string }{
		{"Ruth@Example.org", "ruth@example.org", ""},
		{" ruth@example.org ", "ruth@example.org", ""},
		{"M-21", "", "m-21"},
		{" m-21\n", "", "m-21"},
		{"0042", "", "0042"},
		{"@", "@", ""},
		{"M@21", "m@21", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		email, number := model.LoginKey(tt.typed)
		if email != tt.email || number != tt.number {
			t.Errorf("%q gives %q and %q", tt.typed, email, number)
		}
	}
}

func TestTheLoginIsTheNumberWhereTheAddressIsShared(t *testing.T) {
	tests := []struct {
		name, email, number string
		shared              bool
		want                string
	}{
		{"an address of one's own", "ruth@example.org", "M-21", false, "ruth@example.org"},
		{"a shared address", "ruth@example.org", "M-21", true, "M-21"},
		{"a shared address and no number", "ruth@example.org", "", true, "ruth@example.org"},
		{"no address", "", "M-21", false, "M-21"},
		{"neither", "", "", true, ""},
	}
	for _, tt := range tests {
		if got := (model.Account{Email: tt.email, MemberNo: tt.number}).Login(tt.shared); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAnAccountIsDisabledFromAMoment(t *testing.T) {
	a := ruth()
	if a.Disabled() {
		t.Error("disabled at no time")
	}
	a.DisabledAt = time.Unix(0, 0)
	if !a.Disabled() {
		t.Error("disabled in 1970, and not")
	}
}

func TestTheStatusMessageExactly(t *testing.T) {
	const (
		email   = "ruth@example.org"
		made    = "Account successfully created. "
		sent    = "Reset password email sent."
		both    = "Account successfully created and reset password email sent."
		byHand  = "No mail server is set up. Copy the link and hand it over."
		noEmail = "No email address on this account. Copy the link or read out a code."
	)
	letter := func(s model.LetterState) *model.Letter { return &model.Letter{To: email, State: s} }
	tests := []struct {
		name   string
		email  string
		forNew bool
		letter *model.Letter
		want   string
	}{
		{"sent again", email, false, letter(model.LetterWaiting), sent},
		{"accepted", email, false, letter(model.LetterAccepted), sent},
		{"failed", email, false, letter(model.LetterFailed), sent},
		{"the letter unknown", email, false, nil, sent},
		{"Create User", email, true, letter(model.LetterWaiting), both},
		{"Create User, accepted", email, true, letter(model.LetterAccepted), both},
		{"no mail server", email, false, letter(model.LetterCaptured), byHand},
		{"Create User, no mail server", email, true, letter(model.LetterCaptured), made + byHand},
		{"no email", "", false, nil, noEmail},
		{"Create User, no email", "", true, nil, made + noEmail},
		{"no email, a letter about an earlier one", "", false, letter(model.LetterCaptured), noEmail},
	}
	for _, tt := range tests {
		s := model.ResetStatus{Reset: model.Reset{Email: tt.email, ForNew: tt.forNew}, Letter: tt.letter}
		if got := s.Text(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestATakenEmailIsAnErrorWithoutTheAddress(t *testing.T) {
	err := &model.EmailTakenError{Email: "ruth@example.org", Holders: []model.Person{{Name: "Ruth Adler"}}}
	if s := err.Error(); s == "" || strings.Contains(s, "ruth") || strings.Contains(s, "Ruth") {
		t.Errorf("got %q", s)
	}
}

func FuzzParseEmail(f *testing.F) {
	for _, seed := range []string{
		"", "ruth@example.org", "Ruth <ruth@example.org>", `"a b"@x.y`, "a@b@c.d", "ruth@bücher.example", "a\r\nBcc: b@c.d",
		"\u202ea@b.c", "=?utf-8?q?a?=@b.c", "a@[::1]", "a@1.2.3.4", "\xff@b.c", "(x)a@b.c", "a@b.c.", "a,b@c.d", "x:a@b.c;",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		email, sentence := model.ParseEmail(typed)
		if email != strings.TrimSpace(typed) {
			t.Errorf("%q became %q", typed, email)
		}
		if sentence != "" || email == "" {
			return
		}
		if len(email) > 254 || !utf8.ValidString(email) || strings.Count(email, "@") != 1 || strings.ContainsAny(email, "<>()[]\\,;:\" \r\n\x00") {
			t.Errorf("%q is taken", email)
		}
		for _, r := range email {
			if unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
				t.Errorf("%q is taken with %U", email, r)
			}
		}
		local, domain, _ := strings.Cut(email, "@")
		if local == "" || len(local) > 64 || !strings.Contains(strings.Trim(domain, "."), ".") {
			t.Errorf("%q is taken", email)
		}
		if again, sentence := model.ParseEmail(email); again != email || sentence != "" {
			t.Errorf("%q is taken once, then %q", email, sentence)
		}
		if key, number := model.LoginKey(email); key != model.EmailKey(email) || number != "" {
			t.Errorf("%q is no login: %q, %q", email, key, number)
		}
	})
}

func TestOneMailboxIsNarrowerThanOneLogin(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"Bob@Friends.example", "bob@friends.EXAMPLE", true},
		{"ren\u00e9@example.org", "rene\u0301@example.org", true},
		{"bob@fr\u0130ends.example", "bob@friends.example", false},
		{"bob@stra\u1e9ee.example", "bob@stra\u00dfe.example", false},
		{"bob@example.org", "bop@example.org", false},
	} {
		if got := model.MailboxKey(c.a) == model.MailboxKey(c.b); got != c.same {
			t.Errorf("%s and %s are one mailbox: %v", c.a, c.b, got)
		}
	}
}
