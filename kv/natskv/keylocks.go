package natskv

import (
	"context"
	"slices"
	"sync"
)

// keyLocks keep those who do something with the same key waiting for each other, and
// nobody else: what is done may take minutes. The zero value is ready to use.
type keyLocks struct {
	mu    sync.Mutex // guards byKey and the users in it
	byKey map[string]*keyLock
}

type keyLock struct {
	turn  chan struct{} // of one: held by who has put something in
	users int           // who hold it or wait for it
}

// lock waits for a key's turn, or for the end of ctx.
func (l *keyLocks) lock(ctx context.Context, key string) (unlock func(), err error) {
	lock := l.enter(key)
	select {
	case lock.turn <- struct{}{}:
		return func() {
			<-lock.turn
			l.leave(key, lock)
		}, nil
	case <-ctx.Done():
		l.leave(key, lock)
		return nil, ctx.Err()
	}
}

// lockAll takes the locks of keys, none of which is there twice, in one order for
// everybody.
func (l *keyLocks) lockAll(ctx context.Context, keys []string) (unlock func(), err error) {
	var unlocks []func()
	unlock = func() {
		for _, u := range unlocks {
			u()
		}
	}
	for _, key := range slices.Sorted(slices.Values(keys)) {
		u, err := l.lock(ctx, key)
		if err != nil {
			unlock()
			return nil, err
		}
		unlocks = append(unlocks, u)
	}
	return unlock, nil
}

func (l *keyLocks) enter(key string) *keyLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	lock, ok := l.byKey[key]
	if !ok {
		if l.byKey == nil {
			l.byKey = map[string]*keyLock{}
		}
		lock = &keyLock{turn: make(chan struct{}, 1)}
		l.byKey[key] = lock
	}
	lock.users++
	return lock
}

func (l *keyLocks) leave(key string, lock *keyLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lock.users--; lock.users == 0 {
		delete(l.byKey, key)
	}
}
