package views

import (
	"strings"
	"testing"

	"latchkey/db/model"
)

// The database takes it for granted, or letters would promise a code that
// nobody made.
func TestNoOriginalThatCountsByItselfHasACode(t *testing.T) {
	for _, k := range letterKinds {
		original, err := OriginalTemplate(k)
		if err != nil {
			t.Fatal(err)
		}
		if original.HasCode() {
			t.Errorf("%s has", k)
		}
	}
}

func TestACodeStandsLargeInACellOfItsOwn(t *testing.T) {
	for _, name := range []string{"code", "both"} {
		original, err := OriginalNamed(model.LetterReset, name)
		if err != nil {
			t.Fatal(err)
		}
		c := letterTo(t, model.LetterReset)
		c.Template = original.Clean()
		got, doc := compose(t, c)
		cell := doc.Find("td.code")
		if cell.Text() != oneCode || !strings.Contains(cell.AttrOr("style", ""), "monospace") || cell.ParentsFiltered("p").Length() != 0 {
			t.Errorf("%s: no cell of its own in\n%s", name, got.HTML)
		}
		if !strings.Contains(got.Text, "\n\n"+oneCode+"\n\n") || !strings.Contains(spaced(got.Text), "until Sunday 22 November at 10:42, Berlin time") {
			t.Errorf("%s: no line of its own, or no end in\n%s", name, got.Text)
		}
		if !strings.Contains(spaced(got.Text), "https://members.example.org/reset/code") {
			t.Errorf("%s does not say where to type it", name)
		}
		if name == "code" && strings.Contains(got.Text+got.HTML, oneLink) {
			t.Error("the letter with a code alone has the link too")
		}
	}
}

func TestACodeWithinWordsStaysThere(t *testing.T) {
	c := letterTo(t, model.LetterReset)
	c.Template = model.Template{Subject: "s", Text: "Hello\n\nIt is {{code}} for you.\n\nSee you.", HTML: "<p>It is {{code}} for you.</p>"}
	got, doc := compose(t, c)
	if doc.Find("p code").Text() != oneCode || doc.Find("td.code").Length() != 0 {
		t.Errorf("%s", got.HTML)
	}
	if strings.Count(doc.Text(), oneCode) != 1 {
		t.Error("the code shows beside the subject, on a locked screen")
	}
}

func TestABlankLetterHoldsNoCode(t *testing.T) {
	c := letterTo(t, model.LetterReset)
	c.Template = model.Template{Subject: "s", Text: "{{code}}", HTML: "<p>{{code}}</p>"}
	said, err := ComposeBlank(c)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(said.Text+said.HTML, oneCode) || !strings.Contains(said.Text, blank) || c.Links[0].Code.Reveal() != oneCode {
		t.Errorf("%s", said.Text)
	}
	c.Links[0].Code = model.Secret{}
	if _, err := ComposeLetter(c); err == nil {
		t.Error("a letter leaves without the code it promises")
	}
}
