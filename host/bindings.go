package host

import "github.com/mayfly-run/mayfly/kv"

// Bindings are the capabilities that one Version was given, resolved when it
// was deployed. They are immutable and shared by its Invocations.
type Bindings struct {
	Account  string
	Function string
	Version  string // the Version's id
	Env      map[string]EnvValue
	Environ  []string // KEY=value of the text variables and secrets, for WASI guests
	Secrets  []string // names of the secrets in Env
	KV       map[string]kv.Store
	// Fetchers answer requests on this node: other Functions, static files. They
	// see the Invocation that asks in FetchRequest.Caller.
	Fetchers map[string]Fetcher
	// RateLimits say whether something happens too often.
	RateLimits map[string]RateLimiter
	// Egress narrows where fetch may go to these hosts: names, or "*." and a
	// name for its subdomains. Nil narrows nothing; empty allows nothing.
	Egress []string
}

// RateLimiter counts what guests count, by key. It is safe for concurrent use.
type RateLimiter interface {
	// Limit counts one event of key, which it does not keep, and reports whether it
	// is within the limit.
	Limit(key []byte) (bool, error)
}

// EnvValue is a variable or a secret. A JSON variable is its JSON text.
type EnvValue struct {
	Value  string
	Secret bool
	JSON   bool
}
