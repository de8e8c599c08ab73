package natskv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"golang.org/x/sync/errgroup"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/jstream"
)

// An object is a large value, or a blob, in chunks. Its name is an id, a dot, and how
// many there are: chunk 3 is the message with the subject c.<id>.3. Before them
// comes i.<id>, the intent, which says what will refer to the object. So what a
// writer left that came to its end in between can be found: see sweep.go.
const (
	chunkSize = 256 << 10
	// inlineMax is the longest message with its value in it. Longer ones would hold
	// up the others.
	inlineMax = chunkSize
	// room is what a message has beside its data: subject and headers.
	room = 4 << 10
	// chunksAtATime are written or read of one object.
	chunksAtATime = 4
	maxChunks     = 1 << 20
)

// intent is what is known of an object before its chunks are there.
type intent struct {
	Owner string `json:"owner"` // the token of a key, or "b." and a digest
}

func objectName(name string) bool {
	_, _, err := splitObject(name)
	return err == nil
}

func splitObject(name string) (id string, chunks int, err error) {
	id, n, _ := strings.Cut(name, ".")
	chunks, err = strconv.Atoi(n)
	if err == nil && (!streamID.MatchString(id) || chunks < 0 || chunks > maxChunks || strconv.Itoa(chunks) != n) {
		err = errors.New("it is none")
	}
	if err != nil {
		return "", 0, fmt.Errorf("object %q: %w", name, err)
	}
	return id, chunks, nil
}

// put writes the chunks of an object.
func (st *streams) put(ctx context.Context, owner string, data []byte, size int) (name string, err error) {
	id := nuid.Next()
	note, err := json.Marshal(intent{Owner: owner})
	if err != nil {
		return "", err
	}
	if err := st.putChunk(ctx, "i."+id, note); err != nil {
		return "", err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(chunksAtATime)
	chunks := 0
	for chunk := range slices.Chunk(data, size) {
		token := fmt.Sprintf("c.%s.%d", id, chunks)
		group.Go(func() error { return st.putChunk(ctx, token, chunk) })
		chunks++
	}
	return fmt.Sprintf("%s.%d", id, chunks), group.Wait()
}

// putChunk may be repeated: the same message again changes nothing.
func (st *streams) putChunk(ctx context.Context, token string, data []byte) error {
	_, err := st.js.PublishMsg(ctx, &nats.Msg{Subject: st.chunkPrefix + token, Data: data},
		jetstream.WithExpectStream(st.chunks.CachedInfo().Config.Name))
	return err
}

// fetch reads an object, or returns kv.ErrNotFound if a chunk is missing.
func (st *streams) fetch(ctx context.Context, name string) ([]byte, error) {
	id, n, err := splitObject(name)
	if err != nil {
		return nil, err
	}
	chunks := make([][]byte, n)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(chunksAtATime)
	for i := range chunks {
		group.Go(func() (err error) {
			chunks[i], err = st.chunk(ctx, fmt.Sprintf("c.%s.%d", id, i))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("object %s: %w", name, err)
	}
	size := 0
	for _, c := range chunks {
		size += len(c)
	}
	data := make([]byte, 0, size)
	for _, c := range chunks {
		data = append(data, c...)
	}
	return data, nil
}

// chunk asks any server first, and the leader if that one has none: it may lag behind.
func (st *streams) chunk(ctx context.Context, token string) ([]byte, error) {
	m, err := st.chunks.GetLastMsgForSubject(ctx, st.chunkPrefix+token)
	if isAbsent(err) {
		m, err = st.leadersChunk(ctx, token)
	}
	if isAbsent(err) {
		return nil, fmt.Errorf("chunk %s: %w", token, kv.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("chunk %s: %w", token, err)
	}
	return m.Data, nil
}

// leadersChunk asks the leader, which package jetstream does not of a stream that
// allows direct access. (Source: ADR-31 of nats-architecture-and-design.)
func (st *streams) leadersChunk(ctx context.Context, token string) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	request, err := json.Marshal(map[string]string{"last_by_subj": st.chunkPrefix + token})
	if err != nil {
		return nil, err
	}
	subject := st.api + "STREAM.MSG.GET." + st.chunks.CachedInfo().Config.Name
	reply, err := st.js.Conn().RequestWithContext(ctx, subject, request)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Data []byte `json:"data"`
		} `json:"message"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return nil, err
	}
	if answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
		return nil, jetstream.ErrMsgNotFound
	}
	if answer.Error != nil {
		return nil, answer.Error
	}
	return &jetstream.RawStreamMsg{Data: answer.Message.Data}, nil
}

// remove removes an object; its intent last, so that it is found again if this is
// interrupted.
func (st *streams) remove(ctx context.Context, id string) error {
	if err := st.chunks.Purge(ctx, jetstream.WithPurgeSubject(st.chunkPrefix+"c."+id+".>")); err != nil {
		return err
	}
	return st.chunks.Purge(ctx, jetstream.WithPurgeSubject(st.chunkPrefix+"i."+id))
}

// objects knows the objects of the copy's entries, as far as this Store has seen
// them, and removes those that it replaced itself. Others are swept.
type objects struct {
	store *Store
	gone  chan string // ids to remove; what does not fit is swept

	mu     sync.Mutex        // guards the fields below
	byKey  map[string]string // names
	values map[string][]byte // of writes under way, by name
}

const maxGone = 1024

func (o *objects) start(s *Store) {
	o.store, o.gone = s, make(chan string, maxGone)
	o.byKey, o.values = map[string]string{}, map[string][]byte{}
}

// hold keeps the value of a write under way, so that it is not fetched again.
func (o *objects) hold(name string, value []byte) (release func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.values[name] = value
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.values, name)
	}
}

func (o *objects) written(name string) ([]byte, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	value, ok := o.values[name]
	return value, ok
}

// replace notes the object of a key, if it has one now, and removes the one that it
// had if that was this Store's doing.
func (o *objects) replace(key, name string, own bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old := o.byKey[key]
	if name == "" {
		delete(o.byKey, key)
	} else {
		o.byKey[key] = name
	}
	if own {
		o.discard(old)
	}
}

// discard removes an object that nothing refers to.
func (o *objects) discard(name string) {
	if id, _, err := splitObject(name); err == nil {
		select {
		case o.gone <- id:
		default:
		}
	}
}

// run removes objects until ctx ends, and sweeps now and then: at another time than
// other nodes.
func (o *objects) run(ctx context.Context) {
	next := time.After(rand.N(sweepEvery))
	replicate := time.NewTicker(jstream.ReplicateEvery)
	defer replicate.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-o.gone:
			o.try(ctx, "remove object", func(st *streams) error { return st.remove(ctx, id) })
		case <-replicate.C:
			o.try(ctx, "add replicas to streams", func(st *streams) error { return o.store.replicate(ctx, st) })
		case <-next:
			next = time.After(sweepEvery)
			o.try(ctx, "sweep objects", func(st *streams) error {
				removed, err := st.sweep(ctx, sweepGrace)
				if removed > 0 {
					o.store.cfg.Logger.Info("removed objects that writers left", "objects", removed)
				}
				return err
			})
		}
	}
}

// try does something if the cluster is there. What fails is done by the next sweep.
func (o *objects) try(ctx context.Context, step string, do func(*streams) error) {
	st := o.store.streams.Load()
	if st == nil {
		return
	}
	if err := do(st); err != nil && ctx.Err() == nil {
		o.store.cfg.Logger.Warn(step, "err", err)
	}
}
