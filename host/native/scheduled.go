package native

import "github.com/mayfly-run/mayfly/host/abi"

// See ABI.md, "Scheduled events".
var scheduledFuncs = []abi.Func{
	{Name: "scheduled_cron", Params: buffer, Results: i32, Do: scheduledCron},
	{Name: "scheduled_time", Results: i64, Do: scheduledTime},
	{Name: "scheduled_fail", Params: buffer, Results: i32, Do: scheduledFail},
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

func scheduledFail(g abi.Guest, a abi.Args) int64 {
	if g.Scheduled == nil {
		return failed(g, errNoSchedule)
	}
	return eventFail(g, a)
}
