package views

import (
	"fmt"
	"iter"
	"slices"
	"strconv"

	"latchkey/db/model"
)

// LetterWeight is the most bytes of HTML that a letter may have. Mailboxes cut
// longer ones, some on telephones from here on.
const LetterWeight = 30_000

// letterTitles is what each kind is called where its text is edited, and when
// it goes out.
var letterTitles = map[model.LetterKind]struct{ name, when string }{
	model.LetterReset:           {"Password reset", "When staff press Send Password Reset, or a member asks for a new password."},
	model.LetterWelcome:         {"Welcome", "When an account is made: the link to a first password."},
	model.LetterResetSeveral:    {"Password reset for several", "When a password is asked for and several people share the address: a link for each."},
	model.LetterNoAccount:       {"No account here", "When a password is asked for with an address that no account has."},
	model.LetterRingUs:          {"Please ring us", "When somebody asks for a password and their account is disabled."},
	model.LetterPasswordChanged: {"Password changed", "When a password was changed, in case it was somebody else."},
	model.LetterCodeReadOut:     {"Code read out", "When somebody at the office read out a code, in case nobody had rung."},
	model.LetterEmailChanged:    {"Email changed", "To the former address, when the account has another one."},
	model.LetterEmailAsked:      {"New email: notice", "To the present address, when its holder wants another one, in case it was somebody else."},
	model.LetterEmailConfirm:    {"New email: confirm", "To the new address: the link that makes it count."},
	model.LetterEmailTaken:      {"New email: taken", "To the new address, where it is not to be had: why."},
	model.LetterTrouble:         {"Trouble signing in", "After several wrong tries to sign in, at most once a day: a link, in case it was they."},
	model.LetterWrongCodes:      {"Second step tried", "After several wrong codes behind the right password, at most once a day: somebody may know it, and here is a link to another one."},
	model.LetterSecured:         {"It wasn’t me: new password", "When somebody says it wasn’t them and the link was used already: the password is switched off, and here is a link."},
	model.LetterSecuredNotice:   {"It wasn’t me: former address", "The same news to addresses that the account had in the last 30 days, without a link."},
	model.LetterFactorChanged:   {"Second step changed", "When signing in takes something else than before: an app, a passkey, new recovery codes."},
	model.LetterTest:            {"Test letter", "To see whether letters arrive."},
}

// Original is a text to begin with.
type Original struct {
	Name  string // in an address; "" is the one that counts until an owner saves another
	Title string
	About string
}

// Originals lists what there is to choose from for a kind. The password reset
// has several, because what people trust differs from house to house.
func Originals(k model.LetterKind) []Original {
	if k != model.LetterReset {
		return []Original{{Title: "Original", About: "The portal’s own text."}}
	}
	return []Original{
		{"", "Button", "A button, who asked, and how long it works."},
		{"code", "Secret code", "A code to type, and where to type it. No link."},
		{"both", "Code and button", "A button, and a code for whoever reads the letter on another device."},
		{"plain", "Plain link", "The link as it is, without a button."},
		{"formal", "Named and formal", "Dear …: somebody asked for this address; nothing has changed yet."},
		{"expiry", "With an expiry line", "How long there is, and what to do after that."},
		{"reply", "With a reply-to-us line", "Whom to ask when stuck or in doubt."},
		{"friendly", "Friendly", "Forgotten passwords happen to all of us."},
	}
}

// OriginalNamed is one of the Originals of a kind.
func OriginalNamed(k model.LetterKind, name string) (model.Template, error) {
	if !slices.ContainsFunc(Originals(k), func(o Original) bool { return o.Name == name }) {
		return model.Template{}, fmt.Errorf("the kind %q has no original %q", k, name)
	}
	if name == "" {
		return OriginalTemplate(k)
	}
	return originalTemplate(string(k) + "/" + name)
}

// TemplateProps is the page on which a template is edited.
type TemplateProps struct {
	Kind    model.LetterKind
	Form    Form // subject, text, html; version, with which it began; as, how the preview is shown
	Now     model.TemplateVersion
	Former  []model.TemplateVersion // newest first
	Unsaved bool                    // the form came back from a press: what is in it is nowhere else
	Stale   *StaleTemplate
	Preview Preview
	Says    map[string]string // what each placeholder becomes
	To      string            // where a test goes, "" if nowhere
}

// StaleTemplate is what another owner saved while the form was open.
type StaleTemplate struct {
	By      string
	Theirs  model.Template
	Changed []string // names of parts
}

// Preview is a letter as it would leave. The zero value stands while there are
// mistakes.
type Preview struct {
	Subject, Text string
	Frame         string // address of the HTML
}

// SampleSays is what the placeholders of a letter become.
func SampleSays(c model.LetterContents) map[string]string {
	v := letterValues(c)
	one, people := c.Kind.Placeholders()
	says := map[string]string{}
	for _, name := range one {
		says[name] = v.One[name]
	}
	for _, name := range people {
		says[name] = v.People[0][name]
	}
	return says
}

func templateURL(k model.LetterKind) string { return "/admin/templates/" + string(k) }

var templateLabels = labels{{"subject", "Subject"}, {"text", "Plain text"}, {"html", "HTML"}}

// TemplateMistakes is what is wrong, by the field it stands in. A browser
// shows neither lines nor columns, so a subject's place is counted in
// characters.
func TemplateMistakes(all []*model.TemplateError) model.Fields {
	f := model.Fields{}
	for _, e := range all {
		at := "Line " + strconv.Itoa(e.Line) + ", column " + strconv.Itoa(e.Column)
		if e.Part == "subject" {
			at = "Character " + strconv.Itoa(e.Column)
		}
		f.Add(e.Part, at+": "+e.Sentence)
	}
	return f
}

func placeholders(k model.LetterKind) (all []string) {
	one, people := k.Placeholders()
	all = slices.Concat(one, people)
	slices.Sort(all)
	return slices.Compact(all)
}

func repeats(k model.LetterKind) bool {
	_, people := k.Placeholders()
	return people != nil
}

func braced(name string) string { return "{{" + name + "}}" }

// previewShapes are the ways to look at a letter.
var previewShapes = []struct{ value, name string }{{"desktop", "Desktop"}, {"phone", "Phone"}, {"text", "Plain text"}}

func (d *TemplateProps) shape() string {
	if s := d.Form.Values["as"]; s == "phone" || s == "text" {
		return s
	}
	return "desktop"
}

func savedBy(p Page, v model.TemplateVersion) string {
	by := v.By
	if by == "" {
		by = "somebody"
	}
	return by + ", " + p.Ago(v.At)
}

// templateField is what a part's field says about itself.
func templateField(f Form, name string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		_ = yield("aria-describedby", name+"-said") &&
			(f.Errors[name] == "" || yield("aria-invalid", "true")) &&
			yield("required", "")
	}
}
