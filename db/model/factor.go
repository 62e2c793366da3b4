package model

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// FactorRule says what a role does about a second factor.
type FactorRule string

// The rules. Whoever has a second factor is asked for it under each of them.
const (
	FactorOff      FactorRule = "off"      // none can be set up
	FactorOptional FactorRule = "optional" // whoever likes
	FactorRequired FactorRule = "required" // within FactorGrace
)

// ParseFactorRule reads a rule as it stands in a form or a row.
func ParseFactorRule(s string) (FactorRule, bool) {
	r := FactorRule(s)
	return r, r == FactorOff || r == FactorOptional || r == FactorRequired
}

// FactorRules is the rule of each role.
type FactorRules struct{ Member, Viewer, Staff, Owner FactorRule }

// DefaultFactorRules asks those who can open other people's records.
var DefaultFactorRules = FactorRules{Member: FactorOptional, Viewer: FactorRequired, Staff: FactorRequired, Owner: FactorRequired}

// Of is where the rule of a role stands.
func (r *FactorRules) Of(role Role) *FactorRule {
	switch role {
	case RoleViewer:
		return &r.Viewer
	case RoleStaff:
		return &r.Staff
	case RoleOwner:
		return &r.Owner
	}
	return &r.Member
}

// Require reports whether a role has to have a second factor.
func (r FactorRules) Require(role Role) bool { return *r.Of(role) == FactorRequired }

const (
	// FactorGrace is how long somebody whose role requires a second factor may
	// work without one, from the first sign-in at which it was asked for.
	FactorGrace = 7 * 24 * time.Hour

	// MailedProof is how long a password set through a letter shows that
	// whoever signs in with it reads the account's mail.
	MailedProof = 24 * time.Hour

	// ClearedFor is how long the office does not get to see an account's links
	// after it cleared the second factor: both together would be the whole
	// account (product.md §3.4).
	ClearedFor = 72 * time.Hour
)

// FactorFacts is what an account knows of its second factor.
type FactorFacts struct {
	At        time.Time // since when there is one; zero without one
	AskedAt   time.Time // first sign-in without one that the role requires
	WantedAt  time.Time // the password was right then, and no second factor has been given since
	ClearedAt time.Time // by the office
	DoubtedAt time.Time // "It wasn't me" was said of the link after which it was set up; zero once it was given
	MailedAt  time.Time // a password was set through a link that nobody at the office saw
}

// HasFactor reports whether signing in takes more than the password.
func (a Account) HasFactor() bool { return !a.Factor.At.IsZero() }

// FactorDue is until when the account has to have a second factor; zero if it
// has one, or need not.
func (r FactorRules) FactorDue(a Account) time.Time {
	if a.HasFactor() || !r.Require(a.Role) || a.Factor.AskedAt.IsZero() {
		return time.Time{}
	}
	return a.Factor.AskedAt.Add(FactorGrace)
}

// FactorOverdue reports whether the grace is over: the office stays closed
// until there is a second factor.
func (r FactorRules) FactorOverdue(a Account, now time.Time) bool {
	due := r.FactorDue(a)
	return !due.IsZero() && !now.Before(due)
}

// NeedsLetter reports whether a second factor can be set up only by somebody
// who just showed that they read the account's mail. Within the grace the
// password is enough; a password that was stolen and lay unused for longer
// must not be (product.md §4.7). Where no letter can reach anybody there is
// nothing to ask for.
func (s Settings) NeedsLetter(a Account, now time.Time) bool {
	return s.Factors.FactorOverdue(a, now) && s.Delivers() && a.Email != "" &&
		!now.Before(a.Factor.MailedAt.Add(MailedProof))
}

var errFactorOff = Forbidden("The association does not use a second step for accounts like yours.")

// MaySetUpFactor says whether an account may get a second factor, or another
// one, now.
func (s Settings) MaySetUpFactor(a Account, now time.Time) error {
	switch {
	case *s.Factors.Of(a.Role) == FactorOff && !a.HasFactor():
		return errFactorOff
	case s.NeedsLetter(a, now):
		return Forbidden("Please choose a new password through an emailed link first. This makes sure that it is you.")
	}
	return nil
}

// MayMoveNow says whether the office may give the account another address: not
// while it may not see its links, or the letter that must not be seen would go
// wherever it likes.
func (a Account) MayMoveNow(now time.Time) error {
	if a.LinksOnlyMailed(now) {
		return errClearedLately
	}
	return nil
}

var errClearedLately = Conflict("The second step was cleared less than three days ago, so the address stays as it is for now: whoever changed both could sign in as them.")

// LinksOnlyMailed reports whether the office may not see the account's links
// because it cleared the second factor a short while ago.
func (a Account) LinksOnlyMailed(now time.Time) bool {
	return !a.Factor.ClearedAt.IsZero() && now.Before(a.Factor.ClearedAt.Add(ClearedFor))
}

// AppStepLength is how long a code of an authenticator app counts (RFC 6238
// §5.2), and its app shows it.
const AppStepLength = 30 * time.Second

// AppStep is the number of a moment's 30 seconds.
func AppStep(now time.Time) int64 { return now.Unix() / int64(AppStepLength/time.Second) }

// AppStepUsed finds the step whose code was typed: the present one, the one
// before it, or the one after it, for a telephone whose clock is half a minute
// off. Steps up to the last that was used are not even compared, so that a
// code seen over somebody's shoulder is worth nothing (RFC 6238 §5.2; OWASP
// ASVS 5.0, 6.5.1). codeAt gives the code of a step.
func AppStepUsed(typed string, last int64, now time.Time, codeAt func(step int64) string) (step int64, ok bool) {
	present := AppStep(now)
	for s := present - 1; s <= present+1; s++ {
		if s > last && subtle.ConstantTimeCompare([]byte(codeAt(s)), []byte(typed)) == 1 {
			return s, true
		}
	}
	return 0, false
}

const (
	appSecretLen = 20 // bytes: as long as the hash of RFC 4226 §4, R6
	// AppDigits is the length of an app's codes.
	AppDigits = 6
)

// NewAppSecret is a new random secret for an authenticator app.
func NewAppSecret() []byte {
	secret := make([]byte, appSecretLen)
	rand.Read(secret)
	return secret
}

// AppSecretText is a secret as an app wants it typed: base32 in groups of four.
func AppSecretText(secret []byte) string {
	return grouped(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret), " ")
}

// AppURI is what the picture for an authenticator app says
// (https://github.com/google/google-authenticator/wiki/Key-Uri-Format).
func AppURI(secret []byte, issuer, login string) string {
	escape := func(s string) string { // a colon ends the issuer, and a plus is a plus here
		return strings.ReplaceAll(url.QueryEscape(strings.NewReplacer(":", " ", "/", " ").Replace(s)), "+", "%20")
	}
	return "otpauth://totp/" + escape(issuer) + ":" + escape(login) +
		"?secret=" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret) + "&issuer=" + escape(issuer)
}

// A recovery code has 12 of these characters, 58 bits: too many to guess where
// wrong ones are slowed down. None of them looks like another.
const (
	recoveryAlphabet = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
	recoveryLen      = 12
	// RecoveryCodes is how many there are to begin with.
	RecoveryCodes = 10
)

// NewRecoveryCodes are ten new ones, as they are shown.
func NewRecoveryCodes() []Secret {
	codes := make([]Secret, RecoveryCodes)
	for i := range codes {
		codes[i] = NewSecret(grouped(randomOf(recoveryAlphabet, recoveryLen), "-"))
	}
	return codes
}

// randomOf draws characters, each as likely as the others.
func randomOf(alphabet string, n int) string {
	fair := byte(256 / len(alphabet) * len(alphabet))
	out, b := make([]byte, 0, n), make([]byte, 1)
	for len(out) < n {
		if rand.Read(b); b[0] < fair {
			out = append(out, alphabet[int(b[0])%len(alphabet)])
		}
	}
	return string(out)
}

func grouped(s, between string) string {
	var b strings.Builder
	for i, c := range s {
		if i > 0 && i%4 == 0 {
			b.WriteString(between)
		}
		b.WriteRune(c)
	}
	return b.String()
}

// ParseSecondCode sorts what was typed into the one field for a second factor:
// the six digits of an app, or a recovery code. Case, spaces and dashes are
// forgiven. Both are "" for what can be neither.
func ParseSecondCode(typed string) (app, recovery string) {
	if len(typed) > 64 { // longer than any code with a space behind each character
		return "", ""
	}
	bare := strings.Map(func(r rune) rune {
		switch r {
		case ' ', '-', '\t', '\u00a0', '\u2010', '\u2011', '\u2013':
			return -1
		}
		return r
	}, strings.ToUpper(typed))
	switch {
	case len(bare) == AppDigits && strings.Trim(bare, "0123456789") == "":
		return bare, ""
	case len(bare) == recoveryLen && strings.Trim(bare, recoveryAlphabet) == "":
		return "", bare
	}
	return "", ""
}

// PasskeyHost is the host under which browsers keep passkeys for a portal. ok
// is false where they keep none: under an address instead of a name, and over
// plain http anywhere but on this very machine (WebAuthn Level 3, §5.1.3 and
// "relying party identifier").
func PasskeyHost(baseURL string) (host string, ok bool) {
	u, err := url.Parse(baseURL)
	if err != nil {
		return "", false
	}
	host = strings.ToLower(u.Hostname())
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return "", false
	}
	return host, u.Scheme == "https" || host == "localhost"
}

// Passkey is one that an account has.
type Passkey struct {
	ID     int64
	Name   string // of the device, in words
	Host   string // under which browsers offer it
	MadeAt time.Time
	UsedAt time.Time // zero: never
	Whole  bool      // it opens the account by itself; otherwise only after the password
}

// SecondFactors is what an account has of them.
type SecondFactors struct {
	AppAt     time.Time // when the authenticator app was set up; zero without one
	Passkeys  []Passkey
	CodesLeft int
	CodesAt   time.Time // when the recovery codes were made
}

// Ways counts the ways of giving the second factor, recovery codes aside.
func (f SecondFactors) Ways() int {
	n := len(f.Passkeys)
	if !f.AppAt.IsZero() {
		n++
	}
	return n
}

// FewCodes reports whether it is time for new recovery codes.
func (f SecondFactors) FewCodes() bool { return f.CodesLeft <= 2 }

// Since says what of it was set up at or after a moment: "app for codes,
// passkey (iPhone)". It is "" if nothing was.
func (f SecondFactors) Since(t time.Time) string {
	var fresh []string
	if !f.AppAt.Before(t) {
		fresh = append(fresh, "app for codes")
	}
	for _, k := range f.Passkeys {
		if !k.MadeAt.Before(t) {
			fresh = append(fresh, "passkey ("+k.Name+")")
		}
	}
	if !f.CodesAt.Before(t) {
		fresh = append(fresh, "recovery codes")
	}
	return strings.Join(fresh, ", ")
}

// Passkey is one of them.
func (f SecondFactors) Passkey(id int64) (Passkey, error) {
	for _, k := range f.Passkeys {
		if k.ID == id {
			return k, nil
		}
	}
	return Passkey{}, NotFound("There is no such passkey any more.")
}

// Last reports whether the way that is to go is the last: one of those that work
// under the portal's present address, where host is that of its passkeys, or the
// last of all. What was made under a former address is kept and helps nobody.
func (f SecondFactors) Last(goes Way, host string) bool {
	left := 0
	if !f.AppAt.IsZero() {
		left++
	}
	for _, k := range f.Passkeys {
		if k.Host == host {
			left++
		}
	}
	return f.Ways() == 1 || left == 1 && (goes.Host == "" || goes.Host == host)
}

// Way is one of the ways of giving a second factor.
type Way struct {
	Host string // of the passkey; "" is the app
}

// Words says what there is: "app for codes and 2 passkeys, 8 recovery
// codes left".
func (f SecondFactors) Words() string {
	left := fmt.Sprintf("%d recovery codes left", f.CodesLeft)
	if f.CodesLeft == 1 {
		left = "one recovery code left"
	}
	return f.Kinds() + ", " + left
}

// Kinds is Words without the recovery codes.
func (f SecondFactors) Kinds() string {
	var ways []string
	if !f.AppAt.IsZero() {
		ways = append(ways, "app for codes")
	}
	switch n := len(f.Passkeys); n {
	case 0:
	case 1:
		ways = append(ways, "a passkey")
	default:
		ways = append(ways, fmt.Sprintf("%d passkeys", n))
	}
	return strings.Join(ways, " and ")
}

// AskPasskey is what a browser needs to ask for a passkey, or to make one.
type AskPasskey struct {
	Options string // JSON of WebAuthn's PublicKeyCredential…OptionsJSON
	Ticket  Secret // comes back with the answer
}

// PasskeyAnswer is what the browser brought.
type PasskeyAnswer struct {
	Ticket     Secret
	Credential Secret // JSON
}

// IsZero reports whether no passkey was used.
func (a PasskeyAnswer) IsZero() bool { return a.Credential.IsZero() }

// SecondStep is the question for the second factor, after the right password.
type SecondStep struct {
	Ticket  Secret
	App     bool        // there is an authenticator app to look at
	Passkey *AskPasskey // nil without one
}

// SecondProof answers it: with a code, or with a passkey.
type SecondProof struct {
	Ticket  Secret
	Code    string
	Passkey PasskeyAnswer
	Device  string
	Known   Secret // known-device cookie
	Network string
}

// PasskeySignIn is a whole sign-in by passkey.
type PasskeySignIn struct {
	Answer  PasskeyAnswer
	Keep    bool
	Device  string
	Network string
}

// SelfProof shows once more who sits at a browser that is signed in.
type SelfProof struct {
	Password Secret
	Passkey  PasskeyAnswer
	Session  int64 // of the browser, which was asked; where the last factor is removed, it gets a new one
}

// NewApp is an authenticator app that is being set up: nothing is stored until
// its first code was typed.
type NewApp struct {
	Ticket Secret
	Secret Secret // as it is typed
	URI    Secret // for the picture
}

// FactorAdded is what came of setting up a second factor.
type FactorAdded struct {
	Codes  []Secret  // to be shown once; nil if there are some already
	SignIn *SignedIn // for the browser, where it gets a new session
}
