package model

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
)

// A letter that was accepted may still come back days later: some other server
// on its way, or the mailbox itself, will not have it. That server then reports
// to the envelope sender (RFC 3464). Where the owner set an address for it,
// each letter leaves with an envelope sender of its own,
//
//	bounces+<letter>-<tag>@example.org
//
// (VERP, https://cr.yp.to/proto/verp.txt), so a report needs no guessing from
// what it quotes: whatever else servers leave out or rewrite, they write the
// report to that address.

const (
	bouncePurpose = "bounce"
	// 80 bits, and no character of base32 that stands for less than five: the
	// part before the @ has room for 64 characters in all (RFC 5321 §4.5.3.1.1).
	bounceTagBytes = 10
	bounceTagLen   = bounceTagBytes * 8 / 5
	// The most that a letter's number and tag add to an address.
	bounceSuffixMax = len("+9223372036854775807-") + bounceTagLen
)

// ReturnPath is the envelope sender of one letter.
//
// The tag shows whoever reports that they have seen the letter or its
// envelope; its addressee has, and may say of their own letter what they like.
// The Message-ID is part of what is signed, because a database put back from a
// backup gives numbers a second time.
func (k Keyring) ReturnPath(bounceAddress string, l Letter) string {
	at := strings.LastIndexByte(bounceAddress, '@')
	return bounceAddress[:at] + "+" + strconv.FormatInt(l.ID, 10) + "-" + bounceTag(k.Sign(bouncePurpose, bounceFields(l)...)) + bounceAddress[at:]
}

// MayReport reports whether a return address is the one of a letter. A letter
// that left before the keys were rotated has its tag from an older one. Mail
// systems may change the case of an address.
func (k Keyring) MayReport(to ReturnAddress, l Letter) bool {
	fits := 0
	for _, key := range k.keys() {
		sum, err := k.sign(key.id, bouncePurpose, bounceFields(l))
		if err != nil {
			return false
		}
		fits |= subtle.ConstantTimeCompare([]byte(bounceTag(sum)), []byte(strings.ToLower(to.Tag)))
	}
	return fits == 1 && to.Letter == l.ID
}

func bounceFields(l Letter) [][]byte {
	return [][]byte{[]byte(strconv.FormatInt(l.ID, 10)), []byte(l.MessageID)}
}

// bounceTag is the beginning of a signature, with or without the id of its key.
func bounceTag(signature []byte) string {
	return tokenCoding.EncodeToString(signature[len(signature)-sha256.Size:][:bounceTagBytes])
}

// CheckBounceAddress says why an address cannot be the one that reports go to,
// or "". It must leave room for the number and the tag, and be ASCII: SMTPUTF8
// is asked for where an addressee needs it, and not for this.
func CheckBounceAddress(email string) string {
	at := strings.LastIndexByte(email, '@')
	switch {
	case email == "":
		return ""
	case at+bounceSuffixMax > localMax || len(email)+bounceSuffixMax > emailMax:
		return "Please choose a shorter address: up to " + strconv.Itoa(localMax-bounceSuffixMax) + " characters before the @. Each letter adds a number of its own to it."
	case strings.ContainsFunc(email[:at], func(r rune) bool { return r >= 0x80 }):
		return "Please use plain letters before the @."
	}
	return ""
}

// ReturnAddress is what of a report's addressee names a letter. Nothing is
// proven by it before MayReport.
type ReturnAddress struct {
	Letter int64
	Tag    string
}

// Fate is what a report says of a letter (RFC 3464 §2.3.3).
type Fate string

// The fates. Delivered, relayed and expanded are no news: the mail server took
// the letter, that much is known.
const (
	FateBounced Fate = "bounced" // nobody tries any longer
	FateDelayed Fate = "delayed" // a server on the way still does
)

// BounceReport is what the portal reads in a report.
type BounceReport struct {
	To     []ReturnAddress
	Fate   Fate
	Code   int    // of SMTP, 0 if the report names none
	Reason string // the server's words, with the status code of RFC 3463 where there is one; fit to be shown
}

// BounceLimit is how much of a message is read. What the portal needs stands in
// its beginning; behind it comes the letter, of at most 30 KB if it is ours.
const BounceLimit = 4 << 20

const (
	bounceDepth  = 6 // multiparts in one another
	bounceParts  = 50
	bounceGroups = 50       // one for each mailbox that a letter was forwarded to
	statusLimit  = 64 << 10 // bytes of the part that programs read
	returnLimit  = 8        // addresses in the head
)

// ReadBounce takes a message apart that came to the bounce address. ok is
// false for everything that is no report about a letter that failed or waits:
// answers of people on holiday, receipts, advertising.
//
// Reports come from whoever likes to send one, in every state of repair, so
// it takes what can be read and makes no fuss about the rest. It looks for the
// part that programs read (message/delivery-status) in multiparts of any kind,
// because gateways put a report into another message to add their disclaimer;
// a report inside a forwarded message is one about something else.
func ReadBounce(raw []byte) (r BounceReport, ok bool) {
	raw = raw[:min(len(raw), BounceLimit)]
	// Programs that deliver into files and pipes put a line of their own first,
	// which is no field.
	if bytes.HasPrefix(raw, []byte("From ")) {
		_, raw, _ = bytes.Cut(raw, []byte("\n"))
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return r, false
	}
	if r.To = returnAddresses(m.Header); len(r.To) == 0 {
		return r, false
	}
	parts := 0
	for _, group := range deliveryStatus(textproto.MIMEHeader(m.Header), m.Body, bounceDepth, &parts) {
		if fate := group.fate(); worse(fate, r.Fate) {
			r.Fate = fate
			r.Code, r.Reason = group.words()
		}
	}
	return r, r.Fate != ""
}

// worse: a letter to several mailboxes (a forwarded address) has several fates.
func worse(a, b Fate) bool {
	return a == FateBounced && b != FateBounced || a == FateDelayed && b == ""
}

var returnAddress = regexp.MustCompile(`(?i)\+([0-9]{1,19})-([a-z2-7]{` + strconv.Itoa(bounceTagLen) + `})@`)

// returnAddresses are those to whom the message came. The last three fields are
// written where it is delivered, also when To was rewritten on the way.
func returnAddresses(h mail.Header) (all []ReturnAddress) {
	for _, field := range []string{"To", "Delivered-To", "X-Original-To", "Original-Recipient"} {
		for _, value := range h[field] {
			for _, found := range returnAddress.FindAllStringSubmatch(value, returnLimit-len(all)) {
				if id, err := strconv.ParseInt(found[1], 10, 64); err == nil {
					all = append(all, ReturnAddress{id, found[2]})
				}
			}
		}
	}
	return all
}

// fieldGroup is the fields about one recipient, by name in lower case.
type fieldGroup map[string]string

// deliveryStatus finds the groups of fields in a message or a part of one.
func deliveryStatus(h textproto.MIMEHeader, body io.Reader, depth int, parts *int) []fieldGroup {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return nil
	}
	switch {
	case kind == "message/delivery-status" || kind == "message/global-delivery-status": // RFC 6533 §4
		body = io.LimitReader(body, statusLimit)
		if strings.EqualFold(strings.TrimSpace(h.Get("Content-Transfer-Encoding")), "base64") {
			body = base64.NewDecoder(base64.StdEncoding, body)
		}
		text, _ := io.ReadAll(body) // cut off or badly encoded: what came before is of use
		return fieldGroups(text)
	case !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "" || depth == 0:
		return nil
	}
	var groups []fieldGroup
	for all := multipart.NewReader(body, params["boundary"]); *parts < bounceParts; {
		part, err := all.NextPart() // undoes quoted-printable
		if err != nil {
			break
		}
		*parts++
		groups = append(groups, deliveryStatus(part.Header, part, depth-1, parts)...)
	}
	return groups
}

// A line that begins with a space goes on with the one before.
var foldedLine = regexp.MustCompile(`\r?\n[ \t]+(\S)`)

// fieldGroups reads fields in groups that empty lines separate (RFC 3464
// §2.1). The first group is about the message and has no Action; it does not
// matter here.
func fieldGroups(text []byte) (all []fieldGroup) {
	group := fieldGroup{}
	for line := range strings.Lines(foldedLine.ReplaceAllString(string(text), " $1")) {
		name, value, ok := strings.Cut(line, ":")
		switch {
		case strings.TrimSpace(line) == "":
			if all = append(all, group); len(all) == bounceGroups {
				return all
			}
			group = fieldGroup{}
		case ok:
			group[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
		}
	}
	return append(all, group)
}

// The class of a status, and the whole of it (RFC 3463 §2). A comment may
// follow.
var enhancedStatus = regexp.MustCompile(`^([245])\.[0-9]{1,3}\.[0-9]{1,3}\b`)

func (g fieldGroup) status() string { return enhancedStatus.FindString(g["status"]) }

// fate goes by the Action: "failed" with a status of 4.x.x is a server that has
// tried for days and gave up. Where there is none, or one that nobody knows,
// the status has to do.
func (g fieldGroup) fate() Fate {
	action, _, _ := strings.Cut(g["action"], " ")
	status := g.status()
	switch strings.ToLower(strings.TrimRight(action, ";,")) {
	case "delivered", "relayed", "expanded":
		return ""
	case "failed":
		if strings.HasPrefix(status, "2") { // which is no failure
			return ""
		}
		return FateBounced
	case "delayed":
		return FateDelayed
	}
	switch {
	case strings.HasPrefix(status, "5"):
		return FateBounced
	case strings.HasPrefix(status, "4"):
		return FateDelayed
	}
	return ""
}

var smtpReply = regexp.MustCompile(`^([45][0-9]{2})(?:[ -]|$)`)

// words is the Diagnostic-Code, whose kind stands before a semicolon, with the
// status put first where it does not hold it.
func (g fieldGroup) words() (code int, reason string) {
	kind, said, ok := strings.Cut(g["diagnostic-code"], ";")
	if !ok {
		kind, said = "", g["diagnostic-code"]
	}
	// Some write it as if it were a Subject (RFC 2047).
	if decoded, err := new(mime.WordDecoder).DecodeHeader(said); err == nil {
		said = decoded
	}
	said = strings.TrimSpace(said)
	if found := smtpReply.FindStringSubmatch(said); found != nil && (strings.EqualFold(strings.TrimSpace(kind), "smtp") || !ok) {
		code, _ = strconv.Atoi(found[1])
	}
	if status := g.status(); !strings.Contains(said, status) {
		said = status + " " + said
	}
	return code, CleanReply(said)
}

// TakesReport reports whether a report changes anything. A letter that bounced
// is settled for good. One that is still being handed over may bounce already:
// the mail server has it, and its answer is on its way to us, or was lost.
func (l Letter) TakesReport(f Fate) bool {
	switch f {
	case FateBounced:
		return l.State == LetterAccepted || l.State == LetterSending || l.State == LetterRetrying && l.Attempts > 0
	case FateDelayed:
		return l.State == LetterAccepted && l.DelayedAt.IsZero()
	}
	return false
}
