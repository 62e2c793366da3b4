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

// Where the end of one letter cannot be written down, the next one must not
// leave: two would be in doubt then, and more with each letter.
func TestNoLetterLeavesBeforeTheOneBeforeIsNoted(t *testing.T) {
	o := open(t, postmantest.NewSink(t, postmantest.Script{".": {"250 2.0.0 first", postmantest.Wait + "250 2.0.0 second"}}))
	bert := dbtest.MemberWithAccount(t, o.DB, "Bert Weber", "bert@example.org")
	carla := dbtest.MemberWithAccount(t, o.DB, "Carla Weber", "carla@example.org")
	second := o.letter(bert).ID
	done := make(chan error)
	go func() { done <- o.postman.round(t.Context()) }()
	o.sink.Await(func() bool { return o.sink.Count(".") == 2 })
	if got := o.letter(carla); got.State != model.LetterSending {
		t.Fatalf("the third is not in hand: %+v", got)
	}
	if _, err := openRaw(t, o.folder).ExecContext(t.Context(), `DELETE FROM letter WHERE id = ?`, second); err != nil {
		t.Fatal(err)
	}
	o.sink.Release()
	if err := <-done; err == nil {
		t.Error("nobody hears that a letter could not be noted")
	}
	if n := o.sink.Count("RCPT"); n != 3 {
		t.Errorf("%d letters were begun", n)
	}
	if n := len(o.sink.Letters()); n != 2 {
		t.Errorf("%d letters left", n)
	}
	o.round()
	got := o.letter(carla)
	if n := arrivals(o.sink)[got.MessageID]; n != 1 || got.State != model.LetterAccepted || got.Attempts != 1 {
		t.Errorf("the third arrived %d times: %+v", n, got)
	}
}
