package model

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// DKIM is the portal's key for signing letters (RFC 6376), and the domain it
// speaks for. The zero value is a portal without one.
//
// The key is RSA with 2048 bits (RFC 8301 §3.2), and only that. Ed25519 (RFC
// 8463) has a record that is easier to paste, but the large mailboxes do not
// verify it, so it could only stand beside an RSA key: two records to paste
// for letters that are believed no more than with one.
type DKIM struct {
	Domain   string // "d=": the domain of the sender, in ASCII
	Selector string // "s=": the first label of the record's name
	Public   string // "p=": the public key, base64
	Key      Secret // the private key: the bytes of PKCS #8
	MadeAt   time.Time
	On       bool // letters are signed; only after the record was seen in DNS
}

// DKIMKeys is a key for each domain that letters come from, or came from once.
type DKIMKeys []DKIM

// Of is the key of a domain, the zero DKIM if it has none.
func (all DKIMKeys) Of(domain string) DKIM {
	for _, k := range all {
		if k.Domain == domain {
			return k
		}
	}
	return DKIM{}
}

// Named is the key with a selector, the zero DKIM if there is none.
func (all DKIMKeys) Named(selector string) DKIM {
	for _, k := range all {
		if k.Selector == selector {
			return k
		}
	}
	return DKIM{}
}

const dkimBits = 2048

// NewDKIM makes a key for a domain. It takes some tenths of a second.
//
// The selector is a new one each time: resolvers keep the record of a former
// key for hours, and letters signed with it are still on their way.
func NewDKIM(domain string, now time.Time) (DKIM, error) {
	key, err := rsa.GenerateKey(rand.Reader, dkimBits)
	if err != nil {
		return DKIM{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return DKIM{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return DKIM{}, err
	}
	return DKIM{
		Domain: domain, Selector: "latchkey-" + strings.ToLower(rand.Text()[:6]),
		Public: base64.StdEncoding.EncodeToString(public), Key: NewSecret(string(private)), MadeAt: now,
	}, nil
}

// IsZero reports whether there is no key.
func (k DKIM) IsZero() bool { return k.Selector == "" }

// Signs reports whether letters from a domain are signed: the key is switched
// on, and is that domain's. A signature of another domain counts for nothing
// where DMARC asks for the sender's (RFC 7489 §3.1.1).
func (k DKIM) Signs(domain string) bool { return k.On && !k.IsZero() && k.Domain == domain }

// Signer is the private key.
func (k DKIM) Signer() (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey([]byte(k.Key.Reveal()))
	if err != nil {
		return nil, errors.New("the key for signing letters is damaged") // the cause may quote of it
	}
	signer, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the key for signing letters is a %T", key)
	}
	return signer, nil
}

// Record is what the domain's owner puts into DNS (RFC 6376 §3.6.1).
func (k DKIM) Record() DNSRecord {
	return DNSRecord{Name: k.Selector + "._domainkey." + k.Domain, Type: "TXT", Value: "v=DKIM1; k=rsa; p=" + k.Public}
}

// Judge says whether the records found under the key's name are the key's,
// and whether letters from a domain fit it.
func (k DKIM) Judge(domain string, found []string) Finding {
	f := Finding{What: "DKIM", About: "A signature on each letter, which says that it really comes from you."}
	if k.IsZero() {
		return f.missing("There is no key yet. Make one below, then paste its record.")
	}
	if k.Domain != domain {
		return f.wrong("The key is for " + k.Domain + ", but letters come from " + domain + ". Such a signature would not be believed, so letters are not signed. Make a new key below.")
	}
	f.Name = k.Record().Name
	if len(found) == 0 {
		return f.missing("The record is not there yet. Once it is pasted, it may take an hour until everybody sees it.", k.Record())
	}
	f.Found = found
	if len(found) > 1 {
		return f.wrong("There are several records under this name, and only one may be there. Keep the one below.", k.Record())
	}
	tags := tagList(found[0])
	key := strings.Join(strings.Fields(tags["p"]), "")
	switch {
	case tags["v"] != "" && tags["v"] != "DKIM1", tags["k"] != "" && tags["k"] != "rsa":
		return f.wrong("The record is not one for this kind of key. See below what it should be.", k.Record())
	case key == "":
		return f.wrong("The record has no key in it, which means that the key was taken back. See below what it should be.", k.Record())
	case key != k.Public:
		return f.wrong("The record holds another key, or only a part of this one: some forms cut long values off. See below what it should be.", k.Record())
	case tags["h"] != "" && !slices.Contains(splitTag(tags["h"]), "sha256"):
		return f.wrong("The record forbids the kind of signature that is in use today (its h= has no sha256). See below what it should be.", k.Record())
	case tags["s"] != "" && !slices.Contains(splitTag(tags["s"]), "*") && !slices.Contains(splitTag(tags["s"]), "email"):
		return f.wrong("The record says that the key is not for email (its s=). See below what it should be.", k.Record())
	case slices.Contains(splitTag(tags["t"]), "y"):
		return f.wrong("The record says that you are only trying things out (its t=y), so signatures count for nothing. See below what it should be.", k.Record())
	case !k.On:
		return f.found("The record is there. Switch signing on below.")
	}
	return f.found("The record is there, and letters are signed for " + domain + ", the very domain they come from.")
}

// Matches reports whether the one record found is the key's, so that letters
// may be signed with it.
func (k DKIM) Matches(found []string) bool {
	return !k.IsZero() && k.Judge(k.Domain, found).State == RecordFound
}

// tagList reads "v=DKIM1; k=rsa; p=…" (RFC 6376 §3.2), which DMARC uses as
// well. The first of two tags of one name counts.
func tagList(record string) map[string]string {
	tags := map[string]string{}
	for tag := range strings.SplitSeq(record, ";") {
		name, value, ok := strings.Cut(tag, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if _, double := tags[name]; ok && !double {
			tags[name] = strings.TrimSpace(value)
		}
	}
	return tags
}

func splitTag(value string) []string {
	all := strings.Split(strings.ToLower(value), ":")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}
