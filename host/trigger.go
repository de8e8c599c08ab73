package host

import (
	"slices"
	"time"
)

// Trigger is what started an Invocation.
type Trigger uint8

const (
	TriggerHTTP    Trigger = iota
	TriggerService         // a call by another Function
	TriggerCron            // a schedule; Call.Scheduled is set
	TriggerInvoke          // the control API
	TriggerKV              // a change of a key; Call.Change is set
	TriggerQueue           // a queue; Call.Queue is set
	Triggers               // how many there are
)

var triggerNames = [Triggers]string{"http", "service", "cron", "invoke", "kv", "queue"}

// String is the name that logs show.
func (t Trigger) String() string { return triggerNames[t] }

// TriggerNamed is the Trigger that has this name, if any has.
func TriggerNamed(name string) (t Trigger, ok bool) {
	i := slices.Index(triggerNames[:], name)
	return Trigger(max(i, 0)), i >= 0
}

// Scheduled is the event of a schedule: a minute that a cron expression means.
type Scheduled struct {
	Cron string    // as it was written
	Time time.Time // when the event was due
}

// KVChange is the event of a KV trigger: one write, or one removal, of one key.
// Nothing of it is changed, and the slices are shared.
type KVChange struct {
	Namespace string // id
	Binding   string // by which the Version has that namespace; empty if it has not
	Key       string
	Deleted   bool // the key was removed; expiry is no event
	// Revision is that of the change, and OldRevision that of the entry which it
	// replaced, 0 if there was none. Those of one key come in the order of Revision.
	Revision, OldRevision uint64
	// Value is what was written. One of more than kv.MaxLoggedValue bytes is Omitted,
	// and can be read through a binding, where later changes show as well.
	Value    []byte
	Omitted  bool
	Size     int64  // bytes of the value
	Metadata []byte // JSON; nil if there is none
	Expires  time.Time
	Time     time.Time // of the change, by the clock of the node that made it
	Attempt  int       // 1 is the first
}
