package storequeue_test

import (
	"flag"
	"os"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/kv/queuetest"
	"github.com/mayfly-run/mayfly/kv/storequeue"
)

// TestMain has tests that mostly wait do so at the same time.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func mustOpen(t testing.TB, cfg storequeue.Config) *storequeue.Queues {
	t.Helper()
	q, err := storequeue.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func mustStore(t testing.TB) kv.Store {
	t.Helper()
	s, err := badgerkv.Open(badgerkv.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func opener(s kv.Store) queuetest.Open {
	return func(t testing.TB, b queuetest.Bounds) kv.Queues {
		return mustOpen(t, storequeue.Config{Store: s, Prefix: "node/messages/", QueueBytes: b.Queue, AccountBytes: b.Account, AccountLeased: b.Leased})
	}
}

func TestQueues(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		queuetest.Run(t, func(testing.TB) queuetest.Open { return opener(memkv.New(memkv.Config{})) })
	})
	t.Run("little in memory", func(t *testing.T) {
		queuetest.Run(t, func(testing.TB) queuetest.Open {
			s := memkv.New(memkv.Config{})
			return func(t testing.TB, b queuetest.Bounds) kv.Queues {
				return mustOpen(t, storequeue.WithKept(storequeue.Config{Store: s, QueueBytes: b.Queue, AccountBytes: b.Account, AccountLeased: b.Leased}, 1))
			}
		})
	})
	t.Run("badger", func(t *testing.T) {
		queuetest.Run(t, func(t testing.TB) queuetest.Open { return opener(mustStore(t)) })
	})
}

func BenchmarkQueues(b *testing.B) {
	queuetest.Bench(b, func(b *testing.B) kv.Queues { return opener(mustStore(b))(b, queuetest.Bounds{}) })
}
