package db_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// roll is what a plain scan needs to answer a query: the records and accounts
// as the portal shows them one by one.
type roll struct {
	members  []model.Member
	accounts map[int64]*model.Account
	terms    map[int64][]string
	keys     map[int64]string
}

func readRoll(t *testing.T, d *db.DB, ids []int64) roll {
	t.Helper()
	r := roll{accounts: map[int64]*model.Account{}, terms: map[int64][]string{}, keys: map[int64]string{}}
	for _, id := range ids {
		m, a, err := d.Member(t.Context(), model.ShellActor(), id)
		if err != nil {
			t.Fatal(err)
		}
		r.members, r.accounts[id] = append(r.members, m), a
		r.terms[id], r.keys[id] = strings.Fields(m.SearchText()), m.SortKey()
	}
	return r
}

// scan answers a query by looking at everybody.
func (r roll) scan(q model.MemberQuery) []int64 {
	words := model.SearchWords(q.Text)
	if strings.TrimSpace(q.Text) != "" && len(words) == 0 {
		return nil
	}
	var hits []model.Member
	for _, m := range r.members {
		a := r.accounts[m.ID]
		switch {
		case q.Status != "" && m.Status != q.Status,
			q.Filter == model.FilterNoAccount && a != nil,
			q.Filter == model.FilterNeverSignedIn && (a == nil || !a.LastSignInAt.IsZero()),
			q.Filter == model.FilterBlocked && (a == nil || !a.Disabled()),
			q.Filter == model.FilterStaff && (a == nil || !a.Role.InOffice()):
			continue
		}
		terms := r.terms[m.ID]
		all := true
		for _, w := range words {
			all = all && slices.ContainsFunc(terms, func(t string) bool { return strings.HasPrefix(t, w) })
		}
		if all {
			hits = append(hits, m)
		}
	}
	last := func(m model.Member) int64 {
		if a := r.accounts[m.ID]; a != nil && !a.LastSignInAt.IsZero() {
			return a.LastSignInAt.Unix()
		}
		return 0
	}
	slices.SortFunc(hits, func(a, b model.Member) int {
		switch {
		case q.Sort == model.SortName && r.keys[a.ID] != r.keys[b.ID]:
			return strings.Compare(r.keys[a.ID], r.keys[b.ID])
		case q.Sort == model.SortName:
			return int(a.ID - b.ID)
		case q.Sort == model.SortLastSignIn && last(a) != last(b):
			return int(last(b) - last(a))
		}
		return int(b.ID - a.ID)
	})
	var ids []int64
	for _, m := range hits {
		ids = append(ids, m.ID)
	}
	return ids
}

// browse reads pages, forward and back again; all of them if that many are
// enough.
func browse(t *testing.T, d *db.DB, q model.MemberQuery, most int) (ids []int64, total int) {
	t.Helper()
	var pages []model.MemberPage
	for len(pages) < most {
		page, err := d.Members(t.Context(), model.ShellActor(), q)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		pages = append(pages, page)
		for _, r := range page.Rows {
			ids = append(ids, r.ID)
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	for i := len(pages) - 1; i > 0; i-- {
		q.After, q.Before = "", pages[i].Prev
		page, err := d.Members(t.Context(), model.ShellActor(), q)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(page.Rows, pages[i-1].Rows, func(a, b model.MemberRow) bool { return a.ID == b.ID }) || page.Next == "" || (page.Prev == "") != (i == 1) {
			t.Fatalf("%+v: page %d back is another one than forward", q, i-1)
		}
	}
	for _, p := range pages {
		if total = pages[0].Total; p.Total != total {
			t.Fatalf("%+v: total %d, then %d", q, total, p.Total)
		}
	}
	return ids, total
}

// agrees compares the first pages of a query, or all of them, with a scan.
func (r roll) agrees(t *testing.T, d *db.DB, q model.MemberQuery, pages int) {
	t.Helper()
	got, total := browse(t, d, q, pages)
	want := r.scan(q)
	if total != len(want) || !slices.Equal(got, want[:min(len(want), pages*q.PerPage())]) {
		t.Fatalf("%+v finds %d, a plain scan %d: %v and %v", q, total, len(want), got, want)
	}
}

// parts of names and words are few, so that many members share them and their
// beginnings: the index has crowds, small sets and all between.
var syllables = []string{"an", "ber", "ça", "do", "Ed", "fö", "Gu", "Ha", "Ił", "jo", "ka", "l", "M", "na", "o’", "ß", "ри", "سا"}

func randomWord(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(4) {
		b.WriteString(syllables[r.IntN(len(syllables))])
	}
	return b.String()
}

func randomMember(r *rand.Rand, no int) model.Member {
	m := model.Member{FirstName: randomWord(r), LastName: randomWord(r), Status: model.Statuses[r.IntN(4)]}
	if r.IntN(3) == 0 {
		m.LastName = "Same"
	}
	if r.IntN(2) == 0 {
		m.Company = randomWord(r) + " & " + randomWord(r)
	}
	if r.IntN(2) == 0 {
		m.Phone = fmt.Sprintf("+49 (0)%d-%d", r.IntN(1000), r.IntN(10000))
	}
	m.Email = fmt.Sprintf("m%d@example.org", r.IntN(no+1))
	if r.IntN(2) == 0 {
		m.MemberNo = fmt.Sprintf("A-%d/%d", no, r.IntN(20))
	}
	return m
}

func randomQuery(r *rand.Rand, all roll) model.MemberQuery {
	q := model.MemberQuery{Sort: model.MemberSorts[r.IntN(3)]}
	for range r.IntN(3) {
		m := all.members[r.IntN(len(all.members))]
		text := []rune([]string{m.FirstName, m.LastName, m.Company, m.Email, m.Phone, m.MemberNo, "Same", randomWord(r)}[r.IntN(8)])
		q.Text += string(text[:min(len(text), 1+r.IntN(6))]) + " "
	}
	if r.IntN(3) == 0 {
		q.Status = model.Statuses[r.IntN(4)]
	}
	if r.IntN(3) == 0 {
		q.Filter = []model.MemberFilter{model.FilterNoAccount, model.FilterNeverSignedIn, model.FilterBlocked, model.FilterStaff}[r.IntN(4)]
	}
	return q
}

// However members came onto the roll and changed since, every search finds
// whom a plain scan finds, in its order, on every page and back.
func TestSearchAgreesWithAPlainScan(t *testing.T) {
	const members, acts, queries = 1500, 200, 2100
	r := rand.New(rand.NewPCG(20, 26))
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	var people []model.Member
	for i := range members {
		people = append(people, randomMember(r, i))
	}
	ids, err := d.AddMembers(t.Context(), model.ShellActor(), people)
	if err != nil {
		t.Fatal(err)
	}
	ids = append(ids, owner.MemberID)
	compare := func(n int) {
		all := readRoll(t, d, ids)
		for i := range n {
			pages := 2
			if i%50 == 0 {
				pages = members // more than there are
			}
			all.agrees(t, d, randomQuery(r, all), pages)
		}
	}
	compare(queries / 3)
	for i := range acts {
		clock.Add(7e9)
		switch id := ids[r.IntN(members)]; r.IntN(6) {
		case 0:
			id, err := d.AddMember(t.Context(), owner, randomMember(r, members+i))
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		case 1, 2:
			was, _, err := d.Member(t.Context(), owner, id)
			if err != nil {
				t.Fatal(err)
			}
			now := randomMember(r, members+acts+i)
			now.ID, now.Version = was.ID, was.Version
			if err := d.ChangeMember(t.Context(), owner, now); err != nil {
				t.Fatal(err)
			}
		case 3:
			email := fmt.Sprintf("own%d@example.org", i)
			if err := d.CreateUser(t.Context(), owner, id, email, true); err != nil && model.KindOf(err) != model.KindConflict {
				t.Fatal(err)
			}
		case 4:
			if err := d.DeleteAccount(t.Context(), owner, id); err != nil && model.KindOf(err) == model.KindInternal {
				t.Fatal(err)
			}
		case 5:
			if err := d.Disable(t.Context(), owner, id); err != nil && model.KindOf(err) == model.KindInternal {
				t.Fatal(err)
			}
		}
	}
	compare(queries / 3)
	if err := d.IndexMembers(t.Context()); err != nil {
		t.Fatal(err)
	}
	compare(queries / 3)
}

// The same among a million members, with the names the benchmarks have. It
// takes minutes and a few gigabytes: task soak runs it.
func TestSearchAgreesWithAPlainScanOfAMillion(t *testing.T) {
	if os.Getenv("LATCHKEY_SOAK") == "" {
		t.Skip("a long test: LATCHKEY_SOAK=1 runs it")
	}
	const queries = 2000
	r := rand.New(rand.NewPCG(20, 26))
	folder := t.TempDir()
	first, last := dbtest.Fill(t, folder, 1_000_000)
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	ids := []int64{dbtest.Owner(t, d).MemberID}
	for id := first; id <= last; id++ {
		ids = append(ids, id)
	}
	all := readRoll(t, d, ids)
	for range queries {
		m := all.members[r.IntN(len(all.members))]
		q := model.MemberQuery{Text: dbtest.Searches[r.IntN(len(dbtest.Searches))].For(m, r)}
		if r.IntN(4) == 0 {
			q.Filter, q.Status = model.FilterNoAccount, model.StatusActive
		}
		all.agrees(t, d, q, 2)
	}
}

// Newcomers between two neighbours use up the room between them; then others
// move to make some, and everybody is still found.
func TestManyOfOneName(t *testing.T) {
	d, _ := dbtest.Open(t)
	var ids []int64
	for i := range 150 {
		// Each comes before all who came before, after the same Aaron.
		m := model.Member{LastName: "Aaron"}
		if i > 0 {
			m.LastName = fmt.Sprintf("Smith %04d", 9999-i)
		}
		id, err := d.AddMember(t.Context(), model.ShellActor(), m)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	all := readRoll(t, d, ids)
	for _, text := range []string{"", "smith", "s", "smith 9", "smith 98"} {
		all.agrees(t, d, model.MemberQuery{Text: text, Filter: model.FilterNoAccount}, len(ids))
	}
}

func TestDidYouMean(t *testing.T) {
	d, _ := dbtest.Open(t)
	for _, m := range []model.Member{
		{FirstName: "Jürgen", LastName: "Meyer", Email: "juergen.mayr@example.org"},
		{FirstName: "Anna", LastName: "Kowalski-Weiß"},
		{FirstName: "Conor", LastName: "O’Brien", Company: "Harbour Tea (Ltd.)"},
		{FirstName: "Nina", LastName: "Holm", Status: model.StatusFormer},
	} {
		if _, err := d.AddMember(t.Context(), model.ShellActor(), m); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		typed model.MemberQuery
		want  string
	}{
		{"a wrong letter", model.MemberQuery{Text: "meier"}, "Meyer"},
		{"a letter too few", model.MemberQuery{Text: "meyr"}, "Meyer"},
		{"a letter too many", model.MemberQuery{Text: "Meyyer"}, "Meyer"},
		{"two letters exchanged", model.MemberQuery{Text: "Myeer"}, "Meyer"},
		{"the first letter", model.MemberQuery{Text: "neyer"}, "Meyer"},
		{"two slips", model.MemberQuery{Text: "kovalsky"}, "Kowalski"},
		{"half of a name", model.MemberQuery{Text: "kowlas"}, "Kowalski"},
		{"the other half of a double name", model.MemberQuery{Text: "weis"}, ""}, // is the beginning of weiss
		{"the wrong word of two, as the other was typed", model.MemberQuery{Text: "ANNA kowalsky"}, "ANNA Kowalski"},
		{"a wrong word beside a right one", model.MemberQuery{Text: "conor brian"}, "conor O’Brien"}, {"two words that are nobody’s together", model.MemberQuery{Text: "conor holm"}, ""},
		{"a name with an apostrophe", model.MemberQuery{Text: "obrian"}, "O’Brien"},
		{"a company in brackets", model.MemberQuery{Text: "harbuor tea"}, "Harbour tea"},
		{"a word of an address is not offered", model.MemberQuery{Text: "exemple"}, ""},
		{"a number is no name", model.MemberQuery{Text: "12345"}, ""},
		{"the part after an apostrophe", model.MemberQuery{Text: "brein"}, "O’Brien"},
		{"a double name with its hyphen", model.MemberQuery{Text: "kowalsky-weiß"}, "Kowalski weiß"},
		{"a sign that is no word", model.MemberQuery{Text: "harbuor & tea"}, "Harbour tea"},
		{"two wrong words", model.MemberQuery{Text: "ana kowalsky"}, "Anna Kowalski"},
		{"two words that nobody has", model.MemberQuery{Text: "connor obrain"}, "Conor O’Brien"},
		{"nothing near", model.MemberQuery{Text: "xylophone"}, ""},
		{"two letters", model.MemberQuery{Text: "xq"}, ""},
		{"somebody is found", model.MemberQuery{Text: "meyer"}, ""},
		{"the filter is what nobody passes", model.MemberQuery{Text: "meyer", Status: model.StatusFormer}, ""},
		{"the name near passes the filter", model.MemberQuery{Text: "nima", Status: model.StatusFormer}, "Nina"},
		{"the name near does not", model.MemberQuery{Text: "meier", Status: model.StatusFormer}, ""},
	} {
		page, err := d.Members(t.Context(), model.ShellActor(), c.typed)
		if err != nil {
			t.Fatal(err)
		}
		if page.Near != c.want {
			t.Errorf("%s: %q meant %q, want %q", c.name, c.typed.Text, page.Near, c.want)
		}
	}
}

func TestWhoHasToBeLookedAfter(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	dbtest.MemberWithAccount(t, d, "Una Finished", "una@example.org")
	dbtest.SignedUp(t, d, "Dora Done", "dora@example.org")
	disabled := dbtest.SignedUp(t, d, "Dan Disabled", "dan@example.org")
	must(t, d.Disable(t.Context(), owner, disabled))
	dbtest.SignedUp(t, d, "Sia Slowed", "sia@example.org")
	dbtest.Deliver(t, d)
	failing := dbtest.MemberWithAccount(t, d, "Fay Ling", "fay@example.org")
	mended := dbtest.MemberWithAccount(t, d, "Men Ded", "men@example.org")
	for {
		l, err := d.ClaimLetter(t.Context())
		must(t, err)
		if l == nil {
			break
		}
		must(t, d.SettleLetter(t.Context(), l.ID, model.Delivery{Code: 550, Reply: "5.1.1 unknown"}))
	}
	clock.Add(time.Minute)
	must(t, d.SendPasswordReset(t.Context(), owner, mended))
	dbtest.Deliver(t, d)
	for range 6 {
		_, err := d.SignIn(t.Context(), model.SignIn{Login: "sia@example.org", Password: model.NewSecret("wrong"), Network: "192.0.2.0/24"})
		if err == nil {
			t.Fatal("a wrong password fits")
		}
	}
	want := func(filter model.MemberFilter, names string) {
		t.Helper()
		if got := strings.Join(search(t, d, model.MemberQuery{Filter: filter}), ", "); got != names {
			t.Errorf("%s: %s, want %s", filter, got, names)
		}
	}
	want(model.FilterUnfinished, "Men Ded, Una Finished, Fay Ling")
	want(model.FilterFailing, "Fay Ling")
	want(model.FilterBlocked, "Dan Disabled, Sia Slowed")
	clock.Add(model.LongestDelay)
	want(model.FilterBlocked, "Dan Disabled")
	must(t, d.ChangeEmail(t.Context(), owner, failing, "fay.new@example.org", false))
	want(model.FilterFailing, "")

	// Who remembered the old password needs no reminder of the new one.
	back := dbtest.SignedUp(t, d, "Bea Back", "bea@example.org")
	clock.Add(time.Hour)
	must(t, d.SendPasswordReset(t.Context(), owner, back))
	want(model.FilterUnfinished, "Bea Back, Men Ded, Una Finished, Fay Ling")
	clock.Add(time.Minute)
	_, err := d.SignIn(t.Context(), model.SignIn{Login: "bea@example.org", Password: model.NewSecret(dbtest.Password), Network: "192.0.2.0/24"})
	must(t, err)
	want(model.FilterUnfinished, "Men Ded, Una Finished, Fay Ling")

	// A letter that was refused is not mended by one that still waits.
	dbtest.Deliver(t, d)
	refused := dbtest.MemberWithAccount(t, d, "Ray Fused", "ray@example.org")
	l, err := d.ClaimLetter(t.Context())
	must(t, err)
	must(t, d.SettleLetter(t.Context(), l.ID, model.Delivery{Code: 550, Reply: "5.7.1 blocked"}))
	clock.Add(time.Minute)
	must(t, d.SendPasswordReset(t.Context(), owner, refused))
	want(model.FilterFailing, "Ray Fused")

	// Wrong tries before the account was there slow it all the same.
	for range 6 {
		_, _ = d.SignIn(t.Context(), model.SignIn{Login: "late@example.org", Password: model.NewSecret("wrong"), Network: "192.0.2.0/24"})
	}
	dbtest.MemberWithAccount(t, d, "Late Comer", "late@example.org")
	want(model.FilterBlocked, "Late Comer, Dan Disabled")
	page, err := d.Members(t.Context(), owner, model.MemberQuery{Filter: model.FilterBlocked})
	must(t, err)
	if !page.Rows[0].Slowed || page.Rows[1].Slowed {
		t.Errorf("slowed: %t, %t", page.Rows[0].Slowed, page.Rows[1].Slowed)
	}
}

// change saves a record after f.
func change(t *testing.T, d *db.DB, id int64, f func(*model.Member)) {
	t.Helper()
	m, _, err := d.Member(t.Context(), model.ShellActor(), id)
	must(t, err)
	f(&m)
	must(t, d.ChangeMember(t.Context(), model.ShellActor(), m))
}

// Whoever is renamed into a gap without room is not in the way of those who
// move for them.
func TestRenamingIntoAFullGap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	d, _ := dbtest.Open(t)
	var ids []int64
	for i := range 60 {
		ids = append(ids, dbtest.Member(t, d, fmt.Sprintf("N %05d", r.IntN(30)+i%2), ""))
	}
	for i := range 200 {
		name := fmt.Sprintf("%05d", 10_000-i)
		if r.IntN(3) == 0 {
			name = fmt.Sprintf("%05d", r.IntN(20_000))
		}
		change(t, d, ids[r.IntN(len(ids))], func(m *model.Member) { m.LastName = name })
	}
	all := readRoll(t, d, ids)
	all.agrees(t, d, model.MemberQuery{Filter: model.FilterNoAccount}, len(ids))
	all.agrees(t, d, model.MemberQuery{Text: "n"}, len(ids))
}

// One more term of a beginning that a member had already can make a crowd of
// it; whoever loses the terms later has to leave that crowd, too.
func TestNobodyIsFoundByAWordTheyLost(t *testing.T) {
	d, _ := dbtest.Open(t)
	var people []model.Member
	for i := range 300 {
		people = append(people, model.Member{FirstName: fmt.Sprintf("Q%d", i), LastName: "Verein"})
	}
	ids, err := d.AddMembers(t.Context(), model.ShellActor(), people)
	must(t, err)
	for i, id := range ids {
		change(t, d, id, func(m *model.Member) { m.Email = fmt.Sprintf("vereinxa@vereinx%d.example", i) })
	}
	for _, id := range ids[:2] {
		change(t, d, id, func(m *model.Member) { m.Email, m.LastName = "", "Bob" })
	}
	all := readRoll(t, d, ids)
	for _, text := range []string{"v", "verein", "vereinx", "vereinx1", "q", "b"} {
		all.agrees(t, d, model.MemberQuery{Text: text, Filter: model.FilterNoAccount}, len(ids))
	}
}

// A search takes one connection, whatever it asks: if it waited for a second
// one, some at once would wait for each other for ever.
func TestSearchesDoNotWaitForEachOther(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	dbtest.SignedUp(t, d, "Sia Slowed", "sia@example.org")
	if _, err := d.SignIn(t.Context(), model.SignIn{Login: "sia@example.org", Password: model.NewSecret("wrong"), Network: "192.0.2.0/24"}); err == nil {
		t.Fatal("a wrong password fits")
	}
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	over := make(chan error)
	for range 16 {
		go func() {
			for range 50 {
				if _, err := d.Members(ctx, owner, model.MemberQuery{Filter: model.FilterBlocked}); err != nil {
					over <- err
					return
				}
			}
			over <- nil
		}()
	}
	for range 16 {
		select {
		case err := <-over:
			must(t, err)
		case <-ctx.Done():
			t.Fatal("they wait")
		}
	}
}

func TestAPageBesideSomebodyWhoIsGone(t *testing.T) {
	d, _ := dbtest.Open(t)
	var people []model.Member
	for i := range 60 {
		people = append(people, model.Member{LastName: fmt.Sprintf("Reed %02d", i)})
	}
	ids, err := d.AddMembers(t.Context(), model.ShellActor(), people)
	must(t, err)
	for _, sort := range model.MemberSorts {
		first, err := d.Members(t.Context(), model.ShellActor(), model.MemberQuery{Text: "reed", Sort: sort})
		must(t, err)
		if first.Prev != "" || first.Next == "" {
			t.Errorf("%q: the first page has one before it, or none after it", sort)
		}
		// From the second page all before it are helped and leave the list.
		q := model.MemberQuery{Text: "reed", Sort: sort, Status: model.StatusActive, After: first.Next}
		var left []int64
		for _, r := range first.Rows {
			left = append(left, r.ID)
			change(t, d, r.ID, func(m *model.Member) { m.Status = model.StatusLapsed })
		}
		second, err := d.Members(t.Context(), model.ShellActor(), q)
		must(t, err)
		if len(second.Rows) != 25 || second.Prev != "" || second.Total != len(ids)-len(left) {
			t.Errorf("%q: %d rows of %d, before them %q", sort, len(second.Rows), second.Total, second.Prev)
		}
		for _, id := range left {
			change(t, d, id, func(m *model.Member) { m.Status = model.StatusActive })
		}
	}
	for _, forged := range []string{"99999", "0", "-1", "1-1-1", "99999999999999999999", "x"} {
		if _, err := d.Members(t.Context(), model.ShellActor(), model.MemberQuery{Before: forged}); err != nil {
			t.Errorf("%q: %v", forged, err)
		}
	}
}
