package trigger_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// Two nodes share the slots of a queue, and one takes over what the other leaves when
// it is killed.
func TestStoreSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memkv.New(memkv.Config{})
		log := slog.New(slog.DiscardHandler)
		slots := map[string]*trigger.StoreSlots{}
		leases := map[string]*trigger.Lease{}
		for _, node := range []string{"a", "b"} {
			lease, err := trigger.NewLease(t.Context(), store, node, log)
			if err != nil {
				t.Fatal(err)
			}
			leases[node], slots[node] = lease, trigger.NewStoreSlots(store, lease, log)
		}
		q := kv.Queue{Account: "local", ID: "q"}
		_, first, ok := slots["a"].Take(t.Context(), q, 2)
		if !ok {
			t.Fatal("no slot where none is taken")
		}
		held, second, ok := slots["b"].Take(t.Context(), q, 2)
		if !ok {
			t.Fatal("no second slot")
		}
		for node, s := range slots {
			if _, _, ok := s.Take(t.Context(), q, 2); ok {
				t.Errorf("node %s got a third slot", node)
			}
		}
		first()
		_, again, ok := slots["b"].Take(t.Context(), q, 2)
		if !ok {
			t.Fatal("no slot after one was given back")
		}
		again()
		leases["a"].Close(t.Context())
		leases["b"].Close(t.Context()) // as if it had been killed: its slot is still taken
		synctest.Wait()                // what a lease ends is told of it by another goroutine
		if held.Err() == nil {
			t.Error("what holds a slot goes on after the lease is over")
		}
		lease, err := trigger.NewLease(t.Context(), store, "a", log)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		other := trigger.NewStoreSlots(store, lease, log)
		var release []func()
		for range 2 {
			_, done, ok := other.Take(t.Context(), q, 2)
			if !ok {
				t.Fatal("the slot of a node that is gone is not given to another")
			}
			release = append(release, done)
		}
		second() // takes nothing from who has it now
		if _, _, ok := other.Take(t.Context(), q, 2); ok {
			t.Error("a slot was given back that another node has")
		}
		for _, done := range release {
			done()
		}
		lease.Close(t.Context())
	})
}

// A slot that could not be given back, or of which nobody knows that it was taken, is
// the node's own again, and not lost while it has its lease.
func TestStoreSlotsUnsure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &unsureStore{Store: memkv.New(memkv.Config{}), prefix: "node/queue-slots/", which: 1}
		lease := mustLease(t, store, "a")
		held := mustHold(t, lease)
		slots := trigger.NewStoreSlots(store, lease, slog.New(slog.DiscardHandler))
		q := kv.Queue{Account: "local", ID: "q"}
		if _, _, ok := slots.Take(t.Context(), q, 1); ok {
			t.Error("got a slot of which it is not known whether it was taken")
		}
		for range 2 {
			_, release, ok := slots.Take(t.Context(), q, 1)
			if !ok {
				t.Fatal("the slot is lost")
			}
			if _, _, ok := slots.Take(t.Context(), q, 1); ok {
				t.Error("the slot was taken twice")
			}
			store.keeps.Store(true) // it can't be given back
			release()
		}
		held.Release()
		lease.Close(t.Context())
	})
}
