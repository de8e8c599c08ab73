package mayflytest

import (
	"errors"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// ErrScheduled is what RunScheduled returns, with the reason, when the handler failed.
var ErrScheduled = errors.New("the scheduled event failed")

// scheduled is a scheduled event.
type scheduled struct {
	*event
	cron string
	at   time.Time
}

func (s *scheduled) Scheduled() (string, int64) { return s.cron, s.at.UnixMilli() }

// RunScheduled runs the handler that mayfly.HandleScheduled registered last, as a
// cron trigger does, and then what it gave to mayfly.WaitUntil.
func (n *Node) RunScheduled(cron string, at time.Time) error {
	s := &scheduled{event: n.newEvent("/__scheduled"), cron: cron, at: at}
	return s.run(func() { host.InvokeScheduled(s) }, ErrScheduled)
}
