package measure

import (
	"context"
	"fmt"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime"
)

// ColdResult has a distribution per phase of an Invocation that starts with
// nothing.
type ColdResult struct {
	Phases Phases `json:"phases"`
	// Total is all phases of a request: all but Compile and Snapshot, which happen
	// once. A client does not wait for Release.
	Total Percentiles `json:"total"`
}

// Phases are in the order in which they happen.
type Phases struct {
	Compile     Percentiles `json:"compile"`
	Snapshot    Percentiles `json:"snapshot"` // taken once
	Instantiate Percentiles `json:"instantiate"`
	Initialise  Percentiles `json:"initialise"`
	Call        Percentiles `json:"call"`
	Release     Percentiles `json:"release"`
}

// Guest is what Cold measures.
type Guest struct {
	Module   []byte
	Services *host.Services
	Bindings *host.Bindings
	Limits   host.Limits
	// Warmup are answered before the snapshot is taken.
	Warmup []host.Request
}

// Cold loads a guest and answers that many GET requests for "/", one after the
// other, each with an Instance of its own. Every one counts, the first too. It
// stops at the first Invocation that fails. tick is called after each one.
func Cold(ctx context.Context, r *runtime.Runtime, g Guest, requests int, tick func(done int)) (ColdResult, error) {
	start := time.Now()
	m, err := r.Load(ctx, g.Module)
	if err != nil {
		return ColdResult{}, err
	}
	defer m.Close()
	s := samples{compile: []time.Duration{time.Since(start)}}
	start = time.Now()
	snapshot, err := m.Prepare(ctx, runtime.Setup{Services: g.Services, Bindings: g.Bindings, Limits: g.Limits, Warmup: g.Warmup})
	if err != nil {
		return ColdResult{}, err
	}
	defer snapshot.Close()
	s.snapshot = []time.Duration{time.Since(start)}
	var c host.Call
	for i := range requests {
		if err := ctx.Err(); err != nil {
			return ColdResult{}, err
		}
		if err := s.invoke(ctx, snapshot, g, &c); err != nil {
			return ColdResult{}, fmt.Errorf("request %d: %w", i+1, err)
		}
		tick(i + 1)
	}
	return s.result(), nil
}

// samples are the durations of each phase, and of all but compile together.
type samples struct {
	compile, snapshot, instantiate, initialise, call, release, total []time.Duration
}

// invoke goes through the steps of runtime.Snapshot.Invoke with a clock.
func (s *samples) invoke(ctx context.Context, snapshot *runtime.Snapshot, g Guest, c *host.Call) error {
	prepare(c, g)
	c.Begin(ctx)
	snapshot.Use()
	start := time.Now()
	i, err := snapshot.Acquire(c)
	if err != nil {
		c.End(err)
		snapshot.Done()
		return fmt.Errorf("instantiate: %w", err)
	}
	acquired := time.Now()
	err = i.Initialize(c)
	initialised := time.Now()
	if err == nil {
		err = i.Run(c)
	}
	_, err = i.Finish(c, err)
	called := time.Now()
	c.End(err)
	ended := time.Now()
	i.Recycle()
	recycled := time.Now()
	if err != nil {
		return fmt.Errorf("the Function failed: %w", err)
	}
	add(&s.instantiate, start, acquired)
	add(&s.initialise, acquired, initialised)
	add(&s.call, initialised, called)
	add(&s.release, ended, recycled)
	add(&s.total, start, recycled)
	return nil
}

func add(to *[]time.Duration, from, until time.Time) { *to = append(*to, until.Sub(from)) }

func (s *samples) result() ColdResult {
	return ColdResult{
		Phases: Phases{
			Compile:     percentilesOf(s.compile),
			Snapshot:    percentilesOf(s.snapshot),
			Instantiate: percentilesOf(s.instantiate),
			Initialise:  percentilesOf(s.initialise),
			Call:        percentilesOf(s.call),
			Release:     percentilesOf(s.release),
		},
		Total: percentilesOf(s.total),
	}
}

// prepare gives the Call its request.
func prepare(c *host.Call, g Guest) {
	c.Reset()
	c.ID = "bench"
	c.Services, c.Bindings, c.Limits = g.Services, g.Bindings, g.Limits
	c.Request = host.Request{
		Method:  []byte("GET"),
		URL:     []byte("http://localhost/"),
		Headers: host.Headers(nil).Add("host", "localhost"),
	}
	c.Responder = discard{}
}

// discard is a Responder without a client.
type discard struct{}

func (discard) Respond(int, host.Headers, []byte) error { return nil }

func (discard) Stream(int, host.Headers) (host.BodyWriter, error) { return discard{}, nil }

func (discard) Detach() error { return nil }

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func (discard) CloseWithError(error) error { return nil }
