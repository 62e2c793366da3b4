package model

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// NearFor is how long an address that nearly is a member's is kept.
	NearFor = 30 * 24 * time.Hour

	// NearMembers is how many members an address may nearly be of. One that
	// nearly is everybody's says nothing about anybody.
	NearMembers = 3

	// NearPerDay is how many such addresses are kept in a day, in all: whoever
	// types them may be a stranger.
	NearPerDay = 100

	// NearPerMember is how many are kept of one member: the office looks at the
	// newest. Whoever knows one address must not use up the day with it.
	NearPerMember = 5

	// longestNear is the most characters an address may have for its
	// neighbours to be listed: those are some 4,000 then.
	longestNear = 50
)

// NearLogin is an address that somebody asked a password for and that is
// nobody's, but nearly that of a member.
type NearLogin struct {
	ID    int64
	Typed string // as [EmailKey] has it
	At    time.Time
}

// NearEmails lists addresses that may have been meant by one that is nobody's,
// as [EmailKey] has them, each once: those one slip of the keyboard away before
// or after the @, those at a domain that people take for this one, and the
// address itself, which may be in a record without being its account's.
func NearEmails(key string) []string {
	at := strings.LastIndexByte(key, '@')
	if at < 1 || at == len(key)-1 {
		return nil
	}
	local, domain := key[:at], key[at+1:]
	all := []string{key}
	for _, d := range nearDomains(domain) {
		all = append(all, local+"@"+d)
	}
	if base, _, tagged := strings.Cut(local, "+"); tagged && base != "" {
		all = append(all, base+"@"+domain) // RFC 5233: the mailbox is the same
	}
	if utf8.RuneCountInString(key) <= longestNear {
		for _, l := range oneSlip(local, withOwnLetters(local, "abcdefghijklmnopqrstuvwxyz0123456789.-_")) {
			all = append(all, l+"@"+domain)
		}
		for _, d := range oneSlip(domain, withOwnLetters(domain, "abcdefghijklmnopqrstuvwxyz0123456789.-")) {
			all = append(all, local+"@"+d)
		}
	}
	slices.Sort(all) // neighbours in an index are read together
	return slices.Compact(all)
}

// domainTwins are domains of one provider, or of names alike, that people take
// for each other.
var domainTwins = [][]string{
	{"gmail.com", "googlemail.com", "gmail.de", "google.com", "gmail.co.uk"},
	{"gmx.de", "gmx.net", "gmx.at", "gmx.ch", "gmx.com"},
	{"web.de", "web.com"},
	{"hotmail.com", "outlook.com", "live.com", "msn.com", "hotmail.de", "outlook.de", "live.de", "hotmail.co.uk", "hotmail.fr", "outlook.fr", "live.fr"},
	{"yahoo.com", "yahoo.de", "yahoo.co.uk", "yahoo.fr", "yahoo.it", "ymail.com", "rocketmail.com"},
	{"icloud.com", "me.com", "mac.com"},
	{"t-online.de", "t-online.com", "magenta.de"},
	{"freenet.de", "freenet.com"},
	{"orange.fr", "wanadoo.fr"},
	{"btinternet.com", "btopenworld.com", "bt.com"},
}

// domainSlips are misspelled domains that more than one slip parts from what
// was meant. One slip needs no list: gmial.com, hotmal.com, yaho.com, web.d.
var domainSlips = map[string]string{
	"gmial.co": "gmail.com", "gmai.co": "gmail.com", "gmal.co": "gmail.com", "gimal.com": "gmail.com", "gnail.co": "gmail.com",
	"gmail.comm": "gmail.com", "gmaill.co": "gmail.com", "g-mail.de": "gmail.com", "gmailcom.com": "gmail.com", "googelmail.de": "googlemail.com",
	"hotmial.co": "hotmail.com", "hotmal.co": "hotmail.com", "hotmaill.co": "hotmail.com", "homail.co": "hotmail.com",
	"yaho.co": "yahoo.com", "yahooo.co": "yahoo.com", "yhaoo.co": "yahoo.com",
	"outlok.co": "outlook.com", "outllok.com": "outlook.com", "outlock.de": "outlook.de",
	"icould.co": "icloud.com", "iclod.co": "icloud.com",
	"gmx.d": "gmx.net", "gxm.ed": "gmx.de", "wbe.ed": "web.de", "tonline.com": "t-online.de", "online.de": "t-online.de",
}

// nearDomains are those that somebody who wrote this one may have meant. Either
// may be the wrong one: the office misspells as well.
func nearDomains(domain string) []string {
	var all []string
	for _, twins := range domainTwins {
		mixed := slices.Contains(twins, domain)
		for _, d := range twins {
			// Two slips in a short name make another one of it.
			if mixed || len(d) >= 8 && Slips(domain, d, 2) <= 2 {
				all = append(all, d)
			}
		}
	}
	if meant := domainSlips[domain]; meant != "" {
		all = append(all, meant)
	}
	for wrong, meant := range domainSlips {
		if meant == domain {
			all = append(all, wrong)
		}
	}
	return slices.DeleteFunc(all, func(d string) bool { return d == domain })
}
