package native_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
)

func TestMatch(t *testing.T) {
	fetch := abi.Signature{Name: "fetch"}
	respond := abi.Signature{Module: "mayfly", Name: "respond"}
	plain := abi.Plan{Entry: "fetch"}
	tests := []struct {
		name      string
		shape     abi.Shape
		want      abi.Plan
		ok        bool
		complaint string
	}{
		{name: "nothing of ours", shape: abi.Shape{Memory: true, Exports: []abi.Signature{{Name: "_start"}}}},
		{name: "another's import", shape: abi.Shape{Imports: []abi.Signature{{Module: "mayflies", Name: "respond"}}}},
		{name: "import and export", ok: true, want: plain,
			shape: abi.Shape{Memory: true, Imports: []abi.Signature{respond}, Exports: []abi.Signature{fetch}}},
		{name: "export alone", ok: true, want: plain,
			shape: abi.Shape{Memory: true, Exports: []abi.Signature{fetch}}},
		{name: "initialize", ok: true, want: abi.Plan{Entry: "fetch", Initialize: "_initialize"},
			shape: abi.Shape{Memory: true, Exports: []abi.Signature{{Name: "_initialize"}, fetch}}},
		{name: "stream", ok: true, want: abi.Plan{Entry: "fetch", Detached: true},
			shape: abi.Shape{Memory: true, Imports: []abi.Signature{{Module: "mayfly", Name: "respond_stream"}}, Exports: []abi.Signature{fetch}}},
		{name: "wait until", ok: true, want: abi.Plan{Entry: "fetch", Detached: true},
			shape: abi.Shape{Memory: true, Imports: []abi.Signature{respond, {Module: "mayfly", Name: "wait_until"}}, Exports: []abi.Signature{fetch}}},
		{name: "another's stream", ok: true, want: plain,
			shape: abi.Shape{Memory: true, Imports: []abi.Signature{{Module: "other", Name: "wait_until"}}, Exports: []abi.Signature{fetch}}},
		{name: "newer", ok: true, want: plain,
			shape: abi.Shape{Memory: true, Imports: []abi.Signature{{Module: "mayfly@1.3", Name: "new"}}, Exports: []abi.Signature{fetch}}},
		{name: "no entry", ok: true, complaint: `export a function "fetch"`,
			shape: abi.Shape{Memory: true, Imports: []abi.Signature{respond}}},
		{name: "newer without entry", ok: true, complaint: `export a function "fetch"`,
			shape: abi.Shape{Memory: true, Imports: []abi.Signature{{Module: "mayfly@1.3", Name: "new"}}}},
		{name: "entry with a parameter", ok: true, complaint: "no parameters and no results",
			shape: abi.Shape{Memory: true, Exports: []abi.Signature{{Name: "fetch", Params: []abi.Type{abi.I32}}}}},
		{name: "entry with a result", ok: true, complaint: "no parameters and no results",
			shape: abi.Shape{Memory: true, Exports: []abi.Signature{{Name: "fetch", Results: []abi.Type{abi.I32}}}}},
		{name: "initialize with a result", ok: true, complaint: `"_initialize" must have no parameters`,
			shape: abi.Shape{Memory: true, Exports: []abi.Signature{fetch, {Name: "_initialize", Results: []abi.Type{abi.I32}}}}},
		{name: "no memory", ok: true, complaint: `memory as "memory"`,
			shape: abi.Shape{Imports: []abi.Signature{respond}, Exports: []abi.Signature{fetch}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plan, ok, err := native.New().Match(&tt.shape)
			if ok != tt.ok || (err != nil) != (tt.complaint != "") {
				t.Fatalf("got %v, %v, want %v and a complaint %q", ok, err, tt.ok, tt.complaint)
			}
			if err != nil && !strings.Contains(err.Error(), tt.complaint) {
				t.Errorf("got %q, want it to say %q", err, tt.complaint)
			}
			if err == nil && plan != tt.want {
				t.Errorf("got %+v, want %+v", plan, tt.want)
			}
		})
	}
}

// An Invocation must be answered; what ended the guest is passed on.
func TestLeave(t *testing.T) {
	convention, trap := native.New(), errors.New("trap")
	for _, tt := range []struct {
		responded bool
		err       error
		want      host.Code
	}{{true, nil, 0}, {false, nil, host.CodeState}} {
		err := convention.Leave(&host.Call{Responded: tt.responded}, tt.err)
		if (err != nil) != (tt.want != 0) || err != nil && host.CodeOf(err) != tt.want {
			t.Errorf("responded %v: got %v, want code %v", tt.responded, err, tt.want)
		}
	}
	for _, responded := range []bool{false, true} {
		if err := convention.Leave(&host.Call{Responded: responded}, trap); err != trap {
			t.Errorf("got %v, want the trap", err)
		}
	}
}

func TestEnter(t *testing.T) {
	c := &host.Call{Bindings: &host.Bindings{Environ: []string{"A=b"}}}
	native.New().Enter(c)
	if len(c.Env) != 1 || c.Env[0] != "A=b" || c.Stdin != nil || c.Stdout != nil {
		t.Errorf("a WASI guest sees %v, %v, %v", c.Env, c.Stdin, c.Stdout)
	}
}

// The guest's own initialisation comes before its entry point, and whoever
// doesn't answer is told.
func TestRun(t *testing.T) {
	var m hosttest.Module
	respond := m.Import("mayfly", "respond", []abi.Type{abi.I32, abi.I32, abi.I32, abi.I32, abi.I32}, []abi.Type{abi.I32})
	m.Memory(1)
	m.Func("_initialize", nil, nil, nil, hosttest.I32Const(8), hosttest.I32Const('!'), hosttest.I32Store8(0))
	m.Func("fetch", nil, nil, nil, hosttest.I32Const(200), hosttest.I32Const(0), hosttest.I32Const(0),
		hosttest.I32Const(8), hosttest.I32Const(1), hosttest.Call(respond), hosttest.Drop)
	if got := hosttest.Run(t, native.New(), m.Bytes(), host.Request{}); got.Err != nil || string(got.Body) != "!" {
		t.Errorf("got %q, %v", got.Body, got.Err)
	}
	var silent hosttest.Module
	silent.Memory(1)
	silent.Func("fetch", nil, nil, nil)
	if got := hosttest.Run(t, native.New(), silent.Bytes(), host.Request{}); host.CodeOf(got.Err) != host.CodeState {
		t.Errorf("got %v, want to be told that there was no answer", got.Err)
	}
}
