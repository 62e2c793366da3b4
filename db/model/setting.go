package model

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Settings is what an owner can decide about the portal.
type Settings struct {
	Association  string
	BaseURL      string // every link begins with it; never taken from a request
	TimeZone     string // IANA name
	SupportEmail string
	SupportPhone string
	Colour       string // of the association, #rrggbb, "" for ours

	Resets            ResetPolicy
	MinPasswordLength int           // for members; staff and owners have at least 15
	PasswordReminder  time.Duration // after which somebody is told that their password is old; 0: never
	RollSignIn        bool          // somebody on the roll may start an account by asking for a password
	Households        bool          // several accounts may share one email
	UnknownLetters    bool          // tell an unknown address that there is no account
	Factors           FactorRules

	Mail     MailServer
	MailFrom string
	ReplyTo  string
	Former   FormerMail // how letters left before that was last changed
	DKIM     DKIMKeys

	// NoticeFrom and NoticeReplyTo are for letters of GroupNotice. "" is the
	// same as for all others.
	NoticeFrom    string
	NoticeReplyTo string

	LettersPerMinute int // as many as the mail server's owner allows; 0: as many as it takes

	// BounceAddress gets the reports about letters that come back. "" has
	// letters leave under MailFrom: many mail servers take no other sender.
	BounceAddress string

	AuditKept time.Duration // how long it is known who did what; one to ten years

	SetUpAt time.Time // zero until /setup is done

	// Fixed names the settings that a flag or the environment decides; they
	// are shown, not edited. Keys are the names of the form fields.
	Fixed map[string]bool
}

// DefaultSettings is a portal that nobody has decided anything about.
func DefaultSettings() Settings {
	return Settings{
		BaseURL: "http://localhost:8080", TimeZone: "UTC", Resets: UsualResets,
		MinPasswordLength: 12, RollSignIn: true, Households: true, UnknownLetters: true, Factors: DefaultFactorRules,
		AuditKept: AuditKept,
		Fixed:     map[string]bool{},
	}
}

// StaffPasswordLength is the least for whoever can open other people's
// accounts (NIST SP 800-63B-4 §3.1.1.2 asks for 15 where a password stands
// alone).
const StaffPasswordLength = 15

// PasswordLength is the least number of characters for a password of a role.
func (s Settings) PasswordLength(r Role) int {
	if r.AtLeast(RoleStaff) {
		return max(s.MinPasswordLength, StaffPasswordLength)
	}
	return s.MinPasswordLength
}

// PasswordReminders are what an owner may choose from. Never is the first, for
// a forced or frequent change makes passwords worse (NIST SP 800-63B-4
// §3.1.1.2; OWASP ASVS 5.0, 6.2.10): it is a notice, and stays one.
var PasswordReminders = []time.Duration{0, 60 * 24 * time.Hour, 90 * 24 * time.Hour, 180 * 24 * time.Hour, 365 * 24 * time.Hour}

// PasswordOld reports whether it is time to remind somebody of their password.
func (s Settings) PasswordOld(a Account, now time.Time) bool {
	return s.PasswordReminder > 0 && a.HasPassword && !a.PasswordSetAt.IsZero() && !now.Before(a.PasswordSetAt.Add(s.PasswordReminder))
}

// Location is the association's time zone; UTC if its name means nothing here.
//
// The last one is kept: to read a zone's file takes 20 µs, and every page and
// letter asks.
func (s Settings) Location() *time.Location {
	if last := lastZone.Load(); last != nil && last.name == s.TimeZone {
		return last.loc
	}
	loc, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return time.UTC
	}
	lastZone.Store(&zone{s.TimeZone, loc})
	return loc
}

type zone struct {
	name string
	loc  *time.Location
}

var lastZone atomic.Pointer[zone]

// Portal is the host of the base URL: what people see in their address bar.
func (s Settings) Portal() string {
	u, err := url.Parse(s.BaseURL)
	if err != nil {
		return ""
	}
	return u.Host
}

// Secure reports whether the portal is reached over https.
func (s Settings) Secure() bool { return strings.HasPrefix(s.BaseURL, "https://") }

// Sender is the address letters come from, but for those that have another
// one: see SenderOf.
func (s Settings) Sender() string {
	if s.MailFrom != "" {
		return s.MailFrom
	}
	u, err := url.Parse(s.BaseURL)
	if err != nil {
		return ""
	}
	host := u.Hostname()
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		host = "[" + a.String() + "]" // an address literal, RFC 5321 §4.1.3
	}
	return "no-reply@" + host
}

// mostPerMinute is more than any mail server for hire allows.
const mostPerMinute = 6000

// BulkPerMinute is how many of LettersPerMinute letters may be ones that can
// wait: a quarter of them is kept for those that somebody waits for.
func (s Settings) BulkPerMinute() int { return s.LettersPerMinute - s.LettersPerMinute/4 }

// HeldBack reports whether letters must not leave: a link to this very
// computer is of no use to whoever opens it elsewhere.
func (s Settings) HeldBack() bool {
	u, err := url.Parse(s.BaseURL)
	return err == nil && Loopback(u.Hostname()) && !s.Mail.IsZero() && !Loopback(s.Mail.Host)
}

// Loopback reports whether a host name or address means this very computer.
func Loopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.Unmap().IsLoopback()
}

// plausibleHost reports whether a host is a name or an address. url.Parse
// alone also takes quotes, commas and angle brackets.
func plausibleHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Zone() == ""
	}
	return plausibleName(strings.ReplaceAll(host, "_", "-")) // Windows has names with one
}

// ParseBaseURL checks the address under which people reach the portal. It
// comes back as browsers write an origin: lower case, without the usual port.
func ParseBaseURL(typed string) (base, sentence string) {
	s := strings.TrimRight(strings.TrimSpace(typed), "/")
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || !plausibleHost(u.Hostname()) ||
		u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return s, "Please write it like https://members.example.org, without anything after the name."
	}
	base = u.Scheme + "://" + strings.ToLower(strings.TrimSuffix(u.Host, ":"+u.Port()))
	if u.Port() == "" {
		return base, ""
	}
	port, err := strconv.Atoi(u.Port())
	switch {
	case err != nil || port < 1 || port > 65535:
		return s, "The number after the colon, the port, goes from 1 to 65535."
	case port == 80 && u.Scheme == "http", port == 443 && u.Scheme == "https":
		return base, ""
	}
	return base + ":" + strconv.Itoa(port), ""
}

// ParseMailServer reads smtp://[user:password@]host[:port] (STARTTLS) or
// smtps://… (TLS from the first byte). An error never repeats the password.
func ParseMailServer(s string) (MailServer, error) {
	if s == "" {
		return MailServer{}, nil
	}
	u, err := url.Parse(s)
	// A ? or # may be a bare one of the password, and what stands before it
	// would pass for the host.
	if err != nil || (u.Scheme != "smtp" && u.Scheme != "smtps") || !plausibleHost(u.Hostname()) ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return MailServer{}, fmt.Errorf("the mail server is written smtp://user:password@host:port, or smtps:// for TLS from the start")
	}
	m := MailServer{Host: u.Hostname(), Port: 587, TLS: u.Scheme == "smtps"}
	if m.TLS {
		m.Port = 465
	}
	if u.Port() != "" {
		if m.Port, err = strconv.Atoi(u.Port()); err != nil || m.Port < 1 || m.Port > 65535 {
			return MailServer{}, fmt.Errorf("the mail server's port is a number from 1 to 65535")
		}
	}
	if !m.mayUsePort() {
		return MailServer{}, fmt.Errorf("a mail server is reached on port 25, 465, 587 or 2525")
	}
	if a, err := netip.ParseAddr(m.Host); err == nil && !MayDial(a) {
		return MailServer{}, fmt.Errorf("a link-local address is not a mail server's")
	}
	if u.User != nil {
		m.User = u.User.Username()
		pw, _ := u.User.Password()
		m.Password = NewSecret(pw)
	}
	return m, nil
}

// URL is the mail server as ParseMailServer reads it, without the password.
func (s MailServer) URL() string {
	if s.IsZero() {
		return ""
	}
	u := url.URL{Scheme: "smtp", Host: s.Host + ":" + strconv.Itoa(s.Port)}
	if strings.Contains(s.Host, ":") {
		u.Host = "[" + s.Host + "]:" + strconv.Itoa(s.Port)
	}
	if s.TLS {
		u.Scheme = "smtps"
	}
	if s.User != "" {
		u.User = url.User(s.User)
	}
	return u.String()
}

// Clean trims what was typed and says what cannot be taken.
func (s *Settings) Clean() Fields {
	f := s.Resets.Check()
	s.Association = strings.TrimSpace(s.Association)
	if s.Association == "" {
		f.Add("association", "Please give the association's name; letters and pages carry it.")
	}
	f.Add("association", textProblem(s.Association, 120, false))
	base, sentence := ParseBaseURL(s.BaseURL)
	s.BaseURL = base
	f.Add("base_url", sentence)
	if _, err := time.LoadLocation(s.TimeZone); err != nil || s.TimeZone == "" || s.TimeZone == "Local" {
		f.Add("time_zone", "Please choose a time zone from the list, like Europe/Berlin.")
	}
	for name, email := range map[string]*string{
		"support_email": &s.SupportEmail, "mail_from": &s.MailFrom, "reply_to": &s.ReplyTo, "notice_from": &s.NoticeFrom, "notice_reply_to": &s.NoticeReplyTo,
	} {
		*email, sentence = ParseEmail(*email)
		f.Add(name, sentence)
	}
	s.SupportPhone = strings.TrimSpace(s.SupportPhone)
	f.Add("support_phone", textProblem(s.SupportPhone, 50, false))
	if s.MinPasswordLength < 8 || s.MinPasswordLength > 64 {
		f.Add("min_password_length", "Please choose a number from 8 to 64.")
	}
	if !slices.Contains(PasswordReminders, s.PasswordReminder) {
		f.Add("password_reminder", "Please choose one of these.")
	}
	if s.LettersPerMinute < 0 || s.LettersPerMinute > mostPerMinute {
		f.Add("letters_per_minute", "Please choose a number up to 6,000, or leave it empty.")
	}
	if s.AuditKept < shortestAuditKept || s.AuditKept > longestAuditKept {
		f.Add("audit_kept", "Please choose a number from 1 to 10.")
	}
	return f
}
