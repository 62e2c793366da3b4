package views

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/db/model"
)

// AuditURL is where the audit answers a query: without what was not asked.
func AuditURL(q model.AuditQuery) string {
	to, sep := "/admin/audit", "?"
	add := func(name, value string) {
		if value != "" && value != "0" {
			to, sep = to+sep+name+"="+url.QueryEscape(value), "&"
		}
	}
	add("q", q.Text)
	add("member", strconv.FormatInt(q.MemberID, 10))
	add("act", q.Act)
	add("from", q.From)
	add("to", q.To)
	add("before", strconv.FormatInt(q.Before, 10))
	add("after", strconv.FormatInt(q.After, 10))
	return to
}

// only is the query about one person, everybody that about none.
func only(q model.AuditQuery, who model.Person) model.AuditQuery {
	q.Text, q.MemberID, q.Before, q.After = "", who.MemberID, 0, 0
	return q
}

func everybody(q model.AuditQuery) model.AuditQuery { return only(q, model.Person{}) }

func auditTurn(q model.AuditQuery, line int64, newer bool) string {
	q.Before, q.After = line, 0
	if newer {
		q.Before, q.After = 0, line
	}
	if line == 0 {
		return ""
	}
	return AuditURL(q)
}

func personNamed(people []model.Person) string {
	if len(people) == 0 {
		return "somebody who was erased"
	}
	return people[0].Name
}

// auditCount says what was found. There is no total: to count a million lines
// takes longer than to show fifty of them.
func auditCount(found model.AuditPage, q model.AuditQuery) string {
	n := len(found.Rows)
	switch {
	case len(found.Wrong) > 0:
		return "One of the days cannot be read."
	case found.Found > model.AuditPeople:
		return number(found.Found) + " people are called like that."
	case q.Text != "" && found.Found == 0:
		return "Nobody is called “" + q.Text + "”."
	case n == 0 && q.Sifted():
		return "Nothing of that kind was done."
	case n == 0:
		return "Nothing has happened here yet."
	case found.Older == 0 && found.Newer == 0:
		return count(n, "line")
	case found.Newer == 0:
		return "The newest " + count(n, "line")
	}
	return count(n, "line") + " of more"
}

type actGroup struct {
	noun, name string
	acts       []model.Act
}

var nounNames = map[string]string{
	"member": "Records", "account": "Accounts", "reset": "Links", "password": "Passwords", "factor": "Second step", "session": "Signing in",
	"letter": "Letters", "template": "Texts of letters", "setting": "Settings", "dkim": "Signing of letters", "key": "Keys", "portal": "Portal",
}

// actGroups are acts by what they are about, as people look for them.
func actGroups(acts []model.Act) []actGroup {
	var groups []actGroup
	for _, act := range acts {
		noun := act.Noun()
		i := slices.IndexFunc(groups, func(g actGroup) bool { return g.noun == noun })
		if i < 0 {
			i = len(groups)
			groups = append(groups, actGroup{noun: noun, name: cmp.Or(nounNames[noun], capital(noun))})
		}
		groups[i].acts = append(groups[i].acts, act)
	}
	slices.SortFunc(groups, func(a, b actGroup) int { return cmp.Compare(a.name, b.name) })
	return groups
}

// actName is what an act is called where no line says more.
func actName(act model.Act) string {
	switch act {
	case model.ActLetterSettled:
		return "Letter: how it ended"
	case model.ActLetterReported:
		return "Letter: what was heard of it later"
	}
	return actWords(model.AuditLine{Act: act})
}

type auditDay struct {
	name string
	rows []model.AuditRow
}

func (p Page) auditDays(rows []model.AuditRow) []auditDay {
	var days []auditDay
	for _, row := range rows {
		name := p.dayName(row.At)
		if n := len(days); n == 0 || days[n-1].name != name {
			days = append(days, auditDay{name: name})
		}
		last := &days[len(days)-1]
		last.rows = append(last.rows, row)
	}
	return days
}

// placeOf is a network as people may read it: 203.0.113.x, for the last part is
// not kept.
func placeOf(network string) string {
	first, _, _ := strings.Cut(network, "/")
	switch {
	case strings.HasPrefix(first, "127."), first == "::":
		return "the portal’s own machine"
	case strings.HasSuffix(first, "::"):
		return first + "x"
	}
	if i := strings.LastIndexByte(first, '.'); i > 0 {
		return first[:i] + ".x"
	}
	return first
}

func inYears(d time.Duration) string { return count(int(d/(365*24*time.Hour)), "year") }
