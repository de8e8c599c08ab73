package trigger

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/valyala/fasthttp"
)

// wholeBody is the length up to which a body is waited for before its Function is
// asked, in bytes. So a client that sends it slowly takes nothing from others. Of
// longer bodies, and those of unknown length, guests may wait for the rest: only so
// many at the same time, see deploy.Active.
const wholeBody = 64 << 10

// arrival is a request's body before its guest begins.
type arrival struct {
	stream io.Reader // nil: there is none
	slow   bool      // the guest may have to wait for it
}

// receive waits for a body that is not long. Until its answer was sent, a request
// takes memory for it.
func (h *HTTP) receive(ctx *fasthttp.RequestCtx, memory host.Memory) (a arrival, ok bool) {
	a.stream = ctx.RequestBodyStream()
	length := ctx.Request.Header.ContentLength()
	switch {
	case a.stream == nil || length == 0:
		return arrival{}, true
	case length > 0 && length <= readAhead:
		return a, true
	case length < 0 || length > wholeBody:
		a.slow = true
		return a, true
	}
	if c, ok := ctx.Conn().(*conn); ok && !c.take(memory, int64(length)) {
		failurePage(ctx, host.OutcomeLoadShed, newID())
		h.cfg.Metrics.Observe(host.TriggerHTTP, host.OutcomeLoadShed, new(host.Usage))
		refuses(ctx.Conn())
		ctx.SetConnectionClose()
		return a, false
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(a.stream, body); err != nil {
		h.refuseUnread(ctx, err)
		return a, false
	}
	a.stream = bytes.NewReader(body)
	return a, true
}

// requestBody reads a request's body for a guest, up to a limit. It can be shut
// while the guest still holds it, because the connection goes on to its next
// request then.
type requestBody struct {
	conn net.Conn
	left int64 // bytes until the limit

	mu     sync.Mutex // held while reading; guards stream
	stream io.Reader  // nil once shut

	slow atomic.Pointer[deploy.Active] // until the body has arrived; nil if it had before
}

// arrived ends that the client is waited for. A nil body is none.
func (b *requestBody) arrived() {
	if b == nil {
		return
	}
	if a := b.slow.Swap(nil); a != nil {
		a.Arrived()
	}
}

func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stream == nil {
		return 0, host.Errorf(host.CodeState, "the request's body can't be read after the answer was sent")
	}
	n, err := b.stream.Read(p)
	if err != nil {
		b.arrived()
	}
	if b.left -= int64(n); b.left < 0 {
		return 0, errBodyTooLarge
	}
	return n, bodyError(err)
}

var errBodyTooLarge = host.Errorf(host.CodeTooLarge, "the request's body exceeds the Function's limit")

// exceeded reports whether the body went beyond its limit while a guest that has
// ended was reading it. It never waits for a Read. A nil body is none.
func (b *requestBody) exceeded() bool {
	if b == nil || !b.mu.TryLock() {
		return false
	}
	defer b.mu.Unlock()
	return b.left < 0
}

// shut waits for a Read that is under way and refuses later ones. A Read that
// is stuck is cut loose, after which fasthttp gives the connection up. A nil
// body is none.
func (b *requestBody) shut() {
	if b == nil {
		return
	}
	if !b.mu.TryLock() {
		b.conn.SetReadDeadline(time.Unix(1, 0))
		b.mu.Lock()
	}
	b.stream = nil
	b.mu.Unlock()
}

func bodyError(err error) error {
	netErr, isNet := errors.AsType[net.Error](err)
	switch {
	case err == nil || err == io.EOF:
		return err
	case isNet && netErr.Timeout():
		return host.Errorf(host.CodeTimeout, "the client sent its body too slowly")
	case errors.Is(err, io.ErrUnexpectedEOF) || isNet:
		return host.Errorf(host.CodeCanceled, "the client went away before its body was complete")
	}
	return host.Errorf(host.CodeInvalid, "the request's body is malformed")
}

// Close implements io.Closer for the guest's handle.
func (b *requestBody) Close() error {
	b.shut()
	return nil
}
