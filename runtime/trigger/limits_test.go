package trigger_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// A Function's own limits narrow those of the node.
func TestOwnLimits(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"wide": helloGuest("hello")})
	must(s.registry.Deploy(t.Context(), "local", "narrow", deploy.Upload{Module: helloGuest("hello"),
		Settings: deploy.Settings{Limits: deploy.Limits{URLKB: 1, HeadersKB: 2, RequestBodyMB: 1}}}))(t)
	tests := []struct {
		name, request string // of a Function that is put in for %s
		want          int    // from the narrow one; the wide one answers 200
	}{
		{"URL at the limit", "GET /" + strings.Repeat("a", 1023) + " HTTP/1.1\r\nHost: %s.localhost\r\n\r\n", 200},
		{"URL beyond it", "GET /" + strings.Repeat("a", 1024) + " HTTP/1.1\r\nHost: %s.localhost\r\n\r\n", 414},
		{"query beyond it", "GET /?" + strings.Repeat("a", 1023) + " HTTP/1.1\r\nHost: %s.localhost\r\n\r\n", 414},
		{"header within the limit", "GET / HTTP/1.1\r\nHost: %s.localhost\r\nX: " + strings.Repeat("a", 1900) + "\r\n\r\n", 200},
		{"header beyond it", "GET / HTTP/1.1\r\nHost: %s.localhost\r\nX: " + strings.Repeat("a", 2048) + "\r\n\r\n", 431},
		{"body beyond it", "POST / HTTP/1.1\r\nHost: %s.localhost\r\nContent-Length: 1048577\r\n\r\n" + strings.Repeat("a", 1<<20+1), 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := s.raw(fmt.Sprintf(tt.request, "narrow")); got != tt.want {
				t.Errorf("narrow: status %d, want %d", got, tt.want)
			}
			if got := s.raw(fmt.Sprintf(tt.request, "wide")); got != 200 {
				t.Errorf("wide: status %d, want 200", got)
			}
		})
	}
}

// A body of unknown length is too large once it is: a guest that gives up then
// has not failed, but one may answer by itself.
func TestChunkedBodyTooLarge(t *testing.T) {
	s := start(t, host.Limits{RequestBody: 100 << 10}, map[string][]byte{"reads": readsGuest(), "answers": bodyGuest()})
	chunked := func(function string, size int) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: %s.localhost\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
			function, size, strings.Repeat("a", size))
	}
	for _, tt := range []struct {
		function string
		size     int
		want     int
	}{
		{"reads", 100 << 10, 500}, // it never answers
		{"reads", 100<<10 + 1, 413},
		{"answers", 100<<10 + 1, 418},
	} {
		if got := s.raw(chunked(tt.function, tt.size)); got != tt.want {
			t.Errorf("%s, %d bytes: status %d, want %d", tt.function, tt.size, got, tt.want)
		}
	}
}

// readsGuest reads the request's body to its end, and does not answer.
func readsGuest() []byte {
	return guest("", func(call map[string]uint32) [][]byte {
		return [][]byte{
			hosttest.Call(call["request_body"]), hosttest.LocalSet(0),
			hosttest.Loop,
			hosttest.LocalGet(0), numbers(bufferAt, bufferSz), hosttest.Call(call["body_read"]), hosttest.LocalSet(1),
			numbers(0), hosttest.LocalGet(1), hosttest.I32LtS, hosttest.BrIf(0), hosttest.End,
		}
	}, "request_body", "body_read")
}

// What a Function sets itself bounds its guests, and not those of others.
func TestOwnLimitsOfGuests(t *testing.T) {
	grow := opsGuest(numbers(32), hosttest.MemoryGrow, numbers(-1), hosttest.I32Eq, hosttest.If, hosttest.Unreachable, hosttest.End)
	tests := []struct {
		name   string
		limits deploy.Limits
		guest  []byte
		want   int // with the limits
		before int // without
	}{
		{"wall", deploy.Limits{WallMillis: 50}, opsGuest(hosttest.Loop, hosttest.Br(0), hosttest.End), 504, 0},
		{"memory", deploy.Limits{MemoryMB: 1}, grow, 503, 500}, // 500: it grows, and does not answer
		{"response", deploy.Limits{ResponseMB: 1}, pagesGuest(), 500, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, host.Limits{}, map[string][]byte{})
			if tt.before != 0 {
				must(s.registry.Deploy(t.Context(), "local", "f", deploy.Upload{Module: tt.guest}))(t)
				if status, _ := s.get("f", "/"); status != tt.before {
					t.Errorf("without limits: status %d, want %d", status, tt.before)
				}
			}
			must(s.registry.Deploy(t.Context(), "local", "f", deploy.Upload{Module: tt.guest, Settings: deploy.Settings{Limits: tt.limits}}))(t)
			if status, _ := s.get("f", "/"); status != tt.want {
				t.Errorf("with limits: status %d, want %d", status, tt.want)
			}
		})
	}
}

// pagesGuest answers with 1 MiB and one byte.
func pagesGuest() []byte {
	return guest("", func(call map[string]uint32) [][]byte {
		return [][]byte{
			numbers(16), hosttest.MemoryGrow, hosttest.Drop,
			numbers(200, 0, 0, 0, 1<<20+1), hosttest.Call(call["respond"]), hosttest.Drop,
		}
	}, "respond")
}

// everyHost finds one Function for all requests and counts them.
type everyHost struct {
	trigger.Table
	host  string
	asked *atomic.Int32
}

func (e everyHost) Lookup(scheme, _, pathQuery []byte) (*deploy.Serving, bool) {
	e.asked.Add(1)
	return e.Table.Lookup(scheme, []byte(e.host), pathQuery)
}

// A Function that fetches from itself is stopped by its own node.
func TestRealLoopEnds(t *testing.T) {
	var asked atomic.Int32
	s := start(t, host.Limits{}, nil, func(c *trigger.HTTPConfig) { c.Table = everyHost{c.Table, "loop.localhost", &asked} })
	url := "http://" + s.addr + "/"
	must(s.registry.Deploy(t.Context(), "local", "loop", deploy.Upload{Module: guest("GET"+url, func(call map[string]uint32) [][]byte {
		return [][]byte{
			numbers(0, 3, 3, int32(len(url)), 0, 0, 0, 0), hosttest.Call(call["fetch_send"]),
			hosttest.Call(call["fetch_status"]), numbers(0, 0, 0, 0), hosttest.Call(call["respond"]), hosttest.Drop,
		}
	}, "fetch_send", "fetch_status", "respond")}))(t)
	if status, body := s.get("loop", "/"); status != http.StatusLoopDetected {
		t.Errorf("got %d %q, want 508 handed back by every round", status, body)
	}
	if n := asked.Load(); n != 8 {
		t.Errorf("the Function was looked for %d times, want 8", n)
	}
}
