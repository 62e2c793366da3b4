package db

import (
	"context"

	"latchkey/db/model"
)

// Finding gives two ways to read a letter over one connection: the one that
// leaves next, as ClaimLetter finds it, and the one with an id.
func (d *DB) Finding(ctx context.Context) (next func() (model.Letter, error), point func(id int64) (model.Letter, error), end func() error, err error) {
	s, err := d.Settings(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	conn, err := d.read.Conn(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	tx := &Tx{db: d, conn: conn, Now: d.Now(), settings: s}
	next = func() (model.Letter, error) { return tx.dueLetter(ctx) }
	point = func(id int64) (model.Letter, error) {
		return scanLetter(tx.QueryRowContext(ctx, `SELECT `+letterColumns+` FROM letter l WHERE l.id = +?`, id))
	}
	return next, point, conn.Close, nil
}
