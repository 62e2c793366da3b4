package model

import (
	"strings"
	"time"
	"unicode"
)

// NextStep is the one thing that helps now.
type NextStep string

// The steps that the "Why can't they sign in?" panel can recommend.
const (
	StepNone       NextStep = ""
	StepCreateUser NextStep = "create"  // there is no account yet
	StepEnable     NextStep = "enable"  // the account is disabled
	StepSend       NextStep = "send"    // send a link
	StepCopy       NextStep = "copy"    // the link stands below: hand it over
	StepWait       NextStep = "wait"    // the letter is on its way, or sign-in is slowed for a moment
	StepAskThem    NextStep = "ask"     // the letter was taken or opened: ask what they see
	StepOwner      NextStep = "owner"   // somebody with a higher role has to do it
	StepClear      NextStep = "clear"   // the second factor may be lost
	StepAddress    NextStep = "address" // there is neither email nor member number
)

// Fact is one line of the panel. Trouble marks what stands in the way.
type Fact struct {
	Text    string
	At      time.Time // zero, or when it happened
	Trouble bool

	// A mail server's own words, where the page shows them nowhere else.
	Code  int
	Reply string
}

// Why is the panel "Why can't they sign in?": what is known, and one next
// step.
type Why struct {
	Facts    []Fact
	Step     NextStep
	StepText string // one sentence that says what to do and why
}

// Explain reads the facts of a record and recommends one step. The record's
// own Why is not looked at. maySend says whether the person looking may send
// this account a link.
func (r AccountRecord) Explain(maySend bool, now time.Time) Why {
	var w Why
	fact := func(trouble bool, at time.Time, text string) {
		w.Facts = append(w.Facts, Fact{Text: text, At: at, Trouble: trouble})
	}
	step := func(s NextStep, text string) Why {
		if !maySend && (s == StepSend || s == StepEnable || s == StepCopy || s == StepClear) {
			s, text = StepOwner, "This needs somebody with a role above this account's."
		}
		w.Step, w.StepText = s, text
		return w
	}

	a := r.Account
	if a == nil {
		fact(true, time.Time{}, "There is no account yet, so there is nothing to sign in to.")
		if r.Near != nil {
			fact(true, r.Near.At, r.tried())
		}
		if !maySend {
			return step(StepOwner, "Ask a member of staff to create the account.")
		}
		if r.Member.Email == "" && r.Member.MemberNo == "" {
			return step(StepAddress, "Add an email address or a member number, then create the account.")
		}
		return step(StepCreateUser, "Create the account below. The first letter goes out with it.")
	}
	if a.Disabled() {
		fact(true, a.DisabledAt, "The account is disabled.")
		return step(StepEnable, "Enable it if they may sign in again. They get a new link then.")
	}
	if a.HasPassword {
		fact(false, a.PasswordSetAt, "A password is set.")
	} else if a.PasswordSetAt.IsZero() {
		fact(true, time.Time{}, "No password was ever set.")
	} else {
		fact(true, time.Time{}, "The password they had does not work any more.")
	}
	if a.LastSignInAt.IsZero() {
		fact(!a.HasPassword, time.Time{}, "They never signed in.")
	} else {
		fact(false, a.LastSignInAt, "They last signed in.")
	}
	if !r.FactorDue.IsZero() && !now.Before(r.FactorDue) {
		fact(true, r.FactorDue, "They need a second step when they sign in, and the time to set one up is over. The office is closed to them until they did.")
	}
	if a.HasFactor() {
		fact(false, a.Factor.At, "Signing in takes a second step: "+r.Factors.Words()+".")
	}
	if r.SlowedFor > 0 {
		fact(true, now.Add(r.SlowedFor), "Too many wrong tries: the next one is possible then. A link works at any time.")
	}
	if len(r.SharedWith) > 0 {
		fact(false, time.Time{}, "They share the address with "+names(r.SharedWith)+". Each has a link and a password of their own.")
	}

	if a.HasFactor() && !a.Factor.DoubtedAt.IsZero() {
		fact(true, a.Factor.DoubtedAt, "They said it wasn’t them who chose the last password. The second step was set up after that, and may be somebody else’s.")
		return step(StepClear, "Make sure that it is them, and ask whether they set up the second step. If not, clear it: a new password alone would not let them in.")
	}
	if a.HasFactor() && !a.Factor.WantedAt.IsZero() && !a.Factor.WantedAt.Before(a.PasswordSetAt) {
		fact(true, a.Factor.WantedAt, "The password was right then, but no second step has been given since.")
		return step(StepClear, "Ask for their telephone, passkey or recovery codes. If they lost them all, clear the second step; a new password would not help.")
	}

	link := r.Latest
	if r.Failing != nil && (link == nil || link.EndReason == EndUsed || link.EndReason == EndCancelled || r.LastLetter == nil || !r.LastLetter.State.missed()) {
		w.Facts = append(w.Facts, r.refusal(*r.Failing)) // else that of the link is said with it
	}
	near := a.StillNear(r.Near)
	if near {
		fact(true, r.Near.At, r.tried())
	}
	send := func(text string) Why {
		if r.Failing != nil {
			text += " Then copy it and hand it over: letters to " + r.Failing.To + " do not arrive. " + r.afterRefusal(*r.Failing)
		}
		return step(StepSend, text)
	}
	switch {
	case near && (link == nil || !r.Near.At.Before(link.AskedAt)): // nobody has helped since
		return send(r.meant())
	case link == nil:
		return send("Send a password reset. The link is good for days, so there is no hurry.")
	case link.EndReason == EndUsed:
		fact(false, link.EndedAt, "They set a password with the last link.")
		if r.SlowedFor > 0 {
			return send("Sign-in is slowed after wrong tries. Send a new link: it works at once.")
		}
		if !a.LastSignInAt.Before(link.EndedAt) {
			return send("It worked since then. If they forgot the password again, send a new link.")
		}
		return step(StepAskThem, "Ask what they type: "+quoted(a.Login(len(r.SharedWith) > 0))+" and the new password. Or send a new link.")
	case link.EndReason == EndNotMe:
		fact(true, link.EndedAt, "They said it wasn’t them who asked for the last link, which ended it.")
		return step(StepSend, "Ask whether they want a link now, and send a new one.")
	case link.EndReason == EndCancelled:
		fact(true, link.EndedAt, "The last link was cancelled.")
		return send("Send a new one.")
	case !link.Live(*a, now):
		fact(true, link.ExpiresAt, "The last link expired before it was used.")
		switch l := r.LastLetter; {
		case !link.OpenedAt.IsZero():
			fact(false, link.OpenedAt, "It was opened, by them or by a mail scanner, but no password was set.")
		case l == nil:
		case l.State.missed():
			w.Facts = append(w.Facts, r.refusal(*l))
		case l.State == LetterAccepted:
			fact(false, l.SettledAt, "The mail server took the letter to "+l.To+", but nobody opened the link.")
		}
		return send("Send a new one.")
	}
	return r.explainLive(*link, func(f Fact) { w.Facts = append(w.Facts, f) }, step, now)
}

// StillNear reports whether an address that nearly was the account's may be why
// its holder does not get in: they have not been in since, nor set a password,
// and the account has not come to have that address.
func (a Account) StillNear(n *NearLogin) bool {
	return n != nil && a.LastSignInAt.Before(n.At) && a.PasswordSetAt.Before(n.At) && EmailKey(a.Email) != n.Typed
}

// tried says what somebody typed. That it was the member is not known: whoever
// wants the office to change an address types one as well.
func (r AccountRecord) tried() string {
	typed := r.Near.Typed
	switch {
	case typed == EmailKey(r.Member.Email) && r.Account == nil:
		return "A link was asked for with " + typed + ", the contact email."
	case typed == EmailKey(r.Member.Email):
		return "A link was asked for with " + typed + ": the contact email, but not the account's."
	}
	meant := r.Member.Email
	if r.Account != nil && r.Account.Email != "" {
		meant = r.Account.Email
	}
	if OtherAlphabet(typed, meant) {
		typed += " (with letters of another alphabet in it)"
	}
	if r.Account != nil {
		return "A link was asked for with " + typed + ": nearly the address of this account."
	}
	return "A link was asked for with " + typed + ": nearly the contact email."
}

// OtherAlphabet reports whether an address has letters that the one it nearly is
// has not: they may look the same (Unicode Technical Standard 39, §4).
func OtherAlphabet(typed, meant string) bool { return !ascii(typed) && ascii(meant) }

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// meant is what to do about an address that was nearly right.
func (r AccountRecord) meant() string {
	login := r.Account.Login(len(r.SharedWith) > 0)
	if r.Account.Email == "" {
		return "Tell them to sign in with " + quoted(login) + ", and send a new link. If they gave you the other address themselves, write it into the account first."
	}
	return "Tell them that their address here is " + r.Account.Email + ", and send the link there. " +
		"If the other one is right, change the email below instead: but be sure who is calling, for anybody may have typed it."
}

// refusal is a letter that did not arrive.
func (r AccountRecord) refusal(l Letter) Fact {
	text := "The mail server refused the letter to " + l.To + ". "
	if l.State == LetterBounced {
		text = "The letter to " + l.To + " bounced: it was taken, and came back. "
	}
	return r.inTheirWords(Fact{Trouble: true, At: l.SettledAt, Text: text + PlainReply(l.Code, l.Reply)}, l)
}

// inTheirWords adds the mail server's, unless the status message shows them.
func (r AccountRecord) inTheirWords(f Fact, l Letter) Fact {
	if r.Status == nil || r.Status.Letter == nil || r.Status.Letter.ID != l.ID {
		f.Code, f.Reply = l.Code, l.Reply
	}
	return f
}

// explainLive: a link is out there. Is it the letter, or the last step?
func (r AccountRecord) explainLive(link Reset, add func(Fact), step func(NextStep, string) Why, now time.Time) Why {
	fact := func(trouble bool, at time.Time, text string) { add(Fact{Text: text, At: at, Trouble: trouble}) }
	shown := link.Shown(*r.Account, now)
	opened := func() Why {
		fact(false, link.OpenedAt, "The link was opened, by them or by a mail scanner, but no password was set.")
		return step(StepAskThem, "Ask what they see. The link still works; it can be opened as often as they like.")
	}
	handOver := func(text string) Why {
		switch {
		case !link.OpenedAt.IsZero(): // it was handed over already
			return opened()
		case !shown:
			return step(StepSend, text+" Send a new one first.")
		case r.Status != nil && r.Status.LinkHidden != "":
			return step(StepOwner, r.Status.LinkHidden)
		}
		return step(StepCopy, text)
	}
	l := r.LastLetter
	if l != nil && l.Kind == LetterSecured {
		fact(true, l.CreatedAt, "They said it wasn’t them who chose the last password. It does not work any more; a new link went out.")
	}
	switch {
	case l == nil && link.Email != "" && !link.SpokenAt.IsZero():
		fact(false, link.SpokenAt, "A code was read out; no letter was sent.")
		return handOver("Copy the link below and hand it over another way.")
	case l == nil:
		fact(true, time.Time{}, "There is no email address on the account.")
		return handOver("Copy the link below and hand it over another way.")
	case l.State == LetterCaptured:
		fact(true, time.Time{}, "No mail server is set up, so no letter left.")
		return handOver("Copy the link below and hand it over another way.")
	case l.State.missed():
		add(r.refusal(*l))
		return handOver("The link solves today: copy it and hand it over. " + r.afterRefusal(*l))
	case !l.State.Settled() && r.Status != nil && r.Status.HeldBack:
		fact(true, l.CreatedAt, "The letter to "+l.To+" is held back: the portal’s address is this very computer’s.")
		return step(StepOwner, "No letter leaves until the portal has its real address: an owner writes it in the settings.")
	case !l.State.Settled():
		tried := l.State == LetterRetrying || l.Attempts > 1
		fact(tried, l.CreatedAt, "The letter to "+l.To+" is on its way.")
		if tried {
			add(r.inTheirWords(Fact{Trouble: true, Text: PlainReply(l.Code, l.Reply)}, *l))
			return handOver("The mail server did not take it yet; it is tried again by itself. Copy the link if they are in a hurry.")
		}
		return step(StepWait, "Wait a moment. It leaves within seconds.")
	case l.State == LetterAccepted && link.OpenedAt.IsZero():
		fact(false, l.SettledAt, "The mail server took the letter to "+l.To+".")
		switch {
		case !l.DelayedAt.IsZero():
			fact(true, l.DelayedAt, "It waits at a server on its way, which keeps trying.")
			return handOver("The letter may come late, or come back. Copy the link if they are in a hurry.")
		case !shown:
			return step(StepAskThem, "Ask them to look in the junk folder. If it is not there, send a new one.")
		case r.Status != nil && r.Status.LinkHidden != "":
			return step(StepAskThem, "Ask them to look in the junk folder. If it is not there, the same link can be sent again.")
		}
		return step(StepAskThem, "Ask them to look in the junk folder. If it is not there, copy the link and hand it over.")
	case !link.OpenedAt.IsZero():
		return opened()
	}
	return handOver("The letter did not leave. Copy the link and hand it over.")
}

// afterRefusal says what keeps the next letter from failing like this one.
func (r AccountRecord) afterRefusal(l Letter) string {
	switch why := readReply(l.Code, l.Reply); why {
	case refusedAddress, refusedDomain, refusedSpelling:
		return "Later letters will fail too: check the address."
	case refusedFull:
		return "Later letters will fail too until they make room in their mailbox."
	case refusedSignIn, refusedEncryption, refusedNoServer, refusedNoDoor, refusedRelay, refusedSender:
		return "Letters to everybody fail like this: an owner should look at the mail settings."
	case refusedBlocked, refusedEither, refusedForGood:
		if r.SenderDomain == "" {
			return "Later letters will fail too: check the address."
		}
		return "Later letters will fail too: their IT should allow " + r.SenderDomain + ", or change the email."
	}
	if l.State == LetterBounced {
		return "Later letters may come back too: check the address."
	}
	return "The next letter may get through."
}

func names(people []Person) string {
	all := make([]string, len(people))
	for i, p := range people {
		all[i] = p.Name
	}
	if n := len(all); n > 1 {
		return strings.Join(all[:n-1], ", ") + " and " + all[n-1]
	}
	return all[0]
}

func quoted(s string) string { return "“" + s + "”" }
