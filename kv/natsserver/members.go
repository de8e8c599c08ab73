package natsserver

import (
	"crypto/sha256"
	"slices"

	"github.com/nats-io/nats-server/v2/server"
)

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
