package model

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"hash"
	"io"
	"time"
)

// ResetPolicy is the two numbers of a reset link (product.md §2.1).
type ResetPolicy struct {
	// Lifetime is how long a link opens the password form. Default 7 days,
	// at most 30.
	Lifetime time.Duration
	// ResendWindow is how long another request mails the same link again
	// instead of making a new one. Default 16 hours, at most Lifetime.
	ResendWindow time.Duration
}

// The usual and the strict pair of numbers. Strict keeps a link that staff
// can hand over within OWASP's advice of at most a day.
var (
	UsualResets  = ResetPolicy{Lifetime: 7 * 24 * time.Hour, ResendWindow: 16 * time.Hour}
	StrictResets = ResetPolicy{Lifetime: 24 * time.Hour, ResendWindow: 16 * time.Hour}
)

const (
	longestLifetime  = 30 * 24 * time.Hour
	shortestLifetime = time.Hour
	// RememberEnded is how long an ended link is still told apart from an
	// unknown one.
	RememberEnded = 90 * 24 * time.Hour
	// DoubleClick is how long a second press by the same person adds no letter.
	DoubleClick = 5 * time.Second
)

// Check says what is wrong with the numbers, by the name of the form field.
func (p ResetPolicy) Check() Fields {
	f := Fields{}
	if p.Lifetime < shortestLifetime || p.Lifetime > longestLifetime {
		f.Add("reset_lifetime", "A link may live from 1 hour to 30 days.")
	}
	if p.ResendWindow < 0 || p.ResendWindow > p.Lifetime {
		f.Add("resend_window", "The time in which the same link is sent again cannot be longer than the link lives.")
	}
	return f
}

// EndReason says why a link stopped working before its time.
type EndReason string

// The ways a link ends. A link that nobody ended expires by the clock alone.
const (
	EndUsed      EndReason = "used"
	EndReplaced  EndReason = "replaced"
	EndCancelled EndReason = "cancelled"
	EndNotMe     EndReason = "not_me" // its reader said that they had not asked for it
)

// Reset is one password reset: a link that lets its holder choose a new
// password for one account, once.
type Reset struct {
	ID        int64
	AccountID int64
	Selector  [8]byte
	KeyID     string // the master key its tag is made with

	// Frozen when the link was made; the tag is made of them, so a link stays
	// recognisable however the account changes.
	MadeAt          time.Time
	ExpiresAt       time.Time
	Email           string
	PasswordVersion int64

	ResendUntil time.Time // also fixed at the start
	MailedOnly  bool      // nobody in the office may see it: a higher role waits for it, or the office cleared the second factor

	AskedAt   time.Time // the newest request for it
	AskedKind ActorKind
	AskedBy   int64  // account of the person of staff, 0 if none
	AskedName string // their name then
	ForNew    bool   // the newest request was Create User

	CodeNo   int64     // which code its letters carry, 0 if none ever did
	CodeFrom time.Time // since when
	SpokenAt time.Time // when a code was read out last
	SpokenBy string    // the name then of who did

	OpenedAt  time.Time // first opening, perhaps by a mail scanner
	EndedAt   time.Time
	EndReason EndReason
}

// NewReset is a link made now for an account as it is now.
func NewReset(a Account, keyID string, p ResetPolicy, now time.Time) Reset {
	r := Reset{
		AccountID: a.ID, KeyID: keyID,
		MadeAt: now, ResendUntil: now.Add(p.ResendWindow), ExpiresAt: now.Add(p.Lifetime),
		Email: a.Email, PasswordVersion: a.PasswordVersion, MailedOnly: a.PendingRole != "" || a.LinksOnlyMailed(now),
	}
	rand.Read(r.Selector[:])
	return r
}

// ResetState is what a link is at one moment.
type ResetState string

// The states of a link, as the pages behind it tell them apart.
const (
	ResetLive      ResetState = "live"
	ResetUsed      ResetState = "used"
	ResetReplaced  ResetState = "replaced"
	ResetCancelled ResetState = "cancelled"
	ResetExpired   ResetState = "expired"
	ResetUnknown   ResetState = "unknown"
)

// Live reports whether the link opens the password form of this account now.
// The frozen values are compared as well as the row's own end: whatever
// changes an account ends its links in the same transaction, and should one
// place ever forget to, the link is dead all the same.
func (r Reset) Live(a Account, now time.Time) bool {
	return r.EndedAt.IsZero() && now.Before(r.ExpiresAt) && !a.Disabled() &&
		r.AccountID == a.ID && r.Email == a.Email && r.PasswordVersion == a.PasswordVersion
}

// State says what the link is for its holder. newerLives says whether the
// account has a live link made after this one: "open the newer one" is only
// good advice while there is one.
func (r Reset) State(a Account, newerLives bool, now time.Time) ResetState {
	return linkState(r.EndedAt, r.ExpiresAt, r.EndReason, r.Live(a, now), newerLives, now)
}

// linkState is what a link is for its holder, one to a new password or one to a
// new address. ended is zero for a link that nobody ended.
func linkState(ended, expires time.Time, why EndReason, live, newerLives bool, now time.Time) ResetState {
	end := expires
	if !ended.IsZero() {
		end = ended
	}
	switch {
	case !now.Before(end.Add(RememberEnded)):
		return ResetUnknown
	case why == EndCancelled, why == EndNotMe:
		return ResetCancelled
	case why == EndUsed:
		return ResetUsed
	case why == EndReplaced && newerLives:
		return ResetReplaced
	case why == EndReplaced, !now.Before(expires):
		return ResetExpired
	case !live:
		return ResetCancelled
	}
	return ResetLive
}

// SameOnResend reports whether another request mails this link again. Past
// the window a request makes a new link: the old letter may have been read by
// others, and the window keeps impatient second presses from killing the
// link that is already on its way.
func (r Reset) SameOnResend(a Account, now time.Time) bool {
	return r.Live(a, now) && now.Before(r.ResendUntil)
}

// AskedJustNow reports whether the same person asked for the link a moment
// ago: the second half of a double click.
func (r Reset) AskedJustNow(by Actor, now time.Time) bool {
	return r.AskedKind == by.Kind && r.AskedBy == by.AccountID && now.Before(r.AskedAt.Add(DoubleClick))
}

// Shown reports whether the status message stands on the Settings tab.
func (r Reset) Shown(a Account, now time.Time) bool { return r.SameOnResend(a, now) }

// linkUse is one of the things a token is made for: the purpose of the derived
// key, and the word in the message.
type linkUse struct{ key, word string }

var (
	opening  = linkUse{"reset", "latchkey/reset/v1"}
	notMe    = linkUse{"not-me", "latchkey/not-me/v1"}
	newEmail = linkUse{"email", "latchkey/email/v1"}
)

const (
	selectorLen = 8
	tagLen      = 17
	// TokenLen is the length of a token in characters.
	TokenLen = (selectorLen + tagLen) * 8 / 5
)

// tokenCoding is RFC 4648 §6 in lower case without padding. 25 bytes are
// exactly 40 characters, so no bit is left over that could differ.
var tokenCoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ResetToken is what stands behind /reset/ in a link. It is derived from the
// row and a key that is not in the database, so a stolen database opens
// nothing, and the same link can be mailed again without being stored.
func (k Keyring) ResetToken(r Reset) (Secret, error) { return k.linkToken(r, opening) }

func (k Keyring) linkToken(r Reset, use linkUse) (Secret, error) {
	tag, err := k.linkTag(r, use)
	if err != nil {
		return Secret{}, err
	}
	return tokenOf(r.Selector, tag), nil
}

// tokenOf is what stands in a link: which row it is of, and the tag.
func tokenOf(selector [selectorLen]byte, tag []byte) Secret {
	return NewSecret(tokenCoding.EncodeToString(append(selector[:], tag...)))
}

// ParseResetToken takes a token apart: of a link, of its "It wasn't me", or of a
// link to a new address. It is strict: one length, one alphabet, one spelling.
func ParseResetToken(token string) (selector [8]byte, tag []byte, ok bool) {
	if len(token) != TokenLen {
		return selector, nil, false
	}
	raw, err := tokenCoding.DecodeString(token)
	// The decoder skips line breaks and forgives trailing bits; the
	// re-encoding does neither.
	if err != nil || tokenCoding.EncodeToString(raw) != token {
		return selector, nil, false
	}
	copy(selector[:], raw)
	return selector, raw[selectorLen:], true
}

// VerifyReset reports whether a tag is the one of this link, in constant time.
func (k Keyring) VerifyReset(r Reset, tag []byte) bool {
	want, err := k.linkTag(r, opening)
	return err == nil && hmac.Equal(want, tag)
}

// linkTag is the first 17 bytes (136 bits) of an HMAC over everything that
// must not change under a link. Each ingredient has its reason:
//
//   - the purpose, so that no other tag of ours can pass for a link;
//   - selector and reset id, so that a tag belongs to one row, even if a
//     selector came twice or rows were moved between databases;
//   - account id, so that rewriting a row cannot turn one's own link into
//     somebody else's;
//   - made and expires, so that nobody who can write to the database but
//     lacks the key can make an old link live again;
//   - email, so that a link dies with the address it was mailed to;
//   - password version, so that a link dies with the password it replaces.
//
// All fields carry their length: without it "ab"+"c" and "a"+"bc" would be
// the same message.
func (k Keyring) linkTag(r Reset, use linkUse) ([]byte, error) {
	mac, err := k.tagging(r.KeyID, use)
	if err != nil {
		return nil, err
	}
	writeField(mac, r.Selector[:])
	writeNumbers(mac, r.ID, r.AccountID, r.MadeAt.Unix(), r.ExpiresAt.Unix())
	writeField(mac, []byte(r.Email))
	writeNumbers(mac, r.PasswordVersion)
	return mac.Sum(nil)[:tagLen], nil
}

// tagging begins a tag: with the key of its use, and the use as its first field.
func (k Keyring) tagging(keyID string, use linkUse) (hash.Hash, error) {
	key, err := k.Derive(keyID, use.key)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	writeField(mac, []byte(use.word))
	return mac, nil
}

func writeNumbers(w io.Writer, numbers ...int64) {
	for _, n := range numbers {
		writeField(w, binary.BigEndian.AppendUint64(nil, uint64(n)))
	}
}

// OpenedReset is what the page behind a link needs to know.
type OpenedReset struct {
	State    ResetState
	Reset    Reset
	Account  Account   // of a live link; its name and address are not for ended ones
	Shared   bool      // several people use the address: the member number is the username
	NewerAt  time.Time // replaced: when the newer one was last sent
	Disabled bool      // cancelled because the account is disabled: ring the office
}

// NewPassword is a password chosen through a link.
type NewPassword struct {
	Token             Secret
	Password, Confirm Secret
	Network           string
}

// PasswordSet is the good end of a reset.
type PasswordSet struct {
	AccountID int64
	Login     string // to prefill the sign-in page
	Device    Secret // known-device cookie: whoever set the password is no stranger
}
