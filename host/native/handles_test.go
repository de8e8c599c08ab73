package native_test

import (
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

// Each function that takes a handle wants one of its own kinds.
func TestBadHandle(t *testing.T) {
	g := newGuest(t, everything(t))
	ns := g.Must("kv_open", g.puts("STORE")...)
	kvOp := g.Must("kv_get", with(ns, g.puts("key"))...)
	fetchOp := g.Must("fetch_stream", g.puts("PUT", "http://example.com/", "")...)
	upload := g.Must("fetch_request_body", fetchOp)
	body := g.Must("request_body")
	closed := g.Must("kv_open", g.puts("STORE")...)
	g.Want(0, "close", closed)
	g.Want(badHandle, "close", closed)

	kinds := map[string]int64{"namespace": ns, "KV operation": kvOp, "fetch operation": fetchOp,
		"body to write": upload, "body to read": body}
	none := map[string]int64{"zero": 0, "closed": closed, "never given": closed + 1, "beyond": 4097, "last": -1, "smallest": -1 << 31}
	g.Put(512, "k")
	for name, tt := range map[string]struct {
		kind string
		rest []int64
	}{
		"body_read":          {"body to read", with(1024, 8)},
		"body_write":         {"body to write", with(1024, 8)},
		"fetch_status":       {"fetch operation", nil},
		"fetch_headers":      {"fetch operation", with(1024, 8)},
		"fetch_body":         {"fetch operation", nil},
		"fetch_request_body": {"fetch operation", nil},
		"kv_strong":          {"namespace", nil},
		"kv_get":             {"namespace", with(512, 1)},
		"kv_put":             {"namespace", with(512, 1, 0, 0, 0, 0, 0, 0, 0)},
		"kv_delete":          {"namespace", with(512, 1, 0, 0)},
		"kv_list":            {"namespace", with(0, 0, 0, 0, 1)},
		"kv_status":          {"KV operation", nil},
		"kv_value":           {"KV operation", with(1024, 8)},
		"kv_metadata":        {"KV operation", with(1024, 8)},
		"kv_revision":        {"KV operation", nil},
		"kv_expires":         {"KV operation", nil},
		"kv_page":            {"KV operation", with(1024, 8)},
		"kv_cursor":          {"KV operation", with(1024, 8)},
	} {
		for kind, h := range kinds {
			if kind != tt.kind {
				g.Want(badHandle, name, with(h, tt.rest)...)
			}
		}
		for _, h := range none {
			g.Want(badHandle, name, with(h, tt.rest)...)
		}
	}
	for _, h := range none {
		g.Want(badHandle, "close", h)
	}
	g.WantMemory(1024, "????????")
	for _, h := range []int64{ns, upload, 0, closed} {
		g.Put(512, uint32(body), uint32(h))
		g.Want(badHandle, "wait", 512, 2, 0)
	}
	wantError(t, g, "not an open handle")
}

func TestCloseTwice(t *testing.T) {
	g := newGuest(t, everything(t))
	ns := g.Must("kv_open", g.puts("STORE")...)
	fetchOp := g.Must("fetch_stream", g.puts("PUT", "http://example.com/", "")...)
	handles := []int64{ns, fetchOp, g.Must("fetch_request_body", fetchOp), g.Must("request_body"),
		g.Must("kv_get", with(ns, g.puts("key"))...), g.Must("respond_stream", 200, 0, 0)}
	for _, h := range handles {
		g.Want(0, "close", h)
		g.Want(badHandle, "close", h)
	}
	if open := g.Call.Handles.Open(); open != 0 {
		t.Errorf("%d handles are open, want none", open)
	}
}

// At the limit a function that would give a handle does nothing at all.
func TestHandleLimit(t *testing.T) {
	inv := everything(t)
	inv.Recorder = new(hosttest.Recorder)
	g := newGuest(t, inv)
	ns := g.Must("kv_open", g.puts("STORE")...)
	send := g.Must("fetch_send", g.puts("GET", "http://example.com/", "", "")...)
	stream := g.Must("fetch_stream", g.puts("PUT", "http://example.com/", "")...)
	open := g.puts("STORE")
	for i := range int64(4096 - 3) {
		g.Want(4+i, "kv_open", open...)
	}
	g.Want(limit, "kv_open", open...)
	wantError(t, g, "4096 open handles")

	before := g.Call.Usage
	name := g.puts("key", "http://example.com/")
	calls := map[string][]int64{
		"request_body":       nil,
		"respond_stream":     with(200, 0, 0),
		"fetch_send":         with(name, 0, 0, 0, 0),
		"fetch_stream":       with(name, 0, 0),
		"fetch_request_body": with(stream),
		"fetch_body":         with(send),
		"kv_get":             with(ns, name[:2]),
		"kv_put":             with(ns, name[:2], 0, 0, 0, 0, 0, 0, 0),
		"kv_delete":          with(ns, name[:2], 0, 0),
		"kv_list":            with(ns, 0, 0, 0, 0, 1),
	}
	for name, args := range calls {
		g.Want(limit, name, args...)
	}
	before.Units, before.Refused = g.Call.Usage.Units, len(calls) // asking costs something
	if g.Call.Usage.Refused--; g.Call.Usage != before {           // kv_open was refused before
		t.Errorf("usage %+v, want %+v as before", g.Call.Usage, before)
	}
	if inv.Recorder.Answers != 0 {
		t.Error("a response was begun without a handle for it")
	}
	for name, args := range calls { // with room again, all is as if nothing had happened
		g.Want(0, "close", 100)
		if got := g.Must(name, args...); got != 100 {
			t.Errorf("%s returned %d, want 100, the handle that is free", name, got)
		}
	}
}

func TestHandlesEndWithInvocation(t *testing.T) {
	g := newGuest(t, everything(t))
	ns := g.Must("kv_open", g.puts("STORE")...)
	g.Next(everything(t))
	g.Want(badHandle, "kv_list", ns, 0, 0, 0, 0, 1)
	if got := g.Must("kv_open", g.puts("STORE")...); got != 1 {
		t.Errorf("first handle is %d, want 1", got)
	}
	if g.Call.LastError == nil || g.Call.LastError.Code != host.CodeHandle {
		t.Errorf("last error %v", g.Call.LastError)
	}
}
