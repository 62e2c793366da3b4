package handlers

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"latchkey/db"
	"latchkey/db/model"
	"latchkey/views"
)

const (
	// lookPatience bounds all questions to DNS of one press together: they are
	// asked at once, and a resolver that is silent for so long has no answer.
	lookPatience = 6 * time.Second

	// testPatience is how long a press waits for its test letter. One that
	// takes longer is seen by looking again.
	testPatience = 8 * time.Second
	testLook     = 50 * time.Millisecond
)

const mailPath = "/admin/settings/mail"

func (p *portal) showMail(w http.ResponseWriter, r *http.Request) error {
	told(w, r)
	return p.renderMail(w, r, http.StatusOK, views.MailProps{Form: mailForm(visitOf(r).settings)})
}

// renderMail shows the page. What m holds already stays.
func (p *portal) renderMail(w http.ResponseWriter, r *http.Request, status int, m views.MailProps) (err error) {
	v := visitOf(r)
	m.Domains = db.MailDomains(v.settings)
	if m.Test, err = p.DB.TestLetter(r.Context(), v.by()); err != nil {
		return err
	}
	if m.Bounces.HasSecret, err = p.DB.HasBounceSecret(r.Context()); err != nil {
		return err
	}
	return p.render(w, r, status, views.MailPage(p.page(r), m))
}

// mailForm is the mail settings as their form shows them, without the password.
func mailForm(s model.Settings) views.Form {
	values := map[string]string{
		"base_url": s.BaseURL, "mail_from": s.MailFrom, "reply_to": s.ReplyTo, "notice_from": s.NoticeFrom, "notice_reply_to": s.NoticeReplyTo, "bounce_address": s.BounceAddress,
	}
	maps.Copy(values, serverValues(s.Mail))
	return views.Form{Values: values}
}

// serverValues is a mail server as forms show it.
func serverValues(m model.MailServer) map[string]string {
	values := map[string]string{"mail_host": m.Host, "mail_user": m.User, "mail_port": "587", "mail_tls": "starttls"}
	if !m.IsZero() {
		values["mail_port"] = strconv.Itoa(m.Port)
	}
	if m.TLS {
		values["mail_tls"] = "tls"
	}
	if !m.Password.IsZero() {
		values["mail_has_password"] = "1"
	}
	return values
}

func (p *portal) changeMail(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	err := p.DB.ChangeMail(r.Context(), v.by(), typedMail(r.PostForm))
	if f, status, ok := p.refusedMail(w, r, err); ok {
		return p.renderMail(w, r, status, views.MailProps{Form: f})
	}
	if err != nil {
		return err
	}
	// The cookies are named after the kind of address; with the new one the
	// browser would seem to be a stranger's.
	if v.settings, err = p.DB.Settings(r.Context()); err != nil {
		return err
	}
	tell(w, v, noticeMailSaved, "")
	return redirect(w, mailPath)
}

// refusedMail is the form as it comes back, with what was typed.
func (p *portal) refusedMail(w http.ResponseWriter, r *http.Request, err error) (f views.Form, status int, ok bool) {
	if f, status, ok = mendable(w, err); !ok {
		return f, status, false
	}
	f.Values = typed(r.PostForm)
	if !visitOf(r).settings.Mail.Password.IsZero() {
		f.Values["mail_has_password"] = "1"
	}
	return f, status, true
}

func typedMail(form url.Values) model.MailChange {
	c := model.MailChange{
		BaseURL: form.Get("base_url"), MailFrom: form.Get("mail_from"), ReplyTo: form.Get("reply_to"),
		NoticeFrom: form.Get("notice_from"), NoticeReplyTo: form.Get("notice_reply_to"), BounceAddress: form.Get("bounce_address"),
		Current: model.NewSecret(form.Get("current_password")), Unread: model.Fields{},
	}
	c.Mail = typedServer(form, c.Unread)
	return c
}

// typedServer is the mail server that a form names. Without a name, what else
// stands there is of no use.
func typedServer(form url.Values, unread model.Fields) model.MailServer {
	m := model.MailServer{Host: form.Get("mail_host"), TLS: form.Get("mail_tls") == "tls", User: form.Get("mail_user"),
		Password: model.NewSecret(form.Get("mail_password"))}
	if strings.TrimSpace(m.Host) == "" {
		return model.MailServer{}
	}
	port, err := strconv.Atoi(strings.TrimSpace(form.Get("mail_port")))
	if err != nil {
		unread.Add("mail_port", "Please write the port as a number, like 587.")
	}
	m.Port = port
	return m
}

// sendTest sends a test letter and waits a moment for what becomes of it, so
// that the page it leads to can say so, with script or without.
func (p *portal) sendTest(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	if err := p.DB.SendTest(r.Context(), v.by()); err != nil {
		return p.mailActed(w, r, err, "")
	}
	wait, cancel := context.WithTimeout(r.Context(), testPatience)
	defer cancel()
	look := time.NewTicker(testLook)
	defer look.Stop()
	for {
		last, err := p.DB.TestLetter(r.Context(), v.by())
		if err != nil {
			return err
		}
		if last == nil || last.State.Settled() {
			break
		}
		select {
		case <-look.C:
			continue
		case <-wait.Done():
		}
		break
	}
	return redirect(w, mailPath+"#test")
}

// mailActed goes back to the mail page after a press. What was refused is said
// there.
func (p *portal) mailActed(w http.ResponseWriter, r *http.Request, err error, n notice) error {
	if model.KindOf(err) == model.KindConflict && err != nil {
		status, sentence := statusOf(err)
		f := mailForm(visitOf(r).settings)
		f.Sentence = sentence
		return p.renderMail(w, r, status, views.MailProps{Form: f})
	}
	if err != nil {
		return err
	}
	tell(w, visitOf(r), n, "")
	return redirect(w, mailPath+"#signing")
}

// makeDKIM makes a key for the domain that the form names; for that of links
// where it names none.
func (p *portal) makeDKIM(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	domain := r.PostForm.Get("domain")
	if domain == "" {
		domain = db.MailDomain(v.settings.Sender())
	}
	return p.mailActed(w, r, p.DB.MakeDKIM(r.Context(), v.by(), domain), noticeDKIMMade)
}

// signLetters switches signing on, once the record is found in DNS.
func (p *portal) signLetters(w http.ResponseWriter, r *http.Request) error {
	k := keyMeant(r)
	if k.IsZero() {
		return p.mailActed(w, r, model.Conflict("There is no key yet, or another one by now. Please look again."), "")
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookPatience)
	defer cancel()
	found, err := p.texts(ctx, k.Record().Name)
	if err != nil {
		return p.mailActed(w, r, model.Conflict("The record could not be looked up: no answer came, or an error instead of one. Please try again in a minute."), "")
	}
	return p.mailActed(w, r, p.DB.SignLetters(r.Context(), visitOf(r).by(), k.Selector, found), noticeSigning)
}

func (p *portal) leaveUnsigned(w http.ResponseWriter, r *http.Request) error {
	return p.mailActed(w, r, p.DB.LeaveUnsigned(r.Context(), visitOf(r).by(), keyMeant(r).Selector), noticeNotSigning)
}

// keyMeant is the key that a form names.
func keyMeant(r *http.Request) model.DKIM {
	return visitOf(r).settings.DKIM.Named(r.PostForm.Get("selector"))
}

// checkMail looks the records of the senders' domains up. It is a press, not a
// visit: whoever looks at the page waits for no name server.
func (p *portal) checkMail(w http.ResponseWriter, r *http.Request) error {
	s := visitOf(r).settings
	for _, from := range s.Senders() {
		if !model.CheckableDomain(db.MailDomain(from)) {
			return p.mailActed(w, r, model.Conflict("Letters come from "+from+", which is no address in a domain of yours, so there is nothing to look up. Change that first."), "")
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookPatience)
	defer cancel()
	return p.renderMail(w, r, http.StatusOK, views.MailProps{Form: mailForm(s), Checked: p.checked(ctx, s)})
}

// look is a question and what to make of its answer.
type look func() (model.Finding, error)

// checked asks all questions at once.
//
// SPF is asked of the domain that a letter leaves under (RFC 7208 §2.4), which
// is that of the address for reports where there is one.
func (p *portal) checked(ctx context.Context, s model.Settings) []views.Checked {
	domains := db.MailDomains(s)
	reports := ""
	if s.BounceAddress != "" {
		reports = db.MailDomain(s.BounceAddress)
	}
	var looks [][]look
	for _, domain := range domains {
		envelope := domain
		if reports != "" {
			envelope = reports
		}
		aligned := db.Organisation(envelope) == db.Organisation(domain)
		k := s.DKIM.Of(domain)
		all := []look{
			func() (model.Finding, error) {
				if k.IsZero() {
					return k.Judge(domain, nil), nil
				}
				found, err := p.texts(ctx, k.Record().Name)
				return k.Judge(domain, found), err
			},
			func() (model.Finding, error) { return p.dmarc(ctx, domain, k.Signs(domain), aligned) },
			func() (model.Finding, error) { return p.mx(ctx, domain) },
		}
		if envelope == domain {
			all = append([]look{p.spf(ctx, domain, s.Mail)}, all...)
		}
		looks = append(looks, all)
	}
	if reports != "" && !slices.Contains(domains, reports) {
		domains = append(domains, reports)
		looks = append(looks, []look{p.spf(ctx, reports, s.Mail), func() (model.Finding, error) { return p.mx(ctx, reports) }})
	}
	out := make([]views.Checked, len(domains))
	var asking sync.WaitGroup
	for i, domain := range domains {
		out[i] = views.Checked{Domain: domain, Findings: make([]model.Finding, len(looks[i]))}
		for j, f := range looks[i] {
			asking.Go(func() {
				found, err := f()
				if err != nil {
					found = found.Unanswered()
				}
				out[i].Findings[j] = found
			})
		}
	}
	asking.Wait()
	return out
}

func (p *portal) spf(ctx context.Context, domain string, server model.MailServer) look {
	return func() (model.Finding, error) {
		found, err := p.texts(ctx, domain)
		return model.JudgeSPF(domain, found, server, p.names(ctx)), err
	}
}

// names asks what a record leads to.
func (p *portal) names(ctx context.Context) model.DNS {
	return model.DNS{
		TXT:   func(name string) ([]string, error) { return p.texts(ctx, name) },
		MX:    func(name string) ([]string, error) { return p.hosts(ctx, name) },
		Addrs: func(name string) ([]netip.Addr, error) { return p.addresses(ctx, name) },
	}
}

func (p *portal) dmarc(ctx context.Context, domain string, signed, aligned bool) (model.Finding, error) {
	for _, name := range model.DMARCNames(domain, db.Organisation(domain)) {
		found, err := p.texts(ctx, name)
		f := model.JudgeDMARC(domain, name, found, signed, aligned)
		if err != nil || f.State != model.RecordMissing {
			return f, err
		}
	}
	return model.JudgeDMARC(domain, "", nil, signed, aligned), nil
}

func (p *portal) mx(ctx context.Context, domain string) (model.Finding, error) {
	hosts, err := p.hosts(ctx, domain)
	if err != nil || len(hosts) > 0 {
		return model.JudgeMX(domain, hosts, false), err
	}
	addresses, err := p.addresses(ctx, domain)
	return model.JudgeMX(domain, nil, len(addresses) > 0), err
}

func (p *portal) hosts(ctx context.Context, domain string) ([]string, error) {
	found, err := p.resolver().LookupMX(ctx, rooted(domain))
	var hosts []string
	for _, mx := range found {
		hosts = append(hosts, mx.Host)
	}
	return hosts, answered(err)
}

func (p *portal) addresses(ctx context.Context, name string) ([]netip.Addr, error) {
	found, err := p.resolver().LookupNetIP(ctx, "ip", rooted(name))
	return found, answered(err)
}

// texts is the TXT records of a name.
func (p *portal) texts(ctx context.Context, name string) ([]string, error) {
	found, err := p.resolver().LookupTXT(ctx, rooted(name))
	return found, answered(err)
}

// rooted is a name with a dot at its end, which keeps the machine's own search
// list out of it.
func rooted(name string) string { return strings.TrimSuffix(name, ".") + "." }

// answered: that there is no such name or record is an answer.
func answered(err error) error {
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		return nil
	}
	return err
}

func (p *portal) resolver() *net.Resolver {
	if p.Resolver != nil {
		return p.Resolver
	}
	return net.DefaultResolver
}
