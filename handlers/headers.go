package handlers

import (
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

// openHeaders go with everything, also with files. What only a document obeys
// is left out there: with seven files it is 2 KB of a first visit.
func openHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// sameOriginReferrer and not no-referrer: the latter makes browsers post
// "Origin: null", which the protection against foreign sites refuses.
const sameOriginReferrer = "same-origin"

// documentHeaders go with every page.
func documentHeaders(h http.Header, s model.Settings) {
	openHeaders(h)
	noStore(h)
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", sameOriginReferrer)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	if strictTransport(s) {
		h.Set("Strict-Transport-Security", "max-age=31536000") // a year: OWASP ASVS 5.0, 3.4.1
	}
}

// noStore keeps personal pages out of every cache (OWASP ASVS 5.0, 14.3.2).
func noStore(h http.Header) { h.Set("Cache-Control", "no-store") }

// strictTransport: browsers ignore the header for addresses (RFC 6797 §8.1),
// and on a machine's own name it would lock every other program there out of
// plain http.
func strictTransport(s model.Settings) bool {
	u, err := url.Parse(s.BaseURL)
	if err != nil || u.Scheme != "https" || model.Loopback(u.Hostname()) {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	return err != nil
}
