package db

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// changes counts the commits that may have changed what is kept in memory: the
// settings, who is signed in, and the totals of the letter log. It is kept with the count as it stood before
// it was read, and believed only while the count stands still. A commit of this
// process is counted before whoever made it is answered, so nobody sees what
// was true before an act once they were told that it is done.
type changes struct {
	people   atomic.Uint64 // of sessions, accounts and members' names
	settings atomic.Uint64
	letters  atomic.Uint64

	began  time.Time
	looked atomic.Int64 // when other processes' commits were looked for last, since began

	files func() // looks at what others may change beside the database

	mu      sync.Mutex
	conn    *sql.Conn // of its own: the version means something to one connection only
	version int64
}

// lookEvery is how long a commit of another process, such as "latchkey owner",
// may go unnoticed. Looking takes 5 µs, too much for each request. It goes by
// real time and not by the portal's clock, which other processes do not share.
const lookEvery = 250 * time.Millisecond

// watch begins to look for the commits of other processes.
func (c *changes) watch(ctx context.Context, pool *sql.DB) (err error) {
	c.began = time.Now()
	if c.conn, err = pool.Conn(ctx); err != nil {
		return err
	}
	c.version, err = dataVersion(ctx, c.conn)
	return err
}

func (c *changes) stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return nil
	}
	err := c.conn.Close()
	c.conn = nil
	return err
}

// count is one of the counts, now.
func (c *changes) count(n *atomic.Uint64) uint64 {
	last, now := c.looked.Load(), time.Since(c.began)
	if now-time.Duration(last) >= lookEvery && c.looked.CompareAndSwap(last, int64(now)) {
		c.look()
	}
	return n.Load()
}

// look counts a commit of another process. One of our own looks the same here
// and is counted a second time, which only has something read once more.
func (c *changes) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil { // the portal is closed
		return
	}
	if c.files != nil {
		c.files()
	}
	version, err := dataVersion(context.Background(), c.conn)
	if err != nil || version != c.version { // who cannot look believes nothing
		c.note(touched{people: true, settings: true, letters: true})
	}
	c.version = version
}

// note counts what a commit changed, or what may have come of one that failed.
func (c *changes) note(t touched) {
	if t.people {
		c.people.Add(1)
	}
	if t.settings {
		c.settings.Add(1)
	}
	if t.letters {
		c.letters.Add(1)
	}
}

// touched is what an act may have changed of what is kept.
type touched struct{ people, settings, letters bool }

// by adds a statement. Every one of an act comes through here, so no act can
// forget to say what it changes; a table that is not known to be of no account
// is taken for one that is.
func (t *touched) by(statement string) {
	switch table := written(statement); {
	case table == "setting":
		t.settings = true
	case table == "letter":
		t.letters = true
	case !keptOfNobody[table]:
		t.people = true
	}
}

// keptOfNobody are the tables of which nothing is kept in memory: what they
// hold is read anew each time.
var keptOfNobody = map[string]bool{
	"reset": true, "reset_shown": true, "letter_subject": true, "letter_attempt": true,
	"audit": true, "audit_detail": true, "failure": true, "code_try": true, "intake": true, "near_login": true, "former_email": true,
	"member_term": true, "member_crowd": true, "template": true, "not_me": true,
	"factor": true, "recovery_code": true, "passkey": true, "email_change": true,
}

// written is the table that a statement changes, "" if it does not begin with
// INSERT INTO, UPDATE or DELETE FROM.
func written(statement string) string {
	words := strings.TrimLeft(statement, " \t\n")
	for _, verb := range []string{"INSERT INTO ", "UPDATE ", "DELETE FROM "} {
		if rest, ok := strings.CutPrefix(words, verb); ok {
			table, _, _ := strings.Cut(rest, " ")
			return table
		}
	}
	return ""
}

// dataVersion is a number that differs when another connection than this one
// committed since it was last asked for
// (https://sqlite.org/pragma.html#pragma_data_version).
func dataVersion(ctx context.Context, q querier) (v int64, err error) {
	err = q.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&v)
	return v, err
}

// writer is the one connection that writes.
type writer struct {
	pool    *sql.DB
	changes *changes
	known   writerSettings // belongs to whoever has the connection
}

// ExecContext runs one statement that is a transaction by itself.
func (w *writer) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	var t touched
	t.by(query)
	defer w.changes.note(t)
	return w.pool.ExecContext(ctx, query, args...)
}

// transaction runs f between BEGIN and COMMIT. ctx ends the wait for the
// connection, and a transaction during which it ended is taken back.
//
// It does so on the connection itself, because a transaction of database/sql
// starts a goroutine, and one more for each of its queries.
func (w *writer) transaction(ctx context.Context, f func(*sql.Conn) error) (err error) {
	conn, err := w.pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	whole := context.WithoutCancel(ctx)
	if _, err := conn.ExecContext(whole, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed { // an error, or a panic
			_, _ = conn.ExecContext(whole, `ROLLBACK`) // some errors have done so already
		}
	}()
	if err := f(conn); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := conn.ExecContext(whole, `COMMIT`); err != nil {
		return err
	}
	committed = true
	return nil
}

// pointReads asks the reading pool for what is found by a key in some ten
// microseconds, and does not stop half-way. For a query that can be stopped
// database/sql starts a goroutine and wakes a thread for it: 4 µs beside the
// 4 µs of the query. A list or a search may take long; they ask the pool
// itself and end with their request.
type pointReads struct{ pool *sql.DB }

func (p pointReads) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return p.pool.QueryContext(context.WithoutCancel(ctx), query, args...)
}

func (p pointReads) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return p.pool.QueryRowContext(context.WithoutCancel(ctx), query, args...)
}
