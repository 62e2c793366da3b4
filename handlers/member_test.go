package handlers

import (
	"fmt"
	"net/http"
	"net/url"
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
