package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"latchkey/db/model"
)

const (
	typedMax = 320 // longer than any address or member number
	// askedPerMinute is how many requests of one network are taken in a
	// minute; the rest get the same answer. It is far above what an office
	// that shares one address asks for.
	askedPerMinute = 30
	// intakeMost is how many rows may wait to be worked off: some seconds of
	// work. What comes on top gets the same answer and no row, so a flood from
	// many networks fills no disk and keeps nobody's letter for long.
	intakeMost = 1000
)

// AskReset takes what was typed into "Forgot password?". One identical row is
// written whatever it is, so neither the answer nor its time tells whether
// somebody has an account (OWASP Forgot Password Cheat Sheet; ASVS 6.3.8). The
// postman is not nudged either: work that starts with the answer would slow
// the next requests, and more so for a known address.
func (d *DB) AskReset(ctx context.Context, typed, network string) error {
	if len(typed) > typedMax {
		typed = "" // nobody's; the row is written all the same
	}
	from := d.keys.Blind("intake", network)
	return d.act(ctx, func(tx *Tx) error {
		var lately int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM intake WHERE network = +? AND made_at > +?`,
			from, tx.Now.Add(-time.Minute).Unix()).Scan(&lately); err != nil || lately >= askedPerMinute {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO intake (typed, network, made_at) SELECT ?, ?, ? WHERE `+intakeRoom,
			typed, from, tx.Now.Unix(), intakeMost)
		return err
	})
}

// intakeRoom leaves the lines of failed sign-ins out: a flood of them must not
// take the place of somebody's request.
const intakeRoom = `(SELECT count(*) FROM intake WHERE done_at IS NULL AND kind <> '` + intakeFailed + `') < +?`

// tidyIntake forgets what was worked off, except what limits are counted by:
// which rows a network had within a minute, and letters to strangers and new
// accounts within a day. Of these there are few.
func (tx *Tx) tidyIntake(ctx context.Context) error {
	for outcome, after := range map[string]time.Duration{
		intakeKnown: time.Minute, intakeRefused: time.Minute, intakeUnknown: 24 * time.Hour, intakeJoined: 24 * time.Hour,
	} {
		if _, err := tx.ExecContext(ctx, `DELETE FROM intake WHERE outcome = +? AND made_at <= +? AND done_at IS NOT NULL`,
			outcome, tx.Now.Add(-after).Unix()); err != nil {
			return err
		}
	}
	return nil
}

// WorkIntake looks up what was asked for, outside the requests, and gives how
// many rows it worked off.
func (d *DB) WorkIntake(ctx context.Context) (n int, err error) {
	for {
		var id int64
		err := d.read.QueryRowContext(ctx, `SELECT id FROM intake WHERE done_at IS NULL AND kind <> ? ORDER BY id LIMIT 1`, intakeFailed).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			wrote, err := d.writeRefused(ctx)
			if n += wrote; err != nil || wrote == 0 {
				return n, err
			}
			continue
		}
		if err != nil {
			return n, err
		}
		var stranger string
		if err := d.act(ctx, func(tx *Tx) (err error) {
			stranger, err = tx.workIntake(ctx, id)
			return err
		}); err != nil {
			return n, err
		}
		if n++; n%intakeMost == 1 {
			if err := d.act(ctx, func(tx *Tx) error { return tx.tidyIntake(ctx) }); err != nil {
				return n, err
			}
		}
		if stranger != "" {
			if err := d.noteNear(ctx, stranger); err != nil {
				return n, err
			}
		}
	}
}

// What became of a request; kept to count by.
const (
	intakeKnown   = "known"
	intakeJoined  = "joined"
	intakeUnknown = "unknown" // a letter went to an unknown address
	intakeRefused = "refused" // nothing was sent
)

// workIntake gives the address under which somebody asked for a password, as a
// key, if nobody has an account under it.
func (tx *Tx) workIntake(ctx context.Context, id int64) (stranger string, err error) {
	var typed, kind string
	var network []byte
	var at int64
	err = tx.QueryRowContext(ctx, `SELECT typed, network, kind, made_at FROM intake WHERE id = +? AND done_at IS NULL`, id).Scan(&typed, &network, &kind, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var outcome string
	var joined int
	switch kind {
	case intakeFailed:
		outcome, err = intakeRefused, tx.lineRefused(ctx, typed, at)
	case intakeTrouble:
		outcome, err = tx.answerTrouble(ctx, typed)
	default:
		outcome, joined, err = tx.answerIntake(ctx, typed, network)
		if email, sentence := model.ParseEmail(typed); sentence == "" && (outcome == intakeUnknown || outcome == intakeRefused) {
			stranger = model.EmailKey(email)
		}
	}
	if err != nil {
		return "", err
	}
	_, err = tx.ExecContext(ctx, `UPDATE intake SET typed = '', done_at = ?, outcome = ?, joined = ? WHERE id = +?`, tx.Now.Unix(), outcome, joined, id)
	return stranger, err
}

func (tx *Tx) answerIntake(ctx context.Context, typed string, network []byte) (outcome string, joined int, err error) {
	actor := model.MemberActor("")
	emailKey, memberNoKey := model.LoginKey(typed)
	if memberNoKey != "" {
		outcome, err = tx.answerMemberNo(ctx, actor, memberNoKey)
		return outcome, 0, err
	}
	email, sentence := model.ParseEmail(typed)
	if email == "" || sentence != "" {
		return intakeRefused, 0, nil
	}
	all, err := accountsByEmail(ctx, tx, emailKey)
	if err != nil {
		return "", 0, err
	}
	fresh, err := tx.joinFromRoll(ctx, emailKey, all)
	if err != nil {
		return "", 0, err
	}
	outcome = intakeKnown
	if len(fresh) > 0 {
		outcome = intakeJoined
		all = append(all, fresh...)
	}
	if len(all) == 0 {
		outcome, err = tx.answerUnknown(ctx, actor, email, emailKey, network)
		return outcome, 0, err
	}
	var allowed []model.Account
	for _, a := range all {
		ok, err := tx.mayAsk(ctx, a)
		if err != nil {
			return "", 0, err
		}
		if ok {
			allowed = append(allowed, a)
		}
	}
	if len(allowed) > 0 {
		err = tx.answer(ctx, actor, allowed)
	}
	return outcome, len(fresh), err
}

// answerMemberNo: a number names one person, even where the address is shared.
func (tx *Tx) answerMemberNo(ctx context.Context, actor model.Actor, key string) (outcome string, err error) {
	a, err := scanAccount(tx.QueryRowContext(ctx, `SELECT `+accountColumns+accountTables+`WHERE n.member_no_key = +?`, key))
	if errors.Is(err, sql.ErrNoRows) {
		return intakeRefused, nil
	}
	if err != nil {
		return "", err
	}
	ok, err := tx.mayAsk(ctx, a)
	if err != nil || !ok || a.Email == "" {
		return intakeKnown, err
	}
	return intakeKnown, tx.answer(ctx, actor, []model.Account{a})
}

const joinsPerDay = 100

// joinFromRoll makes accounts for people on the roll who have this contact
// address and none yet: the first sign-in of imported members. Whoever reads
// the mailbox is who the association knows under it. Never on an address that
// the office uses, or a new record could be slipped in beside a colleague.
func (tx *Tx) joinFromRoll(ctx context.Context, emailKey string, present []model.Account) (joined []model.Account, err error) {
	if !tx.settings.RollSignIn || len(present) > 0 && !tx.settings.Households {
		return nil, nil
	}
	for _, a := range present {
		if a.GuardRole().InOffice() {
			return nil, nil
		}
	}
	on, err := membersWithoutAccount(ctx, tx, emailKey)
	if err != nil || len(on) == 0 {
		return nil, err
	}
	var today int
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(sum(joined), 0) FROM intake WHERE outcome = +? AND made_at > +?`,
		intakeJoined, tx.Now.Add(-24*time.Hour).Unix()).Scan(&today); err != nil {
		return nil, err
	}
	for _, m := range on {
		room := len(present)+len(joined) == 0 || tx.settings.Households && len(present)+len(joined) < model.HouseholdLimit
		if !m.Status.MayJoin() || !room || today+len(joined) >= joinsPerDay {
			continue
		}
		a, err := tx.makeAccount(ctx, model.MemberActor(""), m, m.Email, true, "")
		if model.KindOf(err) == model.KindInvalid {
			continue // no account may be made at this address now: to whoever asked it is unknown
		}
		if err != nil {
			return nil, err
		}
		joined = append(joined, a)
	}
	return joined, nil
}

// The letter to an unknown address is help for somebody who joined under
// another one, and must not become a way to have strangers written to.
const (
	unknownPerNetworkHour = 20
	unknownPerHour        = 10
	unknownPerDay         = 50
)

func (tx *Tx) answerUnknown(ctx context.Context, actor model.Actor, email, emailKey string, network []byte) (outcome string, err error) {
	if !tx.settings.UnknownLetters {
		return intakeRefused, nil
	}
	hour, day := tx.Now.Add(-time.Hour).Unix(), tx.Now.Add(-24*time.Hour).Unix()
	for _, limit := range []struct {
		most  int
		query string
		args  []any
	}{
		{1, `SELECT count(*) FROM letter WHERE to_key = +? AND kind = +? AND created_at > +?`, []any{emailKey, model.LetterNoAccount, day}},
		{unknownPerNetworkHour, `SELECT count(*) FROM intake WHERE network = +? AND outcome = +? AND made_at > +?`, []any{network, intakeUnknown, hour}},
		{unknownPerHour, `SELECT count(*) FROM letter WHERE kind = +? AND created_at > +?`, []any{model.LetterNoAccount, hour}},
		{unknownPerDay, `SELECT count(*) FROM letter WHERE kind = +? AND created_at > +?`, []any{model.LetterNoAccount, day}},
	} {
		var n int
		if err := tx.QueryRowContext(ctx, limit.query, limit.args...).Scan(&n); err != nil {
			return "", err
		}
		if n >= limit.most {
			return intakeRefused, nil
		}
	}
	return intakeUnknown, tx.post(ctx, actor, model.LetterNoAccount, email, letterFacts{})
}
