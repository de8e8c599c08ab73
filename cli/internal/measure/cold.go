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
	// Total is what a request pays: all phases but Compile, which happens once
	// per module.
	Total Percentiles `json:"total"`
}

// Phases are in the order in which they happen.
type Phases struct {
	Compile     Percentiles `json:"compile"`
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
	s := samples{compile: []time.Duration{time.Since(start)}}
	if !m.Use() {
		return ColdResult{}, runtime.ErrUnloaded
	}
	defer m.Done()
	var c host.Call
	for i := range requests {
		if err := ctx.Err(); err != nil {
			return ColdResult{}, err
		}
		if err := s.invoke(ctx, m, g, &c); err != nil {
			return ColdResult{}, fmt.Errorf("request %d: %w", i+1, err)
		}
		tick(i + 1)
	}
	return s.result(), nil
}

// samples are the durations of each phase, and of all but compile together.
type samples struct {
	compile, instantiate, initialise, call, release, total []time.Duration
}

// invoke goes through the steps of runtime.Module.Invoke with a clock.
func (s *samples) invoke(ctx context.Context, m *runtime.Module, g Guest, c *host.Call) error {
	prepare(c, g)
	c.Begin(ctx)
	m.ABI.Enter(c)
	start := time.Now()
	i, err := m.Acquire(c)
	if i == nil {
		c.End(err)
		return fmt.Errorf("instantiate: %w", err)
	}
	acquired := time.Now()
	if err == nil {
		err = i.Initialize(c)
	}
	initialised := time.Now()
	if err == nil {
		err = i.Run(c)
	}
	err = m.ABI.Leave(c, err)
	called := time.Now()
	i.Release(c)
	released := time.Now()
	c.End(err)
	if err != nil {
		return fmt.Errorf("the Function failed: %w", err)
	}
	add(&s.instantiate, start, acquired)
	add(&s.initialise, acquired, initialised)
	add(&s.call, initialised, called)
	add(&s.release, called, released)
	add(&s.total, start, released)
	return nil
}

func add(to *[]time.Duration, from, until time.Time) { *to = append(*to, until.Sub(from)) }

func (s *samples) result() ColdResult {
	return ColdResult{
		Phases: Phases{
			Compile:     percentilesOf(s.compile),
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
