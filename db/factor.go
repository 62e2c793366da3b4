package db

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"latchkey/db/model"
)

// factor is what an account has for its second factor besides passkeys.
type factor struct {
	appSecret []byte // nil without an app
	appStep   int64
	appMadeAt time.Time
	codeKey   []byte
	codesAt   time.Time
}

// factorOf is an account's, nil if it has none.
func (d *DB) factorOf(ctx context.Context, q querier, accountID int64) (*factor, error) {
	var f factor
	var secret, key []byte
	err := q.QueryRowContext(ctx, `SELECT app_secret, app_step, app_made_at, code_key, codes_made_at FROM factor WHERE account_id = +?`, accountID).
		Scan(&secret, &f.appStep, unix{&f.appMadeAt}, &key, unix{&f.codesAt})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if f.codeKey, err = d.keys.Open("factor", "code_key", accountID, key); err != nil {
		return nil, err
	}
	if secret != nil {
		f.appSecret, err = d.keys.Open("factor", "app_secret", accountID, secret)
	}
	return &f, err
}

// secondFactors is what an account has.
func secondFactors(ctx context.Context, q querier, a model.Account) (has model.SecondFactors, err error) {
	if !a.HasFactor() {
		return has, nil
	}
	err = q.QueryRowContext(ctx, `
		SELECT app_made_at, codes_made_at, (SELECT count(*) FROM recovery_code c WHERE c.account_id = f.account_id AND c.used_at IS NULL)
		FROM factor f WHERE f.account_id = +?`, a.ID).Scan(unix{&has.AppAt}, unix{&has.CodesAt}, &has.CodesLeft)
	if err != nil {
		return has, err
	}
	keys, err := passkeysOf(ctx, q, a)
	for _, k := range keys {
		has.Passkeys = append(has.Passkeys, k.Passkey)
	}
	return has, err
}

// SecondFactors is what whoever is signed in has.
func (d *DB) SecondFactors(ctx context.Context, actor model.Actor) (model.SecondFactors, error) {
	a, err := accountByID(ctx, d.point, actor.AccountID)
	if err != nil {
		return model.SecondFactors{}, err
	}
	return secondFactors(ctx, d.point, a)
}

// note is what a form brings back that nobody may read or change on the way:
// sealed, bound to its purpose, good for a time.
type note struct {
	Until   int64  `json:"until"` // Unix seconds
	Account int64  `json:"account,omitempty"`
	Stamp   int64  `json:"stamp,omitempty"` // of its sessions: whatever ends them ends the note
	Session int64  `json:"session,omitempty"`
	Keep    bool   `json:"keep,omitempty"`
	Once    []byte `json:"once"` // no other note has it
	Holds   []byte `json:"holds,omitempty"`
}

// The purposes of notes: what is asked of somebody, or what they are setting up.
const (
	noteStep       = "second factor"
	noteNewApp     = "new app"
	noteWhole      = "passkey, whole sign-in"
	noteOwn        = "passkey of an account"
	noteSelf       = "passkey, once more"
	noteNewPasskey = "new passkey"
)

// noteLife is how long somebody may look for their telephone.
const noteLife = 10 * time.Minute

func (d *DB) sealNote(purpose string, n note, now time.Time) (model.Secret, error) {
	n.Until, n.Once = now.Add(noteLife).Unix(), make([]byte, 16)
	rand.Read(n.Once)
	said, err := json.Marshal(n)
	if err != nil {
		return model.Secret{}, err
	}
	box, err := d.keys.Seal("note", purpose, 0, said)
	return model.NewSecret(base64.RawURLEncoding.EncodeToString(box)), err
}

// openNote reads what sealNote wrote; ok is false for whatever is none, or is
// too old.
func (d *DB) openNote(purpose string, text model.Secret, now time.Time) (n note, ok bool) {
	box, err := base64.RawURLEncoding.DecodeString(text.Reveal())
	if err != nil {
		return n, false
	}
	said, err := d.keys.Open("note", purpose, 0, box)
	if err != nil || json.Unmarshal(said, &n) != nil {
		return note{}, false
	}
	return n, now.Before(time.Unix(n.Until, 0))
}

// spend makes sure that a note does its work once.
func (d *DB) spend(n note, now time.Time) bool {
	return d.tickets.use(string(n.Once), time.Unix(n.Until, 0), now)
}

// passed goes on after the right password: in, or to the second factor where
// there is one.
func (tx *Tx) passed(ctx context.Context, accountID int64, device, network string, keep bool) (model.SignedIn, error) {
	a, err := accountByID(ctx, tx, accountID)
	if err != nil {
		return model.SignedIn{}, err
	}
	if !a.HasFactor() {
		return tx.signIn(ctx, accountID, device, network, keep)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE account SET factor_wanted_at = ? WHERE id = +?`, tx.Now.Unix(), a.ID); err != nil {
		return model.SignedIn{}, err
	}
	if err := tx.audit(ctx, model.MemberActor(network), model.ActFactorAsked, about{member: a.MemberID, account: a.ID}); err != nil {
		return model.SignedIn{}, err
	}
	ticket, err := tx.db.sealNote(noteStep, note{Account: a.ID, Stamp: a.SessionStamp, Keep: keep}, tx.Now)
	if err != nil {
		return model.SignedIn{}, err
	}
	step, err := tx.db.secondStep(ctx, tx, tx.settings, a, ticket, tx.Now)
	return model.SignedIn{Second: &step}, err
}

func (d *DB) secondStep(ctx context.Context, q querier, s model.Settings, a model.Account, ticket model.Secret, now time.Time) (step model.SecondStep, err error) {
	step.Ticket = ticket
	if err := q.QueryRowContext(ctx, `SELECT app_secret IS NOT NULL FROM factor WHERE account_id = +?`, a.ID).Scan(&step.App); err != nil {
		return step, err
	}
	step.Passkey, err = d.askPasskey(ctx, q, s, noteOwn, note{Account: a.ID, Stamp: a.SessionStamp}, a, now)
	return step, err
}

// The password did fit, so the usual sentence would be wrong.
var errStepOver = &model.Error{Kind: model.KindSignIn, Sentence: "That took a while, so please sign in once more."}

// SecondStep is the question once more, after an answer that did not fit.
func (d *DB) SecondStep(ctx context.Context, ticket model.Secret) (model.SecondStep, error) {
	now := d.Now()
	n, ok := d.openNote(noteStep, ticket, now)
	if !ok {
		return model.SecondStep{}, errStepOver
	}
	s, err := d.Settings(ctx)
	if err != nil {
		return model.SecondStep{}, err
	}
	a, err := askedAgain(ctx, d.read, n)
	if err != nil {
		return model.SecondStep{}, err
	}
	return d.secondStep(ctx, d.read, s, a, ticket, now)
}

// askedAgain is whom the question for a second factor is about, as they are now.
func askedAgain(ctx context.Context, q querier, n note) (model.Account, error) {
	a, err := accountByID(ctx, q, n.Account)
	switch {
	case err != nil && model.KindOf(err) != model.KindNotFound:
		return a, err
	case err != nil || a.SessionStamp != n.Stamp || a.Disabled() || !a.HasFactor():
		return a, errStepOver
	}
	return a, nil
}

const sentenceCode = "This code does not fit. Type the one that the app shows now, or a recovery code that you have not used yet."

// ProveFactor is the second factor, after the right password, and with it the
// session. Wrong codes are slowed down as wrong passwords are, per account and
// network; a device that signed in before has a count of its own, so nobody
// who found out a password can lock its owner out. A passkey cannot be guessed
// and is never slowed.
func (d *DB) ProveFactor(ctx context.Context, in model.SecondProof) (model.SignedIn, error) {
	var done model.SignedIn
	n, ok := d.openNote(noteStep, in.Ticket, d.Now())
	if !ok {
		return done, errStepOver
	}
	if !in.Passkey.IsZero() {
		return d.provePasskey(ctx, n, in)
	}
	app, recovery := model.ParseSecondCode(in.Code)
	if app == "" && recovery == "" {
		return done, model.Invalid("code", "Please type the six digits of the app, or one of your recovery codes.")
	}
	a, err := askedAgain(ctx, d.read, n)
	if err != nil {
		return done, err
	}
	buckets := d.factorBuckets(a, in)
	leave, wait, err := d.enterCrowd(ctx, model.Failures.CodesWait, buckets...)
	if err != nil {
		return done, err
	}
	defer leave()
	if wait > 0 {
		return done, model.Limited("There were several wrong codes, so the next one has to wait. A passkey works at once.", wait)
	}
	wrong := false
	err = d.act(ctx, func(tx *Tx) error {
		a, err := askedAgain(ctx, tx, n)
		if err != nil {
			return err
		}
		took, err := tx.takeCode(ctx, a, app, recovery)
		if err != nil {
			return err
		}
		if !took {
			wrong = true
			return tx.refuseFactor(ctx, a, in.Network, buckets)
		}
		if !d.spend(n, tx.Now) {
			return errStepOver
		}
		if err := tx.clearFailures(ctx, buckets...); err != nil {
			return err
		}
		if done, err = tx.signIn(ctx, a.ID, in.Device, in.Network, n.Keep); err != nil || recovery == "" {
			return err
		}
		return tx.noteCodeUsed(ctx, a, in.Network)
	})
	if err == nil && wrong {
		err = model.Invalid("code", sentenceCode)
	}
	return done, err
}

// factorBuckets are where wrong codes are counted: as wrong passwords are, see
// signInBuckets.
func (d *DB) factorBuckets(a model.Account, in model.SecondProof) [][]byte {
	id := fmt.Sprint(a.ID)
	if device, of := d.knownDevice(in.Known.Reveal()); device != "" && of == a.ID {
		return [][]byte{d.keys.Blind("failure", "factor device", id, device), d.keys.Blind("failure", "factor devices", id)}
	}
	return [][]byte{d.keys.Blind("failure", "factor", id, in.Network), d.keys.Blind("failure", "factor", id)}
}

func (tx *Tx) refuseFactor(ctx context.Context, a model.Account, network string, buckets [][]byte) error {
	var f model.Failures
	for _, b := range buckets {
		var err error
		if f, err = tx.countFailure(ctx, b, b); err != nil {
			return err
		}
	}
	if f.Several() { // over all networks, or over all known devices
		if err := tx.warnOfCodes(ctx, a); err != nil {
			return err
		}
	}
	return tx.audit(ctx, model.MemberActor(network), model.ActFactorFailed, about{member: a.MemberID, account: a.ID})
}

// takeCode takes a code if it fits, and with that it is used up.
func (tx *Tx) takeCode(ctx context.Context, a model.Account, app, recovery string) (took bool, err error) {
	f, err := tx.db.factorOf(ctx, tx, a.ID)
	if err != nil || f == nil {
		return false, err
	}
	var res sql.Result
	if app != "" {
		step, ok := int64(0), false
		if f.appSecret != nil {
			step, ok = model.AppStepUsed(app, f.appStep, tx.Now, appCode(f.appSecret))
		}
		if !ok {
			return false, nil
		}
		res, err = tx.ExecContext(ctx, `UPDATE factor SET app_step = ? WHERE account_id = +? AND app_step < +?`, step, a.ID, step)
	} else {
		res, err = tx.ExecContext(ctx, `UPDATE recovery_code SET used_at = ? WHERE account_id = +? AND hash = +? AND used_at IS NULL`,
			tx.Now.Unix(), a.ID, recoveryHash(f.codeKey, recovery))
	}
	if err != nil {
		return false, err
	}
	rows, err := res.RowsAffected()
	return rows == 1, err
}

// appCode gives the codes of an app's secret (RFC 6238 with SHA-1, six digits
// and 30 seconds: what all apps can do).
func appCode(secret []byte) func(step int64) string {
	text := base32.StdEncoding.EncodeToString(secret)
	return func(step int64) string {
		code, err := hotp.GenerateCodeCustom(text, uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			panic(err) // a secret of ours is always base32
		}
		return code
	}
}

// recoveryHash is what is kept of a recovery code. The key is sealed, so a
// stolen database cannot be searched for the code behind a hash; a slow hash
// would only be needed without it (OWASP ASVS 5.0, 6.5.2).
func recoveryHash(key []byte, code string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(code))
	return mac.Sum(nil)
}

// noteCodeUsed tells the account that a recovery code was used: whoever found
// the sheet would otherwise go unnoticed.
func (tx *Tx) noteCodeUsed(ctx context.Context, a model.Account, network string) error {
	has, err := secondFactors(ctx, tx, a)
	if err != nil {
		return err
	}
	left := fmt.Sprintf("%d are left.", has.CodesLeft)
	if has.CodesLeft == 1 {
		left = "One is left."
	}
	if has.FewCodes() {
		left += " Make new ones soon: under “Second step” in your account."
	}
	return tx.changedFactor(ctx, model.PersonActor(a, network), a, model.ActCodeUsed, left, "somebody signed in with your password and one of your recovery codes. "+left)
}

// changedFactor writes the line of an act on a second factor, and the letters
// that tell of it.
func (tx *Tx) changedFactor(ctx context.Context, actor model.Actor, a model.Account, act model.Act, note, what string) error {
	if err := tx.audit(ctx, actor, act, about{member: a.MemberID, account: a.ID, note: note}); err != nil {
		return err
	}
	former, err := tx.formerEmails(ctx, a)
	if err != nil {
		return err
	}
	for _, email := range append([]string{a.Email}, former...) {
		facts := letterFacts{ChangedAt: tx.Now.Unix(), What: what}
		if err := tx.post(ctx, actor, model.LetterFactorChanged, email, facts, subject{account: a.ID}); err != nil {
			return err
		}
	}
	return nil
}

// checkSelf asks whoever is signed in once more who they are: by password, or
// by one of their passkeys.
func (d *DB) checkSelf(ctx context.Context, actor model.Actor, in model.SelfProof) (proof, error) {
	if in.Passkey.IsZero() {
		return d.checkOwnPassword(ctx, actor, in.Password)
	}
	return d.checkOwnPasskey(ctx, actor, in)
}

// onSelf is an act on one's own second factor, after a proof.
func (d *DB) onSelf(ctx context.Context, actor model.Actor, in model.SelfProof, f func(tx *Tx, a model.Account) error) error {
	me, err := d.checkSelf(ctx, actor, in)
	if err != nil {
		return err
	}
	return d.actBy(ctx, actor, func(tx *Tx) error {
		if err := tx.provedPassword(ctx, me); err != nil {
			return err
		}
		a, err := accountByID(ctx, tx, actor.AccountID)
		if err != nil {
			return err
		}
		return f(tx, a)
	})
}

// BeginApp begins to set up an authenticator app. Nothing is stored before its
// first code shows that it works.
func (d *DB) BeginApp(ctx context.Context, actor model.Actor, in model.SelfProof) (model.NewApp, error) {
	var app model.NewApp
	err := d.onSelf(ctx, actor, in, func(tx *Tx, a model.Account) error {
		if err := tx.settings.MaySetUpFactor(a, tx.Now); err != nil {
			return err
		}
		ticket, err := d.sealNote(noteNewApp, note{Account: a.ID, Stamp: a.SessionStamp, Holds: model.NewAppSecret()}, tx.Now)
		if err != nil {
			return err
		}
		app, err = d.newApp(ctx, tx, tx.settings, a, ticket)
		return err
	})
	return app, err
}

// NewApp shows an app that is being set up once more, after a code that did
// not fit.
func (d *DB) NewApp(ctx context.Context, actor model.Actor, ticket model.Secret) (model.NewApp, error) {
	s, err := d.Settings(ctx)
	if err != nil {
		return model.NewApp{}, err
	}
	a, err := accountByID(ctx, d.read, actor.AccountID)
	if err != nil {
		return model.NewApp{}, err
	}
	return d.newApp(ctx, d.read, s, a, ticket)
}

var errSetUpOver = model.Conflict("That took a while. Please begin once more.")

// ownNote is a note of somebody who is signed in, and still is.
func (d *DB) ownNote(purpose string, ticket model.Secret, a model.Account) (note, error) {
	n, ok := d.openNote(purpose, ticket, d.Now())
	if !ok || n.Account != a.ID || n.Stamp != a.SessionStamp {
		return n, errSetUpOver
	}
	return n, nil
}

func (d *DB) newApp(ctx context.Context, q querier, s model.Settings, a model.Account, ticket model.Secret) (model.NewApp, error) {
	n, err := d.ownNote(noteNewApp, ticket, a)
	if err != nil {
		return model.NewApp{}, err
	}
	others, err := sharers(ctx, q, a)
	if err != nil {
		return model.NewApp{}, err
	}
	issuer := s.Association
	if issuer == "" {
		issuer = s.Portal()
	}
	return model.NewApp{Ticket: ticket, Secret: model.NewSecret(model.AppSecretText(n.Holds)),
		URI: model.NewSecret(model.AppURI(n.Holds, issuer, a.Login(len(others) > 0)))}, nil
}

// ConfirmApp ends the setting up of an app with the first code that it shows.
func (d *DB) ConfirmApp(ctx context.Context, actor model.Actor, sessionID int64, ticket model.Secret, typed string) (model.FactorAdded, error) {
	var added model.FactorAdded
	err := d.actBy(ctx, actor, func(tx *Tx) error {
		a, err := accountByID(ctx, tx, actor.AccountID)
		if err != nil {
			return err
		}
		n, err := d.ownNote(noteNewApp, ticket, a)
		if err != nil {
			return err
		}
		if err := tx.settings.MaySetUpFactor(a, tx.Now); err != nil {
			return err
		}
		code, _ := model.ParseSecondCode(typed)
		if code == "" {
			return model.Invalid("code", "Please type the six digits that the app shows.")
		}
		step, ok := model.AppStepUsed(code, 0, tx.Now, appCode(n.Holds))
		if !ok {
			return model.Invalid("code", "This code does not fit. Type the one that the app shows now. If it never fits, look whether the clock of your telephone is right.")
		}
		if !d.spend(n, tx.Now) {
			return errSetUpOver
		}
		if added.Codes, err = tx.firstCodes(ctx, a); err != nil {
			return err
		}
		sealed, err := d.keys.Seal("factor", "app_secret", a.ID, n.Holds)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE factor SET app_secret = ?, app_step = ?, app_made_at = ? WHERE account_id = +?`,
			sealed, step, tx.Now.Unix(), a.ID); err != nil {
			return err
		}
		if err := tx.changedFactor(ctx, actor, a, model.ActFactorAdded, "app for codes",
			"an app for codes was set up. From now on, signing in takes a code besides the password."); err != nil {
			return err
		}
		added.SignIn, err = tx.raise(ctx, a, sessionID)
		return err
	})
	return added, err
}

// firstCodes makes sure that an account has a row for its second factor, and
// gives its recovery codes if they are new.
func (tx *Tx) firstCodes(ctx context.Context, a model.Account) ([]model.Secret, error) {
	var there bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM factor WHERE account_id = +?)`, a.ID).Scan(&there); err != nil || there {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO factor (account_id, code_key, codes_made_at) VALUES (?, x'', 0)`, a.ID); err != nil {
		return nil, err
	}
	return tx.newCodes(ctx, a)
}

func (tx *Tx) newCodes(ctx context.Context, a model.Account) ([]model.Secret, error) {
	key := make([]byte, 32)
	rand.Read(key)
	sealed, err := tx.db.keys.Seal("factor", "code_key", a.ID, key)
	if err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE factor SET code_key = ?, codes_made_at = ? WHERE account_id = +?`, sealed, tx.Now.Unix(), a.ID); err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM recovery_code WHERE account_id = +?`, a.ID); err != nil {
		return nil, err
	}
	codes := model.NewRecoveryCodes()
	for _, c := range codes {
		_, bare := model.ParseSecondCode(c.Reveal())
		if _, err := tx.ExecContext(ctx, `INSERT INTO recovery_code (account_id, hash) VALUES (?, ?)`, a.ID, recoveryHash(key, bare)); err != nil {
			return nil, err
		}
	}
	return codes, nil
}

// raise switches the second factor on, if this was the first. Every session is
// over then: they began without it. This browser gets a new one (OWASP ASVS
// 5.0, 7.2.4 and 7.4.3).
func (tx *Tx) raise(ctx context.Context, a model.Account, sessionID int64) (*model.SignedIn, error) {
	if a.HasFactor() {
		return nil, nil
	}
	if _, err := tx.ExecContext(ctx, `UPDATE account SET factor_at = ?, factor_wanted_at = NULL WHERE id = +?`, tx.Now.Unix(), a.ID); err != nil {
		return nil, err
	}
	return tx.beginAnew(ctx, a, sessionID)
}

// beginAnew ends every session of an account but this browser's, which gets a
// new one: signing in takes something else now.
func (tx *Tx) beginAnew(ctx context.Context, a model.Account, sessionID int64) (*model.SignedIn, error) {
	s, err := session(ctx, tx, sessionID)
	if err != nil {
		return nil, err
	}
	if s.AccountID != a.ID || s.Over(a, tx.Now) {
		return nil, errSignInEnded
	}
	if err := tx.endSessions(ctx, a.ID); err != nil {
		return nil, err
	}
	in, err := tx.startSession(ctx, a.ID, s.Device, s.Network, s.Kept)
	return &in, err
}

// RecoveryCodes makes ten new recovery codes; the former ones open nothing any
// more.
func (d *DB) RecoveryCodes(ctx context.Context, actor model.Actor, in model.SelfProof) (codes []model.Secret, err error) {
	err = d.onSelf(ctx, actor, in, func(tx *Tx, a model.Account) error {
		if !a.HasFactor() {
			return errNoFactor
		}
		if codes, err = tx.newCodes(ctx, a); err != nil {
			return err
		}
		return tx.changedFactor(ctx, actor, a, model.ActCodesMade, "", "new recovery codes were made for your account. The former ones do not work any more.")
	})
	return codes, err
}

var errNoFactor = model.NotFound("There is no second step here any more.")

// RemoveApp takes the authenticator app away. in is nil unless it was the last
// way, and then the new session of this browser; all others are over.
func (d *DB) RemoveApp(ctx context.Context, actor model.Actor, proof model.SelfProof) (in *model.SignedIn, err error) {
	err = d.onSelf(ctx, actor, proof, func(tx *Tx, a model.Account) error {
		has, err := secondFactors(ctx, tx, a)
		if err != nil {
			return err
		}
		if has.AppAt.IsZero() {
			return errNoFactor
		}
		last, err := tx.mayRemoveOne(a, has, model.Way{})
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE factor SET app_secret = NULL, app_step = 0, app_made_at = NULL WHERE account_id = +?`, a.ID); err != nil {
			return err
		}
		in, err = tx.removed(ctx, actor, a, proof.Session, last, "app for codes", "the app for codes was removed.")
		return err
	})
	return in, err
}

// mayRemoveOne keeps the last way of giving a second factor where the role
// requires one.
func (tx *Tx) mayRemoveOne(a model.Account, has model.SecondFactors, goes model.Way) (last bool, err error) {
	host, _ := model.PasskeyHost(tx.settings.BaseURL)
	last = has.Last(goes, host)
	if last && tx.settings.Factors.Require(a.Role) {
		return last, model.Conflict("You need a second step, and this is the only one. Set up another one first.")
	}
	return last, nil
}

// removed ends the removal of a way. After the last one sessions begin anew, as
// after the first.
func (tx *Tx) removed(ctx context.Context, actor model.Actor, a model.Account, sessionID int64, last bool, note, what string) (in *model.SignedIn, err error) {
	if last {
		what += " Signing in takes the password alone now."
		if err := tx.dropFactor(ctx, a.ID); err != nil {
			return nil, err
		}
		if in, err = tx.beginAnew(ctx, a, sessionID); err != nil {
			return nil, err
		}
	}
	return in, tx.changedFactor(ctx, actor, a, model.ActFactorRemoved, note, what)
}

// dropFactor forgets all that an account has of a second factor.
func (tx *Tx) dropFactor(ctx context.Context, accountID int64) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM factor WHERE account_id = +?`, accountID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE account SET factor_at = NULL, factor_wanted_at = NULL, factor_doubted_at = NULL WHERE id = +?`, accountID)
	return err
}

// ClearFactor takes away the second factor that somebody lost. For a time nobody
// at the office sees a link of the account: whoever clears the one and has the
// other would have the account (product.md §3.4). For the same reason a password
// that somebody at the office may know goes with it, and none is cleared while
// letters may go to an address that was changed only just now.
//
// Where the role requires a second factor, the next one takes an emailed link:
// that the caller was recognised on the telephone is not enough for the office.
func (d *DB) ClearFactor(ctx context.Context, actor model.Actor, memberID int64) error {
	return d.govern(ctx, actor, memberID, func(tx *Tx, a model.Account) error {
		if !a.HasFactor() {
			return model.Conflict("This account has no second step.")
		}
		if err := tx.settledAddress(ctx, a); err != nil {
			return err
		}
		if err := tx.cancelLink(ctx, actor, a, "the second step was cleared"); err != nil {
			return err
		}
		if err := tx.cancelEmailChange(ctx, actor, a); err != nil {
			return err
		}
		known, err := tx.officeMayKnowPassword(ctx, a)
		if err != nil {
			return err
		}
		what := " Signing in takes the password alone now."
		if known {
			what = " Somebody at the office could have seen the link to your password, so that does not work any more either: choose a new one through the letter that comes with this one."
		}
		if err := tx.clearFactor(ctx, actor, a, actor.Name+" at the office cleared your second step."+what); err != nil {
			return err
		}
		over := tx.Now.Add(-model.FactorGrace)
		if _, err := tx.ExecContext(ctx, `UPDATE account SET factor_cleared_at = ?, factor_asked_at = ? WHERE id = +?`, tx.Now.Unix(), over.Unix(), a.ID); err != nil || !known {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE account SET password_hash = NULL, password_version = password_version + 1 WHERE id = +?`, a.ID); err != nil {
			return err
		}
		if a, err = accountByID(ctx, tx, a.ID); err != nil {
			return err
		}
		return tx.send(ctx, actor, a, model.LetterReset)
	})
}

// settledAddress makes sure that an account's letters went to where they go now
// for a while. The line of the act is what is kept of it longest.
func (tx *Tx) settledAddress(ctx context.Context, a model.Account) error {
	var at time.Time
	if err := tx.QueryRowContext(ctx, `SELECT max(at) FROM audit WHERE member_id = +? AND act = +? AND at > +?`,
		a.MemberID, model.ActEmailChanged, tx.Now.Add(-model.ClearedFor).Unix()).Scan(unix{&at}); err != nil || at.IsZero() {
		return err
	}
	return model.Conflict("The email of this account was changed less than three days ago, so the second step stays for now, and the account with it: whoever changed both could sign in as them. Either can go from " +
		at.Add(model.ClearedFor).In(tx.settings.Location()).Format("Mon 2 Jan, 15:04") + " on. Until then a recovery code or a passkey still gets them in.")
}

// officeMayKnowPassword reports whether the present password was set through
// what somebody at the office had on screen or read out. They may have set it
// themselves.
func (tx *Tx) officeMayKnowPassword(ctx context.Context, a model.Account) (known bool, err error) {
	if !a.HasPassword {
		return false, nil
	}
	err = tx.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM reset r WHERE r.id = (SELECT max(id) FROM reset WHERE account_id = +? AND end_reason = +?) AND r.ended_at = +?
			AND (r.spoken_at IS NOT NULL OR EXISTS (SELECT 1 FROM reset_shown s WHERE s.reset_id = r.id)))`,
		a.ID, model.EndUsed, a.PasswordSetAt.Unix()).Scan(&known)
	return known, err
}

// dropWithAccount is ClearFactor for an account that is about to be deleted.
// Otherwise to delete it and make another one would be a way round all that
// clearing takes: the new one may have the address that was just given to the
// former.
func (tx *Tx) dropWithAccount(ctx context.Context, actor model.Actor, a model.Account) error {
	cleared := a.Factor.ClearedAt
	if a.HasFactor() {
		if err := tx.settledAddress(ctx, a); err != nil {
			return err
		}
		if err := tx.clearFactor(ctx, actor, a, actor.Name+" at the office deleted your account, and your second step with it."); err != nil {
			return err
		}
		cleared = tx.Now
	}
	_, err := tx.ExecContext(ctx, `UPDATE member SET factor_cleared_at = ? WHERE id = +?`, moment(cleared), a.MemberID)
	return err
}

// clearedWith is when the second factor of somebody's former account went with
// it. As long as that counts, the new one has its address: nobody at the office
// sees its link, and nobody there is to say where it goes.
func (tx *Tx) clearedWith(ctx context.Context, actor model.Actor, memberID int64, email string) (at time.Time, err error) {
	var former string
	err = tx.QueryRowContext(ctx, `
		SELECT m.factor_cleared_at, coalesce((SELECT email FROM former_email WHERE member_id = m.id ORDER BY id DESC LIMIT 1), '')
		FROM member m WHERE m.id = +?`, memberID).Scan(unix{&at}, &former)
	if err != nil || !tx.Now.Before(at.Add(model.ClearedFor)) || actor.Kind == model.ByShell {
		return at, err
	}
	if former == "" || model.MailboxKey(former) != model.MailboxKey(email) {
		return at, model.Invalid("email", "The former account had a second step. For three days after it was deleted, a new one can only be made with the same address.")
	}
	return at, nil
}

func (tx *Tx) clearFactor(ctx context.Context, actor model.Actor, a model.Account, what string) error {
	if err := tx.dropFactor(ctx, a.ID); err != nil {
		return err
	}
	if err := tx.endSessions(ctx, a.ID); err != nil {
		return err
	}
	return tx.changedFactor(ctx, actor, a, model.ActFactorCleared, "", what)
}

// beginGrace has the grace begin anew for roles that have to have a second
// factor from now on.
func (tx *Tx) beginGrace(ctx context.Context, was, is model.FactorRules) error {
	for _, role := range model.Roles {
		if was.Require(role) || !is.Require(role) {
			continue
		}
		if _, err := tx.ExecContext(ctx, `UPDATE account SET factor_asked_at = NULL WHERE role = ? AND factor_at IS NULL`, role); err != nil {
			return err
		}
	}
	return nil
}

// SendOwnLetter mails a link for a new password to whoever is signed in and may
// set up a second factor only after that.
func (d *DB) SendOwnLetter(ctx context.Context, actor model.Actor) error {
	return d.actBy(ctx, actor, func(tx *Tx) error {
		a, err := accountByID(ctx, tx, actor.AccountID)
		if err != nil {
			return err
		}
		if !tx.settings.NeedsLetter(a, tx.Now) {
			return model.Conflict("There is no need for a letter: you can set up a second step at once.")
		}
		if ok, err := tx.mayAsk(ctx, a); err != nil || !ok {
			return err
		}
		// What the office saw, or may yet see, would prove nothing.
		r, err := unendedReset(ctx, tx, a.ID)
		if err != nil {
			return err
		}
		if r != nil && !r.MailedOnly {
			if err := tx.cancelLink(ctx, actor, a, "for one that goes by letter only"); err != nil {
				return err
			}
		}
		if err := tx.answer(ctx, model.MemberActor(actor.Network), []model.Account{a}); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE reset SET mailed_only = 1 WHERE account_id = +? AND ended_at IS NULL`, a.ID)
		return err
	})
}

// noteMailed remembers whether the password that was just set shows that its
// holder reads the account's mail: what somebody at the office had on screen, or
// read out a code of, shows nothing.
func (tx *Tx) noteMailed(ctx context.Context, a model.Account, r model.Reset) error {
	seen, err := seenBy(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	var at any
	if len(seen) == 0 && r.SpokenAt.IsZero() && r.Email != "" {
		at = tx.Now.Unix()
	}
	_, err = tx.ExecContext(ctx, `UPDATE account SET mailed_at = ? WHERE id = +?`, at, a.ID)
	return err
}
