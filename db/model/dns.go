package model

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// DNSRecord is a record to paste at whoever keeps a domain's names.
type DNSRecord struct {
	Name, Type, Value string
}

// RecordState is what was found under a name.
type RecordState string

// The states of a record.
const (
	RecordFound   RecordState = "found"
	RecordMissing RecordState = "missing"
	RecordWrong   RecordState = "wrong"
	RecordUnknown RecordState = "unknown" // nobody answered
)

// Finding is what there is to say about one kind of record, for somebody who
// never saw one.
type Finding struct {
	What  string // SPF, DKIM, DMARC, MX
	About string // what it is for
	Name  string // where it was looked for
	State RecordState
	Says  string      // what was found, and what to do
	Found []string    // the records as they are
	Paste []DNSRecord // what should be there
}

func (f Finding) found(says string) Finding { f.State, f.Says = RecordFound, says; return f }

func (f Finding) missing(says string, paste ...DNSRecord) Finding {
	f.State, f.Says, f.Paste = RecordMissing, says, paste
	return f
}

func (f Finding) wrong(says string, paste ...DNSRecord) Finding {
	f.State, f.Says, f.Paste = RecordWrong, says, paste
	return f
}

// Unanswered is the finding where the question got no answer.
func (f Finding) Unanswered() Finding {
	f.State, f.Found, f.Paste = RecordUnknown, nil, nil
	f.Says = "Nobody answered the question in time. That says nothing about the record; please look again in a minute."
	return f
}

// CheckableDomain reports whether a sender's domain can have records at all.
func CheckableDomain(domain string) bool {
	_, err := netip.ParseAddr(strings.Trim(domain, "[]"))
	return err != nil && strings.Contains(strings.Trim(domain, "."), ".") && !Loopback(domain) &&
		!strings.HasSuffix(domain, ".invalid") && !strings.HasSuffix(domain, ".local")
}

// spfProviders are the SPF lines of the mail servers that small associations
// use most, by the end of the server's name. The providers' own pages say so.
var spfProviders = []struct{ server, include string }{
	{"gmail.com", "_spf.google.com"},
	{"google.com", "_spf.google.com"},
	{"office365.com", "spf.protection.outlook.com"},
	{"outlook.com", "spf.protection.outlook.com"},
	{"amazonaws.com", "amazonses.com"},
	{"sendgrid.net", "sendgrid.net"},
	{"mailgun.org", "mailgun.org"},
	{"mailjet.com", "spf.mailjet.com"},
	{"postmarkapp.com", "spf.mtasv.net"},
	{"messagingengine.com", "spf.messagingengine.com"},
	{"fastmail.com", "spf.messagingengine.com"},
}

// spfLookups is how many questions an SPF record may cause (RFC 7208 §4.6.4).
const spfLookups = 10

// JudgeSPF says whether a domain names who may send its letters (RFC 7208).
// Nobody but the mail server's provider knows from which addresses it sends,
// so the judgment ends at what the record itself can tell.
func JudgeSPF(domain string, records []string, server MailServer) Finding {
	f := Finding{What: "SPF", About: "A list of the servers that may send letters in your name.", Name: domain}
	var own []string
	for _, r := range records {
		if strings.EqualFold(r, "v=spf1") || len(r) > 6 && strings.EqualFold(r[:7], "v=spf1 ") {
			own = append(own, r)
		}
	}
	f.Found = own
	term, provider := spfTerm(server)
	paste := func(terms ...string) DNSRecord {
		return DNSRecord{Name: domain, Type: "TXT", Value: strings.Join(append([]string{"v=spf1"}, terms...), " ")}
	}
	switch len(own) {
	case 0:
		says := "There is no such list, so many mailboxes take your letters for junk."
		switch {
		case server.IsZero():
			return f.missing(says + " Set up the mail server first; then this page can say what to paste.")
		case term == "":
			return f.missing(says + " The mail server " + server.Host + " is in your own house, so ask whoever runs it by which address the world sees it, and what to paste.")
		}
		if !provider {
			says += " Ask whoever runs " + server.Host + " for their SPF line. If they have none, paste this one:"
		}
		return f.missing(says, paste(term, "~all"))
	case 1:
	default:
		var all []string
		for _, r := range own {
			for _, t := range strings.Fields(r)[1:] {
				if name := strings.ToLower(strings.TrimLeft(t, "+-~?")); name != "all" && !slices.Contains(all, t) {
					all = append(all, t)
				}
			}
		}
		return f.wrong("There are several lists, and then none of them counts (RFC 7208 §4.5). Make one of them:", paste(append(all, "~all")...))
	}

	terms, lookups, allows, end := strings.Fields(own[0])[1:], 0, false, ""
	for _, t := range terms {
		mechanism, value := spfParts(t)
		switch mechanism {
		case "include", "a", "mx", "ptr", "exists", "redirect":
			lookups++
			allows = allows || t[0] != '-'
		case "ip4", "ip6":
			allows = allows || t[0] != '-'
			if !spfAddress(mechanism, value) {
				return f.wrong("In the list stands “" + t + "”, which is no address. Mend or remove it.")
			}
		case "all":
			end = t
		case "exp":
		default:
			if strings.Contains(t, "=") {
				continue // a modifier that nobody knows is passed over (RFC 7208 §6)
			}
			return f.wrong("In the list stands “" + t + "”, which means nothing, and then the whole list counts for nothing. Mend or remove it.")
		}
	}
	switch {
	case strings.EqualFold(end, "all") || strings.EqualFold(end, "+all"):
		return f.wrong("The list ends with +all, which lets anybody send letters in your name. End it with ~all:", paste(replaceEnd(terms, "~all")...))
	case !allows:
		return f.wrong("The list says that nobody sends letters in your name, so yours are refused or taken for junk.", pasteIf(term, paste(term, "~all"))...)
	case lookups > spfLookups:
		return f.wrong(fmt.Sprintf("The list needs %d look-ups, and %d are allowed; then it counts for nothing. Remove what you no longer use.", lookups, spfLookups))
	case provider && !slices.ContainsFunc(terms, func(t string) bool { return strings.EqualFold(strings.TrimLeft(t, "+"), term) }):
		with := append([]string{term}, terms...)
		return f.wrong("The list does not name the mail server that your letters go through, "+server.Host+". Put “"+term+"” into it:", paste(with...))
	case provider || term == "":
		return f.found("The list is there.")
	}
	return f.found("The list is there. Whether it names " + server.Host + " only its provider can tell: ask them for their SPF line, and see that it is among these.")
}

func pasteIf(term string, r DNSRecord) []DNSRecord {
	if term == "" {
		return nil
	}
	return []DNSRecord{r}
}

// spfTerm is what names a mail server in an SPF record, and whether its
// provider says so.
func spfTerm(server MailServer) (term string, provider bool) {
	host := strings.ToLower(strings.TrimSuffix(server.Host, "."))
	for _, p := range spfProviders {
		if host == p.server || strings.HasSuffix(host, "."+p.server) {
			return "include:" + p.include, true
		}
	}
	if a, err := netip.ParseAddr(host); err == nil {
		switch {
		case a.IsLoopback() || a.IsPrivate():
			return "", false // what the world sees of it is not known here
		case a.Unmap().Is4():
			return "ip4:" + a.Unmap().String(), false
		}
		return "ip6:" + a.String(), false
	}
	if host == "" || Loopback(host) || !strings.Contains(host, ".") {
		return "", false
	}
	return "a:" + host, false
}

// spfParts takes "?include:x" or "redirect=x" apart.
func spfParts(term string) (mechanism, value string) {
	t := strings.ToLower(strings.TrimLeft(term, "+-~?"))
	if i := strings.IndexAny(t, ":=/"); i >= 0 {
		if t[i] == '=' && t[:i] != "redirect" && t[:i] != "exp" {
			return t, ""
		}
		return t[:i], strings.TrimLeft(t[i:], ":=")
	}
	return t, ""
}

func spfAddress(mechanism, value string) bool {
	a, err := netip.ParseAddr(value)
	if err != nil {
		p, err := netip.ParsePrefix(value)
		if err != nil {
			return false
		}
		a = p.Addr()
	}
	return a.Is4() == (mechanism == "ip4")
}

func replaceEnd(terms []string, end string) []string {
	out := slices.DeleteFunc(slices.Clone(terms), func(t string) bool { return strings.EqualFold(strings.TrimLeft(t, "+-~?"), "all") })
	return append(out, end)
}

// DMARCNames are where a domain's DMARC record is looked for: at the domain,
// then at each above it, but not at a single label (the tree walk by which
// DMARC's second edition finds the organisation; at most eight questions).
func DMARCNames(domain string) []string {
	labels := strings.Split(domain, ".")
	if len(labels) > 8 {
		labels = labels[len(labels)-8:]
	}
	var names []string
	for len(labels) > 1 {
		names = append(names, "_dmarc."+strings.Join(labels, "."))
		labels = labels[1:]
	}
	if d := "_dmarc." + domain; len(names) > 0 && names[0] != d {
		names[0] = d
	}
	return names
}

// JudgeDMARC says whether a domain has told the world what to do with letters
// that only pretend to be its own (RFC 7489). name is where records were
// found; signed says whether letters carry a signature of the domain.
func JudgeDMARC(domain, name string, records []string, signed bool) Finding {
	f := Finding{What: "DMARC", About: "Tells mailboxes what to do with letters that only pretend to come from you.", Name: "_dmarc." + domain}
	var own []string
	for _, r := range records {
		if tag, _, _ := strings.Cut(r, ";"); strings.EqualFold(strings.ReplaceAll(tag, " ", ""), "v=DMARC1") {
			own = append(own, r)
		}
	}
	paste := DNSRecord{Name: "_dmarc." + domain, Type: "TXT", Value: "v=DMARC1; p=none"}
	f.Found = own
	if len(own) == 0 {
		return f.missing("There is no such record. The large mailboxes want one; this is the mildest, and enough:", paste)
	}
	f.Name = name
	paste.Name = name
	if len(own) > 1 {
		return f.wrong("There are several records, and then none of them counts. Keep one of them.")
	}
	tags := tagList(own[0])
	policy := tags["p"]
	if name != "_dmarc."+domain && tags["sp"] != "" {
		policy = tags["sp"]
	}
	switch strings.ToLower(policy) {
	case "none":
		return f.found("The record is there. It asks for nothing to be done with such letters, which is a good beginning.")
	case "quarantine", "reject":
		fate := "put into the junk folder"
		if strings.EqualFold(policy, "reject") {
			fate = "refused"
		}
		if !signed {
			return f.found("The record is there, and a strict one: letters that neither SPF nor a signature vouches for are " + fate + ". Yours are not signed yet; do that next.")
		}
		return f.found("The record is there: letters that only pretend to come from you are " + fate + ".")
	}
	return f.wrong("The record does not say what to do (its p= is none, quarantine or reject). It could be:", paste)
}

// JudgeMX says whether answers to a domain's letters have somewhere to go
// (RFC 5321 §5.1). hosts are its mail servers; address says that the domain
// itself has an address.
func JudgeMX(domain string, hosts []string, address bool) Finding {
	f := Finding{What: "MX", About: "Where answers to your letters go. Some mailboxes take no letters from a domain that takes none.", Name: domain, Found: hosts}
	switch {
	case len(hosts) == 1 && strings.Trim(hosts[0], ".") == "":
		// RFC 7505 §4.2: servers may refuse a sender who can get no answer.
		return f.wrong("The record says that " + domain + " takes no letters at all. Ask whoever keeps the domain, or let letters come from another one.")
	case len(hosts) > 0:
		return f.found("Letters to " + domain + " have somewhere to go.")
	case address:
		return f.missing("There is no such record. Letters to " + domain + " are tried at the server of its website, which mostly takes none. Ask your mail provider what to paste.")
	}
	return f.missing("There is no such record, and " + domain + " has no address either: letters from it are often refused. Ask your mail provider what to paste, or let letters come from another domain.")
}
