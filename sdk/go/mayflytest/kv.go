package mayflytest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// KV is a namespace in memory.
type KV struct {
	// BeforePut, if set, is called before the handler writes a key: a test can
	// write first and so play another request.
	BeforePut func(key string)

	// Unreachable, if set, has reads by [mayfly.Namespace.Strong] fail with
	// mayfly.ErrUnavailable, as on a node that can't reach its cluster.
	Unreachable bool

	mu       sync.Mutex // guards the fields below
	entries  map[string]host.Entry
	revision int64
}

// Get returns the value of a key and whether there is one.
func (kv *KV) Get(key string) (string, bool) {
	e, ok := kv.get(key)
	return string(e.Value), ok
}

// Put writes a key that stays.
func (kv *KV) Put(key, value string) {
	kv.put(key, []byte(value), host.Write{})
}

// Keys returns all keys in order.
func (kv *KV) Keys() []string {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	kv.expire()
	return slices.Sorted(maps.Keys(kv.entries))
}

func (kv *KV) get(key string) (host.Entry, bool) {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	kv.expire()
	e, ok := kv.entries[key]
	e.Value = slices.Clone(e.Value)
	return e, ok
}

func (kv *KV) put(key string, value []byte, w host.Write) (int64, error) {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	kv.expire()
	if w.Compare && kv.entries[key].Revision != w.Revision {
		return 0, &host.Error{Code: host.Conflict}
	}
	if w.Relative {
		w.Expires += time.Now().Unix()
	}
	kv.revision++
	kv.entries[key] = host.Entry{
		Key: key, Value: slices.Clone(value), Metadata: slices.Clone(w.Metadata),
		Revision: kv.revision, Expires: w.Expires,
	}
	return kv.revision, nil
}

// expire removes what is over. kv.mu is held.
func (kv *KV) expire() {
	now := time.Now().Unix()
	maps.DeleteFunc(kv.entries, func(_ string, e host.Entry) bool {
		return e.Expires != 0 && e.Expires <= now
	})
}

// namespace is a KV as the handler sees it, with a node's checks.
type namespace struct {
	*KV
	strong bool
}

// reachable is checked by reads.
func (n namespace) reachable() error {
	if n.strong && n.Unreachable {
		return &host.Error{Code: host.Unavailable, Message: "the cluster can't be reached"}
	}
	return nil
}

func (n namespace) Get(key string) (host.Entry, error) {
	if err := checkKey(key); err != nil {
		return host.Entry{}, err
	}
	if err := n.reachable(); err != nil {
		return host.Entry{}, err
	}
	e, ok := n.get(key)
	if !ok {
		return e, &host.Error{Code: host.NotFound}
	}
	return e, nil
}

func (n namespace) Put(key string, value []byte, w host.Write) (int64, error) {
	if err := checkWrite(key, value, w); err != nil {
		return 0, err
	}
	if n.BeforePut != nil {
		n.BeforePut(key)
	}
	return n.put(key, value, w)
}

func (n namespace) Delete(key string, w host.Write) error {
	if err := checkKey(key); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.expire()
	if w.Compare && n.entries[key].Revision != w.Revision {
		return &host.Error{Code: host.Conflict}
	}
	delete(n.entries, key)
	return nil
}

// List uses the last key of a page as cursor.
func (n namespace) List(prefix, cursor string, limit int) ([]host.Entry, string, error) {
	if limit < 1 || limit > 1000 {
		return nil, "", &host.Error{Code: host.Invalid, Message: "limit must be 1 to 1000"}
	}
	if err := n.reachable(); err != nil {
		return nil, "", err
	}
	var page []host.Entry
	for _, key := range n.Keys() {
		if !strings.HasPrefix(key, prefix) || key <= cursor {
			continue
		}
		if len(page) == limit {
			return page, page[limit-1].Key, nil
		}
		if e, ok := n.get(key); ok {
			e.Value = nil
			page = append(page, e)
		}
	}
	return page, "", nil
}

func checkKey(key string) error {
	if key == "" {
		return &host.Error{Code: host.Invalid, Message: "key is empty"}
	}
	if len(key) > 512 {
		return &host.Error{Code: host.TooLarge, Message: "key is longer than 512 bytes"}
	}
	return nil
}

func checkWrite(key string, value []byte, w host.Write) error {
	switch {
	case len(value) > 25<<20:
		return &host.Error{Code: host.TooLarge, Message: "value is larger than 25 MiB"}
	case len(w.Metadata) > 1024:
		return &host.Error{Code: host.TooLarge, Message: "metadata is larger than 1,024 bytes"}
	case len(w.Metadata) > 0 && !json.Valid(w.Metadata):
		return &host.Error{Code: host.Invalid, Message: "metadata is not JSON"}
	case !w.Relative && w.Expires != 0 && w.Expires <= time.Now().Unix():
		return &host.Error{Code: host.Invalid, Message: "expiry is in the past"}
	}
	return checkKey(key)
}
