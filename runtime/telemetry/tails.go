package telemetry

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// What tails may have.
const (
	tailsOfFunction = 10
	tailsOfAccount  = 100
	tailsOfNode     = 1000
	tailLife        = 6 * time.Hour
	connectWithin   = 5 * time.Minute
	tailQueue       = 256     // Events that wait for the reader
	tailQueueBytes  = 4 << 20 // of them
	tailPerSecond   = 100     // Events; the rest is left out, and the reader told
)

// Tail shows the Invocations of a Function to one reader while they happen. It
// begins when its reader connects.
type Tail struct {
	ID       string
	Ticket   string // for Observer.Connect, once; not to be guessed
	Account  string
	Function string
	Expires  time.Time
	Filter   Filter
	created  time.Time
	alive    func() bool // whether its owner may still read

	connected atomic.Bool
	away      bool // its reader is at another node; see remote
	queue     chan *Event
	waiting   atomic.Int64 // bytes in queue
	quota     Quota
	perSecond atomic.Int64 // Events that quota lets through
	skipped   atomic.Int64 // Events left out that the reader was not told of
	lost      atomic.Int64 // Events between nodes, likewise
	done      chan struct{}
	end       sync.Once
	reason    error // set before done is closed
}

// Why tails end.
var (
	ErrTailClosed  = errors.New("the tail was closed")
	ErrTailExpired = errors.New("the tail has expired; begin another one")
	ErrTailSlow    = errors.New("the tail was not read fast enough; narrow it with filters or a sampling rate")
	ErrTailDenied  = errors.New("the token that the tail was begun with is no longer valid")
	ErrTailDrained = errors.New("the node is shutting down")
)

// tails are all of a node.
type tails struct {
	mu     sync.Mutex       // guards what follows
	all    map[string]*Tail // by ID
	closed bool
	served sync.WaitGroup
}

// OpenTail prepares a tail of a Function. alive is asked from time to time whether
// it may go on; nil is for always. The error is an *host.Error.
func (o *Observer) OpenTail(account, name string, f Filter, alive func() bool) (*Tail, error) {
	now := o.cfg.Now()
	t := newTail(functionKey{account, name}, f, now)
	t.ID, t.Ticket, t.alive = randomHex(), randomHex(), alive
	o.expireTails(now)
	o.tails.mu.Lock()
	defer o.tails.mu.Unlock()
	same, ours, elsewhere := o.peers.tails(functionKey{account, name})
	for _, other := range o.tails.all {
		if other.Account == account {
			ours++
			if other.Function == name {
				same++
			}
		}
	}
	switch {
	case o.tails.closed:
		return nil, host.Errorf(host.CodeUnavailable, "%v", ErrTailDrained)
	case same >= tailsOfFunction:
		return nil, host.Errorf(host.CodeLimit, "%s has %d tails already; end one of them", name, same)
	case ours >= tailsOfAccount:
		return nil, host.Errorf(host.CodeLimit, "account %s has %d tails already; end one of them", account, ours)
	case len(o.tails.all)+elsewhere >= tailsOfNode:
		return nil, host.Errorf(host.CodeLimit, "the node has %d tails already; end one of them", tailsOfNode)
	}
	o.tails.all[t.ID] = t
	return t, nil
}

func newTail(key functionKey, f Filter, created time.Time) *Tail {
	t := &Tail{Account: key.account, Function: key.function, Filter: f, created: created,
		Expires: created.Add(tailLife).UTC().Truncate(time.Second), queue: make(chan *Event, tailQueue), done: make(chan struct{})}
	t.perSecond.Store(tailPerSecond)
	return t
}

// randomHex is 128 random bits in hexadecimal digits.
func randomHex() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Tails returns the tails of a Function, oldest first.
func (o *Observer) Tails(account, function string) []*Tail {
	o.expireTails(o.cfg.Now())
	list := append(o.tails.of(functionKey{account, function}), o.peers.of(functionKey{account, function})...)
	slices.SortFunc(list, func(a, b *Tail) int {
		return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// OpenTails is how many tails of this node's readers have not ended.
func (o *Observer) OpenTails() int { return len(o.tails.every()) }

func (ts *tails) of(key functionKey) (list []*Tail) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.all {
		if key.covers(functionKey{t.Account, t.Function}) {
			list = append(list, t)
		}
	}
	return list
}

// CloseTail ends a tail of a Function, also one that is read at another node. One that
// has ended is no error.
func (o *Observer) CloseTail(account, function, id string) {
	key := functionKey{account, function}
	for _, t := range o.tails.of(key) {
		if t.ID == id {
			o.endTail(t, ErrTailClosed)
		}
	}
	for _, t := range o.peers.of(key) {
		if t.ID == id {
			o.peers.publish(endSubject, &tailEnd{id, account, function}) //nolint:errcheck // who asked sees that it goes on, and asks again
		}
	}
}

// Close ends all tails and waits for those who serve them.
func (o *Observer) Close() error {
	o.tails.mu.Lock()
	o.tails.closed = true
	var list []*Tail
	for _, t := range o.tails.all {
		list = append(list, t)
	}
	o.tails.mu.Unlock()
	for _, t := range list {
		o.endTail(t, ErrTailDrained)
	}
	o.tails.served.Wait()
	o.peers.leave()
	return nil
}

func (o *Observer) forgetTails(key functionKey) {
	for _, t := range o.tails.of(key) {
		o.endTail(t, ErrTailClosed)
	}
	for _, t := range o.peers.of(key) {
		t.stop(ErrTailClosed)
	}
}

// expireTails ends those whose time is over, or to which nobody came.
func (o *Observer) expireTails(now time.Time) {
	for _, t := range o.tails.every() {
		if now.After(t.Expires) || !t.connected.Load() && now.Sub(t.created) > connectWithin {
			o.endTail(t, ErrTailExpired)
		}
	}
}

func (ts *tails) every() (list []*Tail) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.all {
		list = append(list, t)
	}
	return list
}

// connect begins a tail for the reader who has its ticket.
func (o *Observer) connect(ticket string) (*Tail, bool) {
	o.expireTails(o.cfg.Now())
	for _, t := range o.tails.every() {
		if subtle.ConstantTimeCompare([]byte(t.Ticket), []byte(ticket)) == 0 || !t.connected.CompareAndSwap(false, true) {
			continue
		}
		return t, o.attach(t)
	}
	return nil, false
}

// attach lets a Function's Invocations be told to a tail, unless it has ended.
func (o *Observer) attach(t *Tail) bool {
	f := o.function(functionKey{t.Account, t.Function})
	o.tails.mu.Lock()
	defer o.tails.mu.Unlock()
	if o.tails.all[t.ID] == nil {
		return false
	}
	o.tails.served.Add(1)
	if o.peers != nil {
		o.tails.served.Go(func() { o.lead(t) })
	}
	f.watch(t)
	return true
}

// watch has a Function's Invocations told to a tail. It needs tails.mu.
func (f *function) watch(t *Tail) {
	list := []*Tail{t}
	if now := f.tails.Load(); now != nil {
		list = append(slices.Clone(*now), t)
	}
	f.tails.Store(&list)
}

// unwatch ends watch. It needs tails.mu.
func (f *function) unwatch(t *Tail) {
	now := f.tails.Load()
	if now == nil {
		return
	}
	left := slices.DeleteFunc(slices.Clone(*now), func(other *Tail) bool { return other == t })
	if len(left) == 0 {
		f.tails.Store(nil)
		return
	}
	f.tails.Store(&left)
}

// endTail ends a tail for a reason; the first one counts.
func (o *Observer) endTail(t *Tail, reason error) {
	f := o.function(functionKey{t.Account, t.Function})
	o.tails.mu.Lock()
	defer o.tails.mu.Unlock()
	delete(o.tails.all, t.ID)
	f.unwatch(t)
	t.stop(reason)
}

// stop may be called from anywhere, also while Invocations are told.
func (t *Tail) stop(reason error) {
	t.end.Do(func() {
		t.reason = reason
		close(t.done)
	})
}

// tell shows an Invocation to the tails that want it.
func (f *function) tell(r *recording, c *host.Call, e Ended, node string) {
	tails := f.tails.Load()
	if tails == nil {
		return
	}
	var event *Event
	logs := r.taken()
	for _, t := range *tails {
		if !t.Filter.wants(c, e, logs) || !t.room() {
			continue
		}
		if event == nil {
			event = newEvent(c, e, logs)
			event.Node = node
		}
		t.offer(event)
	}
}

// room bounds how many Events a second are shown.
func (t *Tail) room() bool {
	if _, ok := t.quota.Take(time.Now(), t.perSecond.Load()); ok {
		return true
	}
	t.skipped.Add(1)
	return false
}

// offer never waits: a reader that is too slow loses the tail, and a network that is
// too slow loses Events.
func (t *Tail) offer(e *Event) {
	if t.waiting.Add(int64(e.size)) <= tailQueueBytes {
		select {
		case t.queue <- e:
			return
		default:
		}
	}
	if !t.away {
		t.stop(ErrTailSlow)
		return
	}
	t.waiting.Add(-int64(e.size))
	t.lost.Add(1)
}
