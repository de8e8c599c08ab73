package js

import (
	gobytes "bytes"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/kv"
)

var kvOps = []operation{
	{"opKVGet", kvGet},
	{"opKVGetAll", kvGetAll},
	{"opKVPut", kvPut},
	{"opKVDelete", kvDelete},
	{"opKVList", kvList},
	{"opKVMetadata", kvMetadata},
}

// kvStart counts an operation of a KV namespace and begins it.
func (q *query) kvStart(name string, work func(ctx context.Context, j *job)) (kind, error) {
	return q.storeStart("kv", name, q.StartInStore, work)
}

// storeStart counts an operation of a store and begins it. Those of queues count as
// those of KV.
func (q *query) storeStart(store, name string, begin starter, work func(ctx context.Context, j *job)) (kind, error) {
	if err := q.MayOperate(); err != nil {
		return 0, err
	}
	if err := q.Handles.Room(); err != nil {
		return 0, err
	}
	q.Usage.KVOperations++
	q.Work(host.KVWeight)
	ended := q.Watch(host.Operation{Kind: store, Name: name})
	return q.start(begin, func(ctx context.Context, j *job) {
		work(ctx, j)
		ended(0, j.err)
	})
}

// namespace is the store that is bound to a name.
func (q *query) namespace(binding string) (kv.Store, error) {
	store, ok := q.Bindings.KV[binding]
	if !ok {
		return nil, host.Errorf(host.CodeNotFound, "no KV namespace is bound to %.64q", binding)
	}
	return store, nil
}

// maxOptions is for a text with names, keys and options, in bytes.
const maxOptions = 64 << 10

var errLongText = &host.Error{Code: host.CodeTooLarge, Msg: "the key or the options are too long"}

// options decodes text.
func (q *query) options(v any) error { return q.longOptions(v, maxOptions) }

func (q *query) longOptions(v any, most int) error {
	if len(q.text) > most {
		return errLongText
	}
	if err := json.Unmarshal(q.text, v); err != nil {
		return host.Errorf(host.CodeInvalid, "the options are not valid: %v", err)
	}
	return nil
}

// kvTarget reads text: a binding, NUL, and a key.
func (q *query) kvTarget() (store kv.Store, key string, err error) {
	if len(q.text) > maxOptions {
		return nil, "", errLongText
	}
	binding, key, _ := strings.Cut(string(q.text), "\x00")
	if store, err = q.namespace(binding); err != nil {
		return nil, "", err
	}
	return store, key, kv.CheckKey(key)
}

// strongRead is the number with which a read asks for the truth.
const strongRead = 1

func kvGet(q *query) (kind, error) {
	store, key, err := q.kvTarget()
	if err != nil {
		return 0, err
	}
	if q.n == strongRead {
		store = kv.Strong(store)
	}
	var entry kv.Entry
	read := func(ctx context.Context, work func(ctx context.Context)) host.Task {
		return q.ReadInStore(ctx, store, key, func(e kv.Entry, failed error) {
			entry, err = e, failed
			work(ctx)
		})
	}
	return q.storeStart("kv", "get", read, func(_ context.Context, j *job) {
		if j.absent = err != nil && host.CodeOf(err) == host.CodeNotFound; !j.absent {
			j.err = err
		}
		j.value, j.metadata = entry.Value, entry.Metadata
	})
}

// kvMetadata gives the metadata of an entry that was read, as JSON, or null.
func kvMetadata(q *query) (kind, error) {
	j, err := finished(q)
	if err != nil || len(j.metadata) == 0 {
		return null, err
	}
	return q.give(string(j.metadata))
}

// putOptions is what a put has beside its value; times in seconds.
type putOptions struct {
	Binding    string          `json:"binding"`
	Key        string          `json:"key"`
	Expiration *int64          `json:"expiration"`
	TTL        *int64          `json:"expirationTtl"`
	Metadata   json.RawMessage `json:"metadata"`
}

func (o *putOptions) options(g abi.Guest, size int) (opts kv.PutOptions, err error) {
	if err := kv.CheckKey(o.Key); err != nil {
		return opts, err
	}
	if err := kv.CheckValue(int64(size)); err != nil {
		return opts, err
	}
	if err := kv.CheckMetadata(o.Metadata); err != nil {
		return opts, err
	}
	opts.Metadata = o.Metadata
	switch now := g.Services.Now(); {
	case o.TTL != nil:
		opts.Expires, err = kv.ExpireIn(*o.TTL, now, kv.MinTTL)
	case o.Expiration != nil:
		opts.Expires, err = kv.ExpireAt(*o.Expiration, now, kv.MinTTL)
	}
	return opts, err
}

func kvPut(q *query) (kind, error) {
	var o putOptions
	if err := q.options(&o); err != nil {
		return 0, err
	}
	store, err := q.namespace(o.Binding)
	if err != nil {
		return 0, err
	}
	opts, err := o.options(q.Guest, len(q.data))
	if err != nil {
		return 0, err
	}
	size := len(q.data)
	if err := q.Hold(size); err != nil {
		return 0, err
	}
	value := gobytes.Clone(q.data)
	k, err := q.kvStart("put", func(ctx context.Context, j *job) {
		_, j.err = store.Put(ctx, o.Key, value, opts)
		j.call.Release(size)
	})
	if err != nil {
		q.Release(size)
	}
	return k, err
}

func kvDelete(q *query) (kind, error) {
	store, key, err := q.kvTarget()
	if err != nil {
		return 0, err
	}
	return q.kvStart("delete", func(ctx context.Context, j *job) {
		j.err = store.Delete(ctx, key, kv.DeleteOptions{If: kv.AnyRevision})
	})
}

// listing is a page of keys as Workers get it.
type listing struct {
	Keys     []listedKey `json:"keys"`
	Complete bool        `json:"list_complete"`
	Cursor   string      `json:"cursor,omitempty"`
}

type listedKey struct {
	Name       string          `json:"name"`
	Expiration int64           `json:"expiration,omitempty"`
	Metadata   json.RawMessage `json:"metadata,omitempty"`
}

func kvList(q *query) (kind, error) {
	var o struct {
		Binding string `json:"binding"`
		Prefix  string `json:"prefix"`
		Cursor  string `json:"cursor"`
		Limit   int    `json:"limit"`
	}
	if err := q.options(&o); err != nil {
		return 0, err
	}
	store, err := q.namespace(o.Binding)
	if err != nil {
		return 0, err
	}
	if err := kv.CheckListLimit(o.Limit); err != nil {
		return 0, err
	}
	if err := kv.CheckKeyPrefix(o.Prefix); err != nil {
		return 0, err
	}
	opts := kv.ListOptions{Prefix: o.Prefix, Cursor: o.Cursor, Limit: o.Limit}
	return q.kvStart("list", func(ctx context.Context, j *job) {
		page, err := store.List(ctx, opts)
		if j.err = err; err == nil {
			j.value, j.err = json.Marshal(listingOf(page))
		}
	})
}

func listingOf(page kv.Page) listing {
	l := listing{Keys: make([]listedKey, 0, len(page.Entries)), Complete: page.Cursor == "", Cursor: page.Cursor}
	for _, e := range page.Entries {
		l.Keys = append(l.Keys, listedKey{e.Key, unix(e.Expires), e.Metadata})
	}
	return l
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
