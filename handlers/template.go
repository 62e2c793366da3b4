package handlers

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"latchkey/db/model"
	"latchkey/views"
)

func (p *portal) listTemplates(w http.ResponseWriter, r *http.Request) error {
	changed, err := p.DB.Templates(r.Context(), visitOf(r).by())
	if err != nil {
		return err
	}
	return p.render(w, r, http.StatusOK, views.TemplatesPage(p.page(r), changed))
}

// letterKind is the kind of letter that an address names.
func letterKind(r *http.Request) (model.LetterKind, error) {
	k := model.LetterKind(r.PathValue("kind"))
	if !slices.Contains(model.LetterKinds, k) {
		return "", errNoPage
	}
	return k, nil
}

// edited is what the page of a template is drawn from, once the address was
// read.
type edited struct {
	kind     model.LetterKind
	now      model.TemplateVersion
	former   []model.TemplateVersion
	original model.Template
}

func (p *portal) edited(r *http.Request) (e edited, err error) {
	if e.kind, err = letterKind(r); err != nil {
		return e, err
	}
	if e.original, err = views.OriginalTemplate(e.kind); err != nil {
		return e, err
	}
	e.original = e.original.Clean() // as a form sends it back
	e.now, e.former, err = p.DB.Template(r.Context(), visitOf(r).by(), e.kind)
	return e, err
}

// text is that of a version: the original's where it has none.
func (e *edited) text(v model.TemplateVersion) model.Template {
	if v.IsZero() {
		return e.original
	}
	return v.Template
}

// showTemplate fills the form with what counts now, or with a text to begin
// with that the address names.
func (p *portal) showTemplate(w http.ResponseWriter, r *http.Request) error {
	told(w, r)
	e, err := p.edited(r)
	if err != nil {
		return err
	}
	t, query := e.text(e.now), r.URL.Query()
	if query.Has("original") {
		if t, err = views.OriginalNamed(e.kind, query.Get("original")); err != nil {
			return errNoPage
		}
	}
	for _, v := range e.former {
		if query.Get("version") == strconv.Itoa(v.Version) {
			t = e.text(v)
		}
	}
	return p.renderTemplate(w, r, http.StatusOK, e, t, views.TemplateProps{})
}

// renderTemplate shows the form with a text, whatever is wrong with it, and
// the letter that it makes. What d holds already stays.
func (p *portal) renderTemplate(w http.ResponseWriter, r *http.Request, status int, e edited, t model.Template, d views.TemplateProps) error {
	v := visitOf(r)
	d.Kind, d.Now, d.Former = e.kind, e.now, e.former
	version := r.PostForm.Get("version")
	if version == "" || d.Stale != nil {
		version = strconv.Itoa(e.now.Version)
	}
	d.Form.Values = map[string]string{"subject": t.Subject, "text": t.Text, "html": t.HTML, "version": version, "as": r.PostForm.Get("as")}
	said, wrong, err := p.proof(r, e.kind, t)
	if err != nil {
		return err
	}
	if r.Method == http.MethodPost {
		d.Form.Errors, d.Unsaved = wrong, true
	}
	if len(wrong) == 0 {
		d.Preview = views.Preview{Subject: said.Subject, Text: said.Text,
			Frame: templatePath(e.kind) + "/preview?draft=" + p.drafts.add(draft{account: v.account.ID, html: said.HTML})}
	}
	d.Says = views.SampleSays(p.sample(r, e.kind))
	if p.mails(v.settings) {
		d.To = v.account.Email
	}
	w.Header().Set("Content-Security-Policy", editorPolicy)
	return p.renderEither(w, r, status, views.TemplatePage(p.page(r), d), views.TemplatePreview(d))
}

// mails reports whether a letter that is asked for can be seen anywhere.
func (p *portal) mails(s model.Settings) bool { return p.Demo || !s.Mail.IsZero() && !s.HeldBack() }

func templatePath(k model.LetterKind) string { return "/admin/templates/" + string(k) }

// sample is a letter as the owner who asks would get it.
func (p *portal) sample(r *http.Request, k model.LetterKind) model.LetterContents {
	v := visitOf(r)
	return model.SampleLetter(k, v.settings, v.account.Name, v.account.Email, p.DB.Now())
}

// proof is the letter that a template makes, or what is wrong with it.
func (p *portal) proof(r *http.Request, k model.LetterKind, t model.Template) (said views.Composed, wrong model.Fields, err error) {
	if wrong = views.TemplateMistakes(t.Mistakes(k)); len(wrong) > 0 {
		return said, wrong, nil
	}
	c := p.sample(r, k)
	c.Template = t
	if said, err = views.ComposeLetter(c); err != nil {
		return said, nil, err
	}
	if n := len(said.HTML); n > views.LetterWeight {
		wrong.Add("html", "This makes a letter of "+strconv.Itoa((n+999)/1000)+" KB. Mailboxes cut letters of more than "+
			strconv.Itoa(views.LetterWeight/1000)+" KB: fewer tags make it lighter.")
	}
	return said, wrong, nil
}

func typedTemplate(form url.Values) model.Template {
	return model.Template{Subject: form.Get("subject"), Text: form.Get("text"), HTML: form.Get("html")}.Clean()
}

// previewTemplate shows what was typed as a letter: to htmx the letter, to
// others the page with it.
func (p *portal) previewTemplate(w http.ResponseWriter, r *http.Request) error {
	e, err := p.edited(r)
	if err != nil {
		return err
	}
	return p.renderTemplate(w, r, http.StatusOK, e, typedTemplate(r.PostForm), views.TemplateProps{})
}

func (p *portal) changeTemplate(w http.ResponseWriter, r *http.Request) error {
	e, err := p.edited(r)
	if err != nil {
		return err
	}
	t := typedTemplate(r.PostForm)
	_, wrong, err := p.proof(r, e.kind, t)
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		return p.renderTemplate(w, r, http.StatusUnprocessableEntity, e, t, views.TemplateProps{})
	}
	return p.saveTemplate(w, r, e, t, noticeTemplateSaved)
}

func (p *portal) restoreTemplate(w http.ResponseWriter, r *http.Request) error {
	e, err := p.edited(r)
	if err != nil {
		return err
	}
	return p.saveTemplate(w, r, e, e.original, noticeOriginal)
}

// saveTemplate saves a text. The original's own is not kept as somebody's: it
// follows the program.
func (p *portal) saveTemplate(w http.ResponseWriter, r *http.Request, e edited, t model.Template, done notice) error {
	v := visitOf(r)
	saved := t
	if t == e.original {
		saved = model.Template{}
	}
	version, _ := strconv.Atoi(r.PostForm.Get("version")) // no version is an old one
	err := p.DB.ChangeTemplate(r.Context(), v.by(), e.kind, version, saved)
	if stale, ok := errors.AsType[*model.StaleTemplateError](err); ok {
		e.now = stale.Theirs
		theirs := e.text(stale.Theirs)
		merged, changed := t.Merge(e.text(stale.Was), theirs)
		return p.renderTemplate(w, r, http.StatusUnprocessableEntity, e, merged, views.TemplateProps{
			Stale: &views.StaleTemplate{By: stale.Theirs.By, Theirs: theirs, Changed: changed}})
	}
	if err != nil {
		return err
	}
	tell(w, v, done, "")
	return redirect(w, templatePath(e.kind))
}

// testTemplate mails what was typed to the owner who typed it, and shows the
// form as it was.
func (p *portal) testTemplate(w http.ResponseWriter, r *http.Request) error {
	e, err := p.edited(r)
	if err != nil {
		return err
	}
	v, t := visitOf(r), typedTemplate(r.PostForm)
	_, wrong, err := p.proof(r, e.kind, t)
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		return p.renderTemplate(w, r, http.StatusUnprocessableEntity, e, t, views.TemplateProps{})
	}
	if !p.mails(v.settings) {
		return model.Conflict("No letter can leave yet: a mail server has to be set up first.")
	}
	if err := p.DB.SendSample(r.Context(), v.by(), e.kind, t); err != nil {
		return err
	}
	v.notice = "A test is on its way to " + v.account.Email + ". Nothing is saved yet."
	return p.renderTemplate(w, r, http.StatusOK, e, t, views.TemplateProps{})
}

// editorPolicy is that of the other pages, with the frame that the letter is
// shown in. Nothing else of ours may stand in a frame (previewPolicy), so it
// is this one alone.
var editorPolicy = policy + "; frame-src 'self'"

// previewPolicy lets a letter carry its styles in itself, as mail programs
// need it, and nothing else: no script, no file, no form, no origin of its own.
const previewPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; sandbox; frame-ancestors 'self'"

const previewOver = "<!doctype html><title>Preview</title><p>This preview is over. Change something, or press Preview, and it is back.</p>"

// showPreview is the letter in the frame. It shows what this owner typed into
// our own form and nothing from the address: otherwise anybody could have an
// owner look at words of theirs on this site.
func (p *portal) showPreview(w http.ResponseWriter, r *http.Request) error {
	if _, err := letterKind(r); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Security-Policy", previewPolicy)
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Content-Type", "text/html; charset=utf-8")
	html, ok := p.drafts.find(r.URL.Query().Get("draft"), visitOf(r).account.ID)
	if !ok {
		html = previewOver
	}
	// A press on the sample's link would only leave the letter.
	for _, end := range []string{model.SampleLink, model.SampleNotMe} {
		html = strings.ReplaceAll(html, `href="`+model.EscapeHTML(visitOf(r).settings.BaseURL+end)+`"`, `href="#"`)
	}
	_, _ = io.WriteString(w, html) // whoever hung up needs no answer
	return nil
}

// drafts are the letters that owners look at just now. They are fetched within
// a second, so a few are enough; more than that would only be memory.
type drafts struct {
	mu   sync.Mutex
	last [32]draft
	next int
}

type draft struct {
	name    string
	account int64 // who typed it
	html    string
}

// add keeps a draft until 32 more came, and gives its name.
func (d *drafts) add(one draft) string {
	one.name = rand.Text()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last[d.next] = one
	d.next = (d.next + 1) % len(d.last)
	return one.name
}

func (d *drafts) find(name string, account int64) (html string, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.last {
		if one.name == name && one.account == account && name != "" {
			return one.html, true
		}
	}
	return "", false
}
