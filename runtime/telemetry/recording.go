package telemetry

import (
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// recording is what an Invocation does while somebody is interested in it. It
// implements host.Watcher.
type recording struct {
	mu   sync.Mutex // guards logs
	logs []LogEntry
}

// GuestLog implements host.Watcher.
func (r *recording) GuestLog(level host.LogLevel, text []byte) {
	entry := LogEntry{levelNames[level], []string{string(text)}, time.Now().UnixMilli()}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.logs = append(r.logs, entry)
}

// Operation implements host.Watcher.
func (r *recording) Operation(host.Operation) func(int, error) { return func(int, error) {} }

// taken are the logs; there are no more to come.
func (r *recording) taken() []LogEntry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.logs
}
