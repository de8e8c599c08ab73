package trigger_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/logtest"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// clockwork is a Cron's surroundings: Functions with schedules, which the test plays.
// Times in a bubble begin on Saturday, the first of January 2000.
type clockwork struct {
	t     *testing.T
	store kv.Store
	log   *logtest.Buffer
	wait  chan struct{} // each run waits for it, if it is not nil

	mu        sync.Mutex // guards what follows
	functions []deploy.Function
	ran       []string
}

func newClockwork(t *testing.T, crons ...string) *clockwork {
	w := &clockwork{t: t, store: memkv.New(memkv.Config{}), log: new(logtest.Buffer)}
	w.set("job", crons...)
	return w
}

// set gives a Function schedules, from now on.
func (w *clockwork) set(name string, crons ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := deploy.Function{Account: "local", Name: name, Created: time.Now()}
	for _, text := range crons {
		f.Schedules = append(f.Schedules, deploy.Schedule{Cron: text, Created: time.Now()})
	}
	w.functions = append(slices.DeleteFunc(w.functions, func(f deploy.Function) bool { return f.Name == name }), f)
}

func (w *clockwork) Scheduled() []deploy.Function {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.functions)
}

func (w *clockwork) run(ctx context.Context, f deploy.Function, s host.Scheduled) (trigger.Ran, error) {
	w.mu.Lock()
	w.ran = append(w.ran, fmt.Sprintf("%s %s %s", f.Name, s.Time.UTC().Format("15:04"), s.Cron))
	w.mu.Unlock()
	if strings.HasPrefix(f.Name, "full") {
		return trigger.Ran{}, host.Errorf(host.CodeUnavailable, "no place")
	}
	if w.wait != nil {
		select {
		case <-w.wait:
		case <-ctx.Done():
			return trigger.Ran{ID: "r", Outcome: host.OutcomeCanceled, Started: time.Now()}, nil
		}
	}
	if strings.HasPrefix(f.Name, "bad") {
		return trigger.Ran{ID: "r", Version: "v", Outcome: host.OutcomeException, Err: errors.New("it broke")}, nil
	}
	return trigger.Ran{ID: "r", Version: "v", Started: time.Now(), Usage: host.Usage{CPU: 1500 * time.Microsecond, Wall: 2 * time.Millisecond}}, nil
}

func (w *clockwork) start(node string) *trigger.Cron {
	w.t.Helper()
	c, err := trigger.NewCron(w.t.Context(), trigger.CronConfig{Registry: w, Run: w.run, Store: w.store, Node: node, Logger: slog.New(slog.NewTextHandler(w.log, nil))})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// wantRan compares what has run, sorted.
func (w *clockwork) wantRan(want ...string) {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	got := slices.Sorted(slices.Values(w.ran))
	if !slices.Equal(got, want) {
		w.t.Errorf("ran %q, want %q", got, want)
	}
}

// wantRuns compares the runs of a Function: "due outcome".
func (w *clockwork) wantRuns(c *trigger.Cron, name string, want ...string) (list []trigger.Run) {
	w.t.Helper()
	synctest.Wait()
	i := slices.IndexFunc(w.functions, func(f deploy.Function) bool { return f.Name == name })
	list, err := c.Runs(w.t.Context(), w.functions[i])
	if err != nil {
		w.t.Fatal(err)
	}
	var got []string
	for _, r := range list {
		got = append(got, r.Due.UTC().Format("15:04")+" "+r.Outcome)
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("runs %q, want %q", got, want)
	}
	return list
}

func endCron(c *trigger.Cron) { c.Shutdown(context.Background()) }

func TestCronFires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t, "*/2 * * * *", "3 0 * * 7")
		w.set("other", "0 0 * * 1")
		c := w.start("a")
		time.Sleep(5*time.Minute + time.Second)
		w.wantRan("job 00:02 */2 * * * *", "job 00:03 3 0 * * 7", "job 00:04 */2 * * * *")
		list := w.wantRuns(c, "job", "00:04 ok", "00:03 ok", "00:02 ok")
		r := list[0]
		if r.Cron != "*/2 * * * *" || r.CPUMS != 1.5 || r.WallMS != 2 || r.Request != "r" || r.Version != "v" || r.Node != "a" || r.Error != "" || r.Manual ||
			!r.Started.Equal(r.Due) {
			t.Errorf("got %+v", r)
		}
		endCron(c)
		time.Sleep(10 * time.Minute)
		w.wantRan("job 00:02 */2 * * * *", "job 00:03 3 0 * * 7", "job 00:04 */2 * * * *")
	})
}

// Nodes that share a store run each event once.
func TestCronOnceForAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t, "* * * * *")
		nodes := []*trigger.Cron{w.start("a"), w.start("b"), w.start("c")}
		time.Sleep(3*time.Minute + time.Second)
		w.wantRan("job 00:01 * * * * *", "job 00:02 * * * * *", "job 00:03 * * * * *")
		w.wantRuns(nodes[1], "job", "00:03 ok", "00:02 ok", "00:01 ok")
		endCron(nodes[0])
		time.Sleep(time.Minute)
		w.wantRuns(nodes[1], "job", "00:04 ok", "00:03 ok", "00:02 ok", "00:01 ok")
		endCron(nodes[1])
		endCron(nodes[2])
	})
}

func TestCronFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t)
		w.set("bad", "1 0 * * *")
		w.set("full", "1 0 * * *")
		c := w.start("a")
		defer endCron(c)
		time.Sleep(61 * time.Second)
		if r := w.wantRuns(c, "bad", "00:01 exception"); r[0].Error != "it broke" {
			t.Errorf("got %+v", r)
		}
		if r := w.wantRuns(c, "full", "00:01 refused"); r[0].Error != "no place" || r[0].Started != nil {
			t.Errorf("got %+v", r)
		}
	})
}

// What was due while no node was there is reported, and not made up for; a restart
// misses nothing.
func TestCronMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t, "*/10 * * * *")
		c := w.start("a")
		time.Sleep(10*time.Minute + 30*time.Second)
		endCron(c)
		time.Sleep(9 * time.Minute) // 19:30
		w.set("young", "*/5 * * * *")
		time.Sleep(40 * time.Second) // 20:10
		c = w.start("a")
		w.wantRan("job 00:10 */10 * * * *", "job 00:20 */10 * * * *", "young 00:20 */5 * * * *")
		endCron(c)
		time.Sleep(35 * time.Minute) // 55:10
		c = w.start("b")
		defer endCron(c)
		w.wantRan("job 00:10 */10 * * * *", "job 00:20 */10 * * * *", "young 00:20 */5 * * * *", "young 00:55 */5 * * * *")
		list := w.wantRuns(c, "job", "00:50 missed", "00:20 ok", "00:10 ok")
		if list[0].Missed != 3 || list[0].Started != nil || list[0].Cron != "*/10 * * * *" || list[0].Node != "b" {
			t.Errorf("got %+v", list[0])
		}
		w.wantRuns(c, "young", "00:55 ok", "00:50 missed", "00:20 ok")
		if !strings.Contains(w.log.String(), `msg="cron trigger missed" account=local function=job cron="*/10 * * * *"`) {
			t.Errorf("log %s", w.log)
		}
	})
}

// Of a year, a day is looked at.
func TestCronMissedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t, "* * * * *")
		c := w.start("a")
		time.Sleep(time.Minute + time.Second)
		endCron(c)
		time.Sleep(365 * 24 * time.Hour)
		c = w.start("a")
		defer endCron(c)
		synctest.Wait()
		if list := w.wantRuns(c, "job", "00:01 ok", "00:00 missed", "00:01 ok"); list[1].Missed != 24*60-1 {
			t.Errorf("got %+v", list[1])
		}
	})
}

// A node that is killed leaves runs behind that nobody will end.
func TestCronInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t, "1 0 * * *")
		w.wait = make(chan struct{})
		killed := w.start("a")
		time.Sleep(61 * time.Second)
		other := w.start("b")
		w.wantRuns(other, "job", "00:01 running")
		again := w.start("a")
		if r := w.wantRuns(again, "job", "00:01 interrupted"); r[0].Error != "the node ended before the run did" {
			t.Errorf("got %+v", r)
		}
		w.wantRan("job 00:01 1 0 * * *")
		close(w.wait)
		for _, c := range []*trigger.Cron{killed, other, again} {
			endCron(c)
		}
	})
}

// What a node ran that is gone for good does not go on for ever.
func TestCronOfADeadNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t, "1 0 * * *")
		w.wait = make(chan struct{})
		shared, full := w.store, &fullStore{Store: w.store}
		w.store = full
		dead := w.start("a")
		w.store = shared
		time.Sleep(61 * time.Second)
		other := w.start("b")
		time.Sleep(10 * time.Minute)
		w.wantRuns(other, "job", "00:01 running")
		full.on.Store(true)
		time.Sleep(time.Minute)
		w.wantRuns(other, "job", "00:01 interrupted")
		close(w.wait)
		endCron(dead)
		endCron(other)
	})
}

// A node that slept calls nothing missed that another one ran.
func TestCronAfterSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t, "0 1 * * *")
		shared, asleep := w.store, &fullStore{Store: w.store}
		awake := w.start("a")
		w.store = asleep
		asleep.on.Store(true)
		b := w.start("b")
		time.Sleep(5 * time.Hour)
		asleep.on.Store(false)
		time.Sleep(5 * time.Minute)
		w.store = shared
		w.wantRuns(awake, "job", "01:00 ok")
		endCron(awake)
		endCron(b)
	})
}

// Shutdown waits for runs, and cancels those that take longer.
func TestCronShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t, "* * * * *")
		w.wait = make(chan struct{})
		c := w.start("a")
		time.Sleep(2*time.Minute + time.Second)
		w.wait <- struct{}{}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		c.Shutdown(ctx)
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("took %v", took)
		}
		list, _ := c.Runs(t.Context(), w.functions[0])
		got := []string{list[0].Outcome, list[1].Outcome}
		if slices.Sort(got); !slices.Equal(got, []string{"canceled", "ok"}) {
			t.Errorf("got %q", got)
		}
	})
}

func TestCronKeepsRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t, "* * * * *")
		c := w.start("a")
		defer endCron(c)
		time.Sleep(150*time.Minute + time.Second)
		list, err := c.Runs(t.Context(), w.functions[0])
		if err != nil || len(list) != 100 || list[0].Due.Format("15:04") != "02:30" || list[99].Due.Format("15:04") != "00:51" {
			t.Errorf("got %d, %v: from %v to %v", len(list), err, list[0].Due, list[len(list)-1].Due)
		}
		w.set("job", "* * * * *") // deleted, and made anew
		w.wantRuns(c, "job")
		if err := c.Forget(t.Context(), "local", "job"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.wantRuns(c, "job", "02:31 ok")
	})
}

func TestCronByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t)
		c := w.start("a")
		defer endCron(c)
		r, err := c.Run(t.Context(), w.functions[0], "0 5 * * *")
		if err != nil || r.Outcome != "ok" || !r.Manual || !r.Due.Equal(time.Now()) {
			t.Errorf("got %+v, %v", r, err)
		}
		w.wantRuns(c, "job", "00:00 ok")
		if _, err := c.Run(t.Context(), w.functions[0], "0 5 * *"); host.CodeOf(err) != host.CodeInvalid {
			t.Errorf("got %v", err)
		}
	})
}

// Events are claimed again once the store can write, as long as they are not late.
func TestCronStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t, "1 0 * * *", "2 0 * * *")
		full := &fullStore{Store: w.store}
		w.store = full
		c := w.start("a")
		defer endCron(c)
		full.on.Store(true)
		time.Sleep(85 * time.Second)
		full.on.Store(false)
		time.Sleep(10 * time.Second)
		w.wantRan("job 00:01 1 0 * * *")
		full.on.Store(true)
		time.Sleep(90 * time.Second) // 03:05
		full.on.Store(false)
		time.Sleep(time.Minute)
		w.wantRan("job 00:01 1 0 * * *")
		w.wantRuns(c, "job", "00:02 missed", "00:01 ok")
		if !strings.Contains(w.log.String(), "schedules can't be followed") {
			t.Errorf("log %s", w.log)
		}
	})
}

// fullStore refuses writes while it is on.
type fullStore struct {
	kv.Store
	on atomic.Bool
}

func (s *fullStore) Put(ctx context.Context, key string, value []byte, opts kv.PutOptions) (uint64, error) {
	if s.on.Load() {
		return 0, kv.ErrNoSpace
	}
	return s.Store.Put(ctx, key, value, opts)
}

// An outage is no reason to call missed what was run before it.
func TestCronOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t, "* * * * *")
		w.set("other", "* * * * *")
		broken := &refusingStore{Store: w.store, refuse: "/other/"}
		w.store = broken
		c := w.start("a")
		defer endCron(c)
		broken.on.Store(true)
		time.Sleep(time.Minute + time.Second) // job runs, other does not
		broken.all.Store(true)
		time.Sleep(2 * time.Minute)
		broken.on.Store(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if list := w.wantRuns(c, "job", "00:03 ok", "00:02 missed", "00:01 ok"); list[1].Missed != 1 {
			t.Errorf("of job got %+v", list[1])
		}
		if list := w.wantRuns(c, "other", "00:03 ok", "00:02 missed"); list[1].Missed != 2 {
			t.Errorf("of other got %+v", list[1])
		}
	})
}

// A claim of which it is not known whether it was written is the node's own if it was.
func TestCronUnsureClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t, "1 0 * * *")
		w.store = &unsureStore{Store: w.store, prefix: "node/cron-claims/", which: 1}
		c := w.start("a")
		defer endCron(c)
		time.Sleep(3 * time.Minute)
		w.wantRan("job 00:01 1 0 * * *")
		w.wantRuns(c, "job", "00:01 ok")
	})
}

// refusingStore refuses writes of some keys, or all, while it is on.
type refusingStore struct {
	kv.Store
	on, all atomic.Bool
	refuse  string // is in the keys
}

func (s *refusingStore) Put(ctx context.Context, key string, value []byte, opts kv.PutOptions) (uint64, error) {
	if s.on.Load() && (s.all.Load() || strings.Contains(key, s.refuse)) {
		return 0, kv.ErrUnavailable
	}
	return s.Store.Put(ctx, key, value, opts)
}

// unsureStore does all writes, and says of one below a prefix that it may not have; and
// it does not delete the first of those keys, if it keeps.
type unsureStore struct {
	kv.Store
	prefix string
	which  int32 // of the writes; the first is 1
	writes atomic.Int32
	keeps  atomic.Bool
}

func (s *unsureStore) Delete(ctx context.Context, key string, opts kv.DeleteOptions) error {
	if strings.HasPrefix(key, s.prefix) && s.keeps.CompareAndSwap(true, false) {
		return kv.ErrUnavailable
	}
	return s.Store.Delete(ctx, key, opts)
}

func (s *unsureStore) Put(ctx context.Context, key string, value []byte, opts kv.PutOptions) (revision uint64, err error) {
	revision, err = s.Store.Put(ctx, key, value, opts)
	if strings.HasPrefix(key, s.prefix) && s.writes.Add(1) == s.which {
		return 0, errors.Join(err, kv.ErrUnavailable)
	}
	return revision, err
}

// Those that find no place wait, and not for ever more of them.
func TestCronManyRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newClockwork(t)
		w.wait = make(chan struct{})
		for i := range 350 {
			w.set(fmt.Sprintf("f%d", i), "1 0 * * *")
		}
		c := w.start("a")
		defer endCron(c)
		time.Sleep(62 * time.Second)
		synctest.Wait()
		w.mu.Lock()
		n := len(w.ran)
		w.mu.Unlock()
		if n != 100 {
			t.Errorf("%d go on at the same time, want 100", n)
		}
		if r, err := c.Run(t.Context(), w.functions[0], "1 0 * * *"); err != nil || r.Outcome != "refused" {
			t.Errorf("one more, by hand: %+v, %v", r, err)
		}
		close(w.wait)
		synctest.Wait()
		if len(w.ran) != 350 {
			t.Errorf("%d have run, want 350", len(w.ran))
		}
	})
}
