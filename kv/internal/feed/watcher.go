package feed

import (
	"context"
	"sync"

	"github.com/mayfly-run/mayfly/kv"
)

type watcher struct {
	feed   *Feed
	prefix string
	wake   chan struct{} // holds a token when there may be something to take

	mu    sync.Mutex // guards the fields below
	queue []kv.Event
	bytes int   // of the queued values and metadata
	err   error // set once the watcher is finished
}

func (w *watcher) Next(ctx context.Context) (kv.Event, error) {
	for {
		if err := ctx.Err(); err != nil {
			return kv.Event{}, err
		}
		if ev, ok, err := w.take(); ok || err != nil {
			return ev, err
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
		}
	}
}

func (w *watcher) Close() error {
	w.feed.remove(w)
	w.finish(kv.ErrClosed)
	return nil
}

func (w *watcher) take() (ev kv.Event, ok bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		w.signal() // for whoever else waits in Next
		return ev, false, w.err
	}
	if len(w.queue) == 0 {
		return ev, false, nil
	}
	ev = w.queue[0]
	w.queue[0] = kv.Event{} // let go of the value
	w.queue = w.queue[1:]
	w.bytes -= sizeOf(ev)
	if len(w.queue) > 0 {
		w.signal()
	}
	return ev, true, nil
}

// push queues ev, or finishes the watcher and reports false.
func (w *watcher) push(ev kv.Event) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	full := len(w.queue) >= MaxEvents || w.bytes+sizeOf(ev) > MaxBytes
	if full && len(w.queue) > 0 {
		w.finishLocked(kv.ErrLagged)
		return false
	}
	w.queue = append(w.queue, ev)
	w.bytes += sizeOf(ev)
	w.signal()
	return true
}

func (w *watcher) finish(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finishLocked(err)
}

func (w *watcher) finishLocked(err error) {
	w.err, w.queue, w.bytes = err, nil, 0
	w.signal()
}

func (w *watcher) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func sizeOf(ev kv.Event) int { return len(ev.Entry.Value) + len(ev.Entry.Metadata) }
