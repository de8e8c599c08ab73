package native

import (
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// See ABI.md, "Scheduled events".
var scheduledFuncs = []abi.Func{
	{Name: "scheduled_cron", Params: buffer, Results: i32, Do: scheduledCron},
	{Name: "scheduled_time", Results: i64, Do: scheduledTime},
	{Name: "scheduled_fail", Params: buffer, Results: i32, Do: scheduledFail},
}

// scheduledExport is the entry point of scheduled events, if the module has it.
func scheduledExport(s *abi.Shape) string {
	if _, ok := s.Export("scheduled"); !ok {
		return ""
	}
	return "scheduled"
}

func scheduledCron(g abi.Guest, a abi.Args) int64 {
	if g.Scheduled == nil {
		return failed(g, errNoSchedule)
	}
	return g.OfferString(g.Scheduled.Cron, a.U32(0), a.U32(1))
}

func scheduledTime(g abi.Guest, _ abi.Args) int64 {
	if g.Scheduled == nil {
		return failed(g, errNoSchedule)
	}
	return g.Scheduled.Time.UnixMilli()
}

// maxReason is how much of a reason is kept, in bytes.
const maxReason = 1000

// scheduledFailure is why a guest says that its scheduled event failed.
type scheduledFailure string

func scheduledFail(g abi.Guest, a abi.Args) int64 {
	if g.Scheduled == nil {
		return failed(g, errNoSchedule)
	}
	text := g.Bytes(a.U32(0), a.U32(1))
	g.Guest = scheduledFailure(strings.ToValidUTF8(string(text[:min(len(text), maxReason)]), ""))
	return 0
}

// judgeScheduled says whether the guest called scheduled_fail.
func judgeScheduled(c *host.Call) error {
	if reason, ok := c.Guest.(scheduledFailure); ok {
		return host.Errorf(host.CodeState, "%s", string(reason))
	}
	return nil
}
