package dev

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// Log is a host.LogSink for a terminal.
type Log struct {
	mu sync.Mutex // held while writing, so that entries stay whole
	w  io.Writer
}

// NewLog makes a Log that writes to w.
func NewLog(w io.Writer) *Log { return &Log{w: w} }

var levels = [...]string{host.LogDebug: "debug", host.LogInfo: "info", host.LogWarn: "warn", host.LogError: "error"}

// GuestLog implements host.LogSink.
func (l *Log) GuestLog(_ *host.Call, level host.LogLevel, text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, "%-5s %s\n", levels[level], bytes.TrimRight(text, "\n"))
}

// Logger tells what goes wrong in the node, and failed invocations as people read them.
func (l *Log) Logger() *slog.Logger {
	return slog.New(failures{slog.NewTextHandler(l.w, &slog.HandlerOptions{Level: slog.LevelWarn}), l})
}

// failures shows failed invocations, and passes all else on.
type failures struct {
	slog.Handler
	log *Log
}

// Handle implements slog.Handler.
func (f failures) Handle(ctx context.Context, r slog.Record) error {
	if r.Message != trigger.FailureMessage {
		return f.Handler.Handle(ctx, r)
	}
	fields := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		fields[a.Key] = a.Value.String()
		return true
	})
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	_, err := fmt.Fprintf(f.log.w, "%-5s %s, %s request %s: %s\n", "error", fields["outcome"], fields["trigger"], fields["request"], host.OfGuest(fields["err"]))
	return err
}
