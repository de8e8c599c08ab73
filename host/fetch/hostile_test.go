package fetch_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/fetch"
)

// mustRaw serves connections with a function that has read the request's
// headers, and returns the URL to it.
func mustRaw(t *testing.T, serve func(conn net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				http.ReadRequest(bufio.NewReader(io.LimitReader(conn, 1<<10))) // or what else there is
				serve(conn)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// send writes and hangs up.
func send(text string) func(net.Conn) {
	return func(conn net.Conn) { io.WriteString(conn, text) }
}

// repeat writes a beginning and then the same again until the client hangs up.
func repeat(begin, again string) func(net.Conn) {
	return func(conn net.Conn) {
		_, err := io.WriteString(conn, begin)
		for err == nil {
			_, err = io.WriteString(conn, again)
		}
	}
}

// stall writes and then waits until the client hangs up.
func stall(text string) func(net.Conn) {
	return func(conn net.Conn) {
		io.WriteString(conn, text)
		io.Copy(io.Discard, conn)
	}
}

func TestHostileHeads(t *testing.T) {
	tests := []struct {
		name  string
		serve func(net.Conn)
	}{
		{"hangs up", send("")},
		{"garbage", send("\x16\x03\x01 garbage\x00\r\n\r\n")},
		{"half a status line", send("HTTP/1.1 2")},
		{"half a header", send("HTTP/1.1 200 OK\r\nContent-Le")},
		{"HTTP/2 unasked", send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
		{"status of letters", send("HTTP/1.1 abc OK\r\n\r\n")},
		{"two lengths", send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")},
		{"negative length", send("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n")},
		{"unknown coding", send("HTTP/1.1 200 OK\r\nTransfer-Encoding: zip\r\n\r\n")},
		{"protocol switch", send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")},
		{"NUL in a value", send("HTTP/1.1 200 OK\r\nX-A: a\x00x-injected\x001\r\n\r\n")},
		{"headers that never end", repeat("HTTP/1.1 200 OK\r\n", "X-Next: header\r\n")},
		{"one header that never ends", repeat("HTTP/1.1 200 OK\r\nX-Long: ", strings.Repeat("a", 4096))},
		{"interim responses that never end", repeat("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")},
		{"continues that never end", repeat("", "HTTP/1.1 100 Continue\r\n\r\n")},
	}
	c := mustClient(t, fetch.Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			hungUp := make(chan struct{})
			url := mustRaw(t, func(conn net.Conn) {
				tt.serve(conn)
				close(hungUp)
			})
			_, err := c.Fetch(t.Context(), get(url))
			wantCode(t, err, host.CodeUnavailable)
			<-hungUp // an upstream that goes on for ever is not listened to for ever
		})
	}
}

func TestHeaderLimit(t *testing.T) {
	long := func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Long", strings.Repeat("a", 80<<10)) }
	overBoth(t, long, func(t *testing.T, c *fetch.Client, url string) {
		_, err := c.Fetch(t.Context(), get(url))
		wantCode(t, err, host.CodeUnavailable)
	})
	c := mustClient(t, fetch.Config{MaxResponseHeaderBytes: 100 << 10})
	resp := mustFetch(t, c, get(mustServer(t, long).URL))
	if got, _ := resp.Headers.Get("x-long"); len(got) != 80<<10 {
		t.Errorf("header of %d bytes, want %d", len(got), 80<<10)
	}
}

func TestHostileBodies(t *testing.T) {
	const ok, chunked = "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	tests := []struct {
		name  string
		serve func(net.Conn)
		body  string // what is read before the failure
	}{
		{"close in mid-body", send(ok + "Content-Length: 10\r\n\r\nhalf"), "half"},
		{"close in a chunk", send(chunked + "a\r\nhalf"), "half"},
		{"close between chunks", send(chunked + "4\r\nhalf\r\n"), "half"},
		{"chunk size of letters", send(chunked + "4\r\nhalf\r\nxyz\r\n"), "half"},
		{"chunk size too large", send(chunked + "ffffffffffffffffff\r\n"), ""},
		{"endless trailers", repeat(chunked+"0\r\n", "X-Next: trailer\r\n"), ""},
	}
	c := mustClient(t, fetch.Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := mustFetch(t, c, get(mustRaw(t, tt.serve)))
			got, err := io.ReadAll(resp.Body)
			wantCode(t, err, host.CodeUnavailable)
			if string(got) != tt.body {
				t.Errorf("read %q, want %q", got, tt.body)
			}
		})
	}
}

func TestSlowUpstreamsMeetTheDeadline(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	tests := []struct{ name, sent, scheme string }{
		{"never answers", "", "http"},
		{"never shakes hands", "", "https"},
		{"stops in its headers", ok + "X-A", "http"},
		{"stops in its body", ok + "Content-Length: 100\r\n\r\na", "http"},
		{"never ends its chunks", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", "http"},
	}
	c := mustClient(t, fetch.Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url := mustRaw(t, stall(tt.sent))
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			resp, err := c.Fetch(ctx, get(tt.scheme+strings.TrimPrefix(url, "http")))
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			wantCode(t, err, host.CodeTimeout)
		})
	}
}

func TestEndlessBodyEndsWithTheReader(t *testing.T) {
	for _, begin := range []string{
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n",
	} {
		hungUp := make(chan struct{})
		url := mustRaw(t, func(conn net.Conn) {
			repeat(begin, "drop after drop ")(conn)
			close(hungUp)
		})
		resp := mustFetch(t, mustClient(t, fetch.Config{}), get(url))
		if _, err := io.CopyN(io.Discard, resp.Body, 1<<20); err != nil {
			t.Error(err)
		}
		resp.Body.Close()
		<-hungUp
		_, err := resp.Body.Read(make([]byte, 1))
		wantCode(t, err, host.CodeCanceled)
	}
}

func TestCompressedStaysCompressed(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 10<<20))
	z.Close()
	s := mustServer(t, func(w http.ResponseWriter, r *http.Request) {
		if got, found := r.Header["Accept-Encoding"]; found {
			t.Errorf("accept-encoding = %q, want none", got)
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(bomb.Bytes())
	})
	resp := mustFetch(t, mustClient(t, fetch.Config{}), get(s.URL))
	if encoding, _ := resp.Headers.Get("content-encoding"); string(encoding) != "gzip" {
		t.Errorf("content-encoding = %q, want gzip", encoding)
	}
	if got := mustRead(t, resp.Body); got != bomb.String() {
		t.Errorf("read %d bytes, want the %d sent", len(got), bomb.Len())
	}
}

func TestOddHeadersOfUpstreams(t *testing.T) {
	url := mustRaw(t, send("HTTP/1.1 200 OK\r\nA b: c\r\nX-B:  b\xe9 \r\nX-Empty:\r\nContent-Length: 0\r\n\r\n"))
	resp := mustFetch(t, mustClient(t, fetch.Config{}), get(url))
	want := host.Headers(nil).Add("content-length", "0").Add("x-b", "b\xe9").Add("x-empty", "")
	if string(resp.Headers) != string(want) {
		t.Errorf("headers = %q, want %q", resp.Headers, want)
	}
}

func TestControlCharactersNeverReachTheGuest(t *testing.T) {
	for _, value := range []string{"a\x00x-injected\x001", "a\r\nb: c", "\x01", "\x7f"} {
		if got, valid := fetch.ResponseHeaders(http.Header{"X-A": {value}}); valid {
			t.Errorf("%q became the valid block %q", value, got)
		}
	}
}

func TestTLSToPlainPort(t *testing.T) {
	s := mustServer(t, func(http.ResponseWriter, *http.Request) {})
	_, err := mustClient(t, fetch.Config{}).Fetch(t.Context(), get("https"+strings.TrimPrefix(s.URL, "http")))
	wantCode(t, err, host.CodeUnavailable)
	if want := "does not speak TLS on this port"; !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error = %q, want %q at its end", err, want)
	}
}
