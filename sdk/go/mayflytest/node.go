// Package mayflytest runs a Function under plain go test, without WebAssembly.
//
// A [Node] is an http.Handler, so what Go offers for testing handlers is all
// there is to learn:
//
//	func TestHello(t *testing.T) {
//		node := &mayflytest.Node{Env: map[string]string{"GREETING": "Hi"}}
//		w := httptest.NewRecorder()
//		node.ServeHTTP(w, httptest.NewRequest("GET", "/world", nil))
//		if got, want := w.Body.String(), "Hi, world"; got != want {
//			t.Errorf("got %q, want %q", got, want)
//		}
//	}
//
// Streaming is best seen through an httptest.Server.
//
// Not everything is as on a node: requests run one after the other, package
// variables keep what a request left in them, and limits of time, memory and
// operations are not applied. Time comes from package time, so that
// testing/synctest can make entries expire.
package mayflytest

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// Node runs the handler that mayfly.Handle or mayflyhttp.Serve registered last.
// The zero value is ready for use. Its methods may be called at any time, from
// any goroutine.
type Node struct {
	// Env has the variables and secrets.
	Env map[string]string

	// Upstream answers what the handler fetches, whatever the host. Without
	// one, every fetch fails with mayfly.ErrUnavailable.
	Upstream http.Handler

	// Services answer what the handler fetches from service bindings and from its
	// static files, by the name of the binding. They are no Nodes: only one handler is registered in a test.
	Services map[string]http.Handler

	// RateLimits are the limits, by the name of the binding.
	RateLimits map[string]RateLimit

	mu     sync.Mutex // guards the fields below
	counts map[rateKey]rateCount
	kv     map[string]*KV
	queues map[string]*Queue
	logs   []Entry
}

// Entry is an entry of the log.
type Entry struct {
	Level mayfly.Level
	Text  string
}

// Logs returns what has been logged so far.
func (n *Node) Logs() []Entry {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.logs)
}

// KV returns the namespace bound to a name. The first call creates the binding.
func (n *Node) KV(binding string) *KV {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.kv[binding] == nil {
		if n.kv == nil {
			n.kv = map[string]*KV{}
		}
		n.kv[binding] = &KV{entries: map[string]host.Entry{}}
	}
	return n.kv[binding]
}

// ServeHTTP runs the handler, and then what it gave to mayfly.WaitUntil. A panic
// of the handler is passed on; the end of a streamed response that failed is a
// panic with http.ErrAbortHandler, by which net/http cuts the connection.
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.NewResponseController(w).EnableFullDuplex() // where w can: bodies stream in both directions
	inv := &invocation{node: n, w: w, r: r, start: time.Now()}
	defer inv.end()
	host.Invoke(inv)
	inv.send()
}

func (n *Node) log(level int, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.logs = append(n.logs, Entry{mayfly.Level(level), text})
}

func (n *Node) bound(binding string) (*KV, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	kv, ok := n.kv[binding]
	return kv, ok
}

func (n *Node) envNames() []string { return slices.Sorted(maps.Keys(n.Env)) }
