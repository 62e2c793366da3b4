package model

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

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

// The most that a record may cause (RFC 7208 §4.6.4): questions, questions that
// find nothing, and mail servers of one domain. Beyond them it counts for
// nothing.
const (
	spfLookups = 10
	spfVoids   = 2
	spfHosts   = 10
)

// DNS asks the questions that a record leads to. That there is no such name or
// record is an empty answer; an error is that none came.
type DNS struct {
	TXT   func(name string) ([]string, error)
	MX    func(name string) ([]string, error)
	Addrs func(name string) ([]netip.Addr, error)
}

// JudgeSPF says whether a domain names who may send its letters (RFC 7208),
// and whether the mail server is among them. records are its TXT records; what
// they lead to is asked for.
//
// A provider may take letters at one address and send them from another. So a
// server that the list lets in is sure to be one, and one that it does not is
// in doubt.
func JudgeSPF(domain string, records []string, server MailServer, ask DNS) Finding {
	f := Finding{What: "SPF", About: "A list of the servers that may send letters in your name.", Name: domain}
	own := spfRecords(records)
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

	w := spfWalk{ask: ask, reached: map[string]bool{}}
	hostErr := w.addresses(server)
	verdicts := w.follow(domain, own[0])
	terms := strings.Fields(own[0])[1:]
	with := paste(append([]string{term}, terms...)...)
	switch {
	case w.broken != "":
		return f.wrong(w.broken)
	case w.open == domain:
		return f.wrong("The list ends with +all, which lets anybody send letters in your name. End it with ~all:", paste(replaceEnd(terms, "~all")...))
	case w.open != "":
		return f.wrong("The list includes that of " + w.open + ", which lets anybody send letters in your name. Ask whoever keeps it, or remove it.")
	case !spfAllows(terms):
		return f.wrong("The list says that nobody sends letters in your name, so yours are refused or taken for junk.", pasteIf(term, paste(term, "~all"))...)
	case w.unanswered != "":
		f = f.Unanswered()
		f.Found = own
		f.Says = "The list is there, but a part of it, " + w.unanswered + ", could not be looked up. Please look again in a minute."
		return f
	case provider && w.reached[strings.TrimPrefix(term, "include:")]:
		return f.found("The list is there, and names the mail server that your letters go through, " + server.Host + ".")
	case provider:
		return f.wrong("The list does not name the mail server that your letters go through, "+server.Host+". Put “"+term+"” into it:", with)
	case server.IsZero():
		return f.found("The list is there. Whether it names your mail server can be said once one is set up.")
	case term == "":
		return f.unsure("The list is there. The mail server " + server.Host + " is in your own house: ask whoever runs it by which address the world sees it, and whether that one is on the list.")
	case hostErr != nil:
		return f.unsure("The list is there, but the mail server " + server.Host + " could not be looked up, so nobody can say whether it is on it. Please look again in a minute.")
	case len(verdicts) == 0:
		return f.unsure("The list is there, but the mail server’s name, " + server.Host + ", has no address in DNS, so nobody can say whether it is on it.")
	}
	for i, v := range verdicts {
		switch {
		case v == spfPass:
		case w.unjudged != "":
			return f.unsure("The list is there. In it stands “" + w.unjudged + "”, which each mailbox works out for itself, so nobody can say here whether it lets " + server.Host + " in. Ask whoever runs that server.")
		default:
			f = f.unsure("The list is there, but it does not let in " + w.from[i].String() + ", the address of " + server.Host + ". That may be right: many providers send from other addresses than the one where they take letters. Ask them for their SPF line.")
			if w.lookups < spfLookups {
				f.Says += " If it sends from there itself, this is the list:"
				f.Paste = []DNSRecord{with}
			}
			return f
		}
	}
	return f.found("The list is there, and lets the mail server that your letters go through in: " + server.Host + ", " + inWords(w.from) + ".")
}

func inWords(all []netip.Addr) string {
	var out []string
	for _, a := range all {
		out = append(out, a.String())
	}
	return strings.Join(out, " and ")
}

// spfRecords is the SPF records among a name's texts (RFC 7208 §4.5).
func spfRecords(texts []string) []string {
	var own []string
	for _, r := range texts {
		if strings.EqualFold(r, "v=spf1") || len(r) > 6 && strings.EqualFold(r[:7], "v=spf1 ") {
			own = append(own, r)
		}
	}
	return own
}

// spfAllows reports whether a record lets anybody in at all.
func spfAllows(terms []string) bool {
	redirected := false
	for _, term := range terms {
		switch t, _ := parseSPF(term); {
		case t.name == "all":
			return false // what stands behind it is passed over (RFC 7208 §5.1)
		case t.name == "redirect":
			redirected = true
		case t.name != "" && t.name != "exp" && t.qualifier != '-':
			return true
		}
	}
	return redirected
}

// spfVerdict is what a record says of one address (RFC 7208 §2.6); "" while
// nothing matched.
type spfVerdict byte

// The verdicts are the qualifiers that lead to them.
const (
	spfNone spfVerdict = 0
	spfPass spfVerdict = '+'
)

// spfWalk follows a record to all that it includes, for all addresses of the
// mail server at once. Mailboxes stop at the first match; the walk goes on,
// since letters from elsewhere are judged by the rest.
type spfWalk struct {
	ask  DNS
	from []netip.Addr // of the mail server

	lookups, voids int
	reached        map[string]bool // records that were included, and whose pass counts

	broken     string // why the list counts for nothing, as a sentence
	open       string // the domain whose record lets everybody in
	unanswered string // a name that could not be looked up
	unjudged   string // a term that cannot be worked out here
}

// addresses looks the mail server up.
func (w *spfWalk) addresses(server MailServer) error {
	term, provider := spfTerm(server)
	if term == "" || provider {
		return nil
	}
	if a, err := netip.ParseAddr(server.Host); err == nil {
		w.from = []netip.Addr{a.Unmap()}
		return nil
	}
	found, err := w.ask.Addrs(server.Host)
	for _, a := range found {
		w.from = append(w.from, a.Unmap())
	}
	return err
}

// follow gives a record's verdict on each address of the mail server.
func (w *spfWalk) follow(domain, record string) []spfVerdict {
	verdicts := make([]spfVerdict, len(w.from))
	where := "the list"
	if w.lookups > 0 {
		where = "the list of " + domain
	}
	var redirect string
	all := false
	for _, term := range strings.Fields(record)[1:] {
		t, ok := parseSPF(term)
		if !ok {
			w.fail("In " + where + " stands “" + term + "”, which means nothing, and then the whole list counts for nothing. Mend or remove it.")
			return verdicts
		}
		switch t.name {
		case "redirect":
			redirect = t.value
			if strings.Contains(t.value, "%") {
				w.asks()
				w.unjudged, redirect = term, ""
			}
			continue
		case "all":
			all = true
			if t.qualifier == '+' && w.open == "" {
				w.open = domain
			}
		case "", "exp":
			continue
		}
		matches := w.matches(domain, term, t)
		for i := range verdicts {
			if verdicts[i] == spfNone && matches(i) {
				verdicts[i] = t.qualifier
			}
		}
		if w.broken != "" || all {
			return verdicts
		}
	}
	if redirect == "" {
		return verdicts
	}
	next := w.include(redirect, true)
	for i := range verdicts {
		if verdicts[i] == spfNone && len(next) > 0 {
			verdicts[i] = next[i]
		}
	}
	return verdicts
}

// matches works a term out, and says of which of the server's addresses it is
// true.
func (w *spfWalk) matches(domain, term string, t spfTermParts) func(i int) bool {
	nobody := func(int) bool { return false }
	within := func(nets ...netip.Prefix) func(int) bool {
		return func(i int) bool {
			return slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(w.from[i]) })
		}
	}
	switch t.name {
	case "all":
		return func(int) bool { return true }
	case "ip4", "ip6":
		return within(t.net)
	case "ptr", "exists":
		w.asks()
		w.unjudged = orFirst(w.unjudged, term)
		return nobody
	}
	target := t.value
	if strings.Contains(target, "%") {
		w.asks()
		w.unjudged = orFirst(w.unjudged, term)
		return nobody
	}
	if target == "" {
		target = domain
	}
	if t.name == "include" {
		found := w.include(target, t.qualifier == '+')
		return func(i int) bool { return len(found) > 0 && found[i] == spfPass }
	}
	if !w.asks() {
		return nobody
	}
	hosts := []string{target}
	if t.name == "mx" {
		found, err := w.ask.MX(target)
		if hosts = found; err != nil {
			w.unanswered = orFirst(w.unanswered, target)
			return nobody
		}
		if len(hosts) > spfHosts {
			w.fail("In the list stands “" + term + "”, and " + target + " has more than ten mail servers; then it counts for nothing. Name the addresses instead.")
			return nobody
		}
	}
	var nets []netip.Prefix
	for _, h := range hosts {
		found, err := w.ask.Addrs(strings.TrimSuffix(h, "."))
		if err != nil {
			w.unanswered = orFirst(w.unanswered, strings.TrimSuffix(h, "."))
		}
		for _, a := range found {
			bits := t.bits4
			if a = a.Unmap(); a.Is6() {
				bits = t.bits6
			}
			nets = append(nets, netip.PrefixFrom(a, bits).Masked())
		}
	}
	if len(nets) == 0 && w.unanswered == "" {
		w.finds("“" + term + "”")
	}
	return within(nets...)
}

// include follows the record of another domain. Its pass counts only where the
// term in front of it lets in.
func (w *spfWalk) include(domain string, counts bool) []spfVerdict {
	if !w.asks() {
		return nil
	}
	texts, err := w.ask.TXT(domain)
	if err != nil {
		w.unanswered = orFirst(w.unanswered, domain)
		return nil
	}
	if len(texts) == 0 {
		w.finds(domain)
	}
	switch own := spfRecords(texts); len(own) {
	case 0:
		w.fail("The list names that of " + domain + ", and there is none; then the whole list counts for nothing. Remove it, or ask whoever keeps that domain.")
	case 1:
		if counts {
			w.reached[strings.ToLower(domain)] = true
		}
		return w.follow(domain, own[0])
	default:
		w.fail("The list names that of " + domain + ", and there are several; then the whole list counts for nothing. Ask whoever keeps that domain.")
	}
	return nil
}

// asks counts one question, and reports whether it may be asked.
func (w *spfWalk) asks() bool {
	if w.lookups++; w.lookups > spfLookups {
		w.fail(fmt.Sprintf("The list needs more than the %d look-ups that are allowed; then it counts for nothing. Remove what you no longer use.", spfLookups))
	}
	return w.broken == ""
}

// finds counts a question that found nothing.
func (w *spfWalk) finds(nothingAt string) {
	if w.voids++; w.voids > spfVoids {
		w.fail("The list names too many things that are not there any more, " + nothingAt + " among them; then it counts for nothing. Remove them.")
	}
}

func (w *spfWalk) fail(sentence string) { w.broken = orFirst(w.broken, sentence) }

func orFirst(first, next string) string {
	if first != "" {
		return first
	}
	return next
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

// spfTermParts is one term of a record, taken apart.
type spfTermParts struct {
	qualifier    spfVerdict // '+', '-', '~' or '?'
	name         string     // in lower case; "" for a modifier that nobody knows, which is passed over (RFC 7208 §6)
	value        string     // the domain, "" for the record's own
	net          netip.Prefix
	bits4, bits6 int
}

// parseSPF takes "?include:x", "a:x/24//64" or "redirect=x" apart (RFC 7208
// §4.6.1).
func parseSPF(term string) (t spfTermParts, ok bool) {
	t = spfTermParts{qualifier: spfPass, bits4: 32, bits6: 128}
	rest := strings.TrimLeft(term[:1], "+-~?") + term[1:]
	qualified := len(rest) < len(term)
	if qualified {
		t.qualifier = spfVerdict(term[0])
	}
	end := strings.IndexAny(rest, ":=/")
	if end < 0 {
		end = len(rest)
	}
	t.name, rest = strings.ToLower(rest[:end]), rest[end:]
	if value, is := strings.CutPrefix(rest, "="); is {
		t.value = value
		switch {
		case t.name == "" || qualified:
			return t, false
		case t.name == "redirect" || t.name == "exp":
			return t, value != ""
		}
		t.name = ""
		return t, true
	}
	value, given := strings.CutPrefix(rest, ":")
	switch t.name {
	case "all":
		return t, rest == ""
	case "include", "exists":
		t.value = strings.TrimSuffix(value, ".")
		return t, given && t.value != ""
	case "ptr":
		t.value = value
		return t, rest == "" || given && value != ""
	case "ip4", "ip6":
		t.net, ok = spfNet(t.name, value)
		return t, ok && given
	case "a", "mx":
		domain, bits, cut := strings.Cut(value, "/")
		t.value = strings.TrimSuffix(domain, ".")
		if !cut {
			return t, given == (value != "")
		}
		if given && domain == "" {
			return t, false
		}
		four, six, both := strings.Cut(bits, "//")
		if strings.HasPrefix(bits, "/") {
			four, six, both = "", bits[1:], true
		}
		return t, (four == "" && both || spfBits(four, 32, &t.bits4)) && (!both || spfBits(six, 128, &t.bits6))
	}
	return t, false
}

func spfBits(written string, most int, bits *int) bool {
	n, err := strconv.Atoi(written)
	*bits = n
	return err == nil && n >= 0 && n <= most
}

func spfNet(name, value string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(value)
	if err != nil {
		a, err := netip.ParseAddr(value)
		if err != nil || a.Zone() != "" {
			return p, false
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	return p.Masked(), p.Addr().Is4() == (name == "ip4")
}

func replaceEnd(terms []string, end string) []string {
	out := slices.DeleteFunc(slices.Clone(terms), func(t string) bool { return strings.EqualFold(strings.TrimLeft(t, "+-~?"), "all") })
	return append(out, end)
}
