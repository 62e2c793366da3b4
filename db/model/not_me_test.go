package model_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"latchkey/db/model"
)

func notMeToken(t testing.TB, k model.Keyring, r model.Reset) string {
	t.Helper()
	secret, err := k.NotMeToken(r)
	if err != nil {
		t.Fatal(err)
	}
	return secret.Reveal()
}

// disowns says whether a text is taken as "It wasn't me" of a link.
func disowns(k model.Keyring, r model.Reset, text string) bool {
	selector, tag, ok := model.ParseResetToken(text)
	return k.VerifyNotMe(r, tag) && ok && selector == r.Selector
}

func TestALinkAndItsNotMeNeverPassForEachOther(t *testing.T) {
	k, r := keyring(t, "k1", "k2"), golden()
	link, notMe := token(t, k, r), notMeToken(t, k, r)
	if len(notMe) != model.TokenLen || link == notMe || link[:12] != notMe[:12] {
		t.Fatalf("%s and %s", link, notMe)
	}
	if !opens(k, r, link) || !disowns(k, r, notMe) {
		t.Error("one of them does not do what it is for")
	}
	if opens(k, r, notMe) {
		t.Error("what says that it was not me opens the account")
	}
	if disowns(k, r, link) {
		t.Error("the link says that it was not me")
	}
}

func TestNotMeIsWhatTheContractSays(t *testing.T) {
	master := make([]byte, 32)
	for i := range master {
		master[i] = byte(i)
	}
	r := golden()
	mac := hmac.New(sha256.New, extractAndExpand(master, "latchkey/v1/not-me"))
	mac.Write(prefixed("latchkey/not-me/v1", r.Selector[:], r.ID, r.AccountID, r.MadeAt.Unix(), r.ExpiresAt.Unix(), r.Email, r.PasswordVersion))
	want := lower32.EncodeToString(append(r.Selector[:], mac.Sum(nil)[:17]...))
	if got := notMeToken(t, keyring(t, "k1"), r); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNotMeCoversEverythingThatIsFrozen(t *testing.T) {
	k := keyring(t, "k1", "k2")
	_, tag, _ := model.ParseResetToken(notMeToken(t, k, golden()))
	for name, change := range map[string]func(*model.Reset){
		"selector": func(r *model.Reset) { r.Selector[0] ^= 1 },
		"id":       func(r *model.Reset) { r.ID++ },
		"account":  func(r *model.Reset) { r.AccountID++ },
		"made":     func(r *model.Reset) { r.MadeAt = r.MadeAt.Add(time.Second) }, // it would be good for longer
		"expires":  func(r *model.Reset) { r.ExpiresAt = r.ExpiresAt.Add(time.Second) },
		"email":    func(r *model.Reset) { r.Email += "x" },
		"version":  func(r *model.Reset) { r.PasswordVersion++ },
		"key":      func(r *model.Reset) { r.KeyID = "k2" },
		"no key":   func(r *model.Reset) { r.KeyID = "" },
	} {
		r := golden()
		change(&r)
		if k.VerifyNotMe(r, tag) {
			t.Errorf("%s changed, and it still fits", name)
		}
	}
	ended := golden()
	ended.EndedAt, ended.EndReason, ended.OpenedAt = noon, model.EndUsed, noon
	if !k.VerifyNotMe(ended, tag) {
		t.Error("an ended link cannot be disowned")
	}
	for _, wrong := range [][]byte{nil, {}, tag[:16], append(tag[:17:17], 0), make([]byte, 17)} {
		if k.VerifyNotMe(golden(), wrong) {
			t.Errorf("%x fits", wrong)
		}
	}
	if _, err := k.NotMeToken(model.Reset{KeyID: "k9"}); err == nil {
		t.Error("a key that is not there makes one")
	}
}

func TestNotMeCanBeSaidForThirtyDays(t *testing.T) {
	r := model.NewReset(ruth(), "k1", model.UsualResets, noon)
	for at, want := range map[time.Duration]bool{
		0: true, 7 * day: true, 30*day - time.Second: true, 30 * day: false, 31 * day: false,
	} {
		if got := r.MayDisown(noon.Add(at)); got != want {
			t.Errorf("after %v: %v", at, got)
		}
	}
	longest := model.NewReset(ruth(), "k1", model.ResetPolicy{Lifetime: 30 * day}, noon)
	if last := longest.ExpiresAt.Add(-time.Second); !longest.Live(ruth(), last) || !longest.MayDisown(last) {
		t.Error("a link that still opens cannot be disowned")
	}
}

func TestWhoMaySettleANotMe(t *testing.T) {
	person := func(id int64, r model.Role) model.Actor {
		return model.Actor{Kind: model.ByPerson, AccountID: id, Role: r}
	}
	of := func(id int64, r model.Role) model.Account { return model.Account{ID: id, Role: r} }
	rising := of(9, model.RoleMember)
	rising.PendingRole = model.RoleOwner
	for _, c := range []struct {
		name string
		by   model.Actor
		of   model.Account
		want bool
	}{
		{"a viewer, a member's", person(1, model.RoleViewer), of(9, model.RoleMember), false},
		{"staff, a member's", person(1, model.RoleStaff), of(9, model.RoleMember), true},
		{"staff, a colleague's", person(1, model.RoleStaff), of(9, model.RoleStaff), false},
		{"staff, their own", person(9, model.RoleStaff), of(9, model.RoleStaff), false},
		{"staff, an owner's", person(1, model.RoleStaff), of(9, model.RoleOwner), false},
		{"staff, that of somebody about to be an owner", person(1, model.RoleStaff), rising, false},
		{"an owner, staff's", person(1, model.RoleOwner), of(9, model.RoleStaff), true},
		{"an owner, another's", person(1, model.RoleOwner), of(9, model.RoleOwner), true},
		{"the only owner, their own", person(9, model.RoleOwner), of(9, model.RoleOwner), true},
		{"the machine", model.ShellActor(), of(9, model.RoleOwner), true},
		{"the member", model.MemberActor(""), of(9, model.RoleMember), false},
	} {
		if err := c.by.MaySettle(c.of); (err == nil) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAServersWordsNeverKeepTheWayToSayNotMe(t *testing.T) {
	tok := notMeToken(t, keyring(t, "k1"), golden())
	for _, words := range []string{
		"blocked: https://x.example/not-me/" + tok, "blocked: https://x.example/not-me/" + tok[:30], "NOT-ME/" + strings.ToUpper(tok[:20]) + "=",
	} {
		if got := model.CleanReply(words); strings.Contains(strings.ToLower(got), tok[:12]) {
			t.Errorf("%q is kept as %q", words, got)
		}
	}
}

func FuzzNotMeToken(f *testing.F) {
	k, r := keyring(f, "k1"), golden()
	notMe, link := notMeToken(f, k, r), token(f, k, r)
	for _, seed := range []string{"", notMe, link, strings.ToUpper(notMe), notMe[:39], notMe + "\n", notMe[:39] + "=", notMe[:13] + link[13:], link[:13] + notMe[13:]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if disowns(k, r, s) != (s == notMe) {
			t.Errorf("%q disowns: %v", s, s != notMe)
		}
		if opens(k, r, s) != (s == link) {
			t.Errorf("%q opens: %v", s, s != link)
		}
	})
}
