package secret

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/mayfly-run/mayfly/kv"
)

// Config of a Keyring. Store and Key are required.
type Config struct {
	Store kv.Store // of sealed data keys alone, under the accounts' names
	Key   Key
	// Previous, if it is not zero, is the Key before. What it sealed is sealed
	// with Key.
	Previous Key
	Logger   *slog.Logger // default: discard
}

// Keyring seals secrets with the data keys of their accounts. It is safe for
// concurrent use. Where several use a store, each is told by Refresh what others do.
type Keyring struct {
	cfg Config

	mu   sync.Mutex     // guards keys
	keys map[string]Key // by account
}

// Place is what a secret is sealed for.
type Place struct {
	Account, Function, Name string
	ID                      string // of this value of the secret
}

// WrongKeyError: a data key was sealed with a Key that was not given.
type WrongKeyError struct{ Account, Sealed, Given string }

func (e *WrongKeyError) Error() string {
	return fmt.Sprintf("the secrets of account %s are sealed under key %s, and the node was given key %s: "+
		"give it the key that it had before, as its key or, to go on with the new one, as the previous key", e.Account, e.Sealed, e.Given)
}

// Exist reports whether a store has data keys, so that a Key must have been there
// before.
func Exist(ctx context.Context, store kv.Store) (bool, error) {
	page, err := store.List(ctx, kv.ListOptions{Limit: 1})
	if err != nil {
		return false, fmt.Errorf("list data keys: %w", err)
	}
	return len(page.Entries) > 0, nil
}

// Open opens all data keys, and seals with Config.Key those that
// Config.Previous sealed. It is a *WrongKeyError if one is sealed with neither.
func Open(ctx context.Context, cfg Config) (*Keyring, error) {
	if cfg.Key.IsZero() {
		return nil, errors.New("no key was given")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Keyring{cfg: cfg, keys: map[string]Key{}}
	opts := kv.ListOptions{}
	for {
		page, err := cfg.Store.List(ctx, opts)
		if err != nil {
			return nil, fmt.Errorf("list data keys: %w", err)
		}
		for _, e := range page.Entries {
			if err := r.load(ctx, e.Key); err != nil {
				return nil, fmt.Errorf("open data key of account %s: %w", e.Key, err)
			}
		}
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			return r, nil
		}
	}
}

// Seal seals a text for a place. The account gets a data key if it has none.
func (r *Keyring) Seal(ctx context.Context, p Place, text []byte) ([]byte, error) {
	k, err := r.dataKey(ctx, p.Account)
	if err != nil {
		return nil, err
	}
	return k.seal(text, p.parts()...), nil
}

func (p Place) parts() []string { return []string{"secret", p.Account, p.Function, p.Name, p.ID} }

// Open returns what Seal sealed for the same place. The error says what to do.
func (r *Keyring) Open(p Place, record []byte) ([]byte, error) {
	id, err := header(record)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	k, ok := r.keys[p.Account]
	r.mu.Unlock()
	if !ok || k.id != id {
		return nil, fmt.Errorf("data key %s of account %s is not there: %w", id, p.Account, ErrDamaged)
	}
	return k.open(record, p.parts()...)
}
