package natskv

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
)

// step is what a message does in the copy.
type step struct {
	change badgerkv.Change
	moves  bool // it is no change: the copy is only further
	mark   []byte
	object string // that the entry has
	own    bool   // this Store wrote it
}

// apply does in the copy what a message says, together with those that belong to it.
func (f *session) apply(ctx context.Context, m jetstream.Msg, revision uint64, at time.Time) error {
	if revision > f.together {
		if err := f.flush(ctx); err != nil {
			return err
		}
	}
	s, err := f.read(ctx, m, revision, at)
	if err != nil {
		return err
	}
	f.held = append(f.held, s)
	if f.together = max(f.together, revision+follows(m)); revision < f.together {
		return nil
	}
	return f.flush(ctx)
}

// flush applies what is held.
func (f *session) flush(ctx context.Context) error {
	if len(f.held) == 0 {
		return nil
	}
	var changes []badgerkv.Change
	for _, s := range f.held {
		if !s.moves {
			changes = append(changes, s.change)
		}
	}
	last := f.held[len(f.held)-1]
	revision := last.change.Entry.Revision
	if err := f.copy.Apply(ctx, badgerkv.Position{Revision: revision, Mark: last.mark}, changes...); err != nil {
		return err
	}
	for _, s := range f.held {
		if !s.moves {
			f.objects.replace(s.change.Entry.Key, s.object, s.own)
			f.offline.landed(s.change.Entry.Key, s.change.Entry.Revision)
		}
	}
	f.held = nil
	f.progress.set(revision)
	return nil
}

// read makes a step of a message.
func (f *session) read(ctx context.Context, m jetstream.Msg, revision uint64, at time.Time) (step, error) {
	token := strings.TrimPrefix(m.Subject(), f.entryPrefix)
	moves := step{change: badgerkv.Change{Entry: kv.Entry{Revision: revision}}, moves: true, mark: mark(at, "")}
	r, err := decode(token, m.Data())
	if err == nil && r.object != "" {
		r.entry.Value, err = f.valueOf(ctx, r)
		if errors.Is(err, errSuperseded) {
			return moves, nil
		}
	}
	if err != nil && !errors.Is(err, kv.ErrCorrupt) {
		return step{}, fmt.Errorf("read value of key %q: %w", r.entry.Key, err)
	}
	if !r.deleted {
		if err := f.cfg.Room(int64(r.size())); err != nil {
			return step{}, fmt.Errorf("keep a copy: %w", err)
		}
	}
	c := badgerkv.Change{Entry: r.entry, Deleted: r.deleted}
	if err != nil {
		f.cfg.Logger.Error("a message of the stream is damaged: reading its key is an error until it is written anew", "revision", revision, "err", err)
		key, err := f.keyOf(ctx, token)
		if err != nil || key == "" {
			return moves, err
		}
		c = badgerkv.Change{Entry: kv.Entry{Key: key}, Damaged: true}
	}
	c.Entry.Revision = revision
	return step{change: c, mark: mark(at, c.Entry.Key), object: r.object, own: f.owns(m)}, nil
}

// keyOf is the key of a token; of one that does not say it, the one in the copy, if
// there is any.
func (f *session) keyOf(ctx context.Context, token string) (string, error) {
	if key, ok := keyOf(token); ok {
		return key, nil
	}
	for opts := (kv.ListOptions{}); ; {
		page, err := f.copy.List(ctx, opts)
		if err != nil && !errors.Is(err, kv.ErrCorrupt) {
			return "", err
		}
		for _, e := range page.Entries {
			if len(e.Key) > maxToken/3 && keyToken(e.Key) == token {
				return e.Key, nil
			}
		}
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			return "", nil
		}
	}
}

// owns reports whether this Store wrote the message.
func (f *session) owns(m jetstream.Msg) bool {
	return strings.HasPrefix(m.Headers().Get(jetstream.MsgIDHeader), f.name+".")
}

// errSuperseded: the value is gone, because a newer message of the key is on its way.
var errSuperseded = errors.New("superseded")

// valueOf fetches the value of a record that has it elsewhere.
func (f *session) valueOf(ctx context.Context, r record) ([]byte, error) {
	if value, ok := f.objects.written(r.object); ok {
		return value, nil
	}
	value, err := f.fetch(ctx, r.object)
	if err == nil {
		err = r.checkValue(value)
	}
	if !errors.Is(err, kv.ErrNotFound) {
		return value, err
	}
	l, err := f.ask(ctx, r.entry.Key)
	switch {
	case err != nil:
		return nil, err
	case l.sequence == 0, l.record.object != r.object:
		return nil, errSuperseded
	}
	return nil, corrupt(keyToken(r.entry.Key), "its value is missing")
}
