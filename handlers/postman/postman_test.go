package postman

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
	"latchkey/handlers/postman/postmantest"
)

// office is a portal with one member, Anna, to whom a welcome letter is due,
// and a postman who is walked through his rounds by hand.
type office struct {
	*db.DB
	t       *testing.T
	clock   *dbtest.Clock
	folder  string
	sink    *postmantest.Sink
	server  model.MailServer
	postman *Postman
	anna    int64
	log     *lockedBuffer
}

const annas = "anna.weber@example.org"

func open(t *testing.T, sink *postmantest.Sink) *office {
	t.Helper()
	server := sink.Server()
	return openWith(t, sink, db.Fixed{Mail: &server})
}

func openWith(t *testing.T, sink *postmantest.Sink, fixed db.Fixed) *office {
	t.Helper()
	o := &office{t: t, folder: t.TempDir(), sink: sink, server: *fixed.Mail, log: &lockedBuffer{}}
	o.DB, o.clock = dbtest.OpenIn(t, o.folder, fixed)
	dbtest.Deliver(t, o.DB) // whatever the set-up left
	o.postman = o.another(o.DB)
	o.anna = dbtest.MemberWithAccount(t, o.DB, "Anna Weber", annas)
	return o
}

// another is a new postman.
func (o *office) another(d *db.DB) *Postman {
	p := New(d, slog.New(slog.NewTextHandler(o.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	o.t.Cleanup(p.hangUp)
	return p
}

func (o *office) round() {
	o.t.Helper()
	if err := o.postman.round(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

// letter is the newest letter about a member's link.
func (o *office) letter(member int64) model.Letter {
	o.t.Helper()
	r, err := o.AccountRecord(o.t.Context(), model.ShellActor(), member)
	if err != nil {
		o.t.Fatal(err)
	}
	if r.LastLetter == nil {
		o.t.Fatalf("member %d has no letter", member)
	}
	return *r.LastLetter
}

// link is what Anna's letter must hold.
func (o *office) link() string {
	return "http://localhost:8080/reset/" + dbtest.Token(o.t, o.DB, o.anna).Reveal()
}

// run starts the postman for real and stops him when the test ends.
func (o *office) run(p *Postman) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					o.t.Error(err)
				}
			case <-time.After(20 * time.Second):
				o.t.Fatal("the postman does not stop")
			}
		})
	}
	o.t.Cleanup(stop)
	return stop
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestLetterIsAcceptedWithTheServersWords(t *testing.T) {
	o := open(t, postmantest.NewSink(t, nil))
	o.round()
	got := o.letter(o.anna)
	if got.State != model.LetterAccepted || got.Code != 250 || got.Reply != "2.0.0 queued as 4711" || got.Attempts != 1 {
		t.Errorf("letter %+v", got)
	}
	arrived := o.sink.Letters()
	if len(arrived) != 1 {
		t.Fatalf("%d letters arrived", len(arrived))
	}
	if links := arrived[0].Links(); len(links) != 1 || links[0] != o.link() {
		t.Errorf("links %q, want %q", links, o.link())
	}
	if id := arrived[0].MessageID(); id != got.MessageID {
		t.Errorf("Message-ID %q, want %q", id, got.MessageID)
	}
	o.round()
	if n := len(o.sink.Letters()); n != 1 {
		t.Errorf("%d letters after another round", n)
	}
}

func TestNoMoreLettersLeaveInAMinuteThanTheOwnerAllows(t *testing.T) {
	o := open(t, postmantest.NewSink(t, nil))
	owner := dbtest.Owner(t, o.DB)
	s, err := o.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// What dbtest.Deliver took out of the outbox counts as well.
	o.clock.Add(time.Minute)
	s.LettersPerMinute = 2
	if err := o.ChangeSettings(t.Context(), owner, s); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Bert Koch", "Carla Diaz", "Dora Emmer"} {
		dbtest.MemberWithAccount(t, o.DB, name, strings.ToLower(name[:1])+"@example.org")
	}
	for at, want := range []int{2, 2, 4} { // after 0, 59 and 60 s
		o.clock.Add([]time.Duration{0, 59 * time.Second, time.Second}[at])
		o.round()
		if got := len(o.sink.Letters()); got != want {
			t.Errorf("look %d: %d letters left, want %d", at, got, want)
		}
	}
}

// The page explains what the postman wrote down, so the two must know each
// other's words.
func TestEveryStepHasAPlainSentence(t *testing.T) {
	unknown := model.PlainReply(0, "")
	for at, words := range stepWords {
		if got := model.PlainReply(0, words+": and so on."); got == unknown {
			t.Errorf("%s: %q", at, got)
		}
	}
	for _, err := range []error{io.EOF, os.ErrDeadlineExceeded} {
		if got := delivery(&failure{stepContent, err}); model.PlainReply(got.Code, got.Reply) == unknown {
			t.Errorf("%v: %q", err, got.Reply)
		}
	}
}

// Every way in which a mail server can fail a letter: what becomes of it,
// which words are kept, and that it leaves later unless the refusal was final.
func TestMisbehavingServer(t *testing.T) {
	long := "550-5.1.1 " + strings.Repeat("no such mailbox here, and none like it\r\n550-5.1.1 ", 25_000) + "\r\n550 5.1.1 at all"
	if len(long) < 1<<20 {
		t.Fatal("not a megabyte")
	}
	for _, tt := range []struct {
		name   string
		script postmantest.Script
		state  model.LetterState
		code   int
		words  string
		copies int // that reached the server, over both attempts
	}{
		{"421 for a greeting", postmantest.Script{"connect": {"421 4.3.2 closing for the night"}},
			model.LetterRetrying, 421, "The mail server does not take letters at the moment: 421 4.3.2 closing for the night", 1},
		{"554 for a greeting", postmantest.Script{"connect": {"554 5.7.1 not from you"}},
			model.LetterRetrying, 0, "The mail server does not take letters at the moment: 554 5.7.1 not from you", 1},
		{"no greeting of a mail server", postmantest.Script{"connect": {"HTTP/1.1 400 Bad Request"}},
			model.LetterRetrying, 0, "The mail server does not take letters at the moment: what it said was no answer of a mail server.", 1},
		{"hung up at once", postmantest.Script{"connect": {postmantest.Cut}},
			model.LetterRetrying, 0, "The mail server does not take letters at the moment: it broke off the connection.", 1},
		{"550 at EHLO and HELO", postmantest.Script{"EHLO": {"550 5.7.1 who?"}, "HELO": {"550 5.7.1 who?"}},
			model.LetterRetrying, 0, "The mail server does not take letters at the moment: 550 5.7.1 who?", 1},
		{"no EHLO, but HELO", postmantest.Script{"EHLO": {"502 5.5.1 what?"}},
			model.LetterAccepted, 250, "2.0.0 queued as 4711", 1},
		{"the sender refused", postmantest.Script{"MAIL": {"550 5.7.1 not your domain"}},
			model.LetterFailed, 550, "5.7.1 not your domain", 0},
		{"a sign-in asked for", postmantest.Script{"MAIL": {"530 5.7.0 Must issue a STARTTLS command first"}},
			model.LetterRetrying, 0, "The mail server did not accept our user name and password: 530 5.7.0 Must issue a STARTTLS command first", 1},
		{"421 at the recipient", postmantest.Script{"RCPT": {"421 4.7.0 too many of you"}},
			model.LetterRetrying, 421, "4.7.0 too many of you", 1},
		{"greylisted", postmantest.Script{"RCPT": {"451 4.7.1 Greylisted, try again in 5 seconds"}},
			model.LetterRetrying, 451, "4.7.1 Greylisted, try again in 5 seconds", 1},
		{"no such mailbox", postmantest.Script{"RCPT": {"550 5.1.1 <" + annas + "> unknown"}},
			model.LetterFailed, 550, "5.1.1 <" + annas + "> unknown", 0},
		{"a reply of a megabyte", postmantest.Script{"RCPT": {long}},
			model.LetterFailed, 550, "5.1.1 no such mailbox here, and none like it 5.1.1 no such mailbox here", 0},
		{"a reply without end", postmantest.Script{"RCPT": {strings.Repeat("550-no\r\n", 400_000)}},
			model.LetterRetrying, 0, "The mail server did not take the letter: an answer of more than 2 MB.", 1},
		{"Latin-1", postmantest.Script{"RCPT": {"550 5.1.1 kein Postfach f\xfcr diese Adresse"}},
			model.LetterFailed, 550, "5.1.1 kein Postfach für diese Adresse", 0},
		{"UTF-8", postmantest.Script{"RCPT": {"550-5.1.1 nie ma skrzynki łukasz\r\n550 5.1.1 受信者がいません"}},
			model.LetterFailed, 550, "5.1.1 nie ma skrzynki łukasz 5.1.1 受信者がいません", 0},
		{"control and turning characters", postmantest.Script{"RCPT": {"550 5.1.1 \x1b[31mno\x00 \u202eon"}},
			model.LetterFailed, 550, "5.1.1 [31mno on", 0},
		{"DATA refused", postmantest.Script{"DATA": {"554 5.5.1 no valid recipients"}},
			model.LetterFailed, 554, "5.5.1 no valid recipients", 0},
		{"DATA answered with a riddle", postmantest.Script{"DATA": {"250 fine"}},
			model.LetterRetrying, 250, "fine", 1},
		{"too big, said at the end", postmantest.Script{".": {"552 5.3.4 too big"}},
			model.LetterFailed, 552, "5.3.4 too big", 1},
		{"not now, said at the end", postmantest.Script{".": {"452 4.3.1 disk full"}},
			model.LetterRetrying, 452, "4.3.1 disk full", 2},
		{"cut in the message", postmantest.Script{"body": {postmantest.Cut}},
			model.LetterRetrying, 0, "The mail server did not take the letter: it broke off the connection.", 1},
		// The one case of a copy: nobody can know whether it was taken.
		{"cut after the final dot", postmantest.Script{".": {postmantest.Cut}},
			model.LetterRetrying, 0, "The mail server did not take the letter: it broke off the connection.", 2},
		{"silence for a greeting", postmantest.Script{"connect": {postmantest.Silence}},
			model.LetterRetrying, 0, "The mail server does not take letters at the moment: it did not answer in time.", 1},
		{"silence at the recipient", postmantest.Script{"RCPT": {postmantest.Silence}},
			model.LetterRetrying, 0, "The mail server did not take the letter: it did not answer in time.", 1},
		{"silence after the final dot", postmantest.Script{".": {postmantest.Silence}},
			model.LetterRetrying, 0, "The mail server did not take the letter: it did not answer in time.", 2},
		{"refused RSET after a refusal", postmantest.Script{"RCPT": {"451 4.7.1 later"}, "RSET": {"500 5.5.2 what?"}},
			model.LetterRetrying, 451, "4.7.1 later", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := open(t, postmantest.NewSink(t, tt.script))
			if strings.HasPrefix(tt.name, "silence") {
				o.postman.patience.send, o.postman.patience.brief = time.Second, time.Second
			}
			if tt.name == "silence for a greeting" {
				o.postman.patience.greet = 100 * time.Millisecond
			}
			o.round()
			o.postman.patience = usualPatience
			first := o.letter(o.anna)
			if first.State != tt.state || first.Code != tt.code || !strings.HasPrefix(first.Reply, tt.words) || first.Attempts != 1 {
				t.Errorf("state %s, code %d, words %q after %d attempts; want %s, %d, %q",
					first.State, first.Code, first.Reply, first.Attempts, tt.state, tt.code, tt.words)
			}
			if len(first.Reply) > 1024 {
				t.Errorf("%d bytes of words are kept", len(first.Reply))
			}
			if strings.Contains(first.Reply, dbtest.Token(t, o.DB, o.anna).Reveal()) {
				t.Error("the link is in the outbox")
			}

			o.clock.Add(model.RetryPause(1) - time.Second)
			o.round()
			if n := o.letter(o.anna).Attempts; n != 1 {
				t.Errorf("%d attempts before the pause is over", n)
			}
			o.clock.Add(time.Second)
			o.round()
			second := o.letter(o.anna)
			want := model.LetterAccepted
			if tt.state == model.LetterFailed {
				want = model.LetterFailed
			}
			if second.State != want {
				t.Errorf("then %s, %q; want %s", second.State, second.Reply, want)
			}
			arrived := o.sink.Letters()
			if len(arrived) != tt.copies {
				t.Errorf("%d copies arrived, want %d", len(arrived), tt.copies)
			}
			for _, l := range arrived {
				if l.MessageID() != first.MessageID || len(l.Links()) != 1 || l.Links()[0] != o.link() {
					t.Errorf("a copy has Message-ID %q and links %q; want %q and %q", l.MessageID(), l.Links(), first.MessageID, o.link())
				}
			}
		})
	}
}

func TestRefusedConnection(t *testing.T) {
	o := open(t, postmantest.NewSink(t, nil))
	o.sink.Refuse()
	o.round()
	got := o.letter(o.anna)
	if got.State != model.LetterRetrying || got.Code != 0 || got.Reply != "The mail server could not be reached: connection refused." {
		t.Errorf("letter %+v", got)
	}
	o.sink.Reopen()
	o.clock.Add(model.RetryPause(1))
	o.round()
	if got := o.letter(o.anna); got.State != model.LetterAccepted || got.Attempts != 2 {
		t.Errorf("letter %+v", got)
	}
}

func TestUnknownServer(t *testing.T) {
	o := open(t, postmantest.NewSink(t, nil))
	o.postman.dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "mail.example.org", IsNotFound: true}}
	}
	o.round()
	if got := o.letter(o.anna); got.State != model.LetterRetrying || got.Reply != "The mail server could not be reached: there is no server of the name mail.example.org." {
		t.Errorf("letter %+v", got)
	}
}

func TestPausesFollowTheTable(t *testing.T) {
	o := open(t, postmantest.NewSink(t, nil))
	o.sink.Refuse()
	for n := 1; n <= 8; n++ {
		o.round()
		got := o.letter(o.anna)
		if got.Attempts != n || got.State != model.LetterRetrying {
			t.Fatalf("after attempt %d: %+v", n, got)
		}
		if pause := got.DueAt.Sub(o.Now()); pause != model.RetryPause(n) {
			t.Errorf("%s after attempt %d, want %s", pause, n, model.RetryPause(n))
		}
		o.clock.Add(model.RetryPause(n))
	}
	o.clock.Add(model.GiveUp)
	o.round()
	if got := o.letter(o.anna); got.State != model.LetterFailed || got.Reply != "The mail server could not be reached: connection refused." {
		t.Errorf("after a day: %+v", got)
	}
}

func TestManyLettersOverOneConnection(t *testing.T) {
	// A refused letter in between does not cost the connection.
	o := open(t, postmantest.NewSink(t, postmantest.Script{"RCPT": {"250 ok", "550 5.1.1 unknown", "451 4.7.1 later"}}))
	for i := range 9 {
		dbtest.MemberWithAccount(t, o.DB, fmt.Sprintf("Member %d", i), fmt.Sprintf("m%d@example.org", i))
	}
	o.round()
	if n := o.sink.Count("connect"); n != 1 {
		t.Errorf("%d connections", n)
	}
	if n := len(o.sink.Letters()); n != 8 {
		t.Errorf("%d of 10 letters arrived, want 8", n)
	}
}

func TestConnectionClosedWhileIdleCostsNoAttempt(t *testing.T) {
	for name, reply := range map[string]string{"421": "421 4.4.2 idle for too long", "cut": postmantest.Cut} {
		t.Run(name, func(t *testing.T) {
			o := open(t, postmantest.NewSink(t, postmantest.Script{"MAIL": {"250 ok", reply}}))
			o.round()
			bert := dbtest.MemberWithAccount(t, o.DB, "Bert Weber", "bert@example.org")
			o.round()
			if got := o.letter(bert); got.State != model.LetterAccepted || got.Attempts != 1 {
				t.Errorf("letter %+v", got)
			}
			if n := o.sink.Count("connect"); n != 2 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// A thousand waiting letters must not each wait for a server that is gone.
func TestDeadServerIsTriedOnceForAll(t *testing.T) {
	o := open(t, postmantest.NewSink(t, nil))
	dials := 0
	o.postman.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		return directly(ctx, network, address)
	}
	const others = 30
	var last int64
	for i := range others {
		last = dbtest.MemberWithAccount(t, o.DB, fmt.Sprintf("Member %d", i), fmt.Sprintf("m%d@example.org", i))
	}
	o.sink.Refuse()
	o.round()
	if dials != 1 {
		t.Errorf("%d dials for %d letters", dials, others+1)
	}
	if got := o.letter(last); got.State != model.LetterRetrying || got.Reply != "The mail server could not be reached: connection refused." {
		t.Errorf("the last letter: %+v", got)
	}

	// Later there are letters with long pauses; when the server is back, none
	// of them sits its pause out.
	for n := 1; n <= 6; n++ {
		o.clock.Add(model.RetryPause(n))
		o.round()
	}
	if dials > 7 {
		t.Errorf("%d dials in 7 rounds", dials)
	}
	o.sink.Reopen()
	fresh := dbtest.MemberWithAccount(t, o.DB, "Carla Weber", "carla@example.org")
	o.clock.Add(takenForGranted)
	o.round()
	if n := len(o.sink.Letters()); n != others+2 {
		t.Errorf("%d of %d letters arrived once the server was back", n, others+2)
	}
	if got := o.letter(fresh); got.State != model.LetterAccepted {
		t.Errorf("the newest letter: %+v", got)
	}
}

func TestSilentServerIsWaitedForOnce(t *testing.T) {
	o := open(t, postmantest.NewSink(t, postmantest.Script{"RCPT": {postmantest.Silence}}))
	for i := range 30 {
		dbtest.MemberWithAccount(t, o.DB, fmt.Sprintf("Member %d", i), fmt.Sprintf("m%d@example.org", i))
	}
	o.postman.patience.send = 100 * time.Millisecond
	o.round()
	o.postman.patience = usualPatience
	if n := o.sink.Count("connect"); n != 1 {
		t.Errorf("%d connections", n)
	}
	o.clock.Add(takenForGranted)
	o.round()
	if n := len(o.sink.Letters()); n != 31 {
		t.Errorf("%d of 31 letters arrived", n)
	}
}

func TestLettersAreHeldBackFromAForeignServerBehindALoopbackAddress(t *testing.T) {
	o := openWith(t, postmantest.NewSink(t, nil), db.Fixed{Mail: &model.MailServer{Host: "mail.test", Port: 587}})
	o.postman.dial = func(context.Context, string, string) (net.Conn, error) {
		t.Error("the server was called")
		return nil, net.ErrClosed
	}
	o.round()
	if got := o.letter(o.anna); got.State != model.LetterWaiting || got.Attempts != 0 {
		t.Errorf("letter %+v", got)
	}
}

func TestSignIn(t *testing.T) {
	for _, tt := range []struct {
		name   string
		offers []string
		script postmantest.Script
		state  model.LetterState
		words  string
		said   string
	}{
		{"PLAIN", []string{"AUTH LOGIN PLAIN"}, nil, model.LetterAccepted, "2.0.0 queued", "AUTH PLAIN AHBvc3QAc2VhbGluZyB3YXg="},
		{"LOGIN", []string{"AUTH LOGIN"}, nil, model.LetterAccepted, "2.0.0 queued", "AUTH LOGIN"},
		{"after STARTTLS", []string{"STARTTLS", "AUTH PLAIN"}, nil, model.LetterAccepted, "2.0.0 queued", "STARTTLS"},
		{"TLS from the start", []string{"TLS", "AUTH PLAIN"}, nil, model.LetterAccepted, "2.0.0 queued", "AUTH PLAIN AHBvc3QAc2VhbGluZyB3YXg="},
		// The password is wrong, not the letter: it waits until it is mended.
		{"refused", []string{"AUTH PLAIN"}, postmantest.Script{"AUTH": {"535 5.7.8 Username and Password not accepted"}}, model.LetterRetrying,
			"The mail server did not accept our user name and password: 535 5.7.8 Username and Password not accepted", "AUTH PLAIN AHBvc3QAc2VhbGluZyB3YXg="},
		{"not offered", nil, nil, model.LetterRetrying, "The mail server did not accept our user name and password: it offers no sign-in that we know.", "QUIT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sink := postmantest.NewSink(t, tt.script, tt.offers...)
			server := sink.Server()
			server.User, server.Password = "post", model.NewSecret("sealing wax")
			o := openWith(t, sink, db.Fixed{Mail: &server})
			o.round()
			got := o.letter(o.anna)
			if got.State != tt.state || got.Code >= 500 || !strings.HasPrefix(got.Reply, tt.words) {
				t.Errorf("letter %+v", got)
			}
			o.postman.hangUp()
			if tt.said != "QUIT" && !strings.Contains(strings.Join(sink.Heard(), "\n"), tt.said) {
				t.Errorf("%q was not said in %q", tt.said, sink.Heard())
			}
			if strings.Contains(o.log.String(), "wax") || strings.Contains(o.log.String(), "AHBvc3Q") {
				t.Error("the password is in the log")
			}
		})
	}
}

// Away from this machine nothing is handed over unless the line is encrypted
// and the certificate names the server.
func TestForeignServerMustEncrypt(t *testing.T) {
	for _, tt := range []struct {
		name   string
		offers []string
		script postmantest.Script
		words  string
	}{
		{"STARTTLS taken out on the way", []string{"AUTH PLAIN"}, nil, "The connection to the mail server could not be encrypted: it offers no STARTTLS."},
		{"STARTTLS offered and refused", []string{"STARTTLS", "AUTH PLAIN"}, postmantest.Script{"STARTTLS": {"454 4.7.0 TLS not available"}}, "The connection to the mail server could not be encrypted: 454 4.7.0 TLS not available"},
		{"a certificate that nobody vouches for", []string{"STARTTLS", "AUTH PLAIN"}, nil, "The connection to the mail server could not be encrypted: tls: failed to verify certificate: x509: "},
		{"the same, TLS from the start", []string{"TLS", "AUTH PLAIN"}, nil, "The connection to the mail server could not be encrypted: tls: failed to verify certificate: x509: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sink := postmantest.NewSink(t, tt.script, tt.offers...)
			o := openWith(t, sink, db.Fixed{BaseURL: "https://members.example.org", Mail: &model.MailServer{
				Host: "mail.test", Port: 587, TLS: sink.Server().TLS, User: "post", Password: model.NewSecret("sealing wax")}})
			o.postman.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return directly(ctx, network, sink.Address())
			}
			o.round()
			if got := o.letter(o.anna); got.State != model.LetterRetrying || !strings.HasPrefix(got.Reply, tt.words) {
				t.Errorf("letter %+v", got)
			}
			if sink.Count("AUTH") != 0 || sink.Count("MAIL") != 0 {
				t.Errorf("said in the clear: %q", sink.Heard())
			}
		})
	}
}

func TestServerIsGreetedByTheNamePeopleKnow(t *testing.T) {
	for base, want := range map[string]string{
		"https://members.example.org": "members.example.org", "http://localhost:8080": "localhost", "http://192.0.2.7:8080": "[192.0.2.7]",
		"http://[2001:db8::7]": "[IPv6:2001:db8::7]", "https://bücher.example": "xn--bcher-kva.example", "": "localhost",
	} {
		if got := helloName(model.Settings{BaseURL: base}); got != want {
			t.Errorf("%s: %s, want %s", base, got, want)
		}
	}
}

// kill -9 between the claim and the delivery: the row says "sending", nobody
// is there. The next start sends it, with the same link and Message-ID.
func TestKilledPostmanLosesNoLetter(t *testing.T) {
	o := open(t, postmantest.NewSink(t, nil))
	link := o.link()
	claimed, err := o.ClaimLetter(t.Context())
	if err != nil || claimed == nil {
		t.Fatal(claimed, err)
	}
	o.clock.Add(2 * time.Hour)

	reopened, clock := dbtest.OpenIn(t, o.folder, db.Fixed{Mail: &o.server})
	clock.Set(o.clock.Now())
	o.run(o.another(reopened))
	o.sink.Await(func() bool { return len(o.sink.Letters()) == 1 })
	arrived := o.sink.Letters()[0]
	if arrived.MessageID() != claimed.MessageID || len(arrived.Links()) != 1 || arrived.Links()[0] != link {
		t.Errorf("Message-ID %q, links %q; want %q, %q", arrived.MessageID(), arrived.Links(), claimed.MessageID, link)
	}
}

// Without a nudge the postman of this test would look only every hour.
func TestPressIsDeliveredAtOnce(t *testing.T) {
	o := open(t, postmantest.NewSink(t, nil))
	o.postman.patience.poll = time.Hour
	o.run(o.postman)
	o.sink.Await(func() bool { return len(o.sink.Letters()) == 1 })

	o.clock.Add(time.Minute)
	if err := o.SendPasswordReset(t.Context(), dbtest.Owner(t, o.DB), o.anna); err != nil {
		t.Fatal(err)
	}
	o.sink.Await(func() bool { return len(o.sink.Letters()) == 2 })

	for _, l := range o.sink.Letters() {
		if len(l.Links()) != 1 || l.Links()[0] != o.link() {
			t.Errorf("links %q, want %q: the same inside the window", l.Links(), o.link())
		}
	}
}

func TestLettersOfAnotherProcessAreNoticed(t *testing.T) {
	o := open(t, postmantest.NewSink(t, nil))
	o.run(o.postman)
	o.sink.Await(func() bool { return len(o.sink.Letters()) == 1 })
	other, clock := dbtest.OpenIn(t, o.folder, db.Fixed{Mail: &o.server})
	clock.Set(o.clock.Now())
	dbtest.MemberWithAccount(t, other, "Bert Weber", "bert@example.org")
	o.sink.Await(func() bool { return len(o.sink.Letters()) == 2 })
}

// The look-up of "Forgot password?" must not wait for a mail server.
func TestSilentServerDelaysNoLookUp(t *testing.T) {
	o := open(t, postmantest.NewSink(t, postmantest.Script{"connect": {postmantest.Silence}}))
	o.postman.patience.greet = 30 * time.Second
	o.postman.patience.grace = 10 * time.Millisecond
	stop := o.run(o.postman)
	o.sink.Await(func() bool { return o.sink.Count("connect") == 1 })
	other := dbtest.Member(t, o.DB, "Bert Weber", "bert@example.org") // on the roll, no account yet
	if err := o.AskReset(t.Context(), "bert@example.org", "192.0.2.0/24"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the account to be made", func() bool {
		_, a, err := o.Member(t.Context(), model.ShellActor(), other)
		return err == nil && a != nil
	})
	stop()
}

func TestStopping(t *testing.T) {
	t.Run("finishes the letter in hand", func(t *testing.T) {
		o := open(t, postmantest.NewSink(t, postmantest.Script{".": {postmantest.Wait + "250 2.0.0 slowly queued"}}))
		o.postman.patience.send = 10 * time.Second
		dbtest.MemberWithAccount(t, o.DB, "Bert Weber", "bert@example.org") // stays where it is
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- o.postman.Run(ctx) }()
		o.sink.Await(func() bool { return o.sink.Count(".") == 1 })
		cancel()
		o.sink.Release()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := o.letter(o.anna); got.State != model.LetterAccepted || got.Reply != "2.0.0 slowly queued" {
			t.Errorf("letter %+v", got)
		}
		if n := o.sink.Count("MAIL"); n != 1 {
			t.Errorf("%d letters were begun", n)
		}
		if n := o.sink.Count("QUIT"); n != 1 {
			t.Errorf("QUIT was said %d times", n)
		}
	})
	t.Run("cuts off a server that stays silent", func(t *testing.T) {
		o := open(t, postmantest.NewSink(t, postmantest.Script{"RCPT": {postmantest.Silence}}))
		o.postman.patience.send, o.postman.patience.grace = time.Minute, 50*time.Millisecond
		stop := o.run(o.postman)
		o.sink.Await(func() bool { return o.sink.Count("RCPT") == 1 })
		began := time.Now()
		stop()
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("%s until the postman stopped", d)
		}
		before := o.letter(o.anna)
		if before.State != model.LetterSending {
			t.Errorf("letter %+v", before)
		}

		o.run(o.another(o.DB))
		o.sink.Await(func() bool { return len(o.sink.Letters()) == 1 })
		if id := o.sink.Letters()[0].MessageID(); id != before.MessageID {
			t.Errorf("Message-ID %q, was %q", id, before.MessageID)
		}
	})
	t.Run("waits for no greeting", func(t *testing.T) {
		o := open(t, postmantest.NewSink(t, postmantest.Script{"connect": {postmantest.Silence}}))
		o.postman.patience.greet, o.postman.patience.grace = time.Minute, time.Minute
		stop := o.run(o.postman)
		o.sink.Await(func() bool { return o.sink.Count("connect") == 1 })
		began := time.Now()
		stop()
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("%s until the postman stopped", d)
		}
		if got := o.letter(o.anna); got.State != model.LetterSending {
			t.Errorf("letter %+v", got)
		}
	})
}

func TestIdleConnectionIsClosed(t *testing.T) {
	o := open(t, postmantest.NewSink(t, nil))
	o.postman.patience.keep, o.postman.patience.poll = time.Millisecond, 10*time.Millisecond
	o.run(o.postman)
	o.sink.Await(func() bool { return o.sink.Count("QUIT") == 1 })
}

func TestLogTellsNoLinksAndNoAddresses(t *testing.T) {
	o := open(t, postmantest.NewSink(t, postmantest.Script{"RCPT": {"451 4.7.1 " + annas + " later", "250 ok"}, ".": {"554 5.7.1 " + annas + " no"}}))
	o.round()
	o.clock.Add(model.RetryPause(1))
	o.round()
	token := dbtest.Token(t, o.DB, o.anna).Reveal()
	log := o.log.String()
	for _, secret := range []string{token, annas, "example.org", "Anna", "/reset/"} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in the log:\n%s", secret, log)
		}
	}
	if !strings.Contains(log, "code=451") || !strings.Contains(log, "code=554") || !strings.Contains(log, "kind=welcome") {
		t.Errorf("the log does not tell what happened:\n%s", log)
	}
}

func TestWordsNeverHoldALink(t *testing.T) {
	token := "abcdefghijklmnopqrstuvwxyz234567abcdefgh"
	for _, words := range []string{
		"5.7.1 http://localhost/reset/" + token + " is listed", strings.ToUpper(token), strings.Repeat("x ", 490) + token + token,
	} {
		if got := clean(words); strings.Contains(strings.ToLower(got), token) || len(got) > model.LongestReply {
			t.Errorf("%d bytes: %q", len(got), got)
		}
	}
	// As a letter crossed the wire: folded by quoted-printable, over two lines
	// of the reply, or cut by one character.
	for _, words := range []string{
		"5.7.1 http://localhost/reset/" + token[:20] + "=\r\n" + token[20:] + " is listed",
		"5.7.1 http://localhost/reset/" + token[:20] + "\n" + token[20:] + " is listed",
		"5.7.1 http://localhost/reset/" + token[:39],
	} {
		if got := clean(words); strings.Contains(got, token[:8]) || strings.Contains(got, token[24:36]) {
			t.Errorf("%q is kept as %q", words, got)
		}
	}
	if got := clean(strings.Repeat("ü", 2000)); len(got) > model.LongestReply || strings.Contains(got, "\ufffd") || !strings.HasSuffix(got, "ü…") {
		t.Errorf("%d bytes, ends %q", len(got), got[len(got)-8:])
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(20 * time.Second)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
