package mayfly

import "github.com/mayfly-run/mayfly/sdk/go/internal/host"

// RateLimiter counts events.
type RateLimiter struct{ binding string }

// RateLimit returns the limit that the configuration binds to a name:
//
//	[[ratelimits]]
//	name = "LIMITER"
//	namespace_id = "1001"
//	simple = { limit = 100, period = 60 } # seconds, 10 or 60
//
// The result may be kept in a package variable.
func RateLimit(binding string) RateLimiter { return RateLimiter{binding} }

// Limit counts one event of a key, of at most 512 bytes, and reports whether it is
// within the limit; one that is not, was not counted. Keys say who or what is
// limited: a user, a route, or both. Functions of an account that bind the same
// namespace count together, each node for itself. If there is no such binding, the
// error is [ErrDenied].
func (r RateLimiter) Limit(key string) (within bool, err error) {
	within, err = host.RateLimit(r.binding, key)
	return within, fail("rate limit "+r.binding, unbound(err))
}
