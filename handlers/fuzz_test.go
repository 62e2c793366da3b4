package handlers

import (
	"bufio"
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

// fuzzed is a portal whose base URL no form can change, with an owner's
// cookie, a member with an account and one without.
type fuzzed struct {
	*site
	cookie  string
	members []int64
}

func newFuzzed(f *testing.F) *fuzzed {
	d, clock := dbtest.OpenIn(f, f.TempDir(), db.Fixed{BaseURL: "http://localhost:8080", Mail: &dbtest.Mail})
	z := &fuzzed{site: serveSite(f, d, clock)}
	z.members = []int64{
		dbtest.SignedUp(f, d, "Nina Holm", "nina@example.org"), dbtest.Member(f, d, "Paul Berg", ""),
		dbtest.MemberWithAccount(f, d, "Olga Lind", "olga@example.org"),
	}
	z.enter(f)
	return z
}

func (z *fuzzed) enter(t testing.TB) {
	form := url.Values{"login": {dbtest.OwnerEmail}, "password": {dbtest.OwnerPassword}}
	r := httptest.NewRequest("POST", "/sign-in", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	z.portal.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.Name == "latchkey" {
			z.cookie = c.Name + "=" + c.Value
			return
		}
	}
	t.Fatalf("the owner cannot sign in: %d", w.Code)
}

// send makes one request, and fails if it was the portal that failed.
func (z *fuzzed) send(t *testing.T, r *http.Request) {
	t.Helper()
	if r.Method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	z.portal.ServeHTTP(w, r)
	if w.Code >= http.StatusInternalServerError {
		t.Fatalf("%s %s: %d", r.Method, r.URL.Path, w.Code)
	}
	if to := w.Header().Get("Location"); to != "" && localPath(to) == "" {
		t.Fatalf("%s %s leads to %q", r.Method, r.URL.Path, to)
	}
}

// fieldNames is every field of every form.
func fieldNames() []string {
	names := []string{
		"login", "password", "password_confirm", "current_password", "keep", "next", "ticket", "person", "token", "code", "share", "role", "reset",
		"association", "colour", "support_email", "support_phone", "base_url", "time_zone", "reset_lifetime", "resend_window",
		"min_password_length", "roll_sign_in", "households", "unknown_letters", "mail_from", "notice_from", "notice_reply_to", "bounce_address", "reply_to", "letters_per_minute", "version",
		"note", "subject", "text", "html", "selector", "domain", "mail_host", "mail_port", "mail_tls", "mail_user", "mail_password",
	}
	for _, f := range model.MemberFields {
		names = append(names, f.Name)
	}
	return names
}

func FuzzForms(f *testing.F) {
	z := newFuzzed(f)
	var posts []route
	for _, rt := range z.portal.table() {
		if rt.method == http.MethodPost {
			posts = append(posts, rt)
		}
	}
	for n := range posts {
		f.Add(uint8(n), "nina@example.org", "1")
		f.Add(uint8(n), "\x00", "\xff\xfe")
		f.Add(uint8(n), "//evil.example", strings.Repeat("9", 40))
		f.Add(uint8(n), "Łukasz O'Brien <b>", "2026-02-30")
	}
	names := fieldNames()
	f.Fuzz(func(t *testing.T, n uint8, one, two string) {
		rt := posts[int(n)%len(posts)]
		form := url.Values{}
		for i, name := range names {
			form.Set(name, []string{one, two}[(i+int(n)/len(posts))%2])
		}
		for _, cookie := range []string{"", z.cookie} {
			r := httptest.NewRequest("POST", rt.address(z.members[int(n)%len(z.members)]), strings.NewReader(form.Encode()))
			r.Header.Set("Cookie", cookie)
			z.send(t, r)
			raw := httptest.NewRequest("POST", rt.address(z.members[0]), strings.NewReader(one+"="+two))
			raw.Header.Set("Cookie", cookie)
			raw.Header.Set("Hx-Request-Type", "partial")
			z.send(t, raw)
		}
		if rt.path == "/sign-out" {
			z.enter(t)
		}
	})
}

func FuzzAddresses(f *testing.F) {
	z := newFuzzed(f)
	for _, rt := range z.portal.table() {
		f.Add(rt.address(z.members[0]), "q=1")
	}
	f.Add("/admin/members", "after=MSBhYmM&filter=staff&q=o'brien OR *")
	f.Add("/reset", "r="+strings.Repeat("0", 16))
	f.Add("/email", "r="+strings.Repeat("0", 16))
	f.Add("/not-me", "r="+strings.Repeat("0", 16))
	f.Add("/sign-in", "next=%2f%5cevil.example")
	f.Add("/admin/members/"+strconv.Itoa(1<<62)+"/activity", "before=-1")
	f.Fuzz(func(t *testing.T, path, query string) {
		for _, cookie := range []string{"latchkey-reset=" + query + "; latchkey-not-me=" + query + "; latchkey-email=" + query + "; latchkey-notice=" + path, z.cookie} {
			wire := "GET /" + strings.TrimPrefix(path, "/") + "?" + query + " HTTP/1.1\r\nHost: localhost:8080\r\n\r\n"
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
			if err != nil {
				return // no server would hand it on
			}
			r.Header["Cookie"] = []string{cookie}
			z.send(t, r)
		}
	})
}

func FuzzNext(f *testing.F) {
	for _, next := range []string{"/", "/admin/members?q=1", "//evil.example", "/\\evil.example", "/\t/evil.example", "https:evil.example", "/%2fevil.example/\"", "/Ł"} {
		f.Add(next)
	}
	base, err := url.Parse("https://members.example.org/sign-in")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := localPath(next)
		if got == "" {
			return
		}
		// What a browser takes out before it looks (WHATWG URL §4.4), and what it takes for a slash.
		seen := strings.NewReplacer("\t", "", "\n", "", "\r", "", "\\", "/").Replace(got)
		to, err := base.Parse(seen)
		if err != nil || to.Host != base.Host || to.Scheme != base.Scheme || strings.HasPrefix(seen, "//") || strings.ContainsAny(got, "\r\n") {
			t.Errorf("%q becomes %q and leads to %v", next, got, to)
		}
		if again := localPath(got); again != got {
			t.Errorf("%q becomes %q, then %q", next, got, again)
		}
	})
}
