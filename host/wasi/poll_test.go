package wasi_test

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

func le64(v uint64) string { return string(binary.LittleEndian.AppendUint64(nil, v)) }

// clockSub is a subscription to a clock, with its fields as bytes.
func clockSub(userdata uint64, clock uint32, timeout uint64, flags uint16) []any {
	return []any{userdata, uint64(0), uint64(clock), timeout, uint64(0), uint64(flags)}
}

// fdSub is a subscription to a descriptor's readiness.
func fdSub(userdata uint64, event uint8, fd uint32) []any {
	return []any{userdata, uint64(event), uint64(fd), uint64(0), uint64(0), uint64(0)}
}

// event is what the guest gets, as far as fields are not zero.
func event(userdata uint64, errno uint16, kind uint8, bytes, flags uint64) string {
	return le64(userdata) + le64(uint64(errno)|uint64(kind)<<16) + le64(bytes) + le64(flags)
}

// poll subscribes, waits and checks the events.
func (g *guest) poll(subs [][]any, want ...string) {
	g.t.Helper()
	g.Put(1000, slices.Concat(subs...)...)
	g.Put(2000, strings.Repeat("?", 1000))
	g.want(0, "poll_oneoff", 1000, 2000, uint64(len(subs)), 96)
	if n := g.Uint32(96); int(n) != len(want) {
		g.t.Errorf("%d events, want %d", n, len(want))
	}
	g.WantMemory(2000, strings.Join(want, ""))
}

func TestPollClocks(t *testing.T) {
	const ms = uint64(time.Millisecond)
	epoch := uint64(hosttest.Epoch.UnixNano())
	for _, c := range []struct {
		name string
		subs [][]any
		want []string
		wait time.Duration
	}{
		{"relative", [][]any{clockSub(7, 1, 5*ms, 0)}, []string{event(7, 0, 0, 0, 0)}, 5 * time.Millisecond},
		{"relative to the time of day", [][]any{clockSub(7, 0, 5*ms, 0)}, []string{event(7, 0, 0, 0, 0)}, 5 * time.Millisecond},
		{"no time at all", [][]any{clockSub(7, 1, 0, 0)}, []string{event(7, 0, 0, 0, 0)}, 0},
		{"the shorter one", [][]any{clockSub(1, 1, 9*ms, 0), clockSub(2, 1, 2*ms, 0)}, []string{event(2, 0, 0, 0, 0)}, 2 * time.Millisecond},
		{"both", [][]any{clockSub(1, 1, 2*ms, 0), clockSub(2, 0, 2*ms, 0)}, []string{event(1, 0, 0, 0, 0), event(2, 0, 0, 0, 0)}, 2 * time.Millisecond},
		{"absolute", [][]any{clockSub(3, 0, epoch+4*ms, 1)}, []string{event(3, 0, 0, 0, 0)}, 4 * time.Millisecond},
		{"absolute, monotonic", [][]any{clockSub(3, 1, epoch+4*ms, 1)}, []string{event(3, 0, 0, 0, 0)}, 4 * time.Millisecond},
		{"absolute, past", [][]any{clockSub(3, 0, 1, 1)}, []string{event(3, 0, 0, 0, 0)}, 0},
		{"beside a stream", [][]any{clockSub(3, 1, 9*ms, 0), fdSub(4, 2, 1)}, []string{event(4, 0, 2, 65536, 0)}, 0},
		{"expired beside a stream", [][]any{clockSub(3, 1, 0, 0), fdSub(4, 2, 1)}, []string{event(3, 0, 0, 0, 0), event(4, 0, 2, 65536, 0)}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGuest(t, hosttest.Invocation{})
				start := time.Now()
				g.poll(c.subs, c.want...)
				if got := time.Since(start); got != c.wait {
					t.Errorf("waited for %v, want %v", got, c.wait)
				}
				g.End()
			})
		})
	}
}

func TestPollStreams(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{})
	subs := [][]any{fdSub(1, 1, 0), fdSub(2, 2, 0), fdSub(3, 1, 1), fdSub(4, 2, 1), fdSub(5, 2, 2), fdSub(6, 1, 3)}
	g.poll(subs, event(1, 0, 1, 0, 1), event(2, ebadf, 2, 0, 0), event(3, ebadf, 1, 0, 0),
		event(4, 0, 2, 65536, 0), event(5, 0, 2, 65536, 0), event(6, ebadf, 1, 0, 0))
	g.Call.Stdin = strings.NewReader("x")
	g.want(0, "fd_close", 2)
	g.poll([][]any{fdSub(1, 1, 0), fdSub(5, 2, 2)}, event(1, 0, 1, 1, 0), event(5, ebadf, 2, 0, 0))
}

func TestPollInvalid(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{})
	g.want(einval, "poll_oneoff", 1000, 2000, 0, 96)
	g.want(einval, "poll_oneoff", 1000, 2000, 1025, 96)
	g.want(einval, "poll_oneoff", 1000, 2000, 1<<31, 96)
	for name, sub := range map[string][]any{
		"event": fdSub(1, 3, 0), "clock": clockSub(1, 2, 0, 0), "flag": clockSub(1, 1, 0, 2),
	} {
		g.Put(1000, sub...)
		if got := g.do("poll_oneoff", 1000, 2000, 1, 96); got != einval {
			t.Errorf("unknown %s: errno %d, want EINVAL", name, got)
		}
	}
}

// Events may be written over the subscriptions.
func TestPollInPlace(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{})
	g.Put(1000, slices.Concat(fdSub(1, 2, 1), fdSub(2, 2, 2))...)
	g.want(0, "poll_oneoff", 1000, 1000, 2, 96)
	got, _ := g.Memory().Read(1000, 64)
	if want := event(1, 0, 2, 65536, 0) + event(2, 0, 2, 65536, 0); string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A guest that sleeps past its deadline is ended there.
func TestPollEndsInTime(t *testing.T) {
	for _, c := range []struct {
		name   string
		cancel bool
		want   error
		after  time.Duration
	}{
		{"deadline", false, host.ErrWallTime, 2 * time.Second},
		{"canceled", true, context.Canceled, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parent, cancel := context.WithCancel(t.Context())
				defer cancel()
				g := newGuest(t, hosttest.Invocation{Parent: parent, Limits: host.Limits{Wall: 2 * time.Second}})
				if c.cancel {
					time.AfterFunc(time.Second, cancel)
				}
				g.Put(1000, clockSub(1, 1, 1<<63, 0)...)
				start := time.Now()
				_, err := g.Do("poll_oneoff", 1000, 2000, 1, 96)
				if got := time.Since(start); !errors.Is(err, c.want) || got != c.after {
					t.Errorf("got %v after %v, want %v after %v", err, got, c.want, c.after)
				}
				g.End()
			})
		})
	}
}
