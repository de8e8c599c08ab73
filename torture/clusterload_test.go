package torture_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	clusterWriters = 4
	clusterAdders  = 3
)

// load is what clients of a cluster do, and saw.
type load struct {
	next atomic.Int64 // makes values differ

	answered, failed, backwards atomic.Int64 // of requests to Functions

	seen     sync.Mutex // guards what follows
	refusals []string
	deploys  []time.Duration // until each node served it
	writes   []time.Duration // until each node had it
}

func (l *load) newValue() string { return strconv.FormatInt(l.next.Add(1), 10) }

// begin begins the load; the function that it returns ends it.
func (c *clustered) begin(t *testing.T) (stop func()) {
	var over atomic.Bool
	var clients sync.WaitGroup
	until := func(do func()) {
		clients.Go(func() {
			for !over.Load() && !t.Failed() {
				do()
			}
		})
	}
	for w := range clusterWriters {
		key := c.newKey(w)
		until(func() { c.write(t, w, &key) })
	}
	for range clusterAdders {
		until(func() { c.add(t) })
	}
	until(func() { c.deployed(t, rand.IntN(len(c.nodes))) })
	until(func() { c.probe(t) })
	for _, m := range c.nodes {
		last := 0
		until(func() { c.request(m, &last) })
	}
	return func() {
		over.Store(true)
		clients.Wait()
	}
}

func (c *clustered) newKey(writer int) string { return fmt.Sprintf("w%d-%s", writer, c.newValue()) }

// any is a node that is there.
func (c *clustered) any() *server {
	for {
		if m := c.nodes[rand.IntN(len(c.nodes))]; m.up.Load() {
			return m.process.Load()
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// record notes what became of a write. What is not known may still happen, at any
// time.
func (c *clustered) record(t *testing.T, n note, status int) (known bool) {
	switch {
	case status == 200:
		c.tell(t, acked, []note{n})
		return true
	case status >= 400 && status < 500:
		c.tell(t, refused, []note{n})
		return true
	case status != 0 && status != 503 && status != 500:
		t.Errorf("a write is answered with %d", status)
	}
	return false
}

// write puts a value, or deletes one, by any node. A key of which not all is known is
// written no more.
func (c *clustered) write(t *testing.T, writer int, key *string) {
	n := note{Key: *key, Value: c.newValue()}
	if rand.IntN(5) == 0 {
		n.Value = ""
	}
	c.tell(t, begun, []note{n})
	method := "PUT"
	if n.Value == "" {
		method = "DELETE"
	}
	status, _, _ := c.any().kv(t, method, c.namespace, "/values/"+n.Key, []byte(full(n.Value)))
	if !c.record(t, n, status) || rand.IntN(50) == 0 {
		*key = c.newKey(writer)
	}
}

// add increments a counter by comparing and swapping, on any node.
func (c *clustered) add(t *testing.T) {
	n := note{Key: fmt.Sprintf("counter-%d", rand.IntN(counterKeys)), Adds: true}
	s := c.any()
	status, header, value := s.kv(t, "GET", c.namespace, "/values/"+n.Key, nil)
	condition := []string{"If-None-Match", "*"}
	switch status {
	case 200:
		condition = []string{"If-Match", header.Get("Mayfly-Revision")}
	case 404:
		value = nil
	default:
		return
	}
	c.tell(t, begun, []note{n})
	status, _, _ = s.kv(t, "PUT", c.namespace, "/values/"+n.Key, []byte(strconv.Itoa(number(string(value))+1)), condition...)
	c.record(t, n, status)
}

// deployed deploys a Function that answers with a number, by a node, and measures
// until all others serve it.
func (c *clustered) deployed(t *testing.T, by int) {
	m := c.nodes[by]
	if m.process.Load() == nil || !m.up.Load() {
		return
	}
	n := note{Key: deployKey, Value: c.newValue()}
	c.tell(t, begun, []note{n})
	status, _, text := m.process.Load().call(t, "PUT", "/workers/scripts/hello", saying(n.Value), "Content-Type", "application/wasm")
	if status == 200 {
		c.tell(t, acked, []note{n})
	} else { // one that is refused may have been made by an earlier attempt
		c.seen.Lock()
		defer c.seen.Unlock()
		c.refusals = append(c.refusals, fmt.Sprintf("%d %s", status, text))
		return
	}
	c.measure(t, "deploy "+n.Value, &c.deploys, func(other *server) bool { return number(other.hello()) >= number(n.Value) })
}

// measure waits until something is so on all nodes that hear of changes all the time.
func (c *clustered) measure(t *testing.T, what string, to *[]time.Duration, is func(*server) bool) {
	began := time.Now()
	for i, m := range c.nodes {
		for m.linked.Load() {
			if time.Since(began) > 3*time.Minute {
				t.Errorf("node %d does not hear of %s; its log: %s", i, what, m.process.Load().tail())
				return
			}
			if !is(m.process.Load()) {
				time.Sleep(time.Millisecond)
				continue
			}
			c.seen.Lock()
			*to = append(*to, time.Since(began))
			c.seen.Unlock()
			break
		}
	}
}

// probe writes by one node, and measures until all have it.
func (c *clustered) probe(t *testing.T) {
	value := c.newValue()
	status, _, _ := c.any().kv(t, "PUT", c.namespace, "/values/probe", []byte(value))
	if status != 200 {
		return
	}
	c.measure(t, "write "+value, &c.writes, func(other *server) bool {
		got, _ := other.value(t, c.namespace, "probe")
		return number(string(got)) >= number(value)
	})
	time.Sleep(20 * time.Millisecond)
}

// request asks a Function of a node, which has to answer as long as it is there, and
// never with what came before what it has answered already.
func (c *clustered) request(m *member, last *int) {
	s := m.process.Load()
	if s == nil || !m.up.Load() {
		time.Sleep(5 * time.Millisecond)
		return
	}
	text := s.hello()
	switch n := number(text); {
	case m.process.Load() != s || !m.up.Load():
		*last = 0 // it went down meanwhile
	case n == 0:
		c.failed.Add(1)
		c.seen.Lock()
		c.refusals = append(c.refusals, text)
		c.seen.Unlock()
	case n < *last:
		c.backwards.Add(1)
	default:
		*last = n
		c.answered.Add(1)
	}
	time.Sleep(5 * time.Millisecond)
}

// judge compares what each node has with the ledger, when nothing is under way.
func (c *clustered) judge(t *testing.T) {
	t.Helper()
	ops, unknown := 0, 0
	var v verdict
	for key, h := range c.read(t) {
		ops += h.acked
		unknown += len(h.pending)
		for i, m := range c.nodes {
			before := v
			got := c.found(t, m.process.Load(), key)
			if v.judge(h, got); v != before {
				t.Errorf("node %d, key %s: got %.40q, the ledger has %.40q and pending %.80q", i, key, got, h.state, h.pending)
			}
		}
	}
	printTable(t, "acknowledged\tunknown\tlost\twrong\tresurrected\tsums out of bounds\trequests answered\tfailed\tof an older version", []string{
		fmt.Sprintf("%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d", ops, unknown, v.lost, v.wrong, v.resurrected, v.sums, c.answered.Load(), c.failed.Load(), c.backwards.Load())})
	printTable(t, "until all nodes have it\tp50\tp99\tmost\tmeasured", []string{quantiles("deploy", c.deploys), quantiles("KV write", c.writes)})
	if v != (verdict{}) || c.failed.Load() > 0 || c.backwards.Load() > 0 {
		t.Errorf("got %+v, %d failed requests and %d of an older version, want nothing of it; some: %.2000q", v, c.failed.Load(), c.backwards.Load(), c.refusals[max(0, len(c.refusals)-5):])
	}
	if ops < 100 || c.answered.Load() < 100 {
		t.Errorf("%d operations and %d requests are too few to tell", ops, c.answered.Load())
	}
}

// found is what a node has under a key of the ledger; empty if nothing.
func (c *clustered) found(t *testing.T, s *server, key string) string {
	t.Helper()
	if key == deployKey {
		return s.hello()
	}
	value, status := s.value(t, c.namespace, key)
	switch status {
	case http.StatusOK:
		return short(string(value))
	case http.StatusNotFound:
		return ""
	}
	t.Fatalf("read %s: status %d, %s", key, status, value)
	return ""
}

func quantiles(what string, all []time.Duration) string {
	slices.Sort(all)
	at := func(p int) time.Duration {
		if len(all) == 0 {
			return 0
		}
		return all[min(len(all)-1, len(all)*p/100)].Round(100 * time.Microsecond)
	}
	return fmt.Sprintf("%s\t%v\t%v\t%v\t%d", what, at(50), at(99), at(100), len(all))
}

func readFile(name string) []byte {
	text, err := os.ReadFile(name)
	if err != nil {
		return []byte(strings.TrimSpace(err.Error()))
	}
	return text
}
