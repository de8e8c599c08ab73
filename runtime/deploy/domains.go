package deploy

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// HeldRoute is a Route with the name of the Function that has it.
type HeldRoute struct {
	Route
	Function string
}

// Routes returns all Routes of an account, ordered by pattern.
func (r *Registry) Routes(account string) ([]HeldRoute, error) {
	functions, err := r.Functions(account)
	if err != nil {
		return nil, err
	}
	var list []HeldRoute
	for _, f := range functions {
		for _, route := range f.Routes {
			list = append(list, HeldRoute{route, f.Name})
		}
	}
	slices.SortFunc(list, func(a, b HeldRoute) int { return cmp.Compare(a.Pattern.String(), b.Pattern.String()) })
	return list, nil
}

// SetRoutes replaces the Routes of a Function but for its custom domains.
func (r *Registry) SetRoutes(ctx context.Context, account, name string, routes []Route) (Function, error) {
	return r.update(ctx, account, name, func(_ *snapshot, f *Function) error {
		f.Routes = append(f.domains(), routes...)
		return nil
	})
}

// AddRoutes gives a Function more Routes. One that it has takes over what is said
// now.
func (r *Registry) AddRoutes(ctx context.Context, account, name string, routes []Route) (Function, error) {
	return r.update(ctx, account, name, func(_ *snapshot, f *Function) error {
		f.Routes = append(f.without(routes), routes...)
		return nil
	})
}

// RemoveRoute takes the Route with an id from a Function.
func (r *Registry) RemoveRoute(ctx context.Context, account, name, id string) (Function, error) {
	return r.update(ctx, account, name, func(_ *snapshot, f *Function) error {
		i := slices.IndexFunc(f.Routes, func(route Route) bool { return route.ID() == id })
		if i < 0 {
			return host.Errorf(host.CodeNotFound, "Function %s has no route %q", name, id)
		}
		f.Routes = f.without(f.Routes[i : i+1])
		return nil
	})
}

// SetDomains replaces the custom domains of a Function. With move, those that other
// Functions of the account have are taken from them, in the same change.
func (r *Registry) SetDomains(ctx context.Context, account, name string, domains []Route, move bool) (Function, error) {
	if !move {
		return r.update(ctx, account, name, func(_ *snapshot, f *Function) error {
			f.Routes = append(f.plain(), domains...)
			return nil
		})
	}
	var changed Function
	err := r.change(ctx, functionID{account, name}, func(ctx context.Context, s *snapshot) (err error) {
		changed, err = r.moveDomains(ctx, s, functionID{account, name}, domains)
		return err
	})
	return changed, err
}

// moveDomains writes the record of the Function that gets the domains first. Until those
// of the others are written, and if that fails, they still have them as well: the
// records that are older count, and nothing is without an answer.
func (r *Registry) moveDomains(ctx context.Context, s *snapshot, to functionID, domains []Route) (Function, error) {
	old, err := s.function(to.account, to.name)
	if err != nil {
		return Function{}, err
	}
	losers := s.losers(to, domains, r.now())
	for _, d := range losers { // so that the check finds no conflict
		s.functions[d.id()] = d
	}
	f := old.Function
	f.Modified, f.Routes = r.now(), append(f.plain(), domains...)
	if err := r.checkRoutes(s, f); err != nil {
		return f, err
	}
	for _, d := range append([]*deployed{old.changedTo(f)}, losers...) {
		if err := r.put(ctx, s, d); err != nil {
			return f, errors.Join(err, r.refresh(ctx, r.recordsOf(losers)...))
		}
	}
	return f, nil
}

// losers are those of the other Functions of the account that have custom domains, as
// they are without them.
func (s *snapshot) losers(to functionID, domains []Route, now time.Time) (list []*deployed) {
	for id, d := range s.functions {
		if id.account != to.account || id == to {
			continue
		}
		var taken []Route
		for _, held := range d.domains() {
			if slices.ContainsFunc(domains, func(want Route) bool { return want.Pattern == held.Pattern }) {
				taken = append(taken, held)
			}
		}
		if len(taken) > 0 {
			f := d.Function
			f.Routes, f.Modified = f.without(taken), now
			list = append(list, d.changedTo(f))
		}
	}
	return list
}

// changedTo is d with another record of the same Versions.
func (d *deployed) changedTo(f Function) *deployed {
	next := *d
	next.Function = f
	return &next
}

func (r *Registry) recordsOf(list []*deployed) (keys []string) {
	for _, d := range list {
		keys = append(keys, functionRecord(d.id()))
	}
	return keys
}

// domains are the Routes that are custom domains; the slice is the caller's.
func (f Function) domains() []Route { return f.those(func(r Route) bool { return r.CustomDomain }) }

// plain are the other Routes.
func (f Function) plain() []Route { return f.those(func(r Route) bool { return !r.CustomDomain }) }

// without are the Routes with other patterns.
func (f Function) without(routes []Route) []Route {
	return f.those(func(r Route) bool {
		return !slices.ContainsFunc(routes, func(out Route) bool { return out.Pattern == r.Pattern })
	})
}

func (f Function) those(keep func(Route) bool) []Route {
	list := []Route{}
	for _, route := range f.Routes {
		if keep(route) {
			list = append(list, route)
		}
	}
	return list
}
