package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/cron"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// CronConfig configures a Cron. Registry, Run, Store and Node are required.
type CronConfig struct {
	Registry interface {
		Scheduled() []deploy.Function
	}
	// Run sends an event to a Function and waits for its end.
	Run    func(ctx context.Context, f deploy.Function, s host.Scheduled) (Ran, error)
	Store  kv.Store
	Node   string  // id
	Lease  *Lease  // of the node; default: that of a node alone
	Places *Places // for runs; default: NewPlaces(0)
	// Paused says that nothing is to begin here; other nodes go on. Default: never.
	Paused func() bool
	Logger *slog.Logger // default: discard
}

const (
	// mostWaiting is how many runs of an account may wait for a place: each of its
	// schedules once, where the node's administrator has not raised their number.
	mostWaiting = deploy.DefaultSchedules
	// late is how late an event may be: what was due before that is missed. It is
	// enough for a restart.
	late     = time.Minute
	lookBack = 24 * time.Hour // how far missed events are counted
	// look is the longest time between two looks at the clock, which may be set.
	look = 10 * time.Second
)

const cronRecord = "node/cron" // cronState

// cronState is kept so that it is known what was missed.
type cronState struct {
	Until time.Time `json:"until"` // what was due up to then is done
}

// Cron sends Functions the events of their schedules: each minute that is due once,
// whatever number of nodes share the store, and at most once. A node claims an
// event before it runs it. What was due while no node was there is reported as
// missed, and not made up for; so is what a node claimed and never began. It is safe
// for concurrent use.
type Cron struct {
	cfg         CronConfig
	alone       *Lease // to be closed; nil if it is the node's
	runs        runs
	loop        loop
	*background           // runs
	start       string    // of the process: tells its claims from those of one before
	began       time.Time // it

	// What follows belongs to loop.
	until  time.Time            // what was due up to then is done, of all schedules
	done   map[string]time.Time // the same of a schedule; those that were not held up since
	unsure map[string]time.Time // since when claims may be this node's of which nothing came yet
	clean  bool                 // what a process before this one left is recorded

	mu      sync.Mutex     // guards waiting
	waiting map[string]int // how many runs of an account do, for a place
}

// NewCron reports what was missed, and begins.
func NewCron(ctx context.Context, cfg CronConfig) (_ *Cron, err error) {
	if cfg.Paused == nil {
		cfg.Paused = func() bool { return false }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Places == nil {
		cfg.Places = NewPlaces(0)
	}
	c := &Cron{background: newBackground(), waiting: map[string]int{}, done: map[string]time.Time{}, unsure: map[string]time.Time{}, start: newID(), began: time.Now()}
	if cfg.Lease == nil {
		if cfg.Lease, err = NewLease(ctx, cfg.Store, cfg.Node, cfg.Logger); err != nil {
			return nil, err
		}
		c.alone = cfg.Lease
	}
	c.cfg, c.runs = cfg, runs{store: cfg.Store, lease: cfg.Lease, node: cfg.Node}
	if err := c.cleanUp(ctx); err != nil && !errors.Is(err, kv.ErrUnavailable) && !errors.Is(err, kv.ErrNoSpace) { // else it is tried again
		return nil, err
	}
	if c.until, err = c.readUntil(ctx, time.Now()); err != nil {
		return nil, err
	}
	c.loop.start(c.base, c.follow)
	return c, nil
}

// readUntil reads up to when nodes have done what was due, or returns absent.
func (c *Cron) readUntil(ctx context.Context, absent time.Time) (time.Time, error) {
	e, err := c.cfg.Store.Get(ctx, cronRecord)
	if errors.Is(err, kv.ErrNotFound) {
		return absent, nil
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
	c.loop.end()
}

// Shutdown stops, waits for the runs until ctx ends, and cancels what is left then.
func (c *Cron) Shutdown(ctx context.Context) {
	c.Stop()
	c.drain(ctx)
	closeLease(ctx, c.alone)
}

// Runs returns the last runs of a Function, newest first.
func (c *Cron) Runs(ctx context.Context, f deploy.Function) ([]Run, error) { return c.runs.of(ctx, f) }

// Forget removes the runs of a Function that was deleted.
func (c *Cron) Forget(ctx context.Context, account, function string) error {
	return c.runs.forget(ctx, account, function)
}

func (c *Cron) follow(ctx context.Context) {
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
	if !minute.After(c.until) || c.cfg.Paused() {
		return nil
	}
	if err := c.cleanUp(ctx); err != nil {
		return err
	}
	if minute.Sub(c.until) > time.Minute { // other nodes may have gone on meanwhile
		done, err := c.readUntil(ctx, c.until)
		if err != nil {
			return err
		}
		if !done.After(minute) {
			c.until = latest(c.until, done)
		}
	}
	functions := c.cfg.Registry.Scheduled()
	if err := c.beginAll(ctx, functions, minute, now); err != nil {
		maps.DeleteFunc(c.unsure, func(_ string, since time.Time) bool { return now.Sub(since) > claimLife })
		return err // it is tried again, and reported as missed once it is too late
	}
	c.until = minute
	clear(c.done)
	clear(c.unsure)
	if len(functions) == 0 {
		return nil
	}
	if err := c.writeUntil(ctx); err != nil {
		return err
	}
	return c.sweep(ctx, functions, now)
}

// beginAll ends early where a cluster is away, which each one would wait for anew.
func (c *Cron) beginAll(ctx context.Context, functions []deploy.Function, minute, now time.Time) (failed error) {
	for _, f := range functions {
		for _, s := range f.Schedules {
			err := c.begin(ctx, f, s, minute, now)
			if failed = errors.Join(failed, err); errors.Is(err, kv.ErrUnavailable) {
				return failed
			}
		}
	}
	return failed
}

func (c *Cron) writeUntil(ctx context.Context) error {
	data, err := json.Marshal(cronState{c.until})
	if err == nil {
		_, err = c.cfg.Store.Put(ctx, cronRecord, data, kv.PutOptions{})
	}
	return err
}

// begin begins what a schedule wants up to a minute, and reports what is too late.
func (c *Cron) begin(ctx context.Context, f deploy.Function, s deploy.Schedule, minute, now time.Time) error {
	e, err := cron.Parse(s.Cron)
	if err != nil { // it never can be followed, and others can
		c.cfg.Logger.Error("a schedule can't be read", "account", f.Account, "function", f.Name, "err", err)
		return nil
	}
	schedule := f.Account + "/" + f.Name + "/" + s.Cron
	from := latest(c.until, c.done[schedule], s.Created, minute.Add(-lookBack))
	missed := c.runOf(s.Cron, time.Time{})
	missed.Outcome = RunMissed
	due, ok := e.Next(from)
	for ; ok && now.Sub(due) >= late; due, ok = e.Next(due) {
		missed.Due, missed.Missed = due, missed.Missed+1
	}
	if err := c.report(ctx, f, missed); err != nil {
		return err
	}
	for ; ok && !due.After(minute); due, ok = e.Next(due) {
		run := c.runOf(s.Cron, due)
		mine, err := c.claim(ctx, f, &run)
		if err != nil {
			return err
		}
		if mine {
			c.run(f, run)
		}
	}
	c.done[schedule] = minute
	return nil
}

// report records what was missed, unless another node has, or has run the last of it.
func (c *Cron) report(ctx context.Context, f deploy.Function, missed Run) error {
	if missed.Missed == 0 {
		return nil
	}
	if mine, err := c.claim(ctx, f, &missed); err != nil || !mine {
		return err
	}
	c.warnMissed(f, missed)
	err := c.runs.put(ctx, f.Account, f.Name, missed)
	if err != nil {
		c.unsure[claimRecord(f, missed)] = time.Now()
	}
	return err
}

func (c *Cron) warnMissed(f deploy.Function, run Run) {
	c.cfg.Logger.Warn("cron trigger missed", "account", f.Account, "function", f.Name, "cron", run.Cron, "due", run.Due, "missed", run.Missed, "node", run.Node, "err", run.Error)
}

func latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}
