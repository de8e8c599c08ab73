package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mayfly-run/mayfly/bench/guests"
	"github.com/mayfly-run/mayfly/bench/peers/engine"
	"github.com/mayfly-run/mayfly/bench/peers/report"
	"github.com/mayfly-run/mayfly/bench/peers/server"
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

// addServers adds the servers that answer as the tiny guest does.
func (b *bench) addServers(ctx context.Context) error {
	tiny := b.guests[0]
	wasm, err := tiny.Module()
	if err != nil {
		return err
	}
	module := filepath.Join(b.dir, tiny.Name+".wasm")
	if err := os.WriteFile(module, wasm, 0o600); err != nil {
		return fmt.Errorf("keep the guest: %w", err)
	}
	for i, s := range b.servers(module) {
		if err := b.addServer(ctx, s, i, tiny); err != nil {
			return fmt.Errorf("start %s: %w", s.name, err)
		}
	}
	return nil
}

type starter struct {
	name  string
	start func(ctx context.Context, cfg server.Config) (*server.Process, error)
	one   bool // processor
}

// servers are all servers, the reference first.
func (b *bench) servers(module string) []starter {
	bare := func(ctx context.Context, cfg server.Config) (*server.Process, error) {
		return server.Bare(ctx, b.bare, cfg)
	}
	mayfly := func(ctx context.Context, cfg server.Config) (*server.Process, error) {
		return server.Mayfly(ctx, b.mayfly, module, cfg)
	}
	workerd := func(ctx context.Context, cfg server.Config) (*server.Process, error) {
		return server.Workerd(ctx, b.workerd, "hello.capnp", cfg)
	}
	return []starter{
		{"bare fasthttp", bare, false}, {"Mayfly, snapshot", mayfly, false},
		{"bare fasthttp, one processor", bare, true}, {"Mayfly, snapshot, one processor", mayfly, true},
		{"workerd", workerd, false},
	}
}

func (b *bench) addServer(ctx context.Context, s starter, i int, g guests.Guest) error {
	dir := filepath.Join(b.dir, fmt.Sprint("server-", i))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	p, err := s.start(ctx, server.Config{Dir: dir, OneProcessor: s.one})
	if err != nil {
		return err
	}
	b.later(p)
	if err := server.Check(ctx, p.URL, g.Answer); err != nil {
		return err
	}
	measure := func(ctx context.Context) (report.Sample, error) {
		return server.Load(ctx, b.mayfly, p.URL, g.Answer, b.serverTime())
	}
	b.subjects = append(b.subjects, report.Subject{Group: "HTTP, " + g.Name, Name: s.name, Reference: i == 0, Unit: report.PerSecond, Measure: measure})
	return nil
}
