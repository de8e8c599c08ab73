package native_test

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

func TestFetch(t *testing.T) {
	var got host.FetchRequest
	var sent string
	inv := everything(t)
	inv.Bindings.Egress = []string{"example.com"}
	inv.Request.Headers = inv.Request.Headers.Add("cdn-loop", "mayfly-1")
	inv.Services.Fetcher = hosttest.Fetcher(func(_ context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
		body, err := io.ReadAll(req.Body)
		got, sent = *req, string(body)
		return response(418, io.NopCloser(strings.NewReader("short and stout"))), err
	})
	g := newGuest(t, inv)
	args := g.puts("POST", "https://example.com/a?b", "x\x00y\x00X\x00z\x00", "body")
	op := g.Must("fetch_send", args...)
	g.Put(uint32(args[6]), "BODY") // what was sent is sent
	g.Want(418, "fetch_status", op)
	g.Want(12, "fetch_headers", op, 100, 20)
	g.WantMemory(100, "server\x00test\x00")
	body := g.Must("fetch_body", op)
	g.Want(state, "fetch_body", op)
	wantError(t, g, "taken already")
	g.Want(0, "close", op) // the body stays
	g.Want(badHandle, "fetch_status", op)
	g.Want(5, "body_read", body, 200, 5)
	g.Want(10, "body_read", body, 205, 50)
	g.WantMemory(200, "short and stout")
	g.Want(0, "body_read", body, 205, 50)
	g.Want(0, "close", body)

	got.Body = nil
	want := host.FetchRequest{Account: "local", Egress: []string{"example.com"}, Loop: "mayfly-1", Method: "POST",
		URL: "https://example.com/a?b", Headers: host.Headers("x\x00y\x00X\x00z\x00"), BodySize: 4}
	if !reflect.DeepEqual(got, want) || sent != "body" {
		t.Errorf("sent %+v with %q, want %+v", got, sent, want)
	}
	if u := g.End().Usage; u.Subrequests != 1 || u.BytesOut != 4 || u.BytesIn != 15 {
		t.Errorf("usage %+v", u)
	}
}

func TestFetchWithoutBody(t *testing.T) {
	var got *host.FetchRequest
	g := fetching(t, hosttest.Fetcher(func(_ context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
		got = req
		return response(204, io.NopCloser(strings.NewReader(""))), nil
	}), host.Limits{})
	op := g.send("http://example.com/")
	g.Want(204, "fetch_status", op)
	if got.Body != nil || got.BodySize != 0 || got.Loop != "" {
		t.Errorf("sent %+v, want no body and no loop", got)
	}
	g.Want(state, "fetch_request_body", op)
	g.Want(0, "body_read", g.Must("fetch_body", op), 0, 1)
	g.End()
}

func TestFetchRefused(t *testing.T) {
	tests := []struct {
		name                 string
		method, url, headers string
		want                 int64
	}{
		{"method", strings.Repeat("M", 65), "http://a/", "", invalid},
		{"URL", "GET", "http://a/" + strings.Repeat("b", 16<<10), "", invalid},
		{"header", "GET", "http://a/", "a\x00b\x00c", invalid},
		{"header name", "GET", "http://a/", "a b\x00c\x00", invalid},
		{"header size", "GET", "http://a/", "a\x00" + strings.Repeat("b", host.MaxHeaders) + "\x00", tooLarge},
	}
	g := fetching(t, new(upstream), host.Limits{})
	g.Memory().Grow(5)
	for _, tt := range tests {
		at, args := uint32(page), []int64(nil)
		for _, s := range []string{tt.method, tt.url, tt.headers} {
			g.Put(at, s)
			args = with(args, int64(at), len(s))
			at += uint32(len(s))
		}
		g.Want(tt.want, "fetch_stream", args...)
		g.Want(tt.want, "fetch_send", with(args, 0, 0)...)
	}
	if n := g.End().Usage.Subrequests; n != 0 {
		t.Errorf("%d requests were counted, want none", n)
	}
}

// Each function that reads a result tells why there is none.
func TestFetchFails(t *testing.T) {
	for want, err := range map[int64]error{
		denied:      host.Errorf(host.CodeDenied, "not there"),
		unavailable: host.Errorf(host.CodeUnavailable, "not now"),
		timeout:     context.DeadlineExceeded,
		canceled:    context.Canceled,
		internal:    errors.New("who knows"),
	} {
		g := fetching(t, hosttest.Fetcher(func(context.Context, *host.FetchRequest) (*host.FetchResponse, error) {
			return nil, err
		}), host.Limits{})
		op := g.send("http://example.com/")
		g.Want(want, "fetch_status", op)
		g.Want(want, "fetch_headers", op, 100, 10)
		g.Want(want, "fetch_body", op)
		g.Want(0, "wait", g.waitArgs(0, op)...)
		stream := g.Must("fetch_stream", g.puts("PUT", "http://example.com/", "")...)
		upload := g.Must("fetch_request_body", stream)
		g.Want(want, "fetch_status", stream)
		g.Want(canceled, "body_write", upload, 0, 5)
		g.End()
	}
}

func (g *guest) waitArgs(d time.Duration, handles ...int64) []int64 {
	return with(g.handles(handles...), int64(d))
}

func TestSubrequests(t *testing.T) {
	g := fetching(t, answering(""), host.Limits{Subrequests: 2})
	g.send("http://example.com/")
	g.Want(0, "close", g.Must("fetch_stream", g.puts("PUT", "http://example.com/", "")...))
	g.Want(limit, "fetch_send", g.puts("GET", "http://example.com/", "", "body")...)
	g.Want(limit, "fetch_stream", g.puts("GET", "http://example.com/", "")...)
	wantError(t, g, "limit of 2 outbound requests")
	if u := g.End().Usage; u.Subrequests != 2 || u.BytesOut != 0 {
		t.Errorf("usage %+v", u)
	}
}

// Requests under way finish in any order, and wait finds the first.
func TestFetchConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := fetching(t, new(upstream), host.Limits{})
		started := time.Now()
		ops := []int64{g.send("3s"), g.send("1s"), g.send("2s")}
		for _, want := range []int64{1, 2, 0} {
			g.Want(want, "wait", g.waitArgs(-1, ops...)...)
			g.Want(200, "fetch_status", ops[want])
			g.Want(0, "close", ops[want])
			ops[want] = g.Must("fetch_stream", g.puts("PUT", "1h", "")...) // never ready
		}
		if took := time.Since(started); took != 3*time.Second {
			t.Errorf("took %v, want 3s", took)
		}
		g.End()
	})
}

// Further requests wait until a body was read to its end or closed, an operation
// was closed, or a request failed.
func TestOpenConnections(t *testing.T) {
	free := map[string]func(g *guest, op int64){
		"read to the end": func(g *guest, op int64) {
			body := g.Must("fetch_body", op)
			g.Want(2, "body_read", body, 100, 50)
			g.Want(0, "body_read", body, 100, 50)
		},
		"body closed":      func(g *guest, op int64) { g.Want(0, "close", g.Must("fetch_body", op)) },
		"operation closed": func(g *guest, op int64) { g.Want(0, "close", op) },
	}
	for name, free := range free {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := new(upstream)
				g := fetching(t, u, host.Limits{OpenConnections: 2})
				var ops []int64
				for range 6 {
					ops = append(ops, g.send("1s"))
				}
				g.send("failing") // and so not in the way of the next
				ops = append(ops, g.send("1s"))
				for _, op := range ops[:2] {
					g.Want(200, "fetch_status", op)
				}
				for _, op := range ops[2:] {
					g.Want(timeout, "wait", g.waitArgs(time.Second, op)...)
				}
				for range ops {
					i := g.Must("wait", g.waitArgs(2*time.Second, ops...)...)
					free(g, ops[i])
					ops = append(ops[:i], ops[i+1:]...)
				}
				if _, most := u.counts(); most != 2 {
					t.Errorf("%d were open at the same time, want 2", most)
				}
				g.End()
				if open, _ := u.counts(); open != 0 {
					t.Errorf("%d are open after the end", open)
				}
			})
		})
	}
}

func TestFetchStream(t *testing.T) {
	g := fetching(t, hosttest.Fetcher(func(_ context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
		if req.BodySize != -1 {
			t.Errorf("body of %d bytes, want -1 for a stream", req.BodySize)
		}
		body, err := io.ReadAll(req.Body)
		return response(200, io.NopCloser(strings.NewReader(string(body)))), err
	}), host.Limits{})
	op := g.Must("fetch_stream", g.puts("PUT", "http://example.com/", "")...)
	upload := g.Must("fetch_request_body", op)
	g.Want(state, "fetch_request_body", op)
	for _, part := range []string{"one ", "", "two ", "three"} {
		g.Want(int64(len(part)), "body_write", with(upload, g.puts(part))...)
	}
	g.Want(0, "close", upload)
	g.Want(200, "fetch_status", op)
	g.Want(13, "body_read", g.Must("fetch_body", op), 100, 50)
	g.WantMemory(100, "one two three")
	if u := g.End().Usage; u.BytesOut != 13 {
		t.Errorf("%d bytes out, want 13", u.BytesOut)
	}
}

// A body that nobody reads any more can't be written, and a guest that writes to
// one that nobody reads yet is freed by the end of what it writes to.
func TestUploadUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := fetching(t, new(upstream), host.Limits{Wall: 10 * time.Second})
		op := g.Must("fetch_stream", g.puts("PUT", "1h", "")...)
		upload := g.Must("fetch_request_body", op)
		g.Want(0, "body_write", upload, 0, 0)
		g.Want(0, "close", op)
		g.Want(canceled, "body_write", upload, 0, 5)

		op = g.Must("fetch_stream", g.puts("PUT", "1h", "")...)
		upload = g.Must("fetch_request_body", op)
		g.wantEnd(host.CodeTimeout, "body_write", upload, 0, 5)
		g.End()
	})
}

// An upload that is open when the guest traps does not look whole.
func TestUploadCut(t *testing.T) {
	read := make(chan error, 1)
	g := fetching(t, hosttest.Fetcher(func(_ context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
		_, err := io.ReadAll(req.Body)
		read <- err
		return response(200, io.NopCloser(strings.NewReader(""))), err
	}), host.Limits{})
	upload := g.Must("fetch_request_body", g.Must("fetch_stream", g.puts("PUT", "http://example.com/", "")...))
	g.Want(5, "body_write", upload, 0, 5)
	g.Call.End(errors.New("trap"))
	if err := <-read; err == nil {
		t.Error("the upload ended as if it were whole")
	}
}

func TestCloseCancelsFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := new(upstream)
		g := fetching(t, u, host.Limits{})
		early, done := g.send("1h"), g.send("1s")
		g.Want(200, "fetch_status", done)
		for closed, op := range []int64{done, early} {
			g.Want(0, "close", op)
			synctest.Wait()
			if open, _ := u.counts(); open != 1-closed {
				t.Errorf("%d are open, want %d", open, 1-closed)
			}
		}
		g.End()
	})
}

// What a guest is blocked in ends when the Invocation does.
func TestFetchEnds(t *testing.T) {
	calls := map[string]func(g *guest) []int64{
		"fetch_status": func(g *guest) []int64 { return with(g.send("1h")) },
		"fetch_body":   func(g *guest) []int64 { return with(g.send("1h")) },
		"wait":         func(g *guest) []int64 { return g.waitArgs(-1, g.send("1h")) },
	}
	for name, args := range calls {
		for _, code := range []host.Code{host.CodeTimeout, host.CodeCanceled} {
			t.Run(name+" "+code.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					u := new(upstream)
					g := fetching(t, u, host.Limits{Wall: 10 * time.Second})
					args := args(g)
					want := 10 * time.Second
					if code == host.CodeCanceled {
						want = 2 * time.Second
						call := g.Call
						time.AfterFunc(want, func() { call.Cancel(errors.New("node is shutting down")) })
					}
					started := time.Now()
					g.wantEnd(code, name, args...)
					if took := time.Since(started); took != want {
						t.Errorf("took %v, want %v", took, want)
					}
					g.End()
					if open, _ := u.counts(); open != 0 {
						t.Errorf("%d are open after the end", open)
					}
				})
			})
		}
	}
}

// A body that doesn't know of its context ends with the Invocation all the same.
func TestBodyReadEnds(t *testing.T) {
	for _, ahead := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			body := newStuck()
			g := fetching(t, hosttest.Fetcher(func(context.Context, *host.FetchRequest) (*host.FetchResponse, error) {
				return response(200, body), nil
			}), host.Limits{Wall: 10 * time.Second})
			h := g.Must("fetch_body", g.send("http://example.com/"))
			if ahead {
				g.Want(timeout, "wait", g.waitArgs(time.Second, h)...)
			}
			started := time.Now()
			if n, err := g.Try("body_read", h, 100, 5); err == nil && n >= 0 {
				t.Errorf("got %d bytes", n)
			}
			if took := time.Since(started); took > 10*time.Second {
				t.Errorf("took %v, longer than the invocation", took)
			}
			g.End()
		})
	}
}

// Bodies on their way are held by the node, which bounds them.
func TestFetchHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := fetching(t, new(upstream), host.Limits{Held: 10})
		g.Want(limit, "fetch_send", g.puts("PUT", "1s", "", "eleven byte")...)
		op := g.Must("fetch_send", g.puts("PUT", "1s", "", "six by")...)
		g.Want(limit, "fetch_send", g.puts("PUT", "1s", "", "five!")...)
		wantError(t, g, "10 bytes")
		other := g.Must("fetch_send", g.puts("PUT", "1s", "", "four")...)
		g.Want(0, "close", op)
		synctest.Wait()
		failing := g.Must("fetch_send", g.puts("PUT", "failing", "", "six by")...)
		g.Want(invalid, "fetch_status", failing)
		synctest.Wait()
		g.Must("fetch_send", g.puts("PUT", "1s", "", "six by")...)
		g.Want(200, "fetch_status", other)
		if u := g.End().Usage; u.Subrequests != 4 || u.BytesOut != 22 {
			t.Errorf("usage %+v, want 4 requests with 22 bytes", u)
		}
	})
}

// Requests get their turn in the order in which they were sent, so that reading
// one response after the other never waits for a later one.
func TestFetchInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := fetching(t, new(upstream), host.Limits{OpenConnections: 3})
		var ops []int64
		for range 50 {
			ops = append(ops, g.send("100ms"))
		}
		for _, op := range ops {
			g.Want(200, "fetch_status", op)
			g.Want(0, "close", op)
		}
		if u := g.End().Usage; u.Wall > 5*time.Second {
			t.Errorf("took %v", u.Wall)
		}
	})
}
