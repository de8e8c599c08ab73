package control

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// uploadsPerAccount and uploadsOfNode bound how many uploads are under way: each
	// keeps a compiler, or the disk, busy.
	uploadsPerAccount = 2
	uploadsOfNode     = 16
	// uncounted is the length up to which a body takes no part of the memory for
	// bodies, in bytes.
	uncounted = 64 << 10
)

// uploads bound what clients send: how many uploads are under way, and how much
// memory their bodies take.
type uploads struct {
	patience time.Duration
	memory   int64 // bytes of an account
	node     uploadShare

	mu       sync.Mutex // guards accounts
	accounts map[string]*uploadShare
}

// uploadShare is what the node has, or an account.
type uploadShare struct{ number, memory *semaphore.Weighted }

// newUploads has memory for all accounts; each may take half of it.
func newUploads(memory int64, patience time.Duration) *uploads {
	return &uploads{patience: patience, memory: memory / 2,
		node:     uploadShare{semaphore.NewWeighted(uploadsOfNode), semaphore.NewWeighted(memory)},
		accounts: map[string]*uploadShare{}}
}

func (u *uploads) of(account string) *uploadShare {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.accounts[account]
	if s == nil {
		s = &uploadShare{semaphore.NewWeighted(uploadsPerAccount), semaphore.NewWeighted(u.memory)}
		u.accounts[account] = s
	}
	return s
}

// takeUpload waits until the account and the node may have one more upload, with a
// body of at most most bytes. The caller calls done.
func (r *request) takeUpload(most int64) (done func(), err error) {
	u, account := r.api.uploads, r.api.uploads.of(r.account())
	if err := account.number.Acquire(r.Context(), 1); err != nil { // for its own it can wait
		return nil, err
	}
	leave, err := r.take(u.node.number, 1)
	if err != nil {
		account.number.Release(1)
		return nil, err
	}
	release, err := r.hold(most)
	if err != nil {
		leave()
		account.number.Release(1)
		return nil, err
	}
	return func() { release(); leave(); account.number.Release(1) }, nil
}

// hold waits until there is memory for a body of at most most bytes. The caller
// calls done.
func (r *request) hold(most int64) (done func(), err error) {
	length := r.ContentLength
	if length < 0 || length > most { // what is longer is refused
		length = most
	}
	if length <= uncounted {
		return func() {}, nil
	}
	u := r.api.uploads
	length = min(length, u.memory)
	ofAccount, err := r.take(u.of(r.account()).memory, length)
	if err != nil {
		return nil, err
	}
	ofNode, err := r.take(u.node.memory, length)
	if err != nil {
		ofAccount()
		return nil, err
	}
	return func() { ofNode(); ofAccount() }, nil
}

// take waits for a part of what others have, but not for long.
func (r *request) take(from *semaphore.Weighted, n int64) (done func(), err error) {
	ctx, cancel := context.WithTimeout(r.Context(), r.api.uploads.patience)
	defer cancel()
	if err := from.Acquire(ctx, n); err != nil {
		if r.Context().Err() != nil {
			return nil, r.Context().Err()
		}
		r.reply.Header().Set("Retry-After", "10")
		r.reply.Header().Set("Connection", "close") // or the answer waits for the body
		return nil, &failure{http.StatusServiceUnavailable, 0, "others are uploading as much as the node has room for; try again in a moment"}
	}
	return func() { from.Release(n) }, nil
}
