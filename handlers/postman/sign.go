package postman

import (
	"github.com/wneessen/go-mail"

	"latchkey/db"
	"latchkey/db/model"
)

// signing is the signer in use. To read a key takes about as long as to sign a
// letter with it.
type signing struct {
	selector, domain string
	signer           *mail.DKIMSigner
}

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

// signer signs letters from an address; nil if they leave unsigned.
func (p *Postman) signer(k model.DKIM, from string) (*mail.DKIMSigner, error) {
	if !k.Signs(db.MailDomain(from)) {
		return nil, nil
	}
	if now := &p.signing; now.signer == nil || now.selector != k.Selector || now.domain != k.Domain {
		key, err := k.Signer()
		if err != nil {
			return nil, err
		}
		s := mail.NewDKIMSigner(k.Domain, k.Selector, key)
		s.NowFunc = p.db.Now
		s.SignHeaders(signedHeaders...)
		*now = signing{k.Selector, k.Domain, s}
	}
	return p.signing.signer, nil
}
