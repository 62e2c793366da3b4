package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"latchkey/db/model"
)

// Attention is what the office has to look after today. Each section begins
// with the few whom an index names, and never asks all members or all letters.
func (d *DB) Attention(ctx context.Context, actor model.Actor) (a model.Attention, err error) {
	if err := actor.MayRead(); err != nil {
		return a, err
	}
	settings, err := d.Settings(ctx)
	if err != nil {
		return a, err
	}
	now := d.Now()
	err = d.sight(ctx, func(s *sight) (err error) {
		if a.Mail, err = s.mailTrouble(ctx); err != nil {
			return err
		}
		if a.Held, err = s.held(ctx, settings); err != nil {
			return err
		}
		if a.NotMe, err = s.notMeRows(ctx); err != nil {
			return err
		}
		if a.Failing, err = s.failingRows(ctx); err != nil {
			return err
		}
		if a.Slowed, err = s.slowedRows(ctx, now); err != nil {
			return err
		}
		if a.Near, err = s.nearRows(ctx, now); err != nil {
			return err
		}
		a.Unfinished, err = s.unfinishedRows(ctx, now)
		return err
	})
	return a, err
}

const (
	lettersOut     = `SELECT count(*) FROM letter WHERE state = 'waiting' OR state = 'retrying'`
	lettersPutOff  = `SELECT EXISTS (SELECT 1 FROM letter WHERE state = 'retrying')`
	oldestOut      = `SELECT min(created_at) FROM (SELECT min(id) AS id FROM letter WHERE state = 'waiting' UNION ALL SELECT min(id) FROM letter WHERE state = 'retrying') f JOIN letter l ON l.id = f.id`
	newestAttempts = `SELECT started_at, ended_at, code, reply FROM letter_attempt ORDER BY id DESC LIMIT 50`

	// firstSinceTaken is the first attempt after the newest letter that was
	// taken: where the trouble began, if it goes back beyond the newest attempts.
	firstSinceTaken = `
		SELECT started_at FROM letter_attempt WHERE id > coalesce((
			SELECT max(id) FROM letter_attempt WHERE letter_id = (SELECT max(id) FROM letter WHERE state = 'accepted')), 0)
		ORDER BY id LIMIT 1`
)

// mailTrouble is read off the attempts that were made, as long as one of their
// letters is still to be tried again. So it is over with the next letter that
// is taken, and nothing has to be remembered.
func (s *sight) mailTrouble(ctx context.Context) (*model.MailTrouble, error) {
	var putOff bool
	if err := s.QueryRowContext(ctx, lettersPutOff).Scan(&putOff); err != nil || !putOff {
		return nil, err
	}
	attempts, err := rows(ctx, s, func(rs *sql.Rows) (a model.LetterAttempt, err error) {
		return a, rs.Scan(unix{&a.StartedAt}, unix{&a.EndedAt}, &a.Code, &a.Reply)
	}, newestAttempts)
	if err != nil {
		return nil, err
	}
	trouble, known := model.DoorTrouble(attempts)
	if trouble == nil {
		return nil, nil
	}
	if !known {
		if err := s.QueryRowContext(ctx, firstSinceTaken).Scan(unix{&trouble.Since}); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
	}
	return trouble, s.QueryRowContext(ctx, lettersOut).Scan(&trouble.Waiting)
}

func (s *sight) held(ctx context.Context, settings model.Settings) (*model.HeldLetters, error) {
	if !settings.HeldBack() {
		return nil, nil
	}
	h := model.HeldLetters{BaseURL: settings.BaseURL}
	if err := s.QueryRowContext(ctx, lettersOut).Scan(&h.Waiting); err != nil {
		return nil, err
	}
	return &h, s.QueryRowContext(ctx, oldestOut).Scan(unix{&h.Since})
}

func (s *sight) notMeRows(ctx context.Context) (found model.Section[model.NotMe], err error) {
	all, err := openNotMes(ctx, s, mostCounted+1)
	found.Total, found.More = min(len(all), mostCounted), len(all) > mostCounted
	found.Rows = all[:min(len(all), model.AttentionRows)]
	return found, err
}

// subjectName is by which columns somebody is called.
const subjectName = `m.id, coalesce(a.id, 0), m.first_name, m.last_name, m.company, m.email, m.member_no`

type subjectRow struct {
	member  model.Member
	account int64
}

func (r *subjectRow) targets() []any {
	m := &r.member
	return []any{&m.ID, &r.account, &m.FirstName, &m.LastName, &m.Company, &m.Email, &m.MemberNo}
}

func (r *subjectRow) person() model.Person {
	return model.Person{MemberID: r.member.ID, AccountID: r.account, Name: r.member.Name()}
}

// mostCounted is how many rows of a section are counted where there may be
// tens of thousands of them, newest first: after an invitation of everybody.
// To count them all took 100 ms with 100,000 members; so it takes 4.
const mostCounted = 100

// failingPairs merges the two states as their index has them, so that it can
// stop where enough are found.
const failingPairs = `
	SELECT l.id AS id, a.id ` + failing + ` WHERE l.state = 'failed' AND l.id = ` + newestFate + `
	UNION ALL
	SELECT l.id, a.id ` + failing + ` WHERE l.state = 'bounced' AND l.id = ` + newestFate + `
	ORDER BY id DESC LIMIT +?`

func (s *sight) failingRows(ctx context.Context) (found model.Section[model.FailingRow], err error) {
	type pair struct{ letter, account int64 }
	all, err := rows(ctx, s, func(rs *sql.Rows) (p pair, err error) { return p, rs.Scan(&p.letter, &p.account) }, failingPairs, mostCounted+1)
	if err != nil {
		return found, err
	}
	found.Total, found.More = min(len(all), mostCounted), len(all) > mostCounted
	for _, p := range all[:min(len(all), model.AttentionRows)] {
		var row model.FailingRow
		var who subjectRow
		if err := s.QueryRowContext(ctx, `
			SELECT `+letterColumns+`, `+subjectName+` FROM letter l, account a JOIN member m ON m.id = a.member_id
			WHERE l.id = +? AND a.id = +?`, p.letter, p.account).Scan(append(letterTargets(&row.Letter), who.targets()...)...); err != nil {
			return found, err
		}
		row.Person = who.person()
		found.Rows = append(found.Rows, row)
	}
	return found, nil
}

func (s *sight) slowedRows(ctx context.Context, now time.Time) (found model.Section[model.SlowedRow], err error) {
	all, err := s.slowed(ctx)
	if err != nil {
		return found, err
	}
	for _, w := range all {
		if w.account.Disabled() { // no wait would let them in
			continue
		}
		if found.Total++; found.Total <= model.AttentionRows {
			found.Rows = append(found.Rows, model.SlowedRow{
				Person: model.Person{MemberID: w.account.MemberID, AccountID: w.account.ID, Name: w.account.Name}, Until: now.Add(w.wait)})
		}
	}
	return found, nil
}

// nearQuery is one row for each member, by their newest, as far as
// [model.Account.StillNear] says.
const nearQuery = `
	SELECT w.id, w.typed, w.at, coalesce(nullif(a.email, ''), m.email), ` + subjectName + `
	FROM near_login w CROSS JOIN member m ON m.id = w.member_id LEFT JOIN account a ON a.member_id = m.id
	WHERE w.at > +? AND w.id = (SELECT id FROM near_login WHERE member_id = w.member_id ORDER BY at DESC, id DESC LIMIT 1)
		AND coalesce(a.last_sign_in_at, 0) < w.at AND coalesce(a.password_set_at, 0) < w.at AND coalesce(a.email_key, '') <> w.typed
	ORDER BY w.at DESC, w.id DESC`

func (s *sight) nearRows(ctx context.Context, now time.Time) (found model.Section[model.NearRow], err error) {
	all, err := rows(ctx, s, func(rs *sql.Rows) (row model.NearRow, err error) {
		var who subjectRow
		err = rs.Scan(append([]any{&row.ID, &row.Typed, unix{&row.At}, &row.Email}, who.targets()...)...)
		row.Person = who.person()
		return row, err
	}, nearQuery, now.Add(-model.NearFor).Unix())
	return model.Section[model.NearRow]{Rows: all[:min(len(all), model.AttentionRows)], Total: len(all)}, err
}

// unfinishedQuery is [model.Reset.Unfinished] of those to whom a letter with
// their link left. The index has all that tells young links from the others,
// so those who were invited just now are not looked up.
const unfinishedQuery = `
	SELECT r.id FROM reset r INDEXED BY reset_unended_by_age CROSS JOIN account a ON a.id = r.account_id
	WHERE r.ended_at IS NULL AND r.asked_at > +?1 AND (r.asked_at <= +?2 OR r.expires_at <= +?3)
		AND a.password_hash IS NULL AND a.password_set_at IS NULL AND a.disabled_at IS NULL
		AND EXISTS (SELECT 1 FROM letter_subject s JOIN letter l ON l.id = s.letter_id WHERE s.reset_id = r.id AND l.state = 'accepted')
	ORDER BY r.asked_at DESC LIMIT +?4`

func (s *sight) unfinishedRows(ctx context.Context, now time.Time) (found model.Section[model.UnfinishedRow], err error) {
	ids, err := s.ids(ctx, unfinishedQuery, now.Add(-model.LetterLogFor).Unix(), now.Add(-model.UnfinishedAfter).Unix(), now.Unix(), mostCounted+1)
	if err != nil {
		return found, err
	}
	found.Total, found.More = min(len(ids), mostCounted), len(ids) > mostCounted
	found.Rows, err = rows(ctx, s, func(rs *sql.Rows) (row model.UnfinishedRow, err error) {
		var who subjectRow
		err = rs.Scan(append([]any{unix{&row.AskedAt}, unix{&row.Opened}, unix{&row.Expires}}, who.targets()...)...)
		row.Person = who.person()
		return row, err
	}, `SELECT r.asked_at, r.opened_at, r.expires_at, `+subjectName+`
		FROM reset r JOIN account a ON a.id = r.account_id JOIN member m ON m.id = a.member_id
		WHERE r.id IN (SELECT value FROM json_each(+?)) ORDER BY r.asked_at DESC, r.id DESC`, list(ids[:min(len(ids), model.AttentionRows)]))
	return found, err
}
