package native_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

func TestRequestHeader(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{Request: hosttest.Request("GET", "http://localhost/", "", "x-two", "1", "x-two", "2", "x-empty", "")})
	for _, name := range []string{"x-two", "X-TWO", "X-two"} {
		g.Want(1, "request_header", with(g.puts(name), 100, 10)...)
		g.WantMemory(100, "1")
	}
	g.Want(0, "request_header", with(g.puts("x-empty"), 200, 10)...)
	for _, name := range []string{"", "x", "x-two\x00", "1", "x-tw\xcf"} {
		g.Want(notFound, "request_header", with(g.puts(name), 200, 10)...)
	}
	g.WantMemory(200, "?")
	wantError(t, g, "no such header")
	g.Memory().Grow(3)
	g.Want(notFound, "request_header", 0, 3*page, 0, 0)
	g.End()
}

func TestEnv(t *testing.T) {
	g := newGuest(t, everything(t))
	g.Want(1, "env_get", with(g.puts("A_SECRET"), 100, 10)...)
	g.WantMemory(100, "s")
	for _, name := range []string{"", "name", "NAME\x00"} {
		g.Want(notFound, "env_get", with(g.puts(name), 200, 10)...)
	}
	wantError(t, g, "no variable")
	g.Next(hosttest.Invocation{})
	g.Want(notFound, "env_get", with(g.puts("NAME"), 200, 10)...)
	g.Want(0, "env_names", 200, 10)
	g.WantMemory(200, "?")
	g.End()
}

func TestLastError(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{})
	g.Want(0, "last_error", 100, 50)
	g.Want(badHandle, "close", 7)
	wantError(t, g, "7 is not an open handle")
	g.Want(invalid, "log", 9, 0, 0)
	wantError(t, g, "log level 9")
	g.Want(0, "request_method", 0, 0) // a success leaves it
	wantError(t, g, "log level 9")
	g.Next(hosttest.Invocation{})
	g.Want(0, "last_error", 100, 50)
	g.End()
}

func TestLog(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{Limits: host.Limits{Log: 10}})
	for level, text := range []string{"de", "in", "", "er"} {
		g.Want(0, "log", with(level, g.puts(text))...)
	}
	g.Want(invalid, "log", with(4, g.puts("x"))...)
	g.Want(invalid, "log", with(-1, g.puts("x"))...)
	g.Want(limit, "log", with(1, g.puts("12345"))...)
	wantError(t, g, "log limit of 10 bytes")
	g.Want(0, "log", with(1, g.puts("1234"))...) // what fits is still taken
	g.Want(limit, "log", with(1, g.puts("1"))...)
	g.Want(0, "log", 1, 0, 0)
	got := g.End()
	want := "[{0 de} {1 in} {2 } {3 er} {1 1234} {1 }]"
	if fmt.Sprint(got.Log) != want {
		t.Errorf("log %v, want %s", got.Log, want)
	}
	if got.Usage.LogBytes != 10 || got.Usage.LogDropped != 2 {
		t.Errorf("usage %+v, want 10 bytes and 2 dropped", got.Usage)
	}
}

func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuest(t, hosttest.Invocation{Limits: host.Limits{Wall: 3 * time.Second}})
		g.Want(hosttest.Epoch.Truncate(host.DefaultClockStep).UnixNano(), "clock")
		g.Want(int64(3*time.Second), "time_left")
		g.Want(timeout, "wait", 0, 0, int64(time.Second))
		g.Want(int64(2*time.Second), "time_left")
		g.End()
	})
}

// A guest that the engine is slow to end has no time left, not a negative one.
func TestTimeLeftOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuest(t, hosttest.Invocation{Limits: host.Limits{Wall: time.Second}})
		self := g.capture()
		time.Sleep(2 * time.Second)
		if got := direct(self, "time_left"); got != 0 {
			t.Errorf("time left %d, want 0", got)
		}
		g.End()
	})
}

func TestRandom(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{})
	want := make([]byte, 32)
	if _, err := hosttest.Random(1).Read(want); err != nil {
		t.Fatal(err)
	}
	g.Want(0, "random", 100, 32)
	g.WantMemory(100, string(want))
	g.Want(0, "random", 100, 32)
	if again := g.Bytes(100, 32); bytes.Equal(again, want) {
		t.Error("the same bytes twice")
	}
	g.Want(0, "random", 0, 0)
	g.Call.Services.Random = iotest.ErrReader(errors.New("no entropy"))
	g.Want(internal, "random", 100, 32)
	g.End()
}

// A guest can't fill the node's log by repeating what fails.
func TestFaultsAreLoggedSparingly(t *testing.T) {
	var log strings.Builder
	services := hosttest.Services(t)
	services.Logger = slog.New(slog.NewTextHandler(&log, nil))
	services.Random = iotest.ErrReader(errors.New("no entropy"))
	g := newGuest(t, hosttest.Invocation{Services: services})
	for range 1000 {
		g.Want(internal, "random", 0, 1)
	}
	if n := strings.Count(log.String(), "no entropy"); n == 0 || n > 100 {
		t.Errorf("%d entries in the node's log for 1000 faults", n)
	}
	g.End()
}
