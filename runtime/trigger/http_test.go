package trigger_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/kv/logtest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
	"github.com/valyala/fasthttp"
)

func TestAnswers(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{
		"hello": helloGuest("hello"), "body": bodyGuest(), "url": areaGuest("request_url"), "method": areaGuest("request_method")})
	tests := []struct {
		method, function, path, body string
		want                         string
	}{
		{"GET", "hello", "/", "", "hello"},
		{"POST", "body", "/", "some text", "some text"},
		{"POST", "body", "/", strings.Repeat("long ", 5000), strings.Repeat("long ", 5000)},
		{"GET", "body", "/", "", ""},
		{"GET", "url", "/a%20b/../c?q=1&r=%2F", "", "http://url.localhost/a%20b/../c?q=1&r=%2F"},
		{"PATCH", "method", "/", "", "PATCH"},
	}
	for _, tt := range tests {
		status, body := s.send(tt.method, tt.function, tt.path, tt.body)
		if status != 200 || body != tt.want {
			t.Errorf("%s %s%s: %d %.80q, want 200 %.80q", tt.method, tt.function, tt.path, status, body, tt.want)
		}
	}
}

// Whatever a guest does, the client gets a page with a request id, the log says
// why, and the next request is served.
func TestFailures(t *testing.T) {
	const big = 2 << 20
	s := start(t, host.Limits{Response: 1000, Memory: 4 << 20}, map[string][]byte{
		"hello":  helloGuest("hello"),
		"trap":   opsGuest(hosttest.Unreachable),
		"silent": opsGuest(),
		"memory": opsGuest(numbers(100), hosttest.MemoryGrow, numbers(-1), hosttest.I32Eq, hosttest.If, hosttest.Unreachable, hosttest.End),
		"pointer": guest("", func(call map[string]uint32) [][]byte {
			return [][]byte{numbers(200, 0, 0, big, big), hosttest.Call(call["respond"]), hosttest.Drop}
		}, "respond"),
		"large": guest("", func(call map[string]uint32) [][]byte {
			return [][]byte{numbers(200, 0, 0, 0, 2000), hosttest.Call(call["respond"]), hosttest.Drop}
		}, "respond"),
		"after": guest("x", func(call map[string]uint32) [][]byte { return [][]byte{answer(call, 200, 1), hosttest.Unreachable} }, "respond"),
	})
	must(s.registry.Deploy(t.Context(), "local", "loop", deploy.Upload{Module: spins(),
		Settings: deploy.Settings{Limits: deploy.Limits{WallMillis: 200}}}))(t) // the others may be slow
	tests := []struct {
		function string
		status   int
		page     string
		log      string
	}{
		{"trap", 500, "Error 1101", "wasm stack trace"},
		{"loop", 504, "Error 1102", "exceededWallTime"},
		{"silent", 500, "Error 1101", "without an answer"},
		{"memory", 503, "Error 1102", "exceededMemory"},
		{"pointer", 500, "Error 1101", "out of bounds"},
		{"large", 500, "Error 1101", "without an answer"},
		{"after", 500, "Error 1101", "unreachable"},
	}
	for _, tt := range tests {
		t.Run(tt.function, func(t *testing.T) {
			status, body := s.get(tt.function, "/")
			if status != tt.status || !strings.Contains(body, tt.page) || !strings.Contains(body, "Request id: ") {
				t.Errorf("got %d %q, want %d and %q", status, body, tt.status, tt.page)
			}
			id := strings.TrimSpace(body[strings.LastIndex(body, " ")+1:])
			if log := s.log.String(); !strings.Contains(log, id) || !strings.Contains(log, tt.log) {
				t.Errorf("the log has no entry with %s and %q:\n%s", id, tt.log, log)
			}
			if status, body := s.get("hello", "/"); status != 200 || body != "hello" {
				t.Errorf("next request: %d %q", status, body)
			}
		})
	}
}

func TestFailurePageAsHTML(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"trap": opsGuest(hosttest.Unreachable)})
	if _, body := s.send("GET", "trap", "/", "", "Accept", "text/html"); !strings.Contains(body, "<h1>Error 1101") {
		t.Errorf("got %q", body)
	}
}

func TestStreamsBothWays(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"echo": echoGuest()})
	c := s.dial()
	c.write("POST / HTTP/1.1\r\nHost: echo.localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
	resp := c.response()
	if resp.StatusCode != 200 {
		t.Fatalf("status %d before the body was sent", resp.StatusCode)
	}
	for i := range 3 {
		text := fmt.Sprintf("part %d", i)
		c.write(fmt.Sprintf("%x\r\n%s\r\n", len(text), text))
		got := make([]byte, len(text))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != text {
			t.Fatalf("got %q, %v; want %q while the request goes on", got, err, text)
		}
	}
	c.write("0\r\n\r\n")
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
		t.Errorf("after the end: %q, %v", rest, err)
	}
	c.write("POST / HTTP/1.1\r\nHost: echo.localhost\r\nContent-Length: 3\r\n\r\nabc")
	if body, err := io.ReadAll(c.response().Body); err != nil || string(body) != "abc" {
		t.Errorf("next request on the connection: %q, %v", body, err)
	}
}

func TestTrapCutsStream(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"broken": brokenStreamGuest()})
	c := s.dial()
	c.write("GET / HTTP/1.1\r\nHost: broken.localhost\r\n\r\n")
	if body, err := io.ReadAll(c.response().Body); err != io.ErrUnexpectedEOF || string(body) != "part" {
		t.Errorf("got %q, %v; want the part and an unexpected end", body, err)
	}
}

// A client that leaves ends the writes of the guest, and nothing else.
func TestClientLeavesStream(t *testing.T) {
	s := start(t, host.Limits{Wall: 5 * time.Minute}, map[string][]byte{"endless": guest(strings.Repeat("x", 1000), func(call map[string]uint32) [][]byte {
		return [][]byte{
			numbers(200, 0, 0), hosttest.Call(call["respond_stream"]), hosttest.LocalSet(0),
			hosttest.Loop, hosttest.LocalGet(0), numbers(0, 1000), hosttest.Call(call["body_write"]), numbers(1000), hosttest.I32Eq, hosttest.BrIf(0), hosttest.End,
			numbers(1, 0, 3), hosttest.Call(call["log"]), hosttest.Drop,
		}
	}, "respond_stream", "body_write", "log")})
	c := s.dial()
	c.write("GET / HTTP/1.1\r\nHost: endless.localhost\r\n\r\n")
	io.ReadFull(c.response().Body, make([]byte, 5000))
	c.Close()
	s.waitFor(func() bool { return len(s.guestLog.Entries()) == 1 }, "the guest to notice")
}

func TestWaitUntil(t *testing.T) {
	release := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer upstream.Close()
	s := start(t, host.Limits{}, map[string][]byte{"later": laterGuest(upstream.URL)})
	if status, body := s.get("later", "/"); status != 200 || body != "first" {
		t.Fatalf("got %d %q", status, body)
	}
	if n := len(s.guestLog.Entries()); n != 0 {
		t.Fatalf("%d log entries before the upstream answered", n)
	}
	close(release)
	s.waitFor(func() bool { return len(s.guestLog.Entries()) == 1 }, "the guest to go on")
}

// Shutdown lets requests and work after responses finish.
func TestShutdownDrains(t *testing.T) {
	release := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer upstream.Close()
	s := start(t, host.Limits{}, map[string][]byte{"later": laterGuest(upstream.URL)})
	s.get("later", "/")
	done := make(chan error)
	go func() { done <- s.front.Shutdown(context.Background()) }()
	select {
	case <-done:
		t.Fatal("shut down while a guest was at work")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := len(s.guestLog.Entries()); n != 1 {
		t.Errorf("%d log entries, want that of the work after the response", n)
	}
}

// Shutdown cancels what has not finished by its deadline.
func TestShutdownCancels(t *testing.T) {
	asked, left := make(chan struct{}), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		close(left)
	}))
	defer upstream.Close()
	s := start(t, host.Limits{AfterResponse: time.Hour}, map[string][]byte{"later": laterGuest(upstream.URL)})
	s.get("later", "/")
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.front.Shutdown(ctx) // the guest would wait for an hour
	<-left
}

func TestClientAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	tests := []struct {
		name    string
		proxies []netip.Prefix
		field   string
		want    string
	}{
		{"direct", nil, "", "127.0.0.1"},
		{"forged", nil, "203.0.113.9", "127.0.0.1"},
		{"behind a proxy", proxies, "203.0.113.9", "203.0.113.9"},
		{"behind two", proxies, "203.0.113.9, 10.1.2.3", "203.0.113.9"},
		{"client added its own", proxies, "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"},
		{"only proxies", proxies, "10.1.2.3", "10.1.2.3"},
		{"nonsense", proxies, "nonsense", "127.0.0.1"},
		{"IPv6", proxies, "2001:db8::1", "2001:db8::1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, host.Limits{}, map[string][]byte{"client": areaGuest("request_client"), "headers": areaGuest("request_headers")},
				func(c *trigger.HTTPConfig) { c.TrustedProxies = tt.proxies })
			if _, body := s.send("GET", "client", "/", "", "X-Forwarded-For", tt.field); body != tt.want {
				t.Errorf("got %q, want %q", body, tt.want)
			}
			_, block := s.send("GET", "headers", "/", "", "X-Forwarded-For", tt.field, "CF-Connecting-IP", "192.0.2.66", "Forwarded", "for=192.0.2.66")
			if strings.Contains(block, "192.0.2.66") || !strings.Contains(block, "cf-connecting-ip\x00"+tt.want+"\x00") {
				t.Errorf("header block %q", block)
			}
		})
	}
}

func TestLoopEnds(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello")})
	if status, _ := s.send("GET", "hello", "/", "", "CDN-Loop", strings.Repeat("mayfly-test, ", 8)+"other"); status != 508 {
		t.Errorf("status %d, want 508", status)
	}
	if status, _ := s.send("GET", "hello", "/", "", "CDN-Loop", "mayfly-test, other"); status != 200 {
		t.Errorf("status %d, want 200", status)
	}
}

// A deploy under load replaces one Version by the next without a failed request.
func TestDeployUnderLoad(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"f": helloGuest("version 0")})
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if status, body := s.get("f", "/"); status != 200 || !strings.HasPrefix(body, "version ") {
					t.Errorf("got %d %q", status, body)
				}
			}
		})
	}
	for i := range 20 {
		must(s.registry.Deploy(t.Context(), "local", "f", deploy.Upload{Module: helloGuest(fmt.Sprint("version ", i%3+1))}))(t)
	}
	close(stop)
	clients.Wait()
}

func TestAccessLog(t *testing.T) {
	var log logtest.Buffer
	s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello")}, func(c *trigger.HTTPConfig) {
		c.AccessLog = slog.New(slog.NewJSONHandler(&log, nil))
	})
	s.get("hello", "/a?b")
	s.get("nobody", "/")
	s.waitFor(func() bool { return strings.Count(log.String(), "\n") == 2 }, "two entries")
	for _, want := range []string{`"url":"http://hello.localhost/a?b"`, `"status":200`, `"outcome":"ok"`, `"function":"hello"`, `"status":404`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in %s", want, log.String())
		}
	}
}

func TestPanicIsSurvived(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello")}, func(c *trigger.HTTPConfig) {
		c.Intercept = func(ctx *fasthttp.RequestCtx) bool {
			if string(ctx.Path()) == "/panic" {
				panic("a fault of ours")
			}
			return false
		}
	})
	if status, body := s.get("hello", "/panic"); status != 500 || strings.Contains(body, "fault") {
		t.Errorf("got %d %q", status, body)
	}
	if status, _ := s.get("hello", "/"); status != 200 {
		t.Errorf("afterwards: %d", status)
	}
}

// waitFor waits for another goroutine of the server, however slow the machine.
func (s *server) waitFor(done func() bool, what string) {
	s.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if done() {
			return
		}
	}
	s.t.Fatalf("waited in vain for %s", what)
}

// Shutdown ends a Serve that is just beginning, or begins later.
func TestShutdownBeforeServe(t *testing.T) {
	for _, early := range []bool{true, false} {
		ln := must(net.Listen("tcp", "127.0.0.1:0"))(t)
		h := trigger.NewHTTP(trigger.HTTPConfig{Logger: slog.New(slog.DiscardHandler)})
		if early {
			h.Shutdown(t.Context())
		}
		served := make(chan error, 1)
		go func() { served <- h.Serve(ln) }()
		h.Shutdown(t.Context())
		if err := <-served; err != nil {
			t.Errorf("early=%v: %v", early, err)
		}
	}
}
