package native_test

import (
	"io"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
)

// discarding is a Responder, LogSink and body that keeps nothing.
type discarding struct{}

func (discarding) Respond(int, host.Headers, []byte) error           { return nil }
func (discarding) Stream(int, host.Headers) (host.BodyWriter, error) { return discarding{}, nil }
func (discarding) Detach() error                                     { return nil }
func (discarding) Write(p []byte) (int, error)                       { return len(p), nil }
func (discarding) CloseWithError(error) error                        { return nil }
func (discarding) GuestLog(*host.Call, host.LogLevel, []byte)        {}
func (discarding) Read(p []byte) (int, error)                        { return len(p), nil }

// The functions that every request goes through allocate nothing.
func TestAllocations(t *testing.T) {
	inv := everything(t)
	inv.Request.Body = discarding{}
	inv.Limits.Log = 1 << 40
	g := newGuest(t, inv)
	recorder := g.Call.Responder
	g.Call.Responder, g.Call.Services.Log = discarding{}, discarding{}
	g.Call.Services.Random = io.MultiReader(discarding{})
	self := g.capture()
	body := g.Must("request_body")
	stream, _ := g.Call.Handles.Add(host.BodyWriter(discarding{}))
	name, header, variable := g.puts("cookie"), g.puts("a\x00b\x00"), g.puts("NAME")
	for _, tt := range []struct {
		name string
		args []int64
	}{
		{"request_method", with(100, 50)},
		{"request_url", with(100, 50)},
		{"request_client", with(100, 50)},
		{"request_headers", with(100, 50)},
		{"request_header", with(name, 100, 50)},
		{"body_read", with(body, 100, 50)},
		{"respond", with(200, header, 0, 100)},
		{"body_write", with(int(stream), 0, 50)},
		{"wait_until", nil},
		{"env_get", with(variable, 100, 50)},
		{"log", with(1, 0, 50)},
		{"clock", nil},
		{"time_left", nil},
		{"random", with(100, 50)},
		{"last_error", with(100, 50)},
		// Ordinary failures.
		{"request_header", with(variable, 100, 50)},
		{"env_get", with(name, 100, 50)},
	} {
		f, _ := own().Find(tt.name)
		stack := make(abi.Args, max(len(tt.args), 1))
		allocs := testing.AllocsPerRun(100, func() {
			for i, a := range tt.args {
				stack[i] = uint64(a)
			}
			g.Call.Responded = tt.name == "wait_until"
			f.Do(self, stack)
		})
		if allocs != 0 {
			t.Errorf("%s allocates %v times", tt.name, allocs)
		}
	}
	g.Call.Responder = recorder
	g.End()
}

// BenchmarkRespond is a guest that answers at once, without the making of an
// instance. What it allocates is the engine's: the host functions don't.
func BenchmarkRespond(b *testing.B) {
	i := hosttest.MustLoad(b, native.New(), answering200()).Instantiate(b)
	c := i.Begin(b, hosttest.Invocation{Parent: b.Context()})
	recorder := c.Responder
	c.Responder = discarding{}
	b.ReportAllocs()
	for b.Loop() {
		c.Responded = false
		if _, err := i.Do("fetch"); err != nil {
			b.Fatal(err)
		}
	}
	c.Responder = recorder
	i.End()
}

// answering200 is a guest that looks at the method and answers.
func answering200() []byte {
	var m hosttest.Module
	index := m.ImportAll(own())
	m.Memory(1)
	m.Func("fetch", nil, nil, nil,
		hosttest.I32Const(0), hosttest.I32Const(16), hosttest.Call(index["request_method"]), hosttest.Drop,
		hosttest.I32Const(200), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Const(16),
		hosttest.Call(index["respond"]), hosttest.Drop)
	return m.Bytes()
}
