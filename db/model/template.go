package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Template is the text of one kind of letter, with placeholders such as
// {{name}} where something about the person goes.
//
// What stands between {{#people}} and {{/people}} is repeated for each person
// who shares the address, and {{name}}, {{link}} and {{expires}} in it are
// theirs. Nothing else is understood: no conditions, no functions. Owners
// edit these texts, and a text that cannot compute cannot be made to leak.
//
// HTML is the inside of a letter, in a few bare tags (see templateTags); the
// frame around it is the portal's.
type Template struct {
	Subject, Text, HTML string
}

// IsZero reports whether there is no text: the original stands then.
func (t Template) IsZero() bool { return t == Template{} }

// TemplateParts names the parts in the order of a form.
var TemplateParts = []string{"subject", "text", "html"}

// Part is one of the three texts, by its name.
func (t *Template) Part(name string) *string {
	switch name {
	case "subject":
		return &t.Subject
	case "text":
		return &t.Text
	}
	return &t.HTML
}

// TemplateVersion is a text that an owner saved.
type TemplateVersion struct {
	Template // zero: back to the original
	Kind     LetterKind
	Version  int    // from 1; 0: nobody saved one yet
	By       string // who saved it, "" if they have no account any more
	At       time.Time
}

// StaleTemplateError says that somebody else saved a template after the form
// was opened. Nothing was written.
type StaleTemplateError struct {
	Was    TemplateVersion // with which the form began
	Theirs TemplateVersion // as it is now
}

func (e *StaleTemplateError) Error() string { return "the template was changed meanwhile" }

// Merge is what a form should hold that began with was, after somebody else
// saved theirs: their part wherever this person left it alone. changed names
// the parts in which theirs differs from was.
func (t Template) Merge(was, theirs Template) (merged Template, changed []string) {
	for _, name := range TemplateParts {
		if *theirs.Part(name) == *was.Part(name) {
			continue
		}
		changed = append(changed, name)
		if *t.Part(name) == *was.Part(name) {
			*t.Part(name) = *theirs.Part(name)
		}
	}
	return t, changed
}

// SampleLink, SampleNotMe and SampleEmail are the ends of links in letters that are only
// looked at. They are no tokens, so they open nothing.
const (
	SampleLink  = "/reset/a-sample-link-that-opens-nothing"
	SampleNotMe = "/not-me/a-sample-link-that-opens-nothing"
	SampleEmail = "/email/a-sample-link-that-opens-nothing"
)

// SampleLetter is a letter of a kind as this person would get it now, but for
// its links and codes.
func SampleLetter(k LetterKind, s Settings, name, to string, now time.Time) LetterContents {
	c := LetterContents{
		Letter: Letter{Kind: k, To: to, AskedKind: ByPerson, CreatedAt: now},
		Name:   name, Association: s.Association, Portal: s.Portal(), BaseURL: s.BaseURL,
		SupportEmail: s.SupportEmail, SupportPhone: s.SupportPhone, TimeZone: s.Location(),
		From: s.SenderOf(k), Senders: s.Senders(), ReplyTo: s.AnswersTo(k),
		RequestedBy: name, ChangedAt: now, NewEmail: "n…@example.org",
	}
	if k == LetterFactorChanged {
		c.What = "an app for codes was set up."
	}
	if k == LetterEmailTaken {
		c.What = "eight people share this address already, and there is no room for more"
	}
	names := []string{name}
	switch {
	case k == LetterEmailConfirm:
		c.Links = []LetterLink{{Name: name, URL: NewSecret(s.BaseURL + SampleEmail), Expires: now.Add(EmailChangeLife)}}
		return c
	case k == LetterPasswordChanged:
		c.ByLink, c.NotMe = true, NewSecret(s.BaseURL+SampleNotMe)
		return c
	case k == LetterResetSeveral:
		names = append(names, "Nina Holm")
	case !k.CarriesLink():
		return c
	}
	for _, name := range names {
		c.Links = append(c.Links, LetterLink{
			Name: name, URL: NewSecret(s.BaseURL + SampleLink), NotMe: NewSecret(s.BaseURL + SampleNotMe), Expires: now.Add(s.Resets.Lifetime),
			Code: NewSecret(SampleCode), CodeExpires: now.Add(min(LetterCodeLife, s.Resets.Lifetime)),
		})
	}
	return c
}

// Values is what goes into the placeholders of a template.
type Values struct {
	One    map[string]string   // by placeholder, without the braces
	People []map[string]string // for {{#people}}
}

// TemplateError says what is wrong with a template, and where.
type TemplateError struct {
	Part     string // "subject", "text" or "html"
	Line     int    // from 1
	Column   int    // from 1, in characters
	Sentence string // for the person who edits the template
}

func (e *TemplateError) Error() string {
	return fmt.Sprintf("%s, line %d, column %d: %s", e.Part, e.Line, e.Column, e.Sentence)
}

const (
	linkPlaceholder = "link"
	codePlaceholder = "code"
	peopleBlock     = "people"
	buttonTag       = `<a class="button" href="{{link}}">`
	linkTag         = `<a href="{{link}}">`

	notMePlaceholder = "not_me"
	notMeTag         = `<a href="{{not_me}}">`
)

// isAddress reports whether a placeholder becomes a web address that its reader
// alone may have.
func isAddress(name string) bool { return name == linkPlaceholder || name == notMePlaceholder }

// templateTags is every tag that the HTML of a template may hold, written
// exactly like this, and the tag that closes it. Without attributes there is
// no place where a value could turn into a style, a script or an address;
// {{link}} as a whole href is the one exception. No tag fetches anything.
var templateTags = map[string]string{
	"<p>": "</p>", "<h1>": "</h1>", "<strong>": "</strong>", "<em>": "</em>", "<small>": "</small>",
	"<ul>": "</ul>", "<ol>": "</ol>", "<li>": "</li>", "<br>": "",
	linkTag: "</a>", buttonTag: "</a>", notMeTag: "</a>",
}

// TemplateTags lists the tags that the HTML of a template may hold.
func TemplateTags() string { return strings.Join(slices.Sorted(maps.Keys(templateTags)), " ") }

// anyLetter is what every kind of letter can say.
var anyLetter = []string{"association", "portal", "base_url", "from", "support", "support_email"}

// letterPlaceholders is what each kind can say besides. A letter to an
// unknown address has no {{email}}: it repeats nothing that was typed.
var letterPlaceholders = map[LetterKind][]string{
	LetterWelcome:         {"name", "email", "requested_by", linkPlaceholder, notMePlaceholder, "expires", "lasts", codePlaceholder, "code_expires"},
	LetterReset:           {"name", "email", "requested_by", linkPlaceholder, notMePlaceholder, "expires", "lasts", codePlaceholder, "code_expires"},
	LetterResetSeveral:    {"email", "requested_by"},
	LetterNoAccount:       {},
	LetterRingUs:          {"name", "email"},
	LetterPasswordChanged: {"name", "email", "changed", "how"},
	LetterEmailChanged:    {"name", "email", "changed", "new_email", "requested_by"},
	LetterEmailAsked:      {"name", "email", "changed", "new_email"},
	LetterEmailConfirm:    {"name", "email", linkPlaceholder, "expires", "lasts"},
	LetterEmailTaken:      {"name", "email", "what"},
	LetterCodeReadOut:     {"name", "email", "changed", "requested_by"},
	LetterFactorChanged:   {"name", "email", "changed", "what"},
	LetterSettingsChanged: {"name", "email", "changed", "what", "requested_by"},
	LetterTrouble:         {"email"},
	LetterWrongCodes:      {"name", "email", linkPlaceholder, notMePlaceholder, "expires", "lasts"},
	LetterSecured:         {"name", "email", linkPlaceholder, notMePlaceholder, "expires", "lasts"},
	LetterSecuredNotice:   {"name", "email", "changed"},
	LetterTest:            {"name", "email"},
}

// eachPerson is what {{#people}} repeats.
var eachPerson = []string{"name", linkPlaceholder, notMePlaceholder, "expires", "lasts"}

// Placeholders lists what a kind of letter can say, and what it can repeat
// for each person, if anything.
func (k LetterKind) Placeholders() (one, people []string) {
	one = slices.Concat(anyLetter, letterPlaceholders[k])
	slices.Sort(one)
	if k.ForSeveral() {
		people = eachPerson
	}
	return one, people
}

// Check says whether a template will do for a kind of letter: every
// placeholder is known there, every tag allowed and closed, each part says
// something, and a letter that is about a link has it, or its code, in both
// parts, for whoever reads only one of them. An error is a *TemplateError, the
// first of Mistakes.
func (t Template) Check(k LetterKind) error {
	if all := t.Mistakes(k); len(all) > 0 {
		return all[0]
	}
	return nil
}

// Mistakes is the first mistake of each part that has one.
func (t Template) Mistakes(k LetterKind) (all []*TemplateError) {
	for _, part := range t.parts() {
		if bad := part.check(k); bad != nil {
			all = append(all, bad)
		}
	}
	return all
}

func (p templatePart) check(k LetterKind) *TemplateError {
	if n, most := utf8.RuneCountInString(p.text), templateLimits[p.name]; n > most {
		return p.wrong(len(p.text), tooLong(n, most))
	}
	pieces, bad := p.parse()
	if bad != nil {
		return bad
	}
	if strings.TrimSpace(p.text) == "" {
		return p.wrong(0, "Nothing is written here. Some people see only this part of a letter.")
	}
	one, people := k.Placeholders()
	linked, inside := false, false
	for _, piece := range pieces {
		known := one
		if inside {
			known = slices.Concat(people, one)
		}
		switch piece.kind {
		case blockOpen, blockClose:
			inside = piece.kind == blockOpen
			if people == nil {
				return p.wrong(piece.at, "This letter is for one person, so nothing is repeated in it.")
			}
			if p.name == "subject" {
				return p.wrong(piece.at, "A subject cannot repeat anything.")
			}
		case placeholder:
			if !slices.Contains(known, piece.text) {
				return p.wrong(piece.at, p.unknown(piece.text, known, people))
			}
			linked = linked || piece.text == codePlaceholder
			if !isAddress(piece.text) {
				continue
			}
			linked = linked || piece.text == linkPlaceholder
			if _, after, _ := strings.Cut(p.text[piece.at:], "}}"); runsOn(after) {
				return p.wrong(piece.at, "Leave a space or a new line after {{"+piece.text+"}}: mail programs would take what follows for a part of it.")
			}
		}
	}
	if k.CarriesLink() && !linked && p.name != "subject" {
		if slices.Contains(one, codePlaceholder) {
			return p.wrong(len(p.text), "The link is missing: write {{link}} where it should stand, or {{code}} for a code to type.")
		}
		return p.wrong(len(p.text), "The link is missing: write {{link}} where it should stand.")
	}
	return nil
}

// HasCode reports whether letters of the template carry a code. One that is
// misspelt is refused when it is saved.
func (t Template) HasCode() bool {
	for _, part := range t.parts() {
		pieces, _ := part.parse()
		if slices.ContainsFunc(pieces, func(p piece) bool { return p.kind == placeholder && p.text == codePlaceholder }) {
			return true
		}
	}
	return false
}

// templateLimits are the most characters of each part. A subject of more is
// cut in every mailbox; texts of more are no letters any more.
var templateLimits = map[string]int{"subject": 150, "text": 5000, "html": 8000}

// Clean is the template as it is kept: with one kind of line break, without
// tabs, and without white space at its end. What was typed keeps its lines and
// columns by it.
func (t Template) Clean() Template {
	clean := func(s string) string {
		return strings.TrimRight(strings.ReplaceAll(lineBreaks.Replace(strings.ToValidUTF8(s, "\ufffd")), "\t", " "), " \n")
	}
	return Template{Subject: clean(t.Subject), Text: clean(t.Text), HTML: clean(t.HTML)}
}

// Uses reports whether a part of the template has a placeholder.
func (t Template) Uses(part, name string) bool {
	p := templatePart{part, *t.Part(part)}
	pieces, _ := p.parse()
	return slices.ContainsFunc(pieces, func(one piece) bool { return one.kind == placeholder && one.text == name })
}

// Fill puts values into a template. A value arrives as one line without
// control or bidirectional characters, and in HTML as text, whatever is in
// it. A placeholder without a value is an error, as is anything else that
// Check would refuse whatever the kind.
func (t Template) Fill(v Values) (Template, error) {
	var out [3]string
	for i, part := range t.parts() {
		pieces, bad := part.parse()
		if bad != nil {
			return Template{}, bad
		}
		var b strings.Builder
		if bad := part.fill(&b, pieces, v); bad != nil {
			return Template{}, bad
		}
		out[i] = b.String()
	}
	return Template{Subject: out[0], Text: out[1], HTML: out[2]}, nil
}

// templatePart is one of the three texts of a template.
type templatePart struct {
	name string
	text string
}

func (t Template) parts() [3]templatePart {
	return [3]templatePart{{"subject", t.Subject}, {"text", t.Text}, {"html", t.HTML}}
}

func (p templatePart) html() bool { return p.name == "html" }

type pieceKind int

const (
	literal pieceKind = iota
	placeholder
	blockOpen
	blockClose
)

// piece is a stretch of a template: words as they are, or a placeholder.
type piece struct {
	kind pieceKind
	text string // of a literal; the name of a placeholder
	at   int    // byte offset
}

// parse takes a part into pieces. It is the one place that knows the syntax.
func (p templatePart) parse() ([]piece, *TemplateError) {
	if i := strings.IndexFunc(p.text, func(r rune) bool { return r == utf8.RuneError || (unicode.IsControl(r) && r != '\n') }); i >= 0 {
		return nil, p.wrong(i, "There is an invisible control character here. Please type this line again.")
	}
	if i := strings.IndexByte(p.text, '\n'); i >= 0 && p.name == "subject" {
		return nil, p.wrong(i, "A subject is one line.")
	}
	var (
		pieces []piece
		open   []piece // tags and the block that are not closed yet
		rest   = 0
	)
	say := func(until int) {
		if until > rest {
			pieces = append(pieces, piece{literal, p.text[rest:until], rest})
		}
	}
	for i := 0; i < len(p.text); {
		switch {
		case strings.HasPrefix(p.text[i:], "{{"):
			say(i)
			one, end, bad := p.placeholder(i)
			if bad != nil {
				return nil, bad
			}
			switch one.kind {
			case blockOpen:
				if slices.ContainsFunc(open, func(o piece) bool { return o.kind == blockOpen }) {
					return nil, p.wrong(i, "{{#people}} cannot stand inside another one.")
				}
				open = append(open, piece{blockOpen, "{{#people}}", i})
			case blockClose:
				if len(open) == 0 || open[len(open)-1].kind != blockOpen {
					return nil, p.wrong(i, "{{/people}} closes nothing here.")
				}
				open = open[:len(open)-1]
			case literal, placeholder:
				if p.name == "subject" && isAddress(one.text) {
					// Subjects are shown on lock screens and kept in the logs
					// of every server on the way.
					return nil, p.wrong(i, "The link cannot stand in the subject.")
				}
				if p.name == "subject" && one.text == codePlaceholder {
					return nil, p.wrong(i, "The code cannot stand in the subject.")
				}
			}
			if one.kind != placeholder && strings.HasPrefix(p.text[end:], "\n") {
				end++ // a line of its own leaves no empty line behind
			}
			pieces = append(pieces, one)
			i, rest = end, end
		case p.html() && p.text[i] == '<':
			tag, bad := p.tag(i)
			if bad != nil {
				return nil, bad
			}
			if open, bad = p.nest(open, tag, i); bad != nil {
				return nil, bad
			}
			for _, name := range []string{linkPlaceholder, notMePlaceholder} {
				if before, after, ok := strings.Cut(tag, "{{"+name+"}}"); ok {
					say(i)
					pieces = append(pieces,
						piece{literal, before, i}, piece{placeholder, name, i + len(before)}, piece{literal, after, i + len(tag) - len(after)})
					rest = i + len(tag)
				}
			}
			i += len(tag)
		default:
			i++
		}
	}
	if len(open) > 0 {
		last := open[len(open)-1]
		return nil, p.wrong(last.at, last.text+" is never closed.")
	}
	say(len(p.text))
	return pieces, nil
}

// placeholder reads {{name}}, {{#people}} or {{/people}} at i and says where
// it ends.
func (p templatePart) placeholder(i int) (piece, int, *TemplateError) {
	inner, _, ok := strings.Cut(p.text[i+2:], "}}")
	if !ok || strings.ContainsAny(inner, "{\n") {
		return piece{}, 0, p.wrong(i, "A placeholder begins here and does not end: write }} after its name.")
	}
	end := i + 2 + len(inner) + 2
	one := piece{placeholder, strings.TrimSpace(inner), i}
	switch {
	case one.text == "#"+peopleBlock:
		one.kind = blockOpen
	case one.text == "/"+peopleBlock:
		one.kind = blockClose
	case one.text == "" || strings.Trim(one.text, "abcdefghijklmnopqrstuvwxyz_") != "":
		return piece{}, 0, p.wrong(i, "There is no placeholder {{"+one.text+"}}.")
	}
	return one, end, nil
}

// tag reads the tag at i.
func (p templatePart) tag(i int) (string, *TemplateError) {
	inner, _, ok := strings.Cut(p.text[i:], ">")
	if !ok {
		return "", p.wrong(i, "A tag begins here and does not end. For the sign itself write &lt;.")
	}
	tag := inner + ">"
	if _, ok := templateTags[tag]; ok {
		return tag, nil
	}
	for _, closing := range templateTags {
		if tag == closing {
			return tag, nil
		}
	}
	if strings.Contains(tag, "{{") {
		return "", p.wrong(i, "A placeholder cannot stand inside a tag. Only the link can, as a whole address: "+linkTag)
	}
	return "", p.wrong(i, "This tag cannot stand in a letter. Allowed are "+TemplateTags()+", just like this.")
}

func (p templatePart) nest(open []piece, tag string, at int) ([]piece, *TemplateError) {
	closing, opens := templateTags[tag]
	switch {
	case opens && closing == "":
		return open, nil
	case closing == "</a>" && slices.ContainsFunc(open, func(o piece) bool { return strings.HasPrefix(o.text, "<a ") }):
		return nil, p.wrong(at, "A link cannot stand inside another one.")
	case opens:
		return append(open, piece{literal, tag, at}), nil
	case len(open) == 0 || templateTags[open[len(open)-1].text] != tag:
		return nil, p.wrong(at, tag+" closes nothing here.")
	}
	return open[:len(open)-1], nil
}

// fill writes pieces with their values. A block is written once for each
// person, and inside it the person's values come first.
func (p templatePart) fill(b *strings.Builder, pieces []piece, v Values) *TemplateError {
	dotted := false // the last thing written is a value that ends with a full stop, like "Harbour Club e. V."
	for i := 0; i < len(pieces); i++ {
		one := pieces[i]
		ended := dotted
		dotted = false
		switch one.kind {
		case literal:
			if ended && strings.HasPrefix(one.text, ".") && !strings.HasPrefix(one.text, "..") {
				one.text = one.text[1:]
			}
			b.WriteString(one.text)
		case placeholder:
			value, ok := v.One[one.text]
			if !ok {
				return p.wrong(one.at, p.unknown(one.text, slices.Sorted(maps.Keys(v.One)), nil))
			}
			value = OneLine(value)
			if isAddress(one.text) && !strings.HasPrefix(value, "https://") && !strings.HasPrefix(value, "http://") {
				return p.wrong(one.at, "The link is no web address.")
			}
			if p.html() {
				value = EscapeHTML(value)
			}
			if (isAddress(one.text) || one.text == codePlaceholder) && p.glues(b.String()) {
				b.WriteByte(' ')
			}
			if one.text == codePlaceholder && p.html() {
				value = "<code>" + value + "</code>" // no template can hold this tag: whoever dresses the letter knows it by that
			}
			b.WriteString(value)
			dotted = one.text != linkPlaceholder && strings.HasSuffix(value, ".")
		case blockOpen:
			length := slices.IndexFunc(pieces[i:], func(q piece) bool { return q.kind == blockClose })
			for _, person := range v.People {
				theirs := maps.Clone(v.One)
				if theirs == nil {
					theirs = map[string]string{}
				}
				maps.Copy(theirs, person)
				if bad := p.fill(b, pieces[i+1:i+length], Values{One: theirs}); bad != nil {
					return bad
				}
			}
			i += length
		case blockClose: // passed over above
		}
	}
	return nil
}

// glues reports whether a link or a code that is written after this would be
// read as one with it. Mail programs make a link of whatever looks like an
// address: a text such as "https://elsewhere.example/?{{link}}" would carry the
// link to another site with one press.
func (p templatePart) glues(before string) bool {
	if before == "" || strings.HasSuffix(before, " ") || strings.HasSuffix(before, "\n") {
		return false
	}
	if !p.html() {
		return true
	}
	at := strings.LastIndexByte(before, '<')
	tag := before[at+1:]
	switch {
	case at < 0:
		return true
	case tag+"{{link}}\">" == linkTag[1:], tag+"{{link}}\">" == buttonTag[1:], tag+"{{not_me}}\">" == notMeTag[1:]:
		return false // the link is the address of this tag
	case strings.Count(tag, ">") != 1 || !strings.HasSuffix(tag, ">"):
		return true // words stand between
	}
	switch strings.Trim(tag, "/>") { // tags that only dress words end no address
	case "strong", "em", "small", "a":
		return true
	}
	return false
}

// runsOn reports whether what follows a link would be read as a part of it.
func runsOn(after string) bool {
	return after != "" && !strings.ContainsAny(after[:1], " \n<\".,;:!?)")
}

func (p templatePart) unknown(name string, known, people []string) string {
	if slices.Contains(people, name) {
		return "{{" + name + "}} is different for each person here: it stands between {{#people}} and {{/people}}."
	}
	return "There is no placeholder {{" + name + "}} in this letter. Known are {{" + strings.Join(known, "}} {{") + "}}."
}

func (p templatePart) wrong(at int, sentence string) *TemplateError {
	before := p.text[:at]
	line := strings.LastIndexByte(before, '\n') + 1
	return &TemplateError{
		Part: p.name, Line: strings.Count(before, "\n") + 1, Column: utf8.RuneCountInString(before[line:]) + 1, Sentence: sentence,
	}
}

// OneLine makes a text safe for a mail header or a line of a letter: breaks
// and control characters become spaces, and the characters that turn the
// direction of writing go, because with them "gro.elpmaxe" can be made to
// read as another address (Unicode Technical Report 36, §2.5).
func OneLine(s string) string {
	if oneLine(s) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), r == '\u2028', r == '\u2029': // line and paragraph separator
			return ' '
		case r == '\u061c', r == '\u200e', r == '\u200f', r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " ")
}

// oneLine reports whether there is nothing to do, as is so with most values.
func oneLine(s string) bool {
	space := true // none at the beginning
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == ' ' && space {
			return false
		}
		space = s[i] == ' '
	}
	return !space || s == ""
}

var htmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

// EscapeHTML makes a text stand for itself in HTML, between tags and in a
// quoted attribute.
func EscapeHTML(s string) string { return htmlEscapes.Replace(s) }
