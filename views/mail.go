package views

import (
	"strconv"

	"latchkey/db/model"
)

var mailLabels = labels{
	{"mail_host", "Mail server"}, {"mail_port", "Port"}, {"mail_tls", "Encryption"}, {"mail_user", "User"}, {"mail_password", "Password of the mail server"},
	{"mail_from", "Letters come from"}, {"reply_to", "Answers go to"}, {"notice_from", "Notices come from"}, {"notice_reply_to", "Answers to notices go to"},
	{"bounce_address", "Reports of letters that come back go to"},
	{"base_url", "Address of this portal"}, {"current_password", "Your own password"},
}

var findingWords = map[model.RecordState]string{
	model.RecordFound: "found", model.RecordMissing: "missing", model.RecordWrong: "needs mending",
	model.RecordUnsure: "please make sure", model.RecordUnknown: "no answer",
}

// ofMail gives a field its label, and shows what a flag decides. One flag
// decides all that belongs to the mail server.
func (in Input) ofMail(p Page) Input {
	in.Label = mailLabels.of(in.Name)
	setting := in.Name
	switch in.Name {
	case "mail_host", "mail_port", "mail_user", "mail_password":
		setting = "mail_server"
	}
	if p.Settings.Fixed[setting] {
		in.Fixed, in.Hint = true, "Decided where the portal is started, by a flag or the environment."
		switch in.Name {
		case "mail_host":
			in.Hint = "Decided where the portal is started, by a flag or the environment, with port, encryption, user and password."
		case "mail_port", "mail_user", "mail_password":
			in.Hint = "" // said once is enough
		}
	}
	return in
}

func mailPasswordHint(f Form) string {
	if f.Values["mail_has_password"] == "" {
		return "Stored sealed, and never shown again."
	}
	return "One is set. It stays while this is empty, and is forgotten when server, port, encryption or user change."
}

// Checked is what there is to say about one domain.
type Checked struct {
	Domain   string
	Findings []model.Finding
}

func senderHint(p Page) string {
	s := *p.Settings
	s.MailFrom = ""
	return "Empty: " + s.Sender() + "."
}

func (p Page) mailSummary() string {
	s := p.Settings
	if s.Mail.IsZero() {
		return "No mail server is set up: no letters leave, and you hand links over yourself. Links begin with " + s.BaseURL + "."
	}
	said := "Letters are handed to " + s.Mail.Host + " and come from " + s.Sender()
	if s.NoticeFrom != "" {
		said += ", notices from " + s.NoticeFrom
	}
	return said + ". Their links begin with " + s.BaseURL + "."
}

// recordNumber tells the records of two domains apart.
func recordNumber(i int) string {
	if i == 0 {
		return ""
	}
	return strconv.Itoa(i + 1)
}

// recordColumns is about what fits into a line of the field, in characters.
const recordColumns = 60

func recordRows(value string) string {
	return strconv.Itoa(min(len(value)/recordColumns+1, 9))
}
