package model_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"latchkey/db/model"
)

func TestParseBaseURL(t *testing.T) {
	good := []struct{ typed, want string }{
		{"https://members.example.org", "https://members.example.org"},
		{"http://localhost:8080", "http://localhost:8080"},
		{"  https://members.example.org/ \n", "https://members.example.org"},
		{"https://members.example.org///", "https://members.example.org"},
		{"https://Members.Example.ORG", "https://members.example.org"},
		{"HTTPS://members.example.org", "https://members.example.org"},
		{"http://192.0.2.1", "http://192.0.2.1"},
		{"http://192.0.2.1:8080", "http://192.0.2.1:8080"},
		{"http://[2001:DB8::1]:8080", "http://[2001:db8::1]:8080"},
		{"http://[::1]", "http://[::1]"},
		{"http://raspberrypi", "http://raspberrypi"},
		{"http://raspberrypi.local:80", "http://raspberrypi.local"},
		{"https://members.example.org:8443", "https://members.example.org:8443"},
		{"https://my-club.example:1", "https://my-club.example:1"},
		{"https://my_club.example:65535", "https://my_club.example:65535"},
		{"https://xn--bcher-kva.example", "https://xn--bcher-kva.example"},
		{"https://bücher.example", "https://bücher.example"},
		// A browser leaves the usual port out of what it calls the origin.
		{"https://members.example.org:443", "https://members.example.org"},
		{"http://members.example.org:443", "http://members.example.org:443"},
		{"https://members.example.org:80", "https://members.example.org:80"},
		{"http://[::1]:80", "http://[::1]"},
		{"https://members.example.org:", "https://members.example.org"},
		{"https://members.example.org:08443", "https://members.example.org:8443"},
	}
	for _, tt := range good {
		got, sentence := model.ParseBaseURL(tt.typed)
		if got != tt.want || sentence != "" {
			t.Errorf("%q: got %q, %q", tt.typed, got, sentence)
		}
		if again, sentence := model.ParseBaseURL(got); again != got || sentence != "" {
			t.Errorf("%q becomes %q, %q", got, again, sentence)
		}
	}
	bad := []string{
		"", " ", "/", "members.example.org", "members.example.org:8080", "//members.example.org", "https://", "https:///", "http:", "https:members.example.org",
		"ftp://members.example.org", "javascript:alert(1)", "mailto:ruth@example.org", "file:///etc/passwd", "httpx://members.example.org",
		"https://members.example.org/portal", "https://members.example.org/?a=b", "https://members.example.org?a=b", "https://members.example.org#top",
		"https://ruth@members.example.org", "https://ruth:secret@members.example.org", "https://@members.example.org",
		"https://members.example.org:0", "https://members.example.org:65536", "https://members.example.org:http", "https://members.example.org:-1",
		"https://:8080", "https://.", "https://..", "https://members..example.org", "https://-members.example.org", "https://members.example.org-",
		"https://members example.org", "https://members.example.org x", "https://mem\tbers.example.org", "https://members.example.org\r\nX: y", "https://members\x00.example.org",
		"https://members.example.org\\evil.example", "https://members.example.org,evil.example", "https://members.example.org;evil.example",
		`https://"><script>alert(1)</script>`, `https://exa"mple.org`, "https://exa'mple.org", "https://<b>.org", "https://a&b.org", "https://$(id).org", "https://*.example.org",
		"https://%6d.example.org", "https://%zz.example.org", "https://[::1", "https://::1", "https://[members.example.org]", "https://[::1%25eth0]",
		"https://members.example.org\u202egro", "https://mem\u200bbers.example.org", "https://\xff.example.org",
		"https://" + strings.Repeat("a", 64) + ".example.org", "https://" + strings.Repeat("a.", 200) + "org",
	}
	for _, typed := range bad {
		got, sentence := model.ParseBaseURL(typed)
		if sentence == "" {
			t.Errorf("%q is taken as %q", typed, got)
		}
		if strings.Contains(sentence, "secret") {
			t.Errorf("%q: %q", typed, sentence)
		}
	}
}

func TestParseMailServer(t *testing.T) {
	tests := []struct {
		typed string
		want  model.MailServer
		pass  string
		url   string // as it is shown; "" if as typed
	}{
		{"", model.MailServer{}, "", ""},
		{"smtp://mail.example.org", model.MailServer{Host: "mail.example.org", Port: 587}, "", "smtp://mail.example.org:587"},
		{"smtps://mail.example.org", model.MailServer{Host: "mail.example.org", Port: 465, TLS: true}, "", "smtps://mail.example.org:465"},
		{"SMTPS://mail.example.org", model.MailServer{Host: "mail.example.org", Port: 465, TLS: true}, "", "smtps://mail.example.org:465"},
		{"smtp://mail.example.org/", model.MailServer{Host: "mail.example.org", Port: 587}, "", "smtp://mail.example.org:587"},
		{"smtp://mail.example.org:25", model.MailServer{Host: "mail.example.org", Port: 25}, "", ""},
		{"smtp://mail.example.org:465", model.MailServer{Host: "mail.example.org", Port: 465}, "", ""},
		{"smtp://mail.example.org:587", model.MailServer{Host: "mail.example.org", Port: 587}, "", ""},
		{"smtp://mail.example.org:2525", model.MailServer{Host: "mail.example.org", Port: 2525}, "", ""},
		{"smtps://mail.example.org:587", model.MailServer{Host: "mail.example.org", Port: 587, TLS: true}, "", ""},
		{"smtp://localhost:1025", model.MailServer{Host: "localhost", Port: 1025}, "", ""},
		{"smtp://LOCALHOST:1025", model.MailServer{Host: "LOCALHOST", Port: 1025}, "", ""},
		{"smtp://mail.localhost:1", model.MailServer{Host: "mail.localhost", Port: 1}, "", ""},
		{"smtp://127.0.0.1:65535", model.MailServer{Host: "127.0.0.1", Port: 65535}, "", ""},
		{"smtp://127.8.9.10:1025", model.MailServer{Host: "127.8.9.10", Port: 1025}, "", ""},
		{"smtp://[::1]:1025", model.MailServer{Host: "::1", Port: 1025}, "", ""},
		{"smtp://[::ffff:127.0.0.1]:1025", model.MailServer{Host: "::ffff:127.0.0.1", Port: 1025}, "", ""},
		{"smtp://[2001:db8::1]", model.MailServer{Host: "2001:db8::1", Port: 587}, "", "smtp://[2001:db8::1]:587"},
		{"smtp://192.168.1.2:25", model.MailServer{Host: "192.168.1.2", Port: 25}, "", ""},
		{"smtp://ruth:hush@mail.example.org:587", model.MailServer{Host: "mail.example.org", Port: 587, User: "ruth"}, "hush", "smtp://ruth@mail.example.org:587"},
		{"smtp://ruth@mail.example.org:587", model.MailServer{Host: "mail.example.org", Port: 587, User: "ruth"}, "", ""},
		{"smtp://ruth:@mail.example.org:587", model.MailServer{Host: "mail.example.org", Port: 587, User: "ruth"}, "", "smtp://ruth@mail.example.org:587"},
		{"smtps://ruth%40example.org:p%40ss%2Fw%3Ard%25@mail.example.org:465", model.MailServer{Host: "mail.example.org", Port: 465, TLS: true, User: "ruth@example.org"}, "p@ss/w:rd%", "smtps://ruth%40example.org@mail.example.org:465"},
		{"smtp://ruth:a:b@mail.example.org:587", model.MailServer{Host: "mail.example.org", Port: 587, User: "ruth"}, "a:b", "smtp://ruth@mail.example.org:587"},
	}
	for _, tt := range tests {
		got, err := model.ParseMailServer(tt.typed)
		if err != nil {
			t.Errorf("%q: %v", tt.typed, err)
			continue
		}
		if got.Password.Reveal() != tt.pass {
			t.Errorf("%q: the password is %q", tt.typed, got.Password.Reveal())
		}
		shown := got.URL()
		got.Password = model.Secret{}
		if got != tt.want {
			t.Errorf("%q: got %+v", tt.typed, got)
		}
		if got.IsZero() != (tt.typed == "") {
			t.Errorf("%q: none at all: %v", tt.typed, got.IsZero())
		}
		want := tt.url
		if want == "" {
			want = tt.typed
		}
		if shown != want {
			t.Errorf("%q is shown as %q, want %q", tt.typed, shown, want)
		}
		if again, err := model.ParseMailServer(shown); err != nil || again != got {
			t.Errorf("%q is shown as %q, which is %+v, %v", tt.typed, shown, again, err)
		}
	}
}

func TestParseMailServerRefuses(t *testing.T) {
	bad := []string{
		" ", "mail.example.org", "mail.example.org:587", "//mail.example.org", "http://mail.example.org", "smtp:mail.example.org", "smtp:", "smtp://", "smtps:///", "smtp://:587",
		"smtp://ruth:hush@", "smtp://ruth:hush@:587",
		"smtp://mail.example.org/inbox", "smtp://mail.example.org?tls=1", "smtp://mail.example.org#x",
		"smtp://mail.example.org:0", "smtp://mail.example.org:65536", "smtp://mail.example.org:99999999999999999999", "smtp://mail.example.org:smtp", "smtp://mail.example.org:-25",
		"smtp://localhost:0", "smtp://localhost:65536",
		// The settings page must not knock on other doors of the network.
		"smtp://mail.example.org:22", "smtp://mail.example.org:80", "smtp://mail.example.org:1025", "smtp://192.168.1.1:8080", "smtp://mail.localhost.example.org:1025", "smtp://localhost.example.org:1025", "smtp://notlocalhost:1025",
		"smtp://169.254.169.254:25", "smtp://169.254.169.254", "smtp://[fe80::1]:25", "smtp://[fe80::1%25eth0]:25", "smtp://[::ffff:169.254.169.254]:25",
		"smtp://mail example.org", "smtp://mail.example.org\r\nX", "smtp://mail\x00.example.org", "smtp://%zz", "smtp://[::1",
		// A sign of the password that should have been written as %23 or %3F
		// ends the address: the rest must not be taken for a host.
		"smtp://ruth:25#hush@mail.example.org", "smtp://ruth:#hush@mail.example.org:587", "smtp://ruth:587?hush@mail.example.org", "smtp://ruth:25/hush@mail.example.org",
		"smtp://ruth:hush%zz@mail.example.org", "smtp://ruth:hush@mail.example.org:80", "smtp://ruth:hush@[::1", "smtp://ruth:hush@169.254.1.1", "smtp://ruth:hush@mail.example.org/hush",
		"ruth:hush@mail.example.org", "http://ruth:hush@mail.example.org", "smtp://ruth:hu sh\x7f@mail.example.org",
	}
	for _, typed := range bad {
		got, err := model.ParseMailServer(typed)
		if err == nil {
			t.Errorf("%q is taken as %+v", typed, got)
			continue
		}
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: the error repeats the password: %v", typed, err)
		}
		if !got.IsZero() || got.User != "" || !got.Password.IsZero() {
			t.Errorf("%q is refused, yet gives %+v", typed, got)
		}
	}
}

func TestAMailServerIsNeverShownWithItsPassword(t *testing.T) {
	m, err := model.ParseMailServer("smtp://ruth:" + hush + "@mail.example.org")
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{m.URL(), fmt.Sprint(m), fmt.Sprintf("%+v %#v", m, m), fmt.Sprintf("%s", []any{m})} {
		checkHush(t, "a mail server", out)
	}
	if (model.MailServer{}).URL() != "" {
		t.Error("no mail server has an address")
	}
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost": true, "portal.localhost": true, "127.0.0.1": true, "127.255.0.1": true, "::1": true, "[::1]": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.example.org": false, "notlocalhost": false, "128.0.0.1": false, "192.168.0.1": false, "::2": false, "127.0.0.1.example.org": false, "members.example.org": false,
	} {
		if got := model.Loopback(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

func TestLettersAreHeldBackWhereTheirLinksLeadNowhere(t *testing.T) {
	tests := []struct {
		base, host string
		want       bool
	}{
		{"http://localhost:8080", "mail.example.org", true},
		{"http://127.0.0.1:8080", "mail.example.org", true},
		{"http://[::1]", "192.168.1.2", true},
		{"http://portal.localhost", "mail.example.org", true},
		{"http://localhost:8080", "localhost", false},
		{"http://localhost:8080", "127.0.0.1", false},
		{"http://localhost:8080", "::1", false},
		{"http://localhost:8080", "", false},
		{"https://members.example.org", "mail.example.org", false},
		{"https://members.example.org", "localhost", false},
		{"http://192.168.1.5", "mail.example.org", false},
	}
	for _, tt := range tests {
		s := model.Settings{BaseURL: tt.base, Mail: model.MailServer{Host: tt.host, Port: 25}}
		if got := s.HeldBack(); got != tt.want {
			t.Errorf("%s by %q: held back %v", tt.base, tt.host, got)
		}
	}
}

func TestWhatFollowsFromTheBaseURL(t *testing.T) {
	tests := []struct {
		base, portal, sender string
		secure               bool
	}{
		{"https://members.example.org", "members.example.org", "no-reply@members.example.org", true},
		{"http://members.example.org:8080", "members.example.org:8080", "no-reply@members.example.org", false},
		{"http://localhost:8080", "localhost:8080", "no-reply@localhost", false},
		{"http://192.0.2.1", "192.0.2.1", "no-reply@[192.0.2.1]", false},
	}
	for _, tt := range tests {
		s := model.Settings{BaseURL: tt.base}
		if s.Portal() != tt.portal || s.Sender() != tt.sender || s.Secure() != tt.secure {
			t.Errorf("%s: %q, %q, %v", tt.base, s.Portal(), s.Sender(), s.Secure())
		}
		s.MailFrom = "office@example.org"
		if s.Sender() != "office@example.org" {
			t.Errorf("%s: %q", tt.base, s.Sender())
		}
	}
}

func TestABaseURLThatIsNoneSendsNothing(t *testing.T) {
	s := model.Settings{BaseURL: "http://%zz", Mail: model.MailServer{Host: "mail.example.org", Port: 25}}
	if s.Portal() != "" || s.Sender() != "" || s.HeldBack() || s.Secure() {
		t.Errorf("got %q, %q, %v, %v", s.Portal(), s.Sender(), s.HeldBack(), s.Secure())
	}
}

func TestTheTimeZoneIsTheAssociations(t *testing.T) {
	if got := noon.In((model.Settings{TimeZone: "Europe/Berlin"}).Location()).Format("15:04"); got != "13:00" {
		t.Errorf("got %s", got)
	}
	for _, zone := range []string{"", "UTC", "Nowhere/Atall", "../../etc/passwd"} {
		if got := (model.Settings{TimeZone: zone}).Location(); got != time.UTC {
			t.Errorf("%q: got %v", zone, got)
		}
	}
}

func TestStaffHaveLongerPasswords(t *testing.T) {
	for least, want := range map[int][4]int{8: {8, 8, 15, 15}, 12: {12, 12, 15, 15}, 15: {15, 15, 15, 15}, 20: {20, 20, 20, 20}} {
		for i, r := range model.Roles {
			if got := (model.Settings{MinPasswordLength: least}).PasswordLength(r); got != want[i] {
				t.Errorf("%s at %d: got %d, want %d", r, least, got, want[i])
			}
		}
	}
}

// decided is settings as an owner could have left them, already clean.
func decided() model.Settings {
	s := model.DefaultSettings()
	s.Association, s.BaseURL, s.TimeZone = "Rowing Club", "https://members.example.org", "Europe/Berlin"
	return s
}

func TestTheDefaultsLackANameAlone(t *testing.T) {
	s := model.DefaultSettings()
	checkFields(t, "the defaults", s.Clean(), "association")
	if s.Resets != model.UsualResets || s.MinPasswordLength != 12 || !s.RollSignIn || !s.Households || !s.UnknownLetters || s.BaseURL != "http://localhost:8080" || !s.Mail.IsZero() {
		t.Errorf("got %+v", s)
	}
}

func TestSettingsAreTidiedAndChecked(t *testing.T) {
	tests := []struct {
		name   string
		change func(*model.Settings)
		wrong  string
	}{
		{"as they are", func(*model.Settings) {}, ""},
		{"spaces around the name", func(s *model.Settings) { s.Association = "  Rowing Club\n" }, ""},
		{"no name", func(s *model.Settings) { s.Association = " " }, "association"},
		{"a name of 120", func(s *model.Settings) { s.Association = strings.Repeat("ö", 120) }, ""},
		{"a name of 121", func(s *model.Settings) { s.Association = strings.Repeat("ö", 121) }, "association"},
		{"another header in the name", func(s *model.Settings) { s.Association = "Club\r\nBcc: x@y.z" }, "association"},
		{"broken UTF-8 in the name", func(s *model.Settings) { s.Association = "Club\xff" }, "association"},
		{"an address with a path", func(s *model.Settings) { s.BaseURL = "https://example.org/portal" }, "base_url"},
		{"no address", func(s *model.Settings) { s.BaseURL = "" }, "base_url"},
		{"an address to be tidied", func(s *model.Settings) { s.BaseURL = " https://Members.example.org/ " }, ""},
		{"no zone", func(s *model.Settings) { s.TimeZone = "" }, "time_zone"},
		{"a zone that is none", func(s *model.Settings) { s.TimeZone = "Europe/Atlantis" }, "time_zone"},
		{"the zone of the machine", func(s *model.Settings) { s.TimeZone = "Local" }, "time_zone"},
		{"a file for a zone", func(s *model.Settings) { s.TimeZone = "../../../etc/passwd" }, "time_zone"},
		{"UTC", func(s *model.Settings) { s.TimeZone = "UTC" }, ""},
		{"addresses", func(s *model.Settings) {
			s.SupportEmail, s.MailFrom, s.ReplyTo = " office@example.org ", "portal@example.org", "office@example.org"
		}, ""},
		{"addresses that are none", func(s *model.Settings) { s.SupportEmail, s.MailFrom, s.ReplyTo = "office", "a@b", "a b@c.d" }, "mail_from reply_to support_email"},
		{"another header in From", func(s *model.Settings) { s.MailFrom = "portal@example.org\r\nBcc: x@y.z" }, "mail_from"},
		{"a display name in From", func(s *model.Settings) { s.MailFrom = "Club <portal@example.org>" }, "mail_from"},
		{"a phone of 50", func(s *model.Settings) { s.SupportPhone = " " + strings.Repeat("1", 50) + " " }, ""},
		{"a phone of 51", func(s *model.Settings) { s.SupportPhone = strings.Repeat("1", 51) }, "support_phone"},
		{"a phone of two lines", func(s *model.Settings) { s.SupportPhone = "1\n2" }, "support_phone"},
		{"passwords of 7", func(s *model.Settings) { s.MinPasswordLength = 7 }, "min_password_length"},
		{"passwords of 8", func(s *model.Settings) { s.MinPasswordLength = 8 }, ""},
		{"passwords of 64", func(s *model.Settings) { s.MinPasswordLength = 64 }, ""},
		{"passwords of 65", func(s *model.Settings) { s.MinPasswordLength = 65 }, "min_password_length"},
		{"activity for a day less than a year", func(s *model.Settings) { s.AuditKept = 364 * day }, "audit_kept"},
		{"activity for a year", func(s *model.Settings) { s.AuditKept = 365 * day }, ""},
		{"activity for ten years", func(s *model.Settings) { s.AuditKept = 3650 * day }, ""},
		{"activity for longer", func(s *model.Settings) { s.AuditKept = 3651 * day }, "audit_kept"},
		{"strict links", func(s *model.Settings) { s.Resets = model.StrictResets }, ""},
		{"links for ever", func(s *model.Settings) { s.Resets.Lifetime = 31 * day }, "reset_lifetime"},
		{"a window longer than the life", func(s *model.Settings) { s.Resets.ResendWindow = 8 * day }, "resend_window"},
		{"everything", func(s *model.Settings) {
			*s = model.Settings{SupportEmail: "x", MailFrom: "x", ReplyTo: "x", SupportPhone: "\x00"}
		},
			"association base_url time_zone support_email mail_from reply_to support_phone min_password_length reset_lifetime audit_kept"},
	}
	for _, tt := range tests {
		s := decided()
		tt.change(&s)
		said := s.Clean()
		checkFields(t, tt.name, said, strings.Fields(tt.wrong)...)
		once := fmt.Sprintf("%+v", s)
		checkFields(t, tt.name+", again", s.Clean(), strings.Fields(tt.wrong)...)
		if again := fmt.Sprintf("%+v", s); again != once {
			t.Errorf("%s: once %s, twice %s", tt.name, once, again)
		}
		if tt.wrong == "" && (s.Association != strings.TrimSpace(s.Association) || s.BaseURL != "https://members.example.org") {
			t.Errorf("%s: %+v", tt.name, s)
		}
	}
}

func FuzzParseMailServer(f *testing.F) {
	for _, seed := range []string{
		"mail.example.org", "mail.example.org:587", "localhost:1025", "[::1]:25", "", ":587", "mail.example.org/x", "mail.example.org:80", "[::1", "a b", "x%zz", "x?y#z",
		"169.254.169.254", "\x00", "u@x", "x:25#y",
	} {
		f.Add("smtp", "ruth", seed)
		f.Add("smtps", "ruth%", seed)
		f.Add("", "\x7f", seed)
	}
	f.Fuzz(func(t *testing.T, scheme, user, rest string) {
		if strings.Contains(scheme+user+rest, hush) {
			return
		}
		typed := scheme + "://" + user + ":" + hush + "@" + rest
		m, err := model.ParseMailServer(typed)
		if err != nil {
			checkHush(t, fmt.Sprintf("the error about %q", typed), err.Error())
			if !m.IsZero() || !m.Password.IsZero() {
				t.Errorf("%q is refused, yet gives %+v", typed, m)
			}
			return
		}
		checkHush(t, fmt.Sprintf("the address of %q", typed), m.URL())
		if m.Host == "" || m.Port < 1 || m.Port > 65535 || strings.ContainsAny(m.Host, " \r\n\x00/@") {
			t.Errorf("%q is taken as %+v", typed, m)
		}
		again, err := model.ParseMailServer(m.URL())
		if err != nil {
			t.Fatalf("%q is shown as %q, which is refused: %v", typed, m.URL(), err)
		}
		m.Password = model.Secret{}
		if again != m {
			t.Errorf("%q is shown as %q, which is %+v", typed, m.URL(), again)
		}
	})
}

func FuzzParseBaseURL(f *testing.F) {
	for _, seed := range []string{"", "https://members.example.org", "http://localhost:8080/", "http://[::1]:80", "https://a:443", "https://a?", "https://a#", "https://\"><b>", "https://bücher.example", "http://a:", "//a", "https://%41"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		base, sentence := model.ParseBaseURL(typed)
		if sentence != "" {
			return
		}
		if again, sentence := model.ParseBaseURL(base); again != base || sentence != "" {
			t.Errorf("%q becomes %q, then %q, %q", typed, base, again, sentence)
		}
		if strings.ContainsAny(base, " \"'<>\\,;&?#@%\r\n\x00") || strings.HasSuffix(base, "/") {
			t.Errorf("%q is taken as %q", typed, base)
		}
		u, err := url.Parse(base + "/reset/x")
		if err != nil || u.Path != "/reset/x" || u.Host == "" || u.User != nil {
			t.Errorf("%q makes the link %v, %v", typed, u, err)
		}
	})
}
