package trigger_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	goruntime "runtime"
	"sync"
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
			c.HeaderTimeout, c.IdleTimeout = 5*time.Minute, 500*time.Millisecond
		})
		before := liveHeap()
		conns := make([]*conn, some(t, 400, 2000))
		for i := range conns {
			conns[i] = s.dial()
			conns[i].SetDeadline(time.Now().Add(5 * time.Minute))
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
		s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello")}, func(c *trigger.HTTPConfig) {
			c.MaxConnsPerIP, c.RefusalTimeout = most, 2*time.Minute
		})
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

// turnedAway is told so, although it sent a request at once, and then the connection
// ends.
func (s *server) turnedAway() {
	c := s.dial()
	defer c.Close()
	c.write(get + end)
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil || resp.StatusCode != 429 {
		s.t.Errorf("got %+v, %v, want status 429", resp, err)
		return
	}
	if n, err := io.Copy(io.Discard, c.r); n > 0 || err != nil {
		s.t.Errorf("behind the answer: %d bytes, %v", n, err)
	}
}

// Beyond so many connections, those that were idle for longest are closed, and
// newcomers served. Where all are busy, newcomers are told so.
func TestMostConnections(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		most := some(t, 300, 3000)
		s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello")}, func(c *trigger.HTTPConfig) {
			c.MaxConns, c.HeaderTimeout, c.IdleTimeout = most, time.Minute, time.Minute
		})
		conns := make([]*conn, 2*most)
		for i := range conns {
			if i == most {
				time.Sleep(300 * time.Millisecond) // longer than a step of the clock that tells who was idle for longest
			}
			conns[i] = s.dial()
			if i%2 == 0 {
				continue // says nothing
			}
			conns[i].write(get + end)
			if resp := conns[i].response(); resp.StatusCode != 200 {
				t.Fatalf("connection %d: status %d", i, resp.StatusCode)
			}
		}
		for i, c := range conns[:most] {
			c.SetReadDeadline(time.Now().Add(2 * time.Minute))
			if _, err := io.Copy(io.Discard, c.r); err != nil {
				t.Fatalf("connection %d, idle for long: %v, want that it was closed", i, err)
			}
		}
		for _, c := range conns {
			c.Close()
		}
	})
}

func TestMostConnectionsBusy(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		const most = 20
		s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello")}, func(c *trigger.HTTPConfig) {
			c.MaxConns, c.HeaderTimeout = most, 5*time.Minute
		})
		busy := make([]*conn, most)
		for i := range busy {
			busy[i] = s.dial()
			busy[i].write(get) // an end is to come
		}
		s.waitFor(func() bool {
			c := s.dial()
			c.write(get)
			c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			if resp, err := http.ReadResponse(c.r, nil); err == nil {
				return resp.StatusCode == 503
			}
			c.SetReadDeadline(time.Time{})
			busy = append(busy, c) // in the place of one that was not read yet
			return false
		}, "a newcomer is turned away")
		served := 0
		for _, c := range busy {
			c.write(end)
			if resp, err := http.ReadResponse(c.r, nil); err == nil && resp.StatusCode == 200 {
				served++
			}
		}
		if served < most-2 { // newcomers may have come before they were read
			t.Errorf("%d of %d busy connections were served", served, most)
		}
	})
}

// A client that speaks TLS to the plain port is not left waiting for ever.
func TestTLSOnPlainPort(t *testing.T) {
	leavesPatiently(t, func(t testing.TB, soon time.Duration) {
		s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello")}, impatient(soon))
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
