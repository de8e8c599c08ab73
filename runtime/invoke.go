package runtime

import (
	"context"
	"errors"

	"github.com/mayfly-run/mayfly/host"
)

// Invoke answers the Call's request with a fresh Instance. The module is in use
// and the Call has begun; Invoke ends both. The error tells the log, never a
// client, why the Outcome is not ok.
func (m *Module) Invoke(c *host.Call) (host.Outcome, error) {
	defer m.Done()
	m.ABI.Enter(c)
	outcome, err := m.run(c)
	c.End(err)
	return outcome, err
}

func (m *Module) run(c *host.Call) (host.Outcome, error) {
	i, err := m.Acquire(c)
	if i == nil {
		return host.OutcomeInternalError, err
	}
	defer i.Release(c)
	if err == nil {
		err = i.Initialize(c)
	}
	if err == nil {
		err = i.Run(c)
	}
	if err = m.ABI.Leave(c, err); err == nil {
		return host.OutcomeOK, nil
	}
	return judge(c, i, err), err
}

// judge finds the Outcome of an Invocation that failed.
func judge(c *host.Call, i *Instance, err error) host.Outcome {
	stopped := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	switch {
	case errors.Is(context.Cause(c.Context()), host.ErrWallTime):
		return host.OutcomeExceededWallTime
	case stopped:
		return host.OutcomeCanceled
	case i.memory.Refused:
		return host.OutcomeExceededMemory
	}
	return host.OutcomeException
}
