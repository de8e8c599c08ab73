package natskv_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/mayfly-run/mayfly/kv/natskv"
)

// startTime is how long a server may take until it listens, on a busy machine.
const startTime = 2 * time.Minute

// mustServer starts a server with JetStream in dir. Port -1 is any.
func mustServer(t testing.TB, dir string, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, SyncAlways: true, NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(startTime) {
		t.Fatal("the NATS server does not start")
	}
	t.Cleanup(func() { stop(s) })
	return s
}

func stop(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// mustOpen fills in what cfg does not say. The Store is closed at the end of the test.
func mustOpen(t testing.TB, cfg natskv.Config) *natskv.Store {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.Wait == 0 {
		cfg.Wait = startTime
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	s, err := natskv.Open(t.Context(), natskv.Patient(cfg, startTime))
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// impatient is for a Store whose servers go away: they never answer what they were asked
// before.
func impatient(cfg natskv.Config) natskv.Config { return natskv.Patient(cfg, 20*time.Second) }

// buckets names them one after another.
func buckets() func() string {
	n := 0
	return func() string {
		n++
		return fmt.Sprintf("bucket-%d", n)
	}
}
