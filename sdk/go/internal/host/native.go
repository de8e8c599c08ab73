//go:build !wasip1

package host

import (
	"sync"
	"sync/atomic"
)

var (
	invoking sync.Mutex // held by the one invocation that runs
	node     atomic.Pointer[Node]
)

// Invoke runs one invocation on n. Others wait until it is over, because in
// WebAssembly each has a world of its own, package variables included.
func Invoke(n Node) { invoke(n, run) }

// InvokeScheduled is Invoke for a scheduled event.
func InvokeScheduled(n Node) { invoke(n, func() { runEvent(scheduled, "scheduled events") }) }

// InvokeQueue is Invoke for a batch of a queue.
func InvokeQueue(n Node) { invoke(n, func() { runEvent(queued, "batches of queues") }) }

// InvokeKV is Invoke for a change of KV.
func InvokeKV(n Node) { invoke(n, func() { runEvent(changed, "changes of KV") }) }

// declare has nobody to tell.
func declare(uint32) {}

func invoke(n Node, run func()) {
	invoking.Lock()
	defer invoking.Unlock()
	node.Store(&n)
	defer node.Store(nil)
	run()
}

// Invoking reports whether there is an invocation.
func Invoking() bool { return node.Load() != nil }

func current() Node {
	n := node.Load()
	if n == nil {
		panic("mayfly: there is no request: in tests, send one to a mayflytest.Node")
	}
	return *n
}
