package control_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/backup"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

const backupPath = "/mayfly/backup"

// TestBackup restores what the API gives, while deploys that drop Versions and
// their modules go on.
func TestBackup(t *testing.T) {
	f := newFixture(t, options{})
	f.account(t, "acme")
	space := f.namespace(t, "acme")
	f.ok(t, call{method: "PUT", path: space + "/values/k?expiration_ttl=3600", body: "v"}, nil)
	f.ok(t, upload(t, "acme", "shop", `{"main_module":"main.wasm"}`, guest(0)), nil)

	stop := make(chan struct{})
	var deploys sync.WaitGroup
	deploys.Go(func() {
		for i := byte(1); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := f.registry.Deploy(t.Context(), "acme", "shop", deploy.Upload{Module: []byte(guest(i))}); err != nil {
				t.Error(err)
			}
			if i%4 == 0 {
				f.registry.Delete(t.Context(), "acme", "shop", false)
			}
		}
	})
	for range 5 {
		checkBackup(t, f.do(t, call{method: "GET", path: backupPath}))
	}
	close(stop)
	deploys.Wait()
}

// checkBackup restores a backup and looks for what every record names.
func checkBackup(t *testing.T, a answer) {
	t.Helper()
	if a.status != 200 || a.header.Get("Content-Type") != "application/octet-stream" {
		t.Fatalf("got %d: %s", a.status, a.body)
	}
	store, blobs := memkv.New(memkv.Config{}), memkv.NewBlobs()
	sum, err := backup.Restore(t.Context(), strings.NewReader(a.body), store, blobs)
	if err != nil || sum.Software != "1.2.3" || sum.Revision == 0 {
		t.Fatalf("restore: %+v, %v", sum, err)
	}
	view, err := store.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	blob := func(ctx context.Context, d kv.Digest) error {
		_, err := blobs.Get(ctx, d)
		return err
	}
	problems, err := deploy.Check(t.Context(), view.Entries, blob, func(p deploy.Problem) { t.Errorf("%+v", p) })
	if err != nil || problems != 0 {
		t.Errorf("got %d problems, %v", problems, err)
	}
}

func TestBackupRefused(t *testing.T) {
	f := newFixture(t, options{})
	token := f.account(t, "acme")
	f.refused(t, call{method: "GET", path: backupPath, token: token}, 403, 9109, "Unauthorized to access requested resource")
	f.refused(t, call{method: "GET", path: backupPath, noToken: true}, 401, 10000, "Authentication error")
	if a := f.do(t, call{method: "POST", path: backupPath}); a.status != 405 {
		t.Errorf("POST: got %d", a.status)
	}
	var whole bytes.Buffer
	if _, err := f.registry.Backup(t.Context(), &whole, ""); err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]string{"the token": token, "the admin's token": f.admin} {
		if bytes.Contains(whole.Bytes(), []byte(secret)) {
			t.Errorf("%s is in the backup", name)
		}
	}
}
