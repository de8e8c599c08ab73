package deploy_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
	"github.com/mayfly-run/mayfly/kv/fileblob"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// onDisk opens a node in a directory; close ends it.
func onDisk(t *testing.T, dir string) (n node, close func()) {
	t.Helper()
	store, err := badgerkv.Open(badgerkv.Config{Dir: filepath.Join(dir, "kv")})
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := fileblob.Open(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	return node{store, blobs}, func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRestart(t *testing.T) {
	dir := t.TempDir()
	n, closeStore := onDisk(t, dir)
	r := n.open(t)
	mustAccount(t, r, "acme", "example.com")
	token, _, err := r.CreateToken(t.Context(), deploy.TokenRequest{Account: "acme", Name: "ci"})
	if err != nil {
		t.Fatal(err)
	}
	ns := mustNamespace(t, r, "acme", "sessions")
	entries, err := r.Entries("acme", ns.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := entries.Put(t.Context(), "k", []byte("v"), kv.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	want := mustDeploy(t, r, "acme", "shop", deploy.Upload{
		Module: guest(7), Author: "ci", Routes: routes(t, "example.com/*"),
		Settings: deploy.Settings{
			Vars:         map[string]deploy.Var{"A": {Text: "a"}},
			KVNamespaces: []deploy.KVNamespace{{Binding: "KV", ID: ns.ID}},
			Egress:       &deploy.Egress{Allow: []string{}},
		},
	})
	r.Close()
	closeStore()

	n, closeStore = onDisk(t, dir)
	defer closeStore()
	r = n.open(t)
	defer r.Close()
	if got, ok := r.Authenticate(token); !ok || got.Account != "acme" || got.Kind != deploy.KindAccount {
		t.Errorf("got token %+v, %v", got, ok)
	}
	for _, host := range []string{"shop.acme.localhost", "example.com"} {
		if got := lookup(r, host, "/"); got != want.ID {
			t.Errorf("%s: got version %q, want %q", host, got, want.ID)
		}
	}
	serving, _ := r.Lookup([]byte("http"), []byte("example.com"), []byte("/"))
	a := serving.Main()
	if e, err := a.Bindings.KV["KV"].Get(t.Context(), "k"); err != nil || string(e.Value) != "v" {
		t.Errorf("got %q, %v, want the value from before", e.Value, err)
	}
	if a.Bindings.Egress == nil || len(a.Bindings.Egress) != 0 {
		t.Errorf("got egress %#v, want none allowed", a.Bindings.Egress)
	}
	if m, err := a.Snapshot(t.Context(), time.Now()); err != nil || m.Module.String() != want.Digest {
		t.Errorf("got module %v, %v", m, err)
	}
	if module, v, err := r.Download(t.Context(), "acme", "shop"); err != nil || !bytes.Equal(module, guest(7)) || v.Number != 1 || v.Author != "ci" {
		t.Errorf("got %d bytes of version %+v, %v", len(module), v, err)
	}
}

func TestDeletedNamespaceIsEmptied(t *testing.T) {
	n := newNode(t)
	// The first start ends before anything was removed.
	c := &crash{left: 1 << 30}
	r := node{c.store(n.store), n.blobs}.open(t)
	gone, stays := mustNamespace(t, r, deploy.Local, "gone"), mustNamespace(t, r, deploy.Local, "stays")
	for _, ns := range []deploy.Namespace{gone, stays} {
		entries, err := r.Entries(deploy.Local, ns.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := entries.Put(t.Context(), "k", []byte("v"), kv.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	c.mu.Lock()
	c.left = 1 // the mark
	c.mu.Unlock()
	if err := r.DeleteNamespace(t.Context(), deploy.Local, gone.ID); err != nil {
		t.Fatal(err)
	}
	r.Close()

	w, err := n.store.Watch(t.Context(), "node/namespaces/")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r = n.open(t)
	if e, err := w.Next(t.Context()); err != nil || !e.Deleted || !strings.HasSuffix(e.Entry.Key, gone.ID) {
		t.Fatalf("got %+v, %v, want the record removed", e, err)
	}
	page, err := n.store.List(t.Context(), kv.ListOptions{Prefix: "kv/"})
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Key != "kv/"+stays.ID+"/k" {
		t.Errorf("got %v, %v, want only what is in the other namespace", page.Entries, err)
	}
	if list, err := r.Namespaces(deploy.Local); err != nil || len(list) != 1 || list[0].ID != stays.ID {
		t.Errorf("got %v, %v", list, err)
	}
}

func TestEnsureAdminToken(t *testing.T) {
	n := newNode(t)
	path := filepath.Join(t.TempDir(), "admin.token")
	var log bytes.Buffer
	ensure := func() string {
		t.Helper()
		r, err := n.tryOpen(t, deploy.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if err := r.EnsureAdminToken(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("got mode %v, %v, want 0600", info.Mode(), err)
		}
		token := strings.TrimSpace(string(data))
		if got, ok := r.Authenticate(token); !ok || got.Kind != deploy.KindAdmin {
			t.Errorf("got %+v, %v for the token in the file", got, ok)
		}
		if list, err := r.Tokens(""); err != nil || len(list) != 1 {
			t.Errorf("got %d tokens, %v; those of before are to be revoked", len(list), err)
		}
		return token
	}
	first := ensure()
	if again := ensure(); again != first {
		t.Error("a second start made another token")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second := ensure()
	if second == first {
		t.Error("a lost file got the same token")
	}
	if log.Len() > 0 {
		t.Errorf("got the log %s", &log)
	}
	if err := os.WriteFile(path, []byte("mayfly_admin_x"), 0o644); err != nil {
		t.Fatal(err)
	}
	ensure()
	if !strings.Contains(log.String(), "not known to this node") {
		t.Errorf("got the log %q, want a line on the unknown token", &log)
	}
	page, err := n.store.List(t.Context(), kv.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Entries {
		full, err := n.store.Get(t.Context(), e.Key)
		if err != nil || bytes.Contains(full.Value, []byte(second[len("mayfly_admin_"):])) {
			t.Errorf("%s holds the token itself, or %v", e.Key, err)
		}
	}
}

func TestTokenForm(t *testing.T) {
	r := newNode(t).open(t)
	seen := map[string]bool{}
	for range 50 {
		token, info, err := r.CreateToken(t.Context(), deploy.TokenRequest{Account: deploy.Local, Name: "x"})
		if err != nil {
			t.Fatal(err)
		}
		secret, ok := strings.CutPrefix(token, "mayfly_account_")
		if !ok || len(secret) != 36 || strings.ContainsAny(secret, "_-+/= ") || seen[token] {
			t.Errorf("got the token %q", token)
		}
		seen[token] = true
		if info.Hash == token || strings.Contains(token, info.ID) {
			t.Error("the record gives the token away")
		}
		for i := range token { // any change is noticed by the checksum or the hash
			changed := []byte(token)
			changed[i] ^= 1
			if _, ok := r.Authenticate(string(changed)); ok {
				t.Errorf("%q is taken for %q", changed, token)
			}
		}
	}
}

func FuzzAuthenticate(f *testing.F) {
	r := newNode(f).open(f)
	f.Add("")
	f.Add("mayfly_admin_000000000000000000000000000000000000")
	f.Add("mayfly_account_")
	f.Fuzz(func(t *testing.T, token string) {
		if got, ok := r.Authenticate(token); ok {
			t.Errorf("%q is taken for %+v", token, got)
		}
	})
}
