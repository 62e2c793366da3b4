package postman

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/wneessen/go-mail"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
	"latchkey/handlers/postman/postmantest"
)

// report is printed by TestMain.
var report dbtest.Report

// A mail server that takes everything and keeps nothing: what it costs is
// counted against both sides.
type pit struct {
	host string
	port int
}

func openPit(b *testing.B) pit {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go swallow(c)
		}
	}()
	at := l.Addr().(*net.TCPAddr)
	return pit{at.IP.String(), at.Port}
}

func swallow(c net.Conn) {
	defer c.Close()
	in, out := bufio.NewReaderSize(c, 64<<10), bufio.NewWriter(c)
	say := func(words string) bool {
		_, _ = out.WriteString(words + "\r\n")
		return out.Flush() == nil
	}
	for ok := say("220 pit.test"); ok; {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		switch string(line[:4]) {
		case "EHLO":
			ok = say("250-pit.test\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
		case "DATA":
			if ok = say("354 go on"); !ok {
				return
			}
			for string(line) != ".\r\n" {
				if line, err = in.ReadSlice('\n'); err != nil {
					return
				}
			}
			ok = say("250 2.0.0 queued as 4711")
		case "QUIT":
			say("221 bye")
			return
		default:
			ok = say("250 2.0.0 OK")
		}
	}
}

// crowd is an outbox for benchmarks: people who each have a live link.
type crowd struct {
	*db.DB
	folder string
	pit    pit
	raw    *sql.DB
	people int
}

func newCrowd(b *testing.B, people int) *crowd {
	b.Helper()
	c := &crowd{folder: b.TempDir(), pit: openPit(b), people: people}
	dbtest.Fill(b, c.folder, 2*people)
	ctx := context.Background()
	var err error
	if c.DB, err = db.Open(ctx, c.folder, db.Fixed{Mail: &model.MailServer{Host: c.pit.host, Port: c.pit.port}}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	if c.raw, err = sql.Open("sqlite3", dbtest.RawDSN(c.folder, "_synchronous=FULL")); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.raw.Close() })
	rs, err := c.raw.Query(`SELECT member_id FROM account WHERE role = 'member' AND disabled_at IS NULL AND email <> '' LIMIT ?`, people)
	if err != nil {
		b.Fatal(err)
	}
	defer rs.Close()
	var ids []int64
	for rs.Next() {
		var id int64
		if err := rs.Scan(&id); err != nil {
			b.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := rs.Err(); err != nil || len(ids) != people {
		b.Fatalf("%d people: %v", len(ids), err)
	}
	owner := dbtest.Owner(b, c.DB)
	for _, id := range ids {
		if err := c.SendPasswordReset(ctx, owner, id); err != nil {
			b.Fatal(err)
		}
	}
	c.exec(b, `CREATE TABLE pattern AS SELECT id FROM letter WHERE state = 'waiting'`)
	c.exec(b, `UPDATE letter SET state = 'withdrawn' WHERE state = 'waiting'`)
	return c
}

func (c *crowd) exec(b *testing.B, statement string, args ...any) {
	b.Helper()
	if _, err := c.raw.Exec(statement, args...); err != nil {
		b.Fatal(err)
	}
}

// post puts a letter to each of them into the outbox.
func (c *crowd) post(b *testing.B) {
	b.Helper()
	for _, statement := range []string{
		`INSERT INTO letter (kind, to_email, to_key, message_id, priority, state, asked_kind, asked_by, created_at, due_at, copy_of)
			SELECT kind, to_email, to_key, lower(hex(randomblob(16))) || '@bench.example', priority, 'waiting', asked_kind, asked_by, created_at, due_at, id
			FROM letter WHERE id IN (SELECT id FROM pattern) ORDER BY id`,
		`INSERT INTO letter_subject (letter_id, account_id, reset_id)
			SELECT l.id, s.account_id, s.reset_id FROM letter l JOIN letter_subject s ON s.letter_id = l.copy_of WHERE l.copy_of IS NOT NULL`,
		`UPDATE letter SET copy_of = NULL WHERE copy_of IS NOT NULL`,
	} {
		c.exec(b, statement)
	}
}

func (c *crowd) count(b *testing.B, state model.LetterState) (n int) {
	b.Helper()
	if err := c.raw.QueryRow(`SELECT count(*) FROM letter WHERE state = ?`, state).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// All letters of the outbox, with every change of their states on disk, beside
// the least that as many letters can cost: the same library in a loop, which
// remembers nothing.
func BenchmarkOutbox(b *testing.B) {
	const letters = 1000
	c := newCrowd(b, letters)
	p := New(c.DB, slog.New(slog.NewTextHandler(io.Discard, nil)))
	b.Cleanup(p.hangUp)
	ours := func() dbtest.Lap {
		c.post(b)
		before := c.count(b, model.LetterAccepted)
		began := time.Now()
		if err := p.round(context.Background()); err != nil {
			b.Fatal(err)
		}
		lap := dbtest.Lap{Took: time.Since(began), Each: make([]time.Duration, letters)}
		if n := c.count(b, model.LetterAccepted) - before; n != letters {
			b.Fatalf("%d letters are accepted", n)
		}
		return lap
	}
	for b.Loop() {
		table := report.Table("The outbox, and go-mail in a bare loop over one connection.", dbtest.VersusColumns("outbox", "bare loop")...)
		found := dbtest.Alternate(ours, c.bare(b, letters, nil), c.bare(b, letters, c.commit(b)), commits(letters, c.commit(b)))
		v := dbtest.Versus{What: "letters to a local server, each change of state on disk", Ours: found[0], Theirs: found[1], Goals: dbtest.Goals{Rate: 0.8}}
		table.AddVersus(v)
		// What a loop costs that is to know after a power cut which letters left.
		table.AddVersus(dbtest.Versus{What: "the same, and one row committed for each letter", Ours: found[0], Theirs: found[2]})
		table.AddVersus(dbtest.Versus{What: "the same, and the rows without letters", Ours: found[0], Theirs: found[3]})
		rate, _, _ := v.Ratios()
		b.ReportMetric(rate, "ratio")
		b.ReportMetric(0, "ns/op") // of a whole comparison, so it says nothing
	}
}

// bare sends as many letters of the same size, one after another.
func (c *crowd) bare(b *testing.B, letters int, left func(n int)) func() dbtest.Lap {
	b.Helper()
	c.post(b)
	one, err := c.ClaimLetter(context.Background())
	if err != nil || one == nil {
		b.Fatal(one, err)
	}
	c.exec(b, `UPDATE letter SET state = 'withdrawn' WHERE state IN ('waiting', 'sending')`)
	out, err := write(*one, c.Now(), nil)
	if err != nil {
		b.Fatal(err)
	}
	like, err := postmantest.ReadLetter(out.raw)
	if err != nil {
		b.Fatal(err)
	}
	client, err := mail.NewClient(c.pit.host, mail.WithPort(c.pit.port), mail.WithTLSPolicy(mail.NoTLS), mail.WithoutNoop())
	if err != nil {
		b.Fatal(err)
	}
	if err := client.DialWithContext(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	return func() dbtest.Lap {
		began := time.Now()
		for i := range letters {
			m := mail.NewMsg(mail.WithNoDefaultUserAgent())
			if err := m.From("no-reply@members.example"); err != nil {
				b.Fatal(err)
			}
			if err := m.To(fmt.Sprintf("m%d@example.org", i)); err != nil {
				b.Fatal(err)
			}
			m.Subject(like.Subject)
			m.SetDate()
			m.SetMessageID()
			m.SetBodyString(mail.TypeTextPlain, like.Text)
			m.AddAlternativeString(mail.TypeTextHTML, like.HTML)
			if err := client.Send(m); err != nil {
				b.Fatal(err)
			}
			if left != nil {
				left(i)
			}
		}
		return dbtest.Lap{Took: time.Since(began), Each: make([]time.Duration, letters)}
	}
}

// commit writes one row so that a power cut does not lose it, past the
// portal's database.
func (c *crowd) commit(b *testing.B) func(n int) {
	b.Helper()
	raw, err := sql.Open("sqlite3", "file:"+filepath.Join(b.TempDir(), "bare.db")+"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = raw.Close() })
	raw.SetMaxOpenConns(1)
	if _, err := raw.Exec(`CREATE TABLE sent (id INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT`); err != nil {
		b.Fatal(err)
	}
	insert, err := raw.Prepare(`INSERT INTO sent (n) VALUES (?)`)
	if err != nil {
		b.Fatal(err)
	}
	return func(n int) {
		if _, err := insert.Exec(n); err != nil {
			b.Fatal(err)
		}
	}
}

func commits(n int, commit func(int)) func() dbtest.Lap {
	return func() dbtest.Lap {
		began := time.Now()
		for i := range n {
			commit(i)
		}
		return dbtest.Lap{Took: time.Since(began), Each: make([]time.Duration, n)}
	}
}
