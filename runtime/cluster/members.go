package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// beat tells of this node until ctx ends. While the store takes nothing, it goes on
// trying: the others notice.
func (m *Members) beat(ctx context.Context) {
	for failed := false; !m.removed.Load(); {
		every := m.interval(ctx)
		err := m.tell(ctx, every)
		if err != nil && !failed && ctx.Err() == nil {
			m.cfg.Logger.Warn("other nodes can't be told that this one is there; it is tried again", "err", err)
		}
		failed = err != nil
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return
		}
	}
}

// interval grows with the number of nodes, so that all together write no more often
// than manyNodes.
func (m *Members) interval(ctx context.Context) time.Duration {
	page, err := m.cfg.Store.List(ctx, kv.ListOptions{Prefix: nodeRecords, Limit: 10_000})
	if err != nil {
		return beat
	}
	return max(beat, beat*time.Duration(len(page.Entries))/manyNodes)
}

func (m *Members) tell(ctx context.Context, every time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, every)
	defer cancel()
	n := m.self()
	n.Every = every.Milliseconds()
	m.every.Store(n.Every)
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if n.Server != "" && !m.lasting.Load() {
		if _, err := m.cfg.Store.Put(ctx, serverRecords+n.ID, data, kv.PutOptions{}); err != nil {
			return err
		}
		m.lasting.Store(true)
	}
	_, err = m.cfg.Store.Put(ctx, nodeRecords+n.ID, data, kv.PutOptions{Expires: n.Seen.Add(forget)})
	if err == nil {
		m.told.Store(n.Seen.UnixMilli())
	}
	return err
}

// Silent is since when the store takes no writes of this node; zero if it does, as far
// as is known.
func (m *Members) Silent() time.Time {
	if told := time.UnixMilli(m.told.Load()); m.cfg.Shared && time.Since(told) > late(m.every.Load()) {
		return told
	}
	return time.Time{}
}

// self is this node as it is now.
func (m *Members) self() Node {
	n := m.cfg.Self
	n.Format, n.Seen, n.State, n.Load = Format, time.Now().UTC().Truncate(time.Millisecond), Ready, m.cfg.Load()
	if m.drained.Load() {
		n.State = Draining
	}
	return n
}

// List returns the nodes by their ids: this one as it is, and the others as they
// said last. A node that is to be drained is Draining, also before it has heard of
// that. One that ended, and was not removed, is Behind if it has a NATS server.
func (m *Members) List(ctx context.Context) ([]Node, error) {
	all := map[string]Node{m.cfg.Self.ID: m.self()}
	if m.cfg.Shared {
		if err := m.others(ctx, all); err != nil {
			return nil, err
		}
	}
	err := m.keys(ctx, drainRecords, func(key string) {
		id := strings.TrimPrefix(key, drainRecords)
		if n, there := all[id]; there && n.State == Ready {
			n.State = Draining
			all[id] = n
		}
	})
	return slices.SortedFunc(maps.Values(all), func(a, b Node) int { return cmp.Compare(a.ID, b.ID) }), err
}

// others adds the nodes that are not there yet.
func (m *Members) others(ctx context.Context, all map[string]Node) error {
	for _, records := range []string{nodeRecords, serverRecords} {
		err := m.keys(ctx, records, func(key string) {
			n, err := m.read(ctx, key)
			if _, there := all[n.ID]; err != nil || there {
				return
			}
			if records == serverRecords {
				n.State, n.Load = Behind, Load{}
			}
			all[n.ID] = n
		})
		if err != nil {
			return err
		}
	}
	return m.keys(ctx, removedRecords, func(key string) {
		if id := strings.TrimPrefix(key, removedRecords); id != m.cfg.Self.ID {
			delete(all, id)
		}
	})
}

func (m *Members) keys(ctx context.Context, prefix string, do func(key string)) error {
	opts := kv.ListOptions{Prefix: prefix}
	for {
		page, err := m.cfg.Store.List(ctx, opts)
		if err != nil {
			return fmt.Errorf("list nodes: %w", err)
		}
		for _, e := range page.Entries {
			do(e.Key)
		}
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			return nil
		}
	}
}

// late is how long a node says nothing that is behind, if it does so every so many
// milliseconds.
func late(every int64) time.Duration {
	return max(missed, 3*time.Duration(every)*time.Millisecond)
}

// read returns a node, which may say nothing any more.
func (m *Members) read(ctx context.Context, key string) (n Node, err error) {
	e, err := m.cfg.Store.Get(ctx, key)
	if err != nil {
		return n, err
	}
	if err := json.Unmarshal(e.Value, &n); err != nil {
		return n, fmt.Errorf("read node %s: %w", key, err)
	}
	if time.Since(n.Seen) > late(n.Every) {
		n.State = Behind
	}
	return n, nil
}
