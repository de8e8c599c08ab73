package deploy

import (
	"maps"
	"slices"
)

// Inherit takes a binding from other settings, and reports whether they have it.
func (s *Settings) Inherit(from Settings, name string) bool {
	if v, ok := from.Vars[name]; ok {
		s.putVar(name, v)
		return true
	}
	i := slices.IndexFunc(from.KVNamespaces, func(ns KVNamespace) bool { return ns.Binding == name })
	if i < 0 {
		return false
	}
	s.KVNamespaces = append(slices.Clip(s.KVNamespaces), from.KVNamespaces[i])
	return true
}

// Keep takes all bindings of some types that s has not itself. The types are those
// of uploads: "plain_text", "json", "kv_namespace".
func (s *Settings) Keep(from Settings, types []string) {
	for name, v := range from.Vars {
		kind := "plain_text"
		if v.JSON != nil {
			kind = "json"
		}
		if slices.Contains(types, kind) && !s.has(name) {
			s.putVar(name, v)
		}
	}
	for _, ns := range from.KVNamespaces {
		if slices.Contains(types, "kv_namespace") && !s.has(ns.Binding) {
			s.Inherit(from, ns.Binding)
		}
	}
}

// has says whether there is a binding.
func (s *Settings) has(name string) bool {
	_, variable := s.Vars[name]
	return variable || slices.ContainsFunc(s.KVNamespaces, func(ns KVNamespace) bool { return ns.Binding == name })
}

func (s *Settings) putVar(name string, v Var) {
	if s.Vars = maps.Clone(s.Vars); s.Vars == nil {
		s.Vars = map[string]Var{}
	}
	s.Vars[name] = v
}
