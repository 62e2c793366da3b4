package db

import (
	"database/sql"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var parameter = regexp.MustCompile(`\?\d?`)

// No section of Needs attention, no badge and no look-up of a wrong address
// walks through a table or sorts what it found among everybody.
func TestAttentionIsReadByIndexes(t *testing.T) {
	folder := t.TempDir()
	d, err := Open(t.Context(), folder, Fixed{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	raw, err := sql.Open("sqlite3", filepath.Join(folder, databaseFile))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for name, query := range map[string]string{
		"letters out":        lettersOut,
		"put off":            lettersPutOff,
		"oldest":             oldestOut,
		"newest attempts":    newestAttempts,
		"since":              firstSinceTaken,
		"not me":             openNotMesQuery,
		"failing":            failingPairs,
		"filter":             `SELECT l.id ` + failing + ` ` + isFailing,
		"badge":              `SELECT ` + mailColumn + ` FROM account a WHERE a.id = 1`,
		"near":               nearQuery,
		"unfinished":         unfinishedQuery,
		"account by address": nearAccounts,
		"record by address":  nearRecords,
		"limit":              `SELECT count(*) FROM near_login WHERE at > 1`,
		"newest near":        `SELECT id FROM near_login WHERE member_id = 1 AND at > 1 ORDER BY at DESC, id DESC LIMIT 1`,
	} {
		steps, err := rows(t.Context(), raw, func(rs *sql.Rows) (step string, err error) {
			var id, parent, unused int
			return step, rs.Scan(&id, &parent, &unused, &step)
		}, `EXPLAIN QUERY PLAN `+parameter.ReplaceAllString(query, "1"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, step := range steps {
			walk := strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "CONSTANT") && !strings.HasPrefix(step, "SCAN w VIRTUAL")
			if name == "newest attempts" && step == "SCAN letter_attempt" { // backwards, and 50 of them
				walk = false
			}
			if strings.HasSuffix(step, "USING INDEX not_me_open") { // it holds nothing but what is asked for
				walk = false
			}
			if name == "oldest" && (strings.HasPrefix(step, "SCAN f") || strings.HasPrefix(step, "SCAN (subquery")) { // two rows
				walk = false
			}
			if walk || strings.Contains(step, "TEMP B-TREE FOR ORDER BY") {
				t.Errorf("%s: %s", name, step)
			}
		}
	}
}
