package handlers

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/db/dbtest"
	"latchkey/db/model"
	"latchkey/views"
)

// What somebody would try against the portal from outside, each over every
// address that there is. Beside it: attack_xss_test.go (words that want to be
// more), attack_form_test.go (forms with more in them than was asked),
// stolen_test.go (the database in the wrong hands), powers_test.go (who may do
// what to whom).

// A route that nobody thought about must fail the build. This is the test of
// that test: each of these addresses was forgotten somewhere.
func TestARouteThatWasForgottenFailsTheBuild(t *testing.T) {
	nothing := func(http.ResponseWriter, *http.Request) error { return nil }
	all := newSite(t).portal.table()
	if found := forgotten(all); len(found) > 0 {
		t.Fatalf("before anything is forgotten: %q", found)
	}
	more := func(method, path string, door door) []route {
		return append(slices.Clone(all), route{method, path, door, nothing})
	}
	moved := slices.Clone(all)
	moved[slices.IndexFunc(moved, func(rt route) bool { return rt.door == owner })].door = public
	for want, table := range map[string][]route{
		"is not among the powers":            more(http.MethodGet, "/admin/new", owner),
		"is open to other sites":             more(http.MethodPost, "/new", open),
		"names a thing by its number":        more(http.MethodGet, "/account/new/{id}", signedIn),
		"is about an account: say over whom": more(http.MethodPost, "/admin/members/{id}/new", staff),
		"stands behind another door":         moved,
		"is no route":                        all[1:],
	} {
		if found := strings.Join(forgotten(table), "\n"); !strings.Contains(found, want) {
			t.Errorf("a route that %s goes unnoticed: %q", want, found)
		}
	}
}

// hashQuickly has passwords checked at once, where hundreds of forms are sent
// and none of them is about that.
func hashQuickly(t *testing.T) {
	was := model.DefaultHashParams
	t.Cleanup(func() { model.DefaultHashParams = was })
	model.DefaultHashParams = model.HashParams{MemoryKiB: 8, Time: 1, Threads: 1}
}

// What a browser makes of an address before it goes there (WHATWG URL, §4.4):
// it takes tabs and line breaks out and spaces off the ends, and has a
// backslash for a slash.
func landsOn(t *testing.T, base, address string) *url.URL {
	t.Helper()
	here, err := url.Parse(base)
	must0(t, err)
	address = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(address)
	address = strings.TrimFunc(address, func(r rune) bool { return r <= ' ' })
	path, query, asked := strings.Cut(address, "?")
	address = strings.ReplaceAll(path, `\`, "/")
	if asked {
		address += "?" + query
	}
	// https:evil.example and https:/evil.example are https://evil.example to it.
	for _, scheme := range []string{"http:", "https:"} {
		if rest, ok := strings.CutPrefix(strings.ToLower(address), scheme); ok {
			address = scheme + "//" + strings.TrimLeft(rest, "/")
		}
	}
	if strings.HasPrefix(address, "//") {
		address = "//" + strings.TrimLeft(address, "/")
	}
	to, err := here.Parse(address)
	if err != nil {
		return &url.URL{Scheme: "unreadable", Host: address}
	}
	return to
}

var elsewhere = []string{
	"//evil.example", "///evil.example", "////evil.example", `/\evil.example`, `\/evil.example`, `\\evil.example`, `/\/evil.example`, `/\\evil.example`,
	"https://evil.example", "https:evil.example", "https:/evil.example", "http:evil.example", "HTTPS://evil.example", "ftp://evil.example",
	"/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "\t//evil.example", " //evil.example", "/ /evil.example", "/\x0b/evil.example", "\x00//evil.example", "\u00a0//evil.example",
	"%2f%2fevil.example", "/%2fevil.example", "%5c%5cevil.example", "/%5cevil.example", "/%09/evil.example", "/%0d%0aLocation:%20//evil.example", "%0a//evil.example",
	"javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "blob:x",
	"//@evil.example", "@evil.example", "/@evil.example", "https://localhost:8080@evil.example", "//localhost:8080@evil.example", `//localhost:8080\@evil.example`,
	"https://localhost:8080.evil.example", "//evil.example#/account", "//evil.example?/account", "//evil%E3%80%82example", "//evil。example", "/／evil.example", "／／evil.example", "/∕evil.example", "//[::1]", "//0x7f000001", ".evil.example", ":evil.example", "/.//evil.example", "/..//evil.example", "/%2e//evil.example", "/account/..//evil.example",
	"/account\r\nSet-Cookie: a=b", "/account\r\n\r\n<script>", "//evil.example/%2e%2e", strings.Repeat("/", 500) + "evil.example",
}

// leadsOn are the headers and fields by which an answer sends a browser on.
func (a *reply) leadsOn() (all []string) {
	for _, name := range []string{"Location", "Hx-Redirect", "Hx-Location", "Hx-Push-Url", "Hx-Replace-Url", "Content-Location"} {
		all = append(all, a.header.Values(name)...)
	}
	for _, link := range a.header.Values("Refresh") {
		_, to, _ := strings.Cut(link, "=")
		all = append(all, to)
	}
	for _, in := range a.doc.Find(`input[name="next"]`).EachIter() {
		all = append(all, in.AttrOr("value", ""))
	}
	return all
}

func TestNothingLeadsToAnotherSite(t *testing.T) {
	hashQuickly(t)
	s := newSite(t)
	s.couple(t)
	for _, address := range elsewhere[:8] { // the judge itself
		if to := landsOn(t, s.URL+"/sign-in", address); to.Host != "evil.example" {
			t.Fatalf("%q is judged to lead to %v", address, to)
		}
	}
	here, err := url.Parse(s.URL)
	must0(t, err)
	judge := func(what, address string, a *reply) {
		t.Helper()
		for _, next := range a.leadsOn() {
			if to := landsOn(t, s.URL+a.path, next); to.Host != here.Host || to.Scheme != "http" {
				t.Errorf("%s with %q leads to %q, which is %v", what, address, next, to)
			}
		}
		if a.header.Get("Set-Cookie") != "" && strings.Contains(a.header.Get("Set-Cookie"), "a=b") {
			t.Errorf("%s with %q sets a cookie", what, address)
		}
	}
	// Every address, with every name by which such a thing is called anywhere.
	var queries []string
	for _, name := range []string{"next", "return", "returnTo", "redirect", "redirect_uri", "url", "to", "back", "continue", "r"} {
		queries = append(queries, name+"={}")
	}
	stranger := s.browser(t)
	for i, address := range elsewhere {
		for _, rt := range s.portal.table() {
			path := rt.address(1) + "?" + strings.ReplaceAll(strings.Join(queries, "&"), "{}", url.QueryEscape(address))
			r := stranger.request(rt.method, path, "")
			if rt.method == http.MethodPost { // where it came from is where it is led back to
				r = stranger.request(rt.method, rt.address(1), strings.ReplaceAll(strings.Join(queries, "&"), "{}", url.QueryEscape(address)))
			}
			if !strings.ContainsAny(address, "\r\n\x00\x0b") {
				r.Header.Set("Referer", address)
				r.Header.Set("Hx-Current-Url", address)
				if i%2 == 1 {
					r.Header.Set("Hx-Request-Type", "partial")
				}
			}
			judge(rt.method+" "+rt.path, address, stranger.send(r))
		}
		// The host of the request is believed for no more than its path.
		r := stranger.request(http.MethodPost, "/account/password", "", "Referer", "http://evil.example"+"//evil.example/x")
		r.Host = "evil.example"
		judge("a Referer of the Host", address, stranger.send(r))
	}
	// And each way of signing in, to its end.
	for _, address := range elsewhere {
		b := s.browser(t)
		judge("sign-in", address, b.post("/sign-in", "login", dbtest.OwnerEmail, "password", dbtest.OwnerPassword, "next", address).is(http.StatusSeeOther))
	}
	b := s.browser(t)
	ticket := b.post("/sign-in", "login", "holm@example.org", "password", dbtest.Password).value(`form button[name="person"]:first-of-type ~ input[name="ticket"], input[name="ticket"]`)
	for _, address := range elsewhere {
		judge("the question who it is", address, b.post("/sign-in/person", "ticket", ticket, "person", "0", "next", address))
	}
}

// raw sends bytes as no browser would and gives the answer.
func (s *site) raw(t *testing.T, wire string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	must0(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	must0(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	_, _ = io.WriteString(conn, wire) // it may be cut off while it speaks
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodGet})
	if err != nil {
		t.Fatalf("%.60q: %v", wire, err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

// tricks are other ways to write an address, which some programs take for the
// same one and some do not: between the two nobody looks who comes.
var tricks = map[string]func(path string) string{
	"up and down":         func(p string) string { return p + "/.." + p[strings.LastIndex(p, "/"):] },
	"through the sign-in": func(p string) string { return "/sign-in/.." + p },
	"dots, coded":         func(p string) string { return "/sign-in/%2e%2e" + p },
	"two slashes":         func(p string) string { return "/" + p },
	"many slashes":        func(p string) string { return strings.ReplaceAll(p, "/", "///") },
	"a slash, coded":      func(p string) string { return "/" + strings.ReplaceAll(p[1:], "/", "%2f") },
	"all coded":           func(p string) string { return "/%" + fmt.Sprintf("%x", p[1]) + p[2:] },
	"coded twice":         func(p string) string { return "/%25" + fmt.Sprintf("%x", p[1]) + p[2:] },
	"a backslash":         func(p string) string { return strings.ReplaceAll(p, "/", `\`) },
	"a dot":               func(p string) string { return "/." + p },
	"a slash at the end":  func(p string) string { return p + "/" },
	"a dot at the end":    func(p string) string { return p + "/." },
	"a semicolon":         func(p string) string { return p + ";a=b" },
	"a semicolon before":  func(p string) string { return "/;" + p },
	"in capitals":         strings.ToUpper,
	"a zero":              func(p string) string { return p + "%00" },
	"a zero and a file":   func(p string) string { return p + "%00.css" },
	"a file":              func(p string) string { return p + ".css" },
	"as a file":           func(p string) string { return "/static/0/.." + "/.." + p },
	"a line break":        func(p string) string { return p + "%0a" },
	"a space":             func(p string) string { return p + "%20" },
	"of another host":     func(p string) string { return "http://evil.example" + p },
	"of no host":          func(p string) string { return "http://" + p },
	"a fragment":          func(p string) string { return p + "%23" },
	"full width":          func(p string) string { return strings.ReplaceAll(p, "a", "%ef%bd%81") },
}

// However an address is written, it opens no door that its plain form does not:
// a stranger ends at the sign-in page, and a member at none of the office's.
func TestNoWayOfWritingAnAddressOpensADoor(t *testing.T) {
	s := newSite(t)
	someone := dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	member, _ := s.signedIn(t, "Paul Berg", model.RoleMember)
	cookie := ""
	for _, c := range member.cookies() {
		cookie += c.Name + "=" + c.Value + "; "
	}
	tried := 0
	for who, header := range map[string]string{"a stranger": "", "a member": "Cookie: " + strings.TrimSuffix(cookie, "; ") + "\r\n"} {
		for _, rt := range s.portal.table() {
			if rt.method != http.MethodGet || rt.door < viewer && (who == "a member" || rt.door != signedIn) {
				continue
			}
			for name, trick := range tricks {
				path := trick(rt.address(someone))
				for range 4 { // as far as it leads
					tried++
					a := s.raw(t, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"+header+"\r\n")
					to := a.Header.Get("Location")
					if a.StatusCode == http.StatusOK {
						body, err := io.ReadAll(a.Body)
						must0(t, err)
						if strings.HasPrefix(path, "/sign-in?") || path == "/sign-in" {
							break
						}
						t.Errorf("%s gets in at %s, %s: %.200s", who, path, name, body)
					}
					if to == "" {
						break
					}
					if landsOn(t, s.URL+"/", to).Host != strings.TrimPrefix(s.URL, "http://") {
						t.Errorf("%s at %s, %s, is led to %q", who, path, name, to)
						break
					}
					path = to
				}
			}
		}
	}
	t.Logf("%d requests", tried)

	hash := s.portal.static.hash
	for _, path := range []string{
		"/static/" + hash + "/../../secret.key", "/static/" + hash + "/..%2f..%2fsecret.key", "/static/" + hash + "/%2e%2e/app.css", "/static/" + hash + "/..%5csecret.key",
		"/static/" + hash + "/", "/static/" + hash, "/static//" + hash + "/app.css/", "/static/" + hash + "/app.css%00", "/static/" + hash + "/.", "/static/" + hash + "//etc/passwd",
		"/static/" + hash + "/LICENSES.txt/../../../go.mod", "/static/../latchkey.db", "/secret.key", "/latchkey.db", "/.env", "/.git/config", "/debug/pprof/", "/debug/vars", "/metrics",
	} {
		for range 3 {
			a := s.raw(t, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			if a.StatusCode == http.StatusOK {
				t.Errorf("%s is served", path)
			}
			if path = a.Header.Get("Location"); path == "" {
				break
			}
		}
	}
}

// Other methods, and the headers by which some programs take one method or
// address for another, do nothing that the plain request does not.
func TestNoMethodGoesAroundADoor(t *testing.T) {
	s := newSite(t)
	someone := dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	b := s.browser(t)
	office := s.owner(t)
	for _, rt := range s.portal.table() {
		path := rt.address(someone)
		for _, method := range []string{"HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE", "PROPFIND", "get", "EVIL", "POST"} {
			if method == rt.method || method == "HEAD" && rt.method == http.MethodGet {
				continue
			}
			r := b.request(method, path, "role=owner", "X-Secret", "words of mine")
			a := b.send(r)
			_, pattern := s.portal.mux.Handler(r)
			if a.status < 400 && pattern == "" {
				t.Errorf("%s %s: %d", method, path, a.status)
			}
			if strings.Contains(a.body, "words of mine") {
				t.Errorf("%s %s says what it was sent", method, path)
			}
		}
		if rt.door < signedIn {
			continue
		}
		for header, value := range map[string]string{
			"X-Original-Url": path, "X-Rewrite-Url": path, "X-Forwarded-Path": path, "X-Http-Method-Override": rt.method, "X-Method-Override": rt.method,
			"X-Forwarded-User": dbtest.OwnerEmail, "X-Remote-User": dbtest.OwnerEmail, "Remote-User": dbtest.OwnerEmail, "X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1",
			"Authorization": "Basic cnV0aEByaXZlcnNpZGUuZXhhbXBsZTpicmFzcyBsYW50ZXJuIG92ZXIgcXVpZXQgd2F0ZXI=",
		} {
			if a := b.get("/sign-in", header, value).is(http.StatusOK); a.doc.Find(`form[action="/sign-in"]`).Length() == 0 {
				t.Errorf("%s: %s leads from the sign-in page to another", header, value)
			}
			if a := b.send(b.request(rt.method, path, "", header, value)); a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), "/sign-in") {
				t.Errorf("%s %s with %s: %s is answered with %d", rt.method, path, header, value, a.status)
			}
		}
	}
	before := s.changes(t)
	for _, rt := range s.portal.table() {
		if rt.method == http.MethodPost && strings.HasPrefix(rt.path, "/admin") {
			office.get(rt.address(someone)+"?_method=POST&role=member&email=x%40example.org", "X-Http-Method-Override", "POST")
		}
	}
	if after := s.changes(t); after != before {
		t.Errorf("a GET that says it is a POST changed something: %d lines, then %d", before, after)
	}
}

// Every document, and every answer at all that is one, can be framed by nobody;
// a letter stands in a frame of our own, and cannot do anything there.
func TestNothingCanBeFramed(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Demo = true })
	someone := dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	member, _ := s.signedIn(t, "Paul Berg", model.RoleMember)
	pages := 0
	for who, b := range map[string]*browser{"a stranger": s.browser(t), "a member": member, "an owner": s.owner(t)} {
		for _, rt := range s.portal.table() {
			if rt.path == "/sign-out" || strings.HasPrefix(rt.path, "/account/sessions/") || rt.path == mailPath+"/test" {
				continue // the browser is to stay signed in; and the last waits for a postman
			}
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
				r := b.request(method, rt.address(someone), "")
				if method == http.MethodGet { // a post of another site is refused as a whole
					r.Header.Set("Origin", "https://evil.example")
				}
				if _, pattern := s.portal.mux.Handler(r); pattern != "" && s.portal.routes[pattern].door == open {
					continue // files, and answers to programs
				}
				a := b.send(r)
				if got := a.header.Get("Access-Control-Allow-Origin"); got != "" {
					t.Errorf("%s %s may be read by %s", method, rt.path, got)
				}
				framing := a.header.Get("X-Frame-Options") + " "
				for _, rule := range strings.Split(a.header.Get("Content-Security-Policy"), "; ") {
					if of, ok := strings.CutPrefix(rule, "frame-ancestors "); ok {
						framing += of
					}
				}
				pages++
				letter := method == http.MethodGet && strings.HasSuffix(rt.path, "/preview") && who == "an owner"
				if letter && (framing != "SAMEORIGIN 'self'" || !strings.Contains(a.header.Get("Content-Security-Policy"), "sandbox;")) {
					t.Errorf("%s %s by %s may be framed: %s", method, rt.path, who, framing)
				}
				if !letter && framing != "DENY 'none'" && framing != "SAMEORIGIN 'self'" || !letter && framing == "SAMEORIGIN 'self'" && !strings.HasSuffix(rt.path, "/html") {
					t.Errorf("%s %s by %s may be framed: %q", method, rt.path, who, framing)
				}
			}
		}
	}
	if pages < 500 {
		t.Errorf("only %d answers", pages)
	}
}

// Links are made of the base URL. Whatever a request says about the host that
// it means comes back neither on a page nor in a letter.
func TestNoHeaderPoisonsALink(t *testing.T) {
	for name, lie := range map[string]func(*http.Request){
		"Host":             func(r *http.Request) { r.Host = "evil.example" },
		"Host with a port": func(r *http.Request) { r.Host = "localhost:8080@evil.example:80" },
		"X-Forwarded-Host": func(r *http.Request) { r.Header.Set("X-Forwarded-Host", "evil.example") },
		"Forwarded":        func(r *http.Request) { r.Header.Set("Forwarded", "for=192.0.2.1;host=evil.example;proto=https") },
		"the usual others": func(r *http.Request) {
			for _, h := range []string{"X-Host", "X-Forwarded-Server", "X-Http-Host-Override", "X-Original-Host", "X-Forwarded-Prefix", "X-Backend-Host", "Via", "X-Forwarded-Port"} {
				r.Header.Set(h, "evil.example")
			}
		},
		"two of them": func(r *http.Request) {
			r.Header["X-Forwarded-Host"] = []string{"localhost", "evil.example"}
			r.Host = "evil.example"
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			stranger, office := s.browser(t), s.owner(t)
			someone := dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
			olga := dbtest.Member(t, s.db, "Olga Lind", "olga@example.org")
			dbtest.Deliver(t, s.db)
			send := func(b *browser, method, path string, fields ...string) {
				t.Helper()
				form := url.Values{}
				for i := 0; i < len(fields); i += 2 {
					form.Set(fields[i], fields[i+1])
				}
				r := b.request(method, path, form.Encode())
				for _, c := range b.cookies() { // the client would leave them out for another host
					r.AddCookie(c)
				}
				lie(r)
				a := b.send(r)
				if strings.Contains(a.body, "evil.example") || strings.Contains(fmt.Sprint(a.header), "evil.example") {
					t.Errorf("%s %s says evil.example", method, path)
				}
			}
			for _, rt := range s.portal.table() {
				if rt.method == http.MethodGet {
					send(stranger, rt.method, rt.address(someone))
					send(office, rt.method, rt.address(someone))
				}
			}
			path := record(someone)
			send(stranger, "POST", "/forgot-password", "login", "nina@example.org")
			send(stranger, "POST", "/forgot-password", "login", "nobody@example.org")
			for range 5 { // the letter about trouble at the door
				send(stranger, "POST", "/sign-in", "login", "nina@example.org", "password", "wrong")
			}
			s.clock.Add(time.Minute)
			send(office, "POST", path+"/password-resets")
			send(office, "POST", path+"/password-resets/code", "note", "born 1 May 1970")
			send(office, "POST", record(olga)+"/account", "email", "olga@example.org")
			send(office, "POST", "/admin/staff", "first_name", "Sara", "last_name", "Lund", "email", "sara@example.org", "role", "staff")
			send(office, "POST", path+"/account/email", "email", "nina.holm@example.org")
			send(office, "POST", "/admin/templates/reset/test", "subject", goodSubject, "text", goodText, "html", goodHTML)
			send(stranger, "POST", "/reset/renew", "token", dbtest.Token(t, s.db, someone).Reveal())
			send(office, "POST", "/sign-out")
			letters := dbtest.Deliver(t, s.db)
			if len(letters) < 8 {
				t.Errorf("only %d letters: %s", len(letters), dbtest.Kinds(letters))
			}
			for _, c := range letters {
				letter, err := views.ComposeLetter(c)
				must0(t, err)
				if all := letter.Subject + letter.Text + letter.HTML + c.From + c.ReplyTo + c.MessageID; strings.Contains(all, "evil") {
					t.Errorf("the letter %s says evil.example", c.Kind)
				}
				for _, l := range c.Links {
					if !strings.HasPrefix(l.URL.Reveal(), "http://localhost:8080/") {
						t.Errorf("the letter %s leads to %s", c.Kind, l.URL.Reveal())
					}
				}
			}
		})
	}
}

// Who tries a door that is not theirs, or sends something from another site,
// stands in the log of the program as a warning, with the route and no secret.
func TestADoorThatWasTriedStandsInTheLog(t *testing.T) {
	s := newSite(t)
	member, _ := s.signedIn(t, "Nina Holm", model.RoleMember)
	member.get("/admin/members?q=a+secret+word").is(http.StatusForbidden)
	member.send(member.request(http.MethodPost, "/account/password", "password=a+secret+word", "Origin", "https://evil.example")).is(http.StatusForbidden)
	s.Close()
	for _, route := range []string{"GET /admin/members", "POST /account/password"} {
		if !slices.ContainsFunc(strings.Split(s.log.String(), "\n"), func(line string) bool {
			return strings.Contains(line, "level=WARN") && strings.Contains(line, `route="`+route+`"`) && strings.Contains(line, "status=403")
		}) {
			t.Errorf("nothing warns of %s:\n%s", route, s.log)
		}
	}
	if strings.Contains(s.log.String(), "secret word") || strings.Contains(s.log.String(), "secret+word") {
		t.Error("what was sent is in the log")
	}
}

// Whoever plants a cookie in somebody's browser, their own or one that they made
// up, has nothing once that person signed in; nor has who knew the one before.
func TestNoSessionIsFixed(t *testing.T) {
	s := newSite(t)
	nina, actor := s.signedIn(t, "Nina Holm", model.RoleMember)
	key, codes := withApp(nina, dbtest.Password)
	s.clock.Add(time.Minute)
	const login = "nina.holm@riverside.example"
	session := func(a *reply) string {
		t.Helper()
		c := a.cookie("latchkey")
		if c == nil || c.Value == "" {
			t.Fatalf("%s gives no session: %d %s", a.path, a.status, a.text("main"))
		}
		return c.Value
	}
	in := func(value string) bool {
		return s.browser(t).get("/account", "Cookie", "latchkey="+value).status == http.StatusOK
	}
	evil, _ := s.signedIn(t, "Eve Berg", model.RoleMember)
	evils := evil.cookies()[0].Value
	second := func(b *browser, cookie string) *reply {
		ask := b.send(b.request("POST", "/sign-in", url.Values{"login": {login}, "password": {dbtest.Password}}.Encode(), "Cookie", cookie)).is(http.StatusOK)
		ticket := ask.doc.Find(`input[name="ticket"]`).First().AttrOr("value", "")
		code := codes[0]
		codes = codes[1:]
		return b.send(b.request("POST", "/sign-in/factor", url.Values{"ticket": {ticket}, "code": {code}}.Encode(), "Cookie", cookie))
	}
	for _, planted := range []string{strings.Repeat("p", 43), evils} {
		if got := session(second(s.browser(t), "latchkey="+planted)); got == planted || in(planted) {
			t.Error("a planted cookie is somebody's session")
		}
	}
	// Each change of what somebody may do, or is known by, gives a new id and
	// ends the old one.
	b := s.browser(t)
	now := session(second(b, ""))
	b.header.Set("Cookie", "latchkey="+now)
	if !in(now) {
		t.Fatal("not signed in")
	}
	const other = "nine purple teapots at dawn"
	for _, step := range []struct {
		what string
		do   func() *reply
	}{
		{"others end", func() *reply { return b.post("/account/sessions/end") }},
		{"a new password", func() *reply {
			return b.post("/account/password", "current_password", dbtest.Password, "password", other, "password_confirm", other)
		}},
		{"the app goes", func() *reply { return b.post("/account/two-factor/app/remove", "current_password", other) }},
		{"an app comes", func() *reply {
			s.clock.Add(time.Minute)
			a := b.post("/account/two-factor/app", "current_password", other).is(http.StatusOK)
			key = a.text(".key-text")
			return b.post("/account/two-factor/app/confirm", "ticket", a.doc.Find(`input[name="ticket"]`).First().AttrOr("value", ""), "code", dbtest.AppCode(t, key, s.clock.Now()))
		}},
	} {
		next := session(step.do())
		if next == now || in(now) || !in(next) {
			t.Errorf("%s: the former session is open: %v, the new one: %v", step.what, in(now), in(next))
		}
		now = next
		b.header.Set("Cookie", "latchkey="+now)
	}
	dbtest.SignedUp(t, s.db, "Nora Holm", "nora@example.org")
	must0(t, s.db.SendPasswordReset(t.Context(), dbtest.Owner(t, s.db), actor.MemberID))
	token := dbtest.Token(t, s.db, actor.MemberID).Reveal()
	if a := b.post("/reset", "token", token, "password", dbtest.Password, "password_confirm", dbtest.Password).leads("/sign-in"); a.cookie("latchkey") != nil && a.cookie("latchkey").Value != "" {
		t.Error("a new password through a link signs in by itself")
	}
	if in(now) {
		t.Error("the session outlives the password")
	}
}

// at sends the same from many browsers at the same moment, over the wire.
func (s *site) at(t *testing.T, n int, path string, form func(i int) url.Values) (statuses map[int]int) {
	t.Helper()
	start, done := make(chan struct{}), make(chan int, n)
	var all sync.WaitGroup
	for i := range n {
		b := s.browser(t)
		r := b.request(http.MethodPost, path, form(i).Encode())
		all.Go(func() {
			<-start
			answer, err := b.client.Do(r)
			if err != nil {
				t.Error(err)
				done <- 0
				return
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			done <- answer.StatusCode
		})
	}
	close(start)
	all.Wait()
	close(done)
	statuses = map[int]int{}
	for status := range done {
		statuses[status]++
	}
	return statuses
}

func TestTwentyPasswordsAtOnceOnOneLinkSetOne(t *testing.T) {
	s := newSite(t)
	_, token := s.invited(t, "Nina Holm", "nina@example.org")
	password := func(i int) string { return fmt.Sprintf("%d lanterns over quiet water", 100+i) }
	got := s.at(t, 20, "/reset", func(i int) url.Values {
		return url.Values{"token": {token}, "password": {password(i)}, "password_confirm": {password(i)}}
	})
	if got[http.StatusSeeOther] != 1 {
		t.Errorf("answers: %v", got)
	}
	fits := 0
	for i := range 20 {
		s.clock.Add(5 * time.Minute) // no try is slowed by the one before
		a := s.browser(t).post("/sign-in", "login", "nina@example.org", "password", password(i))
		if a.status == http.StatusSeeOther {
			fits++
		}
	}
	if fits != 1 {
		t.Errorf("%d of the passwords fit", fits)
	}
}

func TestACodeAtOnceFromTwentyBrowsersOpensOne(t *testing.T) {
	s := newSite(t)
	nina, _ := s.signedIn(t, "Nina Holm", model.RoleMember)
	key, codes := withApp(nina, dbtest.Password)
	s.clock.Add(time.Minute)
	for _, name := range []string{"a recovery code", "the app's code"} {
		code := codes[0]
		if name == "the app's code" {
			code = dbtest.AppCode(t, key, s.clock.Now())
		}
		var tickets []string
		for range 20 {
			tickets = append(tickets, s.browser(t).post("/sign-in", "login", "nina.holm@riverside.example", "password", dbtest.Password).
				is(http.StatusOK).doc.Find(`input[name="ticket"]`).First().AttrOr("value", ""))
		}
		got := s.at(t, 20, "/sign-in/factor", func(i int) url.Values { return url.Values{"ticket": {tickets[i]}, "code": {code}} })
		if got[http.StatusSeeOther] != 1 {
			t.Errorf("%s: %v", name, got)
		}
		s.clock.Add(10 * time.Minute)
		// Nor does it work once more, when the next step has begun.
		ticket := s.browser(t).post("/sign-in", "login", "nina.holm@riverside.example", "password", dbtest.Password).is(http.StatusOK).
			doc.Find(`input[name="ticket"]`).First().AttrOr("value", "")
		if a := s.browser(t).post("/sign-in/factor", "ticket", ticket, "code", code); a.status == http.StatusSeeOther {
			t.Errorf("%s opens a second time", name)
		}
		s.clock.Add(10 * time.Minute)
	}
}

// A token is 40 characters. One that is wrong in any of them is like one that
// never was: the same page, nothing written, and no more work however often.
func TestATokenThatIsNearlyRightIsLikeNone(t *testing.T) {
	s := newSite(t)
	_, token := s.invited(t, "Nina Holm", "nina@example.org")
	b := s.browser(t)
	before := s.changes(t)
	page := func(path, token string) string {
		t.Helper()
		got := b.follow(b.get(path + token)).is(http.StatusNotFound)
		posted := b.post(path[:len(path)-1], "token", token, "password", newPassword, "password_confirm", newPassword)
		return strings.ReplaceAll(strconv.Itoa(got.status)+got.text("main")+strconv.Itoa(posted.status)+posted.text("main"), token, "")
	}
	for _, path := range []string{"/reset/", "/not-me/"} {
		never := page(path, strings.Repeat("a", model.TokenLen))
		for i := range token {
			wrong := []byte(token)
			wrong[i] = "ab"[map[bool]int{true: 1, false: 0}[wrong[i] == 'a']]
			if got := page(path, string(wrong)); got != never {
				t.Errorf("%s, wrong at %d: %q, not %q", path, i, got, never)
			}
		}
		for _, other := range []string{token[:39], token + "a", strings.ToUpper(token), token[:20] + "%00" + token[20:], token + "%20"} {
			if a := b.follow(b.get(path + other)); a.status != http.StatusNotFound {
				t.Errorf("%s%s: %d", path, other, a.status)
			}
		}
	}
	if after := s.changes(t); after != before {
		t.Errorf("guesses leave %d lines", after-before)
	}
	if a := b.follow(b.get("/reset/" + token)).is(http.StatusOK); a.doc.Find(`input[name="password"]`).Length() == 0 {
		t.Error("the right one opens nothing either")
	}
}

// What is too much is refused before it costs anything, by the server that main
// runs and not only by the handler.
func TestTooMuchOrTooSlowIsCutOff(t *testing.T) {
	s := newSite(t)
	s.Close()
	server := NewServer(s.portal, s.portal.Log)
	server.ReadHeaderTimeout, server.ReadTimeout = time.Second, time.Second // as in life, in a shorter one
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must0(t, err)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	say := func(wire string) int {
		t.Helper()
		conn, err := net.Dial("tcp", listener.Addr().String())
		must0(t, err)
		defer conn.Close()
		must0(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		go func() { _, _ = io.WriteString(conn, wire) }()
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return 0 // it hung up
		}
		defer answer.Body.Close()
		return answer.StatusCode
	}
	var files bytes.Buffer
	many := multipart.NewWriter(&files)
	for i := range 20_000 {
		part, err := many.CreateFormFile("login", "x"+strconv.Itoa(i))
		must0(t, err)
		_, _ = part.Write([]byte("nina@example.org"))
	}
	must0(t, many.Close())
	const head = "POST /forgot-password HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	sized := func(body string) string { return "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body }
	for name, c := range map[string]struct {
		wire string
		want []int
	}{
		"headers without end":      {"GET /sign-in HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-More: "+strings.Repeat("x", 1000)+"\r\n", 100), []int{431, 0}},
		"one header without end":   {"GET /sign-in HTTP/1.1\r\nHost: x\r\nX-More: " + strings.Repeat("x", 1<<20), []int{431, 0}},
		"an address without end":   {"GET /sign-in?" + strings.Repeat("x", 1<<20) + " HTTP/1.1\r\nHost: x\r\n\r\n", []int{431, 414, 0}},
		"a deep query":             {"GET /admin/members?" + strings.Repeat("q=x&", 7000) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []int{303, 400}},
		"a body that never comes":  {head + "Content-Length: 100\r\n\r\nlogin=x", []int{400, 408, 0}},
		"a header that never ends": {"GET /sign-in HTTP/1.1\r\nHost: x\r\nX-Slow: ", []int{408, 0}},
		"a large body":             {head + sized("login="+strings.Repeat("x", 1<<20)), []int{413}},
		"a chunk larger than that": {head + "Transfer-Encoding: chunked\r\n\r\n180000\r\n" + strings.Repeat("x", 0x180000) + "\r\n0\r\n\r\n", []int{413}},
		"half a million fields":    {head + sized(strings.Repeat("a=&", 300_000)), []int{400, 413, 422}},
		"twenty thousand files":    {strings.Replace(head, "application/x-www-form-urlencoded", many.FormDataContentType(), 1) + sized(files.String()), []int{413, 422}},
		"two lengths":              {head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", []int{400}},
		"a length and chunks":      {head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n", []int{400, 422}},
		"no host":                  {"GET /sign-in HTTP/1.1\r\n\r\n", []int{400}},
		"two hosts":                {"GET /sign-in HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", []int{400}},
		"a space before the colon": {"GET /sign-in HTTP/1.1\r\nHost : x\r\n\r\n", []int{400}},
	} {
		began := time.Now()
		if got := say(c.wire); !slices.Contains(c.want, got) {
			t.Errorf("%s: %d, not %v", name, got, c.want)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
	if got := say("GET /sign-in HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); got != http.StatusOK {
		t.Errorf("after all that the sign-in page is %d", got)
	}
}
