package db

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"latchkey/db/model"
)

// letterFacts is what a letter says besides names and links, as its row keeps
// it. Nothing in it opens anything.
type letterFacts struct {
	ChangedAt int64  `json:"changed_at,omitempty"` // Unix seconds
	NewEmail  string `json:"new_email,omitempty"`  // blanked
	By        string `json:"by,omitempty"`         // who did it
	What      string `json:"what,omitempty"`       // settings_changed: in words

	EmailChange int64 `json:"email_change,omitempty"` // letters to a new address

	Draft *letterDraft `json:"draft,omitempty"` // of a test
}

// subject is whom a letter is about, and with which link.
type subject struct {
	account, reset int64
}

// post puts a letter into the outbox, in the transaction of the act it is
// about. Without a mail server it is captured at once: it would be a lie to
// call it waiting, and nobody wants last month's letters when a server is set
// up at last.
func (tx *Tx) post(ctx context.Context, actor model.Actor, kind model.LetterKind, to string, facts letterFacts, about ...subject) error {
	if to == "" {
		return nil
	}
	said, err := json.Marshal(facts)
	if err != nil {
		return err
	}
	state, settled := model.LetterWaiting, time.Time{}
	if tx.settings.Mail.IsZero() && !tx.db.fixed.Aside && !(kind == model.LetterSettingsChanged && tx.settings.DeliversNotices(tx.Now)) {
		state, settled = model.LetterCaptured, tx.Now
	}
	// A version without texts is the original, which letters call 0.
	res, err := tx.ExecContext(ctx, `
		INSERT INTO letter (kind, template_version, to_email, to_key, message_id, priority, state, asked_kind, asked_by, facts, created_at, due_at, settled_at)
		VALUES (?, coalesce((SELECT iif(subject = '', 0, version) FROM template WHERE kind = +? ORDER BY version DESC LIMIT 1), 0),
			?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		kind, kind, to, model.EmailKey(to), newMessageID(tx.settings), kind.Priority(), state, actor.Kind, orNull(actor.AccountID),
		string(said), tx.Now.Unix(), tx.Now.Unix(), moment(settled))
	if err != nil {
		return err
	}
	id, err := res.LastInsertId()
	if err != nil {
		return err
	}
	for _, s := range about {
		if _, err := tx.ExecContext(ctx, `INSERT INTO letter_subject (letter_id, account_id, reset_id) VALUES (?, ?, ?)`,
			id, s.account, orNull(s.reset)); err != nil {
			return err
		}
	}
	tx.posted = true
	return nil
}

// postLink mails a link. While a letter with the same link still waits, a
// second one would only be a second copy: the waiting one is due now instead.
func (tx *Tx) postLink(ctx context.Context, actor model.Actor, kind model.LetterKind, a model.Account, r model.Reset) error {
	res, err := tx.ExecContext(ctx, `
		UPDATE letter SET due_at = ? WHERE state IN ('waiting', 'retrying') AND kind <> 'password_changed'
			AND id IN (SELECT letter_id FROM letter_subject WHERE reset_id = +?)`, tx.Now.Unix(), r.ID)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		tx.posted = true
		return err
	}
	says, err := tx.saysCode(ctx, kind)
	if err == nil && says {
		_, err = tx.giveCode(ctx, r)
	}
	if err != nil {
		return err
	}
	return tx.post(ctx, actor, kind, a.Email, letterFacts{}, subject{a.ID, r.ID})
}

// hurrySeveral makes a letter for several due now that still waits with just
// these links, and reports whether there is one.
func (tx *Tx) hurrySeveral(ctx context.Context, all []subject) (bool, error) {
	marks, args := strings.Repeat(", ?", len(all))[2:], []any{}
	for _, s := range all {
		args = append(args, s.reset)
	}
	res, err := tx.ExecContext(ctx, `
		UPDATE letter SET due_at = ? WHERE state IN ('waiting', 'retrying') AND id IN (
			SELECT s.letter_id FROM letter_subject s JOIN letter l ON l.id = s.letter_id
			WHERE l.kind IN ('reset_several', 'trouble') AND s.reset_id IN (`+marks+`) GROUP BY s.letter_id HAVING count(*) = +?)`,
		append(append([]any{tx.Now.Unix()}, args...), len(all))...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	tx.posted = tx.posted || n > 0
	return n > 0, err
}

// formerFor is how long former addresses are told of a changed password.
const formerFor = 30 * 24 * time.Hour

// formerEmails are the addresses that an account left lately.
func (tx *Tx) formerEmails(ctx context.Context, a model.Account) ([]string, error) {
	all, err := rows(ctx, tx, func(rs *sql.Rows) (email string, err error) { return email, rs.Scan(&email) },
		`SELECT DISTINCT email FROM former_email WHERE member_id = +? AND left_at > +?`, a.MemberID, tx.Now.Add(-formerFor).Unix())
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{model.MailboxKey(a.Email): true}
	var former []string
	for _, email := range all {
		if key := model.MailboxKey(email); !seen[key] {
			seen[key] = true
			former = append(former, email)
		}
	}
	return former, nil
}

// postPasswordChanged tells the account's address, and those it had before,
// that the password was changed. reset is the link it came from, 0 if none.
func (tx *Tx) postPasswordChanged(ctx context.Context, actor model.Actor, a model.Account, reset int64) error {
	former, err := tx.formerEmails(ctx, a)
	if err != nil {
		return err
	}
	for _, email := range append([]string{a.Email}, former...) {
		if err := tx.post(ctx, actor, model.LetterPasswordChanged, email, letterFacts{ChangedAt: tx.Now.Unix()}, subject{a.ID, reset}); err != nil {
			return err
		}
	}
	return nil
}

// newMessageID is an identifier no other letter has (RFC 5322 §3.6.4).
func newMessageID(s model.Settings) string {
	host := "latchkey.invalid"
	if u, err := url.Parse(s.BaseURL); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	return rand.Text() + "@" + host
}

const letterColumns = `l.id, l.kind, l.to_email, l.message_id, l.state, l.asked_kind, l.created_at, l.due_at, l.settled_at,
	l.attempts, l.code, l.reply, l.stopped_by IS NOT NULL, l.delayed_at`

func letterTargets(l *model.Letter) []any {
	return []any{&l.ID, &l.Kind, &l.To, &l.MessageID, &l.State, &l.AskedKind, unix{&l.CreatedAt}, unix{&l.DueAt},
		unix{&l.SettledAt}, &l.Attempts, &l.Code, &l.Reply, &l.Stopped, unix{&l.DelayedAt}}
}

func scanLetter(row interface{ Scan(...any) error }) (model.Letter, error) {
	var l model.Letter
	err := row.Scan(letterTargets(&l)...)
	return l, err
}

// RecoverLetters is called when the postman starts: a letter that was under
// way when the portal stopped is sent again (it may have left already; its
// Message-ID is the same), and everything that waits is due now.
func (d *DB) RecoverLetters(ctx context.Context) error {
	return d.act(ctx, func(tx *Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE letter SET state = 'retrying', due_at = ? WHERE state = 'sending'`, tx.Now.Unix()); err != nil {
			return err
		}
		return tx.hurryLetters(ctx)
	})
}

// HurryLetters is called when a mail server is back: everything that waits is
// due now.
func (d *DB) HurryLetters(ctx context.Context) error {
	return d.act(ctx, func(tx *Tx) error { return tx.hurryLetters(ctx) })
}

// waitingPriorities is the priorities that waiting letters have, lowest first,
// each found with one step into the index letter_due: however many letters
// wait, to find the next takes as long.
const waitingPriorities = `
	WITH RECURSIVE waiting (priority) AS (
		SELECT min(priority) FROM letter INDEXED BY letter_due WHERE state IN ('waiting', 'retrying')
		UNION ALL
		SELECT (SELECT min(priority) FROM letter INDEXED BY letter_due WHERE state IN ('waiting', 'retrying') AND priority > waiting.priority)
		FROM waiting WHERE waiting.priority IS NOT NULL)`

// NextLetter is when the next letter may leave; zero if none waits.
func (d *DB) NextLetter(ctx context.Context) (due time.Time, err error) {
	s, err := d.Settings(ctx)
	if err != nil {
		return due, err
	}
	var first, bulk time.Time
	err = d.read.QueryRowContext(ctx, waitingPriorities+`
		SELECT min(due) FILTER (WHERE priority < +?1), min(due) FILTER (WHERE priority >= +?1)
		FROM (SELECT priority, (SELECT min(due_at) FROM letter INDEXED BY letter_due WHERE state IN ('waiting', 'retrying') AND priority = waiting.priority) AS due FROM waiting)`,
		model.PriorityBulk).Scan(unix{&first}, unix{&bulk})
	if err != nil {
		return due, err
	}
	p, err := paceOf(ctx, d.read, s)
	if err != nil {
		return due, err
	}
	first, bulk = later(first, p.any), later(bulk, p.bulk)
	if first.IsZero() || !bulk.IsZero() && bulk.Before(first) {
		return bulk, nil
	}
	return first, nil
}

// pace is from when on letters may leave, where only so many may in a minute.
// It is read off the attempts that were made, so a restart does not make it
// faster.
type pace struct {
	any  time.Time
	bulk time.Time // those that can wait
}

func paceOf(ctx context.Context, q querier, s model.Settings) (p pace, err error) {
	if s.LettersPerMinute <= 0 {
		return p, nil
	}
	after := func(newest int) (at time.Time, err error) {
		err = q.QueryRowContext(ctx, `SELECT started_at + 60 FROM letter_attempt ORDER BY id DESC LIMIT 1 OFFSET +?`, newest-1).Scan(unix{&at})
		if errors.Is(err, sql.ErrNoRows) {
			return at, nil
		}
		return at, err
	}
	if p.any, err = after(s.LettersPerMinute); err != nil {
		return p, err
	}
	p.bulk, err = after(s.BulkPerMinute())
	return p, err
}

// later is the moment at which a letter that is due may leave; zero if none is.
func later(due, pace time.Time) time.Time {
	if due.IsZero() || due.After(pace) {
		return due
	}
	return pace
}

// dueLetter is the letter that leaves next, sql.ErrNoRows if none may now.
func (tx *Tx) dueLetter(ctx context.Context) (model.Letter, error) {
	p, err := paceOf(ctx, tx, tx.settings)
	if err != nil {
		return model.Letter{}, err
	}
	below := math.MaxInt
	switch {
	case p.any.After(tx.Now):
		return model.Letter{}, sql.ErrNoRows
	case p.bulk.After(tx.Now):
		below = model.PriorityBulk
	}
	if !tx.settings.Delivers() {
		return scanLetter(tx.QueryRowContext(ctx, `
			SELECT `+letterColumns+` FROM letter l INDEXED BY letter_due
			WHERE l.state IN ('waiting', 'retrying') AND l.priority = +? AND l.due_at <= +? AND l.kind = +?
			ORDER BY l.due_at, l.id LIMIT 1`, model.PriorityMail, tx.Now.Unix(), model.LetterSettingsChanged))
	}
	return scanLetter(tx.QueryRowContext(ctx, waitingPriorities+`
		SELECT `+letterColumns+` FROM letter l WHERE l.id = (
			SELECT next FROM (
				SELECT waiting.priority, (
					SELECT id FROM letter INDEXED BY letter_due WHERE state IN ('waiting', 'retrying') AND priority = waiting.priority AND due_at <= +?1
					ORDER BY due_at, id LIMIT 1) AS next
				FROM waiting WHERE waiting.priority < +?2)
			WHERE next IS NOT NULL ORDER BY priority LIMIT 1)`, tx.Now.Unix(), below))
}

// ClaimLetter takes the next due letter out of the outbox for one attempt and
// puts together what it says; nil if none is due. A letter whose links have
// all ended is withdrawn on the way.
func (d *DB) ClaimLetter(ctx context.Context) (c *model.LetterContents, err error) {
	err = d.act(ctx, func(tx *Tx) (err error) {
		c, err = tx.claimLetter(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// CaptureFromShell captures what the command line posted (see [Fixed]), for the
// process that serves and knows that there is no mail server.
func (d *DB) CaptureFromShell(ctx context.Context) error {
	return d.act(ctx, func(tx *Tx) error {
		if !tx.settings.Mail.IsZero() {
			return nil
		}
		_, err := tx.ExecContext(ctx, `UPDATE letter SET state = ?, settled_at = ? WHERE state = 'waiting' AND asked_kind = 'shell'`,
			model.LetterCaptured, tx.Now.Unix())
		return err
	})
}

func (tx *Tx) claimLetter(ctx context.Context) (*model.LetterContents, error) {
	if !tx.settings.DeliversNotices(tx.Now) {
		return nil, nil
	}
	for {
		l, err := tx.dueLetter(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		way, leaves, err := tx.wayOf(ctx, l)
		if err != nil {
			return nil, err
		}
		if !leaves {
			if err := tx.holdLetter(ctx, l.ID); err != nil {
				return nil, err
			}
			continue
		}
		said, err := tx.db.contents(ctx, tx, way, l, tx.Now, liveLinks)
		if err == nil && said.Sample == "" && l.Kind.CarriesLink() && said.Template.HasCode() {
			var changed bool
			if changed, err = tx.giveCodes(ctx, l.ID); err == nil && changed {
				said, err = tx.db.contents(ctx, tx, way, l, tx.Now, liveLinks)
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			// One letter that cannot be put together (its key is no longer in
			// the key file) must not keep all others waiting behind it.
			broken := model.Delivery{Reply: "The letter could not be put together: " + err.Error()}
			if err := tx.settle(ctx, l.ID, model.LetterFailed, time.Time{}, broken); err != nil {
				return nil, err
			}
			continue
		}
		if l.Kind.CarriesLink() && len(said.Links) == 0 {
			if err := tx.settle(ctx, l.ID, model.LetterWithdrawn, time.Time{}, model.Delivery{}); err != nil {
				return nil, err
			}
			continue
		}
		said.State, said.Attempts = model.LetterSending, l.Attempts+1
		if _, err := tx.ExecContext(ctx, `UPDATE letter SET state = ?, attempts = attempts + 1 WHERE id = +?`, model.LetterSending, l.ID); err != nil {
			return nil, err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO letter_attempt (letter_id, started_at) VALUES (?, ?)`, l.ID, tx.Now.Unix())
		return &said, err
	}
}

// letterSubject is one person a letter is about, with their link if any.
type letterSubject struct {
	account model.Account
	reset   *model.Reset
}

func letterSubjects(ctx context.Context, q querier, id int64) ([]letterSubject, error) {
	return rows(ctx, q, func(rs *sql.Rows) (s letterSubject, err error) {
		var r model.Reset
		if s.account, err = scanAccount(rs, ifFound(resetTargets(&r))...); r.ID != 0 {
			s.reset = &r
		}
		return s, err
	}, `SELECT `+accountColumns+`, `+resetColumns+`
		FROM letter_subject s JOIN account a ON a.id = s.account_id JOIN member n ON n.id = a.member_id LEFT JOIN reset r ON r.id = s.reset_id
		WHERE s.letter_id = +? ORDER BY s.account_id`, id)
}

// linking is which links a letter shows.
type linking int

const (
	liveLinks  linking = iota
	blankLinks         // whose they are and how long they last, but nothing that opens
)

// contents puts together what a letter says at this moment.
func (d *DB) contents(ctx context.Context, q querier, s model.Settings, l model.Letter, now time.Time, links linking) (model.LetterContents, error) {
	c := model.LetterContents{
		Letter: l, Association: s.Association, Portal: s.Portal(), BaseURL: s.BaseURL,
		SupportEmail: s.SupportEmail, SupportPhone: s.SupportPhone, TimeZone: s.Location(),
		From: s.SenderOf(l.Kind), Senders: s.Senders(), ReplyTo: s.AnswersTo(l.Kind), Server: s.Mail,
	}
	if s.BounceAddress != "" {
		c.ReturnPath = d.keys.ReturnPath(s.BounceAddress, l)
	}
	var said string
	if err := q.QueryRowContext(ctx, `SELECT facts, template_version FROM letter WHERE id = +?`, l.ID).Scan(&said, &c.Version); err != nil {
		return c, err
	}
	var facts letterFacts
	if err := json.Unmarshal([]byte(said), &facts); err != nil {
		return c, err
	}
	if facts.Draft != nil {
		return facts.Draft.fill(c, s), nil
	}
	var err error
	if c.Template, err = sentTemplate(ctx, q, l.Kind, c.Version); err != nil {
		return c, err
	}
	c.NewEmail, c.RequestedBy, c.What = facts.NewEmail, facts.By, facts.What
	if facts.ChangedAt != 0 {
		c.ChangedAt = time.Unix(facts.ChangedAt, 0).UTC()
	}
	if l.Kind == model.LetterEmailConfirm {
		if c.Links, err = d.emailLink(ctx, q, s, l, now, links); err != nil {
			return c, err
		}
	}
	about, err := letterSubjects(ctx, q, l.ID)
	if err != nil {
		return c, err
	}
	for i, p := range about {
		if i == 0 {
			c.Name = p.account.Name
		}
		if p.reset == nil {
			continue
		}
		if c.RequestedBy == "" && p.reset.AskedKind == model.ByPerson {
			c.RequestedBy = p.reset.AskedName
		}
		if l.Kind == model.LetterPasswordChanged {
			c.ByLink, c.AskedKind, c.ReadOutBy = true, p.reset.AskedKind, p.reset.SpokenBy // whoever set the password came by the link: who asked for that?
			if c.SeenBy, err = seenBy(ctx, q, p.reset.ID); err != nil {
				return c, err
			}
			if c.NotMe, err = d.notMeOfPassword(s, l, *p.reset, links); err != nil {
				return c, err
			}
		}
		if l.Kind.CarriesLink() && links == blankLinks {
			c.Links = append(c.Links, model.LetterLink{Name: p.account.Name, Expires: p.reset.ExpiresAt, CodeExpires: p.reset.CodeUntil()})
			continue
		}
		// A captured letter is shown as it was written; its link may have done
		// its work since.
		if l.Kind.CarriesLink() && (l.State == model.LetterCaptured || p.reset.Live(p.account, now)) {
			link, err := resetLink(d.keys, s, *p.reset)
			if err != nil {
				return c, err
			}
			notMe, err := notMeLink(d.keys, s, *p.reset)
			if err != nil {
				return c, err
			}
			one := model.LetterLink{Name: p.account.Name, URL: link, NotMe: notMe, Expires: p.reset.ExpiresAt}
			if c.Template.HasCode() {
				if one.Code, err = d.keys.ResetCode(*p.reset); err != nil {
					return c, err
				}
				one.CodeExpires = p.reset.CodeUntil()
			}
			c.Links = append(c.Links, one)
		}
	}
	return c, nil
}

// notMeOfPassword is where the reader of a password-changed letter says that it
// was not them, zero if nowhere: the address that the link was mailed to may,
// as long as it can be said at all, and a former address may not.
func (d *DB) notMeOfPassword(s model.Settings, l model.Letter, r model.Reset, links linking) (model.Secret, error) {
	switch {
	case model.MailboxKey(l.To) != model.MailboxKey(r.Email) || !r.MayDisown(l.CreatedAt):
		return model.Secret{}, nil
	case links == blankLinks:
		return model.NewSecret(s.BaseURL + "/not-me/"), nil
	}
	return notMeLink(d.keys, s, r)
}

// seenBy is who at the office had a link on screen, by the names they had then.
func seenBy(ctx context.Context, q querier, resetID int64) ([]string, error) {
	return rows(ctx, q, func(rs *sql.Rows) (name string, err error) { return name, rs.Scan(&name) },
		`SELECT name FROM reset_shown WHERE reset_id = +? ORDER BY shown_at, account_id`, resetID)
}

// SettleLetter notes how an attempt ended and what follows.
func (d *DB) SettleLetter(ctx context.Context, id int64, how model.Delivery) error {
	return d.act(ctx, func(tx *Tx) error { return tx.settleLetter(ctx, id, how) })
}

// SettleAndClaim is SettleLetter for each of these letters and ClaimLetter for
// as many as are wanted, in one transaction: to wait for the disk is most of
// what either costs.
func (d *DB) SettleAndClaim(ctx context.Context, ended []model.Ending, want int) (next []model.LetterContents, err error) {
	err = d.act(ctx, func(tx *Tx) error {
		for _, e := range ended {
			if err := tx.settleLetter(ctx, e.Letter, e.How); err != nil {
				return err
			}
		}
		for range want {
			c, err := tx.claimLetter(ctx)
			if err != nil || c == nil {
				return err
			}
			next = append(next, *c)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return next, nil
}

// ReturnLetters puts claimed letters back of which nothing was said to a mail
// server: their attempt was none.
func (d *DB) ReturnLetters(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	return d.act(ctx, func(tx *Tx) error {
		for _, id := range ids {
			res, err := tx.ExecContext(ctx, `
				UPDATE letter SET state = iif(attempts > 1, 'retrying', 'waiting'), attempts = attempts - 1 WHERE id = +? AND state = 'sending'`, id)
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil {
				return err
			} else if n == 0 {
				continue
			}
			if _, err := tx.ExecContext(ctx, `
				DELETE FROM letter_attempt WHERE id = (SELECT max(id) FROM letter_attempt WHERE letter_id = +?)`, id); err != nil {
				return err
			}
		}
		tx.posted = true
		return nil
	})
}

func (tx *Tx) settleLetter(ctx context.Context, id int64, how model.Delivery) error {
	l, err := scanLetter(tx.QueryRowContext(ctx, `SELECT `+letterColumns+` FROM letter l WHERE l.id = +?`, id))
	if err != nil {
		return err
	}
	if l.State == model.LetterBounced {
		return tx.endAttempt(ctx, id, how) // a report was faster than the mail server's answer
	}
	if l.State != model.LetterSending {
		return fmt.Errorf("letter %d is not under way but %s", id, l.State)
	}
	var until time.Time
	live := false
	if !how.Accepted { // what becomes of the link is no question then
		people, err := letterSubjects(ctx, tx, id)
		if err != nil {
			return err
		}
		for _, s := range people {
			if s.reset != nil && s.reset.Live(s.account, tx.Now) {
				live = true
				if s.reset.ExpiresAt.After(until) {
					until = s.reset.ExpiresAt
				}
			}
		}
		if l.Kind == model.LetterEmailConfirm {
			c, a, err := changeOfLetter(ctx, tx, id)
			if err != nil {
				return err
			}
			if live = c != nil && c.Live(a, tx.Now); live {
				until = c.ExpiresAt
			}
		}
	}
	state, due := l.Outcome(how, until, tx.Now)
	if state == model.LetterRetrying && l.Kind.CarriesLink() && !live {
		state, due = model.LetterWithdrawn, time.Time{}
	}
	if err := tx.settle(ctx, id, state, due, how); err != nil {
		return err
	}
	if err := tx.endAttempt(ctx, id, how); err != nil {
		return err
	}
	if !state.Settled() {
		tx.posted = true
		return nil
	}
	lines, err := rows(ctx, tx, func(rs *sql.Rows) (a about, err error) { return a, rs.Scan(&a.member, &a.account, &a.reset) }, `
		SELECT a.member_id, a.id, coalesce(r.id, 0) FROM letter_subject s JOIN account a ON a.id = s.account_id LEFT JOIN reset r ON r.id = s.reset_id
		WHERE s.letter_id = +? ORDER BY s.account_id`, id)
	if err != nil {
		return err
	}
	for _, line := range lines {
		line.letter, line.note = id, string(l.Kind)+" "+string(state)
		if err := tx.audit(ctx, model.SystemActor(), model.ActLetterSettled, line); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) endAttempt(ctx context.Context, id int64, how model.Delivery) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE letter_attempt SET ended_at = ?, code = ?, reply = ?, conversation = ?
		WHERE id = (SELECT max(id) FROM letter_attempt WHERE letter_id = +?)`, tx.Now.Unix(), how.Code, how.Reply, how.Conversation, id)
	return err
}

func (tx *Tx) settle(ctx context.Context, id int64, state model.LetterState, due time.Time, how model.Delivery) error {
	var settled time.Time
	if state.Settled() {
		settled, due = tx.Now, tx.Now
	}
	_, err := tx.ExecContext(ctx, `UPDATE letter SET state = ?, due_at = ?, settled_at = ?, code = ?, reply = ? WHERE id = +?`,
		state, due.Unix(), moment(settled), how.Code, how.Reply, id)
	return err
}

// CapturedLetters is the newest letters that were kept because there is no
// mail server, with their links: for the demonstration alone.
func (d *DB) CapturedLetters(ctx context.Context, most int) ([]model.LetterContents, error) {
	s, err := d.Settings(ctx)
	if err != nil {
		return nil, err
	}
	letters, err := rows(ctx, d.read, func(rs *sql.Rows) (model.Letter, error) { return scanLetter(rs) }, `
		SELECT `+letterColumns+` FROM letter l WHERE l.state = 'captured' ORDER BY l.created_at DESC, l.id DESC LIMIT +?`, most)
	if err != nil {
		return nil, err
	}
	var all []model.LetterContents
	for _, l := range letters {
		c, err := d.contents(ctx, d.read, s, l, d.Now(), liveLinks)
		if err != nil {
			return nil, err
		}
		if l.Kind.CarriesLink() && len(c.Links) == 0 {
			continue // the account it was about is deleted
		}
		all = append(all, c)
	}
	return all, nil
}
