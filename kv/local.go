package kv

import "context"

// LocalReader is a Store that tells what it has at hand.
type LocalReader interface {
	// GetLocal is Get where that takes no longer than microseconds, or the read of a
	// block from this machine's disk; where it may take longer ok is false, and Get is
	// to be asked.
	GetLocal(ctx context.Context, key string) (e Entry, ok bool, err error)
}

// GetLocal is LocalReader's; a Store that is none has nothing at hand.
func GetLocal(ctx context.Context, s Store, key string) (e Entry, ok bool, err error) {
	if r, is := s.(LocalReader); is {
		return r.GetLocal(ctx, key)
	}
	return Entry{}, false, nil
}

// GetLocal implements LocalReader.
func (s *sub) GetLocal(ctx context.Context, key string) (e Entry, ok bool, err error) {
	if err := s.check(key); err != nil {
		return Entry{}, true, err
	}
	e, ok, err = GetLocal(ctx, s.parent, s.prefix+key)
	return s.strip(e), ok, err
}
