package db_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
)

// report is printed by TestMain.
var report dbtest.Report

func TestMain(m *testing.M) {
	code := m.Run()
	report.Print(os.Stdout)
	os.Exit(code)
}

// outbox is a portal in which so many letters wait, due and not yet due, of
// three priorities.
type outbox struct {
	*db.DB
	raw *sql.DB
	ids []int64
}

func newOutbox(b *testing.B, waiting int) *outbox {
	b.Helper()
	folder := b.TempDir()
	dbtest.Fill(b, folder, 2000)
	d, err := db.Open(context.Background(), folder, db.Fixed{Mail: &dbtest.Mail})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	raw, err := sql.Open("sqlite3", dbtest.RawDSN(folder, "_synchronous=OFF"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = raw.Close() })
	now := d.Now().Unix()
	for _, statement := range []string{
		// A third is of each priority; of the most urgent only every tenth is due.
		`INSERT INTO letter (kind, to_email, to_key, message_id, priority, state, asked_kind, created_at, due_at)
			WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?2)
			SELECT 'ring_us', n || '@example.org', n || '@example.org', n || '@waiting.example', n % 3, 'waiting', 'automatic', ?1 - n,
				?1 - n + iif(n % 3 = 0 AND n % 10 <> 0, 900000, 0)
			FROM number`,
		`INSERT INTO letter_subject (letter_id, account_id)
			SELECT id, (SELECT max(id) FROM account) - id % 1000 FROM letter WHERE state = 'waiting' AND ?1 + ?2 > 0`,
	} {
		if _, err := raw.Exec(statement, now, waiting); err != nil {
			b.Fatal(err)
		}
	}
	o := &outbox{DB: d, raw: raw}
	rs, err := raw.Query(`SELECT id FROM letter WHERE state = 'waiting' AND due_at <= ? ORDER BY random()`, now)
	if err != nil {
		b.Fatal(err)
	}
	defer rs.Close()
	for rs.Next() {
		var id int64
		if err := rs.Scan(&id); err != nil {
			b.Fatal(err)
		}
		o.ids = append(o.ids, id)
	}
	if err := rs.Err(); err != nil || len(o.ids) == 0 {
		b.Fatal(len(o.ids), err)
	}
	return o
}

// times does something again and again.
func times(b *testing.B, n int, do func(i int) error) func() dbtest.Lap {
	return func() dbtest.Lap {
		b.Helper()
		var lap dbtest.Lap
		began := time.Now()
		for i := range n {
			at := time.Now()
			if err := do(i); err != nil {
				b.Fatal(err)
			}
			lap.Each = append(lap.Each, time.Since(at))
		}
		lap.Took = time.Since(began)
		return lap
	}
}

// To find the next letter must not take longer because many wait.
func BenchmarkClaim(b *testing.B) {
	const many, claims = 50_000, 1000
	full, few := newOutbox(b, many), newOutbox(b, 2*claims)
	ctx := context.Background()
	next, point, end, err := full.Finding(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = end() }()
	for b.Loop() {
		table := report.Table("The next letter among "+dbtest.Grouped(many)+" that wait, and what that is compared with.", dbtest.VersusColumns("next letter", "compared")...)
		const reads = 20_000
		found := dbtest.Alternate(
			times(b, reads, func(int) error { _, err := next(); return err }),
			times(b, reads, func(i int) error { _, err := point(full.ids[i%len(full.ids)]); return err }))
		v := dbtest.Versus{What: "found, and a letter read by its id", Ours: found[0], Theirs: found[1], Goals: dbtest.Goals{P50: 2}}
		table.AddVersus(v)
		_, p50, _ := v.Ratios()
		b.ReportMetric(p50, "found:p50-ratio")

		// One by one in pairs, because the disk's mood changes from second to second.
		var sides [2]dbtest.Lap
		for range claims {
			for side, o := range []*outbox{full, few} {
				began := time.Now()
				c, err := o.ClaimLetter(ctx)
				if err != nil || c == nil {
					b.Fatal(c, err)
				}
				sides[side].Each = append(sides[side].Each, time.Since(began))
				sides[side].Took += sides[side].Each[len(sides[side].Each)-1]
			}
		}
		for _, o := range []*outbox{full, few} {
			if _, err := o.raw.Exec(`UPDATE letter SET state = 'waiting' WHERE state = 'sending'`); err != nil {
				b.Fatal(err)
			}
		}
		v = dbtest.Versus{What: "claimed on disk, and claimed among " + dbtest.Grouped(2*claims), Ours: sides[0].Figures(), Theirs: sides[1].Figures(), Goals: dbtest.Goals{P50: 1.2}}
		table.AddVersus(v)
		_, p50, _ = v.Ratios()
		b.ReportMetric(p50, "claimed:p50-ratio")
		b.ReportMetric(0, "ns/op") // of all of this, so it says nothing
	}
}

// The staff home, and a request for a password with an address that nobody has:
// neither may become a walk through everybody.
func BenchmarkAttention(b *testing.B) {
	folder := b.TempDir()
	members := dbtest.Members(b)
	dbtest.Fill(b, folder, members)
	ctx := context.Background()
	d, err := db.Open(ctx, folder, db.Fixed{Mail: &dbtest.Mail})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	owner := dbtest.Owner(b, d)
	const reads, requests = 200, 20
	for b.Loop() {
		table := report.Table("Needs attention, with "+dbtest.Grouped(members)+" members.", "what", "median")
		home := times(b, reads, func(int) error { _, err := d.Attention(ctx, owner); return err })()
		intake := times(b, requests, func(i int) error {
			if err := d.AskReset(ctx, fmt.Sprintf("somebody.or.other%d@rowing-club.example", i), "192.0.2.0/24"); err != nil {
				return err
			}
			_, err := d.WorkIntake(ctx)
			return err
		})()
		table.Add("the staff home's facts", dbtest.Span(dbtest.Median(home.Each)))
		table.Add("a request with an address that nobody has, looked up and answered", dbtest.Span(dbtest.Median(intake.Each)))
		b.ReportMetric(0, "ns/op") // of both, so it says nothing
	}
}
