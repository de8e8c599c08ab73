package bench_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/bench/guests"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/porttest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
	"github.com/tetratelabs/wazero/api"
)

// trio are three nodes with a NATS server in each, all in this process.
type trio struct {
	nodes     []*aNode
	namespace string // of each node's entries
}

func mustTrio(b *testing.B) *trio {
	b.Helper()
	b.Setenv("MAYFLY_CLUSTER_SECRET", secret.NewKey().Encode())
	b.Setenv("MAYFLY_KEK", secret.NewKey().Encode())
	peers := porttest.Addresses(b, 3)
	tr := &trio{nodes: make([]*aNode, len(peers))}
	var started sync.WaitGroup
	for i, peer := range peers {
		dir := filepath.Join(b.TempDir(), strconv.Itoa(i))
		started.Go(func() {
			tr.nodes[i] = mustNode(b, dir, func(cfg *node.Config) {
				cfg.Cluster = &node.Cluster{Embedded: true, ClusterListen: peer, Peers: peers}
			})
		})
	}
	if started.Wait(); b.Failed() {
		b.FailNow()
	}
	for _, n := range tr.nodes {
		b.Cleanup(func() { n.Shutdown(context.Background()) }) //nolint:errcheck // nothing is measured any more
	}
	tr.settle(b)
	return tr
}

// settle makes the namespace, which the servers take once they agree on who leads, and
// waits until all nodes know it.
func (tr *trio) settle(b *testing.B) {
	b.Helper()
	for try := 0; tr.namespace == ""; try++ {
		ns, err := tr.nodes[0].Registry().CreateNamespace(b.Context(), deploy.Local, fmt.Sprint("data-", try))
		if tr.namespace = ns.ID; err != nil && try > 60 {
			b.Fatal(err)
		}
		time.Sleep(2 * time.Second) // the other replicas catch up
	}
	for _, n := range tr.nodes {
		for _, err := n.Registry().Entries(deploy.Local, tr.namespace); err != nil; _, err = n.Registry().Entries(deploy.Local, tr.namespace) {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func (tr *trio) mustEntries(b *testing.B, i int) kv.Store {
	b.Helper()
	store, err := tr.nodes[i].Registry().Entries(deploy.Local, tr.namespace)
	if err != nil {
		b.Fatal(err)
	}
	return store
}

// BenchmarkCluster is how long changes take to reach the other nodes after they were
// acknowledged, and what reading and writing takes. Three nodes share the processors
// and the disk of one machine; every server syncs each write.
func BenchmarkCluster(b *testing.B) {
	tr := mustTrio(b)
	run := func(name string, measure func(*testing.B)) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				measure(b)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
	run("deploy/guest=tiny", func(b *testing.B) { tr.deploys(b, "tiny", all[0], 200) })
	run("deploy/guest=go", func(b *testing.B) { tr.deploys(b, "go", all[1], 10) })
	run("kv=write", func(b *testing.B) { tr.writes(b, 1000) })
	run("kv=strong-get", func(b *testing.B) { tr.strongGets(b, 1000) })
	run("kv=get-in-guest", func(b *testing.B) { tr.guestGets(b, 200) })
}

// deploys measures until the two other nodes serve what one has taken. Each has other
// code, which all of them compile.
func (tr *trio) deploys(b *testing.B, name string, g guests.Guest, count int) {
	module := mustModule(b, g)
	word := []byte(g.Answer[:5])
	var took []time.Duration
	for i := range count {
		number := fmt.Appendf(nil, "%05d", i)
		tr.nodes[i%3].mustDeploy(b, name, bytes.ReplaceAll(module, word, number), deploy.Limits{})
		began := time.Now()
		for _, n := range tr.nodes {
			n.await(b, name, guests.Guest{Method: g.Method, Answer: string(number) + g.Answer[5:]})
		}
		took = append(took, time.Since(began))
	}
	report(b, "everywhere", took)
}

// await asks until the answer is g's.
func (n *aNode) await(b *testing.B, name string, g guests.Guest) {
	b.Helper()
	for began := time.Now(); ; time.Sleep(100 * time.Microsecond) {
		status, right, _, err := n.ask(name, g)
		if err == nil && right {
			return
		}
		if time.Since(began) > time.Minute {
			b.Fatalf("%s: not the new answer within a minute, but status %d, %v", name, status, err)
		}
	}
}

// writes measures what a write takes, and how long after that another node has it.
func (tr *trio) writes(b *testing.B, count int) {
	from, to := tr.mustEntries(b, 0), tr.mustEntries(b, 1)
	value := make([]byte, 100)
	var put, after []time.Duration
	for range count {
		began := time.Now()
		revision, err := from.Put(b.Context(), "written", value, kv.PutOptions{})
		if err != nil {
			b.Fatal(err)
		}
		acknowledged := time.Now()
		for {
			if e, err := to.Get(b.Context(), "written"); err == nil && e.Revision >= revision {
				break
			}
		}
		put = append(put, acknowledged.Sub(began))
		after = append(after, time.Since(acknowledged))
	}
	report(b, "put", put)
	report(b, "everywhere", after)
}

// strongGets measures reads that ask the leader. Of three nodes one is that itself, so
// each is asked.
func (tr *trio) strongGets(b *testing.B, count int) {
	if _, err := tr.mustEntries(b, 0).Put(b.Context(), "read", make([]byte, 100), kv.PutOptions{}); err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	for i := range count {
		store := tr.mustEntries(b, i%3)
		began := time.Now()
		if _, err := kv.GetStrong(b.Context(), store, "read"); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	report(b, "get", took)
}

// readings is how often a guest reads in one request. 1,000 operations are allowed.
const readings = 900

// guestGets measures what a guest waits for an entry of 100 bytes: a request in which it
// reads readings times, less one in which it does not.
func (tr *trio) guestGets(b *testing.B, count int) {
	n := tr.nodes[1]
	if _, err := tr.mustEntries(b, 0).Put(b.Context(), "key", make([]byte, 100), kv.PutOptions{}); err != nil {
		b.Fatal(err)
	}
	settings := deploy.Settings{KVNamespaces: []deploy.KVNamespace{{Binding: "KV", ID: tr.namespace}}}
	answer := guests.Guest{Method: "GET", Answer: string(make([]byte, 100))}
	for name, times := range map[string]int32{"once": 1, "often": 1 + readings} {
		up := deploy.Upload{Module: reading(times), Settings: settings}
		if _, err := n.Registry().Deploy(b.Context(), deploy.Local, name, up); err != nil {
			b.Fatal(err)
		}
		n.mustAsk(b, name, answer)
	}
	var took []time.Duration
	for range count {
		took = append(took, (n.mustAsk(b, "often", answer)-n.mustAsk(b, "once", answer))/readings)
	}
	b.ReportMetric(float64(percentile(took, 50).Nanoseconds())/1000, "get-p50-us")
}

// reading is a guest that reads an entry a number of times, and answers with its 100 bytes.
func reading(times int32) []byte {
	const left = 0 // the only variable
	number := hosttest.I32Const
	var m hosttest.Module
	call := m.ImportAll(native.New().Modules()[0])
	m.Memory(1)
	m.Data(0, []byte("KVkey"))
	m.Func("fetch", nil, nil, []api.ValueType{api.ValueTypeI32, api.ValueTypeI32, api.ValueTypeI32},
		number(times), hosttest.LocalSet(left),
		number(0), number(2), hosttest.Call(call["kv_open"]), hosttest.LocalSet(1),
		hosttest.Loop,
		hosttest.LocalGet(1), number(2), number(3), hosttest.Call(call["kv_get"]), hosttest.LocalTee(2),
		number(100), number(100), hosttest.Call(call["kv_value"]), hosttest.Drop,
		hosttest.LocalGet(2), hosttest.Call(call["close"]), hosttest.Drop,
		hosttest.LocalGet(left), number(1), hosttest.I32Sub, hosttest.LocalTee(left), hosttest.BrIf(0),
		hosttest.End,
		number(200), number(0), number(0), number(100), number(100), hosttest.Call(call["respond"]), hosttest.Drop)
	return m.Bytes()
}

// timely is a Worker that notes how late each event is, under an id of its own.
const timely = `export default { async scheduled(event, env) {
  await env.STORE.put(event.scheduledTime + "/" + crypto.randomUUID(), String(Date.now() - event.scheduledTime));
} };`

// BenchmarkCron has three nodes run schedules of each minute, for five of them, and
// measures how late they begin. It fails if one is run twice, or not at all.
func BenchmarkCron(b *testing.B) {
	const functions, minutes = 20, 5
	tr := mustTrio(b)
	settings := deploy.Settings{KVNamespaces: []deploy.KVNamespace{{Binding: "STORE", ID: tr.namespace}}}
	r := tr.nodes[0].Registry()
	for i := range functions {
		name := fmt.Sprint("timely-", i)
		if _, err := r.Deploy(b.Context(), deploy.Local, name, deploy.Upload{Module: mustWorker(b, timely), Settings: settings}); err != nil {
			b.Fatal(err)
		}
		if _, err := r.SetSchedules(b.Context(), deploy.Local, name, []string{"* * * * *"}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		first := time.Now().Truncate(time.Minute).Add(time.Minute)
		time.Sleep(time.Until(first.Add((minutes-1)*time.Minute + time.Minute/2)))
		late := mustLate(b, tr.mustEntries(b, 0), first)
		if len(late) != functions*minutes {
			b.Errorf("got %d runs, want %d", len(late), functions*minutes)
		}
		report(b, "late", late)
	}
	b.ReportMetric(0, "ns/op")
}

// mustLate reads what the Workers have noted since a time.
func mustLate(b *testing.B, store kv.Store, since time.Time) (late []time.Duration) {
	b.Helper()
	page, err := store.List(b.Context(), kv.ListOptions{Limit: 1000})
	if err != nil {
		b.Fatal(err)
	}
	for _, k := range page.Entries {
		due, _, _ := strings.Cut(k.Key, "/")
		at, err := strconv.ParseInt(due, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		e, err := store.Get(b.Context(), k.Key)
		if err != nil {
			b.Fatal(err)
		}
		millis, err := strconv.Atoi(string(e.Value))
		if err != nil {
			b.Fatal(err)
		}
		if at >= since.UnixMilli() {
			late = append(late, time.Duration(millis)*time.Millisecond)
		}
	}
	return late
}
