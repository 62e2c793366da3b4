package postman

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
	"latchkey/handlers/postman/postmantest"
)

// A server may close for the night at any moment; the letter leaves when it is
// open again.
func TestServerClosesAtEachStage(t *testing.T) {
	const closing = "421 4.3.2 closing for the night"
	for _, stage := range []string{"connect", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "body", "."} {
		t.Run(stage, func(t *testing.T) {
			script := postmantest.Script{stage: {closing}}
			if stage == "EHLO" {
				script["HELO"] = []string{closing}
			}
			sink := postmantest.NewSink(t, script, "STARTTLS", "AUTH PLAIN")
			server := sink.Server()
			server.User, server.Password = "post", model.NewSecret("sealing wax")
			o := openWith(t, sink, db.Fixed{Mail: &server})
			o.postman.patience.brief = 100 * time.Millisecond // who closes says nothing more
			o.round()
			first := o.letter(o.anna)
			if first.State != model.LetterRetrying || first.Code != 421 || !strings.HasSuffix(first.Reply, "4.3.2 closing for the night") {
				t.Errorf("letter %+v", first)
			}
			o.clock.Add(model.RetryPause(1))
			o.round()
			if got := o.letter(o.anna); got.State != model.LetterAccepted || got.Attempts != 2 {
				t.Errorf("then %+v", got)
			}
			for _, l := range sink.Letters() {
				if l.MessageID() != first.MessageID {
					t.Errorf("Message-ID %q, was %q", l.MessageID(), first.MessageID)
				}
			}
		})
	}
}

func TestAddressThatTheServerCannotWriteIsNeverSaid(t *testing.T) {
	sink := postmantest.NewSink(t, nil)
	o := open(t, sink)
	jürgen := dbtest.MemberWithAccount(t, o.DB, "Jürgen Weber", "jürgen@example.org")
	after := dbtest.MemberWithAccount(t, o.DB, "Zoe Weber", "zoe@example.org")
	o.round()
	got := o.letter(jürgen)
	if got.State != model.LetterRetrying || got.Code != 0 || got.Reply != "The mail server did not take the letter: it takes no address with letters like “ü” before the @." {
		t.Errorf("letter %+v", got)
	}
	if strings.Contains(fmt.Sprint(sink.Heard()), "jürgen") {
		t.Errorf("said: %q", sink.Heard())
	}
	for _, id := range []int64{o.anna, after} {
		if got := o.letter(id); got.State != model.LetterAccepted {
			t.Errorf("another letter %+v", got)
		}
	}
}
