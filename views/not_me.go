package views

import (
	"strings"

	"latchkey/db/model"
)

// What the frame adds where a letter's own text has no {{not_me}}: whoever did
// not ask must find the way to say so in every letter with a link, whatever an
// owner wrote (product.md §4.9).
var (
	notMeOfLink = model.Template{
		Text: "It wasn’t you? You can tell us here, and the link in this letter stops working at once:\n\n{{not_me}}",
		HTML: `<p><small>It wasn’t you? <a href="{{not_me}}">Tell us here</a>, and the link in this letter stops working at once.</small></p>`,
	}
	notMeOfOne = model.Template{
		Text: "{{#people}}\n" + notMeOfLink.Text + "\n{{/people}}",
		HTML: "{{#people}}\n" + notMeOfLink.HTML + "\n{{/people}}",
	}
	notMeOfEach = model.Template{
		Text: "{{#people}}\nIt wasn’t {{name}}? You can tell us here, and only that link stops working:\n\n{{not_me}}\n\n{{/people}}",
		HTML: "{{#people}}\n" + `<p><small>It wasn’t {{name}}? <a href="{{not_me}}">Tell us here</a>, and only that link stops working.</small></p>` + "\n{{/people}}",
	}
	notMeOfPassword = model.Template{
		Text: "It wasn’t you? You can also stop that password yourself, at any hour. Everybody is signed out, and we send you a letter with a link to choose a new one:\n\n{{not_me}}",
		HTML: `<p><strong>It wasn’t you?</strong> You can also <a href="{{not_me}}">stop that password yourself</a>, at any hour. Everybody is signed out, and we send you a letter with a link to choose a new one.</p>`,
	}
)

// withNotMe adds the way to say "It wasn't me" to each part of a template that
// does not have it.
func withNotMe(t model.Template, c model.LetterContents) model.Template {
	var more model.Template
	switch {
	case !c.NotMe.IsZero():
		more = notMeOfPassword
	case len(c.Links) == 0 || c.Links[0].NotMe.IsZero():
		return t
	case !c.Kind.ForSeveral():
		more = notMeOfLink
	case len(c.Links) == 1:
		more = notMeOfOne
	default:
		more = notMeOfEach
	}
	if !t.Uses("text", "not_me") {
		t.Text = strings.TrimRight(t.Text, "\n ") + "\n\n" + more.Text
	}
	if !t.Uses("html", "not_me") {
		t.HTML += "\n" + more.HTML
	}
	return t
}
