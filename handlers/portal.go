package handlers

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"latchkey/db"
	"latchkey/db/model"
)

// Config is what the pages stand on.
type Config struct {
	DB     *db.DB
	Log    *slog.Logger
	Static fs.FS // app.css, app.js, htmx, fonts and pictures, by name

	// SetupCode opens /setup until the portal is set up. Zero: nothing does.
	SetupCode model.Secret

	// Demo shows captured letters with working links at /demo/letters, to
	// anybody. For a throw-away folder only.
	Demo bool

	// TrustedProxies are the only clients whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix

	// Resolver looks up the records of the domain that letters come from, when
	// an owner presses for it. Nil: the machine's own.
	Resolver *net.Resolver
}

type portal struct {
	Config
	routes map[string]route // by pattern
	mux    *http.ServeMux
	static *static
	secure *scs.SessionManager // while the base URL is https
	plain  *scs.SessionManager // while it is http

	trusted atomic.Pointer[origin]
	drafts  drafts
}

// New gives the portal's pages as one handler. The error is about Static.
func New(c Config) (http.Handler, error) {
	files, err := newStatic(c.Static)
	if err != nil {
		return nil, err
	}
	p := &portal{Config: c, static: files, mux: http.NewServeMux(), routes: map[string]route{}}
	store := c.DB.SessionStore()
	p.secure, p.plain = newSessions(store, true), newSessions(store, false)
	for _, rt := range p.table() {
		pattern := rt.method + " " + rt.path
		p.routes[pattern] = rt
		p.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := p.admit(rt, w, r); err != nil {
				p.fail(w, r, err)
			}
		})
	}
	return p, nil
}

const (
	// A form of ours has a few kilobytes; notes of 10,000 characters in a
	// script of three bytes each, percent-encoded, are the largest.
	bodyLimit = 1 << 20

	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	headerLimit   = 32 << 10
)

// NewServer gives a server for the portal that cuts off clients who send or
// take a request so slowly that they only keep a connection busy.
//
// What net/http itself has to say goes to the log as a warning.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerLimit,
	}
}

// ServeHTTP is the way of every request, from the outside in: log and
// recovery around everything, then headers, the size of the body, where the
// request comes from, who asks, and at last the door of its route.
func (p *portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := newVisit()
	_, v.pattern = p.mux.Handler(r)
	r = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
	out := &answer{ResponseWriter: w}
	defer p.logVisit(r, v, out, time.Now())
	defer p.rescue(out, r)

	if err := p.enter(out, r, v); err != nil {
		p.fail(out, r, err)
	}
	p.finish(out, r, v)
}

func (p *portal) enter(w http.ResponseWriter, r *http.Request, v *visit) error {
	w.Header()["X-Request-Id"] = []string{v.id}
	if p.routes[v.pattern].door == open {
		maps.Copy(w.Header(), alwaysThere)
		p.mux.ServeHTTP(w, r)
		return nil
	}
	var err error
	if v.settings, err = p.DB.Settings(r.Context()); err != nil {
		v.settings = model.DefaultSettings()
	}
	from := p.origin(v.settings)
	documentHeaders(w.Header(), from)
	if err != nil {
		return err
	}
	v.network = p.network(r)

	if r.ContentLength > bodyLimit {
		return errTooLarge
	}
	if r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(w, r.Body, bodyLimit)
	}
	if err := sameOrigin(r, from); err != nil {
		return err
	}
	if err := p.recognise(r, v); err != nil {
		return err
	}
	if v.pattern == "" {
		return p.noRoute(w, r)
	}
	p.mux.ServeHTTP(w, r)
	return nil
}

// sameOrigin refuses what another site makes a browser send (CSRF; OWASP ASVS
// 5.0, 3.5.1). The base URL is trusted by name, because a proxy may pass
// another Host on. A post that carries neither Sec-Fetch-Site nor Origin is
// accepted: that is an old browser, or one on plain http in the office's own
// network, where Sec-Fetch-Site is not sent.
func sameOrigin(r *http.Request, o *origin) error {
	if err := o.protection.Check(r); err != nil {
		return &refusal{status: http.StatusForbidden, cause: err,
			sentence: "This was sent from another website, so nothing was done. Go back, reload the page and try again."}
	}
	return nil
}

// noRoute tells a path that does not exist from one that takes other methods.
func (p *portal) noRoute(w http.ResponseWriter, r *http.Request) error {
	var allow []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		other := *r
		other.Method = m
		if _, pattern := p.mux.Handler(&other); pattern != "" {
			allow = append(allow, m)
		}
	}
	if len(allow) == 0 {
		return errNoPage
	}
	for _, m := range allow {
		w.Header().Add("Allow", m)
	}
	return errMethod
}

// finish sends what is still held back, then does what a request leaves to be
// written. The person has the answer by then and waits for none of it.
func (p *portal) finish(w *answer, r *http.Request, v *visit) {
	if len(v.after) == 0 {
		return
	}
	if err := http.NewResponseController(w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		p.Log.DebugContext(r.Context(), "answer not taken", "request", v.id, "error", err)
	}
	// The browser may have hung up, which ends the request's own context.
	ctx := context.WithoutCancel(r.Context())
	for _, f := range v.after {
		if err := f(ctx); err != nil && model.KindOf(err) == model.KindInternal {
			p.Log.ErrorContext(ctx, "after the answer", "request", v.id, "route", v.pattern, "error", err)
		}
	}
}
