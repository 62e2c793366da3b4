package handlers

import (
	stdhtml "html"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"latchkey/db/dbtest"
	"latchkey/db/model"
	"latchkey/views"
)

// Templates are data of strangers: an owner may be careless, hurried or no
// longer an owner tomorrow, and letters go to everybody. For each thing that
// template languages, browsers and mail programs are known to obey: it is
// refused, or it goes out as the words it is.
func TestNoTemplateReadsAnythingButItsPlaceholdersOrRunsAnything(t *testing.T) {
	const all, html, none = "subject text html", "html", ""
	s := newSite(t)
	b := s.owner(t)
	// Nor does a name.
	hostile := dbtest.MemberWithAccount(t, s.db, "<script>{{link}}</script> {{support}}\u202e${7*7}\u2028<a href=//evil.example>", "nina@example.org")
	dbtest.Deliver(t, s.db)
	owner, version := dbtest.Owner(t, s.db), 0
	for _, tt := range []struct{ typed, refused string }{
		// The languages of other template engines.
		{"{{.}}", all},
		{"{{.Keys}}", all},
		{"{{ . | printf \"%v\" }}", all},
		{"{{printf \"%s\" .}}", all},
		{"{{template \"letters/reset.txt\"}}", all},
		{"{{define \"x\"}}{{end}}", all},
		{"{{range .Links}}{{end}}", all},
		{"{{if 1}}x{{end}}", all},
		{"{{/* x */}}", all},
		{"{{`x`}}", all},
		{"{{7*7}}", all},
		{"{{constructor.constructor('return process.env')()}}", all},
		{"{{ config.items() }}", all},
		{"{{{name}}}", all},
		{"{{&name}}", all},
		{"{{>partial}}", all},
		{"{{!x}}", all},
		{"{{=<% %>=}}", all},
		{"{{#name}}x{{/name}}", all},
		{"{{^people}}x{{/people}}", all},
		{"{{{{name}}}}", all},
		{"{{na{{name}}me}}", all},
		{"{{name", all},
		{"{{na\nme}}", all},
		{"{{NAME}}", all},
		{"{{name }}{{ name}}", none}, // spaces are no other placeholder
		{"}}name{{", all},
		{"{name}", none},
		{"${7*7}", none},
		{"#{7*7}", none},
		{"%s %d %n", none},
		{"$name $1", none},
		{"<%= 7*7 %>", html},
		{"<?php echo 7*7 ?>", html},
		{"<!--#include file=\"secret.key\"-->", html},
		// What other letters, other people and the portal itself know.
		{"{{password}}", all},
		{"{{token}}", all},
		{"{{changed}}", all},
		{"{{new_email}}", all},
		{"{{secret}}", all},
		{"{{new_email}}", all}, // of the notice of a changed address
		{"{{what}}", all},      // of the notice of changed settings
		{"{{people}}", all},
		{"{{../../secret.key}}", all},
		{"{{#people}}{{name}}{{/people}}", all}, // this letter is for one
		{"{{/people}}", all},
		// What runs, or fetches, or leads elsewhere.
		{"<script>alert(1)</script>", html},
		{"<SCRIPT SRC=//evil.example></SCRIPT>", html},
		{"<img src=https://evil.example/pixel>", html},
		{"<img src=x onerror=alert(1)>", html},
		{"<svg/onload=alert(1)>", html},
		{"<math><mtext></mtext></math>", html},
		{"<style>@import url(//evil.example)</style>", html},
		{"@import url(//evil.example);", none},
		{"<link rel=stylesheet href=//evil.example>", html},
		{"<meta http-equiv=refresh content=\"0;url=//evil.example\">", html},
		{"<base href=//evil.example>", html},
		{"<iframe srcdoc=x></iframe>", html},
		{"<object data=x></object>", html},
		{"<form action=//evil.example><input></form>", html},
		{"<a href=\"javascript:alert(1)\">x</a>", html},
		{"<a href=\"//evil.example\">x</a>", html},
		{"<a href='{{link}}'>x</a>", html},
		{"<a href={{link}}>x</a>", html},
		{"<a href=\"//evil.example/?{{link}}\">x</a>", html},
		{"<a href=\"{{link}}\" ping=\"//evil.example\">x</a>", html},
		{"<a href=\"{{link}}\" onclick=\"x\">x</a>", html},
		{"<a class=\"{{link}}\" href=\"{{link}}\">x</a>", html},
		{"<a href=\"{{name}}\">x</a>", html},
		{"<p style=\"background:url({{link}})\">x</p>", html},
		{"<p {{name}}>x</p>", html},
		{"<{{name}}>", html},
		{"<!-- {{name}} -->", html},
		{"<!--[if mso]><p>x</p><![endif]-->", html},
		{"<![CDATA[x]]>", html},
		{"<p>x<p", html},
		{"</td></tr></table>", html},
		{"&lt;script&gt;alert(1)&lt;/script&gt;", none},
		{"&#60;script&#62;alert(1)&#60;/script&#62;", none},
		{"&#x6a;avascript:alert(1)", none},
		{"javascript:alert(1)", none},
		// What mail obeys.
		{"x\nBcc: all@example.org", "subject"},
		{"x\x0bBcc: all@example.org", all},
		{"x\x00y", all},
		{"\n.\nQUIT\n", "subject"},
		{"=?utf-8?q?=0d=0aBcc:_x?=", none},
		{"--boundary", none},
		{"\u202egro.elpmaxe", none},
	} {
		for _, part := range model.TemplateParts {
			if part != "html" && strings.Contains(tt.typed, "{{link}}") {
				continue // in the plain text it is a link among words, and a subject has none
			}
			typed := model.Template{Subject: goodSubject, Text: goodText, HTML: goodHTML}
			*typed.Part(part) += "\n" + tt.typed
			if part == "subject" {
				typed.Subject = "About " + tt.typed
			}
			form := []string{"subject", typed.Subject, "text", typed.Text, "html", typed.HTML, "version", strconv.Itoa(version)}
			preview := b.post(resetTemplatePath+"/preview", form...).is(http.StatusOK)
			saved := b.post(resetTemplatePath, form...)
			if strings.Contains(tt.refused, part) {
				if saved.status != http.StatusUnprocessableEntity || preview.doc.Find("iframe").Length() != 0 {
					t.Errorf("%q as %s is answered with %d", tt.typed, part, saved.status)
				}
				continue
			}
			if saved.status != http.StatusSeeOther {
				t.Errorf("%q as %s is refused: %s", tt.typed, part, preview.text("#"+part+"-said"))
				continue
			}
			version++
			frame := b.frame(preview)
			if got := frame.header.Get("Content-Security-Policy"); got != previewPolicy {
				t.Errorf("the preview's policy: %s", got)
			}
			s.clock.Add(time.Minute)
			if err := s.db.SendPasswordReset(t.Context(), owner, hostile); err != nil {
				t.Fatal(err)
			}
			sent := dbtest.Deliver(t, s.db)
			if len(sent) != 1 || sent[0].Version != version {
				t.Fatalf("sent: %s", dbtest.Kinds(sent))
			}
			letter, err := views.ComposeLetter(sent[0])
			if err != nil {
				t.Fatal(err)
			}
			harmless(t, sent[0], letter)
			link := sent[0].Links[0].URL.Reveal()
			if n := strings.Count(letter.Text, link) + strings.Count(letter.Subject, link); n != 1 {
				t.Errorf("%q as %s: the text has %d links", tt.typed, part, n)
			}
			// It goes out as the words it is: nothing was worked out, taken away or added.
			doc, err := goquery.NewDocumentFromReader(strings.NewReader(letter.HTML))
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]string{"subject": letter.Subject, "text": letter.Text, "html": doc.Find("body").Text()}[part]
			name := model.OneLine(sent[0].Name)
			words := strings.NewReplacer("{{name}}", name, "{{name }}", name, "{{ name}}", name).Replace(tt.typed)
			if part == "html" {
				words = stdhtml.UnescapeString(words)
			}
			if !strings.Contains(oneSpace(seen), oneSpace(words)) {
				t.Errorf("%q as %s reads %q", tt.typed, part, seen)
			}
		}
	}
	if all, err := s.db.Templates(t.Context(), owner); err != nil || all[model.LetterReset].Version != version || len(all) != 1 {
		t.Errorf("saved: %v, %v; want version %d", all, err, version)
	}
}

func oneSpace(s string) string { return strings.Join(strings.Fields(s), " ") }
