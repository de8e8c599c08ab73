package bench_test

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"

	"github.com/mayfly-run/mayfly/bench/guests"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
	"github.com/valyala/fasthttp"
)

// BenchmarkHTTP is one request over loopback on a kept-alive connection, client
// and server in this process: the same client against bare fasthttp, which is
// the ceiling, and against a node.
func BenchmarkHTTP(b *testing.B) {
	b.Run("server=fasthttp", func(b *testing.B) { ask(b, bareServer(b), all[0]) })
	for _, engine := range []string{"simple", "snapshot"} {
		for _, g := range all {
			b.Run("server=mayfly/engine="+engine+"/guest="+g.Name, func(b *testing.B) {
				ask(b, startNode(b, g, engine == "simple"), g)
			})
		}
	}
}

func bareServer(b *testing.B) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString("hello") }}
	go s.Serve(ln)
	b.Cleanup(func() { s.Shutdown() })
	return ln.Addr().String()
}

func startNode(b *testing.B, g guests.Guest, simple bool) string {
	n, err := node.Start(b.Context(), node.Config{
		Data: filepath.Join(b.TempDir(), "data"), Listen: "127.0.0.1:0", Single: "bench", Simple: simple, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { n.Shutdown(context.Background()) })
	if _, err := n.Registry().Deploy(b.Context(), deploy.Local, "bench", deploy.Upload{Module: mustModule(b, g)}); err != nil {
		b.Fatal(err)
	}
	return n.HTTPAddr()
}

func ask(b *testing.B, addr string, g guests.Guest) {
	client := &fasthttp.HostClient{Addr: addr, MaxConns: 64}
	b.SetParallelism(8)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
		req.Header.SetMethod(g.Method)
		req.SetRequestURI("http://" + addr + "/")
		req.SetBodyString(g.Body)
		for pb.Next() {
			if err := client.Do(req, resp); err != nil || resp.StatusCode() != 200 {
				b.Errorf("status %d, %v", resp.StatusCode(), err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}
