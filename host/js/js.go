package js

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/wasi"
)

// Name is the module that the engine imports from.
const Name = "mayfly_js"

// What the engine exports.
const (
	// StartExport makes an engine in which the platform stands, for any Program.
	StartExport = "mayfly_js_start"
	// InitializeExport loads the Program, and does what StartExport does if nobody has.
	InitializeExport = "mayfly_js_initialize"
	EntryExport      = "mayfly_js_fetch"
)

// Module is the host module. It is stateless.
func Module() *abi.Module {
	return &abi.Module{Name: Name, Funcs: []abi.Func{
		{Name: "call", Params: []abi.Type{abi.I32, abi.I32, abi.I32, abi.I32, abi.I32, abi.I32}, Results: i64, Do: call},
		{Name: "take", Params: i32, Do: take},
		{Name: "next", Results: i64, Do: next},
		{Name: "random", Results: i64, Do: random},
		{Name: "fail", Params: []abi.Type{abi.I32, abi.I32}, Do: fail},
	}}
}

var (
	i32 = []abi.Type{abi.I32}
	i64 = []abi.Type{abi.I64}
)

// share: of what metering counts in the engine's interpreter, a third to a tenth is
// work, by what it takes in time. Its cases have slow paths that are hardly taken.
const share = 4

// stack is for the engine's interpreter, one call of which is taken for 48 KB where
// it uses 8 at most. The engine itself throws a RangeError before that is used up.
var stack = abi.Stack{Kept: 2 << 20, Most: 128 << 20}

type convention struct{ modules []*abi.Module }

// New returns the ABI of JavaScript Workers.
func New() abi.ABI { return &convention{[]*abi.Module{Module(), wasi.Module()}} }

func (c *convention) Name() string           { return "JavaScript" }
func (c *convention) Modules() []*abi.Module { return c.modules }

// Match takes the engine.
func (c *convention) Match(s *abi.Shape) (abi.Plan, bool, error) {
	if !s.ImportsFrom(Name) {
		return abi.Plan{}, false, nil
	}
	for _, name := range []string{StartExport, InitializeExport, EntryExport} {
		if e, ok := s.Export(name); !ok || len(e.Params)+len(e.Results) > 0 || !s.Memory {
			return abi.Plan{}, true, fmt.Errorf("module imports from %q, which is for the node's own JavaScript engine", Name)
		}
	}
	return abi.Plan{Initialize: InitializeExport, Entry: EntryExport, Scheduled: EntryExport, KV: EntryExport, Queue: EntryExport, Stack: stack, Share: share}, true, nil
}

// Enter prepares the state of an Invocation.
func (c *convention) Enter(call *host.Call) {
	s, ok := call.Guest.(*state)
	if !ok {
		s = new(state)
		call.Guest = s
	}
	s.reset()
	if call.Program != nil {
		s.platform = Platform()
		s.program, s.broken = DecodeProgram(call.Program)
	}
}

// Leave judges how the event ended.
func (c *convention) Leave(call *host.Call, err error) error {
	wasi.Flush(call)
	s := stateOf(call)
	if failure, ok := errors.AsType[*Failure](err); ok {
		return failure // without the engine's own stack
	}
	switch {
	case err != nil:
		return err
	case s.gone:
		return fmt.Errorf("%w: the client went away", context.Canceled)
	case s.failure != nil:
		return s.failure
	case call.IsEvent() && !s.settled:
		return host.Errorf(host.CodeState, "the Worker's code had hung: what its %s handler waits for never comes", handlerOf(call))
	case s.begun && !call.Responded && !call.IsEvent():
		return host.Errorf(host.CodeState, "the Worker's code had hung and would never generate a response")
	}
	return nil
}

// handlerOf is the name of the handler of an event.
func handlerOf(c *host.Call) string {
	switch {
	case c.Change != nil:
		return "kv"
	case c.Queue != nil:
		return "queue"
	}
	return "scheduled"
}

// state is what the host remembers of one Invocation beside its handles.
type state struct {
	program  *Program // during initialisation alone, as all up to broken
	platform string
	broken   error // why there is no program

	result  []byte // for take, until the next call
	text    string // the same where it is a string
	counted int    // bytes that are held for them
	gone    bool   // the client, before it had all of the answer
	failure error  // of the user's code
	query   query  // of the call under way
	loops
}

func (s *state) reset() {
	waiting := s.waiting[:0]
	*s = state{}
	s.waiting = waiting
}

func stateOf(c *host.Call) *state {
	s, ok := c.Guest.(*state)
	if !ok { // a call outside of any Invocation of ours
		s = new(state)
		c.Guest = s
	}
	return s
}

// Failure is an exception of the user's code that nobody caught, as the log shows it.
type Failure struct{ Stack string }

// maxFailure is how much is kept of the text of a Failure, in bytes.
const maxFailure = 16 << 10

func failureOf(text []byte) *Failure {
	if len(text) > maxFailure {
		text = append(bytes.ToValidUTF8(text[:maxFailure], nil), "..."...)
	}
	return &Failure{Stack: string(text)}
}

func (f *Failure) Error() string { return strings.TrimRight(f.Stack, "\n") }

// Parts are the exception's name, its message and its stack.
func (f *Failure) Parts() (name, message, stack string) {
	head, stack, _ := strings.Cut(f.Error(), "\n")
	head = strings.TrimPrefix(head, "Uncaught ")
	if name, message, ok := strings.Cut(head, ": "); ok && !strings.ContainsAny(name, " {[") {
		return name, message, stack
	}
	return "Error", head, stack
}

// fail ends a guest whose engine can't go on: an exception in the platform, or one
// that can't be caught.
func fail(g abi.Guest, a abi.Args) int64 {
	panic(failureOf(g.Bytes(a.U32(0), a.U32(1))))
}
