package host

import "time"

// Trigger is what started an Invocation.
type Trigger uint8

const (
	TriggerHTTP    Trigger = iota
	TriggerService         // a call by another Function
	TriggerCron            // a schedule; Call.Scheduled is set
	TriggerInvoke          // the control API
)

var triggerNames = [...]string{"http", "service", "cron", "invoke"}

// String is the name that logs show.
func (t Trigger) String() string { return triggerNames[t] }

// Scheduled is the event of a schedule: a minute that a cron expression means.
type Scheduled struct {
	Cron string    // as it was written
	Time time.Time // when the event was due
}
