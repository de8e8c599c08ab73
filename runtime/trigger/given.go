package trigger

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"

	"github.com/mayfly-run/mayfly/host"
)

// heldBody is a body in memory, which counts as taken until it is closed.
type heldBody struct {
	bytes.Reader
	memory host.Memory // nil if nobody counts
	size   int64
	closed sync.Once
}

func (b *heldBody) Close() error {
	b.closed.Do(func() {
		if b.memory != nil {
			b.memory.Give(b.size)
		}
	})
	return nil
}

// pipedBody is the reading end of an answer that is streamed.
type pipedBody struct {
	*io.PipeReader
	answer *answer
}

func (b *pipedBody) Read(p []byte) (int, error) {
	n, err := b.PipeReader.Read(p)
	if err != nil && err != io.EOF {
		err = host.Errorf(host.CodeUnavailable, "Function %s ended before its answer was whole", b.answer.function)
	}
	return n, err
}

func (b *pipedBody) Close() error { return b.PipeReader.CloseWithError(errStreamOver) }

// pipedWriter is the guest's end. Once the answer is whole, the guest may go on
// with other work.
type pipedWriter struct {
	*io.PipeWriter
	answer *answer
	stop   func() bool
}

func (w *pipedWriter) CloseWithError(err error) error {
	w.stop()
	w.answer.whole()
	return w.PipeWriter.CloseWithError(err)
}

// givenBody is a request's body that comes from this process.
type givenBody struct {
	source io.Reader
	left   int64 // bytes until the limit
	closed atomic.Bool
	over   atomic.Bool // the limit was exceeded
}

func (b *givenBody) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, errBodyShut
	}
	n, err := b.source.Read(p)
	if b.left -= int64(n); b.left < 0 {
		b.over.Store(true)
		return 0, errBodyTooLarge
	}
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case b.closed.Load():
		return 0, errBodyShut
	}
	return n, host.Errorf(host.CodeCanceled, "the caller went away before its body was complete")
}

var errBodyShut = host.Errorf(host.CodeState, "the request's body can't be read after the answer was sent, or its handle was closed")

// shut ends a Read that is under way and refuses later ones.
func (b *givenBody) shut() {
	if b.closed.Swap(true) {
		return
	}
	if c, ok := b.source.(io.Closer); ok {
		c.Close()
	}
}

// Close implements io.Closer for the guest's handle.
func (b *givenBody) Close() error {
	b.shut()
	return nil
}

// exceeded reports whether the body went beyond its limit. A nil body is none.
func (b *givenBody) exceeded() bool { return b != nil && b.over.Load() }
