package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// applyDirty takes the records that others have changed into the snapshot. What can't
// be applied stays as it was, and is tried again later. The error, which was logged, is
// errNotTakenOver unless all that failed is broken on every node. It needs r.mu.
func (r *Registry) applyDirty(ctx context.Context) error {
	keys, all := r.cluster.take()
	if all {
		var err error
		if keys, err = r.allRecords(ctx); err != nil {
			r.cfg.Logger.Error("list records", "err", err)
			r.cluster.noteAll()
			return fmt.Errorf("%w: %w", errNotTakenOver, err)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	left, err := r.apply(ctx, keys)
	if err != nil {
		r.cfg.Logger.Error("apply what other nodes have changed", "records", left, "err", err)
		r.cluster.again(left)
	}
	return err
}

// broken says whether a record can't be taken over because of what it says, or lacks. It
// serves on no node, so that changes need not be checked against it.
func broken(err error) bool {
	if _, is := errors.AsType[*json.SyntaxError](err); is {
		return true
	}
	if _, is := errors.AsType[*json.UnmarshalTypeError](err); is {
		return true
	}
	if e, is := errors.AsType[*host.Error](err); is && e.Code == host.CodeInvalid {
		return true
	}
	return errors.Is(err, kv.ErrCorrupt) || errors.Is(err, kv.ErrNotFound)
}

// apply takes records as the Store has them into the snapshot, and returns those that
// it could not. It needs r.mu.
func (r *Registry) apply(ctx context.Context, keys []string) (left []string, err error) {
	slices.SortFunc(keys, func(a, b string) int { return classOf(a) - classOf(b) })
	last := r.current.Load()
	next, changed := last.clone(), false
	for _, key := range keys {
		c, failed := r.applyRecord(ctx, next, key)
		changed = changed || c
		if failed != nil && !broken(failed) {
			failed = fmt.Errorf("%w: %w", errNotTakenOver, failed)
		}
		if failed != nil {
			left, err = append(left, key), errors.Join(err, failed)
		}
	}
	if !changed {
		return left, err
	}
	if failed := next.buildTable(); failed != nil {
		return keys, errors.Join(err, fmt.Errorf("%w: %w", errNotTakenOver, failed))
	}
	r.publish(next)
	r.followUp(last, next)
	return left, err
}

// applyRecord takes one record into a snapshot, and says whether that has changed.
func (r *Registry) applyRecord(ctx context.Context, next *snapshot, key string) (changed bool, err error) {
	switch {
	case strings.HasPrefix(key, functionRecords):
		account, name, _ := strings.Cut(strings.TrimPrefix(key, functionRecords), "/")
		return r.applyFunction(ctx, next, functionID{account, name})
	case strings.HasPrefix(key, accountRecords):
		return applyTo(ctx, r.cfg.Store, next, next.accounts, key, strings.TrimPrefix(key, accountRecords))
	case strings.HasPrefix(key, namespaceRecords):
		return applyTo(ctx, r.cfg.Store, next, next.namespaces, key, strings.TrimPrefix(key, namespaceRecords))
	case strings.HasPrefix(key, queueRecords):
		return applyTo(ctx, r.cfg.Store, next, next.queues, key, strings.TrimPrefix(key, queueRecords))
	case strings.HasPrefix(key, tokenRecords):
		return applyTo(ctx, r.cfg.Store, next, next.tokens, key, strings.TrimPrefix(key, tokenRecords))
	case strings.HasPrefix(key, KeyRecords):
		return false, r.applyDataKey(ctx, strings.TrimPrefix(key, KeyRecords))
	case strings.HasPrefix(key, arrivalRecords):
		r.arrive(key)
		return false, nil
	}
	return false, r.applyAsset(ctx, key)
}

// applyTo takes a record into one of a snapshot's maps.
func applyTo[T any](ctx context.Context, store kv.Store, next *snapshot, all map[string]T, key, id string) (changed bool, err error) {
	record, revision, err := read[T](ctx, store, key)
	known := next.revisions[key]
	switch {
	case errors.Is(err, kv.ErrNotFound):
		delete(all, id)
		delete(next.revisions, key)
		return known != 0, nil
	case err != nil || known == revision:
		return false, err
	}
	all[id], next.revisions[key] = record, revision
	return true, nil
}

func (r *Registry) applyDataKey(ctx context.Context, account string) error {
	if r.cfg.Secrets == nil {
		return nil
	}
	return r.cfg.Secrets.Refresh(ctx, account)
}

// applyFunction takes the record of a Function into a snapshot. Versions that serve
// already go on with what they have.
func (r *Registry) applyFunction(ctx context.Context, next *snapshot, id functionID) (changed bool, err error) {
	f, revision, err := read[Function](ctx, r.cfg.Store, functionRecord(id))
	old := next.functions[id]
	switch {
	case errors.Is(err, kv.ErrNotFound):
		if old == nil { // it came and went, perhaps with static files
			r.files.unsweep(id.account)
		}
		delete(next.functions, id)
		return old != nil, nil
	case err != nil:
		return false, err
	case old != nil && old.revision == revision:
		return false, nil
	}
	d, err := r.serve(ctx, next, f, old)
	if err != nil {
		return false, err
	}
	d.revision = revision
	if old == nil || f.Deployments[0].ID != old.Deployments[0].ID {
		d.serving.watch(f.Deployments[0].Rollout != nil)
	}
	next.functions[id] = d
	return true, nil
}

// followUp does what follows from changes that others have made.
func (r *Registry) followUp(last, next *snapshot) {
	for id, d := range next.functions {
		if old := last.functions[id]; old != d {
			if d.live == d.serving {
				r.bringUp(d) // that nobody has to wait
			}
			r.noteVersions(old, d)
		}
	}
	for id, old := range last.functions {
		if next.functions[id] == nil {
			r.noteVersions(old, nil)
		}
	}
	for name := range last.accounts {
		if _, there := next.accounts[name]; !there {
			r.forget(name)
		}
	}
	for id, ns := range next.namespaces {
		if ns.Deleted && !last.namespaces[id].Deleted {
			r.retireBound(ns)
		}
	}
	r.wakeEmpty() // some namespace or queue may be marked as deleted
	r.wake()
}

// noteVersions has static files looked through where Versions have come or gone.
func (r *Registry) noteVersions(before, after *deployed) {
	if before != nil && (after == nil || slices.ContainsFunc(before.Versions, func(id string) bool { return !slices.Contains(after.Versions, id) })) {
		r.files.unsweep(before.Account)
	}
	if after != nil {
		r.files.mu.Lock()
		r.files.generation++
		r.files.mu.Unlock()
	}
}

// allRecords are the keys of all records that are followed: those in the Store, and
// those that the snapshot has.
func (r *Registry) allRecords(ctx context.Context) ([]string, error) {
	all := map[string]bool{}
	s := r.current.Load()
	for key := range s.revisions {
		all[key] = true
	}
	for id := range s.functions {
		all[functionRecord(id)] = true
	}
	r.files.records(all)
	for _, prefix := range []string{accountRecords, KeyRecords, namespaceRecords, queueRecords, tokenRecords, assetRecords, manifestRecords, sessionRecords, functionRecords} {
		err := keys(ctx, r.cfg.Store, prefix, func(e kv.Entry) error {
			all[e.Key] = true
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	list := make([]string, 0, len(all))
	for key := range all {
		list = append(list, key)
	}
	return list, nil
}
