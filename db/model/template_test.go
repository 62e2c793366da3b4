package model

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

var lettered = Values{One: map[string]string{
	"name": "Anna Weber", "link": "https://m.example.org/reset/abc", "association": "Harbour Rowing Club",
}}

func TestTemplateIsFilledWithValues(t *testing.T) {
	got, err := Template{
		Subject: "A new password for {{ association }}",
		Text:    "Hello {{name}},\n\n{{link}}\n",
		HTML:    "<p>Hello <strong>{{name}}</strong>,</p>\n<a class=\"button\" href=\"{{link}}\">Go</a>\n<p>{{link}}</p>",
	}.Fill(lettered)
	if err != nil {
		t.Fatal(err)
	}
	want := Template{
		Subject: "A new password for Harbour Rowing Club",
		Text:    "Hello Anna Weber,\n\nhttps://m.example.org/reset/abc\n",
		HTML:    "<p>Hello <strong>Anna Weber</strong>,</p>\n<a class=\"button\" href=\"https://m.example.org/reset/abc\">Go</a>\n<p>https://m.example.org/reset/abc</p>",
	}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestTemplateRepeatsABlockForEachPerson(t *testing.T) {
	v := Values{
		One: map[string]string{"association": "HRC", "name": "nobody"},
		People: []map[string]string{
			{"name": "Anna", "link": "https://m.example.org/reset/a"},
			{"name": "Bert <b>", "link": "https://m.example.org/reset/b"},
		},
	}
	got, err := Template{
		Text: "Hello,\n\n{{#people}}\n{{name}} of {{association}}:\n{{link}}\n\n{{/people}}\nBye\n",
		HTML: "<ul>{{#people}}<li>{{name}} <a href=\"{{link}}\">open</a></li>{{/people}}</ul>",
	}.Fill(v)
	if err != nil {
		t.Fatal(err)
	}
	if want := "Hello,\n\nAnna of HRC:\nhttps://m.example.org/reset/a\n\nBert <b> of HRC:\nhttps://m.example.org/reset/b\n\nBye\n"; got.Text != want {
		t.Errorf("text:\n%s\nwant:\n%s", got.Text, want)
	}
	if want := `<ul><li>Anna <a href="https://m.example.org/reset/a">open</a></li><li>Bert &lt;b&gt; <a href="https://m.example.org/reset/b">open</a></li></ul>`; got.HTML != want {
		t.Errorf("html: %s", got.HTML)
	}
}

func TestValuesArriveAsHarmlessText(t *testing.T) {
	for _, tt := range []struct{ name, value, line, html string }{
		{"a header", "Anna\r\nBcc: all@example.org", "Anna Bcc: all@example.org", "Anna Bcc: all@example.org"},
		{"a tag", `<img src=x onerror="a('b')">`, `<img src=x onerror="a('b')">`, "&lt;img src=x onerror=&#34;a(&#39;b&#39;)&#34;&gt;"},
		{"an entity", "&times;", "&times;", "&amp;times;"},
		{"a placeholder", "{{link}}", "{{link}}", "{{link}}"},
		{"a turned direction", "Anna\u202egro.elpmaxe\u2069", "Annagro.elpmaxe", "Annagro.elpmaxe"},
		{"line separators", "Anna\u2028Weber\u0085X", "Anna Weber X", "Anna Weber X"},
		{"NUL and escape", "A\x00nna\x1b[31m", "A nna [31m", "A nna [31m"},
		{"broken UTF-8", "Ann\xffa", "Ann\ufffda", "Ann\ufffda"},
		{"names of every script", "Łukasz Đặng 山田 عمر क्षि", "Łukasz Đặng 山田 عمر क्षि", "Łukasz Đặng 山田 عمر क्षि"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := Values{One: map[string]string{"name": tt.value}}
			got, err := Template{Subject: "{{name}}", Text: "{{name}}", HTML: "{{name}}"}.Fill(v)
			if err != nil {
				t.Fatal(err)
			}
			if got.Subject != tt.line || got.Text != tt.line || got.HTML != tt.html {
				t.Errorf("got %q, %q, %q", got.Subject, got.Text, got.HTML)
			}
		})
	}
}

func TestTemplateErrorNamesThePlace(t *testing.T) {
	const text, html = "Hello\n{{link}}\n", `<p><a href="{{link}}">x</a></p>`
	for _, tt := range []struct {
		name string
		kind LetterKind
		t    Template
		part string
		line int
		col  int
		says string
	}{
		{"unknown placeholder", LetterReset, Template{"s", "Hello\nDear {{nmae}}\n{{link}}", html}, "text", 2, 6, "no placeholder {{nmae}}"},
		{"column in characters, not bytes", LetterReset, Template{"s", "Grüße, {{nmae}} {{link}}", html}, "text", 1, 8, "no placeholder"},
		{"placeholder of another kind", LetterReset, Template{"s", text + "{{new_email}}", html}, "text", 3, 1, "no placeholder {{new_email}}"},
		{"what was typed is not repeated", LetterNoAccount, Template{"s", "{{email}}", ""}, "text", 1, 1, "no placeholder {{email}}"},
		{"unclosed placeholder", LetterReset, Template{"s {{name", text, html}, "subject", 1, 3, "does not end"},
		{"braces in braces", LetterReset, Template{"s", text + "{{na{{me}}", html}, "text", 3, 1, "does not end"},
		{"odd name", LetterReset, Template{"s", text + "{{.Name}}", html}, "text", 3, 1, "no placeholder {{.Name}}"},
		{"link in the subject", LetterReset, Template{"{{link}}", text, html}, "subject", 1, 1, "cannot stand in the subject"},
		{"two lines of subject", LetterReset, Template{"a\nBcc: b", text, html}, "subject", 1, 2, "one line"},
		{"a control character", LetterReset, Template{"a\rb", text, html}, "subject", 1, 2, "invisible"},
		{"no link in the text", LetterReset, Template{"s", "Hello\nyou", html}, "text", 2, 4, "{{link}}"},
		{"no link in the HTML", LetterReset, Template{"s", text, "<p>Hello</p>"}, "html", 1, 13, "{{link}}"},
		{"link inside a longer address", LetterReset, Template{"s", text, `<a href="https://track.example/?u={{link}}">x</a>`}, "html", 1, 1, "whole address"},
		{"link in another attribute", LetterReset, Template{"s", text, `<p class="{{link}}">x</p>`}, "html", 1, 1, "whole address"},
		{"a picture", LetterReset, Template{"s", text, html + "\n<img src=\"https://x\">"}, "html", 2, 1, "cannot stand in a letter"},
		{"a style", LetterReset, Template{"s", text, "<style>p{}</style>" + html}, "html", 1, 1, "cannot stand"},
		{"a comment", LetterReset, Template{"s", text, "<!-- {{name}} -->" + html}, "html", 1, 1, "cannot stand"},
		{"a tag without end", LetterReset, Template{"s", text, html + "<p"}, "html", 1, 32, "does not end"},
		{"a tag that is never closed", LetterReset, Template{"s", text, html + "<p>x"}, "html", 1, 32, "never closed"},
		{"crossed tags", LetterReset, Template{"s", text, html + "<p><em>x</p></em>"}, "html", 1, 40, "closes nothing"},
		{"a link in a link", LetterReset, Template{"s", text, buttonTag + linkTag + "x</a></a>"}, "html", 1, 35, "inside another"},
		{"an empty subject", LetterReset, Template{" ", text, html}, "subject", 1, 1, "Nothing is written"},
		{"no text", LetterRingUs, Template{"s", "\n", html}, "text", 1, 1, "Nothing is written"},
		{"no HTML", LetterRingUs, Template{"s", "x", ""}, "html", 1, 1, "Nothing is written"},
		{"a long subject", LetterReset, Template{strings.Repeat("ü", 151), text, html}, "subject", 1, 152, "room for 150"},
		{"a link that runs on", LetterReset, Template{"s", "{{link}}/x", html}, "text", 1, 1, "Leave a space"},
		{"a link that runs into a value", LetterReset, Template{"s", "{{link}}{{name}}", html}, "text", 1, 1, "Leave a space"},
		{"nobody to say it was not me of", LetterRingUs, Template{"s", "x\n{{not_me}}", html}, "text", 2, 1, "no placeholder {{not_me}}"},
		{"not me in the subject", LetterReset, Template{"s {{not_me}}", text, html}, "subject", 1, 3, "cannot stand in the subject"},
		{"not me runs on", LetterReset, Template{"s", "{{link}}\n{{not_me}}x", html}, "text", 2, 1, "after {{not_me}}"},
		{"not me as a part of an address", LetterReset, Template{"s", "{{link}}", `<a href="https://x.example/{{not_me}}">x</a>` + html}, "html", 1, 1, "Only the link can"},
		{"not me instead of the link", LetterReset, Template{"s", "{{not_me}}", html}, "text", 1, 11, "link is missing"},
		{"one not me for several", LetterTrouble, Template{"s", "{{#people}}{{link}}\n{{/people}}{{not_me}}", html}, "text", 2, 12, "different for each person"},
		{"a code in the subject", LetterReset, Template{"Your code {{code}}", text, html}, "subject", 1, 11, "cannot stand in the subject"},
		{"a code in one part only", LetterReset, Template{"s", "{{code}}", "<p>Hello</p>"}, "html", 1, 13, "{{link}} where it should stand, or {{code}}"},
		{"no code for several", LetterResetSeveral, Template{"s", "{{#people}}{{code}}{{/people}}", html}, "text", 1, 12, "no placeholder {{code}}"},
		{"no code in other letters", LetterPasswordChanged, Template{"s", "{{code}}", html}, "text", 1, 1, "no placeholder {{code}}"},
		{"a tag like the code's own", LetterReset, Template{"s", text, html + "<code>x</code>"}, "html", 1, 32, "cannot stand in a letter"},
		{"the program's own words", LetterReset, Template{"s", text + "{{.}}", html}, "text", 3, 1, "no placeholder {{.}}"},
		{"a call", LetterReset, Template{"s", text + `{{printf "%s" .}}`, html}, "text", 3, 1, "no placeholder"},
		{"a path", LetterReset, Template{"s", text + "{{../../secret.key}}", html}, "text", 3, 1, "no placeholder"},
		{"a block in a letter for one", LetterReset, Template{"s", text + "{{#people}}{{/people}}", html}, "text", 3, 1, "for one person"},
		{"an unclosed block", LetterResetSeveral, Template{"s", "{{#people}}{{link}}", html}, "text", 1, 1, "never closed"},
		{"a block in a block", LetterResetSeveral, Template{"s", "{{#people}}{{#people}}{{/people}}{{/people}}", html}, "text", 1, 12, "inside another"},
		{"closing what is not open", LetterResetSeveral, Template{"s", "{{/people}}", html}, "text", 1, 1, "closes nothing"},
		{"a block across tags", LetterResetSeveral, Template{"s", "{{#people}}{{link}} {{/people}}", "{{#people}}<p>{{link}} {{/people}}</p>"}, "html", 1, 24, "closes nothing"},
		{"a block in the subject", LetterResetSeveral, Template{"{{#people}}x{{/people}}", "{{#people}}{{link}}{{/people}}", html}, "subject", 1, 1, "cannot repeat"},
		{"one link for several", LetterResetSeveral, Template{"s", "{{link}}", html}, "text", 1, 1, "different for each person"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bad, ok := errors.AsType[*TemplateError](tt.t.Check(tt.kind))
			if !ok {
				t.Fatal("no error")
			}
			if bad.Part != tt.part || bad.Line != tt.line || bad.Column != tt.col || !strings.Contains(bad.Sentence, tt.says) {
				t.Errorf("got %v; want %s, line %d, column %d, about %q", bad, tt.part, tt.line, tt.col, tt.says)
			}
		})
	}
}

func TestGoodTemplatesPass(t *testing.T) {
	for _, tt := range []struct {
		kind LetterKind
		t    Template
	}{
		{LetterReset, Template{"{{association}}", "{{name}}\n{{link}}", "<p>1 &lt; 2<br>{{link}}</p>"}},
		{LetterReset, Template{"s", "{{code}} until {{code_expires}}", "<p>{{code}}</p>"}},
		{LetterReset, Template{"s", "{{code}}", linkTag + "x</a>"}},
		{LetterWelcome, Template{"s", "{{link}} {{code}}", "<p>{{code}}</p>"}},
		{LetterResetSeveral, Template{"s", "{{#people}}\n{{name}} {{link}} {{email}}\n{{/people}}", "{{#people}}<p>{{name}}</p>" + buttonTag + "x</a>{{/people}}"}},
		{LetterRingUs, Template{"s", "{{support}}", "<p>{{support}}</p>"}},
	} {
		if err := tt.t.Check(tt.kind); err != nil {
			t.Error(tt.kind, err)
		}
	}
}

func TestEveryPartSaysItsFirstMistake(t *testing.T) {
	got := Template{"{{x}}", "{{link}} {{y}} {{z}}", "<p>"}.Mistakes(LetterReset)
	if len(got) != 3 || got[0].Part != "subject" || got[1].Part != "text" || got[2].Part != "html" || !strings.Contains(got[1].Sentence, "{{y}}") {
		t.Errorf("got %v", got)
	}
	if got := (Template{"s", "{{link}}", "<p>{{link}}</p>"}).Mistakes(LetterReset); got != nil {
		t.Errorf("a good one has %v", got)
	}
}

// Mail programs make one link of whatever stands in one piece: the portal's
// must not become the end of another site's.
func TestALinkIsNeverGluedToWhatStandsBefore(t *testing.T) {
	const link = "https://m.example.org/reset/abc"
	v := Values{
		One:    map[string]string{"link": link, "name": "https://evil.example/?u=", "code": SampleCode},
		People: []map[string]string{{"link": link, "name": "x"}, {"link": link, "name": "https://evil.example/?"}},
	}
	for _, tt := range []struct{ part, template, want string }{
		{"text", "https://evil.example/?u={{link}}", "https://evil.example/?u= " + link},
		{"text", "https://evil.example/?c={{code}}", "https://evil.example/?c= " + SampleCode},
		{"text", "{{name}}{{code}}", "https://evil.example/?u= " + SampleCode},
		{"text", "Code: {{code}}.", "Code: " + SampleCode + "."},
		{"html", "https://evil.example/?c=<em>{{code}}</em>", "https://evil.example/?c=<em> <code>" + SampleCode + "</code></em>"},
		{"html", "<p>{{code}}</p>", "<p><code>" + SampleCode + "</code></p>"},
		{"text", "{{name}}{{link}}", "https://evil.example/?u= " + link},
		{"text", "Here:\n{{link}}\n", "Here:\n" + link + "\n"},
		{"text", "x{{#people}}\n{{link}}{{/people}}", "x " + link + " " + link},
		{"html", "https://evil.example/?u={{link}}", "https://evil.example/?u= " + link},
		{"html", "https://evil.example/?<em>{{link}}</em>", "https://evil.example/?<em> " + link + "</em>"},
		{"html", "https://evil.example/?<strong></strong>{{link}}", "https://evil.example/?<strong></strong> " + link},
		{"html", linkTag + "https://evil.example/?</a>{{link}}", `<a href="` + link + `">https://evil.example/?</a> ` + link},
		{"html", `https://evil.example/?href="{{link}}`, `https://evil.example/?href=" ` + link},
		{"html", "<p>x>{{link}}</p>", "<p>x> " + link + "</p>"},
		{"html", "x>{{link}}", "x> " + link},
		{"html", "<p>{{link}}</p>", "<p>" + link + "</p>"},
		{"html", "x<br>{{link}}", "x<br>" + link},
		{"html", linkTag + "{{link}}</a>", `<a href="` + link + `">` + link + "</a>"},
		{"html", buttonTag + "x</a>", `<a class="button" href="` + link + `">x</a>`},
	} {
		var in Template
		*in.Part(tt.part) = tt.template
		out, err := in.Fill(v)
		if got := *out.Part(tt.part); err != nil || got != tt.want {
			t.Errorf("%s %q: %q, want %q (%v)", tt.part, tt.template, got, tt.want, err)
		}
	}
}

func TestATemplateIsKeptWithItsLinesAndColumns(t *testing.T) {
	got := Template{"About\tyou ", "\r\nHello\r{{name}}\r\n \r\n", "<p>\xffx</p>\n"}.Clean()
	if want := (Template{"About you", "\nHello\n{{name}}", "<p>\ufffdx</p>"}); got != want {
		t.Errorf("%+v", got)
	}
}

func TestWhatTwoOwnersChangeIsPutTogetherPartByPart(t *testing.T) {
	was := Template{"a", "b", "c"}
	for _, tt := range []struct {
		mine, theirs, want Template
		changed            string
	}{
		{Template{"a", "b", "mine"}, Template{"theirs", "b", "c"}, Template{"theirs", "b", "mine"}, "subject"},
		{Template{"a", "mine", "c"}, Template{"a", "theirs", "theirs"}, Template{"a", "mine", "theirs"}, "text html"},
		{Template{"a", "same", "c"}, Template{"a", "same", "c"}, Template{"a", "same", "c"}, "text"},
		{was, was, was, ""},
	} {
		got, changed := tt.mine.Merge(was, tt.theirs)
		if got != tt.want || strings.Join(changed, " ") != tt.changed {
			t.Errorf("%v and %v: %v, %q", tt.mine, tt.theirs, got, changed)
		}
	}
}

func TestEveryKindHasItsPlaceholders(t *testing.T) {
	for _, k := range LetterKinds {
		if _, ok := letterPlaceholders[k]; !ok {
			t.Errorf("%s has none", k)
		}
	}
	for k := range letterPlaceholders {
		if k != LetterSettingsChanged && !slices.Contains(LetterKinds, k) { // it is nobody's to edit
			t.Errorf("%s has placeholders and is not listed", k)
		}
	}
}

func TestASampleOpensNothing(t *testing.T) {
	s := DefaultSettings()
	for _, k := range LetterKinds {
		c := SampleLetter(k, s, "Ruth Adler", "ruth@example.org", time.Unix(1_800_000_000, 0))
		if (len(c.Links) > 0) != k.CarriesLink() {
			t.Errorf("%s has %d links", k, len(c.Links))
		}
		for _, l := range c.Links {
			for _, under := range []string{"/reset/", "/email/"} {
				if _, _, ok := ParseResetToken(strings.TrimPrefix(l.URL.Reveal(), s.BaseURL+under)); ok {
					t.Errorf("%s: the link is a token", k)
				}
			}
			if k == LetterEmailConfirm {
				continue
			}
			if _, _, ok := ParseResetToken(strings.TrimPrefix(l.NotMe.Reveal(), s.BaseURL+"/not-me/")); ok || l.NotMe.IsZero() {
				t.Errorf("%s: what says that it was not them is a token, or missing", k)
			}
		}
	}
}

func TestFillRefusesWhatIsNoAddress(t *testing.T) {
	for _, link := range []string{"javascript:alert(1)", "", "//x", " "} {
		_, err := Template{Text: "{{link}}"}.Fill(Values{One: map[string]string{"link": link}})
		if err == nil {
			t.Errorf("%q went through", link)
		}
	}
	if _, err := (Template{Text: "{{name}}"}).Fill(Values{}); err == nil {
		t.Error("a placeholder without a value went through")
	}
}

// Whatever a template and a value are, nothing panics, a subject stays one
// line, and a value brings no tag, quote or line of its own with it.
func FuzzTemplate(f *testing.F) {
	f.Add("About {{name}}", "Hello {{name}}\n{{#people}}\n{{link}}\n{{/people}}", `<p>{{name}}</p>{{#people}}<a href="{{link}}">{{name}}</a>{{/people}}`, "Anna\r\nBcc: x", "https://m.example.org/reset/a\"><script>")
	f.Add("{{", "}}", "<p", "<b>", "http://")
	f.Add("{{/people}}", "{{#people}}{{#people}}", "<p></em>", "{{name}}", "javascript:")
	f.Fuzz(func(t *testing.T, subject, text, html, name, link string) {
		tpl := Template{subject, text, html}
		_ = tpl.Mistakes(LetterReset)
		_ = tpl.Mistakes(LetterResetSeveral)
		person := map[string]string{"name": name, "link": link}
		got, err := tpl.Fill(Values{One: person, People: []map[string]string{person, person}})
		if err != nil {
			if _, ok := errors.AsType[*TemplateError](err); !ok {
				t.Fatalf("%T is no TemplateError", err)
			}
			return
		}
		const ours = "https://m.example.org/reset/ZQZ"
		plain := map[string]string{"name": "x", "link": ours}
		bare, err := tpl.Fill(Values{One: plain, People: []map[string]string{plain, plain}})
		if err != nil {
			t.Fatalf("fits one value and not another: %v", err)
		}
		if !strings.Contains(text, ours) {
			for i, before := range strings.Split(bare.Text, ours) {
				if i < strings.Count(bare.Text, ours) && before != "" && !strings.HasSuffix(before, " ") && !strings.HasSuffix(before, "\n") {
					t.Errorf("a link is glued to what stands before: %q", bare.Text)
				}
			}
		}
		if strings.ContainsAny(got.Subject, "\r\n\x00") {
			t.Errorf("subject %q", got.Subject)
		}
		if strings.Count(got.Text, "\n") != strings.Count(bare.Text, "\n") || strings.Contains(got.Text, "\r") {
			t.Errorf("text %q", got.Text)
		}
		for _, c := range []string{"<", ">", `"`, "'"} {
			if strings.Count(got.HTML, c) != strings.Count(bare.HTML, c) {
				t.Errorf("a value brought its own %s: %q", c, got.HTML)
			}
		}
	})
}

// Many associations end with a full stop ("e. V.", "Inc."): the sentence that
// ends with their name needs no second one.
func TestANameThatEndsWithAStopEndsTheSentence(t *testing.T) {
	for in, want := range map[string]string{
		"Welcome to {{association}}. No more.": "Welcome to Club e. V. No more.",
		"{{association}}, hello":               "Club e. V., hello",
		"wait{{association}}...":               "waitClub e. V....",
		"{{name}}. {{association}} .":          "Mia. Club e. V. .",
	} {
		got, err := Template{Subject: in, Text: in, HTML: in}.Fill(Values{One: map[string]string{"association": "Club e. V.", "name": "Mia"}})
		if err != nil || got != (Template{want, want, want}) {
			t.Errorf("%q becomes %q (%v), want %q", in, got, err, want)
		}
	}
}
