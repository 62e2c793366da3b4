package postmantest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"regexp"
	"strings"
)

// Letter is a message as a mail program would read it.
type Letter struct {
	Header  mail.Header
	Subject string // decoded
	Text    string // decoded, with plain line breaks
	HTML    string
	Raw     []byte
}

// ReadLetter takes a message apart.
func ReadLetter(raw []byte) (Letter, error) {
	l := Letter{Raw: raw}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return l, err
	}
	l.Header = m.Header
	if l.Subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		return l, err
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return l, err
	}
	if kind != "multipart/alternative" {
		return l, fmt.Errorf("a message of the type %s", kind)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := parts.NextPart() // undoes quoted-printable
		if errors.Is(err, io.EOF) {
			return l, nil
		}
		if err != nil {
			return l, err
		}
		body, err := io.ReadAll(p)
		if err != nil {
			return l, err
		}
		text := strings.ReplaceAll(string(body), "\r\n", "\n")
		switch kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type")); kind {
		case "text/plain":
			l.Text = text
		case "text/html":
			l.HTML = text
		default:
			return l, fmt.Errorf("a part of the type %s", kind)
		}
	}
}

var links = regexp.MustCompile(`https?://\S+/(?:reset|email)/[a-z2-7]{40}`)

// Links is every link to a new password or address in the plain text, in order.
func (l Letter) Links() []string { return links.FindAllString(l.Text, -1) }

// MessageID is the letter's identifier, without its brackets.
func (l Letter) MessageID() string { return strings.Trim(l.Header.Get("Message-Id"), "<>") }
