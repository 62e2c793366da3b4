package model

import "time"

// AttentionRows is how many rows a section of Needs attention has.
const AttentionRows = 10

// UnfinishedAfter is for how long somebody who was written to may take to
// choose a password before the office asks.
const UnfinishedAfter = 3 * 24 * time.Hour

// Attention is what the office has to look after, the most urgent first: what
// keeps everybody's letters from arriving, then single people.
type Attention struct {
	Mail *MailTrouble // nil: the mail server takes letters, as far as is known
	Held *HeldLetters // nil: letters may leave

	NotMe      Section[NotMe]
	Failing    Section[FailingRow]
	Slowed     Section[SlowedRow]
	Near       Section[NearRow]
	Unfinished Section[UnfinishedRow]
}

// Quiet reports whether nothing needs anybody.
func (a Attention) Quiet() bool {
	return a.Mail == nil && a.Held == nil && a.NotMe.Total+a.Failing.Total+a.Slowed.Total+a.Near.Total+a.Unfinished.Total == 0
}

// Section is the first rows of one kind, newest first, and how many there are.
type Section[T any] struct {
	Rows  []T
	Total int
	More  bool // there are more than Total: they were not counted on
}

// MailTrouble is our own mail server not taking letters.
type MailTrouble struct {
	Since   time.Time // of the first attempt that failed so
	Code    int
	Reply   string // the newest attempt's
	Waiting int    // letters
}

// HeldLetters are kept back because their links would lead to this very
// computer.
type HeldLetters struct {
	BaseURL string
	Waiting int
	Since   time.Time // of the oldest; zero if none waits
}

// FailingRow is somebody to whom letters do not arrive.
type FailingRow struct {
	Person Person
	Letter Letter
}

// SlowedRow is somebody who has to wait after wrong tries.
type SlowedRow struct {
	Person Person
	Until  time.Time
}

// NearRow is an address that nearly is a member's.
type NearRow struct {
	NearLogin
	Person Person
	Email  string // theirs: the account's, else the contact email; "" without one
}

// UnfinishedRow is somebody who was sent the link to a first password and has
// not chosen one.
type UnfinishedRow struct {
	Person  Person
	AskedAt time.Time // when the letter was asked for
	Opened  time.Time
	Expires time.Time // of the link
}

// Unfinished reports whether an invitation needs somebody to ask: no password
// was ever set, and the link ran out or is days old.
func (r Reset) Unfinished(a Account, now time.Time) bool {
	return r.EndedAt.IsZero() && !a.HasPassword && a.PasswordSetAt.IsZero() && !a.Disabled() &&
		(!now.Before(r.ExpiresAt) || !now.Before(r.AskedAt.Add(UnfinishedAfter)))
}

// doorTroubles are those in which our own mail server takes nobody's letters.
var doorTroubles = map[refusal]bool{
	refusedSignIn: true, refusedEncryption: true, refusedNoServer: true, refusedNoDoor: true, refusedSilence: true, refusedAtDoor: true,
}

// DoorTrouble reads the newest attempts at handing letters over, the newest
// first: whether our mail server takes none at all, since when, and whether
// that is known: it is not where all of them failed so. What a server says to
// one letter is no trouble with the server.
func DoorTrouble(attempts []LetterAttempt) (trouble *MailTrouble, known bool) {
	for _, a := range attempts {
		if a.EndedAt.IsZero() { // under way, or the portal stopped in the middle
			continue
		}
		if a.Code >= 200 && a.Code < 300 || !doorTroubles[readReply(a.Code, a.Reply)] {
			return trouble, true
		}
		if trouble == nil {
			trouble = &MailTrouble{Code: a.Code, Reply: a.Reply}
		}
		trouble.Since = a.StartedAt
	}
	return trouble, false
}
