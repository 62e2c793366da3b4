package model

import "time"

// Colleague is somebody of the office, or about to be.
type Colleague struct {
	Account
	Link      *Reset    // the newest, while a role waits for it
	LinkLives bool      // and still opens the form
	Letter    *Letter   // the newest that carried it
	App       bool      // they have an app for codes
	Passkeys  int       // and so many passkeys
	Required  bool      // their role requires a second factor
	FactorDue time.Time // until when; zero while they have one, or were not asked yet
	Stays     string    // why this person's role cannot be changed; "" if it can
}

// OwnsNow reports whether an owner can act as one: one who is disabled, or has no
// password yet, keeps no portal alive.
func (c Colleague) OwnsNow() bool { return c.Role == RoleOwner && !c.Disabled() && c.HasPassword }
