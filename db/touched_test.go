package db

import (
	"database/sql"
	"slices"
	"testing"
	"time"

	"latchkey/db/model"
)

func TestWhatAStatementTouches(t *testing.T) {
	for statement, want := range map[string]touched{
		`UPDATE account SET role = ?`:              {people: true},
		"\n\t\tDELETE FROM session WHERE id = +?":  {people: true},
		`UPDATE member SET place = ?`:              {people: true},
		`INSERT INTO setting (name) VALUES (?)`:    {settings: true},
		`DELETE FROM setting WHERE name = +?`:      {settings: true},
		`INSERT INTO audit (at) VALUES (?)`:        {},
		"\n\t\tUPDATE letter SET due_at = ?":       {letters: true},
		`DELETE FROM letter_subject`:               {},
		`REPLACE INTO sessions (token) VALUES (?)`: {people: true},
		`DROP TABLE x`:                             {people: true},
		``:                                         {people: true},
	} {
		var got touched
		if got.by(statement); got != want {
			t.Errorf("%q: %+v", statement, got)
		}
	}
}

// A new table is one of which something may be kept, until somebody says here
// that nothing is.
func TestEveryTableIsDecidedUpon(t *testing.T) {
	d, err := Open(t.Context(), t.TempDir(), Fixed{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	tables, err := rows(t.Context(), d.point, func(rs *sql.Rows) (name string, err error) {
		err = rs.Scan(&name)
		return name, err
	},
		`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
	if err != nil {
		t.Fatal(err)
	}
	kept := []string{"member", "account", "session", "sessions", "setting", "letter", "goose_db_version"}
	for _, table := range tables {
		if keptOfNobody[table] == slices.Contains(kept, table) {
			t.Errorf("%s: is anything of it kept in memory?", table)
		}
	}
	for table := range keptOfNobody {
		if !slices.Contains(tables, table) {
			t.Errorf("there is no table %s", table)
		}
	}
}

func TestKnownSessionsAreBounded(t *testing.T) {
	var known knownSessions
	for i := range sessionsKept + 10 {
		hash := cookieHash{byte(i), byte(i >> 8)}
		known.keep(1, hash, signedIn{session: model.Session{ID: int64(i)}})
		if who, ok := known.find(1, hash); !ok || who.session.ID != int64(i) {
			t.Fatalf("session %d is not found", i)
		}
	}
	if n := len(known.by); n > sessionsKept {
		t.Errorf("%d are kept", n)
	}
	known.keep(0, cookieHash{255, 255}, signedIn{}) // read before somebody else read something newer
	if _, ok := known.find(1, cookieHash{255, 255}); ok {
		t.Error("what was read too early is found")
	}
	if _, ok := known.find(2, cookieHash{1}); ok {
		t.Error("what was read before a change is found after it")
	}
}

// Other processes are looked for by real time: a test clock that stands still
// must not keep their commits from being seen.
func TestOthersAreLookedForNowAndThen(t *testing.T) {
	d, err := Open(t.Context(), t.TempDir(), Fixed{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	d.SetClock(func() time.Time { return time.Unix(1, 0) })
	d.changes.count(&d.changes.people)
	looked := d.changes.looked.Load()
	d.changes.count(&d.changes.people)
	if d.changes.looked.Load() != looked {
		t.Error("looked twice at once")
	}
	d.changes.began = d.changes.began.Add(-lookEvery)
	d.changes.count(&d.changes.people)
	if d.changes.looked.Load() == looked {
		t.Errorf("did not look after %s", lookEvery)
	}
}
