package wasi_test

import (
	"errors"
	"testing"

	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

// Exit unwinds the guest; the instance can be called again.
func TestExit(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{})
	for _, code := range []uint32{0, 1, 255, 1<<32 - 1} {
		if _, err := g.Do("proc_exit", uint64(code)); !errors.Is(err, abi.Exit{Code: code}) {
			t.Errorf("got %v, want exit code %d", err, code)
		}
	}
	g.Next(hosttest.Invocation{})
	g.want(0, "sched_yield")
}

func TestRaise(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{})
	g.want(0, "proc_raise", 0)
	g.want(28, "proc_raise", 31)
	if _, err := g.Do("proc_raise", 6); !errors.Is(err, abi.Exit{Code: 134}) {
		t.Errorf("SIGABRT: got %v, want exit code 134", err)
	}
}
