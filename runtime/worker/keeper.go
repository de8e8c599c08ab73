//go:build linux

package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime"
)

// keeper keeps a worker for one Snapshot: started when it is needed, and again after
// it has died. It implements runtime.Remote.
type keeper struct {
	workers  *Workers
	parcel   *runtime.Parcel
	release  func()        // of the code on disk
	starting chan struct{} // room for the one that starts

	mu     sync.Mutex // guards what follows
	proc   *process   // the last one; nil if there was none
	deaths int        // in a row, soon after the start
	began  time.Time
	retry  time.Time // when the next one may start
	closed bool
}

// A worker that dies within soon of its start counts; the first may start again at
// once, and each after it waits twice as long.
const (
	soon      = 10 * time.Second
	firstWait = 100 * time.Millisecond
	longest   = 30 * time.Second
)

var errBackOff = errors.New("the worker has died again and again: the next one is not started yet")

// attempts is how often an Invocation looks for a worker: one that has just died or
// retired is found out when it is spoken to.
const attempts = 3

// Invoke implements runtime.Remote.
func (k *keeper) Invoke(c *host.Call) (host.Outcome, error) {
	for range attempts {
		p, err := k.ready(c)
		if outcome := over(c); outcome != host.OutcomeOK {
			return outcome, context.Cause(c.Context())
		}
		if err != nil {
			return host.OutcomeLoadShed, err
		}
		ch, err := p.take(frameLimit(c))
		if err != nil {
			continue
		}
		if c.Timed {
			c.Acquired = time.Now()
		}
		s := newSession(p, ch, c)
		outcome, err := s.invoke()
		p.put(ch, s.whole)
		if !errors.Is(err, errNotBegun) {
			return outcome, err
		}
		p.retireDying()
	}
	return host.OutcomeLoadShed, errBackOff
}

// ready waits for a worker, which is not the guest's time.
func (k *keeper) ready(c *host.Call) (*process, error) {
	if p := k.process(); p != nil {
		return p, nil
	}
	p, err := k.running(c.Context())
	c.Extend(c.Limits.Wall)
	return p, err
}

// over finds the Outcome of an Invocation whose time was over before it began.
func over(c *host.Call) host.Outcome {
	switch c.Err() {
	case nil:
		return host.OutcomeOK
	case context.DeadlineExceeded:
		return host.OutcomeExceededWallTime
	}
	return host.OutcomeCanceled
}

// process is the one that runs, or nil.
func (k *keeper) process() *process {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.proc == nil || !k.proc.alive() {
		return nil
	}
	return k.proc
}

func (k *keeper) running(ctx context.Context) (*process, error) {
	select {
	case k.starting <- struct{}{}:
		defer func() { <-k.starting }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p := k.process(); p != nil {
		return p, nil
	}
	if err := k.mayStart(); err != nil {
		return nil, err
	}
	p, err := k.workers.start(k.parcel, false)
	if err != nil {
		k.workers.cfg.Logger.Error("start worker", "err", err)
	}
	k.note(p)
	return p, err
}

// mayStart looks at how the last one ended.
func (k *keeper) mayStart() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.closed || k.workers.base.Err() != nil:
		return runtime.ErrClosed
	case time.Now().Before(k.retry):
		return errBackOff
	}
	return nil
}

// note takes a new process, nil if it did not start.
func (k *keeper) note(p *process) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.proc, k.began = p, time.Now()
	if p == nil {
		k.died()
		return
	}
	k.workers.live.Go(func() { k.mourn(p) })
	if k.closed || k.workers.base.Err() != nil {
		p.kill(notNeeded)
	}
}

// mourn waits for the end of a worker.
func (k *keeper) mourn(p *process) {
	<-p.gone
	if p.expected() {
		return
	}
	k.workers.cfg.Logger.Error("worker died", "pid", p.cmd.Process.Pid, "it", p.ending)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.died()
}

// died needs k.mu.
func (k *keeper) died() {
	if time.Since(k.began) > soon {
		k.deaths = 0
	}
	if k.deaths++; k.deaths > 1 {
		k.retry = time.Now().Add(min(longest, firstWait<<min(k.deaths-2, 20)))
	}
}

// Close implements runtime.Remote.
func (k *keeper) Close() {
	k.mu.Lock()
	k.closed = true
	p := k.proc
	k.mu.Unlock()
	if p != nil {
		p.stop()
	}
	k.release()
}

// Initialize implements runtime.Isolation: in a worker that nothing else runs in.
func (w *Workers) Initialize(ctx context.Context, parcel *runtime.Parcel, setup runtime.Setup, c *host.Call) (runtime.Initialized, error) {
	release := w.cfg.Code.Hold(parcel.Code)
	defer release()
	p, err := w.start(parcel, true)
	if err != nil {
		return runtime.Initialized{}, err
	}
	defer func() {
		p.stop()
		<-p.gone
	}()
	ch, err := p.take(frameLimit(c))
	if err != nil {
		return runtime.Initialized{}, err
	}
	s := newSession(p, ch, c)
	done, err := s.initialize(setup)
	p.put(ch, false)
	if err != nil && ctx.Err() != nil {
		return runtime.Initialized{}, fmt.Errorf("initialise: %w", ctx.Err())
	}
	return done, err
}
