package control

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mayfly-run/mayfly/kv"
)

// Bounds of bulk requests.
// https://developers.cloudflare.com/kv/platform/limits/
const (
	maxBulk     = 10_000    // pairs or keys
	maxBulkBody = 100 << 20 // bytes
	maxBulkGet  = 100       // keys
	// bulkWriters write at the same time, because a store joins what is to be
	// synced to disk.
	bulkWriters = 64
)

type pairJSON struct {
	Key           string          `json:"key"`
	Value         *string         `json:"value"`
	Base64        bool            `json:"base64"`
	Expiration    json.Number     `json:"expiration"`
	ExpirationTTL json.Number     `json:"expiration_ttl"`
	Metadata      json.RawMessage `json:"metadata"`
}

// write is one pair that was checked.
type write struct {
	key   string
	value []byte
	opts  kv.PutOptions
}

// check turns a pair into a write.
func (p *pairJSON) check(now time.Time) (w write, err error) {
	if err := kv.CheckKey(p.Key); err != nil {
		return w, err
	}
	if p.Value == nil {
		return w, badRequest("the pair has no value")
	}
	w.key, w.value = p.Key, []byte(*p.Value)
	if p.Base64 {
		if w.value, err = base64.StdEncoding.DecodeString(*p.Value); err != nil {
			return w, badRequest("the value is not base64")
		}
	}
	if err := kv.CheckValue(int64(len(w.value))); err != nil {
		return w, err
	}
	if string(p.Metadata) != "null" {
		w.opts.Metadata = p.Metadata
	}
	if err := kv.CheckMetadata(w.opts.Metadata); err != nil {
		return w, err
	}
	w.opts.Expires, err = kv.ParseExpiry(given(p.Expiration), given(p.ExpirationTTL), now, kv.MinTTLCloudflare)
	return w, err
}

// given is "" for 0, which some clients send for what they leave out.
func given(n json.Number) string {
	if n == "0" {
		return ""
	}
	return string(n)
}

// putBulk writes all pairs, or none if one of them is not allowed.
func putBulk(r *request) error {
	store, err := r.entries()
	if err != nil {
		return err
	}
	done, err := r.takeUpload(maxBulkBody)
	if err != nil {
		return err
	}
	defer done()
	writes, err := r.readWrites()
	if err != nil {
		return err
	}
	return r.each(len(writes), func(ctx context.Context, i int) error {
		_, err := store.Put(ctx, writes[i].key, writes[i].value, writes[i].opts)
		return err
	})
}

// readWrites decodes pair by pair, so that a body is never in memory twice.
func (r *request) readWrites() ([]write, error) {
	r.limitBody(maxBulkBody)
	d := json.NewDecoder(r.Body)
	if open, err := d.Token(); err != nil {
		return nil, jsonError(err)
	} else if open != json.Delim('[') {
		return nil, badRequest("the body is not a JSON array of pairs")
	}
	now := r.api.cfg.Now()
	var writes []write
	for n := 1; d.More(); n++ {
		if n > maxBulk {
			return nil, badRequest("there are more than %d pairs, which is the limit", maxBulk)
		}
		var p pairJSON
		if err := d.Decode(&p); err != nil {
			return nil, jsonError(err)
		}
		w, err := p.check(now)
		if err != nil {
			return nil, atEntry(n, err)
		}
		writes = append(writes, w)
	}
	if _, err := d.Token(); errors.Is(err, io.EOF) {
		return nil, jsonError(io.ErrUnexpectedEOF)
	} else if err != nil {
		return nil, jsonError(err)
	}
	return lastOfEach(writes), nil
}

// lastOfEach drops what a later pair of the same key overwrites, because writes
// go out in no order.
func lastOfEach(writes []write) []write {
	last := make(map[string]int, len(writes))
	for i, w := range writes {
		last[w.key] = i
	}
	kept := writes[:0]
	for i, w := range writes {
		if last[w.key] == i {
			kept = append(kept, w)
		}
	}
	return kept
}

// atEntry says which entry of a body an error is about.
func atEntry(n int, err error) error {
	if e, ok := errors.AsType[*kv.LimitError](err); ok {
		return &kv.LimitError{Status: e.Status, Msg: fmt.Sprintf("%s (entry %d)", e.Msg, n)}
	}
	return badRequest("%v (entry %d)", err, n)
}

// each does n things, several at a time, and answers how many were done.
func (r *request) each(n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(r.Context())
	group.SetLimit(bulkWriters)
	var count atomic.Int64
	for i := range n {
		group.Go(func() error {
			if err := do(ctx, i); err != nil {
				return err
			}
			count.Add(1)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("%d of %d keys done: %w", count.Load(), n, err)
	}
	return r.ok(map[string]any{"successful_key_count": n, "unsuccessful_keys": []string{}})
}

func deleteBulk(r *request) error {
	store, err := r.entries()
	if err != nil {
		return err
	}
	done, err := r.hold(maxBulkBody)
	if err != nil {
		return err
	}
	defer done()
	var keys []string
	if err := r.readJSON(maxBulkBody, &keys); err != nil {
		return err
	}
	if len(keys) > maxBulk {
		return badRequest("there are %d keys; at most %d are allowed", len(keys), maxBulk)
	}
	for i, key := range keys {
		if err := kv.CheckKey(key); err != nil {
			return atEntry(i+1, err)
		}
	}
	return r.each(len(keys), func(ctx context.Context, i int) error {
		return store.Delete(ctx, keys[i], kv.DeleteOptions{})
	})
}

// getBulk reads keys that together are no longer than one value may be.
func getBulk(r *request) error {
	store, err := r.entries()
	if err != nil {
		return err
	}
	in, err := r.readBulkGet()
	if err != nil {
		return err
	}
	values, size := map[string]any{}, 0
	for i, key := range in.Keys {
		if err := kv.CheckKey(key); err != nil {
			return atEntry(i+1, err)
		}
		e, err := store.Get(r.Context(), key)
		if errors.Is(err, kv.ErrNotFound) {
			values[key] = nil
			continue
		}
		if err != nil {
			return err
		}
		if size += len(e.Value); size > kv.UserMaxValue {
			return kv.CheckValue(int64(size))
		}
		if values[key], err = bulkValue(e, in.Type, in.WithMetadata); err != nil {
			return err
		}
	}
	return r.ok(map[string]any{"values": values})
}

type bulkGet struct {
	Keys         []string `json:"keys"`
	Type         string   `json:"type"`
	WithMetadata bool     `json:"withMetadata"`
}

func (r *request) readBulkGet() (in bulkGet, err error) {
	switch err = r.readJSON(maxJSON, &in); {
	case err != nil:
		return in, err
	case len(in.Keys) == 0 || len(in.Keys) > maxBulkGet:
		return in, badRequest("there are %d keys; 1 to %d are expected", len(in.Keys), maxBulkGet)
	case in.Type != "" && in.Type != "text" && in.Type != "json":
		return in, badRequest("type is %q; text or json is expected", in.Type)
	}
	return in, nil
}

// bulkValue is an entry as bulk reads show it.
func bulkValue(e kv.Entry, kind string, withMetadata bool) (any, error) {
	var value any = string(e.Value)
	if kind == "json" {
		if !json.Valid(e.Value) {
			return nil, badRequest("the value of key %q is not JSON", e.Key)
		}
		value = json.RawMessage(e.Value)
	}
	if !withMetadata {
		return value, nil
	}
	shown := map[string]any{"value": value, "metadata": jsonOrNil(e.Metadata)}
	if !e.Expires.IsZero() {
		shown["expiration"] = e.Expires.Unix()
	}
	return shown, nil
}
