package native_test

import (
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
)

// countdown is a RateLimiter that lets so many through, for all keys, and keeps them.
type countdown struct {
	left int
	keys []string
}

func (c *countdown) Limit(key []byte) (bool, error) {
	c.keys = append(c.keys, string(key))
	c.left--
	return c.left >= 0, nil
}

func TestRateLimit(t *testing.T) {
	inv, l := everything(t), &countdown{left: 2}
	inv.Bindings.RateLimits = map[string]host.RateLimiter{"LIMITER": l}
	g := newGuest(t, inv)
	g.Memory().Grow(1)
	for _, tt := range []struct {
		want         int64
		binding, key string
	}{
		{1, "LIMITER", "a"}, {1, "LIMITER", ""}, {0, "LIMITER", "a"},
		{notFound, "LIMIT", "a"}, {notFound, "STORE", "a"}, {tooLarge, "LIMITER", strings.Repeat("k", 513)}, {0, "LIMITER", strings.Repeat("k", 512)},
	} {
		g.Want(tt.want, "rate_limit", g.puts(tt.binding, tt.key)...)
	}
	if got := strings.Join(l.keys, ","); got != "a,,a,"+strings.Repeat("k", 512) {
		t.Errorf("the keys were %q", got)
	}
	g.Want(notFound, "rate_limit", g.puts("NONE", "a")...)
	wantError(t, g, "[[ratelimits]]")
	g.End()
}
