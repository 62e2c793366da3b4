package model

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// MailChange is what an owner asks for on the page of mail settings.
type MailChange struct {
	BaseURL       string
	Mail          MailServer // without a password, the present one stays if nothing else of the server changes
	MailFrom      string
	ReplyTo       string
	NoticeFrom    string
	NoticeReplyTo string
	BounceAddress string
	Current       Secret // the owner's own password, asked for once more
	Unread        Fields // what of the form could not even be read
}

// Clean trims what was typed and says what cannot be taken. present is what
// counts now.
func (c *MailChange) Clean(present Settings) Fields {
	f := c.Unread
	if f == nil {
		f = Fields{}
	}
	sentence := ""
	if !present.Fixed["base_url"] {
		c.BaseURL, sentence = ParseBaseURL(c.BaseURL)
		f.Add("base_url", sentence)
	}
	if !present.Fixed["mail_from"] {
		c.MailFrom, sentence = ParseEmail(c.MailFrom)
		f.Add("mail_from", sentence)
	}
	for name, email := range map[string]*string{"reply_to": &c.ReplyTo, "notice_from": &c.NoticeFrom, "notice_reply_to": &c.NoticeReplyTo, "bounce_address": &c.BounceAddress} {
		*email, sentence = ParseEmail(*email)
		f.Add(name, sentence)
	}
	if f["bounce_address"] == "" {
		f.Add("bounce_address", CheckBounceAddress(c.BounceAddress))
	}
	if !present.Fixed["mail_server"] {
		c.Mail.Clean(present.Mail, f)
	}
	if c.Current.IsZero() {
		f.Add("current_password", "Please type your own password: this page decides where everybody’s letters go.")
	}
	return f
}

// Clean trims a typed mail server, and says what of it cannot be taken. present
// is the one that counts now. A password belongs to the server that it was
// typed for: whoever turns the portal to another server must not have it handed
// over there.
func (s *MailServer) Clean(present MailServer, f Fields) {
	s.Host, s.User = strings.TrimSuffix(strings.TrimSpace(s.Host), "."), strings.TrimSpace(s.User)
	if s.Host == "" {
		*s = MailServer{}
		return
	}
	if !plausibleHost(s.Host) {
		f.Add("mail_host", "Please write the server’s name alone, like mail.example.org.")
		return
	}
	if s.Port < 1 || s.Port > 65535 {
		f.Add("mail_port", "The port goes from 1 to 65535.")
	} else if !s.mayUsePort() {
		f.Add("mail_port", "A mail server is reached on port 25, 465, 587 or 2525.")
	}
	if a, err := netip.ParseAddr(s.Host); err == nil && !MayDial(a) {
		f.Add("mail_host", "This address is not a mail server’s.")
	}
	f.Add("mail_user", textProblem(s.User, 200, false))
	f.Add("mail_password", textProblem(s.Password.Reveal(), 500, false))
	if s.User == "" {
		s.Password = Secret{}
		return
	}
	if s.Password.IsZero() && s.URL() == present.URL() {
		s.Password = present.Password
	}
	if s.Password.IsZero() {
		f.Add("mail_password", "Please type the password that goes with this user and server.")
	}
}

// Same reports whether two mail servers are the same in all, their passwords
// included. (== compares where passwords are kept, not what they are.)
func (s MailServer) Same(o MailServer) bool {
	return s.URL() == o.URL() && s.Password.Reveal() == o.Password.Reveal()
}

// mayUsePort: on another machine only a mail server's ports. Otherwise the
// settings page could be used to knock on any port of the network the portal
// stands in.
func (s MailServer) mayUsePort() bool {
	return Loopback(s.Host) || s.Port == 25 || s.Port == 465 || s.Port == 587 || s.Port == 2525
}

// metadata are the addresses at which a cloud tells a machine its own keys,
// where they are not link-local anyway: Amazon's for IPv6, Alibaba's, Oracle's.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("192.0.0.192"),
}

// MayDial reports whether a mail server can have an address: not a link-local
// one, a cloud's metadata, a whole group or none. It is asked with what a name
// resolved to, as the connection is made: a name may point elsewhere by then.
func MayDial(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() {
		return false
	}
	for _, m := range metadata {
		if a == m {
			return false
		}
	}
	return true
}

// Delivers reports whether letters can leave by these settings.
func (s Settings) Delivers() bool { return !s.Mail.IsZero() && !s.HeldBack() }

// DeliversNotices reports whether the notice of changed mail settings can leave,
// by the last trusted way or the present one.
func (s Settings) DeliversNotices(now time.Time) bool {
	return s.Delivers() || s.OnTrial(now) && s.AsBefore().Delivers()
}

// FormerMail is how letters left before an owner changed that.
type FormerMail struct {
	BaseURL       string
	Mail          MailServer
	MailFrom      string
	NoticeFrom    string
	BounceAddress string

	ChangedAt time.Time // the last change since
	ChangedBy int64     // account of the owner who made it
}

// TrustAfter is how long changed mail settings are not trusted with other
// owners' links. It is an hour less than a letter is tried: a notice that the
// former server never took still leaves by the new one.
const TrustAfter = GiveUp - time.Hour

// OnTrial reports whether it is so short since the mail settings were changed
// that other owners may not have noticed.
func (s Settings) OnTrial(now time.Time) bool {
	return !s.Former.ChangedAt.IsZero() && now.Before(s.TrustedFrom())
}

// TrustedFrom is when the trial of changed mail settings is over.
func (s Settings) TrustedFrom() time.Time { return s.Former.ChangedAt.Add(TrustAfter) }

// AsBefore is the settings with letters leaving as they did before the change.
// What a flag decides was decided by whoever runs the program, and stays.
func (s Settings) AsBefore() Settings {
	if !s.Fixed["base_url"] {
		s.BaseURL = s.Former.BaseURL
	}
	if !s.Fixed["mail_server"] {
		s.Mail = s.Former.Mail
	}
	if !s.Fixed["mail_from"] {
		s.MailFrom = s.Former.MailFrom
	}
	s.NoticeFrom = s.Former.NoticeFrom
	s.BounceAddress = s.Former.BounceAddress
	return s
}

// Rerouted reports whether letters, or the links in them, go elsewhere than
// before. Where they go back to counts as well: a server that refuses a letter
// later on returns it whole, with its link, unless it knows of RFC 3461.
// Another password for the same user of the same server is no other way.
func (s Settings) Rerouted() bool {
	old := s.AsBefore()
	return s.BaseURL != old.BaseURL || s.Mail.URL() != old.Mail.URL() || s.envelopeSender() != old.envelopeSender()
}

// envelopeSender is where letters that come back go to.
func (s Settings) envelopeSender() string {
	if s.BounceAddress != "" {
		return s.BounceAddress
	}
	return s.Sender()
}

// SameWay reports whether letters leave as they did before.
func (s Settings) SameWay() bool {
	old := s.AsBefore()
	return !s.Rerouted() && s.Mail.Same(old.Mail) && s.MailFrom == old.MailFrom && s.NoticeFrom == old.NoticeFrom && s.BounceAddress == old.BounceAddress
}

// MailChanges says in words what differs between two ways for letters, as the
// end of a sentence; "" if nothing does. It names no password.
func MailChanges(was, is Settings) string {
	var said []string
	say := func(what, before, now string) {
		if before != now {
			said = append(said, fmt.Sprintf("%s %s (before: %s)", what, orNone(now), orNone(before)))
		}
	}
	say("letters are handed to", was.Mail.place(), is.Mail.place())
	if was.Mail.User != is.Mail.User || was.Mail.Password.Reveal() != is.Mail.Password.Reveal() {
		said = append(said, "there is another user name or password for the mail server")
	}
	say("letters come from", was.Sender(), is.Sender())
	say("notices come from", was.NoticeFrom, is.NoticeFrom)
	say("letters that come back go to", was.BounceAddress, is.BounceAddress)
	say("links begin with", was.BaseURL, is.BaseURL)
	return strings.Join(said, "; ")
}

func orNone(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// place is a mail server without its user.
func (s MailServer) place() string {
	s.User = ""
	return s.URL()
}

// TestLetter is the last letter that an owner sent to themselves to try the
// mail settings out.
type TestLetter struct {
	Letter
	Conversation string // the mail server's lines, at most 1 KB
}
