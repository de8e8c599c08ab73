package trigger

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/gate"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// scheduledWall is how long a scheduled event may take where the Function's
// limits.wall_ms does not say: as on Cloudflare
// (https://developers.cloudflare.com/workers/platform/limits/#duration).
const scheduledWall = 15 * time.Minute

// Ran is how an Invocation went that nobody waited for at a connection.
type Ran struct {
	ID      string // of the request
	Version string
	Started time.Time
	Outcome host.Outcome
	Err     error // why the Outcome is not ok; for the Function's owner
	Usage   host.Usage
}

// Scheduled sends a scheduled event to a Function that find finds, and waits for
// the end; the end of ctx cancels it. name is the host of its request. The errors are
// those of find, of loading, and of a Function or an account that has too many
// Invocations for half a minute.
func (r *Runner) Scheduled(ctx context.Context, find func() (*deploy.Active, error), name string, s host.Scheduled) (Ran, error) {
	active, snapshot, err := r.enter(ctx, find)
	if err != nil {
		return Ran{}, err
	}
	e := &event{request: scheduledRequest(name, s), trigger: host.TriggerCron, scheduled: &s, limits: active.Limits,
		answer: newAnswer(active.Function, "POST"), leave: active.Leave}
	if active.Version.Settings.Limits.WallMillis == 0 {
		e.limits.Wall = scheduledWall
	}
	ran := r.await(ctx, active, snapshot, e)
	if response := e.answer.response; response != nil { // which nobody asked for
		response.Body.Close()
	}
	return ran, nil
}

// scheduledRequest stands for the event where a guest knows requests only, and in
// what is kept of failures.
func scheduledRequest(name string, s host.Scheduled) host.Request {
	target := "http://" + name + "/__scheduled?cron=" + url.QueryEscape(s.Cron)
	return host.Request{Method: []byte("POST"), URL: []byte(target), Headers: host.Headers{}.Add("host", name)}
}

// entering is how long an event waits for places that others have.
const entering = 30 * time.Second

// enter lets an event begin, which Active.Leave ends.
func (r *Runner) enter(ctx context.Context, find func() (*deploy.Active, error)) (*deploy.Active, *runtime.Snapshot, error) {
	deadline := time.Now().Add(entering)
	for {
		active, err := find()
		if err != nil {
			return nil, nil, err
		}
		snapshot, err := r.use(active)
		if err != nil {
			return nil, nil, err
		}
		if snapshot == nil {
			continue
		}
		err = active.Enter(ctx)
		if err == nil {
			return active, snapshot, nil
		}
		snapshot.Done()
		if !errors.Is(err, gate.ErrFull) || time.Now().After(deadline) {
			return nil, nil, err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// full says to people that there was no place.
func full(err error) error {
	if errors.Is(err, gate.ErrFull) {
		return host.Errorf(host.CodeUnavailable, "the Function, or the account, has too many requests at the same time; try again in a moment")
	}
	return err
}

// await runs a guest and waits for its end.
func (r *Runner) await(ctx context.Context, active *deploy.Active, snapshot *runtime.Snapshot, e *event) (ran Ran) {
	done := make(chan struct{})
	e.ended = func(c *host.Call, end telemetry.Ended) {
		ran = Ran{ID: c.ID, Version: active.VersionID, Started: c.Started(), Outcome: end.Outcome, Err: end.Err, Usage: c.Usage}
		close(done)
	}
	r.begin(ctx, active, snapshot, e)
	<-done
	return ran
}
