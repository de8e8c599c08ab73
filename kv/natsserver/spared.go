package natsserver

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

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
