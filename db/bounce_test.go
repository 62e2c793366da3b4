package db_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// left is a portal with a bounce address, whose letters all left.
func left(t *testing.T) (d *db.DB, clock *dbtest.Clock, mia int64, letter model.LetterContents) {
	t.Helper()
	d, clock = dbtest.Open(t)
	dbtest.SetBounceAddress(t, d)
	mia = dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	all := dbtest.Deliver(t, d)
	return d, clock, mia, all[len(all)-1]
}

const unknownUser = "550 5.1.1 <mia@example.org>: User unknown"

func takeBounce(t *testing.T, d *db.DB, raw []byte) int64 {
	t.Helper()
	id, err := d.TakeBounce(t.Context(), raw)
	must(t, err)
	return id
}

// reports are the notes of the audit lines about reports, newest first.
func reports(t *testing.T, d *db.DB, member int64) string {
	t.Helper()
	a, err := d.Activity(t.Context(), model.ShellActor(), member, 0)
	must(t, err)
	var notes []string
	for _, line := range a.Lines {
		if line.Act == model.ActLetterReported {
			if line.LetterID == 0 || line.ActorKind != model.BySystem {
				t.Errorf("%+v", line)
			}
			notes = append(notes, line.Note)
		}
	}
	return strings.Join(notes, ", ")
}

func TestALetterThatCameBackIsShownAsBounced(t *testing.T) {
	d, clock, mia, l := left(t)
	if !strings.HasPrefix(l.ReturnPath, "bounces+") || l.From == l.ReturnPath {
		t.Fatalf("from %s, back to %s", l.From, l.ReturnPath)
	}
	clock.Add(3 * time.Hour)
	raw := dbtest.DeliveryReport(l.ReturnPath, "failed", "5.1.1", unknownUser)
	if got := takeBounce(t, d, raw); got != l.ID {
		t.Fatalf("taken for letter %d, not %d", got, l.ID)
	}
	r := record(t, d, dbtest.Owner(t, d), mia)
	got := r.Status.Letter
	if got.State != model.LetterBounced || got.Code != 550 || got.Reply != unknownUser || !got.SettledAt.Equal(clock.Now()) {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(r.Why.StepText, "check the address") {
		t.Errorf("the panel says %q", r.Why.StepText)
	}
	if got := reports(t, d, mia); got != "welcome bounced" {
		t.Errorf("audit lines: %q", got)
	}
	failing := func() int {
		page, err := d.Members(t.Context(), model.ShellActor(), model.MemberQuery{Filter: model.FilterFailing})
		must(t, err)
		return page.Total
	}
	if n := failing(); n != 1 {
		t.Errorf("%d members have failing mail", n)
	}

	// The same report once more, one that came late, and one of another server.
	clock.Add(time.Hour)
	for _, raw := range [][]byte{raw, dbtest.DeliveryReport(l.ReturnPath, "delayed", "4.4.1", "451 later"), dbtest.DeliveryReport(l.ReturnPath, "failed", "5.2.2", "552 5.2.2 full")} {
		takeBounce(t, d, raw)
	}
	if again := record(t, d, dbtest.Owner(t, d), mia).Status.Letter; *again != *got {
		t.Errorf("first %+v, then %+v", got, again)
	}
	if got := reports(t, d, mia); got != "welcome bounced" {
		t.Errorf("audit lines: %q", got)
	}

	// The next letter arrives, so nothing fails any more.
	sendReset(t, d, dbtest.Owner(t, d), mia)
	dbtest.Deliver(t, d)
	if n := failing(); n != 0 {
		t.Errorf("%d members still have failing mail", n)
	}
}

func TestADelayIsOnlyNoted(t *testing.T) {
	d, clock, mia, l := left(t)
	clock.Add(4 * time.Hour)
	takeBounce(t, d, dbtest.DeliveryReport(l.ReturnPath, "delayed", "4.2.2", "452 4.2.2 Mailbox full"))
	first := clock.Now()
	clock.Add(4 * time.Hour)
	takeBounce(t, d, dbtest.DeliveryReport(l.ReturnPath, "delayed", "4.4.1", "451 4.4.1 no answer"))
	takeBounce(t, d, dbtest.DeliveryReport(l.ReturnPath, "delivered", "2.0.0", "250 ok"))
	got := record(t, d, dbtest.Owner(t, d), mia).LastLetter
	if got.State != model.LetterAccepted || !got.DelayedAt.Equal(first) || got.Reply != "452 4.2.2 Mailbox full" || !got.SettledAt.Equal(dbtest.Start) {
		t.Errorf("%+v", got)
	}
	takeBounce(t, d, dbtest.DeliveryReport(l.ReturnPath, "failed", "4.4.7", "452 4.2.2 Mailbox full"))
	if got := record(t, d, dbtest.Owner(t, d), mia).LastLetter; got.State != model.LetterBounced {
		t.Errorf("%+v", got)
	}
	if got := reports(t, d, mia); got != "welcome bounced, welcome delayed" {
		t.Errorf("audit lines: %q", got)
	}
}

func TestForgedAndUnknownReportsChangeNothing(t *testing.T) {
	d, _, mia, l := left(t)
	bert := dbtest.MemberWithAccount(t, d, "Bert Koch", "bert@example.org")
	other := dbtest.Deliver(t, d)[0]
	tag := func(path string) string {
		_, tag, _ := strings.Cut(strings.TrimSuffix(path, "@riverside.example"), "-")
		return tag
	}
	number := func(path string) string { head, _, _ := strings.Cut(path, "-"); return head }
	for name, to := range map[string]string{
		"a tag made up":             number(l.ReturnPath) + "-" + strings.Repeat("a", 16) + "@riverside.example",
		"the tag of another letter": number(l.ReturnPath) + "-" + tag(other.ReturnPath) + "@riverside.example",
		"no such letter":            "bounces+99999-" + tag(l.ReturnPath) + "@riverside.example",
		"no letter at all":          "bounces@riverside.example",
	} {
		if got := takeBounce(t, d, dbtest.DeliveryReport(to, "failed", "5.1.1", unknownUser)); got != 0 {
			t.Errorf("%s: taken for letter %d", name, got)
		}
	}
	for _, raw := range []string{"", "hello", "To: " + l.ReturnPath + "\nAuto-Submitted: auto-replied\n\nI am away until Monday."} {
		if got := takeBounce(t, d, []byte(raw)); got != 0 {
			t.Errorf("%q is taken for letter %d", raw, got)
		}
	}
	for _, id := range []int64{mia, bert} {
		if got := record(t, d, dbtest.Owner(t, d), id).LastLetter; got.State != model.LetterAccepted || reports(t, d, id) != "" {
			t.Errorf("%+v", got)
		}
	}
	// A true one is found behind a forged one.
	to := "bounces+" + strings.Repeat("1", 5) + "-" + strings.Repeat("b", 16) + "@riverside.example, " + l.ReturnPath
	if got := takeBounce(t, d, dbtest.DeliveryReport(to, "failed", "5.1.1", unknownUser)); got != l.ID {
		t.Errorf("taken for letter %d", got)
	}
}

func TestAReportAboutSomethingDeleted(t *testing.T) {
	d, clock, mia, l := left(t)
	must(t, d.DeleteAccount(t.Context(), dbtest.Owner(t, d), mia))
	raw := dbtest.DeliveryReport(l.ReturnPath, "failed", "5.1.1", unknownUser)
	if got := takeBounce(t, d, raw); got != l.ID || reports(t, d, mia) != "" {
		t.Errorf("taken for letter %d, audit lines %q", got, reports(t, d, mia))
	}
	clock.Add(91 * 24 * time.Hour)
	must(t, d.Tidy(t.Context()))
	if got := takeBounce(t, d, raw); got != 0 {
		t.Errorf("taken for letter %d, which is tidied away", got)
	}
}

// A mail server in the next room may report before its answer is noted.
func TestAReportMayBeFasterThanTheAnswer(t *testing.T) {
	d, _ := dbtest.Open(t)
	dbtest.SetBounceAddress(t, d)
	id := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	l := claim(t, d)
	takeBounce(t, d, dbtest.DeliveryReport(l.ReturnPath, "failed", "5.1.1", unknownUser))
	must(t, d.SettleLetter(t.Context(), l.ID, model.Delivery{Accepted: true, Code: 250, Reply: "2.0.0 queued"}))
	if got := record(t, d, dbtest.Owner(t, d), id).LastLetter; got.State != model.LetterBounced || got.Reply != unknownUser {
		t.Errorf("%+v", got)
	}
	must(t, d.RecoverLetters(t.Context()))
	if again := claim(t, d); again != nil {
		t.Errorf("letter %d leaves again", again.ID)
	}
}

func TestAllWhoShareALetterHaveALineOfItsReport(t *testing.T) {
	d, clock := dbtest.Open(t)
	dbtest.SetBounceAddress(t, d)
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "family@example.org")
	tom := dbtest.Member(t, d, "Tom Brandt", "family@example.org")
	must(t, d.CreateUser(t.Context(), dbtest.Owner(t, d), tom, "family@example.org", true))
	dbtest.Deliver(t, d)
	clock.Add(17 * time.Hour)
	ask(t, d, "family@example.org")
	all := dbtest.Deliver(t, d)
	l := all[len(all)-1]
	if l.Kind != model.LetterResetSeveral {
		t.Fatalf("a letter of the kind %s", l.Kind)
	}
	takeBounce(t, d, dbtest.DeliveryReport(l.ReturnPath, "failed", "5.1.1", unknownUser))
	for _, id := range []int64{mia, tom} {
		if got := reports(t, d, id); got != "reset_several bounced" {
			t.Errorf("audit lines: %q", got)
		}
	}
}

func TestWithoutABounceAddressLettersLeaveAsBefore(t *testing.T) {
	d, _ := dbtest.Open(t)
	dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
	if l := claim(t, d); l.ReturnPath != "" {
		t.Errorf("back to %s", l.ReturnPath)
	}
}

func TestTheSecretForReports(t *testing.T) {
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	fits := func(given string) bool {
		t.Helper()
		ok, err := d.MayPostBounces(t.Context(), given)
		must(t, err)
		return ok
	}
	if has, err := d.HasBounceSecret(t.Context()); has || err != nil || fits("") {
		t.Error("there is a secret already", err)
	}
	if _, err := d.NewBounceSecret(t.Context(), dbtest.Person(t, d, "Sara Lund", model.RoleStaff)); model.KindOf(err) != model.KindForbidden {
		t.Errorf("staff made one: %v", err)
	}
	first, err := d.NewBounceSecret(t.Context(), dbtest.Owner(t, d))
	must(t, err)
	if has, err := d.HasBounceSecret(t.Context()); !has || err != nil || !fits(first.Reveal()) || fits(first.Reveal()+"a") || fits(strings.ToUpper(first.Reveal())) || fits("") {
		t.Error("the secret does not fit, or another one does", err)
	}
	if s, err := d.Settings(t.Context()); err != nil || s.Association == "" {
		t.Errorf("the settings cannot be read any more: %v", err)
	}
	raw, err := sql.Open("sqlite3", filepath.Join(folder, "latchkey.db"))
	must(t, err)
	defer raw.Close()
	var kept []byte
	must(t, raw.QueryRow(`SELECT sealed FROM setting WHERE name = 'bounce_secret'`).Scan(&kept))
	if strings.Contains(string(kept), first.Reveal()) {
		t.Error("the secret is in the database")
	}
	second, err := d.NewBounceSecret(t.Context(), dbtest.Owner(t, d))
	must(t, err)
	if fits(first.Reveal()) || !fits(second.Reveal()) || len(second.Reveal()) < 20 {
		t.Error("the former secret still fits, or the new one does not")
	}
}
