package host_test

import (
	"errors"
	"io"
	"testing"

	"github.com/mayfly-run/mayfly/host"
)

// closes records how it was closed.
type closes struct {
	n   int
	err error
}

func (c *closes) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func (c *closes) CloseWithError(err error) error {
	c.n++
	c.err = err
	return nil
}

// closer fails to close.
type closer struct{ err error }

func (c closer) Close() error { return c.err }

func TestHandles(t *testing.T) {
	var table host.Handles
	a, b := &closes{}, closer{errors.New("stuck")}
	ha, hb, hc := add(t, &table, a), add(t, &table, b), add(t, &table, "text")
	if ha != 1 || hb != 2 || hc != 3 || table.Open() != 3 {
		t.Errorf("handles %d, %d, %d of %d, want 1, 2, 3", ha, hb, hc, table.Open())
	}
	if got, err := host.Get[*closes](&table, ha); got != a || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := host.Get[string](&table, hc); got != "text" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for _, h := range []host.Handle{0, hb, 4, 1 << 31, 1<<32 - 1} {
		if _, err := host.Get[string](&table, h); codeOf(err) != host.CodeHandle {
			t.Errorf("handle %d: got %v, want a bad handle", h, err)
		}
	}
	if err := table.Close(ha); err != nil || a.n != 1 || a.err != nil {
		t.Errorf("got %v, closed %d times with %v", err, a.n, a.err)
	}
	if err := table.Close(hb); !errors.Is(err, b.err) {
		t.Errorf("got %v, want the closer's error", err)
	}
	for _, h := range []host.Handle{ha, hb, 0, 9} {
		if err := table.Close(h); host.CodeOf(err) != host.CodeHandle {
			t.Errorf("closing %d: got %v, want a bad handle", h, err)
		}
	}
	if h := add(t, &table, "again"); h != hb || table.Open() != 2 {
		t.Errorf("handle %d of %d, want %d to be used again", h, table.Open(), hb)
	}
}

func add(t *testing.T, table *host.Handles, v any) host.Handle {
	t.Helper()
	h, err := table.Add(v)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHandlesFull(t *testing.T) {
	var table host.Handles
	for range 4096 {
		if err := table.Room(); err != nil {
			t.Fatal(err)
		}
		add(t, &table, "text")
	}
	if err := table.Room(); codeOf(err) != host.CodeLimit {
		t.Errorf("got %v, want the limit", err)
	}
	v := &closes{}
	if _, err := table.Add(v); codeOf(err) != host.CodeLimit {
		t.Errorf("got %v, want the limit", err)
	}
	if v.n != 1 || v.err == nil {
		t.Errorf("closed %d times with %v, want once as not whole", v.n, v.err)
	}
	if err := table.Close(17); err != nil {
		t.Fatal(err)
	}
	if h := add(t, &table, "text"); h != 17 {
		t.Errorf("handle %d, want 17", h)
	}
}
