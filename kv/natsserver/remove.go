package natsserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	// leaderTime is how long the leader of the cluster may take to answer.
	leaderTime = 10 * time.Second
	// silentTime is after which a server that says nothing is not there. Each says
	// something every second.
	silentTime = 10 * time.Second
	// changeEvery is how often it is tried to remove one while others come or go.
	changeEvery = 250 * time.Millisecond
)

// RefusedError says why a server is not taken out of the cluster, and what to do. Nothing
// was changed.
type RefusedError struct{ msg string }

func (e *RefusedError) Error() string { return e.msg }

func refuse(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }

// MayRemove is nil if a server that is gone can be taken out of the cluster for good, and
// a *RefusedError if it is still there, or if what it has can't be spared.
func (s *Server) MayRemove(ctx context.Context, node string) error {
	system, err := s.system()
	if err != nil {
		return err
	}
	defer system.Close()
	remain, err := s.remaining(ctx, system, node)
	if err != nil {
		return err
	}
	return s.spared(ctx, remain)
}

// Remove takes a server out of the cluster, whatever it has. More than half of those that
// remain are enough from then on. What they lack is copied after Remove has returned: see
// Copying. A server that runs stops to keep anything. One that comes back later may become
// a member again after minutes, if it is not stopped.
func (s *Server) Remove(ctx context.Context, node string) error {
	system, err := s.system()
	if err != nil {
		return err
	}
	defer system.Close()
	if err := remove(ctx, system, node); err != nil {
		return fmt.Errorf("take server %s out of the cluster: %w", node, err)
	}
	return nil
}

// remove waits while the cluster takes another server in, or out: that is one at a time.
func remove(ctx context.Context, system *nats.Conn, node string) error {
	ctx, cancel := context.WithTimeout(ctx, leaderTime)
	defer cancel()
	for {
		var answer server.JSApiMetaServerRemoveResponse
		err := ask(ctx, system, server.JSApiRemoveServer, server.JSApiMetaServerRemoveRequest{Peer: peerID(node)}, &answer)
		switch {
		case err != nil:
			return err
		case answer.Error == nil || answer.Error.ErrCode == uint16(server.JSClusterServerNotMemberErr):
			return nil
		case answer.Error.ErrCode != uint16(server.JSClusterServerMemberChangeInflightErr):
			return answer.Error
		}
		if !pause(ctx, changeEvery) {
			return answer.Error
		}
	}
}

// remaining are the servers that are there, without the one that is to go.
func (s *Server) remaining(ctx context.Context, system *nats.Conn, node string) (names []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, leaderTime)
	defer cancel()
	var leader server.ServerAPIJszResponse
	err = ask(ctx, system, "$SYS.REQ.SERVER.PING.JSZ", server.JszEventOptions{JSzOptions: server.JSzOptions{LeaderOnly: true}}, &leader)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrNoResponders) || err == nil && (leader.Data == nil || leader.Data.Meta == nil) {
		return nil, refuse("the servers agree on nothing, because half of them or more are away: start those of them that still exist")
	}
	if err != nil {
		return nil, fmt.Errorf("ask the leader of the cluster: %w", err)
	}
	meta := leader.Data.Meta
	if s.reaches(node) || meta.Leader == node {
		return nil, refuse("it runs: drain it, and stop it first")
	}
	names = []string{meta.Leader}
	for _, p := range meta.Replicas {
		there := !p.Offline && p.Active < silentTime
		switch {
		case p.Peer == peerID(node) && there && p.Current:
			return nil, refuse("it runs, or did a moment ago: drain it, stop it, and try again")
		case p.Peer != peerID(node) && there:
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// reaches reports whether a server is connected to this one, as all that are there are.
func (s *Server) reaches(node string) bool {
	if node == s.cfg.Node {
		return true
	}
	routes, err := s.server.Routez(nil)
	return err == nil && slices.ContainsFunc(routes.Routes, func(r *server.RouteInfo) bool { return r.RemoteName == node })
}
