package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// missingBlobs are the digests that records name and that are not there.
func (n *nodes) missingBlobs(t testing.TB) (missing []string) {
	t.Helper()
	for digest, by := range n.namedBlobs(t) {
		d, err := kv.ParseDigest(digest)
		if err != nil {
			t.Fatalf("%s names %q", by, digest)
		}
		if _, err := n.blobs.Get(t.Context(), d); err != nil {
			missing = append(missing, fmt.Sprintf("%s of %s: %v", digest, by, err))
		}
	}
	return missing
}

// namedBlobs are the digests that records name, each with one of the records.
func (n *nodes) namedBlobs(t testing.TB) map[string]string {
	t.Helper()
	named := map[string]string{}
	for _, prefix := range []string{"node/versions/", "node/snapshots/", "node/assets/", "node/manifests/"} {
		page, err := n.cluster.Truth().List(t.Context(), kv.ListOptions{Prefix: prefix, Limit: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			for _, digest := range digestsOf(t, prefix, e.Metadata) {
				named[digest] = e.Key
			}
		}
	}
	return named
}

// tidy waits until there are as many blobs as records name, and no record of work.
func (n *nodes) tidy(t testing.TB) {
	t.Helper()
	eventually(t, "what nothing names is gone", func() bool {
		list, err := n.blobs.List(t.Context())
		return err == nil && len(list) == len(n.namedBlobs(t))
	})
	eventually(t, "nothing is marked", func() bool {
		page, err := n.cluster.Truth().List(t.Context(), kv.ListOptions{Prefix: "node/garbage/"})
		return err == nil && len(page.Entries) == 0
	})
	if missing := n.missingBlobs(t); len(missing) > 0 {
		t.Errorf("blobs are missing: %q", missing)
	}
}

// hasty collects garbage as soon as it can.
func hasty() deploy.Config {
	return deploy.Config{Cluster: &deploy.Cluster{Lease: 2 * time.Minute, Grace: time.Millisecond}, KeepVersions: 2}
}

func TestClusterGarbage(t *testing.T) {
	n := newNodes(t, 2, hasty())
	for i := range 6 {
		mustDeploy(t, n.all[i%2], deploy.Local, "hello", deploy.Upload{Module: guest(byte(i))})
		mustDeploy(t, n.all[(i+1)%2], deploy.Local, "same", deploy.Upload{Module: guest(byte(i))})
	}
	if err := n.all[0].Delete(t.Context(), deploy.Local, "same", false); err != nil {
		t.Fatal(err)
	}
	n.tidy(t)
	if err := n.all[1].Delete(t.Context(), deploy.Local, "hello", false); err != nil {
		t.Fatal(err)
	}
	n.tidy(t)
	if list, err := n.blobs.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("got %d blobs, %v, want none", len(list), err)
	}
	n.agree(t)
}

// TestClusterLeftovers: what a node that died has left behind goes, and what is under
// way stays.
func TestClusterLeftovers(t *testing.T) {
	n := newNodes(t, 1, hasty())
	v := mustDeploy(t, n.all[0], deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	d, err := n.blobs.Put(t.Context(), []byte("of nobody"))
	if err != nil {
		t.Fatal(err)
	}
	leftover := map[string]string{"node/versions/local/hello/gone": v.Digest, "node/snapshots/local/none/gone": d.String(), "node/secrets/local/hello/KEY/gone": ""}
	for key, digest := range leftover {
		if _, err := n.stores[0].Put(t.Context(), key, []byte("{}"), kv.PutOptions{Metadata: []byte(digest)}); err != nil {
			t.Fatal(err)
		}
	}
	for key := range leftover {
		eventually(t, key+" is gone", func() bool {
			_, err := n.cluster.Truth().Get(t.Context(), key)
			return errors.Is(err, kv.ErrNotFound)
		})
	}
	n.tidy(t)
	n.agree(t)
}

// TestClusterBackupKeepsBlobs: while a node makes a backup, no other removes what is in
// it.
func TestClusterBackupKeepsBlobs(t *testing.T) {
	n := newNodes(t, 2, hasty())
	mustDeploy(t, n.all[0], deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	began, goOn := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		_, err := n.all[1].Backup(t.Context(), &slowWriter{began: began, goOn: goOn}, "test")
		done <- err
	}()
	<-began
	if err := n.all[0].Delete(t.Context(), deploy.Local, "hello", false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is marked", func() bool { return n.marked(t, kv.DigestOf(guest(1))) })
	from := n.lockRevision(t)
	eventually(t, "marks were looked at", func() bool { return n.lockRevision(t) > from+10 })
	close(goOn)
	if err := <-done; err != nil {
		t.Errorf("got %v", err)
	}
	n.tidy(t)
}

// lockRevision grows as long as somebody takes the lease for changes.
func (n *nodes) lockRevision(t testing.TB) uint64 {
	t.Helper()
	e, err := n.cluster.Truth().Get(t.Context(), "node/locks/changes")
	if err != nil {
		t.Fatal(err)
	}
	return e.Revision
}

// slowWriter waits at its first write.
type slowWriter struct {
	began, goOn chan struct{}
	once        sync.Once
}

func (w *slowWriter) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.began) })
	<-w.goOn
	return len(p), nil
}

// TestClusterRescue has nodes store the same few blobs again and again while their last
// uses end, with static files, which are stored without the lease.
func TestClusterRescue(t *testing.T) {
	n := newNodes(t, 3, hasty())
	rounds := 12
	if torture() {
		rounds = 300
	}
	var wg sync.WaitGroup
	var deployed atomic.Int64
	for i, r := range n.all {
		wg.Go(func() {
			for round := range rounds {
				name := fmt.Sprintf("site%d", i)
				err := deployFiles(t.Context(), r, deploy.Local, name, "/a.txt", fmt.Sprint(round%2), "/b.txt", "same")
				if e, ok := errors.AsType[*host.Error](err); ok && (e.Code == host.CodeConflict || e.Code == host.CodeInvalid) {
					continue // it was told so
				}
				if err != nil {
					t.Errorf("deploy: %v", err)
					return
				}
				deployed.Add(1)
				if got := read(t, r, name+".localhost", "/a.txt"); got != fmt.Sprint(round%2) {
					t.Errorf("%s: got %q, want %d", name, got, round%2)
				}
				if err := r.Delete(t.Context(), deploy.Local, name, false); err != nil {
					t.Errorf("delete: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if deployed.Load() == 0 {
		t.Error("nothing was deployed")
	}
	n.tidy(t)
	n.agree(t)
}

// TestClusterAssetSession begins an upload on one node, goes on with it on another, and
// deploys it on a third.
func TestClusterAssetSession(t *testing.T) {
	n := newNodes(t, 3, deploy.Config{})
	a, b, c := n.all[0], n.all[1], n.all[2]
	files := map[string]deploy.AssetFile{}
	texts := map[string]string{}
	for _, text := range []string{"one", "two", "three"} {
		hash := kv.DigestOf([]byte(text)).String()[:32]
		files["/"+text] = deploy.AssetFile{Hash: hash, Size: int64(len(text))}
		texts[hash] = text
	}
	token, missing, err := a.BeginAssets(t.Context(), deploy.Local, "site", files, deploy.Token{})
	if err != nil || len(missing) != 1 || len(missing[0]) != 3 {
		t.Fatalf("got %q, %v", missing, err)
	}
	for i, r := range []*deploy.Registry{a, b, c} {
		s, err := r.AssetSession(t.Context(), token)
		if err != nil || s.Function != "site" || s.Left == 0 {
			t.Fatalf("node %d: got %+v, %v", i, s, err)
		}
		hash := missing[0][i]
		if err := r.PutAsset(t.Context(), token, hash, []byte(texts[hash]), "text/plain"); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range []*deploy.Registry{b, a} {
		if s, err := r.AssetSession(t.Context(), token); err != nil || s.Left != 0 {
			t.Errorf("%d: got %+v, %v, want that all have come", i, s, err)
		}
	}
	if _, err := b.Deploy(t.Context(), deploy.Local, "site", deploy.Upload{Assets: &deploy.UploadAssets{Session: token}}); err != nil {
		t.Fatal(err)
	}
	n.everywhere(t, "the files are served", func(r *deploy.Registry) bool {
		return read(t, r, "site.localhost", "/one") == "one" && read(t, r, "site.localhost", "/three") == "three"
	})
	n.everywhere(t, "the session is over", func(r *deploy.Registry) bool {
		_, err := r.AssetSession(t.Context(), token)
		return err != nil
	})
	if _, missing, err := c.BeginAssets(t.Context(), deploy.Local, "other", files, deploy.Token{}); err != nil || len(missing) != 0 {
		t.Errorf("got %q, %v, want that the account has all files", missing, err)
	}
	n.agree(t)
}

// TestClusterNamespaceIsEmptied by the node with the duties, or by the next one that
// gets them.
func TestClusterNamespaceIsEmptied(t *testing.T) {
	n := newNodes(t, 2, deploy.Config{})
	for round, r := range []*deploy.Registry{n.all[1], n.all[1]} {
		ns := mustNamespace(t, r, deploy.Local, "gone")
		entries, err := r.Entries(deploy.Local, ns.ID)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			if _, err := entries.Put(t.Context(), fmt.Sprint(i), nil, kv.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.DeleteNamespace(t.Context(), deploy.Local, ns.ID); err != nil {
			t.Fatal(err)
		}
		for _, prefix := range []string{"kv/", "node/namespaces/"} {
			eventually(t, prefix+" is empty", func() bool {
				page, err := n.cluster.Truth().List(context.Background(), kv.ListOptions{Prefix: prefix})
				return err == nil && len(page.Entries) == 0
			})
		}
		if round == 0 {
			n.all[0].Close() // which began first, and has the duties
			n.stores[0].Cut(true)
		}
	}
}

// TestClusterMarkIsTakenAway: who stores what was marked takes the mark away.
func TestClusterMarkIsTakenAway(t *testing.T) {
	n := newNodes(t, 2, deploy.Config{})
	mustDeployFiles(t, n.all[0], deploy.Local, "site", "/a.txt", "a")
	mustDeploy(t, n.all[0], deploy.Local, "hello", deploy.Upload{Module: guest(7)})
	for _, name := range []string{"site", "hello"} {
		if err := n.all[0].Delete(t.Context(), deploy.Local, name, false); err != nil {
			t.Fatal(err)
		}
	}
	digest := kv.DigestOf(guest(7))
	file := kv.DigestOf([]byte("a\nmayfly account local"))
	eventually(t, "all is marked", func() bool { return n.marked(t, digest) && n.marked(t, file) })
	mustDeployFiles(t, n.all[1], deploy.Local, "site", "/a.txt", "a")
	mustDeploy(t, n.all[1], deploy.Local, "hello", deploy.Upload{Module: guest(7)})
	for what, d := range map[string]kv.Digest{"module": digest, "file": file} {
		if n.marked(t, d) {
			t.Errorf("the %s is still marked", what)
		}
	}
}

func (n *nodes) marked(t testing.TB, d kv.Digest) bool {
	t.Helper()
	return holds(t, n, "node/garbage/"+d.String())
}

// heldBlobs wait before they delete one blob.
type heldBlobs struct {
	kv.Blobs
	held           kv.Digest
	deleting, goOn chan struct{}
}

func (b *heldBlobs) Delete(ctx context.Context, d kv.Digest) error {
	if d == b.held {
		select {
		case b.deleting <- struct{}{}:
			<-b.goOn
		case <-b.goOn:
		}
	}
	return b.Blobs.Delete(ctx, d)
}

// TestClusterStoredWhileRemoved stores a file just before its blob is removed, as one
// of another name: it is stored again.
func TestClusterStoredWhileRemoved(t *testing.T) {
	n := newNodes(t, 0, hasty())
	held := &heldBlobs{n.blobs, kv.DigestOf([]byte("a\nmayfly account local")), make(chan struct{}), make(chan struct{})}
	n.join(t, held)
	eventually(t, "it has them", func() bool { return holds(t, n, "node/locks/duties") })
	b := n.join(t, n.blobs)
	mustDeployFiles(t, b, deploy.Local, "site", "/a.txt", "a")
	hash := strings.Repeat("0", 32)
	token, _, err := b.BeginAssets(t.Context(), deploy.Local, "other", map[string]deploy.AssetFile{"/b": {Hash: hash, Size: 1}}, deploy.Token{})
	if err != nil {
		t.Fatal(err)
	}
	deleted := make(chan error, 1)
	go func() { deleted <- b.Delete(t.Context(), deploy.Local, "site", false) }() // for a may stand still already
	<-held.deleting
	done := make(chan error)
	go func() { done <- b.PutAsset(t.Context(), token, hash, []byte("a"), "text/plain") }()
	eventually(t, "there is a record of it", func() bool { return holds(t, n, "node/assets/local/"+hash) })
	close(held.goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := b.Deploy(t.Context(), deploy.Local, "other", deploy.Upload{Assets: &deploy.UploadAssets{Session: token}}); err != nil {
		t.Fatal(err)
	}
	n.everywhere(t, "the file is served", func(r *deploy.Registry) bool { return read(t, r, "other.localhost", "/b") == "a" })
	if err := <-deleted; err != nil {
		t.Error(err)
	}
	n.tidy(t)
}

func holds(t testing.TB, n *nodes, key string) bool {
	t.Helper()
	_, err := n.cluster.Truth().Get(t.Context(), key)
	return err == nil
}
