package telemetry_test

import (
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

func TestOutcomes(t *testing.T) {
	var o telemetry.Outcomes
	if got := o.Counts(); got != (telemetry.Counts{}) {
		t.Errorf("got %+v of nothing", got)
	}
	for n := range 1000 {
		o.Add(n%100 == 0, time.Duration(n+1)*time.Millisecond)
	}
	got := o.Counts()
	if got.Requests != 1000 || got.Failed != 10 {
		t.Errorf("got %+v, want 1000 requests and 10 that failed", got)
	}
	if p99 := 990 * time.Millisecond; got.P99 > p99 || got.P99 < p99*7/8 {
		t.Errorf("got a p99 of %v, want %v or an eighth less", got.P99, p99)
	}
}

// Each duration is found again, no more than an eighth shorter.
func TestOutcomesOfOne(t *testing.T) {
	for _, d := range []time.Duration{0, 1, time.Microsecond, 7 * time.Microsecond, 8 * time.Microsecond, 999 * time.Microsecond,
		time.Millisecond, 123456 * time.Microsecond, time.Second, 10 * time.Minute} {
		var o telemetry.Outcomes
		o.Add(false, d)
		want := max(d, time.Microsecond)
		if got := o.Counts().P99; got > want || got < want-want/8 {
			t.Errorf("%v: got %v", d, got)
		}
	}
	var o telemetry.Outcomes
	o.Add(false, 1000*time.Hour)
	if got := o.Counts().P99; got < 10*time.Minute {
		t.Errorf("got %v for what is longer than all", got)
	}
}
