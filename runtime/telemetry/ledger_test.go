package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// books are an Observer with a Ledger in a store.
type books struct {
	t        testing.TB
	observer *telemetry.Observer
	ledger   *telemetry.Ledger
}

func mustLedger(t testing.TB, store kv.Store, node string) *books {
	t.Helper()
	o := telemetry.NewObserver(telemetry.ObserverConfig{})
	l, err := telemetry.NewLedger(context.Background(), telemetry.LedgerConfig{Observer: o, Store: store, Node: node, Keep: 48 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return &books{t, o, l}
}

func (b *books) close() {
	b.t.Helper()
	if err := b.ledger.Close(); err != nil {
		b.t.Error(err)
	}
}

// use lets n Invocations happen.
func (b *books) use(n int, i invocation) {
	b.t.Helper()
	at := new(telemetry.Observed)
	for range n {
		i.run(b.t, b.observer, at)
	}
}

func (b *books) query(q telemetry.UsageQuery) telemetry.UsageReport {
	b.t.Helper()
	if q.Account == "" {
		q.Account = "local"
	}
	if q.From.IsZero() {
		q.From = time.Now().AddDate(0, -1, 0)
	}
	if q.To.IsZero() {
		q.To = time.Now().Add(time.Hour)
	}
	r, err := b.ledger.Query(b.t.Context(), q)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// requests are those in all.
func (b *books) requests() int64 { return b.query(telemetry.UsageQuery{}).Total.Requests }

func newStore() kv.Store { return memkv.New(memkv.Config{Now: time.Now}) }

func TestUsageSums(t *testing.T) {
	b := mustLedger(t, newStore(), "n1")
	defer b.close()
	used := host.Usage{Units: 7, CPU: 2 * time.Millisecond, Wall: 10 * time.Millisecond, PeakMemory: 1 << 30, BytesIn: 3, BytesOut: 4, Subrequests: 5, KVOperations: 6}
	b.use(2, invocation{usage: used})
	b.use(1, invocation{version: "v2", usage: used, ended: failed(host.OutcomeException, "x")})
	b.use(1, invocation{function: "other", usage: host.Usage{Units: 1}})
	b.use(5, invocation{account: "another"})
	var got []string
	r := b.query(telemetry.UsageQuery{Group: []string{"version"}})
	for _, u := range append(r.Usage, r.Total) {
		got = append(got, fmt.Sprintf("%s %s %d %v %d %.1f %.1f %.4f %d %d %d %d", u.Function, u.Version, u.Requests, u.Outcomes, u.Units, u.CPU, u.Wall, u.Memory, u.BytesIn, u.BytesOut, u.Fetches, u.KV))
	}
	want := []string{
		"other v1 1 map[ok:1] 1 0.0 0.0 0.0000 0 0 0 0",
		"shop v1 2 map[ok:2] 14 4.0 20.0 0.0200 6 8 10 12",
		"shop v2 1 map[exception:1] 7 2.0 10.0 0.0100 3 4 5 6",
		"  4 map[exception:1 ok:3] 22 6.0 30.0 0.0300 9 12 15 18",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What started them can be told apart, also after a restart.
func TestUsageByTrigger(t *testing.T) {
	store := newStore()
	defer store.Close()
	b := mustLedger(t, store, "n1")
	b.use(3, invocation{})
	b.use(2, invocation{trigger: host.TriggerKV, usage: host.Usage{Units: 5}})
	b.use(1, invocation{trigger: host.TriggerCron, ended: failed(host.OutcomeException, "x")})
	for range 2 {
		var got []string
		for _, u := range b.query(telemetry.UsageQuery{Group: []string{"function", "trigger"}}).Usage {
			got = append(got, fmt.Sprintf("%s %s %d %v %d", u.Function, u.Trigger, u.Requests, u.Outcomes, u.Units))
		}
		if want := []string{"shop cron 1 map[exception:1] 0", "shop http 3 map[ok:3] 0", "shop kv 2 map[ok:2] 10"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if r := b.query(telemetry.UsageQuery{Group: []string{"function"}}); len(r.Usage) != 1 || r.Usage[0].Requests != 6 || r.Usage[0].Trigger != "" {
			t.Errorf("got %+v", r.Usage)
		}
		b.close()
		b = mustLedger(t, store, "n1")
	}
	b.close()
}

// Hours are told apart and kept for as long as was said, across restarts.
func TestUsageByHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		defer store.Close()
		b := mustLedger(t, store, "n1")
		began := time.Now().UTC().Truncate(time.Hour)
		for n := range 4 {
			b.use(n+1, invocation{})
			time.Sleep(time.Hour)
		}
		b.close()
		b = mustLedger(t, store, "n1")
		b.use(10, invocation{})
		time.Sleep(time.Second)
		r := b.query(telemetry.UsageQuery{Group: []string{"hour"}, From: began})
		var got []int64
		for i, u := range r.Usage {
			if !u.From.Equal(began.Add(time.Duration(i) * time.Hour)) {
				t.Errorf("hour %d is %v", i, u.From)
			}
			got = append(got, u.Requests)
		}
		if !slices.Equal(got, []int64{1, 2, 3, 4, 10}) {
			t.Errorf("got %v by hour", got)
		}
		if r := b.query(telemetry.UsageQuery{From: began.Add(time.Hour), To: began.Add(3 * time.Hour)}); r.Total.Requests != 5 {
			t.Errorf("got %d in two hours", r.Total.Requests)
		}
		if r := b.query(telemetry.UsageQuery{Group: []string{"day"}, From: began}); len(r.Usage) != 1 || r.Usage[0].Requests != 20 {
			t.Errorf("got %+v by day", r.Usage)
		}
		time.Sleep(50 * time.Hour)
		if r := b.query(telemetry.UsageQuery{From: began}); r.Total.Requests != 0 {
			t.Errorf("%d after two days", r.Total.Requests)
		}
		b.close()
	})
}

// A node that ends at once loses what was counted after the last second, and
// counts nothing twice.
func TestUsageAfterCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		defer store.Close()
		total := int64(0)
		for run := range 50 { // crashes between checkpoints, right after, and in the next hour
			b := mustLedger(t, store, "n1")
			b.use(run+1, invocation{})
			total += int64(run + 1)
			time.Sleep(2500 * time.Millisecond) // between two flushes
			if stored := b.query(telemetry.UsageQuery{}).Stored; time.Since(stored) > time.Second {
				t.Errorf("run %d: stored as of %v ago", run, time.Since(stored))
			}
			b.use(3, invocation{}) // these are lost
			b.ledger.Crash()
			time.Sleep(time.Duration(run%10) * 11 * time.Minute)
			if run%5 == 4 {
				again := mustLedger(t, store, "n1") // which does nothing
				time.Sleep(70 * time.Second)
				again.ledger.Crash()
			}
		}
		b := mustLedger(t, store, "n1")
		if got := b.requests(); got != total {
			t.Errorf("got %d, want %d", got, total)
		}
		b.close()
	})
}

// Nodes of one store add up.
func TestUsageOfNodes(t *testing.T) {
	store := newStore()
	one, two := mustLedger(t, store, "n1"), mustLedger(t, store, "n2")
	one.use(1, invocation{})
	two.use(2, invocation{})
	one.close()
	if got := two.requests(); got != 3 {
		t.Errorf("got %d, want 3", got)
	}
	two.close()
}

// refusingStore refuses writes while it is full, and reads while it is away.
type refusingStore struct {
	kv.Store
	mu         sync.Mutex // guards what follows
	full, away bool
}

func (s *refusingStore) set(full, away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full, s.away = full, away
}

func (s *refusingStore) Put(ctx context.Context, key string, value []byte, opts kv.PutOptions) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return 0, kv.ErrNoSpace
	}
	return s.Store.Put(ctx, key, value, opts)
}

func (s *refusingStore) Get(ctx context.Context, key string) (kv.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return kv.Entry{}, errors.New("away")
	}
	return s.Store.Get(ctx, key)
}

// What a store does not take stays in memory until it does.
func TestUsageWithoutSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &refusingStore{Store: newStore()}
		defer store.Close()
		b := mustLedger(t, store, "n1")
		store.set(false, true)
		b.use(1, invocation{})
		time.Sleep(2 * time.Second)
		store.set(true, false)
		b.use(2, invocation{})
		time.Sleep(3 * time.Hour)
		if r := b.query(telemetry.UsageQuery{}); r.Total.Requests != 3 || time.Since(r.Stored) < 3*time.Hour {
			t.Errorf("got %d, stored %v ago", r.Total.Requests, time.Since(r.Stored))
		}
		store.set(false, false)
		time.Sleep(2 * time.Second)
		b.ledger.Crash()
		b = mustLedger(t, store, "n1")
		if got := b.requests(); got != 3 {
			t.Errorf("got %d after a crash, want 3", got)
		}
		b.close()
	})
}

// A record that is damaged is lost, and no other.
func TestUsageDamaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		defer store.Close()
		b := mustLedger(t, store, "n1")
		b.use(1, invocation{})
		b.use(1, invocation{account: "other"})
		b.close()
		if _, err := store.Put(t.Context(), "node/usage/local/"+time.Now().UTC().Format("2006-01-02T15")+"/n1", []byte("{"), kv.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		b = mustLedger(t, store, "n1")
		b.use(1, invocation{})
		other := b.query(telemetry.UsageQuery{Account: "other"}).Total.Requests
		if got := b.requests(); got != 1 || other != 1 {
			t.Errorf("got %d and %d, want 1 and 1", got, other)
		}
		b.close()
	})
}

// An account that is made anew does not see what the one before used.
func TestUsageForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		defer store.Close()
		b := mustLedger(t, store, "n1")
		b.use(1, invocation{})
		b.use(1, invocation{account: "localhost"})
		time.Sleep(90 * time.Minute)
		b.use(1, invocation{})
		time.Sleep(time.Second)
		if err := b.ledger.Forget(t.Context(), "local"); err != nil {
			t.Fatal(err)
		}
		other := b.query(telemetry.UsageQuery{Account: "localhost"}).Total.Requests
		if got := b.requests(); got != 0 || other != 1 {
			t.Errorf("got %d and %d, want 0 and 1", got, other)
		}
		b.ledger.Crash()
		b = mustLedger(t, store, "n1")
		if got := b.requests(); got != 0 {
			t.Errorf("%d are back", got)
		}
		b.close()
	})
}

// Versions that serve no more are forgotten, and counted when they serve again,
// also by those who found them before.
func TestUsageOfIdleVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		defer store.Close()
		b := mustLedger(t, store, "n1")
		at := new(telemetry.Observed)
		invocation{}.run(t, b.observer, at)
		time.Sleep(62 * time.Minute)
		if n := b.observer.Versions(); n != 0 {
			t.Errorf("%d Versions are looked at after an hour", n)
		}
		for range 3 {
			invocation{}.run(t, b.observer, at)
			time.Sleep(time.Second)
		}
		if n := b.observer.Versions(); n != 1 {
			t.Errorf("%d Versions, want 1", n)
		}
		if got := b.requests(); got != 4 {
			t.Errorf("got %d, want 4", got)
		}
		b.close()
	})
}

// Nothing is lost or counted twice while many count and the Ledger writes.
func TestUsageConcurrently(t *testing.T) {
	store := newStore()
	b := mustLedger(t, store, "n1")
	var all, flushing sync.WaitGroup
	done := make(chan struct{})
	flushing.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if err := b.ledger.Flush(t.Context()); err != nil {
				t.Error(err)
			}
			b.requests()
		}
	})
	at := new(telemetry.Observed)
	for range 8 {
		all.Go(func() {
			for range 500 {
				invocation{}.run(t, b.observer, at)
			}
		})
	}
	all.Wait()
	close(done)
	flushing.Wait()
	b.close()
	b = mustLedger(t, store, "n1")
	if got := b.requests(); got != 4000 {
		t.Errorf("got %d, want 4000", got)
	}
	b.close()
}

func TestUsageQueryCheck(t *testing.T) {
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		q    telemetry.UsageQuery
		want string
	}{
		{telemetry.UsageQuery{From: now, To: now.Add(1), Group: telemetry.UsageGroups()}, ""},
		{telemetry.UsageQuery{From: now, To: now}, "from is 2026-11-26T00:00:00Z, and to is 2026-11-26T00:00:00Z, which is not later"},
		{telemetry.UsageQuery{From: now, To: now.Add(1), Group: []string{"month"}}, `group "month" is none of [function version trigger hour day]`},
	} {
		got := ""
		if err := tt.q.Check(); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
