package mayfly

import (
	"time"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// Scheduled is the event of a cron trigger.
type Scheduled struct {
	// Cron is the expression that is due, as the trigger has it.
	Cron string
	// Time is when it was due, a full minute of UTC. The event may come a little later.
	Time time.Time
}

// HandleScheduled registers the handler of scheduled events, which the Function's
// cron triggers send. Call it from func init, as Handle. The last call counts. If
// the handler returns an error, that goes to the log, and the run has failed for that
// reason; it is not tried again. There is nobody to answer. What the handler gave to
// WaitUntil runs after it.
func HandleScheduled(h func(*Scheduled) error) {
	host.HandleScheduled(func() {
		cron, millis := host.Scheduled()
		if err := h(&Scheduled{Cron: cron, Time: time.UnixMilli(millis).UTC()}); err != nil {
			failEvent(err)
		}
	})
}

// failEvent has the event fail for a reason.
func failEvent(err error) {
	Log(LevelError, err.Error())
	host.FailEvent(err.Error())
}
