package control

import (
	"context"
	"sync"
)

// uploadsPerAccount bounds how many uploads of one account are under way: each
// holds a module in memory and keeps a compiler busy.
const uploadsPerAccount = 2

// slots give each account its share of something. The zero value is ready.
type slots struct {
	mu      sync.Mutex // guards account
	account map[string]chan struct{}
}

// take waits for a slot. The caller calls done.
func (s *slots) take(ctx context.Context, account string) (done func(), err error) {
	slot := s.of(account)
	select {
	case slot <- struct{}{}:
		return func() { <-slot }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *slots) of(account string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.account == nil {
		s.account = map[string]chan struct{}{}
	}
	if s.account[account] == nil {
		s.account[account] = make(chan struct{}, uploadsPerAccount)
	}
	return s.account[account]
}
