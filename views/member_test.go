package views

import (
	"strings"
	"testing"

	"github.com/a-h/templ"

	"latchkey/db/model"
)

func TestHeadHelpsToRecogniseACaller(t *testing.T) {
	doc := draw(t, MemberPage(pageFor(ferit, "/admin/members/12"), MemberProps{Member: lotte()}))
	says(t, doc, ".known-by dd", "14 March 1951")
	says(t, doc, ".known-by dd", "22767")
	has(t, doc, ".known-by a[href='tel:0405501000']", 1)
	says(t, doc, ".badges", "No account")
	has(t, doc, ".tabs a[aria-current=page][href='/admin/members/12']", 1)
}

func TestTheTabsOfARecordHaveTitlesOfTheirOwn(t *testing.T) {
	p := pageFor(ferit, "/")
	for want, page := range map[string]templ.Component{
		"Details": MemberPage(p, MemberProps{Member: lotte()}), "Settings": settingsPage(ferit, sent()),
		"Activity": MemberActivityPage(p, model.ActivityPage{Member: lotte()}),
	} {
		says(t, draw(t, page), "title", want+" · Lotte Brandt · Harbour Rowing Club")
	}
}

func TestViewersReadDetailsAndChangeNothing(t *testing.T) {
	doc := draw(t, MemberPage(pageFor(nuala, "/admin/members/12"), MemberProps{Member: lotte()}))
	has(t, doc, "main form[method=post]", 0)
	says(t, doc, ".facts", "Prefers the telephone.")
	silent := lotte()
	silent.Notes = ""
	doc = draw(t, MemberPage(pageFor(nuala, "/admin/members/12"), MemberProps{Member: silent}))
	if strings.Contains(text(doc, ".card h2"), "Notes") {
		t.Error("a heading over nothing")
	}
}

func TestSecondOfTwoSaversIsShownTheOthersChanges(t *testing.T) {
	theirs := lotte()
	theirs.Version, theirs.Phone, theirs.Notes = 4, "040 550 1001", ""
	mine := MemberValues(lotte())
	mine["phone"] = "040 550 2000"
	doc := draw(t, MemberPage(pageFor(ferit, "/admin/members/12"), MemberProps{
		Member: lotte(), Form: Form{Values: mine}, Stale: &model.StaleError{Theirs: theirs, Fields: []string{"phone", "notes"}},
	}))
	if got := doc.Find("#phone").AttrOr("value", ""); got != "040 550 2000" {
		t.Errorf("my phone became %q", got)
	}
	says(t, doc, "#phone-hint", "They have: 040 550 1001")
	says(t, doc, ".mistakes", "Notes: they left it empty")
	if got := doc.Find("input[name=version]").AttrOr("value", ""); got != "4" {
		t.Errorf("version %q: saving again would be refused again", got)
	}
}

func TestEveryFieldOfTheRecordIsInTheForm(t *testing.T) {
	doc := draw(t, MemberNewPage(pageFor(ferit, "/admin/members/new"), Form{}))
	for _, f := range model.MemberFields {
		has(t, doc, "form [name='"+f.Name+"']", 1)
	}
}
