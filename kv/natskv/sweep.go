package natskv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
)

const (
	sweepEvery = time.Hour
	// sweepGrace is how old an object has to be before it may be taken for one that
	// its writer left: much longer than a write takes until it refers to it.
	sweepGrace = time.Hour
)

// sweep removes the objects that nothing refers to, and returns how many.
func (st *streams) sweep(ctx context.Context, grace time.Duration) (removed int, err error) {
	ids, err := st.intents(ctx)
	if err != nil {
		return 0, fmt.Errorf("list objects: %w", err)
	}
	for _, id := range ids {
		used, err := st.used(ctx, id, grace)
		if err == nil && !used {
			err = st.remove(ctx, id)
			removed++
		}
		if err != nil {
			return removed, fmt.Errorf("sweep object %s: %w", id, err)
		}
	}
	return removed, nil
}

// intents lists the ids of objects.
func (st *streams) intents(ctx context.Context) (ids []string, err error) {
	info, err := st.chunks.Info(ctx, jetstream.WithSubjectFilter(st.chunkPrefix+"i.*"))
	if err != nil {
		return nil, err
	}
	for subject := range info.State.Subjects {
		ids = append(ids, strings.TrimPrefix(subject, st.chunkPrefix+"i."))
	}
	return ids, nil
}

// used reports whether an object is young, or what it was made for refers to it.
func (st *streams) used(ctx context.Context, id string, grace time.Duration) (bool, error) {
	m, err := st.chunks.GetLastMsgForSubject(ctx, st.chunkPrefix+"i."+id)
	if isAbsent(err) {
		return true, nil // it is being removed
	}
	if err != nil {
		return false, err
	}
	info, err := st.chunks.Info(ctx)
	if err != nil {
		return false, err
	}
	var note intent
	if info.TimeStamp.Sub(m.Time) < grace {
		return true, nil
	}
	if err := json.Unmarshal(m.Data, &note); err != nil {
		return true, nil // damaged: it costs space only
	}
	name, err := st.referred(ctx, note.Owner)
	return strings.HasPrefix(name, id+"."), err
}

// referred is the name of the object that a key or a blob has now.
func (st *streams) referred(ctx context.Context, owner string) (string, error) {
	if text, ok := strings.CutPrefix(owner, blobToken); ok {
		d, err := kv.ParseDigest(text)
		if err != nil {
			return "", nil
		}
		note, err := st.blob(ctx, d)
		if errors.Is(err, kv.ErrNotFound) {
			err = nil
		}
		return note.Object, err
	}
	l, err := st.askToken(ctx, owner)
	if err == nil {
		err = l.damage // it may be the one
	}
	return l.record.object, err
}
