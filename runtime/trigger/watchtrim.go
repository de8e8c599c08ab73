package trigger

import (
	"context"
	"fmt"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// How much may wait for a trigger, so that a Function which does not keep up fills no
// disk: so many changes, and so many bytes for all triggers of an account, of which each
// may have its part. What is older is dropped, as what is too old is.
const (
	defaultBacklogChanges = 100_000
	defaultBacklogChanged = 1 << 30
	// trimEvery is how often it is looked at, while more waits than is known.
	trimEvery = 10 * time.Second
	// recordSize is about what a record takes beside the value, in bytes.
	recordSize = 512
)

// trim drops the oldest changes of more than may wait.
func (fl *follower) trim(ctx context.Context) error {
	fl.mu.Lock()
	due := fl.lanes.behind() && time.Since(fl.trimmed) >= trimEvery
	if due {
		fl.trimmed = time.Now()
	}
	fl.mu.Unlock()
	if !due {
		return nil
	}
	most, mostBytes := fl.all.cfg.Backlog, fl.all.share(fl.account())
	count, bytes, err := fl.measure(ctx)
	if err != nil || count <= most && bytes <= mostBytes {
		return err
	}
	dropped, err := fl.drop(ctx, count-most, bytes-mostBytes)
	fl.all.cfg.Logger.Error("more changes wait for a KV trigger than may, and the oldest were dropped", "trigger", fl.id, "account", fl.account(),
		"waiting", count, "bytes", bytes, "dropped", dropped)
	return err
}

// share is how many bytes may wait for one trigger of an account.
func (k *KVTriggers) share(account string) int64 {
	n := 0
	for _, f := range k.cfg.Registry.KVTriggered() {
		if f.Account == account {
			n += len(f.KVTriggers)
		}
	}
	return k.cfg.BacklogBytes / int64(max(1, n))
}

func (fl *follower) measure(ctx context.Context) (count int, bytes int64, err error) {
	err = fl.each(ctx, func(e kv.Entry) bool {
		count++
		bytes += sizeOfChange(e)
		return true
	})
	return count, bytes, err
}

func sizeOfChange(e kv.Entry) int64 {
	c, err := kv.ChangeOf(e)
	if err != nil || c.Omitted || c.Deleted {
		return recordSize
	}
	return recordSize + c.Size
}

// each calls do for the records from the oldest on, until it returns false.
func (fl *follower) each(ctx context.Context, do func(kv.Entry) bool) error {
	for opts := (kv.ListOptions{Prefix: fl.prefix()}); ; {
		page, err := fl.all.cfg.Store.List(ctx, opts)
		if err != nil {
			return fmt.Errorf("list changes: %w", err)
		}
		for _, e := range page.Entries {
			if !do(e) {
				return nil
			}
		}
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			return nil
		}
	}
}

// drop removes the oldest records: so many at least, and of so many bytes.
func (fl *follower) drop(ctx context.Context, count int, bytes int64) (dropped int, err error) {
	var all []kv.Write
	err = fl.each(ctx, func(e kv.Entry) bool {
		all = append(all, kv.Write{Key: e.Key, Delete: true})
		bytes -= sizeOfChange(e)
		return len(all) < count || bytes > 0
	})
	for len(all) > 0 && err == nil {
		n := min(len(all), kv.MaxWrites)
		if err = kv.Batch(ctx, fl.all.cfg.Store, all[:n], true); err == nil {
			dropped += n
		}
		all = all[n:]
	}
	if err != nil {
		return dropped, fmt.Errorf("drop changes: %w", err)
	}
	return dropped, nil
}

// behind reports whether there is more in the log than is known.
func (s *lanes) behind() bool {
	if s.full() {
		return true
	}
	for _, l := range s.keys {
		if l.cut {
			return true
		}
	}
	return false
}
