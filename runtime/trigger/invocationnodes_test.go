package trigger_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// Of nodes that share a store, one makes an attempt, and each finds what the others
// accepted.
func TestInvocationsOfNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMailbox(t)
		nodes := map[*trigger.Invocations]*trigger.Lease{}
		var list []*trigger.Invocations
		for _, name := range []string{"a", "b", "c"} {
			l := mustLease(t, p.store, name)
			i := p.startWith(trigger.InvocationsConfig{Lease: l})
			nodes[i], list = l, append(list, i)
		}
		var want []string
		for n := range 60 {
			p.accept(list[n%3], fmt.Sprintf("fine %d", n))
			want = append(want, fmt.Sprintf("job 1 fine %d", n))
		}
		p.accept(list[0], "trap")
		synctest.Wait()
		over(list[0]) // others go on with what it had
		time.Sleep(time.Hour)
		over(list[1])
		over(list[2])
		for _, l := range nodes {
			l.Close(t.Context())
		}
		want = append(want, "job 1 trap", "job 2 trap", "job 3 trap")
		var got []string
		for _, line := range p.got {
			got = append(got, line[:strings.LastIndex(line, " +")])
		}
		slices.Sort(want)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// What a node had begun that dies is begun anew by another one, once nobody can take
// it for alive; and its own attempt has ended by then.
func TestInvocationsOfADeadNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMailbox(t)
		full := &fullStore{Store: p.store}
		dying, other := mustLease(t, full, "a"), mustLease(t, p.store, "b")
		a := p.startWith(trigger.InvocationsConfig{Lease: dying, Store: full})
		b := p.startWith(trigger.InvocationsConfig{Lease: other})
		p.accept(a, "long")
		time.Sleep(10 * time.Minute)
		p.want(1, "job 1 long +0s")
		full.on.Store(true)
		time.Sleep(20 * time.Second)
		p.want(1, "job 1 long +0s")
		time.Sleep(time.Minute)
		p.mu.Lock()
		if len(p.got) != 2 || !strings.HasPrefix(p.got[1], "job 2 long +10m") || p.ended != 1 {
			t.Errorf("got %q, and %d have ended", p.got, p.ended)
		}
		p.mu.Unlock()
		full.on.Store(false)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		for _, i := range []*trigger.Invocations{a, b} {
			i.Shutdown(ctx)
		}
		dying.Close(t.Context())
		other.Close(t.Context())
	})
}

// An attempt of which it was not known that it had begun is made by the node all the
// same, while other things keep its lease.
func TestInvocationsUnsureClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMailbox(t)
		store := &unsureStore{Store: p.store, prefix: "node/invocations/", which: 2}
		lease := mustLease(t, store, "a")
		held := mustHold(t, lease)
		i := p.startWith(trigger.InvocationsConfig{Lease: lease, Store: store})
		p.accept(i, "fine")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		p.mu.Lock()
		if len(p.got) != 1 || !strings.HasPrefix(p.got[0], "job 2 fine") {
			t.Errorf("got %q", p.got)
		}
		p.mu.Unlock()
		held.Release()
		over(i)
		lease.Close(t.Context())
	})
}

// An account may have so much waiting and no more, and that takes no goroutines.
func TestInvocationsOfAnAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMailbox(t)
		i := p.startWith(trigger.InvocationsConfig{Backlog: 1000, BacklogBytes: 9000})
		defer over(i)
		before := runtime.NumGoroutine()
		accept := func(payload string) error {
			_, err := i.Accept(t.Context(), p.functions["job"], "", []byte(payload))
			return err
		}
		for range 1000 {
			if err := accept("trap"); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if n := runtime.NumGoroutine() - before; n > 200 { // of other tests as well
			t.Errorf("%d goroutines are there for what waits", n)
		}
		if err := accept("trap"); host.CodeOf(err) != host.CodeLimit || !strings.Contains(err.Error(), "1000 payloads for Functions of account local are waiting") {
			t.Errorf("got %v", err)
		}
		if _, err := i.Accept(t.Context(), deploy.Function{Account: "other", Name: "job"}, "", nil); err != nil {
			t.Errorf("another account: %v", err)
		}
		time.Sleep(time.Hour)
		for n := range 10 {
			err := accept("trap" + strings.Repeat(" ", 994))
			if want := host.CodeOf(err) == host.CodeLimit; want != (n == 9) {
				t.Errorf("payload %d of 998 bytes: %v", n, err)
			}
		}
	})
}

// An account whose payloads take all the places of it does not delay another's.
func TestInvocationsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMailbox(t)
		i := p.startWith(trigger.InvocationsConfig{Places: trigger.NewPlaces(8)})
		for range 100 {
			p.accept(i, "long")
		}
		synctest.Wait()
		if _, err := i.Accept(t.Context(), deploy.Function{Account: "other", Name: "job"}, "", []byte("mine")); err != nil {
			t.Fatal(err)
		}
		p.want(100, "job 1 long +0s", "job 1 long +0s", "job 1 mine +0s")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		i.Shutdown(ctx)
	})
}

// What an earlier version of the node accepted is delivered.
func TestInvocationsOfAnEarlierVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMailbox(t)
		p.put("node/invocations/local/job/0123456789abcdef", `{"id":"0123456789abcdef","account":"local","function":"job","type":"text/plain","body":"ZmluZQ==","accepted":"2000-01-01T00:00:00Z","attempts":1,"next":"2000-01-01T00:01:00Z","error":"it broke"}`)
		i := p.start()
		defer over(i)
		time.Sleep(2 * time.Minute)
		p.want(0, "job 2 fine +1m0s")
	})
}

// nearlyFull is a store that takes what leads to deletions, and nothing else.
type nearlyFull struct{ kv.Store }

func (s nearlyFull) Put(ctx context.Context, key string, value []byte, opts kv.PutOptions) (uint64, error) {
	if !opts.Frees {
		return 0, kv.ErrNoSpace
	}
	return s.Store.Put(ctx, key, value, opts)
}

// While the disk is nearly full, what waits is delivered, which frees some.
func TestNearlyFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMailbox(t)
		i := p.start()
		p.accept(i, "once")
		synctest.Wait()
		over(i)
		i = p.startWith(trigger.InvocationsConfig{Store: nearlyFull{p.store}})
		time.Sleep(time.Hour)
		p.want(0, "job 1 once +0s", "job 2 once +1m0s")
		over(i)

		w := newTower(t)
		w.watch("job", "1", "", 2)
		w.put("k", "once")
		_, end := w.start("a", nearlyFull{w.store})
		time.Sleep(time.Minute)
		w.want(0, "job 1 k once +0s", "job 2 k once +1s")
		end()

		lease := mustLease(t, p.store, "a")
		_, release, ok := trigger.NewStoreSlots(nearlyFull{p.store}, lease, slog.New(slog.DiscardHandler)).Take(t.Context(), kv.Queue{Account: "local", ID: "q"}, 1)
		if !ok {
			t.Fatal("no slot of a queue, whose messages stay")
		}
		release()
		lease.Close(t.Context())
	})
}

// What was accepted for a Function that another node has deployed just now waits until
// this one knows the Function.
func TestInvocationOfFunctionFromElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMailbox(t)
		job := p.functions["job"]
		delete(p.functions, "job")
		p.elsewhere["job"] = true
		i := p.start()
		defer over(i)
		if _, err := i.Accept(t.Context(), job, "", []byte("fine")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute + time.Second)
		p.want(1)
		p.set("job", nil)
		time.Sleep(time.Minute)
		p.want(0, "job 1 fine +1m15s")
	})
}

// So does what tells such a Function of a failure.
func TestReportToFunctionFromElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMailbox(t)
		none := 0
		p.set("job", &deploy.InvokeConfig{MaxRetries: &none, Failures: deploy.Destination{Function: "told"}})
		p.elsewhere["told"] = true
		i := p.start()
		defer over(i)
		p.accept(i, "trap")
		time.Sleep(time.Second)
		p.want(1, "job 1 trap +0s")
		p.set("told", nil)
		time.Sleep(10 * time.Minute)
		if p.mu.Lock(); len(p.got) != 2 || !strings.HasPrefix(p.got[1], "told 1 ") {
			t.Errorf("got %q, want the failure of the job to be told", p.got)
		}
		p.mu.Unlock()
	})
}
