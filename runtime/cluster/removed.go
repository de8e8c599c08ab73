package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// tombstone holds for good: a node of that id does not come back.
type tombstone struct {
	Since  time.Time `json:"since"`
	Server string    `json:"server,omitempty"`
}

// keepEvery is how often it is seen to that who was removed stays out.
const keepEvery = time.Minute

// RemovedError: the node of this data directory was removed from its cluster.
type RemovedError struct{ Since time.Time } // zero: it is not known when

func (e *RemovedError) Error() string {
	when := ""
	if !e.Since.IsZero() {
		when = " on " + e.Since.UTC().Format(time.DateOnly+" 15:04") + " UTC"
	}
	return fmt.Sprintf("this node was removed from its cluster%s, and can't come back: the cluster has all that it had. To have this machine in the cluster, start a node on a new data directory, which gets an id of its own", when)
}

// MayStart is a *RemovedError if this node was removed, as far as the store knows.
func MayStart(ctx context.Context, store kv.Store, id string) error {
	r, there, err := readRemoval(ctx, store, id)
	if err == nil && there {
		return &RemovedError{r.Since}
	}
	return err
}

// Removed reports whether this node was removed.
func (m *Members) Removed() bool { return m.removed.Load() }

func readRemoval(ctx context.Context, store kv.Store, id string) (r tombstone, there bool, err error) {
	e, err := store.Get(ctx, removedRecords+id)
	if errors.Is(err, kv.ErrNotFound) {
		return r, false, nil
	}
	if err == nil {
		err = json.Unmarshal(e.Value, &r)
	}
	if err != nil {
		return r, false, fmt.Errorf("read removal of node: %w", err)
	}
	return r, true, nil
}

func (m *Members) readRemoved(ctx context.Context) error {
	r, there, err := readRemoval(ctx, m.cfg.Store, m.cfg.Self.ID)
	if err != nil || !there || m.removed.Swap(true) {
		return err
	}
	if m.cfg.Removed != nil {
		m.cfg.Removed(r.Since)
	}
	return nil
}

// keepOut takes the servers of nodes out again that were removed and came back: NATS
// makes members of those after a while. Whose server leads does that.
func (m *Members) keepOut(ctx context.Context) {
	for {
		if m.cfg.Servers.Leads() {
			err := m.keys(ctx, removedRecords, func(key string) { m.keepOutOne(ctx, strings.TrimPrefix(key, removedRecords)) })
			if err != nil && ctx.Err() == nil {
				m.cfg.Logger.Error("it is not known which nodes were removed", "err", err)
			}
		}
		select {
		case <-time.After(keepEvery):
		case <-ctx.Done():
			return
		}
	}
}

func (m *Members) keepOutOne(ctx context.Context, id string) {
	if id == m.cfg.Self.ID || !m.cfg.Servers.Member(id) {
		return
	}
	err := m.cfg.Servers.Remove(ctx, id)
	if ctx.Err() == nil {
		m.cfg.Logger.Warn("the NATS server of a node that was removed is in the cluster, and is taken out again: stop that node", "node", id, "err", err)
	}
}
