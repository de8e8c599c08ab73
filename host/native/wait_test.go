package native_test

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := fetching(t, new(upstream), host.Limits{})
		slow, fast := g.send("4s"), g.send("2s")
		for _, tt := range []struct {
			timeout time.Duration
			want    int64
			took    time.Duration
		}{
			{0, timeout, 0},
			{1, timeout, 1},
			{time.Second - 1, timeout, time.Second - 1},
			{2 * time.Second, 1, time.Second},
			{0, 1, 0},
			{-1, 1, 0},
			{-1 << 63, 1, 0},
			{1<<63 - 1, 1, 0},
		} {
			started := time.Now()
			g.Want(tt.want, "wait", g.waitArgs(tt.timeout, slow, fast)...)
			if took := time.Since(started); took != tt.took {
				t.Errorf("waited %v for %v, want %v", tt.timeout, took, tt.took)
			}
		}
		g.Want(0, "wait", g.waitArgs(-1<<63, slow, slow)...)
		wantError(t, g, "timeout passed") // of the waits above
		g.End()
	})
}

func TestWaitCount(t *testing.T) {
	g := newGuest(t, everything(t))
	g.Want(invalid, "wait", 0, 1025, 0)
	g.Want(invalid, "wait", 0, -1, 0)
	g.Want(timeout, "wait", 0, 0, 0)
	g.Want(timeout, "wait", -1, 0, 0) // no handles lie anywhere
	body := g.Must("request_body")
	for i := range uint32(1024) {
		g.Put(1024+4*i, uint32(body))
	}
	if i := g.Must("wait", 1024, 1024, -1); i < 0 || i >= 1024 {
		t.Errorf("wait returned %d, want an index", i)
	}
	g.End()
}

// Without handles wait sleeps, at most as long as the Invocation lasts.
func TestWaitSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuest(t, hosttest.Invocation{Limits: host.Limits{Wall: 10 * time.Second}})
		started := time.Now()
		g.Want(timeout, "wait", 0, 0, int64(3*time.Second))
		if took := time.Since(started); took != 3*time.Second {
			t.Errorf("slept %v, want 3s", took)
		}
		g.wantEnd(host.CodeTimeout, "wait", 0, 0, -1)
		if took := time.Since(started); took != 10*time.Second {
			t.Errorf("slept %v, want 10s", took)
		}
		g.End()
	})
}

// A body is ready when reading from it does not block.
func TestWaitForBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		g, body := reading(t, r)
		for _, text := range []string{"first", "second"} {
			g.Want(timeout, "wait", g.waitArgs(time.Second, body)...)
			time.AfterFunc(2*time.Second, func() { w.Write([]byte(text)) })
			started := time.Now()
			g.Want(0, "wait", g.waitArgs(-1, body)...)
			if took := time.Since(started); took != 2*time.Second {
				t.Errorf("waited %v, want 2s", took)
			}
			g.Want(int64(len(text)), "body_read", body, 100, 50)
		}
		time.AfterFunc(time.Second, func() { w.Close() })
		g.Want(0, "wait", g.waitArgs(-1, body)...)
		g.Want(0, "body_read", body, 100, 50)
		g.Want(0, "wait", g.waitArgs(0, body)...)
		g.End()
	})
}

// Bodies and operations of all kinds can be waited for together.
func TestWaitForKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inv := everything(t)
		inv.Services.Fetcher = new(upstream)
		r, w := io.Pipe()
		inv.Request.Body = r
		g := newGuest(t, inv)
		body := g.Must("request_body")
		get := g.Must("kv_get", with(g.Must("kv_open", g.puts("STORE")...), g.puts("key"))...)
		fetch := g.send("1s")
		g.Want(2, "wait", g.waitArgs(-1, body, fetch, get)...)
		g.Want(0, "close", get)
		time.AfterFunc(2*time.Second, func() { w.Close() })
		g.Want(1, "wait", g.waitArgs(-1, body, fetch)...)
		g.Want(0, "close", fetch)
		g.Want(0, "wait", g.waitArgs(-1, body)...)
		g.End()
	})
}
