package model

import "time"

// LetterKind says what a letter is about.
type LetterKind string

// The kinds of letter (product.md §5.1).
const (
	LetterWelcome         LetterKind = "welcome"          // an account was made; first password
	LetterReset           LetterKind = "reset"            // choose a new password
	LetterResetSeveral    LetterKind = "reset_several"    // one link for each person who shares the address
	LetterNoAccount       LetterKind = "no_account"       // nobody here has this address
	LetterRingUs          LetterKind = "ring_us"          // the account is disabled
	LetterPasswordChanged LetterKind = "password_changed" // it happened, in case it was not you
	LetterEmailChanged    LetterKind = "email_changed"    // to the former address
	LetterEmailAsked      LetterKind = "email_asked"      // to the present one: somebody wants another
	LetterEmailConfirm    LetterKind = "email_confirm"    // to the new one: the link that makes it count
	LetterEmailTaken      LetterKind = "email_taken"      // to the new one: it is not to be had
	LetterCodeReadOut     LetterKind = "code_read_out"    // somebody at the office read out a code
	LetterSettingsChanged LetterKind = "settings_changed" // to all owners: letters leave another way
	LetterFactorChanged   LetterKind = "factor_changed"   // signing in takes something else than before
	LetterTrouble         LetterKind = "trouble"          // somebody could not sign in: a link for each who has the address
	LetterWrongCodes      LetterKind = "wrong_codes"      // somebody knew the password and not the second factor: a link to another one
	LetterSecured         LetterKind = "secured"          // they said it was not them: everything is shut, and here is a link
	LetterSecuredNotice   LetterKind = "secured_notice"   // the same to a former address, without a link
	LetterTest            LetterKind = "test"             // an owner tries the mail settings or a template out
)

// The priorities of waiting letters: lower leaves first.
const (
	PriorityMail     = -1 // to the owners, of changed mail settings: what an owner has piled up before must not keep it back
	PriorityLink     = 0  // somebody waits for it, perhaps on the telephone
	PriorityNotice   = 1
	PriorityBulk     = 5 // invitations; from here on letters also leave room for the ones above
	PriorityStranger = 9
)

// LetterKinds lists those whose text an owner may change, in the order of the
// templates' page. That the mail settings were changed is not for the owner who
// changed them to put into words.
var LetterKinds = []LetterKind{
	LetterReset, LetterWelcome, LetterResetSeveral, LetterNoAccount, LetterRingUs,
	LetterPasswordChanged, LetterCodeReadOut, LetterEmailConfirm, LetterEmailTaken, LetterEmailAsked, LetterEmailChanged, LetterTrouble, LetterWrongCodes, LetterSecured, LetterSecuredNotice,
	LetterFactorChanged, LetterTest,
}

// Priority orders waiting letters: lower leaves first. A stranger must not be
// able to keep members waiting by asking for unknown addresses.
func (k LetterKind) Priority() int {
	switch k {
	case LetterSettingsChanged:
		return PriorityMail
	case LetterReset, LetterResetSeveral, LetterWelcome, LetterSecured, LetterWrongCodes, LetterEmailConfirm, LetterEmailTaken, LetterTest:
		return PriorityLink
	case LetterNoAccount:
		return PriorityStranger
	default:
		return PriorityNotice
	}
}

// OneAttempt reports whether a letter is not worth a second try.
func (k LetterKind) OneAttempt() bool { return k == LetterNoAccount || k == LetterTest }

// CarriesLink reports whether the letter is pointless once its link ended.
func (k LetterKind) CarriesLink() bool {
	return k == LetterWelcome || k == LetterReset || k == LetterSecured || k == LetterWrongCodes || k == LetterEmailConfirm || k.ForSeveral()
}

// ForSeveral reports whether the letter goes to all who share an address, each
// with a link of their own.
func (k LetterKind) ForSeveral() bool { return k == LetterResetSeveral || k == LetterTrouble }

// LetterState is how far a letter is.
type LetterState string

// The states of a letter (product.md §5.3).
const (
	LetterWaiting   LetterState = "waiting"   // in the outbox
	LetterSending   LetterState = "sending"   // the postman has it
	LetterAccepted  LetterState = "accepted"  // the mail server took it
	LetterRetrying  LetterState = "retrying"  // it will be tried again
	LetterFailed    LetterState = "failed"    // the mail server refused it for good, or never answered
	LetterWithdrawn LetterState = "withdrawn" // its link ended first, or somebody stopped it
	LetterCaptured  LetterState = "captured"  // there was no mail server
	LetterBounced   LetterState = "bounced"   // it was taken, and came back
)

// Settled reports whether nothing more will happen to the letter by itself.
func (s LetterState) Settled() bool {
	return s != LetterWaiting && s != LetterSending && s != LetterRetrying
}

// missed reports whether the letter did not arrive, and will not.
func (s LetterState) missed() bool { return s == LetterFailed || s == LetterBounced }

// Letter is one email to one address: a row in the outbox before it is a
// message on the wire. It says what to tell whom; links and codes are put in
// as it leaves and are never stored.
type Letter struct {
	ID        int64
	Kind      LetterKind
	To        string
	MessageID string // the same over all attempts, so a mailbox can drop a duplicate
	State     LetterState
	AskedKind ActorKind
	CreatedAt time.Time
	DueAt     time.Time // next attempt
	SettledAt time.Time
	Attempts  int
	Code      int       // of the server's last answer, 0 if it gave none
	Reply     string    // the server's words, or what kept us from reaching it
	Stopped   bool      // withdrawn by hand
	DelayedAt time.Time // it was taken, and a server on its way said that it waits there
}

// GiveUp is how long a letter is tried.
const GiveUp = 24 * time.Hour

// RetryPause is how long to wait after the n-th attempt (1 is the first)
// failed for now: soon at first, because most troubles are greylisting or a
// cut connection, then hourly.
func RetryPause(n int) time.Duration {
	pauses := []time.Duration{5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute}
	if n >= 1 && n <= len(pauses) {
		return pauses[n-1]
	}
	return time.Hour
}

// Delivery is how one attempt ended.
type Delivery struct {
	Accepted bool
	Code     int    // SMTP reply code, 0 when there was no reply
	Reply    string // the server's words, at most 1 KB are kept

	Conversation string // of a test letter: all that the server said
}

// Ending is a letter with how an attempt at it ended.
type Ending struct {
	Letter int64
	How    Delivery
}

// Outcome is the state of a letter after an attempt, and when the next one is
// due if there is one. Only a real 5xx answer is final (RFC 5321 §4.2.1):
// a cut connection, a silence or a 4xx may be gone in a minute. until is when
// the letter loses its point: the end of its link, or zero.
func (l Letter) Outcome(d Delivery, until, now time.Time) (LetterState, time.Time) {
	switch {
	case d.Accepted:
		return LetterAccepted, time.Time{}
	case d.Code >= 500 && d.Code < 600, l.Kind.OneAttempt():
		return LetterFailed, time.Time{}
	}
	next := now.Add(RetryPause(l.Attempts))
	if !until.IsZero() && !next.Before(until) {
		return LetterWithdrawn, time.Time{}
	}
	if next.After(l.CreatedAt.Add(GiveUp)) {
		return LetterFailed, time.Time{}
	}
	return LetterRetrying, next
}

// LetterLink is one person's link in a letter.
type LetterLink struct {
	Name    string
	URL     Secret
	NotMe   Secret // where its reader can say that they did not ask for it
	Expires time.Time

	Code        Secret // where the template has one
	CodeExpires time.Time
}

// LetterContents is everything a letter says, put together as it leaves.
type LetterContents struct {
	Letter
	Version     int        // of the template
	Template    Template   // what an owner wrote; zero: the original
	Sample      LetterKind // test: the kind of letter that it shows, "" for one of its own
	Name        string
	Association string
	Portal      string // host of the base URL
	BaseURL     string
	SupportEmail,
	SupportPhone string
	TimeZone    *time.Location
	From        string
	Senders     []string // every address that letters come from
	ReturnPath  string   // where reports about it go, if not to From
	ReplyTo     string
	Links       []LetterLink
	RequestedBy string     // name of the person of staff, "" if the member asked
	ChangedAt   time.Time  // password_changed, email_changed, factor_changed, settings_changed, code_read_out: when
	ByLink      bool       // password_changed: it was set through a link
	SeenBy      []string   // password_changed: who at the office had the link on screen
	ReadOutBy   string     // password_changed: who at the office read out a code for that link, "" if nobody
	NotMe       Secret     // password_changed: where its reader can say that it was not them; zero if nowhere
	NewEmail    string     // email_changed, email_asked: the new address, blanked to its first letter and domain
	What        string     // settings_changed: what did, in words; email_taken: why, as the end of a sentence; factor_changed: in a sentence
	Server      MailServer // to which it is handed
}

// MailServer is where letters are handed in.
type MailServer struct {
	Host     string
	Port     int
	TLS      bool // TLS from the first byte (RFC 8314); else STARTTLS
	User     string
	Password Secret
}

// IsZero reports whether no mail server is set up.
func (s MailServer) IsZero() bool { return s.Host == "" }
