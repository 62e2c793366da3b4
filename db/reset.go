package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"latchkey/db/model"
)

const resetColumns = `r.id, r.account_id, r.selector, r.key_id, r.made_at, r.expires_at, r.email, r.password_version,
	r.resend_until, r.mailed_only, r.asked_at, r.asked_kind, coalesce(r.asked_by, 0), r.asked_name, r.for_new,
	r.code_no, r.code_from, r.spoken_at, r.spoken_by, r.opened_at, r.ended_at, r.end_reason`

// selector8 scans a selector.
type selector8 struct{ s *[8]byte }

func (s selector8) Scan(v any) error {
	b, ok := v.([]byte)
	if !ok || len(b) != len(s.s) {
		return errors.New("a selector has 8 bytes")
	}
	copy(s.s[:], b)
	return nil
}

func resetTargets(r *model.Reset) []any {
	return []any{&r.ID, &r.AccountID, selector8{&r.Selector}, &r.KeyID, unix{&r.MadeAt}, unix{&r.ExpiresAt}, &r.Email, &r.PasswordVersion,
		unix{&r.ResendUntil}, &r.MailedOnly, unix{&r.AskedAt}, &r.AskedKind, &r.AskedBy, &r.AskedName, &r.ForNew,
		&r.CodeNo, unix{&r.CodeFrom}, unix{&r.SpokenAt}, &r.SpokenBy, unix{&r.OpenedAt}, unix{&r.EndedAt}, &r.EndReason}
}

// oneReset is the link that a condition finds, nil if none.
func oneReset(ctx context.Context, q querier, where string, args ...any) (*model.Reset, error) {
	var r model.Reset
	err := q.QueryRowContext(ctx, `SELECT `+resetColumns+` FROM reset r WHERE `+where, args...).Scan(resetTargets(&r)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &r, nil
}

func latestReset(ctx context.Context, q querier, accountID int64) (*model.Reset, error) {
	return oneReset(ctx, q, `r.account_id = +? ORDER BY r.id DESC LIMIT 1`, accountID)
}

func unendedReset(ctx context.Context, q querier, accountID int64) (*model.Reset, error) {
	return oneReset(ctx, q, `r.account_id = +? AND r.ended_at IS NULL`, accountID)
}

// resetLink is the address that opens a link. It begins with the portal's own
// base URL, never with what a request claims as its host.
func resetLink(keys model.Keyring, s model.Settings, r model.Reset) (model.Secret, error) {
	token, err := keys.ResetToken(r)
	if err != nil {
		return model.Secret{}, err
	}
	return model.NewSecret(s.BaseURL + "/reset/" + token.Reveal()), nil
}

// SendPasswordReset emails a link to the account's address: the same one
// again inside the window, a new one after it.
func (d *DB) SendPasswordReset(ctx context.Context, actor model.Actor, memberID int64) error {
	return d.actBy(ctx, actor, func(tx *Tx) error { return tx.sendPasswordReset(ctx, actor, memberID) })
}

// SendPasswordResetOnScreen is SendPasswordReset for an answer that shows the
// link at once.
func (d *DB) SendPasswordResetOnScreen(ctx context.Context, actor model.Actor, memberID int64) (model.AccountRecord, error) {
	return d.answering(ctx, actor, memberID, func(tx *Tx) error { return tx.sendPasswordReset(ctx, actor, memberID) })
}

func (tx *Tx) sendPasswordReset(ctx context.Context, actor model.Actor, memberID int64) error {
	a, err := tx.existing(ctx, memberID)
	if err != nil {
		return err
	}
	if err := actor.MaySend(a); err != nil {
		return err
	}
	if a.Disabled() {
		return model.Conflict("This account is disabled, so a link would not let them in. Enable it first: that sends a new link.")
	}
	return tx.send(ctx, actor, a, model.LetterReset)
}

// send makes sure that the account has a link that may be mailed, and mails it.
func (tx *Tx) send(ctx context.Context, actor model.Actor, a model.Account, kind model.LetterKind) error {
	r, err := tx.link(ctx, actor, a, kind == model.LetterWelcome && actor.Kind != model.ByMember)
	if err != nil || r == nil || r.Email == "" {
		return err
	}
	return tx.postLink(ctx, actor, kind, a, *r)
}

// link gives the link that a request is about: the same one or a new one, as
// the model says. It is nil for the second half of a double click.
func (tx *Tx) link(ctx context.Context, actor model.Actor, a model.Account, forNew bool) (*model.Reset, error) {
	r, err := unendedReset(ctx, tx, a.ID)
	if err != nil {
		return nil, err
	}
	if r == nil || !r.SameOnResend(a, tx.Now) {
		made, err := tx.newReset(ctx, actor, a, r, forNew)
		return &made, err
	}
	if r.AskedJustNow(actor, tx.Now) {
		return nil, nil
	}
	r.AskedAt, r.AskedKind, r.AskedBy, r.AskedName, r.ForNew = tx.Now, actor.Kind, actor.AccountID, actor.Name, forNew
	if _, err := tx.ExecContext(ctx, `UPDATE reset SET asked_at = ?, asked_kind = ?, asked_by = ?, asked_name = ?, for_new = ? WHERE id = +?`,
		tx.Now.Unix(), actor.Kind, orNull(actor.AccountID), actor.Name, forNew, r.ID); err != nil {
		return nil, err
	}
	return r, tx.audit(ctx, actor, model.ActResetResent, about{member: a.MemberID, account: a.ID, reset: r.ID})
}

// newReset makes a link; the one before it, nil if none has not ended yet, stops
// working at once.
func (tx *Tx) newReset(ctx context.Context, actor model.Actor, a model.Account, before *model.Reset, forNew bool) (model.Reset, error) {
	r, err := tx.makeReset(ctx, actor, a, before, forNew)
	if err != nil {
		return r, err
	}
	return r, tx.audit(ctx, actor, model.ActResetSent, about{member: a.MemberID, account: a.ID, reset: r.ID})
}

// makeReset is newReset without the line that a link was sent.
func (tx *Tx) makeReset(ctx context.Context, actor model.Actor, a model.Account, before *model.Reset, forNew bool) (model.Reset, error) {
	if before != nil {
		if err := tx.endReset(ctx, *before, model.EndReplaced); err != nil {
			return model.Reset{}, err
		}
	}
	r := model.NewReset(a, tx.db.keys.CurrentID(), tx.settings.Resets, tx.Now)
	r.AskedAt, r.AskedKind, r.AskedBy, r.AskedName, r.ForNew = tx.Now, actor.Kind, actor.AccountID, actor.Name, forNew
	res, err := tx.ExecContext(ctx, `
		INSERT INTO reset (account_id, selector, key_id, made_at, expires_at, email, password_version,
			resend_until, mailed_only, asked_at, asked_kind, asked_by, asked_name, for_new)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.AccountID, r.Selector[:], r.KeyID, r.MadeAt.Unix(), r.ExpiresAt.Unix(), r.Email, r.PasswordVersion,
		r.ResendUntil.Unix(), r.MailedOnly, r.AskedAt.Unix(), r.AskedKind, orNull(r.AskedBy), r.AskedName, r.ForNew)
	if err != nil {
		return r, err
	}
	r.ID, err = res.LastInsertId()
	return r, err
}

// endLink ends the account's link, if it has one that did not end yet.
func (tx *Tx) endLink(ctx context.Context, accountID int64, why model.EndReason) error {
	r, err := unendedReset(ctx, tx, accountID)
	if err != nil || r == nil {
		return err
	}
	return tx.endReset(ctx, *r, why)
}

// endReset ends a link. One that expired already stays an expired one. Letters
// that still wait with it are withdrawn, unless they carry somebody else's link
// too.
func (tx *Tx) endReset(ctx context.Context, r model.Reset, why model.EndReason) error {
	at := tx.Now
	if !tx.Now.Before(r.ExpiresAt) {
		at, why = r.ExpiresAt, ""
	}
	if _, err := tx.ExecContext(ctx, `UPDATE reset SET ended_at = ?, end_reason = ? WHERE id = +?`, at.Unix(), why, r.ID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `
		UPDATE letter SET state = ?, settled_at = ?
		WHERE state IN ('waiting', 'retrying') AND id IN (SELECT letter_id FROM letter_subject WHERE reset_id = +?)
			AND NOT EXISTS (SELECT 1 FROM letter_subject s JOIN reset r ON r.id = s.reset_id
				WHERE s.letter_id = letter.id AND r.ended_at IS NULL)`,
		model.LetterWithdrawn, tx.Now.Unix(), r.ID)
	return err
}

// cancelLink ends the account's live link, with a line that says why.
func (tx *Tx) cancelLink(ctx context.Context, actor model.Actor, a model.Account, note string) error {
	r, err := unendedReset(ctx, tx, a.ID)
	if err != nil || r == nil {
		return err
	}
	if err := tx.endReset(ctx, *r, model.EndCancelled); err != nil || !r.Live(a, tx.Now) {
		return err
	}
	return tx.audit(ctx, actor, model.ActResetCancelled, about{member: a.MemberID, account: a.ID, reset: r.ID, note: note})
}

// cancelSeen ends the links that somebody had on screen and that still open
// something: they leave the office, and what they may have noted must not
// stay behind as a key.
func (tx *Tx) cancelSeen(ctx context.Context, actor model.Actor, leaving model.Account) error {
	others, err := rows(ctx, tx, scanAccountRow, `SELECT `+accountColumns+`
		FROM reset_shown s JOIN reset r ON r.id = s.reset_id JOIN account a ON a.id = r.account_id JOIN member n ON n.id = a.member_id
		WHERE s.account_id = +? AND r.ended_at IS NULL`, leaving.ID)
	if err != nil {
		return err
	}
	for _, a := range others {
		if err := tx.cancelLink(ctx, actor, a, leaving.Name+" had it on screen and lost the right to"); err != nil {
			return err
		}
	}
	return nil
}

// CancelReset ends an account's link because staff said so.
func (d *DB) CancelReset(ctx context.Context, actor model.Actor, memberID int64) error {
	return d.actBy(ctx, actor, func(tx *Tx) error {
		a, err := tx.existing(ctx, memberID)
		if err != nil {
			return err
		}
		if err := actor.MayGovern(a); err != nil {
			return err
		}
		return tx.cancelLink(ctx, actor, a, "by the office")
	})
}

// status is the status message of a link as this person may see it, without
// the link itself.
func status(actor model.Actor, a model.Account, r model.Reset) model.ResetStatus {
	s := model.ResetStatus{Reset: r, MayCancel: actor.MayGovern(a) == nil}
	switch err := actor.MaySeeLink(a); {
	case r.MailedOnly && a.PendingRole == "" && !a.LinksOnlyMailed(r.MadeAt):
		s.LinkHidden = "This link shows who reads their mail, so it goes by letter only and nobody at the office may see it."
	case r.MailedOnly && a.PendingRole == "":
		s.LinkHidden = "The second step was cleared a short while ago, so this link goes by letter only and nobody at the office may see it."
	case r.MailedOnly:
		s.LinkHidden = "This link gives a higher role, so it goes by letter only and nobody at the office may see it."
	case !actor.Role.AtLeast(model.RoleStaff):
		s.LinkHidden = "Viewers see that a link was sent, not the link itself."
	case err != nil:
		if e, ok := errors.AsType[*model.Error](err); ok {
			s.LinkHidden = e.Sentence
		}
	}
	switch r.AskedKind {
	case model.ByMember:
		s.AskedBy = "the member"
	case model.ByShell:
		s.AskedBy = "the command line"
	case model.BySystem:
		s.AskedBy = "automatically"
	default:
		s.AskedBy = r.AskedName
	}
	return s
}

// noteShown writes down, once for each link and person, that somebody has the
// link on screen.
func (tx *Tx) noteShown(ctx context.Context, actor model.Actor, a model.Account, r model.Reset) error {
	res, err := tx.ExecContext(ctx, `INSERT INTO reset_shown (reset_id, account_id, name, shown_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		r.ID, actor.AccountID, actor.Name, tx.Now.Unix())
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err // it was on screen before, or two tabs came at once
	}
	return tx.audit(ctx, actor, model.ActResetShown, about{member: a.MemberID, account: a.ID, reset: r.ID})
}

// CopiedReset notes that somebody copied the link.
func (d *DB) CopiedReset(ctx context.Context, actor model.Actor, memberID, resetID int64) error {
	return d.actBy(ctx, actor, func(tx *Tx) error {
		a, err := tx.existing(ctx, memberID)
		if err != nil {
			return err
		}
		if err := actor.MaySeeLink(a); err != nil {
			return err
		}
		r, err := oneReset(ctx, tx, `r.id = +? AND r.account_id = +?`, resetID, a.ID)
		if err != nil {
			return err
		}
		if r == nil || r.MailedOnly {
			return model.NotFound("There is no such link.")
		}
		return tx.audit(ctx, actor, model.ActResetCopied, about{member: memberID, account: a.ID, reset: r.ID})
	})
}

// OpenReset says what a link is, and writes nothing: mail scanners, previews
// and double clicks come here first. A malformed, an unknown and a forged
// link get the same answer after the same work.
func (d *DB) OpenReset(ctx context.Context, token string) (model.OpenedReset, error) {
	return d.openReset(ctx, d.read, token, d.Now())
}

func (d *DB) openReset(ctx context.Context, q querier, token string, now time.Time) (model.OpenedReset, error) {
	unknown := model.OpenedReset{State: model.ResetUnknown}
	selector, tag, parsed := model.ParseResetToken(token)
	r, err := oneReset(ctx, q, `r.selector = +?`, selector[:])
	if err != nil {
		return unknown, err
	}
	found := r != nil
	if !found {
		r = &model.Reset{KeyID: d.keys.CurrentID()}
	}
	if !d.keys.VerifyReset(*r, tag) || !found || !parsed {
		return unknown, nil
	}
	o := model.OpenedReset{Reset: *r}
	if o.Account, err = accountByID(ctx, q, r.AccountID); err != nil && model.KindOf(err) != model.KindNotFound {
		return unknown, err
	}
	newest, err := unendedReset(ctx, q, r.AccountID)
	if err != nil {
		return unknown, err
	}
	newer := newest != nil && newest.ID > r.ID && newest.Live(o.Account, now)
	if newer {
		o.NewerAt = newest.AskedAt
	}
	o.State = r.State(o.Account, newer, now)
	o.Disabled = o.Account.ID == 0 || o.Account.Disabled()
	if o.State == model.ResetLive {
		others, err := sharers(ctx, q, o.Account)
		if err != nil {
			return unknown, err
		}
		o.Shared = len(others) > 0
	}
	return o, nil
}

// NoteOpened remembers the first opening of a link. It is called after the
// answer left, and may have been a mail scanner.
func (d *DB) NoteOpened(ctx context.Context, resetID int64) error {
	return d.act(ctx, func(tx *Tx) error {
		r, err := oneReset(ctx, tx, `r.id = +?`, resetID)
		if err != nil || r == nil || !r.OpenedAt.IsZero() {
			return err
		}
		a, err := accountByID(ctx, tx, r.AccountID)
		if err != nil || !r.Live(a, tx.Now) {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE reset SET opened_at = ? WHERE id = +?`, tx.Now.Unix(), r.ID); err != nil {
			return err
		}
		return tx.audit(ctx, model.MemberActor(""), model.ActResetOpened, about{member: a.MemberID, account: a.ID, reset: r.ID})
	})
}

var errLinkEnded = &model.Error{Kind: model.KindLinkEnded, Sentence: "This link stopped working while the page was open."}

// SetPassword ends a reset well: the password is set, the link is used, every
// session of the account is over, and a letter says so.
func (d *DB) SetPassword(ctx context.Context, in model.NewPassword) (model.PasswordSet, error) {
	var done model.PasswordSet
	o, err := d.OpenReset(ctx, in.Token.Reveal())
	if err != nil {
		return done, err
	}
	if o.State != model.ResetLive {
		return done, errLinkEnded
	}
	settings, err := d.Settings(ctx)
	if err != nil {
		return done, err
	}
	m, err := member(ctx, d.read, o.Account.MemberID)
	if err != nil {
		return done, err
	}
	if in.Password.Reveal() != in.Confirm.Reveal() {
		return done, errTwice
	}
	if err := checkNewPassword(in.Password.Reveal(), passwordRules(settings, o.Account.GuardRole(), m, o.Account.Email)); err != nil {
		return done, err
	}
	var salt []byte
	if err := d.read.QueryRowContext(ctx, `SELECT salt FROM account WHERE id = +?`, o.Account.ID).Scan(&salt); err != nil {
		return done, err
	}
	hash, err := d.hashing.hash(ctx, in.Password.Reveal(), salt)
	if err != nil {
		return done, err
	}
	err = d.act(ctx, func(tx *Tx) error {
		// The link may have ended while the hash was made. Whatever changes
		// the salt changes the email or the password version too, and with
		// them ends the link.
		o, err := d.openReset(ctx, tx, in.Token.Reveal(), tx.Now)
		if err != nil {
			return err
		}
		if o.State != model.ResetLive {
			return errLinkEnded
		}
		actor, a := model.MemberActor(in.Network), o.Account
		if err := tx.endLink(ctx, a.ID, model.EndUsed); err != nil {
			return err
		}
		if err := tx.storePassword(ctx, a, hash); err != nil {
			return err
		}
		if err := tx.audit(ctx, actor, model.ActPasswordSet, about{member: a.MemberID, account: a.ID, reset: o.Reset.ID}); err != nil {
			return err
		}
		if err := tx.noteMailed(ctx, a, o.Reset); err != nil {
			return err
		}
		if a.PendingRole != "" && o.Reset.MailedOnly {
			if _, err := tx.ExecContext(ctx, `UPDATE account SET role = pending_role, pending_role = '', factor_asked_at = NULL WHERE id = +?`, a.ID); err != nil {
				return err
			}
			if err := tx.audit(ctx, actor, model.ActRoleTaken, about{member: a.MemberID, account: a.ID, note: string(a.PendingRole)}); err != nil {
				return err
			}
		}
		// Whoever keeps the account's sign-in slow must not keep its owner out
		// who used a link: hence the mark of a known device. All of these share a
		// count of wrong codes, so nobody who reads the mail gains tries by having
		// many.
		done = model.PasswordSet{AccountID: a.ID, Login: a.Login(o.Shared), Device: d.newDevice(a.ID)}
		return tx.postPasswordChanged(ctx, actor, a, o.Reset.ID)
	})
	return done, err
}

// Members' own requests for one account, as OWASP's Forgot Password Cheat
// Sheet asks for: enough for impatience, too few for a flood. Staff presses
// never count.
const (
	ownPerHour = 5
	ownPerDay  = 10
)

// mayAsk reports whether the member's own request may still send a letter.
func (tx *Tx) mayAsk(ctx context.Context, a model.Account) (bool, error) {
	var hour, day int
	err := tx.QueryRowContext(ctx, `
		SELECT count(*) FILTER (WHERE l.created_at > +?), count(*)
		FROM letter_subject s JOIN letter l ON l.id = s.letter_id
		WHERE s.account_id = +? AND (l.asked_kind = 'member' OR l.kind = 'trouble') AND l.kind NOT IN ('password_changed', 'email_changed') AND l.created_at > +?`,
		tx.Now.Add(-time.Hour).Unix(), a.ID, tx.Now.Add(-24*time.Hour).Unix()).Scan(&hour, &day)
	return hour < ownPerHour && day < ownPerDay, err
}

// RenewReset is the one press on the page of an ended link. The link names the
// account, the letter goes to the account's address.
func (d *DB) RenewReset(ctx context.Context, token, network string) error {
	return d.act(ctx, func(tx *Tx) error {
		o, err := d.openReset(ctx, tx, token, tx.Now)
		if err != nil {
			return err
		}
		if o.State == model.ResetUnknown || o.Account.ID == 0 {
			return errLinkEnded
		}
		if ok, err := tx.mayAsk(ctx, o.Account); err != nil || !ok {
			return err
		}
		return tx.answer(ctx, model.MemberActor(network), []model.Account{o.Account})
	})
}

// answer writes to the holders of one address who asked for a new password:
// one letter, with a link for each who may sign in. "Please ring us" goes out
// when none may.
func (tx *Tx) answer(ctx context.Context, actor model.Actor, all []model.Account) error {
	for _, same := range model.ByMailbox(all) {
		if err := tx.answerMailbox(ctx, actor, same); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) answerMailbox(ctx context.Context, actor model.Actor, all []model.Account) error {
	var able []model.Account
	for _, a := range all {
		if !a.Disabled() {
			able = append(able, a)
		}
	}
	if len(able) == 0 {
		return tx.post(ctx, actor, model.LetterRingUs, all[0].Email, letterFacts{}, subjects(all)...)
	}
	if len(able) == 1 {
		kind := model.LetterReset
		if !able[0].HasPassword && able[0].PasswordVersion == 0 {
			kind = model.LetterWelcome
		}
		return tx.send(ctx, actor, able[0], kind)
	}
	return tx.sendSeveral(ctx, actor, able, model.LetterResetSeveral)
}

// sendSeveral is send for all who share a mailbox: one letter, with a link for
// each.
func (tx *Tx) sendSeveral(ctx context.Context, actor model.Actor, able []model.Account, kind model.LetterKind) error {
	var about []subject
	for _, a := range able {
		r, err := tx.link(ctx, actor, a, false)
		if err != nil {
			return err
		}
		if r != nil {
			about = append(about, subject{account: a.ID, reset: r.ID})
		}
	}
	if len(about) == 0 {
		return nil
	}
	if merged, err := tx.hurrySeveral(ctx, about); err != nil || merged {
		return err
	}
	return tx.post(ctx, actor, kind, able[0].Email, letterFacts{}, about...)
}

func subjects(all []model.Account) []subject {
	out := make([]subject, len(all))
	for i, a := range all {
		out[i] = subject{account: a.ID}
	}
	return out
}
