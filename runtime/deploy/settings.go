package deploy

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/router"
)

// Settings are what a Version gives to its module, beside Routes, which belong
// to the Function. They are the part of a Manifest that a node needs.
type Settings struct {
	CompatibilityDate string          `json:"compatibility_date,omitempty"` // kept, without effect
	Vars              map[string]Var  `json:"vars,omitempty"`
	KVNamespaces      []KVNamespace   `json:"kv_namespaces,omitempty"`
	Services          []Service       `json:"services,omitempty"`
	RateLimits        []RateLimit     `json:"ratelimits,omitempty"`
	VersionMetadata   VersionMetadata `json:"version_metadata,omitzero"`
	Queues            []QueueProducer `json:"queues,omitempty"`
	Assets            *Assets         `json:"assets,omitempty"` // nil: there are no static files
	Limits            Limits          `json:"limits,omitzero"`
	Egress            *Egress         `json:"egress,omitempty"` // nil: nothing is narrowed
	Snapshot          SnapshotOptions `json:"snapshot,omitzero"`
}

// check refuses settings that no node could use. It does not trust that they
// come from a Manifest.
func (s *Settings) check() error {
	if s.CompatibilityDate != "" {
		if _, err := time.Parse(time.DateOnly, s.CompatibilityDate); err != nil {
			return invalid("compatibility_date %q is not a date such as \"2025-01-31\"", s.CompatibilityDate)
		}
	}
	if err := s.checkBindings(); err != nil {
		return err
	}
	if s.Egress != nil {
		if err := s.Egress.check(); err != nil {
			return err
		}
	}
	return s.Snapshot.check()
}

func (s *Settings) checkBindings() error {
	if len(s.Vars) > maxVars {
		return invalid("%d variables were given; at most %d are allowed", len(s.Vars), maxVars)
	}
	taken := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(s.Vars)) {
		v := s.Vars[name]
		if err := checkBinding(name, taken); err != nil {
			return err
		}
		if err := checkVar(v.Text, len(v.Text)+len(v.JSON)); err != nil {
			return invalid("variable %q %v", name, err)
		}
		if v.JSON != nil && !json.Valid(v.JSON) {
			return invalid("variable %q is not valid JSON", name)
		}
	}
	for _, ns := range s.KVNamespaces {
		if err := checkBinding(ns.Binding, taken); err != nil {
			return err
		}
	}
	if err := s.Assets.check(taken); err != nil {
		return err
	}
	return s.checkNamed(taken)
}

func checkBinding(name string, taken map[string]bool) error {
	if !isIdentifier(name) {
		return invalid("binding %q is not an identifier: letters, digits and underscores, no digit first", name)
	}
	if taken[name] {
		return invalid("binding %q is given twice", name)
	}
	taken[name] = true
	return nil
}

func (e *Egress) check() error {
	for _, entry := range e.Allow {
		if _, err := router.ParseHost(strings.TrimPrefix(entry, "*.")); err != nil {
			return invalid(`egress.allow wants hosts, or "*." and a domain: %v`, err)
		}
	}
	return nil
}

// hosts are the allowed hosts in lower case: nil to narrow nothing.
func (e *Egress) hosts() []string {
	if e == nil {
		return nil
	}
	hosts := make([]string, 0, len(e.Allow))
	for _, entry := range e.Allow {
		hosts = append(hosts, strings.ToLower(entry))
	}
	return hosts
}

// env are the variables as guests see them, and the texts among them as an
// environment.
func (s *Settings) env() (env map[string]host.EnvValue, environ []string) {
	env = make(map[string]host.EnvValue, len(s.Vars))
	for _, name := range slices.Sorted(maps.Keys(s.Vars)) {
		v := s.Vars[name]
		if v.JSON != nil {
			env[name] = host.EnvValue{Value: string(v.JSON), JSON: true}
			continue
		}
		env[name] = host.EnvValue{Value: v.Text}
		environ = append(environ, name+"="+v.Text)
	}
	return env, environ
}

// The highest values of limits that have no field in host.Limits: they narrow
// what the front end already enforces.
const (
	maxURLKB     = 16
	maxHeadersKB = 128
)

// within says which limit exceeds the node's.
func (l Limits) within(most host.Limits) error {
	for _, limit := range []struct {
		key         string
		value, most int64
	}{
		{"cpu_ms", l.CPUMillis, most.CPU.Milliseconds()},
		{"wall_ms", l.WallMillis, most.Wall.Milliseconds()},
		{"subrequests", l.Subrequests, int64(most.Subrequests)},
		{"concurrency", l.Concurrency, int64(most.Concurrency)},
		{"memory_mb", l.MemoryMB, most.Memory >> 20},
		{"request_body_mb", l.RequestBodyMB, most.RequestBody >> 20},
		{"response_mb", l.ResponseMB, most.Response >> 20},
		{"url_kb", l.URLKB, maxURLKB},
		{"headers_kb", l.HeadersKB, maxHeadersKB},
	} {
		if limit.value < 0 {
			return invalid("limits.%s is %d; it must be greater than 0", limit.key, limit.value)
		}
		if limit.value > limit.most {
			return invalid("limits.%s is %d; this node allows at most %d", limit.key, limit.value, limit.most)
		}
	}
	return nil
}

// Or returns l with every unset field taken from d.
func (l Limits) Or(d Limits) Limits {
	return Limits{
		CPUMillis:     cmp.Or(l.CPUMillis, d.CPUMillis),
		WallMillis:    cmp.Or(l.WallMillis, d.WallMillis),
		Subrequests:   cmp.Or(l.Subrequests, d.Subrequests),
		Concurrency:   cmp.Or(l.Concurrency, d.Concurrency),
		MemoryMB:      cmp.Or(l.MemoryMB, d.MemoryMB),
		RequestBodyMB: cmp.Or(l.RequestBodyMB, d.RequestBodyMB),
		ResponseMB:    cmp.Or(l.ResponseMB, d.ResponseMB),
		URLKB:         cmp.Or(l.URLKB, d.URLKB),
		HeadersKB:     cmp.Or(l.HeadersKB, d.HeadersKB),
	}
}

// host are the limits in the host's units; what is not set stays so.
func (l Limits) host() host.Limits {
	return host.Limits{
		CPU:         time.Duration(l.CPUMillis) * time.Millisecond,
		Wall:        time.Duration(l.WallMillis) * time.Millisecond,
		Subrequests: int(l.Subrequests),
		Concurrency: int(l.Concurrency),
		Memory:      l.MemoryMB << 20,
		RequestBody: l.RequestBodyMB << 20,
		Response:    l.ResponseMB << 20,
	}
}

func invalid(format string, args ...any) error {
	return host.Errorf(host.CodeInvalid, format, args...)
}

// binds reports whether a namespace is bound.
func (s *Settings) binds(namespace string) bool {
	return slices.ContainsFunc(s.KVNamespaces, func(b KVNamespace) bool { return b.ID == namespace })
}
