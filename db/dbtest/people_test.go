package dbtest_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func TestInventedMembersAreOnesThatThePortalWouldTake(t *testing.T) {
	families, numbers, homes := map[string]int{}, map[string]bool{}, map[string]int{}
	most, commonest := 0, 0
	for m := range dbtest.People(20_000, dbtest.Seed) {
		if err := m.Clean().Err(); err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		if key := model.MemberNoKey(m.MemberNo); key != "" {
			if numbers[key] {
				t.Fatalf("two have the number %s", m.MemberNo)
			}
			numbers[key] = true
		}
		if m.Email != "" {
			homes[model.EmailKey(m.Email)]++
			most = max(most, homes[model.EmailKey(m.Email)])
		}
		families[m.LastName]++
		commonest = max(commonest, families[m.LastName])
	}
	if most < 2 || most > model.HouseholdLimit {
		t.Errorf("%d people share an address", most)
	}
	if len(families) < 2000 || commonest < 100 {
		t.Errorf("%d family names, the commonest of them %d times", len(families), commonest)
	}
}

func TestTheSameSeedInventsTheSameMembers(t *testing.T) {
	one := slices.Collect(dbtest.People(500, 7))
	if two := slices.Collect(dbtest.People(500, 7)); !slices.Equal(one, two) {
		t.Error("two runs differ")
	}
	if other := slices.Collect(dbtest.People(500, 8)); slices.Equal(one, other) {
		t.Error("another seed makes no difference")
	}
}

func TestAFilledPortalShowsAndFindsItsMembers(t *testing.T) {
	folder := t.TempDir()
	const n = 1500
	first, last := dbtest.Fill(t, folder, n)
	d, err := db.Open(t.Context(), folder, db.Fixed{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	page, err := d.Members(t.Context(), dbtest.Owner(t, d), model.MemberQuery{})
	if err != nil || page.Total != n+1 || last-first != n-1 {
		t.Fatalf("%d members, %d to %d, %v", page.Total, first, last, err)
	}
	dice := rand.New(rand.NewPCG(1, 1))
	for id := first; id <= last; id += 7 {
		r, err := d.AccountRecord(t.Context(), dbtest.Owner(t, d), id)
		if err != nil {
			t.Fatal(err)
		}
		if r.Latest != nil && r.Latest.EndedAt.IsZero() {
			if _, err := d.Keys().ResetToken(*r.Latest); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range dbtest.Searches {
			typed := s.For(r.Member, dice)
			if typed == "" {
				continue
			}
			found, err := d.Members(t.Context(), dbtest.Owner(t, d), model.MemberQuery{Text: typed})
			if err != nil || found.Total == 0 {
				t.Errorf("%s, %q of %+v: nobody found, %v", s.Kind, typed, r.Member, err)
			}
		}
	}
}
