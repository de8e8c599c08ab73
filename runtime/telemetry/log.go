// Package telemetry makes what happens on a node visible to its operator and
// its users.
package telemetry

import (
	"context"
	"log/slog"

	"github.com/mayfly-run/mayfly/host"
)

// Log is a host.LogSink that writes what guests log to a slog.Logger, marked
// with the Function and the request it belongs to.
type Log struct{ Logger *slog.Logger }

var slogLevels = [...]slog.Level{
	host.LogDebug: slog.LevelDebug,
	host.LogInfo:  slog.LevelInfo,
	host.LogWarn:  slog.LevelWarn,
	host.LogError: slog.LevelError,
}

// GuestLog implements host.LogSink.
func (l Log) GuestLog(c *host.Call, level host.LogLevel, text []byte) {
	ctx := context.Background()
	if !l.Logger.Enabled(ctx, slogLevels[level]) {
		return
	}
	l.Logger.LogAttrs(ctx, slogLevels[level], string(text),
		slog.String("account", c.Bindings.Account),
		slog.String("function", c.Bindings.Function),
		slog.String("request", c.ID))
}
