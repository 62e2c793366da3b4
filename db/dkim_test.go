package db_test

import (
	"testing"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func TestLettersAreSignedOnceTheRecordWasSeen(t *testing.T) {
	const moewe = "xn--bro-mwe-e1a3c.example"
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{MailFrom: "post@Büro-Möwe.example"})
	owner := dbtest.Owner(t, d)
	wantKind(t, d.SignLetters(t.Context(), owner, "x", []string{"v=DKIM1; p="}), model.KindConflict)
	must(t, d.MakeDKIM(t.Context(), owner, moewe))
	key := func() model.DKIM {
		t.Helper()
		s, err := d.Settings(t.Context())
		must(t, err)
		return s.DKIM.Of(moewe)
	}
	k := key()
	if k.Domain != moewe || k.On {
		t.Errorf("%+v", k)
	}
	right := []string{k.Record().Value}
	wantKind(t, d.SignLetters(t.Context(), owner, k.Selector, nil), model.KindConflict)
	wantKind(t, d.SignLetters(t.Context(), owner, k.Selector, []string{"v=DKIM1; p=MII"}), model.KindConflict)
	wantKind(t, d.SignLetters(t.Context(), owner, "latchkey-former", right), model.KindConflict)
	if key().On {
		t.Fatal("signing is on without its record")
	}
	must(t, d.SignLetters(t.Context(), owner, k.Selector, right))
	if got := key(); !got.On || got.Key.Reveal() != k.Key.Reveal() {
		t.Errorf("%+v", got)
	}
	wantKind(t, d.MakeDKIM(t.Context(), owner, moewe), model.KindConflict) // not while it is in use
	must(t, d.LeaveUnsigned(t.Context(), owner, key().Selector))
	must(t, d.MakeDKIM(t.Context(), owner, moewe))
	if got := key(); got.Selector == k.Selector || got.On {
		t.Errorf("%+v", got)
	}
}

func TestNoKeyIsMadeForAnAddressThatIsNoDomain(t *testing.T) {
	for _, from := range []string{"", "x@192.0.2.7.example"} { // the first is no-reply@localhost
		d, _ := dbtest.OpenIn(t, t.TempDir(), db.Fixed{MailFrom: from})
		err := d.MakeDKIM(t.Context(), dbtest.Owner(t, d), domainOf(t, d))
		if (err != nil) != (from == "") {
			t.Errorf("%q: %v", from, err)
		}
	}
}

func TestSavingSettingsLeavesTheKeyAlone(t *testing.T) {
	d, _ := dbtest.OpenIn(t, t.TempDir(), db.Fixed{MailFrom: "post@riverside.example"})
	owner := dbtest.Owner(t, d)
	old, err := d.Settings(t.Context()) // a page that was opened before the key was made
	must(t, err)
	must(t, d.MakeDKIM(t.Context(), owner, "riverside.example"))
	must(t, d.ChangeSettings(t.Context(), owner, old))
	if s, err := d.Settings(t.Context()); err != nil || s.DKIM.Of("riverside.example").IsZero() {
		t.Errorf("the key is gone: %v", err)
	}
}

func domainOf(t *testing.T, d *db.DB) string {
	t.Helper()
	s, err := d.Settings(t.Context())
	must(t, err)
	return db.MailDomain(s.Sender())
}
