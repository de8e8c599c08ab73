package bench_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/bench/guests"
	"github.com/mayfly-run/mayfly/runtime/certs"
	"github.com/mayfly-run/mayfly/runtime/certs/certstest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// BenchmarkHTTPS is BenchmarkHTTP over TLS, with net/http as the client: by HTTP/1.1
// on a connection for each of its goroutines, and by HTTP/2 on one for all.
func BenchmarkHTTPS(b *testing.B) {
	for _, protocol := range []string{"h1", "h2"} {
		b.Run("protocol="+protocol+"/guest="+all[0].Name, func(b *testing.B) {
			askTLS(b, startTLSNode(b, all[0]), protocol == "h2", all[0])
		})
	}
}

func startTLSNode(b *testing.B, g guests.Guest) string {
	n, err := node.Start(b.Context(), node.Config{
		Data: filepath.Join(b.TempDir(), "data"), Listen: "127.0.0.1:0", Single: "bench", Logger: slog.New(slog.DiscardHandler),
		TLS: node.TLS{Listen: "127.0.0.1:0", Certificates: []certs.Pair{certstest.Pair(b, b.TempDir(), 1, "bench.localhost")}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { n.Shutdown(context.Background()) })
	if _, err := n.Registry().Deploy(b.Context(), deploy.Local, "bench", deploy.Upload{Module: mustModule(b, g)}); err != nil {
		b.Fatal(err)
	}
	return n.HTTPSAddr()
}

func askTLS(b *testing.B, addr string, h2 bool, g guests.Guest) {
	transport := &http.Transport{ForceAttemptHTTP2: h2, MaxIdleConnsPerHost: 64,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the certificate is the benchmark's own
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, addr)
		}}
	if !h2 {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	b.SetParallelism(8)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := askOnce(client, g); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

func askOnce(client *http.Client, g guests.Guest) error {
	req, err := http.NewRequest(g.Method, "https://bench.localhost/", strings.NewReader(g.Body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
