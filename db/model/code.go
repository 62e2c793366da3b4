package model

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A code finishes the same reset as its link, for whoever cannot open one: it
// is read in a letter, or heard on the telephone, and typed together with the
// email or member number.
const (
	// codeLetters has nothing that is taken for something else when it is read
	// aloud or written down: no 0 and O, no 1, I and L, no U beside V.
	codeLetters = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
	codeLen     = 8
	// codes is how many there are: 30⁸, 39 bits. With five tries from one
	// network and 50 in all, a guesser finds one in 13 billion.
	codes = 656_100_000_000
)

// How long a code works, and how often somebody may be wrong about it. A letter
// code outlives the ten minutes of OWASP ASVS 5.0, 6.5.5: a link that works for
// days stands in the same letter, so a shorter code would protect nothing.
const (
	LetterCodeLife    = 24 * time.Hour
	LetterCodeTries   = 50 // from everywhere together
	LetterCodeNetwork = 5  // from one network
	SpokenCodeLife    = 10 * time.Minute
	SpokenCodeTries   = 5 // from everywhere together
)

// LongestCodeNote is how much may be said about how a caller was recognised.
const LongestCodeNote = 200

// SampleCode stands in letters that are only looked at.
const SampleCode = "ABCD-2345"

// ParseCode reads a code as people type it: in any case, with spaces and dashes
// wherever they like. It gives the code as it is shown, XXXX-XXXX.
func ParseCode(typed string) (code string, ok bool) {
	var b strings.Builder
	n := 0
	for _, r := range typed {
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Dash, r), unicode.Is(unicode.Hyphen, r):
			continue
		case r >= 'a' && r <= 'z': // no other letter becomes one of ours: ſ is no S
			r -= 'a' - 'A'
		}
		if r >= utf8.RuneSelf || strings.IndexByte(codeLetters, byte(r)) < 0 || n == codeLen {
			return "", false
		}
		if n++; n == codeLen/2+1 {
			b.WriteByte('-')
		}
		b.WriteByte(byte(r))
	}
	return b.String(), n == codeLen
}

// codeOf turns 128 random bits into a code. The remainder of so many bits
// favours no code by more than one part in 2⁸⁸.
func codeOf(random [16]byte) Secret {
	n := bits.Rem64(binary.BigEndian.Uint64(random[:8]), binary.BigEndian.Uint64(random[8:]), codes)
	var b [codeLen + 1]byte
	for i := len(b) - 1; i >= 0; i-- {
		if i == codeLen/2 {
			b[i] = '-'
			continue
		}
		b[i], n = codeLetters[n%uint64(len(codeLetters))], n/uint64(len(codeLetters))
	}
	return NewSecret(string(b[:]))
}

// NewSpokenCode draws a code to be read out.
func NewSpokenCode() Secret {
	var random [16]byte
	rand.Read(random[:])
	return codeOf(random)
}

// ResetCode is the code in the letters of a link. Like the link it is derived
// from the row and a key that is not in the database, and is stored nowhere.
// See resetTag for what each ingredient is there for; the number makes the next
// code of the same link another one.
func (k Keyring) ResetCode(r Reset) (Secret, error) {
	key, err := k.Derive(r.KeyID, "reset-code")
	if err != nil {
		return Secret{}, err
	}
	mac := hmac.New(sha256.New, key)
	writeField(mac, []byte("latchkey/reset-code/v1"))
	writeField(mac, r.Selector[:])
	for _, n := range []int64{r.ID, r.AccountID, r.MadeAt.Unix(), r.ExpiresAt.Unix()} {
		writeField(mac, binary.BigEndian.AppendUint64(nil, uint64(n)))
	}
	writeField(mac, []byte(r.Email))
	for _, n := range []int64{r.PasswordVersion, r.CodeNo} {
		writeField(mac, binary.BigEndian.AppendUint64(nil, uint64(n)))
	}
	return codeOf([16]byte(mac.Sum(nil)[:16])), nil
}

// SpokenTag is what is kept of a spoken code: a keyed hash, bound to its link.
// Without the key all 30⁸ codes fit it equally well.
func (k Keyring) SpokenTag(resetID int64, code Secret) []byte {
	return k.Sign("spoken-code", binary.BigEndian.AppendUint64(nil, uint64(resetID)), []byte(code.Reveal()))
}

// VerifySpoken reports whether a code is the one of a tag.
func (k Keyring) VerifySpoken(tag []byte, resetID int64, code Secret) bool {
	return k.Verify(tag, "spoken-code", binary.BigEndian.AppendUint64(nil, uint64(resetID)), []byte(code.Reveal()))
}

// SameCode compares two codes in constant time.
func SameCode(a, b Secret) bool {
	return subtle.ConstantTimeCompare([]byte(a.Reveal()), []byte(b.Reveal())) == 1
}

// CodeUntil is when the code of the link's letters ends; zero if no letter with
// one ever left.
func (r Reset) CodeUntil() time.Time { return r.codeEnd(r.CodeFrom, LetterCodeLife) }

// codeEnd is when a code of a moment ends, at the latest with its link; zero if
// there was none.
func (r Reset) codeEnd(from time.Time, life time.Duration) time.Time {
	if from.IsZero() {
		return from
	}
	until := from.Add(life)
	if r.ExpiresAt.Before(until) {
		return r.ExpiresAt
	}
	return until
}

// CodeTries is how often somebody was wrong about the codes of a link.
type CodeTries struct {
	Letter  int // about the letter's, from everywhere
	Network int // from the network that asks
	Spoken  int // about the spoken one
}

// CodeWorks reports whether the code in the letters finishes the reset now.
func (r Reset) CodeWorks(a Account, wrong CodeTries, now time.Time) bool {
	return r.Live(a, now) && now.Before(r.CodeUntil()) && wrong.Letter < LetterCodeTries && wrong.Network < LetterCodeNetwork
}

// SpokenUntil is when the code that was read out ends; zero if none was.
func (r Reset) SpokenUntil() time.Time { return r.codeEnd(r.SpokenAt, SpokenCodeLife) }

// SpokenWorks reports whether the code that was read out finishes the reset now.
func (r Reset) SpokenWorks(a Account, wrong CodeTries, now time.Time) bool {
	return r.Live(a, now) && now.Before(r.SpokenUntil()) && wrong.Spoken < SpokenCodeTries
}

// MayReadOut says whether the actor may have a code for an account made and read
// it out: whoever may see its link, which opens the same door. r is the link
// that the code would belong to, nil if there is none yet.
func (a Actor) MayReadOut(t Account, r *Reset, now time.Time) error {
	if err := a.MaySeeLink(t); err != nil {
		return err
	}
	switch {
	case t.Disabled():
		return Conflict("This account is disabled, so a code would not let them in. Enable it first: that sends a new link.")
	case t.LinksOnlyMailed(now):
		return Forbidden("The second step was cleared a short while ago, so the password is set through a letter only.")
	case t.PendingRole != "", r != nil && r.MailedOnly:
		return Forbidden("A higher role waits for this account's next password, so it is set through a letter only.")
	}
	return nil
}

// CodeTry is a code as it was typed.
type CodeTry struct {
	Login   string
	Code    Secret
	Network string
}

// SpokenCode is a code that was read out and still works.
type SpokenCode struct {
	Code  Secret // only in the answer to whoever asked for it
	By    string
	At    time.Time
	Until time.Time
}

// quotedCode is a code in somebody else's words, also where the line of a
// letter was folded as it crossed the wire (RFC 2045 §6.7).
var quotedCode = func() *regexp.Regexp {
	const letter, fold = `[2-9A-HJKMNP-TV-Z]`, `(?:= ?)?`
	four := letter + strings.Repeat(fold+letter, codeLen/2-1)
	return regexp.MustCompile(`\b` + four + fold + `-` + fold + four + `\b`)
}()
