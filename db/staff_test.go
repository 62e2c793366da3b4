package db_test

import (
	"sync"
	"testing"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// Each is the other owner to the other one.
func TestTwoOwnersWhoLeaveAtOnceLeaveOne(t *testing.T) {
	for range 5 {
		d, _ := dbtest.Open(t)
		owners := []model.Actor{dbtest.Owner(t, d)}
		_, err := d.MakeOwner(t.Context(), model.ShellActor(), model.NewOwner{Email: "second@example.org", Name: "Sven Second", Password: model.NewSecret(dbtest.OwnerPassword)})
		must(t, err)
		owners = append(owners, dbtest.Actor(t, d, "second@example.org"))
		var all sync.WaitGroup
		errs := make([]error, len(owners))
		for i, o := range owners {
			all.Go(func() { errs[i] = d.SetRole(t.Context(), o, o.MemberID, model.RoleMember) })
		}
		all.Wait()
		left := 0
		for _, o := range owners {
			if dbtest.Account(t, d, o.MemberID).Role == model.RoleOwner {
				left++
			}
		}
		if left != 1 || (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("%d owners are left: %v, %v", left, errs[0], errs[1])
		}
	}
}

// What somebody noted before they left opens nothing after.
func TestACodeThatWasReadOutEndsWithWhoeverReadItOut(t *testing.T) {
	for name, leave := range map[string]func(d *db.DB, owner, eve model.Actor) error{
		"role lowered": func(d *db.DB, o, eve model.Actor) error {
			return d.SetRole(t.Context(), o, eve.MemberID, model.RoleMember)
		},
		"disabled": func(d *db.DB, o, eve model.Actor) error { return d.Disable(t.Context(), o, eve.MemberID) },
		"deleted":  func(d *db.DB, o, eve model.Actor) error { return d.DeleteAccount(t.Context(), o, eve.MemberID) },
	} {
		d, _ := dbtest.Open(t)
		owner, eve := dbtest.Owner(t, d), dbtest.Person(t, d, "Eve Staff", model.RoleStaff)
		mia := dbtest.SignedUp(t, d, "Mia Brandt", miasEmail)
		r, err := d.ReadOutCode(t.Context(), eve, mia, "by voice")
		must(t, err)
		must(t, leave(d, owner, eve))
		_, err = d.EnterCode(t.Context(), model.CodeTry{Login: miasEmail, Code: r.Spoken.Code, Network: "192.0.2.0/24"})
		if err == nil {
			t.Errorf("%s: the code still opens it", name)
		}
	}
}

// Whoever is raised waits for a password that nobody else can have set: each way
// by which somebody at the office could come by what sets it.
func TestAWaitingRoleIsReachedByLetterAlone(t *testing.T) {
	for name, round := range map[string]func(t *testing.T, d *db.DB, owner, staff model.Actor, id int64){
		"seen before": func(t *testing.T, d *db.DB, owner, staff model.Actor, id int64) {
			sendReset(t, d, staff, id)
			record(t, d, staff, id)
			token := dbtest.Token(t, d, id)
			must(t, d.SetRole(t.Context(), owner, id, model.RoleStaff))
			if state(t, d, token) == model.ResetLive {
				t.Error("the link that was seen before opens it")
			}
		},
		"copied, read out, sent again": func(t *testing.T, d *db.DB, owner, staff model.Actor, id int64) {
			must(t, d.SetRole(t.Context(), owner, id, model.RoleStaff))
			for _, who := range []model.Actor{owner, staff} {
				r := record(t, d, who, id)
				if r.Status == nil || !r.Status.Link.IsZero() {
					t.Errorf("%s sees the link", who.Name)
				}
				wantSome(t, d.CopiedReset(t.Context(), who, id, r.Latest.ID), model.KindNotFound, model.KindForbidden)
				_, err := d.ReadOutCode(t.Context(), who, id, "by voice")
				wantKind(t, err, model.KindForbidden)
			}
			// A new link, once the first is cancelled, is as hidden.
			must(t, d.CancelReset(t.Context(), owner, id))
			sendReset(t, d, owner, id)
			if !record(t, d, owner, id).Status.Link.IsZero() {
				t.Error("the owner sees the next link")
			}
		},
		"disabled and enabled": func(t *testing.T, d *db.DB, owner, _ model.Actor, id int64) {
			must(t, d.SetRole(t.Context(), owner, id, model.RoleStaff))
			must(t, d.Disable(t.Context(), owner, id))
			must(t, d.Enable(t.Context(), owner, id))
			if !record(t, d, owner, id).Status.Link.IsZero() {
				t.Error("the owner sees the link")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := dbtest.Open(t)
			owner, staff := dbtest.Owner(t, d), dbtest.Person(t, d, "Eve Staff", model.RoleStaff)
			id := dbtest.SignedUp(t, d, "Mia Brandt", miasEmail)
			round(t, d, owner, staff, id)
			if a := dbtest.Account(t, d, id); a.Role != model.RoleMember || a.PendingRole != model.RoleStaff {
				t.Fatalf("%s, waiting for %s", a.Role, a.PendingRole)
			}
			dbtest.SetPassword(t, d, id, dbtest.Password)
			if a := dbtest.Account(t, d, id); a.Role != model.RoleStaff {
				t.Errorf("and by letter: %s", a.Role)
			}
		})
	}
}

func wantSome(t *testing.T, err error, kinds ...model.Kind) {
	t.Helper()
	for _, k := range kinds {
		if err != nil && model.KindOf(err) == k {
			return
		}
	}
	t.Errorf("error is %v", err)
}
