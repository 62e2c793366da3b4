package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
	"latchkey/views"
)

const resetTemplatePath = "/admin/templates/reset"

// Three texts that will do for a password reset.
const (
	goodSubject = "A new password"
	goodText    = "Hello {{name}},\n\n{{link}}"
	goodHTML    = "<p>Hello {{name}},</p>\n<p>{{link}}</p>"
)

// frame is the letter in the preview's frame.
func (b *browser) frame(a *reply) *reply {
	b.t.Helper()
	return b.get(a.one("#preview iframe").AttrOr("src", "")).is(http.StatusOK)
}

func TestEveryLetterHasItsTextEdited(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	list := b.get("/admin/templates").is(http.StatusOK)
	for _, k := range model.LetterKinds {
		path := "/admin/templates/" + string(k)
		row := list.one(`a[href="` + path + `"]`).Closest("tr")
		if row.Find("td").First().Text() == "" || row.Find("td").Eq(1).Text() == "" || !strings.Contains(row.Text(), "The original") {
			t.Errorf("%s: %q", k, row.Text())
		}
		a := b.get(path).is(http.StatusOK)
		original, err := views.OriginalTemplate(k)
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSpace(a.one("#text").Text()) != strings.TrimSpace(original.Text) || a.value("#subject") != original.Subject {
			t.Errorf("%s begins with %q", k, a.one("#text").Text())
		}
		b.frame(a).one(".sheet")
	}
	b.get("/admin/templates/nothing").is(http.StatusNotFound)
	b.get("/admin/templates/reset%2Fplain").is(http.StatusNotFound)
	b.get(resetTemplatePath + "?original=../welcome").is(http.StatusNotFound)
}

func TestSavingATemplateChangesTheNextLetter(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	id := dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	dbtest.Deliver(t, s.db)
	a := b.submit(b.get(resetTemplatePath), "#draft", "", "subject", "Nina, {{association}}", "text", "Moin {{name}}\r\n{{link}}", "html", goodHTML)
	a.leads(resetTemplatePath)
	a = b.follow(a).says("Saved. Letters that are asked for from now on read like this.")
	if got := a.one("#text").Text(); got != "Moin {{name}}\n{{link}}" {
		t.Errorf("it comes back as %q", got)
	}
	b.get("/admin/templates").says("Yours Ruth Adler")
	if err := s.db.SendPasswordReset(t.Context(), dbtest.Owner(t, s.db), id); err != nil {
		t.Fatal(err)
	}
	sent := dbtest.Deliver(t, s.db)
	letter, err := views.ComposeLetter(sent[0])
	if err != nil || letter.Subject != "Nina, Riverside Rowing Club" || !strings.HasPrefix(letter.Text, "Moin Nina Holm\n"+sent[0].Links[0].URL.Reveal()+"\n") {
		t.Errorf("%v: %s\n%s", err, letter.Subject, letter.Text)
	}

	// An earlier text fills the form and changes nothing.
	b.submit(b.get(resetTemplatePath), "#draft", "", "subject", "The second").leads(resetTemplatePath)
	if got := b.get(resetTemplatePath + "?version=1").value("#subject"); got != "Nina, {{association}}" {
		t.Errorf("version 1 is %q", got)
	}
	if got := b.get(resetTemplatePath).value("#subject"); got != "The second" {
		t.Errorf("looking at version 1 brought it back: %q", got)
	}
	a = b.submit(b.get(resetTemplatePath), `form[action$="/original"]`, "")
	b.follow(a).says("The original is back.")
	b.get("/admin/templates").saysNothingOf("Yours")
	b.get(resetTemplatePath).says("Version 2")
}

func TestTheOriginalsOfThePasswordReset(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	all := views.Originals(model.LetterReset)
	if len(all) != 8 {
		t.Errorf("%d originals", len(all))
	}
	for _, o := range all {
		a := b.get(resetTemplatePath + "?original=" + o.Name).is(http.StatusOK).says(o.Title)
		text := a.one("#text").Text() + a.one("#html").Text()
		if strings.Count(text, "If you did not ask for this, you need not do anything: ") != 2 {
			t.Errorf("%s has nothing for people who did not ask", o.Title)
		}
		saved := b.submit(a, "#draft", "", "subject", "As "+o.Title)
		saved.leads(resetTemplatePath)
	}
	// The first as it is goes back to the original, which follows the program.
	b.submit(b.get(resetTemplatePath+"?original="), "#draft", "").leads(resetTemplatePath)
	b.get("/admin/templates").saysNothingOf("Yours")
}

func TestAMistakeIsSaidWithItsPlaceAndNothingTypedIsLost(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	for _, tt := range []struct{ part, typed, says string }{
		{"subject", "For {{nmae}}", "Character 5: There is no placeholder {{nmae}}"},
		{"subject", "For {{link}}", "Character 5: The link cannot stand in the subject."},
		{"subject", "{{code}} for you", "Character 1: The code cannot stand in the subject."},
		{"text", "Hello\n {{codes}} {{link}}", "Line 2, column 2: There is no placeholder {{codes}}"},
		{"text", "Hello\nyou", "Line 2, column 4: The link is missing"},
		{"html", "<p>{{link}}</p>\n<img src=x>", "Line 2, column 1: This tag cannot stand in a letter."},
		{"html", `<a href="https://evil.example/{{link}}">x</a>`, "Line 1, column 1: A placeholder cannot stand inside a tag."},
		{"html", "<script>alert(1)</script>{{link}}", "Line 1, column 1: This tag cannot stand"},
		{"html", `<p style="background:url(//evil.example)">{{link}}</p>`, "Line 1, column 1: This tag cannot stand"},
		{"html", strings.Repeat("<h1></h1>", 600) + "{{link}}", "Mailboxes cut letters of more than 30 KB"},
	} {
		for _, way := range []string{"", "/preview", "/test"} {
			fields := map[string]string{"subject": goodSubject, "text": goodText, "html": goodHTML, "version": "0"}
			fields[tt.part] = tt.typed
			var sent []string
			for name, value := range fields {
				sent = append(sent, name, value)
			}
			a := b.post(resetTemplatePath+way, sent...)
			if want := map[string]int{"/preview": http.StatusOK}[way]; a.status != want && (want != 0 || a.status != http.StatusUnprocessableEntity) {
				t.Errorf("%q%s: %d", tt.typed, way, a.status)
			}
			if got := a.text("#" + tt.part + "-said"); !strings.Contains(got, tt.says) {
				t.Errorf("%q%s: %q", tt.typed, way, got)
			}
			kept := a.one("#" + tt.part)
			if got := strings.TrimPrefix(kept.Text()+kept.AttrOr("value", ""), "\n"); got != tt.typed {
				t.Errorf("%q%s came back as %q", tt.typed, way, got)
			}
			if kept.AttrOr("aria-describedby", "") != tt.part+"-said" || kept.AttrOr("aria-invalid", "") != "true" {
				t.Errorf("%q%s: the field does not lead to what is wrong", tt.typed, way)
			}
		}
	}
	if all, err := s.db.Templates(t.Context(), dbtest.Owner(t, s.db)); err != nil || len(all) != 0 {
		t.Errorf("something was saved: %v, %v", all, err)
	}
	if sent := dbtest.Deliver(t, s.db); len(sent) != 0 {
		t.Errorf("something was sent: %s", dbtest.Kinds(sent))
	}
}

func TestThePreviewIsADocumentOfItsOwn(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	page := b.post(resetTemplatePath+"/preview", "subject", "For {{name}}", "text", goodText, "html", "<p>Wednesday, {{name}}</p>{{link}}", "version", "0").is(http.StatusOK)
	page.says("For Ruth Adler")
	if got := page.header.Get("Content-Security-Policy"); got != policy+"; frame-src 'self'" {
		t.Errorf("the page's policy: %s", got)
	}
	for _, other := range []string{"/admin/templates", "/admin/settings"} {
		if got := b.get(other).header.Get("Content-Security-Policy"); got != policy {
			t.Errorf("%s: %s", other, got)
		}
	}
	if _, sandboxed := page.one("iframe").Attr("sandbox"); !sandboxed {
		t.Error("the frame is not sandboxed")
	}
	a := b.frame(page).says("Wednesday, Ruth Adler")
	csp := a.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "; sandbox;", "frame-ancestors 'self'", "form-action 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("the preview's policy lacks %s: %s", want, csp)
		}
	}
	if strings.Contains(csp, "script-src") || strings.Contains(csp, "allow-") || a.header.Get("X-Frame-Options") != "SAMEORIGIN" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the preview's headers: %v", a.header)
	}
	for _, link := range a.doc.Find("[href]").EachIter() {
		if link.AttrOr("href", "") != "#" {
			t.Errorf("a press leads to %s", link.AttrOr("href", ""))
		}
	}

	// Nobody else sees it, not even another owner, and an address shows nothing.
	src := page.one("iframe").AttrOr("src", "")
	other, _ := s.signedIn(t, "Tom Oke", model.RoleOwner)
	for _, path := range []string{src, resetTemplatePath + "/preview", resetTemplatePath + "/preview?draft=&html=<p>x</p>"} {
		other.get(path).is(http.StatusOK).saysNothingOf("Wednesday")
	}
	for range len(s.portal.drafts.last) {
		b.get(resetTemplatePath)
	}
	b.get(src).is(http.StatusOK).says("This preview is over.")
}

func TestHtmxGetsTheLetterOrWhatIsWrong(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	good := b.part("POST", resetTemplatePath+"/preview", "subject", goodSubject, "text", goodText, "html", goodHTML).is(http.StatusOK)
	good.one("iframe[src]")
	if good.doc.Find("header, #draft").Length() > 0 || good.doc.Find("[hx-swap-oob]").Length() != 3 || good.text("[hx-swap-oob]") != "" {
		t.Errorf("not the part alone:\n%s", good.body)
	}
	bad := b.part("POST", resetTemplatePath+"/preview", "subject", goodSubject, "text", goodText, "html", "<p>").is(http.StatusOK)
	if bad.doc.Find("iframe, #preview").Length() > 0 || bad.doc.Find("body > *").Length() != 3 || !strings.Contains(bad.text("#html-said"), "Line 1, column 1") {
		t.Errorf("the last letter is swapped away:\n%s", bad.body)
	}
}

func TestTwoOwnersAtOneLetter(t *testing.T) {
	s := newSite(t)
	ruth := s.owner(t)
	tom, _ := s.signedIn(t, "Tom Oke", model.RoleOwner)
	hers, his := ruth.get(resetTemplatePath), tom.get(resetTemplatePath)
	ruth.submit(hers, "#draft", "", "subject", "Hers", "text", "Hers {{link}}").leads(resetTemplatePath)
	a := tom.submit(his, "#draft", "", "text", "His {{link}}", "html", "<p>His {{link}}</p>").is(http.StatusUnprocessableEntity)
	a.says("Ruth Adler saved this letter while you were typing.").says("They have:Hers {{link}}").says("your form has what they wrote.")
	if got := a.value("#subject") + a.one("#text").Text() + a.one("#html").Text(); got != "HersHis {{link}}<p>His {{link}}</p>" {
		t.Errorf("the form has %q", got)
	}
	if got := a.text("#preview strong"); got != "Hers" {
		t.Errorf("the preview has %q", got)
	}
	tom.submit(a, "#draft", "").leads(resetTemplatePath)
	if got := ruth.get(resetTemplatePath); got.value("#subject") != "Hers" || !strings.Contains(got.one("#text").Text(), "His") {
		t.Error("not what Tom saw")
	}
	// So is whoever brings the original back.
	a = ruth.post(resetTemplatePath+"/original", "version", "1").is(http.StatusUnprocessableEntity).says("Tom Oke saved this letter")
	ruth.post(resetTemplatePath+"/original", "version", a.value(`#draft [name=version]`)).leads(resetTemplatePath)
}

func TestATestLetterGoesToWhoAsks(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	a := b.get(resetTemplatePath).says("A test goes to " + dbtest.OwnerEmail)
	a = b.send(b.request("POST", a.one(`button[formaction$="/test"]`).AttrOr("formaction", ""),
		url.Values{"subject": {"Draft {{name}}"}, "text": {goodText}, "html": {goodHTML}, "version": {"0"}, "to": {"x@example.org"}}.Encode()))
	a.is(http.StatusOK).says("A test is on its way to " + dbtest.OwnerEmail + ". Nothing is saved yet.")
	if a.value("#subject") != "Draft {{name}}" {
		t.Error("what was typed is lost")
	}
	sent := dbtest.Deliver(t, s.db)
	if dbtest.Kinds(sent) != "test to "+dbtest.OwnerEmail {
		t.Fatalf("sent: %s", dbtest.Kinds(sent))
	}
	letter, err := views.ComposeLetter(sent[0])
	if err != nil || letter.Subject != "Test: Draft Ruth Adler" || !strings.Contains(letter.Text, model.SampleLink) {
		t.Errorf("%v: %s\n%s", err, letter.Subject, letter.Text)
	}
	b.get("/admin/templates").saysNothingOf("Yours")

	d, clock := dbtest.OpenIn(t, t.TempDir(), db.Fixed{})
	none := serveSite(t, d, clock).owner(t)
	if none.get(resetTemplatePath).says("Once letters can leave").doc.Find(`[formaction$="/test"]`).Length() != 0 {
		t.Error("without a mail server a test is offered")
	}
	none.post(resetTemplatePath+"/test", "subject", goodSubject, "text", goodText, "html", goodHTML).is(http.StatusConflict)
}

// Whatever three texts an owner types: the portal stands, what is saved is
// what was checked, and the letter made of it holds the allowed tags, our own
// addresses and nothing that runs.
func FuzzTemplates(f *testing.F) {
	z := newFuzzed(f)
	owner := dbtest.Owner(f, z.db)
	dbtest.Deliver(f, z.db)
	for i := range model.LetterKinds {
		f.Add(uint8(i), goodSubject, goodText, goodHTML)
		f.Add(uint8(i), "{{name}}\r\nBcc: x", "{{#people}}{{name}} {{link}} {{/people}}", `{{#people}}<a class="button" href="{{link}}">{{name}}</a>{{/people}}`)
		f.Add(uint8(i), "{{.Keys}}", "${7*7} <%= 1 %> {{printf}} {{link}}", `<a href="{{link}}" onclick="x">{{link}}</a><style>`)
		f.Add(uint8(i), "\x00", "\xff{{link}}\u202e", `<p>&lt;script&gt;{{link}}</p><svg/onload=x>`)
	}
	f.Fuzz(func(t *testing.T, n uint8, subject, text, html string) {
		k := model.LetterKinds[int(n)%len(model.LetterKinds)]
		before, _, err := z.db.Template(t.Context(), owner, k)
		if err != nil {
			t.Fatal(err)
		}
		form := url.Values{"subject": {subject}, "text": {text}, "html": {html}}
		form.Set("version", strconv.Itoa(before.Version))
		for _, way := range []string{"/preview", "/test", ""} {
			r := httptest.NewRequest("POST", "/admin/templates/"+string(k)+way, strings.NewReader(form.Encode()))
			r.Header.Set("Cookie", z.cookie)
			z.send(t, r)
		}
		after, _, err := z.db.Template(t.Context(), owner, k)
		if err != nil {
			t.Fatal(err)
		}
		// What was saved goes out to somebody with whatever name.
		if k == model.LetterReset && after.Version > before.Version && !after.IsZero() {
			z.clock.Add(time.Minute) // sooner it would be the same press
			z.enter(t)               // who types for days is signed out
			m, _, err := z.db.Member(t.Context(), owner, z.members[0])
			if err != nil {
				t.Fatal(err)
			}
			if m.LastName = subject; z.db.ChangeMember(t.Context(), owner, m) != nil {
				m.LastName = "Holm" // no name of anybody
			}
			if err := z.db.SendPasswordReset(t.Context(), owner, z.members[0]); err != nil {
				t.Fatal(err)
			}
			sent := dbtest.Deliver(t, z.db)
			if len(sent) == 0 || sent[len(sent)-1].Version != after.Version || sent[len(sent)-1].Template != after.Template {
				t.Fatalf("version %d was saved, and sent: %s", after.Version, dbtest.Kinds(sent))
			}
			for _, one := range sent {
				letter, err := views.ComposeLetter(one)
				if err != nil {
					t.Fatal(err)
				}
				harmless(t, one, letter)
			}
		}
		for _, sent := range append(dbtest.Deliver(t, z.db), model.SampleLetter(k, model.DefaultSettings(), "Eve <b>", "eve@example.org", z.clock.Now())) {
			if sent.Kind != model.LetterTest {
				sent.Template = model.Template{Subject: subject, Text: text, HTML: html}.Clean()
			}
			letter, err := views.ComposeLetter(sent)
			if err != nil {
				t.Fatal(err)
			}
			harmless(t, sent, letter)
		}
	})
}

// harmless wants nothing in a letter but what every letter may hold.
func harmless(t *testing.T, c model.LetterContents, letter views.Composed) {
	t.Helper()
	if strings.ContainsAny(letter.Subject, "\r\n\x00") || strings.Contains(letter.Text, "\r") {
		t.Errorf("subject %q", letter.Subject)
	}
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(letter.HTML))
	if err != nil {
		t.Fatal(err)
	}
	if found := doc.Find("script, style ~ style, img, svg, math, iframe, object, embed, form, input, link, base, video, audio, template, noscript, [src], [srcset], [onload], [onclick], [background]"); found.Length() > 0 {
		t.Errorf("it holds %s", goquery.NodeName(found))
	}
	for _, link := range doc.Find("[href]").EachIter() {
		to := link.AttrOr("href", "")
		if to != c.NotMe.Reveal() && !slices.ContainsFunc(c.Links, func(l model.LetterLink) bool { return l.URL.Reveal() == to || l.NotMe.Reveal() == to }) {
			t.Errorf("it leads to %s", to)
		}
	}
	for _, node := range doc.Find("body *").EachIter() {
		for _, a := range node.Nodes[0].Attr {
			if strings.HasPrefix(a.Key, "on") {
				t.Errorf("it runs %s", a.Key)
			}
		}
	}
}
