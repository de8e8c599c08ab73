package telemetry_test

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

func TestMetrics(t *testing.T) {
	var m telemetry.Metrics
	m.Gauge("answer", "Of all questions.", func() float64 { return 42 })
	usage := host.Usage{Units: 7, CPU: 1500 * time.Millisecond, BytesIn: 3, BytesOut: 4, Subrequests: 5, KVOperations: 6, LogDropped: 8, Refused: 9}
	for range 2 {
		m.Observe(host.OutcomeExceededCPU, &usage)
	}
	m.Observe(host.OutcomeOK, &host.Usage{})
	m.Refuse(telemetry.RefusedConcurrency)
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`mayfly_invocations_total{outcome="exceededCpu"} 2`, `mayfly_invocations_total{outcome="ok"} 1`,
		`mayfly_invocations_total{outcome="loadShed"} 0`,
		`mayfly_requests_refused_total{reason="concurrency"} 1`, `mayfly_guest_units_total 14`, `mayfly_guest_cpu_seconds_total 3`,
		`mayfly_body_bytes_total{direction="in"} 6`, `mayfly_body_bytes_total{direction="out"} 8`,
		`mayfly_host_operations_total{operation="fetch"} 10`, `mayfly_host_operations_total{operation="kv"} 12`,
		`mayfly_guest_log_dropped_total 16`, `mayfly_host_operations_refused_total 18`, `mayfly_answer 42`,
	} {
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("missing %q in\n%s", want, text)
		}
	}
}

// Counting is on the way of every request.
func TestObserveAllocatesNothing(t *testing.T) {
	var m telemetry.Metrics
	usage := host.Usage{Units: 7, CPU: time.Second}
	if n := testing.AllocsPerRun(100, func() { m.Observe(host.OutcomeOK, &usage) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
