package mayflylog_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflylog"
	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

// logged returns what f logs when it runs in a handler.
func logged(f func()) []mayflytest.Entry {
	mayfly.Handle(func(*mayfly.Request) (*mayfly.Response, error) {
		f()
		return mayfly.Text(200, ""), nil
	})
	var node mayflytest.Node
	node.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	return node.Logs()
}

func TestHandler(t *testing.T) {
	custom := &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.TimeKey:
			return slog.Attr{}
		case slog.LevelKey:
			return slog.String("level", "SILLY")
		}
		return a
	}}
	tests := map[string]struct {
		opts *slog.HandlerOptions
		log  func(*slog.Logger)
		want []mayflytest.Entry
	}{
		"message": {nil, func(l *slog.Logger) { l.Info("two words") }, entries(mayfly.LevelInfo, `msg="two words"`)},
		"attrs": {nil, func(l *slog.Logger) { l.With("a", 1).WithGroup("g").Warn("m", "b", "x y") },
			entries(mayfly.LevelWarn, `msg=m a=1 g.b="x y"`)},
		"lines":         {nil, func(l *slog.Logger) { l.Error("a\nb") }, entries(mayfly.LevelError, `msg="a\nb"`)},
		"own level key": {nil, func(l *slog.Logger) { l.Info("m", "level", 3, "time", 4) }, entries(mayfly.LevelInfo, `msg=m level=3 time=4`)},
		"between":       {nil, func(l *slog.Logger) { l.Log(context.Background(), slog.LevelWarn+2, "m") }, entries(mayfly.LevelWarn, "msg=m")},
		"below":         {nil, func(l *slog.Logger) { l.Debug("m") }, nil},
		"debug":         {&slog.HandlerOptions{Level: slog.LevelDebug}, func(l *slog.Logger) { l.Debug("m") }, entries(mayfly.LevelDebug, "msg=m")},
		"replaced":      {custom, func(l *slog.Logger) { l.Warn("m") }, entries(mayfly.LevelInfo, "msg=m")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := logged(func() { tt.log(slog.New(mayflylog.NewHandler(tt.opts))) })
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func entries(level mayfly.Level, text string) []mayflytest.Entry {
	return []mayflytest.Entry{{Level: level, Text: text}}
}
