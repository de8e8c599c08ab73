package abi

import "github.com/mayfly-run/mayfly/host"

// ABI is a convention between guests and the host: which host modules guests
// may import from, and how an event reaches them. Implementations are stateless
// and safe for concurrent use.
type ABI interface {
	// Name is shown to users.
	Name() string
	// Modules are the host modules that guests of this convention may import.
	Modules() []*Module
	// Match reports whether a module follows this convention, and if so how it
	// is run. An error says what a module that meant to follow it lacks.
	Match(s *Shape) (Plan, bool, error)
	// Enter prepares a Call for the guest's entry point.
	Enter(c *host.Call)
	// Leave completes the answer after the entry point returned nil or with the
	// error that ended the guest (an Exit, a Fault, a trap, the context's end).
	// It returns nil if the Invocation went well.
	Leave(c *host.Call, err error) error
}

// Plan is how the modules of one Version are run.
type Plan struct {
	Initialize string // export that runs once before the entry point; may be empty
	Entry      string // export that handles a fetch event: no parameters, no results
	Scheduled  string // export that handles a scheduled event, as Entry; empty if there is none
	KV         string // export that handles a change of a KV namespace, as Entry; empty if there is none
	Queue      string // export that handles a batch of a queue, as Entry; empty if there is none
	// Detached: the guest may go on after its answer was sent, or streams it,
	// and therefore runs on a goroutine of its own.
	Detached bool
	// Once: the entry point is a program from its beginning to its end, and can't
	// run a second time in an instance. So it can't be warmed up.
	Once bool
	// Share is how many metered units of the code are one unit of work: more than
	// 1 where metering counts paths of which few are taken; 0 is 1.
	Share int64
	// Stack bounds nested calls.
	Stack Stack
}

// Handlers is what the exports handle.
func (p Plan) Handlers() (h host.Handlers) {
	for bit, export := range []string{p.Entry, p.Scheduled, p.Queue, p.KV} {
		if export != "" {
			h |= 1 << bit
		}
	}
	return h
}

// Stack is native stack in bytes, as the code is estimated to use it. Zeros are for
// the defaults.
type Stack struct {
	Kept int64 // that an instance may keep from one request to the next
	Most int64 // that calls may use; the guest traps beyond it
}
