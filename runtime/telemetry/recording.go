package telemetry

import (
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"go.opentelemetry.io/otel/trace"
)

// recording is what an Invocation does while somebody is interested in it. It
// implements host.Watcher.
type recording struct {
	listens bool       // a tail wants the log
	tracer  *Tracer    // nil as long as span is
	span    trace.Span // nil if the Invocation is not traced

	mu   sync.Mutex // guards logs
	logs []LogEntry
}

// GuestLog implements host.Watcher.
func (r *recording) GuestLog(level host.LogLevel, text []byte) {
	if !r.listens {
		return
	}
	entry := LogEntry{levelNames[level], []string{string(text)}, time.Now().UnixMilli()}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.logs = append(r.logs, entry)
}

// Operation implements host.Watcher.
func (r *recording) Operation(op host.Operation) func(int, error) {
	if r.span == nil {
		return func(int, error) {}
	}
	return r.tracer.operation(r.span, op)
}

// taken are the logs; there are no more to come.
func (r *recording) taken() []LogEntry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.logs
}
