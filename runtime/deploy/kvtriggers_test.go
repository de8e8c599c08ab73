package deploy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// watcher is a module that takes changes of keys.
func watcher() []byte {
	var m hosttest.Module
	m.Memory(1)
	m.Func("fetch", nil, nil, nil)
	m.Func("kv", nil, nil, nil)
	return m.Bytes()
}

// logged counts the changes that are logged for the triggers of a Function.
func (n node) logged(t *testing.T, f deploy.Function) (counts []int) {
	t.Helper()
	for _, tr := range f.KVTriggers {
		page, err := n.store.List(t.Context(), kv.ListOptions{Prefix: deploy.ChangeRecords + tr.ID + "/"})
		if err != nil {
			t.Fatal(err)
		}
		counts = append(counts, len(page.Entries))
	}
	return counts
}

// wantPart checks that err is for users, and what it says among other things.
func wantPart(t *testing.T, err error, code host.Code, part string) {
	t.Helper()
	if host.CodeOf(err) != code || !strings.Contains(err.Error(), part) {
		t.Errorf("got %v, want a %v with %q", err, code, part)
	}
}

func mustPut(t *testing.T, r *deploy.Registry, namespace, key string) {
	t.Helper()
	s, err := r.Entries("local", namespace)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), key, []byte("v"), kv.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

// KV triggers have changes logged from the moment that they are set, over restarts, and
// stay what they are when others come and go.
func TestKVTriggers(t *testing.T) {
	n := newNode(t)
	r := n.open(t)
	ns := mustNamespace(t, r, "local", "data")
	mustDeploy(t, r, "local", "job", deploy.Upload{Module: watcher(), Settings: deploy.Settings{KVNamespaces: []deploy.KVNamespace{{Binding: "DATA", ID: ns.ID}}}})
	mustPut(t, r, ns.ID, "a/0")
	first, err := r.SetKVTriggers(t.Context(), "local", "job", []deploy.NewKVTrigger{{Binding: "DATA", Prefix: "a/"}})
	if err != nil || len(first.KVTriggers) != 1 || first.KVTriggers[0].Namespace != ns.ID || first.KVTriggers[0].Retries() != 5 || first.KVTriggers[0].Concurrency() != 10 {
		t.Fatalf("got %+v, %v", first.KVTriggers, err)
	}
	<-r.KVTriggersChanged()
	mustPut(t, r, ns.ID, "a/1")
	two := int64(2)
	second, err := r.SetKVTriggers(t.Context(), "local", "job", []deploy.NewKVTrigger{{NamespaceID: ns.ID},
		{Binding: "DATA", Prefix: "a/", KVTriggerSettings: deploy.KVTriggerSettings{MaxRetries: &two, MaxConcurrency: &two}}})
	if err != nil || second.KVTriggers[1].ID != first.KVTriggers[0].ID || !second.KVTriggers[1].Created.Equal(first.KVTriggers[0].Created) || second.KVTriggers[1].Retries() != 2 {
		t.Fatalf("got %+v, %v; first it was %+v", second.KVTriggers, err, first.KVTriggers)
	}
	mustPut(t, r, ns.ID, "a/2")
	mustPut(t, r, ns.ID, "b/2")
	if got := fmt.Sprint(n.logged(t, second)); got != "[2 2]" {
		t.Errorf("%s changes are logged, want [2 2]", got)
	}
	wantPart(t, r.DeleteNamespace(t.Context(), "local", ns.ID), host.CodeConflict, "has a trigger of Function job")
	r = n.open(t)
	mustPut(t, r, ns.ID, "a/3")
	if got := fmt.Sprint(n.logged(t, second)); got != "[3 3]" {
		t.Errorf("after a restart %s changes are logged, want [3 3]", got)
	}
	if list := r.KVTriggered(); len(list) != 1 || list[0].Name != "job" {
		t.Errorf("got %+v", list)
	}
	if err := r.Delete(t.Context(), "local", "job", false); err != nil || len(r.KVTriggered()) != 0 {
		t.Errorf("%v; left are %+v", err, r.KVTriggered())
	}
	<-r.KVTriggersChanged()
	mustPut(t, r, ns.ID, "a/4")
	if got := fmt.Sprint(n.logged(t, second)); got != "[3 3]" {
		t.Errorf("without triggers %s changes are logged", got)
	}
}

func TestKVTriggersRefused(t *testing.T) {
	n := newNode(t)
	r := n.open(t)
	mustAccount(t, r, "shop")
	theirs, ours, other := mustNamespace(t, r, "shop", "theirs"), mustNamespace(t, r, "local", "ours"), mustNamespace(t, r, "local", "other")
	mustDeploy(t, r, "local", "job", deploy.Upload{Module: watcher(), Settings: deploy.Settings{KVNamespaces: []deploy.KVNamespace{{Binding: "DATA", ID: ours.ID}}}})
	number := func(n int64) *int64 { return &n }
	settings := func(retries, concurrency *int64, to deploy.Destination) deploy.KVTriggerSettings {
		return deploy.KVTriggerSettings{MaxRetries: retries, MaxConcurrency: concurrency, OnFailure: to}
	}
	for _, tt := range []struct {
		in   []deploy.NewKVTrigger
		code host.Code
		want string
	}{
		{[]deploy.NewKVTrigger{{}}, host.CodeInvalid, "has a binding or a namespace_id"},
		{[]deploy.NewKVTrigger{{Binding: "DATA", NamespaceID: ours.ID}}, host.CodeInvalid, "has a binding or a namespace_id"},
		{[]deploy.NewKVTrigger{{Binding: "DATUM"}}, host.CodeInvalid, `Function job has no KV namespace bound as "DATUM"`},
		{[]deploy.NewKVTrigger{{NamespaceID: theirs.ID}}, host.CodeNotFound, "does not exist in account local"},
		{[]deploy.NewKVTrigger{{Binding: "DATA", Prefix: strings.Repeat("a", 513)}}, host.CodeInvalid, "key length limit"},
		{[]deploy.NewKVTrigger{{Binding: "DATA"}, {NamespaceID: ours.ID}}, host.CodeInvalid, "is given twice"},
		{[]deploy.NewKVTrigger{{Binding: "DATA", KVTriggerSettings: settings(number(101), nil, deploy.Destination{})}}, host.CodeInvalid, "max_retries of a KV trigger is 101"},
		{[]deploy.NewKVTrigger{{Binding: "DATA", KVTriggerSettings: settings(nil, number(0), deploy.Destination{})}}, host.CodeInvalid, "max_concurrency of a KV trigger is 0"},
		{[]deploy.NewKVTrigger{{Binding: "DATA", KVTriggerSettings: settings(nil, nil, deploy.Destination{Function: "none"})}}, host.CodeInvalid, `on_failure: Function "none" does not exist`},
		{[]deploy.NewKVTrigger{{Binding: "DATA", KVTriggerSettings: settings(nil, nil, deploy.Destination{Namespace: ours.ID})}}, host.CodeInvalid, "writes to failed/job/"},
		{[]deploy.NewKVTrigger{{Binding: "DATA", Prefix: "failed/job/a", KVTriggerSettings: settings(nil, nil, deploy.Destination{Namespace: ours.ID})}}, host.CodeInvalid, "writes to failed/job/"},
	} {
		_, err := r.SetKVTriggers(t.Context(), "local", "job", tt.in)
		wantPart(t, err, tt.code, tt.want)
	}
	for _, in := range []deploy.NewKVTrigger{
		{Binding: "DATA", KVTriggerSettings: settings(nil, nil, deploy.Destination{Namespace: other.ID})},
		{Binding: "DATA", Prefix: "a/", KVTriggerSettings: settings(nil, nil, deploy.Destination{Namespace: ours.ID})},
	} {
		if _, err := r.SetKVTriggers(t.Context(), "local", "job", []deploy.NewKVTrigger{in}); err != nil {
			t.Errorf("%+v: %v", in, err)
		}
	}
	_, err := r.Deploy(t.Context(), "local", "job", deploy.Upload{Module: guest(1)})
	wantPart(t, err, host.CodeInvalid, "Function job has KV triggers, and this version has no kv handler")
	mustDeploy(t, r, "local", "plain", deploy.Upload{})
	_, err = r.SetKVTriggers(t.Context(), "local", "plain", []deploy.NewKVTrigger{{NamespaceID: ours.ID}})
	wantPart(t, err, host.CodeInvalid, "the module has no kv handler, which a KV trigger needs")
}

func TestKVTriggersLimits(t *testing.T) {
	r := newNode(t).open(t)
	var spaces []deploy.Namespace
	for i := range 26 {
		spaces = append(spaces, mustNamespace(t, r, "local", fmt.Sprint(i)))
	}
	var list []deploy.NewKVTrigger
	for i := range 250 {
		list = append(list, deploy.NewKVTrigger{NamespaceID: spaces[i%25].ID, Prefix: fmt.Sprint(i)})
	}
	mustDeploy(t, r, "local", "a", deploy.Upload{Module: watcher()})
	mustDeploy(t, r, "local", "b", deploy.Upload{Module: watcher()})
	if _, err := r.SetKVTriggers(t.Context(), "local", "a", list); err != nil {
		t.Fatal(err)
	}
	_, err := r.SetKVTriggers(t.Context(), "local", "b", []deploy.NewKVTrigger{{NamespaceID: spaces[25].ID}})
	wantPart(t, err, host.CodeLimit, "account local would have 251 KV triggers, and may have 250")
	if _, err := r.SetKVTriggers(t.Context(), "local", "a", list[:249]); err != nil {
		t.Fatal(err)
	}
	_, err = r.SetKVTriggers(t.Context(), "local", "b", []deploy.NewKVTrigger{{NamespaceID: spaces[0].ID}})
	wantPart(t, err, host.CodeLimit, "would have 11 triggers, and may have 10")
}

// bare is a store without a log of changes.
type bare struct{ kv.Store }

func TestKVTriggersWithoutLog(t *testing.T) {
	n := newNode(t)
	n.store = bare{memkv.New(memkv.Config{})}
	r := n.open(t)
	ns := mustNamespace(t, r, "local", "data")
	mustDeploy(t, r, "local", "job", deploy.Upload{Module: watcher()})
	_, err := r.SetKVTriggers(t.Context(), "local", "job", []deploy.NewKVTrigger{{NamespaceID: ns.ID}})
	wantPart(t, err, host.CodeUnsupported, "its store keeps no log of changes")
	if _, err := r.SetKVTriggers(context.Background(), "local", "job", nil); err != nil {
		t.Errorf("none: %v", err)
	}
}

func TestManifestKVTriggers(t *testing.T) {
	m, err := deploy.ParseManifest("mayfly.toml", []byte(`
triggers.crons = ["0 5 * * MON"]
[[kv_namespaces]]
binding = "K"
[[triggers.kv]]
binding = "K"
prefix = "in/"
max_retries = 0
on_failure = { function = "morgue" }
[[triggers.kv]]
namespace_id = "0123"
[env.a]
[env.b.triggers]
kv = []
`), "")
	if err != nil {
		t.Fatal(err)
	}
	kv := m.Triggers.KV
	if len(kv) != 2 || kv[0].Binding != "K" || kv[0].Prefix != "in/" || kv[0].Retries() != 0 || kv[0].Concurrency() != 10 || kv[0].OnFailure.Function != "morgue" || kv[1].NamespaceID != "0123" || kv[1].Retries() != 5 {
		t.Errorf("got %+v", kv)
	}
}

// Stages inherit cron triggers, and no KV triggers: these are about what is bound.
func TestManifestKVTriggersOfStages(t *testing.T) {
	const text = "triggers.crons = ['0 5 * * MON']\ntriggers.kv = [{ namespace_id = 'n' }]\n[env.a]\n[env.b.triggers]\nkv = []"
	for stage, want := range map[string]string{"a": "[0 5 * * MON] true", "b": "[] false"} {
		m, err := deploy.ParseManifest("mayfly.toml", []byte(text), stage)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(m.Triggers.Crons, m.Triggers.KV == nil); got != want {
			t.Errorf("stage %s: got %s, want %s", stage, got, want)
		}
	}
}
