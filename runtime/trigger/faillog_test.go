package trigger_test

import (
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

// A Function that fails all the time does not fill the node's log, and what is
// left out is counted.
func TestFailuresInLog(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"traps": guest("", func(map[string]uint32) [][]byte {
		return [][]byte{hosttest.Unreachable}
	})})
	const requests = 300
	for range requests {
		if status, _ := s.get("traps", "/"); status != 500 {
			t.Fatalf("status %d", status)
		}
	}
	lines := strings.Count(s.log.String(), "invocation failed")
	if lines == 0 || lines > requests/2 {
		t.Errorf("%d lines for %d failures", lines, requests)
	}
}
