package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"latchkey/db"
	"latchkey/db/model"
)

func keyLine(c *commands) *cobra.Command {
	line := &cobra.Command{
		Use:   "key rotate|retire",
		Short: "Change the key that seals what is secret",
		Long: `Change the key that seals what is secret: rotate makes a new one current, retire
takes former ones away.`,
		Args: func(*cobra.Command, []string) error {
			return errors.New("key is one of: latchkey key rotate, latchkey key retire")
		},
		Run: func(*cobra.Command, []string) {}, // so that Args is asked; without it a mistake is answered with the help
	}
	line.AddCommand(rotateLine(c), retireLine(c))
	return line
}

func rotateLine(c *commands) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Put a new key at the head of secret.key",
		Long: `Put a new key at the head of secret.key. What is made from now on is made with
it.

Links that are under way, sessions and passwords go on working: the former keys
stay in the file until they are retired. The portal may be served meanwhile and
need not be restarted; it notices by itself. Make a new copy of secret.key
afterwards: a former copy does not open what is sealed from then on.`,
		Args: cobra.NoArgs,
		RunE: func(line *cobra.Command, _ []string) error { return c.rotate(line.Context()) },
	}
}

func (c *commands) rotate(ctx context.Context) (err error) {
	d, file, err := c.found(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	id, err := d.RotateKey(ctx, model.ShellActor())
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "The key %s is the current one now. A portal that is being served notices by itself.\n\n"+
		"Make a new copy of %s, apart from the backups.\n"+
		"Take the former key away in 30 days, when nobody can say “It wasn't me” of its links any more: latchkey key retire\n", id, file)
	return nil
}

func retireLine(c *commands) *cobra.Command {
	return &cobra.Command{
		Use:   "retire [ID...]",
		Short: "Take former keys out of secret.key",
		Long: `Take former keys out of secret.key, once nothing depends on them any more. ID is
a key's name, the first word of its line there; without one, all but the current
one go.

What is sealed with a former key is sealed with the current one first. A link in
somebody's mailbox cannot be: for 30 days after the last one was made with the
key, while “It wasn't me” can be said of it, nothing is retired, and you are told
until when.

Sessions go on. Links that have ended are called not valid afterwards, reports
about letters from before are not recognised, wrong sign-ins and wrong codes are
counted anew, and a device that has not signed in since the rotation is like one
that never did.

It may be interrupted at any moment; the same command goes on where it was. A
backup from before needs the copy of secret.key from before.`,
		RunE: func(line *cobra.Command, ids []string) error { return c.retire(line.Context(), ids) },
	}
}

func (c *commands) retire(ctx context.Context, former []string) (err error) {
	d, file, err := c.found(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	ids, err := d.RetireKeys(ctx, model.ShellActor(), former...)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "Retired: %s. Make a new copy of %s; backups from before need the copy from before.\n", strings.Join(ids, ", "), file)
	return nil
}

// found opens the portal that is in the folder, and never makes one there.
func (c *commands) found(ctx context.Context) (d *db.DB, keyFile string, err error) {
	folder, err := c.folder()
	if err != nil {
		return nil, "", err
	}
	if err := db.Found(folder); err != nil {
		return nil, "", err
	}
	d, err = db.Open(ctx, folder, db.Fixed{})
	return d, filepath.Join(folder, "secret.key"), err
}
