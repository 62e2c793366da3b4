package model

// Role is what an account may do; each role may do all that the one before may.
type Role string

// The roles, lowest first.
const (
	RoleMember Role = "member"
	RoleViewer Role = "viewer"
	RoleStaff  Role = "staff"
	RoleOwner  Role = "owner"
)

// Roles lists the roles, lowest first.
var Roles = []Role{RoleMember, RoleViewer, RoleStaff, RoleOwner}

// ParseRole reads a role as it stands in a form or a row.
func ParseRole(s string) (Role, bool) {
	r := Role(s)
	return r, r.rank() > 0
}

// rank is 0 for anything that is not a role, so that an unknown word in a
// damaged row can do nothing at all.
func (r Role) rank() int {
	for i, known := range Roles {
		if r == known {
			return i + 1
		}
	}
	return 0
}

// AtLeast reports whether r may do all that o may.
func (r Role) AtLeast(o Role) bool { return r.rank() > 0 && r.rank() >= o.rank() }

// Above reports whether r stands strictly above o.
func (r Role) Above(o Role) bool { return r.rank() > o.rank() }

// InOffice reports whether the role works in the office: anyone above member.
func (r Role) InOffice() bool { return r.AtLeast(RoleViewer) }

// ActorKind says in which capacity somebody acts.
type ActorKind string

// The kinds of actor. They are stored beside each audit line and each request
// for a link.
const (
	ByPerson ActorKind = "person"    // somebody signed in
	ByMember ActorKind = "member"    // somebody who is not signed in and says they are the member
	BySystem ActorKind = "automatic" // the portal itself
	ByShell  ActorKind = "shell"     // whoever may run the binary on the machine
)

// Actor is who acts. Every act that changes something takes one: an act
// without an author does not compile.
type Actor struct {
	Kind      ActorKind
	AccountID int64
	MemberID  int64
	Name      string
	Role      Role
	Stamp     int64  // of the session: an act begun before it ended is refused
	Network   string // client network of the request, for the audit line
}

// PersonActor is the holder of an account who is signed in.
func PersonActor(a Account, network string) Actor {
	return Actor{
		Kind: ByPerson, AccountID: a.ID, MemberID: a.MemberID,
		Name: a.Name, Role: a.Role, Stamp: a.SessionStamp, Network: network,
	}
}

// MemberActor is the holder of an account acting without being signed in:
// they typed their address, or hold a link.
func MemberActor(network string) Actor { return Actor{Kind: ByMember, Network: network} }

// SystemActor is the portal itself.
func SystemActor() Actor { return Actor{Kind: BySystem, Name: "Latchkey"} }

// ShellActor is whoever may run the binary. They own the machine, so no role
// binds them.
func ShellActor() Actor { return Actor{Kind: ByShell, Name: "the command line", Role: RoleOwner} }

// MayRead says that viewers see records and status messages.
func (a Actor) MayRead() error {
	return a.need(RoleViewer, "Only the office may look at members' records.")
}

// MayEdit says that staff edit members and create accounts.
func (a Actor) MayEdit() error {
	return a.need(RoleStaff, "Your role lets you look, not change. Ask a member of staff or an owner.")
}

// MayOwn says that owners manage staff and settings.
func (a Actor) MayOwn() error {
	return a.need(RoleOwner, "Only an owner may do this.")
}

// MaySend says whether the actor may have a reset letter sent to an account.
// An equal may, because the letter shows the actor nothing; over a higher
// role nobody may do anything.
func (a Actor) MaySend(t Account) error {
	if err := a.MayEdit(); err != nil {
		return err
	}
	if a.Kind != ByShell && !a.Role.AtLeast(t.GuardRole()) {
		return Forbidden("This account's role is above yours. Ask an owner to send the link.")
	}
	return nil
}

// MaySeeLink says whether the actor may see, copy or read out what opens the
// account. Whoever holds the link can become the account, so it takes a role
// strictly above the account's, and is never for one's own: a borrowed
// screen must not turn into a changed password (product.md §1).
func (a Actor) MaySeeLink(t Account) error {
	return a.strictlyAbove(t, "Only somebody with a role above this account's may see its link.")
}

// MayGovern says whether the actor may change an account's email, disable,
// enable or delete it, clear its second factor or end its sessions.
func (a Actor) MayGovern(t Account) error {
	return a.strictlyAbove(t, "Only somebody with a role above this account's may change it.")
}

// MaySetRole says whether the actor may give an account another role. Owners
// may step down themselves; whether another owner stays is for the caller,
// who can count them.
func (a Actor) MaySetRole(t Account, to Role) error {
	if err := a.MayOwn(); err != nil {
		return err
	}
	if a.Kind == ByShell {
		return nil
	}
	if a.AccountID == t.ID && a.Role.Above(to) {
		return nil
	}
	if t.PendingRole != "" && to == t.Role && a.Role.Above(t.Role) {
		return nil // an invitation may be taken back, or one slip of the pen gives the portal away
	}
	return a.strictlyAbove(t, "Owners cannot change each other's role here. It can be done on the machine the portal runs on.")
}

func (a Actor) strictlyAbove(t Account, sentence string) error {
	if err := a.MayEdit(); err != nil {
		return err
	}
	if a.Kind == ByShell {
		return nil
	}
	if a.AccountID == t.ID {
		return Forbidden("This is your own account. Use your account page, or ask a colleague.")
	}
	if t.GuardRole() == RoleOwner {
		return Forbidden("Nobody may do this to an owner, or see an owner's link: it goes by letter, or from the machine the portal runs on.")
	}
	if !a.Role.Above(t.GuardRole()) {
		return Forbidden(sentence)
	}
	return nil
}

func (a Actor) need(r Role, sentence string) error {
	if !a.Role.AtLeast(r) {
		return Forbidden(sentence)
	}
	return nil
}
