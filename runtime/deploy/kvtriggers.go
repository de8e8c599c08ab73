package deploy

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// How many KV triggers an account may have, and how many all Functions together may
// have of one namespace: each makes a write there cost more.
const (
	maxKVTriggers        = 250
	maxNamespaceTriggers = 10
)

// Bounds of KVTriggerSettings, and what is where they say nothing.
const (
	mostKVRetries      = 100
	defaultKVRetries   = 5
	mostKVConcurrency  = 100
	defaultConcurrency = 10
)

// ChangeRecords is where changes are that KV triggers have to deliver.
const ChangeRecords = "node/changes/" // <id of the trigger>/<name>: kv.Change

// ChangeKeep is how long a change waits for its Function at most: as long as a message
// in a queue (https://developers.cloudflare.com/queues/platform/limits/).
const ChangeKeep = 4 * 24 * time.Hour

// KVTrigger runs a Function on each change of the keys of a namespace that begin with
// Prefix.
type KVTrigger struct {
	ID        string `json:"id"`        // of this trigger alone, for ever
	Namespace string `json:"namespace"` // id
	Prefix    string `json:"prefix,omitempty"`
	KVTriggerSettings
	// Created is when the Function got it: it knows of no changes before.
	Created time.Time `json:"created"`
}

// KVTriggerSettings say how changes are delivered; nil is the default.
type KVTriggerSettings struct {
	MaxRetries     *int64 `json:"max_retries,omitempty"`     // of a change, 0 to 100; default 5
	MaxConcurrency *int64 `json:"max_concurrency,omitempty"` // keys at the same time, 1 to 100; default 10
	// OnFailure is where a change goes that fails for good; the zero value is nowhere.
	OnFailure Destination `json:"on_failure,omitzero"`
}

// Retries is how often a change is tried again.
func (s KVTriggerSettings) Retries() int { return orDefault(s.MaxRetries, defaultKVRetries) }

// Concurrency is of how many keys changes are delivered at the same time.
func (s KVTriggerSettings) Concurrency() int {
	return orDefault(s.MaxConcurrency, defaultConcurrency)
}

func orDefault(n *int64, otherwise int) int {
	if n == nil {
		return otherwise
	}
	return int(*n)
}

// NewKVTrigger is what is said of a KV trigger: it names a binding of the Version that
// answers most requests, or a namespace.
type NewKVTrigger struct {
	Binding     string `json:"binding,omitempty"`
	NamespaceID string `json:"namespace_id,omitempty"`
	Prefix      string `json:"prefix,omitempty"`
	KVTriggerSettings
}

// SetKVTriggers replaces the KV triggers of a Function. Those that it has already, of
// the same namespace and prefix, go on where they are; what waits for others is
// dropped.
func (r *Registry) SetKVTriggers(ctx context.Context, account, name string, list []NewKVTrigger) (Function, error) {
	return r.update(ctx, account, name, func(s *snapshot, f *Function) error {
		if len(list) > 0 && r.logged == nil {
			return host.Errorf(host.CodeUnsupported, "this node can't have KV triggers: its store keeps no log of changes")
		}
		if v := s.functions[f.id()].main().Version; len(list) > 0 {
			if err := v.needs("kv", "a KV trigger"); err != nil {
				return err
			}
		}
		triggers := []KVTrigger{}
		for _, in := range list {
			t, err := r.kvTrigger(s, f, in)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(triggers, t.same) {
				return invalid("the KV trigger of namespace %s and prefix %q is given twice", t.Namespace, t.Prefix)
			}
			triggers = append(triggers, t)
		}
		f.KVTriggers = triggers
		return s.checkKVTriggers(*f)
	})
}

// same reports whether both are about the same keys.
func (t KVTrigger) same(other KVTrigger) bool {
	return t.Namespace == other.Namespace && t.Prefix == other.Prefix
}

// kvTrigger is the one that f has of a namespace and a prefix, or a new one.
func (r *Registry) kvTrigger(s *snapshot, f *Function, in NewKVTrigger) (t KVTrigger, err error) {
	t = KVTrigger{ID: newHexID(), Prefix: in.Prefix, KVTriggerSettings: in.KVTriggerSettings, Created: r.now()}
	if t.Namespace, err = s.watched(*f, in); err != nil {
		return t, err
	}
	if i := slices.IndexFunc(f.KVTriggers, t.same); i >= 0 {
		t.ID, t.Created = f.KVTriggers[i].ID, f.KVTriggers[i].Created
	}
	return t, t.check(s, *f)
}

// watched is the id of the namespace that a trigger is about.
func (s *snapshot) watched(f Function, in NewKVTrigger) (string, error) {
	switch {
	case (in.Binding == "") == (in.NamespaceID == ""):
		return "", invalid("a KV trigger has a binding or a namespace_id, and not both")
	case in.NamespaceID != "":
		ns, err := s.namespace(f.Account, in.NamespaceID)
		return ns.ID, err
	}
	for _, b := range s.functions[f.id()].main().Version.Settings.KVNamespaces {
		if b.Binding == in.Binding {
			return b.ID, nil
		}
	}
	return "", invalid("KV trigger: Function %s has no KV namespace bound as %q", f.Name, in.Binding)
}

func (t KVTrigger) check(s *snapshot, f Function) error {
	if err := kv.CheckKeyPrefix(t.Prefix); err != nil {
		return invalid("prefix of a KV trigger: %v", err)
	}
	if n := t.Retries(); n < 0 || n > mostKVRetries {
		return invalid("max_retries of a KV trigger is %d; 0 to %d are allowed", n, mostKVRetries)
	}
	if n := t.Concurrency(); n < 1 || n > mostKVConcurrency {
		return invalid("max_concurrency of a KV trigger is %d; 1 to %d are allowed", n, mostKVConcurrency)
	}
	if err := s.checkDestination(f, t.OnFailure); err != nil {
		return err
	}
	report := "failed/" + f.Name + "/"
	if t.OnFailure.Namespace == t.Namespace && (strings.HasPrefix(report, t.Prefix) || strings.HasPrefix(t.Prefix, report)) {
		return invalid("on_failure of a KV trigger writes to %s, whose changes are what it is about; name another namespace, or another prefix", report)
	}
	return nil
}

// checkKVTriggers counts those of all Functions, of which f is one.
func (s *snapshot) checkKVTriggers(f Function) error {
	account, namespaces := 0, map[string]int{}
	count := func(f Function) {
		account += len(f.KVTriggers)
		for _, t := range f.KVTriggers {
			namespaces[t.Namespace]++
		}
	}
	for id, d := range s.functions {
		if id.account == f.Account && id != f.id() {
			count(d.Function)
		}
	}
	count(f)
	if account > maxKVTriggers {
		return host.Errorf(host.CodeLimit, "account %s would have %d KV triggers, and may have %d", f.Account, account, maxKVTriggers)
	}
	for _, t := range f.KVTriggers {
		if n := namespaces[t.Namespace]; n > maxNamespaceTriggers {
			return host.Errorf(host.CodeLimit, "KV namespace %s would have %d triggers, and may have %d; one Function can look at the key, and call others", t.Namespace, n, maxNamespaceTriggers)
		}
	}
	return nil
}

// checkUnwatched refuses that a namespace goes away whose changes are awaited.
func (s *snapshot) checkUnwatched(ns Namespace) error {
	for _, f := range s.functions {
		for _, t := range f.KVTriggers {
			if t.Namespace == ns.ID {
				return host.Errorf(host.CodeConflict, "KV namespace %q has a trigger of Function %s; remove that first", ns.Title, f.Name)
			}
		}
	}
	return nil
}

// KVTriggered are the Functions of all accounts that have KV triggers.
func (r *Registry) KVTriggered() []Function {
	return r.functionsWith(func(f Function) bool { return len(f.KVTriggers) > 0 })
}

// KVTriggersChanged has a value when KVTriggered may have changed. It is for one who
// listens.
func (r *Registry) KVTriggersChanged() <-chan struct{} { return r.retriggered }

// logChanges has the store log what the triggers of a snapshot are about, if that
// changed. It needs r.mu, or that nobody else has the Registry yet.
func (r *Registry) logChanges(s *snapshot) {
	rules := s.changeRules()
	if r.logged == nil || reflect.DeepEqual(rules, r.logged) {
		return
	}
	if err := kv.LogChanges(context.Background(), r.cfg.Store, rules); err != nil {
		r.cfg.Logger.Error("changes of KV namespaces can't be logged", "err", err)
		return
	}
	r.logged = rules
	select {
	case r.retriggered <- struct{}{}:
	default:
	}
}

// beginLog has the store log changes from the start. Before anything is written it is
// known whether it can.
func (r *Registry) beginLog(ctx context.Context, s *snapshot) error {
	rules := s.changeRules()
	err := kv.LogChanges(ctx, r.cfg.Store, rules)
	if errors.Is(err, errors.ErrUnsupported) {
		if len(rules) > 0 {
			r.cfg.Logger.Error("KV triggers are at rest: the store of this node keeps no log of changes")
		}
		return nil
	}
	if err == nil {
		r.logged = rules
	}
	return err
}

// changeRules are in the order of the triggers' ids; never nil.
func (s *snapshot) changeRules() []kv.ChangeRule {
	rules := []kv.ChangeRule{}
	for _, f := range s.functions {
		for _, t := range f.KVTriggers {
			rules = append(rules, kv.ChangeRule{Prefix: userEntries + t.Namespace + "/" + t.Prefix, Log: ChangeRecords + t.ID + "/", Keep: ChangeKeep})
		}
	}
	slices.SortFunc(rules, func(a, b kv.ChangeRule) int { return strings.Compare(a.Log, b.Log) })
	return rules
}

// WatchedKey is the key of a user that a logged one is.
func (t KVTrigger) WatchedKey(logged string) string {
	return strings.TrimPrefix(logged, userEntries+t.Namespace+"/")
}
