package telemetry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// invocation is one that a test lets happen.
type invocation struct {
	account, function, version string // default: local, shop, v1
	method, url, headers       string
	client                     string // default 192.0.2.7
	logs                       []string
	ended                      telemetry.Ended
	usage                      host.Usage
	scheduled                  *host.Scheduled
	change                     *host.KVChange
	trigger                    host.Trigger
}

// run tells o of an Invocation as triggers do.
func (i invocation) run(t testing.TB, o *telemetry.Observer, at *telemetry.Observed) {
	t.Helper()
	c := &host.Call{ID: "r1", Services: hosttest.Services(t), Limits: host.DefaultLimits(),
		Bindings: &host.Bindings{Account: or(i.account, "local"), Function: or(i.function, "shop"), Version: or(i.version, "v1")}}
	c.Request = host.Request{Method: []byte(or(i.method, "GET")), URL: []byte(or(i.url, "http://shop.localhost/")),
		Headers: host.Headers(i.headers), Client: netip.MustParseAddr(or(i.client, "192.0.2.7"))}
	c.Scheduled, c.Change, c.Trigger = i.scheduled, i.change, i.trigger
	c.Begin(context.Background())
	o.Begin(at, c)
	for _, text := range i.logs {
		c.Log(host.LogInfo, []byte(text))
	}
	c.End(nil)
	c.Usage = i.usage
	o.End(at, c, i.ended)
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

const trap = "wasm error: unreachable\nwasm stack trace:\n\tmain.inner()\n\tmain.fetch()\n\nGo runtime stack trace:\nruntime.secret()"

func failed(outcome host.Outcome, text string) telemetry.Ended {
	return telemetry.Ended{Outcome: outcome, Err: errors.New(text), Status: 500}
}

// Where nobody wants to know more than how much was used, being told costs nothing, on a
// node alone and on one of several.
func TestObserverAllocatesNothing(t *testing.T) {
	alone := telemetry.NewObserver(telemetry.ObserverConfig{})
	for name, o := range map[string]*telemetry.Observer{"alone": alone, "one of two": mustJoin(t, newMemoryBus(), 2)[0].Observer} {
		t.Run(name, func(t *testing.T) { allocatesNothing(t, o) })
	}
}

func allocatesNothing(t *testing.T, o *telemetry.Observer) {
	t.Helper()
	var at telemetry.Observed
	c := &host.Call{Bindings: &host.Bindings{Account: "local", Function: "shop", Version: "v1"}}
	if n := testing.AllocsPerRun(100, func() {
		o.Begin(&at, c)
		o.End(&at, c, telemetry.Ended{Status: 200})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if c.Watcher != nil {
		t.Error("somebody watches")
	}
}

// A nil Observer may be told as well.
func TestNoObserver(t *testing.T) {
	var o *telemetry.Observer
	o.Forget("local", "shop")
	c := &host.Call{}
	o.Begin(nil, c)
	o.End(nil, c, telemetry.Ended{})
	if c.Watcher != nil {
		t.Error("somebody watches")
	}
}

func TestFailures(t *testing.T) {
	o := telemetry.NewObserver(telemetry.ObserverConfig{Failures: 3})
	var at telemetry.Observed
	for _, i := range []invocation{
		{ended: telemetry.Ended{Status: 200}},
		{ended: failed(host.OutcomeCanceled, "the client went away")},
		{ended: failed(host.OutcomeLoadShed, "no room")},
		{url: "http://shop.localhost/first", ended: failed(host.OutcomeException, "dropped")},
		{url: "http://shop.localhost/?id=0123456789abcdef0123456789abcdef", method: "PUT", logs: []string{"near", "here"}, ended: failed(host.OutcomeException, trap)},
		{version: "v2", ended: failed(host.OutcomeExceededCPU, "CPU time limit exceeded")},
		{ended: failed(host.OutcomeInternalError, "disk on fire")},
		{function: "other", ended: failed(host.OutcomeException, "another's")},
	} {
		if i.version != "" || i.function != "" {
			i.run(t, o, new(telemetry.Observed))
			continue
		}
		i.run(t, o, &at)
	}
	var got []string
	for _, f := range o.Failures("local", "shop") {
		got = append(got, fmt.Sprintf("%s %s %s %s %s: %s|%s|%s", f.Method, f.URL, f.VersionID, f.Outcome, f.Name, f.Message, f.Stack, f.Log))
	}
	want := []string{
		"GET http://shop.localhost/ v1 internalError Error: the node failed; its log has the details of this request||",
		"GET http://shop.localhost/ v2 exceededCpu Error: CPU time limit exceeded||",
		"PUT http://shop.localhost/?id=REDACTED v1 exception RuntimeError: unreachable|    at main.inner()\n    at main.fetch()|near\nhere\n",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if all := o.Failures("other", "shop"); all == nil || len(all) != 0 {
		t.Errorf("another account sees %v", all)
	}
	o.Forget("local", "shop")
	if n, others := len(o.Failures("local", "shop")), len(o.Failures("local", "other")); n != 0 || others != 1 {
		t.Errorf("%d after it was deleted, and %d of another; want 0 and 1", n, others)
	}
}

// What is kept for one account has a bound, however many Functions it has.
func TestFailuresAreBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	o := telemetry.NewObserver(telemetry.ObserverConfig{Now: func() time.Time { now = now.Add(time.Second); return now }})
	long := failed(host.OutcomeException, "wasm error: x\nwasm stack trace:\n"+strings.Repeat("\tf()\n", 10_000))
	const functions, each = 60, 20
	for f := range functions {
		var at telemetry.Observed
		for range each {
			invocation{function: fmt.Sprint("f", f), ended: long}.run(t, o, &at)
		}
	}
	invocation{account: "small", ended: long}.run(t, o, new(telemetry.Observed))
	bytes, kept := 0, 0
	for f := range functions {
		for _, x := range o.Failures("local", fmt.Sprint("f", f)) {
			bytes += len(x.Stack)
			kept++
		}
	}
	if bytes > 4<<20 || kept < 100 || kept == functions*each {
		t.Errorf("%d failures of %d bytes are kept, want some and at most 4 MiB", kept, bytes)
	}
	if n := len(o.Failures("small", "shop")); n != 1 {
		t.Errorf("%d of an account that has one", n)
	}
}

// Also the name of an exception is the guest's, and any length.
func TestLongNamesOfExceptions(t *testing.T) {
	now := time.Unix(1000, 0)
	o := telemetry.NewObserver(telemetry.ObserverConfig{Now: func() time.Time { now = now.Add(time.Second); return now }})
	thrown := telemetry.Ended{Outcome: host.OutcomeException, Err: &js.Failure{Stack: "Uncaught " + strings.Repeat("x", 100_000) + ": m"}}
	invocation{ended: thrown}.run(t, o, new(telemetry.Observed))
	for _, f := range o.Failures("local", "shop") {
		if len(f.Name) < 100 || len(f.Name) > 300 {
			t.Errorf("a name of %d bytes is kept", len(f.Name))
		}
	}
	if n := len(o.Failures("local", "shop")); n != 1 {
		t.Errorf("%d failures are kept, want 1", n)
	}
}

// Invocations, tails and deletions at the same time.
func TestObserverConcurrently(t *testing.T) {
	o := telemetry.NewObserver(telemetry.ObserverConfig{})
	var at telemetry.Observed
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				invocation{logs: []string{"x"}, ended: failed(host.OutcomeException, trap)}.run(t, o, &at)
			}
		})
		all.Go(func() {
			for range 20 {
				tail, err := o.OpenTail("local", "shop", telemetry.Filter{}, nil)
				if err != nil {
					continue
				}
				o.Tails("local", "shop")
				o.CloseTail("local", "shop", tail.ID)
			}
		})
		all.Go(func() {
			for range 20 {
				o.Forget("local", "shop")
				o.Failures("local", "shop")
			}
		})
	}
	all.Wait()
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	if _, err := o.OpenTail("local", "shop", telemetry.Filter{}, nil); err == nil {
		t.Error("a tail of an Observer that is closed")
	}
}

func mustJSON(t testing.TB, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}
