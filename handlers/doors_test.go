package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func TestNextIsAlwaysAPathOfOurs(t *testing.T) {
	for _, next := range []string{
		"", "//evil.example", "///evil.example", "/\\evil.example", "/\\/evil.example", "\\\\evil.example", "\\/evil.example",
		"https://evil.example", "https:evil.example", "http:/evil.example", "javascript:alert(1)", "evil.example", "admin",
		"/\t/evil.example", "\t//evil.example", "/\n/evil.example", "/\r\n/evil.example", " //evil.example", "/ /evil.example",
		"/admin\r\nSet-Cookie: a=b", "/admin\x00", "/admin\x7f", "/ok\\evil", "?next=/", "#", "@evil.example", "/%zz", "/%2fevil.example/\"", "/Łukasz", "/%5c\"",
		strings.Repeat("/a", 600),
	} {
		if got := localPath(next); got != "" {
			t.Errorf("%q leads to %q", next, got)
		}
	}
	for next, want := range map[string]string{
		"/":                                "/",
		"/admin/members?q=o%27brien&x=1":   "/admin/members?q=o%27brien&x=1",
		"/admin/members/7/settings#link":   "/admin/members/7/settings",
		"/account?back=https://x.example/": "/account?back=https://x.example/",
		"/%C5%81ukasz":                     "/%C5%81ukasz",
		"/%2f%2fevil.example":              "/%2f%2fevil.example",
		"/a/../b":                          "/a/../b",
		"/:80":                             "/:80",
		"/@evil.example":                   "/@evil.example",
	} {
		got := localPath(next)
		if got != want {
			t.Errorf("%q leads to %q, not %q", next, got, want)
		}
		base, _ := url.Parse("https://members.example.org/sign-in")
		to, err := base.Parse(got)
		if err != nil || to.Host != base.Host || to.Scheme != base.Scheme {
			t.Errorf("%q leads away, to %v", next, to)
		}
	}
}

func TestSigningInLeadsBackButNeverAway(t *testing.T) {
	s := newSite(t)
	for next, to := range map[string]string{
		"/admin/members?q=holm":      "/admin/members?q=holm",
		"//evil.example":             "/",
		"/\\evil.example":            "/",
		"https://evil.example/admin": "/",
		"":                           "/",
	} {
		b := s.browser(t)
		page := b.get("/sign-in?next=" + url.QueryEscape(next)).is(http.StatusOK)
		b.submit(page, `form[action="/sign-in"]`, "", "login", dbtest.OwnerEmail, "password", dbtest.OwnerPassword).leads(to)
	}
	for _, next := range []string{"//evil.example", "https://evil.example"} { // as no page of ours would send it
		s.browser(t).post("/sign-in", "login", dbtest.OwnerEmail, "password", dbtest.OwnerPassword, "next", next).leads("/")
	}
}

func TestAPartOfAPageIsNeverSwappedForTheSignInPage(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	r := b.request("POST", "/admin/members/1/password-resets", "", "Hx-Request", "true", "Hx-Request-Type", "partial",
		"Hx-Current-Url", s.URL+"/admin/members/1/settings")
	a := b.send(r).is(http.StatusForbidden)
	if got := a.header.Get("Hx-Redirect"); got != "/sign-in?next=%2Fadmin%2Fmembers%2F1%2Fsettings" {
		t.Errorf("leads to %q", got)
	}
	if a.body != "" {
		t.Errorf("has a body: %s", a.body)
	}
	r = b.request("GET", "/admin/members?q=x", "", "Hx-Request-Type", "partial", "Hx-Current-Url", "https://evil.example/admin")
	if got := b.send(r).header.Get("Hx-Redirect"); got != "/sign-in" {
		t.Errorf("leads to %q", got)
	}
}

func TestASessionEnds(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		still bool
	}{
		"a second before 12 idle hours": {model.SessionIdle - time.Second, true},
		"after 12 idle hours":           {model.SessionIdle, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			b := s.owner(t)
			s.clock.Add(c.after)
			if got := b.get("/account").status == http.StatusOK; got != c.still {
				t.Errorf("signed in: %v", got)
			}
		})
	}
	t.Run("after 30 days, however busy", func(t *testing.T) {
		s := newSite(t)
		b := s.owner(t)
		for range 2*30 - 1 {
			s.clock.Add(12*time.Hour - time.Second)
			b.get("/account").is(http.StatusOK)
		}
		s.clock.Add(11 * time.Hour)
		b.get("/account").is(http.StatusOK)
		s.clock.Add(time.Hour + time.Minute)
		b.get("/account").leads("/sign-in?next=%2Faccount")
	})
	t.Run("when the account is disabled", func(t *testing.T) {
		s := newSite(t)
		b, actor := s.signedIn(t, "Nina Holm", model.RoleMember)
		b.get("/account").is(http.StatusOK)
		if err := s.db.Disable(t.Context(), dbtest.Owner(t, s.db), actor.MemberID); err != nil {
			t.Fatal(err)
		}
		b.get("/account").leads("/sign-in?next=%2Faccount")
	})
	t.Run("when the account is deleted", func(t *testing.T) {
		s := newSite(t)
		b, actor := s.signedIn(t, "Nina Holm", model.RoleMember)
		if err := s.db.DeleteAccount(t.Context(), dbtest.Owner(t, s.db), actor.MemberID); err != nil {
			t.Fatal(err)
		}
		b.get("/account").leads("/sign-in?next=%2Faccount")
	})
	t.Run("when the cookie is made up", func(t *testing.T) {
		s := newSite(t)
		b := s.browser(t)
		for _, value := range []string{"", "x", strings.Repeat("A", 43), strings.Repeat("x", 4000)} {
			b.get("/account", "Cookie", "latchkey="+value).leads("/sign-in?next=%2Faccount")
		}
	})
}

func TestARoleCountsAtOnce(t *testing.T) {
	s := newSite(t)
	b, actor := s.signedIn(t, "Nina Holm", model.RoleStaff)
	b.get("/admin/members").is(http.StatusOK)
	if err := s.db.SetRole(t.Context(), dbtest.Owner(t, s.db), actor.MemberID, model.RoleMember); err != nil {
		t.Fatal(err)
	}
	if a := b.get("/admin/members"); a.status == http.StatusOK {
		t.Error("a former member of staff still sees the members")
	}
}

func TestTheSessionCookieIsNewAtEachSignIn(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	planted := strings.Repeat("p", 43)
	r := b.request("POST", "/sign-in", url.Values{"login": {dbtest.OwnerEmail}, "password": {dbtest.OwnerPassword}}.Encode(), "Cookie", "latchkey="+planted)
	first := b.send(r).cookie("latchkey")
	if first == nil || first.Value == planted {
		t.Fatal("the cookie that was there is signed in")
	}
	second := b.post("/sign-in", "login", dbtest.OwnerEmail, "password", dbtest.OwnerPassword).cookie("latchkey")
	if second == nil || second.Value == first.Value {
		t.Fatal("the cookie stayed the same")
	}
	s.browser(t).get("/account", "Cookie", "latchkey="+first.Value).leads("/sign-in?next=%2Faccount")
	b.get("/account").is(http.StatusOK)
}

func TestTheClientIsWhomTheTrustedProxiesSay(t *testing.T) {
	p := &portal{Config: Config{TrustedProxies: []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("10.0.0.0/8"),
	}}}
	for _, c := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"no proxy", "198.51.100.7:1234", nil, "198.51.100.0/24"},
		{"a stranger's word", "198.51.100.7:1234", []string{"203.0.113.9"}, "198.51.100.0/24"},
		{"a proxy here", "127.0.0.1:1234", []string{"203.0.113.9"}, "203.0.113.0/24"},
		{"made up before the proxy", "127.0.0.1:1234", []string{"192.0.2.1, 203.0.113.9"}, "203.0.113.0/24"},
		{"two proxies", "127.0.0.1:1234", []string{"192.0.2.1, 203.0.113.9, 10.1.2.3"}, "203.0.113.0/24"},
		{"in two headers", "127.0.0.1:1234", []string{"192.0.2.1", "203.0.113.9"}, "203.0.113.0/24"},
		{"with a port", "127.0.0.1:1234", []string{"203.0.113.9:555"}, "203.0.113.0/24"},
		{"IPv6", "[::1]:1234", []string{"2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::/64"},
		{"IPv6 in brackets", "[::1]:1234", []string{"[2001:db8:1:2::6]:99"}, "2001:db8:1:2::/64"},
		{"IPv4 in IPv6", "[::ffff:127.0.0.1]:1234", []string{"::ffff:203.0.113.9"}, "203.0.113.0/24"},
		{"nonsense", "127.0.0.1:1234", []string{"203.0.113.9, unknown"}, "127.0.0.0/24"},
		{"empty", "127.0.0.1:1234", []string{""}, "127.0.0.0/24"},
		{"only proxies", "127.0.0.1:1234", []string{"10.0.0.1, 10.0.0.2"}, "10.0.0.0/24"},
		{"no address", "@", nil, ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		r.Header["X-Forwarded-For"] = c.forwarded
		if got := p.network(r); got != c.want {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
}
