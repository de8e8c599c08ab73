package deploy

import (
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/router"
)

// checkRoutes refuses Routes that the Function's account may not claim or that
// another Function has.
func (r *Registry) checkRoutes(s *snapshot, f Function) error {
	account, err := s.account(f.Account)
	if err != nil {
		return err
	}
	if err := r.checkClaims(s, account, f.Routes); err != nil {
		return err
	}
	return s.checkConflicts(f, mustPattern(r.Host(f.Account, f.Name)+"/*"))
}

// checkClaims is about the Routes alone. There may be thousands, and as many accounts.
func (r *Registry) checkClaims(s *snapshot, a Account, routes []Route) error {
	var grants []router.Pattern
	for _, granted := range a.Hosts {
		if grant, err := parseGrant(granted); err == nil {
			grants = append(grants, grant)
		}
	}
	given := make(map[router.Pattern]bool, len(routes))
	for _, route := range routes {
		if route.Pattern == (router.Pattern{}) {
			return invalid("a route has no pattern")
		}
		if given[route.Pattern] {
			return invalid("route %q is given twice", route.Pattern)
		}
		given[route.Pattern] = true
		if !r.mayClaim(s, a, grants, route) {
			return host.Errorf(host.CodeDenied, "route %q: account %s may not claim this host; ask the node's administrator to grant it, with 'mayfly account update'", route.Pattern, a.Name)
		}
	}
	return nil
}

// mayClaim reports whether an account was granted the host of a route. Hosts
// below <account>.<domain> belong to that account alone.
func (r *Registry) mayClaim(s *snapshot, a Account, grants []router.Pattern, route Route) bool {
	if below, ok := strings.CutSuffix(route.Host(), "."+r.cfg.Domain); ok {
		i := strings.LastIndexByte(below, '.')
		if owner, ok := s.accounts[below[i+1:]]; i >= 0 && ok {
			return owner.Name == a.Name
		}
	}
	return slices.ContainsFunc(grants, func(grant router.Pattern) bool { return grant.Covers(route.Pattern) })
}

// zone matches every URL on hosts below a domain.
func zone(domain string) router.Pattern { return mustPattern("*." + domain + "/*") }

// mustPattern is for patterns made of names that were checked.
func mustPattern(text string) router.Pattern {
	p, err := router.ParsePattern(text)
	if err != nil {
		panic(err)
	}
	return p
}

// parseGrant reads a host that an account may claim: a name, "*." and a domain
// for what is below it, or "*" for all.
func parseGrant(text string) (router.Pattern, error) {
	p, err := router.ParsePattern(text + "/*")
	if err != nil || strings.ContainsAny(text, "/?#") || strings.HasPrefix(text, "*") && text != "*" && !strings.HasPrefix(text, "*.") {
		return p, invalid(`host %q: write a name such as "example.com", or "*.example.com" for what is below it`, text)
	}
	return p, nil
}

// checkConflicts says what a Function would have that another one has already: a
// pattern, or its own host. It looks at each Route of others once.
func (s *snapshot) checkConflicts(f Function, own router.Pattern) error {
	patterns, hosts := map[router.Pattern]bool{}, map[string]router.Pattern{}
	for _, route := range f.Routes {
		patterns[route.Pattern] = true
		if name, wild := route.Pattern.Host(); !wild {
			hosts[name] = route.Pattern
		}
	}
	for id, other := range s.functions {
		if id == f.id() {
			continue
		}
		name, _ := other.host.Host()
		if p, ok := hosts[name]; ok {
			return host.Errorf(host.CodeConflict, "route %q is on the host of %s; choose another host", p, holder(f, other))
		}
		for _, route := range other.Routes {
			switch {
			case own.Covers(route.Pattern):
				return host.Errorf(host.CodeConflict, "the host of Function %s is taken by route %q of %s; choose another name", f.Name, route.Pattern, holder(f, other))
			case patterns[route.Pattern]:
				return host.Errorf(host.CodeConflict, "route %q belongs to %s; remove it there first", route.Pattern, holder(f, other))
			}
		}
	}
	return nil
}

// holder names a Function to another one, within its account only.
func holder(f Function, other *deployed) string {
	if other.Account == f.Account {
		return "Function " + other.Name
	}
	return "a Function of another account"
}
