package model_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"latchkey/db/model"
)

// world is what a resolver knows, by name.
type world map[string]struct {
	texts, hosts, addrs []string
	fails               bool
}

func (w world) dns() model.DNS {
	err := func(name string) error {
		if w[name].fails {
			return errors.New("server failure")
		}
		return nil
	}
	return model.DNS{
		TXT: func(name string) ([]string, error) { return w[name].texts, err(name) },
		MX:  func(name string) ([]string, error) { return w[name].hosts, err(name) },
		Addrs: func(name string) (all []netip.Addr, _ error) {
			for _, a := range w[name].addrs {
				all = append(all, netip.MustParseAddr(a))
			}
			return all, err(name)
		},
	}
}

// around is the world of example.org, whose mail server is at 192.0.2.25.
var around = world{
	"example.org":           {hosts: []string{"mail.example.org."}, addrs: []string{"192.0.2.80"}},
	"mail.example.org":      {addrs: []string{"192.0.2.25"}},
	"dual.example.org":      {addrs: []string{"192.0.2.26", "2001:db8::26"}},
	"_spf.provider.example": {texts: []string{"other", "v=spf1 ip4:192.0.2.25 -all"}},
	"deep.example":          {texts: []string{"v=spf1 include:_spf.provider.example ?all"}},
	"_spf.google.com":       {texts: []string{"v=spf1 ip4:198.51.100.0/24 ~all"}},
	"viaclub.example":       {texts: []string{"v=spf1 include:_spf.google.com ~all"}},
	"a.example":             {texts: []string{"v=spf1 ip4:198.51.100.1 ~all"}},
	"open.example":          {texts: []string{"v=spf1 +all"}},
	"two.example":           {texts: []string{"v=spf1 -all", "v=spf1 ~all"}},
	"bad.example":           {texts: []string{"v=spf1 nonsense -all"}},
	"loop.example":          {texts: []string{"v=spf1 include:loop.example -all"}},
	"down.example":          {fails: true},
	"many.example":          {hosts: strings.Split(strings.Repeat("mail.example.org. ", 11), " ")[:11]},
	"macro.example":         {texts: []string{"v=spf1 exists:%{i}._spf.macro.example -all"}},
}

func TestWhatFollowingAnSPFRecordFinds(t *testing.T) {
	ours, dual := model.MailServer{Host: "mail.example.org"}, model.MailServer{Host: "dual.example.org"}
	google := model.MailServer{Host: "smtp.gmail.com"}
	for _, tt := range []struct {
		name, record string
		server       model.MailServer
		state        model.RecordState
		says         string
	}{
		{"by address", "v=spf1 ip4:192.0.2.25 -all", ours, model.RecordFound, "lets the mail server that your letters go through in: mail.example.org, 192.0.2.25."},
		{"by network", "v=spf1 ip4:192.0.2.0/27 -all", ours, model.RecordFound, "lets the"},
		{"just beside the network", "v=spf1 ip4:192.0.2.0/28 -all", ours, model.RecordUnsure, "does not let in 192.0.2.25"},
		{"by its MX", "v=spf1 mx -all", ours, model.RecordFound, "lets the"},
		{"by a network around another host", "v=spf1 a/24 -all", ours, model.RecordFound, "lets the"},
		{"another host alone", "v=spf1 a -all", ours, model.RecordUnsure, "does not let in"},
		{"by an included list", "v=spf1 include:_spf.provider.example -all", ours, model.RecordFound, "lets the"},
		{"by a list included there", "v=spf1 include:deep.example -all", ours, model.RecordFound, "lets the"},
		{"passed on", "v=spf1 redirect=deep.example", ours, model.RecordFound, "lets the"},
		{"passed on, but decided before", "v=spf1 -all redirect=deep.example", ours, model.RecordWrong, "nobody sends"},
		{"shut out first", "v=spf1 -ip4:192.0.2.25 include:_spf.provider.example -all", ours, model.RecordUnsure, "does not let in"},
		{"an included refusal is no match", "v=spf1 include:a.example mx -all", ours, model.RecordFound, "lets the"},
		{"behind the end", "v=spf1 a -all mx", ours, model.RecordUnsure, "does not let in"},
		{"neutral", "v=spf1 a ?mx -all", ours, model.RecordUnsure, "does not let in"},
		{"one of two addresses", "v=spf1 ip4:192.0.2.26 -all", dual, model.RecordUnsure, "does not let in 2001:db8::26"},
		{"both addresses", "v=spf1 a:dual.example.org//64 -all", dual, model.RecordFound, "192.0.2.26 and 2001:db8::26"},
		{"Google by way of another", "v=spf1 include:viaclub.example ~all", google, model.RecordFound, "names the mail server"},
		{"Google shut out", "v=spf1 mx -include:_spf.google.com ~all", google, model.RecordWrong, "does not name"},
		{"anybody, by another's list", "v=spf1 include:open.example -all", ours, model.RecordWrong, "open.example, which lets anybody"},
		{"included, and not there", "v=spf1 include:gone.example mx -all", ours, model.RecordWrong, "gone.example, and there is none"},
		{"included, and two", "v=spf1 include:two.example mx -all", ours, model.RecordWrong, "two.example, and there are several"},
		{"included nonsense", "v=spf1 include:bad.example mx -all", ours, model.RecordWrong, "In the list of bad.example stands “nonsense”"},
		{"in a circle", "v=spf1 include:loop.example -all", ours, model.RecordWrong, "more than the 10 look-ups"},
		{"eleven, spread", "v=spf1 include:deep.example " + strings.Repeat("include:a.example ", 9) + "-all", ours, model.RecordWrong, "more than the 10 look-ups"},
		{"ten, spread", "v=spf1 include:deep.example " + strings.Repeat("include:a.example ", 8) + "-all", ours, model.RecordFound, "lets the"},
		{"two that are gone", "v=spf1 a:x.example mx:y.example mx -all", ours, model.RecordFound, "lets the"},
		{"three that are gone", "v=spf1 a:x.example mx:y.example a:z.example mx -all", ours, model.RecordWrong, "not there any more, “a:z.example”"},
		{"eleven mail servers", "v=spf1 mx:many.example -all", ours, model.RecordWrong, "more than ten"},
		{"no answer", "v=spf1 include:down.example -all", ours, model.RecordUnknown, "down.example, could not be looked up"},
		{"a macro", "v=spf1 include:macro.example -all", ours, model.RecordUnsure, "“exists:%{i}._spf.macro.example”, which each mailbox works out"},
		{"a macro beside what is enough", "v=spf1 include:macro.example mx -all", ours, model.RecordFound, "lets the"},
		{"ptr", "v=spf1 ptr -all", ours, model.RecordUnsure, "“ptr”"},
		{"no server yet", "v=spf1 mx -all", model.MailServer{}, model.RecordFound, "once one is set up"},
		{"a server in the house", "v=spf1 mx -all", model.MailServer{Host: "192.168.1.5"}, model.RecordUnsure, "own house"},
		{"a server that is down", "v=spf1 mx -all", model.MailServer{Host: "down.example"}, model.RecordUnsure, "could not be looked up"},
		{"a server without address", "v=spf1 mx -all", model.MailServer{Host: "gone.example"}, model.RecordUnsure, "no address in DNS"},
		{"a modifier with a qualifier", "v=spf1 mx -redirect=a.example", ours, model.RecordWrong, "“-redirect=a.example”"},
		{"all with a value", "v=spf1 mx -all:x", ours, model.RecordWrong, "“-all:x”"},
		{"include of nothing", "v=spf1 include: -all", ours, model.RecordWrong, "“include:”"},
		{"too wide a network", "v=spf1 a/33 -all", ours, model.RecordWrong, "“a/33”"},
	} {
		got := model.JudgeSPF("example.org", []string{tt.record}, tt.server, around.dns())
		if got.State != tt.state || !strings.Contains(got.Says, tt.says) {
			t.Errorf("%s: %s: %s", tt.name, got.State, got.Says)
		}
	}
}

// A record may lead to any number of names, and each costs time.
func TestAnSPFRecordCannotHaveAnyNumberOfQuestionsAsked(t *testing.T) {
	asked := 0
	ask := model.DNS{
		TXT: func(string) ([]string, error) {
			asked++
			return []string{"v=spf1 " + strings.Repeat("include:a.example mx ", 50) + "-all"}, nil
		},
		MX: func(string) ([]string, error) {
			asked++
			return strings.Split(strings.Repeat("x.example ", 10), " ")[:10], nil
		},
		Addrs: func(string) ([]netip.Addr, error) { asked++; return nil, nil },
	}
	model.JudgeSPF("example.org", []string{"v=spf1 " + strings.Repeat("include:a.example mx ", 50) + "-all"}, model.MailServer{Host: "mail.example.org"}, ask)
	if asked > 10*11+1 {
		t.Errorf("%d questions", asked)
	}
}

func TestWhatIsFoundOfSPF(t *testing.T) {
	ours := model.MailServer{Host: "mail.example.org"}
	google := model.MailServer{Host: "smtp.gmail.com"}
	home := model.MailServer{Host: "127.0.0.1"}
	for name, tt := range map[string]struct {
		server  model.MailServer
		records []string
		state   model.RecordState
		paste   string // "": nothing to paste
	}{
		"nothing":                    {ours, nil, model.RecordMissing, "v=spf1 a:mail.example.org ~all"},
		"something else":             {ours, []string{"google-site-verification=x", "v=spf10 x"}, model.RecordMissing, "v=spf1 a:mail.example.org ~all"},
		"nothing, Google":            {google, nil, model.RecordMissing, "v=spf1 include:_spf.google.com ~all"},
		"nothing, an address":        {model.MailServer{Host: "192.0.2.7"}, nil, model.RecordMissing, "v=spf1 ip4:192.0.2.7 ~all"},
		"nothing, a long one":        {model.MailServer{Host: "2001:db8::7"}, nil, model.RecordMissing, "v=spf1 ip6:2001:db8::7 ~all"},
		"nothing, this machine":      {home, nil, model.RecordMissing, ""},
		"nothing, no server":         {model.MailServer{}, nil, model.RecordMissing, ""},
		"there":                      {ours, []string{"v=spf1 mx include:_spf.provider.example ~all"}, model.RecordFound, ""},
		"in capitals":                {ours, []string{"V=SPF1 MX -ALL"}, model.RecordFound, ""},
		"there, Google":              {google, []string{"v=spf1 include:_spf.google.com -all"}, model.RecordFound, ""},
		"without Google":             {google, []string{"v=spf1 mx -all"}, model.RecordWrong, "v=spf1 include:_spf.google.com mx -all"},
		"passed on":                  {ours, []string{"v=spf1 redirect=_spf.provider.example"}, model.RecordFound, ""},
		"addresses":                  {ours, []string{"v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ?all"}, model.RecordFound, ""},
		"a modifier nobody knows":    {ours, []string{"v=spf1 mx x-later=1 exp=why.example.org ~all"}, model.RecordFound, ""},
		"two":                        {ours, []string{"v=spf1 mx ~all", "v=spf1 include:a.example mx -all"}, model.RecordWrong, "v=spf1 mx include:a.example ~all"},
		"everybody":                  {ours, []string{"v=spf1 mx +all"}, model.RecordWrong, "v=spf1 mx ~all"},
		"everybody, short":           {ours, []string{"v=spf1 mx all"}, model.RecordWrong, "v=spf1 mx ~all"},
		"nobody":                     {ours, []string{"v=spf1 -all"}, model.RecordWrong, "v=spf1 a:mail.example.org ~all"},
		"nobody, in other words":     {ours, []string{"v=spf1 -mx -all"}, model.RecordWrong, "v=spf1 a:mail.example.org ~all"},
		"nonsense":                   {ours, []string{"v=spf1 mx smtp.example.org ~all"}, model.RecordWrong, ""},
		"an address that is none":    {ours, []string{"v=spf1 ip4:192.0.2.300 ~all"}, model.RecordWrong, ""},
		"an address of another kind": {ours, []string{"v=spf1 ip4:2001:db8::1 ~all"}, model.RecordWrong, ""},
		"eleven questions":           {ours, []string{"v=spf1 mx " + strings.Repeat("include:a.example ", 10) + "~all"}, model.RecordWrong, ""},
		"ten questions, none left":   {ours, []string{"v=spf1 " + strings.Repeat("include:a.example ", 10) + "~all"}, model.RecordUnsure, ""},
		"one question left":          {ours, []string{"v=spf1 include:a.example ~all"}, model.RecordUnsure, "v=spf1 a:mail.example.org include:a.example ~all"},
	} {
		got := model.JudgeSPF("example.org", tt.records, tt.server, around.dns())
		paste := ""
		if len(got.Paste) > 0 {
			paste = got.Paste[0].Value
			if got.Paste[0].Name != "example.org" || got.Paste[0].Type != "TXT" {
				t.Errorf("%s: %+v", name, got.Paste[0])
			}
		}
		if got.State != tt.state || paste != tt.paste || got.Says == "" {
			t.Errorf("%s: %s, paste %q: %s", name, got.State, paste, got.Says)
		}
	}
}
