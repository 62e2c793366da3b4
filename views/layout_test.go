package views

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/a-h/templ"

	"latchkey/db/model"
)

// moments of the tests: Sunday 22 November 2026, 11:05 in Berlin.
var (
	berlin = mustZone("Europe/Berlin")
	now    = time.Date(2026, 11, 22, 11, 5, 0, 0, berlin)
)

func mustZone(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return loc
}

var (
	stranger *model.Actor
	lotteIn  = &model.Actor{Kind: model.ByPerson, AccountID: 5, MemberID: 12, Name: "Lotte Brandt", Role: model.RoleMember}
	nuala    = &model.Actor{Kind: model.ByPerson, AccountID: 7, MemberID: 7, Name: "Nuala Gallagher", Role: model.RoleViewer}
	ferit    = &model.Actor{Kind: model.ByPerson, AccountID: 2, MemberID: 2, Name: "Ferit Yıldız", Role: model.RoleStaff}
	anna     = &model.Actor{Kind: model.ByPerson, AccountID: 1, MemberID: 1, Name: "Anna Berg", Role: model.RoleOwner}
)

func pageFor(actor *model.Actor, path string) Page {
	s := model.DefaultSettings()
	s.Association, s.TimeZone = "Harbour Rowing Club", "Europe/Berlin"
	s.SupportPhone, s.SupportEmail = "040 123 456", "office@harbour-rowing.example"
	s.BaseURL, s.Mail = "https://members.harbour-rowing.example", model.MailServer{Host: "mail.example.org", Port: 587}
	return Page{Settings: &s, Now: now, Actor: actor, Path: path}
}

// mailless is a page of a portal that can send no letter.
func mailless(p Page) Page {
	s := *p.Settings
	s.Mail = model.MailServer{}
	p.Settings = &s
	return p
}

const linkURL = "https://members.harbour-rowing.example/reset/mfrggzdfmztwq2lkmrswg3djnzxw4zdfojzg6ylc"

func lotte() model.Member {
	return model.Member{
		ID: 12, Version: 3, MemberNo: "1042", FirstName: "Lotte", LastName: "Brandt",
		Email: "lotte.brandt@example.org", Phone: "040 550 1000", Postcode: "22767", City: "Hamburg",
		BirthDate: "1951-03-14", Status: model.StatusActive, Notes: "Prefers the telephone.",
	}
}

func lottesAccount() model.Account {
	return model.Account{
		ID: 5, MemberID: 12, Name: "Lotte Brandt", MemberNo: "1042", Email: "lotte.brandt@example.org",
		Role: model.RoleMember, HasPassword: true, PasswordSetAt: now.AddDate(-1, 0, 0),
		LastSignInAt: now.AddDate(0, -1, 0), CreatedAt: now.AddDate(-2, 0, 0),
	}
}

// sent is Lotte's record 23 minutes after Anna Berg sent a link that was
// accepted, changed as a test wants it.
func sent(change ...func(*model.AccountRecord)) model.AccountRecord {
	a := lottesAccount()
	made := now.Add(-23 * time.Minute)
	link := model.Reset{
		ID: 9, AccountID: 5, Email: a.Email, MadeAt: made, AskedAt: made,
		ResendUntil: made.Add(16 * time.Hour), ExpiresAt: made.Add(7 * 24 * time.Hour),
	}
	letter := model.Letter{ID: 3, To: a.Email, State: model.LetterAccepted, CreatedAt: made, SettledAt: made, Code: 250, Reply: "2.0.0 Ok: queued as 4F1B"}
	r := model.AccountRecord{
		Member: lotte(), Account: &a, Latest: &link, LastLetter: &letter,
		Status: &model.ResetStatus{AskedBy: "Anna Berg", Link: model.NewSecret(linkURL), MayCancel: true},
	}
	for _, f := range change {
		f(&r)
	}
	if r.Status != nil {
		r.Status.Reset, r.Status.Letter = *r.Latest, r.LastLetter
	}
	r.Why = r.Explain(true, now)
	return r
}

func letterIs(state model.LetterState, code int, reply string) func(*model.AccountRecord) {
	return func(r *model.AccountRecord) {
		r.LastLetter.State, r.LastLetter.Code, r.LastLetter.Reply = state, code, reply
	}
}

func withoutAccount(r *model.AccountRecord) {
	r.Account, r.Status, r.Latest, r.LastLetter = nil, nil, nil, nil
}

func settingsPage(actor *model.Actor, r model.AccountRecord) templ.Component {
	return MemberSettingsPage(pageFor(actor, "/admin/members/12/settings"), r, AccountForm{})
}

func draw(t *testing.T, c templ.Component) *goquery.Document {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func text(doc *goquery.Document, selector string) string {
	return spaced(doc.Find(selector).Text())
}

func has(t *testing.T, doc *goquery.Document, selector string, want int) {
	t.Helper()
	if got := doc.Find(selector).Length(); got != want {
		t.Errorf("%s: %d, want %d", selector, got, want)
	}
}

func says(t *testing.T, doc *goquery.Document, selector, want string) {
	t.Helper()
	if got := text(doc, selector); !strings.Contains(got, want) {
		t.Errorf("%s says %q, want %q in it", selector, got, want)
	}
}

// memberPages are the pages that members see, officePages those of the staff.
func memberPages() map[string]templ.Component {
	p := pageFor(stranger, "/")
	token := model.NewSecret("mfrggzdfmztwq2lkmrswg3djnzxw4zdfojzg6ylc")
	reset := ResetProps{Token: token, Name: "Lotte Brandt", Username: "lotte.brandt@example.org", UsernameLabel: "email", Password: NewPassword{Least: 12, Label: "New password"}, Expires: now.Add(time.Hour)}
	pages := map[string]templ.Component{
		"sign-in":           SignInPage(p, SignInProps{Next: "/account"}),
		"sign-in, refused":  SignInPage(p, SignInProps{Form: Form{Values: map[string]string{"login": "lotte"}, Sentence: "That did not fit."}}),
		"choose person":     ChoosePersonPage(p, ChoosePersonProps{People: []model.Person{{AccountID: 5, Name: "Lotte Brandt"}, {AccountID: 6, Name: "Otto Brandt"}}, Ticket: token}),
		"forgot":            ForgotPage(p, Form{}),
		"forgot, sent":      ForgotSentPage(p),
		"reset":             ResetPage(p, reset),
		"reopen":            ResetReopenPage(p),
		"renewed":           ResetRenewedPage(p, false),
		"renewed, no email": ResetRenewedPage(p, true),
		"renewed, no mail":  ResetRenewedPage(mailless(p), false),
		"forgot, no mail":   ForgotPage(mailless(p), Form{}),
		"ended, disabled":   ResetEndedPage(p, EndedProps{State: model.ResetCancelled, Token: token, Disabled: true}),
		"setup":             SetupPage(p, Form{}, []string{"Europe/Berlin", "UTC"}, NewPassword{Least: 15, Label: "Password"}),
		"account":           AccountPage(pageFor(lotteIn, "/account"), lottesAccount(), nil),
		"account, moving":   AccountPage(pageFor(lotteIn, "/account"), lottesAccount(), moving()),
		"email":             EmailPage(pageFor(lotteIn, "/account/email"), EmailProps{Username: "lotte"}),
		"email, refused":    EmailPage(pageFor(lotteIn, "/account/email"), EmailProps{Username: "lotte", Form: Form{Values: map[string]string{"email": "lotte@"}, Errors: model.Fields{"email": "Please write it like this.", "current_password": "That is not it."}}}),
		"email, no mail":    EmailPage(mailless(pageFor(lotteIn, "/account/email")), EmailProps{Username: "lotte"}),
		"email, waiting":    EmailPage(pageFor(lotteIn, "/account/email"), EmailProps{Username: "lotte", Waiting: moving()}),
		"email, too many":   EmailPage(pageFor(lotteIn, "/account/email"), EmailProps{Username: "lotte", Waiting: moving(), Form: Form{Sentence: "Several letters went out already."}}),
		"email, reopen":     EmailReopenPage(p),
		"sessions":          SessionsPage(p, []model.Session{{ID: 1, Device: "Safari on an iPhone", Kept: true, ExpiresAt: now}, {ID: 2}}, 2, "203.0.113.0/24"),
		"second factor": FactorsPage(pageFor(lotteIn, "/account/two-factor"), FactorsProps{Passkeys: true, Has: model.SecondFactors{
			AppAt: now, CodesLeft: 3, CodesAt: now, Passkeys: []model.Passkey{{ID: 1, Name: "Safari on iPhone", MadeAt: now}}}}),
		"second factor, letter": FactorsPage(pageFor(lotteIn, "/account/two-factor"), FactorsProps{NeedsLetter: true}),
		"second step":           SecondStepPage(p, SecondStepProps{Step: model.SecondStep{App: true, Passkey: &model.AskPasskey{Options: "{}"}}}),
		"who is there":          SelfPage(pageFor(lotteIn, "/account/two-factor/app"), SelfProps{Act: SelfActs["app"], Username: "lotte", Ask: &model.AskPasskey{Options: "{}"}}),
		"new app":               NewAppPage(pageFor(lotteIn, "/account/two-factor/app"), model.NewApp{Secret: model.NewSecret("GEZD GNBV"), URI: model.NewSecret("otpauth://totp/x")}, Form{}),
		"new passkey":           NewPasskeyPage(pageFor(lotteIn, "/account/two-factor/passkey"), model.AskPasskey{Options: "{}"}),
		"recovery codes":        CodesPage(pageFor(lotteIn, "/account/two-factor/codes"), model.NewRecoveryCodes(), true),
		"password":              PasswordPage(pageFor(lotteIn, "/account/password"), Form{Errors: model.Fields{"password": "Too short.", "current_password": "That is not it."}}, "lotte", NewPassword{Least: 12, Label: "New password"}),
		"not found":             ErrorPage(p, Trouble{Status: 404}),
		"our fault":             ErrorPage(p, Trouble{Status: 500, RequestID: "7f3kq2"}),
	}
	for _, state := range []model.ResetState{model.ResetExpired, model.ResetReplaced, model.ResetUsed, model.ResetCancelled, model.ResetUnknown} {
		pages["ended, "+string(state)] = ResetEndedPage(p, EndedProps{State: state, Token: token, When: now.Add(-time.Hour)})
	}
	for _, state := range notMeStates {
		for _, said := range []bool{false, true} {
			pages[fmt.Sprintf("not me, %s, said: %v", state, said)] = NotMePage(p, model.OpenedNotMe{State: state, Said: said, UsedAt: now.Add(-time.Hour)}, token)
		}
	}
	for _, state := range []model.ResetState{model.ResetLive, model.ResetExpired, model.ResetReplaced, model.ResetUsed, model.ResetCancelled, model.ResetUnknown} {
		o := model.OpenedEmail{State: state, Change: *moving(), Account: lottesAccount(), NewerAt: now}
		o.Change.EndedAt = now
		pages["email link, "+string(state)] = EmailLinkPage(p, EmailLinkProps{Opened: o, Token: token})
		if state == model.ResetLive {
			o.Shared, o.Voids = true, true
			pages["email link, shared"] = EmailLinkPage(p, EmailLinkProps{Opened: o, Token: token, SignedInAs: "Anna Berg"})
			o.Taken = true
			pages["email link, taken"] = EmailLinkPage(p, EmailLinkProps{Opened: o, Token: token})
		}
	}
	pages["not me, reopen"] = NotMeReopenPage(p)
	return pages
}

// moving is a change of email under way.
func moving() *model.EmailChange {
	return &model.EmailChange{To: "lotte@example.org", AskedAt: now.Add(-time.Hour), ExpiresAt: now.Add(23 * time.Hour)}
}

func officePages() map[string]templ.Component {
	p := pageFor(anna, "/admin/members/12")
	a := lottesAccount()
	row := model.MemberRow{Member: lotte(), HasAccount: true, AccountRole: model.RoleMember, LastSignInAt: now.Add(-48 * time.Hour)}
	return map[string]templ.Component{
		"members":              MembersPage(p, model.MemberPage{Rows: []model.MemberRow{row}, Total: 240, Next: "n", Prev: "p"}, model.MemberQuery{Text: "lo", Filter: model.FilterNeverSignedIn}),
		"members, none":        MembersPage(p, model.MemberPage{}, model.MemberQuery{Text: "lukazs"}),
		"members, empty":       MembersPage(p, model.MemberPage{}, model.MemberQuery{}),
		"new member":           MemberNewPage(p, Form{Errors: model.Fields{"email": "No @.", "phone": "Too long."}}),
		"details":              MemberPage(p, MemberProps{Member: lotte(), Account: &a}),
		"details, stale":       MemberPage(p, MemberProps{Member: lotte(), Account: &a, Stale: &model.StaleError{Theirs: lotte(), Fields: []string{"phone", "notes"}}}),
		"details, viewer":      MemberPage(pageFor(nuala, "/admin/members/12"), MemberProps{Member: lotte(), Account: &a}),
		"settings":             settingsPage(anna, sent()),
		"settings, viewer":     settingsPage(nuala, sent()),
		"settings, bounced":    settingsPage(ferit, sent(letterIs(model.LetterBounced, 550, "5.7.1 rejected"))),
		"settings, failed":     settingsPage(ferit, sent(letterIs(model.LetterFailed, 550, "5.7.1 rejected"))),
		"settings, no account": settingsPage(ferit, sent(withoutAccount)),
		"activity":             MemberActivityPage(p, model.ActivityPage{Member: lotte(), Account: &a, Lines: []model.AuditLine{{At: now, Act: model.ActResetSent, ActorKind: model.ByPerson, ActorName: "Anna Berg"}}}),
		"letters":              LettersPage(p, lettersFailing(), model.LetterQuery{Text: "lo", Filter: model.LettersFailed}),
		"letters, one's":       LettersPage(p, model.LetterPage{About: &model.Person{MemberID: 12, AccountID: 5, Name: "Lotte Brandt"}}, model.LetterQuery{AccountID: 5}),
		"letters, none":        LettersPage(p, model.LetterPage{}, model.LetterQuery{}),
		"letter":               LetterPage(p, lettersPage(model.LetterRetrying)),
		"letter, viewer":       LetterPage(pageFor(nuala, "/admin/letters/3"), lettersPage(model.LetterFailed)),
		"staff":                StaffPage(p, []model.Colleague{{Account: a}, {Account: a, Stays: "This is the last owner."}}, Form{}, "Not so."),
		"audit":                AuditPage(p, model.AuditPage{Rows: []model.AuditRow{{AuditLine: model.AuditLine{At: now, Act: model.ActResetSent, ActorKind: model.ByPerson, ActorName: "Anna Berg"}}}}, model.AuditQuery{Act: "reset"}),
		"audit, none":          AuditPage(p, model.AuditPage{}, model.AuditQuery{Text: "lo"}),
		"settings of all":      SettingsPage(p, Form{}, []string{"UTC"}),
		"settings, refused":    MemberSettingsPage(p, sent(), AccountForm{Refused: "This account is disabled."}),
		"not found":            ErrorPage(p, Trouble{Status: 404, Sentence: "There is no such member."}),
	}
}

func TestEveryPageObeysTheContentSecurityPolicy(t *testing.T) {
	for _, pages := range []map[string]templ.Component{memberPages(), officePages()} {
		for name, page := range pages {
			t.Run(name, func(t *testing.T) {
				doc := draw(t, page)
				has(t, doc, "style, script:not([src]), [style], iframe", 0)
				for _, node := range doc.Find("*").Nodes {
					for _, a := range node.Attr {
						if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on") {
							t.Errorf("%s=%q", a.Key, a.Val)
						}
						if foreign := strings.Contains(a.Val, "//"); foreign && (a.Key == "src" || node.Data == "link") {
							t.Errorf("%s from elsewhere: %s", node.Data, a.Val)
						}
					}
				}
			})
		}
	}
}

func TestEveryPageNamesFilesThatExist(t *testing.T) {
	for name, page := range map[string]templ.Component{"member": memberPages()["sign-in"], "office": officePages()["settings"]} {
		t.Run(name, func(t *testing.T) {
			doc := draw(t, page)
			for _, node := range doc.Find("link[href], script[src], img[src]").EachIter() {
				path := node.AttrOr("href", node.AttrOr("src", ""))
				if _, err := os.Stat(filepath.Join("..", path)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestEveryPageReadsWellToAScreenReader(t *testing.T) {
	for _, pages := range []map[string]templ.Component{memberPages(), officePages()} {
		for name, page := range pages {
			t.Run(name, func(t *testing.T) {
				doc := draw(t, page)
				has(t, doc, "h1", 1)
				has(t, doc, "main", 1)
				has(t, doc, "html[lang]", 1)
				has(t, doc, "#said[role=status]", 1)
				if !strings.HasSuffix(text(doc, "title"), " · Harbour Rowing Club") {
					t.Errorf("title %q", text(doc, "title"))
				}
				seen := map[string]bool{}
				for _, node := range doc.Find("[id]").EachIter() {
					id := node.AttrOr("id", "")
					if seen[id] {
						t.Errorf("two of #%s", id)
					}
					seen[id] = true
				}
				for _, attribute := range []string{"for", "aria-describedby", "data-copy", "data-show", "data-finds"} {
					for _, node := range doc.Find("[" + attribute + "]").EachIter() {
						for _, id := range strings.Fields(node.AttrOr(attribute, "")) {
							if !seen[id] {
								t.Errorf("%s=%q points to nothing", attribute, id)
							}
						}
					}
				}
				for _, node := range doc.Find("input:not([type=hidden]):not([aria-hidden]), select, textarea").EachIter() {
					id := node.AttrOr("id", "")
					if node.Closest("label").Length() == 0 && doc.Find("label[for='"+id+"']").Length() != 1 {
						t.Errorf("field %s has no label", node.AttrOr("name", id))
					}
				}
				has(t, doc, "svg:not([aria-hidden])", 0)
			})
		}
	}
}

func TestMembersReadNoJargon(t *testing.T) {
	for name, page := range memberPages() {
		t.Run(name, func(t *testing.T) {
			words := strings.ToLower(text(draw(t, page), "body"))
			for _, jargon := range []string{"token", "credential", "authenticat", "log in", "login", "username", "session", "invalid", "e-mail"} {
				if strings.Contains(words, jargon) {
					t.Errorf("says %q: %s", jargon, words)
				}
			}
		})
	}
}

func TestMembersPagesNameTheAssociationFirst(t *testing.T) {
	for name, page := range memberPages() {
		t.Run(name, func(t *testing.T) {
			body := text(draw(t, page), "body")
			ours, theirs := strings.Index(body, "Latchkey"), strings.Index(body, "Harbour Rowing Club")
			if theirs != 0 || ours < theirs {
				t.Errorf("association at %d, Latchkey at %d", theirs, ours)
			}
		})
	}
}

func TestAssociationsColourIsForMembersPagesAlone(t *testing.T) {
	p := pageFor(stranger, "/sign-in")
	has(t, draw(t, SignInPage(p, SignInProps{})), "link[href^='/brand.css']", 0)
	p.Settings.Colour = "#14506e"
	has(t, draw(t, SignInPage(p, SignInProps{})), "link[href='/brand.css?v=14506e']", 1)
	office := pageFor(anna, "/admin/members")
	office.Settings.Colour = "#14506e"
	has(t, draw(t, MembersPage(office, model.MemberPage{}, model.MemberQuery{})), "link[href^='/brand.css']", 0)
}

func TestPasswordFieldsNeverComeBackFilled(t *testing.T) {
	f := Form{Values: map[string]string{"password": "kept by mistake", "password_confirm": "kept by mistake", "current_password": "kept by mistake"}}
	p := pageFor(lotteIn, "/account/password")
	for name, page := range map[string]templ.Component{
		"sign-in": SignInPage(p, SignInProps{Form: f}), "reset": ResetPage(p, ResetProps{Form: f}),
		"password": PasswordPage(p, f, "lotte", NewPassword{}), "setup": SetupPage(p, f, nil, NewPassword{}),
	} {
		t.Run(name, func(t *testing.T) {
			doc := draw(t, page)
			has(t, doc, "input[type=password][value]", 0)
			if strings.Contains(text(doc, "html"), "kept by mistake") {
				t.Error("a password stands on the page")
			}
		})
	}
}

func TestPasswordManagersFindTheirFields(t *testing.T) {
	pages := memberPages()
	for _, c := range []struct {
		page   string
		tokens []string
	}{
		{"sign-in", []string{"username", "current-password"}},
		{"reset", []string{"username", "new-password", "new-password"}},
		{"password", []string{"username", "current-password", "new-password", "new-password"}},
		{"forgot", []string{"username"}},
	} {
		t.Run(c.page, func(t *testing.T) {
			doc := draw(t, pages[c.page])
			var got []string
			for _, node := range doc.Find("input[autocomplete]").EachIter() {
				got = append(got, node.AttrOr("autocomplete", ""))
			}
			for _, node := range doc.Find(`input[autocomplete$="-password"]`).EachIter() {
				if node.AttrOr("type", "") != "password" || doc.Find(`[data-show~="`+node.AttrOr("id", "")+`"]`).Length() != 1 {
					t.Errorf("%s is not covered, or cannot be shown", node.AttrOr("name", ""))
				}
			}
			if !slices.Equal(got, c.tokens) {
				t.Errorf("autocomplete %v, want %v", got, c.tokens)
			}
		})
	}
}

func TestWrongFieldSaysWhyBesideItself(t *testing.T) {
	doc := draw(t, MemberNewPage(pageFor(ferit, "/admin/members"), Form{
		Values: map[string]string{"email": "lukasz", "last_name": "Kowalski"},
		Errors: model.Fields{"email": "Please write the address like name@example.org.", "phone": "Too long."},
	}))
	field := doc.Find("#email")
	if field.AttrOr("aria-invalid", "") != "true" || field.AttrOr("value", "") != "lukasz" {
		t.Error("the field is not marked, or what was typed is gone")
	}
	says(t, doc, "#"+field.AttrOr("aria-describedby", "none"), "Please write the address")
	has(t, doc, ".mistakes a[href='#email'], .mistakes a[href='#phone']", 2)
	says(t, doc, ".mistakes a[href='#phone']", "Phone: Too long.")
	if got := doc.Find("#last_name").AttrOr("value", ""); got != "Kowalski" {
		t.Errorf("last name %q", got)
	}
}

func TestWhatAFlagDecidesIsShownNotEdited(t *testing.T) {
	p := pageFor(anna, "/admin/settings/mail")
	p.Settings.Fixed = map[string]bool{"base_url": true}
	doc := draw(t, MailPage(p, MailProps{Form: Form{Values: map[string]string{"base_url": "https://fixed.example"}}}))
	has(t, doc, "#base_url[readonly]", 1)
	has(t, doc, "#mail_host[readonly]", 0)
}
