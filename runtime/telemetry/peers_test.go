package telemetry_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// TestTailOfAllNodes: a reader at one node sees what happens at all, and nobody sends
// anything before it is there and after it has gone.
func TestTailOfAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newMemoryBus()
		all := mustJoin(t, bus, 3)
		happen := func(i invocation) {
			for _, m := range all {
				m.happens(t, i)
			}
		}
		happen(invocation{})
		time.Sleep(time.Hour)
		if len(bus.published) != 0 {
			t.Errorf("before somebody listened, %v were published", bus.published)
		}
		r := mustFollow(t, all[0], "")
		happen(invocation{function: "other"})
		happen(invocation{account: "other"})
		happen(invocation{url: "http://shop.localhost/?id=0123456789abcdef0123456789abcdef", headers: "authorization\x00Basic x\x00", logs: []string{"one"},
			ended: failed(host.OutcomeException, trap), change: &host.KVChange{Key: "k", Revision: 1<<60 + 1}})
		events, told := r.after(time.Second)
		if nodes(events) != "a b c" || len(told) != 0 {
			t.Fatalf("got %+v, told %q", events, told)
		}
		for _, e := range events {
			if e.ScriptName != "shop" || e.Outcome != "exception" || len(e.Logs) != 1 || len(e.Exceptions) != 1 || e.Event.Revision != 1<<60+1 {
				t.Errorf("got %+v", e)
			}
		}
		happen(invocation{url: "http://shop.localhost/?id=0123456789abcdef0123456789abcdef", headers: "authorization\x00Basic x\x00"})
		events, _ = r.after(time.Second)
		for _, e := range events {
			if e.Event.Request.Headers["authorization"] != "REDACTED" || e.Event.Request.URL != "http://shop.localhost/?id=REDACTED" {
				t.Errorf("got %+v", e)
			}
		}
		r.conn.Close()
		synctest.Wait()
		before := bus.sent("tail.event")
		happen(invocation{})
		time.Sleep(time.Second)
		if after := bus.sent("tail.event"); after != before || before != 4 {
			t.Errorf("%d events were published while there was a reader, and %d later; want 4 and none", before, after-before)
		}
	})
}

// Filters hold at all nodes: "self" is who asked the reader's node.
func TestFiltersOfAllNodes(t *testing.T) {
	for _, tt := range []struct {
		filter string
		no     invocation
	}{
		{`{"client_ip":["self"]}`, invocation{client: "192.0.2.8"}},
		{`{"method":["get"]}`, invocation{method: "PUT"}},
		{`{"query":"the one"}`, invocation{logs: []string{"x"}}},
		{`{"header":{"key":"x-a","query":"b"}}`, invocation{headers: "x-a\x00c\x00"}},
		{`{"scriptVersion":"v1"}`, invocation{version: "v2"}},
		{`{"outcome":["ok"]}`, invocation{ended: failed(host.OutcomeException, "x")}},
		{`{"sampling_rate":0.000000000001},{"method":["GET"]}`, invocation{}},
	} {
		t.Run(tt.filter, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := mustJoin(t, newMemoryBus(), 2)
				r := mustFollow(t, all[0], `{"filters":[`+tt.filter+`]}`)
				all[1].happens(t, tt.no)
				want := "b"
				if strings.Contains(tt.filter, "sampling") {
					want = ""
				}
				all[1].happens(t, invocation{logs: []string{"the one"}, headers: "x-a\x00b\x00"})
				if events, _ := r.after(time.Second); nodes(events) != want || want != "" && events[0].Logs[0].Message[0] != "the one" {
					t.Errorf("got %+v, want those of %q", events, want)
				}
			})
		})
	}
}

// A node that has ended without a word is forgotten; one that is there again sees what
// happens from then on.
func TestReaderOfNodeThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newMemoryBus()
		all := mustJoin(t, bus, 2)
		r := mustFollow(t, all[0], "")
		bus.setLose(func(string, string) bool { return true })
		time.Sleep(10 * time.Second)
		all[1].happens(t, invocation{})
		if events, told := r.after(20 * time.Second); len(events)+len(told) != 0 || bus.sent("tail.event") != 1 {
			t.Errorf("while a was away: got %v, %v; %d sent", events, told, bus.sent("tail.event"))
		}
		all[1].happens(t, invocation{})
		time.Sleep(time.Second)
		if n := bus.sent("tail.event"); n != 1 {
			t.Errorf("b goes on to send to a: %d", n)
		}
		bus.setLose(func(string, string) bool { return false })
		time.Sleep(10 * time.Second)
		all[0].happens(t, invocation{})
		all[1].happens(t, invocation{})
		if events, told := r.after(time.Second); nodes(events) != "a b" || len(told) != 0 {
			t.Errorf("when a is back: got %v, %v", events, told)
		}
	})
}

// A node that comes later sends as well, and one that ends does no harm.
func TestNodesComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newMemoryBus()
		all := mustJoin(t, bus, 2)
		r := mustFollow(t, all[0], "")
		later := &member{Observer: telemetry.NewObserver(telemetry.ObserverConfig{}), bus: &busOf{memoryBus: bus, node: "later"}}
		if err := later.Join(later.bus, "later"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		later.happens(t, invocation{})
		later.Close()
		all[1].Close()
		all[0].happens(t, invocation{})
		if events, told := r.after(time.Minute); nodes(events) != "a later" || len(told) != 0 {
			t.Errorf("got %+v, told %q", events, told)
		}
	})
}

// What is lost between nodes is counted to the last, and the reader told: by a network
// that loses, and by one that takes nothing for a time.
func TestLostBetweenNodes(t *testing.T) {
	for name, spoil := range map[string]func(*busOf, bool){
		"lost": func(b *busOf, lossy bool) {
			b.setLose(func(_, subject string) bool { return lossy && strings.HasPrefix(subject, "tail.event.") })
		},
		"refused": (*busOf).setFull,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := mustJoin(t, newMemoryBus(), 2)
				r := mustFollow(t, all[0], "")
				all[1].happens(t, invocation{})
				synctest.Wait()
				spoil(all[1].bus, true)
				for range 7 {
					all[1].happens(t, invocation{})
				}
				synctest.Wait()
				spoil(all[1].bus, false)
				all[1].happens(t, invocation{})
				events, told := r.after(5 * time.Second)
				if len(events) != 2 || len(told) != 1 || !strings.HasPrefix(told[0], "7 invocations of other nodes were lost") {
					t.Errorf("got %d events, told %q", len(events), told)
				}
			})
		})
	}
}

// What is more than may be shown in a second is told too, also where nothing follows.
func TestOverloadOfAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newMemoryBus()
		all := mustJoin(t, bus, 2)
		r := mustFollow(t, all[0], "")
		for range 130 {
			all[1].happens(t, invocation{})
			synctest.Wait()
		}
		events, told := r.after(5 * time.Second)
		if len(events) != 100 || len(told) != 1 || !strings.HasPrefix(told[0], "30 invocations were left out: more than 100 a second") {
			t.Errorf("got %d events, told %q", len(events), told)
		}
		large := invocation{headers: "x\x00" + strings.Repeat("y", 200<<10) + "\x00"}
		for range 10 {
			all[1].happens(t, large)
			synctest.Wait()
		}
		if events, told = r.after(5 * time.Second); len(events) != 4 || len(told) != 1 || !strings.HasPrefix(told[0], "6 invocations were left out") {
			t.Errorf("of large ones: got %d events, told %q", len(events), told)
		}
	})
}

// TestManyNodes: where many have something to show, each sends a share of it.
func TestManyNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newMemoryBus()
		all := mustJoin(t, bus, 20)
		r := mustFollow(t, all[0], "")
		second := func() (sent int) {
			before := bus.sent("tail.event")
			for _, m := range all[1:] {
				for range 60 {
					m.happens(t, invocation{})
				}
			}
			time.Sleep(time.Second)
			synctest.Wait()
			return bus.sent("tail.event") - before
		}
		first := second()
		second()
		if third := second(); first < 1000 || third > 200 {
			t.Errorf("%d events were sent in the first second, %d in the third", first, third)
		}
		if _, told := r.after(0); len(told) == 0 {
			t.Error("the reader was told of nothing")
		}
		time.Sleep(time.Minute)
		for range 60 {
			all[1].happens(t, invocation{})
		}
		if events, _ := r.after(time.Second); len(events) != 60 {
			t.Errorf("when one node alone has something to show, %d are shown, want 60", len(events))
		}
	})
}

// An Event that is too long for a message goes without its log.
func TestLongEventOfAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := mustJoin(t, newMemoryBus(), 2)
		r := mustFollow(t, all[0], "")
		all[1].happens(t, invocation{logs: []string{"short", strings.Repeat("\x01", 200<<10)}})
		events, told := r.after(2 * time.Second)
		if len(events) != 1 || len(told) != 0 || len(events[0].Logs) != 1 || !strings.HasPrefix(events[0].Logs[0].Message[0], "2 lines of log are left out") {
			t.Errorf("got %d events, told %q", len(events), told)
		}
	})
}

// A reader that does not read loses the tail by what other nodes send too, and nobody
// waits for it.
func TestSlowReaderOfAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := mustJoin(t, newMemoryBus(), 2)
		tail, err := all[0].OpenTail("local", "shop", telemetry.Filter{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		node, client := net.Pipe() // whose other end nobody reads
		defer client.Close()
		go all[0].ServeTail(hijacked{node}, tailRequest(), tail.Ticket)
		from := bufio.NewReader(client)
		if _, err := http.ReadResponse(from, nil); err != nil {
			t.Fatal(err)
		}
		for n := 0; len(all[0].Tails("local", "shop")) > 0; n++ {
			if n > 1000 {
				t.Fatal("it still is there")
			}
			all[1].happens(t, invocation{})
			if n%50 == 49 {
				time.Sleep(time.Second)
			}
		}
	})
}

// Tails of all nodes count together, and are listed and ended from any.
func TestTailsOfAllNodesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := mustJoin(t, newMemoryBus(), 2)
		var readers []*follower
		for i := range 10 {
			readers = append(readers, mustFollow(t, all[i%2], ""))
		}
		_, err := all[1].OpenTail("local", "shop", telemetry.Filter{}, nil)
		if host.CodeOf(err) != host.CodeLimit || err.Error() != "shop has 10 tails already; end one of them" {
			t.Errorf("the eleventh: %v", err)
		}
		if n := len(all[1].Tails("local", "shop")); n != 10 {
			t.Errorf("%d tails are listed, want 10", n)
		}
		all[1].CloseTail("local", "shop", readers[0].tail.ID)
		all[1].CloseTail("local", "other", readers[2].tail.ID)
		synctest.Wait()
		if n, m := len(all[0].Tails("local", "shop")), len(all[1].Tails("local", "shop")); n != 9 || m != 9 {
			t.Errorf("after one was ended, %d and %d are listed, want 9", n, m)
		}
		all[1].Forget("local", "shop")
		synctest.Wait()
		if n := len(all[1].Tails("local", "shop")); n != 0 {
			t.Errorf("after the Function was deleted, %d are listed", n)
		}
	})
}

// Those who listen and those who are told meet in all orders.
func TestTailsHammer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := mustJoin(t, newMemoryBus(), 3)
		var work sync.WaitGroup
		for _, m := range all {
			work.Go(func() {
				for range 200 {
					var at telemetry.Observed
					invocation{ended: failed(host.OutcomeException, "x")}.run(t, m.Observer, &at)
				}
			})
			work.Go(func() {
				for range 20 {
					tail, err := m.OpenTail("local", "shop", telemetry.Filter{}, nil)
					if err != nil {
						continue
					}
					m.Tails("local", "shop")
					m.CloseTail("local", "shop", tail.ID)
					if _, err := m.AllFailures(t.Context(), "local", "shop", []string{"a", "b", "c"}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		r := mustFollow(t, all[0], "")
		work.Wait()
		r.after(time.Second)
	})
}

// A node does not join by a name that subjects can't have.
func TestJoinName(t *testing.T) {
	for _, name := range []string{"", "a.b", "*", ">", "a b", strings.Repeat("a", 65)} {
		if err := telemetry.NewObserver(telemetry.ObserverConfig{}).Join(&busOf{memoryBus: newMemoryBus()}, name); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

// Filters are told again and again, and so they are bounded.
func TestLongFilters(t *testing.T) {
	_, err := telemetry.ParseFilters(fmt.Appendf(nil, `{"filters":[{"query":%q}]}`, strings.Repeat("x", 20<<10)), self)
	if err == nil || !strings.Contains(err.Error(), "at most 16384 are allowed") {
		t.Errorf("got %v", err)
	}
}
