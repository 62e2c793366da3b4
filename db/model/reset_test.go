package model_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"latchkey/db/model"
)

const day = 24 * time.Hour

// link is ruth's, made at noon with the usual two numbers.
func link() model.Reset {
	r := model.NewReset(ruth(), "k1", model.UsualResets, noon)
	r.ID = 5
	return r
}

func TestTheLifeOfALinkExactToTheSecond(t *testing.T) {
	type moment struct {
		at          time.Duration // since the link was made
		shown, same bool
		state       model.ResetState
	}
	const s = time.Second
	tests := []struct {
		name    string
		policy  model.ResetPolicy
		moments []moment
	}{
		{"usual: 7 days, 16 hours", model.UsualResets, []moment{
			{0, true, true, model.ResetLive},
			{s, true, true, model.ResetLive},
			{16*time.Hour - s, true, true, model.ResetLive},
			{16 * time.Hour, false, false, model.ResetLive},
			{16*time.Hour + s, false, false, model.ResetLive},
			{7*day - s, false, false, model.ResetLive},
			{7 * day, false, false, model.ResetExpired},
			{7*day + s, false, false, model.ResetExpired},
		}},
		{"strict: 24 hours, 16 hours", model.StrictResets, []moment{
			{0, true, true, model.ResetLive},
			{16*time.Hour - s, true, true, model.ResetLive},
			{16 * time.Hour, false, false, model.ResetLive},
			{16*time.Hour + s, false, false, model.ResetLive},
			{24*time.Hour - s, false, false, model.ResetLive},
			{24 * time.Hour, false, false, model.ResetExpired},
			{24*time.Hour + s, false, false, model.ResetExpired},
		}},
		{"a window as long as the life", model.ResetPolicy{Lifetime: 30 * day, ResendWindow: 30 * day}, []moment{
			{0, true, true, model.ResetLive},
			{30*day - s, true, true, model.ResetLive},
			{30 * day, false, false, model.ResetExpired},
			{30*day + s, false, false, model.ResetExpired},
		}},
		{"no window", model.ResetPolicy{Lifetime: time.Hour}, []moment{
			{0, false, false, model.ResetLive},
			{s, false, false, model.ResetLive},
			{time.Hour - s, false, false, model.ResetLive},
			{time.Hour, false, false, model.ResetExpired},
			{time.Hour + s, false, false, model.ResetExpired},
		}},
	}
	for _, tt := range tests {
		r := model.NewReset(ruth(), "k1", tt.policy, noon)
		for _, m := range tt.moments {
			now := noon.Add(m.at)
			if got := r.Shown(ruth(), now); got != m.shown {
				t.Errorf("%s, after %v: shown %v", tt.name, m.at, got)
			}
			if got := r.SameOnResend(ruth(), now); got != m.same {
				t.Errorf("%s, after %v: same again %v", tt.name, m.at, got)
			}
			if got := r.Live(ruth(), now); got != (m.state == model.ResetLive) {
				t.Errorf("%s, after %v: live %v", tt.name, m.at, got)
			}
			if got := r.State(ruth(), false, now); got != m.state {
				t.Errorf("%s, after %v: %v, want %v", tt.name, m.at, got, m.state)
			}
		}
	}
}

func TestBothMomentsAreFixedWhenTheLinkIsMade(t *testing.T) {
	r := link()
	if want := noon.Add(7 * day); !r.ExpiresAt.Equal(want) {
		t.Errorf("expires %v, want %v", r.ExpiresAt, want)
	}
	if want := noon.Add(16 * time.Hour); !r.ResendUntil.Equal(want) {
		t.Errorf("sent again until %v, want %v", r.ResendUntil, want)
	}
	if !r.MadeAt.Equal(noon) || r.AccountID != 7 || r.Email != "ruth@example.org" || r.PasswordVersion != 3 || r.KeyID != "k1" {
		t.Errorf("got %+v", r)
	}
}

func TestNoTwoLinksHaveTheSameSelector(t *testing.T) {
	seen := map[[8]byte]bool{{}: true}
	for range 1000 {
		r := link()
		if seen[r.Selector] {
			t.Fatalf("%x came twice, or is nothing", r.Selector)
		}
		seen[r.Selector] = true
	}
}

func TestALinkThatGivesAHigherRoleIsOnlyMailed(t *testing.T) {
	a := ruth()
	if model.NewReset(a, "k1", model.UsualResets, noon).MailedOnly {
		t.Error("an ordinary link is only mailed")
	}
	a.PendingRole = model.RoleStaff
	if !model.NewReset(a, "k1", model.UsualResets, noon).MailedOnly {
		t.Error("a link that gives a role may be seen")
	}
}

func TestALinkIsWhatItsEndMadeIt(t *testing.T) {
	const (
		used, replaced, cancelled = model.EndUsed, model.EndReplaced, model.EndCancelled
		never                     = model.EndReason("")
	)
	disabled, otherEmail, otherPassword := ruth(), ruth(), ruth()
	disabled.DisabledAt = noon.Add(time.Minute)
	otherEmail.Email = "ruth.adler@example.org"
	otherPassword.PasswordVersion++
	both := disabled
	both.PasswordVersion++

	early, late := noon.Add(2*time.Hour), noon.Add(8*day)
	tests := []struct {
		name       string
		reason     model.EndReason // at one hour after noon
		account    model.Account
		newerLives bool
		now        time.Time
		want       model.ResetState
	}{
		{"nothing happened", never, ruth(), false, early, model.ResetLive},
		{"time passed", never, ruth(), false, late, model.ResetExpired},
		{"a newer one lives, yet nobody ended this", never, ruth(), true, early, model.ResetLive},

		{"cancelled", cancelled, ruth(), false, early, model.ResetCancelled},
		{"cancelled, and a newer one lives", cancelled, ruth(), true, early, model.ResetCancelled},
		{"cancelled, then its time passed", cancelled, ruth(), false, late, model.ResetCancelled},
		{"cancelled with the account disabled", cancelled, disabled, false, early, model.ResetCancelled},
		{"cancelled, then another password", cancelled, otherPassword, true, late, model.ResetCancelled},

		{"used", used, otherPassword, false, early, model.ResetUsed},
		{"used, and a newer one lives", used, otherPassword, true, early, model.ResetUsed},
		{"used, then its time passed", used, otherPassword, false, late, model.ResetUsed},
		{"used, then the account was disabled", used, both, false, early, model.ResetUsed},

		{"replaced while the newer lives", replaced, ruth(), true, early, model.ResetReplaced},
		{"replaced while the newer lives, its own time passed", replaced, ruth(), true, late, model.ResetReplaced},
		{"replaced, and the newer is over", replaced, ruth(), false, early, model.ResetExpired},
		{"replaced, and both are over", replaced, ruth(), false, late, model.ResetExpired},
		{"replaced, then disabled", replaced, disabled, false, early, model.ResetExpired},

		// No act leaves a row like these; a damaged one must not open the door.
		{"disabled, yet the link not ended", never, disabled, false, early, model.ResetCancelled},
		{"another address, yet the link not ended", never, otherEmail, false, early, model.ResetCancelled},
		{"another password, yet the link not ended", never, otherPassword, false, early, model.ResetCancelled},
		{"disabled after its time", never, disabled, false, late, model.ResetExpired},
		{"no account any more", never, model.Account{}, false, early, model.ResetCancelled},
		{"ended by a word nobody knows", "vanished", ruth(), false, early, model.ResetCancelled},
	}
	for _, tt := range tests {
		r := link()
		if tt.reason != never {
			r.EndedAt, r.EndReason = noon.Add(time.Hour), tt.reason
		}
		if got := r.State(tt.account, tt.newerLives, tt.now); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		live := tt.want == model.ResetLive
		if got := r.Live(tt.account, tt.now); got != live {
			t.Errorf("%s: live %v", tt.name, got)
		}
		if got := r.Shown(tt.account, tt.now); got != live {
			t.Errorf("%s: shown %v", tt.name, got)
		}
		if got := r.SameOnResend(tt.account, tt.now); got != live {
			t.Errorf("%s: same again %v", tt.name, got)
		}
	}
}

// A reason without a moment, or a moment without a reason, is half an end.
func TestHalfAnEndIsAnEnd(t *testing.T) {
	r := link()
	r.EndedAt = noon.Add(time.Minute)
	if r.Live(ruth(), noon.Add(time.Hour)) {
		t.Error("a moment without a reason leaves the link live")
	}
	if got := r.State(ruth(), true, noon.Add(time.Hour)); got != model.ResetCancelled {
		t.Errorf("a moment without a reason makes it %v", got)
	}
}

func TestAnEndCountsFromItsVerySecond(t *testing.T) {
	for _, reason := range []model.EndReason{model.EndUsed, model.EndReplaced, model.EndCancelled, model.EndNotMe} {
		r := link()
		r.EndedAt, r.EndReason = noon, reason
		if r.Live(ruth(), noon) {
			t.Errorf("%s at the second it was made, the link lives", reason)
		}
	}
}

func TestNinetyDaysAfterItsEndALinkIsLikeAnUnknownOne(t *testing.T) {
	const s = time.Second
	ended := noon.Add(time.Hour)
	tests := []struct {
		name   string
		reason model.EndReason
		end    time.Time
		before model.ResetState
	}{
		{"expired", "", noon.Add(7 * day), model.ResetExpired},
		{"used", model.EndUsed, ended, model.ResetUsed},
		{"cancelled", model.EndCancelled, ended, model.ResetCancelled},
		{"not theirs", model.EndNotMe, ended, model.ResetCancelled},
		{"replaced", model.EndReplaced, ended, model.ResetReplaced},
		{"cancelled long after it expired", model.EndCancelled, noon.Add(20 * day), model.ResetCancelled},
	}
	for _, tt := range tests {
		r := link()
		if tt.reason != "" {
			r.EndedAt, r.EndReason = tt.end, tt.reason
		}
		for _, m := range []struct {
			at   time.Duration
			want model.ResetState
		}{{-s, tt.before}, {0, model.ResetUnknown}, {s, model.ResetUnknown}} {
			if got := r.State(ruth(), true, tt.end.Add(90*day+m.at)); got != m.want {
				t.Errorf("%s, 90 days and %v after: %v, want %v", tt.name, m.at, got, m.want)
			}
		}
	}
}

func TestALinkDiesWithWhatItWasMadeFor(t *testing.T) {
	now := noon.Add(time.Minute)
	tests := []struct {
		name   string
		change func(*model.Account)
		live   bool
	}{
		{"nothing", func(*model.Account) {}, true},
		{"another email", func(a *model.Account) { a.Email = "ruth@example.com" }, false},
		{"the email in capitals", func(a *model.Account) { a.Email = "Ruth@example.org" }, false},
		{"no email", func(a *model.Account) { a.Email = "" }, false},
		{"a newer password", func(a *model.Account) { a.PasswordVersion = 4 }, false},
		{"an older password", func(a *model.Account) { a.PasswordVersion = 2 }, false},
		{"disabled", func(a *model.Account) { a.DisabledAt = now }, false},
		{"disabled at the first of all seconds", func(a *model.Account) { a.DisabledAt = time.Unix(0, 0) }, false},
		{"another account", func(a *model.Account) { a.ID = 8 }, false},
		{"another name", func(a *model.Account) { a.Name = "Ruth Klein" }, true},
		{"another member number", func(a *model.Account) { a.MemberNo = "M-22" }, true},
		{"sessions ended", func(a *model.Account) { a.SessionStamp++ }, true},
		{"signed in meanwhile", func(a *model.Account) { a.LastSignInAt = now }, true},
	}
	for _, tt := range tests {
		a := ruth()
		tt.change(&a)
		if got := link().Live(a, now); got != tt.live {
			t.Errorf("%s: live %v", tt.name, got)
		}
	}
}

func TestASecondPressWithinFiveSecondsIsADoubleClick(t *testing.T) {
	const s = time.Second
	jo := model.Actor{Kind: model.ByPerson, AccountID: 3, Role: model.RoleStaff}
	kim := model.Actor{Kind: model.ByPerson, AccountID: 4, Role: model.RoleStaff}
	tests := []struct {
		name    string
		by, now model.Actor
		at      time.Duration
		want    bool
	}{
		{"the same second", jo, jo, 0, true},
		{"four seconds later", jo, jo, 4 * s, true},
		{"five seconds later", jo, jo, 5 * s, false},
		{"six seconds later", jo, jo, 6 * s, false},
		{"a colleague", jo, kim, 0, false},
		{"the member", jo, model.MemberActor(""), 0, false},
		{"the portal", jo, model.SystemActor(), 0, false},
		{"the shell", jo, model.ShellActor(), 0, false},
		{"the member again", model.MemberActor("192.0.2.0/24"), model.MemberActor("198.51.100.0/24"), s, true},
	}
	for _, tt := range tests {
		r := link()
		r.AskedAt, r.AskedKind, r.AskedBy = noon, tt.by.Kind, tt.by.AccountID
		if got := r.AskedJustNow(tt.now, noon.Add(tt.at)); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	if link().AskedJustNow(jo, noon) {
		t.Error("nobody asked, and yet")
	}
}

func TestTheTwoNumbersHaveLimits(t *testing.T) {
	const s = time.Second
	tests := []struct {
		name             string
		lifetime, window time.Duration
		wrong            string // fields, sorted
	}{
		{"usual", 7 * day, 16 * time.Hour, ""},
		{"strict", day, 16 * time.Hour, ""},
		{"the shortest life", time.Hour, time.Hour, ""},
		{"a second too short", time.Hour - s, time.Minute, "reset_lifetime"},
		{"the longest life", 30 * day, 16 * time.Hour, ""},
		{"a second too long", 30*day + s, 16 * time.Hour, "reset_lifetime"},
		{"the window as long as the life", day, day, ""},
		{"the window a second longer", day, day + s, "resend_window"},
		{"no window", day, 0, ""},
		{"less than no window", day, -s, "resend_window"},
		{"no life", 0, 0, "reset_lifetime"},
		{"less than no life", -day, 0, "reset_lifetime resend_window"},
		{"both", 31 * day, 32 * day, "reset_lifetime resend_window"},
	}
	for _, tt := range tests {
		f := model.ResetPolicy{Lifetime: tt.lifetime, ResendWindow: tt.window}.Check()
		checkFields(t, tt.name, f, strings.Fields(tt.wrong)...)
	}
	for name, p := range map[string]model.ResetPolicy{"usual": model.UsualResets, "strict": model.StrictResets} {
		checkFields(t, name, p.Check())
	}
}

// checkFields fails unless exactly these fields have a sentence.
func checkFields(t *testing.T, name string, f model.Fields, want ...string) {
	t.Helper()
	for _, field := range want {
		if f[field] == "" {
			t.Errorf("%s: nothing is said about %s", name, field)
		}
	}
	if len(f) != len(want) {
		t.Errorf("%s: got %v, want %v", name, f, want)
	}
}

// keyring has two keys: k1 is the bytes 0 to 31, k2 the bytes 32 to 63.
func keyring(t testing.TB, ids ...string) model.Keyring {
	t.Helper()
	known := map[string]string{
		"k1": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
		"k2": "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",
	}
	var file string
	for _, id := range ids {
		file += id + " " + known[id] + "\n"
	}
	k, err := model.ParseKeyring([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func token(t testing.TB, k model.Keyring, r model.Reset) string {
	t.Helper()
	s, err := k.ResetToken(r)
	if err != nil {
		t.Fatal(err)
	}
	return s.Reveal()
}

// opens does what the page behind a link does with a token, for a portal that
// has this one link.
func opens(k model.Keyring, r model.Reset, token string) bool {
	selector, tag, ok := model.ParseResetToken(token)
	return ok && selector == r.Selector && k.VerifyReset(r, tag)
}

// golden is a link whose token was computed by a program in another language.
func golden() model.Reset {
	return model.Reset{
		ID: 5, AccountID: 7, Selector: [8]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}, KeyID: "k1",
		MadeAt: noon, ExpiresAt: noon.Add(7 * day), ResendUntil: noon.Add(16 * time.Hour),
		Email: "ruth@example.org", PasswordVersion: 3,
	}
}

// If this changes, every link in every mailbox dies.
func TestTheTokenNeverChangesItsForm(t *testing.T) {
	const want = "aerukz4jvpg675rp5pnh5zp7vnrzf5cp2pq6m4go"
	if got := token(t, keyring(t, "k1"), golden()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// extractAndExpand is HKDF-SHA-256 (RFC 5869 §2) without a salt, for one
// block of output, written out.
func extractAndExpand(master []byte, info string) []byte {
	extract := hmac.New(sha256.New, make([]byte, sha256.Size))
	extract.Write(master)
	expand := hmac.New(sha256.New, extract.Sum(nil))
	expand.Write([]byte(info))
	expand.Write([]byte{1})
	return expand.Sum(nil)
}

// prefixed is fields with their length in four bytes before each.
func prefixed(fields ...any) []byte {
	var out []byte
	for _, f := range fields {
		var b []byte
		switch f := f.(type) {
		case string:
			b = []byte(f)
		case []byte:
			b = f
		case int64:
			b = binary.BigEndian.AppendUint64(nil, uint64(f))
		default:
			panic(fmt.Sprintf("a field of type %T", f))
		}
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(b))), b...)
	}
	return out
}

func TestTheTokenIsWhatTheContractSays(t *testing.T) {
	master := map[string][]byte{"k1": make([]byte, 32), "k2": make([]byte, 32)}
	for i := range 32 {
		master["k1"][i], master["k2"][i] = byte(i), byte(32+i)
	}
	tests := map[string]func(*model.Reset){
		"as it is":         func(*model.Reset) {},
		"the other key":    func(r *model.Reset) { r.KeyID = "k2" },
		"no email":         func(r *model.Reset) { r.Email = "" },
		"a foreign email":  func(r *model.Reset) { r.Email = "łukasz@bücher.example" },
		"no password yet":  func(r *model.Reset) { r.PasswordVersion = 0 },
		"large numbers":    func(r *model.Reset) { r.ID, r.AccountID = math.MaxInt64, math.MinInt64 },
		"before the epoch": func(r *model.Reset) { r.MadeAt = time.Unix(-1, 0) },
		"another zone": func(r *model.Reset) {
			r.MadeAt = r.MadeAt.In(time.FixedZone("", 3600))
			r.ExpiresAt = r.ExpiresAt.Local()
		},
	}
	k := keyring(t, "k1", "k2")
	for name, change := range tests {
		r := golden()
		change(&r)
		mac := hmac.New(sha256.New, extractAndExpand(master[r.KeyID], "latchkey/v1/reset"))
		mac.Write(prefixed("latchkey/reset/v1", r.Selector[:], r.ID, r.AccountID, r.MadeAt.Unix(), r.ExpiresAt.Unix(), r.Email, r.PasswordVersion))
		raw := append(r.Selector[:], mac.Sum(nil)[:17]...)
		want := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))
		got := token(t, k, r)
		if got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
		if len(got) != 40 || model.TokenLen != 40 || strings.Trim(got, "abcdefghijklmnopqrstuvwxyz234567") != "" {
			t.Errorf("%s: %q is not 40 characters of a-z and 2-7", name, got)
		}
		if !opens(k, r, got) {
			t.Errorf("%s: the link does not open", name)
		}
	}
}

func TestTheTagCoversEverythingThatIsFrozen(t *testing.T) {
	k := keyring(t, "k1", "k2")
	_, tag, _ := model.ParseResetToken(token(t, k, golden()))
	frozen := map[string]func(*model.Reset){
		"selector":            func(r *model.Reset) { r.Selector[7] ^= 1 },
		"id":                  func(r *model.Reset) { r.ID++ },
		"account":             func(r *model.Reset) { r.AccountID++ },
		"id and account":      func(r *model.Reset) { r.ID, r.AccountID = r.AccountID, r.ID },
		"made":                func(r *model.Reset) { r.MadeAt = r.MadeAt.Add(time.Second) },
		"expires":             func(r *model.Reset) { r.ExpiresAt = r.ExpiresAt.Add(time.Second) },
		"both moments":        func(r *model.Reset) { r.MadeAt, r.ExpiresAt = r.ExpiresAt, r.MadeAt },
		"email":               func(r *model.Reset) { r.Email = "ruth@example.com" },
		"case of the email":   func(r *model.Reset) { r.Email = "Ruth@example.org" },
		"no email":            func(r *model.Reset) { r.Email = "" },
		"NUL after the email": func(r *model.Reset) { r.Email += "\x00" },
		"password version":    func(r *model.Reset) { r.PasswordVersion++ },
		"key":                 func(r *model.Reset) { r.KeyID = "k2" },
		"unknown key":         func(r *model.Reset) { r.KeyID = "k3" },
		"no key":              func(r *model.Reset) { r.KeyID = "" },
	}
	for name, change := range frozen {
		r := golden()
		change(&r)
		if k.VerifyReset(r, tag) {
			t.Errorf("%s changed, and the tag still fits", name)
		}
	}
	free := map[string]func(*model.Reset){
		"asked again":      func(r *model.Reset) { r.AskedAt, r.AskedKind, r.AskedBy = noon, model.ByPerson, 2 },
		"opened":           func(r *model.Reset) { r.OpenedAt = noon },
		"ended":            func(r *model.Reset) { r.EndedAt, r.EndReason = noon, model.EndUsed },
		"the window":       func(r *model.Reset) { r.ResendUntil = noon },
		"how it was asked": func(r *model.Reset) { r.ForNew, r.MailedOnly = true, true },
	}
	for name, change := range free {
		r := golden()
		change(&r)
		if !k.VerifyReset(r, tag) {
			t.Errorf("%s: an ended link must stay recognisable", name)
		}
	}
}

func TestOnlyTheRightTagOpens(t *testing.T) {
	k, r := keyring(t, "k1"), golden()
	_, tag, _ := model.ParseResetToken(token(t, k, r))
	wrong := map[string][]byte{
		"none": nil, "empty": {}, "cut by one": tag[:16], "half": tag[:8], "one byte": tag[:1],
		"longer by one": append(tag[:17:17], 0), "twice": append(tag[:17:17], tag...), "zeros": make([]byte, 17),
	}
	for name, w := range wrong {
		if k.VerifyReset(r, w) {
			t.Errorf("%s: it opens", name)
		}
	}
	if !k.VerifyReset(r, tag) {
		t.Error("the right one does not open")
	}
	if _, err := k.ResetToken(model.Reset{KeyID: "k9"}); err == nil {
		t.Error("a key that is not there makes a link")
	}
}

func TestAnotherKeyOpensNothing(t *testing.T) {
	r := golden()
	tok := token(t, keyring(t, "k1"), r)
	theirs, err := model.ParseKeyring([]byte("k1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n"))
	if err != nil {
		t.Fatal(err)
	}
	if opens(theirs, r, tok) {
		t.Error("another key of the same name opens it")
	}
	if opens(keyring(t, "k2"), r, tok) {
		t.Error("a ring without the key opens it")
	}
	for range 20 {
		fresh := model.NewKeyring()
		r := r
		r.KeyID = fresh.CurrentID()
		if opens(fresh, r, tok) {
			t.Error("a new key opens it")
		}
	}
}

func TestALinkOutlivesARotation(t *testing.T) {
	r := golden()
	tok := token(t, keyring(t, "k1"), r)
	if !opens(keyring(t, "k2", "k1"), r, tok) {
		t.Error("with a new key in front, the older link does not open")
	}
	if opens(keyring(t, "k2"), r, tok) {
		t.Error("with its key retired, the older link opens")
	}
}

var lower32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func TestEverySingleFlippedBitIsRefused(t *testing.T) {
	k, r := keyring(t, "k1"), golden()
	tok := token(t, k, r)
	raw, err := lower32.DecodeString(tok)
	if err != nil || len(raw) != 25 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	for bit := range 25 * 8 {
		bad := append([]byte(nil), raw...)
		bad[bit/8] ^= 1 << (bit % 8)
		flipped := lower32.EncodeToString(bad)
		if opens(k, r, flipped) {
			t.Errorf("bit %d flipped: %s opens", bit, flipped)
		}
		// Nor does it open a row that has just this selector.
		selector, tag, ok := model.ParseResetToken(flipped)
		twin := r
		twin.Selector = selector
		if !ok || k.VerifyReset(twin, tag) {
			t.Errorf("bit %d flipped: it opens a row with that selector", bit)
		}
	}
	// The same by characters: every other letter at every place.
	for i := range tok {
		for _, c := range "abcdefghijklmnopqrstuvwxyz234567" {
			if bad := tok[:i] + string(c) + tok[i+1:]; bad != tok && opens(k, r, bad) {
				t.Errorf("%s opens", bad)
			}
		}
	}
}

func TestATokenHasOneSpelling(t *testing.T) {
	k, r := keyring(t, "k1"), golden()
	tok := token(t, k, r)
	raw, _ := lower32.DecodeString(tok)
	bad := map[string]string{
		"nothing":             "",
		"one letter":          "a",
		"the first missing":   tok[1:],
		"the last missing":    tok[:39],
		"half":                tok[:20],
		"one more":            tok + "a",
		"twice":               tok + tok,
		"padded":              tok + "=",
		"padded in full":      tok + "======",
		"padding inside":      tok[:39] + "=",
		"padding for the end": tok[:32] + "========",
		"upper case":          strings.ToUpper(tok),
		"one capital":         strings.ToUpper(tok[:1]) + tok[1:],
		"a capital at last":   tok[:39] + strings.ToUpper(tok[39:]),
		"a newline after it":  tok + "\n",
		"a newline before it": "\n" + tok,
		"a newline inside":    tok[:20] + "\n" + tok[20:],
		"newline for letter":  tok[:20] + "\n" + tok[21:],
		"newline at the end":  tok[:39] + "\n",
		"return for letter":   tok[:20] + "\r" + tok[21:],
		"newlines for eight":  tok[:32] + "\n\n\n\n\n\n\n\n",
		"a space after it":    tok + " ",
		"a space for letter":  tok[:20] + " " + tok[21:],
		"NUL for letter":      tok[:20] + "\x00" + tok[21:],
		"a dot after it":      tok + ".",
		"a slash after it":    tok + "/",
		"an 8":                tok[:20] + "8" + tok[21:],
		"a 0":                 tok[:20] + "0" + tok[21:],
		"a 1":                 tok[:20] + "1" + tok[21:],
		"a 9":                 tok[:20] + "9" + tok[21:],
		"a dash":              tok[:20] + "-" + tok[21:],
		"a wide letter":       tok[:20] + "ａ" + tok[23:],
		"the kelvin sign":     tok[:20] + "K" + tok[23:],
		"a long s":            tok[:20] + "ſ" + tok[22:],
		"no letters at all":   strings.Repeat("\xff", 40),
		"newlines only":       strings.Repeat("\n", 40),
		"hex alphabet":        strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)),
		"hex":                 hex.EncodeToString(raw[:20]),
		"percent-encoded":     "%61" + tok[3:],
	}
	for name, s := range bad {
		if selector, tag, ok := model.ParseResetToken(s); ok || tag != nil || selector != [8]byte{} {
			t.Errorf("%s: %q is taken as %x, %x", name, s, selector, tag)
		}
		if opens(k, r, s) {
			t.Errorf("%s: %q opens", name, s)
		}
	}
}

func TestATokenComesApartAsItWasPutTogether(t *testing.T) {
	k := keyring(t, "k1")
	for range 200 {
		r := link()
		selector, tag, ok := model.ParseResetToken(token(t, k, r))
		if !ok || selector != r.Selector || len(tag) != 17 || !k.VerifyReset(r, tag) {
			t.Fatalf("%x: %v, %x, %x", r.Selector, ok, selector, tag)
		}
	}
}

func TestMakingALinkLeavesItsRowAlone(t *testing.T) {
	k, r := keyring(t, "k1"), golden()
	before := r
	a, b := token(t, k, r), token(t, k, r)
	if a != b {
		t.Errorf("the same link is once %s, once %s", a, b)
	}
	if r != before {
		t.Error("the row was changed")
	}
}

func FuzzParseResetToken(f *testing.F) {
	k, r := keyring(f, "k1"), golden()
	tok := token(f, k, r)
	for _, seed := range []string{"", tok, strings.ToUpper(tok), tok[:39], tok + "\n", tok[:39] + "=", tok[:39] + "a", strings.Repeat("a", 40), strings.Repeat("7", 40), strings.Repeat("\n", 40)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		selector, tag, ok := model.ParseResetToken(s)
		if !ok {
			if tag != nil || selector != [8]byte{} {
				t.Errorf("%q is refused, yet gives %x, %x", s, selector, tag)
			}
			if k.VerifyReset(r, tag) {
				t.Errorf("%q is refused, yet opens", s)
			}
			return
		}
		if len(s) != 40 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") != "" || len(tag) != 17 {
			t.Errorf("%q is taken", s)
		}
		if lower32.EncodeToString(append(selector[:], tag...)) != s {
			t.Errorf("%q has another spelling", s)
		}
		if opens(k, r, s) != (s == tok) {
			t.Errorf("%q opens: %v", s, s != tok)
		}
	})
}
