package db

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"latchkey/db/model"
)

// settingTexts names the stored text of each setting. Adding one here is all
// it takes to keep it.
var settingTexts = []struct {
	name string
	get  func(model.Settings) string
	set  func(*model.Settings, string)
}{
	text("association", func(s *model.Settings) *string { return &s.Association }),
	text("base_url", func(s *model.Settings) *string { return &s.BaseURL }),
	text("time_zone", func(s *model.Settings) *string { return &s.TimeZone }),
	text("support_email", func(s *model.Settings) *string { return &s.SupportEmail }),
	text("support_phone", func(s *model.Settings) *string { return &s.SupportPhone }),
	text("colour", func(s *model.Settings) *string { return &s.Colour }),
	text("mail_from", func(s *model.Settings) *string { return &s.MailFrom }),
	text("reply_to", func(s *model.Settings) *string { return &s.ReplyTo }),
	text("notice_from", func(s *model.Settings) *string { return &s.NoticeFrom }),
	text("notice_reply_to", func(s *model.Settings) *string { return &s.NoticeReplyTo }),
	text("bounce_address", func(s *model.Settings) *string { return &s.BounceAddress }),
	{"mail_server",
		func(s model.Settings) string { return s.Mail.URL() },
		func(s *model.Settings, v string) {
			if m, err := model.ParseMailServer(v); err == nil {
				s.Mail = m
			}
		}},
	{"letters_per_minute",
		func(s model.Settings) string { return strconv.Itoa(s.LettersPerMinute) },
		func(s *model.Settings, v string) {
			if n, err := strconv.Atoi(v); err == nil {
				s.LettersPerMinute = n
			}
		}},
	length("reset_lifetime", func(s *model.Settings) *time.Duration { return &s.Resets.Lifetime }),
	length("resend_window", func(s *model.Settings) *time.Duration { return &s.Resets.ResendWindow }),
	{"min_password_length",
		func(s model.Settings) string { return strconv.Itoa(s.MinPasswordLength) },
		func(s *model.Settings, v string) {
			if n, err := strconv.Atoi(v); err == nil {
				s.MinPasswordLength = n
			}
		}},
	length("password_reminder", func(s *model.Settings) *time.Duration { return &s.PasswordReminder }),
	yesNo("roll_sign_in", func(s *model.Settings) *bool { return &s.RollSignIn }),
	yesNo("households", func(s *model.Settings) *bool { return &s.Households }),
	yesNo("unknown_letters", func(s *model.Settings) *bool { return &s.UnknownLetters }),
	length("audit_kept", func(s *model.Settings) *time.Duration { return &s.AuditKept }),
	factorRule(model.RoleMember), factorRule(model.RoleViewer), factorRule(model.RoleStaff), factorRule(model.RoleOwner),
	{"set_up_at",
		func(s model.Settings) string {
			if s.SetUpAt.IsZero() {
				return ""
			}
			return strconv.FormatInt(s.SetUpAt.Unix(), 10)
		},
		func(s *model.Settings, v string) {
			if n, err := strconv.ParseInt(v, 10, 64); err == nil {
				s.SetUpAt = time.Unix(n, 0).UTC()
			}
		}},
}

type settingText = struct {
	name string
	get  func(model.Settings) string
	set  func(*model.Settings, string)
}

func text(name string, of func(*model.Settings) *string) settingText {
	return settingText{name,
		func(s model.Settings) string { return *of(&s) },
		func(s *model.Settings, v string) { *of(s) = v }}
}

func length(name string, of func(*model.Settings) *time.Duration) settingText {
	return settingText{name,
		func(s model.Settings) string { return strconv.FormatInt(int64(*of(&s)/time.Second), 10) },
		func(s *model.Settings, v string) {
			if n, err := strconv.ParseInt(v, 10, 64); err == nil {
				*of(s) = time.Duration(n) * time.Second
			}
		}}
}

func yesNo(name string, of func(*model.Settings) *bool) settingText {
	return settingText{name,
		func(s model.Settings) string { return strconv.FormatBool(*of(&s)) },
		func(s *model.Settings, v string) { *of(s) = v == "true" }}
}

func factorRule(role model.Role) settingText {
	return settingText{"factor_" + string(role),
		func(s model.Settings) string { return string(*s.Factors.Of(role)) },
		func(s *model.Settings, v string) {
			if rule, ok := model.ParseFactorRule(v); ok {
				*s.Factors.Of(role) = rule
			}
		}}
}

const mailPassword = "mail_password"

// knownSettings are the settings as they were read when the count of changes
// stood at a number. Every request begins with them, and to read them takes
// 40 µs.
type knownSettings struct {
	at uint64
	model.Settings
}

// Settings is what counts now: flags and environment beat what is stored. The
// map in it belongs to all.
func (d *DB) Settings(ctx context.Context) (model.Settings, error) {
	at := d.changes.count(&d.changes.settings)
	if known := d.settled.Load(); known != nil && known.at == at {
		return known.Settings, nil
	}
	s, err := d.settings(ctx, d.point)
	if err == nil {
		d.settled.Store(&knownSettings{at, s})
	}
	return s, err
}

// writerSettings are the settings as the writing connection last read them.
type writerSettings struct {
	read    bool
	version int64 // see dataVersion
	model.Settings
}

// presentSettings are the settings of an act. While it has the connection
// nobody else commits, so here what others did before is known for sure.
func (tx *Tx) presentSettings(ctx context.Context) (model.Settings, error) {
	version, err := dataVersion(ctx, tx)
	if err != nil {
		return model.Settings{}, err
	}
	if known := &tx.db.write.known; !known.read || known.version != version {
		s, err := tx.db.settings(ctx, tx)
		if err != nil {
			return s, err
		}
		*known = writerSettings{read: true, version: version, Settings: s}
	}
	return tx.db.write.known.Settings, nil
}

func (d *DB) settings(ctx context.Context, q querier) (model.Settings, error) {
	s := model.DefaultSettings()
	rs, err := q.QueryContext(ctx, `SELECT name, value, sealed FROM setting`)
	if err != nil {
		return s, err
	}
	defer rs.Close()
	stored := map[string]string{}
	secrets := map[string][]byte{}
	for rs.Next() {
		var name, value string
		var sealed []byte
		if err := rs.Scan(&name, &value, &sealed); err != nil {
			return s, err
		}
		stored[name] = value
		secrets[name] = sealed
	}
	if err := rs.Err(); err != nil {
		return s, err
	}
	if d.fixed.Local != "" {
		s.BaseURL = d.fixed.Local
	}
	for _, t := range settingTexts {
		if v, ok := stored[t.name]; ok {
			t.set(&s, v)
		}
	}
	if s.DKIM, err = d.openDKIMs(stored, secrets); err != nil {
		return s, err
	}
	if value, ok := stored[formerSetting]; ok {
		if s.Former, err = d.openFormer(value, secrets[formerSetting]); err != nil {
			return s, err
		}
	}
	if password := secrets[mailPassword]; password != nil {
		plain, err := d.keys.Open("setting", mailPassword, 0, password)
		if err != nil {
			return s, fmt.Errorf("the mail server's password: %w", err)
		}
		s.Mail.Password = model.NewSecret(string(plain))
	}
	if d.fixed.BaseURL != "" {
		s.BaseURL, s.Fixed["base_url"] = d.fixed.BaseURL, true
	}
	if d.fixed.Mail != nil {
		s.Mail, s.Fixed["mail_server"] = *d.fixed.Mail, true
	}
	if d.fixed.MailFrom != "" {
		s.MailFrom, s.Fixed["mail_from"] = d.fixed.MailFrom, true
	}
	return s, nil
}

// ChangeSettings stores what an owner decided. What a flag decides stays as
// it is stored. Where letters go and their links lead stays, too: that is
// ChangeMail, which asks for more than a signed-in browser.
func (d *DB) ChangeSettings(ctx context.Context, actor model.Actor, s model.Settings) error {
	if err := actor.MayOwn(); err != nil {
		return err
	}
	if err := s.Clean().Err(); err != nil {
		return err
	}
	return d.actBy(ctx, actor, func(tx *Tx) error {
		is := tx.settings
		s.SetUpAt, s.BaseURL, s.Mail = is.SetUpAt, is.BaseURL, is.Mail
		s.MailFrom, s.ReplyTo, s.NoticeFrom, s.NoticeReplyTo, s.BounceAddress = is.MailFrom, is.ReplyTo, is.NoticeFrom, is.NoticeReplyTo, is.BounceAddress
		changed, err := tx.storeSettings(ctx, s)
		if err != nil {
			return err
		}
		if err := tx.beginGrace(ctx, is.Factors, s.Factors); err != nil {
			return err
		}
		if err := tx.hurryLetters(ctx); err != nil {
			return err
		}
		return tx.audit(ctx, actor, model.ActSettingsChanged, about{note: changed})
	})
}

// storeSettings writes every setting that no flag decides, and gives the names
// of those that differ now.
func (tx *Tx) storeSettings(ctx context.Context, s model.Settings) (changed string, err error) {
	for _, t := range settingTexts {
		v := t.get(s)
		if tx.settings.Fixed[t.name] {
			continue
		}
		if v != t.get(tx.settings) {
			changed += t.name + " "
		}
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO setting (name, value) VALUES (?, ?)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, t.name, v); err != nil {
			return "", err
		}
	}
	if tx.settings.Fixed["mail_server"] {
		return changed, nil
	}
	if s.Mail.Password.IsZero() {
		_, err := tx.ExecContext(ctx, `DELETE FROM setting WHERE name = +?`, mailPassword)
		return changed, err
	}
	sealed, err := tx.db.keys.Seal("setting", mailPassword, 0, []byte(s.Mail.Password.Reveal()))
	if err != nil {
		return "", err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO setting (name, sealed) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed`, mailPassword, sealed)
	return changed, err
}
