// Package kv owns the persistence contracts of Mayfly: Store, an ordered map of
// keys to entries, Blobs, immutable bytes under their digest, and Queues, messages
// that are delivered until they are acknowledged. Everything durable goes through
// these three; no other package opens a database.
//
// Start reading at Store. Implementations live in the folders below and each
// passes the conformance kit in kvtest, or queuetest. Key, value and metadata rules that
// users meet (Cloudflare's) are in limits.go; a Store itself takes any bytes
// within MaxKey, MaxValue and MaxMetadata, so that the node can keep its own
// records beside user data.
package kv

import (
	"context"
	"errors"
	"time"
)

// What every Store takes, in bytes. A key has at least one byte.
const (
	MaxKey      = 4096
	MaxValue    = 26 << 20 // a little more than users may write
	MaxMetadata = 16 << 10
)

// Errors on which callers branch. Implementations return them wrapped.
var (
	// ErrNotFound: no live entry has this key.
	ErrNotFound = errors.New("key not found")
	// ErrConflict: the entry's revision is not the one the caller compared with.
	ErrConflict = errors.New("revision conflict")
	// ErrCorrupt: the stored bytes do not match their checksum. Nothing of the
	// entry is returned.
	ErrCorrupt = errors.New("entry is corrupt")
	// ErrSize: a key is empty, or a key, value or metadata is longer than a Store
	// takes.
	ErrSize = errors.New("size out of range")
	// ErrCursor: a cursor was not made by List with this prefix.
	ErrCursor = errors.New("invalid list cursor")
	// ErrLagged: a watcher was too slow and has missed events; list again.
	ErrLagged = errors.New("watcher lagged behind")
	// ErrNoSpace: the write was refused, because the disk is nearly full. Nothing
	// was stored; reads and deletions go on.
	ErrNoSpace = errors.New("no space left for writes")
	// ErrUnavailable: the cluster that takes writes can't be reached. Reads go on;
	// a write may have been done all the same if it was under way.
	ErrUnavailable = errors.New("cluster is unavailable")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store is closed")
)

// Entry is one stored key with everything known about it.
type Entry struct {
	Key      string
	Value    []byte // nil in listings
	Metadata []byte // opaque to the store; JSON where users write it
	// Revision identifies this write. Revisions of one store grow with every
	// write, are never reused (deleting a key and writing it again included),
	// and are greater than zero.
	Revision uint64
	// Expires is when the entry stops existing, in whole milliseconds; zero
	// means never. It is a time of the store's clock and not a duration: while
	// that clock is ahead, what has expired by it is hidden and may be cleaned up
	// for good; while it is behind, everything lives so much longer. No jump changes values, revisions, or what does not expire.
	Expires time.Time
}

// ExpiredAt reports whether the entry no longer exists at now.
func (e Entry) ExpiredAt(now time.Time) bool {
	return !e.Expires.IsZero() && !e.Expires.After(now)
}

// AnyRevision is the zero Condition: the write happens whatever is stored.
var AnyRevision = Condition{}

// Condition says which revision a write compares with.
type Condition struct {
	compare  bool
	revision uint64
}

// IfRevision lets a write happen only if the live entry has this revision;
// revision 0 means that there must be no live entry.
func IfRevision(revision uint64) Condition { return Condition{compare: true, revision: revision} }

// Holds reports whether a live entry's revision (0 if there is none) satisfies c.
func (c Condition) Holds(revision uint64) bool { return !c.compare || c.revision == revision }

// Revision is what a live entry's revision is compared with, if it is.
func (c Condition) Revision() (revision uint64, compares bool) { return c.revision, c.compare }

// PutOptions qualify a write.
type PutOptions struct {
	Metadata []byte
	Expires  time.Time // zero: never; a time that has passed removes the key
	If       Condition
	// Frees says that the write leads to deletions, such as a mark on what is to
	// be removed: it is let through as they are when there is ErrNoSpace.
	Frees bool
}

// DeleteOptions qualify a removal.
type DeleteOptions struct {
	If Condition
}

// DefaultLimit is how many entries a page has when the caller sets no limit.
const DefaultLimit = 1000

// ListOptions select the keys of a listing.
type ListOptions struct {
	Prefix string // only keys that begin with it
	Cursor string // Page.Cursor of the page before; empty: from the beginning
	Limit  int    // most entries in the page; 0 means DefaultLimit
}

// Page is one page of a listing, ordered by the bytes of the keys.
type Page struct {
	Entries []Entry // without values
	Cursor  string  // empty when the listing is complete
}

// Event is one change that a watcher sees.
type Event struct {
	Entry   Entry // Value and Metadata are shared: read only
	Deleted bool  // then only Entry.Key and Entry.Revision are set
}

// Watcher delivers the changes under a prefix, those of one key in the order
// of their revisions. Neither expiry nor removing an absent key is an event.
type Watcher interface {
	// Next returns the next event. It waits until there is one, ctx ends
	// (ctx.Err()), the watcher falls too far behind (ErrLagged; the watcher is
	// then finished), or the watcher or its store is closed (ErrClosed). Events
	// not yet delivered are dropped in the last two cases.
	Next(ctx context.Context) (Event, error)
	// Close ends the watch. It may be called more than once.
	Close() error
}

// Store is an ordered map of keys to entries. All methods may be called
// concurrently. A write that returned nil is durable as far as the
// implementation promises, and visible to every later read of the same Store.
// Returned slices belong to the caller; slices passed in are not kept. No
// method retries; a caller that got ErrConflict reads again. A context that
// ended stops a call before it changes anything (ctx.Err()). Methods that take
// a key or a prefix return ErrSize for one out of range, and after Close
// ErrClosed.
type Store interface {
	// Get returns the live entry of key, or ErrNotFound, or ErrCorrupt. An empty
	// value or metadata is nil.
	Get(ctx context.Context, key string) (Entry, error)
	// Put writes an entry and returns its revision, or ErrConflict. Over a
	// corrupt entry an unconditional Put succeeds; a conditional one is ErrCorrupt.
	Put(ctx context.Context, key string, value []byte, opts PutOptions) (revision uint64, err error)
	// Delete removes a key, or returns ErrConflict. Removing a key that does
	// not exist is no error.
	Delete(ctx context.Context, key string, opts DeleteOptions) error
	// List returns one page, or ErrCursor, or ErrCorrupt with the name of a key
	// whose entry is damaged (values are not read and so not checked). A page is
	// consistent in itself; pages after one another see later writes.
	List(ctx context.Context, opts ListOptions) (Page, error)
	// Watch delivers changes made after it returned; ctx is for this call only.
	// The caller closes the Watcher.
	Watch(ctx context.Context, prefix string) (Watcher, error)
	// Close waits for what is under way and releases the store. Closing again
	// does nothing.
	Close() error
}
