package compile_test

import (
	"errors"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/compile"
)

// Modules that take the compiler too long or too much space are refused with the
// limit they hit, while other modules are compiled.
func TestLimits(t *testing.T) {
	tests := []struct {
		name   string
		linux  bool // only there
		limits compile.Limits
		want   string
	}{
		{"wall", false, compile.Limits{Wall: 300 * time.Millisecond}, "takes more than 300ms;"},
		{"cpu", true, compile.Limits{CPU: time.Second, Wall: time.Hour}, "takes more than 1s of CPU;"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.linux && goruntime.GOOS != "linux" {
				t.Skip("this limit needs Linux")
			}
			cfg, _ := counted(t.TempDir())
			beside := mustOpen(t, cfg)
			cfg.Limits = tt.limits
			c := mustOpen(t, cfg)
			result := make(chan error)
			go func() { result <- c.Ensure(t.Context(), nest(500)) }()
			engine := mustEngine(t, beside)
			for n := range 5 {
				wantRun(t, beside, engine, n)
			}
			wantTooMuch(t, <-result, tt.want)
			if entries, _ := listCode(t, cfg.Dir); len(entries) != 5 {
				t.Errorf("%d entries, want the 5 of the other modules", len(entries))
			}
		})
	}
}

func wantTooMuch(t testing.TB, err error, want string) {
	t.Helper()
	e, ok := errors.AsType[*host.Error](err)
	if !ok || e.Code != host.CodeInvalid || !strings.Contains(e.Msg, want) {
		t.Errorf("got %v, want %q", err, want)
	}
}
