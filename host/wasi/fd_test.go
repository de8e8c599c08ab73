package wasi_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

const (
	ebadf  = 8
	einval = 28
)

// iovecs puts buffers one after the other at 1000 and describes them at 100.
func (g *guest) iovecs(buffers ...string) (ptr, count uint64) {
	at, offset := uint32(100), uint32(1000)
	for _, b := range buffers {
		g.Put(at, offset, uint32(len(b)))
		g.Put(offset, b)
		at, offset = at+8, offset+uint32(len(b))
	}
	return 100, uint64(len(buffers))
}

// write writes buffers and returns the errno and how many bytes were taken.
func (g *guest) write(fd uint64, buffers ...string) (errno uint64, n uint32) {
	g.t.Helper()
	ptr, count := g.iovecs(buffers...)
	g.Put(96, uint32(0))
	return g.do("fd_write", fd, ptr, count, 96), g.Uint32(96)
}

// mustWrite writes text whole.
func (g *guest) mustWrite(fd uint64, text string) {
	g.t.Helper()
	if errno, n := g.write(fd, text); errno != 0 || int(n) != len(text) {
		g.t.Errorf("write to %d: errno %d after %d bytes", fd, errno, n)
	}
}

func TestWrite(t *testing.T) {
	var out, errs bytes.Buffer
	g := newGuest(t, hosttest.Invocation{})
	g.Call.Stdout, g.Call.Stderr = &out, &errs
	for _, c := range []struct {
		fd      uint64
		buffers []string
		errno   uint64
		n       uint32
	}{
		{1, []string{"one"}, 0, 3},
		{1, []string{"", " two", "", " three"}, 0, 10},
		{2, []string{"oh no"}, 0, 5},
		{1, nil, 0, 0},
		{0, []string{"x"}, ebadf, 0},
		{3, []string{"x"}, ebadf, 0},
	} {
		if errno, n := g.write(c.fd, c.buffers...); errno != c.errno || n != c.n {
			t.Errorf("write of %q to %d: errno %d after %d bytes, want %d after %d", c.buffers, c.fd, errno, n, c.errno, c.n)
		}
	}
	if out.String() != "one two three" || errs.String() != "oh no" {
		t.Errorf("got %q and %q", out.String(), errs.String())
	}
}

func TestWriteTooMany(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{})
	g.Call.Stdout = io.Discard
	for i := range uint32(1024) {
		g.Put(8*i, uint32(0), uint32(65536))
	}
	g.want(0, "fd_write", 1, 0, 1024, 60000)
	g.want(einval, "fd_write", 1, 0, 1025, 60000)
	g.want(einval, "fd_read", 0, 0, 1025, 60000)
	g.Put(0, uint32(0), uint32(1<<31), uint32(0), uint32(1<<31))
	g.want(einval, "fd_write", 1, 0, 2, 60000)
}

// limited takes n bytes.
type limited struct{ n int }

func (l *limited) Write(b []byte) (int, error) {
	n := min(l.n, len(b))
	if l.n -= n; n < len(b) {
		return n, host.Errorf(host.CodeTooLarge, "enough")
	}
	return n, nil
}

func TestWriteFails(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{})
	g.Call.Stdout = &limited{5}
	if errno, n := g.write(1, "abc", "def", "ghi"); errno != 0 || n != 5 {
		t.Errorf("errno %d after %d bytes, want 0 after 5", errno, n)
	}
	if errno, _ := g.write(1, "f"); errno != 22 {
		t.Errorf("errno %d, want EFBIG", errno)
	}
	if got := g.Call.LastError; got == nil || got.Code != host.CodeTooLarge {
		t.Errorf("last error is %v, want that of the writer", got)
	}
}

func TestRead(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{})
	g.Call.Stdin = iotest.DataErrReader(strings.NewReader("question"))
	g.Put(100, uint32(500), uint32(0), uint32(300), uint32(5), uint32(400), uint32(9))
	for _, want := range []string{"quest", "ion", "", ""} {
		g.Put(300, "?????")
		g.want(0, "fd_read", 0, 100, 3, 96)
		if n := g.Uint32(96); int(n) != len(want) {
			t.Errorf("read %d bytes, want %d", n, len(want))
		}
		g.WantMemory(300, want)
	}
	g.want(ebadf, "fd_read", 1, 100, 1, 96)
	g.want(ebadf, "fd_read", 3, 100, 1, 96)
}

func TestReadNothing(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{})
	g.Put(100, uint32(300), uint32(5))
	g.want(0, "fd_read", 0, 100, 1, 96)
	if n := g.Uint32(96); n != 0 {
		t.Errorf("read %d bytes without stdin", n)
	}
	g.want(0, "fd_read", 0, 100, 0, 96)
}

func TestReadFails(t *testing.T) {
	for _, c := range []struct {
		err   error
		errno uint64
	}{
		{host.Errorf(host.CodeInvalid, "malformed"), einval},
		{host.Errorf(host.CodeDenied, "no"), 2},
		{host.Errorf(host.CodeLimit, "no more"), 19},
		{host.Errorf(host.CodeTooLarge, "body too large"), 22},
		{host.Errorf(host.CodeTimeout, "too slow"), 73},
		{host.Errorf(host.CodeCanceled, "gone"), 11},
		{host.Errorf(host.CodeUnsupported, "cannot"), 58},
		{errors.New("disk on fire"), 29},
	} {
		g := newGuest(t, hosttest.Invocation{})
		g.Call.Stdin = iotest.ErrReader(c.err)
		g.Put(100, uint32(300), uint32(5))
		g.want(c.errno, "fd_read", 0, 100, 1, 96)
	}
}

// Lines go to the log when they are complete, or at the end.
func TestLog(t *testing.T) {
	const info, err = host.LogInfo, host.LogError
	long := strings.Repeat("x", 16<<10)
	for _, c := range []struct {
		name   string
		writes []string
		want   []string
	}{
		{"line by line", []string{"one\ntwo\n"}, []string{"one", "two"}},
		{"in pieces", []string{"o", "ne", "\nt", "wo\n"}, []string{"one", "two"}},
		{"unfinished", []string{"one\ntw", "o"}, []string{"one", "two"}},
		{"blank lines", []string{"\n\none\n\n", "\n"}, []string{"one"}},
		{"CR LF", []string{"one\r", "\ntwo\r\n\r\n"}, []string{"one", "two"}},
		{"long", []string{long[:9999], long + "yz", "\nend"}, []string{long, strings.Repeat("x", 9999) + "yz", "end"}},
		{"just not long", []string{long, "\nend"}, []string{long, "end"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGuest(t, hosttest.Invocation{})
			for _, text := range c.writes {
				g.mustWrite(1, text)
				g.mustWrite(2, text)
			}
			got := map[host.LogLevel][]string{}
			for _, entry := range g.flush() {
				got[entry.Level] = append(got[entry.Level], entry.Text)
			}
			if !slices.Equal(got[info], c.want) || !slices.Equal(got[err], c.want) {
				t.Errorf("stdout logged %.99q, stderr %.99q, want %.99q", got[info], got[err], c.want)
			}
		})
	}
}

// What one Invocation did to its descriptors is undone in the next one.
func TestDescriptorsAreNew(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{})
	g.mustWrite(2, "cut o")
	for fd := range uint64(3) {
		g.want(0, "fd_fdstat_set_flags", fd, 4)
		g.want(0, "fd_close", fd)
		g.want(ebadf, "fd_close", fd)
		g.want(ebadf, "fd_fdstat_get", fd, 200)
	}
	if errno, _ := g.write(1, "x"); errno != ebadf {
		t.Errorf("write to a closed descriptor returned %d", errno)
	}
	g.Next(hosttest.Invocation{})
	for fd := range uint64(3) {
		g.want(0, "fd_fdstat_get", fd, 200)
		if flags := g.Uint32(200) >> 16; flags != 0 {
			t.Errorf("descriptor %d has flags %d", fd, flags)
		}
	}
	g.mustWrite(2, "whole\n")
	if log := g.flush(); len(log) != 1 || log[0].Text != "whole" {
		t.Errorf("log is %v, want one entry of this Invocation", log)
	}
}

func TestRenumber(t *testing.T) {
	var out, errs bytes.Buffer
	g := newGuest(t, hosttest.Invocation{})
	g.Call.Stdout, g.Call.Stderr = &out, &errs
	g.want(0, "fd_fdstat_set_flags", 2, 1)
	g.want(0, "fd_renumber", 2, 1) // 2>&1, and 2 is closed
	g.mustWrite(1, "moved")
	if out.Len() != 0 || errs.String() != "moved" {
		t.Errorf("got %q and %q, want the text in the latter", out.String(), errs.String())
	}
	g.want(0, "fd_fdstat_get", 1, 200)
	if flags := g.Uint32(200) >> 16; flags != 1 {
		t.Errorf("the flags did not move along: %d", flags)
	}
	g.want(ebadf, "fd_renumber", 2, 1)
	g.want(ebadf, "fd_renumber", 1, 2)
	g.want(ebadf, "fd_renumber", 1, 9)
	g.want(0, "fd_renumber", 1, 1)
	g.mustWrite(1, " twice")
	if errs.String() != "moved twice" {
		t.Errorf("got %q", errs.String())
	}
}

func TestStat(t *testing.T) {
	const read, setFlags, write, filestat, poll = 1 << 1, 1 << 3, 1 << 6, 1 << 21, 1 << 27
	g := newGuest(t, hosttest.Invocation{})
	for fd, rights := range []uint64{read | setFlags | filestat | poll, write | setFlags | filestat | poll, write | setFlags | filestat | poll} {
		g.want(0, "fd_fdstat_get", uint64(fd), 200)
		g.WantMemory(200, "\x00\x00\x00\x00\x00\x00\x00\x00"+le64(rights)+le64(0))
		g.Put(200, strings.Repeat("?", 24))
		g.want(0, "fd_filestat_get", uint64(fd), 300)
		g.WantMemory(300, strings.Repeat("\x00", 64))
		g.Put(300, strings.Repeat("?", 64))
	}
	g.want(ebadf, "fd_fdstat_get", 3, 200)
	g.want(ebadf, "fd_filestat_get", 3, 200)
	g.want(ebadf, "fd_fdstat_set_flags", 3, 0)
	g.want(einval, "fd_fdstat_set_flags", 1, 32)
}
