package db

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/sqlite3store"

	"latchkey/db/model"
)

// SessionStore is the session library's store over our two pools: finding a
// session never waits for a writer. The library keeps a hash of the cookie,
// and we keep nothing secret in a session's data.
type SessionStore struct {
	find *sqlite3store.SQLite3Store
	save *sqlite3store.SQLite3Store

	changes *changes
}

// SessionStore gives the store for the session library. It has no clean-up of
// its own: Tidy removes what expired.
func (d *DB) SessionStore() *SessionStore {
	return &SessionStore{
		find:    sqlite3store.NewWithConfig(d.read, sqlite3store.Config{}),
		save:    sqlite3store.NewWithConfig(d.write.pool, sqlite3store.Config{}),
		changes: &d.changes,
	}
}

// Find gives a session's data.
func (s *SessionStore) Find(token string) ([]byte, bool, error) { return s.find.Find(token) }

// Commit stores a session's data.
func (s *SessionStore) Commit(token string, b []byte, expiry time.Time) error {
	defer s.changes.note(touched{people: true})
	return s.save.Commit(token, b, expiry)
}

// Delete forgets a session.
func (s *SessionStore) Delete(token string) error {
	defer s.changes.note(touched{people: true})
	return s.save.Delete(token)
}

const sessionColumns = `s.id, s.account_id, s.stamp, s.device, s.network, s.kept, s.created_at, s.last_seen_at, s.expires_at`

func sessionTargets(s *model.Session) []any {
	return []any{&s.ID, &s.AccountID, &s.Stamp, &s.Device, &s.Network, &s.Kept, unix{&s.CreatedAt}, unix{&s.LastSeenAt}, unix{&s.ExpiresAt}}
}

var errNoSession = model.NotFound("You are signed out. Please sign in again.")

func session(ctx context.Context, q querier, id int64) (model.Session, error) {
	var s model.Session
	err := q.QueryRowContext(ctx, `SELECT `+sessionColumns+` FROM session s WHERE s.id = +?`, id).Scan(sessionTargets(&s)...)
	if errors.Is(err, sql.ErrNoRows) {
		return s, errNoSession
	}
	return s, err
}

// SessionKey is the one thing in a browser's session: the id of its row.
const SessionKey = "session"

// SessionCodec writes a browser's session as two numbers: the id of its row,
// by which SignedInBy joins the two, and when it ends, in Unix seconds. The
// library's own form took 30 µs to read, with each request. What is in that
// form, from before, is nobody's session: one more sign-in.
type SessionCodec struct{}

// Encode writes a session.
func (SessionCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	id, _ := values[SessionKey].(int64)
	return fmt.Appendf(nil, "%d %d", id, deadline.Unix()), nil
}

// Decode reads a session, an empty one from what it cannot read.
func (SessionCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	first, second, _ := strings.Cut(string(b), " ")
	id, err := strconv.ParseInt(first, 10, 64)
	until, err2 := strconv.ParseInt(second, 10, 64)
	if err != nil || err2 != nil {
		return time.Time{}, map[string]any{}, nil
	}
	return time.Unix(until, 0).UTC(), map[string]any{SessionKey: id}, nil
}

// cookieHash is what the database and the memory know of a session's cookie.
type cookieHash [sha256.Size]byte

// signedIn is a session and whose it is.
type signedIn struct {
	session model.Session
	account model.Account
}

// SignedInBy is the running session of the browser with this cookie and whose
// it is; an error of kind not found says that there is none. It is asked with
// every request, and reads only what changed since it was read before.
func (d *DB) SignedInBy(ctx context.Context, cookie string) (model.Session, model.Account, error) {
	hash := cookieHash(sha256.Sum256([]byte(cookie)))
	at := d.changes.count(&d.changes.people)
	who, ok := d.signedIn.find(at, hash)
	if !ok {
		var err error
		if who, err = d.whose(ctx, hash); err != nil {
			return who.session, who.account, err
		}
		d.signedIn.keep(at, hash, who)
	}
	if who.session.Over(who.account, d.Now()) {
		return model.Session{}, model.Account{}, errNoSession
	}
	return who.session, who.account, nil
}

// whose reads a browser's session. The library keeps it under its own hash of
// the cookie.
func (d *DB) whose(ctx context.Context, hash cookieHash) (who signedIn, err error) {
	who.account, err = scanAccount(d.point.QueryRowContext(ctx, `SELECT `+accountColumns+`, `+sessionColumns+`
		FROM sessions b JOIN session s ON s.id = CAST(b.data AS INTEGER)
			JOIN account a ON a.id = s.account_id JOIN member n ON n.id = a.member_id
		WHERE b.token = +? AND b.expiry > julianday('now')`, base64.RawURLEncoding.EncodeToString(hash[:])), sessionTargets(&who.session)...)
	if errors.Is(err, sql.ErrNoRows) {
		err = errNoSession
	}
	return who, err
}

// knownSessions are the sessions as they were read when the count of changes
// stood at a number. All are forgotten together: somebody signs in or out a few
// times a second at the most, and to read one again takes 20 µs.
type knownSessions struct {
	mu sync.RWMutex
	at uint64
	by map[cookieHash]signedIn
}

// sessionsKept bounds the memory for it, at about 700 bytes each.
const sessionsKept = 4096

func (k *knownSessions) find(at uint64, hash cookieHash) (who signedIn, ok bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.at != at {
		return who, false
	}
	who, ok = k.by[hash]
	return who, ok
}

// keep takes the count as it stood before who was read.
func (k *knownSessions) keep(at uint64, hash cookieHash, who signedIn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if at < k.at {
		return // meanwhile somebody read something newer
	}
	if at > k.at || len(k.by) >= sessionsKept {
		k.at, k.by = at, map[cookieHash]signedIn{}
	}
	if k.by == nil {
		k.by = map[cookieHash]signedIn{}
	}
	k.by[hash] = who
}

// TouchSession writes "last seen". The caller asks Session.Tick first, so a
// page view writes at most every five minutes.
func (d *DB) TouchSession(ctx context.Context, id int64) error {
	return d.act(ctx, func(tx *Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE session SET last_seen_at = ? WHERE id = +?`, tx.Now.Unix(), id)
		return err
	})
}

// sessionsOf are an account's running sessions, the latest used first.
func sessionsOf(ctx context.Context, q querier, a model.Account, now time.Time) ([]model.Session, error) {
	all, err := rows(ctx, q, func(rs *sql.Rows) (s model.Session, err error) { return s, rs.Scan(sessionTargets(&s)...) },
		`SELECT `+sessionColumns+` FROM session s WHERE s.account_id = +? ORDER BY s.last_seen_at DESC`, a.ID)
	if err != nil {
		return nil, err
	}
	running := all[:0]
	for _, s := range all {
		if !s.Over(a, now) {
			running = append(running, s)
		}
	}
	return running, nil
}

func (tx *Tx) startSession(ctx context.Context, accountID int64, device, network string, keep bool) (model.SignedIn, error) {
	var done model.SignedIn
	a, err := accountByID(ctx, tx, accountID)
	if err != nil {
		return done, err
	}
	s := model.Session{AccountID: a.ID, Stamp: a.SessionStamp, Device: device, Network: network, Kept: keep,
		CreatedAt: tx.Now, LastSeenAt: tx.Now, ExpiresAt: tx.Now.Add(model.SessionLifetime)}
	res, err := tx.ExecContext(ctx, `
		INSERT INTO session (account_id, stamp, device, network, kept, created_at, last_seen_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		s.AccountID, s.Stamp, s.Device, s.Network, s.Kept, s.CreatedAt.Unix(), s.LastSeenAt.Unix(), s.ExpiresAt.Unix())
	if err != nil {
		return done, err
	}
	if s.ID, err = res.LastInsertId(); err != nil {
		return done, err
	}
	return model.SignedIn{Session: s, Account: a, Known: tx.db.newDevice(a.ID)}, nil
}

// SignOut ends one session.
func (d *DB) SignOut(ctx context.Context, actor model.Actor, sessionID int64) error {
	return d.act(ctx, func(tx *Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM session WHERE id = +? AND account_id = +?`, sessionID, actor.AccountID)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return tx.audit(ctx, actor, model.ActSignedOut, about{member: actor.MemberID, account: actor.AccountID})
	})
}

// Sessions are the browsers in which somebody is signed in, the latest used
// first.
func (d *DB) Sessions(ctx context.Context, actor model.Actor) ([]model.Session, error) {
	a, err := accountByID(ctx, d.point, actor.AccountID)
	if err != nil {
		return nil, err
	}
	return sessionsOf(ctx, d.point, a, d.Now())
}

var errNotTheirSession = model.NotFound("That browser is signed out already.")

// EndSession signs somebody out in another browser of theirs.
func (d *DB) EndSession(ctx context.Context, actor model.Actor, id int64) error {
	return d.actBy(ctx, actor, func(tx *Tx) error {
		s, err := session(ctx, tx, id)
		// Whose the others are is nobody's business: one answer for all.
		if model.KindOf(err) == model.KindNotFound || err == nil && s.AccountID != actor.AccountID {
			return errNotTheirSession
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM session WHERE id = +?`, id); err != nil {
			return err
		}
		return tx.audit(ctx, actor, model.ActSignedOut, about{member: actor.MemberID, account: actor.AccountID, note: s.Device})
	})
}

// EndOtherSessions signs somebody out everywhere but in this browser. The
// account's stamp grows with it: what was begun in the others and is under way,
// such as the question which person it is, ends too. Hence this browser gets a
// new session, with the limits of the one it had.
func (d *DB) EndOtherSessions(ctx context.Context, actor model.Actor, id int64) (model.SignedIn, error) {
	var done model.SignedIn
	err := d.actBy(ctx, actor, func(tx *Tx) error {
		was, err := session(ctx, tx, id)
		if err != nil {
			return err
		}
		if was.AccountID != actor.AccountID {
			return errNoSession
		}
		if err := tx.endSessions(ctx, actor.AccountID); err != nil {
			return err
		}
		if done, err = tx.startSession(ctx, actor.AccountID, was.Device, was.Network, was.Kept); err != nil {
			return err
		}
		// No password was asked for, so nothing begins anew.
		done.Session.CreatedAt, done.Session.ExpiresAt = was.CreatedAt, was.ExpiresAt
		if _, err := tx.ExecContext(ctx, `UPDATE session SET created_at = ?, expires_at = ? WHERE id = +?`,
			was.CreatedAt.Unix(), was.ExpiresAt.Unix(), done.Session.ID); err != nil {
			return err
		}
		return tx.audit(ctx, actor, model.ActSessionsEnded, about{member: actor.MemberID, account: actor.AccountID, note: "but in one browser"})
	})
	return done, err
}

// One sentence for every failure: wrong password, nobody of that name, no
// password set, disabled (OWASP Authentication Cheat Sheet; ASVS 6.3.8).
var errSignIn = &model.Error{Kind: model.KindSignIn,
	Sentence: "That email or member number and password do not fit together. Please try again, or use “Forgot password?”."}

func limited(wait time.Duration) error {
	return model.Limited("There were several wrong tries. Please wait a moment before the next one, or use “Forgot password?”: its link works at once.", wait)
}

// candidate is an account that a typed login may mean, with what is needed to
// compare a password.
type candidate struct {
	account model.Account
	hash    model.PasswordHash
}

// loginIs is the condition under which an account is meant by what was typed,
// of which one key is empty, and its parameter.
func loginIs(emailKey, memberNoKey string) (where, key string) {
	if memberNoKey != "" {
		return `n.member_no_key = +?`, memberNoKey
	}
	return `a.email_key = +?`, emailKey
}

func (d *DB) candidates(ctx context.Context, emailKey, memberNoKey string) (all []candidate, salt []byte, err error) {
	where, key := loginIs(emailKey, memberNoKey)
	if key == "" {
		return nil, nil, nil
	}
	all, err = rows(ctx, d.read, func(rs *sql.Rows) (c candidate, err error) {
		var sealed []byte
		if c.account, err = scanAccount(rs, &salt, &sealed); err != nil {
			return c, err
		}
		c.hash, err = d.openHash(c.account.ID, sealed)
		return c, err
	}, `SELECT `+accountColumns+`, a.salt, a.password_hash`+accountTables+`WHERE `+where+` ORDER BY a.id`, key)
	return all, salt, err
}

// SignIn is one attempt to sign in with a password. However many people share
// an address, and also when nobody has it, it costs one hash.
func (d *DB) SignIn(ctx context.Context, in model.SignIn) (model.SignedIn, error) {
	var done model.SignedIn
	f := model.Fields{}
	if strings.TrimSpace(in.Login) == "" {
		f.Add("login", "Please type your email address or member number.")
	}
	if in.Password.IsZero() {
		f.Add("password", "Please type your password.")
	}
	if err := f.Err(); err != nil {
		return done, err
	}
	emailKey, memberNoKey := model.LoginKey(in.Login)
	login := emailKey + memberNoKey // one of them is empty
	buckets, known, err := d.signInBuckets(ctx, in, emailKey, memberNoKey)
	if err != nil {
		return done, err
	}
	leave, wait, err := d.enter(ctx, buckets...)
	if err != nil {
		return done, err
	}
	defer leave()
	if wait > 0 {
		return done, limited(wait)
	}

	// Only now: who has to wait has to wait as long for nobody's login as for
	// one that eight people share.
	all, salt, err := d.candidates(ctx, emailKey, memberNoKey)
	if err != nil {
		return done, err
	}
	password := in.Password.Reveal()
	if salt == nil {
		salt = d.keys.Blind("salt", login) // nobody's; it only has to cost the same
	}
	if len(password) > longestTried {
		password = "" // no password is that long; the work stays the same
	}
	fits, err := d.fitting(ctx, known, in.Network, password, salt, all)
	if err != nil {
		return done, err
	}
	// A try that was made is counted, also when whoever made it hung up.
	ctx = context.WithoutCancel(ctx)
	var stronger model.PasswordHash
	if len(fits) == 1 && fits[0].hash.WeakerThan(model.DefaultHashParams) {
		// The one moment at which the password is at hand.
		if stronger, err = d.hashing.hash(ctx, password, salt); err != nil {
			return done, err
		}
	}

	err = d.act(ctx, func(tx *Tx) error {
		if fits, err = tx.stillFitting(ctx, fits); err != nil {
			return err
		}
		switch len(fits) {
		case 0:
			return tx.refuseSignIn(ctx, in.Network, login, all, buckets)
		case 1:
			if len(all) == 1 {
				// In a household one's own sign-in says nothing about who made
				// the wrong tries before it.
				if err := tx.clearFailures(ctx, buckets...); err != nil {
					return err
				}
			}
			if err := tx.rehash(ctx, fits[0].account.ID, stronger); err != nil {
				return err
			}
			done, err = tx.passed(ctx, fits[0].account.ID, in.Device, in.Network, in.Keep)
			return err
		}
		for _, c := range fits {
			done.Choice = append(done.Choice, model.Person{MemberID: c.account.MemberID, AccountID: c.account.ID, Name: c.account.Name})
		}
		done.Ticket = d.ticket(tx.Now, in.Keep, fits)
		return nil
	})
	if err == nil && len(fits) == 0 {
		err = errSignIn
	}
	return done, err
}

// signInBuckets are where an attempt is counted: one of its own, and one for
// all that are like it.
//
// A device that signed in to the account before has a bucket of its own, so
// nobody can lock a member out of it. Whoever knew the password once may have
// made themselves many such devices, so there is one over all of them too.
func (d *DB) signInBuckets(ctx context.Context, in model.SignIn, emailKey, memberNoKey string) (buckets [][]byte, known bool, err error) {
	login := emailKey + memberNoKey // one of them is empty
	device, of := d.knownDevice(in.Known.Reveal())
	if device != "" {
		var shared int
		if shared, known, err = d.sharedWith(ctx, emailKey, memberNoKey, of); err != nil {
			return nil, false, err
		}
		if shared > 1 {
			// One of a household can have as many known devices as they like; what
			// they may guess at the others' passwords must not grow with them.
			device = strconv.FormatInt(of, 10)
		}
	}
	if !known {
		return [][]byte{d.keys.Blind("failure", "pair", login, in.Network), d.crowdBucket(login)}, false, nil
	}
	return [][]byte{d.keys.Blind("failure", "device", login, device), d.keys.Blind("failure", "devices", login, strconv.FormatInt(of, 10))}, true, nil
}

// sharedWith is how many people a login may mean, and whether an account is
// among them.
func (d *DB) sharedWith(ctx context.Context, emailKey, memberNoKey string, account int64) (n int, among bool, err error) {
	where, key := loginIs(emailKey, memberNoKey)
	err = d.read.QueryRowContext(ctx, `SELECT count(*), coalesce(max(a.id = +?), 0)`+accountTables+`WHERE `+where, account, orNull(key)).Scan(&n, &among)
	return n, among, err
}

// fitting are those whose password it is. However many people share an address
// they share its salt, so one hash serves them all; only while parameters rise
// there are two.
func (d *DB) fitting(ctx context.Context, known bool, network, password string, salt []byte, all []candidate) (fits []candidate, err error) {
	tried := map[model.HashParams]model.PasswordHash{}
	for _, c := range all {
		if !c.hash.IsZero() {
			tried[c.hash.Params()] = model.PasswordHash{}
		}
	}
	if len(tried) == 0 {
		tried[model.DefaultHashParams] = model.PasswordHash{} // nobody's password; it only has to cost the same
	}
	for params := range tried {
		if tried[params], err = d.hashing.hashWith(ctx, known, network, password, salt, params); err != nil {
			return nil, err
		}
	}
	for _, c := range all {
		if c.hash.Matches(tried[c.hash.Params()]) && !c.account.Disabled() {
			fits = append(fits, c)
		}
	}
	return fits, nil
}

// stillFitting leaves out who was disabled, deleted or got another password
// while the hash was made.
func (tx *Tx) stillFitting(ctx context.Context, fits []candidate) ([]candidate, error) {
	still := fits[:0]
	for _, c := range fits {
		now, err := accountByID(ctx, tx, c.account.ID)
		if err != nil && model.KindOf(err) != model.KindNotFound {
			return nil, err
		}
		if err == nil && !now.Disabled() && now.PasswordVersion == c.account.PasswordVersion {
			still = append(still, c)
		}
	}
	return still, nil
}

// rehash keeps the same password under stronger parameters.
func (tx *Tx) rehash(ctx context.Context, accountID int64, hash model.PasswordHash) error {
	if hash.IsZero() {
		return nil
	}
	sealed, err := tx.db.sealHash(accountID, hash)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE account SET password_hash = ? WHERE id = +?`, sealed, accountID)
	return err
}

// longestTried is more bytes than any password that could be set.
const longestTried = 4096

func (tx *Tx) refuseSignIn(ctx context.Context, network, login string, all []candidate, buckets [][]byte) error {
	if _, err := tx.countFailure(ctx, buckets[0], tx.db.crowdBucket(login)); err != nil {
		return err
	}
	f, err := tx.countFailure(ctx, buckets[1], buckets[1])
	if err != nil {
		return err
	}
	if f.Trouble() { // over all networks, or over all known devices
		if err := tx.noteTrouble(ctx, login, network); err != nil {
			return err
		}
	}
	return tx.noteRefused(ctx, network, all)
}

func (tx *Tx) signIn(ctx context.Context, accountID int64, device, network string, keep bool) (model.SignedIn, error) {
	was, err := accountByID(ctx, tx, accountID)
	if err != nil {
		return model.SignedIn{}, err
	}
	var asked any // the grace for a second factor begins now, if it has not begun
	if !was.HasFactor() && tx.settings.Factors.Require(was.Role) {
		asked = tx.Now.Unix()
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE account SET last_sign_in_at = ?, factor_wanted_at = NULL, factor_doubted_at = NULL, factor_asked_at = coalesce(factor_asked_at, ?) WHERE id = +?`,
		tx.Now.Unix(), asked, accountID); err != nil {
		return model.SignedIn{}, err
	}
	if was.LastSignInAt.IsZero() {
		if err := tx.index(ctx, was.MemberID); err != nil {
			return model.SignedIn{}, err
		}
	}
	done, err := tx.startSession(ctx, accountID, device, network, keep)
	if err != nil {
		return done, err
	}
	a := done.Account
	return done, tx.audit(ctx, model.PersonActor(a, network), model.ActSignedIn, about{member: a.MemberID, account: a.ID})
}

// ticketLife is how long somebody may think about who they are.
const ticketLife = 5 * time.Minute

// ticket says that a password fitted several people, for the form that asks
// which of them it is. It names the session stamps, so it dies with a changed
// password and with "sign out everywhere".
func (d *DB) ticket(now time.Time, keep bool, fits []candidate) model.Secret {
	said := binary.BigEndian.AppendUint64(nil, uint64(now.Add(ticketLife).Unix()))
	said = append(said, 0)
	if keep {
		said[8] = 1
	}
	for _, c := range fits {
		said = binary.BigEndian.AppendUint64(said, uint64(c.account.ID))
		said = binary.BigEndian.AppendUint64(said, uint64(c.account.SessionStamp))
	}
	return model.NewSecret(signed(d.keys, "choice", said))
}

// ChoosePerson signs in the person that was chosen among those whom the
// password fitted.
func (d *DB) ChoosePerson(ctx context.Context, in model.Choice) (model.SignedIn, error) {
	var done model.SignedIn
	said, ok := unsigned(d.keys, "choice", in.Ticket.Reveal())
	if !ok || len(said) < 9 {
		return done, errSignIn
	}
	until, keep, rest := time.Unix(int64(binary.BigEndian.Uint64(said)), 0), said[8] == 1, said[9:]
	stamp := int64(-1)
	for ; len(rest) >= 16; rest = rest[16:] {
		if int64(binary.BigEndian.Uint64(rest)) == in.AccountID {
			stamp = int64(binary.BigEndian.Uint64(rest[8:]))
		}
	}
	err := d.act(ctx, func(tx *Tx) error {
		a, err := accountByID(ctx, tx, in.AccountID)
		if err != nil && model.KindOf(err) != model.KindNotFound {
			return err
		}
		if err != nil || !tx.Now.Before(until) || a.SessionStamp != stamp || a.Disabled() || !d.tickets.use(string(said), until, tx.Now) {
			return errSignIn
		}
		done, err = tx.passed(ctx, a.ID, in.Device, in.Network, keep)
		return err
	})
	return done, err
}

// usedTickets remembers, by what they say, tickets for as long as they would
// live: each opens one session. A restart forgets them, and a few minutes are
// soon over.
type usedTickets struct {
	mu   sync.Mutex
	used map[string]time.Time
}

func (u *usedTickets) use(said string, until, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.DeleteFunc(u.used, func(_ string, until time.Time) bool { return !now.Before(until) })
	if _, ok := u.used[said]; ok {
		return false
	}
	u.used[said] = until
	return true
}

// signed is a value with its tag, as it goes into a cookie or a form field.
func signed(k model.Keyring, purpose string, said []byte) string {
	tag := k.Sign(purpose, said)
	return base64.RawURLEncoding.EncodeToString(said) + "." + base64.RawURLEncoding.EncodeToString(tag)
}

func unsigned(k model.Keyring, purpose, text string) ([]byte, bool) {
	first, second, ok := strings.Cut(text, ".")
	said, err := base64.RawURLEncoding.DecodeString(first)
	tag, err2 := base64.RawURLEncoding.DecodeString(second)
	if !ok || err != nil || err2 != nil || !k.Verify(tag, purpose, said) {
		return nil, false
	}
	return said, true
}

// newDevice marks a browser as one that signed in to this account.
func (d *DB) newDevice(accountID int64) model.Secret {
	said := binary.BigEndian.AppendUint64(nil, uint64(accountID))
	id := make([]byte, 16)
	rand.Read(id)
	return model.NewSecret(signed(d.keys, "device", append(said, id...)))
}

// knownDevice gives the mark of a device that signed in before, and to whose
// account, or "".
func (d *DB) knownDevice(cookie string) (mark string, account int64) {
	said, ok := unsigned(d.keys, "device", cookie)
	if !ok || len(said) != 24 {
		return "", 0
	}
	return strconv.Quote(string(said[8:])), int64(binary.BigEndian.Uint64(said))
}

func (d *DB) crowdBucket(login string) []byte { return d.keys.Blind("failure", "login", login) }

func failures(ctx context.Context, q querier, bucket []byte) (f model.Failures, err error) {
	err = q.QueryRowContext(ctx, `SELECT count, last_at FROM failure WHERE bucket = +?`, bucket).Scan(&f.Count, unix{&f.LastAt})
	if errors.Is(err, sql.ErrNoRows) {
		return model.Failures{}, nil
	}
	return f, err
}

// enter begins an attempt and says how long it would have to wait. Attempts
// that are under way count as failed until they are over; otherwise a
// thousand at once would all be the first. The first bucket has the growing
// pause, the second (over all networks, or all known devices) that of crowd.
//
// Looking and entering are one step: leave comes after the failure was
// committed, so nobody ever sees an attempt in neither place.
func (d *DB) enter(ctx context.Context, buckets ...[]byte) (leave func(), wait time.Duration, err error) {
	return d.enterCrowd(ctx, model.Failures.CrowdWait, buckets...)
}

func (d *DB) enterCrowd(ctx context.Context, crowd func(model.Failures, time.Time) time.Duration, buckets ...[]byte) (leave func(), wait time.Duration, err error) {
	d.trying.mu.Lock()
	defer d.trying.mu.Unlock()
	now := d.Now()
	for i, b := range buckets {
		f, err := failures(ctx, d.read, b)
		if err != nil {
			return nil, 0, err
		}
		if n := d.trying.n[string(b)]; n > 0 {
			f = model.Failures{Count: f.Next(now).Count - 1 + n, LastAt: now}
		}
		if i == 0 {
			wait = max(wait, f.Wait(now))
		} else {
			wait = max(wait, crowd(f, now))
		}
	}
	if wait > 0 {
		return func() {}, wait, nil
	}
	d.trying.count(buckets, 1)
	return func() {
		d.trying.mu.Lock()
		defer d.trying.mu.Unlock()
		d.trying.count(buckets, -1)
	}, 0, nil
}

func (tx *Tx) countFailure(ctx context.Context, bucket, login []byte) (model.Failures, error) {
	f, err := failures(ctx, tx, bucket)
	if err != nil {
		return f, err
	}
	f = f.Next(tx.Now)
	_, err = tx.ExecContext(ctx, `
		INSERT INTO failure (bucket, login, count, last_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (bucket) DO UPDATE SET count = excluded.count, last_at = excluded.last_at`, bucket, login, f.Count, f.LastAt.Unix())
	if err == nil && tx.db.trying.counted.Add(1)%boundEvery == 0 {
		err = tx.boundFailures(ctx)
	}
	return f, err
}

// What strangers can have written down of their wrong tries is bounded: some
// 20 MB. One core makes 40 hashes a second, so logins that nobody has would else
// be 7 million rows a day; and wrong codes need no hash.
const (
	failuresKept = 100_000
	boundEvery   = 1000 // it takes 30 ms
)

// boundFailures forgets what is over, and beyond the bound what matters least:
// of those with the fewest tries the oldest. To have a bucket forgotten that
// makes them wait, somebody would have to fill all the others as far as it first,
// which takes them far more tries than they gain. Five in each would not be: wrong
// codes need no hash, and one owner of IPv6 has a million networks.
func (tx *Tx) boundFailures(ctx context.Context) error {
	for _, q := range []struct{ table, key string }{{"failure", "bucket"}, {"code_try", "key"}} {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+q.table+` WHERE last_at <= +?`, tx.Now.Add(-forgotten[q.table]).Unix()); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+q.table+` WHERE `+q.key+` IN (
			SELECT `+q.key+` FROM `+q.table+` ORDER BY count, last_at LIMIT max(0, (SELECT count(*) FROM `+q.table+`) - +?))`, failuresKept); err != nil {
			return err
		}
	}
	return nil
}

// forgotten is after how long what was counted is over. A code lives for a day,
// and its count must outlast it.
var forgotten = map[string]time.Duration{"failure": model.FailuresFor, "code_try": 48 * time.Hour}

func (tx *Tx) clearFailures(ctx context.Context, buckets ...[]byte) error {
	for _, b := range buckets {
		if _, err := tx.ExecContext(ctx, `DELETE FROM failure WHERE bucket = +?`, b); err != nil {
			return err
		}
	}
	return nil
}

// Tidy removes what is over and will not be asked for again. It is called now
// and then, beside the work; nothing depends on it.
func (d *DB) Tidy(ctx context.Context) error {
	now := d.Now()
	for _, q := range []struct {
		query string
		args  []any
	}{
		{`DELETE FROM session WHERE expires_at <= +?`, []any{now.Unix()}},
		{`DELETE FROM sessions WHERE expiry < julianday('now')`, nil},
		{`UPDATE email_change SET ended_at = expires_at, salt = NULL, password_hash = NULL WHERE ended_at IS NULL AND expires_at <= +?`, []any{now.Unix()}},
		{`DELETE FROM email_change WHERE ended_at <= +?`, []any{now.Add(-model.RememberEnded).Unix()}},
		{`DELETE FROM near_login WHERE at <= +?`, []any{now.Add(-model.NearFor).Unix()}},
		{`DELETE FROM letter WHERE created_at <= +? AND state NOT IN ('waiting', 'retrying', 'sending')`, []any{now.Add(-model.LetterLogFor).Unix()}},
	} {
		if _, err := d.write.ExecContext(ctx, q.query, q.args...); err != nil {
			return err
		}
	}
	if err := d.act(ctx, func(tx *Tx) error {
		if err := tx.boundFailures(ctx); err != nil {
			return err
		}
		return tx.tidyIntake(ctx)
	}); err != nil {
		return err
	}
	return d.pruneAudit(ctx)
}

// attempts counts the sign-ins under way, by bucket.
type attempts struct {
	mu sync.Mutex
	n  map[string]int

	counted atomic.Int64 // failures since the start
}

// count is called with mu held.
func (a *attempts) count(buckets [][]byte, by int) {
	for _, b := range buckets {
		k := string(b)
		if a.n[k] += by; a.n[k] == 0 {
			delete(a.n, k)
		}
	}
}
