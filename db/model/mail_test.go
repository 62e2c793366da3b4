package model_test

import (
	"net/netip"
	"testing"
	"time"

	"latchkey/db/model"
)

func TestWhereAMailServerCanBe(t *testing.T) {
	for address, want := range map[string]bool{
		"192.0.2.7": true, "10.0.0.7": true, "127.0.0.1": true, "::1": true, "2001:db8::7": true, "fd00::7": true,
		"169.254.169.254": false, "169.254.0.1": false, "::ffff:169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false,
		"fd00:ec2::254": false, "100.100.100.200": false, "192.0.0.192": false,
		"0.0.0.0": false, "::": false, "224.0.0.1": false, "ff02::1": false,
	} {
		if got := model.MayDial(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

func TestTheTrialOfChangedMailSettings(t *testing.T) {
	s := model.DefaultSettings()
	s.BaseURL, s.Mail = "https://members.example.org", model.MailServer{Host: "mail.example.org", Port: 587}
	if s.OnTrial(noon) {
		t.Error("nothing was changed")
	}
	s.Former = model.FormerMail{BaseURL: s.BaseURL, Mail: s.Mail, ChangedAt: noon}
	for after, want := range map[time.Duration]bool{0: true, model.TrustAfter - time.Second: true, model.TrustAfter: false, model.TrustAfter + time.Second: false} {
		if got := s.OnTrial(noon.Add(after)); got != want {
			t.Errorf("after %v: %v", after, got)
		}
	}
	if model.TrustAfter >= model.GiveUp {
		t.Error("a notice that the former server never takes is given up before it may leave by the new one")
	}
	if s.Rerouted() || !s.SameWay() {
		t.Error("nothing differs")
	}
	for name, tt := range map[string]struct {
		change   func(*model.Settings)
		rerouted bool
	}{
		"host":     {func(s *model.Settings) { s.Mail.Host = "mail.example.net" }, true},
		"port":     {func(s *model.Settings) { s.Mail.Port = 25 }, true},
		"TLS":      {func(s *model.Settings) { s.Mail.TLS = true }, true},
		"user":     {func(s *model.Settings) { s.Mail.User = "x" }, true},
		"base URL": {func(s *model.Settings) { s.BaseURL = "https://x.example.org" }, true},
		"password": {func(s *model.Settings) { s.Mail.Password = model.NewSecret("x") }, false},
		"sender":   {func(s *model.Settings) { s.MailFrom = "x@example.org" }, true},
		"bounces":  {func(s *model.Settings) { s.BounceAddress = "b@example.org" }, true},
	} {
		now := s
		tt.change(&now)
		if now.Rerouted() != tt.rerouted || now.SameWay() || model.MailChanges(s, now) == "" {
			t.Errorf("%s: rerouted %v, the same way %v: %q", name, now.Rerouted(), now.SameWay(), model.MailChanges(s, now))
		}
	}
	if a, b := (model.MailServer{Host: "x", Password: model.NewSecret("x")}), (model.MailServer{Host: "x", Password: model.NewSecret("x")}); !a.Same(b) {
		t.Error("the same password, kept in another place, is another one")
	}
}
