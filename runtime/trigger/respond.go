package trigger

import (
	"bytes"
	"context"
	"io"
	"net"
	goruntime "runtime"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
	"github.com/valyala/fasthttp"
)

// invocation joins a request's RequestCtx with the Call that answers it. It
// implements host.Responder.
type invocation struct {
	call   host.Call
	active *deploy.Active
	buf    []byte // of describe
	// body is nil without one. It is not reused with the invocation: fasthttp may
	// hold on to it a little longer.
	body *requestBody
	// after is the client's; nil where there is none, and once ctx is.
	after *afterwards
	// ctx is nil once the connection has gone on without the guest. Until then
	// the goroutine of the handler waits and the guest's may use ctx.
	ctx *fasthttp.RequestCtx
	// handedBack is closed when ctx belongs to the handler again; nil if the
	// guest runs on the handler's own goroutine.
	handedBack chan struct{}
	status     int // for the access log

	// For Server-Timing, if the Call is timed.
	begun  time.Time
	queued time.Duration // before that
	timed  []byte        // buffer
}

// begin takes an invocation from the pool and fills it in.
func (h *HTTP) begin(ctx *fasthttp.RequestCtx, t target, p peer, active *deploy.Active, body arrival) *invocation {
	inv := h.pool.Get().(*invocation)
	inv.ctx, inv.active = ctx, active
	c := &inv.call
	c.ID, c.Services, c.Bindings, c.Limits, c.Responder = newID(), h.cfg.Services, active.Bindings, active.Limits, inv
	inv.buf = describe(&c.Request, inv.buf, ctx, t, p)
	if body.stream != nil {
		ctx.SetReadDeadline(time.Now().Add(min(active.Limits.Wall, h.cfg.ResponseTimeout)))
		inv.body = &requestBody{conn: ctx.Conn(), stream: body.stream, left: active.Limits.RequestBody}
		if body.slow {
			inv.body.slow.Store(active)
		}
		c.Request.Body = inv.body
	}
	if client, ok := ctx.Conn().(client); ok {
		inv.after, c.Client = client.after(), client
	}
	if h.cfg.ServerTiming {
		c.Timed, inv.begun = true, time.Now()
		inv.queued = inv.begun.Sub(ctx.Time())
	}
	c.Begin(h.base)
	h.told.begin(active, c)
	return inv
}

// recycle puts off what takes time until the answer was sent. spent may be nil.
func (inv *invocation) recycle(spent *runtime.Instance) {
	switch {
	case spent == nil:
	case inv.after != nil:
		inv.after.spent = spent
	default:
		spent.Recycle()
	}
}

// end tells how an Invocation went and puts it back.
func (h *HTTP) end(inv *invocation, outcome host.Outcome, err error) {
	c := &inv.call
	e := telemetry.Ended{Outcome: outcome, Err: err, Status: inv.status}
	h.told.end(inv.active, c, e)
	h.told.log(inv.active, c, e, h.clock.now())
	if h.cfg.AccessLog != nil {
		h.logAccess(inv, outcome)
	}
	c.Reset()
	inv.active, inv.after, inv.body, inv.ctx, inv.handedBack, inv.status = nil, nil, nil, nil, nil, 0
	h.pool.Put(inv)
}

func (h *HTTP) logAccess(inv *invocation, outcome host.Outcome) {
	c := &inv.call
	h.cfg.AccessLog.Info("request", "id", c.ID, "client", c.Request.Client.String(),
		"method", string(c.Request.Method), "url", string(c.Request.URL), "status", inv.status,
		"account", c.Bindings.Account, "function", c.Bindings.Function, "version", c.Bindings.Version,
		"outcome", outcome.String(), "wall_us", c.Usage.Wall.Microseconds(),
		"bytes_in", c.Usage.BytesIn, "bytes_out", c.Usage.BytesOut, "peak_memory", c.Usage.PeakMemory)
}

// smallBody is what an answer may have without being counted as memory that is
// taken until the client has it, in bytes.
const smallBody = 64 << 10

// Respond implements host.Responder.
func (inv *invocation) Respond(status int, headers host.Headers, body []byte) error {
	if len(body) > smallBody && inv.after != nil && !inv.after.take(inv.call.Memory, int64(len(body))) {
		return host.Errorf(host.CodeLimit, "the node has no memory left for a response of %d bytes", len(body))
	}
	inv.head(status, headers)
	if len(body) > smallBody {
		inv.ctx.Response.SetBodyRaw(clone(body)) // connections keep the buffers of SetBody
	} else {
		inv.ctx.Response.SetBody(body)
	}
	return nil
}

// piece is how much is copied at a time, in bytes. A copy, by the process or by the
// kernel, can't be interrupted: everybody else may have to wait for it.
const piece = 128 << 10

func clone(b []byte) []byte {
	c := make([]byte, len(b))
	for n := 0; n < len(b); {
		n += copy(c[n:min(n+piece, len(b))], b[n:])
		goruntime.Gosched()
	}
	return c
}

func (inv *invocation) head(status int, headers host.Headers) {
	r := &inv.ctx.Response
	inv.status = status
	r.SetStatusCode(status)
	for name, value := range headers.All() {
		if !host.IsHopByHop(name) {
			r.Header.AddBytesKV(name, value)
		}
	}
}

// fail answers in place of a guest that did not, or whose answer doesn't count
// because it failed afterwards.
func (inv *invocation) fail(outcome host.Outcome) {
	if inv.body.exceeded() { // that is the client's fault, not the guest's
		inv.status = fasthttp.StatusRequestEntityTooLarge
		page(inv.ctx, inv.status, titleTooLarge, inv.call.ID)
		return
	}
	inv.status = verdicts[outcome].status
	failurePage(inv.ctx, outcome, inv.call.ID)
}

// Stream implements host.Responder.
func (inv *invocation) Stream(status int, headers host.Headers) (host.BodyWriter, error) {
	if inv.handedBack == nil {
		return nil, host.Errorf(host.CodeUnsupported, "this invocation can't stream its response")
	}
	inv.head(status, headers)
	inv.timing(false)
	r, w := io.Pipe()
	stop := context.AfterFunc(inv.call.Context(), func() { r.CloseWithError(errStreamOver) })
	deadline, _ := inv.call.Deadline()
	deadline = deadline.Add(inv.call.Limits.AfterResponse)
	if body := (&streamReader{r, inv.body}); inv.ctx.Request.Header.IsHTTP11() {
		inv.ctx.SetWriteDeadline(deadline)
		inv.ctx.Response.ImmediateHeaderFlush = true
		inv.ctx.Response.SetBodyStream(body, -1)
	} else {
		untilClose(inv.ctx, body, deadline)
	}
	inv.handBack()
	return &streamWriter{w, inv.body, stop}, nil
}

// untilClose streams a response to a client of HTTP/1.0, which knows no chunks: the
// body ends with the connection (RFC 9112, sections 6.1 and 6.3). fasthttp would
// send chunks.
func untilClose(ctx *fasthttp.RequestCtx, body io.ReadCloser, deadline time.Time) {
	const untilClosed = -2
	ctx.Response.Header.SetContentLength(untilClosed)
	ctx.Response.Header.SetConnectionClose()
	head, headOnly := bytes.Clone(ctx.Response.Header.Header()), ctx.IsHead()
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(c net.Conn) {
		defer body.Close()
		c.SetWriteDeadline(deadline)
		if _, err := c.Write(head); err == nil && !headOnly {
			io.Copy(c, body) //nolint:errcheck // whatever it was, the connection ends
		}
	})
}

// Detach implements host.Responder.
func (inv *invocation) Detach() error {
	if inv.handedBack == nil {
		return host.Errorf(host.CodeUnsupported, "this invocation can't go on after its response")
	}
	if inv.ctx != nil {
		inv.body.shut()
		inv.handBack()
	}
	return nil
}

// handBack lets the handler return, which sends the response. The connection goes
// on to other requests.
func (inv *invocation) handBack() {
	inv.ctx, inv.after, inv.call.Client = nil, nil, nil
	close(inv.handedBack)
}

var errStreamOver = host.Errorf(host.CodeCanceled, "the client no longer takes this response, or the time for it is over")

// streamWriter is the guest's end of a streamed response. The request's body is
// shut before the response ends, because the connection goes on then.
type streamWriter struct {
	*io.PipeWriter
	body *requestBody
	stop func() bool
}

func (w *streamWriter) CloseWithError(err error) error {
	w.stop()
	w.body.shut()
	return w.PipeWriter.CloseWithError(err)
}

// streamReader is fasthttp's end of a streamed response. fasthttp closes it when
// the response is sent or the client is gone.
type streamReader struct {
	*io.PipeReader
	body *requestBody
}

func (r *streamReader) Close() error {
	r.body.shut()
	return r.PipeReader.CloseWithError(errStreamOver)
}
