package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func TestSearchAnswersThePageOrThePart(t *testing.T) {
	s := newSite(t)
	dbtest.Member(t, s.db, "Łukasz Nowak", "lukasz@example.org")
	dbtest.Member(t, s.db, "Nina Holm", "nina@example.org")
	b := s.owner(t)
	b.get("/admin/members?q=lukasz").is(http.StatusOK).says("Łukasz Nowak").saysNothingOf("Nina Holm")
	a := b.part("GET", "/admin/members?q=holm").is(http.StatusOK).says("Nina Holm")
	if strings.Contains(a.body, "<html") {
		t.Error("htmx gets the whole page")
	}
	history := b.get("/admin/members?q=holm", "Hx-Request", "true", "Hx-Request-Type", "full").is(http.StatusOK)
	history.one("html > head > title")
	b.get("/admin/members?q=nobodyatall").is(http.StatusOK).says("Nobody found")
	b.get("/admin/members?filter=no-account").is(http.StatusOK).says("Nina Holm")
	for _, q := range []string{"OR", `"`, "*", "NEAR/", "%", "'", "<b>", "\x00", "\xff", strings.Repeat("word ", 2000), "a AND", "-x", "(", ")"} {
		b.get("/admin/members?q=" + url.QueryEscape(q)).is(http.StatusOK)
	}
	for _, query := range []string{"q=%zz", "after=x", "before=!!", "filter=else", "after=" + strings.Repeat("A", 3000), ";", "q=a;b=c"} {
		b.get("/admin/members?" + query).is(http.StatusOK)
	}
}

func TestThePagesOfTheListLeadOnAndBack(t *testing.T) {
	s := newSite(t)
	for i := range 60 {
		dbtest.Member(t, s.db, fmt.Sprintf("Member%02d Lind", i), "")
	}
	b := s.owner(t)
	page := b.get("/admin/members?q=lind").is(http.StatusOK).says("60")
	first := page.text("tbody")
	for range 2 {
		page = b.get(page.one(`a[rel="next"]`).AttrOr("href", "")).is(http.StatusOK)
	}
	if page.doc.Find(`a[rel="next"]`).Length() != 0 {
		t.Error("there is a page after the last")
	}
	for range 2 {
		page = b.get(page.one(`a[rel="prev"]`).AttrOr("href", "")).is(http.StatusOK)
	}
	if page.text("tbody") != first {
		t.Error("forth and back is not where it began")
	}
}

// What is asked for is in the address: each way through the list keeps it.
func TestSearchFilterStatusAndOrderGoTogether(t *testing.T) {
	s := newSite(t)
	var lapsed []string
	for i := range 60 {
		id, err := s.db.AddMember(t.Context(), model.ShellActor(), model.Member{
			FirstName: fmt.Sprintf("Member%02d", i), LastName: "Lind", Status: []model.Status{model.StatusActive, model.StatusLapsed}[i%2],
		})
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 1 {
			lapsed = append(lapsed, record(id))
		}
	}
	dbtest.MemberWithAccount(t, s.db, "Last Lind", "last@example.org")
	slices.Reverse(lapsed) // the newest first
	b := s.owner(t)
	const asked = "/admin/members?q=lind&filter=no-account&status=lapsed&sort=newest"
	page := b.get(asked).is(http.StatusOK).says("25 of 30 members")
	var found []string
	names := func(a *reply) (all []string) {
		for _, name := range a.doc.Find("tbody .who a").EachIter() {
			all = append(all, name.AttrOr("href", ""))
		}
		return all
	}
	found = append(found, names(page)...)
	next := page.one(`a[rel="next"]`).AttrOr("href", "")
	if !strings.HasPrefix(next, asked+"&after=") {
		t.Errorf("on leads to %s", next)
	}
	second := b.get(next).is(http.StatusOK)
	found = append(found, names(second)...)
	if !slices.Equal(found, lapsed) {
		t.Errorf("found %v, want %v", found, lapsed)
	}
	back := second.one(`a[rel="prev"]`).AttrOr("href", "")
	if !strings.HasPrefix(back, asked+"&before=") || !slices.Equal(names(b.get(back)), lapsed[:25]) {
		t.Errorf("back leads to %s, elsewhere", back)
	}
	for selector, want := range map[string]string{
		"form.seek [name=q]": "lind", "form.seek [name=filter][checked]": "no-account",
		"form.seek [name=status] [selected]": "lapsed", "form.seek [name=sort] [selected]": "newest",
	} {
		if got := second.value(selector); got != want {
			t.Errorf("%s is %q on the second page, not %q", selector, got, want)
		}
	}
}

// The address that a part of the list belongs to goes with it, without fields
// that were left empty and values that do not exist.
func TestTheAddressFollowsTheList(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	for asked, want := range map[string]string{
		"?q=&filter=&status=&sort=":                           "/admin/members",
		"?q=o%27b&filter=staff&status=active&sort=newest":     "/admin/members?q=o%27b&filter=staff&status=active&sort=newest",
		"?q=%C5%82uk&filter=else&status=x&sort=z":             "/admin/members?q=%C5%82uk",
		"?q=" + url.QueryEscape("a\r\nSet-Cookie: b") + "&as": "/admin/members?q=a+Set-Cookie%3A+b",
	} {
		a := b.part("GET", "/admin/members"+asked).is(http.StatusOK)
		if got := a.header.Get("Hx-Replace-Url") + a.header.Get("Hx-Push-Url"); got != want {
			t.Errorf("%s is at %q, not %q", asked, got, want)
		}
		if a.doc.Find("form").Length() != 0 {
			t.Errorf("%s: the part holds the form", asked)
		}
	}
	if got := b.get("/admin/members?q=a").header.Get("Hx-Replace-Url"); got != "" {
		t.Errorf("a page replaces its address by %q", got)
	}
}

// Back undoes what was chosen by a press; letters leave no steps behind.
func TestAChoiceIsAStepInTheHistory(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	for _, c := range []struct{ at, asked, header string }{
		{"", "?q=a", "Hx-Replace-Url"},
		{"?q=a&sort=newest", "?q=ab&filter=&status=&sort=newest", "Hx-Replace-Url"},
		{"?q=a&filter=else#q", "?q=ab&filter=", "Hx-Replace-Url"},
		{"?q=a&after=x", "?q=ab", "Hx-Replace-Url"},
		{"?q=a", "?q=a&filter=staff", "Hx-Push-Url"},
		{"?q=a", "?q=ab&status=lapsed", "Hx-Push-Url"},
		{"?filter=staff&sort=newest", "?filter=staff", "Hx-Push-Url"},
		{"%zz", "?q=a", "Hx-Replace-Url"},
	} {
		a := b.get("/admin/members"+c.asked, "Hx-Request", "true", "Hx-Request-Type", "partial", "Hx-Current-Url", s.URL+"/admin/members"+c.at).is(http.StatusOK)
		for _, header := range []string{"Hx-Push-Url", "Hx-Replace-Url"} {
			if got := a.header.Get(header) != ""; got != (header == c.header) {
				t.Errorf("from %q to %q: %s is %q", c.at, c.asked, header, a.header.Get(header))
			}
		}
	}
}

func TestSearchTextIsWordsAndNothingElse(t *testing.T) {
	long := strings.Repeat("ł", searchLimit-1)
	for typed, want := range map[string]string{
		"  anna  meyer ": "anna meyer", "\ufeffanna\ufeff": "anna", "anna\tmeyer\r\n": "anna meyer", "an\u00a0na\u2003": "an na",
		"a\x00b": "a b", "a\u0085": "a", "\xff\xfeanna\xc5": "anna", "\x00": "", "Łukasz 'O”": "Łukasz 'O”",
		long + " more": long, long + "xyz": long + "x",
	} {
		if got := searchText(typed); got != want {
			t.Errorf("%q is %q, not %q", typed, got, want)
		}
	}
}

// Whoever stood on the last page when its members went is led back.
func TestAPageFromWhichEverybodyWentLeadsBack(t *testing.T) {
	s := newSite(t)
	for i := range 26 {
		dbtest.Member(t, s.db, fmt.Sprintf("Member%02d Lind", i), "")
	}
	b := s.owner(t)
	const first = "/admin/members?q=lind&filter=no-account&status=active"
	last := b.get(b.get(first).one(`a[rel="next"]`).AttrOr("href", "")).is(http.StatusOK)
	last.says("26 members, 1 on this page")
	gone, err := strconv.ParseInt(strings.TrimPrefix(last.one("tbody .who a").AttrOr("href", ""), "/admin/members/"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := s.db.Member(t.Context(), model.ShellActor(), gone)
	if err != nil {
		t.Fatal(err)
	}
	m.Status = model.StatusFormer
	if err := s.db.ChangeMember(t.Context(), model.ShellActor(), m); err != nil {
		t.Fatal(err)
	}
	a := b.get(last.path).is(http.StatusOK).says("There is nobody on this page any more.").saysNothingOf("Nobody found")
	if got := a.one("main .empty a").AttrOr("href", ""); got != first {
		t.Errorf("back leads to %s", got)
	}
}

func TestTheHeadAsksForAShortListOfHits(t *testing.T) {
	s := newSite(t)
	id := dbtest.Member(t, s.db, "Łukasz Nowak", "lukasz@example.org")
	for i := range 10 {
		dbtest.Member(t, s.db, fmt.Sprintf("Nina%02d Holm", i), "")
	}
	b := s.owner(t)
	a := b.part("GET", "/admin/members?as=hits&q=luk").is(http.StatusOK)
	if got := a.one("[role=option]").AttrOr("href", ""); got != record(id)+"/settings" {
		t.Errorf("the hit leads to %q", got)
	}
	if a.doc.Find("table, form").Length() != 0 || a.header.Get("Hx-Replace-Url") != "" {
		t.Error("the short list is the list, or changes the address of the page it hangs on")
	}
	a = b.part("GET", "/admin/members?as=hits&q=holm").says("All 10 hits")
	b.get(a.one("#hit-all").AttrOr("href", "")).is(http.StatusOK).says("10 members")
	if a := b.part("GET", "/admin/members?as=hits&q=+").is(http.StatusOK); a.body != "" {
		t.Errorf("hits for nothing: %s", a.body)
	}
	b.get("/admin/members?as=hits&q=luk").is(http.StatusOK).one("html > head > title")
}

func TestANearNameIsOfferedAndFindsTheMember(t *testing.T) {
	s := newSite(t)
	dbtest.Member(t, s.db, "Anna Meyer", "anna@example.org")
	b := s.owner(t)
	a := b.get("/admin/members?q=anna+meyr&filter=no-account&sort=newest").is(http.StatusOK).says("Nobody found for “anna meyr”.")
	link := a.one("main [data-near]")
	if got := strings.TrimSpace(link.Text()); got != "Did you mean “anna Meyer”?" {
		t.Errorf("offers %q", got)
	}
	found := b.get(link.AttrOr("href", "")).is(http.StatusOK).says("Anna Meyer")
	if found.value("form.seek [name=filter][checked]") != "no-account" || found.value("form.seek [name=sort] [selected]") != "newest" {
		t.Error("filter or order are lost")
	}
	b.part("GET", "/admin/members?as=hits&q=meyr").one("[role=option][data-near]")
	b.get("/admin/members?q=anna").says("Anna Meyer").one(".who mark")
}

func TestAddingAMemberLeadsToTheRecord(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	form := b.get("/admin/members/new").is(http.StatusOK)
	a := b.submit(form, `main form[action="/admin/members"]`, "", "first_name", "Nina", "last_name", "Holm", "email", "nina@example.org", "notes", "Rows\r\non Tuesdays")
	if !strings.HasPrefix(a.is(http.StatusSeeOther).header.Get("Location"), "/admin/members/") {
		t.Fatalf("leads to %q", a.header.Get("Location"))
	}
	page := b.follow(a).is(http.StatusOK).says("Nina Holm").says("Member added.")
	if got := page.text(`[name="notes"]`); got != "Rows on Tuesdays" {
		t.Errorf("the notes are %q", got)
	}
}

func TestARefusedRecordKeepsEverythingThatWasTyped(t *testing.T) {
	s := newSite(t)
	id := dbtest.Member(t, s.db, "Nina Holm", "")
	dbtest.Member(t, s.db, "Taken Number", "")
	b := s.owner(t)
	typed := map[string]string{
		"member_no": "a@b", "first_name": strings.Repeat("x", 101), "last_name": "Holm <b>", "company": "tab\there", "email": "no address",
		"phone": "1", "birth_date": "21.3.1958", "status": "asleep", "joined_on": "1066-01-01", "renews_on": "soon", "notes": strings.Repeat("n", 10_001),
	}
	var fields []string
	for name, value := range typed {
		fields = append(fields, name, value)
	}
	for _, path := range []string{"/admin/members", record(id)} {
		a := b.post(path, append(fields, "version", "1")...).is(http.StatusUnprocessableEntity)
		for name, value := range typed {
			if name == "status" {
				continue
			}
			got := a.one("main [name='"+name+"']").AttrOr("value", a.one("main [name='"+name+"']").Text())
			if got != value {
				t.Errorf("%s: %s came back as %.30q", path, name, got)
			}
			if name == "phone" || name == "last_name" {
				continue
			}
			if a.one("main #"+name).AttrOr("aria-invalid", "") != "true" {
				t.Errorf("%s: %s has no mark", path, name)
			}
		}
		if strings.Contains(a.body, "<b>") {
			t.Error("what was typed is taken for HTML")
		}
	}
}

func TestTwoPeopleSavingAtOnceLoseNothing(t *testing.T) {
	s := newSite(t)
	id := dbtest.Member(t, s.db, "Nina Holm", "nina@example.org")
	one, two := s.owner(t), s.owner(t)
	form := `form[action="` + record(id) + `"]`
	first, second := one.get(record(id)), two.get(record(id))
	one.submit(first, form, "", "phone", "030 111").leads(record(id))
	refused := two.submit(second, form, "", "city", "Bergen").is(http.StatusUnprocessableEntity).says("Ruth Adler saved this record while you were typing")
	if got := refused.value(`main [name="city"]`); got != "Bergen" {
		t.Errorf("what was typed came back as %q", got)
	}
	// What only the other changed stands in this form now, marked.
	if got := refused.says("they have “030 111”").value(`main [name="phone"]`); got != "030 111" {
		t.Errorf("the other's number is %q in the form", got)
	}

	// A slip on top of it must not make the old form pass for a new one.
	slip := two.submit(second, form, "", "city", "Bergen", "email", "slip").is(http.StatusUnprocessableEntity)
	two.submit(slip, form, "", "email", "nina@example.org").is(http.StatusUnprocessableEntity).says("Ruth Adler saved this record while you were typing")

	again := two.submit(refused, form, "").leads(record(id))
	two.follow(again).says("Saved.")
	m, _, err := s.db.Member(t.Context(), model.ShellActor(), id)
	if err != nil || m.Phone != "030 111" || m.City != "Bergen" {
		t.Errorf("%q, %q (%v)", m.Phone, m.City, err)
	}
}

func TestViewersReadRecordsAndHaveNoForm(t *testing.T) {
	s := newSite(t)
	id := dbtest.Member(t, s.db, "Nina Holm", "nina@example.org")
	b, _ := s.signedIn(t, "Vera Adams", model.RoleViewer)
	for _, path := range []string{"/admin/members", record(id), record(id) + "/settings", record(id) + "/activity"} {
		page := b.get(path).is(http.StatusOK)
		for _, f := range page.doc.Find(`form[method="post"]`).EachIter() {
			if action := f.AttrOr("action", ""); action != "/sign-out" {
				t.Errorf("%s offers %s", path, action)
			}
		}
	}
}
