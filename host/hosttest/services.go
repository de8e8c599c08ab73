package hosttest

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// Epoch is what the clock of Services shows.
var Epoch = time.Date(2026, time.February, 3, 4, 5, 6, 789_012_345, time.UTC)

// Services are a node's services for tests: a clock that stands still at Epoch,
// random bytes that are the same each time, a *Log, and a Fetcher that reaches
// nothing. Tests replace the fields they care about.
func Services(t testing.TB) *host.Services {
	return &host.Services{
		Fetcher: Fetcher(unreachable),
		Log:     new(Log),
		Logger:  slog.New(slog.NewTextHandler(t.Output(), nil)),
		Now:     func() time.Time { return Epoch },
		Random:  Random(1),
	}
}

// Fetcher lets a function answer a guest's outbound requests.
type Fetcher func(ctx context.Context, req *host.FetchRequest) (*host.FetchResponse, error)

// Fetch implements host.Fetcher.
func (f Fetcher) Fetch(ctx context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
	return f(ctx, req)
}

func unreachable(_ context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
	return nil, host.Errorf(host.CodeUnavailable, "no upstream answers for %s", req.URL)
}

// Random is an endless sequence of bytes that depends on seed alone.
func Random(seed byte) io.Reader {
	return &random{source: rand.NewChaCha8([32]byte{seed})}
}

type random struct {
	mu     sync.Mutex // guards source
	source *rand.ChaCha8
}

func (r *random) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.Read(p)
}

// Log keeps what guests log.
type Log struct {
	mu      sync.Mutex // guards entries
	entries []LogEntry
}

// LogEntry is one entry of a guest's log.
type LogEntry struct {
	Level host.LogLevel
	Text  string
}

// GuestLog implements host.LogSink.
func (l *Log) GuestLog(_ *host.Call, level host.LogLevel, text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, LogEntry{level, string(text)})
}

// Entries are the entries so far, oldest first.
func (l *Log) Entries() []LogEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}
