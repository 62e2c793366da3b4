package model_test

import (
	"testing"
	"time"

	"latchkey/db/model"
)

func session() model.Session {
	return model.Session{
		ID: 9, AccountID: 7, Stamp: 2, CreatedAt: noon, LastSeenAt: noon, ExpiresAt: noon.Add(model.SessionLifetime),
	}
}

func TestASessionLastsAsLongAsTheContractSays(t *testing.T) {
	if model.SessionIdle != 12*time.Hour || model.SessionLifetime != 30*day || model.SessionIdleClock != 5*time.Minute {
		t.Errorf("idle %v, absolute %v, clock %v", model.SessionIdle, model.SessionLifetime, model.SessionIdleClock)
	}
}

func TestWhenASessionIsOver(t *testing.T) {
	const s = time.Second
	end := noon.Add(30 * day)
	tests := []struct {
		name     string
		lastSeen time.Time
		now      time.Time
		over     bool
	}{
		{"new", noon, noon, false},
		{"idle, a second before", noon, noon.Add(12*time.Hour - s), false},
		{"idle, at twelve hours", noon, noon.Add(12 * time.Hour), true},
		{"idle, a second after", noon, noon.Add(12*time.Hour + s), true},
		{"at its end, a second before", end.Add(-time.Hour), end.Add(-s), false},
		{"at its end", end.Add(-time.Hour), end, true},
		{"at its end, a second after", end.Add(-time.Hour), end.Add(s), true},
		{"seen at its very end", end, end, true},
		{"idle before its end", end.Add(-12 * time.Hour), end.Add(-s), false},
		{"never seen", time.Time{}, noon, true},
	}
	for _, tt := range tests {
		x := session()
		x.LastSeenAt = tt.lastSeen
		if got := x.Over(ruth(), tt.now); got != tt.over {
			t.Errorf("%s: over %v", tt.name, got)
		}
	}
}

func TestASessionEndsWithItsAccount(t *testing.T) {
	tests := []struct {
		name   string
		change func(*model.Account)
		over   bool
	}{
		{"nothing", func(*model.Account) {}, false},
		{"disabled", func(a *model.Account) { a.DisabledAt = noon }, true},
		{"sessions ended", func(a *model.Account) { a.SessionStamp++ }, true},
		{"an older stamp", func(a *model.Account) { a.SessionStamp-- }, true},
		{"no account any more", func(a *model.Account) { *a = model.Account{} }, true},
		{"another name", func(a *model.Account) { a.Name = "Ruth Klein" }, false},
	}
	for _, tt := range tests {
		a := ruth()
		tt.change(&a)
		if got := session().Over(a, noon.Add(time.Second)); got != tt.over {
			t.Errorf("%s: over %v", tt.name, got)
		}
	}
	if !(model.Session{}).Over(ruth(), noon) || !(model.Session{}).Over(model.Account{}, noon) {
		t.Error("no session at all is not over")
	}
}

func TestLastSeenIsWrittenEveryFiveMinutes(t *testing.T) {
	const s = time.Second
	for at, want := range map[time.Duration]bool{
		0: false, s: false, 5*time.Minute - s: false, 5 * time.Minute: true, 5*time.Minute + s: true, day: true, -time.Hour: false,
	} {
		if got := session().Tick(noon.Add(at)); got != want {
			t.Errorf("%v after it was seen: %v", at, got)
		}
	}
}
