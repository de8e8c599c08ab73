package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/gate"
)

// crowded is how long after it found no room a change is tried again.
const crowded = 2 * time.Second

// deliver makes an attempt with the record that a lane begins with.
func (fl *follower) deliver(begin context.Context, c *claim, l *lane, name string) {
	next, err := fl.try(begin, c, name)
	if err != nil {
		if begin.Err() == nil && !errors.Is(err, kv.ErrConflict) {
			fl.all.cfg.Logger.Error("a change stays as it is, and is tried again", "trigger", fl.id, "change", name, "err", err)
		}
		next = time.Now().Add(leaseRetry)
	}
	fl.mu.Lock()
	defer fl.mu.Unlock()
	fl.running--
	fl.signal()
	if !next.IsZero() {
		fl.putAt(l, next)
		return
	}
	fl.lanes.done(l)
}

// try delivers a change, and says when the next attempt is due; a zero time is never.
func (fl *follower) try(begin context.Context, c *claim, name string) (next time.Time, err error) {
	ctx := context.WithoutCancel(fl.all.base) // what was done is recorded, also at the end
	e, change, err := fl.read(ctx, name)
	if errors.Is(err, kv.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	fl.mu.Lock()
	f, t := fl.function, fl.trigger
	fl.mu.Unlock()
	if change.Hops > maxHops {
		change.Error = fmt.Sprintf("%d changes in a row have each led to the next one: a loop", change.Hops)
		return time.Time{}, fl.giveUp(ctx, f, t, name, change, e)
	}
	running, cancel := context.WithCancel(fl.all.base)
	defer cancel()
	defer context.AfterFunc(c.Over, cancel)()
	ran, err := fl.all.cfg.Deliver(running, f, eventOf(t, change), change.Hops+1)
	switch {
	case err == nil && ran.Outcome == host.OutcomeOK:
		return time.Time{}, fl.all.drop(ctx, e)
	case running.Err() != nil: // it was cut off, and is not to blame
		return time.Now().Add(leaseRetry), nil
	case errors.Is(err, gate.ErrFull), host.CodeOf(err) == host.CodeNotFound, err == nil && ran.Outcome == host.OutcomeLoadShed:
		return time.Now().Add(crowded), nil
	case err != nil:
		change.Error = reason(err, host.OutcomeOK)
	default:
		change.Error = reason(ran.Err, ran.Outcome)
	}
	if change.Attempts++; change.Attempts > t.Retries() {
		return time.Time{}, fl.giveUp(ctx, f, t, name, change, e)
	}
	change.Next = time.Now().Add(kvBackOff(change.Attempts))
	return change.Next, fl.all.keep(ctx, change, e)
}

// read reads a record. One that is damaged never can be delivered, and others wait for
// it: it is dropped, and kv.ErrNotFound, as one that was removed or has expired.
func (fl *follower) read(ctx context.Context, name string) (e kv.Entry, c kv.Change, err error) {
	key := fl.prefix() + name
	if e, err = fl.all.cfg.Store.Get(ctx, key); err == nil {
		c, err = kv.ChangeOf(e)
	}
	if !errors.Is(err, kv.ErrCorrupt) {
		return e, c, err
	}
	fl.all.cfg.Logger.Error("a change is damaged, and its Function is not told of it", "trigger", fl.id, "change", name, "err", err)
	if err := fl.all.cfg.Store.Delete(ctx, key, kv.DeleteOptions{}); err != nil {
		return e, c, fmt.Errorf("drop damaged change: %w", err)
	}
	return e, c, kv.ErrNotFound
}

func eventOf(t deploy.KVTrigger, c kv.Change) host.KVChange {
	return host.KVChange{
		Namespace: t.Namespace, Key: t.WatchedKey(c.Key), Deleted: c.Deleted, Revision: c.Revision, OldRevision: c.OldRevision,
		Value: c.Value, Omitted: c.Omitted, Size: c.Size, Metadata: c.Metadata, Expires: c.Expires, Time: c.Time, Attempt: c.Attempts + 1,
	}
}

// drop forgets a change, unless another node has it.
func (k *KVTriggers) drop(ctx context.Context, e kv.Entry) error {
	if err := k.cfg.Store.Delete(ctx, e.Key, kv.DeleteOptions{If: kv.IfRevision(e.Revision)}); err != nil {
		return fmt.Errorf("drop change: %w", err)
	}
	return nil
}

// keep writes how often a change was tried.
func (k *KVTriggers) keep(ctx context.Context, c kv.Change, e kv.Entry) error {
	value, metadata, err := c.Record(0)
	if err != nil {
		return err
	}
	opts := kv.PutOptions{Metadata: metadata, Expires: e.Expires, If: kv.IfRevision(e.Revision), Frees: true}
	if _, err := k.cfg.Store.Put(ctx, e.Key, value, opts); err != nil {
		return fmt.Errorf("keep change: %w", err)
	}
	return nil
}

// KVFailure is what the destination of failures gets of a change, as JSON.
type KVFailure struct {
	ID          string    `json:"id"`
	Function    string    `json:"function"`
	Namespace   string    `json:"namespace_id"`
	Key         string    `json:"key"`
	Deleted     bool      `json:"deleted,omitempty"`
	Revision    uint64    `json:"revision"`
	OldRevision uint64    `json:"old_revision"`
	Time        time.Time `json:"time"`
	Attempts    int       `json:"attempts"`
	Error       string    `json:"error"`
	Metadata    string    `json:"metadata,omitempty"`
	Value       string    `json:"value,omitempty"`        // if it is text
	Bytes       []byte    `json:"value_base64,omitempty"` // otherwise
	Omitted     bool      `json:"value_omitted,omitempty"`
}

func failureOf(f deploy.Function, t deploy.KVTrigger, id string, c kv.Change) KVFailure {
	out := KVFailure{ID: id, Function: f.Name, Namespace: t.Namespace, Key: t.WatchedKey(c.Key), Deleted: c.Deleted, Revision: c.Revision, OldRevision: c.OldRevision,
		Time: c.Time.UTC(), Attempts: c.Attempts, Error: c.Error, Metadata: string(c.Metadata), Omitted: c.Omitted}
	if utf8.Valid(c.Value) {
		out.Value = string(c.Value)
	} else {
		out.Bytes = c.Value
	}
	return out
}

// giveUp reports a failure, and drops the change once that is durable.
func (fl *follower) giveUp(ctx context.Context, f deploy.Function, t deploy.KVTrigger, name string, c kv.Change, e kv.Entry) error {
	fl.all.cfg.Logger.Warn("a change was not delivered", "account", f.Account, "function", f.Name, "namespace", t.Namespace,
		"revision", c.Revision, "attempts", c.Attempts, "err", c.Error)
	if t.OnFailure != (deploy.Destination{}) {
		id := t.ID[:min(len(t.ID), 8)] + "-" + name
		data, err := json.Marshal(failureOf(f, t, id, c))
		if err == nil {
			err = fl.all.cfg.Report(kv.WithHops(ctx, c.Hops+1), f, t.OnFailure, id, data)
		}
		if err != nil {
			return err
		}
	}
	return fl.all.drop(ctx, e)
}
