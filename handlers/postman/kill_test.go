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
	code := m.Run()
	report.Print(os.Stdout)
	os.Exit(code)
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

// kill -9, again and again, while a thousand letters or more are under way. None is
// lost, and none arrives twice but where a crash fell between the server's 250
// and our commit: then the sink has it and the outbox does not say so. Those are
// atOnce letters for each crash at the most.
func TestKilledAgainAndAgainThePostmanLosesNoLetter(t *testing.T) {
	kills := 10
	if os.Getenv("LATCHKEY_SOAK") != "" {
		kills = 200
	}
	letters := 100 * kills // so many that the last kill hits some, too
	o := open(t, postmantest.NewSink(t, nil))
	copies(t, o.folder, letters)

	var before map[string]int    // arrivals at the crash before
	doubtful := map[string]int{} // how often a letter was taken and not noted, by Message-ID
	crashes, inDoubt := 0, 0     // after which there were some, and how many
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
		eventually(t, "the sink to read what was on its way", func() bool { return o.sink.Open() == 0 })
		between := takenUnnoted(t, o, before)
		before = arrivals(o.sink)
		if len(between) > atOnce {
			t.Errorf("%d letters were taken and not noted when the postman was killed: %q", len(between), between)
		}
		for _, id := range between {
			doubtful[id]++
		}
		inDoubt += len(between)
		if len(between) > 0 {
			crashes++
		}
	}
	if n := len(before); n >= letters {
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
	for id, n := range arrived {
		twice += n - 1
		if n-1 > doubtful[id] {
			t.Errorf("%s arrived %d times, and a crash explains %d", id, n, 1+doubtful[id])
		}
	}
	if len(arrived) != letters || count(t, o.folder, "accepted") < letters {
		t.Errorf("%d letters of %d arrived, %d are accepted", len(arrived), letters, count(t, o.folder, "accepted"))
	}
	t.Logf("%d letters, %d kills, %d of them between the server's 250 and our commit of %d letters: %d lost, %d came twice",
		letters, kills, crashes, inDoubt, letters-len(arrived), twice)
}

// takenUnnoted is the letters that the sink answered with 250 since it had
// those of before, and that count as under way, by Message-ID.
func takenUnnoted(t *testing.T, o *office, before map[string]int) (ids []string) {
	t.Helper()
	arrived := arrivals(o.sink)
	rs, err := openRaw(t, o.folder).QueryContext(t.Context(), `SELECT message_id FROM letter WHERE state = 'sending'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rs.Close()
	for rs.Next() {
		var id string
		if err := rs.Scan(&id); err != nil {
			t.Fatal(err)
		}
		if arrived[id] > before[id] {
			ids = append(ids, id)
		}
	}
	if err := rs.Err(); err != nil {
		t.Fatal(err)
	}
	return ids
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
