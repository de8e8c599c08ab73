package control_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/control"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// invokes plays the Functions: their answer is what they got.
func invokes() *control.Invokes {
	return &control.Invokes{
		Now: func(_ context.Context, f deploy.Function, p trigger.Payload) (*host.FetchResponse, error) {
			if string(p.Body) == "fail" {
				return nil, host.Errorf(host.CodeUnavailable, "Function %s failed", f.Name)
			}
			return &host.FetchResponse{Status: 418, Headers: host.Headers{}.Add("content-type", "text/html").Add("set-cookie", "a=b"),
				Body: io.NopCloser(strings.NewReader(f.Name + " got " + p.Type + " " + string(p.Body)))}, nil
		},
		Later: func(_ context.Context, f deploy.Function, contentType string, body []byte) (string, error) {
			return "id-of-" + f.Name + "-" + contentType + "-" + string(body), nil
		},
		Forget: func(context.Context, string, string) error { return nil },
	}
}

func TestInvoke(t *testing.T) {
	f := newFixture(t, options{invoke: invokes()})
	f.ok(t, upload(t, "local", "a", `{"main_module":"main.wasm"}`, guest(1)), nil)
	const path = scripts + "/a/invoke"
	a := f.do(t, call{method: "POST", path: path, body: "hello", kind: "text/plain"})
	if a.status != 418 || a.body != "a got text/plain hello" || a.header.Get("Mayfly-Invocation-Id") == "" || a.header.Get("Content-Type") != "text/html" ||
		a.header.Get("Content-Security-Policy") != "sandbox" || a.header.Get("Set-Cookie") != "" {
		t.Errorf("got %d %s, %v", a.status, a.body, a.header)
	}
	if a := f.do(t, call{method: "POST", path: path, body: "fail"}); a.status != http.StatusServiceUnavailable || a.header.Get("Mayfly-Invocation-Id") != "" {
		t.Errorf("got %d %s, %v", a.status, a.body, a.header)
	}
	for _, c := range []call{
		{method: "POST", path: path + "?async=true", body: "x"},
		{method: "POST", path: path, body: "x", headers: []string{"X-Amz-Invocation-Type", "Event"}},
	} {
		if a := f.do(t, c); a.status != http.StatusAccepted || !strings.Contains(a.body, `"result":{"id":"id-of-a-`) {
			t.Errorf("got %d %s", a.status, a.body)
		}
	}
	f.refused(t, call{method: "POST", path: path + "?async=yes", body: "x"}, 400, 10021, `async is "yes"; true and false are possible`)
	f.refused(t, call{method: "POST", path: scripts + "/nobody/invoke", body: "x"}, 404, 10007, `Function "nobody" does not exist in account local`)
	f.refused(t, call{method: "POST", path: path + "?async=true", body: strings.Repeat("x", 1<<20+1)}, 413, 10027, "the body is longer than 1048576 bytes")
}

func TestInvokeConfig(t *testing.T) {
	f := newTwo(t)
	const path = scripts + "/a/invoke-config"
	type config struct {
		Retries   int
		OnFailure *struct{ Function string } `json:"on_failure"`
	}
	var got config
	f.ok(t, call{method: "GET", path: path}, &got)
	if got.Retries != 2 || got.OnFailure != nil {
		t.Errorf("got %+v", got)
	}
	f.ok(t, call{method: "PUT", path: path, body: `{"retries":0,"on_failure":{"function":"b"}}`}, nil)
	f.ok(t, call{method: "GET", path: path}, &got)
	if got.Retries != 0 || got.OnFailure == nil || got.OnFailure.Function != "b" {
		t.Errorf("got %+v", got)
	}
	f.refused(t, call{method: "PUT", path: path, body: `{"retries":9}`}, 400, 10021, "retries is 9; 0 to 2 are allowed")
}
