package trigger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
	"github.com/valyala/fasthttp"
)

// HTTPConfig configures the front end. Services, Table, Loops and Logger are required.
type HTTPConfig struct {
	Services *host.Services
	Table    Table
	// Loops counts how often a request has passed this node, from its CDN-Loop
	// field (RFC 8586).
	Loops  func(cdnLoop string) int
	Logger *slog.Logger

	MaxHeader       int                 // bytes of all header fields with the request line; default 32 KiB
	MaxURL          int                 // bytes; default 16 KiB
	MaxFields       int                 // header fields; default 256
	MaxBody         int64               // bytes; the most any Function may accept; default 100 MiB
	MaxConns        int                 // 0 means no limit; beyond it, those that were idle for longest are closed
	MaxConnsPerIP   int                 // 0 means no limit
	TrustedProxies  []netip.Prefix      // whose X-Forwarded-For and -Proto are believed
	AccessLog       *slog.Logger        // one entry per request; nil for none
	HeaderTimeout   time.Duration       // for a request's header; default 10 s
	IdleTimeout     time.Duration       // between requests of a connection; default 60 s
	ResponseTimeout time.Duration       // for a client to take its response; default 30 s
	RefusalTimeout  time.Duration       // for a client that sends to hear that it was refused; default 500 ms
	Metrics         *telemetry.Metrics  // default: nobody sees them
	Observer        *telemetry.Observer // told of every Invocation; nil for none
	// ServerTiming tells clients in each answer what its time went into.
	ServerTiming bool
	// Intercept answers requests before any Function is looked for, and reports
	// whether it did. Nil intercepts nothing.
	Intercept func(ctx *fasthttp.RequestCtx) bool
	// Challenge is the answer to an ACME HTTP-01 challenge (RFC 8555, section 8.3)
	// for a host, without TLS, if there is one. Nil answers none. It keeps neither.
	Challenge func(host, path []byte) ([]byte, bool)
	// Redirect is the authority to which requests without TLS for a host are sent
	// (308), if they are. Nil sends none. It keeps nothing.
	Redirect func(host []byte) (authority string, ok bool)
	// HSTS is the Strict-Transport-Security field (RFC 6797) of answers over TLS
	// that have none; empty for none.
	HSTS string
}

// Table finds the Function for a request. Lookup keeps none of its arguments.
type Table interface {
	Lookup(scheme, host, pathQuery []byte) (*deploy.Serving, bool)
}

// maxLoops is how often one request may pass this node.
const maxLoops = 8

// HTTP is the front end of a node: it answers HTTP/1.1, and HTTP/2 over TLS, with
// Functions.
type HTTP struct {
	cfg         HTTPConfig
	server      *fasthttp.Server
	h2          *h2Server
	crowd       *crowd
	clock       *clock
	told        told
	pool        sync.Pool // of *invocation
	*background           // guests on goroutines of their own

	mu        sync.Mutex // guards what follows
	listeners []net.Listener
	shut      bool
}

// NewHTTP makes a front end. Serve and ServeTLS run it.
func NewHTTP(cfg HTTPConfig) *HTTP {
	cfg.setDefaults()
	h := &HTTP{background: newBackground(), cfg: cfg, clock: newClock(), crowd: newCrowd(cfg.MaxConns, cfg.MaxConnsPerIP), told: told{cfg.Metrics, cfg.Observer, cfg.Logger}}
	h.pool.New = func() any { return new(invocation) }
	h.server = &fasthttp.Server{
		Handler:        h.handle,
		ErrorHandler:   h.refuseUnread,
		ExpectHandler:  h.expect,
		HeaderReceived: h.headerReceived,
		ConnState:      follow,
		Logger:         quiet{cfg.Logger},

		ReadBufferSize:     cfg.MaxHeader,
		MaxRequestBodySize: int(cfg.MaxBody),
		StreamRequestBody:  true,
		TCPKeepalive:       true,
		CloseOnShutdown:    true,

		DisablePreParseMultipartForm: true,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		SecureErrorLogMessage:        true,
	}
	h.h2 = newH2Server(h)
	return h
}

func (c *HTTPConfig) setDefaults() {
	if c.Metrics == nil {
		c.Metrics = new(telemetry.Metrics)
	}
	set(&c.MaxHeader, 32<<10)
	set(&c.MaxURL, 16<<10)
	set(&c.MaxFields, 256)
	set(&c.MaxBody, 100<<20)
	set(&c.HeaderTimeout, 10*time.Second)
	set(&c.IdleTimeout, 60*time.Second)
	set(&c.ResponseTimeout, 30*time.Second)
	set(&c.RefusalTimeout, 500*time.Millisecond)
}

func set[T comparable](field *T, value T) {
	var unset T
	if *field == unset {
		*field = value
	}
}

// Serve answers what ln accepts until Shutdown. It is called once.
func (h *HTTP) Serve(ln net.Listener) error {
	l := newListener(ln, h)
	defer l.ending.Wait()
	return h.serve(l)
}

func (h *HTTP) timeouts() *timeouts {
	return &timeouts{h.cfg.IdleTimeout, h.cfg.HeaderTimeout, h.cfg.ResponseTimeout, h.cfg.RefusalTimeout, h.clock.now}
}

// serve answers what ln accepts, each a conn.
func (h *HTTP) serve(ln net.Listener) error {
	if !h.opens(ln) {
		return ln.Close()
	}
	ticking, stop := context.WithCancel(h.base)
	var clock sync.WaitGroup
	clock.Go(func() { h.clock.run(ticking) })
	defer clock.Wait()
	defer stop()
	return h.server.Serve(ln)
}

// opens notes a listener for Shutdown, and reports whether it may be used.
func (h *HTTP) opens(ln net.Listener) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listeners = append(h.listeners, ln)
	return !h.shut
}

// Shutdown stops accepting, lets requests and the guests behind them finish
// until ctx ends, and cancels what is left then. It may come before Serve.
func (h *HTTP) Shutdown(ctx context.Context) error {
	// fasthttp's own shutdown does nothing about a Serve that is just beginning.
	h.mu.Lock()
	h.shut = true
	for _, ln := range h.listeners {
		ln.Close()
	}
	h.mu.Unlock()
	h.h2.goAway()
	err := h.server.ShutdownWithContext(ctx)
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	err = errors.Join(err, h.h2.wait(ctx))
	h.drain(ctx)
	return err
}

func (h *HTTP) handle(ctx *fasthttp.RequestCtx) {
	defer h.harden(ctx)
	defer h.survive(ctx)
	if h.cfg.Intercept != nil && h.cfg.Intercept(ctx) {
		return
	}
	t, refused := h.checkRequest(ctx)
	if refused != nil {
		h.refuse(ctx, refused)
		return
	}
	p := h.peerOf(ctx)
	if !p.https && h.sendsElsewhere(ctx, t) {
		return
	}
	if h.loops(ctx) >= maxLoops {
		h.turnAway(ctx, telemetry.RefusedLoop, fasthttp.StatusLoopDetected, titleLoop)
		return
	}
	active, snapshot, err := h.find(ctx, p, t)
	switch {
	case err != nil:
		id := newID()
		h.cfg.Logger.Error("load module", "request", id, "host", string(t.host), "err", err)
		failurePage(ctx, host.OutcomeInternalError, id)
	case active != nil && snapshot == nil: // static files have answered
	case active == nil:
		h.turnAway(ctx, telemetry.RefusedUnknown, fasthttp.StatusNotFound, titleNotFound)
	default:
		h.invoke(ctx, t, p, active, snapshot)
	}
}

// loops is how often the request has passed this node.
func (h *HTTP) loops(ctx *fasthttp.RequestCtx) (n int) {
	for _, field := range ctx.Request.Header.PeekAll("Cdn-Loop") {
		n += h.cfg.Loops(string(field))
	}
	return n
}

// find looks up what serves a request and takes it into use. Where a
// deploy has just replaced what was found, it looks again. There is no Snapshot if
// the Version's static files have answered.
func (h *HTTP) find(ctx *fasthttp.RequestCtx, p peer, t target) (*deploy.Active, *runtime.Snapshot, error) {
	for {
		serving, ok := h.cfg.Table.Lookup(p.scheme(), t.host, t.path)
		if !ok {
			return nil, nil, nil
		}
		active := pick(ctx, serving)
		if active.Assets != nil && h.serveAssets(ctx, t, p, active) {
			return active, nil, nil
		}
		snapshot, err := active.Snapshot(h.base, ctx.Time())
		if err == nil && snapshot.Use() {
			return active, snapshot, nil
		}
		if err != nil && !errors.Is(err, runtime.ErrClosed) {
			return active, nil, err
		}
	}
}

// pick chooses the Version that answers.
func pick(ctx *fasthttp.RequestCtx, s *deploy.Serving) *deploy.Active {
	if !s.Shared() {
		return s.Main()
	}
	header := &ctx.Request.Header
	overrides := header.PeekAll("Cloudflare-Workers-Version-Overrides")
	return s.Pick(header.Peek("Cloudflare-Workers-Version-Key"), bytes.Join(overrides, []byte(", ")))
}

// survive keeps one request's fault from ending the server.
func (h *HTTP) survive(ctx *fasthttp.RequestCtx) {
	if v := recover(); v != nil {
		id := newID()
		h.logPanic(id, v)
		failurePage(ctx, host.OutcomeInternalError, id)
		ctx.SetConnectionClose()
	}
}

func (h *HTTP) logPanic(id string, v any) {
	h.cfg.Logger.Error("panic while serving", "request", id, "panic", v, "stack", string(debug.Stack()))
}

func (h *HTTP) invoke(ctx *fasthttp.RequestCtx, t target, p peer, active *deploy.Active, snapshot *runtime.Snapshot) {
	if refused := checkLimits(&ctx.Request.Header, t, active); refused != nil {
		snapshot.Done()
		h.refuse(ctx, refused)
		return
	}
	body, ok := h.receive(ctx, snapshot.Budget)
	if !ok {
		snapshot.Done()
		return
	}
	if !h.enter(active, body) {
		snapshot.Done()
		h.crowded(ctx)
		return
	}
	inv := h.begin(ctx, t, p, active, body)
	if snapshot.Detached() {
		h.serveDetached(inv, snapshot) // which leaves
		return
	}
	defer active.Leave()
	defer inv.body.arrived()
	h.serveInline(inv, snapshot)
}

// enter lets an Invocation begin, which Leave ends, and the wait for its body,
// which arrived ends.
func (h *HTTP) enter(active *deploy.Active, body arrival) bool {
	if body.slow && active.EnterSlow(h.base) != nil {
		return false
	}
	if active.Enter(h.base) == nil {
		return true
	}
	if body.slow {
		active.Arrived()
	}
	return false
}

func (h *HTTP) serveInline(inv *invocation, snapshot *runtime.Snapshot) {
	outcome, spent, err := snapshot.Invoke(&inv.call)
	if outcome != host.OutcomeOK {
		inv.fail(outcome)
	}
	inv.timing(true)
	inv.recycle(spent)
	h.end(inv, outcome, err)
}

const hexDigits = "0123456789abcdef"

// newID makes a request id: 64 random bits in hexadecimal digits.
func newID() string {
	var b [16]byte
	v := rand.Uint64()
	for i := range b {
		b[i] = hexDigits[v>>(4*i)&15]
	}
	return string(b[:])
}

// quiet passes fasthttp's own messages on as debugging aids: they are about
// single connections of clients.
type quiet struct{ *slog.Logger }

func (q quiet) Printf(format string, args ...any) { q.Debug(fmt.Sprintf(format, args...)) }
