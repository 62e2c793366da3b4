package handlers

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/alexedwards/scs/v2"

	"latchkey/db"
	"latchkey/db/model"
)

// door says who may come in to a route. The acts behind it check the role
// once more: the door is for the page, the act for the rule.
type door int

const (
	open     door = iota + 1 // anybody, and nobody is looked up: static files, health, other programs
	public                   // anybody
	signedIn                 // whoever has a session
	viewer                   // that role or one above it, and so on
	staff
	owner
)

// roles that a door asks for.
var roles = map[door]model.Role{viewer: model.RoleViewer, staff: model.RoleStaff, owner: model.RoleOwner}

// lacking is what somebody reads before a door that their role does not open.
var lacking = map[door]string{
	viewer: "This page is for the office.",
	staff:  "Your role lets you look, not change. Ask a member of staff or an owner.",
	owner:  "Only an owner may open this.",
}

// admit lets a request through its route's door, or says why not.
func (p *portal) admit(rt route, w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	if rt.door != open && rt.door != public && v.actor == nil {
		return p.askToSignIn(w, r)
	}
	if role, ok := roles[rt.door]; ok && !v.actor.Role.AtLeast(role) {
		return model.Forbidden(lacking[rt.door])
	}
	// The office stays closed until there is a second factor; one's own account
	// does not, or nobody could set one up.
	if rt.door >= viewer && v.settings.Factors.FactorOverdue(v.account, p.DB.Now()) {
		return p.leave(w, r, factorPath)
	}
	if r.Method == http.MethodPost && rt.door != open {
		if err := parseForm(r); err != nil {
			return err
		}
	}
	return rt.handler(w, r)
}

const sessionCookie = "latchkey"

// newSessions reads and writes the session cookie. There is no IdleTimeout: it
// would write on every request. The idle clock is ours (model.SessionIdle).
//
// The library keeps sessions in the database as they are, so a secret in there
// would be in every backup: the id of a row is all that there is.
func newSessions(store scs.Store, secure bool) *scs.SessionManager {
	s := scs.New()
	s.Store, s.Codec = store, db.SessionCodec{}
	s.Lifetime = model.SessionLifetime
	s.HashTokenInStore = true
	s.Cookie.Name = cookieName(sessionCookie, secure)
	s.Cookie.Secure = secure
	s.Cookie.HttpOnly = true
	s.Cookie.SameSite = http.SameSiteLaxMode
	s.Cookie.Persist = false // RememberMe keeps those who asked for it
	return s
}

func (p *portal) sessions(v *visit) *scs.SessionManager {
	if v.settings.Secure() {
		return p.secure
	}
	return p.plain
}

// recognise finds out who asks. A cookie without a session behind it is like
// none at all.
func (p *portal) recognise(r *http.Request, v *visit) error {
	c, err := r.Cookie(p.sessions(v).Cookie.Name)
	if err != nil {
		return nil //nolint:nilerr // the only error is that there is no such cookie
	}
	session, account, err := p.DB.SignedInBy(r.Context(), c.Value)
	if err != nil {
		if model.KindOf(err) == model.KindNotFound {
			return nil
		}
		return err
	}
	v.session, v.account = session, account
	actor := model.PersonActor(account, v.network)
	v.actor = &actor
	if session.Tick(p.DB.Now()) {
		v.after = append(v.after, func(ctx context.Context) error { return p.DB.TouchSession(ctx, session.ID) })
	}
	return nil
}

// browserSession loads the browser's session for a change. Only the few
// requests that change it do: to know who asks, recognise needs no library.
//
// The library's own middleware is not used: it writes the session while the
// answer is on its way, when a failure can no longer become an error page.
func (p *portal) browserSession(r *http.Request) (*scs.SessionManager, context.Context, error) {
	sessions := p.sessions(visitOf(r))
	var cookie string
	if c, err := r.Cookie(sessions.Cookie.Name); err == nil {
		cookie = c.Value
	}
	ctx, err := sessions.Load(r.Context(), cookie)
	return sessions, ctx, err
}

// begin makes the browser's session that of a new row, under a new cookie
// value: whoever knew the old one must not be signed in with it (OWASP ASVS
// 5.0, 7.2.4).
func (p *portal) begin(w http.ResponseWriter, r *http.Request, in model.SignedIn) error {
	sessions, ctx, err := p.browserSession(r)
	if err != nil {
		return err
	}
	if err := sessions.RenewToken(ctx); err != nil {
		return err
	}
	sessions.Put(ctx, db.SessionKey, in.Session.ID)
	sessions.RememberMe(ctx, in.Session.Kept)
	cookie, expires, err := sessions.Commit(ctx)
	if err != nil {
		return err
	}
	sessions.WriteSessionCookie(ctx, w, cookie, expires)
	p.knowDevice(w, visitOf(r), in.Known)
	return nil
}

// forget takes the session from the browser.
func (p *portal) forget(w http.ResponseWriter, r *http.Request) error {
	sessions, ctx, err := p.browserSession(r)
	if err != nil {
		return err
	}
	if err := sessions.Destroy(ctx); err != nil {
		return err
	}
	sessions.WriteSessionCookie(ctx, w, "", sessionOver)
	return nil
}

// askToSignIn sends a stranger to the sign-in page, and from there back to
// where they were. A part of a page must not be swapped for the sign-in page,
// so htmx is told to leave the page as a whole.
func (p *portal) askToSignIn(w http.ResponseWriter, r *http.Request) error {
	if readCookie(r, sessionCookie) != "" {
		// Not taken back: a poll that comes late would take the one of whoever
		// signed in meanwhile.
		tell(w, visitOf(r), noticeSessionOver, "")
	}
	to := "/sign-in"
	if next := returnTo(r); next != "" {
		to += "?next=" + url.QueryEscape(next)
	}
	return p.leave(w, r, to)
}

// leave sends the browser to another page as a whole, also where htmx asked for
// a part of this one.
func (p *portal) leave(w http.ResponseWriter, r *http.Request, to string) error {
	if wantsPart(r) {
		w.Header().Set("Hx-Redirect", to)
		noStore(w.Header())
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusForbidden)
		return nil
	}
	return redirect(w, to)
}

// returnTo is the page somebody was on. What they posted is lost; the page
// they posted it from is the best place to begin again.
func returnTo(r *http.Request) string {
	was := r.URL.RequestURI()
	if wantsPart(r) {
		was = ourPath(r, r.Header.Get("Hx-Current-Url"))
	} else if r.Method != http.MethodGet && r.Method != http.MethodHead {
		was = ourPath(r, r.Header.Get("Referer"))
	}
	return localPath(was)
}

// ourPath takes the host off an address of this portal; "" for any other.
func ourPath(r *http.Request, address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host != r.Host && u.Host != visitOf(r).settings.Portal() {
		return ""
	}
	return u.RequestURI()
}

// nextLimit keeps a next that comes back in the address within what servers
// and proxies take.
const nextLimit = 1000

// localPath gives back a path of this portal, or "" for anything that a
// browser might take for another place: //evil.example, /\evil.example,
// https:evil.example, and what becomes one of these once a browser has
// dropped tabs and line breaks from it (WHATWG URL, §4.4).
//
// It never writes an address anew, only takes one as it is or not at all:
// /%2fevil.example/" is a harmless path until something encodes the quote and
// decodes the slash with it.
func localPath(next string) string {
	next, _, _ = strings.Cut(next, "#")
	if len(next) > nextLimit || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") {
		return ""
	}
	if strings.ContainsFunc(next, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '\\' }) {
		return ""
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.String() != next {
		return ""
	}
	return next
}
