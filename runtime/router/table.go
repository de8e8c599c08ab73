package router

import (
	"errors"
	"fmt"
	"slices"
)

// Route gives the URLs of a pattern to a target.
type Route[T any] struct {
	Pattern Pattern
	Target  T
	// Negate makes the URLs of the pattern match nothing, although a less
	// specific route may match them. Target is then ignored.
	Negate bool
}

// Table finds the most specific route of a request. It is immutable: any
// number of goroutines may call Lookup, and a change is a new Table.
//
// The most specific route has, in this order of weight: a host without
// wildcard, else the longest host; a path without wildcard, else the longest
// path; a scheme.
type Table[T any] struct {
	routes []Route[T]
	exact  map[string]paths // hosts without wildcard
	// wild holds the other hosts, written backwards: what follows the "*" is
	// a prefix of the request's host read backwards.
	wild prefixes[paths]
}

// paths are the routes of one host.
type paths = prefixes[slots]

// slots are the routes of one host and path, by scheme: for exactly this path
// and for all that begin with it. Each is an index into Table.routes plus one.
type slots struct{ exact, prefix [3]int32 }

// Indexes into the arrays of slots.
const (
	anyScheme = iota
	httpScheme
	httpsScheme
)

// NewTable builds a table. A zero pattern and a pattern given twice are
// errors; all of them are reported together.
func NewTable[T any](routes []Route[T]) (*Table[T], error) {
	t := &Table[T]{routes: slices.Clone(routes), exact: map[string]paths{}}
	exact, wild := map[string]map[string]slots{}, map[string]map[string]slots{}
	var errs []error
	for i, r := range routes {
		if r.Negate {
			var none T
			t.routes[i].Target = none
		}
		hosts, host := exact, r.Pattern.host
		if r.Pattern.wildHost {
			hosts, host = wild, backwards(host)
		}
		if hosts[host] == nil {
			hosts[host] = map[string]slots{}
		}
		errs = append(errs, place(hosts[host], r.Pattern, int32(i)+1))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for host, m := range exact {
		t.exact[host] = newPrefixes(m)
	}
	byHost := map[string]paths{}
	for host, m := range wild {
		byHost[host] = newPrefixes(m)
	}
	t.wild = newPrefixes(byHost)
	return t, nil
}

// place notes route number n under its path and scheme.
func place(m map[string]slots, p Pattern, n int32) error {
	if p == (Pattern{}) {
		return fmt.Errorf("route number %d has no pattern", n)
	}
	s := m[p.path]
	slot := &s.exact[schemeIndex([]byte(p.scheme))]
	if p.wildPath {
		slot = &s.prefix[schemeIndex([]byte(p.scheme))]
	}
	if *slot != 0 {
		return fmt.Errorf("route %q is given twice", p)
	}
	*slot = n
	m[p.path] = s
	return nil
}

// Lookup returns the target of the most specific route that matches, or false
// when none does or that route negates.
//
// scheme is "http" or "https" in lower case. host is that of the request: a
// port and one trailing dot are ignored, upper and lower case are the same,
// and more than 253 bytes match nothing. path is the path as the client sent
// it together with "?" and the query, if there is one; an empty one is "/".
// Nothing is decoded or checked, nothing is kept, nothing is allocated.
func (t *Table[T]) Lookup(scheme, host, path []byte) (T, bool) {
	var buf [maxHost]byte
	name, ok := appendHost(buf[:0], host)
	if !ok {
		var none T
		return none, false
	}
	index := schemeIndex(scheme)
	if p, ok := t.exact[string(name)]; ok {
		if n := find(&p, index, path); n != 0 {
			return t.result(n)
		}
	}
	slices.Reverse(name)
	for i := t.wild.longest(name); i >= 0; i = t.wild.parent[i] {
		if n := find(&t.wild.values[i], index, path); n != 0 {
			return t.result(n)
		}
	}
	var none T
	return none, false
}

// HasHost reports whether there is a route for a host, as ParseHost returns it,
// that names it without a wildcard.
func (t *Table[T]) HasHost(host string) bool {
	_, ok := t.exact[host]
	return ok
}

func (t *Table[T]) result(n int32) (T, bool) {
	r := &t.routes[n-1]
	return r.Target, !r.Negate
}

// find returns the number of the most specific route for a path, or 0.
func find(p *paths, scheme int, path []byte) int32 {
	if len(path) == 0 {
		path = []byte("/")
	}
	i := p.longest(path)
	if i >= 0 && len(p.keys[i]) == len(path) {
		if n := pick(&p.values[i].exact, scheme); n != 0 {
			return n
		}
	}
	for ; i >= 0; i = p.parent[i] {
		if n := pick(&p.values[i].prefix, scheme); n != 0 {
			return n
		}
	}
	return 0
}

func pick(slot *[3]int32, scheme int) int32 {
	if n := slot[scheme]; n != 0 {
		return n
	}
	return slot[anyScheme]
}

func schemeIndex(scheme []byte) int {
	switch string(scheme) {
	case "http":
		return httpScheme
	case "https":
		return httpsScheme
	}
	return anyScheme
}

func backwards(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}
