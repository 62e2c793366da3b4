package model_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/db/model"
)

// called is the record of ruth, who rings an hour after a link was made for
// her and its letter was taken.
func called() model.AccountRecord {
	a, r := ruth(), link()
	r.AskedAt = noon
	a.PasswordSetAt, a.LastSignInAt = noon.AddDate(0, -6, 0), noon.AddDate(0, -1, 0)
	l := model.Letter{Kind: model.LetterReset, To: a.Email, State: model.LetterAccepted, CreatedAt: noon, SettledAt: noon.Add(time.Second), Attempts: 1}
	return model.AccountRecord{
		Member:  model.Member{ID: 21, FirstName: "Ruth", LastName: "Adler", Email: a.Email, MemberNo: "M-21"},
		Account: &a, Latest: &r, LastLetter: &l,
		Status: &model.ResetStatus{Reset: r, Letter: &l, Link: model.NewSecret("https://members.example.org/reset/x")},
	}
}

func TestWhyTheyCannotSignIn(t *testing.T) {
	hour, tail := noon.Add(time.Hour), noon.Add(20*time.Hour) // inside the window, after it
	end := func(r *model.AccountRecord, reason model.EndReason, at time.Time) {
		r.Latest.EndReason, r.Latest.EndedAt, r.Status = reason, at, nil
	}
	letter := func(s model.LetterState, attempts int) func(*model.AccountRecord) {
		return func(r *model.AccountRecord) {
			r.LastLetter.State, r.LastLetter.Attempts = s, attempts
			if !s.Settled() {
				r.LastLetter.SettledAt = time.Time{}
			}
		}
	}
	refused := func(code int, reply string) func(*model.AccountRecord) {
		return func(r *model.AccountRecord) {
			letter(model.LetterFailed, 1)(r)
			r.SenderDomain, r.LastLetter.Code, r.LastLetter.Reply = "riverside.example", code, reply
		}
	}
	near := func(typed string, at time.Time) func(*model.AccountRecord) {
		return func(r *model.AccountRecord) { r.Near = &model.NearLogin{ID: 1, Typed: typed, At: at} }
	}
	both := func(changes ...func(*model.AccountRecord)) func(*model.AccountRecord) {
		return func(r *model.AccountRecord) {
			for _, change := range changes {
				change(r)
			}
		}
	}
	none := func(r *model.AccountRecord) { r.Latest, r.LastLetter, r.Status = nil, nil, nil }
	failing := func(r *model.AccountRecord) {
		r.Failing = &model.Letter{ID: 9, Kind: model.LetterPasswordChanged, To: r.Account.Email, State: model.LetterFailed, SettledAt: noon, Code: 550, Reply: "5.1.1 user unknown"}
	}
	tests := []struct {
		name     string
		change   func(*model.AccountRecord)
		mayNot   bool // send
		now      time.Time
		step     model.NextStep
		text     string // part of the step's sentence
		fact     string // part of one fact
		trouble  bool   // of that fact
		factTime time.Time
	}{
		{"no account", func(r *model.AccountRecord) { r.Account, r.Latest, r.LastLetter, r.Status = nil, nil, nil, nil }, false, hour,
			model.StepCreateUser, "Create the account", "no account yet", true, time.Time{}},
		{"no account, and a member number alone", func(r *model.AccountRecord) {
			*r = model.AccountRecord{Member: model.Member{MemberNo: "M-21"}}
		}, false, hour, model.StepCreateUser, "Create the account", "no account yet", true, time.Time{}},
		{"no account, no address, no number", func(r *model.AccountRecord) { *r = model.AccountRecord{} }, false, hour,
			model.StepAddress, "email address or a member number", "no account yet", true, time.Time{}},
		{"no account, and a viewer looks", func(r *model.AccountRecord) { *r = model.AccountRecord{Member: model.Member{Email: "a@b.org"}} }, true, hour,
			model.StepOwner, "staff", "no account yet", true, time.Time{}},
		{"no account, no address, and a viewer looks", func(r *model.AccountRecord) { *r = model.AccountRecord{} }, true, hour,
			model.StepOwner, "staff", "no account yet", true, time.Time{}},

		{"disabled", func(r *model.AccountRecord) { r.Account.DisabledAt = noon }, false, hour,
			model.StepEnable, "Enable", "disabled", true, noon},
		{"disabled, and a viewer looks", func(r *model.AccountRecord) { r.Account.DisabledAt = noon }, true, hour,
			model.StepOwner, "role above", "disabled", true, noon},

		{"never a link", func(r *model.AccountRecord) { r.Latest, r.LastLetter, r.Status = nil, nil, nil }, false, hour,
			model.StepSend, "Send a password reset", "A password is set", false, noon.AddDate(0, -6, 0)},
		{"never a link, and a viewer looks", func(r *model.AccountRecord) { r.Latest, r.LastLetter, r.Status = nil, nil, nil }, true, hour,
			model.StepOwner, "role above", "last signed in", false, noon.AddDate(0, -1, 0)},
		{"never a link nor a password", func(r *model.AccountRecord) {
			r.Latest, r.LastLetter, r.Status = nil, nil, nil
			r.Account.HasPassword, r.Account.PasswordSetAt, r.Account.LastSignInAt = false, time.Time{}, time.Time{}
		}, false, hour, model.StepSend, "Send", "No password was ever set", true, time.Time{}},
		{"a password that was taken away", func(r *model.AccountRecord) {
			r.Latest, r.LastLetter, r.Status = nil, nil, nil
			r.Account.HasPassword = false
		}, false, hour, model.StepSend, "Send", "The password they had does not work any more", true, time.Time{}},
		{"never signed in, without a password", func(r *model.AccountRecord) {
			r.Latest, r.LastLetter, r.Status = nil, nil, nil
			r.Account.HasPassword, r.Account.LastSignInAt = false, time.Time{}
		}, false, hour, model.StepSend, "Send", "never signed in", true, time.Time{}},
		{"never signed in, with a password", func(r *model.AccountRecord) {
			r.Latest, r.LastLetter, r.Status = nil, nil, nil
			r.Account.LastSignInAt = time.Time{}
		}, false, hour, model.StepSend, "Send", "never signed in", false, time.Time{}},

		{"used, then signed in", func(r *model.AccountRecord) {
			end(r, model.EndUsed, noon.Add(time.Minute))
			r.Account.LastSignInAt = noon.Add(2 * time.Minute)
		}, false, hour, model.StepSend, "It worked since then", "set a password with the last link", false, noon.Add(time.Minute)},
		{"used, and signed in that second", func(r *model.AccountRecord) {
			end(r, model.EndUsed, noon.Add(time.Minute))
			r.Account.LastSignInAt = noon.Add(time.Minute)
		}, false, hour, model.StepSend, "It worked since then", "set a password", false, noon.Add(time.Minute)},
		{"used, signed in before alone", func(r *model.AccountRecord) {
			end(r, model.EndUsed, noon.Add(time.Minute))
			r.Account.LastSignInAt = noon.Add(time.Minute - time.Second)
		}, false, hour, model.StepAskThem, "“ruth@example.org”", "set a password", false, noon.Add(time.Minute)},
		{"used, and the address is shared", func(r *model.AccountRecord) {
			end(r, model.EndUsed, noon.Add(time.Minute))
			r.SharedWith = []model.Person{{Name: "Jo Adler"}}
		}, false, hour, model.StepAskThem, "“M-21”", "share the address with Jo Adler.", false, time.Time{}},
		{"used, and slowed", func(r *model.AccountRecord) {
			end(r, model.EndUsed, noon.Add(time.Minute))
			r.SlowedFor = 30 * time.Second
		}, false, hour, model.StepSend, "works at once", "Too many wrong tries", true, hour.Add(30 * time.Second)},
		{"used, and slowed, and a viewer looks", func(r *model.AccountRecord) {
			end(r, model.EndUsed, noon.Add(time.Minute))
			r.SlowedFor = 30 * time.Second
		}, true, hour, model.StepOwner, "role above", "Too many wrong tries", true, hour.Add(30 * time.Second)},

		{"cancelled", func(r *model.AccountRecord) { end(r, model.EndCancelled, noon.Add(time.Minute)) }, false, hour,
			model.StepSend, "Send a new one", "cancelled", true, noon.Add(time.Minute)},
		{"they said it wasn't them", func(r *model.AccountRecord) { end(r, model.EndNotMe, noon.Add(time.Minute)) }, false, hour,
			model.StepSend, "send a new one", "wasn’t them who asked", true, noon.Add(time.Minute)},
		{"they said so after it was used", func(r *model.AccountRecord) { r.LastLetter.Kind = model.LetterSecured }, false, hour,
			model.StepAskThem, "junk folder", "wasn’t them who chose", true, noon},
		{"expired", func(r *model.AccountRecord) { r.Status = nil }, false, noon.Add(7 * day),
			model.StepSend, "Send a new one", "expired before it was used", true, noon.Add(7 * day)},
		{"expired, a second before", func(r *model.AccountRecord) { r.Status = nil }, false, noon.Add(7*day - time.Second),
			model.StepAskThem, "junk folder", "took the letter", false, noon.Add(time.Second)},

		{"no address, in the window", func(r *model.AccountRecord) { r.LastLetter = nil }, false, hour,
			model.StepCopy, "Copy the link below", "no email address", true, time.Time{}},
		{"no address, after the window", func(r *model.AccountRecord) { r.LastLetter, r.Status = nil, nil }, false, tail,
			model.StepSend, "Send a new one first", "no email address", true, time.Time{}},
		{"no mail server, in the window", letter(model.LetterCaptured, 0), false, hour,
			model.StepCopy, "Copy the link below", "No mail server", true, time.Time{}},
		{"no mail server, in the window's last second", letter(model.LetterCaptured, 0), false, noon.Add(16*time.Hour - time.Second),
			model.StepCopy, "Copy the link below", "No mail server", true, time.Time{}},
		{"no mail server, as the window ends", letter(model.LetterCaptured, 0), false, noon.Add(16 * time.Hour),
			model.StepSend, "Send a new one first", "No mail server", true, time.Time{}},
		{"no mail server, and a viewer looks", letter(model.LetterCaptured, 0), true, hour,
			model.StepOwner, "role above", "No mail server", true, time.Time{}},
		{"refused, in the window", refused(550, "5.1.1 user unknown"), false, hour,
			model.StepCopy, "check the address", "refused the letter to ruth@example.org. There is no such mailbox.", true, noon.Add(time.Second)},
		{"refused as spam", refused(550, "5.7.1 blocked"), false, hour,
			model.StepCopy, "their IT should allow riverside.example", "does not take letters from us", true, noon.Add(time.Second)},
		{"refused by a full mailbox", refused(552, "5.2.2 over quota"), false, hour,
			model.StepCopy, "until they make room", "Their mailbox is full.", true, noon.Add(time.Second)},
		{"refused by our own mail server", refused(554, "5.7.1 Relay access denied"), false, hour,
			model.StepCopy, "an owner should look at the mail settings", "does not pass letters on", true, noon.Add(time.Second)},
		{"given up", refused(451, "4.7.1 Greylisted"), false, hour,
			model.StepCopy, "may get through", "come back in a few minutes", true, noon.Add(time.Second)},
		{"put off", func(r *model.AccountRecord) {
			letter(model.LetterRetrying, 2)(r)
			r.LastLetter.Code, r.LastLetter.Reply = 451, "4.7.1 Greylisted"
		}, false, hour, model.StepCopy, "tried again by itself", "come back in a few minutes", true, time.Time{}},
		{"refused, after the window", letter(model.LetterFailed, 1), false, tail,
			model.StepSend, "Send a new one first", "refused the letter", true, noon.Add(time.Second)},
		{"bounced, in the window", letter(model.LetterBounced, 1), false, hour,
			model.StepCopy, "may come back too: check the address", "The letter to ruth@example.org bounced", true, noon.Add(time.Second)},
		{"bounced, after the window", letter(model.LetterBounced, 1), false, tail,
			model.StepSend, "Send a new one first", "bounced", true, noon.Add(time.Second)},
		{"bounced, and a viewer looks", letter(model.LetterBounced, 1), true, hour,
			model.StepOwner, "role above", "bounced", true, noon.Add(time.Second)},
		{"handed over and opened, the letter bounced", func(r *model.AccountRecord) {
			letter(model.LetterBounced, 1)(r)
			r.Latest.OpenedAt = noon.Add(time.Minute)
		}, false, hour, model.StepAskThem, "what they see", "bounced", true, noon.Add(time.Second)},
		{"accepted, and waiting on its way", func(r *model.AccountRecord) { r.LastLetter.DelayedAt = noon.Add(time.Minute) }, false, hour,
			model.StepCopy, "come late", "keeps trying", true, noon.Add(time.Minute)},
		{"waiting", letter(model.LetterWaiting, 0), false, hour,
			model.StepWait, "seconds", "on its way", false, noon},
		{"sending", letter(model.LetterSending, 1), false, hour,
			model.StepWait, "seconds", "on its way", false, noon},
		{"retrying", letter(model.LetterRetrying, 2), false, hour,
			model.StepCopy, "did not take it yet", "on its way", true, noon},
		{"retrying, after the first attempt", letter(model.LetterRetrying, 1), false, hour,
			model.StepCopy, "did not take it yet", "on its way", true, noon},
		{"retrying, after the window", letter(model.LetterRetrying, 9), false, tail,
			model.StepSend, "Send a new one first", "on its way", true, noon},
		{"held back", func(r *model.AccountRecord) {
			letter(model.LetterWaiting, 0)(r)
			r.Status.HeldBack = true
		}, false, hour, model.StepOwner, "settings", "held back", true, noon},
		{"accepted, not opened", func(*model.AccountRecord) {}, false, hour,
			model.StepAskThem, "junk folder", "took the letter to ruth@example.org", false, noon.Add(time.Second)},
		{"accepted, not opened, and a viewer looks", func(*model.AccountRecord) {}, true, hour,
			model.StepAskThem, "junk folder", "took the letter", false, noon.Add(time.Second)},
		{"opened", func(r *model.AccountRecord) { r.Latest.OpenedAt = noon.Add(time.Minute) }, false, hour,
			model.StepAskThem, "what they see", "opened, by them or by a mail scanner", false, noon.Add(time.Minute)},
		{"opened after the window", func(r *model.AccountRecord) { r.Latest.OpenedAt, r.Status = noon.Add(time.Minute), nil }, false, tail,
			model.StepAskThem, "still works", "opened", false, noon.Add(time.Minute)},
		{"handed over and opened, without a mail server", func(r *model.AccountRecord) {
			letter(model.LetterCaptured, 0)(r)
			r.Latest.OpenedAt = noon.Add(time.Minute)
		}, false, hour, model.StepAskThem, "what they see", "opened", false, noon.Add(time.Minute)},
		{"handed over and opened, the letter refused", func(r *model.AccountRecord) {
			letter(model.LetterFailed, 1)(r)
			r.Latest.OpenedAt = noon.Add(time.Minute)
		}, false, hour, model.StepAskThem, "what they see", "refused the letter", true, noon.Add(time.Second)},
		{"withdrawn, yet the link lives", letter(model.LetterWithdrawn, 3), false, hour,
			model.StepCopy, "did not leave", "A password is set", false, noon.AddDate(0, -6, 0)},
		{"a wrong address, and never a link", both(none, near("ruth@exampel.org", noon)), false, hour,
			model.StepSend, "their address here is ruth@example.org, and send the link there", "asked for with ruth@exampel.org: nearly the address of this account", true, noon},
		{"a wrong address, and a viewer looks", both(none, near("ruth@exampel.org", noon)), true, hour,
			model.StepOwner, "role above", "ruth@exampel.org", true, noon},
		{"a wrong address, in another alphabet", both(none, near("ruth@ex\u0430mple.org", noon)), false, hour,
			model.StepSend, "be sure who is calling", "letters of another alphabet", true, noon},
		{"a wrong address, as the link was sent", near("ruth@exampel.org", noon), false, hour,
			model.StepSend, "Tell them", "ruth@exampel.org", true, noon},
		{"a wrong address, a second before the link was sent", near("ruth@exampel.org", noon.Add(-time.Second)), false, hour,
			model.StepAskThem, "junk folder", "ruth@exampel.org", true, noon.Add(-time.Second)},
		{"a wrong address a second after they were in", both(none, near("ruth@exampel.org", noon.AddDate(0, -1, 0).Add(time.Second))), false, hour,
			model.StepSend, "Tell them", "ruth@exampel.org", true, noon.AddDate(0, -1, 0).Add(time.Second)},
		{"a wrong address, and in since", both(none, near("ruth@exampel.org", noon.AddDate(0, -1, 0))), false, hour,
			model.StepSend, "Send a password reset", "A password is set", false, noon.AddDate(0, -6, 0)},
		{"the address that is the account's by now", both(none, near("ruth@example.org", noon)), false, hour,
			model.StepSend, "Send a password reset", "A password is set", false, noon.AddDate(0, -6, 0)},
		{"the contact email, which is not the account's", both(none, near("ruth@home.example", noon), func(r *model.AccountRecord) { r.Member.Email = "Ruth@home.example" }), false, hour,
			model.StepSend, "their address here is ruth@example.org", "the contact email, but not the account's", true, noon},
		{"a wrong address, and signs in with a number", both(none, near("ruth@exampel.org", noon), func(r *model.AccountRecord) { r.Account.Email, r.Account.MemberNo = "", "M-21" }), false, hour,
			model.StepSend, "sign in with “M-21”", "ruth@exampel.org", true, noon},
		{"a wrong address, and no account", both(none, near("ruth@exampel.org", noon), func(r *model.AccountRecord) { r.Account = nil }), false, hour,
			model.StepCreateUser, "Create the account", "nearly the contact email", true, noon},
		{"the contact email, and no account", both(none, near("ruth@example.org", noon), func(r *model.AccountRecord) { r.Account = nil }), false, hour,
			model.StepCreateUser, "Create the account", "the contact email.", true, noon},
		{"a wrong address, and disabled", both(near("ruth@exampel.org", noon), func(r *model.AccountRecord) { r.Account.DisabledAt = noon }), false, hour,
			model.StepEnable, "Enable", "disabled", true, noon},

		{"never a link, and other letters fail", both(none, failing), false, hour,
			model.StepSend, "copy it and hand it over: letters to ruth@example.org do not arrive", "refused the letter to ruth@example.org. There is no such mailbox", true, noon},
		{"cancelled, and other letters fail", both(failing, func(r *model.AccountRecord) { end(r, model.EndCancelled, noon.Add(time.Minute)) }), false, hour,
			model.StepSend, "check the address", "refused the letter", true, noon},
		{"expired, its letter refused", both(refused(550, "5.1.1 user unknown"), func(r *model.AccountRecord) { r.Status, r.Failing = nil, r.LastLetter }), false, noon.Add(7 * day),
			model.StepSend, "do not arrive", "refused the letter to ruth@example.org. There is no such mailbox.", true, noon.Add(time.Second)},
		{"expired, opened and never finished", func(r *model.AccountRecord) { r.Status, r.Latest.OpenedAt = nil, noon.Add(time.Minute) }, false, noon.Add(7 * day),
			model.StepSend, "Send a new one", "opened, by them or by a mail scanner, but no password was set", false, noon.Add(time.Minute)},
		{"expired, never opened", func(r *model.AccountRecord) { r.Status = nil }, false, noon.Add(7 * day),
			model.StepSend, "Send a new one", "took the letter to ruth@example.org, but nobody opened the link", false, noon.Add(time.Second)},

		{"refused, and one's equal looks", func(r *model.AccountRecord) {
			letter(model.LetterFailed, 1)(r)
			r.Status.Link, r.Status.LinkHidden = model.Secret{}, "Only somebody with a role above this account's may see its link."
		}, false, hour, model.StepOwner, "may see its link", "refused the letter", true, noon.Add(time.Second)},
	}
	for _, tt := range tests {
		r := called()
		tt.change(&r)
		w := r.Explain(!tt.mayNot, tt.now)
		if w.Step != tt.step || !strings.Contains(w.StepText, tt.text) {
			t.Errorf("%s: %q, %q; want %q, %q", tt.name, w.Step, w.StepText, tt.step, tt.text)
		}
		i := slices.IndexFunc(w.Facts, func(f model.Fact) bool { return strings.Contains(f.Text, tt.fact) })
		if i < 0 {
			t.Errorf("%s: %q is not among %+v", tt.name, tt.fact, w.Facts)
			continue
		}
		if f := w.Facts[i]; f.Trouble != tt.trouble || !f.At.Equal(tt.factTime) {
			t.Errorf("%s: %+v, want trouble %v at %v", tt.name, f, tt.trouble, tt.factTime)
		}
	}
}

// Whatever came together in a record, the panel gives one step that this
// person can take, and says what it knows.
func TestThereIsAlwaysOneStepThatCanBeTaken(t *testing.T) {
	known := []model.NextStep{
		model.StepCreateUser, model.StepEnable, model.StepSend, model.StepCopy, model.StepWait, model.StepAskThem, model.StepOwner, model.StepAddress,
	}
	flags := []bool{false, true}
	moments := []time.Duration{time.Hour, 16*time.Hour - time.Second, 16 * time.Hour, 7*day - time.Second, 7 * day, 200 * day}
	seen := map[model.NextStep]int{}
	check := func(r model.AccountRecord, maySend bool, now time.Time) {
		t.Helper()
		w := r.Explain(maySend, now)
		seen[w.Step]++
		name := func() string {
			return fmt.Sprintf("account %+v, link %+v, letter %+v, may send %v, at %v", r.Account, r.Latest, r.LastLetter, maySend, now)
		}
		if !slices.Contains(known, w.Step) || w.StepText == "" || len(w.Facts) == 0 {
			t.Fatalf("%s: %+v", name(), w)
		}
		for i, f := range w.Facts {
			if f.Text == "" || slices.ContainsFunc(w.Facts[:i], func(g model.Fact) bool { return g.Text == f.Text }) {
				t.Fatalf("%s: %+v", name(), w.Facts)
			}
		}
		if !maySend && slices.Contains([]model.NextStep{model.StepCreateUser, model.StepAddress, model.StepEnable, model.StepSend, model.StepCopy}, w.Step) {
			t.Fatalf("%s: somebody who may not is told to %s", name(), w.Step)
		}
		if w.Step == model.StepCopy && (r.Status == nil || r.Status.LinkHidden != "") {
			t.Fatalf("%s: a link that is not on the page is to be copied", name())
		}
		if w.Step == model.StepEnable != (maySend && r.Account != nil && r.Account.Disabled()) {
			t.Fatalf("%s: %s", name(), w.Step)
		}
	}
	for _, maySend := range flags {
		for _, email := range flags {
			var r model.AccountRecord
			if email {
				r.Member.Email = "ruth@example.org"
			}
			check(r, maySend, noon)
		}
		for n := range 1 << 8 {
			bit := func(i int) bool { return n>>i&1 == 1 }
			for _, reason := range []model.EndReason{"", model.EndUsed, model.EndReplaced, model.EndCancelled, model.EndNotMe} {
				for _, state := range append([]model.LetterState{""}, letterStates...) {
					for _, at := range moments {
						now := noon.Add(at)
						r := called()
						r.Status = nil
						r.LastLetter.State, r.LastLetter.Attempts = state, 1+n%3
						if bit(0) {
							r.Account.DisabledAt = noon
						}
						if bit(1) {
							r.Account.HasPassword, r.Account.LastSignInAt = false, time.Time{}
						}
						if bit(2) {
							r.SlowedFor = time.Minute
						}
						if bit(3) {
							r.SharedWith = []model.Person{{Name: "Jo Adler"}, {Name: "Max Adler"}, {Name: "Kim Adler"}}
						}
						if bit(4) {
							r.Latest.OpenedAt = noon.Add(time.Minute)
						}
						if reason != "" {
							r.Latest.EndReason, r.Latest.EndedAt = reason, noon.Add(time.Minute)
						}
						if state == "" {
							r.LastLetter = nil
						}
						if bit(6) {
							r.Near = &model.NearLogin{Typed: "ruth@exampel.org", At: noon.Add(time.Minute)}
						}
						if bit(7) {
							r.Failing = &model.Letter{ID: 9, To: "ruth@example.org", State: model.LetterBounced, SettledAt: noon.Add(-time.Hour)}
						}
						if r.Latest.Shown(*r.Account, now) {
							r.Status = &model.ResetStatus{Reset: *r.Latest, Letter: r.LastLetter}
							if bit(5) {
								r.Status.LinkHidden = "Nobody may see it."
							}
						}
						check(r, maySend, now)
					}
				}
			}
		}
	}
	for _, s := range known {
		if seen[s] == 0 {
			t.Errorf("%s is never recommended", s)
		}
	}
}

func TestThoseWhoShareAreNamedInASentence(t *testing.T) {
	for want, names := range map[string][]string{
		"with Jo. Each": {"Jo"}, "with Jo and Max. Each": {"Jo", "Max"}, "with Jo, Max and Kim. Each": {"Jo", "Max", "Kim"},
	} {
		r := called()
		for _, n := range names {
			r.SharedWith = append(r.SharedWith, model.Person{Name: n})
		}
		w := r.Explain(true, noon)
		if !slices.ContainsFunc(w.Facts, func(f model.Fact) bool { return strings.Contains(f.Text, want) }) {
			t.Errorf("%q is not in %+v", want, w.Facts)
		}
	}
}

func TestExplainingChangesNothing(t *testing.T) {
	r := called()
	a, l, letter := *r.Account, *r.Latest, *r.LastLetter
	first := fmt.Sprintf("%+v", r.Explain(true, noon))
	r.Why = model.Why{Step: model.StepEnable, Facts: []model.Fact{{Text: "old"}}}
	if second := fmt.Sprintf("%+v", r.Explain(true, noon)); second != first {
		t.Errorf("first %s, then %s", first, second)
	}
	if *r.Account != a || *r.Latest != l || *r.LastLetter != letter {
		t.Error("the record was changed")
	}
}

func TestThePanelNeverShowsTheLink(t *testing.T) {
	r := called()
	r.Status.Link = model.NewSecret(hush)
	for _, state := range letterStates {
		r.LastLetter.State = state
		checkHush(t, "the panel", fmt.Sprintf("%+v", r.Explain(true, noon)))
	}
}

// Where the status message does not show them, the panel does.
func TestThePanelHasTheServersWords(t *testing.T) {
	r := called()
	r.LastLetter.State, r.LastLetter.Code, r.LastLetter.Reply = model.LetterFailed, 550, "5.1.1 user unknown"
	words := func() int {
		n := 0
		for _, f := range r.Explain(true, noon.Add(time.Hour)).Facts {
			if f.Reply == "5.1.1 user unknown" && f.Code == 550 {
				n++
			}
		}
		return n
	}
	if got := words(); got != 0 {
		t.Errorf("beside the status message they stand %d times", got)
	}
	r.Status = nil
	if got := words(); got != 1 {
		t.Errorf("without a status message they stand %d times", got)
	}
}
