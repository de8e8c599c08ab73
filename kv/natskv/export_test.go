package natskv

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// Forgetful is cfg for a Store that takes the marks of deletions for gone at once.
func Forgetful(cfg Config) Config {
	cfg.MarkerTTL = time.Hour
	cfg.margin = time.Hour
	return cfg
}

// Patient is cfg for a Store whose calls wait for so long, if that was not said before: a
// busy machine is no cluster that is away.
func Patient(cfg Config, wait time.Duration) Config {
	if cfg.patience == 0 {
		cfg.patience = wait
	}
	return cfg
}

// SubjectOf is where the newest message of key is.
func (s *Store) SubjectOf(key string) string { return s.prefix("e", s.id) + keyToken(key) }

// Sweep removes objects that nothing refers to and that are older than grace.
func (s *Store) Sweep(ctx context.Context, grace time.Duration) (int, error) {
	return s.streams.Load().sweep(ctx, grace)
}

// Objects is how many there are.
func (s *Store) Objects(ctx context.Context) (int, error) {
	intents, err := s.streams.Load().intents(ctx)
	return len(intents), err
}

// PutObject leaves an object that nothing refers to.
func (s *Store) PutObject(ctx context.Context, key string, data []byte) error {
	_, err := s.streams.Load().put(ctx, keyToken(key), data, chunkSize)
	return err
}

// Replicate gives the streams the replicas that they lack.
func (s *Store) Replicate(ctx context.Context) error {
	st := s.streams.Load()
	if st == nil {
		return kv.ErrUnavailable
	}
	return s.replicate(ctx, st)
}

// KeyLocks is what writes of a key wait for.
type KeyLocks = keyLocks

// Lock is lockAll.
func (l *keyLocks) Lock(ctx context.Context, keys ...string) (unlock func(), err error) {
	return l.lockAll(ctx, keys)
}

// Len is how many keys are known.
func (l *keyLocks) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.byKey)
}

func KeyToken(key string) string        { return keyToken(key) }
func KeyOf(token string) (string, bool) { return keyOf(token) }

func Decode(token string, data []byte) error {
	_, err := decode(token, data)
	return err
}

// Encoded are messages of all kinds.
func Encoded(key, value, metadata string) [][]byte {
	whole := record{entry: kv.Entry{Key: key, Value: []byte(value), Metadata: []byte(metadata), Expires: time.UnixMilli(1)}}
	object := whole
	object.object = "0123456789abcdef.3"
	return [][]byte{whole.encode(), object.encode(), record{entry: kv.Entry{Key: key}, deleted: true}.encode()}
}

// Journal is one with such writes.
func Journal(t testing.TB, keys ...string) []byte {
	name := filepath.Join(t.TempDir(), "journal")
	j, _, err := openJournal(name)
	for _, key := range keys {
		err = errors.Join(err, j.add(record{entry: kv.Entry{Key: key, Value: []byte("v")}}))
	}
	data, readErr := os.ReadFile(name)
	if err = errors.Join(err, j.close(), readErr); err != nil {
		t.Fatal(err)
	}
	return data
}

// ReadJournal returns the keys of the writes, and how many bytes those are.
func ReadJournal(data []byte) (keys []string, whole int, err error) {
	records, whole, err := readJournal(data)
	for _, r := range records {
		keys = append(keys, r.entry.Key)
	}
	return keys, whole, err
}

func ParseRules(data []byte) error {
	_, err := parseRules(data)
	return err
}
