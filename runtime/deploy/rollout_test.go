package deploy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

func TestParseRollbackOn(t *testing.T) {
	for text, want := range map[string]deploy.Rollout{
		"errors>1%":            {MaxErrors: 1},
		"errors>0.5%,p99>2x":   {MaxErrors: 0.5, MaxSlower: 2},
		" p99 > 1.5x ":         {MaxErrors: -1, MaxSlower: 1.5},
		"errors>1%, errors>2%": {MaxErrors: 2},
	} {
		var got deploy.Rollout
		if err := got.ParseRollbackOn(text); err != nil || got != want {
			t.Errorf("%q: got %+v, %v; want %+v", text, got, err, want)
		}
		var again deploy.Rollout
		if err := again.ParseRollbackOn(got.RollbackOn()); err != nil || again != got {
			t.Errorf("%q: written as %q it is %+v, %v", text, got.RollbackOn(), again, err)
		}
	}
	for _, text := range []string{"", "errors", "errors>1", "errors>x%", "p99>2", "p50>2x", "errors<1%", ",", "errors>1%,"} {
		var got deploy.Rollout
		err := got.ParseRollbackOn(text)
		if err == nil || !strings.Contains(err.Error(), "write errors>1%, p99>2x, or both with a comma between") {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
}

func FuzzParseRollbackOn(f *testing.F) {
	for _, text := range []string{"errors>1%", "errors>0.5%,p99>2x", "p99>NaNx", ">%", "errors>1e400%"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var r deploy.Rollout
		if err := r.ParseRollbackOn(text); err == nil && r.MaxErrors == -1 && r.MaxSlower == 0 {
			t.Errorf("%q says nothing, and was taken", text)
		}
	})
}

func TestJudge(t *testing.T) {
	counts := func(requests, failed int64, p99 time.Duration) telemetry.Counts {
		return telemetry.Counts{Requests: requests, Failed: failed, P99: p99}
	}
	const ms = time.Millisecond
	for name, tt := range map[string]struct {
		lasted       time.Duration
		tried, other telemetry.Counts
		verdict, why string
	}{
		"too early":            {time.Second, counts(500, 5, ms), counts(5000, 0, ms), "", ""},
		"all well":             {time.Minute, counts(500, 5, ms), counts(5000, 0, ms), "promote", "promoted after 1m0s: 500 requests, 1% errors, p99 1ms (1.0x)"},
		"too few":              {time.Hour, counts(19, 19, ms), counts(5000, 0, ms), "", ""},
		"errors":               {time.Second, counts(50, 1, ms), counts(5000, 0, ms), "roll back", "rolled back because of errors>1%: 50 requests, 2% errors, p99 1ms"},
		"slow":                 {time.Second, counts(100, 0, 5*ms), counts(5000, 0, 2*ms), "roll back", "rolled back because of p99>2x: 100 requests, 0% errors, p99 5ms (2.5x)"},
		"slow, but of few":     {time.Second, counts(99, 0, 5*ms), counts(5000, 0, 2*ms), "", ""},
		"nothing to compare":   {time.Minute, counts(1000, 0, 5*ms), counts(0, 0, 0), "promote", "promoted after 1m0s: 1000 requests, 0% errors, p99 5ms"},
		"errors go before all": {time.Hour, counts(1000, 500, 5*ms), counts(1000, 0, ms), "roll back", "rolled back because of errors>1%: 1000 requests, 50% errors, p99 5ms (5.0x)"},
	} {
		r := deploy.Rollout{PromoteAfter: time.Minute, MaxErrors: 1, MaxSlower: 2, MinRequests: 20}
		if verdict, why := r.Judge(tt.lasted, tt.tried, tt.other); verdict != tt.verdict || why != tt.why {
			t.Errorf("%s: got %q, %q; want %q, %q", name, verdict, why, tt.verdict, tt.why)
		}
	}
}

// A Version that is tried serves alone when it did well for long enough, and not at
// all as soon as it does worse than allowed.
func TestRollouts(t *testing.T) {
	for name, tt := range map[string]struct {
		outcome host.Outcome
		status  int
		tried   bool // it serves in the end
		message string
	}{
		"does well":   {host.OutcomeOK, 200, true, "promoted after 1s: "},
		"traps":       {host.OutcomeException, 500, false, "rolled back because of errors>10%: "},
		"answers 500": {host.OutcomeOK, 500, false, "rolled back because of errors>10%: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits
			n := newNode(t)
			r := n.open(t)
			old := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
			tried := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(2), Idle: true})
			_, err := r.CreateDeployment(t.Context(), deploy.Local, "hello", deploy.NewDeployment{
				Versions: []deploy.Share{{old.ID, 50}, {tried.ID, 50}},
				Rollout:  &deploy.Rollout{Version: tried.ID, PromoteAfter: time.Second, MaxErrors: 10},
			})
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			r = n.open(t) // it goes on after a restart
			want := old.ID
			if tt.tried {
				want = tried.ID
			}
			for serving(t, r).Shared() {
				for range 20 {
					a := serving(t, r).Pick(nil, nil)
					if a.VersionID == tried.ID {
						a.Observe(tt.outcome, tt.status, time.Millisecond)
					} else {
						a.Observe(host.OutcomeOK, 200, time.Millisecond)
					}
				}
				time.Sleep(10 * time.Millisecond)
			}
			f, v, err := r.Function(deploy.Local, "hello")
			if err != nil || v.ID != want || !strings.HasPrefix(f.Deployments[0].Message, tt.message) || f.Deployments[0].Author != "rollout" || f.Deployments[0].Rollout != nil {
				t.Errorf("version %s serves with %+v, %v; want %s", v.ID, f.Deployments[0], err, want)
			}
		})
	}
}
