package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// openWith starts a Registry that keeps secrets under a key.
func (n node) openWith(t testing.TB, key secret.Key) *deploy.Registry {
	t.Helper()
	keyring, err := secret.Open(t.Context(), secret.Config{Store: kv.Sub(n.store, deploy.KeyRecords), Key: key})
	if err != nil {
		t.Fatal(err)
	}
	r, err := n.tryOpen(t, deploy.Config{Secrets: keyring})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustSet(t testing.TB, r *deploy.Registry, name string, texts map[string]*string) {
	t.Helper()
	if _, err := r.SetSecrets(t.Context(), deploy.Local, name, "", texts); err != nil {
		t.Fatal(err)
	}
}

// env is what requests to a Function of account local see.
func env(t testing.TB, r *deploy.Registry, name string) map[string]host.EnvValue {
	t.Helper()
	a, ok := r.Lookup([]byte("http"), []byte(name+".localhost"), []byte("/"))
	if !ok {
		return nil
	}
	return a.Main().Bindings.Env
}

// hidden are secrets as requests see them.
func hidden(texts ...string) map[string]host.EnvValue {
	all := map[string]host.EnvValue{}
	for i := 0; i < len(texts); i += 2 {
		all[texts[i]] = host.EnvValue{Value: texts[i+1], Secret: true}
	}
	return all
}

func TestSecrets(t *testing.T) {
	n, key := newNode(t), secret.NewKey()
	r := n.openWith(t, key)
	vars := deploy.Settings{Vars: map[string]deploy.Var{"MODE": {Text: "x"}}}
	mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Settings: vars, Secrets: map[string]*string{"FIRST": new("1")}})
	mustSet(t, r, "hello", map[string]*string{"SECOND": new("2"), "THIRD": new("3")})
	mustSet(t, r, "hello", map[string]*string{"FIRST": new("one"), "THIRD": nil})

	number := 3 // each change of secrets is a Version
	want := hidden("FIRST", "one", "SECOND", "2")
	want["MODE"] = host.EnvValue{Value: "x"}
	check := func(r *deploy.Registry) {
		t.Helper()
		if got := env(t, r, "hello"); !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		a, _ := r.Lookup([]byte("http"), []byte("hello.localhost"), []byte("/"))
		environ := slices.Sorted(slices.Values(a.Main().Bindings.Environ))
		if want := []string{"FIRST=one", "MODE=x", "SECOND=2"}; !slices.Equal(environ, want) {
			t.Errorf("got %q, want %q", environ, want)
		}
		_, serves, err := r.Function(deploy.Local, "hello")
		if err != nil || !slices.Equal(serves.SecretNames(), []string{"FIRST", "SECOND"}) || serves.Number != number {
			t.Errorf("got secrets %q of version %d, %v; want version %d", serves.SecretNames(), serves.Number, err, number)
		}
	}
	check(r)
	r.Close()
	r = n.openWith(t, key)
	check(r)
	mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1), Settings: vars}) // keeps them
	number++
	check(r)
	checkSecretRecords(t, n, r)

	if err := r.Delete(t.Context(), deploy.Local, "hello", false); err != nil {
		t.Fatal(err)
	}
	checkSecretRecords(t, n, r)
	mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{})
	if got := env(t, r, "hello"); len(got) != 0 {
		t.Errorf("a new Function of the same name has %v", got)
	}
}

// checkSecretRecords checks that just the values in use are stored.
func checkSecretRecords(t *testing.T, n node, r *deploy.Registry) {
	t.Helper()
	functions, err := r.Functions(deploy.Local)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, f := range functions {
		versions, err := r.Versions(t.Context(), deploy.Local, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range versions {
			for name, id := range v.Secrets {
				want = append(want, "node/secrets/local/"+f.Name+"/"+name+"/"+id)
			}
		}
	}
	slices.Sort(want)
	want = slices.Compact(want)
	if got := secretKeys(t, n); !slices.Equal(got, want) {
		t.Errorf("got the records %q, want %q", got, want)
	}
}

func secretKeys(t *testing.T, n node) (list []string) {
	t.Helper()
	page, err := n.store.List(t.Context(), kv.ListOptions{Prefix: "node/secrets/"})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Entries {
		list = append(list, e.Key)
	}
	return list
}

func TestSecretsRefused(t *testing.T) {
	r := newNode(t).openWith(t, secret.NewKey())
	ns := mustNamespace(t, r, deploy.Local, "test")
	settings := deploy.Settings{
		Vars:         map[string]deploy.Var{"VAR": {Text: "x"}},
		KVNamespaces: []deploy.KVNamespace{{Binding: "STORE", ID: ns.ID}},
	}
	mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Settings: settings, Secrets: map[string]*string{"TAKEN": new("1")}})
	many := map[string]*string{}
	for i := range 64 {
		many[fmt.Sprint("S", i)] = new("1")
	}
	long := strings.Repeat("x", 5<<10)
	tests := []struct {
		name, function string
		texts          map[string]*string
		want           string
	}{
		{"a Function that is not there", "nobody", map[string]*string{"A": new("1")}, `Function "nobody" does not exist in account local`},
		{"no identifier", "hello", map[string]*string{"a-b": new("1")}, `secret "a-b" is not an identifier of at most 256 bytes: letters, digits and underscores, no digit first`},
		{"a long name", "hello", map[string]*string{strings.Repeat("A", 257): new("1")}, `is not an identifier of at most 256 bytes`},
		{"a slash", "hello", map[string]*string{"a/b": new("1")}, `is not an identifier`},
		{"empty", "hello", map[string]*string{"A": new("")}, "secret A is empty"},
		{"too long", "hello", map[string]*string{"A": new(long + "x")}, "secret A has 5121 bytes, and at most 5120 are allowed"},
		{"a zero byte", "hello", map[string]*string{"A": new("a\x00b")}, "secret A has a zero byte, which would end it early in an environment"},
		{"a variable", "hello", map[string]*string{"VAR": new("1")}, "VAR would be both a secret and a variable of Function hello; give one of them another name, or remove it first"},
		{"a KV binding", "hello", map[string]*string{"STORE": new("1")}, "STORE would be both a secret and a KV binding of Function hello"},
		{"too many", "hello", many, "Function hello would have 65 secrets; at most 64 are allowed"},
		{"deleting what is not there", "hello", map[string]*string{"A": new("1"), "B": nil}, `there is no secret "B"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := r.SetSecrets(t.Context(), deploy.Local, tt.function, "", tt.texts)
			e, ok := errors.AsType[*host.Error](err)
			if !ok || !strings.Contains(e.Msg, tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if got := env(t, r, "hello"); len(got) != 2 {
				t.Errorf("afterwards there is %v", got)
			}
		})
	}
	_, err := r.Deploy(t.Context(), deploy.Local, "hello", deploy.Upload{Module: guest(1),
		Settings: deploy.Settings{Vars: map[string]deploy.Var{"TAKEN": {Text: "x"}}}})
	if err == nil || err.Error() != "TAKEN would be both a secret and a variable of Function hello; give one of them another name, or remove it first" {
		t.Errorf("a deploy with a variable of that name: %v", err)
	}
	mustSet(t, r, "hello", map[string]*string{"A": &long})
	none := newNode(t).open(t)
	mustDeploy(t, none, deploy.Local, "hello", deploy.Upload{})
	if _, err := none.SetSecrets(t.Context(), deploy.Local, "hello", "", map[string]*string{"A": new("1")}); err == nil || err.Error() != "this node keeps no secrets" {
		t.Errorf("without a key: %v", err)
	}
}

// The Snapshot stays in memory when a secret changes.
func TestSecretsKeepSnapshot(t *testing.T) {
	r := newNode(t).openWith(t, secret.NewKey())
	mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{})
	before, _ := r.Lookup([]byte("http"), []byte("hello.localhost"), []byte("/"))
	first, err := before.Main().Snapshot(t.Context(), time.Now())
	if err != nil || !first.Use() {
		t.Fatal(err)
	}
	defer first.Done()
	mustSet(t, r, "hello", map[string]*string{"A": new("1")})
	after, _ := r.Lookup([]byte("http"), []byte("hello.localhost"), []byte("/"))
	second, err := after.Main().Snapshot(t.Context(), time.Now())
	if err != nil || second != first || before == after {
		t.Errorf("got another Snapshot, %v", err)
	}
	if len(before.Main().Bindings.Env) != 0 {
		t.Error("the bindings of a request under way have changed")
	}
}

// A secret that can't be opened keeps its Function from serving until it is set
// again, and no other Function.
func TestDamagedSecret(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, n node, first, second string){
		"missing": func(t *testing.T, n node, first, _ string) {
			if err := n.store.Delete(t.Context(), first, kv.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		},
		"exchanged": func(t *testing.T, n node, first, second string) {
			e, err := n.store.Get(t.Context(), second)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := n.store.Put(t.Context(), first, e.Value, kv.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		},
		"changed": func(t *testing.T, n node, first, _ string) {
			e, err := n.store.Get(t.Context(), first)
			if err != nil {
				t.Fatal(err)
			}
			e.Value[len(e.Value)-1] ^= 1
			if _, err := n.store.Put(t.Context(), first, e.Value, kv.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			n, key := newNode(t), secret.NewKey()
			r := n.openWith(t, key)
			for _, f := range []string{"damaged", "good"} {
				mustDeploy(t, r, deploy.Local, f, deploy.Upload{Secrets: map[string]*string{"A": new("1"), "B": new("2")}})
			}
			r.Close()
			records := secretKeys(t, n)
			damage(t, n, records[0], records[1])
			r = n.openWith(t, key)
			if _, err := snapshotOf(r, "good"); err != nil {
				t.Error(err)
			}
			_, err := snapshotOf(r, "damaged")
			if err == nil || !strings.Contains(err.Error(), "open secret A of local/damaged: ") || !strings.Contains(err.Error(), "set it again") {
				t.Errorf("got %v", err)
			}
			mustSet(t, r, "damaged", map[string]*string{"B": new("3")})
			if _, err := snapshotOf(r, "damaged"); err == nil {
				t.Error("it serves without its secret")
			}
			mustSet(t, r, "damaged", map[string]*string{"A": new("4")})
			if _, err := snapshotOf(r, "damaged"); err != nil {
				t.Error(err)
			}
			if got, want := env(t, r, "damaged"), hidden("A", "4", "B", "3"); !maps.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if _, err := r.PruneVersions(t.Context(), deploy.Local, "damaged", 1); err != nil { // those that had it
				t.Fatal(err)
			}
			checkSecretRecords(t, n, r)
		})
	}
}

func snapshotOf(r *deploy.Registry, name string) (any, error) {
	a, ok := r.Lookup([]byte("http"), []byte(name+".localhost"), []byte("/"))
	if !ok {
		return nil, errors.New("there is no such Function")
	}
	return a.Main().Snapshot(context.Background(), time.Now())
}

// TestSecretsCrash ends the process at every write of a change: the old secrets
// are there afterwards, or the new ones.
func TestSecretsCrash(t *testing.T) {
	before, after := hidden("A", "1", "B", "2"), hidden("A", "one", "C", "3")
	changes := map[string]func(r *deploy.Registry) error{
		"set": func(r *deploy.Registry) error {
			_, err := r.SetSecrets(context.Background(), deploy.Local, "hello", "", map[string]*string{"A": new("one"), "B": nil, "C": new("3")})
			return err
		},
		"deploy": func(r *deploy.Registry) error {
			_, err := r.Deploy(context.Background(), deploy.Local, "hello",
				deploy.Upload{Module: guest(2), Secrets: map[string]*string{"A": new("one"), "B": nil, "C": new("3")}})
			return err
		},
	}
	for name, change := range changes {
		for _, torn := range []bool{false, true} {
			for writes, crashed := 0, true; crashed; writes++ {
				t.Run(fmt.Sprintf("%s after %d torn %v", name, writes, torn), func(t *testing.T) {
					n, key := newNode(t), secret.NewKey()
					first := n.openWith(t, key)
					mustDeploy(t, first, deploy.Local, "hello", deploy.Upload{Module: guest(1), Secrets: map[string]*string{"A": new("1"), "B": new("2")}})
					old, _, _ := first.Download(t.Context(), deploy.Local, "hello")
					first.Close()

					c := &crash{left: writes, torn: torn}
					dying := node{c.store(n.store), c.blobs(n.blobs)}.openWith(t, key)
					err := change(dying)
					dying.Close()
					crashed = c.left < 0

					r := n.openWith(t, key)
					got := env(t, r, "hello")
					switch {
					case err == nil && !maps.Equal(got, after):
						t.Errorf("an acknowledged change is lost: got %v", got)
					case !maps.Equal(got, before) && !maps.Equal(got, after):
						t.Errorf("got %v, want %v or %v", got, before, after)
					}
					module, _, err := r.Download(t.Context(), deploy.Local, "hello")
					if name == "deploy" && (err != nil || bytes.Equal(module, old) != maps.Equal(got, before)) {
						t.Errorf("module and secrets are of different times, %v", err)
					}
					checkSecretRecords(t, n, r)
				})
			}
		}
	}
}

// What is written at the same time ends as one of the writes, and requests see
// all secrets of a write or none.
func TestSecretsAtOnce(t *testing.T) {
	n, key := newNode(t), secret.NewKey()
	r := n.openWith(t, key)
	mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Secrets: map[string]*string{"A": new("0"), "B": new("0")}})
	ctx, stop := context.WithCancel(t.Context())
	var readers, writers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if got := env(t, r, "hello"); got["A"] != got["B"] || got["A"].Value == "" {
					t.Errorf("got %v", got)
					return
				}
				if !use(t, r, "hello") {
					t.Error("the Function is not there")
					return
				}
			}
		})
	}
	for w := range 4 {
		writers.Go(func() {
			for i := range 25 {
				text := fmt.Sprint(w, "-", i)
				if i%10 == 5 {
					mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(byte(w)), Secrets: map[string]*string{"A": &text, "B": &text}})
					continue
				}
				mustSet(t, r, "hello", map[string]*string{"A": &text, "B": &text})
			}
		})
	}
	writers.Wait()
	stop()
	readers.Wait()
	want := env(t, r, "hello")
	r.Close()
	r = n.openWith(t, key)
	if got := env(t, r, "hello"); !maps.Equal(got, want) {
		t.Errorf("after a restart got %v, want %v", got, want)
	}
	checkSecretRecords(t, n, r)
}

func TestSecretsOfAccounts(t *testing.T) {
	n, key := newNode(t), secret.NewKey()
	r := n.openWith(t, key)
	mustAccount(t, r, "shop")
	mustDeploy(t, r, "shop", "hello", deploy.Upload{Secrets: map[string]*string{"A": new("1")}})
	if _, err := r.SetSecrets(t.Context(), deploy.Local, "hello", "", map[string]*string{"A": new("2")}); err == nil {
		t.Error("account local has a Function of account shop")
	}
	if err := r.Delete(t.Context(), "shop", "hello", false); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteAccount(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	page, err := n.store.List(t.Context(), kv.ListOptions{Prefix: deploy.KeyRecords})
	if err != nil || len(page.Entries) != 0 {
		t.Errorf("got %v, %v; want no data key", page.Entries, err)
	}
}

// TestBlobsOfRetriedChange: a change of secrets that was made again, because another
// was faster, holds no more blobs than one that was not.
func TestBlobsOfRetriedChange(t *testing.T) {
	n, key := newNode(t), secret.NewKey()
	stale := n.openWith(t, key)
	mustDeploy(t, stale, deploy.Local, "hello", deploy.Upload{})
	if _, err := n.openWith(t, key).SetRoutes(t.Context(), deploy.Local, "hello", nil); err != nil {
		t.Fatal(err)
	}
	text := "x"
	mustSet(t, stale, "hello", map[string]*string{"KEY": &text})
	if err := stale.Delete(t.Context(), deploy.Local, "hello", false); err != nil {
		t.Fatal(err)
	}
	if blobs, err := n.blobs.List(t.Context()); err != nil || len(blobs) != 0 {
		t.Errorf("got %d blobs, %v, want none", len(blobs), err)
	}
}
