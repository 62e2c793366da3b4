package handlers

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// zone is a name server on loopback. It says of each name and type what it was
// told; a question for a silent name it never answers, and one for a failing name
// with an error.
type zone struct {
	mu      sync.Mutex
	records map[string][]dns.RR
	silent  map[string]bool
	failing map[string]bool
	asked   atomic.Int64
}

func newZone(t testing.TB) (*zone, *net.Resolver) {
	t.Helper()
	z := &zone{records: map[string][]dns.RR{}, silent: map[string]bool{}, failing: map[string]bool{}}
	tcp, err := net.Listen("tcp", "127.0.0.1:0") // what is longer than 512 bytes is asked for again
	mustDo(t, err)
	conn, err := net.ListenPacket("udp", tcp.Addr().String())
	for try := 0; err != nil && try < 10; try++ { // somebody has that port
		_ = tcp.Close()
		tcp, err = net.Listen("tcp", "127.0.0.1:0")
		mustDo(t, err)
		conn, err = net.ListenPacket("udp", tcp.Addr().String())
	}
	mustDo(t, err)
	for _, s := range []*dns.Server{{PacketConn: conn, Handler: z}, {Listener: tcp, Handler: z}} {
		go func() { _ = s.ActivateAndServe() }()
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return z, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, conn.LocalAddr().String())
	}}
}

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked.Add(1)
	ask := q.Question[0]
	if z.silent[ask.Name] {
		return
	}
	a := new(dns.Msg)
	a.SetReply(q)
	known := false
	for _, r := range z.records[strings.ToLower(ask.Name)] {
		known = true
		if r.Header().Rrtype == ask.Qtype {
			a.Answer = append(a.Answer, r)
		}
	}
	if !known {
		a.Rcode = dns.RcodeNameError
	}
	if z.failing[ask.Name] {
		a.Rcode, a.Answer = dns.RcodeServerFailure, nil
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		a.Truncate(dns.MinMsgSize)
	}
	_ = w.WriteMsg(a)
}

// put adds a record. A long text is cut into strings of 255 bytes, as every
// zone does with it (RFC 1035 §3.3.14).
func (z *zone) put(t testing.TB, r model.DNSRecord) {
	t.Helper()
	z.mu.Lock()
	defer z.mu.Unlock()
	name := dns.Fqdn(r.Name)
	if r.Type == "TXT" {
		txt := &dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 1}}
		for v := r.Value; v != ""; {
			n := min(len(v), 255)
			txt.Txt, v = append(txt.Txt, v[:n]), v[n:]
		}
		z.records[name] = append(z.records[name], txt)
		return
	}
	rr, err := dns.NewRR(name + " 1 IN " + r.Type + " " + r.Value)
	mustDo(t, err)
	z.records[name] = append(z.records[name], rr)
}

// be makes these names, and no other, silent or failing.
func (z *zone) be(so map[string]bool, names ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	clear(so)
	for _, name := range names {
		so[name] = true
	}
}

// mailSite is a portal whose letters come from post@riverside.example.
func mailSite(t testing.TB) (*site, *zone) {
	t.Helper()
	d, clock := dbtest.OpenIn(t, t.TempDir(), db.Fixed{})
	owner := dbtest.Owner(t, d)
	mustDo(t, d.ChangeMail(t.Context(), owner, model.MailChange{
		BaseURL: "http://members.riverside.example", MailFrom: "post@riverside.example", Current: model.NewSecret(dbtest.OwnerPassword),
		Mail: model.MailServer{Host: "mail.riverside.example", Port: 587, User: "club", Password: model.NewSecret("hidden-word")},
	}))
	z, resolver := newZone(t)
	return serveSite(t, d, clock, func(c *Config) { c.Resolver = resolver }), z
}

const mailFormIs = `form[action="/admin/settings/mail"]`

func TestOwnersChangeHowLettersLeave(t *testing.T) {
	s, _ := mailSite(t)
	b := s.owner(t)
	b.get("/admin/settings").is(http.StatusOK).says("mail.riverside.example").one(`a[href="/admin/settings/mail"]`)
	page := b.get(mailPath).is(http.StatusOK).saysNothingOf("hidden-word")
	if page.value("#mail_host") != "mail.riverside.example" || page.value("#mail_port") != "587" || page.value("#mail_password") != "" {
		t.Errorf("%s, %s", page.value("#mail_host"), page.value("#mail_port"))
	}
	page.one(`#mail_tls option[value="starttls"][selected]`)
	b.submit(page, mailFormIs, "", "current_password", "wrong").is(http.StatusUnprocessableEntity).one("#current_password[aria-invalid]")
	a := b.submit(page, mailFormIs, "", "mail_host", "mail.example.org", "mail_port", "465", "mail_tls", "tls", "mail_password", "other-word",
		"reply_to", "office@riverside.example", "current_password", dbtest.OwnerPassword).leads(mailPath)
	page = b.follow(a).is(http.StatusOK).says("All owners are told").says("for the other owners still leave the way they did before").saysNothingOf("other-word").saysNothingOf("hidden-word")
	page.one(`#mail_tls option[value="tls"][selected]`)
	got, err := s.db.Settings(t.Context())
	mustDo(t, err)
	if got.Mail.URL() != "smtps://club@mail.example.org:465" || got.Mail.Password.Reveal() != "other-word" || got.ReplyTo != "office@riverside.example" {
		t.Errorf("%s, %s", got.Mail.URL(), got.ReplyTo)
	}
	if kinds := dbtest.Kinds(dbtest.Deliver(t, s.db)); !strings.Contains(kinds, "settings_changed to "+dbtest.OwnerEmail) {
		t.Errorf("letters: %s", kinds)
	}
}

func TestTheAddressOfThePortalChangesWithoutSigningAnybodyOut(t *testing.T) {
	s, _ := mailSite(t)
	b := s.owner(t)
	page := b.get(mailPath)
	a := b.submit(page, mailFormIs, "", "base_url", "http://portal.riverside.example/", "current_password", dbtest.OwnerPassword).leads(mailPath)
	if got := b.follow(a).is(http.StatusOK).value("#base_url"); got != "http://portal.riverside.example" {
		t.Errorf("it is %q", got)
	}
}

func TestMailSettingsThatWillNotDoComeBack(t *testing.T) {
	s, _ := mailSite(t)
	b := s.owner(t)
	for field, value := range map[string]string{
		"base_url": "ftp://x", "mail_from": "a b", "reply_to": "@", "notice_from": "x", "notice_reply_to": "a@", "mail_host": "169.254.169.254", "mail_port": "x", "mail_user": "somebody else",
	} {
		page := b.get(mailPath)
		wrong := field
		if field == "mail_user" {
			wrong = "mail_password" // it went with the other user
		}
		a := b.submit(page, mailFormIs, "", field, value, "current_password", dbtest.OwnerPassword, "mail_password", "").is(http.StatusUnprocessableEntity)
		a.one("#" + wrong + "[aria-invalid]")
		if got := a.value("#" + field); got != value {
			t.Errorf("%s = %q came back as %q", field, value, got)
		}
		for _, secret := range []string{dbtest.OwnerPassword, "hidden-word"} {
			a.saysNothingOf(secret)
		}
	}
	page := b.get(mailPath)
	for _, port := range []string{"22", "0", "-1", "99999999999999999999", ""} {
		b.submit(page, mailFormIs, "", "mail_port", port, "current_password", dbtest.OwnerPassword).is(http.StatusUnprocessableEntity).one("#mail_port[aria-invalid]")
	}
	a := b.submit(page, mailFormIs, "", "mail_password", "TopSecretWord", "reply_to", "@").is(http.StatusUnprocessableEntity).saysNothingOf("TopSecretWord")
	if n := a.doc.Find("[aria-invalid]").Length(); n != 2 {
		t.Errorf("%d fields are marked in one round", n)
	}
	for range 6 {
		a = b.submit(page, mailFormIs, "", "current_password", "wrong")
	}
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" || a.value("#mail_host") == "" {
		t.Errorf("%d, %v", a.status, a.header)
	}
}

func TestWhatAFlagDecidesIsShownAndStays(t *testing.T) {
	d, clock := dbtest.OpenIn(t, t.TempDir(), db.Fixed{BaseURL: "http://portal.example.org", Mail: &dbtest.Mail, MailFrom: "post@example.org"})
	s := serveSite(t, d, clock)
	b := s.owner(t)
	page := b.get(mailPath).is(http.StatusOK)
	for _, field := range []string{"base_url", "mail_host", "mail_port", "mail_user", "mail_password", "mail_from"} {
		if _, fixed := page.one("#" + field).Attr("readonly"); !fixed {
			t.Errorf("%s can be edited", field)
		}
	}
	if n := strings.Count(page.one("form[action='"+mailPath+"']").Text(), "Decided where the portal is started"); n != 3 {
		t.Errorf("said %d times, not once each for the mail server, the sender and the address of the portal", n)
	}
	page.saysNothingOf("What do I type here?")
	b.submit(page, mailFormIs, "", "reply_to", "office@example.org", "base_url", "http://evil.example", "mail_host", "evil.example",
		"current_password", dbtest.OwnerPassword).leads(mailPath)
	if got, _ := d.Settings(t.Context()); got.BaseURL != "http://portal.example.org" || got.Mail.Host != dbtest.Mail.Host || got.ReplyTo != "office@example.org" {
		t.Errorf("%s, %s, %s", got.BaseURL, got.Mail.Host, got.ReplyTo)
	}
}

// state is what a check found, in short.
func state(a *reply) string {
	var all []string
	for _, n := range a.doc.Find(".finding").EachIter() {
		name, _, _ := strings.Cut(strings.TrimSpace(n.Find("h3").Text()), "\n")
		class, _ := n.Attr("class")
		all = append(all, strings.Fields(name)[0]+" "+strings.TrimPrefix(class, "finding "))
	}
	return strings.Join(all, ", ")
}

func TestTheRecordsOfTheSendersDomain(t *testing.T) {
	s, z := mailSite(t)
	b := s.owner(t)
	page := b.get(mailPath).is(http.StatusOK)
	if z.asked.Load() != 0 || page.doc.Find(".finding").Length() != 0 {
		t.Errorf("a visit asked %d questions", z.asked.Load())
	}
	check := func() *reply {
		t.Helper()
		return b.submit(b.get(mailPath), `form[action="/admin/settings/mail/check"]`, "").is(http.StatusOK)
	}
	a := check()
	if got := state(a); got != "SPF missing, DKIM missing, DMARC missing, MX missing" {
		t.Errorf("an empty domain: %s", got)
	}
	for _, paste := range []string{"v=spf1 a:mail.riverside.example ~all", "v=DMARC1; p=none"} {
		if !strings.Contains(a.body, ">"+paste+"<") {
			t.Errorf("nothing says to paste %s", paste)
		}
	}

	// What the page says to paste is pasted.
	b.submit(a, `form[action="/admin/settings/mail/key"]`, "").leads(mailPath + "#signing")
	a = check()
	for _, n := range a.doc.Find(".record").EachIter() {
		z.put(t, model.DNSRecord{Type: "TXT", Name: n.Find("textarea").Eq(0).Text(), Value: n.Find("textarea").Eq(1).Text()})
	}
	z.put(t, model.DNSRecord{Name: "riverside.example", Type: "MX", Value: "10 mail.riverside.example."})
	z.put(t, model.DNSRecord{Name: "mail.riverside.example", Type: "A", Value: "192.0.2.7"})
	a = check()
	if got := state(a); got != "SPF found, DKIM found, DMARC found, MX found" {
		t.Errorf("after pasting: %s\n%s", got, a.text(".finding"))
	}
	a.says("Switch signing on below")

	z.put(t, model.DNSRecord{Name: "riverside.example", Type: "TXT", Value: "v=spf1 mx -all"})
	z.put(t, model.DNSRecord{Name: "_dmarc.riverside.example", Type: "TXT", Value: "v=DMARC1; p=reject"})
	if got := state(check()); got != "SPF wrong, DKIM found, DMARC wrong, MX found" {
		t.Errorf("with one too many: %s", got)
	}
}

func TestARecordOfTheDomainAboveCounts(t *testing.T) {
	s, z := mailSite(t)
	mustDo(t, s.db.ChangeMail(t.Context(), dbtest.Owner(t, s.db), model.MailChange{
		BaseURL: "http://members.riverside.example", MailFrom: "x@news.riverside.example", Current: model.NewSecret(dbtest.OwnerPassword)}))
	z.put(t, model.DNSRecord{Name: "_dmarc.riverside.example", Type: "TXT", Value: "v=DMARC1; p=none; sp=reject"})
	b := s.owner(t)
	a := b.post(mailPath + "/check").is(http.StatusOK)
	a.says("are refused").says("Found at _dmarc.riverside.example")
}

func TestANameServerThatIsSilentKeepsNobodyForLong(t *testing.T) {
	s, z := mailSite(t)
	z.be(z.silent, "riverside.example.", "_dmarc.riverside.example.")
	b := s.owner(t)
	began := time.Now()
	a := b.post(mailPath + "/check").is(http.StatusOK).says("could not be looked up")
	if took := time.Since(began); took > lookPatience+2*time.Second {
		t.Errorf("it took %v", took)
	}
	if n := a.doc.Find(".finding.unknown").Length(); n != 3 {
		t.Errorf("%d of the findings are unknown", n)
	}
}

func TestSigningIsSwitchedOnOnceTheRecordIsThere(t *testing.T) {
	s, z := mailSite(t)
	b := s.owner(t)
	b.post(mailPath + "/sign").is(http.StatusConflict).says("no key yet")
	page := b.follow(b.post(mailPath + "/key").leads(mailPath + "#signing")).says("The key is made")
	sign := `form[action="/admin/settings/mail/sign"]`
	b.submit(page, sign, "").is(http.StatusConflict).says("not there yet")
	now, err := s.db.Settings(t.Context())
	mustDo(t, err)
	k := now.DKIM.Of("riverside.example")
	if k.On {
		t.Fatal("signing is on without its record")
	}
	if page.one("#key-name").Text() != k.Record().Name || page.one("#key-value").Text() != k.Record().Value {
		t.Errorf("shown to paste: %s %s", page.one("#key-name").Text(), page.one("#key-value").Text())
	}
	page.one(`button[data-copy="key-value"]`)
	if _, readonly := page.one("#key-value").Attr("readonly"); !readonly || strings.Contains(page.body, "PRIVATE") {
		t.Error("the record can be edited, or shows the key")
	}
	z.put(t, k.Record())
	b.follow(b.submit(page, sign, "").leads(mailPath + "#signing")).says("Letters are signed from now on")
	if now, _ := s.db.Settings(t.Context()); !now.DKIM.Of("riverside.example").On {
		t.Error("signing is off")
	}
	b.post(mailPath + "/key").is(http.StatusConflict).says("Switch that off first")
	b.follow(b.submit(b.get(mailPath), `form[action="/admin/settings/mail/unsigned"]`, "").leads(mailPath + "#signing")).says("not signed any more")
}

func TestLettersOfThisMachineHaveNoRecords(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	b.get(mailPath).is(http.StatusOK)
	b.post(mailPath + "/check").is(http.StatusConflict).says("no address in a domain")
	b.post(mailPath + "/key").is(http.StatusConflict).says("no address in a domain")
}

func TestATestLetterShowsWhatTheServerSaid(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	done := make(chan error, 1)
	go func() { // the postman
		for {
			select {
			case <-t.Context().Done():
				done <- nil
				return
			case <-s.db.Nudged():
			}
			c, err := s.db.ClaimLetter(t.Context())
			if err != nil || c == nil || c.Kind != model.LetterTest {
				continue
			}
			done <- s.db.SettleLetter(t.Context(), c.ID, model.Delivery{Code: 550, Reply: "5.7.1 <not> wanted", Conversation: "220 sink.test ready\n550 5.7.1 <not> wanted"})
			return
		}
	}()
	page := b.get(mailPath).is(http.StatusOK)
	a := b.submit(page, `form[action="/admin/settings/mail/test"]`, "").leads(mailPath + "#test")
	mustDo(t, <-done)
	shown := b.follow(a).is(http.StatusOK).says("It did not leave").says(model.PlainReply(550, "5.7.1 <not> wanted")).says("550 5.7.1 <not> wanted")
	if got := shown.one(".talk pre").Text(); got != "220 sink.test ready\n550 5.7.1 <not> wanted" {
		t.Errorf("it shows %q", got)
	}
}

func TestEachDomainThatLettersComeFromIsCheckedAndSigned(t *testing.T) {
	s, z := mailSite(t)
	b := s.owner(t)
	b.submit(b.get(mailPath), mailFormIs, "", "notice_from", "news@rowing.example", "notice_reply_to", "board@rowing.example",
		"current_password", dbtest.OwnerPassword).leads(mailPath)
	page := b.get(mailPath).is(http.StatusOK)
	if page.value("#notice_from") != "news@rowing.example" || page.value("#notice_reply_to") != "board@rowing.example" {
		t.Errorf("%s, %s", page.value("#notice_from"), page.value("#notice_reply_to"))
	}
	a := b.submit(page, `form[action="/admin/settings/mail/check"]`, "").is(http.StatusOK).says("SPF of riverside.example").says("SPF of rowing.example")
	if got := state(a); got != "SPF missing, DKIM missing, DMARC missing, MX missing, SPF missing, DKIM missing, DMARC missing, MX missing" {
		t.Errorf("it found %s", got)
	}
	ids := map[string]bool{}
	for _, n := range a.doc.Find("[id]").EachIter() {
		id := n.AttrOr("id", "")
		if ids[id] {
			t.Errorf("two elements are called %s", id)
		}
		ids[id] = true
	}
	key := func(domain string) string {
		return `form[action="/admin/settings/mail/key"]:has(input[value="` + domain + `"])`
	}
	b.submit(a, key("rowing.example"), "").leads(mailPath + "#signing")
	now, err := s.db.Settings(t.Context())
	mustDo(t, err)
	k := now.DKIM.Of("rowing.example")
	if k.IsZero() || !now.DKIM.Of("riverside.example").IsZero() {
		t.Fatalf("keys: %+v", now.DKIM)
	}
	z.put(t, k.Record())
	b.submit(b.get(mailPath), `form[action="/admin/settings/mail/sign"]`, "").leads(mailPath + "#signing")
	a = b.post(mailPath + "/check").is(http.StatusOK)
	if got := state(a); !strings.HasSuffix(got, "SPF missing, DKIM found, DMARC missing, MX missing") || !strings.HasPrefix(got, "SPF missing, DKIM missing") {
		t.Errorf("with one key: %s", got)
	}
	b.post(mailPath+"/key", "domain", "elsewhere.example").is(http.StatusConflict)
}

func TestLettersThatLeaveUnderTheAddressForReportsAreJudgedByIt(t *testing.T) {
	s, z := mailSite(t)
	owner := dbtest.Owner(t, s.db)
	now, err := s.db.Settings(t.Context())
	mustDo(t, err)
	mustDo(t, s.db.ChangeMail(t.Context(), owner, model.MailChange{BaseURL: now.BaseURL, Mail: now.Mail, MailFrom: now.MailFrom,
		BounceAddress: "bounces@reports.example", Current: model.NewSecret(dbtest.OwnerPassword)}))
	z.put(t, model.DNSRecord{Name: "_dmarc.riverside.example", Type: "TXT", Value: "v=DMARC1; p=reject"})
	a := s.owner(t).post(mailPath + "/check").is(http.StatusOK).says("SPF of reports.example").says("SPF does not count for them")
	if got := state(a); got != "DKIM missing, DMARC wrong, MX missing, SPF missing, MX missing" {
		t.Errorf("it found %s", got)
	}
}

// Names that fail must not read as names that are not there.
func TestWhatCannotBeLookedUpIsNotMissing(t *testing.T) {
	s, z := mailSite(t)
	b := s.owner(t)
	z.be(z.failing, "riverside.example.", "_dmarc.riverside.example.")
	a := b.post(mailPath + "/check").is(http.StatusOK)
	if got := state(a); got != "SPF unknown, DKIM missing, DMARC unknown, MX unknown" {
		t.Errorf("%s\n%s", got, a.text(".finding"))
	}
	z.be(z.failing, "spf.provider.example.")
	z.put(t, model.DNSRecord{Name: "riverside.example", Type: "TXT", Value: "v=spf1 include:spf.provider.example -all"})
	z.put(t, model.DNSRecord{Name: "riverside.example", Type: "MX", Value: "0 ."})
	z.put(t, model.DNSRecord{Name: "mail.riverside.example", Type: "A", Value: "192.0.2.7"})
	a = b.post(mailPath + "/check").is(http.StatusOK).says("a part of it, spf.provider.example, could not be looked up").says("takes no letters at all")
	if got := state(a); got != "SPF unknown, DKIM missing, DMARC missing, MX wrong" {
		t.Errorf("%s", got)
	}
	z.be(z.failing)
	a = b.post(mailPath + "/check").is(http.StatusOK).says("names that of spf.provider.example, and there is none")
	if got := state(a); !strings.HasPrefix(got, "SPF wrong") {
		t.Errorf("%s", got)
	}
	z.put(t, model.DNSRecord{Name: "spf.provider.example", Type: "TXT", Value: "v=spf1 " + strings.Repeat("ip4:198.51.100.77 ", 20) + "mx:provider.example ~all"})
	z.put(t, model.DNSRecord{Name: "provider.example", Type: "MX", Value: "10 out.provider.example."})
	z.put(t, model.DNSRecord{Name: "out.provider.example", Type: "AAAA", Value: "2001:db8::7"})
	z.put(t, model.DNSRecord{Name: "out.provider.example", Type: "A", Value: "192.0.2.7"})
	b.post(mailPath + "/check").is(http.StatusOK).says("lets the mail server that your letters go through in: mail.riverside.example, 192.0.2.7")
}

func TestTheOrganisationsPolicyCountsAndNoneInBetween(t *testing.T) {
	s, z := mailSite(t)
	mustDo(t, s.db.ChangeMail(t.Context(), dbtest.Owner(t, s.db), model.MailChange{
		BaseURL: "http://members.riverside.example", MailFrom: "x@letters.club.rowers.org.uk", Current: model.NewSecret(dbtest.OwnerPassword)}))
	z.put(t, model.DNSRecord{Name: "_dmarc.club.rowers.org.uk", Type: "TXT", Value: "v=DMARC1; p=reject"})
	z.put(t, model.DNSRecord{Name: "_dmarc.org.uk", Type: "TXT", Value: "v=DMARC1; p=reject"})
	b := s.owner(t)
	b.post(mailPath + "/check").is(http.StatusOK).saysNothingOf("Found at _dmarc")
	z.put(t, model.DNSRecord{Name: "_dmarc.rowers.org.uk", Type: "TXT", Value: "v=DMARC1; p=quarantine; rua=mailto:dmarc@rowers.org.uk!10m"})
	b.post(mailPath + "/check").is(http.StatusOK).says("The record of rowers.org.uk counts for letters.club.rowers.org.uk as well").says("a summary of what they saw to dmarc@rowers.org.uk.")
}
