package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"latchkey/db"
	"latchkey/db/model"
)

type ownerCommand struct {
	Email          string
	Name           string
	PasswordStdin  bool
	ClearTwoFactor bool
	BaseURL        string
}

func ownerLine(c *commands) *cobra.Command {
	var o ownerCommand
	line := &cobra.Command{
		Use:   "owner EMAIL",
		Short: "Make somebody an owner, or help an owner who cannot get in",
		Long: `Make somebody an owner, or help an owner who cannot get in. Works before the
first start and while the portal is served. They sign in with EMAIL.

Whoever may run this program on the portal's machine can always get in this way.
An account that is there already becomes an owner's, is enabled, and gets a new
password; sessions and links it had end.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("owner takes one email address: latchkey owner EMAIL")
			}
			return nil
		},
		RunE: func(line *cobra.Command, args []string) error {
			o.Email = args[0]
			return o.Run(line.Context(), c)
		},
	}
	flags := line.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.Name, "name", "", "First and last `NAME`, for somebody who is not on the roll yet.")
	flags.BoolVar(&o.PasswordStdin, "password-stdin", false, "Read the new password as one line from standard input. Without this flag the terminal shows a link to choose one.")
	flags.BoolVar(&o.ClearTwoFactor, "clear-two-factor", false, "Take away a second step that they lost. Without this flag it stays, and is asked for after the new password.")
	flags.StringVar(&o.BaseURL, "base-url", "", "The `URL` under which people reach the portal, for the link.")
	variables(flags, "base-url")
	return line
}

func (o ownerCommand) Run(ctx context.Context, c *commands) (err error) {
	base, err := parseBase(o.BaseURL)
	if err != nil {
		return err
	}
	folder, err := c.folder()
	if err != nil {
		return err
	}
	wanted := model.NewOwner{Email: o.Email, Name: o.Name, ClearFactor: o.ClearTwoFactor}
	if o.PasswordStdin {
		if wanted.Password, err = readPassword(os.Stdin); err != nil {
			return err
		}
	}
	d, err := db.Open(ctx, folder, db.Fixed{BaseURL: base, Aside: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	made, err := d.MakeOwner(ctx, model.ShellActor(), wanted)
	if err != nil {
		return err
	}
	settings, err := d.Settings(ctx)
	if err != nil {
		return err
	}
	announce(os.Stdout, o.Email, made, settings)
	return nil
}

func announce(w io.Writer, email string, made model.OwnerMade, s model.Settings) {
	what := "is an owner now, and is signed out everywhere"
	if made.New {
		what = "has an owner's account now"
	}
	fmt.Fprintf(w, "%s %s.\n", email, what)
	switch {
	case made.Cleared:
		fmt.Fprintln(w, "Their second step is cleared.")
	case made.Factor:
		fmt.Fprintln(w, "Their second step is still asked for; if it is lost, add --clear-two-factor.")
	}
	if made.Link.IsZero() {
		fmt.Fprintf(w, "Sign in with the new password at %s/sign-in\n", s.BaseURL)
		return
	}
	fmt.Fprintf(w, "Open this link to choose the password:\n\n    %s\n\n"+
		"Whoever has it can do so, once, until %s.\n", made.Link.Reveal(), made.Expires.In(s.Location()).Format("Mon 2 Jan 2006, 15:04 MST"))
}

// passwordLine is the longest line read as a password: well above what the
// policy takes, so that it is the policy that refuses a long one.
const passwordLine = 16 << 10

// readPassword reads one line. Only its end is taken off: spaces may be meant.
func readPassword(r io.Reader) (model.Secret, error) {
	line, err := bufio.NewReader(io.LimitReader(r, passwordLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return model.Secret{}, fmt.Errorf("the password could not be read from standard input: %w", err)
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if line == "" {
		return model.Secret{}, errors.New("there was no password on standard input: give it as one line, or leave --password-stdin out and open the link")
	}
	return model.NewSecret(line), nil
}
