package db

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"latchkey/db/model"
)

// The kinds of rows that failed sign-ins leave. Those of "Forgot password?" are of
// the kind that the table calls its default.
const (
	intakeTrouble = "trouble" // it is the fifth
	intakeFailed  = "failed"  // every one
)

// noteRefused has the lines of a failed sign-in written outside the request. A
// login that nobody has gets none: lines are never deleted, and anybody can make
// up logins. Written with the answer, those of eight people who share an address
// took 0.2 ms, which is enough to tell them from nobody. So the row is of the same
// size for all: where it came from, and eight numbers of accounts, 0 for nobody.
// It holds nothing that was typed, and is left out of the limits on rows: each
// costs whoever causes it a hash.
func (tx *Tx) noteRefused(ctx context.Context, network string, all []candidate) error {
	var of [model.HouseholdLimit]int64
	for i := range min(len(all), len(of)) {
		of[i] = all[i].account.ID
	}
	said := fmt.Sprintf("%016x", of)
	_, err := tx.ExecContext(ctx, `INSERT INTO intake (kind, typed, network, made_at) VALUES (?, ?, x'', ?)`,
		intakeFailed, network+"\n"+said, tx.Now.Unix())
	return err
}

// refusedBatch is how many failed sign-ins get their lines in one transaction.
// One by one they are slower than a flood, which waits for the disk no longer
// than they do.
const refusedBatch = 100

// writeRefused works off failed sign-ins, and gives how many.
func (d *DB) writeRefused(ctx context.Context) (n int, err error) {
	ids, err := rows(ctx, d.read, func(rs *sql.Rows) (id int64, err error) { return id, rs.Scan(&id) },
		`SELECT id FROM intake WHERE done_at IS NULL AND kind = ? ORDER BY id LIMIT +?`, intakeFailed, refusedBatch)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	return len(ids), d.act(ctx, func(tx *Tx) error {
		for _, id := range ids {
			if _, err := tx.workIntake(ctx, id); err != nil {
				return err
			}
		}
		return tx.tidyIntake(ctx)
	})
}

// lineRefused writes the lines that noteRefused asked for.
func (tx *Tx) lineRefused(ctx context.Context, said string, at int64) error {
	network, numbers, _ := strings.Cut(said, "\n")
	defer func(now time.Time) { tx.Now = now }(tx.Now)
	tx.Now = time.Unix(at, 0).UTC() // the line says when it happened
	for _, number := range strings.Fields(strings.Trim(numbers, "[]")) {
		id, err := strconv.ParseInt(number, 16, 64)
		if err != nil {
			return err
		}
		if id == 0 {
			return nil
		}
		a, err := accountByID(ctx, tx, id)
		if model.KindOf(err) == model.KindNotFound {
			continue // deleted in this second
		}
		if err != nil {
			return err
		}
		if err := tx.audit(ctx, model.MemberActor(network), model.ActSignInFailed, about{member: a.MemberID, account: a.ID}); err != nil {
			return err
		}
	}
	return nil
}

// noteTrouble has the holder of a login written to, if there is one, outside
// the request: as with "Forgot password?", one identical row is written
// whatever the login is, so a failed sign-in tells nobody whether it exists.
func (tx *Tx) noteTrouble(ctx context.Context, login, network string) error {
	if len(login) > typedMax {
		login = "" // nobody's; the row is written all the same
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO intake (kind, typed, network, made_at) SELECT ?, ?, ?, ? WHERE `+intakeRoom,
		intakeTrouble, login, tx.db.keys.Blind("intake", network), tx.Now.Unix(), intakeMost)
	return err
}

// troubleEvery is how long no second letter follows to the same account.
const troubleEvery = 24 * time.Hour

// answerTrouble writes to whoever a login may mean that somebody could not sign
// in with it, with a link. A member number means one account, an address all
// that share it.
func (tx *Tx) answerTrouble(ctx context.Context, login string) (outcome string, err error) {
	where, key := loginIs(model.LoginKey(login))
	all, err := rows(ctx, tx, scanAccountRow, `SELECT `+accountColumns+accountTables+`WHERE `+where+` ORDER BY a.id`, orNull(key))
	if err != nil {
		return "", err
	}
	var able []model.Account
	for _, a := range all {
		may, err := tx.mayTrouble(ctx, a)
		if err != nil {
			return "", err
		}
		if may {
			able = append(able, a)
		}
	}
	// Nobody asked for it, but it came about in front of the sign-in page.
	portal := model.SystemActor()
	for _, same := range model.ByMailbox(able) {
		if len(same) == 1 {
			err = tx.send(ctx, portal, same[0], model.LetterTrouble)
		} else {
			err = tx.sendSeveral(ctx, portal, same, model.LetterTrouble)
		}
		if err != nil {
			return "", err
		}
	}
	if len(able) == 0 {
		return intakeRefused, nil
	}
	return intakeKnown, nil
}

// mayTrouble reports whether an account gets the letter: it may sign in at all,
// has had none for a day, and not too many of those that anybody can have sent
// to it.
func (tx *Tx) mayTrouble(ctx context.Context, a model.Account) (bool, error) {
	if a.Disabled() || a.Email == "" {
		return false, nil
	}
	if told, err := tx.toldToday(ctx, a, model.LetterTrouble); err != nil || told {
		return false, err
	}
	return tx.mayAsk(ctx, a)
}

// toldToday reports whether an account had a letter of a kind within a day.
func (tx *Tx) toldToday(ctx context.Context, a model.Account, kind model.LetterKind) (told bool, err error) {
	err = tx.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM letter_subject s JOIN letter l ON l.id = s.letter_id
			WHERE s.account_id = +? AND l.kind = +? AND l.created_at > +?)`,
		a.ID, kind, tx.Now.Add(-troubleEvery).Unix()).Scan(&told)
	return told, err
}

// warnOfCodes writes to an account, once a day at the most, that somebody had its
// password right and its second factor wrong, with a link to another password.
//
// It is not counted among what anybody can have sent, nor does it merge with a
// letter that waits: whoever knows the password could keep it away by asking for
// others. Whoever gets as far as this was told already that the password is
// right, so it needs no detour by the intake.
func (tx *Tx) warnOfCodes(ctx context.Context, a model.Account) error {
	if a.Email == "" {
		return nil
	}
	if told, err := tx.toldToday(ctx, a, model.LetterWrongCodes); err != nil || told {
		return err
	}
	portal := model.SystemActor()
	r, err := unendedReset(ctx, tx, a.ID)
	if err != nil {
		return err
	}
	if r == nil || !r.SameOnResend(a, tx.Now) {
		made, err := tx.newReset(ctx, portal, a, r, false)
		if err != nil {
			return err
		}
		r = &made
	}
	return tx.post(ctx, portal, model.LetterWrongCodes, a.Email, letterFacts{}, subject{a.ID, r.ID})
}
