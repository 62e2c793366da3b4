package db

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"latchkey/db/model"
)

const accountColumns = bareAccountColumns + `, n.first_name, n.last_name, n.company, n.email, n.member_no`

// bareAccountColumns are those without the member's, for queries that read the
// member as well.
const bareAccountColumns = `a.id, a.member_id, a.email, a.role, a.pending_role, a.password_hash IS NOT NULL, a.password_version,
	a.password_set_at, a.last_sign_in_at, a.disabled_at, a.session_stamp, a.created_at,
	a.factor_at, a.factor_asked_at, a.factor_wanted_at, a.factor_cleared_at, a.factor_doubted_at, a.mailed_at`

// accountTables is where accountColumns come from: an account is always
// called by its member's name.
const accountTables = ` FROM account a JOIN member n ON n.id = a.member_id `

func bareAccountTargets(a *model.Account) []any {
	return []any{&a.ID, &a.MemberID, &a.Email, &a.Role, &a.PendingRole, &a.HasPassword, &a.PasswordVersion,
		unix{&a.PasswordSetAt}, unix{&a.LastSignInAt}, unix{&a.DisabledAt}, &a.SessionStamp, unix{&a.CreatedAt},
		unix{&a.Factor.At}, unix{&a.Factor.AskedAt}, unix{&a.Factor.WantedAt}, unix{&a.Factor.ClearedAt}, unix{&a.Factor.DoubtedAt}, unix{&a.Factor.MailedAt}}
}

// scanAccount reads accountColumns, and whatever columns follow them.
func scanAccount(row interface{ Scan(...any) error }, more ...any) (model.Account, error) {
	var a model.Account
	var m model.Member
	targets := append(bareAccountTargets(&a), &m.FirstName, &m.LastName, &m.Company, &m.Email, &m.MemberNo)
	err := row.Scan(append(targets, more...)...)
	a.Name, a.MemberNo = m.Name(), m.MemberNo
	return a, err
}

func scanAccountRow(rs *sql.Rows) (model.Account, error) { return scanAccount(rs) }

var errNoAccount = model.NotFound("This member has no account. Create one first.")

// accountOf is a member's account, nil without one.
func accountOf(ctx context.Context, q querier, memberID int64) (*model.Account, error) {
	a, err := scanAccount(q.QueryRowContext(ctx, `SELECT `+accountColumns+accountTables+`WHERE a.member_id = +?`, memberID))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &a, err
}

func accountByID(ctx context.Context, q querier, id int64) (model.Account, error) {
	a, err := scanAccount(q.QueryRowContext(ctx, `SELECT `+accountColumns+accountTables+`WHERE a.id = +?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return a, errNoAccount
	}
	return a, err
}

func accountsByEmail(ctx context.Context, q querier, key string) ([]model.Account, error) {
	if key == "" {
		return nil, nil
	}
	return rows(ctx, q, scanAccountRow, `SELECT `+accountColumns+accountTables+`WHERE a.email_key = +? ORDER BY a.id`, key)
}

// existing is a member's account for an act that needs one.
func (tx *Tx) existing(ctx context.Context, memberID int64) (model.Account, error) {
	a, err := accountOf(ctx, tx, memberID)
	if err != nil {
		return model.Account{}, err
	}
	if a == nil {
		if _, err := member(ctx, tx, memberID); err != nil {
			return model.Account{}, err
		}
		return model.Account{}, errNoAccount
	}
	return *a, nil
}

// AccountRecord is all that the Settings tab shows. The first time a link is
// shown to somebody, the line that says so is written before the page may
// leave: no line, no link.
func (d *DB) AccountRecord(ctx context.Context, actor model.Actor, memberID int64) (r model.AccountRecord, err error) {
	settings, err := d.Settings(ctx)
	if err != nil {
		return r, err
	}
	r, seen, err := d.record(ctx, d.point, settings, actor, memberID, d.Now())
	switch {
	case err != nil || !r.ShowsLink():
		return r, err
	case !seen.shown:
		return d.answering(ctx, actor, memberID, func(*Tx) error { return nil })
	case actor.Kind == model.ByPerson && !seen.actorStands:
		return r, errSignInEnded
	}
	r.Status.Link, err = resetLink(d.keys, settings, r.Status.Reset)
	return r, err
}

// answering is an act whose answer shows the record as the act left it, and
// with it the link. The line that says so is part of the act: to bring it to
// the disk by itself takes as long as all the rest of a press.
func (d *DB) answering(ctx context.Context, actor model.Actor, memberID int64, act func(tx *Tx) error) (r model.AccountRecord, err error) {
	err = d.actBy(ctx, actor, func(tx *Tx) error {
		if err := act(tx); err != nil {
			return err
		}
		r, err = tx.onScreen(ctx, actor, memberID)
		return err
	})
	if err != nil {
		return model.AccountRecord{}, err // no line, no link
	}
	return r, nil
}

// onScreen is AccountRecord within an act.
func (tx *Tx) onScreen(ctx context.Context, actor model.Actor, memberID int64) (model.AccountRecord, error) {
	r, seen, err := tx.db.record(ctx, tx, tx.settings, actor, memberID, tx.Now)
	if err != nil || !r.ShowsLink() {
		return r, err
	}
	if !seen.shown {
		if err := tx.noteShown(ctx, actor, *r.Account, r.Status.Reset); err != nil {
			return r, err
		}
	}
	r.Status.Link, err = resetLink(tx.db.keys, tx.settings, r.Status.Reset)
	return r, err
}

// RecordWithoutLink is AccountRecord for the page that asks again and again how
// the letter is doing: it never carries the link, and writes nothing.
func (d *DB) RecordWithoutLink(ctx context.Context, actor model.Actor, memberID int64) (r model.AccountRecord, err error) {
	settings, err := d.Settings(ctx)
	if err != nil {
		return r, err
	}
	r, _, err = d.record(ctx, d.point, settings, actor, memberID, d.Now())
	return r, err
}

// headColumns are what the head of a record shows of the member.
const headColumns = `m.id, m.member_no, m.first_name, m.last_name, m.company, m.email, m.phone, m.postcode, m.birth_date, m.status`

func headTargets(m *model.Member) []any {
	return []any{&m.ID, &m.MemberNo, &m.FirstName, &m.LastName, &m.Company, &m.Email, &m.Phone, &m.Postcode, &m.BirthDate, &m.Status}
}

// newestFate is the newest letter to an account's present address of which is
// known what became of it: it says whether letters arrive. One that waits says
// nothing yet, one to a former address nothing any more, and a test says
// something about the mail settings. The account is called a.
const newestFate = `(
	SELECT f.id FROM letter_subject g JOIN letter f ON f.id = g.letter_id
	WHERE g.account_id = a.id AND f.to_key = a.email_key AND f.state IN ('accepted', 'failed', 'bounced') AND f.kind <> 'test'
	ORDER BY g.letter_id DESC LIMIT 1)`

// mailColumn is [model.Account.Mail].
const mailColumn = `(SELECT state FROM letter WHERE id = ` + newestFate + `)`

// recordQuery is the head of the record, its account, the newest link and that link's
// newest letter. Asked for one by one they took five queries, and with them
// half the time of the Settings tab. For what few accounts have (sharers,
// sessions, anybody's wrong tries that still slow somebody) it only says
// whether there is any.
const recordQuery = `
	SELECT ` + headColumns + `, ` + bareAccountColumns + `, ` + resetColumns + `, ` + letterColumns + `,
		EXISTS (SELECT 1 FROM failure WHERE last_at > +?5),
		EXISTS (SELECT 1 FROM account o WHERE o.email_key = a.email_key AND o.id <> a.id),
		EXISTS (SELECT 1 FROM session s WHERE s.account_id = a.id),
		EXISTS (SELECT 1 FROM reset_shown v WHERE v.reset_id = r.id AND v.account_id = +?2),
		` + actorStands + `,
		EXISTS (SELECT 1 FROM near_login w WHERE w.member_id = m.id),
		EXISTS (SELECT 1 FROM email_change e WHERE e.account_id = a.id AND e.ended_at IS NULL), ` + mailColumn + `
	FROM member m
	LEFT JOIN account a ON a.member_id = m.id
	LEFT JOIN reset r ON r.id = (SELECT max(id) FROM reset WHERE account_id = a.id)
	LEFT JOIN letter l ON l.id = (
		SELECT s.letter_id FROM letter_subject s JOIN letter k ON k.id = s.letter_id
		WHERE s.reset_id = r.id AND k.kind <> 'password_changed' ORDER BY s.letter_id DESC LIMIT 1)
	WHERE m.id = +?1`

// recordRow is what recordQuery finds.
type recordRow struct {
	member  model.Member
	account model.Account
	link    model.Reset
	letter  model.Letter
	seen

	into []any // all of the above
}

// seen is what a look at a record tells besides what it shows.
type seen struct {
	failures, shared, signedIn, near, moving bool

	shown       bool // the line that this person had the link on screen is written
	actorStands bool // see still
}

// recordRows are used again: to put together what 59 columns are scanned to
// takes as long as the scan.
var recordRows = sync.Pool{New: func() any {
	row := new(recordRow)
	row.into = slices.Concat(headTargets(&row.member), ifFound(bareAccountTargets(&row.account)), ifFound(resetTargets(&row.link)),
		ifFound(letterTargets(&row.letter)), []any{&row.failures, &row.shared, &row.signedIn, &row.shown, &row.actorStands, &row.near, &row.moving},
		ifFound([]any{&row.account.Mail}))
	return row
}}

func (d *DB) record(ctx context.Context, q querier, settings model.Settings, actor model.Actor, memberID int64, now time.Time) (r model.AccountRecord, s seen, err error) {
	if err := actor.MayRead(); err != nil {
		return r, s, err
	}
	row := recordRows.Get().(*recordRow)
	defer func() {
		*row = recordRow{into: row.into}
		recordRows.Put(row)
	}()
	err = q.QueryRowContext(ctx, recordQuery, memberID, actor.AccountID, actor.Role, actor.Stamp,
		now.Add(-model.LongestDelay).Unix()).Scan(row.into...)
	if errors.Is(err, sql.ErrNoRows) {
		return r, s, errNoMember
	}
	if err != nil {
		return r, s, err
	}
	r.Member, s = row.member, row.seen
	if s.near {
		if r.Near, err = nearLogin(ctx, q, memberID, now); err != nil {
			return r, s, err
		}
	}
	if row.account.ID == 0 {
		r.Why = r.Explain(actor.MayEdit() == nil, now)
		return r, s, nil
	}
	a := row.account
	a.Name, a.MemberNo = r.Member.Name(), r.Member.MemberNo
	r.Account = &a
	if row.letter.ID != 0 {
		letter := row.letter
		r.LastLetter = &letter
	}
	if row.link.ID != 0 {
		link := row.link
		r.Latest = &link
		if link.Shown(a, now) {
			st := status(actor, a, link)
			st.Letter, st.HeldBack = r.LastLetter, settings.HeldBack()
			r.Status = &st
		}
		if now.Before(link.SpokenUntil()) {
			if r.Spoken, err = d.spokenCode(ctx, q, a, link, now); err != nil {
				return r, s, err
			}
		}
	}
	if s.shared {
		if r.SharedWith, err = sharers(ctx, q, a); err != nil {
			return r, s, err
		}
	}
	if s.moving {
		if r.NewEmail, err = pendingEmail(ctx, q, a, now); err != nil {
			return r, s, err
		}
	}
	if r.Member.Email != "" && model.EmailKey(r.Member.Email) != model.EmailKey(a.Email) {
		if r.ChoseEmailAt, err = choseEmailAt(ctx, q, a); err != nil {
			return r, s, err
		}
	}
	if s.signedIn {
		if r.Sessions, err = sessionsOf(ctx, q, a, now); err != nil {
			return r, s, err
		}
	}
	if a.HasFactor() {
		if r.Factors, err = secondFactors(ctx, q, a); err != nil {
			return r, s, err
		}
	}
	if s.failures {
		if r.SlowedFor, err = d.slowedFor(ctx, q, a, now); err != nil {
			return r, s, err
		}
	}
	if a.Failing() {
		l, err := scanLetter(q.QueryRowContext(ctx, `SELECT `+letterColumns+` FROM account a JOIN letter l ON l.id = `+newestFate+` WHERE a.id = +?`, a.ID))
		if err != nil {
			return r, s, err
		}
		r.Failing = &l
	}
	r.FactorDue = settings.Factors.FactorDue(a)
	_, r.SenderDomain, _ = strings.Cut(settings.Sender(), "@")
	r.Why = r.Explain(actor.MaySend(a) == nil, now)
	return r, s, nil
}

// sharers are the other people on an account's address.
func sharers(ctx context.Context, q querier, a model.Account) ([]model.Person, error) {
	all, err := accountsByEmail(ctx, q, model.EmailKey(a.Email))
	if err != nil {
		return nil, err
	}
	return people(all, a.ID), nil
}

// Login is what the holder of an account types to sign in, for password
// managers.
func (d *DB) Login(ctx context.Context, a model.Account) (string, error) {
	others, err := sharers(ctx, d.point, a)
	return a.Login(len(others) > 0), err
}

func people(accounts []model.Account, but int64) []model.Person {
	var ps []model.Person
	for _, a := range accounts {
		if a.ID != but {
			ps = append(ps, model.Person{MemberID: a.MemberID, AccountID: a.ID, Name: a.Name})
		}
	}
	return ps
}

// CreateUser gives a member an account and sends the first link. The email
// may differ from the record's, and may be empty if there is a member number.
// share says that staff saw whose address it is already and mean it.
func (d *DB) CreateUser(ctx context.Context, actor model.Actor, memberID int64, email string, share bool) error {
	if err := actor.MayEdit(); err != nil {
		return err
	}
	return d.actBy(ctx, actor, func(tx *Tx) error { return tx.createUser(ctx, actor, memberID, email, share) })
}

// CreateUserOnScreen is CreateUser for an answer that shows the link at once.
func (d *DB) CreateUserOnScreen(ctx context.Context, actor model.Actor, memberID int64, email string, share bool) (model.AccountRecord, error) {
	if err := actor.MayEdit(); err != nil {
		return model.AccountRecord{}, err
	}
	return d.answering(ctx, actor, memberID, func(tx *Tx) error { return tx.createUser(ctx, actor, memberID, email, share) })
}

func (tx *Tx) createUser(ctx context.Context, actor model.Actor, memberID int64, email string, share bool) error {
	m, was, err := memberAndAccount(ctx, tx, memberID)
	if err != nil {
		return err
	}
	if was != nil {
		// The second half of a double click: the answer is the same.
		if r, err := latestReset(ctx, tx, was.ID); err != nil || (r != nil && r.ForNew && r.AskedJustNow(actor, tx.Now)) {
			return err
		}
		return model.Conflict(m.Name() + " has an account already. Somebody else may have created it just now.")
	}
	a, err := tx.makeAccount(ctx, actor, m, email, share, "")
	if err != nil {
		return err
	}
	return tx.send(ctx, actor, a, model.LetterWelcome)
}

// makeAccount inserts an account of role member, which may wait for a higher
// one.
func (tx *Tx) makeAccount(ctx context.Context, actor model.Actor, m model.Member, email string, share bool, pending model.Role) (model.Account, error) {
	email, err := tx.usableEmail(ctx, m, model.Account{MemberNo: m.MemberNo, Role: model.RoleMember, PendingRole: pending}, email, share)
	if err != nil {
		return model.Account{}, err
	}
	cleared, err := tx.clearedWith(ctx, actor, m.ID, email)
	if err != nil {
		return model.Account{}, err
	}
	salt, err := tx.saltFor(ctx, email)
	if err != nil {
		return model.Account{}, err
	}
	res, err := tx.ExecContext(ctx, `
		INSERT INTO account (member_id, email, email_key, role, pending_role, salt, created_at, factor_cleared_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		m.ID, email, orNull(model.EmailKey(email)), model.RoleMember, pending, salt, tx.Now.Unix(), moment(cleared))
	if err != nil {
		return model.Account{}, err
	}
	id, err := res.LastInsertId()
	if err != nil {
		return model.Account{}, err
	}
	if err := tx.index(ctx, m.ID); err != nil {
		return model.Account{}, err
	}
	if err := tx.audit(ctx, actor, model.ActAccountMade, about{member: m.ID, account: id}); err != nil {
		return model.Account{}, err
	}
	return accountByID(ctx, tx, id)
}

// usableEmail checks an address for an account: well formed, not another
// person's unless it may be and is meant to be shared.
func (tx *Tx) usableEmail(ctx context.Context, m model.Member, a model.Account, typed string, share bool) (string, error) {
	email, sentence := model.ParseEmail(typed)
	if sentence != "" {
		return "", model.Invalid("email", sentence)
	}
	if email == "" {
		switch {
		case m.MemberNo == "":
			return "", model.Invalid("email", "Please give an email address, or give the record a member number to sign in with.")
		case a.GuardRole().InOffice():
			return "", model.Invalid("email", "Whoever works in the office needs an email address of their own.")
		}
		return "", nil
	}
	all, err := accountsByEmail(ctx, tx, model.EmailKey(email))
	if err != nil {
		return "", err
	}
	if taken := tx.settings.EmailTaken(a, email, all); taken != nil {
		return "", taken
	}
	if holders := people(all, a.ID); len(holders) > 0 && !share {
		return "", &model.EmailTakenError{Email: email, Holders: holders, MayShare: true}
	}
	return email, nil
}

// saltFor is the salt of an address: the one its accounts have, else a new
// one. Sharing it lets a sign-in compare one hash with the whole household.
func (tx *Tx) saltFor(ctx context.Context, email string) (salt []byte, err error) {
	key := model.EmailKey(email)
	if key == "" {
		return model.NewSalt(), nil
	}
	err = tx.QueryRowContext(ctx, `SELECT salt FROM account WHERE email_key = +? ORDER BY id LIMIT 1`, key).Scan(&salt)
	if errors.Is(err, sql.ErrNoRows) {
		return model.NewSalt(), nil
	}
	return salt, err
}

// ChangeEmail gives an account another address at once. Links and sessions
// end, the password is void, the former address is told, and a link goes to
// the new one (product.md §4.6).
func (d *DB) ChangeEmail(ctx context.Context, actor model.Actor, memberID int64, email string, share bool) error {
	return d.govern(ctx, actor, memberID, func(tx *Tx, a model.Account) error {
		m, err := member(ctx, tx, memberID)
		if err != nil {
			return err
		}
		if err := a.MayMoveNow(tx.Now); err != nil {
			return err
		}
		if email, err = tx.usableEmail(ctx, m, a, email, share); err != nil {
			return err
		}
		if email == a.Email {
			return model.Invalid("email", "This is the address the account has already.")
		}
		if err := tx.cancelLink(ctx, actor, a, "the email was changed"); err != nil {
			return err
		}
		if err := tx.cancelEmailChange(ctx, actor, a); err != nil {
			return err
		}
		salt, err := tx.saltFor(ctx, email)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `
			UPDATE account SET email = ?, email_key = ?, salt = ?, password_hash = NULL, password_version = password_version + 1
			WHERE id = +?`, email, orNull(model.EmailKey(email)), salt, a.ID); err != nil {
			return err
		}
		if err := tx.endSessions(ctx, a.ID); err != nil {
			return err
		}
		if err := tx.audit(ctx, actor, model.ActEmailChanged, about{member: memberID, account: a.ID}); err != nil {
			return err
		}
		if a.Email != "" {
			if err := tx.leaveEmail(ctx, a); err != nil {
				return err
			}
			if err := tx.post(ctx, actor, model.LetterEmailChanged, a.Email, letterFacts{ChangedAt: tx.Now.Unix(), NewEmail: blanked(email)},
				subject{account: a.ID}); err != nil {
				return err
			}
		}
		now, err := accountByID(ctx, tx, a.ID)
		if err != nil || now.Disabled() {
			return err
		}
		return tx.send(ctx, actor, now, model.LetterReset)
	})
}

// leaveEmail remembers an address that an account has no longer.
func (tx *Tx) leaveEmail(ctx context.Context, a model.Account) error {
	if a.Email == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO former_email (member_id, email, left_at) VALUES (?, ?, ?)`, a.MemberID, a.Email, tx.Now.Unix())
	return err
}

// blanked keeps of an address what its holder recognises and a stranger
// cannot write to.
func blanked(email string) string {
	local, domain, ok := strings.Cut(email, "@")
	if !ok {
		return ""
	}
	first := []rune(local)[:1]
	return string(first) + "…@" + domain
}

// SetRole gives an account another role. A lower one counts at once. A higher
// one waits until its holder set a password through a link that nobody in the
// office could see: otherwise whoever raises an account could take it over
// and act under another name.
func (d *DB) SetRole(ctx context.Context, actor model.Actor, memberID int64, role model.Role) error {
	if _, ok := model.ParseRole(string(role)); !ok {
		return model.Invalid("role", "Please choose one of the roles.")
	}
	return d.actBy(ctx, actor, func(tx *Tx) error {
		a, err := tx.existing(ctx, memberID)
		if err != nil {
			return err
		}
		if err := actor.MaySetRole(a, role); err != nil {
			return err
		}
		if role == a.GuardRole() {
			return nil
		}
		if a.Role == model.RoleOwner && !a.Disabled() {
			if err := tx.anotherOwner(ctx, a.ID); err != nil {
				return err
			}
		}
		if a.Role.Above(role) {
			if err := tx.cancelSeen(ctx, actor, a); err != nil {
				return err
			}
		}
		pending := model.Role("")
		now := role
		if role.Above(a.Role) {
			if err := tx.mayRise(ctx, a, role); err != nil {
				return err
			}
			now, pending = a.Role, role
		}
		if err := tx.cancelLink(ctx, actor, a, "the role was changed"); err != nil {
			return err
		}
		if err := tx.cancelEmailChange(ctx, actor, a); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE account SET role = ?, pending_role = ?, factor_asked_at = NULL WHERE id = +?`, now, pending, a.ID); err != nil {
			return err
		}
		if err := tx.endSessions(ctx, a.ID); err != nil {
			return err
		}
		if err := tx.audit(ctx, actor, model.ActRoleChanged, about{member: memberID, account: a.ID,
			note: string(a.GuardRole()) + " → " + string(role)}); err != nil {
			return err
		}
		if pending == "" || a.Disabled() {
			return nil
		}
		if a, err = accountByID(ctx, tx, a.ID); err != nil {
			return err
		}
		return tx.send(ctx, actor, a, model.LetterReset)
	})
}

// mayRise makes sure that the waiting role can ever take effect: its link goes
// by letter only, to a mailbox that is the person's own.
func (tx *Tx) mayRise(ctx context.Context, a model.Account, role model.Role) error {
	if a.Email == "" {
		return model.Invalid("role", "Whoever works in the office needs an email address. Give the account one first.")
	}
	if err := tx.needMail(); err != nil {
		return err
	}
	others, err := sharers(ctx, tx, a)
	if err != nil {
		return err
	}
	if role.InOffice() && len(others) > 0 {
		return model.Invalid("role", others[0].Name+" uses the same email address. Whoever works in the office needs one of their own.")
	}
	return nil
}

func (tx *Tx) needMail() error {
	if !tx.settings.Mail.IsZero() {
		return nil
	}
	return model.Invalid("role", "The role takes effect through an emailed link, and no mail server is set up yet. Set one up first, or use “latchkey owner” on the machine the portal runs on.")
}

func (tx *Tx) anotherOwner(ctx context.Context, but int64) error {
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM account WHERE role = 'owner' AND disabled_at IS NULL AND password_hash IS NOT NULL AND id <> +?`, but).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return model.Conflict(sentenceLastOwner)
	}
	return nil
}

// Disable keeps an account from signing in. Its link and sessions end.
func (d *DB) Disable(ctx context.Context, actor model.Actor, memberID int64) error {
	return d.govern(ctx, actor, memberID, func(tx *Tx, a model.Account) error {
		if a.Disabled() {
			return nil
		}
		if err := tx.cancelLink(ctx, actor, a, "the account was disabled"); err != nil {
			return err
		}
		if err := tx.cancelEmailChange(ctx, actor, a); err != nil {
			return err
		}
		if err := tx.cancelSeen(ctx, actor, a); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE account SET disabled_at = ? WHERE id = +?`, tx.Now.Unix(), a.ID); err != nil {
			return err
		}
		if err := tx.endSessions(ctx, a.ID); err != nil {
			return err
		}
		return tx.audit(ctx, actor, model.ActAccountDisabled, about{member: memberID, account: a.ID})
	})
}

// Enable lets a disabled account sign in again, with a new password: the old
// one may be why it was disabled.
func (d *DB) Enable(ctx context.Context, actor model.Actor, memberID int64) error {
	return d.govern(ctx, actor, memberID, func(tx *Tx, a model.Account) error {
		if !a.Disabled() {
			return nil
		}
		if _, err := tx.ExecContext(ctx, `
			UPDATE account SET disabled_at = NULL, password_hash = NULL, password_version = password_version + 1 WHERE id = +?`, a.ID); err != nil {
			return err
		}
		if err := tx.audit(ctx, actor, model.ActAccountEnabled, about{member: memberID, account: a.ID}); err != nil {
			return err
		}
		a, err := accountByID(ctx, tx, a.ID)
		if err != nil {
			return err
		}
		return tx.send(ctx, actor, a, model.LetterReset)
	})
}

// DeleteAccount takes the way to sign in away; the record stays.
func (d *DB) DeleteAccount(ctx context.Context, actor model.Actor, memberID int64) error {
	return d.govern(ctx, actor, memberID, func(tx *Tx, a model.Account) error {
		if err := tx.cancelLink(ctx, actor, a, "the account was deleted"); err != nil {
			return err
		}
		if err := tx.cancelEmailChange(ctx, actor, a); err != nil {
			return err
		}
		if err := tx.cancelSeen(ctx, actor, a); err != nil {
			return err
		}
		if err := tx.leaveEmail(ctx, a); err != nil {
			return err
		}
		if err := tx.dropWithAccount(ctx, actor, a); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM account WHERE id = +?`, a.ID); err != nil {
			return err
		}
		if err := tx.index(ctx, memberID); err != nil {
			return err
		}
		return tx.audit(ctx, actor, model.ActAccountDeleted, about{member: memberID, account: a.ID})
	})
}

// EndSessions signs an account out everywhere.
func (d *DB) EndSessions(ctx context.Context, actor model.Actor, memberID int64) error {
	return d.govern(ctx, actor, memberID, func(tx *Tx, a model.Account) error {
		if err := tx.endSessions(ctx, a.ID); err != nil {
			return err
		}
		return tx.audit(ctx, actor, model.ActSessionsEnded, about{member: memberID, account: a.ID})
	})
}

// govern is an act on an account that takes a role strictly above it.
func (d *DB) govern(ctx context.Context, actor model.Actor, memberID int64, f func(tx *Tx, a model.Account) error) error {
	return d.actBy(ctx, actor, func(tx *Tx) error {
		a, err := tx.existing(ctx, memberID)
		if err != nil {
			return err
		}
		if err := actor.MayGovern(a); err != nil {
			return err
		}
		return f(tx, a)
	})
}

// endSessions makes every session of an account count no more.
func (tx *Tx) endSessions(ctx context.Context, accountID int64) error {
	if _, err := tx.ExecContext(ctx, `UPDATE account SET session_stamp = session_stamp + 1 WHERE id = +?`, accountID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM session WHERE account_id = +?`, accountID)
	return err
}

// Colleagues lists who works in the office, or is about to, with what each waits
// for and what the actor may do about it.
func (d *DB) Colleagues(ctx context.Context, actor model.Actor) ([]model.Colleague, error) {
	if err := actor.MayOwn(); err != nil {
		return nil, err
	}
	settings, err := d.Settings(ctx)
	if err != nil {
		return nil, err
	}
	now := d.Now()
	all, err := rows(ctx, d.read, func(rs *sql.Rows) (c model.Colleague, err error) {
		var link model.Reset
		var letter model.Letter
		more := append(ifFound(resetTargets(&link)), ifFound(letterTargets(&letter))...)
		if c.Account, err = scanAccount(rs, append(more, &c.App, &c.Passkeys)...); err != nil {
			return c, err
		}
		c.Required, c.FactorDue = settings.Factors.Require(c.GuardRole()), settings.Factors.FactorDue(c.Account)
		if c.PendingRole != "" && link.ID != 0 {
			c.Link = &link
			c.LinkLives = link.Live(c.Account, now)
			if letter.ID != 0 {
				c.Letter = &letter
			}
		}
		return c, nil
	}, `SELECT `+accountColumns+`, `+resetColumns+`, `+letterColumns+`,
			EXISTS (SELECT 1 FROM factor f WHERE f.account_id = a.id AND f.app_secret IS NOT NULL),
			(SELECT count(*) FROM passkey k WHERE k.account_id = a.id)`+accountTables+`
		LEFT JOIN reset r ON r.id = (SELECT max(id) FROM reset WHERE account_id = a.id)
		LEFT JOIN letter l ON l.id = (SELECT max(letter_id) FROM letter_subject WHERE reset_id = r.id)
		WHERE a.role <> 'member' OR a.pending_role <> ''
		ORDER BY n.sort_key, a.id`)
	if err != nil {
		return nil, err
	}
	owners := 0
	for _, c := range all {
		if c.OwnsNow() {
			owners++
		}
	}
	for i := range all {
		c := &all[i]
		if c.OwnsNow() && owners == 1 {
			c.Stays = sentenceLastOwner
		} else if e, ok := errors.AsType[*model.Error](actor.MaySetRole(c.Account, model.RoleMember)); ok {
			c.Stays = e.Sentence
		}
	}
	return all, nil
}

const sentenceLastOwner = "This is the last owner. Make somebody else an owner first."

// InviteStaff puts a new colleague on the roll, with an account whose role
// takes effect when they set their password through the letter.
func (d *DB) InviteStaff(ctx context.Context, actor model.Actor, in model.Invite) (memberID int64, err error) {
	if err := actor.MayOwn(); err != nil {
		return 0, err
	}
	m := model.Member{FirstName: in.FirstName, LastName: in.LastName, Email: in.Email}
	f := m.Clean()
	if m.Email == "" {
		f.Add("email", "Please give an email address: the invitation goes there.")
	}
	if _, ok := model.ParseRole(string(in.Role)); !ok || !in.Role.InOffice() {
		f.Add("role", "Please choose one of the roles.")
	}
	if err := f.Err(); err != nil {
		return 0, err
	}
	err = d.actBy(ctx, actor, func(tx *Tx) error {
		if err := tx.needMail(); err != nil {
			return err
		}
		m, err := tx.newcomer(ctx, actor, m)
		if err != nil {
			return err
		}
		memberID = m.ID
		a, err := tx.makeAccount(ctx, actor, m, in.Email, false, in.Role)
		if err != nil {
			return err
		}
		return tx.send(ctx, actor, a, model.LetterWelcome)
	})
	return memberID, err
}

// MakeOwner makes or rescues an owner, for whoever may run the binary. With a
// password the account is ready; without one the link in the answer sets it.
func (d *DB) MakeOwner(ctx context.Context, actor model.Actor, in model.NewOwner) (model.OwnerMade, error) {
	var made model.OwnerMade
	if err := actor.MayOwn(); err != nil {
		return made, err
	}
	email, sentence := model.ParseEmail(in.Email)
	if email == "" && sentence == "" {
		sentence = "Please give an email address."
	}
	if sentence != "" {
		return made, model.Invalid("email", sentence)
	}
	settings, err := d.Settings(ctx)
	if err != nil {
		return made, err
	}
	salt := model.NewSalt()
	var hash model.PasswordHash
	if !in.Password.IsZero() {
		m, err := d.ownerToBe(ctx, email)
		if err != nil {
			return made, err
		}
		if err := checkNewPassword(in.Password.Reveal(), passwordRules(settings, model.RoleOwner, m, email, in.Name)); err != nil {
			return made, err
		}
		if hash, err = d.hashing.hash(ctx, in.Password.Reveal(), salt); err != nil {
			return made, err
		}
	}
	err = d.actBy(ctx, actor, func(tx *Tx) error {
		all, err := accountsByEmail(ctx, tx, model.EmailKey(email))
		if err != nil {
			return err
		}
		var a model.Account
		switch len(all) {
		case 0:
			if a, err = tx.makeShellAccount(ctx, actor, in.Name, email); err != nil {
				return err
			}
			made.New = true
		case 1:
			a = all[0]
		default:
			return model.Invalid("email", "Several people share this address. An owner needs one of their own.")
		}
		if err := tx.cancelLink(ctx, actor, a, "made an owner on the machine"); err != nil {
			return err
		}
		if err := tx.cancelEmailChange(ctx, actor, a); err != nil {
			return err
		}
		// The salt is new because the hash was made before the transaction, and
		// nobody shares the address of an owner.
		if _, err := tx.ExecContext(ctx, `
			UPDATE account SET role = 'owner', pending_role = '', disabled_at = NULL, salt = ?, factor_asked_at = NULL,
				password_hash = NULL, password_version = password_version + 1 WHERE id = +?`, salt, a.ID); err != nil {
			return err
		}
		if err := tx.endSessions(ctx, a.ID); err != nil {
			return err
		}
		if err := tx.audit(ctx, actor, model.ActRoleChanged, about{member: a.MemberID, account: a.ID, note: string(a.Role) + " → owner"}); err != nil {
			return err
		}
		if in.ClearFactor && a.HasFactor() {
			if err := tx.clearFactor(ctx, actor, a, "your second step was cleared on the machine that the portal runs on. Signing in takes the password alone now."); err != nil {
				return err
			}
			made.Cleared = true
		}
		if a, err = accountByID(ctx, tx, a.ID); err != nil {
			return err
		}
		made.Factor = a.HasFactor()
		if !in.Password.IsZero() {
			if err := tx.storePassword(ctx, a, hash); err != nil || made.New {
				return err
			}
			return tx.postPasswordChanged(ctx, actor, a, 0)
		}
		r, err := tx.newReset(ctx, actor, a, nil, false) // cancelled above
		if err != nil {
			return err
		}
		made.Expires = r.ExpiresAt
		made.Link, err = resetLink(tx.db.keys, tx.settings, r)
		return err
	})
	return made, err
}

func (tx *Tx) makeShellAccount(ctx context.Context, actor model.Actor, name, email string) (model.Account, error) {
	first, last, ok := strings.Cut(strings.TrimSpace(name), " ")
	if !ok {
		first, last = "", first
	}
	m := model.Member{FirstName: first, LastName: last, Email: email}
	if last == "" {
		m.LastName, _, _ = strings.Cut(email, "@")
	}
	if err := m.Clean().Err(); err != nil {
		return model.Account{}, err
	}
	m, err := tx.newcomer(ctx, actor, m)
	if err != nil {
		return model.Account{}, err
	}
	return tx.makeAccount(ctx, actor, m, email, false, "")
}

// ownerToBe is the record of who is made an owner, for the words that the
// password must not hold; without any where there is no account yet.
func (d *DB) ownerToBe(ctx context.Context, email string) (model.Member, error) {
	all, err := accountsByEmail(ctx, d.read, model.EmailKey(email))
	if err != nil || len(all) != 1 {
		return model.Member{}, err
	}
	return member(ctx, d.read, all[0].MemberID)
}

// SetUp ends the first start: the association's settings and its first owner,
// who may sign in at once.
func (d *DB) SetUp(ctx context.Context, in model.SetUp) error {
	settings, err := d.Settings(ctx)
	if err != nil {
		return err
	}
	if !settings.SetUpAt.IsZero() {
		return errSetUp
	}
	m := model.Member{FirstName: in.FirstName, LastName: in.LastName, Email: in.Email}
	f := in.Settings.Clean()
	if !settings.Fixed["mail_server"] {
		in.Settings.Mail.Clean(model.MailServer{}, f)
	}
	for _, wrong := range []model.Fields{in.Unread, m.Clean()} {
		for name, sentence := range wrong {
			f.Add(name, sentence)
		}
	}
	if m.Email == "" {
		f.Add("email", "Please give your email address: you sign in with it.")
	}
	if e, ok := errors.AsType[*model.Error](checkNewPassword(in.Password.Reveal(), d.OwnerPasswordRules(in.Settings, m))); ok {
		f.Add("password", e.Fields["password"])
	}
	if in.Password.Reveal() != in.Confirm.Reveal() {
		f.Add("password_confirm", sentenceTwice)
	}
	if err := f.Err(); err != nil {
		return err
	}
	salt := model.NewSalt()
	hash, err := d.hashing.hash(ctx, in.Password.Reveal(), salt)
	if err != nil {
		return err
	}
	return d.act(ctx, func(tx *Tx) error {
		if !tx.settings.SetUpAt.IsZero() {
			return errSetUp
		}
		actor := model.Actor{Kind: model.ByPerson, Name: m.Name(), Role: model.RoleOwner}
		a, err := tx.setUpOwner(ctx, actor, m)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE account SET role = 'owner', pending_role = '', disabled_at = NULL, salt = ? WHERE id = +?`, salt, a.ID); err != nil {
			return err
		}
		if err := tx.storePassword(ctx, a, hash); err != nil {
			return err
		}
		in.Settings.SetUpAt = tx.Now
		if _, err := tx.storeSettings(ctx, in.Settings); err != nil {
			return err
		}
		return tx.audit(ctx, actor, model.ActSetUp, about{member: a.MemberID, account: a.ID})
	})
}

var errSetUp = model.NotFound("The portal is set up already. Sign in instead.")

// setUpOwner is the account of the first owner. The command line may have
// made it before the first start.
func (tx *Tx) setUpOwner(ctx context.Context, actor model.Actor, m model.Member) (model.Account, error) {
	all, err := accountsByEmail(ctx, tx, model.EmailKey(m.Email))
	if err != nil {
		return model.Account{}, err
	}
	switch len(all) {
	case 0:
	case 1:
		return all[0], nil
	default:
		return model.Account{}, model.Invalid("email", "Several people share this address. An owner needs one of their own.")
	}
	email := m.Email
	if m, err = tx.newcomer(ctx, actor, m); err != nil {
		return model.Account{}, err
	}
	return tx.makeAccount(ctx, actor, m, email, false, "")
}

// slowedFor is how long the next sign-in has to wait, from wherever the wrong
// tries came from.
func (d *DB) slowedFor(ctx context.Context, q querier, a model.Account, now time.Time) (time.Duration, error) {
	var crowds [2][]byte
	for i, login := range []string{model.EmailKey(a.Email), model.MemberNoKey(a.MemberNo)} {
		if login != "" {
			crowds[i] = d.crowdBucket(login)
		}
	}
	waits, err := rows(ctx, q, func(rs *sql.Rows) (time.Duration, error) {
		var crowd bool
		var f model.Failures
		err := rs.Scan(&crowd, &f.Count, unix{&f.LastAt})
		if crowd {
			return f.CrowdWait(now), err
		}
		return f.Wait(now), err
	}, `SELECT bucket = login, count, last_at FROM failure WHERE login IN (+?, +?)`, crowds[0], crowds[1])
	if err != nil || len(waits) == 0 {
		return 0, err
	}
	return slices.Max(waits), nil
}

// onRoll is the record of whoever is known under a contact address and has no
// account yet, nil unless there is exactly one. A new account belongs to it: a
// second record for the same person would only have to be merged later.
func (tx *Tx) onRoll(ctx context.Context, email string) (*model.Member, error) {
	all, err := membersWithoutAccount(ctx, tx, model.EmailKey(email))
	if err != nil || len(all) != 1 {
		return nil, err
	}
	return &all[0], nil
}

// newcomer is the record for a new account: the one on the roll, or a new one.
func (tx *Tx) newcomer(ctx context.Context, actor model.Actor, m model.Member) (model.Member, error) {
	known, err := tx.onRoll(ctx, m.Email)
	if err != nil {
		return m, err
	}
	if known != nil {
		return *known, nil
	}
	id, err := tx.addMember(ctx, actor, m)
	if err != nil {
		return m, err
	}
	return member(ctx, tx, id)
}
