package kv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// MaxLoggedValue is the longest value that is kept with a Change, in bytes.
const MaxLoggedValue = 128 << 10

// ChangeRule has a Store keep a record of each change of the keys below a prefix.
type ChangeRule struct {
	Prefix string        // of the keys
	Log    string        // prefix of the records' keys; it begins with no rule's Prefix
	Keep   time.Duration // how long a record lives; 0 is for ever
}

// ChangeLogger is a Store that can log changes. A record is an entry like any other:
// it is listed, watched, read and deleted as such, and has the following properties.
//
//   - It is written in one step with the change: whatever happens, both are there or
//     none, and who has listed the record, or has its event, reads the entry as it is
//     since the change, or since a later one. A change that several rules are about has
//     a record for each.
//   - Its key is the rule's Log and a name that comes, in the order of bytes, after
//     those of earlier changes of the same key that are still there.
//   - ChangeOf reads it.
//
// Neither expiry, nor the removal of a key that is absent, is a change.
type ChangeLogger interface {
	// LogChanges replaces the rules. Writes that begin on this node after it returned
	// are logged by the new ones. A node gives them again after each start, before
	// anything is written: a Store keeps them only for writes that it was given before,
	// and that it sends after a start.
	LogChanges(ctx context.Context, rules []ChangeRule) error
}

// LogChanges is ChangeLogger's, or errors.ErrUnsupported if s is none.
func LogChanges(ctx context.Context, s Store, rules []ChangeRule) error {
	if l, ok := s.(ChangeLogger); ok {
		return l.LogChanges(ctx, rules)
	}
	return fmt.Errorf("store without a log of changes: %w", errors.ErrUnsupported)
}

// Change is what a record says of one write, or one removal, of a key.
type Change struct {
	Key     string
	Deleted bool
	// Revision is that of the change, and OldRevision that of the live entry which it
	// replaced, 0 if there was none.
	Revision, OldRevision uint64
	// Value is what was written, unless it is longer than MaxLoggedValue: then it is
	// Omitted. Size is how long it is.
	Value    []byte
	Omitted  bool
	Size     int64
	Metadata []byte
	Expires  time.Time // of the entry
	Time     time.Time // by the clock of the store, in milliseconds
	Hops     int       // of the write; see WithHops

	// What follows is for whoever passes the change on, and no matter to a Store.
	Attempts int
	Next     time.Time // of the next attempt
	Error    string    // of the last one
}

// ChangeFrom describes a write of e, without its value, to a log. remove says that the
// key is removed.
func ChangeFrom(ctx context.Context, e Entry, old uint64, remove bool, now time.Time) Change {
	c := Change{Key: e.Key, Deleted: remove, Revision: e.Revision, OldRevision: old, Time: time.UnixMilli(now.UnixMilli()), Hops: Hops(ctx)}
	if remove {
		return c
	}
	c.Metadata, c.Expires, c.Size = e.Metadata, e.Expires, int64(len(e.Value))
	if c.Omitted = len(e.Value) > MaxLoggedValue; !c.Omitted {
		c.Value = e.Value
	}
	return c
}

// changeHead is a Change in the metadata of its record, so that a listing has it. The
// names are part of what is stored.
type changeHead struct {
	_           struct{} `cbor:",toarray"`
	Format      int
	Key         []byte // which need not be UTF-8
	Deleted     bool
	Revision    uint64 // 0: see After
	After       uint64 // how much more it is than the record's own
	OldRevision uint64
	Omitted     bool
	Size        int64
	Expires     int64 // milliseconds since 1970; 0 is never
	Time        int64
	Hops        int
	Attempts    int
	Next        int64
	Error       []byte
}

const changeFormat = 1

// maxChangeError is how much of Change.Error is kept, in bytes.
const maxChangeError = 2 << 10

// Record is the entry of a Change, without a key: its value, and its metadata. after is
// for a Store that does not know Revision beforehand, but that it is so much more than
// the revision of the record; else it is 0.
func (c Change) Record(after uint64) (value, metadata []byte, err error) {
	h := changeHead{Format: changeFormat, Key: []byte(c.Key), Deleted: c.Deleted, Revision: c.Revision, After: after, OldRevision: c.OldRevision, Omitted: c.Omitted, Size: c.Size,
		Expires: millisOf(c.Expires), Time: millisOf(c.Time), Hops: c.Hops, Attempts: c.Attempts, Next: millisOf(c.Next), Error: []byte(c.Error[:min(len(c.Error), maxChangeError)])}
	if after > 0 {
		h.Revision = 0
	}
	if metadata, err = cbor.Marshal(&h); err != nil {
		return nil, nil, fmt.Errorf("write change: %w", err)
	}
	value = binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen64+len(c.Metadata)+len(c.Value)), uint64(len(c.Metadata)))
	value = append(append(value, c.Metadata...), c.Value...)
	return value, metadata, nil
}

// ChangeOf reads a record; of one from a listing, Value and Metadata are missing. The
// slices are parts of e.Value. The error wraps ErrCorrupt.
func ChangeOf(e Entry) (Change, error) {
	var h changeHead
	if err := cbor.Unmarshal(e.Metadata, &h); err != nil {
		return Change{}, fmt.Errorf("change %q: %w: %w", e.Key, err, ErrCorrupt)
	}
	if h.Format != changeFormat {
		return Change{}, fmt.Errorf("change %q: format %d is not of this version: %w", e.Key, h.Format, ErrCorrupt)
	}
	c := Change{Key: string(h.Key), Deleted: h.Deleted, Revision: h.Revision, OldRevision: h.OldRevision, Omitted: h.Omitted, Size: h.Size,
		Expires: timeOf(h.Expires), Time: timeOf(h.Time), Hops: h.Hops, Attempts: h.Attempts, Next: timeOf(h.Next), Error: string(h.Error)}
	if h.After > 0 {
		c.Revision = e.Revision + h.After
	}
	if len(e.Value) == 0 {
		return c, nil
	}
	n, used := binary.Uvarint(e.Value)
	if used <= 0 || n > uint64(len(e.Value)-used) {
		return Change{}, fmt.Errorf("change %q: the value is cut off: %w", e.Key, ErrCorrupt)
	}
	rest := e.Value[used:]
	if n > 0 {
		c.Metadata = rest[:n:n]
	}
	if len(rest) > int(n) {
		c.Value = rest[n:]
	}
	return c, nil
}

func millisOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func timeOf(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis)
}

type hopsKey struct{}

// WithHops says that what is written comes from n changes in a row, each of which made
// somebody write the next one. So loops are found.
func WithHops(ctx context.Context, n int) context.Context {
	if n == 0 {
		return ctx
	}
	return context.WithValue(ctx, hopsKey{}, n)
}

// Hops is what WithHops said; 0 where nobody did.
func Hops(ctx context.Context) int {
	n, _ := ctx.Value(hopsKey{}).(int)
	return n
}
