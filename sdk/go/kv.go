package mayfly

import (
	"iter"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// Namespace is a KV namespace.
type Namespace struct {
	binding string
	strong  bool
}

// KV returns the namespace that the configuration binds to a name:
//
//	[[kv_namespaces]]
//	binding = "COUNTER"
//
// If there is no such binding, each operation fails with [ErrDenied]. The result
// may be kept in a package variable.
func KV(binding string) Namespace { return Namespace{binding: binding} }

// Strong returns the same namespace with strongly consistent reads: Get, List and Page
// ask the cluster, and see every write that any node has acknowledged before. If it
// can't be reached, they fail with [ErrUnavailable]. Those of n itself are of the
// node's own copy, which is behind writes of other nodes by as long as a message takes.
// On a node without a cluster there is no difference. Writes are the same by both.
func (n Namespace) Strong() Namespace {
	n.strong = true
	return n
}

// Entry is a key with what is stored under it.
type Entry struct {
	Key      string
	Value    []byte    // nil in a listing
	Metadata []byte    // JSON, or nil
	Expires  time.Time // zero for never
	Revision int64     // identifies this write; 0 in the zero Entry only
}

// Get reads a key. If there is none, the error is [ErrNotFound] and the Entry is
// zero, whose revision of 0 lets [IfRevision] write a key that isn't there yet.
func (n Namespace) Get(key string) (Entry, error) {
	ns, err := host.OpenKV(n.binding, n.strong)
	if err != nil {
		return Entry{}, n.unopened(err)
	}
	e, err := ns.Get(key)
	if err != nil {
		return Entry{}, fail("kv get", err)
	}
	return entry(e), nil
}

// Put writes a key, of at most 512 bytes, with a value of at most 25 MiB, and
// returns the revision of this write. Keys written without [TTL] or [ExpireAt]
// stay, and without [Metadata] have none.
func (n Namespace) Put(key string, value []byte, options ...WriteOption) (revision int64, err error) {
	ns, err := host.OpenKV(n.binding, n.strong)
	if err != nil {
		return 0, n.unopened(err)
	}
	revision, err = ns.Put(key, value, write(options))
	return revision, fail("kv put", err)
}

// Delete removes a key. Of the options, only [IfRevision] means something here.
// Removing a key that isn't there is no error.
func (n Namespace) Delete(key string, options ...WriteOption) error {
	ns, err := host.OpenKV(n.binding, n.strong)
	if err != nil {
		return n.unopened(err)
	}
	return fail("kv delete", ns.Delete(key, write(options)))
}

// List goes through the keys that begin with prefix, in the order of their
// bytes, without their values. An error is the last thing it yields. It reads
// 1,000 keys at a time; use [Namespace.Page] to go on in another request.
func (n Namespace) List(prefix string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		cursor := ""
		for {
			entries, next, err := n.Page(prefix, cursor, 1000)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			cursor = next
		}
	}
}

// Page reads up to limit keys, 1 to 1,000, that begin with prefix and follow the
// cursor of the page before: "" for the first. The next cursor is "" if nothing
// follows.
func (n Namespace) Page(prefix, cursor string, limit int) (entries []Entry, next string, err error) {
	ns, err := host.OpenKV(n.binding, n.strong)
	if err != nil {
		return nil, "", n.unopened(err)
	}
	listed, next, err := ns.List(prefix, cursor, limit)
	if err != nil {
		return nil, "", fail("kv list", err)
	}
	for _, e := range listed {
		entries = append(entries, entry(e))
	}
	return entries, next, nil
}

// unopened keeps a missing binding apart from a missing key, both of which are
// not found to the node.
func (n Namespace) unopened(err error) error {
	return fail("open kv namespace "+n.binding, unbound(err))
}

func entry(e host.Entry) Entry {
	out := Entry{Key: e.Key, Value: e.Value, Revision: e.Revision}
	if len(e.Metadata) > 0 {
		out.Metadata = e.Metadata
	}
	if e.Expires != 0 {
		out.Expires = time.Unix(e.Expires, 0)
	}
	return out
}

// WriteOption changes how a key is written.
type WriteOption func(*host.Write)

// TTL lets the key expire after d, in whole seconds rounded up, at least one.
func TTL(d time.Duration) WriteOption {
	return func(w *host.Write) {
		w.Expires = int64(max(1, (d+time.Second-1)/time.Second))
		w.Relative = true
	}
}

// ExpireAt lets the key expire at t, in whole seconds.
func ExpireAt(t time.Time) WriteOption {
	return func(w *host.Write) { w.Expires, w.Relative = t.Unix(), false }
}

// Metadata stores JSON of up to 1,024 bytes beside the value.
func Metadata(json []byte) WriteOption {
	return func(w *host.Write) { w.Metadata = json }
}

// IfRevision writes only if the key's revision is still this one, and otherwise
// fails with [ErrConflict]. Revision 0 stands for a key that isn't there.
func IfRevision(revision int64) WriteOption {
	return func(w *host.Write) { w.Revision, w.Compare = revision, true }
}

func write(options []WriteOption) (w host.Write) {
	for _, o := range options {
		o(&w)
	}
	return w
}
