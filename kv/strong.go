package kv

import "context"

// StrongReader is a Store whose Get reads a copy, and that can ask for the truth.
type StrongReader interface {
	// GetStrong is Get as of the call: it knows of every write that any node was told
	// of as done before. ErrUnavailable: nobody can tell now.
	GetStrong(ctx context.Context, key string) (Entry, error)
}

// GetStrong is StrongReader's; Get knows all of a Store that is none.
func GetStrong(ctx context.Context, s Store, key string) (Entry, error) {
	if r, ok := s.(StrongReader); ok {
		return r.GetStrong(ctx, key)
	}
	return s.Get(ctx, key)
}

// GetStrong implements StrongReader.
func (s *sub) GetStrong(ctx context.Context, key string) (Entry, error) {
	if err := s.check(key); err != nil {
		return Entry{}, err
	}
	e, err := GetStrong(ctx, s.parent, s.prefix+key)
	return s.strip(e), err
}
