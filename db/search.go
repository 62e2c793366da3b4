package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/db/model"
)

// Members is one page of the list. The words of the query all have to match,
// each the beginning of a word of name, company, email, phone or member
// number.
func (d *DB) Members(ctx context.Context, actor model.Actor, q model.MemberQuery) (model.MemberPage, error) {
	var page model.MemberPage
	if err := actor.MayRead(); err != nil {
		return page, err
	}
	err := d.sight(ctx, func(s *sight) error {
		q = q.Known()
		found, err := s.find(ctx, q)
		if err != nil {
			return err
		}
		if found.total == 0 {
			page.Near, err = s.near(ctx, q)
			return err
		}
		page, err = s.page(ctx, q, found)
		return err
	})
	return page, err
}

// sight is the database as it stands at one moment, for questions that are
// asked one after another and must fit together: a place may be another
// member's a moment later. A question that began is finished (see pointReads
// for why); none begins once its request is over.
type sight struct {
	conn *sql.Conn
	db   *DB
}

func (d *DB) sight(ctx context.Context, look func(s *sight) error) error {
	conn, err := d.read.Conn(ctx)
	if err != nil {
		return err
	}
	whole := context.WithoutCancel(ctx)
	if _, err := conn.ExecContext(whole, `BEGIN`); err != nil {
		return errors.Join(err, conn.Close())
	}
	defer func() {
		_, _ = conn.ExecContext(whole, `ROLLBACK`) // nothing was written
		_ = conn.Close()
	}()
	return look(&sight{conn: conn, db: d})
}

func (s *sight) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.conn.QueryContext(begun(ctx), query, args...)
}

func (s *sight) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return s.conn.QueryRowContext(begun(ctx), query, args...)
}

// begun is a context for what is not stopped half-way.
func begun(ctx context.Context) context.Context {
	if ctx.Err() != nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// termSet is the members with a term of one beginning, as the index has them.
type termSet struct {
	prefix string
	blocks []blockSize // of a crowd
	places []int64     // ascending; if it is none
	total  int
}

type blockSize struct {
	no   int64
	size int
}

func (t termSet) crowd() bool { return t.blocks != nil }

// termSet asks for both at once, because only one of them is there. The sets
// come as text: to step through rows costs more than to read the numbers.
func (s *sight) termSet(ctx context.Context, prefix string) (termSet, error) {
	set := termSet{prefix: prefix}
	var blocks, places sql.NullString
	err := s.QueryRowContext(ctx, `
		SELECT c.blocks, CASE WHEN c.blocks IS NULL THEN
			(SELECT group_concat(place) FROM member_term WHERE term >= ?1 AND term < ?2) END
		FROM (SELECT (SELECT group_concat(block || ',' || members) FROM member_crowd WHERE prefix = ?1) AS blocks) c`,
		prefix, prefix+lastLetter).Scan(&blocks, &places)
	if err != nil {
		return set, err
	}
	if !blocks.Valid {
		set.places, err = numbers(places.String)
		slices.Sort(set.places)
		set.places = slices.Compact(set.places)
		set.total = len(set.places)
		return set, err
	}
	pairs, err := numbers(blocks.String)
	if err != nil {
		return set, err
	}
	for pair := range slices.Chunk(pairs, 2) {
		set.blocks = append(set.blocks, blockSize{pair[0], int(pair[1])})
		set.total += int(pair[1])
	}
	slices.SortFunc(set.blocks, func(a, b blockSize) int { return int(a.no - b.no) })
	return set, nil
}

// numbers reads what group_concat wrote.
func numbers(s string) ([]int64, error) {
	if s == "" {
		return nil, nil
	}
	all := make([]int64, 0, strings.Count(s, ",")+1)
	for s != "" {
		var one string
		one, s, _ = strings.Cut(s, ",")
		n, err := strconv.ParseInt(one, 10, 64)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// hits is the places of all who answer a query: all of them if they are few,
// else by blocks.
type hits struct {
	total int
	few   []int64 // ascending
	many  []hitBlock

	// prefix is the crowd in which blocks that were not needed yet are read.
	prefix string
}

type hitBlock struct {
	no   int64
	bits *block // nil: not read yet
}

// find gives all who answer a query.
func (s *sight) find(ctx context.Context, q model.MemberQuery) (hits, error) {
	var prefixes []string
	if strings.TrimSpace(q.Text) != "" {
		// Folded letters and digits; a text without any finds nobody.
		if prefixes = model.SearchWords(q.Text); len(prefixes) == 0 {
			return hits{}, nil
		}
	}
	if q.Status != "" {
		prefixes = append(prefixes, markStatus+string(q.Status))
	}
	switch q.Filter {
	case model.FilterNoAccount:
		prefixes = append(prefixes, markNoAccount)
	case model.FilterNeverSignedIn:
		prefixes = append(prefixes, markUnused)
	}
	var sets []termSet
	if query, ok := lookedAfter[q.Filter]; ok {
		places, err := s.places(ctx, query)
		if err != nil {
			return hits{}, err
		}
		sets = append(sets, termSet{places: places, total: len(places)})
	} else if q.Filter == model.FilterBlocked {
		places, err := s.blocked(ctx)
		if err != nil {
			return hits{}, err
		}
		sets = append(sets, termSet{places: places, total: len(places)})
	} else if len(prefixes) == 0 {
		prefixes = []string{markEverybody}
	}
	for _, p := range prefixes {
		set, err := s.termSet(ctx, p)
		if err != nil || set.total == 0 {
			return hits{}, err
		}
		sets = append(sets, set)
	}
	return s.intersect(ctx, sets)
}

// intersect begins with the smallest set, so what has to be read of the others
// is only what may still be needed.
func (s *sight) intersect(ctx context.Context, sets []termSet) (hits, error) {
	slices.SortStableFunc(sets, func(a, b termSet) int {
		if a.crowd() != b.crowd() {
			if b.crowd() {
				return -1
			}
			return 1
		}
		return a.total - b.total
	})
	first, rest := sets[0], sets[1:]
	if len(rest) > 0 && first.crowd() && first.total <= mostListed {
		// To look each up in the other sets is quicker than to lay sets on each
		// other that are mostly empty.
		if err := s.eachBlock(ctx, first.prefix, first.blocks[0].no, first.blocks[len(first.blocks)-1].no, func(no int64, b blockBytes) {
			first.places = b.appendPlaces(first.places, no)
		}); err != nil {
			return hits{}, err
		}
		first.blocks = nil
	}
	if !first.crowd() {
		few := first.places
		for _, set := range rest {
			var err error
			if few, err = s.both(ctx, few, set); err != nil || len(few) == 0 {
				return hits{}, err
			}
		}
		return hits{total: len(few), few: few}, nil
	}
	h := hits{total: first.total, prefix: first.prefix}
	for _, b := range first.blocks {
		h.many = append(h.many, hitBlock{no: b.no})
	}
	if len(rest) == 0 {
		return h, nil
	}
	if err := s.read(ctx, &h); err != nil {
		return hits{}, err
	}
	for _, set := range rest {
		if err := s.narrow(ctx, &h, set); err != nil || len(h.many) == 0 {
			return hits{}, err
		}
	}
	h.total = 0
	for _, b := range h.many {
		h.total += b.bits.size()
	}
	return h, nil
}

// both keeps of few places those that are in a set.
func (s *sight) both(ctx context.Context, few []int64, set termSet) ([]int64, error) {
	var kept []int64
	if !set.crowd() {
		for i, j := 0, 0; i < len(few) && j < len(set.places); {
			switch a, b := few[i], set.places[j]; {
			case a < b:
				i++
			case a > b:
				j++
			default:
				kept = append(kept, a)
				i, j = i+1, j+1
			}
		}
		return kept, nil
	}
	if len(few) == 0 {
		return nil, nil
	}
	err := s.eachBlock(ctx, set.prefix, few[0]>>blockBits, few[len(few)-1]>>blockBits, func(no int64, b blockBytes) {
		i, _ := slices.BinarySearch(few, no<<blockBits)
		for ; i < len(few) && few[i]>>blockBits == no; i++ {
			if b.has(few[i]) {
				kept = append(kept, few[i])
			}
		}
	})
	return kept, err
}

// read brings all blocks of a single crowd.
func (s *sight) read(ctx context.Context, h *hits) error {
	i := 0
	return s.eachBlock(ctx, h.prefix, h.many[0].no, h.many[len(h.many)-1].no, func(_ int64, b blockBytes) {
		h.many[i].bits = b.decode()
		i++
	})
}

// narrow keeps of hits those that are in another crowd too.
func (s *sight) narrow(ctx context.Context, h *hits, set termSet) error {
	var kept []hitBlock
	i := 0
	err := s.eachBlock(ctx, set.prefix, h.many[0].no, h.many[len(h.many)-1].no, func(no int64, b blockBytes) {
		for i < len(h.many) && h.many[i].no < no {
			i++
		}
		if i == len(h.many) || h.many[i].no != no {
			return
		}
		if bits := h.many[i].bits; bits.intersect(b) {
			kept = append(kept, hitBlock{no, bits})
		}
	})
	h.many = kept
	return err
}

// eachBlock visits a crowd's blocks in their order, as they are stored. The
// bytes are the visitor's until the next one.
func (s *sight) eachBlock(ctx context.Context, prefix string, from, to int64, visit func(no int64, b blockBytes)) error {
	rs, err := s.QueryContext(ctx, `
		SELECT block, places FROM member_crowd WHERE prefix = ? AND block BETWEEN ? AND ? ORDER BY block`, prefix, from, to)
	if err != nil {
		return err
	}
	defer rs.Close()
	for rs.Next() {
		var no int64
		var raw sql.RawBytes
		if err := rs.Scan(&no, &raw); err != nil {
			return err
		}
		visit(no, blockBytes(raw))
	}
	return rs.Err()
}

// has reports whether a place is among the hits.
func (s *sight) has(ctx context.Context, h *hits, place int64) (bool, error) {
	if h.many == nil {
		_, ok := slices.BinarySearch(h.few, place)
		return ok, nil
	}
	i, ok := slices.BinarySearchFunc(h.many, place>>blockBits, func(b hitBlock, no int64) int { return int(b.no - no) })
	if !ok {
		return false, nil
	}
	b, err := s.block(ctx, h, i)
	return err == nil && b.has(place), err
}

func (s *sight) block(ctx context.Context, h *hits, i int) (*block, error) {
	if h.many[i].bits == nil {
		b, err := readBlock(ctx, s, h.prefix, h.many[i].no)
		if err != nil {
			return nil, err
		}
		if b == nil {
			return nil, fmt.Errorf("the index of members lacks block %d of %q", h.many[i].no, h.prefix)
		}
		h.many[i].bits = b
	}
	return h.many[i].bits, nil
}

// inOrder gives the places of the first hits from a place on, downward those
// before it.
func (s *sight) inOrder(ctx context.Context, h *hits, from int64, down bool, limit int) (places []int64, err error) {
	if h.many == nil {
		i, ok := slices.BinarySearch(h.few, from)
		if !down {
			return h.few[i:min(i+limit, len(h.few))], nil
		}
		if ok {
			i++
		}
		places = slices.Clone(h.few[max(0, i-limit):i])
		slices.Reverse(places)
		return places, nil
	}
	for n := range h.many {
		if down {
			n = len(h.many) - 1 - n
		}
		no := h.many[n].no
		if !down && (no+1)<<blockBits <= from || down && no<<blockBits > from {
			continue
		}
		b, err := s.block(ctx, h, n)
		if err != nil {
			return nil, err
		}
		if down {
			places = b.appendPlacesDown(places, no, from, limit-len(places))
		} else {
			places = b.appendPlaces(places, no, from, limit-len(places))
		}
		if len(places) == limit {
			break
		}
	}
	return places, nil
}

// lookedAfter are the filters that few members pass as a rule: they are found
// by those few, through an index of their own. The places come from an index as well:
// the records are large, and their notes larger.
var lookedAfter = map[model.MemberFilter]string{
	model.FilterStaff: `
		SELECT m.place FROM account a JOIN member m INDEXED BY member_by_age ON m.id = a.member_id
		WHERE (a.role <> 'member' OR a.pending_role <> '') AND a.role <> 'member'`, // twice: so the index is used
	model.FilterUnfinished: `
		SELECT m.place FROM reset r JOIN account a ON a.id = r.account_id JOIN member m INDEXED BY member_by_age ON m.id = a.member_id
		WHERE r.ended_at IS NULL AND (a.last_sign_in_at IS NULL OR a.last_sign_in_at < r.asked_at)`, // else they remembered the old password
	model.FilterFailing: `
		SELECT m.place ` + failing + ` JOIN member m INDEXED BY member_by_age ON m.id = a.member_id ` + isFailing,
}

// failing and isFailing are the letters for which accounts are
// [model.Account.Failing]: there are few, so they are where to begin.
const (
	failing   = `FROM letter l JOIN letter_subject s ON s.letter_id = l.id JOIN account a ON a.id = s.account_id AND a.email_key = l.to_key`
	isFailing = `WHERE l.state IN ('failed', 'bounced') AND l.id = ` + newestFate
)

func (s *sight) places(ctx context.Context, query string, args ...any) ([]int64, error) {
	var text sql.NullString
	if err := s.QueryRowContext(ctx, `SELECT group_concat(place) FROM (`+query+`)`, args...).Scan(&text); err != nil {
		return nil, err
	}
	all, err := numbers(text.String)
	slices.Sort(all)
	return slices.Compact(all), err
}

// blocked are those who are disabled, and those who have to wait after wrong
// tries.
func (s *sight) blocked(ctx context.Context) ([]int64, error) {
	all, err := s.places(ctx, `
		SELECT m.place FROM account a JOIN member m INDEXED BY member_by_age ON m.id = a.member_id WHERE a.disabled_at IS NOT NULL`)
	if err != nil {
		return nil, err
	}
	waits, err := s.slowed(ctx)
	if err != nil {
		return nil, err
	}
	var slowed []int64 // members
	for _, w := range waits {
		slowed = append(slowed, w.account.MemberID)
	}
	places, err := s.places(ctx, `SELECT place FROM member WHERE id IN (SELECT value FROM json_each(?))`, list(slowed))
	if err != nil {
		return nil, err
	}
	all = append(all, places...)
	slices.Sort(all)
	return slices.Compact(all), nil
}

// slowedAccount has to wait before the next sign-in.
type slowedAccount struct {
	account model.Account
	wait    time.Duration
}

// slowed are those who have to wait after wrong tries. Failures are counted
// under a hash that tells nobody's name; whose they may be stands in the audit
// lines of the last minutes: who had one, and who was given the login under
// which somebody had one.
func (s *sight) slowed(ctx context.Context) (slowed []slowedAccount, err error) {
	now := s.db.Now()
	tried, err := rows(ctx, s, scanAccountRow, `SELECT `+accountColumns+accountTables+`
		WHERE a.id IN (SELECT account_id FROM audit WHERE act IN (?, ?, ?) AND at > ?)`,
		model.ActSignInFailed, model.ActAccountMade, model.ActEmailChanged, now.Add(-model.LongestDelay).Unix())
	if err != nil {
		return nil, err
	}
	for _, a := range tried {
		wait, err := s.db.slowedFor(ctx, s, a, now)
		if err != nil {
			return nil, err
		}
		if wait > 0 {
			slowed = append(slowed, slowedAccount{a, wait})
		}
	}
	return slowed, nil
}

// page cuts one page out of the hits.
func (s *sight) page(ctx context.Context, q model.MemberQuery, h hits) (model.MemberPage, error) {
	page := model.MemberPage{Total: h.total}
	from, up := parseCursor(q.After), false
	if from == nil {
		from = parseCursor(q.Before)
		up = from != nil
	}
	most := q.PerPage()
	found, err := s.rowsFrom(ctx, q, &h, from, up, most+1)
	if err != nil {
		return page, err
	}
	more := len(found) > most
	page.Rows = found[:min(len(found), most)]
	if up {
		slices.Reverse(page.Rows)
	}
	if len(page.Rows) == 0 {
		return page, nil
	}
	first, last := cursorOf(q.Sort, page.Rows[0]), cursorOf(q.Sort, page.Rows[len(page.Rows)-1])
	before, after := more && up, more && !up
	if from != nil {
		// Whoever stood on the page that this one was asked from may have left
		// the list since.
		beyond := &first
		if up {
			beyond = &last
		}
		rest, err := s.rowsFrom(ctx, q, &h, beyond, !up, 1)
		if err != nil {
			return page, err
		}
		if up {
			after = len(rest) > 0
		} else {
			before = len(rest) > 0
		}
	}
	if before {
		page.Prev = first.String()
	}
	if after {
		page.Next = last.String()
	}
	for i, r := range page.Rows {
		page.Rows[i].Slowed = q.Filter == model.FilterBlocked && !r.Disabled
	}
	return page, nil
}

// rowsFrom gives the hits after a cursor in the order of the list, or upward
// those before it, the nearest first.
func (s *sight) rowsFrom(ctx context.Context, q model.MemberQuery, h *hits, from *cursor, up bool, limit int) ([]model.MemberRow, error) {
	switch {
	case q.Sort == model.SortName:
		place, err := s.placeOf(ctx, from, up)
		if err != nil {
			return nil, err
		}
		places, err := s.inOrder(ctx, h, place, up, limit)
		if err != nil {
			return nil, err
		}
		found, err := s.rowsAt(ctx, places)
		if up {
			slices.Reverse(found)
		}
		return found, err
	case h.total <= mostSorted:
		few, err := s.inOrder(ctx, h, firstPlace, false, h.total)
		if err != nil {
			return nil, err
		}
		return s.sorted(ctx, q.Sort, few, from, up, limit)
	}
	places, err := s.walk(ctx, q, h, from, up, limit)
	if err != nil {
		return nil, err
	}
	return s.sorted(ctx, q.Sort, places, nil, up, limit)
}

// mostListed is how many places of a crowd are rather listed than laid on
// another crowd, 8 KB of bits for each block.
const mostListed = 32_000

// mostSorted is how many hits are rather sorted, 2 µs each, than looked for
// among all members: the fewer they are, the longer that takes.
const mostSorted = 2000

// firstPlace is before every place.
const firstPlace = math.MinInt64 >> 1

// placeOf is the place from which a page in the order of names goes on: the
// one beside the member whom the cursor names. Of somebody who is gone it is
// the beginning.
func (s *sight) placeOf(ctx context.Context, from *cursor, up bool) (place int64, err error) {
	if from == nil {
		return firstPlace, nil
	}
	err = s.QueryRowContext(ctx, `SELECT place FROM member INDEXED BY member_by_age WHERE id = ?`, from.id).Scan(&place)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return firstPlace, nil
	case up:
		return place - 1, err
	}
	return place + 1, err
}

const memberRowColumns = `m.id, m.member_no, m.first_name, m.last_name, m.company, m.email, m.phone, m.city, m.status,
	a.id IS NOT NULL, coalesce(a.role, ''), a.disabled_at IS NOT NULL, a.last_sign_in_at`

func scanMemberRow(rs *sql.Rows) (r model.MemberRow, err error) {
	return r, rs.Scan(&r.ID, &r.MemberNo, &r.FirstName, &r.LastName, &r.Company, &r.Email, &r.Phone, &r.City, &r.Status,
		&r.HasAccount, &r.AccountRole, &r.Disabled, unix{&r.LastSignInAt})
}

// memberRows is where memberRowColumns come from: indexes that hold them all.
const memberRows = ` FROM member m INDEXED BY member_row LEFT JOIN account a INDEXED BY account_row ON a.member_id = m.id `

// rowsAt gives the members at some places, in the order of names.
func (s *sight) rowsAt(ctx context.Context, places []int64) ([]model.MemberRow, error) {
	return rows(ctx, s, scanMemberRow, `SELECT `+memberRowColumns+memberRows+`
		WHERE m.place IN (SELECT value FROM json_each(?)) ORDER BY m.place`, list(places))
}

// sorted gives the first of few members in another order than that of names.
func (s *sight) sorted(ctx context.Context, sort model.MemberSort, few []int64, from *cursor, up bool, limit int) ([]model.MemberRow, error) {
	if from == nil {
		from = &lastCursor
		if up {
			from = &firstCursor
		}
	}
	before, order := `<`, `DESC`
	if up {
		before, order = `>`, `ASC`
	}
	past, by := `m.id %[1]s ?`, `m.id %[2]s`
	args := []any{list(few), from.id, limit}
	if sort == model.SortLastSignIn {
		past, by = `(coalesce(a.last_sign_in_at, 0), m.id) %[1]s (?, ?)`, `coalesce(a.last_sign_in_at, 0) %[2]s, m.id %[2]s`
		args = []any{list(few), from.at, from.id, limit}
	}
	return rows(ctx, s, scanMemberRow, fmt.Sprintf(`SELECT `+memberRowColumns+memberRows+`
		WHERE m.place IN (SELECT value FROM json_each(?)) AND `+past+` ORDER BY `+by+` LIMIT ?`, before, order), args...)
}

// list is numbers as SQLite's json_each takes them.
func list(all []int64) string {
	out := []byte{'['}
	for i, n := range all {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(out, n, 10)
	}
	return string(append(out, ']'))
}

// stretch is a part of the list in another order than that of names.
type stretch struct {
	signedIn bool   // its cursors have a time
	query    string // gives time, id and place
}

var (
	newest = stretch{query: `
		SELECT 0, m.id, m.place FROM member m INDEXED BY member_by_age
		WHERE m.id %[1]s ? ORDER BY m.id %[2]s LIMIT ?`}
	signedInLast = stretch{signedIn: true, query: `
		SELECT a.last_sign_in_at, a.member_id, m.place
		FROM account a INDEXED BY account_by_sign_in JOIN member m INDEXED BY member_by_age ON m.id = a.member_id
		WHERE a.last_sign_in_at IS NOT NULL AND (a.last_sign_in_at, a.member_id) %[1]s (?, ?)
		ORDER BY a.last_sign_in_at %[2]s, a.member_id %[2]s LIMIT ?`}
	neverSignedIn = stretch{query: `
		SELECT 0, m.id, m.place FROM member m INDEXED BY member_by_age LEFT JOIN account a ON a.member_id = m.id
		WHERE m.id %[1]s ? AND a.last_sign_in_at IS NULL ORDER BY m.id %[2]s LIMIT ?`}
)

// walk goes through the members in the order of the list until it has met
// enough of many hits. The more hits there are, the sooner it has.
func (s *sight) walk(ctx context.Context, q model.MemberQuery, h *hits, from *cursor, up bool, limit int) (places []int64, err error) {
	list := []stretch{newest}
	if q.Sort == model.SortLastSignIn {
		list = []stretch{signedInLast, neverSignedIn}
		if q.Filter == model.FilterNoAccount || q.Filter == model.FilterNeverSignedIn {
			list = list[1:] // nobody who ever signed in is among them
		}
	}
	before, order := `<`, `DESC`
	if up {
		before, order = `>`, `ASC`
		slices.Reverse(list)
	}
	for i, part := range list {
		at := lastCursor
		if up {
			at = firstCursor
		}
		if from != nil && part.signedIn == (from.at > 0) {
			at = *from
		} else if from != nil && i == 0 && len(list) > 1 {
			continue // the page before ended beyond this part
		}
		query := fmt.Sprintf(part.query, before, order)
		for most := 128; ; most = min(4*most, 8192) {
			args := []any{at.id, most}
			if part.signedIn {
				args = []any{at.at, at.id, most}
			}
			met := 0
			spots, err := rows(ctx, s, func(rs *sql.Rows) (place int64, err error) {
				met++
				return place, rs.Scan(&at.at, &at.id, &place)
			}, query, args...)
			if err != nil {
				return nil, err
			}
			for _, place := range spots {
				ok, err := s.has(ctx, h, place)
				if err != nil {
					return nil, err
				}
				if !ok {
					continue
				}
				if places = append(places, place); len(places) == limit {
					return places, nil
				}
			}
			if met < most {
				break
			}
		}
	}
	return places, nil
}

// cursor is a place in the order of the list, after or before which a page
// begins. It names nobody but by the id: addresses are written down by proxies.
type cursor struct {
	id int64
	at int64 // last sign-in, Unix seconds; 0 in other orders and without one
}

// The ends of the list: newest and latest come first.
var (
	lastCursor  = cursor{at: math.MaxInt64, id: math.MaxInt64}
	firstCursor = cursor{at: -1}
)

func cursorOf(sort model.MemberSort, r model.MemberRow) cursor {
	c := cursor{id: r.ID}
	if sort == model.SortLastSignIn && !r.LastSignInAt.IsZero() {
		c.at = r.LastSignInAt.Unix()
	}
	return c
}

func (c cursor) String() string {
	if c.at == 0 {
		return strconv.FormatInt(c.id, 10)
	}
	return strconv.FormatInt(c.id, 10) + "-" + strconv.FormatInt(c.at, 10)
}

// parseCursor gives nil for what is none.
func parseCursor(s string) *cursor {
	id, at, ok := strings.Cut(s, "-")
	if !ok {
		at = "0"
	}
	n, err := strconv.ParseInt(id, 10, 64)
	m, err2 := strconv.ParseInt(at, 10, 64)
	if err != nil || err2 != nil || n < 0 || m < 0 {
		return nil
	}
	return &cursor{id: n, at: m}
}
