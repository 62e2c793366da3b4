package postman

import (
	"crypto/tls"
	"encoding/base64"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
	"latchkey/handlers/postman/postmantest"
)

// tried sends a test letter and gives what the owner is shown of it.
func (o *office) tried() model.TestLetter {
	o.t.Helper()
	owner := dbtest.Owner(o.t, o.DB)
	o.clock.Add(10 * time.Second)
	must(o.t, o.SendTest(o.t.Context(), owner))
	o.round()
	l, err := o.TestLetter(o.t.Context(), owner)
	must(o.t, err)
	if l == nil {
		o.t.Fatal("no test letter")
	}
	return *l
}

func TestATestLetterTellsTheConversation(t *testing.T) {
	o := open(t, postmantest.NewSink(t, nil))
	o.round() // a line is open: the test begins a new one all the same
	l := o.tried()
	if l.State != model.LetterAccepted {
		t.Fatalf("%+v", l)
	}
	want := []string{"220 sink.test ready", "250 2.0.0 OK", "354 go on", "250 2.0.0 queued as 4711"}
	at := 0
	for _, line := range want {
		i := strings.Index(l.Conversation[at:], line)
		if i < 0 {
			t.Fatalf("%q is missing, or not in its place, in\n%s", line, l.Conversation)
		}
		at += i
	}
	letters := o.sink.Letters()
	if last := letters[len(letters)-1]; last.Header.Get("To") != "<"+dbtest.OwnerEmail+">" || !strings.Contains(last.Subject, "test letter") {
		t.Errorf("%q to %s", last.Subject, last.Header.Get("To"))
	}
	o.sink.Say(postmantest.Script{"MAIL": {"553 5.7.1 that is not your sender"}})
	l = o.tried()
	if l.State != model.LetterFailed || !strings.HasSuffix(l.Conversation, "553 5.7.1 that is not your sender") {
		t.Errorf("%s\n%s", l.State, l.Conversation)
	}
	o.sink.Say(postmantest.Script{"RCPT": {"451 4.7.1 come back later"}})
	if l = o.tried(); l.State != model.LetterFailed || l.Attempts != 1 {
		t.Errorf("a test is tried %d times: %s", l.Attempts, l.State)
	}
}

func TestTheConversationHidesThePasswordAndLinks(t *testing.T) {
	const password = "TopSecretWord"
	plain := base64.StdEncoding.EncodeToString([]byte("\x00club\x00" + password))
	token := strings.Repeat("a2", 20)
	for name, offers := range map[string][]string{"plainly": {"AUTH PLAIN"}, "encrypted": {"STARTTLS", "AUTH PLAIN LOGIN"}, "in two steps": {"AUTH LOGIN"}} {
		t.Run(name, func(t *testing.T) {
			sink := postmantest.NewSink(t, nil, offers...)
			server := sink.Server()
			server.User, server.Password = "club", model.NewSecret(password)
			o := openWith(t, sink, db.Fixed{Mail: &server})
			o.round()
			sink.Say(postmantest.Script{
				"AUTH": {"535 5.7.8 " + plain + " (" + password + ", " + base64.StdEncoding.EncodeToString([]byte(password)) + ") is wrong"},
			})
			l := o.tried()
			if l.State != model.LetterFailed || !strings.Contains(l.Conversation, "535 5.7.8 […]") {
				t.Errorf("%s:\n%s", l.State, l.Conversation)
			}
			sink.Say(postmantest.Script{".": {"554 5.7.1 a link in it, http://x.example/reset/" + token + ", looks bad; and " + password}})
			l2 := o.tried()
			for _, shown := range []string{l.Conversation, l.Reply, l2.Conversation, l2.Reply} {
				for _, secret := range []string{password, plain, base64.StdEncoding.EncodeToString([]byte(password)), token} {
					if strings.Contains(shown, secret) {
						t.Errorf("it shows %s:\n%s", secret, shown)
					}
				}
			}
		})
	}
}

func TestTheConversationIsAKilobyteAtTheMost(t *testing.T) {
	o := open(t, postmantest.NewSink(t, nil))
	o.round()
	o.sink.Say(postmantest.Script{"RCPT": {strings.Repeat("550-blah ä blah\r\n", 20_000) + "550 that is it ä"}})
	l := o.tried()
	if n := len(l.Conversation); n > model.LongestReply || !strings.HasPrefix(l.Conversation, "…") || l.State != model.LetterFailed {
		t.Errorf("%d bytes: %q", n, l.Conversation)
	}
	if l.Conversation != strings.ToValidUTF8(l.Conversation, "?") {
		t.Error("a character is cut in two")
	}
}

func TestOtherLettersLeaveNoConversation(t *testing.T) {
	var heard *transcript
	if heard.close("OK", nil, model.MailServer{}) != "" {
		t.Error("something was heard by nobody")
	}
	o := open(t, postmantest.NewSink(t, nil))
	o.round()
	if o.postman.heard != nil || o.letter(o.anna).State != model.LetterAccepted {
		t.Errorf("%+v", o.letter(o.anna))
	}
}

func TestTheGreetingIsHeardOverTLSAsWell(t *testing.T) {
	o := open(t, postmantest.NewSink(t, nil, "TLS"))
	if l := o.tried(); l.State != model.LetterAccepted || !strings.HasPrefix(l.Conversation, "220 sink.test ready\n") {
		t.Errorf("%s: %s", l.State, l.Conversation)
	}
}

// A connection that is listened to does not look encrypted to the library,
// which then keeps the password back.
func TestAConnectionThatIsListenedToMaySignIn(t *testing.T) {
	sink := postmantest.NewSink(t, nil, "TLS", "AUTH PLAIN")
	server := sink.Server()
	server.Host, server.User, server.Password = "mail.example.org", "post", model.NewSecret("sealing wax")
	for _, safe := range []bool{true, false} {
		plain, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(server.Port)))
		must(t, err)
		defer plain.Close()
		heard := &transcript{}
		client, err := smtp.NewClient(heard.greeting(tls.Client(plain, &tls.Config{InsecureSkipVerify: true})), server.Host)
		must(t, err)
		must(t, client.Hello("localhost"))
		if err := signIn(client, server, safe); (err == nil) != safe {
			t.Errorf("safe %v: %v", safe, err)
		}
	}
}

func TestAnAddressThatIsNoMailServersIsNotDialled(t *testing.T) {
	for _, address := range []string{"169.254.169.254", "fe80::1%lo", "0.0.0.0", "::", "100.100.100.200", "::ffff:169.254.169.254"} {
		conn, err := directly(t.Context(), "tcp", net.JoinHostPort(address, "25"))
		if conn != nil {
			_ = conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), errForbiddenAddress.Error()) {
			t.Errorf("%s: %v", address, err)
		}
	}
	sink := postmantest.NewSink(t, nil)
	conn, err := directly(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(sink.Server().Port)))
	must(t, err)
	_ = conn.Close()
}
