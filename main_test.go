package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
	"latchkey/handlers/postman/postmantest"
)

// The tests of this file run the built binary as a volunteer would, with a
// real mail server and a real browser.

// binary builds the portal once.
var binary = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "latchkey-test")
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "latchkey")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	report.Print(os.Stdout)
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// running is a portal in a process of its own.
type running struct {
	t      testing.TB
	cmd    *exec.Cmd
	url    string
	folder string
	said   *lockedBuffer
}

// lockedBuffer collects what a process prints while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs the portal on a free port in a folder and waits until it answers.
func start(t testing.TB, folder string, args ...string) *running {
	t.Helper()
	addr := freeAddr(t)
	return startAt(t, folder, addr, args...)
}

func startAt(t testing.TB, folder, addr string, args ...string) *running {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &running{t: t, url: "http://" + addr, folder: folder, said: &lockedBuffer{}}
	args = append([]string{"serve", "--data", folder, "--addr", addr, "--base-url", p.url}, args...)
	p.cmd = exec.Command(path, args...)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	p.cmd.Env = append(os.Environ(), "LATCHKEY_SMTP=", "LATCHKEY_DATA=")
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	eventually(t, "the portal answers", func() bool {
		res, err := http.Get(p.url + "/healthz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return p
}

// stop ends the portal as a service manager does, and wants a clean end.
func (p *running) stop() {
	if p.cmd.ProcessState != nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the portal ended with %v:\n%s", err, p.said)
	}
}

// kill ends the portal as a power cut does.
func (p *running) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

var setupLink = regexp.MustCompile(`http://\S+/setup\?code=\S+`)

// setupURL is the address that the portal printed.
func (p *running) setupURL() string {
	p.t.Helper()
	var link string
	eventually(p.t, "the set-up address is printed", func() bool {
		link = setupLink.FindString(p.said.String())
		return link != ""
	})
	return link
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// eventually polls until f is true, for at most half a minute.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			t.Fatalf("it never came true that %s", what)
		case <-tick.C:
		}
	}
}

// chromium starts one browser for all tests. Where there is none, its tests
// are skipped; in CI that would hide them, so there they fail.
func chromium(t testing.TB) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("no Chromium found, and in CI there has to be one")
		}
		t.Skip("no Chromium found: install it (Debian: apt install chromium) to run the browser tests")
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true),
		// A name that is not localhost: over plain http browsers offer no clipboard there.
		chromedp.Flag("host-resolver-rules", "MAP portal.test 127.0.0.1"),
	)...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// tab is one person's browser: cookies of its own.
type tab struct {
	t    testing.TB
	ctx  context.Context
	base string
}

// open gives a new person's browser. Whatever the content security policy
// blocks in it fails the test.
func open(chromium context.Context, t testing.TB, base string) *tab {
	t.Helper()
	ctx, stop := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	t.Cleanup(stop)
	b := &tab{t, ctx, base}
	if err := chromedp.Listen(ctx, func(e any) {
		switch e := e.(type) {
		case *log.EventEntryAdded:
			if strings.Contains(e.Entry.Text, "Content Security Policy") {
				t.Errorf("%s: %s", e.Entry.URL, e.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			t.Errorf("a script failed: %+v", e.ExceptionDetails)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *tab) withoutScripts() {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) allowClipboard() {
	b.t.Helper()
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		_, err := chromedp.CallBrowser(b.ctx, browser.SetPermission, browser.SetPermissionParams{
			Permission: &browser.PermissionDescriptor{Name: name}, Setting: browser.PermissionSettingGranted,
			Origin: b.base, BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID})
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *tab) colours(scheme string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v, at %s:\n%s", err, b.at(), b.shown())
	}
}

// value is what a script gives.
func value[T any](b *tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%v, at %s:\n%s", err, b.at(), b.shown())
	}
	return v
}

// text is the words on the page, "" while it is loading.
func (b *tab) text() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	words, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText.replace(/\s+/g, " ")`))
	if err != nil {
		return ""
	}
	return words
}

// shown is the beginning of text, for a failure's words.
func (b *tab) shown() string {
	text := b.text()
	return text[:min(len(text), 800)]
}

func (b *tab) at() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	address, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(address, b.base)
}

func (b *tab) visit(address string) {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.base + address
	}
	b.do(chromedp.Navigate(address))
}

// fill types into fields, named by their name attribute.
func (b *tab) fill(fields ...string) {
	b.t.Helper()
	for i := 0; i < len(fields); i += 2 {
		sel := chromedp.CSS(`main [name="` + fields[i] + `"]`)
		b.do(chromedp.WaitVisible(sel), chromedp.Clear(sel), chromedp.SendKeys(sel, fields[i+1]))
	}
}

// press clicks the button or link that says these words.
func (b *tab) press(words string) {
	b.t.Helper()
	b.do(chromedp.Click(fmt.Sprintf(`//main//*[self::button or self::a or self::summary][contains(normalize-space(.), "%s")]`, words), chromedp.NodeVisible))
}

// key presses one key as a keyboard does: the browser makes the character of
// it, unless the page takes the key.
func (b *tab) key(text, code string, number int64) {
	b.t.Helper()
	name := text
	switch text {
	case "\r":
		name = "Enter"
	case "": // a key without a character is called as its place is
		name = code
	}
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
		p := input.DispatchKeyEventParams{Type: kind, Key: name, Code: code, WindowsVirtualKeyCode: number}
		if kind == input.DispatchKeyEventTypeKeyDown {
			p.Text = text
		}
		if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, p); err != nil {
			b.t.Fatal(err)
		}
	}
}

// submit sends the first form of the page.
func (b *tab) submit() {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS("main form button:not([type=button])"), chromedp.NodeVisible))
}

// sees waits until the page says something.
func (b *tab) sees(words string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 15*time.Second)
	defer cancel()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(b.text(), words) {
		select {
		case <-ctx.Done():
			b.t.Fatalf("%s never says %q:\n%s", b.at(), words, b.shown())
		case <-tick.C:
		}
	}
}

func (b *tab) attribute(sel, name string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	a, err := chromedp.Run(ctx, chromedp.AttributeValue(chromedp.CSS(sel), name))
	if err != nil || !a.Exists {
		b.t.Fatalf("%s has no %s: %v", sel, name, err)
	}
	return a.Value
}

const (
	ownerEmail    = "ruth@riverside.example"
	ownerPassword = "brass lantern over quiet water"
	newPassword   = "seven green umbrellas tonight"
)

// setUp goes through the first start in a browser and signs the owner in.
func setUp(b *tab, p *running) {
	b.t.Helper()
	b.visit(p.setupURL())
	b.fill("association", "Riverside Rowing Club", "first_name", "Ruth", "last_name", "Adler", "email", ownerEmail,
		"password", ownerPassword, "password_confirm", ownerPassword)
	b.submit()
	b.sees("Sign in")
	b.signIn(ownerEmail, ownerPassword)
	b.sees("Members")
}

func (b *tab) signIn(login, password string) {
	b.t.Helper()
	b.visit("/sign-in")
	b.fill("login", login, "password", password)
	b.press("Sign in")
}

// The reason the portal exists, once as browsers are today and once without
// any script: from the telephone to a member who is signed in.
func TestFromARecordToASignedInMember(t *testing.T) {
	chrome := chromium(t)
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			hog := postmantest.StartMailHog(t)
			p := start(t, t.TempDir(), "--smtp", hog.Server().URL())
			staff, member := open(chrome, t, p.url), open(chrome, t, p.url)
			staff.allowClipboard()
			if !scripts {
				staff.withoutScripts()
				member.withoutScripts()
			}
			setUp(staff, p)

			staff.visit("/admin/members/new")
			staff.fill("first_name", "Łukasz", "last_name", "Brandt", "email", "lukasz@example.org", "phone", "030 555 77")
			staff.press("Add")
			staff.sees("Łukasz Brandt")
			staff.press("Settings")
			staff.sees("There is no account yet")

			stays := func(press, words string) {
				t.Helper()
				if scripts {
					value[string](staff, `window.stayed = "yes"`)
				}
				staff.press(press)
				staff.sees(words)
				if scripts && value[string](staff, `window.stayed || "no"`) != "yes" {
					t.Errorf("%s loaded the page anew", press)
				}
			}
			stays("Create User", "Account successfully created and reset password email sent.")
			welcome := hog.Await("lukasz@example.org", 1)[0]
			link := staff.attribute("[data-reset-link]", "data-reset-link")
			if links := welcome.Links(); len(links) == 0 || links[0] != link {
				t.Fatalf("the letter's links are not the one on the record")
			}
			if !scripts {
				staff.visit(staff.at()) // nobody asks again by itself
			}
			staff.sees("accepted by the mail server today")
			staff.sees("Ask them to look in the junk folder") // the advice follows the letter

			if scripts {
				staff.press("Copy Link")
				staff.sees("Copied")
				if got := value[string](staff, `navigator.clipboard.readText()`); got != link {
					t.Error("the clipboard does not hold the link")
				}
			}

			member.visit(link)
			member.sees("Łukasz Brandt")
			if strings.Contains(member.at(), link[len(link)-40:]) {
				t.Error("the address bar shows the token")
			}
			member.fill("password", newPassword, "password_confirm", newPassword)
			member.press("Save password")
			member.sees("Your password is changed")
			if got := member.attribute(`[name=login]`, "value"); got != "lukasz@example.org" {
				t.Errorf("sign-in is prefilled with %q", got)
			}
			member.fill("password", newPassword)
			member.press("Sign in")
			member.sees("Change password")
			if got := member.at(); got != "/account" {
				t.Errorf("signed in at %s", got)
			}

			staff.visit(staff.at())
			staff.sees("It did its work")
			stays("Send Password Reset", "Reset password email sent.")
			if again := staff.attribute("[data-reset-link]", "data-reset-link"); again == link {
				t.Error("a used link is sent again")
			}
			hog.Await("lukasz@example.org", 3) // welcome, changed, reset
		})
	}
}

// The member cannot open a link: staff read out a code, and it leads as far.
func TestFromACodeOnTheTelephoneToASignedInMember(t *testing.T) {
	chrome := chromium(t)
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			hog := postmantest.StartMailHog(t)
			p := start(t, t.TempDir(), "--smtp", hog.Server().URL())
			staff, member := open(chrome, t, p.url), open(chrome, t, p.url)
			if !scripts {
				staff.withoutScripts()
				member.withoutScripts()
			}
			setUp(staff, p)
			staff.visit("/admin/members/new")
			staff.fill("first_name", "Łukasz", "last_name", "Brandt", "email", "lukasz@example.org", "birth_date", "05011970", "postcode", "20095")
			staff.press("Add")
			staff.sees("Łukasz Brandt")
			staff.press("Settings")
			staff.press("Create User")
			staff.sees("Account successfully created")
			hog.Await("lukasz@example.org", 1)

			staff.press("Read out a code")
			staff.fill("note", "knew birth date and postcode")
			staff.press("Make a code")
			staff.sees("Read this code out")
			staff.sees(p.url + "/reset/code")
			if scripts {
				staff.is(`document.activeElement.id`, "spoken")
			}
			code := value[string](staff, `document.querySelector("#read-out .code").textContent`)
			if letter := hog.Await("lukasz@example.org", 2)[1]; !strings.Contains(letter.Subject, "was read out") || strings.Contains(letter.Text+letter.HTML, code) {
				t.Errorf("the notice is %q, or it holds the code", letter.Subject)
			}
			staff.visit(strings.TrimSuffix(staff.at(), "/password-resets/code"))
			staff.press("Settings")
			staff.sees("A code was read out by Ruth Adler")

			member.visit("/sign-in")
			member.press("I have a code from the office")
			member.fill("login", "lukasz@example.org", "code", "zzzz zzzz")
			member.press("Go on")
			member.sees("That did not work")
			member.fill("code", strings.ToLower(strings.ReplaceAll(code, "-", "")))
			member.press("Go on")
			member.sees("Choose a new password")
			member.fill("password", newPassword, "password_confirm", newPassword)
			member.press("Save password")
			member.sees("Your password is changed")
			member.fill("password", newPassword)
			member.press("Sign in")
			member.sees("Change password")
			if strings.Contains(p.said.String(), code) {
				t.Error("the log holds the code")
			}
		})
	}
}

// On plain http under a name there is no clipboard; Copy Link selects the text
// and says so, and never claims to have copied it.
func TestCopyLinkWhereBrowsersOfferNoClipboard(t *testing.T) {
	chrome := chromium(t)
	addr := freeAddr(t)
	base := "http://portal.test:" + addr[strings.LastIndexByte(addr, ':')+1:]
	p := startAt(t, t.TempDir(), addr, "--base-url", base)
	b := open(chrome, t, base)
	b.visit(p.setupURL())
	setUp(b, p)
	b.visit("/admin/members/new")
	b.fill("first_name", "Mia", "last_name", "Brandt", "email", "mia@example.org")
	b.press("Add")
	b.sees("Mia Brandt")
	b.press("Settings")
	b.press("Create User")
	b.sees("No mail server is set up. Copy the link and hand it over.")
	b.press("Copy Link")
	b.sees("Press Ctrl+C")
	if strings.Contains(b.text(), "Copied") {
		t.Error("it says copied")
	}
	if got := value[string](b, `(function () { var f = document.activeElement; return f.value.slice(f.selectionStart, f.selectionEnd) })()`); got != b.attribute("[data-reset-link]", "data-reset-link") {
		t.Errorf("selected is %q", got)
	}
}

// A power cut between the press and the letter: after the restart it leaves
// with the same link.
func TestAfterAPowerCutTheLetterLeavesWithTheSameLink(t *testing.T) {
	hog := postmantest.StartMailHog(t)
	server := hog.Server()
	folder := t.TempDir()
	// The first portal finds nobody at its mail server's address.
	closed := model.MailServer{Host: "127.0.0.1", Port: 1}
	p := start(t, folder, "--smtp", closed.URL())
	link := ownerLink(t, folder)
	p.kill()
	p = start(t, folder, "--smtp", server.URL())
	letter := hog.Await("mia@example.org", 1)[0]
	if links := letter.Links(); len(links) == 0 || !strings.HasSuffix(links[0], link[strings.LastIndexByte(link, '/'):]) {
		t.Error("another link, or none")
	}
	for _, secret := range append(letter.Links(), link[strings.LastIndexByte(link, '/')+1:]) {
		if strings.Contains(p.said.String(), secret) {
			t.Error("the log holds the link")
		}
	}
}

// ownerLink does, beside the running portal and as its command line would,
// what staff do in a browser, and gives the link.
func ownerLink(t *testing.T, folder string) string {
	t.Helper()
	mail := model.MailServer{Host: "127.0.0.1", Port: 1}
	d, err := db.Open(t.Context(), folder, db.Fixed{Mail: &mail})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	id, err := d.AddMember(t.Context(), model.ShellActor(), model.Member{FirstName: "Mia", LastName: "Brandt", Email: "mia@example.org"})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.CreateUser(t.Context(), model.ShellActor(), id, "mia@example.org", false); err != nil {
		t.Fatal(err)
	}
	r, err := d.AccountRecord(t.Context(), model.ShellActor(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r.Status.Link.Reveal()
}

var (
	demoAt       = regexp.MustCompile(`http://localhost:\d+`)
	demoEmail    = regexp.MustCompile(`(?m)^\s+email\s+(\S+)$`)
	demoPassword = regexp.MustCompile(`(?m)^\s+password\s+(\S+)$`)
)

// startDemo runs the demonstration and gives its address, owner and password.
func startDemo(t testing.TB) (base, email, password string) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &running{t: t, said: &lockedBuffer{}, cmd: exec.Command(path, "demo")}
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	eventually(t, "the demonstration says how to sign in", func() bool { return demoPassword.MatchString(p.said.String()) })
	said := p.said.String()
	return demoAt.FindString(said), demoEmail.FindStringSubmatch(said)[1], demoPassword.FindStringSubmatch(said)[1]
}

// accessible puts the page, light and dark, through axe-core.
func (b *tab) accessible(what string) {
	b.t.Helper()
	axe, err := os.ReadFile("handlers/testdata/axe-core-4.14.1.min.js")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, scheme := range []string{"light", "dark"} {
		b.colours(scheme)
		b.do(chromedp.Evaluate[chromedp.Void](string(axe)))
		found := value[string](b, `axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(v =>
			v.id + " (" + v.impact + "): " + v.help + "\n" + v.nodes.map(n => "    " + n.target + " " + n.failureSummary.replace(/\n/g, " ")).join("\n")).join("\n"))`)
		if found != "" {
			b.t.Errorf("%s, %s, %s:\n%s", what, b.at(), scheme, found)
		}
	}
}

// Every page through axe-core.
func TestEveryPageIsAccessible(t *testing.T) {
	chrome := chromium(t)
	base, email, password := startDemo(t)
	b := open(chrome, t, base)
	check := b.accessible
	look := func(path string) {
		t.Helper()
		b.visit(path)
		check(path)
	}

	for _, path := range []string{"/sign-in", "/forgot-password", "/reset", "/reset/aaaa", "/reset/code", "/not-me", "/not-me/aaaa", "/email", "/email/aaaa", "/nothing-here", "/setup"} {
		look(path)
	}
	b.askForgot()
	check("the answer to Forgot password")
	b.visit("/sign-in")
	b.fill("login", email, "password", "wrong")
	b.press("Sign in")
	b.sees("do not fit together")
	check("a refused sign-in")
	b.signIn(email, password)
	b.sees("Members")
	for _, path := range []string{"/admin", "/admin/members", "/admin/members?q=luk", "/admin/members?q=zzzz",
		"/admin/members?q=wisniewksi", "/admin/members?q=ma&filter=no-account&status=active&sort=last-sign-in", "/admin/members/new",
		"/admin/letters", "/admin/letters?state=failed", "/admin/letters?q=zzzz", "/admin/letters?account=7",
		"/admin/staff", "/admin/audit", "/admin/settings", "/admin/settings/mail", "/admin/templates", "/admin/templates/reset", "/account", "/account/email", "/account/password", "/account/sessions", "/account/two-factor", "/account/two-factor/app", "/demo/letters", "/admin/members/999999"} {
		look(path)
	}
	for _, text := range []string{"ma", "wisniewksi", "zzzz"} {
		b.visit("/admin/staff")
		b.ready()
		b.key("/", "Slash", 191)
		b.types(text)
		b.is(`document.querySelector("#hits [data-sought]").dataset.sought`, text)
		if text == "ma" {
			b.down()
		}
		check("the hits of " + text)
	}
	b.visit("/admin/members/new")
	b.fill("email", "not an address")
	b.press("Add")
	b.sees("Please look at 2 places again")
	check("a form with mistakes")

	// Each kind of record there is in the demonstration: its link's story in a
	// sentence of the panel.
	d := b.memberIDs()
	for _, id := range d {
		look("/admin/members/" + id + "/settings")
	}
	look("/admin/members/" + d[0])
	look("/admin/members/" + d[0] + "/activity")

	b.visit("/admin/letters")
	for _, path := range value[[]string](b, `Array.from(document.querySelectorAll(".letters .who a")).slice(0, 4).map(a => a.getAttribute("href"))`) {
		look(path)
	}

	b.visit("/demo/letters")
	links := value[[]string](b, `Array.from(document.querySelectorAll('a[href*="/reset/"]')).map(a => a.href)`)
	if len(links) == 0 {
		t.Fatal("no letter in the demonstration has a link")
	}
	look(links[0])
	b.fill("password", "short", "password_confirm", "short")
	b.submit()
	b.sees("at least")
	check("a refused password")

	look(b.notMe())
	b.submit()
	b.sees("Thank you for telling us")
	check("after saying that it was not me")
}

// A password is chosen by somebody of seventy on a small telephone: with help
// while they type, pasted, suggested, and without any script.
func TestAPasswordIsChosenInABrowser(t *testing.T) {
	chrome := chromium(t)
	base, email, password := startDemo(t)
	b := open(chrome, t, base)
	b.allowClipboard()
	if _, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 320, Height: 700, DeviceScaleFactor: 1, Mobile: true}); err != nil {
		t.Fatal(err)
	}
	fits := func() {
		t.Helper()
		if got := value[int64](b, `document.documentElement.scrollWidth`); got > 320 {
			t.Errorf("%s is %d wide", b.at(), got)
		}
	}
	b.visit("/demo/letters")
	link := value[string](b, `document.querySelector('a[href*="/reset/"]').href`)
	b.visit(link)
	b.sees("Choose a new password")

	// What is sent while they type is the password and the link, nothing else.
	value[bool](b, `window.sent = [], window.fetch = (was => (to, how) => { sent.push(to + " " + Array.from(how.body.keys())); return was(to, how) })(window.fetch), true`)
	b.fill("password", "lamp river")
	b.sees("Please use at least 12 characters; this one has 10.")
	fits()
	b.accessible("a password that is too short")
	b.fill("password_confirm", "lamp")
	b.submit()
	b.sees("The two passwords differ") // said by the page that was refused
	b.is(`document.activeElement.id`, "password_confirm")

	b.visit(link)
	b.sees("Choose a new password")
	value[bool](b, `navigator.clipboard.writeText("lamp river tulip stone").then(() => true)`)
	for _, name := range []string{"password", "password_confirm"} {
		b.do(chromedp.Focus(chromedp.CSS(`[name="` + name + `"]`)))
		if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{
			Type: input.DispatchKeyEventTypeKeyDown, Key: "v", Code: "KeyV", WindowsVirtualKeyCode: 86, Modifiers: 2, Commands: []string{"Paste"},
		}); err != nil {
			t.Fatal(err)
		}
		b.is(`document.querySelector('[name="`+name+`"]').value`, "lamp river tulip stone")
	}
	b.sees("Strong")
	b.accessible("a strong password")

	b.do(chromedp.Click(chromedp.CSS("[data-suggest]"), chromedp.NodeVisible))
	b.sees("It is in both fields now")
	phrase := value[string](b, `document.querySelector("#suggested .key-text").textContent`)
	for _, name := range []string{"password", "password_confirm"} {
		b.is(`document.querySelector('[name="`+name+`"]').value`, phrase)
	}
	fits()
	b.accessible("a suggested passphrase")
	b.do(chromedp.Click(chromedp.CSS("[data-suggest]"), chromedp.NodeVisible))
	if again := value[string](b, `document.querySelector("#suggested .key-text").textContent`); again == phrase {
		t.Error("the second press suggests the same")
	} else {
		phrase = again
	}
	b.submit()
	b.sees("Your password is changed")
	b.fill("password", phrase)
	b.press("Sign in")
	b.sees("Member number")

	// Changing one's own: the password one has now is never sent to be measured.
	b.visit("/account/password")
	value[bool](b, `window.sent = [], window.fetch = (was => (to, how) => { sent.push(to + " " + Array.from(how.body.keys())); return was(to, how) })(window.fetch), true`)
	b.fill("current_password", phrase, "password", "qwertzuiopasdf")
	b.sees("Rows of keys")
	b.is(`Array.from(new Set(sent)).join()`, "/password-strength password")

	office := open(chrome, t, base)
	office.withoutScripts()
	office.signIn(email, password)
	office.sees("Members")
	office.visit("/account/password")
	office.do(chromedp.Click(chromedp.CSS("details.suggest summary"), chromedp.NodeVisible))
	office.sees("it was made just now")
	office.fill("current_password", password, "password", "short", "password_confirm", "short")
	office.submit()
	office.sees("Please use at least 15 characters; this one has 5.")
}

// notMe is where the newest letter with a link can be answered, in the
// demonstration.
func (b *tab) notMe() string {
	b.t.Helper()
	b.visit("/demo/letters")
	b.visit(value[string](b, `document.querySelector('tr:has(a[href*="/reset/"]) .who a').getAttribute("href")`))
	return value[string](b, `document.querySelector("pre").textContent.match(/http\S+\/not-me\/[a-z2-7]{40}/)[0]`)
}

// From the letter to "Thank you", on a small telephone without scripts.
func TestItWasNotMeNeedsOnePress(t *testing.T) {
	chrome := chromium(t)
	base, email, password := startDemo(t)
	office := open(chrome, t, base)
	office.signIn(email, password)
	office.sees("Members")
	address := office.notMe()

	b := open(chrome, t, base)
	b.withoutScripts()
	if _, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 320, Height: 700, DeviceScaleFactor: 1, Mobile: true}); err != nil {
		t.Fatal(err)
	}
	fits := func() {
		t.Helper()
		if got := value[int64](b, `document.documentElement.scrollWidth`); got > 320 {
			t.Errorf("%s is %d wide", b.at(), got)
		}
	}
	b.visit(address)
	b.sees("You did not ask for this link?")
	fits()
	if at := b.at(); !strings.HasPrefix(at, "/not-me?r=") || strings.Contains(at, address[len(address)-40:]) {
		t.Errorf("the address still holds it: %s", at)
	}
	b.submit()
	b.sees("Thank you for telling us")
	b.sees("does not work any more")
	fits()
	b.visit(address)
	b.sees("Thank you for telling us")
	office.visit("/demo/letters")
	office.visit(value[string](office, `document.querySelector('a[href*="/reset/"]').href`))
	office.sees("This link was cancelled")

	// Done stands beside the sentence, not on it.
	office.isWide(900)
	office.visit("/admin")
	office.sees("It wasn’t me")
	if on := value[bool](office, `(li => {
		const words = document.createRange(), done = li.querySelector("button").getBoundingClientRect()
		words.setStart(li.querySelector("div"), 0)
		words.setEndBefore(li.querySelector("form"))
		return Array.from(words.getClientRects()).some(r => r.right > done.left && r.bottom > done.top && r.top < done.bottom)
	})(document.querySelector("#not-me + ul li"))`); on {
		t.Error("Done covers the sentence")
	}
}

// A member changes their own address, from the page to signing in with the new
// one, on a small telephone: once with scripts, once without any.
func TestFromOneAddressToAnother(t *testing.T) {
	chrome := chromium(t)
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			hog := postmantest.StartMailHog(t)
			p := start(t, t.TempDir(), "--smtp", hog.Server().URL())
			b, mail := open(chrome, t, p.url), open(chrome, t, p.url)
			setUp(b, p)
			b.visit("/admin/members/new")
			b.fill("first_name", "Nina", "last_name", "Holm", "email", "nina@example.org")
			b.press("Add")
			b.press("Settings")
			b.press("Create User")
			b.sees("Account successfully created")
			b.visit(hog.Await("nina@example.org", 1)[0].Links()[0])
			b.fill("password", newPassword, "password_confirm", newPassword)
			b.press("Save password")
			b.sees("Your password is changed")
			if !scripts {
				b.withoutScripts()
				mail.withoutScripts()
			}
			for _, tab := range []*tab{b, mail} {
				tab.isWide(320)
			}
			look := func(tab *tab, what string) {
				t.Helper()
				if got := value[int64](tab, `document.documentElement.scrollWidth`); got > 320 {
					t.Errorf("%s is %d wide", what, got)
				}
				if scripts {
					tab.accessible(what)
				}
			}
			b.signIn("nina@example.org", newPassword)
			b.sees("Change email")
			b.press("Change email")
			b.fill("email", "nina-at-example", "current_password", newPassword)
			b.press("Send the letter")
			b.sees("Please write the address like")
			if got := b.attribute(`[name=email]`, "value"); got != "nina-at-example" {
				t.Errorf("what was typed is %q", got)
			}
			look(b, "a refused address")
			b.fill("email", "holm@example.org", "current_password", newPassword)
			b.press("Send the letter")
			b.sees("We sent a letter to holm@example.org")
			look(b, "an address that waits")
			b.visit("/account")
			b.sees("We sent a letter to holm@example.org")
			look(b, "the account meanwhile")
			hog.Await("nina@example.org", 3) // welcome, password changed, asked

			link := hog.Await("holm@example.org", 1)[0].Links()[0]
			mail.visit(link)
			mail.sees("Use this address from now on?")
			if strings.Contains(mail.at(), link[len(link)-40:]) {
				t.Error("the address bar shows the token")
			}
			look(mail, "the page behind the letter")
			mail.press("Use this address")
			mail.sees("Your email is changed.")
			if got := mail.attribute(`[name=login]`, "value"); got != "holm@example.org" {
				t.Errorf("sign-in is prefilled with %q", got)
			}
			mail.visit(link)
			mail.sees("The address is already changed.")
			look(mail, "the link that did its work")
			hog.Await("nina@example.org", 4)
			b.visit("/account")
			b.sees("Sign in")
			b.signIn("nina@example.org", newPassword)
			b.sees("do not fit together")
			b.signIn("holm@example.org", newPassword)
			b.sees("holm@example.org")
		})
	}
}

// isWide gives the window a width, as telephones and desks have it.
func (b *tab) isWide(width int64) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 800, DeviceScaleFactor: 1, Mobile: width < 768}); err != nil {
		b.t.Fatal(err)
	}
}

// Names and addresses are as long as they are, telephones as narrow.
func TestARecordWithALongNameFitsSmallScreens(t *testing.T) {
	chrome := chromium(t)
	p := start(t, t.TempDir())
	b := open(chrome, t, p.url)
	setUp(b, p)
	b.visit("/admin/members/new")
	b.fill("first_name", "Maximiliane-Friederike", "last_name", "Oberschwarzenberger-Hohenlohe",
		"email", "maximiliane.friederike.oberschwarzenberger@verwaltungsgemeinschaft.example")
	b.press("Add")
	b.sees("Oberschwarzenberger")
	record := b.at()
	b.press("Settings")
	b.press("Create User")
	b.sees("Account successfully created")
	b.isWide(320)
	for _, path := range []string{record, record + "/settings", record + "/activity", "/admin", "/admin/letters", "/admin/letters/1"} {
		b.visit(path)
		if got := value[int64](b, `document.documentElement.scrollWidth`); got > 320 {
			t.Errorf("%s is %d wide", path, got)
		}
	}
	if rows := value[int64](b, `new Set(Array.from(document.querySelectorAll(".bar nav a"), a => a.getBoundingClientRect().top)).size`); rows != 1 {
		t.Errorf("the ways into the office take %d rows", rows)
	}
}

// An owner types, and sees the letter beside it. Scripts or not, what is wrong
// is said with its place, and nothing of the page runs what was typed.
func TestALetterIsSeenAsItIsTyped(t *testing.T) {
	chrome := chromium(t)
	base, email, password := startDemo(t)
	b := open(chrome, t, base)
	b.signIn(email, password)
	b.sees("Members")
	b.visit("/admin/templates/reset")
	b.ready()
	const shown = `document.querySelector("#preview pre").textContent.includes("Wednesday is fine") ? "yes" : "no"`
	value[string](b, `window.stayed = "yes"`)
	entries := value[int](b, `history.length`)
	b.is(shown, "no")
	put := func(name, text string) {
		t.Helper()
		value[bool](b, fmt.Sprintf(`(e => { e.value = %q; return e.dispatchEvent(new Event("input", {bubbles: true})) })(document.getElementById(%q))`, text, name))
	}
	put("text", "Hello {{name}},\n\nWednesday is fine.\n\n{{link}}\n")
	b.is(shown, "yes")
	was := b.attribute("#preview iframe", "src")
	put("html", "<p>Wednesday is fine</p>\n<p>Dear {{nmae}}, {{link}}</p>")
	b.sees("Line 2, column 9: There is no placeholder {{nmae}} in this letter.")
	if now := b.attribute("#preview iframe", "src"); now != was {
		t.Error("with a mistake the last letter is gone")
	}
	put("html", "<p>Wednesday is fine</p>\n<p>Dear {{name}}, {{link}}</p>")
	b.is(`document.querySelector("#html-said").textContent`, "")
	b.is(`document.querySelector("#preview iframe").src === `+strconv.Quote(base+was)+` ? "old" : "new"`, "new")
	b.is(`String(document.querySelector("#preview iframe").contentDocument)`, "null") // of an origin of its own
	if got := value[int](b, `history.length`); got != entries || value[string](b, `window.stayed || "no"`) != "yes" {
		t.Errorf("typing left %d entries in the history", got-entries)
	}
	if letter := value[string](b, `fetch(document.querySelector("#preview iframe").src).then(r => r.text())`); !strings.Contains(letter, "Wednesday is fine") {
		t.Errorf("the letter in the frame is %s", letter)
	}
	wide := value[int](b, `document.querySelector("#preview iframe").clientWidth`)
	b.do(chromedp.Click(`//span[.="Phone"]`))
	if narrow := value[int](b, `document.querySelector("#preview iframe").clientWidth`); wide < 490 || narrow > 375 {
		t.Errorf("%d and %d wide", wide, narrow)
	}
	b.do(chromedp.Click(`//span[.="Plain text"]`))
	b.is(`getComputedStyle(document.querySelector("#preview iframe")).display`, "none")
	const leaves = `(e => { window.dispatchEvent(e); return e.defaultPrevented ? "asked first" : "at once" })(new Event("beforeunload", {cancelable: true}))`
	b.is(leaves, "asked first")
	b.press("Send me a test")
	b.sees("A test is on its way to " + email)
	b.is(leaves, "asked first") // it is not saved by that
	b.is(`document.getElementById("html").value.includes("Wednesday") ? "kept" : "lost"`, "kept")
	b.press("Save")
	b.sees("Saved. Letters that are asked for from now on read like this.")
	b.is(leaves, "at once")

	b.withoutScripts()
	b.visit("/admin/templates/reset?original=friendly")
	b.fill("subject", "Thursday {{nmae}}")
	b.press("Preview")
	b.sees("Character 10: There is no placeholder {{nmae}}")
	b.fill("subject", "Thursday {{name}}")
	b.press("Preview")
	b.sees("Thursday Ruth") // the subject, as it would leave
	b.visit(b.attribute("#preview iframe", "src"))
	b.sees("Forgotten passwords happen to all of us.")
}

// The telephone rings, and nobody takes a hand off the keys: / finds from
// anywhere, arrows choose, Enter opens the Settings tab, Escape closes.
func TestMembersAreFoundByKeys(t *testing.T) {
	chrome := chromium(t)
	base, email, password := startDemo(t)
	b := open(chrome, t, base)
	b.signIn(email, password)
	b.sees("Members")

	sought := func(text string) {
		t.Helper()
		b.visit("/admin/staff")
		b.ready()
		b.key("/", "Slash", 191)
		b.types(text)
		b.is(`document.querySelector("#hits [data-sought]").dataset.sought`, text)
	}
	state := func(expanded, chosen string) {
		t.Helper()
		b.is(`document.activeElement.getAttribute("aria-expanded")`, expanded)
		b.is(`document.activeElement.getAttribute("aria-activedescendant") || ""`, chosen)
		b.is(`Array.from(document.querySelectorAll("#hits [aria-selected]")).map(e => e.id).join()`, chosen)
	}
	sought("ma")
	state("true", "hit-0")
	b.down()
	b.down()
	state("true", "hit-2")
	b.up()
	state("true", "hit-1")
	to := b.attribute("#hit-1", "href")
	b.enter()
	b.is("location.pathname", to)
	b.sees("Why can’t they sign in?")

	sought("ma")
	b.key("", "Escape", 27)
	state("false", "")
	b.is("document.activeElement.value", "ma") // the browser's own Escape would empty it
	b.down()
	state("true", "hit-0")
	for range 12 { // past the last
		b.down()
	}
	state("true", "hit-all")
	b.key("", "Tab", 9)
	b.is(`document.getElementById("hits").innerHTML`, "")

	sought("wisniewksi")
	b.sees("Did you mean “Wiśniewski”?")
	b.enter()
	b.is("document.activeElement.value", "Wiśniewski")
	b.is(`document.querySelector("#hits [data-sought]").dataset.sought`, "Wiśniewski")
	state("true", "hit-0")
	b.enter()
	b.sees("Why can’t they sign in?")
	b.sees("Łukasz")

	// In the list, what is chosen is said, and Enter waits for the answer to the
	// last letter.
	b.visit("/admin/members")
	b.ready()
	b.key("/", "Slash", 191)
	b.down()
	b.is(`document.getElementById("said").textContent`, value[string](b, `document.querySelector("tbody .who a").textContent`))
	b.types("luk")
	b.enter()
	b.sees("Why can’t they sign in?")
	b.sees("Łukasz")

	// Whoever is on another page of a search, too, opens what is marked.
	b.visit("/admin/members?q=a")
	b.visit(b.attribute("[rel=next]", "href"))
	b.ready()
	b.key("/", "Slash", 191)
	to = b.attribute("tbody [aria-selected] .badge", "href")
	b.enter()
	b.is("location.pathname", to)

	// The slash finds while something has the focus in which nobody writes, and
	// from the pages without a search leads to it.
	for _, focus := range []string{"[name=sort]", "[name=filter]:checked", ".me summary"} {
		b.visit("/admin/members")
		b.ready()
		value[bool](b, `document.querySelector("`+focus+`").focus() === undefined`)
		b.key("/", "Slash", 191)
		b.is("document.activeElement.id + document.activeElement.value", "q")
	}
	for _, focus := range []string{`<input readonly>`, `<input type="checkbox">`, `<button type="button">x</button>`} {
		b.visit("/admin/staff")
		b.ready()
		value[bool](b, `document.querySelector("main").innerHTML = '`+focus+`', document.querySelector("main > *").focus() === undefined`)
		b.key("/", "Slash", 191)
		b.is("document.activeElement.id + document.activeElement.value", "find")
	}
	b.visit("/admin/members/new")
	b.ready()
	value[bool](b, `document.querySelector("[name=notes]").focus() === undefined`)
	b.key("/", "Slash", 191)
	b.is("document.activeElement.name + document.activeElement.value", "notes/")
	for _, path := range []string{"/account", "/account/password", "/demo/letters"} {
		b.visit(path)
		b.ready()
		b.is(`String(!document.querySelector("[autofocus]") || document.activeElement.autofocus)`, "true") // comes with the first frame
		value[bool](b, `document.activeElement.blur() === undefined`)
		b.key("/", "Slash", 191)
		b.is("location.pathname + location.hash + document.activeElement.id", "/admin/members#qq")
		b.ready()
		b.types("luk")
		b.is("location.pathname + location.search", "/admin/members?q=luk")
	}
}

// Keys are faster than answers: what they mean is the answer to what is typed.
func TestKeysWaitForTheAnswer(t *testing.T) {
	chrome := chromium(t)
	base, email, password := startDemo(t)
	b := open(chrome, t, base)
	b.signIn(email, password)
	b.sees("Members")

	// at once is all of it in one breath, before any answer can be there.
	atOnce := func(text, then string, keys ...string) {
		t.Helper()
		var presses strings.Builder
		for _, key := range keys {
			fmt.Fprintf(&presses, `field.dispatchEvent(new KeyboardEvent("keydown", {key: %q, bubbles: true, cancelable: true}));`, key)
		}
		value[bool](b, fmt.Sprintf(`(() => {
			const field = document.querySelector("[data-finds]")
			document.addEventListener("click", e => { window.opened = e.target.closest("a").getAttribute("href"); e.preventDefault() }, true)
			field.focus()
			field.value = %q
			field.dispatchEvent(new InputEvent("input", {bubbles: true}))
			%s %s
			return true
		})()`, text, presses.String(), then))
	}
	for _, c := range []struct{ page, hits string }{
		{"/admin/members", "#members tbody tr .badge"},
		{"/admin/staff", "#hits [role=option]"},
	} {
		for _, keys := range []struct {
			pressed []string
			hit     int
		}{
			{[]string{"Enter"}, 0},
			{[]string{"ArrowDown", "ArrowDown", "Enter"}, 2},
			{[]string{"ArrowUp", "ArrowDown", "Enter"}, 1},
			{[]string{"ArrowDown", "Enter", "ArrowDown"}, 1},
		} {
			b.visit(c.page)
			b.ready()
			atOnce("\ufeff ma ", "", keys.pressed...)
			b.is(`window.opened === undefined ? "" : "opened"`, "opened")
			b.is(`window.opened`, value[string](b, fmt.Sprintf(`document.querySelectorAll(%q)[%d].getAttribute("href")`, c.hits, keys.hit)))
		}
		b.visit(c.page)
		b.ready()
		atOnce("ma", "", "ArrowDown", "ArrowDown")
		b.is(fmt.Sprintf(`String(Array.from(document.querySelectorAll(%q)).findIndex(e => e.closest("[aria-selected]")))`, c.hits), "2")

		b.visit(c.page)
		b.ready()
		atOnce("luk", `document.querySelector("main a, main button").focus()`, "ArrowDown", "Enter")
		b.is(`document.querySelector("[data-sought=luk]") ? "there" : ""`, "there")
		b.is(`window.opened || "nothing"`, "nothing")
	}
	// In the list the count is said after anything would have been opened.
	b.visit("/admin/members")
	b.ready()
	atOnce("luk", `document.querySelector("main a, main button").focus()`, "Enter")
	b.is(`document.getElementById("said").textContent === document.querySelector("[data-sought=luk]").textContent ? "said" : ""`, "said")
	b.is(`window.opened || "nothing"`, "nothing")
}

func TestTheListFitsSmallScreens(t *testing.T) {
	chrome := chromium(t)
	base, email, password := startDemo(t)
	b := open(chrome, t, base)
	b.signIn(email, password)
	b.sees("Members")
	for _, width := range []int64{320, 360, 390, 768, 959, 1280} {
		if _, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 800, DeviceScaleFactor: 1, Mobile: width < 768}); err != nil {
			t.Fatal(err)
		}
		b.visit("/admin/members?q=ma")
		b.ready()
		if got := value[int64](b, `Math.max(document.documentElement.scrollWidth, ...Array.from(document.querySelectorAll("main *"), e => e.closest(".sieve") && !e.matches(".sieve") || e.closest(".unseen, thead") ? 0 : Math.ceil(e.getBoundingClientRect().right)))`); got > width {
			t.Errorf("at %d the list is %d wide", width, got)
		}
	}
}

// What is asked for stands in the address: with htmx no page is loaded, and the
// browser's ways back lead to what was there.
func TestTheListIsWhatItsAddressSays(t *testing.T) {
	chrome := chromium(t)
	base, email, password := startDemo(t)
	b := open(chrome, t, base)
	b.signIn(email, password)
	b.sees("Members")
	at := func(address string) {
		t.Helper()
		b.is("location.pathname + location.search", address)
		b.ready()
	}
	shown := func() string { return value[string](b, `document.querySelector("#members").innerText`) }
	choose := func(name, choice string) {
		t.Helper()
		value[bool](b, fmt.Sprintf(`(e => { e.value = %q; return e.dispatchEvent(new Event("change", {bubbles: true})) })(document.querySelector("[name=%s]"))`, choice, name))
	}

	b.visit("/admin/members")
	b.ready()
	value[string](b, `window.stayed = "yes"`)
	b.key("/", "Slash", 191)
	b.types("ma")
	at("/admin/members?q=ma")
	b.do(chromedp.Click(`//label[contains(., "No account")]`))
	at("/admin/members?q=ma&filter=no-account")
	choose("status", "active")
	at("/admin/members?q=ma&filter=no-account&status=active")
	choose("sort", "newest")
	at("/admin/members?q=ma&filter=no-account&status=active&sort=newest")
	b.key("/", "Slash", 191) // selects what stands there
	b.types("m")
	const asked = "/admin/members?q=m&filter=no-account&status=active&sort=newest"
	at(asked)
	if value[string](b, `window.stayed || "no"`) != "yes" {
		t.Error("a page was loaded anew")
	}
	first := shown()

	// Each press is a step back, the letters are none.
	back := func() { value[bool](b, `setTimeout(() => history.back()) > 0`) }
	for _, c := range []struct{ at, choices string }{
		{"/admin/members?q=ma&filter=no-account&status=active", "ma,no-account,active,"},
		{"/admin/members?q=ma&filter=no-account", "ma,no-account,,"},
		{"/admin/members?q=ma", "ma,,,"},
	} {
		back()
		at(c.at)
		b.is(`["[name=q]", "[name=filter]:checked", "[name=status]", "[name=sort]"].map(s => document.querySelector(s).value).join()`, c.choices)
		b.is(`document.querySelector("[data-sought]").dataset.sought`, "ma")
	}
	if value[string](b, `window.stayed || "no"`) != "yes" {
		t.Error("a page was loaded anew on the way back")
	}
	b.do(chromedp.Click(`//label[contains(., "Never signed in")]`)) // what came back works as before
	at("/admin/members?q=ma&filter=never-signed-in")
	b.visit(asked)
	b.ready()

	b.key("/", "Slash", 191)
	b.down()
	to := value[string](b, `document.querySelector("tbody [aria-selected] .badge").getAttribute("href")`)
	b.enter()
	at(to)
	next := func() { value[bool](b, `setTimeout(() => document.querySelector("[rel=next]").click()) > 0`) }
	comesBack := func() {
		t.Helper()
		value[bool](b, `setTimeout(() => history.back()) > 0`)
		at(asked)
		if got := shown(); got != first {
			t.Errorf("back at %s is\n%s\nand was\n%s", b.at(), got, first)
		}
		b.is(`["q", "status", "sort"].map(n => document.querySelector("[name=" + n + "]").value).join()`, "m,active,newest")
		b.is(`document.querySelector("[name=filter]:checked").value`, "no-account")
	}
	comesBack()
	next()
	b.is(`location.search.startsWith("?q=m&filter=no-account&status=active&sort=newest&after=") ? "on" : location.search`, "on")
	second := b.at()
	comesBack()
	next()
	at(second)
	choose("sort", "") // begins at the first page again
	at("/admin/members?q=m&filter=no-account&status=active")

	b.withoutScripts()
	b.visit("/admin/members?filter=no-account&status=active")
	b.fill("q", "m")
	b.do(chromedp.Click(`//label[contains(., "Everybody")]`))
	b.press("Search")
	at("/admin/members?q=m&status=active&sort=&filter=")
}

// ready waits until the page and its scripts are there: a person's first key
// comes later.
func (b *tab) ready() {
	b.t.Helper()
	b.is("document.readyState", "complete")
}

// types presses letters.
func (b *tab) types(text string) {
	b.t.Helper()
	for _, letter := range text {
		b.key(string(letter), "Key"+strings.ToUpper(string(letter)), int64(letter)-32)
	}
}

func (b *tab) down() { b.key("", "ArrowDown", 40) }

func (b *tab) up() { b.key("", "ArrowUp", 38) }

func (b *tab) enter() { b.key("\r", "Enter", 13) }

// is waits until a script gives a text. While a page is loading it gives none.
func (b *tab) is(script, want string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 15*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](script))
		if err == nil && got == want {
			return
		}
		select {
		case <-ctx.Done():
			b.t.Fatalf("%s is %q (%v), never %q, at %s:\n%s", script, got, err, want, b.at(), b.shown())
		case <-tick.C:
		}
	}
}

// askForgot asks for a new password.
func (b *tab) askForgot() {
	b.t.Helper()
	b.visit("/forgot-password")
	b.fill("login", "nobody@example.org")
	b.submit()
	b.sees("If we know that address")
}

// memberIDs finds a record for each word of the Sign-in column and each story
// that the demonstration tells.
func (b *tab) memberIDs() (ids []string) {
	b.t.Helper()
	seen := map[string]bool{}
	for _, q := range []string{"luk", "a", "k"} {
		b.visit("/admin/members?q=" + q)
		for _, id := range value[[]string](b, `Array.from(document.querySelectorAll('main a[href^="/admin/members/"]')).map(a => a.getAttribute("href").match(/\d+/)).filter(m => m).map(m => m[0]).slice(0, 3)`) {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		b.t.Fatal("no member found")
	}
	return ids
}

// report is what the benchmarks found; TestMain prints it.
var report dbtest.Report

// What the built binary takes to start and to hold in memory, with a folder
// full of invented members.
func BenchmarkStart(b *testing.B) {
	folder := b.TempDir()
	report.Members = dbtest.Members(b)
	first, last := dbtest.Fill(b, folder, report.Members)
	binary := stripped(b)
	soon := 60 * time.Millisecond
	if report.Members > 100_000 {
		soon = 100 * time.Millisecond
	}
	slots := float64(max(1, min(goruntime.GOMAXPROCS(0)-1, 3)))
	for b.Loop() {
		table := report.Table("The binary, as built for use.", "what", "figure", "goal", "met?")
		var starts []time.Duration
		var idle float64
		for range 11 {
			p, took := launch(b, binary, folder)
			starts, idle = append(starts, took), max(idle, resident(b, p.cmd.Process.Pid))
			p.stop()
		}
		start := dbtest.Median(starts)
		table.Add("start to the first 200, median of 11", dbtest.Span(start), "≤ "+dbtest.Span(soon), dbtest.YesNo(start <= soon))
		table.Add("start to the first 200, slowest of 11", dbtest.Span(slices.Max(starts)), "", "")
		megabytes := func(what string, most, goal float64) {
			table.Add("memory, "+what, fmt.Sprintf("%.1f MB", most), fmt.Sprintf("≤ %.0f MB", goal), dbtest.YesNo(most <= goal))
		}
		megabytes("idle after the start", idle, 25)
		reads, after := readersMemory(b, binary, folder, first, last)
		megabytes("most while list, search and records are read", reads, 50)
		table.Add("memory, once the reading is over", fmt.Sprintf("%.1f MB", after), "", "")
		flood := floodMemory(b, binary, folder, 16*int(slots))
		megabytes("most while the sign-in is flooded", flood, 50+slots*24*1.048576)
		megabytes("the same with 300 people at once", floodMemory(b, binary, folder, 300), 50+slots*24*1.048576)
		info, err := os.Stat(binary)
		if err != nil {
			b.Fatal(err)
		}
		table.Add("size", fmt.Sprintf("%.1f MB", float64(info.Size())/1e6), "", "")

		b.ReportMetric(float64(start.Microseconds())/1000, "start-ms")
		b.ReportMetric(idle, "idle-MB")
		b.ReportMetric(reads, "reads-MB")
		b.ReportMetric(flood, "flood-MB")
		b.ReportMetric(float64(info.Size())/1e6, "binary-MB")
		b.ReportMetric(0, "ns/op") // of all of this, so it says nothing
	}
}

// From the press of Send Password Reset until the letter's state says that the
// mail server has it: the built binary, over HTTP, to a mail server beside it.
func BenchmarkPressToAccepted(b *testing.B) {
	const presses, goal = 300, 50 * time.Millisecond
	folder := b.TempDir()
	dbtest.Fill(b, folder, 2*presses)
	p := startAt(b, folder, freeAddr(b), "--smtp", "smtp://"+postmantest.NewSink(b, nil).Address())
	office := newVisitor(b, p)
	if status := office.signIn(dbtest.OwnerEmail, dbtest.OwnerPassword); status != http.StatusSeeOther {
		b.Fatalf("the owner cannot sign in: %d", status)
	}
	raw, err := sql.Open("sqlite3", dbtest.RawDSN(folder, "_query_only=1"))
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	query := func(to any, query string, args ...any) {
		b.Helper()
		if err := raw.QueryRow(query, args...).Scan(to); err != nil {
			b.Fatal(err)
		}
	}
	look := time.NewTicker(200 * time.Microsecond)
	defer look.Stop()
	for b.Loop() {
		table := report.Table("From the press of Send Password Reset to the state “accepted”.", "what", "figure", "goal", "met?")
		var took []time.Duration
		var member int64
		for range presses {
			var state string
			var before int64
			query(&before, `SELECT max(id) FROM letter`)
			query(&member, `SELECT min(member_id) FROM account WHERE role = 'member' AND disabled_at IS NULL AND email <> '' AND member_id > ?`, member)
			began := time.Now()
			if status := office.status(office.client.PostForm(fmt.Sprintf("%s/admin/members/%d/password-resets", p.url, member), nil)); status != http.StatusSeeOther {
				b.Fatalf("a press is answered with %d", status)
			}
			for state != "accepted" {
				query(&state, `SELECT state FROM letter WHERE id > ? ORDER BY id LIMIT 1`, before)
				if time.Since(began) > 10*time.Second {
					b.Fatalf("the letter is %s", state)
				}
				<-look.C
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		median := dbtest.Percentile(took, 50)
		table.Add(fmt.Sprintf("median of %d", presses), dbtest.Span(median), "≤ "+dbtest.Span(goal), dbtest.YesNo(median <= goal))
		table.Add("99th percentile", dbtest.Span(dbtest.Percentile(took, 99)), "", "")
		b.ReportMetric(float64(median.Microseconds())/1000, "accepted-ms")
		b.ReportMetric(0, "ns/op") // of all of this, so it says nothing
	}
}

// stripped builds the portal as task build does.
func stripped(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "latchkey")
	if out, err := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".").CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// launch starts a portal and gives how long it took to answer the first
// request for a page.
func launch(b *testing.B, binary, folder string) (*running, time.Duration) {
	b.Helper()
	addr := freeAddr(b)
	p := &running{t: b, url: "http://" + addr, folder: folder, said: &lockedBuffer{}}
	p.cmd = exec.Command(binary, "serve", "--data", folder, "--addr", addr, "--base-url", p.url)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	p.cmd.Env = append(os.Environ(), "LATCHKEY_SMTP=", "LATCHKEY_DATA=")
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.stop)
	conn := dial(b, addr)
	defer conn.Close()
	// The port is open before the database is; whoever asks then waits.
	if _, err := fmt.Fprintf(conn, "GET /sign-in HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", addr); err != nil {
		b.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		b.Fatalf("%v:\n%s", err, p.said)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		b.Fatalf("the sign-in page answers %s", answer.Status)
	}
	return p, time.Since(began)
}

// dial tries again until somebody listens.
func dial(b *testing.B, addr string) net.Conn {
	b.Helper()
	const often = 200 * time.Microsecond
	tick := time.NewTicker(often)
	defer tick.Stop()
	for range 30 * time.Second / often {
		if conn, err := net.Dial("tcp", addr); err == nil {
			return conn
		}
		<-tick.C
	}
	b.Fatalf("nobody listens on %s", addr)
	return nil
}

// visitor is a browser without pictures, several people at once.
type visitor struct {
	b      *testing.B
	p      *running
	client *http.Client
}

func newVisitor(b *testing.B, p *running) *visitor {
	b.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	return &visitor{b, p, &http.Client{
		Jar: jar, Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// status reads an answer to its end.
func (v *visitor) status(answer *http.Response, err error) int {
	if err != nil {
		v.b.Errorf("%v:\n%s", err, v.p.said)
		return 0
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		v.b.Error(err)
	}
	return answer.StatusCode
}

func (v *visitor) get(path string) int { return v.status(v.client.Get(v.p.url + path)) }

func (v *visitor) signIn(login, password string) int {
	return v.status(v.client.PostForm(v.p.url+"/sign-in", url.Values{"login": {login}, "password": {password}}))
}

// busy has several people act, each again and again for some seconds, and
// gives the most memory that the portal had meanwhile, in MB.
func (p *running) busy(b *testing.B, people int, act func(dice *rand.Rand)) (most float64) {
	b.Helper()
	ctx, stop := context.WithTimeout(b.Context(), 5*time.Second)
	defer stop()
	var together sync.WaitGroup
	for i := range people {
		together.Go(func() {
			dice := rand.New(rand.NewPCG(dbtest.Seed, uint64(i)))
			for ctx.Err() == nil && !b.Failed() {
				act(dice)
			}
		})
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		most = max(most, resident(b, p.cmd.Process.Pid))
		<-tick.C
	}
	together.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return most
}

// readersMemory is the most memory while the office reads, and that which is
// left when it is done.
func readersMemory(b *testing.B, binary, folder string, first, last int64) (most, after float64) {
	b.Helper()
	p, _ := launch(b, binary, folder)
	defer p.stop()
	raw, err := sql.Open("sqlite3", dbtest.RawDSN(folder, ""))
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	office := newVisitor(b, p)
	if got := office.signIn(dbtest.OwnerEmail, dbtest.OwnerPassword); got != http.StatusSeeOther {
		b.Fatalf("the owner's sign-in answers %d", got)
	}
	// The hash's 19 MiB are no part of reading; they go back once it is done.
	for n := 0; n < 100 && resident(b, p.cmd.Process.Pid) > 40; n++ {
		office.get("/admin/members")
	}
	most = p.busy(b, 4*goruntime.GOMAXPROCS(0), func(dice *rand.Rand) {
		m, err := dbtest.RandomMember(b.Context(), raw, dice, first, last)
		if err != nil {
			b.Error(err)
			return
		}
		path := fmt.Sprintf("/admin/members/%d", m.ID)
		switch dice.IntN(4) {
		case 0:
			path = "/admin/members"
		case 1:
			path += "/settings"
		case 2:
			path = "/admin/members?q=" + url.QueryEscape(dbtest.Searches[dice.IntN(len(dbtest.Searches))].For(m, dice))
		}
		if got := office.get(path); got != http.StatusOK {
			b.Errorf("%s answers %d", path, got)
		}
	})
	return most, resident(b, p.cmd.Process.Pid)
}

// floodMemory is the most memory while so many try to sign in at once, each
// time under another name.
func floodMemory(b *testing.B, binary, folder string, people int) float64 {
	b.Helper()
	p, _ := launch(b, binary, folder)
	defer p.stop()
	crowd := newVisitor(b, p)
	var guess atomic.Int64
	return p.busy(b, people, func(*rand.Rand) {
		switch got := crowd.signIn(fmt.Sprintf("guess%d@nowhere.example", guess.Add(1)), "correct horse battery staple"); got {
		case http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		default:
			b.Errorf("a guess is answered with %d", got)
		}
	})
}

// resident is a process's memory in MB (10⁶ bytes), 0 where the system does not
// tell.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	var kb float64
	if _, rest, ok := strings.Cut(string(status), "VmRSS:"); ok {
		_, _ = fmt.Sscan(rest, &kb)
	}
	return kb * 1024 / 1e6 // the file's kB are KiB
}

// What a browser that was never here fetches for the sign-in page and then for
// a Settings tab with a live link: everything, as it crosses the wire. Presses
// are those from / to the link in the clipboard, less the letters of the name.
func BenchmarkFirstVisit(b *testing.B) {
	base, email, password := startDemo(b)
	chrome := chromium(b)
	var signIn, settings float64
	presses := 0
	table := report.Table("A browser that was never here.", "what", "figure")
	for b.Loop() {
		t := open(chrome, b, base)
		t.signIn(email, password)
		t.sees("Needs attention")

		// The telephone rings: / puts the cursor into the search, three letters,
		// Enter opens the first hit's Settings tab.
		t.visit("/admin/staff")
		t.key("/", "Slash", 191)
		for _, letter := range "luk" {
			t.key(string(letter), "Key"+strings.ToUpper(string(letter)), int64(letter)-32)
		}
		t.key("\r", "Enter", 13)
		t.sees("Why can’t they sign in?")
		t.press("Send Password Reset")
		t.do(chromedp.WaitVisible(chromedp.CSS("[data-reset-link]")))
		t.press("Copy Link")
		presses = 4
		tab := t.at()

		if _, err := chromedp.Call(t.ctx, network.ClearBrowserCache, cdp.Empty{}); err != nil {
			b.Fatal(err)
		}
		signIn, settings = t.wire("/sign-in"), t.wire(tab)
	}
	table.Add("sign-in page, over the wire with headers", fmt.Sprintf("%.1f KB", signIn/1000))
	table.Add("sign-in page, then a Settings tab with a live link", fmt.Sprintf("%.1f KB", (signIn+settings)/1000))
	table.Add("presses from / to the link in the clipboard, besides three letters of the name", strconv.Itoa(presses))
	b.ReportMetric(signIn/1000, "KB-sign-in")
	b.ReportMetric((signIn+settings)/1000, "KB-sign-in-then-settings")
	b.ReportMetric(float64(presses), "presses")
}

// wire is how many bytes it takes to open a page and all it needs.
func (b *tab) wire(path string) float64 {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{}); err != nil {
		b.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.ctx)
	defer stop()
	var mu sync.Mutex
	var bytes float64
	if err := chromedp.Listen(ctx, func(e any) {
		if e, ok := e.(*network.EventLoadingFinished); ok {
			mu.Lock()
			bytes += e.EncodedDataLength
			mu.Unlock()
		}
	}); err != nil {
		b.t.Fatal(err)
	}
	b.visit(path)
	b.do(chromedp.Poll[chromedp.Void](`document.readyState === "complete" && document.fonts.status === "loaded"`))
	mu.Lock()
	defer mu.Unlock()
	return bytes
}

// telephone gives the browser a telephone that keeps passkeys and is always
// unlocked by its holder.
func (b *tab) telephone() (set func(webauthn.SetResponseOverrideBitsParams)) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		b.t.Fatal(err)
	}
	added, err := chromedp.Call(b.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	if err != nil {
		b.t.Fatal(err)
	}
	return func(p webauthn.SetResponseOverrideBitsParams) {
		b.t.Helper()
		p.AuthenticatorID = added.AuthenticatorID
		if _, err := chromedp.Call(b.ctx, webauthn.SetResponseOverrideBits, p); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *tab) signOut() {
	b.t.Helper()
	b.visit("/account")
	b.press("Sign out")
	b.sees("You are signed out.")
}

// Passkeys as second factor and as whole sign-in, an app, recovery codes, and
// what a reset leaves of them, with Chromium's own virtual authenticator.
func TestASecondFactorInABrowser(t *testing.T) {
	chrome := chromium(t)
	base, email, password := startDemo(t)
	b := open(chrome, t, base)
	override := b.telephone()
	// The browser of the test takes what is offered below the field for the
	// login without a press, so that comes last.
	older, err := chromedp.Call(b.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `PublicKeyCredential.isConditionalMediationAvailable = undefined`})
	if err != nil {
		t.Fatal(err)
	}

	b.signIn(email, password)
	b.sees("You need a second step when you sign in. There is time to set one up until")
	b.visit("/account/two-factor")
	b.accessible("nothing set up")
	b.press("Add a passkey")
	b.fill("current_password", "not my password at all")
	b.press("Go on")
	b.sees("This is not your present password.")
	b.fill("current_password", password)
	b.press("Go on")
	b.press("Make the passkey")
	b.sees("Keep these codes")
	b.accessible("recovery codes")
	codes := value[[]string](b, `Array.from(document.querySelectorAll(".codes code")).map(c => c.textContent)`)
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes", len(codes))
	}
	b.press("I have them")
	b.sees("10 of 10 are left")
	b.accessible("a passkey")
	b.visit("/admin/members")
	if strings.Contains(b.text(), "There is time until") {
		t.Error("the notice stands although there is a second factor")
	}

	// As a second factor.
	b.signOut()
	b.signIn(email, password)
	b.sees("Your second step")
	b.accessible("the second step")
	b.press("Use a passkey")
	b.sees("Members")

	// As a whole sign-in.
	b.signOut()
	b.visit("/sign-in")
	b.accessible("the sign-in page")
	b.press("Use a passkey")
	b.sees("Members")

	// Not with a signature of nothing, and not without its holder.
	b.signOut()
	yes := true
	for _, bad := range []webauthn.SetResponseOverrideBitsParams{{IsBogusSignature: &yes}, {IsBadUV: &yes}} {
		override(bad)
		b.visit("/sign-in")
		b.press("Use a passkey")
		b.sees("This passkey does not open anything here.")
	}
	override(webauthn.SetResponseOverrideBitsParams{})

	// A reset leaves it, but only as the second factor until it is confirmed.
	b.visit("/forgot-password")
	b.fill("login", email)
	b.submit()
	b.sees("a letter is on its way")
	var link string
	eventually(t, "the letter is there", func() bool {
		b.visit("/demo/letters")
		link = value[string](b, `(Array.from(document.querySelectorAll("tbody tr")).filter(r => r.textContent.includes("`+email+`"))
			.map(r => r.querySelector('a[href*="/reset/"]')).filter(a => a)[0] || {href: ""}).href`)
		return link != ""
	})
	b.visit(link)
	b.fill("password", newPassword, "password_confirm", newPassword)
	b.press("Save password")
	b.sees("Your password is changed.")
	b.press("Use a passkey")
	b.sees("Your password was changed since this passkey was last used.")
	b.signIn(email, newPassword)
	b.sees("Your second step")
	b.press("Use a passkey")
	b.sees("Members")
	b.signOut()
	b.visit("/sign-in")
	b.press("Use a passkey")
	b.sees("Members")

	// A recovery code, once.
	b.signOut()
	b.signIn(email, newPassword)
	b.fill("code", codes[0])
	b.press("Sign in")
	b.sees("Members")
	b.signOut()
	b.signIn(email, newPassword)
	b.fill("code", codes[0])
	b.press("Sign in")
	b.sees("This code does not fit.")
	b.accessible("a code that does not fit")
	b.fill("code", codes[1])
	b.press("Sign in")
	b.sees("Members")

	// An app, set up by somebody who shows their passkey instead of the password.
	b.visit("/account/two-factor/app")
	b.accessible("who is there")
	b.press("Use a passkey instead")
	b.sees("point the camera at this picture")
	b.accessible("a new app")
	key := value[string](b, `document.querySelector(".key-text").textContent`)
	b.fill("code", dbtest.AppCode(t, key, time.Now()))
	b.press("Switch it on")
	b.sees("It is set up.")
	b.signOut()
	b.signIn(email, newPassword)
	b.fill("code", dbtest.AppCode(t, key, time.Now().Add(30*time.Second))) // the one before is used
	b.press("Sign in")
	b.sees("Members")

	// Offered below the field for the login, where the browser can.
	b.signOut()
	if _, err := chromedp.Call(b.ctx, page.RemoveScriptToEvaluateOnNewDocument, page.RemoveScriptToEvaluateOnNewDocumentParams(older)); err != nil {
		t.Fatal(err)
	}
	b.visit("/sign-in")
	b.sees("Members")

	// And the passkey goes.
	b.visit("/account/two-factor")
	b.press("Remove Chrome on Linux")
	b.fill("current_password", newPassword)
	b.press("Remove it")
	b.sees("Removed. It does not sign you in any more.")
	b.signOut()
	b.visit("/sign-in")
	b.sees("This passkey does not open anything here.") // it was offered and taken again
}

// What people type stays words in a real browser as well, also where htmx swaps
// it in: nothing of it runs, asks, moves the page or becomes an element.
// Whatever the content security policy has to block fails the test already.
func TestNothingThatIsTypedRunsInABrowser(t *testing.T) {
	chrome := chromium(t)
	base, email, password := startDemo(t)
	b := open(chrome, t, base)
	if err := chromedp.Listen(b.ctx, func(e any) {
		if e, ok := e.(*page.EventJavascriptDialogOpening); ok {
			t.Errorf("%s asks: %s", e.URL, e.Message)
		}
	}); err != nil {
		t.Fatal(err)
	}
	b.signIn(email, password)
	b.sees("Members")
	const hostile = `x"'></textarea></title><evil-a></evil-a><img src=x onerror="alert(1)"><script>alert(2)</script><svg onload=alert(3)>`
	posts := func(path string, fields map[string]string) {
		t.Helper()
		said, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		answer := value[string](b, fmt.Sprintf(`fetch(%q, {method: "POST", body: new URLSearchParams(%s)}).then(a => a.status + " " + a.url)`, path, said))
		if !strings.HasPrefix(answer, "200 ") {
			t.Fatalf("%s: %s", path, answer)
		}
	}
	posts("/admin/members", map[string]string{"first_name": "Zacharias", "last_name": hostile[:90], "company": hostile[:90], "notes": hostile, "city": hostile[:60],
		"email": "zacharias@example.org", "status": "active"})
	b.visit("/admin/members?q=zacharias")
	b.press("Zacharias")
	b.sees("Details")
	record := b.at()
	look := func(what string) {
		t.Helper()
		// The browser's own view of the page, after every script ran.
		if n := value[int](b, `document.querySelectorAll("evil-a, img[src=x], [onerror], [onload], script:not([src])").length`); n > 0 {
			t.Errorf("%s, at %s: %d elements came out of words", what, b.at(), n)
		}
	}
	look("the record")
	posts(record+"/account", map[string]string{"email": "zacharias@example.org"})
	for _, path := range []string{record, record + "/settings", record + "/activity", "/admin", "/admin/letters", "/admin/audit", "/admin/members?q=" + url.QueryEscape(hostile),
		"/admin/letters?q=" + url.QueryEscape(hostile), "/sign-in?next=" + url.QueryEscape("/"+hostile), "/demo/letters", "/" + url.PathEscape(hostile)} {
		b.visit(path)
		look("a page")
	}
	// As people type, htmx brings the answer.
	for _, path := range []string{"/admin/members", "/admin/letters", "/admin/audit"} {
		b.visit(path)
		b.ready()
		b.do(chromedp.SendKeys(chromedp.CSS(`main [name="q"], main [name="who"]`), "zacharias"+hostile[:40]))
		look("what htmx brought")
		b.visit(path)
		b.ready()
		b.do(chromedp.SendKeys(chromedp.CSS(`main [name="q"], main [name="who"]`), "zacharias"))
		b.sees("acharias")
		look("what htmx found")
	}
	b.visit(record + "/settings")
	b.ready()
	b.press("Send Password Reset")
	b.sees("asked for by")
	look("the banner")
}

// readmeNames are the tests and files of the README's table of promises.
var readmeNames = regexp.MustCompile("`(?:(Test[A-Za-z]+)|((?:db|handlers|views|main)[a-z_/]*\\.(?:go|sql)))`")

// A promise whose test was renamed or lost is none: what the README names is
// there.
func TestWhatTheReadmePromisesIsTested(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests bytes.Buffer
	err = filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		tests.Write(source)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, name := range readmeNames.FindAllStringSubmatch(string(readme), -1) {
		if test := name[1]; test != "" {
			named++
			if !strings.Contains(tests.String(), "\nfunc "+test+"(t *testing.T)") {
				t.Errorf("there is no %s", test)
			}
		} else if _, err := os.Stat(name[2]); err != nil {
			t.Errorf("there is no %s", name[2])
		}
	}
	if named < 40 {
		t.Errorf("the table names %d tests only", named)
	}
	for _, line := range strings.Split(string(readme), "\n") {
		if id, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " |"); ok && asvsID.MatchString(id) && !strings.Contains(line, "`Test") {
			t.Errorf("%s has no test", id)
		}
	}
}

var asvsID = regexp.MustCompile(`^\d+\.\d+\.\d+`)
