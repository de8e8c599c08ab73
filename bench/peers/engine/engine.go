// Package engine answers guests' requests without a network, with Mayfly and
// with wasmtime: each request by an instance in its first-ever state. Start
// with Engine.
package engine

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/mayfly-run/mayfly/bench/guests"
	"github.com/mayfly-run/mayfly/bench/peers/report"
)

// Engine runs guests in one way. It is closed after what it prepared.
type Engine interface {
	Name() string
	// Prepare does what is done once for all requests. ErrNothingToDo says that
	// the engine would not differ from a simpler one with this guest.
	Prepare(ctx context.Context, g guests.Guest) (Prepared, error)
	Close() error
}

// ErrNothingToDo is what Prepare says of guests that need none of it.
var ErrNothingToDo = errors.New("the guest has no initialisation")

// Prepared is a guest that is ready for requests, one after the other.
type Prepared interface {
	// Answer gets an instance, has it answer the guest's request, and resets or
	// frees it.
	Answer() (Reply, error)
	Close() error
}

// Reply is what a guest answered. Its body is valid until the next Answer.
type Reply struct {
	Status int
	Body   []byte
}

func (r Reply) check(g guests.Guest) error {
	if r.Status != 200 || string(r.Body) != g.Answer {
		return fmt.Errorf("the answer is %d %q, want 200 %q", r.Status, r.Body, g.Answer)
	}
	return nil
}

// Measure has p answer for as long as d says and checks every answer. Reading
// the clock and the check are in the result: some 50 nanoseconds per request.
func Measure(ctx context.Context, p Prepared, g guests.Guest, d time.Duration) (report.Sample, error) {
	latency := hdrhistogram.New(1, time.Minute.Nanoseconds(), 3)
	goruntime.GC() // what others left behind is not this one's cost
	n, last, start := 0, time.Duration(0), time.Now()
	for ; last < d && ctx.Err() == nil; n++ {
		reply, err := p.Answer()
		if err == nil {
			err = reply.check(g)
		}
		if err != nil {
			return report.Sample{}, err
		}
		now := time.Since(start)
		latency.RecordValue(max(1, (now - last).Nanoseconds())) //nolint:errcheck // no request takes a minute
		last = now
	}
	micros := func(percent float64) float64 { return float64(latency.ValueAtPercentile(percent)) / 1000 }
	return report.Sample{PerSecond: float64(n) / last.Seconds(), P50: micros(50), P99: micros(99)}, ctx.Err()
}
