package kvtest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
)

// testHammer writes, reads, deletes and lists a few keys from many goroutines.
// Whatever is read was written as a whole: value and metadata belong together.
func testHammer(t *testing.T, f *fixture) {
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 0))
			for range 150 {
				if err := hammer(f, r); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func hammer(store kv.Store, r *rand.Rand) error {
	key := fmt.Sprint("key/", r.IntN(4))
	switch r.IntN(4) {
	case 0:
		size := []int{3, 2000, 50 << 10}[r.IntN(3)]
		value := bytes.Repeat([]byte{byte(r.IntN(256))}, size)
		_, err := store.Put(background(), key, value, kv.PutOptions{Metadata: fmt.Append(nil, size, value[0])})
		return err
	case 1:
		if r.IntN(4) > 0 {
			return nil
		}
		return store.Delete(background(), key, kv.DeleteOptions{})
	case 2:
		_, err := store.List(background(), kv.ListOptions{Prefix: "key/", Limit: 2})
		return err
	}
	return getWhole(store, key)
}

// getWhole reads an entry, if there is one, that has the length and the first
// byte of its value as metadata and repeats that byte.
func getWhole(store kv.Store, key string) error {
	e, err := store.Get(background(), key)
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if want := fmt.Append(nil, len(e.Value), e.Value[0]); !bytes.Equal(e.Metadata, want) {
		return fmt.Errorf("got %s, want metadata %s", show(e), want)
	}
	if want := bytes.Repeat(e.Value[:1], len(e.Value)); !bytes.Equal(e.Value, want) {
		return fmt.Errorf("got a mix of two values: %s", show(e))
	}
	return nil
}

// testReadWhileWriting reads a key as fast as it can while the key is written.
func testReadWhileWriting(t *testing.T, f *fixture) {
	var wg sync.WaitGroup
	var written atomic.Bool
	for range 4 {
		wg.Go(func() {
			for !written.Load() {
				if err := getWhole(f, "k"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	const size = 40 << 10
	for i := range 40 {
		value := bytes.Repeat([]byte{byte(i)}, size)
		if _, err := f.Put(t.Context(), "k", value, kv.PutOptions{Metadata: fmt.Append(nil, size, value[0])}); err != nil {
			t.Errorf("Put: %v", err)
		}
	}
	written.Store(true)
	wg.Wait()
}
