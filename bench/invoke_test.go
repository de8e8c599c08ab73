package bench_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/host/wagi"
	"github.com/mayfly-run/mayfly/runtime"
)

// BenchmarkInvoke is one Invocation without a network: acquire, initialise,
// call, release.
func BenchmarkInvoke(b *testing.B) {
	engine, err := runtime.New(b.Context(), runtime.Config{ABIs: []abi.ABI{native.New(), wagi.New()}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { engine.Close(context.Background()) })
	for _, g := range guests {
		b.Run("guest="+g.name, func(b *testing.B) {
			module, err := engine.Load(b.Context(), g.wasm(b))
			if err != nil {
				b.Fatal(err)
			}
			services := hosttest.Services(b)
			snapshot, err := module.Prepare(b.Context(), runtime.Setup{Services: services, Bindings: bindings, Limits: host.DefaultLimits()})
			if err != nil {
				b.Fatal(err)
			}
			defer snapshot.Close()
			invoke(b, snapshot, services, g)
		})
	}
}

var bindings = &host.Bindings{Account: "local", Function: "bench", Version: "1"}

func invoke(b *testing.B, snapshot *runtime.Snapshot, services *host.Services, g guest) {
	var c host.Call
	recorder, body := &answer{}, strings.NewReader("")
	request := g.request()
	b.ReportAllocs()
	for b.Loop() {
		if g.body != "" {
			body.Reset(g.body)
			request.Body = io.Reader(body)
		}
		c.Reset()
		c.Services, c.Bindings, c.Limits, c.Request, c.Responder = services, bindings, host.DefaultLimits(), request, recorder
		c.Begin(context.Background())
		if !snapshot.Use() {
			b.Fatal("the snapshot was closed")
		}
		if outcome, err := snapshot.Invoke(&c); outcome != host.OutcomeOK {
			b.Fatalf("%v: %v", outcome, err)
		}
	}
	if recorder.status != 200 || recorder.size == 0 {
		b.Fatalf("the guest answered %d with %d bytes", recorder.status, recorder.size)
	}
}

// answer is a Responder that keeps only what tells that there was an answer.
type answer struct{ status, size int }

func (a *answer) Respond(status int, _ host.Headers, body []byte) error {
	a.status, a.size = status, len(body)
	return nil
}

func (a *answer) Stream(int, host.Headers) (host.BodyWriter, error) {
	return nil, host.Errorf(host.CodeUnsupported, "not in this benchmark")
}

func (a *answer) Detach() error { return nil }
