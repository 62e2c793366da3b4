package dbtest

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rounds is how often each side of a comparison has its turn.
const Rounds = 5

// Lap is what one side did in one turn.
type Lap struct {
	Took time.Duration   // the turn
	Each []time.Duration // every single thing that was done in it, in any order
}

// Figures is what one side did, each the median over the rounds. A median of a
// round's 99th percentiles says more than that of all together: one pause of
// the machine is in one round, and not in all.
type Figures struct {
	PerSecond float64
	P50, P99  time.Duration
}

// Alternate gives every side its turn in each of several rounds, so a machine
// that grows slower meanwhile does so for all. Every second round goes
// backwards, so nobody always comes after the same other.
func Alternate(sides ...func() Lap) []Figures {
	laps := make([][]Figures, len(sides))
	for round := range Rounds {
		for i := range sides {
			if round%2 == 1 {
				i = len(sides) - 1 - i
			}
			runtime.GC() // nobody clears up after the one before
			laps[i] = append(laps[i], sides[i]().Figures())
		}
	}
	all := make([]Figures, len(sides))
	for i, l := range laps {
		all[i] = Figures{
			PerSecond: medianOf(l, func(f Figures) float64 { return f.PerSecond }),
			P50:       medianOf(l, func(f Figures) time.Duration { return f.P50 }),
			P99:       medianOf(l, func(f Figures) time.Duration { return f.P99 }),
		}
	}
	return all
}

// Figures is what came of one turn.
func (l Lap) Figures() Figures {
	slices.Sort(l.Each)
	return Figures{PerSecond: float64(len(l.Each)) / l.Took.Seconds(), P50: Percentile(l.Each, 50), P99: Percentile(l.Each, 99)}
}

func medianOf[T any, N cmp.Ordered](all []T, of func(T) N) N {
	var ns []N
	for _, one := range all {
		ns = append(ns, of(one))
	}
	return Median(ns)
}

// Median is the one in the middle, the lower of two; zero of none.
func Median[N cmp.Ordered](all []N) N {
	all = slices.Sorted(slices.Values(all))
	if len(all) == 0 {
		var zero N
		return zero
	}
	return all[(len(all)-1)/2]
}

// Percentile is the least of sorted values that p in a hundred do not exceed
// (nearest rank); zero of none.
func Percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*p+99)/100-1]
}

// Table is figures as the README quotes them.
type Table struct {
	Title   string
	Columns []string
	Rows    [][]string
}

// Add puts a row at the end.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Goals is what a comparison is to keep, as multiples of the other side's
// figure. What is zero is not asked for.
type Goals struct {
	Rate     float64 // requests per second, at least
	P50, P99 float64 // at most
	Within   float64 // how far the medians may be apart, either way, in parts of one
}

// Versus is one side beside another.
type Versus struct {
	What         string
	Ours, Theirs Figures
	Goals        Goals
}

// VersusColumns are the heads of the cells that AddVersus fills. ours and
// theirs say what is compared.
func VersusColumns(ours, theirs string) []string {
	return []string{"what", ours, theirs, "ratio", "p50", "p50 ratio", "p99", "p99 ratio", "goal", "met?"}
}

// AddVersus puts a comparison at the end.
func (t *Table) AddVersus(v Versus) {
	rate, p50, p99 := v.Ratios()
	goal, met := v.verdict()
	t.Add(v.What, perSecond(v.Ours.PerSecond), perSecond(v.Theirs.PerSecond), times(rate),
		Span(v.Ours.P50), times(p50), Span(v.Ours.P99), times(p99), goal, met)
}

// Ratios are our figures in parts of theirs; infinite where they have none.
func (v Versus) Ratios() (rate, p50, p99 float64) {
	return v.Ours.PerSecond / v.Theirs.PerSecond,
		float64(v.Ours.P50) / float64(v.Theirs.P50), float64(v.Ours.P99) / float64(v.Theirs.P99)
}

func (v Versus) verdict() (goal, met string) {
	rate, p50, p99 := v.Ratios()
	var asked []string
	kept := true
	ask := func(words string, ok bool) {
		asked, kept = append(asked, words), kept && ok
	}
	if g := v.Goals.Rate; g > 0 {
		ask("ratio ≥ "+times(g), rate >= g)
	}
	if g := v.Goals.P50; g > 0 {
		ask(fmt.Sprintf("p50 ≤ %g×", g), p50 <= g)
	}
	if g := v.Goals.P99; g > 0 {
		ask(fmt.Sprintf("p99 ≤ %g×", g), p99 <= g)
	}
	if g := v.Goals.Within; g > 0 {
		ask(fmt.Sprintf("p50 within %g %%", 100*g), max(p50-1, 1-p50) <= g)
	}
	if len(asked) == 0 {
		return "", ""
	}
	return strings.Join(asked, ", "), YesNo(kept)
}

// YesNo is how a table says whether a goal was met.
func YesNo(met bool) string {
	if met {
		return "yes"
	}
	return "no"
}

// times is "" where there is nothing to compare with.
func times(n float64) string {
	if math.IsInf(n, 0) || math.IsNaN(n) {
		return ""
	}
	return fmt.Sprintf("%.2f", n)
}

func perSecond(n float64) string {
	switch {
	case n == 0:
		return ""
	case n < 100:
		return fmt.Sprintf("%.1f/s", n)
	}
	return Grouped(int(n+0.5)) + "/s"
}

// Grouped is a whole number with its thousands apart.
func Grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Span is a time with three digits, "" for none.
func Span(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/float64(time.Microsecond))
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}

// Report is the tables of one run. The benchmarks of a package add to it, and
// its TestMain prints it once they are all done: between the lines that go
// test prints, nobody could read it.
type Report struct {
	Members int // that the portal was filled with; 0 if it was not
	tables  []*Table
}

// Table begins a table.
func (r *Report) Table(title string, columns ...string) *Table {
	t := &Table{Title: title, Columns: columns}
	r.tables = append(r.tables, t)
	return t
}

// Print writes the machine and the tables, in Markdown; nothing if no
// benchmark ran.
func (r *Report) Print(w io.Writer) {
	if len(r.tables) == 0 {
		return
	}
	fmt.Fprintf(w, "\nGOMAXPROCS %d, %s %s/%s, medians of %d rounds", runtime.GOMAXPROCS(0), runtime.Version(), runtime.GOOS, runtime.GOARCH, Rounds)
	if r.Members > 0 {
		fmt.Fprintf(w, ", %s members", Grouped(r.Members))
	}
	fmt.Fprintln(w)
	for _, t := range r.tables {
		if len(t.Rows) == 0 {
			continue // it broke off, and go test says why
		}
		fmt.Fprintf(w, "\n%s\n\n| %s |\n|%s\n", t.Title, strings.Join(t.Columns, " | "), strings.Repeat("---|", len(t.Columns)))
		for _, row := range t.Rows {
			fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
		}
	}
	fmt.Fprintln(w)
}
