package views

import (
	"regexp"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"latchkey/db/model"
)

// Mail programs are not browsers: what a page may leave out, a letter may not.
func TestEveryOriginalHoldsInMailPrograms(t *testing.T) {
	for _, k := range letterKinds {
		for _, o := range Originals(k) {
			t.Run(string(k)+" "+o.Name, func(t *testing.T) {
				original, err := OriginalNamed(k, o.Name)
				if err != nil {
					t.Fatal(err)
				}
				got, err := composeLetter(original, letterTo(t, k))
				if err != nil {
					t.Fatal(err)
				}
				holds(t, got)
			})
		}
	}
}

func holds(t *testing.T, got Composed) {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(got.HTML))
	if err != nil {
		t.Fatal(err)
	}
	if doc.Find("html").AttrOr("lang", "") == "" || doc.Find(`[role="article"]`).AttrOr("lang", "") == "" {
		t.Error("it does not say its language, or not where a mail program leaves it")
	}
	if doc.Find("title").Text() != got.Subject || doc.Find(`[role="article"]`).AttrOr("aria-label", "") != got.Subject {
		t.Errorf("the title is %q, the subject %q", doc.Find("title").Text(), got.Subject)
	}
	if first := spaced(doc.Find("body > div").First().Text()); len(strings.Trim(first, "\u034f ")) < 20 || strings.Contains(first, "://") || strings.HasPrefix(first, "Hello") {
		t.Errorf("the mailbox shows %q beside the subject", first)
	}
	for _, table := range doc.Find("table").EachIter() {
		if table.AttrOr("role", "") != "presentation" || table.AttrOr("cellpadding", "") != "0" || strings.Contains(table.AttrOr("style", ""), "margin") {
			t.Errorf("a table is read as one, or spaced by Outlook as it likes: %s", table.AttrOr("style", ""))
		}
	}
	for _, n := range doc.Find("p, h1, ul, ol, small, a").EachIter() {
		if n.AttrOr("style", "") == "" {
			t.Errorf("<%s> has no style of its own", goquery.NodeName(n))
		}
	}
	for _, n := range doc.Find("p, h1, ul, ol, .foot").EachIter() {
		if !strings.Contains(n.AttrOr("style", ""), "word-break:break-word") {
			t.Errorf("a long address in <%s> is wider than a telephone", goquery.NodeName(n))
		}
	}
	for _, a := range doc.Find("a.button").EachIter() {
		if cell := a.Parent(); !cell.Is("td[bgcolor]") || !strings.Contains(cell.AttrOr("style", ""), "mso-padding-alt") {
			t.Error("a button has no cell that Outlook draws it with")
		}
	}
	for _, dark := range []string{"@media (prefers-color-scheme: dark)", "[data-ogsc]", "[data-ogsb]", `content="light dark"`} {
		if !strings.Contains(got.HTML, dark) {
			t.Errorf("%s is missing", dark)
		}
	}
	// A style that only a dark mode has must find what it is for.
	for _, class := range regexp.MustCompile(`\.([a-z]+) \{`).FindAllStringSubmatch(got.HTML, -1) {
		if c := class[1]; c != "button" && c != "link" && c != "code" && doc.Find("."+c).Length() == 0 {
			t.Errorf("nothing has the class %s", c)
		}
	}
	if n := strings.Count(got.HTML, "<!--[if"); n != strings.Count(got.HTML, "<![endif]") {
		t.Errorf("%d conditions for Outlook, and not as many ends", n)
	}
	if len(got.HTML) > 30_000 {
		t.Errorf("%d bytes of HTML", len(got.HTML))
	}
	for line := range strings.Lines(got.Text) {
		if strings.TrimRight(line, " \n") != strings.TrimSuffix(line, "\n") || strings.ContainsAny(line, "<>\t\r") {
			t.Errorf("the plain text has the line %q", line)
		}
	}
	if strings.Contains(got.Text, "button") {
		t.Errorf("the plain text speaks of a button:\n%s", got.Text)
	}
}

func TestALetterNamesEveryAddressThatLettersComeFrom(t *testing.T) {
	c := letterTo(t, model.LetterPasswordChanged)
	c.From, c.Senders = "notices@example.net", []string{"no-reply@example.org", "notices@example.net"}
	got, doc := compose(t, c)
	for _, said := range []string{spaced(got.Text), spaced(doc.Text())} {
		if !strings.Contains(said, "Our letters come from notices@example.net and no-reply@example.org.") {
			t.Errorf("it says:\n%s", said)
		}
	}
}
