// Package db is the portal's model as it stands on disk: what it knows and
// the acts by which that may change.
//
// Each exported method that changes something is one thing a person can do.
// It takes the actor, runs in one transaction with one moment, asks
// [latchkey/db/model] for the rule, and writes the change, its audit line and
// its letter together, so none of them can be there without the others. Slow
// work (hashing, SMTP) never happens inside a transaction.
//
// Whoever wants to show or change anything comes in here: handlers, the
// postman and the command line. This package knows none of them.
package db

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"
	"github.com/pressly/goose/v3"

	"latchkey/db/model"
)

const (
	databaseFile = "latchkey.db"
	keyFile      = "secret.key"
	lockFile     = "serve.lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// DB is an open portal: a folder with the database and its keys.
type DB struct {
	// One connection writes, because SQLite has one writer anyway and a queue
	// in Go is fair where its busy loop is not. Reads have their own pool, so
	// that no page waits for a write.
	write *writer
	read  *sql.DB
	point pointReads // read, for what is found by a key

	changes  changes
	settled  atomic.Pointer[knownSettings]
	signedIn knownSessions
	counted  atomic.Pointer[knownTotals]

	keys    model.Keyring
	keyFile *keyFileSeen
	fixed   Fixed
	hashing *hashSlots
	trying  attempts
	tickets usedTickets
	nudge   chan struct{}
	clock   atomic.Pointer[func() time.Time]
}

// Fixed is what flags and the environment decide; it beats what is stored.
// The zero value decides nothing.
type Fixed struct {
	BaseURL  string
	Mail     *model.MailServer
	MailFrom string

	// Local is the base URL as long as none is decided or stored: the port
	// at which the portal happens to listen.
	Local string

	// Aside is a process beside the one that serves. It does not know whether
	// that one was told of a mail server, so what it posts waits for it.
	Aside bool
}

// Open opens the portal in a folder, making folder, key and database on first
// use, and brings the database up to date. An error is one sentence that says
// what to do.
func Open(ctx context.Context, folder string, fixed Fixed) (*DB, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("the folder %s cannot be made (%w): choose another one with --data", folder, cause(err))
	}
	path := filepath.Join(folder, databaseFile)
	_, err := os.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	keys, seen, err := loadKeys(folder, fresh)
	if err != nil {
		return nil, err
	}
	if fresh {
		// SQLite would make the file readable by all that the umask lets in.
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("the database %s cannot be made (%w): is the folder writable for this user?", path, cause(err))
		}
		_ = f.Close()
	}
	// A copy put back from a backup may have come with looser rights; SQLite
	// gives its side files those of the database.
	for _, side := range []string{"", "-wal", "-shm"} {
		if err := os.Chmod(path+side, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the database %s cannot be kept from other users of this machine (%w): does it belong to this user?", path, cause(err))
		}
	}
	d := &DB{keys: keys, keyFile: seen, fixed: fixed, hashing: newHashSlots(), trying: attempts{n: map[string]int{}}, tickets: usedTickets{used: map[string]time.Time{}}, nudge: make(chan struct{}, 1)}
	d.SetClock(time.Now)
	look := func() { _ = d.keysAnew() } // what cannot be read just now is asked for again
	d.changes.files = look
	keys.OnUnknown(look)
	if err := d.open(ctx, path); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// Found makes sure that there is a portal in a folder, for programs that must
// not make one there.
func Found(folder string) error {
	if _, err := os.Stat(filepath.Join(folder, databaseFile)); err != nil {
		return fmt.Errorf("there is no portal in the folder %s that this user can read (%w): name the right one with --data", folder, cause(err))
	}
	return nil
}

func (d *DB) open(ctx context.Context, path string) (err error) {
	// Pragmas stand in the DSN because each pooled connection needs them.
	// FULL: an act that was answered is on disk, whatever happens next; the
	// driver's default for WAL is NORMAL. Statements are kept prepared: parsing
	// them anew was a fifth of the time a page took. No mutex: database/sql gives a
	// connection to one goroutine at a time, and SQLite locked its own for every
	// column read. The cache is the memory that each connection may take, in KiB.
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_journal_mode=WAL&_foreign_keys=1&_busy_timeout=10000&_synchronous=FULL&_stmt_cache_size=64&_mutex=no&_cache_size=-1500"
	pool, err := sql.Open("sqlite3", dsn+"&_txlock=immediate")
	if err != nil {
		return err
	}
	pool.SetMaxOpenConns(1)
	d.write = &writer{pool: pool, changes: &d.changes}
	if err := d.migrate(ctx); err != nil {
		return err
	}
	if d.read, err = sql.Open("sqlite3", dsn+"&_query_only=1"); err != nil {
		return err
	}
	// Two for a core keep it busy while one waits for the disk; one more looks for
	// other processes. More would only take memory.
	conns := 1 + min(2*runtime.GOMAXPROCS(0), 8)
	d.read.SetMaxOpenConns(conns)
	d.read.SetMaxIdleConns(conns)
	d.point = pointReads{d.read}
	if err := d.changes.watch(ctx, d.read); err != nil {
		return err
	}
	if err := d.checkKey(ctx); err != nil {
		return err
	}
	return d.checkIndex(ctx)
}

// Migrations gives the steps of the schema, for whoever wants to walk them.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the name is embedded above
	}
	return sub
}

func (d *DB) migrate(ctx context.Context) error {
	steps, err := goose.NewProvider(goose.DialectSQLite3, d.write.pool, Migrations())
	if err != nil {
		return err
	}
	has, newest, err := steps.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("the database cannot be read (%w): is the folder writable, and is %s a Latchkey database?", cause(err), databaseFile)
	}
	if has > newest {
		return fmt.Errorf("the database was made by a newer Latchkey (its version is %d, this one knows %d): run the newer program", has, newest)
	}
	if has == newest {
		return nil
	}
	if _, err := steps.Up(ctx); err != nil {
		return fmt.Errorf("the database could not be brought up to date, and is as it was: %w", err)
	}
	return nil
}

// Close closes the portal.
func (d *DB) Close() error {
	errs := []error{d.changes.stop()}
	if d.read != nil {
		errs = append(errs, d.read.Close())
	}
	if d.write != nil {
		errs = append(errs, d.write.pool.Close())
	}
	return errors.Join(errs...)
}

// LockFolder makes sure that one process serves a folder: two would both be
// the postman. Other subcommands do not lock.
func LockFolder(folder string) (unlock func(), err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("the folder %s cannot be made (%w): choose another one with --data", folder, cause(err))
	}
	lock := flock.New(filepath.Join(folder, lockFile), flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("the folder %s cannot be locked (%w): is it writable for this user?", folder, cause(err))
	}
	if !got {
		return nil, fmt.Errorf("the folder %s is already being served by another Latchkey: stop that one first, or choose another folder with --data", folder)
	}
	return func() { _ = lock.Unlock() }, nil
}

// cause takes the operation and the path out of a file error; the sentence
// around it says both in words.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// Keys gives the portal's keyring.
func (d *DB) Keys() model.Keyring { return d.keys }

// SetClock replaces the portal's clock, for tests and for the histories of
// the demonstration. It may be called while the portal runs.
func (d *DB) SetClock(now func() time.Time) { d.clock.Store(&now) }

// Now is the portal's time in whole seconds, UTC: what a row can hold.
func (d *DB) Now() time.Time { return (*d.clock.Load())().UTC().Truncate(time.Second) }

// Nudged receives when an act left something for the postman.
func (d *DB) Nudged() <-chan struct{} { return d.nudge }

// Ping makes sure that the database answers.
func (d *DB) Ping(ctx context.Context) error {
	var one int
	return d.point.QueryRowContext(ctx, `SELECT 1 FROM setting WHERE name = +?`, keyCheck).Scan(&one)
}

// Tx is one act: a write transaction with its one moment.
type Tx struct {
	Now      time.Time
	conn     *sql.Conn
	db       *DB
	settings model.Settings
	touched  touched
	posted   bool // something was left for the postman
}

// The statements of an act are short, and one that began is finished: they do
// not watch whether the request still stands (see pointReads for the price).
// An act of many statements asks its context itself between them.

// ExecContext runs a statement of the act.
func (tx *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	tx.touched.by(query)
	if tx.touched.settings {
		tx.db.write.known.read = false
	}
	return tx.conn.ExecContext(context.WithoutCancel(ctx), query, args...)
}

// QueryContext asks within the act.
func (tx *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return tx.conn.QueryContext(context.WithoutCancel(ctx), query, args...)
}

// QueryRowContext asks for one row within the act.
func (tx *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return tx.conn.QueryRowContext(context.WithoutCancel(ctx), query, args...)
}

// act runs f in one write transaction. f may be called once only; an error
// takes everything back.
func (d *DB) act(ctx context.Context, f func(tx *Tx) error) error {
	tx := &Tx{db: d}
	err := d.write.transaction(ctx, func(conn *sql.Conn) (err error) {
		tx.conn, tx.Now = conn, d.Now()
		// Whoever changes the keys holds this connection's lock as well, so what
		// an act seals it seals with the key that is current.
		if err := d.keysAnew(); err != nil {
			return err
		}
		if tx.settings, err = tx.presentSettings(ctx); err != nil {
			return err
		}
		return f(tx)
	})
	d.changes.note(tx.touched) // also after an error: nobody knows how far it came
	if err != nil {
		return err
	}
	if tx.posted {
		select {
		case d.nudge <- struct{}{}:
		default: // a nudge is waiting already
		}
	}
	return nil
}

// actBy is act for somebody: whoever was disabled, lost a role or was signed
// out since their request began may do nothing more. A slow request body would
// otherwise keep a dismissed colleague acting for as long as it takes.
func (d *DB) actBy(ctx context.Context, actor model.Actor, f func(tx *Tx) error) error {
	return d.act(ctx, func(tx *Tx) error {
		if err := still(ctx, tx, actor); err != nil {
			return err
		}
		return f(tx)
	})
}

// still makes sure that an actor is who they were when their request began.
func still(ctx context.Context, q querier, actor model.Actor) error {
	if actor.Kind != model.ByPerson || actor.AccountID == 0 {
		return nil
	}
	var stands bool
	err := q.QueryRowContext(ctx, `SELECT `+actorStands, 0, actor.AccountID, actor.Role, actor.Stamp).Scan(&stands)
	if err == nil && !stands {
		err = errSignInEnded
	}
	return err
}

// actorStands is the same as a condition of a query whose parameters 2 to 4 are
// the actor's account, role and stamp.
const actorStands = `EXISTS (SELECT 1 FROM account o WHERE o.id = +?2 AND o.role = +?3 AND o.session_stamp = +?4 AND o.disabled_at IS NULL)`

var errSignInEnded = model.Forbidden("Your sign-in ended while this was under way, so nothing was changed. Please sign in again.")

// A value that a query compares with is written +? and not ? in this package.
// SQLite looks at the value behind a bare ? while it plans (a 0 or 1 may be
// common in an index), and such a plan is thrown away whenever the driver
// clears the values for the next use: the statement is prepared, and is parsed
// and planned anew all the same. The sign hides the value and changes nothing
// else: 7 µs and not 47 for the query of the Settings tab (SQLite 3.54).

// querier is a pool or a transaction: single reads run without one.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// rows reads every row of a query with scan.
func rows[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rs, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rs.Close()
	var all []T
	for rs.Next() {
		one, err := scan(rs)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rs.Err()
}

// moment is a time as a row holds it: NULL for the zero time.
func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Unix()
}

// unix scans a moment.
type unix struct{ t *time.Time }

func (u unix) Scan(v any) error {
	switch n := v.(type) {
	case nil:
		*u.t = time.Time{}
	case int64:
		*u.t = time.Unix(n, 0).UTC()
	default:
		return fmt.Errorf("a moment is a whole number, not a %T", v)
	}
	return nil
}

// maybe scans a column of what an outer join may not have found: NULL leaves
// things as they are.
type maybe struct{ to any }

// ifFound makes the targets of a table those of an outer join with it.
func ifFound(targets []any) []any {
	for i, to := range targets {
		targets[i] = maybe{to}
	}
	return targets
}

func (m maybe) Scan(v any) error {
	if v == nil {
		return nil
	}
	if scanner, ok := m.to.(sql.Scanner); ok {
		return scanner.Scan(v)
	}
	to := reflect.ValueOf(m.to).Elem()
	switch v := v.(type) {
	case string:
		if to.Kind() == reflect.String {
			to.SetString(v)
			return nil
		}
	case int64:
		switch {
		case to.CanInt():
			to.SetInt(v)
			return nil
		case to.Kind() == reflect.Bool:
			to.SetBool(v != 0)
			return nil
		}
	}
	return fmt.Errorf("a %T is no %s", v, to.Type())
}

// orNull is NULL for an id or text that there is not.
func orNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}
