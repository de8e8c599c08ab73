package engine_test

import (
	"errors"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/bench/guests"
	"github.com/mayfly-run/mayfly/bench/peers/engine"
)

// Every engine gives the answers that guests must give, also the second time.
func TestAnswers(t *testing.T) {
	engines := []engine.Engine{engine.NewWasmtime(engine.WasmtimeConfig{}), engine.NewWasmtime(engine.WasmtimeConfig{Epochs: true})}
	for _, cfg := range []engine.MayflyConfig{{}, {Warmup: true}, {Simple: true}} {
		e, err := engine.NewMayfly(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		engines = append(engines, e)
	}
	for _, e := range engines {
		t.Cleanup(func() { e.Close() })
		for _, g := range guests.All("../../..") {
			t.Run(e.Name()+"/"+g.Name, func(t *testing.T) { mustAnswer(t, e, g) })
		}
	}
}

func mustAnswer(t *testing.T, e engine.Engine, g guests.Guest) {
	t.Helper()
	p, err := e.Prepare(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	sample, err := engine.Measure(t.Context(), p, g, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if sample.PerSecond <= 0 || sample.P50 <= 0 || sample.P99 < sample.P50 {
		t.Errorf("the sample is %+v", sample)
	}
}

func TestMeasureChecks(t *testing.T) {
	e := engine.NewWasmtime(engine.WasmtimeConfig{})
	defer e.Close()
	g := guests.All("../../..")[0]
	p, err := e.Prepare(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	g.Answer = "something else"
	if _, err := engine.Measure(t.Context(), p, g, time.Millisecond); err == nil {
		t.Error("a wrong answer was not noticed")
	}
}

func TestNothingToInitialise(t *testing.T) {
	e := engine.NewWasmtime(engine.WasmtimeConfig{Wizer: "not called"})
	defer e.Close()
	if _, err := e.Prepare(t.Context(), guests.All("../../..")[0]); !errors.Is(err, engine.ErrNothingToDo) {
		t.Errorf("got %v, want %v", err, engine.ErrNothingToDo)
	}
}
