package handlers

import (
	"context"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/db/dbtest"
)

// Whatever is typed and however often: status, headers and every byte of the
// page are those that nobody's login gets, with the right password too.
func TestNoPageTellsWhoIsAMember(t *testing.T) {
	s := newSite(t)
	logins := strangersTry(t, s)
	dbtest.Deliver(t, s.db)
	type met struct {
		what string
		page string
	}
	all := map[string][]met{}
	for i, l := range logins {
		b := s.browser(t)
		b.header.Set("X-Forwarded-For", fmt.Sprintf("192.0.%d.1", i))
		note := func(what string, a *reply, status int) {
			t.Helper()
			a.is(status)
			headers := maps.Clone(a.header)
			for _, own := range []string{"X-Request-Id", "Date", "Content-Length"} {
				delete(headers, own)
			}
			page := question.ReplaceAllString(strings.ReplaceAll(a.body, l.login, "LOGIN"), "")
			all[l.who] = append(all[l.who], met{what, fmt.Sprint(headers) + page})
		}
		for n := range 5 {
			note(fmt.Sprintf("wrong password %d", n+1), b.post("/sign-in", "login", l.login, "password", "not the one"), http.StatusUnprocessableEntity)
		}
		note("the sixth", b.post("/sign-in", "login", l.login, "password", "not the one"), http.StatusTooManyRequests)
		closed := b.post("/sign-in", "login", l.login, "password", dbtest.Password)
		note("the right one while it is closed", closed, http.StatusTooManyRequests)
		if got := closed.header.Get("Retry-After"); got != "1" {
			t.Errorf("%s: Retry-After %q", l.who, got)
		}
		for n := range 22 {
			status := http.StatusUnprocessableEntity
			if n >= 20 {
				status = http.StatusTooManyRequests
			}
			note(fmt.Sprintf("wrong code %d", n+1), b.post("/reset/code", "login", l.login, "code", "WXYZ-2345"), status)
		}
		for n := range 40 {
			note(fmt.Sprintf("forgot %d", n+1), b.post("/forgot-password", "login", l.login), http.StatusOK)
		}
		if len(b.client.Jar.Cookies(b.request("GET", "/", "").URL)) != 0 {
			t.Errorf("%s: a cookie was set", l.who)
		}
	}
	for _, l := range logins[1:] {
		for i, m := range all[l.who] {
			if m != all[reference][i] {
				t.Errorf("%s, %s: another page than nobody's", l.who, m.what)
			}
		}
	}
	// Nor does the sign-in page name anybody's passkeys before it knows who is there.
	page := s.browser(t).get("/sign-in")
	for _, options := range question.FindAllString(page.body, -1) {
		if strings.Contains(html.UnescapeString(options), "allowCredentials") {
			t.Error("the question for a passkey names some")
		}
	}
}

// guesser posts a wrong password from a network, and gives the answer's status.
func (s *site) guesser(ctx context.Context, t *testing.T, n int) (status int, retryAfter string) {
	form := url.Values{"login": {fmt.Sprintf("x%d@example.org", n)}, "password": {"not the one"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/sign-in", strings.NewReader(form.Encode()))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.1", n>>8, n&255))
	answer, err := s.Client().Do(r)
	if err != nil {
		if ctx.Err() == nil {
			t.Error(err)
		}
		return 0, ""
	}
	_ = answer.Body.Close()
	return answer.StatusCode, answer.Header.Get("Retry-After")
}

// Some hundred at once, each from a network of its own: those who find the queue
// full are told when to come again, a known device and the holder of a link come
// through meanwhile, and memory stays that of the slots.
func TestAFloodOfSignInsIsBounded(t *testing.T) {
	s := newSite(t)
	dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	_, link := s.invited(t, "Paul Berg", "paul@example.org")
	nina := s.browser(t)
	nina.signIn("nina@example.org", dbtest.Password)
	nina.post("/sign-out")
	paul := s.browser(t)
	form := paul.follow(paul.get("/reset/" + link))

	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(heap)
	before, most := heap[0].Value.Uint64(), uint64(0)
	over, sampled := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sampled)
		for tick := time.NewTicker(time.Millisecond); ; {
			metrics.Read(heap)
			most = max(most, heap[0].Value.Uint64())
			select {
			case <-over:
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	}()

	const people = 300
	var flood sync.WaitGroup
	var tried, busy, under atomic.Int64
	full := make(chan struct{}, people)
	under.Store(people)
	for n := range people {
		flood.Go(func() {
			status, wait := s.guesser(t.Context(), t, n)
			under.Add(-1)
			switch {
			case status == http.StatusUnprocessableEntity:
				tried.Add(1)
			case status == http.StatusServiceUnavailable && wait == "5":
				busy.Add(1)
				full <- struct{}{}
			default:
				t.Errorf("%d, Retry-After %q", status, wait)
			}
		})
	}
	<-full
	nina.signIn("nina@example.org", dbtest.Password)
	paul.submit(form, `form[action="/reset"]`, "", "password", newPassword, "password_confirm", newPassword).leads("/sign-in")
	left := under.Load()
	flood.Wait()
	close(over)
	<-sampled
	t.Logf("%d tried, %d told to come again; %d were left as the two were through", tried.Load(), busy.Load(), left)
	if left == 0 {
		t.Error("they came last")
	}
	// What waits for the collector counts too, and the client is in here as well.
	if limit := uint64(slots()*2*19+64) << 20; most > before+limit {
		t.Errorf("%d MB at the most, from %d", most>>20, before>>20)
	}
}

func TestThoseWhoHangUpLeaveTheQueue(t *testing.T) {
	s := newSite(t)
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	var flood sync.WaitGroup
	var busy atomic.Int64
	for n := range 300 {
		flood.Go(func() {
			if status, _ := s.guesser(ctx, t, n); status == http.StatusServiceUnavailable {
				busy.Add(1)
				hangUp() // they all leave
			}
		})
	}
	flood.Wait()
	if busy.Load() == 0 {
		t.Fatal("it was never busy")
	}
	// Those who hung up are in no queue: a stranger's turn comes.
	for began := time.Now(); ; {
		status, _ := s.guesser(t.Context(), t, 1000)
		if status == http.StatusUnprocessableEntity {
			break
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("still %d", status)
		}
	}
}

// What a browser brings along as the mark of its device helps only the account
// that it was given for.
func TestADevicesMarkIsGoodForItsAccountOnly(t *testing.T) {
	s := newSite(t)
	dbtest.SignedUp(t, s.db, "Eve Lind", "eve@example.org")
	dbtest.SignedUp(t, s.db, "Mia Brandt", "mia@example.org")
	mark := func(login string) string {
		t.Helper()
		b := s.browser(t)
		b.signIn(login, dbtest.Password)
		for _, c := range b.client.Jar.Cookies(b.request("GET", "/", "").URL) {
			if c.Name == deviceCookie {
				return c.Value
			}
		}
		t.Fatal("no mark")
		return ""
	}
	eves, mias := mark("eve@example.org"), mark("mia@example.org")
	b := s.browser(t)
	b.header.Set("X-Forwarded-For", "192.0.2.1")
	for range 5 {
		b.post("/sign-in", "login", "mia@example.org", "password", "wrong").is(http.StatusUnprocessableEntity)
	}
	half := strings.IndexByte(eves, '.')
	for what, value := range map[string]string{
		"another account's": eves, "none": "x", "one account's, signed as another's": mias[:strings.IndexByte(mias, '.')] + eves[half:],
		"cut": mias[:len(mias)-3], "without its tag": mias[:strings.IndexByte(mias, '.')+1], "her own": mias,
	} {
		// An own jar: a cookie that is sent by hand beside it would be a second one.
		jar, err := cookiejar.New(nil)
		must0(t, err)
		b.client.Jar = jar
		want := http.StatusTooManyRequests
		if what == "her own" {
			want = http.StatusSeeOther
		}
		r := b.request(http.MethodPost, "/sign-in", url.Values{"login": {"mia@example.org"}, "password": {dbtest.Password}}.Encode())
		r.Header.Set("Cookie", deviceCookie+"="+value)
		if a := b.send(r); a.status != want {
			t.Errorf("%s: %d, not %d", what, a.status, want)
		}
	}
}
