package handlers

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"latchkey/db/model"
)

// visit is what is known about one request: who asks, from where, and under
// which settings it is answered.
type visit struct {
	id       string // people read it out when they ring about an error
	pattern  string // of the route, "" if none
	settings model.Settings
	network  string

	actor   *model.Actor // nil for strangers
	account model.Account
	session model.Session

	notice string // of the act that led here
	secret bool   // the page carries a link or a ticket: see compressible
	after  []func(context.Context) error
}

type visitKey struct{}

func newVisit() *visit { return &visit{id: rand.Text()[:8]} }

func visitOf(r *http.Request) *visit { return r.Context().Value(visitKey{}).(*visit) }

// by is who acts: whoever is signed in, else somebody who says they are a
// member.
func (v *visit) by() model.Actor {
	if v.actor != nil {
		return *v.actor
	}
	return model.MemberActor(v.network)
}

// answer keeps count of what was sent.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += n
	return n, err
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// logVisit writes the access log. It names the route and never the path, the
// query, a cookie or the Referer: any of them may hold a link that opens an
// account (OWASP ASVS 5.0, 14.2.1 and 16.2.5).
func (p *portal) logVisit(r *http.Request, v *visit, a *answer, began time.Time) {
	level := slog.LevelInfo
	if p.routes[v.pattern].door == open {
		level = slog.LevelDebug
	}
	p.Log.LogAttrs(r.Context(), level, "request",
		slog.String("request", v.id), slog.String("method", method(r)), slog.String("route", routeName(v.pattern)),
		slog.Int("status", a.status), slog.Int("bytes", a.bytes), slog.Duration("took", time.Since(began)))
}

// method is the request's if it is one that exists: the rest is whatever a
// client made up.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return r.Method
	}
	return "other"
}

func routeName(pattern string) string {
	if pattern == "" {
		return "none"
	}
	return pattern
}

// rescue turns a panic into an error page. It is deferred around everything.
func (p *portal) rescue(a *answer, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(cause) // the server's own way to cut a connection
	}
	p.Log.ErrorContext(r.Context(), "panic", "request", visitOf(r).id, "route", visitOf(r).pattern,
		"cause", cause, "stack", string(debug.Stack()))
	p.fail(a, r, errPanic)
}

// network is the part of the client's address that counts failures and stands
// in audit lines. X-Forwarded-For is believed only as far as trusted proxies
// wrote it: everything left of the first address that is not one of them may
// be made up by the client (OWASP ASVS 5.0, 4.1.3).
func (p *portal) network(r *http.Request) string {
	client, ok := parseHop(r.RemoteAddr)
	if !ok {
		return ""
	}
	var hops []string
	if said := r.Header.Values("X-Forwarded-For"); len(said) > 0 {
		hops = strings.Split(strings.Join(said, ","), ",")
	}
	for i := len(hops) - 1; i >= 0 && p.trusts(client); i-- {
		hop, ok := parseHop(hops[i])
		if !ok {
			break
		}
		client = hop
	}
	return model.Network(client.String())
}

func (p *portal) trusts(a netip.Addr) bool {
	for _, prefix := range p.TrustedProxies {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// parseHop reads an address as proxies write it, with or without a port.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap().WithZone(""), err == nil
}
