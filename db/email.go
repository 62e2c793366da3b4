package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"latchkey/db/model"
)

const emailChangeColumns = `c.id, c.account_id, c.selector, c.key_id, c.made_at, c.expires_at, c.from_email, c.to_email, c.role,
	c.password_version, c.asked_at, c.ended_at, c.end_reason`

// oneEmailChange is the change that a condition finds, nil if none.
func oneEmailChange(ctx context.Context, q querier, where string, args ...any) (*model.EmailChange, error) {
	var c model.EmailChange
	err := q.QueryRowContext(ctx, `SELECT `+emailChangeColumns+` FROM email_change c WHERE `+where, args...).Scan(
		&c.ID, &c.AccountID, selector8{&c.Selector}, &c.KeyID, unix{&c.MadeAt}, unix{&c.ExpiresAt}, &c.From, &c.To, &c.Role,
		&c.PasswordVersion, unix{&c.AskedAt}, unix{&c.EndedAt}, &c.EndReason)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &c, nil
}

func unendedEmailChange(ctx context.Context, q querier, accountID int64) (*model.EmailChange, error) {
	return oneEmailChange(ctx, q, `c.account_id = +? AND c.ended_at IS NULL`, accountID)
}

// pendingEmail is the change that an account waits for, nil if none.
func pendingEmail(ctx context.Context, q querier, a model.Account, now time.Time) (*model.EmailChange, error) {
	c, err := unendedEmailChange(ctx, q, a.ID)
	if err != nil || c == nil || !c.Live(a, now) {
		return nil, err
	}
	return c, nil
}

// choseEmailAt is when an account's holder confirmed the address it has now, zero
// if it came in another way, or longer ago than ended changes are kept.
func choseEmailAt(ctx context.Context, q querier, a model.Account) (time.Time, error) {
	c, err := oneEmailChange(ctx, q, `c.account_id = +? AND c.end_reason = 'used' ORDER BY c.id DESC LIMIT 1`, a.ID)
	if err != nil || c == nil || c.To != a.Email {
		return time.Time{}, err
	}
	return c.EndedAt, nil
}

// PendingEmail is the new address that waits for whoever is signed in to open
// the letter there, nil if none does.
func (d *DB) PendingEmail(ctx context.Context, actor model.Actor) (*model.EmailChange, error) {
	a, err := accountByID(ctx, d.point, actor.AccountID)
	if err != nil {
		return nil, err
	}
	return pendingEmail(ctx, d.point, a, d.Now())
}

// AskEmail is somebody who is signed in wanting another address. A letter goes
// there, whoever has it: the answer, and the time it takes, is the same for an
// address that is free, shared, not to be shared or a colleague's. What is true
// stands in the letter, for whoever reads that mailbox.
//
// The password is asked for, and nothing else will do: it is hashed under the
// salt of the new address as long as it is at hand, so that it goes on working
// there.
func (d *DB) AskEmail(ctx context.Context, actor model.Actor, in model.NewEmail) error {
	email, err := in.Parse()
	if err != nil {
		return err
	}
	me, err := d.checkOwnPassword(ctx, actor, in.Current)
	if err != nil {
		return err
	}
	salt, err := saltAmong(ctx, d.read, email, me.account.ID)
	if err != nil {
		return err
	}
	hash, err := d.hashing.hash(ctx, in.Current.Reveal(), salt)
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
		if email == a.Email {
			return model.Invalid("email", "This is the address that you have already.")
		}
		if a.PendingRole != "" {
			return model.Conflict("A new role waits for you. Choose a new password through its letter first, then change the address.")
		}
		if tx.settings.NeedsLetter(a, tx.Now) {
			// Else whoever has the password alone would have that letter sent to
			// themselves.
			return model.Conflict("Your second step is overdue. Set it up first, then change the address.")
		}
		was, err := unendedEmailChange(ctx, tx, a.ID)
		if err != nil {
			return err
		}
		if was != nil && was.Live(a, tx.Now) && was.To == email {
			// A second press must not end the link that is on its way.
			return tx.sendEmailChange(ctx, actor, a, *was)
		}
		if err := tx.mayMailNew(ctx, a, email); err != nil {
			return err
		}
		if was != nil {
			if err := tx.endEmailChange(ctx, *was, model.EndReplaced); err != nil {
				return err
			}
		}
		c, err := tx.newEmailChange(ctx, a, email, salt, hash)
		if err != nil {
			return err
		}
		if err := tx.audit(ctx, actor, model.ActEmailAsked, about{member: a.MemberID, account: a.ID, note: blanked(email)}); err != nil {
			return err
		}
		if err := tx.postEmailChange(ctx, actor, a, c); err != nil {
			return err
		}
		return tx.post(ctx, actor, model.LetterEmailAsked, a.Email, letterFacts{ChangedAt: tx.Now.Unix(), NewEmail: blanked(email)}, subject{account: a.ID})
	})
}

// saltAmong is the salt of the accounts at an address, but for one, else a new
// one.
func saltAmong(ctx context.Context, q querier, email string, but int64) (salt []byte, err error) {
	err = q.QueryRowContext(ctx, `SELECT salt FROM account WHERE email_key = +? AND id <> +? ORDER BY id LIMIT 1`,
		model.EmailKey(email), but).Scan(&salt)
	if errors.Is(err, sql.ErrNoRows) {
		return model.NewSalt(), nil
	}
	return salt, err
}

func (tx *Tx) newEmailChange(ctx context.Context, a model.Account, email string, salt []byte, hash model.PasswordHash) (model.EmailChange, error) {
	c := model.NewEmailChange(a, email, tx.db.keys.CurrentID(), tx.Now)
	res, err := tx.ExecContext(ctx, `
		INSERT INTO email_change (account_id, selector, key_id, made_at, expires_at, from_email, to_email, role, password_version, salt, asked_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.AccountID, c.Selector[:], c.KeyID, c.MadeAt.Unix(), c.ExpiresAt.Unix(), c.From, c.To, c.Role, c.PasswordVersion, salt, c.AskedAt.Unix())
	if err != nil {
		return c, err
	}
	if c.ID, err = res.LastInsertId(); err != nil {
		return c, err
	}
	sealed, err := tx.db.keys.Seal("email_change", "password_hash", c.ID, hash.Encode())
	if err != nil {
		return c, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE email_change SET password_hash = ? WHERE id = +?`, sealed, c.ID)
	return c, err
}

// mayMailNew keeps letters to new addresses few.
func (tx *Tx) mayMailNew(ctx context.Context, a model.Account, to string) error {
	var wait time.Duration
	for _, bound := range []struct {
		most  int
		in    time.Duration
		query string
		arg   any
	}{
		{model.EmailLettersPerHour, time.Hour, lettersToNew, a.ID},
		{model.EmailLettersPerDay, 24 * time.Hour, lettersToNew, a.ID},
		{model.EmailLettersToOne, 24 * time.Hour, `
			SELECT created_at FROM letter WHERE to_key = +? AND kind IN ('email_confirm', 'email_taken') ORDER BY created_at DESC LIMIT 1 OFFSET +?`,
			model.EmailKey(to)},
	} {
		var at time.Time
		err := tx.QueryRowContext(ctx, bound.query, bound.arg, bound.most-1).Scan(unix{&at})
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err == nil {
			wait = max(wait, at.Add(bound.in).Sub(tx.Now))
		}
	}
	if wait <= 0 {
		return nil
	}
	return model.Limited("Several letters went out already. Look in the junk folder, or ask the office to change the address.", wait)
}

const lettersToNew = `
	SELECT l.created_at FROM letter_subject s JOIN letter l ON l.id = s.letter_id
	WHERE s.account_id = +? AND l.kind IN ('email_confirm', 'email_taken') ORDER BY s.letter_id DESC LIMIT 1 OFFSET +?`

// sendEmailChange sends the letter to the new address again. One that still
// waits is due now instead.
func (tx *Tx) sendEmailChange(ctx context.Context, actor model.Actor, a model.Account, c model.EmailChange) error {
	if tx.Now.Before(c.AskedAt.Add(model.DoubleClick)) {
		return nil
	}
	if err := tx.mayMailNew(ctx, a, c.To); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE email_change SET asked_at = ? WHERE id = +?`, tx.Now.Unix(), c.ID); err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, `UPDATE letter SET due_at = ? WHERE `+waitingForNew, tx.Now.Unix(), a.ID)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		tx.posted = true
		return err
	}
	return tx.postEmailChange(ctx, actor, a, c)
}

// waitingForNew finds the letters to a new address of an account that have not
// left yet.
const waitingForNew = `state IN ('waiting', 'retrying') AND kind IN ('email_confirm', 'email_taken')
	AND id IN (SELECT letter_id FROM letter_subject WHERE account_id = +?)`

// postEmailChange writes to a new address: the link, or why it will not do.
func (tx *Tx) postEmailChange(ctx context.Context, actor model.Actor, a model.Account, c model.EmailChange) error {
	kind, facts := model.LetterEmailConfirm, letterFacts{EmailChange: c.ID}
	taken, err := tx.emailTaken(ctx, a, c.To)
	if err != nil {
		return err
	}
	if taken != nil {
		kind, facts.What = model.LetterEmailTaken, taken.Reason
	}
	return tx.post(ctx, actor, kind, c.To, facts, subject{account: a.ID})
}

// emailTaken is why an account cannot have an address, nil if it can.
func (tx *Tx) emailTaken(ctx context.Context, a model.Account, email string) (*model.EmailTakenError, error) {
	_, err := tx.usableEmail(ctx, model.Member{}, a, email, true)
	if taken, ok := errors.AsType[*model.EmailTakenError](err); ok {
		return taken, nil
	}
	return nil, err
}

var errNoEmailChange = model.NotFound("No new address is waiting any more.")

// AskEmailAgain has the letter to the new address sent once more.
func (d *DB) AskEmailAgain(ctx context.Context, actor model.Actor) error {
	return d.onEmailChange(ctx, actor, func(tx *Tx, a model.Account, c model.EmailChange) error {
		return tx.sendEmailChange(ctx, actor, a, c)
	})
}

// CancelEmail takes back what AskEmail asked for.
func (d *DB) CancelEmail(ctx context.Context, actor model.Actor) error {
	return d.onEmailChange(ctx, actor, func(tx *Tx, a model.Account, _ model.EmailChange) error {
		return tx.cancelEmailChange(ctx, actor, a)
	})
}

func (d *DB) onEmailChange(ctx context.Context, actor model.Actor, f func(tx *Tx, a model.Account, c model.EmailChange) error) error {
	return d.actBy(ctx, actor, func(tx *Tx) error {
		a, err := accountByID(ctx, tx, actor.AccountID)
		if err != nil {
			return err
		}
		c, err := pendingEmail(ctx, tx, a, tx.Now)
		if err != nil {
			return err
		}
		if c == nil {
			return errNoEmailChange
		}
		return f(tx, a, *c)
	})
}

// cancelEmailChange ends the change that an account waits for, if any.
func (tx *Tx) cancelEmailChange(ctx context.Context, actor model.Actor, a model.Account) error {
	c, err := unendedEmailChange(ctx, tx, a.ID)
	if err != nil || c == nil {
		return err
	}
	if err := tx.endEmailChange(ctx, *c, model.EndCancelled); err != nil || !c.Live(a, tx.Now) {
		return err
	}
	return tx.audit(ctx, actor, model.ActEmailCancelled, about{member: a.MemberID, account: a.ID, note: blanked(c.To)})
}

// endEmailChange ends a change. One that expired already stays an expired one.
// The letter with its link is withdrawn if it still waits.
func (tx *Tx) endEmailChange(ctx context.Context, c model.EmailChange, why model.EndReason) error {
	at := tx.Now
	if !tx.Now.Before(c.ExpiresAt) {
		at, why = c.ExpiresAt, ""
	}
	if _, err := tx.ExecContext(ctx, `UPDATE email_change SET ended_at = ?, end_reason = ?, salt = NULL, password_hash = NULL WHERE id = +?`,
		at.Unix(), why, c.ID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE letter SET state = ?, settled_at = ? WHERE `+waitingForNew, model.LetterWithdrawn, tx.Now.Unix(), c.AccountID)
	return err
}

// OpenEmail says what the link in a letter to a new address is, and writes
// nothing: mail scanners open it first. A malformed, an unknown and a forged one
// get the same answer after the same work.
func (d *DB) OpenEmail(ctx context.Context, token string) (model.OpenedEmail, error) {
	s, err := d.Settings(ctx)
	if err != nil {
		return model.OpenedEmail{State: model.ResetUnknown}, err
	}
	return d.openEmail(ctx, d.read, s, token, d.Now())
}

func (d *DB) openEmail(ctx context.Context, q querier, s model.Settings, token string, now time.Time) (model.OpenedEmail, error) {
	unknown := model.OpenedEmail{State: model.ResetUnknown}
	selector, tag, parsed := model.ParseResetToken(token)
	c, err := oneEmailChange(ctx, q, `c.selector = +?`, selector[:])
	if err != nil {
		return unknown, err
	}
	found := c != nil
	if !found {
		c = &model.EmailChange{KeyID: d.keys.CurrentID()}
	}
	if !d.keys.VerifyEmail(*c, tag) || !found || !parsed {
		return unknown, nil
	}
	o := model.OpenedEmail{Change: *c}
	if o.Account, err = accountByID(ctx, q, c.AccountID); err != nil && model.KindOf(err) != model.KindNotFound {
		return unknown, err
	}
	newest, err := unendedEmailChange(ctx, q, c.AccountID)
	if err != nil {
		return unknown, err
	}
	newer := newest != nil && newest.ID > c.ID && newest.Live(o.Account, now)
	if newer {
		o.NewerAt = newest.AskedAt
	}
	o.State = c.State(o.Account, newer, now)
	if o.State != model.ResetLive {
		return o, nil
	}
	all, err := accountsByEmail(ctx, q, model.EmailKey(c.To))
	if err != nil {
		return unknown, err
	}
	o.Shared = len(people(all, o.Account.ID)) > 0
	o.Taken = s.EmailTaken(o.Account, c.To, all) != nil
	err = q.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM email_change c JOIN account a ON a.email_key = +?1 AND a.id <> c.account_id AND a.salt <> c.salt WHERE c.id = +?2)`,
		model.EmailKey(c.To), c.ID).Scan(&o.Voids)
	return o, err
}

var errEmailTaken = &model.Error{Kind: model.KindLinkEnded, Sentence: "This address is not to be had any more."}

// ConfirmEmail makes the new address count. Links and sessions of the account
// end, but for the browser's own, which begins anew; nobody is signed in by it.
//
// The password goes on working if what was prepared for it still fits: whoever
// else has the address has the salt that it was hashed under. Else it is void,
// and a link to a new one goes to the address that was just shown to be theirs.
func (d *DB) ConfirmEmail(ctx context.Context, in model.EmailConfirm) (model.EmailConfirmed, error) {
	var done model.EmailConfirmed
	o, err := d.OpenEmail(ctx, in.Token.Reveal())
	if err != nil {
		return done, err
	}
	if o.State != model.ResetLive {
		return done, errLinkEnded
	}
	err = d.act(ctx, func(tx *Tx) error {
		o, err := d.openEmail(ctx, tx, tx.settings, in.Token.Reveal(), tx.Now)
		switch {
		case err != nil:
			return err
		case o.State != model.ResetLive:
			return errLinkEnded
		case o.Taken:
			return errEmailTaken
		}
		done, err = tx.confirmEmail(ctx, o, in)
		return err
	})
	return done, err
}

func (tx *Tx) confirmEmail(ctx context.Context, o model.OpenedEmail, in model.EmailConfirm) (done model.EmailConfirmed, err error) {
	actor, a, c := model.MemberActor(in.Network), o.Account, o.Change
	here, err := session(ctx, tx, in.Session)
	if err != nil && model.KindOf(err) != model.KindNotFound {
		return done, err
	}
	stays := err == nil && here.AccountID == a.ID && !here.Over(a, tx.Now)

	salt, sealed, err := tx.preparedPassword(ctx, o)
	if err != nil {
		return done, err
	}
	if err := tx.cancelLink(ctx, actor, a, "the email was changed"); err != nil {
		return done, err
	}
	if err := tx.endEmailChange(ctx, c, model.EndUsed); err != nil {
		return done, err
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE account SET email = ?, email_key = ?, salt = ?, password_hash = ?, password_version = password_version + 1
		WHERE id = +?`, c.To, orNull(model.EmailKey(c.To)), salt, sealed, a.ID); err != nil {
		return done, err
	}
	if sealed != nil {
		if err := tx.keepPasskeys(ctx, a); err != nil {
			return done, err
		}
	}
	if err := tx.endSessions(ctx, a.ID); err != nil {
		return done, err
	}
	if err := tx.audit(ctx, actor, model.ActEmailChanged, about{member: a.MemberID, account: a.ID, note: "confirmed through the letter to the new address"}); err != nil {
		return done, err
	}
	if err := tx.leaveEmail(ctx, a); err != nil {
		return done, err
	}
	if err := tx.post(ctx, actor, model.LetterEmailChanged, a.Email, letterFacts{ChangedAt: tx.Now.Unix(), NewEmail: blanked(c.To)}, subject{account: a.ID}); err != nil {
		return done, err
	}
	now, err := accountByID(ctx, tx, a.ID)
	if err != nil {
		return done, err
	}
	done.Login = now.Login(o.Shared)
	if sealed == nil {
		done.NewPassword = true
		if err := tx.send(ctx, actor, now, model.LetterReset); err != nil {
			return done, err
		}
	}
	if stays {
		in, err := tx.startSession(ctx, a.ID, here.Device, here.Network, here.Kept)
		if err != nil {
			return done, err
		}
		done.SignIn = &in
	}
	return done, nil
}

// preparedPassword is the salt of a new address, and under it the password that
// was proved when the change was asked for; nil where somebody else came there
// meanwhile with another salt.
func (tx *Tx) preparedPassword(ctx context.Context, o model.OpenedEmail) (salt, sealed []byte, err error) {
	c := o.Change
	if o.Voids {
		salt, err = saltAmong(ctx, tx, c.To, c.AccountID)
		return salt, nil, err
	}
	var prepared []byte
	if err := tx.QueryRowContext(ctx, `SELECT salt, password_hash FROM email_change WHERE id = +?`, c.ID).Scan(&salt, &prepared); err != nil {
		return nil, nil, err
	}
	plain, err := tx.db.keys.Open("email_change", "password_hash", c.ID, prepared)
	if err != nil {
		return nil, nil, err
	}
	hash, err := model.ParsePasswordHash(plain)
	if err != nil {
		return nil, nil, err
	}
	sealed, err = tx.db.sealHash(c.AccountID, hash)
	return salt, sealed, err
}

// changeOfLetter is the change that a letter to a new address is about, with the
// account as it is now; nil if it is gone.
func changeOfLetter(ctx context.Context, q querier, letterID int64) (*model.EmailChange, model.Account, error) {
	var said string
	if err := q.QueryRowContext(ctx, `SELECT facts FROM letter WHERE id = +?`, letterID).Scan(&said); err != nil {
		return nil, model.Account{}, err
	}
	var facts letterFacts
	if err := json.Unmarshal([]byte(said), &facts); err != nil {
		return nil, model.Account{}, err
	}
	c, err := oneEmailChange(ctx, q, `c.id = +?`, facts.EmailChange)
	if err != nil || c == nil {
		return nil, model.Account{}, err
	}
	a, err := accountByID(ctx, q, c.AccountID)
	if err != nil && model.KindOf(err) == model.KindNotFound {
		err = nil // the change is void, and says so
	}
	return c, a, err
}

// emailLink is the address that confirms a change; zero unless the letter may
// show it.
func (d *DB) emailLink(ctx context.Context, q querier, s model.Settings, l model.Letter, now time.Time, links linking) ([]model.LetterLink, error) {
	c, a, err := changeOfLetter(ctx, q, l.ID)
	if err != nil || c == nil {
		return nil, err
	}
	one := model.LetterLink{Name: a.Name, Expires: c.ExpiresAt}
	switch {
	case links == blankLinks:
		return []model.LetterLink{one}, nil
	case l.State != model.LetterCaptured && !c.Live(a, now):
		return nil, nil
	}
	token, err := d.keys.EmailToken(*c)
	one.URL = model.NewSecret(s.BaseURL + "/email/" + token.Reveal())
	return []model.LetterLink{one}, err
}

// enterHousehold begins a new password of somebody who shares an address. Signed
// in with it they see whether it is another's too, for then they are asked who
// they are: each new password is a guess at those of the others, and slowed down
// like one (product.md §4.8). The bucket is nil for whoever shares with nobody.
func (d *DB) enterHousehold(ctx context.Context, a model.Account) (bucket []byte, leave func(), err error) {
	others, err := sharers(ctx, d.read, a)
	if err != nil || len(others) == 0 {
		return nil, func() {}, err
	}
	bucket = d.keys.Blind("failure", "household", strconv.FormatInt(a.ID, 10))
	leave, wait, err := d.enter(ctx, bucket)
	if err == nil && wait > 0 {
		err = model.Limited("You chose several new passwords today. Please wait a moment before the next one.", wait)
	}
	return bucket, leave, err
}
