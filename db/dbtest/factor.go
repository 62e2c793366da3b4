package dbtest

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238, as all apps do it
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/model"
)

// AppCode is what an authenticator app shows at a moment for the key that was
// typed into it. It is RFC 6238 read anew, and not the portal's own reading.
func AppCode(t testing.TB, key string, at time.Time) string {
	t.Helper()
	mac := hmac.New(sha1.New, AppKey(t, key))
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(at.Unix()/30)))
	sum := mac.Sum(nil)
	cut := sum[len(sum)-1] & 0xf
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[cut:cut+4])&0x7fffffff%1_000_000)
}

// AppKey is the bytes of a key as it is typed into an app.
func AppKey(t testing.TB, key string) []byte {
	t.Helper()
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(key, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// App sets up an authenticator app for somebody with Password, and gives its
// key, their recovery codes, and them as they are now.
func App(t testing.TB, d *db.DB, clock *Clock, actor model.Actor, password string) (key string, codes []model.Secret, now model.Actor) {
	t.Helper()
	in := SignIn(t, d, Account(t, d, actor.MemberID).Email, password)
	app, err := d.BeginApp(t.Context(), actor, model.SelfProof{Password: model.NewSecret(password)})
	if err != nil {
		t.Fatal(err)
	}
	key = app.Secret.Reveal()
	added, err := d.ConfirmApp(t.Context(), actor, in.Session.ID, app.Ticket, AppCode(t, key, clock.Now()))
	if err != nil {
		t.Fatal(err)
	}
	a := Account(t, d, actor.MemberID)
	actor.Stamp = a.SessionStamp
	return key, added.Codes, actor
}

// SignIn is a right password, and as far as it gets one.
func SignIn(t testing.TB, d *db.DB, login, password string) model.SignedIn {
	t.Helper()
	in, err := d.SignIn(t.Context(), model.SignIn{Login: login, Password: model.NewSecret(password), Device: "Firefox on Linux", Network: "192.0.2.0/24"})
	if err != nil {
		t.Fatal(err)
	}
	return in
}
