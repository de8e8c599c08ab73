package node_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/fetch"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/certs"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
	"github.com/mayfly-run/mayfly/runtime/tomlfile"
)

// example has every key; those with a default are set to it.
const example = "../../docs/node.toml"

func mustRule(t testing.TB, text string) fetch.Rule {
	t.Helper()
	r, err := fetch.ParseRule(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestExampleIsTheDefaults(t *testing.T) {
	got, err := node.LoadConfig(example)
	if err != nil {
		t.Fatal(err)
	}
	limits := host.DefaultLimits()
	limits.Held = 0 // has no key
	want := node.Config{
		Listen: "127.0.0.1:8080", Admin: "127.0.0.1:8788", Domain: "localhost", Isolation: node.IsolationShared,
		MaxModule: runtime.DefaultMaxModule, CodeMemory: deploy.DefaultCodeMemory, KeepVersions: 100, AuthFailures: 30, ClockStep: host.DefaultClockStep, AdminConns: 1024, AccountConcurrency: 1000, AccountSchedules: 250, QueueBytes: 1 << 30, AccountQueueBytes: 4 << 30, MaxHeader: 32 << 10, Drain: 30 * time.Second,
		Limits: limits, MaxLimits: node.DefaultMaxLimits(), UsageKeep: 90 * 24 * time.Hour, Errors: 100, AuditMaxSize: 64 << 20, Traces: telemetry.TracesConfig{Sampling: 1},
		AssetLimits: deploy.AssetLimits{Files: 20_000, FileSize: 25 << 20, Pending: 4 << 30}, AssetMemory: 64 << 20,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	start := node.Config{}.WithDefaults()
	if got.Listen != start.Listen || got.Domain != start.Domain || got.Drain != start.Drain {
		t.Errorf("the example has %q, %q, %v; Start makes %q, %q, %v of nothing",
			got.Listen, got.Domain, got.Drain, start.Listen, start.Domain, start.Drain)
	}
}

// TestWholeExample reads the example with all that is commented out in it.
func TestWholeExample(t *testing.T) {
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	whole := regexp.MustCompile(`(?m)^#([a-z\[])`).ReplaceAll(data, []byte("$1"))
	got, err := node.ParseConfig("node.toml", whole)
	if err != nil {
		t.Fatal(err)
	}
	limits := host.DefaultLimits()
	limits.Held = 0
	want := node.Config{
		Data: "/var/lib/mayfly", Listen: "127.0.0.1:8080", Admin: "127.0.0.1:8788", Domain: "localhost", Isolation: node.IsolationShared,
		MaxModule: 64 << 20, CodeMemory: 1 << 30, KeepVersions: 100, AuthFailures: 30, ClockStep: 100 * time.Microsecond, Memory: 8 << 30, Reserve: 1 << 30, AccountMemory: 4 << 30, AccountConcurrency: 1000, AccountSchedules: 250, QueueBytes: 1 << 30, AccountQueueBytes: 4 << 30, MaxHeader: 32 << 10, MaxConns: 10_000, AdminConns: 1024, Drain: 30 * time.Second,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")},
		ProxyProtocol:  true,
		AccessLogFile:  "/var/log/mayfly/access.log",
		KEKFile:        "/etc/mayfly/kek", PreviousKEKFile: "/etc/mayfly/kek.old", AuditKeyFile: "/etc/mayfly/audit.key",
		TLS: node.TLS{Listen: ":8443", PublicPort: 443, Redirect: true, HSTS: time.Hour,
			Certificates: []certs.Pair{{Cert: "/etc/mayfly/example.com.pem", Key: "/etc/mayfly/example.com.key"}},
			ACME:         &certs.ACME{Email: "operator@example.com", Directory: "https://acme-v02.api.letsencrypt.org/directory", CAFile: "/etc/mayfly/acme-root.pem"}},
		Cluster: &node.Cluster{Name: "mayfly", Replicas: 3, Cache: 8 << 30, Credentials: "/etc/mayfly/nats.creds",
			URL:     []string{"nats://10.0.0.1:4222", "nats://10.0.0.2:4222", "nats://10.0.0.3:4222"},
			Monitor: []string{"http://10.0.0.1:8222", "http://10.0.0.2:8222", "http://10.0.0.3:8222"}, OfflineWrites: []string{"0f2ac74b498b48028cb68387c421e279"},
			TLS: node.ClusterTLS{CA: "/etc/mayfly/nats-ca.pem", Cert: "/etc/mayfly/nats.pem", Key: "/etc/mayfly/nats.key"}},
		Limits:    limits,
		MaxLimits: node.DefaultMaxLimits(),
		UsageKeep: 90 * 24 * time.Hour, Errors: 100, AuditMaxSize: 64 << 20,
		Traces:      telemetry.TracesConfig{Endpoint: "http://127.0.0.1:4318", Sampling: 1, Headers: map[string]string{"authorization": "Bearer ..."}},
		AssetLimits: deploy.AssetLimits{Files: 20_000, FileSize: 25 << 20, Pending: 4 << 30}, AssetMemory: 64 << 20,
		Egress: fetch.Policy{
			Allow: []fetch.Rule{mustRule(t, "10.1.2.3:5432"), mustRule(t, "db.internal.example.com")},
			Only:  []fetch.Rule{mustRule(t, "api.example.com"), mustRule(t, "*.example.org")},
			Deny:  []fetch.Rule{mustRule(t, "192.0.2.0/24")},
		},
		AccountEgress: map[string]fetch.Policy{"shop": {AllowPrivate: true, HighPorts: true}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestLimitsConfig(t *testing.T) {
	got, err := node.ParseConfig("node.toml", []byte(`
[limits]
memory_mb = 1
wall_ms = 2
after_response_ms = 3
cpu_ms = 4
request_body_mb = 5
response_mb = 6
subrequests = 7
open_connections = 8
kv_operations = 9
log_kb = 10
max = { memory_mb = 4096, wall_ms = 900_000, after_response_ms = 900_000, cpu_ms = 300_000, request_body_mb = 1024, response_mb = 1024, subrequests = 10_000, open_connections = 1000, kv_operations = 100_000, log_kb = 16_384 }
`))
	want := node.Config{
		Limits: host.Limits{Memory: 1 << 20, Wall: 2 * time.Millisecond, AfterResponse: 3 * time.Millisecond,
			CPU: 4 * time.Millisecond, RequestBody: 5 << 20, Response: 6 << 20, Subrequests: 7, OpenConnections: 8,
			KVOperations: 9, Log: 10 << 10},
		MaxLimits: host.Limits{Memory: 4 << 30, Wall: 15 * time.Minute, AfterResponse: 15 * time.Minute,
			CPU: 5 * time.Minute, RequestBody: 1 << 30, Response: 1 << 30, Subrequests: 10_000, OpenConnections: 1000,
			KVOperations: 100_000, Log: 16 << 20},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, %v\nwant\n%+v", got, err, want)
	}
}

func TestConfigValues(t *testing.T) {
	tests := []struct {
		name, text string
		want       node.Config
	}{
		{"empty", "", node.Config{}},
		{"paths are relative to the file", "[node]\ndata = 'data'\naccess_log = '../access.log'",
			node.Config{Data: "etc/data", AccessLogFile: "access.log"}},
		{"access log on standard error", "node.access_log = 'stderr'", node.Config{AccessLog: os.Stderr}},
		{"addresses", "[node]\nlisten = ':0'\nadmin = '[::1]:8788'", node.Config{Listen: ":0", Admin: "[::1]:8788"}},
		{"domain in lower case", "node.domain = 'Example.COM'", node.Config{Domain: "example.com"}},
		{"proxies", "node.trusted_proxies = ['192.0.2.1', '10.1.2.3/8', '::1']", node.Config{TrustedProxies: []netip.Prefix{
			netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}}},
		{"TLS by ACME with all defaults", "tls.listen = '127.0.0.1:0'\ntls.acme = {}", node.Config{TLS: node.TLS{Listen: "127.0.0.1:0", ACME: &certs.ACME{}}}},
		{"files beside the file", "[tls]\nlisten = ':8443'\n[[tls.certificates]]\ncert = 'a.pem'\nkey = '/b.key'", node.Config{
			TLS: node.TLS{Listen: ":8443", Certificates: []certs.Pair{{Cert: "etc/a.pem", Key: "/b.key"}}}}},
		{"nothing may be fetched", "egress.only = []", node.Config{Egress: fetch.Policy{Only: []fetch.Rule{}}}},
		{"an account with the node's defaults", "[egress]\nhigh_ports = true\n[accounts.a.egress]\n[accounts.b]", node.Config{
			Egress: fetch.Policy{HighPorts: true}, AccountEgress: map[string]fetch.Policy{"a": {}}}},
		{"some traces", "[traces]\nsampling = 0\ntrust = true\nendpoint = 'https://c.example/otlp'", node.Config{Traces: telemetry.TracesConfig{Endpoint: "https://c.example/otlp", Trust: true}}},
		{"metrics of Functions", "metrics.functions = true", node.Config{FunctionMetrics: 200}},
		{"metrics of some Functions", "[metrics]\nmax_functions = 5\nfunctions = true", node.Config{FunctionMetrics: 5}},
		{"no metrics of Functions", "metrics.max_functions = 5", node.Config{}},
		{"the most is the default", "limits.max.memory_mb = 128", node.Config{MaxLimits: host.Limits{Memory: 128 << 20}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := node.ParseConfig("etc/node.toml", []byte(tt.text))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got\n%+v, %v\nwant\n%+v", got, err, tt.want)
			}
		})
	}
}

type configError struct {
	name, text string
	want       []string // "line:column: message"
}

func configErrors() []configError {
	return []configError{
		{"unknown keys", "[nodes]\n[node]\nlisen = 'x'\nfrobnicate = 1\n[limits]\nmemory = 1\n[limits.max]\ncpu = 1\nx = 2\n[egress]\nalow = []", []string{
			`1:2: unknown key "nodes" at the top level: did you mean "node"?`,
			`3:1: unknown key "lisen" in [node]: did you mean "listen"?`,
			`4:1: unknown key "frobnicate" in [node], which may have access_log, admin, admin_connections, auth_failures, clock_resolution_us, code_memory_mb, data, domain, drain_seconds, isolation, keep_versions, kek_file, kek_previous_file, listen, max_connections, max_connections_per_address, max_header_kb, max_module_mb, proxy_protocol, reserve_mb, running_memory_mb, server_timing, trusted_proxies`,
			`6:1: unknown key "memory" in [limits]: did you mean "memory_mb"?`,
			`8:1: unknown key "cpu" in [limits.max]: did you mean "cpu_ms"?`,
			`9:1: unknown key "x" in [limits.max], which may have after_response_ms, concurrency, cpu_ms, kv_operations, log_kb, memory_mb, open_connections, request_body_mb, response_mb, subrequests, wall_ms`,
			`11:1: unknown key "alow" in [egress]: did you mean "allow"?`,
		}},
		{"keys in the wrong table", "listen = ':1'\nmemory_mb = 5\nallow_private = true\n[node]\ndeny = []\nlimits = {}\n[accounts.shop]\nhigh_ports = true", []string{
			`1:1: "listen" stands at the top level; it belongs in [node]`,
			`2:1: "memory_mb" stands at the top level; it belongs in [limits]`,
			`3:1: "allow_private" stands at the top level; it belongs in [egress]`,
			`5:1: "deny" stands in [node]; it belongs in [egress]`,
			`6:1: "limits" stands in [node]; move it up, above the first table header on line 4`,
			`8:1: "high_ports" stands in [accounts.shop]; it belongs in [egress]`,
		}},
		{"a manifest", "name = 'shop'\nmain = 'shop.wasm'", []string{
			`1:1: unknown key "name" at the top level, which may have accounts, assets, audit, cluster, egress, errors, limits, metrics, node, tls, traces, usage`,
			`2:1: unknown key "main" at the top level, which may have accounts, assets, audit, cluster, egress, errors, limits, metrics, node, tls, traces, usage`,
		}},
		{"[usage] and [errors]", "keep_days = 5\n[usage]\nkeep_days = 0\n[errors]\nkeep = 'all'", []string{
			`1:1: "keep_days" stands at the top level; it belongs in [usage]`,
			`3:13: usage.keep_days must be between 1 and 3660, not 0`,
			`5:8: "keep" wants a whole number, not a string`,
		}},
		{"[traces]", "[traces]\nendpoint = '127.0.0.1:4318'\nsampling = 1.5\ntrust = 1\nheaders = { a = 5 }", []string{
			`2:12: "endpoint" wants the URL of a collector such as "http://127.0.0.1:4318", not "127.0.0.1:4318"`,
			`3:12: traces.sampling must be between 0 and 1, not 1.5`,
			`4:9: "trust" wants true or false, not 1`,
			`5:17: "a" wants a string, not 5`,
		}},
		{"[node]", "[node]\ndata = ''\nlisten = '8787'\nadmin = 'localhost:http'\ndomain = 'example.com:80'\nmax_module_mb = 1025\nmax_header_kb = 129\nmax_connections_per_address = -1\nproxy_protocol = 'yes'\naccess_log = false\ndrain_seconds = 1.5", []string{
			`2:8: "data" wants a string, not an empty string`,
			`3:10: "listen" wants HOST:PORT such as "127.0.0.1:8080", not "8787"`,
			`4:9: "admin" wants HOST:PORT such as "127.0.0.1:8080", not "localhost:http"`,
			`5:10: host "example.com:80" has a port; write "example.com", which matches every port`,
			`6:17: node.max_module_mb must be between 1 and 1024, not 1025`,
			`7:17: node.max_header_kb must be between 4 and 128, not 129`,
			`8:31: node.max_connections_per_address must be between 0 and 1000000, not -1`,
			`9:18: "proxy_protocol" wants true or false, not a string`,
			`10:14: "access_log" wants a string, not false`,
			`11:17: "drain_seconds" wants a whole number, not 1.5`,
		}},
		{"trusted_proxies", "[node]\ntrusted_proxies = ['10.0.0.0/33', 'proxy', 5,\n '::ffff:10.0.0.0/104', 'fe80::1%eth0']", []string{
			`2:20: entry 1 of "trusted_proxies" wants an address or a prefix such as "10.0.0.0/8", not "10.0.0.0/33"`,
			`2:35: entry 2 of "trusted_proxies" wants an address or a prefix such as "10.0.0.0/8", not "proxy"`,
			`2:44: entry 3 of "trusted_proxies" wants an address or a prefix such as "10.0.0.0/8", not 5`,
			`3:2: entry 4 of "trusted_proxies" wants an address or a prefix such as "10.0.0.0/8", not "::ffff:10.0.0.0/104"`,
			`3:25: entry 5 of "trusted_proxies" wants an address or a prefix such as "10.0.0.0/8", not "fe80::1%eth0"`,
		}},
		{"proxy_protocol alone", "[node]\nproxy_protocol = true", []string{
			`2:1: "proxy_protocol" without "trusted_proxies" believes nobody; list the proxies`,
		}},
		{"limits", "[limits]\nmemory_mb = 0\nwall_ms = 900001\nafter_response_ms = 0\ncpu_ms = 300001\nrequest_body_mb = 1025\nresponse_mb = '5'\nsubrequests = 10001\nopen_connections = 1001\nkv_operations = 100001\nlog_kb = 16385\n[limits.max]\nmemory_mb = 4097", []string{
			`2:13: limits.memory_mb must be between 1 and 4096, not 0`,
			`3:11: limits.wall_ms must be between 1 and 900000, not 900001`,
			`4:21: limits.after_response_ms must be between 1 and 900000, not 0`,
			`5:10: limits.cpu_ms must be between 1 and 300000, not 300001`,
			`6:19: limits.request_body_mb must be between 1 and 1024, not 1025`,
			`7:15: "response_mb" wants a whole number, not a string`,
			`8:15: limits.subrequests must be between 1 and 10000, not 10001`,
			`9:20: limits.open_connections must be between 1 and 1000, not 1001`,
			`10:17: limits.kv_operations must be between 1 and 100000, not 100001`,
			`11:10: limits.log_kb must be between 1 and 16384, not 16385`,
			`13:13: limits.max.memory_mb must be between 1 and 4096, not 4097`,
		}},
		{"the most below the default", "[limits]\nwall_ms = 50\n[limits.max]\nmemory_mb = 64\nwall_ms = 49\ncpu_ms = 1000", []string{
			`4:13: limits.max.memory_mb is 64, less than limits.memory_mb, which is 128`,
			`5:11: limits.max.wall_ms is 49, less than limits.wall_ms, which is 50`,
		}},
		{"egress", "[egress]\nallow_private = 1\nallow = ['https://a.example', 5, '10.0.0.0/8:80']\nonly = 'a.example'\ndeny = ['a.example:0', 'fe80::1%eth0']\n[accounts.shop.egress]\ndeny = ['*']", []string{
			`2:17: "allow_private" wants true or false, not 1`,
			`3:10: egress rule "https://a.example" is a URL; write its host alone: "a.example"`,
			`3:31: entry 2 of "allow" wants a string, not 5`,
			`3:34: egress rule "10.0.0.0/8:80" is neither a host, an address nor a prefix`,
			`4:8: "only" wants a list of rules, not a string`,
			`5:9: egress rule "a.example:0": port is not a number from 1 to 65535`,
			`5:24: egress rule "fe80::1%eth0": an address has no zone here`,
			`7:9: egress rule "*" is neither a host, an address nor a prefix`,
		}},
		{"accounts", "accounts.shop = 5\n[accounts.Shop.egress]\n[accounts.a]\negres = {}", []string{
			`1:17: "shop" wants a table, not 5`,
			`2:11: account name "Shop" is not 1 to 63 lower-case letters, digits and dashes with no dash first or last`,
			`4:1: unknown key "egres" in [accounts.a]: did you mean "egress"?`,
		}},
		{"wrong types", "node = 5\nlimits = { max = [] }\negress = []\naccounts = true", []string{
			`1:8: "node" wants a table, not 5`,
			`2:18: "max" wants a table, not a list`,
			`3:10: "egress" wants a table, not a list`,
			`4:12: "accounts" wants a table of accounts, not true`,
		}},
		{"[tls]", "[tls]\nlisten = '8443'\npublic_port = 0\ncertificates = [{ cert = 'a.pem' }, { cert = 'a.pem', kee = 'a.key' }, 'a.pem']\nredirect = 'yes'\nhsts_seconds = 0\nminimum = '1.3'\n[tls.acme]\nemail = 'me'\ndirectory = 'http://a.test/directory'\nca_file = 5\nhosts = []", []string{
			`2:10: "listen" wants HOST:PORT such as "127.0.0.1:8080", not "8443"`,
			`3:15: tls.public_port must be between 1 and 65535, not 0`,
			`4:17: "key" is missing in [[tls.certificates]]`,
			`4:37: "key" is missing in [[tls.certificates]]`,
			`4:55: unknown key "kee" in [[tls.certificates]]: did you mean "key"?`,
			`4:72: entry 3 of "certificates" wants a table, not a string`,
			`5:12: "redirect" wants true or false, not a string`,
			`6:16: tls.hsts_seconds must be between 1 and 63072000, not 0`,
			`7:1: unknown key "minimum" in [tls], which may have acme, certificates, hsts_seconds, listen, public_port, redirect`,
			`9:9: "email" wants an address such as "operator@example.com", not "me"`,
			`10:13: "directory" wants an https URL such as "https://acme-v02.api.letsencrypt.org/directory", not "http://a.test/directory"`,
			`11:11: "ca_file" wants a string, not 5`,
			`12:1: unknown key "hosts" in [tls.acme], which may have ca_file, directory, email`,
		}},
		{"[tls] without listen", "[tls]\nredirect = true", []string{
			`1:1: [tls] has no "listen", so nothing is served over TLS; set it, such as listen = ":8443"`,
		}},
		{"[tls] without certificates", "[node]\nlisten = ':80'\n[tls]\nlisten = ':8443'\ncertificates = []", []string{
			`3:1: [tls] has no certificates; list files in "certificates", or add [tls.acme] to have them issued`,
		}},
		{"[tls] on the port of [node]", "[node]\nlisten = ':8080'\n[tls]\nlisten = '127.0.0.1:8080'\nacme = {}", []string{
			`4:10: tls.listen and node.listen are both 127.0.0.1:8080; give each a port of its own`,
		}},
		{"isolation", "[node]\nisolation = 'vm'", []string{
			`2:13: "isolation" wants "shared", "process" or "process-filter-only", not "vm"`,
		}},
		{"no TOML", "[node\n", []string{`1:6: expected '.' or ']' to end table name, but got '\n' instead`}},
	}
}

func TestConfigErrors(t *testing.T) {
	for _, tt := range configErrors() {
		t.Run(tt.name, func(t *testing.T) {
			got, err := node.ParseConfig("node.toml", []byte(tt.text))
			want := "node.toml:" + strings.Join(tt.want, "\nnode.toml:")
			if err == nil || err.Error() != want {
				t.Errorf("got\n%v\nwant\n%s", err, want)
			}
			if !reflect.DeepEqual(got, node.Config{}) {
				t.Errorf("got %+v beside the error", got)
			}
		})
	}
}

func TestLoadConfig(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "node.toml")
	t.Run("no file", func(t *testing.T) {
		_, err := node.LoadConfig(file)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(fmt.Sprint(err), file) {
			t.Errorf("got %v, want that there is no %s", err, file)
		}
	})
	if err := os.WriteFile(file, []byte("[node]\ndata = 'data'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("a file", func(t *testing.T) {
		cfg, err := node.LoadConfig(file)
		if want := filepath.Join(dir, "data"); err != nil || cfg.Data != want {
			t.Errorf("got data %q, %v, want %q", cfg.Data, err, want)
		}
	})
	if err := os.WriteFile(file, []byte("[node]\ndat = 'data'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("errors have its path", func(t *testing.T) {
		_, err := node.LoadConfig(file)
		want := file + `:2:1: unknown key "dat" in [node]: did you mean "data"?`
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	})
}

// FuzzConfig checks that any text gives either a Config within its bounds, or
// errors that stand in the text.
func FuzzConfig(f *testing.F) {
	data, err := os.ReadFile(example)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(data))
	for _, tt := range configErrors() {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := node.ParseConfig("node.toml", []byte(text))
		if err == nil {
			checkConfig(t, cfg)
			return
		}
		lines := strings.Split(text, "\n")
		for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
			at, ok := e.(*tomlfile.Error)
			if !ok {
				t.Fatalf("got %T %v, want a *tomlfile.Error", e, e)
			}
			if at.Line < 1 || at.Line > len(lines) || at.Column < 1 || at.Column > len(lines[at.Line-1])+1 || at.Msg == "" {
				t.Errorf("%q: %v is not in the text", text, at)
			}
		}
	})
}

func checkConfig(t *testing.T, cfg node.Config) {
	if cfg.MaxHeader < 0 || cfg.MaxHeader > 128<<10 || cfg.MaxConnsPerIP < 0 || cfg.MaxModule < 0 || cfg.MaxModule > 1<<30 || cfg.Drain < 0 {
		t.Errorf("out of bounds: %+v", cfg)
	}
	inForce := cfg.Limits.Or(host.DefaultLimits())
	if most := cfg.MaxLimits.Or(inForce); most.Memory < inForce.Memory || most.Memory > 4<<30 || most.Wall < inForce.Wall || most.CPU < inForce.CPU {
		t.Errorf("the most is %+v, the default %+v", most, inForce)
	}
	for _, p := range cfg.TrustedProxies {
		if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() {
			t.Errorf("got prefix %v", p)
		}
	}
	if s := cfg.TLS; s.Listen == "" && !reflect.DeepEqual(s, node.TLS{}) || s.Listen != "" && len(s.Certificates) == 0 && s.ACME == nil {
		t.Errorf("TLS without what it needs: %+v", s)
	}
	if cfg.ProxyProtocol && len(cfg.TrustedProxies) == 0 {
		t.Error("the PROXY protocol with nobody to speak it")
	}
}
