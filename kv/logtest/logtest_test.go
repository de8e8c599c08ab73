package logtest_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/kv/logtest"
)

// TestBuffer means something under -race.
func TestBuffer(t *testing.T) {
	var b logtest.Buffer
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 25 {
				b.Logger().Warn("here")
				_ = b.String()
			}
		})
	}
	writers.Wait()
	if got := strings.Count(b.String(), "level=WARN msg=here\n"); got != 100 {
		t.Errorf("got %d lines, want 100", got)
	}
}
