package telemetry_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

func mustGather(t testing.TB, m *member, others ...string) telemetry.Gathered {
	t.Helper()
	g, err := m.AllFailures(t.Context(), "local", "shop", others)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// where tells of failures by their nodes.
func where(all []telemetry.Failure) string {
	var names []string
	for _, f := range all {
		names = append(names, f.Node)
	}
	return strings.Join(names, " ")
}

// TestFailuresOfAllNodes merges them by time, and says who did not answer.
func TestFailuresOfAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newMemoryBus()
		all := mustJoin(t, bus, 3)
		fail := invocation{ended: failed(host.OutcomeException, trap)}
		for _, i := range []int{0, 1, 2, 1} {
			time.Sleep(time.Second)
			all[i].happens(t, fail)
		}
		all[1].happens(t, invocation{function: "other", ended: fail.ended})
		all[1].happens(t, invocation{account: "other", ended: fail.ended})
		began := time.Now()
		g := mustGather(t, all[0], "a", "b", "c")
		if where(g.Failures) != "b c b a" || !slices.Equal(g.Answered, []string{"a", "b", "c"}) || len(g.Short) != 0 {
			t.Errorf("got those of %q, answered by %q", where(g.Failures), g.Answered)
		}
		if time.Since(began) != 0 {
			t.Errorf("all have answered, and it took %v", time.Since(began))
		}
		if f := g.Failures[0]; f.Name != "RuntimeError" || f.Stack == "" || f.RequestID != "r1" {
			t.Errorf("got %+v", f)
		}
		bus.setLose(func(node, _ string) bool { return node == "c" })
		g = mustGather(t, all[0], "b", "c", "gone")
		if where(g.Failures) != "b b a" || !slices.Equal(g.Answered, []string{"a", "b"}) || time.Since(began) != 2*time.Second {
			t.Errorf("got those of %q, answered by %q, after %v", where(g.Failures), g.Answered, time.Since(began))
		}
		if g := mustGather(t, all[0]); !strings.HasSuffix(where(g.Failures), "a") { // who answers at once is taken, and nobody waited for
			t.Errorf("got those of %q", where(g.Failures))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if g, err := all[0].AllFailures(ctx, "local", "shop", []string{"gone"}); err != nil || len(g.Failures) == 0 {
			t.Errorf("for a client that has gone: got %v, %v", g, err)
		}
	})
}

// A node alone has its own, without a name.
func TestFailuresOfOneNode(t *testing.T) {
	o := telemetry.NewObserver(telemetry.ObserverConfig{})
	invocation{ended: failed(host.OutcomeException, "x")}.run(t, o, new(telemetry.Observed))
	g, err := o.AllFailures(t.Context(), "local", "shop", nil)
	if err != nil || len(g.Failures) != 1 || g.Failures[0].Node != "" {
		t.Errorf("got %+v, %v", g, err)
	}
	if g, _ := o.AllFailures(t.Context(), "local", "other", nil); g.Failures == nil || len(g.Failures) != 0 {
		t.Errorf("of nothing: got %v, want an empty list", g.Failures)
	}
}

// What is too long for one message comes in several, and the oldest is left out where
// all is too much.
func TestManyFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newMemoryBus()
		all := mustJoin(t, bus, 3)
		large := invocation{url: "http://shop.localhost/" + strings.Repeat("/a", 1<<10), ended: failed(host.OutcomeException, strings.Repeat("\x01", 2<<10))}
		for range 100 {
			time.Sleep(time.Second)
			all[1].happens(t, large)
		}
		time.Sleep(time.Second)
		all[0].happens(t, large)
		g := mustGather(t, all[0], "b", "c")
		if len(g.Failures) != 100 || !strings.HasPrefix(where(g.Failures), "a b b") || len(g.Short) != 0 || bus.sent("failures.answer") < 3 {
			t.Errorf("got %d, short %q, by %d messages", len(g.Failures), g.Short, bus.sent("failures.answer"))
		}
		others := []string{"b"}
		for i := range 99 {
			others = append(others, fmt.Sprint("n", i))
		}
		if g := mustGather(t, all[0], others...); len(g.Failures) < 2 || len(g.Failures) > 99 || !slices.Equal(g.Short, []string{"b"}) {
			t.Errorf("of many nodes: got %d, short %q", len(g.Failures), g.Short)
		}
	})
}

// TestHostileAnswers: what is no answer to the question is not taken.
func TestHostileAnswers(t *testing.T) {
	const good = `{"id":%q,"node":"evil","account":"local","function":"shop","part":0,"parts":1,"failures":[{"time":"2031-05-06T07:08:09Z","node":"b"}]}`
	for name, change := range map[string][2]string{
		"as it should be":    {},
		"another question":   {`{"id":"`, `{"id":"0`},
		"another account":    {`"local"`, `"other"`},
		"another Function":   {`"shop"`, `"other"`},
		"this node's name":   {`"evil"`, `"a"`},
		"no name":            {`"evil"`, `"e vil"`},
		"no parts":           {`"parts":1`, `"parts":0`},
		"too many parts":     {`"parts":1`, `"parts":65`},
		"a part beyond them": {`"part":0`, `"part":1`},
		"a negative part":    {`"part":0`, `"part":-1`},
		"no list":            {`[{`, `7,"x":[{`},
		"no time":            {`2031-05-06T07:08:09Z`, `yesterday`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := newMemoryBus()
				a := mustJoin(t, bus, 1)[0]
				evil := &busOf{memoryBus: bus, node: "evil"}
				stop, err := evil.Subscribe("failures.ask", func(question []byte) {
					var asked struct{ ID string }
					mustJSON(t, question, &asked)
					for range 3 {
						evil.Publish("failures.answer.a", []byte(strings.Replace(fmt.Sprintf(good, asked.ID), change[0], change[1], 1)))
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				defer stop()
				want := 0
				if change[0] == "" {
					want = 1
				}
				if g := mustGather(t, a, "evil"); len(g.Failures) != want || len(g.Answered) != 1+want || want == 1 && g.Failures[0].Node != "evil" {
					t.Errorf("got %+v, want %d", g, want)
				}
			})
		})
	}
}

// Questions are bounded: an account can't take all.
func TestQuestionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := mustJoin(t, newMemoryBus(), 1)[0]
		var mu sync.Mutex
		refused := 0
		var work sync.WaitGroup
		for range 6 {
			work.Go(func() {
				_, err := a.AllFailures(t.Context(), "greedy", "shop", []string{"gone"})
				mu.Lock()
				defer mu.Unlock()
				if host.CodeOf(err) == host.CodeLimit {
					refused++
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if _, err := a.AllFailures(t.Context(), "other", "shop", []string{"gone"}); err != nil {
			t.Errorf("another account: %v", err)
		}
		if work.Wait(); refused != 2 {
			t.Errorf("%d were refused, want 2", refused)
		}
		if _, err := a.AllFailures(t.Context(), "greedy", "shop", nil); err != nil {
			t.Errorf("later: %v", err)
		}
	})
}
