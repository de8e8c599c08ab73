package runtime

import (
	"context"
	"errors"

	"github.com/mayfly-run/mayfly/host"
)

// Invoke answers the Call's request with an Instance in its first-ever state.
// The Snapshot is in use and the Call has begun; Invoke ends both. The error tells
// the log, never a client, why the Outcome is not ok.
func (s *Snapshot) Invoke(c *host.Call) (host.Outcome, error) {
	defer s.Done()
	s.Module.ABI.Enter(c)
	i, err := s.Acquire(c)
	if err != nil {
		outcome := host.OutcomeInternalError
		if s.Module.runtime.cfg.Simple { // its start function has run
			outcome = judge(c, false, err)
		}
		c.End(err)
		return outcome, err
	}
	if err = i.Initialize(c); err == nil {
		err = i.Run(c)
	}
	outcome := host.OutcomeOK
	if err = s.Module.ABI.Leave(c, err); err != nil {
		outcome = judge(c, i.region.Refused, err)
	}
	i.Release(c, outcome)
	c.End(err)
	return outcome, err
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
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return host.OutcomeCanceled
	case refused:
		return host.OutcomeExceededMemory
	}
	return host.OutcomeException
}
