package trigger_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// Which Version answers is chosen by the request's headers, or by its host.
func TestVersionsOverHTTP(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("one")})
	_, one, err := s.registry.Function(deploy.Local, "hello")
	if err != nil {
		t.Fatal(err)
	}
	two := must(s.registry.Deploy(t.Context(), deploy.Local, "hello", deploy.Upload{Module: helloGuest("two"), Idle: true, Alias: "next"}))(t)
	shares := []deploy.Share{{Version: one.ID, Percentage: 50}, {Version: two.ID, Percentage: 50}}
	must(s.registry.CreateDeployment(t.Context(), deploy.Local, "hello", deploy.NewDeployment{Versions: shares}))(t)
	for _, tt := range []struct{ function, header, value, want string }{
		{"hello", "Cloudflare-Workers-Version-Overrides", `hello="` + one.ID + `"`, "one"},
		{"hello", "Cloudflare-Workers-Version-Overrides", `other="x", hello="` + two.ID + `"`, "two"},
		{"next-hello", "Cloudflare-Workers-Version-Overrides", `hello="` + one.ID + `"`, "two"},
		{one.ID[:8] + "-hello", "X", "y", "one"},
		{two.ID[:8] + "-hello", "X", "y", "two"},
	} {
		if status, body := s.send("GET", tt.function, "/", "", tt.header, tt.value); status != 200 || body != tt.want {
			t.Errorf("%s with %s: %s: got %d %q, want %q", tt.function, tt.header, tt.value, status, body, tt.want)
		}
	}
	drawn := map[string]int{}
	for range 100 {
		_, body := s.get("hello", "/")
		drawn[body]++
	}
	if drawn["one"] < 10 || drawn["two"] < 10 || drawn["one"]+drawn["two"] != 100 {
		t.Errorf("of 100 requests the versions answered %v", drawn)
	}
	_, first := s.send("GET", "hello", "/", "", "Cloudflare-Workers-Version-Key", "someone")
	for range 50 {
		if _, body := s.send("GET", "hello", "/", "", "Cloudflare-Workers-Version-Key", "someone"); body != first {
			t.Fatalf("the same key got %q and %q", first, body)
		}
	}
}

// A hundred deploys, in all ways that there are, while requests come all the time:
// none fails, and each is answered by one Version as a whole.
func TestDeploysUnderLoad(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("version 0")})
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var answered atomic.Int64
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				if status, body := s.get("hello", "/"); status != 200 || !strings.HasPrefix(body, "version ") {
					t.Errorf("got %d %q", status, body)
				}
				answered.Add(1)
			}
		})
	}
	last := ""
	for i := range 100 {
		v := must(s.registry.Deploy(t.Context(), deploy.Local, "hello", deploy.Upload{Module: helloGuest(fmt.Sprint("version ", i)), Idle: i%3 != 0}))(t)
		if i%3 == 1 {
			shares := []deploy.Share{{Version: last, Percentage: 50}, {Version: v.ID, Percentage: 50}}
			must(s.registry.CreateDeployment(t.Context(), deploy.Local, "hello", deploy.NewDeployment{Versions: shares}))(t)
		}
		last = v.ID
		s.waitFor(func() bool { return answered.Load() > int64(i) }, "a request for each deploy")
	}
	stop()
	clients.Wait()
}

// A Version that has only other secrets than the one before is told apart from it.
func TestSecretChangeIsObserved(t *testing.T) {
	keyring := must(secret.Open(t.Context(), secret.Config{Store: memkv.New(memkv.Config{}), Key: secret.NewKey()}))(t)
	traps := guest("", func(map[string]uint32) [][]byte { return [][]byte{hosttest.Unreachable} })
	s := startWith(t, deploy.Config{Secrets: keyring}, map[string][]byte{"traps": traps})
	failing := func() telemetry.Failure {
		if _, _, err := s.invoke("traps", trigger.Payload{ID: "i", Attempt: 1}); err == nil {
			t.Fatal("it was answered")
		}
		return s.observer.Failures("local", "traps")[0]
	}
	before := failing()
	v := must(s.registry.SetSecrets(t.Context(), "local", "traps", "", map[string]*string{"KEY": new("1")}))(t)
	if got := failing().VersionID; got != v.ID || got == before.VersionID {
		t.Errorf("the failure is of version %q, want %q; the one before of %q", got, v.ID, before.VersionID)
	}
}
