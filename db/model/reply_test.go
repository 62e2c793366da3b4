package model_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"latchkey/db/model"
)

// What servers say, as they say it, by what it means for somebody at the desk.
func TestAServersWordsInPlainOnes(t *testing.T) {
	for want, replies := range map[string][]struct {
		code  int
		reply string
	}{
		"mailbox is full": {
			{552, "5.2.2 <anna@example.org>: Mailbox full"},
			{452, "4.2.2 The recipient's inbox is out of storage space. For more information, go to https://support.google.com/mail/?p=OverQuotaTemp - gsmtp"},
			{552, "5.2.2 The recipient's inbox is out of storage space and inactive. Please direct the recipient to https://support.google.com/mail/?p=OverQuotaPerm - gsmtp"},
			{554, "5.2.2 mailbox full; STOREDRV.Deliver; quota exceeded"},
			{452, "4.1.1 requested action aborted: mailbox is full"},
			{550, "Requested action not taken: mailbox over size limits: mailbox full"},
			{552, ""},
		},
		"no such mailbox": {
			{550, "5.1.1 <anna@example.org>: Recipient address rejected: User unknown in virtual mailbox table"},
			{550, "5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos or unnecessary spaces. - gsmtp"},
			{550, "5.2.1 The email account that you tried to reach is disabled. - gsmtp"},
			{550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient anna@example.org not found by SMTP address lookup"},
			{550, "5.4.1 Recipient address rejected: Access denied. AS(201806281)"},
			{550, "Requested action not taken: mailbox unavailable: no such user"},
			{554, "delivery error: dd This user doesn't have a yahoo.com account (anna@yahoo.com) [0]: no mailbox"},
			{550, "No Such User Here"},
			{551, "5.1.6 User not found"},
			{0, "5.1.1 user unknown"},
		},
		"after the @ does not exist": {
			{550, "5.1.2 <anna@exampel.org>: Recipient address rejected: Domain not found"},
			{554, "5.4.4 Unable to route"},
			{550, "Unrouteable address"},
		},
		"does not take letters from us": {
			{550, "5.7.1 Service unavailable, Client host [192.0.2.1] blocked using Spamhaus"},
			{554, "5.7.1 Message rejected due to content restrictions (spam)"},
			{550, "5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail requires all senders to authenticate with either SPF or DKIM."},
			{550, "5.7.509 Access denied, sending domain example.org does not pass DMARC verification"},
			{554, "Transaction failed. Reject due to policy restrictions."},
			{550, "Administrative prohibition"},
			{550, "5.7.1 rejected"},
			{421, "4.7.0 [TSS04] Messages temporarily deferred due to user complaints or bad reputation"},
		},
		"in a few minutes": {
			{451, "4.7.1 Greylisted, try again in 5 minutes"},
			{450, "4.2.0 <anna@example.org>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/example.org.html"},
			{450, "4.7.1 please come back later"},
			{451, "Temporary local problem - please try again"},
			{550, "Graylisted"},
		},
		"Their mail server could not be reached. Check what stands after the @": {
			{0, "4.4.1 connect to mx.example.net[192.0.2.25]:25: Connection timed out"},
			{0, "4.4.7 gave up"},
			{450, "4.4.1 no answer from host"},
			{451, "4.4.4 unable to route"},
		},
		"too much at once": {
			{421, "4.7.28 Our system has detected an unusual rate of unsolicited mail"},
			{450, "4.7.1 Error: too many messages from 192.0.2.1"},
			{554, "5.7.1 You exceeded your hourly rate limit"},
			{421, "4.7.0 Too many connections"},
		},
		"too big": {
			{552, "5.3.4 Message size exceeds fixed limit"},
			{552, "5.3.4 Error: message file too big"},
			{552, "5.2.3 Message exceeds maximum"},
		},
		"user name and password": {
			{535, "5.7.8 Username and Password not accepted"},
			{530, "5.7.0 Must issue a STARTTLS command first"},
			{0, "The mail server did not accept our user name and password: 535 5.7.8 Error: authentication failed"},
			{0, "The mail server did not accept our user name and password: it offers no sign-in that we know."},
		},
		"no safe connection": {
			{0, "The connection to the mail server could not be encrypted: it offers no STARTTLS."},
			{0, "The connection to the mail server could not be encrypted: tls: failed to verify certificate: x509: certificate signed by unknown authority."},
			{0, "The connection to the mail server could not be encrypted: it did not answer in time."},
			{454, "The connection to the mail server could not be encrypted: 454 4.7.0 TLS not available"},
		},
		"could not be reached: nobody answers": {
			{0, "The mail server could not be reached: connection refused."},
			{0, "The mail server could not be reached: no route to host."},
		},
		"did not answer in time": {
			{0, "The mail server could not be reached: it did not answer in time."},
			{0, "The mail server does not take letters at the moment: it did not answer in time."},
			{0, "The mail server did not take the letter: it did not answer in time."},
			{0, "i/o timeout"},
		},
		"no mail server of the name": {{0, "The mail server could not be reached: there is no server of the name mail.exampel.org."}},
		"takes no letters at the moment": {
			{421, "The mail server does not take letters at the moment: 421 4.3.2 closing for the night"},
			{0, "The mail server does not take letters at the moment: 554 5.7.1 blocked, spam"},
		},
		"broke off":                {{0, "The mail server did not take the letter: it broke off the connection."}},
		"could not be written":     {{0, "The letter could not be put together: no key k1"}},
		"does not pass letters on": {{554, "5.7.1 <anna@example.org>: Relay access denied"}, {550, "5.7.54 SMTP; Unable to relay recipient in non-accepted domain"}},
		"come from was not accepted": {
			{553, "5.7.1 <no-reply@example.org>: Sender address rejected: not owned by user club"},
			{550, "5.1.8 <no-reply@example.org>: Sender address rejected: Domain not found"},
			{550, "5.7.60 SMTP; Client does not have permissions to send as this sender"},
		},
		"such letters in it":             {{553, "5.6.7 SMTPUTF8 is required"}},
		"no room at the moment":          {{452, "4.3.1 Insufficient system storage"}},
		"does not know the address, or":  {{550, ""}, {553, "sorry"}},
		"will not take it":               {{554, "5.5.1 no valid recipients"}, {500, "what?"}, {599, ""}},
		"cannot take it just now":        {{421, "4.3.2 closing"}, {451, "4.3.0 oops"}, {400, ""}},
		"did not take it, and did not s": {{0, ""}, {0, "something else"}, {250, "fine"}},
	} {
		for _, r := range replies {
			if got := model.PlainReply(r.code, r.reply); !strings.Contains(got, want) {
				t.Errorf("%d %s: %q, want %q in it", r.code, r.reply, got, want)
			}
		}
	}
}

// A server may say anything at all, and the page says a sentence of ours.
func FuzzPlainReplyNeverRepeatsTheServer(f *testing.F) {
	f.Add(550, "5.7.1 <script>alert(1)</script> http://evil.example spam")
	f.Add(0, "")
	f.Fuzz(func(t *testing.T, code int, reply string) {
		got := model.PlainReply(code, reply)
		if got == "" || strings.Contains(got, "<") || strings.Contains(got, "http") || !strings.HasSuffix(got, ".") {
			t.Errorf("%d %q: %q", code, reply, got)
		}
	})
}

// What is kept of a server's words fits a line of a page, and opens nothing,
// wherever in them it quotes the letter.
func FuzzCleanReply(f *testing.F) {
	link, notMe := token(f, keyring(f, "k1"), golden()), notMeToken(f, keyring(f, "k1"), golden())
	f.Add("5.7.1 refused: ", " is not liked")
	f.Add("a\r\nb\x00\u202e", strings.Repeat("x", 9000))
	f.Add("r\xfcckl\xe4ufer", "\xff")
	f.Add(strings.Repeat("ü", 511), strings.Repeat("€", 400))
	f.Fuzz(func(t *testing.T, before, after string) {
		got := model.CleanReply(before + " https://x.example/reset/" + link + " https://x.example/not-me/" + notMe + " K7WX-M3QZ " + after)
		if len(got) > model.LongestReply || !utf8.ValidString(got) || got != model.OneLine(got) {
			t.Errorf("%d bytes are kept: %q", len(got), got)
		}
		for _, secret := range []string{link[:20], notMe[13:33], "K7WX-M3QZ"} {
			if strings.Contains(got, secret) && !strings.Contains(before+after, secret) {
				t.Errorf("%s is kept in %q", secret, got)
			}
		}
	})
}
