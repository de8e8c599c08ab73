// Package control is the node's control API: the shape of Cloudflare's v4 REST
// API over a deploy.Registry, so that clients of that API drive a node by
// another base URL. API.md lists what it offers and where it goes further.
//
// Start reading at New; routes.go has the table of everything it answers.
package control

import (
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/audit"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// base is the path below which Cloudflare's routes are.
const base = "/client/v4"

// Config of the control API. Registry is required.
type Config struct {
	Registry *deploy.Registry
	// Observer has tails and failures. Default: one that is told of nothing.
	Observer *telemetry.Observer
	// Cron runs schedules; nil: nothing does.
	Cron Schedules
	// KVTriggers deliver changes of keys; nil: nothing does.
	KVTriggers KVTriggers
	// Invoke gives Functions payloads; nil: nothing does.
	Invoke *Invokes
	// Pull gives messages of queues to programs that ask for them; nil: nothing does.
	Pull Pulls
	// Ledger knows what was used; nil if that is not kept.
	Ledger *telemetry.Ledger
	// Audit records what is changed, and what is refused. While it can't be written,
	// changes are refused. Nil records nothing.
	Audit   *audit.Log
	Logger  *slog.Logger // default: discard
	Version string       // of the node, for /healthz
	// Ready is asked by /readyz; an error says why the node takes no requests.
	// Default: always ready.
	Ready func() error
	// Temp is where backups wait that are uploaded. Default: os.TempDir.
	Temp string
	// Changes is asked before something is changed, or taken out of a queue; an error,
	// with host.CodeUnavailable, says why the node does not know enough for that.
	// Default: it does.
	Changes func() error
	// Health is what /healthz tells. Default: nothing but Version.
	Health func() Health
	// Nodes are those of the cluster; nil: there is none.
	Nodes Nodes
	// URL is where a host of a Function answers. Default: "http://" and the host.
	URL func(host string) string
	// MaxModule is the longest module that is read, in bytes. Default:
	// runtime.DefaultMaxModule.
	MaxModule int64
	// UploadTime is how long the body of a PUT may take: modules, values, bulk
	// writes. Default: 5 minutes.
	UploadTime time.Duration
	// UploadMemory is for the bodies of all such requests together, in bytes; an
	// account may take half of it. It is twice the longest body at least, which is the
	// default. Who finds no room within UploadWait, 10 seconds by default, is told to
	// come again.
	UploadMemory int64
	UploadWait   time.Duration
	Failures     FailureLimits
	// Metrics answers /metrics; nil if there are none.
	Metrics http.Handler
	Now     func() time.Time // default: time.Now
}

type api struct {
	cfg      Config
	routes   []route
	uploads  *uploads
	registry *deploy.Registry
	failures *failures
}

// New returns the handler. It is safe for concurrent use, and all its answers
// but values, modules and /healthz are Cloudflare's envelope.
func New(cfg Config) http.Handler {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Ready == nil {
		cfg.Ready = func() error { return nil }
	}
	if cfg.Health == nil {
		cfg.Health = func() Health { return Health{Version: cfg.Version} }
	}
	if cfg.Changes == nil {
		cfg.Changes = func() error { return nil }
	}
	if cfg.URL == nil {
		cfg.URL = func(host string) string { return "http://" + host }
	}
	if cfg.UploadTime == 0 {
		cfg.UploadTime = 5 * time.Minute
	}
	if cfg.MaxModule == 0 {
		cfg.MaxModule = runtime.DefaultMaxModule
	}
	cfg.UploadMemory = max(cfg.UploadMemory, 2*max(cfg.MaxModule+maxMetadata, maxBulkBody))
	if cfg.UploadWait == 0 {
		cfg.UploadWait = 10 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Observer == nil {
		cfg.Observer = telemetry.NewObserver(telemetry.ObserverConfig{})
	}
	a := &api{cfg: cfg, registry: cfg.Registry, failures: newFailures(cfg.Failures, cfg.Now), uploads: newUploads(cfg.UploadMemory, cfg.UploadWait)}
	a.routes = a.table()
	return a
}

// request is one request with what was found out about it.
type request struct {
	*http.Request
	api     *api
	id      string // for logs
	reply   http.ResponseWriter
	replied bool
	token   deploy.Token
	access  access // that the route asks for
	session string // the token of an upload of static files, in place of token's
	area    area
	params  map[string]string // of the path, decoded

	change   *route            // that is being carried out; nil if nothing is to be changed
	target   map[string]string // what note was told
	recorded bool              // in the audit log
}

// account is the account in the path.
func (r *request) account() string { return r.params["account"] }

// ServeHTTP implements http.Handler.
func (a *api) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	r := &request{Request: hr, api: a, id: requestID(), reply: w}
	defer r.recover()
	w.Header().Set("X-Request-Id", r.id)
	w.Header().Set("X-Content-Type-Options", "nosniff") // values are anything
	if err := a.serve(r); err != nil {
		r.fail(err)
	}
}

func requestID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// recover answers for a handler that panicked.
func (r *request) recover() {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	r.api.cfg.Logger.Error("control API panicked", "request", r.id, "method", r.Method, "panic", cause, "stack", string(debug.Stack()))
	if r.replied {
		panic(http.ErrAbortHandler) // the answer is incomplete, and the client has to notice
	}
	r.send(http.StatusInternalServerError, failed(r.internal()))
}

func (a *api) serve(r *request) error {
	switch r.URL.Path {
	case "/healthz":
		return r.health()
	case "/readyz":
		return r.ready()
	case "/metrics":
		if a.cfg.Metrics != nil {
			a.cfg.Metrics.ServeHTTP(r.reply, r.Request)
			return nil
		}
	}
	if ticket, ok := strings.CutPrefix(r.URL.Path, tailPath); ok {
		return r.serveTail(ticket)
	}
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), base+"/")
	if !ok {
		return noRoute(r.URL.Path)
	}
	// Before anything else, so that strangers learn nothing.
	if err := r.authenticate(); err != nil {
		return err
	}
	route, err := r.find(path)
	if err != nil {
		return err
	}
	if err := r.authorize(route); err != nil {
		return err
	}
	r.area = route.area
	if err := r.mayRelyOnToken(route); err != nil {
		return err
	}
	if route.changes() {
		if err := r.mayChange(); err != nil {
			return err
		}
		r.change = route
	}
	// A body that comes too slowly must not hold what the handler holds.
	if r.Body != http.NoBody { // where nothing comes it would end the request
		http.NewResponseController(r.reply).SetReadDeadline(time.Now().Add(r.api.bodyTime(route)))
	}
	return route.handle(r)
}
