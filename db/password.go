package db

import (
	"context"
	"errors"
	"strconv"

	"latchkey/db/model"
)

const sentenceTwice = "The two passwords differ. Please type the same one twice."

// errTwice comes before any word about the password itself. Else a link could
// be used to find out what the words are that it must not hold, a birth date
// among them, by sending two that differ: as it is, a guess that is wrong sets
// the password and spends the link.
var errTwice = model.Invalid("password_confirm", sentenceTwice)

// passwordRules is what a new password has to be. Besides what the record says,
// nothing of also may be in it: the account's address, which may be another one
// than the record's.
func passwordRules(s model.Settings, role model.Role, m model.Member, also ...string) model.PasswordRules {
	return model.PasswordRules{
		Least:   s.PasswordLength(role),
		Context: model.PasswordContext(append(also, m.FirstName, m.LastName, m.Company, m.Email, m.BirthDate, m.MemberNo, s.Association)...),
	}
}

// checkNewPassword says what a new password lacks, beside its form field.
func checkNewPassword(password string, r model.PasswordRules) error {
	if p := r.Problem(password); p != nil {
		return model.Invalid("password", p.Sentence())
	}
	return nil
}

// PasswordRules is what an account's next password has to be, as far as a page
// may tell it while somebody types: without the birth date, by which the office
// recognises callers. Whoever has only a link or a session in hand would find it out by
// trying dates in silence; to be told on submitting costs them their secrecy.
func (d *DB) PasswordRules(ctx context.Context, a model.Account) (model.PasswordRules, error) {
	settings, err := d.Settings(ctx)
	if err != nil {
		return model.PasswordRules{}, err
	}
	m, err := member(ctx, d.point, a.MemberID)
	if err != nil {
		return model.PasswordRules{}, err
	}
	m.BirthDate = ""
	return passwordRules(settings, a.GuardRole(), m, a.Email), nil
}

// LinkPasswordRules is what the password behind a live link has to be. An
// error of kind LinkEnded says that the link opens nothing.
func (d *DB) LinkPasswordRules(ctx context.Context, token string) (model.PasswordRules, error) {
	o, err := d.OpenReset(ctx, token)
	if err != nil {
		return model.PasswordRules{}, err
	}
	if o.State != model.ResetLive {
		return model.PasswordRules{}, errLinkEnded
	}
	return d.PasswordRules(ctx, o.Account)
}

// OwnerPasswordRules is what the first owner's password has to be, by what
// they typed so far.
func (d *DB) OwnerPasswordRules(s model.Settings, m model.Member) model.PasswordRules {
	return passwordRules(s, model.RoleOwner, m)
}

// storePassword sets an account's password. Its version grows, so every older
// link is dead, and its sessions are over.
func (tx *Tx) storePassword(ctx context.Context, a model.Account, hash model.PasswordHash) error {
	sealed, err := tx.db.sealHash(a.ID, hash)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE account SET password_hash = ?, password_version = password_version + 1, password_set_at = ? WHERE id = +?`,
		sealed, tx.Now.Unix(), a.ID); err != nil {
		return err
	}
	return tx.endSessions(ctx, a.ID)
}

func (d *DB) sealHash(accountID int64, hash model.PasswordHash) ([]byte, error) {
	return d.keys.Seal("account", "password_hash", accountID, hash.Encode())
}

func (d *DB) openHash(accountID int64, sealed []byte) (model.PasswordHash, error) {
	if sealed == nil {
		return model.PasswordHash{}, nil
	}
	plain, err := d.keys.Open("account", "password_hash", accountID, sealed)
	if err != nil {
		return model.PasswordHash{}, err
	}
	return model.ParsePasswordHash(plain)
}

// proof is that somebody who is signed in knew their password a moment ago.
type proof struct {
	account model.Account
	salt    []byte
	bucket  []byte
}

// checkOwnPassword asks whoever is signed in for their password once more, for
// an act that a screen left open must not be enough for (OWASP ASVS 5.0,
// 7.5.1). Wrong ones are slowed down like those of the sign-in page, whatever
// the act.
func (d *DB) checkOwnPassword(ctx context.Context, actor model.Actor, typed model.Secret) (me proof, err error) {
	if me.account, err = accountByID(ctx, d.read, actor.AccountID); err != nil {
		return me, err
	}
	a := me.account
	// Of the account, not of its login: whoever shares an address would free more
	// guesses at another's password by proving their own.
	me.bucket = d.keys.Blind("failure", "change", strconv.FormatInt(a.ID, 10))
	leave, wait, err := d.enter(ctx, me.bucket)
	if err != nil {
		return me, err
	}
	defer leave()
	if wait > 0 {
		return me, limited(wait)
	}
	var sealed []byte
	if err := d.read.QueryRowContext(ctx, `SELECT salt, password_hash FROM account WHERE id = +?`, a.ID).Scan(&me.salt, &sealed); err != nil {
		return me, err
	}
	stored, err := d.openHash(a.ID, sealed)
	if err != nil {
		return me, err
	}
	params := stored.Params()
	if stored.IsZero() {
		params = model.DefaultHashParams
	}
	tried, err := d.hashing.hashWith(ctx, true, "", typed.Reveal(), me.salt, params)
	if err != nil {
		return me, err
	}
	if !stored.Matches(tried) {
		err := d.actBy(ctx, actor, func(tx *Tx) error {
			_, err := tx.countFailure(ctx, me.bucket, me.bucket)
			return err
		})
		return me, errors.Join(err, model.Invalid("current_password", "This is not your present password."))
	}
	return me, nil
}

var errPasswordChanged = model.Conflict("Your password was changed in another place just now. Please sign in again.")

// provedPassword is where an act relies on a proof: the password is still the
// one that was asked for, and the wrong tries before it are forgotten.
func (tx *Tx) provedPassword(ctx context.Context, me proof) error {
	now, err := accountByID(ctx, tx, me.account.ID)
	if err != nil {
		return err
	}
	if now.PasswordVersion != me.account.PasswordVersion {
		return errPasswordChanged
	}
	return tx.clearFailures(ctx, me.bucket)
}

// ChangePassword is a new password chosen by somebody who is signed in and
// knows the present one. Other sessions end; this browser gets a new one.
func (d *DB) ChangePassword(ctx context.Context, actor model.Actor, in model.PasswordChange) (model.SignedIn, error) {
	var done model.SignedIn
	me, err := d.checkOwnPassword(ctx, actor, in.Current)
	if err != nil {
		return done, err
	}
	a := me.account
	if err := d.checkChange(ctx, a, in); err != nil {
		return done, err
	}
	bucket, leave, err := d.enterHousehold(ctx, a)
	if err != nil {
		return done, err
	}
	defer leave()
	hash, err := d.hashing.hash(ctx, in.Password.Reveal(), me.salt)
	if err != nil {
		return done, err
	}
	err = d.actBy(ctx, actor, func(tx *Tx) error {
		if bucket != nil {
			if _, err := tx.countFailure(ctx, bucket, bucket); err != nil {
				return err
			}
		}
		now, err := accountByID(ctx, tx, a.ID)
		if err != nil {
			return err
		}
		s, err := session(ctx, tx, in.SessionID)
		if err != nil {
			return err
		}
		if s.AccountID != a.ID || s.Over(now, tx.Now) {
			return errPasswordChanged
		}
		if err := tx.provedPassword(ctx, me); err != nil {
			return err
		}
		if err := tx.cancelLink(ctx, actor, a, "the password was changed"); err != nil {
			return err
		}
		if err := tx.storePassword(ctx, a, hash); err != nil {
			return err
		}
		if err := tx.keepPasskeys(ctx, a); err != nil {
			return err
		}
		if err := tx.audit(ctx, actor, model.ActPasswordChanged, about{member: a.MemberID, account: a.ID}); err != nil {
			return err
		}
		if err := tx.postPasswordChanged(ctx, actor, a, 0); err != nil {
			return err
		}
		done, err = tx.startSession(ctx, a.ID, s.Device, s.Network, s.Kept)
		return err
	})
	return done, err
}

// checkChange says what is wrong with the password that somebody wants instead
// of the one they have.
func (d *DB) checkChange(ctx context.Context, a model.Account, in model.PasswordChange) error {
	settings, err := d.Settings(ctx)
	if err != nil {
		return err
	}
	m, err := member(ctx, d.read, a.MemberID)
	if err != nil {
		return err
	}
	if in.Password.Reveal() != in.Confirm.Reveal() {
		return errTwice
	}
	if err := checkNewPassword(in.Password.Reveal(), passwordRules(settings, a.GuardRole(), m, a.Email)); err != nil {
		return err
	}
	if model.NormalizePassword(in.Password.Reveal()) == model.NormalizePassword(in.Current.Reveal()) {
		same := model.PasswordProblem{Reason: model.PasswordSame}
		return model.Invalid("password", same.Sentence())
	}
	return nil
}
