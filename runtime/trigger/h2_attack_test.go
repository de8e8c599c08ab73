package trigger_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/trigger"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// attack is what a client does to keep the node busy or its memory full, on a
// connection whose settings were sent, and how the connection may end.
type attack struct {
	name string
	do   func(c *h2Conn) (stream uint32)
	want string // beginnings, with "|" between them
}

// Each ends by itself, leaves no memory and no goroutine behind, and others are
// served meanwhile.
func TestHTTP2Attacks(t *testing.T) {
	attacks := []attack{
		{"PING flood", flood(func(c *h2Conn, i int) error { return c.WritePing(false, [8]byte{1}) }), "closed|goaway"},
		{"SETTINGS flood", flood(func(c *h2Conn, i int) error { return c.WriteSettings() }), "closed|goaway"},
		{"PRIORITY flood", flood(func(c *h2Conn, i int) error {
			return c.WritePriority(uint32(2*i+1), http2.PriorityParam{StreamDep: 0, Weight: 1})
		}), "closed|goaway"},
		{"flood of unknown frames", flood(func(c *h2Conn, i int) error { return c.WriteRawFrame(0xee, 0, 0, nil) }), "closed|goaway"},
		{"flood of empty DATA", func(c *h2Conn) uint32 {
			c.request(1, true, ":method", "POST", ":authority", "body.localhost")
			flood(func(c *h2Conn, i int) error { return c.WriteData(1, false, nil) })(c)
			return 1
		}, "closed|goaway|408|418"},
		{"rapid reset", flood(func(c *h2Conn, i int) error {
			c.request(uint32(2*i+1), false)
			return c.WriteRSTStream(uint32(2*i+1), http2.ErrCodeCancel)
		}), "closed|goaway"},
		{"rapid reset by mistakes", flood(func(c *h2Conn, i int) error {
			c.request(uint32(2*i+1), false)
			return c.WriteWindowUpdate(uint32(2*i+1), 1<<31-1) // overflows, so that the server resets
		}), "closed|goaway"},
		{"too many streams", func(c *h2Conn) uint32 {
			for i := range 101 {
				c.request(uint32(2*i+1), true, ":method", "POST", ":authority", "body.localhost")
			}
			return 201
		}, "reset REFUSED_STREAM|reset PROTOCOL_ERROR|goaway"},
		{"CONTINUATION flood", func(c *h2Conn) uint32 {
			c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields()})
			flood(func(c *h2Conn, i int) error { return c.WriteContinuation(1, false, nil) })(c)
			return 1
		}, "closed|goaway"},
		{"CONTINUATION flood with fields", func(c *h2Conn) uint32 {
			c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields()})
			c.header.Reset()
			c.enc.WriteField(hpack.HeaderField{Name: "a", Value: strings.Repeat("b", 8000), Sensitive: true})
			flood(func(c *h2Conn, i int) error { return c.WriteContinuation(1, false, c.header.Bytes()) })(c)
			return 1
		}, "closed|goaway"},
		{"CONTINUATION that never comes", func(c *h2Conn) uint32 {
			c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields()})
			return 1
		}, "closed|goaway"},
		{"header bomb", func(c *h2Conn) uint32 { // 4,000 bytes once, then referred to by a byte each
			bomb := []string{"a", strings.Repeat("b", 4000)}
			for range 3000 {
				bomb = append(bomb, "a", strings.Repeat("b", 4000))
			}
			c.request(1, false, bomb...)
			return 1
		}, "431|goaway|closed"},
		{"table of another size", func(c *h2Conn) uint32 {
			c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x3f, 0xe1, 0xff, 0x7f}, EndHeaders: true, EndStream: true})
			return 1
		}, "goaway COMPRESSION_ERROR|closed"},
		{"body that never comes", func(c *h2Conn) uint32 {
			c.request(1, true, ":method", "POST", ":authority", "body.localhost", "content-length", "5")
			return 1
		}, "418|408|reset"},
		{"body that nobody reads", func(c *h2Conn) uint32 {
			c.request(1, true, ":method", "POST", "content-length", "500000")
			for range 30 {
				c.WriteData(1, false, make([]byte, 1000)) //nolint:errcheck // it may be reset
			}
			return 1
		}, "200"},
		{"window that stays shut", func(c *h2Conn) uint32 {
			c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			c.request(1, false)
			return 1
		}, "200 reset|reset|200 closed"},
		{"window of a byte at a time", func(c *h2Conn) uint32 {
			c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
			c.request(1, false, ":authority", "large.localhost")
			for range 20 {
				time.Sleep(20 * time.Millisecond)
				c.WriteWindowUpdate(1, 1) //nolint:errcheck // it may be reset
			}
			return 1
		}, "200 reset|reset|200 closed"},
		{"answers that nobody takes", func(c *h2Conn) uint32 {
			for i := range 50 {
				c.request(uint32(2*i+1), false, ":authority", "large.localhost")
			}
			time.Sleep(700 * time.Millisecond)
			return 99
		}, "200 reset|200 closed|reset|429|503|closed"},
		{"silence", func(c *h2Conn) uint32 { return 1 }, "closed|goaway"},
		{"window that overflows", func(c *h2Conn) uint32 {
			c.WriteWindowUpdate(0, 1<<31-1)
			return 1
		}, "goaway FLOW_CONTROL_ERROR"},
		{"frame too large", func(c *h2Conn) uint32 {
			c.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 1<<20+1)) //nolint:errcheck // the server need not read it
			return 1
		}, "goaway FRAME_SIZE_ERROR|closed"},
		{"stream of the server's", func(c *h2Conn) uint32 {
			c.request(2, false)
			return 2
		}, "goaway PROTOCOL_ERROR"},
		{"push", func(c *h2Conn) uint32 {
			c.WriteRawFrame(http2.FramePushPromise, http2.FlagPushPromiseEndHeaders, 1, []byte{0, 0, 0, 2})
			return 1
		}, "goaway PROTOCOL_ERROR"},
	}
	guests := map[string][]byte{"hello": helloGuest("hello"), "body": bodyGuest(), "large": largeGuest(32)}
	leavesNothing(t, func(t *testing.T) {
		for _, a := range attacks {
			t.Run(a.name, func(t *testing.T) {
				t.Parallel() // most of them wait
				patiently(t, func(t testing.TB, soon time.Duration) { a.run(t, start(t, host.Limits{}, guests, impatient(soon))) })
			})
		}
	})
}

func (a *attack) run(t testing.TB, s *server) {
	c := dialH2(t, s.secure())
	defer c.c.Close()
	if got := c.outcome(a.do(c)); !beginsWith(got, a.want) {
		t.Errorf("got %s, want %s", got, a.want)
	}
	if status, body := s.get("hello", "/"); status != 200 || body != "hello" {
		t.Errorf("another client: %d %q", status, body)
	}
}

func beginsWith(got, beginnings string) bool {
	for b := range strings.SplitSeq(beginnings, "|") {
		if strings.HasPrefix(got, b) {
			return true
		}
	}
	return false
}

// flood sends until the connection ends, or for long, while what comes back is read.
func flood(send func(c *h2Conn, i int) error) func(*h2Conn) uint32 {
	return func(c *h2Conn) uint32 {
		var reading sync.WaitGroup
		reading.Go(func() { io.Copy(io.Discard, c.c) }) //nolint:errcheck // until the end
		for i := range 20_000 {
			if send(c, i) != nil {
				break
			}
		}
		reading.Wait()
		return 1<<31 - 1
	}
}

// Handshakes have the time of a header, too, and are done beside each other.
func TestSlowHandshakes(t *testing.T) {
	leavesPatiently(t, func(t testing.TB, soon time.Duration) {
		s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello")}, impatient(soon))
		addr := s.secure()
		for _, begin := range []string{"", "\x16", "\x16\x03\x01\x02\x00\x01", "\x16\x03\x01\xff\xff"} {
			for range 20 {
				c := must(net.Dial("tcp", addr))(t)
				defer c.Close()
				io.WriteString(c, begin) //nolint:errcheck // what is seen is the end
				defer func() {
					c.SetDeadline(time.Now().Add(2 * time.Minute))
					if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
						t.Errorf("%q: the connection is still open", begin)
					}
				}()
			}
		}
		if resp := must(h2Client(t, addr).Get("https://hello.localhost/"))(t); resp.StatusCode != 200 {
			t.Errorf("another client: %d", resp.StatusCode)
		}
	})
}

func TestTLSVersionsAndProtocols(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello")})
	addr := s.secure()
	for _, tt := range []struct {
		name   string
		config *tls.Config
		want   string
	}{
		{"HTTP/1.1", clientTLS("http/1.1"), "HTTP/1.1 200"},
		{"none", clientTLS(), "HTTP/1.1 200"},
		{"unknown", clientTLS("spdy/3"), "no application protocol"},
	} {
		if got := overTLS(addr, tt.config); !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	c := must(net.Dial("tcp", addr))(t)
	defer c.Close()
	io.WriteString(c, get+end)
	if got, _ := io.ReadAll(c); !strings.Contains(string(got), "speaks HTTPS") {
		t.Errorf("without TLS: %q", got)
	}
}

// overTLS sends a request of HTTP/1.1 and returns what came back.
func overTLS(addr string, config *tls.Config) string {
	c, err := tls.Dial("tcp", addr, config)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	fmt.Fprint(c, get+"Connection: close\r\n\r\n")
	answer, err := io.ReadAll(c)
	return fmt.Sprint(string(answer), err)
}

// A client that closes a connection over TLS says so before; its guest ends all
// the same.
func TestSecureClientGone(t *testing.T) {
	s := startCounted(t, host.Limits{Wall: 5 * time.Minute, CPU: 5 * time.Minute}, map[string][]byte{"spin": spins()})
	c := must(tls.Dial("tcp", s.secure(), clientTLS("http/1.1")))(t)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: spin.localhost\r\n\r\n")
	s.waitForGuest()
	c.Close()
	s.waitFor(func() bool { return strings.Contains(s.log.String(), "canceled") }, "the guest to be canceled")
}

// Connections from one address count together, whichever way they came.
func TestSecureConnectionsPerAddress(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello")}, func(c *trigger.HTTPConfig) { c.MaxConnsPerIP = 3 })
	addr := s.secure()
	plain := s.dial()
	plain.write(get + end)
	plain.response().Body.Close()
	h2, h1 := dialH2(t, addr), must(tls.Dial("tcp", addr, clientTLS("http/1.1")))(t)
	h2.request(1, false)
	if got := h2.outcome(1); got != "200+5" {
		t.Fatalf("second connection: %s", got)
	}
	if c, err := tls.Dial("tcp", addr, clientTLS("h2")); err == nil {
		c.Close()
		t.Error("a fourth connection was taken")
	}
	h2.c.Close()
	s.waitFor(func() bool { return strings.Contains(overTLS(addr, clientTLS("http/1.1")), "200") }, "room after one has left")
	h1.Close()
	plain.Close()
	s.waitFor(func() bool { return s.raw(get+"Connection: close\r\n\r\n") == 200 }, "room after all have left")
}

// Beyond so many connections, those over TLS that were idle for longest are closed
// as well, and handshakes that do not go on.
func TestMostSecureConnections(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		const most = 20
		s := start(t, host.Limits{}, map[string][]byte{"hello": helloGuest("hello")}, func(c *trigger.HTTPConfig) {
			c.MaxConns, c.HeaderTimeout, c.IdleTimeout = most, time.Minute, time.Minute
		})
		addr := s.secure()
		for range 2 * most {
			stuck := must(net.Dial("tcp", addr))(t)
			defer stuck.Close()
			c := dialH2(t, addr)
			defer c.c.Close()
			c.request(1, false)
			if got := c.outcome(1); got != "200+5" {
				t.Fatalf("a newcomer: %s", got)
			}
		}
		if got := overTLS(addr, clientTLS("http/1.1")); !strings.Contains(got, "200 OK") {
			t.Errorf("by HTTP/1.1: %s", got)
		}
	})
}
