package runtime_test

import (
	"bytes"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/runtime"
)

// readsEnvironment keeps at its initialisation what it can find in its
// environment, and answers with that.
func readsEnvironment() []byte {
	var m hosttest.Module
	call := m.ImportAll(native.New().Modules()...)
	m.Memory(1)
	m.Data(0, []byte("A_SECRET"))
	numbers := func(list ...int32) (ops []byte) {
		for _, v := range list {
			ops = append(ops, hosttest.I32Const(v)...)
		}
		return ops
	}
	m.Func("_initialize", nil, nil, nil,
		numbers(64, 256), hosttest.Call(call["environ_get"]), hosttest.Drop,
		numbers(512, 100), hosttest.Call(call["env_names"]), hosttest.Drop,
		numbers(0, 8, 640, 100), hosttest.Call(call["env_get"]), hosttest.Drop)
	m.Func("fetch", nil, nil, nil, numbers(200, 0, 0, 64, 1000), hosttest.Call(call["respond"]), hosttest.Drop)
	return m.Bytes()
}

// An initialisation that is kept sees the variables of its Function, by all ways,
// and no secret.
func TestInitialisationSeesNoSecret(t *testing.T) {
	m := mustLoad(t, mustRuntime(t, runtime.Config{}), readsEnvironment())
	bindings := &host.Bindings{
		Function: "test",
		Env:      map[string]host.EnvValue{"A_VARIABLE": {Value: "told"}, "A_SECRET": {Value: "canary", Secret: true}},
		Environ:  []string{"A_VARIABLE=told", "A_SECRET=canary"},
	}
	s, err := m.Prepare(t.Context(), runtime.Setup{Services: hosttest.Services(t), Bindings: bindings, Limits: host.DefaultLimits()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	got := ask(t, s, "/", host.Limits{}).Body
	if !bytes.Contains(got, []byte("A_VARIABLE=told\x00")) || !bytes.Contains(got, []byte("A_VARIABLE\x00")) {
		t.Errorf("the variable is not there: %q", got)
	}
	if bytes.Contains(got, []byte("canary")) || bytes.Contains(got, []byte("A_SECRET")) {
		t.Errorf("the secret is there: %q", got)
	}
	kept, err := s.Encode()
	if err != nil || bytes.Contains(kept, []byte("canary")) {
		t.Errorf("the secret is in what is kept, %v", err)
	}
}
