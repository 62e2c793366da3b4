package handlers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func TestEveryKindOfErrorHasAStatus(t *testing.T) {
	for kind := model.KindInternal; kind <= model.KindLinkEnded; kind++ {
		if statuses[kind] < 400 {
			t.Errorf("kind %d has status %d", kind, statuses[kind])
		}
	}
	for _, c := range []struct {
		err    error
		status int
	}{
		{errors.New("disk full"), 500},
		{fmt.Errorf("reading: %w", model.NotFound("No.")), 404},
		{errors.Join(errors.New("x"), model.Forbidden("No.")), 403},
		{model.Limited("Wait.", time.Second), 429},
		{model.Unavailable("Busy.", time.Second), 503},
		{errTooLarge, 413},
		{&model.StaleError{}, 409},
		{&model.EmailTakenError{}, 409},
	} {
		status, sentence := statusOf(c.err)
		if status != c.status || sentence == "" {
			t.Errorf("%v: %d %q, not %d", c.err, status, sentence, c.status)
		}
		if status == 500 && strings.Contains(sentence, c.err.Error()) {
			t.Errorf("people read %v", c.err)
		}
	}
}

func TestABodyThatIsTooLargeIsAPage(t *testing.T) {
	s := newSite(t)
	big := "login=" + strings.Repeat("x", 1<<20)
	for name, b := range map[string]*browser{"stranger": s.browser(t), "owner": s.owner(t)} {
		paths := []string{"/sign-in", "/forgot-password", "/reset"}
		if name == "owner" {
			paths = append(paths, "/admin/members", "/admin/settings", "/admin/members/1/account", "/account/password")
		}
		for _, path := range paths {
			a := b.send(b.request("POST", path, big)).is(http.StatusRequestEntityTooLarge)
			a.one("main h1")
			r := b.request("POST", path, "")
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader(big))) // its length is not known beforehand
			r.ContentLength = -1
			b.send(r).is(http.StatusRequestEntityTooLarge)
		}
	}
	b := s.browser(t)
	b.send(b.request("POST", "/forgot-password", "login="+strings.Repeat("x", 1<<20-6))).is(http.StatusOK)
	for _, method := range []string{"GET", "POST"} { // nothing reads these
		b.send(b.request(method, "/sign-in", big, "Content-Type", "multipart/form-data; boundary=x")).is(http.StatusRequestEntityTooLarge)
	}
}

func TestAFormThatCannotBeReadIsAPage(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	for _, body := range []string{"login=%zz", "%", "login=a;password=b"} {
		b.send(b.request("POST", "/sign-in", body)).is(http.StatusBadRequest).one("main h1")
	}
	b.send(b.request("POST", "/sign-in?x=%zz", "login=x")).is(http.StatusBadRequest)
	for _, kind := range []string{"application/json", "multipart/form-data; boundary=x", "text/plain", ""} {
		r := b.request("POST", "/sign-in", `{"login":"x"}`)
		r.Header["Content-Type"] = []string{kind}
		if kind == "" {
			delete(r.Header, "Content-Type")
		}
		b.send(r).is(http.StatusUnprocessableEntity) // an empty form
	}
}

func TestAPanicIsAPageAndALineInTheLog(t *testing.T) {
	s := newSite(t)
	s.portal.mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("a bug") })
	b := s.browser(t)
	a := b.get("/panic").is(http.StatusInternalServerError).says("on our side").saysNothingOf("a bug")
	a.says(a.header.Get("X-Request-Id"))
	part := b.part("GET", "/panic").is(http.StatusInternalServerError)
	if strings.Contains(part.body, "<html") {
		t.Error("htmx gets a page")
	}
	s.Close()
	if log := s.log.String(); !strings.Contains(log, "a bug") || !strings.Contains(log, a.header.Get("X-Request-Id")) {
		t.Errorf("the log says\n%s", log)
	}
}

func TestASlowClientIsCut(t *testing.T) {
	server := NewServer(http.NotFoundHandler(), newSite(t).portal.Log)
	if server.ReadHeaderTimeout == 0 || server.ReadTimeout == 0 || server.WriteTimeout == 0 || server.IdleTimeout == 0 || server.MaxHeaderBytes == 0 {
		t.Errorf("%+v", server)
	}
	server.ReadHeaderTimeout = 50 * time.Millisecond
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	must0(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	// It ends when the server hangs up; with words on their way to it, by a reset.
	if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the connection is kept: %v", err)
	}
}

func TestARequestThatWasGivenUpIsNoError(t *testing.T) {
	s := newSite(t)
	r := httptest.NewRequest("GET", "/sign-in", nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	s.portal.ServeHTTP(w, r.WithContext(ctx))
	s.Close()
	if strings.Contains(s.log.String(), "level=ERROR") {
		t.Errorf("the log says\n%s", s.log.String())
	}
}

func TestStaticFilesAreKeptForEver(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	for name, f := range s.portal.static.files {
		for _, coding := range []string{"gzip", "identity", "gzip;q=0", "br, gzip;q=0.5", ""} {
			a := b.get(s.portal.static.url(name), "Accept-Encoding", coding).is(http.StatusOK)
			if a.header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
				t.Errorf("%s: %q", name, a.header.Get("Cache-Control"))
			}
			packed := f.gzipped() != nil && strings.Contains(coding, "gzip") && coding != "gzip;q=0"
			if got := a.header.Get("Content-Encoding") == "gzip"; got != packed {
				t.Errorf("%s asked as %q is packed: %v", name, coding, got)
			}
			if !packed && a.body != string(f.body) {
				t.Errorf("%s differs", name)
			}
			if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Content-Type") == "" || a.header.Get("Set-Cookie") != "" {
				t.Errorf("%s: %v", name, a.header)
			}
		}
	}
	for _, path := range []string{"/static/0/app.css", "/static/app.css", s.portal.static.url("none.css"), s.portal.static.url("..%2fmain.go"), "/static/"} {
		b.get(path).is(http.StatusNotFound)
	}
	head := b.send(b.request("HEAD", s.portal.static.url("app.css"), "")).is(http.StatusOK)
	if head.header.Get("Content-Length") == "" || head.body != "" {
		t.Error("HEAD is not GET without the body")
	}
}

func TestHealth(t *testing.T) {
	s := newSite(t)
	a := s.browser(t).get("/healthz").is(http.StatusOK)
	if a.body != "ok" {
		t.Errorf("it says %q", a.body)
	}
}

// weigh gives the bytes of a page and what it needs, as they come over the
// wire.
func weigh(t *testing.T, b *browser, path string, seen map[string]bool) int {
	t.Helper()
	size := func(path string) int {
		a := b.get(path, "Accept-Encoding", "gzip").is(http.StatusOK)
		head := 0
		for name, values := range a.header {
			for _, v := range values {
				head += len(name) + len(v) + 4
			}
		}
		return len(a.body) + head
	}
	sum := size(path)
	page := b.get(path)
	need := []string{}
	for _, node := range page.doc.Find(`head link[rel="stylesheet"], head link[rel="icon"], script[src]`).EachIter() {
		need = append(need, node.AttrOr("src", node.AttrOr("href", "")))
	}
	need = append(need, b.site.portal.static.url("young-serif-latin.woff2"), b.site.portal.static.url("mark.svg"))
	for _, file := range need {
		if !seen[file] {
			seen[file] = true
			sum += size(file)
		}
	}
	return sum
}

func TestAFirstVisitIsLight(t *testing.T) {
	s := newSite(t)
	id := dbtest.MemberWithAccount(t, s.db, "Nina Holm", "nina@example.org")
	seen := map[string]bool{}
	signIn := weigh(t, s.browser(t), "/sign-in", seen)
	tab := weigh(t, s.owner(t), record(id)+"/settings", seen)
	t.Logf("sign-in page %d bytes, then Settings tab %d bytes, with headers", signIn, tab)
	if signIn+tab > 60<<10 {
		t.Errorf("%d bytes on a first visit", signIn+tab)
	}
}
