package deploy

import (
	"maps"
	"slices"
)

// Inherit takes a binding from other settings, and reports whether they have it.
func (s *Settings) Inherit(from Settings, name string) bool {
	switch {
	case from.kindOf(name) == "":
		return false
	case name == from.VersionMetadata.Binding:
		s.VersionMetadata = from.VersionMetadata
	case from.Assets != nil && name == from.Assets.Binding:
		a := Assets{}
		if s.Assets != nil {
			a = *s.Assets
		}
		a.Binding = name
		s.Assets = &a
	default:
		if v, ok := from.Vars[name]; ok {
			if s.Vars = maps.Clone(s.Vars); s.Vars == nil {
				s.Vars = map[string]Var{}
			}
			s.Vars[name] = v
		}
		s.KVNamespaces = inherited(s.KVNamespaces, from.KVNamespaces, func(b KVNamespace) bool { return b.Binding == name })
		s.Services = inherited(s.Services, from.Services, func(b Service) bool { return b.Binding == name })
		s.RateLimits = inherited(s.RateLimits, from.RateLimits, func(b RateLimit) bool { return b.Name == name })
		s.Queues = inherited(s.Queues, from.Queues, func(b QueueProducer) bool { return b.Binding == name })
	}
	return true
}

// inherited is list with the one of from that is meant, if there is one.
func inherited[T any](list, from []T, meant func(T) bool) []T {
	i := slices.IndexFunc(from, meant)
	if i < 0 {
		return list
	}
	return append(slices.Clip(list), from[i])
}

// Keep takes all bindings of some types that s has not itself. The types are those
// of uploads, such as "plain_text" and "kv_namespace".
func (s *Settings) Keep(from Settings, types []string) {
	for _, name := range from.names() {
		if slices.Contains(types, from.kindOf(name)) && s.kindOf(name) == "" {
			s.Inherit(from, name)
		}
	}
}

// names are those of all bindings.
func (s *Settings) names() []string {
	list := slices.Sorted(maps.Keys(s.Vars))
	for _, b := range s.KVNamespaces {
		list = append(list, b.Binding)
	}
	for _, b := range s.Services {
		list = append(list, b.Binding)
	}
	for _, b := range s.RateLimits {
		list = append(list, b.Name)
	}
	for _, b := range s.Queues {
		list = append(list, b.Binding)
	}
	list = append(list, s.VersionMetadata.Binding)
	if s.Assets != nil {
		list = append(list, s.Assets.Binding)
	}
	return slices.DeleteFunc(list, func(name string) bool { return name == "" })
}

// kindOf is the type of a binding, as uploads have it; empty if there is none.
func (s *Settings) kindOf(name string) string {
	if v, ok := s.Vars[name]; ok {
		if v.JSON != nil {
			return "json"
		}
		return "plain_text"
	}
	return map[string]string{
		"KV binding": "kv_namespace", "service binding": "service", "rate limit": "ratelimit", "queue binding": "queue",
		"version metadata binding": "version_metadata", "binding of static files": "assets",
	}[s.named(name)]
}
