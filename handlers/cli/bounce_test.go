package cli_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// returned is a portal in a folder, with a letter that left to Nina Holm.
func returned(t *testing.T) (folder string, d *db.DB, nina int64, path string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "data")
	d, _ = dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	dbtest.SetBounceAddress(t, d)
	nina = dbtest.MemberWithAccount(t, d, "Nina Holm", "nina@example.org")
	all := dbtest.Deliver(t, d)
	return folder, d, nina, all[len(all)-1].ReturnPath
}

func letterState(t *testing.T, d *db.DB, member int64) model.LetterState {
	t.Helper()
	r, err := d.RecordWithoutLink(t.Context(), model.ShellActor(), member)
	if err != nil {
		t.Fatal(err)
	}
	return r.LastLetter.State
}

func pipe(t *testing.T, folder, message string) (status int, stdout, stderr string) {
	t.Helper()
	c := command(t, nil, "bounce", "--data", folder)
	c.Stdin = strings.NewReader(message)
	return finish(t, c)
}

func TestAPipedReportIsNotedWhileThePortalIsOpen(t *testing.T) {
	folder, d, nina, path := returned(t)
	report := string(dbtest.DeliveryReport(path, "failed", "5.1.1", "550 5.1.1 unknown"))
	for name, message := range map[string]string{
		"nothing": "", "nonsense": "\x00\xff", "somebody on holiday": "To: " + path + "\n\nI am away.",
		"forged": strings.ReplaceAll(report, path, "bounces+1-aaaaaaaaaaaaaaaa@riverside.example"),
		"huge":   "To: " + path + "\n\n" + strings.Repeat("very long ", model.BounceLimit/5),
	} {
		if status, stdout, stderr := pipe(t, folder, message); status != 0 || stdout+stderr != "" {
			t.Errorf("%s: status %d, %q", name, status, stdout+stderr)
		}
	}
	if got := letterState(t, d, nina); got != model.LetterAccepted {
		t.Fatalf("the letter is %s", got)
	}
	if status, stdout, stderr := pipe(t, folder, "From MAILER-DAEMON  Mon Nov 23 11:42:03 2026\n"+report); status != 0 || stdout+stderr != "" {
		t.Errorf("status %d, %q", status, stdout+stderr)
	}
	if got := letterState(t, d, nina); got != model.LetterBounced {
		t.Errorf("the letter is %s", got)
	}
}

// The mail server keeps the message and tries again, instead of returning it.
func TestAReportThatCannotBeTakenNowIsKeptByTheMailServer(t *testing.T) {
	t.Run("no portal", func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "nothing")
		status, stdout, stderr := pipe(t, folder, "x")
		if status != 75 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "--data") {
			t.Errorf("status %d, %q, %q", status, stdout, stderr)
		}
		if _, err := os.Stat(folder); err == nil {
			t.Error("a portal was made")
		}
	})
	t.Run("no key", func(t *testing.T) {
		folder := setUp(t)
		if err := os.Remove(filepath.Join(folder, "secret.key")); err != nil {
			t.Fatal(err)
		}
		if status, _, stderr := pipe(t, folder, "x"); status != 75 || !strings.Contains(stderr, "key file") {
			t.Errorf("status %d, %q", status, stderr)
		}
	})
	t.Run("a busy database", func(t *testing.T) {
		folder, d, nina, path := returned(t)
		report := string(dbtest.DeliveryReport(path, "failed", "5.1.1", "550 5.1.1 unknown"))
		raw, err := sql.Open("sqlite3", filepath.Join(folder, "latchkey.db")+"?_txlock=exclusive")
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		busy, err := raw.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, stdout, stderr := pipe(t, folder, report); status != 75 || stdout != "" || !strings.Contains(stderr, "locked") {
			t.Errorf("status %d, %q, %q", status, stdout, stderr)
		}
		if err := busy.Rollback(); err != nil {
			t.Fatal(err)
		}
		if got := letterState(t, d, nina); got != model.LetterAccepted {
			t.Errorf("the letter is %s", got)
		}
		if status, _, stderr := pipe(t, folder, report); status != 0 || letterState(t, d, nina) != model.LetterBounced {
			t.Errorf("status %d, %q, the letter is %s", status, stderr, letterState(t, d, nina))
		}
	})
}

func TestTheHelpTellsMailServersTheStatuses(t *testing.T) {
	status, stdout, _ := finish(t, command(t, nil, "bounce", "--help"))
	if status != 0 || !strings.Contains(stdout, "75  it cannot be taken now") || !strings.Contains(stdout, "0   the message is dealt with") || !strings.Contains(stdout, ".forward") {
		t.Errorf("status %d:\n%s", status, stdout)
	}
}
