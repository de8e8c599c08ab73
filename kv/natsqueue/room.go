package natsqueue

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
)

// How it is known whether there is room: each node has the sizes of an account's queues as
// they were when it looked last, and what it has sent since then. Looking lists all
// streams of the account, so it is done beside the senders, once for all of them: who has
// room by what is known goes on. So an account may have more than it may by what other
// nodes send between two looks, and a node that was just started by what it sends until
// its first look is over. Nobody is refused before a look that began after he came.

const (
	// overhead is what a message takes beside its body, about.
	overhead = 600
	// lookEvery is how long there is between two looks while messages are sent.
	lookEvery = 2 * time.Second
	// lookPart bounds the time that goes into looks: where they take long, there is this
	// many times as long between them.
	lookPart = 10
	// lookAgain is how long there is between two looks at least. It is that for those
	// for whom there seems to be no room.
	lookAgain = 250 * time.Millisecond
)

// usage is what waits in the queues of an account, as far as it is known.
type usage struct {
	mu     sync.Mutex // guards what follows
	queues map[string]int64
	total  int64
	since  map[string]int64 // what was sent since the look began that is under way
	due    time.Time        // when to look again
	next   *look            // that has not begun
	busy   bool             // one is under way, or about to
}

// look is one look at the sizes of all queues of an account.
type look struct {
	over chan struct{} // closed at its end
	err  error
}

// usage finds that of an account.
func (s *Queues) usage(account string) *usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.accounts[account]
	if u == nil {
		u = &usage{queues: map[string]int64{}}
		s.accounts[account] = u
	}
	return u
}

// empty notes that a queue has nothing any more.
func (u *usage) empty(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.total -= u.queues[name]
	delete(u.queues, name)
	u.due = time.Time{}
}

// room counts messages that are about to be sent, or says that there is no room.
func (s *Queues) room(ctx context.Context, q kv.Queue, list []kv.Message) error {
	more := int64(0)
	for _, m := range list {
		more += int64(len(m.Body)) + overhead
	}
	u, name := s.usage(q.Account), s.streamName(q)
	if s.take(u, q.Account, name, more) == nil {
		return nil
	}
	if err := s.await(ctx, u, q.Account); err != nil {
		return failure(ctx, "count messages", err)
	}
	return s.take(u, q.Account, name, more)
}

// take counts what is about to be sent, if there is room, and has somebody look now and
// then.
func (s *Queues) take(u *usage, account, name string, more int64) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.busy && time.Now().After(u.due) {
		s.begins(u, account)
	}
	if has := u.queues[name]; has+more > s.cfg.QueueBytes {
		return kv.Full("queue", has, s.cfg.QueueBytes)
	}
	if u.total+more > s.cfg.AccountBytes {
		return kv.Full("account", u.total, s.cfg.AccountBytes)
	}
	u.add(name, more)
	if u.since != nil {
		u.since[name] += more
	}
	return nil
}

// add needs u.mu.
func (u *usage) add(name string, n int64) {
	u.queues[name] += n
	u.total += n
}

// await waits for a look that begins from now on.
func (s *Queues) await(ctx context.Context, u *usage, account string) error {
	u.mu.Lock()
	l := s.begins(u, account)
	u.mu.Unlock()
	select {
	case <-l.over:
		return l.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// begins is the look that begins next. It needs u.mu.
func (s *Queues) begins(u *usage, account string) *look {
	if u.next != nil {
		return u.next
	}
	l := &look{over: make(chan struct{})}
	u.next = l
	if u.busy {
		return l // who looks now goes on with it
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		u.next, l.err = nil, kv.ErrClosed
		close(l.over)
		return l
	}
	u.busy = true
	s.work.Go(func() { s.look(u, account) })
	return l
}

// look looks until nobody waits for it.
func (s *Queues) look(u *usage, account string) {
	for {
		u.mu.Lock()
		l := u.next
		if u.next = nil; l == nil {
			u.busy = false
			u.mu.Unlock()
			return
		}
		u.since = map[string]int64{}
		u.mu.Unlock()
		began := time.Now()
		sizes, err := s.sizes(account)
		u.note(sizes, err, time.Since(began))
		l.err = err
		close(l.over)
		select {
		case <-time.After(lookAgain):
		case <-s.life.Done():
		}
	}
}

// note takes over what was found. What was sent meanwhile may be counted twice, until the
// next look.
func (u *usage) note(sizes map[string]int64, err error, took time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	since := u.since
	u.since = nil
	u.due = time.Now().Add(max(lookEvery, lookPart*took))
	if err != nil {
		return
	}
	u.queues, u.total = map[string]int64{}, 0
	for _, from := range []map[string]int64{sizes, since} {
		for name, n := range from {
			u.add(name, n)
		}
	}
}

// sizes asks for those of all queues of an account.
func (s *Queues) sizes(account string) (map[string]int64, error) {
	ctx, cancel, err := s.begin(s.life)
	if err != nil {
		return nil, err
	}
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, listTimeout)
	defer stop()
	sizes := map[string]int64{}
	all := s.js.ListStreams(ctx, jetstream.WithStreamListSubject(s.accountPrefix(account)+">"))
	for info := range all.Info() {
		sizes[info.Config.Name] = int64(info.State.Bytes)
	}
	return sizes, all.Err()
}
