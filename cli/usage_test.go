package cli_test

import (
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli/api"
)

// A node that is killed loses what was counted after its last write, and counts
// nothing twice.
func TestUsageOfKilledNode(t *testing.T) {
	s := mustServe(t)
	s.mustDeploy(t, "hello", tiny("hi"))
	counted := int64(0)
	for round := range 3 {
		for range 20 {
			if status, _ := s.get(t, "hello"); status != 200 {
				t.Fatalf("status %d", status)
			}
		}
		counted += 20
		s.mustStore(t, time.Now())
		const more = 5 // which may be lost
		for range more {
			s.get(t, "hello")
		}
		s.kill(t)
		s = mustServeIn(t, s.data)
		got := s.mustUsage(t).Total.Requests
		if got < counted || got > counted+more {
			t.Errorf("round %d: %d requests were counted, want %d to %d", round, got, counted, counted+more)
		}
		counted = got
	}
}

// mustStore waits until what was used before is stored.
func (s *server) mustStore(t *testing.T, before time.Time) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !s.mustUsage(t).Stored.After(before); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is stored")
		}
	}
}

func (s *server) mustUsage(t *testing.T) api.UsageReport {
	t.Helper()
	c, err := api.New(api.Config{Base: "http://" + s.admin + "/client/v4", Account: "local", Token: s.mustToken(t)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Usage(t.Context(), time.Now().Add(-24*time.Hour).UTC().Format(time.RFC3339), "", "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}
