package measure_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/cli/internal/measure"
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime"
)

// answering is an ABI of one function, so that nothing but phases is tested.
type answering struct{}

func (answering) Name() string { return "answering" }

func (answering) Modules() []*abi.Module {
	return []*abi.Module{{Name: "answering", Funcs: []abi.Func{{
		Name: "answer",
		Do: func(g abi.Guest, _ abi.Args) int64 {
			if string(g.Request.URL) != "http://localhost/" {
				panic("unexpected URL")
			}
			if err := g.Responder.Respond(200, nil, nil); err != nil {
				panic(err)
			}
			return 0
		},
	}}}}
}

func (answering) Match(s *abi.Shape) (abi.Plan, bool, error) {
	return abi.Plan{Initialize: "init", Entry: "run"}, true, nil
}

func (answering) Enter(*host.Call)                    {}
func (answering) Leave(_ *host.Call, err error) error { return err }

func guest(t *testing.T, run ...[]byte) measure.Guest {
	m := new(hosttest.Module)
	answer := m.Import("answering", "answer", nil, nil)
	m.Memory(1)
	m.Func("init", nil, nil, nil)
	m.Func("run", nil, nil, nil, append(run, hosttest.Call(answer))...)
	return measure.Guest{
		Module:   m.Bytes(),
		Services: hosttest.Services(t),
		Bindings: &host.Bindings{Account: "local", Function: "test", Version: "1"},
		Limits:   host.DefaultLimits(),
	}
}

func mustRuntime(t *testing.T) *runtime.Runtime {
	t.Helper()
	r, err := runtime.New(t.Context(), runtime.Config{ABIs: []abi.ABI{answering{}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(context.Background()) })
	return r
}

func TestCold(t *testing.T) {
	ticks := 0
	got, err := measure.Cold(t.Context(), mustRuntime(t), guest(t), 7, func(int) { ticks++ })
	if err != nil {
		t.Fatal(err)
	}
	if ticks != 7 {
		t.Errorf("%d requests, want 7", ticks)
	}
	p := got.Phases
	for name, p := range map[string]measure.Percentiles{"compile": p.Compile, "instantiate": p.Instantiate, "call": p.Call, "release": p.Release, "total": got.Total} {
		if p.P50 <= 0 || p.P50 > p.P90 || p.P90 > p.P99 || p.P99 > p.Max {
			t.Errorf("%s: %+v is no distribution", name, p)
		}
	}
	if got.Total.Max < p.Call.Max || got.Total.P50 < p.Instantiate.P50 {
		t.Errorf("total %+v is less than its phases %+v", got.Total, p)
	}
	checkJSON(t, got)
}

// checkJSON compares the names, because numbers differ each time.
func checkJSON(t *testing.T, r measure.ColdResult) {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	names := strings.FieldsFunc(string(data), func(c rune) bool { return !(c >= 'a' && c <= 'z' || c == '_' || c >= '0' && c <= '9') })
	var kept []string
	for _, n := range names {
		if strings.Trim(n, "0123456789") != "" {
			kept = append(kept, n)
		}
	}
	distribution := " p50_us p90_us p99_us max_us"
	want := "phases compile" + distribution + " snapshot" + distribution + " instantiate" + distribution + " initialise" + distribution +
		" call" + distribution + " release" + distribution + " total" + distribution
	if got := strings.Join(kept, " "); got != want {
		t.Errorf("JSON has %s, want %s", got, want)
	}
}

func TestColdStopsAtFailure(t *testing.T) {
	_, err := measure.Cold(t.Context(), mustRuntime(t), guest(t, hosttest.Unreachable), 7, func(int) { t.Error("counted") })
	if err == nil || !strings.Contains(err.Error(), "request 1: the Function failed: wasm error: unreachable") {
		t.Errorf("got %v, want the first request's trap", err)
	}
}

func TestColdRefusesNonsense(t *testing.T) {
	g := guest(t)
	g.Module = []byte("nonsense")
	_, err := measure.Cold(t.Context(), mustRuntime(t), g, 1, func(int) {})
	if _, ok := errors.AsType[*host.Error](err); !ok {
		t.Errorf("got %v, want *host.Error", err)
	}
}

func TestColdIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := measure.Cold(ctx, mustRuntime(t), guest(t), 1000, func(int) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
