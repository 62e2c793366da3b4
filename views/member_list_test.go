package views

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"latchkey/db/model"
)

func membersFound(n, total int) model.MemberPage {
	p := model.MemberPage{Total: total}
	for i := range n {
		m := lotte()
		m.ID = int64(12 + i)
		p.Rows = append(p.Rows, model.MemberRow{Member: m, HasAccount: true, AccountRole: model.RoleMember, LastSignInAt: now.Add(-time.Hour)})
	}
	return p
}

// markup is the HTML itself.
func markup(t *testing.T, c templ.Component) string {
	t.Helper()
	html, err := templ.ToGoHTML(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return string(html)
}

var searched = model.MemberQuery{Text: " o'b ", Filter: model.FilterNoAccount, Status: model.StatusLapsed, Sort: model.SortNewest, After: "here"}

func TestTheFirstHitOfWhatWasTypedIsChosen(t *testing.T) {
	p := pageFor(ferit, "/admin/members")
	doc := draw(t, MembersResult(p, membersFound(3, 3), model.MemberQuery{Text: " bra "}))
	has(t, doc, "caption[data-sought=bra]", 1)
	has(t, doc, "tr[aria-selected]", 1)
	if got := doc.Find("tbody tr").First().Filter("[aria-selected=true]").Find(".badge").AttrOr("href", ""); got != "/admin/members/12/settings" {
		t.Errorf("Enter opens %q", got)
	}
	has(t, draw(t, MembersResult(p, membersFound(3, 3), model.MemberQuery{})), "[aria-selected]", 0)
	has(t, draw(t, MembersResult(p, model.MemberPage{}, model.MemberQuery{Text: "zz"})), "h2[data-sought=zz]", 1)
}

func TestSearchStandsOnEveryPageOfTheOfficeOnce(t *testing.T) {
	for name, page := range officePages() {
		t.Run(name, func(t *testing.T) {
			has(t, draw(t, page), "form[role=search][action='/admin/members'] input[type=search][name=q][data-finds]", 1)
		})
	}
}

// Search, filter, status and order are fields of one form without a cursor: a
// change of one keeps the others and begins at the first page.
func TestTheFormHoldsWhatWasAskedFor(t *testing.T) {
	doc := draw(t, MembersPage(pageFor(ferit, "/admin/members"), membersFound(1, 1), searched))
	form := doc.Find("form.seek")
	for selector, want := range map[string]string{
		"input[name=q]": searched.Text, "input[name=filter][checked]": "no-account",
		"select[name=status] option[selected]": "lapsed", "select[name=sort] option[selected]": "newest",
	} {
		if got := form.Find(selector).AttrOr("value", "none"); got != want {
			t.Errorf("%s is %q, want %q", selector, got, want)
		}
	}
	has(t, doc, "form.seek [name]", 3+len(model.MemberFilters))
	has(t, doc, "form.seek button.without-script", 1)

	doc = draw(t, MembersPage(pageFor(ferit, "/admin/members"), membersFound(1, 1), model.MemberQuery{}))
	has(t, doc, "input[name=filter][checked][value='']", 1)
	for selector, want := range map[string]string{
		".sieve label":         "Everybody, No account, Never signed in, Link sent, not finished, Email failing, Disabled or slowed, Staff",
		"[name=status] option": "Any status, Active, Lapsed, Prospect, Former",
		"[name=sort] option":   "By name, Newest first, Last sign-in",
	} {
		var words []string
		for _, choice := range doc.Find(selector).EachIter() {
			words = append(words, spaced(choice.Text()))
		}
		if got := strings.Join(words, ", "); got != want {
			t.Errorf("%s: %s", selector, got)
		}
	}
}

func TestPagesKeepWhatWasAskedFor(t *testing.T) {
	found := membersFound(2, 1240)
	found.Prev, found.Next = "b1", "a1"
	doc := draw(t, MembersResult(pageFor(ferit, "/admin/members"), found, searched))
	for rel, want := range map[string]string{
		"prev": "/admin/members?q=+o%27b+&filter=no-account&status=lapsed&sort=newest&before=b1",
		"next": "/admin/members?q=+o%27b+&filter=no-account&status=lapsed&sort=newest&after=a1",
	} {
		if got := doc.Find("a[rel="+rel+"]").AttrOr("href", ""); got != want {
			t.Errorf("%s leads to %s, want %s", rel, got, want)
		}
	}
	says(t, doc, "caption", "1,240 members, 2 on this page")
	has(t, draw(t, MembersResult(pageFor(ferit, "/admin/members"), membersFound(2, 2), searched)), ".pager", 0)
}

func TestTheTotalIsSaidInWords(t *testing.T) {
	last := membersFound(1, 51)
	last.Prev = "b1"
	for want, found := range map[string]model.MemberPage{
		"1 member": membersFound(1, 1), "2 members": membersFound(2, 2), "3 of 12,345,678 members": membersFound(3, 12_345_678),
		"51 members, 1 on this page": last,
	} {
		if got := membersCount(found); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTheColumnInOrderSaysSo(t *testing.T) {
	for sort, want := range map[model.MemberSort]string{model.SortName: "Name", model.SortLastSignIn: "Last here", model.SortNewest: ""} {
		doc := draw(t, MembersResult(pageFor(ferit, "/admin/members"), membersFound(1, 1), model.MemberQuery{Sort: sort}))
		if got := text(doc, "th[aria-sort]"); got != want {
			t.Errorf("by %q: %q, want %q", sort, got, want)
		}
	}
}

func TestWhatMatchedIsMarked(t *testing.T) {
	found := membersFound(1, 1)
	m := &found.Rows[0].Member
	m.FirstName, m.LastName, m.Company = "Łukasz", "<b>Lund</b> & Sons", "Lund Lutherie"
	m.MemberNo, m.Email, m.Phone = "LU-7", "lu@example.org", "040 550 1000"
	p := pageFor(ferit, "/admin/members")
	for _, page := range []string{
		markup(t, MembersResult(p, found, model.MemberQuery{Text: "lu"})),
		markup(t, MemberHits(p, found, model.MemberQuery{Text: "lu"})),
	} {
		for _, want := range []string{"<mark>Łu</mark>kasz", "&lt;b&gt;<mark>Lu</mark>nd&lt;/b&gt; &amp; Sons", "<mark>Lu</mark>nd <mark>Lu</mark>therie", "<mark>LU</mark>-7", "<mark>lu</mark>@example.org"} {
			if !strings.Contains(page, want) {
				t.Errorf("no %s in\n%s", want, page)
			}
		}
	}
	if page := markup(t, MembersResult(p, found, model.MemberQuery{Text: "0405"})); !strings.Contains(page, "<mark>040 5</mark>50 1000") {
		t.Errorf("no mark in the number:\n%s", page)
	}
	if page := markup(t, MembersResult(p, found, model.MemberQuery{Text: "  "})); strings.Contains(page, "<mark>") {
		t.Error("marks where nothing was sought")
	}
}

func TestBadgeShowsWhoHasAnAccount(t *testing.T) {
	row := func(change func(*model.MemberRow)) model.MemberPage {
		p := membersFound(1, 1)
		change(&p.Rows[0])
		return p
	}
	for want, found := range map[string]model.MemberPage{
		"Account":         row(func(*model.MemberRow) {}),
		"No account":      row(func(m *model.MemberRow) { m.HasAccount = false }),
		"Never signed in": row(func(m *model.MemberRow) { m.LastSignInAt = time.Time{} }),
		"Disabled":        row(func(m *model.MemberRow) { m.Disabled = true }),
		"Slowed":          row(func(m *model.MemberRow) { m.Slowed, m.LastSignInAt = true, time.Time{} }),
		"Staff":           row(func(m *model.MemberRow) { m.AccountRole = model.RoleStaff }),
	} {
		doc := draw(t, MembersResult(pageFor(ferit, "/admin/members"), found, model.MemberQuery{}))
		if got := text(doc, ".state .badge"); got != want {
			t.Errorf("badge %q, want %q", got, want)
		}
		doc = draw(t, MemberHits(pageFor(ferit, "/admin/members"), found, model.MemberQuery{Text: "lo"}))
		if got := text(doc, "[role=option] .badge"); got != want {
			t.Errorf("badge %q below the field, want %q", got, want)
		}
	}
}

// The list writes its times by itself, in the words of all the others.
func TestTheTimesOfTheListReadAsElsewhere(t *testing.T) {
	p := pageFor(ferit, "/admin/members")
	c := newCells(p, model.MemberQuery{})
	for _, ago := range []time.Duration{0, time.Minute, 11 * time.Hour, 11*time.Hour + 6*time.Minute, 35 * time.Hour, 36 * time.Hour, 90 * time.Hour, 7700 * time.Hour, 9000 * time.Hour, -time.Hour, -20 * time.Hour} {
		then := now.Add(-ago)
		short := p.Ago(then)
		if p.days(then, p.Now) > 1 {
			short, _, _ = strings.Cut(short, " at ")
		}
		if got, want := text(draw(t, c.day(then)), "time"), text(draw(t, clock(p, then, short)), "time"); got != want {
			t.Errorf("%v ago: %q, elsewhere %q", ago, got, want)
		}
	}
	if got := markup(t, c.day(time.Time{})); got != "" {
		t.Errorf("who was never here: %q", got)
	}
}

// A page can be empty because its members went since.
func TestAPageThatIsEmptyNowIsNotAnEmptyRoll(t *testing.T) {
	doc := draw(t, MembersResult(pageFor(ferit, "/admin/members"), membersFound(0, 30), searched))
	says(t, doc, "h2[data-sought=\"o'b\"]", "There is nobody on this page any more.")
	says(t, doc, ".empty a[href='/admin/members?q=+o%27b+&filter=no-account&status=lapsed&sort=newest']", "Back to the first page")
	has(t, doc, ".empty a", 1)
}

func TestEmptyListsSayWhatToDoNext(t *testing.T) {
	for _, c := range []struct {
		q    model.MemberQuery
		says string
		to   string
	}{
		{model.MemberQuery{}, "The roll is still empty.", "/admin/members/new"},
		{model.MemberQuery{Text: "lukazs"}, "Nobody found for “lukazs”.", "/admin/members/new"},
		{model.MemberQuery{Text: "lukazs", Filter: model.FilterStaff}, "Nobody found", "/admin/members?q=lukazs"},
		{model.MemberQuery{Text: "lukazs", Status: model.StatusFormer, Sort: model.SortNewest}, "Nobody found", "/admin/members?q=lukazs&sort=newest"},
		{model.MemberQuery{Filter: model.FilterStaff, Status: model.StatusFormer}, "Nobody fits this.", "/admin/members?filter=staff"},
		{model.MemberQuery{Status: model.StatusLapsed}, "Nobody here is lapsed.", "/admin/members"},
		{model.MemberQuery{Filter: model.FilterNeverSignedIn, Sort: model.SortNewest}, "Everybody with an account has signed in.", "/admin/members?sort=newest"},
	} {
		doc := draw(t, MembersResult(pageFor(ferit, "/admin/members"), model.MemberPage{}, c.q))
		says(t, doc, ".empty", c.says)
		if got := doc.Find(".empty a").AttrOr("href", ""); got != c.to {
			t.Errorf("%v leads to %q, want %q", c.q, got, c.to)
		}
		if fewer := strings.Contains(text(doc, ".empty"), "Try fewer letters"); fewer != (c.q.Text != "" && !narrowed(c.q)) {
			t.Errorf("%v: fewer letters are advised: %t", c.q, fewer)
		}
	}
	said := map[string]bool{}
	for _, f := range model.MemberFilters {
		sentence := nobody(model.MemberQuery{Filter: f})
		if said[sentence] {
			t.Errorf("%q says what another says: %s", f, sentence)
		}
		said[sentence] = true
	}
}

func TestTheNearestSpellingIsOffered(t *testing.T) {
	p := pageFor(ferit, "/admin/members")
	near := model.MemberPage{Near: "Meyer"}
	doc := draw(t, MembersResult(p, near, searched))
	says(t, doc, ".empty a[data-near=Meyer]", "Did you mean “Meyer”?")
	says(t, doc, ".empty p:first-of-type a", "Look among everybody")
	if got := doc.Find("[data-near]").AttrOr("href", ""); got != "/admin/members?q=Meyer&filter=no-account&status=lapsed&sort=newest" {
		t.Errorf("leads to %s", got)
	}
	doc = draw(t, MemberHits(p, near, model.MemberQuery{Text: "meyr"}))
	says(t, doc, "p[data-sought=meyr]", "Nobody found for “meyr”.")
	says(t, doc, "#found[role=listbox] > [role=option][aria-selected=true][data-near=Meyer]", "Did you mean “Meyer”?")
	has(t, draw(t, MemberHits(p, model.MemberPage{}, model.MemberQuery{Text: "meyr"})), "a, [role]", 0)
}

func TestBelowTheFieldStandTheFirstHitsAndTheWayToAll(t *testing.T) {
	p := pageFor(ferit, "/admin/staff")
	doc := draw(t, MemberHits(p, membersFound(25, 1234), model.MemberQuery{Text: "lo b"}))
	has(t, doc, "#found[role=listbox][data-sought='lo b'] > [role=option][id]", hitsShown+1)
	has(t, doc, "[role=option][aria-selected]", 1)
	for i := range hitsShown {
		if got := doc.Find(fmt.Sprintf("#hit-%d", i)).AttrOr("href", ""); got != fmt.Sprintf("/admin/members/%d/settings", 12+i) {
			t.Errorf("hit %d leads to %q", i, got)
		}
	}
	says(t, doc, "#hit-all[href='/admin/members?q=lo+b']", "All 1,234 hits")
	has(t, draw(t, MemberHits(p, membersFound(hitsShown, hitsShown), model.MemberQuery{Text: "lo"})), "#hit-all", 0)
	if got := markup(t, MemberHits(p, membersFound(3, 3), model.MemberQuery{Text: " "})); got != "" {
		t.Errorf("hits for nothing: %s", got)
	}
}
