package model

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

var (
	testSalt = []byte("0123456789abcdef")

	// quick is argon2id's least; the bounds of its parameters are not what
	// most of these tests are about.
	quick = HashParams{MemoryKiB: 8, Time: 1, Threads: 1}
)

// The sum is what another implementation of argon2 makes of the same
// password, salt and parameters. If it changes, nobody can sign in.
func TestHashPasswordIsFrozen(t *testing.T) {
	h := HashPassword("tulip lamp river stone", testSalt, DefaultHashParams)
	const want = "$argon2id$v=19$m=19456,t=2,p=1$Yjv8KUJFGxb+o4d7D0vAm3ZvKBcFXjCBvjEP+eL/K20"
	if got := string(h.Encode()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHashPasswordMatches(t *testing.T) {
	h := HashPassword("café lampen regen", testSalt, quick)
	more := quick
	more.Time++
	tests := []struct {
		name  string
		other PasswordHash
		want  bool
	}{
		{"the same password", HashPassword("café lampen regen", testSalt, quick), true},
		{"the accent apart", HashPassword("cafe\u0301 lampen regen", testSalt, quick), true},
		{"no accent", HashPassword("cafe lampen regen", testSalt, quick), false},
		{"another case", HashPassword("Café lampen regen", testSalt, quick), false},
		{"a space after it", HashPassword("café lampen regen ", testSalt, quick), false},
		{"another salt", HashPassword("café lampen regen", []byte("0123456789abcdeF"), quick), false},
		{"other parameters", HashPassword("café lampen regen", testSalt, more), false},
		{"no password", PasswordHash{}, false},
	}
	for _, tt := range tests {
		if h.Matches(tt.other) != tt.want || tt.other.Matches(h) != tt.want {
			t.Errorf("%s: want %v", tt.name, tt.want)
		}
	}
	if (PasswordHash{}).Matches(PasswordHash{}) {
		t.Error("no password matches no password")
	}
}

func TestHashPasswordReadsTheWholePassword(t *testing.T) {
	long := strings.Repeat("tulip lamp ", 23) + "abc"
	if len(long) != 256 {
		t.Fatal(len(long))
	}
	if HashPassword(long+"x", testSalt, quick).Matches(HashPassword(long+"y", testSalt, quick)) {
		t.Error("the 257th character does not count")
	}
}

func TestHashPasswordPanicsOnMistakes(t *testing.T) {
	for name, f := range map[string]func(){
		"no salt":       func() { HashPassword("x", nil, quick) },
		"short salt":    func() { HashPassword("x", testSalt[:15], quick) },
		"no parameters": func() { HashPassword("x", testSalt, HashParams{}) },
		"no memory":     func() { HashPassword("x", testSalt, HashParams{MemoryKiB: 8, Time: 1, Threads: 2}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

func TestNewSalt(t *testing.T) {
	a, b := NewSalt(), NewSalt()
	if len(a) != 16 || len(b) != 16 || bytes.Equal(a, b) {
		t.Errorf("salts %x and %x", a, b)
	}
}

func TestWeakerThan(t *testing.T) {
	h := HashPassword("x", testSalt, HashParams{MemoryKiB: 64, Time: 2, Threads: 1})
	tests := []struct {
		p    HashParams
		want bool
	}{
		{HashParams{64, 2, 1}, false},
		{HashParams{65, 2, 1}, true},
		{HashParams{64, 3, 1}, true},
		{HashParams{65, 1, 1}, true},
		{HashParams{63, 2, 1}, false},
		{HashParams{64, 2, 2}, false}, // lanes are speed, not strength
	}
	for _, tt := range tests {
		if got := h.WeakerThan(tt.p); got != tt.want {
			t.Errorf("m=64,t=2,p=1 weaker than %+v: %v", tt.p, got)
		}
	}
}

const testSum = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" // 00 01 … 1f

func TestParsePasswordHash(t *testing.T) {
	for _, stored := range []string{
		"",
		"$argon2id$v=19$m=19456,t=2,p=1$" + testSum,
		"$argon2id$v=19$m=8,t=1,p=1$" + testSum,
		"$argon2id$v=19$m=65536,t=10,p=4$" + testSum,
	} {
		h, err := ParsePasswordHash([]byte(stored))
		if err != nil || string(h.Encode()) != stored || h.IsZero() != (stored == "") {
			t.Errorf("%s: %v, %s", stored, err, h.Encode())
		}
	}
	for name, stored := range map[string]string{
		"salt":                  "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + testSum,
		"argon2i":               "$argon2i$v=19$m=19456,t=2,p=1$" + testSum,
		"other version":         "$argon2id$v=16$m=19456,t=2,p=1$" + testSum,
		"no version":            "$argon2id$m=19456,t=2,p=1$" + testSum,
		"too much memory":       "$argon2id$v=19$m=65537,t=2,p=1$" + testSum,
		"far too much memory":   "$argon2id$v=19$m=4294967295,t=2,p=1$" + testSum,
		"memory beyond 32 bits": "$argon2id$v=19$m=4294986752,t=2,p=1$" + testSum,
		"too little memory":     "$argon2id$v=19$m=7,t=2,p=1$" + testSum,
		"memory below lanes":    "$argon2id$v=19$m=31,t=2,p=4$" + testSum,
		"no memory":             "$argon2id$v=19$m=0,t=2,p=1$" + testSum,
		"negative memory":       "$argon2id$v=19$m=-1,t=2,p=1$" + testSum,
		"no passes":             "$argon2id$v=19$m=19456,t=0,p=1$" + testSum,
		"too many passes":       "$argon2id$v=19$m=19456,t=11,p=1$" + testSum,
		"no lanes":              "$argon2id$v=19$m=19456,t=2,p=0$" + testSum,
		"too many lanes":        "$argon2id$v=19$m=19456,t=2,p=5$" + testSum,
		"lanes beyond 8 bits":   "$argon2id$v=19$m=19456,t=2,p=257$" + testSum,
		"other order":           "$argon2id$v=19$t=2,m=19456,p=1$" + testSum,
		"plus sign":             "$argon2id$v=19$m=+19456,t=2,p=1$" + testSum,
		"leading zero":          "$argon2id$v=19$m=019456,t=2,p=1$" + testSum,
		"underscore":            "$argon2id$v=19$m=19_456,t=2,p=1$" + testSum,
		"hexadecimal":           "$argon2id$v=0x13$m=19456,t=2,p=1$" + testSum,
		"space":                 "$argon2id$v=19$m= 19456,t=2,p=1$" + testSum,
		"space before":          " $argon2id$v=19$m=19456,t=2,p=1$" + testSum,
		"line break after":      "$argon2id$v=19$m=19456,t=2,p=1$" + testSum + "\n",
		"more after":            "$argon2id$v=19$m=19456,t=2,p=1$" + testSum + "$",
		"padding":               "$argon2id$v=19$m=19456,t=2,p=1$" + testSum + "=",
		"stray bits":            "$argon2id$v=19$m=19456,t=2,p=1$" + testSum[:42] + "9",
		"short sum":             "$argon2id$v=19$m=19456,t=2,p=1$" + testSum[:42],
		"long sum":              "$argon2id$v=19$m=19456,t=2,p=1$" + testSum + "AAAA",
		"no sum":                "$argon2id$v=19$m=19456,t=2,p=1$",
		"URL base64":            "$argon2id$v=19$m=19456,t=2,p=1$" + strings.Repeat("_", 42) + "8",
		"bcrypt":                "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"plain text":            "tulip lamp river stone",
	} {
		h, err := ParsePasswordHash([]byte(stored))
		if err == nil || !h.IsZero() {
			t.Errorf("%s: taken", name)
			continue
		}
		if strings.Contains(err.Error(), testSum[:10]) || strings.Contains(err.Error(), "tulip") {
			t.Errorf("%s: the error repeats what it read: %v", name, err)
		}
	}
}

func TestPasswordHashNeverPrints(t *testing.T) {
	h := HashPassword("tulip lamp river stone", testSalt, quick)
	type account struct {
		Name string
		Hash PasswordHash
		hash PasswordHash
	}
	a := account{"Anna", h, h}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		if got := fmt.Sprintf(verb, h); got != redacted {
			t.Errorf("%s prints %s", verb, got)
		}
		fmt.Fprintf(&out, verb+" "+verb+"\n", &h, struct{ Hash PasswordHash }{h})
	}
	fmt.Fprintf(&out, "%v %+v %#v\n", a, a, a)
	j, err := json.Marshal(map[string]any{"hash": h, "account": a})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "hash", h, "account", a)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "hash", h, "account", a)

	_, sum, _ := strings.Cut(string(h.Encode()), "p=1$")
	for _, leak := range []string{
		sum[:6], hex.EncodeToString(h.sum[:4]), strings.ToUpper(hex.EncodeToString(h.sum[:4])),
		fmt.Sprintf("%d %d %d", h.sum[0], h.sum[1], h.sum[2]), fmt.Sprintf("%#x, %#x", h.sum[0], h.sum[1]),
	} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is in\n%s", leak, out.String())
		}
	}
}

func FuzzParsePasswordHash(f *testing.F) {
	f.Add([]byte("$argon2id$v=19$m=19456,t=2,p=1$" + testSum))
	f.Add([]byte("$argon2id$v=19$m=4294967295,t=2,p=1$" + testSum))
	f.Add([]byte("$argon2id$v=19$m=+1,t=01,p= 1$=\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, stored []byte) {
		h, err := ParsePasswordHash(stored)
		if err != nil {
			if !h.IsZero() {
				t.Error("a hash beside an error")
			}
			return
		}
		if !bytes.Equal(h.Encode(), stored) {
			t.Errorf("%q comes back as %q", stored, h.Encode())
		}
		if !h.IsZero() && !h.Params().valid() {
			t.Errorf("parameters %+v", h.Params())
		}
	})
}

func BenchmarkHashPassword(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		HashPassword("tulip lamp river stone", testSalt, DefaultHashParams)
	}
}
