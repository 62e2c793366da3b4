//go:build !unix

package db

import "io/fs"

func giveTo(string, fs.FileInfo) error { return nil } // rights come from the folder there

func syncFolder(string) error { return nil } // a folder cannot be synced there
