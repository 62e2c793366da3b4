package handlers

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func TestTheAuditSaysWhoDidWhatToWhomFromWhere(t *testing.T) {
	s := newSite(t)
	id := dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	b, _ := s.signedIn(t, "Eva Lind", model.RoleStaff)
	b.header.Set("X-Forwarded-For", "203.0.113.77")
	b.post(record(id) + "/account/disable").is(http.StatusSeeOther)

	o := s.owner(t)
	a := o.get("/admin/audit").is(http.StatusOK)
	line := strings.Join(strings.Fields(a.doc.Find(".audit li li").First().Next().Text()), " ") // after the owner's own sign-in
	if line != "11:42 Account disabled Nina Holm by Eva Lind from 203.0.113.x" {
		t.Errorf("it says %q", line)
	}
	a.saysNothingOf("203.0.113.77")

	// A name leads to all of and about a person, by an address of its own.
	about := o.get(a.doc.Find(".audit .whom a").First().AttrOr("href", "")).is(http.StatusOK).says("Only of and about Nina Holm")
	if n := about.doc.Find(".audit li li").Length(); n < 3 {
		t.Errorf("%d lines about her", n)
	}
	if to := about.doc.Find(".audit .whom a").First().AttrOr("href", ""); to != record(id)+"/activity" {
		t.Errorf("from there it leads to %q", to)
	}
	o.get(record(id) + "/activity").is(http.StatusOK).says("by Eva Lind, from 203.0.113.x")
}

func TestTheAuditIsSiftedByTheAddressAlone(t *testing.T) {
	s := newSite(t)
	id := dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	o := s.owner(t)
	o.post(record(id) + "/account/disable").is(http.StatusSeeOther)
	path := "/admin/audit?q=nina&act=account&from=2026-11-23&to=2026-11-23"
	a := o.get(path).is(http.StatusOK)
	if got := a.text(".audit .did"); got != "Account disabled Account made" {
		t.Errorf("it shows %q", got)
	}
	if a.value("#q") != "nina" || a.value(`input[name="from"]`) != "2026-11-23" || a.value(`input[name="to"]`) != "2026-11-23" ||
		a.one(`select[name="act"] option[selected]`).AttrOr("value", "") != "account" {
		t.Error("the form forgot what was asked")
	}
	part := o.part(http.MethodGet, path)
	if part.doc.Find("nav[aria-label=Main]").Length() != 0 || part.doc.Find(".audit .did").Length() != 2 || part.header.Get("Hx-Replace-Url") != "/admin/audit?q=nina&act=account&from=2026-11-23&to=2026-11-23" {
		t.Errorf("the part: %s", part.body)
	}
	wrong := o.get("/admin/audit?from=tomorrow").is(http.StatusOK).says("Please write the day like 2026-11-23.")
	if _, marked := wrong.one(`input[name="from"]`).Attr("aria-invalid"); !marked {
		t.Error("the day that cannot be read is not marked")
	}
	o.get("/admin/audit?q=xaver").is(http.StatusOK).says("Nobody is called “xaver”.")
	for i := range 9 {
		dbtest.Member(t, s.db, fmt.Sprintf("Karl Berg%d", i), "")
	}
	many := o.get("/admin/audit?q=berg").is(http.StatusOK).says("9 people are called like that.")
	if many.doc.Find(`#audit a[href*="member="]`).Length() != model.AuditPeople {
		t.Error("none to choose from")
	}
	const nasty = `"><script>x</script>`
	o.get("/admin/audit?act=" + "%22%3E%3Cscript%3Ex%3C%2Fscript%3E&q=" + "%22%3E%3Cscript%3Ex%3C%2Fscript%3E&from=%22%3E%3Cscript%3Ex%3C%2Fscript%3E").saysNothingOf(nasty)
	for _, junk := range []string{"before=x", "before=-1", "after=99999999999999999999", "member=0", "member=x", "before=999999", "after=1&before=1", "from=%00"} {
		o.get("/admin/audit?" + junk).is(http.StatusOK)
	}
}

func TestTheAuditIsPaged(t *testing.T) {
	s := newSite(t)
	for i := range 120 {
		dbtest.Member(t, s.db, fmt.Sprintf("Karl Berg%d", i), "")
	}
	o := s.owner(t)
	first := o.get("/admin/audit?act=member.added").is(http.StatusOK)
	second := o.get(first.one(`a[rel="next"]`).AttrOr("href", "")).is(http.StatusOK)
	back := o.get(second.one(`a[rel="prev"]`).AttrOr("href", "")).is(http.StatusOK)
	if first.text(".audit") != back.text(".audit") || first.text(".audit") == second.text(".audit") {
		t.Error("the pages do not lead back")
	}
	if first.doc.Find(`a[rel="prev"]`).Length()+back.doc.Find(`a[rel="prev"]`).Length() != 0 {
		t.Error("something newer than the newest")
	}
}

func TestHowLongActivityIsKeptIsAnOwnersSetting(t *testing.T) {
	s := newSite(t)
	o := s.owner(t)
	save := func(years string) *reply {
		return o.submit(o.get("/admin/settings"), `form[action="/admin/settings"]`, "", "audit_kept", years)
	}
	save("0").is(http.StatusUnprocessableEntity).says("Please choose a number from 1 to 10.")
	save("11").is(http.StatusUnprocessableEntity)
	save("many").is(http.StatusUnprocessableEntity)
	save("5").is(http.StatusSeeOther)
	kept, err := s.db.Settings(t.Context())
	if err != nil || kept.AuditKept != 5*365*24*time.Hour {
		t.Errorf("kept for %v, %v", kept.AuditKept, err)
	}
	o.get("/admin/audit").says("each is kept for 5 years")
}
