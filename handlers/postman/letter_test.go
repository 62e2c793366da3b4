package postman

import (
	"bytes"
	"fmt"
	"net/textproto"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
	"latchkey/handlers/postman/postmantest"
)

func contents(t testing.TB) model.LetterContents {
	t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return model.LetterContents{
		Letter: model.Letter{Kind: model.LetterReset, To: annas, MessageID: "4711@members.example.org", AskedKind: model.ByMember, CreatedAt: dbtest.Start},
		Name:   "Anna Weber", Association: "Ruderverein „Möwe“, gegr. 1894", Portal: "members.example.org", BaseURL: "https://members.example.org",
		TimeZone: berlin, From: "no-reply@example.org", ReplyTo: "office@example.org",
		Links: []model.LetterLink{{Name: "Anna Weber", Expires: dbtest.Start.Add(7 * 24 * time.Hour),
			URL: model.NewSecret("https://members.example.org/reset/" + strings.Repeat("a", 40))}},
	}
}

func TestHeaders(t *testing.T) {
	out, err := write(contents(t), dbtest.Start, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := postmantest.ReadLetter(out.raw)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"To": "<" + annas + ">", "Reply-To": "<office@example.org>", "Message-Id": "<4711@members.example.org>",
		"Date": "Mon, 23 Nov 2026 11:42:00 +0100", "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All", "Mime-Version": "1.0",
		"List-Unsubscribe": "", "User-Agent": "", "X-Mailer": "", "Precedence": "",
	} {
		if got := l.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	from, err := l.Header.AddressList("From")
	if err != nil || len(from) != 1 || from[0].Name != "Ruderverein „Möwe“, gegr. 1894" || from[0].Address != "no-reply@example.org" {
		t.Errorf("From: %q (%v)", l.Header.Get("From"), err)
	}
	if l.Subject != "Choose a new password for Ruderverein „Möwe“, gegr. 1894" {
		t.Errorf("Subject: %q", l.Subject)
	}
	head, _, _ := bytes.Cut(out.raw, []byte("\r\n\r\n"))
	for _, c := range head {
		if c >= 0x80 {
			t.Fatalf("the head is not ASCII:\n%s", head)
		}
	}
	for line := range bytes.Lines(out.raw) {
		if !bytes.HasSuffix(line, []byte("\r\n")) || len(line) > 80 {
			t.Errorf("a line of %d bytes, or without CRLF: %q", len(line), line)
		}
	}
}

// What goes over the wire must survive servers that take 7 bits and 998 bytes
// a line (RFC 5321 §4.5.3.1.6), and be read as text where no HTML is shown:
// the last alternative is the one preferred (RFC 2046 §5.1.4).
func TestEveryKindOfLetterIsFitForTheWire(t *testing.T) {
	s := model.DefaultSettings()
	s.Association, s.BaseURL, s.NoticeFrom = "Ruderverein „Möwe“", "https://members.example.org", "notices@example.org"
	for _, k := range append([]model.LetterKind{model.LetterSettingsChanged}, model.LetterKinds...) {
		c := model.SampleLetter(k, s, "Łukasz Żółć", "lukasz@example.org", dbtest.Start)
		c.MessageID = "4711@members.example.org"
		out, err := write(c, dbtest.Start, nil)
		must(t, err)
		for line := range bytes.Lines(out.raw) {
			if len(line) > 80 || !bytes.HasSuffix(line, []byte("\r\n")) || bytes.ContainsFunc(line, func(r rune) bool { return r >= 0x80 }) {
				t.Errorf("%s: the line %q", k, line)
			}
		}
		l, err := postmantest.ReadLetter(out.raw)
		must(t, err)
		if got := l.Header.Get("Content-Type"); !strings.HasPrefix(got, "multipart/alternative;") {
			t.Errorf("%s: %s", k, got)
		}
		text, html := bytes.Index(out.raw, []byte("Content-Type: text/plain; charset=UTF-8")), bytes.Index(out.raw, []byte("Content-Type: text/html; charset=UTF-8"))
		if text < 0 || html < text || bytes.Count(out.raw, []byte("Content-Transfer-Encoding: quoted-printable")) != 2 {
			t.Errorf("%s: text at %d, HTML at %d in\n%s", k, text, html, out.raw)
		}
		for _, name := range []string{"Date", "Message-ID", "From", "To", "Subject", "Auto-Submitted"} {
			if len(l.Header[textproto.CanonicalMIMEHeaderKey(name)]) != 1 {
				t.Errorf("%s: %s stands there %d times", k, name, len(l.Header[textproto.CanonicalMIMEHeaderKey(name)]))
			}
		}
		for name := range l.Header {
			if strings.HasPrefix(name, "List-") || name == "Precedence" {
				t.Errorf("%s: %s on a letter that nobody may unsubscribe from", k, name)
			}
		}
		from, err := l.Header.AddressList("From")
		if want := s.SenderOf(k); err != nil || from[0].Address != want || !strings.Contains(l.Text, "come from "+want) {
			t.Errorf("%s: from %v, want %s", k, from, want)
		}
	}
}

// Whatever a letter is told to say, in any of its fields, its head stays the one
// that we write: no header more, none twice, no body begun early. Most of what
// is tried here is refused long before, where it is typed.
func TestNoFieldOfALetterAddsAHeader(t *testing.T) {
	plain, err := write(contents(t), dbtest.Start, nil)
	if err != nil {
		t.Fatal(err)
	}
	heads := func(raw []byte) string {
		l, err := postmantest.ReadLetter(raw)
		if err != nil {
			return err.Error()
		}
		var names []string
		for name, values := range l.Header {
			names = append(names, fmt.Sprint(name, len(values)))
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	want, tried := strings.ReplaceAll(heads(plain.raw), "Reply-To1 ", ""), 0
	for _, evil := range []string{"Evil\r\nBcc: all@example.org\r\n\r\nbody", "x@example.org\nBcc: all@example.org", "=?utf-8?q?x=0d=0aBcc:_all?=", "\r\n\r\n<evil>", "a\x00b\u2028c\u0085Bcc: x", strings.Repeat("x ", 2000)} {
		for i := range reflect.TypeFor[model.LetterContents]().NumField() {
			c := contents(t)
			of := reflect.ValueOf(&c).Elem()
			fields := []reflect.Value{of.Field(i)}
			if of.Type().Field(i).Name == "Letter" {
				fields = nil
				for n := range of.Field(i).NumField() {
					fields = append(fields, of.Field(i).Field(n))
				}
			}
			for _, field := range fields {
				if field.Kind() != reflect.String || field.Type() == reflect.TypeFor[model.LetterKind]() {
					continue
				}
				tried++
				was := field.String()
				field.SetString(evil)
				out, err := write(c, dbtest.Start, nil)
				field.SetString(was)
				if err != nil {
					continue // it does not leave
				}
				if got := strings.ReplaceAll(heads(out.raw), "Reply-To1 ", ""); got != want {
					t.Errorf("field %s with %.40q: the head has %s, not %s", of.Type().Field(i).Name+"/"+was, evil, got, want)
				}
				if strings.ContainsAny(out.from+out.to, "\r\n\x00") {
					t.Errorf("field %s with %.40q: from %q to %q", of.Type().Field(i).Name, evil, out.from, out.to)
				}
			}
		}
	}
	if tried < 60 {
		t.Errorf("only %d tries", tried)
	}
}

func TestEnvelopeIsASCIIWhereItCanBe(t *testing.T) {
	for _, tt := range []struct {
		typed, want string
		utf8        bool
	}{
		{"anna@example.org", "anna@example.org", false},
		{"anna@bücher.example", "anna@xn--bcher-kva.example", false},
		{"jürgen@bücher.example", "jürgen@xn--bcher-kva.example", true},
		{"no-reply@[192.0.2.7]", "no-reply@[192.0.2.7]", false},
	} {
		c := contents(t)
		c.To = tt.typed
		out, err := write(c, dbtest.Start, nil)
		if err != nil {
			t.Fatal(err)
		}
		if out.to != tt.want || out.utf8 != tt.utf8 {
			t.Errorf("%s: %s, %t", tt.typed, out.to, out.utf8)
		}
	}
}

func TestSMTPUTF8IsAskedForOnlyWhereItIsNeeded(t *testing.T) {
	o := open(t, postmantest.NewSink(t, nil, "SMTPUTF8", "8BITMIME"))
	dbtest.MemberWithAccount(t, o.DB, "Jürgen Weber", "jürgen@example.org")
	o.round()
	var with, without int
	for _, line := range o.sink.Heard() {
		switch {
		case verb(line) != "MAIL":
		case strings.Contains(line, "SMTPUTF8"):
			with++
		default:
			without++
		}
	}
	if with != 1 || without != 1 || len(o.sink.Letters()) != 2 {
		t.Errorf("asked for in %d of %d letters: %q", with, with+without, o.sink.Heard())
	}
}

func verb(line string) string { v, _, _ := strings.Cut(line, " "); return v }

// The whole way through a real MailHog, for every letter an act can cause.
func TestMailHogReceivesEveryKindOfLetter(t *testing.T) {
	hog := postmantest.StartMailHog(t)
	server := hog.Server()
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &server})
	dbtest.Deliver(t, d)
	o := &office{DB: d, t: t, clock: clock, log: &lockedBuffer{}}
	o.anna = dbtest.MemberWithAccount(t, d, "Anna Weber", annas)
	o.run(o.another(d))
	owner := dbtest.Owner(t, d)

	welcome := hog.Await(annas, 1)[0]
	if welcome.Subject != "Your account at Riverside Rowing Club: choose a password" || len(welcome.Links()) != 1 || welcome.Links()[0] != o.link() {
		t.Errorf("welcome: %q with %q", welcome.Subject, welcome.Links())
	}
	if !strings.Contains(welcome.HTML, `href="`+o.link()+`"`) {
		t.Error("the button of the welcome letter does not lead to the link")
	}
	clock.Add(time.Minute)
	if err := d.SendPasswordReset(t.Context(), owner, o.anna); err != nil {
		t.Fatal(err)
	}
	again := hog.Await(annas, 2)[1]
	if len(again.Links()) != 1 || again.Links()[0] != o.link() || !strings.Contains(again.Text, "Ruth Adler at the office") {
		t.Errorf("sent again: %q in\n%s", again.Links(), again.Text)
	}
	dbtest.SetPassword(t, d, o.anna, dbtest.Password)
	changed := hog.Await(annas, 3)[2]
	if changed.Subject != "Your password for Riverside Rowing Club was changed" || len(changed.Links()) != 0 || !strings.Contains(changed.Text, "Ruth Adler") {
		t.Errorf("changed: %q\n%s", changed.Subject, changed.Text)
	}

	bert := dbtest.MemberWithAccount(t, d, "Bert Weber", annas)
	hog.Await(annas, 4)
	clock.Add(17 * time.Hour)
	if err := d.AskReset(t.Context(), strings.ToUpper(annas), "192.0.2.0/24"); err != nil {
		t.Fatal(err)
	}
	both := hog.Await(annas, 5)[4]
	if len(both.Links()) != 2 || !strings.Contains(both.Text, "For Anna Weber:") || !strings.Contains(both.Text, "For Bert Weber:") {
		t.Errorf("for both:\n%s", both.Text)
	}
	if err := d.Disable(t.Context(), owner, bert); err != nil {
		t.Fatal(err)
	}
	if err := d.Disable(t.Context(), owner, o.anna); err != nil {
		t.Fatal(err)
	}
	clock.Add(time.Hour)
	if err := d.AskReset(t.Context(), annas, "192.0.2.0/24"); err != nil {
		t.Fatal(err)
	}
	ring := hog.Await(annas, 6)[5]
	if ring.Subject != "Please get in touch with Riverside Rowing Club" || len(ring.Links()) != 0 || !strings.Contains(ring.Text, "030 555 01 23") {
		t.Errorf("ring us: %q\n%s", ring.Subject, ring.Text)
	}
	if err := d.AskReset(t.Context(), "stranger@example.net", "192.0.2.0/24"); err != nil {
		t.Fatal(err)
	}
	stranger := hog.Await("stranger@example.net", 1)[0]
	if strings.Contains(stranger.Text+stranger.HTML+stranger.Subject, "stranger") || len(stranger.Links()) != 0 {
		t.Errorf("no account:\n%s", stranger.Text)
	}
	carla := dbtest.MemberWithAccount(t, d, "Carla Diaz", "carla@example.org")
	hog.Await("carla@example.org", 1)
	if err := d.ChangeEmail(t.Context(), owner, carla, "carla@example.net", false); err != nil {
		t.Fatal(err)
	}
	notice := hog.Await("carla@example.org", 2)[1]
	if !strings.Contains(notice.Subject, "email address") || strings.Contains(notice.Text, "carla@example.net") {
		t.Errorf("email changed: %q\n%s", notice.Subject, notice.Text)
	}
	hog.Await("carla@example.net", 1)
}

func TestEachLetterHasAReturnPathOfItsOwnWhereReportsAreWanted(t *testing.T) {
	o := open(t, postmantest.NewSink(t, nil, "DSN"))
	o.round() // Anna's leaves as ever
	dbtest.SetBounceAddress(t, o.DB)
	dbtest.MemberWithAccount(t, o.DB, "Bert Weber", "bert@example.org")
	dbtest.MemberWithAccount(t, o.DB, "Carla Weber", "carla@example.org")
	o.round()
	var senders []string
	for _, line := range o.sink.Heard() {
		if verb(line) == "MAIL" {
			senders = append(senders, line)
		}
	}
	if len(senders) != 3 || !strings.HasPrefix(senders[0], "MAIL FROM:<no-reply@localhost>") || !strings.Contains(senders[0], "RET=HDRS") {
		t.Fatalf("sent by %q", senders)
	}
	path := regexp.MustCompile(`^MAIL FROM:<(bounces\+[0-9]+-[a-z2-7]{16}@riverside\.example)> .*RET=HDRS`)
	second, third := path.FindStringSubmatch(senders[1]), path.FindStringSubmatch(senders[2])
	if second == nil || third == nil || second[1] == third[1] {
		t.Fatalf("sent by %q", senders)
	}
	for _, l := range o.sink.Letters() {
		if from, err := l.Header.AddressList("From"); err != nil || from[0].Address != "no-reply@localhost" || strings.Contains(string(l.Raw), "bounces") {
			t.Errorf("From: %q (%v)", l.Header.Get("From"), err)
		}
	}
	letter, err := o.TakeBounce(t.Context(), dbtest.DeliveryReport(second[1], "failed", "5.1.1", "550 5.1.1 unknown"))
	if err != nil || letter == 0 {
		t.Errorf("a report to %s is taken for letter %d, %v", second[1], letter, err)
	}
}
