package control_test

import (
	"testing"
	"time"
)

func TestSchedules(t *testing.T) {
	f := newTwo(t)
	const path = scripts + "/a/schedules"
	type schedules struct {
		Schedules []struct {
			Cron      string
			CreatedOn time.Time `json:"created_on"`
		}
	}
	var got schedules
	f.ok(t, call{method: "PUT", path: path, body: `[{"cron":"*/30 * * * *"},{"cron":"59 23 LW * *"}]`}, &got)
	if len(got.Schedules) != 2 || got.Schedules[1].Cron != "59 23 LW * *" || got.Schedules[1].CreatedOn.IsZero() {
		t.Errorf("got %+v", got)
	}
	f.refused(t, call{method: "PUT", path: path, body: `[{"cron":"* * * *"}]`}, 400, 10021,
		`cron expression "* * * *": it has 4 fields, and needs five: minute, hour, day of month, month, day of week, as in "0 5 * * MON"`)
	f.refused(t, call{method: "PUT", path: path, body: `{"crons":[]}`}, 400, 10021, "the body's JSON has a object where slice is expected: ")
	f.refused(t, call{method: "GET", path: scripts + "/nobody/schedules"}, 404, 10007, `Function "nobody" does not exist in account local`)
	f.ok(t, call{method: "GET", path: path}, &got)
	if len(got.Schedules) != 2 {
		t.Errorf("got %+v", got)
	}
	f.refused(t, call{method: "GET", path: path + "/runs"}, 400, 10400, "this node runs nothing by schedules") // nothing runs them here
	got = schedules{}
	f.ok(t, call{method: "PUT", path: path, body: `[]`}, &got)
	if got.Schedules == nil || len(got.Schedules) != 0 {
		t.Errorf("got %+v", got)
	}
}
