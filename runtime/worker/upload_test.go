//go:build linux

package worker_test

import (
	"context"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/worker/workertest"
)

// A body that a worker passes on is streamed by the node too, with its length where
// that is known.
func TestUploads(t *testing.T) {
	const size = 3 << 20
	cfg := runtime.Config{ABIs: []abi.ABI{js.New()}}
	workertest.Isolate(t, &cfg)
	r, err := runtime.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(context.Background())
	s := mustPrepareWorker(t, r, `export default { fetch(request) {
  const body = request.url.endsWith("/js") ? request.body.pipeThrough(new TransformStream()) : request.body;
  return fetch("https://up.example/", { method: "POST", body });
} };`)
	defer s.Close()
	for path, told := range map[string]int64{"/": size, "/js": -1} {
		var recorder hosttest.Recorder
		c := &host.Call{ID: "test", Services: hosttest.Services(t), Bindings: &host.Bindings{}, Limits: host.DefaultLimits(), Responder: &recorder}
		c.Limits.CPU, c.Limits.Held = c.Limits.Wall, 1<<20
		c.Request = hosttest.Request("POST", "http://test.localhost"+path, strings.Repeat("x", size), "content-length", strconv.Itoa(size))
		c.Services.Fetcher = hosttest.Fetcher(func(_ context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
			n, err := io.Copy(io.Discard, req.Body)
			if err != nil || req.BodySize != told {
				t.Errorf("%s: told of %d bytes, %v, want %d", path, req.BodySize, err, told)
			}
			return &host.FetchResponse{Status: 200, Body: io.NopCloser(strings.NewReader(strconv.FormatInt(n, 10)))}, nil
		})
		c.Begin(t.Context())
		s.Use()
		if outcome, _, err := s.Invoke(c); outcome != host.OutcomeOK || string(recorder.Body) != strconv.Itoa(size) {
			t.Errorf("%s: %v, %q, %v", path, outcome, recorder.Body, err)
		}
	}
}
