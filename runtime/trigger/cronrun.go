package trigger

import (
	"context"
	"errors"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/cron"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/gate"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// run begins a run when there is a place for it.
func (c *Cron) run(f deploy.Function, run Run) {
	c.live.Go(func() {
		if _, err := c.do(c.base, f, run); err != nil {
			c.cfg.Logger.Error("a run of a cron trigger can't be recorded", "account", f.Account, "function", f.Name, "cron", run.Cron, "err", err)
		}
	})
}

// Run sends an event at once, whatever schedules the Function has. It may be at the
// same time as others.
func (c *Cron) Run(ctx context.Context, f deploy.Function, text string) (Run, error) {
	if _, err := cron.Parse(text); err != nil {
		return Run{}, host.Errorf(host.CodeInvalid, "%v", err)
	}
	if c.cfg.Paused() {
		return Run{}, host.Errorf(host.CodeUnavailable, "the node is drained and begins nothing; ask another one, or 'mayfly nodes resume' it")
	}
	run := c.runOf(text, time.Now().UTC().Truncate(time.Millisecond))
	run.Manual = true
	return c.do(ctx, f, run)
}

func (c *Cron) runOf(text string, due time.Time) Run {
	return Run{Cron: text, Due: due, Node: c.cfg.Node, Identity: newID()}
}

// do runs an event once there is a place for it, and records that it began and how it
// ended. What could not be recorded at first is run nevertheless.
func (c *Cron) do(ctx context.Context, f deploy.Function, run Run) (Run, error) {
	record := func() error { return c.runs.put(context.WithoutCancel(ctx), f.Account, f.Name, run) }
	held, err := c.cfg.Lease.Hold(ctx) // also while it waits: the claim is of a node that is there
	if err != nil {
		c.cfg.Logger.Warn("other nodes are not told of a run", "account", f.Account, "function", f.Name, "err", err)
	} else {
		defer held.Release()
	}
	leave, err := c.enter(ctx, f.Account)
	if err != nil {
		run.finish(Ran{}, err)
		return run, record()
	}
	defer leave()
	started := time.Now().UTC().Truncate(time.Millisecond)
	run.Started, run.Outcome = &started, RunRunning
	begun := record()
	ran, err := c.cfg.Run(ctx, f, host.Scheduled{Cron: run.Cron, Time: run.Due})
	if err != nil {
		c.cfg.Logger.Error("cron trigger could not begin", "account", f.Account, "function", f.Name, "cron", run.Cron, "err", err)
	}
	run.finish(ran, err)
	if err := record(); err != nil {
		return run, errors.Join(begun, err)
	}
	return run, nil
}

// enter waits for a place, unless too many of the account do.
func (c *Cron) enter(ctx context.Context, account string) (leave func(), err error) {
	if leave := c.cfg.Places.tryEnter(account); leave != nil {
		return leave, nil
	}
	if !c.await(account, 1) {
		return nil, host.Errorf(host.CodeLimit, "%d runs of cron triggers of account %s wait for others of it to end", mostWaiting, account)
	}
	defer c.await(account, -1)
	return c.cfg.Places.Enter(ctx, account)
}

// await changes how many runs of an account wait, and reports whether as many may.
func (c *Cron) await(account string, by int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.waiting[account] + by
	if n > mostWaiting {
		return false
	}
	if c.waiting[account] = n; n == 0 {
		delete(c.waiting, account)
	}
	return true
}

func (r *Run) finish(ran Ran, err error) {
	r.Request, r.Version = ran.ID, ran.Version
	r.CPUMS, r.WallMS = millis(ran.Usage.CPU), millis(ran.Usage.Wall)
	r.Outcome = ran.Outcome.String()
	if err != nil {
		r.Outcome, r.Started = RunRefused, nil
	} else {
		err = ran.Err
	}
	if err != nil {
		r.Error = reason(err, ran.Outcome)
	}
}

// reason is what a Function's owner is told of what went wrong. The node's own
// faults stay in its log.
func reason(err error, outcome host.Outcome) string {
	public, isPublic := errors.AsType[*host.Error](err)
	switch {
	case isPublic && public.Code != host.CodeInternal:
		err = public
	case errors.Is(err, gate.ErrFull):
		return "the Function, or the account, had too many requests at the same time"
	case outcome == host.OutcomeOK: // it did not begin
		return "the node could not begin it; its log says why"
	}
	return telemetry.Ended{Outcome: outcome, Err: err}.Reason()
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
