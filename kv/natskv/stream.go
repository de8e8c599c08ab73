package natskv

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/mayfly-run/mayfly/kv/internal/jstream"
)

// idKey is where the metadata of a stream says which one it is. The id is part of
// its subjects too: what is meant for one stream can't get into another that was
// made in its place.
const idKey = "mayfly_id"

var streamID = regexp.MustCompile(`^[A-Za-z0-9]{8,32}$`)

// What makes the copy another one than the stream. Nothing is written then, and
// nothing taken over.
var (
	errGone       = errors.New("the stream is gone")
	errOther      = errors.New("the stream is another one than the copy was made of")
	errRolledBack = errors.New("the stream has lost writes that the copy has")
)

// errNotBegun: who makes the streams has not made them yet.
var errNotBegun = errors.New("the cluster has no entries yet; the first node in peers begins it")

// diverged reports whether err says that the copy has what the stream lost.
func diverged(err error) bool {
	return errors.Is(err, errGone) || errors.Is(err, errOther) || errors.Is(err, errRolledBack)
}

// streams are those of one bucket.
type streams struct {
	id      string
	js      jetstream.JetStream
	entries jetstream.Stream
	chunks  jetstream.Stream
	api     string // begins the subjects of requests to JetStream
	// The subjects begin with these, which end in a dot.
	entryPrefix, chunkPrefix string
}

func (s *Store) entriesName() string { return "MAYFLY_" + s.cfg.Bucket }
func (s *Store) chunksName() string  { return "MAYFLY_" + s.cfg.Bucket + "_chunks" }

// attach finds the streams. It makes them if known is empty, which is when this
// node has never seen them; else they have to be those that have this id.
func (s *Store) attach(ctx context.Context, known string) (*streams, error) {
	if !s.conn.IsConnected() {
		return nil, s.disconnected()
	}
	st := &streams{js: s.js, id: known, api: "$JS.API."}
	if s.cfg.Domain != "" {
		st.api = "$JS." + s.cfg.Domain + ".API."
	}
	var err error
	// The chunks come first: so entries never are without them.
	if st.chunks, err = s.findOrMake(ctx, known, s.chunksName(), "c"); err != nil {
		return nil, fmt.Errorf("find stream %s: %w", s.chunksName(), err)
	}
	if st.id, err = idOf(st.chunks); err != nil {
		return nil, err
	}
	make := known
	if make == "" {
		make = "+" + st.id
	}
	if st.entries, err = s.findOrMake(ctx, make, s.entriesName(), "e"); err != nil {
		return nil, fmt.Errorf("find stream %s: %w", s.entriesName(), err)
	}
	id, err := idOf(st.entries)
	if err != nil {
		return nil, err
	}
	if id != st.id || known != "" && id != known {
		return nil, fmt.Errorf("streams %s and %s: %w", s.entriesName(), s.chunksName(), errOther)
	}
	if err := suited(st.entries.CachedInfo().Config); err != nil {
		return nil, err
	}
	st.entryPrefix = s.prefix("e", st.id)
	st.chunkPrefix = s.prefix("c", st.id)
	return st, nil
}

// suited looks for settings without which entries would not be kept as they must be.
// A server that does not know one leaves it out.
func suited(cfg jetstream.StreamConfig) error {
	switch {
	case !cfg.AllowMsgTTL, !cfg.AllowAtomicPublish:
		return fmt.Errorf("stream %s has no allow_msg_ttl and allow_atomic: NATS servers of version 2.12 or newer are needed", cfg.Name)
	case cfg.MaxAge > 0, cfg.MaxMsgsPerSubject != 1:
		return fmt.Errorf("stream %s was changed: it must have no max_age, and 1 as max_msgs_per_subject", cfg.Name)
	}
	return nil
}

func (s *Store) prefix(kind, id string) string {
	return "mayfly." + s.cfg.Bucket + "." + kind + "." + id + "."
}

func idOf(stream jetstream.Stream) (string, error) {
	info := stream.CachedInfo()
	id := info.Config.Metadata[idKey]
	if !streamID.MatchString(id) {
		return "", fmt.Errorf("stream %s was not made by mayfly: choose another bucket: %w", info.Config.Name, errOther)
	}
	return id, nil
}

// findOrMake makes the stream if id is empty, or is + and an id.
func (s *Store) findOrMake(ctx context.Context, id, name, kind string) (jetstream.Stream, error) {
	stream, err := s.js.Stream(ctx, name)
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return stream, err
	}
	switch {
	case s.cfg.Join && (id == "" || id[0] == '+'): // also where whoever makes them has begun
		return nil, errNotBegun
	case id == "":
		id = nuid.Next()
	case id[0] == '+':
		id = id[1:]
	default:
		return nil, errGone
	}
	stream, err = s.make(ctx, s.streamConfig(name, kind, id))
	if jstream.CodeOf(err) == jstream.CodeInUse { // another node was faster
		return s.js.Stream(ctx, name)
	}
	return stream, err
}

func (s *Store) streamConfig(name, kind, id string) jetstream.StreamConfig {
	cfg := jetstream.StreamConfig{
		Name:              name,
		Description:       "Mayfly: " + map[string]string{"e": "the newest message of each key", "c": "large values and blobs"}[kind],
		Subjects:          []string{s.prefix(kind, id) + ">"},
		Storage:           jetstream.FileStorage,
		MaxMsgsPerSubject: 1,
		Discard:           jetstream.DiscardNew,
		Metadata:          map[string]string{idKey: id},
	}
	if kind == "e" {
		cfg.AllowMsgTTL = true
		cfg.AllowAtomicPublish = true
		cfg.FirstSeq = s.cfg.After + 1
	} else {
		cfg.AllowDirect = true // chunks never change, so any server may answer
	}
	return cfg
}

// make makes a stream with as many replicas as there may be.
func (s *Store) make(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	stream, err := jstream.Create(ctx, s.js, cfg, s.cfg.Replicas)
	if err == nil {
		s.cfg.Logger.Info("made stream", "stream", cfg.Name, "replicas", stream.CachedInfo().Config.Replicas)
	}
	return stream, err
}

// replicate gives the streams the replicas that they lack, once the cluster has room.
func (s *Store) replicate(ctx context.Context, st *streams) error {
	for _, stream := range []jetstream.Stream{st.entries, st.chunks} {
		info, err := stream.Info(ctx)
		if err != nil {
			return err
		}
		if info.Config.Replicas >= jstream.Replicas(s.cfg.Replicas) || info.Cluster == nil {
			continue
		}
		info.Config.Replicas = jstream.Replicas(s.cfg.Replicas)
		if _, err := s.js.UpdateStream(ctx, info.Config); jstream.TooManyReplicas(err) {
			return nil
		} else if err != nil {
			return err
		}
		s.cfg.Logger.Info("added replicas to stream", "stream", info.Config.Name, "replicas", info.Config.Replicas)
	}
	return nil
}
