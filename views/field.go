package views

import (
	"iter"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"latchkey/db/model"
)

// Input is one field of a form.
type Input struct {
	Name         string
	Label        string
	Type         string // "" is text
	Autocomplete string
	Hint         string
	Rules        string // of a new password, for password managers
	Class        string // its width where there is room
	Required     bool
	Max          int  // in characters, 0 for no limit
	Focus        bool // the cursor starts here
	Fixed        bool // decided elsewhere: shown, not edited
	Digits       bool // telephones show the keys for numbers
}

func field(f Form, in Input) templ.Component {
	return drawn(Page{}, func(ink *pen) { ink.field(f, in) })
}

// asUsual is a field about which there is nothing to say, before and after its
// value: a record has 18 of them, and they are the same in every one.
type asUsual struct{ before, after string }

func (in Input) asUsual() asUsual {
	const here = "\x00"
	ink := &pen{}
	ink.filledField(Form{}, in, here)
	before, after, _ := strings.Cut(string(ink.html), here)
	return asUsual{before, after}
}

// field writes an input with its label, and what there is to say about it.
func (ink *pen) field(f Form, in Input) { ink.filledField(f, in, f.Values[in.Name]) }

func (ink *pen) filledField(f Form, in Input, value string) {
	ink.openField(in)
	ink.raw(`<input id="`, in.Name, `" name="`, in.Name, `" type="`, in.kind(), `"`)
	if in.Type != "password" { // what was typed there never comes back
		ink.raw(` value="`)
		ink.text(value)
		ink.raw(`"`)
	}
	ink.attributes(f, in)
	ink.raw(">")
	ink.remarks(f, in)
	ink.raw("</div>")
}

func (ink *pen) openField(in Input) {
	ink.raw(`<div class="field`)
	if in.Class != "" {
		ink.raw(" ", in.Class)
	}
	ink.raw(`"><label for="`, in.Name, `">`)
	ink.text(in.Label)
	ink.raw(`</label> `)
}

func (in Input) kind() string {
	if in.Type == "" {
		return "text"
	}
	return in.Type
}

func (ink *pen) attributes(f Form, in Input) {
	for name, value := range in.attributes(f) {
		ink.attribute(name, value)
	}
}

// attributes are those that follow from what a field is and from what is wrong
// with it. One without a value only stands there.
func (in Input) attributes(f Form) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		wrong := f.Errors[in.Name] != ""
		described := ""
		switch {
		case wrong && in.Hint != "":
			described = in.Name + "-wrong " + in.Name + "-hint"
		case wrong:
			described = in.Name + "-wrong"
		case in.Hint != "":
			described = in.Name + "-hint"
		}
		typed := in.Autocomplete == "username" || in.Type == "email"
		longest := ""
		if in.Max > 0 {
			// Twice the limit, so that a long paste reaches the sentence that
			// explains it instead of being cut without a word.
			longest = strconv.Itoa(2 * in.Max)
		}
		say := func(applies bool, name, value string) bool { return !applies || yield(name, value) }
		_ = say(described != "", "aria-describedby", described) &&
			say(wrong, "aria-invalid", "true") &&
			say(typed, "autocapitalize", "none") &&
			say(in.Autocomplete != "", "autocomplete", in.Autocomplete) &&
			say(in.Focus && len(f.Errors) == 0, "autofocus", "") &&
			say(in.Digits, "inputmode", "numeric") &&
			say(longest != "", "maxlength", longest) &&
			say(in.Rules != "", "passwordrules", in.Rules) &&
			say(in.Fixed, "readonly", "") &&
			say(in.Required, "required", "") &&
			say(typed, "spellcheck", "false")
	}
}

// spread has templ write attributes.
func spread(all iter.Seq2[string, string]) templ.Attributer {
	var out templ.OrderedAttributes
	for name, value := range all {
		if value == "" {
			out = append(out, templ.KV[string, any](name, true))
		} else {
			out = append(out, templ.KV[string, any](name, value))
		}
	}
	return out
}

func remarks(f Form, in Input) templ.Component {
	return drawn(Page{}, func(ink *pen) { ink.remarks(f, in) })
}

// remarks are what is wrong with a field, then what helps to fill it in.
func (ink *pen) remarks(f Form, in Input) {
	if wrong := f.Errors[in.Name]; wrong != "" {
		ink.raw(`<small id="`, in.Name, `-wrong" class="wrong">`)
		ink.icon("alert")
		if in.Name == "email" && len(f.Holders) > 0 {
			ink.raw("This is the address of: ")
			ink.people(f.Holders)
			ink.raw(". ")
		}
		ink.text(wrong)
		ink.raw("</small>")
	}
	ink.hint(in)
}

func (ink *pen) hint(in Input) {
	if in.Hint != "" {
		ink.raw(`<small id="`, in.Name, `-hint" class="hint">`)
		ink.text(in.Hint)
		ink.raw("</small>")
	}
}

func (ink *pen) option(value, text string, selected bool) {
	ink.raw(`<option value="`)
	ink.text(value)
	if selected {
		ink.raw(`" selected>`)
	} else {
		ink.raw(`">`)
	}
	ink.text(text)
	ink.raw("</option>")
}

// people names some, with the way to their records.
func (ink *pen) people(all []model.Person) {
	ink.raw(`<span class="people">`)
	for _, p := range all {
		ink.raw(`<a href="`)
		ink.memberURL(p.MemberID, "")
		ink.raw(`">`)
		ink.text(p.Name)
		ink.raw("</a>")
	}
	ink.raw("</span>")
}
