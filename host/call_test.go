package host_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

// begin begins an Invocation that is ended when the test is over, and has an hour unless
// limits say otherwise.
func begin(t testing.TB, limits host.Limits) *host.Call {
	c := &host.Call{Services: hosttest.Services(t), Bindings: &host.Bindings{}, Limits: limits.Or(host.Limits{Wall: time.Hour}).Or(host.DefaultLimits())}
	c.Begin(t.Context())
	return c
}

func TestLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := begin(t, host.Limits{Wall: 10 * time.Second})
		if deadline, ok := c.Deadline(); !ok || !deadline.Equal(time.Now().Add(10*time.Second)) {
			t.Errorf("deadline %v, want in 10s", deadline)
		}
		time.Sleep(9 * time.Second)
		c.Extend(5 * time.Second)
		if left := c.TimeLeft(); left != 5*time.Second {
			t.Errorf("%v left, want 5s", left)
		}
		if err := c.Err(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second) // beyond the first deadline
		c.Extend(2 * time.Second)   // now that the context exists
		started := time.Now()
		<-c.Done()
		if took := time.Since(started); took != 2*time.Second {
			t.Errorf("ended after %v, want 2s", took)
		}
		wantEnded(t, c, host.ErrWallTime, context.DeadlineExceeded)
		c.Extend(time.Hour)
		if left := c.TimeLeft(); left > 0 {
			t.Errorf("%v left after the end", left)
		}
		wantEnded(t, c, host.ErrWallTime, context.DeadlineExceeded)
		c.End(nil)
		if c.Usage.Wall != 14*time.Second {
			t.Errorf("wall time %v, want 14s", c.Usage.Wall)
		}
	})
}

func wantEnded(t *testing.T, c *host.Call, cause, err error) {
	t.Helper()
	for _, ctx := range []context.Context{c, c.EngineContext()} {
		if !errors.Is(ctx.Err(), err) {
			t.Errorf("ended with %v, want %v", ctx.Err(), err)
		}
	}
	if got := context.Cause(c.Context()); got != cause {
		t.Errorf("ended because of %v, want %v", got, cause)
	}
}

func TestCancel(t *testing.T) {
	reason := errors.New("shutting down")
	for _, early := range []bool{false, true} {
		c := begin(t, host.Limits{})
		if !early {
			c.Done() // makes the context
		}
		c.Cancel(reason)
		c.Cancel(errors.New("too late"))
		<-c.Done()
		wantEnded(t, c, reason, context.Canceled)
		c.End(nil)
		wantEnded(t, c, reason, context.Canceled)
	}
}

func TestParentEnds(t *testing.T) {
	parent, cancel := context.WithCancelCause(t.Context())
	c := &host.Call{Limits: host.DefaultLimits()}
	c.Begin(parent)
	reason := errors.New("node closes")
	cancel(reason)
	<-c.Done()
	wantEnded(t, c, reason, context.Canceled)
	c.End(nil)
}

// The timer of an Invocation that has ended is gone, whenever it is asked for
// its context: nothing may be left for the bubble to wait for.
func TestNoTimerAfterEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		c := begin(t, host.Limits{Wall: time.Hour})
		c.End(nil)
		<-c.Done()
		c.Extend(time.Hour)
		wantEnded(t, c, host.ErrEnded, context.Canceled)
		if time.Since(started) != 0 {
			t.Error("time has passed")
		}
	})
}

func TestContextValue(t *testing.T) {
	type key struct{}
	c := &host.Call{Limits: host.DefaultLimits()}
	c.Begin(context.WithValue(t.Context(), key{}, "value"))
	derived, cancel := context.WithCancel(c.EngineContext())
	defer cancel()
	for _, ctx := range []context.Context{c, c.EngineContext(), derived, context.WithValue(c, "other", 1)} {
		if got := host.CallFrom(ctx); got != c {
			t.Errorf("CallFrom gave %p, want %p", got, c)
		}
		if got := ctx.Value(key{}); got != "value" {
			t.Errorf("got %v from the parent", got)
		}
	}
	if got := host.CallFrom(t.Context()); got != nil {
		t.Errorf("CallFrom gave %v, want none", got)
	}
	c.End(nil)
}

// An engine that looks at its context late sees the end of its own Invocation,
// not the life of the next one.
func TestEngineContextAfterReset(t *testing.T) {
	c := begin(t, host.Limits{})
	late, context1 := c.EngineContext(), c.Context()
	c.End(nil)
	c.Reset()
	c.Limits = host.DefaultLimits()
	c.Begin(t.Context())
	if late.Err() == nil || context1.Err() == nil {
		t.Error("the context of the first Invocation lives again")
	}
	if err := c.Err(); err != nil {
		t.Errorf("the second Invocation has ended: %v", err)
	}
	c.End(nil)
}

func TestReset(t *testing.T) {
	c := begin(t, host.Limits{Log: 1, Held: 10})
	c.Log(host.LogInfo, []byte("xx"))
	c.Fail(io.ErrUnexpectedEOF)
	c.Responded, c.Detached, c.BodyTaken = true, true, true
	if err := c.Hold(10); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Handles.Add("text"); err != nil {
		t.Fatal(err)
	}
	c.End(nil)
	c.Reset()
	if c.Usage != (host.Usage{}) || c.Responded || c.Detached || c.BodyTaken || c.LastError != nil || c.Handles.Open() != 0 {
		t.Errorf("after Reset: %+v", c.Usage)
	}
	c.Limits.Held = 10
	if err := c.Hold(10); err != nil {
		t.Errorf("held by the Invocation before: %v", err)
	}
}

func TestHold(t *testing.T) {
	c := begin(t, host.Limits{Held: 10})
	for _, tt := range []struct {
		n    int
		want host.Code
	}{{0, 0}, {11, host.CodeLimit}, {4, 0}, {7, host.CodeLimit}, {6, 0}, {0, 0}, {1, host.CodeLimit}} {
		if err := c.Hold(tt.n); codeOf(err) != tt.want {
			t.Errorf("Hold(%d) = %v, want code %v", tt.n, err, tt.want)
		}
	}
	c.Release(6)
	if err := c.Hold(6); err != nil {
		t.Error(err)
	}
	c.End(nil)
}

func TestLogLimit(t *testing.T) {
	c := begin(t, host.Limits{Log: 5})
	for _, tt := range []struct {
		text string
		want bool
	}{{"", true}, {"abc", true}, {"abc", false}, {"ab", true}, {"a", false}, {"", true}} {
		if got := c.Log(host.LogInfo, []byte(tt.text)); got != tt.want {
			t.Errorf("Log(%q) = %v, want %v", tt.text, got, tt.want)
		}
	}
	if c.Usage.LogBytes != 5 || c.Usage.LogDropped != 2 {
		t.Errorf("usage %+v", c.Usage)
	}
	c.End(nil)
}

// The end of what a guest logged is kept.
func TestSaid(t *testing.T) {
	c := begin(t, host.Limits{Log: 1 << 20})
	for _, tt := range []struct{ text, want string }{
		{"one", "one\n"}, {"two", "one\ntwo\n"},
		{strings.Repeat("x", 2042), "\ntwo\n" + strings.Repeat("x", 2042) + "\n"},
		{strings.Repeat("y", 5000), strings.Repeat("y", 2047) + "\n"}, {"", strings.Repeat("y", 2046) + "\n\n"},
	} {
		c.Log(host.LogInfo, []byte(tt.text))
		if string(c.Said) != tt.want {
			t.Errorf("after %.10q: got %d bytes %.20q, want %d bytes %.20q", tt.text, len(c.Said), c.Said, len(tt.want), tt.want)
		}
	}
	c.End(nil)
	if c.Reset(); len(c.Said) != 0 {
		t.Errorf("after Reset: %q", c.Said)
	}
}

// watcher notes what it is told.
type watcher struct {
	mu  sync.Mutex // guards all
	all []string
}

func (w *watcher) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, fmt.Sprintf(format, args...))
}

func (w *watcher) GuestLog(_ host.LogLevel, text []byte) { w.note("log %s", text) }

func (w *watcher) Operation(op host.Operation) func(int, error) {
	w.note("begin %s %s", op.Kind, op.Fetch.URL)
	op.Fetch.TraceParent = "changed"
	return func(status int, err error) { w.note("end %d %v", status, err) }
}

func TestWatcher(t *testing.T) {
	c, w := begin(t, host.Limits{}), &watcher{}
	c.Watch(host.Operation{})(0, nil) // to nobody
	c.Watcher = w
	c.Services.Fetcher = hosttest.Fetcher(func(_ context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
		if req.TraceParent != "changed" {
			t.Errorf("traceparent %q", req.TraceParent)
		}
		if req.URL == "b" {
			return nil, host.Errorf(host.CodeTimeout, "too slow")
		}
		return &host.FetchResponse{Status: 204, Body: io.NopCloser(strings.NewReader(""))}, nil
	})
	c.Log(host.LogInfo, []byte("x"))
	for _, url := range []string{"a", "b"} {
		e, err := c.Fetch(&host.FetchRequest{Method: "GET", URL: url}, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		e.Response(c) //nolint:errcheck // the Watcher has it
		e.Close()
	}
	c.End(nil)
	want := []string{"log x", "begin fetch a", "end 204 <nil>", "begin fetch b", "end 0 too slow"}
	if !slices.Equal(w.all, want) {
		t.Errorf("got %q, want %q", w.all, want)
	}
	if c.Reset(); c.Watcher != nil {
		t.Error("it watches the next one as well")
	}
}

// A fetch belongs to the trace of the request, unless the guest says otherwise.
func TestTraceIsPassedOn(t *testing.T) {
	const sent, own = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	tests := []struct{ name, request, guest, parent, state string }{
		{"no trace", "", "", "", ""},
		{"passed on", "traceparent\x00" + sent + "\x00tracestate\x00a=1\x00tracestate\x00b=2\x00", "", sent, "a=1, b=2"},
		{"the guest copied it", "traceparent\x00" + sent + "\x00", "Traceparent\x00" + sent + "\x00", sent, ""},
		{"the guest has its own", "traceparent\x00" + sent + "\x00", "traceparent\x00" + own + "\x00", "own", ""},
		{"malformed", "traceparent\x0000-0-0-01\x00tracestate\x00a=1\x00", "", "", ""},
		{"no id", "traceparent\x0000-00000000000000000000000000000000-00f067aa0ba902b7-01\x00", "", "", ""},
		{"capitals", "traceparent\x00" + strings.ToUpper(sent) + "\x00", "", "", ""},
		{"long state", "traceparent\x00" + sent + "\x00tracestate\x00a=" + strings.Repeat("x", 511) + "\x00", "", sent, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := begin(t, host.Limits{})
			c.Request.Headers = host.Headers(tt.request)
			var got host.FetchRequest
			c.Services.Fetcher = hosttest.Fetcher(func(_ context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
				got = *req
				return nil, host.Errorf(host.CodeTimeout, "too slow")
			})
			e, err := c.Fetch(&host.FetchRequest{Headers: host.Headers(tt.guest)}, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			e.Response(c) //nolint:errcheck // it is the request that counts
			c.End(nil)
			if got.OwnTrace {
				got.TraceParent += "own"
			}
			if got.TraceParent != tt.parent || got.TraceState != tt.state {
				t.Errorf("got %q, %q; want %q, %q", got.TraceParent, got.TraceState, tt.parent, tt.state)
			}
		})
	}
}

// The guest is told no more than that there was a fault; the node's log has it.
func TestFail(t *testing.T) {
	var log strings.Builder
	c := begin(t, host.Limits{})
	c.ID = "id-1"
	c.Services.Logger = slog.New(slog.NewTextHandler(&log, nil))
	if code := c.Fail(errors.New("disk on fire")); code != host.CodeInternal || strings.Contains(c.LastError.Msg, "fire") {
		t.Errorf("got %v, %q", code, c.LastError.Msg)
	}
	if !strings.Contains(log.String(), "disk on fire") || !strings.Contains(log.String(), "id-1") {
		t.Errorf("log %q", log.String())
	}
	if code := c.Fail(host.Errorf(host.CodeDenied, "not there")); code != host.CodeDenied || c.LastError.Msg != "not there" {
		t.Errorf("got %v, %q", code, c.LastError.Msg)
	}
	if strings.Contains(log.String(), "not there") {
		t.Errorf("what is the guest's own matter is in the log: %q", log.String())
	}
	c.End(nil)
}
