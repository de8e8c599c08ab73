package deploy_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/lagkv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime/assets"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// nodes are the Registries of one cluster, whose copies of the Store are behind.
type nodes struct {
	cluster *lagkv.Cluster
	blobs   *sharedBlobs
	stores  []*lagkv.Store
	all     []*deploy.Registry
	cfg     deploy.Config
	key     secret.Key
}

// sharedBlobs are the same for all nodes, and can be away for one.
type sharedBlobs struct{ kv.Blobs }

func newNodes(t testing.TB, count int, cfg deploy.Config) *nodes {
	t.Helper()
	n := &nodes{cluster: lagkv.New(nil), blobs: &sharedBlobs{memkv.NewBlobs()}, cfg: cfg, key: secret.NewKey()}
	for range count {
		n.join(t, n.blobs)
	}
	return n
}

// someLag is how far behind a copy is.
func someLag() time.Duration { return time.Duration(rand.IntN(3000)) * time.Microsecond }

// join adds a node.
func (n *nodes) join(t testing.TB, blobs kv.Blobs) *deploy.Registry {
	t.Helper()
	store := n.cluster.Join(someLag)
	t.Cleanup(func() { store.Close() })
	keyring, err := secret.Open(t.Context(), secret.Config{Store: kv.Sub(store, deploy.KeyRecords), Key: n.key})
	if err != nil {
		t.Fatal(err)
	}
	cfg := n.cfg
	cluster := deploy.Cluster{Node: fmt.Sprintf("node%d", len(n.all)), Lease: 2 * time.Minute}
	if n.cfg.Cluster != nil {
		cluster.Lease, cluster.Grace = n.cfg.Cluster.Lease, n.cfg.Cluster.Grace
	}
	cfg.Cluster, cfg.Secrets = &cluster, keyring
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil)).With("node", cluster.Node)
	r, err := node{store, blobs}.tryOpen(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.stores, n.all = append(n.stores, store), append(n.all, r)
	return r
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: it is not so after three minutes", what)
		}
	}
}

// everywhere waits until a condition holds on all nodes.
func (n *nodes) everywhere(t testing.TB, what string, holds func(*deploy.Registry) bool) {
	t.Helper()
	for i, r := range n.all {
		eventually(t, fmt.Sprintf("%s on node %d", what, i), func() bool { return holds(r) })
	}
}

// serves waits until all nodes answer with a Version.
func (n *nodes) serves(t testing.TB, host, version string) {
	t.Helper()
	n.everywhere(t, host+" serves "+version, func(r *deploy.Registry) bool { return lookup(r, host, "/") == version })
}

// state is all that can be asked of a Registry.
type state struct {
	Accounts   []deploy.Account
	Functions  map[string][]deploy.Function
	Namespaces map[string][]deploy.Namespace
	Tokens     map[string][]deploy.Token
	Routes     map[string][]deploy.HeldRoute
	Live       map[string]string
}

func knownTo(r *deploy.Registry) state {
	s := state{r.Accounts(), map[string][]deploy.Function{}, map[string][]deploy.Namespace{}, map[string][]deploy.Token{}, map[string][]deploy.HeldRoute{}, map[string]string{}}
	for _, a := range append([]deploy.Account{{}}, s.Accounts...) {
		// Of an account that was deleted just now there is nothing, and the states differ.
		s.Functions[a.Name], _ = r.Functions(a.Name)
		s.Namespaces[a.Name], _ = r.Namespaces(a.Name)
		s.Tokens[a.Name], _ = r.Tokens(a.Name)
		s.Routes[a.Name], _ = r.Routes(a.Name)
		for i := range s.Tokens[a.Name] {
			s.Tokens[a.Name][i].LastUsed = time.Time{} // a node that is cut off keeps it for itself
		}
		for _, f := range s.Functions[a.Name] {
			s.Live[a.Name+"/"+f.Name] = lookup(r, r.Host(a.Name, f.Name), "/")
		}
	}
	return s
}

// agree waits until all nodes say the same as one that begins anew.
func (n *nodes) agree(t testing.TB) {
	t.Helper()
	fresh := n.join(t, n.blobs)
	for i, r := range n.all {
		var got, want state
		same := func() bool {
			got, want = knownTo(r), knownTo(fresh)
			return reflect.DeepEqual(got, want)
		}
		for deadline := time.Now().Add(3 * time.Minute); !same(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("node %d knows\n%s\nand not what there is:\n%s\nbehind: %v", i, text(t, got), text(t, want), r.Behind())
			}
		}
	}
}

func text(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// torture says whether the long form of a test is wanted.
func torture() bool { return os.Getenv("MAYFLY_TORTURE") != "" }

// digestsOf are those that a record of a kind has as metadata.
func digestsOf(t testing.TB, prefix string, metadata []byte) []string {
	t.Helper()
	if prefix == "node/versions/" || prefix == "node/snapshots/" {
		return []string{string(metadata)}
	}
	var f assets.File
	if err := json.Unmarshal(metadata, &f); err != nil {
		t.Fatal(err)
	}
	list := []string{f.Digest.String()}
	for _, e := range f.Encoded {
		list = append(list, e.Digest.String())
	}
	return list
}
