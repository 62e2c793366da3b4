package views

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"latchkey/db/model"
)

// recordHead says whose record it is. Birth date and postcode stand there to
// recognise a caller by.
func recordHead(p Page, m *model.Member, a *model.Account, tab string) templ.Component {
	return drawn(p, func(ink *pen) {
		ink.raw(`<a class="back" href="/admin/members">← Members</a><header class="record-head"><h1>`)
		ink.text(m.Name())
		ink.raw("</h1>")
		ink.badges(m, a, false)
		ink.raw(`<dl class="known-by">`)
		ink.knownBy("Member number", m.MemberNo)
		ink.knownBy("Born", date(m.BirthDate))
		ink.knownBy("Postcode", m.Postcode)
		if m.Phone != "" {
			ink.raw(`<div><dt>Phone</dt><dd><a href="`)
			ink.text(string(phoneLink(m.Phone)))
			ink.raw(`">`)
			ink.text(m.Phone)
			ink.raw("</a></dd></div>")
		}
		ink.raw(`</dl></header><nav class="tabs" aria-label="This member"><ul>`)
		url := memberURL(m.ID)
		ink.link(url, tabName("details"), tab == "details")
		ink.link(url+"/settings", tabName("settings"), tab == "settings")
		ink.link(url+"/activity", tabName("activity"), tab == "activity")
		ink.raw("</ul></nav>")
	})
}

func (ink *pen) knownBy(what, value string) {
	if value != "" {
		ink.raw("<div><dt>", what, "</dt><dd>")
		ink.text(value)
		ink.raw("</dd></div>")
	}
}

func badges(m *model.Member, a *model.Account, oob bool) templ.Component {
	return drawn(Page{}, func(ink *pen) { ink.badges(m, a, oob) })
}

// badges are what matters at a glance.
func (ink *pen) badges(m *model.Member, a *model.Account, oob bool) {
	ink.openPart("p", "badges", "badges", oob)
	ink.badge("", statusName(m.Status))
	if a == nil {
		ink.badge("none", "No account")
	} else {
		if a.Disabled() {
			ink.badge("trouble", "Disabled")
		}
		if a.Role.InOffice() {
			ink.badge("held", roleName(a.Role))
		}
		if a.Failing() {
			ink.raw(`<a class="badge trouble" href="`, lettersAbout(a.ID), `">`, missedWord(a.Mail), `</a> `)
		}
	}
	ink.raw("</p>")
}

func missedWord(s model.LetterState) string {
	if s == model.LetterBounced {
		return "Letter came back"
	}
	return "Letter failed"
}

func lettersAbout(accountID int64) string {
	return "/admin/letters?account=" + strconv.FormatInt(accountID, 10)
}

func (ink *pen) badge(class, text string) {
	ink.raw(`<span class="`, strings.TrimSpace("badge "+class), `">`)
	ink.text(text)
	ink.raw("</span> ")
}

// openedWith is what a form of a record carries along: what it began with.
func openedWith(d *MemberProps) templ.Component {
	return drawn(Page{}, func(ink *pen) {
		ink.raw(`<input type="hidden" name="version" value="`)
		ink.number(d.version())
		ink.raw(`"><input type="hidden" name="was" value="`)
		ink.opened(d)
		ink.raw(`">`)
	})
}

// opened writes the record as this form began with it, as JSON: it tells what
// the person changed from what somebody else did meanwhile.
func (ink *pen) opened(d *MemberProps) {
	if was := d.Form.Values["was"]; was != "" && d.Stale == nil {
		ink.text(was)
		return
	}
	m := &d.Member
	if d.Stale != nil {
		m = &d.Stale.Theirs
	}
	const quote = "&#34;" // of JSON, in an attribute
	open := "{"
	for _, f := range model.MemberFields {
		ink.raw(open, quote, f.Name, quote, ":", quote)
		ink.jsonText(f.Value(m))
		ink.raw(quote)
		open = ","
	}
	ink.raw("}")
}

// jsonText writes a text as JSON has it between its quotes. Few have anything
// in them that JSON writes differently, and to hand the whole record to the
// encoder takes 9 µs.
func (ink *pen) jsonText(s string) {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r > '~' }) {
		coded, _ := json.Marshal(s) // a text always encodes
		s = string(coded[1 : len(coded)-1])
	}
	ink.text(s)
}

func memberFields(d *MemberProps) templ.Component {
	return drawn(Page{}, func(ink *pen) {
		for _, g := range fieldGroups {
			ink.raw("<section><h2>", g.name, `</h2><div class="fields">`)
			for i, in := range g.inputs {
				value, typed := d.Form.Values[in.Name]
				if !typed && d.Form.Values == nil {
					value = g.of[i].Value(&d.Member)
				}
				in.Hint = theirs(d.Stale, in.Name)
				switch {
				case in.Name == "status":
					ink.statusField(d.Form, in, value)
				case in.Name == "notes":
					ink.notesField(d.Form, in, value)
				case in.Hint == "" && d.Form.Errors[in.Name] == "":
					ink.raw(g.usual[i].before)
					ink.text(value)
					ink.raw(g.usual[i].after)
				default:
					ink.filledField(d.Form, in, value)
				}
			}
			ink.raw("</div></section>")
		}
	})
}

func (ink *pen) statusField(f Form, in Input, value string) {
	in.Autocomplete, in.Max, in.Hint = "", 0, ""
	ink.openField(in)
	ink.raw(`<select id="status" name="status"`)
	ink.attributes(f, in)
	ink.raw(">")
	for _, st := range model.Statuses {
		ink.option(string(st), statusName(st), value == string(st))
	}
	ink.raw("</select>")
	ink.remarks(f, in)
	ink.raw("</div>")
}

func (ink *pen) notesField(f Form, in Input, value string) {
	in.Autocomplete, in.Max, in.Hint = "", 0, ""
	ink.openField(in)
	ink.raw(`<textarea id="notes" name="notes" rows="5"`)
	ink.attributes(f, in)
	ink.raw(">")
	ink.text(value)
	ink.raw("</textarea>")
	ink.remarks(f, in)
	ink.raw("</div>")
}

func memberURL(id int64) string { return "/admin/members/" + strconv.FormatInt(id, 10) }
