// Package postman delivers the outbox: it takes letters that are due out of
// the database, composes them as they leave and hands them to the mail
// server. It also works off what was typed into "Forgot password?", so that
// the look-up and its letter happen outside the request.
//
// One postman serves a folder. It keeps its connection for many letters and
// drives the conversation itself with the parts of go-mail, because what
// becomes of a letter depends on which step the server said no to, in which
// words; go-mail's Client gives neither (its SendError hides the reply and
// calls a cut connection permanent).
package postman

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"latchkey/db"
	"latchkey/db/model"
)

const (
	// takenForGranted is how long a mail server that could not be reached is
	// not tried again: a thousand letters must not each wait for it in turn.
	// Letters that come due meanwhile note the same words. It is the first
	// retry pause, so a letter's own second attempt is a real one.
	takenForGranted = 5 * time.Second
)

// patience is how long the postman waits, by the clock on the wall and not
// the portal's: it is for others that he waits.
type patience struct {
	dial  time.Duration // for a connection
	greet time.Duration // from the connection until the server is ready for letters
	send  time.Duration // for one letter
	grace time.Duration // for the letter in hand when the portal stops
	keep  time.Duration // until an idle connection is closed
	poll  time.Duration // until letters and requests of other processes are looked for; our own acts nudge
	brief time.Duration // for an answer that nothing hangs on, to RSET or QUIT
}

// RFC 5321 §4.5.3.2 allows minutes at each step. A member at the telephone
// does not: whoever is silent for so long is tried again later.
var usualPatience = patience{
	dial: 10 * time.Second, greet: 30 * time.Second, send: 60 * time.Second,
	grace: 5 * time.Second, keep: 10 * time.Second, brief: 2 * time.Second,
	poll: 500 * time.Millisecond, // a request for a password is looked up within a second
}

// Postman delivers letters. Its methods are for one goroutine, which Run
// starts.
type Postman struct {
	db       *db.DB
	log      *slog.Logger
	patience patience
	dial     dialFunc

	wake    chan struct{} // the intake was looked at: there may be letters
	line    *line         // the open connection, nil if none
	signing signing
	heard   *transcript // of a test letter, nil for all others
	trouble *trouble    // the mail server is out of reach

	notes  *notes
	took   time.Duration // for the last letter, without the wait for the disk
	began  time.Time     // the present letter
	waited time.Duration // for the disk, with the present letter
}

// trouble is what was learnt about a mail server that could not be reached.
type trouble struct {
	server model.MailServer
	how    model.Delivery
	until  time.Time // by the portal's clock
}

// New makes a postman for an open portal.
func New(d *db.DB, log *slog.Logger) *Postman {
	return &Postman{db: d, log: log, patience: usualPatience, dial: directly, wake: make(chan struct{}, 1), signing: signing{}, notes: newNotes(d)}
}

// Run delivers until ctx ends. What was under way when the portal last
// stopped is sent again first. When ctx ends, the letter in hand has a few
// seconds to be finished; one that is not stays "sending" in the outbox, and
// the next start takes it up with the same link and the same Message-ID. Those
// that were next go back.
func (p *Postman) Run(ctx context.Context) (err error) {
	if err := p.db.RecoverLetters(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	var intake sync.WaitGroup
	intake.Go(func() { p.takeIn(ctx) })
	defer intake.Wait()
	defer p.hangUp()
	defer func() { err = errors.Join(err, p.notes.giveBack(context.WithoutCancel(ctx))) }()
	for {
		if err := p.round(ctx); err != nil && ctx.Err() == nil {
			p.log.Error("the outbox cannot be worked off", "error", err)
		}
		if p.line != nil && time.Since(p.line.used) > p.patience.keep {
			p.hangUp()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
		}
	}
}

// takeIn works off the intake and wakes the delivery, at each nudge and each
// poll. It runs beside the delivery, so that a silent mail server delays no
// look-up.
func (p *Postman) takeIn(ctx context.Context) {
	tick := time.NewTicker(p.patience.poll)
	defer tick.Stop()
	for {
		if _, err := p.db.WorkIntake(ctx); err != nil && ctx.Err() == nil {
			p.log.Error("a request for a password cannot be looked up", "error", err)
		}
		select {
		case p.wake <- struct{}{}:
		default: // it is awake already
		}
		select {
		case <-ctx.Done():
			return
		case <-p.db.Nudged():
		case <-tick.C:
		}
	}
}

// round delivers every letter that is due.
func (p *Postman) round(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, p.notes.all()) }()
	for ctx.Err() == nil {
		s, err := p.db.Settings(ctx)
		if err != nil {
			return err
		}
		c, err := p.next(ctx, s)
		if err != nil || c == nil {
			return err
		}
		if err := p.deliver(ctx, s, *c); err != nil {
			return err
		}
	}
	return nil
}

// next is the next letter in hand, or the next that is due; nil if none is.
func (p *Postman) next(ctx context.Context, s model.Settings) (*model.LetterContents, error) {
	if c, ok, err := p.notes.take(); ok || err != nil {
		return &c, err
	}
	due, err := p.db.NextLetter(ctx)
	if err != nil || due.IsZero() || due.After(p.db.Now()) {
		return nil, err
	}
	if !s.DeliversNotices(p.db.Now()) {
		if s.Mail.IsZero() {
			err = p.db.CaptureFromShell(ctx)
		}
		return nil, err
	}
	return p.db.ClaimLetter(ctx)
}

// deliver makes one attempt at a letter and notes how it ended.
func (p *Postman) deliver(ctx context.Context, s model.Settings, c model.LetterContents) error {
	p.began, p.waited = time.Now(), 0
	s.Mail, s.BaseURL = c.Server, c.BaseURL // a letter may have a way of its own: see db.ChangeMail
	signer, err := p.signer(s.DKIM, c.From)
	if err != nil {
		p.log.Error("letters leave unsigned", "error", err) // late is worse, and many mailboxes take them
	}
	out, err := write(c, p.db.Now(), signer)
	if err != nil {
		p.log.Error("a letter cannot be composed", "letter", c.ID, "kind", c.Kind, "error", err)
		p.note(ctx, c, model.Delivery{Reply: clean("The letter could not be put together: " + err.Error())})
		return nil
	}
	if t := p.trouble; t != nil && t.server.Same(s.Mail) && p.db.Now().Before(t.until) {
		p.note(ctx, c, t.how)
		return nil
	}
	if c.Kind == model.LetterTest {
		p.hangUp() // the conversation is to be heard from its beginning
		p.heard = &transcript{}
		defer func() { p.heard = nil }()
	}
	reply, err := p.handOver(ctx, s, out)
	if errors.Is(err, errStopped) {
		return nil // it stays "sending"
	}
	if unsaid, ok := errors.AsType[*notNoted](err); ok {
		p.notes.putBack(c) // its turn comes again
		return unsaid.err
	}
	how := model.Delivery{Accepted: err == nil, Code: 250, Reply: clean(reply)}
	if err != nil {
		how = delivery(err)
	}
	how.Reply = without(how.Reply, s.Mail) // viewers read it
	how.Conversation = p.heard.close(reply, err, s.Mail)
	back := false
	switch {
	case err != nil && outOfReach(err):
		if p.trouble == nil {
			p.log.Warn("the mail server cannot be used", "step", stepOf(err), "code", how.Code)
		}
		p.trouble = &trouble{server: s.Mail, how: how, until: p.db.Now().Add(takenForGranted)}
	case how.Accepted && p.trouble != nil:
		p.log.Info("the mail server is back")
		p.trouble, back = nil, true
	}
	p.took = time.Since(p.began) - p.waited
	p.note(ctx, c, how)
	if !back {
		return nil
	}
	return p.db.HurryLetters(ctx) // nothing waits out its hour now
}

// note has the result of an attempt written down.
func (p *Postman) note(ctx context.Context, c model.LetterContents, how model.Delivery) {
	p.log.Info("letter", "letter", c.ID, "kind", c.Kind, "attempt", c.Attempts, "accepted", how.Accepted, "code", how.Code)
	room := 0
	if how.Accepted && ctx.Err() == nil {
		room = several(p.took)
	}
	p.notes.add(ctx, model.Ending{Letter: c.ID, How: how}, room)
}

// mayEnd waits before the final dot of a letter: see notes.
func (p *Postman) mayEnd() error {
	now := time.Now()
	defer func() { p.waited += time.Since(now) }()
	return p.notes.await(max(1, several(max(p.took, now.Sub(p.began)))) - 1)
}

// notNoted says that how letters before ended could not be written down, so the
// present one must not leave.
type notNoted struct{ err error }

func (e *notNoted) Error() string { return "the letters before could not be noted: " + e.err.Error() }

// handOver gives a letter to the mail server, over the open connection if
// there is one, and gives the server's last words.
func (p *Postman) handOver(ctx context.Context, s model.Settings, out letter) (reply string, err error) {
	// The letter in hand outlives ctx for a while; then its connection is cut.
	hold, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	defer context.AfterFunc(ctx, func() {
		select {
		case <-time.After(p.patience.grace):
			release()
		case <-hold.Done():
		}
	})()

	if p.line != nil && !p.line.server.Same(s.Mail) {
		p.hangUp()
	}
	kept := p.line != nil
	for {
		if p.line == nil {
			// Nothing of the letter is said yet, so a stop need not wait.
			if p.line, err = p.connect(ctx, s); err != nil {
				return "", err
			}
		}
		reply, err = p.line.send(hold, out, p.patience.send, p.mayEnd)
		if err == nil || p.line.usable(err, p.patience.brief) {
			return reply, err
		}
		p.hangUp()
		if _, ok := errors.AsType[*notNoted](err); ok {
			return "", err
		}
		if !kept || !closedWhileIdle(err) || hold.Err() != nil {
			return "", stopped(hold, err)
		}
		kept = false
	}
}

// hangUp ends the connection, if there is one, in good manners.
func (p *Postman) hangUp() {
	if p.line != nil {
		p.line.close(p.patience.brief)
		p.line = nil
	}
}
