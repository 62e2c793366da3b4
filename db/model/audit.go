package model

import "time"

// Act names something that was done; it is the word kept in the audit line.
type Act string

// The acts.
const (
	ActMemberAdded     Act = "member.added"
	ActMemberChanged   Act = "member.changed"
	ActAccountMade     Act = "account.made"
	ActAccountDisabled Act = "account.disabled"
	ActAccountEnabled  Act = "account.enabled"
	ActAccountDeleted  Act = "account.deleted"
	ActSecured         Act = "account.secured" // after "It wasn't me" of a link that had been used
	ActEmailChanged    Act = "account.email_changed"
	ActRoleChanged     Act = "account.role_changed"
	ActRoleTaken       Act = "account.role_taken" // a waiting role took effect

	ActResetSent      Act = "reset.sent"   // a new link
	ActResetResent    Act = "reset.resent" // the same link again
	ActResetShown     Act = "reset.shown"  // first showing to one person of staff
	ActResetCopied    Act = "reset.copied"
	ActResetOpened    Act = "reset.opened"
	ActResetCancelled Act = "reset.cancelled"
	ActNotMe          Act = "reset.not_me"         // they said that it was not them
	ActNotMeSettled   Act = "reset.not_me_settled" // the office looked into it
	ActNearDone       Act = "near.done"            // the office saw to an address that nearly was theirs
	ActCodeReadOut    Act = "code.read_out"        // by one person of staff
	ActCodeEntered    Act = "code.entered"         // the right one

	ActPasswordSet     Act = "password.set"     // through a link
	ActPasswordChanged Act = "password.changed" // by its holder, signed in
	ActSignedIn        Act = "session.started"
	ActSignedOut       Act = "session.ended"
	ActSessionsEnded   Act = "sessions.ended"
	ActSignInFailed    Act = "session.refused"

	ActLetterSettled  Act = "letter.settled"
	ActLetterStopped  Act = "letter.stopped" // by hand, before it left
	ActLetterRepeated Act = "letter.repeated"
	ActLetterReported Act = "letter.reported"  // it bounced, or waits on its way
	ActTestSent       Act = "letter.test_sent" // of a template

	ActSetUp            Act = "portal.set_up"
	ActSettingsChanged  Act = "settings.changed"
	ActDKIMMade         Act = "dkim.made"
	ActDKIMSwitched     Act = "dkim.switched"
	ActTemplateChanged  Act = "template.changed"
	ActTemplateOriginal Act = "template.original" // back to it
)

// AuditLine is one thing that happened: who did what to whom, when. Names
// and notes live apart from it, so that a person can be erased while the line
// stays.
type AuditLine struct {
	ID        int64
	At        time.Time
	Act       Act
	ActorKind ActorKind
	ActorID   int64  // account, 0 if none
	ActorName string // "" once erased
	MemberID  int64
	AccountID int64
	ResetID   int64
	LetterID  int64
	Network   string
	Note      string // what changed, in words; never a secret
}

// ActivityPage is what happened to a record, newest first. Next is the id to
// go on before, 0 at the end.
type ActivityPage struct {
	Member  Member
	Account *Account
	Lines   []AuditLine
	Next    int64
}
