package wagi_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

// schedule sends the program a scheduled event at a path of its own.
func schedule(t *testing.T, path string, headers ...string) hosttest.Result {
	t.Helper()
	return invoke(t, hosttest.Invocation{
		Request:   hosttest.Request("POST", "https://fn.example.com"+path, "", headers...),
		Scheduled: &host.Scheduled{Cron: "0 5 * * MON", Time: time.UnixMilli(1_795_669_200_000)},
	})
}

func TestScheduled(t *testing.T) {
	for _, tt := range []struct{ name, path, output, err string }{
		{"writes nothing", "/exit?0", "", ""},
		{"writes a text", "/hello", "", ""},
		{"exits", "/exit?3", "done", "exited with code 3"},
		{"answers that it is not there", "/exit?0", "Status: 404 Not Found\n\nno such page", "answered the scheduled event, POST /__scheduled, with status 404"},
		{"answers", "/exit?0", "Status: 204 No Content\n\n", ""},
		{"half a block", "/exit?0", "Status: 404 Not Found\nand so on", ""},
		{"traps", "/trap", "", "exited with code 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := schedule(t, tt.path, "x-output", tt.output)
			if tt.err == "" && got.Err != nil || tt.err != "" && (got.Err == nil || !strings.Contains(got.Err.Error(), tt.err)) {
				t.Errorf("got %v, want %q", got.Err, tt.err)
			}
			if got.Answers != 0 {
				t.Errorf("there was an answer: %+v", got.Recorder)
			}
		})
	}
}

// Only a schedule sets the variables, whatever a request or the Function's own say.
func TestScheduledVariables(t *testing.T) {
	env := map[string]host.EnvValue{"MAYFLY_CRON": {Value: "own"}}
	bindings := &host.Bindings{Function: "test", Env: env}
	request := hosttest.Request("POST", "https://fn.example.com/env", "", "mayfly-cron", "header")
	got := invoke(t, hosttest.Invocation{Request: request, Bindings: bindings})
	if body := string(got.Body); strings.Contains(body, "\nMAYFLY_CRON") || strings.Contains(body, "\nMAYFLY_SCHEDULED_TIME") {
		t.Errorf("a request got %s", body)
	}
	seen := invoke(t, hosttest.Invocation{Request: hosttest.Request("POST", "https://fn.example.com/schedule", ""), Bindings: bindings,
		Scheduled: &host.Scheduled{Cron: "0 5 * * MON", Time: time.UnixMilli(1_795_669_200_000)}})
	if len(seen.Log) != 1 || seen.Log[0].Text != "0 5 * * MON at 1795669200000" {
		t.Errorf("logged %v, %v", seen.Log, seen.Err)
	}
}
