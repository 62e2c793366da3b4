package db_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// partners is a portal with two owners, Ruth and Eve, that has sent its
// letters by way of mail.riverside.example for ever.
type partners struct {
	*db.DB
	t         *testing.T
	clock     *dbtest.Clock
	ruth, eve model.Actor
}

var (
	oldServer  = model.MailServer{Host: "mail.riverside.example", Port: 587, User: "club", Password: model.NewSecret("old word")}
	evilServer = model.MailServer{Host: "mail.evil.example", Port: 587}
)

const (
	oldBase = "https://members.riverside.example"
	oldFrom = "post@riverside.example"
)

func newPartners(t *testing.T) *partners {
	t.Helper()
	d, clock := dbtest.OpenIn(t, t.TempDir(), db.Fixed{})
	p := &partners{DB: d, t: t, clock: clock, ruth: dbtest.Owner(t, d)}
	must(t, d.ChangeMail(t.Context(), p.ruth, model.MailChange{BaseURL: oldBase, Mail: oldServer, MailFrom: oldFrom, Current: model.NewSecret(dbtest.OwnerPassword)}))
	p.eve = dbtest.Person(t, d, "Eve Black", model.RoleOwner)
	clock.Add(48 * time.Hour)
	dbtest.Deliver(t, d)
	return p
}

// change is what an owner changes about the present settings.
func (p *partners) change(by model.Actor, change func(c *model.MailChange)) {
	p.t.Helper()
	must(p.t, p.tryChange(by, change))
}

func (p *partners) tryChange(by model.Actor, change func(c *model.MailChange)) error {
	p.t.Helper()
	s, err := p.Settings(p.t.Context())
	must(p.t, err)
	c := model.MailChange{BaseURL: s.BaseURL, Mail: s.Mail, MailFrom: s.MailFrom, ReplyTo: s.ReplyTo, NoticeFrom: s.NoticeFrom, NoticeReplyTo: s.NoticeReplyTo,
		BounceAddress: s.BounceAddress, Current: model.NewSecret(dbtest.Password)}
	if by.AccountID == p.ruth.AccountID {
		c.Current = model.NewSecret(dbtest.OwnerPassword)
	}
	change(&c)
	return p.ChangeMail(p.t.Context(), by, c)
}

func toEvil(c *model.MailChange) { c.Mail, c.BaseURL = evilServer, "https://evil.example" }

// ways lists where letters went: kind, to whom, through which server, and the
// beginning of their links.
func (p *partners) ways() string {
	p.t.Helper()
	var all []string
	for _, l := range dbtest.Deliver(p.t, p.DB) {
		name, _, _ := strings.Cut(l.To, "@")
		way := string(l.Kind) + " to " + name + " by " + l.Server.Host
		for _, link := range l.Links {
			base, _, _ := strings.Cut(link.URL.Reveal(), "/reset/")
			way += " with " + base
		}
		all = append(all, way)
	}
	return strings.Join(all, "\n")
}

func (p *partners) want(what, want string) {
	p.t.Helper()
	if got := p.ways(); got != strings.TrimSpace(want) {
		p.t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}

const noticesByOld = `
settings_changed to ruth by mail.riverside.example
settings_changed to eve.black by mail.riverside.example`

func wantField(t *testing.T, err error, field string) {
	t.Helper()
	e, ok := errors.AsType[*model.Error](err)
	if !ok || e.Fields[field] == "" || len(e.Fields) != 1 {
		t.Errorf("%v, want a word about %s", err, field)
	}
}

func TestNoOwnerCanSendAnotherOwnersLetterElsewhere(t *testing.T) {
	p := newPartners(t)
	anna := dbtest.SignedUp(t, p.DB, "Anna Koch", "anna@example.org")
	dbtest.Deliver(t, p.DB)
	p.change(p.eve, toEvil)
	sendReset(t, p.DB, p.eve, p.ruth.MemberID)
	sendReset(t, p.DB, p.eve, anna)
	sendReset(t, p.DB, p.ruth, p.eve.MemberID)
	p.want("right after the change", noticesByOld+`
reset to ruth by mail.riverside.example with https://members.riverside.example
reset to anna by mail.evil.example with https://evil.example
reset to eve.black by mail.evil.example with https://evil.example`)

	p.clock.Add(model.TrustAfter - 6*time.Second) // a second press within five seconds sends nothing
	sendReset(t, p.DB, p.eve, p.ruth.MemberID)
	p.want("before the trial is over", `reset to ruth by mail.riverside.example with https://members.riverside.example`)
	p.clock.Add(6 * time.Second)
	sendReset(t, p.DB, p.eve, p.ruth.MemberID)
	p.want("when nobody objected for most of a day", `reset to ruth by mail.evil.example with https://evil.example`)
}

// A letter that comes back is returned whole by servers that know no better,
// and its link with it.
func TestNoOwnerCanHaveAnotherOwnersLetterComeBackToThem(t *testing.T) {
	for name, tt := range map[string]struct {
		change    func(c *model.MailChange)
		back      string // where Anna's letter comes back to
		of        func(l model.LetterContents) string
		wantOwner string
	}{
		"by a bounce address": {func(c *model.MailChange) { c.BounceAddress = "eve@evil.example" }, "eve+@evil.example", returnsTo, ""},
		"by the sender":       {func(c *model.MailChange) { c.MailFrom = "eve@evil.example" }, "eve@evil.example", func(l model.LetterContents) string { return l.From }, oldFrom},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPartners(t)
			anna := dbtest.SignedUp(t, p.DB, "Anna Koch", "anna@example.org")
			dbtest.Deliver(t, p.DB)
			p.change(p.eve, tt.change)
			s, err := p.Settings(t.Context())
			must(t, err)
			for _, after := range []time.Duration{0, model.TrustAfter - 10*time.Second, model.TrustAfter} { // a press within five seconds adds nothing
				p.clock.Set(s.Former.ChangedAt.Add(after))
				owner := tt.wantOwner
				if after == model.TrustAfter {
					owner = tt.back
				}
				sendReset(t, p.DB, p.eve, p.ruth.MemberID)
				sendReset(t, p.DB, p.eve, anna)
				for _, l := range dbtest.Deliver(t, p.DB) {
					want := tt.back
					if l.Kind == model.LetterSettingsChanged {
						want = tt.wantOwner
					} else if strings.HasPrefix(l.To, "ruth@") {
						want = owner
					}
					if got := tt.of(l); got != want {
						t.Errorf("after %v, %s to %s comes back to %q, want %q", after, l.Kind, l.To, got, want)
					}
				}
			}
		})
	}
}

// returnsTo is a letter's return path without its number and tag.
func returnsTo(l model.LetterContents) string {
	before, _, _ := strings.Cut(l.ReturnPath, "+")
	if before == "" {
		return ""
	}
	return before + "+" + l.ReturnPath[strings.LastIndexByte(l.ReturnPath, '@'):]
}

// What Eve reads by her server says that it was not Ruth, and has a link sent
// to Ruth, who has no password at that moment.
func TestNoOwnerCanHaveAnotherOneSayThatItWasNotThem(t *testing.T) {
	p := newPartners(t)
	sendReset(t, p.DB, p.eve, p.ruth.MemberID)
	dbtest.Deliver(t, p.DB)
	notMe := dbtest.NotMe(t, p.DB, p.ruth.MemberID)
	p.change(p.eve, toEvil)
	dbtest.SetPassword(t, p.DB, p.ruth.MemberID, dbtest.OwnerPassword)
	p.want("the password that Ruth chose", noticesByOld+"\npassword_changed to ruth by mail.riverside.example")
	sayNotMe(t, p.DB, notMe)
	p.want("the link that follows", `secured to ruth by mail.riverside.example with https://members.riverside.example`)
}

func TestALetterThatWaitsDoesNotLeaveByTheNewServerEither(t *testing.T) {
	p := newPartners(t)
	sendReset(t, p.DB, p.ruth, p.ruth.MemberID)
	p.change(p.eve, toEvil)
	p.want("a letter from before the change", noticesByOld+`
reset to ruth by mail.riverside.example with https://members.riverside.example`)
}

func TestSmallStepsGetNowhereThatALargeOneWouldNot(t *testing.T) {
	for name, first := range map[string]func(c *model.MailChange){
		"a sender that the server will not take": func(c *model.MailChange) { c.MailFrom = "nobody@evil.example" },
		"the same, of notices alone":             func(c *model.MailChange) { c.NoticeFrom = "nobody@evil.example" },
		"a password that is wrong":               func(c *model.MailChange) { c.Mail.Password = model.NewSecret("wrong") },
		"another port":                           func(c *model.MailChange) { c.Mail.Port = 2525 },
		"no mail server at all":                  func(c *model.MailChange) { c.Mail = model.MailServer{} },
		"links to nowhere":                       func(c *model.MailChange) { c.BaseURL = "http://localhost:8080" },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPartners(t)
			p.change(p.eve, first)
			p.change(p.eve, toEvil)
			sendReset(t, p.DB, p.eve, p.ruth.MemberID)
			letters := dbtest.Deliver(t, p.DB)
			if len(letters) != 5 { // two notices each, and the link
				t.Fatalf("%s", dbtest.Kinds(letters))
			}
			for _, l := range letters {
				if !l.Server.Same(oldServer) || l.From != oldFrom || l.BaseURL != oldBase {
					t.Errorf("%s to %s left by %s with its password %q, from %s, with %s", l.Kind, l.To, l.Server.URL(), l.Server.Password.Reveal(), l.From, l.BaseURL)
				}
			}
			p.clock.Add(model.TrustAfter - time.Minute)
			p.change(p.eve, func(c *model.MailChange) { c.Mail.Port = 25 })
			p.clock.Add(time.Hour)
			sendReset(t, p.DB, p.eve, p.ruth.MemberID)
			if got := p.ways(); !strings.Contains(got, "reset to ruth by mail.riverside.example") {
				t.Errorf("a later step ended the trial of the first:\n%s", got)
			}
		})
	}
}

func TestTheNoticeLeavesAlsoWhenNothingElseDoes(t *testing.T) {
	p := newPartners(t)
	p.change(p.eve, func(c *model.MailChange) { c.Mail = model.MailServer{} })
	sendReset(t, p.DB, p.eve, p.ruth.MemberID)
	p.want("after the server was taken away", noticesByOld)
}

// A notice that waits until the trial is over would leave by the new way.
func TestTheNoticeLeavesBeforeWhatWasPiledUp(t *testing.T) {
	p := newPartners(t)
	s, err := p.Settings(t.Context())
	must(t, err)
	s.LettersPerMinute = 1
	must(t, p.ChangeSettings(t.Context(), p.eve, s))
	p.clock.Add(time.Minute)
	for i := range 3 { // it might as well be 1,500
		must(t, p.SendSample(t.Context(), p.eve, model.LetterTest, model.Template{Subject: strings.Repeat("x", i+1), Text: "x", HTML: "<p>x</p>"}))
	}
	sendReset(t, p.DB, p.eve, dbtest.SignedUp(t, p.DB, "Anna Koch", "anna@example.org"))
	p.change(p.eve, toEvil)
	for _, want := range strings.Split(strings.TrimSpace(noticesByOld), "\n") {
		p.want("one letter a minute", want)
		p.clock.Add(time.Minute)
	}
}

func TestAWayThatNobodyTrustedYetIsNoWayForOwners(t *testing.T) {
	d, clock := dbtest.OpenIn(t, t.TempDir(), db.Fixed{BaseURL: oldBase})
	p := &partners{DB: d, t: t, clock: clock, ruth: dbtest.Owner(t, d)}
	_, err := d.MakeOwner(t.Context(), model.ShellActor(), model.NewOwner{Email: "eve.black@riverside.example", Password: model.NewSecret(dbtest.Password)})
	must(t, err)
	p.eve = dbtest.Actor(t, d, "eve.black@riverside.example")
	p.change(p.eve, func(c *model.MailChange) { c.Mail = evilServer })
	sendReset(t, d, p.eve, p.ruth.MemberID)
	p.want("the first mail server", `
settings_changed to ruth by mail.evil.example
settings_changed to eve.black by mail.evil.example`)
	clock.Add(model.TrustAfter)
	p.want("a day later", `reset to ruth by mail.evil.example with https://members.riverside.example`)
}

func TestPutBackEverythingIsAsTrustedAsBefore(t *testing.T) {
	p := newPartners(t)
	p.change(p.eve, toEvil)
	p.change(p.ruth, func(c *model.MailChange) { c.Mail, c.BaseURL = oldServer, oldBase })
	s, err := p.Settings(t.Context())
	must(t, err)
	if s.OnTrial(p.Now()) {
		t.Error("what was put back is on trial")
	}
	sendReset(t, p.DB, p.eve, p.ruth.MemberID)
	p.want("put back", noticesByOld+noticesByOld+"\nreset to ruth by mail.riverside.example with https://members.riverside.example")
}

func TestAnotherPasswordOfTheSameServerIsNoOtherWay(t *testing.T) {
	p := newPartners(t)
	p.change(p.eve, func(c *model.MailChange) { c.Mail.Password = model.NewSecret("new word") })
	sendReset(t, p.DB, p.eve, p.ruth.MemberID)
	for _, l := range dbtest.Deliver(t, p.DB) {
		want := "new word"
		if l.Kind == model.LetterSettingsChanged {
			want = "old word"
		}
		if got := l.Server.Password.Reveal(); got != want {
			t.Errorf("%s with %q", l.Kind, got)
		}
	}
}

func TestTheNoticeSaysWhatAndWhoButNoPassword(t *testing.T) {
	p := newPartners(t)
	p.change(p.eve, func(c *model.MailChange) {
		c.Mail = evilServer
		c.MailFrom = "x@evil.example"
		c.NoticeFrom = "y@evil.example"
	})
	letters := dbtest.Deliver(t, p.DB)
	l := letters[0]
	if l.RequestedBy != "Eve Black" || !l.ChangedAt.Equal(p.Now()) || l.Name != "Ruth Adler" {
		t.Errorf("%+v", l)
	}
	const want = "letters are handed to smtp://mail.evil.example:587 (before: smtp://mail.riverside.example:587); " +
		"there is another user name or password for the mail server; letters come from x@evil.example (before: post@riverside.example); notices come from y@evil.example (before: nothing)"
	if l.What != want {
		t.Errorf("%s", l.What)
	}
	p.change(p.eve, func(c *model.MailChange) { c.ReplyTo = "office@riverside.example" })
	if got := dbtest.Kinds(dbtest.Deliver(t, p.DB)); got != "" {
		t.Errorf("for an address that answers go to: %s", got)
	}
}

func TestTheMailServersPasswordGoesToItsOwnServerAlone(t *testing.T) {
	p := newPartners(t)
	for name, change := range map[string]func(c *model.MailChange){
		"host": func(c *model.MailChange) { c.Mail.Host = "mail.evil.example" },
		"port": func(c *model.MailChange) { c.Mail.Port = 25 },
		"tls":  func(c *model.MailChange) { c.Mail.TLS = true },
		"user": func(c *model.MailChange) { c.Mail.User = "eve" },
	} {
		err := p.tryChange(p.eve, func(c *model.MailChange) { c.Mail.Password = model.Secret{}; change(c) })
		wantField(t, err, "mail_password")
		must(t, p.tryChange(p.eve, func(c *model.MailChange) {
			c.Mail.Password = model.Secret{}
			change(c)
			c.Mail.User = ""
		}))
		if s, err := p.Settings(t.Context()); err != nil || !s.Mail.Password.IsZero() {
			t.Errorf("%s: the password is kept: %v", name, err)
		}
		p.change(p.ruth, func(c *model.MailChange) { c.Mail = oldServer })
	}
	p.change(p.eve, func(c *model.MailChange) { c.Mail.Password = model.Secret{}; c.ReplyTo = "a@example.org" })
	if s, _ := p.Settings(t.Context()); s.Mail.Password.Reveal() != "old word" {
		t.Error("saving something else forgets the password")
	}
}

func TestTheMailSettingsAreChangedByWhoeverKnowsThePassword(t *testing.T) {
	p := newPartners(t)
	with := func(password string) error {
		return p.tryChange(p.ruth, func(c *model.MailChange) { toEvil(c); c.Current = model.NewSecret(password) })
	}
	wantField(t, with(""), "current_password")
	for range 5 {
		wantField(t, with("wrong"), "current_password")
	}
	wantKind(t, with(dbtest.OwnerPassword), model.KindLimited) // five are free, for whatever act
	_, err := p.ChangePassword(t.Context(), p.ruth, model.PasswordChange{Current: model.NewSecret(dbtest.OwnerPassword)})
	wantKind(t, err, model.KindLimited)
	if s, _ := p.Settings(t.Context()); s.Mail.Host != oldServer.Host {
		t.Error("something was changed all the same")
	}
	p.clock.Add(time.Minute)
	must(t, with(dbtest.OwnerPassword))
	staff := dbtest.Person(t, p.DB, "Sara Lund", model.RoleStaff)
	wantKind(t, p.tryChange(staff, toEvil), model.KindForbidden)
	wantKind(t, p.SendTest(t.Context(), staff), model.KindForbidden)
	wantKind(t, p.MakeDKIM(t.Context(), staff, "riverside.example"), model.KindForbidden)
	wantKind(t, p.LeaveUnsigned(t.Context(), staff, "x"), model.KindForbidden)
}

func TestWhatOfTheMailSettingsCannotBeTaken(t *testing.T) {
	p := newPartners(t)
	for name, tt := range map[string]struct {
		field  string
		change func(c *model.MailChange)
	}{
		"a port of something else":    {"mail_port", func(c *model.MailChange) { c.Mail.Port = 22 }},
		"no port":                     {"mail_port", func(c *model.MailChange) { c.Mail.Port = 0 }},
		"a cloud's metadata":          {"mail_host", func(c *model.MailChange) { c.Mail.Host = "169.254.169.254" }},
		"the same, written at length": {"mail_host", func(c *model.MailChange) { c.Mail.Host = "::ffff:169.254.169.254" }},
		"the same, another cloud":     {"mail_host", func(c *model.MailChange) { c.Mail.Host = "100.100.100.200" }},
		"link-local":                  {"mail_host", func(c *model.MailChange) { c.Mail.Host = "fe80::1" }},
		"no address":                  {"mail_host", func(c *model.MailChange) { c.Mail.Host = "0.0.0.0" }},
		"a whole URL":                 {"mail_host", func(c *model.MailChange) { c.Mail.Host = "smtp://mail.example.org" }},
		"a line break in the user":    {"mail_user", func(c *model.MailChange) { c.Mail.User = "a\r\nb" }},
		"a base URL that is none":     {"base_url", func(c *model.MailChange) { c.BaseURL = "evil" }},
		"a sender that is none":       {"mail_from", func(c *model.MailChange) { c.MailFrom = "x" }},
		"an answer that is none":      {"reply_to", func(c *model.MailChange) { c.ReplyTo = "x" }},
		"reports to no address":       {"bounce_address", func(c *model.MailChange) { c.BounceAddress = "bounces" }},
		"no room for a letter's mark": {"bounce_address", func(c *model.MailChange) { c.BounceAddress = strings.Repeat("b", 28) + "@example.org" }},
		"reports that need SMTPUTF8":  {"bounce_address", func(c *model.MailChange) { c.BounceAddress = "zurück@example.org" }},
	} {
		if err := p.tryChange(p.eve, tt.change); err == nil {
			t.Errorf("%s is taken", name)
		} else {
			wantField(t, err, tt.field)
		}
	}
	p.change(p.eve, func(c *model.MailChange) { c.Mail = model.MailServer{Host: "127.0.0.1", Port: 10025} })
}

func TestWhatAFlagDecidesIsNotChangedByAForm(t *testing.T) {
	d, clock := dbtest.OpenIn(t, t.TempDir(), db.Fixed{BaseURL: oldBase, Mail: &oldServer, MailFrom: oldFrom})
	p := &partners{DB: d, t: t, clock: clock, ruth: dbtest.Owner(t, d)}
	p.change(p.ruth, toEvil)
	s, err := d.Settings(t.Context())
	must(t, err)
	if s.Mail.Host != oldServer.Host || s.BaseURL != oldBase || s.OnTrial(d.Now()) {
		t.Errorf("%+v", s)
	}
	p.want("nothing happened", "")
}

func TestATestLetterGoesToOneselfOnce(t *testing.T) {
	p := newPartners(t)
	must(t, p.SendTest(t.Context(), p.eve))
	must(t, p.SendTest(t.Context(), p.eve))
	if l, err := p.TestLetter(t.Context(), p.eve); err != nil || l == nil || l.State != model.LetterWaiting {
		t.Errorf("%+v, %v", l, err)
	}
	p.want("two presses", "test to eve.black by mail.riverside.example")
	l, err := p.TestLetter(t.Context(), p.eve)
	if err != nil || l.State != model.LetterAccepted {
		t.Errorf("%+v, %v", l, err)
	}
	if l, _ := p.TestLetter(t.Context(), p.ruth); l != nil {
		t.Error("one owner is shown another's")
	}
	p.clock.Add(5 * time.Second)
	p.change(p.eve, toEvil)
	must(t, p.SendTest(t.Context(), p.ruth))
	p.want("a test tries the new way, for any owner", noticesByOld+"\ntest to ruth by mail.evil.example")
	p.clock.Add(time.Hour)
	p.change(p.eve, func(c *model.MailChange) { c.Mail = model.MailServer{} })
	wantKind(t, p.SendTest(t.Context(), p.eve), model.KindConflict)
}

func TestATestLetterIsOneForADoubleClickAndShownForAnHour(t *testing.T) {
	p := newPartners(t)
	must(t, p.SendTest(t.Context(), p.eve))
	p.clock.Add(model.DoubleClick - time.Second)
	must(t, p.SendTest(t.Context(), p.eve))
	p.want("a double click", "test to eve.black by mail.riverside.example")
	p.clock.Add(time.Second)
	must(t, p.SendTest(t.Context(), p.eve))
	p.want("a second press", "test to eve.black by mail.riverside.example")
	p.clock.Add(time.Hour - time.Second)
	if l, err := p.TestLetter(t.Context(), p.eve); err != nil || l == nil {
		t.Errorf("a second before it is an hour old, the test is not shown: %v", err)
	}
	p.clock.Add(time.Second)
	if l, err := p.TestLetter(t.Context(), p.eve); err != nil || l != nil {
		t.Errorf("a test of an hour ago says nothing about now: %+v, %v", l, err)
	}
}

// A signed-in browser is enough for the general settings, so nothing of where
// letters go may be among them.
func TestTheGeneralSettingsLeaveTheWayOfLettersAlone(t *testing.T) {
	p := newPartners(t)
	was, err := p.Settings(t.Context())
	must(t, err)
	s := was
	s.BaseURL, s.Mail, s.MailFrom = "https://evil.example", evilServer, "x@evil.example"
	s.ReplyTo, s.BounceAddress, s.SupportPhone = "x@evil.example", "x@evil.example", "123"
	must(t, p.ChangeSettings(t.Context(), p.eve, s))
	is, err := p.Settings(t.Context())
	must(t, err)
	if is.SupportPhone != "123" {
		t.Error("nothing is saved at all")
	}
	if is.BaseURL != was.BaseURL || !is.Mail.Same(was.Mail) || is.MailFrom != was.MailFrom || is.ReplyTo != was.ReplyTo || is.BounceAddress != was.BounceAddress {
		t.Errorf("%+v", is)
	}
}
