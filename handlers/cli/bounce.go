package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"latchkey/db"
	"latchkey/db/model"
)

func bounceLine(c *commands) *cobra.Command {
	return &cobra.Command{
		Use:   "bounce",
		Short: "Take a message that came to the bounce address",
		Long: `Take a message that came to the bounce address, from standard input: for a mail
server's pipe or a mailbox rule.

Reports about letters that come back go to the bounce address that an owner set,
each with a number behind a + before the @. Have the mail server pass every
message for that address on to this command, as the user whom the portal's
folder belongs to. With Postfix (and recipient_delimiter = +), a line in that
user's .forward does it:

    "|/usr/local/bin/latchkey bounce --data /var/lib/latchkey"

It works while the portal is served, answers nobody, and says nothing.

Status at the end, for the mail server:

    0   the message is dealt with: noted on the letter, or of no concern
        (forged, unknown, no report)
    75  it cannot be taken now (the database is busy, the folder is not there):
        keep it and try again
    2   the command line makes no sense`,
		Args: cobra.NoArgs,
		// It never ends with a status that makes a mail server return the
		// message: that is a report, which must not be reported on in turn, and
		// whatever is wrong here somebody will mend.
		RunE: func(line *cobra.Command, _ []string) error {
			if err := c.takeBounce(line.Context(), os.Stdin); err != nil {
				return &ending{later, err}
			}
			return nil
		},
	}
}

func (c *commands) takeBounce(ctx context.Context, message io.Reader) (err error) {
	raw, err := io.ReadAll(io.LimitReader(message, model.BounceLimit))
	if err == nil {
		// A mail server whose pipe breaks may take that for a failure.
		_, err = io.Copy(io.Discard, message)
	}
	if err != nil {
		return fmt.Errorf("the message cannot be read from standard input: %w", err)
	}
	folder, err := c.folder()
	if err != nil {
		return err
	}
	if err := db.Found(folder); err != nil {
		return err
	}
	d, err := db.Open(ctx, folder, db.Fixed{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	_, err = d.TakeBounce(ctx, raw)
	return err
}
