package certs_test

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/kv/logtest"
	"github.com/mayfly-run/mayfly/runtime/certs"
	"github.com/mayfly-run/mayfly/runtime/certs/certstest"
)

// shake negotiates, and says what came of it for the client.
func shake(t *testing.T, server, client *tls.Config) string {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	go tls.Server(a, server).Handshake() //nolint:errcheck // the client tells
	c := tls.Client(b, client)
	if err := c.Handshake(); err != nil {
		return err.Error()
	}
	state := c.ConnectionState()
	return tls.VersionName(state.Version) + " " + state.NegotiatedProtocol
}

func TestVersions(t *testing.T) {
	var log logtest.Buffer
	c := must(certs.New(certs.Config{Logger: log.Logger(), Pairs: []certs.Pair{certstest.Pair(t, t.TempDir(), 1, "example.com")}}))(t)
	for _, tt := range []struct {
		name        string
		least, most uint16
		protocols   []string
		want        string
	}{
		{"newest", 0, 0, []string{"h2", "http/1.1"}, "TLS 1.3 h2"},
		{"HTTP/1.1 alone", 0, 0, []string{"http/1.1"}, "TLS 1.3 http/1.1"},
		{"no protocol", 0, 0, nil, "TLS 1.3 "},
		{"1.2", 0, tls.VersionTLS12, []string{"h2"}, "TLS 1.2 h2"},
		{"1.1", tls.VersionTLS10, tls.VersionTLS11, nil, "protocol version not supported"},
		{"1.0", tls.VersionTLS10, tls.VersionTLS10, nil, "protocol version not supported"},
		{"unknown protocol", 0, 0, []string{"spdy/3"}, "no application protocol"},
		{"challenge without an authority", 0, 0, []string{"acme-tls/1"}, "no application protocol"},
	} {
		client := &tls.Config{InsecureSkipVerify: true, ServerName: "example.com", MinVersion: tt.least, MaxVersion: tt.most, NextProtos: tt.protocols} //nolint:gosec // old versions are what is tested
		if got := shake(t, c.TLS(), client); got != tt.want && (len(tt.want) < 20 || !strings.HasSuffix(got, tt.want)) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
