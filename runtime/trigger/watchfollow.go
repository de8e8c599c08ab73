package trigger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

const (
	// followPage is how many records are listed at once.
	followPage = 256
	// lingers is how long a node keeps a trigger of which nothing waits.
	lingers = 10 * time.Second
)

// follower delivers the changes of one trigger while this node has it.
type follower struct {
	all   *KVTriggers
	id    string
	gone  context.Context // the trigger is no more
	end   context.CancelFunc
	woken chan struct{} // capacity 1
	freed chan struct{} // capacity 1: the trigger was given up

	mu       sync.Mutex // guards all below
	function deploy.Function
	trigger  deploy.KVTrigger
	lanes    *lanes // nil while another node has the trigger
	running  int
	unseen   bool   // there may be records that are not known
	last     string // name of the last record that was found
	listed   uint64 // the highest revision of those: what is not newer was found as well
	trimmed  time.Time
}

func newFollower(k *KVTriggers, f deploy.Function, t deploy.KVTrigger) *follower {
	fl := &follower{all: k, id: t.ID, woken: make(chan struct{}, 1), freed: make(chan struct{}, 1), function: f, trigger: t, unseen: true}
	fl.gone, fl.end = context.WithCancel(k.closed)
	return fl
}

func (fl *follower) set(f deploy.Function, t deploy.KVTrigger) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	fl.function, fl.trigger = f, t
}

func (fl *follower) prefix() string { return deploy.ChangeRecords + fl.id + "/" }

func (fl *follower) signal() {
	select {
	case fl.woken <- struct{}{}:
	default:
	}
}

// free has the follower look at once whether it gets the trigger.
func (fl *follower) free() {
	select {
	case fl.freed <- struct{}{}:
	default:
	}
}

// saw notes that a record was written.
func (fl *follower) saw(name string, revision uint64) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	if fl.lanes != nil {
		if revision <= fl.listed || fl.lanes.known[name] {
			return
		}
		if name <= fl.last { // it comes before what was found already
			fl.lanes.cursor = ""
		}
	}
	fl.unseen = true
	fl.signal()
}

// sawAll notes that there may be any records.
func (fl *follower) sawAll() {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	if fl.lanes != nil {
		fl.lanes.cursor = ""
	}
	fl.unseen = true
	fl.signal()
}

// run follows the trigger until it is no more, or the node ends.
func (fl *follower) run() {
	for fl.gone.Err() == nil {
		wait, err := fl.turn()
		if err != nil && fl.gone.Err() == nil {
			fl.all.cfg.Logger.Error("KV trigger can't be followed; it is tried again", "trigger", fl.id, "err", err)
			wait = leaseRetry
		}
		if wait > 0 {
			select {
			case <-time.After(wait):
			case <-fl.freed:
			case <-fl.gone.Done():
			}
		}
	}
	if fl.all.closed.Err() != nil {
		return
	}
	if err := fl.all.forget(fl.all.closed, fl.id); err != nil {
		fl.all.cfg.Logger.Warn("changes for a trigger that was removed stay until they expire", "trigger", fl.id, "err", err)
	}
}

// turn waits for something to do, and does it if this node gets the trigger; otherwise
// it says after how long to look again.
func (fl *follower) turn() (wait time.Duration, err error) {
	fl.mu.Lock()
	fl.unseen = false // what is written from here on is seen
	fl.mu.Unlock()
	page, err := fl.all.cfg.Store.List(fl.gone, kv.ListOptions{Prefix: fl.prefix(), Limit: 1})
	if err != nil {
		return 0, fmt.Errorf("list changes: %w", err)
	}
	if len(page.Entries) == 0 {
		select {
		case <-fl.woken:
		case <-fl.gone.Done():
		}
		return 0, nil
	}
	c, err := fl.all.claim(fl.gone, fl.id)
	if err != nil {
		return 0, err
	}
	if c == nil {
		return recheck, nil
	}
	defer fl.all.release(context.WithoutCancel(fl.all.base), c)
	return 0, fl.work(c)
}

// work delivers while the node has the trigger and something waits.
func (fl *follower) work(c *claim) error {
	begin, stop := context.WithCancel(fl.gone)
	defer stop()
	defer context.AfterFunc(c.Over, stop)()
	fl.mu.Lock()
	fl.lanes, fl.unseen, fl.last, fl.listed = newLanes(), true, "", 0
	fl.mu.Unlock()
	var deliveries sync.WaitGroup
	defer fl.rest()
	defer deliveries.Wait()
	for begin.Err() == nil {
		if err := fl.find(begin); err != nil {
			return err
		}
		if err := fl.trim(begin); err != nil {
			return err
		}
		l, name, more := fl.next()
		if l == nil {
			if !more && !fl.linger(begin) {
				return nil
			}
			if more {
				fl.await(begin)
			}
			continue
		}
		leave, err := fl.all.cfg.Places.Enter(begin, fl.account())
		if err != nil {
			return nil
		}
		deliveries.Go(func() {
			defer leave()
			fl.deliver(begin, c, l, name)
		})
	}
	return nil
}

func (fl *follower) account() string {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	return fl.function.Account
}

// rest forgets what was known.
func (fl *follower) rest() {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	fl.lanes, fl.running = nil, 0
}

// await waits until something happened.
func (fl *follower) await(ctx context.Context) {
	select {
	case <-fl.woken:
	case <-ctx.Done():
	}
}

// linger waits for something to do, and reports whether there is.
func (fl *follower) linger(ctx context.Context) bool {
	select {
	case <-fl.woken:
		return true
	case <-time.After(lingers):
	case <-ctx.Done():
	}
	return false
}

// next takes what is to be delivered next, if there is and as much is not under way
// yet. more says that something is to be awaited.
func (fl *follower) next() (l *lane, name string, more bool) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	if fl.running >= fl.trigger.Concurrency() {
		return nil, "", true
	}
	if l, name = fl.lanes.take(); l == nil {
		return nil, "", !fl.lanes.empty() || fl.unseen
	}
	fl.running++
	return l, name, true
}

// find looks for records that are not known, as far as there is room.
func (fl *follower) find(ctx context.Context) error {
	for {
		fl.mu.Lock()
		l, cursor := fl.lanes.refill()
		fl.mu.Unlock()
		if l == nil {
			break
		}
		if err := fl.scan(ctx, cursor, func(*lanes, string) bool { return l.cut }); err != nil {
			return err
		}
		fl.mu.Lock()
		fl.lanes.refilled(l)
		fl.mu.Unlock()
	}
	fl.mu.Lock()
	look, cursor := fl.unseen && !fl.lanes.full(), fl.lanes.cursor
	if look {
		fl.unseen = false
	}
	fl.mu.Unlock()
	if !look {
		return nil
	}
	return fl.scan(ctx, cursor, func(s *lanes, next string) bool {
		if next != "" {
			s.cursor = next
		}
		if s.full() && next != "" {
			fl.unseen = true
			return true
		}
		return false
	})
}

// scan offers the records from a page on, until they end or enough says so after a
// page, which gets the cursor of the next one.
func (fl *follower) scan(ctx context.Context, cursor string, enough func(s *lanes, next string) bool) error {
	for {
		page, err := fl.all.cfg.Store.List(ctx, kv.ListOptions{Prefix: fl.prefix(), Cursor: cursor, Limit: followPage})
		if err != nil {
			return fmt.Errorf("list changes: %w", err)
		}
		if done := fl.offer(page, cursor, enough); done {
			return nil
		}
		cursor = page.Cursor
	}
}

func (fl *follower) offer(page kv.Page, cursor string, enough func(s *lanes, next string) bool) bool {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	for _, e := range page.Entries {
		c, err := kv.ChangeOf(e)
		if err != nil {
			fl.all.cfg.Logger.Error("a change can't be delivered", "trigger", fl.id, "err", err)
			continue
		}
		name := e.Key[len(fl.prefix()):]
		fl.last, fl.listed = max(fl.last, name), max(fl.listed, e.Revision)
		if l := fl.lanes.offer(name, c.Key, cursor); l != nil {
			fl.putAt(l, c.Next)
		}
	}
	return enough(fl.lanes, page.Cursor) || page.Cursor == ""
}

// putAt makes a lane ready at a time. It needs fl.mu.
func (fl *follower) putAt(l *lane, at time.Time) {
	wait := time.Until(at)
	if wait <= 0 {
		fl.lanes.put(l)
		return
	}
	s := fl.lanes
	time.AfterFunc(wait, func() {
		fl.mu.Lock()
		defer fl.mu.Unlock()
		if fl.lanes == s { // otherwise it was begun anew meanwhile
			s.put(l)
			fl.signal()
		}
	})
}
