package telemetry_test

import (
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// BenchmarkObserve is what each request pays for being counted, where nobody wants
// to know more.
func BenchmarkObserve(b *testing.B) {
	o, m := telemetry.NewObserver(telemetry.ObserverConfig{}), new(telemetry.Metrics)
	var at telemetry.Observed
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		c := &host.Call{Bindings: &host.Bindings{Account: "local", Function: "shop", Version: "v1"},
			Usage: host.Usage{Units: 1000, CPU: time.Microsecond, Wall: time.Microsecond, PeakMemory: 1 << 20, BytesOut: 5}}
		for pb.Next() {
			o.Begin(&at, c)
			m.Observe(host.TriggerHTTP, host.OutcomeOK, &c.Usage)
			o.End(&at, c, telemetry.Ended{Status: 200})
		}
	})
}
