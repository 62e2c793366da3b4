package dbtest

import (
	"testing"

	"latchkey/db"
	"latchkey/db/model"
)

// BounceAddress is one that a test may set.
const BounceAddress = "bounces@riverside.example"

// SetBounceAddress has letters leave with return paths of their own.
func SetBounceAddress(t testing.TB, d *db.DB) {
	t.Helper()
	s, err := d.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	change := model.MailChange{BaseURL: s.BaseURL, Mail: s.Mail, MailFrom: s.MailFrom, ReplyTo: s.ReplyTo,
		BounceAddress: BounceAddress, Current: model.NewSecret(OwnerPassword)}
	if err := d.ChangeMail(t.Context(), Owner(t, d), change); err != nil {
		t.Fatal(err)
	}
	Deliver(t, d) // the notice of it
}

// DeliveryReport is a message from a mail server about what became of a letter:
// "failed", "delayed" or "delivered", with its status and the server's words.
func DeliveryReport(to, action, status, words string) []byte {
	return []byte("Return-Path: <>\r\nDelivered-To: " + to + "\r\nFrom: MAILER-DAEMON@mail.example.net\r\nTo: " + to + "\r\n" +
		"Subject: Undelivered Mail Returned to Sender\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=\"4F1B/mail.example.net\"\r\n\r\n" +
		"--4F1B/mail.example.net\r\nContent-Type: text/plain\r\n\r\nI'm sorry to have to inform you.\r\n\r\n" +
		"--4F1B/mail.example.net\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example.net\r\n\r\n" +
		"Final-Recipient: rfc822; somebody@example.net\r\nAction: " + action + "\r\nStatus: " + status + "\r\nDiagnostic-Code: smtp; " + words + "\r\n\r\n" +
		"--4F1B/mail.example.net--\r\n")
}
