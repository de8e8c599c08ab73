package natsserver_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/kv/natsserver"
	"github.com/nats-io/nats.go"
)

type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestLog has what happens again and again told once, with what to do.
func TestLog(t *testing.T) {
	var log lockedBuffer
	s := mustStart(t, natsserver.Config{Dir: t.TempDir(), Node: "one", Listen: "127.0.0.1:0", Secret: "s", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 20 {
		if nc, err := nats.Connect("nats://"+s.Addr(), nats.UserInfo(natsserver.User, "guessed")); err == nil {
			t.Fatalf("got %v", nc)
		}
	}
	const hint = "do not have the same secret"
	if got := log.String(); strings.Count(got, hint) != 1 || strings.Contains(got, "Plaintext") {
		t.Errorf("got\n%s\nwant %q once", got, hint)
	}
}
