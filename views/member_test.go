package views

import (
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

func TestEnterOpensTheFirstHitOfWhatWasTyped(t *testing.T) {
	p := pageFor(ferit, "/admin/members")
	doc := draw(t, MembersResult(p, membersFound(3, 3), model.MemberQuery{Text: " bra "}))
	has(t, doc, "table[data-sought=bra]", 1)
	has(t, doc, "tbody tr[data-open]", 1)
	if got := doc.Find("tbody tr").First().AttrOr("data-open", ""); got != "/admin/members/12/settings" {
		t.Errorf("opens %q", got)
	}
	has(t, draw(t, MembersResult(p, membersFound(3, 3), model.MemberQuery{})), "[data-sought]", 0)
	has(t, draw(t, MembersResult(p, model.MemberPage{}, model.MemberQuery{Text: "zz"})), ".empty[data-sought=zz]", 1)
}

func TestSearchStandsOnEveryPageOfTheOfficeOnce(t *testing.T) {
	for name, page := range officePages() {
		t.Run(name, func(t *testing.T) {
			has(t, draw(t, page), "form[role=search][action='/admin/members'] input[type=search][name=q][data-finds]", 1)
		})
	}
}

func TestSearchWorksWithoutScript(t *testing.T) {
	doc := draw(t, MembersPage(pageFor(ferit, "/admin/members"), membersFound(1, 1), model.MemberQuery{Filter: model.FilterStaff, Text: "bra"}))
	form := doc.Find("form.seek")
	if form.Find("button.without-script").Length() != 1 || form.Find("input[type=hidden][name=filter]").AttrOr("value", "") != "staff" {
		t.Error("no button, or the filter is lost")
	}
	if got := form.Find("input[name=q]").AttrOr("value", ""); got != "bra" {
		t.Errorf("what was typed is %q", got)
	}
}

func TestPagesKeepWhatWasAskedFor(t *testing.T) {
	found := membersFound(2, 240)
	found.Prev, found.Next = "b1", "a1"
	doc := draw(t, MembersResult(pageFor(ferit, "/admin/members"), found, model.MemberQuery{Text: "o'b", Filter: model.FilterNoAccount, After: "here"}))
	for rel, want := range map[string]string{
		"prev": "/admin/members?before=b1&filter=no-account&q=o%27b",
		"next": "/admin/members?after=a1&filter=no-account&q=o%27b",
	} {
		if got := doc.Find("a[rel="+rel+"]").AttrOr("href", ""); got != want {
			t.Errorf("%s leads to %s, want %s", rel, got, want)
		}
	}
	says(t, doc, ".pager", "2 of 240 members")
	has(t, doc, ".sieve a[aria-current]", 1)
	says(t, doc, ".sieve a[aria-current]", "No account")
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
		"Staff":           row(func(m *model.MemberRow) { m.AccountRole = model.RoleStaff }),
	} {
		doc := draw(t, MembersResult(pageFor(ferit, "/admin/members"), found, model.MemberQuery{}))
		if got := text(doc, ".state .badge"); got != want {
			t.Errorf("badge %q, want %q", got, want)
		}
	}
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
		{model.MemberQuery{Filter: model.FilterNeverSignedIn}, "Everybody with an account has signed in.", "/admin/members"},
	} {
		doc := draw(t, MembersResult(pageFor(ferit, "/admin/members"), model.MemberPage{}, c.q))
		says(t, doc, ".empty", c.says)
		if got := doc.Find(".empty a").AttrOr("href", ""); got != c.to {
			t.Errorf("%v leads to %q, want %q", c.q, got, c.to)
		}
	}
}

func TestHeadHelpsToRecogniseACaller(t *testing.T) {
	doc := draw(t, MemberPage(pageFor(ferit, "/admin/members/12"), MemberProps{Member: lotte()}))
	says(t, doc, ".known-by dd", "14 March 1951")
	says(t, doc, ".known-by dd", "22767")
	has(t, doc, ".known-by a[href='tel:0405501000']", 1)
	says(t, doc, ".badges", "No account")
	has(t, doc, ".tabs a[aria-current=page][href='/admin/members/12']", 1)
}

func TestTheTabsOfARecordHaveTitlesOfTheirOwn(t *testing.T) {
	p := pageFor(ferit, "/")
	for want, page := range map[string]templ.Component{
		"Details": MemberPage(p, MemberProps{Member: lotte()}), "Settings": settingsPage(ferit, sent()),
		"Activity": MemberActivityPage(p, model.ActivityPage{Member: lotte()}),
	} {
		says(t, draw(t, page), "title", want+" · Lotte Brandt · Harbour Rowing Club")
	}
}

func TestViewersReadDetailsAndChangeNothing(t *testing.T) {
	doc := draw(t, MemberPage(pageFor(nuala, "/admin/members/12"), MemberProps{Member: lotte()}))
	has(t, doc, "main form[method=post]", 0)
	says(t, doc, ".facts", "Prefers the telephone.")
	silent := lotte()
	silent.Notes = ""
	doc = draw(t, MemberPage(pageFor(nuala, "/admin/members/12"), MemberProps{Member: silent}))
	if strings.Contains(text(doc, ".card h2"), "Notes") {
		t.Error("a heading over nothing")
	}
}

func TestSecondOfTwoSaversIsShownTheOthersChanges(t *testing.T) {
	theirs := lotte()
	theirs.Version, theirs.Phone, theirs.Notes = 4, "040 550 1001", ""
	mine := MemberValues(lotte())
	mine["phone"] = "040 550 2000"
	doc := draw(t, MemberPage(pageFor(ferit, "/admin/members/12"), MemberProps{
		Member: lotte(), Form: Form{Values: mine}, Stale: &model.StaleError{Theirs: theirs, Fields: []string{"phone", "notes"}},
	}))
	if got := doc.Find("#phone").AttrOr("value", ""); got != "040 550 2000" {
		t.Errorf("my phone became %q", got)
	}
	says(t, doc, "#phone-hint", "They have: 040 550 1001")
	says(t, doc, ".mistakes", "Notes: they left it empty")
	if got := doc.Find("input[name=version]").AttrOr("value", ""); got != "4" {
		t.Errorf("version %q: saving again would be refused again", got)
	}
}

func TestEveryFieldOfTheRecordIsInTheForm(t *testing.T) {
	doc := draw(t, MemberNewPage(pageFor(ferit, "/admin/members/new"), Form{}))
	for _, f := range model.MemberFields {
		has(t, doc, "form [name='"+f.Name+"']", 1)
	}
}
