package native_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/kv"
)

// texts are what a guest of FuzzGuest finds at the beginning of its memory.
var texts = []string{"STORE", "GET", "http://example.com/", "a\x00b\x00", "key", `{"a":1}`, "NAME", "value", "c\x00d", "SLOW", "AUTH", "JOBS", "\x01\x00\x00\x00\x02\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xffhi"}

// FuzzGuest lets a guest call any functions with any arguments. Nothing panics
// but to trap the guest, nothing goes on when the Invocation's time is over, no
// limit is passed and nothing is left behind.
func FuzzGuest(f *testing.F) {
	funcs := own().Funcs
	number := make(map[string]byte)
	for i, fn := range funcs {
		number[fn.Name] = byte(i)
	}
	for _, calls := range [][]any{
		{"request_body", "wait", 100, 0, 0, "body_read", 1, 60, 9, "body_read", 1, 60, 9, "close", 1, "request_header", 27, 1, 60, 9},
		{"kv_open", 0, 5, "kv_put", 1, 31, 3, 45, 5, 34, 7, 0, 0, 0, "kv_get", 1, 31, 3, "kv_value", 3, 60, 9,
			"kv_list", 1, 0, 0, 0, 0, 9, "kv_page", 4, 60, 90, "kv_cursor", 4, 60, 9, "kv_delete", 1, 31, 3, 0, 2},
		{"kv_open", 53, 4, "kv_get", 1, 31, 3, "kv_get", 1, 31, 3, "close", 2, "kv_metadata", 3, 60, 9, "kv_expires", 3, "kv_revision", 3},
		{"fetch_send", 5, 3, 8, 19, 27, 4, 45, 5, "fetch_stream", 5, 3, 8, 9, 27, 4, "fetch_request_body", 2, "body_write", 3, 0, 9,
			"fetch_status", 1, "fetch_headers", 1, 60, 9, "fetch_body", 1, "close", 1, "body_read", 4, 60, 9, "close", 4},
		{"respond", 136 - 128, 0, 0, 0, 0, "respond", 134, 27, 4, 0, 9, "wait_until", "wait", 0, 0, 132, "wait_until", "time_left"},
		{"respond_stream", 134, 27, 4, "body_write", 1, 0, 9, "wait_until", "close", 1, "random", 60, 9, "log", 1, 0, 5,
			"env_get", 41, 4, 60, 9, "env_names", 60, 9, "last_error", 60, 90, "clock"},
		{"fetcher_open", 57, 4, "fetcher_send", 1, 5, 3, 8, 19, 27, 4, 45, 5, "fetcher_stream", 1, 5, 3, 8, 9, 27, 4, "fetch_request_body", 3,
			"body_write", 4, 0, 9, "fetch_status", 2, "fetch_body", 2, "body_read", 5, 60, 9, "fetcher_send", 2, 5, 3, 8, 19, 27, 4, 45, 5},
		{"queue_open", 61, 4, "queue_send", 1, 65, 18, "queue_status", 2, "queue_backlog", 1, "queue_messages", 3, "queue_bytes", 3, "queue_oldest", 3},
		{"batch_head", 60, 120, "batch_body", 0, 60, 9, "batch_ack", 0, "batch_retry", 1, 5, "batch_retry", 1, 132, "batch_ack_all", "batch_retry_all", 7, "event_fail", 0, 5, "handles", 15},
		{"change_head", 60, 120, "change_value", 60, 9, "batch_body", 9, 0, 0},
	} {
		var program []byte
		for _, c := range calls {
			switch c := c.(type) {
			case string:
				program = append(program, number[c])
			case int:
				program = append(program, byte(c))
			}
		}
		f.Add(program)
	}
	self := new(abi.Guest)
	p := hosttest.NewPlayer(f, hosttest.Invocation{}, own(), capturing(self))
	if _, err := p.Try("capture"); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		p.Memory().Write(0, make([]byte, page))
		p.Memory().WriteString(0, strings.Join(texts, "")) // whatever pieces of it arguments find
		p.Memory().Write(1024, program)
		synctest.Test(t, func(t *testing.T) { play(t, *self, funcs, program) })
	})
}

func play(t *testing.T, g abi.Guest, funcs []abi.Func, program []byte) {
	const wall, after = time.Second, 2 * time.Second
	limits := host.Limits{Wall: wall, AfterResponse: after, Response: 100, Subrequests: 6, OpenConnections: 2, KVOperations: 20, Log: 100, Held: 1000}
	u := new(slowUpstream)
	recorder := new(hosttest.Recorder)
	g.Call = &host.Call{
		Services: hosttest.Services(t), Bindings: everything(t).Bindings, Limits: limits.Or(host.DefaultLimits()),
		Request: host.Request{Method: []byte("GET"), URL: []byte("http://localhost/"), Body: &slowBody{}}, Responder: recorder,
	}
	g.Queue, g.Change = eventful(t).Queue, eventful(t).Change
	g.Services.Fetcher, g.Services.Logger = u, slog.New(slog.DiscardHandler)
	g.Bindings.Fetchers["AUTH"] = u
	g.Bindings.KV["SLOW"] = slowStore{g.Bindings.KV["STORE"]}
	g.Begin(context.Background())
	started := time.Now()
	for calls := 0; len(program) > 0 && g.Err() == nil && calls < 200; calls++ {
		fn := funcs[int(program[0])%len(funcs)]
		var args abi.Args
		if args, program = arguments(program[1:], len(fn.Params)); !survives(fn, g, args) {
			break
		}
	}
	g.End(nil)
	if took := time.Since(started); took > wall+after+slowRead {
		t.Errorf("took %v with %v to live", took, wall+after)
	}
	usage := g.Usage
	if _, most := u.counts(); most > 2 || usage.Subrequests > 6 || usage.KVOperations > 20 || usage.LogBytes > 100 || recorder.Answers > 1 {
		t.Errorf("a limit was passed: %d connections, %d answers, %+v", most, recorder.Answers, usage)
	}
	if open, _ := u.counts(); open != 0 || g.Handles.Open() != 0 {
		t.Errorf("%d connections and %d handles are open", open, g.Handles.Open())
	}
	if err := g.Hold(int(limits.Held)); err != nil {
		t.Errorf("something is still held: %v", err)
	}
}

// survives reports whether the guest was not trapped.
func survives(fn abi.Func, g abi.Guest, args abi.Args) (alive bool) {
	defer func() {
		if v := recover(); v != nil {
			if _, fault := v.(abi.Fault); !fault {
				panic(v)
			}
			alive = true // what a trap leaves is to be sound as well
		}
	}()
	stack := make(abi.Args, max(len(args), 1))
	copy(stack, args)
	fn.Do(g, stack)
	return true
}

// arguments reads n parameters. Small bytes stand for themselves, so that
// handles, lengths and texts are often valid.
func arguments(program []byte, n int) (abi.Args, []byte) {
	special := []uint64{page - 1, page, 1<<32 - 1, 1 << 31, 1<<64 - 1, 1 << 63, 200, 1024, 10_000_000, 1_000_000_000, 0xffffffff_00000001}
	args := make(abi.Args, n)
	for i := range args {
		if len(program) == 0 {
			break
		}
		b := program[0]
		program = program[1:]
		switch {
		case b < 128:
			args[i] = uint64(b)
		case int(b-128) < len(special):
			args[i] = special[b-128]
		case len(program) > 1:
			args[i] = uint64(program[0]) | uint64(program[1])<<8
			program = program[2:]
		}
	}
	return args, program
}

// slowRead is how long a slowBody takes to say something.
const slowRead = 300 * time.Millisecond

// slowBody gives five bytes, one by one.
type slowBody struct{ n int }

func (b *slowBody) Read(p []byte) (int, error) {
	time.Sleep(slowRead)
	if b.n++; b.n > 5 {
		return 0, io.EOF
	}
	return copy(p, "x"), nil
}

func (b *slowBody) Close() error { return nil }

// slowUpstream reads a part of what it is sent and answers after a while.
type slowUpstream struct{ upstream }

func (u *slowUpstream) Fetch(ctx context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
	u.count(1)
	if req.Body != nil {
		io.CopyN(io.Discard, req.Body, 3)
	}
	select {
	case <-time.After(time.Duration(len(req.URL)) * 10 * time.Millisecond):
		return response(200, &upstreamBody{&slowBody{}, &u.upstream}), nil
	case <-ctx.Done():
		u.count(-1)
		return nil, ctx.Err()
	}
}

// slowStore takes its time to read.
type slowStore struct{ kv.Store }

func (s slowStore) Get(ctx context.Context, key string) (kv.Entry, error) {
	select {
	case <-time.After(100 * time.Millisecond):
	case <-ctx.Done():
	}
	return s.Store.Get(ctx, key)
}
