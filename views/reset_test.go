package views

import (
	"strings"
	"testing"
	"time"

	"latchkey/db/model"
)

func TestEndedLinkSaysWhatHappenedAndOffersOneStep(t *testing.T) {
	for _, c := range []struct {
		state    model.ResetState
		disabled bool
		says     string
		action   string // of its one form, "" if there is none
	}{
		{model.ResetExpired, false, "This password reset link has expired.", "/reset/renew"},
		{model.ResetReplaced, false, "A newer letter was sent today at 10:05.", "/reset/renew"},
		{model.ResetUsed, false, "Your password is already changed.", "/reset/renew"},
		{model.ResetCancelled, false, "This link was cancelled.", "/reset/renew"},
		{model.ResetCancelled, true, "Please ring the office", ""},
		{model.ResetUnknown, false, "This link does not open anything.", "/forgot-password"},
	} {
		t.Run(string(c.state), func(t *testing.T) {
			token := model.NewSecret("thetoken")
			doc := draw(t, ResetEndedPage(pageFor(stranger, "/reset"), EndedProps{State: c.state, Token: token, Disabled: c.disabled, When: now.Add(-time.Hour)}))
			says(t, doc, "main", c.says)
			forms := doc.Find("main form[method=post]")
			if c.action == "" {
				if forms.Length() != 0 {
					t.Error("there is a press where only the office can help")
				}
				return
			}
			if forms.Length() != 1 || forms.AttrOr("action", "") != c.action {
				t.Fatalf("%d forms, the first to %s", forms.Length(), forms.AttrOr("action", ""))
			}
			if c.action == "/reset/renew" && forms.Find("input[name=token]").AttrOr("value", "") != "thetoken" {
				t.Error("the form does not say which link")
			}
		})
	}
}

func TestNoLetterIsPromisedWhereNoneCanLeave(t *testing.T) {
	p := pageFor(stranger, "/reset")
	for _, state := range []model.ResetState{model.ResetExpired, model.ResetReplaced, model.ResetUsed, model.ResetCancelled} {
		t.Run(string(state), func(t *testing.T) {
			e := EndedProps{State: state, Token: model.NewSecret("thetoken"), NoEmail: true}
			doc := draw(t, ResetEndedPage(p, e))
			says(t, doc, "main", "ring the office: they can give you a new link.")
			has(t, doc, "main form", 0)

			e.NoEmail = false
			doc = draw(t, ResetEndedPage(mailless(p), e))
			says(t, doc, "main form button", "Ask for a new link")
			if words := text(doc, "main"); strings.Contains(words, "send") || strings.Contains(words, "sent") {
				t.Errorf("promises a letter: %s", words)
			}
		})
	}
	says(t, draw(t, ResetRenewedPage(p, false)), "main p", "A letter is on its way")
	says(t, draw(t, ResetRenewedPage(p, true)), "main p", "Please ring the office: they can give you a new link.")
	says(t, draw(t, ResetRenewedPage(mailless(p), false)), "main p", "The office can see that you asked.")
	says(t, draw(t, ForgotSentPage(mailless(p))), "main p", "Please ring them for the link.")
	demo := mailless(p)
	demo.Demo = true
	says(t, draw(t, ResetRenewedPage(demo, false)), "main p", "A letter is on its way")
	has(t, draw(t, ForgotSentPage(demo)), "a[href='/demo/letters']", 1)
}

func TestResetPageSaysWhosePasswordItIs(t *testing.T) {
	r := ResetProps{Token: model.NewSecret("thetoken"), Name: "Lotte Brandt", Username: "1042", UsernameLabel: "member number", Password: NewPassword{Least: 12, Label: "New password"}, Expires: now.Add(3 * time.Hour)}
	doc := draw(t, ResetPage(pageFor(stranger, "/reset"), r))
	says(t, doc, ".for", "For Lotte Brandt")
	says(t, doc, "label[for=username]", "You sign in with this member number")
	says(t, doc, "#password-hint", "At least 12 characters.")
	says(t, doc, "main", "This link works until today at 14:05")
	if doc.Find("form[action='/reset'] input[type=hidden][name=token]").AttrOr("value", "") != "thetoken" {
		t.Error("the form carries no token")
	}
	if strings.Contains(text(doc, "main"), "signed in as") {
		t.Error("speaks of somebody who is not signed in")
	}

	r.SignedInAs = "Otto Brandt"
	says(t, draw(t, ResetPage(pageFor(stranger, "/reset"), r)), ".said", "This browser is signed in as Otto Brandt. The password you choose here is for Lotte Brandt.")
}

func TestForgotAnswersInTheExactWords(t *testing.T) {
	says(t, draw(t, ForgotSentPage(pageFor(stranger, "/forgot-password"))), "main p",
		"If we know that address, a letter is on its way. Check your junk folder; if nothing came in 10 to 15 minutes, ask again or ring the office.")
}
