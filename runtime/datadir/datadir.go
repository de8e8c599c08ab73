// Package datadir says what is where in a node's data directory, and in which
// format:
//
//	format       one line: "mayfly data 1", or that a restore has not finished
//	kv/          the database: package badgerkv
//	blobs/       modules and snapshots: package fileblob
//	copy/        of a node of a cluster, instead of these: package natskv
//	nats/        what a NATS server in the node stores: package natsserver, which puts
//	             what is of before its cluster beside, as nats.alone and nats.before-cluster
//	code/        machine code, which is made again: package compile
//	acme/        certificates that were issued, with their keys: package certs, mode 0700
//	node.id      the name by which the node knows itself again
//	removed      when the node was removed from its cluster: it does not start then
//	admin.token  a token for administrators, mode 0600
//	kek          the key for secrets, unless it comes from elsewhere, mode 0400
//	audit.log    what was changed by whom: package audit, mode 0600
//
// Claim comes before anything in a directory is opened.
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Format is the number of the format that this program writes. Raise it when an
// older program would misread, or lose, what a newer one has written.
const Format = 1

// Dir is the path of a data directory.
type Dir string

// The parts of a data directory.
func (d Dir) KV() string         { return d.part("kv") }
func (d Dir) Blobs() string      { return d.part("blobs") }
func (d Dir) Copy() string       { return d.part("copy") }
func (d Dir) NATS() string       { return d.part("nats") }
func (d Dir) Code() string       { return d.part("code") }
func (d Dir) ACME() string       { return d.part("acme") }
func (d Dir) NodeID() string     { return d.part("node.id") }
func (d Dir) Removed() string    { return d.part("removed") }
func (d Dir) AdminToken() string { return d.part("admin.token") }
func (d Dir) KEK() string        { return d.part("kek") }
func (d Dir) AuditLog() string   { return d.part("audit.log") }
func (d Dir) FormatFile() string { return d.part("format") }

func (d Dir) part(name string) string { return filepath.Join(string(d), name) }

const (
	formatPrefix = "mayfly data "
	unfinished   = "mayfly restore has not finished"
)

// ErrUnfinished: the directory holds a part of a backup.
var ErrUnfinished = errors.New("a restore into it has not finished: remove it and run mayfly restore again")

// Claim makes the directory if it is missing, and its file format. It refuses a
// directory that a newer program has written, or that a restore has not
// finished.
func (d Dir) Claim() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	err := d.Check()
	if errors.Is(err, fs.ErrNotExist) { // new, or from before there were formats
		return d.write(formatPrefix + strconv.Itoa(Format))
	}
	return err
}

// Check is Claim without changing anything: fs.ErrNotExist if no format is said.
func (d Dir) Check() error {
	text, err := os.ReadFile(d.FormatFile())
	if err != nil {
		return err
	}
	line := strings.TrimSuffix(string(text), "\n")
	if line == unfinished {
		return ErrUnfinished
	}
	number, ok := strings.CutPrefix(line, formatPrefix)
	n, err := strconv.Atoi(number)
	switch {
	case !ok || err != nil || n < 1 || strconv.Itoa(n) != number:
		return fmt.Errorf("its file format is damaged: it says %.40q instead of %q; if the directory is of this version, write that into the file", line, formatPrefix+strconv.Itoa(Format))
	case n > Format:
		return fmt.Errorf("data directory was written by a newer Mayfly (format %d, this one knows %d): run that version, or restore a backup into a new directory", n, Format)
	}
	return nil
}

// newFormat is how the names of files begin that become the file format. One alone
// was left by a process that was killed before it did anything else.
const newFormat = ".format-"

// CheckEmpty refuses a directory that has anything in it.
func (d Dir) CheckEmpty() error {
	files, err := os.ReadDir(string(d))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), newFormat) {
			return fmt.Errorf("%s is not empty (it has %s): restore into a new directory", d, f.Name())
		}
	}
	return nil
}

// BeginRestore takes an empty or missing directory for a restore; until
// FinishRestore, Claim refuses it.
func (d Dir) BeginRestore() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	if err := d.CheckEmpty(); err != nil {
		return err
	}
	return d.write(unfinished)
}

// FinishRestore makes a restored directory one that a node starts on. Everything
// in it is durable then.
func (d Dir) FinishRestore() error {
	err := filepath.WalkDir(string(d), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncPath(path)
	})
	if err != nil {
		return fmt.Errorf("sync data directory: %w", err)
	}
	return d.write(formatPrefix + strconv.Itoa(Format))
}

// write replaces the file format as a whole and makes it durable.
func (d Dir) write(line string) error {
	f, err := os.CreateTemp(string(d), newFormat+"*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // there is nothing to remove once it is renamed
	_, err = f.WriteString(line + "\n")
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), d.FormatFile()); err != nil {
		return err
	}
	return syncPath(string(d))
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
