package cli_test

import (
	"encoding/json"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
)

// logsAndTraps logs "a\x1bb" and traps then.
func logsAndTraps() []byte {
	var m hosttest.Module
	f, _ := native.New().Modules()[0].Find("log")
	log := m.Import("mayfly", "log", f.Params, f.Results)
	m.Memory(1)
	m.Data(0, []byte("a\x1bb"))
	m.Func("fetch", nil, nil, nil, hosttest.I32Const(1), hosttest.I32Const(0), hosttest.I32Const(3), hosttest.Call(log), hosttest.Drop, hosttest.Unreachable)
	return m.Bytes()
}

// mustTail runs mayfly tail and waits until it is connected.
func mustTail(t *testing.T, s *server, args ...string) *program {
	t.Helper()
	t.Setenv("MAYFLY_API", "http://"+s.admin+"/client/v4")
	t.Setenv("MAYFLY_API_TOKEN", s.mustToken(t))
	p := start(append([]string{"tail"}, args...)...)
	for deadline := time.Now().Add(3 * time.Minute); !strings.Contains(p.log.String(), "Connected to "); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not connected: %s", p.log.String())
		}
	}
	return p
}

func TestTail(t *testing.T) {
	s := mustServe(t)
	s.mustDeploy(t, "traps", logsAndTraps())
	s.mustDeploy(t, "fine", tiny("fine"))
	p := mustTail(t, s, "traps", "--status", "error", "--method", "GET,PUT")
	s.get(t, "fine")
	s.get(t, "traps")
	var event struct {
		Outcome, ScriptName string
		Logs                []struct{ Message []string }
		Exceptions          []struct{ Name, Message string }
	}
	if err := json.NewDecoder(p.out).Decode(&event); err != nil {
		t.Fatal(err)
	}
	if event.Outcome != "exception" || event.ScriptName != "traps" || len(event.Logs) != 1 || event.Logs[0].Message[0] != "a\x1bb" ||
		len(event.Exceptions) != 1 || event.Exceptions[0].Name != "RuntimeError" || event.Exceptions[0].Message != "unreachable" {
		t.Errorf("got %+v", event)
	}
	go io.Copy(io.Discard, p.out)
	if code := p.end(); code != 0 {
		t.Errorf("interrupted it ended with %d: %s", code, p.log.String())
	}
}

// What guests and clients wrote does nothing to the terminal.
func TestTailPretty(t *testing.T) {
	s := mustServe(t)
	s.mustDeploy(t, "traps", logsAndTraps())
	p := mustTail(t, s, "traps", "--format", "pretty")
	s.get(t, "traps")
	text := make([]byte, 4096)
	n, err := p.out.Read(text)
	if got := string(text[:n]); err != nil || !strings.HasPrefix(got, "GET http://traps.localhost/ - exception 500 @ ") || !strings.Contains(got, "\n  (info) a\uFFFDb\n  RuntimeError: unreachable\n") {
		t.Errorf("got %q, %v", got, err)
	}
	go io.Copy(io.Discard, p.out)
	s.mustSignal(t, syscall.SIGTERM)
	if code := <-p.code; code != 1 || !strings.Contains(p.log.String(), "the node is shutting down") {
		t.Errorf("when the node ended it ended with %d: %s", code, p.log.String())
	}
}

// Each kind of event has a line of its own, with the node where there are several.
func TestPrettyEvents(t *testing.T) {
	const rest = `"outcome":"ok","requestId":"r1","eventTimestamp":0,"cpuTime":1,"wallTime":2,"logs":[],"exceptions":[]}`
	for event, want := range map[string][2]string{
		`{"event":{"request":{"method":"GET","url":"http://a/"},"response":{"status":200}},"node":"n1",` + rest: {"GET http://a/ - ok 200 @ ", "(cpu 1.0 ms, wall 2.0 ms, request r1, node n1)\n"},
		`{"event":{"cron":"0 5 * * *"},` + rest:                            {`"0 5 * * *" - ok @ `, "request r1)\n"},
		`{"event":{"key":"k","deleted":true},` + rest:                      {`KV delete "k" - ok @ `, "request r1)\n"},
		`{"event":{"queue":"jobs","batchSize":3},"node":"n\u001b",` + rest: {"queue jobs (3 messages) - ok @ ", "request r1, node n\uFFFD)\n"},
		`{"event":{"type":"overload","message":"7 were left out"},` + rest: {"7 were left out\n", ""},
	} {
		got, err := cli.PrettyEvent(event)
		if err != nil || !strings.HasPrefix(got, want[0]) || !strings.HasSuffix(got, want[1]) {
			t.Errorf("%s: got %q, %v, want %q", event, got, err, want)
		}
	}
	if _, err := cli.PrettyEvent(`{"event":`); err == nil {
		t.Error("half an event was taken")
	}
}
