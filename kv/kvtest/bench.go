package kvtest

import (
	"fmt"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
)

// Bench measures an implementation on 10,000 entries of 100 bytes, and on one
// large value. open returns an empty store; the kit closes it.
func Bench(b *testing.B, open func(b *testing.B) kv.Store) {
	for _, c := range []struct {
		name string
		run  func(b *testing.B, store kv.Store)
	}{
		{"Get", benchGet},
		{"GetParallel", benchGetParallel},
		{"GetAbsent", benchGetAbsent},
		{"GetWhileWriting", benchGetWhileWriting},
		{"Get1MiB", benchGetLarge},
		{"Put", benchPut},
		{"PutParallel", benchPutParallel},
		{"List1000", benchList},
	} {
		b.Run(c.name, func(b *testing.B) {
			store := open(b)
			defer store.Close()
			fill(b, store)
			b.ReportAllocs()
			b.ResetTimer()
			c.run(b, store)
			b.StopTimer()
		})
	}
}

const benchKeys = 10_000

func benchKey(i int) string { return fmt.Sprintf("bench/%06d", i%benchKeys) }

func fill(b *testing.B, store kv.Store) {
	value := pattern(100)
	next := make(chan int)
	done := make(chan error, 64)
	for range cap(done) {
		go func() {
			var failed error
			for i := range next {
				if _, err := store.Put(background(), benchKey(i), value, kv.PutOptions{}); err != nil {
					failed = err
				}
			}
			done <- failed
		}()
	}
	for i := range benchKeys {
		next <- i
	}
	close(next)
	for range cap(done) {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

func get(b *testing.B, store kv.Store, key string) {
	if _, err := store.Get(background(), key); err != nil {
		b.Error(err)
	}
}

func benchGet(b *testing.B, store kv.Store) {
	key := benchKey(42)
	for b.Loop() {
		get(b, store, key)
	}
}

func benchGetParallel(b *testing.B, store kv.Store) {
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			get(b, store, benchKey(i))
		}
	})
}

func benchGetAbsent(b *testing.B, store kv.Store) {
	for b.Loop() {
		if _, err := store.Get(background(), "bench/absent"); err == nil {
			b.Fatal("got an entry")
		}
	}
}

func benchGetWhileWriting(b *testing.B, store kv.Store) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				store.Put(background(), "bench/writer", pattern(100), kv.PutOptions{}) // only to make load
			}
		}
	}()
	benchGet(b, store)
	close(stop)
	<-stopped
}

func benchGetLarge(b *testing.B, store kv.Store) {
	if _, err := store.Put(background(), "large", pattern(1<<20), kv.PutOptions{}); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(1 << 20)
	for b.Loop() {
		get(b, store, "large")
	}
}

func put(b *testing.B, store kv.Store, key string, value []byte) {
	if _, err := store.Put(background(), key, value, kv.PutOptions{}); err != nil {
		b.Error(err)
	}
}

func benchPut(b *testing.B, store kv.Store) {
	value := pattern(100)
	i := 0
	for b.Loop() {
		put(b, store, benchKey(i), value)
		i++
	}
}

func benchPutParallel(b *testing.B, store kv.Store) {
	value := pattern(100)
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			put(b, store, benchKey(i), value)
		}
	})
}

func benchList(b *testing.B, store kv.Store) {
	for b.Loop() {
		if page, err := store.List(background(), kv.ListOptions{Prefix: "bench/"}); err != nil || len(page.Entries) != 1000 {
			b.Fatalf("got %d entries, %v", len(page.Entries), err)
		}
	}
}
