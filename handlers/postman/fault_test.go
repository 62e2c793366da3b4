package postman

import (
	"context"
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

// Where the end of a letter cannot be written down, few others may leave: each
// would be one more in doubt. A server that takes its time gets none.
func TestNoLetterLeavesBeforeTheOneBeforeIsNotedWhereTheServerIsSlow(t *testing.T) {
	o := open(t, postmantest.NewSink(t, postmantest.Script{".": {"250 2.0.0 first", postmantest.Wait + "250 2.0.0 second"}}))
	bert := dbtest.MemberWithAccount(t, o.DB, "Bert Weber", "bert@example.org")
	carla := dbtest.MemberWithAccount(t, o.DB, "Carla Weber", "carla@example.org")
	second := o.letter(bert).ID
	done := make(chan error)
	go func() { done <- o.postman.round(t.Context()) }()
	o.sink.Await(func() bool { return o.sink.Count(".") == 2 })
	eventually(t, "the third to be in hand", func() bool { return o.letter(carla).State == model.LetterSending })
	if _, err := openRaw(t, o.folder).ExecContext(t.Context(), `DELETE FROM letter WHERE id = ?`, second); err != nil {
		t.Fatal(err)
	}
	<-time.After(brisk) // the server is slow
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

// A disk that stalls stops the postman, however quick the server is: no more
// letters are in doubt than the bound says.
func TestNoMoreLettersAreInDoubtThanTheBoundSays(t *testing.T) {
	o := open(t, postmantest.NewSink(t, nil))
	copies(t, o.folder, 4*atOnce)
	raw, err := openRaw(t, o.folder).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	// Some letters are in hand, and then nothing can be written down.
	var hand []model.LetterContents
	for range 2 * atOnce {
		c, err := o.ClaimLetter(t.Context())
		if err != nil || c == nil {
			t.Fatal(c, err)
		}
		hand = append(hand, *c)
	}
	o.postman.notes.hand = hand
	if _, err := raw.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- o.postman.round(t.Context()) }()
	left, since := 0, time.Now()
	eventually(t, "the postman to wait", func() bool {
		if n := o.sink.Count("."); n != left {
			left, since = n, time.Now()
		}
		return left > 0 && time.Since(since) > 6*brisk
	})
	if left > atOnce {
		t.Errorf("%d letters left and are not noted, want %d at the most", left, atOnce)
	}
	select {
	case err := <-done:
		t.Errorf("the round is over: %v", err)
	default:
	}
	if _, err := raw.ExecContext(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	for id, n := range arrivals(o.sink) {
		if n != 1 {
			t.Errorf("%s arrived %d times", id, n)
		}
	}
	if n := count(t, o.folder, "accepted"); n < 4*atOnce {
		t.Errorf("%d letters are accepted", n)
	}
}

// A letter that cannot be written down takes none of the others with it.
func TestOneLetterThatCannotBeNotedHarmsNoOther(t *testing.T) {
	o := open(t, postmantest.NewSink(t, nil))
	copies(t, o.folder, 3)
	var ended []model.Ending
	for range 3 {
		c, err := o.ClaimLetter(t.Context())
		if err != nil || c == nil {
			t.Fatal(c, err)
		}
		ended = append(ended, model.Ending{Letter: c.ID, How: model.Delivery{Accepted: true, Code: 250}})
	}
	if _, err := openRaw(t, o.folder).ExecContext(t.Context(), `DELETE FROM letter WHERE id = ?`, ended[1].Letter); err != nil {
		t.Fatal(err)
	}
	before := count(t, o.folder, "accepted")
	if _, err := o.postman.notes.settle(t.Context(), ended, 0); err == nil {
		t.Error("nobody hears of it")
	}
	if n := count(t, o.folder, "accepted") - before; n != 2 {
		t.Errorf("%d of the two others are accepted", n)
	}
}

func TestSeveralAtOnceOnlyWhereTheServerIsBrisk(t *testing.T) {
	for took, want := range map[time.Duration]int{
		0: atOnce, time.Millisecond: atOnce, ahead / atOnce: atOnce, ahead/atOnce + time.Millisecond: atOnce - 1,
		brisk - time.Millisecond: 2, brisk: 0, time.Minute: 0,
	} {
		if got := several(took); got != want {
			t.Errorf("%s: %d, want %d", took, got, want)
		}
	}
}

// Letters in hand when the portal stops are back in the outbox at once, and
// their attempt was none.
func TestLettersInHandGoBackWhenThePortalStops(t *testing.T) {
	o := open(t, postmantest.NewSink(t, postmantest.Script{".": {"250 2.0.0 first", postmantest.Wait + "250 2.0.0 second"}}))
	copies(t, o.folder, 3*atOnce)
	attempts := func() (n int) {
		t.Helper()
		if err := openRaw(t, o.folder).QueryRowContext(t.Context(), `SELECT count(*) FROM letter_attempt`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := attempts()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- o.postman.Run(ctx) }()
	o.sink.Await(func() bool { return o.sink.Count(".") == 2 })
	eventually(t, "the hand to be full", func() bool { return count(t, o.folder, "sending") > 2 })
	cancel()
	o.sink.Release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := count(t, o.folder, "sending"); n != 0 {
		t.Errorf("%d letters are under way", n)
	}
	if n := count(t, o.folder, "waiting"); n != 3*atOnce-2 {
		t.Errorf("%d letters wait, want %d", n, 3*atOnce-2)
	}
	if n := attempts() - before; n != 2 {
		t.Errorf("%d attempts are noted", n)
	}
	var begun int
	if err := openRaw(t, o.folder).QueryRowContext(t.Context(), `SELECT count(*) FROM letter WHERE state = 'waiting' AND attempts > 0`).Scan(&begun); err != nil || begun != 0 {
		t.Errorf("%d waiting letters count an attempt: %v", begun, err)
	}
}
