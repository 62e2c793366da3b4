package handlers

import (
	"database/sql"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// withApp is a browser in which somebody sets up an authenticator app, page by
// page. It gives the app's key and the recovery codes.
func withApp(b *browser, password string) (key string, codes []string) {
	b.t.Helper()
	a := b.get("/account/two-factor/app").is(http.StatusOK)
	a = b.submit(a, `form[action="/account/two-factor/app"]`, "", "current_password", password).is(http.StatusOK)
	key = a.text(".key-text")
	a = b.submit(a, `form[action="/account/two-factor/app/confirm"]`, "", "code", dbtest.AppCode(b.t, key, b.site.clock.Now())).is(http.StatusOK)
	for _, c := range a.doc.Find(".codes code").EachIter() {
		codes = append(codes, c.Text())
	}
	return key, codes
}

func TestSettingUpAnAppAndSigningInWithIt(t *testing.T) {
	s := newSite(t)
	b, _ := s.signedIn(t, "Nina Holm", model.RoleMember)
	b.get("/account").says("Second step when you sign in")
	key, codes := withApp(b, dbtest.Password)
	if len(codes) != model.RecoveryCodes {
		t.Fatalf("%d recovery codes", len(codes))
	}
	b.get("/account/two-factor").is(http.StatusOK).says("10 of 10 are left") // still signed in
	s.clock.Add(time.Minute)

	other := s.browser(t)
	a := other.post("/sign-in", "login", "nina.holm@riverside.example", "password", dbtest.Password, "next", "/account/password", "keep", "1").is(http.StatusOK)
	if a.cookie("latchkey") != nil || a.cookie("latchkey-device") != nil {
		t.Error("the password alone gave a cookie")
	}
	if got := a.one(`input[name="code"]`).AttrOr("autocomplete", ""); got != "one-time-code" {
		t.Errorf("autocomplete=%q", got)
	}
	other.get("/account").leads("/sign-in?next=%2Faccount")
	a = other.submit(a, `form[action="/sign-in/factor"]:not([data-passkey])`, "", "code", "000 000").is(http.StatusUnprocessableEntity)
	a.says("This code does not fit.")
	if a.value(`input[name="code"]`) != "" {
		t.Error("the code comes back")
	}
	a = other.submit(a, `form[action="/sign-in/factor"]:not([data-passkey])`, "", "code", dbtest.AppCode(t, key, s.clock.Now()))
	a.leads("/account/password")
	if c := a.cookie("latchkey"); c == nil || c.MaxAge <= 0 && c.Expires.IsZero() {
		t.Errorf("\"keep me signed in\" is lost: %v", c)
	}
	other.get("/account").is(http.StatusOK)
}

func TestTheSecretOfAnAppStandsOnItsPageAlone(t *testing.T) {
	s := newSite(t)
	b, actor := s.signedIn(t, "Nina Holm", model.RoleMember)
	key, codes := withApp(b, dbtest.Password)
	bare := strings.ReplaceAll(key, " ", "")
	owner := s.owner(t)
	for _, a := range []*reply{b.get("/account/two-factor"), b.get("/account"), owner.get(memberPath(actor.MemberID) + "/settings"), owner.get(memberPath(actor.MemberID) + "/activity"), owner.get("/admin/letters")} {
		a.is(http.StatusOK).saysNothingOf(bare).saysNothingOf(key).saysNothingOf(codes[0])
	}
	for _, l := range dbtest.Deliver(t, s.db) {
		a := owner.get("/admin/letters/" + strconv.FormatInt(l.ID, 10))
		a.is(http.StatusOK).saysNothingOf(codes[0]).saysNothingOf(bare)
	}
	s.Close()
	for _, secret := range append(codes, key, bare, dbtest.Password) {
		if strings.Contains(s.log.String(), secret) {
			t.Error("a secret stands in the log")
		}
	}
}

// Whoever has no password to show must not learn who has a second factor: the
// same page, of the same size.
func TestAWrongPasswordShowsTheSamePageWithAndWithoutASecondFactor(t *testing.T) {
	s := newSite(t)
	with, _ := s.signedIn(t, "Nina Holm", model.RoleMember)
	s.signedIn(t, "Paul Berg", model.RoleMember)
	withApp(with, dbtest.Password)
	one := s.browser(t).post("/sign-in", "login", "nina.holm@riverside.example", "password", "wrong")
	two := s.browser(t).post("/sign-in", "login", "paul.berg@riverside.example", "password", "wrong")
	if one.status != two.status || one.text("main") != two.text("main") || one.doc.Find("input").Length() != two.doc.Find("input").Length() {
		t.Errorf("%d %s\n%d %s", one.status, one.text("main"), two.status, two.text("main"))
	}
	if a, b := len(one.body), len(two.body); a != b {
		t.Errorf("%d and %d bytes", a, b)
	}
}

func TestTooManyWrongCodesSayHowLongToWait(t *testing.T) {
	s := newSite(t)
	b, _ := s.signedIn(t, "Nina Holm", model.RoleMember)
	withApp(b, dbtest.Password)
	other := s.browser(t)
	a := other.post("/sign-in", "login", "nina.holm@riverside.example", "password", dbtest.Password)
	const form = `form[action="/sign-in/factor"]:not([data-passkey])`
	for range 5 {
		a = other.submit(a, form, "", "code", "000000").is(http.StatusUnprocessableEntity)
	}
	a = other.submit(a, form, "", "code", "000000").is(http.StatusTooManyRequests)
	if a.header.Get("Retry-After") == "" || a.doc.Find(form).Length() != 1 {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	a.says("The next try is possible in")
}

func TestAnOldQuestionLeadsBackToTheDoor(t *testing.T) {
	s := newSite(t)
	b, _ := s.signedIn(t, "Nina Holm", model.RoleMember)
	withApp(b, dbtest.Password)
	other := s.browser(t)
	a := other.post("/sign-in", "login", "nina.holm@riverside.example", "password", dbtest.Password, "next", "/account/password")
	s.clock.Add(10 * time.Minute)
	a = other.submit(a, `form[action="/sign-in/factor"]:not([data-passkey])`, "", "code", "000000").is(http.StatusUnprocessableEntity)
	a.says("That took a while, so please sign in once more.")
	if a.value(`input[name="next"]`) != "/account/password" {
		t.Error("next is lost")
	}
	for _, path := range []string{"/sign-in/factor", "/sign-in/passkey"} {
		other.post(path, "ticket", "x", "passkey_ticket", "x", "credential", "{}", "next", "//evil.example").is(http.StatusUnprocessableEntity).saysNothingOf("evil.example")
	}
}

func TestTheOfficeIsClosedAfterTheGrace(t *testing.T) {
	s := newSite(t)
	s.owner(t)
	s.clock.Add(model.FactorGrace - time.Second)
	b := s.owner(t)
	b.get("/admin/members").is(http.StatusOK).says("There is time to set one up until")
	s.clock.Add(time.Second)
	for _, path := range []string{"/admin", "/admin/members", "/admin/settings", "/admin/members/1/settings"} {
		b.get(path).leads("/account/two-factor")
	}
	b.post("/admin/members/1", "last_name", "X").leads("/account/two-factor")
	if got := b.part("GET", "/admin/members?q=x").header.Get("Hx-Redirect"); got != "/account/two-factor" {
		t.Errorf("htmx is led to %q", got)
	}
	a := b.get("/account/two-factor").is(http.StatusOK)
	b.get("/account").is(http.StatusOK)
	b.post("/account/two-factor/app", "current_password", dbtest.OwnerPassword).is(http.StatusForbidden)

	// Through the letter it opens again.
	dbtest.Deliver(t, s.db)
	b.follow(b.submit(a, `form[action="/account/two-factor/letter"]`, "")).says("The link is on its way to your email address.")
	var link string
	for _, l := range dbtest.Deliver(t, s.db) {
		if l.Kind == model.LetterReset && l.To == dbtest.OwnerEmail {
			link = l.Links[0].URL.Reveal()
		}
	}
	_, path, _ := strings.Cut(link, "localhost:8080")
	a = b.follow(b.get(path))
	b.submit(a, `form[action="/reset"]`, "", "password", dbtest.OwnerPassword, "password_confirm", dbtest.OwnerPassword).leads("/sign-in")
	b.signIn(dbtest.OwnerEmail, dbtest.OwnerPassword)
	b.get("/admin/members").leads("/account/two-factor")
	withApp(b, dbtest.OwnerPassword)
	b.get("/admin/members").is(http.StatusOK)
}

func TestStaffClearALostFactor(t *testing.T) {
	s := newSite(t)
	b, nina := s.signedIn(t, "Nina Holm", model.RoleMember)
	staff, _ := s.signedIn(t, "Eve Staff", model.RoleStaff)
	tab := memberPath(nina.MemberID) + "/settings"
	const form = `form[action$="/two-factor/clear"]`
	if a := staff.get(tab).is(http.StatusOK); a.doc.Find(form).Length() != 0 {
		t.Error("there is nothing to clear")
	}
	withApp(b, dbtest.Password)
	a := staff.get(tab)
	a.says("App for codes, 10 recovery codes left")
	staff.follow(staff.submit(a, form, "")).says("The second step is cleared.").says("links go by letter only")
	b.get("/account").leads("/sign-in?next=%2Faccount")
	b.signIn("nina.holm@riverside.example", dbtest.Password)
	staff.get(memberPath(nina.MemberID) + "/activity").says("Second step cleared by Eve Staff")
}

func TestAnOwnerChoosesWhoHasToHaveOne(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	a := b.get("/admin/settings")
	for field, want := range map[string]string{"factor_member": "optional", "factor_viewer": "required", "factor_staff": "required", "factor_owner": "required"} {
		if got := a.one(`select[name="`+field+`"] option[selected]`).AttrOr("value", ""); got != want {
			t.Errorf("%s is %s", field, got)
		}
	}
	b.submit(a, `form[action="/admin/settings"]`, "", "factor_member", "off").is(http.StatusSeeOther)
	b.submit(a, `form[action="/admin/settings"]`, "", "factor_member", "sometimes").is(http.StatusUnprocessableEntity).says("Please choose one of these.")
	nina, _ := s.signedIn(t, "Nina Holm", model.RoleMember)
	if a := nina.get("/account/two-factor").says("does not use this"); a.doc.Find(`a[href="/account/two-factor/app"]`).Length() != 0 {
		t.Error("it can be set up all the same")
	}
	nina.post("/account/two-factor/app", "current_password", dbtest.Password).is(http.StatusForbidden)
}

func TestPasskeysAreOfferedWhereBrowsersKeepThem(t *testing.T) {
	for base, offered := range map[string]bool{"http://localhost:8080": true, "https://members.riverside.example": true, "http://192.0.2.7": false, "http://portal.example": false} {
		s := newSite(t)
		b := s.owner(t)
		change := model.MailChange{BaseURL: base, Current: model.NewSecret(dbtest.OwnerPassword), Mail: dbtest.Mail}
		if err := s.db.ChangeMail(t.Context(), dbtest.Owner(t, s.db), change); err != nil {
			t.Fatal(err)
		}
		a := s.browser(t).get("/sign-in").is(http.StatusOK)
		if got := a.doc.Find("form[data-passkey]").Length() == 1; got != offered {
			t.Errorf("%s: the sign-in page: %v", base, got)
		}
		if a.value(`input[name="login"]`) != "" || a.one(`input[name="login"]`).AttrOr("autocomplete", "") != "username" {
			t.Errorf("%s: the field for the login is another", base)
		}
		if strings.HasPrefix(base, "https") {
			continue // the cookie of plain http counts no more
		}
		if got := b.get("/account/two-factor").is(http.StatusOK).doc.Find(`a[href="/account/two-factor/passkey"]`).Length() == 1; got != offered {
			t.Errorf("%s: the page of the second factor: %v", base, got)
		}
	}
}

func TestNobodyRemovesAnotherMembersPasskey(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	s := serveSite(t, d, clock)
	beside, err := sql.Open("sqlite3", dbtest.RawDSN(folder, "_foreign_keys=1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = beside.Close() })
	path := map[string]string{} // of each one's only passkey
	browsers := map[string]*browser{}
	for _, name := range []string{"Nina Holm", "Paul Berg"} {
		b, actor := s.signedIn(t, name, model.RoleMember)
		withApp(b, dbtest.Password)
		res, err := beside.Exec(`INSERT INTO passkey (account_id, credential_id, host, credential, name, password_version, made_at)
			VALUES (?, ?, 'localhost', '{}', 'Firefox on Linux', 1, 1)`, actor.AccountID, []byte(name))
		if err != nil {
			t.Fatal(err)
		}
		id, err := res.LastInsertId()
		if err != nil {
			t.Fatal(err)
		}
		browsers[name], path[name] = b, "/account/two-factor/passkey/"+strconv.FormatInt(id, 10)+"/remove"
	}
	nina, paul := browsers["Nina Holm"], browsers["Paul Berg"]
	paul.get(path["Nina Holm"]).is(http.StatusNotFound)
	paul.post(path["Nina Holm"], "current_password", dbtest.Password).is(http.StatusNotFound)
	for _, name := range []string{"Paul’s own <b>key</b>", ""} {
		paul.post(strings.Replace(path["Nina Holm"], "remove", "name", 1), "name", name).is(http.StatusNotFound)
	}
	paul.get(strings.Replace(path["Nina Holm"], "remove", "name", 1)).is(http.StatusNotFound)
	if a := nina.get("/account/two-factor").is(http.StatusOK).saysNothingOf("Paul"); a.doc.Find(`a[href="`+path["Nina Holm"]+`"]`).Length() != 1 {
		t.Error("her passkey is gone")
	}
	named := strings.Replace(path["Paul Berg"], "remove", "name", 1)
	paul.submit(paul.get(named).is(http.StatusOK), `form[action="`+named+`"]`, "", "name", " ").is(http.StatusUnprocessableEntity).says("Please type a name")
	paul.submit(paul.get(named).is(http.StatusOK), `form[action="`+named+`"]`, "", "name", "Paul’s own <b>key</b>").leads("/account/two-factor")
	paul.get("/account/two-factor").says("Paul’s own <b>key</b>")
	paul.get(path["Paul Berg"]).says("Paul’s own <b>key</b>: it does not")
	paul.submit(paul.get(path["Paul Berg"]).is(http.StatusOK), `form[action="`+path["Paul Berg"]+`"]:not([data-passkey])`, "", "current_password", dbtest.Password).leads("/account/two-factor")
	paul.get(path["Paul Berg"]).is(http.StatusNotFound)
}
