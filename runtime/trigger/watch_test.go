package trigger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
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

// tower is the surroundings of KVTriggers: a namespace that is watched, and Functions
// that the test plays. What a value says is what becomes of it.
type tower struct {
	t       *testing.T
	store   kv.Store
	entries kv.Store // of the namespace
	log     *logtest.Buffer
	began   time.Time
	changed chan struct{}

	mu        sync.Mutex // guards what follows
	functions []deploy.Function
	got       []string // "<function> <key> <value> <new or old revision> +<time>"
	under     map[string]int
	most      int // at the same time
	reported  []string
	before    map[string]uint64 // revision of the change before, of each key
}

func newTower(t *testing.T) *tower {
	w := &tower{t: t, store: memkv.New(memkv.Config{}), log: new(logtest.Buffer), began: time.Now(), changed: make(chan struct{}, 1), under: map[string]int{}, before: map[string]uint64{}}
	w.entries = kv.Sub(w.store, "kv/space/")
	return w
}

// watch gives a Function a trigger; with a negative number none.
func (w *tower) watch(name, id, prefix string, retries int64) {
	w.t.Helper()
	f := deploy.Function{Account: "local", Name: name}
	if id != "" {
		f.KVTriggers = []deploy.KVTrigger{{ID: id, Namespace: "space", Prefix: prefix, KVTriggerSettings: deploy.KVTriggerSettings{MaxRetries: &retries}}}
	}
	w.set(f)
}

func (w *tower) set(f deploy.Function) {
	w.t.Helper()
	w.mu.Lock()
	w.functions = append(slices.DeleteFunc(w.functions, func(g deploy.Function) bool { return g.Name == f.Name }), f)
	var rules []kv.ChangeRule
	for _, f := range w.functions {
		for _, t := range f.KVTriggers {
			rules = append(rules, kv.ChangeRule{Prefix: "kv/space/" + t.Prefix, Log: deploy.ChangeRecords + t.ID + "/"})
		}
	}
	w.mu.Unlock()
	if err := kv.LogChanges(w.t.Context(), w.store, rules); err != nil {
		w.t.Fatal(err)
	}
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *tower) KVTriggered() []deploy.Function {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.functions)
}

func (w *tower) KVTriggersChanged() <-chan struct{} { return w.changed }

func (w *tower) deliver(ctx context.Context, f deploy.Function, k host.KVChange, hops int) (trigger.Ran, error) {
	w.mu.Lock()
	what := string(k.Value)
	if k.Deleted {
		what = "deleted"
	}
	if len(what) < 20 {
		w.got = append(w.got, fmt.Sprintf("%s %d %s %s +%v", f.Name, k.Attempt, k.Key, what, time.Since(w.began)))
	}
	if w.under[f.Name+k.Key] > 0 && what != "long" {
		w.t.Errorf("key %s: two changes at the same time", k.Key)
	}
	before := w.before[f.Name+k.Key]
	if again := k.Revision == before; !again && (k.Revision < before || k.OldRevision > 0 && before > 0 && k.OldRevision != before) {
		w.t.Errorf("key %s: the change of %d to %d comes after that to %d", k.Key, k.OldRevision, k.Revision, before)
	}
	w.before[f.Name+k.Key] = k.Revision
	w.under[f.Name+k.Key]++
	n := 0
	for _, m := range w.under {
		n += m
	}
	w.most = max(w.most, n)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.under[f.Name+k.Key]--
		w.mu.Unlock()
	}()
	switch {
	case what == "poison", what == "once" && k.Attempt == 1:
		return trigger.Ran{Outcome: host.OutcomeException, Err: errors.New("it broke")}, nil
	case what == "full" && time.Since(w.began) < time.Minute:
		return trigger.Ran{Outcome: host.OutcomeLoadShed}, nil
	case what == "slow":
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return trigger.Ran{Outcome: host.OutcomeCanceled}, nil
		}
	case what == "long":
		<-ctx.Done()
		return trigger.Ran{Outcome: host.OutcomeCanceled}, nil
	case what == "loop":
		if _, err := w.entries.Put(kv.WithHops(ctx, hops), k.Key, k.Value, kv.PutOptions{}); err != nil {
			w.t.Error(err)
		}
	}
	return trigger.Ran{}, nil
}

func (w *tower) report(ctx context.Context, f deploy.Function, to deploy.Destination, id string, failure []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var k trigger.KVFailure
	if err := json.Unmarshal(failure, &k); err != nil || k.ID != id || k.Function != f.Name {
		w.t.Errorf("%s: %v", failure, err)
	}
	w.reported = append(w.reported, fmt.Sprintf("%s: %s %s %d %s", to.Function, k.Key, k.Value, k.Attempts, k.Error))
	return nil
}

// start makes a node. It ends with the test, or when end is called.
func (w *tower) start(node string, store kv.Store) (k *trigger.KVTriggers, end func()) {
	w.t.Helper()
	return w.startWith(node, store, trigger.KVTriggersConfig{})
}

func (w *tower) startWith(node string, store kv.Store, cfg trigger.KVTriggersConfig) (k *trigger.KVTriggers, end func()) {
	w.t.Helper()
	lease := mustLease(w.t, store, node)
	cfg.Registry, cfg.Deliver, cfg.Report, cfg.Store, cfg.Lease = w, w.deliver, w.report, store, lease
	cfg.Logger = slog.New(slog.NewTextHandler(w.log, nil))
	k, err := trigger.NewKVTriggers(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return k, sync.OnceFunc(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		k.Shutdown(ctx)
		if err := lease.Close(context.Background()); err != nil {
			w.t.Error(err)
		}
	})
}

func (w *tower) put(key, value string) uint64 {
	w.t.Helper()
	revision, err := w.entries.Put(w.t.Context(), key, []byte(value), kv.PutOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return revision
}

func (w *tower) delete(key string) {
	w.t.Helper()
	if err := w.entries.Delete(w.t.Context(), key, kv.DeleteOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// want compares what was delivered, sorted, and how much is left to be.
func (w *tower) want(left int, want ...string) {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	got := slices.Sorted(slices.Values(w.got))
	if slices.Sort(want); !slices.Equal(got, want) {
		w.t.Errorf("got %q, want %q", got, want)
	}
	w.wantLeft(left)
}

func (w *tower) wantLeft(left int) {
	w.t.Helper()
	n := 0
	for opts := (kv.ListOptions{Prefix: deploy.ChangeRecords}); ; {
		page, err := w.store.List(w.t.Context(), opts)
		if err != nil {
			w.t.Fatal(err)
		}
		n += len(page.Entries)
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			break
		}
	}
	if n != left {
		w.t.Errorf("%d changes are left, want %d", n, left)
	}
}

// A claim that could not be given up, or of which nobody knows that it was made, keeps
// no trigger from going on while the node's lease lasts, which others have it keep.
func TestKVTriggerUnsureClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, what := range []string{"taken", "kept"} {
			w := newTower(t)
			w.watch("job", "1", "", 2)
			store := &unsureStore{Store: w.store, prefix: "node/kv-claims/"}
			if store.keeps.Store(what == "kept"); what == "taken" {
				store.which = 1
			}
			lease := mustLease(t, store, "a")
			held := mustHold(t, lease)
			k, err := trigger.NewKVTriggers(t.Context(), trigger.KVTriggersConfig{Registry: w, Deliver: w.deliver, Report: w.report, Store: store, Lease: lease})
			if err != nil {
				t.Fatal(err)
			}
			w.put("k", "first")
			time.Sleep(time.Minute)
			w.put("k", "second")
			time.Sleep(time.Minute)
			synctest.Wait()
			w.wantLeft(0)
			held.Release()
			k.Shutdown(context.Background())
			lease.Close(context.Background())
		}
	})
}

func TestKVTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t)
		w.put("a/0", "before")
		w.watch("job", "1", "a/", 2)
		w.put("a/1", "early")
		_, end := w.start("a", w.store)
		defer end()
		w.put("a/2", "fine")
		w.put("b/1", "elsewhere")
		w.delete("a/0")
		w.want(0, "job 1 a/1 early +0s", "job 1 a/2 fine +0s", "job 1 a/0 deleted +0s")
		time.Sleep(time.Minute)
		w.put("a/2", "more") // after the claim was given up
		w.watch("other", "2", "", 2)
		w.put("a/3", "both")
		w.want(0, "job 1 a/1 early +0s", "job 1 a/2 fine +0s", "job 1 a/0 deleted +0s", "job 1 a/2 more +1m0s", "job 1 a/3 both +1m0s", "other 1 a/3 both +1m0s")
		page, _ := w.store.List(t.Context(), kv.ListOptions{Prefix: "node/kv-claims/"})
		time.Sleep(time.Minute)
		after, _ := w.store.List(t.Context(), kv.ListOptions{Prefix: "node/kv-claims/"})
		if len(page.Entries) != 2 || len(after.Entries) != 0 {
			t.Errorf("%d claims while something is delivered, and %d later", len(page.Entries), len(after.Entries))
		}
	})
}

// Changes of a key wait for those before them, also while these are tried again; other
// keys do not.
func TestKVTriggerRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t)
		none := int64(2)
		w.set(deploy.Function{Account: "local", Name: "job", KVTriggers: []deploy.KVTrigger{{ID: "1", Namespace: "space",
			KVTriggerSettings: deploy.KVTriggerSettings{MaxRetries: &none, OnFailure: deploy.Destination{Function: "morgue"}}}}})
		k, end := w.start("a", w.store)
		defer end()
		w.put("p", "poison")
		w.put("p", "next")
		w.put("o", "once")
		w.put("q", "full")
		w.put("other", "fine")
		synctest.Wait()
		time.Sleep(500 * time.Millisecond)
		s, err := k.State(t.Context(), w.functions[0].KVTriggers[0])
		if err != nil || s.Waiting != 4 || s.Retrying != 2 || s.Error != "it broke" || s.Node != "a" || !s.Oldest.Equal(w.began) {
			t.Errorf("got %+v, %v", s, err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		w.got = slices.DeleteFunc(w.got, func(line string) bool { return strings.Contains(line, "full") && !strings.HasSuffix(line, "+1m0s") })
		w.want(0, "job 1 p poison +0s", "job 2 p poison +1s", "job 3 p poison +3s", "job 1 p next +3s", "job 1 o once +0s", "job 2 o once +1s", "job 1 other fine +0s", "job 1 q full +1m0s")
		if !slices.Equal(w.reported, []string{"morgue: p poison 3 it broke"}) {
			t.Errorf("reported %q", w.reported)
		}
	})
}

// A restart, or a crash, goes on where the last run was; a change that was cut off is
// not to blame.
func TestKVTriggerSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t)
		w.watch("job", "1", "", 5)
		_, killed := w.start("a", w.store)
		w.put("k", "long")
		w.put("k", "next")
		synctest.Wait()
		_, again := w.start("a", w.store) // as the same node, before the other notices
		w.want(2, "job 1 k long +0s", "job 1 k long +0s")
		killed()
		again()
		w.put("p", "poison")
		w.got = nil
		_, third := w.start("a", w.store)
		time.Sleep(500 * time.Millisecond)
		third()
		_, fourth := w.start("a", w.store)
		time.Sleep(time.Second)
		w.want(3, "job 1 k long +0s", "job 1 p poison +0s", "job 1 k long +500ms", "job 2 p poison +1s")
		fourth()
	})
}

// Of several nodes one has a trigger; when it is gone another one goes on.
func TestKVTriggerOfNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t)
		w.watch("job", "1", "", 5)
		shared := w.store
		full := &fullStore{Store: shared}
		_, dead := w.start("a", full)
		w.put("k", "long")
		w.put("l", "fine")
		synctest.Wait()
		_, b := w.start("b", shared)
		_, c := w.start("c", shared)
		time.Sleep(10 * time.Minute)
		w.want(1, "job 1 k long +0s", "job 1 l fine +0s")
		full.on.Store(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		w.mu.Lock()
		if len(w.got) != 3 || !strings.HasPrefix(w.got[2], "job 1 k long +10m") || w.under["jobk"] != 1 {
			t.Errorf("got %q, and %d of key k at the same time", w.got, w.under["jobk"])
		}
		w.mu.Unlock()
		full.on.Store(false)
		for _, end := range []func(){dead, b, c} {
			end()
		}
	})
}

// A Function that writes the key that it watches is stopped.
func TestKVTriggerLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t)
		w.watch("job", "1", "", 5)
		_, end := w.start("a", w.store)
		defer end()
		w.put("k", "loop")
		time.Sleep(time.Hour)
		w.wantLeft(0)
		if n := len(w.got); n != 17 {
			t.Errorf("it ran %d times, want 17", n)
		}
		if !strings.Contains(w.log.String(), "17 changes in a row have each led to the next one: a loop") {
			t.Errorf("log %s", w.log)
		}
	})
}

// As many keys are under way at the same time as may be, and of an account no more than
// its places.
func TestKVTriggerConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t)
		three := int64(3)
		w.set(deploy.Function{Account: "local", Name: "job", KVTriggers: []deploy.KVTrigger{{ID: "1", Namespace: "space", KVTriggerSettings: deploy.KVTriggerSettings{MaxConcurrency: &three}}}})
		_, end := w.start("a", w.store)
		defer end()
		for i := range 9 {
			w.put(fmt.Sprint("k", i), "slow")
		}
		time.Sleep(10 * time.Second)
		w.wantLeft(0)
		if w.most != 3 {
			t.Errorf("%d at the same time, want 3", w.most)
		}
		if last := w.got[8]; !strings.HasSuffix(last, "+2s") {
			t.Errorf("the last is %q", last)
		}
	})
}

// What waits for a trigger that was removed is dropped.
func TestKVTriggerRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t)
		w.watch("job", "1", "", 5)
		_, end := w.start("a", w.store)
		defer end()
		w.put("p", "poison")
		w.put("p", "next")
		synctest.Wait()
		w.watch("job", "", "", 0)
		w.put("p", "unseen")
		time.Sleep(time.Minute)
		w.want(0, "job 1 p poison +0s")
	})
}

// A key with very many changes, and others beside it: all come, in order, while only
// some are known at a time.
func TestKVTriggerBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t)
		w.watch("job", "1", "", 0)
		random := rand.New(rand.NewPCG(1, 2))
		n := map[string]int{}
		write := func(count int) {
			for range count {
				key := "hot"
				if random.IntN(3) == 0 {
					key = fmt.Sprint("k", random.IntN(3000))
				}
				w.put(key, fmt.Sprintf("%d with twenty bytes and more", n[key]))
				n[key]++
			}
		}
		write(9000)
		w.put("first", "poison")
		_, end := w.start("a", w.store)
		defer end()
		for range 10 {
			write(100)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		w.wantLeft(0)
		for key, revision := range w.before {
			if e, err := w.entries.Get(t.Context(), strings.TrimPrefix(key, "job")); err != nil || e.Revision != revision {
				t.Errorf("key %s: the last change was that to %d, and it has %d, %v", key, revision, e.Revision, err)
			}
		}
		if len(w.before) != len(n)+1 {
			t.Errorf("changes of %d keys came, want %d", len(w.before), len(n)+1)
		}
	})
}

// A Function that does not keep up loses what is oldest, and fills no disk.
func TestKVTriggerTrims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t)
		w.watch("job", "1", "", 100)
		w.put("k", "poison")
		for i := range 3000 {
			w.put("k", fmt.Sprint(i))
		}
		_, end := w.startWith("a", w.store, trigger.KVTriggersConfig{Backlog: 1000})
		defer end()
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		w.wantLeft(0)
		w.mu.Lock()
		defer w.mu.Unlock()
		if n := len(w.got); n != 1000 || w.got[0] != "job 1 k 2000 +0s" || w.got[n-1] != "job 1 k 2999 +0s" {
			t.Errorf("%d came, from %q to %q", n, w.got[0], w.got[n-1])
		}
		if !strings.Contains(w.log.String(), "waiting=3001 bytes=1547408 dropped=2001") {
			t.Errorf("log %s", w.log)
		}
	})
}

// damaged is a store of which one entry can't be read.
type damaged struct {
	kv.Store
	key string
}

func (d damaged) Get(ctx context.Context, key string) (kv.Entry, error) {
	if strings.HasSuffix(key, d.key) {
		return kv.Entry{}, kv.ErrCorrupt
	}
	return d.Store.Get(ctx, key)
}

// A change that is damaged is dropped, and those after it come.
func TestKVTriggerDamaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t)
		w.watch("job", "1", "", 2)
		lost := w.put("k", "lost")
		w.put("k", "fine")
		_, end := w.start("a", damaged{w.store, fmt.Sprintf("%016x", lost)})
		defer end()
		time.Sleep(time.Minute)
		w.want(0, "job 1 k fine +0s")
		if !strings.Contains(w.log.String(), "a change is damaged") {
			t.Errorf("log %s", w.log)
		}
	})
}

// Accounts whose Functions take all the places of theirs do not delay another's.
func TestKVTriggersInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t)
		hundred := int64(100)
		for n, account := range []string{"a", "b", "c", "other"} {
			w.set(deploy.Function{Account: account, Name: account, KVTriggers: []deploy.KVTrigger{
				{ID: fmt.Sprint(n), Namespace: "space", Prefix: account + "/", KVTriggerSettings: deploy.KVTriggerSettings{MaxConcurrency: &hundred}}}})
		}
		_, end := w.startWith("n", w.store, trigger.KVTriggersConfig{Places: trigger.NewPlaces(8)})
		defer end()
		for _, account := range []string{"a", "b", "c"} {
			for i := range 20 {
				w.put(fmt.Sprint(account, "/", i), "long")
			}
		}
		synctest.Wait()
		w.put("other/k", "fine")
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		if last := w.got[len(w.got)-1]; len(w.got) != 7 || last != "other 1 other/k fine +0s" {
			t.Errorf("got %q", w.got)
		}
	})
}
