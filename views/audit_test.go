package views

import (
	"testing"
	"time"

	"latchkey/db/model"
)

func TestActivityIsReadInWords(t *testing.T) {
	for _, c := range []struct {
		line model.AuditLine
		what string
		more string
	}{
		{model.AuditLine{Act: model.ActResetSent, ActorKind: model.ByPerson, ActorName: "Anna Berg"}, "Password reset sent", "by Anna Berg"},
		{model.AuditLine{Act: model.ActResetSent, ActorKind: model.ByPerson}, "Password reset sent", "by somebody whose name was erased"},
		{model.AuditLine{Act: model.ActResetOpened, ActorKind: model.ByMember}, "Link opened, perhaps by a mail scanner", "by the member"},
		{model.AuditLine{Act: model.ActLetterSettled, ActorKind: model.BySystem, Note: "reset failed"}, "Password letter: failed", "automatically"},
		{model.AuditLine{Act: model.ActLetterSettled, ActorKind: model.BySystem, Note: "welcome accepted"}, "Welcome letter: accepted by the mail server", "automatically"},
		{model.AuditLine{Act: model.ActLetterSettled, ActorKind: model.BySystem, Note: "password_changed accepted"}, "Password-changed letter: accepted", "automatically"},
		{model.AuditLine{Act: model.ActLetterReported, ActorKind: model.BySystem, Note: "reset bounced"}, "Password letter: bounced, it came back", "automatically"},
		{model.AuditLine{Act: model.ActLetterReported, ActorKind: model.BySystem, Note: "welcome delayed"}, "Welcome letter: accepted, but it waits", "automatically"},
		{model.AuditLine{Act: model.ActMemberChanged, ActorKind: model.ByShell, Note: "phone, birth_date"}, "Details changed", "Phone, Date of birth"},
		{model.AuditLine{Act: model.ActRoleChanged, ActorKind: model.ByShell, Note: "member → staff"}, "Role changed", "Member → Staff"},
	} {
		c.line.At = now
		doc := draw(t, MemberActivityPage(pageFor(ferit, "/"), model.ActivityPage{Member: lotte(), Lines: []model.AuditLine{c.line}}))
		says(t, doc, ".diary li li", c.what)
		says(t, doc, ".diary small", c.more)
	}
}

func TestACancelledLinkHasOneAuthor(t *testing.T) {
	line := model.AuditLine{At: now, Act: model.ActResetCancelled, ActorKind: model.ByPerson, ActorName: "Anna Berg", Note: "by the office"}
	doc := draw(t, MemberActivityPage(pageFor(ferit, "/"), model.ActivityPage{Member: lotte(), Lines: []model.AuditLine{line}}))
	if got := text(doc, ".diary small"); got != "by Anna Berg" {
		t.Errorf("%q", got)
	}
}

func TestActivityIsGroupedByTheAssociationsDays(t *testing.T) {
	page := model.ActivityPage{Member: lotte(), Next: 40, Lines: []model.AuditLine{
		{At: now}, {At: time.Date(2026, 11, 22, 0, 0, 0, 0, berlin)}, {At: time.Date(2026, 11, 21, 23, 59, 0, 0, berlin)}, {At: time.Date(2026, 2, 3, 8, 0, 0, 0, berlin)},
	}}
	doc := draw(t, MemberActivityPage(pageFor(ferit, "/"), page))
	if got, want := text(doc, ".diary h3"), "TodayYesterdayTuesday 3 February 2026"; got != want {
		t.Errorf("days %q, want %q", got, want)
	}
	has(t, doc, "a[href='/admin/members/12/activity?before=40']", 1)
}
