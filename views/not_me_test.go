package views

import (
	"strings"
	"testing"

	"latchkey/db/model"
)

var notMeStates = []model.NotMeState{model.NotMeUnknown, model.NotMeLive, model.NotMeUsed, model.NotMeOver, model.NotMeDisabled}

func TestNotMeHasOneButtonUntilItWasSaid(t *testing.T) {
	token := model.NewSecret("mfrggzdfmztwq2lkmrswg3djnzxw4zdfojzg6ylc")
	for _, state := range notMeStates {
		p := pageFor(stranger, "/not-me")
		doc := draw(t, NotMePage(p, model.OpenedNotMe{State: state, UsedAt: now}, token))
		forms := 1
		if state == model.NotMeUnknown {
			forms = 0
			says(t, doc, "main", "ring the office")
		}
		has(t, doc, `form[method="post"][action="/not-me"]`, forms)
		has(t, doc, "form", forms)
		has(t, doc, `input[name="token"][value="`+token.Reveal()+`"]`, forms)
		doc = draw(t, NotMePage(p, model.OpenedNotMe{State: state, Said: state != model.NotMeUnknown, UsedAt: now}, token))
		has(t, doc, "form", 0)
		if strings.Contains(text(doc, "main"), token.Reveal()) {
			t.Errorf("%s: the token is on the page", state)
		}
	}
}

func TestNotMePromisesNoLetterThatCannotLeave(t *testing.T) {
	used := model.OpenedNotMe{State: model.NotMeUsed, UsedAt: now}
	for _, said := range []bool{false, true} {
		used.Said, used.NoEmail = said, false
		says(t, draw(t, NotMePage(pageFor(stranger, "/"), used, model.Secret{})), "main", "letter with a link")
		if doc := draw(t, NotMePage(mailless(pageFor(stranger, "/")), used, model.Secret{})); strings.Contains(text(doc, "main"), "letter with a link") {
			t.Error("a letter is promised without a mail server")
		}
		used.NoEmail = true
		if doc := draw(t, NotMePage(pageFor(stranger, "/"), used, model.Secret{})); strings.Contains(text(doc, "main"), "letter with a link") {
			t.Error("a letter is promised without an address")
		}
	}
}

// Whatever an owner wrote, each part of a letter with a link can be answered,
// and just once.
func TestEveryLetterWithALinkCanBeAnswered(t *testing.T) {
	owners := map[string]func(*model.Template){
		"the original":     func(t *model.Template) { *t = model.Template{} },
		"not a word of it": func(*model.Template) {},
		"in the text":      func(t *model.Template) { t.Text += "\nNot you? {{not_me}}" },
		"in the HTML":      func(t *model.Template) { t.HTML += `<p><a href="{{not_me}}">Not you?</a></p>` },
		"in both, as text": func(t *model.Template) { t.Text += "\n{{ not_me }}"; t.HTML += "<p>{{not_me}}</p>" },
	}
	for _, k := range model.LetterKinds {
		if !k.CarriesLink() || k.ForSeveral() || k == model.LetterEmailConfirm {
			continue
		}
		for name, change := range owners {
			c := letterTo(t, k)
			c.Template = model.Template{Subject: "s", Text: "{{link}}", HTML: `<a href="{{link}}">x</a>`}
			change(&c.Template)
			if !c.Template.IsZero() {
				if err := c.Template.Check(k); err != nil {
					t.Fatal(err)
				}
			}
			got, _ := compose(t, c)
			if n := strings.Count(got.Text, oneNotMe); n != 1 {
				t.Errorf("%s, %s: %d times in\n%s", k, name, n, got.Text)
			}
			if n := strings.Count(got.HTML, oneNotMe); n != 1 {
				t.Errorf("%s, %s: %d times in the HTML", k, name, n)
			}
			if strings.Contains(got.Subject, "not-me") {
				t.Errorf("%s: subject %q", k, got.Subject)
			}
		}
	}
}

func TestALetterForSeveralCanBeAnsweredByEach(t *testing.T) {
	for _, k := range []model.LetterKind{model.LetterResetSeveral, model.LetterTrouble} {
		c := letterTo(t, k)
		if k == model.LetterTrouble {
			c.Links = append(c.Links, letterTo(t, model.LetterResetSeveral).Links[1])
		}
		got, _ := compose(t, c)
		for _, want := range []string{
			"It wasn’t Anna Weber? You can tell us here, and only that link stops working: " + oneNotMe,
			"It wasn’t Bert Weber? You can tell us here, and only that link stops working: " + otherNotMe,
		} {
			if !strings.Contains(spaced(got.Text), want) {
				t.Errorf("%s: %q is missing in\n%s", k, want, got.Text)
			}
		}
		for _, notMe := range []string{oneNotMe, otherNotMe} {
			if strings.Count(got.HTML, notMe) != 1 {
				t.Errorf("%s: %s is not in the HTML once", k, notMe)
			}
		}
	}
}

func TestTheTroubleLetterReadsWellForOne(t *testing.T) {
	got, doc := compose(t, letterTo(t, model.LetterTrouble))
	for _, body := range []string{spaced(got.Text), spaced(doc.Find("body").Text())} {
		for _, want := range []string{"Somebody tried several times to sign in", "If that was you, here is a link", oneLink, "nothing has changed", "It wasn’t you?"} {
			if !strings.Contains(body, want) {
				t.Errorf("%q is missing in\n%s", want, body)
			}
		}
	}
	if !strings.Contains(got.Text, "\n\n"+oneLink+"\n\n") || !strings.Contains(got.Text, "\n\n"+oneNotMe+"\n") {
		t.Errorf("a link has no line of its own:\n%s", got.Text)
	}
}

func TestPasswordChangedCanBeAnsweredWhereItMay(t *testing.T) {
	c := letterTo(t, model.LetterPasswordChanged)
	got, doc := compose(t, c)
	if !strings.Contains(got.Text, oneNotMe) || doc.Find(`[href="`+oneNotMe+`"]`).Length() != 1 || !strings.Contains(spaced(got.Text), "please ring the office on 0171 555 010") {
		t.Errorf("no way to answer:\n%s", got.Text)
	}
	c.NotMe = model.Secret{} // a former address, or the account page
	got, doc = compose(t, c)
	if strings.Contains(got.Text+got.HTML, "not-me") || doc.Find("[href]").Length() != 0 || !strings.Contains(spaced(got.Text), "please ring the office on 0171 555 010") {
		t.Errorf("it can be answered:\n%s", got.Text)
	}
}
