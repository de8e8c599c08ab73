package deploy_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/assets"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/router"
)

func mustParse(t testing.TB, text, stage string) *deploy.Manifest {
	t.Helper()
	m, err := deploy.ParseManifest("mayfly.toml", []byte(text), stage)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func route(t testing.TB, text string) deploy.Route {
	t.Helper()
	p, err := router.ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return deploy.Route{Pattern: p}
}

func domain(t testing.TB, host string) deploy.Route {
	t.Helper()
	r, err := deploy.DomainRoute(host, false)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParseWranglerTOML(t *testing.T) {
	data, err := os.ReadFile("testdata/manifest/wrangler.toml")
	if err != nil {
		t.Fatal(err)
	}
	top := deploy.Manifest{
		Name:              "shop-api",
		Main:              "build/shop-api.wasm",
		CompatibilityDate: "2025-01-31",
		AccountID:         "0123456789abcdef0123456789abcdef",
		Routes:            []deploy.Route{route(t, "api.example.com/*"), route(t, "example.com/api/*"), domain(t, "shop.example.com")},
		Vars: map[string]deploy.Var{
			"API_HOST": {Text: "https://upstream.example.com"},
			"RETRIES":  {JSON: json.RawMessage("3")},
			"FEATURES": {JSON: json.RawMessage(`{"ratio":0.5,"search":true,"tags":["a","\u003cb\u003e"]}`)},
			"GREETING": {Text: "Hello,\n\"you\" "},
		},
		KVNamespaces: []deploy.KVNamespace{{Binding: "CARTS", ID: "06779da6940b431db6e566b4846d64db", PreviewID: "484bfb7b1a5e4a3d8a3d6d2a3a4a6cf0"}},
		Limits:       deploy.Limits{CPUMillis: 50, MemoryMB: 64},
		Build:        deploy.Build{Command: "make shop-api.wasm", Cwd: ".", WatchDir: []string{"src", "lib"}},
		Dev:          deploy.Dev{IP: "127.0.0.1", Port: 8080},
		Egress:       &deploy.Egress{Allow: []string{"upstream.example.com", "*.payments.example.com"}},
	}
	staging := top
	staging.Name, staging.Stage = "shop-api-staging", "staging"
	staging.Routes = []deploy.Route{route(t, "staging.example.com/*")}
	staging.Vars = map[string]deploy.Var{"API_HOST": {Text: "https://staging.example.com"}}
	staging.Limits = deploy.Limits{CPUMillis: 100}
	staging.KVNamespaces = []deploy.KVNamespace{
		{Binding: "CARTS", ID: "aaaabbbbccccddddeeeeffff00001111"},
		{Binding: "SESSIONS", ID: "aaaabbbbccccddddeeeeffff00002222"},
	}
	canary := top
	canary.Name, canary.Stage, canary.Vars, canary.KVNamespaces = "shop-canary", "canary", nil, nil
	for _, key := range []string{"kv_namespaces = []", "vars = {}"} {
		name, _, _ := strings.Cut(key, " ")
		canary.Warnings = append(canary.Warnings, `mayfly.toml:58:6: "`+name+`" stands at the top level only, and stages do not inherit it; repeat it in [env.canary], or write `+key+` there if it is to have none`)
	}

	for _, want := range []deploy.Manifest{top, staging, canary} {
		t.Run(want.Stage, func(t *testing.T) {
			got := mustParse(t, string(data), want.Stage)
			if !reflect.DeepEqual(*got, want) {
				t.Errorf("got\n%+v\nwant\n%+v", *got, want)
			}
			checkJSON(t, got)
		})
	}
}

// checkJSON checks that a manifest without its warnings survives its JSON form.
func checkJSON(t testing.TB, m *deploy.Manifest) {
	t.Helper()
	want := *m
	want.Warnings = nil
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var got deploy.Manifest
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("through %s\ngot  %+v\nwant %+v", data, got, want)
	}
}

func TestManifestJSON(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", `{}`},
		{"empty lists and tables", "routes = []\nkv_namespaces = []\nvars = {}\n[build]\n[dev]\n[limits]", `{}`},
		{"no egress at all", "egress = { allow = [] }", `{"egress":{"allow":[]}}`},
		{"names as in the file", `
			name = "a"
			route = "HTTPS://*Example.com/A*"
			kv_namespaces = [{ binding = "KV" }]
			services = [{ binding = "AUTH", service = "auth" }]
			ratelimits = [{ name = "LIMITER", namespace_id = "1001", simple = { limit = 100, period = 60 } }]
			queues = { producers = [{ binding = "Q", queue = "q", delivery_delay = 0 }], consumers = [{ queue = "q", dead_letter_queue = "dead", max_batch_size = 100, max_retries = 0, retry_delay = 7 }] }
			version_metadata = { binding = "CF_VERSION_METADATA" }
			vars = { EMPTY = "", NO = false, N = 9007199254740993, LIST = [1, [2.5]], DEEP = { a = [{ b = "c" }] } }
			limits = { wall_ms = 1, subrequests = 2, request_body_mb = 3, response_mb = 4, url_kb = 5, headers_kb = 6 }
			build = { watch_dir = "src" }
			dev = { ip = "localhost" }`,
			`{"name":"a","routes":[{"pattern":"https://*example.com/A*"}],` +
				`"vars":{"DEEP":{"json":{"a":[{"b":"c"}]}},"EMPTY":{},"LIST":{"json":[1,[2.5]]},"N":{"json":9007199254740993},"NO":{"json":false}},` +
				`"kv_namespaces":[{"binding":"KV"}],"services":[{"binding":"AUTH","service":"auth"}],` +
				`"ratelimits":[{"name":"LIMITER","namespace_id":"1001","simple":{"limit":100,"period":60}}],"version_metadata":{"binding":"CF_VERSION_METADATA"},` +
				`"queues":{"producers":[{"binding":"Q","queue":"q","delivery_delay":0}],"consumers":[{"queue":"q","dead_letter_queue":"dead","max_batch_size":100,"max_retries":0,"retry_delay":7}]},` +
				`"limits":{"wall_ms":1,"subrequests":2,"request_body_mb":3,"response_mb":4,"url_kb":5,"headers_kb":6},` +
				`"build":{"watch_dir":["src"]},"dev":{"ip":"localhost"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := mustParse(t, tt.text, "")
			data, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			if string(data) != tt.want {
				t.Errorf("got  %s\nwant %s", data, tt.want)
			}
			checkJSON(t, m)
		})
	}
}

// TestStockWrangler reads what Cloudflare's own templates write.
func TestStockWrangler(t *testing.T) {
	data, err := os.ReadFile("testdata/manifest/stock.toml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := deploy.ParseManifest("wrangler.toml", data, "")
	if err != nil {
		t.Fatal(err)
	}
	want := &deploy.Manifest{
		Name: "shop-api", Main: "build/shop-api.wasm", CompatibilityDate: "2025-01-31",
		Build: deploy.Build{Command: "make build/shop-api.wasm"},
		Dev:   deploy.Dev{Port: 8080},
		Warnings: []string{
			"wrangler.toml:2:1: $schema is Cloudflare's and has no effect here",
			"wrangler.toml:6:1: compatibility_flags is Cloudflare's and has no effect here",
			"wrangler.toml:7:1: workers_dev is Cloudflare's and has no effect here",
			"wrangler.toml:8:1: preview_urls is Cloudflare's and has no effect here",
			"wrangler.toml:9:1: send_metrics is Cloudflare's and has no effect here",
			"wrangler.toml:10:1: minify is Cloudflare's and has no effect here",
			"wrangler.toml:11:1: no_bundle is Cloudflare's and has no effect here",
			"wrangler.toml:12:1: upload_source_maps is Cloudflare's and has no effect here",
			"wrangler.toml:13:1: keep_vars is Cloudflare's and has no effect here",
			"wrangler.toml:14:1: logpush is Cloudflare's and has no effect here",
			"wrangler.toml:21:1: inspector_port is Cloudflare's and has no effect here",
			"wrangler.toml:23:2: observability is Cloudflare's and has no effect here",
			"wrangler.toml:27:2: placement is Cloudflare's and has no effect here",
			"wrangler.toml:30:3: rules is Cloudflare's and has no effect here",
			"wrangler.toml:35:1: workers_dev is Cloudflare's and has no effect here",
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestStages(t *testing.T) {
	const file = `
name = "shop"
main = "a.wasm"
routes = ["example.com/*"]
[vars]
A = "top"
[limits]
cpu_ms = 5
memory_mb = 6
[egress]
allow = ["example.com"]
[env.bare]
[env.own]
name = "other"
main = "b.wasm"
routes = []
vars.A = "own"
limits.cpu_ms = 7
egress.allow = []
`
	t.Run("inherits all but vars", func(t *testing.T) {
		got := mustParse(t, file, "bare")
		want := mustParse(t, file, "")
		want.Name, want.Stage, want.Vars = "shop-bare", "bare", nil
		want.Warnings = []string{`mayfly.toml:12:6: "vars" stands at the top level only, and stages do not inherit it; repeat it in [env.bare], or write vars = {} there if it is to have none`}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%+v\nwant\n%+v", got, want)
		}
	})
	t.Run("overrides as a whole", func(t *testing.T) {
		got := mustParse(t, file, "own")
		want := &deploy.Manifest{
			Name: "other", Stage: "own", Main: "b.wasm",
			Vars:   map[string]deploy.Var{"A": {Text: "own"}},
			Limits: deploy.Limits{CPUMillis: 7},
			Egress: &deploy.Egress{Allow: []string{}},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%+v\nwant\n%+v", got, want)
		}
	})
	t.Run("no name to extend", func(t *testing.T) {
		if got := mustParse(t, "env.a.main = \"b\"", "a").Name; got != "" {
			t.Errorf("got %q, want no name", got)
		}
	})
}

func TestLoadManifest(t *testing.T) {
	write := func(t *testing.T, names ...string) string {
		dir := t.TempDir()
		for _, name := range names {
			text := "name = \"" + strings.ReplaceAll(name, ".", "-") + "\""
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	t.Run("mayfly.toml comes first", func(t *testing.T) {
		m, err := deploy.LoadManifest(write(t, "mayfly.toml", "wrangler.toml"), "")
		if err != nil || m.Name != "mayfly-toml" {
			t.Errorf("got %+v, %v", m, err)
		}
	})
	t.Run("wrangler.toml", func(t *testing.T) {
		m, err := deploy.LoadManifest(write(t, "wrangler.toml"), "")
		if err != nil || m.Name != "wrangler-toml" {
			t.Errorf("got %+v, %v", m, err)
		}
	})
	t.Run("errors have the path", func(t *testing.T) {
		dir := write(t, "mayfly.toml")
		_, err := deploy.LoadManifest(dir, "prod")
		want := filepath.Join(dir, "mayfly.toml") + `:1:1: there is no stage "prod"; the file has none; add the table [env.prod]`
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	})
	t.Run("JSON only", func(t *testing.T) {
		dir := write(t, "wrangler.jsonc")
		_, err := deploy.LoadManifest(dir, "")
		want := "read manifest: " + dir + " has only wrangler.jsonc, which is not read; write the same keys in mayfly.toml: file does not exist"
		if !errors.Is(err, fs.ErrNotExist) || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		dir := t.TempDir()
		_, err := deploy.LoadManifest(dir, "")
		want := "read manifest: " + dir + " has neither mayfly.toml nor wrangler.toml: file does not exist"
		if !errors.Is(err, fs.ErrNotExist) || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	})
	t.Run("a folder of that name", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "mayfly.toml"), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := deploy.LoadManifest(dir, ""); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want the error of reading a folder", err)
		}
	})
}

func TestCheckName(t *testing.T) {
	tests := []struct {
		name string
		want bool
	}{
		{"a", true}, {"shop-api-2", true}, {"0", true}, {strings.Repeat("a", 63), true},
		{"", false}, {"-a", false}, {"a-", false}, {"A", false}, {"a_b", false}, {"a.b", false}, {"é", false},
		{strings.Repeat("a", 64), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := deploy.CheckName(tt.name); (err == nil) != tt.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAssetsFolder(t *testing.T) {
	const text = `
[assets]
directory = "public"
binding = "ASSETS"
not_found_handling = "single-page-application"
run_worker_first = ["/api/*", "!/api/docs/*"]
[env.plain.assets]
directory = "dist"
html_handling = "none"
run_worker_first = true
[env.same]
`
	want := deploy.AssetsFolder{Directory: "public", Binding: "ASSETS", NotFoundHandling: "single-page-application",
		RunWorkerFirst: assets.First{Patterns: []string{"/api/*", "!/api/docs/*"}}}
	if got := mustParse(t, text, "").Assets; !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := mustParse(t, text, "same").Assets; !reflect.DeepEqual(*got, want) {
		t.Errorf("in a stage: got %+v, want %+v", got, want)
	}
	want = deploy.AssetsFolder{Directory: "dist", HTMLHandling: "none", RunWorkerFirst: assets.First{All: true}}
	if got := mustParse(t, text, "plain").Assets; !reflect.DeepEqual(*got, want) {
		t.Errorf("in a stage of its own: got %+v, want %+v", got, want)
	}
}
