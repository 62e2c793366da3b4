package model

import (
	"slices"
	"time"
)

// LetterLogFor is how far back the letter log goes, and how long letters are
// kept.
const LetterLogFor = 90 * 24 * time.Hour

// LetterFilter narrows the letter log to what became of a letter.
type LetterFilter string

// The filters of the letter log.
const (
	LettersAll       LetterFilter = ""
	LettersWaiting   LetterFilter = "waiting" // or leaving, or to be tried again
	LettersAccepted  LetterFilter = "accepted"
	LettersFailed    LetterFilter = "failed"
	LettersWithdrawn LetterFilter = "withdrawn"
	LettersCaptured  LetterFilter = "captured"
)

// LetterFilters lists the filters in the order in which they are offered.
var LetterFilters = []LetterFilter{LettersAll, LettersWaiting, LettersAccepted, LettersFailed, LettersWithdrawn, LettersCaptured}

var filteredStates = map[LetterFilter][]LetterState{
	LettersWaiting:   {LetterWaiting, LetterSending, LetterRetrying},
	LettersAccepted:  {LetterAccepted},
	LettersFailed:    {LetterFailed, LetterBounced},
	LettersWithdrawn: {LetterWithdrawn},
	LettersCaptured:  {LetterCaptured},
}

// States are those that a filter lets through.
func (f LetterFilter) States() []LetterState {
	if states, ok := filteredStates[f]; ok {
		return states
	}
	var all []LetterState
	for _, f := range LetterFilters {
		all = append(all, filteredStates[f]...)
	}
	return all
}

// LetterQuery asks for a page of the letter log, newest first.
type LetterQuery struct {
	Text      string // a person as the members list finds them, or the beginning of an address
	Filter    LetterFilter
	AccountID int64 // the letters about one account, whatever the text; 0: about any
	Before    int64 // the page that ends before this letter: older ones
	After     int64 // the page that begins after it: newer ones
}

// Known is the query without a filter that does not exist.
func (q LetterQuery) Known() LetterQuery {
	if !slices.Contains(LetterFilters, q.Filter) {
		q.Filter = LettersAll
	}
	return q
}

// LetterRow is a line of the letter log.
type LetterRow struct {
	Letter
	People []Person // whom it is about, as far as they still have an account
}

// LetterPage is a page of the letter log. Older and Newer are the letters to go
// on from, 0 at either end.
type LetterPage struct {
	Rows         []LetterRow
	Totals       map[LetterFilter]int // of everything in the log, whatever was searched for
	Older, Newer int64
	About        *Person // whose letters were asked for; nil if their account is gone
}

// LetterAttempt is one try at handing a letter to the mail server.
type LetterAttempt struct {
	StartedAt time.Time
	EndedAt   time.Time // zero: it is under way, or the portal stopped in the middle
	Code      int
	Reply     string
}

// LetterRecord is all that a letter's own page shows. The links in Contents are
// blank: nobody opens anything with what they find here.
type LetterRecord struct {
	Contents  LetterContents
	People    []Person
	AskedBy   string // name, "" if it was nobody of the office
	StoppedBy string // name of whoever stopped it, "" if they are gone
	Attempts  []LetterAttempt
	CopyOf    int64 // the letter that it says once more, 0 if none
	Copy      int64 // the newest that says this one once more, 0 if none
	HeldBack  bool

	// Why this person may not, in one sentence; "" if they may.
	NotAgain, NotStopped string
	AgainTo              string // the address that "Send again" writes to
}

// Repeat is what "Send again" does with a letter.
type Repeat int

// The ways of sending again.
const (
	RepeatNever Repeat = iota // whoever caused it asked at that moment; a second one would only puzzle
	RepeatLink                // as Send Password Reset: the same link, or a new one
	RepeatCopy                // the same words to the same address, where they never arrived
)

// Repeat is how letters of the kind are sent again. A kind that is not named
// here never is.
func (k LetterKind) Repeat() Repeat {
	switch {
	case k == LetterEmailConfirm: // they can have it sent again themselves; its link is no password link
		return RepeatNever
	case k.CarriesLink():
		return RepeatLink
	case k == LetterPasswordChanged, k == LetterEmailChanged, k == LetterEmailAsked, k == LetterCodeReadOut, k == LetterSecuredNotice, k == LetterFactorChanged:
		return RepeatCopy
	}
	return RepeatNever
}

// repeatFor is how long news stay news.
const repeatFor = 30 * 24 * time.Hour

// MayRepeat says whether a letter about these accounts may be sent again by the
// actor.
func (a Actor) MayRepeat(l Letter, about []Account, now time.Time) error {
	if err := a.MayEdit(); err != nil {
		return err
	}
	how := l.Kind.Repeat()
	switch {
	case how == RepeatNever:
		return Conflict("It answered somebody who asked at that moment. Sent again, it would only puzzle them.")
	case len(about) == 0:
		return Conflict("The account it was about is deleted.")
	case how == RepeatCopy && !l.State.Settled():
		return Conflict("It has not left yet. It goes out by itself.")
	case how == RepeatCopy && l.State != LetterFailed && l.State != LetterBounced && l.State != LetterCaptured:
		return Conflict("It reached their mail server, and says nothing that they need twice.")
	case how == RepeatCopy && !now.Before(l.CreatedAt.Add(repeatFor)):
		return Conflict("It is older than 30 days, and its news with it.")
	}
	for _, t := range about {
		if err := a.MaySend(t); err != nil {
			return err
		}
	}
	if how == RepeatLink && len(l.Reachable(about)) == 0 {
		switch {
		case about[0].Email == "":
			return Conflict("There is no email address on the account.")
		case about[0].Disabled():
			return Conflict("This account is disabled, so a link would not let them in. Enable it first: that sends a new link.")
		}
		return Conflict("Nobody has this address any more. Send a link from the person's own record.")
	}
	return nil
}

// Reachable is who of those whom a letter is about gets a link when it is sent
// again. A letter to several goes to those who still share its address: the
// link of somebody who left it is not for the others.
func (l Letter) Reachable(about []Account) []Account {
	var able []Account
	for _, t := range about {
		if t.Email != "" && !t.Disabled() && (!l.Kind.ForSeveral() || MailboxKey(t.Email) == MailboxKey(l.To)) {
			able = append(able, t)
		}
	}
	return able
}

// MayStop says whether the actor may stop a letter about these accounts before
// it leaves. Whatever warns somebody of what was done with their account cannot
// be stopped: whoever did it may sit in the office.
func (a Actor) MayStop(l Letter, about []Account) error {
	if err := a.MayEdit(); err != nil {
		return err
	}
	switch {
	case l.State == LetterSending:
		return Conflict("It is leaving at this moment: too late to stop it.")
	case l.State.Settled():
		return Conflict("It is not waiting any more.")
	case l.Kind == LetterTrouble, l.Kind == LetterWrongCodes, l.Kind == LetterSecured: // whoever did it may sit at the office
		return Forbidden("It warns its reader, so nobody may stop it.")
	case !l.Kind.CarriesLink() && l.Kind != LetterNoAccount && l.Kind != LetterRingUs && l.Kind != LetterEmailTaken:
		return Forbidden("It tells its reader what was done with their account, so nobody may stop it.")
	}
	for _, t := range about {
		if err := a.MayGovern(t); err != nil {
			return err
		}
	}
	return nil
}
