package deploy_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/backup"
	"github.com/mayfly-run/mayfly/runtime/assets"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// deployFiles deploys files alone, given by path and text in turn.
func deployFiles(ctx context.Context, r *deploy.Registry, account, name string, files ...string) error {
	m, texts := map[string]deploy.AssetFile{}, map[string]string{}
	for i := 0; i < len(files); i += 2 {
		hash := kv.DigestOf([]byte(files[i+1])).String()[:32]
		m[files[i]], texts[hash] = deploy.AssetFile{Hash: hash, Size: int64(len(files[i+1]))}, files[i+1]
	}
	token, missing, err := r.BeginAssets(ctx, account, name, m, deploy.Token{})
	if err != nil {
		return err
	}
	for _, bucket := range missing {
		for _, hash := range bucket {
			if err := r.PutAsset(ctx, token, hash, []byte(texts[hash]), "text/plain"); err != nil {
				return err
			}
		}
	}
	_, err = r.Deploy(ctx, account, name, deploy.Upload{Assets: &deploy.UploadAssets{Session: token}})
	return err
}

func mustDeployFiles(t testing.TB, r *deploy.Registry, account, name string, files ...string) {
	t.Helper()
	if err := deployFiles(t.Context(), r, account, name, files...); err != nil {
		t.Fatal(err)
	}
}

// read returns a file as a Function's host has it, or why not.
func read(t testing.TB, r *deploy.Registry, host, path string) string {
	t.Helper()
	serving, ok := r.Lookup([]byte("http"), []byte(host), []byte(path))
	if !ok || serving.Main().Assets == nil {
		return "nothing serves"
	}
	h := serving.Main().Assets
	site, err := h.Site(t.Context())
	if err != nil {
		return err.Error()
	}
	a, _ := site.Serve(&assets.Request{Method: "GET", Host: host, Path: path, AcceptEncoding: "identity"})
	if a.Content == nil {
		return fmt.Sprint(a.Status)
	}
	data, _, err := h.Server().Bytes(t.Context(), a.Content)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func (n node) blobCount(t testing.TB) int {
	t.Helper()
	list, err := n.blobs.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// settles waits until there are so many blobs.
func (n node) settles(t testing.TB, want int) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); n.blobCount(t) != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("there are %d blobs, want %d", n.blobCount(t), want)
		}
	}
}

// long is a text of which smaller forms are kept.
var long = strings.Repeat("long enough to be compressed. ", 100)

func TestAssetsAfterRestart(t *testing.T) {
	dir := t.TempDir()
	n, closeStore := onDisk(t, dir)
	r := n.open(t)
	mustDeployFiles(t, r, deploy.Local, "site", "/a.txt", "a", "/long.txt", long)
	kept := n.blobCount(t)
	if _, missing, err := r.BeginAssets(t.Context(), deploy.Local, "other", map[string]deploy.AssetFile{"/b": {Hash: strings.Repeat("0", 32), Size: 1}}, deploy.Token{}); err != nil || len(missing) != 1 {
		t.Fatalf("got %q, %v", missing, err)
	}
	r.Close()
	closeStore()

	n, closeStore = onDisk(t, dir)
	defer closeStore()
	r = n.open(t)
	defer r.Close()
	for path, want := range map[string]string{"/a.txt": "a", "/long.txt": long, "/none": "404"} {
		if got := read(t, r, "site.localhost", path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	mustDeployFiles(t, r, deploy.Local, "site", "/a.txt", "a", "/long.txt", long)
	n.settles(t, kept)
}

// TestAssetsCrash ends the process at each write of an upload of files. Afterwards
// the old files or the new ones are served, and nothing else is kept.
func TestAssetsCrash(t *testing.T) {
	for _, torn := range []bool{false, true} {
		t.Run(fmt.Sprintf("torn %v", torn), func(t *testing.T) {
			writes := 0
			for ; !crashAssets(t, &crash{left: writes, torn: torn}); writes++ {
			}
			if writes < 10 {
				t.Errorf("an upload has %d writes", writes)
			}
		})
	}
}

// crashAssets reports whether the upload came to its end.
func crashAssets(t *testing.T, c *crash) bool {
	n, writes := newNode(t), c.left
	r := n.open(t)
	mustDeployFiles(t, r, deploy.Local, "site", "/a.txt", "old", "/same.txt", "same")
	r.Close()
	old := n.blobCount(t)
	r = node{c.store(n.store), c.blobs(n.blobs)}.open(t)
	err := deployFiles(t.Context(), r, deploy.Local, "site", "/a.txt", "new", "/same.txt", "same", "/long.txt", long)
	r.Close()
	r = n.open(t)
	defer r.Close()
	got := read(t, r, "site.localhost", "/a.txt")
	if got != "old" && got != "new" || err == nil && got != "new" || read(t, r, "site.localhost", "/same.txt") != "same" {
		t.Fatalf("after %d writes: got %q, %v", writes, got, err)
	}
	if got == "old" {
		n.settles(t, old)
	} else if text := read(t, r, "site.localhost", "/long.txt"); text != long {
		t.Fatalf("after %d writes: got %.40q", writes, text)
	}
	return err == nil
}

func TestAssetsInBackup(t *testing.T) {
	n := newNode(t)
	r := n.open(t)
	mustAccount(t, r, "acme")
	mustDeployFiles(t, r, "acme", "site", "/a.txt", "a", "/long.txt", long)
	var file bytes.Buffer
	sum, err := r.Backup(t.Context(), &file, "test")
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(n.blobCount(t) - 1); sum.Blobs != want { // all but the snapshot
		t.Errorf("the backup has %d blobs, want %d", sum.Blobs, want)
	}
	to := newNode(t)
	if _, err := backup.Restore(t.Context(), &file, to.store, to.blobs); err != nil {
		t.Fatal(err)
	}
	restored := to.open(t)
	if got := read(t, restored, "site.acme.localhost", "/long.txt"); got != long {
		t.Errorf("got %.40q", got)
	}
}

// TestCheckAssets has doctor's findings: a file, its list, or a record of them that is
// not as it was.
func TestCheckAssets(t *testing.T) {
	tests := map[string]struct {
		break_ func(ctx context.Context, n node, file assets.File, manifest, key string) error
		want   string
	}{
		"whole": {func(context.Context, node, assets.File, string, string) error { return nil }, ""},
		"file": {func(ctx context.Context, n node, f assets.File, _, _ string) error {
			return n.blobs.Delete(ctx, f.Digest)
		}, "the static file (blob "},
		"list": {func(ctx context.Context, n node, _ assets.File, manifest, _ string) error {
			return n.store.Delete(ctx, manifest, kv.DeleteOptions{})
		}, "the list of its static files is missing"},
		"record": {func(ctx context.Context, n node, _ assets.File, _, key string) error {
			_, err := n.store.Put(ctx, key, nil, kv.PutOptions{Metadata: []byte("{}")})
			return err
		}, "the record does not hold what its kind has"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			r := n.open(t)
			mustDeployFiles(t, r, deploy.Local, "site", "/a.txt", "a")
			_, v, err := r.Function(deploy.Local, "site")
			if err != nil {
				t.Fatal(err)
			}
			m, err := assets.NewServer(n.blobs, 0).Manifest(t.Context(), v.Settings.Assets.Manifest)
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			manifest := "node/manifests/local/" + v.Settings.Assets.Manifest.String()
			if err := tt.break_(t.Context(), n, m["/a.txt"], manifest, "node/assets/local/"+kv.DigestOf([]byte("a")).String()[:32]); err != nil {
				t.Fatal(err)
			}
			var found []string
			view, err := kv.ViewOf(t.Context(), n.store)
			if err != nil {
				t.Fatal(err)
			}
			defer view.Close()
			_, err = deploy.Check(t.Context(), view.Entries, func(ctx context.Context, d kv.Digest) error {
				_, err := n.blobs.Get(ctx, d)
				return err
			}, func(p deploy.Problem) { found = append(found, p.What) })
			got := strings.Join(found, "\n")
			if err != nil || tt.want == "" && got != "" || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// TestAssetsTogether has several deploy and delete Functions that share files, with
// nothing missing for those that are there.
func TestAssetsTogether(t *testing.T) {
	n := newNode(t)
	r := n.open(t)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			name := fmt.Sprint("site", g)
			for i := range 15 {
				own := fmt.Sprint(g, " ", i)
				if err := deployFiles(t.Context(), r, deploy.Local, name, "/own.txt", own, "/shared.txt", fmt.Sprint(i%3), "/long.txt", long); err != nil {
					t.Error(err)
					return
				}
				host := name + ".localhost"
				if a, b, c := read(t, r, host, "/own.txt"), read(t, r, host, "/shared.txt"), read(t, r, host, "/long.txt"); a != own || b != fmt.Sprint(i%3) || c != long {
					t.Errorf("%s: got %q, %q, %.20q", host, a, b, c)
				}
				if i%2 == 0 {
					if err := r.Delete(t.Context(), deploy.Local, name, false); err != nil {
						t.Error(err)
					}
				}
			}
			if err := r.Delete(t.Context(), deploy.Local, name, false); err != nil && !strings.Contains(err.Error(), "does not exist") {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestAssetsOfDeletedAccount: an upload ends with its account, also for one that is
// made anew under the name.
func TestAssetsOfDeletedAccount(t *testing.T) {
	n := newNode(t)
	r := n.open(t)
	mustAccount(t, r, "acme")
	hash := kv.DigestOf([]byte("a")).String()[:32]
	token, _, err := r.BeginAssets(t.Context(), "acme", "site", map[string]deploy.AssetFile{"/a": {Hash: hash, Size: 1}}, deploy.Token{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.PutAsset(t.Context(), token, hash, []byte("a"), "text/plain"); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteAccount(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	mustAccount(t, r, "acme")
	if s, err := r.AssetSession(t.Context(), token); err == nil {
		t.Errorf("got %+v, want that it is over", s)
	}
	n.settles(t, 0)
}
