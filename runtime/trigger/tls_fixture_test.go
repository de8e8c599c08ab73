package trigger_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// secure serves over TLS as well, and returns the address.
func (s *server) secure() string {
	s.t.Helper()
	ln := must(net.Listen("tcp", "127.0.0.1:0"))(s.t)
	served := make(chan error, 1)
	config := &tls.Config{Certificates: []tls.Certificate{testCertificate(s.t)}, NextProtos: []string{"h2", "http/1.1"}}
	go func() { served <- s.front.ServeTLS(ln, config) }()
	s.t.Cleanup(func() {
		s.front.Shutdown(context.Background())
		if err := <-served; err != nil {
			s.t.Errorf("serve TLS: %v", err)
		}
	})
	return ln.Addr().String()
}

func testCertificate(t testing.TB) tls.Certificate {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"*.localhost"}, NotAfter: time.Now().Add(time.Hour)}
	return tls.Certificate{Certificate: [][]byte{must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))(t)}, PrivateKey: key}
}

func clientTLS(protocols ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: protocols} //nolint:gosec // the certificate is the test's own
}

// h2Client speaks HTTP/2 to an address, whatever the URL says.
func h2Client(t testing.TB, addr string) *http.Client {
	t.Helper()
	transport := &http.Transport{
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			d := tls.Dialer{Config: clientTLS("h2")}
			return d.DialContext(ctx, "tcp", addr)
		},
		ForceAttemptHTTP2: true, DisableCompression: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 2 * time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// h2Conn is a connection on which a test speaks HTTP/2 by hand.
type h2Conn struct {
	*http2.Framer
	t      testing.TB
	c      net.Conn
	header bytes.Buffer
	enc    *hpack.Encoder
}

// dialH2 opens a connection, up to and with the client's settings.
func dialH2(t testing.TB, addr string, settings ...http2.Setting) *h2Conn {
	t.Helper()
	c := must(tls.Dial("tcp", addr, clientTLS("h2")))(t)
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(2 * time.Minute))
	must(io.WriteString(c, http2.ClientPreface))(t)
	h := &h2Conn{Framer: http2.NewFramer(c, c), t: t, c: c}
	h.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	h.enc = hpack.NewEncoder(&h.header)
	if err := h.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return h
}

// fields are a request's, in pairs; pseudo fields that are not given are those of a
// GET of hello.
func (h *h2Conn) fields(pairs ...string) []byte {
	h.header.Reset()
	pseudo := []string{":method", "GET", ":scheme", "https", ":authority", "hello.localhost", ":path", "/"}
	for i := 0; i < len(pseudo); i += 2 {
		if !strings.Contains(strings.Join(pairs, "\n")+"\n", pseudo[i]+"\n") {
			h.enc.WriteField(hpack.HeaderField{Name: pseudo[i], Value: pseudo[i+1]})
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "-" || pairs[i][0] != ':' {
			h.enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
		}
	}
	return bytes.Clone(h.header.Bytes())
}

// request begins a request, and ends it unless there is more.
func (h *h2Conn) request(stream uint32, more bool, pairs ...string) {
	h.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: h.fields(pairs...), EndHeaders: true, EndStream: !more}) //nolint:errcheck // seen by what comes back
}

// outcome reads until a stream or the connection ends, and says how: the status with
// "+" and the length of the body, or "reset" or "goaway" with the code, or "closed".
func (h *h2Conn) outcome(stream uint32) string {
	status, size := "", 0
	for {
		f, err := h.ReadFrame()
		if err != nil {
			return strings.TrimSpace(status + " closed")
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID == stream {
				status = f.PseudoValue("status")
				if f.StreamEnded() {
					return status
				}
			}
		case *http2.DataFrame:
			if f.StreamID == stream {
				if size += len(f.Data()); f.StreamEnded() {
					return fmt.Sprintf("%s+%d", status, size)
				}
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == stream {
				return strings.TrimSpace(fmt.Sprintf("%s reset %v", status, f.ErrCode))
			}
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				return strings.TrimSpace(fmt.Sprintf("%s goaway %v", status, f.ErrCode))
			}
		case *http2.SettingsFrame:
			if !f.IsAck() {
				h.WriteSettingsAck() //nolint:errcheck // the connection may have ended
			}
		}
	}
}
