package handlers

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// asked is a stranger asking for a password with an address.
func (s *site) asked(t *testing.T, typed string) {
	t.Helper()
	s.browser(t).post("/forgot-password", "login", typed).is(http.StatusOK)
	dbtest.Deliver(t, s.db)
}

// answers is what the mail server says to every letter that is due.
func (s *site) answers(t *testing.T, how model.Delivery) {
	t.Helper()
	for {
		l, err := s.db.ClaimLetter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if l == nil {
			return
		}
		if err := s.db.SettleLetter(t.Context(), l.ID, how); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADayWithoutTroubleIsAPleasantPage(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	a := b.get("/admin").is(http.StatusOK).says("Nothing needs you today.")
	if a.doc.Find(".care").Length() != 0 || a.doc.Find("main h1").Length() != 1 {
		t.Errorf("sections without a row: %s", a.text("main"))
	}
	if a.one(`nav a[aria-current="page"]`).Text() != "Today" || a.one("a.home").AttrOr("href", "") != "/admin" {
		t.Error("the way here does not say so")
	}
	members := b.get("/admin/members").is(http.StatusOK)
	if members.one(`nav a[aria-current="page"]`).Text() != "Members" {
		t.Error("every page of the office is Today")
	}
}

func TestWhatNeedsAttentionLeadsToWhereItIsMended(t *testing.T) {
	s := newSite(t)
	jo := dbtest.MemberWithAccount(t, s.db, "Jo Holm", "jo@example.org")
	s.answers(t, model.Delivery{Code: 550, Reply: "5.1.1 user unknown"})
	mia := dbtest.SignedUp(t, s.db, "Mia Brandt", "mia.brandt@example.org")
	nina := dbtest.MemberWithAccount(t, s.db, "Nina Nie", "nina@example.org")
	dbtest.Deliver(t, s.db)
	s.clock.Add(4 * 24 * time.Hour)
	s.asked(t, "mia.brand@example.org")
	b := s.owner(t)
	a := b.get("/admin").is(http.StatusOK)
	for section, want := range map[string]struct {
		id   int64
		says string
	}{
		"#failing":    {jo, "The welcome letter to jo@example.org was refused Mon 23 Nov at 11:42. There is no such mailbox."},
		"#near":       {mia, "A link was asked for with mia.brand@example.org today at 11:42; their address here is mia.brandt@example.org."},
		"#unfinished": {nina, "The letter went out Mon 23 Nov at 11:42, nobody opened its link, and it ends in 3 days"},
	} {
		row := a.doc.Find(section).Parent().Find("li")
		if row.Length() != 1 || row.Find("a.who").AttrOr("href", "") != record(want.id)+"/settings" {
			t.Errorf("%s: %d rows, leading to %q", section, row.Length(), row.Find("a.who").AttrOr("href", ""))
		}
		row.Find(".unseen, [aria-hidden=true] + .unseen").Remove()
		if text := strings.ReplaceAll(strings.Join(strings.Fields(row.Text()), " "), " ;", ";"); !strings.Contains(text, want.says) {
			t.Errorf("%s says %q, not %q", section, text, want.says)
		}
	}
	if a.doc.Find("#slowed, #mail, #held").Length() != 0 {
		t.Error("there is a section without a row")
	}

	panel := b.get(record(mia) + "/settings").is(http.StatusOK)
	panel.says("A link was asked for with mia.brand@example.org: nearly the address of this account.").says("Tell them that their address here is mia.brandt@example.org")

	for _, tab := range []string{"", "/settings", "/activity"} {
		badge := b.get(record(jo) + tab).is(http.StatusOK).one("#badges a.trouble")
		account := dbtest.Account(t, s.db, jo)
		if badge.Text() != "Letter failed" || badge.AttrOr("href", "") != "/admin/letters?account="+strconv.FormatInt(account.ID, 10) {
			t.Errorf("the badge of %q says %q and leads to %q", tab, badge.Text(), badge.AttrOr("href", ""))
		}
	}

	b.submit(a, `#near + ul form`, "").leads("/admin")
	after := b.get("/admin").is(http.StatusOK).says("Seen to. What was typed is forgotten.")
	if after.doc.Find("#near").Length() != 0 {
		t.Error("it is still there after Done")
	}
	b.get(record(mia) + "/settings").is(http.StatusOK).saysNothingOf("mia.brand@example.org")
	b.get(record(mia) + "/activity").is(http.StatusOK).says("Wrong address they tried seen to").saysNothingOf("mia.brand@example.org")
	b.post("/admin/attention/near/0/done").is(http.StatusNotFound)
	b.post("/admin/attention/near/x/done").is(http.StatusNotFound)
	b.post("/admin/attention/near/999/done").leads("/admin") // the second half of a double click
}

func TestViewersSeeWhatNeedsAttentionAndChangeNothing(t *testing.T) {
	s := newSite(t)
	dbtest.SignedUp(t, s.db, "Mia Brandt", "mia.brandt@example.org")
	b, _ := s.signedIn(t, "Vera Blick", model.RoleViewer)
	dbtest.Deliver(t, s.db)
	s.clock.Add(time.Minute)
	s.asked(t, "mia.brand@example.org")
	a := b.get("/admin").is(http.StatusOK).says("mia.brand@example.org")
	if a.doc.Find("main form").Length() != 0 {
		t.Error("a viewer is offered Done")
	}
	b.post("/admin/attention/near/1/done").is(http.StatusForbidden)
	member, _ := s.signedIn(t, "Nina Holm", model.RoleMember)
	member.get("/admin").is(http.StatusForbidden)
}

// What a stranger types is text, on the page and in the panel.
func TestATypedAddressIsOnlyText(t *testing.T) {
	s := newSite(t)
	id := dbtest.Member(t, s.db, "Mia <b>Brandt</b>", "mia'*{}&@example.org")
	s.asked(t, "mia'*{}&x@example.org")
	s.asked(t, `"<script>alert(1)</script>"@example.org`)
	b := s.owner(t)
	for _, path := range []string{"/admin", record(id) + "/settings"} {
		a := b.get(path).is(http.StatusOK).says("mia'*{}&x@example.org").saysNothingOf("<b>Brandt").saysNothingOf("alert(1)")
		if a.doc.Find("main b:contains(Brandt), main script").Length() != 0 {
			t.Errorf("%s has an element of a stranger's", path)
		}
	}
}

// Two addresses that look the same must not pass for one and the same.
func TestALookalikeSaysThatItIsOne(t *testing.T) {
	s := newSite(t)
	dbtest.SignedUp(t, s.db, "Mia Brandt", "mia.brandt@example.org")
	dbtest.Deliver(t, s.db)
	s.clock.Add(time.Hour)
	s.asked(t, "mi\u0430.brandt@example.org")
	s.owner(t).get("/admin").is(http.StatusOK).says("mi\u0430.brandt@example.org (with letters of another alphabet in it)")
	s.clock.Add(time.Hour)
	s.asked(t, "mia.brand@example.org")
	s.owner(t).get("/admin").is(http.StatusOK).says("mia.brand@example.org").saysNothingOf("another alphabet")
}

func TestAStrangerLearnsNothingFromANearAddress(t *testing.T) {
	s := newSite(t)
	dbtest.SignedUp(t, s.db, "Mia Brandt", "mia.brandt@example.org")
	dbtest.Deliver(t, s.db)
	ask := func(typed string) string {
		a := s.browser(t).post("/forgot-password", "login", typed).is(http.StatusOK)
		dbtest.Deliver(t, s.db)
		return a.text("main")
	}
	if near, far := ask("mia.brand@example.org"), ask("zoe.lang@elsewhere.example"); near != far {
		t.Errorf("%q, and %q", near, far)
	}
	s.browser(t).get("/admin").leads("/sign-in?next=%2Fadmin")
}

func TestTheMailServersTroubleIsEverybodys(t *testing.T) {
	s := newSite(t)
	dbtest.MemberWithAccount(t, s.db, "Jo Holm", "jo@example.org")
	s.answers(t, model.Delivery{Reply: "the mail server could not be reached: connection refused <b>"})
	a := s.owner(t).get("/admin").is(http.StatusOK)
	a.says("The mail server takes no letters").says("1 letter waits.").says("connection refused <b>")
	if a.one("#mail").Parent().Find(`a[href="/admin/settings/mail"]`).Length() != 1 {
		t.Error("an owner is not led to the settings")
	}
	viewer, _ := s.signedIn(t, "Vera Blick", model.RoleViewer)
	if v := viewer.get("/admin").is(http.StatusOK); v.doc.Find(`main a[href^="/admin/settings"]`).Length() != 0 {
		t.Error("a viewer is led to where they may not go")
	}
}

func TestLettersHeldBackSayWhy(t *testing.T) {
	d, clock := dbtest.OpenIn(t, t.TempDir(), db.Fixed{Mail: &model.MailServer{Host: "mail.example.net", Port: 587}})
	s := serveSite(t, d, clock)
	dbtest.MemberWithAccount(t, d, "Jo Holm", "jo@example.org")
	s.owner(t).get("/admin").is(http.StatusOK).says("Letters are held back").says("begin with http://localhost:8080").says("1 letter waits.")
}

func TestTenRowsAndTheWayToAll(t *testing.T) {
	s := newSite(t)
	for i := range model.AttentionRows + 1 {
		dbtest.MemberWithAccount(t, s.db, "Jo Holm", "jo"+strconv.Itoa(i)+"@example.org")
	}
	s.answers(t, model.Delivery{Code: 550, Reply: "5.1.1 user unknown"})
	list := s.owner(t).get("/admin").is(http.StatusOK).one("#failing").Parent()
	if n := list.Find("li a.who").Length(); n != model.AttentionRows {
		t.Errorf("%d rows", n)
	}
	if to := list.Find(".rest a").AttrOr("href", ""); to != "/admin/members?filter=email-failing" || list.Find("h2 .badge").Text() == "" {
		t.Errorf("the rest is at %q", to)
	}
}

func TestItWasNotMeStandsOnTheStaffHomeUntilItIsSettled(t *testing.T) {
	s := newSite(t)
	mia := dbtest.SignedUp(t, s.db, "Mia <Brandt>", "mia@example.org")
	jo := dbtest.MemberWithAccount(t, s.db, "Jo Holm", "jo@example.org")
	for _, id := range []int64{mia, jo} {
		if _, err := s.db.NotMe(t.Context(), dbtest.NotMe(t, s.db, id).Reveal(), "203.0.113.9"); err != nil {
			t.Fatal(err)
		}
	}
	viewer, _ := s.signedIn(t, "Vera Blick", model.RoleViewer)
	staff, _ := s.signedIn(t, "Stefan Amt", model.RoleStaff)
	path := func(id int64) string {
		return "/admin/attention/not-me/" + strconv.FormatInt(dbtest.Link(t, s.db, id).ID, 10) + "/done"
	}
	settle := path(jo)
	if viewer.get("/admin").is(http.StatusOK).says("Jo Holm").doc.Find("main form").Length() != 0 {
		t.Error("a viewer is offered Done")
	}
	viewer.post(settle).is(http.StatusForbidden)
	a := staff.get("/admin").is(http.StatusOK)
	rows := a.doc.Find("#not-me").Parent().Parent().Find("li")
	if rows.Length() != 2 {
		t.Fatalf("%d rows", rows.Length())
	}
	for name, says := range map[string]string{"Mia <Brandt>": "A password had been set through the link.", "Jo Holm": "It opens nothing any more."} {
		row := rows.FilterFunction(func(_ int, row *goquery.Selection) bool { return row.Find("a.who").Text() == name })
		if row.Length() != 1 || !strings.Contains(row.Text(), says) {
			t.Errorf("%s: %q", name, row.Text())
		}
	}
	staff.post(settle).leads("/admin")
	staff.get("/admin").is(http.StatusOK).says("Mia <Brandt>").says("Seen to.").saysNothingOf("Jo Holm").saysNothingOf("What was typed")
	staff.post("/admin/attention/not-me/9999/done").is(http.StatusNotFound)
}
