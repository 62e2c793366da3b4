//go:build unix

package db

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// giveTo makes a file belong to whom another belongs: root may rotate the keys
// of a portal that another user serves, and that user must be able to read them.
func giveTo(path string, other fs.FileInfo) error {
	whose, ok := other.Sys().(*syscall.Stat_t)
	if !ok || int(whose.Uid) == os.Geteuid() {
		return nil
	}
	return os.Chown(path, int(whose.Uid), int(whose.Gid))
}

// syncFolder brings a new name to the disk.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
