package handlers

import (
	"database/sql"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// changing is what a form may change in the tables of people and settings, as
// "table.column" for those whom it is about, and "table.column+" for rows that
// are new. A form that is not here may change nothing of them.
var changing = map[string]string{
	"POST /admin/members":                       "member+",
	"POST /admin/members/{id}":                  "member.*",
	"POST /admin/members/{id}/account":          "account+ member.search",
	"POST /admin/members/{id}/account/email":    "member.search account.email account.email_key account.salt account.session_stamp account.password_hash account.password_version account.password_set_at",
	"POST /admin/members/{id}/account/disable":  "account.disabled_at account.session_stamp",
	"POST /admin/members/{id}/account/enable":   "account.disabled_at account.password_hash account.password_version account.password_set_at",
	"POST /admin/members/{id}/account/delete":   "account- member.search",
	"POST /admin/members/{id}/account/role":     "account.role account.pending_role account.session_stamp account.factor_asked_at",
	"POST /admin/members/{id}/sessions/end":     "account.session_stamp",
	"POST /admin/members/{id}/two-factor/clear": "account.factor_at account.factor_cleared_at account.factor_asked_at account.factor_wanted_at account.session_stamp",
	"POST /admin/staff":                         "member+ account+",
	"POST /admin/staff/{id}/role":               "account.role account.pending_role account.session_stamp account.factor_asked_at",
	"POST /admin/staff/{id}/remove":             "account.role account.pending_role account.session_stamp account.factor_asked_at",
	"POST /admin/settings":                      "setting.* setting+",
	"POST /admin/settings/mail":                 "setting.* setting+",
	"POST /admin/settings/mail/key":             "setting+ setting.*",
	"POST /admin/settings/bounce-secret":        "setting+ setting.*",
	"POST /account/password":                    "account.password_hash account.password_version account.password_set_at account.session_stamp account.salt account.mailed_at",
	"POST /account/sessions/end":                "account.session_stamp",
	"POST /account/two-factor/app/confirm":      "account.factor_at account.session_stamp",
	"POST /reset":                               "account.password_hash account.password_version account.password_set_at account.session_stamp account.salt account.mailed_at account.role account.pending_role account.factor_asked_at",
	"POST /not-me":                              "account.password_hash account.password_version account.password_set_at account.session_stamp",
	"POST /sign-in":                             "account.last_sign_in_at account.factor_asked_at account.password_hash account.factor_wanted_at",
}

// book is every cell of the tables of people and settings, as "table.column key".
func book(t *testing.T, beside *sql.DB) map[string]string {
	t.Helper()
	cells := map[string]string{}
	for table, key := range map[string]string{"member": "id", "account": "id", "setting": "name"} {
		copyCells(t, beside, table, key, cells)
	}
	return cells
}

func copyCells(t *testing.T, beside *sql.DB, table, key string, cells map[string]string) {
	t.Helper()
	rows, err := beside.QueryContext(t.Context(), `SELECT `+key+`, * FROM `+table)
	must0(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	must0(t, err)
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		must0(t, rows.Scan(values...))
		for i, column := range columns[1:] {
			cells[fmt.Sprintf("%s.%s %v", table, column, *values[0].(*any))] = fmt.Sprint(*values[i+1].(*any))
		}
	}
	must0(t, rows.Err())
}

// differences names what two books have different: table.column of whom, and rows
// that are new or gone.
func differences(before, after map[string]string) (all []string) {
	for cell, now := range after {
		if was, there := before[cell]; !there {
			all = append(all, strings.SplitN(cell, ".", 2)[0]+"+ "+cell[strings.LastIndex(cell, " ")+1:])
		} else if was != now {
			all = append(all, cell)
		}
	}
	for cell := range before {
		if _, there := after[cell]; !there {
			all = append(all, strings.SplitN(cell, ".", 2)[0]+"- "+cell[strings.LastIndex(cell, " ")+1:])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// smuggled are all fields of all forms, and all columns of people, with what
// somebody would like to have in them.
func smuggled(before map[string]string, victim int64) url.Values {
	form := url.Values{}
	for _, name := range fieldNames() {
		form.Set(name, "smuggled")
	}
	for cell := range before {
		column, _, _ := strings.Cut(cell, " ")
		table, name, _ := strings.Cut(column, ".")
		for _, n := range []string{name, table + "." + name, table + "[" + name + "]", table + "_" + name, strings.ReplaceAll(name, "_", ""), strings.ToUpper(name)} {
			form.Set(n, "smuggled")
		}
	}
	id := strconv.FormatInt(victim, 10)
	for name, value := range map[string]string{
		"role": "owner", "pending_role": "owner", "Role": "owner", "account.role": "owner", "account[role]": "owner", "member[role]": "owner", "is_admin": "1", "admin": "1",
		"id": id, "member_id": id, "account_id": id, "person": id, "account": id, "member": id, "actor": id,
		"disabled": "1", "disabled_at": "1", "session_stamp": "0", "password_version": "0", "factor_at": "", "last_sign_in_at": "1",
		"email": "eve@evil.example", "mail_from": "eve@evil.example", "base_url": "https://evil.example", "share": "1", "keep": "1",
		"next": "//evil.example", "status": "former", "version": "1",
	} {
		form.Set(name, value)
	}
	return form
}

// Each form is sent with all that any form of the portal has, and all that the
// tables have, beside its own fields: it changes what it is about, of the one
// whom it is about, and nothing else.
func TestNoFormChangesMoreThanItIsAbout(t *testing.T) {
	hashQuickly(t)
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	c := &cast{site: serveSite(t, d, clock), t: t, browsers: map[model.Role]*browser{}, actors: map[model.Role]model.Actor{}, subjects: map[model.Role]*subject{}}
	beside, err := sql.Open("sqlite3", dbtest.RawDSN(folder, ""))
	must0(t, err)
	defer beside.Close()
	victim := dbtest.Person(t, d, "Victor Lund", model.RoleViewer)
	did := map[string]bool{}
	for _, rt := range c.portal.table() {
		name := rt.method + " " + rt.path
		if rt.method != http.MethodPost || rt.door == open || rt.path == mailPath+"/test" { // the last waits for a postman
			continue
		}
		b, actor := c.acting(model.RoleOwner)
		if rt.door <= signedIn {
			b, actor = c.acting(model.RoleMember)
		}
		s := &subject{Actor: actor}
		if powers[name].over != nil {
			s = c.subject(model.RoleMember)
		}
		if strings.HasSuffix(rt.path, "/remove") && rt.door == owner {
			s = c.subject(model.RoleViewer)
		}
		c.linked(s)
		if strings.HasSuffix(rt.path, "/enable") {
			must0(t, d.Disable(t.Context(), model.ShellActor(), s.MemberID))
		}
		if strings.HasSuffix(rt.path, "/two-factor/clear") {
			dbtest.App(t, d, clock, s.Actor, dbtest.Password)
		}
		id := s.MemberID
		switch {
		case strings.Contains(rt.path, "/letters/"):
			id = s.letter
		case strings.HasSuffix(rt.path, "{id}/account"):
			id = dbtest.Member(t, d, "Olga"+strconv.Itoa(c.n)+" Lind", "")
		}
		own, err := url.ParseQuery(c.fields(powers[name].with, s))
		must0(t, err)
		if more := proper[name]; more != nil {
			more(c, s, own)
		}
		before := book(t, beside)
		form := smuggled(before, victim.MemberID)
		for field, values := range own {
			form[field] = values
		}
		a := b.send(b.request(rt.method, rt.address(id), form.Encode()))
		if a.status >= http.StatusInternalServerError {
			t.Errorf("%s: %d", name, a.status)
		}
		about := []string{strconv.FormatInt(id, 10), strconv.FormatInt(s.AccountID, 10)}
		for _, cell := range differences(before, book(t, beside)) {
			did[name] = true
			column, whose, _ := strings.Cut(cell, " ")
			table, _, _ := strings.Cut(column, ".")
			allowed := slices.ContainsFunc(strings.Fields(changing[name]), func(may string) bool { return may == column || may == table+".*" })
			fresh := strings.HasSuffix(column, "+")
			if !allowed || table != "setting" && !fresh && !slices.Contains(about, whose) {
				t.Errorf("%s (%d) changes %s of %s", name, a.status, column, whose)
			}
		}
		if who := dbtest.Account(t, d, victim.MemberID); who.Role != model.RoleViewer || who.Email != "victor.lund@riverside.example" || who.Disabled() {
			t.Fatalf("%s changed somebody else: %+v", name, who)
		}
		settings, err := d.Settings(t.Context())
		must0(t, err)
		if strings.Contains(settings.BaseURL+settings.MailFrom, "evil") {
			t.Errorf("%s changes where links lead or letters come from", name)
		}
		var owners int
		must0(t, beside.QueryRowContext(t.Context(), `SELECT count(*) FROM account WHERE 'owner' IN (role, pending_role)`).Scan(&owners))
		if owners > len(c.browsers)+1 || owners > 2 && !strings.HasSuffix(rt.path, "/role") {
			t.Errorf("%s makes an owner", name)
		}
		delete(c.subjects, model.RoleMember) // of what was done to one nothing stays for the next
	}
	for name, what := range changing { // a form that never passed would prove nothing
		if what != "" && !did[name] {
			t.Errorf("%s changed nothing at all", name)
		}
	}
}

// proper are the fields that a form needs to pass, besides those of powers.
var proper = map[string]func(c *cast, s *subject, form url.Values){
	"POST /admin/members": func(_ *cast, _ *subject, f url.Values) {
		fill(f, "last_name", "Berg", "status", "active")
		for _, field := range model.MemberFields { // most take only what they are for
			if !f.Has(field.Name) {
				f.Set(field.Name, "")
			}
		}
	},
	"POST /admin/staff": func(_ *cast, _ *subject, f url.Values) {
		fill(f, "first_name", "Sara", "last_name", "Lund", "email", "sara@example.org", "role", "viewer")
	},
	"POST /admin/settings": func(c *cast, _ *subject, f url.Values) {
		s, err := c.db.Settings(c.t.Context())
		must0(c.t, err)
		for name, value := range settingValues(s) {
			if name != "base_url" { // which is on another page
				f.Set(name, value)
			}
		}
		fill(f, "association", "Rowing Club of Riverside", "letters_per_minute", "", "preset", "")
	},
	"POST /admin/settings/mail": func(_ *cast, _ *subject, f url.Values) {
		fill(f, "mail_host", "127.0.0.1", "mail_port", "2525", "mail_tls", "", "mail_user", "", "mail_password", "")
		fill(f, "base_url", "http://localhost:8080", "mail_from", "post@riverside.example", "notice_from", "", "notice_reply_to", "", "bounce_address", "", "reply_to", "", "current_password", dbtest.Password)
	},
	"POST /admin/settings/mail/key": func(_ *cast, _ *subject, f url.Values) { fill(f, "domain", "riverside.example") },
	"POST /account/password": func(_ *cast, _ *subject, f url.Values) {
		fill(f, "current_password", dbtest.Password, "password", newPassword, "password_confirm", newPassword)
	},
	"POST /account/two-factor/app/confirm": func(c *cast, s *subject, f url.Values) {
		b, _ := c.acting(model.RoleMember)
		// The test of /account/password came before.
		a := b.post("/account/two-factor/app", "current_password", newPassword).is(http.StatusOK)
		fill(f, "ticket", a.doc.Find(`input[name="ticket"]`).First().AttrOr("value", ""), "code", dbtest.AppCode(c.t, a.text(".key-text"), c.clock.Now()))
	},
	"POST /sign-in": func(c *cast, s *subject, f url.Values) {
		fill(f, "login", dbtest.Account(c.t, c.db, s.MemberID).Email, "password", dbtest.Password)
	},
	"POST /forgot-password": func(c *cast, s *subject, f url.Values) {
		fill(f, "login", dbtest.Account(c.t, c.db, s.MemberID).Email)
	},
	"POST /reset": func(c *cast, s *subject, f url.Values) {
		fill(f, "token", dbtest.Token(c.t, c.db, s.MemberID).Reveal(), "password", dbtest.Password, "password_confirm", dbtest.Password)
	},
	"POST /not-me": func(c *cast, s *subject, f url.Values) {
		token := dbtest.NotMe(c.t, c.db, s.MemberID)
		dbtest.SetPassword(c.t, c.db, s.MemberID, dbtest.Password) // through the link that they disown
		fill(f, "token", token.Reveal())
	},
}

func fill(form url.Values, fields ...string) {
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
}

// The tests that othersTried names are there.
func TestTheTestsOfOthersNumbersExist(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	must0(t, err)
	there := map[string]bool{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		must0(t, err)
		for _, d := range f.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				there[f.Name.Name] = true
			}
		}
	}
	for _, test := range slices.Sorted(maps.Values(othersTried)) {
		if !there[test] {
			t.Errorf("there is no %s", test)
		}
	}
}

// Where a form names a second thing by its number, the number of somebody
// else's reaches nothing.
func TestTheNumberOfAnothersThingReachesNothing(t *testing.T) {
	c := newCast(t)
	b, _ := c.acting(model.RoleStaff)
	mine, theirs := c.subject(model.RoleMember), c.subject(model.RoleOwner)
	for _, reset := range []int64{dbtest.Link(t, c.db, theirs.MemberID).ID, 0, -1, 1 << 40} {
		before := c.state(mine) + c.state(theirs)
		b.post(record(mine.MemberID)+"/password-resets/copied", "reset", strconv.FormatInt(reset, 10))
		if after := c.state(mine) + c.state(theirs); after != before {
			t.Errorf("the link %d was noted as copied:\n%s\nthen\n%s", reset, before, after)
		}
	}
	// The draft of a letter is its owner's.
	first, _ := c.acting(model.RoleOwner)
	draft := first.get(resetTemplatePath).one("iframe").AttrOr("src", "")
	if a := first.get(draft).is(http.StatusOK); !strings.Contains(a.body, "Riverside") {
		t.Errorf("it is no letter: %s", a.body)
	}
	other := c.owner(t)
	if a := other.get(draft).is(http.StatusOK); a.body != previewOver {
		t.Errorf("another owner sees it: %s", a.body)
	}
}
