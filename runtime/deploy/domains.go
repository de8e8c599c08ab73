package deploy

import (
	"cmp"
	"context"
	"errors"
	"slices"

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
// Functions of the account have are taken from them first.
func (r *Registry) SetDomains(ctx context.Context, account, name string, domains []Route, move bool) (Function, error) {
	set := func(_ *snapshot, f *Function) error {
		f.Routes = append(f.plain(), domains...)
		return nil
	}
	if !move {
		return r.update(ctx, account, name, set)
	}
	taken, err := r.takeDomains(ctx, account, name, domains)
	if err != nil {
		return Function{}, err
	}
	f, err := r.update(ctx, account, name, set)
	if err != nil {
		return f, errors.Join(err, r.giveBack(ctx, account, taken))
	}
	return f, nil
}

// takeDomains takes custom domains from all Functions of an account but one, and
// returns what each had.
func (r *Registry) takeDomains(ctx context.Context, account, but string, domains []Route) (map[string][]Route, error) {
	held, err := r.Routes(account)
	if err != nil {
		return nil, err
	}
	taken := map[string][]Route{}
	for _, h := range held {
		wanted := slices.ContainsFunc(domains, func(d Route) bool { return d.Pattern == h.Pattern })
		if wanted && h.CustomDomain && h.Function != but {
			taken[h.Function] = append(taken[h.Function], h.Route)
		}
	}
	for name, routes := range taken {
		_, err := r.update(ctx, account, name, func(_ *snapshot, f *Function) error {
			f.Routes = f.without(routes)
			return nil
		})
		if err != nil {
			return taken, errors.Join(err, r.giveBack(ctx, account, taken))
		}
	}
	return taken, nil
}

func (r *Registry) giveBack(ctx context.Context, account string, taken map[string][]Route) (err error) {
	for name, routes := range taken {
		_, failed := r.AddRoutes(ctx, account, name, routes)
		err = errors.Join(err, failed)
	}
	return err
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
