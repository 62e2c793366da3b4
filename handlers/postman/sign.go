package postman

import (
	"github.com/wneessen/go-mail"

	"latchkey/db"
	"latchkey/db/model"
)

// signing is the signers in use, by the name of their record. To read a key
// takes about as long as to sign a letter with it.
type signing map[string]*mail.DKIMSigner

// signedHeaders is what a signature vouches for (RFC 6376 §5.4.1). From is
// named once more than it occurs, so that nobody on the way can add a second
// one, which some mail programs would show instead (§8.15); Reply-To covers the
// letters that have none.
//
// The list has 71 characters and may not have one more: go-mail 0.8.1 folds
// a longer one in the middle of a name, but signs it unfolded, so that no
// verifier believes it.
var signedHeaders = []string{
	"From", "From", "Reply-To", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
}

// signer signs letters from an address with the key of its domain; nil if they
// leave unsigned. The signature of another domain would count for nothing.
func (p *Postman) signer(keys model.DKIMKeys, from string) (*mail.DKIMSigner, error) {
	domain := db.MailDomain(from)
	k := keys.Of(domain)
	if !k.Signs(domain) {
		return nil, nil
	}
	name := k.Record().Name
	if s := p.signing[name]; s != nil {
		return s, nil
	}
	key, err := k.Signer()
	if err != nil {
		return nil, err
	}
	s := mail.NewDKIMSigner(k.Domain, k.Selector, key)
	s.NowFunc = p.db.Now
	s.SignHeaders(signedHeaders...)
	p.signing[name] = s
	return s, nil
}
