package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"latchkey/db/model"
)

// noteNear keeps an address that nobody has an account under, if a few members
// have one that is nearly the same. It is called once the request is worked
// off, and looks outside the transaction: some thousand look-ups must keep no
// act waiting.
func (d *DB) noteNear(ctx context.Context, key string) error {
	if full, err := nearFull(ctx, d.read, d.Now()); err != nil || full {
		return err
	}
	members, err := nearMembers(ctx, d.read, key)
	if err != nil || len(members) == 0 || len(members) > model.NearMembers {
		return err
	}
	return d.act(ctx, func(tx *Tx) error {
		for _, id := range members {
			if full, err := nearFull(ctx, tx, tx.Now); err != nil || full {
				return err
			}
			// Somebody may have been taken off the roll since.
			if _, err := tx.ExecContext(ctx, `
				INSERT INTO near_login (typed, member_id, at) SELECT ?, id, ? FROM member WHERE id = +?
				ON CONFLICT (member_id, typed) DO UPDATE SET at = excluded.at`, key, tx.Now.Unix(), id); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `
				DELETE FROM near_login WHERE id IN (
					SELECT id FROM near_login WHERE member_id = +? ORDER BY at DESC, id DESC LIMIT -1 OFFSET +?)`, id, model.NearPerMember); err != nil {
				return err
			}
		}
		return nil
	})
}

// nearFull reports whether no more is kept today.
func nearFull(ctx context.Context, q querier, now time.Time) (full bool, err error) {
	err = q.QueryRowContext(ctx, `SELECT count(*) >= +? FROM near_login WHERE at > +?`,
		model.NearPerDay, now.Add(-24*time.Hour).Unix()).Scan(&full)
	return full, err
}

const (
	nearAccounts = `SELECT DISTINCT a.member_id FROM json_each(+?) w CROSS JOIN account a ON a.email_key = w.value LIMIT +?`
	nearRecords  = `SELECT DISTINCT m.id FROM json_each(+?) w CROSS JOIN member m ON m.email_key = w.value LIMIT +?`
)

// nearMembers are those whose addresses come near one, at most one more than
// may be kept. The addresses are looked up one by one: some 3,000 of them
// in 3 ms, with 100,000 members.
func nearMembers(ctx context.Context, q querier, key string) ([]int64, error) {
	addresses, err := json.Marshal(model.NearEmails(key))
	if err != nil {
		return nil, err
	}
	var found []int64
	for _, query := range []string{nearAccounts, nearRecords} {
		ids, err := rows(ctx, q, func(rs *sql.Rows) (id int64, err error) { return id, rs.Scan(&id) },
			query, string(addresses), model.NearMembers+1)
		if err != nil {
			return nil, err
		}
		found = append(found, ids...)
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// nearLogin is the newest address that nearly was a member's, nil if there was
// none lately.
func nearLogin(ctx context.Context, q querier, memberID int64, now time.Time) (*model.NearLogin, error) {
	var n model.NearLogin
	err := q.QueryRowContext(ctx, `
		SELECT id, typed, at FROM near_login WHERE member_id = +? AND at > +? ORDER BY at DESC, id DESC LIMIT 1`,
		memberID, now.Add(-model.NearFor).Unix()).Scan(&n.ID, &n.Typed, unix{&n.At})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &n, err
}

// DismissNear is somebody of the office having seen to an address that nearly
// was a member's: it is forgotten, with what was typed before it. A second
// press finds nothing more to do.
func (d *DB) DismissNear(ctx context.Context, actor model.Actor, id int64) error {
	if err := actor.MayEdit(); err != nil {
		return err
	}
	return d.actBy(ctx, actor, func(tx *Tx) error {
		var member, at int64
		err := tx.QueryRowContext(ctx, `SELECT member_id, at FROM near_login WHERE id = +?`, id).Scan(&member, &at)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM near_login WHERE member_id = +? AND at <= +?`, member, at); err != nil {
			return err
		}
		return tx.audit(ctx, actor, model.ActNearDone, about{member: member}) // not what was typed: the line stays for good
	})
}
