package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"latchkey/db"
	"latchkey/db/model"
)

type serveCommand struct {
	Addr         string
	TrustedProxy []string
	BaseURL      string
	SMTP         string
	MailFrom     string
}

func serveLine(c *commands, serve Serve) *cobra.Command {
	var s serveCommand
	line := &cobra.Command{
		Use:   "serve",
		Short: "Serve the portal: what happens without a command",
		Long: `Serve the portal. This is what happens without a command, and then takes the
same flags.

With nothing given, the portal is at http://localhost:8080 and lives in
./latchkey-data. On the first start the terminal shows the address under which
it is set up.

A flag or variable beats the setting that an owner stored in the portal; the
setting is then shown there but cannot be changed. Signatures (DKIM), a sender
of their own for notices, and the look at what DNS says of your letters have no
flags: they are in the portal, under Settings.`,
		Args: cobra.NoArgs,
		RunE: func(line *cobra.Command, _ []string) error { return s.Run(line.Context(), c, serve) },
	}
	flags := line.Flags()
	flags.SortFlags = false
	flags.StringVar(&s.Addr, "addr", "localhost:8080", "Where to listen, `HOST:PORT`. localhost means 127.0.0.1, which only this machine reaches; 0.0.0.0:8080 is every network it is in.")
	flags.StringSliceVar(&s.TrustedProxy, "trusted-proxy", nil, "Proxy whose X-Forwarded-For is believed: an `ADDRESS` or a prefix like 10.0.0.0/8; several with commas, or the flag several times. Default: this machine.")
	flags.StringVar(&s.BaseURL, "base-url", "", "The `URL` under which people reach the portal, like https://members.example.org. Every link begins with it.")
	flags.StringVar(&s.SMTP, "smtp", "", "Mail server for the letters, as a `URL`: smtp://[user:password@]host[:port] uses STARTTLS (port 587 if none is given), smtps:// TLS from the first byte (465); other ports are 25 and 2525, and any on this machine. Give a password in the environment, where other users of the machine cannot read it.")
	flags.StringVar(&s.MailFrom, "mail-from", "", "`EMAIL` address the letters come from; notices as well, unless an owner gave them another one. Default: no-reply at the base URL's host.")
	variables(flags, "addr", "trusted-proxy", "base-url", "smtp", "mail-from")
	return line
}

// spareMemory has the collector come when the heap has three times the size of
// what is in use, 8 MB at least, and not twice. There is hardly anything in use
// (1 MB): left alone, it came 80 times a second under a load of reads, for a
// twentieth of the time.
const spareMemory = 200

func (s serveCommand) Run(ctx context.Context, c *commands, serve Serve) (err error) {
	if os.Getenv("GOGC") == "" { // whoever sets it knows better
		debug.SetGCPercent(spareMemory)
	}
	fixed, err := s.fixed()
	if err != nil {
		return err
	}
	proxies, err := parseProxies(s.TrustedProxy)
	if err != nil {
		return err
	}
	folder, err := c.folder()
	if err != nil {
		return err
	}
	unlock, err := db.LockFolder(folder)
	if err != nil {
		return err
	}
	defer unlock()
	listener, err := listen(ctx, s.Addr)
	if err != nil {
		return err
	}
	defer listener.Close() // serving has closed it already
	fixed.Local = localURL(listener)
	d, err := db.Open(ctx, folder, fixed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()

	settings, err := d.Settings(ctx)
	if err != nil {
		return err
	}
	p := Portal{
		DB: d, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Listener: listener,
		TrustedProxies: proxies,
	}
	if settings.SetUpAt.IsZero() {
		p.SetupCode = model.NewSecret(strings.ToLower(rand.Text()))
	}
	greet(os.Stdout, p, settings, folder)
	return serve(ctx, p)
}

// Tidy removes what is over, at the start and every hour, until ctx is done.
func (p Portal) Tidy(ctx context.Context) error {
	hour := time.NewTicker(time.Hour)
	defer hour.Stop()
	for {
		if err := p.DB.Tidy(ctx); err != nil && ctx.Err() == nil {
			p.Log.Error("what is over cannot be removed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-hour.C:
		}
	}
}

// fixed is what the command line decides about the settings; it beats what an
// owner stored.
func (s serveCommand) fixed() (f db.Fixed, err error) {
	if f.BaseURL, err = parseBase(s.BaseURL); err != nil {
		return f, err
	}
	if s.SMTP != "" {
		server, err := model.ParseMailServer(s.SMTP)
		if err != nil {
			return f, fmt.Errorf("--smtp cannot be used: %w", err)
		}
		f.Mail = &server
	}
	from, wrong := model.ParseEmail(s.MailFrom)
	if wrong != "" {
		return f, fmt.Errorf("--mail-from cannot be used: %s", wrong)
	}
	f.MailFrom = from
	return f, nil
}

func greet(w io.Writer, p Portal, s model.Settings, folder string) {
	fmt.Fprintf(w, "\nLatchkey is at %s\n", s.BaseURL)
	fmt.Fprintf(w, "It listens on %s and keeps everything in %s\n", p.Listener.Addr(), folder)
	if !p.SetupCode.IsZero() {
		fmt.Fprintf(w, "\nIt is not set up yet. Open this address to do so:\n\n    %s/setup?code=%s\n\n"+
			"It is for you alone, and works until the portal is set up or stopped.\n", s.BaseURL, p.SetupCode.Reveal())
	}
	fmt.Fprintf(w, "\nCtrl+C stops it.\n\n")
}

// listen opens the port. localhost is always 127.0.0.1: what a machine's own
// tables say localhost means must not decide who can reach the portal.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("--addr is written HOST:PORT, like localhost:8080 or 0.0.0.0:8080, not %q", addr)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return nil, fmt.Errorf("the port in --addr is a number from 1 to 65535, not %q", port)
	} else {
		port = strconv.FormatUint(n, 10)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	var open net.ListenConfig
	l, err := open.Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err == nil {
		return l, nil
	}
	var unknown *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("port %s is taken by another program (or another Latchkey): stop that one, or choose another port, like --addr localhost:8081", port)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("this user may not listen on port %s: choose one from 1024 on with --addr, and let a proxy listen on %s", port, port)
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.As(err, &unknown):
		return nil, fmt.Errorf("this machine has no address %s: choose localhost, 0.0.0.0 or one of its own addresses with --addr", host)
	}
	return nil, fmt.Errorf("it is not possible to listen on %s (%w): choose another address with --addr", addr, err)
}

// localURL is the base URL as long as nobody decided one: the port on this
// machine. A link to it is of use to whoever sets the portal up.
func localURL(l net.Listener) string {
	return "http://" + net.JoinHostPort("localhost", strconv.Itoa(port(l)))
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// parseProxies reads addresses and prefixes; with none given, the machine
// itself is trusted, which is where a proxy usually runs.
func parseProxies(given []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, s := range given {
		s = strings.TrimSpace(s)
		if s == "" {
			continue
		}
		if a, err := netip.ParseAddr(s); err == nil {
			all = append(all, netip.PrefixFrom(a.Unmap().WithZone(""), a.Unmap().BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxy takes addresses like 10.0.0.7 or prefixes like 10.0.0.0/8, not %q", s)
		}
		all = append(all, p.Masked())
	}
	if len(all) == 0 {
		return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, nil
	}
	return all, nil
}
