package control_test

import (
	"testing"

	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

func TestUsage(t *testing.T) {
	f := newFixture(t, options{})
	stranger := f.account(t, "other")
	f.happen(t)
	f.happen(t)
	var r telemetry.UsageReport
	f.ok(t, call{method: "GET", path: "/accounts/local/usage"}, &r)
	if len(r.Usage) != 1 || r.Usage[0].Function != "hello" || r.Usage[0].Requests != 2 || r.Total.Outcomes["exception"] != 2 || !r.From.Equal(epoch.UTC().AddDate(0, 0, 1-epoch.UTC().Day()).Truncate(24*3600e9)) {
		t.Errorf("got %+v", r)
	}
	f.ok(t, call{method: "GET", path: "/accounts/local/usage?group=hour,version&from=2027-01-15&to=2027-01-15"}, &r)
	if len(r.Usage) != 1 || r.Usage[0].Version != "v1" || r.Usage[0].From == nil || r.To.Day() != 16 {
		t.Errorf("got %+v", r)
	}
	f.ok(t, call{method: "GET", path: "/accounts/other/usage", token: stranger}, &r)
	if r.Usage == nil || len(r.Usage) != 0 {
		t.Errorf("another account used %+v", r)
	}
	f.refused(t, call{method: "GET", path: "/accounts/local/usage", token: stranger}, 403, 9109, "Unauthorized to access requested resource")
	f.refused(t, call{method: "GET", path: "/accounts/nobody/usage"}, 404, 10404, `account "nobody" does not exist`)
	f.refused(t, call{method: "GET", path: "/accounts/local/usage?from=now"}, 400, 10400, `from is "now"; a day such as 2031-05-06 is expected, or a time such as 2031-05-06T07:00:00Z`)
	f.refused(t, call{method: "GET", path: "/accounts/local/usage?group=month"}, 400, 10400, `group "month" is none of [function version trigger hour day]`)
	f.ok(t, call{method: "DELETE", path: "/accounts/other"}, nil)
}
