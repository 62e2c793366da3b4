package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/db/model"
)

// One sentence for every code that does not help: wrong, of nobody, too old,
// tried too often, of a disabled account (OWASP ASVS 5.0, 6.3.8).
var errCode = &model.Error{Kind: model.KindSignIn,
	Sentence: "That did not work. Please check both fields. A code works for a short time only, and not after several wrong tries: ask the office for another one, or use the link in the letter."}

// EnterCode finds the reset that a code finishes, and gives what stands in its
// link. Whoever the login may mean, and also when nobody has it, it makes the
// same statements over as many rows: it always compares with as many codes as
// can share an address.
func (d *DB) EnterCode(ctx context.Context, in model.CodeTry) (token model.Secret, err error) {
	f := model.Fields{}
	if strings.TrimSpace(in.Login) == "" {
		f.Add("login", "Please type your email address or member number.")
	}
	code, ok := model.ParseCode(in.Code.Reveal())
	switch {
	case strings.TrimSpace(in.Code.Reveal()) == "":
		f.Add("code", "Please type the code.")
	case !ok:
		f.Add("code", "A code has eight letters and digits, like "+model.SampleCode+". There is no 0, 1, I, L, O or U in it.")
	}
	if err := f.Err(); err != nil {
		return token, err
	}
	found := false
	err = d.act(ctx, func(tx *Tx) error {
		// Over all logins: whoever tries a few codes for each of many is slowed too.
		bucket := d.keys.Blind("failure", "codes", in.Network)
		f, err := failures(ctx, tx, bucket)
		if err != nil {
			return err
		}
		if wait := f.CrowdWait(tx.Now); wait > 0 {
			return model.Limited("There were many wrong codes from your network. Please wait a moment before the next one. A link from a letter works at once.", wait)
		}
		places, err := tx.codePlaces(ctx, in.Login, in.Network)
		if err != nil {
			return err
		}
		var fits *codePlace
		for i := range places {
			if p := &places[i]; p.fits(d.keys, model.NewSecret(code), tx.Now) {
				fits = p
			}
		}
		if fits == nil {
			if err := tx.countWrongCode(ctx, places); err != nil {
				return err
			}
			_, err := tx.countFailure(ctx, bucket, bucket)
			return err
		}
		found = true
		if token, err = d.keys.ResetToken(fits.reset); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE reset SET opened_at = coalesce(opened_at, ?) WHERE id = +?`, tx.Now.Unix(), fits.reset.ID); err != nil {
			return err
		}
		return tx.noteEntered(ctx, in.Network, fits)
	})
	if err == nil && !found {
		err = errCode
	}
	return token, err
}

// noteEntered writes down that a code was typed, once a minute at the most: a
// right one costs no wait, and lines are never deleted.
func (tx *Tx) noteEntered(ctx context.Context, network string, p *codePlace) error {
	res, err := tx.ExecContext(ctx, `INSERT INTO code_try (key, count, last_at) VALUES (?, 1, ?)
		ON CONFLICT (key) DO UPDATE SET count = count + 1, last_at = excluded.last_at WHERE last_at <= ?`,
		tx.db.keys.Blind("code-try", "entered", letterCode(p.reset)), tx.Now.Unix(), tx.Now.Add(-time.Minute).Unix())
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return tx.audit(ctx, model.MemberActor(network), model.ActCodeEntered,
		about{member: p.account.MemberID, account: p.account.ID, reset: p.reset.ID})
}

// codePlace is one reset that a typed code may be of, or one of nobody's that
// only has to cost the same.
type codePlace struct {
	account model.Account
	reset   model.Reset
	spoken  []byte // keyed hash of the code that was read out
	keys    codeKeys
	wrong   model.CodeTries
}

// codeKeys are the rows that count the wrong tries of a place.
type codeKeys struct{ all, network, shut, spoken []byte }

// triesOf gives the keys of one code. shut is counted when a network has had all
// its tries.
func triesOf(k model.Keyring, code, network string, spoken []byte) codeKeys {
	keys := codeKeys{
		all: k.Blind("code-try", "all", code), network: k.Blind("code-try", "network", code, network),
		shut: k.Blind("code-try", "shut", code), spoken: k.Blind("code-try", "spoken", code),
	}
	if spoken != nil {
		keys.spoken = k.Blind("code-try", "spoken", string(spoken))
	}
	return keys
}

// letterCode names the code that a link's letters carry.
func letterCode(r model.Reset) string {
	return fmt.Sprintf("account %d link %d code %d", r.AccountID, r.ID, r.CodeNo)
}

// nobodySlots is how many bytes of a made-up login, tried from a network, tell
// its rows from those of another.
const nobodySlots = 1

// codePlaces is whose code it may be.
func (tx *Tx) codePlaces(ctx context.Context, login, network string) ([]codePlace, error) {
	emailKey, memberNoKey := model.LoginKey(login)
	where, key := `a.email_key = +?1`, emailKey
	if memberNoKey != "" {
		where, key = `n.member_no_key = +?1`, memberNoKey
	}
	// To read eight accounts takes 0.1 ms more than to read none. So eight are read
	// for everybody, the first ones of the portal in the places of those that there
	// are not.
	places, err := rows(ctx, tx, func(rs *sql.Rows) (p codePlace, err error) {
		var other bool
		p.account, err = scanAccount(rs, append(ifFound(resetTargets(&p.reset)), &p.spoken, &other)...)
		if other {
			p = codePlace{}
		}
		return p, err
	}, `SELECT `+accountColumns+`, `+resetColumns+`, r.spoken, p.other FROM (
			SELECT a.id AS id, 0 AS other`+accountTables+`WHERE `+where+`
			UNION ALL SELECT * FROM (SELECT id, 1 FROM account ORDER BY id LIMIT +?2)
			ORDER BY other, id LIMIT +?2) p
		JOIN account a ON a.id = p.id JOIN member n ON n.id = a.member_id
		LEFT JOIN reset r ON r.account_id = a.id AND r.ended_at IS NULL
		ORDER BY p.other, a.id`, orNull(key), model.HouseholdLimit)
	if err != nil {
		return nil, err
	}
	for len(places) < model.HouseholdLimit {
		places = append(places, codePlace{})
	}
	slot := tx.db.keys.Blind("code-try", "nobody", emailKey+memberNoKey, network)
	var keys [][]byte
	for i := range places {
		p := &places[i]
		switch {
		case p.account.ID != 0:
			if p.reset.ID == 0 {
				p.reset = model.Reset{AccountID: p.account.ID, KeyID: tx.db.keys.CurrentID()}
			}
			p.keys = triesOf(tx.db.keys, letterCode(p.reset), network, p.spoken)
		case i == 0:
			p.reset.KeyID = tx.db.keys.CurrentID()
			// As many rows as it would have, were it somebody's; but all made-up
			// logins together only have so many, or they would fill the table.
			p.keys = triesOf(tx.db.keys, fmt.Sprintf("nobody %x", slot[:nobodySlots]), "", nil)
		default:
			// Eight people who share an address have a row each for every network, so
			// these have one for each slot.
			p.reset.KeyID = tx.db.keys.CurrentID()
			p.keys = triesOf(tx.db.keys, fmt.Sprintf("nobody %d", i), fmt.Sprintf("%x", slot[:nobodySlots]), nil)
		}
		if p.spoken == nil {
			p.spoken = tx.db.keys.SpokenTag(0, model.Secret{})
		}
		keys = append(keys, p.keys.all, p.keys.network, p.keys.spoken)
	}
	counts, err := codeTries(ctx, tx, keys...)
	for i := range places {
		p := &places[i]
		p.wrong = model.CodeTries{Letter: counts[string(p.keys.all)], Network: counts[string(p.keys.network)], Spoken: counts[string(p.keys.spoken)]}
	}
	return places, err
}

// fits reports whether a code finishes the reset. It does all of its work
// whatever comes of it.
func (p *codePlace) fits(keys model.Keyring, code model.Secret, now time.Time) bool {
	want, err := keys.ResetCode(p.reset)
	letter, spoken := model.SameCode(want, code), keys.VerifySpoken(p.spoken, p.reset.ID, code)
	works, spokenWorks := p.reset.CodeWorks(p.account, p.wrong, now), p.reset.SpokenWorks(p.account, p.wrong, now)
	return err == nil && letter && works || spoken && spokenWorks
}

// countWrongCode counts a wrong try. One from a network that has had all its own
// does not count for the others: a single one would end the code for everybody.
func (tx *Tx) countWrongCode(ctx context.Context, places []codePlace) error {
	var args []any
	count := func(key []byte, by bool) {
		n := 0
		if by {
			n = 1
		}
		args = append(args, key, n, tx.Now.Unix())
	}
	for _, p := range places {
		count(p.keys.all, p.wrong.Network < model.LetterCodeNetwork)
		count(p.keys.network, true)
		count(p.keys.shut, p.wrong.Network+1 >= model.LetterCodeNetwork)
		count(p.keys.spoken, true)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO code_try (key, count, last_at) VALUES `+strings.Repeat(`, (?, ?, ?)`, len(args)/3)[2:]+`
		ON CONFLICT (key) DO UPDATE SET count = count + excluded.count, last_at = excluded.last_at`, args...)
	return err
}

// codeTries is how many wrong tries were counted under each key.
func codeTries(ctx context.Context, q querier, keys ...[]byte) (map[string]int, error) {
	args := make([]any, len(keys))
	for i, key := range keys {
		args[i] = key
	}
	counts := map[string]int{}
	_, err := rows(ctx, q, func(rs *sql.Rows) (none struct{}, err error) {
		var key []byte
		var n int
		err = rs.Scan(&key, &n)
		counts[string(key)] = n
		return none, err
	}, `SELECT key, count FROM code_try WHERE key IN (`+strings.Repeat(`, +?`, len(keys))[2:]+`)`, args...)
	return counts, err
}

// giveCode makes sure that the code of a link's letters works: the same one
// again while it does everywhere, else the next. Whoever used up their tries and
// asks for another letter gets one that helps.
func (tx *Tx) giveCode(ctx context.Context, r model.Reset) (changed bool, err error) {
	keys := triesOf(tx.db.keys, letterCode(r), "", nil)
	wrong, err := codeTries(ctx, tx, keys.all, keys.shut)
	if err != nil {
		return false, err
	}
	if tx.Now.Before(r.CodeUntil()) && wrong[string(keys.all)] < model.LetterCodeTries && wrong[string(keys.shut)] == 0 {
		return false, nil
	}
	_, err = tx.ExecContext(ctx, `UPDATE reset SET code_no = code_no + 1, code_from = ? WHERE id = +?`, tx.Now.Unix(), r.ID)
	return err == nil, err
}

// giveCodes makes sure that a letter which is about to leave says codes that
// work: it may have waited for longer than they do.
func (tx *Tx) giveCodes(ctx context.Context, letterID int64) (changed bool, err error) {
	about, err := letterSubjects(ctx, tx, letterID)
	if err != nil {
		return false, err
	}
	for _, s := range about {
		if s.reset == nil || !s.reset.Live(s.account, tx.Now) {
			continue
		}
		one, err := tx.giveCode(ctx, *s.reset)
		if err != nil {
			return changed, err
		}
		changed = changed || one
	}
	return changed, nil
}

// saysCode reports whether letters of a kind carry a code now. None of the
// originals that count by themselves does.
func (tx *Tx) saysCode(ctx context.Context, k model.LetterKind) (bool, error) {
	var t model.Template
	err := tx.QueryRowContext(ctx, `SELECT subject, text, html FROM template WHERE kind = +? ORDER BY version DESC LIMIT 1`, k).
		Scan(&t.Subject, &t.Text, &t.HTML)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil && t.HasCode(), err
}

// ReadOutCode makes a code to be read to a caller, and gives the record with it.
// It is the only time that anybody sees it. note says how the caller was
// recognised. A second press makes another code, and shows that: the one before
// no longer works.
func (d *DB) ReadOutCode(ctx context.Context, actor model.Actor, memberID int64, note string) (model.AccountRecord, error) {
	var code model.Secret
	r, err := d.answering(ctx, actor, memberID, func(tx *Tx) (err error) {
		code, err = tx.readOut(ctx, actor, memberID, model.OneLine(note))
		return err
	})
	if err != nil {
		return model.AccountRecord{}, err
	}
	if r.Spoken == nil {
		return r, errors.New("the code that was made does not work")
	}
	r.Spoken.Code = code
	return r, nil
}

func (tx *Tx) readOut(ctx context.Context, actor model.Actor, memberID int64, note string) (code model.Secret, err error) {
	a, err := tx.existing(ctx, memberID)
	if err != nil {
		return code, err
	}
	r, err := unendedReset(ctx, tx, a.ID)
	if err != nil {
		return code, err
	}
	if err := actor.MayReadOut(a, r, tx.Now); err != nil {
		return code, err
	}
	switch n := utf8.RuneCountInString(note); {
	case n == 0:
		return code, model.Invalid("note", "Please write down how you recognised them.")
	case n > model.LongestCodeNote:
		return code, model.Invalid("note", fmt.Sprintf("This has %d characters; there is room for %d.", n, model.LongestCodeNote))
	}
	if r == nil || !r.SameOnResend(a, tx.Now) || r.ExpiresAt.Before(tx.Now.Add(model.SpokenCodeLife)) {
		made, err := tx.makeReset(ctx, actor, a, r, false)
		if err != nil {
			return code, err
		}
		r = &made
	}
	code = model.NewSpokenCode()
	if _, err := tx.ExecContext(ctx, `UPDATE reset SET spoken = ?, spoken_at = ?, spoken_by = ? WHERE id = +?`,
		tx.db.keys.SpokenTag(r.ID, code), tx.Now.Unix(), actor.Name, r.ID); err != nil {
		return code, err
	}
	if err := tx.audit(ctx, actor, model.ActCodeReadOut, about{member: a.MemberID, account: a.ID, reset: r.ID, note: note}); err != nil {
		return code, err
	}
	if actor.Kind == model.ByPerson && !r.Shown(a, tx.Now) {
		// The status message says so where it stands; with a resend window of
		// zero it never does. A code opens what the link opens, so the letter
		// about the password names its reader.
		if err := tx.noteShown(ctx, actor, a, *r); err != nil {
			return code, err
		}
	}
	if r.SpokenBy == actor.Name && tx.Now.Before(r.SpokenAt.Add(model.DoubleClick)) {
		return code, nil // the letter about the first half of a double click says it all
	}
	facts := letterFacts{ChangedAt: tx.Now.Unix()}
	if actor.Kind == model.ByPerson {
		facts.By = actor.Name
	}
	return code, tx.post(ctx, actor, model.LetterCodeReadOut, a.Email, facts, subject{account: a.ID})
}

// spokenCode is what the Settings tab says of a code that was read out, nil if
// it does not work any more.
func (d *DB) spokenCode(ctx context.Context, q querier, a model.Account, r model.Reset, now time.Time) (*model.SpokenCode, error) {
	var tag []byte
	if err := q.QueryRowContext(ctx, `SELECT spoken FROM reset WHERE id = +?`, r.ID).Scan(&tag); err != nil {
		return nil, err
	}
	key := triesOf(d.keys, letterCode(r), "", tag).spoken
	wrong, err := codeTries(ctx, q, key)
	if err != nil || !r.SpokenWorks(a, model.CodeTries{Spoken: wrong[string(key)]}, now) {
		return nil, err
	}
	return &model.SpokenCode{By: r.SpokenBy, At: r.SpokenAt, Until: r.SpokenUntil()}, nil
}
