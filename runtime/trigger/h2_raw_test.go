package trigger_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// What may stand in a request of HTTP/2 (RFC 9113, sections 8.2 and 8.3), and in one
// of any version.
func TestHTTP2Requests(t *testing.T) {
	s := startRaw(t)
	addr := s.secure()
	for _, tt := range []struct {
		name   string
		fields []string
		want   string
	}{
		{"request", nil, "200 GET hello/"},
		{"query", []string{":path", "/a?b=c"}, "200 GET hello/a?b=c"},
		{"port", []string{":authority", "hello.localhost:8443"}, "200 GET hello.localhost:8443/"},
		{"Host alone", []string{":authority", "-", "host", "hello.localhost"}, "200 GET hello/"},
		{"Host as well", []string{"host", "hello.localhost"}, "200 GET hello/"},
		{"other Host", []string{"host", "other.localhost"}, "reset PROTOCOL_ERROR"},
		{"two Hosts", []string{"host", "hello.localhost", "host", "other.localhost"}, "reset PROTOCOL_ERROR"},
		{"no authority", []string{":authority", "-"}, "400"},
		{"user", []string{":authority", "user@hello.localhost"}, "reset PROTOCOL_ERROR"},
		{"list", []string{":authority", "hello.localhost,other.localhost"}, "400"},
		{"space in authority", []string{":authority", "hello.localhost x"}, "reset PROTOCOL_ERROR"},
		{"path in authority", []string{":authority", "hello.localhost/x"}, "reset PROTOCOL_ERROR"},
		{"unknown host", []string{":authority", "nobody.localhost"}, "404"},
		{"scheme http", []string{":scheme", "http"}, "400"},
		{"scheme ftp", []string{":scheme", "ftp"}, "reset PROTOCOL_ERROR"},
		{"no scheme", []string{":scheme", "-"}, "reset PROTOCOL_ERROR"},
		{"no path", []string{":path", "-"}, "reset PROTOCOL_ERROR"},
		{"no method", []string{":method", "-"}, "reset PROTOCOL_ERROR"},
		{"asterisk", []string{":method", "OPTIONS", ":path", "*"}, "400"},
		{"absolute", []string{":path", "https://hello.localhost/"}, "reset PROTOCOL_ERROR"},
		{"path without slash", []string{":path", "x"}, "reset PROTOCOL_ERROR"},
		{"space in path", []string{":path", "/a b"}, "400"},
		{"request line in path", []string{":path", "/ HTTP/1.0"}, "400"},
		{"CR LF in path", []string{":path", "/ HTTP/1.1\r\nX: y"}, "reset PROTOCOL_ERROR"},
		{"fragment", []string{":path", "/#x"}, "400"},
		{"broken percent", []string{":path", "/%zz"}, "reset PROTOCOL_ERROR"},
		{"backslash", []string{":path", "/a\\b"}, "400"},
		{"CONNECT", []string{":method", "CONNECT", ":path", "-", ":scheme", "-"}, "400"},
		{"extended CONNECT", []string{":method", "CONNECT", ":protocol", "websocket"}, "reset PROTOCOL_ERROR"},
		{"TRACE", []string{":method", "TRACE"}, "405"},
		{"method in small letters", []string{":method", "get"}, "501"},
		{"space in method", []string{":method", "GET /x"}, "400"},
		{"CR LF in method", []string{":method", "GET / HTTP/1.1\r\nX: y"}, "reset PROTOCOL_ERROR"},
		{"long method", []string{":method", strings.Repeat("A", 33)}, "501"},
		{"unknown pseudo field", []string{":x", "y"}, "reset PROTOCOL_ERROR"},
		{"pseudo field behind another", []string{"a", "b", ":path", "/"}, "reset PROTOCOL_ERROR"},
		{"pseudo field of answers", []string{":status", "200"}, "reset PROTOCOL_ERROR"},
		{"capitals in name", []string{"X-A", "b"}, "reset PROTOCOL_ERROR"},
		{"space in name", []string{"x a", "b"}, "reset PROTOCOL_ERROR"},
		{"CR LF in value", []string{"x-a", "b\r\nhost: other.localhost"}, "reset PROTOCOL_ERROR"},
		{"NUL in value", []string{"x-a", "b\x00"}, "reset PROTOCOL_ERROR"},
		{"connection", []string{"connection", "close"}, "400"},
		{"transfer encoding", []string{"transfer-encoding", "chunked"}, "400"},
		{"upgrade", []string{"upgrade", "h2c"}, "400"},
		{"te", []string{"te", "gzip"}, "400"},
		{"te trailers", []string{"te", "trailers"}, "200 GET hello/"},
		{"length without a body", []string{"content-length", "5"}, "400"},
		{"length of none", []string{"content-length", "0"}, "200 GET hello/"},
		{"length that is no number", []string{"content-length", "+5"}, "400"},
		{"two lengths", []string{"content-length", "0", "content-length", "5"}, "400"},
		{"too many fields", strings.Split(strings.Repeat("a,b,", 257)+"a,b", ","), "431"},
		{"header too large", strings.Split(strings.Repeat("a,"+strings.Repeat("b", 1000)+",", 33)+"a,b", ","), "431"},
		{"field too large", []string{"a", strings.Repeat("b", 33<<10)}, "goaway COMPRESSION_ERROR"},
		{"URL too long", []string{":path", "/" + strings.Repeat("a", 16<<10)}, "414"},
		{"loop", []string{"cdn-loop", strings.Repeat("mayfly-test, ", 9) + "x"}, "508"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dialH2(t, addr)
			c.request(1, false, tt.fields...)
			got := c.outcome(1)
			if seen := s.taken(); len(seen) > 0 {
				got = got[:3] + " " + strings.Join(seen, " ")
			}
			if len(got) > 3 && got[3] == '+' {
				got = got[:3]
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if strings.HasPrefix(got, "goaway") {
				return
			}
			c.request(3, false, ":authority", "probe.localhost")
			if got := c.outcome(3); got != "200+5" {
				t.Errorf("next request of the connection: %s", got)
			}
		})
	}
}

// Bodies that are not what was announced (RFC 9113, section 8.1.1).
func TestHTTP2Bodies(t *testing.T) {
	s := startRaw(t)
	addr := s.secure()
	for _, tt := range []struct {
		name   string
		length string
		data   []string
		want   string
	}{
		{"as announced", "6", []string{"abc", "def"}, "200+6"},
		{"not announced", "", []string{"abc", "def"}, "200+6"},
		{"empty frames", "3", []string{"", "abc", "", ""}, "200+3"},
		{"too short", "7", []string{"abc", "def"}, "reset PROTOCOL_ERROR"},
		{"too long", "5", []string{"abc", "def"}, "reset PROTOCOL_ERROR"},
		{"none at all", "5", []string{""}, "reset PROTOCOL_ERROR"},
		{"larger than any may be", "1000000000", []string{"abc"}, "413"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dialH2(t, addr)
			fields := []string{":method", "POST", ":authority", "body.localhost"}
			if tt.length != "" {
				fields = append(fields, "content-length", tt.length)
			}
			c.request(1, true, fields...)
			for i, data := range tt.data {
				c.WriteData(1, i == len(tt.data)-1, []byte(data)) //nolint:errcheck // seen by what comes back
			}
			got := c.outcome(1)
			if strings.HasPrefix(tt.want, "reset") && strings.HasPrefix(got, "418") { // the guest may see it first
				got = tt.want
			}
			if got != tt.want && !strings.HasPrefix(got, tt.want+"+") {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// FuzzHTTP2: whatever a client sends, the node goes on, and guests see no more
// requests than there were header blocks.
func FuzzHTTP2(f *testing.F) {
	seed := func(write func(*http2.Framer, []byte)) []byte {
		var b, block strings.Builder
		e := hpack.NewEncoder(&block)
		for _, p := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "hello.localhost"}, {":path", "/"}} {
			e.WriteField(hpack.HeaderField{Name: p[0], Value: p[1]})
		}
		write(http2.NewFramer(&b, nil), []byte(block.String()))
		return []byte(b.String())
	}
	f.Add(seed(func(fr *http2.Framer, block []byte) {
		fr.WriteSettings()
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true, EndStream: true})
	}))
	f.Add(seed(func(fr *http2.Framer, block []byte) {
		fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:3]})
		fr.WriteContinuation(1, true, block[3:])
		fr.WriteData(1, true, []byte("abc"))
		fr.WriteRSTStream(1, http2.ErrCodeCancel)
		fr.WritePing(false, [8]byte{})
		fr.WriteWindowUpdate(0, 1)
		fr.WriteGoAway(1, http2.ErrCodeNo, nil)
	}))
	s := startRaw(f)
	addr := s.secure()
	f.Fuzz(func(t *testing.T, sent []byte) {
		s.t = t
		s.taken()
		c := dialH2(t, addr)
		defer c.c.Close()
		c.c.Write(sent)              //nolint:errcheck // it may not be read to its end
		c.c.(*tls.Conn).CloseWrite() //nolint:errcheck // the server may have ended it
		c.outcome(1<<31 - 1)
		if seen := s.taken(); len(seen) > len(sent)/9 {
			t.Errorf("guests saw %q", seen)
		}
	})
}
