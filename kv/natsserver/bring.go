package natsserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Brings reports whether Bring has something to do.
func (s *Server) Brings() bool {
	waits, err := holds(s.cfg.alone())
	return s.cfg.ClusterListen != "" && (waits || err != nil)
}

// ErrTwo: the cluster has streams of its own under the names of those that are to be
// brought in.
var ErrTwo = errors.New("the cluster has data of its own")

const (
	bringEvery  = time.Second      // it is tried again
	reportEvery = 10 * time.Second // the log has what it waits for

	consumerTime = 2 * time.Second // a consumer is asked for again
)

// Bring brings into the cluster what this server stored while it was alone: streams as
// they are, with their sequences, and their consumers. It waits until the cluster
// works. Nobody may make streams of these names meanwhile. Those with longer names come
// first, so that the one which begins all others' names is there once all are. What was
// stored stays in a directory beside, for the operator to remove. It can be interrupted,
// and begun again by another Start.
func (s *Server) Bring(ctx context.Context) error {
	if !s.Brings() {
		return nil
	}
	cfg := s.cfg
	cfg.Dir, cfg.Listen, cfg.ClusterListen, cfg.Peers = cfg.alone(), "", "", nil
	old, err := start(ctx, cfg)
	if err != nil {
		return fmt.Errorf("bring what was stored into the cluster: %w", err)
	}
	defer old.Close()
	for reported := (time.Time{}); ; {
		err := s.bringFrom(ctx, old)
		if err == nil {
			break
		}
		if errors.Is(err, ErrTwo) || ctx.Err() != nil {
			return fmt.Errorf("bring %s into the cluster: %w", cfg.Dir, err)
		}
		if time.Since(reported) > reportEvery {
			reported = time.Now()
			s.cfg.Logger.Warn("waiting for the cluster, to bring what this node stored while it was alone into it", "for", s.Waiting(), "err", err)
		}
		pause(ctx, bringEvery)
	}
	if err := old.Close(); err != nil {
		return err
	}
	kept, err := s.kept()
	if err != nil {
		return fmt.Errorf("put away what was brought into the cluster: %w", err)
	}
	s.cfg.Logger.Info("the cluster has what this node stored while it was alone; remove the old files once the other nodes are there, and everything has its replicas", "old", kept)
	return nil
}

func (s *Server) bringFrom(ctx context.Context, old *Server) error {
	from, err := old.local()
	if err != nil {
		return err
	}
	defer from.Conn().Close()
	to, err := s.local()
	if err != nil {
		return err
	}
	defer to.Conn().Close()
	var names []string
	list := from.StreamNames(ctx)
	for name := range list.Name() {
		names = append(names, name)
	}
	if err := list.Err(); err != nil {
		return fmt.Errorf("list streams: %w", err)
	}
	slices.Sort(names)
	slices.Reverse(names)
	return bringAll(ctx, from, to, names)
}

// bringAll brings streams, of which the last one says that all were brought.
func bringAll(ctx context.Context, from, to jetstream.JetStream, names []string) error {
	if len(names) == 0 {
		return nil
	}
	for i, name := range slices.Backward(names) {
		there, err := compare(ctx, from, to, name)
		if err != nil || there && i == len(names)-1 {
			return err
		}
	}
	for _, name := range names {
		// An attempt that ended early may have left it, also where it is not found.
		if err := to.DeleteStream(ctx, name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("remove stream %s, which was not brought whole: %w", name, err)
		}
		err := copyStream(ctx, from.Conn(), to.Conn(), name)
		if err == nil {
			err = consumersCame(ctx, from, to, name)
		}
		if err != nil {
			// So that the next attempt does not take it for whole; that one tries as well.
			to.DeleteStream(ctx, name) //nolint:errcheck // see above
			// A server notices after a while that nobody goes on with what it was sent. It
			// then has the stream of that name removed, also one of the next attempt.
			pause(ctx, stallTime+bringEvery)
			return fmt.Errorf("bring stream %s: %w", name, err)
		}
	}
	return nil
}

// pause waits, and reports whether ctx did not end before.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// consumersCame waits for a stream's durable consumers: a server assigns them after
// the stream, and removes them as orphans if it looks for those in between, half a
// minute after its start. (Source: requestConsumerAssignment and checkForOrphans of
// nats-server 2.15.)
func consumersCame(ctx context.Context, from, to jetstream.JetStream, name string) error {
	ctx, cancel := context.WithTimeout(ctx, copyTime)
	defer cancel()
	stream, err := from.Stream(ctx, name)
	if err != nil {
		return err
	}
	list := stream.ListConsumers(ctx)
	for ours := range list.Info() {
		if ours.Config.Durable == "" {
			continue
		}
		if err := consumerCame(ctx, to, name, ours.Name); err != nil {
			return fmt.Errorf("consumer %s did not come: %w", ours.Name, err)
		}
	}
	return list.Err()
}

func consumerCame(ctx context.Context, to jetstream.JetStream, stream, name string) error {
	for {
		try, cancel := context.WithTimeout(ctx, consumerTime) // nobody answers for one that is not assigned
		_, err := to.Consumer(try, stream, name)
		cancel()
		if err == nil || !pause(ctx, bringEvery/10) {
			return err
		}
	}
}

// compare reports whether a stream is in both; ErrTwo if it is another one.
func compare(ctx context.Context, from, to jetstream.JetStream, name string) (bool, error) {
	theirs, err := to.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for stream %s: %w", name, err)
	}
	ours, err := from.Stream(ctx, name)
	if err != nil {
		return false, fmt.Errorf("look for stream %s: %w", name, err)
	}
	if a, b := ours.CachedInfo().Config.Metadata[idKey], theirs.CachedInfo().Config.Metadata[idKey]; a != b {
		return false, fmt.Errorf("stream %s: %w", name, ErrTwo)
	}
	return true, nil
}

// idKey is where the metadata of streams says which one it is.
const idKey = "mayfly_id"

// local is JetStream of this server, by a connection to be closed.
func (s *Server) local() (jetstream.JetStream, error) {
	servers, opts := s.Connect()
	nc, err := nats.Connect(servers, append(opts, nats.NoReconnect())...)
	if err != nil {
		return nil, err
	}
	return jetstream.New(nc)
}
