package runtime_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/host/wagi"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/worker/workertest"
)

// everyEngine runs a test with snapshots, with the simple engine, and with guests in
// other processes.
func everyEngine(t *testing.T, test func(t *testing.T, r *runtime.Runtime)) {
	t.Run("snapshot", func(t *testing.T) { test(t, mustRuntime(t, runtime.Config{})) })
	t.Run("simple", func(t *testing.T) { test(t, mustRuntime(t, runtime.Config{Simple: true})) })
	t.Run("process", func(t *testing.T) {
		cfg := runtime.Config{}
		workertest.Isolate(t, &cfg)
		test(t, mustRuntime(t, cfg))
	})
}

func mustRuntime(t *testing.T, cfg runtime.Config) *runtime.Runtime {
	t.Helper()
	cfg.ABIs = []abi.ABI{js.New(), native.New(), wagi.New()}
	r, err := runtime.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(context.Background()) })
	return r
}

func mustLoad(t *testing.T, r *runtime.Runtime, wasm []byte) *runtime.Module {
	t.Helper()
	m, err := r.Load(t.Context(), wasm)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// result is what became of an Invocation.
type result struct {
	*hosttest.Recorder
	outcome host.Outcome
	err     error
	usage   host.Usage
}

// patient are the default limits with as much time as a busy machine takes.
func patient() host.Limits {
	const long = 5 * time.Minute
	return host.Limits{Wall: long, CPU: long, AfterResponse: long}.Or(host.DefaultLimits())
}

// prepare takes the Snapshot of a module for a test; unset limits are patient.
func prepare(t *testing.T, m *runtime.Module, limits host.Limits, warmup ...host.Request) (*runtime.Snapshot, error) {
	t.Helper()
	s, err := m.Prepare(t.Context(), runtime.Setup{
		Services: hosttest.Services(t), Bindings: &host.Bindings{Function: "test"}, Limits: limits.Or(patient()), Warmup: warmup})
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func mustPrepare(t *testing.T, m *runtime.Module, limits host.Limits) *runtime.Snapshot {
	t.Helper()
	s, err := prepare(t, m, limits)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask answers a request for path with a Snapshot; unset limits are patient.
func ask(t *testing.T, s *runtime.Snapshot, path string, limits host.Limits) result {
	t.Helper()
	if !s.Use() {
		t.Fatal("the snapshot was closed")
	}
	return askUsed(t, s, path, limits)
}

// askUsed is ask for a Snapshot that is in use.
func askUsed(t *testing.T, s *runtime.Snapshot, path string, limits host.Limits) result {
	t.Helper()
	r := result{Recorder: new(hosttest.Recorder)}
	r.invoke(s, begin(t, r.Recorder, path, limits))
	return r
}

// invoke answers the request of a Call that has begun.
func (r *result) invoke(s *runtime.Snapshot, c *host.Call) {
	var spent *runtime.Instance
	if r.outcome, spent, r.err = s.Invoke(c); spent != nil {
		spent.Recycle()
	}
	r.usage = c.Usage
}

// begin begins a Call with a request for path.
func begin(t *testing.T, recorder *hosttest.Recorder, path string, limits host.Limits) *host.Call {
	t.Helper()
	c := new(host.Call)
	beginAgain(t, c, recorder, path, limits)
	return c
}

// beginAgain is begin with a Call that may have had a request before.
func beginAgain(t *testing.T, c *host.Call, recorder *hosttest.Recorder, path string, limits host.Limits) {
	t.Helper()
	c.Reset()
	c.ID, c.Services, c.Bindings, c.Limits = "test-request", services(t), &host.Bindings{Function: "test"}, limits.Or(patient())
	c.Request, c.Responder = hosttest.Request("GET", "http://test.localhost"+path, ""), recorder
	c.Begin(t.Context())
}

// services are those of tests, with random numbers that are.
func services(t *testing.T) *host.Services {
	s := hosttest.Services(t)
	s.Random = rand.Reader
	return s
}

// invoke prepares a module, for which there is time, and answers one request with it. A
// module that can't be prepared has failed in its first request, as it would without a
// snapshot.
func invoke(t *testing.T, m *runtime.Module, limits host.Limits) result {
	t.Helper()
	s, err := prepare(t, m, host.Limits{Memory: limits.Memory})
	if err != nil {
		return result{Recorder: new(hosttest.Recorder), outcome: host.OutcomeException, err: err}
	}
	return ask(t, s, "/", limits)
}

// respond imports respond from the native ABI.
func respond(m *hosttest.Module) (function uint32) {
	f, _ := native.New().Modules()[0].Find("respond")
	return m.Import("mayfly", "respond", f.Params, f.Results)
}

// answer responds with the n bytes at 0.
func answer(respond uint32, n int32) []byte {
	var ops []byte
	for _, v := range []int32{200, 0, 0, 0, n} {
		ops = append(ops, hosttest.I32Const(v)...)
	}
	return append(append(ops, hosttest.Call(respond)...), hosttest.Drop...)
}

// hello answers every request with text.
func hello(text string) []byte { return helloIn(text, 1) }

// helloIn is hello with a memory of some pages.
func helloIn(text string, pages uint32) []byte {
	var m hosttest.Module
	f := respond(&m)
	m.Memory(pages)
	m.Data(0, []byte(text))
	m.Func("fetch", nil, nil, nil, answer(f, int32(len(text))))
	return m.Bytes()
}

// fetches is a module with one page of memory whose fetch is ops.
func fetches(ops ...[]byte) []byte {
	var m hosttest.Module
	m.Memory(1)
	m.Func("fetch", nil, nil, nil, ops...)
	return m.Bytes()
}
