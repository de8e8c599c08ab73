package js

import (
	"encoding/json"

	"github.com/mayfly-run/mayfly/host"
)

var changeOps = []operation{
	{"opChange", change},
	{"opChangeValue", changeValue},
}

var errNoChange = &host.Error{Code: host.CodeState, Msg: "this is not the event of a KV trigger"}

// change gives the change of a key that is handled, but for the value, as JSON.
func change(q *query) (kind, error) {
	c := q.Change
	if c == nil {
		return 0, errNoChange
	}
	return q.giveJSON(struct {
		Namespace   string          `json:"namespace"`
		Binding     string          `json:"binding"`
		Key         string          `json:"key"`
		Deleted     bool            `json:"deleted"`
		Omitted     bool            `json:"omitted"`
		Revision    uint64          `json:"revision"`
		OldRevision uint64          `json:"oldRevision"`
		Size        int64           `json:"size"`
		Metadata    json.RawMessage `json:"metadata,omitempty"`
		Expiration  int64           `json:"expiration"` // seconds since 1970; 0 for never
		Time        int64           `json:"time"`       // milliseconds since 1970
		Attempt     int             `json:"attempt"`
	}{c.Namespace, c.Binding, c.Key, c.Deleted, c.Omitted, c.Revision, c.OldRevision, c.Size, c.Metadata, unix(c.Expires), c.Time.UnixMilli(), c.Attempt})
}

// changeValue gives what was written, or null if that is not in the event.
func changeValue(q *query) (kind, error) {
	if q.Change == nil {
		return 0, errNoChange
	}
	if q.Change.Deleted || q.Change.Omitted {
		return null, nil
	}
	return q.giveBytes(q.Change.Value)
}
