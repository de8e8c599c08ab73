package node

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/router"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// node are the keys of [node].
func (c *configFile) node() fields {
	return fields{
		"data":                        c.pathTo(&c.cfg.Data),
		"listen":                      c.addressTo(&c.cfg.Listen),
		"admin":                       c.addressTo(&c.cfg.Admin),
		"domain":                      c.domain,
		"kek_file":                    c.pathTo(&c.cfg.KEKFile),
		"kek_previous_file":           c.pathTo(&c.cfg.PreviousKEKFile),
		"max_module_mb":               numberTo(c, &c.cfg.MaxModule, 1<<20, 1, 1024),
		"clock_resolution_us":         numberTo(c, &c.cfg.ClockStep, time.Microsecond, 1, 1_000_000),
		"code_memory_mb":              numberTo(c, &c.cfg.CodeMemory, 1<<20, 16, 1<<20),
		"auth_failures":               numberTo(c, &c.cfg.AuthFailures, 1, 1, 100_000),
		"keep_versions":               numberTo(c, &c.cfg.KeepVersions, 1, 1, 1000),
		"running_memory_mb":           numberTo(c, &c.cfg.Memory, 1<<20, 64, 1<<20),
		"reserve_mb":                  numberTo(c, &c.cfg.Reserve, 1<<20, leastReserve>>20, 1<<20),
		"server_timing":               c.BoolTo(&c.cfg.ServerTiming),
		"max_header_kb":               numberTo(c, &c.cfg.MaxHeader, 1<<10, 4, 128),
		"max_connections":             numberTo(c, &c.cfg.MaxConns, 1, 16, 1_000_000),
		"admin_connections":           numberTo(c, &c.cfg.AdminConns, 1, 1, 100_000),
		"max_connections_per_address": numberTo(c, &c.cfg.MaxConnsPerIP, 1, 0, 1_000_000),
		"drain_seconds":               numberTo(c, &c.cfg.Drain, time.Second, 1, 3600),
		"trusted_proxies":             c.trustedProxies,
		"access_log":                  c.accessLog,
		"isolation":                   c.isolation,
		"proxy_protocol": func(it item) {
			c.proxyProtocol = it
			c.BoolTo(&c.cfg.ProxyProtocol)(it)
		},
	}
}

// usage are the keys of [usage].
func (c *configFile) usage() fields {
	return fields{"keep_days": numberTo(c, &c.cfg.UsageKeep, 24*time.Hour, 1, 3660)}
}

// traces reads [traces]: all requests are traced where nothing else is said.
func (c *configFile) traces(it item) {
	to := &c.cfg.Traces
	to.Sampling = 1
	c.Table(it, fields{
		"endpoint": func(it item) {
			text, _ := it.Value.(string)
			if _, err := telemetry.CollectorURL(text); err != nil {
				c.WantText(it, "the URL of a collector such as \"http://127.0.0.1:4318\"")
				return
			}
			to.Endpoint = text
		},
		"sampling": c.partTo(&to.Sampling),
		"trust":    c.BoolTo(&to.Trust),
		"headers": func(it item) {
			to.Headers = map[string]string{}
			for _, field := range c.Children(it, "a table of texts") {
				if text, ok := c.Text(field); ok {
					to.Headers[field.Key] = text
				}
			}
		},
	})
}

func (c *configFile) partTo(to *float64) func(item) {
	return func(it item) {
		n, ok := it.Value.(float64)
		if whole, isWhole := it.Value.(int64); isWhole {
			n, ok = float64(whole), true
		}
		switch {
		case !ok:
			c.Want(it, "a number from 0 to 1")
		case !(n >= 0 && n <= 1):
			c.BadValue(it, "%s must be between 0 and 1, not %v", it.Path, n)
		default:
			*to = n
		}
	}
}

// assets are the keys of [assets].
func (c *configFile) assets() fields {
	return fields{
		"files":      numberTo(c, &c.cfg.AssetLimits.Files, 1, 1, 100_000),
		"file_mb":    numberTo(c, &c.cfg.AssetLimits.FileSize, 1<<20, 1, 100),
		"pending_mb": numberTo(c, &c.cfg.AssetLimits.Pending, 1<<20, 1, 1<<20),
		"cache_mb":   numberTo(c, &c.cfg.AssetMemory, 1<<20, 1, 1<<20),
	}
}

// metrics reads [metrics]: how many Functions counts only where they are told apart.
func (c *configFile) metrics(it item) {
	functions, most := false, 200
	known := fields{"functions": c.BoolTo(&functions), "max_functions": numberTo(c, &most, 1, 1, 10_000)}
	if c.Table(it, known); functions {
		c.cfg.FunctionMetrics = most
	}
}

// errors are the keys of [errors].
func (c *configFile) errors() fields {
	return fields{"keep": numberTo(c, &c.cfg.Errors, 1, 1, 10_000)}
}

// audit are the keys of [audit].
func (c *configFile) audit() fields {
	return fields{
		"key_file": c.pathTo(&c.cfg.AuditKeyFile),
		"max_mb":   numberTo(c, &c.cfg.AuditMaxSize, 1<<20, 1, 1<<20),
	}
}

func (c *configFile) pathTo(to *string) func(item) {
	return func(it item) {
		path, ok := c.Text(it)
		if !ok {
			return
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(c.dir, path)
		}
		*to = path
	}
}

func (c *configFile) addressTo(to *string) func(item) {
	return func(it item) {
		text, _ := it.Value.(string)
		_, port, err := net.SplitHostPort(text)
		if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
			c.WantText(it, `HOST:PORT such as "127.0.0.1:8080"`)
			return
		}
		*to = text
	}
}

func (c *configFile) domain(it item) {
	text, ok := c.Text(it)
	if !ok {
		return
	}
	host, err := router.ParseHost(text)
	if err != nil {
		c.BadValue(it, "%v", err)
		return
	}
	c.cfg.Domain = host
}

func (c *configFile) trustedProxies(it item) {
	for _, e := range c.Elements(it, "prefixes") {
		text, _ := e.Value.(string)
		p, err := parsePrefix(text)
		if err != nil || p.Addr().Is4In6() {
			c.WantText(e, `an address or a prefix such as "10.0.0.0/8"`)
			continue
		}
		c.cfg.TrustedProxies = append(c.cfg.TrustedProxies, p)
	}
}

// parsePrefix reads an address as the prefix that has it alone.
func parsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return a.Prefix(a.BitLen())
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}

func (c *configFile) isolation(it item) {
	text, _ := it.Value.(string)
	if c.cfg.Isolation = Isolation(text); !slices.Contains(isolations, c.cfg.Isolation) || text == "" {
		c.WantText(it, `"shared", "process" or "process-filter-only"`)
	}
}

func (c *configFile) accessLog(it item) {
	if it.Value == "stderr" {
		c.cfg.AccessLog = os.Stderr
		return
	}
	c.pathTo(&c.cfg.AccessLogFile)(it)
}

// numberTo returns a reader of whole numbers from least to most, which stand
// for so many units.
func numberTo[T ~int | ~int64](c *configFile, to *T, unit T, least, most int64) func(item) {
	return func(it item) {
		n, ok := it.Value.(int64)
		switch {
		case !ok:
			c.Want(it, "a whole number")
		case n < least || n > most:
			c.BadValue(it, "%s must be between %d and %d, not %d", it.Path, least, most, n)
		default:
			*to = T(n) * unit
		}
	}
}

// limitKey is a key of [limits] and [limits.max], in the unit of its name.
type limitKey struct {
	name string
	get  func(*host.Limits) int64
	read func(*configFile, *host.Limits) func(item)
}

func limitKeys() []limitKey {
	const mib, kib, ms = 1 << 20, 1 << 10, time.Millisecond
	return []limitKey{
		newLimit("memory_mb", mib, 4096, func(l *host.Limits) *int64 { return &l.Memory }),
		newLimit("wall_ms", ms, 900_000, func(l *host.Limits) *time.Duration { return &l.Wall }),
		newLimit("after_response_ms", ms, 900_000, func(l *host.Limits) *time.Duration { return &l.AfterResponse }),
		newLimit("cpu_ms", ms, 300_000, func(l *host.Limits) *time.Duration { return &l.CPU }),
		newLimit("request_body_mb", mib, 1024, func(l *host.Limits) *int64 { return &l.RequestBody }),
		newLimit("response_mb", mib, 1024, func(l *host.Limits) *int64 { return &l.Response }),
		newLimit("subrequests", 1, 10_000, func(l *host.Limits) *int { return &l.Subrequests }),
		newLimit("open_connections", 1, 1000, func(l *host.Limits) *int { return &l.OpenConnections }),
		newLimit("kv_operations", 1, 100_000, func(l *host.Limits) *int { return &l.KVOperations }),
		newLimit("concurrency", 1, 10_000, func(l *host.Limits) *int { return &l.Concurrency }),
		newLimit("log_kb", kib, 16_384, func(l *host.Limits) *int64 { return &l.Log }),
	}
}

func newLimit[T ~int | ~int64](name string, unit T, most int64, field func(*host.Limits) *T) limitKey {
	return limitKey{
		name: name,
		get:  func(l *host.Limits) int64 { return int64(*field(l) / unit) },
		read: func(c *configFile, l *host.Limits) func(item) { return numberTo(c, field(l), unit, 1, most) },
	}
}

func (c *configFile) limits(l *host.Limits) fields {
	known := fields{}
	for _, k := range limitKeys() {
		known[k.name] = k.read(c, l)
	}
	return known
}
