// Package dbtest makes portals for the tests of every room: real SQLite in a
// temporary folder, with a clock that the test moves.
package dbtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/model"
)

// Clock is a portal's time in a test. It stands still until it is moved.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Start is when every test begins: a Monday morning, in the future of the
// sources and so of every certificate and cookie, but not by much.
var Start = time.Date(2026, time.November, 23, 10, 42, 0, 0, time.UTC)

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add moves the clock.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Set moves the clock to a moment.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// Mail is a mail server on loopback that nobody listens on: letters wait.
var Mail = model.MailServer{Host: "127.0.0.1", Port: 2525}

// Open makes a portal that is set up, has a mail server and no members but its
// owner.
func Open(t testing.TB) (*db.DB, *Clock) {
	t.Helper()
	return OpenIn(t, t.TempDir(), db.Fixed{Mail: &Mail})
}

// OpenIn opens the portal in a folder, for tests that open it twice or set
// what a flag would.
func OpenIn(t testing.TB, folder string, fixed db.Fixed) (*db.DB, *Clock) {
	t.Helper()
	d, err := db.Open(t.Context(), folder, fixed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	clock := &Clock{now: Start}
	d.SetClock(clock.Now)
	setUp(t, d)
	return d, clock
}

// setUp goes through the first start, unless somebody did.
func setUp(t testing.TB, d *db.DB) {
	t.Helper()
	s, err := d.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !s.SetUpAt.IsZero() {
		return
	}
	s.Association, s.TimeZone = "Riverside Rowing Club", "Europe/Berlin"
	s.SupportEmail, s.SupportPhone = "office@riverside.example", "030 555 01 23"
	err = d.SetUp(t.Context(), model.SetUp{FirstName: "Ruth", LastName: "Adler", Email: OwnerEmail,
		Password: model.NewSecret(OwnerPassword), Confirm: model.NewSecret(OwnerPassword), Settings: s})
	if err != nil {
		t.Fatal(err)
	}
}

// The owner whom Open makes.
const (
	OwnerEmail    = "ruth@riverside.example"
	OwnerPassword = "brass lantern over quiet water"
)

// Password is one that every account in a test may have.
const Password = "seven green umbrellas tonight"

// Owner is the owner whom Open makes, as an actor.
func Owner(t testing.TB, d *db.DB) model.Actor { t.Helper(); return Actor(t, d, OwnerEmail) }

// Actor is the holder of the only account with an email, as an actor.
func Actor(t testing.TB, d *db.DB, email string) model.Actor {
	t.Helper()
	page, err := d.Members(t.Context(), model.ShellActor(), model.MemberQuery{Text: email})
	if err != nil || len(page.Rows) != 1 {
		t.Fatalf("members with %s: %d, %v", email, len(page.Rows), err)
	}
	a := Account(t, d, page.Rows[0].ID)
	return model.Actor{Kind: model.ByPerson, AccountID: a.ID, MemberID: a.MemberID, Name: a.Name, Role: a.Role, Stamp: a.SessionStamp}
}

// Account is a member's account.
func Account(t testing.TB, d *db.DB, memberID int64) model.Account {
	t.Helper()
	_, a, err := d.Member(t.Context(), model.ShellActor(), memberID)
	if err != nil {
		t.Fatal(err)
	}
	if a == nil {
		t.Fatalf("member %d has no account", memberID)
	}
	return *a
}

// Member puts somebody on the roll: a name and, unless it is "", an email.
func Member(t testing.TB, d *db.DB, name, email string) int64 {
	t.Helper()
	first, last, _ := strings.Cut(name, " ")
	id, err := d.AddMember(t.Context(), model.ShellActor(), model.Member{FirstName: first, LastName: last, Email: email})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// MemberWithAccount is Member with an account on the same email, no password
// yet, and its first link under way.
func MemberWithAccount(t testing.TB, d *db.DB, name, email string) int64 {
	t.Helper()
	id := Member(t, d, name, email)
	if err := d.CreateUser(t.Context(), Owner(t, d), id, email, true); err != nil {
		t.Fatal(err)
	}
	return id
}

// SignedUp is MemberWithAccount with Password set through the link.
func SignedUp(t testing.TB, d *db.DB, name, email string) int64 {
	t.Helper()
	id := MemberWithAccount(t, d, name, email)
	SetPassword(t, d, id, Password)
	return id
}

// SetPassword uses the live link of a member's account.
func SetPassword(t testing.TB, d *db.DB, memberID int64, password string) {
	t.Helper()
	_, err := d.SetPassword(t.Context(), model.NewPassword{Token: Token(t, d, memberID), Password: model.NewSecret(password), Confirm: model.NewSecret(password)})
	if err != nil {
		t.Fatal(err)
	}
}

// Token is the token of the live link of a member's account, read as the
// postman would: from the row and the key.
func Token(t testing.TB, d *db.DB, memberID int64) model.Secret {
	t.Helper()
	token, err := d.Keys().ResetToken(Link(t, d, memberID))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// NotMe is the token by which the newest link of a member's account can be
// disowned.
func NotMe(t testing.TB, d *db.DB, memberID int64) model.Secret {
	t.Helper()
	token, err := d.Keys().NotMeToken(Link(t, d, memberID))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// EmailToken is the token of the change of email that waits for somebody.
func EmailToken(t testing.TB, d *db.DB, actor model.Actor) model.Secret {
	t.Helper()
	c, err := d.PendingEmail(t.Context(), actor)
	if err != nil || c == nil {
		t.Fatal("no change of email waits", err)
	}
	token, err := d.Keys().EmailToken(*c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Link is the newest link of a member's account.
func Link(t testing.TB, d *db.DB, memberID int64) model.Reset {
	t.Helper()
	r, err := d.RecordWithoutLink(t.Context(), model.ShellActor(), memberID)
	if err != nil {
		t.Fatal(err)
	}
	if r.Latest == nil {
		t.Fatalf("member %d has no link", memberID)
	}
	return *r.Latest
}

// Person makes somebody with a role, a password and an email, and gives them
// as an actor. The role is given by the shell, which may.
func Person(t testing.TB, d *db.DB, name string, role model.Role) model.Actor {
	t.Helper()
	email := strings.ToLower(strings.ReplaceAll(name, " ", ".")) + "@riverside.example"
	id := SignedUp(t, d, name, email)
	if role != model.RoleMember {
		if err := d.SetRole(t.Context(), model.ShellActor(), id, role); err != nil {
			t.Fatal(err)
		}
		SetPassword(t, d, id, Password) // a higher role waits for it
	}
	a := Account(t, d, id)
	return model.Actor{Kind: model.ByPerson, AccountID: a.ID, MemberID: a.MemberID, Name: a.Name, Role: a.Role, Stamp: a.SessionStamp}
}

// Deliver takes every due letter out of the outbox as a mail server would that
// accepts all, and gives them in order.
func Deliver(t testing.TB, d *db.DB) []model.LetterContents {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	if _, err := d.WorkIntake(ctx); err != nil {
		t.Fatal(err)
	}
	var all []model.LetterContents
	for {
		c, err := d.ClaimLetter(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if c == nil {
			return all
		}
		if err := d.SettleLetter(ctx, c.ID, model.Delivery{Accepted: true, Code: 250, Reply: "2.0.0 OK"}); err != nil {
			t.Fatal(err)
		}
		all = append(all, *c)
	}
}

// Kinds lists what letters are about, for comparing.
func Kinds(all []model.LetterContents) string {
	var out []string
	for _, l := range all {
		out = append(out, fmt.Sprintf("%s to %s", l.Kind, l.To))
	}
	return strings.Join(out, ", ")
}
