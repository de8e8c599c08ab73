package trigger_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/fetch"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/host/wagi"
	"github.com/mayfly-run/mayfly/kv/logtest"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
	"github.com/mayfly-run/mayfly/runtime/trigger"
	"github.com/mayfly-run/mayfly/runtime/worker/workertest"
)

// server is a front end with Functions behind it, and its log.
type server struct {
	t        testing.TB
	addr     string
	registry *deploy.Registry
	runner   *trigger.Runner
	front    *trigger.HTTP
	metrics  *telemetry.Metrics
	services *host.Services
	guestLog *hosttest.Log
	observer *telemetry.Observer
	log      *logtest.Buffer
}

// start serves the guests, each under its name, with limits for all of them.
func start(t testing.TB, limits host.Limits, guests map[string][]byte, edit ...func(*trigger.HTTPConfig)) *server {
	t.Helper()
	return startWith(t, deploy.Config{Limits: limits}, guests, edit...)
}

// startCounted is start with a count of the memory that guests take, so that a test
// can wait for one to run.
func startCounted(t testing.TB, limits host.Limits, guests map[string][]byte) *server {
	t.Helper()
	return startWith(t, deploy.Config{Memory: 128 << 20, AccountMemory: 128 << 20, Limits: limits}, guests)
}

func (s *server) waitForGuest() {
	s.t.Helper()
	s.waitFor(func() bool { return s.registry.RunningBytes() > 0 }, "a guest to run")
}

// startWith is start with what a registry can be told beside limits.
func startWith(t testing.TB, registry deploy.Config, guests map[string][]byte, edit ...func(*trigger.HTTPConfig)) *server {
	t.Helper()
	s := &server{t: t, guestLog: new(hosttest.Log), log: new(logtest.Buffer)}
	logger := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	config := runtime.Config{ABIs: []abi.ABI{native.New(), wagi.New()}}
	if workertest.Asked() {
		workertest.Isolate(t, &config)
	}
	engine := must(runtime.New(t.Context(), config))(t)
	fetcher := must(fetch.New(fetch.Config{NodeID: "test", Policy: func(string) fetch.Policy {
		return fetch.Policy{AllowPrivate: true, HighPorts: true}
	}, OwnAddrs: func() ([]netip.Addr, error) { return nil, nil }}))(t)
	services := &host.Services{Fetcher: fetcher, Log: s.guestLog, Logger: logger, Now: time.Now, Random: rand.Reader}
	registry.Store, registry.Blobs, registry.Runtime = memkv.New(memkv.Config{}), memkv.NewBlobs(), engine
	s.metrics, s.services, s.observer = new(telemetry.Metrics), services, telemetry.NewObserver(telemetry.ObserverConfig{})
	runner := trigger.NewRunner(trigger.RunnerConfig{Services: services, Logger: logger, Metrics: s.metrics, Observer: s.observer})
	registry.Call, s.runner = runner.Call, runner
	registry.Services, registry.Domain, registry.Logger = services, "localhost", logger
	s.registry = must(deploy.NewRegistry(t.Context(), registry))(t)
	for name, wasm := range guests {
		must(s.registry.Deploy(t.Context(), "local", name, deploy.Upload{Module: wasm}))(t)
	}
	cfg := trigger.HTTPConfig{
		Services: services,
		Table:    s.registry,
		Loops:    func(field string) int { return fetch.LoopCount(field, "test") },
		Logger:   logger,
	}
	for _, e := range edit {
		e(&cfg)
	}
	s.front = trigger.NewHTTP(cfg)
	ln := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	s.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.front.Serve(ln) }()
	t.Cleanup(func() {
		s.front.Shutdown(context.Background())
		runner.Shutdown(context.Background())
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		s.registry.Close()
		fetcher.Close()
		engine.Close(context.Background())
	})
	return s
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// client gives up on a server that hangs, so that the test names the place.
var client = &http.Client{Timeout: 2 * time.Minute}

// get asks a Function and returns status and body.
func (s *server) get(function, path string) (int, string) { return s.send("GET", function, path, "") }

func (s *server) send(method, function, path, body string, headers ...string) (int, string) {
	s.t.Helper()
	req := must(http.NewRequest(method, "http://"+s.addr+path, strings.NewReader(body)))(s.t)
	req.Host = function + ".localhost"
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp := must(client.Do(req))(s.t)
	defer resp.Body.Close()
	return resp.StatusCode, string(must(io.ReadAll(resp.Body))(s.t))
}

// conn is a connection on which a test speaks HTTP by hand.
type conn struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func (s *server) dial() *conn {
	s.t.Helper()
	return s.speak(must(net.Dial("tcp", s.addr))(s.t))
}

// dialTLS is dial over TLS, to what secure returned.
func (s *server) dialTLS(addr string) *conn {
	s.t.Helper()
	return s.speak(must(tls.Dial("tcp", addr, clientTLS("http/1.1")))(s.t))
}

func (s *server) speak(c net.Conn) *conn {
	s.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(2 * time.Minute))
	return &conn{c, s.t, bufio.NewReader(c)}
}

// write sends. A server that refuses a request need not read it to the end: what
// it said is for the test to read.
func (c *conn) write(s string) {
	c.t.Helper()
	_, err := io.WriteString(c, s)
	if err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		c.t.Fatal(err)
	}
}

// response reads one response; its body is read by the test.
func (c *conn) response() *http.Response {
	c.t.Helper()
	return must(http.ReadResponse(c.r, nil))(c.t)
}

// raw sends a request and returns the status of the answer, or 0 if the
// connection was closed without one.
func (s *server) raw(request string) int {
	s.t.Helper()
	c := s.dial()
	c.write(request)
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}
