package natsqueue_test

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natsqueue"
	"github.com/mayfly-run/mayfly/kv/queuetest"
)

// mustServer starts a server with JetStream in dir.
func mustServer(t testing.TB, dir string) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: dir, SyncAlways: true, NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	t.Cleanup(func() { stop(s) })
	return s
}

func stop(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

func mustConnect(t testing.TB, s *server.Server) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func mustNew(t testing.TB, cfg natsqueue.Config) *natsqueue.Queues {
	t.Helper()
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	q, err := natsqueue.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestQueues(t *testing.T) {
	s := mustServer(t, t.TempDir())
	var n atomic.Int64
	queuetest.Run(t, func(testing.TB) queuetest.Open {
		bucket := fmt.Sprintf("bucket-%d", n.Add(1))
		return func(t testing.TB, b queuetest.Bounds) kv.Queues {
			return mustNew(t, natsqueue.Config{Conn: mustConnect(t, s), Bucket: bucket, QueueBytes: b.Queue, AccountBytes: b.Account})
		}
	})
}
