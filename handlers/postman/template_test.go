package postman

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"latchkey/db/dbtest"
	"latchkey/db/model"
	"latchkey/handlers/postman/postmantest"
)

// Whatever an owner saves and whatever somebody is called, a letter has the
// headers that every letter has, each once, and goes to whom it is for.
func FuzzTemplates(f *testing.F) {
	f.Add("For {{name}}", "{{name}}\n{{link}}", "<p>{{link}}</p>", "Anna\r\nBcc: all@example.org")
	f.Add("x\r\nBcc: all@example.org", "\r\n.\r\nQUIT {{link}}", "<p>{{link}}</p>", "=?utf-8?q?=0d=0aBcc:_x?=")
	f.Add("=?utf-8?q?=0d=0aBcc:_x?=", "From x\n{{link}}", "<p>.\n.\n{{link}}</p>", "\u2028\x00")
	f.Add(strings.Repeat("ü{{name}}", 12), "--\n{{link}}", "{{link}}", strings.Repeat("ö", 90))
	f.Fuzz(func(t *testing.T, subject, text, html, name string) {
		c := model.SampleLetter(model.LetterReset, model.Settings{Association: name, BaseURL: "https://members.example.org", TimeZone: "UTC", MailFrom: "no-reply@example.org"}, name, annas, dbtest.Start)
		c.MessageID = "4711@members.example.org"
		c.Template = model.Template{Subject: subject, Text: text, HTML: html}.Clean()
		out, err := write(c, dbtest.Start, nil)
		if err != nil {
			t.Fatal(err)
		}
		if out.to != annas || out.from != "no-reply@example.org" {
			t.Errorf("from %s to %s", out.from, out.to)
		}
		l, err := postmantest.ReadLetter(out.raw)
		if err != nil {
			t.Fatalf("%v:\n%s", err, out.raw)
		}
		want := []string{"Auto-Submitted", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To", "X-Auto-Response-Suppress"}
		if got := slices.Sorted(maps.Keys(l.Header)); !slices.Equal(got, want) {
			t.Errorf("headers %q", got)
		}
		for name, values := range l.Header {
			if len(values) != 1 {
				t.Errorf("%s: %q", name, values)
			}
		}
		if !strings.Contains(l.Text, model.SampleLink) || !strings.Contains(l.HTML, model.SampleLink) {
			t.Errorf("the link is lost:\n%s\n%s", l.Text, l.HTML)
		}
	})
}
