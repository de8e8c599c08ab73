package trigger_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/trigger"
	"github.com/valyala/fasthttp"
)

// spins never ends by itself.
func spins() []byte {
	return guest("", func(map[string]uint32) [][]byte {
		return [][]byte{hosttest.Loop, hosttest.Br(0), hosttest.End}
	})
}

// A guest whose client went away is stopped, long before its limits.
func TestClientGone(t *testing.T) {
	s := startCounted(t, host.Limits{Wall: 5 * time.Minute, CPU: 5 * time.Minute}, map[string][]byte{"spins": spins()})
	for _, leave := range []func(c *conn){
		func(c *conn) { c.Close() },
		func(c *conn) { c.Conn.(*net.TCPConn).SetLinger(0); c.Close() }, // RST
	} {
		before := strings.Count(s.log.String(), "outcome=canceled")
		c := s.dial()
		c.write("GET / HTTP/1.1\r\nHost: spins.localhost\r\n\r\n")
		s.waitForGuest()
		leave(c)
		s.waitFor(func() bool { return strings.Count(s.log.String(), "outcome=canceled") > before }, "the guest to be canceled")
		s.waitForMemory()
	}
}

// A client that waits keeps its guest, also with the next request sent already.
func TestClientWaits(t *testing.T) {
	s := start(t, host.Limits{CPU: 50 * time.Millisecond}, map[string][]byte{"spins": spins(), "hello": helloGuest("hello")})
	c := s.dial()
	c.write("GET / HTTP/1.1\r\nHost: spins.localhost\r\n\r\nGET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
	if resp := c.response(); resp.StatusCode != 503 {
		t.Errorf("status %d, want that the CPU limit was exceeded", resp.StatusCode)
	} else {
		resp.Body.Close()
	}
	if !strings.Contains(s.log.String(), "outcome=exceededCpu") {
		t.Errorf("log: %s", s.log)
	}
}

func TestServerTiming(t *testing.T) {
	guests := map[string][]byte{"hello": helloGuest("hello")}
	s := start(t, host.Limits{}, guests, func(cfg *trigger.HTTPConfig) { cfg.ServerTiming = true })
	want := regexp.MustCompile(`^queue;dur=\d+\.\d{3}, acquire;dur=\d+\.\d{3}, guest;dur=\d+\.\d{3}, host;dur=\d+\.\d{3}$`)
	for range 2 {
		if got := header(s, "hello", "Server-Timing"); !want.MatchString(got) {
			t.Errorf("got %q", got)
		}
	}
	if got := header(start(t, host.Limits{}, guests), "hello", "Server-Timing"); got != "" {
		t.Errorf("got %q, which nobody asked for", got)
	}
}

// header asks a Function and returns a field of the answer.
func header(s *server, function, name string) string {
	c := s.dial()
	c.write("GET / HTTP/1.1\r\nHost: " + function + ".localhost\r\n\r\n")
	resp := c.response()
	resp.Body.Close()
	return resp.Header.Get(name)
}

// Connections beyond the limit for one address are told so; one that ends makes
// room for another.
func TestConnectionsPerAddress(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello")}, func(cfg *trigger.HTTPConfig) { cfg.MaxConnsPerIP = 2 })
	ask := func(c *conn) int {
		c.write("GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	first, second := s.dial(), s.dial()
	if a, b := ask(first), ask(second); a != 200 || b != 200 {
		t.Errorf("statuses %d and %d", a, b)
	}
	if resp := s.dial().response(); resp.StatusCode != 429 {
		t.Errorf("a third connection: status %d, want 429", resp.StatusCode)
	}
	first.Close()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Millisecond) {
		c := s.dial()
		c.write("GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
		if resp, err := http.ReadResponse(c.r, nil); err == nil && resp.StatusCode == 200 {
			return
		}
		if c.Close(); time.Now().After(deadline) {
			t.Fatal("no room after a connection was closed")
		}
	}
}

// A client that is refused while it is sending reads its answer and the end of the
// connection, not a reset, which may take the answer from it.
func TestRefusedClientReadsOn(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello")}, func(cfg *trigger.HTTPConfig) { cfg.RefusalTimeout = 2 * time.Minute })
	for _, request := range []string{
		get + "Content-Length: 20000000\r\n\r\n" + bytesOf(200_000),
		get + "Expect: x\r\nContent-Length: 200000\r\n\r\n" + bytesOf(200_000),
		get + "X Y: z\r\n\r\n" + strings.Repeat(smuggled, 2000),
	} {
		c := s.dial()
		c.write(request)
		resp := c.response()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode < 400 {
			t.Errorf("status %d, %v", resp.StatusCode, err)
		}
		if _, err := c.r.ReadByte(); err != io.EOF {
			t.Errorf("behind the answer with status %d: %v, want the end", resp.StatusCode, err)
		}
		c.Close()
	}
}

// A deadline comes when it was asked for, or up to a second later; it can be moved
// and taken away while something waits; and setting it again costs nothing.
func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		inner := &countingConn{Conn: near}
		c := trigger.NewConn(inner, 60*time.Second, 10*time.Second, 30*time.Second)
		wait := func(want time.Duration) {
			t.Helper()
			began := time.Now()
			_, err := c.Read(make([]byte, 1))
			if got := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || got < want || got > want+time.Second {
				t.Errorf("waited %v, %v; want %v", got, err, want)
			}
		}
		c.SetReadDeadline(time.Now().Add(3 * time.Second))
		wait(3 * time.Second)
		c.SetReadDeadline(time.Now().Add(-time.Second))
		wait(0)
		c.SetReadDeadline(time.Now().Add(time.Hour))
		time.AfterFunc(5*time.Second, func() { c.SetReadDeadline(time.Now().Add(-time.Second)) })
		wait(5 * time.Second)
		c.SetReadDeadline(time.Time{})
		trigger.Follow(c, fasthttp.StateActive)
		wait(10 * time.Second) // as for a header
		trigger.Follow(c, fasthttp.StateIdle)
		wait(60 * time.Second)
		trigger.Follow(c, fasthttp.StateActive)
		wait(10 * time.Second)
		wait(0) // the header's time is over, however often one waits

		go func() {
			for b := make([]byte, 1); ; {
				if _, err := far.Read(b); err != nil {
					return
				}
			}
		}()
		before := inner.set
		for range 100 { // a request each
			if _, err := c.Write([]byte{0}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		if n := inner.set - before; n != 1 {
			t.Errorf("set %d deadlines within 100 ms, want 1", n)
		}
	})
}

type countingConn struct {
	net.Conn
	set int
}

func (c *countingConn) SetWriteDeadline(t time.Time) error {
	c.set++
	return c.Conn.SetWriteDeadline(t)
}
