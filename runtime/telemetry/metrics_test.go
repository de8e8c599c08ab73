package telemetry_test

import (
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
	usage := host.Usage{Units: 7, CPU: 1500 * time.Millisecond, Wall: 2 * time.Hour, BytesIn: 3, BytesOut: 4, Subrequests: 5, KVOperations: 6, LogDropped: 8, Refused: 9}
	for range 2 {
		m.Observe(host.TriggerHTTP, host.OutcomeExceededCPU, &usage)
	}
	m.Observe(host.TriggerCron, host.OutcomeOK, &host.Usage{})
	m.Refuse(telemetry.RefusedConcurrency)
	text := mustScrape(t, &m)
	for _, want := range []string{
		`mayfly_invocations_total{outcome="exceededCpu"} 2`, `mayfly_invocations_total{outcome="ok"} 1`,
		`mayfly_invocations_total{outcome="loadShed"} 0`,
		`mayfly_invocations_by_trigger_total{trigger="http"} 2`, `mayfly_invocations_by_trigger_total{trigger="cron"} 1`, `mayfly_invocations_by_trigger_total{trigger="kv"} 0`,
		`mayfly_requests_refused_total{reason="concurrency"} 1`, `mayfly_guest_units_total 14`, `mayfly_guest_cpu_seconds_total 3`,
		`mayfly_body_bytes_total{direction="in"} 6`, `mayfly_body_bytes_total{direction="out"} 8`,
		`mayfly_host_operations_total{operation="fetch"} 10`, `mayfly_host_operations_total{operation="kv"} 12`,
		`mayfly_guest_log_dropped_total 16`, `mayfly_host_operations_refused_total 18`, `mayfly_answer 42`,
		`mayfly_invocation_duration_seconds_bucket{le="5e-05"} 1`, `mayfly_invocation_duration_seconds_bucket{le="300"} 1`,
		`mayfly_invocation_duration_seconds_bucket{le="+Inf"} 3`, `mayfly_invocation_duration_seconds_sum 14400`,
		`mayfly_invocation_cpu_seconds_bucket{le="1"} 1`, `mayfly_invocation_cpu_seconds_bucket{le="2.5"} 3`, `mayfly_invocation_cpu_seconds_count 3`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("missing %q in\n%s", want, text)
		}
	}
}

// Functions have metrics of their own where that is wanted, and no more of them
// than was said.
func TestFunctionMetrics(t *testing.T) {
	for _, tt := range []struct {
		functions  int
		want, none []string
	}{
		{0, nil, []string{"mayfly_function"}},
		{1, []string{
			`mayfly_function_invocations_total{account="other",function="other",outcome="ok"} 2`,
			`mayfly_function_invocations_total{account="local",function="shop",outcome="exception"} 1`,
			`mayfly_function_invocations_total{account="local",function="shop",outcome="ok"} 1`,
			`mayfly_function_invocations_by_trigger_total{account="local",function="shop",trigger="http"} 2`,
			`mayfly_function_cpu_seconds_total{account="local",function="shop"} 2`,
			`mayfly_function_wall_seconds_total{account="local",function="shop"} 4`,
			`mayfly_function_memory_gib_seconds_total{account="local",function="shop"} 4`,
			`mayfly_function_body_bytes_total{account="local",direction="in",function="shop"} 6`,
			`mayfly_function_host_operations_total{account="local",function="shop",operation="kv"} 10`,
		}, []string{"late"}},
	} {
		o := telemetry.NewObserver(telemetry.ObserverConfig{})
		l, err := telemetry.NewLedger(t.Context(), telemetry.LedgerConfig{Observer: o, Store: newStore(), Node: "n1", Functions: tt.functions})
		if err != nil {
			t.Fatal(err)
		}
		var m telemetry.Metrics
		m.Add(l.FunctionMetrics())
		used := host.Usage{CPU: time.Second, Wall: 2 * time.Second, PeakMemory: 1 << 30, BytesIn: 3, KVOperations: 5}
		invocation{usage: used}.run(t, o, new(telemetry.Observed))
		invocation{usage: used, ended: failed(host.OutcomeException, "x")}.run(t, o, new(telemetry.Observed))
		mustScrape(t, &m)
		for _, name := range []string{"late", "later"} {
			invocation{function: name}.run(t, o, new(telemetry.Observed))
		}
		text := mustScrape(t, &m)
		for _, want := range tt.want {
			if !strings.Contains(text, want+"\n") {
				t.Errorf("missing %q in\n%s", want, text)
			}
		}
		for _, none := range tt.none {
			if strings.Contains(text, none) {
				t.Errorf("%q in\n%s", none, text)
			}
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func mustScrape(t *testing.T, m *telemetry.Metrics) string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	if answer.Code != 200 {
		t.Fatalf("status %d: %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

// Counting is on the way of every request.
func TestObserveAllocatesNothing(t *testing.T) {
	var m telemetry.Metrics
	usage := host.Usage{Units: 7, CPU: time.Second}
	if n := testing.AllocsPerRun(100, func() { m.Observe(host.TriggerHTTP, host.OutcomeOK, &usage) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
