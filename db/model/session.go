package model

import "time"

// How long a session lasts (product.md §4.1).
const (
	SessionIdle      = 12 * time.Hour
	SessionLifetime  = 30 * 24 * time.Hour // without "keep me signed in" the browser forgets it earlier, when it is closed
	SessionIdleClock = 5 * time.Minute     // how often "last seen" is written
)

// Session is one browser in which somebody is signed in.
type Session struct {
	ID         int64
	AccountID  int64
	Stamp      int64
	Device     string
	Network    string
	Kept       bool
	CreatedAt  time.Time
	LastSeenAt time.Time
	ExpiresAt  time.Time
}

// Over reports whether the session no longer counts for this account.
func (s Session) Over(a Account, now time.Time) bool {
	return a.Disabled() || s.Stamp != a.SessionStamp ||
		!now.Before(s.ExpiresAt) || !now.Before(s.LastSeenAt.Add(SessionIdle))
}

// Tick reports whether "last seen" is old enough to be written again.
func (s Session) Tick(now time.Time) bool { return !now.Before(s.LastSeenAt.Add(SessionIdleClock)) }

// SignIn is one attempt.
type SignIn struct {
	Login    string
	Password Secret
	Keep     bool
	Device   string // in words, for the list of sessions
	Known    Secret // known-device cookie as the browser sent it
	Network  string
}

// SignedIn is a new session, or the question which person it is for.
type SignedIn struct {
	Session Session
	Account Account
	Known   Secret // value for the known-device cookie
	Choice  []Person
	Ticket  Secret      // proves that the password fitted those people, and remembers "keep me signed in"; goes into the form
	Second  *SecondStep // the second factor is asked for; there is no session yet
}

// Choice answers which person.
type Choice struct {
	Ticket    Secret
	AccountID int64
	Device    string
	Network   string
}

// PasswordChange is a new password chosen by somebody who is signed in.
type PasswordChange struct {
	SessionID         int64
	Current           Secret
	Password, Confirm Secret
}
