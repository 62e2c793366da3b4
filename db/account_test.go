package db_test

import (
	"testing"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func TestANewAccountBelongsToTheRecordOnTheRoll(t *testing.T) {
	d, _ := dbtest.Open(t)
	onRoll := dbtest.Member(t, d, "Mia Brandt", "mia@example.org")
	id, err := d.InviteStaff(t.Context(), dbtest.Owner(t, d), model.Invite{FirstName: "M.", LastName: "Brandt", Email: "Mia@example.org", Role: model.RoleStaff})
	if err != nil || id != onRoll {
		t.Errorf("the invitation went to record %d, want %d: %v", id, onRoll, err)
	}
	other := dbtest.Member(t, d, "Olga Orlova", "olga@example.org")
	made, err := d.MakeOwner(t.Context(), model.ShellActor(), model.NewOwner{Email: "olga@example.org"})
	if err != nil || !made.New || made.Link.IsZero() {
		t.Fatalf("%+v, %v", made, err)
	}
	if a := dbtest.Account(t, d, other); a.Role != model.RoleOwner {
		t.Errorf("role %s", a.Role)
	}
}

func TestMakeOwnerRescues(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Person(t, d, "Olga Owner", model.RoleOwner)
	in, err := d.SignIn(t.Context(), model.SignIn{Login: "olga.owner@riverside.example", Password: model.NewSecret(dbtest.Password)})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SetRole(t.Context(), model.ShellActor(), owner.MemberID, model.RoleMember); err != nil {
		t.Fatal(err)
	}
	if err := d.Disable(t.Context(), model.ShellActor(), owner.MemberID); err != nil {
		t.Fatal(err)
	}
	pw := "four lanterns on the old pier"
	made, err := d.MakeOwner(t.Context(), model.ShellActor(), model.NewOwner{Email: "Olga.Owner@riverside.example", Password: model.NewSecret(pw)})
	if err != nil || made.New || !made.Link.IsZero() {
		t.Fatalf("%+v, %v", made, err)
	}
	if counts(t, d, in.Session) {
		t.Error("an old session still counts")
	}
	now, err := d.SignIn(t.Context(), model.SignIn{Login: "olga.owner@riverside.example", Password: model.NewSecret(pw)})
	if err != nil || now.Account.Role != model.RoleOwner {
		t.Errorf("%s, %v", now.Account.Role, err)
	}
	_, err = d.MakeOwner(t.Context(), owner, model.NewOwner{Email: "x@example.org", Password: model.NewSecret("short")})
	wantKind(t, err, model.KindInvalid)
	_, err = d.MakeOwner(t.Context(), dbtest.Person(t, d, "Sam Staff", model.RoleStaff), model.NewOwner{Email: "x@example.org"})
	wantKind(t, err, model.KindForbidden)
}

func TestInvitingNeedsAMailServer(t *testing.T) {
	d, _ := dbtest.OpenIn(t, t.TempDir(), db.Fixed{})
	_, err := d.InviteStaff(t.Context(), dbtest.Owner(t, d), model.Invite{LastName: "Brandt", Email: "mia@example.org", Role: model.RoleStaff})
	wantKind(t, err, model.KindInvalid)
	id := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	wantKind(t, d.SetRole(t.Context(), dbtest.Owner(t, d), id, model.RoleStaff), model.KindInvalid)
}

func TestAHouseholdHasRoomForEight(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	for n := range 9 {
		id := dbtest.Member(t, d, "Person "+string(rune('A'+n)), "home@example.org")
		err := d.CreateUser(t.Context(), owner, id, "home@example.org", true)
		if n < 8 && err != nil || n == 8 && err == nil {
			t.Errorf("person %d: %v", n+1, err)
		}
	}
}
