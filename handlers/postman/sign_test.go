package postman

import (
	"bytes"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
	"latchkey/handlers/postman/postmantest"
)

// verify asks an independent verifier, which finds in DNS only what the portal
// told the owner to paste.
func verify(t *testing.T, raw []byte, pasted model.DNSRecord) []*dkim.Verification {
	t.Helper()
	all, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		if name != pasted.Name {
			return nil, errors.New("there is no record of the name " + name)
		}
		return []string{pasted.Value}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// switchSigning switches signing on, as an owner does who pasted the record.
func switchSigning(t *testing.T, d *db.DB) model.DNSRecord {
	t.Helper()
	owner := dbtest.Owner(t, d)
	s, err := d.Settings(t.Context())
	must(t, err)
	domain := db.MailDomain(s.Sender())
	must(t, d.MakeDKIM(t.Context(), owner, domain))
	s, err = d.Settings(t.Context())
	must(t, err)
	k := s.DKIM.Of(domain)
	must(t, d.SignLetters(t.Context(), owner, k.Selector, []string{k.Record().Value}))
	return k.Record()
}

var quiet = slog.New(slog.DiscardHandler)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLettersAreSignedAndAStrangerBelievesIt(t *testing.T) {
	sink := postmantest.NewSink(t, nil)
	server := sink.Server()
	d, _ := dbtest.OpenIn(t, t.TempDir(), db.Fixed{Mail: &server, MailFrom: "office@riverside.example", BaseURL: "https://members.riverside.example"})
	record := switchSigning(t, d)
	dbtest.MemberWithAccount(t, d, "Łukasz Żółć", "lukasz@example.org")
	dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	must(t, New(d, quiet).round(t.Context()))
	if n := len(sink.Letters()); n != 2 {
		t.Fatalf("%d letters", n)
	}
	for _, l := range sink.Letters() {
		all := verify(t, l.Raw, record)
		if len(all) != 1 || all[0].Err != nil || all[0].Domain != "riverside.example" {
			t.Fatalf("%+v\n%s", all[0], l.Raw)
		}
		if got := strings.Join(all[0].HeaderKeys, " "); got != "From From Reply-To To Subject Date Message-ID MIME-Version Content-Type" {
			t.Errorf("it vouches for %s", got)
		}
		for what, change := range map[string]func(string) string{
			"another sender": func(s string) string { return strings.Replace(s, "office@riverside", "0ffice@riverside", 1) },
			"a second From":  func(s string) string { return "From: x@evil.example\r\n" + s },
			"another text":   func(s string) string { return strings.Replace(s, "Hello", "Hallo", 1) },
			"another subject": func(s string) string {
				return regexp.MustCompile(`(?m)^Subject: `).ReplaceAllString(s, "Subject: Urgent: ")
			},
			"a second answer": func(s string) string { return "Reply-To: x@evil.example\r\n" + s },
			"more at the end": func(s string) string { return s + "<p>and this</p>\r\n" },
		} {
			forged := change(string(l.Raw))
			if forged == string(l.Raw) {
				t.Fatalf("%s: nothing was changed", what)
			}
			if all := verify(t, []byte(forged), record); len(all) != 1 || all[0].Err == nil {
				t.Errorf("%s is believed", what)
			}
		}
	}
}

func TestLettersLeaveUnsignedUntilTheKeyIsTheirs(t *testing.T) {
	sink := postmantest.NewSink(t, nil)
	server := sink.Server()
	folder := t.TempDir()
	send := func(fixed db.Fixed, name string, prepare func(d *db.DB)) []byte {
		d, err := db.Open(t.Context(), folder, fixed)
		must(t, err)
		defer d.Close()
		prepare(d)
		n := len(sink.Letters())
		dbtest.MemberWithAccount(t, d, name+" Brandt", strings.ToLower(name)+"@example.org")
		p := New(d, quiet)
		defer p.hangUp()
		must(t, p.round(t.Context()))
		return sink.Letters()[n].Raw
	}
	fixed := db.Fixed{Mail: &server, MailFrom: "office@riverside.example", BaseURL: "https://members.riverside.example"}
	first, _ := dbtest.OpenIn(t, folder, fixed)
	must(t, first.Close())
	unsigned := func(raw []byte, why string) {
		t.Helper()
		if bytes.Contains(raw, []byte("DKIM-Signature")) {
			t.Errorf("a letter is signed, %s", why)
		}
	}
	unsigned(send(fixed, "Anna", func(*db.DB) {}), "without a key")
	unsigned(send(fixed, "Bert", func(d *db.DB) { must(t, d.MakeDKIM(t.Context(), dbtest.Owner(t, d), "riverside.example")) }), "before the record was seen")
	if !bytes.Contains(send(fixed, "Carla", func(d *db.DB) { switchSigning(t, d) }), []byte("DKIM-Signature")) {
		t.Error("a letter is not signed after all that")
	}
	elsewhere := fixed
	elsewhere.MailFrom = "office@elsewhere.example"
	unsigned(send(elsewhere, "Dora", func(*db.DB) {}), "for another domain than its own")
	unsigned(send(fixed, "Emil", func(d *db.DB) {
		s, err := d.Settings(t.Context())
		must(t, err)
		must(t, d.LeaveUnsigned(t.Context(), dbtest.Owner(t, d), s.DKIM.Of("riverside.example").Selector))
	}), "switched off")
}

func TestEachDomainsLettersAreSignedWithItsOwnKey(t *testing.T) {
	sink := postmantest.NewSink(t, nil)
	server := sink.Server()
	d, _ := dbtest.OpenIn(t, t.TempDir(), db.Fixed{Mail: &server, MailFrom: "office@riverside.example", BaseURL: "https://members.riverside.example"})
	owner := dbtest.Owner(t, d)
	must(t, d.ChangeMail(t.Context(), owner, model.MailChange{NoticeFrom: "notices@rowing.example", NoticeReplyTo: "board@rowing.example", Current: model.NewSecret(dbtest.OwnerPassword)}))
	must(t, d.MakeDKIM(t.Context(), owner, "rowing.example"))
	s, err := d.Settings(t.Context())
	must(t, err)
	notices := s.DKIM.Of("rowing.example").Record()
	must(t, d.SignLetters(t.Context(), owner, s.DKIM.Of("rowing.example").Selector, []string{notices.Value}))
	p := New(d, quiet)
	defer p.hangUp()
	send := func(name string) (welcome, notice []byte) {
		t.Helper()
		n := len(sink.Letters())
		anna := dbtest.MemberWithAccount(t, d, name+" Weber", strings.ToLower(name)+"@example.org")
		must(t, p.round(t.Context()))
		must(t, d.ChangeEmail(t.Context(), owner, anna, strings.ToLower(name)+"@example.net", false))
		must(t, p.round(t.Context()))
		for _, l := range sink.Letters()[n:] {
			if from, err := l.Header.AddressList("From"); err == nil && from[0].Address == "notices@rowing.example" {
				notice = l.Raw
				if got := l.Header.Get("Reply-To"); got != "<board@rowing.example>" {
					t.Errorf("answers to a notice go to %s", got)
				}
			} else if welcome == nil {
				welcome = l.Raw
			}
		}
		return welcome, notice
	}
	dbtest.Deliver(t, d) // what tells the owners
	welcome, notice := send("Anna")
	if bytes.Contains(welcome, []byte("DKIM-Signature")) {
		t.Error("a letter is signed with the key of another domain")
	}
	links := switchSigning(t, d)                     // two keys by now
	for _, name := range []string{"Bert", "Carla"} { // the second time with signers that are known
		if all := verify(t, notice, notices); len(all) != 1 || all[0].Err != nil || all[0].Domain != "rowing.example" {
			t.Errorf("a notice: %+v", all)
		}
		welcome, notice = send(name)
		if all := verify(t, welcome, links); len(all) != 1 || all[0].Err != nil || all[0].Domain != "riverside.example" {
			t.Errorf("a letter with a link: %+v", all)
		}
	}
}

func BenchmarkSigning(b *testing.B) {
	k, err := model.NewDKIM("riverside.example", dbtest.Start)
	must(b, err)
	k.On = true
	d, _ := dbtest.Open(b)
	p := New(d, quiet)
	c := contents(b)
	c.From = "office@riverside.example"
	for b.Loop() {
		signer, err := p.signer(model.DKIMKeys{k}, c.From)
		must(b, err)
		if _, err := write(c, dbtest.Start, signer); err != nil {
			b.Fatal(err)
		}
	}
}
