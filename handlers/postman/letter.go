package postman

import (
	"bytes"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail"
	"golang.org/x/net/idna"

	"latchkey/db/model"
	"latchkey/views"
)

// letter is a message as it goes over the wire, with its envelope.
type letter struct {
	from, to string // of the envelope
	utf8     bool   // an address cannot be written in ASCII (RFC 6531)
	raw      []byte
}

var errAddress = errors.New("an address has a control character in it")

// write composes a letter as it leaves.
//
// The headers tell other machines that nobody is to answer (RFC 3834 §5;
// X-Auto-Response-Suppress is what Exchange listens to). There is no
// List-Unsubscribe: nobody should lose the letter that gets them back in.
func write(c model.LetterContents, now time.Time, signer *mail.DKIMSigner) (letter, error) {
	said, err := views.ComposeLetter(c)
	if err != nil {
		return letter{}, err
	}
	// Addresses are checked where they are typed. Should a line break be in one
	// all the same, the letter does not leave: what follows it would be a header
	// of somebody else's.
	for _, address := range []string{c.From, c.To, c.ReturnPath, c.ReplyTo} {
		if strings.ContainsFunc(address, unicode.IsControl) {
			return letter{}, errAddress
		}
	}
	var out letter
	from := asciiAddress(c.From)
	out.from, out.to = from, asciiAddress(c.To)
	if c.ReturnPath != "" {
		out.from = asciiAddress(c.ReturnPath)
	}
	out.utf8 = !ascii(from) || !ascii(out.from) || !ascii(out.to)
	if c.TimeZone != nil {
		now = now.In(c.TimeZone)
	}

	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	m.FromMailAddress(&netmail.Address{Name: model.OneLine(c.Association), Address: from})
	m.ToMailAddress(&netmail.Address{Address: out.to})
	if c.ReplyTo != "" {
		m.ReplyToMailAddress(&netmail.Address{Address: asciiAddress(c.ReplyTo)})
	}
	m.Subject(said.Subject)
	m.SetDateWithValue(now)
	m.SetMessageIDWithValue(strings.Trim(c.MessageID, "<>"))
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader(mail.HeaderXAutoResponseSuppress, "All")
	m.SetBodyString(mail.TypeTextPlain, said.Text)
	m.AddAlternativeString(mail.TypeTextHTML, said.HTML)
	if signer != nil {
		m.SetDKIM(signer)
	}
	var raw bytes.Buffer
	if _, err := m.WriteTo(&raw); err != nil {
		return letter{}, fmt.Errorf("message: %w", err)
	}
	out.raw = raw.Bytes()
	return out, nil
}

// asciiAddress writes the domain of an address the way the mail system knows
// it ("xn--…", RFC 5891), so that only the few addresses with such letters
// before the @ need a server that speaks SMTPUTF8.
func asciiAddress(address string) string {
	at := strings.LastIndexByte(address, '@')
	return address[:at+1] + asciiDomain(address[at+1:])
}

func asciiDomain(domain string) string {
	if ascii(domain) {
		return domain
	}
	if a, err := idna.Lookup.ToASCII(domain); err == nil {
		return a
	}
	return domain
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}
