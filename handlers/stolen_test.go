package handlers

import (
	"bytes"
	"database/sql"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// robbed is a portal that runs, with one of everything that opens something,
// and what a thief carried off while it ran: the database with its side files
// and a copy that SQLite made of it. secret.key was somewhere else.
type robbed struct {
	*site
	loot    string // the folder of the thief
	secrets map[string][]byte
	nina    int64 // has a link, a second factor and two sessions
	paul    int64 // has a link, and nothing set yet
	app     string
	codes   []string // recovery codes
}

func rob(t *testing.T) *robbed {
	t.Helper()
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{})
	s := serveSite(t, d, clock)
	r := &robbed{site: s, loot: t.TempDir(), secrets: map[string][]byte{}}
	ctx, owner := t.Context(), dbtest.Owner(t, d)
	keep := func(name, secret string) {
		if secret == "" {
			t.Fatalf("there is no %s", name)
		}
		r.secrets[name] = []byte(secret)
	}

	settings, err := d.Settings(ctx)
	must0(t, err)
	for _, word := range []string{"the former smtp word", "the smtp word of today"} { // the former way is kept for a day
		keep("mail server's password: "+word, word)
		must0(t, d.ChangeMail(ctx, owner, model.MailChange{BaseURL: settings.BaseURL, MailFrom: "post@riverside.example", Current: model.NewSecret(dbtest.OwnerPassword),
			Mail: model.MailServer{Host: "127.0.0.1", Port: 2526, User: "club", Password: model.NewSecret(word)}}))
	}
	must0(t, d.MakeDKIM(ctx, owner, "riverside.example"))
	settings, err = d.Settings(ctx)
	must0(t, err)
	keep("DKIM key", settings.DKIM.Of("riverside.example").Key.Reveal())
	bounces, err := d.NewBounceSecret(ctx, owner)
	must0(t, err)
	keep("secret for reports", bounces.Reveal())
	must0(t, d.ChangeTemplate(ctx, owner, model.LetterReset, 0, model.Template{Subject: goodSubject, Text: goodText + " {{code}}", HTML: goodHTML + "<p>{{code}}</p>"}))

	keep("password", dbtest.Password)
	keep("owner's password", dbtest.OwnerPassword)
	nina, actor := s.signedIn(t, "Nina Holm", model.RoleMember)
	r.nina = actor.MemberID
	r.app, r.codes = withApp(nina, dbtest.Password)
	keep("app's key", string(dbtest.AppKey(t, r.app)))
	for _, code := range r.codes {
		keep("recovery code "+code, strings.ReplaceAll(code, "-", ""))
	}
	for _, c := range append(nina.cookies(), s.owner(t).cookies()...) {
		keep("cookie "+c.Name+" "+c.Value[:4], c.Value)
	}
	stranger := s.browser(t)
	for _, name := range []string{"ticket of the second step", "another ticket of the second step"} {
		keep(name, stranger.post("/sign-in", "login", ninas, "password", dbtest.Password).is(http.StatusOK).
			doc.Find(`input[name="ticket"]`).First().AttrOr("value", ""))
	}
	s.couple(t)
	keep("ticket of a household", stranger.post("/sign-in", "login", "holm@example.org", "password", dbtest.Password).is(http.StatusOK).
		doc.Find(`input[name="ticket"]`).First().AttrOr("value", ""))
	stranger.post("/sign-in", "login", ninas, "password", "mistyped umbrellas")
	keep("mistyped password", "mistyped umbrellas")
	stranger.post("/reset/code", "login", ninas, "code", "K7WX-M3QZ")
	keep("mistyped code", "K7WXM3QZ")

	r.paul = dbtest.MemberWithAccount(t, d, "Paul Berg", pauls)
	for _, one := range []struct {
		name   string
		member int64
	}{{"Nina's", r.nina}, {"Paul's", r.paul}} {
		name, member := one.name, one.member
		dbtest.Deliver(t, d) // no letter that waits takes this one in
		clock.Add(time.Minute)
		must0(t, d.SendPasswordReset(ctx, owner, member))
		dbtest.Deliver(t, d)
		s.owner(t).get(record(member) + "/settings").is(http.StatusOK) // seen, opened, and its letters are in the log
		token := dbtest.Token(t, d, member).Reveal()
		s.browser(t).get("/reset/" + token).is(http.StatusSeeOther)
		keep(name+" link", token)
		keep(name+" “It wasn’t me”", dbtest.NotMe(t, d, member).Reveal())
		code, err := d.Keys().ResetCode(dbtest.Link(t, d, member))
		must0(t, err)
		keep(name+" code of the letter", bare(code.Reveal()))
		spoken, err := d.ReadOutCode(ctx, owner, member, "born 1 May 1970")
		must0(t, err)
		keep(name+" code that was read out", bare(spoken.Spoken.Code.Reveal()))
	}
	// The bytes that a link is made of: its selector is no secret, the tag is.
	for name, secret := range r.secrets {
		if len(secret) == model.TokenLen {
			whole, err := base32.StdEncoding.DecodeString(strings.ToUpper(string(secret)))
			must0(t, err)
			keep("tag of "+name, string(whole[8:]))
		}
	}
	for _, line := range strings.Split(string(d.Keys().File()), "\n") {
		if _, coded, ok := strings.Cut(line, " "); ok && !strings.HasPrefix(line, "#") {
			key, err := base64.StdEncoding.DecodeString(coded)
			must0(t, err)
			keep("master key", string(key))
		}
	}

	beside, err := sql.Open("sqlite3", dbtest.RawDSN(folder, ""))
	must0(t, err)
	defer beside.Close()
	_, err = beside.ExecContext(ctx, `VACUUM INTO ?`, filepath.Join(r.loot, "copy.db"))
	must0(t, err)
	for _, name := range []string{"latchkey.db", "latchkey.db-wal", "latchkey.db-shm"} {
		content, err := os.ReadFile(filepath.Join(folder, name))
		must0(t, err)
		must0(t, os.WriteFile(filepath.Join(r.loot, name), content, 0o600))
	}
	return r
}

// bare is a code as it is compared.
func bare(code string) string { return strings.ReplaceAll(code, "-", "") }

func (b *browser) cookies() []*http.Cookie {
	b.t.Helper()
	return b.client.Jar.Cookies(b.request(http.MethodGet, "/", "").URL)
}

// writings are the forms in which a secret could stand in a file.
func writings(secret []byte) map[string][]byte {
	all := map[string][]byte{
		"as it is": secret, "in upper case": bytes.ToUpper(secret), "in lower case": bytes.ToLower(secret),
		"base64": []byte(base64.RawStdEncoding.EncodeToString(secret)), "base64 for addresses": []byte(base64.RawURLEncoding.EncodeToString(secret)),
		"hex": []byte(hex.EncodeToString(secret)), "HEX": []byte(strings.ToUpper(hex.EncodeToString(secret))),
		"base32":  []byte(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)),
		"escaped": []byte(url.QueryEscape(string(secret))),
	}
	all["base32 in lower case"] = bytes.ToLower(all["base32"])
	if text := string(secret); len(text) == 8 { // a code, as people see it
		all["with a dash"] = []byte(text[:4] + "-" + text[4:])
	}
	if coded, rest, ok := strings.Cut(string(secret), "."); ok { // signed: what it says, and its tag
		for name, part := range map[string]string{"what it says": coded, "its tag": rest} {
			if raw, err := base64.RawURLEncoding.DecodeString(part); err == nil && len(raw) >= 16 {
				all[name] = raw
			}
		}
	}
	return all
}

// findings is where one of the thief's files holds a secret or a piece of it:
// SQLite cuts what is long at the end of a page.
func (r *robbed) findings(t *testing.T) (found []string) {
	t.Helper()
	const piece = 24
	err := filepath.WalkDir(r.loot, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		must0(t, err)
		if !bytes.Contains(content, []byte(ninas)) && !strings.HasSuffix(path, "-shm") && !strings.HasSuffix(path, ".db") {
			t.Errorf("%s is not the file it should be", e.Name())
		}
		for name, secret := range r.secrets {
			for how, written := range writings(secret) {
				for at := 0; at < len(written); at += piece {
					if part := written[at:min(at+piece, len(written))]; (at == 0 || len(part) == piece) && bytes.Contains(content, part) {
						found = append(found, e.Name()+" holds the "+name+", "+how)
						break
					}
				}
			}
		}
		return nil
	})
	must0(t, err)
	return found
}

func TestAStolenDatabaseHoldsNoSecretInAnyWriting(t *testing.T) {
	r := rob(t)
	for _, found := range r.findings(t) {
		t.Error(found)
	}
	// The search itself: each writing of a secret is found once it is there.
	for how, written := range writings([]byte("Seven Green/Umbrellas?")) {
		r.secrets = map[string][]byte{"planted": []byte("Seven Green/Umbrellas?")}
		must0(t, os.WriteFile(filepath.Join(r.loot, "planted.db"), append([]byte("before "), written...), 0o600))
		if len(r.findings(t)) == 0 {
			t.Errorf("a secret %s is not found", how)
		}
	}
}

// keyless is a portal of the thief's own on the stolen files: with a key that
// they made, under the name of ours, and with the check of the key file taken
// out, which whoever has the file can do.
func (r *robbed) keyless(t *testing.T, files string) *site {
	t.Helper()
	folder := t.TempDir()
	content, err := os.ReadFile(filepath.Join(r.loot, files))
	must0(t, err)
	must0(t, os.WriteFile(filepath.Join(folder, "latchkey.db"), content, 0o600))
	if files == "latchkey.db" {
		wal, err := os.ReadFile(filepath.Join(r.loot, "latchkey.db-wal"))
		must0(t, err)
		must0(t, os.WriteFile(filepath.Join(folder, "latchkey.db-wal"), wal, 0o600))
	}
	open := func() (*db.DB, error) { return db.Open(t.Context(), folder, db.Fixed{}) }
	if _, err := open(); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Fatalf("without a key: %v", err)
	}
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("thief!!!"), 4))
	must0(t, os.WriteFile(filepath.Join(folder, "secret.key"), []byte(r.db.Keys().CurrentID()+" "+key+"\n"), 0o600))
	if _, err := open(); err == nil || !strings.Contains(err.Error(), "belongs to another database") {
		t.Fatalf("with another key: %v", err)
	}
	beside, err := sql.Open("sqlite3", dbtest.RawDSN(folder, ""))
	must0(t, err)
	_, err = beside.ExecContext(t.Context(), `DELETE FROM setting WHERE sealed IS NOT NULL`)
	must0(t, err)
	must0(t, beside.Close())
	d, err := open()
	must0(t, err)
	t.Cleanup(func() { _ = d.Close() })
	d.SetClock(r.clock.Now)
	return serveSite(t, d, r.clock)
}

// secret is one of what was kept.
func (r *robbed) secret(t *testing.T, name string) string {
	t.Helper()
	s, ok := r.secrets[name]
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	return string(s)
}

// try is something that could open an account.
type try struct{ how, login, secret string }

// networks are those of the tries: each comes from its own, so that none fails
// only because of those before it.
var networks int

// opens says whether a try gets somebody in, or anything else done.
func (s *site) opens(t *testing.T, a try) bool {
	t.Helper()
	b := s.browser(t)
	networks++
	b.header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.0.7", networks%256))
	switch a.how {
	case "link":
		shown := b.follow(b.get("/reset/"+a.secret)).doc.Find(`input[name="password_confirm"]`).Length() > 0
		set := b.post("/reset", "token", a.secret, "password", newPassword, "password_confirm", newPassword).status == http.StatusSeeOther
		return shown || set
	case "not me":
		return b.post("/not-me", "token", a.secret).status == http.StatusOK
	case "code":
		return b.post("/reset/code", "login", a.login, "code", a.secret).status == http.StatusSeeOther
	case "password":
		in := b.post("/sign-in", "login", a.login, "password", a.secret)
		return in.status == http.StatusSeeOther || in.doc.Find(`input[name="ticket"]`).Length() > 0
	case "factor": // the ticket stands for the login
		return b.post("/sign-in/factor", "ticket", a.login, "code", a.secret).status == http.StatusSeeOther
	case "session":
		return b.get("/account", "Cookie", "latchkey="+a.secret).status == http.StatusOK
	case "reports":
		return b.postBounce([]byte("x"), "Authorization", "Bearer "+a.secret).status != http.StatusUnauthorized
	}
	t.Fatalf("no way to try a %s", a.how)
	return false
}

const ninas, pauls = "nina.holm@riverside.example", "paul@example.org"

// ours is what opens the portal that was robbed. A cookie is not among it: a
// session is recognised by the plain hash of 256 random bits, which is nothing
// that could be guessed.
func (r *robbed) ours(t *testing.T) []try {
	t.Helper()
	secret := func(name string) string { return r.secret(t, name) }
	return []try{
		{"password", ninas, dbtest.Password},
		{"password", dbtest.OwnerEmail, dbtest.OwnerPassword},
		{"factor", secret("ticket of the second step"), dbtest.AppCode(t, r.app, r.clock.Now())},
		{"factor", secret("another ticket of the second step"), r.codes[0]},
		{"reports", "", secret("secret for reports")},
		{"code", pauls, secret("Paul's code of the letter")},
		{"code", ninas, secret("Nina's code that was read out")},
		{"link", ninas, secret("Nina's link")},
		{"not me", ninas, secret("Nina's “It wasn’t me”")},
		{"link", pauls, secret("Paul's link")},
	}
}

// Without the key the right secrets open nothing either: what the files hold
// is not enough to recognise them. So nothing can be tried out against the
// files: no password list, no six digits, no code of eight characters.
func TestAgainstAStolenDatabaseNothingCanBeTriedOut(t *testing.T) {
	r := rob(t)
	all := r.ours(t)
	for _, files := range []string{"latchkey.db", "copy.db"} {
		theirs := r.keyless(t, files)
		for _, a := range all {
			if theirs.opens(t, a) {
				t.Errorf("on the thief's machine, with %s, this %s fits: %q", files, a.how, a.secret)
			}
		}
	}
	for _, a := range all { // the right ones, tried in the right way
		if !r.opens(t, a) {
			t.Errorf("at home this %s does not fit: %q", a.how, a.secret)
		}
	}
}

// The thief's portal makes links, codes, tickets and sessions for the accounts
// in the files. Nothing of that opens ours, nor does what the files say.
func TestWhatAThiefMakesOfAStolenDatabaseOpensNothing(t *testing.T) {
	r := rob(t)
	theirs := r.keyless(t, "copy.db")
	var forged []try
	for _, login := range []string{ninas, pauls} {
		member := map[string]int64{ninas: r.nina, pauls: r.paul}[login]
		link := dbtest.Link(t, theirs.db, member)
		token, err := theirs.db.Keys().ResetToken(link)
		must0(t, err)
		notMe, err := theirs.db.Keys().NotMeToken(link)
		must0(t, err)
		code, err := theirs.db.Keys().ResetCode(link)
		must0(t, err)
		forged = append(forged, try{"not me", login, notMe.Reveal()}, try{"code", login, code.Reveal()}, try{"link", login, token.Reveal()})
		if !theirs.opens(t, forged[len(forged)-1]) {
			t.Error("not even there: this is no link")
		}
	}
	paul := theirs.browser(t)
	paul.signIn(pauls, newPassword)
	for _, c := range paul.cookies() {
		forged = append(forged, try{"session", "", c.Value})
	}
	beside, err := sql.Open("sqlite3", "file:"+filepath.Join(r.loot, "copy.db"))
	must0(t, err)
	defer beside.Close()
	read := func(query string) (value string) {
		t.Helper()
		must0(t, beside.QueryRowContext(t.Context(), query).Scan(&value))
		return value
	}
	// Nina has another password at the thief's by now, and at home the one she
	// always had.
	ticket := func(s *site, password string) string {
		return s.browser(t).post("/sign-in", "login", ninas, "password", password).one(`form[action="/sign-in/factor"]:not([data-passkey]) input[name="ticket"]`).AttrOr("value", "")
	}
	forged = append(forged,
		try{"session", "", read(`SELECT token FROM sessions`)}, try{"session", "", read(`SELECT id FROM session`)},
		try{"reports", "", read(`SELECT hex(sealed) FROM setting WHERE name = 'bounce_secret'`)},
		try{"code", pauls, read(`SELECT hex(spoken) FROM reset WHERE spoken IS NOT NULL`)},
		try{"password", ninas, read(`SELECT hex(password_hash) FROM account WHERE password_hash IS NOT NULL`)},
		try{"factor", ticket(r.site, dbtest.Password), read(`SELECT hex(hash) FROM recovery_code`)},
		try{"factor", ticket(theirs, newPassword), r.codes[1]},
	)
	for _, a := range forged {
		if r.opens(t, a) {
			t.Errorf("this %s opens the portal that was robbed: %q", a.how, a.secret)
		}
	}
	for _, a := range r.ours(t)[5:] {
		if !r.opens(t, a) {
			b := r.browser(t).post("/reset/code", "login", a.login, "code", a.secret)
			t.Errorf("and the right %s of %s does not: %d %s", a.how, a.login, b.status, b.text("main"))
		}
	}
}

// A sealed value opens in its own row alone: whoever can write into the
// database cannot put a password that they know, or their app, into another's.
func TestASealedValueMovedToAnotherRowOpensNothing(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	s := serveSite(t, d, clock)
	_, eve := s.signedIn(t, "Eve Holm", model.RoleMember)
	beside, err := sql.Open("sqlite3", dbtest.RawDSN(folder, ""))
	must0(t, err)
	defer beside.Close()
	owner := dbtest.Owner(t, d)
	_, err = beside.ExecContext(t.Context(), `UPDATE account SET salt = (SELECT salt FROM account WHERE id = ?1), password_hash = (SELECT password_hash FROM account WHERE id = ?1) WHERE id = ?2`,
		eve.AccountID, owner.AccountID)
	must0(t, err)
	b := s.browser(t)
	if a := b.post("/sign-in", "login", dbtest.OwnerEmail, "password", dbtest.Password); a.status == http.StatusSeeOther {
		t.Error("Eve's password opens the owner's account")
	}
}
