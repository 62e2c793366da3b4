package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"latchkey/db/model"
)

// formerSetting is the row of how letters left before that was last changed,
// with the password of the former mail server sealed.
const formerSetting = "mail_before"

type formerRow struct {
	BaseURL       string `json:"base_url"`
	MailServer    string `json:"mail_server"`
	MailFrom      string `json:"mail_from"`
	NoticeFrom    string `json:"notice_from"`
	BounceAddress string `json:"bounce_address"`
	ChangedAt     int64  `json:"changed_at"` // Unix seconds
	ChangedBy     int64  `json:"changed_by"` // account
}

func (d *DB) openFormer(value string, sealed []byte) (f model.FormerMail, err error) {
	var row formerRow
	if err := json.Unmarshal([]byte(value), &row); err != nil {
		return f, fmt.Errorf("the former mail settings: %w", err)
	}
	password, err := d.keys.Open("setting", formerSetting, 0, sealed)
	if err != nil {
		return f, fmt.Errorf("the former mail settings: %w", err)
	}
	f = model.FormerMail{BaseURL: row.BaseURL, MailFrom: row.MailFrom, NoticeFrom: row.NoticeFrom, BounceAddress: row.BounceAddress,
		ChangedAt: time.Unix(row.ChangedAt, 0).UTC(), ChangedBy: row.ChangedBy}
	if f.Mail, err = model.ParseMailServer(row.MailServer); err != nil {
		return f, fmt.Errorf("the former mail settings: %w", err)
	}
	f.Mail.Password = model.NewSecret(string(password))
	return f, nil
}

func (tx *Tx) storeFormer(ctx context.Context, f model.FormerMail) error {
	value, err := json.Marshal(formerRow{f.BaseURL, f.Mail.URL(), f.MailFrom, f.NoticeFrom, f.BounceAddress, f.ChangedAt.Unix(), f.ChangedBy})
	if err != nil {
		return err
	}
	return tx.storeSealed(ctx, formerSetting, string(value), []byte(f.Mail.Password.Reveal()))
}

func (tx *Tx) storeSealed(ctx context.Context, name, value string, secret []byte) error {
	sealed, err := tx.db.keys.Seal("setting", name, 0, secret)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO setting (name, value, sealed) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value, sealed = excluded.sealed`, name, value, sealed)
	return err
}

// ChangeMail decides where letters are handed in, whom they come from, where
// they come back to and where their links lead. The owner's password is asked
// for again, as a borrowed screen must not be enough for it.
//
// The attack: between owners there is only the letter (product.md §1), and
// whoever turns the mail server or the base URL round reads another owner's
// reset letter. Hence one rule: a way for letters is trusted once it has
// stood for most of a day (model.TrustAfter). Until then
//
//   - all owners are told, by letters that leave the last trusted way, sender
//     and all, so no change can silence its own notice;
//   - letters with a link for an owner other than the one who made the change
//     leave the last trusted way too, or wait if there was none. So does the
//     news that their password was changed: "It wasn't me" in it, pressed by
//     somebody else, would have a link sent to them.
//
// A second change within that time starts it anew and leaves the last trusted
// way as it is: two small steps get nowhere that a large one would not. Put
// back, everything is as trusted as before. An invited owner who never set a
// password has nothing to lose yet: whoever invites may invite themselves.
//
// So an owner who means ill has no one's link before the others could read for
// a day what was done, and each of them can undo it; and nobody is kept from
// mending a mail server that broke.
func (d *DB) ChangeMail(ctx context.Context, actor model.Actor, in model.MailChange) error {
	if err := actor.MayOwn(); err != nil {
		return err
	}
	present, err := d.Settings(ctx)
	if err != nil {
		return err
	}
	keeps := in.Mail.Password.IsZero()
	if err := in.Clean(present).Err(); err != nil {
		return err
	}
	me, err := d.checkOwnPassword(ctx, actor, in.Current)
	if err != nil {
		return err
	}
	return d.actBy(ctx, actor, func(tx *Tx) error {
		if err := tx.provedPassword(ctx, me); err != nil {
			return err
		}
		was, s := tx.settings, tx.settings
		if !s.Fixed["base_url"] {
			s.BaseURL = in.BaseURL
		}
		if !s.Fixed["mail_server"] {
			s.Mail = in.Mail
			if keeps && s.Mail.URL() == was.Mail.URL() {
				s.Mail = was.Mail
			}
		}
		if !s.Fixed["mail_from"] {
			s.MailFrom = in.MailFrom
		}
		s.ReplyTo, s.NoticeFrom, s.NoticeReplyTo, s.BounceAddress = in.ReplyTo, in.NoticeFrom, in.NoticeReplyTo, in.BounceAddress
		changed, err := tx.storeSettings(ctx, s)
		if err != nil {
			return err
		}
		what := model.MailChanges(was, s)
		if what != "" {
			if s.Former, err = tx.putOnTrial(ctx, actor, was, s); err != nil {
				return err
			}
			tx.settings = s
			if err := tx.postSettingsChanged(ctx, actor, what); err != nil {
				return err
			}
		}
		if err := tx.hurryLetters(ctx); err != nil {
			return err
		}
		return tx.audit(ctx, actor, model.ActSettingsChanged, about{note: changed})
	})
}

// hurryLetters makes everything that waits due now: it waited for a reason
// that may be gone.
func (tx *Tx) hurryLetters(ctx context.Context) error {
	tx.posted = true
	_, err := tx.ExecContext(ctx, `UPDATE letter SET due_at = ?1 WHERE state IN ('waiting', 'retrying') AND due_at > +?1`, tx.Now.Unix())
	return err
}

// putOnTrial keeps the last trusted way for letters, and gives it.
func (tx *Tx) putOnTrial(ctx context.Context, actor model.Actor, was, is model.Settings) (model.FormerMail, error) {
	former := model.FormerMail{BaseURL: was.BaseURL, Mail: was.Mail, MailFrom: was.MailFrom, NoticeFrom: was.NoticeFrom, BounceAddress: was.BounceAddress}
	if was.OnTrial(tx.Now) {
		former = was.Former
	}
	// The row is no place for what a flag decides; AsBefore does not ask for it.
	if was.Fixed["mail_server"] {
		former.Mail = model.MailServer{}
	}
	former.ChangedAt, former.ChangedBy = tx.Now, actor.AccountID
	is.Former = former
	if is.SameWay() {
		_, err := tx.ExecContext(ctx, `DELETE FROM setting WHERE name = +?`, formerSetting)
		return model.FormerMail{}, err
	}
	return former, tx.storeFormer(ctx, former)
}

// postSettingsChanged tells every owner.
func (tx *Tx) postSettingsChanged(ctx context.Context, actor model.Actor, what string) error {
	owners, err := rows(ctx, tx, scanAccountRow,
		`SELECT `+accountColumns+accountTables+`WHERE a.role = 'owner' AND a.disabled_at IS NULL AND a.email <> '' ORDER BY a.id`)
	if err != nil {
		return err
	}
	for _, o := range owners {
		facts := letterFacts{ChangedAt: tx.Now.Unix(), By: actor.Name, What: what}
		if err := tx.post(ctx, actor, model.LetterSettingsChanged, o.Email, facts, subject{account: o.ID}); err != nil {
			return err
		}
	}
	return nil
}

// wayOf is the settings by which a letter leaves, and whether it may leave
// now: see ChangeMail.
func (tx *Tx) wayOf(ctx context.Context, l model.Letter) (s model.Settings, leaves bool, err error) {
	s = tx.settings
	if !s.OnTrial(tx.Now) {
		return s, s.Delivers(), nil
	}
	before := s.AsBefore()
	if l.Kind == model.LetterSettingsChanged && before.Delivers() {
		return before, true, nil
	}
	if !l.Kind.CarriesLink() && l.Kind != model.LetterPasswordChanged || !s.Rerouted() {
		return s, s.Delivers(), nil
	}
	about, err := letterSubjects(ctx, tx, l.ID)
	if err != nil {
		return s, false, err
	}
	for _, p := range about {
		a := p.account
		if a.GuardRole() == model.RoleOwner && a.PasswordVersion > 0 && a.ID != s.Former.ChangedBy {
			return before, before.Delivers(), nil
		}
	}
	return s, s.Delivers(), nil
}

// holdLetter has a letter wait until the present way is trusted.
func (tx *Tx) holdLetter(ctx context.Context, id int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE letter SET due_at = ? WHERE id = +?`, tx.settings.TrustedFrom().Unix(), id)
	return err
}

// SendTest puts a test letter to the owner's own address into the outbox. It
// leaves like any other, with one attempt.
func (d *DB) SendTest(ctx context.Context, actor model.Actor) error {
	if err := actor.MayOwn(); err != nil {
		return err
	}
	return d.actBy(ctx, actor, func(tx *Tx) error {
		a, err := accountByID(ctx, tx, actor.AccountID)
		if err != nil {
			return err
		}
		switch {
		case a.Email == "":
			return model.Conflict("Your own account has no email address to send a letter to.")
		case tx.settings.Mail.IsZero():
			return model.Conflict("No mail server is set up yet.")
		case tx.settings.HeldBack():
			return model.Conflict("No letter leaves while the address of this portal is one that only this machine reaches. Change that first.")
		}
		last, err := testLetter(ctx, tx, a.ID)
		if err != nil {
			return err
		}
		if last != nil && tx.Now.Before(last.CreatedAt.Add(model.DoubleClick)) {
			return nil
		}
		return tx.post(ctx, actor, model.LetterTest, a.Email, letterFacts{}, subject{account: a.ID})
	})
}

// testShown is how long a test letter tells something about the settings.
const testShown = time.Hour

// TestLetter is the last test letter that an owner sent, nil if there is none
// of the last hour.
func (d *DB) TestLetter(ctx context.Context, actor model.Actor) (*model.TestLetter, error) {
	l, err := testLetter(ctx, d.read, actor.AccountID)
	if err != nil || l == nil || !d.Now().Before(l.CreatedAt.Add(testShown)) {
		return nil, err
	}
	return l, nil
}

func testLetter(ctx context.Context, q querier, account int64) (*model.TestLetter, error) {
	var l model.TestLetter
	err := q.QueryRowContext(ctx, `
		SELECT `+letterColumns+`, coalesce((SELECT t.conversation FROM letter_attempt t WHERE t.letter_id = l.id ORDER BY t.id DESC LIMIT 1), '')
		FROM letter_subject s JOIN letter l ON l.id = s.letter_id
		WHERE s.account_id = +? AND l.kind = 'test' ORDER BY l.id DESC LIMIT 1`, account).Scan(append(letterTargets(&l.Letter), &l.Conversation)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &l, err
}
