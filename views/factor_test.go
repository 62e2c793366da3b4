package views

import (
	"strings"
	"testing"
	"time"

	"latchkey/db/model"
)

// The picture has the eyes of a QR code and the border that cameras need.
func TestThePictureForAnAppIsAQRCode(t *testing.T) {
	doc := draw(t, NewAppPage(pageFor(stranger, "/account/two-factor/app"), model.NewApp{
		Ticket: model.NewSecret("x"), Secret: model.NewSecret("GEZD GNBV"), URI: model.NewSecret("otpauth://totp/Club:nina?secret=GEZDGNBV&issuer=Club"),
	}, Form{}))
	svg := doc.Find("svg.qr")
	drawn := svg.Find("path").Last().AttrOr("d", "")
	if !strings.HasPrefix(drawn, "M4 4h7v1h-7z") {
		t.Errorf("it does not begin with an eye, four squares from the corner: %.40s", drawn)
	}
	if got := doc.Find(`a[href^="otpauth:"]`).AttrOr("href", ""); got != "otpauth://totp/Club:nina?secret=GEZDGNBV&issuer=Club" {
		t.Errorf("the link for a telephone is %q", got)
	}
}

func TestTheSecondStepAsksForWhatThereIs(t *testing.T) {
	for _, c := range []struct {
		step    model.SecondStep
		label   string
		buttons int
	}{
		{model.SecondStep{App: true}, "Code from your app", 1},
		{model.SecondStep{App: true, Passkey: &model.AskPasskey{Options: "{}"}}, "Code from your app", 2},
		{model.SecondStep{Passkey: &model.AskPasskey{Options: "{}"}}, "Recovery code", 2},
	} {
		doc := draw(t, SecondStepPage(pageFor(stranger, "/sign-in"), SecondStepProps{Step: c.step}))
		says(t, doc, `label[for="code"]`, c.label)
		if n := doc.Find("main button").Length(); n != c.buttons {
			t.Errorf("%d buttons", n)
		}
		if n := doc.Find(`input[name="code"]`).Length(); n != 1 {
			t.Errorf("%d fields for a code", n)
		}
	}
}

func TestTheNoticeOfTheGraceStandsOnTheFirstPageOfTheOfficeAlone(t *testing.T) {
	for path, want := range map[string]bool{"/admin/members": true, "/admin": true, "/admin/settings": false} {
		p := pageFor(anna, path)
		p.FactorDue = now.Add(7 * 24 * time.Hour)
		doc := draw(t, office(p, "A page"))
		if got := strings.Contains(doc.Text(), "You need a second step when you sign in. There is time to set one up until"); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// Recovery codes end on a sheet of paper: it says whose they are, since when and
// where they work. What takes a script is not there without one.
func TestRecoveryCodesSayWhoseTheyAre(t *testing.T) {
	p := pageFor(lotteIn, "/account/two-factor/codes")
	doc := draw(t, CodesPage(p, model.NewRecoveryCodes(), true))
	for _, want := range []string{"Lotte Brandt", p.association(), "made on " + p.Now.In(p.location()).Format("2 January 2006"), p.Settings.BaseURL} {
		says(t, doc, ".on-paper", want)
	}
	for _, button := range []string{"[data-print]", `[data-copy="codes"]`} {
		if doc.Find(".with-script "+button).Length() != 1 {
			t.Errorf("%s is not there, or also without script", button)
		}
	}
	if n := doc.Find("#codes li").Length(); n != model.RecoveryCodes {
		t.Errorf("%d codes are copied", n)
	}
}

func TestWhatTakesAWayToSignInLooksGrave(t *testing.T) {
	acts := map[SelfAct]bool{RemovePasskey(model.Passkey{ID: 3, Name: "Phone"}): true}
	for name, act := range SelfActs {
		acts[act] = name == "app/remove"
	}
	for act, want := range acts {
		doc := draw(t, SelfPage(pageFor(lotteIn, act.Path), SelfProps{Act: act}))
		if got := doc.Find("main form button.grave").Length() == 1; got != want {
			t.Errorf("%s looks grave: %v", act.Path, got)
		}
	}
}

// Once the grace is over no page is a dead end, and none leads to a door that
// leads back.
func TestAWayOnAfterTheGrace(t *testing.T) {
	for _, c := range []struct {
		who  *model.Actor
		says string
	}{{anna, "The office opens again"}, {lotteIn, "Please set one up now."}} {
		p := pageFor(c.who, "/account/two-factor")
		p.FactorDue = now
		doc := draw(t, FactorsPage(p, FactorsProps{}))
		says(t, doc, "main .even", c.says)
		if doc.Find(`main a[href="/account"]`).Length() != 1 || doc.Find(`main form[action="/sign-out"]`).Length() != 1 {
			t.Errorf("%s: there is no way on", c.who.Name)
		}
		account := draw(t, AccountPage(p, lottesAccount(), nil))
		if doc.Find(`a[href="/admin/members"]`).Length()+account.Find(`a[href="/admin/members"]`).Length() != 0 {
			t.Errorf("%s: a way leads to what is closed", c.who.Name)
		}
	}
}

func TestWhoeverIsSentToTheSignInPageReadsWhy(t *testing.T) {
	const why = "Please sign in to open that page."
	for _, c := range []struct {
		props SignInProps
		want  bool
	}{
		{SignInProps{Next: "/account/sessions"}, true},
		{SignInProps{}, false},
		{SignInProps{Next: "/account", Form: Form{Sentence: "They do not fit."}}, false},
		{SignInProps{Next: "/account", SignedInAs: "Lotte Brandt"}, false},
	} {
		if got := strings.Contains(draw(t, SignInPage(pageFor(stranger, "/sign-in"), c.props)).Text(), why); got != c.want {
			t.Errorf("%+v: %v", c.props, got)
		}
	}
}

// Without a mail server an invitation is refused: nobody fills in the form first.
func TestTheStaffPageSaysWhetherAnInvitationCanLeave(t *testing.T) {
	for _, mail := range []bool{false, true} {
		p := pageFor(anna, "/admin/staff")
		set := *p.Settings
		set.Mail = model.MailServer{}
		if mail {
			set.Mail.Host = "mail.example.org"
		}
		p.Settings = &set
		doc := draw(t, StaffPage(p, nil, Form{}, ""))
		if got := doc.Find(`.invite a[href="/admin/settings/mail"]`).Length() == 0; got != mail {
			t.Errorf("with a mail server (%v) the form is said to work: %v", mail, got)
		}
	}
}
