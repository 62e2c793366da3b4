package views

import (
	"embed"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"latchkey/db/model"
)

//go:embed letters
var letterFiles embed.FS

// Composed is a letter as it is read. HTML and Text say the same.
type Composed struct {
	Subject, HTML, Text string
}

// OriginalTemplate is the text that a kind of letter has until an owner
// writes another one.
func OriginalTemplate(k model.LetterKind) (model.Template, error) { return originalTemplate(string(k)) }

func originalTemplate(k string) (model.Template, error) {
	text, html := letterFile(k+".txt"), letterFile(k+".html")
	head, body, ok := strings.Cut(text, "\n\n")
	subject, named := strings.CutPrefix(head, "Subject: ")
	if !ok || !named {
		return model.Template{}, fmt.Errorf("there is no letter of the kind %q", k)
	}
	return model.Template{Subject: subject, Text: body, HTML: html}, nil
}

// letterFile is a file of the folder letters, "" if there is none.
func letterFile(name string) string {
	b, err := letterFiles.ReadFile("letters/" + name)
	if err != nil {
		return ""
	}
	return string(b)
}

var letterFrame = sync.OnceValues(func() (text, html string) { return letterFile("shell.txt"), letterFile("shell.html") })

// ComposeLetter writes a letter. It depends on nothing but its contents, so
// the same letter reads the same at each attempt.
//
// What an owner wrote was checked when it was saved. Where it would not pass
// any more, because the program changed since, the original is sent: a member
// needs the link more than the words.
func ComposeLetter(c model.LetterContents) (Composed, error) {
	if c.Sample != "" {
		return composeSample(c)
	}
	if !c.Template.IsZero() && c.Template.Check(c.Kind) == nil {
		return composeLetter(c.Template, c)
	}
	t, err := OriginalTemplate(c.Kind)
	if err != nil {
		return Composed{}, err
	}
	return composeLetter(t, c)
}

// composeSample writes a letter that shows another kind, and says so where
// nobody can miss it.
func composeSample(c model.LetterContents) (Composed, error) {
	c.Kind, c.Sample = c.Sample, ""
	said, err := ComposeLetter(c)
	said.Subject = "Test: " + said.Subject
	return said, err
}

func composeLetter(t model.Template, c model.LetterContents) (Composed, error) {
	if c.Kind.CarriesLink() && len(c.Links) == 0 {
		return Composed{}, fmt.Errorf("a letter of the kind %q has no link", c.Kind)
	}
	v := letterValues(c)
	inside, err := withNotMe(t, c).Fill(v)
	if err != nil {
		return Composed{}, fmt.Errorf("letter of the kind %q: %w", c.Kind, err)
	}
	frameText, frameHTML := letterFrame()
	inside.Text = strings.TrimSpace(inside.Text)
	return Composed{
		Subject: inside.Subject,
		Text:    wrap(fillFrame(frameText, v, map[string]string{"body": inside.Text}, func(s string) string { return s })),
		HTML: fillFrame(frameHTML, v, map[string]string{
			"body":      styled(inside.HTML),
			"subject":   model.EscapeHTML(inside.Subject),
			"preheader": model.EscapeHTML(preheader(inside.Text, v.One["code"])),
		}, model.EscapeHTML),
	}, nil
}

// fillFrame puts values into the frame around a letter, which is ours and
// needs no checking, in one pass, so that nothing in a value is read again.
func fillFrame(frame string, v model.Values, ready map[string]string, escape func(string) string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(frame, "{{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}}")
		if value, ok := ready[name]; ok {
			b.WriteString(value)
		} else {
			b.WriteString(escape(model.OneLine(v.One[name])))
		}
		frame = after
	}
}

// letterValues is everything that a letter can say, by placeholder.
func letterValues(c model.LetterContents) model.Values {
	v := model.Values{One: map[string]string{
		"association":   orElse(c.Association, c.Portal),
		"portal":        c.Portal,
		"base_url":      c.BaseURL,
		"from":          senders(c),
		"support":       support(c),
		"support_email": orElse(c.SupportEmail, "the office"),
		"name":          orElse(c.Name, "there"),
		"email":         c.To,
		"requested_by":  requestedBy(c),
		"new_email":     c.NewEmail,
		"changed":       letterMoment(c.ChangedAt, c.TimeZone),
		"how":           how(c),
		"what":          c.What,
	}}
	for _, l := range c.Links {
		person := map[string]string{
			"name": orElse(l.Name, "You"), "link": l.URL.Reveal(), "not_me": l.NotMe.Reveal(),
			"expires": letterMoment(l.Expires, c.TimeZone), "lasts": lasts(l.Expires.Sub(c.CreatedAt)),
		}
		if !l.Code.IsZero() {
			person["code"], person["code_expires"] = l.Code.Reveal(), letterMoment(l.CodeExpires, c.TimeZone)
		}
		v.People = append(v.People, person)
	}
	if !c.NotMe.IsZero() {
		v.One["not_me"] = c.NotMe.Reveal()
	}
	if !c.Kind.ForSeveral() && len(c.Links) > 0 {
		for name, value := range v.People[0] {
			if name != "name" {
				v.One[name] = value
			}
		}
	}
	return v
}

// senders is every address that our letters come from, that of this one first:
// a letter that named its own alone would make the others look forged.
func senders(c model.LetterContents) string {
	all := []string{c.From}
	for _, s := range c.Senders {
		if s != c.From {
			all = append(all, s)
		}
	}
	return and(all)
}

// support says how to reach the office, as the end of a sentence that begins
// with "Please".
func support(c model.LetterContents) string {
	switch {
	case c.SupportPhone != "" && c.SupportEmail != "":
		return "ring the office on " + c.SupportPhone + " or write to " + c.SupportEmail
	case c.SupportPhone != "":
		return "ring the office on " + c.SupportPhone
	case c.SupportEmail != "":
		return "write to the office at " + c.SupportEmail
	}
	return "ask the office"
}

// requestedBy names who caused the letter, as the end of a sentence that ends
// with "by". When it was asked for on the page for everybody, it may have
// been anybody.
func requestedBy(c model.LetterContents) string {
	switch {
	case strings.HasSuffix(c.RequestedBy, "office"):
		return c.RequestedBy
	case c.RequestedBy != "":
		return c.RequestedBy + " at the office"
	case c.AskedKind == model.ByMember && c.Kind == model.LetterEmailChanged:
		return "you, or somebody who was signed in as you, through a letter to the new address"
	case c.AskedKind == model.ByMember:
		return "you, or somebody who typed your address"
	case c.AskedKind == model.ByShell:
		return "whoever runs this portal"
	}
	return "the office"
}

// how tells the story of a changed password: whether it was done on the account
// page or through a link, who asked for that, and who could have used it
// (product.md §2.5).
func how(c model.LetterContents) string {
	switch {
	case !c.ByLink && c.AskedKind == model.ByShell:
		return "It was changed by whoever runs this portal, on the computer that it runs on."
	case !c.ByLink:
		return "It was changed on the account page, by somebody who was signed in and knew the old password."
	}
	said := "It was changed through a link. The link was asked for by " + requestedBy(c) + ". "
	if c.AskedKind == model.BySystem {
		said = "It was changed through a link that this portal had sent by itself. "
	}
	if c.ReadOutBy != "" {
		said += c.ReadOutBy + " at the office read out a code for it on the telephone. "
	}
	if len(c.SeenBy) == 0 {
		return said + "Nobody at the office had the link on screen."
	}
	return said + "At the office, " + and(c.SeenBy) + " had the link on screen."
}

func and(all []string) string {
	if n := len(all); n > 1 {
		return strings.Join(all[:n-1], ", ") + " and " + all[n-1]
	}
	return all[0]
}

// letterMoment is a moment in words and by the clock. A letter is read
// anywhere and at any time, so the zone is named and nothing is "tomorrow".
func letterMoment(t time.Time, loc *time.Location) string {
	if t.IsZero() {
		return ""
	}
	if loc == nil {
		loc = time.UTC
	}
	local := t.In(loc)
	zone, _ := local.Zone()
	if i := strings.LastIndexByte(loc.String(), '/'); i >= 0 && !strings.HasPrefix(loc.String(), "Etc/") {
		zone = strings.ReplaceAll(loc.String()[i+1:], "_", " ") + " time"
	}
	return local.Format("Monday 2 January at 15:04") + ", " + zone
}

// lasts is a length of time in words. It is measured from when the letter was
// asked for, so it is exact for a new link and "about" for one sent again.
func lasts(d time.Duration) string {
	unit, name := time.Minute, "minute"
	switch {
	case d >= 48*time.Hour:
		unit, name = 24*time.Hour, "day"
	case d >= 2*time.Hour:
		unit, name = time.Hour, "hour"
	}
	words := count(max(int(d.Round(unit)/unit), 1), name)
	if d%unit != 0 {
		return "about " + words
	}
	return words
}

const textWidth = 72

// wrap breaks lines at spaces, as mail has been written since there is mail
// (RFC 3676 §4.2 advises 72 columns). A link is never broken.
func wrap(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		width := 0
		for word := range strings.FieldsSeq(line) {
			n := utf8.RuneCountInString(word)
			switch {
			case width == 0:
			case width+1+n > textWidth:
				b.WriteByte('\n')
				width = 0
			default:
				b.WriteByte(' ')
				width++
			}
			b.WriteString(word)
			width += n
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// preheader is what a mailbox shows beside the subject, also on a locked screen:
// the first thing the letter says after its greeting that opens nothing. code is
// the letter's, "" if it has none.
func preheader(text, code string) string {
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 && !strings.Contains(paragraph, "://") && (code == "" || !strings.Contains(paragraph, code)) {
			return strings.Join(strings.Fields(paragraph), " ")
		}
	}
	return ""
}

// Many mail programs take no style sheet, so each tag carries its style. The
// colours are those of app.css; a letter cannot fetch that. A long address in
// a text would make the table it stands in wider than a telephone:
// overflow-wrap has no say in how wide a table cell is, word-break has.
const (
	sans      = `system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif`
	linkStyle = `style="color:#73540a;text-decoration:underline;word-break:break-all"`
)

var letterStyles = strings.NewReplacer(
	"<h1>", `<h1 class="ink" style="word-break:break-word;margin:0 0 20px;font:normal 28px/1.25 Georgia,'Times New Roman',serif;color:#1c2733">`,
	"<p>", `<p class="ink" style="word-break:break-word;margin:0 0 18px;font:normal 17px/1.55 `+sans+`;color:#1c2733">`,
	"<ul>", `<ul class="ink" style="word-break:break-word;margin:0 0 18px;padding:0 0 0 24px;font:normal 17px/1.55 `+sans+`;color:#1c2733">`,
	"<ol>", `<ol class="ink" style="word-break:break-word;margin:0 0 18px;padding:0 0 0 24px;font:normal 17px/1.55 `+sans+`;color:#1c2733">`,
	"<small>", `<small class="soft" style="font-size:14px;line-height:1.55;color:#545d67">`,
	"<a href=", `<a class="link" `+linkStyle+` href=`,
	"<code>", `<code class="ink" style="font:bold 1.15em/1.3 Consolas,Menlo,'Courier New',monospace;letter-spacing:2px;white-space:nowrap;color:#1c2733">`,
)

var letterButton = regexp.MustCompile(`(?s)<a class="button" href="([^"]*)">(.*?)</a>`)

// styled dresses the tags of a filled template. A button is a table cell with
// a padded link in it. Outlook for Windows, which draws letters with Word, pads
// no link and knows no margin around a table: there the cell has the padding
// (mso-padding-alt) and an outer cell the room around it. A shape in VML could
// be pressed on its whole face, but has one fixed size, which cuts the words of
// whoever writes a longer text for it.
func styled(html string) string {
	const cell = `<table role="presentation" cellpadding="0" cellspacing="0" border="0"><tr><td style="padding:8px 0 22px">` +
		`<table role="presentation" cellpadding="0" cellspacing="0" border="0"><tr>` +
		`<td class="brass" bgcolor="#d6a840" style="background-color:#d6a840;border-bottom:2px solid #8d6814;border-radius:5px;mso-padding-alt:14px 28px">` +
		`<a class="button" href="$1" style="display:inline-block;padding:14px 28px;font:bold 17px/1.3 ` + sans + `;color:#1c2733;text-decoration:none;border-radius:5px">$2</a>` +
		`</td></tr></table></td></tr></table>`
	html = letterCode.ReplaceAllString(html, codeCell)
	return letterButton.ReplaceAllString(letterStyles.Replace(html), cell)
}

// letterCode is a paragraph with nothing in it but a code.
var letterCode = regexp.MustCompile(`<p>\s*<code>([^<]*)</code>\s*</p>`)

const (
	codeStyle = `font:bold 30px/1.3 Consolas,Menlo,'Courier New',monospace;letter-spacing:4px;white-space:nowrap;color:#1c2733`
	// Outlook pads and frames cells, never what stands in them.
	codeCell = `<table role="presentation" cellpadding="0" cellspacing="0" border="0"><tr><td style="padding:8px 0 22px">` +
		`<table role="presentation" cellpadding="0" cellspacing="0" border="0"><tr>` +
		`<td class="code ink" bgcolor="#f5f0e6" align="center" style="padding:16px 24px;background-color:#f5f0e6;border:1px solid #dcd2be;border-radius:5px;` + codeStyle + `">$1</td>` +
		`</tr></table></td></tr></table>`
)

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
