package postman

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"latchkey/db"
	"latchkey/db/model"
)

// notes is the way of letters between the disk and the mail server. To wait for
// the disk takes longer than to hand a letter to a server nearby, so both are
// done at the same time:
//
//	the outbox ──claim──▶ hand ──deliver──▶ the server's 250 ──▶ ended ──settle──▶ the outbox
//
// The postman takes letters out of his hand and delivers them one after
// another. How they ended is written down beside that, by one goroutine: all
// that ended while it waited for the disk goes into one transaction, which also
// claims the next letters for the hand.
//
// A letter is claimed on disk before its first word is said, so a crash loses
// none. One that is the server's and not settled on disk leaves a second time
// after a crash. So the postman asks before each final dot (see await): no more
// than atOnce letters are ever in doubt.
type notes struct {
	db *db.DB

	mu      sync.Mutex
	turned  sync.Cond // of mu: something below is different
	hand    []model.LetterContents
	room    int            // for how many letters there is room in the hand
	ended   []model.Ending // and not given to the disk yet
	doubt   int            // ended, or on their way to the disk
	writing bool
	err     error // of what could not be written down
}

const (
	// atOnce is how many letters are out of the outbox before their turn, and how
	// many may be the server's before that is on disk, at the most. More would
	// hardly be faster: half as many to a transaction cost the disk little each.
	atOnce = 8
	// brisk is how quickly a letter is handed over where it is worth while not to
	// wait for the disk. With a server further away the disk is always ready first,
	// and one letter is in doubt at the most.
	brisk = 50 * time.Millisecond
	// ahead is for how long the letters in hand may keep waiting one that is more
	// urgent and comes later.
	ahead = 100 * time.Millisecond
	// settleTries bounds how often results that the database could not take are
	// offered again.
	settleTries = 5
)

// several is how many letters may be in hand, and in doubt, where the last one
// took so long; 0 and the next waits for its turn, and for the disk.
func several(took time.Duration) int {
	if took >= brisk {
		return 0
	}
	return int(min(atOnce, ahead/max(took, time.Millisecond)))
}

func newNotes(d *db.DB) *notes {
	n := &notes{db: d}
	n.turned.L = &n.mu
	return n
}

// take is the next letter in hand; false if there is none and none is on its
// way. An error is that of await.
func (n *notes) take() (c model.LetterContents, ok bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.hand) == 0 && n.writing {
		n.turned.Wait()
	}
	if len(n.hand) == 0 || n.err != nil {
		return c, false, n.failed()
	}
	c, n.hand = n.hand[0], n.hand[1:]
	return c, true, nil
}

// putBack has a letter that was taken come next.
func (n *notes) putBack(c model.LetterContents) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hand = slices.Insert(n.hand, 0, c)
}

// add notes how an attempt ended. Meanwhile there is room for so many letters in
// the hand.
//
// It is written down even if ctx is over: the portal may be stopping, but the
// letter has left.
func (n *notes) add(ctx context.Context, e model.Ending, room int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended, n.doubt, n.room = append(n.ended, e), n.doubt+1, room
	if !n.writing {
		n.writing = true
		go n.write(context.WithoutCancel(ctx))
	}
}

// await waits until no more than so many letters are in doubt. An error says
// that how some ended could not be written down; it is given once.
func (n *notes) await(most int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.doubt > most && n.err == nil {
		n.turned.Wait()
	}
	return n.failed()
}

// all waits until everything is on disk.
func (n *notes) all() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.writing {
		n.turned.Wait()
	}
	return n.failed()
}

func (n *notes) failed() error {
	err := n.err
	n.err = nil
	return err
}

// write writes down what ended until there is nothing more.
func (n *notes) write(ctx context.Context) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.ended) > 0 {
		ended, want := n.ended, max(0, n.room-len(n.hand))
		n.ended = nil
		n.mu.Unlock()
		next, err := n.settle(ctx, ended, want)
		n.mu.Lock()
		n.hand, n.doubt, n.err = append(n.hand, next...), n.doubt-len(ended), errors.Join(n.err, err)
		n.turned.Broadcast()
	}
	n.writing = false
	n.turned.Broadcast()
}

// settle tries again when the database is busy: a letter that left must not
// leave twice because of that. One that cannot be written down whatever is
// tried takes none of the others with it.
func (n *notes) settle(ctx context.Context, ended []model.Ending, want int) (next []model.LetterContents, err error) {
	next, err = n.db.SettleAndClaim(ctx, ended, want)
	for range settleTries {
		if err == nil {
			return next, nil
		}
		_, err = n.db.SettleAndClaim(ctx, ended, 0)
	}
	if err == nil || len(ended) == 1 {
		return nil, err
	}
	var errs []error
	for _, e := range ended {
		errs = append(errs, n.db.SettleLetter(ctx, e.Letter, e.How))
	}
	return nil, errors.Join(errs...)
}

// giveBack puts the letters in hand back into the outbox, as if they had never
// been taken out.
func (n *notes) giveBack(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var ids []int64
	for _, c := range n.hand {
		ids = append(ids, c.ID)
	}
	n.hand = nil
	return n.db.ReturnLetters(ctx, ids)
}
