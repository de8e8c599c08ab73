package natskv_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/kvtest"
	"github.com/mayfly-run/mayfly/kv/natskv"
)

// BenchmarkStore is on one server that syncs each write.
func BenchmarkStore(b *testing.B) {
	server, bucket := mustServer(b, b.TempDir(), -1), buckets()
	kvtest.Bench(b, func(b *testing.B) kv.Store {
		return mustOpen(b, natskv.Config{URL: server.ClientURL(), Bucket: bucket()})
	})
}

func BenchmarkGetStrong(b *testing.B) {
	s := mustNodes(b, 1)[0]
	if _, err := s.Put(b.Context(), "k", make([]byte, 100), kv.PutOptions{}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.GetStrong(b.Context(), "k"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPropagation is from the call of Put on one node to the event on another.
func BenchmarkPropagation(b *testing.B) {
	nodes := mustNodes(b, 2)
	w, err := nodes[1].Watch(b.Context(), "")
	if err != nil {
		b.Fatal(err)
	}
	var after time.Duration // Put returned
	n := 0
	for b.Loop() {
		acknowledged := make(chan time.Time, 1)
		go func() {
			if _, err := nodes[0].Put(b.Context(), fmt.Sprint(n%1000), make([]byte, 100), kv.PutOptions{}); err != nil {
				b.Error(err)
			}
			acknowledged <- time.Now()
		}()
		if _, err := w.Next(b.Context()); err != nil {
			b.Fatal(err)
		}
		seen := time.Now()
		after += max(0, seen.Sub(<-acknowledged))
		n++
	}
	b.ReportMetric(float64(after.Microseconds())/float64(n), "µs-after-ack")
}

// BenchmarkJoin is a node that has nothing yet, until it has b.N entries: run it with
// a fixed count, such as -benchtime 100000x.
func BenchmarkJoin(b *testing.B) {
	server := mustServer(b, b.TempDir(), -1)
	first := mustOpen(b, natskv.Config{URL: server.ClientURL()})
	var writes []kv.Write
	for i := range b.N {
		writes = append(writes, kv.Write{Key: fmt.Sprintf("namespace/%08d", i), Value: make([]byte, 300)})
		if len(writes) == 100 || i == b.N-1 {
			if err := kv.Batch(b.Context(), first, writes, false); err != nil {
				b.Fatal(err)
			}
			writes = writes[:0]
		}
	}
	end := first.Status().Revision
	b.ResetTimer()
	joined := mustOpen(b, natskv.Config{URL: server.ClientURL()})
	for joined.Status().Revision < end {
		time.Sleep(time.Millisecond)
	}
}
