package storequeue

import (
	"container/heap"
	"container/list"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/cursor"
)

// What is kept in memory of the messages that wait, in messages of one queue.
const (
	page      = 1000
	maxWindow = 4 * page
)

// maxLeased is how many messages of one queue may be on lease: 250 batches.
const maxLeased = 25_000

// item is a message that is in the store.
type item struct {
	key string
	header
}

// window is a heap of items by key, so by when they are due.
type window []*item

func (w window) Len() int           { return len(w) }
func (w window) Less(i, j int) bool { return w[i].key < w[j].key }
func (w window) Swap(i, j int)      { w[i], w[j] = w[j], w[i] }
func (w *window) Push(x any)        { *w = append(*w, x.(*item)) }
func (w *window) Pop() any {
	last := len(*w) - 1
	it := (*w)[last]
	(*w)[last], *w = nil, (*w)[:last]
	return it
}

func byKey(a, b *item) int { return strings.Compare(a.key, b.key) }

// queue is one queue. What waits is in window if its key is not greater than horizon,
// and otherwise in the store alone. What is busy is not in window. A window may be
// dropped at any time: then horizon is empty, and fill begins anew.
type queue struct {
	owner   *Queues
	name    kv.Queue
	account *account
	store   kv.Store // its own
	prefix  string   // of its keys among all of the Queues

	// work is held for reading by what changes messages that are leased, and by
	// Purge alone. It is taken before mu.
	work sync.RWMutex
	// sends is held for reading by every Send. Delete takes it before work, once gone is
	// set: what was sent is removed as well.
	sends sync.RWMutex

	kept int           // messages of window, as account has counted them; account.mu guards it
	used *list.Element // of account.used; account.mu guards it

	mu      sync.Mutex // guards what follows
	window  window
	horizon string          // the last key that was read
	whole   bool            // there is nothing behind horizon, so it does not matter
	busy    map[string]bool // keys that are being sent, or on lease
	fresh   map[string]bool // keys of messages that are sent during a Purge; nil otherwise
	leases  map[string]*lease
	leased  int
	count   int64 // messages
	bytes   int64 // of their bodies
	changed chan struct{}
	gone    bool // the queue was deleted
}

// lease is a batch on lease.
type lease struct {
	id    string
	items []*item // nil where it is settled, or being settled
	open  int     // how many are not nil
	timer *time.Timer
}

// add counts n messages with so many bytes of bodies. It needs q.mu.
func (q *queue) add(n, bytes int64) {
	q.count += n
	q.bytes += bytes
	q.account.bytes.Add(bytes + n*Overhead)
}

// push puts an item where it waits, unless the store is enough. It needs q.mu.
func (q *queue) push(it *item) {
	if q.whole || it.key <= q.horizon {
		heap.Push(&q.window, it)
	}
	if len(q.window) > maxWindow {
		q.trim()
	}
	q.account.keep(q)
	q.wake()
}

// trim leaves to the store what is due last. It needs q.mu.
func (q *queue) trim() {
	slices.SortFunc(q.window, byKey) // a heap, still
	const kept = maxWindow / 2
	q.horizon, q.whole = q.window[kept-1].key, false
	clear(q.window[kept:])
	q.window = q.window[:kept]
}

// wake tells those who wait that something has changed. It needs q.mu.
func (q *queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// fill brings what is due first into an empty window. It needs q.mu.
func (q *queue) fill(ctx context.Context) error {
	for len(q.window) == 0 && !q.whole {
		if err := q.load(ctx); err != nil {
			return fmt.Errorf("read queue: %w", err)
		}
		q.account.keep(q)
	}
	return nil
}

// load reads one page from the horizon on. It needs q.mu.
func (q *queue) load(ctx context.Context) error {
	opts := kv.ListOptions{Prefix: messages, Limit: q.account.page()}
	if q.horizon != "" {
		opts.Cursor = cursor.Encode(q.owner.cfg.Prefix+prefixOf(q.name)+messages, q.horizon)
	}
	list, err := q.store.List(ctx, opts)
	if err != nil {
		return err
	}
	for _, e := range list.Entries {
		key := e.Key[len(messages):]
		q.horizon = key
		it, err := readItem(key, e.Metadata)
		if err != nil {
			q.owner.cfg.Logger.Error("a message of a queue is damaged, and not delivered", "account", q.name.Account, "queue", q.name.ID, "key", key, "err", err)
			continue
		}
		if !q.busy[key] {
			heap.Push(&q.window, it)
		}
	}
	q.whole = list.Cursor == ""
	return nil
}

func readItem(key string, metadata []byte) (*item, error) {
	if !isKey(key) {
		return nil, errHeader
	}
	h, err := decodeHeader(metadata)
	return &item{key, h}, err
}

// stats needs q.mu, and a window that was filled.
func (q *queue) stats() kv.QueueStats {
	s := kv.QueueStats{Messages: q.count, Bytes: q.bytes, Leased: int64(q.leased)}
	first := ""
	note := func(it *item) {
		if it != nil && (first == "" || it.key < first) {
			first, s.Oldest = it.key, it.sent
		}
	}
	if len(q.window) > 0 {
		note(q.window[0])
	}
	for _, l := range q.leases {
		for _, it := range l.items {
			note(it)
		}
	}
	return s
}

// close stops the clocks of leases, and ends those who wait.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.leases {
		l.timer.Stop()
	}
	q.wake()
}
