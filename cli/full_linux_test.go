package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/mayfly-run/mayfly/kv/space"
)

// mustVolume mounts a small file system of its own, which goes with the test.
func mustVolume(t *testing.T, mib int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("mayfly-test", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=700", mib)); err != nil {
		t.Skipf("NOT TESTED: what happens when the disk is full. Mounting a tmpfs: %v. Run this test as root, outside of a container without CAP_SYS_ADMIN", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fullValue is different for each key, and of lengths that are kept in different ways.
func fullValue(key string) []byte {
	h := fnv.New64a()
	io.WriteString(h, key)
	sum := h.Sum(nil)
	return bytes.Repeat(sum, []int{8, 100, 1000, 10_000, 40_000}[int(sum[0])%5])
}

// filling is a node on a small volume, and what it has acknowledged.
type filling struct {
	*server
	namespace string // path of it

	mu      sync.Mutex // guards acked
	acked   map[string]bool
	refused atomic.Int64 // 507
}

// call returns the status and the answer, or stops the test if there is none.
func (f *filling) call(t *testing.T, method, path string, body []byte) (int, []byte) {
	req, err := http.NewRequest(method, "http://"+f.admin+"/client/v4/accounts/local"+path, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	req.Header.Set("Authorization", "Bearer "+f.mustToken(t))
	req.Header.Set("Content-Type", "application/wasm")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Errorf("the node is gone: %v", err)
		return 0, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("the node is gone: %v", err)
	}
	return resp.StatusCode, text
}

// write has several clients write until there have been so many refusals.
func (f *filling) write(t *testing.T, refusals int64) {
	t.Helper()
	f.refused.Store(0)
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for f.refused.Load() < refusals && !t.Failed() {
				key := fmt.Sprintf("%016x", rand.Uint64())
				switch status, text := f.call(t, "PUT", f.namespace+"/values/"+key, fullValue(key)); status {
				case 200:
					f.mu.Lock()
					f.acked[key] = true
					f.mu.Unlock()
				case 507:
					f.refused.Add(1)
				default:
					t.Errorf("status %d: %s", status, text)
				}
			}
		})
	}
	clients.Wait()
}

// check reads every acknowledged key.
func (f *filling) check(t *testing.T, when string) {
	t.Helper()
	lost := 0
	for key := range f.acked {
		if status, text := f.call(t, "GET", f.namespace+"/values/"+key, nil); status != 200 || !bytes.Equal(text, fullValue(key)) {
			lost++
		}
	}
	t.Logf("%s: %d keys acknowledged, %d lost", when, len(f.acked), lost)
	if lost > 0 {
		t.Errorf("%s: %d of %d acknowledged keys are lost", when, lost, len(f.acked))
	}
	if status, body := f.get(t, "hello"); status != 200 || body != "hello" {
		t.Errorf("%s: the Function answers %d %q", when, status, body)
	}
}

// TestDiskFull fills the volume of a node under load: by writes, and by another
// program. The node refuses and goes on, loses nothing, and takes writes again by
// itself when there is space.
func TestDiskFull(t *testing.T) {
	volume := mustVolume(t, 256)
	data := filepath.Join(volume, "data")
	f := &filling{server: mustServeIn(t, data), acked: map[string]bool{}}
	f.mustDeploy(t, "hello", tiny("hello"))
	f.namespace = f.mustNamespace(t)

	f.write(t, 500)
	f.check(t, "full of its own data")
	if status, text := f.call(t, "PUT", "/workers/scripts/other", tiny("other")); status != 507 || !bytes.Contains(text, []byte("disk is nearly full")) {
		t.Errorf("a deploy: got %d %s, want 507", status, text)
	}

	// Another program takes more of what is kept free, within moments.
	filler := filepath.Join(volume, "filler")
	if err := os.WriteFile(filler, make([]byte, 40<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	f.write(t, 500)
	f.check(t, "filled by another program")
	f.kill(t)
	f.server = mustServeIn(t, data) // it starts all the same
	f.write(t, 500)
	f.check(t, "after it was killed")

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	f.makeRoom(t)
	f.write(t, 500)
	f.check(t, "full again, after deletions")
}

// makeRoom deletes most keys, and waits until the space that they took is there again.
func (f *filling) makeRoom(t *testing.T) {
	t.Helper()
	for key := range f.acked {
		if len(f.acked) <= 100 {
			break
		}
		if status, text := f.call(t, "DELETE", f.namespace+"/values/"+key, nil); status != 200 {
			t.Fatalf("a deletion: got %d %s", status, text)
		}
		delete(f.acked, key)
	}
	// Small writes show how much is taken again: refusals ask for collections.
	began := time.Now()
	for i := 0; time.Since(began) < 2*time.Minute; i++ {
		if f.space(t) > 108+40 {
			t.Logf("40 MiB can be written %v after the deletions", time.Since(began).Round(time.Millisecond))
			return
		}
		key := fmt.Sprintf("after-%d", i)
		if status, _ := f.call(t, "PUT", f.namespace+"/values/"+key, fullValue(key)); status == 200 {
			f.acked[key] = true
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%d MiB are free although most keys were deleted", f.space(t))
}

// space is what is free on the volume, in MiB.
func (f *filling) space(t *testing.T) int64 {
	t.Helper()
	v, err := space.Measure(f.data)
	if err != nil {
		t.Fatal(err)
	}
	return v.Free >> 20
}

func (f *filling) mustNamespace(t *testing.T) (path string) {
	t.Helper()
	c, err := api.New(api.Config{Base: "http://" + f.admin + "/client/v4", Account: "local", Token: f.mustToken(t)})
	if err != nil {
		t.Fatal(err)
	}
	ns, err := c.CreateNamespace(context.Background(), "filled")
	if err != nil {
		t.Fatal(err)
	}
	return "/storage/kv/namespaces/" + ns.ID
}
