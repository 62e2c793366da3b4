package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"latchkey/db/model"
)

// notMeLink is the address at which the reader of a letter says that they did
// not ask for its link.
func notMeLink(keys model.Keyring, s model.Settings, r model.Reset) (model.Secret, error) {
	token, err := keys.NotMeToken(r)
	if err != nil {
		return model.Secret{}, err
	}
	return model.NewSecret(s.BaseURL + "/not-me/" + token.Reveal()), nil
}

// OpenNotMe says what saying "It wasn't me" would do, or did, and writes
// nothing: scanners open this address too. A malformed, an unknown, a forged
// and an old one get the same answer after the same work.
func (d *DB) OpenNotMe(ctx context.Context, token string) (model.OpenedNotMe, error) {
	l, err := d.disowned(ctx, d.read, token, d.Now())
	return l.OpenedNotMe, err
}

// disowned is a link of which somebody says that it was not theirs.
type disowned struct {
	model.OpenedNotMe
	reset   model.Reset
	account model.Account
}

func (d *DB) disowned(ctx context.Context, q querier, token string, now time.Time) (l disowned, err error) {
	l.State = model.NotMeUnknown
	selector, tag, parsed := model.ParseResetToken(token)
	r, err := oneReset(ctx, q, `r.selector = +?`, selector[:])
	if err != nil {
		return l, err
	}
	found := r != nil
	if !found {
		r = &model.Reset{KeyID: d.keys.CurrentID()}
	}
	if !d.keys.VerifyNotMe(*r, tag) || !found || !parsed || !r.MayDisown(now) {
		return l, nil
	}
	l.reset = *r
	l.account, err = accountByID(ctx, q, r.AccountID)
	switch {
	case err != nil && model.KindOf(err) == model.KindNotFound:
		return l, nil // deleted: there is nobody whom it could be about
	case err != nil:
		return l, err
	}
	var one int
	err = q.QueryRowContext(ctx, `SELECT 1 FROM not_me WHERE reset_id = +?`, r.ID).Scan(&one)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return l, err
	}
	l.Said = err == nil
	switch a := l.account; {
	case r.EndReason == model.EndUsed && a.Disabled():
		l.State, l.UsedAt = model.NotMeDisabled, r.EndedAt
	case r.EndReason == model.EndUsed:
		l.State, l.UsedAt, l.NoEmail = model.NotMeUsed, r.EndedAt, a.Email == ""
	case r.EndReason == model.EndNotMe, r.Live(a, now):
		l.State = model.NotMeLive
	default:
		l.State = model.NotMeOver
	}
	return l, nil
}

// NotMe is somebody saying of a link, with what stands in its letter, that they
// did not ask for it. It ends that link and no other: the next one must work,
// or this would be a way to keep a member out. Where a password was set through
// it, the account is shut until its holder chooses another. Either way the
// office is told. Said twice, it does nothing more and answers the same.
func (d *DB) NotMe(ctx context.Context, token, network string) (model.OpenedNotMe, error) {
	o, err := d.OpenNotMe(ctx, token)
	if err != nil || o.Said || o.State == model.NotMeUnknown {
		return o, err
	}
	err = d.act(ctx, func(tx *Tx) error {
		l, err := d.disowned(ctx, tx, token, tx.Now)
		o = l.OpenedNotMe
		if err != nil || o.Said || o.State == model.NotMeUnknown {
			return err
		}
		o.Said = true
		return tx.disown(ctx, model.MemberActor(network), l)
	})
	return o, err
}

func (tx *Tx) disown(ctx context.Context, actor model.Actor, l disowned) error {
	used := l.reset.EndReason == model.EndUsed
	if _, err := tx.ExecContext(ctx, `INSERT INTO not_me (reset_id, account_id, at, used) VALUES (?, ?, ?, ?)`,
		l.reset.ID, l.account.ID, tx.Now.Unix(), used); err != nil {
		return err
	}
	line := about{member: l.account.MemberID, account: l.account.ID, reset: l.reset.ID}
	switch {
	case used:
		line.note = "A password had been set through the link."
	case l.State == model.NotMeLive:
		line.note = "The link stopped working."
	default:
		line.note = "The link had ended before."
	}
	if err := tx.audit(ctx, actor, model.ActNotMe, line); err != nil {
		return err
	}
	switch l.State {
	case model.NotMeLive:
		return tx.endReset(ctx, l.reset, model.EndNotMe)
	case model.NotMeUsed:
		return tx.secure(ctx, actor, l.account, l.UsedAt)
	}
	return nil // nothing opens anything
}

// secure shuts an account into which somebody else may have come: its sessions
// end, its password is void, and a link to a new one goes to its address.
// Former addresses are told too, in case the present one is not its holder's.
//
// A second factor stays. Whoever reads the mailbox can say all this, and the
// second factor is there against exactly them; one that the thief set up opens
// nothing without the password. But it keeps its holder out, so what was set up
// since that password was chosen is told in a letter of its own, and the office,
// which has to recognise them, is shown that it is to be cleared.
func (tx *Tx) secure(ctx context.Context, actor model.Actor, a model.Account, usedAt time.Time) error {
	if err := tx.doubtFactor(ctx, a, usedAt); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE account SET password_hash = NULL, password_version = password_version + 1 WHERE id = +?`, a.ID); err != nil {
		return err
	}
	if err := tx.endSessions(ctx, a.ID); err != nil {
		return err
	}
	if err := tx.audit(ctx, actor, model.ActSecured, about{member: a.MemberID, account: a.ID}); err != nil {
		return err
	}
	a, err := accountByID(ctx, tx, a.ID)
	if err != nil {
		return err
	}
	before, err := unendedReset(ctx, tx, a.ID)
	if err != nil {
		return err
	}
	// Nobody asked for this one, so it is not counted among the member's own.
	portal := model.SystemActor()
	r, err := tx.newReset(ctx, portal, a, before, false)
	if err != nil {
		return err
	}
	if err := tx.post(ctx, portal, model.LetterSecured, a.Email, letterFacts{}, subject{a.ID, r.ID}); err != nil {
		return err
	}
	former, err := tx.formerEmails(ctx, a)
	if err != nil {
		return err
	}
	for _, email := range former {
		if err := tx.post(ctx, portal, model.LetterSecuredNotice, email, letterFacts{ChangedAt: tx.Now.Unix()}, subject{account: a.ID}); err != nil {
			return err
		}
	}
	return nil
}

// doubtFactor tells of what was set up of a second factor since a moment.
func (tx *Tx) doubtFactor(ctx context.Context, a model.Account, since time.Time) error {
	has, err := secondFactors(ctx, tx, a)
	if err != nil || !a.HasFactor() {
		return err
	}
	fresh := has.Since(since)
	what := "we were told that it was not you who chose your last password. Since then this was set up: " + fresh
	switch {
	case fresh == "":
		return nil
	case a.Factor.At.Before(since):
		// It took the one before to set it up.
		what += ". It still works, after your password. Look through what you have under “Second step” in your account, and remove what you do not know."
	default:
		if _, err := tx.ExecContext(ctx, `UPDATE account SET factor_doubted_at = ? WHERE id = +?`, tx.Now.Unix(), a.ID); err != nil {
			return err
		}
		what += ". If that was you, you need not do anything: it goes on working. If it was not, nobody can sign in with it alone, but you cannot without it either, until the office has cleared it for you."
	}
	return tx.changedFactor(ctx, model.SystemActor(), a, model.ActFactorDoubted, fresh, what)
}

const openNotMesQuery = `SELECT ` + accountColumns + `, w.reset_id, w.at, w.used
	FROM not_me w JOIN account a ON a.id = w.account_id JOIN member n ON n.id = a.member_id
	WHERE w.settled_at IS NULL ORDER BY w.at DESC, w.reset_id DESC LIMIT +?`

// openNotMes is the newest "It wasn't me" that the office has not settled.
func openNotMes(ctx context.Context, q querier, most int) ([]model.NotMe, error) {
	return rows(ctx, q, func(rs *sql.Rows) (n model.NotMe, err error) {
		a, err := scanAccount(rs, &n.ResetID, unix{&n.At}, &n.Used)
		n.AccountID, n.MemberID, n.Name = a.ID, a.MemberID, a.Name
		return n, err
	}, openNotMesQuery, most)
}

var errNoNotMe = model.NotFound("Nobody said so of this link.")

// SettleNotMe puts an "It wasn't me" away once the office looked into it. Two
// people who do so at once both did.
func (d *DB) SettleNotMe(ctx context.Context, actor model.Actor, resetID int64) error {
	if err := actor.MayEdit(); err != nil {
		return err
	}
	return d.actBy(ctx, actor, func(tx *Tx) error {
		var accountID int64
		var settled time.Time
		err := tx.QueryRowContext(ctx, `SELECT account_id, settled_at FROM not_me WHERE reset_id = +?`, resetID).Scan(&accountID, unix{&settled})
		if errors.Is(err, sql.ErrNoRows) {
			return errNoNotMe
		}
		if err != nil {
			return err
		}
		a, err := accountByID(ctx, tx, accountID)
		if err != nil {
			return err
		}
		if err := actor.MaySettle(a); err != nil || !settled.IsZero() {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE not_me SET settled_at = ?, settled_by = ? WHERE reset_id = +?`,
			tx.Now.Unix(), orNull(actor.AccountID), resetID); err != nil {
			return err
		}
		return tx.audit(ctx, actor, model.ActNotMeSettled, about{member: a.MemberID, account: a.ID, reset: resetID})
	})
}
