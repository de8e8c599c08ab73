package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// now is the time that records carry.
func (r *Registry) now() time.Time { return r.cfg.Now().UTC().Truncate(time.Millisecond) }

// Functions returns the Functions of an account, ordered by name.
func (r *Registry) Functions(account string) ([]Function, error) {
	s := r.current.Load()
	if _, err := s.account(account); err != nil {
		return nil, err
	}
	var list []Function
	for id, d := range s.functions {
		if id.account == account {
			list = append(list, d.Function)
		}
	}
	slices.SortFunc(list, func(a, b Function) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// Function returns a Function and the Version that answers most requests.
func (r *Registry) Function(account, name string) (Function, Version, error) {
	d, err := r.current.Load().function(account, name)
	if err != nil {
		return Function{}, Version{}, err
	}
	return d.Function, d.main().Version, nil
}

// Deployed says whether the Store has a Function. In a cluster Function may not know it
// yet, since another node has deployed it just now, or this one can't take it over.
func (r *Registry) Deployed(ctx context.Context, account, name string) (bool, error) {
	_, err := r.cfg.Store.Get(ctx, functionRecord(functionID{account, name}))
	if errors.Is(err, kv.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Download returns the module of the Version that answers most requests, as it was
// uploaded.
func (r *Registry) Download(ctx context.Context, account, name string) ([]byte, Version, error) {
	d, err := r.current.Load().function(account, name)
	if err != nil {
		return nil, Version{}, err
	}
	v := d.main().Version
	data, err := r.Module(ctx, v)
	return data, v, err
}

// Module returns the module of a Version, as it was uploaded.
func (r *Registry) Module(ctx context.Context, v Version) ([]byte, error) {
	digest, err := kv.ParseDigest(v.Digest)
	if err != nil {
		return nil, err
	}
	data, err := r.cfg.Blobs.Get(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("read module: %w", err)
	}
	return data, nil
}

// SetHosts says whether a Function serves on its own host, and whether its other
// Versions have hosts.
func (r *Registry) SetHosts(ctx context.Context, account, name string, own, previews bool) (Function, error) {
	return r.update(ctx, account, name, func(_ *snapshot, f *Function) error {
		f.Hidden, f.NoPreviews = !own, !previews
		return nil
	})
}

// update changes the record of a Function by change, which gets a copy.
func (r *Registry) update(ctx context.Context, account, name string, change func(*snapshot, *Function) error) (Function, error) {
	var changed Function
	err := r.change(ctx, functionID{account, name}, func(ctx context.Context, s *snapshot) error {
		old, err := s.function(account, name)
		if err != nil {
			return err
		}
		f := old.Function
		f.Modified = r.now()
		if err := change(s, &f); err != nil {
			return err
		}
		if err := r.checkRoutes(s, f); err != nil {
			return err
		}
		next, err := r.serve(ctx, s, f, old)
		if err != nil {
			return err
		}
		changed = f
		return r.put(ctx, s, next)
	})
	return changed, err
}

// Delete removes a Function with its Versions. One that others bind is removed only
// with force; their calls then fail.
func (r *Registry) Delete(ctx context.Context, account, name string, force bool) error {
	id := functionID{account, name}
	return r.change(ctx, id, func(ctx context.Context, s *snapshot) error {
		old, err := s.function(account, name)
		if err != nil {
			return err
		}
		if err := s.checkUnreferenced(id); err != nil && !force {
			return err
		}
		delete(s.functions, id)
		if err := s.buildTable(); err != nil {
			return err
		}
		err = r.cfg.Store.Delete(ctx, functionRecord(id), kv.DeleteOptions{If: kv.IfRevision(old.revision)})
		if err != nil {
			return fmt.Errorf("delete function: %w", err)
		}
		return nil
	})
}

// functionsWith are those of all accounts that have something.
func (r *Registry) functionsWith(has func(Function) bool) (list []Function) {
	for _, d := range r.current.Load().functions {
		if has(d.Function) {
			list = append(list, d.Function)
		}
	}
	return list
}
