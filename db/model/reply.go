package model

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// refusal is what a mail server's answer comes down to. Its text says it to
// somebody who has a member on the telephone: "our" mail server is the one in
// the settings, "their" whoever answers for the address.
type refusal string

const (
	refusedSignIn     refusal = "Our mail server does not accept the portal’s user name and password. An owner can correct them in the settings."
	refusedEncryption refusal = "There was no safe connection to our mail server, so nothing was sent. An owner can check the mail settings."
	refusedNoServer   refusal = "There is no mail server of the name in our settings. An owner can correct it."
	refusedNoDoor     refusal = "Our mail server could not be reached: nobody answers there. It may be down, or its port in the settings is wrong."
	refusedSilence    refusal = "Our mail server could not be reached: it did not answer in time."
	refusedAtDoor     refusal = "Our mail server takes no letters at the moment."
	refusedBrokenOff  refusal = "Our mail server broke off in the middle of the letter."
	refusedRelay      refusal = "Our mail server does not pass letters on for this portal. An owner can check the mail settings."
	refusedSender     refusal = "The address our letters come from was not accepted. An owner can check it in the settings."
	refusedUnwritten  refusal = "The letter could not be written. Whoever runs the portal finds the reason below."

	refusedTooBig     refusal = "The letter is too big for their mailbox."
	refusedFull       refusal = "Their mailbox is full."
	refusedDomain     refusal = "What stands after the @ does not exist. Check the address for a slip."
	refusedAddress    refusal = "There is no such mailbox. Check the address for a slip."
	refusedSpelling   refusal = "Their mail server cannot write to an address with such letters in it."
	refusedGreylisted refusal = "Their mail server asks senders it does not know yet to come back in a few minutes."
	refusedTooOften   refusal = "The mail server finds that we write too much at once."
	refusedBlocked    refusal = "Their mail server does not take letters from us. Their IT can allow our address."
	refusedNoRoom     refusal = "The mail server has no room at the moment."
	refusedUnreached  refusal = "Their mail server could not be reached. Check what stands after the @ for a slip."

	// Without a word that we know.
	refusedEither     refusal = "Their mail server does not know the address, or does not take letters from us."
	refusedForGood    refusal = "Their mail server will not take it."
	refusedForNow     refusal = "The mail server cannot take it just now."
	refusedUnanswered refusal = "The mail server did not take it, and did not say why."
)

// PlainReply explains what a mail server answered, without its jargon. code is
// 0 where there was no answer; then reply is the postman's words for what
// happened.
func PlainReply(code int, reply string) string { return string(readReply(code, reply)) }

// ourTroubles are those between the portal and its own mail server, which the
// postman says in words of his own. Two texts of one stand for both.
var ourTroubles = []struct {
	begins, holds string
	means         refusal
}{
	{"the letter could not be put together", "", refusedUnwritten},
	{"the mail server did not accept our user name and password", "", refusedSignIn},
	{"the connection to the mail server could not be encrypted", "", refusedEncryption},
	{"the mail server could not be reached", "there is no server of the name", refusedNoServer},
	{"the mail server could not be reached", "in time", refusedSilence},
	{"the mail server could not be reached", "timeout", refusedSilence},
	{"the mail server could not be reached", "timed out", refusedSilence},
	{"the mail server could not be reached", "", refusedNoDoor},
	{"the mail server does not take letters at the moment", "in time", refusedSilence},
	{"the mail server does not take letters at the moment", "", refusedAtDoor},
	{"the mail server did not take the letter", "in time", refusedSilence},
	{"the mail server did not take the letter", "", refusedBrokenOff},
	{"i/o timeout", "", refusedSilence},
}

// AsksForSignIn reports whether a server's code is about who we are (RFC 4954
// §6), at whatever step. That is a fault of our settings, and no letter's.
func AsksForSignIn(code int) bool {
	return code == 530 || code == 534 || code == 535 || code == 538
}

// readings are the ways in which servers say no, tried in this order. Codes are
// the second and third part of an enhanced one (RFC 3463); 7.1, 7.0 and 2.0 are
// used for almost anything, so for them the words decide. The words are those
// of Postfix, Exim, Exchange, Gmail, Yahoo and the large European providers.
var readings = []struct {
	means refusal
	codes []string // of a final answer
	words []string // of any
}{
	{refusedFull, []string{"2.2"}, []string{"quota", "mailbox full", "mailbox is full", "inbox is full", "over size", "out of storage", "not enough space"}},
	{refusedTooBig, []string{"3.4", "2.3"}, []string{"too big", "too large", "size limit", "message size", "size exceeds", "exceeds size"}},
	{refusedSpelling, []string{"6.7"}, []string{"smtputf8", "internationalized"}},
	{refusedRelay, nil, []string{"relay access denied", "relaying denied", "unable to relay", "relay not permitted", "relaying not", "not permitted to relay", "do not relay"}},
	{refusedSender, []string{"1.7", "1.8"}, []string{"sender address", "sender domain", "sender rejected", "sender verify", "invalid sender", "sender is not allowed", "domain of sender", "not owned by user", "send as", "sendasdenied"}},
	{refusedDomain, []string{"1.2", "4.4"}, []string{"domain not found", "domain name not found", "domain does not exist", "no such domain", "unknown domain", "unrouteable"}},
	{refusedGreylisted, nil, []string{"greylist", "graylist", "grey list", "gray list"}},
	{refusedTooOften, []string{"7.28"}, []string{"rate limit", "rate-limit", "unusual rate", "too many", "too fast", "too much mail", "throttl", "limit exceeded", "limits exceeded"}},
	{refusedBlocked, nil, []string{"spam", "block list", "blocklist", "blacklist", "black list", "denylist", "reputation", "spf", "dkim", "dmarc", "unauthenticated", "virus"}},
	{refusedAddress, []string{"1.0", "1.1", "1.3", "1.6", "1.10", "2.1", "4.1"}, []string{
		"unknown user", "user unknown", "no such user", "no such recipient", "no such mailbox", "no such address", "no mailbox", "does not exist", "doesn't exist",
		"unknown recipient", "recipient unknown", "unknown address", "address unknown", "user not found", "mailbox not found", "recipient not found", "recipientnotfound",
		"invalid recipient", "invalid mailbox", "not a valid mailbox", "mailbox disabled", "account is disabled", "inactive",
	}},
	{refusedBlocked, nil, []string{"policy", "blocked", "denied", "prohibited", "banned", "not authorized", "rejected due to", "content rejected"}},
	{refusedNoRoom, []string{"3.1"}, []string{"insufficient system", "no space left", "disk full"}},
}

// enhanced finds the code that tells more than the three digits before it.
var enhanced = regexp.MustCompile(`\b([245])\.(\d{1,3}\.\d{1,3})\b`)

func readReply(code int, reply string) refusal {
	words := strings.ToLower(reply)
	for _, t := range ourTroubles {
		if strings.HasPrefix(words, t.begins) && strings.Contains(words, t.holds) {
			return t.means
		}
	}
	if AsksForSignIn(code) {
		return refusedSignIn
	}
	class, subject := "", ""
	if m := enhanced.FindStringSubmatch(words); m != nil {
		class, subject = m[1], m[2]
	}
	final := code >= 500 || code == 0 && class == "5"
	for _, r := range readings {
		if final && slices.Contains(r.codes, subject) || slices.ContainsFunc(r.words, func(s string) bool { return strings.Contains(words, s) }) {
			return r.means
		}
	}
	switch {
	case final && strings.HasPrefix(subject, "7."):
		return refusedBlocked
	case code == 552:
		return refusedFull
	case code == 550 || code == 551 || code == 553:
		return refusedEither
	case final:
		return refusedForGood
	case slices.Contains([]string{"4.1", "4.4", "4.7"}, subject): // no answer from it; no way to it; time to give up (RFC 3463 §3.5)
		return refusedUnreached
	case slices.Contains([]string{"7.1", "7.0", "2.0"}, subject) || strings.Contains(words, "try again") || strings.Contains(words, "come back"):
		return refusedGreylisted
	case code >= 400 || class == "4":
		return refusedForNow
	}
	return refusedUnanswered
}

// LongestReply is how many bytes of another server's words are kept.
const LongestReply = 1024

// tokens is anything as long as the secret part of a link, and whatever stands
// where it would: quoted from a letter as it crossed the wire, a link is folded
// by "=" and a line break, or cut.
var tokens = regexp.MustCompile(`(?i)[a-z2-7]{40}|((?:reset|not-me)/)[a-z2-7=]+( [a-z2-7]{6,})*`)

// CleanReply makes another server's words fit to be kept and shown: one line of
// at most 1 KB, readable, and without link or code: a spam filter likes to quote
// the address that it dislikes, and the outbox never holds one.
func CleanReply(words string) string {
	words = AtMost(words, 8*LongestReply)
	if !utf8.ValidString(words) {
		words = fromLatin1(words)
	}
	words = quotedCode.ReplaceAllString(tokens.ReplaceAllString(OneLine(words), "${1}[…]"), "[…]")
	if len(words) > LongestReply {
		words = AtMost(words, LongestReply-len("…")) + "…"
	}
	return words
}

// AtMost gives at most n bytes of s and no half character.
func AtMost(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := 0; i < utf8.UTFMax && n > 0 && !utf8.RuneStart(s[n]); i++ {
		n--
	}
	return s[:n]
}

// fromLatin1 reads what is not UTF-8 the way old servers wrote it.
func fromLatin1(s string) string {
	all := make([]rune, len(s))
	for i := range len(s) {
		all[i] = rune(s[i])
	}
	return string(all)
}
