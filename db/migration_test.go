package db_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// versionOfLinks is the schema with links, letters and sessions, before the
// letter log, templates and codes.
const versionOfLinks = 8

// A portal of an older version goes on where it was: the links that are on
// their way open, the letters that wait leave, and what was sent is in the log.
func TestAnOlderDatabaseIsBroughtUpToDateWithAllThatIsInIt(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	owner := dbtest.Owner(t, d)
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	sent := dbtest.MemberWithAccount(t, d, "Nina Holm", "nina@example.org")
	dbtest.Deliver(t, d)
	came := newestLetter(t, folder)
	sendReset(t, d, owner, mia)
	waits := newestLetter(t, folder)
	must(t, d.AskReset(t.Context(), "nobody@example.org", home)) // not worked off yet
	miasLink, ninasLink := dbtest.Token(t, d, mia), dbtest.Token(t, d, sent)
	must(t, d.Close())

	raw, err := sql.Open("sqlite3", filepath.Join(folder, "latchkey.db"))
	must(t, err)
	defer raw.Close()
	_, err = raw.Exec(`UPDATE letter SET state = 'bounced' WHERE id = ?`, came)
	must(t, err)
	steps, err := goose.NewProvider(goose.DialectSQLite3, raw, db.Migrations())
	must(t, err)
	_, err = steps.DownTo(t.Context(), versionOfLinks)
	must(t, err)
	var state string
	must(t, raw.QueryRow(`SELECT state FROM letter WHERE id = ?`, came).Scan(&state))
	if state != "failed" {
		t.Errorf("a letter that came back is %s for a program that does not know the word", state)
	}
	old := tableColumns(t, raw)
	for _, table := range []string{"member", "account", "reset", "letter", "letter_subject", "letter_attempt", "intake", "setting", "audit"} {
		if old[table] == "" {
			t.Fatalf("no table %s in version %d", table, versionOfLinks)
		}
	}
	before := contentsOf(t, raw, old)
	for table, rows := range before {
		if len(rows) == 0 && !slices.Contains([]string{"sessions", "session", "failure", "former_email", "reset_shown", "member_crowd"}, table) {
			t.Errorf("the test has nothing in %s", table)
		}
	}
	_, err = steps.Up(t.Context())
	must(t, err)
	after := contentsOf(t, raw, old)
	for table, rows := range before {
		if !slices.Equal(rows, after[table]) {
			t.Errorf("%s was\n\t%s\nand is\n\t%s", table, strings.Join(rows, "\n\t"), strings.Join(after[table], "\n\t"))
		}
	}
	must(t, raw.Close())

	d, reopened := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	reopened.Set(clock.Now())
	for name, token := range map[string]model.Secret{"Mia": miasLink, "Nina": ninasLink} {
		if o, err := d.OpenReset(t.Context(), token.Reveal()); err != nil || o.State != model.ResetLive {
			t.Errorf("%s's link is %s: %v", name, o.State, err)
		}
	}
	page, err := d.Letters(t.Context(), owner, model.LetterQuery{})
	must(t, err)
	if !slices.ContainsFunc(page.Rows, func(r model.LetterRow) bool { return r.ID == came && r.State == model.LetterFailed }) {
		t.Error("a letter that was sent before is not in the log")
	}
	left := dbtest.Deliver(t, d)
	i := slices.IndexFunc(left, func(c model.LetterContents) bool { return c.ID == waits })
	if i < 0 || len(left[i].Links) != 1 || !strings.HasSuffix(left[i].Links[0].URL.Reveal(), "/reset/"+miasLink.Reveal()) {
		t.Fatalf("the letter that waited did not leave with its link: %s", dbtest.Kinds(left))
	}
	if len(left) != 2 || left[1-i].Kind != model.LetterNoAccount {
		t.Errorf("the request that waited was not answered: %s", dbtest.Kinds(left))
	}
	if o, err := d.OpenNotMe(t.Context(), dbtest.NotMe(t, d, mia).Reveal()); err != nil || o.State != model.NotMeLive || o.Said {
		t.Errorf("“It wasn't me” of a link from before: %+v, %v", o, err)
	}
	if _, err := d.ReadOutCode(t.Context(), owner, mia, "born 1 May 1970"); err != nil {
		t.Errorf("a code for a link from before: %v", err)
	}
}

func newestLetter(t *testing.T, folder string) (id int64) {
	t.Helper()
	raw, err := sql.Open("sqlite3", filepath.Join(folder, "latchkey.db"))
	must(t, err)
	defer raw.Close()
	must(t, raw.QueryRow(`SELECT max(id) FROM letter`).Scan(&id))
	return id
}

// tableColumns is the columns of each table, as a SELECT takes them.
func tableColumns(t *testing.T, raw *sql.DB) map[string]string {
	t.Helper()
	rows, err := raw.Query(`
		SELECT m.name, group_concat('quote(' || c.name || ')', ' || '', '' || ') FROM sqlite_schema m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE 'goose%' GROUP BY m.name`)
	must(t, err)
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var table, columns string
		must(t, rows.Scan(&table, &columns))
		all[table] = columns
	}
	must(t, rows.Err())
	return all
}

// contentsOf is each row of each table as text, in order.
func contentsOf(t *testing.T, raw *sql.DB, columns map[string]string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for table, list := range columns {
		all[table] = lines(t, raw, fmt.Sprintf(`SELECT %s FROM %s ORDER BY 1`, list, table))
	}
	return all
}

// lines is what a query of one column finds.
func lines(t *testing.T, raw *sql.DB, query string) (all []string) {
	t.Helper()
	rows, err := raw.Query(query)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var line string
		must(t, rows.Scan(&line))
		all = append(all, line)
	}
	must(t, rows.Err())
	return all
}
