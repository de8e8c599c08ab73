package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natsserver"
)

// Servers are the NATS servers in nodes, which go by the ids of those. It is safe for
// concurrent use. (natsserver.Server is one.)
type Servers interface {
	Member(id string) bool
	Leads() bool
	MayRemove(ctx context.Context, id string) error
	Remove(ctx context.Context, id string) error
	Copying(ctx context.Context) (streams []string, err error)
}

// What became of the NATS server of a node that was removed.
const (
	ServerRemoved   = "removed"   // the others count it no more
	ServerNone      = "none"      // the node had none
	ServerElsewhere = "elsewhere" // all of them are the operator's
)

// Removal is what Remove has done.
type Removal struct {
	ID      string   `json:"id"`
	State   string   `json:"state"` // removed
	NATS    string   `json:"nats"`  // what became of its server
	Server  string   `json:"server,omitempty"`
	Copying []string `json:"copying"` // streams that the others do not have in full number yet
}

const (
	copyWait = 10 * time.Second       // how long Remove waits for what is copied
	copyLook = 250 * time.Millisecond // how often it looks
)

// Remove takes a node that has ended out of the cluster for good, with its NATS server if
// it has one. Doing it again goes on with what was interrupted, and tells how far it is.
func (m *Members) Remove(ctx context.Context, id string) (Removal, error) {
	if !m.cfg.Shared {
		return Removal{}, refused(id, "this node has no others beside it")
	}
	if id == m.cfg.Self.ID {
		return Removal{}, refused(id, "it is the one that was asked: stop it, and ask another one of its cluster")
	}
	if err := kv.Sync(ctx, m.cfg.Store); err != nil { // so that it is known who is there
		return Removal{}, fmt.Errorf("remove node: %w", err)
	}
	r, again, err := m.removalOf(ctx, id)
	if err != nil {
		return Removal{}, err
	}
	done := Removal{ID: id, State: ServerRemoved, NATS: ServerRemoved, Server: r.Server, Copying: []string{}}
	switch {
	case m.cfg.Servers == nil && r.Server != "":
		return Removal{}, refused(id, "it has a NATS server, which another node with one takes out: ask one of those")
	case m.cfg.Servers == nil:
		if done.NATS, err = m.notOurs(ctx); err != nil {
			return Removal{}, err
		}
	case r.Server == "" && !again && !m.cfg.Servers.Member(id):
		done.NATS = ServerNone
	}
	if done.NATS != ServerRemoved {
		return done, m.forget(ctx, id)
	}
	if err := m.removeServer(ctx, id, r, again); err != nil {
		return Removal{}, err
	}
	done.Copying, err = m.copying(ctx)
	return done, err
}

// notOurs is what becomes of the server of a node that has none, where this one has none
// either.
func (m *Members) notOurs(ctx context.Context) (string, error) {
	page, err := m.cfg.Store.List(ctx, kv.ListOptions{Prefix: serverRecords, Limit: 1})
	if err != nil {
		return "", fmt.Errorf("remove node: %w", err)
	}
	if len(page.Entries) > 0 {
		return ServerNone, nil
	}
	return ServerElsewhere, nil
}

func refused(id, why string) error {
	return host.Errorf(host.CodeState, "node %s is not removed: %s", id, why)
}

// removalOf is of a node that is known, and not there.
func (m *Members) removalOf(ctx context.Context, id string) (r tombstone, again bool, err error) {
	if len(id) >= 64 {
		return r, false, unknown(id)
	}
	if r, again, err = readRemoval(ctx, m.cfg.Store, id); err != nil || again {
		return r, again, err
	}
	n, there, err := m.find(ctx, nodeRecords+id)
	if err != nil {
		return r, false, err
	}
	if there && n.State != Behind {
		return r, false, refused(id, "it runs: 'mayfly nodes drain "+id+"', stop it, and try again. One that was killed is behind after 15 seconds")
	}
	lasting, lasts, err := m.find(ctx, serverRecords+id)
	if err != nil {
		return r, false, err
	}
	if !there && !lasts && (m.cfg.Servers == nil || !m.cfg.Servers.Member(id)) {
		return r, false, unknown(id)
	}
	r = tombstone{Since: time.Now().UTC().Truncate(time.Millisecond), Server: lasting.Server}
	return r, false, nil
}

func (m *Members) find(ctx context.Context, key string) (n Node, there bool, err error) {
	n, err = m.read(ctx, key)
	if errors.Is(err, kv.ErrNotFound) {
		return n, false, nil
	}
	return n, err == nil, err
}

// removeServer first says that the node is removed: it may come back at any time, and
// what ends early is gone on with.
func (m *Members) removeServer(ctx context.Context, id string, r tombstone, again bool) error {
	if !again {
		err := m.cfg.Servers.MayRemove(ctx, id)
		if no, is := errors.AsType[*natsserver.RefusedError](err); is {
			return refused(id, no.Error())
		}
		if err != nil {
			return fmt.Errorf("remove node: %w", err)
		}
		data, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if _, err := m.cfg.Store.Put(ctx, removedRecords+id, data, kv.PutOptions{Frees: true}); err != nil {
			return fmt.Errorf("remove node: %w", err)
		}
	}
	if err := m.cfg.Servers.Remove(ctx, id); err != nil {
		m.cfg.Logger.Error("a node is removed, and its NATS server could not be yet; it is tried again", "node", id, "err", err)
		return host.Errorf(host.CodeUnavailable, "node %s is removed, and its NATS server could not be yet: it is tried again every minute. Do the same again to see how far it is", id)
	}
	return m.forget(ctx, id)
}

// forget takes what a node has said off the list.
func (m *Members) forget(ctx context.Context, id string) error {
	for _, records := range []string{nodeRecords, serverRecords, drainRecords} {
		if err := m.cfg.Store.Delete(ctx, records+id, kv.DeleteOptions{}); err != nil && !errors.Is(err, kv.ErrNotFound) {
			return fmt.Errorf("remove node: %w", err)
		}
	}
	return nil
}

// copying waits a little until all is copied.
func (m *Members) copying(ctx context.Context) ([]string, error) {
	for end := time.Now().Add(copyWait); ; {
		streams, err := m.cfg.Servers.Copying(ctx)
		if err != nil {
			return nil, host.Errorf(host.CodeUnavailable, "the node is removed; it is not known whether the others have all replicas yet. Do the same again to see")
		}
		if len(streams) == 0 || time.Now().After(end) {
			return append([]string{}, streams...), nil
		}
		select {
		case <-time.After(copyLook):
		case <-ctx.Done():
			return streams, ctx.Err()
		}
	}
}
