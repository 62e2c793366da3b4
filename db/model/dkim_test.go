package model_test

import (
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"latchkey/db/model"
)

func newDKIM(t *testing.T) model.DKIM {
	t.Helper()
	k, err := model.NewDKIM("example.org", noon)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAKeyForLettersIsOfTheLengthThatCounts(t *testing.T) {
	k := newDKIM(t)
	signer, err := k.Signer()
	if err != nil {
		t.Fatal(err)
	}
	if bits := signer.(*rsa.PrivateKey).N.BitLen(); bits != 2048 {
		t.Errorf("%d bits", bits)
	}
	r := k.Record()
	if r.Type != "TXT" || r.Name != k.Selector+"._domainkey.example.org" || !strings.HasPrefix(r.Value, "v=DKIM1; k=rsa; p=MII") {
		t.Errorf("%+v", r)
	}
	if _, err := base64.StdEncoding.Strict().DecodeString(k.Public); err != nil {
		t.Error(err)
	}
	if k.On || k.Signs("example.org") {
		t.Error("a new key is in use before its record is there")
	}
	if other := newDKIM(t); other.Selector == k.Selector || other.Public == k.Public {
		t.Error("two keys share a name or are the same")
	}
}

func TestNothingOfTheKeyIsPrinted(t *testing.T) {
	k := newDKIM(t)
	if said := fmt.Sprintf("%v %+v %#v %s", k, k, k, k.Key); strings.Contains(said, k.Key.Reveal()[30:40]) || !strings.Contains(said, "[redacted]") {
		t.Error(said)
	}
	k.Key = model.NewSecret("MIIE-hush")
	if _, err := k.Signer(); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("%v", err)
	}
}

func TestLettersAreSignedForTheirOwnDomainAlone(t *testing.T) {
	k := newDKIM(t)
	k.On = true
	for domain, want := range map[string]bool{"example.org": true, "mail.example.org": false, "example.net": false, "": false} {
		if got := k.Signs(domain); got != want {
			t.Errorf("%q: %v", domain, got)
		}
	}
	if (model.DKIM{On: true}).Signs("") {
		t.Error("no key signs")
	}
}

func TestWhatIsFoundOfAKeysRecord(t *testing.T) {
	k := newDKIM(t)
	right := k.Record().Value
	cut := "v=DKIM1; k=rsa; p=" + k.Public[:200]
	for name, tt := range map[string]struct {
		found []string
		state model.RecordState
		paste bool
	}{
		"nothing":                 {nil, model.RecordMissing, true},
		"as pasted":               {[]string{right}, model.RecordFound, false},
		"bare":                    {[]string{"p=" + k.Public}, model.RecordFound, false},
		"with blanks":             {[]string{"v=DKIM1;k=rsa;p=" + k.Public[:100] + " " + k.Public[100:] + " ;"}, model.RecordFound, false},
		"cut off":                 {[]string{cut}, model.RecordWrong, true},
		"another key":             {[]string{newDKIM(t).Record().Value}, model.RecordWrong, true},
		"two":                     {[]string{right, cut}, model.RecordWrong, true},
		"taken back":              {[]string{"v=DKIM1; p="}, model.RecordWrong, true},
		"another kind":            {[]string{"v=DKIM1; k=ed25519; p=" + k.Public}, model.RecordWrong, true},
		"another version":         {[]string{"v=DKIM2; p=" + k.Public}, model.RecordWrong, true},
		"an old hash only":        {[]string{"v=DKIM1; h=sha1; p=" + k.Public}, model.RecordWrong, true},
		"both hashes":             {[]string{"v=DKIM1; h=sha1:sha256; p=" + k.Public}, model.RecordFound, false},
		"not for email":           {[]string{"v=DKIM1; s=tlsrpt; p=" + k.Public}, model.RecordWrong, true},
		"only trying":             {[]string{"v=DKIM1; t=y; p=" + k.Public}, model.RecordWrong, true},
		"strict about subdomains": {[]string{"v=DKIM1; t=s; p=" + k.Public}, model.RecordFound, false},
		"something else":          {[]string{"hello"}, model.RecordWrong, true},
	} {
		got := k.Judge("example.org", tt.found)
		if got.State != tt.state || (len(got.Paste) > 0) != tt.paste || got.Says == "" {
			t.Errorf("%s: %+v", name, got)
		}
		if k.Matches(tt.found) != (tt.state == model.RecordFound) {
			t.Errorf("%s: signing may be switched on: %v", name, k.Matches(tt.found))
		}
	}
	if got := k.Judge("example.net", []string{right}); got.State != model.RecordWrong || !strings.Contains(got.Says, "example.net") {
		t.Errorf("letters from another domain: %+v", got)
	}
	if got := (model.DKIM{}).Judge("example.org", nil); got.State != model.RecordMissing || len(got.Paste) != 0 {
		t.Errorf("no key: %+v", got)
	}
}
