package node_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// seen is a log that has the changes which Functions were told of.
type seen struct {
	t *testing.T

	mu   sync.Mutex // guards what follows
	all  map[string]bool
	last map[string]uint64 // revision, by key
}

func (s *seen) GuestLog(c *host.Call, _ host.LogLevel, _ []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Change.Revision < s.last[c.Change.Key] {
		s.t.Errorf("key %s: the change to %d comes after that to %d", c.Change.Key, c.Change.Revision, s.last[c.Change.Key])
	}
	s.last[c.Change.Key] = c.Change.Revision
	s.all[fmt.Sprint(c.Change.Key, " ", c.Change.Revision)] = true
}

func (s *seen) has(want []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, change := range want {
		if !s.all[change] {
			return false
		}
	}
	return true
}

// watching is a module that logs once for each change.
func watching() []byte {
	var m hosttest.Module
	f, _ := native.New().Modules()[0].Find("log")
	log := m.Import("mayfly", "log", f.Params, f.Results)
	m.Memory(1)
	m.Func("fetch", nil, nil, nil)
	m.Func("kv", nil, nil, nil, numbers(1, 0, 1), hosttest.Call(log), hosttest.Drop)
	return m.Bytes()
}

// TestClusterKVTriggers: a trigger that is set at one node gets what all nodes write,
// and goes on when any of them ends.
func TestClusterKVTriggers(t *testing.T) {
	if os.Getenv("MAYFLY_TORTURE") == "" {
		t.Skip("it takes a minute: MAYFLY_TORTURE is not set; runtime/trigger has the same for nodes without a network")
	}
	setKeys(t)
	s := &seen{t: t, all: map[string]bool{}, last: map[string]uint64{}}
	tr := mustTrioLogging(t, s)
	eventually(t, "all nodes see all", func() bool { return tr.ready(t) })
	r := tr.nodes[0].Registry()
	ns, err := r.CreateNamespace(t.Context(), deploy.Local, "data")
	if err != nil {
		t.Fatal(err)
	}
	mustDeploy(t, tr.nodes[0], "job", watching())
	if _, err := r.SetKVTriggers(t.Context(), deploy.Local, "job", []deploy.NewKVTrigger{{NamespaceID: ns.ID}}); err != nil {
		t.Fatal(err)
	}
	for i, n := range tr.nodes {
		eventually(t, fmt.Sprintf("node %d knows the trigger", i), func() bool { return len(n.Registry().KVTriggered()) == 1 })
	}
	var written []string
	write := func(nodes []*node.Node) {
		for i := range 12 {
			entries, err := nodes[i%len(nodes)].Registry().Entries(deploy.Local, ns.ID)
			if err != nil {
				t.Fatal(err)
			}
			key := fmt.Sprint("k", i%4)
			revision, err := entries.Put(t.Context(), key, []byte("v"), kv.PutOptions{})
			if err != nil {
				t.Fatal(err)
			}
			written = append(written, fmt.Sprint(key, " ", revision))
		}
		eventually(t, "all changes came", func() bool { return s.has(written) })
	}
	write(tr.nodes)
	if err := tr.nodes[0].Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	write(tr.nodes[1:])
}
