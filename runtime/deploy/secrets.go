package deploy

import (
	"context"
	"maps"
	"slices"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// Bounds of secrets. A text has as many bytes as a variable may have.
const (
	maxSecrets    = 64  // of one Function
	maxSecretName = 256 // bytes
)

// SetSecrets puts secrets of a Function, whose other secrets stay, and deletes
// those whose text is nil: all of them or none. The next request sees it; the
// Version stays.
func (r *Registry) SetSecrets(ctx context.Context, account, name string, texts map[string]*string) (Function, error) {
	id := functionID{account, name}
	c, err := r.newSecretChange(texts)
	if err != nil {
		return Function{}, err
	}
	var changed Function
	err = r.change(ctx, id, func(ctx context.Context, s *snapshot) ([]string, error) {
		old, err := s.function(account, name)
		if err != nil {
			return nil, err
		}
		if err := old.secrets.has(c); err != nil {
			return nil, err
		}
		d := old.with(old.secrets.with(c))
		d.Modified = r.now()
		if err := d.checkSecrets(d.active.Version.Settings); err != nil {
			return nil, err
		}
		changed = d.Function
		return nil, r.commitSecrets(ctx, s, d, c)
	})
	return changed, err
}

// commitSecrets writes values and then the Function's record, which is the moment
// of the switch.
func (r *Registry) commitSecrets(ctx context.Context, s *snapshot, d *deployed, c secretChange) error {
	s.functions[d.id()] = d
	if err := s.buildTable(); err != nil {
		return err
	}
	if err := r.storeSecrets(ctx, d.id(), c); err != nil {
		return err
	}
	var err error
	d.revision, err = write(ctx, r.cfg.Store, functionRecord(d.id()), d.Function, kv.PutOptions{If: kv.IfRevision(d.revision), Frees: len(c.ids) == 0})
	return err
}

// SecretNames are the names of the Function's secrets, sorted.
func (f Function) SecretNames() []string { return slices.Sorted(maps.Keys(f.Secrets)) }

// checkSecrets refuses too many secrets, and those that are bindings as well.
func (f Function) checkSecrets(s Settings) error {
	if n := len(f.Secrets); n > maxSecrets {
		return invalid("Function %s would have %d secrets; at most %d are allowed", f.Name, n, maxSecrets)
	}
	for _, name := range f.SecretNames() {
		if _, taken := s.Vars[name]; taken {
			return bothError(f, name, "variable")
		}
		if slices.ContainsFunc(s.KVNamespaces, func(ns KVNamespace) bool { return ns.Binding == name }) {
			return bothError(f, name, "KV binding")
		}
	}
	return nil
}

func bothError(f Function, name, what string) error {
	return host.Errorf(host.CodeConflict, "%s would be both a secret and a %s of Function %s; give one of them another name, or remove it first", name, what, f.Name)
}

// secretChange is a change of secrets on its way.
type secretChange struct {
	texts map[string]*string // nil deletes
	ids   map[string]string  // of the new values
}

func (r *Registry) newSecretChange(texts map[string]*string) (secretChange, error) {
	c := secretChange{texts, map[string]string{}}
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
