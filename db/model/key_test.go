package model_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"latchkey/db/model"
)

const (
	k1 = "k1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	k2 = "k2 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
)

// masterOne is the 32 bytes of k1.
func masterOne() []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func TestAKeyFileIsReadAsItWasWritten(t *testing.T) {
	rings := map[string]model.Keyring{
		"a new one": model.NewKeyring(),
		"one key":   keyring(t, "k1"),
		"two keys":  keyring(t, "k2", "k1"),
	}
	for name, k := range rings {
		file := k.File()
		again, err := model.ParseKeyring(file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if again.CurrentID() != k.CurrentID() || !bytes.Equal(again.File(), file) {
			t.Errorf("%s: %s became %s", name, file, again.File())
		}
		box, err := k.Seal("account", "password_hash", 7, []byte("hello"))
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := again.Open("account", "password_hash", 7, box); err != nil || string(plain) != "hello" {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
	}
}

func TestAKeyFileWarnsWhoeverFindsIt(t *testing.T) {
	file := string(model.NewKeyring().File())
	if !strings.HasPrefix(file, "# ") || !strings.Contains(file, "can open every account") {
		t.Errorf("got %s", file)
	}
}

func TestNoTwoNewKeysAreAlike(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		k := model.NewKeyring()
		lines := strings.Split(strings.TrimSpace(string(k.File())), "\n")
		id, coded, _ := strings.Cut(lines[len(lines)-1], " ")
		if key, err := base64.StdEncoding.DecodeString(coded); err != nil || len(key) != 32 || id != k.CurrentID() {
			t.Fatalf("got %q, %v", lines, err)
		}
		if seen[id] || seen[coded] {
			t.Fatalf("%s came twice", id)
		}
		seen[id], seen[coded] = true, true
	}
}

func TestAKeyFileMayBeEditedByHand(t *testing.T) {
	files := map[string]string{
		"as written":                k1 + "\n" + k2 + "\n",
		"no last newline":           k1 + "\n" + k2,
		"notes and empty lines":     "# ours\n\n" + k1 + "\n   \n  # older\n" + k2 + "\n\n",
		"from Windows":              k1 + "\r\n" + k2 + "\r\n",
		"spaces around":             "  " + k1 + "  \n\t" + k2 + "\t\n",
		"spaces between":            strings.Replace(k1, " ", "    ", 1) + "\n" + k2,
		"an id of 32 letters later": k1 + "\n" + strings.Replace(k2, "k2", strings.Repeat("k", 32), 1),
	}
	for name, file := range files {
		k, err := model.ParseKeyring([]byte(file))
		if err != nil || k.CurrentID() != "k1" {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n := strings.Count(string(k.File()), "="); n != 2 {
			t.Errorf("%s: %d keys", name, n)
		}
	}
}

func TestADamagedKeyFileIsRefusedWithThePlace(t *testing.T) {
	coded := strings.TrimPrefix(k1, "k1 ")
	files := map[string]struct{ file, want string }{
		"nothing":                   {"", "no key"},
		"empty lines":               {"\n\n \n", "no key"},
		"notes alone":               {"# " + k1 + "\n", "no key"},
		"a word":                    {"hello\n", "line 1"},
		"no id":                     {coded + "\n", "line 1"},
		"an id alone":               {"k1\n", "line 1"},
		"an id and a space":         {"k1 \n", "line 1"},
		"31 bytes":                  {"k1 " + base64.StdEncoding.EncodeToString(make([]byte, 31)), "line 1"},
		"33 bytes":                  {"k1 " + base64.StdEncoding.EncodeToString(make([]byte, 33)), "line 1"},
		"cut in the middle":         {k1[:30], "line 1"},
		"cut by one":                {k1[:len(k1)-1], "line 1"},
		"its padding gone":          {strings.TrimSuffix(k1, "="), "line 1"},
		"one sign more":             {k1 + "A", "line 1"},
		"trailing bits":             {strings.Replace(k1, "Hh8=", "Hh9=", 1), "line 1"},
		"a wrong sign":              {strings.Replace(k1, "AAEC", "AA*C", 1), "line 1"},
		"a space inside":            {strings.Replace(k1, "AAEC", "AAEC ", 1), "line 1"},
		"the URL alphabet":          {"k1 " + base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, 32)), "line 1"},
		"hex":                       {"k1 " + hex.EncodeToString(masterOne()), "line 1"},
		"a tab between":             {strings.Replace(k1, " ", "\t", 1), "line 1"},
		"zeros after a crash":       {strings.Repeat("\x00", 120), "line 1"},
		"a good line, then half":    {k1 + "\n" + k2[:20], "line 2"},
		"the same id twice":         {"# ours\n" + k1 + "\n" + strings.Replace(k2, "k2", "k1", 1), "line 3 repeats"},
		"the same line twice":       {k1 + "\n" + k1, "line 2 repeats"},
		"an id of 33 letters":       {strings.Repeat("k", 33) + strings.TrimPrefix(k1, "k1"), "line 1"},
		"a dot in the id":           {strings.Replace(k1, "k1", "k.1", 1), "line 1"},
		"a line that never ends":    {"k1 " + strings.Repeat("A", 100_000), "too long"},
		"a byte order mark":         {"\ufeff" + k1, ""},
		"two keys on the same line": {k1 + " " + k2, "line 1"},
	}
	for name, tt := range files {
		k, err := model.ParseKeyring([]byte(tt.file))
		if tt.want == "" {
			continue // whether it is taken or not, it must not panic
		}
		if err == nil {
			t.Errorf("%s: taken, %s", name, k.File())
			continue
		}
		if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v does not say %q", name, err, tt.want)
		}
		if strings.Contains(err.Error(), "AAEC") || strings.Contains(err.Error(), "ICEi") {
			t.Errorf("%s: the sentence repeats the key: %v", name, err)
		}
		if len(strings.TrimSuffix(fmt.Sprint(k), "[redacted]")) != 0 {
			t.Errorf("%s: half a ring came along", name)
		}
	}
}

func TestAKeyIsNeverPrinted(t *testing.T) {
	k := keyring(t, "k1", "k2")
	type portal struct {
		keys  model.Keyring
		Open  model.Keyring
		ptr   *model.Keyring
		rings []model.Keyring
	}
	p := portal{k, k, &k, []model.Keyring{k}}
	// Longer than an address in memory, which is printed and may hold any digits.
	giveaways := []string{
		"AAECAwQF", "ICEiIyQl", "0001020304050607", "2021222324252627", "0 1 2 3 4", "32 33 34 35", "0x0, 0x1", "0x20, 0x21", "0x20 0x21",
		"00 01 02", "20 21 22", `\x00\x01`, ` !"#$%`, "40 41 42 43", "100000 100001",
	}
	check := func(how, out string) {
		for _, g := range giveaways {
			if strings.Contains(out, g) {
				t.Errorf("%s gives the key away: %s", how, out)
				return
			}
		}
	}
	for name, thing := range map[string]any{"itself": k, "a pointer": &k, "a struct": p, "a pointer to a struct": &p, "a list": []any{k, p}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "% x", "%#x", "%X", "%d", "%o", "%b", "%c", "%U"} {
			check(name+" as "+verb, fmt.Sprintf(verb, thing))
		}
		var text, coded bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("x", "thing", thing)
		slog.New(slog.NewJSONHandler(&coded, nil)).Info("x", "thing", thing)
		check(name+" in a text log", text.String())
		check(name+" in a JSON log", coded.String())
		if out, err := json.Marshal(thing); err == nil {
			check(name+" as JSON", string(out))
		}
	}
}

func TestEachPurposeHasItsOwnKey(t *testing.T) {
	k := keyring(t, "k1", "k2")
	seen := map[string]string{}
	for _, id := range []string{"k1", "k2"} {
		for _, purpose := range []string{"reset", "seal", "cookie", "", "rese", "reset/"} {
			key, err := k.Derive(id, purpose)
			if err != nil || len(key) != 32 {
				t.Fatalf("%s %q: %d bytes, %v", id, purpose, len(key), err)
			}
			name := id + " " + purpose
			if other, ok := seen[string(key)]; ok {
				t.Errorf("%q and %q have the same key", name, other)
			}
			seen[string(key)] = name
		}
	}
	got, _ := k.Derive("k1", "reset")
	if want := extractAndExpand(masterOne(), "latchkey/v1/reset"); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	if got, want := hex.EncodeToString(got), "bdf378e84d5b568ac35e447bf7960b691c347391398774e74378825bbdee9176"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, id := range []string{"", "k3", "K1", "k1 "} {
		if key, err := k.Derive(id, "reset"); err == nil || key != nil {
			t.Errorf("%q has a key", id)
		}
	}
}

func TestASealedValueOpensAtItsPlaceAlone(t *testing.T) {
	k := keyring(t, "k1")
	plain := []byte("$argon2id$v=19$m=19456")
	box, err := k.Seal("account", "password_hash", 7, plain)
	if err != nil {
		t.Fatal(err)
	}
	places := []struct {
		table, column string
		row           int64
		opens         bool
	}{
		{"account", "password_hash", 7, true},
		{"account", "password_hash", 8, false},
		{"account", "password_hash", 0, false},
		{"account", "password_hash", -7, false},
		{"account", "password_hash", 7 << 32, false},
		{"account", "totp_secret", 7, false},
		{"setting", "password_hash", 7, false},
		{"accountpassword_hash", "", 7, false},
		{"", "accountpassword_hash", 7, false},
		{"accountp", "assword_hash", 7, false},
		{"accoun", "tpassword_hash", 7, false},
		{"Account", "password_hash", 7, false},
		{"", "", 0, false},
	}
	for _, p := range places {
		got, err := k.Open(p.table, p.column, p.row, box)
		if (err == nil) != p.opens {
			t.Errorf("%s.%s of row %d: %v", p.table, p.column, p.row, err)
		}
		if p.opens != bytes.Equal(got, plain) {
			t.Errorf("%s.%s of row %d: %q", p.table, p.column, p.row, got)
		}
	}
}

func TestASealedValueHidesItsText(t *testing.T) {
	k := keyring(t, "k1")
	for _, plain := range []string{"", "x", strings.Repeat("secret", 1000)} {
		a, err := k.Seal("setting", "mail_password", 0, []byte(plain))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := k.Seal("setting", "mail_password", 0, []byte(plain))
		if bytes.Equal(a, b) {
			t.Errorf("%d bytes sealed twice are the same", len(plain))
		}
		if plain != "" && bytes.Contains(a, []byte(plain[:min(6, len(plain))])) && len(plain) > 5 {
			t.Errorf("the text stands in the box: %q", a)
		}
		if got, err := k.Open("setting", "mail_password", 0, a); err != nil || string(got) != plain {
			t.Errorf("%d bytes: %q, %v", len(plain), got, err)
		}
	}
}

// If this changes, nobody can sign in with the database of yesterday.
func TestASealedValueNeverChangesItsForm(t *testing.T) {
	aead, err := chacha20poly1305.NewX(extractAndExpand(masterOne(), "latchkey/v1/seal"))
	if err != nil {
		t.Fatal(err)
	}
	nonce := bytes.Repeat([]byte{9}, 24)
	box := append([]byte("\x02k1"), nonce...)
	box = aead.Seal(box, nonce, []byte("hello"), prefixed("account", "password_hash", int64(7)))
	if got, err := keyring(t, "k1").Open("account", "password_hash", 7, box); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestADamagedBoxDoesNotOpen(t *testing.T) {
	k := keyring(t, "k1", "k2")
	box, err := k.Seal("account", "password_hash", 7, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(name string, bad []byte) {
		t.Helper()
		if got, err := k.Open("account", "password_hash", 7, bad); err == nil || got != nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	for n := range box {
		refused(fmt.Sprintf("cut to %d bytes", n), box[:n])
		refused(fmt.Sprintf("without its first %d bytes", n+1), box[n+1:])
	}
	for bit := range len(box) * 8 {
		bad := append([]byte(nil), box...)
		bad[bit/8] ^= 1 << (bit % 8)
		refused(fmt.Sprintf("bit %d flipped", bit), bad)
	}
	refused("a byte more", append(box[:len(box):len(box)], 0))
	refused("the other key's name", append([]byte("\x02k2"), box[3:]...))
	refused("no name", append([]byte{0}, box[3:]...))
	for _, n := range []int{1, 2, 40, 254, 255, 256, 257, 600} {
		refused(fmt.Sprintf("%d bytes of ff", n), bytes.Repeat([]byte{0xff}, n))
		refused(fmt.Sprintf("%d bytes of nothing", n), make([]byte, n))
		refused(fmt.Sprintf("a long name and %d bytes", n), append([]byte{0xff}, make([]byte, n)...))
	}
}

func TestAnotherKeyOpensNoBox(t *testing.T) {
	box, err := keyring(t, "k1").Seal("account", "password_hash", 7, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	same, err := model.ParseKeyring([]byte(strings.Replace(k2, "k2", "k1", 1)))
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]model.Keyring{"retired": keyring(t, "k2"), "another of the same name": same, "a new one": model.NewKeyring()} {
		if got, err := k.Open("account", "password_hash", 7, box); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got, err := keyring(t, "k2", "k1").Open("account", "password_hash", 7, box); err != nil || string(got) != "hello" {
		t.Errorf("after a rotation: %q, %v", got, err)
	}
	box, _ = keyring(t, "k2", "k1").Seal("account", "password_hash", 7, []byte("hello"))
	if _, err := keyring(t, "k2").Open("account", "password_hash", 7, box); err != nil {
		t.Errorf("what was sealed after a rotation needs the older key: %v", err)
	}
}

func TestASignatureFitsWhatWasSignedAlone(t *testing.T) {
	k := keyring(t, "k1", "k2")
	a, bc := []byte("a"), []byte("bc")
	tag := k.Sign("cookie", a, bc)
	if !k.Verify(tag, "cookie", a, bc) {
		t.Fatal("its own signature does not fit")
	}
	wrong := map[string]bool{
		"another purpose":    k.Verify(tag, "ticket", a, bc),
		"no purpose":         k.Verify(tag, "", a, bc),
		"no fields":          k.Verify(tag, "cookie"),
		"one field":          k.Verify(tag, "cookie", a),
		"joined":             k.Verify(tag, "cookie", []byte("abc")),
		"parted elsewhere":   k.Verify(tag, "cookie", []byte("ab"), []byte("c")),
		"exchanged":          k.Verify(tag, "cookie", bc, a),
		"an empty one more":  k.Verify(tag, "cookie", a, bc, nil),
		"an empty one first": k.Verify(tag, "cookie", nil, a, bc),
		"another case":       k.Verify(tag, "cookie", []byte("A"), bc),
		"nothing":            k.Verify(nil, "cookie", a, bc),
		"the id alone":       k.Verify([]byte("k1."), "cookie", a, bc),
		"no id":              k.Verify(tag[3:], "cookie", a, bc),
		"an empty id":        k.Verify(tag[2:], "cookie", a, bc),
		"an unknown id":      k.Verify(append([]byte("k3"), tag[2:]...), "cookie", a, bc),
		"the other id":       k.Verify(append([]byte("k2"), tag[2:]...), "cookie", a, bc),
		"cut":                k.Verify(tag[:len(tag)-1], "cookie", a, bc),
		"longer":             k.Verify(append(tag[:len(tag):len(tag)], 0), "cookie", a, bc),
		"another ring":       model.NewKeyring().Verify(tag, "cookie", a, bc),
		"its key retired":    keyring(t, "k2").Verify(tag, "cookie", a, bc),
	}
	for name, fits := range wrong {
		if fits {
			t.Errorf("%s: it fits", name)
		}
	}
	for bit := range len(tag) * 8 {
		bad := append([]byte(nil), tag...)
		bad[bit/8] ^= 1 << (bit % 8)
		if k.Verify(bad, "cookie", a, bc) {
			t.Errorf("bit %d flipped: it fits", bit)
		}
	}
	if !keyring(t, "k2", "k1").Verify(tag, "cookie", a, bc) {
		t.Error("after a rotation it does not fit")
	}
}

func TestASignatureNeverChangesItsForm(t *testing.T) {
	k := keyring(t, "k1")
	const want = "6b312ec598d6383d7bcb807747890d59533d5c6f8dc16f99f2434301a1c244bdbda1de"
	if got := hex.EncodeToString(k.Sign("cookie", []byte("a"), []byte("bc"))); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	mac := hmac.New(sha256.New, extractAndExpand(masterOne(), "latchkey/v1/ticket"))
	mac.Write(prefixed("", "x", int64(7)))
	if !k.Verify(append([]byte("k1."), mac.Sum(nil)...), "ticket", nil, []byte("x"), []byte("\x00\x00\x00\x00\x00\x00\x00\x07")) {
		t.Error("what the formula gives does not fit")
	}
}

// A new key comes first, so it signs from then on; whoever has the id of the
// key in front of the tag can verify it whatever bytes the tag consists of.
func TestEverySignatureOfAnyRingFits(t *testing.T) {
	for i := range 300 {
		k := model.NewKeyring()
		field := fmt.Append(nil, i)
		if !k.Verify(k.Sign("cookie", field), "cookie", field) {
			t.Fatalf("%s does not know its own signature", k.CurrentID())
		}
	}
}

func TestWhatIsBlindedIsKnownAgainAfterARotation(t *testing.T) {
	before, after := keyring(t, "k1"), keyring(t, "k2", "k1")
	a := before.Blind("login", "ruth", "192.0.2.0/24")
	if b := after.Blind("login", "ruth", "192.0.2.0/24"); !bytes.Equal(a, b) {
		t.Errorf("%x became %x", a, b)
	}
	if got, want := hex.EncodeToString(a), "c31476e88d2cb66130372683ab37debd"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if len(a) != 16 {
		t.Errorf("%d bytes", len(a))
	}
	others := map[string][]byte{
		"another purpose":  before.Blind("intake", "ruth", "192.0.2.0/24"),
		"another text":     before.Blind("login", "ruti", "192.0.2.0/24"),
		"another case":     before.Blind("login", "Ruth", "192.0.2.0/24"),
		"parted elsewhere": before.Blind("login", "ruth1", "92.0.2.0/24"),
		"joined":           before.Blind("login", "ruth192.0.2.0/24"),
		"one field":        before.Blind("login", "ruth"),
		"no field":         before.Blind("login"),
		"another key":      keyring(t, "k2").Blind("login", "ruth", "192.0.2.0/24"),
	}
	for name, b := range others {
		if bytes.Equal(a, b) {
			t.Errorf("%s: the same", name)
		}
	}
}

func FuzzParseKeyring(f *testing.F) {
	for _, seed := range []string{"", k1, k1 + "\n" + k2, "# x\n\n" + k1 + "\r\n", k1[:20], "k1 \n", strings.Replace(k1, "k1", "k.1", 1), "\xff\xfe " + k1[3:], "a\tb" + k1[2:], "\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		k, err := model.ParseKeyring(file)
		if err != nil {
			return
		}
		again, err := model.ParseKeyring(k.File())
		if err != nil || !bytes.Equal(again.File(), k.File()) {
			t.Fatalf("%q is written as %q: %v", file, k.File(), err)
		}
		if !again.Verify(k.Sign("cookie", file), "cookie", file) {
			t.Errorf("%q: it does not know its own signature", file)
		}
		box, err := k.Seal("account", "x", 1, file)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := again.Open("account", "x", 1, box); err != nil || !bytes.Equal(plain, file) {
			t.Errorf("%q: it does not open its own box: %v", file, err)
		}
		if !bytes.Equal(k.Blind("login", "ruth"), again.Blind("login", "ruth")) {
			t.Errorf("%q: it does not know again what it blinded", file)
		}
	})
}

func FuzzOpen(f *testing.F) {
	// The box is made here with a nonce that is always the same, because the
	// fuzzer's workers must agree about it.
	aead, err := chacha20poly1305.NewX(extractAndExpand(masterOne(), "latchkey/v1/seal"))
	if err != nil {
		f.Fatal(err)
	}
	nonce := make([]byte, 24)
	box := aead.Seal(append([]byte("\x02k1"), nonce...), nonce, []byte("hello"), prefixed("account", "x", int64(1)))
	k := keyring(f, "k1")
	for _, seed := range [][]byte{nil, box, box[:10], {0xff}, bytes.Repeat([]byte{0xff}, 300), []byte("\x02k1")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := k.Open("account", "x", 1, b); err == nil && !bytes.Equal(b, box) {
			t.Errorf("%x opens", b)
		}
	})
}
