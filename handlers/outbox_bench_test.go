package handlers

import (
	"testing"

	"latchkey/db/dbtest"
)

// The office does not feel that an outbox is full: the pages on which letters
// are seen, with many that wait and with none.
func BenchmarkPagesBesideAFullOutbox(b *testing.B) {
	f := portalFull(b)
	const many = 50_000
	exec := func(statement string, args ...any) {
		b.Helper()
		if _, err := f.raw.Exec(statement, args...); err != nil {
			b.Fatal(err)
		}
	}
	empty := func() {
		exec(`DELETE FROM letter WHERE message_id LIKE '%@waiting.example'`)
		exec(`DELETE FROM letter_subject WHERE letter_id > (SELECT max(id) FROM letter)`)
	}
	b.Cleanup(empty)
	fill := func() {
		exec(`INSERT INTO letter (kind, to_email, to_key, message_id, priority, state, asked_kind, created_at, due_at)
			WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
			SELECT 'welcome', n || '@example.org', n || '@example.org', n || '@waiting.example', 0, 'waiting', 'automatic', ?, ? FROM number`,
			many, f.db.Now().Unix(), f.db.Now().Unix())
		exec(`INSERT INTO letter_subject (letter_id, account_id, reset_id)
			SELECT l.id, a.id, (SELECT max(r.id) FROM reset r WHERE r.account_id = a.id)
			FROM letter l JOIN account a ON a.id = 1 + l.id % (SELECT max(id) FROM account) WHERE l.message_id LIKE '%@waiting.example'`)
	}
	for b.Loop() {
		table := report.Table("Pages with "+dbtest.Grouped(many)+" letters that wait, and with none.", dbtest.VersusColumns("full outbox", "empty outbox")...)
		for _, page := range []struct {
			what string
			ask  writer
			seen string
		}{
			{"Settings tab", f.tab("/settings"), aTab},
			{"list of 50 with its total", f.pages([]string{"/admin/members"}), aHit},
			{"letter log", f.pages([]string{"/admin/letters"}), "<td"},
		} {
			lap := newVisitors(b, several, f.addr, page.ask, holds(page.seen)).lap(b, turn)
			with := func(outbox func()) func() dbtest.Lap {
				return func() dbtest.Lap {
					empty()
					outbox()
					lap()
					return lap()
				}
			}
			compare(b, table, page.what, dbtest.Goals{P50: 1.2}, with(fill), with(func() {}))
		}
	}
}
