package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

var errCrashed = errors.New("crashed")

// crash fails every write from a certain one on, as the end of the process
// would. Torn writes take effect although they fail.
type crash struct {
	mu   sync.Mutex // guards left
	left int        // writes until the crash
	torn bool
}

// write does a write unless the crash has come.
func (c *crash) write(do func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left--
	switch {
	case c.left >= 0:
		return do()
	case c.left == -1 && c.torn:
		return errors.Join(do(), errCrashed)
	}
	return errCrashed
}

func (c *crash) store(s kv.Store) kv.Store { return crashingStore{s, c} }
func (c *crash) blobs(b kv.Blobs) kv.Blobs { return crashingBlobs{b, c} }

type crashingStore struct {
	kv.Store
	crash *crash
}

func (s crashingStore) Put(ctx context.Context, key string, value []byte, opts kv.PutOptions) (revision uint64, err error) {
	err = s.crash.write(func() (err error) {
		revision, err = s.Store.Put(ctx, key, value, opts)
		return err
	})
	return revision, err
}

func (s crashingStore) Delete(ctx context.Context, key string, opts kv.DeleteOptions) error {
	return s.crash.write(func() error { return s.Store.Delete(ctx, key, opts) })
}

type crashingBlobs struct {
	kv.Blobs
	crash *crash
}

func (b crashingBlobs) Put(ctx context.Context, data []byte) (d kv.Digest, err error) {
	err = b.crash.write(func() (err error) {
		d, err = b.Blobs.Put(ctx, data)
		return err
	})
	return d, err
}

func (b crashingBlobs) Delete(ctx context.Context, d kv.Digest) error {
	return b.crash.write(func() error { return b.Blobs.Delete(ctx, d) })
}

// TestCrash ends the process at every write of a change. Afterwards the old
// state or the new one is there as a whole, and nothing else is.
func TestCrash(t *testing.T) {
	oldModule, newModule := guest(1), guest(2)
	changes := map[string]struct {
		do    func(r *deploy.Registry) error
		after []byte // the module that serves afterwards; nil: none
	}{
		"deploy": {func(r *deploy.Registry) error {
			_, err := r.Deploy(context.Background(), deploy.Local, "hello", deploy.Upload{Module: newModule, Routes: routes(t, "new.example.com/*")})
			return err
		}, newModule},
		"delete": {func(r *deploy.Registry) error {
			return r.Delete(context.Background(), deploy.Local, "hello", false)
		}, nil},
	}
	for name, change := range changes {
		for _, torn := range []bool{false, true} {
			for writes := 0; ; writes++ {
				crashed := false
				t.Run(fmt.Sprintf("%s after %d torn %v", name, writes, torn), func(t *testing.T) {
					n := newNode(t)
					first := n.open(t)
					mustDeploy(t, first, deploy.Local, "hello", deploy.Upload{Module: oldModule, Routes: routes(t, "old.example.com/*")})
					first.Close()

					c := &crash{left: writes, torn: torn}
					dying := node{c.store(n.store), c.blobs(n.blobs)}.open(t)
					err := change.do(dying)
					// Until its end the process itself goes on with what is stored.
					checkServes(t, dying, oldModule, change.after)
					dying.Close()
					crashed = c.left < 0

					r := n.open(t)
					got := checkServes(t, r, oldModule, change.after)
					if err == nil && !bytes.Equal(got, change.after) {
						t.Error("an acknowledged change is lost")
					}
					checkNothingElse(t, n, r)
				})
				if !crashed {
					break // the change needs no more writes than that
				}
			}
		}
	}
}

// checkServes checks that the Function serves one module or the other with what
// belongs to it, and returns that module.
func checkServes(t *testing.T, r *deploy.Registry, before, after []byte) []byte {
	t.Helper()
	a, ok := r.Lookup([]byte("http"), []byte("hello.localhost"), []byte("/"))
	oldRoute, newRoute := lookup(r, "old.example.com", "/"), lookup(r, "new.example.com", "/")
	if !ok {
		if after != nil || oldRoute+newRoute != "" {
			t.Errorf("the Function is gone; its routes lead to %q, %q", oldRoute, newRoute)
		}
		return nil
	}
	module, v, err := r.Download(t.Context(), deploy.Local, "hello")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Main().Snapshot(t.Context(), time.Now()); err != nil {
		t.Error(err)
	}
	switch {
	case bytes.Equal(module, before):
		if oldRoute != v.ID || newRoute != "" {
			t.Errorf("the old module serves; the routes lead to %q, %q", oldRoute, newRoute)
		}
	case bytes.Equal(module, after):
		if oldRoute != "" || newRoute != v.ID {
			t.Errorf("the new module serves; the routes lead to %q, %q", oldRoute, newRoute)
		}
	default:
		t.Error("another module serves")
	}
	versions, err := r.Versions(t.Context(), deploy.Local, "hello")
	if err != nil || versions[0].ID != v.ID {
		t.Errorf("got %v, %v, want version %s first", versions, err, v.ID)
	}
	return module
}

// checkNothingElse checks that a start leaves only what is in use.
func checkNothingElse(t *testing.T, n node, r *deploy.Registry) {
	t.Helper()
	wantBlobs, wantVersions := map[string]bool{}, 0
	functions, err := r.Functions(deploy.Local)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range functions {
		versions, err := r.Versions(t.Context(), f.Account, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range versions {
			wantBlobs[v.Digest] = true
			wantVersions++
		}
	}
	for _, records := range []string{"node/versions/", "node/snapshots/"} {
		page, err := n.store.List(t.Context(), kv.ListOptions{Prefix: records})
		if err != nil || len(page.Entries) != wantVersions {
			t.Errorf("got %d of %s, %v; want %d", len(page.Entries), records, err, wantVersions)
		}
		for _, e := range page.Entries {
			wantBlobs[string(e.Metadata)] = true
		}
	}
	blobs, err := n.blobs.List(t.Context())
	if err != nil || len(blobs) != len(wantBlobs) {
		t.Errorf("got %d blobs, %v; want %d", len(blobs), err, len(wantBlobs))
	}
}
