package handlers

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// A notice is one sentence on the page that an act leads to. It travels in a
// short cookie and not in the address, where a reload, a bookmark or anybody's
// link would show it again. The cookie names the sentence and does not hold
// it, so that nobody can put words into our mouth.
type notice string

const (
	noticePasswordSet     notice = "password-set"
	noticePasswordChanged notice = "password-changed"
	noticeSignedOut       notice = "signed-out"
	noticeSessionOver     notice = "session-over"
	noticeSetUp           notice = "set-up"
	noticeMemberAdded     notice = "member-added"
	noticeSaved           notice = "saved"
	noticeCancelled       notice = "cancelled"
	noticeEmailChanged    notice = "email-changed"
	noticeDisabled        notice = "disabled"
	noticeEnabled         notice = "enabled"
	noticeDeleted         notice = "deleted"
	noticeSessionsEnded   notice = "sessions-ended"
	noticeSessionEnded    notice = "session-ended"
	noticeOthersEnded     notice = "others-ended"
	noticeRole            notice = "role"
	noticeRoleWaits       notice = "role-waits"
	noticeRemoved         notice = "removed"
	noticeInvited         notice = "invited"
	noticeLetterAgain     notice = "letter-again"
	noticeLetterStopped   notice = "letter-stopped"
	noticeMailSaved       notice = "mail-saved"
	noticeDKIMMade        notice = "dkim-made"
	noticeSigning         notice = "signing"
	noticeNotSigning      notice = "not-signing"
	noticeTemplateSaved   notice = "template-saved"
	noticeOriginal        notice = "original"
	noticeSeenTo          notice = "seen-to"
	noticeNearSeenTo      notice = "near-seen-to"
	noticeFactorAdded     notice = "factor-added"
	noticePasskeyNamed    notice = "passkey-named"
	noticeFactorRemoved   notice = "factor-removed"
	noticeFactorCleared   notice = "factor-cleared"
	noticeOwnLetter       notice = "own-letter"

	noticeEmailAgain       notice = "email-again"
	noticeEmailKept        notice = "email-kept"
	noticeEmailStays       notice = "email-stays"
	noticeEmailConfirmed   notice = "email-confirmed"
	noticeEmailNewPassword notice = "email-new-password"
)

var notices = map[notice]string{
	noticePasswordSet:     "Your password is changed. Sign in with it, and bookmark this page.",
	noticePasswordChanged: "Your password is changed. You are signed out everywhere else.",
	noticeSignedOut:       "You are signed out.",
	noticeSessionOver:     "You are not signed in here any more. That happens after 12 hours without use, when your password, role or second step changes, and when you or the office sign you out. Please sign in again.",
	noticeSetUp:           "The portal is ready. Sign in with the password you just chose.",
	noticeMemberAdded:     "Member added.",
	noticeSaved:           "Saved.",
	noticeCancelled:       "The link is cancelled. It opens nothing any more.",
	noticeEmailChanged:    "The email is changed, and a link is on its way to the new address.",
	noticeDisabled:        "The account is disabled.",
	noticeEnabled:         "The account is enabled. They get a new link.",
	noticeDeleted:         "The account is deleted. The record stays.",
	noticeSessionsEnded:   "They are signed out everywhere.",
	noticeSessionEnded:    "That browser is signed out.",
	noticeOthersEnded:     "You are signed out everywhere but here.",
	noticeRole:            "The role is changed.",
	noticeRoleWaits:       "The role waits until a new password is set through the letter that just went out.",
	noticeRemoved:         "They work in the office no more. Their own account stays.",
	noticeInvited:         "The invitation is on its way.",
	noticeLetterAgain:     "Sent again. This is the letter that goes out now.",
	noticeLetterStopped:   "The letter is stopped. It will not leave.",
	noticeMailSaved:       "Saved. All owners are told by letter what changed. Send a test letter now.",
	noticeDKIMMade:        "The key is made. Paste its record, then switch signing on.",
	noticeSigning:         "The record is there. Letters are signed from now on.",
	noticeNotSigning:      "Letters are not signed any more.",
	noticeTemplateSaved:   "Saved. Letters that are asked for from now on read like this.",
	noticeOriginal:        "The original is back. Letters that are asked for from now on read like this.",
	noticeSeenTo:          "Seen to.",
	noticeNearSeenTo:      "Seen to. What was typed is forgotten.",
	noticeFactorAdded:     "It is set up. You can sign in with it from now on.",
	noticePasskeyNamed:    "The passkey has its new name.",
	noticeFactorRemoved:   "Removed. It does not sign you in any more.",
	noticeFactorCleared:   "The second step is cleared. A letter tells them.",
	noticeOwnLetter:       "The link is on its way to your email address.",

	noticeEmailAgain:       "The letter is on its way once more.",
	noticeEmailKept:        "Your address stays as it is.",
	noticeEmailStays:       "Your email is changed. You are signed out everywhere else.",
	noticeEmailConfirmed:   "Your email is changed. Sign in with the new one and your password.",
	noticeEmailNewPassword: "Your email is changed. A letter with a link to choose a new password is on its way to it.",
}

const (
	noticeCookie = "latchkey-notice"
	noticeLife   = 2 * time.Minute
)

// tell has the next page show a notice; login prefills the sign-in page.
func tell(w http.ResponseWriter, v *visit, n notice, login string) {
	setCookie(w, v, noticeCookie, string(n)+"."+base64.RawURLEncoding.EncodeToString([]byte(login)), noticeLife)
}

// told takes the notice that the last page left, and gives the login with it.
func told(w http.ResponseWriter, r *http.Request) (login string) {
	name, coded, ok := strings.Cut(readCookie(r, noticeCookie), ".")
	if !ok || wantsPart(r) {
		return ""
	}
	v := visitOf(r)
	setCookie(w, v, noticeCookie, "", 0)
	v.notice = notices[notice(name)]
	raw, err := base64.RawURLEncoding.DecodeString(coded)
	if err != nil {
		return ""
	}
	return string(raw)
}
