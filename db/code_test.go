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

var codeTemplate = model.Template{
	Subject: "Your code", Text: "{{name}}, type it at {{base_url}}/reset/code:\n{{code}}\nuntil {{code_expires}}", HTML: "<p>{{code}}</p>",
}

const (
	home  = "192.0.2.0/24"
	hotel = "198.51.100.0/24"
)

// coded is a portal whose password letters carry a code, and a member.
func coded(t *testing.T) (d *db.DB, clock *dbtest.Clock, owner model.Actor, mia int64) {
	t.Helper()
	d, clock = dbtest.Open(t)
	owner = dbtest.Owner(t, d)
	must(t, d.ChangeTemplate(t.Context(), owner, model.LetterReset, 0, codeTemplate))
	mia = dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	return d, clock, owner, mia
}

// letterWithCode is the code of the one letter that leaves now.
func letterWithCode(t *testing.T, d *db.DB) model.Secret {
	t.Helper()
	all := dbtest.Deliver(t, d)
	if len(all) != 1 || len(all[0].Links) != 1 || all[0].Links[0].Code.IsZero() {
		t.Fatalf("letters: %s", dbtest.Kinds(all))
	}
	return all[0].Links[0].Code
}

func enter(t *testing.T, d *db.DB, login string, code model.Secret, network string) error {
	t.Helper()
	token, err := d.EnterCode(t.Context(), model.CodeTry{Login: login, Code: code, Network: network})
	if err == nil && state(t, d, token) != model.ResetLive {
		t.Error("the code leads to a link that is not live")
	}
	return err
}

// works fails unless a code finishes the reset, or does not.
func works(t *testing.T, d *db.DB, code model.Secret, network string, want bool) {
	t.Helper()
	err := enter(t, d, "mia@example.org", code, network)
	if want && err != nil || !want && model.KindOf(err) != model.KindSignIn {
		t.Helper()
		t.Errorf("the code works: %v, want %v", err, want)
	}
}

// wrongCode is one that fits nothing but by a chance of one in 656 billion.
var wrongCode = model.NewSecret("ZZZZ-ZZZZ")

// guess tries wrong codes, far enough apart that nobody has to wait.
func guess(t *testing.T, d *db.DB, clock *dbtest.Clock, network string, times int) {
	t.Helper()
	for range times {
		works(t, d, wrongCode, network, false)
		clock.Add(time.Second)
	}
}

func TestACodeFromALetterLeadsToThePasswordForm(t *testing.T) {
	d, _, owner, mia := coded(t)
	sendReset(t, d, owner, mia)
	code := letterWithCode(t, d)
	typed := strings.ToLower(strings.Replace(code.Reveal(), "-", " ", 1))
	token, err := d.EnterCode(t.Context(), model.CodeTry{Login: " MIA@example.org ", Code: model.NewSecret(typed), Network: home})
	must(t, err)
	if token.Reveal() != dbtest.Token(t, d, mia).Reveal() {
		t.Fatal("it leads to another link")
	}
	if r := record(t, d, owner, mia); r.Latest.OpenedAt.IsZero() {
		t.Error("the life-line does not move")
	}
	dbtest.SetPassword(t, d, mia, "another harbour without lamps")
	works(t, d, code, home, false) // used
}

func TestARightCodeFillsNoLog(t *testing.T) {
	d, clock, owner, mia := coded(t)
	sendReset(t, d, owner, mia)
	code := letterWithCode(t, d)
	entered := func(want int) {
		t.Helper()
		works(t, d, code, home, true)
		page, err := d.Activity(t.Context(), owner, mia, 0)
		must(t, err)
		got := 0
		for _, l := range page.Lines {
			if l.Act == model.ActCodeEntered {
				got++
			}
		}
		if got != want {
			t.Errorf("%d lines, want %d", got, want)
		}
	}
	entered(1)
	entered(1)
	clock.Add(time.Minute - time.Second)
	entered(1)
	clock.Add(time.Second)
	entered(2)
}

func TestWithoutACodeInTheLetterThereIsNone(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	id := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	sendReset(t, d, owner, id)
	r := record(t, d, owner, id).Latest
	for no := range int64(3) {
		r.CodeNo = no
		code, err := d.Keys().ResetCode(*r)
		must(t, err)
		works(t, d, code, home, false)
	}
}

func TestALetterCodeWorksForADay(t *testing.T) {
	for after, want := range map[time.Duration]bool{24*time.Hour - time.Second: true, 24 * time.Hour: false} {
		d, clock, owner, mia := coded(t)
		sendReset(t, d, owner, mia)
		code := letterWithCode(t, d)
		clock.Add(after)
		works(t, d, code, home, want)
		if got := state(t, d, dbtest.Token(t, d, mia)); got != model.ResetLive {
			t.Errorf("the link is %s", got)
		}
	}
}

// The code may be sent again only with its link, so for one to outlive a day the
// window has to.
func TestTheNextLetterCarriesTheCodeWhileItWorks(t *testing.T) {
	d, clock, owner, mia := coded(t)
	s, err := d.Settings(t.Context())
	must(t, err)
	s.Resets.ResendWindow = 48 * time.Hour
	must(t, d.ChangeSettings(t.Context(), owner, s))
	sendReset(t, d, owner, mia)
	first := letterWithCode(t, d)
	clock.Add(24*time.Hour - time.Second)
	sendReset(t, d, owner, mia)
	if again := letterWithCode(t, d); again.Reveal() != first.Reveal() {
		t.Error("a code that still works is replaced")
	}
	clock.Add(time.Second)
	works(t, d, first, home, false) // sending it again does not lengthen it
	clock.Add(model.DoubleClick)
	sendReset(t, d, owner, mia)
	next := letterWithCode(t, d)
	if next.Reveal() == first.Reveal() {
		t.Error("a code that is over is sent again")
	}
	works(t, d, first, home, false)
	works(t, d, next, home, true)
}

func TestALetterThatWaitedLeavesWithACodeThatWorks(t *testing.T) {
	d, clock, owner, mia := coded(t)
	sendReset(t, d, owner, mia)
	clock.Add(25 * time.Hour)
	works(t, d, letterWithCode(t, d), home, true)
}

func TestFiveWrongTriesShutANetworkOut(t *testing.T) {
	d, clock, owner, mia := coded(t)
	sendReset(t, d, owner, mia)
	code := letterWithCode(t, d)
	guess(t, d, clock, home, model.LetterCodeNetwork-1)
	works(t, d, code, home, true)
	guess(t, d, clock, home, 1)
	works(t, d, code, home, false)
	works(t, d, code, hotel, true)
	if got := state(t, d, dbtest.Token(t, d, mia)); got != model.ResetLive {
		t.Errorf("the link is %s", got)
	}
	// They ask for another letter, and its code has to help them.
	sendReset(t, d, owner, mia)
	next := letterWithCode(t, d)
	works(t, d, next, home, true)
	works(t, d, code, hotel, false)
}

func TestFiftyWrongTriesEndTheCodeAndNeverTheLink(t *testing.T) {
	d, clock, owner, mia := coded(t)
	sendReset(t, d, owner, mia)
	code := letterWithCode(t, d)
	for i := range 9 {
		guess(t, d, clock, fmt.Sprintf("203.0.%d.0/24", i), 7) // of which five count for the others
	}
	guess(t, d, clock, hotel, 4)
	works(t, d, code, home, true) // 49
	guess(t, d, clock, hotel, 1)
	works(t, d, code, home, false)
	if got := state(t, d, dbtest.Token(t, d, mia)); got != model.ResetLive {
		t.Errorf("the link is %s", got)
	}
	sendReset(t, d, owner, mia)
	works(t, d, letterWithCode(t, d), home, true)
}

func TestOneNetworkWaitsAfterManyWrongCodesOverAllLogins(t *testing.T) {
	d, clock, owner, mia := coded(t)
	sendReset(t, d, owner, mia)
	code := letterWithCode(t, d)
	for i := range 20 {
		wantKind(t, enter(t, d, fmt.Sprintf("somebody%d@example.org", i), wrongCode, hotel), model.KindSignIn)
	}
	wantKind(t, enter(t, d, "mia@example.org", code, hotel), model.KindLimited)
	wantKind(t, enter(t, d, "nobody@example.org", wrongCode, hotel), model.KindLimited)
	works(t, d, code, home, true)
	clock.Add(30*time.Second - time.Second)
	wantKind(t, enter(t, d, "mia@example.org", code, hotel), model.KindLimited)
	clock.Add(time.Second)
	works(t, d, code, hotel, true)
}

func TestASpokenCodeWorksForTenMinutesAndFiveTries(t *testing.T) {
	d, clock, owner, mia := coded(t)
	readOut := func() model.Secret {
		t.Helper()
		r, err := d.ReadOutCode(t.Context(), owner, mia, "  born 1 May\n1970 ")
		must(t, err)
		if r.Spoken.By != owner.Name || !r.Spoken.Until.Equal(clock.Now().Add(10*time.Minute)) {
			t.Errorf("read out: %+v", r.Spoken)
		}
		return r.Spoken.Code
	}
	code := readOut()
	if letters := dbtest.Deliver(t, d); dbtest.Kinds(letters) != "code_read_out to mia@example.org" || letters[0].RequestedBy != owner.Name {
		t.Errorf("letters: %s", dbtest.Kinds(letters))
	}
	clock.Add(10*time.Minute - time.Second)
	works(t, d, code, home, true)
	if r := record(t, d, owner, mia); r.Spoken == nil || !r.Spoken.Code.IsZero() {
		t.Error("the tab does not say that a code is out, or shows it again")
	}
	clock.Add(time.Second)
	works(t, d, code, home, false)
	if record(t, d, owner, mia).Spoken != nil {
		t.Error("the tab speaks of a code that is over")
	}

	code = readOut()
	for i := range model.SpokenCodeTries - 1 {
		guess(t, d, clock, fmt.Sprintf("203.0.%d.0/24", i), 1)
	}
	works(t, d, code, home, true)
	guess(t, d, clock, hotel, 1)
	works(t, d, code, home, false)
	if record(t, d, owner, mia).Spoken != nil {
		t.Error("the tab speaks of a code that was tried five times")
	}

	first, second := readOut(), readOut()
	works(t, d, first, home, false)
	works(t, d, second, home, true)
	must(t, d.CancelReset(t.Context(), owner, mia))
	works(t, d, second, home, false)
}

func TestADoubleClickReadsOutOneCodeAndWritesOneLetter(t *testing.T) {
	d, clock, owner, mia := coded(t)
	for after, want := range map[time.Duration]string{
		model.DoubleClick - time.Second: "code_read_out to mia@example.org",
		model.DoubleClick:               "code_read_out to mia@example.org, code_read_out to mia@example.org",
	} {
		clock.Add(time.Hour)
		_, err := d.ReadOutCode(t.Context(), owner, mia, "by voice")
		must(t, err)
		clock.Add(after)
		r, err := d.ReadOutCode(t.Context(), owner, mia, "by voice")
		must(t, err)
		works(t, d, r.Spoken.Code, home, true)
		if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != want {
			t.Errorf("after %s: %s", after, got)
		}
	}
}

func TestWhatAReadOutCodeLeavesBehind(t *testing.T) {
	d, _, owner, mia := coded(t)
	_, err := d.ReadOutCode(t.Context(), owner, mia, "born 1 May 1970, postcode 20095")
	must(t, err)
	page, err := d.Activity(t.Context(), owner, mia, 0)
	must(t, err)
	i := slices.IndexFunc(page.Lines, func(l model.AuditLine) bool { return l.Act == model.ActCodeReadOut })
	if i < 0 || page.Lines[i].Note != "born 1 May 1970, postcode 20095" || page.Lines[i].ActorName != owner.Name {
		t.Errorf("the activity: %+v", page.Lines)
	}
	if slices.ContainsFunc(page.Lines[:i+1], func(l model.AuditLine) bool { return l.Act == model.ActResetSent }) {
		t.Error("it says that a link was sent")
	}
	if got := record(t, d, owner, mia).Status.Text(); got != "No email was sent. Copy the link or read out a code." {
		t.Errorf("the status message: %s", got)
	}
	// Whoever reads a code out could have used it: they are named.
	dbtest.SetPassword(t, d, mia, "another harbour without lamps")
	letters := dbtest.Deliver(t, d)
	if last := letters[len(letters)-1]; !slices.Equal(last.SeenBy, []string{owner.Name}) || last.ReadOutBy != owner.Name {
		t.Errorf("the letter about the new password names %v, and %q of the code", last.SeenBy, last.ReadOutBy)
	}
}

// Without a resend window nobody sees a link, and still the code opens the same.
func TestWhoReadOutACodeIsNamedWithoutAResendWindowToo(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	s, err := d.Settings(t.Context())
	must(t, err)
	s.Resets.ResendWindow = 0
	must(t, d.ChangeSettings(t.Context(), owner, s))
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	r, err := d.ReadOutCode(t.Context(), dbtest.Person(t, d, "Sam Staff", model.RoleStaff), mia, "born 1 May 1970")
	must(t, err)
	token, err := d.EnterCode(t.Context(), model.CodeTry{Login: "mia@example.org", Code: r.Spoken.Code, Network: home})
	must(t, err)
	dbtest.Deliver(t, d)
	password := model.NewSecret("zebra crossing at noon")
	_, err = d.SetPassword(t.Context(), model.NewPassword{Token: token, Password: password, Confirm: password})
	must(t, err)
	letters := dbtest.Deliver(t, d)
	if len(letters) != 1 || !slices.Equal(letters[0].SeenBy, []string{"Sam Staff"}) {
		t.Errorf("letters: %s, seen by %v", dbtest.Kinds(letters), letters[0].SeenBy)
	}
}

func TestReadingOutNeedsANoteAndPower(t *testing.T) {
	d, _, owner, mia := coded(t)
	for note, want := range map[string]bool{
		"": false, " \n": false, "\u202e": false, strings.Repeat("ü", model.LongestCodeNote): true, strings.Repeat("ü", model.LongestCodeNote+1): false,
	} {
		_, err := d.ReadOutCode(t.Context(), owner, mia, note)
		if (err == nil) != want || err != nil && model.KindOf(err) != model.KindInvalid {
			t.Errorf("a note of %d bytes: %v", len(note), err)
		}
	}
	staff := dbtest.Person(t, d, "Sam Staff", model.RoleStaff)
	for name, c := range map[string]struct {
		by   model.Actor
		of   int64
		want model.Kind
	}{
		"a viewer":            {dbtest.Person(t, d, "Vera Viewer", model.RoleViewer), mia, model.KindForbidden},
		"a member":            {dbtest.Person(t, d, "Max Member", model.RoleMember), mia, model.KindForbidden},
		"staff of themselves": {staff, staff.MemberID, model.KindForbidden},
		"staff of an owner":   {staff, owner.MemberID, model.KindForbidden},
		"nobody's account":    {staff, dbtest.Member(t, d, "Nina Holm", ""), model.KindNotFound},
	} {
		_, err := d.ReadOutCode(t.Context(), c.by, c.of, "by voice")
		if model.KindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	raised := dbtest.SignedUp(t, d, "Rita Raised", "rita@example.org")
	must(t, d.SetRole(t.Context(), owner, raised, model.RoleStaff))
	_, err := d.ReadOutCode(t.Context(), owner, raised, "by voice")
	wantKind(t, err, model.KindForbidden)
	must(t, d.Disable(t.Context(), owner, mia))
	_, err = d.ReadOutCode(t.Context(), owner, mia, "by voice")
	wantKind(t, err, model.KindConflict)
}

func TestAnAccountWithoutAnAddressGetsACodeAndNoLetter(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	id, err := d.AddMember(t.Context(), owner, model.Member{FirstName: "Otto", LastName: "Brandt", MemberNo: "A-17"})
	must(t, err)
	must(t, d.CreateUser(t.Context(), owner, id, "", false))
	r, err := d.ReadOutCode(t.Context(), owner, id, "came to the office")
	must(t, err)
	must(t, enter(t, d, "a-17", r.Spoken.Code, home))
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "" {
		t.Errorf("letters: %s", got)
	}
}

func TestPeopleWhoShareAnAddressHaveTheirOwnCodes(t *testing.T) {
	d, clock, owner, mia := coded(t)
	otto := dbtest.MemberWithAccount(t, d, "Otto Brandt", "mia@example.org")
	one, err := d.ReadOutCode(t.Context(), owner, mia, "by voice")
	must(t, err)
	clock.Add(time.Minute)
	other, err := d.ReadOutCode(t.Context(), owner, otto, "by voice")
	must(t, err)
	for member, code := range map[int64]model.Secret{mia: one.Spoken.Code, otto: other.Spoken.Code} {
		token, err := d.EnterCode(t.Context(), model.CodeTry{Login: "mia@example.org", Code: code, Network: home})
		must(t, err)
		if o, err := d.OpenReset(t.Context(), token.Reveal()); err != nil || o.Account.MemberID != member {
			t.Errorf("the code of %d opens the link of %d: %v", member, o.Account.MemberID, err)
		}
	}
}

func TestACodeThatIsNoneIsSaidBesideItsField(t *testing.T) {
	d, _, _, _ := coded(t)
	for _, c := range []struct{ login, code, field string }{
		{"", "K7WX-M3QZ", "login"}, {"mia@example.org", "", "code"}, {"mia@example.org", "K7WX-M3QO", "code"}, {"nobody@example.org", "123", "code"},
	} {
		err := enter(t, d, c.login, model.NewSecret(c.code), home)
		wantKind(t, err, model.KindInvalid)
		if e, ok := err.(*model.Error); !ok || e.Fields[c.field] == "" { //nolint:errorlint // it is not wrapped
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// Known or not, one person or eight: a wrong code reads the same and leaves as
// many rows, so neither the page nor the time it takes tells who is there.
func TestAWrongCodeLeavesTheSameForEverybody(t *testing.T) {
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	owner := dbtest.Owner(t, d)
	must(t, d.ChangeTemplate(t.Context(), owner, model.LetterReset, 0, codeTemplate))
	sendReset(t, d, owner, dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org"))
	disabled := dbtest.SignedUp(t, d, "Dora Brandt", "dora@example.org")
	sendReset(t, d, owner, disabled)
	must(t, d.Disable(t.Context(), owner, disabled))
	dbtest.SignedUp(t, d, "Lea Brandt", "lea@example.org") // has no link
	for i := range 8 {
		dbtest.MemberWithAccount(t, d, fmt.Sprintf("Person %d", i), "house@example.org")
	}
	raw, err := sql.Open("sqlite3", filepath.Join(folder, "latchkey.db"))
	must(t, err)
	defer raw.Close()
	counted := func() (sum, audit int) {
		must(t, raw.QueryRow(`SELECT (SELECT coalesce(sum(count), 0) FROM code_try), (SELECT count(*) FROM audit)`).Scan(&sum, &audit))
		return sum, audit
	}
	for i, login := range []string{"mia@example.org", "dora@example.org", "lea@example.org", "house@example.org", "nobody@example.org", "A-99", "nobody"} {
		before, lines := counted()
		err := enter(t, d, login, wrongCode, fmt.Sprintf("203.0.%d.0/24", i))
		if e, ok := err.(*model.Error); !ok || e.Kind != model.KindSignIn || !strings.HasPrefix(e.Sentence, "That did not work.") { //nolint:errorlint // it is not wrapped
			t.Errorf("%s: %v", login, err)
		}
		after, linesAfter := counted()
		// Eight places of three counters each; the fourth begins with the fifth try.
		if n := after - before; n < 24 || n > 31 || linesAfter != lines {
			t.Errorf("%s: %d counted, %d lines of the activity", login, n, linesAfter-lines)
		}
	}
}

func TestWrongCodesAreForgottenAfterTwoDays(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	raw, err := sql.Open("sqlite3", filepath.Join(folder, "latchkey.db"))
	must(t, err)
	defer raw.Close()
	wantKind(t, enter(t, d, "nobody@example.org", wrongCode, home), model.KindSignIn)
	left := func(after time.Duration) (n int) {
		clock.Set(dbtest.Start.Add(after))
		must(t, d.Tidy(t.Context()))
		must(t, raw.QueryRow(`SELECT count(*) FROM code_try`).Scan(&n))
		return n
	}
	if left(48*time.Hour-time.Second) == 0 || left(48*time.Hour) != 0 {
		t.Error("they are forgotten sooner or later than that")
	}
}
