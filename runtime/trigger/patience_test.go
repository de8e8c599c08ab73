package trigger_test

import (
	"fmt"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// patiently runs a test of what is given up soon. A busy machine may be later than
// that with what is done in time on an idle one, so a test that fails is run again
// with more time, and must pass at last.
func patiently(t *testing.T, test func(t testing.TB, soon time.Duration)) {
	t.Helper()
	for _, soon := range []time.Duration{500 * time.Millisecond, 5 * time.Second} {
		a := &attempt{TB: t}
		a.run(func() { test(a, soon) })
		if !a.failed {
			return
		}
		t.Logf("with %v:\n%s", soon, strings.Join(a.said, "\n"))
	}
	test(t, 40*time.Second)
}

// impatient is a front end that gives up soon.
func impatient(soon time.Duration) func(*trigger.HTTPConfig) {
	return func(c *trigger.HTTPConfig) { c.HeaderTimeout, c.IdleTimeout, c.ResponseTimeout = soon, soon, soon }
}

// attempt is a testing.TB whose failure is not yet that of the test.
type attempt struct {
	testing.TB
	mu       sync.Mutex // guards what follows
	failed   bool
	said     []string
	cleanups []func()
}

// run runs a test to its end, of which its cleanups are part.
func (a *attempt) run(test func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer a.clean()
		test()
	}()
	<-done
}

func (a *attempt) clean() {
	for len(a.cleanups) > 0 {
		last := len(a.cleanups) - 1
		f := a.cleanups[last]
		a.cleanups = a.cleanups[:last]
		f()
	}
}

func (a *attempt) Cleanup(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cleanups = append(a.cleanups, f)
}

func (a *attempt) Error(args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed = true
	a.said = append(a.said, fmt.Sprint(args...))
}

func (a *attempt) Errorf(format string, args ...any) { a.Error(fmt.Sprintf(format, args...)) }

func (a *attempt) Fatal(args ...any) {
	a.Error(args...)
	goruntime.Goexit()
}

func (a *attempt) Fatalf(format string, args ...any) { a.Fatal(fmt.Sprintf(format, args...)) }

// A test that fails for want of time passes with more, and is cleaned up each time.
func TestPatiently(t *testing.T) {
	var tried []time.Duration
	cleaned := 0
	patiently(t, func(t testing.TB, soon time.Duration) {
		tried = append(tried, soon)
		t.Cleanup(func() { cleaned++ })
		if soon < time.Second {
			t.Fatal("too soon")
		}
	})
	if len(tried) != 2 || cleaned != 2 {
		t.Errorf("tried %v, cleaned up %d times", tried, cleaned)
	}
}
