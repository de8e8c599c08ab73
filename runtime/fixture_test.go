package runtime_test

import (
	"context"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/host/wagi"
	"github.com/mayfly-run/mayfly/runtime"
)

func mustRuntime(t *testing.T, cfg runtime.Config) *runtime.Runtime {
	t.Helper()
	cfg.ABIs = []abi.ABI{native.New(), wagi.New()}
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

// invoke answers one request with a module; unset limits are the defaults.
func invoke(t *testing.T, m *runtime.Module, limits host.Limits) result {
	t.Helper()
	if !m.Use() {
		t.Fatal("the module was unloaded")
	}
	return invokeUsed(t, m, limits)
}

// invokeUsed is invoke for a module that is in use.
func invokeUsed(t *testing.T, m *runtime.Module, limits host.Limits) result {
	t.Helper()
	r := result{Recorder: new(hosttest.Recorder)}
	c := &host.Call{
		ID: "test-request", Services: hosttest.Services(t), Bindings: &host.Bindings{Function: "test"},
		Limits: limits.Or(host.DefaultLimits()), Request: hosttest.Request("GET", "http://test.localhost/", ""), Responder: r.Recorder,
	}
	c.Begin(t.Context())
	r.outcome, r.err = m.Invoke(c)
	r.usage = c.Usage
	return r
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
func hello(text string) []byte {
	var m hosttest.Module
	f := respond(&m)
	m.Memory(1)
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
