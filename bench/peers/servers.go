package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mayfly-run/mayfly/bench/guests"
	"github.com/mayfly-run/mayfly/bench/peers/report"
	"github.com/mayfly-run/mayfly/bench/peers/server"
)

// starter is a server that can be started.
type starter struct {
	name  string
	start func(ctx context.Context, cfg server.Config) (*server.Process, error)
	one   bool // processor
}

// addServers adds the servers that answer as the tiny guest does, and those that run
// each of the programs in JavaScript.
func (b *bench) addServers(ctx context.Context) error {
	workers := guests.Workers("../..")
	hello, err := b.keepWorker(workers[0])
	if err != nil {
		return err
	}
	tiny := b.guests[0]
	module, err := b.keepModule(tiny)
	if err != nil {
		return err
	}
	list := append(b.fasthttps(module), b.workerdOf(hello))
	if err := b.addGroup(ctx, group{"HTTP, " + tiny.Name, tiny.Answer, server.Connections}, list); err != nil {
		return err
	}
	for i, w := range workers {
		file, err := b.keepWorker(w)
		if err != nil {
			return err
		}
		list := append(b.mayflies("Mayfly", file+".js"), b.workerdOf(file))
		g := group{"HTTP, JavaScript " + w.Name, w.Answer, server.FewConnections}
		if i == 0 {
			g.connections = server.Connections // hello computes nothing
		}
		if err := b.addGroup(ctx, g, list); err != nil {
			return err
		}
	}
	return nil
}

// keepModule writes a guest to a file.
func (b *bench) keepModule(g guests.Guest) (string, error) {
	wasm, err := g.Module()
	if err != nil {
		return "", err
	}
	file := filepath.Join(b.dir, g.Name+".wasm")
	if err := os.WriteFile(file, wasm, 0o600); err != nil {
		return "", fmt.Errorf("keep the guest: %w", err)
	}
	return file, nil
}

// workerdConfig is a configuration for workerd with one Worker. Where it listens is
// said on the command line.
const workerdConfig = `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "bench", worker = .bench)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "bench")],
);

const bench :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "%s.js")],
  compatibilityDate = "2026-01-01",
);
`

// keepWorker writes a program and a configuration for workerd to files, and returns
// their common name without ".js" and ".capnp".
func (b *bench) keepWorker(w guests.Worker) (string, error) {
	source, err := w.Source()
	if err != nil {
		return "", err
	}
	file := filepath.Join(b.dir, w.Name)
	if err := os.WriteFile(file+".js", source, 0o600); err != nil {
		return "", fmt.Errorf("keep the Worker: %w", err)
	}
	if err := os.WriteFile(file+".capnp", fmt.Appendf(nil, workerdConfig, w.Name), 0o600); err != nil {
		return "", fmt.Errorf("keep the Worker: %w", err)
	}
	return file, nil
}

// fasthttps are the servers on fasthttp, the reference first.
func (b *bench) fasthttps(module string) []starter {
	bare := func(ctx context.Context, cfg server.Config) (*server.Process, error) {
		return server.Bare(ctx, b.bare, cfg)
	}
	m := b.mayflies("Mayfly, snapshot", module)
	return []starter{{"bare fasthttp", bare, false}, m[0], {"bare fasthttp, one processor", bare, true}, m[1]}
}

// mayflies are nodes with one Function, on all processors and on one.
func (b *bench) mayflies(name, module string) []starter {
	start := func(ctx context.Context, cfg server.Config) (*server.Process, error) {
		return server.Mayfly(ctx, b.mayfly, module, cfg)
	}
	return []starter{{name, start, false}, {name + ", one processor", start, true}}
}

func (b *bench) workerdOf(file string) starter {
	start := func(ctx context.Context, cfg server.Config) (*server.Process, error) {
		return server.Workerd(ctx, b.workerd, file+".capnp", cfg)
	}
	return starter{"workerd", start, false}
}

// group is what servers are compared with.
type group struct {
	name, answer string
	connections  int
}

// addGroup starts servers that answer the same, the reference first.
func (b *bench) addGroup(ctx context.Context, g group, list []starter) error {
	for i, s := range list {
		measure, err := b.startServer(ctx, g, s)
		if err != nil {
			return fmt.Errorf("%s: start %s: %w", g.name, s.name, err)
		}
		b.subjects = append(b.subjects, report.Subject{Group: g.name, Name: s.name, Reference: i == 0, Unit: report.PerSecond, Measure: measure})
	}
	return nil
}

func (b *bench) startServer(ctx context.Context, g group, s starter) (measure func(context.Context) (report.Sample, error), err error) {
	dir, err := os.MkdirTemp(b.dir, "server-")
	if err != nil {
		return nil, err
	}
	p, err := s.start(ctx, server.Config{Dir: dir, OneProcessor: s.one})
	if err != nil {
		return nil, err
	}
	b.later(p)
	measure = func(ctx context.Context) (report.Sample, error) {
		return server.Load(ctx, b.mayfly, p.URL, g.answer, g.connections, b.serverTime())
	}
	return measure, server.Check(ctx, p.URL, g.answer)
}
