package model_test

import (
	"slices"
	"testing"
	"time"

	"latchkey/db/model"
)

func TestEveryStateStandsBehindOneFilterOfTheLog(t *testing.T) {
	seen := map[model.LetterState]model.LetterFilter{}
	for _, f := range model.LetterFilters[1:] {
		for _, s := range f.States() {
			if other, twice := seen[s]; twice {
				t.Errorf("%s is both %s and %s", s, f, other)
			}
			seen[s] = f
		}
	}
	for _, s := range letterStates {
		if _, ok := seen[s]; !ok {
			t.Errorf("no filter shows what is %s", s)
		}
		if (seen[s] == model.LettersWaiting) == s.Settled() {
			t.Errorf("%s is settled, and among what waits?", s)
		}
	}
	if all := model.LettersAll.States(); len(all) != len(letterStates) {
		t.Errorf("everything is %v", all)
	}
	if q := (model.LetterQuery{Filter: "lost"}).Known(); q.Filter != model.LettersAll {
		t.Errorf("filter %q", q.Filter)
	}
}

func TestWhatMayBeSentAgainAndStopped(t *testing.T) {
	tests := map[model.LetterKind]struct {
		repeat model.Repeat
		stop   bool
	}{
		model.LetterWelcome:         {model.RepeatLink, true},
		model.LetterReset:           {model.RepeatLink, true},
		model.LetterResetSeveral:    {model.RepeatLink, true},
		model.LetterNoAccount:       {model.RepeatNever, true},
		model.LetterRingUs:          {model.RepeatNever, true},
		model.LetterPasswordChanged: {model.RepeatCopy, false},
		model.LetterEmailChanged:    {model.RepeatCopy, false},
		model.LetterTrouble:         {model.RepeatLink, false},
		model.LetterSecured:         {model.RepeatLink, false},
		model.LetterWrongCodes:      {model.RepeatLink, false},
		model.LetterSecuredNotice:   {model.RepeatCopy, false},
		model.LetterCodeReadOut:     {model.RepeatCopy, false},
		model.LetterFactorChanged:   {model.RepeatCopy, false},
		model.LetterEmailConfirm:    {model.RepeatNever, true},
		model.LetterEmailTaken:      {model.RepeatNever, true},
		model.LetterEmailAsked:      {model.RepeatCopy, false},
	}
	owner := model.Actor{Kind: model.ByPerson, AccountID: 99, Role: model.RoleOwner}
	about := []model.Account{ruth()}
	for _, k := range append(slices.Clone(letterKinds), "a kind of next year") {
		want := tests[k]
		l := model.Letter{Kind: k, To: about[0].Email, State: model.LetterWaiting, CreatedAt: noon}
		if got := k.Repeat(); got != want.repeat {
			t.Errorf("%s: repeat %v", k, got)
		}
		if err := owner.MayStop(l, about); (err == nil) != want.stop {
			t.Errorf("%s: stop: %v", k, err)
		}
		for _, s := range letterStates {
			l.State = s
			may := want.repeat == model.RepeatLink ||
				want.repeat == model.RepeatCopy && (s == model.LetterFailed || s == model.LetterBounced || s == model.LetterCaptured)
			if err := owner.MayRepeat(l, about, noon); (err == nil) != may {
				t.Errorf("%s, %s: again: %v", k, s, err)
			}
			if err := owner.MayStop(l, about); err == nil && s != model.LetterWaiting && s != model.LetterRetrying {
				t.Errorf("%s, %s: may be stopped", k, s)
			}
		}
	}
}

func TestNewsIsNoneAfterThirtyDays(t *testing.T) {
	owner := model.Actor{Kind: model.ByPerson, AccountID: 99, Role: model.RoleOwner}
	l := model.Letter{Kind: model.LetterPasswordChanged, To: ruth().Email, State: model.LetterFailed, CreatedAt: noon}
	for at, may := range map[int]bool{30*24*60*60 - 1: true, 30 * 24 * 60 * 60: false} {
		if err := owner.MayRepeat(l, []model.Account{ruth()}, noon.Add(time.Duration(at)*time.Second)); (err == nil) != may {
			t.Errorf("after %d s: %v", at, err)
		}
	}
}

func TestWhoGetsALetterToSeveralAgain(t *testing.T) {
	at := func(email string, disabled bool) model.Account {
		a := ruth()
		a.Email = email
		if disabled {
			a.DisabledAt = noon
		}
		return a
	}
	about := []model.Account{at("home@example.org", false), at("Home@example.org", false), at("left@example.org", false), at("home@example.org", true), at("", false)}
	l := model.Letter{Kind: model.LetterResetSeveral, To: "home@example.org"}
	if got := l.Reachable(about); len(got) != 2 {
		t.Errorf("%d people", len(got))
	}
	l.Kind = model.LetterReset // goes to the account's address, whichever it is today
	if got := l.Reachable(about[2:3]); len(got) != 1 {
		t.Error("one's own new address is not reached")
	}
}

func TestAQuarterOfTheLettersIsKeptForThoseWhoWait(t *testing.T) {
	for most, bulk := range map[int]int{0: 0, 1: 1, 3: 3, 4: 3, 30: 23, 100: 75} {
		if got := (model.Settings{LettersPerMinute: most}).BulkPerMinute(); got != bulk {
			t.Errorf("of %d: %d", most, got)
		}
	}
	for most, ok := range map[int]bool{-1: false, 0: true, 6000: true, 6001: false} {
		s := model.DefaultSettings()
		s.Association, s.LettersPerMinute = "Club", most
		if _, wrong := s.Clean()["letters_per_minute"]; wrong == ok {
			t.Errorf("%d: wrong %v", most, wrong)
		}
	}
	for _, k := range letterKinds {
		if bulk := k.Priority() >= model.PriorityBulk; bulk != (k == model.LetterNoAccount) {
			t.Errorf("%s can wait: %v", k, bulk)
		}
	}
}
