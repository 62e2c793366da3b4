package db

import (
	"context"
	"database/sql"

	"latchkey/db/model"
)

// about says whom and what an audit line is about.
type about struct {
	member, account, reset, letter int64
	note                           string
}

// audit writes the line of an act. It is part of the act's transaction: what
// happened and the line that says so are there together or not at all.
func (tx *Tx) audit(ctx context.Context, actor model.Actor, act model.Act, a about) error {
	res, err := tx.ExecContext(ctx, `
		INSERT INTO audit (at, act, actor_kind, actor_id, member_id, account_id, reset_id, letter_id)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		tx.Now.Unix(), act, actor.Kind, orNull(actor.AccountID),
		orNull(a.member), orNull(a.account), orNull(a.reset), orNull(a.letter))
	if err != nil {
		return err
	}
	if actor.Name == "" && actor.Network == "" && a.note == "" {
		return nil
	}
	id, err := res.LastInsertId()
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO audit_detail (audit_id, actor_name, network, note) VALUES (?, ?, ?, ?)`,
		id, actor.Name, actor.Network, a.note)
	return err
}

const activityLines = 50

// Activity is what happened to a record and its account, newest first, from
// before a line on (0 is the newest).
func (d *DB) Activity(ctx context.Context, actor model.Actor, memberID, before int64) (model.ActivityPage, error) {
	var page model.ActivityPage
	var err error
	if page.Member, page.Account, err = d.Member(ctx, actor, memberID); err != nil {
		return page, err
	}
	if before <= 0 {
		before = 1<<63 - 1
	}
	page.Lines, err = rows(ctx, d.read, scanAuditLine, `
		SELECT a.id, a.at, a.act, a.actor_kind, coalesce(a.actor_id, 0), coalesce(a.member_id, 0), coalesce(a.account_id, 0),
		       coalesce(a.reset_id, 0), coalesce(a.letter_id, 0),
		       coalesce(n.actor_name, ''), coalesce(n.network, ''), coalesce(n.note, '')
		FROM audit a LEFT JOIN audit_detail n ON n.audit_id = a.id
		WHERE a.member_id = +? AND a.id < +? ORDER BY a.id DESC LIMIT +?`, memberID, before, activityLines+1)
	if err != nil {
		return page, err
	}
	if len(page.Lines) > activityLines {
		page.Lines = page.Lines[:activityLines]
		page.Next = page.Lines[activityLines-1].ID
	}
	return page, nil
}

func scanAuditLine(rs *sql.Rows) (model.AuditLine, error) {
	var l model.AuditLine
	err := rs.Scan(&l.ID, unix{&l.At}, &l.Act, &l.ActorKind, &l.ActorID, &l.MemberID, &l.AccountID,
		&l.ResetID, &l.LetterID, &l.ActorName, &l.Network, &l.Note)
	return l, err
}
