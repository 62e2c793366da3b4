package db

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"latchkey/db/model"
)

// dkimSetting is the row of the signing key: what is public of it as value,
// the key itself sealed.
const dkimSetting = "dkim"

// dkimRow is the value of that row.
type dkimRow struct {
	Domain   string `json:"domain"`
	Selector string `json:"selector"`
	Public   string `json:"public"`
	MadeAt   int64  `json:"made_at"` // Unix seconds
	On       bool   `json:"on"`
}

func (d *DB) openDKIM(value string, sealed []byte) (model.DKIM, error) {
	var row dkimRow
	if err := json.Unmarshal([]byte(value), &row); err != nil {
		return model.DKIM{}, fmt.Errorf("the key for signing letters: %w", err)
	}
	key, err := d.keys.Open("setting", dkimSetting, 0, sealed)
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
	return tx.storeSealed(ctx, dkimSetting, string(value), []byte(k.Key.Reveal()))
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

// dkimDomain is the longest domain that letters are signed for. A longer one is
// folded in its middle by go-mail 0.8.1, which verifiers do not undo.
const dkimDomain = 64

// MakeDKIM makes a key for signing letters, for the domain that they come from
// now. Nothing is signed with it until SignLetters: before its record is in
// DNS, a signature would only make letters look forged.
func (d *DB) MakeDKIM(ctx context.Context, actor model.Actor) error {
	if err := actor.MayOwn(); err != nil {
		return err
	}
	s, err := d.Settings(ctx)
	if err != nil {
		return err
	}
	domain := MailDomain(s.Sender())
	if !model.CheckableDomain(domain) {
		return model.Conflict("Letters come from " + s.Sender() + ", which is no address in a domain of yours. Change that first.")
	}
	if len(domain) > dkimDomain {
		return model.Conflict("The domain " + domain + " is too long for the signatures that can be made here.")
	}
	key, err := model.NewDKIM(domain, d.Now()) // slow, so not within the transaction
	if err != nil {
		return err
	}
	return d.actBy(ctx, actor, func(tx *Tx) error {
		if tx.settings.DKIM.On {
			return model.Conflict("Letters are being signed. Switch that off first: a new key is of use only once its record is there.")
		}
		if err := tx.storeDKIM(ctx, key); err != nil {
			return err
		}
		return tx.audit(ctx, actor, model.ActDKIMMade, about{note: key.Record().Name})
	})
}

// SignLetters has letters signed from now on. found is the records that stand
// in DNS under the key's name: without the key's own among them, every letter
// would carry a signature that nobody can verify.
func (d *DB) SignLetters(ctx context.Context, actor model.Actor, selector string, found []string) error {
	return d.switchDKIM(ctx, actor, func(s model.Settings) (bool, error) {
		switch k := s.DKIM; {
		case k.IsZero() || k.Selector != selector:
			return false, model.Conflict("There is another key by now. Please look at its record first.")
		case k.Domain != MailDomain(s.Sender()):
			return false, model.Conflict("The key is for " + k.Domain + ", and letters come from another domain by now. Make a new one.")
		case !k.Matches(found):
			return false, model.Conflict("The record is not there yet, or not as it should be. Signing stays off until it is.")
		}
		return true, nil
	})
}

// LeaveUnsigned has letters signed no more. The key stays.
func (d *DB) LeaveUnsigned(ctx context.Context, actor model.Actor) error {
	return d.switchDKIM(ctx, actor, func(model.Settings) (bool, error) { return false, nil })
}

func (d *DB) switchDKIM(ctx context.Context, actor model.Actor, decide func(model.Settings) (on bool, err error)) error {
	if err := actor.MayOwn(); err != nil {
		return err
	}
	return d.actBy(ctx, actor, func(tx *Tx) error {
		on, err := decide(tx.settings)
		if err != nil || on == tx.settings.DKIM.On {
			return err
		}
		k := tx.settings.DKIM
		k.On = on
		if err := tx.storeDKIM(ctx, k); err != nil {
			return err
		}
		note := "off"
		if on {
			note = "on"
		}
		return tx.audit(ctx, actor, model.ActDKIMSwitched, about{note: note})
	})
}
