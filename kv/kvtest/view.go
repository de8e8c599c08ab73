package kvtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

func (f *fixture) mustView(t *testing.T) kv.View {
	t.Helper()
	v, err := kv.ViewOf(t.Context(), f.Store)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("the store has no views")
	}
	if err != nil {
		t.Fatalf("View: %v", err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func mustEntries(t *testing.T, v kv.View) (all []kv.Entry) {
	t.Helper()
	err := v.Entries(t.Context(), func(e kv.Entry) error {
		all = append(all, e)
		return nil
	})
	if err != nil {
		t.Fatalf("Entries: %v", err)
	}
	return all
}

// testView changes everything after the view was taken.
func testView(t *testing.T, f *fixture) {
	expires := f.clock.Now().Add(time.Hour)
	want := []kv.Entry{{Key: "a", Value: pattern(100 << 10), Metadata: []byte("m")}, {Key: "b", Expires: expires}, {Key: "c", Value: pattern(3000)}}
	for i, e := range want {
		want[i].Revision = f.mustPut(t, e.Key, string(e.Value), kv.PutOptions{Metadata: e.Metadata, Expires: e.Expires})
	}
	f.mustPut(t, "expired", "v", kv.PutOptions{Expires: f.clock.Now().Add(time.Second)})
	f.clock.advance(time.Second)
	v := f.mustView(t)
	f.mustPut(t, "a", "other", kv.PutOptions{})
	f.mustDelete(t, "b")
	f.mustPut(t, "c", string(pattern(100<<10)), kv.PutOptions{})
	f.mustPut(t, "d", "new", kv.PutOptions{})
	for range 2 {
		got := mustEntries(t, v)
		if len(got) != len(want) {
			t.Fatalf("got %d entries, want %d", len(got), len(want))
		}
		for i := range want {
			wantEntry(t, got[i], want[i])
		}
	}
	if got, least := v.Revision(), want[2].Revision; got < least || got >= f.mustGet(t, "a").Revision {
		t.Errorf("got revision %d, want at least %d, and less than that of later writes", got, least)
	}
	stop := errors.New("stop")
	wantErr(t, "Entries that were told to stop", v.Entries(t.Context(), func(kv.Entry) error { return stop }), stop)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, "Entries with a context that ended", v.Entries(ended, func(kv.Entry) error { return nil }), context.Canceled)
	f.Close()
	wantErr(t, "Entries of a closed store", v.Entries(t.Context(), func(kv.Entry) error { return nil }), kv.ErrClosed)
}

// testViewConsistent has a writer set all keys to 1, then all to 2, and so on,
// always in the same order: at each moment there is at most one step among them.
func testViewConsistent(t *testing.T, f *fixture) {
	const keys = 40
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for round := 0; ; round++ {
			for i := range keys {
				select {
				case <-stop:
					return
				default:
					f.put(t, fmt.Sprintf("k%02d", i), string(stepValue(round, i)))
				}
			}
		}
	})
	defer writer.Wait()
	defer close(stop)
	for range 20 {
		time.Sleep(2 * time.Millisecond)
		checkSteps(t, mustEntries(t, f.mustView(t)))
	}
}

// stepValue is the round as text, of lengths that are kept in different ways.
func stepValue(round, i int) []byte {
	return fmt.Appendf(nil, "%0*d", []int{9, 2000, 40_000}[i%3], round)
}

func checkSteps(t *testing.T, entries []kv.Entry) {
	t.Helper()
	last, steps := -1, 0
	for i, e := range entries {
		var round int
		if _, err := fmt.Sscanf(string(e.Value[len(e.Value)-9:]), "%d", &round); err != nil {
			t.Fatalf("key %s has no number", e.Key)
		}
		if i > 0 && round != last {
			steps++
			if round != last-1 {
				t.Errorf("key %s is of round %d, the one before it of round %d", e.Key, round, last)
			}
		}
		last = round
	}
	if steps > 1 {
		t.Errorf("got %d steps in one view, want at most 1", steps)
	}
}
