package model_test

import (
	"fmt"
	"slices"
	"testing"

	"latchkey/db/model"
)

const (
	member = model.RoleMember
	viewer = model.RoleViewer
	staff  = model.RoleStaff
	owner  = model.RoleOwner
)

// What product.md §1 says, role by role: over whom each may do what. Whoever
// is not named may do nothing at all.
var (
	maySend    = map[model.Role][]model.Role{staff: {member, viewer, staff}, owner: {member, viewer, staff, owner}}
	maySeeLink = map[model.Role][]model.Role{staff: {member, viewer}, owner: {member, viewer, staff}}
	mayGovern  = maySeeLink
)

// guards says which role protects an account of a role that waits for another.
var guards = map[[2]model.Role]model.Role{
	{member, ""}: member, {member, member}: member, {member, viewer}: viewer, {member, staff}: staff, {member, owner}: owner,
	{viewer, ""}: viewer, {viewer, member}: viewer, {viewer, viewer}: viewer, {viewer, staff}: staff, {viewer, owner}: owner,
	{staff, ""}: staff, {staff, member}: staff, {staff, viewer}: staff, {staff, staff}: staff, {staff, owner}: owner,
	{owner, ""}: owner, {owner, member}: owner, {owner, viewer}: owner, {owner, staff}: owner, {owner, owner}: owner,
}

var kinds = []model.ActorKind{model.ByPerson, model.ByShell, model.ByMember, model.BySystem}

func TestEveryRoleOverEveryRole(t *testing.T) {
	for _, kind := range kinds {
		for _, acting := range []model.Role{member, viewer, staff, owner, "", "admin", "Owner"} {
			for over, guard := range guards {
				for _, own := range []bool{false, true} {
					actor := model.Actor{Kind: kind, AccountID: 3, MemberID: 13, Name: "Jo", Role: acting}
					target := model.Account{ID: 4, MemberID: 14, Role: over[0], PendingRole: over[1]}
					if own {
						actor.AccountID, actor.MemberID = target.ID, target.MemberID
					}
					who := fmt.Sprintf("%s as %q over %q waiting for %q (own: %v)", kind, acting, over[0], over[1], own)
					check := func(act string, err error, want bool) {
						t.Helper()
						checkAllowed(t, who+": "+act, err, want)
					}
					if target.GuardRole() != guard {
						t.Errorf("%q waiting for %q is guarded by %q", over[0], over[1], target.GuardRole())
					}

					// Whoever owns the machine is bound by no role. The shell
					// always acts as an owner.
					shell := kind == model.ByShell
					if shell && acting != owner {
						continue
					}
					check("send", actor.MaySend(target), shell || slices.Contains(maySend[acting], guard))
					check("see the link", actor.MaySeeLink(target), shell || !own && slices.Contains(maySeeLink[acting], guard))
					check("govern", actor.MayGovern(target), shell || !own && slices.Contains(mayGovern[acting], guard))
					for _, to := range model.Roles {
						// Owners alone give roles: to whoever stands below
						// them; they may step down themselves, and take back
						// a role that only waits.
						takeBack := over[1] != "" && to == over[0] && over[0] != owner
						want := shell || acting == owner && (own && to != owner || !own && guard != owner || takeBack)
						check("make it "+string(to), actor.MaySetRole(target, to), want)
					}
				}
			}
		}
	}
}

func checkAllowed(t *testing.T, name string, err error, want bool) {
	t.Helper()
	if want && err != nil {
		t.Errorf("%s: refused, %v", name, err)
	}
	if !want && (model.KindOf(err) != model.KindForbidden || err.Error() == "") {
		t.Errorf("%s: %v, want a refusal with its reason", name, err)
	}
}

func TestTheShellMayDoEverything(t *testing.T) {
	a := model.ShellActor()
	for over := range guards {
		target := model.Account{ID: 4, Role: over[0], PendingRole: over[1]}
		for _, to := range model.Roles {
			for act, err := range map[string]error{
				"read": a.MayRead(), "edit": a.MayEdit(), "own": a.MayOwn(), "send": a.MaySend(target),
				"see": a.MaySeeLink(target), "govern": a.MayGovern(target), "set role": a.MaySetRole(target, to),
			} {
				checkAllowed(t, fmt.Sprintf("%s over %v", act, over), err, true)
			}
		}
	}
	if a.Kind != model.ByShell || a.Name == "" {
		t.Errorf("got %+v", a)
	}
}

func TestWhoeverIsNotSignedInMayDoNothingInTheOffice(t *testing.T) {
	target := ruth()
	for _, a := range []model.Actor{{}, model.MemberActor("192.0.2.0/24"), model.SystemActor(), {Kind: model.ByPerson, Role: "root"}} {
		for act, err := range map[string]error{
			"read": a.MayRead(), "edit": a.MayEdit(), "own": a.MayOwn(), "send": a.MaySend(target), "see": a.MaySeeLink(target),
			"govern": a.MayGovern(target), "raise": a.MaySetRole(target, owner), "keep": a.MaySetRole(target, member),
		} {
			checkAllowed(t, fmt.Sprintf("%s may %s", a.Kind, act), err, false)
		}
	}
	if a := model.MemberActor("192.0.2.0/24"); a.Kind != model.ByMember || a.Network != "192.0.2.0/24" {
		t.Errorf("got %+v", a)
	}
	if a := model.SystemActor(); a.Kind != model.BySystem || a.Name == "" {
		t.Errorf("got %+v", a)
	}
}

func TestWhatARoleMayDoInTheOffice(t *testing.T) {
	tests := []struct {
		role            model.Role
		read, edit, own bool
	}{
		{member, false, false, false},
		{viewer, true, false, false},
		{staff, true, true, false},
		{owner, true, true, true},
		{"", false, false, false},
		{"OWNER", false, false, false},
		{"owner ", false, false, false},
	}
	for _, tt := range tests {
		a := model.Actor{Kind: model.ByPerson, AccountID: 3, Role: tt.role}
		checkAllowed(t, string(tt.role)+" reads", a.MayRead(), tt.read)
		checkAllowed(t, string(tt.role)+" edits", a.MayEdit(), tt.edit)
		checkAllowed(t, string(tt.role)+" owns", a.MayOwn(), tt.own)
		if got := tt.role.InOffice(); got != tt.read {
			t.Errorf("%q in the office: %v", tt.role, got)
		}
	}
}

func TestRolesStandInOneOrder(t *testing.T) {
	order := []model.Role{member, viewer, staff, owner}
	if !slices.Equal(model.Roles, order) {
		t.Fatalf("got %v", model.Roles)
	}
	for i, a := range order {
		for j, b := range order {
			if a.Above(b) != (i > j) || a.AtLeast(b) != (i >= j) {
				t.Errorf("%s over %s: above %v, at least %v", a, b, a.Above(b), a.AtLeast(b))
			}
		}
		for _, unknown := range []model.Role{"", "admin", "Member"} {
			if unknown.Above(a) || unknown.AtLeast(a) || unknown.AtLeast(unknown) || unknown.Above(unknown) {
				t.Errorf("%q stands somewhere", unknown)
			}
		}
	}
}

func TestParseRoleKnowsFourWords(t *testing.T) {
	for _, r := range model.Roles {
		if got, ok := model.ParseRole(string(r)); !ok || got != r {
			t.Errorf("%s: %v, %v", r, got, ok)
		}
	}
	for _, s := range []string{"", "admin", "Owner", "owner ", " owner", "owner\n", "own", "owners", "0", "4"} {
		if _, ok := model.ParseRole(s); ok {
			t.Errorf("%q is taken for a role", s)
		}
	}
}

// A word in a damaged row that is no role protects nothing, but it gives
// nothing either.
func TestAnUnknownRoleInARowGivesNoPower(t *testing.T) {
	broken := model.Account{ID: 4, Role: "emperor", PendingRole: "pope"}
	a := model.Actor{Kind: model.ByPerson, AccountID: broken.ID, Role: broken.Role}
	checkAllowed(t, "read", a.MayRead(), false)
	checkAllowed(t, "govern", a.MayGovern(ruth()), false)
	staffer := model.Actor{Kind: model.ByPerson, AccountID: 3, Role: staff}
	checkAllowed(t, "mend it", staffer.MayGovern(broken), true)
}
