package db_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// guessAt is one wrong sign-in.
func guessAt(t *testing.T, d *db.DB, login, network string, known model.Secret) error {
	t.Helper()
	_, err := d.SignIn(t.Context(), model.SignIn{Login: login, Password: model.NewSecret("wrong"), Network: network, Known: known})
	return err
}

// nets gives ever new networks.
func nets() func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("10.%d.%d.0/24", n>>8, n&255) }
}

// crowdedOut has strangers in many networks use up the tries of a login.
func crowdedOut(t *testing.T, d *db.DB, login string) {
	t.Helper()
	from := nets()
	for range 20 {
		wantKind(t, guessAt(t, d, login, from(), model.Secret{}), model.KindSignIn)
	}
	wantKind(t, guessAt(t, d, login, from(), model.Secret{}), model.KindLimited)
}

// Whatever slows somebody down is in the database: who can have the portal
// restarted, or waits for it, gains no try.
func TestWhatIsCountedOutlivesARestart(t *testing.T) {
	const login, network = "mia@example.org", "192.0.2.0/24"
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	dbtest.App(t, d, clock, dbtest.Person(t, d, "Mia Factor", model.RoleMember), dbtest.Password)
	clock.Add(time.Minute)
	for _, email := range []string{login, "device@example.org", "crowd@example.org", "forgot@example.org"} {
		dbtest.SignedUp(t, d, "Mia Brandt", email)
	}
	dbtest.Deliver(t, d)
	asked := clock.Now()
	for range 5 {
		ask(t, d, "forgot@example.org")
		dbtest.Deliver(t, d)
		clock.Add(10 * time.Second)
	}
	clock.Add(time.Minute) // their network may ask for 30 again
	device := dbtest.SignIn(t, d, "device@example.org", dbtest.Password).Known
	ticket := dbtest.SignIn(t, d, "mia.factor@riverside.example", dbtest.Password).Second.Ticket
	prove := func(network string) error {
		_, err := d.ProveFactor(t.Context(), model.SecondProof{Ticket: ticket, Code: "000000", Network: network})
		return err
	}
	crowdedOut(t, d, "crowd@example.org")
	from := nets()
	for i := range 20 {
		if i < 5 {
			wantKind(t, guessAt(t, d, login, network, model.Secret{}), model.KindSignIn)
			wantKind(t, guessAt(t, d, "device@example.org", network, device), model.KindSignIn)
		}
		wantField(t, prove(from()), "code")
		wantKind(t, enter(t, d, fmt.Sprintf("x%d@example.org", i), wrongCode, network), model.KindSignIn)
	}
	for range 30 { // what a network may ask for in a minute
		ask(t, d, "nobody")
	}
	dbtest.Deliver(t, d)
	now := clock.Now()
	must(t, d.Close())

	d, clock = dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	for _, at := range []struct {
		what  string
		after time.Duration
		try   func() error
	}{
		{"a login from a network", time.Second, func() error { return guessAt(t, d, login, network, model.Secret{}) }},
		{"a known device", time.Second, func() error { return guessAt(t, d, "device@example.org", "", device) }},
		{"a login over all networks", 30 * time.Second, func() error { return guessAt(t, d, "crowd@example.org", from(), model.Secret{}) }},
		{"codes of a second factor", 30 * time.Second, func() error { return prove(from()) }},
		{"codes from a network", 30 * time.Second, func() error { return enter(t, d, "y@example.org", wrongCode, network) }},
	} {
		clock.Set(now.Add(at.after - time.Second))
		if err := at.try(); model.KindOf(err) != model.KindLimited {
			t.Errorf("%s, a second before it opens: %v", at.what, err)
		}
		clock.Set(now.Add(at.after))
		if err := at.try(); err == nil || model.KindOf(err) == model.KindLimited {
			t.Errorf("%s, as it opens: %v", at.what, err)
		}
	}
	dbtest.Deliver(t, d) // the lines of the tries
	clock.Set(now.Add(time.Minute - time.Second))
	ask(t, d, "nobody")
	if n, err := d.WorkIntake(t.Context()); err != nil || n != 0 {
		t.Errorf("a network asked for %d more in its minute, %v", n, err)
	}
	clock.Set(asked.Add(time.Hour - time.Second))
	ask(t, d, "forgot@example.org")
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "" {
		t.Errorf("a sixth letter in the hour: %s", got)
	}
	clock.Set(asked.Add(time.Hour))
	ask(t, d, "forgot@example.org")
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "reset to forgot@example.org" {
		t.Errorf("an hour later: %s", got)
	}
}

// Strangers with many networks keep a login slow for as long as they like. Who
// uses a link comes in all the same, with a second factor too.
func TestStrangersKeepNobodyOutWhoUsedALink(t *testing.T) {
	m := newMia(t)
	ticket, from := m.ask(t), nets()
	for range 20 {
		_, err := m.d.ProveFactor(t.Context(), model.SecondProof{Ticket: ticket, Code: "000000", Network: from()})
		wantField(t, err, "code")
	}
	crowdedOut(t, m.d, miasEmail)
	sendReset(t, m.d, dbtest.Owner(t, m.d), m.MemberID)
	const next = "nine purple teapots at dawn"
	set, err := m.d.SetPassword(t.Context(), model.NewPassword{Token: dbtest.Token(t, m.d, m.MemberID),
		Password: model.NewSecret(next), Confirm: model.NewSecret(next)})
	must(t, err)
	try := func(known model.Secret) (model.SignedIn, error) {
		return m.d.SignIn(t.Context(), model.SignIn{Login: miasEmail, Password: model.NewSecret(next), Network: from(), Known: known})
	}
	_, err = try(model.Secret{})
	wantKind(t, err, model.KindLimited)
	in, err := try(set.Device)
	must(t, err)
	proof := model.SecondProof{Ticket: in.Second.Ticket, Code: m.code(t), Network: from()}
	_, err = m.d.ProveFactor(t.Context(), proof)
	wantKind(t, err, model.KindLimited)
	proof.Known = set.Device
	if in, err = m.d.ProveFactor(t.Context(), proof); err != nil || in.Session.ID == 0 {
		t.Errorf("her code on the device of her link: %v", err)
	}
}

// Whoever knew the password for a while may have made any number of devices
// known; what they may guess afterwards does not grow with them.
func TestManyKnownDevicesGuessNoMoreThanAFew(t *testing.T) {
	d, clock := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	var devices []model.Secret
	for range 21 {
		devices = append(devices, dbtest.SignIn(t, d, "mia@example.org", dbtest.Password).Known)
	}
	for _, device := range devices[:20] {
		wantKind(t, guessAt(t, d, "mia@example.org", home, device), model.KindSignIn)
	}
	wantKind(t, guessAt(t, d, "mia@example.org", home, devices[20]), model.KindLimited)
	// They slow no stranger's device, and so nobody who never signed in.
	wantKind(t, guessAt(t, d, "mia@example.org", home, model.Secret{}), model.KindSignIn)
	clock.Add(30 * time.Second)
	wantKind(t, guessAt(t, d, "mia@example.org", home, devices[20]), model.KindSignIn)
}

// Nor does it for the second factor, where whoever reads the mail can make a
// device known with each link.
func TestWhoeverReadsTheMailGuessesNoMoreCodes(t *testing.T) {
	m := newMia(t)
	guessed := 0
	for range 8 {
		sendReset(t, m.d, dbtest.Owner(t, m.d), m.MemberID)
		set, err := m.d.SetPassword(t.Context(), model.NewPassword{Token: dbtest.Token(t, m.d, m.MemberID),
			Password: model.NewSecret(dbtest.Password), Confirm: model.NewSecret(dbtest.Password)})
		must(t, err)
		ticket := m.ask(t)
		for range 5 {
			_, err := m.d.ProveFactor(t.Context(), model.SecondProof{Ticket: ticket, Code: "000000", Network: home, Known: set.Device})
			if model.KindOf(err) != model.KindLimited {
				guessed++
			}
		}
	}
	if guessed != 20 {
		t.Errorf("%d codes were compared, want 20", guessed)
	}
}

// Somebody who has the password and tries codes is what its owner has to hear
// of.
func TestSomebodyWithThePasswordAndWithoutTheCodeIsReported(t *testing.T) {
	m := newMia(t)
	dbtest.Deliver(t, m.d)
	from := nets()
	wrong := func() {
		t.Helper()
		_, err := m.d.ProveFactor(t.Context(), model.SecondProof{Ticket: m.ask(t), Code: "000000", Network: from()})
		wantField(t, err, "code")
	}
	// Letters that the thief had sent before keep it away neither by their
	// number nor by waiting.
	for range 5 {
		ask(t, m.d, miasEmail)
		dbtest.Deliver(t, m.d)
		m.clock.Add(10 * time.Second)
	}
	for range 4 {
		wrong()
	}
	if got := dbtest.Kinds(dbtest.Deliver(t, m.d)); got != "" {
		t.Fatalf("at the fourth: %s", got)
	}
	sendReset(t, m.d, dbtest.Owner(t, m.d), m.MemberID)
	wrong()
	written := m.clock.Now()
	sent := dbtest.Deliver(t, m.d)
	if got := dbtest.Kinds(sent); got != "reset to "+miasEmail+", wrong_codes to "+miasEmail {
		t.Fatalf("at the fifth: %s", got)
	}
	if len(sent[1].Links) != 1 || sent[1].Links[0].NotMe.IsZero() || sent[1].Links[0].URL.Reveal() != sent[0].Links[0].URL.Reveal() {
		t.Errorf("its link: %+v", sent[1].Links)
	}
	for range 3 {
		wrong()
	}
	m.clock.Set(written.Add(24*time.Hour - time.Second))
	wrong()
	if got := dbtest.Kinds(dbtest.Deliver(t, m.d)); got != "" {
		t.Errorf("within a day: %s", got)
	}
	m.clock.Add(time.Second)
	wrong()
	if got := dbtest.Kinds(dbtest.Deliver(t, m.d)); got != "wrong_codes to "+miasEmail {
		t.Errorf("as it goes on a day later: %q", got)
	}
	dbtest.SetPassword(t, m.d, m.MemberID, "nine purple teapots at dawn") // with that link
}

// A flood of made-up logins leaves a bounded number of rows, and nobody's pause
// is washed away by it.
func TestMadeUpLoginsFillNoTable(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	crowdedOut(t, d, "mia@example.org")
	raw := beside(t, folder)
	// Wrong codes need no hash: five from each of 100,000 networks are soon sent.
	_, err := raw.Exec(`
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO failure (bucket, login, count, last_at) SELECT randomblob(16), randomblob(16), 5 + i % 15, ? FROM n`,
		db.FailuresKept+500, clock.Now().Add(time.Second).Unix())
	must(t, err)
	count := func() int { return tables(t, folder)["failure"] }
	clock.Add(time.Second)
	must(t, d.Tidy(t.Context()))
	if n := count(); n != db.FailuresKept {
		t.Errorf("%d rows, want %d", n, db.FailuresKept)
	}
	wantKind(t, guessAt(t, d, "mia@example.org", hotel, model.Secret{}), model.KindLimited)
	clock.Add(24*time.Hour - time.Second)
	must(t, d.Tidy(t.Context()))
	if n := count(); n < db.FailuresKept-100 {
		t.Errorf("%d rows a second before a day is over", n)
	}
	clock.Add(time.Second)
	must(t, d.Tidy(t.Context()))
	if n := count(); n != 0 {
		t.Errorf("%d rows after a day", n)
	}
}

// What a refused sign-in leaves is of one size, whoever it was; the line follows
// with the moment at which it happened.
func TestARefusedSignInLeavesTheSameForEverybody(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	owner := dbtest.Owner(t, d)
	var house []int64
	for i := range 8 {
		house = append(house, dbtest.SignedUp(t, d, fmt.Sprintf("Person %d", i), "house@example.org"))
	}
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	raw := beside(t, folder)
	lines := func(id int64) (n int) {
		must(t, raw.QueryRow(`SELECT count(*) FROM audit WHERE act = 'session.refused' AND member_id = ? AND at = ?`, id, clock.Now().Unix()).Scan(&n))
		return n
	}
	for _, login := range []string{"nobody@example.org", "mia@example.org", "house@example.org", "M-99"} {
		wantKind(t, guessAt(t, d, login, home, model.Secret{}), model.KindSignIn)
	}
	var sizes, rows int
	must(t, raw.QueryRow(`SELECT count(DISTINCT length(typed)), count(*) FROM intake WHERE kind = 'failed' AND done_at IS NULL AND typed NOT LIKE '%example%'`).Scan(&sizes, &rows))
	if sizes != 1 || rows != 4 || lines(mia) != 0 {
		t.Errorf("%d rows of %d sizes, %d lines", rows, sizes, lines(mia))
	}
	clock.Add(time.Second)
	if _, err := d.WorkIntake(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.Add(-time.Second)
	for _, id := range append(house, mia) {
		if n := lines(id); n != 1 {
			t.Errorf("member %d has %d lines of that moment", id, n)
		}
	}
	if n := lines(owner.MemberID); n != 0 {
		t.Errorf("somebody else has %d lines", n)
	}
}

// Wrong codes need no hash, so they come faster. It needs no clean-up to bound
// what they leave.
func TestMadeUpLoginsFillNoTableOfCodes(t *testing.T) {
	folder := t.TempDir()
	d, _ := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	from := nets()
	for i := range 600 {
		wantKind(t, enter(t, d, fmt.Sprintf("x%d@example.org", i), wrongCode, from()), model.KindSignIn)
	}
	if n := tables(t, folder)["code_try"]; n > 256*(4+7)+7*3 {
		t.Errorf("%d rows", n)
	}
}

func TestAFloodOfRequestsFillsNoIntake(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	from := nets()
	flood := func(n int) {
		t.Helper()
		for range n {
			must(t, d.AskReset(t.Context(), "12345", from()))
		}
	}
	rows := func() int { return tables(t, folder)["intake"] }
	flood(999)
	must(t, d.AskReset(t.Context(), "mia@example.org", from()))
	if rows() != 1000 {
		t.Fatalf("%d rows", rows())
	}
	flood(50)
	if rows() != 1000 {
		t.Errorf("%d rows, want no more than 1000", rows())
	}
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "reset to mia@example.org" {
		t.Errorf("the last that had room: %s", got)
	}
	flood(1) // there is room again
	if rows() != 1001 {
		t.Errorf("%d rows", rows())
	}
	clock.Add(time.Minute - time.Second)
	must(t, d.Tidy(t.Context()))
	if rows() != 1001 {
		t.Errorf("%d rows while they still count", rows())
	}
	clock.Add(time.Second)
	must(t, d.Tidy(t.Context()))
	if rows() != 1 {
		t.Errorf("%d rows a minute later, want the one that waits", rows())
	}
}

// The lines of failed sign-ins wait in the same table. On a slow disk a flood of
// them may come faster than they are written; nobody's request for a link is
// dropped for it, or waits behind them.
func TestAFloodOfFailedSignInsKeepsNobodyFromALink(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	mia := dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	dbtest.Deliver(t, d)
	wantKind(t, guessAt(t, d, "mia@example.org", hotel, model.Secret{}), model.KindSignIn)
	raw := beside(t, folder)
	_, err := raw.Exec(`
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
		INSERT INTO intake (kind, typed, network, made_at) SELECT kind, typed, network, made_at FROM intake, n WHERE kind = 'failed'`)
	must(t, err)
	must(t, d.AskReset(t.Context(), "mia@example.org", home))
	clock.Add(time.Minute)
	if got := dbtest.Kinds(dbtest.Deliver(t, d)); got != "reset to mia@example.org" {
		t.Errorf("letters: %q", got)
	}
	var lines, first, last int
	must(t, raw.QueryRow(`SELECT count(*), min(id) FROM audit WHERE act = 'session.refused' AND member_id = ? AND at = ?`, mia, dbtest.Start.Unix()).Scan(&lines, &first))
	must(t, raw.QueryRow(`SELECT max(id) FROM audit WHERE act = 'reset.sent' AND at = ?`, clock.Now().Unix()).Scan(&last))
	if lines != 1201 || last > first {
		t.Errorf("%d lines of failed sign-ins; the first is %d, that of the request is %d", lines, first, last)
	}
}

// until waits for what other goroutines are about to do.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for began := time.Now(); !f(); runtime.Gosched() {
		if time.Since(began) > 30*time.Second {
			t.Fatal("never came: " + what)
		}
	}
}

// Whoever has to wait is told so at once: there is no slot and no place in the
// queue, so a hash would fail.
func TestWhoeverHasToWaitCostsNoHash(t *testing.T) {
	d, _ := dbtest.Open(t)
	dbtest.SignedUp(t, d, "Mia Brandt", "mia@example.org")
	for _, login := range []string{"mia@example.org", "nobody@example.org"} {
		for range 5 {
			wantKind(t, guessAt(t, d, login, home, model.Secret{}), model.KindSignIn)
		}
	}
	giveBack := d.HoldSlots()
	defer giveBack()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, login := range []string{"mia@example.org", "nobody@example.org"} {
		_, err := d.SignIn(ctx, model.SignIn{Login: login, Password: model.NewSecret(dbtest.Password), Network: home})
		wantKind(t, err, model.KindLimited)
	}
}

// One network floods the door: it fills the queue and no more. Who comes from
// another one takes a place from it and goes before it, and a known device
// before all.
func TestOneNetworkKeepsNobodyElseWaiting(t *testing.T) {
	for name, floods := range map[string]func(i int) string{
		"one network":           func(int) string { return hotel },
		"one connection's IPv6": func(i int) string { return fmt.Sprintf("2001:db8:1:%x::/64", i) },
	} {
		t.Run(name, func(t *testing.T) { keepsNobodyElseWaiting(t, floods) })
	}
}

func keepsNobodyElseWaiting(t *testing.T, floods func(i int) string) {
	t.Helper()
	d, _ := dbtest.Open(t)
	for i := range 3 {
		dbtest.SignedUp(t, d, "Mia Brandt", fmt.Sprintf("mia%d@example.org", i))
	}
	device := dbtest.SignIn(t, d, "mia0@example.org", dbtest.Password).Known
	giveBack := d.HoldSlots()
	var mu sync.Mutex
	var order []string
	busy := map[string]int{}
	var all sync.WaitGroup
	try := func(who, login, password, network string, known model.Secret) {
		all.Go(func() {
			_, err := d.SignIn(t.Context(), model.SignIn{Login: login, Password: model.NewSecret(password), Network: network, Known: known})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case model.KindOf(err) == model.KindUnavailable:
				busy[who]++
			case who == "flood":
				order = append(order, who)
				wantKind(t, err, model.KindSignIn)
			default:
				order = append(order, who)
				if err != nil {
					t.Errorf("%s: %v", who, err)
				}
			}
		})
	}
	waiting := func(wantFirst, wantOthers int) {
		t.Helper()
		until(t, fmt.Sprintf("%d and %d waiting", wantFirst, wantOthers), func() bool {
			first, others := d.Waiting()
			return first == wantFirst && others == wantOthers
		})
	}
	for i := range 64 {
		try("flood", fmt.Sprintf("x%d@example.org", i), "wrong", floods(i), model.Secret{})
		waiting(0, i+1)
	}
	refused := func(n int) {
		t.Helper()
		until(t, fmt.Sprintf("%d sent away", n), func() bool { mu.Lock(); defer mu.Unlock(); return busy["flood"] == n })
	}
	try("flood", "y@example.org", "wrong", floods(64), model.Secret{})
	refused(1)
	try("elsewhere", "mia1@example.org", dbtest.Password, home, model.Secret{})
	refused(2)
	try("at home", "mia2@example.org", dbtest.Password, "2001:db8::/64", model.Secret{})
	refused(3)
	try("device", "mia0@example.org", dbtest.Password, hotel, device)
	waiting(1, 64)
	giveBack()
	all.Wait()
	if len(order) != 65 || len(busy) != 1 {
		t.Fatalf("%d came to a hash; sent away: %v", len(order), busy)
	}
	// Two slots may end in either order.
	for i, who := range order {
		if who != "flood" && i > 8 {
			t.Errorf("%s came %dth", who, i+1)
		}
	}
}

func TestWhoeverHangsUpLeavesTheQueue(t *testing.T) {
	d, _ := dbtest.Open(t)
	giveBack := d.HoldSlots()
	ctx, hangUp := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			_, err := d.SignIn(ctx, model.SignIn{Login: fmt.Sprintf("x%d@example.org", i), Password: model.NewSecret("wrong"), Network: home})
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	until(t, "ten waiting", func() bool { _, others := d.Waiting(); return others == 10 })
	hangUp()
	all.Wait()
	if first, others := d.Waiting(); first+others != 0 {
		t.Errorf("%d still wait", first+others)
	}
	giveBack()
	wantKind(t, guessAt(t, d, "y@example.org", home, model.Secret{}), model.KindSignIn)
}

// Passkeys are never slowed down, so who knows the number of one could have a
// line written with each wrong answer, and lines are never deleted.
func TestWrongPasskeysFillNoLog(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail, BaseURL: "http://localhost:8080"})
	_, _, mia := dbtest.App(t, d, clock, dbtest.Person(t, d, "Mia Brandt", model.RoleMember), dbtest.Password)
	raw := beside(t, folder)
	_, err := raw.Exec(`INSERT INTO passkey (account_id, credential_id, host, credential, name, password_version, made_at) VALUES (?, x'0102', 'localhost', '{"id":"AQI="}', 'Telephone', 1, 1)`,
		mia.AccountID)
	must(t, err)
	said := base64.RawURLEncoding.EncodeToString
	answer := fmt.Sprintf(`{"id":"AQI","rawId":"AQI","type":"public-key","response":{"clientDataJSON":%q,"authenticatorData":%q,"signature":"AA","userHandle":"AA"}}`,
		said([]byte(`{"type":"webauthn.get","challenge":"AA","origin":"http://localhost:8080"}`)), said(append(make([]byte, 32), 5, 0, 0, 0, 0)))
	wrong := func() (lines int) {
		door, err := d.AskAnyPasskey(t.Context())
		must(t, err)
		_, err = d.SignInWithPasskey(t.Context(), model.PasskeySignIn{Network: home, Answer: model.PasskeyAnswer{Ticket: door.Ticket, Credential: model.NewSecret(answer)}})
		wantKind(t, err, model.KindSignIn) // and never a wait
		must(t, raw.QueryRow(`SELECT count(*) FROM audit WHERE act = 'session.refused'`).Scan(&lines))
		return lines
	}
	for n := range 60 {
		if got, want := wrong(), min(n+1, 20); got != want {
			t.Fatalf("%d wrong answers, %d lines, want %d", n+1, got, want)
		}
	}
	clock.Add(29 * time.Second)
	if got := wrong(); got != 20 {
		t.Errorf("%d lines a second too early", got)
	}
	clock.Add(time.Second)
	if got := wrong(); got != 21 {
		t.Errorf("%d lines half a minute later", got)
	}
}

// Memory is bounded by the slots only if nobody hashes outside of them.
func TestPasswordsAreHashedInSlotsOnly(t *testing.T) {
	found := 0
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "HashPassword" {
				found++
				if path != filepath.Join("..", "db", "hash.go") {
					t.Errorf("%s makes a hash", path)
				}
			}
			return true
		})
		for _, i := range file.Imports {
			if strings.Contains(i.Path.Value, "argon2") && path != filepath.Join("..", "db", "model", "hash.go") {
				t.Errorf("%s imports argon2", path)
			}
		}
		return nil
	})
	must(t, err)
	if found != 1 {
		t.Errorf("hashes are made in %d places", found)
	}
}

// FuzzMarks sends what browsers bring back: the mark of a known device and the
// ticket of a shared address. Nothing counts but what was given out.
func FuzzMarks(f *testing.F) {
	d, _ := dbtest.Open(f)
	dbtest.SignedUp(f, d, "Nina Koch", "koch@example.org")
	dbtest.SignedUp(f, d, "Paul Koch", "koch@example.org")
	ticket := dbtest.SignIn(f, d, "koch@example.org", dbtest.Password).Ticket.Reveal()
	device := dbtest.SignIn(f, d, dbtest.OwnerEmail, dbtest.OwnerPassword).Known.Reveal()
	mark, owner := d.KnownDevice(device)
	if mark == "" || owner == 0 {
		f.Fatal("the mark that was given out is none")
	}
	for _, s := range []string{"", ".", "a.b", ticket, device, ticket + ".", strings.Repeat("A", 5000), "\xff\x00"} {
		f.Add(s, int64(1))
	}
	f.Fuzz(func(t *testing.T, text string, account int64) {
		if got, of := d.KnownDevice(text); got != "" && (got != mark || of != owner) {
			t.Errorf("%q is the mark %s of account %d", text, got, of)
		}
		if strings.HasPrefix(text, ticket[:len(ticket)-1]) {
			return
		}
		_, err := d.ChoosePerson(t.Context(), model.Choice{Ticket: model.NewSecret(text), AccountID: account})
		wantKind(t, err, model.KindSignIn)
	})
}
