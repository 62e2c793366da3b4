package db_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// near is the address that somebody may have meant theirs by, "" if none.
func near(t *testing.T, d *db.DB, memberID int64) string {
	t.Helper()
	r, err := d.RecordWithoutLink(t.Context(), model.ShellActor(), memberID)
	if err != nil {
		t.Fatal(err)
	}
	if r.Near == nil {
		return ""
	}
	return r.Near.Typed
}

// beside is a portal's database, opened beside the portal.
func beside(t *testing.T, folder string) *sql.DB {
	t.Helper()
	raw, err := sql.Open("sqlite3", dbtest.RawDSN(folder, ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}

// tried is asking for a password with an address, worked off.
func tried(t *testing.T, d *db.DB, typed string) {
	t.Helper()
	ask(t, d, typed)
	dbtest.Deliver(t, d)
}

func TestAnAddressThatIsNearlyAMembersIsKept(t *testing.T) {
	d, clock := dbtest.Open(t)
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "mia.brandt@gmail.com")
	roll := dbtest.Member(t, d, "Rolf Ohne", "rolf@rowers.example")
	moved, err := d.AddMember(t.Context(), dbtest.Owner(t, d), model.Member{FirstName: "Mo", LastName: "Ved", Email: "mo@home.example"})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.CreateUser(t.Context(), dbtest.Owner(t, d), moved, "mo@work.example", false); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		typed  string
		member int64
		want   string
	}{
		{" Mia.Brandt@GMIAL.com ", mia, "mia.brandt@gmial.com"},
		{"mia.brant@gmail.com", mia, "mia.brant@gmail.com"}, // the newest counts
		{"mia.brandt@gmail.com", mia, "mia.brant@gmail.com"},
		{"mia.brandt@elsewhere.example", mia, "mia.brant@gmail.com"},
		{"M-21", mia, "mia.brant@gmail.com"},
		{"rolf@rowesr.example", roll, "rolf@rowesr.example"},
		{"mo@home.example", moved, "mo@home.example"}, // their own, but not the account's
		{"mia.brandt@gmial.com", mia, "mia.brandt@gmial.com"},
	} {
		clock.Add(time.Second)
		tried(t, d, c.typed)
		if got := near(t, d, c.member); got != c.want {
			t.Errorf("after %q: %q, want %q", c.typed, got, c.want)
		}
	}

	clock.Add(model.NearFor - time.Second)
	if err := d.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := near(t, d, mia); got == "" {
		t.Error("it is forgotten a second before 30 days are over")
	}
	clock.Add(time.Second)
	if got := near(t, d, mia); got != "" {
		t.Errorf("%q is shown after 30 days", got)
	}
	if err := d.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.Add(-time.Hour)
	if got := near(t, d, mia); got != "" {
		t.Errorf("%q is kept for more than 30 days", got)
	}
}

func TestWhatNearlyIsNobodysOrManyPeoplesIsNotKept(t *testing.T) {
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	for i := range model.NearMembers + 1 {
		dbtest.Member(t, d, fmt.Sprintf("Kim Nr%d", i), fmt.Sprintf("kim%d@rowers.example", i))
	}
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "mia@rowers.example")
	dbtest.Deliver(t, d)
	tried(t, d, "kim@rowers.example")
	tried(t, d, "secret.person@elsewhere.example")
	tried(t, d, strings.Repeat("a", 300)+"@rowers.example")
	raw := beside(t, folder)
	var kept int
	if err := raw.QueryRow(`SELECT count(*) FROM near_login`).Scan(&kept); err != nil || kept != 0 {
		t.Errorf("%d are kept, %v", kept, err)
	}
	tried(t, d, "kim9@rowers.example") // one of them fewer would do
	tried(t, d, "mis@rowers.example")
	if err := raw.QueryRow(`SELECT count(*) FROM near_login`).Scan(&kept); err != nil || kept != 1 || near(t, d, mia) != "mis@rowers.example" {
		t.Errorf("%d are kept, %v", kept, err)
	}
}

// A stranger can make the office look at a hundred lines a day and no more, of
// which each member has one at the most. One member's address is not enough for
// that: what others type is still kept.
func TestAStrangerCannotFillTheTable(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	raw := beside(t, folder)
	count := func() (kept int) {
		t.Helper()
		if err := raw.QueryRow(`SELECT count(*) FROM near_login`).Scan(&kept); err != nil {
			t.Fatal(err)
		}
		return kept
	}
	members := model.NearPerDay/model.NearPerMember + 1
	for i := range members {
		dbtest.SignedUp(t, d, "Mia Brandt", fmt.Sprintf("member%03d.brandt@rowers.example", i))
	}
	last := dbtest.SignedUp(t, d, "Otto Holm", "otto.holm@rowers.example")
	flood := func(member int, times int) {
		t.Helper()
		for i := range times {
			clock.Add(3 * time.Second) // below the limit of requests
			tried(t, d, fmt.Sprintf("member%03d.brandt@rowers.exampl%c", member, 'f'+i))
		}
	}
	flood(0, model.NearPerMember+2)
	if got := count(); got != model.NearPerMember {
		t.Errorf("%d of one member are kept", got)
	}
	for i := 1; i < members; i++ {
		flood(i, model.NearPerMember)
	}
	if got := count(); got != model.NearPerDay {
		t.Errorf("%d are kept", got)
	}
	a, err := d.Attention(t.Context(), dbtest.Owner(t, d))
	if want := model.NearPerDay / model.NearPerMember; err != nil || a.Near.Total != want {
		t.Errorf("the office is shown %d lines, want %d, %v", a.Near.Total, want, err)
	}
	var oldest int64
	if err := raw.QueryRow(`SELECT min(at) FROM near_login`).Scan(&oldest); err != nil {
		t.Fatal(err)
	}
	day := time.Unix(oldest, 0).Add(24 * time.Hour)
	clock.Set(day.Add(-time.Second))
	tried(t, d, "otto.hol@rowers.example")
	if got := count(); got != model.NearPerDay {
		t.Errorf("%d are kept a second before the first of them is a day old", got)
	}
	clock.Set(day)
	tried(t, d, "otto.hol@rowers.example")
	if got := near(t, d, last); got != "otto.hol@rowers.example" {
		t.Errorf("%q is kept once the first of them is a day old", got)
	}
}

func TestSeeingToAWrongAddressForgetsIt(t *testing.T) {
	d, clock := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "mia@rowers.example")
	jo := dbtest.SignedUp(t, d, "Jo Holm", "jo.holm@rowers.example")
	for _, typed := range []string{"mia1@rowers.example", "mia2@rowers.example", "jo.hol@rowers.example"} {
		tried(t, d, typed)
		clock.Add(time.Second)
	}
	r := record(t, d, owner, mia)
	viewer := dbtest.Person(t, d, "Vera Blick", model.RoleViewer)
	if err := d.DismissNear(t.Context(), viewer, r.Near.ID); model.KindOf(err) != model.KindForbidden {
		t.Errorf("a viewer may: %v", err)
	}
	for range 2 { // a double click
		if err := d.DismissNear(t.Context(), owner, r.Near.ID); err != nil {
			t.Fatal(err)
		}
	}
	if got := near(t, d, mia); got != "" {
		t.Errorf("%q is still there", got)
	}
	if near(t, d, jo) == "" {
		t.Error("somebody else's is forgotten")
	}
	a, err := d.Activity(t.Context(), owner, mia, 0)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, l := range a.Lines {
		if l.Act == model.ActNearDone {
			lines++
		}
		if text, _ := json.Marshal(l); strings.Contains(string(text), "mia2@") {
			t.Errorf("what was typed stands in %s", text)
		}
	}
	if lines != 1 {
		t.Errorf("%d audit lines", lines)
	}
}
