package js

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

var errManyBytes = &host.Error{Code: host.CodeTooLarge, Msg: "KV GET_BULK failed: 413 Total size of request exceeds the limit of 25MB"}

// entryHead is what is known of an entry besides its value.
type entryHead struct {
	Size     int             `json:"size"` // of the value
	Metadata json.RawMessage `json:"metadata,omitempty"`
}

// kvGetAll reads many keys. Its metadata are entryHeads as JSON, null for what is not
// there; its value is all values, one after the other.
func kvGetAll(q *query) (kind, error) {
	var o struct {
		Binding string   `json:"binding"`
		Keys    []string `json:"keys"`
		Strong  bool     `json:"strong"`
	}
	if err := q.longOptions(&o, host.MaxKeys*6*kv.UserMaxKey+maxOptions); err != nil { // a byte of a key is \u0000 at worst
		return 0, err
	}
	store, err := q.namespace(o.Binding)
	if err != nil {
		return 0, err
	}
	if o.Strong {
		store = kv.Strong(store)
	}
	if len(o.Keys) > host.MaxKeys {
		return 0, host.Errorf(host.CodeInvalid, "at most %d keys can be read at a time", host.MaxKeys)
	}
	for _, key := range o.Keys {
		if err := kv.CheckKey(key); err != nil {
			return 0, err
		}
	}
	q.Work(host.KVWeight * int64(len(o.Keys)))
	return q.kvStart("get", func(ctx context.Context, j *job) { j.err = j.readKeys(ctx, store, o.Keys) })
}

// readKeys reads entries, and holds what it has read.
func (j *job) readKeys(ctx context.Context, store kv.Store, keys []string) error {
	heads := make([]*entryHead, len(keys))
	err := host.GetEach(ctx, store, keys, host.MaxKeysBytes, func(i int, e kv.Entry) error {
		if err := j.hold(len(e.Value)); err != nil {
			return err
		}
		heads[i] = &entryHead{len(e.Value), e.Metadata}
		j.value = append(j.value, e.Value...)
		return nil
	})
	if errors.Is(err, host.ErrManyBytes) {
		return errManyBytes
	}
	if err == nil {
		j.metadata, err = json.Marshal(heads)
	}
	return err
}
