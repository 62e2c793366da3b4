package db_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func TestFaultsOfOpening(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, folder string) string // may give another folder
		want  string
	}{
		"a file where the folder should be": {func(t *testing.T, folder string) string {
			path := filepath.Join(folder, "secret.key")
			return path
		}, "cannot be made"},
		"no key": {func(t *testing.T, folder string) string {
			must(t, os.Remove(filepath.Join(folder, "secret.key")))
			return folder
		}, "is missing"},
		"a key all can read": {func(t *testing.T, folder string) string {
			must(t, os.Chmod(filepath.Join(folder, "secret.key"), 0o644))
			return folder
		}, "chmod 600"},
		"a damaged key": {func(t *testing.T, folder string) string {
			must(t, os.WriteFile(filepath.Join(folder, "secret.key"), []byte("k1 nonsense\n"), 0o600))
			return folder
		}, "is damaged"},
		"another portal's key": {func(t *testing.T, folder string) string {
			must(t, os.WriteFile(filepath.Join(folder, "secret.key"), model.NewKeyring().File(), 0o600))
			return folder
		}, "belongs to another database"},
		"a newer database": {func(t *testing.T, folder string) string {
			raw, err := sql.Open("sqlite3", filepath.Join(folder, "latchkey.db"))
			must(t, err)
			_, err = raw.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`)
			must(t, err)
			must(t, raw.Close())
			return folder
		}, "newer Latchkey"},
		"something else called latchkey.db": {func(t *testing.T, folder string) string {
			for _, f := range []string{"latchkey.db", "latchkey.db-wal", "latchkey.db-shm"} {
				_ = os.Remove(filepath.Join(folder, f))
			}
			must(t, os.WriteFile(filepath.Join(folder, "latchkey.db"), bytes.Repeat([]byte("not a database "), 1000), 0o600))
			return folder
		}, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			d, err := db.Open(t.Context(), folder, db.Fixed{})
			must(t, err)
			must(t, d.Close())
			d, err = db.Open(t.Context(), c.spoil(t, folder), db.Fixed{})
			if err == nil {
				_ = d.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("says %q, want one sentence with %q", err, c.want)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAFolderIsServedOnce(t *testing.T) {
	folder := t.TempDir()
	unlock, err := db.LockFolder(folder)
	must(t, err)
	if _, err := db.LockFolder(folder); err == nil || !strings.Contains(err.Error(), "already being served") {
		t.Errorf("a second one: %v", err)
	}
	unlock()
	unlock, err = db.LockFolder(folder)
	must(t, err)
	unlock()
}

func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new")
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{})
	dbtest.Member(t, d, "Mia Brandt", "")
	entries, err := os.ReadDir(folder)
	must(t, err)
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %s", e.Name(), info.Mode())
		}
	}
}

func TestADatabasePutBackFromABackupIsKeptFromOthersAgain(t *testing.T) {
	folder := t.TempDir()
	d, err := db.Open(t.Context(), folder, db.Fixed{})
	must(t, err)
	must(t, d.Close())
	path := filepath.Join(folder, "latchkey.db")
	must(t, os.Chmod(path, 0o644))
	d, _ = dbtest.OpenIn(t, folder, db.Fixed{})
	dbtest.Member(t, d, "Mia Brandt", "") // so that the side files are there
	for _, side := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + side)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %s", info.Name(), info.Mode())
		}
	}
}

func TestMigrationsGoDownAndUpAgain(t *testing.T) {
	raw, err := sql.Open("sqlite3", filepath.Join(t.TempDir(), "x.db")+"?_foreign_keys=1")
	must(t, err)
	defer raw.Close()
	steps, err := goose.NewProvider(goose.DialectSQLite3, raw, db.Migrations())
	must(t, err)
	schema := func() (text string) {
		rows, err := raw.Query(`SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE 'goose%' AND name NOT LIKE 'sqlite_%' ORDER BY 1`)
		must(t, err)
		defer rows.Close()
		for rows.Next() {
			var line string
			must(t, rows.Scan(&line))
			text += line + "\n"
		}
		must(t, rows.Err())
		return text
	}
	_, err = steps.Up(t.Context())
	must(t, err)
	first := schema()
	_, err = steps.DownTo(t.Context(), 0)
	must(t, err)
	if left := schema(); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
	_, err = steps.Up(t.Context())
	must(t, err)
	if schema() != first {
		t.Error("another schema the second time")
	}
}

func TestAuditLinesRefuseToChange(t *testing.T) {
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{})
	dbtest.Member(t, d, "Mia Brandt", "")
	raw, err := sql.Open("sqlite3", filepath.Join(folder, "latchkey.db"))
	must(t, err)
	defer raw.Close()
	for _, q := range []string{`UPDATE audit SET act = 'nothing'`, `DELETE FROM audit`} {
		if _, err := raw.Exec(q); err == nil {
			t.Errorf("%s went through", q)
		}
	}
}

// Whoever steals the folder without the key finds no way in: no link, no
// session, no password, no hash that could be tried against a list.
func TestAStolenFolderWithoutItsKeyOpensNothing(t *testing.T) {
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{})
	owner := dbtest.Owner(t, d)
	s, err := d.Settings(t.Context())
	must(t, err)
	s.Mail = model.MailServer{Host: "127.0.0.1", Port: 2526, User: "club", Password: model.NewSecret("smtp secret word")}
	must(t, d.ChangeMail(t.Context(), owner, model.MailChange{BaseURL: s.BaseURL, Mail: s.Mail, MailFrom: "post@riverside.example", Current: model.NewSecret(dbtest.OwnerPassword)}))
	must(t, d.MakeDKIM(t.Context(), owner, "riverside.example"))
	if got, err := d.Settings(t.Context()); err != nil || got.Mail.Password.Reveal() != "smtp secret word" {
		t.Fatalf("the mail password does not come back: %v", err)
	}
	signing, err := d.Settings(t.Context())
	must(t, err)
	id := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	sendReset(t, d, owner, id)
	record(t, d, owner, id)
	token := dbtest.Token(t, d, id).Reveal()
	must(t, d.ChangeTemplate(t.Context(), owner, model.LetterReset, 0, codeTemplate))
	readOut, err := d.ReadOutCode(t.Context(), owner, id, "born 1 May 1970")
	must(t, err)
	_, err = d.EnterCode(t.Context(), model.CodeTry{Login: "mia@example.org", Code: model.NewSecret("K7WX-M3QZ"), Network: "198.51.100.0/24"})
	wantKind(t, err, model.KindSignIn)
	other := dbtest.SignedUp(t, d, "Otto Brandt", "otto@example.org")
	sendReset(t, d, owner, other)
	written, err := d.Keys().ResetCode(*record(t, d, owner, other).Latest)
	must(t, err)
	dbtest.Deliver(t, d)
	in, err := d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret(dbtest.Password), Network: "192.0.2.0/24"})
	must(t, err)
	_, _ = d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret("a wrong one typed by hand")})
	raw, err := base32.StdEncoding.DecodeString(strings.ToUpper(token))
	must(t, err)
	tag := raw[8:]
	hash := model.HashPassword(dbtest.Password, saltOf(t, folder, "mia@example.org"), model.DefaultHashParams).Encode()
	sum := hash[bytes.LastIndexByte(hash, '$')+1:]
	sumRaw, err := base64.RawStdEncoding.DecodeString(string(sum))
	must(t, err)
	secrets := map[string][]byte{
		"token": []byte(token), "tag": tag, "tag in hex": []byte(hex.EncodeToString(tag)),
		"password": []byte(dbtest.Password), "mistyped password": []byte("a wrong one typed by hand"),
		"hash": sum, "hash bytes": sumRaw, "smtp password": []byte("smtp secret word"),
		"spoken code": []byte(readOut.Spoken.Code.Reveal()), "letter's code": []byte(written.Reveal()),
		"mistyped code": []byte("K7WX-M3QZ"), "its network": []byte("198.51.100"),
		"device mark": []byte(in.Known.Reveal()), "signing key": []byte(signing.DKIM.Of("riverside.example").Key.Reveal()[:64]),
	}
	err = filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "secret.key" {
			return err
		}
		content, err := os.ReadFile(path)
		must(t, err)
		for name, secret := range secrets {
			if bytes.Contains(content, secret) {
				t.Errorf("%s holds the %s", e.Name(), name)
			}
		}
		return nil
	})
	must(t, err)
}

func saltOf(t *testing.T, folder, email string) (salt []byte) {
	t.Helper()
	raw, err := sql.Open("sqlite3", filepath.Join(folder, "latchkey.db"))
	must(t, err)
	defer raw.Close()
	must(t, raw.QueryRowContext(context.Background(), `SELECT salt FROM account WHERE email = ?`, email).Scan(&salt))
	return salt
}

// few are indexes of so few rows that to walk through them all is no scan. A
// walk through any other index takes as long as one through its table.
var few = regexp.MustCompile(`USING (COVERING )?INDEX (account_in_office|intake_to_do)$`)

// Every query that a page waits for uses an index.
func TestNoPageWaitsForATableScan(t *testing.T) {
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{})
	dbtest.Member(t, d, "Mia Brandt", "")
	raw, err := sql.Open("sqlite3", filepath.Join(folder, "latchkey.db"))
	must(t, err)
	defer raw.Close()
	for _, q := range []string{
		`SELECT * FROM member m LEFT JOIN account a ON a.member_id = m.id WHERE (m.sort_key, m.id) > ('a', 1) ORDER BY m.sort_key, m.id LIMIT 26`,
		`SELECT * FROM account a JOIN member n ON n.id = a.member_id WHERE a.email_key = 'x'`,
		`SELECT * FROM account a JOIN member n ON n.id = a.member_id WHERE n.member_no_key = 'x'`,
		`SELECT * FROM account a JOIN member n ON n.id = a.member_id WHERE a.role <> 'member' OR a.pending_role <> ''`,
		`SELECT * FROM reset r WHERE r.account_id = 1 ORDER BY r.id DESC LIMIT 1`,
		`SELECT * FROM reset r WHERE r.account_id = 1 AND r.ended_at IS NULL`,
		`SELECT * FROM reset r WHERE r.selector = x'00'`,
		`SELECT * FROM letter_subject s JOIN letter l ON l.id = s.letter_id WHERE s.reset_id = 1 AND l.kind <> 'password_changed' ORDER BY s.letter_id DESC LIMIT 1`,
		`SELECT * FROM letter l WHERE l.state IN ('waiting', 'retrying') AND l.due_at <= 1 ORDER BY l.priority, l.due_at, l.id LIMIT 1`,
		`UPDATE letter SET due_at = 1 WHERE state IN ('waiting', 'retrying') AND id IN (SELECT letter_id FROM letter_subject WHERE reset_id = 1)`,
		`SELECT id FROM intake WHERE done_at IS NULL ORDER BY id LIMIT 1`,
		`SELECT at, id FROM audit WHERE member_id = 1 AND at >= 1 AND at < 9 AND (at, id) < (5, 9) ORDER BY at DESC, id DESC LIMIT 51`,
		`SELECT at, id FROM audit WHERE actor_id = 1 AND at >= 1 AND at < 9 ORDER BY at DESC, id DESC LIMIT 51`,
		`SELECT at, id FROM audit WHERE act = 'x' AND at >= 1 AND at < 9 ORDER BY at DESC, id DESC LIMIT 51`,
		`SELECT at, id FROM audit WHERE 1 = 1 AND at >= 1 AND at < 9 AND (at, id) > (5, 9) ORDER BY at ASC, id ASC LIMIT 51`,
		`SELECT min(act) FROM audit WHERE act > 'x'`,
		`SELECT * FROM session s JOIN account a ON a.id = s.account_id JOIN member n ON n.id = a.member_id WHERE s.id = 1`,
		`SELECT * FROM session s WHERE s.account_id = 1 ORDER BY s.last_seen_at DESC`,
		`SELECT a.id, r.* FROM account a JOIN member n ON n.id = a.member_id LEFT JOIN reset r ON r.account_id = a.id AND r.ended_at IS NULL WHERE a.id = 1`,
		`SELECT key, count FROM code_try WHERE key IN (+x'00', +x'01')`,
		`DELETE FROM code_try WHERE last_at <= 1`,
		`SELECT id FROM letter l WHERE l.state IN ('failed', 'bounced')`,
		`SELECT count(*) FROM letter WHERE to_key = 'x' AND kind = 'y' AND created_at > 1`,
		`SELECT count(*) FROM intake WHERE outcome = 'x' AND made_at > 1`,
		`SELECT id FROM letter WHERE created_at > 1 ORDER BY created_at, id LIMIT 1`,
		`SELECT count(*) FROM letter WHERE state = 'failed' AND id >= 1`,
		`SELECT id FROM letter WHERE state = 'failed' AND id >= 1 AND id < 9 ORDER BY id DESC LIMIT 51`,
		`SELECT id FROM letter WHERE to_key >= 'a' AND to_key < 'b'`,
		`SELECT id FROM letter WHERE substr(to_key, instr(to_key, '@') + 1) >= 'a' AND substr(to_key, instr(to_key, '@') + 1) < 'b'`,
		`SELECT l.id FROM letter l WHERE l.id IN (SELECT letter_id FROM letter_subject WHERE account_id = 1) AND l.id >= 1 AND l.id < 9 ORDER BY l.id DESC LIMIT 51`,
		`SELECT s.letter_id FROM member m JOIN account a ON a.member_id = m.id JOIN letter_subject s ON s.account_id = a.id WHERE m.place IN (1, 2)`,
		`SELECT * FROM letter WHERE copy_of = 1 ORDER BY id DESC LIMIT 1`,
		`SELECT * FROM letter_attempt WHERE letter_id = 1 ORDER BY id`,
		`SELECT * FROM email_change WHERE selector = x'01'`,
		`SELECT * FROM email_change WHERE account_id = 1 AND ended_at IS NULL`,
		`SELECT * FROM email_change WHERE account_id = 1 AND end_reason = 'used' ORDER BY id DESC LIMIT 1`,
		`SELECT l.created_at FROM letter_subject s JOIN letter l ON l.id = s.letter_id
			WHERE s.account_id = 1 AND l.kind IN ('email_confirm', 'email_taken') ORDER BY s.letter_id DESC LIMIT 1 OFFSET 2`,
		`SELECT created_at FROM letter WHERE to_key = 'x' AND kind IN ('email_confirm', 'email_taken') ORDER BY created_at DESC LIMIT 1 OFFSET 4`,
		`SELECT max(at) FROM audit WHERE member_id = 1 AND act = 'account.email_changed' AND at > 1`,
		`SELECT email FROM former_email WHERE member_id = 1 ORDER BY id DESC LIMIT 1`,
		`SELECT max(id) FROM reset WHERE account_id = 1 AND end_reason = 'used'`,
		`SELECT salt FROM account WHERE email_key = 'x' AND id <> 1 ORDER BY id LIMIT 1`,
		`SELECT count(*) FROM intake WHERE done_at IS NULL AND kind <> 'failed'`,
		`SELECT * FROM passkey WHERE credential_id = x'01'`,
		`SELECT * FROM passkey WHERE account_id = 1 ORDER BY id`,
		`SELECT * FROM session WHERE account_id = 1 ORDER BY last_seen_at DESC`,
		`SELECT 1 FROM letter WHERE state = 'accepted' LIMIT 1`,
		`SELECT min(priority) FROM letter INDEXED BY letter_due WHERE state IN ('waiting', 'retrying') AND priority > 1`,
		`SELECT min(due_at) FROM letter INDEXED BY letter_due WHERE state IN ('waiting', 'retrying') AND priority = 1`,
		`SELECT id FROM letter INDEXED BY letter_due WHERE state IN ('waiting', 'retrying') AND priority = 1 AND due_at <= 9 ORDER BY due_at, id LIMIT 1`,
	} {
		for _, step := range plan(t, raw, q) {
			if strings.HasPrefix(step, "SCAN") && !few.MatchString(step) {
				t.Errorf("%s\n\t%s", q, step)
			}
		}
	}
}

// plan is how SQLite means to answer a query, step by step.
func plan(t *testing.T, raw *sql.DB, query string) (steps []string) {
	t.Helper()
	rows, err := raw.Query(`EXPLAIN QUERY PLAN ` + query)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		must(t, rows.Scan(&id, &parent, &unused, &step))
		steps = append(steps, step)
	}
	must(t, rows.Err())
	return steps
}
