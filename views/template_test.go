package views

import (
	"context"
	"strings"
	"testing"
	"time"

	"latchkey/db/model"
)

func TestEveryKindOfLetterIsNamed(t *testing.T) {
	for _, k := range model.LetterKinds {
		if said := letterTitles[k]; said.name == "" || said.when == "" || letterNames[k] == "" {
			t.Errorf("%s has no name, or nothing says when it goes out", k)
		}
	}
}

func TestEveryOriginalWillDo(t *testing.T) {
	for _, k := range model.LetterKinds {
		for _, o := range Originals(k) {
			original, err := OriginalNamed(k, o.Name)
			if err != nil {
				t.Fatal(err)
			}
			if err := original.Clean().Check(k); err != nil {
				t.Errorf("%s %s: %v", k, o.Name, err)
			}
			c := letterTo(t, k)
			c.Template = original.Clean()
			got, doc := compose(t, c)
			if n := len(got.HTML); n > LetterWeight {
				t.Errorf("%s %s: %d bytes", k, o.Name, n)
			}
			if k != model.LetterReset {
				continue
			}
			for _, body := range []string{spaced(doc.Find("body").Text()), spaced(got.Text)} {
				if !strings.Contains(body, oneLink) && !strings.Contains(body, oneCode) || !strings.Contains(body, "If you did not ask for this, you need not do anything: ") || !strings.Contains(body, "Anna Weber,") {
					t.Errorf("%s: %s", o.Name, body)
				}
			}
			// Without the greeting and the link, three lines or four.
			lines := 0
			for _, line := range strings.Split(original.Text, "\n") {
				if line != "" && line != "{{link}}" && line != "{{code}}" && !strings.HasSuffix(line, "{{name}},") {
					lines++
				}
			}
			if lines < 3 || lines > 4 {
				t.Errorf("%s has %d lines", o.Name, lines)
			}
		}
		if _, err := OriginalNamed(k, "../"+string(k)); err == nil {
			t.Errorf("%s has an original of any name", k)
		}
	}
}

func TestALetterIsWrittenWithWhatAnOwnerSaved(t *testing.T) {
	c := letterTo(t, model.LetterReset)
	c.Name = `Eve <a href="https://evil.example">`
	c.Template = model.Template{Subject: "For {{name}}", Text: "{{name}}\n{{link}}", HTML: "<p>{{name}}</p>{{link}}"}
	got, doc := compose(t, c)
	if got.Subject != "For "+c.Name || !strings.HasPrefix(got.Text, c.Name+"\n"+oneLink+"\n") || doc.Find("p").First().Text() != c.Name || doc.Find("[href]").Length() != 1 {
		t.Errorf("%s\n%s\n%s", got.Subject, got.Text, got.HTML)
	}
	// The program changed since, and this placeholder is gone.
	c.Template.HTML += "{{gone}}"
	original := letterTo(t, model.LetterReset)
	original.Name = c.Name
	want, _ := compose(t, original)
	if got, _ := compose(t, c); got != want {
		t.Errorf("not the original, but %s", got.Text)
	}
}

func TestATestLetterShowsAnotherKindAndSaysSo(t *testing.T) {
	for _, k := range model.LetterKinds {
		s := model.DefaultSettings()
		s.BaseURL = "https://members.example.org"
		c := model.SampleLetter(k, s, "Ruth Adler", "ruth@example.org", time.Date(2026, 11, 21, 9, 42, 0, 0, time.UTC))
		plain, _ := compose(t, c)
		c.Kind, c.Sample = model.LetterTest, k
		got, _ := compose(t, c)
		if got.Subject != "Test: "+plain.Subject || got.Text != plain.Text {
			t.Errorf("%s: %s\n%s", k, got.Subject, got.Text)
		}
	}
}

func TestEveryPlaceholderSaysWhatItBecomes(t *testing.T) {
	for _, k := range model.LetterKinds {
		s := model.DefaultSettings()
		says := SampleSays(model.SampleLetter(k, s, "Ruth Adler", "ruth@example.org", time.Unix(1_800_000_000, 0)))
		for _, name := range placeholders(k) {
			if says[name] == "" {
				t.Errorf("%s: {{%s}} becomes nothing", k, name)
			}
		}
	}
}

func TestATextBeginsWithItsOwnLineBreaks(t *testing.T) {
	var b strings.Builder
	if err := templateText(Form{Values: map[string]string{"text": "\n\nHello"}}, "text", "3").Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), ">\n\n\nHello</textarea>") {
		t.Errorf("lines are lost: %s", b.String())
	}
}

// The texts of letters stand among the settings, and lead back there.
func TestTheTextsOfLettersBelongToTheSettings(t *testing.T) {
	doc := draw(t, TemplatesPage(pageFor(anna, "/admin/templates/reset"), nil))
	has(t, doc, `nav a[href="/admin/settings"][aria-current=page]`, 1)
	has(t, doc, `nav a[aria-current=page]`, 1)
	has(t, doc, `a.back[href="/admin/settings"]`, 1)
}
