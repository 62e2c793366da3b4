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
