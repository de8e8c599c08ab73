package kv

import "fmt"

// CheckSize returns ErrSize unless a Store takes all three. Implementations
// call it first in every method, with nil for what the method does not have.
func CheckSize(key string, value, metadata []byte) error {
	switch {
	case key == "":
		return fmt.Errorf("key is empty: %w", ErrSize)
	case len(key) > MaxKey:
		return fmt.Errorf("key of %d bytes, at most %d: %w", len(key), MaxKey, ErrSize)
	case len(value) > MaxValue:
		return fmt.Errorf("value of %d bytes, at most %d: %w", len(value), MaxValue, ErrSize)
	case len(metadata) > MaxMetadata:
		return fmt.Errorf("metadata of %d bytes, at most %d: %w", len(metadata), MaxMetadata, ErrSize)
	}
	return nil
}

// CheckPrefix returns ErrSize when no key could begin with prefix.
func CheckPrefix(prefix string) error {
	if len(prefix) > MaxKey {
		return fmt.Errorf("prefix of %d bytes, at most %d: %w", len(prefix), MaxKey, ErrSize)
	}
	return nil
}
