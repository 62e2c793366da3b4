package db_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func sendReset(t *testing.T, d *db.DB, by model.Actor, member int64) {
	t.Helper()
	if err := d.SendPasswordReset(t.Context(), by, member); err != nil {
		t.Fatal(err)
	}
}

func record(t *testing.T, d *db.DB, by model.Actor, member int64) model.AccountRecord {
	t.Helper()
	r, err := d.AccountRecord(t.Context(), by, member)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func state(t *testing.T, d *db.DB, token model.Secret) model.ResetState {
	t.Helper()
	o, err := d.OpenReset(t.Context(), token.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return o.State
}

// wantKind fails unless err is for a person and of that kind.
func wantKind(t *testing.T, err error, kind model.Kind) {
	t.Helper()
	if err == nil || model.KindOf(err) != kind {
		t.Errorf("error is %v (kind %d), want kind %d", err, model.KindOf(err), kind)
	}
}

// The table of product.md §2.2, exact to the second, on a real database.
func TestLifeOfALink(t *testing.T) {
	window, lifetime := model.UsualResets.ResendWindow, model.UsualResets.Lifetime
	for _, c := range []struct {
		after  time.Duration
		banner bool
		same   bool
		state  model.ResetState
	}{
		{0, true, true, model.ResetLive},
		{window - time.Second, true, true, model.ResetLive},
		{window, false, false, model.ResetLive},
		{window + time.Second, false, false, model.ResetLive},
		{lifetime - time.Second, false, false, model.ResetLive},
		{lifetime, false, false, model.ResetExpired},
		{lifetime + time.Second, false, false, model.ResetExpired},
	} {
		t.Run(c.after.String(), func(t *testing.T) {
			d, clock := dbtest.Open(t)
			owner := dbtest.Owner(t, d)
			id := dbtest.SignedUp(t, d, "Łukasz Brandt", "lukasz@example.org")
			clock.Add(time.Hour)
			sendReset(t, d, owner, id)
			token := dbtest.Token(t, d, id)
			clock.Add(c.after)

			r := record(t, d, owner, id)
			if (r.Status != nil) != c.banner {
				t.Errorf("status message stands: %t, want %t", r.Status != nil, c.banner)
			}
			if got := state(t, d, token); got != c.state {
				t.Errorf("link is %s, want %s", got, c.state)
			}
			if c.after == 0 {
				clock.Add(model.DoubleClick)
			}
			sendReset(t, d, owner, id)
			if same := dbtest.Token(t, d, id).Reveal() == token.Reveal(); same != c.same {
				t.Errorf("the same link again: %t, want %t", same, c.same)
			}
			want := c.state
			if c.state == model.ResetLive && !c.same {
				want = model.ResetReplaced
			}
			if got := state(t, d, token); got != want {
				t.Errorf("after another press the link is %s, want %s", got, want)
			}
		})
	}
}

func TestASecondPressWithinFiveSecondsAddsNoLetter(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	id := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	sendReset(t, d, owner, id)
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "reset to mia@example.org" {
		t.Fatalf("letters: %q", got)
	}
	clock.Add(model.DoubleClick - time.Second)
	sendReset(t, d, owner, id)
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "" {
		t.Errorf("one second before five: %q, want no letter", got)
	}
	clock.Add(time.Second)
	sendReset(t, d, owner, id)
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "reset to mia@example.org" {
		t.Errorf("five seconds after: %q, want another letter", got)
	}
}

func TestLettersStillWaitingForTheSameLinkMerge(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner, staff := dbtest.Owner(t, d), dbtest.Person(t, d, "Sam Staff", model.RoleStaff)
	id := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	sendReset(t, d, owner, id)
	clock.Add(time.Minute)
	sendReset(t, d, staff, id)
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "reset to mia@example.org" {
		t.Errorf("letters: %q, want one", got)
	}
	if by := record(t, d, owner, id).Status.AskedBy; by != "Sam Staff" {
		t.Errorf("asked by %q, want the one who pressed last", by)
	}
}

func TestTwoPeoplePressingAtOnceGetOneLink(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner, staff := dbtest.Owner(t, d), dbtest.Person(t, d, "Sam Staff", model.RoleStaff)
	id := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	var wg sync.WaitGroup
	for _, by := range []model.Actor{owner, staff, owner, staff} {
		wg.Go(func() {
			if err := d.SendPasswordReset(t.Context(), by, id); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	a, b := record(t, d, owner, id).Status.Link, record(t, d, staff, id).Status.Link
	if a.IsZero() || a.Reveal() != b.Reveal() {
		t.Errorf("two links, or none")
	}
}

func TestWhatEndsALink(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(d *db.DB, owner model.Actor, id int64) error
		want model.ResetState
	}{
		"cancelled by staff": {func(d *db.DB, o model.Actor, id int64) error { return d.CancelReset(t.Context(), o, id) }, model.ResetCancelled},
		"change of email": {func(d *db.DB, o model.Actor, id int64) error {
			return d.ChangeEmail(t.Context(), o, id, "new@example.org", false)
		}, model.ResetCancelled},
		"change of role": {func(d *db.DB, o model.Actor, id int64) error { return d.SetRole(t.Context(), o, id, model.RoleViewer) }, model.ResetCancelled},
		"disabling":      {func(d *db.DB, o model.Actor, id int64) error { return d.Disable(t.Context(), o, id) }, model.ResetCancelled},
		"deleting":       {func(d *db.DB, o model.Actor, id int64) error { return d.DeleteAccount(t.Context(), o, id) }, model.ResetCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := dbtest.Open(t)
			owner := dbtest.Owner(t, d)
			id := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
			sendReset(t, d, owner, id)
			token := dbtest.Token(t, d, id)
			if err := c.end(d, owner, id); err != nil {
				t.Fatal(err)
			}
			if got := state(t, d, token); got != c.want {
				t.Errorf("link is %s, want %s", got, c.want)
			}
			_, err := d.SetPassword(t.Context(), model.NewPassword{Token: token, Password: model.NewSecret(dbtest.Password + "!"), Confirm: model.NewSecret(dbtest.Password + "!")})
			wantKind(t, err, model.KindLinkEnded)
		})
	}
}

func TestSettingThePasswordSpendsTheLinkOnce(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	id := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	in, err := d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret(dbtest.Password)})
	if err != nil {
		t.Fatal(err)
	}
	sendReset(t, d, owner, id)
	record(t, d, owner, id) // the owner has the link on screen
	token := dbtest.Token(t, d, id)
	dbtest.Deliver(t, d)

	// Two settings of a password race on one link: one wins.
	var wg sync.WaitGroup
	won := make(chan string, 4)
	for i := range 4 {
		wg.Go(func() {
			pw := fmt.Sprintf("number %d of the old harbour bells", i)
			_, err := d.SetPassword(t.Context(), model.NewPassword{Token: token, Password: model.NewSecret(pw), Confirm: model.NewSecret(pw)})
			if err == nil {
				won <- pw
			} else if model.KindOf(err) != model.KindLinkEnded {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d won, want one", len(won))
	}
	if got := state(t, d, token); got != model.ResetUsed {
		t.Errorf("link is %s, want used", got)
	}
	if counts(t, d, in.Session) {
		t.Error("the old session still counts")
	}
	_, err = d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret(dbtest.Password)})
	wantKind(t, err, model.KindSignIn)
	clock.Add(time.Minute)
	if _, err := d.SignIn(t.Context(), model.SignIn{Login: "MIA@Example.org", Password: model.NewSecret(<-won)}); err != nil {
		t.Error(err)
	}
	letters := dbtest.Deliver(t, d)
	if got := dbtest.Kinds(letters); got != "password_changed to mia@example.org" {
		t.Fatalf("letters: %q", got)
	}
	if l := letters[0]; l.RequestedBy != "Ruth Adler" || len(l.SeenBy) != 1 || l.SeenBy[0] != "Ruth Adler" || len(l.Links) != 0 {
		t.Errorf("the letter names %q and %q with %d links", l.RequestedBy, l.SeenBy, len(l.Links))
	}
}

func TestALinkIsShownOnlyWithItsAuditLine(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner, staff := dbtest.Owner(t, d), dbtest.Person(t, d, "Sam Staff", model.RoleStaff)
	id := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	sendReset(t, d, owner, id)
	shown := func() (n int) {
		page, err := d.Activity(t.Context(), owner, id, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page.Lines {
			if l.Act == model.ActResetShown {
				n++
			}
		}
		return n
	}
	before := shown()
	for range 3 {
		record(t, d, owner, id)
		record(t, d, staff, id)
	}
	if got := shown() - before; got != 2 {
		t.Errorf("%d lines, want one for each person", got)
	}
	viewer := dbtest.Person(t, d, "Vera View", model.RoleViewer)
	for _, by := range []model.Actor{owner, viewer} {
		if r, err := d.RecordWithoutLink(t.Context(), by, id); err != nil || r.Status == nil || !r.Status.Link.IsZero() {
			t.Errorf("%s: a poll carries the link, or fails: %v", by.Name, err)
		}
	}
	if s := record(t, d, viewer, id).Status; s == nil || !s.Link.IsZero() || s.LinkHidden == "" {
		t.Error("a viewer sees the link, or not even the message")
	}
}

// Every role over every role, for every act on an account.
func TestPowersOfEachRoleOverEachRole(t *testing.T) {
	d, clock := dbtest.Open(t)
	actors := map[model.Role]model.Actor{
		model.RoleMember: dbtest.Person(t, d, "Max Member", model.RoleMember),
		model.RoleViewer: dbtest.Person(t, d, "Vera View", model.RoleViewer),
		model.RoleStaff:  dbtest.Person(t, d, "Sam Staff", model.RoleStaff),
		model.RoleOwner:  dbtest.Owner(t, d),
	}
	rank := map[model.Role]int{model.RoleMember: 1, model.RoleViewer: 2, model.RoleStaff: 3, model.RoleOwner: 4}
	acts := []struct {
		name    string
		allowed func(actor, target int) bool
		do      func(by model.Actor, id int64) error
	}{
		{"send", func(a, tg int) bool { return a >= 3 && a >= tg }, func(by model.Actor, id int64) error { return d.SendPasswordReset(t.Context(), by, id) }},
		{"cancel", func(a, tg int) bool { return a >= 3 && a > tg }, func(by model.Actor, id int64) error { return d.CancelReset(t.Context(), by, id) }},
		{"end sessions", func(a, tg int) bool { return a >= 3 && a > tg }, func(by model.Actor, id int64) error { return d.EndSessions(t.Context(), by, id) }},
		{"change email", func(a, tg int) bool { return a >= 3 && a > tg }, func(by model.Actor, id int64) error {
			return d.ChangeEmail(t.Context(), by, id, fmt.Sprintf("new%d@example.org", clock.Now().UnixNano()), false)
		}},
		{"disable", func(a, tg int) bool { return a >= 3 && a > tg }, func(by model.Actor, id int64) error { return d.Disable(t.Context(), by, id) }},
		{"enable", func(a, tg int) bool { return a >= 3 && a > tg }, func(by model.Actor, id int64) error { return d.Enable(t.Context(), by, id) }},
		{"set role", func(a, tg int) bool { return a == 4 && a > tg }, func(by model.Actor, id int64) error { return d.SetRole(t.Context(), by, id, model.RoleViewer) }},
		{"delete", func(a, tg int) bool { return a >= 3 && a > tg }, func(by model.Actor, id int64) error { return d.DeleteAccount(t.Context(), by, id) }},
	}
	n := 0
	for _, targetRole := range model.Roles {
		for _, actorRole := range model.Roles {
			n++
			target := dbtest.Person(t, d, fmt.Sprintf("Target Number%d", n), targetRole)
			for _, act := range acts {
				clock.Add(time.Second)
				err := act.do(actors[actorRole], target.MemberID)
				want := act.allowed(rank[actorRole], rank[targetRole])
				if want && err != nil || !want && model.KindOf(err) != model.KindForbidden {
					t.Errorf("%s over %s, %s: %v; may: %t", actorRole, targetRole, act.name, err, want)
				}
			}
		}
	}
}

func TestNobodyGovernsTheirOwnAccountAndOwnersNotEachOther(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	other := dbtest.Person(t, d, "Olga Owner", model.RoleOwner)
	sendReset(t, d, owner, other.MemberID)
	if s := record(t, d, owner, other.MemberID).Status; s == nil || !s.Link.IsZero() || s.LinkHidden == "" {
		t.Error("an owner sees another owner's link")
	}
	sendReset(t, d, owner, owner.MemberID)
	if s := record(t, d, owner, owner.MemberID).Status; s == nil || !s.Link.IsZero() || s.LinkHidden == "" {
		t.Error("an owner sees their own link")
	}
	wantKind(t, d.Disable(t.Context(), owner, owner.MemberID), model.KindForbidden)
	wantKind(t, d.Disable(t.Context(), owner, other.MemberID), model.KindForbidden)
	if err := d.SetRole(t.Context(), owner, owner.MemberID, model.RoleStaff); err != nil {
		t.Errorf("an owner may step down while there is another: %v", err)
	}
	wantKind(t, d.SetRole(t.Context(), other, other.MemberID, model.RoleStaff), model.KindConflict)
}

func TestAHigherRoleWaitsForALinkThatNobodySaw(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	id := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	sendReset(t, d, owner, id)
	old := dbtest.Token(t, d, id)
	if err := d.SetRole(t.Context(), owner, id, model.RoleStaff); err != nil {
		t.Fatal(err)
	}
	if got := state(t, d, old); got != model.ResetCancelled {
		t.Errorf("the link from before is %s", got)
	}
	a := dbtest.Account(t, d, id)
	if a.Role != model.RoleMember || a.PendingRole != model.RoleStaff {
		t.Fatalf("role %s, waiting %s", a.Role, a.PendingRole)
	}
	if s := record(t, d, owner, id).Status; s == nil || !s.Link.IsZero() || !strings.Contains(s.LinkHidden, "letter only") {
		t.Error("the link of a waiting role is shown")
	}
	long := "fifteen characters and some more"
	dbtest.SetPassword(t, d, id, long)
	if a = dbtest.Account(t, d, id); a.Role != model.RoleStaff || a.PendingRole != "" {
		t.Errorf("after the password: role %s, waiting %q", a.Role, a.PendingRole)
	}
}

func TestDisabledAccounts(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	id := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	if err := d.Disable(t.Context(), owner, id); err != nil {
		t.Fatal(err)
	}
	err := d.SendPasswordReset(t.Context(), owner, id)
	wantKind(t, err, model.KindConflict)
	if err := d.AskReset(t.Context(), "mia@example.org", ""); err != nil {
		t.Fatal(err)
	}
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "ring_us to mia@example.org" {
		t.Errorf("letters: %q", got)
	}
	_, err = d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret(dbtest.Password)})
	wantKind(t, err, model.KindSignIn)
	if err := d.Enable(t.Context(), owner, id); err != nil {
		t.Fatal(err)
	}
	_, err = d.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret(dbtest.Password)})
	wantKind(t, err, model.KindSignIn)
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "reset to mia@example.org" {
		t.Errorf("letters after enabling: %q", got)
	}
}

func TestStatusTexts(t *testing.T) {
	owner := func(d *db.DB) model.Actor { return dbtest.Owner(t, d) }
	t.Run("with a mail server", func(t *testing.T) {
		d, clock := dbtest.Open(t)
		id := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
		if got := record(t, d, owner(d), id).Status.Text(); got != "Account successfully created and reset password email sent." {
			t.Error(got)
		}
		clock.Add(time.Minute)
		ask(t, d, "mia@example.org")
		dbtest.Deliver(t, d)
		if got := record(t, d, owner(d), id).Status.Text(); got != "Reset password email sent." {
			t.Errorf("asked for by the member: %s", got)
		}
		clock.Add(time.Minute)
		sendReset(t, d, owner(d), id)
		if got := record(t, d, owner(d), id).Status.Text(); got != "Reset password email sent." {
			t.Error(got)
		}
	})
	t.Run("without one", func(t *testing.T) {
		d, clock := dbtest.OpenIn(t, t.TempDir(), db.Fixed{})
		id := dbtest.MemberWithAccount(t, d, "Mia Brandt", "mia@example.org")
		if got := record(t, d, owner(d), id).Status.Text(); got != "Account successfully created. No mail server is set up. Copy the link and hand it over." {
			t.Error(got)
		}
		clock.Add(time.Minute)
		sendReset(t, d, owner(d), id)
		if got := record(t, d, owner(d), id).Status.Text(); got != "No mail server is set up. Copy the link and hand it over." {
			t.Error(got)
		}
	})
	t.Run("without an address", func(t *testing.T) {
		d, _ := dbtest.Open(t)
		id, err := d.AddMember(t.Context(), owner(d), model.Member{LastName: "Nomail", MemberNo: "M-17"})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.CreateUser(t.Context(), owner(d), id, "", false); err != nil {
			t.Fatal(err)
		}
		r := record(t, d, owner(d), id)
		if got := r.Status.Text(); got != "Account successfully created. No email address on this account. Copy the link or read out a code." || r.Status.Link.IsZero() {
			t.Error(got)
		}
		dbtest.SetPassword(t, d, id, dbtest.Password)
		if _, err := d.SignIn(t.Context(), model.SignIn{Login: "m-17", Password: model.NewSecret(dbtest.Password)}); err != nil {
			t.Errorf("sign-in by member number: %v", err)
		}
	})
}

func TestAnEmailOfAnotherAccountNamesThePerson(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	anna := dbtest.SignedUp(t, d, "Anna Koch", "koch@example.org")
	bert := dbtest.Member(t, d, "Bert Koch", "koch@example.org")
	err := d.CreateUser(t.Context(), owner, bert, "KOCH@example.org", false)
	taken, ok := errors.AsType[*model.EmailTakenError](err)
	if !ok || len(taken.Holders) != 1 || taken.Holders[0].MemberID != anna || !taken.MayShare {
		t.Fatalf("%v, %+v", err, taken)
	}
	if err := d.CreateUser(t.Context(), owner, bert, "koch@example.org", true); err != nil {
		t.Fatal(err)
	}
	// The office never shares.
	carl := dbtest.Member(t, d, "Carl Koch", "")
	err = d.CreateUser(t.Context(), owner, carl, dbtest.OwnerEmail, true)
	if taken, ok = errors.AsType[*model.EmailTakenError](err); !ok || taken.MayShare {
		t.Errorf("sharing with an owner: %v", err)
	}
	err = d.SetRole(t.Context(), owner, bert, model.RoleStaff)
	wantKind(t, err, model.KindInvalid)
}

// The line that somebody has the link on screen is written with the press whose
// answer shows it, once for each link and person, and only where the link is
// shown.
func TestAPressWhoseAnswerShowsTheLinkSaysSo(t *testing.T) {
	d, clock := dbtest.Open(t)
	staff := dbtest.Person(t, d, "Sam Staff", model.RoleStaff)
	colleague := dbtest.Person(t, d, "Tom Staff", model.RoleStaff)
	without := dbtest.Member(t, d, "Jon Brandt", "jon@example.org")
	with := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	shown := func(memberID int64) (n int) {
		t.Helper()
		page, err := d.Activity(t.Context(), staff, memberID, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page.Lines {
			if l.Act == model.ActResetShown {
				n++
			}
		}
		return n
	}
	before := shown(colleague.MemberID)

	made, err := d.CreateUserOnScreen(t.Context(), staff, without, "jon@example.org", false)
	if err != nil || made.Status == nil || made.Status.Link.IsZero() || shown(without) != 1 {
		t.Errorf("Create User: %+v, %v, shown %d times", made.Status, err, shown(without))
	}
	var link string
	for range 3 {
		clock.Add(time.Minute)
		r, err := d.SendPasswordResetOnScreen(t.Context(), staff, with)
		if err != nil || !r.ShowsLink() || r.Status.Link.IsZero() || link != "" && r.Status.Link.Reveal() != link {
			t.Fatalf("%+v, %v", r.Status, err)
		}
		link = r.Status.Link.Reveal()
		if again, err := d.AccountRecord(t.Context(), staff, with); err != nil || again.Status.Link.Reveal() != link {
			t.Errorf("%+v, %v", again.Status, err)
		}
	}
	if n := shown(with); n != 1 {
		t.Errorf("shown %d times, want once", n)
	}
	r, err := d.SendPasswordResetOnScreen(t.Context(), staff, colleague.MemberID)
	if err != nil || r.Status == nil || r.ShowsLink() || !r.Status.Link.IsZero() || shown(colleague.MemberID) != before {
		t.Errorf("an equal: %+v, %v", r.Status, err)
	}
	if err := d.EndSessions(t.Context(), dbtest.Owner(t, d), staff.MemberID); err != nil {
		t.Fatal(err)
	}
	for name, see := range map[string]func() (model.AccountRecord, error){
		"press": func() (model.AccountRecord, error) { return d.SendPasswordResetOnScreen(t.Context(), staff, with) },
		"create": func() (model.AccountRecord, error) {
			return d.CreateUserOnScreen(t.Context(), staff, with, "x@example.org", false)
		},
		"look": func() (model.AccountRecord, error) { return d.AccountRecord(t.Context(), staff, with) },
	} {
		r, err := see()
		wantKind(t, err, model.KindForbidden)
		if r.Status != nil && !r.Status.Link.IsZero() {
			t.Errorf("%s: somebody who was signed out meanwhile got the link", name)
		}
	}
}
