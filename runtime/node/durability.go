package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/kv/natskv"
	"github.com/mayfly-run/mayfly/kv/natsserver"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// durabilityTime is for all questions about how NATS keeps what it acknowledges.
const durabilityTime = 10 * time.Second

// checkDurability says loudly what may lose acknowledged writes. It stops nothing.
func (n *Node) checkDurability(ctx context.Context, store *natskv.Store, server *natsserver.Server) {
	if !store.Connected() {
		n.cfg.Logger.Warn("the cluster can't be reached: this node serves what it knows, and refuses writes", "problem", store.Status().Problem)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, durabilityTime)
	defer cancel()
	unsafe := streamProblems(ctx, store.Conn(), n.cfg.Cluster.name())
	if server == nil { // its own is set up as it has to be
		unsafe = append(unsafe, n.syncProblems(ctx)...)
	}
	for _, u := range unsafe {
		n.cfg.Logger.Warn("UNSAFE: what is acknowledged may be lost", "why", u)
	}
}

// streamProblems looks at the streams of a cluster.
func streamProblems(ctx context.Context, conn *nats.Conn, cluster string) (unsafe []string) {
	js, err := jetstream.New(conn)
	if err != nil {
		return []string{err.Error()}
	}
	streams := js.ListStreams(ctx, jetstream.WithStreamListSubject("mayfly."+cluster+".>"))
	for info := range streams.Info() {
		cfg, name := info.Config, info.Config.Name
		if cfg.Storage != jetstream.FileStorage {
			unsafe = append(unsafe, fmt.Sprintf("stream %s is in memory only, not in files: it ends with its server; back up, and make it anew with file storage", name))
		}
		if cfg.Replicas == 1 {
			unsafe = append(unsafe, fmt.Sprintf("stream %s is on one server only: without that, nothing can be changed, and with its disk, all is lost; use three servers, and replicas = 3", name))
		}
	}
	if err := streams.Err(); err != nil {
		unsafe = append(unsafe, fmt.Sprintf("it is not known how the streams are kept: %v", err))
	}
	return unsafe
}

// varz is what is read of a server's answer: JetStreamConfig of nats-server.
type varz struct {
	Name      string `json:"server_name"`
	JetStream struct {
		Config *struct {
			SyncAlways bool `json:"sync_always"`
		} `json:"config"`
	} `json:"jetstream"`
}

// syncProblems asks the servers, where they answer that, whether they sync what they
// acknowledge. They tell it to no client of theirs, but by HTTP.
func (n *Node) syncProblems(ctx context.Context) (unsafe []string) {
	if len(n.cfg.Cluster.Monitor) == 0 {
		return []string{`it is not known whether the NATS servers sync each write before they acknowledge it: see that each has "sync_interval: always" in its jetstream { } configuration, which is not the default; with their monitoring addresses in "monitor", this is checked`}
	}
	for _, base := range n.cfg.Cluster.Monitor {
		v, err := readVarz(ctx, strings.TrimSuffix(base, "/")+"/varz")
		switch {
		case err != nil:
			unsafe = append(unsafe, fmt.Sprintf("it is not known whether the NATS server at %s syncs each write before it acknowledges it: %v", base, err))
		case !v.JetStream.Config.SyncAlways:
			unsafe = append(unsafe, fmt.Sprintf(`NATS server %s acknowledges what will be on disk within two minutes: a power failure loses it; set "sync_interval: always" in its jetstream { } configuration`, v.Name))
		}
	}
	return unsafe
}

func readVarz(ctx context.Context, url string) (v varz, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return v, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return v, err
	}
	defer resp.Body.Close()
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&v)
	if err == nil && v.JetStream.Config == nil {
		err = errors.New("it is no NATS server with JetStream")
	}
	return v, err
}
