package postman

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
	"latchkey/handlers/postman/postmantest"
)

// A postman in a process of his own, to be killed: this test binary, with the
// folder and the mail server in its environment.
const (
	folderOfPostman = "LATCHKEY_TEST_FOLDER"
	serverOfPostman = "LATCHKEY_TEST_SMTP"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(folderOfPostman); folder != "" {
		fmt.Fprintln(os.Stderr, deliver(folder, os.Getenv(serverOfPostman)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// deliver delivers until the process is killed.
func deliver(folder, smtp string) error {
	server, err := model.ParseMailServer(smtp)
	if err != nil {
		return err
	}
	d, err := db.Open(context.Background(), folder, db.Fixed{Mail: &server})
	if err != nil {
		return err
	}
	d.SetClock(func() time.Time { return dbtest.Start })
	return New(d, slog.New(slog.NewTextHandler(io.Discard, nil))).Run(context.Background())
}

// kill -9, again and again, while a thousand letters are under way. None is
// lost; one may arrive twice for each crash between the server's 250 and our
// commit, and none for any other reason.
func TestKilledAgainAndAgainThePostmanLosesNoLetter(t *testing.T) {
	const letters = 1000
	kills := 10
	if os.Getenv("LATCHKEY_SOAK") != "" {
		kills = 200
	}
	o := open(t, postmantest.NewSink(t, nil))
	copies(t, o.folder, letters)

	for n := range kills {
		postman := exec.Command(os.Args[0])
		postman.Env = append(os.Environ(), folderOfPostman+"="+o.folder, serverOfPostman+"="+o.server.URL())
		postman.Stderr = os.Stderr
		if err := postman.Start(); err != nil {
			t.Fatal(err)
		}
		seen := len(o.sink.Letters())
		most := max(1, letters*9/10*(n+1)/kills-seen) // some are left for the last kill to hit
		wanted := seen + 1 + rand.IntN(most)
		o.sink.Await(func() bool { return len(o.sink.Letters()) >= wanted })
		<-time.After(rand.N(10 * time.Millisecond)) // anywhere in the life of a letter, which takes about five
		if err := postman.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = postman.Wait() // "signal: killed"
	}
	if n := len(o.sink.Letters()); n >= letters {
		t.Fatalf("%d letters had arrived before the last kill: it hit nobody", n)
	}
	o.run(o.another(o.DB))
	o.sink.Await(func() bool { return len(arrivals(o.sink)) >= letters })
	eventually(t, "the last answer to be noted", func() bool {
		due, err := o.NextLetter(t.Context())
		return err == nil && due.IsZero() && count(t, o.folder, "sending") == 0
	})

	arrived := arrivals(o.sink)
	twice := 0
	for _, n := range arrived {
		twice += n - 1
	}
	if len(arrived) != letters || count(t, o.folder, "accepted") < letters {
		t.Errorf("%d letters of %d arrived, %d are accepted", len(arrived), letters, count(t, o.folder, "accepted"))
	}
	if twice > kills {
		t.Errorf("%d copies too many after %d kills", twice, kills)
	}
	t.Logf("%d letters, %d kills: none lost, %d arrived twice", letters, kills, twice)
}

// arrivals is how often each letter arrived, by Message-ID.
func arrivals(s *postmantest.Sink) map[string]int {
	all := map[string]int{}
	for _, l := range s.Letters() {
		all[l.MessageID()]++
	}
	return all
}

// copies makes Anna's waiting letter one of many with the same link. Acts would
// make them too, but slowly.
func copies(t *testing.T, folder string, n int) {
	t.Helper()
	raw := openRaw(t, folder)
	for _, statement := range []string{
		`INSERT INTO letter (kind, to_email, to_key, message_id, priority, state, asked_kind, created_at, due_at)
			WITH RECURSIVE number (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
			SELECT kind, 'm' || n || '@example.org', 'm' || n || '@example.org', n || '@copies.example', priority, state, asked_kind, created_at, due_at
			FROM number, (SELECT * FROM letter WHERE state = 'waiting' ORDER BY id DESC LIMIT 1)`,
		`INSERT INTO letter_subject (letter_id, account_id, reset_id)
			SELECT l.id, s.account_id, s.reset_id FROM letter l,
				(SELECT * FROM letter_subject ORDER BY letter_id DESC LIMIT 1) s
			WHERE l.message_id LIKE '%@copies.example' AND ? > 0`,
	} {
		if _, err := raw.ExecContext(t.Context(), statement, n); err != nil {
			t.Fatal(err)
		}
	}
	if got := count(t, folder, "waiting"); got != n {
		t.Fatalf("%d letters wait, want %d", got, n)
	}
}

func count(t *testing.T, folder string, state model.LetterState) (n int) {
	t.Helper()
	if err := openRaw(t, folder).QueryRowContext(t.Context(), `SELECT count(*) FROM letter WHERE state = ?`, state).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// openRaw is the database without the portal around it.
func openRaw(t *testing.T, folder string) *sql.DB {
	t.Helper()
	raw, err := sql.Open("sqlite3", filepath.Join(folder, "latchkey.db")+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}
