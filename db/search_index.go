package db

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"maps"
	"math/bits"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"latchkey/db/model"
)

// The index of members. Every member has a place, a number in the order of
// names, and terms: the folded words under which they are found, and marks,
// which are what the list can be narrowed by. A query is then the intersection
// of sets of places. A place tells the order without any sorting, a set tells
// its size without any counting row by row.
//
// member_term has each term with each place. A beginning that many terms share
// ("m", "mar") is a crowd: its set stands ready in member_crowd, a row for
// every 65,536 places. Whatever begins with less than crowdSize terms is read
// from member_term as it is asked for. So every set is either small or ready.

// searchVersion changes when model.Fold, the terms or the marks change: the
// index of a database that was filled by another one is made anew.
const searchVersion = "1"

const searchVersionSetting = "search_version"

const (
	// crowdSize is the number of terms from which on a beginning is a crowd. To
	// read that many one by one takes a tenth of a millisecond; half of it would
	// make the index a third larger.
	crowdSize = 512

	// placeGap is the distance of places when all are given anew. Larger gaps
	// make room for more newcomers, and sets thinner.
	placeGap = 4

	// atOnce is the number of new members from which on it is quicker to make
	// the index anew than to add one after another.
	atOnce = 2000
)

// Marks of members. They begin with a sign that no word has, so nobody can
// type one.
const (
	markEverybody = "="
	markStatus    = "=status:"
	markNoAccount = "=no-account"
	markUnused    = "=never-signed-in"
	markSignedIn  = "=signed-in"
)

// terms is all that a member is found by.
func terms(m model.Member, account, signedIn bool) []string {
	state := markNoAccount
	switch {
	case signedIn:
		state = markSignedIn
	case account:
		state = markUnused
	}
	return append([]string{markEverybody, markStatus + string(m.Status), state}, strings.Fields(m.SearchText())...)
}

// beginnings are all texts that one of the terms begins with. Of a mark that
// is the mark alone.
func beginnings(terms []string) map[string]bool {
	all := map[string]bool{}
	for _, t := range terms {
		if strings.HasPrefix(t, markEverybody) {
			all[t] = true
			continue
		}
		for i := range t {
			if i > 0 {
				all[t[:i]] = true
			}
		}
		all[t] = true
	}
	return all
}

// lastLetter sorts after everything that a term can go on with.
const lastLetter = "\U0010FFFF"

// index brings a member's place and terms in line with the record and the
// account. Whatever changes one of them calls it in the same transaction.
func (tx *Tx) index(ctx context.Context, memberID int64) error {
	var m model.Member
	var account, signedIn bool
	var keyWas, had string
	var placed sql.NullInt64
	err := tx.QueryRowContext(ctx, `
		SELECT `+memberColumns+`, m.sort_key, m.search, m.place, a.id IS NOT NULL, a.last_sign_in_at IS NOT NULL
		FROM member m LEFT JOIN account a ON a.member_id = m.id WHERE m.id = ?`, memberID).
		Scan(append(memberTargets(&m), &keyWas, &had, &placed, &account, &signedIn)...)
	if err != nil {
		return err
	}
	was, now := strings.Fields(had), terms(m, account, signedIn)
	key, place := m.SortKey(), placed.Int64
	stays := placed.Valid && key == keyWas
	if placed.Valid && !stays {
		around, err := tx.neighbours(ctx, m.ID, key)
		if err != nil {
			return err
		}
		stays = around.room(place)
	}
	if !stays {
		// Off the old place first: others may be moved onto it.
		if placed.Valid {
			if err := tx.reterm(ctx, []change{{place: place, was: was}}); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `UPDATE member SET place = NULL WHERE id = ?`, m.ID); err != nil {
				return err
			}
		}
		was = nil
		if place, err = tx.placeFor(ctx, m.ID, key); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `UPDATE member SET sort_key = ?, search = ?, place = ? WHERE id = ?`,
		key, strings.Join(now, " "), place, m.ID); err != nil {
		return err
	}
	return tx.reterm(ctx, []change{{place: place, was: was, now: now}})
}

// indexThese is index for many.
func (tx *Tx) indexThese(ctx context.Context, ids []int64) error {
	if len(ids) >= atOnce {
		return tx.indexAll(ctx)
	}
	for _, id := range ids {
		if err := tx.index(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// neighbours are the places of those who come before and after a name.
type neighbours struct{ before, after sql.NullInt64 }

func (tx *Tx) neighbours(ctx context.Context, id int64, key string) (n neighbours, err error) {
	err = tx.QueryRowContext(ctx, `
		SELECT (SELECT place FROM member WHERE (sort_key, id) < (?1, ?2) AND place IS NOT NULL AND id <> ?2 ORDER BY sort_key DESC, id DESC LIMIT 1),
			(SELECT place FROM member WHERE (sort_key, id) > (?1, ?2) AND place IS NOT NULL AND id <> ?2 ORDER BY sort_key, id LIMIT 1)`,
		key, id).Scan(&n.before, &n.after)
	return n, err
}

// room reports whether a place lies between them.
func (n neighbours) room(place int64) bool {
	return (!n.before.Valid || n.before.Int64 < place) && (!n.after.Valid || place < n.after.Int64)
}

// placeFor is a free place for a member who has none, in the order of names.
func (tx *Tx) placeFor(ctx context.Context, id int64, key string) (int64, error) {
	for {
		n, err := tx.neighbours(ctx, id, key)
		if err != nil {
			return 0, err
		}
		switch before, after := n.before.Int64, n.after.Int64; {
		case !n.before.Valid && !n.after.Valid:
			return 0, nil
		case !n.before.Valid:
			return after - placeGap, nil
		case !n.after.Valid:
			return before + placeGap, nil
		case after-before > 1:
			// Not in the middle of a wide gap: a list of new names is mostly
			// typed and read in, in its order.
			return before + min((after-before)/2, 2*placeGap), nil
		}
		if err := tx.spread(ctx, n.before.Int64); err != nil {
			return 0, err
		}
	}
}

// spread makes room after a place. The members of the smallest window that is
// not too full move apart, and half of the free room of the window goes to the
// gap that was used up: whoever comes next comes to the same gap more often
// than not. So a newcomer there moves a few others on the average, elsewhere
// nobody (order maintenance; Bender et al., "Two simplified algorithms for
// maintaining order in a list", 2002).
func (tx *Tx) spread(ctx context.Context, after int64) error {
	type moved struct {
		id, place int64
		terms     string
	}
	for width := int64(128); ; width *= 4 {
		low := after &^ (width - 1)
		there, err := rows(ctx, tx, func(rs *sql.Rows) (m moved, err error) { return m, rs.Scan(&m.id, &m.place, &m.terms) },
			`SELECT id, place, search FROM member WHERE place >= ? AND place < ? ORDER BY place`, low, low+width)
		if err != nil {
			return err
		}
		n := int64(len(there))
		if n > width/2 {
			continue
		}
		hole := (width - n) / 2
		var changes []change
		var to []int64
		for i, m := range there {
			place := low + int64(i)*(width-hole)/n
			if m.place > after {
				place += hole
			}
			to = append(to, place)
			if place == m.place {
				continue
			}
			all := strings.Fields(m.terms)
			changes = append(changes, change{place: m.place, was: all}, change{place: place, now: all})
			if _, err := tx.ExecContext(ctx, `UPDATE member SET place = NULL WHERE id = ?`, m.id); err != nil {
				return err
			}
		}
		for i, m := range there {
			if _, err := tx.ExecContext(ctx, `UPDATE member SET place = ? WHERE id = ? AND place IS NULL`, to[i], m.id); err != nil {
				return err
			}
		}
		return tx.reterm(ctx, changes)
	}
}

// change is what becomes of the terms at one place.
type change struct {
	place    int64
	was, now []string
}

// reterm makes changes of terms. Those who leave a place do so before anybody
// comes to it.
func (tx *Tx) reterm(ctx context.Context, changes []change) error {
	leave, join := map[string][]int64{}, map[string][]int64{}
	for _, c := range changes {
		for _, t := range c.was {
			if slices.Contains(c.now, t) {
				continue
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM member_term WHERE term = ? AND place = ?`, t, c.place); err != nil {
				return err
			}
		}
		kept := beginnings(c.now)
		for prefix := range beginnings(c.was) {
			if !kept[prefix] {
				leave[prefix] = append(leave[prefix], c.place)
			}
		}
	}
	for _, c := range changes {
		var came []string
		for _, t := range c.now {
			if slices.Contains(c.was, t) {
				continue
			}
			came = append(came, t)
			if _, err := tx.ExecContext(ctx, `INSERT INTO member_term (term, place) VALUES (?, ?)`, t, c.place); err != nil {
				return err
			}
		}
		// Also those beginnings that the member had by another term: one more
		// term can make a crowd of them, and of a longer one with them.
		for prefix := range beginnings(came) {
			join[prefix] = append(join[prefix], c.place)
		}
	}
	if err := descend(leave, func(prefix string, places []int64) (bool, error) { return tx.leaveCrowd(ctx, prefix, places) }); err != nil {
		return err
	}
	return descend(join, func(prefix string, places []int64) (bool, error) { return tx.joinCrowd(ctx, prefix, places) })
}

// descend visits beginnings, the shorter ones first, as long as they are
// crowds. A crowd has all places of what goes on from it, and became one no
// later; so what goes on from a beginning that is none is none either.
func descend(all map[string][]int64, visit func(prefix string, places []int64) (crowd bool, err error)) error {
	none := map[string]bool{}
	for _, prefix := range slices.SortedFunc(maps.Keys(all), func(a, b string) int { return cmp.Compare(len(a), len(b)) }) {
		if none[shorter(prefix)] {
			none[prefix] = true
			continue
		}
		crowd, err := visit(prefix, all[prefix])
		if err != nil {
			return err
		}
		none[prefix] = !crowd
	}
	return nil
}

// shorter is a beginning without its last letter; a mark has nothing shorter.
func shorter(prefix string) string {
	if strings.HasPrefix(prefix, markEverybody) {
		return ""
	}
	_, size := utf8.DecodeLastRuneInString(prefix)
	return prefix[:len(prefix)-size]
}

func (tx *Tx) isCrowd(ctx context.Context, prefix string) (crowd bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM member_crowd WHERE prefix = ?)`, prefix).Scan(&crowd)
	return crowd, err
}

func (tx *Tx) leaveCrowd(ctx context.Context, prefix string, places []int64) (crowd bool, err error) {
	if crowd, err := tx.isCrowd(ctx, prefix); err != nil || !crowd {
		return false, err
	}
	return true, tx.editCrowd(ctx, prefix, places, (*block).remove)
}

func (tx *Tx) joinCrowd(ctx context.Context, prefix string, places []int64) (crowd bool, err error) {
	if crowd, err := tx.isCrowd(ctx, prefix); err != nil {
		return false, err
	} else if crowd {
		return true, tx.editCrowd(ctx, prefix, places, (*block).add)
	}
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM member_term WHERE term >= ? AND term < ? LIMIT ?)`,
		prefix, prefix+lastLetter, crowdSize).Scan(&n); err != nil || n < crowdSize {
		return false, err
	}
	all, err := rows(ctx, tx, func(rs *sql.Rows) (p int64, err error) { return p, rs.Scan(&p) },
		`SELECT place FROM member_term WHERE term >= ? AND term < ?`, prefix, prefix+lastLetter)
	if err != nil {
		return false, err
	}
	return true, tx.writeCrowd(ctx, prefix, all)
}

// editCrowd adds places to a crowd or removes them, each block once.
func (tx *Tx) editCrowd(ctx context.Context, prefix string, places []int64, edit func(*block, int64)) error {
	slices.Sort(places)
	for len(places) > 0 {
		no := places[0] >> blockBits
		end := 1
		for end < len(places) && places[end]>>blockBits == no {
			end++
		}
		b, err := readBlock(ctx, tx, prefix, no)
		if err != nil {
			return err
		}
		if b == nil {
			b = new(block)
		}
		was := *b
		for _, p := range places[:end] {
			edit(b, p)
		}
		if *b != was {
			if err := tx.writeBlock(ctx, prefix, no, b); err != nil {
				return err
			}
		}
		places = places[end:]
	}
	return nil
}

func (tx *Tx) writeCrowd(ctx context.Context, prefix string, places []int64) error {
	blocks := map[int64]*block{}
	for _, p := range places {
		b := blocks[p>>blockBits]
		if b == nil {
			b = new(block)
			blocks[p>>blockBits] = b
		}
		b.add(p)
	}
	for _, no := range slices.Sorted(maps.Keys(blocks)) {
		if err := tx.writeBlock(ctx, prefix, no, blocks[no]); err != nil {
			return err
		}
	}
	return nil
}

// IndexMembers makes the index of all members anew, from their records and
// accounts.
func (d *DB) IndexMembers(ctx context.Context) error {
	return d.act(ctx, func(tx *Tx) error { return tx.indexAll(ctx) })
}

// checkIndex makes the index anew where another version of it was written.
func (d *DB) checkIndex(ctx context.Context) error {
	var version string
	err := d.read.QueryRowContext(ctx, `SELECT value FROM setting WHERE name = ?`, searchVersionSetting).Scan(&version)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if version == searchVersion {
		return nil
	}
	return d.IndexMembers(ctx)
}

// indexAll works through everybody in the order in which SQLite is quickest:
// what is sorted is written as a whole, and SQLite's own indexes of the columns
// are made again at the end.
func (tx *Tx) indexAll(ctx context.Context) error {
	indexes, err := rows(ctx, tx, func(rs *sql.Rows) (x [2]string, err error) { return x, rs.Scan(&x[0], &x[1]) },
		`SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND name IN ('member_by_name', 'member_by_place', 'member_by_age', 'member_row')`)
	if err != nil {
		return err
	}
	for _, x := range indexes {
		if _, err := tx.ExecContext(ctx, `DROP INDEX `+x[0]); err != nil {
			return err
		}
	}
	if err := tx.rename(ctx); err != nil {
		return err
	}
	for _, query := range []string{
		`UPDATE member SET place = o.n * ` + strconv.Itoa(placeGap) + `
			FROM (SELECT id, row_number() OVER (ORDER BY sort_key, id) AS n FROM member) o WHERE o.id = member.id`,
		`DELETE FROM member_crowd`,
		`DELETE FROM member_term`,
		// Terms have letters, digits and the signs of marks only, nothing that
		// means something in JSON.
		`INSERT INTO member_term (term, place)
			SELECT t.value, m.place FROM member m, json_each('["' || replace(m.search, ' ', '","') || '"]') t ORDER BY 1, 2`,
	} {
		if _, err := tx.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	for _, x := range indexes {
		if _, err := tx.ExecContext(ctx, x[1]); err != nil {
			return err
		}
	}
	if err := tx.gatherCrowds(ctx); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, searchVersionSetting, searchVersion)
	return err
}

// rename writes the folded texts of all members anew.
func (tx *Tx) rename(ctx context.Context) error {
	type folded struct {
		id          int64
		key, search string
	}
	for last := int64(0); ; {
		some, err := rows(ctx, tx, func(rs *sql.Rows) (f folded, err error) {
			var m model.Member
			var account, signedIn bool
			if err := rs.Scan(append(memberTargets(&m), &account, &signedIn)...); err != nil {
				return f, err
			}
			return folded{m.ID, m.SortKey(), strings.Join(terms(m, account, signedIn), " ")}, nil
		}, `SELECT `+memberColumns+`, a.id IS NOT NULL, a.last_sign_in_at IS NOT NULL
			FROM member m LEFT JOIN account a ON a.member_id = m.id WHERE m.id > ? ORDER BY m.id LIMIT 2000`, last)
		if err := errors.Join(err, ctx.Err()); err != nil || len(some) == 0 {
			return err
		}
		for _, f := range some {
			if _, err := tx.ExecContext(ctx, `UPDATE member SET sort_key = ?, search = ? WHERE id = ?`, f.key, f.search, f.id); err != nil {
				return err
			}
		}
		last = some[len(some)-1].id
	}
}

// gatherCrowds reads all terms in their order, and so every beginning with all
// that goes on from it in one piece.
func (tx *Tx) gatherCrowds(ctx context.Context) error {
	type gathering struct {
		prefix string
		places []int64
	}
	var open []gathering // each goes on from the one before
	shut := func(to int) error {
		for _, g := range open[to:] {
			if len(g.places) < crowdSize {
				continue
			}
			if err := tx.writeCrowd(ctx, g.prefix, g.places); err != nil {
				return err
			}
		}
		for i := range open[to:] {
			open[to+i].places = open[to+i].places[:0]
		}
		open = open[:to]
		return nil
	}
	rs, err := tx.QueryContext(ctx, `SELECT term, place FROM member_term ORDER BY term, place`)
	if err != nil {
		return err
	}
	defer rs.Close()
	var last string
	for rs.Next() {
		var term string
		var place int64
		if err := rs.Scan(&term, &place); err != nil {
			return err
		}
		if term != last {
			all := slices.SortedFunc(maps.Keys(beginnings([]string{term})), func(a, b string) int { return cmp.Compare(len(a), len(b)) })
			same := 0
			for same < min(len(all), len(open)) && all[same] == open[same].prefix {
				same++
			}
			if err := errors.Join(shut(same), ctx.Err()); err != nil {
				return err
			}
			for _, prefix := range all[same:] {
				if len(open) < cap(open) {
					open = open[:len(open)+1]
					open[len(open)-1].prefix = prefix
				} else {
					open = append(open, gathering{prefix: prefix})
				}
			}
			last = term
		}
		for i := range open {
			open[i].places = append(open[i].places, place)
		}
	}
	if err := rs.Err(); err != nil {
		return err
	}
	return shut(0)
}

// blockBits: a block has 65,536 places, so that a place in it takes two bytes
// and a block that is full eight kilobytes (the containers of Roaring bitmaps,
// Lemire et al. 2016).
const blockBits = 16

// block is a set of places that lie in one block.
type block [1 << blockBits / 64]uint64

func (b *block) add(place int64)    { b[place>>6&(1<<10-1)] |= 1 << (place & 63) }
func (b *block) remove(place int64) { b[place>>6&(1<<10-1)] &^= 1 << (place & 63) }

func (b *block) has(place int64) bool { return b[place>>6&(1<<10-1)]>>(place&63)&1 == 1 }

func (b *block) size() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// appendPlaces appends the set's places, ascending, that are not below from;
// at most limit of them.
func (b *block) appendPlaces(to []int64, no, from int64, limit int) []int64 {
	first := max(0, from-no<<blockBits)
	for i := first >> 6; i < int64(len(b)) && limit > 0; i++ {
		w := b[i]
		if i == first>>6 {
			w &= ^uint64(0) << (first & 63)
		}
		for ; w != 0 && limit > 0; w &= w - 1 {
			to = append(to, no<<blockBits+i<<6+int64(bits.TrailingZeros64(w)))
			limit--
		}
	}
	return to
}

// appendPlacesDown is appendPlaces descending, of places that are not above.
func (b *block) appendPlacesDown(to []int64, no, from int64, limit int) []int64 {
	first := min(1<<blockBits-1, from-no<<blockBits)
	for i := first >> 6; i >= 0 && limit > 0; i-- {
		w := b[i]
		if i == first>>6 {
			w &= ^uint64(0) >> (63 - first&63)
		}
		for ; w != 0 && limit > 0; limit-- {
			top := int64(63 - bits.LeadingZeros64(w))
			to = append(to, no<<blockBits+i<<6+top)
			w &^= 1 << top
		}
	}
	return to
}

// manyPlaces is where one bit each becomes smaller than two bytes each.
const manyPlaces = 1 << blockBits / 16

func (b *block) encode(size int) []byte {
	if size >= manyPlaces {
		out := make([]byte, 0, 1<<blockBits/8)
		for _, w := range b {
			out = binary.LittleEndian.AppendUint64(out, w)
		}
		return out
	}
	out := make([]byte, 0, 2*size)
	for i, w := range b {
		for ; w != 0; w &= w - 1 {
			out = binary.LittleEndian.AppendUint16(out, uint16(i<<6+bits.TrailingZeros64(w)))
		}
	}
	return out
}

// blockBytes is a block as encode wrote it.
type blockBytes []byte

// asBits reports whether it has a bit for each place.
func (raw blockBytes) asBits() bool { return len(raw) == 1<<blockBits/8 }

func (raw blockBytes) decode() *block {
	b := new(block)
	if raw.asBits() {
		for i := range b {
			b[i] = binary.LittleEndian.Uint64(raw[8*i:])
		}
		return b
	}
	for ; len(raw) >= 2; raw = raw[2:] {
		b.add(int64(binary.LittleEndian.Uint16(raw)))
	}
	return b
}

func (raw blockBytes) has(place int64) bool {
	if raw.asBits() {
		return raw[place>>3&(1<<13-1)]>>(place&7)&1 == 1
	}
	want := int(place & (1<<blockBits - 1))
	at := func(i int) int { return int(binary.LittleEndian.Uint16(raw[2*i:])) }
	i := sort.Search(len(raw)/2, func(i int) bool { return at(i) >= want })
	return i < len(raw)/2 && at(i) == want
}

func (raw blockBytes) appendPlaces(to []int64, no int64) []int64 {
	if raw.asBits() {
		return raw.decode().appendPlaces(to, no, no<<blockBits, 1<<blockBits)
	}
	for ; len(raw) >= 2; raw = raw[2:] {
		to = append(to, no<<blockBits+int64(binary.LittleEndian.Uint16(raw)))
	}
	return to
}

// intersect keeps what is in a stored set too, and reports whether that is
// anything.
func (b *block) intersect(raw blockBytes) bool {
	var any uint64
	if raw.asBits() {
		for i := range b {
			b[i] &= binary.LittleEndian.Uint64(raw[8*i:])
			any |= b[i]
		}
		return any != 0
	}
	other := raw.decode()
	for i := range b {
		b[i] &= other[i]
		any |= b[i]
	}
	return any != 0
}

// readBlock is a block of a crowd, nil if none of it lies there.
func readBlock(ctx context.Context, q querier, prefix string, no int64) (*block, error) {
	var raw sql.RawBytes
	rs, err := q.QueryContext(ctx, `SELECT places FROM member_crowd WHERE prefix = ? AND block = ?`, prefix, no)
	if err != nil {
		return nil, err
	}
	defer rs.Close()
	if !rs.Next() {
		return nil, rs.Err()
	}
	if err := rs.Scan(&raw); err != nil {
		return nil, err
	}
	return blockBytes(raw).decode(), nil
}

func (tx *Tx) writeBlock(ctx context.Context, prefix string, no int64, b *block) error {
	size := b.size()
	if size == 0 {
		_, err := tx.ExecContext(ctx, `DELETE FROM member_crowd WHERE prefix = ? AND block = ?`, prefix, no)
		return err
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO member_crowd (prefix, block, members, places) VALUES (?, ?, ?, ?)
		ON CONFLICT (prefix, block) DO UPDATE SET members = excluded.members, places = excluded.places`, prefix, no, size, b.encode(size))
	return err
}
