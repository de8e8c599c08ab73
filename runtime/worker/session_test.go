//go:build linux

package worker_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/cache"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime/memory"
	"github.com/mayfly-run/mayfly/runtime/worker"
)

// victim is a Call with a KV namespace and a little of everything but time.
func victim(t testing.TB, recorder *hosttest.Recorder) *host.Call {
	t.Helper()
	store := memkv.New(memkv.Config{})
	t.Cleanup(func() { store.Close() })
	c := &host.Call{ID: "victim", Services: hosttest.Services(t), Responder: recorder,
		Bindings: &host.Bindings{Account: "a", Function: "f", KV: map[string]kv.Store{"DATA": store}, Cache: cache.New(cache.Config{}).Of("a")},
		Limits:   host.Limits{KVOperations: 4, Subrequests: 2, OpenConnections: 1, Response: 1 << 10, Log: 64, Held: 1 << 20, Wall: time.Hour}.Or(host.DefaultLimits()),
		Request:  hosttest.Request("POST", "http://test.localhost/", "body")}
	c.Begin(t.Context())
	return c
}

func mustAsk(t *testing.T, r *worker.Rogue, q worker.Question) worker.Reply {
	t.Helper()
	reply, err := r.Ask(q)
	if err != nil {
		t.Errorf("ask %d: %v", q.Op, err)
	}
	return reply
}

// Every question is checked as if a guest had asked it.
func TestRefusedQuestions(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 2<<10)
	tests := []struct {
		name string
		ask  worker.Question
		want host.Code
	}{
		{"another namespace", worker.Question{Op: worker.OpGet, Name: "OTHER", Key: "k"}, host.CodeNotFound},
		{"no key", worker.Question{Op: worker.OpGet, Name: "DATA"}, host.CodeInvalid},
		{"long key", worker.Question{Op: worker.OpGet, Name: "DATA", Key: worker.Text(big)}, host.CodeTooLarge},
		{"key that is no text", worker.Question{Op: worker.OpPut, Name: "DATA", Key: "\xff"}, host.CodeInvalid},
		{"metadata that is no JSON", worker.Question{Op: worker.OpPut, Name: "DATA", Key: "k", Metadata: []byte("{")}, host.CodeInvalid},
		{"long metadata", worker.Question{Op: worker.OpPut, Name: "DATA", Key: "k", Metadata: big}, host.CodeTooLarge},
		{"expired", worker.Question{Op: worker.OpPut, Name: "DATA", Key: "k", Expires: 1}, host.CodeInvalid},
		{"expires never", worker.Question{Op: worker.OpPut, Name: "DATA", Key: "k", Expires: 1 << 62}, host.CodeInvalid},
		{"delete without key", worker.Question{Op: worker.OpDelete, Name: "DATA", Key: ".."}, host.CodeInvalid},
		{"long listing", worker.Question{Op: worker.OpList, Name: "DATA", N: 1001}, host.CodeInvalid},
		{"empty listing", worker.Question{Op: worker.OpList, Name: "DATA", N: -1}, host.CodeInvalid},
		{"malformed cursor", worker.Question{Op: worker.OpList, Name: "DATA", N: 1, Cursor: "?"}, host.CodeInvalid},
		{"fetch with two header lines", worker.Question{Op: worker.OpFetch, Name: "GET", URL: "http://x/", Headers: []byte("a\x00b\r\nc: d\x00")}, host.CodeInvalid},
		{"fetch without value", worker.Question{Op: worker.OpFetch, Name: "GET", URL: "http://x/", Headers: []byte("a\x00")}, host.CodeInvalid},
		{"fetch with a long method", worker.Question{Op: worker.OpFetch, Name: worker.Text(big), URL: "http://x/"}, host.CodeInvalid},
		{"fetch of nothing", worker.Question{Op: worker.OpFetch, Name: "GET", URL: "http://x/"}, host.CodeUnavailable},
		{"body of nothing", worker.Question{Op: worker.OpRead, Body: 77}, host.CodeHandle},
		{"write to the request", worker.Question{Op: worker.OpWrite, Body: worker.BodyRequest, Data: big}, host.CodeHandle},
		{"write before the stream", worker.Question{Op: worker.OpWrite, Body: worker.BodyResponse, Data: big}, host.CodeHandle},
		{"status 99", worker.Question{Op: worker.OpStream, Status: 99}, host.CodeInvalid},
		{"status 600", worker.Question{Op: worker.OpDetach, Status: 600}, host.CodeInvalid},
		{"split answer", worker.Question{Op: worker.OpStream, Status: 200, Headers: []byte("a\x00b\r\n\r\nc\x00")}, host.CodeInvalid},
		{"long answer", worker.Question{Op: worker.OpDetach, Status: 200, Data: big}, host.CodeTooLarge},
		{"long key of a cache", worker.Question{Op: worker.OpCacheDelete, Key: worker.Text(bytes.Repeat(big, 9))}, host.CodeInvalid},
		{"cached with a split head", worker.Question{Op: worker.OpCachePut, Key: "k", Status: 200, Headers: []byte("a\x00b\r\n\r\nc\x00")}, host.CodeInvalid},
		{"cached with status 99", worker.Question{Op: worker.OpCachePut, Key: "k", Status: 99}, host.CodeInvalid},
		{"match with half a header", worker.Question{Op: worker.OpCacheMatch, Key: "k", Headers: []byte("a\x00")}, host.CodeInvalid},
		{"no memory", worker.Question{Op: worker.OpTake, N: 1 << 40}, host.CodeLimit},
		{"negative memory", worker.Question{Op: worker.OpTake, N: -1 << 40}, host.CodeLimit},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var recorder hosttest.Recorder
			c := victim(t, &recorder)
			budget := memory.NewBudget(1<<30, nil)
			c.Memory = budget
			worker.Session(c, func(r *worker.Rogue) {
				tt.ask.ID = worker.FirstAsk
				if got := mustAsk(t, r, tt.ask); got.Code != tt.want {
					t.Errorf("code %v, %q; want %v", got.Code, got.Msg, tt.want)
				}
			})
			if recorder.Answers != 0 || budget.Used() != 0 {
				t.Errorf("%d answers, %d bytes taken", recorder.Answers, budget.Used())
			}
		})
	}
}

// Limits count here, whatever a worker says it has used.
func TestLimitsOfQuestions(t *testing.T) {
	var fetched atomic.Int32
	log := new(hosttest.Log)
	c := victim(t, new(hosttest.Recorder))
	c.Services.Log = log
	c.Services.Fetcher = hosttest.Fetcher(func(context.Context, *host.FetchRequest) (*host.FetchResponse, error) {
		fetched.Add(1)
		return &host.FetchResponse{Status: 200, Body: io.NopCloser(strings.NewReader("fetched"))}, nil
	})
	_, _, _ = worker.Session(c, func(r *worker.Rogue) {
		id := uint64(worker.FirstAsk)
		count := func(q worker.Question) (done int) {
			for range 20 {
				q.ID = id
				id++
				if mustAsk(t, r, q).Code == 0 {
					done++
				}
				if q.Op == worker.OpFetch {
					r.Send(worker.KindAsk, &worker.Question{Op: worker.OpClose, Body: q.ID}) //nolint:errcheck // the next one would fail
				}
			}
			return done
		}
		if n := count(worker.Question{Op: worker.OpPut, Name: "DATA", Key: "k"}); n != c.Limits.KVOperations {
			t.Errorf("%d operations of KV, want %d", n, c.Limits.KVOperations)
		}
		if n := count(worker.Question{Op: worker.OpFetch, Name: "GET", URL: "http://x/"}); n != c.Limits.Subrequests {
			t.Errorf("%d outbound requests, want %d", n, c.Limits.Subrequests)
		}
		for range 20 {
			r.Send(worker.KindAsk, &worker.Question{Op: worker.OpLog, Data: []byte("0123456789abcdef")}) //nolint:errcheck // entries are counted
		}
		mustAsk(t, r, worker.Question{ID: id, Op: worker.OpRead, Body: worker.BodyRequest, N: 1})
	})
	if n := len(log.Entries()); n != 4 {
		t.Errorf("%d entries of 16 bytes were logged, want 4", n)
	}
	if n := fetched.Load(); int(n) != c.Limits.Subrequests {
		t.Errorf("%d requests went out", n)
	}
}

// What no worker of ours says ends the worker, and the request with a fault.
func TestRogues(t *testing.T) {
	tests := []struct {
		name   string
		do     func(t *testing.T, r *worker.Rogue)
		killed bool
		want   host.Outcome
	}{
		{"nothing", func(*testing.T, *worker.Rogue) {}, false, host.OutcomeInternalError},
		{"unknown frame", func(_ *testing.T, r *worker.Rogue) { r.Raw([]byte{0, 0, 0, 1, 99, 0}) }, true, host.OutcomeInternalError},
		{"endless frame", func(_ *testing.T, r *worker.Rogue) { r.Raw([]byte{255, 255, 255, 255, 7}) }, false, host.OutcomeInternalError},
		{"half a frame", func(_ *testing.T, r *worker.Rogue) { r.Raw([]byte{0, 0, 1}) }, false, host.OutcomeInternalError},
		{"not CBOR", func(_ *testing.T, r *worker.Rogue) { r.Raw([]byte{0, 0, 0, 2, byte(worker.KindAsk), 255, 255}) }, true, host.OutcomeInternalError},
		{"unknown question", func(_ *testing.T, r *worker.Rogue) { r.Send(worker.KindAsk, &worker.Question{ID: 20, Op: 99}) }, true, host.OutcomeInternalError},
		{"one question twice", func(t *testing.T, r *worker.Rogue) {
			q := &worker.Question{ID: 20, Op: worker.OpFetch, Name: "GET", URL: "http://x/", Streamed: true}
			r.Send(worker.KindAsk, q)
			r.Send(worker.KindAsk, q)
		}, true, host.OutcomeInternalError},
		{"a number of the node's", func(_ *testing.T, r *worker.Rogue) {
			r.Send(worker.KindAsk, &worker.Question{ID: worker.BodyResponse, Op: worker.OpGet, Name: "DATA", Key: "k"})
		}, true, host.OutcomeInternalError},
		{"no answer", func(_ *testing.T, r *worker.Rogue) { r.Send(worker.KindEnd, &worker.End{}) }, false, host.OutcomeException},
		{"unknown outcome", func(_ *testing.T, r *worker.Rogue) { r.Send(worker.KindEnd, &worker.End{Outcome: 200}) }, false, host.OutcomeInternalError},
		{"status 7", func(_ *testing.T, r *worker.Rogue) {
			r.Send(worker.KindEnd, &worker.End{Answer: &worker.Answer{Status: 7}})
		}, false, host.OutcomeException},
		{"two answers", func(t *testing.T, r *worker.Rogue) {
			mustAsk(t, r, worker.Question{ID: 20, Op: worker.OpStream, Status: 200})
			r.Send(worker.KindEnd, &worker.End{Answer: &worker.Answer{Status: 200}})
		}, false, host.OutcomeException},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var recorder hosttest.Recorder
			c := victim(t, &recorder)
			budget := memory.NewBudget(1<<30, nil)
			c.Memory = budget
			// Where it waits for something, that ends with the session.
			c.Services.Fetcher = hosttest.Fetcher(func(ctx context.Context, _ *host.FetchRequest) (*host.FetchResponse, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			})
			outcome, err, r := worker.Session(c, func(r *worker.Rogue) { tt.do(t, r) })
			if outcome != tt.want || err == nil || (len(r.Killed) > 0) != tt.killed {
				t.Errorf("%v, %v, killed for %q; want %v, killed %v", outcome, err, r.Killed, tt.want, tt.killed)
			}
			if recorder.Answers > 1 || recorder.Streamed && !recorder.Closed || budget.Used() != 0 {
				t.Errorf("left: %d answers, a stream that is closed %v, %d bytes", recorder.Answers, recorder.Closed, budget.Used())
			}
		})
	}
}

// gone is a client that has left.
type gone struct{}

func (gone) Gone() bool { return true }

// A worker is told once that nobody waits any more, and ended a while after the
// deadline if it does not listen.
func TestSilence(t *testing.T) {
	c := victim(t, new(hosttest.Recorder))
	c.Client = gone{}
	warnings := 0
	outcome, err, r := worker.PatientSession(c, 50*time.Millisecond, func(r *worker.Rogue) {
		for {
			if _, err := r.Next(); err != nil {
				return
			}
			warnings++
			c.Extend(0) // now is the deadline
		}
	})
	if warnings != 1 || outcome != host.OutcomeInternalError || len(r.Killed) == 0 || !strings.Contains(r.Killed[0], "deadline") {
		t.Errorf("%d warnings, %v, %v, killed for %q", warnings, outcome, err, r.Killed)
	}
}

// One that listens when it is told that the Invocation is over goes on.
func TestCancelled(t *testing.T) {
	c := victim(t, new(hosttest.Recorder))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	c.Begin(over)
	outcome, err, r := worker.Session(c, func(r *worker.Rogue) {
		if _, err := r.Next(); err != nil {
			t.Errorf("it was not told: %v", err)
		}
		r.Send(worker.KindEnd, &worker.End{Outcome: host.OutcomeCanceled}) //nolint:errcheck // the outcome tells
	})
	if outcome != host.OutcomeCanceled || len(r.Killed) > 0 {
		t.Errorf("%v, %v, killed for %q", outcome, err, r.Killed)
	}
}

// A worker that always has something more to say is ended after the deadline as well.
func TestTalkative(t *testing.T) {
	c := victim(t, new(hosttest.Recorder))
	said := make(chan struct{})
	c.Services.Log = logSink(func() {
		<-said
		c.Extend(-time.Hour)
	})
	outcome, err, r := worker.Session(c, func(r *worker.Rogue) {
		r.Send(worker.KindAsk, &worker.Question{ID: 20, Op: worker.OpLog, Data: []byte("wait")})
		r.Send(worker.KindEnd, &worker.End{Answer: &worker.Answer{Status: 200}})
		close(said)
	})
	if outcome != host.OutcomeInternalError || len(r.Killed) == 0 || !strings.Contains(r.Killed[0], "deadline") {
		t.Errorf("%v, %v, killed for %q", outcome, err, r.Killed)
	}
}

// logSink is called for each text.
type logSink func()

func (s logSink) GuestLog(*host.Call, host.LogLevel, []byte) { s() }

// Whatever comes from a worker, the node goes on.
func FuzzSession(f *testing.F) {
	frame := func(k byte, b ...byte) []byte { return append([]byte{0, 0, 0, byte(len(b)), k}, b...) }
	f.Add(frame(byte(worker.KindAsk), 0xa2, 1, 16, 2, 9))
	f.Add(frame(byte(worker.KindEnd), 0x80))
	f.Add(frame(byte(worker.KindEnd), 0x87, 0, 0, 0x40, 0xf6, 0xf6, 0, 0xf6))
	f.Add(append(frame(byte(worker.KindAsk), 0xa4, 1, 16, 2, 3, 12, 0x18, 200, 7, 0x41, 65), frame(byte(worker.KindDrop), 0x81, 16)...))
	f.Add([]byte{255, 255, 255, 255, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var recorder hosttest.Recorder
		c := victim(t, &recorder)
		budget := memory.NewBudget(1<<30, nil)
		c.Memory = budget
		_, _, _ = worker.Session(c, func(r *worker.Rogue) { r.Raw(b) })
		if recorder.Answers > 1 || budget.Used() != 0 {
			t.Errorf("%d answers, %d bytes are left", recorder.Answers, budget.Used())
		}
	})
}
