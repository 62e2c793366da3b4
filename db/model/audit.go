package model

import (
	"strings"
	"time"
)

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
	ActSecured         Act = "account.secured"     // after "It wasn't me" of a link that had been used
	ActEmailAsked      Act = "account.email_asked" // by its holder, until the letter there is answered
	ActEmailCancelled  Act = "account.email_cancelled"
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

	ActFactorAsked   Act = "factor.asked"  // the password was right
	ActFactorFailed  Act = "factor.failed" // and the code was not, or the passkey
	ActFactorAdded   Act = "factor.added"
	ActPasskeyNamed  Act = "factor.renamed" // a passkey, by its holder
	ActFactorRemoved Act = "factor.removed" // by its holder
	ActFactorDoubted Act = "factor.doubted" // it came after a link that "It wasn't me" was said of
	ActFactorCleared Act = "factor.cleared" // by somebody else
	ActCodesMade     Act = "factor.codes_made"
	ActCodeUsed      Act = "factor.code_used" // a recovery code

	ActLetterSettled  Act = "letter.settled"
	ActLetterStopped  Act = "letter.stopped" // by hand, before it left
	ActLetterRepeated Act = "letter.repeated"
	ActLetterReported Act = "letter.reported"  // it bounced, or waits on its way
	ActTestSent       Act = "letter.test_sent" // of a template

	ActSetUp            Act = "portal.set_up"
	ActKeyRotated       Act = "key.rotated"
	ActKeyRetired       Act = "key.retired"
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

// ActivityPage is what happened to a record, newest first. Next and Newer are
// the lines to go on from, before and after; 0 at either end.
type ActivityPage struct {
	Member      Member
	Account     *Account
	Lines       []AuditLine
	Next, Newer int64
}

// Noun is what an act is about, as acts are sifted by: "reset" of "reset.sent",
// and the same of "session.started" and "sessions.ended".
func (a Act) Noun() string {
	noun, _, _ := strings.Cut(string(a), ".")
	return strings.TrimSuffix(noun, "s")
}

// AuditQuery asks for a page of all that was done, newest first. Days are those
// of the association's calendar, written like 2026-11-23.
type AuditQuery struct {
	Text          string // a person, as the members list finds them
	MemberID      int64  // one person, whatever the text; 0: anybody
	Act           string // an act or a noun; "": any
	From, To      string // days, the first and the last of them
	Before, After int64  // the page that ends before this line, or begins after it
}

// Sifted reports whether less than everything is asked for.
func (q AuditQuery) Sifted() bool {
	return q.Text != "" || q.MemberID != 0 || q.Act != "" || q.From != "" || q.To != ""
}

// Wants reports whether an act is among those asked for.
func (q AuditQuery) Wants(a Act) bool {
	return q.Act == "" || q.Act == string(a) || q.Act == a.Noun()
}

// Span is the time from the beginning of the first day to the end of the last,
// which is the beginning of the day after it: a day may have 23 or 25 hours.
// What cannot be read is said beside its field, and bounds nothing.
func (q AuditQuery) Span(zone *time.Location) (from, until time.Time, f Fields) {
	f = Fields{}
	day := func(field, text string, more int) time.Time {
		if text == "" {
			return time.Time{}
		}
		d, err := time.Parse(time.DateOnly, text)
		if err != nil {
			f.Add(field, "Please write the day like 2026-11-23.")
			return time.Time{}
		}
		return time.Date(d.Year(), d.Month(), d.Day()+more, 0, 0, 0, 0, zone)
	}
	from, until = day("from", q.From, 0), day("to", q.To, 1)
	if !from.IsZero() && !until.IsZero() && !from.Before(until) {
		f.Add("to", "The last day comes before the first one.")
	}
	return from, until, f
}

// AuditRow is a line of the whole, with the people it names as they are called
// today.
type AuditRow struct {
	AuditLine
	About Person // whom it was done to; MemberID 0 if nobody
	Actor Person // who did it, as long as they have an account
}

// AuditPage is a page of all that was done.
type AuditPage struct {
	Rows         []AuditRow
	Acts         []Act    // all that were ever done, in order
	People       []Person // whom the text found
	Found        int      // how many it found; above AuditPeople the page has no lines
	Older, Newer int64    // lines to go on from, 0 at either end
	Wrong        Fields   // what of the query could not be read
}

// AuditPeople is how many people of one name are looked up together. More are
// asked for another letter of it.
const AuditPeople = 8

// How long audit lines are kept (product.md §3.4). The least is also in the
// database's own rule.
const (
	AuditKept         = 2 * auditYear // unless an owner decides
	auditYear         = 365 * 24 * time.Hour
	shortestAuditKept = auditYear
	longestAuditKept  = 10 * auditYear
)
