package deploy_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/compile"
	"github.com/mayfly-run/mayfly/runtime/compile/compiletest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/router"
)

// node is what a Registry works on, and outlives it.
type node struct {
	store kv.Store
	blobs kv.Blobs
}

func newNode(t testing.TB) node {
	store := memkv.New(memkv.Config{})
	t.Cleanup(func() { store.Close() })
	return node{store, memkv.NewBlobs()}
}

// open starts a Registry on domain localhost, as a start of the node does.
func (n node) open(t testing.TB) *deploy.Registry {
	t.Helper()
	r, err := n.tryOpen(t, deploy.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (n node) tryOpen(t testing.TB, cfg deploy.Config) (*deploy.Registry, error) {
	t.Helper()
	code, err := compile.Open(compile.Config{Dir: codeDir, Command: compiletest.Command, Limits: compiletest.Limits()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { code.Close() })
	rt, err := runtime.New(t.Context(), runtime.Config{ABIs: []abi.ABI{native.New()}, Code: code})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rt.Close(context.Background()) })
	cfg.Store, cfg.Blobs, cfg.Runtime = n.store, n.blobs, rt
	if cfg.Domain == "" {
		cfg.Domain = "localhost"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	cfg.Services = hosttest.Services(t)
	r, err := deploy.NewRegistry(t.Context(), cfg)
	if err == nil {
		t.Cleanup(func() { r.Close() })
	}
	return r, err
}

// guest is a module that does nothing and differs from others by its number.
func guest(number byte) []byte {
	var m hosttest.Module
	m.Memory(1)
	m.Data(0, []byte{number})
	m.Func("fetch", nil, nil, nil)
	return m.Bytes()
}

func mustDeploy(t testing.TB, r *deploy.Registry, account, name string, up deploy.Upload) deploy.Version {
	t.Helper()
	if up.Module == nil {
		up.Module = guest(0)
	}
	v, err := r.Deploy(t.Context(), account, name, up)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func mustAccount(t testing.TB, r *deploy.Registry, name string, hosts ...string) {
	t.Helper()
	if _, err := r.CreateAccount(t.Context(), name, hosts); err != nil {
		t.Fatal(err)
	}
}

func mustNamespace(t testing.TB, r *deploy.Registry, account, title string) deploy.Namespace {
	t.Helper()
	ns, err := r.CreateNamespace(t.Context(), account, title)
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

func routes(t testing.TB, patterns ...string) []deploy.Route {
	t.Helper()
	list := []deploy.Route{}
	for _, text := range patterns {
		p, err := router.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, deploy.Route{Pattern: p})
	}
	return list
}

// lookup is the id of the Version at a URL, or "".
func lookup(r *deploy.Registry, host, path string) string {
	a, ok := r.Lookup([]byte("http"), []byte(host), []byte(path))
	if !ok {
		return ""
	}
	return a.Main().VersionID
}

// wantError checks that err is for users.
func wantError(t testing.TB, err error, code host.Code, msg string) {
	t.Helper()
	e, ok := errors.AsType[*host.Error](err)
	if !ok {
		t.Fatalf("got error %v, want a %v for users", err, code)
	}
	if e.Code != code || e.Msg != msg {
		t.Errorf("got %v %q\nwant %v %q", e.Code, e.Msg, code, msg)
	}
}

func TestDeployAndLookup(t *testing.T) {
	r := newNode(t).open(t)
	mustAccount(t, r, "acme", "*.example.com")
	hello := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Routes: routes(t, "example.org/api/*")})
	shop := mustDeploy(t, r, "acme", "shop", deploy.Upload{Routes: routes(t, "www.example.com/*")})
	tests := []struct{ host, path, want string }{
		{"hello.localhost", "/", hello.ID},
		{"HELLO.localhost:8787", "/a?b=c", hello.ID},
		{"example.org", "/api/x", hello.ID},
		{"example.org", "/", ""},
		{"shop.acme.localhost", "/x", shop.ID},
		{"www.example.com", "/", shop.ID},
		{"shop.localhost", "/", ""},
		{"hello.acme.localhost", "/", ""},
		{"localhost", "/", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		if got := lookup(r, tt.host, tt.path); got != tt.want {
			t.Errorf("%s%s: got version %q, want %q", tt.host, tt.path, got, tt.want)
		}
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	r := newNode(t).open(t)
	mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{})
	scheme, host, path := []byte("http"), []byte("hello.localhost:8787"), []byte("/a?b=c")
	found := true
	allocs := testing.AllocsPerRun(100, func() {
		a, ok := r.Lookup(scheme, host, path)
		m, err := a.Main().Snapshot(t.Context(), time.Now())
		found = found && ok && m != nil && err == nil
	})
	if allocs != 0 || !found {
		t.Errorf("got %v allocations, found %v; want 0, true", allocs, found)
	}
}

func TestBindings(t *testing.T) {
	r := newNode(t).open(t)
	ns := mustNamespace(t, r, deploy.Local, "sessions")
	mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Settings: deploy.Settings{
		Vars:         map[string]deploy.Var{"B": {Text: "b"}, "A": {Text: "a"}, "J": {JSON: []byte(`{"x":1}`)}},
		KVNamespaces: []deploy.KVNamespace{{Binding: "KV", ID: ns.ID}},
		Limits:       deploy.Limits{MemoryMB: 2, WallMillis: 1500},
		Egress:       &deploy.Egress{Allow: []string{"API.example.com"}},
	}})
	a, _ := r.Lookup([]byte("http"), []byte("hello.localhost"), []byte("/"))
	b := a.Main().Bindings
	if got, want := b.Environ, []string{"A=a", "B=b"}; len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got environ %q, want %q", got, want)
	}
	if got := b.Env["J"].Value; got != `{"x":1}` {
		t.Errorf("got J = %s", got)
	}
	if len(b.Egress) != 1 || b.Egress[0] != "api.example.com" {
		t.Errorf("got egress %q", b.Egress)
	}
	if got := a.Main().Limits; got.Memory != 2<<20 || got.Wall.Milliseconds() != 1500 || got.Subrequests != host.DefaultLimits().Subrequests {
		t.Errorf("got limits %+v", got)
	}
	if _, err := b.KV["KV"].Put(t.Context(), "k", []byte("v"), kv.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	entries, err := r.Entries(deploy.Local, ns.ID)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := entries.Get(t.Context(), "k"); err != nil || string(e.Value) != "v" {
		t.Errorf("got %q, %v, want what the binding wrote", e.Value, err)
	}
}
