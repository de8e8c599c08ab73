package trigger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// find begins to watch the records, and looks at those there are.
func (i *Invocations) find(ctx context.Context) (err error) {
	if i.watcher, err = i.cfg.Store.Watch(ctx, invocationRecords); err != nil {
		return fmt.Errorf("watch invocations: %w", err)
	}
	opts := kv.ListOptions{Prefix: invocationRecords}
	for {
		page, err := i.cfg.Store.List(ctx, opts)
		if err != nil {
			i.watcher.Close()
			return fmt.Errorf("list invocations: %w", err)
		}
		for _, e := range page.Entries {
			if err := i.found(ctx, e); err != nil {
				i.watcher.Close()
				return err
			}
		}
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			return nil
		}
	}
}

// found takes a record of a listing.
func (i *Invocations) found(ctx context.Context, e kv.Entry) error {
	if len(e.Metadata) == 0 {
		p, err := i.renew(ctx, e.Key)
		if errors.Is(err, kv.ErrNotFound) || errors.Is(err, kv.ErrConflict) { // another node did
			return nil
		}
		if err != nil {
			return err
		}
		i.know(p, p.Next)
		return nil
	}
	p, err := pendingOf(e)
	if err != nil {
		return err
	}
	i.know(p, p.Next)
	return nil
}

// watch follows what this node and others do to the records.
func (i *Invocations) watch() {
	for i.closed.Err() == nil {
		ev, err := i.watcher.Next(i.closed)
		if err == nil {
			i.see(ev)
			continue
		}
		i.watcher.Close()
		for err != nil && i.closed.Err() == nil {
			if !errors.Is(err, kv.ErrLagged) {
				i.cfg.Logger.Error("invocations can't be watched; it is tried again", "err", err)
				pause(i.closed, leaseRetry)
			}
			err = i.find(i.closed)
		}
	}
	i.watcher.Close()
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// see takes an event of a record.
func (i *Invocations) see(ev kv.Event) {
	if ev.Deleted {
		i.unknow(ev.Entry.Key)
		return
	}
	p, err := pendingOf(ev.Entry)
	if err != nil {
		i.cfg.Logger.Error("invocation can't be read", "err", err)
		return
	}
	if p.Lease != "" {
		i.know(p, time.Now().Add(recheck))
		return
	}
	i.know(p, p.Next.Add(foreign))
}

// know notes when a record is due that is not under way here.
func (i *Invocations) know(p *pending, next time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	b := i.backlog(p.Account)
	w := b.all[p.key()]
	switch {
	case w == nil:
		w = b.add(p.key(), p.Function, int64(p.Size))
	case w.at < 0:
		w.gone = false
		return
	case p.revision <= w.revision: // this node's own, or known
		return
	}
	w.revision = p.revision
	b.put(w, next)
	i.feed(p.Account, b)
}

// wrote notes what this node wrote.
func (i *Invocations) wrote(p *pending) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if b := i.accounts[p.Account]; b != nil && b.all[p.key()] != nil {
		b.all[p.key()].revision = p.revision
	}
}

func (i *Invocations) unknow(key string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	account, _, _ := strings.Cut(strings.TrimPrefix(key, invocationRecords), "/")
	b := i.accounts[account]
	if b == nil || b.all[key] == nil {
		return
	}
	if w := b.all[key]; w.at < 0 {
		w.gone = true
	} else {
		b.remove(w)
		i.tidy(account, b)
	}
}

// settle says when a record is due that was under way; a zero time is never.
func (i *Invocations) settle(account string, w *waiting, next time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	b := i.accounts[account]
	switch {
	case w.at >= 0: // it was not: another one is written in its place
	case next.IsZero() || w.gone:
		b.remove(w)
		i.tidy(account, b)
	default:
		b.put(w, next)
		i.feed(account, b)
	}
}

// The following need i.mu.

func (i *Invocations) backlog(account string) *backlog {
	if i.accounts[account] == nil {
		i.accounts[account] = newBacklog()
	}
	return i.accounts[account]
}

func (i *Invocations) tidy(account string, b *backlog) {
	if len(b.all) == 0 && !b.feeding {
		delete(i.accounts, account)
	}
}

// feed has somebody follow what is due of an account.
func (i *Invocations) feed(account string, b *backlog) {
	if b.feeding || i.closed.Err() != nil {
		return
	}
	b.feeding = true
	i.live.Go(func() { i.follow(account, b) })
}

// follow begins what is due of an account, as it finds places, until nothing waits.
func (i *Invocations) follow(account string, b *backlog) {
	for {
		wait, more := i.wait(account, b)
		if !more {
			return
		}
		if wait > 0 {
			select {
			case <-time.After(wait):
			case <-b.changed:
			case <-i.closed.Done():
			}
			continue
		}
		leave, err := i.cfg.Places.Enter(i.closed, account)
		if err != nil {
			continue
		}
		i.mu.Lock()
		w, _ := b.take(time.Now())
		i.mu.Unlock()
		if w == nil {
			leave()
			continue
		}
		i.live.Go(func() {
			defer leave()
			i.settle(account, w, i.run(w.key))
		})
	}
}

// wait is how long it is until something is due; more says whether that is to be
// awaited.
func (i *Invocations) wait(account string, b *backlog) (d time.Duration, more bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(b.due) == 0 || i.closed.Err() != nil {
		b.feeding = false
		i.tidy(account, b)
		return 0, false
	}
	return time.Until(b.due[0].next), true
}
