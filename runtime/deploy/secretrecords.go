package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv"
)

// secretsOf is where the values of a Function's secrets are.
func secretsOf(id functionID) string { return secretRecords + id.account + "/" + id.name + "/" }

// secretRecord is where a value of a secret is.
func secretRecord(id functionID, name, value string) string {
	return secretsOf(id) + name + "/" + value
}

// storeSecrets writes the new values, which nobody looks for yet.
func (r *Registry) storeSecrets(ctx context.Context, id functionID, c secretChange) error {
	for name, value := range c.ids {
		p := secret.Place{Account: id.account, Function: id.name, Name: name, ID: value}
		sealed, err := r.cfg.Secrets.Seal(ctx, p, []byte(*c.texts[name]))
		if err != nil {
			return fmt.Errorf("seal secret %s: %w", name, err)
		}
		if _, err := r.cfg.Store.Put(ctx, secretRecord(id, name, value), sealed, kv.PutOptions{}); err != nil {
			return fmt.Errorf("store secret %s: %w", name, err)
		}
	}
	return nil
}

// openSecrets opens the secrets of a Version. One that can't be opened keeps its
// Function from serving, and no other.
func (r *Registry) openSecrets(ctx context.Context, f functionID, v Version) secretValues {
	values := secretValues{}
	for name, id := range v.Secrets {
		text, err := r.openSecret(ctx, secret.Place{Account: f.account, Function: f.name, Name: name, ID: id})
		if err != nil {
			err = fmt.Errorf("open secret %s of %s/%s: %w", name, f.account, f.name, err)
			r.cfg.Logger.Error("a Function can't serve", "account", f.account, "function", f.name, "err", err)
		}
		values[name] = secretValue{id, text, err}
	}
	return values
}

func (r *Registry) openSecret(ctx context.Context, p secret.Place) (string, error) {
	if r.cfg.Secrets == nil {
		return "", errors.New("there is no key")
	}
	e, err := r.cfg.Store.Get(ctx, secretRecord(functionID{p.Account, p.Function}, p.Name, p.ID))
	if errors.Is(err, kv.ErrNotFound) || errors.Is(err, kv.ErrCorrupt) {
		return "", errors.Join(err, secret.ErrDamaged)
	}
	if err != nil {
		return "", err
	}
	text, err := r.cfg.Secrets.Open(p, e.Value)
	return string(text), err
}

// pruneSecrets removes values that no Version has any more. What it can't remove
// the next start will.
func (r *Registry) pruneSecrets(ctx context.Context, id functionID, before, after map[string]bool) {
	for value := range before {
		if after[value] {
			continue
		}
		if err := r.cfg.Store.Delete(ctx, secretsOf(id)+value, kv.DeleteOptions{}); err != nil {
			r.cfg.Logger.Error("remove old secret", "account", id.account, "function", id.name, "value", value, "err", err)
		}
	}
}

// collectSecrets removes values that no Version has.
func (r *Registry) collectSecrets(ctx context.Context, s *snapshot) error {
	known := map[string]bool{}
	for id, d := range s.functions {
		for value := range d.values() {
			known[secretsOf(id)+value] = true
		}
	}
	return keys(ctx, r.cfg.Store, secretRecords, func(e kv.Entry) error {
		if known[e.Key] {
			return nil
		}
		r.cfg.Logger.Info("remove leftover record", "key", e.Key)
		return r.cfg.Store.Delete(ctx, e.Key, kv.DeleteOptions{})
	})
}
