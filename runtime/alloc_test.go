package runtime_test

import (
	"context"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime"
)

// A request costs no allocation in the runtime.
func TestInvokeAllocatesNothing(t *testing.T) {
	s := mustPrepare(t, mustLoad(t, mustRuntime(t, runtime.Config{}), hello("hello")), host.Limits{})
	services, bindings, limits := hosttest.Services(t), &host.Bindings{}, host.DefaultLimits()
	request, responder := hosttest.Request("GET", "http://test.localhost/", ""), &counting{}
	var c host.Call
	invoke := func() {
		c.Reset()
		c.Services, c.Bindings, c.Limits, c.Request, c.Responder = services, bindings, limits, request, responder
		c.Begin(context.Background())
		s.Use()
		outcome, spent, err := s.Invoke(&c)
		if outcome != host.OutcomeOK {
			t.Fatalf("%v: %v", outcome, err)
		}
		spent.Recycle()
	}
	if got := testing.AllocsPerRun(100, invoke); got != 0 {
		t.Errorf("%v allocations for each request, want 0", got)
	}
	if responder.answers < 100 {
		t.Errorf("%d answers", responder.answers)
	}
}

// counting is a Responder that keeps nothing.
type counting struct {
	host.Responder
	answers int
}

func (r *counting) Respond(int, host.Headers, []byte) error {
	r.answers++
	return nil
}
