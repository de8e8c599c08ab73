package deploy

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// Bounds of secrets. A text has as many bytes as a variable may have.
const (
	maxSecrets    = 64  // of one Function
	maxSecretName = 256 // bytes
)

// SetSecrets makes a new Version of a Function, with other secrets, and lets it
// serve: those whose text is nil are deleted, the others put, those that are not
// given stay. The newest Version has to serve. ErrNotServing says that it does not.
func (r *Registry) SetSecrets(ctx context.Context, account, name, author string, texts map[string]*string) (Version, error) {
	return r.setSecrets(ctx, account, name, author, texts, func(ctx context.Context, s *snapshot, old *deployed, v *Version, c secretChange) error {
		base := old.serving.find(old.newest())
		if base == nil {
			return ErrNotServing
		}
		return r.commitSecrets(ctx, s, old, base, v, c)
	})
}

// StoreSecrets is SetSecrets, but what serves stays as it is.
func (r *Registry) StoreSecrets(ctx context.Context, account, name, author string, texts map[string]*string) (Version, error) {
	return r.setSecrets(ctx, account, name, author, texts, func(ctx context.Context, s *snapshot, old *deployed, v *Version, c secretChange) error {
		next, err := r.serve(ctx, s, old.with(v).keeping(r.cfg.KeepVersions), old)
		if err != nil {
			return err
		}
		if err := r.storeSecretVersion(ctx, old.id(), old.newest(), v, c); err != nil {
			return err
		}
		return r.put(ctx, s, next)
	})
}

// setSecrets has commit write a Version that differs from the newest in secrets only.
func (r *Registry) setSecrets(ctx context.Context, account, name, author string, texts map[string]*string,
	commit func(context.Context, *snapshot, *deployed, *Version, secretChange) error) (Version, error) {
	c, err := r.newSecretChange(texts)
	if err != nil {
		return Version{}, err
	}
	v := Version{}
	c.version = newUUID()
	err = r.change(ctx, functionID{account, name}, func(ctx context.Context, s *snapshot) error {
		old, err := s.function(account, name)
		if err != nil {
			return err
		}
		if v, err = r.version(ctx, old, old.newest()); err != nil {
			return err
		}
		if err := v.has(c); err != nil {
			return err
		}
		v.ID, v.Created, v.Author, v.Trigger, v.Note = c.version, r.now(), author, TriggerSecret, Note{}
		v.Secrets = c.appliedTo(v.Secrets)
		if err := v.checkSecrets(name); err != nil {
			return err
		}
		return commit(ctx, s, old, &v, c)
	})
	return v, err
}

// ErrNotServing: secrets can't be changed of a Version that does not serve.
var ErrNotServing = &host.Error{Code: host.CodeConflict, Msg: "the newest version of the Function does not serve, and changing a secret would let it: deploy it first (mayfly versions deploy), or change the secret together with an upload"}

// commitSecrets writes the values, the Version, which has the module and the
// Snapshot of its base, and then the Function's record: the moment of the switch.
func (r *Registry) commitSecrets(ctx context.Context, s *snapshot, old *deployed, base *Active, v *Version, c secretChange) error {
	f, before := old.with(v), old.Deployments[0]
	f = f.deployedAs(Deployment{ID: newUUID(), Created: v.Created, Author: v.Author, Message: "other secrets",
		Versions: replaced(before.Versions, base.VersionID, v.ID), Rollout: before.Rollout.replaced(base.VersionID, v.ID)})
	f = f.keeping(r.cfg.KeepVersions)
	next, err := r.serve(ctx, s, f, old, base.as(*v, base.secrets.with(c)))
	if err != nil {
		return err
	}
	if err := r.storeSecretVersion(ctx, old.id(), base.VersionID, v, c); err != nil {
		return err
	}
	if err := r.put(ctx, s, next); err != nil {
		return err
	}
	next.serving.watch(before.Rollout != nil)
	return nil
}

// storeSecretVersion writes values, and a Version that has them and all else of
// another.
func (r *Registry) storeSecretVersion(ctx context.Context, id functionID, from string, v *Version, c secretChange) error {
	if err := r.storeSecrets(ctx, id, c); err != nil {
		return err
	}
	return r.copyVersion(ctx, id, from, v)
}

// replaced are the shares of a Deployment with one Version in the place of another.
func replaced(shares []Share, old, now string) []Share {
	list := slices.Clone(shares)
	for i := range list {
		if list[i].Version == old {
			list[i].Version = now
		}
	}
	return list
}

// as is another Version of the same module and settings. Its residence is the same.
func (a *Active) as(v Version, secrets secretValues) *Active {
	next := *a
	next.Version, next.VersionID = v, v.ID
	next.Observed, next.outcomes = new(telemetry.Observed), new(atomic.Pointer[telemetry.Outcomes])
	b := *a.setup.Bindings
	b.Version = v.ID
	next.setup.Bindings, next.Assets = &b, a.registry.assetHandle(v)
	return next.with(secrets)
}

// copyVersion stores a Version that has the module and the Snapshot of another.
func (r *Registry) copyVersion(ctx context.Context, id functionID, from string, v *Version) error {
	entry, _, err := read[snapshotEntry](ctx, r.cfg.Store, snapshotRecord(id, from))
	if err == nil {
		if err := r.putCounted(ctx, snapshotRecord(id, v.ID), entry, entry.Digest); err != nil {
			return err
		}
	}
	return r.putCounted(ctx, versionRecord(id, v.ID), *v, v.Digest)
}

// putCounted writes a record of a blob that is there, and counts it unless an attempt
// before has written it already.
func (r *Registry) putCounted(ctx context.Context, key string, record any, digest string) error {
	e, err := r.cfg.Store.Get(ctx, key)
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	if _, err := write(ctx, r.cfg.Store, key, record, kv.PutOptions{Metadata: []byte(digest)}); err != nil {
		return err
	}
	if string(e.Metadata) != digest {
		r.hold(digest)
	}
	return nil
}

// checkSecrets refuses too many secrets, and those that are bindings as well.
func (v Version) checkSecrets(function string) error {
	if n := len(v.Secrets); n > maxSecrets {
		return invalid("Function %s would have %d secrets; at most %d are allowed", function, n, maxSecrets)
	}
	for _, name := range v.SecretNames() {
		if _, taken := v.Settings.Vars[name]; taken {
			return bothError(function, name, "variable")
		}
		if what := v.Settings.named(name); what != "" {
			return bothError(function, name, what)
		}
	}
	return nil
}

func bothError(function, name, what string) error {
	return host.Errorf(host.CodeConflict, "%s would be both a secret and a %s of Function %s; give one of them another name, or remove it first", name, what, function)
}

// secretChange is a change of secrets on its way.
type secretChange struct {
	texts map[string]*string // nil deletes
	ids   map[string]string  // of the new values
	// version is the id of a Version that is made for the change; the same in each attempt.
	version string
}

// appliedTo are the ids of the values after the change.
func (c secretChange) appliedTo(ids map[string]string) map[string]string {
	next := maps.Clone(ids)
	if next == nil {
		next = map[string]string{}
	}
	for name, text := range c.texts {
		if text == nil {
			delete(next, name)
			continue
		}
		next[name] = c.ids[name]
	}
	if len(next) == 0 {
		return nil
	}
	return next
}

// newSecrets opens the secrets of a new Version, and takes those that come with it
// from the change.
func (r *Registry) newSecrets(ctx context.Context, id functionID, v Version, c secretChange) secretValues {
	values, stored := secretValues{}, v
	stored.Secrets = maps.Clone(v.Secrets)
	for name, value := range c.ids {
		values[name] = secretValue{id: value, text: *c.texts[name]}
		delete(stored.Secrets, name)
	}
	maps.Copy(values, r.openSecrets(ctx, id, stored))
	return values
}

func (r *Registry) newSecretChange(texts map[string]*string) (secretChange, error) {
	c := secretChange{texts: texts, ids: map[string]string{}}
	if len(texts) > 0 && r.cfg.Secrets == nil {
		return c, host.Errorf(host.CodeUnsupported, "this node keeps no secrets")
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		text := texts[name]
		if text == nil {
			continue
		}
		if !isIdentifier(name) || len(name) > maxSecretName {
			return c, invalid("secret %q is not an identifier of at most %d bytes: letters, digits and underscores, no digit first", name, maxSecretName)
		}
		if *text == "" {
			return c, invalid("secret %s is empty", name)
		}
		if err := checkVar(*text, len(*text)); err != nil {
			return c, invalid("secret %s %v", name, err)
		}
		c.ids[name] = newHexID()
	}
	return c, nil
}
