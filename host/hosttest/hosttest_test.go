package hosttest_test

import (
	"errors"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

// echo is an ABI of one function, which answers with a range of memory.
type echo struct{}

func (echo) Name() string { return "echo" }

func (echo) Modules() []*abi.Module {
	return []*abi.Module{{Name: "echo", Funcs: []abi.Func{{
		Name: "answer", Params: []byte{abi.I32, abi.I32},
		Do: func(g abi.Guest, a abi.Args) int64 {
			if err := g.Responder.Respond(200, nil, g.Bytes(a.U32(0), a.U32(1))); err != nil {
				return int64(g.Fail(err))
			}
			g.Log(host.LogInfo, []byte("answered"))
			return 0
		},
	}}}}
}

func (echo) Match(s *abi.Shape) (abi.Plan, bool, error) {
	plan := abi.Plan{Entry: "run"}
	if _, ok := s.Export("init"); ok {
		plan.Initialize = "init"
	}
	return plan, s.ImportsFrom("echo", "answer") && s.Memory, nil
}

func (echo) Enter(*host.Call)                    {}
func (echo) Leave(_ *host.Call, err error) error { return err }

// guest answers "got" and a digit that init raises from 0 to 1.
func guest() *hosttest.Module {
	m := new(hosttest.Module)
	answer := m.Import("echo", "answer", []byte{abi.I32, abi.I32}, nil)
	m.Memory(1)
	m.Data(300, []byte("got0"))
	m.Func("init", nil, nil, nil,
		hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Load8U(303),
		hosttest.I32Const(1), hosttest.I32Add, hosttest.I32Store8(303))
	m.Func("run", nil, nil, []byte{abi.I32},
		hosttest.I32Const(300), hosttest.LocalSet(0),
		hosttest.LocalGet(0), hosttest.I32Const(4), hosttest.Call(answer))
	return m
}

func TestRun(t *testing.T) {
	got := hosttest.Run(t, echo{}, guest().Bytes(), hosttest.Request("GET", "http://localhost/", ""))
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	if string(got.Body) != "got1" || got.Status != 200 || got.Answers != 1 {
		t.Errorf("got %d %q after %d answers, want 200 %q after 1", got.Status, got.Body, got.Answers, "got1")
	}
	if len(got.Log) != 1 || got.Log[0] != (hosttest.LogEntry{Level: host.LogInfo, Text: "answered"}) {
		t.Errorf("log %v, want one entry", got.Log)
	}
}

// An instance is initialised once and serves its next Invocation as it is.
func TestInvokeAgain(t *testing.T) {
	i := hosttest.MustLoad(t, echo{}, guest().Bytes()).Instantiate(t)
	for range 2 {
		if got := i.Invoke(t, hosttest.Invocation{}); got.Err != nil || string(got.Body) != "got1" {
			t.Errorf("got %q, %v, want %q", got.Body, got.Err, "got1")
		}
	}
}

func TestProxy(t *testing.T) {
	i := hosttest.MustLoad(t, echo{}, hosttest.Proxy(echo{}.Modules()...)).Instantiate(t)
	i.Begin(t, hosttest.Invocation{})
	i.Memory().WriteString(65530, "ending")
	if _, err := i.Do("answer", 65530, 6); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Do("answer", 65530, 7); !errors.Is(err, abi.Fault{Offset: 65530, Length: 7}) {
		t.Errorf("got %v, want a fault", err)
	}
	if got := i.End(); string(got.Body) != "ending" {
		t.Errorf("got %q, want %q", got.Body, "ending")
	}
}
