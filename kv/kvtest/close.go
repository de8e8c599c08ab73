package kvtest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
)

func testClose(t *testing.T, f *fixture) {
	f.mustPut(t, "k", "v", kv.PutOptions{})
	for range 2 {
		if err := f.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	ctx := t.Context()
	_, err := f.Get(ctx, "k")
	wantErr(t, "Get", err, kv.ErrClosed)
	_, err = f.Put(ctx, "k", nil, kv.PutOptions{})
	wantErr(t, "Put", err, kv.ErrClosed)
	wantErr(t, "Delete", f.Delete(ctx, "k", kv.DeleteOptions{}), kv.ErrClosed)
	_, err = f.List(ctx, kv.ListOptions{})
	wantErr(t, "List", err, kv.ErrClosed)
	_, err = f.Watch(ctx, "")
	wantErr(t, "Watch", err, kv.ErrClosed)
}

// testCloseUnderLoad closes while every method is being called: each call
// either works or says that the store is closed.
func testCloseUnderLoad(t *testing.T, f *fixture) {
	var wg, started sync.WaitGroup
	for i := range 6 {
		started.Add(1)
		wg.Go(func() {
			for n := 0; ; n++ {
				err := anyCall(f, i, n)
				if n == 0 {
					started.Done()
				}
				if errors.Is(err, kv.ErrClosed) {
					return
				}
				if err != nil && !errors.Is(err, kv.ErrNotFound) {
					t.Errorf("call %d: %v", i, err)
				}
			}
		})
	}
	started.Wait()
	if err := f.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	wg.Wait()
}

func anyCall(store kv.Store, kind, n int) error {
	key := fmt.Sprint(n % 10)
	var err error
	switch kind % 5 {
	case 0:
		_, err = store.Get(background(), key)
	case 1:
		_, err = store.Put(background(), key, pattern(n%5000), kv.PutOptions{})
	case 2:
		err = store.Delete(background(), key, kv.DeleteOptions{})
	case 3:
		_, err = store.List(background(), kv.ListOptions{})
	case 4:
		var w kv.Watcher
		if w, err = store.Watch(background(), ""); err == nil {
			err = w.Close()
		}
	}
	return err
}
