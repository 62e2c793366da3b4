package handlers

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// newestLetter is the letter that was written last.
func (s *site) newestLetter(t testing.TB) int64 {
	t.Helper()
	page, err := s.db.Letters(t.Context(), model.ShellActor(), model.LetterQuery{})
	if err != nil || len(page.Rows) == 0 {
		t.Fatalf("%d letters, %v", len(page.Rows), err)
	}
	return page.Rows[0].ID
}

// refuse has the next letter refused for good.
func (s *site) refuse(t *testing.T, reply string) int64 {
	t.Helper()
	l, err := s.db.ClaimLetter(t.Context())
	if err != nil || l == nil {
		t.Fatal("no letter is due", err)
	}
	must0(t, s.db.SettleLetter(t.Context(), l.ID, model.Delivery{Code: 550, Reply: reply}))
	return l.ID
}

func TestFromTheRecordToTheLogAndBack(t *testing.T) {
	s := newSite(t)
	id := dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	letter := s.refuse(t, "5.2.2 Mailbox full")
	dbtest.MemberWithAccount(t, s.db, "Paul Berg", "paul@example.org")
	b, _ := s.signedIn(t, "Vera Young", model.RoleViewer)

	record := b.get(memberPath(id) + "/settings").is(http.StatusOK).says("Their mailbox is full.")
	log := b.get(record.one("#life-line a").AttrOr("href", "")).is(http.StatusOK).says("Letters about Nina Holm").saysNothingOf("paul@example.org")
	page := b.get(log.one(".letters .who a").AttrOr("href", "")).is(http.StatusOK)
	page.says("Their mailbox is full.").says("550 5.2.2 Mailbox full").says("by Ruth Adler").says("Hello Nina Holm").says("/reset/[left out]")
	if page.path != letterPath(letter) {
		t.Errorf("the log leads to %s", page.path)
	}
	b.get(page.one(".known-by .people a").AttrOr("href", "")).is(http.StatusOK).says("Nina Holm")
	all := b.get("/admin/letters").is(http.StatusOK).says("1 failed").says("paul@example.org")
	if n := all.doc.Find(".letters tbody tr").Length(); n < 3 {
		t.Errorf("%d letters", n)
	}
}

func TestTheLogIsSearchedAsOneTypes(t *testing.T) {
	s := newSite(t)
	dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	dbtest.MemberWithAccount(t, s.db, "Paul Berg", "paul@example.org")
	b := s.owner(t)
	a := b.part("GET", "/admin/letters?q=holm&state=&account=x&before=-3").is(http.StatusOK).saysNothingOf("<html").saysNothingOf("paul@")
	if a.doc.Find(".letters tbody tr").Length() != 1 || a.header.Get("Hx-Replace-Url") != "/admin/letters?q=holm" {
		t.Errorf("%d rows at %q", a.doc.Find(".letters tbody tr").Length(), a.header.Get("Hx-Replace-Url"))
	}
	b.get("/admin/letters?q=holm").is(http.StatusOK).saysNothingOf("paul@").one(`input[name="q"][value="holm"]`)
	b.get("/admin/letters?state=waiting").says("nina@example.org")
	b.get("/admin/letters?state=failed").says("No letter failed.")
	b.get("/admin/letters?q=" + strings.Repeat("x", 5000)).is(http.StatusOK).says("No letter found")
	b.get("/admin/letters?account=999999").is(http.StatusOK).says("No letter yet.")
}

// Nobody gets a link out of the log: not by its pages, not by its letters, not
// by what a mail server quoted.
func TestNoPageOfTheLogHoldsALink(t *testing.T) {
	s := newSite(t)
	id, token := s.invited(t, "Nina Holm", "nina@example.org")
	letter := s.newestLetter(t)
	for _, role := range []model.Role{model.RoleViewer, model.RoleStaff, model.RoleOwner} {
		b := s.owner(t)
		if role != model.RoleOwner {
			b, _ = s.signedIn(t, "Some "+string(role), role)
		}
		for _, path := range []string{"/admin/letters", "/admin/letters?q=nina", letterPath(letter), letterPath(letter) + "/html"} {
			b.get(path).is(http.StatusOK).saysNothingOf(token)
			b.part("GET", path).is(http.StatusOK).saysNothingOf(token)
		}
		html := b.get(letterPath(letter) + "/html")
		if html.header.Get("Content-Security-Policy") != letterPolicy || html.doc.Find("[href], script, img").Length() != 0 {
			t.Errorf("the letter can do something: %s", html.header.Get("Content-Security-Policy"))
		}
		if !strings.Contains(html.text("body"), "Hello Nina Holm") {
			t.Error("it is not the letter")
		}
	}
	r, err := s.db.RecordWithoutLink(t.Context(), model.ShellActor(), id)
	if err != nil || !r.Latest.OpenedAt.IsZero() {
		t.Error("looking at a letter opened its link", err)
	}
}

func TestALetterIsSentAgainFromItsPage(t *testing.T) {
	s := newSite(t)
	id := dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	letter := s.refuse(t, "5.2.2 full")
	s.clock.Add(time.Minute)
	b, _ := s.signedIn(t, "Sam Stone", model.RoleStaff)
	page := b.get(letterPath(letter)).is(http.StatusOK)
	a := b.submit(page, `form[action$="/again"]`, "")
	next := b.follow(a).is(http.StatusOK).says("Sent again. This is the letter that goes out now.").says("waiting to leave")
	if next.path == letterPath(letter) {
		t.Error("it is the same letter")
	}
	must0(t, s.db.Disable(t.Context(), dbtest.Owner(t, s.db), id))
	refused := b.post(letterPath(letter) + "/again").is(http.StatusConflict)
	if !strings.Contains(refused.text(".mistakes"), "disabled") || refused.doc.Find(`form[action$="/again"]`).Length() != 0 {
		t.Errorf("the refusal says %q", refused.text(".mistakes"))
	}
}

func TestALetterIsStoppedFromItsPage(t *testing.T) {
	s := newSite(t)
	dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	letter := s.newestLetter(t)
	b, _ := s.signedIn(t, "Sam Stone", model.RoleStaff)
	page := b.get(letterPath(letter)).is(http.StatusOK)
	b.part("GET", letterPath(letter)).is(http.StatusOK).saysNothingOf("<html").one(`#letter-fate[hx-get]`)
	b.follow(b.submit(page, `form[action$="/stop"]`, "").leads(letterPath(letter))).says("The letter is stopped.").says("Stopped by Sam Stone.")
	b.part("GET", letterPath(letter)).one(`#letter-fate:not([hx-get])`)
	b.post(letterPath(letter) + "/stop").is(http.StatusConflict).says("It is not waiting any more.")
	b.get("/admin/letters?state=withdrawn").says("Stopped")
	for _, l := range dbtest.Deliver(t, s.db) {
		if l.ID == letter {
			t.Error("it left all the same")
		}
	}
}

func TestLettersPerMinuteIsASetting(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	for typed, want := range map[string]int{"30": 30, " ": 0, "0": 0} {
		b.submit(b.get("/admin/settings"), `form[action="/admin/settings"]`, "", "letters_per_minute", typed).leads("/admin/settings")
		if got, err := s.db.Settings(t.Context()); err != nil || got.LettersPerMinute != want {
			t.Errorf("%q: %d, %v", typed, got.LettersPerMinute, err)
		}
		shown := ""
		if want > 0 {
			shown = strconv.Itoa(want)
		}
		if got := b.get("/admin/settings").value("#letters_per_minute"); got != shown {
			t.Errorf("%q is shown as %q", typed, got)
		}
	}
	for _, typed := range []string{"-1", "6001", "many"} {
		b.submit(b.get("/admin/settings"), `form[action="/admin/settings"]`, "", "letters_per_minute", typed).is(http.StatusUnprocessableEntity).one("#letters_per_minute[aria-invalid]")
	}
}
