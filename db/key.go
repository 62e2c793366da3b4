package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"latchkey/db/model"
)

// keyFileSeen is the key file as it was when it was last read.
type keyFileSeen struct {
	mu   sync.Mutex
	path string
	info fs.FileInfo
}

func loadKeys(folder string, fresh bool) (model.Keyring, *keyFileSeen, error) {
	seen := &keyFileSeen{path: filepath.Join(folder, keyFile)}
	if _, err := os.Stat(seen.path); errors.Is(err, fs.ErrNotExist) && fresh {
		if err := writeNew(seen.path, model.NewKeyring().File()); err != nil {
			return model.Keyring{}, seen, fmt.Errorf("the key file %s cannot be written (%w): is the folder writable for this user?", seen.path, cause(err))
		}
	}
	keys, err := seen.read()
	return keys, seen, err
}

func (f *keyFileSeen) read() (model.Keyring, error) {
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return model.Keyring{}, fmt.Errorf("the key file %s is missing: put it back from your copy; without it no link, session or password in this database works", f.path)
	case err != nil:
		return model.Keyring{}, fmt.Errorf("the key file %s cannot be read: %w", f.path, cause(err))
	case info.Mode().Perm()&0o077 != 0:
		return model.Keyring{}, fmt.Errorf("the key file %s can be read by other users of this machine: run chmod 600 %s", f.path, f.path)
	}
	raw, err := os.ReadFile(f.path)
	if err != nil {
		return model.Keyring{}, fmt.Errorf("the key file %s cannot be read (%w): does it belong to this user?", f.path, cause(err))
	}
	keys, err := model.ParseKeyring(raw)
	if err != nil {
		return keys, fmt.Errorf("the key file %s is damaged (%w): put it back from your copy", f.path, err)
	}
	f.info = info
	return keys, nil
}

// keysAnew reads the key file if somebody changed it. While it cannot be read
// the keys stay as they are. To look takes 2 µs.
func (d *DB) keysAnew() error {
	f := d.keyFile
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil || os.SameFile(info, f.info) && info.ModTime().Equal(f.info.ModTime()) && info.Size() == f.info.Size() {
		return nil //nolint:nilerr // a portal that runs has its keys
	}
	keys, err := f.read()
	if err != nil {
		return err
	}
	d.keys.Take(keys)
	return nil
}

// writeNew writes a file that must not be there yet, to the disk and not only
// to its cache: a database without its key is lost.
func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// replaceKeys puts another content in the place of the key file, all of it or
// nothing: whoever reads meanwhile, and whoever starts after a crash, finds the
// one or the other. It stays the file of the user whose it was.
func (d *DB) replaceKeys(keys model.Keyring) error {
	f := d.keyFile
	fresh := f.path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a crash
		return err
	}
	if err := writeNew(fresh, keys.File()); err != nil {
		return err
	}
	was, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	if err := giveTo(fresh, was); err != nil {
		return err
	}
	if err := os.Rename(fresh, f.path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(f.path))
}

const (
	keyCheck    = "key_check"
	keyCheckFor = keyCheck + ":" // and the id of a key
)

// checkKey tells a wrong or incomplete key file at the start, not at the first
// sign-in: a value sealed when the database was made must open, and one for each
// key that came later.
func (d *DB) checkKey(ctx context.Context) error {
	type check struct {
		name   string
		sealed []byte
	}
	checks, err := rows(ctx, d.read, func(rs *sql.Rows) (c check, err error) { return c, rs.Scan(&c.name, &c.sealed) },
		`SELECT name, sealed FROM setting WHERE name = +? OR name >= +? AND name < +?`, keyCheck, keyCheckFor, keyCheck+";")
	if err != nil {
		return err
	}
	missing := []string{keyCheck, keyCheckFor + d.keys.CurrentID()}
	opened, lacks := 0, ""
	for _, c := range checks {
		missing = slices.DeleteFunc(missing, func(name string) bool { return name == c.name })
		id := model.SealedWith(c.sealed)
		_, err := d.keys.Open("setting", c.name, 0, c.sealed)
		switch {
		case err == nil:
			opened++
		case !slices.Contains(d.keys.IDs(), id):
			lacks = id
		}
	}
	switch {
	case opened == len(checks):
	case opened > 0 && lacks != "":
		return fmt.Errorf("the key %s is not in the key file %s, and a part of this database is sealed with it: put back the newest copy of the file", lacks, d.keyFile.path)
	default:
		return fmt.Errorf("the key file %s belongs to another database: put back the one that was made with this database", keyFile)
	}
	for _, name := range missing {
		sealed, err := d.keys.Seal("setting", name, 0, []byte(name))
		if err != nil {
			return err
		}
		// Somebody else may start at this moment.
		if _, err := d.write.ExecContext(ctx, `INSERT INTO setting (name, sealed) VALUES (?, ?) ON CONFLICT DO NOTHING`, name, sealed); err != nil {
			return err
		}
	}
	return nil
}

// RotateKey puts a new key before the others in the key file: what is made from
// now on is made with it, and the others still open what was made before. It may
// be done while the portal is served; that one reads the file anew with its next
// act, and within a quarter of a second of its next request.
func (d *DB) RotateKey(ctx context.Context, actor model.Actor) (id string, err error) {
	if err := actor.MayOwn(); err != nil {
		return "", err
	}
	err = d.act(ctx, func(tx *Tx) error {
		next := d.keys.Rotated()
		id = next.CurrentID()
		name := keyCheckFor + id
		sealed, err := next.Seal("setting", name, 0, []byte(name))
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO setting (name, sealed) VALUES (?, ?)`, name, sealed); err != nil {
			return err
		}
		if err := tx.audit(ctx, actor, model.ActKeyRotated, about{note: id}); err != nil {
			return err
		}
		// Last: should the commit fail, there is a key too many, which harms
		// nobody. The other way round there would be one too few.
		return d.replaceKeys(next)
	})
	return id, errors.Join(err, d.keysAnew())
}

// sealedColumns are the columns that hold boxes of Keyring.Seal, with the column
// of the row that is bound to them. The settings have theirs besides.
var sealedColumns = []struct{ table, column, row string }{
	{"account", "password_hash", "id"},
	{"email_change", "password_hash", "id"},
	{"factor", "app_secret", "account_id"},
	{"factor", "code_key", "account_id"},
}

// keyHolders are what can only be verified with the key it was made with: it
// cannot be made anew, because somebody else has it, in a mailbox or on a piece
// of paper. Each query gives how many of them live under a key (?1) at a moment
// (?2), and until when at most.
//
// A link is there as long as "It wasn't me" may be said of it, which is longer
// than it opens anything; so is the code in its letter. Whoever said so already
// gets the same answer again while the key is there, and needs it no more.
var keyHolders = []struct{ one, many, query string }{
	{"password link (or the “It wasn’t me” in its letter)", "password links (or the “It wasn’t me” in their letters)", fmt.Sprintf(`
		SELECT count(*), coalesce(max(r.made_at) + %[1]d, 0) FROM reset r
		WHERE r.key_id = +?1 AND r.made_at + %[1]d > +?2 AND EXISTS (SELECT 1 FROM account a WHERE a.id = r.account_id)
			AND NOT EXISTS (SELECT 1 FROM not_me w WHERE w.reset_id = r.id)`, int64(model.NotMeFor/time.Second))},
	{"link to a new email address", "links to a new email address", `
		SELECT count(*), coalesce(max(expires_at), 0) FROM email_change
		WHERE ended_at IS NULL AND key_id = +?1 AND expires_at > +?2`},
	{"code that was read out", "codes that were read out", fmt.Sprintf(`
		SELECT count(*), coalesce(max(spoken_at) + %[1]d, 0) FROM reset
		WHERE ended_at IS NULL AND spoken_at + %[1]d > +?2 AND instr(spoken, CAST(?1 || '.' AS BLOB)) = 1`, int64(model.SpokenCodeLife/time.Second))},
}

// RetireKeys takes keys out of the key file, all but the current one if none is
// named. What is sealed with them is sealed anew, a few rows at a time; while
// something that was sent out depends on one, nothing is retired, and the error
// says what and until when. Counts of wrong sign-ins and wrong codes begin anew
// when the oldest key goes, for they are kept under names made with it.
//
// Whenever it is interrupted, nothing is lost: a key leaves the file after all
// that it sealed, and the same command goes on where it was.
func (d *DB) RetireKeys(ctx context.Context, actor model.Actor, named ...string) (retired []string, err error) {
	if err := actor.MayOwn(); err != nil {
		return nil, err
	}
	if err := d.keysAnew(); err != nil {
		return nil, err
	}
	if retired, err = retirable(d.keys.IDs(), named); err != nil {
		return nil, err
	}
	// Asked before the work as well: it would be for nothing.
	if err := d.act(ctx, func(tx *Tx) error { return tx.nothingDepends(ctx, retired) }); err != nil {
		return nil, err
	}
	for _, c := range sealedColumns {
		for after := int64(0); after >= 0; {
			if err := d.act(ctx, func(tx *Tx) (err error) {
				after, err = tx.sealAnew(ctx, c.table, c.column, c.row, retired, after)
				return err
			}); err != nil {
				return nil, err
			}
		}
	}
	err = d.act(ctx, func(tx *Tx) error {
		if err := tx.nothingDepends(ctx, retired); err != nil {
			return err
		}
		if err := tx.sealSettingsAnew(ctx, retired); err != nil {
			return err
		}
		for _, id := range retired {
			if _, err := tx.ExecContext(ctx, `DELETE FROM setting WHERE name = +?`, keyCheckFor+id); err != nil {
				return err
			}
			if err := tx.audit(ctx, actor, model.ActKeyRetired, about{note: id}); err != nil {
				return err
			}
		}
		if now := d.keys.IDs(); slices.Contains(retired, now[len(now)-1]) {
			for _, table := range []string{"failure", "code_try"} {
				if _, err := tx.ExecContext(ctx, `DELETE FROM `+table); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	// The file last, and under the lock again: somebody may have put a new key
	// into it meanwhile.
	err = d.act(ctx, func(*Tx) error { return d.replaceKeys(d.keys.Without(retired...)) })
	return retired, errors.Join(err, d.keysAnew())
}

// retirable are the keys that are named, all but the current one if none is.
func retirable(ids, named []string) ([]string, error) {
	for _, id := range named {
		switch {
		case !slices.Contains(ids, id):
			return nil, model.NotFound("There is no key " + id + ". The key file has " + strings.Join(ids, ", ") + ".")
		case id == ids[0]:
			return nil, model.Conflict("The key " + id + " is the current one. Put another one before it first: latchkey key rotate.")
		}
	}
	if len(ids) == 1 {
		return nil, model.Conflict("There is only one key. Put another one before it first: latchkey key rotate.")
	}
	if len(named) == 0 {
		return ids[1:], nil
	}
	return named, nil
}

// nothingDepends makes sure that nothing lives that only these keys can verify.
func (tx *Tx) nothingDepends(ctx context.Context, ids []string) error {
	for _, id := range ids {
		for _, h := range keyHolders {
			var n int
			var until time.Time
			if err := tx.QueryRowContext(ctx, h.query, id, tx.Now.Unix()).Scan(&n, unix{&until}); err != nil {
				return err
			}
			what := h.one + " still needs"
			if n > 1 {
				what = h.many + " still need"
			}
			if n > 0 {
				return model.Conflict(fmt.Sprintf("%d %s the key %s, until %s at the latest. Retire it then.",
					n, what, id, until.In(tx.settings.Location()).Format("Mon 2 Jan 2006, 15:04 MST")))
			}
		}
	}
	return nil
}

// sealedBatch is how many rows are looked at in one transaction.
const sealedBatch = 500

// sealAnew seals with the current key what these keys sealed, in the next rows
// of a column, and gives the last of them; -1 says that there are no more.
func (tx *Tx) sealAnew(ctx context.Context, table, column, row string, ids []string, after int64) (last int64, err error) {
	type box struct {
		row    int64
		sealed []byte
	}
	boxes, err := rows(ctx, tx, func(rs *sql.Rows) (b box, err error) { return b, rs.Scan(&b.row, &b.sealed) },
		fmt.Sprintf(`SELECT %[3]s, %[2]s FROM %[1]s WHERE %[3]s > +? AND %[2]s IS NOT NULL ORDER BY %[3]s LIMIT +?`, table, column, row), after, sealedBatch)
	if err != nil || len(boxes) == 0 {
		return -1, err
	}
	for _, b := range boxes {
		if !slices.Contains(ids, model.SealedWith(b.sealed)) {
			continue
		}
		plain, err := tx.db.keys.Open(table, column, b.row, b.sealed)
		if err != nil {
			return -1, fmt.Errorf("%s %d: %w", table, b.row, err)
		}
		sealed, err := tx.db.keys.Seal(table, column, b.row, plain)
		if err != nil {
			return -1, err
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf(`UPDATE %s SET %s = ? WHERE %s = +?`, table, column, row), sealed, b.row); err != nil {
			return -1, err
		}
	}
	return boxes[len(boxes)-1].row, nil
}

func (tx *Tx) sealSettingsAnew(ctx context.Context, ids []string) error {
	type box struct {
		name   string
		sealed []byte
	}
	boxes, err := rows(ctx, tx, func(rs *sql.Rows) (b box, err error) { return b, rs.Scan(&b.name, &b.sealed) },
		`SELECT name, sealed FROM setting WHERE sealed IS NOT NULL`)
	if err != nil {
		return err
	}
	for _, b := range boxes {
		if strings.HasPrefix(b.name, keyCheckFor) || !slices.Contains(ids, model.SealedWith(b.sealed)) {
			continue
		}
		plain, err := tx.db.keys.Open("setting", b.name, 0, b.sealed)
		if err != nil {
			return fmt.Errorf("setting %s: %w", b.name, err)
		}
		sealed, err := tx.db.keys.Seal("setting", b.name, 0, plain)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE setting SET sealed = ? WHERE name = +?`, sealed, b.name); err != nil {
			return err
		}
	}
	return nil
}
