package handlers

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
	"latchkey/views"
)

// hostile is what somebody types who wants it to be more than words: to leave
// an attribute, an element, a line, or to be read twice. Wherever one of them
// comes to life there is an element, an attribute or a header called evil.
var hostile = []string{
	`"><evil-a evil=1>'><script evil>evil()</script><img src=x onerror=evil()>`,
	`' onmouseover='evil()' autofocus onfocus=evil() evil=1 x="`,
	`</title></textarea></style></script></option></select><evil-b evil><svg onload=evil()>`,
	"javascript:evil()//https:evil.example",
	"//evil.example/\"evil=1",
	"{{name}} {{link}} {{password}} ${evil} =1+1+cmd|' /C evil'!A0",
	"one\r\nEvil: 1\r\n\r\n<evil-c>\nBcc: evil@evil.example",
	"&lt;evil-d evil&gt; &#60;evil-d&#62; \\u003cevil-d\\u003e %3Cevil-d%3E \u202e\u2028",
	"<!-- <![CDATA[ <evil-e `evil`",
}

// typing is a form as somebody hostile fills it in.
type typing struct {
	action string
	text   []string          // its fields in which anything can be typed, or sent
	values map[string]string // what stands in it
}

// typings are the forms of a page. A button alone takes no words.
func typings(a *reply) (all []typing) {
	for _, f := range a.doc.Find(`form[method="post"]`).EachIter() {
		one := typing{action: f.AttrOr("action", a.path), values: map[string]string{}}
		for _, in := range f.Find("input[name], select[name], textarea[name], button[name]").EachIter() {
			name, kind := in.AttrOr("name", ""), in.AttrOr("type", "")
			one.values[name] = in.AttrOr("value", "")
			switch {
			case goquery.NodeName(in) == "textarea":
				one.values[name] = in.Text()
			case goquery.NodeName(in) == "select":
				one.values[name] = in.Find("option[selected]").AttrOr("value", in.Find("option").First().AttrOr("value", ""))
			case kind == "checkbox":
				if _, on := in.Attr("checked"); !on {
					delete(one.values, name)
				}
			}
			if !slices.Contains(one.text, name) {
				one.text = append(one.text, name)
			}
		}
		all = append(all, one)
	}
	return all
}

// with is what is sent with something hostile in some of the fields, and with
// what the form asks for in the others.
func (f typing) with(words, password string, fields ...string) string {
	form := url.Values{}
	for name, value := range f.values {
		form.Set(name, value)
	}
	for name, needed := range map[string]string{"current_password": password, "note": "born 1 May 1970"} {
		if _, asked := form[name]; asked {
			form.Set(name, needed)
		}
	}
	for _, name := range fields {
		form.Set(name, words)
	}
	return form.Encode()
}

// stage is a portal in which people do nothing but type hostile things.
type stage struct {
	*site
	t     *testing.T
	raw   *sql.DB
	pages []string        // that no page links to
	seen  map[string]bool // routes that answered with a page
	held  map[string]bool // routes whose page held hostile words, as words
}

func newStage(t *testing.T) *stage {
	hashQuickly(t)
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{BaseURL: "http://localhost:8080"})
	s := serveSite(t, d, clock, func(c *Config) { c.Demo = true })
	beside, err := sql.Open("sqlite3", dbtest.RawDSN(folder, ""))
	must0(t, err)
	t.Cleanup(func() { _ = beside.Close() })
	return &stage{site: s, t: t, raw: beside, seen: map[string]bool{}, held: map[string]bool{}}
}

// as is a browser in which somebody with this role, whose name is hostile, is
// signed in. Browser and network have hostile names as well.
func (s *stage) as(role model.Role) *browser {
	s.t.Helper()
	first := "Actor" + string(role)
	b := s.browser(s.t)
	b.header.Set("User-Agent", "Mozilla/5.0 (Linux) "+hostile[0]+" Firefox/142.0")
	b.header.Set("X-Forwarded-For", hostile[0]+", 203.0.113.7")
	if role == model.RoleOwner {
		b.signIn(dbtest.OwnerEmail, dbtest.OwnerPassword)
		return b
	}
	actor := dbtest.Person(s.t, s.db, first+" Holm", role)
	b.signIn(dbtest.Account(s.t, s.db, actor.MemberID).Email, dbtest.Password)
	s.rename(actor.MemberID, first+hostile[0])
	return b
}

func (s *stage) rename(id int64, name string) {
	s.t.Helper()
	m, _, err := s.db.Member(s.t.Context(), model.ShellActor(), id)
	must0(s.t, err)
	m.LastName, m.Notes, m.Company = name, hostile[2], hostile[1]
	must0(s.t, s.db.ChangeMember(s.t.Context(), model.ShellActor(), m))
}

// check makes sure that nothing on a page came out of words.
func (s *stage) check(who string, a *reply) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.URL+a.path, http.NoBody)
	must0(s.t, err)
	_, pattern := s.portal.mux.Handler(r)
	if a.header.Get("Evil") != "" || a.header.Get("Bcc") != "" {
		s.t.Errorf("%s at %s: a header came out of words: %v", who, a.path, a.header)
	}
	if to := a.header.Get("Location"); to != "" && localPath(to) == "" {
		s.t.Errorf("%s at %s is led to %q", who, a.path, to)
	}
	if a.status >= http.StatusInternalServerError {
		s.t.Errorf("%s at %s: %d", who, a.path, a.status)
	}
	if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		return
	}
	if a.status == http.StatusOK {
		s.seen[pattern] = true
	}
	if strings.Contains(a.body, "evil") {
		s.held[pattern] = true
	}
	letter := strings.HasSuffix(pattern, "/html") || strings.HasSuffix(pattern, "/preview")
	for _, found := range alive(a.doc, letter) {
		s.t.Errorf("%s at %s: %s", who, a.path, found)
	}
}

// alive is what in a document is more than words and our own: each is the mark
// of something hostile that was taken for HTML. A letter has its styles in
// itself, and links that lead nowhere, and nothing else.
func alive(doc *goquery.Document, letter bool) (found []string) {
	for _, node := range doc.Find("*").Nodes {
		if strings.Contains(node.Data, "evil") || slices.Contains([]string{"base", "object", "embed", "applet", "math", "template", "noscript"}, node.Data) {
			found = append(found, "an element "+node.Data)
		}
		if node.Data == "style" && !letter || letter && slices.Contains([]string{"script", "img", "svg", "form", "iframe", "link"}, node.Data) {
			found = append(found, "an element "+node.Data)
		}
		if node.Data == "script" && (node.FirstChild != nil || !strings.HasPrefix(attributeOf(node, "src"), "/static/")) {
			found = append(found, "a script")
		}
		for _, a := range node.Attr {
			switch {
			case strings.Contains(a.Key, "evil"), strings.HasPrefix(a.Key, "on"), strings.HasPrefix(a.Key, "hx-on"), a.Key == "srcdoc", a.Key == "ping",
				a.Key == "style" && !letter, a.Key == "http-equiv" && !letter, a.Key == "autofocus" && a.Val != "":
				found = append(found, fmt.Sprintf("an attribute %s=%q of %s", a.Key, a.Val, node.Data))
			case slices.Contains([]string{"href", "src", "action", "formaction", "data", "poster", "hx-get", "hx-post", "srcset", "background"}, a.Key) && !stays(a.Val):
				found = append(found, fmt.Sprintf("%s leads to %q", node.Data, a.Val))
			}
		}
	}
	return found
}

func attributeOf(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// stays reports whether a link of a page leads to this portal, to a mail
// program or to a telephone. What is typed stands in it behind a scheme or a
// path of ours, never before.
func stays(link string) bool {
	if strings.HasPrefix(link, "mailto:") || strings.HasPrefix(link, "tel:") || strings.HasPrefix(link, "#") || link == "" {
		return true
	}
	if here, ok := strings.CutPrefix(link, "http://localhost:8080"); ok {
		return here == "" || strings.HasPrefix(here, "/")
	}
	return strings.HasPrefix(link, "/") && !strings.HasPrefix(link, "//") && !strings.HasPrefix(link, "/\\") || strings.HasPrefix(link, "?")
}

// walk goes over every page that a browser reaches, as a page and as the part
// of it that htmx asks for, and at most a few of one kind.
func (s *stage) walk(who string, b *browser, visit func(*reply)) {
	s.t.Helper()
	const most = 4
	count, asked := map[string]int{}, map[string]bool{}
	next := []string{"/", "/sign-in", "/forgot-password", "/reset/code", "/account", "/account/sessions", "/account/two-factor", "/admin", "/admin/members",
		"/admin/letters", "/admin/staff", "/admin/audit", "/admin/settings", "/admin/templates", "/demo/letters", "/nothing/" + url.PathEscape(hostile[0]),
		"/admin/members/new", "/admin/members?q=" + url.QueryEscape(hostile[0]), "/admin/letters?q=" + url.QueryEscape(hostile[1]), "/admin/audit?who=" + url.QueryEscape(hostile[2]),
		"/sign-in?next=" + url.QueryEscape("/"+hostile[1])}
	next = append(next, s.pages...)
	for len(next) > 0 {
		path := next[0]
		next = next[1:]
		r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.URL+path, http.NoBody)
		must0(s.t, err)
		_, pattern := s.portal.mux.Handler(r)
		if asked[path] || count[pattern] >= most || strings.HasPrefix(path, "/static/") {
			continue
		}
		asked[path] = true
		count[pattern]++
		a := b.get(path)
		s.check(who, a)
		if to := a.header.Get("Location"); to != "" {
			next = append(next, to)
			continue
		}
		s.check(who+", in part,", b.part(http.MethodGet, path))
		visit(a)
		for _, link := range a.doc.Find("a[href], iframe[src], [hx-get]").EachIter() {
			for _, name := range []string{"href", "src", "hx-get"} {
				to, _, _ := strings.Cut(link.AttrOr(name, ""), "#")
				if strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") {
					next = append(next, to)
				}
			}
		}
	}
}

// typeEverywhere fills in every form that somebody reaches: all of it with
// something hostile, and then each field alone, so that the others let it pass.
func (s *stage) typeEverywhere(who string, b *browser, password string) (forms int) {
	s.t.Helper()
	done := map[string]bool{}
	s.walk(who, b, func(a *reply) {
		for _, f := range typings(a) {
			r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.URL+f.action, http.NoBody)
			must0(s.t, err)
			_, pattern := s.portal.mux.Handler(r)
			kind := pattern + strings.Join(f.text, " ")
			if done[kind] || len(f.text) == 0 {
				continue
			}
			done[kind] = true
			forms++
			for i, words := range hostile {
				s.clock.Add(time.Minute)
				send := func(fields ...string) {
					body := f.with(words, password, fields...)
					s.check(who+", typing,", b.send(b.request(http.MethodPost, f.action, body)))
				}
				send(f.text...)
				if i < 3 {
					part := b.request(http.MethodPost, f.action, f.with(words, password, f.text...), "Hx-Request", "true", "Hx-Request-Type", "partial")
					s.check(who+", typing,", b.send(part))
				}
				// Each field meets the first, and all the others in turn.
				for n, field := range f.text {
					if i == 0 || i == 1+n%(len(hostile)-1) {
						send(field)
					}
				}
			}
		}
	})
	return forms
}

// Whatever somebody types, wherever, stands on every page and in every letter
// as the words it is: no element, no attribute, no header, no link comes of it.
func TestWordsStayWordsOnEveryPageAndInEveryLetter(t *testing.T) {
	s := newStage(t)
	ctx, owner := t.Context(), dbtest.Owner(t, s.db)
	s.rename(owner.MemberID, "Adler"+hostile[0])
	settings, err := s.db.Settings(ctx)
	must0(t, err)
	settings.Association = "Club " + hostile[0]
	must0(t, s.db.ChangeSettings(ctx, owner, settings))
	dbtest.SetBounceAddress(t, s.db)

	captured := dbtest.MemberWithAccount(t, s.db, "Lena Berg", "lena@example.org") // while there was no mail server
	s.rename(captured, "Berg"+hostile[0])
	dbtest.Deliver(t, s.db)
	must0(t, s.db.ChangeMail(ctx, owner, model.MailChange{BaseURL: settings.BaseURL, MailFrom: "post@riverside.example", Mail: dbtest.Mail, Current: model.NewSecret(dbtest.OwnerPassword)}))
	s.clock.Add(24 * time.Hour) // the mail server is no longer new

	browsers := map[string]*browser{"a stranger": s.browser(t)}
	for _, role := range model.Roles {
		browsers[string(role)] = s.as(role)
	}
	withApp(browsers["member"], dbtest.Password)
	_, err = s.raw.ExecContext(ctx, `INSERT INTO passkey (account_id, credential_id, host, credential, name, password_version, made_at) SELECT account_id, x'01', 'localhost', '{}', ?, 1, 1 FROM factor`, hostile[0])
	must0(t, err)
	nina := dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	s.rename(nina, "Holm"+hostile[0])
	dbtest.Member(t, s.db, "Olga Lind", "") // to be given an account
	s.couple(t)
	s.asked(t, "nina@exampel.org")
	disowned := dbtest.MemberWithAccount(t, s.db, "Nora Berg", "nora@example.org")
	_, err = s.db.NotMe(ctx, dbtest.NotMe(t, s.db, disowned).Reveal(), "")
	must0(t, err)
	s.clock.Add(time.Minute)
	must0(t, s.db.SendPasswordReset(ctx, owner, nina))
	s.refuse(t, "550 5.1.1 "+hostile[0])
	link, notMe := dbtest.Token(t, s.db, nina).Reveal(), dbtest.NotMe(t, s.db, nina).Reveal()
	mover := dbtest.Person(t, s.db, "Vera Holm", model.RoleMember)
	must0(t, s.db.AskEmail(ctx, mover, model.NewEmail{Email: "vera.new@example.org", Current: model.NewSecret(dbtest.Password)}))
	s.rename(mover.MemberID, "Holm"+hostile[0])
	email := dbtest.EmailToken(t, s.db, mover).Reveal()
	s.pages = []string{"/reset/" + link, "/not-me/" + notMe, "/email/" + email, "/reset?r=" + handle(link), "/not-me?r=" + handle(notMe), "/email?r=" + handle(email),
		record(nina) + "/password-resets/letter"}

	forms := 0
	for _, who := range []string{"a stranger", "member", "viewer", "staff", "owner"} {
		password := dbtest.Password
		if who == "owner" {
			password = dbtest.OwnerPassword
		}
		forms += s.typeEverywhere(who, browsers[who], password)
	}
	t.Logf("%d forms were filled in", forms)

	// What was typed is everywhere by now.
	must0(t, s.db.SendPasswordReset(ctx, owner, nina))
	for _, c := range dbtest.Deliver(t, s.db) {
		letter, err := views.ComposeLetter(c)
		must0(t, err)
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(letter.HTML))
		must0(t, err)
		for _, found := range alive(doc, true) {
			t.Errorf("letter %s to %s: %s", c.Kind, c.To, found)
		}
		if strings.ContainsAny(letter.Subject+c.To+c.ReplyTo+c.From, "\r\n\x00") {
			t.Errorf("letter %s to %q has a head of more than a line: %q", c.Kind, c.To, letter.Subject)
		}
	}
	for who, b := range browsers {
		s.walk(who, b, func(*reply) {})
	}
	for _, rt := range s.portal.table() {
		if name := rt.method + " " + rt.path; rt.method == http.MethodGet && !s.seen[name] && !noPage[name] {
			t.Errorf("nobody came to %s: make it reachable in this test, or say in noPage why not", name)
		}
	}
	if forms < 30 || len(s.held) < 30 {
		t.Errorf("%d forms were filled in, and hostile words stood on %d kinds of pages only: %v", forms, len(s.held), s.held)
	}
}

// noPage are the addresses that answer with no page of their own.
var noPage = map[string]bool{
	"GET /static/{hash}/{name}": true, "GET /healthz": true, "GET /brand.css": true, // files
	"GET /{$}": true, "GET /.well-known/change-password": true, "GET /reset/{token}": true, "GET /not-me/{token}": true, "GET /email/{token}": true, // lead on
	"GET /setup": true, // over once there is an owner: TestWordsStayWordsDuringTheSetup
}

// The pages before there is an owner are open to whoever has the address that
// the terminal printed, and show again what was typed.
func TestWordsStayWordsDuringTheSetup(t *testing.T) {
	s := &stage{site: newborn(t), t: t, seen: map[string]bool{}, held: map[string]bool{}}
	b := s.browser(t)
	page := b.follow(b.get("/setup?code=" + setupCode)).is(http.StatusOK)
	forms := typings(page)
	if len(forms) != 1 {
		t.Fatalf("%d forms", len(forms))
	}
	for _, words := range hostile {
		for _, field := range forms[0].text {
			s.check("the first owner", b.send(b.request(http.MethodPost, "/setup", forms[0].with(words, "", field))))
		}
		s.check("the first owner", b.send(b.request(http.MethodPost, "/setup", forms[0].with(words, "", forms[0].text...))))
	}
	if !s.held["GET /setup"] && !s.held["POST /setup"] {
		t.Errorf("nothing that was typed came back: %v", s.held)
	}
}
