package handlers

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// pages is every kind of page there is, as one browser reaches them.
func (s *site) pages(t testing.TB) map[string]*reply {
	t.Helper()
	id := dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	token := dbtest.Token(t, s.db, id).Reveal()
	notMe := dbtest.NotMe(t, s.db, id).Reveal()
	stranger, office := s.browser(t), s.owner(t)
	mover, olga := s.signedIn(t, "Olga Lind", model.RoleMember)
	record := "/admin/members/" + strconv.FormatInt(id, 10)
	all := map[string]*reply{
		"sign-in":        stranger.get("/sign-in"),
		"refused":        stranger.post("/sign-in", "login", "nobody", "password", "x"),
		"forgot":         stranger.get("/forgot-password"),
		"forgot sent":    stranger.post("/forgot-password", "login", "x@example.org"),
		"to the reset":   stranger.get("/reset/" + token),
		"reset":          stranger.get("/reset?r=" + handle(token)),
		"reset refused":  stranger.post("/reset", "token", token, "password", "short"),
		"not valid":      stranger.get("/reset?r=unknown"),
		"reopen":         stranger.get("/reset"),
		"to not me":      stranger.get("/not-me/" + notMe),
		"not me":         stranger.get("/not-me?r=" + handle(notMe)),
		"not me unknown": stranger.get("/not-me?r=unknown"),
		"not me reopen":  stranger.get("/not-me"),
		"email":          mover.get("/account/email"),
		"email refused":  mover.post("/account/email", "email", "x"),
		"email waits":    mover.follow(mover.post("/account/email", "email", "olga@example.org", "current_password", dbtest.Password)),
		"to the email":   stranger.get("/email/" + dbtest.EmailToken(t, s.db, olga).Reveal()),
		"email link":     stranger.get("/email?r=" + handle(dbtest.EmailToken(t, s.db, olga).Reveal())),
		"email unknown":  stranger.get("/email?r=unknown"),
		"email reopen":   stranger.get("/email"),
		"code":           stranger.get("/reset/code"),
		"code refused":   stranger.post("/reset/code", "login", "nina@example.org", "code", "2345-2345"),
		"read out":       office.post(record+"/password-resets/code", "note", "born 1 May 1970"),
		"no page":        stranger.get("/nothing"),
		"method":         stranger.get("/sign-out"),
		"other site":     stranger.send(stranger.request("POST", "/sign-in", "", "Sec-Fetch-Site", "cross-site")),
		"asked to come":  stranger.get("/admin/members"),
		"members":        office.get("/admin/members"),
		"result":         office.part("GET", "/admin/members?q=n"),
		"new member":     office.get("/admin/members/new"),
		"details":        office.get(record),
		"settings tab":   office.get(record + "/settings"),
		"activity":       office.get(record + "/activity"),
		"letter":         office.part("GET", record+"/password-resets/letter"),
		"letters":        office.get("/admin/letters"),
		"letters found":  office.part("GET", "/admin/letters?q=n"),
		"letter's page":  office.get(letterPath(s.newestLetter(t))),
		"letter's fate":  office.part("GET", letterPath(s.newestLetter(t))),
		"staff":          office.get("/admin/staff"),
		"settings":       office.get("/admin/settings"),
		"settings wrong": office.post("/admin/settings"),
		"attention":      office.get("/admin"),
		"mail":           office.get("/admin/settings/mail"),
		"mail wrong":     office.post("/admin/settings/mail"),
		"templates":      office.get("/admin/templates"),
		"template":       office.get("/admin/templates/reset"),
		"template wrong": office.post("/admin/templates/reset", "subject", "x", "text", "{{nmae}}", "html", "x"),
		"account":        office.get("/account"),
		"password":       office.get("/account/password"),
		"no member":      office.get("/admin/members/999"),
		"signed out":     office.post("/sign-out"),
	}
	return all
}

// framed reports whether a page shows a letter in a frame.
func framed(name string) bool { return strings.HasPrefix(name, "template") && name != "templates" }

func TestEveryPageHasItsHeaders(t *testing.T) {
	s := newSite(t)
	for name, a := range s.pages(t) {
		allowed := policy
		if framed(name) {
			allowed = editorPolicy
		}
		for header, want := range map[string]string{
			"X-Content-Type-Options":       "nosniff",
			"X-Frame-Options":              "DENY",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Content-Security-Policy":      allowed,
			"Strict-Transport-Security":    "",
		} {
			if got := a.header.Get(header); got != want {
				t.Errorf("%s: %s is %q, not %q", name, header, got, want)
			}
		}
		if !strings.Contains(strings.Join(a.header.Values("Cache-Control"), ", "), "no-store") {
			t.Errorf("%s may be kept: %q", name, a.header.Values("Cache-Control"))
		}
		want := "same-origin"
		if name == "to the reset" || name == "to not me" || name == "to the email" {
			want = "no-referrer"
		}
		if got := a.header.Get("Referrer-Policy"); got != want {
			t.Errorf("%s: Referrer-Policy is %q, not %q", name, got, want)
		}
		if len(a.header.Get("X-Request-Id")) != 8 {
			t.Errorf("%s has no request id", name)
		}
	}
}

func TestThePolicyAllowsNothingInline(t *testing.T) {
	for _, forbidden := range []string{"unsafe-inline", "unsafe-eval", "*", "http:", "https:", "data:"} {
		if strings.Contains(policy, forbidden) {
			t.Errorf("the policy allows %s", forbidden)
		}
	}
	for _, asked := range []string{"default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"} {
		if !strings.Contains(policy, asked) {
			t.Errorf("the policy lacks %s", asked)
		}
	}
}

func TestNoPageNeedsMoreThanThePolicyAllows(t *testing.T) {
	s := newSite(t)
	for name, a := range s.pages(t) {
		for _, forbidden := range []string{"script:not([src])", "style", "[style]", "[onclick]", "[hx-on]", "iframe", "object", "base"} {
			if forbidden == "iframe" && framed(name) {
				continue
			}
			if a.doc.Find(forbidden).Length() > 0 {
				t.Errorf("%s holds %s", name, forbidden)
			}
		}
		for _, attribute := range []string{"src", "href", "action", "hx-get", "hx-post"} {
			for _, node := range a.doc.Find("[" + attribute + "]").EachIter() {
				to := node.AttrOr(attribute, "")
				if !strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "#") && !strings.HasPrefix(to, "mailto:") && !strings.HasPrefix(to, "tel:") {
					t.Errorf("%s leads away: %s=%q", name, attribute, to)
				}
			}
		}
	}
}

func TestEveryFileThatAPageNamesIsThere(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	seen := map[string]bool{}
	for name, a := range s.pages(t) {
		for _, node := range a.doc.Find("head link[href], script[src], img[src]").EachIter() {
			address := node.AttrOr("src", node.AttrOr("href", ""))
			if seen[address] {
				continue
			}
			seen[address] = true
			file := b.get(address)
			if file.status != http.StatusOK || file.header.Get("Content-Type") == "" {
				t.Errorf("%s names %s: %d", name, address, file.status)
			}
		}
	}
}

func TestTransportIsStrictOnlyUnderAName(t *testing.T) {
	for base, want := range map[string]bool{
		"https://members.example.org":      true,
		"https://members.example.org:8443": true,
		"http://members.example.org":       false,
		"https://192.0.2.7":                false,
		"https://[2001:db8::1]":            false,
		"https://localhost:8080":           false,
		"http://localhost:8080":            false,
	} {
		if got := strictTransport(base); got != want {
			t.Errorf("%s: %v", base, got)
		}
	}
	s := secureSite(t)
	a := s.browser(t).get("/sign-in").is(http.StatusOK)
	if got := a.header.Get("Strict-Transport-Security"); got != "max-age=31536000" {
		t.Errorf("Strict-Transport-Security is %q", got)
	}
}

func TestCookiesAreBoundToTheHostOnHTTPS(t *testing.T) {
	s := secureSite(t)
	id := dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	b := s.browser(t)
	in := b.post("/sign-in", "login", dbtest.OwnerEmail, "password", dbtest.OwnerPassword, "keep", "1")
	for name, a := range map[string]*reply{
		"__Host-latchkey":        in,
		"__Host-latchkey-device": in,
		"__Host-latchkey-reset":  b.get("/reset/" + dbtest.Token(t, s.db, id).Reveal()),
		"__Host-latchkey-notice": b.post("/sign-out"),
	} {
		c := a.cookie(name)
		if c == nil {
			t.Errorf("%s is not set, but %v", name, a.header["Set-Cookie"])
			continue
		}
		if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("%s: %s", name, c.Raw)
		}
	}
}

func TestCookiesOnPlainHTTPHaveTheirPlainNames(t *testing.T) {
	s := newSite(t)
	a := s.browser(t).post("/sign-in", "login", dbtest.OwnerEmail, "password", dbtest.OwnerPassword)
	c := a.cookie("latchkey")
	if c == nil || c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
		t.Fatalf("%v", a.header["Set-Cookie"])
	}
	if c.MaxAge != 0 || !c.Expires.IsZero() {
		t.Errorf("without \"keep me signed in\" the browser forgets the session when it is closed: %s", c.Raw)
	}
	kept := s.browser(t).post("/sign-in", "login", dbtest.OwnerEmail, "password", dbtest.OwnerPassword, "keep", "1").cookie("latchkey")
	if days := kept.MaxAge / (24 * 60 * 60); days != 30 {
		t.Errorf("kept for %d days", days)
	}
}

func TestTheAccessLogNamesRoutesAndNoLink(t *testing.T) {
	s := newSite(t)
	id := dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	token := dbtest.Token(t, s.db, id).Reveal()
	b := s.browser(t)
	b.get("/reset/" + token)
	b.get("/reset/" + token + "/more")
	b.get("//reset//" + token)
	b.get("/nothing?link=" + token)
	b.get("/reset?r="+handle(token), "Referer", s.URL+"/reset/"+token)
	b.send(b.request("POST", "/reset/"+token, ""))
	b.send(b.request("POST", "/reset", "token="+token, "Sec-Fetch-Site", "cross-site"))
	b.post("/reset", "token", token, "password", "much too short")
	b.post("/reset/renew", "token", token)
	b.post("/sign-in", "login", "nina@example.org", "password", "my secret password")
	s.Close()
	log := s.log.String()
	for _, secret := range []string{token, token[:12], "my secret password", "much too short", "nina@example.org"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
	for _, said := range []string{`route="GET /reset/{token}"`, `route="POST /reset"`, `route=none`, "status=303", "request="} {
		if !strings.Contains(log, said) {
			t.Errorf("the log lacks %s:\n%s", said, log)
		}
	}
}

func TestOnlyPagesOfStrangersWithoutASecretAreCompressed(t *testing.T) {
	s := newSite(t)
	id := dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	token := dbtest.Token(t, s.db, id).Reveal()
	stranger, office := s.browser(t), s.owner(t)
	stranger.get("/reset/" + token)
	gzip := []string{"Accept-Encoding", "gzip"}
	for path, b := range map[string]*browser{"/forgot-password": stranger, "/sign-in": stranger} {
		if got := b.get(path, gzip...).header.Get("Content-Encoding"); got != "gzip" {
			t.Errorf("%s is sent as %q", path, got)
		}
	}
	for path, b := range map[string]*browser{
		"/reset?r=" + handle(token): stranger, "/admin/members": office, "/account": office,
		"/admin/members/" + strconv.FormatInt(id, 10) + "/settings": office,
	} {
		if got := b.get(path, gzip...).header.Get("Content-Encoding"); got != "" {
			t.Errorf("%s is sent as %q", path, got)
		}
	}
	if got := stranger.get("/sign-in", "Accept-Encoding", "identity").header.Get("Content-Encoding"); got != "" {
		t.Errorf("without being asked: %q", got)
	}
}

func TestAPortalWithoutItsDatabaseSaysSo(t *testing.T) {
	d, clock := dbtest.Open(t)
	other, _ := dbtest.OpenIn(t, t.TempDir(), db.Fixed{Mail: &dbtest.Mail})
	s := serveSite(t, d, clock)
	s.portal.DB = other
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	b := s.browser(t)
	if a := b.get("/healthz"); a.status != http.StatusServiceUnavailable {
		t.Errorf("health: %d", a.status)
	}
	a := b.get("/sign-in").is(http.StatusInternalServerError).says("on our side").says(b.get("/sign-in").text("nothing"))
	a.says(a.header.Get("X-Request-Id"))
	a.saysNothingOf("sql")
}
