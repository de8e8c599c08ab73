package trigger_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// stoppedStore is that of a process that is stopped once it has claimed an event: no
// write after that is done before it goes on.
type stoppedStore struct {
	kv.Store
	last    string        // the key that is written yet, once
	goOn    chan struct{} // closed
	stopped atomic.Bool
	written atomic.Bool // last
}

func (s *stoppedStore) Put(ctx context.Context, key string, value []byte, opts kv.PutOptions) (uint64, error) {
	if s.stopped.Load() && !(key == s.last && s.written.CompareAndSwap(false, true)) {
		<-s.goOn
	}
	if strings.HasPrefix(key, "node/cron-claims/") {
		s.stopped.Store(true)
	}
	return s.Store.Put(ctx, key, value, opts)
}

// startStopped starts a node that stops at its first claim.
func (w *clockwork) startStopped(node, last string) (c *trigger.Cron, goOn func()) {
	w.t.Helper()
	shared, stopped := w.store, &stoppedStore{Store: w.store, last: last, goOn: make(chan struct{})}
	w.store = stopped
	defer func() { w.store = shared }()
	return w.start(node), func() { close(stopped.goOn) }
}

// wantLost checks a run of node a that it has never begun.
func wantLost(t *testing.T, r trigger.Run) {
	t.Helper()
	const why = "the node took the event, and ended before it could record that the run began"
	if r.Node != "a" || r.Missed != 1 || r.Started != nil || r.Cron != "1 0 * * *" || r.Error != why {
		t.Errorf("got %+v", r)
	}
}

// What a node has claimed and never begun is missed: other nodes tell, once its lease is
// over, and it itself does when it is started again.
func TestCronClaimedAndNotRun(t *testing.T) {
	for at, last := range map[string]string{"its claim": "", "its lease": "node/leases/a"} {
		t.Run("stopped after "+at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newClockwork(t, "1 0 * * *")
				dead, goOn := w.startStopped("a", last)
				time.Sleep(61 * time.Second)
				other := w.start("b")
				w.wantRuns(other, "job")
				time.Sleep(10 * time.Minute)
				wantLost(t, w.wantRuns(other, "job", "00:01 missed")[0])
				w.wantRan()
				again := w.start("a")
				time.Sleep(10 * time.Minute)
				w.wantRuns(again, "job", "00:01 missed")
				if n := strings.Count(w.log.String(), `msg="cron trigger missed" account=local function=job cron="1 0 * * *"`); n != 1 {
					t.Errorf("it is logged %d times: %s", n, w.log)
				}
				goOn() // it was not dead
				w.wantRuns(other, "job", "00:01 ok")
				for _, c := range []*trigger.Cron{dead, other, again} {
					endCron(c)
				}
			})
		})
	}
}

func TestCronClaimedAndStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t, "1 0 * * *")
		key := fmt.Sprintf("node/cron-claims/local/job/%d/9 9 * * *", time.Now().Unix()/60)
		if _, err := w.store.Put(t.Context(), key, []byte("a/older"), kv.PutOptions{Expires: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		dead, goOn := w.startStopped("a", "")
		time.Sleep(75 * time.Second)
		again := w.start("a")
		wantLost(t, w.wantRuns(again, "job", "00:01 missed")[0])
		w.wantRan()
		goOn()
		endCron(again)
		endCron(dead)
	})
}

// A report of what was missed is not lost either.
func TestCronClaimedReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t, "*/15 * * * *")
		before := w.start("a")
		time.Sleep(61 * time.Second)
		endCron(before)
		time.Sleep(35 * time.Minute) // 36:01
		dead, goOn := w.startStopped("a", "")
		time.Sleep(time.Second)
		other := w.start("b")
		w.wantRuns(other, "job")
		time.Sleep(8 * time.Minute)
		list := w.wantRuns(other, "job", "00:30 missed")
		if list[0].Missed != 2 || list[0].Node != "a" || list[0].Error != "" {
			t.Errorf("got %+v", list[0])
		}
		goOn()
		endCron(dead)
		endCron(other)
	})
}

// Of more events than runs are kept, none is called missed that may have been run.
func TestCronClaimsWithoutRuns(t *testing.T) {
	for _, test := range []struct {
		name   string
		runs   int
		oldest time.Duration // began so long after the claim
		want   bool
	}{
		{"as many as are kept, all later", 100, time.Millisecond, false},
		{"as many as are kept, from before", 100, -time.Minute, true},
		{"all later, and more would be kept", 99, time.Millisecond, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newClockwork(t, "1 0 * * *")
				dead, goOn := w.startStopped("a", "")
				time.Sleep(time.Minute)
				oldest := time.Now().UTC().Add(test.oldest)
				list := slices.Repeat([]trigger.Run{{Outcome: "refused", Due: oldest, Identity: "later"}}, test.runs)
				list[test.runs/2] = trigger.Run{Outcome: "ok", Due: oldest, Started: &oldest, Identity: "oldest"}
				data, err := json.Marshal(list)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.store.Put(t.Context(), "node/runs/local/job", data, kv.PutOptions{}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(15 * time.Second)
				again := w.start("a")
				got, err := again.Runs(t.Context(), w.functions[0])
				if is := got[0].Outcome == "missed"; err != nil || is != test.want {
					t.Errorf("the first is %+v, %v; want it missed: %v", got[0], err, test.want)
				}
				goOn()
				endCron(again)
				endCron(dead)
			})
		})
	}
}

// What waits for a place is not missed.
func TestCronClaimedAndWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t)
		w.wait = make(chan struct{})
		for i := range 150 {
			w.set(fmt.Sprintf("f%d", i), "1 0 * * *")
		}
		busy := w.start("a")
		time.Sleep(61 * time.Second)
		other := w.start("b")
		time.Sleep(20 * time.Minute)
		for _, f := range w.functions {
			list, err := other.Runs(t.Context(), f)
			if err != nil || len(list) > 0 && list[0].Outcome != "running" {
				t.Errorf("%s: got %+v, %v", f.Name, list, err)
			}
		}
		close(w.wait)
		synctest.Wait()
		if len(w.ran) != 150 {
			t.Errorf("%d have run, want 150", len(w.ran))
		}
		endCron(busy)
		endCron(other)
	})
}

// A node starts although its store can't be written yet, and records what its last
// process left once it can.
func TestCronCleansUpLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t, "1 0 * * *")
		w.set("other", "1 0 * * *")
		w.wait = make(chan struct{})
		killed := w.start("a")
		time.Sleep(61 * time.Second)
		away := &refusingStore{Store: w.store}
		away.on.Store(true)
		away.all.Store(true)
		w.store = away
		again := w.start("a")
		time.Sleep(5 * time.Minute)
		w.wantRuns(again, "job", "00:01 running")
		away.on.Store(false)
		time.Sleep(time.Minute)
		w.wantRuns(again, "job", "00:01 interrupted")
		w.wantRuns(again, "other", "00:01 interrupted")
		close(w.wait)
		endCron(killed)
		endCron(again)
	})
}

// Neither a Function that had the name before, nor one that is gone, has missed anything.
func TestCronClaimsOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t, "1 0 * * *")
		dead, goOn := w.startStopped("a", "")
		time.Sleep(2 * time.Minute)
		w.set("job", "0 5 * * *")
		other := w.start("b")
		time.Sleep(10 * time.Minute)
		w.wantRuns(other, "job")
		w.mu.Lock()
		w.functions = []deploy.Function{}
		w.mu.Unlock()
		time.Sleep(10 * time.Minute)
		if page, err := w.store.List(t.Context(), kv.ListOptions{Prefix: "node/runs/"}); err != nil || len(page.Entries) > 0 {
			t.Errorf("got %+v, %v", page, err)
		}
		goOn()
		endCron(dead)
		endCron(other)
	})
}
