package dbtest_test

import (
	"strings"
	"testing"
	"time"

	"latchkey/db/dbtest"
)

func TestPercentilesAreValuesThatOccurred(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, c := range []struct {
		of   []time.Duration
		p    int
		want time.Duration
	}{
		{nil, 99, 0}, {hundred[:1], 50, 1}, {hundred[:1], 99, 1}, {hundred[:2], 50, 1}, {hundred[:3], 50, 2},
		{hundred, 50, 50}, {hundred, 99, 99}, {hundred, 100, 100}, {hundred[:10], 99, 10},
	} {
		if got := dbtest.Percentile(c.of, c.p); got != c.want {
			t.Errorf("%d in a hundred of %d: %d, not %d", c.p, len(c.of), got, c.want)
		}
	}
	if got := dbtest.Median([]int{5, 1, 4, 2, 3}); got != 3 {
		t.Errorf("the median is %d", got)
	}
}

func TestSidesAlternateAndChangeOrder(t *testing.T) {
	var turns strings.Builder
	side := func(name string, each time.Duration) func() dbtest.Lap {
		return func() dbtest.Lap {
			turns.WriteString(name)
			return dbtest.Lap{Took: time.Second, Each: []time.Duration{each, 3 * each, 2 * each}}
		}
	}
	found := dbtest.Alternate(side("a", time.Millisecond), side("b", time.Second))
	if got := turns.String(); got != "abbaabbaab" {
		t.Errorf("the turns are %s", got)
	}
	want := dbtest.Figures{PerSecond: 3, P50: 2 * time.Millisecond, P99: 3 * time.Millisecond}
	if found[0] != want {
		t.Errorf("%+v, not %+v", found[0], want)
	}
}

func TestATableSaysWhetherEveryGoalIsMet(t *testing.T) {
	ours := dbtest.Figures{PerSecond: 700, P50: 2 * time.Millisecond, P99: 30 * time.Millisecond}
	theirs := dbtest.Figures{PerSecond: 1000, P50: time.Millisecond, P99: 10 * time.Millisecond}
	for _, c := range []struct {
		goals      dbtest.Goals
		words, met string
	}{
		{dbtest.Goals{}, "", ""},
		{dbtest.Goals{Rate: 0.7}, "ratio ≥ 0.70", "yes"},
		{dbtest.Goals{Rate: 0.71}, "ratio ≥ 0.71", "no"},
		{dbtest.Goals{Rate: 0.6, P99: 2}, "ratio ≥ 0.60, p99 ≤ 2×", "no"},
		{dbtest.Goals{P50: 2, P99: 3}, "p50 ≤ 2×, p99 ≤ 3×", "yes"},
		{dbtest.Goals{Within: 0.03}, "p50 within 3 %", "no"},
	} {
		var table dbtest.Table
		table.AddVersus(dbtest.Versus{What: "a page", Ours: ours, Theirs: theirs, Goals: c.goals})
		row := table.Rows[0]
		if got := row[len(row)-2:]; got[0] != c.words || got[1] != c.met {
			t.Errorf("%+v: %q", c.goals, got)
		}
	}
	var table dbtest.Table
	table.AddVersus(dbtest.Versus{What: "alone", Ours: ours})
	if got := strings.Join(table.Rows[0], "|"); got != "alone|700/s|||2 ms||30 ms|||" {
		t.Errorf("without another side: %s", got)
	}
}
