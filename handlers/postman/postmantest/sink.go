// Package postmantest has mail servers for tests: one that misbehaves on
// demand, and a real MailHog.
package postmantest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/db/model"
)

// What a script may have instead of a reply.
const (
	Cut     = "\x00cut"     // the connection is closed
	Silence = "\x00silence" // nothing, until the connection is closed
	Wait    = "\x00wait"    // before a reply: it comes once Release is called
)

// Script says what a Sink answers: for each verb, the replies in their order
// over all connections; after the last one, and to all other verbs, it
// answers what a good server would. A reply may have several lines, each with
// its line break but the last.
//
// Besides the verbs of SMTP there are "connect" (the greeting), "body" (the
// first line of a message) and "." (its end).
type Script map[string][]string

// Sink is a mail server on loopback that does as it is told and keeps every
// message whose end it saw.
type Sink struct {
	t       testing.TB
	port    int
	offers  []string
	cert    tls.Certificate
	secured bool // TLS from the first byte
	done    chan struct{}
	release chan struct{}
	clients sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
	script   Script
	heard    []string // verbs, with what follows them
	letters  []Letter
	changed  chan struct{} // closed and replaced when something was heard
}

// NewSink starts a server that lives until the test ends. It offers the named
// extensions, like "STARTTLS" or "AUTH PLAIN"; with "TLS" it speaks TLS from
// the first byte.
func NewSink(t testing.TB, script Script, offers ...string) *Sink {
	t.Helper()
	s := &Sink{
		t: t, script: script, cert: certificate(t), done: make(chan struct{}), release: make(chan struct{}),
		open: map[net.Conn]bool{}, changed: make(chan struct{}),
	}
	for _, o := range offers {
		if o == "TLS" {
			s.secured = true
			continue
		}
		s.offers = append(s.offers, o)
	}
	s.listen("127.0.0.1:0")
	t.Cleanup(func() {
		close(s.done)
		s.Refuse()
		s.clients.Wait()
	})
	return s
}

// Server is the sink as a setting.
func (s *Sink) Server() model.MailServer {
	return model.MailServer{Host: "127.0.0.1", Port: s.port, TLS: s.secured}
}

// Address is where the sink listens.
func (s *Sink) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// Refuse closes the door and every connection: the next one is refused.
func (s *Sink) Refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		_ = s.listener.Close()
		s.listener = nil
	}
	for c := range s.open {
		_ = c.Close()
	}
}

// Reopen takes connections again, at the same address.
func (s *Sink) Reopen() { s.listen(s.Address()) }

// Say replaces the script.
func (s *Sink) Say(script Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// Release lets go the replies that wait, now and later.
func (s *Sink) Release() { close(s.release) }

// Letters is every message whose end the sink saw, whatever it answered.
func (s *Sink) Letters() []Letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Letter(nil), s.letters...)
}

// Open is how many connections there are.
func (s *Sink) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// Heard is every line that was said to the sink, save the messages.
func (s *Sink) Heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.heard...)
}

// Count is how often a verb was heard.
func (s *Sink) Count(verb string) int {
	n := 0
	for _, line := range s.Heard() {
		if verbOf(line) == verb {
			n++
		}
	}
	return n
}

// Await waits until ok, asking after each thing that the sink hears.
func (s *Sink) Await(ok func() bool) {
	s.t.Helper()
	late := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-late:
			s.t.Fatalf("the sink waited in vain; it heard %q", s.Heard())
		}
	}
}

func (s *Sink) listen(address string) {
	s.t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = l
	s.port = l.Addr().(*net.TCPAddr).Port
	s.clients.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.open[c] = true
			s.mu.Unlock()
			s.clients.Go(func() {
				(&talk{Sink: s}).run(c)
				s.mu.Lock()
				delete(s.open, c)
				s.mu.Unlock()
				_ = c.Close()
			})
		}
	})
}

// reply takes the next reply to a verb out of the script.
func (s *Sink) reply(line, usual string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(line)
	verb := verbOf(line)
	if next := s.script[verb]; len(next) > 0 {
		s.script[verb] = next[1:]
		return next[0]
	}
	return usual
}

// note tells whoever waits. The caller holds mu.
func (s *Sink) note(line string) {
	s.heard = append(s.heard, line)
	close(s.changed)
	s.changed = make(chan struct{})
}

func verbOf(line string) string {
	verb, _, _ := strings.Cut(line, " ")
	if verb == "connect" || verb == "body" {
		return verb
	}
	return strings.ToUpper(verb)
}

// talk is one connection to a sink.
type talk struct {
	*Sink
	conn net.Conn
	in   *bufio.Reader
}

func (k *talk) use(c net.Conn) { k.conn, k.in = c, bufio.NewReader(c) }

// say sends a reply. It reports whether the conversation goes on.
func (k *talk) say(reply string) bool {
	switch reply {
	case Cut:
		return false
	case Silence:
		// Until the client has enough: it says nothing, or closes.
		_ = k.conn.SetReadDeadline(time.Time{})
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			buf := make([]byte, 512)
			for {
				if _, err := k.conn.Read(buf); err != nil {
					return
				}
			}
		}()
		select {
		case <-gone:
		case <-k.done:
			_ = k.conn.Close()
			<-gone
		}
		return false
	}
	if after, ok := strings.CutPrefix(reply, Wait); ok {
		select {
		case <-k.release:
		case <-k.done:
		}
		reply = after
	}
	_, err := k.conn.Write([]byte(reply + "\r\n"))
	return err == nil
}

func (k *talk) run(c net.Conn) {
	k.use(c)
	if k.secured {
		k.use(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{k.cert}, MinVersion: tls.VersionTLS12}))
	}
	if !k.say(k.reply("connect", "220 sink.test ready")) {
		return
	}
	for {
		line, err := k.in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		switch verbOf(line) {
		case "EHLO":
			if !k.say(k.reply(line, strings.Join(append([]string{"250-sink.test"}, k.offers...), "\r\n250-")+"\r\n250 HELP")) {
				return
			}
		case "STARTTLS":
			if !k.say(k.reply(line, "220 go on")) {
				return
			}
			k.use(tls.Server(k.conn, &tls.Config{Certificates: []tls.Certificate{k.cert}, MinVersion: tls.VersionTLS12}))
		case "AUTH":
			if !k.say(k.reply(line, "235 2.7.0 welcome")) {
				return
			}
		case "DATA":
			reply := k.reply(line, "354 go on")
			if !k.say(reply) {
				return
			}
			if strings.HasPrefix(reply, "354") && !k.message() {
				return
			}
		case "QUIT":
			k.say(k.reply(line, "221 bye"))
			return
		default:
			if !k.say(k.reply(line, "250 2.0.0 OK")) {
				return
			}
		}
	}
}

// message reads a message up to its dot.
func (k *talk) message() bool {
	var raw strings.Builder
	for first := true; ; first = false {
		line, err := k.in.ReadString('\n')
		if err != nil {
			return false
		}
		if first {
			if reply := k.reply("body", ""); reply != "" && !k.say(reply) {
				return false
			}
		}
		if line == ".\r\n" {
			break
		}
		raw.WriteString(strings.TrimPrefix(line, "."))
	}
	l, err := ReadLetter([]byte(raw.String()))
	if err != nil {
		k.t.Errorf("the sink cannot read a message: %v", err)
	}
	k.mu.Lock()
	k.letters = append(k.letters, l)
	k.mu.Unlock()
	return k.say(k.reply(".", "250 2.0.0 queued as 4711"))
}

var certificate = func() func(testing.TB) tls.Certificate {
	made := sync.OnceValues(func() (tls.Certificate, error) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return tls.Certificate{}, err
		}
		is := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.test"}, DNSNames: []string{"mail.test"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
			IsCA: true, BasicConstraintsValid: true,
		}
		der, err := x509.CreateCertificate(rand.Reader, is, is, &key.PublicKey, key)
		if err != nil {
			return tls.Certificate{}, err
		}
		leaf, err := x509.ParseCertificate(der)
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
	})
	return func(t testing.TB) tls.Certificate {
		t.Helper()
		c, err := made()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}()
