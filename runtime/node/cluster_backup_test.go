package node_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/datadir"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

const lateMessages = 80

// filled is what a node has before it is backed up.
type filled struct {
	namespace string
	revision  uint64 // of its key
	expires   time.Time
	queue     deploy.Queue // with two messages, and lateMessages that are delayed
}

func mustFill(t *testing.T, n *node.Node) (f filled) {
	t.Helper()
	mustDeploy(t, n, "tells", tells())
	text := "a secret"
	if _, err := n.Registry().SetSecrets(t.Context(), deploy.Local, "tells", "", map[string]*string{"KEY": &text}); err != nil {
		t.Fatal(err)
	}
	ns, err := n.Registry().CreateNamespace(t.Context(), deploy.Local, "values")
	if err != nil {
		t.Fatal(err)
	}
	f.namespace, f.expires = ns.ID, time.Now().Add(time.Hour).Truncate(time.Millisecond)
	store, err := n.Registry().Entries(deploy.Local, ns.ID)
	if err != nil {
		t.Fatal(err)
	}
	f.revision, err = store.Put(t.Context(), "k", []byte(strings.Repeat("v", 3<<20)), kv.PutOptions{Metadata: []byte(`{"a":1}`), Expires: f.expires})
	if err != nil {
		t.Fatal(err)
	}
	if f.queue, err = n.Registry().CreateQueue(t.Context(), deploy.Local, "waits", deploy.QueueSettings{}); err != nil {
		t.Fatal(err)
	}
	if f.queue, err = n.Registry().AddConsumer(t.Context(), deploy.Local, f.queue.ID, deploy.QueueConsumer{Type: deploy.ConsumerPull}); err != nil {
		t.Fatal(err)
	}
	messages := []host.QueueSend{{ContentType: kv.ContentText, Body: []byte("first")}, {ContentType: kv.ContentText, Body: []byte("second")}}
	for range lateMessages {
		messages = append(messages, host.QueueSend{ContentType: kv.ContentText, Body: []byte("late"), Delay: 5 * time.Hour})
	}
	if _, err := n.Registry().Send(t.Context(), f.queue, messages); err != nil {
		t.Fatal(err)
	}
	return f
}

// mustPull pulls what is due.
func (f filled) mustPull(t *testing.T, n *node.Node, data string) (bodies map[string]int) {
	t.Helper()
	bodies = map[string]int{}
	for deadline := time.Now().Add(2 * time.Minute); len(bodies) < 2 && time.Now().Before(deadline); {
		var got struct {
			Messages []struct {
				Body     string
				Attempts int
			}
		}
		if status := post(t, n, data, "/"+f.queue.ID+"/messages/pull", `{"visibility_timeout_ms":3600000}`, &got); status != 200 && status != 503 {
			t.Fatalf("pull: status %d", status)
		}
		for _, m := range got.Messages {
			bodies[m.Body] = m.Attempts
		}
	}
	return bodies
}

// wantFilled wants it all on another node, which may have to hear of it first.
func (f filled) wantFilled(t *testing.T, n *node.Node) (revision uint64) {
	t.Helper()
	var status int
	var body string
	var err error
	defer func() {
		if t.Failed() {
			t.Logf("the Function answered with %d %q, %v", status, body, err)
		}
	}()
	eventually(t, "the Function tells its secret", func() bool {
		status, body, err = get(n, "tells.localhost")
		return err == nil && status == 200 && body == "a secret"
	})
	store, err := n.Registry().Entries(deploy.Local, f.namespace)
	if err != nil {
		t.Fatal(err)
	}
	var e kv.Entry
	eventually(t, "the key is there", func() bool {
		e, err = store.Get(t.Context(), "k")
		return err == nil
	})
	if len(e.Value) != 3<<20 || string(e.Metadata) != `{"a":1}` || !e.Expires.Equal(f.expires) {
		t.Errorf("got %d bytes, %s, until %v", len(e.Value), e.Metadata, e.Expires)
	}
	eventually(t, "the messages are there", func() bool {
		backlog, err := n.Registry().Backlog(t.Context(), f.queue)
		return err == nil && backlog.Messages == 2+lateMessages
	})
	return e.Revision
}

// wantRestored wants it all under other revisions: who holds one from before writes
// over nothing.
func (f filled) wantRestored(t *testing.T, n *node.Node) {
	t.Helper()
	if revision := f.wantFilled(t, n); revision <= f.revision {
		t.Errorf("got revision %d after %d", revision, f.revision)
	}
}

func mustBackup(t *testing.T, n *node.Node) []byte {
	t.Helper()
	var file bytes.Buffer
	patiently(t, func() error {
		file.Reset()
		_, err := n.Registry().Backup(t.Context(), &file, "1.2.3")
		return err
	})
	return file.Bytes()
}

// takesBackup brings a node's backup into a cluster, and that one's into a node without
// one.
func (tr *trio) takesBackup(t *testing.T) {
	alone := mustStart(t, node.Config{})
	f := mustFill(t, alone)
	file := mustBackup(t, alone)
	if _, err := alone.Registry().Restore(t.Context(), bytes.NewReader(file)); host.CodeOf(err) != host.CodeUnsupported {
		t.Errorf("into a node without a cluster: got %v", err)
	}
	damaged := bytes.Clone(file)
	damaged[len(damaged)/2] ^= 1
	refuses := func(what string, n *node.Node, file []byte, code host.Code) {
		t.Helper()
		var err error
		patiently(t, func() error {
			if _, err = n.Registry().Restore(t.Context(), bytes.NewReader(file)); errors.Is(err, kv.ErrUnavailable) {
				return err
			}
			return nil
		})
		if host.CodeOf(err) != code {
			t.Errorf("%s: got %v", what, err)
		}
	}
	refuses("a damaged backup", tr.nodes[0], damaged, host.CodeInvalid)
	patiently(t, func() error {
		_, err := tr.nodes[0].Registry().Restore(t.Context(), bytes.NewReader(file))
		return err
	})
	for _, n := range tr.nodes {
		f.wantRestored(t, n)
	}
	refuses("into a cluster that is in use", tr.nodes[1], file, host.CodeConflict)

	dir := datadir.Dir(t.TempDir())
	if _, err := node.Restore(t.Context(), bytes.NewReader(mustBackup(t, tr.nodes[2])), dir, nil); err != nil {
		t.Fatal(err)
	}
	again := mustStart(t, node.Config{Data: string(dir)})
	f.wantRestored(t, again)
	for name, n := range map[string]*node.Node{string(dir): again, tr.dirs[0]: tr.nodes[0]} {
		if got := f.mustPull(t, n, name); len(got) != 2 || got["first"] != 1 || got["second"] != 1 {
			t.Errorf("pulled %v, want the two messages that are due, for the first time", got)
		}
	}
}

// TestRestoreOfOtherKey refuses secrets that nobody in the cluster could open.
func TestRestoreOfOtherKey(t *testing.T) {
	setKeys(t)
	alone := mustStart(t, node.Config{})
	mustFill(t, alone)
	file := mustBackup(t, alone)
	if err := alone.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MAYFLY_KEK", secret.NewKey().Encode())
	one := mustStart(t, node.Config{Cluster: &node.Cluster{Embedded: true}})
	if _, err := one.Registry().Restore(t.Context(), bytes.NewReader(file)); host.CodeOf(err) != host.CodeInvalid || !strings.Contains(err.Error(), "are sealed under key") {
		t.Errorf("got %v", err)
	}
}
