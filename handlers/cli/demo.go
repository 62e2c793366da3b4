package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"latchkey/db"
	"latchkey/db/model"
)

func demoLine(serve Serve) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Try everything out with 240 invented members",
		Long: `Try everything out with 240 invented members, in a folder that is thrown away.

Nothing is sent and nothing is kept: letters can be read at /demo/letters, and
the folder is removed when the demonstration ends. It never touches the folder
of --data. It listens on port 8080 of this machine, or the next free one.`,
		Args: cobra.NoArgs,
		RunE: func(line *cobra.Command, _ []string) error { return demonstrate(line.Context(), serve) },
	}
}

func demonstrate(ctx context.Context, serve Serve) (err error) {
	folder, err := os.MkdirTemp("", "latchkey-demo-")
	if err != nil {
		return fmt.Errorf("there is no room for the demonstration's folder (%w): name another place in TMPDIR", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	listener, err := listenNear(ctx, demoPort)
	if err != nil {
		return err
	}
	defer listener.Close() // serving has closed it already
	base := localURL(listener)
	password, err := furnish(ctx, folder, base, time.Now())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("the demonstration could not be made: %w", err)
	}

	// No mail server, whatever a visitor stores: invented people get no letters.
	d, err := db.Open(ctx, folder, db.Fixed{BaseURL: base, Mail: &model.MailServer{}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	invite(os.Stdout, base, ownerEmail, password)
	return serve(ctx, Portal{
		DB: d, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Listener: listener, Demo: true,
	})
}

func invite(w io.Writer, base, email, password string) {
	fmt.Fprintf(w, `
The Harbourside Makers’ Guild and its 240 members are at

    %[1]s

Sign in as its owner:

    email     %[2]s
    password  %[3]s

What to try first: Łukasz rings the office and cannot get in.

  1  Type luk into the search, open Łukasz Wiśniewski, and look at his Settings.
  2  Press Send Password Reset. His letter is at %[1]s/demo/letters
  3  Open its link in a private window, choose a password, and sign in as him.

Everybody here is invented, and nothing is sent or kept. Ctrl+C ends it.

`, base, email, password)
}

const (
	demoPort  = 8080
	nextPorts = 100
)

// listenNear opens a port of this machine, or the next free one after it.
func listenNear(ctx context.Context, port int) (net.Listener, error) {
	for p := port; p < port+nextPorts; p++ {
		var open net.ListenConfig
		l, err := open.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("it is not possible to listen on port %d of this machine: %w", p, err)
		}
	}
	return nil, fmt.Errorf("the ports from %d to %d of this machine are all taken: stop one of the programs there", port, port+nextPorts-1)
}

// passphrase is a new random password of 68 bits that can be read and typed.
// Three letters at a time and no digits: so no name, year or member number
// can come up in it, which the portal would refuse.
func passphrase() string {
	const letters = "abcdefghijkmnpqrstuvwxyz" // l and o look like 1 and 0
	var b []byte
	for i := range 15 {
		if i > 0 && i%3 == 0 {
			b = append(b, '-')
		}
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			panic(err) // crypto/rand's own reader never fails
		}
		b = append(b, letters[n.Int64()])
	}
	return string(b)
}
