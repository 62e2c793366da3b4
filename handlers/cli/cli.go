// Package cli is the command line: the subcommands, and what they say in the
// terminal. They do the same acts as the pages, in the name of whoever may
// run the binary.
//
// It reads flags and the environment, opens the portal's folder, and hands an
// open portal to main, which serves it. No rule lives here.
package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"latchkey/db"
	"latchkey/db/model"
)

// Portal is an open portal with a listener, ready to be served.
type Portal struct {
	DB             *db.DB
	Log            *slog.Logger
	Listener       net.Listener
	SetupCode      model.Secret // opens /setup; zero once the portal is set up
	TrustedProxies []netip.Prefix
	Demo           bool
}

// Serve runs a portal until ctx is done.
type Serve func(ctx context.Context, p Portal) error

// commands is the whole command line; kong reads it off the tags.
type commands struct {
	Data string `help:"Folder with the portal's database and keys. It is made when it is not there." default:"latchkey-data" env:"LATCHKEY_DATA"`

	Serve   serveCommand   `cmd:"" default:"withargs" help:"Serve the portal. This is what happens without a command, and then takes the same flags: see latchkey serve --help."`
	Owner   ownerCommand   `cmd:"" help:"Make somebody an owner, or help an owner who cannot get in. Works before the first start and while the portal is served."`
	Bounce  bounceCommand  `cmd:"" help:"Take a message that came to the bounce address, from standard input: for a mail server's pipe or a mailbox rule."`
	Key     keyCommand     `cmd:"" help:"Change the key that seals what is secret: rotate makes a new one current, retire takes former ones away."`
	Demo    demoCommand    `cmd:"" help:"Try everything out with 240 invented members, in a folder that is thrown away."`
	Version versionCommand `cmd:"" help:"Say which version this is."`
}

const about = "Latchkey gets the members of an association signed in. " +
	"Every flag can also be given in the environment, under the name shown behind it; the flag counts more."

// The statuses with which the program ends.
const (
	done    = 0
	failed  = 1
	misused = 2  // the command line itself makes no sense
	later   = 75 // EX_TEMPFAIL of sysexits.h: whoever called is to try the same again
)

// ending is an error that ends the program with a status of its own.
type ending struct {
	status int
	err    error
}

func (e *ending) Error() string { return e.err.Error() }

func (e *ending) Unwrap() error { return e.err }

// Run does what the command line asks for and gives the status to end with.
// What went wrong is one sentence on stderr.
func Run(ctx context.Context, args []string, serve Serve) int {
	forgetEmpty()
	var c commands
	parser, err := kong.New(&c,
		kong.Name("latchkey"), kong.Description(about),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 90}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(serve, &c))
	if err != nil {
		panic(err) // the tags above are wrong
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "latchkey: %s; latchkey --help shows what there is.\n", usage(err))
		return misused
	}
	err = command.Run()
	if e, ok := errors.AsType[*ending](err); ok {
		fmt.Fprintln(os.Stderr, "latchkey: "+sentence(e.err))
		return e.status
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return done // told to stop before it had begun
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "latchkey: "+sentence(err))
		return failed
	}
	return done
}

// forgetEmpty lets a variable that is set but empty, as compose files like to
// have it, decide nothing.
func forgetEmpty() {
	for _, v := range os.Environ() {
		if name, value, _ := strings.Cut(v, "="); value == "" && strings.HasPrefix(name, "LATCHKEY_") {
			_ = os.Unsetenv(name) // fails only on names that Environ cannot give
		}
	}
}

// usage is what is wrong with the command line. The parser calls a value that
// is not there EOL.
func usage(err error) string {
	if flag, wanted, ok := strings.Cut(err.Error(), ": expected"); ok && strings.Contains(wanted, "EOL") {
		return flag + " needs a value behind it"
	}
	return err.Error()
}

// sentence is what somebody at a terminal reads of an error. There is no form
// to show the marked fields in, so their sentences stand for the whole.
func sentence(err error) string {
	e, ok := errors.AsType[*model.Error](err)
	switch {
	case !ok:
		return err.Error()
	case len(e.Fields) == 0:
		return e.Sentence
	}
	var all []string
	for _, field := range slices.Sorted(maps.Keys(e.Fields)) {
		all = append(all, e.Fields[field])
	}
	return strings.Join(all, " ")
}

// folder is where the portal lives. It is absolute, because that is how it is
// told in the terminal.
func (c *commands) folder() (string, error) {
	if c.Data == "" {
		return "", errors.New("--data needs the name of a folder")
	}
	return filepath.Abs(c.Data)
}

// parseBase reads --base-url; "" decides nothing.
func parseBase(typed string) (string, error) {
	if typed == "" {
		return "", nil
	}
	base, wrong := model.ParseBaseURL(typed)
	if wrong != "" {
		return "", fmt.Errorf("--base-url cannot be used: %s", wrong)
	}
	return base, nil
}
