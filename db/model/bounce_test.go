package model_test

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"latchkey/db/model"
)

//go:embed testdata/bounce
var bounceFiles embed.FS

var theLetter = model.Letter{ID: 4711, MessageID: "4711@members.example.org"}

// report is a message of testdata, written to the return path of theLetter.
func report(t testing.TB, name string) (raw, to string) {
	t.Helper()
	file, err := bounceFiles.ReadFile("testdata/bounce/" + name + ".eml")
	if err != nil {
		t.Fatal(err)
	}
	to = keyring(t, "k1").ReturnPath("bounces@example.org", theLetter)
	return strings.ReplaceAll(string(file), "{{to}}", to), to
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func TestReportsOfCommonServers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fate   model.Fate
		code   int
		reason string
	}{
		{"postfix", model.FateBounced, 550, "550 5.1.1 <anna.weber@example.net>: Recipient address rejected: User unknown in virtual mailbox table"},
		{"postfix-delayed", model.FateDelayed, 0, "4.4.1 connect to mx.example.net[192.0.2.25]:25: Connection timed out"},
		{"exchange", model.FateBounced, 550, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient anna.weber@harbour.example.com not found by SMTP address lookup"},
		{"gmail", model.FateBounced, 550, "550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking the recipient's email address for typos or " +
			"550-5.1.1 unnecessary spaces. For more information, go to 550 5.1.1 https://support.example/mail/?p=NoSuchUser ffacd0b85a97d-42b sor - gsmtp"},
	} {
		raw, to := report(t, tt.name)
		for how, raw := range map[string]string{
			"as it is": raw, "with CRLF": crlf(raw), "from a mailbox file": "From MAILER-DAEMON Mon Nov 23 11:42:03 2026\n" + raw,
			"shouted": strings.ReplaceAll(raw, to, strings.ToUpper(to)),
			"inside another message": "To: " + to + "\nContent-Type: multipart/mixed; boundary=outer\n\n--outer\n" + raw +
				"\n--outer\nContent-Type: text/plain\n\nThis message was scanned.\n--outer--\n",
			"huge": raw + strings.Repeat("More of the letter that came back.\n", 300_000),
		} {
			got, ok := model.ReadBounce([]byte(raw))
			if !ok || got.Fate != tt.fate || got.Code != tt.code || got.Reason != tt.reason {
				t.Errorf("%s, %s: %t, %+v", tt.name, how, ok, got)
				continue
			}
			if len(got.To) == 0 || got.To[0].Letter != 4711 || !keyring(t, "k1").MayReport(got.To[0], theLetter) {
				t.Errorf("%s, %s: for %+v", tt.name, how, got.To)
			}
		}
	}
}

// reportOf is a plain report with these fields about one recipient.
func reportOf(to, fields string) string {
	return "Return-Path: <>\nTo: " + to + "\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n" +
		"--b\nContent-Type: text/plain\n\nSorry.\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n" + fields + "\n--b--\n"
}

func TestWhatAReportMeans(t *testing.T) {
	to := keyring(t, "k1").ReturnPath("bounces@example.org", theLetter)
	link := strings.Repeat("abcdefgh", 5)
	for _, tt := range []struct {
		name, fields string
		fate         model.Fate // "": not a report that says anything
		code         int
		reason       string
	}{
		{"gave up after days", "Action: failed\nStatus: 4.4.7\nDiagnostic-Code: smtp; 451 4.7.1 try later\n", model.FateBounced, 451, "4.4.7 451 4.7.1 try later"},
		{"no reason at all", "Final-Recipient: rfc822; a@example.net\nAction: failed\n", model.FateBounced, 0, ""},
		{"a status alone", "Action: failed\nStatus: 5.2.2\n", model.FateBounced, 0, "5.2.2"},
		{"a status with a comment", "Action: failed (gave up)\nStatus: 5.2.2 (mailbox full)\n", model.FateBounced, 0, "5.2.2"},
		{"fields in capitals", "ACTION: FAILED\nSTATUS: 5.2.2\nDIAGNOSTIC-CODE: SMTP; 552 5.2.2 full\n", model.FateBounced, 552, "552 5.2.2 full"},
		{"no Action", "Status: 5.2.2\n", model.FateBounced, 0, "5.2.2"},
		{"no Action, for now", "Status: 4.2.2\n", model.FateDelayed, 0, "4.2.2"},
		{"an Action that nobody knows", "Action: lost\nStatus: 5.0.0\n", model.FateBounced, 0, "5.0.0"},
		{"delayed for good", "Action: delayed\nStatus: 5.0.0\n", model.FateDelayed, 0, "5.0.0"},
		{"delivered", "Action: delivered\nStatus: 2.0.0\n", "", 0, ""},
		{"relayed", "Action: relayed\nStatus: 2.0.0\n", "", 0, ""},
		{"expanded", "Action: expanded\nStatus: 2.0.0\n", "", 0, ""},
		{"failed well", "Action: failed\nStatus: 2.1.5\n", "", 0, ""},
		{"nothing", "Final-Recipient: rfc822; a@example.net\n", "", 0, ""},
		{"nonsense", "Action failed\n: : :\n\x00\xff\nStatus: five\n", "", 0, ""},
		{"not by SMTP", "Action: failed\nStatus: 5.3.0\nDiagnostic-Code: x-unix; 550 is not a code here\n", model.FateBounced, 0, "5.3.0 550 is not a code here"},
		{"no kind", "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: 550 5.1.1 unknown\n", model.FateBounced, 550, "550 5.1.1 unknown"},
		{"no code but a number", "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 5501 mailboxes\n", model.FateBounced, 0, "5.1.1 5501 mailboxes"},
		{"several mailboxes, the worst counts", "Action: delivered\nStatus: 2.0.0\n\nAction: delayed\nStatus: 4.2.0\n \n\nAction: failed\nStatus: 5.1.1\n\nAction: failed\nStatus: 5.9.9\n",
			model.FateBounced, 0, "5.1.1"},
		{"the link is quoted", "Action: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 554 5.7.1 https://members.example.org/reset/" + link + " is listed\n",
			model.FateBounced, 554, "554 5.7.1 https://members.example.org/reset/[…] is listed"},
		{"the link is quoted and folded", "Action: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 554 5.7.1 /reset/" + link[:20] + "\n " + link[20:] + " no\n",
			model.FateBounced, 554, "554 5.7.1 /reset/[…] no"},
		{"control and turning characters", "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 \x1b[31mno\x00 \u202eon\n", model.FateBounced, 550, "550 5.1.1 [31mno on"},
		{"Latin-1", "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 kein Postfach f\xfcr Sie\n", model.FateBounced, 550, "550 5.1.1 kein Postfach für Sie"},
		{"an encoded word", "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; =?utf-8?Q?550_5.1.1_f=C3=BCr_niemand?=\n", model.FateBounced, 550, "550 5.1.1 für niemand"},
		{"an encoded word that is none", "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; =?klingon?Q?qapla?=\n", model.FateBounced, 0, "5.1.1 =?klingon?Q?qapla?="},
	} {
		for how, raw := range map[string]string{"": reportOf(to, tt.fields), " with CRLF": crlf(reportOf(to, tt.fields))} {
			got, ok := model.ReadBounce([]byte(raw))
			if ok != (tt.fate != "") || got.Fate != tt.fate || got.Code != tt.code || got.Reason != tt.reason {
				t.Errorf("%s%s: %t, %+v", tt.name, how, ok, got)
			}
		}
	}
	got, _ := model.ReadBounce([]byte(reportOf(to, "Action: failed\nDiagnostic-Code: smtp; 550 "+strings.Repeat("ü no\n ", 50_000)+"\n")))
	if got.Fate != model.FateBounced || len(got.Reason) > model.LongestReply || !utf8.ValidString(got.Reason) {
		t.Errorf("a reason of %d bytes, %s", len(got.Reason), got.Fate)
	}
}

func TestBrokenReports(t *testing.T) {
	to := keyring(t, "k1").ReturnPath("bounces@example.org", theLetter)
	fields := "Reporting-MTA: dns; x\n\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 unknown\n"
	part := func(head, body string) string {
		return "To: " + to + "\nContent-Type: multipart/report; boundary=b\n\n--b\n" + head + "\n\n" + body + "\n--b--\n"
	}
	coded := base64.StdEncoding.EncodeToString([]byte(fields))
	deep := func(n int) string {
		raw := "To: " + to + "\n"
		for i := range n {
			raw += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
		}
		return raw + "Content-Type: message/delivery-status\n\n" + fields
	}
	for _, tt := range []struct {
		name, raw string
		want      bool
	}{
		{"base64", part("Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64", coded), true},
		{"base64 with a fault behind the reason", part("Content-Type: message/delivery-status\nContent-Transfer-Encoding: BASE64", coded+"!!!"), true},
		{"base64 that is none", part("Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64", fields), false},
		{"quoted-printable", part("Content-Type: message/delivery-status\nContent-Transfer-Encoding: quoted-printable", strings.ReplaceAll(fields, "failed", "fail=\ned")), true},
		{"an encoding that nobody knows", part("Content-Type: message/delivery-status\nContent-Transfer-Encoding: rot13", fields), true},
		{"in UTF-8", part("Content-Type: message/global-delivery-status", fields), true},
		{"without multiparts", "To: " + to + "\nContent-Type: message/delivery-status\n\n" + fields, true},
		{"six in one another", deep(6), true},
		{"seven", deep(7), false},
		{"a thousand", deep(1000), false},
		{"fifty parts before it", "To: " + to + "\nContent-Type: multipart/report; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 50) + "--b\nContent-Type: message/delivery-status\n\n" + fields + "\n--b--\n", false},
		{"inside a forwarded message", part("Content-Type: message/rfc822", "Content-Type: message/delivery-status\n\n"+fields), false},
		{"a receipt", part("Content-Type: message/disposition-notification", "Final-Recipient: rfc822; a@example.net\nDisposition: automatic-action; deleted\n"), false},
		{"somebody on holiday", "To: " + to + "\nAuto-Submitted: auto-replied\nContent-Type: text/plain\n\nI am away. Action: failed\n", false},
		{"no type", "To: " + to + "\n\n" + fields, false},
		{"no boundary", "To: " + to + "\nContent-Type: multipart/report\n\n--b\nContent-Type: message/delivery-status\n\n" + fields, false},
		{"a type that cannot be read", "To: " + to + "\nContent-Type: multipart/report; boundary=\"b\n\n" + fields, false},
		{"a head that is none", "hello\n\n" + fields, false},
		{"nothing", "", false},
		{"an mbox line alone", "From x", false},
		{"bytes", "\x00\xff\xfe", false},
		{"nobody's address", "To: bounces@example.org\nContent-Type: message/delivery-status\n\n" + fields, false},
		{"the address of the letter in its quotation only", "To: bounces@example.org\nContent-Type: message/delivery-status\n\n" + fields + "X-Postfix-Sender: rfc822; " + to + "\n", false},
		{"a number that is too large", "To: bounces+9999999999999999999-" + strings.Repeat("a", 16) + "@example.org\nContent-Type: message/delivery-status\n\n" + fields, false},
	} {
		got, ok := model.ReadBounce([]byte(tt.raw))
		if ok != tt.want || ok && (got.Code != 550 || got.Reason != "550 5.1.1 unknown") {
			t.Errorf("%s: %t, %+v", tt.name, ok, got)
		}
	}
	for _, field := range []string{"Delivered-To", "X-Original-To", "Original-Recipient"} {
		raw := "To: undisclosed-recipients:;\n" + field + ": rfc822;" + to + "\nContent-Type: message/delivery-status\n\n" + fields
		if got, ok := model.ReadBounce([]byte(raw)); !ok || len(got.To) != 1 || got.To[0].Letter != theLetter.ID {
			t.Errorf("%s: %t, %+v", field, ok, got)
		}
	}
	many := "To: " + strings.Repeat(to+", ", 1000) + "\nContent-Type: message/delivery-status\n\n" + fields
	if got, ok := model.ReadBounce([]byte(many)); !ok || len(got.To) > 8 {
		t.Errorf("%d addresses are kept", len(got.To))
	}
}

func TestAReportIsReadHoweverItIsCut(t *testing.T) {
	for _, name := range []string{"postfix", "postfix-delayed", "exchange", "gmail"} {
		raw, _ := report(t, name)
		_, last, _ := strings.Cut(raw, "Diagnostic-Code: ")
		enough := len(raw) - len(last)
		for n := range len(raw) {
			if got, ok := model.ReadBounce([]byte(raw[:n])); ok && got.Fate == "" || !ok && n > enough {
				t.Fatalf("%s, %d bytes of %d: %t, %+v", name, n, len(raw), ok, got)
			}
		}
	}
}

func TestATagIsOneLettersAlone(t *testing.T) {
	old, ring := keyring(t, "k1"), keyring(t, "k2", "k1")
	address := func(path string) model.ReturnAddress {
		t.Helper()
		got, ok := model.ReadBounce([]byte(reportOf(path, "Action: failed\n")))
		if !ok {
			t.Fatalf("%s is no return path", path)
		}
		return got.To[0]
	}
	path := old.ReturnPath("bounces@example.org", theLetter)
	if want := "bounces+4711-"; !strings.HasPrefix(path, want) || !strings.HasSuffix(path, "@example.org") || len(path) != len(want)+16+len("@example.org") || path != strings.ToLower(path) {
		t.Errorf("the return path is %s", path)
	}
	to := address(path)
	flipped := to
	flipped.Tag = string("ab"[(to.Tag[0]&1)]) + to.Tag[1:]
	if flipped.Tag == to.Tag {
		flipped.Tag = "c" + to.Tag[1:]
	}
	other := model.Letter{ID: 4712, MessageID: "4712@members.example.org"}
	again := model.Letter{ID: 4711, MessageID: "another@members.example.org"} // after a backup was put back
	for _, tt := range []struct {
		name   string
		ring   model.Keyring
		to     model.ReturnAddress
		letter model.Letter
		want   bool
	}{
		{"its own", old, to, theLetter, true},
		{"in capitals", old, address(strings.ToUpper(path)), theLetter, true},
		{"after a rotation", ring, to, theLetter, true},
		{"of the newer key", ring, address(ring.ReturnPath("b@example.org", theLetter)), theLetter, true},
		{"of a key that is gone", keyring(t, "k2"), to, theLetter, false},
		{"another portal's", model.NewKeyring(), to, theLetter, false},
		{"one character off", old, flipped, theLetter, false},
		{"no tag", old, model.ReturnAddress{Letter: 4711}, theLetter, false},
		{"half a tag", old, model.ReturnAddress{Letter: 4711, Tag: to.Tag[:8]}, theLetter, false},
		{"for another letter", old, to, other, false},
		{"with another letter's number", old, model.ReturnAddress{Letter: 4712, Tag: to.Tag}, other, false},
		{"the number twice", old, to, again, false},
	} {
		if got := tt.ring.MayReport(tt.to, tt.letter); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

func TestAddressesThatReportsCanGoTo(t *testing.T) {
	for email, want := range map[string]string{
		"": "", "bounces@example.org": "", "office+bounces@example.org": "",
		strings.Repeat("b", 27) + "@example.org":                             "",
		strings.Repeat("b", 28) + "@example.org":                             "shorter",
		"rückläufer@example.org":                                             "plain letters",
		"bounces@rückläufer.example":                                         "",
		"b@" + strings.Repeat("a.", 105) + "org":                             "",
		"b@" + strings.Repeat("a.", 123) + "org":                             "shorter",
		"bounces@" + strings.Repeat("abcdefgh.", 24) + "rueckwaerts.example": "shorter",
	} {
		got := model.CheckBounceAddress(email)
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q", email, got)
		}
		if got == "" && email != "" {
			path := keyring(t, "k1").ReturnPath(email, model.Letter{ID: 1<<63 - 1})
			local, _, _ := strings.Cut(path, "@")
			if _, wrong := model.ParseEmail(path); wrong != "" || len(local) > 64 || len(path) > 254 {
				t.Errorf("%s: %q", path, wrong)
			}
		}
	}
}

func FuzzReadBounce(f *testing.F) {
	for _, name := range []string{"postfix", "postfix-delayed", "exchange", "gmail"} {
		raw, _ := report(f, name)
		f.Add([]byte(raw))
		f.Add([]byte(crlf(raw)))
	}
	f.Add([]byte("To: b+1-aaaaaaaaaaaaaaaa@x\nContent-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\nQWN0aW9uOiBmYWlsZWQ="))
	ring := keyring(f, "k2", "k1")
	f.Fuzz(func(t *testing.T, raw []byte) {
		was := bytes.Clone(raw)
		got, ok := model.ReadBounce(raw)
		if !bytes.Equal(raw, was) {
			t.Fatal("the message was changed")
		}
		if ok != (got.Fate == model.FateBounced || got.Fate == model.FateDelayed) || ok && len(got.To) == 0 || len(got.To) > 8 {
			t.Fatalf("%t, %+v", ok, got)
		}
		if len(got.Reason) > model.LongestReply || !utf8.ValidString(got.Reason) || model.OneLine(got.Reason) != got.Reason {
			t.Fatalf("the reason is %q", got.Reason)
		}
		if got.Code != 0 && (got.Code < 400 || got.Code > 599) {
			t.Fatalf("the code is %d", got.Code)
		}
		for _, to := range got.To {
			l := theLetter
			l.ID = to.Letter
			if ring.MayReport(to, l) && to.Letter != theLetter.ID {
				t.Fatalf("%+v fits", to)
			}
		}
	})
}
