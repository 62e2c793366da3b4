package model_test

import (
	"slices"
	"testing"
	"time"

	"latchkey/db/model"
)

var (
	letterKinds = []model.LetterKind{
		model.LetterWelcome, model.LetterReset, model.LetterResetSeveral, model.LetterNoAccount,
		model.LetterRingUs, model.LetterPasswordChanged, model.LetterEmailChanged, model.LetterCodeReadOut,
		model.LetterSettingsChanged, model.LetterTrouble, model.LetterWrongCodes, model.LetterSecured, model.LetterSecuredNotice, model.LetterFactorChanged,
		model.LetterEmailConfirm, model.LetterEmailTaken, model.LetterEmailAsked,
		model.LetterTest,
	}
	letterStates = []model.LetterState{
		model.LetterWaiting, model.LetterSending, model.LetterAccepted, model.LetterRetrying,
		model.LetterFailed, model.LetterWithdrawn, model.LetterCaptured, model.LetterBounced,
	}
)

func TestTheWaitGrowsWithEachAttempt(t *testing.T) {
	pauses := map[int]time.Duration{
		1: 5 * time.Second, 2: 15 * time.Second, 3: time.Minute, 4: 5 * time.Minute, 5: 15 * time.Minute,
		6: time.Hour, 7: time.Hour, 24: time.Hour, 1_000_000: time.Hour,
		// There is no such attempt, yet a damaged row must not make a busy loop.
		0: time.Hour, -1: time.Hour,
	}
	for n, want := range pauses {
		if got := model.RetryPause(n); got != want {
			t.Errorf("after attempt %d: got %v, want %v", n, got, want)
		}
	}
}

func TestWhatBecomesOfALetter(t *testing.T) {
	const s = time.Second
	made := noon
	tests := []struct {
		name     string
		kind     model.LetterKind
		attempts int
		how      model.Delivery
		until    time.Duration // since it was made; 0: no end
		at       time.Duration
		want     model.LetterState
		next     time.Duration // from now; 0: none
	}{
		{"taken", model.LetterReset, 1, model.Delivery{Accepted: true, Code: 250, Reply: "OK"}, 7 * day, s, model.LetterAccepted, 0},
		{"taken without a word", model.LetterReset, 1, model.Delivery{Accepted: true}, 7 * day, s, model.LetterAccepted, 0},
		{"taken, then an error at the end", model.LetterReset, 1, model.Delivery{Accepted: true, Code: 550}, 7 * day, s, model.LetterAccepted, 0},
		{"taken after its link ended", model.LetterReset, 1, model.Delivery{Accepted: true}, day, 2 * day, model.LetterAccepted, 0},
		{"taken after a day", model.LetterReset, 30, model.Delivery{Accepted: true}, 7 * day, 25 * time.Hour, model.LetterAccepted, 0},
		{"one attempt, taken", model.LetterNoAccount, 1, model.Delivery{Accepted: true, Code: 250}, 0, s, model.LetterAccepted, 0},

		{"500", model.LetterReset, 1, model.Delivery{Code: 500}, 7 * day, s, model.LetterFailed, 0},
		{"550", model.LetterReset, 1, model.Delivery{Code: 550, Reply: "no such user"}, 7 * day, s, model.LetterFailed, 0},
		{"554 at the third", model.LetterWelcome, 3, model.Delivery{Code: 554}, 7 * day, s, model.LetterFailed, 0},
		{"599", model.LetterReset, 1, model.Delivery{Code: 599}, 7 * day, s, model.LetterFailed, 0},
		{"550 after its link ended", model.LetterReset, 1, model.Delivery{Code: 550}, day, 2 * day, model.LetterFailed, 0},

		{"499 is none of the final ones", model.LetterReset, 1, model.Delivery{Code: 499}, 7 * day, s, model.LetterRetrying, 5 * s},
		{"600 is none of the final ones", model.LetterReset, 1, model.Delivery{Code: 600}, 7 * day, s, model.LetterRetrying, 5 * s},
		{"421", model.LetterReset, 1, model.Delivery{Code: 421}, 7 * day, s, model.LetterRetrying, 5 * s},
		{"451 again", model.LetterReset, 2, model.Delivery{Code: 451}, 7 * day, 6 * s, model.LetterRetrying, 15 * s},
		{"cut off", model.LetterReset, 3, model.Delivery{Reply: "connection reset"}, 7 * day, time.Minute, model.LetterRetrying, time.Minute},
		{"250 but not taken", model.LetterReset, 4, model.Delivery{Code: 250}, 7 * day, time.Minute, model.LetterRetrying, 5 * time.Minute},
		{"the fifth", model.LetterReset, 5, model.Delivery{}, 7 * day, time.Hour, model.LetterRetrying, 15 * time.Minute},
		{"the sixth", model.LetterReset, 6, model.Delivery{}, 7 * day, time.Hour, model.LetterRetrying, time.Hour},
		{"a letter without a link", model.LetterRingUs, 1, model.Delivery{}, 0, s, model.LetterRetrying, 5 * s},

		{"one attempt, 451", model.LetterNoAccount, 1, model.Delivery{Code: 451}, 0, s, model.LetterFailed, 0},
		{"one attempt, no answer", model.LetterNoAccount, 1, model.Delivery{}, 0, s, model.LetterFailed, 0},

		// The next attempt a second before the link's end, at it, after it.
		{"before its link ends", model.LetterReset, 3, model.Delivery{}, time.Hour, time.Hour - time.Minute - s, model.LetterRetrying, time.Minute},
		{"as its link ends", model.LetterReset, 3, model.Delivery{}, time.Hour, time.Hour - time.Minute, model.LetterWithdrawn, 0},
		{"after its link's end", model.LetterReset, 3, model.Delivery{}, time.Hour, time.Hour - time.Minute + s, model.LetterWithdrawn, 0},
		{"its link is over already", model.LetterReset, 3, model.Delivery{}, time.Hour, 2 * time.Hour, model.LetterWithdrawn, 0},

		// The next attempt a second before 24 hours are over, at it, after it.
		{"within a day", model.LetterReset, 9, model.Delivery{}, 7 * day, 23*time.Hour - s, model.LetterRetrying, time.Hour},
		{"at a day", model.LetterReset, 9, model.Delivery{}, 7 * day, 23 * time.Hour, model.LetterRetrying, time.Hour},
		{"past a day", model.LetterReset, 9, model.Delivery{}, 7 * day, 23*time.Hour + s, model.LetterFailed, 0},
		{"past a day, without a link", model.LetterPasswordChanged, 9, model.Delivery{}, 0, 23*time.Hour + s, model.LetterFailed, 0},
		{"at a day, without a link", model.LetterPasswordChanged, 9, model.Delivery{}, 0, 23 * time.Hour, model.LetterRetrying, time.Hour},
		{"found after a week", model.LetterRingUs, 1, model.Delivery{}, 0, 7 * day, model.LetterFailed, 0},

		// A strict link ends after a day too: then it is the link that counts.
		{"a day's link within a day", model.LetterReset, 9, model.Delivery{}, day, 23*time.Hour - s, model.LetterRetrying, time.Hour},
		{"a day's link at a day", model.LetterReset, 9, model.Delivery{}, day, 23 * time.Hour, model.LetterWithdrawn, 0},
		{"a day's link past a day", model.LetterReset, 9, model.Delivery{}, day, 23*time.Hour + s, model.LetterWithdrawn, 0},
	}
	for _, tt := range tests {
		l := model.Letter{Kind: tt.kind, CreatedAt: made, Attempts: tt.attempts, State: model.LetterSending}
		var until time.Time
		if tt.until != 0 {
			until = made.Add(tt.until)
		}
		now := made.Add(tt.at)
		state, next := l.Outcome(tt.how, until, now)
		if state != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, state, tt.want)
		}
		if tt.next == 0 && !next.IsZero() || tt.next != 0 && !next.Equal(now.Add(tt.next)) {
			t.Errorf("%s: next at %v, want %v from %v", tt.name, next, tt.next, now)
		}
		if state.Settled() != next.IsZero() {
			t.Errorf("%s: %v, and next at %v", tt.name, state, next)
		}
	}
}

func TestALetterThatIsNeverTakenEndsWithinADay(t *testing.T) {
	for _, kind := range letterKinds {
		l, now, attempts := model.Letter{Kind: kind, CreatedAt: noon}, noon, 0
		for {
			attempts++
			l.Attempts = attempts
			state, next := l.Outcome(model.Delivery{Code: 451}, time.Time{}, now)
			if state.Settled() {
				if state != model.LetterFailed || now.After(noon.Add(model.GiveUp)) {
					t.Errorf("%s: %v after %v", kind, state, now.Sub(noon))
				}
				break
			}
			if !next.After(now) || attempts > 50 {
				t.Fatalf("%s: attempt %d at %v, next at %v", kind, attempts, now, next)
			}
			now = next
		}
		// 5 pauses that grow take 21 min 20 s; then hourly up to a day.
		if want := 29; !kind.OneAttempt() && attempts != want {
			t.Errorf("%s: %d attempts, want %d", kind, attempts, want)
		}
		if kind.OneAttempt() && attempts != 1 {
			t.Errorf("%s: %d attempts, want 1", kind, attempts)
		}
	}
}

func TestWhichLettersAreSettled(t *testing.T) {
	waiting := []model.LetterState{model.LetterWaiting, model.LetterSending, model.LetterRetrying}
	for _, s := range letterStates {
		if s.Settled() == slices.Contains(waiting, s) {
			t.Errorf("%s: settled %v", s, s.Settled())
		}
	}
}

func TestEachKindOfLetter(t *testing.T) {
	tests := map[model.LetterKind]struct {
		priority   int
		once, link bool
	}{
		model.LetterWelcome:         {0, false, true},
		model.LetterReset:           {0, false, true},
		model.LetterResetSeveral:    {0, false, true},
		model.LetterNoAccount:       {9, true, false},
		model.LetterRingUs:          {1, false, false},
		model.LetterPasswordChanged: {1, false, false},
		model.LetterEmailChanged:    {1, false, false},
		model.LetterCodeReadOut:     {1, false, false},
		model.LetterSettingsChanged: {-1, false, false},
		model.LetterTrouble:         {1, false, true},
		model.LetterSecured:         {0, false, true},
		model.LetterWrongCodes:      {0, false, true},
		model.LetterSecuredNotice:   {1, false, false},
		model.LetterFactorChanged:   {1, false, false},
		model.LetterEmailConfirm:    {0, false, true},
		model.LetterEmailTaken:      {0, false, false},
		model.LetterEmailAsked:      {1, false, false},
		model.LetterTest:            {0, true, false},
	}
	for _, k := range letterKinds {
		want, ok := tests[k]
		if !ok || k.Priority() != want.priority || k.OneAttempt() != want.once || k.CarriesLink() != want.link {
			t.Errorf("%s: priority %d, one attempt %v, carries a link %v", k, k.Priority(), k.OneAttempt(), k.CarriesLink())
		}
	}
}

// Strangers can cause one kind only: it leaves after everything else.
func TestLettersToUnknownAddressesLeaveLast(t *testing.T) {
	for _, k := range letterKinds {
		if k != model.LetterNoAccount && k.Priority() >= model.LetterNoAccount.Priority() {
			t.Errorf("%s waits behind strangers", k)
		}
	}
}
