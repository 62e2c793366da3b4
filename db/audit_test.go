package db_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// raw opens a portal's database beside the portal.
func raw(t testing.TB, folder string) *sql.DB {
	t.Helper()
	beside, err := sql.Open("sqlite3", dbtest.RawDSN(folder, "_foreign_keys=1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = beside.Close() })
	return beside
}

// story is a portal in which every act was done once, with all that was secret
// in it.
func story(t *testing.T) (d *db.DB, clock *dbtest.Clock, folder string, secrets map[string]string) {
	t.Helper()
	ctx := t.Context()
	folder = t.TempDir()
	d, clock = dbtest.OpenIn(t, folder, db.Fixed{BaseURL: "https://members.riverside.example"})
	secrets = map[string]string{"owner's password": dbtest.OwnerPassword, "password": dbtest.Password}
	secret := func(name string, s model.Secret) { secrets[name] = s.Reveal() }
	owner := dbtest.Owner(t, d)
	s, err := d.Settings(ctx)
	must(t, err)
	must(t, d.ChangeMail(ctx, owner, model.MailChange{BaseURL: s.BaseURL, MailFrom: "post@riverside.example", Current: model.NewSecret(dbtest.OwnerPassword),
		Mail: model.MailServer{Host: "127.0.0.1", Port: 2526, User: "club", Password: model.NewSecret("smtp secret word")}}))
	secrets["mail server's password"] = "smtp secret word"
	clock.Add(24 * time.Hour)
	staff := dbtest.Person(t, d, "Eva Lind", model.RoleStaff)
	nina := dbtest.MemberWithAccount(t, d, "Nina Holm", "nina@example.org")

	must(t, d.SendPasswordReset(ctx, staff, nina))
	r, err := d.AccountRecord(ctx, staff, nina)
	must(t, err)
	secret("link", r.Status.Link)
	token := dbtest.Token(t, d, nina)
	secret("token", token)
	must(t, d.CopiedReset(ctx, staff, nina, r.Status.Reset.ID))
	o, err := d.OpenReset(ctx, token.Reveal())
	must(t, err)
	must(t, d.NoteOpened(ctx, o.Reset.ID))
	dbtest.SetPassword(t, d, nina, dbtest.Password)
	if _, err := d.SignIn(ctx, model.SignIn{Login: "nina@example.org", Password: model.NewSecret("wrong kettle entirely")}); err == nil {
		t.Fatal("signed in")
	}
	secrets["wrong password"] = "wrong kettle entirely"
	in, err := d.SignIn(ctx, model.SignIn{Login: "nina@example.org", Password: model.NewSecret(dbtest.Password), Network: "203.0.113.0/24"})
	must(t, err)
	secret("device", in.Known)
	me := model.Actor{Kind: model.ByPerson, AccountID: in.Account.ID, MemberID: nina, Name: in.Account.Name, Role: in.Account.Role, Stamp: in.Account.SessionStamp, Network: "203.0.113.0/24"}
	const next = "nine purple teapots at dawn"
	secrets["next password"] = next
	in, err = d.ChangePassword(ctx, me, model.PasswordChange{SessionID: in.Session.ID, Current: model.NewSecret(dbtest.Password), Password: model.NewSecret(next), Confirm: model.NewSecret(next)})
	must(t, err)
	me.Stamp = in.Account.SessionStamp
	must(t, d.SignOut(ctx, me, in.Session.ID))
	must(t, d.EndSessions(ctx, staff, nina))
	must(t, d.SendPasswordReset(ctx, staff, nina))
	secret("next token", dbtest.Token(t, d, nina))
	must(t, d.CancelReset(ctx, staff, nina))
	must(t, d.ChangeEmail(ctx, staff, nina, "nina.holm@example.org", false))
	must(t, d.Disable(ctx, staff, nina))
	must(t, d.Enable(ctx, staff, nina))
	m, _, err := d.Member(ctx, staff, nina)
	must(t, err)
	m.City = "Bremen"
	must(t, d.ChangeMember(ctx, staff, m))

	dbtest.SetBounceAddress(t, d)
	clock.Add(time.Minute)
	must(t, d.SendPasswordReset(ctx, staff, nina)) // sends the same link again
	letters := dbtest.Deliver(t, d)
	last := letters[slices.IndexFunc(letters, func(l model.LetterContents) bool {
		return l.Kind == model.LetterReset && l.To == "nina.holm@example.org"
	})]
	takeBounce(t, d, dbtest.DeliveryReport(last.ReturnPath, "delayed", "4.4.1", "451 later"))
	clock.Add(time.Minute)
	again, err := d.RepeatLetter(ctx, staff, last.ID)
	must(t, err)
	must(t, d.StopLetter(ctx, staff, again))
	clock.Add(time.Minute)
	must(t, d.ChangeEmail(ctx, staff, nina, "n.holm@example.org", false))
	must(t, d.ChangeTemplate(ctx, owner, model.LetterReset, 0, resetTemplate("first")))
	must(t, d.ChangeTemplate(ctx, owner, model.LetterReset, 1, model.Template{}))
	must(t, d.SendSample(ctx, owner, model.LetterReset, resetTemplate("sample")))
	copied := int64(0)
	for copied == 0 { // what never arrived is said once more
		l, err := d.ClaimLetter(ctx)
		must(t, err)
		must(t, d.SettleLetter(ctx, l.ID, model.Delivery{Code: 550, Reply: "no such user"}))
		if l.Kind.Repeat() == model.RepeatCopy {
			copied, err = d.RepeatLetter(ctx, staff, l.ID)
			must(t, err)
		}
	}
	secret("bounce secret", must1(t)(d.NewBounceSecret(ctx, owner)))
	const domain = "riverside.example"
	must(t, d.MakeDKIM(ctx, owner, domain))
	s, err = d.Settings(ctx)
	must(t, err)
	dkim := s.DKIM.Of(domain)
	secret("DKIM key", dkim.Key)
	must(t, d.SignLetters(ctx, owner, dkim.Selector, []string{dkim.Record().Value}))

	must(t, d.ChangeTemplate(ctx, owner, model.LetterReset, 2, codeTemplate))
	must(t, d.CancelReset(ctx, staff, nina))
	clock.Add(time.Minute)
	must(t, d.SendPasswordReset(ctx, staff, nina))
	code, err := d.Keys().ResetCode(dbtest.Link(t, d, nina))
	must(t, err)
	secret("letter's code", code)
	r, err = d.ReadOutCode(ctx, staff, nina, "born 1 May 1970")
	must(t, err)
	secret("code that was read out", r.Spoken.Code)
	_, err = d.EnterCode(ctx, model.CodeTry{Login: "n.holm@example.org", Code: r.Spoken.Code, Network: home})
	must(t, err)
	notMe := dbtest.NotMe(t, d, nina)
	secret("word that disowns the link", notMe)
	clock.Add(time.Minute)
	dbtest.SetPassword(t, d, nina, next)
	sayNotMe(t, d, notMe)
	must(t, d.SettleNotMe(ctx, staff, openOnes(t, d)[0].ResetID))
	tried(t, d, "n.holm1@example.org")
	must(t, d.DismissNear(ctx, staff, record(t, d, staff, nina).Near.ID))
	must(t, d.Disable(ctx, staff, nina))
	must(t, d.Enable(ctx, staff, nina))
	dbtest.SetPassword(t, d, nina, next)
	me.Stamp = dbtest.Account(t, d, nina).SessionStamp
	for _, keep := range []bool{true, false} {
		must(t, d.AskEmail(ctx, me, model.NewEmail{Email: "nina.new@example.org", Current: model.NewSecret(next)}))
		to := dbtest.EmailToken(t, d, me)
		secret(fmt.Sprint("link to a new address, kept ", keep), to)
		if keep {
			must(t, d.CancelEmail(ctx, me))
			continue
		}
		_, err = d.ConfirmEmail(ctx, model.EmailConfirm{Token: to, Network: home})
		must(t, err)
		must(t, d.AskEmail(ctx, mine(t, d, nina), model.NewEmail{Email: "n.holm@example.org", Current: model.NewSecret(next)}))
		_, err = d.ConfirmEmail(ctx, model.EmailConfirm{Token: dbtest.EmailToken(t, d, me)})
		must(t, err)
	}
	clock.Add(model.ClearedFor) // since the email was changed
	me.Stamp = dbtest.Account(t, d, nina).SessionStamp
	self := model.SelfProof{Password: model.NewSecret(next)}
	for range 2 {
		clock.Add(time.Minute)
		app, recovery, now := dbtest.App(t, d, clock, me, next)
		me = now
		secrets["app's key"], secrets["app's key in one"] = app, strings.ReplaceAll(app, " ", "")
		codes, err := d.RecoveryCodes(ctx, me, self)
		must(t, err)
		for i, code := range append(codes, recovery...) {
			secret(fmt.Sprint("recovery code ", i), code)
		}
		step := dbtest.SignIn(t, d, "n.holm@example.org", next).Second
		secret("ticket", step.Ticket)
		_, err = d.ProveFactor(ctx, model.SecondProof{Ticket: step.Ticket, Code: recovery[0].Reveal()})
		wantKind(t, err, model.KindInvalid)
		in, err := d.ProveFactor(ctx, model.SecondProof{Ticket: step.Ticket, Code: codes[0].Reveal()})
		must(t, err)
		if dbtest.Account(t, d, nina).Factor.ClearedAt.IsZero() {
			must(t, d.ClearFactor(ctx, staff, nina))
			me.Stamp = dbtest.Account(t, d, nina).SessionStamp
		} else {
			self.Session = in.Session.ID
			_, err = d.RemoveApp(ctx, me, self)
			must(t, err)
		}
	}
	clock.Add(time.Minute)
	must(t, d.SendPasswordReset(ctx, staff, nina))
	notMe = dbtest.NotMe(t, d, nina)
	dbtest.SetPassword(t, d, nina, next)
	me.Stamp = dbtest.Account(t, d, nina).SessionStamp
	_, _, me = dbtest.App(t, d, clock, me, next)
	ask, err := d.BeginPasskey(ctx, me, model.SelfProof{Password: model.NewSecret(next)})
	must(t, err)
	secret("question for a passkey", ask.Ticket)
	device := dbtest.NewAuthenticator(t)
	s, err = d.Settings(ctx)
	must(t, err)
	device.Origin = s.BaseURL
	device.RPID, _ = model.PasskeyHost(s.BaseURL)
	_, err = d.AddPasskey(ctx, me, 0, device.Make(t, ask), "Firefox on Linux")
	must(t, err)
	has, err := d.SecondFactors(ctx, me)
	must(t, err)
	must(t, d.RenamePasskey(ctx, me, has.Passkeys[0].ID, "the blue one"))
	sayNotMe(t, d, notMe)
	must(t, d.DeleteAccount(ctx, staff, nina))
	keys := func() {
		for _, line := range strings.Split(string(d.Keys().File()), "\n") {
			if id, key, ok := strings.Cut(line, " "); ok && !strings.HasPrefix(line, "#") {
				secrets["key "+id] = key
			}
		}
	}
	keys()
	_, err = d.RotateKey(ctx, model.ShellActor())
	must(t, err)
	keys()
	clock.Add(30 * 24 * time.Hour)
	_, err = d.RetireKeys(ctx, model.ShellActor())
	must(t, err)
	return d, clock, folder, secrets
}

// mine is a member as an actor, as they are now.
func mine(t *testing.T, d *db.DB, memberID int64) model.Actor {
	t.Helper()
	a := dbtest.Account(t, d, memberID)
	return model.Actor{Kind: model.ByPerson, AccountID: a.ID, MemberID: a.MemberID, Name: a.Name, Role: a.Role, Stamp: a.SessionStamp}
}

func must1(t *testing.T) func(model.Secret, error) model.Secret {
	return func(s model.Secret, err error) model.Secret {
		t.Helper()
		must(t, err)
		return s
	}
}

func TestNoSecretStandsInTheAudit(t *testing.T) {
	_, _, folder, secrets := story(t)
	beside := raw(t, folder)
	done := map[string]bool{}
	lines, err := beside.Query(`SELECT * FROM audit a LEFT JOIN audit_detail d ON d.audit_id = a.id`)
	must(t, err)
	defer lines.Close()
	columns, err := lines.Columns()
	must(t, err)
	for lines.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		must(t, lines.Scan(values...))
		var whole bytes.Buffer
		for i, name := range columns {
			text := fmt.Sprint(*values[i].(*any))
			fmt.Fprintln(&whole, text)
			if name == "act" {
				done[text] = true
			}
		}
		for name, secret := range secrets {
			// A part of it would be as bad: half a token leaves half the work.
			if bytes.Contains(whole.Bytes(), []byte(secret[:min(len(secret), 12)])) {
				t.Errorf("the %s stands in a line:\n%s", name, &whole)
			}
		}
	}
	must(t, lines.Err())
	for _, act := range acts(t) {
		if !done[act] {
			t.Errorf("the story has no %s: let it happen there, or nobody knows what its lines say", act)
		}
	}
}

// acts are all that package model names.
func acts(t *testing.T) (all []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("model", "audit.go"), nil, 0)
	must(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Act") {
			name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			must(t, err)
			all = append(all, name)
		}
		return true
	})
	return all
}

func TestAnAuditLineIsNeverChangedReplacedOrTakenBack(t *testing.T) {
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{})
	dbtest.Member(t, d, "Mia Brandt", "")
	beside := raw(t, folder)
	for _, q := range []string{
		`UPDATE audit SET act = 'nothing'`,
		`UPDATE audit SET id = id + 1000`,
		`UPDATE OR IGNORE audit SET at = 1`,
		`DELETE FROM audit_detail; DELETE FROM audit`,
		`DELETE FROM audit_detail; DELETE FROM audit WHERE id = (SELECT min(id) FROM audit)`,
		`INSERT OR REPLACE INTO audit (id, at, act, actor_kind) VALUES (1, 1, 'nothing', 'shell')`,
		`UPDATE audit_detail SET actor_name = 'Somebody Else'`,
		`UPDATE audit_detail SET note = 'otherwise'`,
		`UPDATE audit_detail SET network = '192.0.2.0/24'`,
		`INSERT INTO audit_detail (audit_id, note) VALUES (1, 'later')`,
		`DELETE FROM audit_detail WHERE audit_id = 1; INSERT INTO audit_detail (audit_id, note) VALUES (1, 'later')`,
		`INSERT OR REPLACE INTO audit_detail (audit_id, note) VALUES (1, 'later')`,
	} {
		before := trail(t, beside)
		if _, err := beside.Exec(`BEGIN; ` + q + `; COMMIT`); err == nil {
			t.Errorf("%s went through", q)
		}
		_, _ = beside.Exec(`ROLLBACK`)
		if after := trail(t, beside); after != before {
			t.Errorf("%s changed\n%s\nto\n%s", q, before, after)
		}
	}
	// A person can be erased all the same.
	_, err := beside.Exec(`UPDATE audit_detail SET actor_name = '', network = '', note = ''`)
	must(t, err)
	_, err = beside.Exec(`DELETE FROM audit_detail`)
	must(t, err)
}

// trail is all audit lines as a text.
func trail(t *testing.T, beside *sql.DB) string {
	t.Helper()
	var text sql.NullString
	must(t, beside.QueryRow(`SELECT group_concat(id || ' ' || at || ' ' || act || ' ' || coalesce(d.actor_name || d.network || d.note, ''), char(10))
		FROM (SELECT * FROM audit ORDER BY id) a LEFT JOIN audit_detail d ON d.audit_id = a.id`).Scan(&text))
	return text.String
}

func TestOldLinesGoFromTheOldestEndToTheSecond(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{})
	beside := raw(t, folder)
	oldest := func() (at int64) {
		must(t, beside.QueryRow(`SELECT min(at) FROM audit`).Scan(&at))
		return at
	}
	tidy := func() { t.Helper(); must(t, d.Tidy(t.Context())) }
	year := 365 * 24 * time.Hour
	mia := dbtest.Member(t, d, "Mia Brandt", "") // at the start, like the set-up
	clock.Add(time.Hour)
	dbtest.Member(t, d, "Nina Holm", "")
	clock.Set(dbtest.Start.Add(2*year - time.Second))
	dbtest.Member(t, d, "Paul Berg", "")
	if tidy(); oldest() != dbtest.Start.Unix() {
		t.Error("lines went a second before their time")
	}
	clock.Add(time.Second)
	if tidy(); oldest() != dbtest.Start.Unix() {
		t.Error("time passed without a line")
	}
	dbtest.Member(t, d, "Olga Lind", "")
	if tidy(); oldest() != dbtest.Start.Add(time.Hour).Unix() {
		t.Error("the oldest line is of", time.Unix(oldest(), 0).UTC())
	}
	if a, err := d.Activity(t.Context(), model.ShellActor(), mia, 0); err != nil || len(a.Lines) != 0 {
		t.Errorf("of Mia %d lines are left, %v", len(a.Lines), err)
	}
	var left int
	must(t, beside.QueryRow(`SELECT count(*) FROM audit_detail WHERE audit_id NOT IN (SELECT id FROM audit)`).Scan(&left))
	if left != 0 {
		t.Errorf("%d names are left of lines that went", left)
	}

	// The owner's number counts, in the rule of the database as well.
	s, err := d.Settings(t.Context())
	must(t, err)
	s.AuditKept = 3 * year
	must(t, d.ChangeSettings(t.Context(), dbtest.Owner(t, d), s))
	clock.Set(dbtest.Start.Add(3 * year))
	dbtest.Member(t, d, "Ida Sund", "")
	if tidy(); oldest() != dbtest.Start.Add(time.Hour).Unix() {
		t.Error("lines went before three years were over")
	}
	if _, err := beside.Exec(`DELETE FROM audit_detail; DELETE FROM audit WHERE id = (SELECT min(id) FROM audit)`); err == nil {
		t.Error("the database let a line go before three years were over")
	}
	clock.Add(time.Hour)
	dbtest.Member(t, d, "Ole Sund", "")
	if tidy(); oldest() <= dbtest.Start.Add(time.Hour).Unix() {
		t.Error("lines stayed after three years")
	}
}

func TestManyOldLinesGoInOneTidy(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{})
	beside := raw(t, folder)
	_, err := beside.Exec(`INSERT INTO audit (at, act, actor_kind) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1700)
		SELECT ?, 'member.changed', 'shell' FROM n`, dbtest.Start.Unix())
	must(t, err)
	clock.Add(3 * 365 * 24 * time.Hour)
	dbtest.Member(t, d, "Mia Brandt", "")
	must(t, d.Tidy(t.Context()))
	var n int
	must(t, beside.QueryRow(`SELECT count(*) FROM audit`).Scan(&n))
	if n != 1 {
		t.Errorf("%d lines are left", n)
	}
}

func TestAClockThatRanAheadEmptiesNothing(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{})
	before := trail(t, raw(t, folder))
	clock.Add(30 * 365 * 24 * time.Hour)
	must(t, d.Tidy(t.Context()))
	if after := trail(t, raw(t, folder)); after != before {
		t.Errorf("left:\n%s", after)
	}
}

// said is a page of the audit in short.
func said(page model.AuditPage) string {
	var all []string
	for _, r := range page.Rows {
		all = append(all, string(r.Act)+" "+r.About.Name)
	}
	return strings.Join(all, ", ")
}

func TestTheAuditIsSiftedByPersonActAndDay(t *testing.T) {
	d, clock := dbtest.Open(t) // Berlin: midnight is 23:00 UTC
	owner := dbtest.Owner(t, d)
	ctx := t.Context()
	clock.Set(time.Date(2026, 12, 1, 22, 59, 59, 0, time.UTC))
	nina := dbtest.Member(t, d, "Nina Holm", "nina@example.org")
	clock.Add(time.Second)
	must(t, d.CreateUser(ctx, owner, nina, "nina@example.org", false))
	clock.Set(time.Date(2026, 12, 2, 22, 59, 59, 0, time.UTC))
	paul := dbtest.Member(t, d, "Paul Holm", "")
	clock.Add(time.Second)
	must(t, d.Disable(ctx, owner, nina))

	all, err := d.Audit(ctx, owner, model.AuditQuery{})
	must(t, err)
	if got := said(all); !strings.HasPrefix(got, "account.disabled Nina Holm, ") {
		t.Errorf("all: %s", got)
	}
	for name, c := range map[string]struct {
		q    model.AuditQuery
		want string
	}{
		"a day to its last second":   {model.AuditQuery{From: "2026-12-01", To: "2026-12-01"}, "member.added Nina Holm"},
		"the next from its first":    {model.AuditQuery{From: "2026-12-02", To: "2026-12-02"}, "member.added Paul Holm, reset.sent Nina Holm, account.made Nina Holm"},
		"from a day on":              {model.AuditQuery{From: "2026-12-03"}, "account.disabled Nina Holm, reset.cancelled Nina Holm"},
		"an act":                     {model.AuditQuery{Act: "account.disabled"}, "account.disabled Nina Holm"},
		"all about a noun":           {model.AuditQuery{Act: "account", From: "2026-12-01"}, "account.disabled Nina Holm, account.made Nina Holm"},
		"an act that is none":        {model.AuditQuery{Act: "account' OR 1=1"}, ""},
		"a name":                     {model.AuditQuery{Text: "paul"}, "member.added Paul Holm"},
		"a name that two have":       {model.AuditQuery{Text: "holm", Act: "member.added"}, "member.added Paul Holm, member.added Nina Holm"},
		"whoever did it":             {model.AuditQuery{Text: "ruth", From: "2026-12-01"}, "account.disabled Nina Holm, reset.cancelled Nina Holm, reset.sent Nina Holm, account.made Nina Holm"},
		"one person":                 {model.AuditQuery{MemberID: paul}, "member.added Paul Holm"},
		"one person, act and day":    {model.AuditQuery{MemberID: nina, Act: "reset", To: "2026-12-02"}, "reset.sent Nina Holm"},
		"nobody":                     {model.AuditQuery{Text: "xaver"}, ""},
		"a person that there is not": {model.AuditQuery{MemberID: 999}, ""},
		"before there was anything":  {model.AuditQuery{To: "2020-01-01"}, ""},
	} {
		page, err := d.Audit(ctx, owner, c.q)
		must(t, err)
		if got := said(page); got != c.want {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
	for name, c := range map[string]struct {
		q     model.AuditQuery
		field string
	}{
		"no day":        {model.AuditQuery{From: "yesterday"}, "from"},
		"no such day":   {model.AuditQuery{To: "2026-02-30"}, "to"},
		"days reversed": {model.AuditQuery{From: "2026-12-02", To: "2026-12-01"}, "to"},
	} {
		page, err := d.Audit(ctx, owner, c.q)
		if err != nil || page.Wrong[c.field] == "" || len(page.Rows) != 0 {
			t.Errorf("%s: %+v, %v", name, page.Wrong, err)
		}
	}
	// The lines of an account that is deleted are still those of its holder.
	staff := dbtest.Person(t, d, "Eva Lind", model.RoleStaff)
	must(t, d.Disable(ctx, staff, dbtest.SignedUp(t, d, "Ida Sund", "ida@example.org")))
	must(t, d.DeleteAccount(ctx, owner, staff.MemberID))
	page, err := d.Audit(ctx, owner, model.AuditQuery{Text: "eva", Act: "account.disabled"})
	if must(t, err); said(page) != "account.disabled Ida Sund" {
		t.Errorf("of a colleague who left: %q", said(page))
	}
	if page.Rows[0].ActorName != "Eva Lind" || page.Rows[0].Actor.MemberID != 0 {
		t.Errorf("done by %q, who leads to %d", page.Rows[0].ActorName, page.Rows[0].Actor.MemberID)
	}
}

func TestManyOfOneNameAreAskedForAnotherLetter(t *testing.T) {
	d, _ := dbtest.Open(t)
	for i := range model.AuditPeople + 1 {
		dbtest.Member(t, d, fmt.Sprintf("Nina Holm%d", i), "")
	}
	page, err := d.Audit(t.Context(), dbtest.Owner(t, d), model.AuditQuery{Text: "nina"})
	must(t, err)
	if page.Found != model.AuditPeople+1 || len(page.People) != model.AuditPeople || len(page.Rows) != 0 {
		t.Errorf("found %d, names %d, shows %d lines", page.Found, len(page.People), len(page.Rows))
	}
}

func TestPagesOfTheAuditTurnBothWays(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	for i := range 130 { // several in each second, as in life
		if i%7 == 0 {
			clock.Add(time.Second)
		}
		dbtest.Member(t, d, fmt.Sprintf("Member No%d", i), "")
	}
	for name, q := range map[string]model.AuditQuery{"all": {}, "an act": {Act: "member.added"}, "a noun": {Act: "member"}} {
		var down, up []string
		q.Before, q.After = 0, 0
		page, err := d.Audit(t.Context(), owner, q)
		must(t, err)
		if page.Newer != 0 {
			t.Errorf("%s: something newer than the newest", name)
		}
		for {
			down = append(down, said(page))
			if page.Older == 0 {
				break
			}
			q.Before = page.Older
			page, err = d.Audit(t.Context(), owner, q)
			must(t, err)
		}
		for q.Before = 0; ; {
			up = append([]string{said(page)}, up...)
			if page.Newer == 0 {
				break
			}
			q.After = page.Newer
			page, err = d.Audit(t.Context(), owner, q)
			must(t, err)
		}
		if len(down) < 3 || strings.Count(strings.Join(down, ", "), "member.added Member") != 130 {
			t.Errorf("%s: %d pages down", name, len(down))
		}
		// The way up has its short page at the top.
		if strings.Join(up, ", ") != strings.Join(down, ", ") {
			t.Errorf("%s: up is\n%s\nand down\n%s", name, strings.Join(up, "\n"), strings.Join(down, "\n"))
		}
	}
}

func TestARecordsActivityTurnsBothWays(t *testing.T) {
	d, _ := dbtest.Open(t)
	id := dbtest.Member(t, d, "Nina Holm", "")
	for i := range 70 {
		m, _, err := d.Member(t.Context(), model.ShellActor(), id)
		must(t, err)
		m.City = fmt.Sprint("City ", i)
		must(t, d.ChangeMember(t.Context(), model.ShellActor(), m))
	}
	first, err := d.Activity(t.Context(), model.ShellActor(), id, 0)
	must(t, err)
	second, err := d.Activity(t.Context(), model.ShellActor(), id, first.Next)
	must(t, err)
	back, err := d.ActivityAfter(t.Context(), model.ShellActor(), id, second.Newer)
	must(t, err)
	if len(first.Lines) != 50 || len(second.Lines) != 21 || second.Next != 0 || first.Newer != 0 ||
		len(back.Lines) != 50 || back.Lines[0].ID != first.Lines[0].ID || back.Next != first.Next || back.Newer != 0 {
		t.Errorf("%d lines, then %d, and back %d (newer %d)", len(first.Lines), len(second.Lines), len(back.Lines), back.Newer)
	}
}

func TestOnlyOwnersReadTheWhole(t *testing.T) {
	d, _ := dbtest.Open(t)
	for _, role := range []model.Role{model.RoleMember, model.RoleViewer, model.RoleStaff} {
		if _, err := d.Audit(t.Context(), model.Actor{Kind: model.ByPerson, Role: role}, model.AuditQuery{}); model.KindOf(err) != model.KindForbidden {
			t.Errorf("%s reads it: %v", role, err)
		}
	}
}

// BenchmarkAudit reads a portal of a million lines, half of them one person's.
func BenchmarkAudit(b *testing.B) {
	folder := b.TempDir()
	d, clock := dbtest.OpenIn(b, folder, db.Fixed{Mail: &dbtest.Mail})
	owner := dbtest.Owner(b, d)
	nina := dbtest.Member(b, d, "Nina Holm", "nina@example.org")
	eva := dbtest.Person(b, d, "Eva Lind", model.RoleStaff)
	beside := raw(b, folder)
	if _, err := beside.Exec(`
		INSERT INTO audit (at, act, actor_kind, actor_id, member_id)
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
		SELECT ?1 + 60 * i, CASE WHEN i % 50000 = 7 THEN 'account.disabled' WHEN i % 3 = 0 THEN 'reset.sent' ELSE 'session.started' END,
			'person', CASE WHEN i % 2 = 0 THEN ?2 END, CASE WHEN i % 1000 = 1 THEN ?3 ELSE ?4 END FROM n`,
		dbtest.Start.Unix(), eva.AccountID, nina, owner.MemberID); err != nil {
		b.Fatal(err)
	}
	clock.Add(1000001 * time.Minute)
	var middle int64
	if err := beside.QueryRowContext(context.Background(), `SELECT id FROM audit LIMIT 1 OFFSET 500000`).Scan(&middle); err != nil {
		b.Fatal(err)
	}
	for name, q := range map[string]model.AuditQuery{
		"newest": {}, "half_way": {Before: middle}, "act": {Act: "reset.sent"}, "rare_act": {Act: "account.disabled"}, "noun": {Act: "session"},
		"day": {From: "2027-06-01", To: "2027-06-01"}, "person": {Text: "nina"}, "busy_person": {Text: "eva"},
		"busy_person_rare_act": {Text: "eva", Act: "account.disabled"}, "all_three": {Text: "eva", Act: "reset", From: "2027-01-01", To: "2027-12-31"},
		"busy_person_act_never_done": {Text: "eva", Act: "member.added", To: "2026-11-01"},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := d.Audit(context.Background(), owner, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
