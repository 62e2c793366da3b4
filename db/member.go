package db

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"

	"latchkey/db/model"
)

const memberColumns = `m.id, m.version, m.member_no, m.first_name, m.last_name, m.company, m.email, m.phone,
	m.address1, m.address2, m.city, m.region, m.postcode, m.country, m.birth_date, m.membership_type,
	m.status, m.joined_on, m.renews_on, m.notes, m.created_at, m.updated_at`

// memberTargets is where memberColumns are scanned to.
func memberTargets(m *model.Member) []any {
	return []any{&m.ID, &m.Version, &m.MemberNo, &m.FirstName, &m.LastName, &m.Company, &m.Email, &m.Phone,
		&m.Address1, &m.Address2, &m.City, &m.Region, &m.Postcode, &m.Country, &m.BirthDate, &m.MembershipType,
		&m.Status, &m.JoinedOn, &m.RenewsOn, &m.Notes, unix{&m.CreatedAt}, unix{&m.UpdatedAt}}
}

var errNoMember = model.NotFound("There is no such member. They may have been removed.")

func member(ctx context.Context, q querier, id int64) (model.Member, error) {
	var m model.Member
	err := q.QueryRowContext(ctx, `SELECT `+memberColumns+` FROM member m WHERE m.id = +?`, id).Scan(memberTargets(&m)...)
	if errors.Is(err, sql.ErrNoRows) {
		return m, errNoMember
	}
	return m, err
}

// membersWithoutAccount are the people on the roll under a contact address who
// have no account yet.
func membersWithoutAccount(ctx context.Context, q querier, emailKey string) ([]model.Member, error) {
	return rows(ctx, q, func(rs *sql.Rows) (model.Member, error) {
		var m model.Member
		return m, rs.Scan(memberTargets(&m)...)
	}, `SELECT `+memberColumns+` FROM member m
		WHERE m.email_key = +? AND NOT EXISTS (SELECT 1 FROM account a WHERE a.member_id = m.id) ORDER BY m.id`, emailKey)
}

// Member is a record and its account, nil without one.
func (d *DB) Member(ctx context.Context, actor model.Actor, id int64) (model.Member, *model.Account, error) {
	if err := actor.MayRead(); err != nil {
		return model.Member{}, nil, err
	}
	return memberAndAccount(ctx, d.point, id)
}

func memberAndAccount(ctx context.Context, q querier, id int64) (model.Member, *model.Account, error) {
	row := foundMembers.Get().(*foundMember)
	defer func() {
		*row = foundMember{into: row.into}
		foundMembers.Put(row)
	}()
	err := q.QueryRowContext(ctx, `SELECT `+memberColumns+`, `+bareAccountColumns+`, `+mailColumn+`
		FROM member m LEFT JOIN account a ON a.member_id = m.id WHERE m.id = +?`, id).Scan(row.into...)
	if errors.Is(err, sql.ErrNoRows) {
		return model.Member{}, nil, errNoMember
	}
	if err != nil || row.account.ID == 0 {
		return row.member, nil, err
	}
	a := row.account
	a.Name, a.MemberNo = row.member.Name(), row.member.MemberNo
	return row.member, &a, nil
}

// foundMember is a record and its account as they are scanned, used again (see
// recordRows).
type foundMember struct {
	member  model.Member
	account model.Account
	into    []any
}

var foundMembers = sync.Pool{New: func() any {
	row := new(foundMember)
	row.into = append(memberTargets(&row.member), ifFound(append(bareAccountTargets(&row.account), &row.account.Mail))...)
	return row
}}

// AddMember puts somebody on the roll and gives the record's id.
func (d *DB) AddMember(ctx context.Context, actor model.Actor, m model.Member) (id int64, err error) {
	if err := actor.MayEdit(); err != nil {
		return 0, err
	}
	if err := m.Clean().Err(); err != nil {
		return 0, err
	}
	err = d.actBy(ctx, actor, func(tx *Tx) error {
		if id, err = tx.addMember(ctx, actor, m); err != nil {
			return err
		}
		return tx.index(ctx, id)
	})
	return id, err
}

// AddMembers puts many on the roll at once, all or none.
func (d *DB) AddMembers(ctx context.Context, actor model.Actor, all []model.Member) (ids []int64, err error) {
	if err := actor.MayEdit(); err != nil {
		return nil, err
	}
	err = d.actBy(ctx, actor, func(tx *Tx) error {
		for _, m := range all {
			if err := m.Clean().Err(); err != nil {
				return err
			}
			id, err := tx.addMember(ctx, actor, m)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return tx.indexThese(ctx, ids)
	})
	return ids, err
}

func (tx *Tx) addMember(ctx context.Context, actor model.Actor, m model.Member) (int64, error) {
	if err := tx.freeMemberNo(ctx, m); err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, `
		INSERT INTO member (member_no, member_no_key, first_name, last_name, company, email, email_key, phone, phone_digits,
			address1, address2, city, region, postcode, country, birth_date, membership_type,
			status, joined_on, renews_on, notes, created_at, updated_at, sort_key, search)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '')`,
		append(memberValues(m), tx.Now.Unix(), tx.Now.Unix())...)
	if err != nil {
		return 0, err
	}
	id, err := res.LastInsertId()
	if err != nil {
		return 0, err
	}
	return id, tx.audit(ctx, actor, model.ActMemberAdded, about{member: id})
}

// memberValues is what both an insert and an update write.
func memberValues(m model.Member) []any {
	return []any{m.MemberNo, orNull(model.MemberNoKey(m.MemberNo)), m.FirstName, m.LastName, m.Company,
		m.Email, orNull(model.EmailKey(m.Email)), m.Phone, model.Digits(m.Phone),
		m.Address1, m.Address2, m.City, m.Region, m.Postcode, m.Country, m.BirthDate, m.MembershipType,
		m.Status, m.JoinedOn, m.RenewsOn, m.Notes}
}

// freeMemberNo refuses a number that is another member's, and names them.
func (tx *Tx) freeMemberNo(ctx context.Context, m model.Member) error {
	key := model.MemberNoKey(m.MemberNo)
	if key == "" {
		return nil
	}
	var other model.Member
	err := tx.QueryRowContext(ctx, `SELECT `+memberColumns+` FROM member m WHERE m.member_no_key = +? AND m.id <> +?`, key, m.ID).
		Scan(memberTargets(&other)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return model.Invalid("member_no", "This number is already "+other.Name()+"'s.")
}

// ChangeMember saves a record's form. If somebody else saved another change
// after the form was opened, nothing is written and the error is a
// *model.StaleError that shows theirs.
func (d *DB) ChangeMember(ctx context.Context, actor model.Actor, m model.Member) error {
	if err := actor.MayEdit(); err != nil {
		return err
	}
	if err := m.Clean().Err(); err != nil {
		return err
	}
	return d.actBy(ctx, actor, func(tx *Tx) error {
		was, err := member(ctx, tx, m.ID)
		if err != nil {
			return err
		}
		var changed []string
		for _, f := range model.MemberFields {
			if f.Value(&was) != f.Value(&m) {
				changed = append(changed, f.Name)
			}
		}
		if len(changed) == 0 {
			return nil
		}
		if was.Version != m.Version {
			stale := &model.StaleError{Theirs: was, Fields: changed}
			err := tx.QueryRowContext(ctx, `
				SELECT n.actor_name FROM audit a JOIN audit_detail n ON n.audit_id = a.id
				WHERE a.member_id = +? AND a.act = +? ORDER BY a.id DESC LIMIT 1`, m.ID, model.ActMemberChanged).Scan(&stale.By)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			return stale
		}
		if err := tx.mayRename(ctx, actor, m.ID, changed); err != nil {
			return err
		}
		if err := tx.freeMemberNo(ctx, m); err != nil {
			return err
		}
		if m.MemberNo == "" && was.MemberNo != "" {
			if a, err := accountOf(ctx, tx, m.ID); err != nil {
				return err
			} else if a != nil && a.Email == "" {
				return model.Invalid("member_no", "They sign in with this number. Give the account an email first, or another number here.")
			}
		}
		if _, err := tx.ExecContext(ctx, `
			UPDATE member SET version = version + 1, member_no = ?, member_no_key = ?, first_name = ?, last_name = ?, company = ?,
				email = ?, email_key = ?, phone = ?, phone_digits = ?,
				address1 = ?, address2 = ?, city = ?, region = ?, postcode = ?, country = ?, birth_date = ?, membership_type = ?,
				status = ?, joined_on = ?, renews_on = ?, notes = ?, updated_at = ?
			WHERE id = +?`, append(memberValues(m), tx.Now.Unix(), m.ID)...); err != nil {
			return err
		}
		if err := tx.index(ctx, m.ID); err != nil {
			return err
		}
		return tx.audit(ctx, actor, model.ActMemberChanged, about{member: m.ID, note: strings.Join(changed, ", ")})
	})
}

// mayRename keeps names in the office as they are. Letters tell members by name
// who had their link on screen; who could take a colleague's name could do
// things under it.
func (tx *Tx) mayRename(ctx context.Context, actor model.Actor, memberID int64, changed []string) error {
	a, err := accountOf(ctx, tx, memberID)
	if err != nil || a == nil || !a.GuardRole().InOffice() || actor.MayOwn() == nil {
		return err
	}
	for _, name := range []string{"first_name", "last_name", "company", "member_no"} {
		if slices.Contains(changed, name) {
			return model.Invalid(name, "For somebody who works in the office, only an owner changes this.")
		}
	}
	return nil
}
