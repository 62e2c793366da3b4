package views

import (
	"strings"
	"testing"
	"time"

	"latchkey/db/model"
)

// lettersFailing is a page of the log with one letter that was refused.
func lettersFailing() model.LetterPage {
	l := model.LetterRow{
		Letter: model.Letter{ID: 3, Kind: model.LetterReset, To: "lotte.brandt@example.org", State: model.LetterFailed, Code: 552, Reply: "5.2.2 over quota", CreatedAt: now.Add(-time.Hour)},
		People: []model.Person{{MemberID: 12, AccountID: 5, Name: "Lotte Brandt"}, {MemberID: 13, AccountID: 6, Name: "Otto <Brandt>"}},
	}
	return model.LetterPage{
		Rows: []model.LetterRow{l}, Older: 3, Newer: 3,
		Totals: map[model.LetterFilter]int{model.LettersAll: 1240, model.LettersAccepted: 1180, model.LettersWaiting: 3, model.LettersFailed: 21},
	}
}

// lettersPage is the page of Lotte's password letter in a state.
func lettersPage(state model.LetterState) LetterPageProps {
	loc := now.Location()
	c := model.LetterContents{
		Letter: model.Letter{ID: 3, Kind: model.LetterReset, To: "lotte.brandt@example.org", MessageID: "ABC@members.example", State: state, AskedKind: model.ByPerson,
			Code: 451, Reply: "4.7.1 Greylisted", CreatedAt: now.Add(-time.Hour), SettledAt: now, DueAt: now.Add(time.Minute), Attempts: 2},
		Name: "Lotte Brandt", Association: "Harbour Rowing Club", Portal: "members.example.org", BaseURL: "https://members.example.org",
		From: "no-reply@example.org", TimeZone: loc, RequestedBy: "Anna Berg",
		Links: []model.LetterLink{{Name: "Lotte Brandt", Expires: now.AddDate(0, 0, 7)}},
	}
	r := model.LetterRecord{
		Contents: c, AskedBy: "Anna Berg", AgainTo: c.To,
		People: []model.Person{{MemberID: 12, AccountID: 5, Name: "Lotte Brandt"}},
		Attempts: []model.LetterAttempt{
			{StartedAt: now.Add(-30 * time.Hour)},
			{StartedAt: now.Add(-time.Hour), EndedAt: now.Add(-time.Hour + 2*time.Second), Code: 451, Reply: "4.7.1 Greylisted"},
		},
	}
	if state.Settled() {
		r.NotStopped = "It is not waiting any more."
	}
	said, err := ComposeBlank(c)
	if err != nil {
		panic(err)
	}
	return LetterPageProps{Letter: r, Said: &said}
}

func TestTheLogSaysWhatBecameOfEachLetter(t *testing.T) {
	doc := draw(t, LettersPage(pageFor(nuala, "/admin/letters"), lettersFailing(), model.LetterQuery{}))
	says(t, doc, ".tally", "1,180 accepted, 3 waiting, 21 failed")
	says(t, doc, "caption", "1 of 1,240 letters")
	says(t, doc, ".letters tbody .who small", "Their mailbox is full.")
	says(t, doc, ".letters tbody .people", "Otto <Brandt>")
	says(t, doc, ".letters .badge.trouble", "Failed")
	has(t, doc, `.letters .who a[href="/admin/letters/3"]`, 1)
	has(t, doc, `.letters .people a[href="/admin/members/12/settings"]`, 1)
	has(t, doc, `.pager a[rel=next][href="/admin/letters?before=3"]`, 1)
	has(t, doc, `.pager a[rel=prev][href="/admin/letters?after=3"]`, 1)
	has(t, doc, `nav a[href="/admin/letters"][aria-current=page]`, 1)
	has(t, doc, `form.seek[action="/admin/letters"] input[name=state]`, len(model.LetterFilters))
}

func TestAnEmptyLogSaysSoKindly(t *testing.T) {
	for want, q := range map[string]model.LetterQuery{
		"No letter yet.": {}, "No letter failed.": {Filter: model.LettersFailed}, "No letter found for “lotte”.": {Text: " lotte "},
	} {
		says(t, draw(t, LettersPart(pageFor(anna, "/"), model.LetterPage{}, q)), "h2", want)
		says(t, draw(t, LettersPart(pageFor(anna, "/"), model.LetterPage{}, q)), "#letters-said", want)
	}
}

func TestTheAddressOfTheLogHoldsWhatWasAsked(t *testing.T) {
	for want, q := range map[string]model.LetterQuery{
		"/admin/letters": {Text: "  "},
		"/admin/letters?q=a%26b&state=failed&before=7":   {Text: "a&b", Filter: model.LettersFailed, Before: 7},
		"/admin/letters?state=waiting&account=5&after=9": {AccountID: 5, After: 9, Filter: model.LettersWaiting},
	} {
		if got := LettersURL(q); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestALettersPageShowsItsWayAndHowItLooked(t *testing.T) {
	doc := draw(t, LetterPage(pageFor(ferit, "/admin/letters/3"), lettersPage(model.LetterRetrying)))
	says(t, doc, "h1", "Choose a new password for Harbour Rowing Club")
	says(t, doc, "#letter-fate", "not taken yet. Their mail server asks senders it does not know yet to come back in a few minutes. It is tried again")
	says(t, doc, "#letter-fate samp", "451 4.7.1 Greylisted")
	says(t, doc, ".tries", "05:05:00 The portal stopped in the middle")
	says(t, doc, ".tries", "10:05:00 Their mail server asks")
	says(t, doc, ".letter-text", "https://members.example.org/reset/[left out]")
	says(t, doc, ".known-by", "by Anna Berg")
	has(t, doc, `#letter-fate[hx-get="/admin/letters/3"][hx-trigger="every 2s"]`, 1)
	has(t, doc, `form[action="/admin/letters/3/again"][method=post]`, 1)
	has(t, doc, `details form[action="/admin/letters/3/stop"][method=post]`, 1)
	has(t, doc, `a[href="/admin/letters/3/html"]`, 1)
}

func TestASettledLetterIsNotAskedForAgain(t *testing.T) {
	l := lettersPage(model.LetterFailed)
	doc := draw(t, LetterFatePart(pageFor(ferit, "/admin/letters/3"), l.Letter))
	has(t, doc, "[hx-get]", 0)
	has(t, doc, "#letter-acts[hx-swap-oob]", 1)
	has(t, doc, `form[action="/admin/letters/3/stop"]`, 0)
	doc = draw(t, LetterFatePart(pageFor(ferit, "/admin/letters/3"), lettersPage(model.LetterSending).Letter))
	has(t, doc, "#letter-acts", 0) // somebody may just be opening them
	has(t, doc, "#letter-attempts[hx-swap-oob]", 1)

	l.Letter.NotAgain = "Your role lets you look, not change."
	doc = draw(t, LetterPage(pageFor(nuala, "/admin/letters/3"), l))
	has(t, doc, "#letter-acts form", 0)
	says(t, doc, "#letter-acts", "lets you look")

	l.Letter.NotAgain, l.Letter.AgainTo = "", "new@example.org"
	says(t, draw(t, LetterPage(pageFor(ferit, "/"), l)), "#letter-acts", "It goes to new@example.org")
	l.Said = nil
	says(t, draw(t, LetterPage(pageFor(ferit, "/"), l)), "main", "can’t be put together any more")
}

func TestALetterThatCameBackSaysSoInTheLog(t *testing.T) {
	came := lettersFailing()
	came.Rows[0].State, came.Rows[0].Code, came.Rows[0].Reply = model.LetterBounced, 550, "5.1.1 User unknown"
	doc := draw(t, LettersPage(pageFor(nuala, "/admin/letters"), came, model.LetterQuery{}))
	says(t, doc, ".letters .badge.trouble", "Came back")
	says(t, doc, ".letters tbody .who small", "There is no such mailbox.")

	l := lettersPage(model.LetterBounced)
	l.Letter.Attempts[1].Code, l.Letter.Attempts[1].Reply = 250, "2.0.0 Ok: queued"
	doc = draw(t, LetterPage(pageFor(ferit, "/"), l))
	says(t, doc, ".record-head .badge.trouble", "Came back")
	says(t, doc, ".tries", "10:05:00 Accepted by the mail server.")
}

// A state that the log has no word for would be shown as one that waits.
func TestEverySettledStateHasItsOwnBadge(t *testing.T) {
	seen := map[string]model.LetterState{}
	for _, s := range model.LettersAll.States() {
		_, words := letterBadge(&model.Letter{State: s})
		if other, twice := seen[words]; twice {
			t.Errorf("%s and %s are both %q", s, other, words)
		}
		seen[words] = s
	}
}

func TestAStoppedLetterSaysWhoStoppedIt(t *testing.T) {
	l := lettersPage(model.LetterWithdrawn)
	l.Letter.Contents.Stopped, l.Letter.StoppedBy = true, "Anna Berg"
	doc := draw(t, LetterPage(pageFor(ferit, "/"), l))
	says(t, doc, "#letter-fate", "stopped by the office before it left.")
	says(t, doc, "#letter-fate", "Stopped by Anna Berg.")
	says(t, doc, ".record-head .badge", "Stopped")
}

// Whatever the kind, and whatever a link looks like in it: a letter in the log
// opens nothing.
func TestABlankLetterHoldsNothingThatOpens(t *testing.T) {
	for _, k := range letterKinds {
		c := letterTo(t, k)
		c.RequestedBy = strings.Repeat("abcde234", 5) // as if a secret came in by another way
		said, err := ComposeBlank(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{said.Subject, said.Text, said.HTML} {
			if opens.MatchString(part) || strings.Contains(part, " href=") {
				t.Errorf("%s:\n%s", k, part)
			}
		}
		if k == model.LetterEmailConfirm {
			if !strings.Contains(said.Text, "/email/"+blank) || c.Links[0].URL.Reveal() != oneEmail {
				t.Errorf("%s: no place is left blank, or the caller's letter is changed", k)
			}
			continue
		}
		if k.CarriesLink() && (!strings.Contains(said.Text, "/reset/"+blank) || c.Links[0].URL.Reveal() != oneLink) {
			t.Errorf("%s: no place is left blank, or the caller's letter is changed", k)
		}
		if (k.CarriesLink() || k == model.LetterPasswordChanged) && !strings.Contains(said.Text, "/not-me/"+blank) {
			t.Errorf("%s: no place is left blank where it could be answered", k)
		}
	}
}

func TestTheRecordLeadsToItsLetters(t *testing.T) {
	doc := draw(t, settingsPage(ferit, sent()))
	has(t, doc, `#letter-state a[href="/admin/letters/3"]`, 1)
	has(t, doc, `#life-line a[href="/admin/letters?account=5"]`, 1)
	says(t, draw(t, settingsPage(ferit, sent(func(r *model.AccountRecord) {
		r.LastLetter.State, r.LastLetter.Stopped = model.LetterWithdrawn, true
	}))), "#life-line", "stopped by the office")
}

// What never left is called the same above the list and in it.
func TestAFilterIsCalledLikeItsRows(t *testing.T) {
	for filter, state := range map[model.LetterFilter]model.LetterState{
		model.LettersAccepted: model.LetterAccepted, model.LettersFailed: model.LetterFailed,
		model.LettersWithdrawn: model.LetterWithdrawn, model.LettersCaptured: model.LetterCaptured,
	} {
		_, badge := letterBadge(&model.Letter{State: state})
		if name := letterFilterName(filter); name != badge {
			t.Errorf("%q shows what is %q", name, badge)
		}
	}
}
