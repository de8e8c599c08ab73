package wagi

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/wasi"
)

const (
	entry  = "_start"
	native = "mayfly" // the module that only guests of the native ABI import
)

type convention struct{ modules []*abi.Module }

// New returns the ABI of WASI commands.
func New() abi.ABI { return &convention{[]*abi.Module{wasi.Module()}} }

func (c *convention) Name() string           { return "WASI command (CGI)" }
func (c *convention) Modules() []*abi.Module { return c.modules }

// Match takes a module that exports _start and imports nothing of the native ABI.
func (c *convention) Match(s *abi.Shape) (abi.Plan, bool, error) {
	start, ok := s.Export(entry)
	if !ok || importsNative(s) {
		return abi.Plan{}, false, nil
	}
	return abi.Plan{Entry: entry, Scheduled: entry, Queue: entry, KV: entry, Once: true}, true, complaint(s, start)
}

func importsNative(s *abi.Shape) bool {
	for _, i := range s.Imports {
		if i.Module == native || strings.HasPrefix(i.Module, native+"@") {
			return true
		}
	}
	return false
}

// complaint says what a module that follows this convention lacks.
func complaint(s *abi.Shape, start abi.Signature) error {
	if len(start.Params)+len(start.Results) > 0 {
		return fmt.Errorf("export %q must have no parameters and no results", entry)
	}
	if !s.Memory && s.ImportsFrom(wasi.Name) {
		return errors.New(`module does not export its memory as "memory"`)
	}
	return nil
}

// Enter makes the request the program's environment and input.
func (c *convention) Enter(call *host.Call) {
	p := &program{call: call}
	call.Args = []string{call.Bindings.Function}
	call.Env = environ(call)
	call.Stdout = p
	if call.Request.Body != nil {
		call.Stdin = p
	}
	p.give()
}

// Leave answers with what the program wrote.
func (c *convention) Leave(call *host.Call, err error) error {
	wasi.Flush(call)
	exit, exited := errors.AsType[abi.Exit](err)
	if err != nil && !exited {
		return err
	}
	p := call.Stdout.(*program)
	if call.IsEvent() {
		return p.judgeEvent(exit)
	}
	switch {
	case p.refused != nil:
		return p.refused
	case len(p.output) == 0 && exit.Code != 0:
		return host.Errorf(host.CodeState, "the program wrote no answer and exited with code %d", exit.Code)
	case len(p.output) == 0:
		return host.Errorf(host.CodeState, "the program ended without an answer: it must write one to standard output")
	case exit.Code != 0:
		call.Log(host.LogWarn, fmt.Appendf(nil, "the program exited with code %d; its answer is sent all the same", exit.Code))
	}
	return p.answer()
}

// program is the input and output of one Invocation.
type program struct {
	call    *host.Call
	output  []byte
	refused error // the output that exceeded the limit, or the input that could not be given
}

// Read reads the request's body.
func (p *program) Read(b []byte) (int, error) {
	n, err := p.call.Request.Body.Read(b)
	p.call.Usage.BytesIn += int64(n)
	return n, err
}

// Write takes output as far as the limit allows.
func (p *program) Write(b []byte) (int, error) {
	limit := p.call.Limits.Response
	n := min(len(b), int(limit)-len(p.output))
	p.output = append(p.output, b[:n]...)
	if n < len(b) {
		p.refused = host.Errorf(host.CodeTooLarge, "the program's output exceeds the limit of %d bytes", limit)
	}
	return n, p.refused
}

func (p *program) answer() error {
	a, err := Parse(p.output, origin(p.call.Request.URL))
	if err != nil {
		return err
	}
	if err := p.call.Responder.Respond(a.Status, a.Headers, a.Body); err != nil {
		return fmt.Errorf("respond: %w", err)
	}
	p.call.Responded = true
	p.call.Usage.BytesOut += int64(len(a.Body))
	return nil
}
