package deploy

import (
	"encoding/json"
	"slices"
	"strings"
)

// Scopes are what a token of an account may do there, one bit for each.
type Scopes uint8

// The scopes there are.
const (
	ScopeRead   Scopes = 1 << iota // see Functions, with all but the text of secrets
	ScopeDeploy                    // that, and change them
	ScopeKV                        // see and change KV namespaces and their entries
	ScopeAdmin                     // all of that, and see and change the account's tokens
	ScopeQueues                    // see and change queues, send to them and pull from them
)

// DefaultScopes are those of a token for which nothing was said.
const DefaultScopes = ScopeRead | ScopeDeploy | ScopeKV | ScopeQueues

// scopeNames are in the order of the bits.
func scopeNames() []string { return []string{"read", "deploy", "kv", "admin", "queues"} }

// ParseScopes makes Scopes of their names. The error is a *host.Error; no names
// are an error too.
func ParseScopes(names []string) (s Scopes, err error) {
	for _, name := range names {
		i := slices.Index(scopeNames(), name)
		if i < 0 {
			return 0, invalid("there is no scope %q; there are %s", name, strings.Join(scopeNames(), ", "))
		}
		s |= 1 << i
	}
	if s == 0 {
		return 0, invalid("no scope is given; there are %s", strings.Join(scopeNames(), ", "))
	}
	return s, nil
}

// Names are the scopes one by one, without those that others include.
func (s Scopes) Names() []string {
	list := []string{}
	for i, name := range scopeNames() {
		if s&(1<<i) != 0 {
			list = append(list, name)
		}
	}
	return list
}

// all adds what the scopes include.
func (s Scopes) all() Scopes {
	switch {
	case s&ScopeAdmin != 0:
		return s | ScopeRead | ScopeDeploy | ScopeKV | ScopeQueues
	case s&ScopeDeploy != 0:
		return s | ScopeRead
	}
	return s
}

// MarshalJSON writes the list of names.
func (s Scopes) MarshalJSON() ([]byte, error) { return json.Marshal(s.Names()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Scopes) UnmarshalJSON(data []byte) error {
	var names []string
	if err := json.Unmarshal(data, &names); err != nil {
		return err
	}
	parsed, err := ParseScopes(names)
	*s = parsed
	return err
}
