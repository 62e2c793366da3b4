package cli_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/db/model"
)

const anyPort = "--addr=localhost:0"

func TestServeListensOnThisMachineOnlyAndSaysWhere(t *testing.T) {
	c := command(t, nil, anyPort)
	p := start(t, c)
	base := p.says(`^Latchkey is at (http://localhost:\d+)$`)
	if got := p.says(`^It listens on (\S+) `); got != "127.0.0.1:"+strings.TrimPrefix(base, "http://localhost:") {
		t.Errorf("listens on %s, and links begin with %s", got, base)
	}
	if status, _ := get(t, browser(t), base+"/healthz"); status != http.StatusOK {
		t.Errorf("/healthz answers %d", status)
	}
	for path, want := range map[string]fs.FileMode{"": 0o700, "latchkey.db": 0o600, "secret.key": 0o600} {
		info, err := os.Stat(filepath.Join(c.Dir, "latchkey-data", path))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of latchkey-data/%s is %o, want %o", path, got, want)
		}
	}
	p.stop()
	if strings.Contains(p.stderr.String(), "level=ERROR") {
		t.Errorf("it logged:\n%s", &p.stderr)
	}
}

func TestTheSetUpAddressIsNewOnEachStartAndOpensTheSetUpPage(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	const pattern = `^    (http://localhost:\d+/setup\?code=[a-z2-7]{26})$`

	p := start(t, command(t, nil, "serve", "--data", folder, anyPort))
	first := p.says(pattern)
	b := browser(t)
	b.CheckRedirect = nil
	if status, page := get(t, b, first); status != http.StatusOK || !strings.Contains(page, "<form") {
		t.Errorf("the printed address answers %d:\n%.300s", status, page)
	}
	for _, wrong := range []string{strings.Split(first, "?")[0], first[:len(first)-1], first[:len(first)-4] + "7777"} {
		if status, _ := get(t, browser(t), wrong); status == http.StatusOK {
			t.Error("the set-up page opens without its code")
		}
	}
	p.stop()
	if strings.Contains(p.stderr.String(), strings.Split(first, "code=")[1]) {
		t.Error("the code is in the log")
	}

	p = start(t, command(t, nil, "serve", "--data", folder, anyPort))
	if second := p.says(pattern); strings.Split(second, "code=")[1] == strings.Split(first, "code=")[1] {
		t.Error("the code of the last start is used again")
	}
	p.stop()
}

func TestASetUpPortalHasNoSetUpAddress(t *testing.T) {
	p := start(t, command(t, nil, "--data", setUp(t), anyPort))
	p.says(`^Ctrl\+C stops it\.$`)
	p.stop()
	if strings.Contains(p.said.String(), "setup") {
		t.Errorf("it said:\n%s", &p.said)
	}
}

func TestTheFlagBeatsTheEnvironmentAndThatTheStoredSetting(t *testing.T) {
	folder := setUp(t)
	for _, test := range []struct {
		name string
		env  []string
		args []string
		want string
	}{
		{"stored", nil, nil, "http://localhost:8099"},
		{"variable", []string{"LATCHKEY_BASE_URL=https://a.example"}, nil, "https://a.example"},
		{"empty variable", []string{"LATCHKEY_BASE_URL=", "LATCHKEY_SMTP=", "LATCHKEY_TRUSTED_PROXY=", "LATCHKEY_MAIL_FROM="}, nil, "http://localhost:8099"},
		{"flag", []string{"LATCHKEY_BASE_URL=https://a.example"}, []string{"--base-url=https://B.example/"}, "https://b.example"},
		{"flag before the command", []string{"LATCHKEY_BASE_URL=https://a.example"}, []string{"--base-url", "https://B.example/", "serve"}, "https://b.example"},
		{"empty flag", []string{"LATCHKEY_BASE_URL=https://a.example"}, []string{"--base-url="}, "http://localhost:8099"},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := append(test.env, "LATCHKEY_DATA="+folder, "LATCHKEY_ADDR=localhost:0")
			p := start(t, command(t, env, test.args...))
			if got := p.says(`^Latchkey is at (\S+)$`); got != test.want {
				t.Errorf("it is at %s, want %s", got, test.want)
			}
			p.stop()
		})
	}
}

func TestSeveralProxiesComeFromTheEnvironmentOrFromFlags(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string // the first that is no address
	}{
		{nil, `"proxy"`},
		{[]string{"--trusted-proxy=10.0.0.7,gate"}, `"gate"`},
		{[]string{"--trusted-proxy", "10.0.0.7", "--trusted-proxy", "door"}, `"door"`},
	} {
		c := command(t, []string{"LATCHKEY_TRUSTED_PROXY=10.0.0.0/8, ::1, proxy"}, append(test.args, anyPort)...)
		if status, _, stderr := finish(t, c); status != 1 || !strings.Contains(stderr, "not "+test.want) {
			t.Errorf("%q ended with status %d: %s", test.args, status, stderr)
		}
	}
}

func TestWhatKeepsThePortalFromStartingIsOneSentence(t *testing.T) {
	portal := func(t *testing.T) string { return setUp(t) }
	for _, test := range []struct {
		name string
		data func(t *testing.T) string // the folder
		args func(t *testing.T) []string
		want []string // parts of the sentence
	}{
		{name: "a taken port", args: func(t *testing.T) []string { return []string{"--addr", taken(t)} },
			want: []string{"port", "taken", "--addr"}},
		{name: "another portal serves the folder", data: func(t *testing.T) string {
			folder := setUp(t)
			start(t, command(t, nil, "--data", folder, anyPort)).says("^Ctrl")
			return folder
		}, want: []string{"already being served", "--data"}},
		{name: "a file where the folder should be", data: func(t *testing.T) string {
			return write(t, filepath.Join(t.TempDir(), "data"), "not a folder")
		}, want: []string{"data", "not a directory", "--data"}},
		{name: "a folder that cannot be made", data: func(t *testing.T) string {
			return filepath.Join(write(t, filepath.Join(t.TempDir(), "file"), ""), "data")
		}, want: []string{"cannot be made", "--data"}},
		{name: "a folder that cannot be written", data: func(*testing.T) string {
			return "/proc/self" // nobody can, not even root
		}, want: []string{"folder /proc/self"}},
		{name: "a missing key", data: func(t *testing.T) string {
			folder := setUp(t)
			if err := os.Remove(filepath.Join(folder, "secret.key")); err != nil {
				t.Fatal(err)
			}
			return folder
		}, want: []string{"secret.key is missing", "put it back"}},
		{name: "a damaged key", data: func(t *testing.T) string {
			folder := setUp(t)
			write(t, filepath.Join(folder, "secret.key"), "k1 AAAA\n")
			return folder
		}, want: []string{"secret.key is damaged", "put it back"}},
		{name: "an empty key", data: func(t *testing.T) string {
			folder := setUp(t)
			write(t, filepath.Join(folder, "secret.key"), "")
			return folder
		}, want: []string{"secret.key is damaged", "put it back"}},
		{name: "another database's key", data: func(t *testing.T) string {
			folder := setUp(t)
			write(t, filepath.Join(folder, "secret.key"), string(model.NewKeyring().File()))
			return folder
		}, want: []string{"secret.key belongs to another database", "put back"}},
		{name: "a key that others can read", data: func(t *testing.T) string {
			folder := setUp(t)
			if err := os.Chmod(filepath.Join(folder, "secret.key"), 0o644); err != nil {
				t.Fatal(err)
			}
			return folder
		}, want: []string{"secret.key can be read by other users", "chmod 600"}},
		{name: "a newer database", data: func(t *testing.T) string {
			folder := setUp(t)
			change(t, folder, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`)
			return folder
		}, want: []string{"newer Latchkey", "99999"}},
		{name: "a file that is no database", data: func(t *testing.T) string {
			folder := setUp(t)
			for _, f := range []string{"latchkey.db-wal", "latchkey.db-shm"} {
				_ = os.Remove(filepath.Join(folder, f))
			}
			write(t, filepath.Join(folder, "latchkey.db"), strings.Repeat("This is a letter to the milkman. ", 500))
			return folder
		}, want: []string{"database"}},
		{name: "an address without a port", args: flags("--addr", "localhost"), want: []string{"--addr", "HOST:PORT"}},
		{name: "a port that is none", args: flags("--addr", "localhost:http"), want: []string{"--addr", "number"}},
		{name: "somebody else's address", args: flags("--addr", "192.0.2.1:8080"), want: []string{"no address 192.0.2.1", "--addr"}},
		{name: "a base URL with a path", args: flags("--base-url", "https://example.org/portal"), want: []string{"--base-url"}},
		{name: "a mail server without a scheme", args: flags("--smtp", "ruth:sesame@mail.example.org"), want: []string{"--smtp", "smtp://"}},
		{name: "a sender that is none", args: flags("--mail-from", "the office"), want: []string{"--mail-from"}},
		{name: "a proxy that is none", args: flags("--trusted-proxy", "10.0.0.0/8,proxy"), want: []string{"--trusted-proxy", `"proxy"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.data == nil {
				test.data = portal
			}
			args := []string{"--data", test.data(t), anyPort}
			if test.args != nil {
				args = append(args, test.args(t)...)
			}
			status, stdout, stderr := finish(t, command(t, nil, args...))
			if status != 1 {
				t.Errorf("ended with status %d", status)
			}
			if strings.Contains(stdout, "Latchkey is at") {
				t.Errorf("it said it was there:\n%s", stdout)
			}
			if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "latchkey: ") {
				t.Errorf("not one sentence:\n%s", stderr)
			}
			for _, part := range test.want {
				if !strings.Contains(stderr, part) {
					t.Errorf("%q is not in %q", part, stderr)
				}
			}
			if strings.Contains(stderr, "sesame") {
				t.Errorf("the password is in %q", stderr)
			}
		})
	}
}

func flags(args ...string) func(*testing.T) []string {
	return func(*testing.T) []string { return args }
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func change(t *testing.T, folder, query string) {
	t.Helper()
	file, err := sql.Open("sqlite3", filepath.Join(folder, "latchkey.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

func TestACommandLineThatMakesNoSenseIsToldSo(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string // a part of the sentence
	}{
		{[]string{"serv"}, `"serv"`},
		{[]string{"serve", "x"}, `"x"`},
		{[]string{"serv", "--name", "Ruth"}, `"serv"`},
		{[]string{"--", "x"}, `"x"`},
		{[]string{""}, `""`},
		{[]string{"help"}, `"help"`},
		{[]string{"completion", "bash"}, `"completion"`},
		{[]string{"--colour"}, "--colour"},
		{[]string{"-x"}, "-x"},
		{[]string{"--addr"}, "--addr"},
		{[]string{"--data", "--addr=localhost:0"}, "--data"},
		{[]string{"-smtp=smtp://ruth:sesame@mail.example.org"}, "-s"},
		{[]string{"demo", "--addr=localhost:1"}, "--addr"},
		{[]string{"--addr=localhost:1", "version"}, "--addr"},
		{[]string{"version", "x"}, `"x"`},
		{[]string{"owner"}, "owner EMAIL"},
		{[]string{"owner", ruth, "sesame"}, "owner EMAIL"},
		{[]string{"owner", ruth, "--password-stdin=sesame"}, "--password-stdin"},
		{[]string{"owner", ruth, "--name", "--clear-two-factor"}, "--name"},
		{[]string{"key"}, "key rotate"},
		{[]string{"key", "lock"}, "key rotate"},
		{[]string{"key", "rotate", "k1"}, `"k1"`},
	} {
		c := command(t, nil, test.args...)
		status, stdout, stderr := finish(t, c)
		if status != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "latchkey --help") ||
			!strings.Contains(stderr, test.want) || strings.Contains(stderr, "sesame") {
			t.Errorf("%q ended with status %d: %s%s", test.args, status, stdout, stderr)
		}
		if made, err := os.ReadDir(c.Dir); err != nil || len(made) > 0 {
			t.Errorf("%q made %v, %v", test.args, made, err)
		}
	}
}

func TestHelpNamesEveryFlagWithItsVariable(t *testing.T) {
	status, help, _ := finish(t, command(t, nil, "serve", "--help"))
	if status != 0 {
		t.Errorf("ended with status %d", status)
	}
	for _, flag := range []string{"data", "addr", "base-url", "smtp", "mail-from", "trusted-proxy"} {
		variable := "$LATCHKEY_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
		if !strings.Contains(help, "--"+flag+" ") || !strings.Contains(help, variable) {
			t.Errorf("--%s or %s is not in\n%s", flag, variable, help)
		}
	}
	_, help, _ = finish(t, command(t, nil, "--help"))
	for _, name := range []string{"serve", "owner", "bounce", "key", "demo", "version", "--data"} {
		if !strings.Contains(help, name) {
			t.Errorf("%s is not in\n%s", name, help)
		}
	}
	for _, line := range strings.Split(help, "\n") {
		if name := strings.TrimSpace(line); strings.HasPrefix(name, "completion") || strings.HasPrefix(name, "help") || len(line) > 80 {
			t.Errorf("%q is in it", line)
		}
	}
}

func TestSIGTERMLetsARunningRequestFinish(t *testing.T) {
	p := start(t, command(t, nil, "--data", setUp(t), anyPort))
	address := p.says(`^It listens on (\S+) `)

	form := "login=" + ruth + "&password=something+else"
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(form))
	answers := bufio.NewReader(conn)
	// The server says so when the handler begins to read the form: now the
	// request is running, and waits for us.
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("got %q, %v", line, err)
	}
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}

	p.signal()
	eventually(t, "closing the port", func() bool {
		c, err := net.DialTimeout("tcp", address, patience)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	fmt.Fprint(conn, form)
	res, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatalf("the running request was cut off: %v", err)
	}
	if status, body := read(t, res); status >= 500 || !strings.Contains(body, "</html>") {
		t.Errorf("answered %d:\n%.300s", status, body)
	}
	if status := p.ends(); status != 0 {
		t.Errorf("ended with status %d:\n%s", status, &p.stderr)
	}
}

func TestVersionSaysWhatItIs(t *testing.T) {
	status, stdout, _ := finish(t, command(t, nil, "version"))
	if status != 0 || !strings.HasPrefix(stdout, "latchkey ") || !strings.Contains(stdout, " go1.") || strings.Count(stdout, "\n") != 1 {
		t.Errorf("ended with status %d: %s", status, stdout)
	}
}
