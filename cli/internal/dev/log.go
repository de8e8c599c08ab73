package dev

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/mayfly-run/mayfly/host"
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
