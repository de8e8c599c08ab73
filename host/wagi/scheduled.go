package wagi

import (
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// What a program has of a scheduled event, and of it alone: no header of a request
// can be taken for it.
const (
	cronVariable = "MAYFLY_CRON"           // the expression
	timeVariable = "MAYFLY_SCHEDULED_TIME" // milliseconds since 1970
)

// judgeScheduled says whether a program took a scheduled event. It need not write
// anything; but one that knows requests only says by its answer that it has no such
// path.
func (p *program) judgeScheduled(exit abi.Exit) error {
	if exit.Code != 0 {
		return host.Errorf(host.CodeState, "the program exited with code %d", exit.Code)
	}
	if p.refused != nil || len(p.output) == 0 {
		return p.refused
	}
	a, err := Parse(p.output, origin(p.call.Request.URL))
	if err != nil {
		return nil // it is no answer: output of a program that knows what it is run for
	}
	if a.Status >= 400 {
		return host.Errorf(host.CodeState, "the program answered the scheduled event, POST /__scheduled, with status %d", a.Status)
	}
	return nil
}
