// Package mayflylog sends log/slog records to the log of the invocation.
//
//	func init() { slog.SetDefault(slog.New(mayflylog.NewHandler(nil))) }
//
// After that, package log writes there too, at level info.
package mayflylog

import (
	"log/slog"
	"strings"

	"github.com/mayfly-run/mayfly/sdk/go"
)

// NewHandler returns a handler that makes one entry per record, in the form of
// slog.TextHandler: msg="user signed in" user=7. Level and time are those of the
// entry, and not in its text. A nil opts is like the zero value: info and above.
func NewHandler(opts *slog.HandlerOptions) slog.Handler {
	return slog.NewTextHandler(entries{}, opts)
}

// entries makes each line that a text handler writes, one Write per record, an
// entry of the log.
type entries struct{}

func (entries) Write(line []byte) (int, error) {
	text := strings.TrimSuffix(string(line), "\n")
	_, text = cutAttr(text, "time=")
	name, text := cutAttr(text, "level=")
	var level slog.Level // info, if somebody's ReplaceAttr made the name another
	level.UnmarshalText([]byte(name))
	mayfly.Log(nodeLevel(level), text)
	return len(line), nil
}

// cutAttr takes the attribute off that text begins with, if it is that one.
func cutAttr(text, key string) (value, rest string) {
	if !strings.HasPrefix(text, key) {
		return "", text
	}
	value, rest, _ = strings.Cut(text[len(key):], " ")
	return value, rest
}

// nodeLevel is the highest of the node's levels that is not above l.
func nodeLevel(l slog.Level) mayfly.Level {
	switch {
	case l >= slog.LevelError:
		return mayfly.LevelError
	case l >= slog.LevelWarn:
		return mayfly.LevelWarn
	case l >= slog.LevelInfo:
		return mayfly.LevelInfo
	}
	return mayfly.LevelDebug
}
