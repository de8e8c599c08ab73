package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// beat tells of this node until ctx ends. While the store takes nothing, it goes on
// trying: the others notice.
func (m *Members) beat(ctx context.Context) {
	for failed := false; ; {
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
// that.
func (m *Members) List(ctx context.Context) ([]Node, error) {
	list := []Node{m.self()}
	if m.cfg.Shared {
		err := m.keys(ctx, nodeRecords, func(key string) {
			if n, err := m.read(ctx, key); err == nil && n.ID != m.cfg.Self.ID {
				list = append(list, n)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	drained := map[string]bool{}
	err := m.keys(ctx, drainRecords, func(key string) { drained[strings.TrimPrefix(key, drainRecords)] = true })
	for i := range list {
		if drained[list[i].ID] && list[i].State == Ready {
			list[i].State = Draining
		}
	}
	slices.SortFunc(list, func(a, b Node) int { return cmp.Compare(a.ID, b.ID) })
	return list, err
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
