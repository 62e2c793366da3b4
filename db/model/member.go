package model

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Member is a person on the association's roll: the record. It exists
// without any way to sign in.
type Member struct {
	ID      int64
	Version int64 // grows with each change; a form that was opened on an older one is shown the difference

	MemberNo       string // unique when folded, no @
	FirstName      string
	LastName       string
	Company        string
	Email          string // contact address; the account's may differ
	Phone          string
	Address1       string
	Address2       string
	City           string
	Region         string
	Postcode       string
	Country        string
	BirthDate      string // ISO 8601 date, "" if unknown; so are the other dates
	MembershipType string
	Status         Status
	JoinedOn       string
	RenewsOn       string
	Notes          string

	CreatedAt time.Time
	UpdatedAt time.Time
}

// Status is where somebody stands with the association. It never blocks
// signing in.
type Status string

// The statuses.
const (
	StatusActive   Status = "active"
	StatusLapsed   Status = "lapsed"
	StatusProspect Status = "prospect"
	StatusFormer   Status = "former"
)

// Statuses lists them in the order of a form.
var Statuses = []Status{StatusActive, StatusLapsed, StatusProspect, StatusFormer}

// MayJoin reports whether a member of this status who has no account yet may
// start one by asking for a password (product.md §4.2).
func (s Status) MayJoin() bool { return s == StatusActive || s == StatusProspect }

// Name is how the member is called on a page.
func (m Member) Name() string {
	if n := strings.TrimSpace(m.FirstName + " " + m.LastName); n != "" {
		return n
	}
	for _, s := range []string{m.Company, m.Email, m.MemberNo} {
		if s != "" {
			return s
		}
	}
	return "Unnamed member"
}

// SortKey orders members by name: last name, first name, else what they are
// called by.
func (m Member) SortKey() string {
	key := strings.Join(words(Fold(m.LastName+" "+m.FirstName)), " ")
	if key == "" {
		key = strings.Join(words(Fold(m.Name())), " ")
	}
	return key
}

// MemberNoKey is the form under which two member numbers are the same:
// composed and case-folded.
func MemberNoKey(no string) string {
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(strings.TrimSpace(no))))
}

// MemberField is one field of the record, as it is called in forms and CSV
// files (product.md §8).
type MemberField struct {
	Name  string
	Label string
	Max   int // in characters
	of    func(*Member) *string
}

// Value is the field's text in a record.
func (f MemberField) Value(m *Member) string { return *f.of(m) }

// Set puts a text into the field of a record.
func (f MemberField) Set(m *Member, text string) { *f.of(m) = text }

// MemberFields lists every field in the order of the form.
var MemberFields = []MemberField{
	{"member_no", "Member number", 40, func(m *Member) *string { return &m.MemberNo }},
	{"first_name", "First name", 100, func(m *Member) *string { return &m.FirstName }},
	{"last_name", "Last name", 100, func(m *Member) *string { return &m.LastName }},
	{"company", "Company", 150, func(m *Member) *string { return &m.Company }},
	{"email", "Email", emailMax, func(m *Member) *string { return &m.Email }},
	{"phone", "Phone", 50, func(m *Member) *string { return &m.Phone }},
	{"address1", "Address", 150, func(m *Member) *string { return &m.Address1 }},
	{"address2", "Address, second line", 150, func(m *Member) *string { return &m.Address2 }},
	{"city", "Town or city", 100, func(m *Member) *string { return &m.City }},
	{"region", "Region", 100, func(m *Member) *string { return &m.Region }},
	{"postcode", "Postcode", 20, func(m *Member) *string { return &m.Postcode }},
	{"country", "Country", 100, func(m *Member) *string { return &m.Country }},
	{"birth_date", "Date of birth", 10, func(m *Member) *string { return &m.BirthDate }},
	{"membership_type", "Kind of membership", 100, func(m *Member) *string { return &m.MembershipType }},
	{"status", "Status", 20, func(m *Member) *string { return (*string)(&m.Status) }},
	{"joined_on", "Joined on", 10, func(m *Member) *string { return &m.JoinedOn }},
	{"renews_on", "Renews on", 10, func(m *Member) *string { return &m.RenewsOn }},
	{"notes", "Notes", 10_000, func(m *Member) *string { return &m.Notes }},
}

// Clean brings what was typed into the record's form (spaces around it gone,
// composed, one kind of line break, nothing that turns the direction of writing)
// and says what cannot be taken, field by
// field. The record is cleaned even then, so the form shows what was typed.
func (m *Member) Clean() Fields {
	f := Fields{}
	for _, field := range MemberFields {
		// Composed before it is measured: NFC parts some signs for good.
		text := strings.TrimSpace(norm.NFC.String(withoutTurns.Replace(lineBreaks.Replace(field.Value(m)))))
		f.Add(field.Name, textProblem(text, field.Max, field.Name == "notes"))
		field.Set(m, text)
	}
	if m.Status == "" {
		m.Status = StatusActive
	}
	if !knownStatus(m.Status) {
		f.Add("status", "Please choose one of the four.")
	}
	if m.FirstName == "" && m.LastName == "" && m.Company == "" {
		f.Add("last_name", "Please give a name or a company.")
	}
	if strings.Contains(m.MemberNo, "@") {
		f.Add("member_no", "A member number has no @ in it, so that nobody takes it for an email address.")
	}
	_, sentence := ParseEmail(m.Email)
	f.Add("email", sentence)
	for name, date := range map[string]string{"birth_date": m.BirthDate, "joined_on": m.JoinedOn, "renews_on": m.RenewsOn} {
		if date == "" {
			continue
		}
		if t, err := time.Parse(time.DateOnly, date); err != nil || t.Year() < 1800 || t.Year() > 2200 {
			f.Add(name, "Please write the date as year-month-day, like 1958-03-21.")
		}
	}
	return f
}

var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// withoutTurns leaves out the embeddings, overrides and isolates of the
// bidirectional algorithm: iPhones put them around a telephone number that is
// copied, and with them in a name the rest of an audit line can be made to read
// backwards (Unicode Technical Report 36, §2.5). Right-to-left names need none.
var withoutTurns = strings.NewReplacer("\u202a", "", "\u202b", "", "\u202c", "", "\u202d", "", "\u202e", "",
	"\u2066", "", "\u2067", "", "\u2068", "", "\u2069", "")

func knownStatus(s Status) bool { return slices.Contains(Statuses, s) }

// textProblem says why a text cannot be stored, or "".
func textProblem(s string, longest int, lines bool) string {
	if !utf8.ValidString(s) {
		return "There is a character in this that cannot be read. Please type it again."
	}
	if n := utf8.RuneCountInString(s); n > longest {
		return tooLong(n, longest)
	}
	for _, r := range s {
		if unicode.IsControl(r) && (!lines || (r != '\n' && r != '\t')) {
			return "There is an invisible control character in this. Please type it again."
		}
	}
	return ""
}

// MemberFilter narrows the list of members to those whom the office has to
// look after.
type MemberFilter string

// The filters.
const (
	FilterNone          MemberFilter = ""
	FilterNoAccount     MemberFilter = "no-account"
	FilterNeverSignedIn MemberFilter = "never-signed-in"    // an account that nobody has used yet
	FilterUnfinished    MemberFilter = "unfinished"         // a link was sent, and they have not been in since
	FilterFailing       MemberFilter = "email-failing"      // a letter to the account's address failed or bounced, and none was accepted since
	FilterBlocked       MemberFilter = "disabled-or-slowed" // disabled, or made to wait by wrong tries
	FilterStaff         MemberFilter = "staff"
)

// MemberFilters lists them in the order of the page.
var MemberFilters = []MemberFilter{
	FilterNone, FilterNoAccount, FilterNeverSignedIn, FilterUnfinished, FilterFailing, FilterBlocked, FilterStaff,
}

// MemberSort is the order of the list.
type MemberSort string

// The orders. Who never signed in comes last, newest first.
const (
	SortName       MemberSort = ""
	SortNewest     MemberSort = "newest" // added last
	SortLastSignIn MemberSort = "last-sign-in"
)

// MemberSorts lists them in the order of the page.
var MemberSorts = []MemberSort{SortName, SortNewest, SortLastSignIn}

// MemberQuery asks for one page of the list. A filter, status or sort that
// does not exist is as if none was asked for.
type MemberQuery struct {
	Text   string
	Filter MemberFilter
	Status Status // "" for every one
	Sort   MemberSort
	After  string // cursor of MemberPage; only one of the two is set
	Before string
}

// PerPage is how many rows a page has: few where somebody types and looks at
// the first, more where they browse.
func (q MemberQuery) PerPage() int {
	if strings.TrimSpace(q.Text) != "" {
		return 25
	}
	return 50
}

// Known is the query without a filter, status or sort that does not exist.
func (q MemberQuery) Known() MemberQuery {
	if !slices.Contains(MemberFilters, q.Filter) {
		q.Filter = FilterNone
	}
	if !knownStatus(q.Status) {
		q.Status = ""
	}
	if !slices.Contains(MemberSorts, q.Sort) {
		q.Sort = SortName
	}
	return q
}

// MemberRow is a member as the list shows them.
type MemberRow struct {
	Member
	HasAccount   bool
	AccountRole  Role
	Disabled     bool
	Slowed       bool // by wrong tries; known where the list is narrowed to it
	LastSignInAt time.Time
}

// MemberPage is one page of the list. Prev and Next are cursors, "" at the
// ends.
type MemberPage struct {
	Rows  []MemberRow
	Total int // of all pages
	Prev  string
	Next  string

	// Near is what the text might have meant to say, where nobody was found
	// for it; "" if nothing comes near.
	Near string
}

// StaleError says that a record was changed by somebody else after the form
// was opened. Nothing was written.
type StaleError struct {
	Theirs Member   // as it is now
	By     string   // who saved last, "" if it is not known any more
	Fields []string // names of the fields in which it differs from what was sent
}

func (e *StaleError) Error() string { return "the record was changed meanwhile" }

// Person is somebody a page points to.
type Person struct {
	MemberID  int64
	AccountID int64
	Name      string
}
