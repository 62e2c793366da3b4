package db_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func search(t testing.TB, d *db.DB, q model.MemberQuery) []string {
	t.Helper()
	var names []string
	for {
		page, err := d.Members(t.Context(), model.ShellActor(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Rows {
			names = append(names, r.Name())
		}
		if page.Next == "" {
			return names
		}
		q.After = page.Next
	}
}

func TestSearch(t *testing.T) {
	d, _ := dbtest.Open(t)
	for _, m := range []model.Member{
		{FirstName: "Łukasz", LastName: "Straße", Email: "l.strasse@example.net"},
		{FirstName: "Conor", LastName: "O’Brien", Company: "Harbour Tea"},
		{FirstName: "Đặng", LastName: "Thị Hoa", Phone: "0171-555 12"},
		{FirstName: "René", LastName: "Müller", MemberNo: "M-2024/17"},
		{Company: "OR NOT Ltd"},
	} {
		if _, err := d.AddMember(t.Context(), model.ShellActor(), m); err != nil {
			t.Fatal(err)
		}
	}
	for typed, want := range map[string]string{
		"lukasz": "Łukasz Straße", "STRASSE": "Łukasz Straße", "str luk": "Łukasz Straße", "l.strasse@ex": "Łukasz Straße",
		"obrien": "Conor O’Brien", "o'brien": "Conor O’Brien", "o brien": "Conor O’Brien", "tea har": "Conor O’Brien",
		"dang": "Đặng Thị Hoa", "0171555": "Đặng Thị Hoa", "0171 555 1": "Đặng Thị Hoa", "55512": "Đặng Thị Hoa", "555 12": "Đặng Thị Hoa", "12": "Đặng Thị Hoa", "2024 17": "René Müller", "0171-555": "Đặng Thị Hoa",
		"muller": "René Müller", "m202417": "René Müller", "M-2024/17": "René Müller", "rené": "René Müller",
		"or": "OR NOT Ltd", "OR": "OR NOT Ltd", "NOT": "OR NOT Ltd", `"or"`: "OR NOT Ltd", "or*": "OR NOT Ltd",
		"zzz": "", "'": "", "%": "", "🛶": "", `""`: "", "NEAR/2": "", "lukasz zzz": "",
	} {
		if got := strings.Join(search(t, d, model.MemberQuery{Text: typed}), ","); got != want {
			t.Errorf("%q finds %q, want %q", typed, got, want)
		}
	}
}

func TestPagesForwardAndBack(t *testing.T) {
	d, _ := dbtest.Open(t)
	var all []model.Member
	for i := range 120 {
		// Many share a name, so that the order needs the id too.
		all = append(all, model.Member{FirstName: "Twin", LastName: fmt.Sprintf("Name %d", i%7), MemberNo: fmt.Sprintf("N%03d", i)})
	}
	if _, err := d.AddMembers(t.Context(), model.ShellActor(), all); err != nil {
		t.Fatal(err)
	}
	var forward, back []int64
	q, last := model.MemberQuery{}, model.MemberPage{}
	for {
		page, err := d.Members(t.Context(), model.ShellActor(), q)
		if err != nil {
			t.Fatal(err)
		}
		if page.Total != 121 {
			t.Errorf("total %d, want 121", page.Total)
		}
		if (page.Prev == "") != (len(forward) == 0) {
			t.Errorf("after %d rows there is a page before: %t", len(forward), page.Prev != "")
		}
		for _, r := range page.Rows {
			forward = append(forward, r.ID)
		}
		if last = page; page.Next == "" {
			break
		}
		q = model.MemberQuery{After: page.Next}
	}
	for {
		for _, r := range slices.Backward(last.Rows) {
			back = append(back, r.ID)
		}
		if last.Prev == "" {
			break
		}
		var err error
		if last, err = d.Members(t.Context(), model.ShellActor(), model.MemberQuery{Before: last.Prev}); err != nil {
			t.Fatal(err)
		}
		if last.Next == "" {
			t.Error("a page before the last has none after it")
		}
	}
	slices.Reverse(back)
	if !slices.Equal(forward, back) || len(forward) != 121 {
		t.Errorf("%d forward, %d back, or another order", len(forward), len(back))
	}
}

func TestFilters(t *testing.T) {
	d, _ := dbtest.Open(t)
	dbtest.Member(t, d, "No Account", "none@example.org")
	dbtest.MemberWithAccount(t, d, "Never Insider", "never@example.org")
	dbtest.Person(t, d, "Sam Staff", model.RoleStaff)
	for filter, want := range map[model.MemberFilter]string{
		model.FilterNoAccount:     "No Account",
		model.FilterNeverSignedIn: "Ruth Adler,Never Insider,Sam Staff",
		model.FilterStaff:         "Ruth Adler,Sam Staff",
	} {
		if got := strings.Join(search(t, d, model.MemberQuery{Filter: filter}), ","); got != want {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
	if got := strings.Join(search(t, d, model.MemberQuery{Filter: model.FilterStaff, Text: "sam"}), ","); got != "Sam Staff" {
		t.Errorf("filter and search: %q", got)
	}
}

func TestTwoPeopleSavingOneRecord(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	id := dbtest.Member(t, d, "Mia Brandt", "mia@example.org")
	mine, _, err := d.Member(t.Context(), owner, id)
	if err != nil {
		t.Fatal(err)
	}
	theirs := mine
	theirs.City = "Kassel"
	if err := d.ChangeMember(t.Context(), owner, theirs); err != nil {
		t.Fatal(err)
	}
	mine.Phone = "030 1"
	err = d.ChangeMember(t.Context(), owner, mine)
	stale, ok := errors.AsType[*model.StaleError](err)
	if !ok || stale.Theirs.City != "Kassel" || !slices.Contains(stale.Fields, "city") {
		t.Fatalf("%v", err)
	}
	mine.Version, mine.City = stale.Theirs.Version, "Kassel"
	if err := d.ChangeMember(t.Context(), owner, mine); err != nil {
		t.Fatal(err)
	}
	got, _, _ := d.Member(t.Context(), owner, id)
	if got.City != "Kassel" || got.Phone != "030 1" {
		t.Errorf("lost: %+v", got)
	}
	if names := search(t, d, model.MemberQuery{Text: "0301"}); len(names) != 1 {
		t.Error("the search does not know the new phone number")
	}
}

func TestAMemberNumberIsOnePersons(t *testing.T) {
	d, _ := dbtest.Open(t)
	add := func(no string) error {
		_, err := d.AddMember(t.Context(), model.ShellActor(), model.Member{LastName: "Somebody", MemberNo: no})
		return err
	}
	if err := add("A-1"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, add(" a-1 "), model.KindInvalid)
	if err := add("A-2"); err != nil {
		t.Error(err)
	}
}

func FuzzSearch(f *testing.F) {
	d, _ := dbtest.Open(f)
	if _, err := d.AddMember(f.Context(), model.ShellActor(), model.Member{LastName: "Somebody", Phone: "+49 (30) 1"}); err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"lukasz", `"`, "OR", "a* NEAR b", "'; DROP TABLE member", "%_", "\x00", "🛶", strings.Repeat("a ", 500)} {
		f.Add(s, "", "")
	}
	f.Fuzz(func(t *testing.T, text, after, before string) {
		if _, err := d.Members(t.Context(), model.ShellActor(), model.MemberQuery{Text: text, After: after, Before: before}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}
