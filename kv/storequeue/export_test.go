package storequeue

import (
	"fmt"

	"github.com/mayfly-run/mayfly/kv"
)

// Reread decodes the header of a message and encodes it again.
func Reread(b []byte) ([]byte, error) {
	h, err := decodeHeader(b)
	if err != nil {
		return nil, err
	}
	return h.encode(), nil
}

// RereadLease decodes the record of a lease and encodes it again.
func RereadLease(b []byte) ([]byte, error) {
	r, err := decodeLease(b)
	if err != nil {
		return nil, err
	}
	for _, key := range r.keys {
		if !isKey(key) {
			return nil, fmt.Errorf("key %q: %w", key, kv.ErrCorrupt)
		}
	}
	return r.encode(), nil
}

// ParseToken reads the name of a leased message.
func ParseToken(text string) (string, bool) {
	lease, n, ok := parseToken(text)
	return token(lease, n), ok
}

// WithKept bounds how many messages of an account are in windows.
func WithKept(cfg Config, most int) Config {
	cfg.kept = most
	return cfg
}

// Kept is how many messages of an account are in windows.
func (s *Queues) Kept(account string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, q := range s.queues {
		if name.Account == account {
			q.mu.Lock()
			n += len(q.window)
			q.mu.Unlock()
		}
	}
	return n
}
