package kv

import (
	"context"
	"errors"
	"fmt"
)

// Bounds of a Batch.
const (
	MaxWrites     = 1000
	MaxWriteBytes = 1 << 20 // of keys, values and metadata together
)

// Write is one of those that Batch does together, whatever is stored.
type Write struct {
	Key             string
	Value, Metadata []byte
	Delete          bool // the key is removed
}

// Batcher is a Store that does several writes for the price of one.
type Batcher interface {
	// Batch does all writes, or none if it fails or the process ends. They may have one
	// revision. No key may be there twice. frees is PutOptions.Frees. The error is
	// ErrSize for more than what goes into one Batch, and errors.ErrUnsupported where
	// changes of one of the keys are logged and only single writes do that.
	Batch(ctx context.Context, writes []Write, frees bool) error
}

// Batch is Batcher's. Where it is not supported the writes are done one after the other,
// and those before one that fails stay.
func Batch(ctx context.Context, s Store, writes []Write, frees bool) error {
	if b, ok := s.(Batcher); ok {
		err := b.Batch(ctx, writes, frees)
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	if err := CheckBatch(writes); err != nil {
		return err
	}
	for _, w := range writes {
		if err := w.do(ctx, s, frees); err != nil {
			return err
		}
	}
	return nil
}

func (w Write) do(ctx context.Context, s Store, frees bool) error {
	if w.Delete {
		return s.Delete(ctx, w.Key, DeleteOptions{})
	}
	_, err := s.Put(ctx, w.Key, w.Value, PutOptions{Metadata: w.Metadata, Frees: frees})
	return err
}

// CheckBatch returns ErrSize unless a Batcher takes the writes together. It panics for
// a key that is there twice.
func CheckBatch(writes []Write) error {
	total := 0
	seen := make(map[string]bool, len(writes))
	for _, w := range writes {
		if err := CheckSize(w.Key, w.Value, w.Metadata); err != nil {
			return err
		}
		if seen[w.Key] {
			panic("kv: a Batch has the key " + w.Key + " twice")
		}
		seen[w.Key] = true
		total += w.Size()
	}
	if len(writes) > MaxWrites || total > MaxWriteBytes {
		return fmt.Errorf("%d writes of %d bytes in all: %w", len(writes), total, ErrSize)
	}
	return nil
}

// Size is what the write counts for in MaxWriteBytes.
func (w Write) Size() int { return len(w.Key) + len(w.Value) + len(w.Metadata) }

// Batch implements Batcher.
func (s *sub) Batch(ctx context.Context, writes []Write, frees bool) error {
	all := make([]Write, len(writes))
	for i, w := range writes {
		if err := s.check(w.Key); err != nil {
			return err
		}
		all[i] = w
		all[i].Key = s.prefix + w.Key
	}
	return Batch(ctx, s.parent, all, frees)
}
