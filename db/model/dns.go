package model

import (
	"net/netip"
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
	RecordUnsure  RecordState = "unsure"  // it is there, and whether it does what it should cannot be known here
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

func (f Finding) unsure(says string) Finding { f.State, f.Says = RecordUnsure, says; return f }

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
	f.Says = "It could not be looked up: no answer came in time, or an error instead of one. That says nothing about the record; please look again in a minute."
	return f
}

// CheckableDomain reports whether a sender's domain can have records at all.
func CheckableDomain(domain string) bool {
	_, err := netip.ParseAddr(strings.Trim(domain, "[]"))
	return err != nil && strings.Contains(strings.Trim(domain, "."), ".") && !Loopback(domain) &&
		!strings.HasSuffix(domain, ".invalid") && !strings.HasSuffix(domain, ".local")
}

// DMARCNames are where a domain's DMARC record is looked for: at the domain,
// then at the one that its organisation registered (RFC 7489 §6.6.3), and
// nowhere in between.
func DMARCNames(domain, organisation string) []string {
	if organisation == "" || organisation == domain {
		return []string{"_dmarc." + domain}
	}
	return []string{"_dmarc." + domain, "_dmarc." + organisation}
}

// JudgeDMARC says whether a domain has told the world what to do with letters
// that only pretend to be its own (RFC 7489). name is where records were
// found; signed says whether letters carry a signature of the domain, aligned
// whether what SPF vouches for is of the same organisation.
func JudgeDMARC(domain, name string, records []string, signed, aligned bool) Finding {
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
	there := "The record is there"
	if name != "_dmarc."+domain {
		there = "The record of " + strings.TrimPrefix(name, "_dmarc.") + " counts for " + domain + " as well"
	}
	reports := ""
	if to := dmarcReports(tags["rua"]); to != "" {
		reports = " Mailboxes send a summary of what they saw to " + to + "."
	}
	switch strings.ToLower(policy) {
	case "none":
		return f.found(there + ". It asks for nothing to be done with such letters, which is a good beginning." + reports)
	case "quarantine", "reject":
		fate := "put into the junk folder"
		if strings.EqualFold(policy, "reject") {
			fate = "refused"
		}
		switch {
		case !signed && !aligned:
			return f.wrong(there + ", and a strict one: letters that neither SPF nor a signature vouches for are " + fate + ". Yours leave under the address for reports, which is in another domain, so SPF does not count for them, and they are not signed. Have them signed (below), or take an address for reports in " + domain + "." + reports)
		case !signed:
			return f.found(there + ", and a strict one: letters that neither SPF nor a signature vouches for are " + fate + ". Yours are not signed yet; do that next." + reports)
		}
		return f.found(there + ": letters that only pretend to come from you are " + fate + "." + reports)
	}
	return f.wrong("The record does not say what to do (its p= is none, quarantine or reject). It could be:", paste)
}

// dmarcReports is the addresses of rua=, without their size limits (RFC 7489
// §6.2).
func dmarcReports(rua string) string {
	var all []string
	for uri := range strings.SplitSeq(rua, ",") {
		address, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(uri)), "mailto:")
		if address, _, _ = strings.Cut(address, "!"); ok && address != "" {
			all = append(all, address)
		}
	}
	return strings.Join(all, " and ")
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
