package native

import (
	"context"
	"io"
	"math"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// See ABI.md, "Bodies".
var bodyFuncs = []abi.Func{
	{Name: "body_read", Params: []abi.Type{abi.I32, abi.I32, abi.I32}, Results: i32, Do: bodyRead},
	{Name: "body_write", Params: []abi.Type{abi.I32, abi.I32, abi.I32}, Results: i32, Do: bodyWrite},
	{Name: "close", Params: i32, Results: i32, Do: closeHandle},
}

// aheadSize is how much of a body is read while the guest waits for several things.
const aheadSize = 16 << 10

// readable is a body that the guest reads. Reading ahead begins only when the
// guest waits for it; otherwise bytes go straight into the guest's buffer.
type readable struct {
	r     io.Reader
	buf   []byte    // of aheadSize, once it was needed
	ahead []byte    // the part of buf that was read and not yet given to the guest
	err   error     // what the reading ended with, given after ahead
	task  host.Task // of reading ahead; unfinished while the fields above belong to it
	busy  bool      // task was started and its bytes have not been used up
}

// Ready implements host.Waitable.
func (b *readable) Ready(c *host.Call) bool {
	if !b.busy && b.err == nil {
		b.busy = true
		b.task = c.Start(b.readAhead)
	}
	return b.task.Ready(c)
}

func (b *readable) readAhead(context.Context) {
	if b.buf == nil {
		b.buf = make([]byte, aheadSize)
	}
	n, err := readSome(b.r, b.buf)
	b.ahead, b.err = b.buf[:n], err
}

func (b *readable) read(c *host.Call, p []byte) (int, error) {
	if err := b.task.Wait(c); err != nil {
		return 0, err
	}
	if len(b.ahead) > 0 {
		n := copy(p, b.ahead)
		b.ahead = b.ahead[n:]
		b.busy = len(b.ahead) > 0
		return n, nil
	}
	b.busy = false
	if b.err == nil {
		n, err := readSome(b.r, p)
		b.err = err
		return n, nil0(n, err)
	}
	return 0, b.err
}

// Close gives up the rest.
func (b *readable) Close() error {
	if c, ok := b.r.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// readSome reads until there is a byte or an end.
func readSome(r io.Reader, p []byte) (n int, err error) {
	for n == 0 && err == nil {
		n, err = r.Read(p)
	}
	return n, err
}

// nil0 holds an error back while there are bytes to give first.
func nil0(n int, err error) error {
	if n > 0 {
		return nil
	}
	return err
}

func bodyRead(g abi.Guest, a abi.Args) int64 {
	b, err := get[*readable](g, a.U32(0))
	if err != nil {
		return failed(g, err)
	}
	p := g.Bytes(a.U32(1), a.U32(2))
	if len(p) == 0 {
		return failed(g, host.Errorf(host.CodeInvalid, "body_read needs room for at least one byte"))
	}
	g.Pause()
	n, readErr := b.read(g.Call, p[:min(len(p), math.MaxInt32)])
	g.Resume()
	g.Usage.BytesIn += int64(n)
	if readErr != nil && readErr != io.EOF {
		return failed(g, readErr)
	}
	return int64(n)
}

func bodyWrite(g abi.Guest, a abi.Args) int64 {
	w, err := get[host.BodyWriter](g, a.U32(0))
	if err != nil {
		return failed(g, err)
	}
	p := g.Bytes(a.U32(1), a.U32(2))
	switch {
	case len(p) == 0:
		return 0 // a pipe would wait for a reader of nothing
	case len(p) > math.MaxInt32:
		return failed(g, host.Errorf(host.CodeTooLarge, "body_write takes at most %d bytes", math.MaxInt32))
	}
	g.Pause()
	n, writeErr := w.Write(p)
	g.Resume()
	g.Usage.BytesOut += int64(n)
	if writeErr != nil {
		return failed(g, canceledUnless(writeErr))
	}
	return int64(n)
}

// canceledUnless: a pipe whose reader is gone has no error of ours.
func canceledUnless(err error) error {
	if host.CodeOf(err) != host.CodeInternal {
		return err
	}
	return host.Errorf(host.CodeCanceled, "the other side no longer reads this body")
}

func closeHandle(g abi.Guest, a abi.Args) int64 {
	if err := g.Handles.Close(host.Handle(a.U32(0))); err != nil {
		return failed(g, err)
	}
	return 0
}
