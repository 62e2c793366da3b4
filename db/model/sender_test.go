package model_test

import (
	"slices"
	"testing"

	"latchkey/db/model"
)

func TestWhichSenderAKindOfLetterHas(t *testing.T) {
	s := model.DefaultSettings()
	s.MailFrom, s.ReplyTo = "post@example.org", "office@example.org"
	if got := s.Senders(); !slices.Equal(got, []string{"post@example.org"}) {
		t.Errorf("senders: %q", got)
	}
	for _, k := range append([]model.LetterKind{model.LetterSettingsChanged}, model.LetterKinds...) {
		if s.SenderOf(k) != s.MailFrom || s.AnswersTo(k) != s.ReplyTo {
			t.Errorf("%s comes from %s, answers go to %s", k, s.SenderOf(k), s.AnswersTo(k))
		}
	}
	s.NoticeFrom, s.NoticeReplyTo = "notices@example.net", "board@example.net"
	if got := s.Senders(); !slices.Equal(got, []string{"post@example.org", "notices@example.net"}) {
		t.Errorf("senders: %q", got)
	}
	for kind, notice := range map[model.LetterKind]bool{
		model.LetterWelcome: false, model.LetterReset: false, model.LetterResetSeveral: false, model.LetterNoAccount: false, model.LetterRingUs: false,
		model.LetterTest: false, model.LetterPasswordChanged: true, model.LetterEmailChanged: true, model.LetterSettingsChanged: true,
	} {
		from, answers := s.MailFrom, s.ReplyTo
		if notice {
			from, answers = s.NoticeFrom, s.NoticeReplyTo
		}
		if s.SenderOf(kind) != from || s.AnswersTo(kind) != answers {
			t.Errorf("%s comes from %s, answers go to %s", kind, s.SenderOf(kind), s.AnswersTo(kind))
		}
	}
	s.NoticeReplyTo = ""
	if got := s.AnswersTo(model.LetterPasswordChanged); got != s.ReplyTo {
		t.Errorf("answers to notices go to %s", got)
	}
}
