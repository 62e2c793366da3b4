package handlers

import (
	"net/http"
	"time"

	"latchkey/db/model"
)

// sessionOver has the session library take its cookie back.
var sessionOver time.Time

const deviceDays = 365

// cookieName has the prefix with which browsers accept a cookie only from
// this very host over https: a neighbour under the association's domain
// cannot plant one (RFC 6265bis §4.1.3.2; OWASP ASVS 5.0, 3.3.1).
func cookieName(name string, secure bool) string {
	if secure {
		return "__Host-" + name
	}
	return name
}

// setCookie gives the browser a cookie for at most a time; age 0 takes it back.
func setCookie(w http.ResponseWriter, v *visit, name, value string, age time.Duration) {
	seconds := int(age / time.Second)
	if seconds == 0 {
		seconds = -1
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure as the base URL is: on plain http a browser would drop it
		Name: cookieName(name, v.settings.Secure()), Value: value, Path: "/", MaxAge: seconds,
		Secure: v.settings.Secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func readCookie(r *http.Request, name string) string {
	c, err := r.Cookie(cookieName(name, visitOf(r).settings.Secure()))
	if err != nil {
		return ""
	}
	return c.Value
}

const deviceCookie = "latchkey-device"

// knowDevice remembers a browser in which somebody signed in, so that a
// stranger's wrong guesses elsewhere do not slow it.
func (p *portal) knowDevice(w http.ResponseWriter, v *visit, known model.Secret) {
	if !known.IsZero() {
		setCookie(w, v, deviceCookie, known.Reveal(), deviceDays*24*time.Hour)
	}
}
