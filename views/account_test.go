package views

import (
	"strings"
	"testing"
	"time"

	"latchkey/db/model"
)

func TestSettingsTabReadsAsThePhoneCallGoes(t *testing.T) {
	doc := draw(t, settingsPage(anna, sent()))
	var order []string
	for _, h := range doc.Find("#account-panel h2").EachIter() {
		order = append(order, spaced(h.Text()))
	}
	want := "Why can’t they sign in? / What we sent / The life of the link / Account Details"
	if got := strings.Join(order, " / "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestStatusMessage(t *testing.T) {
	doc := draw(t, settingsPage(anna, sent()))
	says(t, doc, "#reset-status[role=status] .message", "Reset password email sent.")
	says(t, doc, "#reset-status", "Today at 10:42, asked for by Anna Berg")
	says(t, doc, "#reset-status", "Works for 7 days more, until Sun 29 Nov, 10:42")
	says(t, doc, "#reset-status", "Sending again before tomorrow at 02:42 sends this same link.")
	says(t, doc, "#letter-state p", "Letter to lotte.brandt@example.org: accepted by the mail server today at 10:42.")
	says(t, doc, "#letter-state samp", "250 2.0.0 Ok: queued as 4F1B")
	link := doc.Find("#reset-status [data-reset-link]")
	if link.AttrOr("data-reset-link", "") != linkURL || link.AttrOr("value", "") != linkURL {
		t.Error("the link is not there to be copied")
	}
	copyButton := doc.Find("button[data-copy=reset-link]")
	if copyButton.AttrOr("data-copied", "") != "/admin/members/12/password-resets/copied" || copyButton.AttrOr("name", "")+"="+copyButton.AttrOr("value", "") != "reset=9" {
		t.Error("copying is told to nobody")
	}
	has(t, doc, "#reset-status details form[action='/admin/members/12/password-resets/cancel'][method=post]", 1)
}

func TestNoStatusMessageLeavesItsPlaceEmpty(t *testing.T) {
	doc := draw(t, settingsPage(anna, sent(func(r *model.AccountRecord) { r.Status = nil })))
	if got := doc.Find("#reset-status[role=status]"); got.Length() != 1 || got.Contents().Length() != 0 {
		t.Error("the container is missing or not empty")
	}
	has(t, doc, "[data-reset-link]", 0)
}

func TestHiddenLinkSaysWhy(t *testing.T) {
	const reason = "Only somebody with a role above this account's may see its link."
	doc := draw(t, settingsPage(nuala, sent(func(r *model.AccountRecord) {
		r.Status.Link, r.Status.LinkHidden = model.Secret{}, reason
	})))
	says(t, doc, "#reset-status", reason)
	has(t, doc, "[data-reset-link], [data-copy]", 0)
}

func TestLetterIsAskedForUntilItIsSettled(t *testing.T) {
	for _, c := range []struct {
		state model.LetterState
		code  int
		reply string
		says  string
		polls bool
		class string
	}{
		{model.LetterWaiting, 0, "", "waiting to leave", true, ""},
		{model.LetterSending, 0, "", "leaving now", true, ""},
		{model.LetterRetrying, 451, "4.7.1 Greylisted", "not taken yet", true, ""},
		{model.LetterAccepted, 250, "2.0.0 Ok", "accepted by the mail server", false, "sent"},
		{model.LetterFailed, 550, "5.1.1 User unknown", "There is no such mailbox.", false, "refused"},
		{model.LetterFailed, 0, "i/o timeout", "could not be reached", false, "refused"},
		{model.LetterBounced, 550, "550 5.1.1 User unknown", "There is no such mailbox.", false, "refused"},
		{model.LetterBounced, 0, "5.7.1", "does not take letters from us", false, "refused"},
		{model.LetterBounced, 0, "4.4.7 gave up", "Their mail server could not be reached", false, "refused"},
		{model.LetterBounced, 0, "", "bounced: it came back", false, "refused"},
		{model.LetterWithdrawn, 0, "", "its link ended first", false, ""},
		{model.LetterCaptured, 0, "", "no mail server", false, ""},
	} {
		t.Run(string(c.state)+" "+c.reply, func(t *testing.T) {
			r := sent(letterIs(c.state, c.code, c.reply))
			part := draw(t, LetterPart(pageFor(ferit, "/"), r))
			says(t, part, "#letter-state", c.says)
			if c.reply != "" {
				says(t, part, "#letter-state samp", c.reply)
			}
			polls := part.Find("#letter-state[hx-get='/admin/members/12/password-resets/letter'][hx-trigger='every 2s']").Length() == 1
			if polls != c.polls {
				t.Errorf("polls: %v", polls)
			}
			html, err := part.Html()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(html, "mfrggzdfmztwq2lk") {
				t.Error("the poll carries the link")
			}
			tag := draw(t, ResetStatus(pageFor(ferit, "/"), 12, r.Status)).Find(".tag")
			if got := strings.TrimSpace(strings.TrimPrefix(tag.AttrOr("class", ""), "tag")); got != c.class {
				t.Errorf("looks %q, want %q", got, c.class)
			}
			if got := part.Find("#letter-state").AttrOr("data-tag", "none"); got != c.class {
				t.Errorf("the poll has it look %q, want %q", got, c.class)
			}
			has(t, part, "#badges[hx-swap-oob]", 1)
			has(t, part, "#why[hx-swap-oob]", 1)
		})
	}
}

func TestHeldBackLetterSaysWhatToDo(t *testing.T) {
	r := sent(letterIs(model.LetterWaiting, 0, ""), func(r *model.AccountRecord) { r.Status.HeldBack = true })
	doc := draw(t, settingsPage(anna, r))
	says(t, doc, "#letter-state", "held back.")
	has(t, doc, "#reset-status .tag.sent", 0)
}

func TestLifeLineGrowsStationByStation(t *testing.T) {
	at := func(ago time.Duration) time.Time { return now.Add(-ago) }
	opened := func(r *model.AccountRecord) { r.Latest.OpenedAt = at(9 * time.Minute) }
	used := func(r *model.AccountRecord) {
		r.Latest.EndedAt, r.Latest.EndReason, r.Status = at(8*time.Minute), model.EndUsed, nil
	}
	for _, c := range []struct {
		name    string
		record  model.AccountRecord
		reached string // what each station says has happened, in order
		tip     int    // index of the key's bit, -1 when it is in the lock
		end     string
	}{
		{"asked", sent(letterIs(model.LetterWaiting, 0, "")), "yes no no no", 0, "It ends in 7 days (Sun 29 Nov, 10:42)"},
		{"accepted", sent(), "yes yes no no", 1, "It ends in 7 days"},
		{"refused", sent(letterIs(model.LetterFailed, 550, "no")), "yes broken no no", 0, "It ends in 7 days"},
		{"opened", sent(opened), "yes yes yes no", 2, "It ends in 7 days"},
		{"handed over, opened", sent(letterIs(model.LetterFailed, 550, "no"), opened), "yes broken yes no", 2, "It ends in 7 days"},
		{"bounced", sent(letterIs(model.LetterBounced, 550, "no")), "yes broken no no", 0, "It ends in 7 days"},
		{"used", sent(opened, used), "yes yes yes yes", -1, "It did its work."},
		{"cancelled", sent(func(r *model.AccountRecord) {
			r.Latest.EndedAt, r.Latest.EndReason = at(time.Minute), model.EndCancelled
		}), "yes yes no no", 1, "It was cancelled today at 11:04"},
		{"replaced", sent(func(r *model.AccountRecord) {
			r.Latest.EndedAt, r.Latest.EndReason = at(time.Minute), model.EndReplaced
		}), "yes yes no no", 1, "A newer link replaced it today at 11:04"},
		{"expired", sent(func(r *model.AccountRecord) { r.Latest.ExpiresAt = now }), "yes yes no no", 1, "It expired today at 11:05"},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := draw(t, settingsPage(ferit, c.record))
			list := doc.Find("ol.life > li")
			if list.Length() != 4 {
				t.Fatalf("%d stations", list.Length())
			}
			var reached []string
			for i, li := range list.EachIter() {
				switch {
				case li.HasClass("broken"):
					reached = append(reached, "broken")
				case li.HasClass("reached"):
					reached = append(reached, "yes")
				default:
					reached = append(reached, "no")
				}
				if (li.Find("svg.bit").Length() == 1) != (i == c.tip) {
					t.Errorf("station %d: the bit stands elsewhere", i)
				}
				if li.HasClass("reached") != (li.Find("time").Length() == 1 && !li.HasClass("broken")) {
					t.Errorf("station %d: time and drawing disagree", i)
				}
			}
			if got := strings.Join(reached, " "); got != c.reached {
				t.Errorf("reached %s, want %s", got, c.reached)
			}
			says(t, doc, ".life-end", c.end)
		})
	}
}

func TestALifeLineWithoutALetterSaysWhy(t *testing.T) {
	forgotten := sent(func(r *model.AccountRecord) { r.LastLetter, r.Status = nil, nil })
	says(t, draw(t, settingsPage(ferit, forgotten)), "ol.life", "not known any more")
	forgotten.Latest.Email = ""
	says(t, draw(t, settingsPage(ferit, forgotten)), "ol.life", "no email address")
}

func TestARefusedActStandsBesideTheStatusMessage(t *testing.T) {
	f := AccountForm{Refused: "This account is disabled."}
	page := draw(t, MemberSettingsPage(pageFor(ferit, "/"), sent(), f))
	says(t, page, "main > .mistakes[role=alert]", f.Refused)
	has(t, page, "main > .said:not([hidden])", 0)
	part := draw(t, MemberSettingsPart(pageFor(ferit, "/"), sent(), f))
	says(t, part, "#refused[role=alert][hx-swap-oob] .mistakes", f.Refused)
	has(t, part, "[data-reset-link]", 1)
	has(t, draw(t, MemberSettingsPart(pageFor(ferit, "/"), sent(), AccountForm{})), "#refused[hx-swap-oob] *", 0)
}

func TestNoLifeLineWithoutALink(t *testing.T) {
	doc := draw(t, settingsPage(ferit, sent(withoutAccount)))
	has(t, doc, "#life-line[hidden]", 1)
	has(t, doc, "ol.life", 0)
}

func TestWithoutAnAccountThereIsCreateUser(t *testing.T) {
	doc := draw(t, settingsPage(ferit, sent(withoutAccount)))
	form := doc.Find("form[action='/admin/members/12/account'][method=post]")
	if form.Length() != 1 || spaced(form.Find("button").Text()) != "Create User" {
		t.Fatal("no Create User")
	}
	if got := form.Find("input[name=email]").AttrOr("value", ""); got != "lotte.brandt@example.org" {
		t.Errorf("prefilled with %q", got)
	}
	has(t, doc, "#send-reset", 0)
	has(t, doc, "#why a.button[href='#account']", 1)
	says(t, doc, "#email-hint", "From the record; it may differ.")
	has(t, draw(t, settingsPage(nuala, sent(withoutAccount))), "#account form", 0)
	unreachable := draw(t, settingsPage(ferit, sent(withoutAccount, func(r *model.AccountRecord) { r.Member.Email = "" })))
	if got := text(unreachable, "#email-hint"); got == "" || strings.Contains(got, "From the record") {
		t.Errorf("without an email in the record the hint is %q", got)
	}
}

func TestTakenEmailNamesThePersonWithAWayThere(t *testing.T) {
	taken := &model.EmailTakenError{Holders: []model.Person{{MemberID: 13, Name: "Otto Brandt"}}, Sentence: "People of one household may share it."}
	f := AccountForm{Form: Form{Values: map[string]string{"email": "typed@example.org"}}, Taken: taken}
	p := pageFor(ferit, "/admin/members/12/settings")

	doc := draw(t, MemberSettingsPage(p, sent(withoutAccount), f))
	says(t, doc, "#email-wrong", "Otto Brandt")
	has(t, doc, "#email-wrong a[href='/admin/members/13']", 1)
	has(t, doc, "#email[aria-invalid=true][value='typed@example.org']", 1)
	has(t, doc, "button[name=share]", 0)

	taken.MayShare = true
	has(t, draw(t, MemberSettingsPage(p, sent(withoutAccount), f)), "#account button[name=share][value='1']", 1)

	f.Changing = true
	doc = draw(t, MemberSettingsPage(p, sent(), f))
	has(t, doc, "details[open] form[action='/admin/members/12/account/email'] button[name=share]", 1)
}

// Who may press what is decided in the model; the page offers nothing that
// would be refused.
func TestActsOfferedByRole(t *testing.T) {
	member, colleague, boss := model.RoleMember, model.RoleStaff, model.RoleOwner
	for _, c := range []struct {
		name   string
		actor  *model.Actor
		target model.Role
		send   int
		acts   int // change email, disable, delete
		role   int
	}{
		{"viewer", nuala, member, 0, 0, 0},
		{"staff over member", ferit, member, 1, 3, 0},
		{"staff over staff", ferit, colleague, 1, 0, 0},
		{"staff over owner", ferit, boss, 0, 0, 0},
		{"owner over staff", anna, colleague, 1, 3, 1},
		{"owner over owner", anna, boss, 1, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := draw(t, settingsPage(c.actor, sent(func(r *model.AccountRecord) { r.Account.Role = c.target })))
			has(t, doc, "form[action$='/password-resets']", c.send)
			has(t, doc, "form[action$='/account/email'], form[action$='/account/disable'], form[action$='/account/delete']", c.acts)
			has(t, doc, "form[action$='/account/role']", c.role)
		})
	}
}

func TestDisabledAccountIsEnabledNotSent(t *testing.T) {
	doc := draw(t, settingsPage(ferit, sent(func(r *model.AccountRecord) {
		r.Account.DisabledAt, r.Status = now.Add(-time.Hour), nil
	})))
	has(t, doc, "#send-reset", 0)
	has(t, doc, "#why form[action$='/account/enable']", 1)
	says(t, doc, ".record-head .badges", "Disabled")
}

func TestOneNextStep(t *testing.T) {
	doc := draw(t, settingsPage(ferit, sent(func(r *model.AccountRecord) { r.Status, r.Latest, r.LastLetter = nil, nil, nil })))
	says(t, doc, "#why .advice", "Send a password reset.")
	has(t, doc, "#why button:not(.quiet), #why .button:not(.quiet)", 1)

	doc = draw(t, settingsPage(ferit, sent(letterIs(model.LetterFailed, 550, "no"))))
	says(t, doc, "#why .button:not(.quiet)", "Go to the link below")
	has(t, doc, "#why button:not(.quiet), #why .button:not(.quiet)", 1)
	says(t, doc, "#why button.quiet", "Send Password Reset")
}

func TestDifferingContactEmailIsOnePressAway(t *testing.T) {
	r := sent(func(r *model.AccountRecord) { r.Member.Email = "lotte@brandt.example" })
	has(t, draw(t, settingsPage(ferit, r)), "#account input[type=hidden][name=email][value='lotte@brandt.example']", 1)
	has(t, draw(t, settingsPage(ferit, sent())), "#account input[type=hidden][name=email]", 0)
}

func TestAnswerToAnActBringsEveryPartThatChanged(t *testing.T) {
	doc := draw(t, MemberSettingsPart(pageFor(ferit, "/"), sent(), AccountForm{}))
	has(t, doc, "html > body > .tag", 1)
	for _, id := range []string{"#badges", "#why", "#life-line", "#account"} {
		has(t, doc, id+"[hx-swap-oob=outerMorph]", 1)
	}
	has(t, draw(t, settingsPage(ferit, sent())), "[hx-swap-oob]", 0)

	cancelled := sent(func(r *model.AccountRecord) {
		r.Latest.EndedAt, r.Latest.EndReason, r.Status = now, model.EndCancelled, nil
	})
	says(t, draw(t, MemberSettingsPart(pageFor(ferit, "/"), cancelled, AccountForm{})), ".said", "The link is cancelled.")
}
