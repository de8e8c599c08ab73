package trigger_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// scheduledGuest is a guest whose scheduled is ops, and which answers requests.
func scheduledGuest(ops ...[]byte) []byte {
	var m hosttest.Module
	f, _ := native.New().Modules()[0].Find("respond")
	respond := m.Import("mayfly", "respond", f.Params, f.Results)
	m.Memory(1)
	m.Func("fetch", nil, nil, nil, numbers(200, 0, 0, 0, 0), hosttest.Call(respond), hosttest.Drop)
	m.Func("scheduled", nil, nil, nil, ops...)
	return m.Bytes()
}

// spin never ends.
var spin = []byte{0x03, 0x40, 0x0c, 0x00, 0x0b}

// schedule sends a Function an event.
func (s *server) schedule(ctx context.Context, name string) (outcome host.Outcome, err error) {
	s.t.Helper()
	find := func() (*deploy.Active, error) { return s.registry.Pick("local", name) }
	ran, err := s.runner.Scheduled(ctx, find, name+".localhost", host.Scheduled{Cron: "0 5 * * *", Time: time.UnixMilli(1_795_669_200_000)})
	if err != nil {
		return 0, err
	}
	if ran.ID == "" || ran.Version == "" || ran.Started.IsZero() || ran.Usage.Wall == 0 {
		s.t.Errorf("got %+v", ran)
	}
	return ran.Outcome, ran.Err
}

func TestScheduled(t *testing.T) {
	s := start(t, host.Limits{CPU: 50 * time.Millisecond}, map[string][]byte{
		"ok": scheduledGuest(), "trap": scheduledGuest([]byte{0x00}), "spin": scheduledGuest(spin), "none": helloGuest("no handler")})
	for name, want := range map[string]struct {
		outcome host.Outcome
		err     string
	}{
		"ok":   {host.OutcomeOK, ""},
		"trap": {host.OutcomeException, "unreachable"},
		"spin": {host.OutcomeExceededCPU, ""},
		"none": {host.OutcomeException, `export a function "scheduled"`},
	} {
		before := s.metrics.Outcome(want.outcome)
		outcome, err := s.schedule(t.Context(), name)
		if outcome != want.outcome || want.err != "" && (err == nil || !strings.Contains(err.Error(), want.err)) {
			t.Errorf("%s: got %v, %v", name, outcome, err)
		}
		if got := s.metrics.Outcome(want.outcome); got != before+1 {
			t.Errorf("%s is not counted: %d, %d", name, before, got)
		}
	}
	if _, err := s.schedule(t.Context(), "nobody"); host.CodeOf(err) != host.CodeNotFound {
		t.Errorf("got %v", err)
	}
	s.waitFor(func() bool { return strings.Contains(s.log.String(), "trigger=cron") }, "the log to name the trigger") // it is written behind the answer
	failures := s.observer.Failures("local", "trap")
	if len(failures) != 1 || failures[0].Method != "POST" || !strings.Contains(failures[0].URL, "/__scheduled?cron=") {
		t.Errorf("failures %+v", failures)
	}
}

// The events have 15 minutes unless the Function says otherwise, and end with who
// waits.
func TestScheduledLimits(t *testing.T) {
	s := startCounted(t, host.Limits{Wall: 40 * time.Millisecond, CPU: 5 * time.Minute}, map[string][]byte{"long": scheduledGuest(spin)})
	settings := deploy.Settings{Limits: deploy.Limits{WallMillis: 20}}
	must(s.registry.Deploy(t.Context(), "local", "short", deploy.Upload{Module: scheduledGuest(spin), Settings: settings}))(t)
	if outcome, err := s.schedule(t.Context(), "short"); outcome != host.OutcomeExceededWallTime {
		t.Errorf("got %v, %v", outcome, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		s.waitForGuest()
		time.Sleep(100 * time.Millisecond)
		cancel()
	}()
	if outcome, err := s.schedule(ctx, "long"); outcome != host.OutcomeCanceled {
		t.Errorf("got %v, %v; it has more time than the node's wall_ms", outcome, err)
	}
}
