package natskv_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
)

// TestStrongReadsTogether has many strong reads at a time share what they cost, also with
// those who give up, while each still sees what was written before it.
func TestStrongReadsTogether(t *testing.T) {
	const readers, reads = 32, 10
	nodes := mustNodes(t, 2)
	mustPut(t, nodes[0], "k", "0")
	if err := nodes[1].Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := nodes[1].Status().Revision
	var all sync.WaitGroup
	for i := range readers {
		all.Go(func() {
			for range reads {
				ctx, cancel := context.WithCancel(t.Context())
				if i%4 == 0 {
					go cancel()
				}
				if _, err := nodes[1].GetStrong(ctx, "k"); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	const writes = 20
	for i := range writes {
		want := strconv.Itoa(i)
		mustPut(t, nodes[0], "k", want)
		if e, err := kv.GetStrong(t.Context(), nodes[1], "k"); err != nil || string(e.Value) != want {
			t.Errorf("got %q, %v; want %s, which is written", e.Value, err, want)
		}
	}
	all.Wait()
	if took := nodes[1].Status().Revision - before; took >= writes+readers*reads {
		t.Errorf("%d reads beside %d writes took %d messages", readers*reads, writes, took)
	}
}
