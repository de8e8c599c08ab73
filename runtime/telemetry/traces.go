package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// TracesConfig says where traces go. Without an Endpoint there are none.
type TracesConfig struct {
	// Endpoint is the URL of an OpenTelemetry collector that takes OTLP over HTTP;
	// without a path, /v1/traces is meant.
	Endpoint string
	Headers  map[string]string // for the collector, such as a token
	// Sampling is the part of Invocations that are traced, 0 to 1, beside those that
	// a client traces whose word is taken.
	Sampling float64
	// Trust takes the word of clients (W3C traceparent) for which trace a request
	// belongs to, and whether it is kept.
	Trust bool
	// CloseTimeout bounds the sending of what is left when a Tracer is closed; 5 s if
	// zero.
	CloseTimeout time.Duration
}

// Tracer makes a trace of some Invocations: a span of each, and spans below it of
// what it asks the host for. Names follow the conventions of OpenTelemetry
// (https://opentelemetry.io/docs/specs/semconv/). It is safe for concurrent use.
type Tracer struct {
	cfg      TracesConfig
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// How spans go out.
const (
	exportTimeout       = 10 * time.Second
	defaultCloseTimeout = 5 * time.Second
	collectorPath       = "/v1/traces"
)

// NewTracer makes a Tracer of a node. It does not connect: a collector that is away
// costs spans, and nothing else.
func NewTracer(ctx context.Context, cfg TracesConfig, node, version string, log *slog.Logger) (*Tracer, error) {
	endpoint, err := CollectorURL(cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint), otlptracehttp.WithHeaders(cfg.Headers),
		otlptracehttp.WithTimeout(exportTimeout), otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	if err != nil {
		return nil, fmt.Errorf("open trace exporter: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(&loggingExporter{SpanExporter: exporter, log: log}),
		sdktrace.WithSampler(sdktrace.AlwaysSample()), // whoever is not sampled has no span at all
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "mayfly"),
			attribute.String("service.version", version), attribute.String("service.instance.id", node))))
	return &Tracer{cfg, provider, provider.Tracer("github.com/mayfly-run/mayfly")}, nil
}

// CollectorURL is the whole URL of a collector.
func CollectorURL(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%q is not a URL such as http://127.0.0.1:4318", endpoint)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = collectorPath
	}
	return u.String(), nil
}

// Close sends what is left.
func (t *Tracer) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(t.cfg.CloseTimeout, defaultCloseTimeout))
	defer cancel()
	t.provider.Shutdown(ctx) //nolint:errcheck // the exporter has logged it, and a node ends without a collector too
	return nil
}

// loggingExporter tells the node's log of failures, the first of a row.
type loggingExporter struct {
	sdktrace.SpanExporter
	log    *slog.Logger
	failed atomic.Bool
}

func (e *loggingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if was := e.failed.Swap(err != nil); err != nil && !was {
		e.log.Warn("traces can't be sent, and are dropped until they can", "err", err)
	}
	return nil
}

// fieldCarrier reads trace context from a request's fields.
type fieldCarrier host.Headers

func (f fieldCarrier) Get(name string) string {
	value, _ := host.Headers(f).Get(name)
	return string(value)
}

func (f fieldCarrier) Set(string, string) {}

func (f fieldCarrier) Keys() []string { return nil }

// begin returns the span of an Invocation that begins, or nil if it is not traced.
func (t *Tracer) begin(c *host.Call) trace.Span {
	var remote trace.SpanContext
	if value, ok := c.Request.Headers.Get("traceparent"); ok && len(value) > 0 {
		ctx := propagation.TraceContext{}.Extract(context.Background(), fieldCarrier(c.Request.Headers))
		remote = trace.SpanContextFromContext(ctx)
	}
	trusted := remote.IsValid() && (t.cfg.Trust || c.Request.Traced)
	if trusted && !remote.IsSampled() || !trusted && rand.Float64() >= t.cfg.Sampling {
		return nil
	}
	parent, opts := context.Background(), []trace.SpanStartOption{trace.WithTimestamp(c.Started()), trace.WithSpanKind(trace.SpanKindServer)}
	switch {
	case trusted:
		parent = trace.ContextWithRemoteSpanContext(parent, remote)
	case remote.IsValid():
		opts = append(opts, trace.WithLinks(trace.Link{SpanContext: remote}))
	}
	_, span := t.tracer.Start(parent, string(c.Request.Method)+" "+c.Bindings.Function, opts...)
	return span
}

// end completes the span of an Invocation that has ended.
func endSpan(span trace.Span, c *host.Call, e Ended) {
	span.SetAttributes(append(urlAttributes(string(c.Request.URL)),
		attribute.String("http.request.method", string(c.Request.Method)),
		attribute.Int("http.response.status_code", e.Status),
		attribute.String("client.address", c.Request.Client.String()),
		attribute.String("faas.invocation_id", c.ID),
		attribute.String("faas.version", c.Bindings.Version),
		attribute.String("mayfly.account", c.Bindings.Account),
		attribute.String("mayfly.function", c.Bindings.Function),
		attribute.String("mayfly.outcome", e.Outcome.String()),
		attribute.Float64("mayfly.cpu_ms", millis(c.Usage.CPU)),
		attribute.Int64("mayfly.memory_bytes", c.Usage.PeakMemory))...)
	ended := c.Started().Add(c.Usage.Wall)
	if x, ok := exceptionOf(e); ok {
		span.SetStatus(codes.Error, e.Outcome.String())
		span.AddEvent("exception", trace.WithTimestamp(ended), trace.WithAttributes(attribute.String("exception.type", x.Name),
			attribute.String("exception.message", x.Message), attribute.String("exception.stacktrace", x.Stack)))
	}
	span.End(trace.WithTimestamp(ended))
}

func urlAttributes(text string) []attribute.KeyValue {
	all := []attribute.KeyValue{attribute.String("url.full", redactURL(text))}
	if u, err := url.Parse(text); err == nil {
		all = append(all, attribute.String("server.address", u.Hostname()))
	}
	return all
}

// operation begins the span of something that an Invocation asks the host for, and
// puts an outbound request below it.
func (t *Tracer) operation(parent trace.Span, op host.Operation) func(status int, err error) {
	ctx := trace.ContextWithSpan(context.Background(), parent)
	kind := trace.WithSpanKind(trace.SpanKindClient)
	if op.Fetch == nil {
		_, span := t.tracer.Start(ctx, op.Kind+" "+op.Name, kind, trace.WithAttributes(
			attribute.String("db.system.name", "mayfly.kv"), attribute.String("db.operation.name", op.Name)))
		return func(_ int, err error) { endOperation(span, err) }
	}
	_, span := t.tracer.Start(ctx, "fetch "+op.Fetch.Method, kind, trace.WithAttributes(
		append(urlAttributes(op.Fetch.URL), attribute.String("http.request.method", op.Fetch.Method))...))
	if !op.Fetch.OwnTrace {
		passOn(op.Fetch, span.SpanContext())
	}
	return func(status int, err error) {
		if status != 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", status))
		}
		endOperation(span, err)
	}
}

func passOn(req *host.FetchRequest, sc trace.SpanContext) {
	req.TraceParent = fmt.Sprintf("00-%s-%s-%s", sc.TraceID(), sc.SpanID(), sc.TraceFlags())
	req.TraceState, req.Traced = sc.TraceState().String(), true
}

func endOperation(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, clip(err.Error(), maxMessage))
	}
	span.End()
}
