package postman

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"latchkey/db/model"
)

// line is a connection to a mail server that is ready for letters.
type line struct {
	server model.MailServer
	conn   net.Conn // the outermost; its deadline bounds every read and write
	smtp   *smtp.Client
	used   time.Time
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func directly(ctx context.Context, network, address string) (net.Conn, error) {
	// The address counts, not the name: it may resolve to another one each time.
	d := net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !model.MayDial(to.Addr()) {
			return errForbiddenAddress
		}
		return nil
	}}
	return d.DialContext(ctx, network, address)
}

var errForbiddenAddress = errors.New("its name leads to an address that is not a mail server's")

// connect opens a line: connection, greeting, encryption, sign-in. When ctx
// ends, so does the attempt.
//
// Letters and the password cross no network in the clear: without STARTTLS
// nothing is handed over, save on loopback. There encryption is used when it
// is offered, but a certificate is not asked to name "localhost".
func (p *Postman) connect(ctx context.Context, s model.Settings) (*line, error) {
	server := s.Mail
	reach, cancel := context.WithTimeout(ctx, p.patience.dial)
	defer cancel()
	conn, err := p.dial(reach, "tcp", net.JoinHostPort(server.Host, strconv.Itoa(server.Port)))
	if err != nil {
		return nil, stopped(ctx, &failure{stepReach, err})
	}
	conn = &metered{Conn: conn}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(p.patience.greet)) // a connection that has no deadlines is closed, and says so at the next read

	client, err := greet(ctx, conn, server, helloName(s), p.heard)
	if err != nil {
		_ = conn.Close()
		return nil, stopped(ctx, err)
	}
	return &line{server: server, conn: conn, smtp: client, used: time.Now()}, nil
}

// errStopped says that the portal stopped before a letter was finished.
var errStopped = errors.New("the portal is stopping")

// stopped is errStopped if ctx ended, for that is then why there is an err.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errStopped
	}
	return err
}

func greet(ctx context.Context, conn net.Conn, server model.MailServer, name string, heard *transcript) (*smtp.Client, error) {
	local := model.Loopback(server.Host)
	secure := &tls.Config{
		ServerName: server.Host, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: local, //nolint:gosec // nobody stands between a machine and itself
	}
	if server.TLS {
		over := tls.Client(conn, secure)
		if err := over.HandshakeContext(ctx); err != nil {
			return nil, &failure{stepEncrypt, err}
		}
		conn = over
	}
	client, err := smtp.NewClient(heard.greeting(conn), server.Host)
	if err != nil {
		return nil, &failure{stepGreet, err}
	}
	heard.listen(client)
	if err := client.Hello(name); err != nil {
		return nil, &failure{stepGreet, err}
	}
	if !server.TLS {
		offered, _ := client.Extension("STARTTLS")
		switch {
		case offered:
			if err := client.StartTLS(secure); err != nil {
				return nil, &failure{stepEncrypt, err}
			}
		case !local:
			return nil, &failure{stepEncrypt, errors.New("it offers no STARTTLS")}
		}
	}
	if server.User != "" {
		if err := signIn(client, server, local || server.TLS); err != nil {
			return nil, &failure{stepSignIn, err}
		}
	}
	return client, nil
}

// signIn uses the plainest way the server knows: the connection is encrypted
// or does not leave the machine, and the plainest is what works everywhere.
// safe says so where the library, which knows of its own STARTTLS, cannot see it.
func signIn(client *smtp.Client, server model.MailServer, safe bool) error {
	_, offered := client.Extension("AUTH")
	known := strings.Fields(strings.ToUpper(offered))
	user, password := server.User, server.Password.Reveal()
	for _, way := range []struct {
		name string
		auth smtp.Auth
	}{
		{"PLAIN", smtp.PlainAuth("", user, password, server.Host, safe)},
		{"LOGIN", smtp.LoginAuth(user, password, server.Host, safe)},
		{"SCRAM-SHA-256", smtp.ScramSHA256Auth(user, password)},
		{"CRAM-MD5", smtp.CRAMMD5Auth(user, password)},
	} {
		if slices.Contains(known, way.name) {
			return client.Auth(way.auth)
		}
	}
	return errors.New("it offers no sign-in that we know")
}

// helloName is how the portal introduces itself (RFC 5321 §4.1.1.1): the name
// people reach it by. The machine's own name is often one that only a
// container knows, and servers refuse those.
func helloName(s model.Settings) string {
	u, err := url.Parse(s.BaseURL)
	if err != nil || u.Hostname() == "" {
		return "localhost"
	}
	host := asciiDomain(u.Hostname())
	switch ip := net.ParseIP(host); {
	case ip == nil:
		return host
	case ip.To4() == nil:
		return "[IPv6:" + host + "]"
	}
	return "[" + host + "]"
}

// send hands over one letter and gives the server's words. When ctx ends, the
// connection is cut, and the letter is where it was.
//
// The letter is the server's from its final dot on. That is said once mayEnd
// allows it.
func (l *line) send(ctx context.Context, out letter, within time.Duration, mayEnd func() error) (reply string, err error) {
	stop := context.AfterFunc(ctx, func() { _ = l.conn.Close() })
	defer stop()
	_ = l.conn.SetDeadline(time.Now().Add(within)) // as in connect
	defer func() { l.used = time.Now() }()

	// SMTPUTF8 is asked for only where an address needs it: a letter that
	// asks for it cannot be passed on to a server that lacks it (RFC 6531 §3.1).
	l.smtp.SkipSMTPUTF8(!out.utf8)
	if known, _ := l.smtp.Extension("SMTPUTF8"); out.utf8 && !known {
		// Such an address must not even be said then (RFC 6531 §3.2).
		return "", &failure{stepRecipient, errors.New("it takes no address with letters like “ü” before the @")}
	}
	// A letter that comes back would bring its link to whoever reads reports, in
	// the mailbox of the bounce address or of the sender. Servers that know of
	// reports can be asked to leave it out (RFC 3461 §4.3).
	l.smtp.SetDSNMailReturnOption("HDRS")
	if err := l.smtp.Mail("<" + out.from + ">"); err != nil {
		return "", &failure{stepSender, err}
	}
	if err := l.smtp.Rcpt("<" + out.to + ">"); err != nil {
		return "", &failure{stepRecipient, err}
	}
	data, err := l.smtp.Data()
	if err != nil {
		return "", &failure{stepContent, err}
	}
	_, err = data.Write(out.raw)
	if bad := mayEnd(); bad != nil {
		_ = l.conn.Close() // without the dot it is no letter
		return "", &notNoted{bad}
	}
	// The server may have refused in the middle: its words are read even so.
	// After a failed write nothing more goes out, so this ends no letter early.
	end := data.Close()
	if err == nil || isReply(end) {
		err = end
	}
	if err != nil {
		return "", &failure{stepContent, err}
	}
	if d, ok := data.(*smtp.DataCloser); ok {
		reply = d.ServerResponse()
	}
	return reply, nil
}

// usable reports whether another letter may follow after err.
func (l *line) usable(err error, within time.Duration) bool {
	_ = l.conn.SetDeadline(time.Now().Add(within)) // as in connect
	code, said := replyCode(err)
	return said && code != closing && l.smtp.Reset() == nil
}

func (l *line) close(within time.Duration) {
	_ = l.conn.SetDeadline(time.Now().Add(within)) // as in connect
	_ = l.smtp.Quit()                              // whether they say goodbye or not
	_ = l.conn.Close()
}

// longestReply bounds what a server may answer at once. A reply has lines of
// 512 bytes (RFC 5321 §4.5.3.1.5) and no bound on their number.
const longestReply = 2 << 20

// metered is a connection on which the other side cannot talk for ever.
type metered struct {
	net.Conn
	heard int // since we last said something
}

func (m *metered) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	if m.heard += n; m.heard > longestReply {
		return 0, fmt.Errorf("an answer of more than %d MB", longestReply>>20)
	}
	return n, err
}

func (m *metered) Write(b []byte) (int, error) {
	m.heard = 0
	return m.Conn.Write(b)
}
