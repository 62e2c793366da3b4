package handlers

import (
	"database/sql"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// address is a path that fits a route.
func (rt route) address(memberID int64) string {
	return strings.NewReplacer(
		"{$}", "", "{id}", strconv.FormatInt(memberID, 10), "{token}", strings.Repeat("a", model.TokenLen),
		"{hash}", "0", "{name}", "app.css", "{kind}", "reset",
	).Replace(rt.path)
}

func TestEveryOfficeRouteIsBehindADoor(t *testing.T) {
	s := newSite(t)
	for _, rt := range s.portal.table() {
		if strings.HasPrefix(rt.path, "/admin") && rt.door < viewer {
			t.Errorf("%s %s is open to members", rt.method, rt.path)
		}
		if rt.method == http.MethodPost && strings.HasPrefix(rt.path, "/admin") && rt.door < staff {
			t.Errorf("%s %s changes something and is open to viewers", rt.method, rt.path)
		}
		if rt.door < open || rt.door > owner {
			t.Errorf("%s %s has no door", rt.method, rt.path)
		}
	}
}

func TestStrangersAreLedToTheDoorAndBack(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	for _, rt := range s.portal.table() {
		if rt.door == open || rt.door == public {
			continue
		}
		path := rt.address(1)
		if rt.method == http.MethodGet {
			b.get(path + "?q=1").leads("/sign-in?next=" + url.QueryEscape(path+"?q=1"))
			continue
		}
		b.post(path).leads("/sign-in")
		from := b.request(rt.method, path, "")
		from.Header.Set("Referer", s.URL+"/admin/members/1/settings?x=1")
		b.send(from).leads("/sign-in?next=" + url.QueryEscape("/admin/members/1/settings?x=1"))
	}
}

func TestEachDoorRefusesTheRolesBelow(t *testing.T) {
	s := newSite(t)
	someone := dbtest.Member(t, s.db, "Nina Holm", "")
	for _, role := range []model.Role{model.RoleMember, model.RoleViewer, model.RoleStaff} {
		b, _ := s.signedIn(t, "Some "+string(role), role)
		for _, rt := range s.portal.table() {
			needs, guarded := roles[rt.door]
			if !guarded || role.AtLeast(needs) {
				continue
			}
			var a *reply
			if rt.method == http.MethodGet {
				a = b.get(rt.address(someone))
			} else {
				a = b.post(rt.address(someone), "email", "x@example.org", "role", "owner", "reset", "1")
			}
			if a.status != http.StatusForbidden {
				t.Errorf("%s as %s %s: %d", role, rt.method, rt.path, a.status)
			}
			if a.doc.Find("main h1").Length() != 1 || a.doc.Find("main a[href]").Length() == 0 {
				t.Errorf("%s %s: the refusal is no page with a way on", rt.method, rt.path)
			}
		}
	}
}

func TestEveryPostRefusesOtherSites(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	someone := dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	foreign := map[string]http.Header{
		"cross-site":         {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}},
		"same-site":          {"Sec-Fetch-Site": {"same-site"}, "Origin": {"https://other.riverside.example"}},
		"no origin":          {"Sec-Fetch-Site": {"cross-site"}},
		"old browser":        {"Origin": {"https://evil.example"}},
		"null":               {"Origin": {"null"}},
		"null and site":      {"Origin": {"null"}, "Sec-Fetch-Site": {"cross-site"}},
		"name before ours":   {"Origin": {"http://localhost:8080.evil.example"}},
		"other port":         {"Origin": {"http://localhost:8081"}},
		"nonsense":           {"Origin": {"://"}},
		"nonsense site":      {"Sec-Fetch-Site": {"everywhere"}},
		"our name elsewhere": {"Origin": {"https://evil.example/http://localhost:8080"}},
	}
	for _, rt := range s.portal.table() {
		if rt.method != http.MethodPost || rt.door == open { // no cookie counts there
			continue
		}
		for name, header := range foreign {
			r := b.request(rt.method, rt.address(someone), "login=x&password=y")
			for k, v := range header {
				r.Header[k] = v
			}
			if a := b.send(r); a.status != http.StatusForbidden || a.header.Get("Set-Cookie") != "" {
				t.Errorf("%s, %s: %d", rt.path, name, a.status)
			}
		}
	}
	b.get("/admin/members").is(http.StatusOK) // still signed in
	_, account, err := s.db.Member(t.Context(), model.ShellActor(), someone)
	if err != nil || account == nil {
		t.Error("somebody else's site changed something", err)
	}
}

func TestNativePostsAreAccepted(t *testing.T) {
	s := newSite(t)
	for name, header := range map[string][]string{
		"plain http in the office's network, or Safari before 16.4": nil,
		"the same with an Origin":                                   {"Origin", s.URL},
		"a browser of today":                                        {"Origin", s.URL, "Sec-Fetch-Site", "same-origin"},
		"typed into the address bar":                                {"Sec-Fetch-Site", "none"},
		"behind a proxy that hides the host":                        {"Origin", "http://localhost:8080"},
	} {
		t.Run(name, func(t *testing.T) {
			b := s.browser(t)
			b.send(b.request(http.MethodPost, "/forgot-password", "login=x%40example.org", header...)).is(http.StatusOK)
		})
	}
}

func TestAnOldBrowserBehindAProxyThatPassesAnotherHostOnIsAccepted(t *testing.T) {
	s := secureSite(t)
	b := s.browser(t)
	a := b.send(b.request(http.MethodPost, "/forgot-password", "login=x%40example.org", "Origin", "https://members.riverside.example"))
	a.is(http.StatusOK)
}

func TestAnUnknownPathIsAPageThatLeadsOn(t *testing.T) {
	s := newSite(t)
	for name, b := range map[string]*browser{"stranger": s.browser(t), "owner": s.owner(t)} {
		for _, path := range []string{
			"/nothing", "/admin/nothing", "/.well-known/", "/.well-known/nothing", "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200",
			"/admin/members/1/nothing", "/sign-in/", "/reset/", "/reset/a/b", "/static/", "/demo/letters", "/%00", "/%ff",
		} {
			a := b.get(path)
			if a.status != http.StatusNotFound || a.doc.Find("main h1").Length() != 1 || a.doc.Find("main a[href]").Length() == 0 {
				t.Errorf("%s at %s: %d", name, path, a.status)
			}
			if a.header.Get("X-Request-Id") == "" {
				t.Errorf("%s has no request id", path)
			}
		}
	}
}

func TestWhateverHasANumberIsFoundByAPositiveOneOnly(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	for _, rt := range s.portal.table() {
		if !strings.Contains(rt.path, "{id}") {
			continue
		}
		for _, id := range []string{"0", "-1", "+1", "01", "1.0", "x", "1e3", "99999999999999999999", "9223372036854775807", "999", "%2e", "1%00"} {
			path := strings.ReplaceAll(rt.path, "{id}", id)
			var a *reply
			if rt.method == http.MethodGet {
				a = b.get(path)
			} else {
				a = b.post(path, "email", "x@example.org", "role", "staff", "last_name", "X", "note", "x", "reset", "1")
			}
			// Who was seen to by somebody else meanwhile is as it should be, and so
			// is a browser that was signed out.
			done := rt.path == "/admin/attention/near/{id}/done" || rt.path == "/account/sessions/{id}/end"
			if done && (id == "999" || id == "9223372036854775807") && a.status == http.StatusSeeOther {
				continue
			}
			if a.status != http.StatusNotFound {
				t.Errorf("%s %s: %d", rt.method, path, a.status)
			}
		}
	}
}

func TestTheWrongMethodIsAPageThatSaysWhichIsRight(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	for _, c := range []struct{ method, path, allow string }{
		{"GET", "/sign-out", "POST"},
		{"GET", "/admin/members/1/password-resets", "POST"},
		{"HEAD", "/sign-out", "POST"},
		{"DELETE", "/sign-in", "GET, HEAD, POST"},
		{"PUT", "/admin/members/1", "GET, HEAD, POST"},
		{"POST", "/healthz", "GET, HEAD"},
		{"POST", "/reset/aaaa", "GET, HEAD"},
	} {
		a := b.send(b.request(c.method, c.path, "")).is(http.StatusMethodNotAllowed)
		if got := strings.Join(a.header.Values("Allow"), ", "); got != c.allow {
			t.Errorf("%s %s: Allow %q, not %q", c.method, c.path, got, c.allow)
		}
		if c.method != http.MethodHead && a.doc.Find("main h1").Length() != 1 {
			t.Errorf("%s %s is no page", c.method, c.path)
		}
	}
}

// Nothing is written either, neither in the middle of a read nor once it is
// answered, save what is written at the first showing of a link and the first
// opening: those come before.
func TestNoGetWritesAnything(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	s := serveSite(t, d, clock)
	b := s.owner(t)
	someone := dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	if _, err := s.db.ReadOutCode(t.Context(), dbtest.Owner(t, s.db), someone, "born 1 May 1970"); err != nil {
		t.Fatal(err)
	}
	token := dbtest.Token(t, s.db, someone).Reveal()
	b.get("/admin/members/" + strconv.FormatInt(someone, 10) + "/settings").is(http.StatusOK)
	b.get("/reset/" + token).is(http.StatusSeeOther)
	s.Close() // what is written after the answer is written
	here, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite3", dbtest.RawDSN(folder, "_query_only=1"))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetMaxOpenConns(1) // the version is one connection's
	version := func() (n int64) {
		t.Helper()
		if err := raw.QueryRowContext(t.Context(), `PRAGMA data_version`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	addresses := []string{"/reset/" + token, "/not-me/" + dbtest.NotMe(t, s.db, someone).Reveal(), "/admin/letters/1", "/admin/letters/1/html", "/admin/letters?q=nina"}
	for _, rt := range s.portal.table() {
		addresses = append(addresses, rt.address(someone))
	}
	was := version()
	for _, path := range addresses {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r := httptest.NewRequest(method, s.URL+path, http.NoBody)
			r.RequestURI = ""
			for _, c := range b.client.Jar.Cookies(here) {
				r.AddCookie(c)
			}
			answer := httptest.NewRecorder()
			s.portal.ServeHTTP(answer, r) // until all is done, and not until it is answered
			if path == "/admin/letters/1" && answer.Code != http.StatusOK {
				t.Errorf("%s %s: %d", method, path, answer.Code)
			}
			if is := version(); is != was {
				t.Errorf("%s %s writes", method, path)
				was = is
			}
		}
	}
	if err := s.db.ChangeTemplate(t.Context(), dbtest.Owner(t, s.db), model.LetterReset, 0, model.Template{Subject: "x", Text: "{{link}}", HTML: "{{link}}"}); err != nil || version() == was {
		t.Errorf("a write is not noticed: %v", err)
	}
}

// changes counts the audit lines of everybody.
func (s *site) changes(t testing.TB) int {
	t.Helper()
	page, err := s.db.Members(t.Context(), model.ShellActor(), model.MemberQuery{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, row := range page.Rows {
		a, err := s.db.Activity(t.Context(), model.ShellActor(), row.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		n += len(a.Lines)
	}
	return n
}
