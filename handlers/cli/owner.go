package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"latchkey/db"
	"latchkey/db/model"
)

type ownerCommand struct {
	Email          string `arg:"" help:"Their email address: they sign in with it."`
	Name           string `help:"First and last name, for somebody who is not on the roll yet." placeholder:"NAME"`
	PasswordStdin  bool   `help:"Read the new password as one line from standard input. Without this flag the terminal shows a link to choose one."`
	ClearTwoFactor bool   `help:"Take away a second step that they lost. Without this flag it stays, and is asked for after the new password."`
	BaseURL        string `help:"Address under which people reach the portal, for the link." placeholder:"https://members.example.org" env:"LATCHKEY_BASE_URL"`
}

// Help is shown by latchkey owner --help.
func (ownerCommand) Help() string {
	return "Whoever may run this program on the portal's machine can always get in this way. " +
		"An account that is there already becomes an owner's, is enabled, and gets a new password; sessions and links it had end."
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
	d, err := db.Open(ctx, folder, db.Fixed{BaseURL: base})
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
