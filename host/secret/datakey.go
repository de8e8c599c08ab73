package secret

import (
	"context"
	"errors"
	"fmt"

	"github.com/mayfly-run/mayfly/kv"
)

// load opens the data key of an account. It needs mu, or to be Open's.
func (r *Keyring) load(ctx context.Context, account string) error {
	e, err := r.cfg.Store.Get(ctx, account)
	if err != nil {
		return err
	}
	id, err := header(e.Value)
	if err != nil {
		return err
	}
	switch {
	case id == r.cfg.Key.id:
		r.keys[account], err = unwrap(r.cfg.Key, e.Value, account)
		return err
	case !r.cfg.Previous.IsZero() && id == r.cfg.Previous.id:
		return r.rewrap(ctx, account, e)
	}
	return &WrongKeyError{account, id.String(), r.cfg.Key.ID()}
}

func unwrap(k Key, record []byte, account string) (Key, error) {
	b, err := k.open(record, "data key", account)
	if err != nil {
		return Key{}, err
	}
	if len(b) != keySize {
		return Key{}, ErrDamaged
	}
	return newKey(b), nil
}

func (r *Keyring) wrap(ctx context.Context, account string, data Key, revision uint64) error {
	record := r.cfg.Key.seal(data.bytes[:], "data key", account)
	_, err := r.cfg.Store.Put(ctx, account, record, kv.PutOptions{If: kv.IfRevision(revision)})
	return err
}

func (r *Keyring) rewrap(ctx context.Context, account string, e kv.Entry) error {
	data, err := unwrap(r.cfg.Previous, e.Value, account)
	if err != nil {
		return err
	}
	if err := r.wrap(ctx, account, data, e.Revision); err != nil {
		return fmt.Errorf("seal with the new key: %w", err)
	}
	r.cfg.Logger.Info("sealed data key with the new key", "account", account, "from", r.cfg.Previous.ID(), "to", r.cfg.Key.ID())
	r.keys[account] = data
	return nil
}

// dataKey returns the data key of an account, which it makes if there is none.
func (r *Keyring) dataKey(ctx context.Context, account string) (Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok := r.keys[account]; ok {
		return k, nil
	}
	k := NewKey()
	err := r.wrap(ctx, account, k, 0)
	if errors.Is(err, kv.ErrConflict) { // another node's, or a write that seemed to fail
		if err := kv.Sync(ctx, r.cfg.Store); err != nil {
			return Key{}, fmt.Errorf("open data key of account %s: %w", account, err)
		}
		if err := r.load(ctx, account); err != nil {
			return Key{}, fmt.Errorf("open data key of account %s: %w", account, err)
		}
		return r.keys[account], nil
	}
	if err != nil {
		return Key{}, fmt.Errorf("store data key: %w", err)
	}
	r.keys[account] = k
	return k, nil
}

// Forget removes the data key of an account, and with it what it sealed.
func (r *Keyring) Forget(ctx context.Context, account string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.cfg.Store.Delete(ctx, account, kv.DeleteOptions{}); err != nil {
		return fmt.Errorf("delete data key: %w", err)
	}
	delete(r.keys, account)
	return nil
}

// Refresh takes over what another Keyring has done to the data key of an account.
func (r *Keyring) Refresh(ctx context.Context, account string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.load(ctx, account)
	if errors.Is(err, kv.ErrNotFound) {
		delete(r.keys, account)
		return nil
	}
	return err
}
