package natskv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
)

// A blob is an object with a message b.<digest> that says which one. The node keeps
// what it wrote or read in Config.Dir, and reads it from there: see cache.go.

// Blobs keeps blobs in the same cluster. What the node has, up to Config.Cache, is read
// also while the cluster can't be reached, and after another node has deleted it.
func (s *Store) Blobs() kv.Blobs { return blobs{s} }

type blobs struct{ store *Store }

const blobToken = "b."

// blobNote is what b.<digest> has.
type blobNote struct {
	Object string `json:"object"`
	Size   int    `json:"size"`
}

// Put implements kv.Blobs.
func (b blobs) Put(ctx context.Context, data []byte) (kv.Digest, error) {
	d := kv.DigestOf(data)
	err := b.call(ctx, fmt.Sprintf("put blob %s", d), func(ctx context.Context, st *streams) error {
		return st.putBlob(ctx, d, data, min(chunkSize, int(b.store.conn.MaxPayload())-room))
	})
	if err != nil {
		return kv.Digest{}, err
	}
	b.keep(ctx, d, data)
	return d, nil
}

// keep keeps a blob on this node, if there is room.
func (b blobs) keep(ctx context.Context, d kv.Digest, data []byte) {
	err := b.store.cfg.Room(int64(len(data)))
	if err == nil {
		_, err = b.store.cache.Put(ctx, data)
	}
	if err != nil {
		b.store.cfg.Logger.Warn("keep blob on this node", "digest", d, "err", err)
	}
}

// call does something in the cluster, as a call of its own.
func (b blobs) call(ctx context.Context, step string, do func(context.Context, *streams) error) error {
	if err := b.store.life.Enter(ctx); err != nil {
		return err
	}
	defer b.store.life.Leave()
	return b.reach(ctx, step, do)
}

// reach does something in the cluster.
func (b blobs) reach(ctx context.Context, step string, do func(context.Context, *streams) error) error {
	limit, cancel := context.WithTimeout(ctx, b.store.cfg.patience) // to be ready; what is long takes its time
	defer cancel()
	st, err := b.store.ready(limit)
	if err == nil {
		err = do(ctx, st)
	}
	if errors.Is(err, kv.ErrNotFound) {
		return err
	}
	return failure(ctx, step, err)
}

func (st *streams) putBlob(ctx context.Context, d kv.Digest, data []byte, size int) error {
	token := blobToken + d.String()
	if _, err := st.blob(ctx, d); !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	object, err := st.put(ctx, token, data, size)
	if err != nil {
		return err
	}
	note, err := json.Marshal(blobNote{Object: object, Size: len(data)})
	if err != nil {
		return err
	}
	return st.putChunk(ctx, token, note)
}

// blob asks the leader for the note of a blob.
func (st *streams) blob(ctx context.Context, d kv.Digest) (blobNote, error) {
	m, err := st.leadersChunk(ctx, blobToken+d.String())
	if isAbsent(err) {
		return blobNote{}, fmt.Errorf("blob %s: %w", d, kv.ErrNotFound)
	}
	if err != nil {
		return blobNote{}, err
	}
	var note blobNote
	if err := json.Unmarshal(m.Data, &note); err != nil || !objectName(note.Object) {
		return blobNote{}, fmt.Errorf("blob %s: its note is damaged: %w", d, kv.ErrCorrupt)
	}
	return note, nil
}

// Get implements kv.Blobs.
func (b blobs) Get(ctx context.Context, d kv.Digest) ([]byte, error) {
	if err := b.store.life.Enter(ctx); err != nil {
		return nil, err
	}
	defer b.store.life.Leave()
	data, err := b.store.cache.Get(ctx, d)
	if err == nil || ctx.Err() != nil {
		return data, err
	}
	if errors.Is(err, kv.ErrCorrupt) { // Put leaves a file of the same length alone
		b.store.cfg.Logger.Error("this node's copy of a blob is damaged: it is fetched anew", "digest", d)
		err = b.store.cache.Delete(ctx, d)
	}
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return nil, err
	}
	return b.fetch(ctx, d)
}

// fetch fetches a blob once, however many ask for it.
func (b blobs) fetch(ctx context.Context, d kv.Digest) (data []byte, err error) {
	unlock, err := b.store.fetches.lock(ctx, d.String())
	if err != nil {
		return nil, err
	}
	defer unlock()
	if data, err = b.store.cache.Get(ctx, d); err == nil {
		return data, nil
	}
	err = b.reach(ctx, fmt.Sprintf("get blob %s", d), func(ctx context.Context, st *streams) error {
		note, err := st.blob(ctx, d)
		if err != nil {
			return err
		}
		data, err = st.fetch(ctx, note.Object)
		return err
	})
	if err != nil {
		return nil, err
	}
	if kv.DigestOf(data) != d {
		return nil, fmt.Errorf("blob %s: %w", d, kv.ErrCorrupt)
	}
	b.keep(ctx, d, data)
	return data, nil
}

// ReadPart implements kv.PartReader. A blob that the node does not have is fetched
// whole.
func (b blobs) ReadPart(ctx context.Context, d kv.Digest, p []byte, offset int64) error {
	if err := b.store.life.Enter(ctx); err != nil {
		return err
	}
	defer b.store.life.Leave()
	err := b.store.cache.ReadPart(ctx, d, p, offset)
	if !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	data, err := b.fetch(ctx, d)
	if err != nil {
		return err
	}
	if offset < 0 || offset > int64(len(data)) || copy(p, data[offset:]) < len(p) {
		return fmt.Errorf("read blob %s: %w", d, io.ErrUnexpectedEOF)
	}
	return nil
}

// Delete implements kv.Blobs.
func (b blobs) Delete(ctx context.Context, d kv.Digest) error {
	err := b.call(ctx, fmt.Sprintf("delete blob %s", d), func(ctx context.Context, st *streams) error {
		note, err := st.blob(ctx, d)
		if errors.Is(err, kv.ErrNotFound) {
			return nil
		}
		if err != nil && !errors.Is(err, kv.ErrCorrupt) {
			return err
		}
		if err := st.chunks.Purge(ctx, jetstream.WithPurgeSubject(st.chunkPrefix+blobToken+d.String())); err != nil {
			return err
		}
		b.store.objects.discard(note.Object)
		return nil
	})
	if err != nil {
		return err
	}
	return b.store.cache.Delete(ctx, d)
}

// List implements kv.Blobs. It asks the cluster, also for what the node has.
func (b blobs) List(ctx context.Context) (digests []kv.Digest, err error) {
	err = b.call(ctx, "list blobs", func(ctx context.Context, st *streams) error {
		info, err := st.chunks.Info(ctx, jetstream.WithSubjectFilter(st.chunkPrefix+blobToken+"*"))
		if err != nil {
			return err
		}
		for subject := range info.State.Subjects {
			if d, err := kv.ParseDigest(strings.TrimPrefix(subject, st.chunkPrefix+blobToken)); err == nil {
				digests = append(digests, d)
			}
		}
		return nil
	})
	return digests, err
}
