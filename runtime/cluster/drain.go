package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// drain says that a node is to take no new work. It holds until it is removed, over
// restarts of the node too: who takes a node out for maintenance wants it to stay
// out until they have looked at it.
type drain struct {
	Since time.Time `json:"since"`
}

// Drained reports whether this node is to take no new work.
func (m *Members) Drained() bool { return m.drained.Load() }

// Drain has a node take no new work, until Resume. The node may be away; then it is
// drained when it comes back. Draining again changes nothing.
func (m *Members) Drain(ctx context.Context, id string) error {
	if err := m.know(ctx, id); err != nil {
		return err
	}
	data, err := json.Marshal(drain{time.Now().UTC().Truncate(time.Millisecond)})
	if err != nil {
		return err
	}
	_, err = m.cfg.Store.Put(ctx, drainRecords+id, data, kv.PutOptions{If: kv.IfRevision(0), Frees: true})
	if err != nil && !errors.Is(err, kv.ErrConflict) {
		return fmt.Errorf("drain node: %w", err)
	}
	return m.readDrain(ctx)
}

// Resume ends Drain. It may be of a node that is not there any more.
func (m *Members) Resume(ctx context.Context, id string) error {
	_, err := m.cfg.Store.Get(ctx, drainRecords+id)
	if errors.Is(err, kv.ErrNotFound) {
		return m.know(ctx, id)
	}
	if err == nil {
		err = m.cfg.Store.Delete(ctx, drainRecords+id, kv.DeleteOptions{})
	}
	if err != nil {
		return fmt.Errorf("resume node: %w", err)
	}
	return m.readDrain(ctx)
}

// know is an error if there is no such node.
func (m *Members) know(ctx context.Context, id string) error {
	if id == m.cfg.Self.ID {
		return nil
	}
	err := kv.ErrNotFound
	if m.cfg.Shared && len(id) < 64 {
		_, err = m.cfg.Store.Get(ctx, nodeRecords+id)
	}
	if errors.Is(err, kv.ErrNotFound) {
		return unknown(id)
	}
	return err
}

func unknown(id string) error {
	return host.Errorf(host.CodeNotFound, "there is no node %q; 'mayfly nodes' lists those there are", id)
}

// follow reads again whenever a record of this node changed. A store that is closed ends
// it.
func (m *Members) follow(ctx context.Context, w kv.Watcher, records string, read func(context.Context) error) {
	defer func() { w.Close() }()
	for {
		_, err := w.Next(ctx)
		if errors.Is(err, kv.ErrLagged) {
			w.Close()
			w, err = m.cfg.Store.Watch(ctx, records+m.cfg.Self.ID)
		}
		if err != nil {
			return
		}
		if err := read(ctx); err != nil && ctx.Err() == nil {
			m.cfg.Logger.Error("it is not known whether this node is to be in service", "err", err)
		}
	}
}

func (m *Members) readDrain(ctx context.Context) error {
	m.reading.Lock()
	defer m.reading.Unlock()
	_, err := m.cfg.Store.Get(ctx, drainRecords+m.cfg.Self.ID)
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return fmt.Errorf("read drain: %w", err)
	}
	drained := err == nil
	if m.drained.Swap(drained) != drained {
		m.cfg.Logger.Info("the node changes what work it takes", "draining", drained)
		if m.cfg.Drained != nil {
			m.cfg.Drained(drained)
		}
	}
	return nil
}
