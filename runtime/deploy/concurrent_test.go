package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// TestConcurrentDeploys: every Version gets a number of its own, and the last
// one serves.
func TestConcurrentDeploys(t *testing.T) {
	n := newNode(t)
	registries := []*deploy.Registry{n.open(t), n.open(t)} // as two nodes on one store would
	const each = 10
	var wg sync.WaitGroup
	var failures atomic.Int64
	for i := range 2 * each {
		wg.Go(func() {
			_, err := registries[i%2].Deploy(t.Context(), deploy.Local, "hello", deploy.Upload{Module: guest(byte(i % 3))})
			if e, ok := errors.AsType[*host.Error](err); ok && e.Code == host.CodeConflict {
				failures.Add(1) // told so, and nothing happened
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	r := n.open(t)
	versions, err := r.Versions(t.Context(), deploy.Local, "hello")
	if err != nil {
		t.Fatal(err)
	}
	want := 2*each - int(failures.Load())
	if len(versions) != want {
		t.Errorf("got %d versions, want %d", len(versions), want)
	}
	for i, v := range versions {
		if v.Number != want-i {
			t.Errorf("version %d of %d has number %d", i, want, v.Number)
		}
	}
	if got := lookup(r, "hello.localhost", "/"); got != versions[0].ID {
		t.Errorf("got version %s, want the newest, %s", got, versions[0].ID)
	}
	checkNothingElse(t, n, r)
}

// TestStaleRegistry: a change by another node is not lost when this one changes
// the same Function.
func TestStaleRegistry(t *testing.T) {
	n := newNode(t)
	stale := n.open(t)
	mustDeploy(t, stale, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	other := n.open(t)
	if _, err := other.SetRoutes(t.Context(), deploy.Local, "hello", routes(t, "example.com/*")); err != nil {
		t.Fatal(err)
	}
	v := mustDeploy(t, stale, deploy.Local, "hello", deploy.Upload{Module: guest(2)})
	if got := lookup(stale, "example.com", "/"); v.Number != 2 || got != v.ID {
		t.Errorf("got version %q at the route of the other node, want %q with number 2", got, v.ID)
	}
	v = mustDeploy(t, other, deploy.Local, "hello", deploy.Upload{Module: guest(3)})
	if v.Number != 3 {
		t.Errorf("got number %d, want 3", v.Number)
	}
	if err := stale.Delete(t.Context(), deploy.Local, "hello", false); err != nil {
		t.Fatal(err)
	}
	if v = mustDeploy(t, other, deploy.Local, "hello", deploy.Upload{Module: guest(4)}); v.Number != 1 {
		t.Errorf("got number %d for what was deleted, want 1", v.Number)
	}
}

// TestLookupsDuringDeploys: whoever looks a Function up gets a Version as a
// whole whose module can be used, or is told to look again.
func TestLookupsDuringDeploys(t *testing.T) {
	n := newNode(t)
	first := n.open(t)
	for i, name := range []string{"stays", "comes", "changes"} {
		mustDeploy(t, first, deploy.Local, name, deploy.Upload{Module: guest(byte(i))})
	}
	first.Close()
	r := n.open(t) // so that the first use compiles
	ctx, stop := context.WithCancel(t.Context())
	var readers, writers sync.WaitGroup
	var used atomic.Int64
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				for _, name := range []string{"stays", "comes", "changes"} {
					if use(t, r, name) {
						used.Add(1)
					}
				}
			}
		})
	}
	eventually(t, "something is found", func() bool { return used.Load() > 0 })
	for i, name := range []string{"comes", "changes"} {
		writers.Go(func() {
			for n := range 30 {
				// The two share modules, and so their compiled code.
				mustDeploy(t, r, deploy.Local, name, deploy.Upload{Module: guest(byte(n % 3))})
				if i == 0 {
					if err := r.Delete(t.Context(), deploy.Local, name, false); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	writers.Wait()
	stop()
	readers.Wait()
}

// use finds a Function and takes its module into use.
func use(t *testing.T, r *deploy.Registry, name string) bool {
	for {
		serving, ok := r.Lookup([]byte("http"), []byte(name+".localhost"), []byte("/"))
		if !ok {
			return false
		}
		a := serving.Main()
		m, err := a.Snapshot(t.Context(), time.Now())
		if errors.Is(err, runtime.ErrClosed) || err == nil && !m.Use() {
			continue
		}
		if err != nil {
			t.Error(err)
			return false
		}
		if got := m.Module.String(); got != a.Version.Digest || a.Function != name || a.VersionID != a.Bindings.Version {
			t.Errorf("%s: got module %s of version %+v", name, got, a.Version)
		}
		m.Done()
		return true
	}
}

// TestModuleInUse: a deploy does not wait for an Invocation of the old Version,
// and its module can come back while it still runs.
func TestModuleInUse(t *testing.T) {
	r := newNode(t).open(t)
	mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	serving, _ := r.Lookup([]byte("http"), []byte("hello.localhost"), []byte("/"))
	m, err := serving.Main().Snapshot(t.Context(), time.Now())
	if err != nil || !m.Use() {
		t.Fatal(err)
	}
	mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(2)})
	done := make(chan error)
	go func() {
		_, err := r.Deploy(t.Context(), deploy.Local, "hello", deploy.Upload{Module: guest(1)})
		done <- err
	}()
	m.Done()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !use(t, r, "hello") {
		t.Error("the module did not come back")
	}
}

func TestKeptVersions(t *testing.T) {
	n := newNode(t)
	r := n.open(t)
	for i := range deploy.KeepVersions + 3 {
		mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(byte(i))})
	}
	f, v, err := r.Function(deploy.Local, "hello")
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Versions) != deploy.KeepVersions || len(f.Deployments) != deploy.KeepDeployments || v.Number != deploy.KeepVersions+3 {
		t.Errorf("got %d versions, %d deployments, number %d", len(f.Versions), len(f.Deployments), v.Number)
	}
	checkNothingElse(t, n, r)
	if _, err := r.Version(t.Context(), deploy.Local, "hello", "x"); err == nil {
		t.Error("got a version that does not exist")
	}
}

func TestSharedModules(t *testing.T) {
	n := newNode(t)
	r := n.open(t)
	mustAccount(t, r, "acme")
	mustDeploy(t, r, deploy.Local, "a", deploy.Upload{Module: guest(1)})
	mustDeploy(t, r, "acme", "a", deploy.Upload{Module: guest(1)})
	if err := r.Delete(t.Context(), deploy.Local, "a", false); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Download(t.Context(), "acme", "a"); err != nil {
		t.Errorf("deleting a Function took the module of another: %v", err)
	}
	if err := r.Delete(t.Context(), "acme", "a", false); err != nil {
		t.Fatal(err)
	}
	if blobs, err := n.blobs.List(t.Context()); err != nil || len(blobs) != 0 {
		t.Errorf("got %d modules, %v; want none left", len(blobs), err)
	}
}

func TestDomain(t *testing.T) {
	for domain, want := range map[string]string{
		"":                       "",
		"Example.com":            "hello.example.com",
		"bad domain":             "error",
		"example.com:80":         "error",
		fmt.Sprintf("%0126d", 1): "error",
	} {
		r, err := newNode(t).tryOpen(t, deploy.Config{Domain: domain})
		switch {
		case want == "error":
			if err == nil {
				t.Errorf("%q: got no error", domain)
			}
		case err != nil:
			t.Errorf("%q: %v", domain, err)
		case want != "" && r.Host(deploy.Local, "hello") != want:
			t.Errorf("%q: got host %q, want %q", domain, r.Host(deploy.Local, "hello"), want)
		}
	}
}

// TestSharedDeadLetterQueue makes the same dead letter queue for consumers that are added
// at the same time, by nodes that do not know yet what the other has made: it is there
// once, and nobody is refused.
func TestSharedDeadLetterQueue(t *testing.T) {
	n := newNodes(t, 2, deploy.Config{})
	const each = 4
	var wg sync.WaitGroup
	for i := range 2 * each {
		wg.Go(func() {
			r := n.all[i%2]
			q, err := r.CreateQueue(t.Context(), deploy.Local, fmt.Sprint("jobs-", i), deploy.QueueSettings{})
			if err == nil {
				_, err = r.AddConsumer(t.Context(), deploy.Local, q.ID, deploy.QueueConsumer{Type: deploy.ConsumerPull, DeadLetterQueue: "dead"})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n.everywhere(t, "there is one dead letter queue", func(r *deploy.Registry) bool {
		list, err := r.Queues(deploy.Local)
		return err == nil && len(list) == 2*each+1
	})
}
