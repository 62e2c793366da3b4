package handlers

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// The benchmarks of this file ask one portal, full of invented members, over
// real connections and as somebody who is signed in. Beside each page is its
// ceiling, asked by the same clients in alternating rounds: the least that a
// page from a database can cost. They report and never fail for being slow.

// report is printed by TestMain.
var report dbtest.Report

// filled is the portal of all benchmarks, made by the first of them.
var filled *full

func TestMain(m *testing.M) {
	code := m.Run()
	report.Print(os.Stdout)
	if filled != nil {
		filled.close()
	}
	os.Exit(code)
}

// full is a portal full of members that serves on loopback.
type full struct {
	folder      string
	first, last int64 // ids
	db          *db.DB
	raw         *sql.DB // beside the portal
	server      *http.Server
	addr        string
	cookie      string // of the owner, who is signed in
}

func portalFull(b *testing.B) *full {
	b.Helper()
	if filled != nil {
		if filled.cookie == "" {
			b.Fatal("the portal of the benchmark before could not be filled or does not serve")
		}
		return filled
	}
	folder, err := os.MkdirTemp("", "latchkey-bench")
	if err != nil {
		b.Fatal(err)
	}
	f := &full{folder: folder}
	filled = f // closed by TestMain, whatever becomes of it
	report.Members = dbtest.Members(b)
	f.first, f.last = dbtest.Fill(b, folder, report.Members)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	f.addr = l.Addr().String()
	ctx := context.Background() // a benchmark's own would end with the first of them
	if f.db, err = db.Open(ctx, folder, db.Fixed{BaseURL: "http://" + f.addr, Mail: &dbtest.Mail}); err != nil {
		b.Fatal(err)
	}
	if f.raw, err = sql.Open("sqlite3", dbtest.RawDSN(folder, "")); err != nil {
		b.Fatal(err)
	}
	// As serve logs, save that nobody reads it.
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	h, err := New(Config{DB: f.db, Log: log, Static: os.DirFS("../static"),
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		b.Fatal(err)
	}
	f.server = NewServer(h, log)
	go func() { _ = f.server.Serve(l) }()
	f.cookie = f.signIn(b, dbtest.OwnerEmail, dbtest.OwnerPassword)
	return f
}

func (f *full) close() {
	if f.server != nil {
		_ = f.server.Close()
	}
	if f.raw != nil {
		_ = f.raw.Close()
	}
	if f.db != nil {
		_ = f.db.Close()
	}
	_ = os.RemoveAll(f.folder)
}

// signIn goes through the form and gives the session's cookie.
func (f *full) signIn(b *testing.B, login, password string) string {
	b.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.PostForm("http://"+f.addr+"/sign-in", url.Values{"login": {login}, "password": {password}})
	if err != nil {
		b.Fatal(err)
	}
	_ = answer.Body.Close()
	for _, c := range answer.Cookies() {
		if c.Name == "latchkey" {
			return c.Name + "=" + c.Value
		}
	}
	b.Fatalf("%s cannot sign in: %s", login, answer.Status)
	return ""
}

// anyone draws a member.
func (f *full) anyone(dice *rand.Rand) int64 { return f.first + dice.Int64N(f.last-f.first+1) }

// ids are those that a query finds, shuffled.
func (f *full) ids(b *testing.B, query string, args ...any) []int64 {
	b.Helper()
	rs, err := f.raw.Query(query, args...)
	if err != nil {
		b.Fatal(err)
	}
	defer rs.Close()
	var all []int64
	for rs.Next() {
		var id int64
		if err := rs.Scan(&id); err != nil {
			b.Fatal(err)
		}
		all = append(all, id)
	}
	if err := rs.Err(); err != nil || len(all) == 0 {
		b.Fatalf("nobody is found by %s: %v", query, err)
	}
	dice().Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// dice always fall the same way.
func dice() *rand.Rand { return rand.New(rand.NewPCG(dbtest.Seed, 2)) }

// A writer appends the next request to what it is given.
type writer func(dice *rand.Rand, to []byte) []byte

// An examiner says what is wrong with an answer.
type examiner func(status int, body []byte) error

// visitors ask a server again and again, each over one connection that is
// kept, each for the next page once it has the last. They know just enough of
// HTTP, because what they do is counted against both sides.
type visitors struct {
	all     []*visitor
	next    writer
	examine examiner
}

type visitor struct {
	addr      string
	conn      net.Conn
	in        *bufio.Reader
	dice      *rand.Rand
	out, body []byte
	each      []time.Duration
}

// several is how many people ask at once: enough to keep every core busy while
// an answer is on its way.
var several = 2 * runtime.GOMAXPROCS(0)

func newVisitors(b *testing.B, n int, addr string, next writer, examine examiner) *visitors {
	b.Helper()
	v := &visitors{next: next, examine: examine}
	for i := range n {
		one := &visitor{addr: addr, dice: rand.New(rand.NewPCG(dbtest.Seed, uint64(i)))}
		b.Cleanup(func() {
			if one.conn != nil {
				_ = one.conn.Close()
			}
		})
		v.all = append(v.all, one)
	}
	return v
}

// ask has one visitor ask once, and gives how long it took to the last byte.
func (v *visitor) ask(next writer, examine examiner) (time.Duration, error) {
	if v.conn == nil { // not before the first request: a server soon hangs up on those who say nothing
		conn, err := net.Dial("tcp", v.addr)
		if err != nil {
			return 0, err
		}
		v.conn, v.in = conn, bufio.NewReaderSize(conn, 64<<10)
	}
	v.out = next(v.dice, v.out[:0])
	began := time.Now()
	if _, err := v.conn.Write(v.out); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(v.in, nil)
	if err != nil {
		return 0, err
	}
	v.body = v.body[:0]
	for err == nil {
		v.body = slices.Grow(v.body, 4096)
		var n int
		n, err = answer.Body.Read(v.body[len(v.body):cap(v.body)])
		v.body = v.body[:len(v.body)+n]
	}
	took := time.Since(began)
	if !errors.Is(err, io.EOF) {
		return 0, err
	}
	return took, examine(answer.StatusCode, v.body)
}

// until has all of them ask until ctx is done.
func (v *visitors) until(ctx context.Context) (dbtest.Lap, error) {
	var together sync.WaitGroup
	errs := make([]error, len(v.all))
	began := time.Now()
	for i, one := range v.all {
		one.each = one.each[:0]
		together.Go(func() {
			for ctx.Err() == nil {
				took, err := one.ask(v.next, v.examine)
				if err != nil {
					errs[i] = err
					return
				}
				one.each = append(one.each, took)
			}
		})
	}
	together.Wait()
	lap := dbtest.Lap{Took: time.Since(began)}
	for _, one := range v.all {
		lap.Each = append(lap.Each, one.each...)
	}
	return lap, errors.Join(errs...)
}

// turn is how long each side has in each round.
const turn = time.Second

// lap is a side of a comparison.
func (v *visitors) lap(b *testing.B, long time.Duration) func() dbtest.Lap {
	return func() dbtest.Lap {
		b.Helper()
		ctx, stop := context.WithTimeout(context.Background(), long)
		defer stop()
		lap, err := v.until(ctx)
		if err != nil {
			b.Fatal(err)
		}
		return lap
	}
}

// pageSize is the median size of the pages they ask for.
func (v *visitors) pageSize(b *testing.B) int {
	b.Helper()
	var sizes []int
	for range 200 {
		if _, err := v.all[0].ask(v.next, v.examine); err != nil {
			b.Fatal(err)
		}
		sizes = append(sizes, len(v.all[0].body))
	}
	return dbtest.Median(sizes)
}

// head is what follows the path in a request of the owner's browser.
func (f *full) head(more ...string) string {
	return " HTTP/1.1\r\n" + strings.Join(append([]string{
		"Host: " + f.addr,
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Accept: text/html",
		"Accept-Language: en",
		"Accept-Encoding: gzip, deflate",
		"Sec-Fetch-Site: same-origin",
		"Cookie: " + f.cookie,
	}, more...), "\r\n") + "\r\n\r\n"
}

// asHtmx is what htmx adds, on the page of this path.
func (f *full) asHtmx(path string) []string {
	return []string{"Hx-Request: true", "Hx-Request-Type: partial", "Hx-Current-Url: http://" + f.addr + path}
}

// tab asks for a tab of any member's record.
func (f *full) tab(name string) writer { return f.tabOf(f.anyone, name) }

func (f *full) tabOf(who func(*rand.Rand) int64, name string) writer {
	head := name + f.head()
	return func(dice *rand.Rand, to []byte) []byte {
		to = strconv.AppendInt(append(to, "GET /admin/members/"...), who(dice), 10)
		return append(to, head...)
	}
}

// among draws one of some.
func among[T any](some []T) func(*rand.Rand) T {
	return func(dice *rand.Rand) T { return some[dice.IntN(len(some))] }
}

// pages asks for any of these paths.
func (f *full) pages(paths []string, more ...string) writer {
	head, path := f.head(more...), among(paths)
	return func(dice *rand.Rand, to []byte) []byte {
		return append(append(append(to, "GET "...), path(dice)...), head...)
	}
}

// holds wants a page with this in it.
func holds(words string) examiner {
	return func(status int, body []byte) error {
		if status != http.StatusOK {
			return fmt.Errorf("answered with %d", status)
		}
		if !bytes.Contains(body, []byte(words)) {
			return fmt.Errorf("there is no %s in %.300s", words, body)
		}
		return nil
	}
}

const (
	aTab  = `aria-current="page"`
	aHit  = `<td class="who">`
	aLink = `data-reset-link="`
)

// likePortal opens the database as the portal does for reading, save that
// nothing of the portal is in between.
func (f *full) likePortal(b *testing.B) *sql.DB {
	b.Helper()
	raw, err := sql.Open("sqlite3", dbtest.RawDSN(f.folder, "_journal_mode=WAL&_foreign_keys=1&_synchronous=FULL&_stmt_cache_size=64&_query_only=1"))
	if err != nil {
		b.Fatal(err)
	}
	raw.SetMaxOpenConns(8)
	raw.SetMaxIdleConns(8)
	b.Cleanup(func() { _ = raw.Close() })
	return raw
}

// prepare is for statements of a benchmark's own.
func prepare(b *testing.B, raw *sql.DB, query string) *sql.Stmt {
	b.Helper()
	s, err := raw.Prepare(query)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// bare serves what look has looked up as a page of this size, to visitors who
// each ask for the record of anybody.
func (f *full) bare(b *testing.B, size int, look func(id int64) error) *visitors {
	b.Helper()
	page := bytes.Repeat([]byte("x"), size)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.ParseInt(strings.TrimPrefix(r.URL.Path, "/admin/members/"), 10, 64)
		if err == nil {
			err = look(id)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(len(page)))
		_, _ = w.Write(page)
	})}
	go func() { _ = s.Serve(l) }()
	b.Cleanup(func() { _ = s.Close() })
	return newVisitors(b, several, l.Addr().String(), f.tab(""), holds("x"))
}

// ceiling is the least that a page of a record can cost: one prepared select
// by primary key through the same driver, and that many bytes.
func (f *full) ceiling(b *testing.B, size int) *visitors {
	b.Helper()
	one := prepare(b, f.likePortal(b), `SELECT first_name FROM member WHERE id = ?`)
	return f.bare(b, size, func(id int64) error {
		var name string
		return one.QueryRow(id).Scan(&name)
	})
}

// against measures pages beside their ceiling.
func (f *full) against(b *testing.B, table *dbtest.Table, what string, pages *visitors, goals dbtest.Goals) {
	b.Helper()
	ceiling := f.ceiling(b, pages.pageSize(b))
	compare(b, table, what, goals, pages.lap(b, turn), ceiling.lap(b, turn))
}

// compare lets two sides alternate and notes the outcome.
func compare(b *testing.B, table *dbtest.Table, what string, goals dbtest.Goals, ours, theirs func() dbtest.Lap) {
	b.Helper()
	found := dbtest.Alternate(ours, theirs)
	note(b, table, dbtest.Versus{What: what, Ours: found[0], Theirs: found[1], Goals: goals})
}

// note puts a comparison into a table and among the benchmark's metrics.
func note(b *testing.B, table *dbtest.Table, v dbtest.Versus) {
	b.Helper()
	table.AddVersus(v)
	rate, p50, p99 := v.Ratios()
	name := strings.ReplaceAll(strings.ReplaceAll(v.What, ",", ""), " ", "-")
	if v.Goals.Rate > 0 {
		b.ReportMetric(rate, name+":ratio")
	}
	if v.Goals.P50 > 0 || v.Goals.Within > 0 {
		b.ReportMetric(p50, name+":p50-ratio")
	}
	if v.Goals.P99 > 0 {
		b.ReportMetric(p99, name+":p99-ratio")
	}
	b.ReportMetric(0, "ns/op") // of a whole comparison, so it says nothing
}

// A record's tabs, each time another member's. Links that stand on a Settings
// tab were shown to this owner before: the first showing writes a line to the
// disk by design (product.md §2.8), and is timed by itself.
func BenchmarkRecord(b *testing.B) {
	f := portalFull(b)
	goals := dbtest.Goals{Rate: 0.60, P99: 2}
	for b.Loop() {
		table := report.Table("A record's pages, and the ceiling: one select by primary key and as many bytes.", dbtest.VersusColumns("portal", "ceiling")...)
		live := f.showLinks(b, table)
		f.against(b, table, "Details tab", newVisitors(b, several, f.addr, f.tab(""), holds(aTab)), goals)
		f.against(b, table, "Settings tab", newVisitors(b, several, f.addr, f.tab("/settings"), holds(aTab)), goals)
		f.against(b, table, "Settings tab with a live link", newVisitors(b, several, f.addr, f.tabOf(among(live), "/settings"), holds(aLink)), goals)
	}
}

// showLinks shows some live links to the owner by their page, writes the lines
// of all others past it, and gives whose they are.
func (f *full) showLinks(b *testing.B, table *dbtest.Table) []int64 {
	b.Helper()
	const live = ` FROM reset r JOIN account a ON a.id = r.account_id
		WHERE r.ended_at IS NULL AND r.mailed_only = 0 AND r.resend_until > ? AND a.role = 'member' AND a.disabled_at IS NULL`
	afterwards := f.db.Now().Add(time.Hour).Unix() // they stay on screen until all is measured
	ids := f.ids(b, `SELECT a.member_id`+live, afterwards)
	one := newVisitors(b, 1, f.addr, nil, nil).all[0]
	var first dbtest.Lap
	for _, id := range ids[:min(len(ids), 300)] {
		took, err := one.ask(f.tabOf(among([]int64{id}), "/settings"), holds(aLink))
		if err != nil {
			b.Fatal(err)
		}
		first.Each, first.Took = append(first.Each, took), first.Took+took
	}
	table.AddVersus(dbtest.Versus{What: "first showing of a link, one client", Ours: first.Figures()})
	if _, err := f.raw.Exec(`
		INSERT INTO reset_shown (reset_id, account_id, name, shown_at)
		SELECT r.id, (SELECT min(id) FROM account WHERE role = 'owner'), 'Ruth Adler', r.made_at`+live+` ON CONFLICT DO NOTHING`, afterwards); err != nil {
		b.Fatal(err)
	}
	return ids
}

// The list of members with its exact total beside a handler that runs the same
// two queries, and its last page beside its first.
func BenchmarkMembers(b *testing.B) {
	f := portalFull(b)
	for b.Loop() {
		table := report.Table("The list of members, and a bare handler with the same two queries.", dbtest.VersusColumns("portal", "bare handler")...)
		first := newVisitors(b, several, f.addr, f.pages([]string{"/admin/members"}), holds(aHit))
		compare(b, table, "list of 50 with its total", dbtest.Goals{Rate: 0.5}, first.lap(b, turn), f.bareList(b, first.pageSize(b)).lap(b, turn))

		table = report.Table("The last page of the list, and the first.", dbtest.VersusColumns("last page", "first page")...)
		f.lastAgainstFirst(b, table, "list of 50", "")
		f.lastAgainstFirst(b, table, "search of 25", f.broad(b))
	}
}

// bareList runs the two queries of the list and nothing else.
func (f *full) bareList(b *testing.B, size int) *visitors {
	b.Helper()
	raw := f.likePortal(b)
	count := prepare(b, raw, `SELECT count(*) FROM member`)
	rows := prepare(b, raw, `
		SELECT m.id, m.member_no, m.first_name, m.last_name, m.company, m.email, m.phone, m.city, m.status,
			a.id IS NOT NULL, coalesce(a.role, ''), a.disabled_at IS NOT NULL, a.last_sign_in_at
		FROM member m LEFT JOIN account a ON a.member_id = m.id ORDER BY m.sort_key, m.id LIMIT 50`)
	return f.bare(b, size, func(int64) error {
		var total int
		if err := count.QueryRow().Scan(&total); err != nil {
			return err
		}
		rs, err := rows.Query()
		if err != nil {
			return err
		}
		defer rs.Close()
		var found []model.MemberRow
		for rs.Next() {
			var r model.MemberRow
			var at sql.NullInt64
			if err := rs.Scan(&r.ID, &r.MemberNo, &r.FirstName, &r.LastName, &r.Company, &r.Email, &r.Phone, &r.City, &r.Status,
				&r.HasAccount, &r.AccountRole, &r.Disabled, &at); err != nil {
				return err
			}
			found = append(found, r)
		}
		if len(found) < 50 {
			return errors.Join(fmt.Errorf("%d of %d members on a page", len(found), total), rs.Err())
		}
		return rs.Err()
	})
}

// lastAgainstFirst walks to the last full page of what a text finds, as
// somebody who presses Next does, and measures there.
func (f *full) lastAgainstFirst(b *testing.B, table *dbtest.Table, what, text string) {
	b.Helper()
	q := model.MemberQuery{Text: text}
	var cursor string
	pages, total := 0, 0
	for {
		page, err := f.db.Members(context.Background(), model.ShellActor(), q)
		if err != nil {
			b.Fatal(err)
		}
		total = page.Total
		if len(page.Rows) == q.PerPage() { // fewer rows are a smaller page
			cursor = q.After
			pages++
		}
		if page.Next == "" {
			break
		}
		q.After = page.Next
	}
	first := "/admin/members?q=" + url.QueryEscape(text)
	last := first + "&after=" + url.QueryEscape(cursor)
	if text != "" {
		what += " for “" + text + "”"
	}
	what = fmt.Sprintf("%s, %s hits, page %s", what, dbtest.Grouped(total), dbtest.Grouped(pages))
	at := func(path string) func() dbtest.Lap {
		return newVisitors(b, several, f.addr, f.pages([]string{path}), holds(aHit)).lap(b, turn)
	}
	compare(b, table, what, dbtest.Goals{P50: 1.5}, at(last), at(first))
}

// broad is the two letters with which most family names begin.
func (f *full) broad(b *testing.B) string {
	b.Helper()
	dice, often, best := dice(), map[string]int{}, ""
	for range 2000 {
		m, err := dbtest.RandomMember(context.Background(), f.raw, dice, f.first, f.last)
		if err != nil {
			b.Fatal(err)
		}
		if name := []rune(model.Fold(m.LastName)); len(name) > 1 {
			two := string(name[:2])
			if often[two]++; often[two] > often[best] {
				best = two
			}
		}
	}
	return best
}

// Search as the page asks while somebody types, beside the record's page. What
// is typed is drawn from members, so there is always somebody to find.
func BenchmarkSearch(b *testing.B) {
	f := portalFull(b)
	for b.Loop() {
		typed := f.typed(b)
		record := newVisitors(b, several, f.addr, f.tab(""), holds(aTab))
		search := func(paths []string) *visitors {
			return newVisitors(b, several, f.addr, f.pages(paths, f.asHtmx("/admin/members")...), holds(aHit))
		}
		var mix []string
		for i, s := range dbtest.Searches {
			mix = append(mix, typed[i][:s.Often*typedOften]...)
		}
		table := report.Table("A search of 25 hits in name order with the total, and the record's Details tab.", dbtest.VersusColumns("search", "record")...)
		compare(b, table, "search as people type", dbtest.Goals{P50: 3, P99: 6}, search(mix).lap(b, turn), record.lap(b, turn))

		// Each kind by itself, so that none hides in the mix.
		const short = turn / 3
		sides := []func() dbtest.Lap{record.lap(b, short)}
		for i := range dbtest.Searches {
			sides = append(sides, search(typed[i]).lap(b, short))
		}
		found := dbtest.Alternate(sides...)
		kinds := report.Table("Each way of searching, and the record's Details tab.",
			"what is typed", "for instance", "hits, median", "most", "per second", "p50", "p50 ratio", "p99", "p99 ratio")
		for i, s := range dbtest.Searches {
			v := dbtest.Versus{Ours: found[i+1], Theirs: found[0]}
			_, p50, p99 := v.Ratios()
			example, hits, most := f.hits(b, typed[i])
			kinds.Add(s.Kind, example, dbtest.Grouped(hits), dbtest.Grouped(most), dbtest.Grouped(int(v.Ours.PerSecond)),
				dbtest.Span(v.Ours.P50), fmt.Sprintf("%.2g", p50), dbtest.Span(v.Ours.P99), fmt.Sprintf("%.2g", p99))
		}
	}
}

// typedOften is how many texts each hundredth of the searches stands for.
const typedOften = 20

// typed is, for each way of searching, the addresses that are asked for.
func (f *full) typed(b *testing.B) [][]string {
	b.Helper()
	dice := dice()
	all := make([][]string, len(dbtest.Searches))
	for i, s := range dbtest.Searches {
		for len(all[i]) < max(100, s.Often*typedOften) {
			m, err := dbtest.RandomMember(context.Background(), f.raw, dice, f.first, f.last)
			if err != nil {
				b.Fatal(err)
			}
			if text := s.For(m, dice); text != "" {
				all[i] = append(all[i], "/admin/members?q="+url.QueryEscape(text))
			}
		}
	}
	return all
}

// hits is one of the texts, and how many members they find.
func (f *full) hits(b *testing.B, paths []string) (example string, median, most int) {
	b.Helper()
	var totals []int
	for _, path := range paths[:100] {
		_, query, _ := strings.Cut(path, "q=")
		text, err := url.QueryUnescape(query)
		if err != nil {
			b.Fatal(err)
		}
		page, err := f.db.Members(context.Background(), model.ShellActor(), model.MemberQuery{Text: text})
		if err != nil {
			b.Fatal(err)
		}
		totals, example = append(totals, page.Total), text
	}
	return "“" + example + "”", dbtest.Median(totals), slices.Max(totals)
}

// Send Password Reset beside what the disk allows: the rate at which one row
// can be committed so that a power cut does not lose it.
func BenchmarkSendPasswordReset(b *testing.B) {
	f := portalFull(b)
	for b.Loop() {
		table := report.Table("Send Password Reset by one person, another member's each time, and one row committed.", dbtest.VersusColumns("portal", "commit")...)
		who := f.ids(b, `SELECT member_id FROM account WHERE role = 'member' AND disabled_at IS NULL AND email <> ''`)
		pressed := 0
		press := func(_ *rand.Rand, to []byte) []byte {
			path := record(who[pressed%len(who)])
			pressed++
			return append(to, "POST "+path+"/password-resets"+f.head(append(f.asHtmx(path+"/settings"), "Content-Length: 0")...)...)
		}
		staff := newVisitors(b, 1, f.addr, press, holds("Reset password email sent."))
		compare(b, table, "Send Password Reset", dbtest.Goals{Rate: 0.5}, staff.lap(b, turn), f.commits(b, turn))
	}
}

// commits writes one row after another through the driver, each on disk before
// the next, beside the portal's database and not in it.
func (f *full) commits(b *testing.B, long time.Duration) func() dbtest.Lap {
	b.Helper()
	raw, err := sql.Open("sqlite3", "file:"+filepath.Join(f.folder, "bare.db")+"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate")
	if err != nil {
		b.Fatal(err)
	}
	raw.SetMaxOpenConns(1)
	b.Cleanup(func() { _ = raw.Close() })
	if _, err := raw.Exec(`CREATE TABLE IF NOT EXISTS press (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, what TEXT NOT NULL) STRICT`); err != nil {
		b.Fatal(err)
	}
	insert := prepare(b, raw, `INSERT INTO press (at, what) VALUES (?, ?)`)
	return func() dbtest.Lap {
		var lap dbtest.Lap
		began := time.Now()
		for at := began; at.Sub(began) < long; {
			if _, err := insert.Exec(at.Unix(), "reset.sent"); err != nil {
				b.Fatal(err)
			}
			lap.Each = append(lap.Each, time.Since(at))
			at = time.Now()
		}
		lap.Took = time.Since(began)
		return lap
	}
}

// Signing in beside the bare hash on as many slots, and the record's page while
// the door is flooded.
func BenchmarkSignIn(b *testing.B) {
	f := portalFull(b)
	for b.Loop() {
		table := report.Table("Signing in with the right password, and argon2id alone on as many slots.", dbtest.VersusColumns("portal", "argon2id")...)
		people := newVisitors(b, max(several, 2*slots()), f.addr, f.signIns(b), leads)
		compare(b, table, "sign-in", dbtest.Goals{Rate: 0.90}, people.lap(b, 2*turn), hashes(2*turn))

		table = report.Table("The record's Details tab while the sign-in is flooded, and in quiet.", dbtest.VersusColumns("flooded", "quiet")...)
		record := newVisitors(b, several, f.addr, f.tab(""), holds(aTab)).lap(b, turn)
		crowd := newVisitors(b, 16*slots(), f.addr, f.guesses(), refused)
		flooded := func() dbtest.Lap {
			ctx, stop := context.WithCancel(context.Background())
			over := make(chan error)
			go func() {
				_, err := crowd.until(ctx)
				over <- err
			}()
			lap := record()
			stop()
			if err := <-over; err != nil {
				b.Fatal(err)
			}
			return lap
		}
		compare(b, table, fmt.Sprintf("Details tab, %d clients guessing", len(crowd.all)), dbtest.Goals{P99: 5}, flooded, record)
	}
}

// slots is how many hashes the portal makes at once: a core stays free for
// pages (product.md §4.4).
func slots() int { return max(1, min(runtime.GOMAXPROCS(0)-1, 3)) }

// leads wants to be sent on.
func leads(status int, _ []byte) error {
	if status != http.StatusSeeOther {
		return fmt.Errorf("answered with %d", status)
	}
	return nil
}

// refused wants no way in, and no fault either.
func refused(status int, _ []byte) error {
	switch status {
	case http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return nil
	}
	return fmt.Errorf("a guess is answered with %d", status)
}

// form is a form that somebody posts who is not signed in.
func (f *full) form(path string, fields url.Values, more ...string) string {
	body := fields.Encode()
	return "POST " + path + " HTTP/1.1\r\n" + strings.Join(append([]string{
		"Host: " + f.addr,
		"Sec-Fetch-Site: same-origin",
		"Content-Type: application/x-www-form-urlencoded",
		"Content-Length: " + strconv.Itoa(len(body)),
	}, more...), "\r\n") + "\r\n\r\n" + body
}

// signIns has members sign in whose passwords are real.
func (f *full) signIns(b *testing.B) writer {
	b.Helper()
	var all []string
	for i := range 32 {
		email := fmt.Sprintf("guest%d.%d@sign-in.example", time.Now().UnixNano(), i)
		dbtest.SignedUp(b, f.db, "Nina Holm", email)
		all = append(all, f.form("/sign-in", url.Values{"login": {email}, "password": {dbtest.Password}}))
	}
	one := among(all)
	return func(dice *rand.Rand, to []byte) []byte { return append(to, one(dice)...) }
}

// guesses tries logins that nobody has, each once, from everywhere.
func (f *full) guesses() writer {
	var n atomic.Int64
	return func(dice *rand.Rand, to []byte) []byte {
		fields := url.Values{"login": {fmt.Sprintf("guess%d@nowhere.example", n.Add(1))}, "password": {"correct horse battery staple"}}
		return append(to, f.form("/sign-in", fields, "X-Forwarded-For: "+somewhere(dice))...)
	}
}

// somewhere is an address in any network.
func somewhere(dice *rand.Rand) string {
	return fmt.Sprintf("%d.%d.%d.7", 11+dice.IntN(80), dice.IntN(256), dice.IntN(256))
}

// hashes makes password hashes in as many slots as the portal has, and nothing
// else.
func hashes(long time.Duration) func() dbtest.Lap {
	p := model.DefaultHashParams
	return func() dbtest.Lap {
		var lap dbtest.Lap
		var mu sync.Mutex
		var together sync.WaitGroup
		began := time.Now()
		for range slots() {
			together.Go(func() {
				for time.Since(began) < long {
					argon2.IDKey([]byte(dbtest.Password), []byte("a salt of 16 b.."), p.Time, p.MemoryKiB, p.Threads, 32)
					mu.Lock()
					lap.Each = append(lap.Each, 0) // a sign-in waits for its slot, so only the rates compare
					mu.Unlock()
				}
			})
		}
		together.Wait()
		lap.Took = time.Since(began)
		return lap
	}
}

// Asking for a new password must take as long for an address that nobody has
// (OWASP ASVS 5.0, 6.3.8). One after another in pairs, because the disk's
// mood changes more from second to second than the two may differ.
func BenchmarkForgotPassword(b *testing.B) {
	f := portalFull(b)
	const pairs = 1000
	for b.Loop() {
		table := report.Table(fmt.Sprintf("Forgot password in %s pairs, one by one.", dbtest.Grouped(pairs)), dbtest.VersusColumns("known", "unknown")...)
		known, unknown := f.addresses(b, pairs)
		one := newVisitors(b, 1, f.addr, nil, nil).all[0]
		var sides [2]dbtest.Lap
		for i := range pairs {
			for _, side := range one.dice.Perm(2) {
				typed := [][]string{known, unknown}[side][i]
				took, err := one.ask(func(dice *rand.Rand, to []byte) []byte {
					return append(to, f.form("/forgot-password", url.Values{"login": {typed}}, "X-Forwarded-For: "+somewhere(dice))...)
				}, holds("If we know that address"))
				if err != nil {
					b.Fatal(err)
				}
				sides[side].Each = append(sides[side].Each, took)
				sides[side].Took += took
			}
		}
		note(b, table, dbtest.Versus{What: "forgot password", Ours: sides[0].Figures(), Theirs: sides[1].Figures(), Goals: dbtest.Goals{Within: 0.03}})
	}
}

// addresses gives as many that have an account as look alike and have none.
func (f *full) addresses(b *testing.B, n int) (known, unknown []string) {
	b.Helper()
	for _, id := range f.ids(b, `SELECT id FROM account WHERE email <> '' AND role = 'member' AND disabled_at IS NULL`) {
		if len(known) == n {
			break
		}
		var email string
		if err := f.raw.QueryRow(`SELECT email FROM account WHERE id = ?`, id).Scan(&email); err != nil {
			b.Fatal(err)
		}
		name, at, _ := strings.Cut(email, "@")
		known, unknown = append(known, email), append(unknown, strings.Repeat("q", len(name))+"@"+at)
	}
	return known, unknown
}
