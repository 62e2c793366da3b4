package db

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"latchkey/db/model"
)

// dkimSetting begins the name of a signing key's row, and its domain ends it:
// what is public of the key as value, the key itself sealed. A portal that
// signed before there could be two domains has a row without one.
const dkimSetting = "dkim"

func dkimName(domain string) string { return dkimSetting + ":" + domain }

// dkimRow is the value of that row.
type dkimRow struct {
	Domain   string `json:"domain"`
	Selector string `json:"selector"`
	Public   string `json:"public"`
	MadeAt   int64  `json:"made_at"` // Unix seconds
	On       bool   `json:"on"`
}

// openDKIMs is the keys among the stored settings, one for each domain.
func (d *DB) openDKIMs(stored map[string]string, sealed map[string][]byte) (model.DKIMKeys, error) {
	var keys model.DKIMKeys
	for name, value := range stored {
		if name != dkimSetting && !strings.HasPrefix(name, dkimName("")) {
			continue
		}
		k, err := d.openDKIM(name, value, sealed[name])
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func (d *DB) openDKIM(name, value string, sealed []byte) (model.DKIM, error) {
	var row dkimRow
	if err := json.Unmarshal([]byte(value), &row); err != nil {
		return model.DKIM{}, fmt.Errorf("the key for signing letters: %w", err)
	}
	key, err := d.keys.Open("setting", name, 0, sealed)
	if err != nil {
		return model.DKIM{}, fmt.Errorf("the key for signing letters: %w", err)
	}
	return model.DKIM{Domain: row.Domain, Selector: row.Selector, Public: row.Public, On: row.On,
		MadeAt: time.Unix(row.MadeAt, 0).UTC(), Key: model.NewSecret(string(key))}, nil
}

func (tx *Tx) storeDKIM(ctx context.Context, k model.DKIM) error {
	value, err := json.Marshal(dkimRow{k.Domain, k.Selector, k.Public, k.MadeAt.Unix(), k.On})
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM setting WHERE name = +? AND value ->> 'domain' = ?`, dkimSetting, k.Domain); err != nil {
		return err
	}
	return tx.storeSealed(ctx, dkimName(k.Domain), string(value), []byte(k.Key.Reveal()))
}

// MailDomain is the domain of an address as the mail system and DNS know it:
// in lower case and ASCII ("xn--…", RFC 5891).
func MailDomain(address string) string {
	domain := strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
	if ascii, err := idna.Lookup.ToASCII(domain); err == nil {
		return ascii
	}
	return domain
}

// MailDomains is every domain that letters come from, that of links first.
func MailDomains(s model.Settings) []string {
	var all []string
	for _, address := range s.Senders() {
		if d := MailDomain(address); !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	return all
}

// Organisation is the domain that somebody registered: "club.org.uk" of
// "news.club.org.uk" (the organisational domain of RFC 7489 §3.2). What is none
// by the list of public suffixes is its own.
func Organisation(domain string) string {
	if registered, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
		return registered
	}
	return domain
}

// longestSigned is how many characters a domain may have for its letters to be
// signed. A longer one is folded in its middle by go-mail 0.8.1, which
// verifiers do not undo.
const longestSigned = 64

// MakeDKIM makes a key for signing letters, for a domain that they come from
// now. Nothing is signed with it until SignLetters: before its record is in
// DNS, a signature would only make letters look forged.
func (d *DB) MakeDKIM(ctx context.Context, actor model.Actor, domain string) error {
	if err := actor.MayOwn(); err != nil {
		return err
	}
	s, err := d.Settings(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(MailDomains(s), domain) {
		return model.Conflict("No letters come from " + domain + " any more. Please look again.")
	}
	if !model.CheckableDomain(domain) {
		return model.Conflict("Letters come from " + domain + ", which is no address in a domain of yours. Change that first.")
	}
	if len(domain) > longestSigned {
		return model.Conflict("The domain " + domain + " is too long for the signatures that can be made here.")
	}
	key, err := model.NewDKIM(domain, d.Now()) // slow, so not within the transaction
	if err != nil {
		return err
	}
	return d.actBy(ctx, actor, func(tx *Tx) error {
		if tx.settings.DKIM.Of(domain).On {
			return model.Conflict("Letters are being signed. Switch that off first: a new key is of use only once its record is there.")
		}
		if err := tx.storeDKIM(ctx, key); err != nil {
			return err
		}
		return tx.audit(ctx, actor, model.ActDKIMMade, about{note: key.Record().Name})
	})
}

// SignLetters has letters from a key's domain signed from now on. found is the
// records that stand in DNS under the key's name: without the key's own among
// them, every letter would carry a signature that nobody can verify.
func (d *DB) SignLetters(ctx context.Context, actor model.Actor, selector string, found []string) error {
	return d.switchDKIM(ctx, actor, selector, func(s model.Settings, k model.DKIM) (bool, error) {
		switch {
		case !slices.Contains(MailDomains(s), k.Domain):
			return false, model.Conflict("The key is for " + k.Domain + ", and letters come from another domain by now. Make a new one.")
		case !k.Matches(found):
			return false, model.Conflict("The record is not there yet, or not as it should be. Signing stays off until it is.")
		}
		return true, nil
	})
}

// LeaveUnsigned has letters from a key's domain signed no more. The key stays.
func (d *DB) LeaveUnsigned(ctx context.Context, actor model.Actor, selector string) error {
	return d.switchDKIM(ctx, actor, selector, func(model.Settings, model.DKIM) (bool, error) { return false, nil })
}

func (d *DB) switchDKIM(ctx context.Context, actor model.Actor, selector string, decide func(model.Settings, model.DKIM) (on bool, err error)) error {
	if err := actor.MayOwn(); err != nil {
		return err
	}
	return d.actBy(ctx, actor, func(tx *Tx) error {
		k := tx.settings.DKIM.Named(selector)
		if k.IsZero() {
			return model.Conflict("There is another key by now. Please look at its record first.")
		}
		on, err := decide(tx.settings, k)
		if err != nil || on == k.On {
			return err
		}
		k.On = on
		if err := tx.storeDKIM(ctx, k); err != nil {
			return err
		}
		note := k.Domain + " off"
		if on {
			note = k.Domain + " on"
		}
		return tx.audit(ctx, actor, model.ActDKIMSwitched, about{note: note})
	})
}
