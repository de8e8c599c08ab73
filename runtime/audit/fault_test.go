package audit_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/audit"
)

// disk is a file on a disk that can fail.
type disk struct {
	bytes.Buffer
	room         int   // bytes that it takes
	sync         error // what Sync returns
	reserveFails error
}

func (d *disk) Write(p []byte) (int, error) {
	n := min(len(p), d.room-d.Len())
	d.Buffer.Write(p[:n])
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (d *disk) Sync() error                    { return d.sync }
func (d *disk) Close() error                   { return nil }
func (d *disk) Truncate(size int64) error      { d.Buffer.Truncate(int(size)); return nil }
func (d *disk) Size() (int64, error)           { return int64(d.Len()), nil }
func (d *disk) Reserve(from, size int64) error { return d.reserveFails }

// While a log can't be written, it says so before anything is changed. What was
// changed already is written once it can.
func TestDiskFull(t *testing.T) {
	for cut := range 300 {
		d := &disk{room: 1 << 20}
		l := audit.NewLog(audit.Config{}, d)
		mustAppend(t, l, "one")
		d.room = d.Len() + cut
		err := l.Append(audit.Entry{Action: "two"})
		if err == nil {
			break // it fits
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		if err := l.Ready(); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("ready with a full disk: %v", err)
		}
		if err := l.Append(audit.Entry{Action: "three"}); !errors.Is(err, syscall.ENOSPC) { // had begun before
			t.Fatal(err)
		}
		d.room = 1 << 20
		if err := l.Ready(); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, l, "four")
		got, err := actions(d.Bytes())
		if want := []string{"one", "recover log", "two", "three", "four"}; err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("with %d bytes of room: got %q, %v; want %q", cut, got, err, want)
		}
	}
}

func TestNoRoomAhead(t *testing.T) {
	d := &disk{room: 1 << 20, reserveFails: syscall.ENOSPC}
	l := audit.NewLog(audit.Config{}, d)
	if err := l.Ready(); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "make room for audit log") {
		t.Errorf("got %v, want %v", err, syscall.ENOSPC)
	}
	if err := l.Append(audit.Entry{Action: "one"}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want %v", err, syscall.ENOSPC)
	}
	d.reserveFails = nil
	mustAppend(t, l, "two")
	if got, err := actions(d.Bytes()); err != nil || !reflect.DeepEqual(got, []string{"one", "two"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSyncFails(t *testing.T) {
	d := &disk{room: 1 << 20}
	l := audit.NewLog(audit.Config{}, d)
	mustAppend(t, l, "one")
	d.sync = syscall.EIO
	if err := l.Append(audit.Entry{Action: "two"}); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, want %v", err, syscall.EIO)
	}
	if err := l.Ready(); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, want %v", err, syscall.EIO)
	}
	d.sync = nil
	mustAppend(t, l, "three")
	if got, err := actions(d.Bytes()); err != nil || !reflect.DeepEqual(got, []string{"one", "recover log", "two", "three"}) {
		t.Errorf("got %q, %v", got, err)
	}
}
