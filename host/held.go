package host

import (
	"context"

	"github.com/mayfly-run/mayfly/kv"
)

// Memory is a part of the node's memory, shared with other Invocations.
type Memory interface {
	// Take reports whether n bytes were left, and takes them.
	Take(n int64) bool
	Give(n int64)
}

// Hold counts n bytes that the host is about to keep for the guest outside the
// guest's memory, such as a request's body on its way. It fails when
// Limits.Held would be exceeded, or the node has no room. Release gives them back.
// Both may be called from any goroutine of this Invocation.
func (c *Call) Hold(n int) *Error {
	if c.held.Add(int64(n)) > c.Limits.Held {
		c.held.Add(-int64(n))
		return Errorf(CodeLimit, "the values and bodies held for this invocation would exceed %d bytes; close operations that are done", c.Limits.Held)
	}
	if c.Memory != nil && !c.Memory.Take(int64(n)) {
		c.held.Add(-int64(n))
		return Errorf(CodeLimit, "the node has no memory left for values and bodies")
	}
	return nil
}

// Release ends what Hold began.
func (c *Call) Release(n int) {
	c.held.Add(-int64(n))
	if c.Memory != nil {
		c.Memory.Give(int64(n))
	}
}

// MayOperate fails once the operations on stores are used up that Limits allow. Each
// counts in Usage.KVOperations.
func (c *Call) MayOperate() error {
	if c.Usage.KVOperations >= c.Limits.KVOperations {
		return Errorf(CodeLimit, "the limit of %d operations of KV and queues per invocation is used up", c.Limits.KVOperations)
	}
	return nil
}

// maxInStores is how many operations of one Invocation are in a store at the
// same time. What an operation returns is held only once its size is known, so
// that this bounds by how much Limits.Held can be exceeded for a moment.
const maxInStores = 8

// ReadInStore gives done an entry: at once where the store has it at hand, or else
// beside the guest as StartInStore does.
func (c *Call) ReadInStore(ctx context.Context, store kv.Store, key string, done func(kv.Entry, error)) Task {
	if e, ok, err := kv.GetLocal(ctx, store, key); ok {
		done(e, err)
		return Task{}
	}
	return c.StartInStore(ctx, func(ctx context.Context) { done(store.Get(ctx, key)) })
}

// StartInStore is Start for work on a store, which may wait for its turn. It
// does not wait once ctx has ended: a store then returns at once.
func (c *Call) StartInStore(ctx context.Context, work func(ctx context.Context)) Task {
	turn := c.stores.ask(maxInStores)
	return c.Start(func(context.Context) {
		defer c.stores.giveBack(turn)
		select {
		case <-turn:
		case <-ctx.Done():
		}
		work(ctx)
	})
}
