package natskv_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// mustServer starts a server with JetStream in dir, as durable as it can be.
func mustServer(t testing.TB, dir string, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, SyncAlways: true, NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s
}

func TestServer(t *testing.T) {
	if s := mustServer(t, t.TempDir(), -1); !s.JetStreamIsCurrent() {
		t.Error("JetStream is not current")
	}
}
