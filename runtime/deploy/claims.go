package deploy

import (
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
	given := map[router.Pattern]bool{}
	for _, route := range f.Routes {
		if route.Pattern == (router.Pattern{}) {
			return invalid("a route has no pattern")
		}
		if given[route.Pattern] {
			return invalid("route %q is given twice", route.Pattern)
		}
		given[route.Pattern] = true
		if !r.mayClaim(s, account, route.Pattern) {
			return host.Errorf(host.CodeDenied, "route %q: account %s may not claim this host; ask the node's administrator to grant it", route.Pattern, f.Account)
		}
	}
	own := mustPattern(r.Host(f.Account, f.Name) + "/*")
	for _, other := range s.functions {
		if other.id() == f.id() {
			continue
		}
		if err := conflict(f, own, other); err != nil {
			return err
		}
	}
	return nil
}

// mayClaim reports whether an account was granted the host of a route. Hosts
// below <account>.<domain> belong to that account alone.
func (r *Registry) mayClaim(s *snapshot, a Account, p router.Pattern) bool {
	for name := range s.accounts {
		if zone(name + "." + r.cfg.Domain).Covers(p) {
			return name == a.Name
		}
	}
	for _, granted := range a.Hosts {
		if grant, err := parseGrant(granted); err == nil && grant.Covers(p) {
			return true
		}
	}
	return false
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

// conflict says what f has that other has already: a pattern, or its own host.
// The other's name is told within its account only.
func conflict(f Function, own router.Pattern, other *deployed) error {
	holder := "a Function of another account"
	if other.Account == f.Account {
		holder = "Function " + other.Name
	}
	for _, route := range other.Routes {
		if own.Covers(route.Pattern) {
			return host.Errorf(host.CodeConflict, "the host of Function %s is taken by route %q of %s; choose another name", f.Name, route.Pattern, holder)
		}
	}
	for _, route := range f.Routes {
		if other.host.Covers(route.Pattern) {
			return host.Errorf(host.CodeConflict, "route %q is on the host of %s; choose another host", route.Pattern, holder)
		}
		for _, taken := range other.Routes {
			if taken.Pattern == route.Pattern {
				return host.Errorf(host.CodeConflict, "route %q belongs to %s; remove it there first", route.Pattern, holder)
			}
		}
	}
	return nil
}
