package node

import (
	"context"
	"fmt"
	"net/http"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natsbus"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// openObserver makes what is told of Invocations, and what keeps of it.
func (n *Node) openObserver(ctx context.Context, store kv.Store, id string) (err error) {
	tracer, err := n.openTracer(ctx, id)
	if err != nil {
		return err
	}
	n.observer = telemetry.NewObserver(telemetry.ObserverConfig{Failures: n.cfg.Errors, Tracer: tracer, Logger: n.cfg.Logger})
	if err := n.openBus(id); err != nil {
		return err
	}
	n.closers = append(n.closers, n.observer.Close)
	n.ledger, err = telemetry.NewLedger(ctx, telemetry.LedgerConfig{
		Observer: n.observer, Store: store, Node: id, Keep: n.cfg.UsageKeep, Functions: n.cfg.FunctionMetrics, Logger: n.cfg.Logger})
	if err != nil {
		return fmt.Errorf("open usage: %w", err)
	}
	n.closers = append(n.closers, n.ledger.Close)
	return nil
}

// openBus has tails and errors be those of all nodes.
func (n *Node) openBus(id string) error {
	if n.shared == nil {
		return nil
	}
	bus, err := natsbus.Open(natsbus.Config{Connect: n.shared.Connect, Bucket: n.cfg.Cluster.name(), Logger: n.cfg.Logger})
	if err != nil {
		return err
	}
	n.closers = append(n.closers, bus.Close)
	return n.observer.Join(bus, id)
}

// openTracer makes what sends traces, where that is wanted.
func (n *Node) openTracer(ctx context.Context, id string) (*telemetry.Tracer, error) {
	if n.cfg.Traces.Endpoint == "" {
		return nil, nil
	}
	tracer, err := telemetry.NewTracer(ctx, n.cfg.Traces, id, n.cfg.Version, n.cfg.Logger)
	if err != nil {
		return nil, fmt.Errorf("open traces: %w", err)
	}
	n.closers = append(n.closers, tracer.Close)
	return tracer, nil
}

// openMetrics adds what is asked for when metrics are read.
func (n *Node) openMetrics() http.Handler {
	for _, g := range []struct {
		name, help string
		value      func() float64
	}{
		{"code_memory_bytes", "Memory of code, images and idle instances.", func() float64 { return float64(n.registry.CodeBytes()) }},
		{"running_memory_bytes", "Memory of running guests, and what is held for them.", func() float64 { return float64(n.registry.RunningBytes()) }},
		{"asset_memory_bytes", "Memory of static files and their lists.", func() float64 { return float64(n.registry.AssetBytes()) }},
		{"functions", "Functions that are deployed.", func() float64 { return float64(n.functions()) }},
		{"functions_behind", "Functions that other nodes have deployed and this one has not loaded yet.", func() float64 { return float64(len(n.registry.Behind())) }},
		{"tails", "Tails that were begun and have not ended.", func() float64 { return float64(n.observer.OpenTails()) }},
		{"disk_free_bytes", "What is free on the volume of the data directory.", func() float64 { return float64(n.guard.Free()) }},
	} {
		n.metrics.Gauge(g.name, g.help, g.value)
	}
	n.metrics.Add(collectors.NewGoCollector())
	n.metrics.Add(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if n.cfg.FunctionMetrics > 0 {
		n.metrics.Add(n.ledger.FunctionMetrics())
	}
	return n.metrics.Handler()
}

// functions is how many are deployed.
func (n *Node) functions() (count int) {
	for _, a := range n.registry.Accounts() {
		all, _ := n.registry.Functions(a.Name) // an account that was deleted just now has none
		count += len(all)
	}
	return count
}
