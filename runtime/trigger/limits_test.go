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

// everyHost finds one Function for all requests and counts them.
type everyHost struct {
	trigger.Table
	host  string
	asked *atomic.Int32
}

func (e everyHost) Lookup(scheme, _, pathQuery []byte) (*deploy.Active, bool) {
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
