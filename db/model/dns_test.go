package model_test

import (
	"slices"
	"strings"
	"testing"

	"latchkey/db/model"
)

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
		got := model.JudgeDMARC("post.example.org", tt.at, tt.records, tt.signed, true)
		if got.State != tt.state || !strings.Contains(got.Says, tt.says) {
			t.Errorf("%s: %s: %s", name, got.State, got.Says)
		}
		if got.State == model.RecordMissing && (got.Paste[0].Name != "_dmarc.post.example.org" || got.Paste[0].Value != "v=DMARC1; p=none") {
			t.Errorf("%s: %+v", name, got.Paste)
		}
	}
}

func TestAStrictPolicyNeedsSomethingThatVouches(t *testing.T) {
	for _, tt := range []struct {
		signed, aligned bool
		state           model.RecordState
	}{{true, true, model.RecordFound}, {true, false, model.RecordFound}, {false, true, model.RecordFound}, {false, false, model.RecordWrong}} {
		if got := model.JudgeDMARC("example.org", "_dmarc.example.org", []string{"v=DMARC1; p=reject"}, tt.signed, tt.aligned); got.State != tt.state {
			t.Errorf("signed %v, aligned %v: %s: %s", tt.signed, tt.aligned, got.State, got.Says)
		}
	}
}

func TestWhereDMARCIsLookedFor(t *testing.T) {
	for _, tt := range []struct {
		domain, organisation string
		want                 []string
	}{
		{"example.org", "example.org", []string{"_dmarc.example.org"}},
		{"a.post.example.org", "example.org", []string{"_dmarc.a.post.example.org", "_dmarc.example.org"}},
		{"org", "", []string{"_dmarc.org"}},
	} {
		if got := model.DMARCNames(tt.domain, tt.organisation); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q", tt.domain, got)
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
			model.JudgeSPF(domain, []string{record}, model.MailServer{Host: domain}, world{domain: {texts: []string{record}}}.dns()), model.JudgeDMARC(domain, "_dmarc."+domain, []string{record}, true, false),
			model.JudgeMX(domain, []string{record}, false), (model.DKIM{Domain: domain, Selector: "x", Public: record}).Judge(domain, []string{record}),
		} {
			if got.State == "" || got.Says == "" {
				t.Errorf("%+v", got)
			}
		}
		model.DMARCNames(domain, domain)
	})
}
