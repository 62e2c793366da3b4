package postman

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail/log"
	"github.com/wneessen/go-mail/smtp"

	"latchkey/db/model"
)

// transcript is what the mail server said in one conversation, for whoever
// tries the settings out. A nil transcript hears nothing.
type transcript struct {
	lines []string
	first *firstWords
}

// greeting overhears the first thing that a server says, which the library
// reads before it can be asked to tell. The library no longer sees from the
// connection's type then that it is encrypted: see signIn.
func (t *transcript) greeting(conn net.Conn) net.Conn {
	if t == nil {
		return conn
	}
	t.first = &firstWords{Conn: conn}
	return t.first
}

// listen has the library tell what the server says from now on.
func (t *transcript) listen(client *smtp.Client) {
	if t == nil {
		return
	}
	client.SetLogger(t)
	client.SetDebugLog(true)
}

// close gives the conversation, with how it ended, fit to be shown: readable,
// at most 1 KB, and without the password, whatever the server repeated.
func (t *transcript) close(reply string, err error, server model.MailServer) string {
	if t == nil {
		return ""
	}
	lines := t.lines
	if t.first != nil {
		lines = append([]string{string(t.first.said)}, lines...)
	}
	if refused, ok := errors.AsType[*textproto.Error](err); ok {
		// The library tells of a refused sign-in, and of no other refusal.
		if said := strconv.Itoa(refused.Code) + " " + refused.Msg; !slices.Contains(lines, said) {
			lines = append(lines, said)
		}
	} else if err == nil && reply != "" {
		lines = append(lines, "250 "+reply)
	}
	var all []string
	for _, l := range lines {
		for line := range strings.Lines(l) {
			if line = clean(without(line, server)); line != "" {
				all = append(all, line)
			}
		}
	}
	said := strings.Join(all, "\n")
	if len(said) > model.LongestReply {
		// How it began says little; how it ended is the answer.
		said = said[len(said)-model.LongestReply+len("…"):]
		for len(said) > 0 && said[0]&0xc0 == 0x80 {
			said = said[1:]
		}
		said = "…" + said
	}
	return said
}

// without takes the password out of a line, also as it went over the wire
// (RFC 4616; AUTH LOGIN sends it alone).
func without(line string, server model.MailServer) string {
	plain := server.Password.Reveal()
	if plain == "" {
		return line
	}
	for _, sent := range []string{"\x00" + server.User + "\x00" + plain, plain} {
		line = strings.ReplaceAll(line, sent, "[…]")
		line = strings.ReplaceAll(line, base64.StdEncoding.EncodeToString([]byte(sent)), "[…]")
	}
	return line
}

// Debugf is told both sides by the library; only the server's is kept.
func (t *transcript) Debugf(l log.Log) {
	if l.Direction != log.DirServerToClient {
		return
	}
	if said := fmt.Sprintf(l.Format, l.Messages...); !strings.HasPrefix(said, "334 ") { // asks for user or password
		t.lines = append(t.lines, model.AtMost(said, 8*model.LongestReply))
	}
}

// Infof has nothing to keep, and neither have the next two.
func (t *transcript) Infof(log.Log) {}

// Warnf has nothing to keep.
func (t *transcript) Warnf(log.Log) {}

// Errorf has nothing to keep.
func (t *transcript) Errorf(log.Log) {}

// firstWords is a connection that remembers what is heard until we speak.
type firstWords struct {
	net.Conn
	said  []byte
	spoke bool
}

func (f *firstWords) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	if !f.spoke && len(f.said) < model.LongestReply {
		f.said = append(f.said, b[:n]...)
	}
	return n, err
}

func (f *firstWords) Write(b []byte) (int, error) {
	f.spoke = true
	return f.Conn.Write(b)
}
