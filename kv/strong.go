package kv

import "context"

// StrongReader is a Store whose Get reads a copy, and that can ask for the truth.
type StrongReader interface {
	// GetStrong is Get as of the call: it knows of every write that any node was told
	// of as done before. In a cluster it costs as much as a write. ErrUnavailable: nobody
	// can tell now.
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

// Strong returns s with reads that ask for the truth: Get is GetStrong, and List
// comes after Sync. Of the optional contracts it has none.
func Strong(s Store) Store { return strong{s} }

type strong struct{ Store }

func (s strong) Get(ctx context.Context, key string) (Entry, error) {
	return GetStrong(ctx, s.Store, key)
}

func (s strong) List(ctx context.Context, opts ListOptions) (Page, error) {
	if err := CheckPrefix(opts.Prefix); err != nil {
		return Page{}, err
	}
	if err := Sync(ctx, s.Store); err != nil {
		return Page{}, err
	}
	return s.Store.List(ctx, opts)
}
