package space_test

import (
	"context"
	"fmt"

	"github.com/mayfly-run/mayfly/kv"
)

// blocking says that a write is under way and waits.
type blocking struct {
	kv.Store
	entered, leave chan struct{}
}

func (s *blocking) Put(ctx context.Context, key string, value []byte, opts kv.PutOptions) (uint64, error) {
	s.entered <- struct{}{}
	<-s.leave
	return s.Store.Put(ctx, key, value, opts)
}

// failing fails every write.
type failing struct {
	kv.Store
	cause error
}

func (s failing) Put(context.Context, string, []byte, kv.PutOptions) (uint64, error) {
	return 0, fmt.Errorf("write: %w", s.cause)
}
