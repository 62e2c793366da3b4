package db_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// resetTemplate is a template for the password reset that says one word.
func resetTemplate(word string) model.Template {
	return model.Template{Subject: word, Text: word + " {{link}}", HTML: "<p>" + word + " {{link}}</p>"}
}

func template(t *testing.T, d *db.DB, k model.LetterKind) (model.TemplateVersion, []model.TemplateVersion) {
	t.Helper()
	now, former, err := d.Template(t.Context(), dbtest.Owner(t, d), k)
	must(t, err)
	return now, former
}

func TestALetterKeepsTheWordsItWasAskedForWith(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	id := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)

	ask := func() {
		t.Helper()
		clock.Add(17 * time.Hour)
		sendReset(t, d, owner, id)
	}
	ask()
	must(t, d.ChangeTemplate(t.Context(), owner, model.LetterReset, 0, resetTemplate("first")))
	if c := claim(t, d); c.Version != 0 || !c.Template.IsZero() {
		t.Errorf("asked for before: version %d, %+v", c.Version, c.Template)
	}
	ask()
	must(t, d.ChangeTemplate(t.Context(), owner, model.LetterReset, 1, resetTemplate("second")))
	if c := claim(t, d); c.Version != 1 || c.Template != resetTemplate("first") {
		t.Errorf("asked for with the first: version %d, %+v", c.Version, c.Template)
	}
	must(t, d.ChangeTemplate(t.Context(), owner, model.LetterReset, 2, model.Template{}))
	ask()
	if c := claim(t, d); c.Version != 0 || !c.Template.IsZero() {
		t.Errorf("back to the original: version %d, %+v", c.Version, c.Template)
	}
	now, former := template(t, d, model.LetterReset)
	if now.Version != 3 || !now.IsZero() || len(former) != 3 || former[1].Template != resetTemplate("second") || former[2].By != "Ruth Adler" || !former[2].At.Equal(clock.Now().Add(-34*time.Hour)) {
		t.Errorf("kept: %+v", former)
	}
}

func TestATemplateThatIsNotChangedIsNoNewVersion(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	must(t, d.ChangeTemplate(t.Context(), owner, model.LetterReset, 0, model.Template{}))
	for range 2 {
		must(t, d.ChangeTemplate(t.Context(), owner, model.LetterReset, 0, resetTemplate("same"))) // the second time somebody else had the same idea
	}
	if now, _ := template(t, d, model.LetterReset); now.Version != 1 {
		t.Errorf("version %d", now.Version)
	}
}

func TestASecondOwnerIsShownWhatTheFirstSaved(t *testing.T) {
	d, _ := dbtest.Open(t)
	ruth, tom := dbtest.Owner(t, d), dbtest.Person(t, d, "Tom Oke", model.RoleOwner)
	must(t, d.ChangeTemplate(t.Context(), ruth, model.LetterReset, 0, resetTemplate("hers")))
	err := d.ChangeTemplate(t.Context(), tom, model.LetterReset, 0, resetTemplate("his"))
	stale, ok := errors.AsType[*model.StaleTemplateError](err)
	if !ok || stale.Theirs.Template != resetTemplate("hers") || stale.Theirs.By != "Ruth Adler" || stale.Theirs.Version != 1 || stale.Was.Version != 0 || !stale.Was.IsZero() {
		t.Fatalf("%v: %+v", err, stale)
	}
	if now, _ := template(t, d, model.LetterReset); now.Template != resetTemplate("hers") {
		t.Errorf("written all the same: %+v", now)
	}
	must(t, d.ChangeTemplate(t.Context(), tom, model.LetterReset, stale.Theirs.Version, resetTemplate("his")))
	all, err := d.Templates(t.Context(), ruth)
	must(t, err)
	if got := all[model.LetterReset]; len(all) != 1 || got.Version != 2 || got.By != "Tom Oke" {
		t.Errorf("%+v", all)
	}
}

func TestTemplatesAreTheOwners(t *testing.T) {
	d, _ := dbtest.Open(t)
	for _, role := range []model.Role{model.RoleMember, model.RoleViewer, model.RoleStaff} {
		actor := dbtest.Person(t, d, "Some "+string(role), role)
		_, all := d.Templates(t.Context(), actor)
		_, _, one := d.Template(t.Context(), actor, model.LetterReset)
		for what, err := range map[string]error{
			"list": all, "read": one,
			"change": d.ChangeTemplate(t.Context(), actor, model.LetterReset, 0, resetTemplate("x")),
			"test":   d.SendSample(t.Context(), actor, model.LetterReset, resetTemplate("x")),
		} {
			if model.KindOf(err) != model.KindForbidden {
				t.Errorf("%s may %s: %v", role, what, err)
			}
		}
	}
	owner := dbtest.Owner(t, d)
	_, _, err := d.Template(t.Context(), owner, "../reset")
	for _, err := range []error{err, d.ChangeTemplate(t.Context(), owner, "x", 0, resetTemplate("x")), d.SendSample(t.Context(), owner, "", resetTemplate("x"))} {
		if model.KindOf(err) != model.KindNotFound || err == nil {
			t.Errorf("a kind that there is not: %v", err)
		}
	}
}

func TestATemplateIsCheckedWhenItIsSavedAndSent(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	bad := resetTemplate("x")
	bad.Text += "\n\n {{nmae}}"
	for what, err := range map[string]error{
		"saved": d.ChangeTemplate(t.Context(), owner, model.LetterReset, 0, bad),
		"sent":  d.SendSample(t.Context(), owner, model.LetterReset, bad),
	} {
		if wrong, ok := errors.AsType[*model.TemplateError](err); !ok || wrong.Part != "text" || wrong.Line != 3 || wrong.Column != 2 {
			t.Errorf("%s: %v", what, err)
		}
	}
	if now, _ := template(t, d, model.LetterReset); now.Version != 0 || claim(t, d) != nil {
		t.Error("it was written all the same")
	}
	// Browsers send lines of their own kind.
	good := resetTemplate("x")
	good.Text = "One\r\n\r\n{{link}}\r\n"
	must(t, d.ChangeTemplate(t.Context(), owner, model.LetterReset, 0, good))
	if now, _ := template(t, d, model.LetterReset); now.Text != "One\n\n{{link}}" {
		t.Errorf("kept as %q", now.Text)
	}
}

func TestATestGoesToWhoAsksAndOpensNothing(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	must(t, d.SendSample(t.Context(), owner, model.LetterResetSeveral, model.Template{
		Subject: "For all of you", Text: "{{#people}}{{name}} {{link}} {{/people}}", HTML: "{{#people}}<p>{{name}} {{link}}</p>{{/people}}"}))
	clock.Add(time.Hour)
	c := claim(t, d)
	if c == nil || c.Kind != model.LetterTest || c.Sample != model.LetterResetSeveral || c.To != dbtest.OwnerEmail || c.Name != "Ruth Adler" || c.Template.Subject != "For all of you" {
		t.Fatalf("%+v", c)
	}
	for _, l := range c.Links {
		if l.URL.Reveal() != "http://localhost:8080"+model.SampleLink || !l.Expires.Equal(dbtest.Start.Add(model.UsualResets.Lifetime)) {
			t.Errorf("a link in it: %s, until %s", l.URL.Reveal(), l.Expires)
		}
	}
	must(t, d.SettleLetter(t.Context(), c.ID, model.Delivery{Code: 550}))
	if page, err := d.Members(t.Context(), owner, model.MemberQuery{Filter: model.FilterFailing}); err != nil || page.Total != 0 {
		t.Errorf("a test that fails is the trouble of %d members: %v", page.Total, err)
	}
	if now, _ := template(t, d, model.LetterResetSeveral); now.Version != 0 {
		t.Error("a test saves")
	}
}

func TestTwoPressesSendOneTestOfALetter(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	one := model.Template{Subject: "One", Text: "{{support}}", HTML: "<p>{{support}}</p>"}
	for _, tt := range []struct {
		subject string
		after   time.Duration
		letters int
	}{{"One", 0, 1}, {"One", model.DoubleClick - time.Second, 0}, {"Two", 0, 1}, {"One", time.Second, 1}} {
		clock.Add(tt.after)
		one.Subject = tt.subject
		must(t, d.SendSample(t.Context(), owner, model.LetterRingUs, one))
		if got := len(dbtest.Deliver(t, d)); got != tt.letters {
			t.Errorf("%s, %v later: %d letters", tt.subject, tt.after, got)
		}
	}
}

func TestTemplatesLeaveTheirLines(t *testing.T) {
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	owner := dbtest.Owner(t, d)
	must(t, d.ChangeTemplate(t.Context(), owner, model.LetterReset, 0, resetTemplate("x")))
	must(t, d.SendSample(t.Context(), owner, model.LetterWelcome, resetTemplate("x")))
	must(t, d.ChangeTemplate(t.Context(), owner, model.LetterReset, 1, model.Template{}))
	page, err := d.Activity(t.Context(), owner, owner.MemberID, 0)
	must(t, err)
	var got []string
	for _, l := range page.Lines[:3] {
		got = append(got, string(l.Act)+" "+l.Note+" by "+l.ActorName)
	}
	if want := "template.original reset 2 by Ruth Adler, letter.test_sent welcome by Ruth Adler, template.changed reset 1 by Ruth Adler"; strings.Join(got, ", ") != want {
		t.Errorf("lines: %s", strings.Join(got, ", "))
	}
	raw, err := sql.Open("sqlite3", filepath.Join(folder, "latchkey.db"))
	must(t, err)
	defer raw.Close()
	var versions, links int
	must(t, raw.QueryRow(`SELECT count(*) FROM template`).Scan(&versions))
	must(t, raw.QueryRow(`SELECT count(*) FROM letter WHERE facts LIKE '%/reset/%'`).Scan(&links))
	if versions != 2 || links != 0 {
		t.Errorf("%d versions, %d rows with a link", versions, links)
	}
}
