package views

import (
	"cmp"
	"strings"

	"github.com/a-h/templ"

	"latchkey/db/model"
)

// The forms of acts are answered in place by htmx and work without it. An
// answer without a status message empties its place (swapEmpty), as after
// Cancel link. What else an act changed is morphed: that keeps the focus where
// it was, also on a button that stays.

// openAct begins the form of an act on a member's account.
func (ink *pen) openAct(memberID int64, path string) {
	ink.raw(`<form method="post" action="`)
	ink.memberURL(memberID, path)
	ink.raw(`" hx-post="`)
	ink.memberURL(memberID, path)
	ink.raw(`" hx-target="#reset-status" hx-swap="innerHTML swapEmpty:true">`)
}

// openPost begins a form that leads to another page.
func (ink *pen) openPost(memberID int64, path string) {
	ink.raw(`<form method="post" action="`)
	ink.memberURL(memberID, path)
	ink.raw(`">`)
}

// openPart begins a part of the tab; out of band it stands in the answer to an
// act, beside the part that was asked for.
func (ink *pen) openPart(tag, id, class string, oob bool) {
	ink.raw(`<`, tag, ` id="`, id, `"`)
	if class != "" {
		ink.raw(` class="`, class, `"`)
	}
	if oob {
		ink.raw(` hx-swap-oob="outerMorph"`)
	}
	ink.raw(">")
}

// firstSentence takes the advice apart: its first sentence is read at a
// glance, the rest explains it.
func firstSentence(text string) (first, rest string) {
	if i := strings.Index(text, ". "); i > 0 {
		return text[:i+1], text[i+2:]
	}
	return text, ""
}

// Why is the panel "Why can't they sign in?": the facts, then one next step.
func Why(p Page, r *model.AccountRecord, oob bool) templ.Component {
	return drawn(p, func(ink *pen) {
		ink.openPart("section", "why", "", oob)
		ink.raw(`<h2>Why can’t they sign in?</h2><div><ul class="signs">`)
		for _, fact := range r.Why.Facts {
			ink.raw("<li>")
			if fact.Trouble {
				ink.icon("alert")
			} else {
				ink.icon("done")
			}
			ink.text(fact.Text)
			if !fact.At.IsZero() {
				ink.raw(" ")
				ink.moment(fact.At)
			}
			if fact.Reply != "" {
				ink.raw(" <samp>")
				ink.text(serverWords(fact.Code, fact.Reply))
				ink.raw("</samp>")
			}
			ink.raw("</li>")
		}
		ink.raw(`</ul><div class="next">`)
		if advice, rest := firstSentence(r.Why.StepText); advice != "" {
			ink.raw(`<p class="advice">`)
			ink.text(advice)
			ink.raw("</p>")
			if rest != "" {
				ink.raw("<p>")
				ink.text(rest)
				ink.raw("</p>")
			}
		}
		ink.step(r)
		ink.raw("</div></div></section>")
	})
}

func (ink *pen) step(r *model.AccountRecord) {
	id, p := r.Member.ID, ink.page
	ink.raw(`<div class="acts">`)
	switch r.Why.Step {
	case model.StepAddress:
		if p.mayEdit() {
			ink.raw(`<a class="button" href="`)
			ink.memberURL(id, "")
			ink.raw(`">Add an address</a>`)
		}
	case model.StepEnable:
		if r.Account != nil && mayGovern(p, r.Account) {
			ink.enable(id, "")
		}
	case model.StepCopy:
		ink.raw(`<a class="button" href="#reset-link">Go to the link below</a>`)
	case model.StepCreateUser:
		ink.raw(`<a class="button" href="#account">Go to the form below</a>`)
	case model.StepClear:
		if r.Account == nil || !mayGovern(p, r.Account) {
			break
		}
		ink.raw(`<a class="button" href="#account">Go to the account below</a>`)
	}
	if r.Account != nil && !r.Account.Disabled() && p.Actor != nil && p.Actor.MaySend(*r.Account) == nil {
		ink.openAct(id, "/password-resets")
		ink.raw(`<button id="send-reset" type="submit"`)
		if r.Why.Step != model.StepSend {
			ink.raw(` class="quiet"`)
		}
		ink.raw(`>Send Password Reset</button></form>`)
	}
	ink.raw("</div>")
}

func (ink *pen) enable(memberID int64, class string) {
	ink.openPost(memberID, "/account/enable")
	ink.raw(`<button class="`, class, `">Enable the account</button></form>`)
}

// AccountDetails is the account itself, or the form that makes one.
func AccountDetails(p Page, r *model.AccountRecord, f AccountForm, oob bool) templ.Component {
	return drawn(p, func(ink *pen) {
		ink.openPart("section", "account", "", oob)
		ink.raw("<h2>Account Details</h2><div>")
		if r.Account == nil {
			ink.createUser(r, f)
		} else {
			ink.accountFacts(r)
			ink.accountActs(r, f)
		}
		ink.raw("</div></section>")
	})
}

func (ink *pen) createUser(r *model.AccountRecord, f AccountForm) {
	if !ink.page.mayEdit() {
		ink.raw(`<p class="soft">No account. Staff can create one.</p>`)
		return
	}
	ink.openAct(r.Member.ID, "/account")
	ink.emailField(f, r.Member.Email, "Email to sign in", createHint(r.Member))
	ink.raw(`<button type="submit">Create User</button>`)
	ink.shareButton(f, "Share it and create the account")
	ink.raw("</form>")
}

func createHint(m model.Member) string {
	var hint string
	if m.Email != "" {
		hint = "From the record; it may differ. "
	}
	if m.MemberNo != "" {
		hint += "It may stay empty: member number " + m.MemberNo + " will do to sign in."
	}
	return strings.TrimSpace(hint)
}

// emailField names the person who has the address already, with the way to
// their record.
func (ink *pen) emailField(f AccountForm, stored, label, hint string) {
	in := Input{Name: "email", Label: label, Type: "email", Autocomplete: "off", Hint: hint}
	ink.openField(in)
	// Not of type email: the sentence about a slip in it is ours.
	ink.raw(`<input id="email" name="email" inputmode="email" value="`)
	ink.text(f.email(stored))
	ink.raw(`"`)
	ink.attributes(f.marked(), in)
	ink.raw(">")
	if f.Taken == nil {
		ink.remarks(f.Form, in)
	} else {
		ink.raw(`<small id="email-wrong" class="wrong">`)
		ink.icon("alert")
		ink.raw("This is the address of <span>")
		ink.people(f.Taken.Holders)
		ink.raw("</span>.")
		if f.Taken.Sentence != "" {
			ink.raw(" <span>")
			ink.text(f.Taken.Sentence)
			ink.raw("</span>")
		}
		ink.raw("</small>")
		ink.hint(in)
	}
	ink.raw("</div>")
}

func (f AccountForm) email(stored string) string {
	if typed, ok := f.Values["email"]; ok {
		return typed
	}
	return stored
}

// marked is the form with a mark on the email when it is taken.
func (f AccountForm) marked() Form {
	if f.Taken == nil {
		return f.Form
	}
	return Form{Values: f.Values, Errors: model.Fields{"email": "taken"}}
}

func (ink *pen) shareButton(f AccountForm, text string) {
	if f.Taken != nil && f.Taken.MayShare {
		ink.raw(`<button type="submit" class="quiet" name="share" value="1">`, text, `</button>`)
	}
}

func (ink *pen) accountFacts(r *model.AccountRecord) {
	a := r.Account
	ink.raw(`<dl class="facts"><div><dt>Email to sign in</dt><dd><p>`)
	if a.Email == "" {
		ink.raw("None: signs in with member number ")
		ink.text(a.MemberNo)
	} else {
		ink.text(a.Email)
	}
	ink.raw("</p>")
	if len(r.SharedWith) > 0 {
		ink.raw(`<p class="soft">Shared with <span>`)
		ink.people(r.SharedWith)
		ink.raw("</span></p>")
	}
	if c := r.NewEmail; c != nil {
		to := "another one"
		if ink.page.mayEdit() {
			to = c.To
		}
		ink.raw(`<p class="soft">They asked for `)
		ink.text(to)
		ink.raw(" <span>")
		ink.moment(c.AskedAt)
		ink.raw("</span>. It counts once they open the link in the letter there, until <span>")
		ink.clock(c.ExpiresAt, ink.page.until(c.ExpiresAt))
		ink.raw("</span>.</p>")
	}
	if r.Member.Email != "" && model.EmailKey(r.Member.Email) != model.EmailKey(a.Email) {
		ink.raw(`<p class="soft">Differs from the contact email, `)
		ink.text(r.Member.Email)
		ink.raw(".")
		if !r.ChoseEmailAt.IsZero() {
			ink.raw(" They changed it themselves <span>")
			ink.moment(r.ChoseEmailAt)
			ink.raw("</span>: perhaps the record is out of date.")
		}
		ink.raw("</p>")
		if mayGovern(ink.page, a) {
			ink.openPost(r.Member.ID, "/account/email")
			ink.raw(`<input type="hidden" name="email" value="`)
			ink.text(r.Member.Email)
			ink.raw(`"><button class="quiet">Use that one and send</button></form>`)
		}
	}
	ink.raw("</dd></div><div><dt>Role</dt><dd>", roleName(a.Role))
	if a.PendingRole != "" {
		ink.raw(`<p class="soft">`, roleName(a.PendingRole), ` once a new password is set through the letter.</p>`)
	}
	ink.raw("</dd></div><div><dt>Made</dt><dd>")
	ink.moment(a.CreatedAt)
	ink.raw("</dd></div><div><dt>Last sign-in</dt><dd>")
	if a.LastSignInAt.IsZero() {
		ink.raw("Never")
	} else {
		ink.moment(a.LastSignInAt)
	}
	ink.raw("</dd></div><div><dt>Password set</dt><dd>")
	if a.PasswordSetAt.IsZero() {
		ink.raw("Not yet")
	} else if !a.HasPassword {
		ink.raw("None that works any more")
	} else {
		ink.moment(a.PasswordSetAt)
	}
	ink.raw("</dd></div>")
	ink.factorFact(r)
	ink.raw("<div><dt>Signed in now</dt><dd>")
	if len(r.Sessions) == 0 {
		ink.raw("Nowhere")
	}
	for _, s := range r.Sessions {
		ink.raw("<div>")
		ink.text(deviceName(s))
		ink.raw(` <span class="soft">last seen <span>`)
		ink.moment(s.LastSeenAt)
		ink.raw("</span></span></div>")
	}
	ink.raw("</dd></div></dl>")
}

func deviceName(s model.Session) string {
	return capital(cmp.Or(s.Device, model.Device("")))
}

func mayGovern(p Page, a *model.Account) bool { return p.Actor != nil && p.Actor.MayGovern(*a) == nil }

// accountActs are the acts on an account. Each asks once more, by a <details>
// that needs no script.
func (ink *pen) accountActs(r *model.AccountRecord, f AccountForm) {
	if !ink.page.mayEdit() {
		return
	}
	if err := ink.page.Actor.MayGovern(*r.Account); err != nil {
		ink.raw(`<p class="life-end">`)
		ink.text(sentence(err))
		ink.raw("</p>")
		return
	}
	id := r.Member.ID
	ink.raw(`<div class="acts"><details class="ask"`)
	if f.Changing {
		ink.raw(" open")
	}
	ink.raw(`><summary class="button quiet">Change email</summary><div>`)
	ink.openPost(id, "/account/email")
	ink.emailField(f, "", "New email", "Open links and sessions end now. The former address gets a notice, the new one a link to choose a password.")
	ink.raw(`<button type="submit">Change and send</button>`)
	ink.shareButton(f, "Share it, change and send")
	ink.raw("</form></div></details>")
	if ink.page.mayOwn() {
		ink.roleForm(r.Account)
	}
	if len(r.Sessions) > 0 {
		ink.openAsk(id, "/sessions/end", "Sign out everywhere", "Ends every session of this account. The password stays.")
		ink.raw("<button>Sign out everywhere</button>")
		ink.closeAsk()
	}
	ink.clearFactor(r)
	if r.Account.Disabled() {
		ink.enable(id, "quiet")
	} else {
		ink.openAsk(id, "/account/disable", "Disable", r.Member.Name()+" can’t sign in until you enable the account again. Open links and sessions end now.")
		ink.raw(`<button class="grave">Disable the account</button>`)
		ink.closeAsk()
	}
	ink.openAsk(id, "/account/delete", "Delete account", "The record stays, the sign-in goes: links and sessions end, the password is forgotten.")
	ink.raw(`<button class="grave">Delete the account</button>`)
	ink.closeAsk()
	ink.raw("</div>")
}

// openAsk begins the question before an act; its button is for the caller.
func (ink *pen) openAsk(memberID int64, path, act, explained string) {
	ink.raw(`<details class="ask"><summary class="button quiet">`, act, `</summary><div><p>`)
	ink.text(explained)
	ink.raw("</p>")
	ink.openPost(memberID, path)
}

func (ink *pen) closeAsk() { ink.raw("</form></div></details>") }

func (ink *pen) roleForm(a *model.Account) {
	ink.raw(`<details class="ask"><summary class="button quiet">Change role</summary><div>`)
	ink.openPost(a.MemberID, "/account/role")
	ink.raw(`<div class="field"><label for="role-`)
	ink.number(a.ID)
	ink.raw(`">Role of `)
	ink.text(a.Name)
	ink.raw(`</label> <select id="role-`)
	ink.number(a.ID)
	ink.raw(`" name="role">`)
	for _, role := range model.Roles {
		ink.option(string(role), roleName(role)+": "+roleMeans(role), role == a.Role)
	}
	ink.raw(`</select> <small class="hint">A higher role takes effect once a new password is set through a letter that nobody here can see.</small></div>`,
		`<button>Change role</button></form></div></details>`)
}

func roleMeans(r model.Role) string {
	switch r {
	case model.RoleViewer:
		return "sees records, never links"
	case model.RoleStaff:
		return "edits members and sends resets"
	case model.RoleOwner:
		return "also manages staff and settings"
	}
	return "signs in, nothing more"
}
