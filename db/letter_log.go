package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"latchkey/db/model"
)

// lettersPerPage is how many lines a page of the letter log has.
const lettersPerPage = 50

// noLetter is an id after every letter's.
const noLetter = math.MaxInt64

// Letters is one page of the letter log, newest first.
//
// It goes by ids: they grow with time, and every order of the log is then one
// that an index has already.
func (d *DB) Letters(ctx context.Context, actor model.Actor, q model.LetterQuery) (model.LetterPage, error) {
	page := model.LetterPage{Totals: map[model.LetterFilter]int{}}
	if err := actor.MayRead(); err != nil {
		return page, err
	}
	q = q.Known()
	at := d.changes.count(&d.changes.letters)
	err := d.sight(ctx, func(s *sight) error {
		first, err := s.firstLogged(ctx)
		if err != nil {
			return err
		}
		if page.Totals, err = s.knownTotals(ctx, at, first); err != nil {
			return err
		}
		if q.AccountID != 0 {
			if page.About, err = s.person(ctx, q.AccountID); err != nil {
				return err
			}
		}
		stretch := letterStretch{states: q.Filter.States(), from: first, before: noLetter, limit: lettersPerPage + 1}
		stretch.up = q.After > 0
		switch {
		case stretch.up:
			stretch.from = max(first, q.After+1)
		case q.Before > 0:
			stretch.before = q.Before
		}
		ids, err := s.letterIDs(ctx, q, stretch)
		if err != nil {
			return err
		}
		more := len(ids) > lettersPerPage
		ids = ids[:min(len(ids), lettersPerPage)]
		if stretch.up {
			slices.Reverse(ids)
		}
		if n := len(ids); n > 0 {
			if stretch.up && more || q.Before > 0 {
				page.Newer = ids[0]
			}
			if stretch.up || more {
				page.Older = ids[n-1]
			}
		}
		page.Rows, err = s.letterRows(ctx, ids)
		return err
	})
	return page, err
}

// firstLogged is the oldest letter of the log.
func (s *sight) firstLogged(ctx context.Context) (id int64, err error) {
	err = s.QueryRowContext(ctx, `SELECT id FROM letter WHERE created_at > +? ORDER BY created_at, id LIMIT 1`,
		s.db.Now().Add(-model.LetterLogFor).Unix()).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return noLetter, nil
	}
	return id, err
}

// knownTotals is the totals of the log from its first letter on, as they were
// counted when the count of changes stood at a number. The count is exact, so it
// goes through every letter of the log: 50,000 take longer than the rest of the
// page. While letters are leaving it is made anew for each page.
type knownTotals struct {
	at     uint64
	first  int64
	totals map[model.LetterFilter]int
}

func (s *sight) knownTotals(ctx context.Context, at uint64, first int64) (map[model.LetterFilter]int, error) {
	if known := s.db.counted.Load(); known != nil && known.at == at && known.first == first {
		return maps.Clone(known.totals), nil
	}
	totals, err := s.letterTotals(ctx, first)
	if err == nil {
		s.db.counted.Store(&knownTotals{at, first, maps.Clone(totals)})
	}
	return totals, err
}

func (s *sight) letterTotals(ctx context.Context, first int64) (map[model.LetterFilter]int, error) {
	totals := map[model.LetterFilter]int{}
	for _, f := range model.LetterFilters[1:] {
		for _, state := range f.States() {
			var n int
			if err := s.QueryRowContext(ctx, `SELECT count(*) FROM letter WHERE state = +? AND id >= +?`, state, first).Scan(&n); err != nil {
				return nil, err
			}
			totals[f] += n
			totals[model.LettersAll] += n
		}
	}
	return totals, nil
}

func (s *sight) person(ctx context.Context, accountID int64) (*model.Person, error) {
	a, err := accountByID(ctx, s, accountID)
	switch {
	case err == nil:
		return &model.Person{MemberID: a.MemberID, AccountID: a.ID, Name: a.Name}, nil
	case model.KindOf(err) == model.KindNotFound:
		return nil, nil
	}
	return nil, err
}

// letterStretch is a part of the log: letters of some states, from one on and
// before another, the newest first or, up, the oldest.
type letterStretch struct {
	states       []model.LetterState
	from, before int64
	up           bool
	limit        int
}

func (l letterStretch) order() string {
	if l.up {
		return "ASC"
	}
	return "DESC"
}

func (l letterStretch) anyState() bool { return len(l.states) == len(model.LettersAll.States()) }

// in is the states as SQLite's json_each takes them.
func (l letterStretch) in() string {
	text, _ := json.Marshal(l.states) // words always encode
	return string(text)
}

func (s *sight) letterIDs(ctx context.Context, q model.LetterQuery, l letterStretch) ([]int64, error) {
	text := strings.TrimSpace(q.Text)
	switch {
	case q.AccountID != 0:
		return s.lettersAmong(ctx, l, `SELECT letter_id FROM letter_subject WHERE account_id = +?4`, q.AccountID)
	case text != "" && text != "@": // with which a domain begins
		return s.lettersFound(ctx, l, text)
	case l.anyState():
		return s.ids(ctx, `SELECT id FROM letter WHERE id >= +? AND id < +? ORDER BY id `+l.order()+` LIMIT +?`, l.from, l.before, l.limit)
	}
	// A few from each state, in its own order, and then the first of them all.
	var all []int64
	for _, state := range l.states {
		few, err := s.ids(ctx, `SELECT id FROM letter WHERE state = +? AND id >= +? AND id < +? ORDER BY id `+l.order()+` LIMIT +?`,
			state, l.from, l.before, l.limit)
		if err != nil {
			return nil, err
		}
		all = append(all, few...)
	}
	slices.Sort(all)
	if !l.up {
		slices.Reverse(all)
	}
	return all[:min(len(all), l.limit)], nil
}

func (s *sight) ids(ctx context.Context, query string, args ...any) ([]int64, error) {
	return rows(ctx, s, func(rs *sql.Rows) (id int64, err error) { return id, rs.Scan(&id) }, query, args...)
}

// lettersAmong gives those of a few letters that stand in the stretch. The
// parameters of few begin with the fourth.
func (s *sight) lettersAmong(ctx context.Context, l letterStretch, few string, args ...any) ([]int64, error) {
	return s.ids(ctx, fmt.Sprintf(`
		SELECT l.id FROM letter l WHERE l.id IN (%s) AND l.id >= +?1 AND l.id < +?2
			AND l.state IN (SELECT value FROM json_each(+?3))
		ORDER BY l.id %s LIMIT %d`, few, l.order(), l.limit), append([]any{l.from, l.before, l.in()}, args...)...)
}

// lettersFound gives the letters to addresses that begin like the text, or
// whose domain does, and those about members whom it finds in their list. What
// is an address, to the @, finds addresses alone; what begins with @, domains.
func (s *sight) lettersFound(ctx context.Context, l letterStretch, text string) ([]int64, error) {
	begin := model.EmailKey(text)
	const byAddress = `SELECT id FROM letter WHERE to_key >= +?4 AND to_key < +?5`
	const byDomain = `SELECT id FROM letter WHERE substr(to_key, instr(to_key, '@') + 1) >= +?4 AND substr(to_key, instr(to_key, '@') + 1) < +?5`
	if domain, ok := strings.CutPrefix(begin, "@"); ok {
		return s.lettersAmong(ctx, l, byDomain, domain, domain+lastLetter)
	}
	if strings.Contains(begin, "@") {
		return s.lettersAmong(ctx, l, byAddress, begin, begin+lastLetter)
	}
	found, err := s.find(ctx, model.MemberQuery{Text: text})
	if err != nil {
		return nil, err
	}
	if found.many != nil && found.total > mostLookedUp {
		return s.walkLetters(ctx, l, &found, begin)
	}
	places, err := s.inOrder(ctx, &found, firstPlace, false, found.total)
	if err != nil {
		return nil, err
	}
	addresses := byAddress
	if strings.Contains(begin, ".") { // a name has none
		addresses += ` UNION ` + byDomain
	}
	return s.lettersAmong(ctx, l, addresses+` UNION
		SELECT s.letter_id FROM member m JOIN account a ON a.member_id = m.id JOIN letter_subject s ON s.account_id = a.id
		WHERE m.place IN (SELECT value FROM json_each(+?6))`, begin, begin+lastLetter, list(places))
}

// mostLookedUp is how many members' letters are looked up one member after the
// other. When more are found, so many letters are about one of them that a page
// is full after a short walk through all.
const mostLookedUp = 2000

// walkLetters goes through the log until it met enough letters about one of
// many members, or to an address that begins like this, or whose domain does.
func (s *sight) walkLetters(ctx context.Context, l letterStretch, found *hits, begin string) (met []int64, err error) {
	type line struct {
		id    int64
		to    string
		state model.LetterState
		place sql.NullInt64 // several people, several lines
	}
	scan := func(rs *sql.Rows) (r line, err error) { return r, rs.Scan(&r.id, &r.to, &r.state, &r.place) }
	for most := 256; ; most = min(2*most, 8192) {
		lines, err := rows(ctx, s, scan, fmt.Sprintf(`
			SELECT l.id, l.to_key, l.state, m.place
			FROM (SELECT id, to_key, state FROM letter WHERE id >= +? AND id < +? ORDER BY id %[1]s LIMIT +?) l
			LEFT JOIN letter_subject s ON s.letter_id = l.id
			LEFT JOIN account a ON a.id = s.account_id
			LEFT JOIN member m INDEXED BY member_by_age ON m.id = a.member_id
			ORDER BY l.id %[1]s`, l.order()), l.from, l.before, most)
		if err != nil {
			return nil, err
		}
		seen, last := 0, int64(0)
		for _, r := range lines {
			if r.id != last {
				seen, last = seen+1, r.id
			}
			if !slices.Contains(l.states, r.state) || len(met) > 0 && met[len(met)-1] == r.id {
				continue
			}
			ok := strings.HasPrefix(r.to, begin) || strings.Contains(begin, ".") && strings.Contains(r.to, "@"+begin)
			if !ok && r.place.Valid {
				if ok, err = s.has(ctx, found, r.place.Int64); err != nil {
					return nil, err
				}
			}
			if !ok {
				continue
			}
			if met = append(met, r.id); len(met) == l.limit {
				return met, nil
			}
		}
		switch {
		case seen < most:
			return met, nil
		case l.up:
			l.from = last + 1
		default:
			l.before = last
		}
	}
}

// letterRows gives letters as the log shows them, newest first.
func (s *sight) letterRows(ctx context.Context, ids []int64) ([]model.LetterRow, error) {
	all, err := rows(ctx, s, func(rs *sql.Rows) (r model.LetterRow, err error) {
		r.Letter, err = scanLetter(rs)
		return r, err
	}, `SELECT `+letterColumns+` FROM letter l WHERE l.id IN (SELECT value FROM json_each(+?)) ORDER BY l.id DESC`, list(ids))
	if err != nil {
		return nil, err
	}
	at := make(map[int64]*model.LetterRow, len(all))
	for i := range all {
		at[all[i].ID] = &all[i]
	}
	_, err = rows(ctx, s, func(rs *sql.Rows) (none struct{}, err error) {
		var id int64
		a, err := scanAccount(rs, &id)
		if err == nil {
			at[id].People = append(at[id].People, model.Person{MemberID: a.MemberID, AccountID: a.ID, Name: a.Name})
		}
		return none, err
	}, `SELECT `+accountColumns+`, s.letter_id
		FROM letter_subject s JOIN account a ON a.id = s.account_id JOIN member n ON n.id = a.member_id
		WHERE s.letter_id IN (SELECT value FROM json_each(+?)) ORDER BY s.letter_id, a.id`, list(ids))
	return all, err
}

var (
	errNoLetter = model.NotFound("There is no such letter.")
	errRepeated = model.Conflict("It was sent again already. Go on from that letter.")
)

// Letter is all that the page of one letter shows. It holds no link: the
// letter's words are put together with blank ones.
func (d *DB) Letter(ctx context.Context, actor model.Actor, id int64) (model.LetterRecord, error) {
	var r model.LetterRecord
	if err := actor.MayRead(); err != nil {
		return r, err
	}
	settings, err := d.Settings(ctx)
	if err != nil {
		return r, err
	}
	now := d.Now()
	var asked, stopped, copied sql.NullInt64
	var l model.Letter
	err = d.point.QueryRowContext(ctx, `
		SELECT `+letterColumns+`, l.asked_by, l.stopped_by, l.copy_of, coalesce((SELECT max(id) FROM letter WHERE copy_of = l.id), 0)
		FROM letter l WHERE l.id = +?`, id).Scan(append(letterTargets(&l), &asked, &stopped, &copied, &r.Copy)...)
	if errors.Is(err, sql.ErrNoRows) {
		return r, errNoLetter
	}
	if err != nil {
		return r, err
	}
	r.CopyOf, r.HeldBack = copied.Int64, settings.HeldBack() && !l.State.Settled()
	if r.AskedBy, err = holder(ctx, d.point, asked.Int64); err != nil {
		return r, err
	}
	if r.StoppedBy, err = holder(ctx, d.point, stopped.Int64); err != nil {
		return r, err
	}
	if r.Contents, err = d.contents(ctx, d.point, settings, l, now, blankLinks); err != nil {
		return r, err
	}
	if l.Kind.CarriesLink() && len(r.Contents.Links) == 0 {
		// The account is deleted. Its links are kept, and tell how long they lasted.
		r.Contents.Links, err = rows(ctx, d.point, func(rs *sql.Rows) (k model.LetterLink, err error) { return k, rs.Scan(unix{&k.Expires}) },
			`SELECT r.expires_at FROM letter_subject s JOIN reset r ON r.id = s.reset_id WHERE s.letter_id = +? ORDER BY s.account_id`, id)
		if err != nil {
			return r, err
		}
	}
	r.Attempts, err = rows(ctx, d.point, func(rs *sql.Rows) (a model.LetterAttempt, err error) {
		return a, rs.Scan(unix{&a.StartedAt}, unix{&a.EndedAt}, &a.Code, &a.Reply)
	}, `SELECT started_at, ended_at, code, reply FROM letter_attempt WHERE letter_id = +? ORDER BY id`, id)
	if err != nil {
		return r, err
	}
	about, err := letterAccounts(ctx, d.point, id)
	if err != nil {
		return r, err
	}
	r.People = people(about, 0)
	r.NotAgain, r.NotStopped = sentenceOf(actor.MayRepeat(l, about, now)), sentenceOf(actor.MayStop(l, about))
	if r.Copy != 0 && l.Kind.Repeat() == model.RepeatCopy && r.NotAgain == "" {
		r.NotAgain = sentenceOf(errRepeated)
	}
	r.AgainTo = l.To
	if able := l.Reachable(about); l.Kind.Repeat() == model.RepeatLink && len(able) > 0 {
		r.AgainTo = able[0].Email
	}
	return r, nil
}

// sentenceOf is why not; "" where nothing stands in the way.
func sentenceOf(err error) string {
	if e, ok := errors.AsType[*model.Error](err); ok {
		return e.Sentence
	}
	return ""
}

// holder is the name of an account's holder, "" if there is none any more.
func holder(ctx context.Context, q querier, accountID int64) (string, error) {
	if accountID == 0 {
		return "", nil
	}
	a, err := accountByID(ctx, q, accountID)
	if model.KindOf(err) == model.KindNotFound && err != nil {
		return "", nil
	}
	return a.Name, err
}

// letterAccounts is whom a letter is about, as far as they still have an
// account.
func letterAccounts(ctx context.Context, q querier, id int64) ([]model.Account, error) {
	return rows(ctx, q, scanAccountRow, `SELECT `+accountColumns+`
		FROM letter_subject s JOIN account a ON a.id = s.account_id JOIN member n ON n.id = a.member_id
		WHERE s.letter_id = +? ORDER BY a.id`, id)
}

// RepeatLetter sends a letter again, and gives the one that goes out now. With
// a link that is Send Password Reset: the same link inside the window, a new
// one after it, to the address that the account has today. Anything else is a
// copy, to the same address. The second half of a double click gives the letter
// of the first.
func (d *DB) RepeatLetter(ctx context.Context, actor model.Actor, id int64) (repeated int64, err error) {
	err = d.actBy(ctx, actor, func(tx *Tx) error {
		l, about, err := tx.letterAndAccounts(ctx, actor, id)
		if err != nil {
			return err
		}
		if err := actor.MayRepeat(l, about, tx.Now); err != nil {
			return err
		}
		if l.Kind.Repeat() == model.RepeatLink {
			repeated, err = tx.repeatLink(ctx, actor, l, about)
		} else {
			repeated, err = tx.copyLetter(ctx, actor, l, about)
		}
		return err
	})
	return repeated, err
}

func (tx *Tx) letterAndAccounts(ctx context.Context, actor model.Actor, id int64) (model.Letter, []model.Account, error) {
	if err := actor.MayEdit(); err != nil {
		return model.Letter{}, nil, err
	}
	l, err := scanLetter(tx.QueryRowContext(ctx, `SELECT `+letterColumns+` FROM letter l WHERE l.id = +?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return l, nil, errNoLetter
	}
	if err != nil {
		return l, nil, err
	}
	about, err := letterAccounts(ctx, tx, id)
	return l, about, err
}

// repeatLink mails the links of a letter's people again. A welcome stays one
// until they chose a password.
func (tx *Tx) repeatLink(ctx context.Context, actor model.Actor, l model.Letter, about []model.Account) (int64, error) {
	able := l.Reachable(about)
	if len(able) > 1 {
		if err := tx.answer(ctx, actor, able); err != nil {
			return 0, err
		}
		return tx.newestWithLinkOf(ctx, able)
	}
	a, kind := able[0], model.LetterReset
	if l.Kind != model.LetterReset && !a.HasPassword && a.PasswordVersion == 0 {
		kind = model.LetterWelcome
	}
	r, err := tx.link(ctx, actor, a, false)
	if err != nil {
		return 0, err
	}
	if r != nil {
		if err := tx.postLink(ctx, actor, kind, a, *r); err != nil {
			return 0, err
		}
	}
	return tx.newestWithLinkOf(ctx, able)
}

// newestWithLinkOf is the letter that carries the link of the first of these
// accounts that has one.
func (tx *Tx) newestWithLinkOf(ctx context.Context, about []model.Account) (id int64, err error) {
	for _, a := range about {
		r, err := unendedReset(ctx, tx, a.ID)
		if err != nil {
			return 0, err
		}
		if r == nil {
			continue
		}
		err = tx.QueryRowContext(ctx, `
			SELECT s.letter_id FROM letter_subject s JOIN letter l ON l.id = s.letter_id
			WHERE s.reset_id = +? AND l.kind <> 'password_changed' ORDER BY s.letter_id DESC LIMIT 1`, r.ID).Scan(&id)
		if !errors.Is(err, sql.ErrNoRows) {
			return id, err
		}
	}
	return 0, errNoLetter
}

// copyLetter writes a letter's row once more, and once only: whoever wants a
// third goes on from the second.
func (tx *Tx) copyLetter(ctx context.Context, actor model.Actor, l model.Letter, about []model.Account) (id int64, err error) {
	var made time.Time
	err = tx.QueryRowContext(ctx, `SELECT id, created_at FROM letter WHERE copy_of = +? ORDER BY id DESC LIMIT 1`, l.ID).Scan(&id, unix{&made})
	switch {
	case err == nil && tx.Now.Before(made.Add(model.DoubleClick)):
		return id, nil
	case err == nil:
		return 0, errRepeated
	case !errors.Is(err, sql.ErrNoRows):
		return 0, err
	}
	var said string
	if err := tx.QueryRowContext(ctx, `SELECT facts FROM letter WHERE id = +?`, l.ID).Scan(&said); err != nil {
		return 0, err
	}
	var facts letterFacts
	if err := json.Unmarshal([]byte(said), &facts); err != nil {
		return 0, err
	}
	pairs, err := rows(ctx, tx, func(rs *sql.Rows) (s subject, err error) { return s, rs.Scan(&s.account, &s.reset) },
		`SELECT account_id, coalesce(reset_id, 0) FROM letter_subject WHERE letter_id = +? ORDER BY account_id`, l.ID)
	if err != nil {
		return 0, err
	}
	if err := tx.post(ctx, actor, l.Kind, l.To, facts, pairs...); err != nil {
		return 0, err
	}
	if err := tx.QueryRowContext(ctx, `SELECT max(id) FROM letter`).Scan(&id); err != nil {
		return 0, err
	}
	// Who caused it is part of what it says; who sent it again is in the audit line.
	if _, err := tx.ExecContext(ctx, `
		UPDATE letter SET copy_of = ?, asked_kind = (SELECT asked_kind FROM letter WHERE id = +?), asked_by = (SELECT asked_by FROM letter WHERE id = +?)
		WHERE id = +?`, l.ID, l.ID, l.ID, id); err != nil {
		return 0, err
	}
	return id, tx.auditLetter(ctx, actor, model.ActLetterRepeated, l, id, about)
}

// StopLetter keeps a letter that waits from leaving. Its link, if it has one,
// goes on working.
func (d *DB) StopLetter(ctx context.Context, actor model.Actor, id int64) error {
	return d.actBy(ctx, actor, func(tx *Tx) error {
		l, about, err := tx.letterAndAccounts(ctx, actor, id)
		if err != nil {
			return err
		}
		if err := actor.MayStop(l, about); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE letter SET state = ?, settled_at = ?, stopped_by = ? WHERE id = +?`,
			model.LetterWithdrawn, tx.Now.Unix(), actor.AccountID, l.ID); err != nil {
			return err
		}
		return tx.auditLetter(ctx, actor, model.ActLetterStopped, l, l.ID, about)
	})
}

// auditLetter writes the line of an act on a letter into the activity of
// everybody whom it is about.
func (tx *Tx) auditLetter(ctx context.Context, actor model.Actor, act model.Act, l model.Letter, id int64, accounts []model.Account) error {
	if len(accounts) == 0 {
		return tx.audit(ctx, actor, act, about{letter: id, note: string(l.Kind)})
	}
	for _, a := range accounts {
		if err := tx.audit(ctx, actor, act, about{member: a.MemberID, account: a.ID, letter: id, note: string(l.Kind)}); err != nil {
			return err
		}
	}
	return nil
}
