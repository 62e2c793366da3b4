package model_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/db/model"
)

func codeAt(step int64) string { return fmt.Sprintf("%06d", step%1_000_000) }

func TestACodeCountsForItsHalfMinuteAndTheOnesBeside(t *testing.T) {
	began := time.Unix(1_800_000_000, 0) // the first second of a step
	step := model.AppStep(began)
	for name, c := range map[string]struct {
		at   time.Duration // since the step began
		last int64
		took bool
	}{
		"a second too early":               {-30*time.Second - time.Second, 0, false},
		"at the earliest":                  {-30 * time.Second, 0, true},
		"in its first second":              {0, 0, true},
		"in its last second":               {30*time.Second - time.Second, 0, true},
		"at the latest":                    {60*time.Second - time.Second, 0, true},
		"a second too late":                {60 * time.Second, 0, false},
		"after the one before was used":    {0, step - 1, true},
		"a second time":                    {0, step, false},
		"a second time, half a minute on":  {30 * time.Second, step, false},
		"after a later one was used":       {0, step + 1, false},
		"a second time, before its moment": {-time.Second, step, false},
	} {
		used, took := model.AppStepUsed(codeAt(step), c.last, began.Add(c.at), codeAt)
		if took != c.took || took && used != step {
			t.Errorf("%s: %v, step %d", name, took, used-step)
		}
	}
}

func TestWhatIsTypedForASecondFactor(t *testing.T) {
	for typed, want := range map[string][2]string{
		"123456": {"123456", ""}, " 123 456 ": {"123456", ""}, "123-456": {"123456", ""}, "123\u00a0456": {"123456", ""},
		"ABCD-EFGH-2345": {"", "ABCDEFGH2345"}, "abcdefgh2345": {"", "ABCDEFGH2345"}, "abcd efgh 2345": {"", "ABCDEFGH2345"},
		"": {}, "12345": {}, "1234567": {}, "abcd-efgh-234O": {}, "abcd-efgh-234": {}, "１２３４５６": {}, "12345a": {}, "\xff\xff\xff\xff\xff\xff": {},
		"222222222222": {"", "222222222222"}, strings.Repeat(" ", 100) + "123456": {},
	} {
		app, recovery := model.ParseSecondCode(typed)
		if app != want[0] || recovery != want[1] {
			t.Errorf("%q: %q and %q", typed, app, recovery)
		}
	}
}

func TestRecoveryCodesAreTenDifferentOnesThatCanBeTyped(t *testing.T) {
	seen := map[string]bool{}
	for range 20 {
		codes := model.NewRecoveryCodes()
		if len(codes) != model.RecoveryCodes {
			t.Fatalf("%d codes", len(codes))
		}
		for _, c := range codes {
			_, bare := model.ParseSecondCode(c.Reveal())
			if bare == "" || seen[bare] || len(c.Reveal()) != 14 {
				t.Fatalf("the code %q", c.Reveal())
			}
			seen[bare] = true
		}
	}
}

func TestTheGraceOfASecondFactor(t *testing.T) {
	const grace = model.FactorGrace
	for name, c := range map[string]struct {
		role    model.Role
		has     bool
		asked   bool
		at      time.Duration // since it was asked for
		due     bool
		overdue bool
	}{
		"asked for just now":     {model.RoleStaff, false, true, 0, true, false},
		"in the last second":     {model.RoleOwner, false, true, grace - time.Second, true, false},
		"over":                   {model.RoleViewer, false, true, grace, true, true},
		"over, but there is one": {model.RoleOwner, true, true, 2 * grace, false, false},
		"never asked for":        {model.RoleOwner, false, false, 2 * grace, false, false},
		"a member, who need not": {model.RoleMember, false, true, 2 * grace, false, false},
		"a role of next year":    {"auditor", false, true, 2 * grace, false, false},
	} {
		a := model.Account{Role: c.role}
		if c.has {
			a.Factor.At = noon
		}
		if c.asked {
			a.Factor.AskedAt = noon
		}
		rules := model.DefaultFactorRules
		if got := !rules.FactorDue(a).IsZero(); got != c.due {
			t.Errorf("%s: due %v", name, got)
		}
		if got := rules.FactorOverdue(a, noon.Add(c.at)); got != c.overdue {
			t.Errorf("%s: overdue %v", name, got)
		}
	}
}

func TestAfterTheGraceALetterIsNeeded(t *testing.T) {
	s := model.DefaultSettings()
	s.BaseURL, s.Mail = "https://members.example.org", model.MailServer{Host: "mail.example.org", Port: 587}
	a := model.Account{Role: model.RoleStaff, Email: "eve@example.org", Factor: model.FactorFacts{AskedAt: noon}}
	over := noon.Add(model.FactorGrace)
	for name, c := range map[string]struct {
		change func(a *model.Account, s *model.Settings)
		at     time.Time
		needs  bool
	}{
		"within the grace": {nil, over.Add(-time.Second), false},
		"after it":         {nil, over, true},
		"after a letter":   {func(a *model.Account, _ *model.Settings) { a.Factor.MailedAt = over }, over.Add(model.MailedProof - time.Second), false},
		"long after it":    {func(a *model.Account, _ *model.Settings) { a.Factor.MailedAt = over }, over.Add(model.MailedProof), true},
		"no mail server":   {func(_ *model.Account, s *model.Settings) { s.Mail = model.MailServer{} }, over, false},
		"no address":       {func(a *model.Account, _ *model.Settings) { a.Email = "" }, over, false},
		"a second one":     {func(a *model.Account, _ *model.Settings) { a.Factor.At = noon }, over, false},
	} {
		a, s := a, s
		if c.change != nil {
			c.change(&a, &s)
		}
		if got := s.NeedsLetter(a, c.at); got != c.needs {
			t.Errorf("%s: %v", name, got)
		}
		if err := s.MaySetUpFactor(a, c.at); (err != nil) != c.needs {
			t.Errorf("%s: may set one up: %v", name, err)
		}
	}
	s.Factors.Member = model.FactorOff
	member := model.Account{Role: model.RoleMember}
	if s.MaySetUpFactor(member, noon) == nil {
		t.Error("what is switched off can be set up")
	}
	member.Factor.At = noon
	if err := s.MaySetUpFactor(member, noon); err != nil {
		t.Errorf("whoever has one cannot change it: %v", err)
	}
}

func TestLinksAreOnlyMailedForThreeDays(t *testing.T) {
	a := model.Account{Factor: model.FactorFacts{ClearedAt: noon}}
	for at, want := range map[time.Duration]bool{0: true, 72*time.Hour - time.Second: true, 72 * time.Hour: false} {
		if got := a.LinksOnlyMailed(noon.Add(at)); got != want {
			t.Errorf("after %s: %v", at, got)
		}
		if r := model.NewReset(a, "k", model.UsualResets, noon.Add(at)); r.MailedOnly != want {
			t.Errorf("a link made after %s: %v", at, r.MailedOnly)
		}
	}
	if (model.Account{}).LinksOnlyMailed(noon) {
		t.Error("of an account that nothing was cleared of")
	}
}

func TestWherePasskeysAreKept(t *testing.T) {
	for base, want := range map[string]string{
		"https://members.example.org": "members.example.org", "https://members.example.org:8443": "members.example.org",
		"http://localhost:8080": "localhost", "https://localhost": "localhost", "https://Example.ORG": "example.org",
		"http://members.example.org": "", "http://portal": "", "https://192.0.2.7": "", "https://[2001:db8::1]": "", "http://127.0.0.1:8080": "",
		"https://127.0.0.1": "", "": "", "::": "", "https://": "",
	} {
		host, ok := model.PasskeyHost(base)
		if ok != (want != "") || ok && host != want {
			t.Errorf("%s: %q, %v", base, host, ok)
		}
	}
}

func TestTheAddressForAnAppSaysWhoseItIs(t *testing.T) {
	got := model.AppURI([]byte("12345678901234567890"), "Club: A/B & Ço", "nina@example.org")
	want := "otpauth://totp/Club%20%20A%20B%20%26%20%C3%87o:nina%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Club%20%20A%20B%20%26%20%C3%87o"
	if got != want {
		t.Errorf("%s, not %s", got, want)
	}
	if got := model.AppSecretText([]byte("12345678901234567890")); got != "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ" {
		t.Errorf("the key is %q", got)
	}
}
