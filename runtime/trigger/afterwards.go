package trigger

import (
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime"
)

// afterwards is what is done once a client has its answer: an Instance is recycled,
// and memory given back. It belongs to the goroutine that serves the client.
type afterwards struct {
	spent  *runtime.Instance
	memory host.Memory
	taken  int64 // bytes, of memory
}

// settle does it.
func (a *afterwards) settle() {
	if a.spent != nil {
		a.spent.Recycle()
		a.spent = nil
	}
	if a.taken > 0 {
		a.memory.Give(a.taken)
		a.memory, a.taken = nil, 0
	}
}

// take takes memory until the answer was sent, and reports whether there was
// enough.
func (a *afterwards) take(m host.Memory, n int64) bool {
	if m == nil {
		return true
	}
	if !m.Take(n) {
		return false
	}
	a.memory = m
	a.taken += n
	return true
}

// client is who waits for an answer: a connection, or a stream of one.
type client interface {
	host.Client
	after() *afterwards
}

func (a *afterwards) after() *afterwards { return a }
