package deploy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mayfly-run/mayfly/host"
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

// Function returns a Function and the Version that serves.
func (r *Registry) Function(account, name string) (Function, Version, error) {
	d, err := r.current.Load().function(account, name)
	if err != nil {
		return Function{}, Version{}, err
	}
	return d.Function, d.active.Version, nil
}

// Versions returns the Versions of a Function that are kept, newest first.
func (r *Registry) Versions(ctx context.Context, account, name string) ([]Version, error) {
	d, err := r.current.Load().function(account, name)
	if err != nil {
		return nil, err
	}
	var list []Version
	for _, id := range slices.Backward(d.Versions) {
		v, err := r.version(ctx, d, id)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// Version returns one Version of a Function.
func (r *Registry) Version(ctx context.Context, account, name, id string) (Version, error) {
	d, err := r.current.Load().function(account, name)
	if err != nil {
		return Version{}, err
	}
	return r.version(ctx, d, id)
}

func (r *Registry) version(ctx context.Context, d *deployed, id string) (Version, error) {
	if !slices.Contains(d.Versions, id) {
		return Version{}, host.Errorf(host.CodeNotFound, "Function %s has no version %q", d.Name, id)
	}
	v, _, err := read[Version](ctx, r.cfg.Store, versionsOf(d.id())+id)
	return v, err
}

// Download returns the module of the Version that serves, as it was uploaded.
func (r *Registry) Download(ctx context.Context, account, name string) ([]byte, Version, error) {
	d, err := r.current.Load().function(account, name)
	if err != nil {
		return nil, Version{}, err
	}
	data, err := r.cfg.Blobs.Get(ctx, d.active.digest)
	if err != nil {
		return nil, Version{}, fmt.Errorf("read module: %w", err)
	}
	return data, d.active.Version, nil
}

// SetRoutes replaces the Routes of a Function.
func (r *Registry) SetRoutes(ctx context.Context, account, name string, routes []Route) (Function, error) {
	id := functionID{account, name}
	var changed Function
	err := r.change(ctx, id, func(ctx context.Context, s *snapshot) ([]string, error) {
		old, err := s.function(account, name)
		if err != nil {
			return nil, err
		}
		d := *old
		d.Routes, d.Modified = routes, r.now()
		if err := r.checkRoutes(s, d.Function); err != nil {
			return nil, err
		}
		s.functions[id] = &d
		if err := s.buildTable(); err != nil {
			return nil, err
		}
		d.revision, err = write(ctx, r.cfg.Store, functionRecord(id), d.Function, kv.PutOptions{If: kv.IfRevision(old.revision)})
		changed = d.Function
		return nil, err
	})
	return changed, err
}

// Delete removes a Function with its Versions.
func (r *Registry) Delete(ctx context.Context, account, name string) error {
	id := functionID{account, name}
	return r.change(ctx, id, func(ctx context.Context, s *snapshot) ([]string, error) {
		old, err := s.function(account, name)
		if err != nil {
			return nil, err
		}
		delete(s.functions, id)
		if err := s.buildTable(); err != nil {
			return nil, err
		}
		err = r.cfg.Store.Delete(ctx, functionRecord(id), kv.DeleteOptions{If: kv.IfRevision(old.revision)})
		if err != nil {
			return nil, fmt.Errorf("delete function: %w", err)
		}
		return old.Versions, nil
	})
}
