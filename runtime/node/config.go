package node

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/fetch"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
	"github.com/valyala/fasthttp"
)

// Config configures a Node. Only Data is required; LoadConfig reads the rest
// from a file.
type Config struct {
	Data   string // directory; made if it is not there, readable by its owner only
	Listen string // HOST:PORT of Functions; default 127.0.0.1:8080; port 0 picks one
	Admin  string // HOST:PORT of the control API; empty for none

	TLS TLS // beside Listen; none if it is zero

	Cluster *Cluster // nil: the node has a store of its own

	// KEKFile has the key for secrets at rest, where neither the systemd credential
	// mayfly.kek nor MAYFLY_KEK has it. PreviousKEKFile has the key before, from
	// which the node goes over to it. Default: a key in Data, which it makes.
	KEKFile, PreviousKEKFile string

	// AuditKeyFile has the key that signs the entries of the log of changes, where
	// neither the systemd credential mayfly.audit nor MAYFLY_AUDIT_KEY has it. Default:
	// they are not signed. AuditMaxSize is the size from which on another file of that
	// log is begun, in bytes; default 64 MiB.
	AuditKeyFile string
	AuditMaxSize int64

	Domain    string      // Functions answer below it; default localhost
	Limits    host.Limits // where a Version sets none; see host.DefaultLimits
	MaxLimits host.Limits // the most a Version may set; see DefaultMaxLimits
	MaxModule int64       // bytes; default 64 MiB
	// CodeMemory is what code, images and idle instances may take, in bytes; see
	// deploy.Config. Default 1 GiB.
	CodeMemory int64
	// KeepVersions is how many Versions of a Function are kept; see deploy.Config.
	// Default 100.
	KeepVersions int
	// Memory is what running requests may take together, in bytes: their linear
	// memory, and the bodies and values that are held for them. Those that find no
	// room are turned away. Default: three quarters of the machine's memory (of the
	// cgroup's, if there is a limit) less CodeMemory.
	Memory int64
	// Reserve is how much of the volume of Data is kept free, in bytes: with less
	// than that, writes and deploys are refused. Default: see space.DefaultReserve.
	Reserve int64
	// AccountMemory is what those of one account may take; default half of Memory.
	AccountMemory int64
	// AccountConcurrency is how many requests of one account may run at the same
	// time; default 1000.
	AccountConcurrency int
	// AccountSchedules is how many cron triggers an account may have; default
	// deploy.DefaultSchedules.
	AccountSchedules int

	// QueueBytes and AccountQueueBytes are what may wait in one queue and in all those of
	// an account; see storequeue.Config.
	QueueBytes, AccountQueueBytes int64

	// AuthFailures are how many requests without a good token the control API
	// answers as such in a minute, for each address; default 30.
	AuthFailures int
	MaxHeader    int // bytes of a request's header; default 32 KiB, at most 128 KiB
	// MaxConns is how many connections Functions may have; beyond it, those that were
	// idle for longest are closed. It is less where the process may not open as many
	// files. Default: what takes a sixteenth of the machine's memory.
	MaxConns int
	// AdminConns is how many the control API may have; beyond it, they wait. Default 1024,
	// and at most an eighth of MaxConns' most.
	AdminConns     int
	MaxConnsPerIP  int            // default 0: no limit
	TrustedProxies []netip.Prefix // whose X-Forwarded-For, or PROXY protocol, is believed
	ProxyProtocol  bool           // connections from TrustedProxies begin with a PROXY header
	AccessLog      io.Writer      // one JSON object per request; nil for none
	AccessLogFile  string         // instead of AccessLog: what is there is kept; made if it is not there
	ClockStep      time.Duration  // of the clocks that guests read; default host.DefaultClockStep
	ServerTiming   bool           // tell clients what the time of their requests went into
	Drain          time.Duration  // for requests under way at Shutdown; default 30 s

	// FunctionMetrics is how many Functions have metrics of their own, under their
	// names; default 0, which tells whoever reads metrics nothing of tenants.
	FunctionMetrics int

	Traces telemetry.TracesConfig

	AssetLimits deploy.AssetLimits
	AssetMemory int64 // bytes of static files that are kept in memory; default assets.DefaultMemory

	UsageKeep time.Duration // how long it is kept what was used; default 90 days
	Errors    int           // Invocations that failed, kept of each Function; default 100

	Egress        fetch.Policy            // where Functions may connect
	AccountEgress map[string]fetch.Policy // by account, instead of Egress

	// Compile starts this program as the process that compiles modules, which
	// calls compile.Child; nil compiles in the node and keeps no code.
	Compile func(ctx context.Context) *exec.Cmd

	// AheadOfJavaScript compiles the engine of JavaScript once the node serves, and not
	// when the first Worker is deployed. It stays on disk. Only with Compile.
	AheadOfJavaScript bool

	// Isolation is where guests run; default IsolationShared. Others need Compile and
	// Worker.
	Isolation Isolation
	// Worker starts this program as the process that runs guests, which calls
	// worker.Child.
	Worker func(ctx context.Context) *exec.Cmd

	// Simple runs the reference engine; see runtime.Config.
	Simple bool

	Version string // of the software, for clients of the API

	Logger   *slog.Logger // default: text on standard error
	GuestLog host.LogSink // default: Logger

	// Dev opens egress to private addresses and all ports.
	Dev bool
	// Single names a Function of account local that answers every host; empty
	// goes by hosts and routes.
	Single    string
	Intercept func(ctx *fasthttp.RequestCtx) bool // see trigger.HTTPConfig
}

// DefaultMaxLimits are the most that a Version may ask for where the node's
// configuration says nothing else.
func DefaultMaxLimits() host.Limits {
	return host.Limits{
		Memory:      512 << 20,
		Wall:        5 * time.Minute,
		CPU:         5 * time.Minute,
		RequestBody: 100 << 20,
		Response:    100 << 20,
		Subrequests: 10_000,
		Concurrency: 10_000,
	}
}

func (c *Config) setDefaults() {
	c.MaxLimits = c.MaxLimits.Or(DefaultMaxLimits().AtLeast(c.Limits))
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
	}
	if c.Domain == "" {
		c.Domain = "localhost"
	}
	c.setMemory()
	c.setConnections()
	if c.AuditMaxSize == 0 {
		c.AuditMaxSize = 64 << 20
	}
	if c.Dev && c.Reserve == 0 {
		c.Reserve = leastReserve // a laptop is not a volume for a node
	}
	if c.Drain == 0 {
		c.Drain = 30 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	if c.GuestLog == nil {
		c.GuestLog = telemetry.Log{Logger: c.Logger}
	}
}

// egressPolicy is where an account's Functions may connect.
func (c *Config) egressPolicy(account string) fetch.Policy {
	if c.Dev {
		return fetch.Policy{AllowPrivate: true, HighPorts: true}
	}
	if p, ok := c.AccountEgress[account]; ok {
		return p
	}
	return c.Egress
}
