package host

import (
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// Bindings are the capabilities that one Version was given, resolved when it
// was deployed. They are immutable and shared by its Invocations.
type Bindings struct {
	Account  string
	Function string
	Version  string // the Version's id
	Env      map[string]EnvValue
	Environ  []string // KEY=value of the text variables and secrets, for WASI guests
	Secrets  []string // names in Env of what is there in requests only: secrets, version metadata
	KV       map[string]kv.Store
	// Fetchers answer requests on this node: other Functions, static files. They
	// see the Invocation that asks in FetchRequest.Caller.
	Fetchers map[string]Fetcher
	// RateLimits say whether something happens too often.
	RateLimits map[string]RateLimiter
	// Queues are those that the Function may send messages to.
	Queues map[string]QueueProducer
	// Cache is the account's; nil keeps nothing.
	Cache Cache
	// Egress narrows where fetch may go to these hosts: names, or "*." and a
	// name for its subdomains. Nil narrows nothing; empty allows nothing.
	Egress []string
}

// MaxRateKey is the longest key that is counted, in bytes.
const MaxRateKey = 512

// RateLimiter counts what guests count, by key. It is safe for concurrent use.
type RateLimiter interface {
	// Limit counts one event of key, which it does not keep, and reports whether it
	// is within the limit.
	Limit(key []byte) (bool, error)
}

// Cache keeps responses for the Functions of an account, as long as they may be kept
// and there is room. It is safe for concurrent use.
type Cache interface {
	// Put keeps r if it is to be kept, and says so. The bytes of r are the cache's from
	// then on.
	Put(key string, r CachedResponse) bool
	// Match is what a request with these headers gets: all that is kept under key, a
	// part of it, or that it has not changed. Its bytes must not be changed.
	Match(key string, request Headers) (CachedResponse, bool)
	// Delete reports whether something was kept under key.
	Delete(key string) bool
}

// CachedResponse is a response that a Cache keeps. The times are set by the cache.
type CachedResponse struct {
	Status  int
	Headers Headers
	Body    []byte
	Stored  time.Time
	Expires time.Time
}

// EnvValue is a variable or a secret. A JSON variable is its JSON text.
type EnvValue struct {
	Value  string
	Secret bool
	JSON   bool
}
