package handlers

import (
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"latchkey/db/model"
)

// policy lets a page load our own files and nothing else; no script or style
// stands in the page itself (OWASP ASVS 5.0, 3.4.3 and 3.4.6).
var policy = strings.Join([]string{
	"default-src 'none'",
	"script-src 'self'",
	"style-src 'self'",
	"img-src 'self'",
	"font-src 'self'",
	"connect-src 'self'",
	"form-action 'self'",
	"base-uri 'none'",
	"object-src 'none'",
	"frame-ancestors 'none'",
}, "; ")

// alwaysThere go with everything, also with files. What only a document obeys
// is left out there: with seven files it is 2 KB of a first visit.
var alwaysThere = http.Header{
	"X-Content-Type-Options":       {"nosniff"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
}

// sameOriginReferrer and not no-referrer: the latter makes browsers post
// "Origin: null", which the protection against foreign sites refuses.
const sameOriginReferrer = "same-origin"

// onDocuments go with every page. Their values are shared by all answers:
// Header.Set and Add put others in their place and never write into them.
var onDocuments = http.Header{
	"Cache-Control":              {noStoreValue},
	"Content-Security-Policy":    {policy},
	"Referrer-Policy":            {sameOriginReferrer},
	"Cross-Origin-Opener-Policy": {"same-origin"},
	"X-Frame-Options":            {"DENY"}, // for browsers that do not know frame-ancestors
	"Permissions-Policy":         {"camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
}

var overTLS = http.Header{
	"Strict-Transport-Security": {"max-age=31536000"}, // a year: OWASP ASVS 5.0, 3.4.1
}

func documentHeaders(h http.Header, o *origin) {
	maps.Copy(h, alwaysThere)
	maps.Copy(h, onDocuments)
	if o.strict {
		maps.Copy(h, overTLS)
	}
}

// noStoreValue keeps personal pages out of every cache (OWASP ASVS 5.0, 14.3.2).
const noStoreValue = "no-store"

func noStore(h http.Header) { h.Set("Cache-Control", noStoreValue) }

// origin is what follows from the base URL for every request.
type origin struct {
	base       string
	strict     bool
	protection *http.CrossOriginProtection
}

func newOrigin(base string) *origin {
	o := &origin{base: base, strict: strictTransport(base), protection: http.NewCrossOriginProtection()}
	// Only what is no origin is refused, and then nothing but the request's own
	// host is trusted.
	_ = o.protection.AddTrustedOrigin(base)
	return o
}

// origin is that of these settings. It is made anew only when an owner changes
// the base URL.
func (p *portal) origin(s model.Settings) *origin {
	o := p.trusted.Load()
	if o == nil || o.base != s.BaseURL {
		o = newOrigin(s.BaseURL)
		p.trusted.Store(o)
	}
	return o
}

// strictTransport: browsers ignore the header for addresses (RFC 6797 §8.1),
// and on a machine's own name it would lock every other program there out of
// plain http.
func strictTransport(base string) bool {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || model.Loopback(u.Hostname()) {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	return err != nil
}
