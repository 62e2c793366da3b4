package postmantest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"latchkey/db/model"
)

// MailHog is a real one, with its own ports.
type MailHog struct {
	t      testing.TB
	server model.MailServer
	api    string
}

// StartMailHog runs the MailHog of go.mod until the test ends. It dies with
// the test even if the test is killed: a shell beside it waits for the end of
// a pipe that only this process holds open.
func StartMailHog(t testing.TB) *MailHog {
	t.Helper()
	path, err := exec.Command("go", "tool", "-n", "MailHog").Output()
	if err != nil {
		t.Fatalf("MailHog cannot be built: %v", err)
	}
	smtp, web := freePort(t), freePort(t)
	at := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	cmd := exec.Command("/bin/sh", "-c", `"$0" "$@" >/dev/null 2>&1 </dev/null & read -r _; kill $!; wait $!`, //nolint:gosec // our own tool
		strings.TrimSpace(string(path)), "-smtp-bind-addr", at(smtp), "-api-bind-addr", at(web), "-ui-bind-addr", at(web))
	leash, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = leash.Close()
		_ = cmd.Wait() // the shell reports the signal it sent
	})
	m := &MailHog{t: t, server: model.MailServer{Host: "127.0.0.1", Port: smtp}, api: "http://" + at(web) + "/api/v2/messages"}
	m.await("to start", func() bool {
		c, err := net.DialTimeout("tcp", at(smtp), time.Second)
		if err != nil {
			return false
		}
		_ = c.Close()
		_, err = m.fetch()
		return err == nil
	})
	return m
}

// Server is the MailHog as a setting.
func (m *MailHog) Server() model.MailServer { return m.server }

// Letters is what was delivered to an address, oldest first.
func (m *MailHog) Letters(to string) []Letter {
	m.t.Helper()
	all, err := m.fetch()
	if err != nil {
		m.t.Fatal(err)
	}
	var theirs []Letter
	for _, l := range all {
		if strings.Trim(l.Header.Get("To"), "<>") == to {
			theirs = append([]Letter{l}, theirs...) // MailHog gives the newest first
		}
	}
	return theirs
}

// Await waits until an address has n letters and gives them, oldest first.
func (m *MailHog) Await(to string, n int) []Letter {
	m.t.Helper()
	var theirs []Letter
	m.await(fmt.Sprintf("for %d letters to %s", n, to), func() bool {
		theirs = m.Letters(to)
		return len(theirs) >= n
	})
	return theirs
}

func (m *MailHog) await(what string, ok func() bool) {
	m.t.Helper()
	late := time.After(20 * time.Second)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-late:
			m.t.Fatalf("waited in vain for MailHog %s", what)
		}
	}
}

func (m *MailHog) fetch() ([]Letter, error) {
	res, err := http.Get(m.api + "?limit=250")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("MailHog answered %s", res.Status)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	var page struct {
		Items []struct{ Raw struct{ Data string } }
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&page); err != nil {
		return nil, err
	}
	all := make([]Letter, len(page.Items))
	for i, item := range page.Items {
		if all[i], err = ReadLetter([]byte(item.Raw.Data)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
