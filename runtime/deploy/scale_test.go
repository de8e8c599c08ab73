package deploy_test

import (
	"fmt"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/deploy"
)

const (
	manyFunctions = 1000
	manyRoutes    = 10_000
)

// crowded is a Registry with 1,000 Functions, of which ten have 1,000 Routes each.
func crowded(t testing.TB) *deploy.Registry {
	t.Helper()
	r, err := newNode(t).tryOpen(t, deploy.Config{CodeMemory: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	up := deploy.Upload{Settings: deploy.Settings{Snapshot: deploy.SnapshotOptions{Disabled: true}}}
	for i := range manyFunctions {
		mustDeploy(t, r, "local", fmt.Sprintf("f-%d", i), up)
	}
	for f := range 10 {
		var own []deploy.Route
		for i := range manyRoutes / 10 {
			own = append(own, route(t, fmt.Sprintf([]string{"*.tenant-%d-%d.test/*", "example-%d.test/path-%d/*", "host-%d-%d.test/*"}[i%3], f, i)))
		}
		if _, err := r.SetRoutes(t.Context(), "local", fmt.Sprintf("f-%d", f), own); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// Whatever is deployed, finding a Function allocates nothing.
func TestLookupAmongMany(t *testing.T) {
	r := crowded(t)
	hosts := []string{"f-7.localhost", "F-999.LocalHost:8080", "a.b.tenant-5-300.test", "example-3.test", "host-9-998.test", "nobody.test"}
	for _, name := range hosts {
		scheme, host, path := []byte("https"), []byte(name), []byte("/path-4/x?y=z")
		if _, ok := r.Lookup(scheme, host, path); ok == (name == "nobody.test") {
			t.Errorf("%s: found %v", name, ok)
		}
		if got := testing.AllocsPerRun(100, func() { r.Lookup(scheme, host, path) }); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
	held, err := r.Routes("local")
	if err != nil || len(held) != manyRoutes {
		t.Errorf("%d routes, %v", len(held), err)
	}
}

// BenchmarkAmongMany is what finding a Function, and deploying one more, takes among
// 1,000 Functions with 10,000 Routes.
func BenchmarkAmongMany(b *testing.B) {
	r := crowded(b)
	scheme, path := []byte("https"), []byte("/path-4/x?y=z")
	var hosts [][]byte
	for i := range manyFunctions {
		hosts = append(hosts, fmt.Appendf(nil, "example-%d.test", i%10), fmt.Appendf(nil, "f-%d.localhost", i), fmt.Appendf(nil, "www.tenant-%d-%d.test", i%10, i/3*3))
	}
	b.Run("lookup", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			i = (i + 7919) % len(hosts)
			if _, ok := r.Lookup(scheme, hosts[i], path); !ok {
				b.Fatalf("%s is not found", hosts[i])
			}
		}
	})
	b.Run("deploy", func(b *testing.B) {
		for b.Loop() {
			mustDeploy(b, r, "local", "f-100", deploy.Upload{})
		}
	})
	b.Run("routes", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.AddRoutes(b.Context(), "local", "f-100", routes(b, "one-more.test/*")); err != nil {
				b.Fatal(err)
			}
		}
	})
}
