package handlers

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/db/dbtest"
	"latchkey/db/model"
	"latchkey/views"
)

// over says who may do something to whom. It is product.md §1 written down once
// more, and nothing of it is taken from the rules that it tests.
type over func(actor, target model.Role, own bool) bool

func level(r model.Role) int {
	return map[model.Role]int{model.RoleMember: 1, model.RoleViewer: 2, model.RoleStaff: 3, model.RoleOwner: 4}[r]
}

func reads(actor, _ model.Role, _ bool) bool { return level(actor) >= 2 }
func edits(actor, _ model.Role, _ bool) bool { return level(actor) >= 3 }

// An equal may only press Send.
func sends(actor, target model.Role, _ bool) bool {
	return level(actor) >= 3 && level(actor) >= level(target)
}

// Strictly below, and never one's own.
func governs(actor, target model.Role, own bool) bool {
	return level(actor) >= 3 && level(actor) > level(target) && !own
}

// Owners, over whoever is below; and themselves they may lower.
func ranks(actor, target model.Role, own bool) bool {
	return level(actor) >= 4 && (own || level(target) < 4)
}

// power is what a route asks for.
type power struct {
	door door
	over over   // of a route about an account; nil: it is about none
	with string // fields of the form, "name=value&…"; {version}, {reset} and {n} are filled in
}

// powers is every route of the portal. A route that is not here fails the test
// below: whoever adds one says here who may use it.
var powers = map[string]power{
	"GET /static/{hash}/{name}":                    {door: open},
	"GET /healthz":                                 {door: open},
	"POST /bounces":                                {door: open}, // its own secret
	"GET /{$}":                                     {door: public},
	"GET /brand.css":                               {door: public},
	"GET /.well-known/change-password":             {door: public},
	"POST /password-strength":                      {door: public}, // TestThePasswordMeterTellsNothingOfOthers
	"GET /setup":                                   {door: public},
	"POST /setup":                                  {door: public},
	"GET /sign-in":                                 {door: public},
	"POST /sign-in":                                {door: public},
	"POST /sign-in/person":                         {door: public},
	"POST /sign-in/factor":                         {door: public},
	"POST /sign-in/passkey":                        {door: public},
	"POST /sign-out":                               {door: public},
	"GET /forgot-password":                         {door: public},
	"POST /forgot-password":                        {door: public},
	"GET /reset/{token}":                           {door: public},
	"GET /reset":                                   {door: public},
	"POST /reset":                                  {door: public},
	"POST /reset/renew":                            {door: public},
	"GET /reset/code":                              {door: public},
	"POST /reset/code":                             {door: public},
	"GET /not-me/{token}":                          {door: public},
	"GET /not-me":                                  {door: public},
	"POST /not-me":                                 {door: public},
	"GET /email/{token}":                           {door: public},
	"GET /email":                                   {door: public},
	"POST /email":                                  {door: public},
	"GET /account/email":                           {door: signedIn},
	"POST /account/email":                          {door: signedIn},
	"POST /account/email/again":                    {door: signedIn},
	"POST /account/email/cancel":                   {door: signedIn},
	"GET /account":                                 {door: signedIn},
	"GET /account/password":                        {door: signedIn},
	"POST /account/password":                       {door: signedIn},
	"GET /account/sessions":                        {door: signedIn},
	"POST /account/sessions/end":                   {door: signedIn},
	"POST /account/sessions/{id}/end":              {door: signedIn},
	"GET /account/two-factor":                      {door: signedIn},
	"POST /account/two-factor/letter":              {door: signedIn},
	"GET /account/two-factor/app":                  {door: signedIn},
	"POST /account/two-factor/app":                 {door: signedIn},
	"POST /account/two-factor/app/confirm":         {door: signedIn},
	"GET /account/two-factor/app/remove":           {door: signedIn},
	"POST /account/two-factor/app/remove":          {door: signedIn},
	"GET /account/two-factor/passkey":              {door: signedIn},
	"POST /account/two-factor/passkey":             {door: signedIn},
	"POST /account/two-factor/passkey/confirm":     {door: signedIn},
	"GET /account/two-factor/passkey/{id}/name":    {door: signedIn},
	"POST /account/two-factor/passkey/{id}/name":   {door: signedIn},
	"GET /account/two-factor/passkey/{id}/remove":  {door: signedIn},
	"POST /account/two-factor/passkey/{id}/remove": {door: signedIn},
	"GET /account/two-factor/codes":                {door: signedIn},
	"POST /account/two-factor/codes":               {door: signedIn},
	"GET /admin":                                   {door: viewer},
	"GET /admin/members":                           {door: viewer},
	"GET /admin/letters":                           {door: viewer},
	"GET /admin/letters/{id}":                      {door: viewer},
	"GET /admin/letters/{id}/html":                 {door: viewer},
	"GET /admin/members/new":                       {door: staff},
	"POST /admin/members":                          {door: staff},
	"POST /admin/attention/near/{id}/done":         {door: staff},
	"POST /admin/attention/not-me/{id}/done":       {door: staff}, // over whom: TestTheOfficePutsANotMeAway of db
	"GET /admin/staff":                             {door: owner},
	"POST /admin/staff":                            {door: owner},
	"GET /admin/audit":                             {door: owner},
	"GET /admin/settings":                          {door: owner},
	"POST /admin/settings":                         {door: owner},
	"GET /admin/settings/mail":                     {door: owner},
	"POST /admin/settings/mail":                    {door: owner},
	"POST /admin/settings/mail/test":               {door: owner},
	"POST /admin/settings/mail/check":              {door: owner},
	"POST /admin/settings/mail/key":                {door: owner},
	"POST /admin/settings/mail/sign":               {door: owner},
	"POST /admin/settings/mail/unsigned":           {door: owner},
	"POST /admin/settings/bounce-secret":           {door: owner},
	"GET /admin/templates":                         {door: owner},
	"GET /admin/templates/{kind}":                  {door: owner},
	"POST /admin/templates/{kind}":                 {door: owner},
	"GET /admin/templates/{kind}/preview":          {door: owner},
	"POST /admin/templates/{kind}/preview":         {door: owner},
	"POST /admin/templates/{kind}/test":            {door: owner},
	"POST /admin/templates/{kind}/original":        {door: owner},

	"GET /admin/members/{id}":                         {door: viewer, over: reads},
	"GET /admin/members/{id}/settings":                {door: viewer, over: reads},
	"GET /admin/members/{id}/activity":                {door: viewer, over: reads},
	"GET /admin/members/{id}/password-resets/letter":  {door: viewer, over: reads},
	"POST /admin/members/{id}":                        {door: staff, over: edits, with: "city=Bremen{n}&version={version}&{member}"},
	"POST /admin/members/{id}/account":                {door: staff, over: edits, with: "email=new{n}@example.org"}, // of those who have none; the others it leaves alone
	"POST /admin/members/{id}/account/email":          {door: staff, over: governs, with: "email=new{n}@example.org"},
	"POST /admin/members/{id}/account/disable":        {door: staff, over: governs},
	"POST /admin/members/{id}/account/enable":         {door: staff, over: governs},
	"POST /admin/members/{id}/account/delete":         {door: staff, over: governs},
	"POST /admin/members/{id}/sessions/end":           {door: staff, over: governs},
	"POST /admin/members/{id}/password-resets":        {door: staff, over: sends},
	"POST /admin/members/{id}/password-resets/cancel": {door: staff, over: governs},
	"POST /admin/members/{id}/password-resets/copied": {door: staff, over: governs, with: "reset={reset}"},
	"POST /admin/members/{id}/password-resets/code":   {door: staff, over: governs, with: "note=born+1+May+1970"},
	"POST /admin/members/{id}/two-factor/clear":       {door: staff, over: governs},
	"POST /admin/members/{id}/account/role":           {door: owner, over: ranks, with: "role={other}"},
	"POST /admin/staff/{id}/role":                     {door: owner, over: ranks, with: "role={other}"},
	"POST /admin/staff/{id}/remove":                   {door: owner, over: ranks},
	"POST /admin/letters/{id}/again":                  {door: staff, over: sends},
	"POST /admin/letters/{id}/stop":                   {door: staff, over: governs},
}

// othersTried are the routes of members that name a thing by its number, and the
// tests in which it is tried with other people's numbers.
var othersTried = map[string]string{
	"POST /account/sessions/{id}/end":              "TestNobodyEndsAnotherMembersSession",
	"GET /account/two-factor/passkey/{id}/name":    "TestNobodyRemovesAnotherMembersPasskey",
	"POST /account/two-factor/passkey/{id}/name":   "TestNobodyRemovesAnotherMembersPasskey",
	"GET /account/two-factor/passkey/{id}/remove":  "TestNobodyRemovesAnotherMembersPasskey",
	"POST /account/two-factor/passkey/{id}/remove": "TestNobodyRemovesAnotherMembersPasskey",
}

func TestEveryRouteHasItsPower(t *testing.T) {
	for _, complaint := range forgotten(newSite(t).portal.table()) {
		t.Error(complaint)
	}
}

// forgotten says of which routes nobody said who may use them.
func forgotten(table []route) (complaints []string) {
	seen := map[string]bool{}
	for _, rt := range table {
		name := rt.method + " " + rt.path
		seen[name] = true
		p, ok := powers[name]
		if !ok {
			complaints = append(complaints, name+" is not among the powers: say there who may use it")
		}
		if ok && p.door != rt.door {
			complaints = append(complaints, name+" stands behind another door than it should")
		}
		if p.over == nil && (strings.Contains(rt.path, "/members/{id}") || strings.Contains(rt.path, "/staff/{id}")) {
			complaints = append(complaints, name+" is about an account: say over whom")
		}
		if rt.door == open && rt.method == http.MethodPost && rt.path != "/bounces" {
			complaints = append(complaints, name+" is open to other sites")
		}
		if rt.door == signedIn && strings.Contains(rt.path, "{id}") && othersTried[name] == "" {
			complaints = append(complaints, name+" names a thing by its number: test that nobody reaches another's by it, and say so in othersTried")
		}
	}
	for name := range powers {
		if !seen[name] {
			complaints = append(complaints, name+" is no route")
		}
	}
	return complaints
}

// subject is somebody to whom things are done, with a link under way.
type subject struct {
	model.Actor
	letter int64
}

// cast are the people of the table: for each role somebody who acts, and a
// supply of others to whom it is done.
type cast struct {
	*site
	t        *testing.T
	n        int
	browsers map[model.Role]*browser
	actors   map[model.Role]model.Actor
	subjects map[model.Role]*subject
}

func newCast(t *testing.T) *cast {
	return &cast{site: newSite(t), t: t, browsers: map[model.Role]*browser{}, actors: map[model.Role]model.Actor{}, subjects: map[model.Role]*subject{}}
}

func (c *cast) acting(role model.Role) (*browser, model.Actor) {
	b := c.browsers[role]
	if b == nil || b.get("/account").status != http.StatusOK {
		c.n++
		b, c.actors[role] = c.signedIn(c.t, fmt.Sprintf("Actor%d %s", c.n, role), role)
		c.browsers[role] = b
	}
	return b, c.actors[role]
}

func (c *cast) subject(role model.Role) *subject {
	if c.subjects[role] == nil {
		c.n++
		c.subjects[role] = &subject{Actor: dbtest.Person(c.t, c.db, fmt.Sprintf("Subject%d %s", c.n, role), role)}
	}
	s := c.subjects[role]
	c.linked(s)
	return s
}

// linked gives somebody a link that lives and a letter that waits.
func (c *cast) linked(s *subject) {
	c.clock.Add(10 * time.Second) // a press is no second half of the last one
	dbtest.Deliver(c.t, c.db)
	must0(c.t, c.db.SendPasswordReset(c.t.Context(), model.ShellActor(), s.MemberID))
	page, err := c.db.Letters(c.t.Context(), model.ShellActor(), model.LetterQuery{AccountID: s.AccountID})
	if err != nil || len(page.Rows) == 0 {
		c.t.Fatal("no letter", err)
	}
	s.letter = page.Rows[0].ID
}

// state is all about somebody that an act could change.
func (c *cast) state(s *subject) string {
	c.t.Helper()
	m, a, err := c.db.Member(c.t.Context(), model.ShellActor(), s.MemberID)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := c.db.RecordWithoutLink(c.t.Context(), model.ShellActor(), s.MemberID)
	if err != nil {
		c.t.Fatal(err)
	}
	lines, err := c.db.Activity(c.t.Context(), model.ShellActor(), s.MemberID, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	newest := int64(0)
	if len(lines.Lines) > 0 {
		newest = lines.Lines[0].ID
	}
	return fmt.Sprintf("%+v %+v %+v %d", m, a, r.Latest, newest)
}

func (c *cast) fields(with string, s *subject) string {
	m, a, err := c.db.Member(c.t.Context(), model.ShellActor(), s.MemberID)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := c.db.RecordWithoutLink(c.t.Context(), model.ShellActor(), s.MemberID)
	if err != nil || r.Latest == nil {
		c.t.Fatal("no link", err)
	}
	other := model.RoleViewer
	if a.GuardRole() == other {
		other = model.RoleStaff
	}
	var member []string
	for name, value := range views.MemberValues(m) {
		if name != "city" {
			member = append(member, name+"="+strings.ReplaceAll(value, " ", "+"))
		}
	}
	c.n++
	return strings.NewReplacer("{version}", strconv.FormatInt(m.Version, 10), "{reset}", strconv.FormatInt(r.Latest.ID, 10),
		"{n}", strconv.Itoa(c.n), "{other}", string(other), "{member}", strings.Join(member, "&")).Replace(with)
}

// TestThePowersOfEachRoleOverEach does every act that is about an account, as
// each role and to each, and to oneself: what is not allowed is answered 403 or
// 404 and changes nothing.
func TestThePowersOfEachRoleOverEach(t *testing.T) {
	c := newCast(t)
	tried := 0
	for _, rt := range c.portal.table() {
		name := rt.method + " " + rt.path
		p := powers[name]
		if p.over == nil {
			continue
		}
		for _, actorRole := range model.Roles {
			for _, targetRole := range append(model.Roles, "own") {
				b, actor := c.acting(actorRole)
				own := targetRole == "own"
				var s *subject
				if own {
					s, targetRole = &subject{Actor: actor}, actorRole
					c.linked(s)
				} else {
					s = c.subject(targetRole)
				}
				if strings.HasSuffix(rt.path, "/enable") {
					// Nobody who is disabled can ask for it; so it is asked for others.
					if own {
						continue
					}
					must0(t, c.db.Disable(t.Context(), model.ShellActor(), s.MemberID))
				}
				if strings.HasSuffix(rt.path, "/two-factor/clear") && !own && !dbtest.Account(t, c.db, s.MemberID).HasFactor() {
					dbtest.App(t, c.db, c.clock, s.Actor, dbtest.Password)
				}
				tried++
				id := s.MemberID
				if strings.Contains(rt.path, "/letters/") {
					id = s.letter
				}
				form, before := c.fields(p.with, s), c.state(s)
				a := b.send(b.request(rt.method, rt.address(id), form))
				refused := a.status == http.StatusForbidden || a.status == http.StatusNotFound
				may := p.over(actorRole, targetRole, own)
				if may == refused || a.status >= http.StatusInternalServerError {
					t.Errorf("%s, %s to %s (own: %v): %d %s", name, actorRole, targetRole, own, a.status, a.text("[role=alert]"))
				}
				after := c.state(s)
				if !may && after != before {
					t.Errorf("%s, %s to %s (own: %v) was refused and changed\n%s\nto\n%s", name, actorRole, targetRole, own, before, after)
				}
				// Allowed and without an effect would be a test of nothing. Create
				// User finds an account here; what is read leaves no trace.
				nothing := strings.HasSuffix(rt.path, "/remove") && targetRole == model.RoleMember
				if may && !nothing && rt.method == http.MethodPost && after == before && !strings.HasSuffix(rt.path, "/account") && !strings.HasSuffix(rt.path, "/copied") {
					t.Errorf("%s, %s to %s (own: %v) did nothing: %d %s", name, actorRole, targetRole, own, a.status, a.text("[role=alert]"))
				}
				if strings.HasSuffix(rt.path, "/settings") && actorRole.InOffice() {
					if shown := strings.Contains(a.body, "data-reset-link"); shown != governs(actorRole, targetRole, own) {
						t.Errorf("%s sees the link of %s (own: %v): %v", actorRole, targetRole, own, shown)
					}
				}
				if after != before && !own || strings.HasSuffix(rt.path, "/enable") {
					delete(c.subjects, targetRole)
				}
			}
		}
	}
	if tried < 300 {
		t.Errorf("only %d tries", tried)
	}
}

// Two owners who step down at once must not leave the portal to nobody.
func TestTheLastOwnerStays(t *testing.T) {
	s := newSite(t)
	first := dbtest.Owner(t, s.db)
	only := s.owner(t)
	page := only.get("/admin/staff").is(http.StatusOK).says("This is the last owner.")
	if page.doc.Find(`form[action^="/admin/staff/"]`).Length() != 0 {
		t.Error("there is a way to change the last owner's role")
	}
	only.post("/admin/staff/" + strconv.FormatInt(first.MemberID, 10) + "/remove").is(http.StatusConflict).says("This is the last owner.")
	only.post("/admin/staff/"+strconv.FormatInt(first.MemberID, 10)+"/role", "role", "staff").is(http.StatusConflict)

	second := dbtest.Person(t, s.db, "Olga Lind", model.RoleOwner)
	done := make(chan error, 2)
	for _, a := range []model.Actor{first, second} {
		go func() { done <- s.db.SetRole(t.Context(), a, a.MemberID, model.RoleMember) }()
	}
	var kinds []model.Kind
	for range 2 {
		if err := <-done; err != nil {
			kinds = append(kinds, model.KindOf(err))
		}
	}
	if len(kinds) != 1 || kinds[0] != model.KindConflict {
		t.Errorf("refused: %v", kinds)
	}
}

func TestOwnersManageTheStaffOnOnePage(t *testing.T) {
	s := newSite(t)
	o := s.owner(t)
	o.follow(o.submit(o.get("/admin/staff"), `form[action="/admin/staff"]`, "", "first_name", "Sara", "last_name", "Lund", "email", "sara@example.org", "role", "staff")).
		says("Sara Lund").says("Staff once they set a password through the letter.").says("Its link ends in 7 days")
	eva := dbtest.Person(t, s.db, "Eva Lind", model.RoleViewer)
	path := "/admin/staff/" + strconv.FormatInt(eva.MemberID, 10)

	o.follow(o.submit(o.get("/admin/staff"), `form[action="`+path+`/role"]`, "", "role", "staff").leads("/admin/staff")).
		says("The role waits until a new password is set")
	if a := dbtest.Account(t, s.db, eva.MemberID); a.Role != model.RoleViewer || a.PendingRole != model.RoleStaff {
		t.Errorf("%s, waiting for %s", a.Role, a.PendingRole)
	}
	dbtest.SetPassword(t, s.db, eva.MemberID, dbtest.Password)
	if a := dbtest.Account(t, s.db, eva.MemberID); a.Role != model.RoleStaff {
		t.Errorf("still %s", a.Role)
	}
	o.follow(o.post(path + "/remove").leads("/admin/staff")).says("They work in the office no more.").saysNothingOf("Eva Lind")
	if a := dbtest.Account(t, s.db, eva.MemberID); a.Role != model.RoleMember || !a.HasPassword {
		t.Errorf("%+v", a)
	}
	// What cannot be is said on the page it was pressed on.
	holm := dbtest.SignedUp(t, s.db, "Nina Holm", "holm@example.org")
	dbtest.SignedUp(t, s.db, "Paul Holm", "holm@example.org")
	o.post("/admin/staff/"+strconv.FormatInt(holm, 10)+"/role", "role", "staff").is(http.StatusUnprocessableEntity).says("Paul Holm uses the same email address.")
	o.post("/admin/staff/"+strconv.FormatInt(holm, 10)+"/role", "role", "emperor").is(http.StatusUnprocessableEntity)
}
