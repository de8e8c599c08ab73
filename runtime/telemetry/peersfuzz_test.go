package telemetry_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

const (
	someID   = "0123456789abcdef0123456789abcdef"
	anEvent  = `{"scriptName":"shop","outcome":"ok","event":{"request":{"method":"GET"}}}`
	aMessage = `{"node":"evil","session":"` + someID + `","account":"local","function":"shop","events":%s,"skipped":%s,"event":%s}`
	aLease   = `{"id":%q,"node":%q,"account":"local","function":"shop","filter":%s,"per_second":100}`
)

// TestHostileEvents: what can't be an event of the tail's Function is not shown, and does
// no harm.
func TestHostileEvents(t *testing.T) {
	good := fmt.Sprintf(aMessage, "1", "0", anEvent)
	for name, text := range map[string]string{
		"nothing":                 ``,
		"no JSON":                 `{"node":`,
		"null":                    `null`,
		"a list":                  `[]`,
		"no node":                 strings.Replace(good, `"evil"`, `""`, 1),
		"a node that is no word":  strings.Replace(good, `"evil"`, `"e.v\u0000il"`, 1),
		"no session":              strings.Replace(good, someID, "", 1),
		"another account":         strings.Replace(good, `"local"`, `"other"`, 1),
		"another Function":        strings.Replace(good, `"function":"shop"`, `"function":"other"`, 1),
		"of another Function":     strings.Replace(good, `"scriptName":"shop"`, `"scriptName":"other"`, 1),
		"no event":                fmt.Sprintf(aMessage, "1", "0", "null"),
		"an event that is a text": fmt.Sprintf(aMessage, "1", "0", `"x"`),
		"of another kind":         fmt.Sprintf(aMessage, "1", "0", strings.Replace(anEvent, `{"request":{"method":"GET"}}`, `7`, 1)),
		"no kind":                 fmt.Sprintf(aMessage, "1", "0", `{"scriptName":"shop"}`),
		"logs of another kind":    fmt.Sprintf(aMessage, "1", "0", strings.Replace(anEvent, `"outcome"`, `"logs":7,"outcome"`, 1)),
		"negative numbers":        fmt.Sprintf(aMessage, "-1", "0", anEvent),
		"an event without number": fmt.Sprintf(aMessage, "0", "0", anEvent),
		"less than nothing":       fmt.Sprintf(aMessage, "1", "-1", anEvent),
		"too much":                fmt.Sprintf(aMessage, "1", "9223372036854775807", anEvent),
		"more than numbers have":  fmt.Sprintf(aMessage, "1e300", "0", anEvent),
		"too long":                good + strings.Repeat(" ", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := newMemoryBus()
				r := mustFollow(t, mustJoin(t, bus, 1)[0], "")
				evil := &busOf{memoryBus: bus, node: "evil"}
				evil.Publish("tail.event."+r.tail.ID, []byte(text))
				if events, told := r.after(2 * time.Second); len(events)+len(told) != 0 {
					t.Errorf("got %+v, told %q", events, told)
				}
				for range 2 { // the second time it is nothing new
					evil.Publish("tail.event."+r.tail.ID, fmt.Appendf(nil, aMessage, "2", "0", anEvent))
				}
				if events, _ := r.after(2 * time.Second); nodes(events) != "evil" {
					t.Errorf("what can be one: got %+v", events)
				}
			})
		})
	}
}

// Numbers that can't be right are told, but not believed.
func TestHostileNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newMemoryBus()
		r := mustFollow(t, mustJoin(t, bus, 1)[0], "")
		evil := &busOf{memoryBus: bus, node: "evil"}
		for _, n := range []string{"4000000000000000000", "9223372036854775807"} {
			evil.Publish("tail.event."+r.tail.ID, fmt.Appendf(nil, aMessage, n, "4000000000000000000", "null"))
		}
		_, told := r.after(5 * time.Second)
		if len(told) != 2 || !strings.HasPrefix(told[0], "1000000 invocations were left out") || !strings.HasPrefix(told[1], "2000000 invocations of other nodes") {
			t.Errorf("told %q", told)
		}
	})
}

// A node that floods a tail has that much left out; those of the other nodes are shown in
// the next second.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newMemoryBus()
		all := mustJoin(t, bus, 2)
		r := mustFollow(t, all[0], "")
		evil := &busOf{memoryBus: bus, node: "evil"}
		for n := range 5000 {
			evil.Publish("tail.event."+r.tail.ID, fmt.Appendf(nil, aMessage, fmt.Sprint(n+1), "0", anEvent))
		}
		events, told := r.after(2 * time.Second)
		if len(events) != 100 || len(told) == 0 {
			t.Errorf("got %d events, told %q", len(events), told)
		}
		all[1].happens(t, invocation{})
		if events, _ := r.after(2 * time.Second); nodes(events) != "b" {
			t.Errorf("after that: got %+v", events)
		}
	})
}

// TestHostileLeases: what is no tail that a node can have has nothing sent.
func TestHostileLeases(t *testing.T) {
	good := fmt.Sprintf(aLease, someID, "evil", `{}`)
	for name, text := range map[string]string{
		"no JSON":                         `{`,
		"a subject as id":                 fmt.Sprintf(aLease, ">", "evil", `{}`),
		"a longer id":                     fmt.Sprintf(aLease, someID+".x", "evil", `{}`),
		"no node":                         fmt.Sprintf(aLease, someID, "", `{}`),
		"this node":                       fmt.Sprintf(aLease, someID, "a", `{}`),
		"no account":                      strings.Replace(good, `"local"`, `""`, 1),
		"no Function":                     strings.Replace(good, `"shop"`, `""`, 1),
		"no filter":                       fmt.Sprintf(aLease, someID, "evil", `null`)[:70],
		"a filter of a later version":     fmt.Sprintf(aLease, someID, "evil", `{"colour":"red"}`),
		"a filter without sense":          fmt.Sprintf(aLease, someID, "evil", `{"sampling_rate":7}`),
		"an address that is none":         fmt.Sprintf(aLease, someID, "evil", `{"client_ip":["x"]}`),
		"nothing in a second":             strings.Replace(good, "100", "0", 1),
		"one that has ended":              strings.Replace(good, "100", `100,"ended":true`, 1),
		"the Function of another account": strings.Replace(strings.Replace(good, `"local"`, `"other"`, 1), "0123", "4567", 1),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := newMemoryBus()
				a := mustJoin(t, bus, 1)[0]
				evil := &busOf{memoryBus: bus, node: "evil"}
				evil.Publish("tail.lease", []byte(text))
				synctest.Wait()
				a.happens(t, invocation{})
				time.Sleep(2 * time.Second)
				if n := bus.sent("tail.event"); n != 0 {
					t.Errorf("%d events were sent", n)
				}
				evil.Publish("tail.lease", []byte(good))
				synctest.Wait()
				(&busOf{memoryBus: bus, node: "other"}).Publish("tail.lease", []byte(strings.Replace(strings.Replace(good, "evil", "other", 1), "100", `100,"ended":true`, 1)))
				synctest.Wait()
				a.happens(t, invocation{})
				time.Sleep(time.Second)
				if n := bus.sent("tail.event"); n != 1 {
					t.Errorf("of one that is good, and that another node can't end, %d events were sent", n)
				}
			})
		})
	}
}

// Tails of other nodes are bounded here too.
func TestTooManyLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newMemoryBus()
		a := mustJoin(t, bus, 1)[0]
		evil := &busOf{memoryBus: bus, node: "evil"}
		for n := range 5000 {
			evil.Publish("tail.lease", []byte(strings.Replace(fmt.Sprintf(aLease, fmt.Sprintf("%032x", n), "evil", `{}`), "shop", fmt.Sprint("shop", n%5), 1)))
		}
		synctest.Wait()
		if n := len(a.Tails("local", "shop0")); n != 20 {
			t.Errorf("%d tails of a Function are taken, want 20", n)
		}
		if _, err := a.OpenTail("local", "shop9", telemetry.Filter{}, nil); host.CodeOf(err) != host.CodeLimit {
			t.Errorf("one more of the account: got %v", err)
		}
		if _, err := a.OpenTail("other", "shop", telemetry.Filter{}, nil); err != nil {
			t.Errorf("one of another account: got %v", err)
		}
		time.Sleep(time.Minute)
		if n := len(a.Tails("local", "shop0")); n != 0 {
			t.Errorf("of a node that says nothing more, %d tails are left", n)
		}
	})
}

// FuzzBus: whatever comes from the network, a node goes on, and shows only what belongs
// to a tail.
func FuzzBus(f *testing.F) {
	for subject, text := range []string{fmt.Sprintf(aLease, someID, "evil", `{"method":["GET"]}`), fmt.Sprintf(`{"id":%q,"account":"local","function":"shop"}`, someID),
		fmt.Sprintf(`{"id":%q,"node":"evil","account":"local","function":"shop","bytes":1000}`, someID),
		fmt.Sprintf(`{"id":%q,"node":"evil","account":"local","function":"shop","part":0,"parts":1,"failures":[{"time":"2031-05-06T07:08:09Z"}]}`, someID),
		fmt.Sprintf(aMessage, "1", "0", anEvent)} {
		f.Add(byte(subject), []byte(text))
		f.Add(byte(4), []byte(text))
	}
	f.Fuzz(func(t *testing.T, subject byte, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			bus := newMemoryBus()
			a := mustJoin(t, bus, 1)[0]
			r := mustFollow(t, a, "")
			subjects := []string{"tail.lease", "tail.end", "failures.ask", "failures.answer.a", "tail.event." + r.tail.ID}
			evil := &busOf{memoryBus: bus, node: "evil"}
			evil.Publish(subjects[int(subject)%len(subjects)], data)
			synctest.Wait()
			a.happens(t, invocation{ended: failed(host.OutcomeException, "x")})
			events, _ := r.after(time.Second)
			for _, e := range events {
				if e.ScriptName != "shop" {
					t.Errorf("shown is %+v", e)
				}
			}
			if len(events) == 0 {
				t.Error("what happens at the node is not shown any more")
			}
		})
	})
}
