package badgerkv_test

import (
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
	"github.com/mayfly-run/mayfly/kv/kvtest"
)

func mustOpen(t testing.TB, cfg badgerkv.Config) *badgerkv.Store {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	s, err := badgerkv.Open(cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	kvtest.Run(t, func(t *testing.T, now func() time.Time) kv.Store {
		return mustOpen(t, badgerkv.Config{Now: now})
	})
}

func TestChanges(t *testing.T) {
	kvtest.RunChanges(t, func(t *testing.T, now func() time.Time) kv.Store {
		return mustOpen(t, badgerkv.Config{Now: now})
	})
}

// TestStoreWhileCollecting runs the kit with the value log being collected all
// the time.
func TestStoreWhileCollecting(t *testing.T) {
	kvtest.Run(t, func(t *testing.T, now func() time.Time) kv.Store {
		return mustOpen(t, badgerkv.Config{Now: now, NoSync: true, CollectEvery: time.Millisecond})
	})
}

func BenchmarkSync(b *testing.B) {
	kvtest.Bench(b, func(b *testing.B) kv.Store { return mustOpen(b, badgerkv.Config{}) })
}

func BenchmarkNoSync(b *testing.B) {
	kvtest.Bench(b, func(b *testing.B) kv.Store { return mustOpen(b, badgerkv.Config{NoSync: true}) })
}
