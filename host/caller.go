package host

import (
	"net/netip"
	"strings"
	"sync/atomic"
)

// Caller is an Invocation as those see it that it calls, directly or not. It is
// immutable but for a counter, and safe for concurrent use.
type Caller struct {
	Account  string
	Function string
	ID       string     // of the request
	Client   netip.Addr // who waits for the first Invocation of the chain
	Up       *Caller    // who called this one; nil for the first of the chain
	Depth    int        // how many are above it
	called   *atomic.Int32
}

// How far Functions may call Functions for one request: Cloudflare's limits
// (https://developers.cloudflare.com/workers/runtime-apis/bindings/service-bindings/#limits).
const (
	MaxCallDepth = 16 // Invocations that wait for one another
	MaxCalls     = 32 // Invocations in all, the first one included
)

// asCaller is the Invocation as its callees see it.
func (c *Call) asCaller() *Caller {
	if c.self != nil {
		return c.self
	}
	c.self = &Caller{Account: c.Bindings.Account, Function: c.Bindings.Function, ID: c.ID, Client: c.Request.Client, Up: c.Caller}
	if c.Caller == nil {
		c.self.called = new(atomic.Int32)
		c.self.called.Store(1)
		return c.self
	}
	c.self.Depth, c.self.called = c.Caller.Depth+1, c.Caller.called
	return c.self
}

// Enter counts another Invocation, of the Function callee, in the chain. It
// refuses one that would be too deep, which is how loops end, or one too many.
func (c *Caller) Enter(callee string) *Error {
	if c.Depth+1 >= MaxCallDepth {
		return Errorf(CodeLimit, "Functions called one another %d deep, as a loop does, and no further: %s", MaxCallDepth, c.path(callee))
	}
	if c.called.Add(1) > MaxCalls {
		return Errorf(CodeLimit, "one request may lead to %d invocations of Functions, and these are used up", MaxCalls)
	}
	return nil
}

// pathLength is how many Functions of a chain a message names.
const pathLength = 5

// path names the last Functions of the chain, callee last.
func (c *Caller) path(callee string) string {
	names := callee
	for n := 1; c != nil; c, n = c.Up, n+1 {
		if n == pathLength {
			return "... > " + names
		}
		names = strings.Join([]string{c.Function, names}, " > ")
	}
	return names
}
