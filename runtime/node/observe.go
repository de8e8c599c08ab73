package node

import (
	"context"
	"fmt"
	"net/http"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// openObserver makes what is told of Invocations, and what keeps of it.
func (n *Node) openObserver(ctx context.Context, store kv.Store, id string) (err error) {
	n.observer = telemetry.NewObserver(telemetry.ObserverConfig{Failures: n.cfg.Errors, Logger: n.cfg.Logger})
	n.closers = append(n.closers, n.observer.Close)
	n.ledger, err = telemetry.NewLedger(ctx, telemetry.LedgerConfig{
		Observer: n.observer, Store: store, Node: id, Keep: n.cfg.UsageKeep, Functions: n.cfg.FunctionMetrics, Logger: n.cfg.Logger})
	if err != nil {
		return fmt.Errorf("open usage: %w", err)
	}
	n.closers = append(n.closers, n.ledger.Close)
	return nil
}

// openMetrics adds what is asked for when metrics are read.
func (n *Node) openMetrics() http.Handler {
	for _, g := range []struct {
		name, help string
		value      func() float64
	}{
		{"code_memory_bytes", "Memory of code, images and idle instances.", func() float64 { return float64(n.registry.CodeBytes()) }},
		{"running_memory_bytes", "Memory of running guests, and what is held for them.", func() float64 { return float64(n.registry.RunningBytes()) }},
		{"functions", "Functions that are deployed.", func() float64 { return float64(n.functions()) }},
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
