package trigger_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natskv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// mustNATS starts a server and opens the stores of so many nodes on it.
func mustNATS(t *testing.T, nodes int) (stores []kv.Store) {
	t.Helper()
	s, err := natsd.NewServer(&natsd.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the NATS server does not start")
	}
	for range nodes {
		store, err := natskv.Open(t.Context(), natskv.Config{URL: s.ClientURL(), Dir: t.TempDir(), Wait: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		stores = append(stores, store)
	}
	return stores
}

// eventually waits for what takes time on a busy machine.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within two minutes: %s", what)
		}
	}
}

// chain checks that changes come in the order of each key. On a machine that does not
// get to anything for half a minute, some come twice.
type chain struct {
	t *testing.T

	mu    sync.Mutex // guards what follows
	count int
	last  map[string]uint64          // revision of each key
	seen  map[string]map[uint64]bool // revisions of each key
	node  map[string]int             // how many came to which
}

func (c *chain) deliver(node string) func(context.Context, deploy.Function, host.KVChange, int) (trigger.Ran, error) {
	return func(_ context.Context, _ deploy.Function, k host.KVChange, _ int) (trigger.Ran, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.seen[k.Key][k.Revision] {
			return trigger.Ran{}, nil
		}
		if last := c.last[k.Key]; k.OldRevision != last || k.Revision <= last {
			c.t.Errorf("key %s: the change of %d to %d comes after that to %d", k.Key, k.OldRevision, k.Revision, last)
		}
		if c.seen[k.Key] == nil {
			c.seen[k.Key] = map[uint64]bool{}
		}
		c.seen[k.Key][k.Revision] = true
		c.last[k.Key] = k.Revision
		c.count++
		c.node[node]++
		return trigger.Ran{}, nil
	}
}

// In a cluster each change is delivered by one node, whichever wrote it, in the order of
// its key; when that node goes, another one goes on.
func TestKVTriggersInCluster(t *testing.T) {
	stores := mustNATS(t, 2)
	w := newTower(t)
	w.functions = []deploy.Function{{Account: "local", Name: "job", KVTriggers: []deploy.KVTrigger{{ID: "1", Namespace: "space"}}}}
	c := &chain{t: t, last: map[string]uint64{}, seen: map[string]map[uint64]bool{}, node: map[string]int{}}
	var ends []func()
	for i, store := range stores {
		if err := kv.LogChanges(t.Context(), store, []kv.ChangeRule{{Prefix: "kv/space/", Log: deploy.ChangeRecords + "1/", Keep: time.Hour}}); err != nil {
			t.Fatal(err)
		}
		lease := mustLease(t, store, fmt.Sprint(i))
		k, err := trigger.NewKVTriggers(t.Context(), trigger.KVTriggersConfig{Registry: w, Deliver: c.deliver(fmt.Sprint(i)), Report: w.report, Store: store, Lease: lease,
			Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, sync.OnceFunc(func() {
			k.Shutdown(context.Background())
			if err := lease.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}))
		t.Cleanup(ends[i])
	}
	written := 0
	write := func(rounds int) {
		var writers sync.WaitGroup
		for n := range 4 {
			writers.Go(func() {
				entries := kv.Sub(stores[n%2], "kv/space/")
				for i := range rounds {
					if _, err := entries.Put(context.Background(), fmt.Sprint("k", (n+i)%3), []byte("v"), kv.PutOptions{}); err != nil {
						t.Errorf("Put: %v", err)
					}
				}
			})
		}
		writers.Wait()
		written += 4 * rounds
		eventually(t, "all changes came", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.count >= written
		})
		if c.count != written {
			t.Errorf("%d changes came, want %d", c.count, written)
		}
	}
	write(20)
	c.mu.Lock()
	first := map[bool]int{true: 0, false: 1}[c.node["0"] > 0]
	c.mu.Unlock()
	ends[first]()
	write(10)
	if c.node[fmt.Sprint(1-first)] == 0 {
		t.Errorf("after the end of the node, changes came to %v", c.node)
	}
}

// What nodes of a cluster accepted for later is delivered, whichever accepted it.
func TestInvocationsInCluster(t *testing.T) {
	p := newMailbox(t)
	var all []*trigger.Invocations
	for i, store := range mustNATS(t, 2) {
		lease := mustLease(t, store, fmt.Sprint(i))
		inv := p.startWith(trigger.InvocationsConfig{Store: store, Lease: lease})
		p.store = store
		t.Cleanup(func() {
			over(inv)
			if err := lease.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		all = append(all, inv)
	}
	const each = 20
	var accepting sync.WaitGroup
	for i, inv := range all {
		accepting.Go(func() {
			for n := range each {
				if _, err := inv.Accept(context.Background(), p.functions["job"], "", fmt.Appendf(nil, "fine %d %d", i, n)); err != nil {
					t.Errorf("Accept: %v", err)
				}
			}
		})
	}
	accepting.Wait()
	eventually(t, "nothing waits", func() bool {
		page, err := p.store.List(t.Context(), kv.ListOptions{Prefix: "node/invocations/"})
		return err == nil && len(page.Entries) == 0
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	came := map[string]int{}
	for _, line := range p.got {
		came[line[:strings.LastIndex(line, " +")]]++
	}
	if len(came) != 2*each {
		t.Errorf("%d deliveries of %d payloads, want %d", len(p.got), len(came), 2*each)
	}
}
