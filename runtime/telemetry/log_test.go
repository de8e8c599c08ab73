package telemetry_test

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// What a guest logs names its Function and request, and stays one entry.
func TestGuestLog(t *testing.T) {
	tests := []struct {
		level host.LogLevel
		text  string
		want  string
	}{
		{host.LogDebug, "too quiet", ""},
		{host.LogInfo, "hello", `{"level":"INFO","msg":"hello","account":"local","function":"shop","request":"r1"}` + "\n"},
		{host.LogWarn, "two\nlines", `{"level":"WARN","msg":"two\nlines","account":"local","function":"shop","request":"r1"}` + "\n"},
		{host.LogError, `{"level":"INFO"}`, `{"level":"ERROR","msg":"{\"level\":\"INFO\"}","account":"local","function":"shop","request":"r1"}` + "\n"},
	}
	c := &host.Call{ID: "r1", Bindings: &host.Bindings{Account: "local", Function: "shop"}}
	for _, tt := range tests {
		var out bytes.Buffer
		withoutTime := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
		l := telemetry.Log{Logger: slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))}
		l.GuestLog(c, tt.level, []byte(tt.text))
		if got := out.String(); got != tt.want {
			t.Errorf("level %d: got %s, want %s", tt.level, got, tt.want)
		}
	}
}
