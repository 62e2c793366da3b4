package db

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"latchkey/db/model"
)

// TakeBounce reads a message that came to the bounce address and notes what it
// says of a letter, whose number it gives. Everything else (other messages,
// forged or unknown reports) changes nothing and is no error: 0.
//
// Nothing is ever answered, so there is no loop to fear from other programs
// that answer by themselves.
func (d *DB) TakeBounce(ctx context.Context, raw []byte) (letter int64, err error) {
	report, ok := model.ReadBounce(raw)
	if !ok {
		return 0, nil
	}
	for _, to := range report.To {
		l, err := scanLetter(d.point.QueryRowContext(ctx, `SELECT `+letterColumns+` FROM letter l WHERE l.id = +?`, to.Letter))
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if d.keys.MayReport(to, l) {
			return l.ID, d.act(ctx, func(tx *Tx) error { return tx.noteBounce(ctx, l.ID, report) })
		}
	}
	return 0, nil
}

func (tx *Tx) noteBounce(ctx context.Context, id int64, report model.BounceReport) error {
	l, err := scanLetter(tx.QueryRowContext(ctx, `SELECT `+letterColumns+` FROM letter l WHERE l.id = +?`, id))
	if errors.Is(err, sql.ErrNoRows) { // tidied away meanwhile
		return nil
	}
	if err != nil || !l.TakesReport(report.Fate) {
		return err
	}
	switch report.Fate {
	case model.FateBounced:
		err = tx.settle(ctx, id, model.LetterBounced, tx.Now, model.Delivery{Code: report.Code, Reply: report.Reason})
	case model.FateDelayed:
		_, err = tx.ExecContext(ctx, `UPDATE letter SET delayed_at = ?, code = ?, reply = ? WHERE id = +?`,
			tx.Now.Unix(), report.Code, report.Reason, id)
	}
	if err != nil {
		return err
	}
	people, err := letterSubjects(ctx, tx, id)
	if err != nil {
		return err
	}
	for _, s := range people {
		line := about{member: s.account.MemberID, account: s.account.ID, letter: id, note: string(l.Kind) + " " + string(report.Fate)}
		if s.reset != nil {
			line.reset = s.reset.ID
		}
		if err := tx.audit(ctx, model.SystemActor(), model.ActLetterReported, line); err != nil {
			return err
		}
	}
	return nil
}

const bounceSecret = "bounce_secret"

// NewBounceSecret makes the secret with which another program may post reports,
// in place of the one before. It is given once: what is kept is its hash,
// which serves to recognise it and for nothing else.
func (d *DB) NewBounceSecret(ctx context.Context, actor model.Actor) (model.Secret, error) {
	if err := actor.MayOwn(); err != nil {
		return model.Secret{}, err
	}
	secret := strings.ToLower(rand.Text())
	sum := sha256.Sum256([]byte(secret))
	err := d.actBy(ctx, actor, func(tx *Tx) error {
		if err := tx.storeSealed(ctx, bounceSecret, "", sum[:]); err != nil {
			return err
		}
		return tx.audit(ctx, actor, model.ActSettingsChanged, about{note: bounceSecret})
	})
	if err != nil {
		return model.Secret{}, err
	}
	return model.NewSecret(secret), nil
}

// HasBounceSecret reports whether another program may post reports.
func (d *DB) HasBounceSecret(ctx context.Context) (has bool, err error) {
	err = d.point.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM setting WHERE name = +?)`, bounceSecret).Scan(&has)
	return has, err
}

// MayPostBounces reports whether this is the secret of NewBounceSecret. Both are
// hashed, so their comparison takes the same time whatever was given.
func (d *DB) MayPostBounces(ctx context.Context, given string) (bool, error) {
	var sealed []byte
	err := d.point.QueryRowContext(ctx, `SELECT sealed FROM setting WHERE name = +?`, bounceSecret).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	want, err := d.keys.Open("setting", bounceSecret, 0, sealed)
	if err != nil {
		return false, fmt.Errorf("the secret for reports: %w", err)
	}
	sum := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(want, sum[:]) == 1, nil
}
