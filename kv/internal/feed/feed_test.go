package feed_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/feed"
)

func event(key string, size int) kv.Event {
	return kv.Event{Entry: kv.Entry{Key: key, Value: make([]byte, size)}}
}

func mustWatch(t *testing.T, f *feed.Feed, prefix string) kv.Watcher {
	t.Helper()
	w, err := f.Watch(prefix)
	if err != nil {
		t.Fatalf("Watch: %v", err)
	}
	return w
}

// count takes events until there is an error.
func count(t *testing.T, w kv.Watcher) (n int, err error) {
	for {
		if _, err = w.Next(t.Context()); err != nil {
			return n, err
		}
		n++
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		name  string
		sizes []int
		lag   bool
	}{
		{"as many as fit", make([]int, feed.MaxEvents), false},
		{"one more", make([]int, feed.MaxEvents+1), true},
		{"one of any size", []int{feed.MaxBytes + 1}, false},
		{"as many bytes as fit", []int{feed.MaxBytes - 1, 1}, false},
		{"one byte more", []int{feed.MaxBytes, 1}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var f feed.Feed
			w := mustWatch(t, &f, "")
			for _, size := range c.sizes {
				f.Publish(event("k", size))
			}
			if !c.lag {
				for i := range c.sizes {
					if _, err := w.Next(t.Context()); err != nil {
						t.Fatalf("event %d: %v", i, err)
					}
				}
				f.Publish(event("k", feed.MaxBytes)) // what was taken no longer counts
				if _, err := w.Next(t.Context()); err != nil {
					t.Errorf("event after the others: %v", err)
				}
				return
			}
			if n, err := count(t, w); n != 0 || !errors.Is(err, kv.ErrLagged) {
				t.Errorf("got %d events, then %v, want ErrLagged at once", n, err)
			}
		})
	}
}

// TestWakesAll has several goroutines wait on one watcher: each event wakes one
// that takes it, and the end wakes all.
func TestWakesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f feed.Feed
		w := mustWatch(t, &f, "")
		taken := make(chan string, 10)
		for range 3 {
			go func() {
				for {
					ev, err := w.Next(t.Context())
					if err != nil {
						taken <- err.Error()
						return
					}
					taken <- ev.Entry.Key
				}
			}()
		}
		synctest.Wait()
		got := map[string]int{}
		for i := range 3 {
			f.Publish(event(fmt.Sprint(i), 0))
		}
		for range 3 {
			got[<-taken]++
		}
		f.Close()
		for range 3 {
			got[<-taken]++
		}
		want := map[string]int{"0": 1, "1": 1, "2": 1, kv.ErrClosed.Error(): 3}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if _, err := f.Watch(""); !errors.Is(err, kv.ErrClosed) {
			t.Errorf("Watch after Close: got %v, want ErrClosed", err)
		}
	})
}
