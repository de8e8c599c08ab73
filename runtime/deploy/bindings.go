package deploy

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// maxBindings is how many Services, how many RateLimits and how many Queues a Version
// may have.
const maxBindings = 64

// checkNamed refuses bindings beside variables and KV that no node could use.
func (s *Settings) checkNamed(taken map[string]bool) error {
	for kind, n := range map[string]int{"service bindings": len(s.Services), "rate limits": len(s.RateLimits), "queue bindings": len(s.Queues)} {
		if n > maxBindings {
			return invalid("%d %s were given; at most %d are allowed", n, kind, maxBindings)
		}
	}
	for _, b := range s.Services {
		if err := checkBinding(b.Binding, taken); err != nil {
			return err
		}
		if err := CheckName(b.Service); err != nil {
			return invalid("service binding %q: %v", b.Binding, err)
		}
	}
	for _, l := range s.RateLimits {
		if err := checkBinding(l.Name, taken); err != nil {
			return err
		}
		if err := l.check(); err != nil {
			return err
		}
	}
	if err := s.checkQueues(taken); err != nil {
		return err
	}
	if name := s.VersionMetadata.Binding; name != "" {
		return checkBinding(name, taken)
	}
	return nil
}

func (l RateLimit) check() error {
	switch {
	case !isNamespaceID(l.NamespaceID) || l.NamespaceID == "":
		return invalid("rate limit %q: namespace_id %q is not 1 to %d letters, digits, dashes and underscores", l.Name, l.NamespaceID, maxNamespaceID)
	case l.Simple.Limit < 1 || l.Simple.Limit > maxRateLimit:
		return invalid("rate limit %q: the limit is %d; it is 1 to %d", l.Name, l.Simple.Limit, maxRateLimit)
	case !slices.Contains(ratePeriods, l.Simple.Period):
		return invalid("rate limit %q: the period is %d; it is 10 or 60 seconds", l.Name, l.Simple.Period)
	}
	return nil
}

// named says what a binding of that name is, for messages; empty if there is none.
func (s *Settings) named(name string) string {
	switch {
	case slices.ContainsFunc(s.KVNamespaces, func(ns KVNamespace) bool { return ns.Binding == name }):
		return "KV binding"
	case slices.ContainsFunc(s.Services, func(b Service) bool { return b.Binding == name }):
		return "service binding"
	case slices.ContainsFunc(s.RateLimits, func(l RateLimit) bool { return l.Name == name }):
		return "rate limit"
	case slices.ContainsFunc(s.Queues, func(p QueueProducer) bool { return p.Binding == name }):
		return "queue binding"
	case name == s.VersionMetadata.Binding:
		return "version metadata binding"
	case s.Assets != nil && s.Assets.Binding == name:
		return "binding of static files"
	}
	return ""
}

// limiters are what RateLimits are bound to.
func (r *Registry) limiters(account string, limits []RateLimit) map[string]host.RateLimiter {
	all := make(map[string]host.RateLimiter, len(limits))
	for _, l := range limits {
		all[l.Name] = r.limits.Open(account, l.NamespaceID, l.Simple.Limit, time.Duration(l.Simple.Period)*time.Second)
	}
	return all
}

// metadata is the value of a version_metadata binding, as JSON:
// https://developers.cloudflare.com/workers/runtime-apis/bindings/version-metadata/
func (v Version) metadata() host.EnvValue {
	text, err := json.Marshal(struct {
		ID        string    `json:"id"`
		Tag       string    `json:"tag"`
		Timestamp time.Time `json:"timestamp"`
	}{v.ID, v.Tag, v.Created})
	if err != nil {
		panic(err) // there is no time that a Version could have and JSON does not
	}
	return host.EnvValue{Value: string(text), JSON: true}
}
