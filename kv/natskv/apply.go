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

// apply does in the copy what a message says.
func (f *session) apply(ctx context.Context, m jetstream.Msg, revision uint64, at time.Time) error {
	token := strings.TrimPrefix(m.Subject(), f.entryPrefix)
	r, err := decode(token, m.Data())
	if err == nil && r.object != "" {
		r.entry.Value, err = f.valueOf(ctx, r)
		if errors.Is(err, errSuperseded) {
			return f.advance(ctx, revision, mark(at, ""))
		}
	}
	if err != nil && !errors.Is(err, kv.ErrCorrupt) {
		return fmt.Errorf("read value of key %q: %w", r.entry.Key, err)
	}
	if !r.deleted {
		if err := f.cfg.Room(int64(r.size())); err != nil {
			return fmt.Errorf("keep a copy: %w", err)
		}
	}
	c := badgerkv.Change{Entry: r.entry, Deleted: r.deleted}
	if err != nil {
		f.cfg.Logger.Error("a message of the stream is damaged: reading its key is an error until it is written anew", "revision", revision, "err", err)
		key, err := f.keyOf(ctx, token)
		if err != nil || key == "" {
			return errors.Join(err, f.advance(ctx, revision, mark(at, "")))
		}
		c = badgerkv.Change{Entry: kv.Entry{Key: key}, Damaged: true}
	}
	c.Entry.Revision = revision
	if err := f.copy.Apply(ctx, c, mark(at, c.Entry.Key)); err != nil {
		return err
	}
	f.objects.replace(c.Entry.Key, r.object, f.owns(m))
	f.offline.landed(c.Entry.Key, revision)
	f.progress.set(revision)
	return nil
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

func (f *session) advance(ctx context.Context, revision uint64, mark []byte) error {
	if err := f.copy.Advance(ctx, revision, mark); err != nil {
		return err
	}
	f.progress.set(revision)
	return nil
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
