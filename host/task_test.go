package host_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// sleep is a Task that takes a while.
func sleep(c *host.Call, d time.Duration) host.Task {
	return c.Start(func(ctx context.Context) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	})
}

func TestTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := begin(t, host.Limits{Wall: 10 * time.Second})
		var none host.Task
		if err := none.Wait(c); err != nil || !none.Ready(c) {
			t.Errorf("the zero Task is not finished: %v", err)
		}
		task := sleep(c, time.Second)
		if task.Ready(c) {
			t.Error("ready before it is done")
		}
		if err := task.Wait(c); err != nil || !task.Ready(c) {
			t.Errorf("not ready after it is done: %v", err)
		}
		stuck := c.Start(func(ctx context.Context) { <-ctx.Done(); time.Sleep(time.Minute) })
		if err := stuck.Wait(c); codeOf(err) != host.CodeTimeout {
			t.Errorf("got %v, want a timeout", err)
		}
		c.End(nil)
		if c.Usage.Wall != 70*time.Second {
			t.Errorf("End returned after %v, want 1m10s: it waits for every task", c.Usage.Wall)
		}
	})
}

func TestTaskCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := begin(t, host.Limits{})
		task := c.Start(func(ctx context.Context) { <-ctx.Done(); time.Sleep(time.Second) })
		time.AfterFunc(time.Second, func() { c.Cancel(errors.New("shutting down")) })
		if err := task.Wait(c); codeOf(err) != host.CodeCanceled {
			t.Errorf("got %v, want canceled", err)
		}
		if _, err := c.WaitAny([]host.Waitable{task}, -1); codeOf(err) != host.CodeCanceled {
			t.Errorf("got %v, want canceled", err)
		}
		c.End(nil)
	})
}

func TestWaitAny(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := begin(t, host.Limits{})
		ws := []host.Waitable{sleep(c, 3*time.Second), sleep(c, time.Second), sleep(c, 2*time.Second), sleep(c, time.Hour)}
		for _, tt := range []struct {
			timeout time.Duration
			want    int
			took    time.Duration
		}{
			{0, -1, 0},
			{time.Second / 2, -1, time.Second / 2},
			{time.Second, 1, time.Second / 2},
			{-1, 1, 0},
		} {
			wantAny(t, c, ws, tt.timeout, tt.want, tt.took)
		}
		ws[1] = ws[3]
		wantAny(t, c, ws, -1, 2, time.Second)
		ws[2] = ws[3]
		wantAny(t, c, ws, time.Minute, 0, time.Second)
		wantAny(t, c, ws[3:], time.Second, -1, time.Second)
		wantAny(t, c, nil, 2*time.Second, -1, 2*time.Second)
		c.End(nil)
	})
}

func wantAny(t *testing.T, c *host.Call, ws []host.Waitable, timeout time.Duration, want int, took time.Duration) {
	t.Helper()
	started := time.Now()
	got, err := c.WaitAny(ws, timeout)
	if got != want || err != nil || time.Since(started) != took {
		t.Errorf("WaitAny(%v) = %d, %v after %v, want %d after %v", timeout, got, err, time.Since(started), want, took)
	}
}

func TestWaitAnyDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := begin(t, host.Limits{Wall: 10 * time.Second})
		ws := []host.Waitable{c.Start(func(context.Context) { time.Sleep(time.Hour) })}
		for _, timeout := range []time.Duration{-1, time.Hour} {
			if i, err := c.WaitAny(ws, timeout); i != -1 || codeOf(err) != host.CodeTimeout {
				t.Errorf("WaitAny(%v) = %d, %v, want a timeout", timeout, i, err)
			}
		}
		c.End(nil)
	})
}

// Many tasks that end while the guest waits wake it each time.
func TestWaitAnyHammer(t *testing.T) {
	c := begin(t, host.Limits{})
	for range 200 {
		var ws []host.Waitable
		var done atomic.Int32
		for range 20 {
			ws = append(ws, c.Start(func(context.Context) { done.Add(1) }))
		}
		for len(ws) > 0 {
			i, err := c.WaitAny(ws, -1)
			if err != nil {
				t.Fatal(err)
			}
			ws = append(ws[:i], ws[i+1:]...)
		}
		if n := done.Load(); n != 20 {
			t.Fatalf("%d tasks are done, want 20", n)
		}
	}
	c.End(nil)
}

// StartInStore lets only a few in, and lets none wait that are canceled.
func TestStartInStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := begin(t, host.Limits{Wall: time.Minute})
		ctx, cancel := context.WithCancel(c.Context())
		var through atomic.Int32
		for range 8 {
			c.StartInStore(ctx, func(ctx context.Context) { <-ctx.Done() })
		}
		last := make([]host.Task, 3)
		for i := range last {
			last[i] = c.StartInStore(c.Context(), func(context.Context) {
				time.Sleep(time.Second)
				through.Add(1)
			})
		}
		given, giveUp := context.WithCancel(c.Context())
		early := c.StartInStore(given, func(ctx context.Context) {
			if ctx.Err() == nil {
				t.Error("it was let in although it was canceled")
			}
		})
		time.Sleep(time.Second)
		giveUp()
		if err := early.Wait(c); err != nil {
			t.Fatal(err)
		}
		if last[0].Ready(c) {
			t.Error("a ninth operation was let in")
		}
		cancel()
		for _, task := range last {
			if err := task.Wait(c); err != nil {
				t.Fatal(err)
			}
		}
		if n := through.Load(); n != 3 {
			t.Errorf("%d operations came through, want 3", n)
		}
		c.End(nil)
		if c.Usage.Wall != 2*time.Second {
			t.Errorf("took %v, want 2s", c.Usage.Wall)
		}
	})
}
