package cli_test

import (
	"net/http"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"latchkey/db/dbtest"
	"latchkey/db/model"
)

func TestOwnerBeforeTheFirstStartGetsALinkThatWorks(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	status, stdout, stderr := finish(t, command(t, nil, "owner", ruth, "--name", "Ruth Adler", "--data", folder))
	if status != 0 {
		t.Fatalf("ended with status %d: %s", status, stderr)
	}
	link := regexp.MustCompile(`http://localhost:8080/reset/([a-z2-7]{40})`).FindStringSubmatch(stdout)
	if link == nil || !strings.Contains(stdout, "until ") {
		t.Fatalf("it said:\n%s", stdout)
	}
	d := opened(t, folder)
	o, err := d.OpenReset(t.Context(), link[1])
	if err != nil || o.State != model.ResetLive || o.Account.Role != model.RoleOwner || o.Account.Name != "Ruth Adler" {
		t.Fatalf("the link opens %+v, %v", o, err)
	}
	if _, err := d.SetPassword(t.Context(), model.NewPassword{Token: model.NewSecret(link[1]), Password: model.NewSecret(password), Confirm: model.NewSecret(password)}); err != nil {
		t.Fatal(err)
	}
	if !fitsIn(t, d, ruth, password) {
		t.Error("the new password does not sign in")
	}
}

func TestOwnerTakesAPasswordFromStandardInput(t *testing.T) {
	for name, line := range map[string]string{
		"a line":               password + "\n",
		"a line from Windows":  password + "\r\n",
		"no line break":        password,
		"lines after the line": password + "\nand more\n",
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "data")
			c := command(t, []string{"LATCHKEY_DATA=" + folder}, "owner", ruth, "--password-stdin")
			c.Stdin = strings.NewReader(line)
			status, stdout, stderr := finish(t, c)
			if status != 0 || strings.Contains(stdout, "/reset/") || strings.Contains(stdout+stderr, password) {
				t.Fatalf("ended with status %d:\n%s%s", status, stdout, stderr)
			}
			if !fitsIn(t, opened(t, folder), ruth, password) {
				t.Error("the password does not sign in")
			}
		})
	}
}

func TestOwnerRefusesWhatThePolicyRefuses(t *testing.T) {
	for _, test := range []struct{ name, email, line, want string }{
		{"no password", ruth, "", "no password on standard input"},
		{"an empty line", ruth, "\n", "no password on standard input"},
		{"a short one", ruth, "kettle\n", "at least 15 characters"},
		{"a common one", ruth, "qwertyuiopasdfghjkl\n", "guessed"},
		{"a very long one", ruth, strings.Repeat("kettle stairs ", 2000) + "\n", "at most 256 characters"},
		{"an address that is none", "ruth", password + "\n", "like name@example.org"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "data")
			c := command(t, nil, "owner", test.email, "--password-stdin", "--data", folder)
			c.Stdin = strings.NewReader(test.line)
			status, stdout, stderr := finish(t, c)
			if status != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, test.want) {
				t.Errorf("ended with status %d: %s", status, stderr)
			}
			if stdout != "" {
				t.Errorf("it said:\n%s", stdout)
			}
			all, err := opened(t, folder).Colleagues(t.Context(), model.ShellActor())
			if err != nil || len(all) != 0 {
				t.Errorf("made %v, %v", all, err)
			}
		})
	}
}

func TestOwnerRescuesADisabledOwnerWhileThePortalIsServed(t *testing.T) {
	folder := setUp(t)
	d := opened(t, folder)
	all, err := d.Colleagues(t.Context(), model.ShellActor())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Disable(t.Context(), model.ShellActor(), all[0].MemberID); err != nil {
		t.Fatal(err)
	}
	p := start(t, command(t, nil, "--data", folder, anyPort))
	address := p.says(`^It listens on (\S+) `)

	status, stdout, stderr := finish(t, command(t, nil, "owner", strings.ToUpper(ruth), "--data", folder))
	if status != 0 || !strings.Contains(stdout, "signed out everywhere") {
		t.Fatalf("ended with status %d:\n%s%s", status, stdout, stderr)
	}
	token := regexp.MustCompile(`/reset/([a-z2-7]{40})`).FindStringSubmatch(stdout)
	if token == nil {
		t.Fatalf("it said:\n%s", stdout)
	}
	if status, _ := get(t, browser(t), "http://"+address+"/reset/"+token[1]); status != http.StatusSeeOther {
		t.Errorf("the running portal answers the link with %d", status)
	}
	if fitsIn(t, d, ruth, password) {
		t.Error("the old password still signs in")
	}
	p.stop()
}

func TestOwnerClearsALostSecondFactorOnlyWhenToldTo(t *testing.T) {
	folder := setUp(t)
	d := opened(t, folder)
	clock := &dbtest.Clock{}
	clock.Set(d.Now())
	d.SetClock(clock.Now)
	dbtest.App(t, d, clock, dbtest.Actor(t, d, ruth), password)
	for _, c := range []struct {
		flag, says string
	}{
		{"--name=Ruth Adler", "Their second step is still asked for; if it is lost, add --clear-two-factor."},
		{"--clear-two-factor", "Their second step is cleared."},
		{"--clear-two-factor", "signed out everywhere"}, // and a second time there is none
	} {
		status, stdout, stderr := finish(t, command(t, nil, "owner", ruth, c.flag, "--data", folder))
		if status != 0 || !strings.Contains(stdout, c.says) {
			t.Fatalf("%s ended with status %d:\n%s%s", c.flag, status, stdout, stderr)
		}
	}
	if dbtest.Account(t, d, dbtest.Actor(t, d, ruth).MemberID).HasFactor() {
		t.Error("it is still there")
	}
}

// The mail server may be a flag of the process that serves, which the command
// knows nothing of: its letters wait for that one, which sends or captures them.
func TestTheLetterOfAClearedSecondFactorIsLeftToWhoServes(t *testing.T) {
	folder := setUp(t)
	d := opened(t, folder)
	clock := &dbtest.Clock{}
	clock.Set(d.Now())
	d.SetClock(clock.Now)
	dbtest.App(t, d, clock, dbtest.Actor(t, d, ruth), password)
	if status, _, stderr := finish(t, command(t, nil, "owner", ruth, "--clear-two-factor", "--data", folder)); status != 0 {
		t.Fatalf("ended with status %d: %s", status, stderr)
	}
	cleared := func() model.LetterState {
		page, err := d.Letters(t.Context(), model.ShellActor(), model.LetterQuery{})
		if err != nil || len(page.Rows) == 0 || page.Rows[0].Kind != model.LetterFactorChanged {
			t.Fatalf("%+v, %v", page.Rows, err)
		}
		return page.Rows[0].State
	}
	if got := cleared(); got != model.LetterWaiting {
		t.Errorf("before the start it is %s", got)
	}
	p := start(t, command(t, nil, "--data", folder, anyPort))
	p.says(`^It listens on (\S+) `)
	for deadline := time.Now().Add(20 * time.Second); cleared() == model.LetterWaiting && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if got := cleared(); got != model.LetterCaptured {
		t.Errorf("where there is no mail server it is %s", got)
	}
	p.stop()
}
