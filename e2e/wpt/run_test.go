package wpt_test

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime"
)

//go:embed worker.js
var worker []byte

const origin = "http://web-platform.test"

// patience is for subtests that never end.
const patience = 10 * time.Second

var limits = host.Limits{CPU: time.Minute, Wall: 2 * time.Minute, Memory: 1 << 30, Subrequests: 1000}.Or(host.DefaultLimits())

// result is what became of a test.
type result struct {
	Status   string    `json:"status"` // of the whole file: OK, ERROR, TIMEOUT
	Message  string    `json:"message"`
	Subtests []subtest `json:"subtests"`
}

type subtest struct {
	Name    string `json:"name"`
	Status  string `json:"status"` // PASS, FAIL, TIMEOUT, NOTRUN
	Message string `json:"message"`
}

// runner runs tests of a checkout, each in a Worker of its own.
type runner struct {
	checkout
	harness string
	runtime *runtime.Runtime
}

func mustRunner(t *testing.T, c checkout) *runner {
	t.Helper()
	harness, err := os.ReadFile(filepath.Join(string(c), "resources/testharness.js"))
	if err != nil {
		t.Fatalf("WPT_DIR must name a checkout of web-platform-tests: %v", err)
	}
	r, err := runtime.New(t.Context(), runtime.Config{ABIs: []abi.ABI{js.New()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(context.Background()) })
	return &runner{c, string(harness), r}
}

// run runs one test. What keeps it from running at all is its result, too.
func (r *runner) run(t *testing.T, test *test) result {
	program, err := r.program(test)
	if err != nil {
		t.Fatal(err)
	}
	body, err := r.answer(t, program)
	if err != nil {
		return result{Status: "CRASH", Message: err.Error()}
	}
	var got result
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	return got
}

func (r *runner) program(test *test) ([]byte, error) {
	script, err := r.source(test)
	if err != nil {
		return nil, err
	}
	plan, err := json.Marshal(map[string]any{
		"url": origin + "/" + test.name(), "harness": r.harness, "script": script, "patience": patience.Milliseconds()})
	if err != nil {
		return nil, err
	}
	p := js.Program{Main: "worker.js", Modules: []js.Source{
		{Name: "worker.js", Type: js.TypeModule, Data: worker}, {Name: "plan.json", Type: js.TypeJSON, Data: plan}}}
	return p.Encode()
}

// answer deploys a Worker and asks it once.
func (r *runner) answer(t *testing.T, program []byte) ([]byte, error) {
	m, err := r.runtime.Load(t.Context(), program)
	if err != nil {
		return nil, err
	}
	bindings := &host.Bindings{Function: "wpt"}
	s, err := m.Prepare(t.Context(), runtime.Setup{Services: r.services(t), Bindings: bindings, Limits: limits})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	s.Use()
	c, recorder := new(host.Call), new(hosttest.Recorder)
	c.ID, c.Services, c.Bindings, c.Limits = "wpt", r.services(t), bindings, limits
	c.Request, c.Responder = hosttest.Request("GET", origin+"/", ""), recorder
	c.Begin(t.Context())
	_, spent, err := s.Invoke(c)
	if spent != nil {
		spent.Recycle()
	}
	if recorder.Answers > 0 {
		return recorder.Body, nil
	}
	return nil, err
}

func (r *runner) services(t *testing.T) *host.Services {
	s := hosttest.Services(t)
	s.Now = time.Now
	s.Fetcher = hosttest.Fetcher(r.fetch)
	return s
}

// fetch answers with the files of the checkout, as its server does.
func (r *runner) fetch(_ context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
	u, err := url.Parse(req.URL)
	if err != nil || u.Scheme+"://"+u.Host != origin {
		return nil, host.Errorf(host.CodeUnavailable, "no upstream answers for %s", req.URL)
	}
	data, err := os.ReadFile(filepath.Join(string(r.checkout), filepath.FromSlash(u.Path)))
	if err != nil {
		return &host.FetchResponse{Status: 404, Body: io.NopCloser(new(bytes.Reader))}, nil
	}
	return &host.FetchResponse{Status: 200, Body: io.NopCloser(bytes.NewReader(data))}, nil
}
