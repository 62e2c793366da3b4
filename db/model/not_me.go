package model

import (
	"crypto/hmac"
	"time"
)

// NotMeFor is how long after a link was made somebody may say that it was not
// them who asked for it, whatever became of the link. No link lives longer.
const NotMeFor = 30 * 24 * time.Hour

// NotMeToken is what stands behind /not-me/ in a letter. It is made like the
// link's own token, under another key and purpose: neither opens what the other
// does, and a letter can be answered long after its link ended.
func (k Keyring) NotMeToken(r Reset) (Secret, error) { return k.linkToken(r, notMe) }

// VerifyNotMe reports whether a tag is that of this link's "It wasn't me", in
// constant time.
func (k Keyring) VerifyNotMe(r Reset, tag []byte) bool {
	want, err := k.linkTag(r, notMe)
	return err == nil && hmac.Equal(want, tag)
}

// MayDisown reports whether "It wasn't me" may still be said about a link.
func (r Reset) MayDisown(now time.Time) bool { return now.Before(r.MadeAt.Add(NotMeFor)) }

// NotMeState is what "It wasn't me" does with a link, or did.
type NotMeState string

// What can be said of a link that somebody did not ask for. The pages behind
// the words tell them apart.
const (
	NotMeUnknown  NotMeState = "unknown"  // no link of ours, or an old one
	NotMeLive     NotMeState = "live"     // it ends the link
	NotMeUsed     NotMeState = "used"     // a password was set through it: the account is shut
	NotMeOver     NotMeState = "over"     // the link had ended without doing anything
	NotMeDisabled NotMeState = "disabled" // it was used, and the account is disabled
)

// OpenedNotMe is what the page of "It wasn't me" needs to know. It shows no
// name and no address.
type OpenedNotMe struct {
	State   NotMeState
	Said    bool      // somebody said so already
	UsedAt  time.Time // used, disabled: when the password was set
	NoEmail bool      // used: the account has no address that a letter could go to
}

// NotMe is one "It wasn't me", as the office finds it until somebody looked
// into it.
type NotMe struct {
	ResetID   int64
	AccountID int64
	MemberID  int64
	Name      string
	At        time.Time
	Used      bool // a password had been set through the link
}

// MaySettle says whether the actor may put an "It wasn't me" of an account
// away. It takes a role strictly above the account's, as all that protects it:
// whoever used the link may sit in the office. Nobody is above owners, so they
// do it for one another.
func (a Actor) MaySettle(t Account) error {
	if t.GuardRole() == RoleOwner {
		return a.MayOwn()
	}
	return a.MayGovern(t)
}
