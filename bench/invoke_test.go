package bench_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/bench/guests"
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/host/wagi"
	"github.com/mayfly-run/mayfly/runtime"
)

// BenchmarkInvoke is one Invocation without a network: acquire, call, release.
// The simple engine instantiates and initialises as well; the warm one answered
// the same request once before its snapshot was taken.
func BenchmarkInvoke(b *testing.B) {
	for _, engine := range []string{"simple", "snapshot", "warm"} {
		r, err := runtime.New(b.Context(), runtime.Config{ABIs: []abi.ABI{native.New(), wagi.New()}, Simple: engine == "simple"})
		if err != nil {
			b.Fatal(err)
		}
		for _, g := range all {
			b.Run("engine="+engine+"/guest="+g.Name, func(b *testing.B) { invoke(b, r, g, engine == "warm") })
		}
		r.Close(context.Background())
	}
}

func invoke(b *testing.B, r *runtime.Runtime, g guests.Guest, warm bool) {
	module, err := r.Load(b.Context(), mustModule(b, g))
	if err != nil {
		b.Fatal(err)
	}
	setup := runtime.Setup{Services: hosttest.Services(b), Limits: host.DefaultLimits(),
		Bindings: &host.Bindings{Account: "local", Function: "bench", Version: "1"}}
	if warm {
		setup.Warmup = []host.Request{g.Request()}
	}
	snapshot, err := module.Prepare(b.Context(), setup)
	if err != nil {
		b.Fatal(err)
	}
	defer snapshot.Close()
	repeat(b, snapshot, setup, g)
}

func repeat(b *testing.B, snapshot *runtime.Snapshot, setup runtime.Setup, g guests.Guest) {
	var c host.Call
	recorder, body, request := &answer{}, strings.NewReader(""), g.Request()
	b.ReportAllocs()
	for b.Loop() {
		if g.Body != "" {
			body.Reset(g.Body)
			request.Body = io.Reader(body)
		}
		c.Reset()
		c.Services, c.Bindings, c.Limits, c.Request, c.Responder = setup.Services, setup.Bindings, setup.Limits, request, recorder
		c.Begin(context.Background())
		snapshot.Use()
		outcome, spent, err := snapshot.Invoke(&c)
		if outcome != host.OutcomeOK {
			b.Fatalf("%v: %v", outcome, err)
		}
		spent.Recycle()
	}
	if recorder.status != 200 || recorder.size != len(g.Answer) {
		b.Fatalf("the guest answered %d with %d bytes, want 200 with %d", recorder.status, recorder.size, len(g.Answer))
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
