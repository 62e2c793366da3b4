package model

import (
	"crypto/hmac"
	"crypto/rand"
	"time"
)

// EmailChangeLife is how long the link that confirms a new address works: a day
// is enough for whoever just typed the address of their own mailbox.
const EmailChangeLife = 24 * time.Hour

// EmailChange is a new address that the holder of an account asked for. It
// counts only once a link in a letter to that address confirmed it.
type EmailChange struct {
	ID        int64
	AccountID int64
	Selector  [8]byte
	KeyID     string // the master key its tag is made with

	// Frozen when it was asked for; the tag is made of them.
	MadeAt          time.Time
	ExpiresAt       time.Time
	From, To        string
	PasswordVersion int64

	Role    Role      // then
	AskedAt time.Time // the newest letter

	EndedAt   time.Time
	EndReason EndReason
}

// NewEmailChange is a change asked for now.
func NewEmailChange(a Account, to, keyID string, now time.Time) EmailChange {
	c := EmailChange{
		AccountID: a.ID, KeyID: keyID, MadeAt: now, ExpiresAt: now.Add(EmailChangeLife),
		From: a.Email, To: to, PasswordVersion: a.PasswordVersion, Role: a.Role, AskedAt: now,
	}
	rand.Read(c.Selector[:])
	return c
}

// Live reports whether the change can still be confirmed. A new password ends
// it: whoever asked knew the old one, and may be why it was changed. So does
// another role, also one that waits: its link must not be led to an address that
// the holder of the lower one chose.
func (c EmailChange) Live(a Account, now time.Time) bool {
	return c.EndedAt.IsZero() && now.Before(c.ExpiresAt) && !a.Disabled() &&
		c.AccountID == a.ID && c.From == a.Email && c.PasswordVersion == a.PasswordVersion &&
		c.Role == a.Role && a.PendingRole == ""
}

// State says what the link of a change is for its holder. newerLives says
// whether the account has a live one made after this.
func (c EmailChange) State(a Account, newerLives bool, now time.Time) ResetState {
	return linkState(c.EndedAt, c.ExpiresAt, c.EndReason, c.Live(a, now), newerLives, now)
}

// EmailToken is what stands behind /email/ in the letter to a new address. It is
// derived as a reset token is, under a key and for a purpose of its own.
func (k Keyring) EmailToken(c EmailChange) (Secret, error) {
	tag, err := k.emailTag(c)
	if err != nil {
		return Secret{}, err
	}
	return tokenOf(c.Selector, tag), nil
}

// VerifyEmail reports whether a tag is the one of this change, in constant time.
func (k Keyring) VerifyEmail(c EmailChange, tag []byte) bool {
	want, err := k.emailTag(c)
	return err == nil && hmac.Equal(want, tag)
}

// emailTag is made like linkTag. Both addresses are in it: nobody who can write
// to the database but lacks the key can send a confirmed change elsewhere.
func (k Keyring) emailTag(c EmailChange) ([]byte, error) {
	mac, err := k.tagging(c.KeyID, newEmail)
	if err != nil {
		return nil, err
	}
	writeField(mac, c.Selector[:])
	writeNumbers(mac, c.ID, c.AccountID, c.MadeAt.Unix(), c.ExpiresAt.Unix())
	writeField(mac, []byte(c.From))
	writeField(mac, []byte(c.To))
	writeNumbers(mac, c.PasswordVersion)
	return mac.Sum(nil)[:tagLen], nil
}

// NewEmail is what the form for another address holds.
type NewEmail struct {
	Email   string
	Current Secret // the password now
}

// Parse gives the address that was typed; the error says what is missing or
// wrong, beside the fields.
func (n NewEmail) Parse() (email string, err error) {
	email, sentence := ParseEmail(n.Email)
	if email == "" && sentence == "" {
		sentence = "Please give the new address."
	}
	f := Fields{}
	if sentence != "" {
		f.Add("email", sentence)
	}
	if n.Current.IsZero() {
		f.Add("current_password", "Please type your password.")
	}
	return email, f.Err()
}

// OpenedEmail is what the page behind the link needs to know.
type OpenedEmail struct {
	State   ResetState
	Change  EmailChange
	Account Account   // of a live link; ended ones show neither name nor address
	Shared  bool      // live: others use the new address too
	Taken   bool      // live, but the address is not to be had any more
	Voids   bool      // live, and the password will not work there
	NewerAt time.Time // replaced: when the letter with the newer one was asked for
}

// EmailConfirm is the press that makes a new address count.
type EmailConfirm struct {
	Token   Secret
	Session int64 // of the browser, whoever is signed in there; 0 if nobody
	Network string
}

// EmailConfirmed is a new address that counts.
type EmailConfirmed struct {
	Login       string    // to prefill the sign-in page
	SignIn      *SignedIn // the browser's new session, nil unless it was signed in to this account
	NewPassword bool      // a link to choose a new password went to the new address
}

// The bounds of letters to new addresses, so that nobody can have strangers
// written to: for each account, and for each address whoever asks.
const (
	EmailLettersPerHour = 3
	EmailLettersPerDay  = 6
	EmailLettersToOne   = 5 // a day
)
