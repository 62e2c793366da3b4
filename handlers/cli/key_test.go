package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"latchkey/db"
	"latchkey/db/model"
)

func TestKeysAreRotatedWhileThePortalIsServedAndRetiredLater(t *testing.T) {
	folder := setUp(t)
	p := start(t, command(t, nil, "--data", folder, anyPort))
	address := p.says(`^It listens on (\S+) `)

	status, stdout, stderr := finish(t, command(t, nil, "key", "rotate", "--data", folder))
	if status != 0 || !strings.Contains(stdout, "is the current one now") || !strings.Contains(stdout, "Make a new copy of "+filepath.Join(folder, "secret.key")) {
		t.Fatalf("ended with status %d:\n%s%s", status, stdout, stderr)
	}
	// A link that the shell makes with the new key opens in the portal that was
	// there before it, and keeps the key from being retired.
	_, stdout, _ = finish(t, command(t, nil, "owner", ruth, "--data", folder))
	token := regexp.MustCompile(`/reset/([a-z2-7]{40})`).FindStringSubmatch(stdout)
	if token == nil {
		t.Fatalf("it said:\n%s", stdout)
	}
	b := browser(t)
	b.CheckRedirect = nil
	if _, body := get(t, b, "http://"+address+"/reset/"+token[1]); !strings.Contains(body, "New password") {
		t.Fatalf("the link opens no form:\n%s", body)
	}
	status, stdout, stderr = finish(t, command(t, nil, "key", "rotate", "--data", folder))
	if status != 0 {
		t.Fatalf("ended with status %d:\n%s%s", status, stdout, stderr)
	}
	status, _, stderr = finish(t, command(t, nil, "key", "retire", "--data", folder))
	if status != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "1 password link (or the “It wasn’t me” in its letter) still needs the key ") || !strings.Contains(stderr, ", until ") {
		t.Errorf("ended with status %d: %s", status, stderr)
	}
	p.stop()
}

func TestAKeyCommandMakesNoPortal(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	for _, act := range []string{"rotate", "retire"} {
		status, _, stderr := finish(t, command(t, nil, "key", act, "--data", folder))
		if status != 1 || !strings.Contains(stderr, "there is no portal in the folder") {
			t.Errorf("%s ended with status %d: %s", act, status, stderr)
		}
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("there is one now")
	}
}

// Killed at any moment, a rotation or a retirement leaves a portal that opens,
// with everybody's password, and can be gone on with.
func TestAKilledKeyCommandLosesNothing(t *testing.T) {
	folder := setUp(t)
	d := opened(t, folder)
	for _, name := range []string{"anna", "ben", "carla"} {
		if _, err := d.MakeOwner(t.Context(), model.ShellActor(), model.NewOwner{Email: name + "@example.org", Name: name, Password: model.NewSecret(password)}); err != nil {
			t.Fatal(err)
		}
	}
	whole := func() {
		t.Helper()
		again, err := db.Open(t.Context(), folder, db.Fixed{})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		for _, portal := range []*db.DB{again, d} {
			if !fitsIn(t, portal, "carla@example.org", password) || !fitsIn(t, portal, ruth, password) {
				t.Fatal("a password fits no more")
			}
		}
	}
	began := time.Now()
	finish(t, command(t, nil, "key", "rotate", "--data", folder))
	long := time.Since(began)
	killed := 0
	for i := range 24 {
		c := command(t, nil, "key", []string{"rotate", "retire"}[i%2], "--data", folder)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		shot := time.AfterFunc(long*time.Duration(i+1)/24, func() { _ = c.Process.Kill() })
		if err := c.Wait(); err != nil {
			killed++
		}
		shot.Stop()
		whole()
	}
	if killed == 0 {
		t.Error("none was killed")
	}
	finish(t, command(t, nil, "key", "rotate", "--data", folder))
	if status, stdout, stderr := finish(t, command(t, nil, "key", "retire", "--data", folder)); status != 0 {
		t.Errorf("ended with status %d: %s%s", status, stdout, stderr)
	}
	whole()
	raw, err := os.ReadFile(filepath.Join(folder, "secret.key"))
	if err != nil || strings.Count(string(raw), "\nk") != 1 {
		t.Errorf("the file has (%v)\n%s", err, regexp.MustCompile(` \S{44}`).ReplaceAllString(string(raw), " …"))
	}
}
