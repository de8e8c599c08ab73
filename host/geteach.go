package host

import (
	"context"

	"github.com/mayfly-run/mayfly/kv"
)

// What GetEach reads at once for a guest, as on Cloudflare:
// https://developers.cloudflare.com/kv/api/read-key-value-pairs/#request-multiple-keys-with-the-get-method
const (
	MaxKeys      = 100
	MaxKeysBytes = 25 << 20 // of values
)

// ErrManyBytes: the values of many keys are too long together.
var ErrManyBytes = &Error{CodeTooLarge, "the values of these keys are too long together"}

// ManyGetter is a store that can read many keys at once, and which counts that as one
// operation.
type ManyGetter interface {
	// GetEach is the function GetEach of this store.
	GetEach(ctx context.Context, keys []string, most int, do func(i int, e kv.Entry) error) error
}

// GetEach reads keys, and calls do for those that are there, with their place among the
// keys. The error is do's, or the store's, or ErrManyBytes once the values have more
// than most bytes.
func GetEach(ctx context.Context, store kv.Store, keys []string, most int, do func(i int, e kv.Entry) error) error {
	if m, ok := store.(ManyGetter); ok {
		return m.GetEach(ctx, keys, most, do)
	}
	for i, key := range keys {
		e, err := store.Get(ctx, key)
		if err != nil && CodeOf(err) == CodeNotFound {
			continue
		}
		if err != nil {
			return err
		}
		if most -= len(e.Value); most < 0 {
			return ErrManyBytes
		}
		if err := do(i, e); err != nil {
			return err
		}
	}
	return nil
}
