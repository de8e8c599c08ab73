// Package node puts a Mayfly node together. It is the only place where
// implementations are chosen: stores, ABIs, triggers and services are listed
// here and handed to what uses them. Start reading at Start.
package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/fetch"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/host/wagi"
	"github.com/mayfly-run/mayfly/kv/natskv"
	"github.com/mayfly-run/mayfly/kv/space"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/certs"
	"github.com/mayfly-run/mayfly/runtime/cluster"
	"github.com/mayfly-run/mayfly/runtime/compile"
	"github.com/mayfly-run/mayfly/runtime/control"
	"github.com/mayfly-run/mayfly/runtime/datadir"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
	"github.com/mayfly-run/mayfly/runtime/trigger"
	"golang.org/x/sync/errgroup"
)

// Node is one running server.
type Node struct {
	cfg       Config
	registry  *deploy.Registry
	front     *trigger.HTTP
	runner    *trigger.Runner
	lease     *trigger.Lease
	cron      *trigger.Cron
	later     *trigger.Invocations
	changes   *trigger.KVTriggers
	consumers *trigger.Consumers
	frontLn   *patientListener
	tlsLn     *patientListener // nil without TLS
	certs     *certs.Certs     // nil without TLS
	admin     *http.Server     // nil without an admin listener
	adminLn   net.Listener
	serving   errgroup.Group
	draining  atomic.Bool
	metrics   telemetry.Metrics
	observer  *telemetry.Observer
	ledger    *telemetry.Ledger
	guard     *space.Guard
	id        string
	members   *cluster.Members
	intake    intake
	shared    *natskv.Store                   // nil: the node has a store of its own
	deployed  atomic.Pointer[deploy.Registry] // registry, once it is open
	ahead     ahead
	closers   []func() error // in the order of opening
}

// Start opens everything and begins to serve. The data directory and both
// addresses are taken when it returns. ctx bounds the start alone.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	cfg.setDefaults()
	n := &Node{cfg: cfg}
	if err := n.open(ctx); err != nil {
		return nil, errors.Join(err, n.close())
	}
	n.serving.Go(n.serveFront)
	if n.tlsLn != nil {
		n.serving.Go(n.serveTLS)
	}
	if n.admin != nil {
		n.serving.Go(func() error { return n.admin.Serve(n.adminLn) })
	}
	n.ahead.begin(n.cfg.Logger)
	return n, nil
}

// serveFront says at once when something else than Shutdown ended it.
func (n *Node) serveFront() error {
	err := n.front.Serve(n.frontListener(n.frontLn))
	if err != nil && !n.draining.Load() {
		n.cfg.Logger.Error("Functions are no longer served", "err", err)
	}
	return err
}

// HTTPAddr is the address at which Functions answer.
func (n *Node) HTTPAddr() string { return n.frontLn.Addr().String() }

// AdminAddr is the address of the control API; empty if there is none.
func (n *Node) AdminAddr() string {
	if n.adminLn == nil {
		return ""
	}
	return n.adminLn.Addr().String()
}

// Registry is what is deployed on the node.
func (n *Node) Registry() *deploy.Registry { return n.registry }

// Shutdown stops accepting requests, lets those under way finish until ctx ends
// or Config.Drain has passed, and closes everything.
func (n *Node) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Drain)
	defer cancel()
	n.draining.Store(true)
	n.cron.Stop()
	n.consumers.Stop()
	err := n.front.Shutdown(ctx)
	n.cron.Shutdown(ctx)
	n.changes.Shutdown(ctx)
	n.consumers.Shutdown(ctx)
	n.later.Shutdown(ctx)
	n.runner.Shutdown(ctx)
	if n.admin != nil {
		err = errors.Join(err, n.admin.Shutdown(ctx))
	}
	if serveErr := n.serving.Wait(); !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return errors.Join(err, n.close())
}

func (n *Node) dir() datadir.Dir { return datadir.Dir(n.cfg.Data) }

func (n *Node) close() (err error) {
	for i := len(n.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, n.closers[i]())
	}
	return err
}

// open goes from what depends on nothing to what depends on all.
func (n *Node) open(ctx context.Context) error {
	if err := n.listen(); err != nil {
		return err
	}
	if err := n.openAccessLog(); err != nil {
		return err
	}
	data, err := n.claimData(ctx)
	if err != nil {
		return err
	}
	engine, err := n.openEngine(ctx, data.Blobs.Get)
	if err != nil {
		return err
	}
	services, err := n.openServices(n.id)
	if err != nil {
		return err
	}
	if err := n.openObserver(ctx, data.Store, n.id); err != nil {
		return err
	}
	queues, err := n.openQueues(ctx, data.Store)
	if err != nil {
		return err
	}
	if err := n.openRegistry(ctx, data, engine, services, queues); err != nil {
		return err
	}
	if err := n.openMembers(ctx, data.Store, n.id, data.servers()); err != nil {
		return err
	}
	if err := n.openTriggers(ctx, data.Store, queues); err != nil {
		return err
	}
	if err := n.openCerts(); err != nil {
		return err
	}
	n.front = trigger.NewHTTP(n.frontConfig(services, n.id))
	return n.openAdmin(ctx)
}

// claimData opens what the node keeps, which no other process does.
func (n *Node) claimData(ctx context.Context) (data *Data, err error) {
	if err := n.dir().Claim(); err != nil {
		return nil, fmt.Errorf("open data directory %s: %w", n.dir(), err)
	}
	if n.id, err = nodeID(n.dir().NodeID(), n.cfg.Logger); err != nil {
		return nil, err
	}
	if data, err = n.openData(ctx, n.id); err != nil {
		return nil, err
	}
	n.guard, n.shared = data.Guard, data.shared
	n.closers = append(n.closers, data.Close)
	return data, nil
}

// openEngine makes what runs guests. programs finds the source maps of those in JavaScript.
func (n *Node) openEngine(ctx context.Context, programs runtime.Programs) (*runtime.Runtime, error) {
	cfg := runtime.Config{ABIs: []abi.ABI{js.New(), native.New(), wagi.New()}, MaxModule: n.cfg.MaxModule, Simple: n.cfg.Simple, Programs: programs}
	code, err := n.openCode()
	if err != nil {
		return nil, err
	}
	if code != nil {
		cfg.Code = code
	}
	if cfg.Isolation, err = n.openIsolation(code); err != nil {
		return nil, err
	}
	engine, err := runtime.New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	n.closers = append(n.closers, func() error { return engine.Close(context.Background()) })
	if code != nil && n.cfg.AheadOfJavaScript {
		n.ahead = ahead{engine: engine, code: code}
		n.closers = append(n.closers, n.ahead.close)
	}
	return engine, nil
}

// openServices makes what guests reach the outside by.
func (n *Node) openServices(id string) (*host.Services, error) {
	fetcher, err := fetch.New(fetch.Config{NodeID: id, Policy: n.cfg.egressPolicy, Listeners: n.ownAddrs})
	if err != nil {
		return nil, err
	}
	n.closers = append(n.closers, fetcher.Close)
	return &host.Services{Fetcher: fetcher, Log: n.cfg.GuestLog, Logger: n.cfg.Logger, Now: time.Now, Random: rand.Reader, ClockStep: n.cfg.ClockStep}, nil
}

// codeOnDisk is how much machine code is kept on disk, in bytes: that of about 800
// Go Functions. What is beyond it is compiled again when it is used.
const codeOnDisk = 8 << 30

// openCode makes the cache of compiled code, where there is a compiler.
func (n *Node) openCode() (*compile.Cache, error) {
	if n.cfg.Compile == nil || n.cfg.Simple {
		return nil, nil
	}
	c, err := compile.Open(compile.Config{MaxBytes: codeOnDisk, Dir: n.dir().Code(), Command: n.cfg.Compile, Logger: n.cfg.Logger})
	if errors.Is(err, errors.ErrUnsupported) {
		n.cfg.Logger.Warn("guests are interpreted: there is no compiler for this processor")
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open code cache: %w", err)
	}
	n.closers = append(n.closers, c.Close)
	return c, nil
}

func (n *Node) openAccessLog() error {
	if n.cfg.AccessLogFile == "" {
		return nil
	}
	f, err := os.OpenFile(n.cfg.AccessLogFile, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open access log: %w", err)
	}
	n.closers = append(n.closers, f.Close)
	n.cfg.AccessLog = f
	return nil
}

func (n *Node) frontConfig(services *host.Services, id string) trigger.HTTPConfig {
	cfg := trigger.HTTPConfig{
		Services:       services,
		Table:          n.registry,
		Loops:          func(cdnLoop string) int { return fetch.LoopCount(cdnLoop, id) },
		Logger:         n.cfg.Logger,
		MaxHeader:      n.cfg.MaxHeader,
		MaxBody:        n.cfg.Limits.Or(host.DefaultLimits()).RequestBody,
		MaxConns:       n.cfg.MaxConns,
		MaxConnsPerIP:  n.cfg.MaxConnsPerIP,
		TrustedProxies: n.cfg.TrustedProxies,
		ServerTiming:   n.cfg.ServerTiming,
		Metrics:        &n.metrics,
		Observer:       n.observer,
		Intercept:      n.cfg.Intercept,
	}
	if most := n.cfg.MaxLimits.RequestBody; most > cfg.MaxBody {
		cfg.MaxBody = most
	}
	if n.cfg.Single != "" {
		cfg.Table = single{n.registry, []byte(n.registry.Host(deploy.Local, n.cfg.Single))}
	}
	n.secure(&cfg)
	if n.cfg.AccessLog != nil {
		cfg.AccessLog = slog.New(slog.NewJSONHandler(n.cfg.AccessLog, nil))
	}
	return cfg
}

// openAdmin makes the server of the control API, if the node is to have one.
func (n *Node) openAdmin(ctx context.Context) error {
	if n.adminLn == nil {
		return nil
	}
	log, err := n.openAudit()
	if err != nil {
		return err
	}
	if err := n.ensureAdminToken(ctx, log); err != nil {
		return err
	}
	n.admin = &http.Server{
		Handler: control.New(control.Config{
			Registry: n.registry, Cron: n.cron, Pull: n.consumers, KVTriggers: n.changes, Invoke: n.invokes(), Observer: n.observer, Ledger: n.ledger, Audit: log, Logger: n.cfg.Logger, Version: n.cfg.Version,
			MaxModule: n.cfg.MaxModule, UploadMemory: machineMemory() / 8, Ready: n.ready, Health: n.health, Changes: n.mayChange, Temp: n.cfg.Data, Nodes: n.members, URL: n.url, Metrics: n.openMetrics(),
			Failures: control.FailureLimits{PerAddress: n.cfg.AuthFailures}}),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(n.cfg.Logger.Handler(), slog.LevelDebug),
	}
	return nil
}

// url is where a host of this node answers.
func (n *Node) url(host string) string {
	if n.certs != nil && n.certs.Has(host) {
		return "https://" + n.authority(host)
	}
	_, port, _ := net.SplitHostPort(n.HTTPAddr())
	if port == "80" {
		return "http://" + host
	}
	return "http://" + net.JoinHostPort(host, port)
}
