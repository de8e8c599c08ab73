package trigger_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	goruntime "runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// Connections that do nothing cost little, keep nobody from being served, and are
// closed when their time is over.
func TestIdleConnections(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello")}, func(c *trigger.HTTPConfig) {
			c.HeaderTimeout, c.IdleTimeout = 20*time.Second, 2*time.Second
		})
		before := liveHeap()
		conns := make([]*conn, some(t, 400, 2000))
		for i := range conns {
			conns[i] = s.dial()
			conns[i].SetDeadline(time.Now().Add(time.Minute))
			if i%4 != 0 { // the others never say anything
				conns[i].write(get + end)
				conns[i].response().Body.Close()
			}
		}
		t.Logf("%d goroutines; %d KiB of heap for each connection, with the test's half",
			goruntime.NumGoroutine(), (liveHeap()-before)>>10/uint64(len(conns)))
		if status, body := s.get("hello", "/"); status != 200 || body != "hello" {
			t.Errorf("another client: %d %q", status, body)
		}
		for i, c := range conns {
			if i%4 == 0 {
				c.Close()
			} else if _, err := io.Copy(io.Discard, c.r); err != nil {
				t.Fatalf("an idle connection ended with %v", err)
			}
		}
	})
}

// Connections that come and go in all ways leave nothing.
func TestChurn(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello")})
		each := some(t, 150, 5000)
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() {
				for i := range each {
					s.comeAndGo(i)
				}
			})
		}
		clients.Wait()
		if status, body := s.get("hello", "/"); status != 200 || body != "hello" {
			t.Errorf("afterwards: %d %q", status, body)
		}
	})
}

func (s *server) comeAndGo(way int) {
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Error(err)
		return
	}
	defer c.Close()
	if way%2 == 0 {
		c.(*net.TCPConn).SetLinger(0) // leaves by RST
	}
	io.WriteString(c, []string{"", "GET", get + end, get + end + get, post + "Content-Length: 9\r\n\r\na"}[way%5]) //nolint:errcheck // it is about leaving
	if way%3 == 0 {
		c.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		c.Read(make([]byte, 1)) //nolint:errcheck // whatever comes
	}
}

// A flood from one address is turned away and leaves room for its own few.
func TestFlood(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		const most = 10
		s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello")}, func(c *trigger.HTTPConfig) { c.MaxConnsPerIP = most })
		kept := make([]*conn, most)
		for i := range kept {
			kept[i], _ = s.ask("hello")
		}
		var flood sync.WaitGroup
		for range 4 {
			flood.Go(func() {
				for range some(t, 50, 2000) {
					s.turnedAway()
				}
			})
		}
		flood.Wait()
		for _, c := range kept {
			io.CopyN(io.Discard, c.r, int64(len("hello"))) //nolint:errcheck // the next answer tells
			c.write("GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
			if resp := c.response(); resp.StatusCode != 200 {
				t.Errorf("a connection that was there before: status %d", resp.StatusCode)
			}
		}
	})
}

func (s *server) turnedAway() {
	c := s.dial()
	defer c.Close()
	resp, err := http.ReadResponse(c.r, nil)
	switch {
	case errors.Is(err, syscall.ECONNRESET): // the answer may be lost with the connection
	case err != nil:
		s.t.Error(err)
	case resp.StatusCode != 429:
		s.t.Errorf("status %d, want 429", resp.StatusCode)
	}
}

// A client that speaks TLS to the plain port is not left waiting for ever.
func TestTLSOnPlainPort(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello")}, impatient)
		for _, name := range []string{"hello.localhost", "a", "b"} { // with random bytes in each
			c, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true, ServerName: name})
			if err == nil {
				c.Close()
				t.Error("a handshake went well")
			}
		}
		if status, body := s.get("hello", "/"); status != 200 || body != "hello" {
			t.Errorf("afterwards: %d %q", status, body)
		}
	})
}
