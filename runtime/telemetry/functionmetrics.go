package telemetry

import (
	"context"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/prometheus/client_golang/prometheus"
)

// FunctionMetrics tells metrics by account and Function, from what a Ledger counts.
// It implements prometheus.Collector.
type FunctionMetrics struct{ ledger *Ledger }

// otherFunctions is the label of those beyond LedgerConfig.Functions.
const otherFunctions = "other"

var (
	descFunctionInvocations = desc("function_invocations_total", "Invocations of a Function by how they ended.", "account", "function", "outcome")
	descFunctionTriggers    = desc("function_invocations_by_trigger_total", "Invocations of a Function by what started them.", "account", "function", "trigger")
	descFunctionCPU         = desc("function_cpu_seconds_total", "Time that a Function's guests ran.", "account", "function")
	descFunctionWall        = desc("function_wall_seconds_total", "Time that a Function's Invocations took.", "account", "function")
	descFunctionMemory      = desc("function_memory_gib_seconds_total", "Memory of a Function's guests, at its highest in each Invocation, times its time.", "account", "function")
	descFunctionBytes       = desc("function_body_bytes_total", "Bytes of bodies that a Function's guests read or wrote.", "account", "function", "direction")
	descFunctionHost        = desc("function_host_operations_total", "Operations that a Function's guests asked the host for.", "account", "function", "operation")
)

// FunctionMetrics returns the Ledger's metrics by Function. There are none unless
// LedgerConfig.Functions is set.
func (l *Ledger) FunctionMetrics() FunctionMetrics { return FunctionMetrics{l} }

// Describe implements prometheus.Collector.
func (m FunctionMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descFunctionInvocations, descFunctionTriggers, descFunctionCPU, descFunctionWall, descFunctionMemory, descFunctionBytes, descFunctionHost} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m FunctionMetrics) Collect(to chan<- prometheus.Metric) {
	l := m.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.collect(context.Background(), l.cfg.Now()); err != nil {
		l.cfg.Logger.Warn("metrics of Functions are behind", "err", err)
	}
	for key, sum := range l.totals {
		count := func(d *prometheus.Desc, v float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, append([]string{key.account, key.function}, labels...)...)
		}
		for o := range host.Outcomes {
			if n := sum[o]; n != 0 {
				count(descFunctionInvocations, float64(n), o.String())
			}
		}
		for t, n := range l.triggered[key] {
			if n != 0 {
				count(descFunctionTriggers, float64(n), host.Trigger(t).String())
			}
		}
		count(descFunctionCPU, time.Duration(sum[slotCPU]).Seconds())
		count(descFunctionWall, time.Duration(sum[slotWall]).Seconds())
		count(descFunctionMemory, gibSeconds(sum[slotMemory]))
		count(descFunctionBytes, float64(sum[slotBytesIn]), "in")
		count(descFunctionBytes, float64(sum[slotBytesOut]), "out")
		count(descFunctionHost, float64(sum[slotFetches]), "fetch")
		count(descFunctionHost, float64(sum[slotKV]), "kv")
	}
}

// total counts for metrics, since the node was started. Those who come too late are
// counted together. It needs l.mu.
func (l *Ledger) total(key functionKey, by host.Trigger, sum *amounts) {
	if l.cfg.Functions == 0 {
		return
	}
	if l.totals[key] == nil && len(l.totals) >= l.cfg.Functions {
		key = functionKey{otherFunctions, otherFunctions}
	}
	if l.totals[key] == nil {
		l.totals[key], l.triggered[key] = &amounts{}, new([host.Triggers]int64)
	}
	l.totals[key].add(sum)
	for o := range host.Outcomes {
		l.triggered[key][by] += sum[o]
	}
}
