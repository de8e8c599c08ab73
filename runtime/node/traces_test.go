package node_test

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spans is a collector of OTLP, which keeps the last span of each name.
type spans struct {
	mu  sync.Mutex // guards all
	all map[string]*tracepb.Span
}

func (s *spans) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := gzip.NewReader(r.Body)
	if err != nil {
		return
	}
	var req collector.ExportTraceServiceRequest
	if data, err := io.ReadAll(body); err != nil || proto.Unmarshal(data, &req) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rs := range req.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, span := range ss.Spans {
				s.all[span.Name] = span
			}
		}
	}
}

// callsPeer answers with the status of what PEER answers.
func callsPeer() []byte {
	const url = "http://peer/"
	return guest("PEERGET"+url, func(call map[string]uint32) [][]byte {
		return [][]byte{
			numbers(0, 4), hosttest.Call(call["fetcher_open"]),
			numbers(4, 3, 7, int32(len(url)), 0, 0, 0, 0), hosttest.Call(call["fetcher_send"]),
			hosttest.Call(call["fetch_status"]), numbers(0, 0, 0, 0), hosttest.Call(call["respond"]), hosttest.Drop,
		}
	})
}

// upstream is a server that says which trace it was asked in.
func upstream(t *testing.T) (url string, traceparent func() string) {
	t.Helper()
	asked := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Header.Get("Traceparent") }))
	t.Cleanup(s.Close)
	return s.URL + "/", func() string {
		select {
		case text := <-asked:
			return text
		case <-time.After(2 * time.Minute):
			t.Error("the upstream was not asked")
			return ""
		}
	}
}

// A trace goes from a Function through another one to an upstream, and every step is
// counted for the Function that takes it.
func TestTraceThroughFunctions(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50") // ms: a busy node has no time to send them when it ends
	seen := &spans{all: map[string]*tracepb.Span{}}
	server := httptest.NewServer(seen)
	defer server.Close()
	url, traceparent := upstream(t)
	n := mustStart(t, node.Config{Dev: true, Traces: telemetry.TracesConfig{Endpoint: server.URL, Sampling: 1}})
	mustDeploy(t, n, "inner", fetchGuest(url))
	if _, err := n.Registry().Deploy(t.Context(), deploy.Local, "outer", deploy.Upload{Module: callsPeer(), Settings: deploy.Settings{
		Services: []deploy.Service{{Binding: "PEER", Service: "inner"}}}}); err != nil {
		t.Fatal(err)
	}
	if status, body, err := get(n, "outer.localhost"); status != 200 {
		t.Fatalf("status %d %q, %v", status, body, err)
	}
	var outer, inner *tracepb.Span
	eventually(t, "both spans are there", func() bool {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		outer, inner = seen.all["GET outer"], seen.all["GET inner"]
		return outer != nil && inner != nil
	})
	if string(inner.TraceId) != string(outer.TraceId) || len(inner.ParentSpanId) == 0 || string(inner.ParentSpanId) == string(outer.SpanId) {
		t.Errorf("the inner one is in trace %x below %x; the outer one is %x of %x", inner.TraceId, inner.ParentSpanId, outer.SpanId, outer.TraceId)
	}
	if got := traceparent(); !strings.HasPrefix(got, "00-"+hex.EncodeToString(outer.TraceId)+"-") || !strings.HasSuffix(got, "-01") {
		t.Errorf("the upstream was asked in %q, want trace %x", got, outer.TraceId)
	}
}

// Without traces, that of the client goes on.
func TestTraceIsPassedOnUntraced(t *testing.T) {
	url, traceparent := upstream(t)
	n := mustStart(t, node.Config{Dev: true})
	mustDeploy(t, n, "asks", fetchGuest(url))
	const sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	req, err := http.NewRequest("GET", "http://"+n.HTTPAddr()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "asks.localhost"
	req.Header.Set("Traceparent", sent)
	if status, body, err := do(req); status != 200 {
		t.Fatalf("status %d %q, %v", status, body, err)
	}
	if got := traceparent(); got != sent {
		t.Errorf("the upstream was asked in %q, want %q", got, sent)
	}
}
