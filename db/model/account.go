package model

import (
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// HouseholdLimit is how many accounts may share one email address.
const HouseholdLimit = 8

// Account is what lets a member sign in. At most one per member.
type Account struct {
	ID       int64
	MemberID int64
	Name     string // the member's, for the page
	MemberNo string // the member's, "" if none
	Email    string // where letters go; may differ from the record's; "" if none
	Role     Role

	// PendingRole is a higher role that takes effect only once a password was
	// set through a link that nobody in the office could see; "" if none.
	PendingRole Role

	HasPassword     bool
	PasswordVersion int64 // grows with every change, so older links die
	PasswordSetAt   time.Time
	LastSignInAt    time.Time
	DisabledAt      time.Time
	SessionStamp    int64 // sessions with another stamp are over
	CreatedAt       time.Time

	// Mail is what became of the newest letter to this address that was taken,
	// refused or came back; "" if there is none. Known where the head of the
	// record is shown.
	Mail   LetterState
	Factor FactorFacts
}

// Failing reports whether letters to the account do not arrive: one failed or
// came back, and none was taken since.
func (a Account) Failing() bool { return a.Mail.missed() }

// Disabled reports whether the account may not sign in.
func (a Account) Disabled() bool { return !a.DisabledAt.IsZero() }

// GuardRole is the role that protects the account: the one it waits for
// counts already, or whoever sees its link would gain that role.
func (a Account) GuardRole() Role {
	if a.PendingRole.Above(a.Role) {
		return a.PendingRole
	}
	return a.Role
}

// Login is what the account's holder types to sign in: the email, or the
// member number where there is no email or several people share it.
func (a Account) Login(shared bool) string {
	if a.Email == "" || (shared && a.MemberNo != "") {
		return a.MemberNo
	}
	return a.Email
}

const (
	emailMax = 254 // RFC 5321 §4.5.3.1.3, less the angle brackets
	localMax = 64  // RFC 5321 §4.5.3.1.1
)

// ParseEmail checks an address as a person types it and gives it back
// trimmed. The sentence is "" when the address will do.
//
// Only what a mail server can be handed is taken: no display name, no quoted
// local part, no address literal, and no character that a mail header or a
// log line would trip over.
func ParseEmail(typed string) (email, sentence string) {
	s := strings.TrimSpace(typed)
	const wrong = "Please write the address like name@example.org."
	switch {
	case s == "":
		return "", ""
	case len(s) > emailMax:
		return s, "An email address has at most 254 characters."
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }):
		return s, "An email address has no spaces or control characters in it."
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" {
		return s, wrong
	}
	at := strings.LastIndexByte(s, '@')
	local, domain := s[:at], s[at+1:]
	if len(local) > localMax || strings.ContainsAny(local, `"\<>()[],;:`) || !strings.Contains(domain, ".") || !plausibleName(domain) {
		return s, wrong
	}
	return s, ""
}

// plausibleName reports whether a name of the DNS could be written like this,
// as people see it: in letters of any script.
func plausibleName(name string) bool {
	for l := range strings.SplitSeq(name, ".") {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' ||
			strings.ContainsFunc(l, func(r rune) bool { return r != '-' && !unicode.In(r, unicode.L, unicode.M, unicode.Nd) }) {
			return false
		}
	}
	return len(name) <= 253 // RFC 1035 §2.3.4, less the length bytes at both ends
}

// EmailKey is the form under which two spellings of an address are the same:
// composed and lower-cased. It is used for look-up only; letters always go to
// the stored address, never to the typed one, so a look-alike can find an
// account but never receive its link (CVE-2019-19844).
func EmailKey(email string) string {
	return strings.ToLower(norm.NFC.String(strings.TrimSpace(email)))
}

// MailboxKey is the form under which two addresses are one mailbox, whoever runs
// it. It is narrower than EmailKey: mail to İ.example goes to the domain of an i
// with a dot of its own, mail to ẞ.example to ss.example (Unicode Technical
// Standard 46, §4), and either may be a stranger's. What is written to several
// goes to those who have the same one.
func MailboxKey(email string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, norm.NFC.String(strings.TrimSpace(email)))
}

// ByMailbox sorts accounts by where letters to them go, in their order.
func ByMailbox(all []Account) [][]Account {
	var boxes [][]Account
	for _, a := range all {
		i := slices.IndexFunc(boxes, func(box []Account) bool { return MailboxKey(box[0].Email) == MailboxKey(a.Email) })
		if i < 0 {
			boxes = append(boxes, []Account{a})
			continue
		}
		boxes[i] = append(boxes[i], a)
	}
	return boxes
}

// LoginKey sorts what was typed into the sign-in field: an address has an @,
// a member number never has.
func LoginKey(login string) (emailKey, memberNoKey string) {
	if strings.Contains(login, "@") {
		return EmailKey(login), ""
	}
	return "", MemberNoKey(login)
}

// EmailTakenError says that an address is already another account's.
type EmailTakenError struct {
	Email    string
	Holders  []Person
	MayShare bool   // staff may go on and share it
	Sentence string // why not, when they may not
	Reason   string // the same for whoever has the address, as the end of a sentence
}

func (e *EmailTakenError) Error() string { return "the address is another account's" }

// EmailTaken is why an account cannot have an address that these have, nil if
// it can: alone, or as one of a household.
func (s Settings) EmailTaken(a Account, email string, at []Account) *EmailTakenError {
	taken := &EmailTakenError{Email: email}
	office := a.GuardRole().InOffice()
	for _, h := range at {
		if h.ID == a.ID {
			continue
		}
		taken.Holders = append(taken.Holders, Person{MemberID: h.MemberID, AccountID: h.ID, Name: h.Name})
		office = office || h.GuardRole().InOffice()
	}
	switch {
	case len(taken.Holders) == 0:
		return nil
	case office:
		// Whoever reads a shared mailbox could take over the colleague.
		taken.Sentence = "Accounts of the office never share an address. Please use another one."
		taken.Reason = "whoever works at the office shares an address with nobody"
	case !s.Households:
		taken.Sentence = "Sharing an address is switched off. Please use another one, or the member number."
		taken.Reason = "each person here needs an address of their own, and this one has an account already"
	case len(taken.Holders) >= HouseholdLimit:
		taken.Sentence = "Eight people share this address already; there is no room for more. Please use another one."
		taken.Reason = "eight people share this address already, and there is no room for more"
	default:
		return nil
	}
	return taken
}

// AccountRecord is all that the Settings tab of a member's record shows.
type AccountRecord struct {
	Member     Member       // what the head of the record shows of it, no more
	Account    *Account     // nil without one
	Status     *ResetStatus // the status message; nil when none stands
	Latest     *Reset       // the newest link, live or ended: the life-line
	LastLetter *Letter      // the newest letter about Latest
	Spoken     *SpokenCode  // a code that was read out and still works; nil if there is none
	SharedWith []Person     // other accounts on the same address
	Sessions   []Session
	Factors    SecondFactors // where the account has any
	FactorDue  time.Time     // until when it has to have one; zero if it has, or need not
	SlowedFor  time.Duration // until the next sign-in may be tried somewhere
	Failing    *Letter       // the letter for which the account is [Account.Failing]; nil if it is not
	NewEmail   *EmailChange  // asked for by its holder, and not confirmed yet; nil if there is none

	// ChoseEmailAt is when the account's holder confirmed an email that differs
	// from the record's; zero if it was not they who changed it last.
	ChoseEmailAt time.Time

	Near *NearLogin // the newest address that they may have meant theirs by; nil if there is none

	SenderDomain string // of our letters, for the IT that refuses them
	Why          Why
}

// ShowsLink reports whether the person who looks may see the link, and there is
// one to see.
func (r AccountRecord) ShowsLink() bool { return r.Status != nil && r.Status.LinkHidden == "" }

// ResetStatus is the status message: that a reset email was sent, with the
// link for those who may see it.
type ResetStatus struct {
	Reset      Reset
	Letter     *Letter // the newest; nil without an address
	HeldBack   bool    // no letter leaves: the base URL is this very computer's
	AskedBy    string  // name of staff, "the member", "automatically"
	Link       Secret  // zero when this person may not see it
	LinkHidden string  // then: why, in a sentence
	MayCancel  bool
}

// Text is the status message's first sentence (product.md §2.3).
func (s ResetStatus) Text() string {
	text := "Reset password email sent."
	switch {
	case s.Reset.Email == "":
		text = "No email address on this account. Copy the link or read out a code."
	case s.Letter == nil && !s.Reset.SpokenAt.IsZero():
		text = "No email was sent. Copy the link or read out a code."
	case s.Letter != nil && s.Letter.State == LetterCaptured:
		text = "No mail server is set up. Copy the link and hand it over."
	case s.Reset.ForNew:
		return "Account successfully created and reset password email sent."
	}
	if s.Reset.ForNew {
		return "Account successfully created. " + text
	}
	return text
}

// Invite is a new colleague.
type Invite struct {
	FirstName, LastName, Email string
	Role                       Role
}

// SetUp is what the first start asks for.
type SetUp struct {
	FirstName, LastName, Email string
	Password, Confirm          Secret
	Settings                   Settings
	Unread                     Fields // what of the form could not even be read: it is refused together with the rest
}

// NewOwner is an owner made or rescued from the command line.
type NewOwner struct {
	Email, Name string
	Password    Secret // zero leaves the password to a link
	ClearFactor bool   // they lost their second factor
}

// OwnerMade is an owner made or rescued from the command line.
type OwnerMade struct {
	New  bool   // there was no such account before
	Link Secret // sets the password; zero when one was given

	Expires time.Time // of the link

	Cleared bool // the second factor is gone
	Factor  bool // there is one, and it is asked for
}
