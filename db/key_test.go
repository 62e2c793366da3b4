package db_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// vault is a portal with something of everything that depends on a key.
type vault struct {
	*db.DB
	t      *testing.T
	clock  *dbtest.Clock
	folder string
	mia    int64
	link   string
	nina   int64
	codes  []model.Secret // of Nina, for her second factor
	known  model.Secret
	dkim   string
}

const smtpWord = "smtp secret word"

func newVault(t *testing.T) *vault {
	v := &vault{t: t, folder: t.TempDir()}
	v.DB, v.clock = dbtest.OpenIn(t, v.folder, db.Fixed{BaseURL: "https://members.riverside.example"})
	owner := dbtest.Owner(t, v.DB)
	for _, word := range []string{"the former word", smtpWord} { // the former way of letters keeps its own
		must(t, v.ChangeMail(t.Context(), owner, model.MailChange{BaseURL: "https://members.riverside.example", MailFrom: "post@riverside.example",
			Mail: model.MailServer{Host: "127.0.0.1", Port: 2526, User: "club", Password: model.NewSecret(word)}, Current: model.NewSecret(dbtest.OwnerPassword)}))
		v.clock.Add(48 * time.Hour)
	}
	must(t, v.MakeDKIM(t.Context(), owner, "riverside.example"))
	s, err := v.Settings(t.Context())
	must(t, err)
	v.dkim = s.DKIM.Of("riverside.example").Key.Reveal()
	v.mia = dbtest.SignedUp(t, v.DB, "Mia Brandt", "mia@example.org")
	in, err := v.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret(dbtest.Password)})
	must(t, err)
	v.known = in.Known
	var nina model.Actor
	_, v.codes, nina = dbtest.App(t, v.DB, v.clock, dbtest.Person(t, v.DB, "Nina Holm", model.RoleMember), dbtest.Password)
	v.nina = nina.MemberID
	sendReset(t, v.DB, owner, v.mia)
	v.link = dbtest.Token(t, v.DB, v.mia).Reveal()
	return v
}

// holds makes sure that all of it still opens, for one who opened the folder.
func (v *vault) holds(d *db.DB, link bool) {
	v.t.Helper()
	s, err := d.Settings(v.t.Context())
	must(v.t, err)
	if s.Mail.Password.Reveal() != smtpWord || s.DKIM.Of("riverside.example").Key.Reveal() != v.dkim || s.Former.Mail.Password.Reveal() != "the former word" {
		v.t.Error("a sealed setting is another one now")
	}
	for login, password := range map[string]string{"mia@example.org": dbtest.Password, dbtest.OwnerEmail: dbtest.OwnerPassword} {
		if _, err := d.SignIn(v.t.Context(), model.SignIn{Login: login, Password: model.NewSecret(password), Known: v.known}); err != nil {
			v.t.Errorf("%s signs in no more: %v", login, err)
		}
	}
	step, err := d.SignIn(v.t.Context(), model.SignIn{Login: "nina.holm@riverside.example", Password: model.NewSecret(dbtest.Password)})
	must(v.t, err)
	if step.Second == nil {
		v.t.Fatal("no second factor is asked for")
	}
	if _, err := d.ProveFactor(v.t.Context(), model.SecondProof{Ticket: step.Second.Ticket, Code: v.codes[0].Reveal()}); err != nil {
		v.t.Errorf("her second factor opens no more: %v", err)
	}
	v.codes = v.codes[1:]
	if link {
		if o, err := d.OpenReset(v.t.Context(), v.link); err != nil || o.State != model.ResetLive {
			v.t.Errorf("the link is %s, %v", o.State, err)
		}
	}
}

// again is the portal as it is after a restart.
func (v *vault) again() *db.DB {
	v.t.Helper()
	d, err := db.Open(v.t.Context(), v.folder, db.Fixed{})
	must(v.t, err)
	v.t.Cleanup(func() { _ = d.Close() })
	d.SetClock(v.clock.Now)
	return d
}

func (v *vault) file() string {
	v.t.Helper()
	raw, err := os.ReadFile(filepath.Join(v.folder, "secret.key"))
	must(v.t, err)
	return string(raw)
}

func (v *vault) rotate(d *db.DB) string {
	v.t.Helper()
	id, err := d.RotateKey(v.t.Context(), model.ShellActor())
	must(v.t, err)
	return id
}

func TestAfterARotationEverythingGoesOnAndNewThingsAreMadeWithTheNewKey(t *testing.T) {
	v := newVault(t)
	id := v.rotate(v.DB)
	if v.Keys().CurrentID() != id || !strings.Contains(strings.SplitN(v.file(), "\n", 4)[2], id) {
		t.Errorf("the current key is %s, the file\n%s", v.Keys().CurrentID(), v.file())
	}
	info, err := os.Stat(filepath.Join(v.folder, "secret.key"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file has the rights %v", info.Mode())
	}
	v.holds(v.DB, true)
	v.holds(v.again(), true)
	paul := dbtest.MemberWithAccount(t, v.DB, "Paul Berg", "paul@example.org")
	r, err := v.RecordWithoutLink(t.Context(), model.ShellActor(), paul)
	must(t, err)
	if r.Latest.KeyID != id {
		t.Errorf("a new link is made with %s", r.Latest.KeyID)
	}
}

// The portal is served, and somebody rotates the keys on the same machine.
func TestARunningPortalNoticesANewKeyByItself(t *testing.T) {
	v := newVault(t)
	shell := v.again()
	id := v.rotate(shell)
	// Its next act is sealed with the new key at once.
	paul := dbtest.SignedUp(t, v.DB, "Paul Berg", "paul@example.org")
	var sealed []byte
	must(t, raw(t, v.folder).QueryRow(`SELECT password_hash FROM account WHERE member_id = ?`, paul).Scan(&sealed))
	if got := model.SealedWith(sealed); got != id {
		t.Errorf("it seals with %s", got)
	}
	v.holds(v.DB, true)

	// And what the shell makes, with the key that came after it, opens in the portal.
	quiet := v.again()
	v.rotate(shell)
	sendReset(t, shell, model.ShellActor(), paul)
	token := dbtest.Token(t, shell, paul).Reveal()
	for end := time.Now().Add(5 * time.Second); ; {
		_, err := quiet.Settings(t.Context()) // as each request begins
		must(t, err)
		if o, err := quiet.OpenReset(t.Context(), token); err == nil && o.State == model.ResetLive {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the new link never opens")
		}
	}
}

func TestAKeyIsRetiredOnceNothingLiveDependsOnIt(t *testing.T) {
	v := newVault(t)
	old := v.Keys().CurrentID()
	refused := func(named ...string) string {
		t.Helper()
		before := v.file()
		_, err := v.RetireKeys(t.Context(), model.ShellActor(), named...)
		if err == nil {
			t.Fatal("it is retired")
		}
		if v.file() != before {
			t.Error("the file changed")
		}
		return err.Error()
	}
	if got := refused(); !strings.Contains(got, "only one key") {
		t.Error(got)
	}
	if got := refused(old); !strings.Contains(got, "is the current one") {
		t.Error(got)
	}
	if got := refused("nothing"); !strings.Contains(got, "no key nothing") {
		t.Error(got)
	}
	v.rotate(v.DB)
	for range 3 {
		_, err := v.SignIn(t.Context(), model.SignIn{Login: "mia@example.org", Password: model.NewSecret("wrong")})
		wantKind(t, err, model.KindSignIn)
	}
	r, err := v.RecordWithoutLink(t.Context(), model.ShellActor(), v.mia)
	must(t, err)
	v.clock.Set(r.Latest.MadeAt.Add(model.NotMeFor - time.Second))
	if got := refused(); !strings.Contains(got, "3 password links (or the “It wasn’t me” in their letters) still need the key "+old+", until ") {
		t.Error(got)
	}
	notMe := dbtest.NotMe(t, v.DB, v.mia).Reveal()
	if o, err := v.OpenNotMe(t.Context(), notMe); err != nil || o.State == model.NotMeUnknown {
		t.Errorf("“It wasn’t me” is %s, %v", o.State, err)
	}
	v.holds(v.DB, false)
	v.clock.Add(time.Second)
	retired, err := v.RetireKeys(t.Context(), model.ShellActor())
	must(t, err)
	if !slices.Equal(retired, []string{old}) || strings.Contains(v.file(), old) {
		t.Errorf("retired %v, the file has\n%s", retired, v.file())
	}
	v.holds(v.DB, false)
	v.holds(v.again(), false)
	if o, err := v.OpenReset(t.Context(), v.link); err != nil || o.State != model.ResetUnknown {
		t.Errorf("a link of the retired key is %s, %v", o.State, err)
	}
	// Nothing is left under it.
	beside := raw(t, v.folder)
	var n int
	must(t, beside.QueryRow(`SELECT (SELECT count(*) FROM account WHERE instr(password_hash, ?1)) + (SELECT count(*) FROM factor WHERE instr(app_secret, ?1) OR instr(code_key, ?1)) + (SELECT count(*) FROM setting WHERE instr(sealed, ?1) OR instr(name, ?1))`, old).Scan(&n))
	if n != 0 {
		t.Errorf("%d values are still sealed with it", n)
	}
	a, err := v.Audit(t.Context(), dbtest.Owner(t, v.DB), model.AuditQuery{Act: "key"})
	must(t, err)
	if len(a.Rows) != 2 || a.Rows[0].Note != old {
		t.Errorf("lines: %+v", a.Rows)
	}
}

func TestAKeyStaysForEveryItWasNotMeThatNobodySaid(t *testing.T) {
	v := newVault(t)
	old := v.Keys().CurrentID()
	dbtest.SetPassword(t, v.DB, v.mia, dbtest.Password) // the link ended; who had it may still say so
	v.rotate(v.DB)
	v.clock.Add(model.NotMeFor - time.Hour)
	said := dbtest.NotMe(t, v.DB, v.mia)
	for _, want := range []string{"3 password links", "2 password links (or the “It wasn’t me” in their letters) still need the key " + old} {
		if _, err := v.RetireKeys(t.Context(), model.ShellActor()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %s", err, want)
		}
		sayNotMe(t, v.DB, said)
	}
	for _, id := range []int64{v.mia, v.nina} { // there is nobody whom it could be about
		must(t, v.DeleteAccount(t.Context(), model.ShellActor(), id))
	}
	_, err := v.RetireKeys(t.Context(), model.ShellActor())
	must(t, err)
}

func TestAKeyStaysWhileACodeThatWasReadOutWorks(t *testing.T) {
	v := newVault(t)
	key := v.rotate(v.DB) // the link is of the key before it
	r, err := v.ReadOutCode(t.Context(), dbtest.Owner(t, v.DB), v.mia, "born 1 May 1970")
	must(t, err)
	v.rotate(v.DB)
	v.clock.Add(model.SpokenCodeLife - time.Second)
	if _, err := v.RetireKeys(t.Context(), model.ShellActor(), key); err == nil || !strings.Contains(err.Error(), "1 code that was read out still needs the key "+key+", until ") {
		t.Errorf("retired: %v", err)
	}
	works(t, v.DB, r.Spoken.Code, home, true)
	v.clock.Add(time.Second)
	_, err = v.RetireKeys(t.Context(), model.ShellActor(), key)
	must(t, err)
	v.holds(v.again(), true)
}

func TestAManyTimesRotatedRingIsRetiredOneByOneOrWhole(t *testing.T) {
	v := newVault(t)
	first := v.Keys().CurrentID()
	second, third := v.rotate(v.DB), v.rotate(v.DB)
	v.clock.Add(30 * 24 * time.Hour)
	_, err := v.RetireKeys(t.Context(), model.ShellActor(), second)
	must(t, err)
	if got := v.Keys().IDs(); !slices.Equal(got, []string{third, first}) {
		t.Errorf("left: %v", got)
	}
	v.holds(v.again(), false)
	v.rotate(v.DB)
	_, err = v.RetireKeys(t.Context(), model.ShellActor())
	must(t, err)
	if len(v.Keys().IDs()) != 1 {
		t.Errorf("left: %v", v.Keys().IDs())
	}
	v.holds(v.again(), false)
}

func TestAWrongOrIncompleteKeyFileIsToldAtTheStart(t *testing.T) {
	v := newVault(t)
	path := filepath.Join(v.folder, "secret.key")
	old := v.file()
	id := v.rotate(v.DB)
	whole := v.file()
	for name, c := range map[string]struct{ content, want string }{
		"a copy from before the rotation": {old, "the key " + id + " is not in the key file"},
		"only the new line":               {strings.Join(strings.SplitN(whole, "\n", 4)[:3], "\n") + "\n", "is not in the key file"},
		"another portal's":                {string(model.NewKeyring().File()), "belongs to another database"},
		"the ids, with other keys": {func() string {
			lines := strings.Split(strings.TrimSpace(string(model.NewKeyring().File())), "\n")
			_, key, _ := strings.Cut(lines[len(lines)-1], " ")
			return id + " " + key + "\n" + v.Keys().IDs()[1] + " " + key + "\n"
		}(), "belongs to another database"},
		"cut short": {whole[:len(whole)-9], "is damaged"},
		"empty":     {"", "is damaged"},
	} {
		must(t, os.WriteFile(path, []byte(c.content), 0o600))
		d, err := db.Open(t.Context(), v.folder, db.Fixed{})
		if err == nil {
			_ = d.Close()
			t.Errorf("%s: it opens", name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "put ") || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, os.Remove(path))
	if _, err := db.Open(t.Context(), v.folder, db.Fixed{}); err == nil || !strings.Contains(err.Error(), "is missing: put it back") {
		t.Errorf("missing: %v", err)
	}
	must(t, os.WriteFile(path, []byte(whole), 0o600))
	v.holds(v.again(), true)
}

// Each is a folder as a crash could leave it.
func TestACrashBetweenTwoStepsOfAKeyLosesNothing(t *testing.T) {
	for name, crash := range map[string]func(v *vault){
		"the new file is half written": func(v *vault) {
			must(v.t, os.WriteFile(filepath.Join(v.folder, "secret.key.new"), []byte("# Latchkey's ke"), 0o600))
		},
		"the file has a new key, and the database knows of none": func(v *vault) {
			must(v.t, os.WriteFile(filepath.Join(v.folder, "secret.key"), v.Keys().Rotated().File(), 0o600))
		},
		"a part is sealed anew": func(v *vault) {
			id := v.rotate(v.DB)
			dbtest.SetPassword(v.t, v.DB, v.mia, dbtest.Password)
			if v.Keys().CurrentID() != id {
				v.t.Fatal("not rotated")
			}
		},
		"nothing is sealed with a key any more, and it stands in the file": func(v *vault) {
			before := v.file()
			v.rotate(v.DB)
			rotated := v.file()
			v.clock.Add(30 * 24 * time.Hour)
			_, err := v.RetireKeys(v.t.Context(), model.ShellActor())
			must(v.t, err)
			must(v.t, os.WriteFile(filepath.Join(v.folder, "secret.key"), []byte(rotated), 0o600))
			if before == rotated {
				v.t.Fatal("not rotated")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVault(t)
			crash(v)
			d := v.again()
			v.holds(d, false)
			v.holds(v.DB, false)
			current := v.rotate(d)
			v.clock.Add(30 * 24 * time.Hour)
			_, err := d.RetireKeys(t.Context(), model.ShellActor())
			must(t, err)
			if got := d.Keys().IDs(); !slices.Equal(got, []string{current}) {
				t.Errorf("left: %v", got)
			}
			v.holds(v.again(), false)
			if _, err := os.Stat(filepath.Join(v.folder, "secret.key.new")); err == nil {
				t.Error("a second file with the keys lies about")
			}
		})
	}
}

// A new column of either kind must be named in db/key.go, or here.
func TestEveryColumnThatDependsOnAKeyIsKnownToRetire(t *testing.T) {
	folder := t.TempDir()
	dbtest.OpenIn(t, folder, db.Fixed{})
	known := map[string]string{
		"account.password_hash": "sealedColumns", "setting.sealed": "the settings",
		"factor.app_secret": "sealedColumns", "factor.code_key": "sealedColumns", "recovery_code.hash": "under factor.code_key", "passkey.credential_id": "no key in it",
		"reset.key_id": "keyHolders", "reset.spoken": "keyHolders",
		"email_change.password_hash": "sealedColumns", "email_change.key_id": "keyHolders", "email_change.selector": "no key in it", "email_change.salt": "no key in it",
		"account.salt": "no key in it", "reset.selector": "no key in it", "sessions.data": "no key in it", "member_crowd.places": "no key in it",
		"failure.bucket": "begins anew", "failure.login": "begins anew", "code_try.key": "begins anew", "intake.network": "two days at most, and only counts",
	}
	columns, err := raw(t, folder).Query(`SELECT m.name || '.' || c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND (upper(c.type) = 'BLOB' OR c.name LIKE '%key_id%' OR c.name LIKE '%sealed%')`)
	must(t, err)
	defer columns.Close()
	n := 0
	for columns.Next() {
		var name string
		must(t, columns.Scan(&name))
		n++
		if known[name] == "" {
			t.Errorf("%s: if it is sealed, name it in sealedColumns; if only its key can verify what was sent out, in keyHolders; and say so here", name)
		}
	}
	must(t, columns.Err())
	if n != len(known) {
		t.Errorf("%d columns, of which %d are known", n, len(known))
	}
}
