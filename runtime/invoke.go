package runtime

import (
	"context"
	"errors"

	"github.com/mayfly-run/mayfly/host"
	"github.com/tetratelabs/wazero/sys"
)

// Invoke answers the Call's request with a fresh Instance. The Call has begun;
// Invoke ends it. The error tells the log, never a client, why the Outcome is
// not ok.
func (m *Module) Invoke(c *host.Call) (host.Outcome, error) {
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
	exit, stopped := errors.AsType[*sys.ExitError](err)
	switch {
	case stopped && exit.ExitCode() == sys.ExitCodeDeadlineExceeded:
		return host.OutcomeExceededWallTime
	case stopped && exit.ExitCode() == sys.ExitCodeContextCanceled:
		return host.OutcomeCanceled
	case errors.Is(context.Cause(c.Context()), host.ErrWallTime):
		return host.OutcomeExceededWallTime
	case i.memory.Refused:
		return host.OutcomeExceededMemory
	}
	return host.OutcomeException
}
