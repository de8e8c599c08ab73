package wasi_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

func TestRandom(t *testing.T) {
	for _, size := range []int{0, 1, 5, 60_000} {
		g := newGuest(t, hosttest.Invocation{})
		g.want(0, "random_get", 9, uint64(size))
		want := make([]byte, size)
		hosttest.Random(1).Read(want)
		g.WantMemory(9, string(want))
	}
}

// Large requests are served in pieces, between which the guest's time is looked at.
func TestRandomStopsInTime(t *testing.T) {
	services := hosttest.Services(t)
	g := newGuest(t, hosttest.Invocation{Services: services})
	g.Memory().Grow(9)
	var sizes []int
	services.Random = reader(func(b []byte) (int, error) {
		if sizes = append(sizes, len(b)); len(sizes) == 3 {
			g.Call.Cancel(host.ErrWallTime)
		}
		return len(b), nil
	})
	_, err := g.Do("random_get", 0, 10*65536)
	if !errors.Is(err, host.ErrWallTime) {
		t.Errorf("got %v, want %v", err, host.ErrWallTime)
	}
	if len(sizes) != 3 || sizes[0] > 64<<10 {
		t.Errorf("read pieces of %v bytes, want three of 64 KiB", sizes)
	}
}

func TestRandomFails(t *testing.T) {
	services := hosttest.Services(t)
	services.Random = bytes.NewReader(nil)
	g := newGuest(t, hosttest.Invocation{Services: services})
	g.want(29, "random_get", 0, 8)
}

type reader func([]byte) (int, error)

func (r reader) Read(b []byte) (int, error) { return r(b) }
