package model

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestACodeIsReadAsPeopleTypeIt(t *testing.T) {
	for typed, want := range map[string]string{
		"K7WX-M3QZ":               "K7WX-M3QZ",
		"k7wxm3qz":                "K7WX-M3QZ",
		"  k7 wx\tm3 qz\n":        "K7WX-M3QZ",
		"k7wx–m3qz":               "K7WX-M3QZ",
		"k7wx\u2011m3qz":          "K7WX-M3QZ", // no-break hyphen
		"k7wx\u2212m3qz":          "K7WX-M3QZ", // minus
		"k7wx\u00adm3\u00a0qz":    "K7WX-M3QZ", // soft hyphen, no-break space
		"-k-7-w-x-m-3-q-z-":       "K7WX-M3QZ",
		SampleCode:                SampleCode,
		"":                        "",
		"K7WXM3Q":                 "",
		"K7WXM3QZZ":               "",
		"K7WXM3Q0":                "",
		"K7WXM3QO":                "",
		"K7WXM3Q1":                "",
		"K7WXM3QI":                "",
		"K7WXM3QL":                "",
		"K7WXM3QU":                "",
		"K7WXM3Qſ":                "", // a long s is no S, whatever upper-casing says
		"\u212a7WXM3QZ":           "", // nor is the sign of kelvin a K
		"K7WX_M3QZ":               "",
		"K7WX.M3QZ":               "",
		"K7WX\u200bM3QZ":          "",
		"\uff2b7WXM3QZ":           "",
		"K7WXM3Q\xff":             "",
		strings.Repeat("-", 1000): "",
	} {
		got, ok := ParseCode(typed)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q is read as %q, %v", typed, got, ok)
		}
	}
}

func FuzzParseCode(f *testing.F) {
	f.Add("K7WX-M3QZ")
	f.Add("k7wx m3qz")
	f.Add("\xff\x00ſ–")
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := ParseCode(typed)
		if !ok {
			return
		}
		if len(code) != 9 || code[4] != '-' || strings.Trim(code[:4]+code[5:], codeLetters) != "" {
			t.Fatalf("%q is read as %q", typed, code)
		}
		for _, same := range []string{code, strings.ToLower(code), strings.ReplaceAll(code, "-", ""), " " + code + "\n"} {
			if again, ok := ParseCode(same); !ok || again != code {
				t.Fatalf("%q is read as %q, and that as %q", typed, code, again)
			}
		}
		if got := CleanReply("550 I do not like " + code + "."); strings.Contains(got, code) {
			t.Fatalf("a server's words keep %s: %s", code, got)
		}
	})
}

func TestCodesUseThirtyLettersAlike(t *testing.T) {
	all := strings.Split(codeLetters, "")
	slices.Sort(all)
	if len(slices.Compact(all)) != 30 || strings.ContainsAny(codeLetters, "01ILOU") {
		t.Errorf("the letters are %s", codeLetters)
	}
	n := 1
	for range codeLen {
		n *= len(codeLetters)
	}
	if n != codes {
		t.Errorf("there are %d codes, not %d", n, codes)
	}
	var seen [codeLen]map[byte]int
	for i := range seen {
		seen[i] = map[byte]int{}
	}
	const draws = 30_000
	for range draws {
		code := strings.ReplaceAll(NewSpokenCode().Reveal(), "-", "")
		for i := range code {
			seen[i][code[i]]++
		}
	}
	for i, letters := range seen {
		for _, c := range []byte(codeLetters) {
			// 1,000 are expected of each; eight standard deviations are 249.
			if n := letters[c]; n < 750 || n > 1250 {
				t.Errorf("place %d: %c came %d times in %d", i, c, n, draws)
			}
		}
	}
	var last [16]byte
	binary.BigEndian.PutUint64(last[8:], codes-1)
	if first, last := codeOf([16]byte{}).Reveal(), codeOf(last).Reveal(); first != "2222-2222" || last != "ZZZZ-ZZZZ" {
		t.Errorf("from %s to %s", first, last)
	}
}

func TestEachIngredientOfACodeCounts(t *testing.T) {
	keys := NewKeyring()
	at := time.Unix(1_800_000_000, 0)
	r := Reset{ID: 7, AccountID: 3, KeyID: keys.CurrentID(), MadeAt: at, ExpiresAt: at.Add(time.Hour), Email: "a@example.org", PasswordVersion: 2, CodeNo: 1}
	code := func(keys Keyring, r Reset) string {
		t.Helper()
		c, err := keys.ResetCode(r)
		if err != nil {
			t.Fatal(err)
		}
		if again, ok := ParseCode(c.Reveal()); !ok || again != c.Reveal() {
			t.Fatalf("%s is no code", c.Reveal())
		}
		return c.Reveal()
	}
	want := code(keys, r)
	if code(keys, r) != want {
		t.Error("a code is not the same twice")
	}
	for name, change := range map[string]func(r *Reset){
		"selector": func(r *Reset) { r.Selector[0]++ }, "id": func(r *Reset) { r.ID++ }, "account": func(r *Reset) { r.AccountID++ },
		"made": func(r *Reset) { r.MadeAt = at.Add(time.Second) }, "expires": func(r *Reset) { r.ExpiresAt = at }, "email": func(r *Reset) { r.Email = "b@example.org" },
		"password version": func(r *Reset) { r.PasswordVersion++ }, "number": func(r *Reset) { r.CodeNo++ },
	} {
		other := r
		change(&other)
		if code(keys, other) == want {
			t.Errorf("the code stays the same with another %s", name)
		}
	}
	other := NewKeyring()
	r.KeyID = other.CurrentID()
	if code(other, r) == want {
		t.Error("the code stays the same with another key")
	}
	if _, err := keys.ResetCode(r); err == nil {
		t.Error("a code without its key")
	}
}

func TestASpokenCodeBelongsToItsLinkAndKey(t *testing.T) {
	keys, code := NewKeyring(), NewSpokenCode()
	tag := keys.SpokenTag(7, code)
	if !keys.VerifySpoken(tag, 7, code) {
		t.Error("the code does not fit")
	}
	if keys.VerifySpoken(tag, 8, code) || keys.VerifySpoken(tag, 7, NewSpokenCode()) || keys.VerifySpoken(nil, 7, code) || NewKeyring().VerifySpoken(tag, 7, code) {
		t.Error("it fits another link, another code, no tag or another key")
	}
	if strings.Contains(string(tag), code.Reveal()) {
		t.Error("the tag holds the code")
	}
}

func TestHowLongCodesWork(t *testing.T) {
	from := time.Unix(1_800_000_000, 0)
	a := Account{ID: 3}
	live := func(expires time.Duration) Reset {
		return Reset{AccountID: 3, ExpiresAt: from.Add(expires), CodeFrom: from, SpokenAt: from}
	}
	const s = time.Second
	for _, tt := range []struct {
		name           string
		r              Reset
		wrong          CodeTries
		after          time.Duration
		letter, spoken bool
	}{
		{"at once", live(7 * 24 * time.Hour), CodeTries{}, 0, true, true},
		{"before ten minutes", live(7 * 24 * time.Hour), CodeTries{}, 10*time.Minute - s, true, true},
		{"at ten minutes", live(7 * 24 * time.Hour), CodeTries{}, 10 * time.Minute, true, false},
		{"before a day", live(7 * 24 * time.Hour), CodeTries{}, 24*time.Hour - s, true, false},
		{"at a day", live(7 * 24 * time.Hour), CodeTries{}, 24 * time.Hour, false, false},
		{"before the link's end", live(5 * time.Minute), CodeTries{}, 5*time.Minute - s, true, true},
		{"at the link's end", live(5 * time.Minute), CodeTries{}, 5 * time.Minute, false, false},
		{"four wrong in this network", live(time.Hour), CodeTries{Network: 4, Letter: 49, Spoken: 4}, 0, true, true},
		{"five", live(time.Hour), CodeTries{Network: 5, Letter: 49, Spoken: 4}, 0, false, true},
		{"fifty in all", live(time.Hour), CodeTries{Letter: 50, Spoken: 5}, 0, false, false},
		{"no letter with one, nothing read out", Reset{AccountID: 3, ExpiresAt: from.Add(time.Hour)}, CodeTries{}, 0, false, false},
		{"of another account", func() Reset { r := live(time.Hour); r.AccountID = 4; return r }(), CodeTries{}, 0, false, false},
		{"ended", func() Reset { r := live(time.Hour); r.EndedAt = from; return r }(), CodeTries{}, 0, false, false},
	} {
		now := from.Add(tt.after)
		if got := tt.r.CodeWorks(a, tt.wrong, now); got != tt.letter {
			t.Errorf("%s: the letter's works: %v", tt.name, got)
		}
		if got := tt.r.SpokenWorks(a, tt.wrong, now); got != tt.spoken {
			t.Errorf("%s: the spoken one works: %v", tt.name, got)
		}
	}
}

// Reading a code out opens the door that seeing the link opens.
func TestWhoMayReadOutACode(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	member := Account{ID: 1, Role: RoleMember}
	for _, tt := range []struct {
		name  string
		actor Actor
		t     Account
		r     *Reset
		want  Kind // KindInternal: allowed
	}{
		{"viewer", Actor{Kind: ByPerson, AccountID: 9, Role: RoleViewer}, member, nil, KindForbidden},
		{"staff", Actor{Kind: ByPerson, AccountID: 9, Role: RoleStaff}, member, nil, KindInternal},
		{"staff for themselves", Actor{Kind: ByPerson, AccountID: 9, Role: RoleStaff}, Account{ID: 9, Role: RoleStaff}, nil, KindForbidden},
		{"staff for an equal", Actor{Kind: ByPerson, AccountID: 9, Role: RoleStaff}, Account{ID: 2, Role: RoleStaff}, nil, KindForbidden},
		{"staff for an owner", Actor{Kind: ByPerson, AccountID: 9, Role: RoleStaff}, Account{ID: 2, Role: RoleOwner}, nil, KindForbidden},
		{"owner for staff", Actor{Kind: ByPerson, AccountID: 9, Role: RoleOwner}, Account{ID: 2, Role: RoleStaff}, nil, KindInternal},
		{"owner for an owner", Actor{Kind: ByPerson, AccountID: 9, Role: RoleOwner}, Account{ID: 2, Role: RoleOwner}, nil, KindForbidden},
		{"a role waits", Actor{Kind: ByPerson, AccountID: 9, Role: RoleOwner}, Account{ID: 2, Role: RoleMember, PendingRole: RoleStaff}, nil, KindForbidden},
		{"by letter only", Actor{Kind: ByPerson, AccountID: 9, Role: RoleOwner}, member, &Reset{MailedOnly: true}, KindForbidden},
		{"a factor was cleared", Actor{Kind: ByPerson, AccountID: 9, Role: RoleStaff}, Account{ID: 1, Role: RoleMember, Factor: FactorFacts{ClearedAt: at.Add(time.Second - ClearedFor)}}, nil, KindForbidden},
		{"and three days passed", Actor{Kind: ByPerson, AccountID: 9, Role: RoleStaff}, Account{ID: 1, Role: RoleMember, Factor: FactorFacts{ClearedAt: at.Add(-ClearedFor)}}, nil, KindInternal},
		{"disabled", Actor{Kind: ByPerson, AccountID: 9, Role: RoleStaff}, Account{ID: 1, Role: RoleMember, DisabledAt: at}, nil, KindConflict},
		{"the member", MemberActor(""), member, nil, KindForbidden},
	} {
		err := tt.actor.MayReadOut(tt.t, tt.r, at)
		if (err == nil) != (tt.want == KindInternal) || err != nil && KindOf(err) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestAServersWordsAreKeptWithoutTheCode(t *testing.T) {
	for _, said := range []string{
		"550 spam: K7WX-M3QZ", "(K7WX-M3QZ)", "K7WX-=\r\nM3QZ", "K7=\r\nWX-M3QZ", "…type K7WX-M3Q=\r\nZ here",
	} {
		if got := CleanReply(said); strings.Contains(got, "K7") || strings.Contains(got, "3Q") || !strings.Contains(got, "[…]") {
			t.Errorf("%q is kept as %q", said, got)
		}
	}
	for _, said := range []string{"spam-rate too high", "5.7.1 See RFC-5321", "id 1234-5678-ABCDE"} {
		if got := CleanReply(said); got != said {
			t.Errorf("%q is kept as %q", said, got)
		}
	}
}
