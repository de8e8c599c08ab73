package host_test

import (
	"context"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

// chain is the Caller that fetching from a binding shows, for a Call under above.
func chain(t *testing.T, function string, above *host.Caller) *host.Caller {
	t.Helper()
	seen := make(chan *host.Caller, 1)
	c := begin(t, host.Limits{Subrequests: 1, OpenConnections: 1})
	c.Bindings, c.Caller = &host.Bindings{Account: "local", Function: function}, above
	_, err := c.FetchFrom(hosttest.Fetcher(func(_ context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
		seen <- req.Caller
		return nil, host.Errorf(host.CodeUnavailable, "nobody is there")
	}), &host.FetchRequest{}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	caller := <-seen
	c.End(nil)
	return caller
}

func TestCallerDepth(t *testing.T) {
	caller := chain(t, "f0", nil)
	for depth := 1; depth < host.MaxCallDepth; depth++ {
		if err := caller.Enter("next"); err != nil {
			t.Fatalf("depth %d is refused: %v", depth, err)
		}
		caller = chain(t, "f"+string(rune('0'+depth%10)), caller)
		if caller.Depth != depth {
			t.Fatalf("depth is %d, want %d", caller.Depth, depth)
		}
	}
	err := caller.Enter("f6")
	if err == nil || err.Code != host.CodeLimit || !strings.HasSuffix(err.Msg, ": ... > f2 > f3 > f4 > f5 > f6") {
		t.Errorf("one too deep is refused with %v", err)
	}
}

func TestCallerCount(t *testing.T) {
	first := chain(t, "first", nil)
	second := chain(t, "second", first)
	for n := 1; n < host.MaxCalls; n++ { // the first is one of them
		caller := first
		if n%2 == 0 {
			caller = second
		}
		if err := caller.Enter("third"); err != nil {
			t.Fatalf("invocation %d is refused: %v", n+1, err)
		}
	}
	for _, caller := range []*host.Caller{first, second} {
		if err := caller.Enter("third"); err == nil || err.Code != host.CodeLimit {
			t.Errorf("one too many: got %v, want limit", err)
		}
	}
}
