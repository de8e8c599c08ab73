package runtime_test

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/cache"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime"
)

// TestPlatform runs each file of testdata/javascript in a Worker.
func TestPlatform(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	files, err := filepath.Glob("testdata/javascript/*.js")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	harness := source(t, "testdata/javascript/harness.js")
	for _, file := range files {
		if name := filepath.Base(file); name != "harness.js" {
			t.Run(strings.TrimSuffix(name, ".js"), func(t *testing.T) { runPlatformTests(t, r, source(t, file), harness) })
		}
	}
}

func source(t *testing.T, file string) js.Source {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return js.Source{Name: filepath.Base(file), Type: js.TypeModule, Data: data}
}

func runPlatformTests(t *testing.T, r *runtime.Runtime, modules ...js.Source) {
	setup := bound(t)
	s, err := mustLoad(t, r, mustProgram(t, modules...)).Prepare(t.Context(), setup)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := result{Recorder: new(hosttest.Recorder)}
	c := &host.Call{ID: "test-request", Services: setup.Services, Bindings: setup.Bindings, Limits: setup.Limits, Responder: got.Recorder}
	c.Request = hosttest.Request("POST", "http://test.localhost/path?query", "the request's body", "accept", "*/*", "cookie", "a", "x-latin", "\xe9")
	c.Begin(t.Context())
	s.Use()
	got.invoke(s, c)
	var tests []struct{ Name, Failure string }
	if err := json.Unmarshal(got.Body, &tests); err != nil || len(tests) == 0 {
		t.Fatalf("got %q, %v: %v", got.Body, err, got.err)
	}
	for _, test := range tests {
		if test.Failure != "" {
			t.Errorf("%s: %s", test.Name, test.Failure)
		}
	}
	for _, e := range setup.Services.Log.(*hosttest.Log).Entries() {
		t.Logf("log: %s", e.Text)
	}
}

// bound is a Setup with something behind each kind of binding.
func bound(t *testing.T) runtime.Setup {
	s := services(t)
	s.Now = time.Now
	up := &upstream{}
	s.Fetcher = hosttest.Fetcher(up.fetch)
	return runtime.Setup{Services: s, Limits: patient(), Bindings: &host.Bindings{
		Account: "local", Function: "test", Version: "1", Secrets: []string{"A_SECRET", "VERSION"},
		Env: map[string]host.EnvValue{"NAME": {Value: "value"}, "CONFIG": {Value: `{"list":[1,2]}`, JSON: true}, "A_SECRET": {Value: "hidden", Secret: true},
			"VERSION": {Value: `{"id":"1"}`, Secret: true, JSON: true}},
		KV: map[string]kv.Store{"STORE": memkv.New(memkv.Config{Now: s.Now})},

		Cache:      cache.New(cache.Config{}).Of("local"),
		RateLimits: map[string]host.RateLimiter{"LIMITER": &fewTimes{left: 2}},
		Queues: map[string]host.QueueProducer{"QUEUE": new(hosttest.Queue), "BLIND": &hosttest.Queue{Blind: host.Errorf(host.CodeUnavailable, "away")},
			"FULL": &hosttest.Queue{Fail: kv.Full("queue", 10, 5)}},
		Fetchers: map[string]host.Fetcher{"AUTH": hosttest.Fetcher(up.fetch)},
	}}
}

// fewTimes is a RateLimiter that is used up at some time.
type fewTimes struct{ left int }

func (c *fewTimes) Limit([]byte) (bool, error) {
	c.left--
	return c.left >= 0, nil
}

// upstream answers by the path that it is asked for.
type upstream struct {
	mu   sync.Mutex // guards what follows
	came int
	all  chan struct{} // closed when three have come
}

func (u *upstream) fetch(ctx context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
	if strings.Contains(req.URL, "down.example") {
		return nil, host.Errorf(host.CodeUnavailable, "down.example can't be reached")
	}
	_, rest, _ := strings.Cut(req.URL, "//")
	_, target, _ := strings.Cut(rest, "/")
	path, query, _ := strings.Cut(target, "?")
	switch path {
	case "barrier":
		return u.barrier(ctx)
	case "long":
		return responseOf(200, strings.Repeat("x", 1<<20)), nil
	case "redirect":
		return responseOf(302, "", "location", query), nil
	case "see-other":
		return responseOf(303, "", "location", "echo"), nil
	case "hang":
		<-ctx.Done()
		return nil, host.Errorf(host.CodeCanceled, "canceled")
	}
	return echo(req)
}

// barrier answers once three requests are under way at the same time.
func (u *upstream) barrier(ctx context.Context) (*host.FetchResponse, error) {
	u.mu.Lock()
	if u.all == nil {
		u.all = make(chan struct{})
	}
	if u.came++; u.came == 3 {
		close(u.all)
	}
	u.mu.Unlock()
	select {
	case <-u.all:
		return responseOf(200, "met"), nil
	case <-ctx.Done():
		return nil, host.Errorf(host.CodeCanceled, "canceled")
	}
}

func echo(req *host.FetchRequest) (*host.FetchResponse, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
	}
	header, _ := req.Headers.Get("x-custom")
	text, err := json.Marshal(map[string]string{"method": req.Method, "url": req.URL, "body": string(body), "header": latin1(header)})
	return responseOf(201, string(text), "set-cookie", "a=1", "set-cookie", "b=2"), err
}

func latin1(b []byte) string {
	var out []rune
	for _, c := range b {
		out = append(out, rune(c))
	}
	return string(out)
}

func responseOf(status int, body string, headers ...string) *host.FetchResponse {
	r := &host.FetchResponse{Status: status, Body: io.NopCloser(strings.NewReader(body))}
	for i := 0; i < len(headers); i += 2 {
		r.Headers = r.Headers.Add(headers[i], headers[i+1])
	}
	return r
}
