package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/cron"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/gate"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// CronConfig configures a Cron. Registry, Run, Store and Node are required.
type CronConfig struct {
	Registry interface {
		Scheduled() []deploy.Function
	}
	// Run sends an event to a Function and waits for its end.
	Run   func(ctx context.Context, f deploy.Function, s host.Scheduled) (Ran, error)
	Store kv.Store
	Node  string // id
	// Most is how many runs go on at the same time; others wait. Default 100.
	Most   int
	Logger *slog.Logger // default: discard
}

const (
	defaultMostRuns = 100
	// late is how late an event may be: what was due before that is missed. It is
	// enough for a restart.
	late      = time.Minute
	lookBack  = 24 * time.Hour // how far missed events are counted
	claimLife = time.Hour      // how long it is remembered who has run what
	// look is the longest time between two looks at the clock, which may be set.
	look = 10 * time.Second
)

const (
	claimRecords = "node/cron-claims/" // <account>/<function>/<minute>/<cron>: the id of the node that runs it
	cronRecord   = "node/cron"         // cronState
)

// cronState is kept so that it is known what was missed.
type cronState struct {
	Until time.Time `json:"until"` // what was due up to then is done
}

// Cron sends Functions the events of their schedules: each minute that is due once,
// whatever number of nodes share the store, and at most once. A node claims an
// event before it runs it. What was due while no node was there is reported as
// missed, and not made up for. It is safe for concurrent use.
type Cron struct {
	cfg    CronConfig
	runs   runs
	places chan struct{} // one for each run
	stop   context.CancelFunc
	loop   sync.WaitGroup
	live   sync.WaitGroup // runs
	base   context.Context
	cancel context.CancelFunc
	until  time.Time // belongs to loop
}

// NewCron reports what was missed, and begins.
func NewCron(ctx context.Context, cfg CronConfig) (*Cron, error) {
	if cfg.Most == 0 {
		cfg.Most = defaultMostRuns
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Cron{cfg: cfg, runs: runs{store: cfg.Store}, places: make(chan struct{}, cfg.Most)}
	if err := c.runs.interrupt(ctx, cfg.Node); err != nil {
		return nil, err
	}
	var err error
	if c.until, err = c.readUntil(ctx); err != nil {
		return nil, err
	}
	c.base, c.cancel = context.WithCancel(context.Background())
	looping, stop := context.WithCancel(c.base)
	c.stop = stop
	c.loop.Go(func() { c.run(looping) })
	return c, nil
}

func (c *Cron) readUntil(ctx context.Context) (time.Time, error) {
	e, err := c.cfg.Store.Get(ctx, cronRecord)
	if errors.Is(err, kv.ErrNotFound) {
		return time.Now(), nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read cron state: %w", err)
	}
	var s cronState
	if err := json.Unmarshal(e.Value, &s); err != nil {
		return time.Time{}, fmt.Errorf("read cron state: %w", err)
	}
	return s.Until, nil
}

// Stop lets nothing more begin by itself.
func (c *Cron) Stop() {
	c.stop()
	c.loop.Wait()
}

// Shutdown stops, waits for the runs until ctx ends, and cancels what is left then.
func (c *Cron) Shutdown(ctx context.Context) {
	c.Stop()
	stop := context.AfterFunc(ctx, c.cancel)
	defer stop()
	c.live.Wait()
	c.cancel()
}

// Runs returns the last runs of a Function, newest first.
func (c *Cron) Runs(ctx context.Context, f deploy.Function) ([]Run, error) { return c.runs.of(ctx, f) }

// Forget removes the runs of a Function that was deleted.
func (c *Cron) Forget(ctx context.Context, account, function string) error {
	return c.runs.forget(ctx, account, function)
}

func (c *Cron) run(ctx context.Context) {
	for {
		now := time.Now()
		if now.Before(c.until.Add(-claimLife)) { // the clock was set back
			c.until = now
		}
		if err := c.tick(ctx, now); err != nil && ctx.Err() == nil {
			c.cfg.Logger.Error("schedules can't be followed; it is tried again", "err", err)
		}
		next := now.Truncate(time.Minute).Add(time.Minute)
		select {
		case <-time.After(min(time.Until(next), look)):
		case <-ctx.Done():
			return
		}
	}
}

// tick begins what has been due since the last one.
func (c *Cron) tick(ctx context.Context, now time.Time) error {
	minute := now.UTC().Truncate(time.Minute)
	if !minute.After(c.until) {
		return nil
	}
	functions := c.cfg.Registry.Scheduled()
	var failed error
	for _, f := range functions {
		for _, s := range f.Schedules {
			failed = errors.Join(failed, c.follow(ctx, f, s, minute, now))
		}
	}
	if failed != nil && now.Sub(minute) < late-2*look {
		return failed // there is time to try again
	}
	if c.until = minute; len(functions) == 0 {
		return failed
	}
	return errors.Join(failed, c.writeUntil(ctx))
}

func (c *Cron) writeUntil(ctx context.Context) error {
	data, err := json.Marshal(cronState{c.until})
	if err == nil {
		_, err = c.cfg.Store.Put(ctx, cronRecord, data, kv.PutOptions{})
	}
	return err
}

// follow begins what a schedule wants up to a minute, and reports what is too late.
func (c *Cron) follow(ctx context.Context, f deploy.Function, s deploy.Schedule, minute, now time.Time) error {
	e, err := cron.Parse(s.Cron)
	if err != nil {
		return fmt.Errorf("schedule of %s/%s: %w", f.Account, f.Name, err)
	}
	from := latest(c.until, s.Created, minute.Add(-lookBack))
	missed := Run{Cron: s.Cron, Outcome: RunMissed, Node: c.cfg.Node, Identity: newID()}
	due, ok := e.Next(from)
	for ; ok && now.Sub(due) >= late; due, ok = e.Next(due) {
		missed.Due, missed.Missed = due, missed.Missed+1
	}
	if err := c.report(ctx, f, s, missed); err != nil {
		return err
	}
	for ; ok && !due.After(minute); due, ok = e.Next(due) {
		mine, err := c.claim(ctx, f, s, due)
		if err != nil {
			return err
		}
		if mine {
			c.start(f, host.Scheduled{Cron: s.Cron, Time: due})
		}
	}
	return nil
}

// report records what was missed, unless another node has, or has run the last of it.
func (c *Cron) report(ctx context.Context, f deploy.Function, s deploy.Schedule, missed Run) error {
	if missed.Missed == 0 {
		return nil
	}
	if mine, err := c.claim(ctx, f, s, missed.Due); err != nil || !mine {
		return err
	}
	c.cfg.Logger.Warn("cron trigger missed", "account", f.Account, "function", f.Name, "cron", s.Cron, "due", missed.Due, "missed", missed.Missed)
	return c.runs.put(ctx, f.Account, f.Name, missed)
}

func latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// claim says whether this node is the one that answers for an event.
func (c *Cron) claim(ctx context.Context, f deploy.Function, s deploy.Schedule, due time.Time) (bool, error) {
	key := claimRecords + f.Account + "/" + f.Name + "/" + strconv.FormatInt(due.Unix()/60, 10) + "/" + s.Cron
	_, err := c.cfg.Store.Put(ctx, key, []byte(c.cfg.Node), kv.PutOptions{If: kv.IfRevision(0), Expires: time.Now().Add(claimLife)})
	if errors.Is(err, kv.ErrConflict) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("claim event: %w", err)
	}
	return true, nil
}

// start begins a run when there is a place for it.
func (c *Cron) start(f deploy.Function, s host.Scheduled) {
	c.live.Go(func() {
		select {
		case c.places <- struct{}{}:
			defer func() { <-c.places }()
		case <-c.base.Done():
		}
		if _, err := c.do(c.base, f, s, false); err != nil {
			c.cfg.Logger.Error("a run of a cron trigger can't be recorded", "account", f.Account, "function", f.Name, "cron", s.Cron, "err", err)
		}
	})
}

// Run sends an event at once, whatever schedules the Function has. It may be at the
// same time as others.
func (c *Cron) Run(ctx context.Context, f deploy.Function, text string) (Run, error) {
	if _, err := cron.Parse(text); err != nil {
		return Run{}, host.Errorf(host.CodeInvalid, "%v", err)
	}
	return c.do(ctx, f, host.Scheduled{Cron: text, Time: time.Now().UTC().Truncate(time.Millisecond)}, true)
}

// do runs an event, and records that it began and how it ended. What could not be
// recorded at first is run nevertheless.
func (c *Cron) do(ctx context.Context, f deploy.Function, s host.Scheduled, manual bool) (Run, error) {
	started := time.Now().UTC().Truncate(time.Millisecond)
	run := Run{Cron: s.Cron, Due: s.Time, Started: &started, Outcome: RunRunning, Manual: manual, Node: c.cfg.Node, Identity: newID()}
	record := func() error { return c.runs.put(context.WithoutCancel(ctx), f.Account, f.Name, run) }
	begun := record()
	ran, err := c.cfg.Run(ctx, f, s)
	if err != nil {
		c.cfg.Logger.Error("cron trigger could not begin", "account", f.Account, "function", f.Name, "cron", s.Cron, "err", err)
	}
	run.finish(ran, err)
	if err := record(); err != nil {
		return run, errors.Join(begun, err)
	}
	return run, nil
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
