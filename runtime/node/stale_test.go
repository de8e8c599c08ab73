package node_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv/natsserver"
	"github.com/mayfly-run/mayfly/kv/porttest"
	"github.com/mayfly-run/mayfly/runtime/control"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// TestStaleNode has the copy of a node stand still while queues could be used: what
// others may have forbidden meanwhile is not done.
func TestStaleNode(t *testing.T) {
	key, listen := secret.NewKey(), porttest.Addresses(t, 1)[0]
	t.Setenv("MAYFLY_CLUSTER_SECRET", key.Encode())
	dir := t.TempDir()
	n := mustStart(t, node.Config{Data: dir, Cluster: &node.Cluster{Embedded: true, Listen: listen, StaleAfter: time.Nanosecond}})
	mustDeploy(t, n, "hello", hello("hi"))
	q, err := n.Registry().CreateQueue(t.Context(), deploy.Local, "jobs", deploy.QueueSettings{})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path, body string) (*http.Response, string) {
		t.Helper()
		return asAdmin(t, n, dir, method, path, body)
	}
	const account = "/client/v4/accounts/local"
	send := func() (*http.Response, string) {
		return ask("POST", account+"/queues/"+q.ID+"/messages", `{"body":"x"}`)
	}
	eventually(t, "a message is taken", func() bool { // the copy of a busy node may be behind for a moment
		resp, _ := send()
		return resp.StatusCode == 200
	})
	mustDrop(t, listen, key, "MAYFLY_mayfly")
	var health struct{ Result control.Health }
	eventually(t, "/healthz tells that changes are refused", func() bool {
		resp, text := ask("GET", "/healthz", "")
		return resp.StatusCode == 200 && json.Unmarshal([]byte(text), &health) == nil && health.Result.Cluster.Refuses
	})
	if c := health.Result.Cluster; c.Connected || c.Problem == "" {
		t.Errorf("/healthz: got %+v", c)
	}
	if resp, text := send(); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || !strings.Contains(text, "does not hear what others change") {
		t.Errorf("send: got %d %s", resp.StatusCode, text)
	}
	if resp, text := ask("GET", account+"/workers/scripts", ""); resp.StatusCode != 200 {
		t.Errorf("list: got %d %s", resp.StatusCode, text)
	}
	if status, body, err := get(n, "hello.localhost"); status != 200 || body != "hi" {
		t.Errorf("a request: got %d %q, %v", status, body, err)
	}
}

// mustDrop takes a stream away from the servers of a cluster.
func mustDrop(t *testing.T, listen string, key secret.Key, stream string) {
	t.Helper()
	conn, err := nats.Connect("nats://"+listen, nats.UserInfo(natsserver.User, key.MAC("mayfly cluster")), nats.Timeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn, jetstream.WithDefaultTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), stream); err != nil {
		t.Fatal(err)
	}
}
