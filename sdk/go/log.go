package mayfly

import "github.com/mayfly-run/mayfly/sdk/go/internal/host"

// Level says how much an entry of the log matters.
type Level int

// The levels of a node's log.
const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarn
	LevelError
)

// Log makes one entry in the log of the invocation. What is printed to standard
// output and standard error, by fmt.Println or package log, goes there too.
// Package mayflylog is for log/slog.
func Log(level Level, text string) { host.Log(int(level), text) }
