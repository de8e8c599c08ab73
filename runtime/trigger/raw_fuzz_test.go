package trigger_test

import (
	"io"
	"net"
	"strings"
	"testing"
)

// FuzzConnection: whatever a client sends, what it reads are well-formed answers,
// and guests see no more requests than it can have sent.
func FuzzConnection(f *testing.F) {
	for _, seed := range []string{get + end, post + "Content-Length: 3\r\n\r\nabc" + get + end, chunked + "3;a=\"b\"\r\nabc\r\n0\r\nX: y\r\n\r\n" + get + end,
		get + "Expect: 100-continue\r\nContent-Length: 1\r\n\r\na", "GET http://hello.localhost/ HTTP/1.0\r\n" + hostLine + "Connection: keep-alive\r\n\r\n",
		get + "X: a\r\n b\r\n\r\n", get + "\n" + smuggled, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00"} {
		f.Add(seed)
	}
	s := startRaw(f)
	f.Fuzz(func(t *testing.T, sent string) {
		s.t = t
		s.taken()
		if strings.HasPrefix(strings.TrimLeft(sent, "\r\n"), "HEAD") || strings.Contains(sent, "\nHEAD") {
			return // the answers' ends cannot be told without knowing which was asked for
		}
		c := s.dial()
		defer c.Close()
		io.WriteString(c, sent) //nolint:errcheck // it may not be read to its end
		c.Conn.(*net.TCPConn).CloseWrite()
		for {
			if _, err := c.r.Peek(1); err != nil {
				break
			}
			if got, err := readStrictly(c.r, false); err != nil {
				t.Fatalf("got %q, %v", got, err)
			}
		}
		if seen, most := s.taken(), strings.Count(sent, " HTTP/1."); len(seen) > most {
			t.Errorf("guests saw %q", seen)
		}
	})
}
