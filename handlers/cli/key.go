package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"latchkey/db"
	"latchkey/db/model"
)

type keyCommand struct {
	Rotate rotateCommand `cmd:"" help:"Put a new key at the head of secret.key. What is made from now on is made with it."`
	Retire retireCommand `cmd:"" help:"Take former keys out of secret.key, once nothing depends on them any more."`
}

type rotateCommand struct{}

// Help is shown by latchkey key rotate --help.
func (rotateCommand) Help() string {
	return "Links that are under way, sessions and passwords go on working: the former keys stay in the file until they are retired. " +
		"The portal may be served meanwhile and need not be restarted; it notices by itself. " +
		"Make a new copy of secret.key afterwards: a former copy does not open what is sealed from then on."
}

func (rotateCommand) Run(ctx context.Context, c *commands) (err error) {
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

type retireCommand struct {
	ID []string `arg:"" optional:"" name:"id" help:"The key's name, the first word of its line in secret.key. Without one: all but the current one."`
}

// Help is shown by latchkey key retire --help.
func (retireCommand) Help() string {
	return "What is sealed with a former key is sealed with the current one first. " +
		"A link in somebody's mailbox cannot be: for 30 days after the last one was made with the key, while “It wasn't me” can be said of it, nothing is retired, and you are told until when. " +
		"Sessions go on. Links that have ended are called not valid afterwards, reports about letters from before are not recognised, wrong sign-ins and wrong codes are counted anew, " +
		"and a device that has not signed in since the rotation is like one that never did. " +
		"It may be interrupted at any moment; the same command goes on where it was. A backup from before needs the copy of secret.key from before."
}

func (r retireCommand) Run(ctx context.Context, c *commands) (err error) {
	d, file, err := c.found(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	ids, err := d.RetireKeys(ctx, model.ShellActor(), r.ID...)
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
