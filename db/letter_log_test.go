package db_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func letters(t *testing.T, d *db.DB, by model.Actor, q model.LetterQuery) model.LetterPage {
	t.Helper()
	page, err := d.Letters(t.Context(), by, q)
	must(t, err)
	return page
}

// listed is a page in short: kinds and addresses, newest first.
func listed(page model.LetterPage) string {
	var all []string
	for _, l := range page.Rows {
		all = append(all, fmt.Sprintf("%s to %s", l.Kind, l.To))
	}
	return strings.Join(all, ", ")
}

func letterOf(t *testing.T, d *db.DB, by model.Actor, id int64) model.LetterRecord {
	t.Helper()
	r, err := d.Letter(t.Context(), by, id)
	must(t, err)
	return r
}

// newest is the letter that was written last.
func newest(t *testing.T, d *db.DB) model.LetterRow {
	t.Helper()
	return letters(t, d, model.ShellActor(), model.LetterQuery{}).Rows[0]
}

// fail has the next letter refused for good.
func fail(t *testing.T, d *db.DB, reply string) int64 {
	t.Helper()
	l := claim(t, d)
	if l == nil {
		t.Fatal("no letter is due")
	}
	must(t, d.SettleLetter(t.Context(), l.ID, model.Delivery{Code: 550, Reply: reply}))
	return l.ID
}

func TestTheLogFindsLettersByPersonAddressAndState(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	viewer := dbtest.Person(t, d, "Vera Young", model.RoleViewer)
	dbtest.Deliver(t, d)
	clock.Add(model.LetterLogFor) // the next letter is the first of the log
	mia := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	clock.Add(time.Minute)
	dbtest.MemberWithAccount(t, d, "Łukasz Groß", "l.gross@example.net")
	fail(t, d, "5.1.1 unknown")
	clock.Add(time.Second)
	ask(t, d, "minka@example.org")
	_, err := d.WorkIntake(t.Context())
	must(t, err)
	clock.Add(time.Second)
	sendReset(t, d, owner, mia)

	const all = "reset to mia@example.org, no_account to minka@example.org, welcome to l.gross@example.net, welcome to mia@example.org"
	for _, c := range []struct {
		name string
		q    model.LetterQuery
		want string
	}{
		{"everything, newest first", model.LetterQuery{}, all},
		{"a filter that there is not", model.LetterQuery{Filter: "lost"}, all},
		{"a person", model.LetterQuery{Text: "brandt mi"}, "reset to mia@example.org, welcome to mia@example.org"},
		{"without accents", model.LetterQuery{Text: "LUKASZ gross"}, "welcome to l.gross@example.net"},
		{"the beginning of an address", model.LetterQuery{Text: "Mi"}, "reset to mia@example.org, no_account to minka@example.org, welcome to mia@example.org"},
		{"an address", model.LetterQuery{Text: " MINKA@example"}, "no_account to minka@example.org"},
		{"a domain", model.LetterQuery{Text: "@Example.NET"}, "welcome to l.gross@example.net"},
		{"the beginning of a domain", model.LetterQuery{Text: "@exam"}, all},
		{"a domain without its @", model.LetterQuery{Text: "example.net"}, "welcome to l.gross@example.net"},
		{"the end of a domain", model.LetterQuery{Text: "@net"}, ""},
		{"where a domain begins", model.LetterQuery{Text: "@"}, all},
		{"nobody's", model.LetterQuery{Text: "zzz"}, ""},
		{"signs alone", model.LetterQuery{Text: `"%_'`}, ""},
		{"waiting", model.LetterQuery{Filter: model.LettersWaiting}, "reset to mia@example.org, no_account to minka@example.org"},
		{"accepted", model.LetterQuery{Filter: model.LettersAccepted}, "welcome to mia@example.org"},
		{"failed", model.LetterQuery{Filter: model.LettersFailed}, "welcome to l.gross@example.net"},
		{"captured", model.LetterQuery{Filter: model.LettersCaptured}, ""},
		{"a person's, waiting", model.LetterQuery{Text: "mia", Filter: model.LettersWaiting}, "reset to mia@example.org"},
		{"an account's", model.LetterQuery{AccountID: dbtest.Account(t, d, mia).ID}, "reset to mia@example.org, welcome to mia@example.org"},
		{"an account's, accepted", model.LetterQuery{AccountID: dbtest.Account(t, d, mia).ID, Filter: model.LettersAccepted}, "welcome to mia@example.org"},
	} {
		page := letters(t, d, viewer, c.q)
		if got := listed(page); got != c.want {
			t.Errorf("%s: %s; want %s", c.name, got, c.want)
		}
		if n := page.Totals; n[model.LettersAll] != 4 || n[model.LettersWaiting] != 2 || n[model.LettersAccepted] != 1 || n[model.LettersFailed] != 1 {
			t.Errorf("%s: totals %v", c.name, n)
		}
	}
	page := letters(t, d, viewer, model.LetterQuery{AccountID: dbtest.Account(t, d, mia).ID})
	if page.About == nil || page.About.Name != "Mia Brandt" || page.Rows[0].People[0].MemberID != mia {
		t.Errorf("whose letters? %+v", page.About)
	}
	if _, err := d.Letters(t.Context(), model.MemberActor(""), model.LetterQuery{}); model.KindOf(err) != model.KindForbidden {
		t.Errorf("a member may look: %v", err)
	}
	clock.Add(model.LetterLogFor - time.Minute - 3*time.Second) // 90 days, less a second
	must(t, d.Tidy(t.Context()))
	page = letters(t, d, viewer, model.LetterQuery{})
	if len(page.Rows) != 4 {
		t.Fatalf("a second before 90 days: %s", listed(page))
	}
	oldest := page.Rows[3].ID
	clock.Add(time.Second)
	if page := letters(t, d, viewer, model.LetterQuery{}); len(page.Rows) != 3 || page.Totals[model.LettersAll] != 3 {
		t.Errorf("after 90 days: %s", listed(page))
	}
	if _, err := d.Letter(t.Context(), viewer, oldest); err != nil {
		t.Errorf("not tidied yet: %v", err)
	}
	must(t, d.Tidy(t.Context()))
	if _, err := d.Letter(t.Context(), viewer, oldest); model.KindOf(err) != model.KindNotFound || err == nil {
		t.Errorf("tidied: %v", err)
	}
}

// The totals are kept while nothing is written: no act, no other process and no
// passing of time may leave them behind.
func TestTheTotalsOfTheLogAreThoseOfNow(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	owner := dbtest.Owner(t, d)
	dbtest.Deliver(t, d)
	clock.Add(model.LetterLogFor)
	mia := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	totals := func(when string, waiting, accepted, withdrawn int) {
		t.Helper()
		for range 2 { // counted, and known
			n := letters(t, d, owner, model.LetterQuery{}).Totals
			if n[model.LettersAll] != waiting+accepted+withdrawn || n[model.LettersWaiting] != waiting || n[model.LettersAccepted] != accepted || n[model.LettersWithdrawn] != withdrawn {
				t.Errorf("%s: %v", when, n)
			}
			n[model.LettersAll] = 1000 // whoever gets them may do so
		}
	}
	totals("one waits", 1, 0, 0)
	dbtest.Deliver(t, d)
	totals("it was accepted", 0, 1, 0)
	clock.Add(time.Minute)
	sendReset(t, d, owner, mia)
	totals("another one waits", 1, 1, 0)
	must(t, d.StopLetter(t.Context(), owner, letters(t, d, owner, model.LetterQuery{}).Rows[0].ID))
	totals("it was stopped", 0, 1, 1)

	other, otherClock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	otherClock.Set(clock.Now().Add(time.Minute))
	sendReset(t, other, owner, mia)
	late := time.After(20 * time.Second)
	for letters(t, d, owner, model.LetterQuery{}).Totals[model.LettersWaiting] != 1 { // it is looked for now and then
		select {
		case <-late:
			t.Fatal("the letter of another process is not counted")
		default:
		}
	}
	clock.Add(model.LetterLogFor - 30*time.Second)
	totals("the first is too old", 1, 0, 1)
}

// Every order of the log, page by page: whatever a query finds stands there
// once, and the way back leads over the same pages.
func TestTheLogIsReadPageByPage(t *testing.T) {
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	var roll []model.Member
	for i := range 2100 { // more than are looked up one by one
		roll = append(roll, model.Member{FirstName: "Jo", LastName: fmt.Sprintf("Schmidt %d", i), Email: fmt.Sprintf("box%d@example.org", i)})
	}
	_, err := d.AddMembers(t.Context(), model.ShellActor(), roll)
	must(t, err)
	write := writer(t, folder)
	write(`INSERT INTO account (member_id, email, email_key, role, salt, created_at)
		SELECT id, email, email, 'member', x'00', 1 FROM member WHERE last_name LIKE 'Schmidt%' AND id % 3 = 0`)
	states := []string{"waiting", "retrying", "sending", "accepted", "failed", "withdrawn", "captured"}
	for i, state := range states {
		write(fmt.Sprintf(`
			INSERT INTO letter (kind, to_email, to_key, message_id, priority, state, asked_kind, created_at, due_at)
			SELECT 'welcome', email, email_key, 'id' || id, 0, '%s', 'person', %d, 0 FROM account
			WHERE role = 'member' AND email LIKE 'box%%' AND id %% %d = %d`, state, dbtest.Start.Unix(), len(states), i))
	}
	write(`INSERT INTO letter_subject (letter_id, account_id) SELECT l.id, a.id FROM letter l JOIN account a ON a.email_key = l.to_key WHERE l.kind = 'welcome'`)
	for _, q := range []model.LetterQuery{
		{}, {Filter: model.LettersWaiting}, {Filter: model.LettersFailed}, {Text: "schmidt"}, {Text: "schmidt", Filter: model.LettersWaiting},
		{Text: "box"}, {Text: "jo", Filter: model.LettersAccepted}, {Text: "box1"},
	} {
		var forth, back []int64
		page, older := letters(t, d, model.ShellActor(), q), int64(0)
		if page.Newer != 0 {
			t.Errorf("%+v: something is newer than the newest", q)
		}
		for {
			for _, l := range page.Rows {
				forth = append(forth, l.ID)
				if !slices.Contains(q.Filter.States(), l.State) {
					t.Errorf("%+v: letter %d is %s", q, l.ID, l.State)
				}
			}
			if page.Older == 0 {
				break
			}
			older = page.Older
			on := q
			on.Before = older
			page = letters(t, d, model.ShellActor(), on)
		}
		if len(forth) < 60 || !slices.IsSortedFunc(forth, func(a, b int64) int { return int(b - a) }) || len(slices.Compact(slices.Clone(forth))) != len(forth) {
			t.Errorf("%+v: %d letters, in order and once each?", q, len(forth))
		}
		back = append(back, idsOf(page)...)
		for page.Newer != 0 {
			on := q
			on.After = page.Newer
			page = letters(t, d, model.ShellActor(), on)
			back = append(idsOf(page), back...)
		}
		if !slices.Equal(forth, back) {
			t.Errorf("%+v: %d letters there, %d back", q, len(forth), len(back))
		}
	}
}

func idsOf(page model.LetterPage) (ids []int64) {
	for _, l := range page.Rows {
		ids = append(ids, l.ID)
	}
	return ids
}

// writer writes rows that no act would, into a portal's database.
func writer(t *testing.T, folder string) func(query string) {
	t.Helper()
	raw, err := sql.Open("sqlite3", filepath.Join(folder, "latchkey.db"))
	must(t, err)
	t.Cleanup(func() { must(t, raw.Close()) })
	return func(query string) {
		t.Helper()
		_, err := raw.Exec(query)
		must(t, err)
	}
}

func TestALettersPageTellsEverythingButTheLink(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	mia := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	first := claim(t, d)
	must(t, d.SettleLetter(t.Context(), first.ID, model.Delivery{Code: 451, Reply: "4.7.1 Greylisted"}))
	clock.Add(5 * time.Second)
	claim(t, d)
	must(t, d.SettleLetter(t.Context(), first.ID, model.Delivery{Accepted: true, Code: 250, Reply: "2.0.0 OK"}))

	for _, by := range []model.Actor{owner, model.ShellActor(), dbtest.Person(t, d, "Vera Young", model.RoleViewer)} {
		r := letterOf(t, d, by, first.ID)
		if r.AskedBy != owner.Name || len(r.People) != 1 || r.People[0].MemberID != mia || r.Contents.Name != "Mia Brandt" {
			t.Errorf("%+v", r)
		}
		if len(r.Contents.Links) != 1 || !r.Contents.Links[0].URL.IsZero() || !r.Contents.Links[0].Expires.Equal(dbtest.Start.Add(7*24*time.Hour)) {
			t.Errorf("links %+v", r.Contents.Links)
		}
		if len(r.Attempts) != 2 || r.Attempts[0].Code != 451 || r.Attempts[1].Reply != "2.0.0 OK" || !r.Attempts[1].StartedAt.Equal(dbtest.Start.Add(5*time.Second)) {
			t.Errorf("attempts %+v", r.Attempts)
		}
	}
	if r := letterOf(t, d, dbtest.Actor(t, d, "vera.young@riverside.example"), first.ID); r.NotAgain == "" || r.NotStopped == "" {
		t.Error("a viewer may act")
	}
	must(t, d.DeleteAccount(t.Context(), owner, mia))
	if r := letterOf(t, d, owner, first.ID); len(r.Contents.Links) != 1 || len(r.People) != 0 || !strings.Contains(r.NotAgain, "deleted") {
		t.Errorf("after the account is deleted: %+v", r)
	}
	if _, err := d.Letter(t.Context(), owner, 9999); model.KindOf(err) != model.KindNotFound {
		t.Error(err)
	}
	if _, err := d.Letter(t.Context(), model.MemberActor(""), first.ID); model.KindOf(err) != model.KindForbidden {
		t.Error(err)
	}
}

func TestALinkLetterIsSentAgainAsByThePress(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	mia := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	id := fail(t, d, "5.2.2 full")
	link := dbtest.Token(t, d, mia)
	clock.Add(time.Minute)

	again, err := d.RepeatLetter(t.Context(), owner, id)
	must(t, err)
	twice, err := d.RepeatLetter(t.Context(), owner, id)
	must(t, err)
	if again == id || twice != again {
		t.Errorf("letters %d, %d and %d: want one new one", id, again, twice)
	}
	sent := dbtest.Deliver(t, d)
	if dbtest.Kinds(sent) != "welcome to mia@example.org" || sent[0].Links[0].URL.Reveal() != "http://localhost:8080/reset/"+link.Reveal() {
		t.Errorf("inside the window: %s, another link?", dbtest.Kinds(sent))
	}
	if s := record(t, d, owner, mia).Status; s.Text() != "Reset password email sent." {
		t.Errorf("the status message says %q", s.Text())
	}

	dbtest.SetPassword(t, d, mia, dbtest.Password)
	must(t, d.ChangeEmail(t.Context(), owner, mia, "new@example.org", false))
	dbtest.Deliver(t, d)
	clock.Add(17 * time.Hour)
	if r := letterOf(t, d, owner, id); r.AgainTo != "new@example.org" {
		t.Errorf("it would go to %s", r.AgainTo)
	}
	again, err = d.RepeatLetter(t.Context(), owner, id)
	must(t, err)
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "reset to new@example.org" || newest(t, d).ID != again {
		t.Errorf("after the window: %s", got)
	}
	must(t, d.Disable(t.Context(), owner, mia))
	if _, err := d.RepeatLetter(t.Context(), owner, id); model.KindOf(err) != model.KindConflict || !strings.Contains(err.Error(), "disabled") {
		t.Errorf("disabled: %v", err)
	}
}

func TestALetterToSeveralIsSentAgainToThoseWhoStillShare(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "home@example.org")
	otto, kim := dbtest.Member(t, d, "Otto Brandt", ""), dbtest.Member(t, d, "Kim Brandt", "")
	for _, id := range []int64{otto, kim} {
		must(t, d.CreateUser(t.Context(), owner, id, "home@example.org", true))
	}
	dbtest.Deliver(t, d)
	clock.Add(time.Hour)
	ask(t, d, "home@example.org")
	_, err := d.WorkIntake(t.Context())
	must(t, err)
	id := fail(t, d, "5.7.1 spam")
	if l := newest(t, d); l.Kind != model.LetterResetSeveral || len(l.People) != 3 {
		t.Fatalf("%+v", l)
	}
	must(t, d.ChangeEmail(t.Context(), owner, kim, "kim@example.org", false))
	dbtest.Deliver(t, d)
	clock.Add(time.Minute)
	again, err := d.RepeatLetter(t.Context(), owner, id)
	must(t, err)
	sent := dbtest.Deliver(t, d)
	if dbtest.Kinds(sent) != "reset_several to home@example.org" || len(sent[0].Links) != 2 || sent[0].ID != again {
		t.Errorf("%s with %d links", dbtest.Kinds(sent), len(sent[0].Links))
	}
	must(t, d.ChangeEmail(t.Context(), owner, otto, "otto@example.org", false))
	must(t, d.ChangeEmail(t.Context(), owner, mia, "mia@example.org", false))
	dbtest.Deliver(t, d)
	if _, err := d.RepeatLetter(t.Context(), owner, id); model.KindOf(err) != model.KindConflict {
		t.Errorf("to an address that nobody has any more: %v", err)
	}
}

func TestNewsThatNeverArrivedIsCopiedOnce(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	staff := dbtest.Person(t, d, "Sam Stone", model.RoleStaff)
	dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	sent := dbtest.Deliver(t, d)
	arrived := sent[len(sent)-1]
	if _, err := d.RepeatLetter(t.Context(), staff, arrived.ID); model.KindOf(err) != model.KindConflict {
		t.Errorf("an accepted one: %v", err)
	}
	otto := dbtest.SignedUp(t, d, "Otto Brandt", "otto@example.org")
	id := fail(t, d, "5.2.2 full")
	was := letterOf(t, d, staff, id)
	if was.Contents.Kind != model.LetterPasswordChanged || was.NotAgain != "" {
		t.Fatalf("%s: %s", was.Contents.Kind, was.NotAgain)
	}
	clock.Add(model.DoubleClick)
	again, err := d.RepeatLetter(t.Context(), staff, id)
	must(t, err)
	clock.Add(model.DoubleClick - time.Second)
	twice, err := d.RepeatLetter(t.Context(), staff, id)
	must(t, err)
	clock.Add(time.Second)
	_, third := d.RepeatLetter(t.Context(), staff, id)
	if twice != again || model.KindOf(third) != model.KindConflict {
		t.Errorf("%d, %d, %v", again, twice, third)
	}
	r := letterOf(t, d, staff, again)
	if r.CopyOf != id || !r.Contents.ChangedAt.Equal(was.Contents.ChangedAt) || r.Contents.MessageID == was.Contents.MessageID || r.Contents.AskedKind != was.Contents.AskedKind {
		t.Errorf("%+v", r.Contents)
	}
	if got := letterOf(t, d, staff, id); got.Copy != again || got.NotAgain == "" {
		t.Errorf("the first: %+v", got)
	}
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "password_changed to otto@example.org" {
		t.Error(got)
	}
	a, err := d.Activity(t.Context(), owner, otto, 0)
	must(t, err)
	if !slices.ContainsFunc(a.Lines, func(l model.AuditLine) bool {
		return l.Act == model.ActLetterRepeated && l.ActorName == "Sam Stone" && l.LetterID == again
	}) {
		t.Error("nobody is told who sent it again")
	}
}

// Whoever may not send somebody a link may not do so by way of the log.
func TestSendingAgainObeysTheRoles(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	staff, equal := dbtest.Person(t, d, "Sam Stone", model.RoleStaff), dbtest.Person(t, d, "Tilo Tanner", model.RoleStaff)
	viewer := dbtest.Person(t, d, "Vera Young", model.RoleViewer)
	dbtest.Deliver(t, d)
	sendReset(t, d, owner, equal.MemberID)
	id := fail(t, d, "5.2.2 full")
	if _, err := d.RepeatLetter(t.Context(), viewer, id); model.KindOf(err) != model.KindForbidden {
		t.Errorf("a viewer: %v", err)
	}
	if _, err := d.RepeatLetter(t.Context(), staff, id); err != nil {
		t.Errorf("an equal: %v", err)
	}
	sendReset(t, d, model.ShellActor(), owner.MemberID)
	dbtest.Deliver(t, d)
	if l := newest(t, d); l.To != dbtest.OwnerEmail {
		t.Fatal(l.To)
	} else if _, err := d.RepeatLetter(t.Context(), staff, l.ID); model.KindOf(err) != model.KindForbidden {
		t.Errorf("to an owner: %v", err)
	}
	ask(t, d, "stranger@example.org")
	_, err := d.WorkIntake(t.Context())
	must(t, err)
	if _, err := d.RepeatLetter(t.Context(), owner, fail(t, d, "5.1.1 unknown")); model.KindOf(err) != model.KindConflict {
		t.Errorf("to a stranger: %v", err)
	}
}

func TestALetterThatWaitsIsStoppedByHand(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	staff, equal := dbtest.Person(t, d, "Sam Stone", model.RoleStaff), dbtest.Person(t, d, "Tilo Tanner", model.RoleStaff)
	dbtest.Deliver(t, d)
	mia := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	id := newest(t, d).ID
	must(t, d.StopLetter(t.Context(), staff, id))
	if claim(t, d) != nil {
		t.Error("it left all the same")
	}
	r := letterOf(t, d, owner, id)
	if r.Contents.State != model.LetterWithdrawn || !r.Contents.Stopped || r.StoppedBy != "Sam Stone" || r.NotStopped == "" || r.NotAgain != "" {
		t.Errorf("%+v", r)
	}
	if s := record(t, d, owner, mia).Status; s == nil || s.Link.IsZero() || !s.Letter.Stopped {
		t.Error("its link ended with it")
	}
	a, err := d.Activity(t.Context(), owner, mia, 0)
	must(t, err)
	if l := a.Lines[0]; l.Act != model.ActResetShown && l.Act != model.ActLetterStopped || !slices.ContainsFunc(a.Lines, func(l model.AuditLine) bool {
		return l.Act == model.ActLetterStopped && l.ActorName == "Sam Stone" && l.LetterID == id && l.Note == "welcome"
	}) {
		t.Errorf("no line says who stopped it: %+v", a.Lines)
	}
	if err := d.StopLetter(t.Context(), staff, id); model.KindOf(err) != model.KindConflict {
		t.Errorf("a second time: %v", err)
	}

	// Not an equal's, not while it leaves, and never a warning.
	sendReset(t, d, owner, equal.MemberID)
	id = newest(t, d).ID
	if err := d.StopLetter(t.Context(), staff, id); model.KindOf(err) != model.KindForbidden {
		t.Errorf("an equal's: %v", err)
	}
	claim(t, d)
	if err := d.StopLetter(t.Context(), owner, id); model.KindOf(err) != model.KindConflict {
		t.Errorf("on the wire: %v", err)
	}
	dbtest.SetPassword(t, d, mia, dbtest.Password)
	if l := newest(t, d); l.Kind != model.LetterPasswordChanged {
		t.Fatal(l.Kind)
	} else if err := d.StopLetter(t.Context(), owner, l.ID); model.KindOf(err) != model.KindForbidden {
		t.Errorf("a warning: %v", err)
	}
	ask(t, d, "stranger@example.org")
	_, err = d.WorkIntake(t.Context())
	must(t, err)
	must(t, d.StopLetter(t.Context(), staff, newest(t, d).ID))
}

func TestNoMoreLettersLeaveInAMinuteThanTheOwnerAllows(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	owner := dbtest.Owner(t, d)
	s, err := d.Settings(t.Context())
	must(t, err)
	s.LettersPerMinute = 4
	must(t, d.ChangeSettings(t.Context(), owner, s))
	// As invitations, or letters to strangers, would stand there.
	write := writer(t, folder)
	for i := range 20 {
		write(fmt.Sprintf(`INSERT INTO letter (kind, to_email, to_key, message_id, priority, state, asked_kind, created_at, due_at)
			VALUES ('no_account', 'x@example.org', 'x@example.org', 'id%d', 9, 'waiting', 'member', %d, %d)`, i, dbtest.Start.Unix(), dbtest.Start.Unix()))
	}
	next := func() time.Duration {
		t.Helper()
		due, err := d.NextLetter(t.Context())
		must(t, err)
		return due.Sub(clock.Now())
	}
	leave := func(want int, what string) {
		t.Helper()
		if got := len(dbtest.Deliver(t, d)); got != want {
			t.Errorf("%s: %d letters left, want %d", what, got, want)
		}
	}
	leave(3, "at once, a quarter being kept")
	if got := next(); got != time.Minute {
		t.Errorf("the next after %s", got)
	}
	clock.Add(20 * time.Second)
	dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	if got := next(); got > 0 {
		t.Errorf("somebody waits for a link, and it leaves after %s", got)
	}
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "welcome to mia@example.org" {
		t.Errorf("before the others: %q", got)
	}
	dbtest.MemberWithAccount(t, d, "Otto Brandt", "otto@example.org")
	leave(0, "the fifth of a minute")
	if got := next(); got != 40*time.Second {
		t.Errorf("the fifth after %s", got)
	}
	clock.Add(40*time.Second - time.Second)
	leave(0, "a second early")
	clock.Add(time.Second)
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); !strings.HasPrefix(got, "welcome to otto@example.org") {
		t.Errorf("first after the minute: %q", got)
	}

	later, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	later.SetClock(clock.Now)
	must(t, later.RecoverLetters(t.Context()))
	if claim(t, later) != nil {
		t.Error("a restart makes it faster")
	}
	s.LettersPerMinute = 0
	must(t, d.ChangeSettings(t.Context(), owner, s))
	if n := len(dbtest.Deliver(t, d)); n < 10 {
		t.Errorf("without a limit %d leave", n)
	}
}
