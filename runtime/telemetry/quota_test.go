package telemetry_test

import (
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

func TestQuota(t *testing.T) {
	var q telemetry.Quota
	now := time.Unix(1000, 0)
	for n := range 10 {
		if skipped, ok := q.Take(now, 3); ok != (n < 3) || skipped != 0 {
			t.Errorf("%d: %v after %d", n, ok, skipped)
		}
	}
	if skipped, ok := q.Take(now.Add(time.Second), 3); !ok || skipped != 7 {
		t.Errorf("in the next second: %v, %d skipped; want 7", ok, skipped)
	}
	if skipped, ok := q.Take(now.Add(time.Second), 3); !ok || skipped != 0 {
		t.Errorf("told twice of %d", skipped)
	}
}
