package runtime_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/runtime"
)

// Guests whose time ends while they wait are ended one after the other, before
// anybody else has a turn.
func TestOverOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := runtime.NewTurns()
		first := callOf(t, "a")
		first.Long = true
		if turns.Take(first) {
			t.Fatal("the first waited")
		}
		var all sync.WaitGroup
		var running, most, ended, patientAfter int
		run := func(account string, wall time.Duration, then func()) {
			c := callOf(t, account)
			c.Long, c.Limits.Wall = true, wall
			c.Begin(t.Context())
			all.Go(func() {
				if !turns.Take(c) {
					t.Error("there was a turn")
				}
				running++
				most = max(most, running)
				if over := c.Spend(0) != nil; over != (wall < time.Hour) {
					t.Errorf("over: %v", over)
				}
				time.Sleep(time.Millisecond)
				running--
				then()
				c.EndTurn()
			})
			synctest.Wait()
		}
		run("b", time.Hour, func() { patientAfter = ended })
		for range 5 {
			run("a", time.Second, func() { ended++ })
		}
		time.Sleep(2 * time.Second)
		if ended > 0 {
			t.Errorf("%d ended while another had its turn", ended)
		}
		first.EndTurn()
		all.Wait()
		if most != 1 || ended != 5 || patientAfter != 5 {
			t.Errorf("at most %d ran at once, %d ended, %d before who had time", most, ended, patientAfter)
		}
	})
}

// endlessOnDemand never ends unless the request's path is empty.
func endlessOnDemand() []byte {
	var m hosttest.Module
	f := respond(&m)
	url, _ := native.New().Modules()[0].Find("request_url")
	length := m.Import("mayfly", "request_url", url.Params, url.Results)
	m.Memory(1)
	m.Func("fetch", nil, nil, nil,
		hosttest.I32Const(0), hosttest.I32Const(0), hosttest.Call(length), hosttest.I32Const(int32(len(hostileURL))), hosttest.I32Sub,
		hosttest.If, hosttest.Loop, hosttest.Br(0), hosttest.End, hosttest.End,
		answer(f, 1))
	return m.Bytes()
}

// A Function whose guests run for long is expected to go on like that, until they
// don't any more.
func TestHabit(t *testing.T) {
	s := mustPrepare(t, mustLoad(t, mustRuntime(t, runtime.Config{}), endlessOnDemand()), host.Limits{})
	limits := host.Limits{CPU: 200 * time.Millisecond}
	ask(t, s, "/", limits)
	for range 2 {
		if s.Long() {
			t.Error("it is expected to run for long, although it hardly did")
		}
		if got := ask(t, s, "/endless", limits); got.outcome != host.OutcomeExceededCPU {
			t.Fatalf("got %v, %v", got.outcome, got.err)
		}
	}
	if !s.Long() {
		t.Error("it is not expected to run for long, although it did twice")
	}
	for range 2 { // as often as it takes to forget the second
		if got := ask(t, s, "/", limits); got.outcome != host.OutcomeOK {
			t.Errorf("got %v, %v", got.outcome, got.err)
		}
	}
	if s.Long() {
		t.Error("it is expected to run for long, although it did not any more")
	}
}
