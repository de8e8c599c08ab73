package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/mayfly-run/mayfly/bench/guests"
	"github.com/mayfly-run/mayfly/bench/peers/engine"
	"github.com/mayfly-run/mayfly/bench/peers/report"
)

// addEngines adds every guest with every engine, those of a guest in a row.
func (b *bench) addEngines(ctx context.Context) error {
	engines, err := b.engines(ctx)
	if err != nil {
		return err
	}
	for _, g := range b.guests {
		for i, e := range engines {
			if err := b.addEngine(ctx, e, g, i == 0); err != nil {
				return fmt.Errorf("prepare %s with %s: %w", g.Name, e.Name(), err)
			}
		}
	}
	return nil
}

// engines are all engines, the reference first.
func (b *bench) engines(ctx context.Context) (list []engine.Engine, err error) {
	for _, cfg := range []engine.MayflyConfig{{}, {Warmup: true}, {Simple: true}} {
		e, err := engine.NewMayfly(ctx, cfg)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
		b.later(e)
	}
	for _, cfg := range []engine.WasmtimeConfig{{Wizer: b.wizer}, {Wizer: b.wizer, Epochs: true}, {}, {Epochs: true}} {
		e := engine.NewWasmtime(cfg)
		list = append(list, e)
		b.later(e)
	}
	return list, nil
}

func (b *bench) addEngine(ctx context.Context, e engine.Engine, g guests.Guest, reference bool) error {
	p, err := e.Prepare(ctx, g)
	if errors.Is(err, engine.ErrNothingToDo) {
		return nil
	}
	if err != nil {
		return err
	}
	b.later(p)
	measure := func(ctx context.Context) (report.Sample, error) { return engine.Measure(ctx, p, g, b.engineTime()) }
	b.subjects = append(b.subjects, report.Subject{Group: g.Name, Name: e.Name(), Reference: reference, Unit: report.Micros, Measure: measure})
	return nil
}
