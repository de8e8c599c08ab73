package trigger_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

func (s *server) find(name string) func() (*deploy.Active, error) {
	return func() (*deploy.Active, error) { return s.registry.Pick("local", name) }
}

// invoke gives a Function a payload, and returns the answer's status and body.
func (s *server) invoke(name string, p trigger.Payload) (int, string, error) {
	s.t.Helper()
	response, err := s.runner.Invoke(s.t.Context(), s.find(name), name+".localhost", p)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	return response.Status, string(must(io.ReadAll(response.Body))(s.t)), nil
}

func TestInvoke(t *testing.T) {
	s := start(t, host.Limits{RequestBody: 8, CPU: 50 * time.Millisecond}, map[string][]byte{
		"echo": echoGuest(), "trap": opsGuest(hosttest.Unreachable), "url": areaGuest("request_url"), "headers": areaGuest("request_headers"), "method": areaGuest("request_method")})
	for _, tt := range []struct{ name, body, want string }{
		{"echo", "payload", "payload"}, // which is streamed
		{"url", "", "http://url.localhost/"},
		{"method", "", "POST"},
	} {
		if status, body, err := s.invoke(tt.name, trigger.Payload{ID: "i", Body: []byte(tt.body), Attempt: 1}); err != nil || status != 200 || body != tt.want {
			t.Errorf("%s: got %d %q, %v", tt.name, status, body, err)
		}
	}
	_, body, err := s.invoke("headers", trigger.Payload{ID: "abc", Type: "text/x", Body: []byte("12"), Attempt: 3})
	for _, want := range []string{"host\x00headers.localhost\x00", "content-length\x002\x00", "mayfly-invocation-id\x00abc\x00", "mayfly-invocation-attempt\x003\x00", "content-type\x00text/x\x00"} {
		if err != nil || !strings.Contains(body, want) {
			t.Errorf("headers %q lack %q, %v", body, want, err)
		}
	}
	if _, _, err := s.invoke("trap", trigger.Payload{}); host.CodeOf(err) != host.CodeUnavailable {
		t.Errorf("got %v", err)
	}
	if _, _, err := s.invoke("echo", trigger.Payload{Body: make([]byte, 9)}); host.CodeOf(err) != host.CodeTooLarge {
		t.Errorf("got %v", err)
	}
	if _, _, err := s.invoke("nobody", trigger.Payload{}); host.CodeOf(err) != host.CodeNotFound {
		t.Errorf("got %v", err)
	}
}

func TestDeliver(t *testing.T) {
	s := start(t, host.Limits{CPU: 50 * time.Millisecond}, map[string][]byte{"hello": helloGuest("hi"), "trap": opsGuest(hosttest.Unreachable)})
	ran, status, err := s.runner.Deliver(t.Context(), s.find("hello"), "hello.localhost", trigger.Payload{ID: "i", Attempt: 1})
	if err != nil || status != 200 || ran.Outcome != host.OutcomeOK || ran.ID == "" || ran.Usage.Wall == 0 {
		t.Errorf("got %+v, %d, %v", ran, status, err)
	}
	ran, status, err = s.runner.Deliver(t.Context(), s.find("trap"), "trap.localhost", trigger.Payload{ID: "i", Attempt: 1})
	if err != nil || status != 0 || ran.Outcome != host.OutcomeException || ran.Err == nil {
		t.Errorf("got %+v, %d, %v", ran, status, err)
	}
	if got := s.metrics.Outcome(host.OutcomeOK); got != 1 {
		t.Errorf("%d were counted", got)
	}
}
