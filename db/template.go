package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"latchkey/db/model"
)

var errNoTemplate = model.NotFound("There is no such letter.")

const templateColumns = `t.kind, t.version, t.subject, t.text, t.html, t.made_at,
	coalesce(m.first_name, ''), coalesce(m.last_name, ''), coalesce(m.company, ''), coalesce(m.email, ''), coalesce(m.member_no, '')`

// fromTemplate is where templateColumns come from.
const fromTemplate = ` FROM template t LEFT JOIN account a ON a.id = t.made_by LEFT JOIN member m ON m.id = a.member_id `

func scanTemplate(row interface{ Scan(...any) error }) (model.TemplateVersion, error) {
	var v model.TemplateVersion
	var m model.Member
	err := row.Scan(&v.Kind, &v.Version, &v.Subject, &v.Text, &v.HTML, unix{&v.At},
		&m.FirstName, &m.LastName, &m.Company, &m.Email, &m.MemberNo)
	if m != (model.Member{}) {
		v.By = m.Name()
	}
	return v, err
}

// Templates is what counts now of each kind that an owner ever changed.
func (d *DB) Templates(ctx context.Context, actor model.Actor) (map[model.LetterKind]model.TemplateVersion, error) {
	if err := actor.MayOwn(); err != nil {
		return nil, err
	}
	all, err := rows(ctx, d.read, func(rs *sql.Rows) (model.TemplateVersion, error) { return scanTemplate(rs) },
		`SELECT `+templateColumns+fromTemplate+`WHERE t.version = (SELECT max(n.version) FROM template n WHERE n.kind = t.kind)`)
	newest := map[model.LetterKind]model.TemplateVersion{}
	for _, v := range all {
		newest[v.Kind] = v
	}
	return newest, err
}

// templatesShown is as many former versions as a page offers.
const templatesShown = 20

// Template is what counts now of a kind, and the versions that owners saved,
// newest first.
func (d *DB) Template(ctx context.Context, actor model.Actor, k model.LetterKind) (now model.TemplateVersion, former []model.TemplateVersion, err error) {
	if err := actor.MayOwn(); err != nil {
		return now, nil, err
	}
	if !slices.Contains(model.LetterKinds, k) {
		return now, nil, errNoTemplate
	}
	former, err = rows(ctx, d.read, func(rs *sql.Rows) (model.TemplateVersion, error) { return scanTemplate(rs) },
		`SELECT `+templateColumns+fromTemplate+`WHERE t.kind = +? ORDER BY t.version DESC LIMIT +?`, k, templatesShown)
	now.Kind = k
	if len(former) > 0 {
		now = former[0]
	}
	return now, former, err
}

// templateAt is one version of a kind; version 0 is the original, which has no
// row.
func templateAt(ctx context.Context, q querier, k model.LetterKind, version int) (model.TemplateVersion, error) {
	if version == 0 {
		return model.TemplateVersion{Kind: k}, nil
	}
	v, err := scanTemplate(q.QueryRowContext(ctx, `SELECT `+templateColumns+fromTemplate+`WHERE t.kind = +? AND t.version = +?`, k, version))
	if errors.Is(err, sql.ErrNoRows) {
		return v, errNoTemplate
	}
	return v, err
}

// newestTemplate is the number of the version that counts now.
func newestTemplate(ctx context.Context, q querier, k model.LetterKind) (version int, err error) {
	err = q.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM template WHERE kind = +?`, k).Scan(&version)
	return version, err
}

// ChangeTemplate saves what an owner wrote for a kind of letter; the zero
// template goes back to the original. Letters that were asked for before keep
// their words. version is the one that the form began with: if somebody else
// saved meanwhile, nothing is written and the error is a
// *model.StaleTemplateError. What is wrong with the template is a
// *model.TemplateError.
func (d *DB) ChangeTemplate(ctx context.Context, actor model.Actor, k model.LetterKind, version int, t model.Template) error {
	if err := actor.MayOwn(); err != nil {
		return err
	}
	if !slices.Contains(model.LetterKinds, k) {
		return errNoTemplate
	}
	if t = t.Clean(); !t.IsZero() {
		if err := t.Check(k); err != nil {
			return err
		}
	}
	return d.actBy(ctx, actor, func(tx *Tx) error {
		newest, err := newestTemplate(ctx, tx, k)
		if err != nil {
			return err
		}
		theirs, err := templateAt(ctx, tx, k, newest)
		if err != nil || theirs.Template == t {
			return err
		}
		if newest != version {
			was, err := templateAt(ctx, tx, k, version)
			if err != nil {
				return err
			}
			return &model.StaleTemplateError{Was: was, Theirs: theirs}
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO template (kind, version, subject, text, html, made_at, made_by) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			k, newest+1, t.Subject, t.Text, t.HTML, tx.Now.Unix(), orNull(actor.AccountID)); err != nil {
			return err
		}
		act, said := model.ActTemplateChanged, []string{string(k), strconv.Itoa(newest + 1)}
		if t.IsZero() {
			act = model.ActTemplateOriginal
		}
		return tx.audit(ctx, actor, act, about{member: actor.MemberID, account: actor.AccountID, note: strings.Join(said, " ")})
	})
}

// sentTemplate is the text a letter is written with: the version that counted
// when it was asked for.
func sentTemplate(ctx context.Context, q querier, k model.LetterKind, version int) (t model.Template, err error) {
	if version == 0 {
		return t, nil
	}
	err = q.QueryRowContext(ctx, `SELECT subject, text, html FROM template WHERE kind = +? AND version = +?`, k, version).
		Scan(&t.Subject, &t.Text, &t.HTML)
	return t, err
}

// letterDraft is what a test letter shows, as its row keeps it: a template
// that may never be saved.
type letterDraft struct {
	Kind    model.LetterKind `json:"kind"`
	Name    string           `json:"name"`
	Subject string           `json:"subject,omitempty"`
	Text    string           `json:"text,omitempty"`
	HTML    string           `json:"html,omitempty"`
}

// SendSample mails a letter of a kind, as this template would make it, to the
// owner who asks, and to nobody else. Its link opens nothing.
func (d *DB) SendSample(ctx context.Context, actor model.Actor, k model.LetterKind, t model.Template) error {
	if err := actor.MayOwn(); err != nil {
		return err
	}
	if !slices.Contains(model.LetterKinds, k) {
		return errNoTemplate
	}
	t = t.Clean()
	if err := t.Check(k); err != nil {
		return err
	}
	return d.actBy(ctx, actor, func(tx *Tx) error {
		a, err := accountByID(ctx, tx, actor.AccountID)
		if err != nil {
			return err
		}
		if a.Email == "" {
			return model.Conflict("Your account has no email address, so there is nowhere to send it.")
		}
		facts := letterFacts{Draft: &letterDraft{Kind: k, Name: a.Name, Subject: t.Subject, Text: t.Text, HTML: t.HTML}}
		if twice, err := tx.justTested(ctx, a, facts); err != nil || twice {
			return err
		}
		// It is about nobody's account: a test that fails is no member's trouble.
		if err := tx.post(ctx, actor, model.LetterTest, a.Email, facts); err != nil {
			return err
		}
		return tx.audit(ctx, actor, model.ActTestSent, about{member: a.MemberID, account: a.ID, note: string(k)})
	})
}

// justTested reports whether this is the second half of a double click.
func (tx *Tx) justTested(ctx context.Context, a model.Account, facts letterFacts) (twice bool, err error) {
	said, err := json.Marshal(facts)
	if err != nil {
		return false, err
	}
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM letter WHERE kind = +? AND created_at > +? AND to_key = +? AND facts = +?)`,
		model.LetterTest, tx.Now.Add(-model.DoubleClick).Unix(), model.EmailKey(a.Email), string(said)).Scan(&twice)
	return twice, err
}

// fill adds to a test letter what it says.
func (f *letterDraft) fill(c model.LetterContents, s model.Settings) model.LetterContents {
	said := model.SampleLetter(f.Kind, s, f.Name, c.To, c.CreatedAt)
	said.Letter, said.Server, said.ReturnPath = c.Letter, c.Server, c.ReturnPath
	said.Sample, said.Template = f.Kind, model.Template{Subject: f.Subject, Text: f.Text, HTML: f.HTML}
	return said
}
