package torture_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host/secret"
)

// clustered are nodes that share what NATS servers have, each behind links of its own.
type clustered struct {
	nats      []*natsServer
	links     [][]*link // of each node to each server
	nodes     []*member
	namespace string
	outside   string // a namespace that nodes write to while they are cut off, once they are started again
	*ledger
	load
}

// member is a node of it, in a process that may be another one after a fault.
type member struct {
	data, config string
	program      string
	process      atomic.Pointer[server] // nil while it is down
	up           atomic.Bool            // it has to answer
	linked       atomic.Bool            // it has to hear of changes
}

// mustCluster starts three servers and three nodes.
func mustCluster(t *testing.T) *clustered {
	t.Helper()
	t.Setenv("MAYFLY_KEK", secret.NewKey().Encode())
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	c := &clustered{nats: mustNATS(t, 3), ledger: newLedger(t)}
	for range 3 {
		c.nodes = append(c.nodes, c.newMember(t, file))
	}
	for _, m := range c.nodes {
		if m.start(t); t.Failed() {
			t.FailNow()
		}
	}
	c.namespace, c.outside = c.mustNamespace(t, "ledger"), c.mustNamespace(t, "outside")
	for _, m := range c.nodes {
		m.config += fmt.Sprintf("offline_writes = [%q]\n", c.outside)
	}
	c.eventually(t, "each node serves a Function", func() bool {
		c.deployed(t, 0)
		for _, m := range c.nodes {
			if number(m.process.Load().hello()) == 0 {
				return false
			}
		}
		return true
	})
	c.settle(t)
	return c
}

func (c *clustered) mustNamespace(t *testing.T, title string) (id string) {
	t.Helper()
	client := c.nodes[0].process.Load().mustClient(t, "local")
	c.eventually(t, "there is a namespace", func() bool { // also by an attempt that was not answered
		client.CreateNamespace(t.Context(), title) //nolint:errcheck // the listing tells
		list, err := client.Namespaces(t.Context())
		for _, ns := range list {
			if ns.Title == title {
				id = ns.ID
			}
		}
		return err == nil && id != ""
	})
	return id
}

func (c *clustered) newMember(t *testing.T, file string) *member {
	var links []*link
	var urls, monitors []string
	for _, s := range c.nats {
		l := mustLink(t, s.client)
		links, urls, monitors = append(links, l), append(urls, fmt.Sprintf("%q", l.url())), append(monitors, fmt.Sprintf("%q", s.monitor))
	}
	c.links = append(c.links, links)
	config := fmt.Sprintf("[cluster]\nreplicas = 3\nurl = [%s]\nmonitor = [%s]\n", strings.Join(urls, ", "), strings.Join(monitors, ", "))
	return &member{data: filepath.Join(t.TempDir(), "data"), config: config, program: file}
}

// start starts the node, and returns when it answers.
func (m *member) start(t *testing.T) {
	s, said := tryProgram(t, m.program, m.data, m.config)
	if s == nil {
		t.Errorf("a node does not start: %s", said)
		return
	}
	t.Cleanup(s.kill)
	m.process.Store(s)
	m.up.Store(true)
	m.linked.Store(true)
}

func (m *member) kill() {
	s := m.process.Load()
	m.up.Store(false)
	m.linked.Store(false)
	s.kill()
}

// lose removes what is on the node's disk, but for its id and the token that the load
// uses meanwhile.
func (m *member) lose(t *testing.T) {
	t.Helper()
	files, err := os.ReadDir(m.data)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() == "node.id" || f.Name() == "admin.token" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(m.data, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
}

// pause stops the process for a time.
func (m *member) pause(d time.Duration) {
	s := m.process.Load()
	m.up.Store(false)
	m.linked.Store(false)
	s.cmd.Process.Signal(syscall.SIGSTOP) //nolint:errcheck // seen by what follows
	time.Sleep(d)
	s.cmd.Process.Signal(syscall.SIGCONT) //nolint:errcheck // the same
	time.Sleep(time.Second)               // for what was on its way when it stopped
	m.up.Store(true)
	m.linked.Store(true)
}

// health is what the node says of itself.
func (m *member) health() (status int, connected bool) {
	s := m.process.Load()
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get("http://" + s.admin + "/healthz")
	if err != nil {
		return 0, false
	}
	defer resp.Body.Close()
	var body struct {
		Result struct{ Cluster struct{ Connected bool } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		return 0, false
	}
	return resp.StatusCode, body.Result.Cluster.Connected
}

// settle waits until a write by each node is acknowledged, and read on all of them,
// and says how long that took.
func (c *clustered) settle(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	for i, m := range c.nodes {
		value := c.newValue()
		c.eventually(t, fmt.Sprintf("node %d takes writes", i), func() bool {
			status, _, _ := m.process.Load().kv(t, "PUT", c.namespace, "/values/settled", []byte(value))
			return status == 200
		})
		for j, other := range c.nodes {
			c.eventually(t, fmt.Sprintf("node %d reads what node %d wrote", j, i), func() bool {
				got, _ := other.process.Load().value(t, c.namespace, "settled")
				return string(got) == value
			})
		}
	}
	return time.Since(began)
}

func (c *clustered) eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			for i, m := range c.nodes {
				t.Logf("the log of node %d: %s", i, m.process.Load().tail())
			}
			t.Fatalf("not within 3 minutes: %s", what)
		}
	}
}

// tail is the end of the node's log.
func (s *server) tail() string {
	text := readFile(s.log.Name())
	lines := bytes.Split(text, []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-15):], []byte("\n")))
}

// A fault is something that happens to a cluster under load; when it returns, what was
// broken is mended.
type fault struct {
	name string
	rare bool // not in the short form
	do   func(t *testing.T, c *clustered, n int)
}

func faults() []fault {
	return []fault{
		{"NATS server killed", false, func(t *testing.T, c *clustered, n int) {
			c.nats[n].kill()
			c.settle(t)
			c.nats[n].start(t)
		}},
		{"NATS server stopped", true, func(t *testing.T, c *clustered, n int) {
			c.nats[n].stop()
			time.Sleep(3 * time.Second)
			c.nats[n].cont()
		}},
		{"node killed", false, func(t *testing.T, c *clustered, n int) {
			c.nodes[n].kill()
			c.nodes[n].start(t)
		}},
		{"node cut off, with reads", false, func(t *testing.T, c *clustered, n int) {
			c.cutOff(n, true)
			time.Sleep(cutTime())
			c.cutOff(n, false)
		}},
		{"all NATS servers killed", false, func(t *testing.T, c *clustered, _ int) {
			for _, s := range c.nats {
				s.kill()
			}
			for _, s := range c.nats {
				s.start(t)
			}
		}},
		{"node stopped", true, func(_ *testing.T, c *clustered, n int) { c.nodes[n].pause(3 * time.Second) }},
		{"NATS server slow", true, func(_ *testing.T, c *clustered, n int) {
			for range 30 {
				c.nats[n].stop()
				time.Sleep(100 * time.Millisecond)
				c.nats[n].cont()
				time.Sleep(50 * time.Millisecond)
			}
		}},
		{"disk of a NATS server slow", true, func(t *testing.T, c *clustered, n int) {
			if _, err := exec.LookPath(slowDisk[0]); err != nil {
				t.Log("no slow disk: this needs strace")
				return
			}
			c.nats[n].restart(t, slowDisk)
			c.settle(t)
			time.Sleep(5 * time.Second)
			c.nats[n].restart(t, nil)
		}},
		{"link to one server cut", true, func(t *testing.T, c *clustered, n int) {
			for _, links := range c.links {
				links[n].set(true)
			}
			c.settle(t)
			for _, links := range c.links {
				links[n].set(false)
			}
		}},
		{"node joins with an empty disk", true, func(t *testing.T, c *clustered, n int) {
			c.nodes[n].kill()
			c.nodes[n].lose(t)
			c.nodes[n].start(t)
		}},
		{"node cut off, with writes", true, func(t *testing.T, c *clustered, n int) {
			c.nodes[n].kill()
			c.nodes[n].start(t)
			c.cutOff(n, true)
			keys := c.writeOutside(t, n)
			time.Sleep(cutTime())
			c.cutOff(n, false)
			c.sent(t, keys)
		}},
		{"node started without NATS", true, func(t *testing.T, c *clustered, n int) {
			c.nodes[n].kill()
			c.cutOff(n, true)
			c.nodes[n].start(t)
			c.nodes[n].linked.Store(false)
			time.Sleep(time.Second)
			c.cutOff(n, false)
		}},
	}
}

// writeOutside writes by a node that is cut off, which has to take that and to show it.
func (c *clustered) writeOutside(t *testing.T, n int) (keys []string) {
	t.Helper()
	s := c.nodes[n].process.Load()
	c.eventually(t, "the node knows that it is cut off", func() bool {
		_, connected := c.nodes[n].health()
		return !connected
	})
	for range 100 {
		key := c.newValue()
		if status, _, text := s.kv(t, "PUT", c.outside, "/values/"+key, []byte(key)); status != http.StatusOK {
			t.Fatalf("a write that may wait is answered with %d %s", status, text)
		}
		if got, status := s.value(t, c.outside, key); string(got) != key {
			t.Fatalf("what waits is read as %d %q, want %q", status, got, key)
		}
		keys = append(keys, key)
	}
	if status, _, _ := s.kv(t, "PUT", c.namespace, "/values/outside", nil); status != http.StatusServiceUnavailable {
		t.Errorf("a write that may not wait is answered with %d, want 503", status)
	}
	return keys
}

// sent waits until all nodes have what waited on one of them.
func (c *clustered) sent(t *testing.T, keys []string) {
	t.Helper()
	for _, key := range keys {
		for i, m := range c.nodes {
			c.eventually(t, fmt.Sprintf("node %d has what waited", i), func() bool {
				got, _ := m.process.Load().value(t, c.outside, key)
				return string(got) == key
			})
		}
	}
}

func cutTime() time.Duration {
	if long() {
		return 2 * time.Minute
	}
	return 2 * time.Second
}

// cutOff cuts a node from all servers, or mends that. It has to go on answering.
func (c *clustered) cutOff(n int, cut bool) {
	c.nodes[n].linked.Store(false)
	for _, l := range c.links[n] {
		l.set(cut)
	}
}

// TestCluster breaks servers, nodes and links under load, one after the other, and
// compares what is there in the end with a ledger of what was acknowledged.
func TestCluster(t *testing.T) {
	c := mustCluster(t)
	rounds := 1
	if long() {
		rounds = len(c.nodes) // each is the one that it happens to, in turn
	}
	stop := c.begin(t)
	var rows []string
	for round := range rounds {
		for i, f := range faults() {
			if f.rare && !long() {
				continue
			}
			f.do(t, c, (round+i)%3)
			took := c.settle(t)
			for _, m := range c.nodes {
				m.linked.Store(true)
			}
			rows = append(rows, fmt.Sprintf("%s\t%v", f.name, took.Round(10*time.Millisecond)))
			if t.Failed() {
				break
			}
		}
	}
	stop()
	c.settle(t)
	printTable(t, "fault\tuntil all is well again", rows)
	c.judge(t)
}
