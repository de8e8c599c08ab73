package native

import (
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// See ABI.md, "Rate limits".
var rateLimitFuncs = []abi.Func{
	{Name: "rate_limit", Params: []abi.Type{abi.I32, abi.I32, abi.I32, abi.I32}, Results: i32, Do: rateLimit},
}

func rateLimit(g abi.Guest, a abi.Args) int64 {
	name, key := g.Bytes(a.U32(0), a.U32(1)), g.Bytes(a.U32(2), a.U32(3))
	l, ok := g.Bindings.RateLimits[string(name)]
	if !ok {
		return failed(g, host.Errorf(host.CodeNotFound, "no rate limit is bound to %.64q; add it to [[ratelimits]]", name))
	}
	if len(key) > host.MaxRateKey {
		return failed(g, host.Errorf(host.CodeTooLarge, "the key of a rate limit has %d bytes; at most %d are allowed", len(key), host.MaxRateKey))
	}
	g.Work(host.RateLimitWeight)
	within, err := l.Limit(key)
	if err != nil {
		return failed(g, err)
	}
	if within {
		return 1
	}
	return 0
}
