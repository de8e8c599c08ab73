package js

import "github.com/mayfly-run/mayfly/host"

var scheduledOps = []operation{
	{"opScheduled", scheduled},
}

// scheduled gives the scheduled event that is handled, as JSON.
func scheduled(q *query) (kind, error) {
	s := q.Scheduled
	if s == nil {
		return 0, host.Errorf(host.CodeState, "this is not a scheduled event")
	}
	return q.giveJSON(struct {
		Cron string `json:"cron"`
		Time int64  `json:"time"` // milliseconds since 1970
	}{s.Cron, s.Time.UnixMilli()})
}
