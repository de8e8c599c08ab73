package mayflytest

import (
	"errors"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// ErrKV is what RunKV returns, with the reason, when the handler failed.
var ErrKV = errors.New("the event of a KV trigger failed")

// RunKV runs the handler that mayfly.HandleKV registered last with a change, as a KV
// trigger does, and then what it gave to mayfly.WaitUntil. Without Attempt it is the
// first, and without Time it is now; Size is that of Value unless it is Omitted.
func (n *Node) RunKV(change mayfly.KVEvent) error {
	e := &kvEvent{event: n.newEvent("/__kv"), change: change}
	return e.run(func() { host.InvokeKV(e) }, ErrKV)
}

// kvEvent is the event of a KV trigger.
type kvEvent struct {
	*event
	change mayfly.KVEvent
}

func (e *kvEvent) Change() (host.ChangeHead, error) {
	c := e.change
	if c.Time.IsZero() {
		c.Time = time.Now()
	}
	if !c.Omitted {
		c.Size = int64(len(c.Value))
	}
	head := host.ChangeHead{Deleted: c.Deleted, Omitted: c.Omitted, Attempt: max(1, c.Attempt), Revision: c.Revision, OldRevision: c.OldRevision,
		Size: c.Size, Time: c.Time.UnixMilli(), Namespace: c.Namespace, Binding: c.Binding, Key: c.Key, Metadata: c.Metadata}
	if !c.Expires.IsZero() {
		head.Expires = c.Expires.Unix()
	}
	return head, nil
}

func (e *kvEvent) ChangeValue() ([]byte, error) { return e.change.Value, nil }
