package telemetry_test

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// otlp is a collector that keeps what it is sent.
type otlp struct {
	t       testing.TB
	url     string
	mu      sync.Mutex // guards what follows
	spans   []*tracepb.Span
	headers http.Header
}

func mustCollector(t testing.TB) *otlp {
	t.Helper()
	c := &otlp{t: t}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	c.url = s.URL
	return c
}

func (c *otlp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := gzip.NewReader(r.Body)
	if err != nil {
		c.t.Error(err)
		return
	}
	data, err := io.ReadAll(body)
	var req collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(data, &req)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		c.t.Errorf("%s: %v", r.URL.Path, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers = r.Header
	for _, rs := range req.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			c.spans = append(c.spans, ss.Spans...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// named is the one span of a name.
func (c *otlp) named(name string) *tracepb.Span {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, s := range c.spans {
		if s.Name == name {
			return s
		}
		all = append(all, s.Name)
	}
	c.t.Fatalf("no span %q in %q", name, all)
	return nil
}

func (c *otlp) names() (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		all = append(all, s.Name)
	}
	return all
}

func attributes(s *tracepb.Span) string {
	var all []string
	for _, a := range s.Attributes {
		text := a.Value.GetStringValue()
		if text == "" {
			text = fmt.Sprint(a.Value.GetIntValue())
		}
		all = append(all, a.Key+"="+text)
	}
	return strings.Join(all, " ")
}

// mustTracer makes a Tracer whose Close sends what is left however long it takes.
func mustTracer(t testing.TB, cfg telemetry.TracesConfig) *telemetry.Tracer {
	t.Helper()
	cfg.CloseTimeout = 2 * time.Minute
	tracer, err := telemetry.NewTracer(t.Context(), cfg, "n1", "1.2.3", slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

// traced lets an Invocation happen that fetches and uses KV, and returns what was
// fetched.
func traced(t testing.TB, tracer *telemetry.Tracer, headers string, internal bool, e telemetry.Ended) (sent host.FetchRequest) {
	t.Helper()
	o := telemetry.NewObserver(telemetry.ObserverConfig{Tracer: tracer})
	c := &host.Call{ID: "r1", Services: hosttest.Services(t), Limits: host.DefaultLimits(), Bindings: &host.Bindings{Account: "local", Function: "shop", Version: "v1"}}
	c.Request = hosttest.Request("GET", "http://shop.localhost/a?key=0123456789abcdef0123456789abcdef", "")
	c.Request.Headers, c.Request.Traced = host.Headers(headers), internal
	c.Services.Fetcher = hosttest.Fetcher(func(_ context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
		sent = *req
		return &host.FetchResponse{Status: 204, Body: io.NopCloser(strings.NewReader(""))}, nil
	})
	c.Begin(t.Context())
	var at telemetry.Observed
	o.Begin(&at, c)
	x, err := c.Fetch(&host.FetchRequest{Method: "POST", URL: "http://api.example/pay"}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Response(c); err != nil {
		t.Fatal(err)
	}
	x.Close()
	c.Watch(host.Operation{Kind: "kv", Name: "get"})(0, host.Errorf(host.CodeTimeout, "too slow"))
	c.End(nil)
	o.End(&at, c, e)
	return sent
}

func TestTraces(t *testing.T) {
	c := mustCollector(t)
	tracer := mustTracer(t, telemetry.TracesConfig{Endpoint: c.url, Sampling: 1, Headers: map[string]string{"Authorization": "Bearer x"}})
	sent := traced(t, tracer, "", false, failed(host.OutcomeException, trap))
	if err := tracer.Close(); err != nil {
		t.Fatal(err)
	}
	root, fetch, kv := c.named("GET shop"), c.named("fetch POST"), c.named("kv get")
	for _, s := range []*tracepb.Span{fetch, kv} {
		if string(s.ParentSpanId) != string(root.SpanId) || string(s.TraceId) != string(root.TraceId) {
			t.Errorf("%s is not below the Invocation", s.Name)
		}
	}
	if want := fmt.Sprintf("00-%s-%s-01", hex.EncodeToString(root.TraceId), hex.EncodeToString(fetch.SpanId)); sent.TraceParent != want || !sent.Traced {
		t.Errorf("the fetch was sent with %q, want %q", sent.TraceParent, want)
	}
	for _, want := range []string{"url.full=http://shop.localhost/a?key=REDACTED", "server.address=shop.localhost", "http.response.status_code=500",
		"faas.invocation_id=r1", "faas.version=v1", "mayfly.account=local", "mayfly.outcome=exception"} {
		if !strings.Contains(attributes(root), want) {
			t.Errorf("no %s in %s", want, attributes(root))
		}
	}
	if len(root.Events) != 1 || root.Events[0].Name != "exception" || root.Status.Message != "exception" {
		t.Errorf("got %v, %v", root.Events, root.Status)
	}
	if !strings.Contains(attributes(fetch), "http.response.status_code=204") || kv.Status.Message != "too slow" {
		t.Errorf("got %s, %v", attributes(fetch), kv.Status)
	}
	if c.headers.Get("Authorization") != "Bearer x" {
		t.Errorf("the collector was sent %v", c.headers)
	}
}

// Whose word counts, and what goes on in fetch.
func TestTraceContext(t *testing.T) {
	const id, sampled, not = "4bf92f3577b34da6a3ce929d0e0e4736", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	field := func(value string) string { return "traceparent\x00" + value + "\x00tracestate\x00a=1\x00" }
	tests := []struct {
		name     string
		cfg      telemetry.TracesConfig
		headers  string
		internal bool
		trace    string // "own", id or none
		sent     string // "child" of it, what the client sent, or none
	}{
		{"nobody asks", telemetry.TracesConfig{}, "", false, "", ""},
		{"all are traced", telemetry.TracesConfig{Sampling: 1}, "", false, "own", "child"},
		{"a stranger asks", telemetry.TracesConfig{}, field(sampled), false, "", sampled},
		{"a stranger asks, and all are", telemetry.TracesConfig{Sampling: 1}, field(sampled), false, "own", "child"},
		{"a trusted client asks", telemetry.TracesConfig{Trust: true}, field(sampled), false, id, "child"},
		{"a trusted client asks for none", telemetry.TracesConfig{Trust: true, Sampling: 1}, field(not), false, "", not},
		{"a trusted client says nothing", telemetry.TracesConfig{Trust: true, Sampling: 1}, "", false, "own", "child"},
		{"malformed", telemetry.TracesConfig{Trust: true}, field("00-x-y-01"), false, "", ""},
		{"another Function is traced", telemetry.TracesConfig{}, field(sampled), true, id, "child"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := mustCollector(t)
			tt.cfg.Endpoint = c.url
			tracer := mustTracer(t, tt.cfg)
			sent := traced(t, tracer, tt.headers, tt.internal, telemetry.Ended{Status: 200})
			tracer.Close()
			if tt.trace == "" {
				if names := c.names(); len(names) != 0 || sent.TraceParent != tt.sent || sent.Traced {
					t.Errorf("got spans %q and sent %q, want none and %q", names, sent.TraceParent, tt.sent)
				}
				return
			}
			root, fetch := c.named("GET shop"), c.named("fetch POST")
			trace := hex.EncodeToString(root.TraceId)
			if (trace == id) != (tt.trace == id) {
				t.Errorf("the trace is %s, want %s", trace, tt.trace)
			}
			if want := "00-" + trace + "-" + hex.EncodeToString(fetch.SpanId) + "-01"; sent.TraceParent != want {
				t.Errorf("sent %q, want %q", sent.TraceParent, want)
			}
			if tt.trace == id && sent.TraceState != "a=1" {
				t.Errorf("sent the state %q", sent.TraceState)
			}
			if linked := tt.trace == "own" && tt.headers != ""; (len(root.Links) == 1) != linked {
				t.Errorf("got links %v", root.Links)
			}
		})
	}
}

// A part of all is traced.
func TestTraceSampling(t *testing.T) {
	c := mustCollector(t)
	tracer := mustTracer(t, telemetry.TracesConfig{Endpoint: c.url, Sampling: 0.5})
	for range 200 {
		traced(t, tracer, "", false, telemetry.Ended{})
	}
	tracer.Close()
	names := c.names()
	roots := len(slices.DeleteFunc(names, func(n string) bool { return n != "GET shop" }))
	if roots < 50 || roots > 150 {
		t.Errorf("%d of 200 are traced, want about half", roots)
	}
}

// Without a collector nothing waits, and the log says so once.
func TestTracesWithoutCollector(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer s.Close()
	var log strings.Builder
	tracer, err := telemetry.NewTracer(t.Context(), telemetry.TracesConfig{Endpoint: s.URL, Sampling: 1, CloseTimeout: 2 * time.Minute}, "n1", "1", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		traced(t, tracer, "", false, telemetry.Ended{})
	}
	if err := tracer.Close(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "traces can't be sent"); n != 1 {
		t.Errorf("the log has it %d times: %s", n, log.String())
	}
}

func TestCollectorURL(t *testing.T) {
	for text, want := range map[string]string{
		"http://127.0.0.1:4318": "http://127.0.0.1:4318/v1/traces", "https://c.example/": "https://c.example/v1/traces",
		"https://c.example/otlp": "https://c.example/otlp", "127.0.0.1:4318": "", "ftp://c.example": "", "": "", "http://": "",
	} {
		if got, err := telemetry.CollectorURL(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", text, got, err, want)
		}
	}
}

// Nobody is asked where nothing is traced.
func TestUntracedAllocatesNothing(t *testing.T) {
	c := mustCollector(t)
	tracer := mustTracer(t, telemetry.TracesConfig{Endpoint: c.url})
	defer tracer.Close()
	o := telemetry.NewObserver(telemetry.ObserverConfig{Tracer: tracer})
	var at telemetry.Observed
	call := &host.Call{Bindings: &host.Bindings{Account: "local", Function: "shop", Version: "v1"}}
	if n := testing.AllocsPerRun(100, func() {
		o.Begin(&at, call)
		o.End(&at, call, telemetry.Ended{Status: 200})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
