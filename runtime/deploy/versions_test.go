package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// mustServe lets Versions of hello serve by percentages.
func mustServe(t testing.TB, r *deploy.Registry, shares ...deploy.Share) deploy.Deployment {
	t.Helper()
	d, err := r.CreateDeployment(t.Context(), deploy.Local, "hello", deploy.NewDeployment{Versions: shares, Author: "somebody", Message: "why not"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// serving is what answers for hello.
func serving(t testing.TB, r *deploy.Registry) *deploy.Serving {
	t.Helper()
	s, ok := r.Lookup([]byte("http"), []byte("hello.localhost"), []byte("/"))
	if !ok {
		t.Fatal("nothing serves")
	}
	return s
}

// drawn counts which Version answers how many of n requests.
func drawn(s *deploy.Serving, n int, key func(i int) string) map[string]int {
	counts := map[string]int{}
	for i := range n {
		counts[s.Pick([]byte(key(i)), nil).VersionID]++
	}
	return counts
}

// An upload that is only stored serves when it is deployed, in part or as a whole,
// and what served before comes back the same way.
func TestDeployments(t *testing.T) {
	n := newNode(t)
	r := n.open(t)
	a := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	b := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(2), Idle: true, Author: "me", Note: deploy.Note{Message: "second", Tag: "v2"}})
	if got := lookup(r, "hello.localhost", "/"); got != a.ID || b.Number != 2 {
		t.Errorf("version %s serves, want %s; the new one has number %d", got, a.ID, b.Number)
	}
	mustServe(t, r, deploy.Share{Version: b.ID, Percentage: 10}, deploy.Share{Version: a.ID, Percentage: 90})
	for range 2 { // before and after a restart
		s := serving(t, r)
		if s.Main().VersionID != a.ID || !s.Shared() {
			t.Errorf("version %s answers most, want %s", s.Main().VersionID, a.ID)
		}
		if counts := drawn(s, 10_000, func(int) string { return "" }); counts[b.ID] < 700 || counts[b.ID] > 1300 {
			t.Errorf("version b answers %d of 10000 requests, want about 1000", counts[b.ID])
		}
		if counts := drawn(s, 10_000, func(i int) string { return fmt.Sprint("user ", i) }); counts[b.ID] < 700 || counts[b.ID] > 1300 {
			t.Errorf("version b answers %d of 10000 keys, want about 1000", counts[b.ID])
		}
		if counts := drawn(s, 100, func(int) string { return "one user" }); len(counts) != 1 {
			t.Errorf("one key got both versions: %v", counts)
		}
		r.Close()
		r = n.open(t)
	}
	mustServe(t, r, deploy.Share{Version: b.ID, Percentage: 100})
	if got := lookup(r, "hello.localhost", "/"); got != b.ID {
		t.Errorf("version %s serves, want %s", got, b.ID)
	}
	mustServe(t, r, deploy.Share{Version: a.ID, Percentage: 100})
	f, v, err := r.Function(deploy.Local, "hello")
	if err != nil || v.ID != a.ID || len(f.Deployments) != 4 || f.Deployments[0].Author != "somebody" || f.Deployments[0].Message != "why not" {
		t.Errorf("version %s serves after %+v, %v", v.ID, f.Deployments, err)
	}
	newest, err := r.Newest(t.Context(), deploy.Local, "hello")
	if err != nil || newest.ID != b.ID || newest.Message != "second" || newest.Tag != "v2" || newest.Author != "me" {
		t.Errorf("got %+v, %v", newest, err)
	}
	checkNothingElse(t, n, r)
}

func TestOverrides(t *testing.T) {
	r := newNode(t).open(t)
	a := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	b := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(2), Idle: true})
	c := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(3), Idle: true})
	mustServe(t, r, deploy.Share{Version: a.ID, Percentage: 100}, deploy.Share{Version: b.ID, Percentage: 0})
	for header, want := range map[string]string{
		"":                                  a.ID,
		`hello="` + b.ID + `"`:              b.ID,
		`other="x", hello="` + b.ID + `";p`: b.ID,
		`hello="` + c.ID + `"`:              a.ID, // it is not in the deployment
		`other="` + b.ID + `"`:              a.ID,
		`hello=` + b.ID:                     a.ID, // not a string
		`hello="` + b.ID:                    a.ID,
	} {
		if got := serving(t, r).Pick(nil, []byte(header)); got.VersionID != want {
			t.Errorf("%s: got version %s, want %s", header, got.VersionID, want)
		}
	}
}

func TestDeploymentsRefused(t *testing.T) {
	r := newNode(t).open(t)
	a := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	b := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(2)})
	all := func(version string) []deploy.Share { return []deploy.Share{{Version: version, Percentage: 100}} }
	both := func(first, second int) []deploy.Share { return []deploy.Share{{a.ID, first}, {b.ID, second}} }
	rollout := func(change func(*deploy.Rollout)) *deploy.Rollout {
		r := &deploy.Rollout{Version: b.ID, PromoteAfter: time.Minute, MaxErrors: 1}
		change(r)
		return r
	}
	for name, tt := range map[string]struct {
		function string
		deploy.NewDeployment
		code host.Code
		msg  string
	}{
		"no function": {"nobody", deploy.NewDeployment{Versions: all(a.ID)}, host.CodeNotFound, `Function "nobody" does not exist in account local`},
		"no version":  {"hello", deploy.NewDeployment{Versions: all("x")}, host.CodeNotFound, `Function hello has no version "x"; mayfly versions list shows those that are kept`},
		"none":        {"hello", deploy.NewDeployment{}, host.CodeInvalid, "a deployment has one version or two, not 0"},
		"three":       {"hello", deploy.NewDeployment{Versions: append(both(50, 50), all("x")...)}, host.CodeInvalid, "a deployment has one version or two, not 3"},
		"the sum":     {"hello", deploy.NewDeployment{Versions: both(50, 49)}, host.CodeInvalid, "the percentages of a deployment are 100 together, not 99"},
		"negative":    {"hello", deploy.NewDeployment{Versions: both(101, -1)}, host.CodeInvalid, "version " + a.ID + " would get 101 percent; 0 to 100 are possible"},
		"twice":       {"hello", deploy.NewDeployment{Versions: []deploy.Share{{a.ID, 50}, {a.ID, 50}}}, host.CodeInvalid, "version " + a.ID + " is given twice"},
		"long":        {"hello", deploy.NewDeployment{Versions: all(a.ID), Message: strings.Repeat("x", 1001)}, host.CodeInvalid, "the message of a deployment has at most 1000 bytes"},
		"rollout of one": {"hello", deploy.NewDeployment{Versions: all(b.ID), Rollout: rollout(func(*deploy.Rollout) {})}, host.CodeInvalid,
			"a rollout needs a deployment of two versions: the one that serves, and the one that is tried"},
		"rollout of none": {"hello", deploy.NewDeployment{Versions: both(100, 0), Rollout: rollout(func(*deploy.Rollout) {})}, host.CodeInvalid,
			"the version that is tried has to get at least 1 percent of the requests"},
		"short rollout": {"hello", deploy.NewDeployment{Versions: both(90, 10), Rollout: rollout(func(r *deploy.Rollout) { r.PromoteAfter = 0 })}, host.CodeInvalid,
			"a rollout lasts from 1s to 720h0m0s, not 0s"},
		"impossible rollout": {"hello", deploy.NewDeployment{Versions: both(90, 10), Rollout: rollout(func(r *deploy.Rollout) { r.MaxErrors = 100 })}, host.CodeInvalid,
			"errors>100% can't happen; write less than 100%"},
		"rollout of faster": {"hello", deploy.NewDeployment{Versions: both(90, 10), Rollout: rollout(func(r *deploy.Rollout) { r.MaxSlower = 0.5 })}, host.CodeInvalid,
			"p99>0.5x would roll back what is faster; write at least 1x"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.CreateDeployment(t.Context(), deploy.Local, tt.function, tt.NewDeployment)
			wantError(t, err, tt.code, tt.msg)
		})
	}
	if got := lookup(r, "hello.localhost", "/"); got != b.ID {
		t.Errorf("version %s serves, want %s still", got, b.ID)
	}
	_, err := r.Deploy(t.Context(), deploy.Local, "nobody", deploy.Upload{Module: guest(1), Idle: true})
	wantError(t, err, host.CodeNotFound, `Function "nobody" does not exist in account local`)
}

// Every Version has a host, by the beginning of its id or an alias.
func TestPreviews(t *testing.T) {
	n := newNode(t)
	r := n.open(t)
	mustAccount(t, r, "acme")
	a := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	b := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(2), Idle: true, Alias: "next-one"})
	other := mustDeploy(t, r, "acme", "hello", deploy.Upload{Module: guest(3)})
	hosts := map[string]string{
		r.PreviewHost(deploy.Local, "hello", a.ID, ""):         a.ID,
		r.PreviewHost(deploy.Local, "hello", b.ID, ""):         b.ID,
		r.PreviewHost(deploy.Local, "hello", b.ID, "next-one"): b.ID,
		r.PreviewHost("acme", "hello", other.ID, ""):           other.ID,
		strings.ToUpper("next-one-hello.localhost") + ":8787":  b.ID,
		"next-hello.localhost":                                 "",
		b.ID[:7] + "-hello.localhost":                          "",
		b.ID + "-hello.localhost":                              "",
		b.ID[:8] + "-hello.acme.localhost":                     "",
		b.ID[:8] + "-hello.example.com":                        "",
		b.ID[:8] + "-nobody.localhost":                         "",
		"-hello.localhost":                                     "",
	}
	for range 2 {
		for host, want := range hosts {
			if got := lookup(r, host, "/x?y"); got != want {
				t.Errorf("%s: got version %q, want %q", host, got, want)
			}
		}
		r.Close()
		r = n.open(t)
	}
	if _, err := r.SetHosts(t.Context(), deploy.Local, "hello", false, false); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"hello.localhost", "next-one-hello.localhost"} {
		if got := lookup(r, host, "/"); got != "" {
			t.Errorf("%s: got version %q, although it is hidden", host, got)
		}
	}
	if _, err := r.SetHosts(t.Context(), deploy.Local, "hello", true, true); err != nil {
		t.Fatal(err)
	}
	moved := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(4), Idle: true, Alias: "next-one"})
	if got := lookup(r, "next-one-hello.localhost", "/"); got != moved.ID {
		t.Errorf("the alias leads to version %q, want %q", got, moved.ID)
	}
	for _, alias := range []string{"A", "a_b", "-a", strings.Repeat("a", 60)} {
		if _, err := r.Deploy(t.Context(), deploy.Local, "hello", deploy.Upload{Module: guest(5), Idle: true, Alias: alias}); err == nil {
			t.Errorf("alias %q was taken", alias)
		}
	}
}

// A preview runs, also while Versions come and go, and gives back what it took.
func TestPreviewsRun(t *testing.T) {
	r := newNode(t).open(t)
	mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	idle := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(2), Idle: true})
	preview, ok := r.Lookup([]byte("http"), []byte(r.PreviewHost(deploy.Local, "hello", idle.ID, "")), []byte("/"))
	if !ok {
		t.Fatal("there is no preview")
	}
	s, err := preview.Main().Snapshot(t.Context(), time.Now())
	if err != nil || !s.Use() {
		t.Fatalf("the preview does not run: %v", err)
	}
	s.Done()
	if !slices.Contains(r.Loaded(), "hello") {
		t.Error("the preview is not among what is loaded")
	}
	mustServe(t, r, deploy.Share{Version: idle.ID, Percentage: 100})
	if got := lookup(r, r.PreviewHost(deploy.Local, "hello", idle.ID, ""), "/"); got != idle.ID {
		t.Errorf("got version %q, want %q", got, idle.ID)
	}
	if err := r.Delete(t.Context(), deploy.Local, "hello", false); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if s.Use() {
		t.Error("the preview's snapshot is still there")
	}
}

// A preview does not write into a namespace that was deleted: nobody would remove that.
func TestPreviewOfDeletedNamespace(t *testing.T) {
	r := newNode(t).open(t)
	ns := mustNamespace(t, r, deploy.Local, "test")
	mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	idle := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(2), Idle: true,
		Settings: deploy.Settings{KVNamespaces: []deploy.KVNamespace{{Binding: "STORE", ID: ns.ID}}}})
	host := r.PreviewHost(deploy.Local, "hello", idle.ID, "")
	if got := lookup(r, host, "/"); got != idle.ID {
		t.Fatalf("got version %q, want %s", got, idle.ID)
	}
	if err := r.DeleteNamespace(t.Context(), deploy.Local, ns.ID); err != nil {
		t.Fatal(err)
	}
	if got := lookup(r, host, "/"); got != "" {
		t.Errorf("version %s is still bound to the namespace", got)
	}
}

// Old Versions go, but for those that serve.
func TestPrune(t *testing.T) {
	n, key := newNode(t), secret.NewKey()
	r := n.openWith(t, key)
	first := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1), Alias: "first", Secrets: map[string]*string{"A": new("1")}})
	var ids []string
	for i := range 4 {
		v := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(byte(2 + i)), Idle: true, Secrets: map[string]*string{"A": new(fmt.Sprint(i))}})
		ids = append(ids, v.ID)
	}
	if got := len(secretKeys(t, n)); got != 5 {
		t.Errorf("%d values of the secret are stored, want 5", got)
	}
	removed, err := r.PruneVersions(t.Context(), deploy.Local, "hello", 2)
	if err != nil || !slices.Equal(removed, ids[:3]) {
		t.Errorf("removed %v, %v; want %v", removed, err, ids[:3])
	}
	if got := lookup(r, "first-hello.localhost", "/"); got != first.ID {
		t.Errorf("the alias of what serves leads to %q", got)
	}
	if got := len(secretKeys(t, n)); got != 2 {
		t.Errorf("%d values of the secret are stored, want 2", got)
	}
	checkNothingElse(t, n, r)
	_, err = r.PruneVersions(t.Context(), deploy.Local, "hello", 0)
	wantError(t, err, host.CodeInvalid, "0 versions can't be kept; 1 is the least")
	_, err = r.CreateDeployment(t.Context(), deploy.Local, "hello", deploy.NewDeployment{Versions: []deploy.Share{{ids[0], 100}}})
	wantError(t, err, host.CodeNotFound, "Function hello has no version \""+ids[0]+"\"; mayfly versions list shows those that are kept")
}

// Going back brings the secrets back. They can't be changed of what does not serve.
func TestSecretsOfVersions(t *testing.T) {
	n, key := newNode(t), secret.NewKey()
	r := n.openWith(t, key)
	a := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1), Secrets: map[string]*string{"A": new("1")}})
	mustSet(t, r, "hello", map[string]*string{"A": new("2"), "B": new("b")})
	if got, want := env(t, r, "hello"), hidden("A", "2", "B", "b"); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	mustServe(t, r, deploy.Share{Version: a.ID, Percentage: 100})
	for range 2 {
		if got, want := env(t, r, "hello"), hidden("A", "1"); !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		r.Close()
		r = n.openWith(t, key)
	}
	if _, err := r.SetSecrets(t.Context(), deploy.Local, "hello", "", map[string]*string{"A": new("3")}); err != deploy.ErrNotServing {
		t.Errorf("got %v, want ErrNotServing", err)
	}
	b := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(2)}) // has those of the newest Version
	if got, want := env(t, r, "hello"), hidden("A", "2", "B", "b"); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	mustServe(t, r, deploy.Share{Version: a.ID, Percentage: 60}, deploy.Share{Version: b.ID, Percentage: 40})
	v, err := r.SetSecrets(t.Context(), deploy.Local, "hello", "me", map[string]*string{"B": nil})
	if err != nil || v.Author != "me" || v.Trigger != deploy.TriggerSecret {
		t.Fatalf("got %+v, %v", v, err)
	}
	f, _, err := r.Function(deploy.Local, "hello")
	if want := []deploy.Share{{a.ID, 60}, {v.ID, 40}}; err != nil || !slices.Equal(f.Deployments[0].Versions, want) {
		t.Errorf("got %v, %v, want %v", f.Deployments[0].Versions, err, want)
	}
	checkSecretRecords(t, n, r)
}

// While Deployments change, every request finds a Version that serves, and never a
// mixture of two.
func TestSwitchUnderLoad(t *testing.T) {
	r := newNode(t).open(t)
	var versions []deploy.Version
	for i := range 3 {
		settings := deploy.Settings{Vars: map[string]deploy.Var{"NUMBER": {Text: fmt.Sprint(i)}}}
		versions = append(versions, mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(byte(i)), Settings: settings}))
	}
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	var used atomic.Int64
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				a := serving(t, r).Pick(nil, nil)
				s, err := a.Snapshot(t.Context(), time.Now())
				if err != nil || !s.Use() {
					continue // replaced just now: the front end looks again
				}
				number := a.Bindings.Env["NUMBER"].Value
				if a.Version.Digest != s.Module.String() || fmt.Sprint(a.Version.Number-1) != number {
					t.Errorf("version %d with module %s and number %s", a.Version.Number, s.Module, number)
				}
				s.Done()
				used.Add(1)
			}
		})
	}
	eventually(t, "a request is answered", func() bool { return used.Load() > 0 })
	for i := range 60 {
		first, second := versions[i%3], versions[(i+1)%3]
		mustServe(t, r, deploy.Share{Version: first.ID, Percentage: 100 - i}, deploy.Share{Version: second.ID, Percentage: i})
	}
	stop()
	readers.Wait()
}

// A Deployment that can't be made gives back what was loaded for it.
func TestDeploymentOfDamagedVersions(t *testing.T) {
	n := newNode(t)
	r := n.open(t)
	a := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	b := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(2), Idle: true})
	c := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(3), Idle: true})
	removeCode(t, n, c)
	_, err := r.CreateDeployment(t.Context(), deploy.Local, "hello", deploy.NewDeployment{Versions: []deploy.Share{{b.ID, 60}, {c.ID, 40}}})
	if err == nil {
		t.Fatal("a version without a module serves")
	}
	if got := lookup(r, "hello.localhost", "/"); got != a.ID {
		t.Errorf("version %s serves, want %s still", got, a.ID)
	}
	r.Close() // waits for what is given back
	if n := r.CodeBytes(); n != 0 {
		t.Errorf("%d bytes of code are still held", n)
	}
}

// removeCode removes the module of a Version and its Snapshot.
func removeCode(t *testing.T, n node, v deploy.Version) {
	t.Helper()
	key := "node/snapshots/local/hello/" + v.ID
	e, err := n.store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	module, err := kv.ParseDigest(v.Digest)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := kv.ParseDigest(string(e.Metadata))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(n.blobs.Delete(t.Context(), module), n.blobs.Delete(t.Context(), snapshot), n.store.Delete(t.Context(), key, kv.DeleteOptions{})); err != nil {
		t.Fatal(err)
	}
}

// However few are kept, a Version that was just uploaded is one of them.
func TestNewestVersionIsKept(t *testing.T) {
	r, err := newNode(t).tryOpen(t, deploy.Config{KeepVersions: 1})
	if err != nil {
		t.Fatal(err)
	}
	a := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	b := mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(2), Idle: true})
	if _, err := r.PruneVersions(t.Context(), deploy.Local, "hello", 1); err != nil {
		t.Fatal(err)
	}
	f, _, err := r.Function(deploy.Local, "hello")
	if err != nil || !slices.Equal(f.Versions, []string{a.ID, b.ID}) {
		t.Errorf("got versions %v, %v; want %s, which serves, and %s, which is the newest", f.Versions, err, a.ID, b.ID)
	}
	mustServe(t, r, deploy.Share{Version: b.ID, Percentage: 100})
}
