package host

import (
	"context"
	"io"
	"log/slog"
	"time"
)

// Services are node-wide and opened once. Every field is required and safe for
// concurrent use.
type Services struct {
	Fetcher Fetcher
	Log     LogSink
	Logger  *slog.Logger // the node's own log, for faults that guests are not told about
	Now     func() time.Time
	Random  io.Reader // cryptographic; never fails
	// ClockStep is how coarse the clocks are that guests read; 0 is
	// DefaultClockStep.
	ClockStep time.Duration
}

// DefaultClockStep is a compromise: with finer clocks one guest measures what
// another leaves in the processor's caches, coarser ones are of less use to honest
// guests.
const DefaultClockStep = 100 * time.Microsecond

// Resolution is the step of the clocks that guests read.
func (s *Services) Resolution() time.Duration {
	if s.ClockStep == 0 {
		return DefaultClockStep
	}
	return s.ClockStep
}

// Coarse cuts a time in nanoseconds down to what guests may know of it.
func (s *Services) Coarse(ns int64) int64 { return ns - ns%int64(s.Resolution()) }

// LogSink receives what guests log, line by line or call by call.
type LogSink interface {
	// GuestLog must not keep text.
	GuestLog(c *Call, level LogLevel, text []byte)
}

// LogLevel is the severity that a guest gives to a log entry.
type LogLevel uint8

const (
	LogDebug LogLevel = iota
	LogInfo
	LogWarn
	LogError
)

// Fetcher answers a guest's requests: that of Services sends them out, and
// enforces egress policy and header rules; those of Bindings answer them on the
// node. The Call counts and bounds.
type Fetcher interface {
	// Fetch sends one request and returns when the response's headers have
	// arrived; redirects are not followed. It may be called by several goroutines.
	// The error is an *Error: CodeInvalid (URL, method, headers), CodeDenied (egress
	// policy), CodeTimeout, CodeUnavailable (resolve, connect, TLS, protocol) or
	// CodeCanceled. ctx bounds the whole exchange, the response's body included.
	Fetch(ctx context.Context, req *FetchRequest) (*FetchResponse, error)
}

// The longest method and URL of an outbound request, in bytes.
const (
	MaxMethod = 64
	MaxURL    = 16 << 10
)

// FetchRequest is an outbound request as a guest described it.
type FetchRequest struct {
	Account string   // whose egress policy applies
	Egress  []string // Bindings.Egress
	// Loop is the CDN-Loop field (RFC 8586) of the request being answered; the
	// Fetcher passes it on with the node's own entry added.
	Loop string
	// TraceParent and TraceState say which trace the request belongs to
	// (https://www.w3.org/TR/trace-context/); empty for none. With OwnTrace the
	// guest said so itself in Headers, and they are not sent.
	TraceParent, TraceState string
	OwnTrace                bool
	Traced                  bool // TraceParent is the node's own, which keeps the trace
	Method                  string
	URL                     string
	Headers                 Headers   // well formed; what a guest may not set is dropped
	Body                    io.Reader // nil for none; an io.Closer is closed
	BodySize                int64     // bytes, or -1 when Body is streamed and nobody knows
	// Caller is the Invocation that asks; nil for requests to the outside.
	Caller *Caller
}

// FetchResponse is what came back. The caller closes Body, perhaps during a
// Read, which then ends. Body reads the bytes as sent (no content decoding) and
// may fail with an *Error.
type FetchResponse struct {
	Status  int
	Headers Headers // names in lower case, hop-by-hop fields dropped
	Body    io.ReadCloser
}
