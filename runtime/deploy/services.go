package deploy

import (
	"cmp"
	"context"
	"slices"

	"github.com/mayfly-run/mayfly/host"
)

// Service binds another Function of the account, or the Function itself, to a
// name.
type Service struct {
	Binding string `json:"binding"`
	Service string `json:"service"` // the Function's name
}

// service is how a guest reaches a Function that it is bound to: whatever serves
// it at the time of the call.
type service struct {
	registry *Registry
	binding  string
	callee   functionID
}

// Fetch implements host.Fetcher.
func (s *service) Fetch(ctx context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
	if s.registry.cfg.Call == nil {
		return nil, host.Errorf(host.CodeUnsupported, "this node does not let Functions call Functions")
	}
	return s.registry.cfg.Call(ctx, req, func() (*Active, error) { return s.find(req) })
}

func (s *service) find(req *host.FetchRequest) (*Active, error) {
	d := s.registry.current.Load().functions[s.callee]
	if d == nil {
		return nil, host.Errorf(host.CodeNotFound, "Function %q, which is bound to %s, does not exist any more; deploy it again", s.callee.name, s.binding)
	}
	key, _ := req.Headers.Get("cloudflare-workers-version-key")
	overrides, _ := req.Headers.Get("cloudflare-workers-version-overrides")
	return d.live.Pick(key, overrides), nil
}

// fetchers are what Services are bound to.
func (r *Registry) fetchers(account string, services []Service) map[string]host.Fetcher {
	all := make(map[string]host.Fetcher, len(services))
	for _, s := range services {
		all[s.Binding] = &service{r, s.Binding, functionID{account, s.Service}}
	}
	return all
}

// checkServices refuses to bind Functions that do not exist, except the one that is
// being deployed. One that was deleted later is an error of the call.
func (s *snapshot) checkServices(id functionID, services []Service) error {
	for _, want := range services {
		callee := functionID{id.account, want.Service}
		if callee != id && s.functions[callee] == nil {
			return invalid("service binding %q: Function %q does not exist in account %s; deploy it first", want.Binding, want.Service, id.account)
		}
	}
	return nil
}

// Reference is a Function that binds another.
type Reference struct {
	Function string
	Binding  string
}

// References are the bindings by which the Versions of other Functions that serve
// reach a Function, ordered by Function and binding.
func (r *Registry) References(account, name string) ([]Reference, error) {
	s := r.current.Load()
	if _, err := s.function(account, name); err != nil {
		return nil, err
	}
	return s.references(functionID{account, name}), nil
}

func (s *snapshot) references(callee functionID) (list []Reference) {
	for id, d := range s.functions {
		if id.account != callee.account || id == callee {
			continue
		}
		for _, a := range d.serving.actives() {
			for _, b := range a.Version.Settings.Services {
				if b.Service == callee.name {
					list = append(list, Reference{id.name, b.Binding})
				}
			}
		}
	}
	slices.SortFunc(list, func(a, b Reference) int {
		return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.Binding, b.Binding))
	})
	return slices.Compact(list) // two Versions may have the same
}

// checkUnreferenced refuses to delete what others call.
func (s *snapshot) checkUnreferenced(id functionID) error {
	if list := s.references(id); len(list) > 0 {
		return host.Errorf(host.CodeConflict, "Function %s is bound to %s of Function %s, and so to %d in all; deploy those without it first, or delete it with force",
			id.name, list[0].Binding, list[0].Function, len(list))
	}
	return nil
}
