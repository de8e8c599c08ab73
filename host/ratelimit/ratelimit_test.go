package ratelimit_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host/ratelimit"
)

// take counts n events and returns how many were within the limit.
func take(t testing.TB, l *ratelimit.Limiter, key string, n int) (within int) {
	t.Helper()
	for range n {
		ok, err := l.Limit([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			within++
		}
	}
	return within
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New().Open("local", "1001", 10, 10*time.Second)
		for _, step := range []struct {
			after      time.Duration
			tries, got int
		}{
			{0, 12, 10},                     // the whole period
			{9 * time.Second, 3, 0},         // all of them within the last ten seconds
			{time.Second, 3, 0},             // the next window begins: ten tenths of them count
			{3 * time.Second, 5, 3},         // three tenths of them are over
			{7 * time.Second, 12, 7},        // three of the window before are left
			{20 * time.Second, 12, 10},      // nothing is left
			{365 * 24 * time.Hour, 100, 10}, // nor later
		} {
			time.Sleep(step.after)
			if got := take(t, l, "client", step.tries); got != step.got {
				t.Errorf("after %v more: %d of %d were within the limit, want %d", step.after, got, step.tries, step.got)
			}
		}
	})
}

// In no period that begins where it likes are there more than twice as many events
// as the limit, and in the long run there are as many as it allows.
func TestLongRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, period = 50, 10 * time.Second
		l := ratelimit.New().Open("local", "1", limit, period)
		var all []time.Time
		for range 10_000 {
			if take(t, l, "k", 1) == 1 {
				all = append(all, time.Now())
			}
			time.Sleep(37 * time.Millisecond)
		}
		for i := range all {
			n := 0
			for j := i; j < len(all) && all[j].Sub(all[i]) < period; j++ {
				n++
			}
			if n > limit*3/2 {
				t.Fatalf("%d events within one period, limit is %d", n, limit)
			}
		}
		if want := 370 / 10 * limit; len(all) < want*8/10 || len(all) > want*11/10 {
			t.Errorf("%d events in 370 seconds, want about %d", len(all), want)
		}
	})
}

// What counts together: namespace, period and account.
func TestShared(t *testing.T) { synctest.Test(t, testShared) } // so that no period ends meanwhile

func testShared(t *testing.T) {
	limits := ratelimit.New()
	first := limits.Open("local", "1001", 5, time.Minute)
	if got := take(t, first, "k", 5); got != 5 {
		t.Fatalf("%d of 5", got)
	}
	for name, tt := range map[string]struct {
		limiter *ratelimit.Limiter
		key     string
		want    int
	}{
		"the same":             {limits.Open("local", "1001", 5, time.Minute), "k", 0},
		"with another limit":   {limits.Open("local", "1001", 7, time.Minute), "k", 2},
		"another key":          {first, "K", 5},
		"no key":               {first, "", 5},
		"another period":       {limits.Open("local", "1001", 5, 10*time.Second), "k", 5},
		"another namespace":    {limits.Open("local", "1002", 5, time.Minute), "k", 5},
		"another account":      {limits.Open("shop", "1001", 5, time.Minute), "k", 5},
		"another node":         {ratelimit.New().Open("local", "1001", 5, time.Minute), "k", 5},
		"a key like a prefix":  {limits.Open("local", "1001/60", 5, time.Minute), "/k", 5},
		"a key with a newline": {first, "k\n", 5},
	} {
		if got := take(t, tt.limiter, tt.key, 10); got != tt.want {
			t.Errorf("%s: %d are within the limit, want %d", name, got, tt.want)
		}
	}
}

// A client that invents keys takes no more than the account's room, and does not
// displace a key at its limit, nor anything of other accounts.
func TestManyKeys(t *testing.T) { synctest.Test(t, testManyKeys) } // so that no period ends meanwhile

func testManyKeys(t *testing.T) {
	limits := ratelimit.New()
	l, other := limits.Open("local", "1", 100, time.Minute), limits.Open("shop", "1", 1, time.Minute)
	take(t, l, "at its limit", 100)
	take(t, other, "k", 1)
	for n := range ratelimit.MaxKeys * 5 / 4 {
		take(t, l, fmt.Sprint("invented ", n), 1)
	}
	if n := limits.Keys("local"); n > ratelimit.MaxKeys || n < ratelimit.MaxKeys*8/10 {
		t.Errorf("%d keys are kept, want %d at most, and nearly", n, ratelimit.MaxKeys)
	}
	if take(t, l, "at its limit", 1) != 0 {
		t.Error("the key at its limit was forgotten")
	}
	if take(t, other, "k", 1) != 0 {
		t.Error("the key of another account was forgotten")
	}
}

// Keys that do not count any more make room first.
func TestOldKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := ratelimit.New()
		l := limits.Open("local", "1", 100, 10*time.Second)
		for n := range ratelimit.MaxKeys {
			take(t, l, fmt.Sprint("old ", n), 2)
		}
		time.Sleep(30 * time.Second)
		for n := range ratelimit.MaxKeys / 2 {
			take(t, l, fmt.Sprint("new ", n), 1)
		}
		const asked = 1000
		kept := 0
		for n := range asked {
			kept += 100 - take(t, l, fmt.Sprint("new ", n), 100)
		}
		if kept < asked*99/100 {
			t.Errorf("%d of %d new keys are known, though old ones were there to go", kept, asked)
		}
	})
}

func TestConcurrent(t *testing.T) { synctest.Test(t, testConcurrent) } // so that no period ends meanwhile

func testConcurrent(t *testing.T) {
	limits := ratelimit.New()
	var within atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			l := limits.Open("local", "1", 1000, time.Minute)
			for n := range 1000 {
				within.Add(int64(take(t, l, "shared", 1)))
				take(t, l, fmt.Sprint(n), 1)
			}
		})
	}
	all.Wait()
	if n := within.Load(); n != 1000 {
		t.Errorf("%d are within the limit of 1000", n)
	}
}

func TestAllocations(t *testing.T) {
	l, key := ratelimit.New().Open("local", "1", 10, time.Minute), []byte("client")
	if n := testing.AllocsPerRun(100, func() { l.Limit(key) }); n != 0 {
		t.Errorf("a known key allocates %v times", n)
	}
}

func BenchmarkLimit(b *testing.B) {
	l := ratelimit.New().Open("local", "1", 1_000_000_000, time.Minute)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		key := []byte("client")
		for pb.Next() {
			l.Limit(key)
		}
	})
}
