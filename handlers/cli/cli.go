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

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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

// commands is what all commands are told.
type commands struct {
	Data string
}

const about = `Latchkey gets the members of an association signed in.

A flag with a name in capitals behind it can also be given in the environment,
under that name; the flag counts more. Without a command the portal is served,
and takes the flags of latchkey serve.`

// line is the whole command line.
func line(serve Serve) *cobra.Command {
	var c commands
	root := serveLine(&c, serve) // what happens without a command
	root.Flags().VisitAll(func(f *pflag.Flag) { f.Hidden = true })
	root.Use, root.Long = "latchkey [command] [flags]", about
	root.Args = nil // else a flag behind a command that is none is called wrong, and not the command
	root.AddCommand(serveLine(&c, serve), ownerLine(&c), bounceLine(&c), keyLine(&c), demoLine(serve), versionLine())

	everywhere := root.PersistentFlags()
	everywhere.StringVar(&c.Data, "data", "latchkey-data", "`FOLDER` of the portal's database and keys, made when it is not there.")
	variables(everywhere, "data")
	everywhere.BoolP("help", "h", false, "Show this.")

	root.SilenceErrors, root.SilenceUsage, root.DisableSuggestions = true, true, true // Run says what is wrong
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(&cobra.Command{Hidden: true}) // without a name nobody can call it
	root.SetUsageFunc(usage)
	root.SetFlagErrorFunc(mistake)
	return root
}

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
	understood := false
	root := line(serve)
	root.SetArgs(args)
	root.PersistentPreRunE = func(command *cobra.Command, args []string) error {
		err := settle(command.Flags())
		if command == root && err == nil {
			err = cobra.NoArgs(root, args) // the library lets "" and what follows -- pass as no command
		}
		understood = err == nil
		return err
	}
	err := root.ExecuteContext(ctx)
	if err != nil && !understood {
		fmt.Fprintf(os.Stderr, "latchkey: %s; latchkey --help shows what there is.\n", err)
		return misused
	}
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

// variable is the annotation of a flag that names its environment variable.
const variable = "variable"

// variables lets flags be given in the environment as well.
func variables(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		f := flags.Lookup(name)
		v := "LATCHKEY_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		f.Annotations = map[string][]string{variable: {v}}
		f.Usage += " ($" + v + ")"
	}
}

// settle gives the flags that were not typed what the environment says. A
// variable that is set but empty, as compose files like to have it, decides
// nothing.
func settle(flags *pflag.FlagSet) (err error) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed {
			// The library lets a flag swallow the next one. After --data that is
			// what a shell makes of an empty variable, and it would found a portal.
			if strings.HasPrefix(f.Value.String(), "--") {
				err = fmt.Errorf("flag needs an argument: --%s", f.Name)
			}
			return
		}
		for _, name := range f.Annotations[variable] {
			value := os.Getenv(name)
			if value == "" {
				continue
			}
			if wrong := f.Value.Set(value); wrong != nil {
				err = fmt.Errorf("%s cannot be read: %w", name, wrong)
			}
		}
	})
	return err
}

// mistake leaves out what the library repeats of a value, where a password may
// be in it: in -smtp=... with one dash, and in --password-stdin=...
func mistake(_ *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok && e.GetSpecifiedShortnames() != "" {
		return fmt.Errorf("unknown flag: -%s", e.GetSpecifiedName())
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok && e.GetFlag().Value.Type() == "bool" {
		return fmt.Errorf("flag takes no value: --%s", e.GetFlag().Name)
	}
	return err
}

// helpWidth is that of a terminal nobody has made wider.
const helpWidth = 80

// usage ends the help of a command. The library's own has lines of any length.
func usage(command *cobra.Command) error {
	w := command.OutOrStdout()
	fmt.Fprintf(w, "Usage: %s\n", command.UseLine())
	if command.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\nCommands, each with a --help of its own:\n")
		for _, c := range command.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(w, "  %-*s  %s\n", c.NamePadding(), c.Name(), c.Short)
			}
		}
	}
	_, err := fmt.Fprintf(w, "\nFlags:\n%s", command.Flags().FlagUsagesWrapped(helpWidth))
	return err
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
