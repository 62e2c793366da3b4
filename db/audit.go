package db

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

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

const auditLines = 50

// Activity is what happened to a record and its account, newest first, from
// before a line on (0 is the newest).
func (d *DB) Activity(ctx context.Context, actor model.Actor, memberID, before int64) (model.ActivityPage, error) {
	return d.activity(ctx, actor, memberID, model.AuditQuery{Before: max(before, 0)})
}

// ActivityAfter is the page of a record's activity that leads up to a line.
func (d *DB) ActivityAfter(ctx context.Context, actor model.Actor, memberID, after int64) (model.ActivityPage, error) {
	return d.activity(ctx, actor, memberID, model.AuditQuery{After: max(after, 0)})
}

func (d *DB) activity(ctx context.Context, actor model.Actor, memberID int64, q model.AuditQuery) (model.ActivityPage, error) {
	var page model.ActivityPage
	var err error
	if page.Member, page.Account, err = d.Member(ctx, actor, memberID); err != nil {
		return page, err
	}
	err = d.sight(ctx, func(s *sight) error {
		stretch, err := s.auditStretch(ctx, q, time.Time{}, time.Time{})
		if err != nil {
			return err
		}
		ids, err := s.auditIDs(ctx, stretch, []auditTrail{{`member_id = +?`, memberID}})
		if err != nil {
			return err
		}
		ids, page.Next, page.Newer = stretch.page(ids)
		page.Lines, err = rows(ctx, s, scanAuditLine, `SELECT `+auditColumns+auditTables+`
			WHERE a.id IN (SELECT value FROM json_each(+?)) ORDER BY a.at DESC, a.id DESC`, list(ids))
		return err
	})
	return page, err
}

const auditColumns = `a.id, a.at, a.act, a.actor_kind, coalesce(a.actor_id, 0), coalesce(a.member_id, 0), coalesce(a.account_id, 0),
	coalesce(a.reset_id, 0), coalesce(a.letter_id, 0), coalesce(d.actor_name, ''), coalesce(d.network, ''), coalesce(d.note, '')`

const auditTables = ` FROM audit a LEFT JOIN audit_detail d ON d.audit_id = a.id `

func auditTargets(l *model.AuditLine) []any {
	return []any{&l.ID, unix{&l.At}, &l.Act, &l.ActorKind, &l.ActorID, &l.MemberID, &l.AccountID,
		&l.ResetID, &l.LetterID, &l.ActorName, &l.Network, &l.Note}
}

func scanAuditLine(rs *sql.Rows) (l model.AuditLine, err error) {
	return l, rs.Scan(auditTargets(&l)...)
}

// Audit is one page of all that was done, by whomever and to whomever, for
// owners: it names every member and says when each of them was here.
func (d *DB) Audit(ctx context.Context, actor model.Actor, q model.AuditQuery) (model.AuditPage, error) {
	var page model.AuditPage
	if err := actor.MayOwn(); err != nil {
		return page, err
	}
	settings, err := d.Settings(ctx)
	if err != nil {
		return page, err
	}
	from, until, wrong := q.Span(settings.Location())
	page.Wrong = wrong
	err = d.sight(ctx, func(s *sight) error {
		if page.Acts, err = s.actsDone(ctx); err != nil {
			return err
		}
		if err := s.auditPeople(ctx, q, &page); err != nil {
			return err
		}
		if len(wrong) > 0 || page.Found > model.AuditPeople {
			return nil
		}
		stretch, err := s.auditStretch(ctx, q, from, until)
		if err != nil {
			return err
		}
		trails, err := s.auditTrails(ctx, q, &page, &stretch)
		if err != nil {
			return err
		}
		ids, err := s.auditIDs(ctx, stretch, trails)
		if err != nil {
			return err
		}
		ids, page.Older, page.Newer = stretch.page(ids)
		page.Rows, err = s.auditRows(ctx, ids)
		return err
	})
	return page, err
}

// actsDone are the acts that have a line. SQLite would read the whole index for
// DISTINCT; to leap from one to the next takes as many steps as there are acts.
func (s *sight) actsDone(ctx context.Context) ([]model.Act, error) {
	return rows(ctx, s, func(rs *sql.Rows) (a model.Act, err error) { return a, rs.Scan(&a) }, `
		WITH RECURSIVE done (act) AS (
			SELECT min(act) FROM audit
			UNION ALL SELECT (SELECT min(a.act) FROM audit a WHERE a.act > done.act) FROM done WHERE done.act IS NOT NULL)
		SELECT act FROM done WHERE act IS NOT NULL`)
}

// auditPeople finds whose lines are asked for.
func (s *sight) auditPeople(ctx context.Context, q model.AuditQuery, page *model.AuditPage) error {
	const person = `SELECT m.id, coalesce(a.id, 0), m.first_name, m.last_name, m.company, m.email, m.member_no
		FROM member m LEFT JOIN account a ON a.member_id = m.id WHERE `
	scan := func(rs *sql.Rows) (p model.Person, err error) {
		var m model.Member
		err = rs.Scan(&p.MemberID, &p.AccountID, &m.FirstName, &m.LastName, &m.Company, &m.Email, &m.MemberNo)
		p.Name = m.Name()
		return p, err
	}
	switch {
	case q.MemberID != 0:
		var err error
		page.People, err = rows(ctx, s, scan, person+`m.id = +?`, q.MemberID)
		page.Found = len(page.People)
		return err
	case q.Text == "":
		return nil
	}
	found, err := s.find(ctx, model.MemberQuery{Text: q.Text})
	if err != nil {
		return err
	}
	page.Found = found.total
	places, err := s.inOrder(ctx, &found, firstPlace, false, model.AuditPeople)
	if err != nil {
		return err
	}
	page.People, err = rows(ctx, s, scan, person+`m.place IN (SELECT value FROM json_each(+?)) ORDER BY m.place`, list(places))
	return err
}

// auditTrail is a condition under which an index gives its lines in the order of
// time.
type auditTrail struct {
	where string
	value any
}

// auditTrails are the trails to follow for a query: of each person what they did
// and what was done to them, or of each act. Accounts come and go; those that
// somebody had before are known from the lines about them.
func (s *sight) auditTrails(ctx context.Context, q model.AuditQuery, page *model.AuditPage, l *auditStretch) ([]auditTrail, error) {
	var acts []model.Act
	for _, act := range page.Acts {
		if q.Wants(act) {
			acts = append(acts, act)
		}
	}
	var trails []auditTrail
	if q.Text == "" && q.MemberID == 0 {
		if q.Act == "" {
			return []auditTrail{{`1 = +?`, 1}}, nil
		}
		for _, act := range acts {
			trails = append(trails, auditTrail{`act = +?`, act})
		}
		return trails, nil
	}
	if q.Act != "" {
		l.acts = acts
	}
	for _, who := range page.People {
		accounts, err := s.ids(ctx, `SELECT id FROM account WHERE member_id = +?1
			UNION SELECT account_id FROM audit WHERE member_id = +?1 AND act = +?2 AND account_id IS NOT NULL`, who.MemberID, model.ActAccountMade)
		if err != nil {
			return nil, err
		}
		trails = append(trails, auditTrail{`member_id = +?`, who.MemberID})
		for _, account := range accounts {
			trails = append(trails, auditTrail{`actor_id = +?`, account})
		}
	}
	return trails, nil
}

// auditMark is a line's place in the order of time.
type auditMark struct{ at, id int64 }

func (m auditMark) before(o auditMark) bool { return m.at < o.at || m.at == o.at && m.id < o.id }

// auditStretch is a part of all lines: from one moment to another, and from one
// line on or, up, back to it.
type auditStretch struct {
	from, until int64
	acts        []model.Act // nil: any
	line        *auditMark
	up          bool
}

func (s *sight) auditStretch(ctx context.Context, q model.AuditQuery, from, until time.Time) (auditStretch, error) {
	l := auditStretch{from: math.MinInt64, until: math.MaxInt64, up: q.After > 0}
	if !from.IsZero() {
		l.from = from.Unix()
	}
	if !until.IsZero() {
		l.until = until.Unix()
	}
	id := q.Before
	if l.up {
		id = q.After
	}
	if id <= 0 {
		return l, nil
	}
	line := auditMark{id: id}
	err := s.QueryRowContext(ctx, `SELECT at FROM audit WHERE id = +?`, id).Scan(&line.at)
	if errors.Is(err, sql.ErrNoRows) {
		l.up = false
		return l, nil // it was the oldest and is gone, or was never there: from the newest on
	}
	if err != nil {
		return l, err
	}
	l.line = &line
	// SQLite seeks by one bound of a column, which may not be the better of two.
	if l.up {
		l.from = max(l.from, line.at)
	} else {
		l.until = min(l.until, line.at+1)
	}
	return l, nil
}

// auditIDs are the lines of a page and one more, in the order in which the
// stretch is read: a few from each trail, and then the first of them all.
func (s *sight) auditIDs(ctx context.Context, l auditStretch, trails []auditTrail) ([]int64, error) {
	order, beyond := "DESC", "<"
	if l.up {
		order, beyond = "ASC", ">"
	}
	var all []auditMark
	for _, trail := range trails {
		query, args := `SELECT at, id FROM audit WHERE `+trail.where+` AND at >= +? AND at < +?`, []any{trail.value, l.from, l.until}
		if l.acts != nil {
			query += ` AND act IN (` + strings.TrimPrefix(strings.Repeat(`, +?`, len(l.acts)), ", ") + `)`
			for _, act := range l.acts {
				args = append(args, act)
			}
		}
		if l.line != nil {
			query += ` AND (at, id) ` + beyond + ` (+?, +?)`
			args = append(args, l.line.at, l.line.id)
		}
		few, err := rows(ctx, s, func(rs *sql.Rows) (m auditMark, err error) { return m, rs.Scan(&m.at, &m.id) },
			query+` ORDER BY at `+order+`, id `+order+` LIMIT +?`, append(args, auditLines+1)...)
		if err != nil {
			return nil, err
		}
		all = append(all, few...)
	}
	slices.SortFunc(all, func(a, b auditMark) int {
		switch {
		case a == b:
			return 0
		case a.before(b) == l.up:
			return -1
		}
		return 1
	})
	all = slices.Compact(all) // who did something to themselves is on two trails
	ids := make([]int64, min(len(all), auditLines+1))
	for i := range ids {
		ids[i] = all[i].id
	}
	return ids, nil
}

// page takes the one more off, and says where to go on.
func (l auditStretch) page(ids []int64) (page []int64, older, newer int64) {
	more := len(ids) > auditLines
	ids = ids[:min(len(ids), auditLines)]
	if l.up {
		slices.Reverse(ids)
	}
	if n := len(ids); n > 0 {
		if l.up && more || !l.up && l.line != nil {
			newer = ids[0]
		}
		if l.up || more {
			older = ids[n-1]
		}
	}
	return ids, older, newer
}

func (s *sight) auditRows(ctx context.Context, ids []int64) ([]model.AuditRow, error) {
	return rows(ctx, s, func(rs *sql.Rows) (r model.AuditRow, err error) {
		var about, by model.Member
		err = rs.Scan(append(auditTargets(&r.AuditLine),
			maybe{&r.About.MemberID}, maybe{&about.FirstName}, maybe{&about.LastName}, maybe{&about.Company}, maybe{&about.Email}, maybe{&about.MemberNo},
			maybe{&r.Actor.MemberID}, maybe{&by.FirstName}, maybe{&by.LastName}, maybe{&by.Company}, maybe{&by.Email}, maybe{&by.MemberNo})...)
		r.About.AccountID, r.Actor.AccountID = r.AccountID, r.ActorID
		if r.About.MemberID != 0 {
			r.About.Name = about.Name()
		}
		if r.Actor.MemberID != 0 {
			r.Actor.Name = by.Name()
		}
		return r, err
	}, `SELECT `+auditColumns+`,
			m.id, m.first_name, m.last_name, m.company, m.email, m.member_no,
			b.id, b.first_name, b.last_name, b.company, b.email, b.member_no`+auditTables+`
			LEFT JOIN member m ON m.id = a.member_id
			LEFT JOIN account o ON o.id = a.actor_id LEFT JOIN member b ON b.id = o.member_id
		WHERE a.id IN (SELECT value FROM json_each(+?)) ORDER BY a.at DESC, a.id DESC`, list(ids))
}

// auditBatch is how many lines go in one transaction: a few milliseconds, so
// that nobody's press waits long.
const auditBatch = 500

// pruneAudit lets the lines go whose time is over, the oldest first and no
// further than the first that must stay. Time passes here by the newest line: a
// clock that runs years ahead for an hour must not empty the log.
func (d *DB) pruneAudit(ctx context.Context) error {
	for {
		n := 0
		err := d.act(ctx, func(tx *Tx) error {
			var newest int64
			if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(at), 0) FROM audit`).Scan(&newest); err != nil {
				return err
			}
			limit := min(newest, tx.Now.Unix()) - int64(tx.settings.AuditKept/time.Second)
			oldest, err := rows(ctx, tx, func(rs *sql.Rows) (m auditMark, err error) { return m, rs.Scan(&m.at, &m.id) },
				`SELECT at, id FROM audit ORDER BY id LIMIT +?`, auditBatch)
			if err != nil {
				return err
			}
			for n < len(oldest) && oldest[n].at <= limit {
				n++
			}
			if n == 0 {
				return nil
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM audit_detail WHERE audit_id <= +?`, oldest[n-1].id); err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `DELETE FROM audit WHERE id <= +?`, oldest[n-1].id)
			return err
		})
		if err != nil || n < auditBatch {
			return err
		}
	}
}
