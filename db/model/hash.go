package model

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"golang.org/x/crypto/argon2"
)

const (
	saltLen = 16 // RFC 9106 §3.1
	hashLen = 32
)

// HashParams is the work that one argon2id hash takes (RFC 9106 §3.1).
type HashParams struct {
	MemoryKiB uint32 // held while the hash is worked out
	Time      uint32 // passes over that memory
	Threads   uint8  // lanes
}

// DefaultHashParams is the least that the OWASP Password Storage Cheat Sheet
// allows for argon2id: 19 MiB, two passes, one lane. More memory would cost a
// portal on a small machine more than it costs an attacker.
var DefaultHashParams = HashParams{MemoryKiB: 19 * 1024, Time: 2, Threads: 1}

// The most that a stored hash may ask for. A row that was damaged, or brought
// in by a restored file, must not be able to take the machine's memory.
const (
	hashMemoryMost  = 64 * 1024 // KiB
	hashTimeMost    = 10
	hashThreadsMost = 4
)

func (p HashParams) valid() bool {
	return p.Threads >= 1 && p.Threads <= hashThreadsMost &&
		p.Time >= 1 && p.Time <= hashTimeMost &&
		p.MemoryKiB >= 8*uint32(p.Threads) && p.MemoryKiB <= hashMemoryMost
}

// PasswordHash is what is kept of a password: an argon2id sum and the work it
// took. The zero value is that of an account without a password and matches
// nothing.
//
// It does not hold the salt. The salt belongs to the email address and not to
// the account, so that one hash per sign-in can be compared with all accounts
// of a household, however many share the address. The price is that two of
// them with the same password have the same hash; stored hashes are therefore
// sealed, which hides it.
//
// Printed by fmt, slog or JSON it shows "[redacted]".
type PasswordHash struct {
	params HashParams
	// Behind a pointer: where the hash stands in an unexported field of some
	// struct, fmt prints it without asking Format, and now shows an address.
	sum *[hashLen]byte
}

// NewSalt gives a new random salt for an email address.
func NewSalt() []byte {
	salt := make([]byte, saltLen)
	rand.Read(salt) // never fails (crypto/rand, since Go 1.24)
	return salt
}

// HashPassword hashes the whole password, normalised as [NormalizePassword]
// has it. With [DefaultHashParams] that is about 30 ms of one core.
//
// Each call takes p.MemoryKiB from the heap and leaves it to the garbage
// collector; x/crypto offers no way to use it again. How many calls run at
// once is the caller's to limit. Measured on two cores with 19 MiB: at most
// 45 MB resident with one call at a time and 123 MB with three, kept for two
// minutes; with runtime.GC after each call, which costs next to nothing on a
// small heap, 25 and 84 MB. debug.FreeOSMemory, once nobody waits any more,
// brings the process back to where it was.
//
// It panics on a salt of fewer than 16 bytes and on parameters that
// [ParsePasswordHash] would refuse: both are mistakes in the program, and
// going on would make hashes that protect nobody.
func HashPassword(password string, salt []byte, p HashParams) PasswordHash {
	if len(salt) < saltLen {
		panic("model: a password salt of " + strconv.Itoa(len(salt)) + " bytes")
	}
	if !p.valid() {
		panic(fmt.Sprintf("model: password hash parameters out of bounds: %+v", p))
	}
	sum := argon2.IDKey([]byte(NormalizePassword(password)), salt, p.Time, p.MemoryKiB, p.Threads, hashLen)
	return PasswordHash{p, (*[hashLen]byte)(sum)}
}

// IsZero reports whether there is no password.
func (h PasswordHash) IsZero() bool { return h.sum == nil }

// Params is the work the hash took. A password can only be compared with it
// after the same work.
func (h PasswordHash) Params() HashParams { return h.params }

// Matches reports, in constant time, whether two hashes are of the same
// password. They must have been made with the same salt and parameters;
// otherwise they never match.
func (h PasswordHash) Matches(other PasswordHash) bool {
	if h.IsZero() || other.IsZero() || h.params != other.params {
		return false
	}
	return subtle.ConstantTimeCompare(h.sum[:], other.sum[:]) == 1
}

// WeakerThan reports whether p asks for more memory or more passes than went
// into the hash. Then it is made anew at the next sign-in, the one moment at
// which the password is at hand.
func (h PasswordHash) WeakerThan(p HashParams) bool {
	return h.params.MemoryKiB < p.MemoryKiB || h.params.Time < p.Time
}

const hashFormat = "$argon2id$v=%d$m=%d,t=%d,p=%d$%s"

// Encode gives the hash as it is stored, before it is sealed: the PHC string
// format without its salt, $argon2id$v=19$m=19456,t=2,p=1$<sum>. A zero hash
// is empty.
func (h PasswordHash) Encode() []byte {
	if h.IsZero() {
		return nil
	}
	return fmt.Appendf(nil, hashFormat, argon2.Version, h.params.MemoryKiB, h.params.Time, h.params.Threads,
		base64.RawStdEncoding.EncodeToString(h.sum[:]))
}

var errPasswordHash = errors.New("a stored password hash is damaged")

// ParsePasswordHash reads what [PasswordHash.Encode] wrote, and nothing else:
// no other spelling, no other version of argon2, and no parameters beyond 64
// MiB, 10 passes and 4 lanes. The error never repeats what it read.
func ParsePasswordHash(stored []byte) (PasswordHash, error) {
	if len(stored) == 0 {
		return PasswordHash{}, nil
	}
	var version int
	var encoded string
	var h PasswordHash
	if _, err := fmt.Sscanf(string(stored), hashFormat, &version,
		&h.params.MemoryKiB, &h.params.Time, &h.params.Threads, &encoded); err != nil || !h.params.valid() {
		return PasswordHash{}, errPasswordHash
	}
	sum, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil || len(sum) != hashLen {
		return PasswordHash{}, errPasswordHash
	}
	h.sum = (*[hashLen]byte)(sum)
	// Scanning takes +1, 01 and whatever follows, base64 takes stray line
	// breaks and trailing bits.
	if string(h.Encode()) != string(stored) {
		return PasswordHash{}, errPasswordHash
	}
	return h, nil
}

// Format prints "[redacted]" for every verb.
func (h PasswordHash) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue is Format for slog.
func (h PasswordHash) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText is Format for JSON and everything else that encodes text.
func (h PasswordHash) MarshalText() ([]byte, error) { return []byte(redacted), nil }
