package mayfly

import (
	"time"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// KVEvent is a change of a key: one write, or one removal. That a key expires is no
// event.
type KVEvent struct {
	Namespace string // id
	Binding   string // the name by which the Function has the namespace; empty if it has not
	Key       string
	Deleted   bool // the key was removed
	// Revision is that of the change, and OldRevision that of the entry before; 0 if there
	// was none.
	Revision, OldRevision int64
	Value                 []byte // nil if the key was removed, or with Omitted
	// Omitted: the value, of Size bytes, is too large for an event. Read it from a
	// Namespace, where later changes show as well.
	Omitted  bool
	Size     int64
	Metadata []byte    // JSON, or nil
	Expires  time.Time // zero for never
	Time     time.Time // of the change
	Attempt  int       // how often this change was delivered, this time included
}

// HandleKV registers the handler of KV triggers. Call it from func init, as Handle. The
// last call counts. The changes of one key come in order, each one again until the
// handler has returned nil for it, or the trigger gives up. An error goes to the log.
// What the handler gave to WaitUntil runs after it.
func HandleKV(h func(*KVEvent) error) {
	host.HandleKV(func() {
		e, err := kvEvent()
		if err == nil {
			err = h(e)
		}
		if err != nil {
			failEvent(err)
		}
	})
}

func kvEvent() (*KVEvent, error) {
	c, err := host.Change()
	if err != nil {
		return nil, fail("kv event", err)
	}
	e := &KVEvent{Namespace: c.Namespace, Binding: c.Binding, Key: c.Key, Deleted: c.Deleted, Revision: c.Revision, OldRevision: c.OldRevision,
		Omitted: c.Omitted, Size: c.Size, Time: time.UnixMilli(c.Time).UTC(), Attempt: c.Attempt}
	if len(c.Metadata) > 0 {
		e.Metadata = c.Metadata
	}
	if c.Expires != 0 {
		e.Expires = time.Unix(c.Expires, 0).UTC()
	}
	if !e.Deleted && !e.Omitted {
		e.Value, err = host.ChangeValue()
	}
	return e, fail("kv event", err)
}
