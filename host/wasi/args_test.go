package wasi_test

import (
	"errors"
	"testing"

	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

func TestStrings(t *testing.T) {
	for _, c := range []struct {
		name  string
		list  []string
		bytes string
	}{
		{"none", nil, ""},
		{"one", []string{"a"}, "a\x00"},
		{"several, one empty", []string{"A=1", "", "B=é"}, "A=1\x00\x00B=é\x00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGuest(t, hosttest.Invocation{})
			g.Call.Args, g.Call.Env = c.list, c.list
			for _, kind := range []string{"args", "environ"} {
				g.want(0, kind+"_sizes_get", 0, 8)
				if n, size := g.Uint32(0), g.Uint32(8); int(n) != len(c.list) || int(size) != len(c.bytes) {
					t.Errorf("%s: %d strings of %d bytes, want %d of %d", kind, n, size, len(c.list), len(c.bytes))
				}
				g.want(0, kind+"_get", 100, 201)
				g.WantMemory(201, c.bytes)
				for i, s := range c.list {
					got, _ := g.Memory().Read(g.Uint32(100+4*uint32(i)), uint32(len(s)))
					if string(got) != s {
						t.Errorf("%s: pointer %d leads to %q, want %q", kind, i, got, s)
					}
				}
				g.Put(100, "????????????")
			}
		})
	}
}

// A pointer outside the memory is a trap, whatever the function.
func TestFault(t *testing.T) {
	const end = 65536
	g := newGuest(t, hosttest.Invocation{})
	g.Call.Args, g.Call.Env = []string{"a"}, []string{"A=1"}
	g.Put(4000, uint32(end-1), uint32(2))                   // an iovec
	g.Put(5000, uint64(0), uint64(1), uint32(1), uint32(0)) // a subscription
	for name, args := range map[string][]uint64{
		"args_get": {end - 3, 0}, "args_sizes_get": {end - 3, 0}, "environ_get": {0, end - 2},
		"environ_sizes_get": {0, end}, "clock_res_get": {0, end - 7}, "clock_time_get": {1, 0, end - 7},
		"random_get": {1, end}, "fd_fdstat_get": {1, end - 23}, "fd_filestat_get": {1, end - 63},
		"fd_write": {1, 4000, 1, 100}, "fd_read": {0, 4000, 1, 100}, "poll_oneoff": {5000, end - 31, 1, 0},
	} {
		if _, err := g.Do(name, args...); !isFault(err) {
			t.Errorf("%s%v: got %v, want a fault", name, args, err)
		}
	}
	g.want(0, "sched_yield") // the instance lives on
}

func isFault(err error) bool {
	_, ok := errors.AsType[abi.Fault](err)
	return ok
}
