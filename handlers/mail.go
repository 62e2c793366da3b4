package handlers

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
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
	m.Domain = db.MailDomain(v.settings.Sender())
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
		"base_url": s.BaseURL, "mail_from": s.MailFrom, "reply_to": s.ReplyTo, "bounce_address": s.BounceAddress,
		"mail_host": s.Mail.Host, "mail_user": s.Mail.User, "mail_port": "587", "mail_tls": "starttls",
	}
	if !s.Mail.IsZero() {
		values["mail_port"] = strconv.Itoa(s.Mail.Port)
	}
	if s.Mail.TLS {
		values["mail_tls"] = "tls"
	}
	if !s.Mail.Password.IsZero() {
		values["mail_has_password"] = "1"
	}
	return views.Form{Values: values}
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
	switch model.KindOf(err) {
	case model.KindInvalid:
		if f, ok = refusedForm(r, err); !ok {
			return f, 0, false
		}
		status = http.StatusUnprocessableEntity
	case model.KindLimited, model.KindUnavailable:
		var sentence string
		status, sentence = statusOf(err)
		retryAfter(w.Header(), err)
		f = views.Form{Values: typed(r.PostForm), Sentence: withWait(err, sentence)}
	default:
		return f, 0, false
	}
	if !visitOf(r).settings.Mail.Password.IsZero() {
		f.Values["mail_has_password"] = "1"
	}
	return f, status, true
}

func typedMail(form url.Values) model.MailChange {
	c := model.MailChange{
		BaseURL: form.Get("base_url"), MailFrom: form.Get("mail_from"), ReplyTo: form.Get("reply_to"), BounceAddress: form.Get("bounce_address"),
		Current: model.NewSecret(form.Get("current_password")), Unread: model.Fields{},
	}
	c.Mail = model.MailServer{Host: form.Get("mail_host"), TLS: form.Get("mail_tls") == "tls", User: form.Get("mail_user"),
		Password: model.NewSecret(form.Get("mail_password"))}
	if strings.TrimSpace(c.Mail.Host) == "" {
		return c
	}
	port, err := strconv.Atoi(strings.TrimSpace(form.Get("mail_port")))
	if err != nil {
		c.Unread.Add("mail_port", "Please write the port as a number, like 587.")
	}
	c.Mail.Port = port
	return c
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

func (p *portal) makeDKIM(w http.ResponseWriter, r *http.Request) error {
	return p.mailActed(w, r, p.DB.MakeDKIM(r.Context(), visitOf(r).by()), noticeDKIMMade)
}

// signLetters switches signing on, once the record is found in DNS.
func (p *portal) signLetters(w http.ResponseWriter, r *http.Request) error {
	k := visitOf(r).settings.DKIM
	if k.IsZero() {
		return p.mailActed(w, r, model.Conflict("There is no key yet. Make one first."), "")
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookPatience)
	defer cancel()
	found, err := p.texts(ctx, k.Record().Name)
	if err != nil {
		return p.mailActed(w, r, model.Conflict("Nobody answered when the record was looked for. Please try again in a minute."), "")
	}
	return p.mailActed(w, r, p.DB.SignLetters(r.Context(), visitOf(r).by(), k.Selector, found), noticeSigning)
}

func (p *portal) leaveUnsigned(w http.ResponseWriter, r *http.Request) error {
	return p.mailActed(w, r, p.DB.LeaveUnsigned(r.Context(), visitOf(r).by()), noticeNotSigning)
}

// checkMail looks the records of the sender's domain up. It is a press, not a
// visit: whoever looks at the page waits for no name server.
func (p *portal) checkMail(w http.ResponseWriter, r *http.Request) error {
	s := visitOf(r).settings
	domain := db.MailDomain(s.Sender())
	if !model.CheckableDomain(domain) {
		return p.mailActed(w, r, model.Conflict("Letters come from "+s.Sender()+", which is no address in a domain of yours, so there is nothing to look up. Change that first."), "")
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookPatience)
	defer cancel()
	return p.renderMail(w, r, http.StatusOK, views.MailProps{Form: mailForm(s), Findings: p.findings(ctx, s, domain)})
}

// findings asks all questions at once.
func (p *portal) findings(ctx context.Context, s model.Settings, domain string) []model.Finding {
	look := []func() (model.Finding, error){
		func() (model.Finding, error) {
			found, err := p.texts(ctx, domain)
			return model.JudgeSPF(domain, found, s.Mail), err
		},
		func() (model.Finding, error) {
			if s.DKIM.Domain != domain {
				return s.DKIM.Judge(domain, nil), nil
			}
			found, err := p.texts(ctx, s.DKIM.Record().Name)
			return s.DKIM.Judge(domain, found), err
		},
		func() (model.Finding, error) { return p.dmarc(ctx, domain, s.DKIM.Signs(domain)) },
		func() (model.Finding, error) { return p.mx(ctx, domain) },
	}
	all := make([]model.Finding, len(look))
	var asking sync.WaitGroup
	for i, f := range look {
		asking.Go(func() {
			found, err := f()
			if err != nil {
				found = found.Unanswered()
			}
			all[i] = found
		})
	}
	asking.Wait()
	return all
}

func (p *portal) dmarc(ctx context.Context, domain string, signed bool) (model.Finding, error) {
	for _, name := range model.DMARCNames(domain) {
		found, err := p.texts(ctx, name)
		f := model.JudgeDMARC(domain, name, found, signed)
		if err != nil || f.State != model.RecordMissing {
			return f, err
		}
	}
	return model.JudgeDMARC(domain, "", nil, signed), nil
}

func (p *portal) mx(ctx context.Context, domain string) (model.Finding, error) {
	found, err := p.resolver().LookupMX(ctx, domain+".")
	var hosts []string
	for _, mx := range found {
		hosts = append(hosts, mx.Host)
	}
	if err = answered(err); err != nil || len(hosts) > 0 {
		return model.JudgeMX(domain, hosts, false), err
	}
	addresses, err := p.resolver().LookupNetIP(ctx, "ip", domain+".")
	return model.JudgeMX(domain, nil, len(addresses) > 0), answered(err)
}

// texts is the TXT records of a name. The dot at the end keeps the machine's
// own search list out of it.
func (p *portal) texts(ctx context.Context, name string) ([]string, error) {
	found, err := p.resolver().LookupTXT(ctx, name+".")
	return found, answered(err)
}

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
