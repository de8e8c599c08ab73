package control

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// FailureLimits are how many requests without a good token are answered as such:
// that many at once, and that many in each minute after. What is beyond is a 429,
// whatever its token; only a token that was good before from the same address
// still is, so that nobody is locked out by others behind the same proxy.
type FailureLimits struct {
	PerAddress int // of IPv6: its /64; default DefaultFailures
	All        int // default 1200, or PerAddress where that is more
}

// DefaultFailures is FailureLimits.PerAddress where nothing is said.
const DefaultFailures = 30

const defaultAllFailures = 1200

// maxAddresses bounds what is remembered of addresses, and of tokens that were
// good there. Which are forgotten is left to chance.
const maxAddresses = 4096

// failures counts the failures of addresses. It is safe for concurrent use.
type failures struct {
	limits FailureLimits
	now    func() time.Time

	mu   sync.Mutex // guards what follows
	all  *rate.Limiter
	from map[netip.Prefix]*rate.Limiter
	good map[goodToken]bool
}

// goodToken is a token that was good from an address.
type goodToken struct {
	from netip.Prefix
	id   string
}

func newFailures(limits FailureLimits, now func() time.Time) *failures {
	if limits.PerAddress == 0 {
		limits.PerAddress = DefaultFailures
	}
	if limits.All == 0 {
		limits.All = max(defaultAllFailures, limits.PerAddress)
	}
	return &failures{limits: limits, now: now, all: perMinute(limits.All),
		from: map[netip.Prefix]*rate.Limiter{}, good: map[goodToken]bool{}}
}

func perMinute(n int) *rate.Limiter { return rate.NewLimiter(rate.Limit(n)/60, n) }

// check counts a request from an address; good says whether its token is. It
// returns how long to wait before the next one, or 0 if this one may go on.
func (f *failures) check(remote, id string, good bool) time.Duration {
	token := goodToken{addressOf(remote), id}
	f.mu.Lock()
	defer f.mu.Unlock()
	if good && f.good[token] {
		return 0
	}
	now := f.now()
	mine := f.limiter(token.from)
	if wait := max(waitFor(f.all, now), waitFor(mine, now)); wait > 0 {
		return wait
	}
	if good {
		makeRoom(f.good)
		f.good[token] = true
		return 0
	}
	f.all.AllowN(now, 1)
	mine.AllowN(now, 1)
	makeRoom(f.from)
	f.from[token.from] = mine
	return 0
}

// limiter is that of an address, which is only kept once it has failed. It needs mu.
func (f *failures) limiter(from netip.Prefix) *rate.Limiter {
	if l, ok := f.from[from]; ok {
		return l
	}
	return perMinute(f.limits.PerAddress)
}

// makeRoom forgets something if a map is full.
func makeRoom[K comparable, V any](m map[K]V) {
	for key := range m {
		if len(m) < maxAddresses {
			return
		}
		delete(m, key)
	}
}

// waitFor is how long it takes until a limiter lets one more through.
func waitFor(l *rate.Limiter, now time.Time) time.Duration {
	missing := 1 - l.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / float64(l.Limit()) * float64(time.Second))
}

// addressOf is the network that counts as one client.
func addressOf(remote string) netip.Prefix {
	port, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{} // all that can't be told apart are one
	}
	addr, bits := port.Addr().Unmap(), 32
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.WithZone("").Prefix(bits) // the bits are in range
	return prefix
}
