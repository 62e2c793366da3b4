package db_test

import (
	"crypto/sha256"
	"encoding/base64"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

var cookies atomic.Int64

// browserOf is the cookie of a browser whose session is this one.
func browserOf(t testing.TB, d *db.DB, id int64) (cookie string) {
	t.Helper()
	cookie = "cookie " + strconv.FormatInt(cookies.Add(1), 10)
	until := time.Now().Add(time.Hour)
	coded, err := db.SessionCodec{}.Encode(until, map[string]any{db.SessionKey: id})
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte(cookie)) // as the session library keeps it
	if err := d.SessionStore().Commit(base64.RawURLEncoding.EncodeToString(hash[:]), coded, until); err != nil {
		t.Fatal(err)
	}
	return cookie
}

// signedIn signs somebody in, in a browser that was recognised once.
func signedIn(t testing.TB, d *db.DB, email string) (cookie string, s model.Session) {
	t.Helper()
	in, err := d.SignIn(t.Context(), model.SignIn{Login: email, Password: model.NewSecret(dbtest.Password)})
	if err != nil {
		t.Fatal(err)
	}
	cookie = browserOf(t, d, in.Session.ID)
	if _, _, err := d.SignedInBy(t.Context(), cookie); err != nil {
		t.Fatal(err)
	}
	return cookie, in.Session
}

// counts reports whether a session does.
func counts(t testing.TB, d *db.DB, s model.Session) bool {
	t.Helper()
	_, _, err := d.SignedInBy(t.Context(), browserOf(t, d, s.ID))
	if err != nil && model.KindOf(err) != model.KindNotFound {
		t.Fatal(err)
	}
	return err == nil
}

// What an act did is there for the very next request, although who is signed in
// is not read anew for each.
func TestWhatEndsASessionEndsItAtOnce(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	shell := model.ShellActor()
	n := 0
	for name, act := range map[string]func(m model.Member, s model.Session) error{
		"disabled":        func(m model.Member, _ model.Session) error { return d.Disable(t.Context(), owner, m.ID) },
		"signed out":      func(m model.Member, _ model.Session) error { return d.EndSessions(t.Context(), owner, m.ID) },
		"account deleted": func(m model.Member, _ model.Session) error { return d.DeleteAccount(t.Context(), owner, m.ID) },
		"role changed": func(m model.Member, _ model.Session) error {
			return d.SetRole(t.Context(), shell, m.ID, model.RoleMember)
		},
		"email changed": func(m model.Member, _ model.Session) error {
			return d.ChangeEmail(t.Context(), owner, m.ID, "other@riverside.example", false)
		},
		"session ended": func(m model.Member, s model.Session) error {
			return d.SignOut(t.Context(), dbtest.Actor(t, d, m.Email), s.ID)
		},
		"made an owner": func(m model.Member, _ model.Session) error {
			_, err := d.MakeOwner(t.Context(), shell, model.NewOwner{Email: m.Email})
			return err
		},
		"password set anew": func(m model.Member, _ model.Session) error {
			dbtest.SetPassword(t, d, m.ID, dbtest.Password+" again")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			n++
			person := dbtest.Person(t, d, "Sam Staff"+strconv.Itoa(n), model.RoleViewer)
			m, a, err := d.Member(t.Context(), owner, person.MemberID)
			if err != nil {
				t.Fatal(err)
			}
			cookie, s := signedIn(t, d, a.Email)
			if name == "password set anew" {
				if err := d.SendPasswordReset(t.Context(), owner, m.ID); err != nil {
					t.Fatal(err)
				}
			}
			if err := act(m, s); err != nil {
				t.Fatal(err)
			}
			_, _, err = d.SignedInBy(t.Context(), cookie)
			wantKind(t, err, model.KindNotFound)
		})
	}
}

func TestTheClockEndsASessionThatIsKeptInMemory(t *testing.T) {
	d, clock := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	cookie, _ := signedIn(t, d, "mia@example.org")
	clock.Add(model.SessionIdle - time.Second)
	if _, _, err := d.SignedInBy(t.Context(), cookie); err != nil {
		t.Errorf("one second before 12 idle hours: %v", err)
	}
	clock.Add(time.Second)
	_, _, err := d.SignedInBy(t.Context(), cookie)
	wantKind(t, err, model.KindNotFound)
}

func TestANewNameIsThereAtOnce(t *testing.T) {
	d, _ := dbtest.Open(t)
	id := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	cookie, _ := signedIn(t, d, "mia@example.org")
	m, _, err := d.Member(t.Context(), model.ShellActor(), id)
	if err != nil {
		t.Fatal(err)
	}
	m.LastName = "Berg"
	if err := d.ChangeMember(t.Context(), dbtest.Owner(t, d), m); err != nil {
		t.Fatal(err)
	}
	if _, a, err := d.SignedInBy(t.Context(), cookie); err != nil || a.Name != "Mia Berg" {
		t.Errorf("%s, %v", a.Name, err)
	}
}

func TestSettingsAreThereAtOnce(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	for _, name := range []string{"Harbour Rowing Club", "Harbour Sailing Club"} {
		s, err := d.Settings(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.Association = name
		if err := d.ChangeSettings(t.Context(), owner, s); err != nil {
			t.Fatal(err)
		}
		if s, err = d.Settings(t.Context()); err != nil || s.Association != name {
			t.Errorf("%s, %v", s.Association, err)
		}
	}
}

// Whoever asks after an act was answered never sees what was before it, however
// many ask at the same time and keep what they read.
func TestNobodySeesASessionThatWasEndedBefore(t *testing.T) {
	d, _ := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	id := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	for range 20 {
		cookie, _ := signedIn(t, d, "mia@example.org")
		var over, stop atomic.Bool
		var asking sync.WaitGroup
		for range 4 {
			asking.Go(func() {
				for !stop.Load() {
					was := over.Load()
					_, _, err := d.SignedInBy(t.Context(), cookie)
					if was && err == nil {
						t.Error("a session counted after it was ended")
						return
					}
				}
			})
		}
		if err := d.EndSessions(t.Context(), owner, id); err != nil {
			t.Error(err)
		}
		over.Store(true)
		for range 100 {
			runtime.Gosched()
		}
		stop.Store(true)
		asking.Wait()
	}
}

// soon asks until something is so, for at most a second.
func soon(t *testing.T, what string, so func() bool) {
	t.Helper()
	for began := time.Now(); !so(); runtime.Gosched() {
		if time.Since(began) > time.Second {
			t.Fatal(what)
		}
	}
}

// "latchkey owner" is another process on the same folder. What it does is seen
// within a second, without a restart, and by an act at once.
func TestAnotherProcessIsNoticed(t *testing.T) {
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	other, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	owner := dbtest.Owner(t, d)
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	cookie, _ := signedIn(t, d, "mia@example.org")
	id := dbtest.Member(t, d, "Jon Brandt", "mia@example.org")

	set, err := other.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set.Association, set.Households = "Harbour Rowing Club", false
	if err := other.ChangeSettings(t.Context(), owner, set); err != nil {
		t.Fatal(err)
	}
	if err := d.CreateUser(t.Context(), owner, id, "mia@example.org", true); err == nil {
		t.Error("an act did not see that sharing was switched off by another process just now")
	}
	soon(t, "the settings of another process are not seen", func() bool {
		now, err := d.Settings(t.Context())
		return err == nil && now.Association == set.Association
	})
	if err := other.EndSessions(t.Context(), owner, mia); err != nil {
		t.Fatal(err)
	}
	soon(t, "a session that another process ended still counts", func() bool {
		_, _, err := d.SignedInBy(t.Context(), cookie)
		return model.KindOf(err) == model.KindNotFound
	})
}

// What the session library wrote before is nobody's session, and no error.
func TestASessionInAnotherFormIsNobodys(t *testing.T) {
	for _, coded := range []string{"", "x", "17", "17 x", "\x2b\xff\x81\x03\x01\x01", " 17 1", "99999999999999999999 1"} {
		_, values, err := db.SessionCodec{}.Decode([]byte(coded))
		if err != nil || len(values) != 0 {
			t.Errorf("%q: %v, %v", coded, values, err)
		}
	}
	until := time.Unix(1_800_000_000, 0).UTC()
	coded, err := db.SessionCodec{}.Encode(until, map[string]any{db.SessionKey: int64(17)})
	if err != nil {
		t.Fatal(err)
	}
	deadline, values, err := db.SessionCodec{}.Decode(coded)
	if err != nil || !deadline.Equal(until) || values[db.SessionKey] != int64(17) {
		t.Errorf("%v, %v, %v", deadline, values, err)
	}
}
