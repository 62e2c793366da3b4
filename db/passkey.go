package db

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"latchkey/db/model"
)

// passkey is one with what it takes to check it.
type passkey struct {
	model.Passkey
	accountID       int64
	passwordVersion int64
	credential      webauthn.Credential
}

const passkeyColumns = `k.id, k.account_id, k.host, k.credential, k.name, k.password_version, k.made_at, k.used_at`

func scanPasskey(row interface{ Scan(...any) error }) (k passkey, err error) {
	var credential string
	if err := row.Scan(&k.ID, &k.accountID, &k.Host, &credential, &k.Name, &k.passwordVersion, unix{&k.MadeAt}, unix{&k.UsedAt}); err != nil {
		return k, err
	}
	return k, json.Unmarshal([]byte(credential), &k.credential)
}

// passkeysOf are an account's.
func passkeysOf(ctx context.Context, q querier, a model.Account) ([]passkey, error) {
	all, err := rows(ctx, q, func(rs *sql.Rows) (passkey, error) { return scanPasskey(rs) },
		`SELECT `+passkeyColumns+` FROM passkey k WHERE k.account_id = +? ORDER BY k.id`, a.ID)
	for i := range all {
		all[i].Whole = all[i].opens(a)
	}
	return all, err
}

// opens reports whether a passkey is a whole sign-in. A password set through a
// link, or voided, makes it a second factor only, until it is used with the new
// password: whoever slipped a passkey in before must not outlast the reset
// (product.md §4.7).
func (k passkey) opens(a model.Account) bool {
	return a.HasPassword && k.passwordVersion == a.PasswordVersion
}

// keepPasskeys is for a password that was changed by somebody who knew the one
// before: what was a whole sign-in stays one.
func (tx *Tx) keepPasskeys(ctx context.Context, was model.Account) error {
	_, err := tx.ExecContext(ctx, `UPDATE passkey SET password_version = password_version + 1 WHERE account_id = +? AND password_version = +?`,
		was.ID, was.PasswordVersion)
	return err
}

// relyingParty is this portal to the library; nil where browsers keep no
// passkeys for it.
func relyingParty(s model.Settings) (*webauthn.WebAuthn, error) {
	host, ok := model.PasskeyHost(s.BaseURL)
	if !ok {
		return nil, nil
	}
	name := s.Association
	if name == "" {
		name = host
	}
	return webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: name, RPOrigins: []string{s.BaseURL},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: protocol.VerificationPreferred,
		},
	})
}

// keyHolder is an account as the library wants to see it.
type keyHolder struct {
	account model.Account
	keys    []passkey
}

// WebAuthnID is what a passkey remembers of whose it is: a number that says
// nothing about the person (WebAuthn Level 3, §14.6.1).
func (h keyHolder) WebAuthnID() []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(h.account.ID))
}

// WebAuthnName is what the person tells their passkeys apart by.
func (h keyHolder) WebAuthnName() string { return h.account.Login(false) }

// WebAuthnDisplayName is the person's name.
func (h keyHolder) WebAuthnDisplayName() string { return h.account.Name }

// WebAuthnCredentials are the account's passkeys.
func (h keyHolder) WebAuthnCredentials() []webauthn.Credential {
	all := make([]webauthn.Credential, len(h.keys))
	for i, k := range h.keys {
		all[i] = k.credential
	}
	return all
}

func (h keyHolder) descriptors() []protocol.CredentialDescriptor {
	return webauthn.Credentials(h.WebAuthnCredentials()).CredentialDescriptors()
}

// keysHere is an account with those of its passkeys that browsers offer under
// the present base URL.
func keysHere(ctx context.Context, q querier, a model.Account, host string) (keyHolder, error) {
	all, err := passkeysOf(ctx, q, a)
	h := keyHolder{account: a}
	for _, k := range all {
		if k.Host == host {
			h.keys = append(h.keys, k)
		}
	}
	return h, err
}

// asked puts together what the browser gets and what comes back with its answer.
func (d *DB) asked(purpose string, options any, session *webauthn.SessionData, n note, now time.Time) (ask model.AskPasskey, err error) {
	said, err := json.Marshal(options)
	if err != nil {
		return ask, err
	}
	ask.Options = string(said)
	if n.Holds, err = json.Marshal(session); err != nil {
		return ask, err
	}
	ask.Ticket, err = d.sealNote(purpose, n, now)
	return ask, err
}

// askPasskey asks for a passkey of an account: as its second factor, or to show
// once more who is there. Nil if it has none that would work here.
func (d *DB) askPasskey(ctx context.Context, q querier, s model.Settings, purpose string, n note, a model.Account, now time.Time, how ...webauthn.LoginOption) (*model.AskPasskey, error) {
	rp, err := relyingParty(s)
	if err != nil || rp == nil || !a.HasFactor() {
		return nil, err
	}
	h, err := keysHere(ctx, q, a, rp.Config.RPID)
	if err != nil || len(h.keys) == 0 {
		return nil, err
	}
	options, session, err := rp.BeginLogin(h, how...)
	if err != nil {
		return nil, err
	}
	ask, err := d.asked(purpose, options.Response, session, n, now)
	return &ask, err
}

// AskOwnPasskey asks whoever is signed in for a passkey, to show once more who
// they are. It stands for the password, so the device has to make sure who
// touches it: a key that was left in a computer that was left open must not do.
func (d *DB) AskOwnPasskey(ctx context.Context, actor model.Actor, sessionID int64) (*model.AskPasskey, error) {
	s, err := d.Settings(ctx)
	if err != nil {
		return nil, err
	}
	a, err := accountByID(ctx, d.point, actor.AccountID)
	if err != nil {
		return nil, err
	}
	return d.askPasskey(ctx, d.point, s, noteSelf, note{Account: a.ID, Stamp: a.SessionStamp, Session: sessionID}, a, d.Now(),
		webauthn.WithUserVerification(protocol.VerificationRequired))
}

// AskAnyPasskey asks whoever stands before the sign-in page, nil where there
// are no passkeys.
func (d *DB) AskAnyPasskey(ctx context.Context) (*model.AskPasskey, error) {
	s, err := d.Settings(ctx)
	if err != nil {
		return nil, err
	}
	rp, err := relyingParty(s)
	if err != nil || rp == nil {
		return nil, err
	}
	options, session, err := rp.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, err
	}
	ask, err := d.asked(noteWhole, options.Response, session, note{}, d.Now())
	return &ask, err
}

// answerMax is more than any browser answers.
const answerMax = 32 << 10

var (
	errPasskey = &model.Error{Kind: model.KindSignIn, Sentence: "This passkey does not open anything here. Please sign in with your password."}
	// The password did fit by then.
	errOtherPasskey = &model.Error{Kind: model.KindInvalid, Sentence: "That did not work with this passkey. Please try again, or use another way."}
)

// parsePasskey reads what a browser says it was given. The error is errPasskey
// for whatever is no such thing.
func parsePasskey(answer model.PasskeyAnswer) (*protocol.ParsedCredentialAssertionData, error) {
	said := answer.Credential.Reveal()
	if len(said) > answerMax {
		return nil, errPasskey
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(said))
	if err != nil {
		return nil, errPasskey
	}
	return parsed, nil
}

// checkPasskey makes sure that an answer is that of one of an account's
// passkeys to the question in a note, and writes down that it was used. ok is
// false if it is not. To check a signature takes 100 µs, and the counter must
// not move meanwhile, so it is part of the act.
func (tx *Tx) checkPasskey(ctx context.Context, a model.Account, n note, answer *protocol.ParsedCredentialAssertionData) (ok bool, err error) {
	rp, err := relyingParty(tx.settings)
	if err != nil || rp == nil {
		return false, err
	}
	h, err := keysHere(ctx, tx, a, rp.Config.RPID)
	if err != nil {
		return false, err
	}
	var asked webauthn.SessionData
	if err := json.Unmarshal(n.Holds, &asked); err != nil {
		return false, err
	}
	var used *webauthn.Credential
	var refused error
	if len(asked.UserID) == 0 {
		_, used, refused = rp.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return h, nil }, asked, answer)
	} else {
		used, refused = rp.ValidateLogin(h, asked, answer)
	}
	// A counter that stands still or runs back says that there are two of it
	// (WebAuthn Level 3, §6.1.1).
	if refused != nil || used.Authenticator.CloneWarning {
		return false, nil
	}
	credential, err := json.Marshal(used)
	if err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE passkey SET credential = ?, used_at = ? WHERE credential_id = +?`, string(credential), tx.Now.Unix(), used.ID)
	return err == nil, err
}

// notePasskeyRefused writes down an answer that was not that of an account's
// passkey. Passkeys are never slowed down, and lines are never deleted, so after
// the first few there is one each half minute.
func (tx *Tx) notePasskeyRefused(ctx context.Context, network string, a model.Account, act model.Act) error {
	bucket := tx.db.keys.Blind("failure", "passkey", strconv.FormatInt(a.ID, 10))
	f, err := failures(ctx, tx, bucket)
	if err != nil || f.CrowdWait(tx.Now) > 0 {
		return err
	}
	if _, err := tx.countFailure(ctx, bucket, bucket); err != nil {
		return err
	}
	return tx.audit(ctx, model.MemberActor(network), act, about{member: a.MemberID, account: a.ID, note: "passkey"})
}

// provePasskey is ProveFactor with a passkey.
func (d *DB) provePasskey(ctx context.Context, step note, in model.SecondProof) (model.SignedIn, error) {
	var done model.SignedIn
	n, ok := d.openNote(noteOwn, in.Passkey.Ticket, d.Now())
	answer, err := parsePasskey(in.Passkey)
	if !ok || n.Account != step.Account || err != nil {
		return done, errOtherPasskey
	}
	wrong := false
	err = d.act(ctx, func(tx *Tx) error {
		a, err := askedAgain(ctx, tx, step)
		if err != nil {
			return err
		}
		fits, err := tx.checkPasskey(ctx, a, n, answer)
		if err != nil {
			return err
		}
		if !fits {
			wrong = true
			return tx.notePasskeyRefused(ctx, in.Network, a, model.ActFactorFailed)
		}
		if !d.spend(n, tx.Now) || !d.spend(step, tx.Now) {
			return errStepOver
		}
		// Together with the password it is confirmed: from now on it is a whole
		// sign-in again.
		if _, err := tx.ExecContext(ctx, `UPDATE passkey SET password_version = ? WHERE credential_id = +?`, a.PasswordVersion, answer.RawID); err != nil {
			return err
		}
		done, err = tx.signIn(ctx, a.ID, in.Device, in.Network, step.Keep)
		return err
	})
	if err == nil && wrong {
		err = errOtherPasskey
	}
	return done, err
}

// SignInWithPasskey is a whole sign-in: the device that keeps the passkey made
// sure by itself who holds it. There is nothing to guess, so nothing is slowed.
func (d *DB) SignInWithPasskey(ctx context.Context, in model.PasskeySignIn) (model.SignedIn, error) {
	var done model.SignedIn
	n, ok := d.openNote(noteWhole, in.Answer.Ticket, d.Now())
	if !ok {
		return done, &model.Error{Kind: model.KindSignIn, Sentence: "That took a while. Please try once more."}
	}
	answer, err := parsePasskey(in.Answer)
	if err != nil {
		return done, err
	}
	var refused error
	err = d.act(ctx, func(tx *Tx) error {
		k, err := scanPasskey(tx.QueryRowContext(ctx, `SELECT `+passkeyColumns+` FROM passkey k WHERE k.credential_id = +?`, answer.RawID))
		if errors.Is(err, sql.ErrNoRows) {
			return errPasskey
		}
		if err != nil {
			return err
		}
		a, err := accountByID(ctx, tx, k.accountID)
		if err != nil {
			return err
		}
		fits, err := tx.checkPasskey(ctx, a, n, answer)
		switch {
		case err != nil:
			return err
		case !fits || a.Disabled():
			refused = errPasskey
			return tx.notePasskeyRefused(ctx, in.Network, a, model.ActSignInFailed)
		case !d.spend(n, tx.Now):
			return errPasskey
		case !k.opens(a):
			refused = &model.Error{Kind: model.KindSignIn, Sentence: "Your password was changed since this passkey was last used. Please sign in with the password this once; the passkey is asked for after it."}
			return nil
		}
		done, err = tx.signIn(ctx, a.ID, in.Device, in.Network, in.Keep)
		return err
	})
	return done, errors.Join(err, refused)
}

// checkOwnPasskey is checkOwnPassword by passkey: an answer to the question that
// this very session was asked.
func (d *DB) checkOwnPasskey(ctx context.Context, actor model.Actor, in model.SelfProof) (me proof, err error) {
	n, ok := d.openNote(noteSelf, in.Passkey.Ticket, d.Now())
	answer, err := parsePasskey(in.Passkey)
	if !ok || n.Account != actor.AccountID || n.Session != in.Session || n.Stamp != actor.Stamp || err != nil {
		return me, errOtherPasskey
	}
	wrong := false
	err = d.actBy(ctx, actor, func(tx *Tx) error {
		if me.account, err = accountByID(ctx, tx, actor.AccountID); err != nil {
			return err
		}
		fits, err := tx.checkPasskey(ctx, me.account, n, answer)
		wrong = !fits || !d.spend(n, tx.Now)
		return err
	})
	if err == nil && wrong {
		err = errOtherPasskey
	}
	return me, err
}

// mostPasskeys is how many an account may have.
const mostPasskeys = 10

var errNoPasskeys = model.Conflict("Passkeys do not work at this address of the portal: they need https and a name.")

// BeginPasskey begins to add a passkey.
func (d *DB) BeginPasskey(ctx context.Context, actor model.Actor, in model.SelfProof) (model.AskPasskey, error) {
	var ask model.AskPasskey
	err := d.onSelf(ctx, actor, in, func(tx *Tx, a model.Account) error {
		if err := tx.settings.MaySetUpFactor(a, tx.Now); err != nil {
			return err
		}
		rp, err := relyingParty(tx.settings)
		if err != nil {
			return err
		}
		if rp == nil {
			return errNoPasskeys
		}
		h, err := keysHere(ctx, tx, a, rp.Config.RPID)
		if err != nil {
			return err
		}
		if len(h.keys) >= mostPasskeys {
			return model.Conflict("There are ten passkeys already. Remove one that you do not use any more first.")
		}
		options, session, err := rp.BeginRegistration(h, webauthn.WithExclusions(h.descriptors()))
		if err != nil {
			return err
		}
		ask, err = d.asked(noteNewPasskey, options.Response, session, note{Account: a.ID, Stamp: a.SessionStamp}, tx.Now)
		return err
	})
	return ask, err
}

// AddPasskey ends the adding of a passkey with what the browser made.
func (d *DB) AddPasskey(ctx context.Context, actor model.Actor, sessionID int64, in model.PasskeyAnswer, device string) (model.FactorAdded, error) {
	var added model.FactorAdded
	said := in.Credential.Reveal()
	if len(said) > answerMax {
		return added, errNotMade
	}
	answer, err := protocol.ParseCredentialCreationResponseBytes([]byte(said))
	if err != nil {
		return added, errNotMade
	}
	err = d.actBy(ctx, actor, func(tx *Tx) error {
		a, err := accountByID(ctx, tx, actor.AccountID)
		if err != nil {
			return err
		}
		n, err := d.ownNote(noteNewPasskey, in.Ticket, a)
		if err != nil {
			return err
		}
		if err := tx.settings.MaySetUpFactor(a, tx.Now); err != nil {
			return err
		}
		rp, err := relyingParty(tx.settings)
		if err != nil {
			return err
		}
		var asked webauthn.SessionData
		if err := json.Unmarshal(n.Holds, &asked); err != nil {
			return err
		}
		if rp == nil {
			return errNoPasskeys
		}
		made, refused := rp.CreateCredential(keyHolder{account: a}, asked, answer)
		if refused != nil {
			return errNotMade
		}
		if !d.spend(n, tx.Now) {
			return errSetUpOver
		}
		if added.Codes, err = tx.firstCodes(ctx, a); err != nil {
			return err
		}
		name := model.NewPasskeyName(made.Authenticator.AAGUID, device)
		if err := tx.storePasskey(ctx, a, made, rp.Config.RPID, name); err != nil {
			return err
		}
		if err := tx.changedFactor(ctx, actor, a, model.ActFactorAdded, "passkey, "+name,
			"a passkey was added ("+name+"). It can be used to sign in."); err != nil {
			return err
		}
		added.SignIn, err = tx.raise(ctx, a, sessionID)
		return err
	})
	return added, err
}

var errNotMade = &model.Error{Kind: model.KindInvalid, Sentence: "Your browser did not make a passkey that works here. Please begin once more, or choose the app."}

func (tx *Tx) storePasskey(ctx context.Context, a model.Account, made *webauthn.Credential, host, name string) error {
	made.Attestation = webauthn.CredentialAttestation{} // nobody asks who built the device
	credential, err := json.Marshal(made)
	if err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, `
		INSERT INTO passkey (account_id, credential_id, host, credential, name, password_version, made_at) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`, a.ID, made.ID, host, string(credential), name, a.PasswordVersion, tx.Now.Unix())
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, errNotMade) // somebody's already
	}
	return nil
}

// RemovePasskey takes one passkey away. For in see [DB.RemoveApp].
func (d *DB) RemovePasskey(ctx context.Context, actor model.Actor, proof model.SelfProof, id int64) (in *model.SignedIn, err error) {
	err = d.onSelf(ctx, actor, proof, func(tx *Tx, a model.Account) error {
		has, err := secondFactors(ctx, tx, a)
		if err != nil {
			return err
		}
		k, err := has.Passkey(id)
		if err != nil {
			return err
		}
		last, err := tx.mayRemoveOne(a, has, model.Way{Host: k.Host})
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM passkey WHERE id = +? AND account_id = +?`, id, a.ID); err != nil {
			return err
		}
		in, err = tx.removed(ctx, actor, a, proof.Session, last, "passkey, "+k.Name, "a passkey was removed ("+k.Name+").")
		return err
	})
	return in, err
}

// RenamePasskey gives one of one's own passkeys another name. It changes nothing
// of what opens the account, so nothing is asked before it.
func (d *DB) RenamePasskey(ctx context.Context, actor model.Actor, id int64, typed string) error {
	name, wrong := model.CleanPasskeyName(typed)
	if wrong != "" {
		return model.Invalid("name", wrong)
	}
	return d.actBy(ctx, actor, func(tx *Tx) error {
		a, err := accountByID(ctx, tx, actor.AccountID)
		if err != nil {
			return err
		}
		has, err := secondFactors(ctx, tx, a)
		if err != nil {
			return err
		}
		was, err := has.Passkey(id)
		if err != nil || was.Name == name {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE passkey SET name = ? WHERE id = +? AND account_id = +?`, name, id, a.ID); err != nil {
			return err
		}
		return tx.audit(ctx, actor, model.ActPasskeyNamed, about{member: a.MemberID, account: a.ID, note: was.Name + " → " + name})
	})
}
