package db

import (
	"context"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"latchkey/db/model"
)

// hashQueue is how many may wait for a slot in each of the two queues. At about
// 20 ms a hash the last of them waits for a second or two; more would only wait
// to be told no.
const hashQueue = 64

// errBusy is answered at once when the queue is full: memory and waiting stay
// bounded under a flood.
var errBusy = model.Unavailable("Very many people are signing in just now. Please try again in a few seconds.", 5*time.Second)

// hashSlots bounds how many password hashes are made at once: each takes
// 19 MiB and a whole core for its time. One core stays free for pages. Whoever
// sets a password through a link, or comes from a device that signed in
// before, goes first, so a flood of guesses does not keep members out.
//
// Those who come from elsewhere take turns by network (of IPv6, by the provider's
// customer; see [model.Line]): somebody alone in theirs
// goes before the second of any other, and takes the place of the last of the
// most crowded when the queue is full. One network cannot keep the others out;
// an office behind one address waits as one queue.
type hashSlots struct {
	mu     sync.Mutex
	slots  int
	free   int
	first  []*waiting
	others []*waiting
	round  int // of whoever of others was let in last
}

// waiting is somebody in a queue.
type waiting struct {
	turn    chan error // gets nil when it is their turn, errBusy when they lost their place
	network string
	round   int
}

func newHashSlots() *hashSlots {
	n := max(1, min(runtime.GOMAXPROCS(0)-1, 3))
	return &hashSlots{slots: n, free: n}
}

// hash makes a password hash in the next free slot, for somebody who goes
// first.
func (h *hashSlots) hash(ctx context.Context, password string, salt []byte) (model.PasswordHash, error) {
	return h.hashWith(ctx, true, "", password, salt, model.DefaultHashParams)
}

func (h *hashSlots) hashWith(ctx context.Context, known bool, network, password string, salt []byte, p model.HashParams) (model.PasswordHash, error) {
	if err := h.acquire(ctx, known, network); err != nil {
		return model.PasswordHash{}, err
	}
	defer h.release()
	// The library cannot use its 19 MiB again; left alone, the collector lets
	// several of them pile up before it looks.
	defer runtime.GC()
	return model.HashPassword(password, salt, p), nil
}

func (h *hashSlots) acquire(ctx context.Context, known bool, network string) error {
	h.mu.Lock()
	if h.free > 0 {
		h.free--
		h.mu.Unlock()
		return nil
	}
	network = model.Line(network)
	w := &waiting{turn: make(chan error, 1), network: network}
	queue := &h.first // with a bound of its own: strangers cannot fill it
	if !known {
		queue = &h.others
		w.round = h.round + 1
		for _, o := range h.others {
			if o.network == network {
				w.round = max(w.round, o.round+1)
			}
		}
	}
	if len(*queue) >= hashQueue && !giveWay(queue, w) {
		h.mu.Unlock()
		return errBusy
	}
	// Behind everybody of the same round.
	at := len(*queue)
	for at > 0 && (*queue)[at-1].round > w.round {
		at--
	}
	*queue = slices.Insert(*queue, at, w)
	h.mu.Unlock()

	select {
	case err := <-w.turn:
		return err
	case <-ctx.Done():
	}
	h.mu.Lock()
	if i := slices.Index(*queue, w); i >= 0 {
		*queue = slices.Delete(*queue, i, i+1)
		h.mu.Unlock()
		return ctx.Err()
	}
	h.mu.Unlock()
	if <-w.turn == nil {
		h.release() // the turn came in the same moment
	}
	return ctx.Err()
}

// giveWay takes the last out of a full queue if w goes before them.
func giveWay(queue *[]*waiting, w *waiting) bool {
	last := (*queue)[len(*queue)-1]
	if last.round <= w.round {
		return false
	}
	last.turn <- errBusy
	*queue = (*queue)[:len(*queue)-1]
	return true
}

func (h *hashSlots) release() {
	if h.pass() {
		go debug.FreeOSMemory() // the rush is over; a small machine wants its memory back
	}
}

// pass gives the slot to the next in turn; idle says that nobody was waiting
// and no hash is being made.
func (h *hashSlots) pass() (idle bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, queue := range []*[]*waiting{&h.first, &h.others} {
		if len(*queue) > 0 {
			next := (*queue)[0]
			*queue = slices.Delete(*queue, 0, 1)
			if queue == &h.others {
				h.round = next.round
			}
			next.turn <- nil
			return false
		}
	}
	h.free++
	return h.free == h.slots
}
