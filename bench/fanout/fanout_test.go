package fanout_test

import (
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/bench/fanout"
)

// simple is a cluster whose figures can be told by hand.
var simple = fanout.Model{
	Nodes: 30, Servers: 3, Writes: 1, Entry: 1000, Keys: 100, Module: 1 << 20, Compile: time.Second,
	Costs: fanout.Costs{Link: 1e9, Deliver: 10 * time.Microsecond, Apply: 20 * time.Microsecond, Trip: time.Millisecond, Region: 50 * time.Millisecond},
}

func TestByHand(t *testing.T) {
	near := func(name string, got, want, tolerance float64) {
		t.Helper()
		if got < want*(1-tolerance) || got > want*(1+tolerance) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	m := simple
	r := m.Run(1000, 1)
	// Ten followers of each server, who wait for each other and not for other writes.
	near("p50", r.P50.Seconds(), 1e-3+20e-6+55e-6, 0.02)
	near("worst", r.Worst.Seconds(), 1e-3+20e-6+100e-6, 0.3)
	near("load", r.Load, 10*10e-6, 0.001)
	near("most writes", r.MostWrites, 1/(10*10e-6), 0.001)
	near("egress", r.Egress, 10*1000, 0.001)
	near("join", r.Join.Seconds(), 100*20e-6, 0.001)
	near("join of all", r.JoinAll.Seconds(), 100*10*10e-6, 0.001)
	near("deploy", r.DeployWorst.Seconds(), 1e-3+10*float64(1<<20)/1e9+1, 0.001)

	m.Regions = 3
	r = m.Run(1000, 1)
	near("p50 through mirrors", r.P50.Seconds(), 10e-6+50e-3+1e-3+20e-6+55e-6, 0.02)
}

func TestOverloaded(t *testing.T) {
	m := simple
	m.Writes = 2 * m.Run(1, 1).MostWrites
	if r := m.Run(100, 1); r.Load < 1.99 || r.P50 != 0 {
		t.Errorf("load is %v, p50 %v: want 2, and no end", r.Load, r.P50)
	}
}

// The nearer to what a server can deliver, the longer the wait.
func TestWaitGrows(t *testing.T) {
	var before time.Duration
	for _, part := range []float64{0.1, 0.5, 0.9} {
		m := simple
		m.Writes = part * m.Run(1, 1).MostWrites
		r := m.Run(20000, 1)
		if r.P99 <= before {
			t.Errorf("p99 is %v at %v of the most writes, and %v before", r.P99, part, before)
		}
		before = r.P99
	}
}
