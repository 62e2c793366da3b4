package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/model"
)

// patience is how long a test waits for what must happen. It is long because
// the machine may be busy with other packages' tests.
const patience = 60 * time.Second

// binary is the program itself: what a terminal, a signal and a status are
// can only be told by running it.
var binary string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "latchkey-cli-test-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(folder, "latchkey")
	args := []string{"build", "-o", binary}
	if raceDetected() {
		args = append(args, "-race") // then a race ends the program with a status of its own
	}
	build := exec.Command("go", append(args, "latchkey")...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		os.Exit(1)
	}
	status := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(status)
}

func raceDetected() bool {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range build.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

// command is a run of the program in an environment that says nothing but env.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, binary, args...)
	c.Dir = t.TempDir()
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "LATCHKEY_") {
			c.Env = append(c.Env, v)
		}
	}
	c.Env = append(c.Env, "GORACE=atexit_sleep_ms=0") // else each run under the race detector ends a second late
	c.Env = append(c.Env, env...)
	return c
}

// finish runs the program to its end.
func finish(t *testing.T, c *exec.Cmd) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String(), errs.String()
}

// program is one that runs until it is told to stop.
type program struct {
	t       *testing.T
	cmd     *exec.Cmd
	lines   chan string
	said    strings.Builder
	stderr  bytes.Buffer
	stopped bool
}

func start(t *testing.T, c *exec.Cmd) *program {
	t.Helper()
	p := &program{t: t, cmd: c, lines: make(chan string, 100)}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = w, &p.stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	go func() {
		defer close(p.lines)
		defer r.Close()
		for s := bufio.NewScanner(r); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		if !p.stopped {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	})
	return p
}

// says waits for a line on stdout and gives the first group of the pattern.
func (p *program) says(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.After(patience)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				_ = p.cmd.Wait()
				p.stopped = true
				p.t.Fatalf("ended without saying %s; it said:\n%s%s", pattern, &p.said, &p.stderr)
			}
			p.said.WriteString(line + "\n")
			if m := re.FindStringSubmatch(line); m != nil {
				return m[len(m)-1]
			}
		case <-deadline:
			p.t.Fatalf("did not say %s; it said:\n%s", pattern, &p.said)
		}
	}
}

// signal sends SIGTERM.
func (p *program) signal() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

// ends waits for the program and gives its status.
func (p *program) ends() int {
	p.t.Helper()
	for line := range p.lines {
		p.said.WriteString(line + "\n")
	}
	_ = p.cmd.Wait() // the status says it
	p.stopped = true
	return p.cmd.ProcessState.ExitCode()
}

// stop ends the program as an init system does.
func (p *program) stop() {
	p.t.Helper()
	p.signal()
	if status := p.ends(); status != 0 {
		p.t.Errorf("SIGTERM ended it with status %d:\n%s%s", status, &p.said, &p.stderr)
	}
}

// eventually polls until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s did not happen in %s", what, patience)
		}
	}
}

// browser keeps cookies and follows no redirect.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar, Timeout: patience, Transport: &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func get(t *testing.T, c *http.Client, address string) (status int, body string) {
	t.Helper()
	res, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, res)
}

func post(t *testing.T, c *http.Client, address string, form url.Values) (status int, body, location string) {
	t.Helper()
	res, err := c.PostForm(address, form)
	if err != nil {
		t.Fatal(err)
	}
	status, body = read(t, res)
	return status, body, res.Header.Get("Location")
}

func read(t *testing.T, res *http.Response) (status int, body string) {
	t.Helper()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// opened is the portal in a folder, beside whatever else has it open.
func opened(t *testing.T, folder string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), folder, db.Fixed{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

const (
	ruth     = "ruth@example.org"
	password = "copper kettle under the stairs"
)

// setUp makes a portal with an owner in a new folder.
func setUp(t *testing.T) (folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "data")
	d := opened(t, folder)
	s := model.DefaultSettings()
	s.Association, s.BaseURL = "Rowing Club", "http://localhost:8099"
	err := d.SetUp(t.Context(), model.SetUp{FirstName: "Ruth", LastName: "Adler", Email: ruth, Password: model.NewSecret(password), Confirm: model.NewSecret(password), Settings: s})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return folder
}

// fitsIn says whether somebody can sign in.
func fitsIn(t *testing.T, d *db.DB, login, password string) bool {
	t.Helper()
	_, err := d.SignIn(t.Context(), model.SignIn{Login: login, Password: model.NewSecret(password), Network: "192.0.2.0/24"})
	if err != nil && model.KindOf(err) != model.KindSignIn {
		t.Fatal(err)
	}
	return err == nil
}

// A library that finds methods by names it is told, as template engines and some
// readers of command lines do, has the linker keep every exported method of the
// program: 2.4 MB of the binary, and 2 to 3 MB of the memory of each portal.
func TestTheLinkerLeavesOutWhatNobodyCalls(t *testing.T) {
	symbols, err := exec.CommandContext(t.Context(), "go", "tool", "nm", binary).Output()
	if err != nil || !bytes.Contains(symbols, []byte(" main.main\n")) {
		t.Fatalf("the symbols cannot be read: %v", err)
	}
	if bytes.Contains(symbols, []byte(" reflect.(*Value).MethodByName\n")) {
		t.Error("it kept a method that nobody calls")
	}
}

// taken is an address of this machine that somebody listens on.
func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}
