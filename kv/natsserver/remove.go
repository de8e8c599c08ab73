package natsserver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
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
)

// RefusedError says why a server is not taken out of the cluster, and what to do. Nothing
// was changed.
type RefusedError struct{ msg string }

func (e *RefusedError) Error() string { return e.msg }

func refuse(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }

// Member reports whether the cluster counts a server among its own, there or not, as
// far as this one knows.
func (s *Server) Member(node string) bool {
	info, err := s.server.Jsz(nil)
	if err != nil || info.Meta == nil {
		return false
	}
	return node == s.cfg.Node || slices.ContainsFunc(info.Meta.Replicas, func(p *server.PeerInfo) bool { return p.Peer == peerID(node) })
}

// peerID is by what servers know each other in the cluster, also where they have not
// heard the name. (Source: getHash of nats-server's events.go.)
func peerID(node string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := sha256.Sum256([]byte(node))
	id := make([]byte, 8)
	for i := range id {
		id[i] = digits[int(sum[i])%len(digits)]
	}
	return string(id)
}

// Clustered reports whether the server has others beside it.
func (s *Server) Clustered() bool { return s.cfg.ClusterListen != "" }

// Leads reports whether this server leads the cluster.
func (s *Server) Leads() bool { return s.Clustered() && s.server.JetStreamIsLeader() }

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

func remove(ctx context.Context, system *nats.Conn, node string) error {
	ctx, cancel := context.WithTimeout(ctx, leaderTime)
	defer cancel()
	var answer server.JSApiMetaServerRemoveResponse
	err := ask(ctx, system, server.JSApiRemoveServer, server.JSApiMetaServerRemoveRequest{Peer: peerID(node)}, &answer)
	switch {
	case err != nil:
		return err
	case answer.Error == nil || answer.Error.ErrCode == uint16(server.JSClusterServerNotMemberErr):
		return nil
	}
	return answer.Error
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

// spared refuses to go on where streams would lose something, or could not be on as many
// servers as they have to.
func (s *Server) spared(ctx context.Context, remain []string) error {
	streams, missing, err := s.streams(ctx)
	if err != nil {
		return fmt.Errorf("list streams: %w", err)
	}
	if len(missing) > 0 {
		return refuse("%s: half of the servers that keep it, or more, are away, and what was acknowledged may be on those alone. Start one of them again; or, if all are lost, begin a new cluster with a backup", named(missing))
	}
	if len(remain) < 2 {
		return refuse("%s would be alone, and a cluster has two servers at least: start another node first; or, to have one node alone, restore a backup of the cluster into a new data directory", strings.Join(remain, ", "))
	}
	most := slices.MaxFunc(append(streams, &server.StreamInfo{}), func(a, b *server.StreamInfo) int { return a.Config.Replicas - b.Config.Replicas }).Config
	if most.Replicas > len(remain) {
		return refuse("%d servers would be there (%s), and stream %s is kept on %d: start another node first, with an id and an address of its own", len(remain), strings.Join(remain, ", "), most.Name, most.Replicas)
	}
	return nil
}

func named(streams []string) string {
	if len(streams) == 1 {
		return "stream " + streams[0] + " does not answer"
	}
	return fmt.Sprintf("stream %s and %d more do not answer", streams[0], len(streams)-1)
}

// Copying are the streams that are not on as many servers yet as they have to be.
func (s *Server) Copying(ctx context.Context) (names []string, err error) {
	streams, names, err := s.streams(ctx)
	for _, info := range streams {
		if !whole(info) {
			names = append(names, info.Config.Name)
		}
	}
	return names, err
}

func whole(info *server.StreamInfo) bool {
	if info.Cluster == nil || info.Cluster.Leader == "" {
		return false
	}
	lags := func(p *server.PeerInfo) bool { return !p.Current || p.Offline || p.Pending }
	return len(info.Cluster.Replicas)+1 >= info.Config.Replicas && !slices.ContainsFunc(info.Cluster.Replicas, lags)
}

// streams are all that there are; missing are the names of those without a leader.
func (s *Server) streams(ctx context.Context) (all []*server.StreamInfo, missing []string, err error) {
	js, err := s.local()
	if err != nil {
		return nil, nil, err
	}
	defer js.Conn().Close()
	for offset := 0; ; {
		var page server.JSApiStreamListResponse
		request := server.JSApiStreamListRequest{ApiPagedRequest: server.ApiPagedRequest{Offset: offset}}
		if err := ask(ctx, js.Conn(), server.JSApiStreamList, request, &page); err != nil {
			return nil, nil, err
		}
		if page.Error != nil {
			return nil, nil, page.Error
		}
		all, missing = append(all, page.Streams...), append(missing, page.Missing...)
		offset += page.Limit
		if page.Limit <= 0 || offset >= page.Total {
			return all, missing, nil
		}
	}
}
