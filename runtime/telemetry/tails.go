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
	queue     chan *Event
	waiting   atomic.Int64 // bytes in queue
	quota     Quota
	skipped   atomic.Int64 // Events left out that the reader was not told of
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
	t := &Tail{
		ID: randomHex(), Ticket: randomHex(), Account: account, Function: name, Filter: f, created: now, alive: alive,
		Expires: now.Add(tailLife).UTC().Truncate(time.Second), queue: make(chan *Event, tailQueue), done: make(chan struct{}),
	}
	o.expireTails(now)
	o.tails.mu.Lock()
	defer o.tails.mu.Unlock()
	same, ours := 0, 0
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
	case len(o.tails.all) >= tailsOfNode:
		return nil, host.Errorf(host.CodeLimit, "the node has %d tails already; end one of them", tailsOfNode)
	}
	o.tails.all[t.ID] = t
	return t, nil
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
	list := o.tails.of(functionKey{account, function})
	slices.SortFunc(list, func(a, b *Tail) int {
		return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// OpenTails is how many tails have not ended.
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

// CloseTail ends a tail of a Function. One that has ended is no error.
func (o *Observer) CloseTail(account, function, id string) {
	for _, t := range o.tails.of(functionKey{account, function}) {
		if t.ID == id {
			o.endTail(t, ErrTailClosed)
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
	return nil
}

func (o *Observer) forgetTails(key functionKey) {
	for _, t := range o.tails.of(key) {
		o.endTail(t, ErrTailClosed)
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
	list := []*Tail{t}
	if now := f.tails.Load(); now != nil {
		list = append(slices.Clone(*now), t)
	}
	f.tails.Store(&list)
	return true
}

// endTail ends a tail for a reason; the first one counts.
func (o *Observer) endTail(t *Tail, reason error) {
	f := o.function(functionKey{t.Account, t.Function})
	o.tails.mu.Lock()
	defer o.tails.mu.Unlock()
	delete(o.tails.all, t.ID)
	if now := f.tails.Load(); now != nil {
		if left := slices.DeleteFunc(slices.Clone(*now), func(other *Tail) bool { return other == t }); len(left) > 0 {
			f.tails.Store(&left)
		} else {
			f.tails.Store(nil)
		}
	}
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
func (f *function) tell(r *recording, c *host.Call, e Ended) {
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
		}
		t.offer(event)
	}
}

// room bounds how many Events a second are shown.
func (t *Tail) room() bool {
	if _, ok := t.quota.Take(time.Now(), tailPerSecond); ok {
		return true
	}
	t.skipped.Add(1)
	return false
}

// offer never waits: a reader that is too slow loses the tail.
func (t *Tail) offer(e *Event) {
	if t.waiting.Add(int64(e.size)) > tailQueueBytes {
		t.stop(ErrTailSlow)
		return
	}
	select {
	case t.queue <- e:
	default:
		t.stop(ErrTailSlow)
	}
}
