package runtime

import (
	"context"
	"errors"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// Invoke answers the Call's request with an Instance in its first-ever state.
// The Snapshot is in use and the Call has begun; Invoke ends the Call. The
// Instance is spent and the Snapshot in use until its Recycle, for which the
// caller finds a moment when nobody waits; there is none to recycle where none
// could be had. The error tells the log, never a client, why the Outcome is not ok.
func (s *Snapshot) Invoke(c *host.Call) (outcome host.Outcome, spent *Instance, err error) {
	defer func() {
		if spent == nil { // also after a fault of ours
			c.EndTurn()
			s.Done()
		}
	}()
	if s.remote != nil {
		outcome, err = s.invokeAway(c)
		return outcome, nil, err
	}
	i, err := s.Acquire(c)
	if c.Timed {
		c.Acquired = time.Now()
	}
	if err != nil {
		outcome = s.judgeAcquire(c, err)
		c.End(err)
		return outcome, nil, err
	}
	if err = i.Initialize(c); err == nil {
		err = i.Run(c)
	}
	outcome, err = i.Finish(c, err)
	c.End(err)
	return outcome, i, err
}

// judgeAcquire finds the Outcome where no Instance was to be had.
func (s *Snapshot) judgeAcquire(c *host.Call, err error) host.Outcome {
	switch {
	case errors.Is(err, ErrNoRoom):
		return host.OutcomeLoadShed
	case s.runtime.cfg.Simple, c.Err() != nil: // its start function has run; its time was over
		return judge(c, false, err)
	}
	return host.OutcomeInternalError
}

// judge finds the Outcome of an Invocation that failed; refused says whether the
// guest was refused memory.
func judge(c *host.Call, refused bool, err error) host.Outcome {
	cause := context.Cause(c.Context())
	switch {
	case errors.Is(cause, host.ErrWallTime):
		return host.OutcomeExceededWallTime
	case errors.Is(cause, host.ErrCPUTime):
		return host.OutcomeExceededCPU
	case errors.Is(cause, host.ErrClientGone), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return host.OutcomeCanceled
	case refused:
		return host.OutcomeExceededMemory
	}
	return host.OutcomeException
}
