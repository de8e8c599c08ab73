package trigger

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// RunnerConfig configures a Runner. Services and Logger are required.
type RunnerConfig struct {
	Services *host.Services
	Logger   *slog.Logger
	Metrics  *telemetry.Metrics  // default: nobody sees them
	Observer *telemetry.Observer // told of every Invocation; nil for none
}

// Runner runs Invocations behind which there is no connection: their request is
// in memory, and their answer goes to somebody in this process. It is safe for
// concurrent use.
type Runner struct {
	cfg         RunnerConfig
	told        told
	*background // guests
}

// NewRunner makes a Runner. Shut it down before what its Functions use.
func NewRunner(cfg RunnerConfig) *Runner {
	if cfg.Metrics == nil {
		cfg.Metrics = new(telemetry.Metrics)
	}
	r := &Runner{background: newBackground(), cfg: cfg, told: told{cfg.Metrics, cfg.Observer, cfg.Logger}}
	return r
}

// Shutdown lets the guests that run finish until ctx ends, and cancels what is left
// then. Nothing is begun any more.
func (r *Runner) Shutdown(ctx context.Context) {
	r.drain(ctx)
}

// event is what a guest is run for, and where its answer goes.
type event struct {
	request   host.Request
	body      *givenBody // Request.Body; nil for none
	caller    *host.Caller
	answer    *answer
	trigger   host.Trigger
	scheduled *host.Scheduled // of a schedule
	change    *host.KVChange  // of a KV trigger
	hops      int             // of what it writes to KV, see kv.WithHops
	queue     *host.QueueBatch
	limits    host.Limits
	leave     func()                            // ends what let the event in
	ended     func(*host.Call, telemetry.Ended) // told at the end; nil for nobody
}

// use takes a Version's Snapshot into use. It is nil where a deploy has just replaced
// the Version, or the Snapshot had to make room: then look again for what serves.
func (r *Runner) use(active *deploy.Active) (*runtime.Snapshot, error) {
	snapshot, err := active.Snapshot(r.base, time.Now())
	switch {
	case errors.Is(err, runtime.ErrClosed):
		return nil, nil
	case err != nil:
		return nil, err
	case !snapshot.Use():
		return nil, nil
	}
	return snapshot, nil
}

// begin runs a guest on a goroutine of its own. It was let in, and the Snapshot is
// in use; both end with it. ctx is watched until the answer is whole.
func (r *Runner) begin(ctx context.Context, active *deploy.Active, snapshot *runtime.Snapshot, e *event) {
	own, cancel := context.WithCancelCause(kv.WithHops(r.base, max(e.hops, kv.Hops(ctx))))
	c := &host.Call{
		ID: newID(), Services: r.cfg.Services, Bindings: active.Bindings, Limits: e.limits,
		Request: e.request, Caller: e.caller, Responder: e.answer, Trigger: e.trigger, Scheduled: e.scheduled, Change: e.change, Queue: e.queue,
	}
	e.answer.call = c
	e.answer.unwatch = context.AfterFunc(ctx, func() { cancel(host.ErrClientGone) })
	c.Begin(own)
	if e.body != nil {
		c.Request.Body = e.body
		context.AfterFunc(c.Context(), e.body.shut)
	}
	r.told.begin(active, c)
	r.live.Go(func() {
		defer cancel(nil)
		defer e.leave()
		defer r.survive(c, e)
		r.run(c, active, snapshot, e)
	})
}

func (r *Runner) run(c *host.Call, active *deploy.Active, snapshot *runtime.Snapshot, e *event) {
	outcome, spent, err := snapshot.Invoke(c)
	ended := telemetry.Ended{Outcome: outcome, Err: err, Status: e.answer.status()}
	r.told.end(active, c, ended)
	e.answer.end(outcome, e.body)
	e.tell(c, ended)
	if spent != nil {
		spent.Recycle()
	}
	r.told.log(active, c, ended, time.Now())
}

// survive keeps a fault of ours from ending the server.
func (r *Runner) survive(c *host.Call, e *event) {
	if v := recover(); v != nil {
		r.cfg.Logger.Error("panic while serving", "request", c.ID, "panic", v, "stack", string(debug.Stack()))
		e.answer.end(host.OutcomeInternalError, e.body)
		e.tell(c, telemetry.Ended{Outcome: host.OutcomeInternalError, Err: errPanic})
	}
}

var errPanic = errors.New("a fault of the node")

// tell tells once how it went.
func (e *event) tell(c *host.Call, ended telemetry.Ended) {
	if tell := e.ended; tell != nil {
		e.ended = nil
		tell(c, ended)
	}
}
