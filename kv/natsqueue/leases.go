package natsqueue

import (
	"encoding/json"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/mayfly-run/mayfly/kv"
)

// leases are the messages that were received from this node and are on lease: until when,
// by the subject on which NATS is told of them.
type leases struct {
	most int64 // of an account, where that is bounded

	mu       sync.Mutex // guards what follows
	queues   map[kv.Queue]map[string]time.Time
	accounts map[string]int64 // how many each has, reserved ones included
	pulled   map[string]bool  // what came for batches that are not whole yet
}

func newLeases(most int64) leases {
	return leases{most: most, queues: map[kv.Queue]map[string]time.Time{}, accounts: map[string]int64{}, pulled: map[string]bool{}}
}

// hold keeps a message for a batch that waits for more, until release.
func (l *leases) hold(reply string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pulled[reply] = true
}

// release ends hold: the messages are on lease now, or removed.
func (l *leases) release(list []*nats.Msg) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range list {
		delete(l.pulled, m.Reply)
	}
}

// reserve makes room for n leases, or as many as there may be where that is bounded, until
// add has been called for them, and then cancel.
func (l *leases) reserve(account string, n int, bounded bool) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	has := l.accounts[account]
	if bounded {
		if n = int(min(int64(n), l.most-has)); n <= 0 {
			return 0, kv.Leased(has, l.most)
		}
	}
	l.count(account, int64(n))
	return n, nil
}

func (l *leases) cancel(account string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(account, -int64(n))
}

// count needs l.mu.
func (l *leases) count(account string, n int64) {
	if l.accounts[account] += n; l.accounts[account] == 0 {
		delete(l.accounts, account)
	}
}

func (l *leases) add(q kv.Queue, reply string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	own := l.queues[q]
	if own == nil {
		own = map[string]time.Time{}
		l.queues[q] = own
	}
	before := len(own)
	own[reply] = until
	l.count(q.Account, int64(len(own)-before))
}

// remove says whether there was such a lease.
func (l *leases) remove(q kv.Queue, reply string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, is := l.queues[q][reply]; !is {
		return false
	}
	l.drop(q, reply)
	return true
}

// drop needs l.mu.
func (l *leases) drop(q kv.Queue, reply string) {
	own := l.queues[q]
	if delete(own, reply); len(own) == 0 {
		delete(l.queues, q)
	}
	l.count(q.Account, -1)
}

// removeBelow ends the leases of what was purged: of the messages before one.
func (l *leases) removeBelow(q kv.Queue, first uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for reply := range l.queues[q] {
		if found := ackSubject.FindStringSubmatch(reply); found != nil {
			if n, err := strconv.ParseUint(found[2], 10, 64); err == nil && n < first {
				l.drop(q, reply)
			}
		}
	}
}

// live are those that are not over, and what is held; the others are forgotten.
func (l *leases) live(now time.Time) (list []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for reply := range l.pulled {
		list = append(list, reply)
	}
	for q, own := range l.queues {
		for reply, until := range own {
			if !until.After(now) {
				l.drop(q, reply)
				continue
			}
			list = append(list, reply)
		}
	}
	return list
}

// beat tells NATS of the messages that are being worked on.
func (s *Queues) beat() {
	const beat = ackWait / beats
	for {
		select {
		case <-time.After(beat):
		case <-s.life.Done():
			return
		}
		for _, reply := range s.leases.live(time.Now().Add(beat)) { // what ends before the next time is let go
			s.cfg.Conn.Publish(reply, progress) //nolint:errcheck // without a connection, messages come again
		}
	}
}

// told is what nodes tell each other of a queue, so that none keeps leases that were
// settled at another. One that does not hear of it keeps them until they end.
type told struct {
	Account string   `json:"account"`
	Queue   string   `json:"queue"`
	Settled []string `json:"settled,omitempty"` // the subjects of leases
	Below   uint64   `json:"below,omitempty"`   // all messages before this one were removed
}

// all is told.Below for a queue that was deleted.
const all = math.MaxUint64

// toldTogether is how many leases one told has at most.
const toldTogether = 1000

func (s *Queues) toldSubject() string { return "mayfly." + s.cfg.Bucket + ".bus.leases" }

// tellSettled tells the others of leases that are not this node's.
func (s *Queues) tellSettled(q kv.Queue, list []string) {
	for len(list) > 0 {
		n := min(len(list), toldTogether)
		s.tell(told{Account: q.Account, Queue: q.ID, Settled: list[:n]})
		list = list[n:]
	}
}

// tellBelow tells all nodes, this one included, of messages that were removed.
func (s *Queues) tellBelow(q kv.Queue, first uint64) {
	s.leases.removeBelow(q, first)
	s.tell(told{Account: q.Account, Queue: q.ID, Below: first})
}

func (s *Queues) tell(t told) {
	if b, err := json.Marshal(t); err == nil {
		s.cfg.Conn.Publish(s.toldSubject(), b) //nolint:errcheck // leases end in time
	}
}

// hear reads what another node tells.
func (s *Queues) hear(m *nats.Msg) { s.leases.hear(m.Data) }

func (l *leases) hear(data []byte) {
	var t told
	if json.Unmarshal(data, &t) != nil {
		return
	}
	q := kv.Queue{Account: t.Account, ID: t.Queue}
	for _, reply := range t.Settled {
		l.remove(q, reply)
	}
	if t.Below > 0 {
		l.removeBelow(q, t.Below)
	}
}
