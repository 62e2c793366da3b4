package handlers

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// site is a portal that serves on a free port, with a clock that stands still.
type site struct {
	*httptest.Server
	portal *portal
	db     *db.DB
	clock  *dbtest.Clock
	log    *bytes.Buffer // what it logged; read it after the server is closed
}

func newSite(t testing.TB, change ...func(*Config)) *site {
	t.Helper()
	d, clock := dbtest.Open(t)
	return serveSite(t, d, clock, change...)
}

// secureSite is newSite on https, under a name.
func secureSite(t testing.TB) *site {
	t.Helper()
	d, clock := dbtest.OpenIn(t, t.TempDir(), db.Fixed{BaseURL: "https://members.riverside.example", Mail: &dbtest.Mail})
	s := serveSite(t, d, clock)
	s.Close()
	s.Server = httptest.NewTLSServer(s.portal)
	t.Cleanup(s.Close)
	return s
}

func serveSite(t testing.TB, d *db.DB, clock *dbtest.Clock, change ...func(*Config)) *site {
	t.Helper()
	s := &site{db: d, clock: clock, log: &bytes.Buffer{}}
	c := Config{
		DB: d, Static: os.DirFS("../static"),
		Log:            slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}
	for _, f := range change {
		f(&c)
	}
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.portal = h.(*portal)
	s.Server = httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// browser is one browser with its own cookies. It does not follow redirects
// by itself, so that a test sees them.
type browser struct {
	t      testing.TB
	site   *site
	client *http.Client
	header http.Header // sent with every request
}

func (s *site) browser(t testing.TB) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := *s.Client()
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{t: t, site: s, client: &client, header: http.Header{}}
}

// signedIn is a browser in which a person with this role is signed in.
func (s *site) signedIn(t testing.TB, name string, role model.Role) (*browser, model.Actor) {
	t.Helper()
	actor := dbtest.Person(t, s.db, name, role)
	b := s.browser(t)
	b.signIn(dbtest.Account(t, s.db, actor.MemberID).Email, dbtest.Password)
	return b, actor
}

// owner is a browser in which the owner is signed in.
func (s *site) owner(t testing.TB) *browser {
	t.Helper()
	b := s.browser(t)
	b.signIn(dbtest.OwnerEmail, dbtest.OwnerPassword)
	return b
}

func (b *browser) signIn(login, password string) {
	b.t.Helper()
	a := b.post("/sign-in", "login", login, "password", password)
	if a.status != http.StatusSeeOther {
		b.t.Fatalf("sign-in of %s: %d %s", login, a.status, a.text("main"))
	}
}

// reply is an answer, read.
type reply struct {
	t      testing.TB
	status int
	header http.Header
	body   string
	doc    *goquery.Document
	path   string
}

func (b *browser) send(r *http.Request) *reply {
	b.t.Helper()
	for name, values := range b.header {
		if _, set := r.Header[name]; !set {
			r.Header[name] = values
		}
	}
	answer, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	return &reply{b.t, answer.StatusCode, answer.Header, string(body), doc, r.URL.RequestURI()}
}

func (b *browser) request(method, path string, body string, header ...string) *http.Request {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.site.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func (b *browser) get(path string, header ...string) *reply {
	b.t.Helper()
	return b.send(b.request(http.MethodGet, path, "", header...))
}

// post sends a form as an old browser on plain http does: without an Origin.
func (b *browser) post(path string, fields ...string) *reply {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.send(b.request(http.MethodPost, path, form.Encode()))
}

// part is a request of htmx for a part of a page.
func (b *browser) part(method, path string, fields ...string) *reply {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.send(b.request(method, path, form.Encode(), "Hx-Request", "true", "Hx-Request-Type", "partial"))
}

// follow goes where an answer leads, as often as it leads on.
func (b *browser) follow(a *reply) *reply {
	b.t.Helper()
	for range 5 {
		if a.status != http.StatusSeeOther && a.status != http.StatusFound {
			return a
		}
		a = b.get(a.header.Get("Location"))
	}
	b.t.Fatal("led in a circle")
	return nil
}

// submit fills in a form of a page and sends it as a browser would, with its
// hidden fields and what stands in it already. button is the selector of the
// pressed one, "" if it has no name.
func (b *browser) submit(a *reply, form, button string, fields ...string) *reply {
	b.t.Helper()
	f := a.one(form)
	sent := map[string][]string{}
	f.Find("input[name], select[name], textarea[name]").Each(func(_ int, in *goquery.Selection) {
		name, value := in.AttrOr("name", ""), in.AttrOr("value", "")
		switch {
		case in.AttrOr("type", "") == "checkbox":
			if _, on := in.Attr("checked"); !on {
				return
			}
		case goquery.NodeName(in) == "select":
			chosen := in.Find("option[selected]")
			if chosen.Length() == 0 {
				chosen = in.Find("option").First()
			}
			value = chosen.AttrOr("value", chosen.Text())
		case goquery.NodeName(in) == "textarea":
			value = in.Text()
		}
		sent[name] = []string{value}
	})
	if button != "" {
		pressed := f.Find(button)
		if pressed.Length() != 1 {
			b.t.Fatalf("%d buttons %s in %s", pressed.Length(), button, form)
		}
		sent[pressed.AttrOr("name", "")] = []string{pressed.AttrOr("value", "")}
	}
	for i := 0; i < len(fields); i += 2 {
		if _, there := sent[fields[i]]; !there {
			b.t.Fatalf("the form %s has no field %s", form, fields[i])
		}
		sent[fields[i]] = []string{fields[i+1]}
	}
	return b.send(b.request(http.MethodPost, f.AttrOr("action", a.path), url.Values(sent).Encode()))
}

func (a *reply) one(selector string) *goquery.Selection {
	a.t.Helper()
	found := a.doc.Find(selector)
	if found.Length() != 1 {
		a.t.Fatalf("%s: %d of %s in %d\n%s", a.path, found.Length(), selector, a.status, a.body)
	}
	return found
}

func (a *reply) text(selector string) string {
	return strings.Join(strings.Fields(a.doc.Find(selector).Text()), " ")
}

func (a *reply) value(selector string) string {
	a.t.Helper()
	return a.one(selector).AttrOr("value", "")
}

func (a *reply) is(status int) *reply {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: status %d, not %d\n%s", a.path, a.status, status, a.text("main"))
	}
	return a
}

func (a *reply) leads(to string) *reply {
	a.t.Helper()
	a.is(http.StatusSeeOther)
	if got := a.header.Get("Location"); got != to {
		a.t.Fatalf("%s leads to %q, not %q", a.path, got, to)
	}
	return a
}

func (a *reply) says(sentence string) *reply {
	a.t.Helper()
	if !strings.Contains(a.text("body"), sentence) {
		a.t.Fatalf("%s (%d) does not say %q, but:\n%s", a.path, a.status, sentence, a.text("body"))
	}
	return a
}

func (a *reply) saysNothingOf(words string) *reply {
	a.t.Helper()
	if strings.Contains(a.body, words) {
		a.t.Fatalf("%s (%d) says %q:\n%s", a.path, a.status, words, a.body)
	}
	return a
}

// cookie is a cookie that the answer sets, nil if it does not.
func (a *reply) cookie(name string) *http.Cookie {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}
