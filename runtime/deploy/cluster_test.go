package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/lagkv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// TestClusterFollows makes each kind of change on one node, and finds it on the others.
func TestClusterFollows(t *testing.T) {
	n := newNodes(t, 3, deploy.Config{})
	a, b, c := n.all[0], n.all[1], n.all[2]
	ctx := t.Context()

	mustAccount(t, a, "shop", "shop.example.com")
	ns := mustNamespace(t, b, "shop", "carts") // b has to have heard of the account
	text, token, err := c.CreateToken(ctx, deploy.TokenRequest{Account: "shop", Name: "ci"})
	if err != nil {
		t.Fatal(err)
	}
	n.everywhere(t, "the token is good", func(r *deploy.Registry) bool { _, ok := r.Authenticate(text); return ok })

	v1 := mustDeploy(t, a, "shop", "cart", deploy.Upload{Module: guest(1), Routes: routes(t, "shop.example.com/*"),
		Settings: deploy.Settings{KVNamespaces: []deploy.KVNamespace{{Binding: "CARTS", ID: ns.ID}}}})
	n.serves(t, "cart.shop.localhost", v1.ID)
	n.serves(t, "shop.example.com", v1.ID)
	v2 := mustDeploy(t, b, "shop", "cart", deploy.Upload{Module: guest(2)})
	if v2.Number != 2 {
		t.Errorf("got number %d of the second version", v2.Number)
	}
	n.serves(t, "shop.example.com", v2.ID)
	if _, err := c.CreateDeployment(ctx, "shop", "cart", deploy.NewDeployment{Versions: []deploy.Share{{Version: v1.ID, Percentage: 100}}}); err != nil {
		t.Fatal(err)
	}
	n.serves(t, "shop.example.com", v1.ID)
	if err := b.DeleteNamespace(ctx, "shop", ns.ID); err == nil || !strings.Contains(err.Error(), "is bound to Function cart") {
		t.Errorf("delete what another node has bound: got %v", err)
	}
	if _, err := a.SetSchedules(ctx, "shop", "cart", []string{"* * * * *"}); err != nil {
		t.Fatal(err)
	}
	n.everywhere(t, "it has a schedule", func(r *deploy.Registry) bool { return len(r.Scheduled()) == 1 })

	if err := b.Delete(ctx, "shop", "cart", false); err != nil {
		t.Fatal(err)
	}
	n.serves(t, "shop.example.com", "")
	if err := a.DeleteNamespace(ctx, "shop", ns.ID); err != nil {
		t.Fatal(err)
	}
	if err := a.RevokeToken(ctx, "shop", token.ID); err != nil {
		t.Fatal(err)
	}
	n.everywhere(t, "the token is revoked", func(r *deploy.Registry) bool { _, ok := r.Authenticate(text); return !ok })
	if err := c.DeleteAccount(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	n.agree(t)
}

// TestClusterSecrets: a node opens what another has sealed with a data key that it has
// not seen before, also that of an account which was made anew.
func TestClusterSecrets(t *testing.T) {
	n := newNodes(t, 2, deploy.Config{})
	a, b := n.all[0], n.all[1]
	one, two := "one", "two"
	for range 2 {
		mustAccount(t, a, "shop")
		mustDeploy(t, a, "shop", "cart", deploy.Upload{Secrets: map[string]*string{"KEY": &one}})
		seen := func(want string) {
			n.everywhere(t, "the secret is "+want, func(r *deploy.Registry) bool {
				s, ok := r.Lookup([]byte("http"), []byte("cart.shop.localhost"), []byte("/"))
				return ok && s.Main().Bindings.Env["KEY"].Value == want
			})
		}
		seen(one)
		if _, err := b.SetSecrets(t.Context(), "shop", "cart", "", map[string]*string{"KEY": &two}); err != nil {
			t.Fatal(err)
		}
		seen(two)
		if err := b.Delete(t.Context(), "shop", "cart", false); err != nil {
			t.Fatal(err)
		}
		if err := b.DeleteAccount(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
	}
	n.agree(t)
}

// TestClusterKeepsWhatIsLoaded: what did not change goes on with what it has in memory.
func TestClusterKeepsWhatIsLoaded(t *testing.T) {
	n := newNodes(t, 2, deploy.Config{})
	a, b := n.all[0], n.all[1]
	v := mustDeploy(t, a, deploy.Local, "hello", deploy.Upload{})
	n.serves(t, "hello.localhost", v.ID)
	before := active(t, b, "hello.localhost")
	snapshot, err := before.Snapshot(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.SetRoutes(t.Context(), deploy.Local, "hello", routes(t, "example.com/*")); err != nil {
		t.Fatal(err)
	}
	text := "x"
	if _, err := a.SetSecrets(t.Context(), deploy.Local, "hello", "", map[string]*string{"KEY": &text}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the secret is there", func() bool { return env(t, b, "hello")["KEY"].Value == text })
	after := active(t, b, "example.com")
	if again, err := after.Snapshot(t.Context(), time.Now()); err != nil || again != snapshot {
		t.Errorf("got %p, %v, want %p, which was loaded before", again, err, snapshot)
	}
}

func active(t testing.TB, r *deploy.Registry, host string) *deploy.Active {
	t.Helper()
	s, ok := r.Lookup([]byte("http"), []byte(host), []byte("/"))
	if !ok {
		t.Fatalf("nothing serves %s", host)
	}
	return s.Main()
}

// awayBlobs can't be read for a while.
type awayBlobs struct {
	kv.Blobs
	away atomic.Bool
}

func (b *awayBlobs) Get(ctx context.Context, d kv.Digest) ([]byte, error) {
	if b.away.Load() {
		return nil, errors.New("the blobs are away")
	}
	return b.Blobs.Get(ctx, d)
}

// TestClusterLoadsBeforeItSwitches: on a node that can't load what another has deployed
// the Version of before serves, and the node says so.
func TestClusterLoadsBeforeItSwitches(t *testing.T) {
	n := newNodes(t, 1, deploy.Config{})
	blobs := &awayBlobs{Blobs: n.blobs}
	a, b := n.all[0], n.join(t, blobs)
	old := mustDeploy(t, a, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	n.serves(t, "hello.localhost", old.ID)
	eventually(t, "it is loaded", func() bool { return len(b.Loaded()) == 1 })

	blobs.away.Store(true)
	v := mustDeploy(t, a, deploy.Local, "hello", deploy.Upload{Module: guest(2), Routes: routes(t, "example.com/*")})
	eventually(t, "it says what it can't load", func() bool {
		list := b.Behind()
		return len(list) == 1 && list[0].Function == "hello" && list[0].Err != nil && strings.Contains(list[0].Err.Error(), "the blobs are away")
	})
	for _, host := range []string{"hello.localhost", "example.com"} {
		if got := lookup(b, host, "/"); got != old.ID {
			t.Errorf("%s: got version %q, want the old one", host, got)
		}
	}
	if _, main, err := b.Function(deploy.Local, "hello"); err != nil || main.ID != v.ID {
		t.Errorf("got version %q, %v, want what was deployed", main.ID, err)
	}
	if _, err := b.SetSchedules(t.Context(), deploy.Local, "hello", []string{"* * * * *"}); err != nil {
		t.Errorf("it can't be changed there: %v", err)
	}
	if got := lookup(b, "hello.localhost", "/"); got != old.ID {
		t.Errorf("after a change: got version %q, want the old one", got)
	}
	blobs.away.Store(false)
	n.serves(t, "hello.localhost", v.ID)
	eventually(t, "nothing is behind", func() bool { return len(b.Behind()) == 0 })
}

// TestClusterCutOff: a node that can't reach the others refuses changes at once, goes on
// serving, and catches up; so does one that starts meanwhile.
func TestClusterCutOff(t *testing.T) {
	n := newNodes(t, 2, deploy.Config{})
	a, b := n.all[0], n.all[1]
	v := mustDeploy(t, a, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	n.serves(t, "hello.localhost", v.ID)
	text, token, err := a.CreateToken(t.Context(), deploy.TokenRequest{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	n.everywhere(t, "the token is good", func(r *deploy.Registry) bool { _, ok := r.Authenticate(text); return ok })
	n.stores[1].Cut(true)
	ctx := t.Context()
	for name, change := range map[string]func() error{
		"deploy": func() error {
			_, err := b.Deploy(ctx, deploy.Local, "hello", deploy.Upload{Module: guest(2)})
			return err
		},
		"delete":    func() error { return b.Delete(ctx, deploy.Local, "hello", false) },
		"account":   func() error { _, err := b.CreateAccount(ctx, "shop", nil); return err },
		"namespace": func() error { _, err := b.CreateNamespace(ctx, deploy.Local, "x"); return err },
		"token":     func() error { _, _, err := b.CreateToken(ctx, deploy.TokenRequest{}); return err },
		"revoke":    func() error { return b.RevokeToken(ctx, "", token.ID) },
		"routes":    func() error { _, err := b.SetRoutes(ctx, deploy.Local, "hello", nil); return err },
	} {
		if err := change(); !errors.Is(err, kv.ErrUnavailable) {
			t.Errorf("%s: got %v, want ErrUnavailable", name, err)
		}
	}
	next := mustDeploy(t, a, deploy.Local, "hello", deploy.Upload{Module: guest(3)})
	if err := a.RevokeToken(ctx, "", token.ID); err != nil {
		t.Fatal(err)
	}
	if got := lookup(b, "hello.localhost", "/"); got != v.ID {
		t.Errorf("got version %q, want the one that it knows", got)
	}
	if _, ok := b.Authenticate(text); !ok {
		t.Error("the token is not good, although nobody can have told")
	}
	n.stores[1].Cut(false)
	n.serves(t, "hello.localhost", next.ID)
	mustDeploy(t, b, deploy.Local, "hello", deploy.Upload{Module: guest(4)})
	n.agree(t)
}

// TestClusterMissedEvents: a node that was told of too many changes at once looks at all
// records again.
func TestClusterMissedEvents(t *testing.T) {
	n := newNodes(t, 2, deploy.Config{})
	v := mustDeploy(t, n.all[0], deploy.Local, "hello", deploy.Upload{})
	n.stores[1].Cut(true)
	for range 3000 { // more than a watcher holds
		if _, err := n.stores[0].Put(t.Context(), "node/other", nil, kv.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	mustAccount(t, n.all[0], "shop")
	if err := n.all[0].Delete(t.Context(), deploy.Local, "hello", false); err != nil {
		t.Fatal(err)
	}
	n.stores[1].Cut(false)
	if err := n.stores[1].Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.serves(t, "hello.localhost", "")
	v = mustDeploy(t, n.all[1], "shop", "hello", deploy.Upload{})
	n.serves(t, "hello.shop.localhost", v.ID)
	n.agree(t)
}

// TestClusterTokenFiles: each node has a file of its own, and none revokes another's.
func TestClusterTokenFiles(t *testing.T) {
	n := newNodes(t, 2, deploy.Config{})
	texts := map[string]bool{}
	for i, r := range n.all {
		path := filepath.Join(t.TempDir(), "admin.token")
		for range 2 {
			if err := r.EnsureAdminToken(t.Context(), path); err != nil {
				t.Fatal(err)
			}
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[strings.TrimSpace(string(data))] = true
		if err := os.Remove(path); err != nil || i > 0 {
			continue
		}
		if err := r.EnsureAdminToken(t.Context(), path); err != nil { // a new one, and the old one is revoked
			t.Fatal(err)
		}
		clear(texts)
		if data, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		texts[strings.TrimSpace(string(data))] = true
	}
	n.everywhere(t, "two tokens are good", func(r *deploy.Registry) bool {
		list, err := r.Tokens("")
		good := 0
		for text := range maps.Keys(texts) {
			if _, ok := r.Authenticate(text); ok {
				good++
			}
		}
		return err == nil && len(list) == 2 && good == 2
	})
}

// TestClusterChecksWhatOthersHave: a node that has heard of nothing finds what others
// have taken when it wants it.
func TestClusterChecksWhatOthersHave(t *testing.T) {
	n := newNodes(t, 2, deploy.Config{})
	names := []string{"a", "b"}
	for i, function := range names {
		mustDeploy(t, n.all[i], deploy.Local, function, deploy.Upload{})
	}
	for round := range 20 {
		name := fmt.Sprintf("%d.example.com", round)
		first, then := round%2, (round+1)%2
		if _, err := n.all[first].AddRoutes(t.Context(), deploy.Local, names[first], routes(t, name+"/*")); err != nil {
			t.Fatal(err)
		}
		_, err := n.all[then].AddRoutes(t.Context(), deploy.Local, names[then], routes(t, name+"/*"))
		wantError(t, err, host.CodeConflict, fmt.Sprintf(`route "%s/*" belongs to Function %s; remove it there first`, name, names[first]))
		_, err = n.all[first].CreateNamespace(t.Context(), deploy.Local, name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = n.all[then].CreateNamespace(t.Context(), deploy.Local, name)
		wantError(t, err, host.CodeConflict, "a namespace with this account ID and title already exists")
		mustAccount(t, n.all[first], fmt.Sprintf("account%d", round))
		mustDeploy(t, n.all[then], fmt.Sprintf("account%d", round), "hello", deploy.Upload{})
	}
}

// unreadable is a Store that can't read one key for a while.
type unreadable struct {
	*lagkv.Store
	key string
	is  atomic.Bool
}

func (u *unreadable) Get(ctx context.Context, key string) (kv.Entry, error) {
	if key == u.key && u.is.Load() {
		return kv.Entry{}, errors.New("the disk is at fault")
	}
	return u.Store.Get(ctx, key)
}

// TestClusterNotTakenOver: a node that can't take over what others have changed changes
// nothing itself, as it could not check that, until it can.
func TestClusterNotTakenOver(t *testing.T) {
	n := newNodes(t, 1, deploy.Config{})
	store := &unreadable{Store: n.cluster.Join(someLag), key: "node/functions/local/hello"}
	t.Cleanup(func() { store.Close() })
	cfg := deploy.Config{Cluster: &deploy.Cluster{Node: "reader", Lease: 2 * time.Minute}, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	r, err := node{store, n.blobs}.tryOpen(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	store.is.Store(true)
	mustDeploy(t, n.all[0], deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	_, err = r.CreateNamespace(t.Context(), deploy.Local, "refused")
	if host.CodeOf(err) != host.CodeUnavailable || !strings.Contains(fmt.Sprint(err), "could not take over") {
		t.Errorf("got %v, want that it can't check", err)
	}
	store.is.Store(false)
	mustNamespace(t, r, deploy.Local, "taken")
	n.agree(t)
}

// TestClusterBrokenRecord: a record that no node can take over holds up nothing else.
func TestClusterBrokenRecord(t *testing.T) {
	n := newNodes(t, 2, deploy.Config{})
	for _, record := range []string{"{", `{"name":7}`} {
		if _, err := n.stores[0].Put(t.Context(), "node/functions/local/broken", []byte(record), kv.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		for i, r := range n.all {
			mustNamespace(t, r, deploy.Local, fmt.Sprint(len(record), " of node ", i))
		}
	}
}
