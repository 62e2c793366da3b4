package handlers

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

const askEmailForm = `form[action="/account/email"]`

// movingTo asks for another address as a person does, and gives the token of
// the letter there.
func (b *browser) movingTo(me model.Actor, email string) (token string) {
	b.t.Helper()
	b.submit(b.get("/account/email").is(http.StatusOK), askEmailForm, "", "email", email, "current_password", dbtest.Password).leads("/account/email")
	return dbtest.EmailToken(b.t, b.site.db, me).Reveal()
}

func TestTheWholeRoadToAnotherAddress(t *testing.T) {
	s := newSite(t)
	b, me := s.signedIn(t, "Nina Holm", model.RoleMember)
	elsewhere := s.browser(t)
	elsewhere.signIn("nina.holm@riverside.example", dbtest.Password)
	office := s.owner(t)
	viewer, _ := s.signedIn(t, "Vera Viewer", model.RoleViewer)

	form := b.follow(b.get("/account")).one(`a[href="/account/email"]`)
	if form.Length() != 1 {
		t.Fatal("no way to another address")
	}
	page := b.get("/account/email").is(http.StatusOK)
	if got := page.one(`input[name="current_password"]`).AttrOr("autocomplete", ""); got != "current-password" {
		t.Errorf("autocomplete=%q", got)
	}
	refused := b.submit(page, askEmailForm, "", "email", "nina@@example", "current_password", dbtest.Password).is(http.StatusUnprocessableEntity)
	refused.says("Please write the address like name@example.org.")
	if refused.value(`input[name="email"]`) != "nina@@example" || refused.one(`input[name="email"]`).AttrOr("aria-describedby", "") != "email-wrong" || refused.value(`input[name="current_password"]`) != "" {
		t.Error("what was typed is lost, or the password comes back")
	}
	b.submit(page, askEmailForm, "", "email", "nina@example.org", "current_password", "wrong kettle entirely").is(http.StatusUnprocessableEntity).
		says("This is not your present password.")
	b.submit(page, askEmailForm, "", "email", "nina.holm@riverside.example", "current_password", dbtest.Password).is(http.StatusUnprocessableEntity).
		says("This is the address that you have already.")

	token := b.movingTo(me, "nina@example.org")
	b.get("/account/email").says("We sent a letter to nina@example.org").says("tomorrow at 11:42").saysNothingOf(token)
	b.get("/account").says("We sent a letter to nina@example.org")
	office.get(record(me.MemberID) + "/settings").says("They asked for nina@example.org").saysNothingOf(token)
	viewer.get(record(me.MemberID) + "/settings").says("They asked for another one").saysNothingOf("nina@example.org")
	office.get(record(me.MemberID) + "/activity").says("New email asked for").saysNothingOf(token)

	moved := b.get("/email/" + token).leads("/email?r=" + handle(token))
	if c := moved.cookie("latchkey-email"); c == nil || c.MaxAge != 3600 || !c.HttpOnly || c.Path != "/" || c.SameSite != http.SameSiteLaxMode {
		t.Fatalf("the cookie: %v", c)
	}
	if moved.body != "" || moved.header.Get("Referrer-Policy") != "no-referrer" {
		t.Error("the address with the token renders, or is told on")
	}
	confirm := b.follow(moved).is(http.StatusOK).says("nina@example.org").says("Nina Holm")
	if n := confirm.doc.Find("form").Length(); n != 1 {
		t.Errorf("%d forms", n)
	}
	b.submit(confirm, `form[action="/email"]`, "").leads("/account")
	b.get("/account").is(http.StatusOK).says("Your email is changed.").says("nina@example.org")
	elsewhere.get("/account").leads("/sign-in?next=%2Faccount")
	s.browser(t).signIn("nina@example.org", dbtest.Password)
	s.browser(t).post("/sign-in", "login", "nina.holm@riverside.example", "password", dbtest.Password).is(http.StatusUnprocessableEntity)
	b.follow(b.get("/email/" + token)).is(http.StatusOK).says("already changed").saysNothingOf("nina@example.org").saysNothingOf("Holm")
	office.get(record(me.MemberID) + "/activity").says("Email changed").saysNothingOf(token)
	for _, l := range dbtest.Deliver(t, s.db) {
		office.get(letterPath(l.ID)).is(http.StatusOK).saysNothingOf(token)
		office.get(letterPath(l.ID) + "/html").is(http.StatusOK).saysNothingOf(token)
	}
	s.Close()
	if strings.Contains(s.log.String(), token[:16]) || strings.Contains(s.log.String(), "nina@example.org") {
		t.Error("the log knows too much")
	}
}

// Confirmed where nobody is signed in, or somebody else: nobody is signed in by
// it, and whoever was stays.
func TestConfirmingSignsNobodyIn(t *testing.T) {
	s := newSite(t)
	b, me := s.signedIn(t, "Nina Holm", model.RoleMember)
	token := b.movingTo(me, "nina@example.org")
	other, _ := s.signedIn(t, "Paul Berg", model.RoleMember)
	page := other.follow(other.get("/email/" + token)).says("This browser is signed in as Paul Berg.")
	done := other.submit(page, `form[action="/email"]`, "").leads("/sign-in")
	if done.cookie("latchkey") != nil {
		t.Error("the session of somebody else changed")
	}
	other.get("/account").says("Paul Berg")
	b.get("/account").leads("/sign-in?next=%2Faccount")

	s.clock.Add(2 * time.Hour)
	b.signIn("nina@example.org", dbtest.Password)
	me.Stamp = dbtest.Account(t, s.db, me.MemberID).SessionStamp
	token = b.movingTo(me, "holm@example.org")
	stranger := s.browser(t)
	done = stranger.submit(stranger.follow(stranger.get("/email/"+token)), `form[action="/email"]`, "").leads("/sign-in")
	if done.cookie("latchkey") != nil || done.cookie("latchkey-device") != nil {
		t.Error("confirming gave a session, or made a known device of a stranger's")
	}
	if got := stranger.get("/sign-in").says("Your email is changed.").value(`input[name="login"]`); got != "holm@example.org" {
		t.Errorf("prefilled with %q", got)
	}
	stranger.get("/account").leads("/sign-in?next=%2Faccount")
}

func TestEachEndOfAChangeHasItsPage(t *testing.T) {
	s := newSite(t)
	b, me := s.signedIn(t, "Nina Holm", model.RoleMember)
	first := b.movingTo(me, "one@example.org")
	stranger := s.browser(t)
	stranger.follow(stranger.get("/email/" + first)).is(http.StatusOK).says("Use this address from now on?")
	b.submit(b.get("/account"), `form[action="/account/email/cancel"]`, "").leads("/account")
	b.get("/account").says("Your address stays as it is.").saysNothingOf("one@example.org")
	b.post("/account/email/cancel").leads("/account") // a second press
	second := b.movingTo(me, "two@example.org")
	b.post("/account/email", "email", "three@example.org", "current_password", dbtest.Password).leads("/account/email")
	third := dbtest.EmailToken(t, s.db, me).Reveal()
	for token, says := range map[string]string{first: "taken back", second: "There is a newer letter."} {
		page := stranger.follow(stranger.get("/email/" + token)).is(http.StatusOK).says(says)
		page.saysNothingOf("Holm").saysNothingOf("@example.org")
		stranger.post("/email", "token", token).is(http.StatusConflict).says(says)
	}
	s.clock.Add(24 * time.Hour)
	stranger.follow(stranger.get("/email/" + third)).is(http.StatusOK).says("This link has expired.").saysNothingOf("@example.org")
	stranger.post("/email", "token", third).is(http.StatusConflict)
	stranger.get("/email").is(http.StatusOK).says("Please open the link in the letter again.")
	for _, none := range []string{strings.Repeat("a", model.TokenLen), "x", strings.ToUpper(first)} {
		stranger.get("/email/" + none).leads("/email?r=unknown")
		stranger.post("/email", "token", none).is(http.StatusNotFound)
	}
	stranger.get("/email?r=unknown").is(http.StatusNotFound).says("This link does not open anything.")
}

func TestScannersConfirmNoAddress(t *testing.T) {
	s := newSite(t)
	b, me := s.signedIn(t, "Nina Holm", model.RoleMember)
	token := b.movingTo(me, "nina@example.org")
	before := s.changes(t)
	scanner := s.browser(t)
	for range 3 {
		scanner.send(scanner.request("HEAD", "/email/"+token, "")).leads("/email?r=" + handle(token))
		scanner.follow(scanner.get("/email/" + token)).is(http.StatusOK)
		scanner.send(scanner.request("HEAD", "/email?r="+handle(token), "")).is(http.StatusOK)
	}
	s.Close()
	if after := s.changes(t); after != before {
		t.Errorf("%d lines before, %d after", before, after)
	}
}

// Nobody who is signed in learns from these pages who has an account.
func TestAskingForAnAddressTellsNothingOfWhoHasIt(t *testing.T) {
	s := newSite(t)
	dbtest.SignedUp(t, s.db, "Paul Berg", "taken@example.org")
	for n := range 8 {
		dbtest.MemberWithAccount(t, s.db, "Person "+string(rune('A'+n)), "crowd@example.org")
	}
	dbtest.Person(t, s.db, "Staff", model.RoleStaff)
	disabled := dbtest.SignedUp(t, s.db, "Dora Disabled", "gone1@example.org")
	must0(t, s.db.Disable(t.Context(), dbtest.Owner(t, s.db), disabled))
	var pages []string
	for n, to := range []string{"freee@example.org", "taken@example.org", "crowd@example.org", "staff@riverside.example", dbtest.OwnerEmail, "gone1@example.org"} {
		b, me := s.signedIn(t, "Asker "+string(rune('A'+n)), model.RoleMember)
		said := strings.NewReplacer(to, "TYPED", me.Name, "NAME", strings.ToLower(strings.ReplaceAll(me.Name, " ", "."))+"@riverside.example", "LOGIN")
		a := b.post("/account/email", "email", to, "current_password", dbtest.Password)
		whole := regexp.MustCompile(`[0-9A-Z]{8}|expires=[^;]*`).ReplaceAllString(strings.Join([]string{a.header.Get("Location"), a.header.Get("Set-Cookie"), a.body}, "\n"), "")
		for _, path := range []string{"/account/email", "/account"} {
			page := b.get(path).is(http.StatusOK).says(to)
			whole += said.Replace(page.body)
		}
		s.clock.Add(10 * time.Second)
		again := b.post("/account/email/again")
		whole += again.header.Get("Location")
		pages = append(pages, whole)
		s.clock.Add(-10 * time.Second)
		if whole != pages[0] || a.status != http.StatusSeeOther || again.status != http.StatusSeeOther {
			t.Errorf("%s is answered otherwise:\n%s\n\n%s", to, whole, pages[0])
		}
	}
}

func TestTooManyLettersSayHowLongToWait(t *testing.T) {
	s := newSite(t)
	b, me := s.signedIn(t, "Nina Holm", model.RoleMember)
	for n := range model.EmailLettersPerHour {
		b.post("/account/email", "email", "n"+string(rune('a'+n))+"@example.org", "current_password", dbtest.Password).leads("/account/email")
		dbtest.Deliver(t, s.db)
		s.clock.Add(time.Minute)
	}
	a := b.post("/account/email", "email", "stranger@example.org", "current_password", dbtest.Password).is(http.StatusTooManyRequests)
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	a.says("The next try is possible in")
	b.post("/account/email/again").is(http.StatusTooManyRequests)
	if c, err := s.db.PendingEmail(t.Context(), me); err != nil || c == nil || c.To != "nc@example.org" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestWithoutAMailServerTheOfficeChangesTheAddress(t *testing.T) {
	d, clock := dbtest.OpenIn(t, t.TempDir(), db.Fixed{BaseURL: "http://localhost:8080"})
	s := serveSite(t, d, clock)
	b, _ := s.signedIn(t, "Nina Holm", model.RoleMember)
	if page := b.get("/account/email").says("Please ask the office"); page.doc.Find(askEmailForm).Length() != 0 {
		t.Error("a letter is promised that cannot leave")
	}
}

func FuzzEmailToken(f *testing.F) {
	z := newFuzzed(f)
	f.Add(strings.Repeat("a", model.TokenLen))
	f.Add("a\nb")
	f.Add("\x00")
	f.Fuzz(func(t *testing.T, token string) {
		o, err := z.db.OpenEmail(t.Context(), token)
		if err != nil || o.State != model.ResetUnknown || o.Account.ID != 0 {
			t.Errorf("%q: %+v, %v", token, o, err)
		}
		if _, err := z.db.ConfirmEmail(t.Context(), model.EmailConfirm{Token: model.NewSecret(token)}); model.KindOf(err) != model.KindLinkEnded {
			t.Errorf("%q: %v", token, err)
		}
	})
}

func FuzzNewEmail(f *testing.F) {
	for _, typed := range []string{"nina@example.org", "", "@", "a@b", "\"x\"@example.org", "nina@example.org\r\nBcc: x@example.org", "Łukasz@świat.example", strings.Repeat("a", 300) + "@example.org", "ﬀ@example.org", "nina@EXAMPLE.org"} {
		f.Add(typed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		email, sentence := model.ParseEmail(typed)
		if sentence == "" && email != "" && (strings.ContainsAny(email, " \r\n\t<>,;") || !strings.Contains(email, "@") || email != strings.TrimSpace(typed)) {
			t.Errorf("%q is taken as %q", typed, email)
		}
		if key := model.EmailKey(email); model.EmailKey(key) != key {
			t.Errorf("the key of %q has another", email)
		}
	})
}
