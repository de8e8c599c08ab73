package trigger

import (
	"log/slog"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// told are those who are told of Invocations, whatever the trigger.
type told struct {
	metrics  *telemetry.Metrics
	observer *telemetry.Observer // may be nil
	logger   *slog.Logger
}

// begin tells of a Call that begins.
func (t *told) begin(active *deploy.Active, c *host.Call) { t.observer.Begin(active.Observed, c) }

// end tells of a Call that has ended and was not Reset yet.
func (t *told) end(active *deploy.Active, c *host.Call, e telemetry.Ended) {
	t.metrics.Observe(c.Trigger, e.Outcome, &c.Usage)
	active.Observe(e.Outcome, e.Status, c.Usage.Wall)
	t.observer.End(active.Observed, c, e)
}

// failuresLogged is how many failures of one Function are logged in a second.
const failuresLogged = 20

// FailureMessage is the message of the log's lines of Invocations that failed.
const FailureMessage = "invocation failed"

// log tells the node's log why an Invocation failed, unless that happens all the
// time, and what it lost of its own log.
func (t *told) log(active *deploy.Active, c *host.Call, e telemetry.Ended, now time.Time) {
	if c.Usage.LogDropped > 0 {
		t.logger.Warn("log limit used up", "request", c.ID, "function", c.Bindings.Function, "dropped", c.Usage.LogDropped)
	}
	if e.Err == nil || e.Outcome == host.OutcomeLoadShed { // which is counted, and would tell nothing new
		return
	}
	skipped, ok := active.Failures.Take(now, failuresLogged)
	if !ok {
		return
	}
	fields := []any{"request", c.ID, "account", c.Bindings.Account, "function", c.Bindings.Function,
		"version", c.Bindings.Version, "trigger", c.Trigger.String(), "outcome", e.Outcome.String(), "err", e.Err, "more_before", skipped}
	if c.Caller != nil {
		fields = append(fields, "caller", c.Caller.Function, "caller_request", c.Caller.ID)
	}
	t.logger.Error(FailureMessage, fields...)
}
