package runtime

import (
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/gate"
)

// Codes is how many compiled artefacts are in memory.
func (r *Runtime) Codes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.codes)
}

// Idle is how many Instances wait for a request.
func (s *Snapshot) Idle() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.idle)
}

// Away says whether Instances are in other processes, and not to be counted.
func (s *Snapshot) Away() bool { return s.remote != nil }

// Resettable says whether Instances can be put back.
func (m *Module) Resettable() bool { return m.facts.Resettable() }

// AppendMemory appends a copy of what the guest of an Instance sees.
func (i *Instance) AppendMemory(b []byte) []byte {
	view, _ := i.mod.Memory().Read(0, i.mod.Memory().Size())
	return append(b, view...)
}

// Global is the value, as bits, of a global that the guest exports.
func (i *Instance) Global(name string) uint64 { return i.mod.ExportedGlobal(name).Get() }

var DecodeSnapshot = func(data []byte) error {
	_, _, err := decodeSnapshot(data)
	return err
}

// Starts is what requests begin by.
type Starts = starts

// NewStarts lets most begin at the same time.
func NewStarts(most int) *Starts { return &starts{gate.New(most)} }

func (s *starts) Begin(c *host.Call) bool { return s.begin(c) }

// Turns is what guests that run for long take.
type Turns = turns

// NewTurns lets one run at a time.
func NewTurns() *Turns {
	t := newTurns()
	t.free = 1
	return t
}

func (t *turns) Take(c *host.Call) bool { return t.take(c) }

// Long says whether the next Invocation is expected to run for long.
func (s *Snapshot) Long() bool { return s.habit.long() }
