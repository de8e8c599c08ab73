package progress_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/cli/internal/progress"
)

func TestLine(t *testing.T) {
	for _, test := range []struct {
		name   string
		lasts  time.Duration
		detail string
		want   string
	}{
		{"short", 900 * time.Millisecond, "", ""},
		{"long", 1100 * time.Millisecond, "", "\r\x1b[Kbuild… 1s\r\x1b[K"},
		{"detail", 1300 * time.Millisecond, "3 of 4", "\r\x1b[Kbuild… 1s, 3 of 4\r\x1b[Kbuild… 1s, 3 of 4\r\x1b[K"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				line := progress.Start(&out, "build")
				if test.detail != "" {
					line.Set("%s", test.detail)
				}
				time.Sleep(test.lasts)
				line.Done()
				if got := out.String(); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
			})
		})
	}
}

// Where there is no terminal there is no line.
func TestNoTerminal(t *testing.T) {
	line := progress.Start(nil, "build")
	line.Set("more")
	line.Done()
}
