package node_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv/logtest"
	"github.com/mayfly-run/mayfly/runtime/node"
	"github.com/nats-io/nats-server/v2/server"
)

// TestUnsafeServers has nodes say what the NATS servers elsewhere may lose.
func TestUnsafeServers(t *testing.T) {
	for _, tt := range []struct {
		name             string
		always, monitor  bool
		says, saysNotAny string
	}{
		{"not synced", false, true, "acknowledges what will be on disk within two minutes", "it is not known"},
		{"synced", true, true, "is on one server only", "two minutes"},
		{"unknown", true, false, "it is not known whether the NATS servers sync each write", "two minutes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, HTTPHost: "127.0.0.1", HTTPPort: -1,
				JetStream: true, StoreDir: t.TempDir(), SyncAlways: tt.always, NoSigs: true, NoLog: true})
			if err != nil {
				t.Fatal(err)
			}
			s.Start()
			defer s.Shutdown()
			if !s.ReadyForConnections(time.Minute) {
				t.Fatal("the NATS server does not start")
			}
			cluster := &node.Cluster{URL: []string{s.ClientURL()}}
			if tt.monitor {
				cluster.Monitor = []string{"http://" + s.MonitorAddr().String() + "/"}
			}
			var log logtest.Buffer
			n, err := node.Start(t.Context(), node.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Cluster: cluster,
				Logger: log.Logger()})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Shutdown(context.Background())
			if got := log.String(); !strings.Contains(got, "UNSAFE") || !strings.Contains(got, tt.says) || strings.Contains(got, tt.saysNotAny) {
				t.Errorf("the log has\n%s\nwant %q in it, and not %q", got, tt.says, tt.saysNotAny)
			}
		})
	}
}
