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

// HoldSlots takes every slot for a password hash until they are given back.
func (d *DB) HoldSlots() (giveBack func()) {
	for range d.hashing.slots {
		if err := d.hashing.acquire(context.Background(), true, ""); err != nil {
			panic(err)
		}
	}
	return func() {
		for range d.hashing.slots {
			d.hashing.release()
		}
	}
}

// Waiting is how many wait for a slot: those who go first, and the others.
func (d *DB) Waiting() (first, others int) {
	d.hashing.mu.Lock()
	defer d.hashing.mu.Unlock()
	return len(d.hashing.first), len(d.hashing.others)
}

// KnownDevice reads the mark of a device.
func (d *DB) KnownDevice(cookie string) (mark string, account int64) { return d.knownDevice(cookie) }

// FailuresKept is how many failures are remembered.
const FailuresKept = failuresKept
