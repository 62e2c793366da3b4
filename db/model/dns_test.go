package model_test

import (
	"slices"
	"strings"
	"testing"

	"latchkey/db/model"
)

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
		"ten questions":              {ours, []string{"v=spf1 " + strings.Repeat("include:a.example ", 10) + "~all"}, model.RecordFound, ""},
	} {
		got := model.JudgeSPF("example.org", tt.records, tt.server)
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

func TestWhatIsFoundOfDMARC(t *testing.T) {
	for name, tt := range map[string]struct {
		at      string
		records []string
		signed  bool
		state   model.RecordState
		says    string
	}{
		"nothing":           {"_dmarc.post.example.org", nil, true, model.RecordMissing, "large mailboxes"},
		"mild":              {"_dmarc.post.example.org", []string{"v=DMARC1; p=none; rua=mailto:x@example.org"}, false, model.RecordFound, "good beginning"},
		"strict":            {"_dmarc.post.example.org", []string{"v=DMARC1;p=reject"}, true, model.RecordFound, "refused"},
		"strict, unsigned":  {"_dmarc.post.example.org", []string{"v = DMARC1; p=quarantine"}, false, model.RecordFound, "not signed yet"},
		"of the parent":     {"_dmarc.example.org", []string{"v=DMARC1; p=none; sp=reject"}, true, model.RecordFound, "refused"},
		"of the same":       {"_dmarc.post.example.org", []string{"v=DMARC1; p=none; sp=reject"}, true, model.RecordFound, "good beginning"},
		"two":               {"_dmarc.post.example.org", []string{"v=DMARC1; p=none", "v=DMARC1; p=reject"}, true, model.RecordWrong, "several"},
		"says nothing":      {"_dmarc.post.example.org", []string{"v=DMARC1; rua=mailto:x@example.org"}, true, model.RecordWrong, "does not say"},
		"says nonsense":     {"_dmarc.post.example.org", []string{"v=DMARC1; p=nothing"}, true, model.RecordWrong, "does not say"},
		"something else":    {"_dmarc.post.example.org", []string{"v=spf1 -all"}, true, model.RecordMissing, "large mailboxes"},
		"a version to come": {"_dmarc.post.example.org", []string{"v=DMARC12; p=none"}, true, model.RecordMissing, "large mailboxes"},
	} {
		got := model.JudgeDMARC("post.example.org", tt.at, tt.records, tt.signed)
		if got.State != tt.state || !strings.Contains(got.Says, tt.says) {
			t.Errorf("%s: %s: %s", name, got.State, got.Says)
		}
		if got.State == model.RecordMissing && (got.Paste[0].Name != "_dmarc.post.example.org" || got.Paste[0].Value != "v=DMARC1; p=none") {
			t.Errorf("%s: %+v", name, got.Paste)
		}
	}
}

func TestWhereDMARCIsLookedFor(t *testing.T) {
	for domain, want := range map[string][]string{
		"example.org":         {"_dmarc.example.org"},
		"post.example.org":    {"_dmarc.post.example.org", "_dmarc.example.org"},
		"a.post.example.org":  {"_dmarc.a.post.example.org", "_dmarc.post.example.org", "_dmarc.example.org"},
		"localhost":           nil,
		"a.b.c.d.e.f.g.h.i.j": {"_dmarc.a.b.c.d.e.f.g.h.i.j", "_dmarc.d.e.f.g.h.i.j", "_dmarc.e.f.g.h.i.j", "_dmarc.f.g.h.i.j", "_dmarc.g.h.i.j", "_dmarc.h.i.j", "_dmarc.i.j"},
	} {
		if got := model.DMARCNames(domain); !slices.Equal(got, want) {
			t.Errorf("%s: %q", domain, got)
		}
	}
}

func TestWhatIsFoundOfMX(t *testing.T) {
	for name, tt := range map[string]struct {
		hosts   []string
		address bool
		state   model.RecordState
		says    string
	}{
		"there":           {[]string{"mail.example.org."}, true, model.RecordFound, "somewhere to go"},
		"none":            {nil, false, model.RecordMissing, "no address either"},
		"a website alone": {nil, true, model.RecordMissing, "website"},
		"takes none":      {[]string{"."}, true, model.RecordWrong, "takes no letters"},
	} {
		if got := model.JudgeMX("example.org", tt.hosts, tt.address); got.State != tt.state || !strings.Contains(got.Says, tt.says) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWhichDomainsHaveRecords(t *testing.T) {
	for domain, want := range map[string]bool{
		"example.org": true, "a.b.example.org": true, "localhost": false, "portal": false, "[192.0.2.7]": false, "192.0.2.7": false,
		"2001:db8::1": false, "x.localhost": false, "latchkey.invalid": false, "nas.local": false, "": false, ".": false,
	} {
		if got := model.CheckableDomain(domain); got != want {
			t.Errorf("%q: %v", domain, got)
		}
	}
}

func FuzzFindings(f *testing.F) {
	for _, s := range []string{"", "v=spf1", "v=spf1 +", "v=spf1 ip4:", "v=spf1 a/24 =x", "v=DMARC1;p", "v=DMARC1;;p==", "v=DKIM1; p", ";;;=", "v=spf1 \xff"} {
		f.Add(s, "example.org")
	}
	f.Fuzz(func(t *testing.T, record, domain string) {
		for _, got := range []model.Finding{
			model.JudgeSPF(domain, []string{record}, model.MailServer{Host: domain}), model.JudgeDMARC(domain, "_dmarc."+domain, []string{record}, true),
			model.JudgeMX(domain, []string{record}, false), (model.DKIM{Domain: domain, Selector: "x", Public: record}).Judge(domain, []string{record}),
		} {
			if got.State == "" || got.Says == "" {
				t.Errorf("%+v", got)
			}
		}
		model.DMARCNames(domain)
	})
}
