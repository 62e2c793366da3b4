package db

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"latchkey/db/model"
)

const sentenceTwice = "The two passwords differ. Please type the same one twice."

// errTwice comes before any word about the password itself. Else a link could
// be used to find out what the words are that it must not hold, a birth date
// among them, by sending two that differ: as it is, a guess that is wrong sets
// the password and spends the link.
var errTwice = model.Invalid("password_confirm", sentenceTwice)

// passwordRules is what a new password has to be. A member has two addresses,
// the account's and the record's, and neither may be in it.
func passwordRules(s model.Settings, role model.Role, m model.Member, email string) model.PasswordRules {
	return model.PasswordRules{
		Least:   s.PasswordLength(role),
		Context: model.PasswordContext(m.FirstName, m.LastName, m.Company, m.Email, email, m.BirthDate, m.MemberNo, s.Association),
	}
}

// checkNewPassword says what a new password lacks, beside its form field.
func checkNewPassword(password string, r model.PasswordRules) error {
	if p := r.Problem(password); p != nil {
		return model.Invalid("password", p.Sentence())
	}
	return nil
}

// PasswordRules is what an account's next password has to be, as far as a page
// may tell it while somebody types: without the birth date, by which the office recognises
// callers. Whoever has only a link or a session in hand would find it out by
// trying dates in silence; to be told on submitting costs them their secrecy.
func (d *DB) PasswordRules(ctx context.Context, a model.Account) (model.PasswordRules, error) {
	settings, err := d.Settings(ctx)
	if err != nil {
		return model.PasswordRules{}, err
	}
	m, err := member(ctx, d.point, a.MemberID)
	if err != nil {
		return model.PasswordRules{}, err
	}
	m.BirthDate = ""
	return passwordRules(settings, a.GuardRole(), m, a.Email), nil
}

// LinkPasswordRules is what the password behind a live link has to be. An
// error of kind LinkEnded says that the link opens nothing.
func (d *DB) LinkPasswordRules(ctx context.Context, token string) (model.PasswordRules, error) {
	o, err := d.OpenReset(ctx, token)
	if err != nil {
		return model.PasswordRules{}, err
	}
	if o.State != model.ResetLive {
		return model.PasswordRules{}, errLinkEnded
	}
	return d.PasswordRules(ctx, o.Account)
}

// OwnerPasswordRules is what the first owner's password has to be, by what
// they typed so far.
func (d *DB) OwnerPasswordRules(s model.Settings, m model.Member) model.PasswordRules {
	return passwordRules(s, model.RoleOwner, m, "")
}

// hashQueue is how many may wait for a slot in each of the two queues. At about 20 ms a hash the last
// of them waits for a second or two; more would only wait to be told no.
const hashQueue = 64

// errBusy is answered at once when the queue is full: memory and waiting stay
// bounded under a flood.
var errBusy = model.Unavailable("Very many people are signing in just now. Please try again in a few seconds.", 5*time.Second)

// hashSlots bounds how many password hashes are made at once: each takes
// 19 MiB and a whole core for its time. One core stays free for pages. Whoever
// sets a password through a link, or comes from a device that signed in
// before, goes first, so a flood of guesses does not keep members out.
type hashSlots struct {
	mu     sync.Mutex
	slots  int
	free   int
	first  []chan struct{}
	others []chan struct{}
}

func newHashSlots() *hashSlots {
	n := max(1, min(runtime.GOMAXPROCS(0)-1, 3))
	return &hashSlots{slots: n, free: n}
}

// hash makes a password hash in the next free slot.
func (h *hashSlots) hash(ctx context.Context, known bool, password string, salt []byte) (model.PasswordHash, error) {
	return h.hashWith(ctx, known, password, salt, model.DefaultHashParams)
}

func (h *hashSlots) hashWith(ctx context.Context, known bool, password string, salt []byte, p model.HashParams) (model.PasswordHash, error) {
	if err := h.acquire(ctx, known); err != nil {
		return model.PasswordHash{}, err
	}
	defer h.release()
	// The library cannot use its 19 MiB again; left alone, the collector lets
	// several of them pile up before it looks.
	defer runtime.GC()
	return model.HashPassword(password, salt, p), nil
}

func (h *hashSlots) acquire(ctx context.Context, known bool) error {
	h.mu.Lock()
	if h.free > 0 {
		h.free--
		h.mu.Unlock()
		return nil
	}
	queue := &h.others
	if known {
		queue = &h.first // with a bound of its own: strangers cannot fill it
	}
	if len(*queue) >= hashQueue {
		h.mu.Unlock()
		return errBusy
	}
	turn := make(chan struct{})
	*queue = append(*queue, turn)
	h.mu.Unlock()

	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	h.mu.Lock()
	for i, t := range *queue {
		if t == turn {
			*queue = append((*queue)[:i:i], (*queue)[i+1:]...)
			h.mu.Unlock()
			return ctx.Err()
		}
	}
	h.mu.Unlock()
	h.release() // the turn came in the same moment
	return ctx.Err()
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
	for _, queue := range []*[]chan struct{}{&h.first, &h.others} {
		if len(*queue) > 0 {
			close((*queue)[0])
			*queue = (*queue)[1:]
			return false
		}
	}
	h.free++
	return h.free == h.slots
}

// storePassword sets an account's password. Its version grows, so every older
// link is dead, and its sessions are over.
func (tx *Tx) storePassword(ctx context.Context, a model.Account, hash model.PasswordHash) error {
	sealed, err := tx.db.sealHash(a.ID, hash)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE account SET password_hash = ?, password_version = password_version + 1, password_set_at = ? WHERE id = +?`,
		sealed, tx.Now.Unix(), a.ID); err != nil {
		return err
	}
	return tx.endSessions(ctx, a.ID)
}

func (d *DB) sealHash(accountID int64, hash model.PasswordHash) ([]byte, error) {
	return d.keys.Seal("account", "password_hash", accountID, hash.Encode())
}

func (d *DB) openHash(accountID int64, sealed []byte) (model.PasswordHash, error) {
	if sealed == nil {
		return model.PasswordHash{}, nil
	}
	plain, err := d.keys.Open("account", "password_hash", accountID, sealed)
	if err != nil {
		return model.PasswordHash{}, err
	}
	return model.ParsePasswordHash(plain)
}

// proof is that somebody who is signed in knew their password a moment ago.
type proof struct {
	account model.Account
	salt    []byte
	bucket  []byte
}

// checkOwnPassword asks whoever is signed in for their password once more, for
// an act that a screen left open must not be enough for (OWASP ASVS 5.0,
// 7.5.1). Wrong ones are slowed down like those of the sign-in page, whatever
// the act.
func (d *DB) checkOwnPassword(ctx context.Context, actor model.Actor, typed model.Secret) (me proof, err error) {
	if me.account, err = accountByID(ctx, d.read, actor.AccountID); err != nil {
		return me, err
	}
	a := me.account
	me.bucket = d.keys.Blind("failure", "change", a.Email, a.MemberNo)
	leave, wait, err := d.enter(ctx, me.bucket)
	if err != nil {
		return me, err
	}
	defer leave()
	if wait > 0 {
		return me, limited(wait)
	}
	var sealed []byte
	if err := d.read.QueryRowContext(ctx, `SELECT salt, password_hash FROM account WHERE id = +?`, a.ID).Scan(&me.salt, &sealed); err != nil {
		return me, err
	}
	stored, err := d.openHash(a.ID, sealed)
	if err != nil {
		return me, err
	}
	params := stored.Params()
	if stored.IsZero() {
		params = model.DefaultHashParams
	}
	tried, err := d.hashing.hashWith(ctx, true, typed.Reveal(), me.salt, params)
	if err != nil {
		return me, err
	}
	if !stored.Matches(tried) {
		err := d.actBy(ctx, actor, func(tx *Tx) error {
			_, err := tx.countFailure(ctx, me.bucket, me.bucket)
			return err
		})
		return me, errors.Join(err, model.Invalid("current_password", "This is not your present password."))
	}
	return me, nil
}

var errPasswordChanged = model.Conflict("Your password was changed in another place just now. Please sign in again.")

// provedPassword is where an act relies on a proof: the password is still the
// one that was asked for, and the wrong tries before it are forgotten.
func (tx *Tx) provedPassword(ctx context.Context, me proof) error {
	now, err := accountByID(ctx, tx, me.account.ID)
	if err != nil {
		return err
	}
	if now.PasswordVersion != me.account.PasswordVersion {
		return errPasswordChanged
	}
	return tx.clearFailures(ctx, me.bucket)
}

// ChangePassword is a new password chosen by somebody who is signed in and
// knows the present one. Other sessions end; this browser gets a new one.
func (d *DB) ChangePassword(ctx context.Context, actor model.Actor, in model.PasswordChange) (model.SignedIn, error) {
	var done model.SignedIn
	me, err := d.checkOwnPassword(ctx, actor, in.Current)
	if err != nil {
		return done, err
	}
	a := me.account
	settings, err := d.Settings(ctx)
	if err != nil {
		return done, err
	}
	m, err := member(ctx, d.read, a.MemberID)
	if err != nil {
		return done, err
	}
	if in.Password.Reveal() != in.Confirm.Reveal() {
		return done, errTwice
	}
	if err := checkNewPassword(in.Password.Reveal(), passwordRules(settings, a.GuardRole(), m, a.Email)); err != nil {
		return done, err
	}
	if model.NormalizePassword(in.Password.Reveal()) == model.NormalizePassword(in.Current.Reveal()) {
		same := model.PasswordProblem{Reason: model.PasswordSame}
		return done, model.Invalid("password", same.Sentence())
	}
	bucket, leave, err := d.enterHousehold(ctx, a)
	if err != nil {
		return done, err
	}
	defer leave()
	hash, err := d.hashing.hash(ctx, true, in.Password.Reveal(), me.salt)
	if err != nil {
		return done, err
	}
	err = d.actBy(ctx, actor, func(tx *Tx) error {
		if bucket != nil {
			if _, err := tx.countFailure(ctx, bucket, bucket); err != nil {
				return err
			}
		}
		now, err := accountByID(ctx, tx, a.ID)
		if err != nil {
			return err
		}
		s, err := session(ctx, tx, in.SessionID)
		if err != nil {
			return err
		}
		if s.AccountID != a.ID || s.Over(now, tx.Now) {
			return errPasswordChanged
		}
		if err := tx.provedPassword(ctx, me); err != nil {
			return err
		}
		if err := tx.cancelLink(ctx, actor, a, "the password was changed"); err != nil {
			return err
		}
		if err := tx.storePassword(ctx, a, hash); err != nil {
			return err
		}
		if err := tx.keepPasskeys(ctx, a); err != nil {
			return err
		}
		if err := tx.audit(ctx, actor, model.ActPasswordChanged, about{member: a.MemberID, account: a.ID}); err != nil {
			return err
		}
		if err := tx.postPasswordChanged(ctx, actor, a, 0); err != nil {
			return err
		}
		done, err = tx.startSession(ctx, a.ID, s.Device, s.Network, s.Kept)
		return err
	})
	return done, err
}
