package handlers

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// returned is a site whose letters leave with return paths, one letter that
// left to Nina, and the secret for reports about it.
func returned(t *testing.T) (s *site, nina int64, path, secret string) {
	t.Helper()
	s = newSite(t)
	dbtest.SetBounceAddress(t, s.db)
	nina = dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	all := dbtest.Deliver(t, s.db)
	made, err := s.db.NewBounceSecret(t.Context(), dbtest.Owner(t, s.db))
	if err != nil {
		t.Fatal(err)
	}
	return s, nina, all[len(all)-1].ReturnPath, made.Reveal()
}

func (b *browser) postBounce(raw []byte, header ...string) *reply {
	b.t.Helper()
	return b.send(b.request(http.MethodPost, "/bounces", string(raw), header...))
}

func TestAPostedReportIsShownOnTheRecord(t *testing.T) {
	s, nina, path, secret := returned(t)
	s.clock.Add(2 * time.Hour)
	program := s.browser(t)
	raw := dbtest.DeliveryReport(path, "failed", "5.2.2", "552 5.2.2 <nina@example.org>: mailbox full")
	a := program.postBounce(raw, "Authorization", "Bearer "+secret).is(http.StatusNoContent)
	if a.body != "" || a.cookie("latchkey") != nil {
		t.Errorf("the answer is %q", a.body)
	}

	b := s.owner(t)
	member := fmt.Sprintf("/admin/members/%d", nina)
	page := b.get(member + "/settings").is(http.StatusOK)
	for selector, want := range map[string]string{
		"#badges":            "Letter came back",
		"#why":               "The letter to nina@example.org bounced: it was taken, and came back.",
		"#letter-state":      "bounced: it came back today at 13:42. Their mailbox is full.",
		"#letter-state samp": "552 5.2.2 <nina@example.org>: mailbox full",
		"#life-line":         "Came back",
		".tag.refused":       "bounced",
	} {
		if got := page.text(selector); !strings.Contains(got, want) {
			t.Errorf("%s says %q, not %q", selector, got, want)
		}
	}
	b.get(member + "/activity").says("Welcome letter: bounced, it came back")
	b.get("/admin/members?filter=" + string(model.FilterFailing)).is(http.StatusOK).says("Nina Holm")
	if strings.Contains(s.log.String(), "nina@") || strings.Contains(s.log.String(), secret) || strings.Contains(s.log.String(), path) {
		t.Error("an address or the secret is in the log")
	}
}

func TestADelayIsShownAndTheLetterStaysAccepted(t *testing.T) {
	s, nina, path, secret := returned(t)
	s.clock.Add(4 * time.Hour)
	s.browser(t).postBounce(dbtest.DeliveryReport(path, "delayed", "4.4.1", "451 4.4.1 no answer"), "Authorization", "Bearer "+secret).is(http.StatusNoContent)
	page := s.owner(t).get(fmt.Sprintf("/admin/members/%d/settings", nina)).is(http.StatusOK)
	for selector, want := range map[string]string{
		"#letter-state": "accepted by the mail server today at 11:42. It waits at a server on its way, which said so today at 15:42 and keeps trying.",
		"#why":          "It waits at a server on its way, which keeps trying.",
		"#life-line":    "it waits on its way",
		".tag.sent":     "451 4.4.1 no answer",
	} {
		if got := page.text(selector); !strings.Contains(got, want) {
			t.Errorf("%s says %q, not %q", selector, got, want)
		}
	}
}

// What counts is the secret, in its header, and nothing that a browser sends.
func TestOnlyTheSecretOpensTheDoorForReports(t *testing.T) {
	s, nina, path, secret := returned(t)
	raw := dbtest.DeliveryReport(path, "failed", "5.1.1", "550 5.1.1 unknown")
	for name, b := range map[string]*browser{"stranger": s.browser(t), "owner": s.owner(t)} {
		for _, authorization := range []string{"", secret, "Bearer", "Bearer ", "Bearer " + secret + "x", "Bearer " + secret[1:], "Bearer " + strings.ToUpper(secret), "Basic " + secret} {
			a := b.postBounce(raw, "Authorization", authorization)
			if a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" || a.body != "" {
				t.Errorf("%s with %q: %d %q", name, authorization, a.status, a.body)
			}
		}
	}
	r, err := s.db.RecordWithoutLink(t.Context(), model.ShellActor(), nina)
	if err != nil || r.LastLetter.State != model.LetterAccepted {
		t.Fatalf("%+v, %v", r.LastLetter, err)
	}
	// A program has neither cookies nor an origin, and may call its body what it likes.
	for _, header := range [][]string{
		{"Content-Type", "message/rfc822"}, {"Content-Type", "application/x-www-form-urlencoded"}, {"Content-Type", "multipart/form-data"}, {"Content-Type", ""},
		{"Origin", "https://mail.example.net", "Sec-Fetch-Site", "cross-site"}, {"Cookie", "latchkey=nonsense"},
	} {
		s.browser(t).postBounce(raw, append(header, "Authorization", "bearer  "+secret)...).is(http.StatusNoContent)
	}
	if r, err = s.db.RecordWithoutLink(t.Context(), model.ShellActor(), nina); err != nil || r.LastLetter.State != model.LetterBounced {
		t.Errorf("%+v, %v", r.LastLetter, err)
	}
}

func TestWithoutASecretNobodyPostsReports(t *testing.T) {
	s := newSite(t)
	for _, authorization := range []string{"", "Bearer ", "Bearer x"} {
		s.browser(t).postBounce(nil, "Authorization", authorization).is(http.StatusUnauthorized)
	}
	s.browser(t).get("/bounces").is(http.StatusMethodNotAllowed)
}

func TestTheAnswerToAForgedReportIsTheSame(t *testing.T) {
	s, nina, path, secret := returned(t)
	before := s.changes(t)
	for name, raw := range map[string]string{
		"forged":   string(dbtest.DeliveryReport("bounces+1-aaaaaaaaaaaaaaaa@riverside.example", "failed", "5.1.1", "550 5.1.1 unknown")),
		"unknown":  string(dbtest.DeliveryReport("bounces+999999-aaaaaaaaaaaaaaaa@riverside.example", "failed", "5.1.1", "550 5.1.1 unknown")),
		"nothing":  "",
		"holiday":  "To: " + path + "\r\n\r\nI am away.",
		"nonsense": "\x00\xff",
		"huge":     "To: " + path + "\r\nContent-Type: text/plain\r\n\r\n" + strings.Repeat("very long ", model.BounceLimit/10+100_000),
	} {
		a := s.browser(t).postBounce([]byte(raw), "Authorization", "Bearer "+secret)
		if a.status != http.StatusNoContent || a.body != "" {
			t.Errorf("%s: %d %q", name, a.status, a.body)
		}
	}
	if after := s.changes(t); after != before {
		t.Errorf("%d lines of activity before, %d after", before, after)
	}
	// A report of more than is read is still taken.
	raw := string(dbtest.DeliveryReport(path, "failed", "5.1.1", "550 5.1.1 unknown")) + strings.Repeat("More of what came back.\r\n", model.BounceLimit/20)
	s.browser(t).postBounce([]byte(raw), "Authorization", "Bearer "+secret).is(http.StatusNoContent)
	if r, err := s.db.RecordWithoutLink(t.Context(), model.ShellActor(), nina); err != nil || r.LastLetter.State != model.LetterBounced {
		t.Errorf("%+v, %v", r.LastLetter, err)
	}
}

func TestAReportThatBreaksOffIsAskedForAgain(t *testing.T) {
	s, nina, path, secret := returned(t)
	raw := dbtest.DeliveryReport(path, "failed", "5.1.1", "550 5.1.1 unknown")
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /bounces HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", secret, len(raw)+100, raw)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400") {
		t.Errorf("%.100s, %v", answer, err)
	}
	if r, err := s.db.RecordWithoutLink(t.Context(), model.ShellActor(), nina); err != nil || r.LastLetter.State != model.LetterAccepted {
		t.Errorf("%+v, %v", r.LastLetter, err)
	}
}

func TestAReportIsAskedForAgainWhileTheDatabaseDoesNotAnswer(t *testing.T) {
	s, _, path, secret := returned(t)
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	a := s.browser(t).postBounce(dbtest.DeliveryReport(path, "failed", "5.1.1", "550 5.1.1 unknown"), "Authorization", "Bearer "+secret)
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %q", a.status, a.header.Get("Retry-After"))
	}
}

func TestTheSecretForReportsIsShownOnce(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	page := b.get(mailPath).is(http.StatusOK)
	if page.doc.Find("#bounces").Length() != 0 {
		t.Error("without a bounce address there is nothing to say")
	}
	b.submit(page, `form[action="`+mailPath+`"]`, "", "bounce_address", "bounces@example.org", "current_password", dbtest.OwnerPassword).leads(mailPath)
	page = b.get(mailPath).is(http.StatusOK).says("What arrives at bounces@example.org")
	form := `form[action="/admin/settings/bounce-secret#bounces"]`
	shown := b.submit(page, form, "").is(http.StatusOK)
	_, secret, ok := strings.Cut(shown.text("#bounce-secret"), "Authorization: Bearer ")
	if fits, err := s.db.MayPostBounces(context.WithoutCancel(t.Context()), secret); !ok || !fits || err != nil {
		t.Errorf("the page shows %q", secret)
	}
	if shown.header.Get("Cache-Control") != "no-store" || shown.header.Get("Content-Encoding") != "" {
		t.Errorf("the page with the secret has %v", shown.header)
	}
	if got := shown.value("#bounce_address"); got != "bounces@example.org" {
		t.Errorf("the form beside it says %q", got)
	}
	again := b.get(mailPath).is(http.StatusOK).says("Make a new secret").saysNothingOf(secret)
	b.submit(again, form, "").is(http.StatusOK).saysNothingOf(secret)
	if fits, err := s.db.MayPostBounces(context.WithoutCancel(t.Context()), secret); fits || err != nil {
		t.Error("the former secret still fits", err)
	}
}
